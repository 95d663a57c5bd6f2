"""Redaction changes no status and no cause: of every sample, the lab's bundles included."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from doctor.audit.scan import scan
from doctor.collect.pack import unpack
from doctor.collect.redact import Redactor, redact_with
from doctor.evidence.bundle import from_collected
from doctor.evidence.open import open_bytes
from doctor.evidence.types import Evidence
from doctor.examine import examine_evidence

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
SHARED = Path(__file__).resolve().parents[3] / "shared"
BUNDLES = sorted(SAMPLES.glob("**/*.tar.gz"))
PASTES = sorted(SAMPLES.glob("*.txt")) + sorted(SHARED.glob("cases/*/paste*.txt"))
LOGS = sorted(path for path in SHARED.glob("real/dmesg/**/*") if path.suffix in (".txt", ".log", ".dmesg"))


TECHNICAL = re.compile(
    r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]|\[[0-9a-f]{4}:[0-9a-f]{4}\]|0x[0-9a-f]{2,16}|\d\.\d{1,3}\.\d{1,3}-[\w.-]+"
)


def kept(text: str) -> list[str]:
    """What redaction must leave alone: addresses and ids of PCI devices, memory addresses, kernels' releases."""
    return TECHNICAL.findall(text)


def judged(evidence: Evidence) -> tuple[Any, ...]:
    report = examine_evidence(evidence)
    statuses = {(check["id"], check["device"]): check["status"] for check in report["checks"]}
    return statuses, [(one["check"], one["device"]) for one in report["causes"]], report["summary"]["verdict"]


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.name)
def test_a_bundle(path: Path) -> None:
    before = unpack(path.read_bytes())
    after, _ = redact_with(before, Redactor())
    assert judged(from_collected(after, "bundle", "x")) == judged(from_collected(before, "bundle", "x"))
    for old, new in zip(before.entries.values(), after.entries.values(), strict=True):
        assert kept(old.data.decode("latin-1")) == kept(new.data.decode("latin-1")), old.path
    again, report = redact_with(after, Redactor())
    assert report == {} and again.entries == after.entries
    assert scan({entry.path: entry.data for entry in after.entries.values()}) == []


@pytest.mark.parametrize("path", PASTES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_paste(path: Path) -> None:
    text = path.read_text("utf-8", "surrogateescape")
    new = Redactor().text(text)
    assert Redactor().text(new) == new and new.count("\n") == text.count("\n")
    assert kept(new) == kept(text)
    if new == text:
        return

    def opened(said: str) -> Evidence:
        return open_bytes(said.encode("utf-8", "surrogateescape"), "paste", "paste")

    assert judged(opened(new)) == judged(opened(text))


@pytest.mark.skipif(not LOGS, reason="no logs of real machines are at hand")
@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_a_real_log(path: Path) -> None:
    text = path.read_text("utf-8", "surrogateescape")
    new = Redactor().text(text)
    assert kept(new) == kept(text) and Redactor().text(new) == new
