"""Lowers expressions in Jinja2's syntax to plain lists that JSON can hold.

Used when rules are compiled, never when a host is examined. Only a closed list of node types is taken,
so a rule can compute nothing but comparisons and logic over facts.

>>> lower("a.b and not c['x-y'] is known")
['and', ['get', 'a', 'b'], ['not', ['known', ['get', 'c', 'x-y']]]]
>>> lower_text("bound to {{ d.driver }}")
['bound to ', ['get', 'd', 'driver']]
"""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, TemplateError, nodes

_ENVIRONMENT = Environment(autoescape=False)  # noqa: S701 - it only parses; nothing is rendered with it
_COMPARE = {
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "lteq": "<=",
    "gt": ">",
    "gteq": ">=",
    "in": "in",
    "notin": "not in",
}
_TESTS = ("known", "unknown", "seen")
_FILTERS = ("length", "join", "first", "last", "map_address", "brief")


class ExpressionError(ValueError):
    """An expression that the rule language does not have. The message says which part."""


def lower(text: str) -> list[Any]:
    """The expression `text` as nested lists. Raises ExpressionError."""
    try:
        tree = _ENVIRONMENT.parse("{{ " + text + " }}")
    except TemplateError as error:
        raise ExpressionError(f"{text!r}: {error}") from None
    body = tree.body
    if len(body) != 1 or not isinstance(body[0], nodes.Output) or len(body[0].nodes) != 1:
        raise ExpressionError(f"{text!r}: one expression is wanted")
    return _expression(body[0].nodes[0], text)


def lower_text(text: str) -> list[Any]:
    """A text with `{{ }}` holes as a list of strings and lowered expressions. Raises ExpressionError."""
    try:
        tree = _ENVIRONMENT.parse(text)
    except TemplateError as error:
        raise ExpressionError(f"{text!r}: {error}") from None
    parts: list[Any] = []
    for output in tree.body:
        if not isinstance(output, nodes.Output):
            raise ExpressionError(f"{text!r}: only {{{{ }}}} is allowed in a text")
        for node in output.nodes:
            parts.append(node.data if isinstance(node, nodes.TemplateData) else _expression(node, text))
    return parts


def _expression(node: nodes.Node, text: str) -> list[Any]:
    """One node of the closed list."""
    if isinstance(node, nodes.Const):
        return ["const", node.value]
    if isinstance(node, nodes.TemplateData):
        return ["const", node.data]
    if isinstance(node, (nodes.Name, nodes.Getattr, nodes.Getitem)):
        return ["get", *_path(node, text)]
    if isinstance(node, (nodes.And, nodes.Or)):
        return [type(node).__name__.lower(), _expression(node.left, text), _expression(node.right, text)]
    if isinstance(node, nodes.Not):
        return ["not", _expression(node.node, text)]
    if isinstance(node, nodes.CondExpr):
        other = _expression(node.expr2, text) if node.expr2 is not None else ["const", ""]
        return ["if", _expression(node.test, text), _expression(node.expr1, text), other]
    if isinstance(node, (nodes.List, nodes.Tuple)):
        return ["list", *(_expression(item, text) for item in node.items)]
    return _applied(node, text)


def _applied(node: nodes.Node, text: str) -> list[Any]:
    """Comparisons, tests and filters."""
    if isinstance(node, nodes.Compare):
        left = _expression(node.expr, text)
        parts = [["compare", _COMPARE[op.op], left, _expression(op.expr, text)] for op in node.ops]
        if len(parts) != 1:
            raise ExpressionError(f"{text!r}: one comparison at a time")
        return parts[0]
    if isinstance(node, nodes.Test) and node.name in _TESTS and not node.args:
        return [node.name, _expression(node.node, text)]
    if isinstance(node, nodes.Filter) and node.name in _FILTERS and node.node is not None:
        return [node.name, _expression(node.node, text), *(_expression(a, text) for a in node.args)]
    raise ExpressionError(f"{text!r}: {type(node).__name__} is not part of the rule language")


def _path(node: nodes.Node, text: str) -> list[str]:
    """The names of a dotted path; `a['b-c']` is a.b-c."""
    if isinstance(node, nodes.Name):
        return [node.name]
    if isinstance(node, nodes.Getattr):
        return [*_path(node.node, text), node.attr]
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        return [*_path(node.node, text), node.arg.value]
    raise ExpressionError(f"{text!r}: only names, dots and ['text'] make a path")
