"""Where lines may end in text with wide characters (Chinese, Japanese, Korean), which has no blanks between words.

After the common core of the requirements for Chinese text layout (W3C clreq, "Prohibition rules for line start and
line end"): a closing mark begins no line, an opening mark ends none.
"""

from __future__ import annotations

from itertools import pairwise

from rich.cells import cell_len, chop_cells

# What stands before it stays with it, as do figures and words that it closes.
CLOSING = frozenset("，。、；：？！）》」』】〉”’…—～·％,.;:?!)]}%")
OPENING = frozenset("（《「『【〈“‘([{")


def breaks(line: str, width: int) -> list[int]:
    """The offsets at which `line` is divided into lines of at most `width` cells; none in a word that fits.

    >>> breaks("重启进入 BIOS 设置。", 10)
    [5, 11]
    >>> breaks("中断重映射。", 10), breaks("abcdef", 4)
    ([4], [4])
    """
    found: list[int] = []
    used = 0
    at = 0
    for piece in _pieces(line):
        size, kept = cell_len(piece), cell_len(piece.rstrip())
        if used and used + kept > width:
            found.append(at)
            used = 0
        if kept > width:  # nothing else helps: it is cut where the line is full
            parts = chop_cells(piece, width)
            for part in parts[:-1]:
                at += len(part)
                found.append(at)
            piece, size = parts[-1], cell_len(parts[-1])
        at += len(piece)
        used += size
    return found


def folded(line: str, width: int) -> list[str]:
    """`line` in lines of at most `width` cells, without blanks at their ends; one empty line for nothing."""
    ends = [0, *breaks(line, width), len(line)]
    return [line[start:end].rstrip() for start, end in pairwise(ends)]


def _pieces(line: str) -> list[str]:
    """The parts of a line between which it may be divided, blanks at their ends."""
    pieces, start = [], 0
    for at in range(1, len(line)):
        if _divides(line[at - 1], line[at]):
            pieces.append(line[start:at])
            start = at
    return [*pieces, line[start:]] if line else []


def _divides(before: str, after: str) -> bool:
    if after == " " or before in OPENING or (after in CLOSING and before != " "):
        return False
    return before == " " or cell_len(before) == 2 or cell_len(after) == 2 or after in "“‘（"
