"""`check --format nagios` on standard output: a plugin's states and nothing on standard output but its line."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from doctor import output
from doctor.cli import main
from doctor.deliver import plugin_asked

from .test_cli import ADVICE, FAILING, READY, RISK, UNDETERMINED

OK, WARNING, CRITICAL, UNKNOWN = range(4)


@pytest.fixture
def paste(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file for a text, in the folder that the command runs in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "paste.txt"


@pytest.mark.parametrize(
    ("text", "fail_on", "state", "word"),
    [
        (READY, "blocker", OK, "OK"),
        (ADVICE, "blocker", OK, "OK"),
        (ADVICE, "advice", CRITICAL, "CRITICAL"),
        (RISK, "blocker", WARNING, "WARNING"),
        (RISK, "risk", CRITICAL, "CRITICAL"),
        (FAILING, "blocker", CRITICAL, "CRITICAL"),
        (FAILING, "never", WARNING, "WARNING"),
        (UNDETERMINED, "blocker", UNKNOWN, "UNKNOWN"),
    ],
)
def test_states(
    text: str, fail_on: str, state: int, word: str, paste: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paste.write_text(text, "utf-8")
    assert main(["check", "paste.txt", "--format", "nagios", "--fail-on", fail_on]) == state
    assert capsys.readouterr().out.startswith(f"PASSDOCTOR {word} - ")


@pytest.mark.parametrize(
    "more",
    [
        ["no-such-file"],
        ["paste.txt", "--waivers", "no-such-file"],
        ["paste.txt", "--profile", "none-of-that-name"],
        ["paste.txt", "-o", "-", "--format", "html", "-o", "no/such/folder.html"],
        ["paste.txt", "--format", "html"],
        ["paste.txt", "--max-length", "9999"],
    ],
)
def test_what_goes_wrong_is_unknown(more: list[str], paste: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paste.write_text(READY, "utf-8")
    assert main(["check", "--format", "nagios", *more]) == UNKNOWN
    said = capsys.readouterr()
    assert said.out.startswith("PASSDOCTOR UNKNOWN - ")
    assert said.out.count("\n") == 1
    assert said.err == ""
    # The next command of the same process speaks as ever.
    assert output.plugin is None
    assert main(["check", "no-such-file"]) == 2


@pytest.mark.parametrize("words", [["--bogus"], ["-o"], ["--fail-on", "x"], ["--format", "fax"], ["--help"]])
def test_wrong_usage_is_unknown(words: list[str], paste: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "paste.txt", "--format", "nagios", *words]) == UNKNOWN
    if words != ["--help"]:
        assert capsys.readouterr().out.startswith("PASSDOCTOR UNKNOWN - wrong usage")


def test_in_a_file_it_is_a_file(paste: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paste.write_text(FAILING, "utf-8")
    assert main(["check", "paste.txt", "--format", "nagios", "-o", "line.txt"]) == 1
    assert paste.with_name("line.txt").read_text("utf-8").startswith("PASSDOCTOR CRITICAL - ")
    assert main(["check", "nagios"]) == 2
    assert capsys.readouterr().out == ""


def test_an_error_of_its_own_is_unknown(
    paste: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a|b")

    monkeypatch.delenv("PASSDOCTOR_TRACEBACK", raising=False)
    monkeypatch.setattr(import_module("doctor.examine"), "examine", broken)
    assert main(["check", "paste.txt", "-f", "nagios"]) == UNKNOWN
    assert "|" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "form"),
    [
        ("check x --format nagios", "nagios"),
        ("check x -fnagios", "nagios"),
        ("check x --format=nagios -o -", "nagios"),
        ("check x --format html -o a --format nagios", "nagios"),
        ("check x --form nagios", "nagios"),
        ("check x --format nagios -o file", None),
        ("check nagios", None),
        ("check x -o nagios", None),
        ("check x --format json", None),
    ],
)
def test_when_it_is_a_plugin(words: str, form: str | None) -> None:
    assert plugin_asked(words.split()) == form
