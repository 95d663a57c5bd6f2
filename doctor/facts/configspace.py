"""A PCI function's configuration space: bytes in, typed capabilities out.

Sources: PCI Express Base Specification 6.0, chapter 7; linux include/uapi/linux/pci_regs.h; for Intel's
100 and 200 series chipsets linux drivers/pci/quirks.c (pci_quirk_intel_spt_pch_acs). An ordinary user reads
64 bytes, `lspci -xxx` shows 256, root reads 4096: what lies beyond is unknown.

>>> header = bytes.fromhex("86801a19" "06001000" "05000406" "00000100") + bytes(36) + b"\\x40" + bytes(11)
>>> port = header + bytes.fromhex("10004201" "00800000") + bytes(184)
>>> acs = bytes.fromhex("0d000100" "1f001d00") + bytes(3832)
>>> def cite(place): return Source("config", "c", None, hex(place))
>>> found = read(port + acs, cite, "config")
>>> found.pcie_type.value, found.slot.value, found.acs_bits.value
('root port', True, Acs(capability=31, control=29, elsewhere=False))
>>> read(port, cite, "config").acs, read(header, cite, "config").pcie.value
(Fact(value=UNKNOWN, sources=(), wanted=('config',), weak=False), UNKNOWN)
"""

from __future__ import annotations

from doctor.evidence.types import Source
from doctor.facts.capabilities import PCIE_TYPES, Acs, Bar, Buses, Capabilities, Rebar, Rom, Window, nothing
from doctor.facts.fact import UNKNOWN, Fact, Listing, unknown
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PM, PCIX, EXPRESS, ADVANCED = 0x01, 0x07, 0x10, 0x13
ACS, ATS, SRIOV, REBAR, PASID = 0x0D, 0x0F, 0x10, 0x15, 0x1B
_CLASSIC_END, _EXTENDED_START, _END = 0x100, 0x100, 0x1000
# Device ids (inclusive ranges) of Intel root ports whose ACS registers are double words, so that the control
# register is at 8: linux drivers/pci/quirks.c, pci_quirk_intel_spt_pch_acs_match.
_ACS_ELSEWHERE = (*((0xA110, 0xA11F), (0xA167, 0xA16A), (0xA290, 0xA29F), (0xA2E7, 0xA2EE), (0x9D10, 0x9D1B)),)
INTEL = 0x8086


class Walk(NamedTuple):
    """A list of capabilities: the place of the first of each id; `complete` if its end was reached.

    `start` is the place of the list's beginning, to be cited.
    """

    places: dict[int, int]
    complete: bool
    start: int


def acs_elsewhere(vendor: int, device: int) -> bool:
    """Whether the ACS registers of this root port are Intel's own."""
    return vendor == INTEL and any(first <= device <= last for first, last in _ACS_ELSEWHERE)


def classic(data: bytes) -> Walk:
    """The capabilities in the first 256 bytes. A loop or a pointer into the header ends the walk, incomplete."""
    if len(data) < 0x40:
        return Walk({}, False, 0x06)
    if not data[0x06] & 0x10:
        return Walk({}, True, 0x06)
    start = 0x14 if data[0x0E] & 0x7F == 2 else 0x34
    places: dict[int, int] = {}
    seen: set[int] = set()
    place = data[start] & ~3
    while place:
        if place < 0x40 or place in seen or place + 2 > min(len(data), _CLASSIC_END) or data[place] == 0xFF:
            return Walk(places, False, start)
        seen.add(place)
        places.setdefault(data[place], place)
        place = data[place + 1] & ~3
    return Walk(places, True, start)


def extended(data: bytes) -> Walk:
    """The capabilities from byte 256 on; the same rules."""
    places: dict[int, int] = {}
    seen: set[int] = set()
    place = _EXTENDED_START
    while place:
        if place < _EXTENDED_START or place in seen or place + 4 > min(len(data), _END):
            return Walk(places, False, _EXTENDED_START)
        seen.add(place)
        word = int.from_bytes(data[place : place + 4], "little")
        # Unreadable space reads as ones; where the first 256 bytes repeat, there is no more than those.
        if word == 0xFFFFFFFF or (place == _EXTENDED_START and word == int.from_bytes(data[:4], "little")):
            return Walk(places, False, _EXTENDED_START)
        if word:
            places.setdefault(word & 0xFFFF, place)
        place = word >> 20 & 0xFFC
    return Walk(places, True, _EXTENDED_START)


def read(data: bytes, cite: Callable[[int], Source], wanted: str) -> Capabilities:
    """The capabilities in `data`, however much of it there is.

    `cite` makes the citation of a byte's place; `wanted` is the evidence path that would tell the rest.
    A function that is off or gone reads as ones: then nothing is known.
    """
    if len(data) < 4 or not data[:64].strip(b"\xff"):
        return nothing(wanted)
    return _Reader(data[:_END], cite, wanted).capabilities()


class _Reader:
    """Reads registers of one function as facts."""

    def __init__(self, data: bytes, cite: Callable[[int], Source], wanted: str) -> None:
        self.data, self.cite, self.wanted = data, cite, wanted
        self.header = data[0x0E] & 0x7F if len(data) > 0x0E else None
        self.classic = classic(data)
        express = EXPRESS in self.classic.places
        bridge = data[0x0A:0x0C] == b"\x00\x06"
        if express or bridge or PCIX in self.classic.places or not self.classic.complete:
            self.extended = extended(data)
        else:
            # Conventional PCI ends at byte 256.
            self.extended = Walk({}, True, self.classic.start)

    def at(self, place: int, size: int) -> int | None:
        """The little-endian number of `size` bytes at `place`; None beyond the end."""
        if place + size > len(self.data):
            return None
        return int.from_bytes(self.data[place : place + size], "little")

    def fact(self, place: int, size: int, pick: Callable[[int], Any]) -> Fact:
        """What `pick` makes of the register at `place`."""
        value = self.at(place, size)
        return unknown(self.wanted) if value is None else Fact(pick(value), (self.cite(place),))

    def has(self, walk: Walk, number: int) -> Fact:
        """Whether there is the capability `number`."""
        place = walk.places.get(number)
        if place is not None:
            return Fact(True, (self.cite(place),))
        return Fact(False, (self.cite(walk.start),)) if walk.complete else unknown(self.wanted)

    def of(self, walk: Walk, number: int, offset: int, size: int, pick: Callable[[int], Any], lacking: Any) -> Fact:
        """What `pick` makes of a register of the capability `number`; `lacking` where there is no such capability."""
        present = self.has(walk, number)
        if present.value is not True:
            return present._replace(value=lacking) if present.known else present
        return self.fact(walk.places[number] + offset, size, pick)

    def capabilities(self) -> Capabilities:
        """Everything."""
        one, two = self.classic, self.extended
        return Capabilities(
            header=self.fact(0x0E, 1, lambda v: v & 0x7F),
            multifunction=self.fact(0x0E, 1, lambda v: bool(v & 0x80)),
            pcie=self.has(one, EXPRESS),
            pcie_type=self.of(one, EXPRESS, 2, 2, lambda v: PCIE_TYPES.get(v >> 4 & 15, f"type {v >> 4 & 15}"), None),
            slot=self.of(one, EXPRESS, 2, 2, lambda v: bool(v & 0x100), None),
            acs=self.has(two, ACS),
            acs_bits=self.acs(),
            flr=self.of(one, EXPRESS, 4, 4, lambda v: bool(v & 0x10000000), False),
            af_flr=self.of(one, ADVANCED, 3, 1, lambda v: v & 3 == 3, False),
            pm_reset=self.of(one, PM, 4, 2, lambda v: not v & 8, False),
            power=self.of(one, PM, 4, 2, lambda v: ("D0", "D1", "D2", "D3hot")[v & 3], None),
            ats=self.has(two, ATS),
            ats_on=self.of(two, ATS, 6, 2, lambda v: bool(v & 0x8000), False),
            pasid=self.has(two, PASID),
            pasid_on=self.of(two, PASID, 6, 2, lambda v: bool(v & 1), False),
            sriov=self.has(two, SRIOV),
            vfs_total=self.of(two, SRIOV, 14, 2, int, 0),
            vfs=self.of(two, SRIOV, 16, 2, int, 0),
            rebar=self.has(two, REBAR),
            rebars=self.rebars(),
            bars=self.bars(),
            buses=self.buses(),
            windows=self.windows(),
            rom=self.rom(),
        )

    def acs(self) -> Fact:
        """Both ACS registers."""
        vendor, device = self.at(0, 2), self.at(2, 2)
        kind = self.of(self.classic, EXPRESS, 2, 2, lambda v: v >> 4 & 15, None).value
        elsewhere = kind == 4 and acs_elsewhere(vendor or 0, device or 0)
        if not elsewhere:
            return self.of(self.extended, ACS, 4, 4, lambda v: Acs(v & 0x7F, v >> 16 & 0x7F), None)
        return self.of(self.extended, ACS, 4, 8, lambda v: Acs(v & 0x7F, v >> 32 & 0x7F, True), None)

    def rebars(self) -> Fact:
        """The BARs whose size can be chosen."""
        count = self.of(self.extended, REBAR, 8, 4, lambda v: v >> 5 & 7, 0)
        if not count.known:
            return count
        place = self.extended.places.get(REBAR, 0)
        found = []
        for number in range(count.value):
            offered, control = self.at(place + 4 + 8 * number, 4), self.at(place + 8 + 8 * number, 4)
            if offered is None or control is None:
                return unknown(self.wanted)
            bits = offered >> 4 | control >> 16 << 28
            sizes = tuple(1 << (20 + bit) for bit in range(44) if bits >> bit & 1)
            found.append(Rebar(control & 7, 1 << (20 + (control >> 8 & 0x3F)), sizes))
        return count._replace(value=tuple(found))

    def bars(self) -> Fact:
        """The BARs; one of zero is either not there or has no address, so that the list is not complete."""
        count = {0: 6, 1: 2}.get(-1 if self.header is None else self.header, 0)
        command = self.at(4, 2)
        if command is None or self.header is None:
            return unknown(self.wanted)
        found, complete, index = [], bool(count), 0
        while index < count:
            raw = self.at(0x10 + 4 * index, 4)
            if raw is None or raw == 0:
                complete, index = False, index + 1
                continue
            wide = raw & 7 == 4
            high = (self.at(0x14 + 4 * index, 4) or 0) if wide and index + 1 < count else 0
            if raw & 1:
                bar = Bar(index, "io", raw & 0xFFFFFFFC or None, enabled=bool(command & 1))
            else:
                address = (high << 32 | raw & 0xFFFFFFF0) or None
                bar = Bar(index, "memory", address, UNKNOWN, wide, bool(raw & 8), bool(command & 2))
            found.append(bar)
            index += 2 if wide else 1
        return Fact(Listing(found, complete, (self.wanted,)), (self.cite(0x10),))

    def buses(self) -> Fact:
        """The bus numbers of a bridge; None for what is none."""
        if self.header == 1:
            return self.fact(0x18, 3, lambda v: Buses(v & 255, v >> 8 & 255, v >> 16))
        return self.fact(0x0E, 1, lambda v: None) if self.header == 0 else unknown(self.wanted)

    def windows(self) -> Fact:
        """A bridge's open windows; none for what is no bridge."""
        if self.header == 0:
            return Fact(Listing(), (self.cite(0x0E),))
        raw = self.at(0x1C, 0x18)
        if self.header != 1 or raw is None:
            return unknown(self.wanted)
        data = self.data
        base, limit = (data[0x1C] & 0xF0) << 8, (data[0x1D] & 0xF0) << 8
        if data[0x1C] & 15 == 1:
            base, limit = base | (self.at(0x30, 2) or 0) << 16, limit | (self.at(0x32, 2) or 0) << 16
        found = [Window("io", base, limit | 0xFFF)] if base <= limit and (base or limit) else []
        for kind, place in (("memory", 0x20), ("prefetchable", 0x24)):
            base, limit = (self.at(place, 2) or 0) & 0xFFF0, (self.at(place + 2, 2) or 0) & 0xFFF0
            base, limit = base << 16, limit << 16
            if kind == "prefetchable" and data[place] & 15 == 1:
                base, limit = base | (self.at(0x28, 4) or 0) << 32, limit | (self.at(0x2C, 4) or 0) << 32
            if base <= limit and (base or limit):
                found.append(Window(kind, base, limit | 0xFFFFF))
        return Fact(Listing(found), (self.cite(0x1C),))

    def rom(self) -> Fact:
        """The expansion ROM; a register of zero is either not there or has no address."""
        place = {0: 0x30, 1: 0x38}.get(-1 if self.header is None else self.header)
        raw = None if place is None else self.at(place, 4)
        if place is None or not raw:
            return unknown(self.wanted)
        return Fact(Rom(raw & 0xFFFFF800 or None, bool(raw & 1)), (self.cite(place),))
