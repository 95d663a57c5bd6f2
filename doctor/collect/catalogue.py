"""The one catalogue of evidence: what is collected, how, with which rights and limits, and how private it is.

It is data. The collector walks it, `collect --list` shows it, and the analyser asks it which command would
supply a missing piece. It imports nothing but `typing`, for the analyser loads it in every run.
"""

from typing import List, NamedTuple, Optional, Sequence, Tuple

__all__ = ["ITEMS", "NEVER", "RELEASE", "Item", "ask_for", "fits", "item_for"]

RELEASE = "{release}"
"""Stands for the running kernel's release in an item's path."""

NEVER = ("rom", "vpd", "reset", "remove", "rescan")
"""Attributes of a PCI device whose reading or opening acts on the device; with every `resource*` but
`resource` itself. No item names one, and the gatherer refuses them even so."""

KB = 1024
MB = 1024 * KB


class Item(NamedTuple):
    """One kind of evidence.

    `path`: evidence path; `*` stands for part of one component, a trailing slash for the directory's names.
    `how`: file, link, listing, command or exists. `argv`: the command. `root`: an ordinary user gets nothing
    or less. `limit` in bytes and `timeout` in seconds. `privacy`: none, names, ids, network or mixed;
    anything but none is redacted. `keep`: of a big file only lines with one of these are kept.
    `ask`: what a person types to show this piece in a forum.
    """

    path: str
    how: str
    argv: Tuple[str, ...] = ()
    root: bool = False
    limit: int = 64 * KB
    timeout: float = 10.0
    privacy: str = "none"
    keep: Optional[Tuple[str, ...]] = None
    ask: str = ""


def _file(
    path: str,
    ask: str = "",
    privacy: str = "none",
    root: bool = False,
    limit: int = 64 * KB,
    keep: Optional[Tuple[str, ...]] = None,
) -> Item:
    shown = path.replace(RELEASE, "$(uname -r)")
    if not ask and keep:
        words = " ".join("-e " + word for word in keep)
        ask = "grep {} /{}".format(words, shown)
    elif not ask:
        ask = ("grep -Hs . /" if "*" in path else "cat /") + shown
    return Item(path, "file", (), root, limit, 10.0, privacy, keep, ask)


def _files(folder: str, names: str, ask: str = "", privacy: str = "none", root: bool = False) -> List[Item]:
    return [_file(folder + "/" + name, ask, privacy, root) for name in names.split()]


def _drop_ins(folder: str, privacy: str = "mixed", ending: str = "*.conf") -> List[Item]:
    # The folder's names as well: only they prove that no file is missing.
    ask = "grep -Hs . /{}/{}".format(folder, ending)
    return [_listing(folder + "/", ask), _file(folder + "/" + ending, ask, privacy)]


def _listing(path: str, ask: str = "", root: bool = False) -> Item:
    return Item(path, "listing", root=root, ask=ask or "ls /" + path, limit=MB)


def _link(path: str, ask: str) -> Item:
    return Item(path, "link", ask=ask, limit=4 * KB)


def _exists(path: str) -> Item:
    return Item(path, "exists", ask="ls -d /" + path, limit=0)


def _command(name: str, argv: Sequence[str], limit: int, privacy: str, ask: str = "", root: bool = False) -> Item:
    ask = ask or " ".join(argv)
    return Item("cmd/" + name, "command", tuple(argv), root, limit, 20.0, privacy, None, ask)


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
_DMI = "sys_vendor board_vendor board_name product_name bios_vendor bios_version bios_date"
_DEVICE = "sys/bus/pci/devices/*"
_DEVICE_FILES = (
    "vendor device class revision subsystem_vendor subsystem_device driver_override boot_vga reset_method "
    "numa_node power_state sriov_numvfs sriov_totalvfs enable"
)

_PROC = [
    _file("proc/cpuinfo"),
    _file("proc/cmdline", privacy="mixed"),
    _file("proc/modules", limit=256 * KB),
    _file("proc/interrupts", limit=4 * MB),
    _file("proc/iomem", root=True, limit=256 * KB),
    _file("proc/meminfo", keep=("MemTotal", "MemAvailable", "HugePages_", "Hugepagesize", "Hugetlb")),
    _file("proc/config.gz", "z" + _CONFIG_ASK + "/proc/config.gz", limit=256 * KB, keep=_CONFIG_WORDS),
    _file("proc/version", privacy="mixed"),
    _file("proc/sys/kernel/osrelease", "uname -r"),
    _file("proc/sys/kernel/hostname", "hostname", "names"),
]
_COMMANDS = [
    _command("dmesg", ["dmesg"], 8 * MB, "mixed", root=True),
    _command(
        "journalctl-k",
        ["journalctl", "-k", "-b", "--no-pager", "-o", "short-monotonic"],
        8 * MB,
        "mixed",
        "journalctl -k -b --no-pager",
        root=True,
    ),
    _command("lspci-nnk", ["lspci", "-Dnnk"], MB, "none", _LSPCI),
    _command("uname-a", ["uname", "-a"], 4 * KB, "names"),
    _command("ip-route", ["ip", "route", "show", "default"], 16 * KB, "network"),
    _command("systemd-detect-virt", ["systemd-detect-virt"], KB, "none"),
]
_LISTINGS = [
    _listing("sys/class/iommu/"),
    _listing("sys/kernel/iommu_groups/", _GROUPS),
    _listing("sys/kernel/iommu_groups/*/devices/", _GROUPS),
    _listing("sys/bus/pci/devices/", _LSPCI),
    _listing("sys/firmware/acpi/tables/"),
    _listing("dev/vfio/", "ls -l /dev/vfio/"),
    _listing("sys/module/"),
]
_DEVICES = (
    _files(_DEVICE, _DEVICE_FILES, _LSPCI)
    + [_file(_DEVICE + "/resource", _LSPCI_DETAIL, limit=4 * KB)]
    + [_file(_DEVICE + "/config", _LSPCI_DETAIL, "ids", root=True, limit=4 * KB)]
    + [_link(_DEVICE + "/driver", _LSPCI), _link(_DEVICE + "/iommu_group", _GROUPS)]
    + [_link(_DEVICE + "/" + name, "ls -l /{}/{}".format(_DEVICE, name)) for name in ("iommu", "physfn")]
)
# Which cards carry the default route, and which disks the root file system.
_NEEDED = [
    _file("proc/self/mountinfo", "findmnt /", "mixed", False, 16 * KB, (" / rw", " / ro")),
    _listing("sys/class/net/*/", "ls -l /sys/class/net/"),
    _listing("sys/class/net/*/brif/", "ls /sys/class/net/*/brif"),
    _link("sys/class/net/*/device", "ls -l /sys/class/net/"),
    _link("sys/class/block/*", "ls -l /sys/class/block/"),
    _link("sys/class/nvme/*", "ls -l /sys/class/nvme/"),
    _listing("sys/class/block/*/slaves/", "lsblk -s"),
    _file("sys/class/block/*/dm/name", "lsblk -s", "names", limit=4 * KB),
]
_IOMMU = (
    _files("sys/kernel/iommu_groups/*", "type reserved_regions name")
    + _files("sys/class/iommu/*/intel-iommu", "cap ecap version")
    + _files("sys/class/iommu/*/amd-iommu", "cap features")
)
_PARAMETERS = [
    _file("sys/module/{}/parameters/*".format(name), limit=4 * KB)
    for name in ("vfio_iommu_type1", "vfio_pci", "vfio", "kvm", "kvm_intel", "kvm_amd", "iommufd")
]
_FIRMWARE = (
    [_file("sys/firmware/acpi/tables/" + name, "xxd /sys/firmware/acpi/tables/" + name, root=True, limit=MB)
     for name in ("DMAR", "IVRS", "APIC")]
    + _files("sys/class/dmi/id", _DMI)
    + [_exists("sys/firmware/efi")]
    + _files(
        "sys/firmware/efi/efivars",
        "LoaderInfo-{0} StubInfo-{0} SecureBoot-{1}".format(_EFI_LOADER, _EFI_GLOBAL),
        "bootctl status",
    )
    + [_file("sys/hypervisor/type"), _file("sys/kernel/security/lockdown", root=True)]
)  # fmt: skip
_MEMORY = [_file("sys/devices/system/node/online")]
_MEMORY += [_file("sys/devices/system/node/node*/cpulist", "lscpu", limit=4 * KB)]
for _folder in ("sys/kernel/mm", "sys/devices/system/node/node*"):
    _MEMORY += _files(_folder + "/hugepages/*", "nr_hugepages free_hugepages")
_BOOT = (
    [
        _file("etc/default/grub", privacy="mixed"),
        *_drop_ins("etc/default/grub.d", ending="*.cfg"),
        _file("etc/kernel/cmdline", privacy="mixed"),
        *_drop_ins("etc/kernel/cmdline.d"),
        *_drop_ins("etc/cmdline.d"),
        _file("etc/kernel/proxmox-boot-uuids", "proxmox-boot-tool status", "ids", root=True),
        _file("boot/config-" + RELEASE, _CONFIG_ASK + "/boot/config-$(uname -r)", limit=256 * KB, keep=_CONFIG_WORDS),
        _file("boot/grub/grub.cfg", "grep linux /boot/grub/grub.cfg", "mixed", True, 256 * KB, ("linux",)),
        _file("boot/grub2/grub.cfg", "grep linux /boot/grub2/grub.cfg", "mixed", True, 256 * KB, ("linux",)),
    ]
    + [
        _file(esp + "/loader/" + name, privacy="mixed", root=True)
        for esp in ("boot", "efi", "boot/efi")
        for name in ("entries/*.conf", "loader.conf")
    ]
    + [_file("boot/syslinux/syslinux.cfg", privacy="mixed"), _file("boot/config/vfio-pci.cfg")]
    + [_file("etc/default/limine", privacy="mixed"), _file("boot/limine.conf", privacy="mixed", root=True)]
    + [_file("boot/refind_linux.conf", privacy="mixed", root=True)]
    + [
        _file(path, privacy="mixed", root=True)
        for path in ("boot/limine/limine.conf", "boot/EFI/limine/limine.conf", "boot/extlinux/extlinux.conf")
    ]
    + [_file("etc/update-extlinux.conf", privacy="mixed"), _file("usr/lib/bootc/kargs.d/*.toml", privacy="mixed")]
    + _drop_ins("etc/limine-entry-tool.d")
    + [
        _file("boot/{}/grubenv".format(grub), privacy="mixed", root=True, keep=("kernelopts", "tuned_", "saved_entry"))
        for grub in ("grub", "grub2")
    ]
)
_MODULES = (
    [_file("etc/modules", privacy="mixed")]
    + _drop_ins("etc/modules-load.d")
    + _drop_ins("usr/lib/modules-load.d")
    + _drop_ins("lib/modules-load.d")
    # Files of other names too: modprobe passes over them, which few people know.
    + [_listing("etc/modprobe.d/", "grep -Hs . /etc/modprobe.d/*.conf")]
    + [_file("etc/modprobe.d/*", "grep -Hs . /etc/modprobe.d/*.conf", "mixed")]
    + _drop_ins("run/modprobe.d")
    + _drop_ins("usr/lib/modprobe.d")
    + _drop_ins("lib/modprobe.d")
    + [_file("etc/initramfs-tools/modules", privacy="mixed")]
    + [_file("etc/initramfs-tools/scripts/*/*", privacy="mixed")]
    + [_file("etc/dracut.conf", privacy="mixed"), _file("etc/mkinitcpio.conf", privacy="mixed")]
    + _drop_ins("etc/dracut.conf.d")
    + _drop_ins("etc/mkinitcpio.conf.d")
    + [_file("usr/lib/dracut/dracut.conf.d/*.conf", privacy="mixed", keep=("drivers",))]
    + [_file("etc/initcpio/{}/*".format(kind), privacy="mixed") for kind in ("hooks", "install")]
    + [_file("etc/initramfs-tools/initramfs.conf", privacy="mixed", keep=("MODULES=",))]
    + [_file("etc/booster.yaml", privacy="mixed")]
    + [
        _file("lib/modules/" + RELEASE + "/modules.builtin", keep=_BUILTIN_WORDS, limit=256 * KB),
        _file("lib/modules/" + RELEASE + "/modules.dep", keep=("vfio", "pci-stub"), limit=256 * KB),
    ]
)
_BINDING = [
    _listing("etc/driverctl.d/", "driverctl list-overrides"),
    _file("etc/driverctl.d/*", "driverctl list-overrides", limit=KB),
    _file("etc/udev/rules.d/*.rules", privacy="mixed", keep=("driver_override", "vfio")),
] + [
    # Lines only: such files may hold anything, and guests' names.
    _file(path, privacy="mixed", keep=_SCRIPT_WORDS, limit=16 * KB)
    for path in ("etc/libvirt/hooks/qemu", "etc/libvirt/hooks/*.conf", "etc/rc.local")
]
_LIMITS = [
    _file("etc/security/limits.conf", privacy="mixed", keep=("memlock",), limit=16 * KB),
    _listing("etc/security/limits.d/"),
    _file("etc/security/limits.d/*.conf", privacy="mixed", keep=("memlock",), limit=16 * KB),
    _file("etc/systemd/system.conf", keep=("LimitMEMLOCK",), limit=4 * KB),
    _file("etc/systemd/system.conf.d/*.conf", keep=("LimitMEMLOCK",), limit=4 * KB),
    _file(
        "etc/systemd/system/*.service", privacy="mixed", limit=16 * KB,
        keep=("LimitMEMLOCK", "driver_override", "driverctl", "dpdk-devbind", "vfio"),
    ),
    _file("etc/systemd/system/*.service.d/*.conf", privacy="mixed", keep=("LimitMEMLOCK",), limit=4 * KB),
]  # fmt: skip
_SYSTEM = [
    _file("etc/os-release"),
    _file("etc/debian_version"),
    _file("etc/unraid-version"),
    _file("run/systemd/container", privacy="names"),
    *_drop_ins("etc/pve/qemu-server", privacy="mixed"),
    _file("etc/pve/mapping/pci.cfg", privacy="mixed", root=True),
    *_drop_ins("etc/libvirt/qemu", ending="*.xml"),
    _listing("etc/libvirt/qemu/autostart/", root=True),
] + [_exists(path) for path in (
    "run/ostree-booted", "etc/NIXOS", "etc/xensource-inventory", ".dockerenv",
    "etc/kernel/postinst.d/dracut", "etc/kernel/postinst.d/initramfs-tools",
    "dev/iommu", "dev/kvm", "usr/bin/proxmox-boot-tool", "usr/sbin/proxmox-boot-tool",
)]  # fmt: skip

ITEMS: Tuple[Item, ...] = tuple(
    _PROC
    + _COMMANDS
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


def _path_fits(pattern: str, path: str) -> bool:
    patterns = pattern.replace(RELEASE, "*").split("/")
    parts = path.split("/")
    return len(patterns) == len(parts) and all(map(fits, patterns, parts))


def item_for(evidence_path: str) -> Optional[Item]:
    """Return the item that EVIDENCE_PATH belongs to, else the closest listing above it, else None.

    >>> item_for("etc/modprobe.d/vfio.conf").path, item_for("sys/kernel/iommu_groups/7").path
    ('etc/modprobe.d/*', 'sys/kernel/iommu_groups/')
    """
    path = evidence_path
    while path:
        for item in ITEMS:
            if _path_fits(item.path, path) and (path == evidence_path or item.how == "listing"):
                return item
        if not path.endswith("/"):
            path += "/"
        else:
            path = path[:-1].rpartition("/")[0]
            path += "/" if path else ""
    return None


def ask_for(evidence_path: str) -> Optional[str]:
    """Return the command that a person types to supply EVIDENCE_PATH; None for what the catalogue lacks.

    >>> ask_for("proc/cmdline"), ask_for("sys/bus/pci/devices/0000:01:00.0/driver"), ask_for("etc/fstab")
    ('cat /proc/cmdline', 'lspci -nnk', None)
    """
    item = item_for(evidence_path)
    return item.ask if item else None
