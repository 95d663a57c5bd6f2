"""Writes a collection as a bundle, whole or not at all, and reads one back.

A bundle is a gzip-compressed tar: `passdoctor/manifest.json` (what was collected, how, in which state, why
something is missing, and the SHA-256 of every other member), `passdoctor/sysfs.json` (the many small pieces: all
of `sys/` and every listing, link and existence), and `passdoctor/files/PATH` for each other piece.
docs/bundle-format.md is the reference.
"""

import binascii
import json
import os

from .model import STATES, Collected, Entry
from .output import write_new
from .untar import BundleError, check_name, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Tuple

__all__ = ["FORMAT", "NOTE", "BundleError", "from_members", "plain_note", "unpack", "write"]

FORMAT = 1
NOTE = 400
"""Characters of a note that are kept."""

_HOWS = ("file", "link", "listing", "command", "exists")
_MANIFEST = "passdoctor/manifest.json"
_SYSFS = "passdoctor/sysfs.json"
_FILES = "passdoctor/files/"
_SHOWN = 5  # names in a warning
_VALUES = 200000  # of a JSON member
_sha256: "Optional[Callable[[bytes], Any]]" = None


def write(
    collected: Collected,
    target_path: str,
    redactions: "Optional[Dict[str, int]]" = None,
    version: str = "",
    by_file: "Optional[Dict[str, Dict[str, int]]]" = None,
) -> int:
    """Write COLLECTED to the new file TARGET_PATH, with mode 0600, and return its size.

    REDACTIONS says how often each class of private values was replaced, BY_FILE the same for each evidence path;
    None: nothing was redacted. The file appears whole or not at all. Raises FileExistsError if the name is taken
    (by a link, too), and OSError for what else prevents it.
    """
    if os.path.lexists(target_path):
        raise FileExistsError(17, "File exists", target_path)
    data = to_bytes(collected, redactions, version, by_file)
    write_new(data, target_path)
    return len(data)


def to_bytes(
    collected: Collected,
    redactions: "Optional[Dict[str, int]]" = None,
    version: str = "",
    by_file: "Optional[Dict[str, Dict[str, int]]]" = None,
) -> bytes:
    """Return the bundle of COLLECTED as bytes: the same for the same collection."""
    from .tarball import tarball

    small, large = _split(collected)
    members: List[Tuple[str, bytes]] = [(_SYSFS, json.dumps(small, sort_keys=True).encode("ascii") + b"\n")]
    members += [(_FILES + path, large[path]) for path in sorted(large)]
    manifest = _manifest(collected, redactions, version or collected.version)
    if by_file is not None:
        manifest["redactions_by_file"] = {path: dict(sorted(by_file[path].items())) for path in sorted(by_file)}
    manifest["members"] = {name: {"size": len(data), "sha256": _digest(data)} for name, data in members}
    manifest["sha256"] = _own_digest(manifest)
    members.insert(0, (_MANIFEST, _json(manifest)))
    return tarball(members, _seconds(collected.collected_at))


def _seconds(stamp: str) -> int:
    """How long after 1970 STAMP (ISO 8601, UTC) is; 0 if it is none. `time.strptime` would load the calendar.

    >>> _seconds("2024-02-29T12:34:56Z"), _seconds("1970-01-01T00:00:01Z"), _seconds("yesterday")
    (1709210096, 1, 0)
    """
    fields = stamp.replace("T", "-").replace(":", "-").rstrip("Z").split("-")
    if len(fields) != 6 or not all(field.isdecimal() and len(field) in (2, 4) for field in fields):
        return 0
    year, month, day, hour, minute, second = map(int, fields)
    if month < 3:  # the year begins in March: the day that not all of them have is its last
        year, month = year - 1, month + 12
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 + day - 719469
    return max(((days * 24 + hour) * 60 + minute) * 60 + second, 0)


def _json(value: "Any") -> bytes:
    # A value a line, without indentation: that is what Python's quick encoder can do.
    return json.dumps(value, separators=(",\n", ": ")).encode("ascii") + b"\n"


def _is_small(entry: Entry) -> bool:
    return entry.path.startswith("sys/") or entry.how in ("link", "listing", "exists")


def _split(collected: Collected) -> "Tuple[Dict[str, Any], Dict[str, bytes]]":
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


def _digest(data: bytes) -> str:
    global _sha256
    if _sha256 is None:
        _sha256 = _hasher()
    return str(_sha256(data).hexdigest())


def _hasher() -> "Callable[[bytes], Any]":
    # CPython's own first (3.12 and later, before that): hashlib loads OpenSSL, which takes longer than all sums do.
    for name in ("_sha2", "_sha256"):
        try:
            found: Callable[[bytes], Any] = __import__(name).sha256
            return found
        except ImportError:
            pass
    import hashlib

    return hashlib.sha256


def _own_digest(manifest: "Dict[str, Any]") -> str:
    # The same however the JSON is laid out.
    rest = {key: value for key, value in manifest.items() if key != "sha256"}
    try:
        text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    except RecursionError:
        raise BundleError("the bundle's manifest.json is nested too deeply")
    return _digest(text.encode("ascii"))


def plain_note(text: str) -> str:
    """Return TEXT as a note: one line of printable characters, no longer than `NOTE`.

    >>> plain_note("after the \\n BIOS\\x1b[31m update ")
    'after the BIOS?[31m update'
    """
    line = "".join(char if char.isprintable() else "?" for char in " ".join(text[: 20 * NOTE].split()))
    return line if len(line) <= NOTE else line[: NOTE - 1] + "…"


def _manifest(collected: Collected, redactions: "Optional[Dict[str, int]]", version: str) -> "Dict[str, Any]":
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
                "sha256": _digest(entry.data) if entry.data else None,
            }
        )
    return {
        "format": FORMAT,
        "tool": "passdoctor",
        "version": version,
        "collected_at": collected.collected_at,
        "as_root": collected.as_root,
        "note": plain_note(collected.note),
        "redaction": "none" if redactions is None else "forum",
        "redactions": dict(sorted((redactions or {}).items())),
        "entries": entries,
    }


def unpack(data: bytes) -> Collected:
    """Return the collection in the bundle DATA, which may come from anybody.

    Nothing is written to disk. What was changed, added or taken away since is said in `warnings`. Raises
    `BundleError` with one clear line for what is no bundle, is damaged, was written in a newer format, or is
    made to harm (see `untar.files` for the limits).
    """
    return from_members(files(data))


def from_members(members: "Dict[str, bytes]") -> Collected:
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
    changed, missing, added = _compared(manifest, members)
    missing += [path for path in _overlay(manifest.get("entries"), entries) if _FILES + path not in missing]
    redaction = "forum" if manifest.get("redaction") == "forum" else "none"
    stamp, version = _line(manifest.get("collected_at")), _line(manifest.get("version"))
    note = manifest.get("note")
    return Collected(
        entries, stamp or "", version or "", manifest.get("as_root") is True, redaction,
        plain_note(note) if isinstance(note, str) else "", _warnings(changed, missing, added), not missing,
    )  # fmt: skip


def _compared(manifest: "Dict[str, Any]", members: "Dict[str, bytes]") -> "Tuple[List[str], List[str], List[str]]":
    """The members that are not as the manifest says, those that are gone, and those that it does not know."""
    listed = manifest.get("members")
    changed: List[str] = []
    missing: List[str] = []
    stated = manifest.get("sha256")
    if stated is not None and stated != _own_digest(manifest):
        changed.append(_MANIFEST)
    if isinstance(listed, dict):
        for name, facts in sorted(listed.items()):
            if check_name(name) not in members:
                missing.append(name)
            elif not isinstance(facts, dict) or facts.get("sha256") != _digest(members[name]):
                changed.append(name)
        return changed, missing, sorted(name for name in members if name not in listed and name != _MANIFEST)
    if listed is not None:
        raise BundleError("the bundle's manifest.json holds a malformed list of members")
    entries = manifest.get("entries")
    for one in entries if isinstance(entries, list) else ():  # all that earlier versions hashed
        if isinstance(one, dict) and isinstance(one.get("path"), str) and isinstance(one.get("sha256"), str):
            content = members.get(_FILES + one["path"])
            if content is not None and _digest(content) != one["sha256"]:
                changed.append(_FILES + one["path"])
    return changed, missing, []


def _warnings(changed: "List[str]", missing: "List[str]", added: "List[str]") -> "Tuple[str, ...]":
    told = (
        (changed, "The bundle was changed after it was collected, its checksums say: {}. The host may be otherwise."),
        (missing, "The bundle lacks what its manifest lists: {}. What that held is not known."),
        (added, "The bundle holds what its manifest does not list, somebody added it: {}."),
    )
    return tuple(text.format(_named(names)) for names, text in told if names)


def _named(names: "List[str]") -> str:
    shown = ", ".join("{:.120}".format(name) for name in names[:_SHOWN])
    return shown + (" and {} more".format(len(names) - _SHOWN) if len(names) > _SHOWN else "")


def _add(entries: "Dict[str, Entry]", entry: Entry) -> None:
    if entry.path in entries:
        raise BundleError("the bundle holds {} twice".format(entry.path))
    entries[entry.path] = entry


def _object(data: bytes, name: str) -> "Dict[str, Any]":
    if data.count(b",") + data.count(b"[") + data.count(b"{") > _VALUES:  # of a byte each, they would take a hundred
        raise BundleError("the bundle's {} holds too many values".format(name))
    try:
        value = json.loads(data.decode("utf-8"), parse_int=_integer)
    except (ValueError, RecursionError):
        raise BundleError("the bundle's {} is not valid JSON".format(name))
    if not isinstance(value, dict):
        raise BundleError("the bundle's {} does not hold an object".format(name))
    return value


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError("a number of too many digits")
    return int(digits)


def _read_small(small: "Dict[str, Any]", entries: "Dict[str, Entry]") -> None:
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


def _mapping(small: "Dict[str, Any]", key: str) -> "List[Tuple[str, Any]]":
    return [(check_name(path), value) for path, value in small.get(key, {}).items()]


def _line(value: "Any") -> "Optional[str]":
    # It is shown in reports: a stranger's text stays short and on one line.
    return value if isinstance(value, str) and value.isprintable() and len(value) <= 400 else None


def _overlay(listed: "Any", entries: "Dict[str, Entry]") -> "List[str]":
    """Puts what the manifest says of each entry into ENTRIES; returns the paths whose content is gone."""
    gone = []
    if not isinstance(listed, list):
        raise BundleError("the bundle's manifest.json lists no entries")
    for one in listed:
        one = one if isinstance(one, dict) else {}
        path, how, state = one.get("path"), one.get("how"), one.get("state")
        if not isinstance(path, str) or how not in _HOWS or state not in STATES:
            raise BundleError("the bundle's manifest.json holds a malformed entry")
        known = entries.get(check_name(path))
        data = known.data if known is not None else b""
        reason = _line(one.get("reason"))
        if known is None and state in ("whole", "filtered", "cut"):
            gone.append(path)
            state, reason = "failed", "missing from the bundle"
        entries[path] = Entry(path, data, how, _line(one.get("command")), state, reason)
    return gone
