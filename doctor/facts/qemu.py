"""QEMU's own command line: the host's devices it takes, and the machine it makes.

Source: QEMU, `-device vfio-pci,help` (host=, sysfsdev=), docs/system; as JSON since QEMU 6.0, which libvirt uses.

>>> devices_of('-device vfio-pci,host=01:00.0,x-vga=on -device {"driver":"vfio-pci","host":"0000:01:00.1"}')
['0000:01:00.0', '0000:01:00.1']
>>> read(Piece("cmd/messages", "kvm -machine type=pc-q35-8.1+pve0 -device vfio-pci,host=02:00.0", "p")).machine.value
'pc-q35-8.1+pve0'
"""

from __future__ import annotations

import re

from doctor.evidence.types import Piece
from doctor.facts.fact import Fact
from doctor.facts.messages import full_address
from doctor.facts.vm import Machine, Passed
from doctor.later import later

_DEVICE = later(
    r"""-device[\s=]{0,8}['"]{0,2}
        (?:vfio-pci(?:-nohotplug|-igd-lpc-bridge)?,(?P<words>[^\s]{0,300})|\{(?P<json>[^{}]{0,400}))""",
    re.VERBOSE,
)
_DRIVER = later(r'"driver"\s?:\s?"vfio-pci')
_HOST = later(
    r"""[,"\s](?:host|sysfsdev)"?\s?[=:]\s?"?(?:/sys/[\w./-]{1,60}/)?
        (?P<address>(?:[0-9a-fA-F]{4,6}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7])
        (?![\w/.-])""",  # a path that goes on is a mediated device's
    re.VERBOSE,
)
_MACHINE = later(r"(?:^|\s)-(?:machine|M)[\s=]{1,4}['\"]?(?:type=)?(?P<type>[\w.+-]{1,40})")
# Proxmox numbers the functions (hostpci0.1) where it was told to pass the whole slot.
_WHOLE = later(r"id\"?[=:]\"?hostpci\d{1,2}\.\d")
# Proxmox and libvirt name their devices so; both bind a device when the guest starts.
_MANAGED = later(r"id\"?[=:]\"?host(?:pci|dev)")


def devices_of(text: str) -> list[str]:
    """The full addresses of the host's devices that the words of a command line name, in order."""
    found = []
    for one in _DEVICE.finditer(text):
        words = one.group("words") or ""
        if one.group("json") and _DRIVER.search(one.group("json")):
            words = one.group("json")
        named = _HOST.search("," + words)
        if named is not None:
            found.append(full_address(named.group("address")))
    return found


def read(piece: Piece) -> Machine | None:
    """The machine of a command line or of QEMU's errors, which repeat it; None if it takes no device."""
    devices: list[Passed] = []
    machine = Fact(None, weak=True)
    managed = False
    for index, line in enumerate(piece.text.split("\n")):
        if "-m" in line.lower() and (kind := _MACHINE.search(line)) is not None:
            machine = Fact(kind.group("type"), (piece.cite(index),))
        if "vfio-pci" not in line:
            continue
        managed = managed or _MANAGED.search(line) is not None
        for address in devices_of(line):
            slot = address.rpartition(".")[0]
            if _WHOLE.search(line):
                devices.append(Passed(slot, True, "hostpci", {}, piece.cite(index), managed))
            else:
                devices.append(Passed(address, False, "-device vfio-pci", {}, piece.cite(index), managed))
    if not devices:
        return None
    unknown_ = Fact(None, weak=True)
    return Machine(None, "qemu", tuple(devices), machine, unknown_, Fact(False, weak=True), piece.whole())
