"""A hardware probe of hw-probe (linux-hardware.org), `hw.info.txz`: the folder `logs` has an output a file.

Source: linuxhw/hw-probe, hw-probe.pl (`writeLog`). Addresses and serial numbers are removed, a log above two
megabytes loses its end, and of cpuinfo only the first processor is kept.
"""

from __future__ import annotations

from doctor.evidence import files
from doctor.evidence.derived import cut_at_end
from doctor.evidence.kind import Found, Kind, Row
from doctor.evidence.types import Piece

_TABLES = ("DMAR", "IVRS")


def _modprobe(found: Found) -> list[Piece]:
    """All of /etc/modprobe.d in one file: a name, a line of as many dashes, the content.

    >>> text = b"vfio.conf\\n---------\\noptions vfio-pci ids=10de:1b80\\n\\n\\n"
    >>> [(p.path, p.text, p.first_line) for p in _modprobe(Found("etc/modprobe.d/*", text, "x"))]
    [('etc/modprobe.d/vfio.conf', 'options vfio-pci ids=10de:1b80', 3)]
    """
    whole = files.piece("etc/modprobe.d/all.conf", found.data, found.source)
    rows = whole.text.split("\n")
    heads = [
        at for at in range(len(rows) - 1)
        if rows[at] and len(rows[at]) < 200 and "/" not in rows[at] and rows[at + 1] == "-" * len(rows[at])
    ]  # fmt: skip
    pieces = []
    for at, following in zip(heads, [*heads[1:], len(rows)], strict=False):
        text = "\n".join(rows[at + 2 : following]).strip("\n")
        pieces.append(Piece(f"etc/modprobe.d/{rows[at]}", text, found.source, at + 3))
    return pieces


def _dmi(found: Found) -> list[Piece]:
    """The files of /sys/class/dmi/id, a line each.

    >>> [(p.path, p.text) for p in _dmi(Found("x", b"board_name: X570\\nboard_serial: 12", "x"))]
    [('sys/class/dmi/id/board_name', 'X570')]
    """
    pieces = []
    whole = files.piece(found.path, found.data, found.source)
    for number, line in enumerate(whole.text.split("\n"), 1):
        name, _, value = line.partition(": ")
        if value and name in ("board_name", "board_vendor", "product_name", "sys_vendor", "bios_version", "bios_date"):
            pieces.append(Piece(f"sys/class/dmi/id/{name}", value.strip(), found.source, number))
    return pieces


def _tables(found: Found) -> list[Piece]:
    """The IOMMU's tables in the text of acpidump, as bytes; of the rest only the names.

    >>> text = b"DMAR @ 0x00000000\\n    0000: 44 4D 41 52 30 00  DMAR0.\\n\\nFACP @ 0x0\\n    0000: 46 41  FA\\n"
    >>> [(p.path, p.text or p.binary) for p in _tables(Found("x", text, "x"))]
    [('sys/firmware/acpi/tables/', 'DMAR\\nFACP'), ('sys/firmware/acpi/tables/DMAR', b'DMAR0\\x00')]
    """
    names: list[str] = []
    tables: dict[str, bytearray] = {}
    name = ""
    for line in files.piece(found.path, found.data, found.source).text.split("\n"):
        if line[4:7] == " @ ":
            name = line[:4]
            names.append(name)
            tables[name] = bytearray()
        elif name in _TABLES and line[:2] == "  " and ":" in line[:16]:
            words = line.partition(": ")[2][:47].split("  ")[0].split()
            if all(len(word) == 2 and set(word) <= set("0123456789abcdefABCDEF") for word in words):
                tables[name] += bytes.fromhex("".join(words))
    if not names:
        return []
    folder = "sys/firmware/acpi/tables/"
    listing = Piece(folder, "\n".join(dict.fromkeys(names)), found.source, None, found.command)
    return [listing] + [
        Piece(folder + name, "", found.source, None, found.command, binary=bytes(tables[name]))
        for name in _TABLES if tables.get(name)
    ]  # fmt: skip


KIND = Kind(
    name="a hardware probe",
    subject="diagnostics",
    marks=("logs/hwinfo", "logs/lspci", "logs/lspci_all", "logs/dmesg", "logs/dmi_id", "logs/lsusb", "devices", "host"),
    needs=3,
    rows=(
        Row("logs/dmesg", "cmd/dmesg", "dmesg", cut_at_end),
        Row("logs/lspci_all", "cmd/lspci-nnk", "lspci -vvnn"),
        Row("logs/lspci", "cmd/lspci-nnk", "lspci -vmnnk", spare=True),
        Row("logs/lsmod", "cmd/lsmod", "lsmod", cut_at_end),
        Row("logs/lscpu", "cmd/lscpu", "lscpu"),
        Row("logs/cpuinfo", "proc/cpuinfo"),
        Row("logs/interrupts", "proc/interrupts", read=cut_at_end),
        Row("logs/meminfo", "proc/meminfo"),
        Row("logs/os-release", "etc/os-release"),
        Row("logs/grub", "etc/default/grub"),
        Row("logs/grub.cfg", "boot/grub2/grub.cfg", read=cut_at_end),
        Row("logs/efibootmgr", "cmd/efibootmgr", "efibootmgr -v"),
        Row("logs/modprobe.d", "etc/modprobe.d/*", read=_modprobe),
        Row("logs/dmi_id", "sys/class/dmi/id/*", read=_dmi),
        Row("logs/acpidump", "sys/firmware/acpi/tables/", "acpidump", _tables),
    ),
    never=(
        ("sys/kernel/iommu_groups/", "the IOMMU groups"),
        ("sys/class/iommu/", "/sys/class/iommu"),
    ),
)
