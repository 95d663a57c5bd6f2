"""The progress line: on a terminal only, only for what takes its time, and gone at the end."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from pathlib import Path

import pytest

from doctor import output
from doctor.output import Progress

ROOT = Path(__file__).resolve().parents[2]


class Screen(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self) -> bool:
        return True


def wait_for(screen: io.StringIO, text: str) -> bool:
    """Whether the text appears within a time that no machine needs."""
    for _ in range(1000):
        if text in screen.getvalue():
            return True
        time.sleep(0.01)
    return False


def a_screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """A terminal in place of standard error. No fixture: pytest takes that back before a test begins."""
    made = Screen()
    monkeypatch.setattr(sys, "stderr", made)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(output, "_QUIET", 0.01)
    monkeypatch.setattr(output, "_EACH", 0.01)
    return made


def test_it_turns_until_it_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = a_screen(monkeypatch)
    progress = Progress()
    progress.say("examining\x1b[31m x")
    for mark in output._MARKS:
        assert wait_for(screen, f"{mark} examining?[31m x")
    progress.say("writing")
    assert wait_for(screen, "writing")
    progress.end()
    seen = screen.getvalue()
    assert seen.endswith("\r\x1b[K")
    time.sleep(0.1)
    progress.end()
    assert screen.getvalue() == seen


def test_nothing_is_shown_of_what_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = a_screen(monkeypatch)
    monkeypatch.setattr(output, "_QUIET", 3600)
    progress = Progress()
    progress.say("examining")
    progress.end()
    assert screen.getvalue() == ""


@pytest.mark.parametrize("how", ["pipe", "dumb"])
def test_no_terminal_no_line(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor where TERM says that the terminal cannot go back in a line, as a screen reader's may."""
    screen = a_screen(monkeypatch)
    if how == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    else:
        monkeypatch.setattr(Screen, "isatty", lambda _: False)
    progress = Progress()
    progress.say("examining")
    time.sleep(0.1)
    progress.end()
    assert screen.getvalue() == ""


def test_it_imports_nothing() -> None:
    """On a terminal, for whoever has none pays nothing anyway."""
    code = (
        "import sys; from doctor import output; before = set(sys.modules)\n"
        "class Terminal:\n    isatty = lambda self: True\n"
        "    write = lambda self, text: 1\n    flush = lambda self: None\n"
        "kept, sys.stderr = sys.stderr, Terminal()\n"
        "one = output.Progress(); one.say('x'); one.end(); print(sorted(set(sys.modules) - before), one._going)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=ROOT,
        env={"TERM": "xterm"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[] None"
