"""Bytes of a paste to clean lines that keep their numbers."""

from __future__ import annotations

from doctor.evidence.margin import strip
from doctor.evidence.types import Line
from doctor.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_ANSI = later(r"\x1b(?:\[[0-9;?]{0,20}[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[()][A-Z0-9])")
# str.splitlines() would end a line at these, and every later citation would be wrong by one.
BREAKS = str.maketrans(dict.fromkeys("\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029", " "))
_BLANKS = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f"
_NOTHING = "\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\ufeff\r\0"
_ODD: dict[int, str | None] = {
    **BREAKS,
    **{ord(character): " " for character in _BLANKS},
    **{ord(character): None for character in _NOTHING},
}
_SHORTEST = 8  # bytes of which that can be said
_HEAD = 4096  # bytes by which an encoding without a mark is told


def decode(data: bytes) -> str:
    """Text of a file that may be UTF-8 with broken bytes, or UTF-16 with a byte order mark or mostly plain.

    >>> decode("\ufeffDMAR".encode("utf-16-le")), decode(b"caf\\xe9"), decode("DMAR: IOMMU".encode("utf-16-be"))
    ('DMAR', 'caf\\ufffd', 'DMAR: IOMMU')
    """
    wide = wide_encoding(data)
    if wide is not None:
        return data.decode(wide, "replace").lstrip("\ufeff")
    return data.decode("utf-8-sig", "replace")


def wide_encoding(data: bytes) -> str | None:
    """The UTF-16 that a text is in: by its mark, or because every other byte of plain words is 0."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    head = data[:_HEAD]
    if b"\0" not in head or len(head) < _SHORTEST:
        return None
    even, odd, half = head[::2].count(0), head[1::2].count(0), len(head) // 2
    if odd * 10 >= half * 6 and even * 50 <= half:
        return "utf-16-le"
    return "utf-16-be" if even * 10 >= half * 6 and odd * 50 <= half else None


def uncoloured(text: str) -> str:
    """A text without a terminal's colours and titles.

    >>> uncoloured("\\x1b[01;31m\\x1b[KDMAR\\x1b[m\\x1b[K: x")
    'DMAR: x'
    """
    return _ANSI.sub("", text)


def lines(text: str) -> Iterator[Line]:
    """The lines of a paste without colours, odd blanks and quote marks; numbers count from 1.

    >>> list(lines("> \\x1b[32mroot@pve\\x1b[0m:~# ls\\r\\n> vfio"))
    [Line(number=1, text='root@pve:~# ls'), Line(number=2, text='vfio')]
    """
    if "\x1b" in text:
        text = uncoloured(text)
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_ODD)
    rows = text.split("\n")
    strip(rows)
    for number, row in enumerate(rows, 1):
        yield Line(number, row.rstrip())
