"""The help: a screen for every command, with examples that work, in every language."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from doctor.cli import _COMMANDS, _EXAMPLES, RARE, _parser, main
from doctor.collect.__main__ import make_parser
from doctor.knowledge import store

ROOT = Path(__file__).resolve().parents[2]
LINES, COLUMNS = 24, 80
LANGUAGES = ("en", *store.languages())


@pytest.fixture(autouse=True)
def screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)


def shown(capsys: pytest.CaptureFixture[str], *given: str) -> str:
    """What a call prints that ends by showing help."""
    with pytest.raises(SystemExit) as caught:
        main(list(given))
    assert caught.value.code == 0
    said = capsys.readouterr()
    assert said.err == ""
    return said.out


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("command", ["", *_COMMANDS])
def test_it_fits_a_screen(command: str, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, *filter(None, [command]), "--help", "--lang", language)
    assert len(text.rstrip("\n").splitlines()) <= LINES
    assert [line for line in text.splitlines() if cell_len(line) > COLUMNS] == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("command", ["", *_COMMANDS])
def test_it_shows_examples_that_are_understood(command: str, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, *filter(None, [command]), "--help", "--lang", language)
    examples = text.rstrip().rpartition("\n\n")[2].splitlines()[1:]
    calls = [re.sub(r"  .*", "", line.partition("passdoctor ")[2]) for line in examples]
    assert calls
    assert command == "" or any(call.startswith(command) for call in calls)
    for call in calls:
        words = shlex.split(re.split(r" [|>]", call)[0])
        if words[0] == "COMMAND":
            continue
        assert _parser(words[0]).parse_args(words).command == words[0]


def test_the_collector_alone_fits_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(make_parser().format_help().splitlines()) <= LINES


@pytest.mark.parametrize("command", list(_COMMANDS))
def test_help_all_shows_what_help_leaves_out(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    (commands,) = (one for one in _parser(command)._actions if isinstance(one, argparse._SubParsersAction))
    parser = commands.choices[command]
    rare = [one for group in parser._action_groups if group.title == RARE for one in group._group_actions]
    usual = shown(capsys, command, "--help")
    if not rare:
        assert "--help-all" not in usual
        return
    everything = shown(capsys, command, "--help-all")
    for option in parser._actions:
        assert not option.option_strings or option.option_strings[-1] in everything
    for option in rare:
        assert option.option_strings[-1] not in usual


def test_wrong_arguments_show_a_short_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["check", "--format", "xml"])
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "usage: passdoctor check [INPUT] [OPTION]..."
    assert len(said) == 2


def test_every_command_has_examples() -> None:
    assert set(_EXAMPLES) == {"", *_COMMANDS}


def test_a_check_imports_nothing_for_help(tmp_path: Path) -> None:
    (tmp_path / "paste.txt").write_text("$ cat /proc/cmdline\nroot=/dev/sda1 quiet\n", "utf-8")
    code = (
        "import sys; from doctor.cli import main; main(['check', 'paste.txt', '--format', 'json', '-o', 'r.json']);"
        "print([name for name in sys.modules if name.startswith('doctor.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = done.stdout
    assert "doctor.cli" in loaded
    for name in ("doctor.manual", "doctor.commands", "doctor.abroad", "doctor.explain", "doctor.completion"):
        assert name not in loaded
