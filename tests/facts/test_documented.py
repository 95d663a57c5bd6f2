"""docs/facts.md names every group of facts, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from doctor.facts.host import Host

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "facts.md"


def test_every_group_has_a_row() -> None:
    rows = [line.split("|")[1] for line in DOCUMENT.read_text("utf-8").splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(Host.SHOWN)
