"""A virtual machine of Proxmox VE: `qemu-server/ID.conf` and the cluster's resource mappings.

Source: Proxmox VE, qm.conf(5) (hostpciN, machine, bios, onboot, args) and PVE/Mapping/PCI.pm.

>>> piece = Piece("etc/pve/qemu-server/101.conf", "machine: q35\\nonboot: 1\\nhostpci0: 01:00,pcie=1,x-vga=1", "p")
>>> vm = read(piece, {})
>>> vm.id, vm.devices[0].address, vm.devices[0].whole_slot, vm.starts_at_boot.value
('101', '0000:01:00', True, True)
"""

from __future__ import annotations

from doctor.evidence.types import Evidence, Piece, Source
from doctor.facts.fact import Fact
from doctor.facts.messages import full_address
from doctor.facts.qemu import devices_of
from doctor.facts.vm import Machine, Passed
from doctor.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ADDRESS = later(r"(?:[0-9a-fA-F]{4,6}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(?:\.[0-7])?")


def mapped(evidence: Evidence) -> dict[str, list[str]]:
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


def read(piece: Piece, mappings: dict[str, list[str]]) -> Machine:
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
            devices += _hostpci(key, value, piece.cite(index), mappings)
        elif key == "args":  # words for QEMU itself: nobody binds what they name
            devices += [Passed(one, False, "args", {}, piece.cite(index), False) for one in devices_of(value)]
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


def _hostpci(key: str, value: str, source: Source, mappings: dict[str, list[str]]) -> list[Passed]:
    """The devices of one hostpciN line: several are separated by `;`, a slot without function means all of it."""
    options: dict[str, str] = {}
    addresses: list[str] = []
    for number, part in enumerate(value.split(",")):
        name, equals, rest = part.partition("=")
        if equals and name.strip() not in ("host", "mapping"):
            options[name.strip()] = rest.strip()
        elif equals and name.strip() == "mapping":
            addresses += mappings.get(rest.strip(), [])
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
