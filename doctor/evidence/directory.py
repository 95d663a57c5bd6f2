"""A directory with a host's files: its root or a part of it, an unpacked sosreport or bundle."""

from __future__ import annotations

import os
from pathlib import Path

from doctor.evidence import files
from doctor.evidence.types import DENIED, Evidence, InputError, Piece

_MOST = 200_000  # names that are looked at
_LARGEST = 64 * 1024 * 1024  # bytes of one file


def open_directory(root: Path) -> Evidence:
    """The evidence below `root`. Raises InputError if nothing there is evidence.

    Nothing outside `root` is read: a link out of it is not followed.
    """
    if (root / "passdoctor" / "manifest.json").is_file():
        return _unpacked(root)
    base = root.resolve()
    pieces: list[Piece] = []
    names: list[str] = []
    for folder, subfolders, found in os.walk(base):
        subfolders.sort()
        for name in sorted(found) + [d for d in subfolders if Path(folder, d).is_symlink()]:
            full = Path(folder, name)
            relative = str(full.relative_to(base))
            names.append(relative)
            path = files.evidence_path(relative)
            if path is not None:
                read = _read(full, path, base, relative)
                pieces += [read] if read is not None else []
        if len(names) > _MOST:
            raise InputError(f"{root}: more than {_MOST} files; name a folder with one host's files")
    if not pieces:
        raise InputError(f"{root}: no file of a host in it (neither etc/, proc/ or sys/ nor sos_commands/)")
    sos = (base / "sos_commands").is_dir()
    return Evidence("sosreport" if sos else "directory", str(root), [*pieces, *files.listings(names, str(root))])


def _read(full: Path, path: str, base: Path, relative: str) -> Piece | None:
    """One file as a piece; a link in sys/ is its target's text, elsewhere it is followed within the root."""
    try:
        if full.is_symlink():
            target = str(full.readlink())
            if path.startswith("sys/"):
                return files.piece(path, target.encode("utf-8", "replace"), relative, link=True)
            if not full.resolve().is_relative_to(base):
                return None
        if not full.is_file() or full.stat().st_size > _LARGEST:
            return None
        return files.piece(path, full.read_bytes(), relative)
    except PermissionError as error:
        return Piece(path, "", relative, None, state=DENIED, reason=error.strerror)
    except (OSError, RuntimeError):
        return None


def _unpacked(root: Path) -> Evidence:
    """A bundle that somebody unpacked."""
    from doctor.collect.pack import from_members
    from doctor.collect.untar import BundleError
    from doctor.evidence.bundle import from_collected

    members = {}
    for full in sorted((root / "passdoctor").rglob("*")):
        if full.is_file() and not full.is_symlink() and full.stat().st_size <= _LARGEST:
            members[str(full.relative_to(root))] = full.read_bytes()
    try:
        return from_collected(from_members(members), "bundle", root.name)
    except BundleError as error:
        raise InputError(f"{root}: {error}") from None
