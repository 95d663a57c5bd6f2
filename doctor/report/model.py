"""The report: one value that every format renders.

Its shape is the published JSON report (`docs/report.schema.json`); the JSON renderer writes it as it is.
Adding a field is free; removing or renaming one raises `SCHEMA_VERSION`.
"""

from __future__ import annotations

from typing import TypedDict

from doctor.treatment.result import FileChange, Plan, Remedy, Step

__all__ = ["SCHEMA_VERSION", "FileChange", "Plan", "Remedy", "Report", "Step"]

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


class Tool(TypedDict):
    """rules: a hash of the knowledge that judged; None where that is not known."""

    name: str
    version: str
    rules: str | None


class Subject(TypedDict):
    """What was examined. kind: host, bundle, directory, sosreport, diagnostics or paste.

    host: the host's name, in a redacted bundle what stands for it; None if the evidence does not show it.
    """

    kind: str
    source: str
    host: str | None
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


class Waiver(TypedDict):
    """Who answers for a failure, why, and until which day, YYYY-MM-DD."""

    reason: str
    owner: str
    expires: str


class _Waived(TypedDict, total=False):
    """What a check has only if it is waived."""

    waiver: Waiver


class Check(_Waived):
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
_Row = TypedDict(
    "_Row",
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


class Merge(TypedDict):
    """Why functions share a group: the reason in words, and the bridge, or the slot, that makes one group of them."""

    reason: str
    address: str


class Device(_Row, total=False):
    """The row, and what it has only where the tree was asked for.

    bridges: those above the device, from the root bus down; None where that is not known. merged_by: of a target
    that is not alone in its group; None where that is not known.
    """

    bridges: list[str] | None
    merged_by: Merge | None


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
