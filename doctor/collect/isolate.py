"""Reads files in a child, so that one that never answers (a hung device, a dead file system) holds nothing up.

A process that is asleep in the kernel cannot be ended, and neither can one that waits for its thread. So a
child reads, and says in shared memory where it is. If it stays at one path for too long, the parent goes on
with a new child that leaves that path's folder out, and does not wait for the old one.
"""

import marshal
import mmap
import os
import select
import signal
import struct
import time
from typing import Callable, Dict, List, Optional, Tuple

from .catalogue import Item, item_for
from .gather import Gatherer
from .model import Entry
from .read import BEAT

__all__ = ["take_all"]

STUCK = 10.0
"""Seconds that one path may take."""

ALL = 120.0
"""Seconds that all paths together may take."""

_HANGS = 4  # paths that may hang before nothing more is read
_TICK = 0.5
_PAUSE = 0.05  # seconds between two messages: each costs two changes of the process
_HEAD = struct.Struct("<I")
_PLACE = 4096
Progress = Optional[Callable[[str], None]]


def take_all(root: str, items: List[Item], entries: Dict[str, Entry], progress: Progress = None) -> None:
    """Read ITEMS below ROOT into ENTRIES; what hangs becomes an entry that says so."""
    deadline = time.monotonic() + ALL
    skip: List[str] = []
    start = 0
    while start < len(items):
        child = _Child(root, items, start, tuple(skip))
        try:
            start, why = _listen(child, items, start, entries, deadline, progress)
            place = child.place()[8:].decode("utf-8", "surrogateescape") or items[min(start, len(items) - 1)].path
        finally:
            child.end()
        if start >= len(items):
            return
        if why is None or len(skip) > _HANGS:
            reason = "not read: " + ("the time was up" if why is None else "too many others did not answer")
            for item in items[start:]:
                entries.setdefault(item.path, Entry(item.path, b"", item.how, None, "failed", reason))
            return
        item = item_for(place) or items[start]
        entries[place] = Entry(place, b"", item.how, None, "failed", why)
        skip.append(place if place.endswith("/") else place.rpartition("/")[0] + "/")


def _listen(
    child: "_Child", items: List[Item], start: int, entries: Dict[str, Entry], deadline: float, progress: Progress
) -> Tuple[int, Optional[str]]:
    """Take what the child sends; return the next item's index, and why there is one: None if the time is up."""
    if progress is not None:
        progress(items[start].path)
    seen, since = b"", time.monotonic()
    while start < len(items):
        now = time.monotonic()
        if now > deadline:
            return start, None
        if child.wait(min(_TICK, deadline - now)):
            message = child.receive()
            if message is None:
                return start, "reading it ended the reader"
            count, found = message
            for fields in found:
                entries[fields[0]] = Entry(*fields)
            start += count
            if progress is not None and start < len(items):
                progress(items[start].path)
        place = child.place()
        if place != seen:
            seen, since = place, time.monotonic()
        elif time.monotonic() - since > STUCK:
            return start, "did not answer within {:g} s".format(STUCK)
    return start, None


class _Child:
    def __init__(self, root: str, items: List[Item], start: int, skip: Tuple[str, ...]) -> None:
        self._place = mmap.mmap(-1, _PLACE)  # shared with the child
        self._count, self._path = 0, ""
        self._input, out = os.pipe()
        self._pid = os.fork()
        if self._pid:
            os.close(out)
            return
        try:
            os.close(self._input)
            # The parent answers for the terminal's keys; without it, writing ends this process.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            self._read_all(root, items[start:], skip, out)
        finally:
            os._exit(0)

    def _read_all(self, root: str, items: List[Item], skip: Tuple[str, ...], out: int) -> None:
        gatherer = Gatherer(root, skip, self._touch)
        BEAT[:] = [lambda: self._touch(self._path)]
        done, sent = 0, time.monotonic()
        for number, item in enumerate(items, 1):
            gatherer.take(item)
            if number < len(items) and time.monotonic() - sent < _PAUSE:
                continue
            data = marshal.dumps((number - done, [tuple(entry) for entry in gatherer.entries.values()]))
            gatherer.entries.clear()
            view = memoryview(_HEAD.pack(len(data)) + data)
            while view:
                view = view[os.write(out, view) :]
            done, sent = number, time.monotonic()

    def _touch(self, path: str) -> None:
        self._count, self._path = self._count + 1, path
        name = path.encode("utf-8", "surrogateescape")[: _PLACE - 9]
        self._place[: len(name) + 9] = struct.pack("<Q", self._count) + name + b"\0"

    def place(self) -> bytes:
        """Where the child is: a count, and the path."""
        whole = self._place[:]
        return whole[:8] + whole[8:].partition(b"\0")[0]

    def wait(self, seconds: float) -> bool:
        """Whether something can be received within SECONDS."""
        return bool(select.select([self._input], [], [], max(seconds, 0))[0])

    def receive(self) -> "Optional[Tuple[int, List[Tuple[str, bytes, str, Optional[str], str, Optional[str]]]]]":
        """Return how many items were read, and their entries; None if the child is gone."""
        head = self._exactly(_HEAD.size)
        data = self._exactly(_HEAD.unpack(head)[0]) if head is not None else None
        return marshal.loads(data) if data is not None else None  # noqa: S302 - it comes from a fork of this process

    def _exactly(self, size: int) -> Optional[bytes]:
        parts: List[bytes] = []
        while size:
            part = os.read(self._input, min(size, 1024 * 1024))
            if not part:
                return None
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def end(self) -> None:
        """End the child, and do not wait for one that cannot be ended."""
        os.close(self._input)
        try:
            os.kill(self._pid, signal.SIGKILL)
        except OSError:
            pass
        for _ in range(20):
            if os.waitpid(self._pid, os.WNOHANG)[0]:
                break
            time.sleep(0.005)
        self._place.close()
