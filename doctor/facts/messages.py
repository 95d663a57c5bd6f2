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

from bisect import bisect_right
from functools import cached_property

from doctor.evidence.types import EARLIER_LOG, EXCERPT, KERNEL_LOGS, Evidence, Piece, Source
from doctor.facts.complete import PLACES, passes, span
from doctor.facts.fact import UNKNOWN, Fact, Listing
from doctor.later import later, opened
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

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
_QUOTED = 2000  # characters of a line that are cited
_WORD = later(r"[A-Za-z]{4,}")
_PART = 1 << 18  # characters that are looked at in one go; of a line that is longer, only so much is read
_HITS_A_LINE = 4  # a hostile line may repeat a literal; more hits than these are not looked at
# Lines that are kept: of one event about one device, of one event, and in all before only the rarest are kept.
_OF_A_DEVICE, _OF_AN_EVENT, _OF_ALL, _OF_THE_RARE = 200, 5_000, 100_000, 50


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
    return Scanner(templates).scan(piece or Piece("cmd/dmesg", text), text)


class Scanner:
    """Finds events in texts of any size: part by part, and no event more often than anybody can use."""

    def __init__(self, templates: list[dict[str, Any]]) -> None:
        """`more` will hold the names of the events of which lines were left out."""
        self._templates = templates
        self._words = {word for template in templates for words, _ in template["wordings"] for word in words}
        self._counts: dict[str | tuple[str, str], int] = {}
        self._total = 0
        self.more: set[str] = set()

    def scan(self, piece: Piece, text: str | None = None) -> list[Event]:
        """The events of a piece in the order of its lines."""
        text = piece.text if text is None else text
        found: list[Event] = []
        line = 0
        for start, end, following in _parts(text):
            part = text if end - start == len(text) else text[start:end]
            found += self._part(part, line, piece)
            line += text.count("\n", start, following) if following < len(text) else 0
        return found

    def _part(self, text: str, line: int, piece: Piece) -> list[Event]:
        """The events of some lines, the first of which is the piece's line `line`."""
        present = self._words.intersection(_WORD.findall(text))
        starts: list[int] = []
        found: dict[tuple[int, str], Event] = {}
        for template in self._templates:
            name = template["event"]
            done: set[int] = set()  # lines that one of the event's wordings fits
            for words, parts in template["wordings"]:
                if present.issuperset(words) and self._room(name):
                    starts = starts or _line_starts(text)
                    for here, fields, begin, end in _hits(text, starts, opened(parts), done):
                        done.add(here)
                        if self._keep(name, fields.get("device", "")):
                            whole = text[begin : min(end, begin + _QUOTED)].strip()
                            found[here, name] = Event(name, fields, line + here, piece, template, whole)
        return sorted(found.values(), key=lambda event: event.at)

    def _room(self, name: str) -> bool:
        """Whether one more of these is kept."""
        most = _OF_AN_EVENT if self._total < _OF_ALL else _OF_THE_RARE
        if self._counts.get(name, 0) >= most:
            self.more.add(name)
            return False
        return True

    def _keep(self, name: str, device: str) -> bool:
        """Whether a line that fits is kept; counts it."""
        if not self._room(name):
            return False
        if device:
            count = self._counts.get((name, device), 0)
            if count >= _OF_A_DEVICE:
                self.more.add(name)
                return False
            self._counts[name, device] = count + 1
        self._counts[name] = self._counts.get(name, 0) + 1
        self._total += 1
        return True


def _parts(text: str) -> Iterator[tuple[int, int, int]]:
    """A text in parts that end with a line: begin, end, and where the next one begins."""
    start = 0
    while start < len(text) or not start:
        end = min(start + _PART, len(text))
        if end < len(text):
            last = text.rfind("\n", start, end)
            following = text.find("\n", end) + 1 or len(text)
            yield (start, last, last + 1) if last > start else (start, end, following)
            start = last + 1 if last > start else following
        else:
            yield start, end, end
            return


def _hits(
    text: str, starts: list[int], parts: list[Any], done: set[int]
) -> Iterator[tuple[int, dict[str, str], int, int]]:
    """The lines that a template fits, but for those in `done`: line index, holes, the line's begin and end."""
    lead = 0 if isinstance(parts[0], str) else 1
    anchor = parts[lead]
    position, hits, line, begin, end = text.find(anchor), 0, -1, 0, -1
    while position >= 0:
        if position >= end:
            line = bisect_right(starts, position) - 1
            begin, end, hits = starts[line], starts[line + 1] - 1 if line + 1 < len(starts) else len(text), 0
        hits += 1
        over = line in done
        fields = None if over else _match(text, begin, position, end, parts, lead)
        if fields is not None:
            yield line, fields, begin, end
        position = text.find(anchor, end if over or fields is not None or hits >= _HITS_A_LINE else position + 1)


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
    """All events of an input, by name, and what their absence proves (see `doctor.facts.complete`).

    Only the latest boot speaks; the events of earlier ones stay apart, in `earlier`.
    """

    def __init__(self, evidence: Evidence, templates: list[dict[str, Any]]) -> None:
        """Reads the kernel's and the tools' lines of `evidence`."""
        self._evidence, self._list = evidence, templates
        self._templates = {template["event"]: template for template in templates}
        self._by_name: dict[str, list[Event]] = {}
        self._spans: list[tuple[Piece, int, int]] = []
        self.order: list[Event] = []
        scanner = Scanner(templates)
        for piece in self._pieces(False):
            events = scanner.scan(piece)
            self.order += events
            reach = span(piece, events) if piece.path in KERNEL_LOGS else None
            if reach is not None:
                self._spans.append((piece, *reach))
        self._more = scanner.more
        for event in self.order:
            self._by_name.setdefault(event.name, []).append(event)
        denied = [piece for path in KERNEL_LOGS for piece in evidence.states(path) if piece.state == "denied"]
        self.denied = Fact(bool(denied), tuple(piece.whole() for piece in denied))

    def _pieces(self, earlier: bool) -> list[Piece]:
        """The logs of the latest boot, or of those before it, which say what was so, not what is."""
        logs = [piece for path in KERNEL_LOGS for piece in self._evidence.pieces(path)]
        boot = min((piece.boot for piece in logs if not piece.earlier), default=0)
        logs = [piece for piece in logs if (piece.earlier or piece.boot > boot) == earlier]
        for path in TOOL_LOGS:
            said = self._evidence.pieces(path)
            latest = {(piece.source, piece.command): piece.boot for piece in said}
            for piece in said:
                # What programs print has no boot of its own; only a journal tells one.
                journal = piece.state != EXCERPT and "journalctl" in (piece.command or "journalctl")
                old = piece.earlier or (journal and piece.boot > latest[piece.source, piece.command])
                logs += [piece] if old == earlier else []
        return logs + (self._evidence.under(EARLIER_LOG) if earlier else [])

    @cached_property
    def earlier(self) -> list[Event]:
        """The events of the boots before the latest one."""
        scanner = Scanner(self._list)
        return [event for piece in self._pieces(True) for event in scanner.scan(piece)]

    def all(self, name: str) -> list[Event]:
        """The events called `name`, in order."""
        return self._by_name.get(name, [])

    def lookup(self, name: str) -> Fact:
        """The event `name` as a fact: its occurrences; none if a log proves that; else unknown."""
        events = self._by_name.get(name)
        if events:
            sources = tuple(dict.fromkeys(event.source for event in events[:60]))
            return Fact(Listing(events, name not in self._more, ("cmd/dmesg",)), sources[:6])
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
            if first < place <= last and passes(opened(template["wordings"][0][1]), piece):
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


def harmless(log: Log) -> list[tuple[Source, str]]:
    """The alarming lines that can be ignored, each form once, with the reason."""
    seen: dict[str, tuple[Source, str]] = {}
    for event in log.order:
        why = event.template.get("harmless")
        if why and event.name not in seen:
            seen[event.name] = (event.source, why)
    return list(seen.values())
