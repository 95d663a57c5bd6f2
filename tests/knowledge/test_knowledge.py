"""The rule language, the compiler, and the cache of what was compiled."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from doctor.knowledge import store
from doctor.knowledge.compile import KnowledgeError, compile_folder, compile_rule, split_template
from doctor.knowledge.lower import ExpressionError, lower, lower_text
from doctor.knowledge.store import load


@pytest.mark.parametrize(
    ("text", "lowered"),
    [
        ("a", ["get", "a"]),
        ("a.b['c-d']", ["get", "a", "b", "c-d"]),
        ("not a", ["not", ["get", "a"]]),
        ("a and b or c", ["or", ["and", ["get", "a"], ["get", "b"]], ["get", "c"]]),
        ("a == 'x'", ["compare", "==", ["get", "a"], ["const", "x"]]),
        ("a not in b", ["compare", "not in", ["get", "a"], ["get", "b"]]),
        ("a < [6, 2]", ["compare", "<", ["get", "a"], ["list", ["const", 6], ["const", 2]]]),
        ("a is known", ["known", ["get", "a"]]),
        ("a is not seen", ["not", ["seen", ["get", "a"]]]),
        ("a | join(', ')", ["join", ["get", "a"], ["const", ", "]]),
        ("a if b else c", ["if", ["get", "b"], ["get", "a"], ["get", "c"]]),
        ("true", ["const", True]),
    ],
)
def test_expressions(text: str, lowered: list[Any]) -> None:
    assert lower(text) == lowered
    assert json.loads(json.dumps(lower(text))) == lowered


@pytest.mark.parametrize(
    "text",
    [
        "f()",
        "a.f()",
        "a + b",
        "a * 2",
        "a ~ b",
        "a | upper",
        "a is defined",
        "a is divisibleby(3)",
        "a[0]",
        "a[b]",
        "a[1:2]",
        "{}",
        "{'a': 1}",
        "a <= b <= c",
        "a }} b {{ c",
        "",
        "a b",
        "(",
        "'",
        "{% if a %}",
        "a | join(', ') | tojson",
        "-a",
        "a ** b",
        "loop.index()",
    ],
)
def test_nothing_else_is_an_expression(text: str) -> None:
    with pytest.raises(ExpressionError):
        lower(text)


@pytest.mark.parametrize(
    "text", ["{% for a in b %}x{% endfor %}", "{% set a = 1 %}", "{{ f() }}", "{{ a", "{% include 'x' %}"]
)
def test_texts_have_holes_only(text: str) -> None:
    with pytest.raises(ExpressionError):
        lower_text(text)


def test_a_text_with_holes() -> None:
    assert lower_text("a {{ b.c }} d") == ["a ", ["get", "b", "c"], " d"]
    assert lower_text("{# a comment #}plain") == ["plain"]


@pytest.mark.parametrize("line", ["x", "{a}", "{a} b", "ab {c}", "{a:nokind} long enough", "   {a}long enough"])
def test_templates_that_cannot_be_found_are_refused(line: str) -> None:
    with pytest.raises(KnowledgeError):
        split_template(line)


def test_unknown_keys_and_missing_conditions_are_refused() -> None:
    good = {"id": "x", "title": "t", "severity": "advice", "pass": "a"}
    assert compile_rule(good)["pass"] == ["get", "a"]
    for bad in (
        {**good, "cause": "y"},
        {"id": "x", "title": "t", "severity": "advice"},
        {**good, "pass": {"any": "a"}},
    ):
        with pytest.raises(KnowledgeError):
            compile_rule(bad)


def test_what_is_compiled_is_what_is_loaded_and_holds_no_cases() -> None:
    known = load()
    assert json.loads(json.dumps(compile_folder(store.rules_folder()))) == known
    assert all("cases" not in rule for rule in known["rules"])
    assert not [entry for entry in known["messages"] if "samples" in entry]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of its own, filled once; what `make` compiled is put aside."""
    monkeypatch.setattr(store, "_fresh", lambda: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    load()
    (file,) = (tmp_path / "passdoctor").iterdir()
    return file


def poison(file: Path) -> None:
    """A cache whose rules are somebody else's."""
    known = json.loads(file.read_bytes())
    known["rules"] = []
    file.write_text(json.dumps(known))


def test_the_cache_is_used_and_is_private(cache: Path) -> None:
    assert cache.stat().st_mode & 0o077 == 0
    assert cache.parent.stat().st_mode & 0o022 == 0
    poison(cache)
    assert load()["rules"] == []


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_cache_that_others_may_write_is_ignored(mode: int, cache: Path) -> None:
    poison(cache)
    cache.chmod(mode)
    assert load()["rules"]


def test_a_cache_that_is_a_link_is_ignored(cache: Path, tmp_path: Path) -> None:
    poison(cache)
    cache.rename(tmp_path / "elsewhere.json")
    cache.symlink_to(tmp_path / "elsewhere.json")
    assert load()["rules"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_cache_of_somebody_else_is_ignored(cache: Path) -> None:
    poison(cache)
    os.chown(cache, 12345, 12345)
    assert load()["rules"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"rules"'])
def test_a_broken_cache_is_compiled_anew(content: bytes, cache: Path) -> None:
    cache.write_bytes(content)
    assert load()["rules"]
    cache.unlink(missing_ok=True)
    assert load()["rules"]


@pytest.mark.parametrize("home", ["", "relative/path", "/proc/nowhere"])
def test_no_cache_is_no_error(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", home)
    monkeypatch.setenv("HOME", home)
    assert load()["rules"]


def test_another_text_of_the_rules_is_another_cache(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("- x\n")
    one = store._fingerprint(tmp_path)
    (tmp_path / "a.yaml").write_text("- y\n")
    two = store._fingerprint(tmp_path)
    (tmp_path / "a.yaml").rename(tmp_path / "b.yaml")
    assert len({one, two, store._fingerprint(tmp_path)}) == 3
