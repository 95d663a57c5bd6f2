"""Holds what the tool says of a bundle against what VFIO said in the same guest, and against the scenario."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from doctor.collect.pack import unpack
from doctor.diagnosis.diagnose import diagnose
from doctor.diagnosis.finding import FAIL, Diagnosis
from doctor.evidence.bundle import from_collected
from doctor.facts.host import Host
from doctor.knowledge.store import load as knowledge

from .scenario import Scenario


class Judgement(NamedTuple):
    """The tool's verdict, VFIO's answer in a few words, and all that does not agree."""

    verdict: str
    answer: str
    disagreements: tuple[str, ...]


def judge(scenario: Scenario, bundle: bytes, truth: str) -> Judgement:
    """What the tool makes of a guest's bundle, against VFIO and the scenario."""
    said = diagnosis(scenario, bundle)
    told: dict[str, Any] = json.loads(truth)
    found = [*_against_scenario(said, scenario), *_against_vfio(said, told["devices"])]
    return Judgement(said.verdict, _answer(said, told["devices"]), tuple(found))


def agreement(scenario: Scenario, bundle: bytes, truth: str) -> Judgement:
    """What the tool makes of a bundle, against VFIO alone: for a host of which nobody wrote down what must be found."""
    said = diagnosis(scenario, bundle)
    devices: dict[str, Any] = json.loads(truth)["devices"]
    return Judgement(said.verdict, _answer(said, devices), tuple(_against_vfio(said, devices)))


def diagnosis(scenario: Scenario, bundle: bytes) -> Diagnosis:
    """The tool's diagnosis, without the checks that an emulated machine cannot pass."""
    known = knowledge()
    rules = [rule for rule in known["rules"] if rule["id"] not in scenario.ignore and not rule["on_request"]]
    return diagnose(Host(from_collected(unpack(bundle), "bundle", scenario.name), known), rules)


def _against_scenario(said: Diagnosis, scenario: Scenario) -> list[str]:
    """Where the diagnosis is not what the scenario's author expects."""
    expect = scenario.expect
    failed = {(found.check, found.device): found for found in said.findings if found.status == FAIL}
    causes = [(cause.finding.check, cause.finding.device) for cause in said.causes]
    targets = sorted(target.address for target in said.targets)
    found: list[str] = []
    if said.verdict != expect.verdict:
        found.append(f"verdict: {said.verdict}, expected {expect.verdict}")
    if targets != sorted(expect.targets):
        found.append(f"targets: {_words(targets)}, expected {_words(sorted(expect.targets))}")
    if causes != list(expect.causes):
        found.append(f"causes: {_words(causes)}, expected {_words(expect.causes)}")
    lacking = [check for check in expect.fails if check not in failed]
    known = {*expect.causes, *expect.fails}
    surplus = [check for check in failed if check not in known]
    if lacking:
        found.append(f"does not fail: {_words(lacking)}")
    if surplus:
        found.append(f"fails besides: {_words(surplus)}")
    return found


def _against_vfio(said: Diagnosis, devices: dict[str, Any]) -> list[str]:
    """Where VFIO says otherwise. Undetermined is no claim of a device that nobody meant."""
    managed = {target.address: target.managed for target in said.targets}
    found: list[str] = []
    for row in said.rows:
        facts = devices.get(row.address)
        if facts is None or facts["class"].startswith("06"):  # nobody gives bridges away
            continue
        if row.address in managed:
            asked = facts.get("managed", facts["now"]) if managed[row.address] else facts["now"]
        else:
            asked = facts.get("bound")
            if asked is None or row.verdict == "undetermined":
                continue
        if (row.verdict == "ready") != given(asked):
            found.append(f"{_short(row.address)}: {row.verdict} ({row.because}), VFIO: {_how(asked)}")
    return found


def given(asked: dict[str, Any]) -> bool:
    """Whether VFIO gives the device away."""
    return bool(asked["viable"] and asked["opened"] and "error" not in asked)


def opens(facts: dict[str, Any]) -> bool:
    """Whether VFIO gives a device away as its host hands it out: bound by a VM manager where one does that."""
    return given(facts.get("managed", facts["now"]))


def _how(asked: dict[str, Any]) -> str:
    return "opens" if given(asked) else str(asked.get("error") or "not viable")


def _answer(said: Diagnosis, devices: dict[str, Any]) -> str:
    """What VFIO says of the targets; of all devices where there is no target."""
    words: list[str] = []
    for target in said.targets:
        facts = devices.get(target.address)
        if facts is not None:
            asked = facts.get("managed", facts["now"]) if target.managed else facts["now"]
            words.append(f"{_short(target.address)} {_how(asked)}")
    if words:
        return ", ".join(words)
    asked_of = [facts["bound"] for facts in devices.values() if "bound" in facts]
    return f"{sum(map(given, asked_of))} of {len(asked_of)} devices would open"


def _short(address: str) -> str:
    return address.removeprefix("0000:")


def _words(named: Any) -> str:
    """Checks or addresses for a reader."""
    words = [entry if isinstance(entry, str) else " ".join(filter(None, entry)) for entry in named]
    return ", ".join(word.replace("0000:", "") for word in words) or "none"
