"""The names that a rule asks for: facts, events, holes of log lines, checks, firmware settings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from doctor.facts.vocabulary import vocabulary
from doctor.knowledge.document import Fault, Trail
from doctor.knowledge.parts import Part, parts
from doctor.lint.branches import constants_of

_LISTS = ("every", "some")
_OF_EVENTS = frozenset(("name", "whole", "device"))


class Names:
    """All names that exist, from the compiled knowledge."""

    def __init__(self, knowledge: dict[str, Any], checks: Iterable[str]) -> None:
        """`checks` are the ids of all rules."""
        self.facts = vocabulary(knowledge)
        self.checks = frozenset(checks)
        self.events: dict[str, frozenset[str]] = {}
        for template in knowledge["messages"]:
            holes = {part[0] for _, wording in template["wordings"] for part in wording if isinstance(part, list)}
            self.events[template["event"]] = self.events.get(template["event"], _OF_EVENTS) | holes
        self.settings = frozenset(knowledge["platforms"]["firmware"]["settings"])

    def faults(self, rule: dict[str, Any], compiled: dict[str, Any]) -> Iterator[Fault]:
        """Every name in a rule that nobody knows."""
        for at, name in enumerate(compiled["after"]):
            if name not in self.checks:
                yield Fault(("after", at), f"`after` names {name}, which is no check{near(name, self.checks)}")
        for at, name in enumerate(compiled["events"]):
            if name not in self.events:
                yield Fault(("events", at), f"no such event: {name}{near(name, self.events)}")
        for at, step in enumerate(rule.get("remedy") or ()):
            for which, name in enumerate((step.get("firmware") or {}).get("settings") or ()):
                if "{{" not in name and name not in self.settings:
                    trail = ("remedy", at, "firmware", "settings", which)
                    yield Fault(trail, f"no such firmware setting: {name}{near(name, self.settings)}")
        for part in parts(rule, compiled):
            yield from self._in(part.node, part, _bound(part, rule), compiled)

    def _in(self, node: list[Any], part: Part, bound: dict[str, str], rule: dict[str, Any]) -> Iterator[Fault]:
        """The unknown names in a lowered expression; `bound` has the lists that loop variables run through."""
        if node[0] == "get":
            yield from self._path(node[1:], part.trail, bound, rule)
            return
        if node[0] == "compare":
            yield from self._event_names(node, part.trail, rule)
        for one in node[1:]:
            if isinstance(one, list):
                yield from self._in(one, part, bound, rule)

    def _path(self, path: list[str], trail: Trail, bound: dict[str, str], rule: dict[str, Any]) -> Iterator[Fault]:
        first, shown = path[0], ".".join(path)
        if first in bound:
            if bound[first] in self.events and path[1:2]:
                yield from _hole(path, trail, self.events[bound[first]])
        elif first not in self.facts:
            yield Fault(trail, f"no such fact: {first}{near(first, [*self.facts, *bound])}", first)
        elif (first == "event" and not rule["events"]) or (first == "target" and rule["scope"] == "host"):
            why = "a rule without `events`" if first == "event" else "a rule for the host"
            yield Fault(trail, f"no such fact: {first} in {why}", first)
        elif first == "target" and trail[0] == "where":
            yield Fault(trail, "no such fact: target in `where`, which is asked before there is one", first)
        elif first == "event" and path[1:2]:
            holes: frozenset[str] = frozenset().union(*(self.events.get(one, _OF_EVENTS) for one in rule["events"]))
            yield from _hole(path, trail, holes)
        elif path[:2] == ["target", "said"] and path[2:3]:
            if path[2] not in self.events:
                yield Fault(trail, f"no such fact: {shown}{near(path[2], self.events)}", path[2])
        else:
            yield from self._member(path, trail, shown)

    def _member(self, path: list[str], trail: Trail, shown: str) -> Iterator[Fault]:
        inside = self.facts[path[0]]
        if inside and path[1:2] and path[1] not in inside:
            yield Fault(trail, f"no such fact: {shown}{near(path[1], inside)}", path[1])
        elif path[0] == "events" and len(path) > 2:
            yield Fault(trail, f"no such fact: {shown}: it is a list of lines, ask with `each`", path[2])

    def _event_names(self, node: list[Any], trail: Trail, rule: dict[str, Any]) -> Iterator[Fault]:
        """Values with which `event.name` is compared and which it never has."""
        if node[2] != ["get", "event", "name"] or not rule["events"]:
            return
        for name in constants_of(node[3]) or ():
            if name not in rule["events"]:
                yield Fault(trail, f"no such event in `events`: {name}{near(name, rule['events'])}", str(name))


def near(name: object, choices: Iterable[str]) -> str:
    """The nearest name that exists, in brackets."""
    found = get_close_matches(str(name), sorted(choices), 1)
    return f" (nearest: {found[0]})" if found else ""


def _hole(path: list[str], trail: Trail, holes: frozenset[str]) -> Iterator[Fault]:
    if path[1] not in holes:
        yield Fault(trail, f"no such hole in these lines: {'.'.join(path)}{near(path[1], holes)}", path[1])


def _bound(part: Part, rule: dict[str, Any]) -> dict[str, str]:
    """The loop variables in force at a part, each with the event through whose lines it runs, or nothing."""
    found: dict[str, str] = {}
    value: Any = rule
    for step in part.trail:
        if isinstance(value, dict) and "each" in value and step in ("any", "all"):
            name, _, items = (text.strip() for text in str(value["each"]).partition(" in "))
            of_event = re.fullmatch(r"(?:events|target\.said)\.(\w+)", items)
            found[name] = of_event.group(1) if of_event else ""
        value = value[step]
    return found
