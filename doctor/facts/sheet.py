"""Every fact of a host with its sources, and what nobody read: the data of `passdoctor facts`.

A group of facts shows itself: a NamedTuple by its fields, another by the names in its `SHOWN`. So a new group on
`Host` appears here without a change.

>>> rows = list(_walk("boot", Fact("grub", (Source("etc/default/grub", "p", 3, "GRUB_TIMEOUT=5"),)), ()))
>>> rows[0].name, rows[0].value, rows[0].sources[0].line
('boot', 'grub', 3)
"""

from __future__ import annotations

from functools import partial

from doctor.evidence.types import (
    ABSENT,
    CUT,
    DENIED,
    EARLIER_LOG,
    EXCERPT,
    FILTERED,
    KERNEL_LOGS,
    NOT_COLLECTED,
    ROTATED,
    Evidence,
    Piece,
    Source,
)
from doctor.facts.cmdline import Cmdline
from doctor.facts.fact import Contradiction, Fact, Listing
from doctor.facts.host import Host
from doctor.facts.messages import Log
from doctor.facts.modules import Modules
from doctor.facts.pci import Pci
from doctor.later import later
from doctor.record import NamedTuple
from doctor.say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

OTHER = "text/other"
PROMPTS = "text/prompts"  # words of the command lines, which the pieces below them cite as well
_DEEPEST = 6
_VARYING = later(r"[0-9a-f]{4,6}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]|(?<=/)\d{1,6}(?=/|$)")
_LABELS = ("address", "path", "name", "module", "id", "event", "label")
_SKIPPED = ("piece", "binary", "template")
# The subsystems that print of nothing but what this program is about.
_MATTERS = later(
    r"(?:^|[\]\s>:])(?:DMAR(?:-IR)?|AMD-Vi|INTR-REMAP|PCI-DMA|iommu|IOMMU|Intel-IOMMU|vfio(?:[-_]pci)?|VFIO|SNP|perf/amd_iommu)"
    r"(?: [0-9a-f:.]{7,16})?: "
)
# Where a line stands in its file is said by its citation.
_INNER = ("at", "row", "span", "quote", "tail")


class Row(NamedTuple):
    """One fact. `value` is plain data, None for nothing, "unknown" only where `known` is False.

    `complete`: False for a list that may lack something; None for what is no list. `reasons`: why it is unknown,
    one for each of `wanted`.
    """

    group: str
    name: str
    value: Any
    known: bool
    weak: bool
    complete: bool | None
    wanted: tuple[str, ...]
    sources: tuple[Source, ...]
    reasons: tuple[str, ...] = ()


class Unread(NamedTuple):
    """A line that no fact speaks of, and why it is listed."""

    source: Source
    why: str


class Sheet(NamedTuple):
    """All that was made of an input."""

    evidence: list[Piece]
    rows: list[Row]
    contradictions: list[Contradiction]
    unread: list[Unread]


class _Watched(Evidence):
    """Evidence that remembers which paths somebody asked for."""

    def __init__(self, evidence: Evidence) -> None:
        self.__dict__.update(evidence.__dict__)
        self.asked: set[str] = set()

    def states(self, path: str) -> list[Piece]:
        self.asked.add(path)
        return super().states(path)

    def pieces(self, path: str) -> list[Piece]:
        self.asked.add(path)
        return super().pieces(path)

    def absent(self, path: str) -> Piece | None:
        self.asked.add(path)
        return super().absent(path)


def sheet(evidence: Evidence, knowledge: dict[str, Any]) -> Sheet:
    """Every fact of `evidence`; `knowledge` is the compiled rules.json."""
    watched = _Watched(evidence)
    host = Host(watched, knowledge)
    rows = [row for name in Host.SHOWN for row in _group(name, getattr(host, name))]
    rows = [
        row if row.known else row._replace(reasons=tuple(_why(evidence, path) for path in row.wanted)) for row in rows
    ]
    pieces = [piece for path in evidence.paths() for piece in evidence.states(path)]
    return Sheet(pieces, rows, host.contradictions(), _unread(pieces, host.log, rows, watched.asked))


def _why(evidence: Evidence, path: str) -> str:
    """Why `path` does not settle a fact: denied, absent, cut, filtered, not collected, or there and silent.

    >>> e = Evidence("paste", "p", [Piece("cmd/dmesg", "x", "p", terms=("DMAR",), state="filtered")])
    >>> _why(e, "cmd/dmesg"), _why(e, "proc/cmdline")
    ('filtered', 'not in the input')
    """
    states = [piece.state for piece in evidence.states(path)]
    if not states and path.endswith("/"):
        states = [piece.state for one in evidence.paths() if one.startswith(path) for piece in evidence.states(one)]
    if not states:
        return say("not there when it was collected") if evidence.complete else say("not in the input")
    for state in (DENIED, CUT, FILTERED, EXCERPT, NOT_COLLECTED, ABSENT):
        if state in states:
            return state
    return say("does not say")


def _group(name: str, group: Any) -> list[Row]:
    """The rows of one group, named without the group's own name."""
    own: dict[type, Callable[[Any], list[Row]]] = {Log: _events, Cmdline: _cmdline, Pci: _pci, Modules: _modules}
    show = own.get(type(group))
    found = show(group) if show is not None else list(_walk(name, group, ()))
    return [row._replace(group=name, name=row.name.removeprefix(name).lstrip(".") or name) for row in found]


def _walk(name: str, value: Any, sources: tuple[Source, ...], deep: int = 0) -> Iterator[Row]:
    """The rows of a value and of all that it holds."""
    if isinstance(value, Fact):
        yield from _fact(name, value, sources, deep)
    elif isinstance(value, (str, int, float, bytes, frozenset)) or value is None:
        yield _row(name, _plain(value), sources)
    elif isinstance(value, Source):
        return
    elif deep >= _DEEPEST:
        yield _row(name, str(value), sources)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _walk(f"{name}.{key}", one, sources, deep + 1)
    elif isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        yield from _list(name, value, sources, deep)
    else:
        own = _sources(value) or sources
        members = _members(value)
        if deep == 0:  # a group: each of its parts stands alone
            for key, one in members:
                yield from _walk(f"{name}.{key}", one, own, 1)
            return
        said = {key: _plain(one) for key, one in members if _simple(one) and key not in _INNER}
        said = {key: one for key, one in said.items() if one not in (None, "", [])}
        if said:
            yield _row(name, said, own)
        for key, one in members:
            if not _simple(one):
                yield from _walk(f"{name}.{key}", one, own, deep + 1)


def _fact(name: str, fact: Fact, sources: tuple[Source, ...], deep: int) -> Iterator[Row]:
    cited = tuple(fact.sources) or sources
    if not fact.known:
        yield Row("", name, "unknown", False, fact.weak, None, tuple(fact.wanted), cited)
    elif _simple(fact.value):
        complete = fact.value.complete if isinstance(fact.value, Listing) else None
        silent = complete is False and not fact.value
        yield Row("", name, _plain(fact.value), not silent, fact.weak, complete, tuple(fact.wanted), cited)
    else:
        for row in _walk(name, fact.value, cited, deep + 1):
            yield row._replace(weak=row.weak or fact.weak)


def _list(name: str, items: Any, sources: tuple[Source, ...], deep: int) -> Iterator[Row]:
    complete = items.complete if isinstance(items, Listing) else None
    wanted = items.wanted if isinstance(items, Listing) else ()
    if not items or _simple(items) or complete is False:
        value = _plain(items) if _simple(items) else len(items)
        # An empty list that may lack something says nothing.
        yield Row("", name, value, bool(items) or complete is not False, False, complete, tuple(wanted), sources)
    if not _simple(items):
        for number, item in enumerate(items):
            yield from _walk(f"{name}[{_label(item) or number}]", item, sources, deep + 1)


def _row(name: str, value: Any, sources: tuple[Source, ...]) -> Row:
    return Row("", name, value, True, False, None, (), sources)


def _simple(value: Any) -> bool:
    """Whether a value is shown in one row."""
    if isinstance(value, Fact):
        return False
    if isinstance(value, (list, tuple, frozenset, set)) and not hasattr(value, "_fields"):
        return all(isinstance(item, (str, int, float)) or item is None for item in value)
    return isinstance(value, (str, int, float, bytes)) or value is None


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, (frozenset, set)):
        return sorted(value, key=str)
    if isinstance(value, tuple):
        return list(value)
    return value.hex() if isinstance(value, bytes) else value


def _members(value: Any) -> list[tuple[str, Any]]:
    """The named parts of an object."""
    if hasattr(value, "_fields"):
        names = [name for name in value._fields if name not in _SKIPPED]
        return [(name, getattr(value, name)) for name in names if name not in ("source", "sources", "contradictions")]
    ask: Callable[[str], Any] = getattr(value, "lookup", None) or partial(getattr, value)
    return [(name, ask(name)) for name in getattr(value, "SHOWN", ())]


def _sources(value: Any) -> tuple[Source, ...]:
    """Where an object was read, if it says so."""
    own = getattr(value, "source", None)
    if isinstance(own, Source):
        return (own,)
    many = getattr(value, "sources", None)
    return tuple(one for one in many if isinstance(one, Source)) if isinstance(many, tuple) else ()


def _label(item: Any) -> str:
    """What tells an entry of a list from the next."""
    for name in _LABELS:
        found = getattr(item, name, None)
        if isinstance(found, str) and found:
            return found
    return ""


def _events(log: Log) -> list[Row]:
    rows = [_row(event.name, event.fields or True, (event.source,)) for event in log.order]
    rows += [_row(f"earlier boot.{event.name}", event.fields or True, (event.source,)) for event in log.earlier]
    return [*rows, *_walk("denied", log.denied, ())]


def _cmdline(cmdline: Cmdline) -> list[Row]:
    names = ("words", *sorted(cmdline.known_effects), "typos", "useless", "ignored")
    found = [(name, cmdline.lookup(name)) for name in names]
    told = [(name, fact) for name, fact in found if name == "words" or (fact.known and fact.value)]
    return [row for name, fact in told for row in _walk(name, fact, ())]


def _modules(modules: Modules) -> list[Row]:
    names = ("vfio_ready", *sorted(modules.named()))
    return [row for name in names for row in _walk(name, modules.lookup(name), ())]


def _pci(pci: Pci) -> list[Row]:
    rows = [_row("devices", len(pci.all()), ())._replace(complete=bool(pci.complete))]
    numbers = sorted({device.group.value for device in pci.all() if isinstance(device.group.value, int)})
    for device in pci.all():
        rows += _walk(f"device[{device.address}]", device, (), 1)
    for number in numbers:
        members = pci.members(number)
        addresses = Listing((device.address for device in members), members.complete, members.wanted)
        rows += _walk(f"group[{number}]", addresses, tuple(m.source for m in members[:1] if m.source))
    return rows


def _unread(pieces: list[Piece], log: Log, rows: list[Row], asked: set[str]) -> list[Unread]:
    """Lines that no fact speaks of: those no reader claimed, of paths nobody reads, and of the log."""
    wanted: Iterable[int]
    read = {(event.piece.path, event.piece.source, event.source.line) for event in (*log.order, *log.earlier)}
    cited = {(one.path, one.source, one.line) for row in rows for one in row.sources}
    found: list[Unread] = []
    unread_paths: dict[str, list[Piece]] = {}
    for piece in pieces:
        if piece.path in (*KERNEL_LOGS, *ROTATED.values()) or piece.path.startswith(EARLIER_LOG):
            why = say("a message of a subsystem that matters, known to no template")
            wanted = [at for at, line in enumerate(piece.text.split("\n")) if _MATTERS.search(line[:400])]
        elif piece.path == OTHER:
            why = say("recognised by no reader")
            wanted = range(piece.text.count("\n") + 1)
        elif piece.path.startswith("text/") and piece.path != PROMPTS:
            why = piece.reason or say("set aside")
            wanted = range(piece.text.count("\n") + 1)
        elif piece.path not in asked and piece.path != PROMPTS and piece.text.strip():
            unread_paths.setdefault(_VARYING.sub("*", piece.path), []).append(piece)
            continue
        else:
            continue
        lines = piece.text.split("\n")
        for index in wanted:
            number = piece.line_number(index)
            key = (piece.path, piece.source, number)
            if lines[index].strip() and key not in read and key not in cited:
                found.append(Unread(Source(piece.path, piece.source, number, lines[index].strip()), why))
    for path, alike in unread_paths.items():
        why = say("no fact is read from {path}", path=path)
        if len(alike) > 1:
            why = say("no fact is read from {path} ({count} of them)", path=path, count=len(alike))
        found.append(Unread(alike[0].cite(0), why))
    return found
