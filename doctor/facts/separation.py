"""What the hardware itself would put into one IOMMU group with a function: what an ACS override only hides.

Source: linux drivers/iommu/iommu.c (pci_device_group). The override (an out-of-tree patch of drivers/pci/quirks.c)
changes what the kernel takes for isolated, not what is; so here only what ports and functions say of themselves counts.
Functions of one slot go together anyway and are left out.
"""

from __future__ import annotations

from doctor.facts.fact import UNKNOWN, Fact, Listing, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doctor.facts.pci import Device, Pci


def joined(pci: Pci, device: Device) -> Fact:
    """The other functions, bridges left out, that share a group with `device` in hardware; a Listing of devices.

    Unknown where a bridge above does not say whether it isolates, or not all bridges or functions are known.
    """
    path, whole = pci.topology.above(device.address)
    ports = [pci.get(address) for address in path]
    told = [UNKNOWN if port is None else pci.isolates(port).value for port in ports]
    if not whole or UNKNOWN in told or not pci.complete:
        return unknown(*[f"sys/bus/pci/devices/{address}/config" for address in (*path, device.address)])
    open_ = [port for port, isolates in zip(ports, told, strict=True) if port is not None and isolates is False]
    sources = tuple(port.source for port in ports if port is not None and port.source is not None)
    if not open_:
        return Fact(Listing(()), sources)
    top = open_[-1]
    roots = {top.address}
    if pci.multifunction(top).value is not False:
        roots |= {one.address for one in pci.slot(top.address) if pci.isolates(one).value is not True}
    below = [
        other
        for other in pci.all()
        if (other.class_ or "")[:2] != "06"
        and other.slot != device.slot
        and roots & {other.address, *pci.topology.above(other.address)[0]}
    ]
    return Fact(Listing(below), sources)
