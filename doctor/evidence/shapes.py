"""What a line of a paste is by its looks, when no command says so.

Each shape has the evidence path its lines belong to. `strong` shapes end a block of something else;
the others only claim lines that nothing claims.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_ADDRESS = r"(?:[0-9a-fA-F]{4,6}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]"
_STAMP = (
    r"(?:<\d{1,3}>)?\[\s{0,12}\d{1,9}\.\s?\d{1,9}\]|\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4}\]"
    r"|[A-Z][a-z]{2} {1,2}\d{1,2} [\d:]{8} \S{1,64} kernel:|\d{4}-\d\d-\d\dT\S{1,40} \S{1,64} kernel:"
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
    """A kind of line: the evidence path of such lines, and whether one ends another block."""

    path: str
    strong: bool
    pattern: re.Pattern[str]


def _shape(path: str, strong: bool, pattern: str, flags: int = 0) -> Shape:
    return Shape(path, strong, re.compile(r"\s*" + pattern, flags))


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
    _shape("cmd/iommu-groups", True, r"\S*/sys/kernel/iommu_groups/\d+(?:/devices)?[:/]?"),
    _shape("cmd/iommu-groups", True, rf"\.?/?\d{{1,4}}/devices/{_ADDRESS}"),
    _shape("etc/default/grub", True, r"#?\s?GRUB_\w+="),
    _shape("boot/loader/entries/pasted.conf", True, r"options\s.*\b(?:root=|initrd=|rw\b|ro\b)"),
    _shape(
        "etc/modprobe.d/pasted.conf",
        True,
        r"#?\s?(?:options|blacklist|softdep|install|alias)\s{1,4}[a-z][\w-]{1,40}(?:\s|$)",
    ),
    _shape("proc/cmdline", True, r"(?:BOOT_IMAGE=|initrd=\\)\S"),
    _shape(
        "proc/cmdline",
        True,
        r"(?:linux|kernel)?\s?(?:cmdline|command ?line)\s?[:=]\s?[\"']?\S*=\S",
        re.IGNORECASE,
    ),
    _shape("cmd/lsmod", True, r"(?:Module\s+Size\s+Used by|[a-z]\w{1,40}\s+\d{4,9}\s+\d{1,6}(?:\s+[\w,\-]+)?$)"),
    _shape("cmd/uname-a", True, r"Linux \S{1,64} \d+\.\d+"),
    _shape("cmd/pveversion", True, r"(?:proxmox-ve|pve-manager|pve-kernel)[:/]\s?\S"),
    _shape("etc/os-release", True, r"(?:PRETTY_NAME|VERSION_ID|ID|ID_LIKE|VERSION_CODENAME)="),
    _shape("proc/cpuinfo", True, r"(?:processor|vendor_id|cpu family|model name|microcode|flags|bugs)\s+:"),
    _shape(
        "cmd/lscpu",
        True,
        r"(?:Virtualization|Hypervisor vendor|Vendor ID|Model name|Architecture|CPU\(s\)|Virtualization type):\s{2,}\S",
    ),
    _shape("proc/interrupts", True, r"\d{1,4}:(?:\s+\d+)+\s+\S*(?:PCI-MSI|IO-APIC|HPET)"),
    _shape("etc/pve/qemu-server/pasted.conf", True, r"hostpci\d{1,2}:\s?\S"),
    _shape(
        "cmd/virsh-dumpxml",
        True,
        r"</?(?:hostdev|domain|devices|address|source|driver|os|features|hyperv|kvm|qemu)\b",
    ),
    _shape("cmd/messages", True, rf"(?:\S{{1,40}}: )?(?:{_TOOLS})", re.IGNORECASE),
    _shape("etc/pve/qemu-server/pasted.conf", False, rf"{_VM}:\s?\S"),
    _shape("etc/modules", False, rf"{_MODULES}\s*$"),
)
_LOOKED_AT = 1000  # characters of a line by which it is told what it is
_DETAIL = re.compile(rf"\s*(?:{_SUB})")
_HEADING = re.compile(
    r"""[\s#*`>'"\-=:.\d)]{0,12}(?:(?:cat|file|in|edit|nano|vi|vim|less)\s+)?[`'"]?
        (/(?:etc|proc|sys|boot|usr|lib|run)/[\w./@:+\-]{2,120}?)[`'"]?\s?:?[\s*`=\-]{0,8}$""",
    re.VERBOSE,
)
_FENCE = re.compile(r"\s*(?:```|~~~|\[/?(?:code|quote|spoiler)[^\]]{0,40}\]\s*$)", re.IGNORECASE)


def shape(text: str) -> Shape | None:
    """The shape of a line; None for prose and for what only its context explains.

    >>> shape("[    0.5] DMAR: IOMMU enabled").path, shape("01:00.0 VGA compatible controller: x").path
    ('cmd/dmesg', 'cmd/lspci-nnk')
    """
    text = text[:_LOOKED_AT]
    for candidate in SHAPES:
        if candidate.pattern.match(text):
            return candidate
    return None


def device_detail(text: str) -> bool:
    """Whether a line continues a device of lspci."""
    return bool(_DETAIL.match(text)) or (text[:1] in " \t" and ":" in text and "/sys/" not in text)


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


def fence(text: str) -> bool:
    """Whether a line opens or closes a block of code in Markdown or BBCode."""
    return bool(_FENCE.match(text))
