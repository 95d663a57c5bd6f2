"""`passdoctor rules lint`: what is wrong with the rules, with file and line."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from doctor.diagnosis.cases import all_cases, judge, missing
from doctor.facts.vocabulary import vocabulary
from doctor.knowledge.compile import KnowledgeError, compile_folder, compile_rule, rule_files, rules_in
from doctor.knowledge.lower import ExpressionError
from doctor.knowledge.store import load, rules_folder
from doctor.treatment.steps import KINDS

_BESIDE = frozenset(("why", "optional", "risk", "otherwise"))
_QUANTIFIERS = ("every", "some")


def lint(extra: str | None = None, cases: bool = True) -> list[str]:
    """The problems of the built-in rules, or of those in `extra`, one line each; empty if there are none.

    Raises KnowledgeError if `extra` does not exist.
    """
    base = rules_folder()
    folder = Path(extra) if extra else base
    if not folder.exists():
        raise KnowledgeError(f"{extra}: no such file or folder of rules")
    try:
        knowledge = compile_folder(base) if extra is None else load(extra)
    except KnowledgeError as error:
        return [str(error)]
    names = vocabulary(knowledge)
    known = {rule["id"] for rule in knowledge["rules"]}
    problems: list[str] = []
    for path in rule_files(folder):
        for rule in rules_in(path):
            where = f"{path}:{_line_of(path, rule['id'])}: {rule['id']}"
            problems += [f"{where}: {text}" for text in _problems(rule, names, known)]
    problems += [f"a cycle of `after`: {' -> '.join(cycle)}" for cycle in _cycles(knowledge["rules"])]
    if cases and not problems:
        problems += _case_problems(folder, knowledge)
    return problems


def _case_problems(folder: Path, knowledge: dict[str, Any]) -> list[str]:
    """Cases that do not hold."""
    return [
        f"{case.path}:{_line_of(case.path, case.rule['id'])}: {case.rule['id']}: case {case.number}: {text}"
        for case in all_cases(folder)
        for text in judge(case, knowledge)
    ]


def _line_of(path: Path, identity: str) -> int:
    """The line on which a rule begins."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line.strip() in (f"- id: {identity}", f"id: {identity}"):
            return number
    return 1


def _problems(rule: dict[str, Any], names: dict[str, frozenset[str] | None], known: set[str]) -> list[str]:
    """What is wrong with one rule."""
    try:
        compiled = compile_rule(rule)
    except (ExpressionError, KnowledgeError, KeyError, TypeError, AttributeError) as error:
        return [str(error)]
    found = missing(rule)
    if not rule.get("statuses"):
        found.append("it declares no statuses")
    found += [f"`after` names {name}, which is no check" for name in compiled["after"] if name not in known]
    for path, bound in _paths(compiled, ()):
        text = _unknown_name(path, bound, names)
        if text:
            found.append(text)
    for step in rule.get("remedy") or ():
        kinds = [key for key in step if key not in _BESIDE and key != "when"]
        if len(kinds) != 1 or kinds[0] not in KINDS:
            found.append(f"a remedy needs exactly one kind of step, not {', '.join(kinds) or 'none'}")
    return list(dict.fromkeys(found))


def _paths(node: Any, bound: tuple[str, ...]) -> list[tuple[list[str], tuple[str, ...]]]:
    """Every dotted path that a compiled rule asks for, with the loop variables in force there."""
    found: list[tuple[list[str], tuple[str, ...]]] = []
    if isinstance(node, dict):
        for value in node.values():
            found += _paths(value, bound)
    elif isinstance(node, list):
        if node and node[0] == "get" and all(isinstance(part, str) for part in node):
            return [(node[1:], bound)]
        if node and node[0] in _QUANTIFIERS and len(node) == 4 and isinstance(node[1], str):
            return _paths(node[2], bound) + _paths(node[3], (*bound, node[1]))
        for value in node:
            found += _paths(value, bound)
    return found


def _unknown_name(path: list[str], bound: tuple[str, ...], names: dict[str, frozenset[str] | None]) -> str | None:
    """What is wrong with a path, with the nearest name that exists."""
    if path[0] in bound:
        return None
    if path[0] not in names:
        return _nearest(path[0], list(names), path[0])
    inside = names[path[0]]
    if inside is None or len(path) < 2 or not inside or path[1] in inside:
        return None
    return _nearest(path[1], sorted(inside), ".".join(path))


def _nearest(name: str, choices: list[str], shown: str) -> str:
    near = get_close_matches(name, choices, 1)
    return f"no such fact: {shown}" + (f" (nearest: {near[0]})" if near else "")


def _cycles(rules: list[dict[str, Any]]) -> list[list[str]]:
    """Circles of `after`, by which nothing would be the cause."""
    after = {rule["id"]: rule["after"] for rule in rules}
    cycles: list[list[str]] = []
    done: set[str] = set()

    def walk(name: str, trail: list[str]) -> None:
        if name in trail:
            cycles.append([*trail[trail.index(name) :], name])
            return
        if name in done:
            return
        for above in after.get(name, ()):
            walk(above, [*trail, name])
        done.add(name)

    for name in after:
        walk(name, [])
    return cycles
