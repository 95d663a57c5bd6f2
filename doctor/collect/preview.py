"""What a bundle would hold, as text for a terminal: every stand-in marked, long files abbreviated."""

from typing import Dict, List

from .model import Collected, Entry
from .redact_classes import counted
from .redact_files import decoded
from .redact_shapes import STAND_IN, has_stand_in
from .say import said, say

__all__ = ["of_host", "preview"]

_SHORT = 24  # lines of a file that is shown whole
_HEAD = 6  # first lines that are shown of a longer one
_MARKED = 40  # lines with a stand-in that are shown besides
_WIDE = 400  # characters of a line


def of_host(full: bool, redacting: bool, note: str = "", boots: int = 0) -> str:
    """Return what `passdoctor collect` would share of this host; FULL: every line of every file."""
    from .gather import gather
    from .pack import plain_note
    from .redact import Redactor, redact_with

    collected = gather("/", None, boots)._replace(note=plain_note(note))
    if not redacting:
        return preview(collected, {}, full)
    return preview(*redact_with(collected, Redactor()), full=full)


def preview(collected: Collected, report: Dict[str, Dict[str, int]], full: bool = False) -> str:
    """Return the text of COLLECTED, which was redacted as REPORT says: how many of each class, by path."""
    lines = [say("What would be shared. [*…*] stands for something private; nothing is written.")]
    if collected.redaction == "none":
        lines = [say("What would be shared, as it is: nothing is redacted (--redact none); nothing is written.")]
    if collected.note:
        lines.append(say("note: {note}", note=_shown(collected.note)))
    small: Dict[str, int] = {}
    for path, entry in sorted(collected.entries.items()):
        if entry.state in ("absent", "denied", "failed") and not entry.data:
            continue
        if path in report or full or not _is_small(entry):
            lines += _file(entry, report.get(path, {}), full)
        else:
            folder = "/".join(path.split("/")[:3])
            small[folder] = small.get(folder, 0) + 1
    if small:
        lines += ["", "== " + say("small pieces with nothing private (--full shows them)")]
        lines += ["{}: {}".format(_shown(folder), count) for folder, count in sorted(small.items())]
    total: Dict[str, int] = {}
    for counts in report.values():
        for kind, count in counts.items():
            total[kind] = total.get(kind, 0) + count
    lines += ["", say("Redacted: {what}.", what=counted(total) or say("nothing"))]
    return "\n".join(lines) + "\n"


def _is_small(entry: Entry) -> bool:
    return entry.path.startswith("sys/") or entry.how in ("link", "listing", "exists")


def _file(entry: Entry, counts: Dict[str, int], full: bool) -> List[str]:
    state = ", " + said(entry.state) if entry.state != "whole" else ""
    size, path = len(entry.data), _shown(entry.path)
    if counts:
        head = say(
            "{path} ({count} bytes{state}; {what} redacted)", path=path, count=size, state=state, what=counted(counts)
        )
    else:
        head = say("{path} ({count} bytes{state})", path=path, count=size, state=state)
    head = "== " + head
    text, _ = decoded(entry.data)
    if text is None:
        return ["", head]
    rows = text.split("\n")
    rows = rows[:-1] if rows[-1] == "" else rows
    if full or len(rows) <= _SHORT:
        return ["", head] + [_shown(row, full) for row in rows]
    marked = [(at, row) for at, row in enumerate(rows, 1) if at > _HEAD and has_stand_in(row)]
    shown = ["", head] + [_shown(row) for row in rows[:_HEAD]]
    shown += ["{}: {}".format(at, _shown(row)) for at, row in marked[:_MARKED]]
    return shown + [_left(len(rows), len(marked))]


def _left(rows: int, marked: int) -> str:
    hidden = max(marked - _MARKED, 0)
    count = rows - _HEAD - min(marked, _MARKED)
    if not hidden:
        return "… " + say("{count} more lines; --full shows them", count=count)
    return "… " + say(
        "{count} more lines, {hidden} of them with something redacted; --full shows them", count=count, hidden=hidden
    )


def _shown(row: str, full: bool = False) -> str:
    cut = row if full or len(row) <= _WIDE else row[:_WIDE] + "…"
    marked = STAND_IN.pattern.sub(lambda match: "[*" + match.group() + "*]", cut)
    # No file may move the cursor or hide what it says.
    return "".join(char if char.isprintable() or char == "\t" else "?" for char in marked)
