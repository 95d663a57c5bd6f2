"""sosreport and `sos report`, of RHEL and its kin, Ubuntu and Debian, versions 2 to 4.

Files lie at their own paths; a command's output lies in `sos_commands/PLUGIN/command_-args`, and in
`sos_strings/PLUGIN/….tailed` where only its end was kept. Source: sosreport/sos, sos/report/plugins/ (pci, kernel,
boot, block, devices, processor, logs, host, virsh, libvirt, systemd) and `_mangle_command` in its `__init__.py`.
"""

from __future__ import annotations

from doctor.evidence.derived import failed_start, journal, long_listing, node_device, udev_database
from doctor.evidence.files import ROWS
from doctor.evidence.kind import Kind, Row
from doctor.evidence.types import CUT

_C = "sos_commands/"
_JOURNALS = (
    "journalctl_--no-pager_--boot",
    "journalctl_--no-pager_--catalog_--boot",
    "journalctl_--all_--this-boot_--no-pager",
    "journalctl_--no-pager_--boot_this",
)
_ALL_BOOTS = ("journalctl_--no-pager", "journalctl_--no-pager_--catalog")
_FOLDERS = "ls -lR"


def _lspci(name: str, command: str, spare: bool = False) -> tuple[Row, ...]:
    """lspci moved between plugins."""
    return tuple(Row(f"{_C}{plugin}/{name}", "cmd/lspci-nnk", command, None, spare) for plugin in ("pci", "hardware"))


_COMMANDS = (
    Row(_C + "kernel/dmesg", "cmd/dmesg", "dmesg"),
    Row("sos_strings/kernel/dmesg.tailed", "cmd/dmesg", "dmesg", state=CUT),
    Row(_C + "kernel/dmesg_-T", "cmd/dmesg", "dmesg -T", spare=True),
    Row(_C + "general/dmesg_now", "cmd/dmesg", "dmesg", spare=True),
    Row(_C + "kernel/uname_-a", "cmd/uname-a", "uname -a"),
    Row(_C + "kernel/lsmod", "cmd/lsmod", "lsmod"),
    Row(_C + "systemd/systemd-detect-virt", "cmd/systemd-detect-virt", "systemd-detect-virt"),
    *_lspci("lspci_-nnvv", "lspci -nnvv"),
    *_lspci("lspci_-nvv", "lspci -nvv"),
    *_lspci("lspci", "lspci"),
    Row(_C + "pci/lspci_-tv", "cmd/lspci-nnk", "lspci -tv"),
    Row(_C + "processor/lscpu", "cmd/lscpu", "lscpu"),
    Row(_C + "boot/efibootmgr_-v", "cmd/efibootmgr", "efibootmgr -v"),
    Row(_C + "boot/mokutil_--sb-state", "cmd/mokutil", "mokutil --sb-state"),
    Row(_C + "host/hostnamectl", "cmd/hostnamectl", "hostnamectl"),
    Row(_C + "host/hostnamectl_status", "cmd/hostnamectl", "hostnamectl status"),
    Row(_C + "host/hostname", "proc/sys/kernel/hostname", "hostname", spare=True),
    Row(_C + "general/hostname", "proc/sys/kernel/hostname", "hostname", spare=True),
    Row(_C + "virsh/virsh_-r_dumpxml_*", "cmd/virsh-dumpxml", "virsh -r dumpxml"),
    Row(_C + "virsh/virsh_-r_nodedev-dumpxml_pci_*", "cmd/virsh-nodedev", "virsh -r nodedev-dumpxml", node_device),
    Row(_C + "devices/udevadm_info_--export-db", "cmd/udevadm", "udevadm info --export-db", udev_database),
    Row(_C + "boot/ls_*_.sys.firmware", "cmd/ls", _FOLDERS, long_listing),
    Row(_C + "block/ls_*_.dev", "cmd/ls", _FOLDERS, long_listing),
    Row(_C + "filesys/ls_*_.dev", "cmd/ls", _FOLDERS, long_listing),
)
_LOGS = (
    *[Row(f"{_C}logs/{name}", "cmd/journalctl-k", "journalctl --boot", journal) for name in _JOURNALS],
    *[Row(f"{_C}logs/{name}", "cmd/journalctl-k", "journalctl", journal, spare=True) for name in _ALL_BOOTS],
    *[
        Row(f"sos_strings/logs/{name}.tailed", "cmd/journalctl-k", "journalctl", journal, name in _ALL_BOOTS, CUT)
        for name in (*_JOURNALS, *_ALL_BOOTS)
    ],
    *[
        Row(f"sos_strings/logs/var.log.{name}.tailed", f"var/log/{name}", None, None, state=CUT)
        for name in ("messages", "syslog", "kern.log")
    ],
    Row("var/log/libvirt/qemu/*.log", "cmd/messages", read=failed_start),
)

KIND = Kind(
    name="a sosreport",
    subject="sosreport",
    rows=(*_COMMANDS, *_LOGS, *ROWS),
    marks=("sos_commands/",),
    never=(("sys/kernel/iommu_groups/", "the IOMMU groups (but for what libvirt says of its host)"),),
)
