"""Writes a collection as a bundle, whole or not at all, and reads one back.

A bundle is a gzip-compressed tar: `passdoctor/manifest.json` (what was collected, how, in which state, and
why something is missing), `passdoctor/sysfs.json` (the many small pieces: all of `sys/` and every listing,
link and existence), and `passdoctor/files/PATH` for each other piece.
"""

import binascii
import json
import os
from typing import Any, Dict, List, Optional, Tuple

from .model import STATES, Collected, Entry
from .untar import BundleError, check_name, files

__all__ = ["FORMAT", "BundleError", "unpack", "write"]

FORMAT = 1
_HOWS = ("file", "link", "listing", "command", "exists")
_MANIFEST = "passdoctor/manifest.json"
_SYSFS = "passdoctor/sysfs.json"
_FILES = "passdoctor/files/"


def write(
    collected: Collected, target_path: str, redactions: Optional[Dict[str, int]] = None, version: str = ""
) -> int:
    """Write COLLECTED to the new file TARGET_PATH, with mode 0600, and return its size.

    REDACTIONS says how often each class of private values was replaced; None: nothing was redacted.
    The file appears whole or not at all. Raises FileExistsError if the name is taken (by a link, too), and
    OSError for what else prevents it.
    """
    if os.path.lexists(target_path):
        raise FileExistsError(17, "File exists", target_path)
    data = to_bytes(collected, redactions, version)
    folder = os.path.dirname(target_path) or "."
    name = ".passdoctor-{}.tmp".format(binascii.hexlify(os.urandom(8)).decode())
    temporary = os.path.join(folder, name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(temporary, "wb", opener=lambda path, _: os.open(path, flags, 0o600)) as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        _publish(temporary, target_path)
    finally:
        # In every case, an interrupt included: the bundle has its own name by now, or is not wanted.
        try:
            os.unlink(temporary)
        except FileNotFoundError:
            pass
    return len(data)


def _publish(temporary: str, target: str) -> None:
    try:
        os.link(temporary, target)
        return
    except FileExistsError:
        raise
    except OSError:
        pass  # FAT and some network file systems have no hard links
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    try:
        os.rename(temporary, target)
    except BaseException:
        os.unlink(target)
        raise


def to_bytes(collected: Collected, redactions: Optional[Dict[str, int]] = None, version: str = "") -> bytes:
    """Return the bundle of COLLECTED as bytes: the same for the same collection."""
    import gzip
    import io
    import tarfile
    import time

    small, large = _split(collected)
    manifest = _manifest(collected, redactions, version or collected.version)
    members: List[Tuple[str, bytes]] = [(_MANIFEST, _json(manifest, 1)), (_SYSFS, _json(small, None))]
    members += [(_FILES + path, large[path]) for path in sorted(large)]
    try:
        seconds = int(_seconds(time.strptime(collected.collected_at, "%Y-%m-%dT%H:%M:%SZ")))
    except ValueError:
        seconds = 0
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = len(data), seconds, 0o644
            archive.addfile(info, io.BytesIO(data))
    zipped = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, zipped, mtime=seconds) as stream:
        stream.write(out.getvalue())
    return zipped.getvalue()


def _seconds(moment: Any) -> int:
    import calendar

    return calendar.timegm(moment)


def _json(value: Any, indent: Optional[int]) -> bytes:
    return json.dumps(value, indent=indent, sort_keys=indent is None).encode("ascii") + b"\n"


def _is_small(entry: Entry) -> bool:
    return entry.path.startswith("sys/") or entry.how in ("link", "listing", "exists")


def _split(collected: Collected) -> Tuple[Dict[str, Any], Dict[str, bytes]]:
    small: Dict[str, Any] = {"files": {}, "binary": {}, "links": {}, "listings": {}, "exists": []}
    large: Dict[str, bytes] = {}
    for path, entry in sorted(collected.entries.items()):
        if entry.state in ("absent", "denied", "failed"):
            if entry.data and not _is_small(entry):
                large[path] = entry.data
        elif not _is_small(entry):
            large[path] = entry.data
        elif entry.how == "exists":
            small["exists"].append(path)
        elif entry.how == "listing":
            small["listings"][path] = entry.data.decode("utf-8", "replace").splitlines()
        elif entry.how == "link":
            small["links"][path] = entry.data.decode("utf-8", "replace")
        else:
            try:
                small["files"][path] = entry.data.decode("utf-8")
            except UnicodeDecodeError:
                small["binary"][path] = binascii.b2a_base64(entry.data, newline=False).decode("ascii")
    return small, large


def _manifest(collected: Collected, redactions: Optional[Dict[str, int]], version: str) -> Dict[str, Any]:
    import hashlib

    entries = []
    for path, entry in sorted(collected.entries.items()):
        if _is_small(entry) and entry.state == "whole" and entry.reason is None:
            continue
        entries.append(
            {
                "path": path,
                "how": entry.how,
                "command": entry.command,
                "state": entry.state,
                "reason": entry.reason,
                "size": len(entry.data),
                "sha256": hashlib.sha256(entry.data).hexdigest() if entry.data else None,
            }
        )
    return {
        "format": FORMAT,
        "tool": "passdoctor",
        "version": version,
        "collected_at": collected.collected_at,
        "as_root": collected.as_root,
        "redaction": "none" if redactions is None else "forum",
        "redactions": dict(sorted((redactions or {}).items())),
        "entries": entries,
    }


def unpack(data: bytes) -> Collected:
    """Return the collection in the bundle DATA, which may come from anybody.

    Nothing is written to disk. Raises `BundleError` with one clear line for what is no bundle, is damaged,
    was written in a newer format, or is made to harm (see `untar.files` for the limits).
    """
    return from_members(files(data))


def from_members(members: Dict[str, bytes]) -> Collected:
    """Return the collection whose files are MEMBERS (member name to content), as `unpack` reads them.

    Raises `BundleError` as `unpack` does.
    """
    if _MANIFEST not in members:
        raise BundleError("not a passdoctor bundle: it has no {}".format(_MANIFEST))
    manifest = _object(members[_MANIFEST], "manifest.json")
    stated = manifest.get("format")
    if stated != FORMAT:
        raise BundleError("the bundle has format {:.20}; this version reads 1".format(ascii(stated)))
    entries: Dict[str, Entry] = {}
    if _SYSFS in members:
        _read_small(_object(members[_SYSFS], "sysfs.json"), entries)
    for name, content in members.items():
        if name.startswith(_FILES):
            path = check_name(name[len(_FILES) :])
            how = "command" if path.startswith("cmd/") else "file"
            _add(entries, Entry(path, content, how))
    _overlay(manifest.get("entries"), entries)
    redaction = "forum" if manifest.get("redaction") == "forum" else "none"
    stamp, version = _line(manifest.get("collected_at")), _line(manifest.get("version"))
    return Collected(entries, stamp or "", version or "", manifest.get("as_root") is True, redaction)


def _add(entries: Dict[str, Entry], entry: Entry) -> None:
    if entry.path in entries:
        raise BundleError("the bundle holds {} twice".format(entry.path))
    entries[entry.path] = entry


def _object(data: bytes, name: str) -> Dict[str, Any]:
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise BundleError("the bundle's {} is not valid JSON".format(name))
    if not isinstance(value, dict):
        raise BundleError("the bundle's {} does not hold an object".format(name))
    return value


def _read_small(small: Dict[str, Any], entries: Dict[str, Entry]) -> None:
    try:
        for path, text in _mapping(small, "files"):
            _add(entries, Entry(path, text.encode("utf-8"), "file"))
        for path, text in _mapping(small, "binary"):
            _add(entries, Entry(path, binascii.a2b_base64(text), "file"))
        for path, text in _mapping(small, "links"):
            _add(entries, Entry(path, text.encode("utf-8"), "link"))
        for path, names in _mapping(small, "listings"):
            if not isinstance(names, list) or not all(name.isprintable() for name in names):
                raise BundleError("the bundle's sysfs.json holds a malformed listing: {}".format(path))
            _add(entries, Entry(path, "".join(name + "\n" for name in names).encode("utf-8"), "listing"))
        for path in small.get("exists", []):
            _add(entries, Entry(check_name(path), b"", "exists"))
    except (AttributeError, TypeError, UnicodeError, binascii.Error):
        raise BundleError("the bundle's sysfs.json is malformed")


def _mapping(small: Dict[str, Any], key: str) -> List[Tuple[str, Any]]:
    return [(check_name(path), value) for path, value in small.get(key, {}).items()]


def _line(value: Any) -> Optional[str]:
    # It is shown in reports: a stranger's text stays short and on one line.
    return value if isinstance(value, str) and value.isprintable() and len(value) <= 400 else None


def _overlay(listed: Any, entries: Dict[str, Entry]) -> None:
    if not isinstance(listed, list):
        raise BundleError("the bundle's manifest.json lists no entries")
    for one in listed:
        one = one if isinstance(one, dict) else {}
        path, how, state = one.get("path"), one.get("how"), one.get("state")
        if not isinstance(path, str) or how not in _HOWS or state not in STATES:
            raise BundleError("the bundle's manifest.json holds a malformed entry")
        known = entries.get(check_name(path))
        if known is None and state in ("whole", "filtered", "cut"):
            raise BundleError("the bundle lacks {}, which its manifest lists".format(path))
        data = known.data if known is not None else b""
        entries[path] = Entry(path, data, how, _line(one.get("command")), state, _line(one.get("reason")))
