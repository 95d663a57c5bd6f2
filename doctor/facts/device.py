"""A PCI function with all that is known of it, and the drivers that VFIO accepts beside its own."""

from __future__ import annotations

from doctor.facts.fact import UNKNOWN, Fact
from doctor.record import NamedTuple
from doctor.say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from doctor.evidence.types import Source
    from doctor.facts.capabilities import Capabilities

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


_SHOWN = frozenset(
    (
        *("address", "ids", "name", "driver", "group", "kind", "acceptable", "on_vfio", "brief", "class_"),
        *("capabilities", "isolates", "merged_by", "parent", "reset_methods"),
    )
)


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
    host: Any = None  # the Pci that knows the rest of it

    def lookup(self, name: str) -> Any:
        """What rules may ask of a device."""
        return getattr(self, name) if name in _SHOWN else None

    @property
    def slot(self) -> str:
        """Domain, bus and device without the function."""
        return self.address.rpartition(".")[0]

    @property
    def maker(self) -> str:
        """The vendor's id; of a listing without ids, that of the two makers of host bridges whom their names tell."""
        if self.ids:
            return self.ids.partition(":")[0]
        name = self.name or ""
        return "8086" if name.startswith("Intel ") else "1022" if name.startswith("Advanced Micro Devices") else ""

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
    def capabilities(self) -> Capabilities:
        """What it says of itself in its configuration space."""
        found: Capabilities = self.host.capabilities(self.address)
        return found

    @property
    def isolates(self) -> Fact:
        """Whether it keeps its neighbours, or what is below it, apart: what the kernel calls ACS enabled."""
        found: Fact = self.host.isolates(self)
        return found

    @property
    def parent(self) -> Fact:
        """The address of the bridge above it; None on a root bus."""
        found: Fact = self.host.topology.parent(self.address)
        return found

    @property
    def merged_by(self) -> Fact:
        """Why it shares its group: a `topology.Merge`; None if it is alone there."""
        found: Fact = self.host.topology.merged_by(self)
        return found

    @property
    def reset_methods(self) -> Fact:
        """The ways in which the kernel can reset it."""
        found: Fact = self.host.reset_methods(self.address)
        return found

    @property
    def brief(self) -> str:
        """Address, what it is, and the driver that holds it."""
        driver = self.driver.value
        held = "" if driver is UNKNOWN else say(", held by {driver}", driver=driver) if driver else say(", no driver")
        return f"{self.address} ({self.name or say(self.kind)}{held})"


_KINDS = {
    "0300": "graphics card", "0302": "graphics card", "0380": "graphics card", "0403": "audio", "0401": "audio",
    "0200": "network card", "0280": "Wi-Fi card", "0207": "network card", "0106": "SATA controller",
    "0107": "SAS controller", "0104": "RAID controller", "0108": "NVMe drive", "0c03": "USB controller",
    "0604": "PCI bridge", "0600": "host bridge", "0c80": "USB-C controller", "12": "accelerator", "06": "bridge",
    "01": "storage controller", "02": "network card", "03": "graphics card",
}  # fmt: skip
