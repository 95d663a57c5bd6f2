"""The languages: which texts of `rules/` people read, and what a catalogue makes of them.

A catalogue is `rules/locale/LANG.po`, English to one other language. It is read when the knowledge is compiled for
that language, never by a check. What it does not hold, or holds with other placeholders, stays English.

>>> sorted(text for _, text in texts("rules", [{"id": "x", "title": "A  b", "detail": {"fail": [{"text": "C"}]}}]))
['A b', 'C']
>>> translated("rules", [{"id": "x", "title": "A  b"}], {"A b": "Z", "x": "no"})
[{'id': 'x', 'title': 'Z'}]
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from doctor.knowledge.document import KnowledgeError
from doctor.knowledge.lower import ExpressionError, lower_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from doctor.knowledge.document import Trail

FOLDER = "locale"
TEMPLATE = "passdoctor.pot"
_PLATFORM = ("title", "note", "missing", "immutable", "unknown", "rebuild_unknown", "when", "set", "key")
_PLAIN = {
    "messages": ("harmless", "aims"),
    "profiles": ("title", "for", "unseen"),
    "rules": ("title", "problem", "why"),
}
_STEP = (["person"], ["person", "text"], ["other_hardware"], ["why"], ["risk"])
_HOLE = re.compile(r"\{[^{}]{0,200}\}")


def kind_of(path: Path, folder: Path) -> str:
    """What a file of the folder `folder` of rules holds: messages, platforms, parameters, profiles or rules."""
    inside = path.relative_to(folder).parts if path.is_relative_to(folder) else ()
    return inside[0] if len(inside) > 1 and inside[0] in (*_PLAIN, "platforms", "parameters") else "rules"


def texts(kind: str, value: Any, trail: Trail = ()) -> Iterator[tuple[Trail, str]]:
    """Every text in a file of a kind that people read, in one line each, and its trail."""
    if isinstance(value, str):
        if value.strip() and _is_text(kind, [step for step in trail if isinstance(step, str)]):
            yield trail, _line(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts(kind, item, (*trail, key))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from texts(kind, item, (*trail, at))


def translated(kind: str, value: Any, table: Mapping[str, str], trail: Trail = ()) -> Any:
    """The content of a file with its texts as `table` has them; what it does not have stays as it is."""
    if isinstance(value, str):
        names = [step for step in trail if isinstance(step, str)]
        return table.get(_line(value), value) if _is_text(kind, names) else value
    if isinstance(value, dict):
        return {key: translated(kind, item, table, (*trail, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [translated(kind, item, table, (*trail, at)) for at, item in enumerate(value)]
    return value


def _is_text(kind: str, names: list[str]) -> bool:
    """Whether people read what stands under these keys; all else is a name, an expression or a command."""
    if not names or kind == "parameters":
        return names == ["useless", "why"]
    if kind == "platforms":
        return names[-1] in _PLATFORM
    if len(names) == 1:
        return names[0] in _PLAIN[kind]
    if kind != "rules":
        return False
    if names[0] == "detail":
        return names[2:] in ([], ["text"])
    if names[0] == "problem":
        return names[1:] == ["text"]
    if names[0] in ("since", "until"):
        return names[1:] == ["why"]
    return names[0] == "remedy" and names[1:] in _STEP


def _line(text: str) -> str:
    return " ".join(text.split())


def languages(folder: Path) -> list[str]:
    """The languages that the folder `folder` of rules has a catalogue of."""
    return sorted(path.stem for path in (folder / FOLDER).glob("*.po"))


def table(path: Path) -> dict[str, str]:
    """What the catalogue at `path` says: English to its language, without what `wrong` finds.

    Raises KnowledgeError if it cannot be read, or if Babel is not installed.
    """
    return {
        english: told
        for english, told, fuzzy in entries(path)
        if told.strip() and told != english and not fuzzy and not wrong(english, told)
    }


def entries(path: Path) -> list[tuple[str, str, bool]]:
    """A catalogue's entries: English, its translation, and whether that is marked as unsure. Raises KnowledgeError."""
    try:
        from babel.messages.pofile import PoFileError, read_po
    except ImportError:
        raise KnowledgeError(f"{path}: to compile a language takes Babel: pip install babel") from None
    try:
        with path.open("rb") as file:
            found = read_po(file, abort_invalid=True)
    except (OSError, ValueError, PoFileError) as error:
        raise KnowledgeError(f"{path}: cannot be read: {error}") from None
    return [(str(one.id), str(one.string or ""), one.fuzzy) for one in found if isinstance(one.id, str) and one.id]


def wrong(english: str, told: str) -> str:
    """What is wrong with the placeholders of a translation, or "".

    >>> wrong("{a} of {{ b.c }}", "{{b.c}}: {a}"), wrong("{a}", "{b}")
    ('', 'it has {b} where the English has {a}')
    """
    if "|" in english and "{{" not in english:
        # Two forms, for one and for other numbers; another language may do with one.
        problems = (_differ(english.partition("|")[0], form) for form in told.split("|"))
        return next(filter(None, problems), "")
    return _differ(english, told)


def _differ(english: str, told: str) -> str:
    try:
        mine, theirs = _placeholders(english), _placeholders(told)
    except ExpressionError as error:
        return str(error)
    if mine == theirs:
        return ""
    return f"it has {', '.join(theirs) or 'nothing'} where the English has {', '.join(mine) or 'nothing'}"


def _placeholders(text: str) -> list[str]:
    """The expressions and fields of a text, in an order of their own; words that an expression shows may differ."""
    if "{{" in text:
        parts = lower_text(text)
        found = ["{{ " + str(_masked(part)) + " }}" for part in parts if isinstance(part, list)]
        text = "".join(part for part in parts if isinstance(part, str))
    else:
        found = []
    found += _HOLE.findall(text)
    return sorted([*found, *re.findall(r"[{}]", _HOLE.sub("", text))])


def _masked(node: Any) -> Any:
    """A lowered expression without the words that the branches of an `if` show."""
    if not isinstance(node, list) or not node:
        return node
    if node[0] == "if":
        shown = [["const", "…"] if one[0] == "const" and str(one[1]).strip() else _masked(one) for one in node[2:]]
        return ["if", _masked(node[1]), *shown]
    return [_masked(one) for one in node]
