"""All facts of an input with their sources and what nobody read, as text and as JSON: `passdoctor facts`."""

from __future__ import annotations

import json

from doctor.collect.catalogue import ask_for
from doctor.report.visible import visible
from doctor.report.words import Words
from doctor.say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from doctor.evidence.types import Evidence, Piece, Source
    from doctor.facts.sheet import Row, Sheet

_MEMORY = ("start", "end", "base", "limit")
_SHOWN = 3  # sources of a fact in the text; JSON holds all


def as_text(evidence: Evidence, sheet: Sheet, tell: Callable[[str], str] = str) -> str:
    """The facts for a reader, one a line; `tell` says what was noted of the input, in English, in another language."""
    return "\n".join(visible(line, keep="\n") for line in _lines(evidence, sheet, tell)) + "\n"


def as_json(evidence: Evidence, sheet: Sheet) -> str:
    """The facts as one JSON object in ASCII."""
    data = {
        "schema_version": "1.0",
        "source": evidence.source,
        "kind": evidence.kind,
        "evidence": [_piece(piece) for piece in sheet.evidence],
        "facts": [_row(row) for row in sheet.rows],
        "notes": list(evidence.notes),
        "contradictions": [
            {"fact": one.fact, "resolved": one.resolved, "sources": [_source(source) for source in one.sources]}
            for one in sheet.contradictions
        ],
        "unread": [{**_source(one.source), "why": one.why} for one in sheet.unread],
    }
    return json.dumps(data, ensure_ascii=True, indent=1, default=str) + "\n"


def _lines(evidence: Evidence, sheet: Sheet, tell: Callable[[str], str]) -> Iterator[str]:
    colon = say(": ")
    yield f"{evidence.source}{colon}{Words()('kind-' + evidence.kind)}"
    yield from (f"  {tell(note)}" for note in evidence.notes)
    yield ""
    yield say("What was recognised ({count} pieces)", count=len(sheet.evidence))
    for piece in sheet.evidence:
        yield "  " + "  ".join(filter(None, (piece.path, _span(piece), _state(piece, tell), piece.command)))
    yield ""
    yield say("Facts ({count})", count=sum(row.known for row in sheet.rows))
    for row in sheet.rows:
        if row.known:
            yield from _told(row)
    unknown = [row for row in sheet.rows if not row.known]
    yield ""
    yield say("Not known ({count})", count=len(unknown))
    for row in unknown:
        asks = {ask_for(path) or path: why for path, why in zip(row.wanted, row.reasons, strict=False)}
        told = " ; ".join(ask + say(" ({what})", what=tell(why)) for ask, why in asks.items())
        yield f"  {_name(row)}" + (colon if asks else "") + told
    if sheet.contradictions:
        yield ""
        yield say("Contradictions ({count})", count=len(sheet.contradictions))
    for one in sheet.contradictions:
        yield f"  {one.fact}{colon}{one.resolved}"
        yield from (f"      {_cite(source)}" for source in one.sources)
    yield ""
    yield say("Read by nobody ({count})", count=len(sheet.unread))
    for lost in sheet.unread:
        yield f"  {_cite(lost.source)} {say(' ({what})', what=tell(lost.why))}"


def _told(row: Row) -> Iterator[str]:
    """A fact and where it was read."""
    marks = [say("inferred")] if row.weak else []
    marks += [say("perhaps not all")] if row.complete is False else []
    yield f"  {_name(row)} = {_value(row.value)}" + (say(" ({what})", what=say(", ").join(marks)) if marks else "")
    for source in row.sources[:_SHOWN]:
        yield f"      {_cite(source)}"
    if len(row.sources) > _SHOWN:
        yield "      " + say("and {count} more", count=len(row.sources) - _SHOWN)


def _name(row: Row) -> str:
    return row.group if row.name == row.group else f"{row.group}.{row.name}"


def _value(value: Any) -> str:
    """A value in words that cannot be taken for another's."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_part(key, one)}" for key, one in value.items()) or "yes"
    if isinstance(value, list):
        return ", ".join(_value(one) for one in value) or "none"
    return {True: "yes", False: "no", None: "none"}[value] if value is None or isinstance(value, bool) else str(value)


def _part(name: str, value: Any) -> str:
    """A member's value; what is an address of memory in hexadecimal, as every other tool shows it."""
    return f"{value:#x}" if name in _MEMORY and isinstance(value, int) else _value(value)


def _cite(source: Source) -> str:
    where = source.source if source.line is None else f"{source.source}:{source.line}"
    return f"{where}: {source.text[:200]}"


def _span(piece: Piece) -> str:
    """The lines of the user's file that a piece has."""
    if piece.binary is not None:
        return say("{count} bytes", count=len(piece.binary))
    first, last = piece.line_number(0), piece.line_number(piece.text.count("\n"))
    if first is None:
        return ""
    return say("line {line}", line=first) if last in (first, None) else say("lines {a}-{b}", a=first, b=last)


def _state(piece: Piece, tell: Callable[[str], str]) -> str:
    told = say(piece.state)
    if piece.terms:
        told = say("{state} by {words}", state=told, words=say(" or ").join(piece.terms))
    if piece.boot:
        told += say(", {count} boots before", count=piece.boot)
    return f"[{told}]" + (f" {tell(piece.reason)}" if piece.reason else "")


def _piece(piece: Piece) -> dict[str, Any]:
    return {
        "path": piece.path, "source": piece.source, "first_line": piece.line_number(0),
        "lines": piece.text.count("\n") + 1 if piece.text else 0, "command": piece.command, "state": piece.state,
        "terms": list(piece.terms), "ignore_case": piece.ignore_case, "boot": piece.boot, "reason": piece.reason,
    }  # fmt: skip


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": _name(row), "value": row.value if row.known else None, "known": row.known, "inferred": row.weak,
        "complete": row.complete, "wanted": list(row.wanted), "reasons": list(row.reasons),
        "sources": [_source(one) for one in row.sources],
    }  # fmt: skip


def _source(source: Source) -> dict[str, Any]:
    return source._asdict()
