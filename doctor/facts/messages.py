"""Log lines as events: the kernel's and the virtual machine managers' messages of `rules/messages/`.

A template is literal text with typed holes (`{device}: Adding to iommu group {group:int}`); it is found
by its first literal and read forward, so matching is linear in the text whatever the text says.

>>> log = scan("[ 1.0] pci 0000:01:00.0: Adding to iommu group 17", [
...     {"event": "group_new", "wordings": [
...         [["Adding", "iommu"], [["device", "device"], ": Adding to iommu group ", ["group", "int"]]]]}])
>>> [(event.name, event.fields, event.at) for event in log]
[('group_new', {'device': '0000:01:00.0', 'group': '17'}, 0)]
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

from doctor.evidence.types import EXCERPT, FILTERED, WHOLE, Evidence, Piece, Source
from doctor.facts.fact import UNKNOWN, Fact, Listing

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACES = ("early", "table", "remap", "iommu", "driver", "runtime")
KERNEL_LOGS = (
    "cmd/dmesg",
    "cmd/journalctl-k",
    "var/log/dmesg",
    "var/log/kern.log",
    "var/log/syslog",
    "var/log/messages",
)
TOOL_LOGS = (
    "cmd/messages",
    "text/other",
    "cmd/update-grub",
    "cmd/proxmox-boot-tool",
    "cmd/virt-host-validate",
    "cmd/kvm-ok",
)
_HEX = frozenset("0123456789abcdefABCDEF")
_DIGITS = frozenset("0123456789")
_BDF = frozenset("0123456789abcdefABCDEF:.")
_KINDS = {"int": _DIGITS, "hex": _HEX, "device": _BDF}
_WORD_END = frozenset(" \t,;\"'`()[]<>")
_LONGEST = 400  # characters of a hole that takes free text
_WORD = re.compile(r"[A-Za-z]{4,}")
_PART = 1 << 20  # characters that are looked at in one go
_HITS_A_LINE = 4  # a hostile line may repeat a literal; more hits than these are not looked at


class Event(NamedTuple):
    """One line that matched a template: its name, its holes, and where it stands."""

    name: str
    fields: dict[str, str]
    at: int
    piece: Piece
    template: dict[str, Any]
    text: str

    @property
    def source(self) -> Source:
        """The citation of the line."""
        return self.piece.cite(self.at, self.text)

    def lookup(self, name: str) -> Any:
        """A hole of the line as rules ask for it; `device` always as a full address, lower case."""
        if name == "name":
            return Fact(self.name, (self.source,))
        if name == "whole":
            return Fact(self.text, (self.source,))
        value = self.fields.get(name)
        if name == "device":
            return Fact(full_address(value), (self.source,)) if value else None
        return Fact(value, (self.source,)) if value is not None else None


def full_address(text: str) -> str:
    """A PCI address with its domain, lower case.

    >>> full_address("01:00.0"), full_address("0000:0A:00.1")
    ('0000:01:00.0', '0000:0a:00.1')
    """
    text = text.strip(":.").lower()
    return text if text.count(":") == 2 else "0000:" + text


def is_address(text: str) -> bool:
    """Whether a text is a PCI address, with or without its domain.

    >>> is_address("0000:01:00.0"), is_address("01:00.0"), is_address("#"), is_address("0000:01:00")
    (True, True, False, False)
    """
    return _fits(text, "device") and all(part and set(part) <= _HEX for part in text[:-2].split(":"))


def scan(text: str, templates: list[dict[str, Any]], piece: Piece | None = None) -> list[Event]:
    """Every event in `text`, in the order of its lines; a line gives each event at most once."""
    piece = piece or Piece("cmd/dmesg", text)
    present = _words(text)
    starts: list[int] = []
    found: dict[tuple[int, str], Event] = {}
    for template in templates:
        for words, parts in template["wordings"]:
            if present.issuperset(words):
                starts = starts or _line_starts(text)
                for here, fields, whole in _hits(text, starts, parts):
                    key = (here, template["event"])
                    if key not in found:
                        found[key] = Event(template["event"], fields, here, piece, template, whole)
    return sorted(found.values(), key=lambda event: event.at)


def _words(text: str) -> set[str]:
    """Every word of a text. (In parts, so that a log of any size is counted in bounded memory.)"""
    words: set[str] = set()
    for start in range(0, len(text), _PART):
        words.update(_WORD.findall(text, max(0, start - 80), start + _PART))
    return words


def _hits(text: str, starts: list[int], parts: list[Any]) -> Iterator[tuple[int, dict[str, str], str]]:
    """The lines that a template fits: line index, holes, the line's text."""
    lead = 0 if isinstance(parts[0], str) else 1
    anchor = parts[lead]
    position, hits, line = text.find(anchor), 0, -1
    while position >= 0:
        here = bisect_right(starts, position) - 1
        hits, line = (hits + 1 if here == line else 1), here
        end = starts[here + 1] - 1 if here + 1 < len(starts) else len(text)
        fields = _match(text, starts[here], position, end, parts, lead)
        if fields is not None:
            yield here, fields, text[starts[here] : min(end, starts[here] + 2000)].strip()
        done = fields is not None or hits >= _HITS_A_LINE
        position = text.find(anchor, end if done else position + 1)


def _line_starts(text: str) -> list[int]:
    """The offset at which each line begins."""
    starts, position = [0], text.find("\n")
    while position >= 0:
        starts.append(position + 1)
        position = text.find("\n", position + 1)
    return starts


def _match(text: str, begin: int, position: int, end: int, parts: list[Any], lead: int) -> dict[str, str] | None:
    """The holes of a template whose first literal stands at `position` of the line; None if it does not fit."""
    fields: dict[str, str] = {}
    if lead:
        start = position
        while start > begin and text[start - 1] not in _WORD_END:
            start -= 1
        value = text[start:position]
        if not _fits(value, parts[0][1]):
            return None
        fields[parts[0][0]] = value
    here = position + len(parts[lead])
    for number in range(lead + 1, len(parts)):
        part = parts[number]
        if isinstance(part, str):
            if not text.startswith(part, here, end):
                return None
            here += len(part)
            continue
        following = parts[number + 1] if number + 1 < len(parts) else None
        stop = _hole_end(text, here, end, part[1], following)
        value = text[here:stop]
        if not _fits(value, part[1]):
            return None
        fields[part[0]] = value.strip()
        here = stop
    return fields


def _hole_end(text: str, here: int, end: int, kind: str, following: str | None) -> int:
    """Where a hole that begins at `here` ends; it never looks back."""
    if kind == "text":
        if following is None:
            return min(end, here + _LONGEST)
        found = text.find(following, here, min(end, here + _LONGEST))
        return here if found < 0 else found
    stop = here
    allowed = _KINDS.get(kind)
    while stop < end and stop - here < _LONGEST:
        character = text[stop]
        if (character not in allowed) if allowed is not None else (character in _WORD_END):
            break
        stop += 1
    if kind == "device" and text[stop - 1 : stop] in (".", ":"):
        stop -= 1
    if following and kind == "word" and text[here:stop].endswith(following):
        stop -= len(following)
    return stop


def _fits(value: str, kind: str) -> bool:
    """Whether a hole's text is of its kind."""
    if kind == "device":
        head, dot, function = value.rpartition(".")
        return (
            bool(dot)
            and len(function) == 1
            and function in "01234567"
            and head.count(":") in (1, 2)
            and len(value) <= 15
        )
    return kind == "text" or bool(value)


class Log:
    """All events of an input, by name, and what their absence proves.

    A ring buffer loses its oldest lines only. So under one filter a log is complete from its oldest line
    onward, and absence is proven for lines that the kernel prints later than that one.
    """

    def __init__(self, evidence: Evidence, templates: list[dict[str, Any]]) -> None:
        """Reads the kernel's and the tools' lines of `evidence`."""
        self._templates = {template["event"]: template for template in templates}
        self._by_name: dict[str, list[Event]] = {}
        self._spans: list[tuple[Piece, int, int]] = []
        self.order: list[Event] = []
        # Logs of the boots before the latest one say what was so, not what is.
        boot = min((piece.boot for path in KERNEL_LOGS for piece in evidence.pieces(path)), default=0)
        for path in (*KERNEL_LOGS, *TOOL_LOGS):
            pieces = evidence.pieces(path)
            if path in KERNEL_LOGS:
                pieces = [piece for piece in pieces if piece.boot == boot]
            for piece in pieces:
                events = scan(piece.text, templates, piece)
                self.order += events
                span = _span(piece, events) if path in KERNEL_LOGS else None
                if span is not None:
                    self._spans.append((piece, *span))
        for event in self.order:
            self._by_name.setdefault(event.name, []).append(event)
        denied = [piece for path in KERNEL_LOGS for piece in evidence.states(path) if piece.state == "denied"]
        self.denied = Fact(bool(denied), tuple(piece.whole() for piece in denied))

    def all(self, name: str) -> list[Event]:
        """The events called `name`, in order."""
        return self._by_name.get(name, [])

    def lookup(self, name: str) -> Fact:
        """The event `name` as a fact: its occurrences; none if a log proves that; else unknown."""
        events = self._by_name.get(name)
        if events:
            sources = tuple(dict.fromkeys(event.source for event in events))
            return Fact(Listing(events), sources[:6])
        proof = self.proof_of_absence(name)
        if proof is not None:
            return Fact(Listing(()), (proof,))
        return Fact(UNKNOWN, (), ("cmd/dmesg",))

    def proof_of_absence(self, name: str) -> Source | None:
        """The citation of a log that would hold the event if it had happened; None if no log proves that."""
        template = self._templates.get(name)
        if template is None or template.get("place") not in PLACES:
            return None
        place = PLACES.index(template["place"])
        for piece, first, last in self._spans:
            if first < place <= last and _passes(template["wordings"][0][1], piece):
                return piece.cite(0)
        return None

    def claims(self, claim: str) -> list[tuple[Any, Event]]:
        """What the lines say about `claim` ("iommu.active"), as (value, event), in order."""
        return [
            (event.template["proves"][claim], event)
            for event in self.order
            if claim in (event.template.get("proves") or ())
        ]

    def expected(self, claim: str, vendor: str) -> list[str]:
        """The events that a kernel always prints on this vendor's machines where `claim` is true.

        Of the claims that such an event proves, its absence disproves the first one only.
        """
        return [
            name
            for name, template in self._templates.items()
            if template.get("always") in (vendor, "any") and claim == next(iter(template.get("proves") or ("",)))
        ]


def _passes(parts: list[Any], piece: Piece) -> bool:
    """Whether a template's literal text surely passes the filter that the user's command applied."""
    if not piece.terms:
        return True
    literal = "\0".join(part for part in parts if isinstance(part, str))
    if piece.ignore_case:
        literal = literal.lower()
    return any((term.lower() if piece.ignore_case else term) in literal for term in piece.terms)


def _span(piece: Piece, events: list[Event]) -> tuple[int, int] | None:
    """From after which place on, and up to which, a log is complete; None if it proves no absence.

    Index -1 means from the very first line on.
    """
    lines = piece.text.lstrip().split("\n", 60)
    whole_log = piece.command is None and len(lines) > 60 and "Linux version " in "\n".join(lines[:12])
    if piece.state == EXCERPT and not whole_log:
        return None
    head = "\n".join(lines[:12])
    places = [PLACES.index(e.template["place"]) for e in events if e.template.get("place") in PLACES]
    if _trimmed(piece, events):
        return None
    if not piece.terms:
        if "Linux version " in head:
            return -1, _last_place(piece.text, places)
        # An unfiltered log that neither begins with the boot nor is long is somebody's selection.
        if len(lines) < 60 or piece.state not in (WHOLE, FILTERED) or not places:
            return None
        return min(places), _last_place(piece.text, places)
    if not places:
        return None
    return min(places), len(PLACES) - 1


def _trimmed(piece: Piece, events: list[Event]) -> bool:
    """Whether a line is missing that the kernel always prints after one that is there: somebody cut it out."""
    names = {event.name for event in events}
    followed = [event.template for event in events if event.template.get("then")]
    return any(one["then"] not in names and _passes([one["then_text"]], piece) for one in followed)


def _last_place(text: str, places: list[int]) -> int:
    """The place up to which an unfiltered log reaches: all of the boot once five seconds have passed."""
    tail = text.rstrip().rsplit("\n", 3)[-3:]
    for line in reversed(tail):
        stamp = line.strip().lstrip("[").split("]")[0].strip()
        try:
            if float(stamp) >= 5:
                return len(PLACES) - 1
        except ValueError:
            if text.count("\n") > 400:
                return len(PLACES) - 1
    return max(places, default=-1)


def harmless(log: Log) -> list[tuple[Source, str]]:
    """The alarming lines that can be ignored, each form once, with the reason."""
    seen: dict[str, tuple[Source, str]] = {}
    for event in log.order:
        why = event.template.get("harmless")
        if why and event.name not in seen:
            seen[event.name] = (event.source, why)
    return list(seen.values())
