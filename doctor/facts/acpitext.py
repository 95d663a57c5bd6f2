"""ACPI tables in text, back to bytes: acpidump, xxd, hexdump, od with hexadecimal bytes, and iasl's disassembly.

Sources: acpica source/tools/acpidump and source/common/dmtable.c (`[HexOffset DecimalOffset ByteLength] Name : Value`,
numbers most significant digit first, and the bytes under "Raw Table Data"), xxd(1), hexdump(1), od(1).

>>> rows = ["DMAR @ 0x0000000000000000", "    0000: 44 4D 41 52 30 00 00 00 01 3F 49 4E 54 45 4C 20  DMAR0....?INTEL "]
>>> (found,) = dumps(enumerate(rows))
>>> found.name, found.data[:6], found.place(3), found.gap
('DMAR', b'DMAR0\\x00', 1, False)
>>> dumps(enumerate(["00000000: 4956 5253 d000 0000 02                   IVRS....."]))[0].data
b'IVRS\\xd0\\x00\\x00\\x00\\x02'
>>> dumps(enumerate(['[000h 0000   4]   Signature : "DMAR"    [DMA Remapping table]',
...     "[004h 0004 004h]   Table Length : 000000A8"]))[0].data
b'DMAR\\xa8\\x00\\x00\\x00'
"""

from __future__ import annotations

from bisect import bisect_right

from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

NAMES = ("DMAR", "IVRS", "APIC")
LARGEST = 1 << 20  # bytes of a table
_OCTAL = frozenset("01234567")
_LONGEST = 400  # characters of a line that is looked at
_HEX = frozenset("0123456789abcdefABCDEF")
_PADDING = 8  # bytes, the most after a name
_ROW = 16  # bytes, the most in a line of any of these tools


class Dump(NamedTuple):
    """A table's bytes, at which offset each line of the text begins and the line's key as the caller gave it.

    `gap`: bytes are missing between lines, so that what came after them was left out. `told`: put together from what
    iasl says in words, which leaves out what no person can read, so that the checksum proves nothing.
    """

    name: str
    data: bytes
    offsets: tuple[int, ...]
    keys: tuple[int, ...]
    gap: bool
    told: bool = False

    def place(self, offset: int) -> int:
        """The key of the line that holds the byte at `offset`, or of the last one."""
        return self.keys[max(bisect_right(self.offsets, offset) - 1, 0)]


class _Table:
    """A table that grows line by line."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.offsets: list[int] = []
        self.keys: list[int] = []
        self.gap = False

    def add(self, data: bytes, key: int) -> None:
        """More bytes at the end."""
        if len(self.data) + len(data) > LARGEST:
            self.gap = True
            return
        self.offsets.append(len(self.data))
        self.keys.append(key)
        self.data += data

    def fill(self, end: int) -> None:
        """The last line's bytes again and again up to `end`, for which these tools print a star."""
        last = bytes(self.data[-_ROW:])
        if len(last) == _ROW and len(self.data) < end <= LARGEST:
            self.data += last * ((end - len(self.data)) // _ROW)

    def dump(self) -> Dump | None:
        """The table, if it is one of those wanted."""
        name = self.data[:4].decode("ascii", "replace")
        if name not in NAMES:
            return None
        return Dump(name, bytes(self.data), tuple(self.offsets), tuple(self.keys), self.gap)


def dumps(lines: Iterable[tuple[int, str]]) -> list[Dump]:
    """The tables that `lines` (each with a key, ascending) show, in their order.

    What iasl says in words is used only of tables whose bytes are not there too. Never raises.
    """
    rows, fields = _Rows(), _Fields()
    for key, text in lines:
        text = text[:_LONGEST].strip()
        if text[:1] == "[":
            fields.take(key, text)
        elif text == "*":
            rows.star = True
        elif text[4:9] == " @ 0x":
            rows.current = None  # whatever follows is another table's
        elif text[:1] in _HEX:
            rows.take(key, text)
    found = [dump for table in rows.tables for dump in [table.dump()] if dump is not None]
    named = {dump.name for dump in found}
    told = [dump for table in fields.tables for dump in [table.dump()] if dump is not None]
    return [*found, *[_padded(dump)._replace(told=True) for dump in told if dump.name not in named]]


def _padded(dump: Dump) -> Dump:
    """A table with the last name's padding, which iasl does not print."""
    missing = int.from_bytes(dump.data[4:8], "little") - len(dump.data)
    return dump._replace(data=dump.data + bytes(missing)) if 0 < missing <= _PADDING and not dump.gap else dump


class _Rows:
    """Lines of an offset and the bytes there."""

    def __init__(self) -> None:
        self.tables: list[_Table] = []
        self.current: _Table | None = None
        self.star = False

    def take(self, key: int, text: str) -> None:
        """One line."""
        parsed = _row(text)
        if parsed is None:
            return
        offset, data = parsed
        star, self.star = self.star, False
        if int(offset, 16) == 0 and data:
            self.current = _Table()
            self.tables.append(self.current)
        table = self.current
        if table is None or table.gap:
            return
        if star:
            table.fill(int(offset, 16))
        if not data and len(table.data) - 1 in (int(offset, 16), _octal(offset)):
            del table.data[-1:]  # half of a word: the dump's last line has the true length
            return
        if len(table.data) == int(offset, 16) or _octal(offset) == len(table.data):
            table.add(data, key)
        elif data and len(table.data) < int(offset, 16):
            table.gap = True


def _octal(text: str) -> int:
    """The number that od prints; -1 if it is none."""
    return int(text, 8) if _OCTAL.issuperset(text) else -1


def _row(text: str) -> tuple[str, bytes] | None:
    """The offset's digits and the bytes of a line; None if it is no line of a dump. No bytes: the end's offset.

    >>> _row("00000010  01 3f 49 4e 54 45 4c 20  53 4b  |.?INTEL SK|"), _row("0000000 4d44 5241")
    (('00000010', b'\\x01?INTEL SK'), ('0000000', b'DMAR'))
    >>> _row("0000: 44 4D 41 52 // DMAR"), _row("000000a8"), _row("2024 was a year")
    (('0000', b'DMAR'), ('000000a8', b''), None)
    """
    offset, _, rest = text.partition(" ")
    colon = offset.endswith(":")
    offset = offset.rstrip(":")
    if not (4 if colon else 6) <= len(offset) <= 8 or not _HEX.issuperset(offset):
        return None
    # Two blanks divide bytes from letters, but hexdump -C has them in the middle and bars around the letters.
    rest = rest.partition("|")[0] if "|" in rest[40:62] and not colon else rest.lstrip().partition("  ")[0]
    words: list[str] = []
    for word in rest.split():
        if not _HEX.issuperset(word) or len(word) not in (2, 4, 8) or len(words) == _ROW:
            break
        words.append(word)
    if rest.split() and not words:
        return None
    width = len(words[0]) if words else 2
    swapped = not colon and width == 4  # hexdump and od print words of this machine's
    data = b"".join(
        bytes.fromhex(word)[::-1] if swapped else bytes.fromhex(word)
        for at, word in enumerate(words)
        if len(word) == width or (at > 0 and len(word) < width)
    )
    return offset, data[:_ROW]


class _Fields:
    """Lines of iasl's disassembly."""

    def __init__(self) -> None:
        self.tables: list[_Table] = []
        self.named = False  # whether the last field is a name, which padding may follow

    def take(self, key: int, text: str) -> None:
        """One line: `[024h 0036   1]           Host Address Width : 26`."""
        place, bracket, rest = text[1:].partition("]")
        words = place.split()
        value = rest.partition(" : ")[2].strip()
        if not bracket or len(words) != 3 or not value:
            return
        offset = _number(words[0], 16)
        size = _number(words[2], 16 if words[2].endswith("h") else 10)
        if offset is None or size is None or not 0 < size <= 255:
            return
        if offset == 0 and value.startswith('"'):
            self.tables.append(_Table())
        table = self.tables[-1] if self.tables else None
        if table is None or table.gap or offset < len(table.data):
            return
        data = _value(value, size)
        if self.named and 0 < offset - len(table.data) <= _PADDING:
            table.data += bytes(offset - len(table.data))
        if data is None or offset > len(table.data):
            table.gap = True
        else:
            table.add(data, key)
        self.named = value.startswith('"')


def _number(text: str, base: int) -> int | None:
    digits = text.removesuffix("h")
    allowed = _HEX if base == 16 else frozenset("0123456789")
    return int(digits, base) if 0 < len(digits) < 9 and allowed.issuperset(digits) else None


def _value(text: str, size: int) -> bytes | None:
    """The bytes of a field: a text in quotes, bytes apart, or a number; None if it is none of them.

    >>> _value('"INTEL "', 8), _value("1F,07", 2), _value("00 0A 00", 3), _value("FED64000 [x]", 8)
    (b'INTEL \\x00\\x00', b'\\x1f\\x07', b'\\x00\\n\\x00', b'\\x00@\\xd6\\xfe\\x00\\x00\\x00\\x00')
    """
    if text.startswith('"'):
        inner = text[1:].rpartition('"')[0].encode("latin-1", "replace")
        return inner[:size].ljust(size, b"\0")
    words = text.partition("[")[0].replace(",", " ").split()
    if not words or not all(_HEX.issuperset(word) for word in words):
        return None
    if len(words) > 1:
        apart = len(words) == size and all(len(word) == 2 for word in words)
        return bytes.fromhex("".join(words)) if apart else None
    return int(words[0], 16).to_bytes(size, "little") if len(words[0]) <= 2 * size and size <= 16 else None
