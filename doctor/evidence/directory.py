"""A directory with a host's files: its root or a part of it, another tool's bundle unpacked, our own unpacked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from doctor.evidence.tree import LARGEST, Tree, clean_name
from doctor.evidence.types import Evidence, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST = 200_000  # names that are looked at


def open_directory(root: Path) -> Evidence:
    """The evidence below `root`. Raises InputError if nothing there is evidence.

    Nothing outside `root` is read: a link out of it is not followed.
    """
    if (root / "passdoctor" / "manifest.json").is_file():
        return _unpacked(root)
    from doctor.evidence.foreign import open_tree

    found = open_tree(_tree(root), str(root), "")
    if found is None:
        raise InputError(f"{root}: no file of a host in it (neither etc/, proc/ or sys/ nor sos_commands/)")
    return found


def _tree(root: Path) -> Tree:
    """The names below `root`; what a file holds is read when it is asked for."""
    base = root.resolve()
    files: dict[str, Callable[[], bytes | None]] = {}
    links: dict[str, str] = {}
    passed: dict[str, str] = {}
    for folder, subfolders, found in os.walk(base):
        subfolders.sort()
        for name in found + [d for d in subfolders if Path(folder, d).is_symlink()]:
            full = os.path.join(folder, name)  # noqa: PTH118 - Path costs four times as much, and there may be many
            relative = clean_name(full[len(str(base)) + 1 :])
            if relative is None:
                continue
            files[relative] = _reader(full, base, relative, passed)
            if os.path.islink(full):  # noqa: PTH114 - as above
                links[relative] = os.readlink(full)  # noqa: PTH115 - as above
        if len(files) > _MOST:
            raise InputError(f"{root}: more than {_MOST} files; name a folder with one host's files")
    tree = Tree(str(root), files, links)
    tree.passed = passed
    return tree


def _reader(full: str, base: Path, relative: str, passed: dict[str, str]) -> Callable[[], bytes | None]:
    return lambda: _read(Path(full), base, relative, passed)


def _read(full: Path, base: Path, relative: str, passed: dict[str, str]) -> bytes | None:
    """A file's content; a link is followed within the root only. Raises PermissionError."""
    try:
        if full.is_symlink() and not full.resolve().is_relative_to(base):
            return None
        if not full.is_file():
            return None
        if full.stat().st_size > LARGEST:
            passed[relative] = f"larger than {LARGEST >> 20} MiB"
            return None
        return full.read_bytes()
    except PermissionError:
        raise
    except (OSError, RuntimeError):
        return None


def _unpacked(root: Path) -> Evidence:
    """A bundle that somebody unpacked."""
    from doctor.collect.pack import from_members
    from doctor.collect.untar import BundleError
    from doctor.evidence.bundle import from_collected

    members = {}
    for full in sorted((root / "passdoctor").rglob("*")):
        if full.is_file() and not full.is_symlink() and full.stat().st_size <= LARGEST:
            members[str(full.relative_to(root))] = full.read_bytes()
    try:
        return from_collected(from_members(members), "bundle", root.name)
    except BundleError as error:
        raise InputError(f"{root}: {error}") from None
