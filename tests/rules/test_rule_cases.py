"""The gate of the rule book: each declared status has a case, each case holds, lint finds planted faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from doctor.diagnosis.cases import Case, all_cases, judge, missing
from doctor.knowledge.compile import KnowledgeError, rule_files, rules_in
from doctor.knowledge.store import load, rules_folder
from doctor.lint import lint

RULES: list[dict[str, Any]] = [rule for path in rule_files(rules_folder()) for rule in rules_in(path)]
CASES = list(all_cases(rules_folder()))
GOOD = """- id: planted
  title: A planted rule
  problem: The planted rule fails
  kind: symptom
  severity: advice
  statuses: [fail, not-applicable]
  fail: cmdline.known and cmdline.igfx_off
  why: It is only a test.
  detail: {fail: The parameter is given.}
  references: ["linux:nowhere"]
  cases:
    - {given: {proc/cmdline: "root=/dev/sda1 intel_iommu=igfx_off"}, expect: fail}
    - {given: {proc/cmdline: "root=/dev/sda1"}, expect: not-applicable}
"""


@pytest.fixture(scope="module")
def knowledge() -> dict[str, Any]:
    return load()


def test_there_are_rules_and_cases() -> None:
    assert len(RULES) > 20
    assert len(CASES) > 2 * len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=[str(rule["id"]) for rule in RULES])
def test_every_declared_status_has_a_case(rule: dict[str, Any]) -> None:
    assert rule["statuses"]
    assert missing(rule) == []


@pytest.mark.parametrize("case", CASES, ids=[case.label for case in CASES])
def test_every_case_holds(case: Case, knowledge: dict[str, Any]) -> None:
    assert judge(case, knowledge) == []


def test_the_gate_sees_a_case_that_does_not_hold(knowledge: dict[str, Any]) -> None:
    right = next(case for case in CASES if case.rule["id"] == "iommu-active" and case.body["expect"] == "pass")
    assert judge(right, knowledge) == []
    assert judge(right._replace(body={**right.body, "expect": "fail"}), knowledge)
    assert judge(right._replace(body={**right.body, "severity": "advice"}), knowledge)
    assert judge(right._replace(body={**right.body, "cause": "no-such-check"}), knowledge)
    assert judge(right._replace(body={**right.body, "problem": "no such heading"}), knowledge)
    assert judge(right._replace(body={**right.body, "remedy": ["reboot"]}), knowledge)


def test_missing_is_seen_both_ways() -> None:
    rule = {"id": "x", "statuses": ["pass", "fail"], "cases": [{"expect": "pass"}, {"expect": "unknown"}]}
    assert missing(rule) == ["no case for fail", "a case for unknown, which the rule does not declare"]


def test_the_built_in_rules_are_clean() -> None:
    assert lint() == []


def plant(folder: Path, text: str) -> list[str]:
    """What lint says of one planted file."""
    folder.mkdir(exist_ok=True)
    (folder / "own.yaml").write_text(text, "utf-8")
    return lint(str(folder))


def test_a_clean_folder_of_ones_own(tmp_path: Path) -> None:
    assert plant(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cmdline.igfx_off", "cmdline.igfx_of", "igfx_off"),
        ("cmdline.known and", "iommu.activ and", "(nearest: active)"),
        ("cmdline.known and", "cmdlin.known and", "(nearest: cmdline)"),
        ("cmdline.known and", "events.intel_optoin_on and", "(nearest: intel_option_on)"),
        ("statuses: [fail, not-applicable]", "statuses: [pass, fail, not-applicable]", "no case for pass"),
        ("statuses: [fail, not-applicable]", "statuses: [fail]", "a case for not-applicable"),
        ("expect: fail}", "expect: not-applicable}", "no case for fail"),
        ("  why:", "  after: [no-such-check]\n  why:", "no-such-check"),
        ("  why:", "  remedy: [{run: {commands: [ls]}, person: Do it.}]\n  why:", "exactly one kind of step"),
        ("  why:", "  remedy: [{when: cmdline.known}]\n  why:", "exactly one kind of step"),
        ("  why:", "  remedy: [{sing_a_song: true}]\n  why:", "exactly one kind of step"),
    ],
    ids=[
        "unknown-fact",
        "unknown-fact-of-iommu",
        "unknown-group",
        "unknown-event",
        "missing-case",
        "undeclared-status",
        "case-of-another-status",
        "after-nothing",
        "two-kinds-of-step",
        "no-kind-of-step",
        "unknown-kind-of-step",
    ],
)
def test_a_planted_fault_is_named(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in GOOD
    problems = plant(tmp_path, GOOD.replace(old, new, 1))
    assert any(said in problem for problem in problems), problems
    assert all("\n" not in problem for problem in problems)


def test_a_problem_names_file_and_line(tmp_path: Path) -> None:
    problems = plant(tmp_path, "# a comment\n\n" + GOOD.replace("cmdline.known and", "iommu.activ and"))
    assert len(problems) == 1
    assert problems[0].startswith(f"{tmp_path / 'own.yaml'}:9:15: planted: ")


def test_a_case_that_does_not_hold_is_a_problem(tmp_path: Path) -> None:
    problems = plant(tmp_path, GOOD.replace('root=/dev/sda1 intel_iommu=igfx_off"', 'root=/dev/sda1 quiet"'))
    assert len(problems) == 1
    assert "case 1" in problems[0]
    assert "expected fail" in problems[0]


def test_a_cycle_is_named(tmp_path: Path) -> None:
    other = GOOD.replace("id: planted", "id: other").replace("  why:", "  after: [planted]\n  why:")
    problems = plant(tmp_path, GOOD.replace("  why:", "  after: [other]\n  why:") + other)
    cycles = [problem for problem in problems if "cycle" in problem]
    assert len(cycles) == 1
    assert "planted" in cycles[0]
    assert "other" in cycles[0]


def test_a_rule_that_follows_from_itself_is_a_cycle(tmp_path: Path) -> None:
    assert any(
        "planted -> planted" in problem
        for problem in plant(tmp_path, GOOD.replace("  why:", "  after: [planted]\n  why:"))
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("- id: x\n  title: [unclosed\n", ":3:1"),
        ("- id: x\n\ttitle: tabs\n", ":2:1"),
        ("- id: 'x\n  title: y", ":"),
    ],
    ids=["unclosed-list", "tab", "unclosed-quote"],
)
def test_bad_yaml_names_line_and_column(text: str, place: str, tmp_path: Path) -> None:
    problems = plant(tmp_path, text)
    assert len(problems) == 1
    assert problems[0].startswith(f"{tmp_path / 'own.yaml'}{place}")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param("severity: advice", "severity: dreadful", "dreadful"),
        pytest.param("kind: symptom", "kind: simptom", "simptom"),
        pytest.param("kind: symptom", "scope: devices", "devices"),
        pytest.param("statuses: [fail,", "statuses: [failed,", "failed"),
        ("kind: symptom", "knid: symptom", "knid"),
        ("fail: cmdline.known and cmdline.igfx_off", "fail: cmdline.known +", ""),
        ("fail: cmdline.known and cmdline.igfx_off", "fail: range(10)", ""),
        ("- id: planted\n  title:", "- title:", "`id` is missing"),
    ],
    ids=["severity", "kind", "scope", "status", "key", "syntax", "function-call", "no-id"],
)
def test_a_rule_that_cannot_be_compiled_is_a_problem(old: str, new: str, said: str, tmp_path: Path) -> None:
    problems = plant(tmp_path, GOOD.replace(old, new, 1))
    assert len(problems) == 1
    assert str(tmp_path / "own.yaml") in problems[0]
    assert said in problems[0]


def test_a_rule_defined_twice_is_a_problem(tmp_path: Path) -> None:
    assert any("defined" in problem for problem in plant(tmp_path, GOOD + GOOD))


def test_rules_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="nowhere"):
        lint(str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    "text",
    ["just words\n", "rules:\n  - id: x\n", "- one\n- two\n", pytest.param("42\n")],
    ids=["text", "mapping", "list-of-texts", "number"],
)
def test_a_file_that_is_no_list_of_rules_is_a_problem(text: str, tmp_path: Path) -> None:
    problems = plant(tmp_path, text)
    assert problems
    assert all(problem.startswith(f"{tmp_path / 'own.yaml'}:") for problem in problems)
