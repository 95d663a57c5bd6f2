"""Logs as their readers want them: plain lines without colours or journal fields, one piece a boot.

Lines keep their numbers: a line that only frames a journal's entry becomes empty. Forms: dmesg(1),
journalctl(1) `-o`, systemd.journal-fields(7). A boot begins at journalctl's own mark, at the kernel's first
line, or where the seconds since the boot fall back; the piece's `boot` counts from the latest one back.

>>> from doctor.evidence.types import Piece
>>> text = "[ 0.000000] Linux version 6.1\\n[ 9.000000] a\\n[ 0.000000] Linux version 6.8\\n[ 9.000000] b"
>>> [(one.boot, one.first_line, one.text[-1]) for one in read(Piece("var/log/kern.log", text))]
[(1, 1, 'a'), (0, 3, 'b')]
"""

from __future__ import annotations

import re
from itertools import pairwise

from doctor.evidence.types import EXCERPT, Piece
from doctor.later import later
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSION = "Linux version "
_HEAD = 4096  # characters by which a log's form is told
_FIRST = 12  # lines among which a boot's log has the kernel's first one
_NEAR = 30  # lines within which a mark, a fall-back and the kernel's first line are the same start
_JITTER = 0.2  # seconds by which the stamps of different processors may be out of order
_FALL = 2.0  # seconds that only a new boot takes back, if at least half of the time is gone with them
_CLOCKS = 30  # seconds by which wall clock minus uptime differ between two boots at least
_DAY = 86_400
_MARK = later(r"^-- (?:Boot [0-9a-f]{32}|Reboot) --", re.MULTILINE)
_STAMP = later(r"^([^\[\n]{0,120})\[ {0,6}(\d{1,8}\.\d{6})\]", re.MULTILINE)
_CLOCK = later(r"(\d\d):(\d\d):(\d\d)")
_BOOT_ID = later(r";b=([0-9a-f]{32});|_BOOT_ID\W{1,8}([0-9a-f]{32})\b")
_BACK = later(r"\s(?:-[a-zA-Z]{0,8}b\s?|--boot[=\s])['\"]?(-\d{1,4}|[1-9]\d{0,3}|[0-9a-f]{32})(?![\w.])")


class _Start(NamedTuple):
    """Where a boot seems to begin: `first` if at the kernel's first line, `mark` if at journalctl's."""

    at: int
    first: bool
    mark: bool = False


def read(piece: Piece) -> list[Piece]:
    """A log as one piece a boot, oldest first, plain.

    A kernel that only saves a crashed one's memory (kdump) is not the host's latest boot.
    """
    text, ids = plain(piece.text)
    starts = ids or _boots(text, piece.command is not None or piece.state != EXCERPT)
    back = boots_back(piece.command)
    blank = len(text) - len(text.lstrip())
    cuts = [0, *(at for at in starts if at > blank), len(text)]
    parts = [(text[a:b].rstrip("\n"), a) for a, b in pairwise(cuts)]
    alive = [index for index, (part, _) in enumerate(parts) if not _saves_a_crash(part)] or [len(parts) - 1]
    found = []
    line = counted = 0
    for index, (part, at) in enumerate(parts):
        line, counted = line + text.count("\n", counted, at), at
        boot = piece.boot + back + (len(parts) - 1 - index if index != alive[-1] else 0)
        boot += 1 if index > alive[-1] else 0
        found.append(_at_line(piece._replace(text=part, boot=boot), line))
    return found


def rotated(piece: Piece, newer: list[Piece]) -> list[Piece]:
    """What was put aside of a log as one piece a boot, oldest first; `newer` are the boots of the log that stands now.

    Where that begins in the middle of a boot, the last one here is the same.
    """
    boot = max((one.boot for one in newer), default=0)
    head = newer[0].text[:_HEAD].split("\n")[:_FIRST] if newer else []
    if piece.earlier or any(_VERSION in line for line in head):
        boot += 1
    return [one._replace(boot=one.boot + boot) for one in read(piece)]


def _at_line(piece: Piece, line: int) -> Piece:
    """The piece with its text beginning `line` lines later in the user's file."""
    if piece.numbers is not None:
        return piece._replace(numbers=piece.numbers[line:])
    return piece if piece.first_line is None else piece._replace(first_line=piece.first_line + line)


def boots_back(command: str | None) -> int:
    """How many boots before the present one a `journalctl` names; a boot named by its id counts as earlier.

    >>> [boots_back(f"journalctl {x}") for x in ("-k", "-b", "-k -b -1", "-kb-2", "--boot=-3", "-b 0")]
    [0, 0, 1, 2, 3, 0]
    """
    if not command or "journalctl" not in command:
        return 0
    found = _BACK.search(command[:4000].partition("|")[0])
    return 0 if found is None else int(found.group(1)[1:]) if found.group(1)[0] == "-" else 1


def _saves_a_crash(text: str) -> bool:
    """Whether a boot is that of a kdump kernel, which its command line tells."""
    return "elfcorehdr=" in text[: 16 * _HEAD]


def journal(head: str) -> bool:
    """Whether a text that begins so is a journal's entries in fields (`-o json`, `verbose`, `export`).

    >>> journal('{"MESSAGE":"a","_BOOT_ID":"b"}'), journal("__CURSOR=s=1\\nMESSAGE=a"), journal("MESSAGE: a")
    (True, True, False)
    """
    head = head[:_HEAD].lstrip()
    if head.startswith("{"):
        return any(f'"{word}"' in head for word in ("MESSAGE", "_BOOT_ID", "__CURSOR"))
    framed = head.startswith("__CURSOR=") or re.match(r"[^\n]{10,60} \[s=[0-9a-f]", head) is not None
    return framed and "=" in head


def plain(text: str) -> tuple[str, list[int]]:
    """The text with as many lines, without colours, carriage returns and fields; offsets where a boot's id changes.

    >>> plain('{"MESSAGE":"DMAR: IOMMU enabled","__MONOTONIC_TIMESTAMP":"54042"}')
    ('[    0.054042] DMAR: IOMMU enabled', [])
    """
    if "\x1b" in text:
        from doctor.evidence.clean import uncoloured

        text = uncoloured(text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", " ")
    if not journal(text[: 2 * _HEAD]):
        return text, []
    rows: list[str] = []
    starts: list[int] = []
    last, size = "", 0
    for boot, row in _entries(text):
        if boot and last and boot != last:
            starts.append(size)
        last = boot or last
        rows.append(row)
        size += len(row) + 1
    return "\n".join(rows), starts


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Each line of a journal in fields: the boot's id if it tells it, and the message, if it is one."""
    for line in text.split("\n"):
        row = line.strip()
        found = _BOOT_ID.search(row[:2000]) if "{" not in row[:1] else None
        boot = (found.group(1) or found.group(2)) if found else ""
        if row.startswith("{") and row.endswith("}") and len(row) > 2:
            yield _entry(row)
        elif row.startswith('"MESSAGE"'):
            yield boot, _said(_json(row.partition(":")[2].strip().rstrip(",")))
        else:
            yield boot, row[8:] if row.startswith("MESSAGE=") else ""


def _entry(row: str) -> tuple[str, str]:
    """Boot and message, with its seconds since the boot, of an entry as JSON on one line."""
    entry = _json(row)
    if not isinstance(entry, dict):
        return "", row
    said, since = _said(entry.get("MESSAGE")), str(entry.get("__MONOTONIC_TIMESTAMP", ""))
    name = entry.get("SYSLOG_IDENTIFIER")
    if isinstance(name, str) and name != "kernel" and entry.get("_TRANSPORT") != "kernel":
        said = f"{name[:60]}: {said}"
    if since.isdecimal() and len(since) < 18:
        said = f"[{int(since) // 1_000_000:5d}.{int(since) % 1_000_000:06d}] {said}"
    boot = entry.get("_BOOT_ID")
    return boot if isinstance(boot, str) else "", said


def _json(text: str) -> object:
    """A value of JSON; None if it is none."""
    import json

    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value


def _said(value: object) -> str:
    """A message on one line; the journal writes what is no UTF-8 as a list of bytes."""
    if isinstance(value, list):
        codes = [code for code in value if isinstance(code, int) and 0 <= code < 256]
        value = bytes(codes).decode("utf-8", "replace")
    return " ".join(value.split("\n")) if isinstance(value, str) else ""


def _boots(text: str, one_run: bool) -> list[int]:
    """The offsets at which a boot begins, but for the first; `one_run` means that no person joined the lines."""
    marked = "-- Boot " in text or "-- Reboot --" in text
    found = [_Start(mark.start(), False, True) for mark in _MARK.finditer(text)] if marked else []
    found += [_Start(at, True) for at in _first_lines(text)]
    if one_run:
        found += [_Start(at, False) for at in _fallen_back(text)]
    kept: list[_Start] = [_Start(0, False)]
    for start in sorted(found):
        before = kept[-1]
        same = text.count("\n", before.at, start.at) <= _NEAR and not (before.first and start.first)
        near = same and not start.mark and (before.mark or _all_early(text, before, start))
        if near or start.at == before.at:
            kept[-1] = before._replace(first=before.first or start.first, mark=before.mark or start.mark)
        else:
            kept.append(start)
    return [start.at for start in kept[1:]]


def _all_early(text: str, before: _Start, start: _Start) -> bool:
    """Whether what stands between two starts is of the first second: some lines precede the kernel's first one."""
    stamps = [float(one.group(2)) for one in _STAMP.finditer(text, before.at, start.at)]
    return bool(stamps) and max(stamps) <= 1 if start.first else bool(stamps) and before.first


def _first_lines(text: str) -> Iterator[int]:
    """The offsets of the lines on which a kernel tells its version: as a line of its log, not quoted in another."""
    at = text.find(_VERSION)
    while at >= 0:
        begin = text.rfind("\n", max(0, at - 200), at) + 1
        lead = text[begin:at].rstrip(" ")
        follows = text[at + len(_VERSION) : at + len(_VERSION) + 1]
        zone = lead[-3:-2] == ":" and lead[-2:].isdigit()  # the end of an ISO date
        if follows.isdigit() and at - begin < 160 and (not lead or lead[-1] in "]:>" or zone):
            yield begin
        at = text.find(_VERSION, at + 1)


def _fallen_back(text: str) -> Iterator[int]:
    """The offsets of the lines whose seconds since the boot are less than those before, as only a boot makes them."""
    highest, lead = 0.0, ""
    for stamp in _STAMP.finditer(text):
        value = float(stamp.group(2))
        fall = highest - value
        if fall > _JITTER:
            now, then = _clock(stamp.group(1)), _clock(lead)
            moved = (now - then + fall) % _DAY if now is not None and then is not None else 0
            if (fall >= _FALL and value < highest / 2) or _CLOCKS < moved < _DAY - _CLOCKS:
                yield stamp.start()
                highest, lead = value, stamp.group(1)
        elif value >= highest:
            highest, lead = value, stamp.group(1)


def _clock(lead: str) -> int | None:
    """The seconds of the day that stand before a stamp."""
    found = _CLOCK.search(lead)
    return int(found.group(1)) * 3600 + int(found.group(2)) * 60 + int(found.group(3)) if found else None
