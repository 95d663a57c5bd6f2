"""A host's files by their names: which evidence path each is, and the pieces made of them."""

from __future__ import annotations

from doctor.evidence.clean import BREAKS
from doctor.evidence.kind import Row
from doctor.evidence.types import DENIED, NOT_COLLECTED, WHOLE, Piece

# First part of a path that evidence may have; anything else in a stranger's tree is not looked at.
ROOTS = (
    "etc/",
    "proc/",
    "sys/",
    "boot/",
    "lib/modules/",
    "usr/lib/modules/",
    "usr/lib/os-release",
    "usr/share/hwdata/pci.ids",
    "usr/share/misc/pci.ids",
    "usr/lib/modprobe.d/",
    "lib/modprobe.d/",
    "usr/local/lib/modprobe.d/",
    "usr/lib/modules-load.d/",
    "lib/modules-load.d/",
    "cmd/",
    "run/",
    "dev/vfio/",
    "efi/",
)
_DENIED = ("Operation not permitted", "Permission denied")
_MISSING = ("command not found", "Command not found", "No such file or directory")
_REFUSED = 400  # characters; what is longer is no refusal


LOGS = ("var/log/dmesg", "var/log/kern.log", "var/log/syslog", "var/log/messages")
ROWS = (
    *[Row(log, log) for log in LOGS],
    # /sys/class/dmi/id is a link to this folder.
    Row("sys/devices/virtual/dmi/id/*", "sys/class/dmi/id/*"),
    *[Row(root, root) if not root.endswith("/") else Row(root + "**", root + "**") for root in ROOTS],
)
"""A host's files at their own paths."""


def below_top(name: str) -> str:
    """A file's path below the one folder that somebody packed a host's files in.

    >>> below_top("host-2024/etc/modules"), below_top("etc/modules"), below_top("a/b/etc/modules")
    ('etc/modules', 'etc/modules', 'a/b/etc/modules')
    """
    roots = (*ROOTS, "var/log/")
    if name.startswith(roots):
        return name
    _top, slash, rest = name.partition("/")
    return rest if slash and rest.startswith(roots) else name


def piece(
    path: str, data: bytes, source: str, link: bool = False, command: str | None = None, state: str = WHOLE
) -> Piece:
    """A file's content as a piece; an error message in place of a command's output becomes the piece's state."""
    binary = b"\0" in data[:4096]
    text = "" if binary else data.decode("utf-8", "replace").replace("\r\n", "\n").translate(BREAKS).rstrip("\n")
    line = None if binary or link else 1
    made = Piece(path, text, source, line, command, state, binary=data if binary else None)
    refused = refusal(text) if path.startswith("cmd/") and not binary else None
    return made._replace(state=refused, reason=text.strip()) if refused else made


def refusal(text: str) -> str | None:
    """The state of a command's output that is but an error message; None if it is none.

    >>> refusal("dmesg: read kernel buffer failed: Operation not permitted"), refusal("[ 0.1] Linux version 6.1")
    ('denied', None)
    """
    text = text.strip()
    if not text or len(text) > _REFUSED or text.count("\n") > 1 or ": " not in text or text.startswith(("[", "<")):
        return None
    if any(words in text for words in _DENIED):
        return DENIED
    return NOT_COLLECTED if any(words in text for words in _MISSING) else None


def listings(names: list[str], source: str) -> list[Piece]:
    """The listings that the names of a whole tree show for the folders that matter."""
    folders: dict[str, set[str]] = {}
    for name in names:
        for folder in (
            "sys/class/iommu/",
            "sys/kernel/iommu_groups/",
            "sys/bus/pci/devices/",
            "sys/firmware/acpi/tables/",
            "dev/vfio/",
        ):
            if name.startswith(folder):
                rest = name[len(folder) :].split("/")
                folders.setdefault(folder, set()).add(rest[0])
                if folder == "sys/kernel/iommu_groups/" and len(rest) > 2 and rest[1] == "devices":
                    folders.setdefault(f"{folder}{rest[0]}/devices/", set()).add(rest[2])
    return [
        Piece(folder, "\n".join(sorted(found)), source, None)
        for folder, found in sorted(folders.items())
        if found - {""}
    ]
