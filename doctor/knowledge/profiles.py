"""Profiles: which checks count for whom, and how severely.

`rules/profiles/` is compiled with the rest of the knowledge; a file of the user's own is compiled when it is named.
A profile leaves checks out, asks for those that are made on request only, and changes severities. It cannot change
what a check asks, nor leave out or soften what a verdict rests on.

>>> rules = [{"id": "acs-override", "severity": [[None, "risk"]], "gate": False, "on_request": False}]
>>> [fault.text for fault in faults({"severity": {"acs-overide": "advice"}}, rules)]
['no such check: acs-overide (nearest: acs-override)']
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from doctor.knowledge import document
from doctor.knowledge.document import Fault, KnowledgeError
from doctor.knowledge.schema import load_schema, violations
from doctor.knowledge.translate import translated

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from doctor.knowledge.document import Document, Trail

_LISTS = ("with", "without", "only")
_ORDER = ("advice", "risk", "blocker")


def held(path: Path, schema: str) -> Document:
    """A file whose form the schema of that name describes, every value as it is written.

    Raises KnowledgeError with file, line and column.
    """
    read = document.read(path, texts=True)
    for wrong in violations(read.value, load_schema(schema)):
        raise KnowledgeError(read.says(Fault(wrong.trail, wrong.text, "", wrong.key)))
    return read


def read(path: Path, rules: list[dict[str, Any]], steady: Collection[str] = ()) -> dict[str, Any]:
    """The profile in a file of the user's own, compiled; `rules` are all that there are, `steady` as of `faults`.

    Raises KnowledgeError with file, line and column.
    """
    profile = held(path, "profiles")
    for fault in faults(profile.value, rules, steady):
        raise KnowledgeError(profile.says(fault))
    return compile_profile(profile.value)


def compile_profile(value: dict[str, Any]) -> dict[str, Any]:
    """A profile as it is kept: every key there, texts in one line."""
    return {
        "id": value["id"],
        "title": _line(value["title"]),
        "for": _line(value["for"]),
        **{key: value.get(key) or [] for key in _LISTS},
        "severity": value.get("severity") or {},
        "references": value.get("references") or {},
        "unseen": [_line(text) for text in value.get("unseen") or ()],
    }


def compile_profiles(folder: Path, said: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """The profiles in `folder` by their names; with `said`, their texts as that has them. Raises KnowledgeError."""
    compiled = {}
    for path in sorted(folder.glob("*.yaml")):
        profile = held(path, "profiles")
        if profile.value["id"] != path.stem:
            raise KnowledgeError(profile.says(Fault(("id",), f"its file's name makes it {path.stem}")))
        compiled[path.stem] = compile_profile(translated("profiles", profile.value, said or {}))
    return compiled


def faults(value: dict[str, Any], rules: list[dict[str, Any]], steady: Collection[str] = ()) -> Iterator[Fault]:
    """What is wrong with a profile beside its form, in the document's order.

    `steady` are the checks that a verdict rests on: gates are among them without being named.
    """
    known = {rule["id"]: rule for rule in rules}
    firm = {*steady, *(rule["id"] for rule in rules if rule["gate"])}
    for trail, name in _named(value):
        if name not in known:
            near = get_close_matches(name, known, 1)
            said = f"no such check: {name}" + (f" (nearest: {near[0]})" if near else "")
            yield Fault(trail, said, name, trail[0] not in _LISTS)
        elif trail[0] == "without" and name in firm:
            yield Fault(trail, f"{name} cannot be left out: a verdict rests on it", name)
        elif trail[0] == "with" and not known[name]["on_request"]:
            yield Fault(trail, f"{name} is made without being asked for", name)
        elif trail[0] == "severity" and name in firm and _softer(known[name], value["severity"][name]):
            yield Fault(trail, f"{name} cannot be made less severe: a verdict rests on it", name)
    if "only" in value and "without" in value:
        yield Fault(("without",), "`only` says already what is left out", "", True)


def _named(value: dict[str, Any]) -> Iterator[tuple[Trail, str]]:
    """Every check that a profile names, and where."""
    for key in value:
        if key in _LISTS:
            yield from (((key, number), name) for number, name in enumerate(value[key]))
        elif key in ("severity", "references"):
            yield from (((key, name), name) for name in value[key])


def _softer(rule: dict[str, Any], change: str | dict[str, str]) -> bool:
    """Whether a change of severity makes some case of a rule less severe."""
    given = [level for _, level in rule["severity"]]
    changed = [(level, change if isinstance(change, str) else change.get(level, level)) for level in given]
    return any(_ORDER.index(new) < _ORDER.index(old) for old, new in changed)


def _line(text: str) -> str:
    return " ".join(text.split())
