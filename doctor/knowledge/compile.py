"""Compiles `rules/` to plain data: messages, rules, platforms, profiles. Cases are left behind.

Imported when the wheel is built, when a checkout's cache is stale, and by lint and tests; never by a
check whose knowledge is compiled already. What a file may hold is said by the schemas of `rules/schema/`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from doctor.knowledge.document import Document, Fault, KnowledgeError, Trail, read
from doctor.knowledge.lower import ExpressionError, lower, lower_text
from doctor.knowledge.profiles import compile_profiles
from doctor.knowledge.schema import load_schema, schema_of, violations
from doctor.knowledge.store import packed
from doctor.knowledge.translate import FOLDER, kind_of, table, translated

__all__ = ["KnowledgeError", "compile_folder", "compile_messages", "compile_rule", "compile_rules", "digest", "write"]
FORMAT = 2
NOT_RULES = ("messages", "platforms", "parameters", "profiles", FOLDER)  # folders that hold other knowledge
NESTED = 2  # `each` inside `each`
_KEPT = ("event", "place", "proves", "strength", "always", "harmless", "aims", "then", "then_text")
# Runs of letters as doctor.facts.messages counts the words of a log.
WORD = re.compile(r"[A-Za-z]{4,}")
_HOLE = re.compile(r"\{(\w+)(?::(\w+))?\}")
_HOLE_KINDS = ("device", "int", "hex", "word", "text")


def compile_folder(rules: Path, language: str = "") -> dict[str, Any]:
    """Everything under the folder `rules`, in English or in a language that it has a catalogue of.

    Another language brings `language`, its code, and `texts`, all that its catalogue says. Raises KnowledgeError.
    """
    said = table(rules / FOLDER / f"{language}.po") if language else None
    files = sorted((rules / "platforms").glob("*.yaml"))
    platforms = {path.stem: load(path, rules, said).value for path in files}
    return {
        "format": FORMAT,
        "hash": digest(rules),
        **({"language": language, "texts": said} if language else {}),
        "messages": compile_messages(rules / "messages", said),
        "rules": compile_rules(rules, said),
        "platforms": platforms,
        "parameters": _merge(load(path, rules, said).value for path in sorted((rules / "parameters").glob("*.yaml"))),
        "profiles": compile_profiles(rules / "profiles", said),
    }


def digest(rules: Path) -> str:
    """A hash of the names and contents of the rule files in a folder, or of one file; the same in every language."""
    found = sha256()
    for path in sorted(rules.rglob("*.yaml")) if rules.is_dir() else [rules]:
        name = path.relative_to(rules).as_posix() if rules.is_dir() else path.name
        found.update(name.encode("utf-8", "surrogateescape") + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:16]


def write(rules: Path, target: Path, language: str = "") -> None:
    """Compiles the folder `rules` into the JSON file `target`, as the wheel ships it. Raises KnowledgeError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(packed(compile_folder(rules, language)), "utf-8")


def load(path: Path, folder: Path | None = None, said: Mapping[str, str] | None = None) -> Document:
    """A file of `folder`, held against its schema; with `said`, its texts as that has them.

    Raises KnowledgeError with file, line and column.
    """
    document = read(path)
    for fault in schema_faults(document, path, folder):
        raise KnowledgeError(document.says(fault))
    if said:
        document.value = translated(kind_of(path, folder or path.parent), document.value, said)
    return document


def schema_faults(document: Document, path: Path, folder: Path | None) -> list[Fault]:
    """What the schema of a file says against it."""
    schema = load_schema(schema_of(path, folder))
    return [Fault(found.trail, found.text, "", found.key) for found in violations(document.value, schema)]


def compile_messages(folder: Path, said: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """The events of `folder`, each with its `wordings`: [words, parts]. Raises KnowledgeError.

    The words are those that every line of that wording holds; a text without them need not be searched.
    """
    compiled = []
    for path in sorted(folder.glob("*.yaml")):
        document = load(path, folder.parent, said)
        for number, entry in enumerate(document.value):
            kept = {key: entry[key] for key in _KEPT if key in entry}
            try:
                parts = [_template(line, ("lines", which)) for which, line in enumerate(entry["lines"])]
            except Fault as fault:
                raise KnowledgeError(document.says(fault.inside(number))) from None
            compiled.append({**kept, "wordings": [[key_words(part), part] for part in parts]})
    return compiled


def _template(line: str, trail: Trail) -> list[Any]:
    try:
        return split_template(line)
    except KnowledgeError as error:
        raise Fault(trail, str(error)) from None


def key_words(parts: list[Any]) -> list[str]:
    """The longest three words that stand whole in a template's literals.

    >>> key_words(["DMAR: dmar", ["unit", "int"], ": Using Queued invalidation"])
    ['invalidation', 'Queued', 'Using']
    """
    found: list[str] = []
    for number, part in enumerate(parts):
        if isinstance(part, str):
            for word in WORD.finditer(part):
                touches_hole = (word.start() == 0 and number > 0) or (
                    word.end() == len(part) and number + 1 < len(parts)
                )
                if not touches_hole:
                    found.append(word.group())
    return sorted(dict.fromkeys(found), key=lambda word: (-len(word), word))[:3]


def split_template(line: str) -> list[Any]:
    """A template's literals and holes, in order. Raises KnowledgeError.

    >>> split_template("{device}: BAR {bar:int}: can't reserve {region:text}")
    [['device', 'device'], ': BAR ', ['bar', 'int'], ": can't reserve ", ['region', 'text']]
    """
    parts: list[Any] = []
    end = 0
    for hole in _HOLE.finditer(line):
        if hole.start() > end:
            parts.append(line[end : hole.start()])
        kind = hole.group(2) or ("device" if hole.group(1) == "device" else "word")
        if kind not in _HOLE_KINDS:
            raise KnowledgeError(f"no such kind of hole: {kind} (there are {', '.join(_HOLE_KINDS)}): {line!r}")
        parts.append([hole.group(1), kind])
        end = hole.end()
    if end < len(line):
        parts.append(line[end:])
    anchor = next((part for part in parts[:2] if isinstance(part, str)), "")
    if len(anchor.strip()) < 4:
        raise KnowledgeError(f"its first literal is too short to be found by: {line!r}")
    return parts


def compile_rules(folder: Path, said: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """The rules of `folder` (its YAML files but those of `NOT_RULES`), or of one file. Raises KnowledgeError."""
    compiled: list[dict[str, Any]] = []
    seen: dict[str, str] = {}
    for path in rule_files(folder):
        document = load(path, folder, said)
        for number, rule in enumerate(document.value):
            try:
                compiled.append(compile_rule(rule))
                if rule["id"] in seen:
                    raise Fault(("id",), f"{rule['id']} is defined in {seen[rule['id']]} already")
            except Fault as fault:
                raise KnowledgeError(document.says(fault.inside(number))) from None
            seen[rule["id"]] = f"{path}:{document.place((number, 'id'))[0]}"
    return compiled


def _merge(parts: Iterable[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    """Several files' lists joined key by key."""
    merged: dict[str, list[Any]] = {}
    for part in parts:
        for key, items in part.items():
            merged.setdefault(key, []).extend(items)
    return merged


def rules_in(path: Path) -> list[dict[str, Any]]:
    """The rules of one file as they are written. Raises KnowledgeError."""
    rules: list[dict[str, Any]] = load(path).value
    return rules


def rule_files(folder: Path) -> list[Path]:
    """The files that hold rules, in order; `folder` may be one file."""
    if folder.is_file():
        return [folder]
    return sorted(p for p in folder.rglob("*.yaml") if p.relative_to(folder).parts[0] not in NOT_RULES)


def compile_rule(rule: dict[str, Any], faults: list[Fault] | None = None) -> dict[str, Any]:
    """One rule with its expressions lowered. Raises Fault.

    With `faults`, wrong expressions are gathered there, and each is taken for false.
    """
    schema = load_schema("rules")
    for wrong in violations(rule, schema["$defs"]["rule"], schema):
        raise Fault(wrong.trail, wrong.text, "", wrong.key)
    lowering = _Lowering(faults)
    detail = rule.get("detail") or {}
    return {
        "id": rule["id"],
        "title": rule["title"],
        "problem": lowering.choices(rule.get("problem") or rule["title"], "text", ("problem",), lowering.text),
        "scope": rule.get("scope", "host"),
        "kind": rule.get("kind", "state"),
        "severity": lowering.choices(rule["severity"], "is", ("severity",), lambda value, trail: value),
        **{key: lowering.condition(rule.get(key), (key,)) for key in ("when", "pass", "fail", "where")},
        "events": rule.get("events") or [],
        **lowering.links(rule.get("after") or ()),
        "versions": _versions(rule),
        "gate": bool(rule.get("gate")),
        "unnamed": bool(rule.get("unnamed")),
        "on_request": bool(rule.get("on_request")),
        "why": " ".join(str(rule.get("why", "")).split()),
        "detail": {
            status: lowering.choices(text, "text", ("detail", status), lowering.text) for status, text in detail.items()
        },
        "remedy": [lowering.remedy(step, ("remedy", number)) for number, step in enumerate(rule.get("remedy") or ())],
        "references": rule.get("references") or [],
        "wanted": rule.get("wanted") or [],
        "statuses": rule.get("statuses") or [],
    }


def _versions(rule: dict[str, Any]) -> list[list[Any]]:
    """The limits of `since` and `until`: [program, side, [major, minor], reason]."""
    return [
        [program, side, [int(number) for number in limit.split(".")], " ".join(str(written.get("why", "")).split())]
        for side in ("since", "until")
        for written in (rule.get(side) or {},)
        for program, limit in written.items()
        if program != "why"
    ]


class _Lowering:
    """Lowers a rule's expressions; what is wrong is raised, or gathered in `faults`."""

    def __init__(self, faults: list[Fault] | None) -> None:
        self._faults = faults

    def _wrong(self, fault: Fault) -> list[Any]:
        if self._faults is None:
            raise fault
        self._faults.append(fault)
        return ["const", False]

    def condition(self, value: Any, trail: Trail, depth: int = 0) -> Any:
        """An expression, or YAML that combines expressions: each/all/any, and, or, not."""
        if value is None:
            return None
        if isinstance(value, bool):
            return ["const", value]
        if isinstance(value, str):
            return self._expression(value, trail)
        if "each" in value:
            if depth >= NESTED:
                return self._wrong(Fault(trail, f"more than {NESTED} `each` inside one another", "", True))
            name, _, items = (part.strip() for part in value["each"].partition(" in "))
            how = "all" if "all" in value else "any"
            body = self.condition(value[how], (*trail, how), depth + 1)
            return ["every" if how == "all" else "some", name, self._expression(items, (*trail, "each")), body]
        how = next(iter(value))
        if how == "not":
            return ["not", self.condition(value["not"], (*trail, "not"), depth)]
        return [how, *(self.condition(one, (*trail, how, at), depth) for at, one in enumerate(value[how]))]

    def _expression(self, text: str, trail: Trail) -> list[Any]:
        try:
            lowered = lower(text)
        except ExpressionError as error:
            return self._wrong(Fault(trail, str(error), error.needle))
        if _holds(lowered, "if"):
            # It takes what is unknown for false, which suits a text and no judgement.
            return self._wrong(Fault(trail, "`if` belongs in texts; a condition says it with and, or, not", "if"))
        return lowered

    def links(self, after: Iterable[Any]) -> dict[str, Any]:
        """The checks that explain a failure, and the conditions of those that do so only sometimes, by check."""
        names, conditions = [], {}
        for at, one in enumerate(after):
            names.append(one if isinstance(one, str) else one["check"])
            if not isinstance(one, str):
                conditions[one["check"]] = self.condition(one["when"], ("after", at, "when"))
        return {"after": names, "after_when": conditions}

    def text(self, value: Any, trail: Trail) -> list[Any]:
        """A text with holes."""
        try:
            return lower_text(" ".join(str(value).split()))
        except ExpressionError as error:
            return self._wrong(Fault(trail, str(error), error.needle))

    def choices(self, value: Any, key: str, trail: Trail, convert: Callable[[Any, Trail], Any]) -> list[Any]:
        """A value, or a list of {when, KEY}: pairs of condition (None: always) and converted value."""
        if not isinstance(value, list):
            return [[None, convert(value, trail)]]
        return [
            [self.condition(one.get("when"), (*trail, at, "when")), convert(one[key], (*trail, at, key))]
            for at, one in enumerate(value)
        ]

    def remedy(self, step: dict[str, Any], trail: Trail) -> dict[str, Any]:
        """One remedy: its condition and its structured step, every text of it lowered."""
        body = {key: self.deep(value, (*trail, key)) for key, value in step.items() if key != "when"}
        return {"when": self.condition(step.get("when"), (*trail, "when")), "step": body}

    def deep(self, value: Any, trail: Trail) -> Any:
        """Lowers every string inside a structure; {"text": parts} marks them."""
        if isinstance(value, str):
            return {"text": self.text(value, trail)} if "{{" in value else value
        if isinstance(value, list):
            return [self.deep(item, (*trail, at)) for at, item in enumerate(value)]
        if isinstance(value, dict):
            return {key: self.deep(item, (*trail, key)) for key, item in value.items()}
        return value


def _holds(node: list[Any], name: str) -> bool:
    """Whether a lowered expression holds an operation."""
    return node[0] == name or any(_holds(part, name) for part in node if isinstance(part, list))
