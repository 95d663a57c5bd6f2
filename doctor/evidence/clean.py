"""Bytes of a paste to clean lines that keep their numbers."""

from __future__ import annotations

import re

from doctor.evidence.types import Line

_ANSI = re.compile(r"\x1b(?:\[[0-9;?]{0,20}[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[()][A-Z0-9])")
# str.splitlines() would end a line at these, and every later citation would be wrong by one.
BREAKS = str.maketrans(dict.fromkeys("\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029", " "))
_ODD = {**BREAKS, **str.maketrans({"\u00a0": " ", "\u200b": None, "\ufeff": None, "\r": None, "\0": None})}
_QUOTE = re.compile(r"\s{0,3}(?:>\s?){1,5}")


def decode(data: bytes) -> str:
    """Text of a file that may be UTF-8 with broken bytes or UTF-16 with a byte order mark.

    >>> decode("\ufeffDMAR".encode("utf-16-le")), decode(b"caf\\xe9")
    ('DMAR', 'caf\\ufffd')
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace").lstrip("\ufeff")
    return data.decode("utf-8-sig", "replace")


def lines(text: str) -> list[Line]:
    """The lines of a paste without colours, odd blanks and quote marks; numbers count from 1.

    >>> lines("> \\x1b[32mroot@pve\\x1b[0m:~# ls\\r\\n> vfio")
    [Line(number=1, text='root@pve:~# ls'), Line(number=2, text='vfio')]
    """
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    rows = text.replace("\r\n", "\n").replace("\r", "\n").translate(_ODD).split("\n")
    filled = [row for row in rows if row.strip()]
    quoted = sum(1 for row in filled if row.lstrip().startswith(">"))
    if filled and quoted * 10 >= len(filled) * 6:
        rows = [_QUOTE.sub("", row, count=1) for row in rows]
    return [Line(number, row.rstrip()) for number, row in enumerate(rows, 1)]
