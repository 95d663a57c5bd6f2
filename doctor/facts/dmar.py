"""The DMA remapping table of Intel's firmware: bytes in, typed structures out.

Sources: Intel VT-d specification, chapter 8; linux include/acpi/actbl1.h and drivers/iommu/intel/dmar.c, whose walk
ends at a structure without length and refuses one that passes the end; for memory ranges drivers/iommu/intel/iommu.c
(rmrr_sanity_check).

>>> unit = bytes.fromhex("0000 1800 00 00 0000 0000d9fe00000000") + bytes.fromhex("01 08 0000 00 00 0200")
>>> rest = bytes.fromhex("0000 1000 01 00 0000 0010d9fe00000000")
>>> table = read(seal(b"DMAR" + bytes(32) + bytes([38, 1]) + bytes(10) + unit + rest))
>>> table.width, table.remaps_interrupts, [hex(one.base) for one in table.units], table.units[1].everything
(39, True, ['0xfed90000', '0xfed91000'], True)
>>> table.units[0].scopes[0].kind, table.units[0].scopes[0].address
('endpoint', '0000:00:02.0')
"""

from __future__ import annotations

from doctor.facts.acpiheader import Defect, Header, Shape, header, number, seal, walk, words
from doctor.record import NamedTuple

__all__ = ("Affinity", "Dmar", "Memory", "Named", "Other", "Reporting", "Scope", "Unit", "read", "seal")

_LEAST = 48  # bytes before the first structure
_STRUCTURE = Shape("structure", 2, 2, 2, 4)
_SCOPE = Shape("device scope", 1, 1, 1, 6)
_KINDS = {1: "endpoint", 2: "bridge", 3: "ioapic", 4: "hpet", 5: "namespace"}
_NARROWEST = 12  # bits of an address: the kernel takes no table with fewer
_PAGE = 4096
# Bytes of a structure before its device scopes, by type.
_BODIES = {0: 16, 1: 24, 2: 8, 3: 20, 4: 9, 5: 8, 6: 8}
_NAMES = {0: "DRHD", 1: "RMRR", 2: "ATSR", 3: "RHSA", 4: "ANDD", 5: "SATC", 6: "SIDP"}


class Scope(NamedTuple):
    """A device of the table: its kind, its id (of an IOAPIC its APIC id), a start bus, and device and function at
    each bridge on the way. Where there is more than one, the buses below are not in the table."""

    offset: int
    kind: str
    enumeration: int
    segment: int
    bus: int
    path: tuple[tuple[int, int], ...]

    @property
    def address(self) -> str | None:
        """The device's address; None where bridges are on the way or where no device can have it."""
        return self.start if len(self.path) == 1 else None

    @property
    def start(self) -> str | None:
        """The address of the first function on the way."""
        if not self.path or self.path[0][0] > 31 or self.path[0][1] > 7:
            return None
        device, function = self.path[0]
        return f"{self.segment:04x}:{self.bus:02x}:{device:02x}.{function}"

    @property
    def route(self) -> str:
        """The start bus and each device and function: `0000:00:1c.4/00.0`."""
        hops = "/".join(f"{device:02x}.{function:x}" for device, function in self.path)
        return f"{self.segment:04x}:{self.bus:02x}:{hops}"


class Unit(NamedTuple):
    """DRHD: a remapping unit at the address `base`; `everything`: what no other unit of its segment names."""

    offset: int
    segment: int
    base: int
    everything: bool
    scopes: tuple[Scope, ...]


class Memory(NamedTuple):
    """RMRR: memory that its devices keep using, the first and the last byte."""

    offset: int
    segment: int
    start: int
    end: int
    scopes: tuple[Scope, ...]


class Reporting(NamedTuple):
    """ATSR (root ports that let ATS through), SATC (devices in the chipset with ATS) or SIDP.

    `flag`: of an ATSR all ports, of a SATC that its devices need ATS.
    """

    offset: int
    kind: str
    segment: int
    flag: bool
    scopes: tuple[Scope, ...]


class Affinity(NamedTuple):
    """RHSA: the proximity domain of the unit at `base`."""

    offset: int
    base: int
    proximity: int


class Named(NamedTuple):
    """ANDD: a device that is no PCI function, by its ACPI path."""

    offset: int
    number: int
    name: str


class Other(NamedTuple):
    """A structure of a type that is not known."""

    offset: int
    kind: int
    length: int


Structure = Unit | Memory | Reporting | Affinity | Named | Other


class Dmar(NamedTuple):
    """The table: `width` in bits of an address; None, and no header, where it ended before that."""

    header: Header | None
    width: int | None
    flags: int | None
    structures: tuple[Structure, ...]
    defects: tuple[Defect, ...]

    @property
    def units(self) -> tuple[Unit, ...]:
        """Its DRHDs."""
        return tuple(one for one in self.structures if isinstance(one, Unit))

    @property
    def memory(self) -> tuple[Memory, ...]:
        """Its RMRRs."""
        return tuple(one for one in self.structures if isinstance(one, Memory))

    @property
    def complete(self) -> bool:
        """Whether all of it was read."""
        return not any(defect.ends for defect in self.defects)

    @property
    def remaps_interrupts(self) -> bool | None:
        """Whether the firmware says that the platform remaps interrupts."""
        return None if self.flags is None else bool(self.flags & 1)


def read(data: bytes) -> Dmar:
    """The table in `data`. Never raises: what is wrong is in `defects`."""
    found, end, defects = header(data, b"DMAR", _LEAST)
    if found is None:
        return Dmar(None, None, None, (), tuple(defects))
    width = data[36] + 1
    if width < _NARROWEST:
        defects.append(Defect(36, f"the host's addresses have {width} bits"))
    structures = [_one(data, *one, defects) for one in walk(data, _LEAST, end, _STRUCTURE, defects)]
    defects.sort(key=lambda defect: defect.offset)
    return Dmar(found, width, data[37], tuple(structures), tuple(defects))


def _one(data: bytes, at: int, kind: int, length: int, defects: list[Defect]) -> Structure:
    body = _BODIES.get(kind)
    if body is None:
        return Other(at, kind, length)
    if length < body:
        defects.append(Defect(at, f"{_NAMES[kind]} has length {length}, its fields alone take {body}", True))
        return Other(at, kind, length)
    segment = number(data, at + 6, 2)
    if kind == 3:
        return Affinity(at, number(data, at + 8, 8), number(data, at + 16, 4))
    if kind == 4:
        return _named(data[at + 8 : at + length], at, data[at + 7], defects)
    scopes = _scopes(data, at + body, at + length, segment, defects)
    if kind == 0:
        return _unit(at, segment, number(data, at + 8, 8), bool(data[at + 4] & 1), scopes, defects)
    if kind == 1:
        return _memory(at, segment, number(data, at + 8, 8), number(data, at + 16, 8), scopes, defects)
    return Reporting(at, _NAMES[kind], segment, bool(data[at + 4] & 1), scopes)


def _unit(at: int, segment: int, base: int, everything: bool, scopes: tuple[Scope, ...], defects: list[Defect]) -> Unit:
    if base == 0:
        defects.append(Defect(at + 8, "DRHD has its registers at address zero"))
    return Unit(at, segment, base, everything, scopes)


def _memory(at: int, segment: int, start: int, end: int, scopes: tuple[Scope, ...], defects: list[Defect]) -> Memory:
    if end <= start:
        defects.append(Defect(at + 8, f"RMRR ends at {end:#x} and begins at {start:#x}"))
    elif start % _PAGE or (end + 1) % _PAGE:
        defects.append(Defect(at + 8, f"RMRR {start:#x} to {end:#x} is no whole number of pages"))
    if not scopes:
        defects.append(Defect(at, "RMRR names no device"))
    return Memory(at, segment, start, end, scopes)


def _named(text: bytes, at: int, device: int, defects: list[Defect]) -> Named:
    if b"\0" not in text:
        defects.append(Defect(at + 8, "the name in ANDD has no end"))
    return Named(at, device, words(text))


def _scopes(data: bytes, at: int, end: int, segment: int, defects: list[Defect]) -> tuple[Scope, ...]:
    """The device scopes in a structure's rest. A bad one ends them, not the table: the structure's length is known."""
    found = []
    for here, kind, length in walk(data, at, end, _SCOPE, defects):
        pairs = data[here + 6 : here + length]
        path = tuple(zip(pairs[::2], pairs[1::2], strict=False))
        scope = Scope(here, _KINDS.get(kind, f"type {kind}"), data[here + 4], segment, data[here + 5], path)
        if kind not in _KINDS:
            defects.append(Defect(here, f"device scope of unknown type {kind}"))
        if not path or len(pairs) % 2:
            defects.append(Defect(here, f"device scope with a path of {len(pairs)} bytes"))
        elif any(device > 31 or function > 7 for device, function in path):
            defects.append(Defect(here + 6, f"device scope names {scope.route}, which no device can be"))
        found.append(scope)
    return tuple(found)
