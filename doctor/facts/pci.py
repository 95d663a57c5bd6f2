"""PCI devices and their IOMMU groups, joined from sysfs, listings and the kernel's log.

Sysfs beats a listing, a listing beats the log; of two listings the later one says what is so now.
"""

from __future__ import annotations

from functools import cached_property

from doctor.evidence.types import EXCERPT, WHOLE, Evidence
from doctor.facts import lspci
from doctor.facts.device import HARMLESS_DRIVERS as HARMLESS_DRIVERS
from doctor.facts.device import VFIO_DRIVERS as VFIO_DRIVERS
from doctor.facts.device import Device as Device
from doctor.facts.fact import UNKNOWN, Contradiction, Fact, Listing, unknown
from doctor.facts.messages import Log, full_address, is_address
from doctor.say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from doctor.facts.capabilities import Capabilities
    from doctor.facts.topology import Topology

SYSFS = "sys/bus/pci/devices/"
GROUPS = "sys/kernel/iommu_groups/"


class Pci:
    """All devices of a host by address, and the groups they are in."""

    def __init__(self, evidence: Evidence, log: Log) -> None:
        """Reads every source of `evidence` and the group lines of `log`."""
        self.contradictions: list[Contradiction] = []
        self._evidence, self._log = evidence, log
        self._regrouped: dict[str, tuple[Fact, Fact]] = {}  # by address, what two sources say of its group
        self._capabilities: dict[str, Capabilities] = {}
        self._devices: dict[str, Device] = {}
        self.complete = False  # whether every function of the machine is listed
        self._group_lists_complete: set[int] | None = set()
        self._from_driver_lines(log)
        self._from_groups(evidence, log)
        self._from_listings(evidence)
        self._from_sysfs(evidence)
        self._tell_regrouped()
        self._name_the_rest(evidence)
        self.driver_of_slot: dict[str, list[Device]] = {}
        for device in self._devices.values():
            self.driver_of_slot.setdefault(device.slot, []).append(device)

    def all(self) -> list[Device]:
        """Every device, by address."""
        return [self._devices[key] for key in sorted(self._devices)]

    def get(self, address: str) -> Device | None:
        """The device at a full address."""
        return self._devices.get(address)

    def slot(self, address: str) -> list[Device]:
        """All functions of the slot of `address` (with or without a function)."""
        slot = address.rpartition(".")[0] if "." in address else address
        return sorted(self.driver_of_slot.get(slot, ()), key=lambda device: device.address)

    def members(self, number: int) -> Listing:
        """The devices of an IOMMU group; complete only if a listing shows all of it."""
        found = self._by_group.get(number, [])
        done = self._group_lists_complete is None or number in self._group_lists_complete
        return Listing(found, done, ("sys/kernel/iommu_groups/",))

    @cached_property
    def _by_group(self) -> dict[int, list[Device]]:
        """The devices of each group, by address: asked for when every source is read."""
        found: dict[int, list[Device]] = {}
        for device in self.all():
            if device.group.known and device.group.value is not None:
                found.setdefault(device.group.value, []).append(device)
        return found

    def __contains__(self, address: str) -> bool:
        return address in self._devices

    @cached_property
    def topology(self) -> Topology:
        """The bridges above each device."""
        from doctor.facts.topology import Topology

        return Topology(self, self._evidence)

    @cached_property
    def _details(self) -> list[dict[str, Capabilities]]:
        """The capabilities that listings show, the latest listing first."""
        from doctor.facts.lspcidetail import read

        return [read(piece) for piece in reversed(self._evidence.pieces("cmd/lspci-nnk"))]

    def capabilities(self, address: str) -> Capabilities:
        """What the device at `address` says of itself, from sysfs, else from listings."""
        if address not in self._capabilities:
            from doctor.facts import capabilities, sysfsdevice

            device = self.get(address)
            texts = [detail[address] for detail in self._details if address in detail]
            if device is not None:
                texts = [capabilities.trusted(text, device.ids) for text in texts]
            found = [*sysfsdevice.read(self._evidence, f"{SYSFS}{address}/"), *texts]
            self._capabilities[address] = capabilities.joined(found, f"{SYSFS}{address}/config")
        return self._capabilities[address]

    def reset_methods(self, address: str) -> Fact:
        """The ways in which the kernel can reset the device at `address`."""
        from doctor.facts.sysfsdevice import reset_methods

        return reset_methods(self._evidence, f"{SYSFS}{address}/")

    def multifunction(self, device: Device) -> Fact:
        """Whether the kernel takes the device for one of several functions; a virtual function never is."""
        source = (device.source,) if device.source else ()
        if device.physfn is not None:
            return Fact(False, source)
        if not device.address.endswith(".0") or len(self.slot(device.address)) > 1:
            return Fact(True, source)
        told = self.capabilities(device.address).multifunction
        # A list of all functions that shows one there: its header could still say more, which is rare.
        return Fact(False, source, (), True) if not told.known and self.complete else told

    def isolates(self, device: Device) -> Fact:
        """Whether the device keeps its neighbours, or what is below it, apart."""
        from doctor.facts import acs

        on = any(full_address(event.fields.get("device", "")) == device.address for event in self._log.all("acs_quirk"))
        ids = device.ids
        if ids is None and (device.name or "").startswith("Intel "):
            ids = acs.SOME_INTEL
        return acs.isolates(ids, self.capabilities(device.address), self.multifunction(device), on)

    def with_ids(self, ids: str) -> list[Device]:
        """The devices with these vendor and device ids."""
        return [device for device in self.all() if device.ids == ids]

    def _merge(self, address: str, **values: Any) -> None:
        """Adds what a source says of a device: what it does not know leaves what is known."""
        device = self._devices.get(address)
        if device is None:
            driver, group = unknown("cmd/lspci-nnk"), unknown("sys/kernel/iommu_groups/")
            device = Device(address, None, None, None, driver, group, host=self)
        kept = {key: value for key, value in values.items() if value is not None and value != ()}
        for key in ("driver", "group"):
            fact = kept.get(key)
            if fact is not None and not fact.known:
                del kept[key]
        now = kept.get("group")
        if now is not None and device.group.known and device.group.value != now.value:
            self._regrouped[address] = (device.group, now)
        self._devices[address] = device._replace(**kept)

    def _from_groups(self, evidence: Evidence, log: Log) -> None:
        """Group members from the log, then from listings of links."""
        for event in [*log.all("group_old"), *log.all("group_new")]:
            text, named = event.fields.get("group", ""), event.fields.get("device", "")
            if text.isdigit() and named:
                fact = Fact(int(text), (event.source,))
                self._merge(full_address(named), group=fact, source=event.source)
                if event.piece.state != EXCERPT and not any(":" in term for term in event.piece.terms):
                    self._complete_group(int(text))
        for piece in evidence.pieces("cmd/iommu-groups"):
            whole = piece.state == WHOLE
            from doctor.facts import grouplists

            whole = (whole or (piece.state == EXCERPT and piece.command is None)) and grouplists.shows_all(piece)
            for one in grouplists.members(piece):
                group = Fact(one.group, (one.source,))
                self._merge(
                    one.address, ids=one.ids, class_=one.class_, name=one.name, group=group, source=one.source
                )  # fmt: skip
                if one.group is not None and whole:
                    self._complete_group(one.group)
        self._from_group_folders(evidence)

    def _from_driver_lines(self, log: Log) -> None:
        """Devices whose log lines bear vfio-pci's name: it was bound, unless the probe failed."""
        failed = {
            event.fields.get("device")
            for name in ("vfio_probe_failed", "vfio_pf_has_vfs", "denylist")
            for event in log.all(name)
        }
        for event in log.all("vfio_pci_line"):
            named = event.fields.get("device", "")
            if named and named not in failed:
                self._merge(full_address(named), driver=Fact("vfio-pci", (event.source,)), source=event.source)

    def _from_group_folders(self, evidence: Evidence) -> None:
        """Group members from the listings of /sys/kernel/iommu_groups/N/devices."""
        for path in [p for p in evidence.paths() if p.startswith(GROUPS) and p.endswith("/devices/")]:
            number = path[len(GROUPS) :].partition("/")[0]
            listing = evidence.listing(path)
            if listing is not None and number.isdigit():
                for name in filter(is_address, listing[0]):
                    self._merge(full_address(name), group=Fact(int(number), (listing[1].whole(),)))
                self._complete_group(int(number))

    def _complete_group(self, number: int) -> None:
        if self._group_lists_complete is not None:
            self._group_lists_complete.add(number)

    def _from_listings(self, evidence: Evidence) -> None:
        """Devices from lspci and from the tools that print groups."""
        for piece in evidence.pieces("cmd/lspci-nnk"):
            entries = lspci.read(piece)
            for entry in entries:
                group = None if entry.group is None else Fact(entry.group, (entry.source,))
                self._note_change(entry)
                driver = None if entry.driver is UNKNOWN else Fact(entry.driver, (entry.driver_source,))
                self._merge(
                    entry.address, ids=entry.ids, class_=entry.class_, name=entry.name, driver=driver, group=group,
                    modules=entry.modules, revision=entry.revision, source=entry.source,
                )  # fmt: skip
                # Whoever shows a device under its group's number shows the group.
                if entry.group is not None and not piece.terms:
                    self._complete_group(entry.group)
            lists_all = piece.state == WHOLE and not piece.terms and any(e.address.endswith("00:00.0") for e in entries)
            self.complete = self.complete or lists_all

    def _tell_regrouped(self) -> None:
        """Sources that put devices into different groups, as one contradiction."""
        told = [(address, old, new) for address, (old, new) in self._regrouped.items() if old.sources and new.sources]
        if not told:
            return
        address, old, new = told[0]
        fact = say("IOMMU group of {address}", address=address)
        if len(told) > 1:
            fact = say("IOMMU group of {address} and of {count} more devices", address=address, count=len(told) - 1)
        text = say("the stronger or later source was believed: group {new} and not {old}", new=new.value, old=old.value)
        sources = (old.sources[0], new.sources[0])
        self.contradictions.append(Contradiction(fact, sources, text))

    def _name_the_rest(self, evidence: Evidence) -> None:
        """Names from a pci.ids, where no listing was there to name anything."""
        nameless = [d for d in self._devices.values() if d.name is None and d.ids]
        if not nameless or evidence.pieces("cmd/lspci-nnk"):
            return
        from doctor.facts import pciids

        names = pciids.open_names(evidence)
        if names is None:
            return
        for device in nameless:
            self._devices[device.address] = device._replace(name=pciids.name(names, device.ids or ""))

    def _note_change(self, entry: lspci.Entry) -> None:
        """Two listings that show different drivers for one device."""
        known = self._devices.get(entry.address)
        if known is None or not known.driver.known or entry.driver is UNKNOWN or known.driver.value == entry.driver:
            return
        sources = (*known.driver.sources, entry.driver_source)
        text = say("the later listing was believed: {driver}", driver=entry.driver or say("no driver"))
        self.contradictions.append(Contradiction(say("driver of {address}", address=entry.address), sources, text))

    def _from_sysfs(self, evidence: Evidence) -> None:
        """Devices from the host's own tree."""
        listing = evidence.listing(SYSFS)
        self.complete = self.complete or listing is not None
        seen = {path[len(SYSFS) :].partition("/")[0] for path in evidence.paths() if path.startswith(SYSFS)}
        grouped = False
        for address in sorted(filter(is_address, seen | set(listing[0] if listing else ()))):
            base = SYSFS + address + "/"
            vendor, device = _word(evidence, base + "vendor"), _word(evidence, base + "device")
            class_ = _word(evidence, base + "class")
            ids = f"{vendor[2:]}:{device[2:]}".lower() if vendor and device else None
            driver = self._link(evidence, base + "driver", "cmd/lspci-nnk")
            group = self._link(evidence, base + "iommu_group", "sys/kernel/iommu_groups/")
            if group.known and group.value is not None:
                group = group._replace(value=int(group.value) if group.value.isdigit() else UNKNOWN)
            grouped = grouped or (group.known and group.value is not None)
            override = _word(evidence, base + "driver_override")
            boot = _word(evidence, base + "boot_vga")
            physfn = evidence.last(base + "physfn")
            vfs = _word(evidence, base + "sriov_numvfs")
            piece = evidence.last(base + "vendor")
            self._merge(
                full_address(address),
                ids=ids,
                class_=class_[2:6] if class_ else None,
                driver=driver,
                group=group,
                override=None if override in (None, "(null)", "") else override,
                boot_vga=None if boot is None else boot == "1",
                physfn=physfn.text.rpartition("/")[2] if physfn else None,
                vfs=int(vfs) if vfs and vfs.isdigit() else None,
                source=piece.cite(0) if piece else None,
            )
        if grouped and listing is not None:
            self._group_lists_complete = None

    @staticmethod
    def _link(evidence: Evidence, path: str, wanted: str) -> Fact:
        """The last name of a link's target; None where the device has no such link."""
        piece = evidence.last(path)
        if piece is not None:
            target = (piece.text.strip().splitlines() or [""])[0].strip()
            return Fact(target.rpartition("/")[2] or None, (piece.whole()._replace(text=target),))
        denied = any(state.state == "denied" for state in evidence.states(path))
        if denied or not evidence.complete:
            return unknown(wanted)
        where = evidence.last(path.rpartition("/")[0] + "/vendor")
        cited = (where.whole()._replace(path=path, text="no such link"),) if where else ()
        return Fact(None, cited)


def _word(evidence: Evidence, path: str) -> str | None:
    """The one word that a small sysfs file holds."""
    piece = evidence.last(path)
    return piece.text.strip() if piece is not None else None
