"""Changes the rules one clause at a time and sees whether a case notices: a change that none notices has survived.

Usage: mutate.py [--rules FOLDER] [CHECK...]. Each clause is dropped or negated, each comparison is moved, each
`is seen` left out, each branch, step, event and each link of `after` is taken away; then the rule's own cases are
judged again. What survives is printed with its place, and the exit status is 1, unless
`tools/mutants.yaml` says why nothing can notice it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from multiprocessing import Pool
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from doctor.diagnosis.cases import Case, Judged, prepare, wrong
from doctor.diagnosis.engine import run
from doctor.explain import words
from doctor.knowledge.compile import compile_rule, load, rule_files
from doctor.knowledge.document import Document, KnowledgeError, Trail
from doctor.knowledge.parts import CONDITIONS, parts
from doctor.knowledge.store import load as load_knowledge
from doctor.knowledge.store import rules_folder

EXCUSED = Path(__file__).with_name("mutants.yaml")
_MOVED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}


class Mutant(NamedTuple):
    """A change: where it stands in the rule as written, what it is called, and the changed rule."""

    trail: Trail
    needle: str
    name: str
    rule: dict[str, Any]


def mutants(written: dict[str, Any], compiled: dict[str, Any]) -> Iterator[Mutant]:
    """Every change of a rule that is tried."""
    for part in parts(written, compiled):
        if not part.text and part.trail[-1] != "each":  # a list is no truth that could be turned round
            for node, name, clause in changes(part.node):
                called = f"{_dotted(part.trail)}: {name}"
                yield Mutant(part.trail, _first_name(clause), called, _changed(compiled, part.path, node))
    for name in CONDITIONS:
        others = name in ("when", "where") or any(compiled[one] for one in ("pass", "fail", "events") if one != name)
        if compiled[name] is not None and others:
            yield Mutant((name,), "", f"{name}: drop it", _changed(compiled, (name,), None))
    lists: list[tuple[Trail, list[Any]]] = [(("severity",), compiled["severity"]), (("events",), compiled["events"])]
    lists.append((("problem",), compiled["problem"]))
    lists += [(("detail", status), choices) for status, choices in compiled["detail"].items()]
    lists.append((("after",), compiled["after"]))
    for trail, items in lists:
        if len(items) > 1 or trail == ("after",):
            yield from _without(compiled, trail, items)
    yield from _without(compiled, ("remedy",), compiled["remedy"])
    yield from _of_versions(compiled)
    for at, name in enumerate(compiled["after"]):
        if name in compiled["after_when"]:
            rest = {one: when for one, when in compiled["after_when"].items() if one != name}
            yield Mutant(("after", at), "", f"after.{name}: always", _changed(compiled, ("after_when",), rest))


def _of_versions(compiled: dict[str, Any]) -> Iterator[Mutant]:
    """The rule without each limit of `since` and `until`, and with it one version later."""
    limits = compiled["versions"]
    for at, (program, side, (major, minor), why) in enumerate(limits):
        moved = [program, side, [major, minor + 1], why]
        trail, name = (side, program), f"{side}.{program}"
        if program == "qemu":
            continue  # it is only shown
        for what, instead in (("drop", []), ("move", [moved])):
            rest = [*limits[:at], *instead, *limits[at + 1 :]]
            yield Mutant(trail, "", f"{name}: {what} {major}.{minor}", _changed(compiled, ("versions",), rest))


def _without(compiled: dict[str, Any], trail: Trail, items: list[Any]) -> Iterator[Mutant]:
    """The rule without each of the items."""
    for at, item in enumerate(items):
        if item == [None, "advice"]:
            continue  # a severity without a branch is advice anyway
        called = f"{_dotted(trail)}: drop {item if isinstance(item, str) else f'number {at + 1}'}"
        yield Mutant((*trail, at), "", called, _changed(compiled, trail, items[:at] + items[at + 1 :]))


def changes(node: list[Any]) -> Iterator[tuple[list[Any], str, list[Any]]]:
    """Every change of a lowered condition: the new one, its name, and the clause that it is about.

    >>> [words(new) for new, _, _ in changes(["and", ["get", "a"], ["compare", "<", ["get", "b"], ["const", 2]]])]
    ['b < 2', 'not a and b < 2', 'a', 'a and not b < 2', 'a and b <= 2']
    """
    kind = node[0]
    if kind in ("and", "or"):
        for at in range(1, len(node)):
            rest = node[:at] + node[at + 1 :]
            yield rest if len(rest) > 2 else rest[1], f"drop {words(node[at])}", node[at]
            for new, name, clause in changes(node[at]):
                yield [*node[:at], new, *node[at + 1 :]], name, clause
    elif kind == "not":
        for new, name, clause in changes(node[1]):
            yield ["not", new], name, clause
    elif kind != "const":
        yield ["not", node], f"negate {words(node)}", node
        yield from _inside(node)


def _inside(node: list[Any]) -> Iterator[tuple[list[Any], str, list[Any]]]:
    """The changes inside a clause that is no logic itself."""
    kind = node[0]
    if kind == "compare":
        if node[1] in _MOVED:
            yield [kind, _MOVED[node[1]], *node[2:]], f"move {words(node)}", node
        if node[3][0] == "list" and node[1] in ("in", "not in"):
            for at in range(1, len(node[3])):
                less = node[3][:at] + node[3][at + 1 :]
                yield [kind, node[1], node[2], less], f"drop {words(node[3][at])} of {words(node)}", node
    elif kind in ("every", "some"):
        other = "some" if kind == "every" else "every"
        yield [other, *node[1:]], f"turn into {words([other, *node[1:]])}", node
        # The body is changed as a part of its own where it stands in YAML, and nowhere else.
    elif kind in ("known", "unknown", "seen"):
        if kind == "seen":
            yield node[1], f"take {words(node)} without `seen`", node
        for new, name, clause in changes(node[1]):
            if not name.startswith("negate"):
                yield [kind, new], name, clause


def _changed(compiled: dict[str, Any], path: Trail, value: Any) -> dict[str, Any]:
    """A copy of the rule with another value at `path`."""
    rule = dict(compiled)
    rule[path[0]] = deepcopy(rule[path[0]])
    holder: Any = rule
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return rule


def _dotted(trail: Trail) -> str:
    return ".".join(str(step + 1) if isinstance(step, int) else str(step) for step in trail)


def _first_name(node: list[Any]) -> str:
    """The first fact that a clause names."""
    if node[0] == "get":
        return ".".join(node[1:])
    return next((name for part in node[1:] if isinstance(part, list) and (name := _first_name(part))), "")


def noticed(mutant: dict[str, Any], cases: list[Judged], knowledge: dict[str, Any]) -> bool:
    """Whether a case no longer holds with the rule `mutant` in place of the one with its id."""
    rules = [mutant if rule["id"] == mutant["id"] else rule for rule in knowledge["rules"]]
    changed = {**knowledge, "rules": rules}
    asked = rules if mutant["gate"] else [rule for rule in rules if rule["gate"] or rule is mutant]
    for judged in cases:
        fresh = run(judged.host, asked, judged.targets)
        if not mutant["gate"]:
            fresh = [found for found in fresh if found.check == mutant["id"]]
            at = next((at for at, one in enumerate(judged.findings) if one.check == mutant["id"]), 0)
            others = [found for found in judged.findings if found.check != mutant["id"]]
            fresh = others[:at] + fresh + others[at:]
        if wrong(judged._replace(findings=fresh), changed):
            return True
    return False


class Outcome(NamedTuple):
    """What came of a rule: how many changes of each sort were tried, and those that nobody noticed."""

    tried: Counter[str]
    survived: list[tuple[str, str, str]]  # place, check, name


def examine(job: tuple[str, int, dict[str, Any]]) -> Outcome:
    """Tries every change of the rule with that number in that file. Raises KnowledgeError if a case does not hold."""
    path, number, knowledge = job
    document: Document = load(Path(path))
    written = document.value[number]
    cases = []
    for at, body in enumerate(written.get("cases") or (), 1):
        judged = prepare(Case(written, at, Path(path), body), knowledge)
        if wrong(judged, knowledge):
            raise KnowledgeError(f"{path}: {written['id']}: case {at} does not hold as it is")
        cases.append(judged)
    outcome = Outcome(Counter(), [])
    for mutant in mutants(written, compile_rule(written)):
        sort = str(mutant.trail[0])
        outcome.tried[sort] += 1
        if not noticed(mutant.rule, cases, knowledge):
            line, column = document.place((number, *mutant.trail), mutant.needle)
            outcome.survived.append((f"{path}:{line}:{column}", written["id"], mutant.name))
    return outcome


def excused(path: Path) -> dict[tuple[str, str], str]:
    """The changes that nothing can notice, by check and name, with the reason."""
    listed = yaml.safe_load(path.read_text("utf-8")) or [] if path.is_file() else []
    return {(one["rule"], one["mutant"]): one["why"] for one in listed}


def main(argv: list[str] | None = None) -> int:
    """Print survivors and counts; 1 if there is one that is not excused."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rules", help="a file or folder of rules of your own")
    parser.add_argument("checks", nargs="*", help="only these")
    options = parser.parse_args(argv)
    folder = Path(options.rules) if options.rules else rules_folder()
    os.nice(10)
    try:
        knowledge = load_knowledge(options.rules)
        jobs = [
            (str(path), number, knowledge)
            for path in rule_files(folder)
            for number, rule in enumerate(load(path).value)
            if not options.checks or rule["id"] in options.checks
        ]
        with Pool(min(2, len(jobs) or 1)) as pool:
            outcomes = pool.map(examine, jobs, chunksize=1)
    except KnowledgeError as error:
        sys.stderr.write(f"mutate: {error}\n")
        return 1
    return _report(outcomes, excused(EXCUSED), bool(options.checks or options.rules))


def _report(outcomes: list[Outcome], reasons: dict[tuple[str, str], str], partly: bool) -> int:
    """Prints what survived, and what the list of excuses names that did not."""
    tried: Counter[str] = Counter()
    alive: Counter[str] = Counter()
    used = set()
    for outcome in outcomes:
        tried += outcome.tried
        for place, check, name in outcome.survived:
            if (check, name) in reasons:
                used.add((check, name))
                continue
            alive[name.partition(":")[0].partition(".")[0]] += 1
            sys.stdout.write(f"{place}: {check}: survived: {name}\n")
    stale = set() if partly else set(reasons) - used
    for check, name in sorted(stale):
        sys.stdout.write(f"{EXCUSED.name}: {check}: {name}: it does not survive, so it needs no excuse\n")
    for sort in sorted(tried):
        sys.stdout.write(f"{sort:10} {tried[sort]:5} changes {alive[sort]:5} survived\n")
    sys.stdout.write(f"{tried.total()} changes, {alive.total()} survived, {len(used)} excused\n")
    return int(bool(alive or stale))


if __name__ == "__main__":
    sys.exit(main())
