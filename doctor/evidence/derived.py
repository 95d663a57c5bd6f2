"""Evidence that lies inside other tools' output: groups in libvirt's XML, folders in a long `ls -R`, udev's database.

Sources: libvirt's docs/formatnode (`<iommuGroup number=…>` of a PCI device); ls(1) with -R; udevadm(8), `info
--export-db` ("P:" the device's path, "E:" its properties).
"""

from __future__ import annotations

from doctor.evidence import files
from doctor.evidence.clean import BREAKS
from doctor.evidence.types import EXCERPT, WHOLE, Piece
from doctor.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doctor.evidence.kind import Found

_GROUP = later(r"<iommuGroup number=['\"](\d{1,5})['\"]>")
_FIELD = later(r"\b(domain|bus|slot|function)=['\"]0x([0-9a-fA-F]{1,6})['\"]")
_FOLDERS = ("sys/firmware/acpi/tables/", "sys/kernel/iommu_groups/", "sys/class/iommu/", "dev/vfio/")


def node_device(found: Found) -> list[Piece]:
    """The IOMMU group in `virsh nodedev-dumpxml` of a PCI device, with all its members.

    >>> from doctor.evidence.kind import Found
    >>> xml = b'''<iommuGroup number='9'>
    ... <address domain='0x0000' bus='0x01' slot='0x00' function='0x1'/>
    ... </iommuGroup>'''
    >>> [(p.path, p.text, p.numbers) for p in node_device(Found("cmd/virsh-nodedev", xml, "x"))]
    [('sys/kernel/iommu_groups/9/devices/', '0000:01:00.1', (2,))]
    """
    number: str | None = None
    members: list[str] = []
    numbers: list[int] = []
    for index, line in enumerate(_lines(found), 1):
        begin = _GROUP.search(line)
        if begin:
            number = begin.group(1)
        if number is None:
            continue
        fields = dict(_FIELD.findall(line))
        if "<address" in line and len(fields) == 4:
            where = [int(fields[name], 16) for name in ("domain", "bus", "slot", "function")]
            if where[3] < 8:
                members.append("{:04x}:{:02x}:{:02x}.{}".format(*where))
                numbers.append(index)
        if "</iommuGroup>" in line and members:
            path = f"sys/kernel/iommu_groups/{number}/devices/"
            made = Piece(path, "\n".join(members), found.source, numbers[0], found.command, numbers=tuple(numbers))
            return [made]
    return []


def long_listing(found: Found) -> list[Piece]:
    """The folders of `ls -lR` that are evidence, each a listing of its own.

    >>> from doctor.evidence.kind import Found
    >>> text = b"/sys/firmware/acpi/tables:\\ntotal 0\\n-r--------. 1 0 0 136 May  1 12:00 DMAR\\n\\n/sys/x:\\ntotal 0"
    >>> [(p.path, p.text.split()[-1], p.first_line) for p in long_listing(Found("cmd/ls", text, "x"))]
    [('sys/firmware/acpi/tables/', 'DMAR', 2)]
    """
    pieces: list[Piece] = []
    rows = _lines(found)
    start, folder = 0, ""
    for index, line in enumerate([*rows, "/:"]):
        if not line.startswith("/") or not line.endswith(":"):
            continue
        if folder in _FOLDERS:
            text = "\n".join(rows[start:index]).rstrip("\n")
            pieces.append(Piece(folder, text, found.source, start + 1, found.command, found.state))
        if folder == "sys/firmware/efi/":
            pieces.append(Piece("sys/firmware/efi", "", found.source, start, found.command))
        start, folder = index + 1, line[1:-1] + "/"
    return pieces


def udev_database(found: Found) -> list[Piece]:
    """The IOMMUs in udev's database, as the names in /sys/class/iommu; a whole database without any proves none.

    >>> from doctor.evidence.kind import Found
    >>> text = b"P: /devices/virtual/iommu/dmar0\\nE: SUBSYSTEM=iommu\\n"
    >>> [(p.path, p.text, p.numbers) for p in udev_database(Found("cmd/udevadm", text, "x"))]
    [('sys/class/iommu/', 'dmar0', (1,))]
    """
    names: list[str] = []
    numbers: list[int] = []
    for index, line in enumerate(_lines(found), 1):
        if line.startswith("P: ") and "/iommu/" in line:
            head, _, name = line.rpartition("/")
            if head.endswith("/iommu"):
                names.append(name)
                numbers.append(index)
    if not names and (found.state != WHOLE or b"\nE: SUBSYSTEM=pci\n" not in found.data):
        return []
    made = Piece("sys/class/iommu/", "\n".join(names), found.source, 1, found.command, numbers=tuple(numbers) or None)
    return [made]


def journal(found: Found) -> list[Piece]:
    """The present boot's kernel lines in a journal, and what the VM managers said beside them.

    >>> from doctor.evidence.kind import Found
    >>> text = b"May 1 12:00:00 h kernel: Linux version 6.1\\nMay 1 12:00:01 h sshd[1]: hello"
    >>> [(p.path, p.numbers) for p in journal(Found("cmd/journalctl-k", text, "x"))]
    [('cmd/journalctl-k', (1,))]
    """
    rows = _lines(found)
    start = max((at for at, row in enumerate(rows) if row.startswith(("-- Reboot --", "-- Boot "))), default=-1) + 1
    kernel = [at for at in range(start, len(rows)) if " kernel: " in rows[at]]
    tools = [
        at for at in range(start, len(rows))
        if " kernel: " not in rows[at] and any(word in rows[at] for word in ("vfio", "qemu", "libvirtd"))
    ]  # fmt: skip
    pieces = []
    for path, kept, state in ((found.path, kernel, found.state), ("cmd/messages", tools, EXCERPT)):
        if kept:
            text, numbers = "\n".join(rows[at] for at in kept), tuple(at + 1 for at in kept)
            pieces.append(Piece(path, text, found.source, numbers[0], found.command, state, numbers=numbers))
    return pieces


def failed_start(found: Found) -> list[Piece]:
    """What QEMU said in a VM's log when its last start failed; nothing if it did not.

    libvirt opens each start with "starting up" and closes a failed one with "reason=failed"
    (src/qemu/qemu_domain.c, qemuDomainLogAppendMessage).

    >>> from doctor.evidence.kind import Found
    >>> log = b'''2024-01-01 10:00:00.000+0000: starting up libvirt version: 8.7.0
    ... 2024-01-01T10:00:01.000Z qemu-system-x86_64: -device vfio-pci: vfio 0000:01:00.0: group 1 is not viable
    ... 2024-01-01 10:00:01.100+0000: shutting down, reason=failed'''
    >>> [(p.first_line, p.text.split(": ")[2]) for p in failed_start(Found("cmd/messages", log, "x"))]
    [(2, 'vfio 0000:01:00.0')]
    """
    rows = _lines(found)
    start = max((at for at, row in enumerate(rows) if ": starting up libvirt version" in row), default=-1)
    ends = [row for row in rows[start + 1 :] if ": shutting down, reason=" in row]
    if start < 0 or not ends or "reason=failed" not in ends[-1]:
        return []
    kept = [at for at in range(start + 1, len(rows)) if "qemu-system" in rows[at][:80] and ": " in rows[at][:120]]
    if not kept:
        return []
    text, numbers = "\n".join(rows[at] for at in kept), tuple(at + 1 for at in kept)
    return [Piece(found.path, text, found.source, numbers[0], None, EXCERPT, numbers=numbers)]


def cut_at_end(found: Found) -> list[Piece]:
    """A log whose writer kept its beginning only, if it is as large as that: what came later may have been said."""
    made = files.piece(found.path, found.data, found.source, command=found.command)
    return [made._replace(state=EXCERPT)] if made.text.endswith("...") else [made]


def _lines(found: Found) -> list[str]:
    text = found.data.decode("utf-8", "replace").replace("\r\n", "\n").translate(BREAKS)
    return text.split("\n")
