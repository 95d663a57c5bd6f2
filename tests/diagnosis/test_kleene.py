"""Kleene's three-valued logic: the tables written out, and what is carried along."""

from __future__ import annotations

from typing import Any

import pytest

from doctor.diagnosis.evaluate import evaluate, fill, show, truth
from doctor.evidence.types import Source
from doctor.facts.fact import UNKNOWN, Fact, Listing, unknown

T, F, U = True, False, None
AND = [
    (T, T, T),
    (T, F, F),
    (T, U, U),
    (F, T, F),
    (F, F, F),
    (F, U, F),
    (U, T, U),
    (U, F, F),
    (U, U, U),
]
OR = [
    (T, T, T),
    (T, F, T),
    (T, U, T),
    (F, T, T),
    (F, F, F),
    (F, U, U),
    (U, T, T),
    (U, F, U),
    (U, U, U),
]
NOT = [(T, F), (F, T), (U, U)]
A, B = ["get", "a"], ["get", "b"]


def source(name: str) -> Source:
    return Source(f"proc/{name}", "paste.txt", 1, name)


def fact(value: bool | None, name: str) -> Fact:
    """A truth with a source, or an unknown with what would settle it."""
    return unknown(f"wanted/{name}") if value is None else Fact(value, (source(name),))


def both(left: bool | None, right: bool | None) -> dict[str, Fact]:
    return {"a": fact(left, "a"), "b": fact(right, "b")}


@pytest.mark.parametrize(("left", "right", "result"), AND)
def test_and(left: bool | None, right: bool | None, result: bool | None) -> None:
    assert truth(evaluate(["and", A, B], both(left, right))) is result


@pytest.mark.parametrize(("left", "right", "result"), OR)
def test_or(left: bool | None, right: bool | None, result: bool | None) -> None:
    assert truth(evaluate(["or", A, B], both(left, right))) is result


@pytest.mark.parametrize(("value", "result"), NOT)
def test_not(value: bool | None, result: bool | None) -> None:
    assert truth(evaluate(["not", A], {"a": fact(value, "a")})) is result


@pytest.mark.parametrize("left", [T, F, U])
@pytest.mark.parametrize("right", [T, F, U])
def test_de_morgan(left: bool | None, right: bool | None) -> None:
    scope = both(left, right)
    other = evaluate(["or", ["not", A], ["not", B]], scope)
    assert truth(evaluate(["not", ["and", A, B]], scope)) is truth(other)


@pytest.mark.parametrize(("value", "known", "is_unknown", "seen"), [(T, T, F, T), (F, T, F, F), (U, F, T, F)])
def test_known_unknown_seen_are_never_unknown(value: bool | None, known: bool, is_unknown: bool, seen: bool) -> None:
    scope = {"a": fact(value, "a")}
    assert truth(evaluate(["known", A], scope)) is known
    assert truth(evaluate(["unknown", A], scope)) is is_unknown
    assert truth(evaluate(["seen", A], scope)) is seen


@pytest.mark.parametrize("operator", ["==", "!=", "<", "<=", ">", ">=", "in", "not in"])
def test_a_comparison_with_the_unknown_is_unknown(operator: str) -> None:
    scope = {"a": unknown("wanted/a")}
    for node in (["compare", operator, A, ["const", 1]], ["compare", operator, ["const", 1], A]):
        found = evaluate(node, scope)
        assert truth(found) is None
        assert found.wanted == ("wanted/a",)


@pytest.mark.parametrize(
    ("operator", "left", "right", "result"),
    [
        ("==", "intel", "intel", T),
        ("==", "intel", "amd", F),
        ("!=", "intel", "amd", T),
        ("==", None, "amd", F),
        ("<", (5, 15), (6, 2), T),
        (">=", (6, 2), (6, 2), T),
        (">=", (6, 10), (6, 2), T),
        ("<", None, (6, 2), F),
        ("in", "a", "abc", T),
        ("in", "a", None, F),
        ("not in", "a", None, T),
        ("not in", "a", ("a",), F),
    ],
)
def test_comparisons(operator: str, left: Any, right: Any, result: bool) -> None:
    found = evaluate(["compare", operator, A, B], {"a": Fact(left), "b": Fact(right)})
    assert truth(found) is result


# Quantifiers: the members' truths, whether the list is complete, and the result.
EVERY = [
    ((), T, T),
    ((T,), T, T),
    ((T, T), T, T),
    ((T, F), T, F),
    ((F, U), T, F),
    ((T, U), T, U),
    ((U,), T, U),
    ((), F, U),
    ((T,), F, U),
    ((T, F), F, F),
    ((U,), F, U),
    ((F, U), F, F),
]
SOME = [
    ((), T, F),
    ((F,), T, F),
    ((F, F), T, F),
    ((T, F), T, T),
    ((T, U), T, T),
    ((F, U), T, U),
    ((U,), T, U),
    ((), F, U),
    ((F,), F, U),
    ((T, F), F, T),
    ((U,), F, U),
    ((T, U), F, T),
]


def members(values: tuple[bool | None, ...], complete: bool) -> dict[str, Any]:
    items = [{"ok": fact(value, f"m{number}")} for number, value in enumerate(values)]
    return {"items": Listing(items, complete, ("wanted/rest",))}


@pytest.mark.parametrize(("values", "complete", "result"), EVERY)
def test_every(values: tuple[bool | None, ...], complete: bool, result: bool | None) -> None:
    node = ["every", "m", ["get", "items"], ["get", "m", "ok"]]
    assert truth(evaluate(node, members(values, complete))) is result


@pytest.mark.parametrize(("values", "complete", "result"), SOME)
def test_some(values: tuple[bool | None, ...], complete: bool, result: bool | None) -> None:
    node = ["some", "m", ["get", "items"], ["get", "m", "ok"]]
    assert truth(evaluate(node, members(values, complete))) is result


@pytest.mark.parametrize("kind", ["every", "some"])
def test_a_list_that_is_unknown_leaves_all_open(kind: str) -> None:
    found = evaluate([kind, "m", A, ["get", "m", "ok"]], {"a": unknown("wanted/a")})
    assert truth(found) is None
    assert found.wanted == ("wanted/a",)


@pytest.mark.parametrize(("kind", "value"), [("every", T), ("some", F)])
def test_an_incomplete_list_says_what_would_complete_it(kind: str, value: bool) -> None:
    found = evaluate([kind, "m", ["get", "items"], ["get", "m", "ok"]], members((value,), False))
    assert found.value is UNKNOWN
    assert found.wanted == ("wanted/rest",)


def test_an_empty_list_is_unknown_only_while_it_is_incomplete() -> None:
    assert truth(Fact(Listing())) is False
    assert truth(Fact(Listing((), complete=False))) is None
    assert truth(Fact(Listing((1,), complete=False))) is True
    assert truth(evaluate(["length", A], {"a": Fact(Listing((1,), complete=False))})) is None
    assert evaluate(["length", A], {"a": Fact(Listing((1, 2)))}).value == 2


def test_what_decides_is_cited_alone() -> None:
    scope = both(True, False)
    assert evaluate(["and", A, B], scope).sources == (source("b"),)
    assert evaluate(["or", A, B], scope).sources == (source("a"),)
    assert evaluate(["or", ["get", "u"], A], {**scope, "u": unknown("x")}).wanted == ()


def test_all_that_agrees_is_cited() -> None:
    assert evaluate(["and", A, B], both(True, True)).sources == (source("a"), source("b"))
    assert evaluate(["or", A, B], both(False, False)).sources == (source("a"), source("b"))


def test_every_open_question_is_wanted_once() -> None:
    scope = {"a": unknown("x", "y"), "b": unknown("y", "z")}
    assert evaluate(["and", A, B], scope).wanted == ("x", "y", "z")
    assert evaluate(["or", A, ["not", B]], scope).wanted == ("x", "y", "z")


def test_a_weak_fact_makes_a_weak_result() -> None:
    scope = {"a": Fact(True, weak=True), "b": Fact(True)}
    assert evaluate(["and", A, B], scope).weak
    assert evaluate(["not", A], scope).weak
    assert not evaluate(["or", B, A], scope).weak


def test_the_unknown_has_no_truth_of_its_own() -> None:
    with pytest.raises(TypeError):
        bool(UNKNOWN)


def test_a_missing_name_is_no_error() -> None:
    assert truth(evaluate(["get", "nobody", "home"], {})) is False


def test_what_is_unknown_on_the_way_makes_the_end_unknown() -> None:
    found = evaluate(["get", "a", "b", "c"], {"a": {"b": unknown("wanted/b")}})
    assert found.value is UNKNOWN
    assert found.wanted == ("wanted/b",)


def test_show_writes_records_as_they_write_themselves() -> None:
    from doctor.facts.cmdline import Note, Slip

    assert show(Listing([Slip("intel_iomu", "intel_iommu", source("x"), "intel_iomu")])) == (
        "`intel_iomu` (meant: `intel_iommu`)"
    )
    assert show(Listing([Note("amd_iommu=on", "It is useless", source("x"))])) == "It is useless"
    assert fill(["is ", A], {"a": unknown()}) == "is unknown"
