"""The I/O virtualization table of AMD's firmware: bytes in, typed blocks out.

Sources: AMD I/O Virtualization Technology specification 48882, chapter 5; linux drivers/iommu/amd/init.c
(get_highest_supported_ivhd_type, ivhd_entry_length, init_iommu_from_acpi, init_unity_map_range). A firmware may tell
of one IOMMU in several blocks of different types; the kernel reads those of one type only (`Ivrs.target`).

>>> from doctor.facts.acpiheader import seal
>>> entries = bytes.fromhex("03 0800 00" "04 feff 00" "48 0000 d7 21 a000 01")
>>> block = bytes.fromhex("10 b0 2800 0200 4000 000020fd00000000 0000 0000 00000000") + entries
>>> table = read(seal(b"IVRS" + bytes(32) + bytes.fromhex("41302000") + bytes(8) + block))
>>> table.efr, table.protected, table.physical, table.virtual, hex(table.target), table.defects
(True, False, 48, 64, '0x10', ())
>>> [(one.kind, one.first, one.last, one.handle, one.variety) for one in table.units[0].entries]
[('range', 8, 65534, None, None), ('special', 160, 160, 33, 'ioapic')]
"""

from __future__ import annotations

from doctor.facts.acpiheader import Defect, Header, Shape, header, number, walk, words
from doctor.record import NamedTuple

_LEAST = 48  # bytes before the first block
_BLOCK = Shape("block", 1, 2, 2, 4)
_ENTRIES_AT = {0x10: 24, 0x11: 40, 0x40: 40}
_MEMORY = {0x20: "all", 0x21: "one", 0x22: "range"}
_MEMORY_LENGTH = 32
_NEWEST = 0x40  # the last type that the kernel looks at
_PAD, _ALL, _SELECT, _START, _END = 0, 1, 2, 3, 4
_ALIAS, _ALIAS_START, _EXTENDED, _EXTENDED_START, _SPECIAL, _HID = 0x42, 0x43, 0x46, 0x47, 0x48, 0xF0
_STARTS = {_START: "range", _ALIAS_START: "alias range", _EXTENDED_START: "extended range"}
_SINGLES = {_SELECT: "select", _ALIAS: "alias", _EXTENDED: "extended", _SPECIAL: "special", _HID: "acpi hid"}
_VARIETIES = {1: "ioapic", 2: "hpet"}
_HID_LENGTH = 22
LAST = 0xFFFF  # of the numbers of functions in a segment


class Entry(NamedTuple):
    """The functions `first` to `last`, as numbers of 16 bits: bus, device, function.

    `alias`: the function whose requests theirs look like. `handle` and `variety`: of a special one, the IOAPIC's
    APIC id or the HPET's number. `hid` and `uid`: of a device that only ACPI knows.
    """

    offset: int
    kind: str
    first: int
    last: int
    flags: int
    alias: int | None = None
    handle: int | None = None
    variety: str | None = None
    hid: str | None = None
    uid: str | None = None


class Unit(NamedTuple):
    """IVHD: the IOMMU that is the function `device`, its registers at `base`, what it translates for.

    `features` is the older field of 32 bits; `efr` and `efr2` are images of the two feature registers, None in a
    block of type 10h.
    """

    offset: int
    type: int
    flags: int
    device: int
    capability: int
    base: int
    segment: int
    info: int
    features: int
    efr: int | None
    efr2: int | None
    entries: tuple[Entry, ...]


class Memory(NamedTuple):
    """IVMD: memory of the functions `first` to `last`: first and last byte. `unity`: mapped to itself.

    `exclusion`: not translated, which the kernel treats as mapped to itself.
    """

    offset: int
    type: int
    segment: int
    first: int
    last: int
    start: int
    end: int
    unity: bool
    readable: bool
    writable: bool
    exclusion: bool


class Other(NamedTuple):
    """A block of a type that is not known."""

    offset: int
    type: int
    length: int


Block = Unit | Memory | Other


class Ivrs(NamedTuple):
    """The table; no header and no `info` where it ended before that."""

    header: Header | None
    info: int | None
    blocks: tuple[Block, ...]
    target: int | None
    defects: tuple[Defect, ...]

    @property
    def units(self) -> tuple[Unit, ...]:
        """Its IVHDs, of all types."""
        return tuple(one for one in self.blocks if isinstance(one, Unit))

    @property
    def memory(self) -> tuple[Memory, ...]:
        """Its IVMDs."""
        return tuple(one for one in self.blocks if isinstance(one, Memory))

    @property
    def complete(self) -> bool:
        """Whether all of it was read."""
        return not any(defect.ends for defect in self.defects)

    def _bits(self, first: int, bits: int) -> int | None:
        return None if self.info is None else self.info >> first & (1 << bits) - 1

    @property
    def efr(self) -> bool | None:
        """Whether the feature registers are there."""
        return None if self.info is None else bool(self._bits(0, 1))

    @property
    def protected(self) -> bool | None:
        """Whether the firmware kept devices from memory until it handed over."""
        return None if self.info is None else bool(self._bits(1, 1))

    @property
    def physical(self) -> int | None:
        """Bits of a physical address."""
        return self._bits(8, 7)

    @property
    def virtual(self) -> int | None:
        """Bits of a virtual address."""
        return self._bits(15, 7)

    @property
    def ats_reserved(self) -> bool | None:
        """Whether ATS answers in HyperTransport's address range are reserved."""
        return None if self.info is None else bool(self._bits(22, 1))


def function(device: int, segment: int = 0) -> str:
    """The address of a function by its number of 16 bits.

    >>> function(0xA0), function(0x0102, 1)
    ('0000:00:14.0', '0001:01:00.2')
    """
    return f"{segment:04x}:{device >> 8 & 0xFF:02x}:{device >> 3 & 31:02x}.{device & 7}"


def read(data: bytes) -> Ivrs:
    """The table in `data`. Never raises: what is wrong is in `defects`."""
    found, end, defects = header(data, b"IVRS", _LEAST)
    if found is None:
        return Ivrs(None, None, (), None, tuple(defects))
    walked = list(walk(data, _LEAST, end, _BLOCK, defects))
    blocks = [_one(data, *one, defects) for one in walked]
    defects.sort(key=lambda defect: defect.offset)
    return Ivrs(found, number(data, 36, 4), tuple(blocks), _target(data, walked), tuple(defects))


def _target(data: bytes, walked: list[tuple[int, int, int]]) -> int | None:
    """The type of the blocks that the kernel reads: of those about the first block's function, the last one's.

    A type above 40h ends its search.
    """
    target = first = None
    for at, kind, _ in walked:
        device = number(data, at + 4, 2)
        if first is None:
            target, first = kind, device
        if kind > _NEWEST:
            break
        if device == first:
            target = kind
    return target


def _one(data: bytes, at: int, kind: int, length: int, defects: list[Defect]) -> Block:
    entries_at = _ENTRIES_AT.get(kind)
    least = entries_at or (_MEMORY_LENGTH if kind in _MEMORY else 0)
    if not least:
        return Other(at, kind, length)
    if length < least:
        name = "IVHD" if entries_at else "IVMD"
        defects.append(Defect(at, f"{name} of type {kind:x}h has length {length}, its fields alone take {least}", True))
        return Other(at, kind, length)
    if not entries_at:
        return _memory(data, at, kind, defects)
    long = entries_at == 40
    base = number(data, at + 8, 8)
    if base == 0:
        defects.append(Defect(at + 8, f"IVHD of type {kind:x}h has its registers at address zero"))
    return Unit(
        at, kind, data[at + 1], number(data, at + 4, 2), number(data, at + 6, 2), base, number(data, at + 16, 2),
        number(data, at + 18, 2), number(data, at + 20, 4), number(data, at + 24, 8) if long else None,
        number(data, at + 32, 8) if long else None, _Entries(data, at + length, defects).read(at + entries_at),
    )  # fmt: skip


def _memory(data: bytes, at: int, kind: int, defects: list[Defect]) -> Memory:
    first, extra, flags = number(data, at + 4, 2), number(data, at + 6, 2), data[at + 1]
    start, size = number(data, at + 16, 8), number(data, at + 24, 8)
    last = {0x20: LAST, 0x21: first, 0x22: extra}[kind]
    first = 0 if kind == 0x20 else first
    if last < first:
        defects.append(Defect(at + 4, f"IVMD for {function(first)} to {function(last)}, which is no range"))
    if size == 0 or start + size > 1 << 64:
        defects.append(Defect(at + 16, f"IVMD of {size:#x} bytes at {start:#x}"))
    return Memory(
        at, kind, number(data, at + 8, 2), first, last, start, max(start, start + size - 1), bool(flags & 1),
        bool(flags & 2), bool(flags & 4), bool(flags & 8),
    )  # fmt: skip


class _Entries:
    """Reads the device entries of one IVHD."""

    def __init__(self, data: bytes, end: int, defects: list[Defect]) -> None:
        self.data, self.end, self.defects = data, end, defects
        self.open: Entry | None = None  # a range whose end has not come yet

    def read(self, at: int) -> tuple[Entry, ...]:
        """The entries from `at` on. A bad one ends them, not the table: the block's length is known."""
        found: list[Entry] = []
        while at < self.end:
            kind = self.data[at]
            length = self._length(at, kind)
            if length is None:
                break
            entry = self._entry(at, kind)
            found += [entry] if entry is not None else []
            at += length
        self._unclosed()
        return tuple(found)

    def _length(self, at: int, kind: int) -> int | None:
        """The bytes of the entry at `at`; None if that cannot be told or they pass the block's end."""
        length: int | None = 4 << (kind >> 6)
        if kind == _HID:
            length = _HID_LENGTH + self.data[at + 21] if at + 21 < self.end else _HID_LENGTH
        elif kind > _HID:
            self.defects.append(Defect(at, f"device entry of unknown type {kind:x}h, whose length is not known", True))
            return None
        elif kind >= 0x80:
            self.defects.append(Defect(at, f"device entry of unknown type {kind:x}h", True))
        if length is not None and at + length > self.end:
            self.defects.append(Defect(at, f"device entry of type {kind:x}h passes the end of its block", True))
            return None
        return length

    def _entry(self, at: int, kind: int) -> Entry | None:
        device, flags = number(self.data, at + 1, 2), self.data[at + 3]
        if kind == _PAD:
            return None
        if kind == _ALL:
            return Entry(at, "all", 0, LAST, flags)
        if kind in _STARTS:
            self._unclosed()
            alias = number(self.data, at + 5, 2) if kind == _ALIAS_START else None
            self.open = Entry(at, _STARTS[kind], device, device, flags, alias)
            return None
        if kind == _END:
            return self._close(at, device)
        if kind not in _SINGLES:
            if kind < 0x80:
                self.defects.append(Defect(at, f"device entry of unknown type {kind:x}h"))
            return None
        made = Entry(at, _SINGLES[kind], device, device, flags)
        if kind == _ALIAS:
            return made._replace(alias=number(self.data, at + 5, 2))
        return self._special(made, at) if kind == _SPECIAL else self._hid(made, at) if kind == _HID else made

    def _close(self, at: int, last: int) -> Entry | None:
        opened, self.open = self.open, None
        if opened is None:
            self.defects.append(Defect(at, f"a range ends at {function(last)} and began nowhere"))
            return None
        if last < opened.first:
            self.defects.append(Defect(at, f"a range ends at {function(last)} and began at {function(opened.first)}"))
            return None
        return opened._replace(last=last)

    def _unclosed(self) -> None:
        if self.open is not None:
            self.defects.append(Defect(self.open.offset, f"the range from {function(self.open.first)} has no end"))
        self.open = None

    def _special(self, made: Entry, at: int) -> Entry:
        device, variety = number(self.data, at + 5, 2), self.data[at + 7]
        if variety not in _VARIETIES:
            self.defects.append(Defect(at + 7, f"special device of unknown variety {variety}"))
        name = _VARIETIES.get(variety, f"variety {variety}")
        return made._replace(first=device, last=device, handle=self.data[at + 4], variety=name)

    def _hid(self, made: Entry, at: int) -> Entry:
        form, size = self.data[at + 20], self.data[at + 21]
        raw = self.data[at + _HID_LENGTH : at + _HID_LENGTH + size]
        uid = words(raw) if form == 2 else f"{number(raw, 0, len(raw)):#x}" if form == 1 else None
        return made._replace(hid=words(self.data[at + 4 : at + 12]), uid=uid)
