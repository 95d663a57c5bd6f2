"""What all ACPI tables have in common: the header, and structures one after another, each with its own length.

Source: ACPI specification 6.5, section 5.2.6 (system description table header). Tables are written by firmware and
may lie: a walk ends at the first structure that has no length or passes the end of what it is in.

>>> data = seal(b"DMAR" + bytes(32) + b"\\x05\\x04ab\\x05\\x00")
>>> found, end, defects = header(data, b"DMAR")
>>> found.signature, found.length, found.checksum_ok, end, defects
('DMAR', 42, True, 42, [])
>>> list(walk(data, HEADER, end, Shape("entry", 1, 1, 1, 2), defects)), defects
([(36, 5, 4)], [Defect(offset=40, what='entry of type 5 has length 0', ends=True)])
"""

from __future__ import annotations

from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = 36  # bytes
_LENGTH, _CHECKSUM = 4, 9  # offsets


class Header(NamedTuple):
    """The header. `length` is what the table says; `checksum_ok` is None where not all of it was read."""

    signature: str
    length: int
    revision: int
    checksum_ok: bool | None
    oem_id: str
    oem_table_id: str
    oem_revision: int
    compiler: str


class Defect(NamedTuple):
    """What is wrong at an offset in bytes; `ends` if something after it could not be read for it."""

    offset: int
    what: str
    ends: bool = False


class Shape(NamedTuple):
    """How a structure begins: its name, bytes of its type, offset and bytes of its length, bytes that it has at least.

    The type is at its very beginning.
    """

    name: str
    kind_size: int
    length_at: int
    length_size: int
    least: int


def number(data: bytes, at: int, size: int) -> int:
    """The little-endian number of `size` bytes at `at`; what lies beyond the end reads as zero."""
    return int.from_bytes(data[at : at + size], "little")


def words(data: bytes) -> str:
    """A text field: what precedes its first NUL, without blanks; what is not printable ASCII is shown as "?".

    >>> words(b"AMD \\x00x"), words(b"a\\xffb")
    ('AMD', 'a?b')
    """
    return "".join(chr(one) if 32 <= one < 127 else "?" for one in data.partition(b"\0")[0]).strip()


def seal(data: bytes) -> bytes:
    """A table with its length and checksum set to what they must be; `data` has a header's 36 bytes at least."""
    made = bytearray(data)
    made[_LENGTH : _LENGTH + 4] = len(made).to_bytes(4, "little")
    made[_CHECKSUM] = 0
    made[_CHECKSUM] = -sum(made) & 0xFF
    return bytes(made)


def header(data: bytes, signature: bytes, least: int = HEADER) -> tuple[Header | None, int, list[Defect]]:
    """The header, the offset of the table's end, and what is wrong; None if it is no such table.

    `least`: bytes of the header together with the fields that such a table always has.
    """
    if data[:4] != signature:
        return None, 0, [Defect(0, f"the signature is not {signature.decode('ascii')}", True)]
    if len(data) < least:
        return None, 0, [Defect(len(data), f"the table ends in its header, which takes {least} bytes", True)]
    defects: list[Defect] = []
    length = number(data, _LENGTH, 4)
    checksum: bool | None = None
    if length < least:
        defects.append(Defect(_LENGTH, f"the length of the table is {length}, its header alone takes {least}", True))
    elif length > len(data):
        defects.append(Defect(len(data), f"{len(data)} of the {length} bytes of the table were read", True))
    else:
        checksum = sum(data[:length]) & 0xFF == 0
        if not checksum:
            defects.append(Defect(_CHECKSUM, "the checksum does not fit"))
        if length < len(data):
            defects.append(Defect(_LENGTH, f"the length of the table is {length}, yet {len(data)} bytes were read"))
    found = Header(
        signature.decode("ascii"), length, data[8], checksum, words(data[10:16]), words(data[16:24]),
        number(data, 24, 4), words(data[28:32]),
    )  # fmt: skip
    return found, max(min(length, len(data)), least), defects


def walk(data: bytes, at: int, end: int, shape: Shape, defects: list[Defect]) -> Iterator[tuple[int, int, int]]:
    """Offset, type and length of each structure from `at` up to `end`; what is wrong is added to `defects`."""
    while at < end:
        if at + shape.least > end:
            defects.append(Defect(at, f"{end - at} bytes are too few for the {shape.name} that begins here", True))
            return
        kind, length = number(data, at, shape.kind_size), number(data, at + shape.length_at, shape.length_size)
        if length < shape.least:
            defects.append(Defect(at, f"{shape.name} of type {kind} has length {length}", True))
            return
        if at + length > end:
            past = f"{shape.name} of type {kind} has length {length} and passes the end by {at + length - end} bytes"
            defects.append(Defect(at, past, True))
            return
        yield at, kind, length
        at += length
