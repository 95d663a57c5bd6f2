"""How the reports of the samples look, in every format. Look at them before you accept a change:

`pytest tests/samples/test_snapshots.py --snapshot-update`, then read the difference.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from syrupy.assertion import SnapshotAssertion

from doctor import __version__
from doctor.examine import examine
from doctor.knowledge.store import load
from doctor.report import pdf
from doctor.report.formats import render

if TYPE_CHECKING:
    from doctor.report.model import Report

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
NAMES = sorted(path.name for path in (*SAMPLES.glob("*.txt"), *SAMPLES.glob("*.tar.gz")))
VERSION = re.compile(r"(?<![\d.])" + re.escape(__version__) + r"(?![\d.])")
STYLE = re.compile(r"(<style[^>]*>).*?(</style>)", re.DOTALL)
STYLE_HASH = re.compile(r"sha256-[A-Za-z0-9+/=]{44}")
PAGE = re.compile(r"^\d+ ?/ ?\d+$", re.MULTILINE)

every_sample = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def report(name: str, monkeypatch: pytest.MonkeyPatch) -> Report:
    """The report of the sample `name`, which cites the sample by its bare name."""
    monkeypatch.chdir(SAMPLES)
    return examine(name)


def plain(text: str | bytes) -> str:
    """`text` without what differs between releases."""
    assert isinstance(text, str)
    return VERSION.sub("VERSION", text).replace(load()["hash"], "RULES")


@every_sample
def test_terminal(name: str, report: Report, snapshot: SnapshotAssertion) -> None:
    assert plain(render(report, "terminal", width=100, colour=False)) == snapshot


@every_sample
def test_html(name: str, report: Report, snapshot: SnapshotAssertion) -> None:
    # The style is the same for all, and has its tests with the renderer.
    page = STYLE.sub(r"\1…\2", plain(render(report, "html")))
    assert STYLE_HASH.sub("sha256-…", page) == snapshot


@every_sample
def test_json(name: str, report: Report, snapshot: SnapshotAssertion) -> None:
    written = json.loads(plain(render(report, "json")))
    # Of devices that nobody means to give away, one shows how they look.
    others = [device for device in written["devices"] if not device["target"]]
    written["devices"] = [device for device in written["devices"] if device["target"]] + others[:1]
    assert json.dumps(written, indent=1, ensure_ascii=False) == snapshot


@every_sample
def test_pdf(name: str, report: Report, snapshot: SnapshotAssertion) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    if _font() != "DejaVuSans.ttf":
        pytest.skip("with other fonts the pages break elsewhere")
    try:
        document = render(report, "pdf")
    except pdf.PangoMissing as missing:
        pytest.skip(str(missing))
    assert isinstance(document, bytes)
    done = subprocess.run(["pdftotext", "-", "-"], input=document, capture_output=True, check=True)
    words = " ".join(PAGE.sub("", plain(done.stdout.decode())).split())
    assert re.sub(r"(?<=[.;:]) ", "\n", words) == snapshot


def _font() -> str:
    """The file of the font that stands for `sans-serif` here."""
    if shutil.which("fc-match") is None:
        return ""
    done = subprocess.run(["fc-match", "sans-serif"], capture_output=True, check=False)
    return done.stdout.decode().partition(":")[0]
