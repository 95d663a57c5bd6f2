"""The mutation run catches a clause that no case needs, and is content where each is needed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

from doctor.knowledge.compile import compile_rule, rules_in
from doctor.knowledge.lower import lower
from doctor.knowledge.store import rules_folder

ROOT = Path(__file__).resolve().parents[2]
RULE = """- id: small
  title: A small rule
  problem: The small rule fails
  kind: symptom
  severity:
    - {when: "kernel < [6, 2]", is: risk}
    - {is: advice}
  statuses: [fail, not-applicable]
  fail: cmdline.igfx_off and not cmdline.acs_override
  detail:
    fail:
      - {when: cmdline.enables_intel, text: The parameter counts.}
      - text: The parameter is given.
  remedy:
    - when: cmdline.enables_intel
      person: Take it out.
  cases:
    - given: {proc/cmdline: "a intel_iommu=on,igfx_off", cmd/uname-a: "Linux h 6.1.0 #1 SMP"}
      expect: fail
      severity: risk
      says: counts
      remedy: [person]
    - given: {proc/cmdline: "a intel_iommu=igfx_off", cmd/uname-a: "Linux h 6.2.0 #1 SMP"}
      expect: fail
      severity: advice
      says: The parameter is given.
      remedy: []
    - {given: {proc/cmdline: "a intel_iommu=igfx_off pcie_acs_override=downstream"}, expect: not-applicable}
    - {given: {proc/cmdline: "a quiet"}, expect: not-applicable}
"""


def tool() -> Any:
    """`tools/mutate.py`, which is no package."""
    spec = importlib.util.spec_from_file_location("mutate", ROOT / "tools/mutate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def mutate() -> Any:
    return tool()


def survivors(mutate: Any, folder: Path, text: str) -> list[tuple[str, str]]:
    """Place (without the file) and name of each change that survives in one file of rules."""
    path = folder / "own.yaml"
    path.write_text(text, "utf-8")
    outcome = mutate.examine((str(path), 0, mutate.load_knowledge(str(path))))
    assert sum(outcome.tried.values()) > 10
    return [(place.removeprefix(f"{path}:"), name) for place, _, name in outcome.survived]


def test_a_rule_whose_cases_need_each_clause(mutate: Any, tmp_path: Path) -> None:
    assert survivors(mutate, tmp_path, RULE) == []


@pytest.mark.parametrize(
    ("old", "new", "place", "name"),
    [
        ("igfx_off and", "igfx_off and cmdline.known and", "9:30", "fail: drop cmdline.known"),
        ("      severity: risk\n", "", "6:7", "severity: drop number 1"),
        ("      says: counts\n", "", "12:9", "detail.fail: drop number 1"),
        ("      remedy: [person]\n", "", "15:7", "remedy: drop number 1"),
        ("6.2.0", "6.3.0", "6:15", "severity.1.when: move kernel < [6, 2]"),
        ("a quiet", "a pcie_acs_override=downstream", "9:9", "fail: drop cmdline.igfx_off"),
    ],
    ids=["clause", "severity", "detail", "remedy", "boundary", "case"],
)
def test_a_change_that_no_case_notices(old: str, new: str, place: str, name: str, mutate: Any, tmp_path: Path) -> None:
    assert old in RULE
    assert (place, name) in survivors(mutate, tmp_path, RULE.replace(old, new, 1))


def test_the_run_says_where_and_fails(mutate: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(RULE.replace("      says: counts\n", ""), "utf-8")
    assert mutate._report([mutate.examine((str(path), 0, mutate.load_knowledge(str(path))))], {}, True) == 1
    out = capsys.readouterr().out
    assert f"{path}:12:9: small: survived: detail.fail: drop number 1\n" in out
    excuse = {("small", "detail.fail: drop number 1"): "because"}
    outcome = [mutate.Outcome(mutate.Counter(detail=2), [("own.yaml:12:9", "small", "detail.fail: drop number 1")])]
    assert mutate._report(outcome, excuse, False) == 0
    assert mutate._report([], excuse, False) == 1
    assert "does not survive, so it needs no excuse" in capsys.readouterr().out


def test_a_case_that_does_not_hold_stops_the_run(mutate: Any, tmp_path: Path) -> None:
    with pytest.raises(mutate.KnowledgeError, match="small: case 1 does not hold"):
        survivors(mutate, tmp_path, RULE.replace("severity: risk", "severity: blocker"))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a", ["negate a"]),
        ("not a", ["negate a"]),
        ("a or b", ["drop a", "negate a", "drop b", "negate b"]),
        ("a >= 2", ["negate a >= 2", "move a >= 2"]),
        ("a in ['x', 'y']", [f"{what} a in ['x', 'y']" for what in ("negate", "drop 'x' of", "drop 'y' of")]),
        ("(a and b) is seen", ["negate a and b is seen", "take a and b is seen without `seen`", "drop a", "drop b"]),
        ("true", []),
    ],
)
def test_what_is_changed(text: str, names: list[str], mutate: Any) -> None:
    found = list(mutate.changes(lower(text)))
    assert [name for _, name, _ in found] == names
    assert all(new != lower(text) for new, _, _ in found)


def test_every_link_of_after_is_tried_and_every_version(mutate: Any) -> None:
    rule: dict[str, Any] = {
        "id": "x",
        "title": "T",
        "severity": "risk",
        "pass": "a",
        "after": ["one", {"check": "two", "when": "b"}],
        "since": {"kernel": "4.5", "qemu": "9.0", "why": "It came then."},
        "cases": [],
    }
    names = [mutant.name for mutant in mutate.mutants(rule, compile_rule(rule))]
    assert [name for name in names if name.startswith("after")] == [
        "after.2.when: negate b",
        "after: drop one",
        "after: drop two",
        "after.two: always",
    ]
    assert [name for name in names if name.startswith("since")] == ["since.kernel: drop 4.5", "since.kernel: move 4.5"]


LINKED = """- id: small
  title: A small rule
  kind: symptom
  severity: risk
  statuses: [fail, not-applicable]
  fail: cmdline.igfx_off
  after: [{check: cmdline-disables-iommu, when: cmdline.disables_dma}]
  cases:
    - {given: {proc/cmdline: "a intel_iommu=igfx_off iommu=off"}, expect: fail, cause: cmdline-disables-iommu}
    - {given: {proc/cmdline: "a intel_iommu=igfx_off nointremap"}, expect: fail, beside: cmdline-disables-iommu}
    - {given: {proc/cmdline: "a quiet"}, expect: not-applicable}
"""


@pytest.mark.parametrize(
    ("old", "new", "survivor"),
    [
        ("", "", None),
        (", cause: cmdline-disables-iommu", "", "after: drop cmdline-disables-iommu"),
        (", beside: cmdline-disables-iommu", "", "after.cmdline-disables-iommu: always"),
    ],
    ids=["caught", "no cause", "nothing beside"],
)
def test_a_link_that_no_case_needs_survives(
    old: str, new: str, survivor: str | None, mutate: Any, tmp_path: Path
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(LINKED.replace(old, new), "utf-8")
    found = [name for _, _, name in mutate.examine((str(path), 0, mutate.load_knowledge(str(path)))).survived]
    assert found == [] if survivor is None else survivor in found


def test_excuses_name_rules_that_exist_and_say_why() -> None:
    known = {rule["id"] for path in rules_folder().rglob("*.yaml") if path.parent.name in ("rules", "symptoms")
             for rule in rules_in(path)}  # fmt: skip
    listed = yaml.safe_load((ROOT / "tools" / "mutants.yaml").read_text("utf-8"))
    assert all(set(one) == {"rule", "mutant", "why"} and len(one["why"]) > 30 for one in listed)
    assert {one["rule"] for one in listed} <= known
    assert len(listed) < 10
