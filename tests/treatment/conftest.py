"""Hosts and findings made by hand, and the platform files as the compiler hands them on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from doctor.diagnosis.finding import Finding
from doctor.evidence.types import Evidence, Piece
from doctor.facts import boot, modprobe, platform
from doctor.facts.host import Host
from doctor.knowledge.store import load

from .hand_made import Facts, Failed, MakeFacts

PLATFORMS = Path(__file__).parents[2] / "rules" / "platforms"


@pytest.fixture
def make_facts() -> MakeFacts:
    """Facts of a host from its files."""

    def make(files: dict[str, str], complete: bool = False, pieces: tuple[Piece, ...] = ()) -> Facts:
        all_pieces = [Piece(path, text, path) for path, text in files.items()] + list(pieces)
        evidence = Evidence("directory", "host", all_pieces, complete=complete)
        known = platform.read(evidence, load()["platforms"])
        host = Host(evidence, load())
        return Facts(
            evidence,
            known,
            boot.read(evidence, known),
            modprobe.read(evidence),
            host.modules,
            host.firmware,
            host.pci,
            host.needs,
        )

    return make


@pytest.fixture
def failed() -> Failed:
    """A finding with a remedy."""

    def make(check: str, *remedy: dict[str, Any], severity: str = "blocker", status: str = "fail") -> Finding:
        return Finding(check, None, status, severity, False, check, "", "", (), (), remedy, (), ())

    return make


@pytest.fixture(scope="session")
def platforms() -> dict[str, Any]:
    """Every platform file by its stem."""
    return {path.stem: yaml.safe_load(path.read_text()) for path in sorted(PLATFORMS.glob("*.yaml"))}
