"""Holds a document against a JSON Schema of `rules/schema/`: the compiler and people's editors read the same file.

Only the keywords that those schemas use are known; another one is an error of the schema, so none is passed over.
`errorMessage` is what editors show too.

>>> schema = {"type": "object", "properties": {"severity": {"enum": ["risk", "advice"]}}, "additionalProperties": False}
>>> list(violations({"severity": "risky"}, schema))
[Violation(trail=('severity',), text='no such severity: risky (there are risk, advice)', key=False)]
>>> list(violations({"severty": "risk"}, schema))
[Violation(trail=('severty',), text='no such key: severty (nearest: severity)', key=True)]
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from doctor.knowledge.document import Trail
from doctor.knowledge.store import rules_folder

Schema = dict[str, Any]
_PLAIN = frozenset(("$schema", "$id", "$defs", "title", "description", "examples", "default", "errorMessage"))
_WORDS = {
    "string": "a text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}


class Violation(NamedTuple):
    """What is wrong, at which place of the document; `key` if it is the key there and not its value."""

    trail: Trail
    text: str
    key: bool = False


def schema_of(path: Path, folder: Path | None = None) -> str:
    """The name of the schema for a file of knowledge in `folder`; a file by itself holds rules."""
    inside = path.relative_to(folder).parts[0] if folder and folder.is_dir() else ""
    if inside == "platforms":
        return path.stem if path.stem in ("firmware", "kernel") else "platform"
    return inside if inside in ("messages", "parameters", "profiles") else "rules"


@cache
def load_schema(name: str) -> Schema:
    """The schema `name` of those that ship with the rules."""
    found: Schema = json.loads((rules_folder() / "schema" / f"{name}.json").read_text("utf-8"))
    return found


def violations(value: Any, schema: Schema, root: Schema | None = None, trail: Trail = ()) -> Iterator[Violation]:
    """Everything in `value` that `schema` does not allow, in the document's order."""
    root = schema if root is None else root
    for word, wanted in schema.items():
        if word in _PLAIN:
            continue
        found = list(_KEYWORDS[word](value, wanted, schema, root, trail))
        if found and "errorMessage" in schema:
            yield Violation(trail, schema["errorMessage"])
            return
        yield from found
        if found and word in ("type", "$ref", "enum", "const"):
            return  # the rest would only say the same in other words


Check = Callable[[Any, Any, Schema, Schema, Trail], Iterator[Violation]]


def kind_of(value: Any) -> str:
    """The name that JSON has for a value's type; what JSON does not have goes by Python's name."""
    if isinstance(value, bool):
        return "boolean"
    names = ((dict, "object"), (list, "array"), (str, "string"), (int, "integer"), (float, "number"))
    return "null" if value is None else next((name for kind, name in names if isinstance(value, kind)), "other")


def _type(value: Any, wanted: Any, schema: Schema, root: Schema, trail: Trail) -> Iterator[Violation]:
    allowed = [wanted] if isinstance(wanted, str) else wanted
    kind = kind_of(value)
    if kind not in allowed and not (kind == "integer" and "number" in allowed):
        words = " or ".join(_WORDS[name] for name in allowed)
        yield Violation(trail, f"{_name(trail)}{words} is wanted, not {_WORDS.get(kind, type(value).__name__)}")


def _enum(value: Any, wanted: Any, schema: Schema, root: Schema, trail: Trail) -> Iterator[Violation]:
    if not any(kind_of(one) == kind_of(value) and one == value for one in wanted):
        name = next((str(step) for step in reversed(trail) if isinstance(step, str)), "value")
        near = _near(value, [one for one in wanted if isinstance(one, str)]) if len(wanted) > 6 else ""
        choices = "" if near else f" (there are {', '.join(map(str, wanted))})"
        yield Violation(trail, f"no such {_singular(name)}: {value}{near or choices}")


def _const(value: Any, wanted: Any, schema: Schema, root: Schema, trail: Trail) -> Iterator[Violation]:
    if kind_of(value) != kind_of(wanted) or value != wanted:
        yield Violation(trail, f"{_name(trail)}only {json.dumps(wanted)} is possible here")


def _required(value: Any, wanted: Any, schema: Schema, root: Schema, trail: Trail) -> Iterator[Violation]:
    if isinstance(value, dict):
        for name in wanted:
            if name not in value:
                yield Violation(trail, f"`{name}` is missing")


def _properties(value: Any, wanted: Any, schema: Schema, root: Schema, trail: Trail) -> Iterator[Violation]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name in wanted:
                yield from violations(item, wanted[name], root, (*trail, name))


def _additional(value: Any, wanted: Any, schema: Schema, root: Schema, trail: Trail) -> Iterator[Violation]:
    if not isinstance(value, dict):
        return
    known = schema.get("properties", {})
    for name, item in value.items():
        if not isinstance(name, str):
            yield Violation((*trail, name), f"a key is a text, and {name!r} is none: put it in quotes", True)
        elif name in known:
            continue
        elif wanted is False:
            yield Violation((*trail, name), f"no such key: {name}{_near(name, list(known))}", True)
        elif isinstance(wanted, dict):
            yield from violations(item, wanted, root, (*trail, name))


def _property_names(value: Any, wanted: Any, schema: Schema, root: Schema, trail: Trail) -> Iterator[Violation]:
    if isinstance(value, dict):
        for name in value:
            for found in violations(name, wanted, root, (*trail, name)):
                yield found._replace(key=True)


def _items(value: Any, wanted: Any, schema: Schema, root: Schema, trail: Trail) -> Iterator[Violation]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from violations(item, wanted, root, (*trail, number))


def _few(value: Any, wanted: Any, schema: Schema, root: Schema, trail: Trail) -> Iterator[Violation]:
    if isinstance(value, (list, dict)) and len(value) < wanted:
        yield Violation(trail, f"{_name(trail)}nothing stands in it")


def _many(value: Any, wanted: Any, schema: Schema, root: Schema, trail: Trail) -> Iterator[Violation]:
    if isinstance(value, (list, dict)) and len(value) > wanted:
        yield Violation(trail, f"{_name(trail)}{wanted} at most can stand in it")


def _pattern(value: Any, wanted: Any, schema: Schema, root: Schema, trail: Trail) -> Iterator[Violation]:
    if isinstance(value, str) and not re.search(wanted, value):
        yield Violation(trail, f"{_name(trail)}{value!r} is not of the form {wanted}")


def _reference(value: Any, wanted: Any, schema: Schema, root: Schema, trail: Trail) -> Iterator[Violation]:
    yield from violations(value, root["$defs"][wanted.removeprefix("#/$defs/")], root, trail)


def _any_of(value: Any, wanted: Any, schema: Schema, root: Schema, trail: Trail) -> Iterator[Violation]:
    """If nothing fits, what is wrong by the alternative that is meant most likely: the one that goes deepest."""
    found = [list(violations(value, one, root, trail)) for one in wanted]
    if all(found):
        likely = [kind_of(value) == one.get("type") for one in wanted]
        best = max(zip(found, likely, strict=True), key=lambda pair: (max(len(v.trail) for v in pair[0]), pair[1]))
        yield from best[0]


def _one_of(value: Any, wanted: Any, schema: Schema, root: Schema, trail: Trail) -> Iterator[Violation]:
    if sum(not any(True for _ in violations(value, one, root, trail)) for one in wanted) != 1:
        yield Violation(trail, f"{_name(trail)}exactly one of the ways to write it is wanted")


_KEYWORDS: dict[str, Check] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": _property_names,
    "items": _items,
    "minItems": _few,
    "minProperties": _few,
    "maxProperties": _many,
    "pattern": _pattern,
    "$ref": _reference,
    "anyOf": _any_of,
    "oneOf": _one_of,
}


def _name(trail: Trail) -> str:
    """How a text begins that speaks of the thing at `trail`."""
    last = next((str(step) for step in reversed(trail) if isinstance(step, str)), "")
    return f"{last}: " if last else ""


def _singular(name: str) -> str:
    return {"statuses": "status", "is": "severity", "expect": "status"}.get(name, name)


def _near(name: Any, choices: list[str]) -> str:
    near = get_close_matches(str(name), choices, 1)
    return f" (nearest: {near[0]})" if near else ""
