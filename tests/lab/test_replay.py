"""Every recorded scenario, without QEMU: the tool finds what it must, and VFIO agreed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from doctor.examine import examine
from doctor.report.formats import render

from .judge import judge
from .scenario import HERE, ScenarioError, load, names, parse

SAMPLES = HERE.parents[1] / "samples/lab"
RECORDED = sorted(path.name.removesuffix(".tar.gz") for path in SAMPLES.glob("*.tar.gz"))
every_recorded = pytest.mark.parametrize("name", RECORDED)


def _bundle(name: str) -> Path:
    return SAMPLES / f"{name}.tar.gz"


def test_every_scenario_is_recorded_and_nothing_else() -> None:
    truths = sorted(path.name.removesuffix(".truth.json") for path in SAMPLES.glob("*.truth.json"))
    assert names() == RECORDED == truths


@every_recorded
def test_tool_and_vfio_agree(name: str) -> None:
    truth = (SAMPLES / f"{name}.truth.json").read_text("utf-8")
    found = judge(load(name), _bundle(name).read_bytes(), truth).disagreements
    if load(name).disputed:
        assert found, "they agree now: take `disputed` out of the scenario"
        pytest.xfail(load(name).disputed)
    assert found == ()


@every_recorded
def test_the_whole_report_can_be_made(name: str) -> None:
    report = json.loads(render(examine(str(_bundle(name))), "json"))
    assert report["summary"]["verdict"] in ("ready", "not-ready", "undetermined")


@every_recorded
def test_the_guest_booted_what_the_scenario_says(name: str) -> None:
    truth = json.loads((SAMPLES / f"{name}.truth.json").read_text("utf-8"))
    scenario = load(name)
    assert truth["kernel"].startswith(scenario.kernel + ".")
    assert truth["cmdline"].endswith(f" {scenario.cmdline}".rstrip())


def test_the_recordings_are_small() -> None:
    assert sum(path.stat().st_size for path in SAMPLES.iterdir()) < 2_000_000


def test_a_scenario_says_which_key_is_wrong() -> None:
    with pytest.raises(ScenarioError, match="kernal"):
        parse("typo", {"kernal": "6.1"})
