"""Lowers expressions in Jinja2's syntax to plain lists that JSON can hold.

Used when rules are compiled, never when a host is examined. Only a closed list of node types is taken,
so a rule can compute nothing but comparisons and logic over facts. Length and depth are bounded, so is the time
that an expression takes.

>>> lower("a.b and not c['x-y'] is known")
['and', ['get', 'a', 'b'], ['not', ['known', ['get', 'c', 'x-y']]]]
>>> lower_text("bound to {{ d.driver }}")
['bound to ', ['get', 'd', 'driver']]
"""

from __future__ import annotations

import re
from typing import Any

from jinja2 import Environment, TemplateError, nodes

LONGEST = 4096  # characters of an expression or a text
DEEPEST = 32  # things inside one another in it
_ENVIRONMENT = Environment(autoescape=False)  # noqa: S701 - it only parses; nothing is rendered with it
_END = "unexpected 'end of print statement'"  # how Jinja2 says it of its own templates
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


_SIGNS = {
    "Call": ("a call", "("),
    "Add": ("+", "+"),
    "Sub": ("-", "-"),
    "Neg": ("-", "-"),
    "Pos": ("+", "+"),
    "Mul": ("*", "*"),
    "Div": ("/", "/"),
    "FloorDiv": ("//", "//"),
    "Mod": ("%", "%"),
    "Pow": ("**", "**"),
    "Concat": ("~", "~"),
    "Dict": ("a mapping", "{"),
}


class ExpressionError(ValueError):
    """An expression that the rule language does not have. The message says which part; `needle` are its words."""

    def __init__(self, text: str, why: str, needle: str = "") -> None:
        """`text` is the expression, `why` what is wrong with it."""
        short = text if len(text) <= 60 else text[:57] + "..."
        super().__init__(f"{why}: {short!r}")
        self.needle = needle


def lower(text: str) -> list[Any]:
    """The expression `text` as nested lists. Raises ExpressionError."""
    body = _parsed(text, "{{ " + text + " }}")
    if len(body) != 1 or not isinstance(body[0], nodes.Output) or len(body[0].nodes) != 1:
        raise ExpressionError(text, "one expression is wanted")
    return _bounded(text, body[0].nodes[0])


def lower_text(text: str) -> list[Any]:
    """A text with `{{ }}` holes as a list of strings and lowered expressions. Raises ExpressionError."""
    parts: list[Any] = []
    for output in _parsed(text, text):
        if not isinstance(output, nodes.Output):
            raise ExpressionError(text, "only {{ }} is allowed in a text", "{%")
        for node in output.nodes:
            parts.append(node.data if isinstance(node, nodes.TemplateData) else _bounded(text, node))
    return parts


def _parsed(text: str, source: str) -> list[nodes.Node]:
    """What Jinja2 reads in `source`. Raises ExpressionError."""
    if len(text) > LONGEST:
        raise ExpressionError(text, f"longer than {LONGEST} characters")
    try:
        return list(_ENVIRONMENT.parse(source).body)
    except TemplateError as error:
        said = str(error).replace("token 'end of print statement'", "its end").replace(_END, "it ends too early")
        named = re.search(r"got '(.+)'$", said) or re.search(r"unexpected (?:char )?'(.+?)'", said)
        raise ExpressionError(text, re.sub(r" at \d+$", "", said), named.group(1) if named else "") from None
    except RecursionError:
        raise ExpressionError(text, f"more than {DEEPEST} things inside one another") from None


def _bounded(text: str, node: nodes.Node) -> list[Any]:
    """A node lowered, if it is not too deep."""
    try:
        lowered = _expression(node, text)
    except RecursionError:
        raise ExpressionError(text, f"more than {DEEPEST} things inside one another") from None
    level = [lowered]
    for _ in range(DEEPEST):
        level = [part for one in level for part in one if isinstance(part, list)]
    if level:
        raise ExpressionError(text, f"more than {DEEPEST} things inside one another")
    return lowered


def _expression(node: nodes.Node, text: str) -> list[Any]:
    """One node of the closed list."""
    if isinstance(node, nodes.Const):
        return ["const", node.value]
    if isinstance(node, nodes.TemplateData):
        return ["const", node.data]
    if isinstance(node, (nodes.Name, nodes.Getattr, nodes.Getitem)):
        return ["get", *_path(node, text)]
    if isinstance(node, (nodes.And, nodes.Or)):
        return _joined(node, text)
    if isinstance(node, nodes.Not):
        return ["not", _expression(node.node, text)]
    if isinstance(node, nodes.CondExpr):
        other = _expression(node.expr2, text) if node.expr2 is not None else ["const", ""]
        return ["if", _expression(node.test, text), _expression(node.expr1, text), other]
    if isinstance(node, (nodes.List, nodes.Tuple)):
        return ["list", *(_expression(item, text) for item in node.items)]
    return _applied(node, text)


def _joined(node: nodes.And | nodes.Or, text: str) -> list[Any]:
    """`and` or `or` with all its operands side by side."""
    kind = type(node)
    operands: list[nodes.Node] = []
    left: nodes.Node = node
    while isinstance(left, kind):
        operands.append(left.right)
        left = left.left
    name = kind.__name__.lower()
    lowered: list[Any] = [name]
    for operand in [left, *reversed(operands)]:
        one = _expression(operand, text)
        lowered += one[1:] if one[0] == name else [one]
    return lowered


def _applied(node: nodes.Node, text: str) -> list[Any]:
    """Comparisons, tests and filters."""
    if isinstance(node, nodes.Compare):
        left = _expression(node.expr, text)
        parts = [["compare", _COMPARE[op.op], left, _expression(op.expr, text)] for op in node.ops]
        if len(parts) != 1:
            raise ExpressionError(text, "one comparison at a time")
        return parts[0]
    if isinstance(node, nodes.Test) and node.name in _TESTS and not node.args:
        return [node.name, _expression(node.node, text)]
    if isinstance(node, nodes.Filter) and node.name in _FILTERS and node.node is not None:
        return [node.name, _expression(node.node, text), *(_expression(a, text) for a in node.args)]
    words, needle = _SIGNS.get(type(node).__name__, (type(node).__name__, ""))
    if isinstance(node, nodes.Test):
        words, needle = f"is {node.name}", node.name
    if isinstance(node, nodes.Filter):
        words, needle = f"the filter {node.name}", node.name
    raise ExpressionError(text, f"{words} is not part of the rule language", needle)


def _path(node: nodes.Node, text: str) -> list[str]:
    """The names of a dotted path; `a['b-c']` is a.b-c."""
    names: list[str] = []
    while not isinstance(node, nodes.Name):
        if isinstance(node, nodes.Getattr):
            names.append(node.attr)
        elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            names.append(node.arg.value)
        else:
            raise ExpressionError(text, "only names, dots and ['text'] make a path", "[")
        node = node.node
    return [node.name, *reversed(names)]
