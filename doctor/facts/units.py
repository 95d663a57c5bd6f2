"""IOMMU units and groups as sysfs shows them: what the hardware can, and which memory a group must keep mapped.

Sources: linux drivers/iommu/intel/iommu.h (CAP and ECAP bits; VT-d specification, section 11.4), drivers/iommu/amd
(capability header and extended features; AMD 48882, section 3.4), Documentation/ABI/testing/sysfs-kernel-iommu_groups.

>>> e = Evidence("bundle", "b", [Piece("sys/class/iommu/", "dmar0", "b"),
...     Piece("sys/class/iommu/dmar0/intel-iommu/ecap", "f00f4a", "b")])
>>> unit = read(e).units[0]
>>> unit.name, unit.remaps_interrupts.value, unit.x2apic.value, unit.passthrough.value, unit.device_tlb.value
('dmar0', True, False, True, False)
"""

from __future__ import annotations

from doctor.evidence.types import Evidence, Piece
from doctor.facts.fact import Fact, Listing, unknown
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CLASS = "sys/class/iommu/"
GROUPS = "sys/kernel/iommu_groups/"
_DEVICES = "sys/bus/pci/devices/"


class Unit(NamedTuple):
    """One IOMMU that translates. Every member but `name` is a Fact.

    version: of the architecture, "1:0"; width: address bits of a guest (MGAW); remaps_interrupts; x2apic: it remaps
    interrupts for x2APIC too; posted_interrupts; device_tlb: ATS of devices behind it; passthrough: identity without
    page tables; virtual: an emulated one (caching mode, NpCache); pasid; devices: the addresses it translates for.
    """

    name: str
    version: Fact
    width: Fact
    remaps_interrupts: Fact
    x2apic: Fact
    posted_interrupts: Fact
    device_tlb: Fact
    passthrough: Fact
    virtual: Fact
    pasid: Fact
    devices: Listing


class Region(NamedTuple):
    """A range of memory in a group's address space: first and last byte, and its kind: direct, direct-relaxable,
    reserved or msi. A direct one must stay mapped to itself, so VFIO refuses the group."""

    start: int
    end: int
    kind: str


class Group(NamedTuple):
    """A group's own files: its default domain (DMA, DMA-FQ, identity, …), a name if it has one, reserved regions."""

    number: int
    domain: Fact
    name: Fact
    reserved: Fact


class Units(NamedTuple):
    """All units and groups, and which unit each device belongs to."""

    units: Listing
    groups: Listing
    owners: dict[str, Fact]

    def group(self, number: int) -> Group | None:
        """The group's own files; None if none was read."""
        return next((group for group in self.groups if group.number == number), None)


def read(evidence: Evidence) -> Units:
    """The units, groups and owners that the evidence shows."""
    owners = _owners(evidence)
    listing = evidence.listing(CLASS)
    names = sorted(listing[0]) if listing is not None else sorted({str(fact.value) for fact in owners.values()})
    units = Listing((_unit(evidence, name, owners) for name in names), listing is not None, (CLASS,))
    return Units(units, _groups(evidence), owners)


def _owners(evidence: Evidence) -> dict[str, Fact]:
    """The unit of each device, by the links `iommu` in sysfs."""
    found = {}
    for path in evidence.paths():
        if path.startswith(_DEVICES) and path.endswith("/iommu"):
            for piece in evidence.pieces(path):
                name = piece.text.strip().rpartition("/")[2]
                if name:
                    found[path.split("/")[4]] = Fact(name, (piece.whole(),))
    return found


def _unit(evidence: Evidence, name: str, owners: dict[str, Fact]) -> Unit:
    devices = Listing(sorted(address for address, owner in owners.items() if owner.value == name), bool(owners))
    amd = evidence.last(f"{CLASS}{name}/amd-iommu/cap") or evidence.last(f"{CLASS}{name}/amd-iommu/features")
    return (_amd if amd is not None else _intel)(evidence, name, devices)


def _intel(evidence: Evidence, name: str, devices: Listing) -> Unit:
    base = f"{CLASS}{name}/intel-iommu/"
    cap, ecap = (_Register(evidence, base + file) for file in ("cap", "ecap"))
    return Unit(
        name, _text(evidence, base + "version"), cap.field(16, 6, 1), ecap.bit(3), ecap.bit(4), cap.bit(59),
        ecap.bit(2), ecap.bit(6), cap.bit(7), ecap.bit(40), devices,
    )  # fmt: skip


def _amd(evidence: Evidence, name: str, devices: Listing) -> Unit:
    base = f"{CLASS}{name}/amd-iommu/"
    cap, efr = (_Register(evidence, base + file) for file in ("cap", "features"))
    pasid = efr.field(32, 5)
    pasid = pasid._replace(value=bool(pasid.value)) if pasid.known else pasid
    # Every AMD unit remaps interrupts; whether it may is up to the firmware's table. It always can pass through.
    always = Fact(True, cap.sources or efr.sources, weak=True)
    return Unit(
        name, unknown(), unknown(), always, efr.bit(2), efr.bit(21), cap.bit(24), always, cap.bit(26), pasid, devices
    )


class _Register:
    """A register that a file prints in hexadecimal; `EFR:EFR2` from Linux 6.1 on, of which the first counts."""

    def __init__(self, evidence: Evidence, path: str) -> None:
        self._path, self._value = path, -1
        piece = evidence.last(path)
        self.sources = (piece.cite(0),) if piece is not None else ()
        text = piece.text.strip().partition(":")[0].removeprefix("0x") if piece is not None else ""
        if 0 < len(text) <= 16 and all(char in "0123456789abcdefABCDEF" for char in text):
            self._value = int(text, 16)

    def bit(self, number: int) -> Fact:
        """Whether a bit is set."""
        found = self.field(number, 1)
        return found._replace(value=bool(found.value)) if found.known else found

    def field(self, first: int, bits: int, more: int = 0) -> Fact:
        """A field's number, `more` added."""
        if self._value < 0:
            return unknown(self._path)
        return Fact((self._value >> first & (1 << bits) - 1) + more, self.sources)


def _text(evidence: Evidence, path: str) -> Fact:
    piece = evidence.last(path)
    return Fact(piece.text.strip(), (piece.cite(0),)) if piece is not None and piece.text.strip() else unknown(path)


def _groups(evidence: Evidence) -> Listing:
    """The groups whose own files were read."""
    numbers = set()
    for path in evidence.paths():
        parts = path.split("/")
        if path.startswith(GROUPS) and len(parts) == 5 and parts[3].isdecimal() and parts[4]:
            numbers.add(int(parts[3]))
    found = [_group(evidence, number) for number in sorted(numbers)]
    return Listing(found, evidence.listing(GROUPS) is not None and bool(found), (GROUPS,))


def _group(evidence: Evidence, number: int) -> Group:
    base = f"{GROUPS}{number}/"
    name = _text(evidence, base + "name")
    if not name.known and (absent := evidence.absent(base + "name")) is not None:
        name = Fact(None, (absent.whole(),))
    piece = evidence.last(base + "reserved_regions")
    reserved = unknown(base + "reserved_regions") if piece is None else _reserved(piece)
    return Group(number, _text(evidence, base + "type"), name, reserved)


def _reserved(piece: Piece) -> Fact:
    """The regions of a file of lines `0xSTART 0xEND KIND`.

    >>> [(hex(one.start), one.kind) for one in _reserved(Piece("r", "0x00000000fee00000 0x00000000feefffff msi")).value]
    [('0xfee00000', 'msi')]
    """
    found: list[Region] = []
    sources: list[Any] = []
    for index, line in enumerate(piece.text.split("\n")):
        words = line.split()
        if len(words) == 3 and all(word.startswith("0x") and len(word) <= 18 for word in words[:2]):
            try:
                found.append(Region(int(words[0], 16), int(words[1], 16), words[2]))
            except ValueError:
                continue
            sources.append(piece.cite(index))
    return Fact(Listing(found, piece.state == "whole"), tuple(sources) or (piece.whole(),))
