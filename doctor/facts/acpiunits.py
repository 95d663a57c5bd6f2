"""The units, memory ranges and devices of DMAR and IVRS in one form, and which of them a PCI function belongs to.

Sources: linux drivers/iommu/intel/iommu.c (device_lookup_iommu, intel_iommu_get_resv_regions: what stands below a
bridge that a scope names belongs to it), drivers/iommu/amd/init.c (of the blocks those of one type count).

>>> from doctor.evidence.types import Source
>>> here = Source("t", "t", None, "")
>>> card = Place("endpoint", "0000:00:02.0", None, "0000:00:02.0")
>>> units = Listing((Unit("a", "DRHD", 0, 1, False, (card,), None, (), None, here),
...     Unit("b", "DRHD", 0, 2, True, (), None, (), None, here)))
>>> unit_of(units, "0000:00:02.0", None).value.name, unit_of(units, "0000:01:00.0", None).value.name
('a', 'b')
"""

from __future__ import annotations

from doctor.facts.fact import Fact, Listing, unknown
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from doctor.evidence.types import Source
    from doctor.facts import dmar as intel
    from doctor.facts import ivrs as amd
    from doctor.facts.dmar import Dmar, Scope
    from doctor.facts.ivrs import Ivrs
    from doctor.facts.pci import Pci

_FUNCTIONS = ("endpoint", "bridge")
_UNIT_FLAGS = ("HtTunEn", "PassPW", "ResPassPW", "Isoc", "IotlbSup", "Coherent", "PreFSup", "PPRSup")


class Place(NamedTuple):
    """A device, a bridge with what is below it, or a range of functions: `address` up to `last`.

    `address` is None where bridges are on the way to the device; `route` says that way.
    """

    kind: str
    address: str | None
    last: str | None
    route: str


class Unit(NamedTuple):
    """An IOMMU: its kind (DRHD, IVHD 10h, …), its registers' address, whether it takes what no other unit names.

    `address`: the function that it is itself (AMD). `efr`: the image of its feature register.
    """

    name: str
    kind: str
    segment: int
    base: int
    everything: bool
    scopes: tuple[Place, ...]
    address: str | None
    flags: tuple[str, ...]
    efr: int | None
    source: Source


class Reserved(NamedTuple):
    """Memory that devices keep using: RMRR or IVMD, first and last byte. `devices`: the addresses that are known.

    `everything`: of all devices. `flags`: of an IVMD, unity, read, write, exclusion.
    """

    kind: str
    segment: int
    start: int
    end: int
    everything: bool
    devices: tuple[str, ...]
    scopes: tuple[Place, ...]
    flags: tuple[str, ...]
    source: Source


class Ioapic(NamedTuple):
    """An IOAPIC: its APIC id, the function that its interrupts come from, the unit's registers' address."""

    id: int
    address: str
    unit: int
    source: Source


class Alias(NamedTuple):
    """The functions `first` to `last`, whose requests look like those of `alias`."""

    first: str
    last: str
    alias: str
    source: Source


class Reporting(NamedTuple):
    """ATSR, SATC or SIDP with the devices it names. `flag`: all ports, or ATS needed."""

    kind: str
    segment: int
    flag: bool
    scopes: tuple[Place, ...]
    source: Source


class Named(NamedTuple):
    """A device that only ACPI knows: its ACPI path or hardware id, and the function it speaks as, if that is told."""

    id: str
    address: str | None
    source: Source


Held = tuple[list[Unit], list[Reserved], list[Ioapic], list[Alias], list[Reporting], list[Named]]


def in_dmar(table: Dmar, held: Held, cite: Callable[[int, str], Source]) -> None:
    """Adds what a DMAR names."""
    from doctor.facts import dmar

    units, reserved, ioapics, _, reporting, named = held
    places = {one.number: one for one in _namespace(table)}
    for one in table.structures:
        if isinstance(one, dmar.Unit):
            said = cite(one.offset, f"DRHD {one.base:#x}" + (", INCLUDE_PCI_ALL" if one.everything else ""))
            units.append(
                Unit(said.text.partition(": ")[2].partition(",")[0], "DRHD", one.segment, one.base, one.everything,
                     tuple(map(_place, one.scopes)), None, (), None, said)
            )  # fmt: skip
            ioapics += [
                Ioapic(scope.enumeration, scope.route, one.base, cite(scope.offset, f"IOAPIC {scope.enumeration}"))
                for scope in one.scopes
                if scope.kind == "ioapic"
            ]
            named += [
                Named(places[scope.enumeration].name, scope.address, cite(scope.offset, places[scope.enumeration].name))
                for scope in one.scopes
                if scope.kind == "namespace" and scope.enumeration in places
            ]
        elif isinstance(one, dmar.Memory):
            reserved.append(_rmrr(one, cite))
        elif isinstance(one, dmar.Reporting):
            said = cite(one.offset, one.kind)
            reporting.append(Reporting(one.kind, one.segment, one.flag, tuple(map(_place, one.scopes)), said))


def _namespace(table: Dmar) -> list[intel.Named]:
    from doctor.facts import dmar

    return [one for one in table.structures if isinstance(one, dmar.Named)]


def _rmrr(one: intel.Memory, cite: Callable[[int, str], Source]) -> Reserved:
    places = tuple(map(_place, one.scopes))
    devices = tuple(place.address for place in places if place.address)
    said = f"RMRR {one.start:#x} to {one.end:#x} for {', '.join(place.route for place in places) or 'no device'}"
    return Reserved("RMRR", one.segment, one.start, one.end, False, devices, places, (), cite(one.offset, said))


def _place(scope: Scope) -> Place:
    return Place(scope.kind, scope.address, None, scope.route)


def in_ivrs(table: Ivrs, held: Held, cite: Callable[[int, str], Source]) -> None:
    """Adds what an IVRS names, of its units those that the kernel reads, each once."""
    from doctor.facts.ivrs import Memory

    units, reserved, *_ = held
    seen = set()
    for block in table.units:
        if block.type == table.target and (block.segment, block.device) not in seen:
            seen.add((block.segment, block.device))
            units.append(_ivhd(block, held, cite))
    for one in table.blocks:
        if isinstance(one, Memory):
            reserved.append(_ivmd(one, cite))


def _ivhd(block: amd.Unit, held: Held, cite: Callable[[int, str], Source]) -> Unit:
    from doctor.facts.ivrs import function

    _, _, ioapics, aliases, _, named = held
    places = []
    for entry in block.entries:
        first, last = function(entry.first, block.segment), function(entry.last, block.segment)
        if entry.kind == "special":
            if entry.variety == "ioapic":
                said = cite(entry.offset, f"IOAPIC {entry.handle} at {first}")
                ioapics.append(Ioapic(entry.handle or 0, first, block.base, said))
            continue
        if entry.kind == "acpi hid":
            said = cite(entry.offset, f"{entry.hid} {entry.uid or ''} as {first}")
            named.append(Named(" ".join(filter(None, (entry.hid, entry.uid))), first, said))
            continue
        if entry.alias is not None:
            alias = function(entry.alias, block.segment)
            said = cite(entry.offset, f"{first} to {last} as {alias}")
            aliases.append(Alias(first, last, alias, said))
        route = first if first == last else f"{first} to {last}"
        places.append(Place(entry.kind, first, None if first == last else last, route))
    kind, device = f"IVHD {block.type:x}h", function(block.device, block.segment)
    everything = any(entry.kind == "all" for entry in block.entries)
    flags = tuple(name for bit, name in enumerate(_UNIT_FLAGS) if block.flags >> bit & 1)
    said = cite(block.offset, f"{kind} {device}, registers at {block.base:#x}")
    return Unit(
        f"IVHD {device}", kind, block.segment, block.base, everything, tuple(places), device, flags, block.efr, said
    )


def _ivmd(one: amd.Memory, cite: Callable[[int, str], Source]) -> Reserved:
    from doctor.facts.ivrs import function

    first, last = function(one.first, one.segment), function(one.last, one.segment)
    everything = one.type == 0x20
    route = first if one.first == one.last else f"{first} to {last}"
    kind = "all" if everything else "select" if one.first == one.last else "range"
    place = Place(kind, first, None if one.first == one.last else last, route)
    flags = {"unity": one.unity, "read": one.readable, "write": one.writable, "exclusion": one.exclusion}
    said = f"IVMD {one.start:#x} to {one.end:#x} for {'all devices' if everything else route}"
    return Reserved(
        "IVMD", one.segment, one.start, one.end, everything, (first,) if kind == "select" else (), (place,),
        tuple(name for name, is_set in flags.items() if is_set), cite(one.offset, said),
    )  # fmt: skip


def unit_of(units: Listing, address: str, pci: Pci | None) -> Fact:
    """The unit of a function: one that names it or a bridge above it, else the one for the rest of its segment."""
    where = _Where(address, pci)
    open_ = False
    for unit in units:
        told = [where.below(place) for place in unit.scopes]
        if True in told:
            return Fact(unit, (unit.source,))
        open_ = open_ or None in told
    if open_:
        return unknown("sys/bus/pci/devices/", "cmd/lspci-nnk")
    for unit in units:
        if unit.everything and unit.segment == where.segment:
            # A unit that was not read may name the function.
            return Fact(unit, (unit.source,)) if units.complete else unknown(*units.wanted)
    return Fact(None, tuple(unit.source for unit in units)) if units.complete else unknown(*units.wanted)


def reserved_for(reserved: Listing, address: str, pci: Pci | None) -> Listing:
    """The memory that a function keeps."""
    where = _Where(address, pci)
    found, complete = [], reserved.complete
    for one in reserved:
        told = [where.below(place) for place in one.scopes]
        if True in told or (one.everything and one.segment == where.segment):
            found.append(one)
        elif None in told:
            complete = False
    return Listing(found, complete, reserved.wanted or (() if complete else ("cmd/lspci-nnk",)))


def _key(address: str) -> tuple[int, int] | None:
    """Segment and number of 16 bits of an address; None if it is none.

    >>> _key("0000:00:02.1"), _key("x")
    ((0, 17), None)
    """
    try:
        segment, bus, rest = address.split(":")
        device, _, function = rest.partition(".")
        return int(segment, 16), int(bus, 16) << 8 | int(device, 16) << 3 | int(function, 16)
    except ValueError:
        return None


class _Where:
    """A function, and what is above it."""

    def __init__(self, address: str, pci: Pci | None) -> None:
        self.address, self.pci = address, pci
        self.key = _key(address)
        self.segment = self.key[0] if self.key is not None else -1
        device = pci.get(address) if pci is not None else None
        # A virtual function belongs where its physical one does (drivers/iommu/intel/iommu.c, pci_physfn).
        self.physical = (device.physfn if device is not None else None) or address
        self._chain: tuple[list[str], bool] | None = None

    def chain(self) -> tuple[list[str], bool]:
        """The bridges from the root down to the function itself, and whether they begin at the root."""
        if self._chain is None:
            above, whole = self.pci.topology.above(self.physical) if self.pci is not None else ([], False)
            on_root = not above and self.physical[5:8] == "00:"
            self._chain = [*reversed(above), self.physical], whole or on_root
        return self._chain

    def below(self, place: Place) -> bool | None:
        """Whether a place is the function, holds it, or is a bridge above it; None if that cannot be told."""
        if place.kind not in _FUNCTIONS:
            return self._within(place)
        if place.address == self.physical:
            return True
        if place.kind == "endpoint" and place.address is not None:
            return False
        hops = place.route[8:].split("/")
        start = place.route[:8] + hops[0]
        chain, whole = self.chain()
        for at, here in enumerate(chain):
            if here == start:
                rest = [one[8:] for one in chain[at + 1 : at + len(hops)]]
                return rest == hops[1:] and (place.kind == "bridge" or len(chain) == at + len(hops))
        return False if whole else None

    def _within(self, place: Place) -> bool:
        """Whether a range holds the function's own number."""
        first, last = _key(place.address or ""), _key(place.last or place.address or "")
        if place.kind in ("ioapic", "hpet", "namespace") or first is None or last is None or self.key is None:
            return False
        return first <= self.key <= last
