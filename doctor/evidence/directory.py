"""A directory with a host's files: its root or a part of it, another tool's bundle unpacked, our own unpacked."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISREG

from doctor.collect.catalogue import NEVER
from doctor.evidence.tarball import HIDDEN
from doctor.evidence.tree import LARGEST, Tree, clean_name
from doctor.evidence.types import Evidence, InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_MOST = 200_000  # names that are looked at
_MASK = "/dev/null"  # a link to it takes the file of that name out of effect (modprobe.d(5), systemd-delta(1))
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def open_directory(root: Path) -> Evidence:
    """The evidence below `root`. Raises InputError if nothing there is evidence.

    Nothing outside `root` is read: a link out of it is not followed.
    """
    from doctor.collect.untar import BundleError
    from doctor.evidence.bundle import bundle_in
    from doctor.evidence.foreign import open_tree

    base = root.resolve()
    if str(base) == "/":
        raise InputError(f"{root}: this is the running host; examine it without naming an input")
    tree = _tree(str(root), str(base))
    try:
        found = bundle_in(tree, base.name) or open_tree(tree, str(root), "")
    except BundleError as error:
        raise InputError(f"{root}: {error}") from None
    if found is None:
        raise InputError(f"{root}: no file of a host in it (neither etc/, proc/ or sys/ nor sos_commands/)")
    return found


def open_folder(root: Path) -> Tree:
    """The files below `root` by name."""
    return _tree(str(root), str(root.resolve()))


def _tree(shown: str, base: str) -> Tree:
    """The names below `base`; what a file holds is read when it is asked for."""
    tree = Tree(shown, {}, {})
    for folder, subfolders, found in os.walk(base):
        subfolders.sort()
        for name in found + [d for d in subfolders if os.path.islink(f"{folder}/{d}")]:  # noqa: PTH114 - as below
            full = f"{folder}/{name}"
            inside = full[len(base) + 1 :]
            relative = clean_name(inside)
            if relative is None:
                tree.leave(inside, HIDDEN)
                continue
            tree.files[relative] = _reader(full, base, relative, tree.passed)
            if os.path.islink(full):  # noqa: PTH114 - Path costs four times as much, and there may be many
                tree.links[relative] = os.readlink(full)  # noqa: PTH115 - as above
        if len(tree.files) > _MOST:
            raise InputError(f"{shown}: more than {_MOST} files; name a folder with one host's files")
    tree.names = sorted(tree.files)
    return tree


def _reader(full: str, base: str, relative: str, passed: dict[str, str]) -> Callable[[], bytes | None]:
    return lambda: _read(full, base, relative, passed)


def _read(full: str, base: str, relative: str, passed: dict[str, str]) -> bytes | None:
    """A file's content; a link is followed within the root only. Raises PermissionError.

    `passed` gets the reason where a file of that name is there and is not read.
    """
    try:
        if os.path.islink(full) and os.readlink(full) == _MASK:  # noqa: PTH114, PTH115 - as above
            return b""
        if not os.path.realpath(full).startswith(base + "/"):
            passed[relative] = "a link that leaves the folder"
            return None
        # A device acts when it is opened, and a pipe blocks: look first, and look again at what was opened.
        if not S_ISREG(os.stat(full).st_mode):  # noqa: PTH116 - as above
            passed[relative] = "a folder, a device or a pipe in place of a file"
            return None
        if _acts(relative):
            passed[relative] = "reading it acts on the device"
            return None
        with open(os.open(full, _FLAGS), "rb") as file:
            status = os.fstat(file.fileno())
            if not S_ISREG(status.st_mode) or not _inside(file.fileno(), base):
                passed[relative] = "it was replaced while it was opened"
                return None
            content = file.read(LARGEST + 1) if status.st_size <= LARGEST else None
    except PermissionError:
        raise
    except (OSError, RuntimeError):
        return None
    if content is None or len(content) > LARGEST:
        passed[relative] = f"larger than {LARGEST >> 20} MiB"
        return None
    return content


def _acts(relative: str) -> bool:
    """Whether a file is a device's attribute that must never be opened, should the folder hold a mounted sysfs."""
    name = relative.rpartition("/")[2]
    return "sys/" in relative and (name in NEVER or (name.startswith("resource") and name != "resource"))


def _inside(descriptor: int, base: str) -> bool:
    """Whether what was opened lies below `base`, as far as this system tells."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}").startswith(base + "/")  # noqa: PTH115 - as above
    except OSError:
        return True
