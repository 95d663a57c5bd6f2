"""Lines of text with wide characters."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from doctor.knowledge import store
from doctor.report.page import Page
from doctor.report.wide import CLOSING, OPENING, breaks
from doctor.say import speak

TEXT = st.text(st.sampled_from("中断重映射，。（）“”；BIOS/UEFI a-0 "), max_size=120)


def folded(line: str, width: int) -> list[str]:
    """The lines that `line` is divided into."""
    ends = [0, *breaks(line, width), len(line)]
    return [line[start:end] for start, end in pairwise(ends)]


@given(TEXT, st.integers(12, 60))
def test_no_line_is_too_wide_and_nothing_is_lost(text: str, width: int) -> None:
    lines = folded(text, width)
    assert "".join(lines) == text
    assert [line for line in lines if cell_len(line.rstrip()) > width] == []


@given(st.text(max_size=60), st.integers(2, 20))
def test_any_text_is_divided(text: str, width: int) -> None:
    assert "".join(folded(text, width)) == text


def test_marks_stay_with_what_they_belong_to() -> None:
    text = "重启进入 BIOS/UEFI 设置（开机时按 Del 或 F2），把“中断重映射”设为 Enabled，然后保存；再开机。" * 4
    for width in range(14, 60):
        lines = folded(text, width)
        assert [line for line in lines[1:] if line[0] in CLOSING] == []
        assert [line for line in lines[:-1] if line.rstrip()[-1] in OPENING] == []
        assert [line for line in lines if "BIO" in line and "BIOS/UEFI" not in line] == []


def test_lines_are_filled() -> None:
    """Chinese has no blanks: a line ends where it is full, not at the next Latin word."""
    lines = folded("中断没有重映射因此拒绝所有设备 VFIO 也是如此" * 3, 20)
    assert all(cell_len(line.rstrip()) >= 14 for line in lines[:-1])


def test_latin_is_wrapped_as_before() -> None:
    page = Page(40, colour=False)
    page.prose("one two three four five six seven eight nine ten eleven", indent=2)
    assert page.text() == "  one two three four five six seven\n  eight nine ten eleven\n"


def test_styles_survive_the_division() -> None:
    page = Page(30, colour=True)
    page.told(("中断重映射未启用，因此拒绝所有设备", "bold"), indent=2)
    assert page.text().count("\x1b[1m") == 2


@pytest.mark.parametrize("width", [60, 80, 200])
def test_chinese_report_fits_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words of a report; what is to be copied may be wider."""
    from doctor.report.terminal import render

    from .sample_report import sample_report

    try:
        speak("zh_CN", store.load(None, "zh_CN")["texts"])
        text = render(sample_report(), width=width, colour=False)
    finally:
        speak()
    assert text.startswith("未就绪：")
    lines = [line for line in text.split("\n") if not line.lstrip().startswith(("+ ", "$ "))]
    assert [line for line in lines if cell_len(line) > width] == []
    assert [line for line in lines if line.strip() and line.strip()[0] in "，。；：）”、"] == []
