"""Whose each piece of a paste is, where a thread shows more than one machine.

What a guest printed does not speak for its host, nor one person's host for another's. The host in question is
the one that most of the evidence about passthrough is of; the pieces of the others go to `text/guest` and
`text/other-host`, each with the reason, where no reader of facts looks. A machine alone is never set aside: a
guest that was asked about is the host in question.

>>> from doctor.evidence.types import Piece
>>> error = Piece("cmd/messages", "kvm: -device vfio-pci,host=0000:01:00.0: vfio 0000:01:00.0: group 1 is not viable")
>>> log = Piece("cmd/dmesg", "[    0.0] DMI: QEMU Standard PC (Q35 + ICH9, 2009)")
>>> [piece.path for piece in sort_out([error, log], [Origin("pve"), Origin("win")])]
['cmd/messages', 'text/guest']
>>> [piece.path for piece in sort_out([log], [Origin("win")])]
['cmd/dmesg']
"""

from __future__ import annotations

import re
from functools import cache

from doctor.evidence.types import EXCERPT, Piece
from doctor.record import NamedTuple

GUESTS, OTHERS = "text/guest", "text/other-host"
# What only a host has: its virtual machines, and what starts them says.
_HOSTS = ("etc/pve/", "etc/libvirt/", "cmd/virsh-dumpxml", "cmd/pveversion", "cmd/proxmox-boot-tool", "cmd/kvm-ok")
_STARTS = r"(?i)-device vfio-pci|vfio [0-9a-f:.]{7,16}|TASK ERROR|QEMU exited|qemu-system|libvirt"
_ASSIGNS = r"vfio-pci|DMAR: DRHD|DMAR-IR|AMD-Vi: |Adding to iommu group|intel_iommu=|amd_iommu=|iommu=pt|iommu_groups"
_VIRTUAL = (
    r"DMI: (?:QEMU|VMware|innotek|Microsoft Corporation Virtual|Red Hat KVM|Xen HVM|Bochs|Parallels|Google Google"
    r"|Amazon EC2 |oVirt|OpenStack)|Hypervisor detected: (?:KVM|VMware|Microsoft|Xen HVM)"
    r"|Booting paravirtualized kernel on (?:KVM|Hyper-V|VMware)|\[1b36:|\[1234:1111\]|\[15ad:0|\[80ee:|82440FX"
    r"|Red Hat, Inc\.? Q|QXL paravirt|Red Hat, Inc\.? Virtio|Hypervisor vendor:\s{0,20}(?:KVM|VMware|Microsoft|Xen)"
)
_REAL = r"DMI: |vfio-pci [0-9a-f:.]{7,16}: |Kernel driver in use: vfio-pci"
_VIRTUAL_HINTS = (
    "DMI: ",
    "Hypervisor ",
    "paravirtualized",
    "[1b36:",
    "[1234:",
    "[15ad:",
    "[80ee:",
    "82440FX",
    "Red Hat, ",
    "QXL",
)
_LOOKED_AT = 200_000  # characters of a piece
# What a guest has as well as its host.
_OF_ANY = ("cmd/dmesg", "cmd/journalctl-k", "cmd/lspci-nnk", "cmd/iommu-groups", "cmd/lsmod", "cmd/uname", "cmd/lscpu",
           "cmd/systemd-detect-virt", "proc/", "sys/", "etc/default/", "etc/os-release", "etc/modprobe.d/",
           "etc/modules",
           "boot/", "var/log/", "dev/", "cmd/mokutil", "cmd/efibootmgr", "cmd/bootctl", "cmd/hostnamectl")  # fmt: skip


@cache
def _pattern(source: str) -> re.Pattern[str]:
    return re.compile(source)


def _shows(source: str, text: str) -> bool:
    """Whether a text shows what a pattern is of."""
    if source is _VIRTUAL and not any(word in text for word in _VIRTUAL_HINTS):
        return False
    return _pattern(source).search(text, 0, _LOOKED_AT) is not None


class Origin(NamedTuple):
    """Where a piece stood: below a prompt of which host, below a heading that says "guest" or "host"."""

    host: str | None = None
    section: str = ""


def host_of(name: str | None) -> str | None:
    """The machine in `user@host`, without its domain.

    >>> host_of("root@PVE.lan"), host_of(None)
    ('pve', None)
    """
    return name.rpartition("@")[2].lower().split(".")[0] or None if name else None


def sort_out(pieces: list[Piece], origins: list[Origin]) -> list[Piece]:
    """The pieces, those of other machines than the one in question under paths that no fact is read from."""
    if not _several(pieces, origins):
        return pieces
    seen = [_Seen(piece, origin) for piece, origin in zip(pieces, origins, strict=True)]
    names = {one.host for one in seen if one.host is not None}
    guests = {name for name in names if _is_guest([one for one in seen if one.host == name])}
    main = _main([one for one in seen if one.host not in guests])
    beside = main is not None or any(one.host not in guests and one.hosts for one in seen)
    return [_aside(one.piece, why) if (why := _why(one, main, guests, beside)) else one.piece for one in seen]


class _Seen:
    """A piece and what it shows of the machine that it was read on."""

    def __init__(self, piece: Piece, origin: Origin) -> None:
        text = piece.text[:_LOOKED_AT]
        self.piece, self.host, self.section = piece, origin.host, origin.section
        self.told = not piece.path.startswith("text/")
        self.common = piece.path.startswith(_OF_ANY)
        self.virtual = self.common and _shows(_VIRTUAL, text)
        self.assigns = self.told and _shows(_ASSIGNS, text)
        starts = piece.path == "cmd/messages" and _shows(_STARTS, text)
        self.hosts = piece.path.startswith(_HOSTS) or starts
        self.hosts = self.hosts or (self.common and not self.virtual and _shows(_REAL, text))
        self.points = 1 + 6 * self.hosts + 8 * starts + 3 * self.assigns


def _why(one: _Seen, main: str | None, guests: set[str], beside: bool) -> str:
    """Why a piece is not of the machine in question; empty if it is, as far as can be told."""
    if not one.told or not beside:
        return ""
    if one.host is not None and one.host != main:
        about = f", and most of the paste is about {main}" if main else ""
        return f"of {'a guest' if one.host in guests else 'another host'}: the prompt names {one.host}{about}"
    if one.host is None and one.common and one.section == "guest":
        return "of a guest: the words above it say so"
    if one.host is None and one.virtual and not one.assigns and one.section != "host":
        return "of a guest: it shows virtual hardware, and the paste a host beside it"
    return ""


def _several(pieces: list[Piece], origins: list[Origin]) -> bool:
    """Whether the paste may show more than one machine; cheap, for most show one."""
    if len({origin.host for origin in origins if origin.host}) > 1 or any(one.section == "guest" for one in origins):
        return True
    common = [piece for piece in pieces if piece.path.startswith(_OF_ANY)]
    return len(pieces) > 1 and any(_shows(_VIRTUAL, piece.text) for piece in common)


def _is_guest(seen: list[_Seen]) -> bool:
    """Whether a machine is a guest that hosts nothing itself; with virtual hardware, a host may be one as well."""
    if any(one.hosts or one.assigns for one in seen):
        return False
    return any(one.virtual or (one.section == "guest" and one.common) for one in seen)


def _main(seen: list[_Seen]) -> str | None:
    """The host whose passthrough the paste is about; None if no prompt names one."""
    score: dict[str, int] = {}
    for one in seen:
        if one.host is not None and one.told:
            score[one.host] = score.get(one.host, 0) + one.points
    return max(score, key=lambda host: score[host]) if score else None


def _aside(piece: Piece, why: str) -> Piece:
    path = OTHERS if why.startswith("of another host") else GUESTS
    return piece._replace(path=path, state=EXCERPT, reason=f"{piece.path} {why}")
