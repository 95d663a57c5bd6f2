"""docs/platforms.md is what the platform files say, and no step of a plan is left without a word on its proof."""

from __future__ import annotations

import importlib.util
import json
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from doctor.treatment import steps
from doctor.treatment.platforms import Way, Ways, resolve
from doctor.treatment.proofs import FILE_STEPS, HOST_STEPS, LOADER_STEPS, cell, untried

ROOT = Path(__file__).resolve().parents[2]
BY_A_PERSON = {"firmware", "move_device", "other_hardware", "person", "run"}
NOTE = "they were not tried on this host"


@pytest.fixture(scope="module")
def matrix() -> ModuleType:
    spec = importlib.util.spec_from_file_location("matrix", ROOT / "tools" / "matrix.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def files(matrix: ModuleType) -> Any:
    return matrix.platforms()


def test_the_page_is_up_to_date(matrix: ModuleType, files: Any) -> None:
    text = (ROOT / "docs" / "platforms.md").read_text("utf-8")
    assert text == matrix.page(matrix.tables(files)), "run `make matrix`"


def test_no_cell_is_empty(matrix: ModuleType, files: Any) -> None:
    assert not matrix.missing(matrix.tables(files))


def test_every_platform_and_each_of_its_loaders_has_a_row(matrix: ModuleType, files: Any) -> None:
    lines, tools, machine = matrix.tables(files)
    named = {stem for stem in files if files[stem].get("distributions")}
    titles = {resolve(files, stem)["title"] for stem in named}
    assert titles < {row.title for row in machine}
    assert titles < {row.title for row in lines}
    assert titles < {row.title for row in tools}
    for stem in named:
        rows = {row.part for row in lines if row.title == resolve(files, stem)["title"]}
        wanted = {resolve(files, stem)["boot"][loader].get("title", loader) for loader in files[stem].get("boot", {})}
        assert wanted <= rows


@pytest.mark.parametrize(("stem", "part"), [("debian", "boot"), ("debian", "tools"), ("nixos", None)])
def test_a_missing_proof_is_an_empty_cell(matrix: ModuleType, files: Any, stem: str, part: str | None) -> None:
    changed = deepcopy(files)
    for one in changed[stem][part].values() if part else [changed[stem]]:
        one.pop("proofs", None)
    assert any(files[stem]["title"] in text for text in matrix.missing(matrix.tables(changed)))


def test_every_kind_of_step_is_in_the_matrix_or_a_persons() -> None:
    known = {*FILE_STEPS, *HOST_STEPS, "kernel_parameter", "apply_boot_config"}
    assert set(steps.KINDS) - known == BY_A_PERSON


def test_proofs_end_where_the_way_is_another(files: Any) -> None:
    changed = deepcopy(files)
    assert cell(resolve(changed, "ubuntu"), "bootloader", "systemd-boot", None)
    changed["ubuntu"]["boot"]["systemd-boot"] = {"apply": ["something else"]}
    assert cell(resolve(changed, "ubuntu"), "bootloader", "systemd-boot", None) is None
    changed["debian"]["modprobe_file"] = "etc/modprobe.d/other.conf"
    assert cell(resolve(changed, "debian"), "reboot", None, None) is None


def plan(*kinds: str) -> Any:
    return [{"kind": kind, "files": [{"before": ["a b=1"], "after": ["a b=1 c"]}]} for kind in kinds]


def ways_of(files: Any, stem: str, loader: str, tool: str | None) -> Ways:
    data = resolve(files, stem)
    return Ways(stem, data, (Way(loader, data["boot"][loader], None),), (), tool, True, ())


def test_a_plan_of_ways_that_were_run_has_no_note(files: Any) -> None:
    ways = ways_of(files, "debian", "grub", "initramfs-tools")
    assert untried(ways, plan("kernel_parameter", "bootloader", "bind_ids", "initramfs", "reboot", "firmware")) == []


def test_a_plan_of_documented_ways_says_so(files: Any) -> None:
    ways = ways_of(files, "nixos", "nixos", None)
    assert NOTE in untried(ways, plan("kernel_parameter", "reboot"))[0]
    assert untried(ways, plan("reboot", "verify")) == []


def test_a_plan_of_both_names_what_was_not_tried(files: Any) -> None:
    ways = ways_of(files, "opensuse", "systemd-boot", "dracut")
    (note,) = untried(ways, plan("kernel_parameter", "bind_ids", "initramfs"))
    assert note.endswith("was not tried: the rebuild of the initramfs.")


def test_nothing_is_said_of_a_system_that_is_not_known(files: Any) -> None:
    assert untried(ways_of(files, "generic", "unknown", None), plan("kernel_parameter")) == []


def test_the_schema_knows_every_step() -> None:
    schema = json.loads((ROOT / "rules" / "schema" / "platform.json").read_text("utf-8"))
    known = schema["$defs"]["proofs"]["items"]["properties"]["steps"]["items"]["enum"]
    assert known == [*LOADER_STEPS, *FILE_STEPS, *HOST_STEPS]


@pytest.mark.parametrize(
    ("before", "after", "noted"),
    [
        ('V="quiet"', 'V="quiet iommu=pt"', False),
        ('V="quiet nomodeset"', 'V="quiet"', False),
        ('V="quiet iommu=soft"', 'V="quiet iommu=pt"', True),
        ("", "", True),
    ],
)
def test_of_parameters_the_change_that_is_made_counts(files: Any, before: str, after: str, noted: bool) -> None:
    ways = ways_of(files, "proxmox", "proxmox-boot-tool+grub", "initramfs-tools")
    step: Any = {"kind": "kernel_parameter", "files": [{"before": [before], "after": [after]}] if before else []}
    assert bool(untried(ways, [step])) is noted
