"""Documents: where things stand in a YAML file, whatever style they are written in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.knowledge.document import Document, KnowledgeError, Trail

TEXT = """# A comment.
- id: first
  fail: a.b and "c.d"
  quoted: "x y.z"
  folded: >-
    one two.three
    four five.six
  block: |
    one
      two.three
  list: [a, {b: c}, "d"]
  base: &base {k: v, w: x.y}
  merged: {<<: *base, w: z.z}
  again: *base
- id: second
"""


@pytest.mark.parametrize(
    ("trail", "needle", "key", "place"),
    [
        ((), "", False, (2, 1)),
        ((0,), "", False, (2, 3)),
        ((0, "id"), "", False, (2, 7)),
        ((0, "id"), "", True, (2, 3)),
        ((0, "fail"), "", False, (3, 9)),
        ((0, "fail"), "b", False, (3, 11)),
        ((0, "fail"), "c.d", False, (3, 18)),
        ((0, "fail"), "nowhere", False, (3, 9)),
        ((0, "quoted"), "z", False, (4, 16)),
        ((0, "quoted"), "y.z", False, (4, 14)),
        ((0, "folded"), "six", False, (7, 15)),
        ((0, "folded"), "two.three", False, (6, 9)),
        ((0, "block"), "three", False, (10, 11)),
        ((0, "list", 1), "", False, (11, 13)),
        ((0, "list", 1, "b"), "", False, (11, 17)),
        ((0, "list", 1, "b"), "", True, (11, 14)),
        ((0, "list", 7), "", False, (11, 9)),
        ((0, "merged", "w"), "", False, (13, 26)),
        ((0, "merged", "k"), "", False, (12, 19)),
        ((0, "again", "w"), "y", False, (12, 27)),
        ((0, "nothing", "below"), "", False, (2, 3)),
        ((1, "id"), "", False, (15, 7)),
        ((5,), "", False, (2, 1)),
    ],
)
def test_where_things_stand(trail: Trail, needle: str, key: bool, place: tuple[int, int]) -> None:
    assert Document("own.yaml", TEXT).place(trail, needle, key) == place


def test_an_empty_file_has_a_place_too() -> None:
    for text in ("", "# only a comment\n"):
        document = Document("own.yaml", text)
        assert document.value is None
        assert document.place((0, "id")) == (1, 1)


def test_values_are_those_of_yaml() -> None:
    value = Document("own.yaml", TEXT).value
    assert value[0]["folded"] == "one two.three four five.six"
    assert value[0]["merged"] == {"k": "v", "w": "z.z"}
    assert value[0]["again"] == {"k": "v", "w": "x.y"}


def test_the_same_key_of_a_merge_and_beside_it_is_no_repetition() -> None:
    assert Document("own.yaml", "a: &a {x: 1}\nb: {<<: *a, x: 2}\n").value["b"] == {"x": 2}
    with pytest.raises(KnowledgeError, match=r"own\.yaml:1:8: the key x stands here twice"):
        Document("own.yaml", "b: {x: 1, x: 2}\n".replace("x: 1, ", "x, "))


@given(st.text(max_size=60) | st.lists(st.sampled_from("-:[]{}&*a<? \n#'\"|>!%@`,0"), max_size=60).map("".join))
@settings(max_examples=300)
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        document = Document("own.yaml", text)
    except KnowledgeError as error:
        assert str(error).startswith("own.yaml:")
        assert "\n" not in str(error)
        return
    line, column = document.place((0, "a", 1), "a")
    assert line >= 1
    assert column >= 1
