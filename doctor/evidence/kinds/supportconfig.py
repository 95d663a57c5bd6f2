"""SUSE's supportconfig, `scc_HOST_DATE.txz` (formerly `nts_…tbz`): text files of sections.

A section is `#==[ Command ]====#`, `#==[ Configuration File ]===#` or `#==[ Log File ]===#`, then `# NAME`, then the
output or the file (without its comments, unless it was asked for). Source: openSUSE/supportutils, bin/supportconfig
and bin/supportconfig.rc (`log_cmd`, `conf_files`, `log_files`).

>>> text = b"#==[ Command ]====#\\n# /sbin/lspci -nn\\n00:00.0 Host bridge [0600]: X [8086:1234]\\n\\n"
>>> [(p.path, p.command, p.first_line) for p in _read(text, "hardware.txt")]
[('cmd/lspci-nnk', 'lspci -nn', 3)]
"""

from __future__ import annotations

from doctor.evidence import sections
from doctor.evidence.kind import Found, Kind, Row
from doctor.evidence.types import Piece

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS = (
    ("lspci -nn", "cmd/lspci-nnk"),
    ("lspci -nnk", "cmd/lspci-nnk"),
    ("lspci -vvv", "cmd/lspci-nnk"),
    ("lspci -vvb", "cmd/lspci-nnk"),
    ("dmesg -T", "cmd/dmesg"),
    ("dmesg", "cmd/dmesg"),
    ("journalctl --boot=0", "cmd/journalctl-k"),
    ("journalctl --no-pager --boot=0", "cmd/journalctl-k"),
    ("lsmod", "cmd/lsmod"),
    ("lscpu", "cmd/lscpu"),
    ("uname -a", "cmd/uname-a"),
    ("efibootmgr -v", "cmd/efibootmgr"),
    ("mokutil --sb-state", "cmd/mokutil"),
    ("virsh dumpxml", "cmd/virsh-dumpxml"),
    ("hostnamectl", "cmd/hostnamectl"),
)
_HEADS = ("#==[ Command ]", "#==[ Configuration File ]", "#==[ Log File ]")
_PARAMETER = "/sys/module/"
_MODULES = ("vfio", "vfio_pci", "vfio_iommu_type1", "kvm", "kvm_intel", "kvm_amd", "iommufd")
_GROUPS, _IOMMUS = "/sys/kernel/iommu_groups/", "/sys/class/iommu/"
_FIND = "/bin/find /sys "


def _file(found: Found) -> list[Piece]:
    return _read(found.data, found.source)


def _read(data: bytes, name: str) -> list[Piece]:
    lines = sections.lines(data)
    every = list(_sections(lines))
    found = sections.pieces([one for one in every if not one.label.startswith(_FIND)], _ROWS, name)
    found += _parameters(lines, name)
    for section in every:
        if section.label.startswith(_FIND):
            found += _sysfs(section, name)
    return [_kernel_lines(piece) if piece.path == "cmd/journalctl-k" else piece for piece in found]


def _sections(lines: list[str]) -> Iterator[sections.Section]:
    label, begin = "", 0
    for index, line in enumerate([*lines, "#==["]):
        if line.startswith("#==["):
            if label:
                yield sections.Section(label, begin + 1, lines[begin:index])
            named = lines[index + 1] if line.startswith(_HEADS) and index + 1 < len(lines) else ""
            label, begin = named[2:].strip() if named.startswith("# ") else "", index + 2


def _parameters(lines: list[str], name: str) -> list[Piece]:
    """The modules' parameters, which stand below each module as `/sys/module/NAME/parameters/PARAMETER=VALUE`."""
    found = []
    for number, line in enumerate(lines, 1):
        if not line.startswith(_PARAMETER):
            continue
        path, equals, value = line.partition("=")
        parts = path.split("/")
        if equals and value != "?" and len(parts) == 6 and parts[3] in _MODULES and parts[4] == "parameters":
            found.append(Piece(path[1:], value.strip(), name, number))
    return found


def _kernel_lines(piece: Piece) -> Piece:
    """Of a journal the kernel's lines."""
    rows = piece.text.split("\n")
    kept = [at for at, row in enumerate(rows) if " kernel: " in row]
    first = piece.first_line or 1
    return piece._replace(text="\n".join(rows[at] for at in kept), numbers=tuple(first + at for at in kept))


def _sysfs(section: sections.Section, name: str) -> list[Piece]:
    """Groups and IOMMUs in the list of everything below /sys (`ls -ld` of each)."""
    rows = [(number, line) for number, line in enumerate(section.lines, section.first_line) if " /sys/" in line]
    groups = [(number, line) for number, line in rows if _GROUPS in line and "/devices/" in line]
    iommus = [(number, line.partition(" -> ")[0].partition(_IOMMUS)[2]) for number, line in rows if _IOMMUS in line]
    found = []
    if groups:
        found.append(_joined("cmd/iommu-groups", groups, name))
    if any(line.endswith(_IOMMUS[:-1]) for _, line in rows):
        found.append(_joined("sys/class/iommu/", [(n, word) for n, word in iommus if "/" not in word], name))
    return found


def _joined(path: str, rows: list[tuple[int, str]], name: str) -> Piece:
    numbers = tuple(number for number, _ in rows)
    first = numbers[0] if numbers else None
    return Piece(path, "\n".join(line for _, line in rows), name, first, "find /sys", numbers=numbers or None)


KIND = Kind(
    name="a supportconfig archive",
    subject="diagnostics",
    marks=(
        "basic-environment.txt",
        "hardware.txt",
        "boot.txt",
        "modules.txt",
        "rpm.txt",
        "env.txt",
        "supportconfig.txt",
    ),
    needs=3,
    rows=tuple(
        Row(file, "cmd/supportconfig", read=_file)
        for file in (
            "basic-environment.txt",
            "boot.txt",
            "hardware.txt",
            "modules.txt",
            "env.txt",
            "etc.txt",
            "messages.txt",
            "sysfs.txt",
            "systemd.txt",
            "proc.txt",
            "sysconfig.txt",
            "kvm.txt",
            "xen.txt",
        )
    ),
    head=lambda head: any(line.startswith(_HEADS) for line in head.splitlines()),
    read=_read,
    never=(("dev/vfio/", "/dev/vfio"),),
)
