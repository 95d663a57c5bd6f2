"""The evaluator: lowered expressions over facts, in Kleene's three-valued logic.

The result of every expression is a `Fact`: its value, the sources that settle it, and, while it is
unknown, the evidence that would. `unknown or true` is true; `not unknown` is unknown. docs/rules.md has the tables.
Time is bounded by construction: an expression has no loops but quantifiers over lists that facts hold, and those
look at so many members and no more; what they did not look at is unknown. No expression raises, whatever it is
asked of: a thing that is no list has no members, and what cannot be compared is not so.

>>> scope = {"a": Fact(True), "b": unknown("proc/cmdline")}
>>> evaluate(["or", ["get", "a"], ["get", "b"]], scope).value
True
>>> evaluate(["and", ["get", "a"], ["not", ["get", "b"]]], scope)
Fact(value=UNKNOWN, sources=(), wanted=('proc/cmdline',), weak=False)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from doctor.facts.fact import UNKNOWN, Fact, Listing, unknown
from doctor.say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Scope = Mapping[str, "Any"]
MOST = 50_000  # members that a quantifier looks at, those of quantifiers inside it counted too
_LEFT = "\0left"  # the name in a scope under which a quantifier tells those inside it how many are left


def evaluate(node: list[Any], scope: Scope) -> Fact:
    """The value of the lowered expression `node` over the names in `scope`."""
    return _OPERATIONS[node[0]](node, scope)


def truth(fact: Fact) -> bool | None:
    """Whether a fact is true; None while it is unknown. An empty list that is incomplete is unknown."""
    value = fact.value
    if value is UNKNOWN:
        return None
    if isinstance(value, Listing) and not value and not value.complete:
        return None
    return bool(value)


def fill(parts: list[Any], scope: Scope) -> str:
    """A lowered text with its holes filled."""
    return "".join(part if isinstance(part, str) else _worded(evaluate(part, scope).value) for part in parts)


def _worded(value: Any) -> str:
    """A value as words for people, in their language."""
    return say("unknown") if value is UNKNOWN or value is None else show(value)


def fill_value(parts: list[Any], scope: Scope) -> Any:
    """As `fill`, but a text that is one hole and nothing else gives the value itself (a list stays a list)."""
    if len(parts) == 1 and isinstance(parts[0], list):
        value = evaluate(parts[0], scope).value
        return [] if value is UNKNOWN else list(value) if isinstance(value, tuple) else value
    return fill(parts, scope)


def show(value: Any) -> str:
    """A value as words for people."""
    if value is UNKNOWN or value is None:
        return "unknown"
    if isinstance(value, (tuple, list, set, frozenset)) and not hasattr(value, "_fields"):
        return ", ".join(show(item) for item in value)
    return getattr(value, "address", None) or str(value)


def resolve(start: Any, names: list[str]) -> Fact:
    """Follows a dotted path from `start`; what is unknown on the way makes the end unknown."""
    sources: tuple[Any, ...] = ()
    weak = False
    current = start
    for name in names:
        if isinstance(current, Fact):
            if current.value is UNKNOWN:
                return current
            sources, weak, current = sources + current.sources, weak or current.weak, current.value
        current = _member(current, name)
    if isinstance(current, Fact):
        return current._replace(sources=_union(sources, current.sources), weak=weak or current.weak)
    if isinstance(current, Listing):
        return Fact(current, sources, () if current.complete else current.wanted, weak)
    return Fact(current, sources, (), weak)


def _member(holder: Any, name: str) -> Any:
    """The member `name` of a group of facts; facts alone decide what they show."""
    if isinstance(holder, Mapping):
        return holder.get(name)
    lookup = getattr(holder, "lookup", None)
    if lookup is not None:
        return lookup(name)
    if name in getattr(holder, "_fields", ()) or name in getattr(holder, "SHOWN", ()):
        return getattr(holder, name)
    return None


def _union(first: tuple[Any, ...], second: tuple[Any, ...]) -> tuple[Any, ...]:
    """Both tuples, each member once, in order."""
    return tuple(dict.fromkeys(first + second))


def _both(value: Any, left: Fact, right: Fact) -> Fact:
    """A result that rests on two facts."""
    return Fact(value, _union(left.sources, right.sources), _union(left.wanted, right.wanted), left.weak or right.weak)


def _settled(value: bool, fact: Fact) -> Fact:
    """A truth value that one fact alone settles."""
    return Fact(value, fact.sources, (), fact.weak)


def _get(node: list[Any], scope: Scope) -> Fact:
    return resolve(scope.get(node[1]) if isinstance(scope, Mapping) else scope[node[1]], node[2:])


def _const(node: list[Any], scope: Scope) -> Fact:
    return Fact(node[1])


def _list(node: list[Any], scope: Scope) -> Fact:
    facts = [evaluate(item, scope) for item in node[1:]]
    known = [fact.value for fact in facts if fact.value is not UNKNOWN]
    wanted = tuple(dict.fromkeys(path for fact in facts for path in fact.wanted))
    sources = tuple(dict.fromkeys(source for fact in facts for source in fact.sources))
    return Fact(Listing(known, len(known) == len(facts), wanted), sources, (), any(fact.weak for fact in facts))


def _and(node: list[Any], scope: Scope) -> Fact:
    return _kleene((evaluate(operand, scope) for operand in node[1:]), False)


def _or(node: list[Any], scope: Scope) -> Fact:
    return _kleene((evaluate(operand, scope) for operand in node[1:]), True)


def _kleene(facts: Iterable[Fact], decisive: bool, sources: tuple[Any, ...] = ()) -> Fact:
    """`and` (decisive False) or `or` (decisive True) of all `facts`: a decisive one settles it alone.

    `sources` stand beside those of the facts that agree.
    """
    agreed, asked, wanted = dict.fromkeys(sources), {}, {}
    undecided = weak = weak_open = False
    for fact in facts:
        value = truth(fact)
        if value is decisive:
            return _settled(decisive, fact)
        if value is None:
            undecided, weak_open = True, weak_open or fact.weak
            asked.update(dict.fromkeys(fact.sources))
            wanted.update(dict.fromkeys(fact.wanted))
        else:
            weak = weak or fact.weak
            agreed.update(dict.fromkeys(fact.sources))
    if not undecided:
        return Fact(not decisive, tuple(agreed), (), weak)
    return Fact(UNKNOWN, tuple({**asked, **agreed}), tuple(wanted), weak_open)


def _not(node: list[Any], scope: Scope) -> Fact:
    fact = evaluate(node[1], scope)
    value = truth(fact)
    return fact._replace(value=UNKNOWN) if value is None else _settled(not value, fact)


def _if(node: list[Any], scope: Scope) -> Fact:
    return evaluate(node[2] if truth(evaluate(node[1], scope)) else node[3], scope)


def _known(node: list[Any], scope: Scope) -> Fact:
    fact = evaluate(node[1], scope)
    return Fact(truth(fact) is not None, fact.sources)


def _unknown(node: list[Any], scope: Scope) -> Fact:
    fact = evaluate(node[1], scope)
    return Fact(truth(fact) is None, fact.sources)


def _seen(node: list[Any], scope: Scope) -> Fact:
    """Whether something is known to be true: what is unknown is not seen."""
    fact = evaluate(node[1], scope)
    return Fact(truth(fact) is True, fact.sources, (), fact.weak)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
    "in": lambda a, b: b is not None and a in b,
    "not in": lambda a, b: b is None or a not in b,
}


def _compare(node: list[Any], scope: Scope) -> Fact:
    left, right = evaluate(node[2], scope), evaluate(node[3], scope)
    for fact in (left, right):
        if fact.value is UNKNOWN:
            return fact
    try:
        found = _COMPARE[node[1]](left.value, right.value)
    except TypeError:
        return _both(False, left, right)
    open_ = _open(node[1], left.value, right.value, found)
    return _both(found, left, right) if open_ is None else unknown(*open_.wanted)


def _open(operator: str, left: Any, right: Any, found: bool) -> Listing | None:
    """The incomplete list whose missing members could still turn the result round."""
    lists = {"in": (right,), "not in": (right,), "==": (left, right), "!=": (left, right)}.get(operator, ())
    if found is (operator == "in"):  # a member that was seen stays one; equal as far as it goes is open
        lists = () if "in" in operator else lists
    return next((one for one in lists if isinstance(one, Listing) and not one.complete), None)


def _length(node: list[Any], scope: Scope) -> Fact:
    fact = evaluate(node[1], scope)
    value = fact.value
    if value is UNKNOWN or (isinstance(value, Listing) and not value.complete):
        return fact._replace(value=UNKNOWN)
    return fact._replace(value=len(value) if isinstance(value, str) else len(_members(value)))


def _members(value: Any) -> Collection[Any]:
    """The members of a list; a thing that is no list has none."""
    is_list = isinstance(value, (tuple, list, set, frozenset)) and not hasattr(value, "_fields")
    return value if is_list else ()


def _join(node: list[Any], scope: Scope) -> Fact:
    fact = evaluate(node[1], scope)
    if fact.value is UNKNOWN:
        return fact
    mark = evaluate(node[2], scope).value if len(node) > 2 else ", "
    return fact._replace(value=str(mark).join(show(item) for item in _members(fact.value)))


def _first(node: list[Any], scope: Scope) -> Fact:
    fact = evaluate(node[1], scope)
    members = tuple(_members(fact.value))
    if members:
        return fact._replace(value=members[0 if node[0] == "first" else -1])
    return fact._replace(value=None) if truth(fact) is False else unknown(*fact.wanted)


def _map_address(node: list[Any], scope: Scope) -> Fact:
    fact = evaluate(node[1], scope)
    if fact.value is UNKNOWN:
        return fact
    return fact._replace(value=tuple(getattr(item, "address", item) for item in _members(fact.value)))


def _brief(node: list[Any], scope: Scope) -> Fact:
    """Devices in a few words each: address, name, driver."""
    fact = evaluate(node[1], scope)
    if fact.value is UNKNOWN:
        return fact
    return fact._replace(value=tuple(getattr(item, "brief", None) or show(item) for item in _members(fact.value)))


def _every(node: list[Any], scope: Scope) -> Fact:
    return _quantified(node, scope, False)


def _some(node: list[Any], scope: Scope) -> Fact:
    return _quantified(node, scope, True)


def _bound(scope: Scope, name: str, item: Any) -> Scope:
    """The scope with one more name; a scope that finds names by itself goes on doing so."""
    bind = getattr(scope, "bind", None)
    return bind(name, item) if bind is not None else {**scope, name: item}


def _quantified(node: list[Any], scope: Scope, decisive: bool) -> Fact:
    """[each/some, name, list, body]: Kleene's all or any over a list that knows whether it is complete."""
    items = evaluate(node[2], scope)
    if items.value is UNKNOWN:
        return items
    if scope.get(_LEFT) is None:
        scope = _bound(scope, _LEFT, [MOST])
    return _kleene(_judged(node, scope, items), decisive, items.sources)


def _judged(node: list[Any], scope: Scope, items: Fact) -> Iterator[Fact]:
    """The body of a quantifier for each member, then what the list does not hold, or nobody looked at."""
    left = scope[_LEFT]
    for item in _members(items.value):
        if left[0] <= 0:
            yield unknown()
            return
        left[0] -= 1
        fact = evaluate(node[3], _bound(scope, node[1], item))
        yield fact if fact.sources else fact._replace(sources=items.sources)
    if isinstance(items.value, Listing) and not items.value.complete:
        yield unknown(*items.value.wanted)


_OPERATIONS: dict[str, Callable[[list[Any], Scope], Fact]] = {
    "get": _get,
    "const": _const,
    "list": _list,
    "and": _and,
    "or": _or,
    "not": _not,
    "if": _if,
    "known": _known,
    "unknown": _unknown,
    "seen": _seen,
    "compare": _compare,
    "length": _length,
    "join": _join,
    "first": _first,
    "last": _first,
    "map_address": _map_address,
    "brief": _brief,
    "every": _every,
    "some": _some,
}
