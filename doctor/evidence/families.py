"""Which kinds of lines may stand in which output: a log between messages of tools, options between modules.

>>> foreign("cmd/dmesg", "proc/cmdline"), foreign("cmd/dmesg", "etc/default/grub")
(False, True)
"""

from __future__ import annotations

_FAMILIES = (
    ("cmd/driverctl", "cmd/dpdk-devbind", "cmd/lspci-nnk"),
    ("boot/config", "proc/config.gz"),
    ("cmd/dmesg", "cmd/journalctl-k", "cmd/messages", "var/log/", "proc/cmdline"),
    (
        "etc/modprobe.d/",
        "etc/modules",
        "etc/modules-load.d/",
        "etc/initramfs-tools/",
        "usr/lib/modprobe.d/",
        "etc/dracut",
        "etc/mkinitcpio",
    ),
    ("etc/pve/", "cmd/messages"),
    ("proc/modules", "cmd/lsmod"),
    ("boot/", "etc/kernel/cmdline", "proc/cmdline", "etc/default/grub"),
    ("cmd/virsh-dumpxml", "etc/libvirt/"),
    (
        "cmd/update-grub",
        "cmd/messages",
        "cmd/proxmox-boot-tool",
        "cmd/virt-host-validate",
        "cmd/kvm-ok",
        "cmd/bootctl",
    ),
    ("cmd/lspci-nnk", "cmd/iommu-groups", "cmd/messages"),
    ("sys/", "cmd/iommu-groups"),
)


def foreign(path: str, other: str) -> bool:
    """Whether a line shaped like `other` cannot be part of output that belongs to `path`."""
    return not any(path.startswith(family) and other.startswith(family) for family in _FAMILIES)
