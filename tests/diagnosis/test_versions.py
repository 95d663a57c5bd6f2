"""Versions are hints: what was seen stands on any, what is open or weak does not apply outside."""

from __future__ import annotations

from typing import Any

import pytest

from doctor.diagnosis.engine import run
from doctor.diagnosis.finding import Finding
from doctor.diagnosis.versions import outside
from doctor.evidence.types import Evidence, Piece
from doctor.facts.host import Host
from doctor.knowledge.compile import compile_rule
from doctor.knowledge.store import load

KNOWLEDGE = load()
PVE = {
    "cmd/pveversion": "pve-manager/8.2.4/faa83925c9641325 (running kernel: 6.8.8-2-pve)",
    "cmd/uname-a": "Linux pve 6.8.8-2-pve #1 SMP x86_64 GNU/Linux",
}


def host(**pieces: str) -> Host:
    return Host(Evidence("directory", "d", [Piece(path, text, path) for path, text in pieces.items()]), KNOWLEDGE)


def kernel(release: str) -> dict[str, str]:
    return {"cmd/uname-a": f"Linux h {release} #1 SMP x86_64 GNU/Linux"}


def found(pieces: dict[str, str], **rule: Any) -> Finding:
    """The finding of a small rule."""
    written = {"id": "x", "title": "T", "severity": "risk", "detail": {"fail": "It fails."}, **rule}
    return run(host(**pieces), [compile_rule(written)], [])[0]


@pytest.mark.parametrize(
    ("since", "until", "release", "says"),
    [
        ("4.5", None, "4.4.0", "This is known of Linux 4.5 and later; this host has 4.4."),
        ("4.5", None, "4.5.0", ""),
        ("4.5", None, "4.10.0", ""),
        ("4.10", None, "4.9.0", "This is known of Linux 4.10 and later; this host has 4.9."),
        (None, "6.1", "6.0.9", ""),
        (None, "6.1", "6.1.0", "This is known of Linux before 6.1; this host has 6.1."),
        (None, "6.1", "6.10.1", "This is known of Linux before 6.1; this host has 6.10."),
        ("5.19", "6.1", "6.0.0", ""),
        ("5.19", "6.1", "7.0.0", "This is known of Linux before 6.1; this host has 7.0."),
    ],
)
def test_the_range_begins_with_since_and_ends_before_until(
    since: str | None, until: str | None, release: str, says: str
) -> None:
    written = {"since": {"kernel": since}} if since else {}
    written |= {"until": {"kernel": until}} if until else {}
    rule = compile_rule({"id": "x", "title": "T", "severity": "risk", "fail": "a", **written})
    assert outside(rule["versions"], host(**kernel(release))) == says


@pytest.mark.parametrize(
    ("since", "pieces", "says"),
    [
        ({"proxmox": "8.3"}, PVE, "This is known of Proxmox VE 8.3 and later; this host has 8.2."),
        ({"proxmox": "8.2"}, PVE, ""),
        ({"proxmox": "8.3"}, kernel("6.1.0-18-amd64"), ""),
        ({"proxmox": "8.3", "kernel": "6.11"}, PVE, "This is known of Proxmox VE 8.3 and later; this host has 8.2."),
        ({"kernel": "6.11", "why": "It came  then."}, PVE, "this host has 6.8. It came then."),
        ({"qemu": "99.0"}, PVE, ""),
        ({"kernel": "99.0"}, {}, ""),
        ({"kernel": "99.0"}, {"boot/config-5.15.0": "CONFIG_X=y"}, ""),
    ],
    ids=["pve", "pve inside", "no pve", "two", "why", "qemu", "not read", "inferred"],
)
def test_what_is_compared_and_what_excludes_nothing(since: dict[str, str], pieces: dict[str, str], says: str) -> None:
    rule = compile_rule({"id": "x", "title": "T", "severity": "risk", "fail": "a", "since": since})
    text = outside(rule["versions"], host(**pieces))
    assert says in text
    assert bool(says) is bool(text)


NEW = {"kernel": "4.5"}
HINT = "This is known of Linux 4.5 and later; this host has 4.4."


def test_what_was_seen_fails_on_any_version_and_says_so() -> None:
    given = {**kernel("4.4.0"), "proc/cmdline": "a=b iommu=off"}
    seen = found(given, fail="cmdline.disables_dma", since=NEW)
    assert (seen.status, seen.detail) == ("fail", f"It fails. {HINT}")
    assert found(given, fail="cmdline.disables_dma").detail == "It fails."


def test_what_passes_stands() -> None:
    given = {**kernel("4.4.0"), "proc/cmdline": "a=b"}
    assert found(given, **{"pass": "cmdline.known"}, since=NEW).status == "pass"


def test_an_open_state_does_not_apply_outside_and_asks_for_nothing() -> None:
    rule = {"pass": "iommu.active", "since": NEW}
    assert found(kernel("4.5.0"), **rule).status == "unknown"
    assert found({}, **rule).status == "unknown"
    seen = found(kernel("4.4.0"), **rule)
    assert (seen.status, seen.detail, seen.wanted) == ("not-applicable", HINT, ())


def test_what_fails_on_weak_evidence_does_not_apply_outside() -> None:
    # The next boot's command line tells of the running one only weakly.
    given = {"etc/default/grub": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet iommu=off"'}
    rule = {"fail": "cmdline.disables_dma", "since": NEW}
    weak = found({**given, **kernel("4.5.0")}, **rule)
    assert (weak.status, weak.weak) == ("fail", True)
    seen = found({**given, **kernel("4.4.0")}, **rule)
    assert (seen.status, seen.detail, seen.remedy) == ("not-applicable", HINT, ())


def test_a_log_line_counts_on_any_version() -> None:
    given = {**kernel("4.4.0"), "cmd/dmesg": "[ 91.1] vfio_pin_pages_remote: RLIMIT_MEMLOCK (8388608) exceeded"}
    rule = {"scope": "event", "kind": "symptom", "events": ["memlock_exceeded"], "since": NEW}
    assert found(given, **rule).detail == f"It fails. {HINT}"
