"""Whether a PCI function isolates what is beside or below it, as the kernel decides when it forms IOMMU groups.

Source: linux drivers/pci/pci.c (pci_acs_enabled) and drivers/pci/quirks.c (pci_dev_acs_enabled, with the
functions that its table names). Older kernels know fewer quirks. REQ_ACS_FLAGS is drivers/iommu/iommu.c's.

>>> quirk("8086:a110", ROOT_PORT, True, False), quirk("8086:8c10", ROOT_PORT, True, False)
(None, UNKNOWN)
>>> quirk("8086:1521", ENDPOINT, True, False), quirk("10de:2484", ENDPOINT, True, False)
(True, None)
"""

from __future__ import annotations

from doctor.facts.capabilities import (
    COLLECTOR,
    DOWNSTREAM,
    ENDPOINT,
    FROM_PCI,
    INTEGRATED,
    LEGACY,
    ROOT_PORT,
    TO_PCI,
    UPSTREAM,
    numbers,
)
from doctor.facts.fact import UNKNOWN, Fact, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from doctor.facts.capabilities import Capabilities

# Functions that send nothing to their neighbours though they have no ACS, by vendor: ids and inclusive ranges.
_PASS: dict[int, tuple[int | tuple[int, int], ...]] = {
    0x1924: (0x0903, 0x0923, 0x0A03),
    0x8086: (
        0x10C6, 0x10DB, 0x10DD, 0x10E1, 0x10F1, (0x10F7, 0x10FC), 0x1507, 0x1514, 0x151C, 0x1529, 0x152A, 0x154D,
        0x154F, 0x1551, 0x1558, 0x1509, (0x150E, 0x1511), 0x1516, 0x1527, 0x10C9, (0x10E6, 0x10E8), 0x150A, 0x150D,
        0x1518, 0x1526, 0x10A7, 0x10A9, 0x10D6, (0x1521, 0x1524), 0x105E, 0x105F, 0x1060, 0x10D9, 0x15B7, 0x15B8,
    ),
    0x19A2: (0x0710,),
    0x10DF: (0x0720,),
    0x14E4: (0x16D7, (0x1750, 0x1752), (0x1760, 0x1763), 0xD714),
    0x1D17: (0x3038, 0x3104, 0x9083, (0x0710, 0x071E), 0x0721, (0x0723, 0x0752)),
    0x1C36: (0x0031,),
}  # fmt: skip
# Intel root ports without ACS that the kernel can make isolate: pci_quirk_intel_pch_acs_ids.
_WORKAROUND: tuple[tuple[int, int], ...] = (
    (0x3B42, 0x3B51), (0x1C10, 0x1C1F), (0x1D10, 0x1D1E), (0x1E10, 0x1E1F), (0x8C10, 0x8C1F), (0x8C90, 0x8C9E),
    (0x8D10, 0x8D1E), (0x9C10, 0x9C1B), (0x9C90, 0x9C9B),
)  # fmt: skip
# AMD's south bridges, whose functions do not reach one another where there is an IOMMU.
_SOUTH = frozenset(
    ["1002:4383", "1002:4384", "1002:4385", "1002:4399", "1002:439c", "1002:439d", "1022:7809", "1022:780f"]
)
# A device whose vendor alone is known, as where lspci printed names and no numbers.
SOME_INTEL = "8086:0000"
_ALWAYS_ASKED = (ROOT_PORT, DOWNSTREAM)
_ASKED_OF_MANY = (ENDPOINT, LEGACY, UPSTREAM, INTEGRATED)


def needs_workaround(ids: str | None) -> bool:
    """Whether it is an Intel root port that isolates only by the kernel's workaround.

    >>> needs_workaround("8086:8c10"), needs_workaround("8086:a110"), needs_workaround(None)
    (True, False, False)
    """
    pair = numbers(ids)
    return pair is not None and pair[0] == 0x8086 and any(first <= pair[1] <= last for first, last in _WORKAROUND)


def quirk(ids: str | None, kind: str | None, multifunction: Any, workaround: bool) -> Any:
    """What the kernel's table says: True or False, UNKNOWN where a log line would tell, None for no opinion.

    `workaround`: the kernel said that its workaround for this port is on.
    """
    pair = numbers(ids)
    if pair is None:
        return None
    vendor, number = pair
    if ids in _SOUTH and multifunction is True:
        return True
    if vendor == 0x8086 and kind == INTEGRATED:
        return True
    if kind == ROOT_PORT and (needs_workaround(ids) or ids == SOME_INTEL):
        return True if workaround else UNKNOWN
    for one in _PASS.get(vendor, ()):
        if one == number or (isinstance(one, tuple) and one[0] <= number <= one[1]):
            return True
    return None


def isolates(ids: str | None, found: Capabilities, multifunction: Fact, workaround: bool) -> Fact:
    """Whether the function keeps peers apart: what the kernel calls having ACS enabled.

    `multifunction` is False for a virtual function. Unknown where its capabilities are.
    """
    kind = found.pcie_type.value if found.pcie_type.known else None
    told = quirk(ids, kind, multifunction.value, workaround)
    if told is UNKNOWN:
        # Its own ACS counts if it has any (the kernel's workaround is for ports without).
        if found.acs.value is not True:
            return unknown("cmd/dmesg")
    elif told is not None:
        return Fact(told, found.pcie.sources, (), True)
    if found.pcie.value is False:
        return found.pcie._replace(value=False)
    if not found.pcie_type.known:
        return found.pcie_type
    if kind in (TO_PCI, FROM_PCI, COLLECTOR):
        return found.pcie_type._replace(value=False)
    if kind in _ALWAYS_ASKED:
        return _registers(found)
    if kind in _ASKED_OF_MANY:
        if not multifunction.known:
            return multifunction
        return _registers(found) if multifunction.value else multifunction._replace(value=True)
    return found.pcie_type._replace(value=True)


def _registers(found: Capabilities) -> Fact:
    """What the ACS registers say; a service that is not on offer is taken for safe."""
    if found.acs.value is False:
        return found.acs._replace(value=False)
    if not found.acs_bits.known or found.acs_bits.value is None:
        return unknown(*(found.acs_bits.wanted or found.acs.wanted))
    return found.acs_bits._replace(value=not found.acs_bits.value.missing)
