"""Compiles `rules/` to plain data: messages, rules, platforms. Cases are left behind.

Imported when the wheel is built, when a checkout's cache is stale, and by lint and tests; never by a
check whose knowledge is compiled already.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from doctor.knowledge.lower import ExpressionError, lower, lower_text

FORMAT = 1
STATUSES = ("pass", "fail", "unknown", "not-applicable")
KINDS = ("state", "symptom")
SCOPES = ("host", "target", "event")
SEVERITIES = ("blocker", "risk", "advice")
KEYS = frozenset(
    [
        "id",
        "title",
        "problem",
        "scope",
        "kind",
        "severity",
        "when",
        "pass",
        "fail",
        "events",
        "where",
        "statuses",
        "after",
        "why",
        "detail",
        "remedy",
        "references",
        "since",
        "until",
        "gate",
        "unnamed",
        "wanted",
        "cases",
    ]
)
_KEPT = ("event", "place", "proves", "strength", "always", "harmless", "aims", "then", "then_text")
# Runs of letters as doctor.facts.messages counts the words of a log.
WORD = re.compile(r"[A-Za-z]{4,}")
_HOLE = re.compile(r"\{(\w+)(?::(\w+))?\}")
_HOLE_KINDS = ("device", "int", "hex", "word", "text")


class KnowledgeError(ValueError):
    """A file of rules is wrong. The message names the file, and the line where that is known."""


def compile_folder(rules: Path) -> dict[str, Any]:
    """Everything under the folder `rules`. Raises KnowledgeError."""
    platforms = {path.stem: load_yaml(path) for path in sorted((rules / "platforms").glob("*.yaml"))}
    return {
        "format": FORMAT,
        "messages": compile_messages(rules / "messages"),
        "rules": compile_rules(rules),
        "platforms": platforms,
        "parameters": _merge(load_yaml(path) for path in sorted((rules / "parameters").glob("*.yaml"))),
    }


def write(rules: Path, target: Path) -> None:
    """Compiles the folder `rules` into the JSON file `target`, as the wheel ships it. Raises KnowledgeError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(compile_folder(rules), ensure_ascii=False, separators=(",", ":")), "utf-8")


def load_yaml(path: Path) -> Any:
    """One YAML file. Raises KnowledgeError with file, line and column."""
    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise KnowledgeError(f"{path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise KnowledgeError(f"{path}{place}: {getattr(error, 'problem', error)}") from None


def compile_messages(folder: Path) -> list[dict[str, Any]]:
    """The events of `folder`, each with its `wordings`: [words, parts]. Raises KnowledgeError.

    The words are those that every line of that wording holds; a text without them need not be searched.
    """
    compiled = []
    for path in sorted(folder.glob("*.yaml")):
        for entry in load_yaml(path) or ():
            if not isinstance(entry, dict) or "event" not in entry or "lines" not in entry:
                raise KnowledgeError(f"{path}: an entry lacks `event` or `lines`")
            kept = {key: entry[key] for key in _KEPT if key in entry}
            parts = [split_template(line, path) for line in entry["lines"]]
            compiled.append({**kept, "wordings": [[key_words(part), part] for part in parts]})
    return compiled


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


def split_template(line: str, path: Path = Path("template")) -> list[Any]:
    """A template's literals and holes, in order.

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
            raise KnowledgeError(f"{path}: {line!r}: no such kind of hole: {kind}")
        parts.append([hole.group(1), kind])
        end = hole.end()
    if end < len(line):
        parts.append(line[end:])
    anchor = next((part for part in parts[:2] if isinstance(part, str)), "")
    if len(anchor.strip()) < 4:
        raise KnowledgeError(f"{path}: {line!r}: its first literal is too short to be found by")
    return parts


def compile_rules(folder: Path) -> list[dict[str, Any]]:
    """The rules of `folder` (its YAML files but messages, platforms and parameters)."""
    compiled: list[dict[str, Any]] = []
    seen: dict[str, Path] = {}
    for path in rule_files(folder):
        for rule in rules_in(path):
            if rule["id"] in seen:
                raise KnowledgeError(f"{path}: {rule['id']} is defined in {seen[rule['id']]} already")
            seen[rule["id"]] = path
            try:
                compiled.append(compile_rule(rule))
            except (ExpressionError, KnowledgeError, KeyError, TypeError, AttributeError) as error:
                raise KnowledgeError(f"{path}: {rule['id']}: {error}") from None
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
    loaded = load_yaml(path)
    if not isinstance(loaded, list):
        raise KnowledgeError(f"{path}: a list of rules is wanted")
    for rule in loaded:
        if not isinstance(rule, dict) or not isinstance(rule.get("id"), str):
            raise KnowledgeError(f"{path}: a rule lacks its id")
    return loaded


def rule_files(folder: Path) -> list[Path]:
    """The files that hold rules, in order; `folder` may be one file."""
    if folder.is_file():
        return [folder]
    skip = ("messages", "platforms", "parameters")
    return sorted(p for p in folder.rglob("*.yaml") if p.relative_to(folder).parts[0] not in skip)


def compile_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """One rule with its expressions lowered. Raises ExpressionError, KnowledgeError, KeyError."""
    for key in rule:
        if key not in KEYS:
            raise KnowledgeError(f"no such key: {key}")
    kind = rule.get("kind", "state")
    if not any(key in rule for key in ("pass", "fail", "events")):
        raise KnowledgeError("it needs `pass`, `fail` or `events`")
    detail = rule.get("detail") or {}
    _closed(rule, kind, detail)
    return {
        "id": rule["id"],
        "title": rule["title"],
        "problem": rule.get("problem") or rule["title"],
        "scope": rule.get("scope", "host"),
        "kind": kind,
        "severity": _choices(rule["severity"], "is", lambda value: value),
        "when": _condition(rule.get("when")),
        "pass": _condition(rule.get("pass")),
        "fail": _condition(rule.get("fail")),
        "events": rule.get("events") or [],
        "where": _condition(rule.get("where")),
        "after": rule.get("after") or [],
        "gate": bool(rule.get("gate")),
        "unnamed": bool(rule.get("unnamed")),
        "why": " ".join(str(rule.get("why", "")).split()),
        "detail": {status: _choices(text, "text", _text) for status, text in detail.items()},
        "remedy": [_remedy(step) for step in rule.get("remedy") or ()],
        "references": rule.get("references") or [],
        "wanted": rule.get("wanted") or [],
        "statuses": rule.get("statuses") or [],
    }


def _closed(rule: dict[str, Any], kind: str, detail: dict[str, Any]) -> None:
    """Refuses what is not on the closed lists. Raises KnowledgeError."""
    severities = rule["severity"]
    given = [item["is"] for item in severities] if isinstance(severities, list) else [severities]
    checks = (
        ("severity", given, SEVERITIES),
        ("kind", [kind], KINDS),
        ("scope", [rule.get("scope", "host")], SCOPES),
        ("status", [*(rule.get("statuses") or ()), *detail], STATUSES),
    )
    for name, values, allowed in checks:
        for value in values:
            if value not in allowed:
                raise KnowledgeError(f"no such {name}: {value} (there are {', '.join(allowed)})")


def _condition(value: Any) -> Any:
    """An expression, or YAML that combines expressions: each/all/any, and, or, not."""
    if value is None:
        return None
    if isinstance(value, (bool, int)):
        return ["const", value]
    if isinstance(value, str):
        return lower(value)
    if "each" in value:
        name, _, items = str(value["each"]).partition(" in ")
        how = "all" if "all" in value else "any"
        return ["every" if how == "all" else "some", name.strip(), lower(items), _condition(value[how])]
    for key in ("and", "or"):
        if key in value:
            return [key, *(_condition(item) for item in value[key])]
    if "not" in value:
        return ["not", _condition(value["not"])]
    raise KnowledgeError(f"not a condition: {value}")


def _text(value: Any) -> list[Any]:
    return lower_text(" ".join(str(value).split()))


def _choices(value: Any, key: str, convert: Any) -> list[Any]:
    """A value, or a list of {when, KEY}: pairs of condition (None: always) and converted value."""
    if isinstance(value, list):
        return [[_condition(item.get("when")), convert(item[key])] for item in value]
    return [[None, convert(value)]]


def _remedy(step: dict[str, Any]) -> dict[str, Any]:
    """One remedy: its condition and its structured step, every text of it lowered."""
    body = {key: _deep(value) for key, value in step.items() if key != "when"}
    return {"when": _condition(step.get("when")), "step": body}


def _deep(value: Any) -> Any:
    """Lowers every string inside a structure; {"text": parts} marks them."""
    if isinstance(value, str):
        return {"text": lower_text(" ".join(value.split()))} if "{{" in value else value
    if isinstance(value, list):
        return [_deep(item) for item in value]
    if isinstance(value, dict):
        return {key: _deep(item) for key, item in value.items()}
    return value
