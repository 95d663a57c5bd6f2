"""`passdoctor rules lint`: what is wrong with the rules, with file, line and column.

First what each file may hold (its schema) and whether its expressions can be read; then, rule by rule, names,
branches, statuses; then what stands between rules: ids and `after`; at last, if all that is well, the cases.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from doctor.diagnosis.cases import Case, judge
from doctor.diagnosis.profiles import steady
from doctor.knowledge.compile import (
    NOT_RULES,
    compile_folder,
    compile_messages,
    compile_rule,
    rule_files,
    schema_faults,
)
from doctor.knowledge.document import Document, Fault, KnowledgeError, read
from doctor.knowledge.profiles import faults as profile_faults
from doctor.knowledge.profiles import held
from doctor.knowledge.store import load, rules_folder
from doctor.lint.names import Names, near
from doctor.lint.rule import faults as rule_faults


class Written(NamedTuple):
    """A rule as it is written and as it is compiled, and where it stands."""

    document: Document
    number: int
    rule: dict[str, Any]
    compiled: dict[str, Any]

    def says(self, fault: Fault) -> str:
        """A problem of this rule."""
        text = f"{self.rule['id']}: {fault.text}"
        return self.document.says(Fault(fault.trail, text, fault.needle, fault.key).inside(self.number))


def lint(extra: str | None = None, cases: bool = True) -> list[str]:
    """The problems of the built-in rules, or of those in `extra`, one line each; empty if there are none.

    Raises KnowledgeError if `extra` does not exist.
    """
    base = rules_folder()
    folder = Path(extra) if extra else base
    if not folder.exists():
        raise KnowledgeError(f"{extra}: no such file or folder of rules")
    problems: list[str] = []
    rules = [one for path in rule_files(folder) for one in _compiled(path, folder, problems)]
    if extra is None:
        problems += _others(base)
    if problems:
        return _sorted(problems)
    try:
        known = load() if extra else {**compile_folder(base), "rules": []}
    except KnowledgeError as error:
        return [str(error)]
    own = [one.compiled for one in rules]
    ids = {rule["id"] for rule in own}
    knowledge = {**known, "rules": [rule for rule in known["rules"] if rule["id"] not in ids] + own}
    names = Names(knowledge, [rule["id"] for rule in knowledge["rules"]])
    for one in rules:
        found = [*names.faults(one.rule, one.compiled), *rule_faults(one.rule, one.compiled)]
        problems += dict.fromkeys(one.says(fault) for fault in found)
    problems += [*_twice(rules), *_circles(rules, knowledge["rules"]), *_links(rules, knowledge["rules"])]
    problems += _profiles(folder, knowledge["rules"])
    if extra is None:
        problems += _followers(base, names)
    if cases and not problems:
        problems += [one.says(fault) for one in rules for fault in _case_faults(one, knowledge)]
    return _sorted(problems)


def _compiled(path: Path, folder: Path, problems: list[str]) -> list[Written]:
    """The rules of a file; what cannot be compiled goes to `problems`."""
    try:
        document = read(path)
    except KnowledgeError as error:
        problems.append(str(error))
        return []
    wrong = schema_faults(document, path, folder)
    problems += [document.says(fault) for fault in wrong]
    found = []
    for number, rule in enumerate(document.value if not wrong else ()):
        faults: list[Fault] = []
        one = Written(document, number, rule, compile_rule(rule, faults))
        problems += [one.says(fault) for fault in faults]
        found.append(one)
    return found


def _others(base: Path) -> list[str]:
    """What is wrong with messages, platforms, parameters by themselves."""
    problems = []
    for path in sorted(path for name in NOT_RULES for path in (base / name).glob("*.yaml")):
        try:
            document = read(path)
        except KnowledgeError as error:
            problems.append(str(error))
            continue
        problems += [document.says(fault) for fault in schema_faults(document, path, base)]
    try:
        compile_messages(base / "messages")
    except KnowledgeError as error:
        problems.append(str(error))
    return list(dict.fromkeys(problems))


def _profiles(folder: Path, rules: list[dict[str, Any]]) -> list[str]:
    """What is wrong with the profiles of a folder of rules."""
    problems = []
    for path in sorted((folder / "profiles").glob("*.yaml")):
        try:
            document = held(path, "profiles")
        except KnowledgeError as error:
            problems.append(str(error))
            continue
        problems += [document.says(fault) for fault in profile_faults(document.value, rules, steady())]
        if document.value["id"] != path.stem:
            problems.append(document.says(Fault(("id",), f"its file's name makes it {path.stem}")))
    return problems


def _followers(base: Path, names: Names) -> list[str]:
    """Messages that are there twice, or are followed by one that nobody knows."""
    problems = []
    seen: dict[str, str] = {}
    for path in sorted((base / "messages").glob("*.yaml")):
        document = read(path)
        for at, entry in enumerate(document.value):
            name = entry["event"]
            if name in seen:
                problems.append(document.says(Fault((at, "event"), f"{name} is defined in {seen[name]} already")))
            seen[name] = f"{path}:{document.place((at, 'event'))[0]}"
            then = entry.get("then")
            if then is not None and then not in names.events:
                problems.append(document.says(Fault((at, "then"), f"no such event: {then}{near(then, names.events)}")))
    return problems


def _twice(rules: list[Written]) -> list[str]:
    """Ids that two rules have."""
    seen: dict[str, str] = {}
    problems = []
    for one in rules:
        name = one.rule["id"]
        if name in seen:
            problems.append(one.says(Fault(("id",), f"it is defined in {seen[name]} already")))
        else:
            seen[name] = f"{one.document.path}:{one.document.place((one.number, 'id'))[0]}"
    return problems


def _circles(written: list[Written], rules: list[dict[str, Any]]) -> list[str]:
    """Circles of `after`, by which nothing would be the cause."""
    places = {one.rule["id"]: one for one in reversed(written)}
    problems = []
    for circle in cycles({rule["id"]: rule["after"] for rule in rules}):
        one = next((places[name] for name in circle if name in places), None)
        if one is not None:
            following = circle[circle.index(one.rule["id"]) + 1]
            trail = ("after", one.compiled["after"].index(following))
            problems.append(one.says(Fault(trail, f"a cycle of `after`: {' -> '.join(circle)}")))
    return problems


def _links(written: list[Written], rules: list[dict[str, Any]]) -> list[str]:
    """Links of `after` that explain nothing, whatever is found."""
    known = {rule["id"]: rule for rule in rules}
    problems = []
    for one in written:
        after = one.compiled["after"]
        for at, name in enumerate(after):
            other = known.get(name)
            why = ""
            if name in after[:at]:
                why = "twice"
            elif other is not None and other["gate"]:
                why = "which is a gate: where that fails, nothing else is judged"
            elif other is not None and one.compiled["scope"] == "host" and _of_devices(other):
                why = "which speaks of devices alone, and no device explains the host"
            if why:
                problems.append(one.says(Fault(("after", at), f"`after` names {name} {why}")))
    return problems


def _of_devices(rule: dict[str, Any]) -> bool:
    """Whether every finding of a rule is of one device: no log line can leave the device out."""
    return rule["scope"] == "target" and not rule["events"]


def cycles(after: dict[str, list[str]]) -> list[list[str]]:
    """The circles in a graph, each once: names, of which the last is the first.

    >>> cycles({"a": ["b"], "b": ["a", "c"], "c": []})
    [['a', 'b', 'a']]
    """
    found: list[list[str]] = []
    done: set[str] = set()
    for start in after:
        trail: list[str] = []
        waiting = [iter([start])]
        while waiting:
            name = next(waiting[-1], None)
            if name is None:
                waiting.pop()
                if trail:
                    done.add(trail.pop())
            elif name in trail:
                found.append([*trail[trail.index(name) :], name])
            elif name not in done:
                trail.append(name)
                waiting.append(iter(after.get(name, ())))
    return found


def _case_faults(one: Written, knowledge: dict[str, Any]) -> list[Fault]:
    """Cases that do not hold."""
    found = []
    for number, body in enumerate(one.rule.get("cases") or ()):
        case = Case(one.rule, number + 1, Path(one.document.path), body)
        found += [Fault(("cases", number), f"case {number + 1}: {text}") for text in judge(case, knowledge)]
    return found


def _sorted(problems: list[str]) -> list[str]:
    """By file, then line and column; a problem without a place keeps to its file's head."""

    def order(problem: str) -> tuple[str, int, int]:
        path, *rest = problem.split(":", 3)
        line, column = ([int(part) if part.isdigit() else 0 for part in rest[:2]] + [0, 0])[:2]
        return path, line, column

    return sorted(problems, key=order)
