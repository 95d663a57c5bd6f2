"""Make visible what evidence could hide: control characters, overrides of direction, empty letters.

A report shows words that strangers wrote. None of them may move a cursor, turn a line round or look like
a line of the report's own.
"""

from __future__ import annotations

from typing import Any, TypeVar

# Printable by their category, and yet nothing is seen: fillers, joiners and selectors of variants.
_EMPTY = frozenset(
    map(
        chr,
        (
            0x034F,
            0x115F,
            0x1160,
            0x17B4,
            0x17B5,
            *range(0x180B, 0x1810),
            0x2800,
            0x3164,
            *range(0xFE00, 0xFE10),
            0xFFA0,
            *range(0xE0100, 0xE01F0),
        ),
    )
)

# Written in letters: Unicode's pictures of control characters are missing from many fonts.
_NAMES = {0: "NUL", 7: "BEL", 8: "BS", 10: "LF", 13: "CR", 27: "ESC", 127: "DEL"}

# Fields that may hold several lines; everywhere else a line end comes from evidence and is shown.
_SEVERAL_LINES = frozenset(("commands", "undo", "verify", "diff", "before", "after"))
_PROSE = frozenset(("summary", "note", "detail", "why", "risk", "headline", "notes", "because", "resolved", "reason"))

Anything = TypeVar("Anything")


def visible(text: str, keep: str = "") -> str:
    r"""`text` with every invisible character written out, those in `keep` excepted.

    >>> visible("\x1b[31mred\u202e \x7f\x85 plain")
    '‹ESC›[31mred‹U+202E› ‹DEL›‹U+0085› plain'
    >>> visible("one\ntwo"), visible("one\ntwo", keep="\n")
    ('one‹LF›two', 'one\ntwo')
    """
    if text.isprintable() and (text.isascii() or _EMPTY.isdisjoint(text)):
        return text
    return "".join(
        char if char in keep or (char.isprintable() and char not in _EMPTY) else _symbol(char) for char in text
    )


def _symbol(char: str) -> str:
    code = ord(char)
    if code == 0x09:
        return " "  # a tab is only wide
    return f"‹{_NAMES.get(code) or f'U+{code:04X}'}›"


def visible_everywhere(value: Anything) -> Anything:
    """A copy of a report, or of a part of one, in which every text is made visible."""
    copy: Anything = _copy(value, "")
    return copy


def _copy(value: Any, field: str) -> Any:
    if isinstance(value, str):
        if field in _PROSE:
            return visible(" ".join(value.split("\n")).strip())
        return visible(value.strip("\n"), keep="\n\t") if field in _SEVERAL_LINES else visible(value)
    if isinstance(value, dict):
        return {key: _copy(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item, field) for item in value]
    return value
