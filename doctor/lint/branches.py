"""Which conditions can hold at all: worlds are tried, in which each fact has each value that matters to the rule.

Facts are taken as independent, so what is found impossible is impossible; what is found possible may not be.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from doctor.diagnosis.evaluate import evaluate, truth
from doctor.facts.fact import UNKNOWN, Fact

MOST = 20_000  # worlds; where there are more, everything is taken for possible
_LOGIC = ("and", "or", "not", "known", "unknown", "seen")
_ELSE = "\0any other value"

World = list["bool | None"]


class Worlds:
    """The truth values that conditions have together."""

    def __init__(self, conditions: list[Any], events: list[str] | None = None) -> None:
        """`conditions` are lowered; `events` the names that `event.name` can have, if that is known."""
        self._values: dict[str, list[Any]] = {}
        self._names: dict[str, str] = {}
        self._events = events
        self._nodes = [self._renamed(one) for one in conditions]

    def all(self) -> Iterator[World] | None:
        """The truth of every condition, world by world; None if there are too many to try."""
        size = 1
        for values in self._values.values():
            size *= len(values)
        return self._each() if size <= MOST else None

    def _each(self) -> Iterator[World]:
        names = list(self._values)
        for values in product(*self._values.values()):
            scope = {name: Fact(value) for name, value in zip(names, values, strict=True)}
            yield [truth(evaluate(node, scope)) for node in self._nodes]

    def _renamed(self, node: list[Any]) -> list[Any]:
        """The condition with every fact and every comparison of which nothing is known as a name of its own."""
        if node[0] in _LOGIC:
            return [node[0], *(self._renamed(part) for part in node[1:])]
        if node[0] == "const":
            return node
        if node[0] == "compare" and node[1] in ("==", "!=", "in", "not in") and node[2][0] == "get":
            constants = constants_of(node[3])
            if constants is not None:
                return ["compare", node[1], self._atom(node[2], constants), node[3]]
        return self._atom(node, [])

    def _atom(self, node: list[Any], constants: list[Any]) -> list[Any]:
        name = self._names.setdefault(repr(node), f"a{len(self._names)}")
        if node[1:] == ["event", "name"] and self._events is not None:
            values: list[Any] = [*self._events, None]
        else:
            values = self._values.get(name) or [True, False, UNKNOWN]
            if constants:
                values = [one for one in values if one not in (True, False)] + [_ELSE, None]
            values = [*values, *constants]
        self._values[name] = list(dict.fromkeys(values))
        return ["get", name]


def constants_of(node: list[Any]) -> list[Any] | None:
    """The values of a constant or of a list of constants; None for anything else."""
    if node[0] == "const":
        return [node[1]]
    if node[0] == "list" and all(part[0] == "const" for part in node[1:]):
        return [part[1] for part in node[1:]]
    return None


def possible(condition: Any, events: list[str] | None = None) -> set[bool | None]:
    """The truth values that a condition can have."""
    if condition is None:
        return {True}
    worlds = Worlds([condition], events).all()
    return {True, False, None} if worlds is None else {world[0] for world in worlds}


def unreached(conditions: list[Any], events: list[str] | None = None) -> list[tuple[int, str]]:
    """Of branches of which the first that holds counts, those that are never taken, and why. None: always."""
    found = []
    for number, condition in enumerate(conditions):
        if None in conditions[:number]:
            found.append((number, "it is never reached: a branch before it has no `when`"))
        elif condition is not None and condition in conditions[:number]:
            found.append((number, "it is never reached: an earlier branch has the same `when`"))
        elif True not in possible(condition, events):
            found.append((number, "it is never reached: its `when` is never true"))
        elif not _reached(conditions[: number + 1], events):
            found.append((number, "it is never reached: where it would hold, an earlier branch does"))
    return found


def unreached_steps(remedy: list[dict[str, Any]], events: list[str] | None = None) -> list[tuple[int, str]]:
    """As `unreached`, for steps: all that hold are taken, and `otherwise` only if none before was."""
    found = []
    conditions = [entry["when"] for entry in remedy]
    for number, entry in enumerate(remedy):
        before = conditions[:number]
        if True not in possible(entry["when"], events):
            found.append((number, "it is never taken: its `when` is never true"))
        elif entry["step"].get("otherwise") and None in before:
            found.append((number, "it is never taken: a step before it always is"))
        elif entry["step"].get("otherwise") and not _reached([*before, entry["when"]], events):
            found.append((number, "it is never taken: where it would be, an earlier step is"))
    return found


def _reached(conditions: list[Any], events: list[str] | None) -> bool:
    """Whether the last condition can hold where none before does."""
    asked = [["const", True] if one is None else one for one in conditions]
    worlds = Worlds(asked, events).all()
    return worlds is None or any(world[-1] is True and True not in world[:-1] for world in worlds)
