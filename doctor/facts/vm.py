"""Virtual machines: which devices their configurations and error messages name.

Sources: Proxmox's qemu-server/ID.conf (qm.conf(5), hostpciN), libvirt's domain XML (see libvirt.py), QEMU
command lines (`-device vfio-pci,host=`).

>>> piece = Piece("etc/pve/qemu-server/101.conf", "machine: q35\\nonboot: 1\\nhostpci0: 01:00,pcie=1,x-vga=1", "p")
>>> vm = _proxmox(piece, {})
>>> vm.id, vm.devices[0].address, vm.devices[0].whole_slot, vm.starts_at_boot.value
('101', '0000:01:00', True, True)
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from doctor.evidence.types import Evidence, Piece, Source
from doctor.facts.fact import Fact, Listing, unknown
from doctor.facts.messages import Log, full_address

_ADDRESS = re.compile(r"(?:[0-9a-fA-F]{4,6}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(?:\.[0-7])?")
_WHOLE = re.compile(r"id=hostpci\d{1,2}\.\d")
_QEMU = re.compile(r"-device\s*[\"']?vfio-pci,[^\s]{0,80}?host=([0-9a-fA-F:]{4,12}\.[0-7])")


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


def read(evidence: Evidence, log: Log) -> list[Machine]:
    """The VMs that the evidence shows, Proxmox's first."""
    mapped = _mapped(evidence)
    found = [_proxmox(p, mapped) for p in evidence.under("etc/pve/", ".conf") if "qemu-server/" in p.path]
    autostarted = _autostarted(evidence)
    for path in ("cmd/virsh-dumpxml", *[p for p in evidence.paths() if _is_domain(p)]):
        found += [vm for piece in evidence.pieces(path) for vm in _libvirt(piece, autostarted)]
    for path in ("cmd/messages", "text/other"):
        found += [vm for piece in evidence.pieces(path) if (vm := _qemu(piece)) is not None]
    return [vm for vm in found if vm.devices]


def _is_domain(path: str) -> bool:
    """Whether a path is that of a domain's XML; libvirt keeps its networks in a folder below."""
    return path.startswith("etc/libvirt/qemu/") and path.count("/") == 3 and path.endswith(".xml")


def _mapped(evidence: Evidence) -> dict[str, list[str]]:
    """The slots or functions behind each name of a resource mapping, on this node where the file tells nodes apart.

    Source: Proxmox VE, PVE/Mapping/PCI.pm: a heading without indentation, below it `map id=…,node=…,path=…`.
    """
    host = evidence.last("proc/sys/kernel/hostname")
    node = host.text.strip().partition(".")[0] if host is not None else ""
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for piece in evidence.pieces("etc/pve/mapping/pci.cfg"):
        name = ""
        for line in piece.text.splitlines():
            if line[:1] not in " \t#":
                name = line.strip()
            elif name and line.split(None, 1)[:1] == ["map"]:
                pairs = dict(pair.strip().partition("=")[::2] for pair in line.split(None, 1)[1].split(","))
                found.setdefault(name, []).append((pairs.get("node", ""), pairs.get("path", "").split(";")))
    chosen = {}
    for name, maps in found.items():
        here = [paths for where, paths in maps if where == node] or [paths for _, paths in maps]
        chosen[name] = [path.strip() for paths in here for path in paths]
    return chosen


def _proxmox(piece: Piece, mapped: dict[str, list[str]]) -> Machine:
    """A VM of Proxmox; what follows a `[snapshot]` heading is not its present state."""
    name = piece.path.rpartition("/")[2].partition(".conf")[0]
    values: dict[str, tuple[str, int]] = {}
    for index, line in enumerate(piece.text.splitlines()):
        if line.startswith("["):
            break
        key, colon, value = line.strip().partition(":")
        if colon and not key.startswith("#"):
            values[key] = (value.strip(), index)
    devices: list[Passed] = []
    for key, (value, index) in values.items():
        if key.startswith("hostpci") and key[7:].isdigit():
            devices += _hostpci(key, value, piece.cite(index, line.strip()), mapped)
    whole = piece.state == "whole"

    def fact(key: str, otherwise: Any) -> Fact:
        if key in values:
            return Fact(values[key][0], (piece.cite(values[key][1]),))
        return Fact(otherwise, (piece.whole(),)) if whole else Fact(otherwise, (), weak=True)

    boots = fact("onboot", "0")
    if "machine" in values:  # [[type=]NAME][,viommu=…]
        values["machine"] = (values["machine"][0].split(",")[0].removeprefix("type="), values["machine"][1])
    machine = fact("machine", "i440fx") if whole or "machine" in values else Fact("q35", weak=True)
    return Machine(
        name if name.isdigit() else None, "proxmox", tuple(devices), machine, fact("bios", "seabios"),
        boots._replace(value=boots.value in ("1", "yes", "true")), piece.whole(),
    )  # fmt: skip


def _hostpci(key: str, value: str, source: Source, mapped: dict[str, list[str]]) -> list[Passed]:
    """The devices of one hostpciN line: several are separated by `;`, a slot without function means all of it."""
    options: dict[str, str] = {}
    addresses: list[str] = []
    for number, part in enumerate(value.split(",")):
        name, equals, rest = part.partition("=")
        if equals and name.strip() not in ("host", "mapping"):
            options[name.strip()] = rest.strip()
        elif equals and name.strip() == "mapping":
            addresses += mapped.get(rest.strip(), [])
        elif number == 0 or name == "host":
            addresses += [one.strip() for one in (rest if equals else part).split(";")]
    found = []
    for address in addresses:
        if _ADDRESS.fullmatch(address):
            found.append(
                Passed(
                    full_address(address) if "." in address else _slot(address),
                    "." not in address,
                    key,
                    options,
                    source,
                    True,
                )
            )
    return found


def _slot(text: str) -> str:
    """A slot with its domain.

    >>> _slot("01:00"), _slot("0000:0A:00")
    ('0000:01:00', '0000:0a:00')
    """
    text = text.lower()
    return text if text.count(":") == 2 else "0000:" + text


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


def _qemu(piece: Piece) -> Machine | None:
    """The devices of a QEMU command line or of its errors."""
    devices = []
    managed = False
    for index, line in enumerate(piece.text.splitlines()):
        # Proxmox and libvirt name their devices so; both bind a device when the guest starts.
        managed = managed or "id=hostpci" in line or "id=hostdev" in line
        for found in _QEMU.finditer(line):
            # Proxmox numbers the functions (hostpci0.1) where it was told to pass the whole slot.
            if _WHOLE.search(line):
                slot = full_address(found.group(1)).rpartition(".")[0]
                devices.append(Passed(slot, True, "hostpci", {}, piece.cite(index, line.strip()), managed))
                continue
            devices.append(
                Passed(
                    full_address(found.group(1)),
                    False,
                    "-device vfio-pci",
                    {},
                    piece.cite(index, line.strip()),
                    managed,
                )
            )
    if not devices:
        return None
    unknown_ = Fact(None, weak=True)
    return Machine(None, "qemu", tuple(devices), unknown_, unknown_, Fact(False, weak=True), piece.whole())
