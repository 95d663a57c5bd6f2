"""Private values in bytes and in dumps of bytes: config space as `lspci -xxxx` shows it, xxd, hexdump, od.

A PCI Express device may have a serial number, which of a network card often is its MAC address: the Device
Serial Number Extended Capability (id 0003h; PCI Express Base Specification, section 7.9.3). The other texts
in bytes are overwritten where they are private, for they must not change their length.
"""

import re
from typing import TYPE_CHECKING, List, Match, NamedTuple

from .redact_look import Look, Seen

if TYPE_CHECKING:
    from .redact import Redactor

__all__ = ["binary", "config_space", "redact"]

_SERIAL_CAPABILITY = 0x0003
_ROW = Look(
    r"(?P<head>[ \t>]{0,8}(?P<at>[0-9a-fA-F]{2,8})(?P<colon>:?)(?: {1,2}|\t))"
    r"(?P<bytes>[0-9a-fA-F]{2}(?:[0-9a-fA-F]{2}| {1,2}[0-9a-fA-F]{2}){0,15})"
    r"(?P<rest>(?: {1,40}\|?[\x20-\x7e]{1,17})?\s*)",
    shapes=("hh: hh", "hh:  hh", "hh:\thh", "hh hh", "hh  hh", "hh\thh"),
)
_TEXT = re.compile(rb"[\t\x20-\x7e]{6,}")
_WIDE = re.compile(rb"(?:[\t\x20-\x7e]\0){6,}")
_PAIR = Look(r"[0-9a-fA-F]{2}")


class _Line(NamedTuple):
    number: int
    match: Match[str]
    data: bytes


def redact(seen: Seen, redactor: "Redactor") -> Seen:
    """Return the text with what is private in its dumps replaced, digit for digit."""
    if not seen.may(_ROW):
        return seen
    lines = seen.data.split("\n")
    changed = False
    block: List[_Line] = []
    for index, line in enumerate(lines):
        match = _ROW.pattern.fullmatch(line) if line[:12].strip()[:2].isalnum() and len(line) < 120 else None
        row = _Line(index, match, bytes.fromhex(match.group("bytes").replace(" ", ""))) if match else None
        if (
            row
            and block
            and int(row.match.group("at"), 16) - int(block[-1].match.group("at"), 16) == len(block[-1].data)
        ):
            block.append(row)
            continue
        changed = _replace(lines, block, redactor) or changed
        block = [row] if row else []
    changed = _replace(lines, block, redactor) or changed
    return seen.again("\n".join(lines)) if changed else seen


def _replace(lines: List[str], block: List[_Line], redactor: "Redactor") -> bool:
    if not block or sum(len(row.data) for row in block) < 16:
        return False
    first = block[0].match
    digits = first.group("bytes")
    # `hexdump` without -C shows numbers of two bytes, the low byte of which comes first on a PC.
    swapped = (
        not first.group("colon") and len(first.group("at")) == 7 and " " in digits and len(digits.split(" ")[0]) == 4
    )
    old = b"".join(_swap(row.data) if swapped else row.data for row in block)
    new = config_space(old, redactor) if not int(first.group("at"), 16) and len(old) in (256, 4096) else old
    new = binary(new, redactor)
    if new == old:
        return False
    at = 0
    for row in block:
        part = new[at : at + len(row.data)]
        at += len(row.data)
        lines[row.number] = _written(row.match, row.data, _swap(part) if swapped else part)
    return True


def _swap(data: bytes) -> bytes:
    return b"".join(data[at : at + 2][::-1] for at in range(0, len(data), 2))


def _written(match: Match[str], old: bytes, new: bytes) -> str:
    pairs = iter(new)
    digits = _PAIR.pattern.sub(lambda pair: "{:02x}".format(next(pairs)), match.group("bytes"))
    rest = match.group("rest")
    shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in old)
    return match.group("head") + digits + rest.replace(shown, "".join(chr(b) if 32 <= b < 127 else "." for b in new))


def binary(data: bytes, redactor: "Redactor") -> bytes:
    """Return the bytes DATA with the texts in them overwritten that hold something private."""
    data = _WIDE.sub(lambda match: _mask(match.group()[::2], redactor, wide=True), data)
    return _TEXT.sub(lambda match: _mask(match.group(), redactor), data)


def _mask(run: bytes, redactor: "Redactor", wide: bool = False) -> bytes:
    text = run.decode("ascii")
    new = redactor.text(text)
    if new != text and len(new) != len(text):
        new = ("REDACTED" * (len(text) // 8 + 1))[: len(text)]
    return "".join(char + "\0" * wide for char in new).encode("ascii", "replace")


def config_space(data: bytes, redactor: "Redactor") -> bytes:
    """Return a PCI function's config space DATA with its Device Serial Number replaced.

    Extended capabilities form a list from 0x100 on: id in bits 0-15, next offset in bits 20-31 (PCI Express
    Base Specification, section 7.6.3). The number is an EUI-64, its last byte first; lspci shows it from the
    first one on, and gets the same stand-in.
    """
    at, seen = 0x100, 0
    while 0x100 <= at <= len(data) - 12 and seen < 960:
        header = int.from_bytes(data[at : at + 4], "little")
        if header & 0xFFFF == _SERIAL_CAPABILITY:
            number = data[at + 4 : at + 12]
            if number.strip(b"\0") and number.strip(b"\xff"):
                new = bytes.fromhex(redactor.hexes("wwn", number[::-1].hex()))[::-1]
                data = data[: at + 4] + new + data[at + 12 :]
        at = (header >> 20) & 0xFFC
        seen += 1
    return data
