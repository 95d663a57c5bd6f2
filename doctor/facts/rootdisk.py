"""The block devices that the root file system is on, as the kernel or util-linux prints them.

Sources: linux Documentation/filesystems/proc.rst (mountinfo, mounts), mount(8), findmnt(8), lsblk(8): of a tree of
lsblk the disk is told that stands above the row of `/`; in its other forms no row says what lies below it.

>>> text = "sda      8:0   0 465G  0 disk\\n└─sda3   8:3   0 465G  0 part\\n  └─pve-root 253:1 0 96G 0 lvm  /"
>>> [(name, source.line) for name, source in on(Piece("cmd/lsblk", text, "p"))]
[('sda', 3)]
>>> [name for name, _ in on(Piece("cmd/mount", "/dev/nvme0n1p2 on / type ext4 (rw,relatime)", "p"))]
['nvme0n1p2']
"""

from __future__ import annotations

from doctor.evidence.types import Piece, Source
from doctor.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PATHS = ("proc/self/mountinfo", "proc/mounts", "cmd/findmnt", "cmd/mount", "cmd/lsblk")
_DISK = later(r"nvme\d{1,4}n\d{1,4}|mmcblk\d{1,3}|(?:s|v|xv|h)d[a-z]{1,3}")
_BRANCHES = "├└│|`-"


def on(piece: Piece) -> Iterator[tuple[str, Source]]:
    """The names below /dev of what `/` is on, each with its line; `piece` is of one of PATHS."""
    if piece.path == "cmd/lsblk":
        yield from _tree(piece)
        return
    for index, line in enumerate(piece.text.split("\n")):
        device = _source(piece.path, line.split())
        if device.startswith("/dev/"):
            # btrfs: findmnt puts the subvolume behind it, in brackets.
            yield device.removeprefix("/dev/").partition("[")[0], piece.cite(index)


def _source(path: str, words: list[str]) -> str:
    """What a line says that `/` is on, or ""."""
    if path == "proc/self/mountinfo":
        if len(words) > 6 and words[4] == "/" and "-" in words[:-2]:
            return words[words.index("-") + 2]
    elif path == "cmd/mount":
        if words[1:3] == ["on", "/"]:
            return words[0]
    elif path == "cmd/findmnt":
        if words[:1] == ["/"] and len(words) > 1:
            return words[1]
    elif words[1:2] == ["/"]:
        return words[0]
    return ""


def _tree(piece: Piece) -> Iterator[tuple[str, Source]]:
    """The disks above the rows of `/`."""
    disk = ""
    for index, line in enumerate(piece.text.split("\n")):
        words = line.split()
        if not words:
            continue
        name = words[0].removeprefix("/dev/")
        if _DISK.fullmatch(name):
            disk = name
        elif name[0] not in _BRANCHES and name[0] != "/" and not (disk and name.startswith(disk)):
            disk = ""  # another stack; a row of its own for a further mount point begins with a slash
        if words[-1] == "/" and disk:
            yield disk, piece.cite(index)
