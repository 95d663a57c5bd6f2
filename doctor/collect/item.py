"""One kind of evidence, and short ways to write the common kinds down; `catalogue` is made of these.

It is data and loads nothing that costs time, for the analyser loads it in every run.
"""

from .record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional, Sequence, Tuple


__all__ = ["KB", "MB", "RELEASE", "Item", "command", "drop_ins", "exists", "file", "files", "link", "listing", "log"]

RELEASE = "{release}"
"""Stands for the running kernel's release in an item's path."""

KB = 1024
MB = 1024 * KB


class Item(NamedTuple):
    """One kind of evidence.

    `path`: evidence path; `*` stands for part of one component, a trailing slash for the directory's names.
    `how`: file, link, listing, command or exists. `argv`: the command. `root`: an ordinary user gets nothing
    or less. `limit` in bytes and `timeout` in seconds. `privacy`: none, names, ids, network or mixed;
    anything but none is redacted. `keep`: of a big file only lines with one of these are kept.
    `ask`: what a person types to show this piece in a forum. `log`: the kernel's log: what goes beyond the
    limit is not lost as a whole, of it the lines with words of known messages are kept.
    """

    path: str
    how: str
    argv: "Tuple[str, ...]" = ()
    root: bool = False
    limit: int = 64 * KB
    timeout: float = 10.0
    privacy: str = "none"
    keep: "Optional[Tuple[str, ...]]" = None
    ask: str = ""
    log: bool = False


def file(
    path: str,
    ask: str = "",
    privacy: str = "none",
    root: bool = False,
    limit: int = 64 * KB,
    keep: "Optional[Tuple[str, ...]]" = None,
) -> Item:
    """A file, or all files that fit a pattern; without ASK people are asked for its lines."""
    shown = path.replace(RELEASE, "$(uname -r)")
    if not ask and keep:
        words = " ".join("-e '{}'".format(word) if " " in word else "-e " + word for word in keep)
        ask = "grep {} /{}".format(words, shown)
    elif not ask:
        ask = ("grep -Hs . /" if "*" in path else "cat /") + shown
    return Item(path, "file", (), root, limit, 10.0, privacy, keep, ask)


def files(folder: str, names: str, ask: str = "", privacy: str = "none", root: bool = False) -> "List[Item]":
    """The files NAMES (with blanks between) of a folder."""
    return [file(folder + "/" + name, ask, privacy, root) for name in names.split()]


def drop_ins(folder: str, privacy: str = "mixed", ending: str = "*.conf") -> "List[Item]":
    """The files of a folder of drop-ins, and its names as well: only they prove that no file is missing."""
    ask = "grep -Hs . /{}/{}".format(folder, ending)
    return [listing(folder + "/", ask), file(folder + "/" + ending, ask, privacy)]


def listing(path: str, ask: str = "", root: bool = False) -> Item:
    """The names in a directory; PATH has its slash."""
    return Item(path, "listing", root=root, ask=ask or "ls /" + path, limit=MB)


def link(path: str, ask: str) -> Item:
    """A link's target."""
    return Item(path, "link", ask=ask, limit=4 * KB)


def exists(path: str) -> Item:
    """Whether something is there."""
    return Item(path, "exists", ask="ls -d /" + path, limit=0)


def command(
    name: str, argv: "Sequence[str]", limit: int, privacy: str, ask: str = "", root: bool = False, log: bool = False
) -> Item:
    """A command's output."""
    ask = ask or " ".join(argv)
    return Item("cmd/" + name, "command", tuple(argv), root, limit, 20.0, privacy, None, ask, log)


def log(path: str, keep: "Optional[Tuple[str, ...]]" = None, limit: int = 2 * MB) -> Item:
    """A file with the kernel's log: read only where neither dmesg nor the journal holds the boot's beginning."""
    ask = "grep -h kernel: /" + path if keep else "cat /" + path
    return Item(path, "file", (), True, limit, 10.0, "mixed", keep, ask, True)
