"""The host's name: /proc/sys/kernel/hostname, /etc/hostname, `hostnamectl`, `uname -a`.

A redacted bundle holds a replacement in its place.

>>> from doctor.evidence.types import Evidence, Piece
>>> uname = Piece("cmd/uname-a", "Linux pve1.lan 6.8.12-9-pve #1 SMP x86_64 GNU/Linux", "p")
>>> read(Evidence("paste", "p", [uname])).value
'pve1.lan'
"""

from __future__ import annotations

from doctor.facts.fact import Fact, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doctor.evidence.types import Evidence

_FILES = ("proc/sys/kernel/hostname", "etc/hostname")
_LONGEST = 253  # characters of a name with its domain (RFC 1035, section 2.3.4)


def read(evidence: Evidence) -> Fact:
    """The name, with its domain if it was given with one."""
    for path in _FILES:
        piece = evidence.last(path)
        words = piece.text.split()[:2] if piece is not None else []
        if piece is not None and len(words) == 1 and _is_name(words[0]):
            return Fact(words[0], (piece.cite(0),))
    return _of_commands(evidence) or unknown(_FILES[0])


def _of_commands(evidence: Evidence) -> Fact | None:
    piece = evidence.last("cmd/hostnamectl")
    for index, line in enumerate(piece.text.splitlines() if piece is not None else ()):
        key, _, value = line.partition(":")
        if piece is not None and key.strip() == "Static hostname" and _is_name(value.strip()):
            return Fact(value.strip(), (piece.cite(index),))
    piece = evidence.last("cmd/uname-a")
    words = piece.text.split()[:3] if piece is not None else []
    if piece is not None and len(words) == 3 and words[0] == "Linux" and _is_name(words[1]):
        return Fact(words[1], (piece.cite(0),))
    return None


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and text.isascii() and text.replace("-", "").replace(".", "").isalnum()
