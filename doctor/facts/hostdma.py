"""Which of the host's own devices reach memory without translation: their groups' default domains.

Source: linux Documentation/ABI/testing/sysfs-kernel-iommu_groups, /sys/kernel/iommu_groups/N/type: DMA, DMA-FQ or
identity. A group whose devices VFIO holds keeps its type there, but is in the guest's domain: it does not count.

>>> from doctor.evidence.types import Evidence, Piece
>>> from doctor.facts.messages import Log
>>> from doctor.facts.pci import Pci
>>> from doctor.facts.units import read as units_of
>>> base = "sys/bus/pci/devices/0000:00:1f.6"
>>> texts = {"sys/bus/pci/devices/": "0000:00:1f.6", base + "/class": "0x020000", base + "/iommu_group": "../../7",
...     base + "/driver": "../e1000e", "sys/kernel/iommu_groups/7/type": "identity"}
>>> e = Evidence("bundle", "b", [Piece(path, text, "b") for path, text in texts.items()])
>>> found = read(Pci(e, Log(e, [])), units_of(e))
>>> [device.address for device in found.identity.value], found.complete.value
(['0000:00:1f.6'], True)
"""

from __future__ import annotations

from doctor.facts.device import HARMLESS_DRIVERS
from doctor.facts.fact import Fact, Listing
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from doctor.facts.device import Device
    from doctor.facts.pci import Pci
    from doctor.facts.units import Units

_WANTED = "sys/kernel/iommu_groups/{group}/type"
_BYPASS = "identity"


class HostDma(NamedTuple):
    """identity: the host's devices that are in an identity domain; complete: whether every group's domain is known."""

    identity: Fact
    complete: Fact


def read(pci: Pci, units: Units) -> HostDma:
    """The host's own devices by their groups' default domains."""
    domains = {group.number: group.domain for group in units.groups}
    found: list[Device] = []
    sources: list[Any] = []
    told: list[Any] = []
    own = [device for device in pci.all() if device.is_endpoint and not _given(device)]
    complete = bool(own) and pci.complete
    for device in own:
        if device.group.known and device.group.value is None:
            complete = False  # without a group nothing translates for it: that is for other checks to say
            continue
        domain = domains.get(device.group.value) if device.group.known else None
        if domain is None or not domain.known:
            complete = False
            continue
        told += domain.sources
        if domain.value == _BYPASS:
            found.append(device)
            sources += domain.sources
    identity = Fact(Listing(found, complete, (_WANTED,)), tuple(dict.fromkeys(sources))[:6])
    return HostDma(identity, Fact(complete, tuple(dict.fromkeys(told))[:6] if complete else ()))


def _given(device: Device) -> bool:
    """Whether VFIO or pci-stub holds the device, so that the host does not use it."""
    return bool(device.driver.known and device.driver.value in HARMLESS_DRIVERS)
