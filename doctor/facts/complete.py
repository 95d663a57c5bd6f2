"""What the silence of a log proves: from which place of the boot on, and up to which, it holds every line.

A ring buffer loses its oldest lines only (kernel/printk/printk_ringbuffer.c). So under one filter a log is
complete from its oldest line onward, and a line that the kernel prints later than that one, and that the
filter lets through, was not printed if it is not there.
"""

from __future__ import annotations

from doctor.evidence.types import CUT, EXCERPT, FILTERED, WHOLE, Piece
from doctor.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doctor.facts.messages import Event

PLACES = ("early", "table", "remap", "iommu", "driver", "runtime")
_HEAD = 32_768  # characters in which a log's beginning is looked for
_FIRST_LINES = 12
_LONG = 60  # lines of an unfiltered log that no person selected
_SETTLED = 5  # seconds after which the boot's own lines are printed
_CLOCK = later(r"\b(\d\d):(\d\d):(\d\d)\b")
# What syslog, journald and the kernel's consoles leave in place of lines that they lost.
_LOST = ("printk messages dropped", "messages lost", "You are currently not seeing messages")
# The words of kernels before 4.x, whose lines lack the prefix that people filter by.
_OLD = ("dmar: ", "Intel-IOMMU: ", "PCI-DMA: Intel(R)", "ACPI: DMAR 0000", "ACPI: IVRS 0000")


def span(piece: Piece, events: list[Event]) -> tuple[int, int] | None:
    """From after which place on, and up to which, a log is complete; None if it proves no absence.

    `events` are the piece's own, in the order of its lines. Index -1 means from the very first line on.
    """
    head = piece.text[:_HEAD].lstrip().split("\n")
    begins = any("Linux version " in line for line in head[:_FIRST_LINES])
    long = _lines_reach(piece.text, _LONG)
    if piece.state == EXCERPT and not (piece.command is None and long and begins):
        return None
    if _trimmed(piece, events) or any(word in piece.text for word in _LOST) or _missed(piece.text):
        return None
    first = _first_place(events)
    if piece.terms:
        old = any(word in event.text for event in events for word in _OLD)
        return None if first is None or old else (first, len(PLACES) - 1)
    if begins:
        return -1, _last(piece, events)
    # An unfiltered log that neither begins with the boot nor is long is somebody's selection.
    if not long or piece.state not in (WHOLE, FILTERED, CUT) or first is None:
        return None
    return first, _last(piece, events)


def passes(parts: list[object], piece: Piece) -> bool:
    """Whether a template's literal text surely passes the filter that the user's command applied."""
    if not piece.terms:
        return True
    literal = "\0".join(part for part in parts if isinstance(part, str))
    if piece.ignore_case:
        literal = literal.lower()
    return any((term.lower() if piece.ignore_case else term) in literal for term in piece.terms)


def _first_place(events: list[Event]) -> int | None:
    """The place of the oldest line that has one: what comes after it in the boot is in the log."""
    for event in events:
        if event.template.get("place") in PLACES:
            return max(
                PLACES.index(one.template["place"])
                for one in events[:40]
                if one.at == event.at and one.template.get("place") in PLACES
            )
    return None


def _missed(text: str) -> bool:
    """Whether journald says that it missed lines of the kernel's."""
    at = text.find("Missed ")
    while at >= 0:
        if " kernel messages" in text[at : at + 40]:
            return True
        at = text.find("Missed ", at + 1)
    return False


def _lines_reach(text: str, count: int) -> bool:
    """Whether a text has more than `count` lines with something on them."""
    at = found = 0
    while found <= count and 0 <= at < len(text):
        end = text.find("\n", at)
        found += bool(text[at : end if end >= 0 else None].strip())
        at = end + 1 if end >= 0 else -1
    return found > count


def _trimmed(piece: Piece, events: list[Event]) -> bool:
    """Whether a line is missing that the kernel always prints after one that is there: somebody cut it out."""
    names = {event.name for event in events}
    followed = {event.name: event.template for event in events if event.template.get("then")}
    return any(one["then"] not in names and passes([one["then_text"]], piece) for one in followed.values())


def _last(piece: Piece, events: list[Event]) -> int:
    """The place up to which an unfiltered log reaches: all of the boot once five seconds have passed."""
    text = piece.text
    places = [PLACES.index(e.template["place"]) for e in events if e.template.get("place") in PLACES]
    reached = max(places, default=-1)
    for line in reversed(text[-_HEAD:].rstrip().rsplit("\n", 3)[-3:]):
        since = _since(line)
        settled = since >= _SETTLED if since is not None else _took(text) or text.count("\n") > 400
        if settled:
            reached = len(PLACES) - 1
            break
    # A log whose end was cut off tells nothing of what came later.
    return min(reached, PLACES.index("driver")) if piece.state == CUT and piece.reason else reached


def _since(line: str) -> float | None:
    """The seconds since the boot of a line; None if it does not tell them.

    >>> _since("[   12.5] x"), _since("Jan  1 12:00:00 pve kernel: [    3.25] x"), _since("x [10de:1b80]")
    (12.5, 3.25, None)
    """
    try:
        return float(line[:200].partition("[")[2].partition("]")[0])
    except ValueError:
        return None


def _took(text: str) -> bool:
    """Whether the wall clock of a log's last line is five seconds or more after that of its first."""
    first, last = (_CLOCK.search(part) for part in (text[:200], text[-1000:].rstrip().rpartition("\n")[2]))
    if first is None or last is None:
        return False
    begin, end = (int(a) * 3600 + int(b) * 60 + int(c) for a, b, c in (first.groups(), last.groups()))
    return (end - begin) % 86_400 >= _SETTLED
