"""What is wrong with one rule by itself: branches nobody reaches, statuses that cannot occur or have no case."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from doctor.knowledge.document import Fault, Trail
from doctor.lint.branches import possible, unreached, unreached_steps


def faults(rule: dict[str, Any], compiled: dict[str, Any]) -> Iterator[Fault]:
    """Everything that is wrong with `rule`, which `compiled` is made of."""
    events = compiled["events"] or None
    yield from _constant(compiled, events)
    yield from _versions(compiled)
    yield from _branches(compiled, events)
    yield from _statuses(rule, compiled, events)
    yield from _cases(rule)


def _constant(compiled: dict[str, Any], events: list[str] | None) -> Iterator[Fault]:
    """Questions with one answer. A plain `true` is written on purpose."""
    for name in ("when", "fail", "pass", "where"):
        if compiled[name] is not None and compiled[name] != ["const", True]:
            values = possible(compiled[name], events)
            if values == {True}:
                yield Fault((name,), f"`{name}` is always true", "", True)
            elif True not in values and not (name == "when" and None in values):
                yield Fault((name,), f"`{name}` is never true", "", True)


def _versions(compiled: dict[str, Any]) -> Iterator[Fault]:
    """Ranges of versions that hold none."""
    since = {program: limit for program, side, limit, _ in compiled["versions"] if side == "since"}
    for program, side, limit, _ in compiled["versions"]:
        if side == "until" and limit <= since.get(program, []):
            text = ".".join(map(str, since[program]))
            yield Fault(("until", program), f"no version is before that and not before `since`, {text}")


def _branches(compiled: dict[str, Any], events: list[str] | None) -> Iterator[Fault]:
    named: list[tuple[Trail, Any]] = [(("severity",), compiled["severity"])]
    named += [(("problem",), compiled["problem"])]
    named += [(("detail", status), choices) for status, choices in compiled["detail"].items()]
    for trail, choices in named:
        conditions = [condition for condition, _ in choices]
        for at, why in unreached(conditions, events):
            yield Fault((*trail, at), why)
        if None not in conditions:
            yield Fault(
                (*trail, len(conditions) - 1), "where no `when` holds there is none: the last branch needs no `when`"
            )
    for at, why in unreached_steps(compiled["remedy"], events):
        yield Fault(("remedy", at), why)


def _statuses(rule: dict[str, Any], compiled: dict[str, Any], events: list[str] | None) -> Iterator[Fault]:
    """Declared statuses that the rule cannot come to."""
    if not compiled["statuses"]:
        yield Fault((), "it declares no statuses")
    able = {
        "pass": compiled["pass"] is not None and True in possible(compiled["pass"], events),
        "fail": _can_fail(compiled, events),
        "unknown": _can_be_open(compiled, events),
        "not-applicable": _can_be_beside(compiled),
    }
    why = {
        "pass": "it has no `pass`" if compiled["pass"] is None else "`pass` is never true",
        "fail": "it has no `fail` and no `events`" if compiled["fail"] is None else "`fail` is never true",
        "unknown": "a symptom never is" if compiled["kind"] == "symptom" else "nothing that it asks can be unknown",
        "not-applicable": "it has no `when` and is no symptom",
    }
    for at, status in enumerate(compiled["statuses"]):
        if not able[status]:
            yield Fault(("statuses", at), f"it can never be {status}: {why[status]}")
    for status in compiled["detail"]:
        if not able[status]:
            yield Fault(("detail", status), f"it can never be {status}: {why[status]}", "", True)


def _can_fail(compiled: dict[str, Any], events: list[str] | None) -> bool:
    if compiled["events"] and (compiled["fail"] is None or compiled["scope"] == "target"):
        return True
    if compiled["fail"] is not None:
        return True in possible(compiled["fail"], events)
    return compiled["kind"] == "state" and False in possible(compiled["pass"], events)


def _can_be_open(compiled: dict[str, Any], events: list[str] | None) -> bool:
    """Unknown: a state with something open, or that neither fails nor passes."""
    if compiled["kind"] == "symptom":
        return False
    if compiled["fail"] is not None:
        return True in possible(["not", ["seen", compiled["fail"]]], events)
    return any(compiled[name] is not None and None in possible(compiled[name], events) for name in ("when", "pass"))


def _can_be_beside(compiled: dict[str, Any]) -> bool:
    """Not applicable: by `when`, as a symptom that is not there, without a device or line that it speaks of, or by
    the versions that it speaks of."""
    narrowed = compiled["when"] is not None or bool(compiled["versions"])
    return narrowed or compiled["kind"] == "symptom" or compiled["scope"] != "host"


def _cases(rule: dict[str, Any]) -> Iterator[Fault]:
    """A case for each status, and none for others."""
    declared = list(rule.get("statuses") or ())
    shown = [case["expect"] for case in rule.get("cases") or ()]
    for at, status in enumerate(declared):
        if status in declared[:at]:
            yield Fault(("statuses", at), f"{status} is declared twice")
        elif status not in shown:
            yield Fault(("statuses", at), f"no case for {status}")
    for at, status in enumerate(shown):
        if status not in declared:
            yield Fault(("cases", at, "expect"), f"a case for {status}, which the rule does not declare")
