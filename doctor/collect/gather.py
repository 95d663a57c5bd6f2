"""Walks the catalogue over a host, or a copy of one, and reads what is there. Nothing is written."""

import os
import time
from typing import TYPE_CHECKING, Callable, Dict, Iterator, List, Optional, Tuple

from . import version
from .catalogue import ITEMS, OLD_DMESG, RELEASE, Item, earlier_boot, fits
from .model import Collected, Entry
from .read import DENIED, READERS, acts, cut_log, not_read, read_some

if TYPE_CHECKING:
    from .command import Result

__all__ = ["Collected", "Entry", "Gatherer", "gather", "run_item"]

Progress = Optional[Callable[[str], None]]

TOTAL = 64 * 1024 * 1024
"""Bytes that all pieces together may have."""

_MATCHES = 8192  # files of one item
_NO_COMMANDS = "no command is run for a copied root"
_LOGS = ("cmd/dmesg", "cmd/journalctl-k")


def gather(root: str = "/", progress: Progress = None, boots: int = 0) -> Collected:
    """Collect everything in the catalogue from the host (ROOT "/"), or from files copied below ROOT.

    PROGRESS is called with each item's path before it is read. BOOTS says of how many boots before the
    present one the kernel's log is wanted as well. What cannot be read becomes an entry that
    says so; no error of a single piece ends the collection, and no file that never answers holds it up.
    """
    live = _is_live(root)
    entries: Dict[str, Entry] = {}
    for item in ITEMS:
        if item.how == "command":
            if progress is not None and live:
                progress(item.path)
            entries[item.path] = _command(item, live, entries)
    before = [earlier_boot(back) for back in range(1, boots + 1)]
    for item in before:
        entries[item.path] = _command(item, live, entries)
    asked = bool(before) and not any(entries[item.path].data for item in before)  # the journal does not keep them
    items = [OLD_DMESG] if asked else []
    for item in ITEMS:
        if live and item.log and item.how == "file" and _has_boot_start(entries) and not asked:
            entries[item.path] = _not_needed(item)
        elif item.how != "command":
            items.append(item)
    if not live or not _isolated(root, items, entries, progress):
        gatherer = Gatherer(root)
        for item in items:
            if progress is not None:
                progress(item.path)
            gatherer.take(item)
        entries.update(gatherer.entries)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return Collected(_bounded(entries), stamp, version(), os.geteuid() == 0)


def _is_live(root: str) -> bool:
    return os.path.realpath(root) == "/"


def _isolated(root: str, items: List[Item], entries: Dict[str, Entry], progress: Progress) -> bool:
    """Whether a child read the files: not where Python cannot share memory (Debian's python3-minimal) or fork."""
    try:
        from .isolate import take_all

        take_all(root, items, entries, progress)
    except (ImportError, OSError):
        return False
    return True


def _bounded(entries: Dict[str, Entry]) -> Dict[str, Entry]:
    left = TOTAL
    for path, entry in entries.items():
        left -= len(entry.data)
        if left < 0:
            left += len(entry.data)
            reason = "no room: all pieces together may have {} MiB".format(TOTAL >> 20)
            entries[path] = entry._replace(data=b"", state="failed", reason=reason)
    return entries


class Gatherer:
    """Reads items below ROOT into `entries`. `skip`: folders and files that are not touched (see `isolate`)."""

    def __init__(
        self, root: str, skip: Tuple[str, ...] = (), touch: Callable[[str], None] = lambda _path: None
    ) -> None:
        """TOUCH is told each path before it is opened."""
        self.root = root
        self.entries: Dict[str, Entry] = {}
        self._skip = skip
        self._touch = touch
        self._names: Dict[str, List[str]] = {}
        self._release = self._running_release()

    def take(self, item: Item) -> None:
        """Read all that ITEM stands for."""
        for path in self._expand(item):
            if self._skip and path.startswith(self._skip):
                continue
            self._touch(path)
            entry = READERS[item.how](self._full(path), path, item)
            if entry.state != "absent" or "*" not in item.path:
                self._add(entry)

    def _full(self, path: str) -> str:
        return os.path.join(self.root, path)

    def _add(self, entry: Entry) -> None:
        self.entries[entry.path] = entry

    def _running_release(self) -> str:
        try:
            data = read_some(self._full("proc/sys/kernel/osrelease"), 256, follow=False)[0]
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
        count = 0
        for found in self._matches("", path.split("/"), item):
            if acts(found):
                continue
            count += 1
            if count > _MATCHES:
                reason = "there are more than {}".format(_MATCHES)
                self._add(Entry(item.path, b"", item.how, None, "failed", reason))
                return
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
            if self._skip and folder.startswith(self._skip):
                return []
            self._touch(folder)
            try:
                names = os.listdir(self._full(folder))
                self._names[folder] = sorted(name for name in names if name.isprintable())
            except OSError as error:
                if error.errno in DENIED:
                    self._add(not_read(item.path, item, error))
        return self._names[folder]

    def _is_second_name(self, path: str) -> bool:
        # Where /lib is a link to /usr/lib, the same drop-ins would appear twice.
        if not path.startswith("lib/") or path.startswith("lib/modules/"):
            return False
        try:
            return os.path.samefile(self._full("lib"), self._full("usr/lib"))
        except OSError:
            return False


def _command(item: Item, live: bool, entries: Dict[str, Entry]) -> Entry:
    if not live:
        return Entry(item.path, b"", "command", None, "absent", _NO_COMMANDS)
    if item.path == "cmd/journalctl-k" and _has_boot_start(entries):
        return _not_needed(item)
    return run_item(item)


def _not_needed(item: Item) -> Entry:
    return Entry(item.path, b"", item.how, None, "absent", "not needed: the log reaches back to the start of the boot")


def _has_boot_start(entries: Dict[str, Entry]) -> bool:
    firsts = [entries[path].data[:4096].split(b"\n")[:5] for path in _LOGS if path in entries]
    return any(b"Linux version" in line for first in firsts for line in first)


def run_item(item: Item) -> Entry:
    """Run the command of ITEM on this host and return its output; a missing program is an absent entry."""
    from . import command  # `subprocess` costs more than a whole copied root: only where a command is run

    shown = " ".join(item.argv)
    program = command.find(item.argv[0])
    if program is None:
        return Entry(item.path, b"", "command", shown, "absent", item.argv[0] + " is not installed")
    try:
        result = command.run((program,) + item.argv[1:], item.timeout, item.limit, item.log)
    except OSError as error:
        return not_read(item.path, item, error)._replace(command=shown)
    state, reason = _judge(item, result)
    data = result.stdout if state in ("whole", "cut") else b""
    return Entry(item.path, data, "command", shown, state, reason)


def _judge(item: Item, result: "Result") -> Tuple[str, Optional[str]]:
    complaint = result.stderr.decode("utf-8", "replace").strip()
    # journalctl answers an ordinary user "-- No entries --", with the reason on the other stream.
    said = [line for line in result.stdout[:65536].split(b"\n") if line.strip() and not line.startswith(b"-- ")]
    if result.killed == "timeout":
        return ("cut" if said else "failed"), "took longer than {:g} s".format(item.timeout)
    if result.killed == "limit":
        return "cut", "only the first {} bytes".format(item.limit)
    if result.left:
        return "cut", cut_log(item, result.left)
    lowered = complaint.lower()
    if not said and any(word in lowered for word in ("not permitted", "permission", "denied", "not seeing")):
        return "denied", complaint.split("\n")[-1]
    if not said and (result.status or result.stdout):
        # A log without entries must not pass for one that proves that a line is absent.
        return "failed", complaint.split("\n")[0] or "no output, exit status {}".format(result.status)
    return "whole", None
