"""Bundles of `passdoctor collect`, and the live host, which is the same collected into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.evidence.clean import BREAKS
from doctor.evidence.types import Evidence, Piece

if TYPE_CHECKING:
    from doctor.collect.model import Collected, Entry


def from_collected(collected: Collected, kind: str, source: str) -> Evidence:
    """The evidence of a collection: every entry at its path, cited as a file of the collection."""
    pieces = [_piece(entry, source, kind) for entry in collected.entries.values()]
    notes: tuple[str, ...] = ()
    if not collected.as_root:
        notes = ("It was collected by an ordinary user: what only root may read is missing.",)
    return Evidence(kind, source, pieces, collected.collected_at or None, complete=True, notes=notes)


def _piece(entry: Entry, source: str, kind: str) -> Piece:
    """One entry as a piece; a live host's files are cited by their own names."""
    cited = f"/{entry.path}" if kind == "host" and not entry.path.startswith("cmd/") else f"{source}:{entry.path}"
    if kind == "host" and entry.command:
        cited = entry.command
    binary = b"\0" in entry.data[:4096]
    text = "" if binary else entry.data.decode("utf-8", "replace")
    line = None if binary or entry.how in ("link", "exists", "listing") else 1
    return Piece(
        entry.path, text.translate(BREAKS).rstrip("\n"), cited, line, entry.command, entry.state, reason=entry.reason,
        binary=entry.data if binary else None,
    )  # fmt: skip
