"""The manual pages: every command and option is in them, and those who read such pages find nothing wrong."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from doctor.cli import _parser
from doctor.collect.__main__ import make_parser
from doctor.shipped import COLLECTOR_MANUAL, COMPLETIONS, MANUAL, files

PAGES = {place: text for place, text in files(0, collector=True).items() if place.startswith("share/man/")}
every_page = pytest.mark.parametrize("place", PAGES)


def plain(text: str) -> str:
    """A page without what stands for characters in it."""
    marks = {r"\-": "-", r"\(aq": "'", r"\(ti": "~", r"\(rs": "\\", r"\(ga": "`", r"\(ha": "^", r"\&": ""}
    for mark, char in marks.items():
        text = text.replace(mark, char)
    return re.sub(r"\\f[BIR]", "", text)


def options(parser: argparse.ArgumentParser) -> set[str]:
    """The options of a command, as they are typed."""
    return {word for action in parser._actions for word in action.option_strings}


def test_every_command_and_option_is_there() -> None:
    (commands,) = (action for action in _parser("")._actions if isinstance(action, argparse._SubParsersAction))
    parts = plain(PAGES[MANUAL]).split(".SS ")
    for name, parser in {**commands.choices, "collect": make_parser()}.items():
        (part,) = (part for part in parts if part.startswith(f'"passdoctor {name}"'))
        told = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", part))
        assert options(parser) <= told, name
    assert options(make_parser()) <= set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", plain(PAGES[COLLECTOR_MANUAL])))


@every_page
def test_its_date_is_the_one_that_is_given(place: str) -> None:
    assert ' 1 1970-01-01 "passdoctor ' in PAGES[place].splitlines()[0]
    assert files(86400, collector=True)[place] == PAGES[place].replace("1970-01-01", "1970-01-02")


def test_width_and_language_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert {place: text for place, text in files(0, collector=True).items() if place in PAGES} == PAGES


@every_page
@pytest.mark.parametrize(
    "reader",
    [("man", "--warnings", "-l"), ("mandoc", "-Tlint", "-Wwarning"), ("groff", "-man", "-ww", "-Tutf8", "-P-c")],
    ids=lambda reader: reader[0],
)
def test_readers_find_nothing_wrong(place: str, reader: tuple[str, ...], tmp_path: Path) -> None:
    if not shutil.which(reader[0]):
        pytest.skip(f"{reader[0]} is not installed")
    page = tmp_path / Path(place).name
    page.write_text(PAGES[place], "utf-8")
    done = subprocess.run([*reader, str(page)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    if reader[0] == "mandoc":
        assert done.stdout == ""


def test_completions_are_there() -> None:
    assert set(COMPLETIONS.values()) <= set(files(0))
