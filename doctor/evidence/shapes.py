"""What a line of a paste is by its looks, when no command says so.

Each shape has the evidence path its lines belong to. `strong` shapes end a block of something else;
the others only claim lines that nothing claims.
"""

from __future__ import annotations

import re

from doctor.later import later
from doctor.record import NamedTuple

_ADDRESS = r"(?:[0-9a-fA-F]{4,6}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]"
_STAMP = (
    r"(?:<\d{1,3}>)?\[\s{0,12}\d{1,9}\.\s?\d{1,9}\]|\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4}\]"
    r"|[A-Z][a-z]{2} {1,2}\d{1,2} [\d:]{8}(?:\.\d{1,9})? (?:\S{1,64} ){0,2}kernel(?:\[n/a\])?:"
    r"|(?:[A-Z][a-z]{2} )?\d{4}-\d\d-\d\d[T ]\S{1,40} (?:[A-Z+-][\w+-]{1,8} )?\S{1,64} kernel(?:\[n/a\])?:"
    r"|\d{4}-\d\d-\d\dT[\d:]{8}[,.]\d{6}[+-]\d\d:\d\d |kern {1,3}:\w{2,7} {1,4}: \["
)
_MESSAGE = (
    r"DMAR(?:-IR)?: ?\S|Linux version \d|AMD-Vi: |ACPI: (?:DMAR|IVRS) |vfio-pci 0000|pci 0000:|iommu: "
    r"|vfio_pci: |vfio_ecap_init:"
    r"|x2apic: |perf/amd_iommu: |kvm: disabled|VFIO - User|Intel-IOMMU: |PCI-DMA: |vfio_iommu_type1_"
)
_TOOLS = r"qemu|kvm: -device|error: |TASK ERROR|libvirt|internal error|vfio[: ]|unsupported configuration|modprobe: "
_MODULES = r"(?:vfio(?:[_-]\w{2,20})?|kvm(?:_intel|_amd)?|pci[_-]stub|vendor-reset|nct6775|coretemp)"
_VM = (
    r"(?:hostpci\d{1,2}|onboot|bios|machine|ostype|scsihw|efidisk\d|vga|args|cores|sockets|memory|numa|vmgenid"
    r"|meta|cpu)"
)
_SUB = (
    r"Subsystem|Kernel driver in use|Kernel modules|Flags|Capabilities|Memory at|I/O ports at|Expansion ROM|DeviceName"
    r"|Control|Status|Latency|Interrupt|Region \d|Bus|IOMMU group|NUMA node|Physical Slot|Memory behind|I/O behind"
    r"|Prefetchable|\[virtual\]|Lnk\w+|Dev\w+|Expansion|BridgeCtl|Secondary|Kernel driver|MSI|UESta|Address:|IOVCap"
)


class Shape(NamedTuple):
    """A kind of line: the evidence path of such lines, and whether one ends another block.

    `needs`: words one of which every such line holds, so that the pattern need not be tried (nor compiled) without.
    """

    path: str
    strong: bool
    pattern: re.Pattern[str]
    needs: tuple[str, ...]


def _shape(path: str, strong: bool, pattern: str, flags: int = 0, needs: tuple[str, ...] = ()) -> Shape:
    return Shape(path, strong, later(r"\s*" + pattern, flags), needs)


SHAPES = (
    _shape("cmd/dmesg", True, rf"(?:{_STAMP}|{_MESSAGE})"),
    _shape(
        "cmd/lspci-nnk",
        True,
        rf"(?:[*│├└─·\-]+\s*)?(?:iommu[ _]?)?(?:group:?\s{{0,4}}\d{{1,4}}\W{{1,8}})?"
        rf"(?:\[[0-9a-f]{{4}}:[0-9a-f]{{4}}\]\s+(?:\[R\]\s+)?)?"
        rf"{_ADDRESS}(?:\s+\S|[A-Z][a-z])",
        re.IGNORECASE,
    ),
    _shape(
        "cmd/lspci-nnk",
        True,
        r"(?:[#*=\-][#*=\-\s]{0,40})?(?:iommu[ _]?)?group:?\s{1,4}\d{1,4}\s?:?\W{0,8}$",
        re.IGNORECASE,
    ),
    _shape("cmd/iommu-groups", True, r"\S*/sys/kernel/iommu_groups/\d+(?:/devices)?[:/]?", needs=("iommu_groups",)),
    _shape("cmd/iommu-groups", True, rf"\.?/?\d{{1,4}}/devices/{_ADDRESS}", needs=("/devices/",)),
    _shape(
        "cmd/iommu-groups",
        True,
        r"(?:l[rwx-]{9}[.+]? .{1,80}? )?/?sys/\S{1,300}/iommu_group -> \S{1,80}",
        needs=("iommu_group -> ",),
    ),
    _shape(
        "cmd/iommu-groups", True, rf"[│|] 0x[0-9a-f]{{6}} [│|] 0x[0-9a-f]{{4}} [│|] {_ADDRESS} [│|]", needs=(" 0x",)
    ),
    _shape(
        "cmd/iommu-groups",
        True,
        r"[│|] class {1,8}[│|] device {1,8}[│|] id {1,20}[│|] iommugroup",
        needs=("iommugroup",),
    ),
    _shape("cmd/lspci-nnk", True, r"-(?:\+-)?\[[0-9a-f]{4,6}:[0-9a-f]{2}\]-", needs=("]-",)),
    _shape(
        "cmd/lspci-nnk",
        True,
        r"[| ]{0,120}[+\\]-(?:[0-9a-f]{2}\.[0-7]|\[[0-9a-f]{4}:[0-9a-f]{2}\])[ -]",
        needs=("+-", "\\-"),
    ),
    _shape("cmd/lspci-nnk", True, rf"(?:Slot|Device):\t{_ADDRESS}\s{{0,8}}$", needs=("Slot:", "Device:")),
    _shape(
        "cmd/iommu-groups",
        True,
        r"[\[{\s]{0,8}\"(?:(?:class|device|vendor|subsystem_device|subsystem_vendor)\"\s?:\s?\"0x[0-9a-f]{4,6}\""
        rf"|iommugroup\"\s?:\s?-?\d|id\"\s?:\s?\"{_ADDRESS}\")",
        needs=('"',),
    ),
    _shape(
        "cmd/journalctl-k",
        True,
        r"\{.{0,600}?\"(?:MESSAGE|__CURSOR|_BOOT_ID|__REALTIME_TIMESTAMP|_TRANSPORT)\"\s?:",
        needs=("MESSAGE", "__CURSOR", "_BOOT_ID", "__REALTIME", "_TRANSPORT"),
    ),
    _shape("etc/default/grub", True, r"#?\s?GRUB_\w+=", needs=("GRUB_",)),
    _shape("boot/loader/entries/pasted.conf", True, r"options\s.*\b(?:root=|initrd=|rw\b|ro\b)", needs=("options",)),
    _shape(
        "etc/modprobe.d/pasted.conf",
        True,
        r"#?\s?(?:options|blacklist|softdep|install|alias)\s{1,4}[a-z][\w-]{1,40}(?:\s|$)",
        needs=("options", "blacklist", "softdep", "install", "alias"),
    ),
    _shape("proc/cmdline", True, r"(?:BOOT_IMAGE=|initrd=\\)\S", needs=("BOOT_IMAGE=", "initrd=")),
    _shape(
        "proc/cmdline",
        True,
        r"(?:linux|kernel)?\s?(?:cmdline|command ?line)\s?[:=]\s?[\"']?\S*=\S",
        re.IGNORECASE,
        needs=("line", "Line", "LINE"),
    ),
    _shape("cmd/lsmod", True, r"(?:Module\s+Size\s+Used by|[a-z]\w{1,40}\s+\d{4,9}\s+\d{1,6}(?:\s+[\w,\-]+)?$)"),
    _shape("cmd/uname-a", True, r"Linux \S{1,64} \d+\.\d+", needs=("Linux ",)),
    _shape("cmd/pveversion", True, r"(?:proxmox-ve|pve-manager|pve-kernel)[:/]\s?\S", needs=("pve", "proxmox-ve")),
    _shape(
        "etc/os-release",
        True,
        r"(?:PRETTY_NAME|VERSION_ID|ID|ID_LIKE|VERSION_CODENAME)=",
        needs=("NAME=", "ID=", "ID_LIKE="),
    ),
    _shape(
        "proc/cpuinfo",
        True,
        r"(?:processor|vendor_id|cpu family|model name|microcode|flags|bugs)\s+:",
        needs=("processor", "vendor_id", "cpu family", "model name", "microcode", "flags", "bugs"),
    ),
    _shape(
        "cmd/lscpu",
        True,
        r"(?:Virtualization|Hypervisor vendor|Vendor ID|Model name|Architecture|CPU\(s\)|Virtualization type):\s{2,}\S",
        needs=("Virtualization", "Hypervisor vendor", "Vendor ID", "Model name", "Architecture", "CPU(s)"),
    ),
    _shape("etc/dracut.conf.d/pasted.conf", True, r"(?:add|force|omit)_drivers\s?\+?=", needs=("_drivers",)),
    _shape("etc/mkinitcpio.conf", True, r"(?:MODULES|HOOKS|BINARIES)\+?=[(\"]", needs=("MODULES", "HOOKS", "BINARIES")),
    _shape(
        "boot/config-pasted",
        True,
        r"(?:/\S{1,200}:)?(?:CONFIG_[A-Z0-9_]{2,80}=|#\s?CONFIG_[A-Z0-9_]{2,80} is not set)",
        needs=("CONFIG_",),
    ),
    _shape(
        "proc/interrupts",
        True,
        r"\d{1,4}:(?:\s+\d+)+\s+\S*(?:PCI-MSI|IO-APIC|HPET)",
        needs=("PCI-MSI", "IO-APIC", "HPET"),
    ),
    _shape("etc/pve/qemu-server/pasted.conf", True, r"hostpci\d{1,2}:\s?\S", needs=("hostpci",)),
    _shape(
        "cmd/virsh-dumpxml",
        True,
        r"</?(?:hostdev|domain|devices|address|source|driver|os|features|hyperv|kvm|qemu)\b",
        needs=("<",),
    ),
    _shape("cmd/virt-host-validate", True, r"(?:QEMU|LXC|BHYVE|CH): Checking (?:for|if) \S", needs=(": Checking ",)),
    _shape("cmd/messages", True, rf"(?:\S{{1,40}}: )?(?:{_TOOLS})", re.IGNORECASE),
    _shape("etc/pve/qemu-server/pasted.conf", False, rf"{_VM}:\s?\S"),
    _shape("etc/modules", False, rf"{_MODULES}\s*$"),
    # ACPI tables as acpidump, iasl, xxd and hexdump -C print them.
    _shape("cmd/acpidump", True, r"[A-Z0-9]{4} @ 0x[0-9A-Fa-f]{8,16}\s*$", needs=(" @ 0x",)),
    _shape("cmd/acpidump", True, r"\[[0-9A-F]{3,5}h \d{4,6} {1,4}[0-9A-F]{1,4}h?\] {1,40}\S", needs=("h ",)),
    _shape("cmd/acpidump", False, r"[0-9A-Fa-f]{4,8}: (?:[0-9A-Fa-f]{2,4} ){2,16}", needs=(": ",)),
    _shape("cmd/acpidump", False, r"[0-9a-f]{8}  (?:[0-9a-f]{2}  ?){1,16} {0,60}\|", needs=("|",)),
)
_LOOKED_AT = 1000  # characters of a line by which it is told what it is
_DETAIL = later(rf"\s*(?:{_SUB})")
# Further lines of lspci -vv (deep, or flags such as `RBE+`), a row of -x, a line of -vmm, and the end of a device's
# line that a mail program broke.
_CONTINUED = later(
    r"(?:\t\t| {8})\s{0,60}\S|[ \t]{1,8}[A-Za-z0-9][\w-]{1,30}[+-](?:[ ,;]|$)|\s{0,8}!!! \S|"
    r"\s{0,16}[0-9a-f]{2,3}:(?: [0-9a-f]{2}){4,16}\s{0,8}$"
    r"|(?:Class|Vendor|Device|SVendor|SDevice|Rev|ProgIf|Driver|Module|NUMANode|IOMMUGroup|PhySlot):\t"
    r"|[^:\[]{0,80}(?:\[[^:\[\]]{1,60}\][^:\[]{0,40}){0,2}\[[0-9a-f]{4}:[0-9a-f]{4}\](?: \(.{1,60})?\s{0,8}$"
)
_HEADING = later(
    r"""[\s#*`>'"\-=:.\d)]{0,12}(?:(?:cat|file|in|edit|nano|vi|vim|less)\s+)?[`'"]?
        (/(?:etc|proc|sys|boot|usr|lib|run)/[\w./@:+\-]{2,120}?)[`'"]?\s?:?[\s*`=<\-]{0,8}$""",
    re.VERBOSE,
)
_IN_FILE = later(
    r"/((?:etc/(?:modprobe\.d|modules|default|kernel|pve|initramfs-tools|dracut|mkinitcpio|sysctl|libvirt|security)"
    r"|boot/loader|boot/grub|usr/lib/modprobe\.d|lib/modprobe\.d)[\w./@+-]{0,160}"
    rf"|sys/module/[\w./-]{{1,120}}|sys/bus/pci/devices/{_ADDRESS}/[\w.]{{1,40}}|proc/sys/[\w./-]{{1,120}}):(?=\S)"
)
_KEY = later(r"\"\w{1,40}\"\s?:\s")


def shape(text: str) -> Shape | None:
    """The shape of a line; None for prose and for what only its context explains.

    >>> shape("[    0.5] DMAR: IOMMU enabled").path, shape("01:00.0 VGA compatible controller: x").path
    ('cmd/dmesg', 'cmd/lspci-nnk')
    """
    text = text[:_LOOKED_AT]
    for candidate in SHAPES:
        needs = candidate.needs
        if (not needs or any(word in text for word in needs)) and candidate.pattern.match(text):
            return candidate
    return None


def table_detail(text: str) -> bool:
    """Whether a line of a table's dump stands for others: iasl's below a field or above the bytes, hexdump's star."""
    if text.strip() == "*":
        return True
    return text.startswith((" " * 12, "Raw Table Data", "****")) and (":" in text or "Unknown" in text)


def device_detail(text: str) -> bool:
    """Whether a line continues a device of lspci."""
    if _DETAIL.match(text) or _CONTINUED.match(text[:_LOOKED_AT]):
        return True
    return text[:1] in " \t" and ":" in text and "/sys/" not in text


def heading(text: str) -> str | None:
    """The evidence path of the file that a heading names.

    >>> heading("/etc/modules:"), heading("**/etc/default/grub**")
    ('etc/modules', 'etc/default/grub')
    """
    found = _HEADING.fullmatch(text)
    if not found:
        return None
    path = found.group(1).strip("/:.")
    return None if path.startswith("sys/") or path.count("/") < 1 else path


def in_file(text: str) -> tuple[str, str] | None:
    """The evidence path and the content of a line that begins with its file's name, as grep prints it of several.

    >>> in_file("/etc/modprobe.d/vfio.conf:options vfio-pci ids=10de:2484")
    ('etc/modprobe.d/vfio.conf', 'options vfio-pci ids=10de:2484')
    >>> in_file("/sys/module/kvm/parameters/ignore_msrs:Y"), in_file("/etc/modules: see below")
    (('sys/module/kvm/parameters/ignore_msrs', 'Y'), None)
    """
    found = _IN_FILE.match(text[:_LOOKED_AT]) if text[:1] == "/" else None
    return (found.group(1), text[found.end() :]) if found else None


def continues(path: str, text: str) -> bool:
    """Whether a line without a shape of its own goes on with a table or JSON of devices."""
    if path != "cmd/iommu-groups":
        return False
    bare = text.strip()[:_LOOKED_AT]
    return not any(c.isalnum() for c in bare) or _KEY.match(bare) is not None
