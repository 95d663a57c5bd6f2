"""The report as one HTML file."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

from syrupy.assertion import SnapshotAssertion

from doctor.examine import examine
from doctor.report.html import render

from .sample_report import check, device, healthy_report, sample_report

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
LOADING = {"src", "srcset", "data", "poster", "background", "action", "formaction", "manifest", "ping"}
EMPTY = {"meta", "br", "img", "link", "hr", "input"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def _read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    return reader


def test_evidence_cannot_become_markup() -> None:
    page = render(sample_report())
    assert page.count("<script") == 1  # the page's own, which copies commands
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; ‹ESC›[31mred" in page
    assert "<b>" not in page
    assert all(char.isprintable() or char == "\n" for char in page)


def test_hostile_text_in_every_field_stays_text() -> None:
    attack = "\"'><img src=x onerror=alert(1)>\x1b\u202e{{ 7*7 }}"

    def poison(value: object) -> object:
        if isinstance(value, str):
            return value if value in ("fail", "unknown", "pass", "not-applicable", "waived") else attack
        if isinstance(value, dict):
            return {key: poison(each) for key, each in value.items()}
        return [poison(each) for each in value] if isinstance(value, list) else value

    page = render(poison(sample_report()))  # type: ignore[arg-type]
    reader = _read(page)
    tags = [tag for tag, _ in reader.tags]
    assert not set(tags) & {"img", "iframe", "object"}
    assert (tags.count("script"), tags.count("style"), page.count(attack)) == (1, 1, 0)
    assert not [name for _, attributes in reader.tags for name in attributes if name.startswith("on")]
    assert "{{ 7*7 }}" in page
    assert reader.wrong == []


def test_the_page_is_well_formed_and_loads_nothing() -> None:
    page = render(sample_report())
    reader = _read(page)
    assert (reader.wrong, reader.open) == ([], [])
    for tag, attributes in reader.tags:
        assert tag not in ("link", "iframe", "img", "base", "object", "embed", "form")
        assert not LOADING & set(attributes), (tag, attributes)
        assert "style" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    assert "http://" not in page
    assert "https://" not in page
    assert "url(" not in page
    assert "@import" not in page


def test_links_lead_somewhere_and_ids_are_unique() -> None:
    reader = _read(render(sample_report()))
    names = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(names) == len(set(names))
    assert {(a["href"] or "")[1:] for _, a in reader.tags if "href" in a} <= set(names)


def test_the_policy_allows_this_style_and_nothing_else() -> None:
    page = render(sample_report())
    style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert len(style) == 1
    assert policy is not None
    digest = b64encode(sha256(style[0].encode()).digest()).decode()
    script = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(script) == 1
    own = b64encode(sha256(script[0].encode()).digest()).decode()
    wanted = f"default-src 'none'; style-src 'sha256-{digest}'; script-src 'sha256-{own}'; "
    assert unescape(policy[1]) == wanted + "base-uri 'none'; form-action 'none'"
    assert "unsafe" not in policy[1]


def test_headings_descend_one_level_at_a_time() -> None:
    levels = [int(tag[1]) for tag, _ in _read(render(sample_report())).tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_page_says_its_language_and_verdict() -> None:
    page = render(sample_report())
    assert '<html lang="en">' in page
    assert '<span class="verdict">NOT READY</span>' in page
    assert '<span class="verdict">READY</span>' in render(healthy_report())


def test_a_big_host_stays_small() -> None:
    report = sample_report()
    report["devices"] += [device(f"0000:{bus:02x}:00.0", "Ethernet", "0200", "ice") for bus in range(16, 256)]
    assert len(render(report)) < 300_000


def test_the_page_of_an_ordinary_host_stays_below_its_limit() -> None:
    """One with 181 devices even."""
    report = examine(str(SAMPLES / "xeon-two-socket.tar.gz"))
    assert len(report["devices"]) > 150
    assert len(render(report).encode()) < 300_000


def test_html_snapshot(snapshot: SnapshotAssertion) -> None:
    body = render(sample_report()).partition("</style>")[2]
    assert body.partition("<script>")[0] == snapshot


def test_healthy_html_snapshot(snapshot: SnapshotAssertion) -> None:
    assert render(healthy_report()).partition("</style>")[2].partition("<script>")[0] == snapshot


def test_names_in_prose_are_marked_and_stay_text() -> None:
    report = sample_report()
    report["checks"][0]["detail"] = "`<b>iommu=off</b>` is set."
    assert "<p><code>&lt;b&gt;iommu=off&lt;/b&gt;</code> is set.</p>" in render(report)


def test_a_single_cause_is_not_named_at_each_step() -> None:
    report = sample_report()
    assert "for causes 1, 4" in render(report)
    report["checks"] = report["checks"][:2]
    report["causes"] = report["causes"][:1]
    assert "for cause" not in render(report)


def test_a_report_that_is_ready_counts_no_failures() -> None:
    report = healthy_report()
    report["checks"].append(check("x", "fail", "A check", severity="risk"))
    page = render(report)
    assert ">1 risk</span>" in page
    assert " failed" not in page.partition("</style>")[2]
