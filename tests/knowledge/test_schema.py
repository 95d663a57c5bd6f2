"""The schemas of `rules/schema/`: every file keeps to its own, and the compiler reads them as editors do."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from doctor.knowledge.compile import compile_rule
from doctor.knowledge.document import Document, KnowledgeError, read
from doctor.knowledge.schema import _KEYWORDS, _PLAIN, load_schema, schema_of, violations
from doctor.knowledge.store import rules_folder
from doctor.treatment.steps import KINDS

FOLDER = rules_folder()
FILES = sorted(path for path in FOLDER.rglob("*.yaml"))
SCHEMAS = sorted(path.stem for path in (FOLDER / "schema").glob("*.json"))
RULE: dict[str, Any] = {
    "id": "planted",
    "title": "T",
    "severity": [{"when": "vendor == 'amd'", "is": "risk"}, {"is": "advice"}],
    "scope": "target",
    "kind": "symptom",
    "fail": {"or": ["cmdline.known", {"each": "one in target.twins", "any": {"not": "one.address"}}]},
    "statuses": ["fail", "not-applicable"],
    "after": ["iommu-active"],
    "detail": {"fail": [{"when": "vendor", "text": "{{ vendor }}"}, {"text": "x"}], "pass": "y"},
    "remedy": [
        {"when": "vendor", "kernel_parameter": {"add": ["a=b"]}, "why": "w"},
        {"otherwise": True, "module_option": {"module": "m", "set": {"a": "1"}}, "optional": True},
        {"firmware": {"settings": ["vt_d"]}, "risk": "r"},
        {"person": "p"},
        {"apply_boot_config": True},
    ],
    "references": ["r"],
    "cases": [
        {"given": {"proc/cmdline": "x"}, "expect": "fail", "remedy": ["person", {"person": "p"}]},
        {"paste": "x", "expect": "not-applicable", "device": "01:00.0"},
        {"sample": "lab/x", "changes": {"a": None, "b": "c"}, "expect": "fail", "says": "x", "cause": "y"},
    ],
}


def both(value: Any, schema: dict[str, Any]) -> tuple[bool, bool]:
    """Whether the compiler's reading of the schema takes a value, and whether jsonschema's does."""
    own = not any(True for _ in violations(value, schema))
    return own, Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_and_uses_what_the_compiler_knows(name: str) -> None:
    schema = json.loads((FOLDER / "schema" / f"{name}.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"]

    def words(part: Any) -> set[str]:
        if isinstance(part, list):
            return set().union(*map(words, part))
        if not isinstance(part, dict):
            return set()
        found = set(part)
        for word, inner in part.items():
            if word in ("properties", "$defs"):
                found |= set().union(*map(words, inner.values()))
            elif word not in ("examples", "default", "enum", "const", "required"):
                found |= words(inner)
        return found

    assert words(schema) <= set(_KEYWORDS) | _PLAIN


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_every_file_names_its_schema_and_keeps_to_it(path: Path) -> None:
    name = schema_of(path, FOLDER)
    first, _, given_path = path.read_text("utf-8").partition("\n")[0].partition("=")
    assert first == "# yaml-language-server: $schema"
    assert (path.parent / given_path).resolve() == (FOLDER / "schema" / f"{name}.json").resolve()
    assert both(read(path).value, load_schema(name)) == (True, True)


def test_every_schema_of_rules_has_a_file() -> None:
    assert {schema_of(path, FOLDER) for path in FILES} == set(SCHEMAS) - {"waivers"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_a_wrong_key_is_refused_in_every_file(path: Path) -> None:
    value = deepcopy(read(path).value)
    (value[0] if isinstance(value, list) else value)["wrnog"] = "x"
    schema = load_schema(schema_of(path, FOLDER))
    assert both(value, schema) == (False, False)
    assert any("no such key: wrnog" in found.text for found in violations(value, schema))


def test_the_kinds_of_steps_are_those_that_are_carried_out() -> None:
    step = load_schema("rules")["$defs"]["step"]
    assert set(KINDS) == set(step["properties"]) - {"when", "otherwise", "optional", "why", "risk"}


def test_the_planted_rule_is_right() -> None:
    assert both([RULE], load_schema("rules")) == (True, True)
    assert compile_rule(RULE)["id"] == "planted"


WRONG: list[tuple[tuple[Any, ...], Any, str]] = [
    (("id",), "Planted Rule", "not of the form"),
    (("id",), None, "a text is wanted, not nothing"),
    (("title",), ["x"], "a text is wanted, not a list"),
    (("severity",), "dreadful", "no such severity: dreadful (there are blocker, risk, advice)"),
    (("severity", 0, "is"), "bad", "no such severity: bad"),
    (("severity", 0, "if"), "vendor", "no such key: if"),
    (("severity",), [], "nothing stands in it"),
    (("scope",), "devices", "no such scope: devices"),
    (("kind",), "simptom", "no such kind: simptom"),
    (("fail",), 5, ""),
    (("fail", "or"), "x", ""),
    (("fail", "or", 1, "each"), "one of target.twins", ""),
    (("fail",), {"xor": ["a", "b"]}, ""),
    (("statuses",), ["failed"], "no such status: failed"),
    (("after",), "iommu-active", "a list is wanted, not a text"),
    (("detail", "broken"), "x", "no such key: broken"),
    (("detail", "fail", 0, "txt"), "x", "no such key: txt (nearest: text)"),
    (("remedy", 0, "person"), "x", "a remedy needs exactly one kind of step"),
    (("remedy", 0, "kernel_parameter"), {}, "nothing stands in it"),
    (("remedy", 0, "kernel_parameter", "ad"), ["x"], "no such key: ad (nearest: add)"),
    (("remedy", 1, "optional"), "yes", "true or false is wanted, not a text"),
    (("remedy", 1, "module_option", "set", "a"), 1, "a text is wanted, not a whole number"),
    (("remedy", 4, "apply_boot_config"), False, "only true is possible here"),
    (("gate",), "yes", "true or false is wanted, not a text"),
    (("cases", 0, "expects"), "x", "no such key: expects (nearest: expect)"),
    (("cases", 0, "paste"), "x", "a case needs exactly one of given, paste and sample"),
    (("cases", 0, "given"), {}, "nothing stands in it"),
    (("cases", 2, "sample"), "../x", "not of the form"),
    (("cases", 1, "expect"), "failed", "no such status: failed"),
    (("cases", 0, "remedy", 0), "reboot", ""),
    ((True,), "x", "put it in quotes"),
]


def with_value(trail: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The planted rule with another value at `trail`."""
    rule = deepcopy(RULE)
    holder: Any = rule
    for step in trail[:-1]:
        holder = holder[step]
    holder[trail[-1]] = value
    return rule


@pytest.mark.parametrize(("trail", "value", "said"), WRONG, ids=lambda part: str(part)[:30])
def test_what_is_wrong_is_refused_by_both(trail: tuple[Any, ...], value: Any, said: str) -> None:
    rule = with_value(trail, value)
    schema = load_schema("rules")
    if all(isinstance(step, (str, int)) and step is not True for step in trail):
        assert not Draft202012Validator(schema).is_valid([rule])
    found = list(violations([rule], schema))
    assert any(said in one.text for one in found)
    assert all(one.trail[0] == 0 for one in found)
    with pytest.raises(KnowledgeError):
        compile_rule(rule)


@pytest.mark.parametrize("name", ["id", "title", "severity", "fail"])
def test_what_lacks_is_refused_by_both(name: str) -> None:
    rule = {key: value for key, value in RULE.items() if key != name}
    assert both([rule], load_schema("rules")) == (False, False)
    with pytest.raises(KnowledgeError):
        compile_rule(rule)


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "fail", "risk", "person", "a in b"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["each", "any", "all", "and", "or", "not", "when", "is", "text", "person", "given", "id", "x"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)
PLACES = [
    (name, document)
    for name, document in (
        ("rules", [RULE]),
        ("messages", read(FOLDER / "messages" / "hosts.yaml").value[:2]),
        ("parameters", {key: items[:2] for key, items in read(FOLDER / "parameters" / "kernel.yaml").value.items()}),
        ("platform", read(FOLDER / "platforms" / "proxmox.yaml").value),
        ("kernel", read(FOLDER / "platforms" / "kernel.yaml").value),
    )
]


@given(st.sampled_from(PLACES), st.data())
@settings(max_examples=400, deadline=None)
def test_the_compiler_and_editors_agree_on_any_document(place: tuple[str, Any], data: st.DataObject) -> None:
    name, document = place
    document = deepcopy(document)
    holder = document
    for _ in range(data.draw(st.integers(0, 4))):
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        inside = [key for key in keys if isinstance(holder[key], (dict, list)) and holder[key]]
        if not inside:
            break
        holder = holder[data.draw(st.sampled_from(inside))]
    if isinstance(holder, dict):
        key = data.draw(st.sampled_from([*holder, "wrong", "when", "any", "text"]))
    else:
        key = data.draw(st.integers(0, len(holder) - 1))
    if data.draw(st.booleans()) and isinstance(holder, dict) and key in holder:
        del holder[key]
    else:
        holder[key] = data.draw(JSON)
    own, others = both(document, load_schema(name))
    assert own == others


@given(JSON)
@settings(max_examples=200, deadline=None)
def test_any_document_is_taken_or_refused(value: Any) -> None:
    for name in SCHEMAS:
        own, others = both(value, load_schema(name))
        assert own == others


def test_keys_that_are_no_texts_are_named() -> None:
    document = Document("own.yaml", "- on: x\n  2: y\n")
    texts = [found.text for found in violations(document.value, load_schema("rules"))]
    assert any("a key is a text, and True is none" in text for text in texts)
    assert any("a key is a text, and 2 is none" in text for text in texts)
