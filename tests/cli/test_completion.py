"""Shell completion: every command and option is in the script, and the shells that are here take it."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from doctor.cli import _parser, main
from doctor.report.formats import FORMATS

SHELLS = ("bash", "zsh", "fish")
# Completes the words after the script's name as bash does when somebody hits the tab key.
ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
complete -p passdoctor >/dev/null || exit 9
function=$(complete -p passdoctor | sed 's/.*-F \\([^ ]*\\).*/\\1/')
$function
printf '%s\\n' "${COMPREPLY[@]}"
"""


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    return said.out


def options() -> dict[str, set[str]]:
    """The options of every command, as the parsers have them."""
    parser = _parser("")
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    parsers = commands.choices.items()
    return {name: {word for each in one._actions for word in each.option_strings} for name, one in parsers}


@pytest.mark.parametrize("shell", SHELLS)
def test_all_commands_and_options_are_there(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = script(shell, capsys)
    for name, words in options().items():
        assert name in text
        for word in words:
            assert (word.lstrip("-") if shell == "fish" else word) in text


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_takes_it(shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(script(shell, capsys), "utf-8")
    subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (("",), set(options())),
        (("co",), {"collect", "compare", "completion"}),
        (("check", "--m"), {"--max-length"}),
        (("check", "--format", ""), set(FORMATS)),
        (("check", "paste.txt", "--format", "m"), {"markdown"}),
        (("collect", "--re"), {"--redact"}),
        (("collect", "--redact", ""), {"forum", "none"}),
        (("check", "pas"), {"paste.txt"}),
        (("check", "-o", "pas"), {"paste.txt"}),
        (("completion", ""), set(SHELLS)),
    ],
)
def test_bash_offers(
    typed: tuple[str, ...], offered: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "script").write_text(script("bash", capsys), "utf-8")
    (tmp_path / "paste.txt").write_text("", "utf-8")
    given = ["bash", "--norc", "-c", ASK, "ask", "./script", "passdoctor", *typed]
    done = subprocess.run(given, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == offered


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("passdoctor co", {"collect", "compare", "completion"}),
        ("passdoctor check --m", {"--max-length"}),
        ("passdoctor collect --re", {"--redact"}),
        ("passdoctor check --format m", {"markdown"}),
    ],
)
def test_fish_offers(typed: str, offered: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "script").write_text(script("fish", capsys), "utf-8")
    given = ["fish", "--no-config", "-c", f"source script; complete -C '{typed}'"]
    done = subprocess.run(
        given, cwd=tmp_path, env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]}, capture_output=True, text=True
    )
    assert {line.partition("\t")[0] for line in done.stdout.splitlines()} == offered


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh_finds_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "_passdoctor").write_text(script("zsh", capsys), "utf-8")
    ask = f"fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -u -D; print -- $_comps[passdoctor]"
    done = subprocess.run(["zsh", "-f", "-c", ask], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == "_passdoctor"


def test_without_shtab_one_line_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    said = capsys.readouterr().err
    assert "pip install shtab" in said
    assert said.count("\n") == 1
