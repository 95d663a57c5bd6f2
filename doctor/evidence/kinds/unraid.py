"""Unraid's diagnostics, `NAME-diagnostics-DATE.zip` (Tools > Diagnostics).

Source: unraid/webgui, emhttp/plugins/dynamix/scripts/diagnostics. What it writes has CR LF line ends, repeated lines
of the log are replaced by their number, and a log is cut after its first two megabytes.
"""

from __future__ import annotations

from doctor.evidence import files
from doctor.evidence.derived import failed_start
from doctor.evidence.kind import Found, Kind, Row
from doctor.evidence.types import EXCERPT, Piece

_CUT = 2 * 1024 * 1024 - 4096  # bytes from which a log was cut; the marks of repeated lines change its size a little


def _syslog(found: Found) -> list[Piece]:
    """The log, which lives in memory and so begins with the boot."""
    made = files.piece(found.path, found.data, found.source)
    if len(found.data) < _CUT:
        return [made]
    return [made._replace(state=EXCERPT, command="head -c 2M /var/log/syslog")]


def _version(found: Found) -> list[Piece]:
    """The release, on the first line; hashes of the images and the release before it follow."""
    made = files.piece(found.path, found.data, found.source)
    return [made._replace(text=made.text.partition("\n")[0])]


KIND = Kind(
    name="an Unraid diagnostics archive",
    subject="diagnostics",
    marks=(
        "system/lspci.txt",
        "system/vars.txt",
        "system/lsscsi.txt",
        "system/plugins.txt",
        "logs/syslog.txt",
        "shares/shareDisks.txt",
        "config/disk.cfg",
    ),
    needs=2,
    rows=(
        Row("unraid-*.txt", "etc/unraid-version", read=_version),
        Row("system/lspci.txt", "cmd/lspci-nnk", "lspci -knn"),
        Row("system/lscpu.txt", "cmd/lscpu", "lscpu"),
        Row("system/lsmod.txt", "cmd/lsmod", "lsmod | sort"),
        Row("system/iommu_groups.txt", "cmd/iommu-groups", "find /sys/kernel/iommu_groups/ -type l"),
        Row("system/cmdline.txt", "proc/cmdline"),
        Row("system/meminfo.txt", "proc/meminfo"),
        Row("config/vfio-pci.cfg", "boot/config/vfio-pci.cfg"),
        # Unraid copies these to /etc/modprobe.d when it starts.
        Row("config/modprobe.d/*.conf", "etc/modprobe.d/*.conf"),
        Row("xml/*.xml", "etc/libvirt/qemu/*.xml"),
        Row("qemu/*.txt", "cmd/messages", read=failed_start),
        Row("logs/syslog.2.txt", "var/log/syslog", read=_syslog),
        Row("logs/syslog.1.txt", "var/log/syslog", read=_syslog),
        Row("logs/syslog.txt", "var/log/syslog", read=_syslog),
    ),
    never=(
        ("sys/class/iommu/", "/sys/class/iommu"),
        ("boot/syslinux/syslinux.cfg", "/boot/syslinux/syslinux.cfg"),
    ),
)
