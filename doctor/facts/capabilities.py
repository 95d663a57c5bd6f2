"""What a PCI function says of itself in its configuration space, whichever source told it.

The fields' meaning is the PCI Express Base Specification's (chapter 7) as linux
include/uapi/linux/pci_regs.h names it.

>>> Acs(capability=0x1F, control=0x1D).missing, Acs(capability=0x1F, control=0x00).missing
((), ('SV', 'RR', 'CR', 'UF'))
"""

from __future__ import annotations

from doctor.facts.fact import UNKNOWN, Fact, Listing, unknown
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

ENDPOINT, LEGACY, ROOT_PORT, UPSTREAM, DOWNSTREAM = (
    *("endpoint", "legacy endpoint", "root port", "upstream port", "downstream port"),
)
TO_PCI, FROM_PCI, INTEGRATED, COLLECTOR = (
    *("PCIe to PCI bridge", "PCI to PCIe bridge", "integrated endpoint", "event collector"),
)
PCIE_TYPES = {
    0: ENDPOINT, 1: LEGACY, 4: ROOT_PORT, 5: UPSTREAM, 6: DOWNSTREAM, 7: TO_PCI, 8: FROM_PCI, 9: INTEGRATED,
    10: COLLECTOR,
}  # fmt: skip
# The bits of the ACS registers, lowest first.
ACS_BITS = ("SV", "TB", "RR", "CR", "UF", "EC", "DT")
# What the kernel asks for: linux drivers/iommu/iommu.c, REQ_ACS_FLAGS.
ACS_REQUIRED = 0x1D


class Acs(NamedTuple):
    """Access Control Services: what the function offers and what is on, as the registers' bits.

    `elsewhere`: the registers are where Intel's 100 and 200 series chipsets keep them, two bytes further on.
    """

    capability: int
    control: int
    elsewhere: bool = False

    @property
    def can(self) -> tuple[str, ...]:
        """The names of the services on offer."""
        return _names(self.capability)

    @property
    def on(self) -> tuple[str, ...]:
        """The names of the services that are on."""
        return _names(self.control)

    @property
    def missing(self) -> tuple[str, ...]:
        """Those that isolation asks for, that are on offer and are off."""
        return _names(self.capability & ACS_REQUIRED & ~self.control)

    def lookup(self, name: str) -> Any:
        """`can`, `on`, `missing`, or a service's name, which says whether it is on."""
        if name in ACS_BITS:
            return bool(self.control >> ACS_BITS.index(name) & 1)
        return getattr(self, name) if name in ("can", "on", "missing", "elsewhere") else None


class Bar(NamedTuple):
    """A base address register. `address` is None while it has none; sizes are bytes.

    `number` is None where a listing does not number them. `enabled` is whether the function answers there.
    """

    number: int | None
    kind: str
    address: int | None
    size: Any = UNKNOWN
    wide: bool = False
    prefetchable: bool = False
    enabled: Any = UNKNOWN


class Rebar(NamedTuple):
    """A BAR whose size can be chosen: its present size and the possible ones in bytes."""

    number: int
    size: int
    sizes: Any = UNKNOWN


class Buses(NamedTuple):
    """The bus numbers of a bridge."""

    primary: int
    secondary: int
    subordinate: int


class Window(NamedTuple):
    """A range that a bridge lets through: `io`, `memory` or `prefetchable`."""

    kind: str
    start: int
    end: int


class Rom(NamedTuple):
    """The expansion ROM's register. `address` is None while it has none; the size is in bytes."""

    address: int | None
    enabled: bool
    size: Any = UNKNOWN


class Capabilities(NamedTuple):
    """A function's capabilities, each a Fact: what could not be read is UNKNOWN, what is not there False or None.

    `pm_reset`: the function resets when it goes to D3hot and back. `vfs_total` and `vfs`: virtual functions
    that are possible and that are on. `bars` and `windows` hold Listings.
    """

    header: Fact
    multifunction: Fact
    pcie: Fact
    pcie_type: Fact
    slot: Fact
    acs: Fact
    acs_bits: Fact
    flr: Fact
    af_flr: Fact
    pm_reset: Fact
    power: Fact
    ats: Fact
    ats_on: Fact
    pasid: Fact
    pasid_on: Fact
    sriov: Fact
    vfs_total: Fact
    vfs: Fact
    rebar: Fact
    rebars: Fact
    bars: Fact
    buses: Fact
    windows: Fact
    rom: Fact

    def lookup(self, name: str) -> Any:
        """A capability by its name."""
        return getattr(self, name) if name in self._fields else None

    @property
    def known(self) -> bool:
        """Whether anything is known."""
        return any(fact.known for fact in self)


def nothing(*wanted: str) -> Capabilities:
    """Capabilities of which nothing is known; `wanted` are the paths that would tell."""
    return Capabilities(*[unknown(*wanted)] * len(Capabilities._fields))


def numbers(ids: str | None) -> tuple[int, int] | None:
    """Vendor and device as numbers; None for what is no pair of four hex digits each.

    >>> numbers("8086:a110"), numbers("8086:zzzz"), numbers(None)
    ((32902, 41232), None, None)
    """
    vendor, _colon, device = (ids or "").partition(":")
    if len(vendor) != 4 or len(device) != 4 or set(vendor + device) - set("0123456789abcdefABCDEF"):
        return None
    return int(vendor, 16), int(device, 16)


def trusted(text: Capabilities, ids: str | None) -> Capabilities:
    """What lspci's words say, without what it misreads: the ACS registers of Intel ports that keep them elsewhere."""
    bits, pair = text.acs_bits, numbers(ids)
    if pair is None or not bits.known or bits.value is None or bits.value.elsewhere:
        return text
    from doctor.facts.configspace import acs_elsewhere

    if text.pcie_type.value != ROOT_PORT or not acs_elsewhere(*pair):
        return text
    return text._replace(acs_bits=unknown("sys/bus/pci/devices/*/config"))


def joined(sources: Iterable[Capabilities], wanted: str) -> Capabilities:
    """What several sources say of one function: the first that knows a fact gives it."""
    found = nothing(wanted)
    for one in sources:
        facts = [old if old.known else new if new.known else old for old, new in zip(found, one, strict=True)]
        whole = Capabilities(*facts)
        found = whole._replace(bars=_sized(whole.bars, one.bars), rom=_sized_rom(whole.rom, one.rom))
    return found


def _sized(bars: Fact, others: Fact) -> Fact:
    """The BARs with what another source knows of them: sizes, and those that the first does not show."""
    if not bars.known or not others.known or bars is others:
        return bars
    by_index = {bar.number: bar for bar in others.value}
    own = {bar.number for bar in bars.value}
    filled = []
    for bar in bars.value:
        other = by_index.get(bar.number)
        size = other.size if other is not None and bar.size is UNKNOWN and bar.number is not None else bar.size
        filled.append(bar._replace(size=size))
    complete = bars.value.complete
    if not complete and None not in own:
        filled += [bar for bar in others.value if bar.number is not None and bar.number not in own]
        complete = others.value.complete and all(bar.number is not None for bar in others.value)
    filled.sort(key=lambda bar: -1 if bar.number is None else bar.number)
    return bars._replace(value=Listing(filled, complete, bars.value.wanted))


def _sized_rom(rom: Fact, other: Fact) -> Fact:
    if rom.known and other.known and rom.value and other.value and rom.value.size is UNKNOWN:
        return rom._replace(value=rom.value._replace(size=other.value.size))
    return rom


def _names(bits: int) -> tuple[str, ...]:
    return tuple(name for place, name in enumerate(ACS_BITS) if bits >> place & 1)
