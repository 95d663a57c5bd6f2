"""The lowered expressions of a rule, each with the place in the YAML that it comes from.

>>> from doctor.knowledge.compile import compile_rule
>>> rule = {"id": "x", "title": "T", "severity": "risk", "fail": {"or": ["a.b", {"each": "l in c", "any": "l.d"}]}}
>>> for part in parts(rule, compile_rule(rule)):
...     print(part.trail, part.path, part.node, part.bound)
('fail', 'or', 0) ('fail', 1) ['get', 'a', 'b'] ()
('fail', 'or', 1, 'each') ('fail', 2, 2) ['get', 'c'] ()
('fail', 'or', 1, 'any') ('fail', 2, 3) ['get', 'l', 'd'] ('l',)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from doctor.knowledge.document import Trail

CONDITIONS = ("when", "pass", "fail", "where")


class Part(NamedTuple):
    """A lowered expression: where its text stands in the rule as written, where it stands in the compiled rule,
    and the names that an `each` around it binds. `text` if it fills a hole of a text.
    """

    trail: Trail
    path: Trail
    node: list[Any]
    bound: tuple[str, ...] = ()
    text: bool = False


def parts(rule: dict[str, Any], compiled: dict[str, Any]) -> Iterator[Part]:
    """Every expression of `rule`, which `compiled` is made of."""
    for name in CONDITIONS:
        yield from _condition(rule.get(name), compiled[name], (name,), (name,))
    for at, link in enumerate(rule.get("after") or ()):
        if not isinstance(link, str):
            here = ("after_when", link["check"])
            yield from _condition(link["when"], compiled["after_when"][link["check"]], ("after", at, "when"), here)
    yield from _choices(rule["severity"], compiled["severity"], "is", ("severity",), ("severity",))
    yield from _choices(rule.get("problem"), compiled["problem"], "text", ("problem",), ("problem",))
    for status, written in (rule.get("detail") or {}).items():
        yield from _choices(written, compiled["detail"][status], "text", ("detail", status), ("detail", status))
    for at, step in enumerate(rule.get("remedy") or ()):
        here = ("remedy", at)
        lowered = compiled["remedy"][at]
        yield from _condition(step.get("when"), lowered["when"], (*here, "when"), (*here, "when"))
        for key, value in lowered["step"].items():
            yield from _holes(value, (*here, key), (*here, "step", key))


def _condition(written: Any, node: Any, trail: Trail, path: Trail, bound: tuple[str, ...] = ()) -> Iterator[Part]:
    """The expressions inside a condition."""
    if node is None:
        return
    if not isinstance(written, dict):
        yield Part(trail, path, node, bound)
    elif "each" in written:
        how = "all" if "all" in written else "any"
        yield Part((*trail, "each"), (*path, 2), node[2], bound)
        yield from _condition(written[how], node[3], (*trail, how), (*path, 3), (*bound, node[1]))
    elif "not" in written:
        yield from _condition(written["not"], node[1], (*trail, "not"), (*path, 1), bound)
    else:
        how = next(iter(written))
        for at, one in enumerate(written[how]):
            yield from _condition(one, node[at + 1], (*trail, how, at), (*path, at + 1), bound)


def _choices(written: Any, choices: list[Any], key: str, trail: Trail, path: Trail) -> Iterator[Part]:
    """The conditions of a value that depends on the case, and what stands in its texts."""
    for at, (condition, value) in enumerate(choices):
        here = (*trail, at) if isinstance(written, list) else trail
        if isinstance(written, list):
            yield from _condition(written[at].get("when"), condition, (*here, "when"), (*path, at, 0))
            here = (*here, key)
        if isinstance(value, list):
            yield from _holes({"text": value}, here, (*path, at, 1), ())


def _holes(value: Any, trail: Trail, path: Trail, inner: Trail = ("text",)) -> Iterator[Part]:
    """The expressions in the texts of a structure; `inner` leads from a marked text to its parts."""
    if isinstance(value, dict) and set(value) == {"text"} and isinstance(value["text"], list):
        for at, part in enumerate(value["text"]):
            if isinstance(part, list):
                yield Part(trail, (*path, *inner, at), part, (), True)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _holes(item, (*trail, key), (*path, key))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _holes(item, (*trail, at), (*path, at))
