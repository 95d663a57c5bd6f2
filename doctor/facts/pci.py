"""PCI devices and their IOMMU groups, joined from sysfs, listings and the kernel's log.

Sysfs beats a listing, a listing beats the log; of two listings the later one says what is so now.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from doctor.evidence.types import EXCERPT, WHOLE, Evidence, Source
from doctor.facts import lspci
from doctor.facts.fact import UNKNOWN, Contradiction, Fact, Listing, unknown
from doctor.facts.messages import Log, full_address, is_address

SYSFS = "sys/bus/pci/devices/"
GROUPS = "sys/kernel/iommu_groups/"
# Drivers that VFIO accepts beside its own in a group (linux drivers/iommu/iommu.c: driver_managed_dma).
VFIO_DRIVERS = frozenset(
    [
        "vfio-pci",
        "vfio_pci",
        "mlx5_vfio_pci",
        "hisi_acc_vfio_pci",
        "pds_vfio_pci",
        "nvgrace_gpu_vfio_pci",
        "virtio_vfio_pci",
        "qat_vfio_pci",
        "xe_vfio_pci",
        "vfio-pci-core",
    ]
)
HARMLESS_DRIVERS = VFIO_DRIVERS | {"pci-stub", "pcieport", "pci_stub"}
BRIDGES = ("06",)


_SHOWN = frozenset(["address", "ids", "name", "driver", "group", "kind", "acceptable", "on_vfio", "brief", "class_"])


class Device(NamedTuple):
    """A PCI function. `driver` and `group` are Facts: a name, None for none, or UNKNOWN.

    `physfn` is a virtual function's physical one, `vfs` how many virtual ones this one has on.
    """

    address: str
    ids: str | None
    class_: str | None
    name: str | None
    driver: Fact
    group: Fact
    modules: tuple[str, ...] = ()
    override: str | None = None
    boot_vga: bool | None = None
    revision: str | None = None
    physfn: str | None = None
    vfs: int | None = None
    source: Source | None = None

    def lookup(self, name: str) -> Any:
        """What rules may ask of a device."""
        return getattr(self, name) if name in _SHOWN else None

    @property
    def slot(self) -> str:
        """Domain, bus and device without the function."""
        return self.address.rpartition(".")[0]

    @property
    def is_bridge(self) -> bool:
        """Whether it is a bridge (class 06)."""
        return (self.class_ or "").startswith("06")

    @property
    def is_endpoint(self) -> bool:
        """Whether a guest could get it: no bridge, and no host bridge."""
        return not self.is_bridge

    @property
    def kind(self) -> str:
        """The class in a word people use."""
        return _KINDS.get(self.class_ or "") or _KINDS.get((self.class_ or "")[:2]) or "device"

    @property
    def acceptable(self) -> Fact:
        """Whether VFIO accepts the device in a group that a guest uses: no driver, or one that VFIO accepts."""
        if not self.driver.known:
            return self.driver
        ok = self.driver.value is None or self.driver.value in HARMLESS_DRIVERS
        if self.is_bridge:
            ok = True
        return self.driver._replace(value=ok)

    @property
    def on_vfio(self) -> Fact:
        """Whether the device is bound to a VFIO driver or pci-stub now."""
        if not self.driver.known:
            return self.driver
        return self.driver._replace(value=self.driver.value in VFIO_DRIVERS | {"pci-stub", "pci_stub"})

    @property
    def brief(self) -> str:
        """Address, what it is, and the driver that holds it."""
        driver = self.driver.value
        held = "" if driver is UNKNOWN else f", held by {driver}" if driver else ", no driver"
        return f"{self.address} ({self.name or self.kind}{held})"


_KINDS = {
    "0300": "graphics card", "0302": "graphics card", "0380": "graphics card", "0403": "audio", "0401": "audio",
    "0200": "network card", "0280": "Wi-Fi card", "0207": "network card", "0106": "SATA controller",
    "0107": "SAS controller", "0104": "RAID controller", "0108": "NVMe drive", "0c03": "USB controller",
    "0604": "PCI bridge", "0600": "host bridge", "0c80": "USB-C controller", "12": "accelerator", "06": "bridge",
    "01": "storage controller", "02": "network card", "03": "graphics card",
}  # fmt: skip


class Pci:
    """All devices of a host by address, and the groups they are in."""

    def __init__(self, evidence: Evidence, log: Log) -> None:
        """Reads every source of `evidence` and the group lines of `log`."""
        self.contradictions: list[Contradiction] = []
        self._devices: dict[str, Device] = {}
        self.complete = False  # whether every function of the machine is listed
        self._group_lists_complete: set[int] | None = set()
        self._from_driver_lines(log)
        self._from_groups(evidence, log)
        self._from_listings(evidence)
        self._from_sysfs(evidence)
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
        found = [d for d in self.all() if d.group.known and d.group.value == number]
        done = self._group_lists_complete is None or number in self._group_lists_complete
        return Listing(found, done, ("sys/kernel/iommu_groups/",))

    def with_ids(self, ids: str) -> list[Device]:
        """The devices with these vendor and device ids."""
        return [device for device in self.all() if device.ids == ids]

    def _merge(self, address: str, **values: Any) -> None:
        """Adds what a source says of a device: what it does not know leaves what is known."""
        device = self._devices.get(address)
        if device is None:
            driver, group = unknown("cmd/lspci-nnk"), unknown("sys/kernel/iommu_groups/")
            device = Device(address, None, None, None, driver, group)
        kept = {key: value for key, value in values.items() if value is not None and value != ()}
        for key in ("driver", "group"):
            fact = kept.get(key)
            if fact is not None and not fact.known:
                del kept[key]
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
            for index, line in enumerate(piece.text.splitlines()):
                number, address = _group_link(line)
                if address is not None and number is not None:
                    self._merge(
                        address,
                        group=Fact(number, (piece.cite(index, line.strip()),)),
                        source=piece.cite(index, line.strip()),
                    )
                    if whole or (piece.state == EXCERPT and piece.command is None):
                        self._complete_group(number)
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

    def _note_change(self, entry: lspci.Entry) -> None:
        """Two listings that show different drivers for one device."""
        known = self._devices.get(entry.address)
        if known is None or not known.driver.known or entry.driver is UNKNOWN or known.driver.value == entry.driver:
            return
        sources = (*known.driver.sources, entry.driver_source)
        text = f"the later listing was believed: {entry.driver or 'no driver'}"
        self.contradictions.append(Contradiction(f"driver of {entry.address}", sources, text))

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


def _group_link(line: str) -> tuple[int | None, str | None]:
    """Group and device of a line of `find /sys/kernel/iommu_groups -type l`, or of `find .` there.

    >>> _group_link("/sys/kernel/iommu_groups/17/devices/0000:00:1f.2")
    (17, '0000:00:1f.2')
    """
    head, mark, rest = line.partition("/devices/")
    number = head.rpartition("/")[2]
    words = rest.split()
    if not mark or not number.isdigit() or not words:
        return None, None
    address = words[0].strip(":'\"")
    return int(number), full_address(address) if is_address(address) else None
