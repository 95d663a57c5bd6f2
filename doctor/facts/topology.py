"""Which bridge is above which function, and which of them makes one IOMMU group of several functions.

Sources: linux drivers/iommu/iommu.c (pci_device_group), drivers/pci/search.c (pci_for_each_dma_alias), and for
the bus numbers the PCI-to-PCI Bridge Architecture Specification. The kernel climbs from a function as long as
a bridge on the way to the root does not isolate; so, of the bridges above a function that are in its group,
the one nearest the root is the one that does not.
"""

from __future__ import annotations

from functools import cached_property

from doctor.facts.capabilities import FROM_PCI, TO_PCI
from doctor.facts.fact import UNKNOWN, Fact, unknown
from doctor.later import later
from doctor.record import NamedTuple
from doctor.say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from doctor.evidence.types import Evidence, Source
    from doctor.facts.pci import Device, Pci

CONVENTIONAL, WITHOUT, OFF, OPEN, FUNCTIONS = (
    *("conventional bridge", "port without ACS", "port with ACS off", "port that does not isolate"),
    "functions without ACS",
)
_ADDRESS = r"[0-9a-f]{4,6}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"
_PATH = later(rf"devices/pci[0-9a-f]{{4,6}}:[0-9a-f]{{2}}((?:/{_ADDRESS}){{1,24}})")
_FOLDER = "sys/devices/pci"
_DEEPEST = 64  # bridges above one another


class Merge(NamedTuple):
    """Why functions share a group: `reason` is one of this module's words, `address` the bridge or slot."""

    reason: str
    address: str

    def lookup(self, name: str) -> Any:
        """`reason` or `address`; the reason in the language that is spoken."""
        if name == "reason":
            return say(self.reason)
        return getattr(self, name) if name in self._fields else None


class Topology:
    """The bridges above each function of a host."""

    def __init__(self, pci: Pci, evidence: Evidence) -> None:
        """Reads nothing before it is asked."""
        self._pci, self._evidence = pci, evidence

    def parent(self, address: str) -> Fact:
        """The bridge above a function; None for one on a root bus."""
        shown = self._shown.get(address)
        if shown is not None:
            return Fact(shown[0], (shown[1],))
        bus = address.rpartition(":")[0]
        bridge = self._buses.get(bus)
        if bridge is not None and bridge[0] != address:
            return Fact(bridge[0], (bridge[1],))
        device = self._pci.get(address)
        if device is not None and device.physfn and device.physfn != address and device.physfn in self._pci:
            return self.parent(device.physfn) if device.physfn.rpartition(":")[0] != bus else self._top(address, bus)
        return self._top(address, bus)

    def _top(self, address: str, bus: str) -> Fact:
        """A function that no known bridge is above: on a root bus, if that can be told."""
        device = self._pci.get(address)
        sources = (device.source,) if device is not None and device.source else ()
        if bus.endswith(":00") or (self._pci.complete and self._all_bridges_known):
            return Fact(None, sources)
        return unknown(f"sys/bus/pci/devices/{address}/config", "cmd/lspci-nnk")

    def above(self, address: str) -> tuple[list[str], bool]:
        """The bridges above a function, the nearest first, and whether the list reaches the root."""
        found: list[str] = []
        here = address
        while len(found) < _DEEPEST:
            fact = self.parent(here)
            if not fact.known:
                return found, False
            if fact.value is None:
                return found, True
            here = fact.value
            if here in found:
                return found, False
            found.append(here)
        return found, False

    @cached_property
    def _shown(self) -> dict[str, tuple[str | None, Source]]:
        """Who is above whom in the paths of sysfs and in the trees of lspci, the former believed."""
        found: dict[str, tuple[str | None, Source]] = {}
        for piece in self._evidence.pieces("cmd/lspci-nnk"):
            from doctor.facts.lspcimachine import is_tree, tree

            if is_tree(piece.text):
                found.update({place.address: (place.parent, place.source) for place in tree(piece)})
        for text, source in self._paths():
            match = _PATH.search(text)
            if match:
                above = None
                for address in match.group(1)[1:].split("/"):
                    found[address] = (above, source)
                    above = address
        return found

    def _paths(self) -> Iterator[tuple[str, Source]]:
        """Texts that may hold a function's path in sysfs."""
        for path in self._evidence.paths():
            if path.startswith(_FOLDER):
                piece = self._evidence.states(path)[-1]
                yield path, piece.whole()._replace(text=path)
        for name in ("sys/bus/pci/devices/", "cmd/iommu-groups"):
            for piece in self._evidence.pieces(name):
                if _FOLDER[4:] in piece.text:
                    for index, line in enumerate(piece.text.splitlines()):
                        if _FOLDER[4:] in line:
                            yield line[:2000], piece.cite(index, line.strip()[:300])

    @cached_property
    def _buses(self) -> dict[str, tuple[str, Source]]:
        """The bridge of each bus (domain and number) that has one."""
        found: dict[str, tuple[str, Source]] = {}
        for device in self._bridges:
            buses = device.capabilities.buses
            if buses.known and buses.value is not None and buses.value.secondary:
                domain = device.address.partition(":")[0]
                found[f"{domain}:{buses.value.secondary:02x}"] = (device.address, buses.sources[0])
        return found

    @cached_property
    def _bridges(self) -> list[Device]:
        """What may be a bridge to another bus."""
        return [d for d in self._pci.all() if d.class_ in (None, "0604", "0607", "0609")]

    @cached_property
    def _all_bridges_known(self) -> bool:
        return all(device.capabilities.buses.known for device in self._bridges)

    def merged_by(self, device: Device) -> Fact:
        """Why the function shares its group: a `Merge`, None if it is alone, UNKNOWN if that cannot be told."""
        group = device.group
        if not group.known or group.value is None:
            return group if not group.known else group._replace(value=None)
        members = self._pci.members(group.value)
        others = [member for member in members if member.address != device.address]
        if not others:
            return group._replace(value=None) if members.complete else unknown("sys/kernel/iommu_groups/")
        path, whole = self.above(device.address)
        if device.class_ in ("0604", "0609"):
            path = [device.address, *path]
        groups = [self._group(address) for address in path]
        inside = [address for address, one in zip(path, groups, strict=True) if one == group.value]
        for address in inside:
            if self._conventional(address):
                return Fact(Merge(CONVENTIONAL, address), self._sources(address))
        if inside and (whole or path[-1] != inside[-1]):
            return self._port(inside[-1])
        lone = [other for other in others if other.class_ == "0604"]
        if len(lone) == 1 and not path and members.complete and lone[0].slot[:-3] < device.slot[:-3]:
            # Nothing but a bridge puts functions of different slots into one group.
            return self._port(lone[0].address)._replace(weak=True)
        slot = device.slot
        alone = all(other.slot == slot for other in others)
        if alone and members.complete:
            return Fact(Merge(FUNCTIONS, slot), group.sources, (), True)
        return unknown(*[f"sys/bus/pci/devices/{address}/config" for address in path or [device.address]])

    def _port(self, address: str) -> Fact:
        """The port that makes one group of what is below it, with what is known of its ACS."""
        port = self._pci.get(address)
        sources = self._sources(address)
        if port is None:
            return Fact(Merge(OPEN, address), sources, (), True)
        found = port.capabilities
        if found.acs.value is False:
            return Fact(Merge(WITHOUT, address), found.acs.sources + sources)
        bits = found.acs_bits
        if bits.known and bits.value is not None and bits.value.missing:
            return Fact(Merge(OFF, address), bits.sources + sources)
        return Fact(Merge(OPEN, address), sources, (), True)

    def _conventional(self, address: str) -> bool:
        """Whether a bridge is known to lead to a conventional bus."""
        bridge = self._pci.get(address)
        if bridge is None:
            return False
        found = bridge.capabilities
        return found.pcie.value is False or (found.pcie_type.known and found.pcie_type.value in (TO_PCI, FROM_PCI))

    def _group(self, address: str) -> Any:
        device = self._pci.get(address)
        return device.group.value if device is not None and device.group.known else UNKNOWN

    def _sources(self, address: str) -> tuple[Source, ...]:
        device = self._pci.get(address)
        return device.group.sources[:1] if device is not None else ()
