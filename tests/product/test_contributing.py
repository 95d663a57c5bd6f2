"""What CONTRIBUTING.md and README.md tell people to do works as they are told."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GATE = str(ROOT / "tools" / "gate.py")

needs_cases = pytest.mark.skipif(find_spec("doctor.diagnosis.cases") is None, reason="there is no case gate yet")
lacking = [name for name in ("doctor.cli", "doctor.lint") if find_spec(name) is None]
needs_lint = pytest.mark.skipif(bool(lacking), reason=f"there is no {', '.join(lacking)} yet")


def blocks(document: str, language: str) -> list[str]:
    """The fenced blocks of a language in a document of the project."""
    text = (ROOT / document).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of rules that holds the example and nothing else."""
    (example,) = blocks("CONTRIBUTING.md", "yaml")
    (tmp_path / "example.yaml").write_text(example, "utf-8")
    return tmp_path


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run the project's Python with these arguments."""
    return subprocess.run([sys.executable, *argv], capture_output=True, text=True)


def test_example_is_yaml_as_the_house_writes_it(folder: Path) -> None:
    done = run("-m", "yamllint", "--strict", "-c", str(ROOT / ".yamllint.yml"), str(folder))
    assert done.returncode == 0, done.stdout
    (rule,) = yaml.safe_load((folder / "example.yaml").read_text("utf-8"))
    assert f"passdoctor explain {rule['id']}" in (ROOT / "CONTRIBUTING.md").read_text("utf-8")


@needs_lint
def test_example_passes_the_lint(folder: Path) -> None:
    lint = "import sys; from doctor.cli import main; sys.exit(main())"
    done = run("-c", lint, "rules", "lint", "--rules", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_cases
def test_example_is_judged_as_its_cases_say(folder: Path) -> None:
    done = run(GATE, str(folder))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_cases
def test_case_that_is_wrong_is_caught(folder: Path) -> None:
    path = folder / "example.yaml"
    text = path.read_text("utf-8")
    path.write_text(text.replace("expect: fail", "expect: pass", 1), "utf-8")
    assert path.read_text("utf-8") != text
    assert run(GATE, str(folder)).returncode != 0


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_make_targets_and_links_exist(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z]+)`", text)) <= targets
    links = re.findall(r"(?<!!)\[[^]]+\]\(([^)#]+)\)", text)
    assert [link for link in links if not (ROOT / document).parent.joinpath(link).exists()] == []
