"""Profiles: which checks they select, what they do to severities, and what they may not do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from doctor.diagnosis.profiles import DEFAULT, applied, choose, notes, steady
from doctor.knowledge.document import KnowledgeError
from doctor.knowledge.store import load, rules_folder
from doctor.lint import lint

KNOWLEDGE = load()
RULES: list[dict[str, Any]] = KNOWLEDGE["rules"]
BUILT_IN = ("homelab-gpu", "multi-tenant", "passthrough", "sriov-network", "storage-hba")
ONLY_HARDENED = {"host-dma-identity", "ats-exposed"}
OWN = """id: own
title: my hosts
for: me
severity:
  unsafe-interrupts: advice
"""


def levels(profile: str) -> dict[str, list[str]]:
    """The severities of each check under a profile, worst case or not."""
    rules = applied(choose(profile, KNOWLEDGE), RULES)
    return {rule["id"]: [level for _, level in rule["severity"]] for rule in rules}


def own(folder: Path, text: str) -> dict[str, Any]:
    """A profile of the user's own, read from a file."""
    path = folder / "own.yaml"
    path.write_text(text, "utf-8")
    return choose(str(path), KNOWLEDGE)


def test_the_five_profiles_are_there_and_passthrough_is_the_default() -> None:
    assert tuple(KNOWLEDGE["profiles"]) == BUILT_IN
    assert choose(None, KNOWLEDGE) == choose(DEFAULT, KNOWLEDGE) == KNOWLEDGE["profiles"]["passthrough"]
    assert all(profile["title"] and profile["for"] for profile in KNOWLEDGE["profiles"].values())


def test_the_default_changes_nothing() -> None:
    assert applied(choose(None, KNOWLEDGE), RULES) == [rule for rule in RULES if not rule["on_request"]]
    assert notes(choose(None, KNOWLEDGE), RULES) == ()


def test_two_checks_exist_under_multi_tenant_only() -> None:
    assert {rule["id"] for rule in RULES if rule["on_request"]} == ONLY_HARDENED
    for name in BUILT_IN:
        assert (set(levels(name)) & ONLY_HARDENED) == (ONLY_HARDENED if name == "multi-tenant" else set())


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_profile_never_reverses_a_question(name: str) -> None:
    before = {rule["id"]: rule for rule in RULES}
    for rule in applied(choose(name, KNOWLEDGE), RULES):
        changed = {key for key, value in rule.items() if value != before[rule["id"]][key]}
        assert changed <= {"severity", "references"}
        assert [when for when, _ in rule["severity"]] == [when for when, _ in before[rule["id"]]["severity"]]


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_a_verdict_rests_on_is_always_made(name: str) -> None:
    assert {"not-assessable", *steady()} <= set(levels(name))


def test_severities_change_by_check_and_by_case() -> None:
    usual, home, hard = levels(DEFAULT), levels("homelab-gpu"), levels("multi-tenant")
    assert usual["unsafe-interrupts"] == ["risk"]
    assert home["unsafe-interrupts"] == ["advice"]
    assert hard["unsafe-interrupts"] == ["blocker"]
    # In effect it is a risk; without the patch it does nothing and stays advice.
    assert hard["acs-override"] == [{"risk": "blocker"}.get(level, level) for level in usual["acs-override"]]
    assert "advice" in hard["acs-override"]
    assert set(hard["interrupt-remapping"]) == {"blocker"}
    assert levels("sriov-network")["pf-assigned"] == ["blocker"]
    assert levels("storage-hba")["host-needs-device"] == ["blocker"]


def test_a_control_cites_what_exists_and_nothing_is_invented() -> None:
    cited = [text for refs in KNOWLEDGE["profiles"]["multi-tenant"]["references"].values() for text in refs]
    assert any("ANSSI-BP-028 R7" in text for text in cited)
    assert not [text for text in cited if "STIG" in text or "CIS" in text or "RHEL-" in text or "HY-SR" in text]
    rules = {rule["id"]: rule for rule in applied(choose("multi-tenant", KNOWLEDGE), RULES)}
    assert any("ANSSI" in text for text in rules["iommu-active"]["references"])
    for rule in rules.values():
        assert len(rule["references"]) == len(set(rule["references"]))


def test_notes_say_what_was_changed() -> None:
    told = " ".join(notes(choose("multi-tenant", KNOWLEDGE), RULES))
    for word in ("multi-tenant", "host-dma-identity", "ats-exposed", "iommu-passthrough-mode", "acs-override"):
        assert word in told
    assert "pf-assigned" not in " ".join(notes(choose("homelab-gpu", KNOWLEDGE), RULES))


def test_a_profile_of_ones_own(tmp_path: Path) -> None:
    mine = own(tmp_path, OWN + "without: [x2apic]\nwith: [ats-exposed]\nunseen: [the door]\n")
    rules = {rule["id"]: rule for rule in applied(mine, RULES)}
    assert "x2apic" not in rules
    assert "ats-exposed" in rules
    assert "host-dma-identity" not in rules
    assert rules["unsafe-interrupts"]["severity"] == [[None, "advice"]]
    assert any("the door" in note for note in notes(mine, RULES))


def test_only_makes_those_and_what_a_verdict_rests_on(tmp_path: Path) -> None:
    mine = own(tmp_path, OWN + "only: [acs-override, host-dma-identity]\n")
    made = {rule["id"] for rule in applied(mine, RULES)}
    assert made == {"acs-override", "host-dma-identity", "not-assessable", *steady()}


def test_a_file_beside_the_rules_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "own.yaml").write_text(OWN, "utf-8")
    known = load(str(tmp_path))
    assert choose("own", known)["title"] == "my hosts"
    assert len(known["rules"]) == len(RULES)
    assert lint(str(tmp_path)) == []


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (OWN.replace("unsafe-interrupts", "unsafe-interupts"), "5:3", "(nearest: unsafe-interrupts)"),
        (OWN.replace("severity:", "severty:"), "4:1", "(nearest: severity)"),
        (OWN.replace("advice", "dreadful"), "5:22", "blocker, risk or advice"),
        (OWN + "without: [not-a-check]\n", "6:11", "no such check"),
        (OWN + "without: [iommu-active]\n", "6:11", "cannot be left out"),
        (OWN + "without: [not-assessable]\n", "6:11", "cannot be left out"),
        (OWN + "without: [vfio-bound]\n", "6:11", "cannot be left out"),
        (OWN + "with: [acs-override]\n", "6:8", "without being asked for"),
        (OWN + "without: [x2apic]\nonly: [acs-override]\n", "6:1", "`only` says already"),
        (OWN.replace("unsafe-interrupts", "iommu-active"), "5:17", "cannot be made less severe"),
        (OWN.replace("unsafe-interrupts: advice", "interrupt-remapping: {blocker: risk}"), "5:24", "less severe"),
        (OWN + "references: {nothing-here: [x]}\n", "6:14", "no such check"),
        (OWN.replace("title: my hosts\n", ""), "1:1", "`title` is missing"),
        (OWN + "  x: {y: [\n", "", ""),
        ("- a list\n", "1:1", "a mapping is wanted"),
        ("", "1:1", "a mapping is wanted"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, place: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError) as caught:
        own(tmp_path, text)
    told = str(caught.value)
    assert told.startswith(f"{tmp_path / 'own.yaml'}:{place}")
    assert said in told
    assert "\n" not in told


def test_lint_finds_the_same_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    path = tmp_path / "profiles" / "own.yaml"
    path.write_text(OWN.replace("unsafe-interrupts", "unsafe-interupts") + "without: [iommu-active]\n", "utf-8")
    problems = lint(str(tmp_path))
    assert len(problems) == 2
    assert problems[0].startswith(f"{path}:5:3: no such check: unsafe-interupts (nearest: unsafe-interrupts)")
    path.write_text(OWN.replace("id: own", "id: other"), "utf-8")
    assert "its file's name makes it own" in lint(str(tmp_path))[0]


@pytest.mark.parametrize("name", ["multitenant", "", "nothing-like-it"])
def test_a_profile_that_is_not_there(name: str) -> None:
    if not name:
        assert choose(name, KNOWLEDGE)["id"] == DEFAULT
        return
    with pytest.raises(KnowledgeError, match=f"no such profile: {name}") as caught:
        choose(name, KNOWLEDGE)
    assert all(one in str(caught.value) for one in BUILT_IN)


def test_the_schema_knows_what_the_profiles_hold() -> None:
    schema = json.loads((rules_folder() / "schema" / "profiles.json").read_text("utf-8"))
    for path in (rules_folder() / "profiles").glob("*.yaml"):
        assert set(yaml.safe_load(path.read_text("utf-8"))) <= set(schema["properties"])
