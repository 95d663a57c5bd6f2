"""The lines of an input that no fact may be read from, each with its number and the reason.

>>> from doctor.evidence.types import Evidence, Piece
>>> [one[:2] for one in unclaimed(Evidence("paste", "p.txt", [Piece("text/other", "Hello\\n\\nit fails", "p.txt", 4)]))]
[(4, 'Hello'), (6, 'it fails')]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.record import NamedTuple

if TYPE_CHECKING:
    from doctor.evidence.types import Evidence

_PATHS = ("text/other", "text/example", "text/guest", "text/other-host")


class Unclaimed(NamedTuple):
    """A line with words; `line` counts from 1 in the user's own file, None if it has no number."""

    line: int | None
    text: str
    why: str


def unclaimed(evidence: Evidence) -> list[Unclaimed]:
    """All such lines in the order of the file."""
    found = [
        Unclaimed(piece.line_number(index), line.strip(), piece.reason or "recognised by no reader")
        for path in _PATHS
        for piece in evidence.states(path)
        for index, line in enumerate(piece.text.split("\n"))
        if line.strip()
    ]
    return sorted(found, key=lambda one: one.line or 0)
