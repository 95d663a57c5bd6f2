"""Cases: a sample with changes as evidence, and what a case may say of the finding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from doctor.diagnosis.cases import Case, evidence_of, judge
from doctor.evidence.types import ABSENT, READABLE
from doctor.knowledge.document import KnowledgeError
from doctor.knowledge.store import load, rules_folder

PATH = rules_folder() / "own.yaml"
PARAMETER = {"given": {"proc/cmdline": "root=/dev/sda1 iommu=off iommu=pt"}, "expect": "fail"}


@pytest.fixture(scope="module")
def knowledge() -> dict[str, Any]:
    return load()


def case(check: str, body: dict[str, Any], path: Path = PATH) -> Case:
    return Case({"id": check}, 1, path, body)


def test_a_sample_is_evidence_and_changes_are_made_in_it() -> None:
    whole = evidence_of(case("x", {"sample": "lab-intel"}))
    body = {"sample": "lab-intel", "changes": {"proc/cmdline": "quiet", "sys/class/iommu/": None, "own/file": "a\nb"}}
    changed = evidence_of(case("x", body))
    assert whole.complete
    assert changed.complete
    assert [piece.text for piece in changed.pieces("proc/cmdline")] == ["quiet"]
    assert [piece.text for piece in changed.pieces("own/file")] == ["a\nb"]
    below = [path for path in whole.paths() if path.startswith("sys/class/iommu/")]
    assert below
    assert not [path for path in changed.paths() if path.startswith("sys/class/iommu/")]
    untouched = {path for path in whole.paths() if not path.startswith("sys/class/iommu/")} | {"own/file"}
    assert set(changed.paths()) == untouched
    assert changed.pieces("cmd/uname-a") == whole.pieces("cmd/uname-a")


def test_a_sample_is_a_bundle_before_a_text_and_can_be_named_whole() -> None:
    assert evidence_of(case("x", {"sample": "twin-3090ti"})).kind != "paste"
    assert evidence_of(case("x", {"sample": "twin-3090ti.txt"})).kind == "paste"
    assert evidence_of(case("x", {"sample": "lab/amd-intremap-off"})).paths()


def test_changes_decide_the_case(knowledge: dict[str, Any]) -> None:
    body: dict[str, Any] = {"sample": "lab-amd", "expect": "pass"}
    assert judge(case("iommu-active", body), knowledge) == []
    gone = {"sys/class/iommu/": "", "sys/kernel/iommu_groups/": "", "cmd/dmesg": None}
    assert judge(case("iommu-active", {**body, "changes": gone}), knowledge)
    assert judge(case("iommu-active", {**body, "changes": gone, "expect": "fail"}), knowledge) == []


@pytest.mark.parametrize(
    "name", ["no-such-sample", "lab/../../pyproject.toml", "../pyproject.toml", "README.md/x", "."]
)
def test_a_sample_that_is_not_there(name: str, knowledge: dict[str, Any]) -> None:
    assert judge(case("iommu-active", {"sample": name, "expect": "pass"}), knowledge) == [f"no such sample: {name}"]


def test_removing_what_is_not_there_is_a_mistake() -> None:
    with pytest.raises(KnowledgeError, match="no own/file, none/ that could be removed"):
        evidence_of(case("x", {"sample": "lab-amd", "changes": {"own/file": None, "none/": None}}))


def test_a_sample_of_ones_own_stands_beside_the_rule(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "mine.txt").write_text("$ cat /proc/cmdline\nroot=/dev/sda1 quiet\n")
    evidence = evidence_of(case("x", {"sample": "mine"}, tmp_path / "own.yaml"))
    assert [piece.text.strip() for piece in evidence.pieces("proc/cmdline")] == ["root=/dev/sda1 quiet"]
    (tmp_path / "samples" / "link.txt").symlink_to("/etc/passwd")
    with pytest.raises(KnowledgeError, match="no such sample: link"):
        evidence_of(case("x", {"sample": "link"}, tmp_path / "own.yaml"))


def test_a_removed_path_was_not_there_in_a_bundle() -> None:
    changed = evidence_of(case("x", {"sample": "lab-amd", "changes": {"proc/cmdline": None}}))
    assert changed.pieces("proc/cmdline") == []
    assert changed.complete
    assert all(piece.state in (*READABLE, ABSENT) for piece in changed.states("proc/cmdline"))


@pytest.mark.parametrize(
    "more",
    [
        {"says": "DMA remapping is switched off on the command line: iommu=off"},
        {"says": "switched  off\n on"},
        {"severity": "blocker"},
        {"remedy": ["kernel_parameter"]},
        {"remedy": [{"kernel_parameter": "iommu=off"}]},
        {"remedy": [{"kernel_parameter": "remove iommu=off"}]},
        {"remedy": [{"kernel_parameter": {"remove": ["iommu=off"]}}]},
        {"cause": "cmdline-disables-iommu"},
    ],
    ids=str,
)
def test_what_a_case_says_and_what_holds(more: dict[str, Any], knowledge: dict[str, Any]) -> None:
    assert judge(case("cmdline-disables-iommu", {**PARAMETER, **more}), knowledge) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"says": "switched on"}, "expected the words 'switched on'"),
        ({"severity": "risk"}, "expected severity risk"),
        ({"remedy": []}, "expected remedies []"),
        ({"remedy": ["kernel_parameter", "person"]}, "expected remedies"),
        ({"remedy": [{"kernel_parameter": "iommu=pt"}]}, "expected remedies"),
        ({"remedy": [{"kernel_parameter": {"remove": ["iommu=off"], "add": []}}]}, "expected remedies"),
        ({"cause": "iommu-active"}, "expected first cause iommu-active"),
        ({"beside": "cmdline-typo"}, "expected the cause cmdline-typo beside it"),
        ({"expect": "pass"}, "expected pass, found fail"),
        ({"device": "0000:99:00.0", "given": {"sys/bus/pci/devices/": "0000:00:00.0"}, "complete": True}, "--device"),
    ],
    ids=str,
)
def test_what_a_case_says_and_what_does_not_hold(more: dict[str, Any], said: str, knowledge: dict[str, Any]) -> None:
    (wrong,) = judge(case("cmdline-disables-iommu", {**PARAMETER, **more}), knowledge)
    assert said in wrong


OFF = {"proc/cmdline": "a=b iommu=off", "sys/kernel/iommu_groups/": ""}


@pytest.mark.parametrize(
    ("given", "more", "said"),
    [
        (OFF, {"cause": "cmdline-disables-iommu"}, []),
        (OFF, {"beside": "cmdline-disables-iommu"}, ["expected that cmdline-disables-iommu does not explain it"]),
        ({**OFF, "proc/cmdline": "a=b nointremap"}, {"beside": "cmdline-disables-iommu"}, []),
        (
            {**OFF, "proc/cmdline": "a=b nointremap"},
            {"cause": "cmdline-disables-iommu"},
            ["expected to be explained by cmdline-disables-iommu, which explains no such finding"],
        ),
    ],
    ids=["explained", "not beside", "beside", "first and elsewhere"],
)
def test_another_cause_explains_the_finding_or_stands_beside_it(
    given: dict[str, str], more: dict[str, str], said: list[str], knowledge: dict[str, Any]
) -> None:
    assert judge(case("iommu-active", {"given": given, "expect": "fail", **more}), knowledge) == said
