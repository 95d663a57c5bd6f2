"""The examples of the documents do what they show.

A block of `sh` or `console` is run line by line, one of `python` as a whole, in a folder that holds the inputs that the
documents speak of. A block that is marked `no-run` needs root, a host or the network: its commands are only read, and
every option in them must exist. So must those of a command in a sentence. What a block marked `output` shows is
test_documents.py's to compare.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from doctor.cli import _COMMANDS, _parser, main
from doctor.say import speak

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "samples" / "README.md",
    *(ROOT / "docs").rglob("*.md"),
]
FENCE = re.compile(r"^```([a-z]*)( no-run| output)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`((?:sudo )?passdoctor [^`]+)`")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
INPUTS = {
    "host.tar.gz": "twin-3090ti.tar.gz",
    "post.txt": "twin-3090ti.txt",
    "paste.txt": "twin-3090ti.txt",
    "before.tar.gz": "lab/ids-lack-companion.tar.gz",
    "after.tar.gz": "lab/healthy-intel.tar.gz",
}


class Block(NamedTuple):
    """A fenced block: where it is, its language, whether it is run, and its text."""

    place: str
    language: str
    runs: bool
    text: str


def blocks() -> Iterator[Block]:
    """Every fenced block of the documents."""
    for path in sorted(DOCUMENTS):
        text = path.read_text("utf-8")
        for found in FENCE.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield Block(f"{path.relative_to(ROOT)}:{line}", found[1], not found[2], found[3])


BLOCKS = list(blocks())
SHELL = [block for block in BLOCKS if block.language in ("sh", "console")]
PYTHON = [block for block in BLOCKS if block.language == "python"]


def lines(block: Block) -> list[str]:
    """The commands of a block, without prompts and remarks."""
    whole = block.text.replace("\\\n", "")  # a command may go on in the next line
    found = (line.removeprefix("$ ").partition("  #")[0].strip() for line in whole.splitlines())
    return [line for line in found if line and not line.startswith("#")]


def problem(words: list[str]) -> str:
    """What is wrong with a command of ours, or "". Words in capitals and dots stand for others."""
    while words and (words[0] in ("sudo", "env") or "=" in words[0]):
        words = words[1:]
    if words[:1] == ["make"]:
        return "" if {word for word in words[1:] if "=" not in word} <= TARGETS else f"no such target: {words}"
    if words[:1] != ["passdoctor"] or len(words) == 1:
        return ""
    if words[1].startswith("-") or words[1] == "COMMAND":
        return ""
    if words[1] not in _COMMANDS:
        return f"no such command: {words[1]}"
    (commands,) = (action for action in _parser(words[1])._actions if action.dest == "command")
    options = {word for one in dict(commands.choices or {})[words[1]]._actions for word in one.option_strings}
    given = {word.strip("[]").partition("=")[0] for word in words[2:]}
    unknown = {word for word in given if re.match(r"--?[a-z]", word)} - options
    return f"passdoctor {words[1]} has no {', '.join(sorted(unknown))}" if unknown else ""


def pipeline(line: str) -> Iterator[list[str]]:
    """The words of each command of a line."""
    # What stands in quotes belongs to a word, whatever the shell would make of it outside.
    plain = re.sub(r"\d?>+ *\S+", "", re.sub(r"'[^']*'", "QUOTED", line))
    for part in re.split(r"[|;]|&&", plain):
        yield shlex.split(part, comments=True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with what the documents speak of, and commands that stand for the ones of a host."""
    for name, sample in INPUTS.items():
        shutil.copy(ROOT / "samples" / sample, tmp_path / name)
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    entry = "- {check: same-id-twins, host: '*', reason: ours, owner: anna, expires: 2999-12-31}\n"
    (tmp_path / "waivers.yaml").write_text(entry, "utf-8")
    tools = {
        "dmesg": "echo '[    0.054042] DMAR: IOMMU enabled'",
        "passdoctor": f'exec {shlex.quote(sys.executable)} -m doctor "$@"',
    }
    (tmp_path / "bin").mkdir()
    for name, text in tools.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n", "utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    speak()


def can_write_pdf() -> bool:
    """Whether this system has what PDFs need."""
    try:
        import weasyprint  # noqa: F401 - whether it loads is the question
    except OSError:
        return False
    return True


@pytest.mark.parametrize("block", [block for block in SHELL if block.runs], ids=lambda block: block.place)
def test_commands_run(block: Block, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for line in lines(block):
        commands = list(pipeline(line))
        assert any(words[:1] == ["passdoctor"] for words in commands), f"{line}: mark the block no-run"
        if "pdf" in line and not can_write_pdf():
            continue
        if re.search(r"[|>;]", line):
            done = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
            status, error = done.returncode, done.stderr
        else:
            status, error = main(commands[0][1:]), capsys.readouterr().err
        assert (status in (0, 1, 3), error) == (True, ""), line


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.place)
def test_commands_exist(block: Block) -> None:
    assert [problem(words) for line in lines(block) for words in pipeline(line) if problem(words)] == []


@pytest.mark.parametrize("path", sorted(DOCUMENTS), ids=lambda path: path.name)
def test_commands_in_sentences_exist(path: Path) -> None:
    text = re.sub(FENCE, "", path.read_text("utf-8"))
    found = [problem(shlex.split(" ".join(command.split()))) for command in INLINE.findall(text)]
    assert [one for one in found if one] == []


@pytest.mark.parametrize("block", [block for block in PYTHON if block.runs], ids=lambda block: block.place)
def test_python_runs(block: Block, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(block.text, block.place, "exec"), {"__name__": "example"})  # noqa: S102 - our own documents
    said = capsys.readouterr()
    assert (bool(said.out) or "json" in block.text, said.err) == (True, "")


def test_every_command_is_in_a_block_with_a_language() -> None:
    bare = [
        block.place
        for block in BLOCKS
        if not block.language and re.search(r"^(\$ )?(sudo )?(passdoctor|make) ", block.text, re.M)
    ]
    assert bare == []
    assert len(PYTHON) > 5
    assert sum(block.runs for block in SHELL) > 8


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("passdoctor check x --quiet", False),
        ("sudo passdoctor collect --since-boot -1", False),
        ("passdoctor chekc x", True),
        ("passdoctor check x --quite", True),
        ("passdoctor rules lint [--rules FOLDER]", False),
        ("passdoctor rules lint [--ruls FOLDER]", True),
        ("cat x | passdoctor facts - --forma json", True),
        ("make nothing", True),
        ("make lab SCENARIO=x", False),
    ],
)
def test_a_wrong_example_is_noticed(line: str, wrong: bool) -> None:
    assert any(problem(words) for words in pipeline(line)) is wrong
