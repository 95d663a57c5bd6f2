"""A device that is meant for a guest, with what stands around it: companions, neighbours, twins.

The words are those of docs/glossary.md. Which drivers VFIO accepts in a group is linux
drivers/iommu/iommu.c (iommu_group_claim_dma_owner) and, before 5.19, drivers/vfio/vfio.c.
"""

from __future__ import annotations

from functools import cached_property

from doctor.facts.fact import UNKNOWN, Fact, Listing, unknown
from doctor.facts.said import Said
from doctor.say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from doctor.evidence.types import Source
    from doctor.facts.host import Host
    from doctor.facts.pci import Device


def _shown_by(device: Device) -> tuple[Source, ...]:
    """The line that shows a device, by its driver if that is known."""
    if device.driver.known and device.driver.sources:
        return device.driver.sources[-1:]
    return (device.source,) if device.source else device.group.sources[:1]


class TargetFacts:
    """A device that is meant for a guest, with what stands around it."""

    SHOWN = (
        "address",
        "addresses",
        "alike",
        "all_ones",
        "ats_on",
        "because",
        "boot_vga",
        "brief",
        "choices",
        "companions",
        "device",
        "driver",
        "functions",
        "group",
        "host_drivers",
        "ids",
        "ids_in_modprobe",
        "ids_on_cmdline",
        "ids_words",
        "in_ids",
        "joined",
        "kept_companions",
        "kept_memory",
        "kind",
        "managed",
        "members",
        "name",
        "needed",
        "neighbours",
        "no_group_node",
        "not_viable",
        "obstacles",
        "on_vfio",
        "remaining_ids",
        "said",
        "twins",
        "unbound_companions",
        "undecided",
        "virtual",
        "vm",
        "vms",
        "waits",
        "wanted_ids",
    )

    def __init__(
        self,
        host: Host,
        address: str,
        because: str,
        managed: bool,
        targets: dict[str, bool],
        along: frozenset[str] = frozenset(),
        undecided: bool = False,
    ) -> None:
        """`targets` maps every target's address to whether a VM manager binds it by itself.

        `along` are those that surely go to a guest: a target that only its group's error names may be the
        very device that stands in the way. `undecided`: only its id names it, and it has twins.
        """
        self.undecided = undecided
        self._host, self.address, self.because, self.managed = host, address, because, managed
        self._targets, self._along = targets, along
        self.device: Device | None = host.pci.get(address)

    def lookup(self, name: str) -> Any:
        """What rules may ask of a target; a list of devices with the lines that show them."""
        if name not in self.SHOWN:
            return None
        value = getattr(self, name)
        if not isinstance(value, Listing) or not value or not hasattr(value[0], "driver"):
            return value
        cited = [source for device in value for source in _shown_by(device)]
        return Fact(value, tuple(dict.fromkeys(cited))[:6], () if value.complete else value.wanted)

    @property
    def brief(self) -> str:
        """The device in words."""
        return self.device.brief if self.device is not None else self.address

    @property
    def name(self) -> str:
        """Its name, else its kind."""
        return (self.device.name or self.device.kind) if self.device is not None else "device"

    @property
    def kind(self) -> str:
        """What it is."""
        return self.device.kind if self.device is not None else "device"

    @property
    def ids(self) -> Fact:
        """vendor:device."""
        return Fact(self.device.ids) if self.device is not None and self.device.ids else unknown("cmd/lspci-nnk")

    @property
    def driver(self) -> Fact:
        """The driver that holds it now."""
        return self.device.driver if self.device is not None else unknown("cmd/lspci-nnk")

    @property
    def on_vfio(self) -> Fact:
        """Whether it is bound to a VFIO driver or pci-stub."""
        return self.device.on_vfio if self.device is not None else unknown("cmd/lspci-nnk")

    @property
    def ats_on(self) -> Fact:
        """Whether it may ask for translations and keep them (Address Translation Services, PCIe capability 0x0f)."""
        if self.device is None:
            return unknown(f"sys/bus/pci/devices/{self.address}/config")
        found: Fact = self.device.capabilities.ats_on
        return found

    @property
    def joined(self) -> Fact:
        """The other functions, bridges and its own slot left out, that hardware puts into its group."""
        if self.device is None:
            return unknown(f"sys/bus/pci/devices/{self.address}/config")
        from doctor.facts.separation import joined

        return joined(self._host.pci, self.device)

    @property
    def boot_vga(self) -> bool:
        """Whether the firmware drew its picture on it."""
        return bool(self.device is not None and self.device.boot_vga)

    @property
    def all_ones(self) -> Fact:
        """Whether a listing read nothing but ones from it (rev ff): it sleeps in D3cold, or is off the bus."""
        if self.device is None or not self.device.revision:
            return unknown("cmd/lspci-nnk")
        return Fact(self.device.revision == "ff", (self.device.source,) if self.device.source else ())

    @property
    def group(self) -> Fact:
        """The number of its IOMMU group."""
        return self.device.group if self.device is not None else unknown("sys/kernel/iommu_groups/")

    @property
    def kept_memory(self) -> Fact:
        """The memory that the firmware wants its group to reach at fixed addresses, as words; none if there is none."""
        number = self.group.value if self.group.known else None
        own = self._host.units.group(number) if isinstance(number, int) else None
        if own is None or not own.reserved.known:
            return unknown(f"sys/kernel/iommu_groups/{'*' if number is None else number}/reserved_regions")
        direct = [(at, region) for at, region in enumerate(own.reserved.value) if region.kind == "direct"]
        sources = tuple(own.reserved.sources[at] for at, _ in direct) or own.reserved.sources[:1]
        return Fact(Listing(f"{one.start:#x}-{one.end:#x}" for _, one in direct), sources)

    @property
    def needed(self) -> Fact:
        """What the host needs the device for, or a function that goes with it; none as far as anybody can tell."""
        found = [need for need in self._host.needs.value if need.address in self.addresses]
        sources = tuple(dict.fromkeys(source for need in found for source in need.sources))
        return Fact(Listing(found), sources, self._host.needs.value.wanted)

    @property
    def members(self) -> Listing:
        """All devices of its group, itself included."""
        group = self.group
        if not group.known or group.value is None:
            return Listing((), False, ("sys/kernel/iommu_groups/",))
        return self._host.pci.members(group.value)

    @property
    def functions(self) -> Listing:
        """All functions of its slot that go with it, itself included: the device as a card."""
        own = [self.device] if self.device is not None else []
        return Listing(sorted([*own, *self.companions], key=lambda device: device.address))

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of these functions."""
        return tuple(device.address for device in self.functions) or (self.address,)

    @cached_property
    def companions(self) -> Listing:
        """Other functions of the slot with another class, in its group or presumed so."""
        own = self.device
        if own is None:
            return Listing((), False, ("cmd/lspci-nnk",))
        found = [d for d in self._host.pci.slot(self.address) if d.address != own.address and self._goes_along(own, d)]
        return Listing(found, bool(found) or self._slot_seen(), ("cmd/lspci-nnk",))

    def _slot_seen(self) -> bool:
        """Whether a listing shows every function of the slot."""
        group = self.group
        listed = group.known and group.value is not None and self._host.pci.members(group.value).complete
        return self._host.pci.complete or bool(listed)

    @staticmethod
    def _goes_along(own: Device, other: Device) -> bool:
        """Whether a function of the same slot is part of the same card."""
        if other.class_ is None or own.class_ is None or other.class_ == own.class_ or other.is_bridge:
            return False
        if not (own.group.known and other.group.known) or own.group.value == other.group.value:
            return True
        picture = own.class_.startswith("03") and (own.ids or "").startswith("1002:")
        return picture and other.class_ == "0403" and (other.ids or "").startswith("1002:")

    @property
    def kept_companions(self) -> Listing:
        """Companions that no VM manager will take along with the device."""
        companions = self.companions
        kept = [d for d in companions if not self._targets.get(d.address, False)]
        return Listing(kept, companions.complete, companions.wanted)

    @property
    def choices(self) -> str:
        """The cards that bear its id, for somebody to choose from."""
        slots: dict[str, bool] = {}
        same = self._host.pci.with_ids(self.device.ids) if self.device is not None and self.device.ids else []
        for device in same:
            shows = any(function.boot_vga for function in self._host.pci.slot(device.address))
            slots[device.slot.removeprefix("0000:")] = shows
        told = {True: say(" (it shows the firmware's picture)"), False: ""}
        return say(" or ").join(slot + told[shows] for slot, shows in slots.items())

    @property
    def unbound_companions(self) -> Listing:
        """Companions that a host driver holds and that no VM manager will take."""
        return Listing(
            d for d in self.companions if d.acceptable.value is False and not self._targets.get(d.address, False)
        )

    @cached_property
    def neighbours(self) -> Listing:
        """The other endpoints of the group that are not part of the card and go to no guest along with it."""
        members = self.members
        companions = {device.address for device in self.companions}
        found = [
            d
            for d in members
            if d.address != self.address
            and d.address not in companions
            and d.address not in self._along
            and (d.class_ or "")[:4] not in ("0604", "0609", "0600")
            and not (d.physfn and d.physfn == self.address)
        ]
        return Listing(found, members.complete, members.wanted)

    @property
    def obstacles(self) -> Listing:
        """Neighbours that a host driver holds; QEMU's refusal proves it of those whose driver is not seen."""
        refused = bool(self.not_viable.value)
        found = []
        for device in self.neighbours:
            value = device.acceptable.value
            if value is False or (value is UNKNOWN and refused):
                found.append(device)
        return Listing(found, self.neighbours.complete, self.neighbours.wanted)

    @property
    def not_viable(self) -> Fact:
        """A refusal of its group as a whole."""
        return self.said.lookup("qemu_not_viable")

    @property
    def no_group_node(self) -> Fact:
        """A complaint that /dev/vfio/N of its group does not exist: nothing in it is bound to vfio-pci."""
        events = [
            event
            for event in self.said.all("qemu_group_open_failed")
            if "No such file" in event.fields.get("error", "")
        ]
        return Fact(Listing(events), tuple(event.source for event in events[:2]))

    @cached_property
    def said(self) -> Said:
        """What log lines say of this device or of its group."""
        group = self.group
        return Said(self._host.log, self.address, str(group.value) if group.known else None)

    @property
    def in_ids(self) -> Fact:
        """Whether a configured id is this device's."""
        wanted = self._host.binding.wanted
        if not wanted.known or self.device is None or self.device.ids is None:
            return wanted if not wanted.known else unknown("cmd/lspci-nnk")
        return wanted._replace(value=self.device.ids in wanted.value)

    @property
    def ids_words(self) -> tuple[str, ...]:
        """The card's ids as words of the command line, to be taken out of its list."""
        return tuple(f"vfio-pci.ids={ids}" for ids in self.wanted_ids)

    @property
    def ids_on_cmdline(self) -> bool:
        """Whether the command line's list holds one of the card's ids."""
        given: Any = self._host.cmdline.lookup("vfio-pci.ids")
        return bool(given.known and given.value and set(self.wanted_ids) & set(str(given.value).split(",")))

    @property
    def ids_in_modprobe(self) -> bool:
        """Whether modprobe.d's list holds one of the card's ids."""
        option = self._host.modprobe.option("vfio-pci", "ids")
        return bool(option.known and option.value and set(self.wanted_ids) & set(str(option.value).split(",")))

    @property
    def remaining_ids(self) -> str:
        """What is left of modprobe.d's list without the card's ids."""
        option = self._host.modprobe.option("vfio-pci", "ids")
        listed = str(option.value).split(",") if option.known and option.value else []
        return ",".join(ids for ids in listed if ids not in self.wanted_ids)

    @property
    def wanted_ids(self) -> tuple[str, ...]:
        """The ids of the whole card."""
        return tuple(dict.fromkeys(d.ids for d in self.functions if d.ids))

    @property
    def twins(self) -> Listing:
        """Devices of other slots with the same configured id, that a host driver holds or the host boots with."""
        if self.device is None or not self.device.ids or self.in_ids.value is not True:
            return Listing()
        twins = [d for d in self._host.pci.with_ids(self.device.ids) if d.slot != self.device.slot]
        return Listing(d for d in twins if d.address not in self._targets or d.acceptable.value is False or d.boot_vga)

    @property
    def alike(self) -> Listing:
        """Devices of other slots that no guest is meant to have and that its ids, once configured, would take too."""
        found = [other for ids in self.wanted_ids for other in self._host.pci.with_ids(ids)]
        slot = self.address.rpartition(".")[0]
        kept = [other for other in found if other.slot != slot and other.address not in self._targets]
        return Listing({other.address: other for other in kept}.values())

    @property
    def virtual(self) -> bool:
        """Whether it is an SR-IOV virtual function, which is not there before the host makes it."""
        return self.device is not None and self.device.physfn is not None

    @property
    def waits(self) -> bool:
        """Whether something that lasts has set its driver_override to vfio-pci, and no driver holds it."""
        if self.device is None or self.device.override != "vfio-pci" or self.device.driver.value is not None:
            return False
        lasting = self._host.overrides.vfio
        return lasting.known and self.address in lasting.value

    @property
    def host_drivers(self) -> tuple[str, ...]:
        """The modules of the host's drivers for the card: those that lspci names, else the drivers that hold it.

        (A driver's name is not always its module's: bochs-drm is in bochs, xhci_hcd in xhci_pci.)
        """
        names: list[str] = []
        for device in self.functions:
            held = [str(device.driver.value)] if device.driver.known and device.driver.value else []
            names += list(device.modules) or held
        taken = ("vfio-pci", "vfio_pci", "pci-stub", "pcieport")
        return tuple(dict.fromkeys(str(name) for name in names if name not in taken))

    @property
    def vms(self) -> Listing:
        """The VMs whose configuration names it."""
        slot = self.address.rpartition(".")[0]
        return Listing(
            vm for vm in self._host.virtual_machines if any(p.address in (self.address, slot) for p in vm.devices)
        )

    @property
    def vm(self) -> Any:
        """The VM that names it and whose configuration most wants a look; None if no VM does."""
        return next((vm for vm in self.vms if vm.problems), next(iter(self.vms), None))
