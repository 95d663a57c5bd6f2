"""The one catalogue of evidence: what is collected, how, with which rights and limits, and how private it is.

It is data. The collector walks it, `collect --list` shows it, and the analyser asks it which command would
supply a missing piece. It loads nothing that costs time, for the analyser loads it in every run.
"""

from .item import KB, MB, RELEASE, Item, command, drop_ins, exists, file, files, link, listing, log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Tuple

__all__ = ["ITEMS", "NEVER", "OLD_DMESG", "RELEASE", "Item", "ask_for", "fits", "item_for", "matches"]

NEVER = ("rom", "vpd", "reset", "remove", "rescan")
"""Attributes of a PCI device whose reading or opening acts on the device; with every `resource*` but
`resource` itself. No item names one, and the gatherer refuses them even so."""

_CONFIG_WORDS = (
    *("IOMMU", "VFIO", "IRQ_REMAP", "DMAR", "X2APIC", "PCI_ATS", "LOCK_DOWN"),
    *("FB_EFI", "FB_VESA", "FB_SIMPLE", "SYSFB", "SIMPLEDRM", "DRM_SIMPLE"),
    *("PCI_STUB", "KVM", "USB_XHCI_PCI", "BLK_DEV_NVME", "SATA_AHCI", "SND_HDA_INTEL", "MODULE_SIG", "CMDLINE"),
    *("DRM_AMDGPU", "DRM_I915", "DRM_NOUVEAU", "DRM_RADEON", "DRM_XE", "HUGETLB"),
)
_BUILTIN_WORDS = (
    *("vfio", "pci-stub", "iommu", "irqbypass", "amdgpu", "nouveau", "i915", "radeon", "/xe/"),
    *("xhci", "snd-hda-intel", "efifb", "simpledrm", "nvme", "ahci"),
)
_SCRIPT_WORDS = ("driver_override", "vfio", "bind", "new_id", "driverctl", "dpdk", "nodedev", "pci_", "for ")
_EFI_LOADER = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
_EFI_GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
_CONFIG_ASK = "grep -e IOMMU -e VFIO -e IRQ_REMAP "  # what the checks ask for: people type it
_LSPCI = "lspci -nnk"
_LSPCI_DETAIL = "lspci -nnvv"
_GROUPS = "find /sys/kernel/iommu_groups/ -type l"
_DMI = (
    "sys_vendor board_vendor board_name product_name product_version product_family bios_vendor bios_version bios_date"
)
_DEVICE = "sys/bus/pci/devices/*"
_DEVICE_FILES = (
    "vendor device class revision subsystem_vendor subsystem_device driver_override boot_vga reset_method "
    "numa_node power_state sriov_numvfs sriov_totalvfs enable"
)

_PROC = [
    file("proc/cpuinfo"),
    file("proc/cmdline", privacy="mixed"),
    file("proc/modules", limit=256 * KB),
    file("proc/interrupts", limit=4 * MB),
    file("proc/iomem", root=True, limit=256 * KB),
    file("proc/meminfo", keep=("MemTotal", "MemAvailable", "HugePages_", "Hugepagesize", "Hugetlb")),
    file("proc/config.gz", "z" + _CONFIG_ASK + "/proc/config.gz", limit=256 * KB, keep=_CONFIG_WORDS),
    file("proc/version", privacy="mixed"),
    file("proc/sys/kernel/osrelease", "uname -r"),
    file("proc/sys/kernel/hostname", "hostname", "names"),
    file("proc/xen/capabilities"),
]
_COMMANDS = [
    command("dmesg", ["dmesg"], 4 * MB, "mixed", root=True, log=True),
    command(
        "journalctl-k",
        ["journalctl", "-k", "-b", "--no-pager", "-o", "short-monotonic"],
        4 * MB,
        "mixed",
        "journalctl -k -b --no-pager",
        root=True,
        log=True,
    ),
    command("lspci-nnk", ["lspci", "-Dnnk"], MB, "none", _LSPCI),
    command("uname-a", ["uname", "-a"], 4 * KB, "names"),
    command("ip-route", ["ip", "route", "show", "default"], 16 * KB, "network"),
    command("systemd-detect-virt", ["systemd-detect-virt"], KB, "none"),
    command("efibootmgr", ["efibootmgr", "-v"], 16 * KB, "mixed"),
]
# Of a log that all programs write to, only the kernel's lines.
_LOGS = [log("var/log/dmesg"), log("var/log/kern.log")] + [
    log("var/log/" + name, ("kernel:",)) for name in ("syslog", "messages")
]
# What logrotate put aside last: there this boot may begin, or an earlier one be.
_LOGS += [log("var/log/kern.log.1", None, 512 * KB)]
_LOGS += [log("var/log/" + name + ".1", ("kernel:",), 512 * KB) for name in ("syslog", "messages")]
_LISTINGS = [
    listing("sys/class/iommu/"),
    listing("sys/kernel/iommu_groups/", _GROUPS),
    listing("sys/kernel/iommu_groups/*/devices/", _GROUPS),
    listing("sys/bus/pci/devices/", _LSPCI),
    listing("sys/firmware/acpi/tables/"),
    listing("dev/vfio/", "ls -l /dev/vfio/"),
    listing("sys/module/"),
]
_DEVICES = (
    files(_DEVICE, _DEVICE_FILES, _LSPCI)
    + [file(_DEVICE + "/resource", _LSPCI_DETAIL, limit=4 * KB)]
    + [file(_DEVICE + "/config", _LSPCI_DETAIL, "ids", root=True, limit=4 * KB)]
    + [link(_DEVICE + "/driver", _LSPCI), link(_DEVICE + "/iommu_group", _GROUPS)]
    + [link(_DEVICE + "/" + name, "ls -l /{}/{}".format(_DEVICE, name)) for name in ("iommu", "physfn")]
)
# Which cards carry the default route, and which disks the root file system.
_NEEDED = [
    file("proc/self/mountinfo", "findmnt /", "mixed", False, 16 * KB, (" / rw", " / ro")),
    listing("sys/class/net/*/", "ls -l /sys/class/net/"),
    listing("sys/class/net/*/brif/", "ls /sys/class/net/*/brif"),
    link("sys/class/net/*/device", "ls -l /sys/class/net/"),
    link("sys/class/block/*", "ls -l /sys/class/block/"),
    link("sys/class/nvme/*", "ls -l /sys/class/nvme/"),
    listing("sys/class/block/*/slaves/", "lsblk -s"),
    file("sys/class/block/*/dm/name", "lsblk -s", "names", limit=4 * KB),
]
_IOMMU = (
    files("sys/kernel/iommu_groups/*", "type reserved_regions name")
    + files("sys/class/iommu/*/intel-iommu", "cap ecap version")
    + files("sys/class/iommu/*/amd-iommu", "cap features")
)
_PARAMETERS = [
    file("sys/module/{}/parameters/*".format(name), limit=4 * KB)
    for name in ("vfio_iommu_type1", "vfio_pci", "vfio", "kvm", "kvm_intel", "kvm_amd", "iommufd")
]
_FIRMWARE = (
    [file("sys/firmware/acpi/tables/" + name, "xxd /sys/firmware/acpi/tables/" + name, root=True, limit=MB)
     for name in ("DMAR", "IVRS", "APIC")]
    + files("sys/class/dmi/id", _DMI)
    + [exists("sys/firmware/efi")]
    + files(
        "sys/firmware/efi/efivars",
        "LoaderInfo-{0} StubInfo-{0} SecureBoot-{1}".format(_EFI_LOADER, _EFI_GLOBAL),
        "bootctl status",
    )
    + [file("sys/hypervisor/type"), file("sys/kernel/security/lockdown", root=True)]
)  # fmt: skip
_MEMORY = [file("sys/devices/system/node/online")]
_MEMORY += [file("sys/devices/system/node/node*/cpulist", "lscpu", limit=4 * KB)]
for _folder in ("sys/kernel/mm", "sys/devices/system/node/node*"):
    _MEMORY += files(_folder + "/hugepages/*", "nr_hugepages free_hugepages")
_LOADERS = [
    "{}/{}limine{}".format(esp, folder, ending)
    for esp in ("boot", "boot/efi", "efi")
    for folder in ("", "limine/", "EFI/limine/")
    for ending in (".conf", ".cfg")
]
_LOADERS += [esp + "/EFI/refind/refind.conf" for esp in ("boot", "boot/efi", "efi")] + ["boot/refind_linux.conf"]
_LOADERS += ["boot/syslinux.cfg", "boot/EFI/boot/syslinux.cfg", "boot/extlinux.conf", "boot/extlinux/extlinux.conf"]
_BOOT = (
    [
        file("etc/default/grub", privacy="mixed"),
        *drop_ins("etc/default/grub.d", ending="*.cfg"),
        file("etc/kernel/cmdline", privacy="mixed"),
        *drop_ins("etc/kernel/cmdline.d"),
        *drop_ins("etc/cmdline.d"),
        file("etc/kernel/proxmox-boot-uuids", "proxmox-boot-tool status", "ids", root=True),
        file("boot/config-" + RELEASE, _CONFIG_ASK + "/boot/config-$(uname -r)", limit=256 * KB, keep=_CONFIG_WORDS),
        file("boot/grub/grub.cfg", "grep linux /boot/grub/grub.cfg", "mixed", True, 256 * KB, ("linux",)),
        file("boot/grub2/grub.cfg", "grep linux /boot/grub2/grub.cfg", "mixed", True, 256 * KB, ("linux",)),
    ]
    + [
        file(esp + "/loader/" + name, privacy="mixed", root=True)
        for esp in ("boot", "efi", "boot/efi")
        for name in ("entries/*.conf", "loader.conf")
    ]
    + [file("boot/syslinux/syslinux.cfg", privacy="mixed"), file("boot/config/vfio-pci.cfg")]
    + [file("etc/default/limine", privacy="mixed")]
    + [file(path, privacy="mixed", root=True) for path in _LOADERS]
    + [file("etc/update-extlinux.conf", privacy="mixed"), file("usr/lib/bootc/kargs.d/*.toml", privacy="mixed")]
    + [file("etc/nixos/*.nix", privacy="mixed")]
    + drop_ins("etc/limine-entry-tool.d")
    + [
        file("boot/{}/grubenv".format(grub), privacy="mixed", root=True, keep=("kernelopts", "tuned_", "saved_entry"))
        for grub in ("grub", "grub2")
    ]
)
_MODULES = (
    [file("etc/modules", privacy="mixed")]
    + drop_ins("etc/modules-load.d")
    + drop_ins("usr/lib/modules-load.d")
    + drop_ins("lib/modules-load.d")
    + drop_ins("usr/local/lib/modules-load.d")
    + drop_ins("run/modules-load.d")
    # Files of other names too: modprobe passes over them, which few people know.
    + [listing("etc/modprobe.d/", "grep -Hs . /etc/modprobe.d/*.conf")]
    + [file("etc/modprobe.d/*", "grep -Hs . /etc/modprobe.d/*.conf", "mixed")]
    + drop_ins("run/modprobe.d")
    + drop_ins("usr/lib/modprobe.d")
    + drop_ins("lib/modprobe.d")
    + drop_ins("usr/local/lib/modprobe.d")
    + [file("etc/initramfs-tools/modules", privacy="mixed")]
    + [file("usr/share/initramfs-tools/modules")]
    + [file("etc/initramfs-tools/scripts/*/*", privacy="mixed")]
    + [file("etc/dracut.conf", privacy="mixed"), file("etc/mkinitcpio.conf", privacy="mixed")]
    + drop_ins("etc/dracut.conf.d")
    + drop_ins("etc/mkinitcpio.conf.d")
    + [file("usr/lib/dracut/dracut.conf.d/*.conf", privacy="mixed", keep=("drivers",))]
    + [file("etc/initcpio/{}/*".format(kind), privacy="mixed") for kind in ("hooks", "install")]
    + [
        file("etc/initramfs-tools/" + name, privacy="mixed", keep=("MODULES=",))
        for name in ("initramfs.conf", "conf.d/*")
    ]
    + [file("etc/booster.yaml", privacy="mixed")]
    + [
        file("lib/modules/" + RELEASE + "/modules.builtin", keep=_BUILTIN_WORDS, limit=256 * KB),
        file("lib/modules/" + RELEASE + "/modules.dep", keep=("vfio", "pci-stub"), limit=256 * KB),
    ]
)
_BINDING = [
    listing("etc/driverctl.d/", "driverctl list-overrides"),
    file("etc/driverctl.d/*", "driverctl list-overrides", limit=KB),
    listing("etc/udev/rules.d/", "grep -Hs -e driver_override -e vfio /etc/udev/rules.d/*.rules"),
] + [
    file(folder + "/*.rules", privacy="mixed", keep=("driver_override", "vfio"))
    for folder in ("etc/udev/rules.d", "run/udev/rules.d", "usr/lib/udev/rules.d", "lib/udev/rules.d")
]  # fmt: skip
_BINDING += [
    # Lines only: such files may hold anything, and guests' names.
    file(path, privacy="mixed", keep=_SCRIPT_WORDS, limit=16 * KB)
    for path in (
        *("etc/libvirt/hooks/qemu", "etc/libvirt/hooks/*.conf", "etc/libvirt/hooks/qemu.d/*"),
        *("etc/libvirt/hooks/qemu.d/*/*/*/*", "var/lib/vz/snippets/*", "etc/rc.local"),
    )
]
_LIMITS = [
    file("etc/security/limits.conf", privacy="mixed", keep=("memlock",), limit=16 * KB),
    listing("etc/security/limits.d/"),
    file("etc/security/limits.d/*.conf", privacy="mixed", keep=("memlock",), limit=16 * KB),
    file("etc/systemd/system.conf", keep=("LimitMEMLOCK",), limit=4 * KB),
    file("etc/systemd/system.conf.d/*.conf", keep=("LimitMEMLOCK",), limit=4 * KB),
    file("etc/systemd/user.conf", keep=("LimitMEMLOCK",), limit=4 * KB),
    file("etc/systemd/user.conf.d/*.conf", keep=("LimitMEMLOCK",), limit=4 * KB),
    file("usr/lib/systemd/system/libvirtd.service", keep=("LimitMEMLOCK",), limit=4 * KB),
    file("usr/lib/systemd/system/virtqemud.service", keep=("LimitMEMLOCK",), limit=4 * KB),
    file(
        "etc/systemd/system/*.service", privacy="mixed", limit=16 * KB,
        keep=("LimitMEMLOCK", "driver_override", "driverctl", "dpdk-devbind", "vfio"),
    ),
    file("etc/systemd/system/*.service.d/*.conf", privacy="mixed", keep=("LimitMEMLOCK",), limit=4 * KB),
]  # fmt: skip
_SYSTEM = [
    file("etc/os-release"),
    file("etc/debian_version"),
    file("etc/unraid-version"),
    file("run/systemd/container", privacy="names"),
    *drop_ins("etc/pve/qemu-server", privacy="mixed"),
    file("etc/pve/mapping/pci.cfg", privacy="mixed", root=True),
    *drop_ins("etc/libvirt/qemu", ending="*.xml"),
    listing("etc/libvirt/qemu/autostart/", root=True),
] + [exists(path) for path in (
    "run/ostree-booted", "etc/NIXOS", "etc/xensource-inventory", ".dockerenv", "run/.containerenv",
    "etc/kernel/postinst.d/dracut", "etc/kernel/postinst.d/initramfs-tools",
    "dev/iommu", "dev/kvm", "usr/bin/proxmox-boot-tool", "usr/sbin/proxmox-boot-tool",
)]  # fmt: skip

ITEMS: "Tuple[Item, ...]" = tuple(
    _PROC
    + _COMMANDS
    + _LOGS
    + _LISTINGS
    + _DEVICES
    + _NEEDED
    + _IOMMU
    + _PARAMETERS
    + _FIRMWARE
    + _MEMORY
    + _BOOT
    + _MODULES
    + _BINDING
    + _LIMITS
    + _SYSTEM
)


OLD_DMESG = log("var/log/dmesg.0", None, 512 * KB)
"""The previous boot's log, which Debian's bootlogs put aside; it is collected on request, where no journal has it."""


def earlier_boot(back: int) -> Item:
    """The kernel's log of the boot BACK boots before the present one; it is collected on request only.

    >>> " ".join(earlier_boot(1).argv)
    'journalctl -k -b -1 --no-pager -o short-monotonic'
    """
    argv = ["journalctl", "-k", "-b", "-{}".format(back), "--no-pager", "-o", "short-monotonic"]
    ask = "journalctl -k -b -{} --no-pager".format(back)
    return command("journalctl-k-b-{}".format(back), argv, 4 * MB, "mixed", ask, root=True, log=True)


def fits(pattern: str, text: str) -> bool:
    """Say whether TEXT (one component of a path) fits PATTERN, in which `*` stands for any characters.

    Linear, without backtracking: every fixed part is looked for once, from left to right.

    >>> fits("*.conf", "vfio.conf"), fits("a*b*c", "abc"), fits("*.conf", "vfio.conf~")
    (True, True, False)
    """
    parts = pattern.split("*")
    if len(parts) == 1:
        return pattern == text
    first, last = parts[0], parts[-1]
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in parts[1:-1]:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def matches(pattern: str, path: str) -> bool:
    """Say whether the evidence path PATH is one of those that an item's path PATTERN stands for."""
    patterns = pattern.replace(RELEASE, "*").split("/")
    parts = path.split("/")
    return len(patterns) == len(parts) and all(map(fits, patterns, parts))


def item_for(evidence_path: str) -> "Optional[Item]":
    """Return the item that EVIDENCE_PATH belongs to, else the closest listing above it, else None.

    >>> item_for("etc/modprobe.d/vfio.conf").path, item_for("sys/kernel/iommu_groups/7").path
    ('etc/modprobe.d/*', 'sys/kernel/iommu_groups/')
    """
    path = evidence_path
    while path:
        for item in ITEMS:
            if matches(item.path, path) and (path == evidence_path or item.how == "listing"):
                return item
        if not path.endswith("/"):
            path += "/"
        else:
            path = path[:-1].rpartition("/")[0]
            path += "/" if path else ""
    return None


def ask_for(evidence_path: str) -> "Optional[str]":
    """Return the command that a person types to supply EVIDENCE_PATH; None for what the catalogue lacks.

    >>> ask_for("proc/cmdline"), ask_for("sys/bus/pci/devices/0000:01:00.0/driver"), ask_for("etc/fstab")
    ('cat /proc/cmdline', 'lspci -nnk', None)
    """
    item = item_for(evidence_path)
    return item.ask if item else None
