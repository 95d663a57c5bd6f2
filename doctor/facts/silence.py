"""What it means that a piece lacks a line: something only where the piece would have shown it.

>>> from doctor.evidence.types import FILTERED, Piece
>>> would_show(Piece("boot/config-6.1", "CONFIG_VFIO=m", terms=("VFIO",), state=FILTERED), "CONFIG_VFIO_PCI")
True
>>> kept = Piece("boot/config-6.1", state=FILTERED, reason="only lines with IOMMU, VFIO")
>>> would_show(kept, "CONFIG_VFIO_PCI"), would_show(kept, "CONFIG_KVM")
(True, False)
"""

from __future__ import annotations

from doctor.evidence.types import FILTERED, WHOLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doctor.evidence.types import Piece

_KEPT = "only lines with "


def would_show(piece: Piece, text: str) -> bool:
    """Whether a line that holds `text` would stand in `piece` if its source had one.

    A cut piece and an excerpt promise nothing. The filter is the user's own (`terms`) or the collector's,
    which names its words as the reason.
    """
    if piece.state not in (WHOLE, FILTERED):
        return False
    words = piece.terms
    if not words and piece.reason and piece.reason.startswith(_KEPT):
        words = tuple(piece.reason[len(_KEPT) :].split(", "))
    if not words:
        return piece.state == WHOLE
    if piece.ignore_case:
        return any(word.lower() in text.lower() for word in words)
    return any(word in text for word in words)
