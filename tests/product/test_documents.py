"""What the documents show and link to is so: the tool's output, the worked example, files and headings."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from doctor.cli import main

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "huge-pages.yaml"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "samples" / "README.md"])
FENCE = re.compile(r"^(```+)[^\n]*\n.*?^\1$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]{1,200})\)")


def tool(name: str) -> ModuleType:
    """A module of tools/."""
    sys.path.insert(0, str(ROOT / "tools"))
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def outputs() -> ModuleType:
    return tool("outputs")


def shown(path: Path) -> bool:
    return "\n```text output\n" in path.read_text("utf-8")


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if shown(path)], ids=lambda path: path.name)
def test_output_is_what_the_command_prints(path: Path, outputs: ModuleType) -> None:
    text = path.read_text("utf-8")
    assert outputs.renewed(text, outputs.printed) == text, "run `make outputs`, and look at what has changed"


def test_every_recipe_shows_output() -> None:
    recipes = [path for path in (ROOT / "docs" / "recipes").glob("*.md") if path.name != "index.md"]
    assert len(recipes) > 5
    assert [path.name for path in recipes if not shown(path)] == []


SHOWN = "```sh\npassdoctor check x\n```\n\n```text output\n{}\n```\n"
PRINTED = "READY: 01:00.0 can be given away\n\nEVERYTHING ELSE\n-  1 passed\n-  2 not applicable\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("READY: 01:00.0 can be old", "READY: 01:00.0 can be given away"),
        ("…\n\nEVERYTHING ELSE\nold\n…", "…\n\nEVERYTHING ELSE\n-  1 passed\n…"),
        ("EVERYTHING ELSE", "EVERYTHING ELSE\n-  1 passed\n-  2 not applicable"),
    ],
)
def test_paragraphs_are_renewed(before: str, after: str, outputs: ModuleType) -> None:
    asked: list[str] = []

    def run(command: str) -> str:
        asked.append(command)
        return PRINTED

    assert outputs.renewed(SHOWN.format(before), run) == SHOWN.format(after)
    assert asked == ["passdoctor check x"]


def test_another_verdict_is_an_error(outputs: ModuleType) -> None:
    with pytest.raises(outputs.OutputError, match="NOT READY"):
        outputs.renewed(SHOWN.format("NOT READY"), lambda _: PRINTED)


def test_the_worked_example_is_its_file() -> None:
    text = (ROOT / "docs" / "rules-example.md").read_text("utf-8")
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert EXAMPLE.read_text("utf-8").partition("\n")[2] == block


def test_the_worked_example_is_sound(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "lint", "--rules", str(EXAMPLE)]) == 0, capsys.readouterr().err


def test_the_worked_example_can_be_got_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the page says of it: turned round, a case no longer holds."""
    text = EXAMPLE.read_text("utf-8")
    (tmp_path / "wrong.yaml").write_text(text.replace("  pass: cmdline.hugepages\n", "  pass: not cmdline.hugepages\n"))
    assert main(["rules", "lint", "--rules", str(tmp_path / "wrong.yaml")]) != 0
    assert "case 1: expected fail, found pass" in capsys.readouterr().err


def headings(text: str) -> set[str]:
    """The places in a document that a link can name, as forges make them."""
    found = set()
    for line in FENCE.sub("", text).splitlines():
        if line.startswith("#"):
            words = line.lstrip("#").strip().replace("`", "").lower()
            found.add(re.sub(r"[^\w -]", "", words).replace(" ", "-"))
    return found


def broken(path: Path) -> Iterator[str]:
    """The links of a document to files or headings that are not there."""
    for link in LINK.findall(FENCE.sub("", path.read_text("utf-8"))):
        name, _, place = link.partition("#")
        if re.match(r"[a-z]+:", name):
            continue
        target = (path.parent / name).resolve() if name else path
        if not target.exists():
            yield f"{link}: no such file"
        elif place and target.suffix == ".md" and place not in headings(target.read_text("utf-8")):
            yield f"{link}: no such heading"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    assert list(broken(path)) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# One\n[a](b.md) [b](#one) [c](#two) [d](a.md#one) [e](https://example.org)\n")
    assert len(list(broken(tmp_path / "a.md"))) == 2


def test_links_on_the_site_lead_to_its_pages() -> None:
    page = tool("website").page
    text = "[a](../CONTRIBUTING.md#x)\n\n```sh no-run\n[b](../c.md)\n```\n"
    assert page(text, "docs/y.md", "y.md") == "[a](contributing.md#x)\n\n```sh\n[b](../c.md)\n```\n"
    assert page("[a](../doctor/cli.py)", "docs/y.md", "y.md") == "a"
