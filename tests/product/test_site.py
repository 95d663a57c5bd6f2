"""The documentation site builds without a warning and the network, and every link on it leads somewhere."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import pytest

from doctor.knowledge.store import load

ROOT = Path(__file__).resolve().parents[2]
RULES = load(None)["rules"]
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "object": "data"}
# What <link> may say that makes no browser load anything.
TOLD = {"canonical", "next", "prev", "edit", "license"}

pytestmark = pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="mkdocs is not installed")


class Read(NamedTuple):
    """A page: what it links to, what it loads, its ids, and its words."""

    links: list[str]
    loads: list[str]
    ids: set[str]
    text: str


class Reader(HTMLParser):
    """Reads a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.add(given["id"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in LOADS and LOADS[tag] in given:
            self.loads.append(given[LOADS[tag]])
        if tag == "link" and not set(given.get("rel", "").split()) <= TOLD:
            self.loads.append(given["href"])
        self.loads += re.findall(r"url\(['\"]?([^)'\"]{1,200})", given.get("style", ""))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site. Any word of mkdocs is a warning."""
    out = tmp_path_factory.mktemp("site") / "site"
    # A proxy that is not there: who asked the network for anything would fail.
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "website.py"), "--out", str(out)],
        env={**os.environ, **nowhere, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Read]:
    found = {}
    for path in site.rglob("*.html"):
        reader = Reader()
        reader.feed(path.read_text("utf-8"))
        found[path] = Read(reader.links, reader.loads, reader.ids, " ".join("".join(reader.words).split()))
    return found


def test_every_check_has_a_page(site: Path, pages: dict[Path, Read]) -> None:
    assert len(RULES) > 50
    listed = pages[site / "checks" / "index.html"].text
    for rule in RULES:
        page = pages[site / "checks" / f"{rule['id']}.html"]
        for words in (rule["title"], rule["why"].replace("`", ""), rule["id"]):
            assert " ".join(words.split()) in page.text
        assert rule["title"] in listed


def test_a_remedy_is_told_for_each_platform(site: Path, pages: dict[Path, Read]) -> None:
    text = pages[site / "checks" / "cmdline-enables-iommu.html"].text
    for words in ("update-grub", "proxmox-boot-tool refresh", "grubby --update-kernel=ALL", "boot.kernelParams"):
        assert words in text


def test_no_page_loads_anything_from_elsewhere(site: Path, pages: dict[Path, Read]) -> None:
    loads = {load for page in pages.values() for load in page.loads}
    assert any(load.endswith(".css") for load in loads)
    assert [load for load in loads if urlsplit(load).netloc or urlsplit(load).scheme not in ("", "data")] == []
    sheets = [path.read_text("utf-8") for path in site.rglob("*.css")]
    fetched = [word for sheet in sheets for word in re.findall(r"(?:url\(|@import)\s*['\"]?([^)'\";]{1,60})", sheet)]
    assert [word for word in fetched if re.match(r"https?:|//", word)] == []


def test_nothing_asks_the_theme_to_fetch(site: Path) -> None:
    """Its script asks GitHub about a repository, and a server for diagrams, where a page has one of these."""
    for path in site.rglob("*.html"):
        text = path.read_text("utf-8")
        assert 'data-md-component="source"' not in text
        assert 'class="mermaid"' not in text


def broken(pages: dict[Path, Read], site: Path) -> Iterator[str]:
    """The links that lead nowhere."""
    for path, page in pages.items():
        for link in (*page.links, *page.loads):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            place = site / parts.path.lstrip("/") if path.name == "404.html" else path.parent / unquote(parts.path)
            target = (place if parts.path else path).resolve()
            if target.is_dir():
                target /= "index.html"
            if not target.is_file() or not target.is_relative_to(site):
                yield f"{path.relative_to(site)}: {link}"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
                yield f"{path.relative_to(site)}: {link}: no such place"


def test_every_link_leads_somewhere(site: Path, pages: dict[Path, Read]) -> None:
    assert sum(len(page.links) for page in pages.values()) > 1000
    assert list(broken(pages, site.resolve())) == []


def test_a_link_that_leads_nowhere_is_found(site: Path) -> None:
    made = {site / "index.html": Read(["nowhere.html", "#nowhere", "index.html#there"], [], {"there"}, "")}
    assert len(list(broken(made, site.resolve()))) == 2


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [
        ("# A\n\n[a](#a)\n", "", ""),
        ("# A\n\n[b](b.md)\n", "", "b.md"),
        ("# A\n\n[b](#b)\n", "", "#b"),
        ("# A\n", "# B\n", "more.md"),
    ],
    ids=["sound", "no such page", "no such place", "not in the table of contents"],
)
def test_a_warning_fails_the_build(
    text: str, more: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sys.path.insert(0, str(ROOT / "tools"))
    spec = importlib.util.spec_from_file_location("website", ROOT / "tools" / "website.py")
    assert spec and spec.loader
    website = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(website)
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.md").write_text(text)
    if more:
        (tmp_path / "pages" / "more.md").write_text(more)
    settings = {**website.configured(tmp_path / "pages", tmp_path / "out", []), "nav": ["index.md"]}
    settings |= {"extra": {}, "extra_css": [], "plugins": ["search"]}
    status = website.rendered(settings, tmp_path / "mkdocs.yml")
    told = capsys.readouterr().err
    assert (status != 0, said in told, bool(told)) == (bool(said), True, bool(said))


def test_search_needs_no_server(site: Path) -> None:
    text = (site / "search" / "search_index.js").read_text("utf-8")
    index = json.loads(text.removeprefix("var __index = "))
    assert any("interrupt-remapping" in entry["text"] for entry in index["docs"])
    assert "assets/iframe-worker.js" in (site / "index.html").read_text("utf-8")
