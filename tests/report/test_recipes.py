"""Every command of docs/formats.md works as it stands there, with the tool that it hands the report to."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from doctor.cli import _parser

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "formats.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh(?: no-run)?\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
# What a block needs that another block made.
BEFORE = {"junit2html": "passdoctor.xml", "sarif": "all.sarif", "trestle": "pve1.oscal.json"}
MADE_BY = {name: next(line for line in TEXT.splitlines() if f"-o {name}" in line) for name in BEFORE.values()}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a bundle in it, and `passdoctor` among the commands."""
    shutil.copy(ROOT / "samples" / "lab-amd.tar.gz", tmp_path / "host.tar.gz")
    commands = tmp_path / "bin"
    commands.mkdir()
    script = commands / "passdoctor"
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m doctor "$@"\n', "utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}")
    return tmp_path


def programs(block: str) -> set[str]:
    """The programs that a block calls, apart from those that every system has."""
    return {line.split()[0] for line in block.splitlines()} - {"cd", "mkdir"}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: "-".join(sorted(programs(block))))
def test_command(block: str, folder: Path) -> None:
    lacking = [name for name in sorted(programs(block)) if not shutil.which(name)]
    lines = [line for line in block.splitlines() if line.split()[0] not in lacking]
    if lacking and not programs("\n".join(lines)):
        pytest.skip(f"{', '.join(lacking)}: not installed")
    first = [MADE_BY[BEFORE[name]].strip("- ") for name in programs(block) if name in BEFORE]
    script = "\n".join(["set -e", *first, *lines])
    done = subprocess.run(["sh", "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, done.stdout + done.stderr)
    wrote = re.findall(r"(?:-o|>) (\S+\.\w+)", "\n".join(line for line in lines))
    assert all((folder / name).stat().st_size > 100 for name in wrote)


def test_blocks_were_found() -> None:
    assert len(BLOCKS) >= 9
    assert {"passdoctor", "jq", "promtool", "sqlite3", "sarif", "trestle"} <= set().union(*map(programs, BLOCKS))


def test_commands_of_pipelines_are_those_of_passdoctor() -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    assert all(yaml.safe_load(block) for block in blocks)
    commands = [line.partition("passdoctor check ")[2] for block in blocks for line in block.splitlines()]
    asked = [words.split() for words in commands if words]
    assert len(asked) == 2
    for words in asked:
        assert _parser("check").parse_args(["check", *words]).outputs


def test_alerts_are_rules(tmp_path: Path) -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    (rules,) = re.findall(r"^```yaml\n(groups:.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    (tmp_path / "rules.yaml").write_text(rules, "utf-8")
    subprocess.run(["promtool", "check", "rules", str(tmp_path / "rules.yaml")], check=True, capture_output=True)
