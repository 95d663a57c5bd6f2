"""Commands and undo, carried out by a shell below a root of the test's own."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from doctor.treatment.plan import make_plan

from .hand_made import ADDRESSES, HOSTS, LOAD, Failed, MakeFacts, one, plan_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SCRIPT = "etc/initramfs-tools/scripts/init-top/bind-vfio"
MODULES = "etc/modules-load.d/vfio.conf"
CASES = [(LOAD, "load_modules", MODULES), (ADDRESSES, "bind_addresses", SCRIPT)]


def run(root: Path, commands: Sequence[str]) -> None:
    for command in commands:
        here = command.replace("/etc/", f"{root}/etc/").replace("/root/", f"{root}/root/")
        subprocess.run(["sh", "-eu"], input=here, text=True, check=True, capture_output=True)


def tree(root: Path) -> dict[str, tuple[str, int]]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): (path.read_text(), path.stat().st_mode) for path in files}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with the folders of the files in question."""
    for path in (SCRIPT, MODULES, "root/x"):
        (tmp_path / path).parent.mkdir(parents=True)
    return tmp_path


def put(root: Path, path: str, text: str) -> None:
    (root / path).write_text(text)
    (root / path).chmod(0o644)


@pytest.mark.parametrize(("remedy", "kind", "path"), CASES)
@pytest.mark.parametrize("present", [None, "here before\n"])
def test_what_was_not_seen_comes_back(
    remedy: dict[str, Any],
    kind: str,
    path: str,
    present: str | None,
    root: Path,
    make_facts: MakeFacts,
    failed: Failed,
    platforms: dict[str, Any],
) -> None:
    step = one(plan_of(HOSTS["debian-grub"], platforms, make_facts, failed("c", remedy)), kind)
    if present is not None:
        put(root, path, present)
    before = tree(root)
    run(root, step["commands"])
    text = (root / path).read_text()
    assert text.endswith("\n".join(step["files"][0]["after"]) + "\n")
    if kind == "bind_addresses":
        assert text.startswith("#!/bin/sh\n")
        assert (root / path).stat().st_mode & 0o777 == 0o755
        assert sorted(tree(root)) != sorted({*before, path}), "the copy or the mark is kept elsewhere"
        assert [one.name for one in (root / path).parent.iterdir()] == ["bind-vfio"]
    elif present is not None:
        assert text.startswith(present)
    run(root, step["undo"])
    assert tree(root) == before
    run(root, step["undo"])
    assert tree(root) == before, "undoing twice deletes nothing"


@pytest.mark.parametrize(("remedy", "kind", "path"), CASES)
def test_what_is_known_to_be_absent_goes_again(
    remedy: dict[str, Any],
    kind: str,
    path: str,
    root: Path,
    make_facts: MakeFacts,
    failed: Failed,
    platforms: dict[str, Any],
) -> None:
    facts = make_facts(HOSTS["debian-grub"], complete=True)
    step = one(make_plan([failed("c", remedy)], (), facts, platforms), kind)
    run(root, step["commands"])
    assert (root / path).exists()
    run(root, step["undo"])
    assert tree(root) == {}


@pytest.mark.parametrize(("remedy", "kind", "path"), CASES)
def test_what_was_seen_comes_back(
    remedy: dict[str, Any],
    kind: str,
    path: str,
    root: Path,
    make_facts: MakeFacts,
    failed: Failed,
    platforms: dict[str, Any],
) -> None:
    put(root, path, "vfio\n")
    before = tree(root)
    host = {**HOSTS["debian-grub"], path: "vfio\n"}
    step = one(plan_of(host, platforms, make_facts, failed("c", remedy)), kind)
    run(root, step["commands"])
    assert tree(root) != before
    run(root, step["undo"])
    assert tree(root) == before
