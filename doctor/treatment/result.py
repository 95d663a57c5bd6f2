"""What treatment hands on: the plan, its steps and the changes of files.

The same shapes as in the published report, which is built from them without change.
"""

from __future__ import annotations

from typing import TypedDict


class FileChange(TypedDict):
    """A change of one file. `path` is absolute; `before` and `after` are the lines in question.

    `after` is empty where a line is dropped, and where the present line cannot be written anew safely or was
    not seen: the step's summary then says in words what to change.
    """

    path: str
    diff: str
    before: list[str]
    after: list[str]


class Remedy(TypedDict):
    """What one failed check prescribes, as done on this host."""

    kind: str
    summary: str
    commands: list[str]
    files: list[FileChange]


class _Op(TypedDict):
    """What an action always has."""

    op: str


class Action(_Op, total=False):
    """One thing that a step does, for programs. The keys beside `op` are those that it needs.

    replace-lines: the lines `before`, together in the file `path` (first at line `at`, 0 if that is not known), become
        `after`;
    add-lines: what is not there of `lines` goes to the end of `path`, which is made if need be;
    write-file: `lines` are all of `path`, whose mode is `mode`;
    delete-file: `path` goes, which holds nothing but `lines`, blank lines and comments;
    edit-words: in the line of `path` (a pattern for several files) that holds parameters, found by `style` and `name`:
        `words`, each with a sign: - goes, ~ goes if it is there (~NAME=* is each of that name), + comes at the end
        (before a lone --, and from behind it), ^ at the front;
    set-vm-key: `key` of the guest `vm` becomes `value`, or goes if there is none, by `command`; `show` prints what it
        was, and of `undo` the first puts that back, which the shell's `old` holds, the second if it was not there;
    run: the shell's `command`, and `undo`, the commands that take it back;
    by-hand: what only a person can do, `text`.
    With `test` beside it, only where that command succeeds on the host.
    """

    path: str
    at: int
    before: list[str]
    after: list[str]
    lines: list[str]
    mode: str
    style: str
    name: str
    words: list[str]
    vm: str
    show: str
    key: str
    value: str | None
    command: str
    undo: list[str]
    text: str
    test: str


class Step(TypedDict):
    """A step of the plan, in the order in which it is to be done.

    `why` holds the ids of the checks; `note` what a person should know before the step, in words; `actions` the same
    as `commands` and `files`, for programs.
    """

    kind: str
    summary: str
    note: str | None
    why: list[str]
    commands: list[str]
    files: list[FileChange]
    reboot: bool
    optional: bool
    risk: str | None
    undo: list[str]
    verify: list[str]
    actions: list[Action]


class Plan(TypedDict):
    """All remedies merged: one edit a file, one initramfs rebuild, one reboot.

    `dangers`: what of its own the host would lose, a sentence each.
    """

    platform: str
    assured: bool
    notes: list[str]
    steps: list[Step]
    reboots: int
    dangers: list[str]
