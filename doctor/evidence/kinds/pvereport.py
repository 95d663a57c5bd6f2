"""Proxmox VE's system report: the text of `pvereport`, which the web interface gives as Node > System Report.

Each section is `==== TITLE ====`, each command in it an empty line, `# COMMAND`, its output. Source: pve-manager,
PVE/Report.pm.

>>> text = b"\\n==== general system info ====\\n\\n# cat /proc/cmdline\\nBOOT_IMAGE=/vmlinuz ro\\n\\n# date -R\\nnow"
>>> [(p.path, p.text, p.first_line) for p in _read(text, "report.txt")]
[('proc/cmdline', 'BOOT_IMAGE=/vmlinuz ro', 5)]
"""

from __future__ import annotations

from doctor.evidence import sections
from doctor.evidence.kind import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from doctor.evidence.types import Piece

_ROWS = (
    ("hostname", "proc/sys/kernel/hostname"),
    ("pveversion", "cmd/pveversion"),
    ("lscpu", "cmd/lscpu"),
    ("lspci -nnk", "cmd/lspci-nnk"),
    ("proxmox-boot-tool status", "cmd/proxmox-boot-tool"),
    ("cat /proc/cmdline", "proc/cmdline"),
    ("cat", "*"),  # the file that is named, if evidence may be there
)
_FIRST = "==== general system info ===="


def _read(data: bytes, name: str) -> list[Piece]:
    return sections.pieces(_sections(sections.lines(data)), _ROWS, name)


def _sections(lines: list[str]) -> Iterator[sections.Section]:
    """The commands with their outputs. (A guest's notes begin with `#` too, but never after an empty line.)"""
    label, begin, before = "", 0, ""
    for index, line in enumerate([*lines, "==== end"]):
        heading = line.startswith("# ") and not before.strip()
        if heading or line.startswith("==== "):
            if label:
                yield sections.Section(label, begin + 1, lines[begin:index])
            label, begin = line[2:].strip() if heading else "", index + 1
        before = line if not line.startswith("==== ") else ""


KIND = Kind(
    name="a Proxmox VE system report",
    subject="diagnostics",
    head=lambda head: _FIRST in head.splitlines(),
    read=_read,
    never=(
        ("cmd/dmesg", "the kernel's log"),
        ("sys/kernel/iommu_groups/", "the IOMMU groups"),
        ("etc/default/grub", "/etc/default/grub"),
        ("etc/kernel/cmdline", "/etc/kernel/cmdline"),
        ("proc/modules", "the loaded modules"),
    ),
)
