"""`python -m doctor.collect` and `passdoctor collect`: gather, redact, write a bundle, say what it holds."""

import argparse
import os
import signal
import sys
import time
from typing import Any, Dict, List, Optional, Sequence, TextIO, Tuple

from . import version
from .catalogue import ITEMS, item_for
from .model import Collected

__all__ = ["main"]

_CLASSES = {
    "email": "e-mail addresses",
    "host": "host names",
    "ip": "IP addresses",
    "iqn": "iSCSI and NVMe names",
    "mac": "MAC addresses",
    "net": "domain names",
    "note": "notes of VMs",
    "secret": "keys and passwords",
    "serial": "serial numbers",
    "smbios": "SMBIOS texts of VMs",
    "snapshot": "names of snapshots",
    "tag": "tags of VMs",
    "user": "user names",
    "uuid": "UUIDs",
    "vm": "names of VMs",
    "wwn": "world wide names",
}
_SHOWN = 6


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Collect as ARGV says; return 0, or 2 for what cannot be done, with one line on stderr."""
    options = _parser().parse_args(argv)
    if options.list:
        sys.stdout.write(_catalogue())
        return 0
    try:
        signal.signal(signal.SIGTERM, _interrupt)
        signal.signal(signal.SIGHUP, _interrupt)
    except ValueError:
        pass  # not the main thread: whoever runs it there ends it
    try:
        sys.stdout.write(_collect(options.output, options.redact == "forum"))
    except OSError as error:
        where = options.output or "the current folder"
        sys.stderr.write("passdoctor collect: {}: {}\n".format(where, error.strerror or error))
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("passdoctor collect: interrupted; nothing was written\n")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="passdoctor collect",
        description="Gather, read-only, what tells whether this host can pass PCI devices through to VMs.",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="the bundle (default: ./passdoctor-TIME.tar.gz)")
    parser.add_argument(
        "--redact",
        choices=("forum", "none"),
        default="forum",
        help="forum: replace names, addresses, serial numbers, keys (default); none: keep all as it is",
    )
    parser.add_argument("--list", action="store_true", help="show what is collected, and collect nothing")
    return parser


def _interrupt(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def _collect(output: Optional[str], redacting: bool) -> str:
    from . import pack
    from .gather import gather

    target = output or time.strftime("passdoctor-%Y%m%d-%H%M%S.tar.gz", time.gmtime())
    if os.path.lexists(target):
        raise FileExistsError(17, "exists already, and is not overwritten", target)
    progress = _Progress(sys.stderr)
    redactions: Optional[Dict[str, int]] = None
    try:
        collected = gather("/", progress.show)
        if redacting:
            from .redact import redact

            progress.show("redacting")
            collected, redactions = redact(collected)
    finally:
        progress.clear()
    size = pack.write(collected, target, redactions, version())
    return _summary(collected, target, size, redactions)


class _Progress:
    """One line on a terminal, for what takes longer than a second."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream if stream.isatty() else None
        self._begin = time.monotonic()
        self._shown = False

    def show(self, what: str) -> None:
        if self._stream is not None and time.monotonic() - self._begin > 1:
            self._stream.write("\r\033[Kcollecting: {:.60}".format(what))
            self._stream.flush()
            self._shown = True

    def clear(self) -> None:
        if self._stream is not None and self._shown:
            self._stream.write("\r\033[K")
            self._stream.flush()


def _summary(collected: Collected, target: str, size: int, redactions: Optional[Dict[str, int]]) -> str:
    got = sum(entry.state in ("whole", "filtered", "cut") for entry in collected.entries.values())
    lines = ["{}: {:.1f} KB, {} pieces of evidence".format(os.path.abspath(target), size / 1024, got)]
    lines += _left_out(collected)
    if redactions is None:
        lines.append("Nothing was redacted (--redact none): it holds names, addresses and serial numbers.")
    elif redactions:
        counts = ["{} {}".format(count, _CLASSES.get(kind, kind)) for kind, count in redactions.items()]
        lines.append("Redacted: {}.".format(", ".join(counts)))
    else:
        lines.append("Redacted: nothing private was found.")
    return "\n".join(lines) + "\n"


def _left_out(collected: Collected) -> List[str]:
    groups: Dict[Tuple[str, str], List[str]] = {}
    needs_root = False
    for entry in collected.entries.values():
        told = entry.state in ("denied", "failed", "cut") or (entry.how == "command" and entry.state == "absent")
        if not told and not (entry.path == "proc/iomem" and entry.reason):
            continue
        item = item_for(entry.path)
        path = item.path if item is not None else entry.path
        paths = groups.setdefault((entry.state, entry.reason or entry.state), [])
        if path not in paths:
            paths.append(path)
        needs_root = needs_root or (item is not None and item.root and entry.state != "absent")
    lines = []
    for (state, reason), paths in sorted(groups.items()):
        shown = ", ".join(paths[:_SHOWN])
        more = " and {} more".format(len(paths) - _SHOWN) if len(paths) > _SHOWN else ""
        what = "Incomplete" if state in ("cut", "whole") else "Left out"
        lines.append("{}: {}{} ({})".format(what, shown, more, reason))
    if needs_root and not collected.as_root:
        lines.append("Run it as root to add these; the kernel log and config space settle most questions.")
    return lines


def _catalogue() -> str:
    rows = [("PATH", "HOW", "ROOT", "LIMIT", "PRIVACY", "ASK")]
    for item in ITEMS:
        limit = "{} KB".format(item.limit // 1024) if item.limit else "-"
        how = "lines" if item.keep else item.how
        rows.append((item.path, how, "root" if item.root else "-", limit, item.privacy, item.ask))
    widths = [max(len(row[at]) for row in rows) for at in range(5)]
    lines = ["  ".join([row[at].ljust(widths[at]) for at in range(5)] + [row[5]]) for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
