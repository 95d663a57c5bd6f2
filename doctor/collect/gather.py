"""Walks the catalogue over a host, or a copy of one, and reads what is there. Nothing is written."""

import errno
import os
import stat
import time
import zlib
from typing import TYPE_CHECKING, Callable, Dict, Iterator, List, Optional, Tuple

from . import version
from .catalogue import ITEMS, NEVER, RELEASE, Item, fits
from .model import Collected, Entry

if TYPE_CHECKING:
    from .command import Result

__all__ = ["Collected", "Entry", "gather"]

Progress = Optional[Callable[[str], None]]

_SOURCE_LIMIT = 64 * 1024 * 1024  # of a filtered file that much is looked through
_GZIP = b"\x1f\x8b"
_DENIED = (errno.EPERM, errno.EACCES)
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_NO_COMMANDS = "no command is run for a copied root"


def gather(root: str = "/", progress: Progress = None) -> Collected:
    """Collect everything in the catalogue from the host (ROOT "/"), or from files copied below ROOT.

    PROGRESS is called with each item's path before it is read. What cannot be read becomes an entry that
    says so; no error of a single piece ends the collection.
    """
    gatherer = _Gatherer(root)
    for item in ITEMS:
        if progress is not None:
            progress(item.path)
        gatherer.take(item)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return Collected(gatherer.entries, stamp, version(), os.geteuid() == 0)


class _Gatherer:
    def __init__(self, root: str) -> None:
        self.root = root
        self.live = os.path.realpath(root) == "/"
        self.entries: Dict[str, Entry] = {}
        self._names: Dict[str, List[str]] = {}
        self._release = self._running_release()

    def take(self, item: Item) -> None:
        """Read all that ITEM stands for."""
        if item.how == "command":
            self._add(self._command(item))
            return
        for path in self._expand(item):
            entry = _READERS[item.how](self.full(path), path, item)
            if entry.state != "absent" or "*" not in item.path:
                self._add(entry)

    def full(self, path: str) -> str:
        return os.path.join(self.root, path)

    def _add(self, entry: Entry) -> None:
        self.entries[entry.path] = entry

    def _running_release(self) -> str:
        try:
            data = _read(self.full("proc/sys/kernel/osrelease"), 256, follow=False)[0]
        except OSError:
            return ""
        release = data.decode("ascii", "replace").strip()
        # It becomes part of a path, and a copied root may hold anything.
        return release if all(c.isalnum() or c in "._+~-" for c in release) and release[:1] != "." else ""

    def _expand(self, item: Item) -> Iterator[str]:
        path = item.path
        if RELEASE in path:
            if not self._release:
                return
            path = path.replace(RELEASE, self._release)
        if "*" not in path:
            if not self._is_second_name(path):
                yield path
            return
        if self._is_second_name(path.partition("*")[0]):
            return
        for found in self._matches("", path.split("/"), item):
            if not _acts(found):
                yield found

    def _matches(self, base: str, parts: List[str], item: Item) -> Iterator[str]:
        fixed = []
        while parts and "*" not in parts[0]:
            fixed.append(parts[0])
            parts = parts[1:]
        base += "/".join(fixed)
        if not parts:
            yield base
            return
        base += "/" if fixed else ""
        for name in self._list(base, item):
            if fits(parts[0], name) and not name.startswith("."):
                more = name + "/" if len(parts) > 1 else name
                for found in self._matches(base + more, parts[1:], item):
                    yield found

    def _list(self, folder: str, item: Item) -> List[str]:
        if folder not in self._names:
            self._names[folder] = []
            try:
                names = os.listdir(self.full(folder))
                self._names[folder] = sorted(name for name in names if name.isprintable())
            except OSError as error:
                if error.errno in _DENIED:
                    self._add(_not_read(item.path, item, error))
        return self._names[folder]

    def _is_second_name(self, path: str) -> bool:
        # Where /lib is a link to /usr/lib, the same drop-ins would appear twice.
        if not path.startswith("lib/") or path.startswith("lib/modules/"):
            return False
        try:
            return os.path.samefile(self.full("lib"), self.full("usr/lib"))
        except OSError:
            return False

    def _command(self, item: Item) -> Entry:
        if not self.live:
            return Entry(item.path, b"", "command", None, "absent", _NO_COMMANDS)
        if item.path == "cmd/journalctl-k" and self._has_boot_start():
            reason = "not needed: dmesg reaches back to the start of the boot"
            return Entry(item.path, b"", "command", None, "absent", reason)
        return run_item(item)

    def _has_boot_start(self) -> bool:
        dmesg = self.entries.get("cmd/dmesg")
        first = dmesg.data[:4096].split(b"\n")[:5] if dmesg else []
        return any(b"Linux version" in line for line in first)


def run_item(item: Item) -> Entry:
    """Run the command of ITEM on this host and return its output; a missing program is an absent entry."""
    from . import command  # `subprocess` costs more than a whole copied root: only where a command is run

    shown = " ".join(item.argv)
    program = command.find(item.argv[0])
    if program is None:
        return Entry(item.path, b"", "command", shown, "absent", item.argv[0] + " is not installed")
    try:
        result = command.run((program,) + item.argv[1:], item.timeout, item.limit)
    except OSError as error:
        return _not_read(item.path, item, error)._replace(command=shown)
    state, reason = _judge(item, result)
    data = result.stdout if state in ("whole", "cut") else b""
    return Entry(item.path, data, "command", shown, state, reason)


def _judge(item: Item, result: "Result") -> Tuple[str, Optional[str]]:
    complaint = result.stderr.decode("utf-8", "replace").strip()
    # journalctl answers an ordinary user "-- No entries --", with the reason on the other stream.
    said = [line for line in result.stdout.split(b"\n") if line.strip() and not line.startswith(b"-- ")]
    if result.killed == "timeout":
        return ("cut" if said else "failed"), "took longer than {:g} s".format(item.timeout)
    if result.killed == "limit":
        return "cut", "only the first {} bytes".format(item.limit)
    lowered = complaint.lower()
    if not said and any(word in lowered for word in ("not permitted", "permission", "denied", "not seeing")):
        return "denied", complaint.split("\n")[-1]
    if not said and (result.status or result.stdout):
        # A log without entries must not pass for one that proves that a line is absent.
        return "failed", complaint.split("\n")[0] or "no output, exit status {}".format(result.status)
    return "whole", None


def _acts(path: str) -> bool:
    name = path.rpartition("/")[2]
    bar = name.startswith("resource") and name != "resource"
    return path.startswith("sys/bus/") and (bar or name in NEVER)


def _not_read(path: str, item: Item, error: OSError) -> Entry:
    reason: Optional[str] = os.strerror(error.errno) if error.errno else str(error)
    state = "failed"
    if error.errno in _DENIED:
        state = "denied"
    elif error.errno in _MISSING:
        state, reason = "absent", None
    return Entry(path, b"", item.how, None, state, reason)


def _open(name: str, follow: bool) -> int:
    # A device node acts when it is opened and a pipe blocks: look first, and look again at what was opened.
    found = os.stat(name) if follow else os.lstat(name)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(name, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file")
    return descriptor


def _read(name: str, limit: int, follow: bool) -> Tuple[bytes, bool, int]:
    descriptor = _open(name, follow)
    try:
        chunks, size = [], 0
        while size <= limit:
            chunk = os.read(descriptor, min(limit + 1 - size, 1024 * 1024))
            if not chunk:
                break
            chunks.append(chunk)
            size += len(chunk)
        return b"".join(chunks)[:limit], size > limit, os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def _read_file(name: str, path: str, item: Item) -> Entry:
    kernel = path.startswith(("sys/", "proc/"))
    try:
        if kernel and path.startswith("sys/module/") and not os.stat(name).st_mode & 0o444:
            return Entry(path, b"", "file", None, "absent")  # a parameter that can only be set
        if not kernel and _masks(name):
            return Entry(path, b"", "file", None, "whole", "a link to /dev/null: masks its namesakes")
        data, cut, size = _read(name, _SOURCE_LIMIT if item.keep else item.limit, follow=not kernel)
    except OSError as error:
        if error.errno == errno.EINVAL and error.strerror == "not a regular file":
            return Entry(path, b"", "file", None, "failed", error.strerror)
        return _not_read(path, item, error)
    if item.keep:
        if data[:2] == _GZIP:
            data, cut = _unpacked(data), False
        return _filtered(path, data, cut, item)
    if cut:
        data = data[: data.rfind(b"\n") + 1] or data  # half a line would be read as another line
        return Entry(path, data, "file", None, "cut", "only the first {} bytes".format(len(data)))
    if path.startswith("sys/") and path.endswith("/config") and len(data) < size:
        return Entry(path, data, "file", None, "cut", "without root only {} bytes".format(len(data)))
    if path == "proc/iomem" and data and _zeroed(data):
        return Entry(path, data, "file", None, "whole", "addresses are hidden from ordinary users")
    return Entry(path, data, "file")


def _unpacked(data: bytes) -> bytes:
    """The text of /proc/config.gz, as much of it as a configuration may have; empty if it is broken."""
    try:
        return zlib.decompressobj(31).decompress(data, _SOURCE_LIMIT)
    except zlib.error:
        return b""


def _masks(name: str) -> bool:
    try:
        return os.path.islink(name) and os.path.realpath(name) == "/dev/null"
    except OSError:
        return False


def _zeroed(iomem: bytes) -> bool:
    return all(line.strip().startswith(b"00000000-00000000") for line in iomem.splitlines()[:8])


def _filtered(path: str, data: bytes, cut: bool, item: Item) -> Entry:
    words = [word.encode() for word in item.keep or ()]
    lines = [line for line in data.splitlines(True) if any(word in line for word in words)]
    kept = b"".join(lines)
    reason = "only lines with " + ", ".join(item.keep or ())
    if cut or len(kept) > item.limit:
        kept = kept[: kept.rfind(b"\n", 0, item.limit) + 1]
        return Entry(path, kept, "file", None, "cut", reason + ", and not all of them")
    return Entry(path, kept, "file", None, "filtered", reason)


def _read_link(name: str, path: str, item: Item) -> Entry:
    try:
        return Entry(path, os.fsencode(os.readlink(name)), "link")
    except OSError as error:
        if error.errno == errno.EINVAL:
            # No link: on AMD's own IOMMU function `iommu` is a folder.
            return Entry(path, b"", "link", None, "absent", "not a link")
        return _not_read(path, item, error)


def _read_listing(name: str, path: str, item: Item) -> Entry:
    try:
        names = sorted(one for one in os.listdir(name) if one.isprintable())
    except OSError as error:
        return _not_read(path, item, error)
    data = "".join(one + "\n" for one in names).encode("utf-8", "surrogateescape")
    if len(data) > item.limit:
        data = data[: data.rfind(b"\n", 0, item.limit) + 1]
        return Entry(path, data, "listing", None, "cut", "too many names")
    return Entry(path, data, "listing")


def _look_for(name: str, path: str, item: Item) -> Entry:
    try:
        os.stat(name)
    except OSError as error:
        return _not_read(path, item, error)
    return Entry(path, b"", "exists")


_READERS: Dict[str, Callable[[str, str, Item], Entry]] = {
    "file": _read_file,
    "link": _read_link,
    "listing": _read_listing,
    "exists": _look_for,
}
