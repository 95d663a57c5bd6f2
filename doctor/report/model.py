"""The report: one value that every format renders.

Its shape is the published JSON report (`docs/report.schema.json`); the JSON renderer writes it as it is.
Adding a field is free; removing or renaming one raises `SCHEMA_VERSION`.
"""

from __future__ import annotations

from typing import TypedDict

SCHEMA_VERSION = "1.0"


class Citation(TypedDict):
    """A line that was read: the user's own file and line, and the evidence path beside it."""

    path: str
    source: str
    line: int | None
    text: str


class Wanted(TypedDict):
    """Evidence that would settle an unknown, and the command that prints it."""

    path: str
    command: str


class FileChange(TypedDict):
    """A change of one file: `diff` is unified; `before` and `after` are the lines in question."""

    path: str
    diff: str
    before: list[str]
    after: list[str]


class Remedy(TypedDict):
    """What a failed check prescribes, as done on this host."""

    kind: str
    summary: str
    commands: list[str]
    files: list[FileChange]


class Step(TypedDict):
    """A step of the merged plan, in the order in which it is to be done."""

    kind: str
    summary: str
    why: list[str]  # ids of the checks that ask for it
    commands: list[str]
    files: list[FileChange]
    reboot: bool
    optional: bool
    risk: str | None
    undo: list[str]
    verify: list[str]  # commands that show that the step worked


class Plan(TypedDict):
    """All remedies merged: one edit a file, one initramfs rebuild, one reboot."""

    platform: str  # the name of the platform whose ways the plan follows
    assured: bool  # False: the platform could not be told, or its file was not proven by running it
    notes: list[str]  # what the plan could not know, in words
    steps: list[Step]
    reboots: int


class Tool(TypedDict):
    name: str
    version: str


class Subject(TypedDict):
    """What was examined. kind: host, bundle, directory, sosreport or paste."""

    kind: str
    source: str
    collected_at: str | None


class Platform(TypedDict):
    distribution: str | None
    hypervisor: str | None
    kernel: str | None
    bootloader: str | None
    cpu_vendor: str | None
    board: str | None


# verdict: ready, not-ready or undetermined; headline: the verdict in one sentence, for people;
# then the findings counted by status. (Written so because "pass" is a word of Python.)
Summary = TypedDict(
    "Summary",
    {
        "verdict": str,
        "headline": str,
        "pass": int,
        "fail": int,
        "unknown": int,
        "not_applicable": int,
        "waived": int,
    },
)


class Target(TypedDict):
    address: str
    because: str
    confidence: str


class Explained(TypedDict):
    check: str
    device: str | None


class Cause(TypedDict):
    """A failed finding that no other failed finding explains, and the findings that it explains."""

    check: str
    device: str | None
    explains: list[Explained]


class Check(TypedDict):
    """One finding. status: pass, fail, unknown, not-applicable, waived; severity: blocker, risk, advice."""

    id: str
    device: str | None
    status: str
    severity: str
    confidence: str
    title: str
    detail: str
    why: str
    evidence: list[Citation]
    wanted: list[Wanted]
    remedy: list[Remedy]
    references: list[str]


class Harmless(TypedDict):
    """An alarming line that can be ignored, and the reason."""

    path: str
    source: str
    line: int | None
    text: str
    why: str


class Contradiction(TypedDict):
    fact: str
    evidence: list[Citation]
    resolved: str


# A row of the device table. class: PCI class, four hexadecimal digits; because: what passing the device
# would take, or why it is ready. (Written so because "class" is a word of Python.)
Device = TypedDict(
    "Device",
    {
        "address": str,
        "ids": str | None,
        "class": str | None,
        "name": str | None,
        "driver": str | None,
        "group": int | None,
        "group_members": list[str],
        "target": bool,
        "verdict": str,
        "because": str,
    },
)


class Report(TypedDict):
    """The whole report."""

    schema_version: str
    tool: Tool
    subject: Subject
    platform: Platform
    profile: str
    summary: Summary
    targets: list[Target]
    causes: list[Cause]
    checks: list[Check]
    harmless: list[Harmless]
    contradictions: list[Contradiction]
    plan: Plan
    devices: list[Device]
    notes: list[str]
