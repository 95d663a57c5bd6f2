"""The rule language: the tables of docs/rules.md hold row by row, and no rule takes long or breaks the evaluator."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.diagnosis import evaluate as evaluator
from doctor.diagnosis.evaluate import evaluate, truth
from doctor.facts.fact import Fact, Listing, unknown
from doctor.knowledge.compile import compile_rule
from doctor.knowledge.document import Document, Fault, KnowledgeError
from doctor.knowledge.lower import DEEPEST, LONGEST, ExpressionError, lower, lower_text

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "rules.md"
TRUTHS: dict[str, bool | None] = {"true": True, "false": False, "unknown": None}
RULE: dict[str, Any] = {"id": "x", "title": "T", "severity": "advice", "pass": "vendor"}


def tables(heading: str) -> list[list[str]]:
    """The rows of the table of the document whose first cell is `heading`, its head first."""
    lines = DOCUMENT.read_text("utf-8").splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    end = next(number for number, line in enumerate(lines[begin:], begin) if not line.startswith("|"))
    rows = [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in lines[begin:end]
    ]
    return [rows[0], *rows[2:]]


def fact(word: str) -> Fact:
    value = TRUTHS[word]
    return unknown() if value is None else Fact(value)


def column(table: list[list[str]], names: tuple[str, ...]) -> list[tuple[str, dict[str, Fact], bool | None]]:
    """Each cell of a truth table: the expression, the facts of its row, the truth that it must have."""
    head, *rows = table
    return [
        (head[number], {name: fact(row[at]) for at, name in enumerate(names)}, TRUTHS[row[number]])
        for row in rows
        for number in range(len(names), len(head))
    ]


LOGIC = column(tables("a | b"), ("a", "b")) + column(tables("a | not a"), ("a",))


def test_the_tables_are_whole() -> None:
    assert len(tables("a | b")) == 1 + 9
    assert len(tables("a | not a")) == 1 + 3
    assert len(LOGIC) == 9 * 4 + 3 * 5
    assert len(tables("Expression")) > 20
    kinds = [(frozenset(row[0].split(", ")), row[1]) for row in tables("members")[1:]]
    assert len(set(kinds)) == len(kinds) == 2 * 8 + 1


@pytest.mark.parametrize(("expression", "scope", "value"), LOGIC)
def test_logic(expression: str, scope: dict[str, Fact], value: bool | None) -> None:
    assert truth(evaluate(lower(expression), scope)) is value


@pytest.mark.parametrize(("cell", "value"), [tuple(row) for row in tables("Expression")[1:]])
def test_expressions(cell: str, value: str) -> None:
    scope = {
        "x": unknown(),
        "n": None,
        "v": Fact((6, 2)),
        "l": Listing(("a",), complete=False),
        "e": Listing((), complete=False),
    }
    assert truth(evaluate(lower(cell.strip("`")), scope)) is TRUTHS[value]


@pytest.mark.parametrize(("members", "kind", "some", "every"), [tuple(row) for row in tables("members")[1:]])
def test_quantifiers(members: str, kind: str, some: str, every: str) -> None:
    items = [] if members == "none" else [{"ok": fact(word)} for word in members.split(", ")]
    listed: Any = unknown() if kind == "unknown" else Listing(items, kind == "complete")
    for how, said in (("any", some), ("all", every)):
        rule = compile_rule({**RULE, "pass": {"each": "one in list", how: "one.ok"}})
        for scope in ({"list": listed}, {"list": Listing(reversed(items), listed.complete)} if items else {}):
            if scope:
                assert truth(evaluate(rule["pass"], scope)) is TRUTHS[said]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(" * 5000 + "a" + ")" * 5000, "longer than"),
        ("(" * 1500 + "a" + ")" * 1500, "inside one another"),
        ("not " * 900 + "a", "inside one another"),
        ("[" * 800 + "]" * 800, "inside one another"),
        ("a" + " | first" * 400, "inside one another"),
        ("a if b else " * 200 + "c", "inside one another"),
        ("9 ** " * 500 + "9", "not part of the rule language"),
        ("a " * 2040, "expected its end"),
        ("a" + ".b" * 2100, "longer than"),
        ("'" + "x" * LONGEST + "'", "longer than"),
        ("a.__class__()", "not part of the rule language"),
        ("''.join(a)", "not part of the rule language"),
        ("range(10**9)", "not part of the rule language"),
        ("{% for a in b %}{% endfor %}", "unexpected"),
    ],
    ids=lambda text: text[:12],
)
def test_hostile_expressions_are_refused(text: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=said) as caught:
        lower(text)
    assert len(str(caught.value)) < 300


def test_long_and_flat_is_allowed() -> None:
    assert len(lower(" and ".join(["a"] * 500))) == 501
    assert len(lower(" or ".join(["a and b"] * 300))) == 301
    assert lower("a" + ".b" * 2000) == ["get", "a", *["b"] * 2000]
    assert truth(evaluate(lower(" and ".join(["a"] * 500)), {"a": Fact(True)})) is True
    assert lower("not " * (DEEPEST - 1) + "a")[0] == "not"


def test_a_long_chain_of_names_leads_nowhere() -> None:
    assert truth(evaluate(lower("a" + ".b" * 2000), {"a": Fact("text")})) is False


def test_names_of_python_lead_nowhere() -> None:
    for name in ("__class__", "__init__.__globals__", "format", "_fields", "count", "lookup"):
        for value in ("text", (1, 2), 5, Fact("text"), Listing((1,))):
            assert truth(evaluate(lower(f"a.{name}"), {"a": value})) is False


class Counting(tuple[Any, ...]):
    """A list that counts how many of its members were looked at."""

    seen = 0

    def __iter__(self) -> Any:
        for item in super().__iter__():
            type(self).seen += 1
            yield item


@pytest.mark.parametrize("how", ["any", "all"])
def test_quantifiers_look_at_so_many_members_and_no_more(how: str) -> None:
    Counting.seen = 0
    body = "one == two" if how == "any" else "one != two"
    inner = {"each": "two in others", how: body}
    rule = compile_rule({**RULE, "pass": {"each": "one in list", how: inner}})
    scope = {"list": Counting(range(3000)), "others": Counting(range(5000, 8000))}
    assert truth(evaluate(rule["pass"], scope)) is None
    assert Counting.seen <= evaluator.MOST + 3000
    short = {"list": Counting(range(30)), "others": Counting(range(50, 80))}
    assert truth(evaluate(rule["pass"], short)) is (how == "all")


def test_each_stands_in_each_once() -> None:
    def nested(depth: int) -> Any:
        return "a" if depth == 0 else {"each": f"x{depth} in events.e{depth}", "any": nested(depth - 1)}

    assert compile_rule({**RULE, "pass": nested(2)})
    for deep in (nested(3), {"and": ["a", {"not": nested(3)}]}, nested(30)):
        with pytest.raises(Fault, match="more than 2 `each`"):
            compile_rule({**RULE, "pass": deep})


def test_a_condition_has_no_if() -> None:
    with pytest.raises(Fault, match="belongs in texts"):
        compile_rule({**RULE, "pass": "a and (b if c else d)"})
    assert compile_rule({**RULE, "detail": {"pass": "{{ b if c else d }}"}})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "inside one another"),
        ("- " * 10_000 + "a", "inside one another"),
        ("{a: " * 5_000, "inside one another"),
        ("a: &a [*a]", "holds itself"),
        ("\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9 if n else ['x'])}]" for n in range(12)), "unfolds"),
        (
            "\n".join(f"a{n}: &a{n} {{{f'<<: [*a{n - 1}, *a{n - 1}]' if n else 'x: 1'}}}" for n in range(30)),
            "unfolds",
        ),
        ("x" * 2_000_000, "longer than"),
        ("a: 1\nb: 2\na: 3\n", "3:1: the key a stands here twice"),
        ("!!python/object/apply:os.system [id]", "constructor"),
        ("day: 2024-13-40", "month"),
        ("a: \x00", "special characters"),
    ],
    ids=["flow", "block", "mappings", "circle", "laughs", "merges", "long", "twice", "object", "date", "nul"],
)
def test_hostile_files_are_refused(text: str, said: str) -> None:
    with pytest.raises(KnowledgeError, match=said) as caught:
        Document("own.yaml", text)
    assert str(caught.value).startswith("own.yaml:")
    assert len(str(caught.value)) < 300


NAMES = ("a", "b.c", "x['y-z']", "'x'", "1", "true", "known", "unknown", "seen")
FILTERS = ("length", "first", "last", "join", "brief", "map_address")
SIGNS = ("and", "or", "not", "in", "is", "if", "else", "==", "!=", "<", ">=", "|", "**", ".", "(", ")", "[", "]", ",")
ODD = ("{{", "}}", "%}", "\\", '"', "é", "\x00")
WORDS = st.sampled_from((*NAMES, *FILTERS, *SIGNS, *ODD))
TEXTS = st.lists(WORDS, max_size=14).map(" ".join) | st.text(max_size=40)


@given(TEXTS)
@settings(max_examples=300)
def test_every_text_is_lowered_or_refused(text: str) -> None:
    for reading in (lower, lower_text):
        try:
            reading(text)
        except ExpressionError as error:
            assert "\n" not in str(error)


VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just((6, 2)),
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple)
        | st.lists(inner, max_size=3).map(lambda items: Listing(items, complete=False))
        | inner.map(Fact)
        | st.dictionaries(st.sampled_from(["b", "c", "y-z"]), inner, max_size=2)
        | st.just(unknown("proc/cmdline"))
    ),
    max_leaves=6,
)
UNARY = ("not", "known", "unknown", "seen", "length", "first", "last", "join", "map_address", "brief")
OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "in", "not in")
LEAVES = st.sampled_from([["get", "a"], ["get", "a", "b"], ["get", "x", "y-z"], ["const", 1], ["const", "x"], ["list"]])
NODES: Any = st.recursive(
    LEAVES,
    lambda inner: (
        st.tuples(st.sampled_from(["and", "or", "list"]), inner, inner).map(list)
        | st.tuples(st.sampled_from(UNARY), inner).map(list)
        | st.tuples(st.just("compare"), st.sampled_from(OPERATORS), inner, inner).map(list)
        | st.tuples(st.sampled_from(["some", "every"]), st.just("a"), inner, inner).map(list)
    ),
    max_leaves=6,
)


@given(NODES, st.fixed_dictionaries({"a": VALUES, "x": VALUES}))
@settings(max_examples=400)
def test_no_expression_raises_whatever_it_is_asked_of(node: list[Any], scope: dict[str, Any]) -> None:
    assert truth(evaluate(node, scope)) in (True, False, None)
    opposite = {True: False, False: True, None: None}
    assert truth(evaluate(["not", node], scope)) is opposite[truth(evaluate(node, scope))]
