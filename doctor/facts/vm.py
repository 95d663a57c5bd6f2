"""Virtual machines: which devices their configurations and error messages name.

One module a manager: proxmox.py, libvirt.py, qemu.py; each is imported where its evidence is.

>>> evidence = Evidence("paste", "p", [Piece("cmd/messages", "kvm -device vfio-pci,host=01:00.0", "p")])
>>> [vm.devices[0].address for vm in read(evidence)]
['0000:01:00.0']
"""

from __future__ import annotations

from doctor.evidence.types import Evidence, Piece, Source
from doctor.facts.fact import Fact, Listing, unknown
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Passed(NamedTuple):
    """A device that a VM's configuration names. `address` lacks the function when the whole slot is meant.

    `managed`: the VM manager binds it to vfio-pci itself when the guest starts.
    """

    address: str
    whole_slot: bool
    key: str
    options: dict[str, str]
    source: Source
    managed: bool


class Machine(NamedTuple):
    """A virtual machine. `id` is None where the paste does not name it."""

    id: str | None
    manager: str  # proxmox, libvirt or qemu
    devices: tuple[Passed, ...]
    machine: Fact
    bios: Fact
    starts_at_boot: Fact
    source: Source

    def lookup(self, name: str) -> Any:
        """The members as rules ask for them."""
        if name == "problems":
            return Fact(self.problems, tuple(passed.source for passed in self.devices[:2]))
        return getattr(self, name, None) if name in (*self._fields, "label", "passes") else None

    @property
    def passes(self) -> bool:
        """Whether it is given any PCI device."""
        return bool(self.devices)

    @property
    def label(self) -> str:
        """The VM in words."""
        return f"VM {self.id}" if self.id else "a VM"

    @property
    def problems(self) -> Listing:
        """What in its configuration cannot work, in words."""
        found = []
        for passed in self.devices:
            i440fx = self.machine.known and not str(self.machine.value or "").startswith(("q35", "pc-q35"))
            if passed.options.get("pcie") in ("1", "on", "true") and i440fx:
                has = self.machine.value or "i440fx"
                found.append(f"{passed.key} says pcie=1, which needs the machine type q35, and the VM has {has}")
        return Listing(found)


def read(evidence: Evidence) -> list[Machine]:
    """The VMs that the evidence shows and that are given a device, Proxmox's first."""
    found: list[Machine] = []
    configurations = [p for p in evidence.under("etc/pve/", ".conf") if "qemu-server/" in p.path]
    if configurations:
        from doctor.facts import proxmox

        mappings = proxmox.mapped(evidence)
        found += [proxmox.read(piece, mappings) for piece in configurations]
    autostarted = _autostarted(evidence)
    for path in ("cmd/virsh-dumpxml", *[p for p in evidence.paths() if _is_domain(p)]):
        found += [vm for piece in evidence.pieces(path) for vm in _libvirt(piece, autostarted)]
    for piece in [p for path in ("cmd/messages", "text/other") for p in evidence.pieces(path)]:
        if "vfio-pci" in piece.text:
            from doctor.facts import qemu

            vm = qemu.read(piece)
            found += [] if vm is None else [vm]
    return [vm for vm in found if vm.devices]


def _is_domain(path: str) -> bool:
    """Whether a path is that of a domain's XML; libvirt keeps its networks in a folder below."""
    return path.startswith("etc/libvirt/qemu/") and path.count("/") == 3 and path.endswith(".xml")


def _libvirt(piece: Piece, autostarted: Fact) -> list[Machine]:
    """The VMs of a domain's XML, whole or in part."""
    from doctor.facts.libvirt import read as domains

    found = []
    for domain in domains(piece):
        devices = tuple(
            Passed(one.address, False, one.key, {}, piece.cite(one.row), one.managed) for one in domain.devices
        )
        machine, loader = (_said(piece, said) for said in (domain.machine, domain.loader))
        starts = Fact(False, weak=True)
        if autostarted.known and domain.name:
            starts = Fact(domain.name in autostarted.value, autostarted.sources)
        found.append(Machine(domain.name, "libvirt", devices, machine, loader, starts, piece.whole()))
    return found


def _said(piece: Piece, said: tuple[str, int] | None) -> Fact:
    """A value of the XML with its line."""
    return Fact(None, weak=True) if said is None else Fact(said[0], (piece.cite(said[1]),))


def _autostarted(evidence: Evidence) -> Fact:
    """The names of the domains that libvirt starts with the host."""
    listing = evidence.listing("etc/libvirt/qemu/autostart/")
    if listing is None:
        return unknown("etc/libvirt/qemu/autostart/")
    names, piece = listing
    return Fact(frozenset(name.removesuffix(".xml") for name in names), (piece.whole(),))
