"""Nothing that evidence holds stays invisible."""

from __future__ import annotations

import sys
import unicodedata

from doctor.report.visible import visible, visible_everywhere

from .sample_report import HOSTILE, sample_report


def test_every_control_and_format_character_is_shown() -> None:
    hidden = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    for char in filter(lambda each: unicodedata.category(each) in hidden, map(chr, range(sys.maxunicode + 1))):
        assert char not in visible(f"a{char}b"), hex(ord(char))
        assert char == "\t" or visible(char).startswith("‹")


def test_what_a_reader_can_see_stays() -> None:
    text = 'GRUB_CMDLINE_LINUX="quiet" 显卡直通 é ← ½ 😀'
    assert visible(text) is text


def test_a_space_that_is_none_is_shown() -> None:
    assert visible("intel_iommu=on\u00a0quiet") == "intel_iommu=on‹U+00A0›quiet"


def test_a_line_end_cannot_make_a_line_of_the_reports_own() -> None:
    report = sample_report()
    report["checks"][0]["evidence"][0]["text"] = "x\nREADY"
    report["targets"][0]["because"] = "x\r\nREADY"
    report["plan"]["steps"][0]["commands"] = ["cat <<END\n\tbody\nEND"]
    seen = visible_everywhere(report)
    assert seen["checks"][0]["evidence"][0]["text"] == "x‹LF›READY"
    assert seen["targets"][0]["because"] == "x‹CR› READY"
    assert seen["plan"]["steps"][0]["commands"] == ["cat <<END\n\tbody\nEND"]


def test_the_report_itself_stays_as_it_was() -> None:
    report = sample_report()
    visible_everywhere(report)
    assert report == sample_report()
    assert report["checks"][0]["evidence"][1]["text"] == HOSTILE
