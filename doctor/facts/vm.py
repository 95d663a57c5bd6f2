"""Virtual machines: which devices their configurations and error messages name.

Sources: Proxmox's qemu-server/ID.conf (qm.conf(5), hostpciN), libvirt's domain XML (`<hostdev>`), QEMU
command lines (`-device vfio-pci,host=`).

>>> piece = Piece("etc/pve/qemu-server/101.conf", "machine: q35\\nonboot: 1\\nhostpci0: 01:00,pcie=1,x-vga=1", "p")
>>> vm = _proxmox(piece)
>>> vm.id, vm.devices[0].address, vm.devices[0].whole_slot, vm.starts_at_boot.value
('101', '0000:01:00', True, True)
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from doctor.evidence.types import Evidence, Piece, Source
from doctor.facts.fact import Fact, Listing
from doctor.facts.messages import Log, full_address

_ADDRESS = re.compile(r"(?:[0-9a-fA-F]{4,6}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(?:\.[0-7])?")
_XML_ADDRESS = re.compile(
    r"<address\s[^>]{0,80}?domain=['\"]0x([0-9a-fA-F]{4})['\"]\s+bus=['\"]0x([0-9a-fA-F]{2})['\"]\s+slot=['\"]0x([0-9a-fA-F]{2})['\"]\s+function=['\"]0x([0-7])['\"]"
)
_WHOLE = re.compile(r"id=hostpci\d{1,2}\.\d")
_QEMU = re.compile(r"-device\s*[\"']?vfio-pci,[^\s]{0,80}?host=([0-9a-fA-F:]{4,12}\.[0-7])")


class Passed(NamedTuple):
    """A device that a VM's configuration names. `address` lacks the function when the whole slot is meant."""

    address: str
    whole_slot: bool
    key: str
    options: dict[str, str]
    source: Source


class Machine(NamedTuple):
    """A virtual machine. `id` is None where the paste does not name it."""

    id: str | None
    manager: str  # proxmox, libvirt or qemu
    devices: tuple[Passed, ...]
    machine: Fact
    bios: Fact
    starts_at_boot: Fact
    managed: bool
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
    found = [_proxmox(p) for p in evidence.under("etc/pve/", ".conf") if "qemu-server/" in p.path]
    for path in ("cmd/virsh-dumpxml", *[p for p in evidence.paths() if p.startswith("etc/libvirt/qemu/")]):
        found += [vm for piece in evidence.pieces(path) if (vm := _libvirt(piece)) is not None]
    for path in ("cmd/messages", "text/other"):
        found += [vm for piece in evidence.pieces(path) if (vm := _qemu(piece)) is not None]
    return [vm for vm in found if vm.devices]


def _proxmox(piece: Piece) -> Machine:
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
            devices += _hostpci(key, value, piece.cite(index, line.strip()))
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
        boots._replace(value=boots.value in ("1", "yes", "true")), True, piece.whole(),
    )  # fmt: skip


def _hostpci(key: str, value: str, source: Source) -> list[Passed]:
    """The devices of one hostpciN line: several are separated by `;`, a slot without function means all of it."""
    options: dict[str, str] = {}
    addresses: list[str] = []
    for number, part in enumerate(value.split(",")):
        name, equals, rest = part.partition("=")
        if equals and name != "host":
            options[name.strip()] = rest.strip()
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


def _libvirt(piece: Piece) -> Machine | None:
    """The host devices of a domain's XML, whole or in part; read line by line, never by an XML parser."""
    devices: list[Passed] = []
    managed, inside, hostdev = True, False, False
    for index, line in enumerate(piece.text.splitlines()):
        if "<hostdev" in line:
            hostdev = True
            managed = "managed='yes'" in line or 'managed="yes"' in line
        if hostdev and "<source" in line:
            inside = True
        found = _XML_ADDRESS.search(line) if hostdev and inside else None
        if found:
            address = "{}:{}:{}.{}".format(*found.groups()).lower()
            devices.append(Passed(address, False, "hostdev", {}, piece.cite(index, line.strip())))
        if "</source" in line:
            inside = False
        if "</hostdev" in line:
            hostdev = False
    if not devices:
        return None
    return Machine(
        None,
        "libvirt",
        tuple(devices),
        Fact(None, weak=True),
        Fact(None, weak=True),
        Fact(False, weak=True),
        managed,
        piece.whole(),
    )


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
                devices.append(Passed(slot, True, "hostpci", {}, piece.cite(index, line.strip())))
                continue
            devices.append(
                Passed(
                    full_address(found.group(1)),
                    False,
                    "-device vfio-pci",
                    {},
                    piece.cite(index, line.strip()),
                )
            )
    if not devices:
        return None
    unknown_ = Fact(None, weak=True)
    return Machine(None, "qemu", tuple(devices), unknown_, unknown_, Fact(False, weak=True), managed, piece.whole())
