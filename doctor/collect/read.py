"""Reads one piece of the catalogue: a file, a link, a directory's names, whether something exists. Nothing is written.

Every reader takes the name to open, the evidence path and the item, and returns an entry; none raises.
"""

import errno
import os
import stat
import zlib
from typing import Callable, Dict, List, Optional, Tuple

from .catalogue import NEVER, Item
from .model import Entry

__all__ = ["DENIED", "READERS", "acts", "not_read"]

SOURCE_LIMIT = 64 * 1024 * 1024  # of a filtered file that much is looked through
LOG_LIMIT = 128 * 1024 * 1024  # and of a log's end
_PART = 1024 * 1024
_GZIP = b"\x1f\x8b"
BEAT: List[Callable[[], None]] = []  # called while a long file is read: it is slow, not stuck
DENIED = (errno.EPERM, errno.EACCES)
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def acts(path: str) -> bool:
    """Say whether opening the attribute PATH of a device acts on the device."""
    name = path.rpartition("/")[2]
    bar = name.startswith("resource") and name != "resource"
    return path.startswith("sys/bus/") and (bar or name in NEVER)


def not_read(path: str, item: Item, error: OSError) -> Entry:
    """Return the entry of a piece that could not be read."""
    reason: Optional[str] = os.strerror(error.errno) if error.errno else str(error)
    state = "failed"
    if error.errno in DENIED:
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


def read_some(name: str, limit: int, follow: bool) -> Tuple[bytes, bool, int]:
    """Return the first LIMIT bytes of a regular file, whether there is more, and its stated size."""
    descriptor = _open(name, follow)
    try:
        chunks, size = [], 0
        while size <= limit:
            chunk = os.read(descriptor, min(limit + 1 - size, _PART))
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
        if item.log:
            return _read_log(name, path, item)
        data, cut, size = read_some(name, SOURCE_LIMIT if item.keep else item.limit, follow=not kernel)
    except OSError as error:
        if error.errno == errno.EINVAL and error.strerror == "not a regular file":
            return Entry(path, b"", "file", None, "failed", error.strerror)
        return not_read(path, item, error)
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


def _read_log(name: str, path: str, item: Item) -> Entry:
    from .relevant import Relevant

    log = Relevant(item.limit, item.keep)
    descriptor = _open(name, follow=True)
    try:
        size = os.fstat(descriptor).st_size
        skipped = max(size - LOG_LIMIT, 0)
        if skipped:
            os.lseek(descriptor, skipped, os.SEEK_SET)
        left = LOG_LIMIT
        while left > 0:
            chunk = os.read(descriptor, min(_PART, left))
            if not chunk:
                break
            left -= len(chunk)
            for beat in BEAT:
                beat()
            log.feed(chunk.partition(b"\n")[2] if skipped and left == LOG_LIMIT - len(chunk) else chunk)
    finally:
        os.close(descriptor)
    data = log.data()
    if skipped or log.left or log.lost:
        return Entry(path, data, "file", None, "cut", cut_log(item, log.left + log.lost, skipped))
    if item.keep:
        return Entry(path, data, "file", None, "filtered", "only lines with " + ", ".join(item.keep))
    return Entry(path, data, "file")


def cut_log(item: Item, lines: int, skipped: int = 0) -> str:
    """Return the reason for a log that is not whole."""
    begun = "its first {} bytes were not read; ".format(skipped) if skipped else ""
    return begun + "after {} bytes only lines of known messages: {} lines left out".format(item.limit // 2, lines)


def _unpacked(data: bytes) -> bytes:
    """The text of /proc/config.gz, as much of it as a configuration may have; empty if it is broken."""
    try:
        return zlib.decompressobj(31).decompress(data, SOURCE_LIMIT)
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
    kept = _lines_with(data, [word.encode() for word in item.keep or ()])
    reason = "only lines with " + ", ".join(item.keep or ())
    if cut or len(kept) > item.limit:
        kept = kept[: kept.rfind(b"\n", 0, item.limit) + 1]
        return Entry(path, kept, "file", None, "cut", reason + ", and not all of them")
    return Entry(path, kept, "file", None, "filtered", reason)


def _lines_with(data: bytes, words: List[bytes]) -> bytes:
    # Word by word over all of it: five times as quick as line by line.
    found = set()
    for word in words:
        at = data.find(word)
        while at >= 0:
            end = data.find(b"\n", at) + 1 or len(data)
            found.add((data.rfind(b"\n", 0, at) + 1, end))
            at = data.find(word, end)
    return b"".join([data[begin:end] for begin, end in sorted(found)])


def _read_link(name: str, path: str, item: Item) -> Entry:
    try:
        return Entry(path, os.fsencode(os.readlink(name)), "link")
    except OSError as error:
        if error.errno == errno.EINVAL:
            # No link: on AMD's own IOMMU function `iommu` is a folder.
            return Entry(path, b"", "link", None, "absent", "not a link")
        return not_read(path, item, error)


def _read_listing(name: str, path: str, item: Item) -> Entry:
    try:
        names: List[str] = sorted(one for one in os.listdir(name) if one.isprintable())
    except OSError as error:
        return not_read(path, item, error)
    data = "".join(one + "\n" for one in names).encode("utf-8", "surrogateescape")
    if len(data) > item.limit:
        data = data[: data.rfind(b"\n", 0, item.limit) + 1]
        return Entry(path, data, "listing", None, "cut", "too many names")
    return Entry(path, data, "listing")


def _look_for(name: str, path: str, item: Item) -> Entry:
    try:
        os.stat(name)
    except OSError as error:
        return not_read(path, item, error)
    return Entry(path, b"", "exists")


READERS: Dict[str, Callable[[str, str, Item], Entry]] = {
    "file": _read_file,
    "link": _read_link,
    "listing": _read_listing,
    "exists": _look_for,
}
