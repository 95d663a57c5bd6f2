"""A host's files by their names in a directory or an archive: which evidence path each is.

Sosreports keep files at their own paths and commands' outputs under `sos_commands/PLUGIN/command_-args`.
"""

from __future__ import annotations

from doctor.evidence.clean import BREAKS
from doctor.evidence.types import Piece

# First part of a path that evidence may have; anything else in a stranger's tree is not looked at.
ROOTS = (
    "etc/",
    "proc/",
    "sys/",
    "boot/",
    "lib/modules/",
    "usr/lib/modprobe.d/",
    "lib/modprobe.d/",
    "usr/lib/modules-load.d/",
    "cmd/",
    "run/",
    "dev/vfio/",
    "var/log/",
    "efi/",
)
_SOS = (
    ("kernel/dmesg", "cmd/dmesg"),
    ("kernel/uname_-a", "cmd/uname-a"),
    ("kernel/lsmod", "cmd/lsmod"),
    ("pci/lspci_-nnvv", "cmd/lspci-nnk"),
    ("pci/lspci_-nvv", "cmd/lspci-nnk"),
    ("pci/lspci", "cmd/lspci-nnk"),
    ("processor/lscpu", "cmd/lscpu"),
    ("boot/efibootmgr_-v", "cmd/efibootmgr"),
    ("boot/mokutil_--sb-state", "cmd/mokutil"),
    ("virsh/virsh_-r_dumpxml", "cmd/virsh-dumpxml"),
    ("logs/journalctl_--no-pager_--boot", "cmd/messages"),
    ("systemd/systemd-detect-virt", "cmd/systemd-detect-virt"),
    ("host/hostnamectl", "cmd/hostnamectl"),
)
_COMMANDS = {
    "cmd/dmesg": "dmesg",
    "cmd/lspci-nnk": "lspci -nnvv",
    "cmd/lsmod": "lsmod",
    "cmd/uname-a": "uname -a",
}
_LOGS = ("var/log/dmesg", "var/log/kern.log", "var/log/syslog", "var/log/messages")


def evidence_path(name: str) -> str | None:
    """The evidence path of a file called `name` below a host's root; None if it is none.

    >>> evidence_path("sos_commands/pci/lspci_-nnvv"), evidence_path("etc/modules"), evidence_path("home/me/x")
    ('cmd/lspci-nnk', 'etc/modules', None)
    """
    mark = name.find("sos_commands/")
    if mark >= 0:
        rest = name[mark + len("sos_commands/") :]
        return next(
            (path for start, path in _SOS if rest == start or (start.endswith("dumpxml") and rest.startswith(start))),
            None,
        )
    if name.startswith("var/log/"):
        return name if name in _LOGS else None
    return name if name.startswith(ROOTS) else None


def piece(path: str, data: bytes, source: str, link: bool = False) -> Piece:
    """A file's content as a piece."""
    binary = b"\0" in data[:4096]
    text = "" if binary else data.decode("utf-8", "replace").replace("\r\n", "\n").translate(BREAKS).rstrip("\n")
    line = None if binary or link else 1
    return Piece(path, text, source, line, _COMMANDS.get(path), binary=data if binary else None)


def listings(names: list[str], source: str) -> list[Piece]:
    """The listings that the names of a whole tree show for the folders that matter."""
    folders: dict[str, set[str]] = {}
    for name in names:
        for folder in (
            "sys/class/iommu/",
            "sys/kernel/iommu_groups/",
            "sys/bus/pci/devices/",
            "sys/firmware/acpi/tables/",
            "dev/vfio/",
        ):
            if name.startswith(folder):
                rest = name[len(folder) :].split("/")
                folders.setdefault(folder, set()).add(rest[0])
                if folder == "sys/kernel/iommu_groups/" and len(rest) > 2 and rest[1] == "devices":
                    folders.setdefault(f"{folder}{rest[0]}/devices/", set()).add(rest[2])
    return [
        Piece(folder, "\n".join(sorted(found)), source, None)
        for folder, found in sorted(folders.items())
        if found - {""}
    ]
