"""The gallery: every sample in every format, behind a page that lists them."""

from __future__ import annotations

import io
import json
import re
import sys
from html.parser import HTMLParser
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import doctor
from doctor.report import pdf
from doctor.report.formats import FORMATS

ROOT = Path(__file__).resolve().parents[2]
FEW = ("twin-3090ti.txt", "lab/intel-off.tar.gz", "healed/heal-intremap-off.tar.xz")


@pytest.fixture(scope="module")
def tool() -> Any:
    """The module tools/gallery.py, as workers find it too."""
    spec = spec_from_file_location("gallery_tool", ROOT / "tools" / "gallery.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["gallery_tool"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def no_pdf(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without Pango, which is quicker as well."""

    def missing(_: object) -> bytes:
        raise pdf.PangoMissing("PDF needs Pango; install it with: apt install <pango>")

    monkeypatch.setattr(pdf, "render", missing)


class Page(HTMLParser):
    """Links, headings and the cells of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.labels: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.tags.append(tag)
        if tag == "a":
            self.links.append(str(given["href"]))
            self.labels.append(str(given["aria-label"]))


def read(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text("utf-8"))
    return page


def test_a_few_samples(tool: Any, no_pdf: None, tmp_path: Path) -> None:
    """All files are there and linked, twice over, and what a system cannot write is said and not linked."""
    stale = tmp_path / "reports" / "gone"
    stale.mkdir(parents=True)
    (tmp_path / "mine.txt").write_text("kept", "utf-8")
    found = tool.samples(str(ROOT / "samples" / name) for name in FEW)
    assert [one.name for one in found] == [
        "twin-3090ti.txt",
        "lab/intel-off.tar.gz",
        "healed/heal-intremap-off.tar.xz-ill.tar",
        "healed/heal-intremap-off.tar.xz-healed.tar",
    ]
    for _ in range(2):
        shown = tool.make(found, tmp_path)
        page = read(tmp_path / "index.html")
        assert sorted(page.links) == sorted(set(page.links))
        linked = {(tmp_path / link).resolve() for link in page.links}
        assert linked == {path for path in (tmp_path / "reports").rglob("*") if path.is_file()}
        assert len(linked) == len(found) * (len(FORMATS) - 1)
    assert [one.verdict for one in shown][2:] == ["not-ready", "ready"]
    for one in shown:
        report = json.loads((tmp_path / tool.place(one.name, "json")).read_bytes())
        assert report["summary"]["verdict"] == one.verdict
    text = (tmp_path / "index.html").read_text("utf-8")
    assert text.count("not written") == len(found)
    assert "install it with: apt install &lt;pango&gt;" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.html", "mine.txt", "reports"]


def test_a_failure_leaves_what_was_there(tool: Any, no_pdf: None, tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "old").write_text("old", "utf-8")
    with pytest.raises(doctor.InputError):
        tool.make([tool.Sample(tmp_path / "nowhere.txt")], tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["reports", "old"]


def test_all_samples_are_shown(tool: Any) -> None:
    names = [one.name for one in tool.samples()]
    assert len(names) == len(set(names)) > 50
    on_disk = {path for path in (ROOT / "samples").rglob("*") if path.name.endswith(tool.ENDINGS)}
    on_disk = {path for path in on_disk if not {"hosts", "chance"} & {*path.parts}}
    assert {one.path for one in tool.samples()} == on_disk


def test_the_page_is_closed_and_readable(tool: Any) -> None:
    """Nothing is loaded, every link says what it leads to, tables have heads, and evidence is only text."""
    hostile = "<script>x</script>\"'&"
    text = tool.page([tool.Shown("a.txt", "ready", hostile, doctor.FORMATS), tool.Shown("lab/b", "not-ready", "B", ())])
    page = Page()
    page.feed(text)
    assert "script" not in page.tags and "<html lang=" in text and "<title>" in text
    assert page.tags.count("h1") == 1 and page.tags.count("h2") == 2
    assert re.search(r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]{44}'", text)
    assert len(page.labels) == len(set(page.labels)) == len(doctor.FORMATS)
    assert text.count('scope="row"') == 2 and text.count('<th scope="col">Verdict') == 2
    assert "1 ready, 1 not ready, 0 undetermined" in text


@pytest.mark.parametrize("pango", [True, False])
def test_it_says_what_it_wrote(
    pango: bool, tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def written(_: object) -> bytes:
        if pango:
            return b"%PDF-1.7"
        raise pdf.PangoMissing("no Pango here")

    monkeypatch.setattr(pdf, "render", written)
    sample = str(ROOT / "samples" / "twin-3090ti.txt")
    monkeypatch.setattr(sys, "argv", ["gallery.py", "--out", str(tmp_path / "demo"), "--jobs", "1", sample])
    assert tool.main() == 0
    said = capsys.readouterr().out
    assert str(tmp_path / "demo" / "index.html") in said
    assert ("PDF" in said.splitlines()[0]) is pango
    assert ("no Pango here" in said) is not pango


def test_pictures_of_the_documents_are_small() -> None:
    """Also one that does not compress, by fewer pixels at last; a page stays as it is."""
    spec = spec_from_file_location("screenshots_tool", ROOT / "tools" / "screenshots.py")
    assert spec is not None and spec.loader is not None
    shots = module_from_spec(spec)
    spec.loader.exec_module(shots)
    noise, page = io.BytesIO(), io.BytesIO()
    Image.effect_noise((900, 900), 90).save(noise, "PNG")
    Image.new("RGB", (900, 900), "white").save(page, "PNG")
    for made, shrunk in ((noise, True), (page, False)):
        kept = shots.small(made.getvalue())
        assert len(kept) <= shots.LARGEST
        assert (Image.open(io.BytesIO(kept)).width < 900) is shrunk
