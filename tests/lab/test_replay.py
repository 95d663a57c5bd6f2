"""Every recorded scenario, without QEMU: the tool finds what it must, VFIO agreed, and what was ill was healed."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest

from doctor.examine import examine
from doctor.report.formats import render

from .chance import KEPT, TABLE, draw, judged_again, kept
from .heal import Healing, judge_healing, read, steps_of, write
from .judge import judge
from .scenario import HERE, ScenarioError, by_kind, load, parse

SAMPLES = HERE.parents[1] / "samples/lab"
HEALED = SAMPLES.with_name("healed")
RECORDED = sorted(path.name.removesuffix(".tar.gz") for path in SAMPLES.glob("*.tar.gz"))
HEALINGS = sorted(path.name.removesuffix(".tar.xz") for path in HEALED.glob("*.tar.xz"))
every_recorded = pytest.mark.parametrize("name", RECORDED)


every_healing = pytest.mark.parametrize("name", HEALINGS)


@functools.cache
def _healing(name: str) -> Healing:
    return read(HEALED / f"{name}.tar.xz")


def _bundle(name: str) -> Path:
    return SAMPLES / f"{name}.tar.gz"


def test_every_scenario_is_recorded_and_nothing_else() -> None:
    truths = sorted(path.name.removesuffix(".truth.json") for path in SAMPLES.glob("*.truth.json"))
    assert by_kind(heal=False) == RECORDED == truths
    assert by_kind(heal=True) == HEALINGS


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
    assert sum(path.stat().st_size for path in HEALED.iterdir()) < 60_000 * len(HEALINGS)


@every_healing
def test_the_script_healed_the_host_and_took_everything_back(name: str) -> None:
    found = judge_healing(load(name), _healing(name)).disagreements
    if load(name).disputed:
        assert found, "it is healed now: take `disputed` out of the scenario"
        pytest.xfail(load(name).disputed)
    assert found == ()


@every_healing
def test_the_plan_is_still_the_one_that_healed(name: str) -> None:
    heal, healing = load(name).heal, _healing(name)
    assert heal is not None
    now = steps_of(heal.options, healing.states[0].bundle)
    assert now == healing.steps, f"another plan: boot it again with make lab-record SCENARIO={name}"


@every_healing
def test_the_loader_booted_what_the_script_wrote(name: str) -> None:
    scenario, healing = load(name), _healing(name)
    lines = [json.loads(state.truth)["cmdline"] for state in healing.states]
    assert scenario.heal is not None
    assert lines[1 if scenario.heal.lasting else 0] == lines[2]
    mark = "initrd=" if scenario.loader == "systemd-boot" else "BOOT_IMAGE=/boot/vmlinuz-"
    assert all(line.startswith(mark) for line in lines)
    assert json.loads(healing.states[0].truth)["kernel"].startswith(scenario.kernel + ".")


def test_the_documents_name_every_healing() -> None:
    docs = HERE.parents[1] / "docs"
    rows = {f"| {name.removeprefix('heal-')} | {load(name).kernel} | {load(name).loader} |" for name in HEALINGS}
    lines = (docs / "lab.md").read_text("utf-8").splitlines()
    assert rows <= {" |".join(line.split(" |")[:3]) + " |" for line in lines}
    assert f"{len(HEALINGS)} emulated hosts" in (docs.parent / "README.md").read_text("utf-8")


def test_a_recorded_healing_is_read_as_it_was_written(tmp_path: Path) -> None:
    healing = _healing(HEALINGS[0])
    write(healing, tmp_path / "again.tar.xz")
    assert read(tmp_path / "again.tar.xz") == healing


def test_a_healing_that_failed_is_noticed() -> None:
    name = "heal-intremap-off"
    ill, healed, _ = _healing(name).states
    scenario = load(name)
    never = judge_healing(scenario, _healing(name)._replace(states=(ill, ill, ill))).disagreements
    assert "healed: the verdict is not-ready" in never
    assert "healed: 0000:01:00.0 does not open" in never
    assert "healed: not mended: cmdline-disables-iommu" in never
    left = judge_healing(scenario, _healing(name)._replace(states=(ill, healed, healed))).disagreements
    assert "undone: /etc/kernel/cmdline is another" in left
    assert any(words.startswith("undone: /files//etc/kernel/cmdline: ") for words in left)


def test_what_chance_drew_agrees_with_vfio() -> None:
    found = {name: judged_again(row, states).disagreements for name, (row, states) in kept().items()}
    assert {name: words for name, words in found.items() if words} == {}
    assert all(row["healed"] == (len(states) > 1) for row, states in kept().values())


def test_chance_drew_enough_and_is_kept_small() -> None:
    rows = [row for row, _ in kept().values()]
    assert len(rows) >= 50
    assert sum(row["healed"] for row in rows) >= 10
    assert {fault for row in rows for fault in row["faults"]} <= set(TABLE["faults"])
    assert KEPT.stat().st_size < 1_200_000


def test_a_seed_draws_the_same_host_each_time() -> None:
    drawn = [draw(seed) for seed in range(500)]
    assert drawn == [draw(seed) for seed in range(500)]
    assert {fault for _, faults in drawn for fault in faults} == set(TABLE["faults"])
    new = {name for name, fault in TABLE["faults"].items() if "from" in fault}
    assert not new & {fault for seed in range(101) for fault in draw(seed)[1]}


def test_every_replacement_of_a_fault_finds_its_text() -> None:
    for name, fault in TABLE["faults"].items():
        for kind in fault.get("hosts", TABLE["hosts"]):
            for path, texts in fault.get("replace", {}).items():
                assert all(text in TABLE["hosts"][kind]["files"][path] for text in texts), (name, kind)


def test_a_scenario_says_which_key_is_wrong() -> None:
    with pytest.raises(ScenarioError, match="kernal"):
        parse("typo", {"kernal": "6.1"})


def test_who_is_healed_boots_through_a_loader() -> None:
    data = {"title": "", "machine": {"iommu": "amd"}, "cmdline": "", "expect": {"verdict": "ready"}}
    with pytest.raises(ScenarioError, match="loader"):
        parse("none", {**data, "heal": True})
    with pytest.raises(ScenarioError, match="loader"):
        parse("lilo", {**data, "loader": "lilo"})
