"""What the diagnosis hands on: findings, causes, targets."""

from __future__ import annotations

from doctor.evidence.types import Source
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PASS, FAIL, UNKNOWN, NOT_APPLICABLE, WAIVED = "pass", "fail", "unknown", "not-applicable", "waived"
SEVERITIES = ("blocker", "risk", "advice")  # worst first


class Waived(NamedTuple):
    """Who answers for a failure, why, and until which day, YYYY-MM-DD."""

    reason: str
    owner: str
    expires: str


class Finding(NamedTuple):
    """A check's status for the host (`device` None) or for one device (its full address).

    `title` says what holds; of a failed or waived check, what is wrong instead. `waived` is there if it is waived.

    `remedy` holds the structured steps of the rule's branch, their texts filled in with this host's
    values; `treatment` knows how each is done on a platform. See `doctor/treatment/steps.py`.
    """

    check: str
    device: str | None
    status: str
    severity: str
    weak: bool
    title: str
    detail: str
    why: str
    sources: tuple[Source, ...]
    wanted: tuple[str, ...]
    remedy: tuple[dict[str, Any], ...]
    references: tuple[str, ...]
    after: tuple[str, ...]
    waived: Waived | None = None


class Cause(NamedTuple):
    """A failed finding that no other failed finding explains, and those that it explains."""

    finding: Finding
    explains: tuple[Finding, ...]


class Target(NamedTuple):
    """A device that somebody means to hand to a guest."""

    address: str
    because: str
    weak: bool
    managed: bool  # a VM manager binds it to vfio-pci itself when the guest starts
    undecided: bool = False  # only an id names it, and devices of other slots have the same id


class Row(NamedTuple):
    """A device of the host with its verdict, target or not."""

    address: str
    verdict: str
    because: str


class Diagnosis(NamedTuple):
    """Everything that was judged. verdict: ready, not-ready, undetermined."""

    verdict: str
    findings: tuple[Finding, ...]
    causes: tuple[Cause, ...]
    targets: tuple[Target, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
