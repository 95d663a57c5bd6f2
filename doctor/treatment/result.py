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


class Step(TypedDict):
    """A step of the plan, in the order in which it is to be done.

    `why` holds the ids of the checks; `note` what a person should know before the step, in words.
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


class Plan(TypedDict):
    """All remedies merged: one edit a file, one initramfs rebuild, one reboot."""

    platform: str
    assured: bool
    notes: list[str]
    steps: list[Step]
    reboots: int
