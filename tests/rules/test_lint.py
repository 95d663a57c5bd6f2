"""What lint says of planted faults, word by word, with line and column."""

# ruff: noqa: E501 - a problem stands on one line here, as it is printed

from __future__ import annotations

from pathlib import Path

import pytest

from doctor.lint import cycles, lint
from doctor.lint.branches import possible, unreached

RULE = """# A file of one's own.
- id: planted
  title: A planted rule
  kind: symptom
  severity: advice
  statuses: [fail, not-applicable]
  fail: cmdline.known and cmdline.igfx_off
  why: It is only a test.
  cases:
    - {given: {proc/cmdline: "root=/dev/sda1 intel_iommu=igfx_off"}, expect: fail}
    - {given: {proc/cmdline: "root=/dev/sda1"}, expect: not-applicable}
"""
EVENT = """- id: planted
  title: A planted rule
  kind: symptom
  scope: event
  events: [memlock_exceeded, libvirt_memlock]
  severity: risk
  statuses: [fail, not-applicable]
  where: event.name == 'memlock_exceeded'
  cases:
    - {given: {cmd/dmesg: "[ 91.1] vfio_pin_pages_remote: RLIMIT_MEMLOCK (8388608) exceeded"}, expect: fail}
    - {given: {proc/cmdline: quiet}, expect: not-applicable}
"""


def said(folder: Path, text: str) -> list[str]:
    """The problems of one file, its name left out."""
    path = folder / "own.yaml"
    path.write_text(text, "utf-8")
    return [problem.removeprefix(f"{path}:") for problem in lint(str(folder))]


@pytest.mark.parametrize("text", [RULE, EVENT], ids=["host", "event"])
def test_the_planted_rules_are_clean(text: str, tmp_path: Path) -> None:
    assert said(tmp_path, text) == []


BRANCHES = "severity:\n    - {when: vendor == 'amd', is: risk}\n    - {when: %s, is: blocker}\n    - {is: advice}"
FAIL = "fail: cmdline.known and cmdline.igfx_off"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("and cmdline.igfx_off", "and cmdline.igfx_of", "7:35: planted: no such fact: cmdline.igfx_of (nearest: igfx_off)"),
        ("cmdline.known and", "cmdlin.known and", "7:9: planted: no such fact: cmdlin (nearest: cmdline)"),
        (
            "cmdline.known and",
            "events.intel_optoin_on and",
            "7:16: planted: no such fact: events.intel_optoin_on (nearest: intel_option_on)",
        ),
        (FAIL, "fail: >-\n    cmdline.known\n    and cmdline['igfx_of']", "9:18: planted: no such fact: cmdline.igfx_of (nearest: igfx_off)"),
        (FAIL, "fail: {and: [cmdline.known, {not: iommu.activ}]}", "7:43: planted: no such fact: iommu.activ (nearest: active)"),
        (FAIL, "fail: {each: one in cmdline.typo, any: one.given}", "7:31: planted: no such fact: cmdline.typo (nearest: typos)"),
        (FAIL, "fail: {each: one in cmdline.typos, any: on.given}", "7:43: planted: no such fact: on (nearest: one)"),
        (
            FAIL,
            "fail: {each: line in events.memlock_exceeded, any: line.limits}",
            "7:59: planted: no such hole in these lines: line.limits (nearest: limit)",
        ),
        (FAIL, "fail: events.memlock_exceeded.limit", "7:33: planted: no such fact: events.memlock_exceeded.limit: it is a list of lines, ask with `each`"),
        (FAIL, "fail: target.address", "7:9: planted: no such fact: target in a rule for the host"),
        (FAIL, "fail: event.device", "7:9: planted: no such fact: event in a rule without `events`"),
        ("  kind:", "  problem: 'It is {{ cmdline.txt }}.'\n  kind:", "4:30: planted: no such fact: cmdline.txt (nearest: text)"),
        (
            "  kind:",
            "  problem:\n    - {when: iommu.activ, text: One}\n    - text: Another\n  kind:",
            "5:20: planted: no such fact: iommu.activ (nearest: active)",
        ),
        (
            "  kind:",
            "  problem:\n    - {when: iommu.active, text: One}\n  kind:",
            "5:7: planted: where no `when` holds there is none: the last branch needs no `when`",
        ),
        ("  why:", "  detail: {fail: 'It is {{ cmdline.txt }}.'}\n  why:", "8:36: planted: no such fact: cmdline.txt (nearest: text)"),
        (
            "  why:",
            "  remedy:\n    - kernel_parameter: {remove: ['{{ cmdline.igfx_of }}']}\n  why:",
            "9:47: planted: no such fact: cmdline.igfx_of (nearest: igfx_off)",
        ),
        ("  why:", "  remedy:\n    - firmware: {settings: [vt-d]}\n  why:", "9:29: planted: no such firmware setting: vt-d (nearest: vt_d)"),
        ("  why:", "  after: [iommu-activ]\n  why:", "8:11: planted: `after` names iommu-activ, which is no check (nearest: iommu-active)"),
        ("  kind: symptom", "  kind: symptom\n  events: [memlock_exceded]", "5:12: planted: no such event: memlock_exceded (nearest: memlock_exceeded)"),
        ("severity: advice", BRANCHES % "vendor == 'amd'", "7:7: planted: it is never reached: an earlier branch has the same `when`"),
        (
            "severity: advice",
            BRANCHES % "vendor == 'amd' and iommu.active",
            "7:7: planted: it is never reached: where it would hold, an earlier branch does",
        ),
        (
            "severity: advice",
            BRANCHES % "vendor == 'intel' and vendor == 'via'",
            "7:7: planted: it is never reached: its `when` is never true",
        ),
        (
            "severity: advice",
            "severity:\n    - {is: risk}\n    - {when: iommu.active, is: blocker}",
            "7:7: planted: it is never reached: a branch before it has no `when`",
        ),
        (
            "severity: advice",
            "severity:\n    - {when: iommu.active, is: blocker}",
            "6:7: planted: where no `when` holds there is none: the last branch needs no `when`",
        ),
        (
            "  why:",
            "  remedy:\n    - person: Do it.\n    - otherwise: true\n      person: Do that.\n  why:",
            "10:7: planted: it is never taken: a step before it always is",
        ),
        (
            "  why:",
            "  remedy:\n    - {when: not iommu.active, person: A.}\n    - {otherwise: true, when: not iommu.active, person: B.}\n  why:",
            "10:7: planted: it is never taken: where it would be, an earlier step is",
        ),
        (FAIL, "fail: iommu.active and not iommu.active", "7:3: planted: `fail` is never true"),
        (FAIL, "fail: iommu.active is known or iommu.active is unknown", "7:3: planted: `fail` is always true"),
        ("statuses: [fail,", "statuses: [pass, fail,", "6:14: planted: it can never be pass: it has no `pass`"),
        ("statuses: [fail,", "statuses: [unknown, fail,", "6:14: planted: it can never be unknown: a symptom never is"),
        ("kind: symptom", "kind: state", "6:20: planted: it can never be not-applicable: it has no `when` and is no symptom"),
        ("statuses: [fail,", "statuses: [pass, fail,", "6:14: planted: no case for pass"),
        ("statuses: [fail, not-applicable]", "statuses: [fail]", "11:57: planted: a case for not-applicable, which the rule does not declare"),
        ("statuses: [fail,", "statuses: [fail, fail,", "6:20: planted: fail is declared twice"),
        ("  statuses: [fail, not-applicable]\n", "", "2:3: planted: it declares no statuses"),
        ("  why:", "  after: [planted]\n  why:", "8:11: planted: a cycle of `after`: planted -> planted"),
        ("  why:", "  after: [cmdline-typo, cmdline-typo]\n  why:", "8:25: planted: `after` names cmdline-typo twice"),
        (
            "  why:",
            "  after: [not-assessable]\n  why:",
            "8:11: planted: `after` names not-assessable which is a gate: where that fails, nothing else is judged",
        ),
        (
            "  why:",
            "  after: [group-isolation]\n  why:",
            "8:11: planted: `after` names group-isolation which speaks of devices alone, and no device explains the host",
        ),
        (
            "  why:",
            "  after: [{check: cmdline-typo, when: cmdline.typo}]\n  why:",
            "8:47: planted: no such fact: cmdline.typo (nearest: typos)",
        ),
        ("  why:", "  after:\n    - check: cmdline-tipo\n      when: vendor == 'amd'\n  why:", "9:7: planted: `after` names cmdline-tipo, which is no check (nearest: cmdline-typo)"),
        ("  why:", "  after: [{check: cmdline-typo}]\n  why:", "8:11: `when` is missing"),
        ("  why:", "  since: {kernel: 5.16}\n  why:", "8:19: a version is two numbers in quotes, such as \"6.2\""),
        ("  why:", "  until: {kernel: '6.2.1'}\n  why:", "8:19: a version is two numbers in quotes, such as \"6.2\""),
        ("  why:", "  since: {why: It came then.}\n  why:", "8:10: it needs `kernel`, `proxmox` or `qemu`"),
        ("  why:", "  since: {kernl: '6.2'}\n  why:", "8:11: no such key: kernl (nearest: kernel)"),
        (
            "  why:",
            "  since: {kernel: '6.10'}\n  until: {kernel: '6.2'}\n  why:",
            "9:19: planted: no version is before that and not before `since`, 6.10",
        ),
        ("intel_iommu=igfx_off", "quiet", "10:7: planted: case 1: expected fail, found not-applicable ()"),
        ("kind: symptom", "kidn: symptom", "4:3: no such key: kidn (nearest: kind)"),
        ("severity: advice", "severity: advise", "5:13: no such severity: advise (there are blocker, risk, advice)"),
        ("title: A planted rule", "title: [A planted rule]", "3:10: title: a text is wanted, not a list"),
        ("expect: fail}", "expect: fail, expects: x}", "10:84: no such key: expects (nearest: expect)"),
        ("  why: It", "  title: T\n  why: It", "8:3: the key title stands here twice"),
        (FAIL, "fail: cmdline.known and now()", "7:30: planted: a call is not part of the rule language: 'cmdline.known and now()'"),
        (FAIL, "fail: cmdline.known if vendor else 1", "7:23: planted: `if` belongs in texts; a condition says it with and, or, not"),
        (FAIL, "fail: cmdline.known is defined", "7:26: planted: is defined is not part of the rule language: 'cmdline.known is defined'"),
        (FAIL, "fail: cmdline.known | upper", "7:25: planted: the filter upper is not part of the rule language: 'cmdline.known | upper'"),
        (FAIL, "fail: cmdline.known and", "7:9: planted: it ends too early: 'cmdline.known and'"),
        (FAIL, "fail: cmdline.known iommu.active", "7:23: planted: expected its end, got 'iommu': 'cmdline.known iommu.active'"),
        (FAIL, "fail: vendor 'amd'", "7:9: planted: expected its end, got 'string': \"vendor 'amd'\""),
    ],
    ids=lambda text: text[:30] if ":" in text[:4] else "",
)  # fmt: skip
def test_a_fault_is_named_where_it_stands(old: str, new: str, problem: str, tmp_path: Path) -> None:
    assert RULE.count(old) >= 1
    assert problem in said(tmp_path, RULE.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("'memlock_exceeded'", "'memlock_exceded'", "8:25: planted: no such event in `events`: memlock_exceded (nearest: memlock_exceeded)"),
        ("'memlock_exceeded'", "'memlock_exceded'", "8:3: planted: `where` is never true"),
        ("event.name ==", "event.nam ==", "8:16: planted: no such hole in these lines: event.nam (nearest: name)"),
        ("event.name ==", "target.name ==", "8:10: planted: no such fact: target in `where`, which is asked before there is one"),
    ],
    ids=["value", "never", "hole", "target"],
)  # fmt: skip
def test_a_fault_of_events_is_named_where_it_stands(old: str, new: str, problem: str, tmp_path: Path) -> None:
    assert problem in said(tmp_path, EVENT.replace(old, new, 1))


def test_an_id_of_two_files_is_named_in_the_second(tmp_path: Path) -> None:
    (tmp_path / "first.yaml").write_text(RULE, "utf-8")
    problems = said(tmp_path, "\n" + RULE)
    assert f"3:7: planted: it is defined in {tmp_path / 'first.yaml'}:2 already" in problems


def test_a_circle_of_two_files_is_named_once(tmp_path: Path) -> None:
    (tmp_path / "first.yaml").write_text(RULE.replace("  why:", "  after: [other]\n  why:"), "utf-8")
    text = RULE.replace("id: planted", "id: other").replace("  why:", "  after: [planted]\n  why:")
    (tmp_path / "own.yaml").write_text(text, "utf-8")
    circles = [problem for problem in lint(str(tmp_path)) if "cycle" in problem]
    assert circles == [f"{tmp_path / 'first.yaml'}:8:11: planted: a cycle of `after`: planted -> other -> planted"]


def test_problems_stand_in_the_order_of_the_files(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        text = (
            RULE.replace("planted", name).replace("  why:", "  after: [y, z]\n  why:").replace("known and", "knwn and")
        )
        (tmp_path / f"{name}.yaml").write_text(text, "utf-8")
    places = [problem.split(":")[:3] for problem in lint(str(tmp_path))]
    found = [(Path(path).name, int(line), int(column)) for path, line, column in places]
    assert found == sorted(found)
    assert len(found) == 9


def test_cycles_are_found_without_recursion() -> None:
    long = {f"n{number}": [f"n{number + 1}"] for number in range(5000)}
    assert cycles(long) == []
    assert len(cycles({**long, "n5000": ["n0"]})[0]) == 5002
    assert cycles({"a": ["b", "c"], "b": ["c"], "c": []}) == []


@pytest.mark.parametrize(
    ("condition", "values"),
    [
        (["get", "a"], {True, False, None}),
        (["seen", ["get", "a"]], {True, False}),
        (["and", ["get", "a"], ["not", ["get", "a"]]], {False, None}),
        (["or", ["seen", ["get", "a"]], ["not", ["seen", ["get", "a"]]]], {True}),
        (["compare", "==", ["get", "a"], ["const", "x"]], {True, False, None}),
        (["and", *(["compare", "==", ["get", "a"], ["const", name]] for name in "xy")], {False, None}),
        (["compare", "in", ["get", "event", "name"], ["list", ["const", "x"], ["const", "y"]]], {True, False}),
        (["compare", "==", ["get", "event", "name"], ["const", "z"]], {False}),
        (["compare", "<", ["const", 1], ["const", 2]], {True, False, None}),
        (None, {True}),
    ],
)
def test_what_a_condition_can_be(condition: list[object] | None, values: set[bool | None]) -> None:
    assert possible(condition, ["x", "y"]) == values


def test_too_many_facts_make_everything_possible() -> None:
    many = ["and", *(["get", f"a{number}"] for number in range(40)), ["not", ["get", "a0"]]]
    assert possible(many) == {True, False, None}
    assert unreached([["get", "a"], many, None]) == []
