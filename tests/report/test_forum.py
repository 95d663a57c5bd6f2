"""Markdown and BBCode: whole, hostile and cut to a forum's limit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from doctor.examine import examine
from doctor.report import bbcode, markdown
from doctor.report.formats import SHORTEST, render
from doctor.report.model import Report
from doctor.report.post import Block, Span
from doctor.report.visible import visible

from .sample_report import HOSTILE, check, cite, device, healthy_report, sample_report

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
NAMES = sorted(path.name for path in (*SAMPLES.glob("*.txt"), *SAMPLES.glob("*.tar.gz")))
FORMS = ("markdown", "bbcode")
both = pytest.mark.parametrize("form", FORMS)
MARKUP = (
    *(
        "```",
        "~~~~",
        "`",
        "``",
        "[x](http://a.example)",
        "![i](http://a.example/i.png)",
        "<b>",
        "</pre>",
        "<!--",
        "&lt;",
    ),
    *("http://a.example", "www.a.example", "a.example", "me@a.example", "@me", "#12", "GH-12", "me/it#1", "- ", "1. "),
    *("# ", "> ", "---", "===", "**", "__", "|", "\\", "\n", "\r\n", "    ", "\t", "[1]: http://a.example", "^", "$$"),
    *("[/code]", "[code]", "[CODE=x]", "[ / code ]", "[b]", "[/b]", "[url=http://a.example]x[/url]", "[img]", "[*]"),
    *(
        ":::",
        ":smile:",
        "\u202e",
        "\u200b",
        "\x1b[31m",
        "0f3a9c1",
        "例.a",
        "(",
        ")",
        ".",
        "!",
        "'",
        '"',
        " ",
        "iommu=pt",
    ),
)
hostile = st.lists(st.one_of(st.sampled_from(MARKUP), st.text(max_size=8)), max_size=12).map("".join)


def reader() -> MarkdownIt:
    """CommonMark with HTML, tables and strikethrough."""
    return MarkdownIt("commonmark", {"html": True, "typographer": False}).enable(["table", "strikethrough"])


def tokens(text: str) -> list[Token]:
    """All tokens, those inside of lines as well."""
    return [inner for token in reader().parse(text) for inner in (token, *(token.children or []))]


def written(report: Report, form: str) -> str:
    """A report as text."""
    made = render(report, form)
    assert isinstance(made, str)
    return made


def poisoned(text: str) -> Report:
    """The sample report with `text` in every place that evidence reaches."""
    report: Any = sample_report()
    row = device("0000:03:00.0", text, "0200", text, because=text)
    found = check("poison", "fail", text, text, evidence=[cite(text, 1, text, text), cite(text)])
    report["checks"] += [found, check("open", "unknown", text, text, wanted=[{"path": text, "command": text}])]
    report["devices"].append(row)
    report["targets"].append({"address": "0000:03:00.0", "because": text, "confidence": "weak"})
    report["subject"]["source"] = report["platform"]["board"] = report["summary"]["headline"] = text
    report["notes"].append(text)
    report["harmless"].append({**cite(text, 1, text, text), "why": text})
    report["contradictions"].append({"fact": text, "evidence": [cite(text)], "resolved": text})
    change = {"path": text, "diff": "", "before": [text], "after": [text]}
    report["plan"]["steps"][0].update(summary=text, note=text, commands=[text], files=[change], risk=text)
    report["plan"]["notes"].append(text)
    made: Report = report
    return made


def outside_code(text: str) -> str:
    """What a tracker looks for mentions and addresses in."""
    return "\n".join(token.content for token in tokens(text) if token.type == "text")


def check_markdown(text: str) -> None:
    """No markup came out of evidence."""
    kinds = {token.type for token in tokens(text)}
    allowed = {"paragraph", "heading", "bullet_list", "list_item", "strong"}
    assert kinds <= {"inline", "text", "code_inline", "fence"} | {
        f"{kind}_{end}" for kind in allowed for end in ("open", "close")
    }
    plain = outside_code(text)
    assert not re.search(r"[@#<>\[\]&|$_*~^\\`]|//|www\.|[a-z]\.[a-z]|:::", plain), plain


def check_bbcode(text: str) -> None:
    """Tags are the renderer's own, and each is closed before the next is opened."""
    at = 0
    for match in re.finditer(r"(?i)\[code\]\n(.*?)\n\[/code\]|\[b\]([^\[\]]*)\[/b\]", text, re.DOTALL):
        assert not re.search(r"[\[\]@]|://", text[at : match.start()])
        inside = match[1] or ""
        assert not re.search(r"(?i)\[(/|[\s/]*code)", inside)
        at = match.end()
    assert not re.search(r"[\[\]@]|://|www\.", text[at:], re.IGNORECASE)


def test_the_check_itself_notices() -> None:
    for bad in ("<b>x", "[x](http://a.example)", "![x](http://a.example)", "a @me", "see #1", "see a.example", "1. x"):
        with pytest.raises(AssertionError):
            check_markdown(bad)
    for bad in ("[code]\n[/code] x\n[/code]", "[url]x[/url]", "[b]x[i][/b]", "http://a.example"):
        with pytest.raises(AssertionError):
            check_bbcode(bad)


@settings(max_examples=60, deadline=None)
@given(hostile)
def test_evidence_never_becomes_markup(text: str) -> None:
    report = poisoned(text)
    check_markdown(written(report, "markdown"))
    check_bbcode(written(report, "bbcode"))


@settings(max_examples=200, deadline=None)
@given(hostile)
def test_a_block_of_code_holds_what_it_was_given(text: str) -> None:
    text = text.replace("\r", "").replace("\0", "")
    fences = tokens(markdown.write([Block("code", code=text), Block("code", code="end")]))
    assert [token.content for token in fences if token.type == "fence"] == [text + "\n", "end\n"]
    assert bbcode.in_code(text).replace("［", "[") == text.replace("［", "[")


@settings(max_examples=200, deadline=None)
@given(hostile)
def test_a_line_loses_nothing_that_is_seen(text: str) -> None:
    line = " ".join(visible(text).split())
    found = tokens(markdown.write([Block("text", (Span(line),)), Block("item", (Span(line),))]))
    shown = "".join(token.content for token in found if token.type in ("text", "code_inline"))
    assert "".join(shown.split()) == "".join(line.split()) * 2


@both
def test_what_a_report_holds_is_there_in_order(form: str) -> None:
    text = written(sample_report(), form)
    order = (
        *("NOT READY", "hostpci0 of VM 101", "What stops it", "A kernel parameter turns", "forum-post.txt:12"),
        *("+GRUB_CMDLINE_LINUX_DEFAULT=", "update-grub", "Step 2", "What should be looked at", "Step 4", "To undo"),
        *("What is not known", "cat /proc/interrupts", "2 passed", "Harmless", "Contradiction"),
    )
    places = [text.index(each) for each in order]
    assert places == sorted(places)
    assert "Left out" not in text
    assert "<script>alert('x')</script>" in text
    assert "\u202e" not in text
    assert "\x1b" not in text


@both
def test_nothing_at_all(form: str) -> None:
    report: Any = healthy_report()
    for key in ("targets", "causes", "checks", "devices", "notes"):
        report[key] = []
    report["summary"]["headline"] = ""
    text = written(report, form)
    assert "READY" in text
    assert "No device in particular" in text
    (check_markdown if form == "markdown" else check_bbcode)(text)


@both
@pytest.mark.parametrize("name", NAMES)
def test_samples(name: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SAMPLES)
    report = examine(name)
    whole = render(report, form)
    assert isinstance(whole, str)
    (check_markdown if form == "markdown" else check_bbcode)(whole)
    for limit in (500, 1000, 2000, 6000):
        cut = render(report, form, max_length=limit)
        assert len(cut) <= limit
        assert (cut == whole) == (len(whole) <= limit)


@both
def test_a_limit_is_kept_and_said(form: str) -> None:
    report = sample_report()
    whole = render(report, form)
    assert isinstance(whole, str)
    sizes = []
    for limit in (*range(SHORTEST, len(whole), 97), len(whole) - 1):
        cut = render(report, form, max_length=limit)
        assert isinstance(cut, str)
        assert len(cut) <= limit
        assert f"Left out to stay within {limit} characters" in cut
        (check_markdown if form == "markdown" else check_bbcode)(cut)
        sizes.append(len(cut))
    assert sizes[-1] > sizes[0]
    assert render(report, form, max_length=len(whole)) == whole


@both
def test_the_least_important_goes_first(form: str) -> None:
    report = sample_report()
    marks = (
        "The log does not reach",
        "x2apic",
        "The processor can virtualise",
        "/proc/interrupts",
        "03:00.0",
        "4711",
        "To undo",
        "hostpci0",
        "Step 1",
    )
    whole = render(report, form)
    gone: list[str] = []
    for limit in range(len(whole) - 1, SHORTEST, -60):
        cut = render(report, form, max_length=limit)
        gone += [mark for mark in marks if mark not in gone and mark not in str(cut)]
    assert gone == list(marks[: len(gone)])
    assert len(gone) >= len(marks) - 1


@both
@settings(max_examples=12, deadline=None)
@given(text=hostile, times=st.sampled_from((1, 30, 150)), limit=st.integers(SHORTEST, 4000))
def test_a_limit_is_kept_whatever_is_said(form: str, text: str, times: int, limit: int) -> None:
    cut = render(poisoned(text * times), form, max_length=limit)
    assert isinstance(cut, str)
    assert len(cut) <= limit
    (check_markdown if form == "markdown" else check_bbcode)(cut)


@both
def test_a_limit_that_nothing_fits_is_refused(form: str) -> None:
    with pytest.raises(ValueError, match="500"):
        render(sample_report(), form, max_length=SHORTEST - 1)


@both
def test_commands_can_be_copied(form: str) -> None:
    report: Any = sample_report()
    text = render(report, form)
    for step in report["plan"]["steps"]:
        for command in step["commands"]:
            assert command in text


def test_what_is_open_outlasts_the_rest_where_nothing_stops_it() -> None:
    report: Any = sample_report()
    report["causes"] = []
    report["checks"] = [each for each in report["checks"] if each["status"] != "fail"]
    report["plan"]["steps"] = []
    report["summary"].update(verdict="undetermined", headline="What was read does not settle it")
    cut = render(report, "markdown", max_length=900)
    assert "cat /proc/interrupts" in str(cut)
    assert "Step" not in str(cut)


def test_a_changed_bracket_is_told() -> None:
    assert HOSTILE.endswith("[/bold]")
    assert "stands for a bracket" in written(sample_report(), "bbcode")
    assert "stands for a bracket" not in written(healthy_report(), "bbcode")
