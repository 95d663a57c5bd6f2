"""Builds the documentation site: docs/, the pages that rules/ is the source of, and what else belongs to it.

Usage: website.py [--out FOLDER]. Writes build/site unless another folder is named, and beside it, as FOLDER-source,
the Markdown that the site is made of. Needs no network. Any warning of mkdocs is an error.
"""

from __future__ import annotations

import argparse
import os
import posixpath
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from doctor.knowledge.store import load

# Beside this file, wherever this is called from.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from catalogue import catalogue

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "tools" / "mkdocs.yml"
# Files outside docs/ that have a page, and the page.
ELSEWHERE = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "rules": "checks/index.md"}
# A link to a file, its text on one line or two.
_LINK = re.compile(r"\[([^\]\n]{1,300}(?:\n[^\]\n]{1,200})?)\]\(([^)\s:]{1,200})\)")
_CODE = re.compile(r"(?<!\[)`([a-z0-9-]{1,60})`(?!\])")
_FENCE = re.compile(r"^(```+)([a-z-]*)[^`\n]*\n(.*?)^\1$", re.DOTALL | re.MULTILINE)


def page(text: str, source: str, target: str, checks: frozenset[str] = frozenset()) -> str:
    r"""A document at `source` in the project as the site's page `target`: links lead to where pages are there.

    The name of one of `checks`, as code, becomes a link to its page.

    >>> page("[a](docs/lab.md) [b](LICENSE)", "CONTRIBUTING.md", "contributing.md")
    '[a](lab.md) b'
    >>> page("[a](../../CONTRIBUTING.md#style)", "docs/recipes/x.md", "recipes/x.md")
    '[a](../contributing.md#style)'
    >>> page("see `acs-override`", "docs/x.md", "x.md", frozenset(["acs-override"]))
    'see [`acs-override`](checks/acs-override.md)'
    >>> page(r"| `a \| b` | c |", "docs/x.md", "x.md")
    '| `a | b` | c |'
    """
    found, at = "", 0
    for fence in _FENCE.finditer(text):
        found += _linked(text[at : fence.start()], source, target, checks)
        # What tests read behind a block's language is no part of the page.
        found += f"{fence[1]}{fence[2] or 'text'}\n{fence[3]}{fence[1]}"
        at = fence.end()
    return found + _linked(text[at:], source, target, checks)


def _linked(text: str, source: str, target: str, checks: frozenset[str]) -> str:
    """A text without fenced blocks, its links as they are on the page `target`."""

    def moved(link: re.Match[str]) -> str:
        path, mark, anchor = link[2].partition("#")
        if not path:
            return link[0]
        meant = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        there = ELSEWHERE.get(meant) or (meant.removeprefix("docs/") if meant.startswith("docs/") else None)
        if there is None:
            return link[1]  # a file of the project that is no page
        return f"[{link[1]}]({posixpath.relpath(there, posixpath.dirname(target) or '.')}{mark}{anchor})"

    def known(name: re.Match[str]) -> str:
        # A word without a hyphen means something else more often than the check.
        if name[1] not in checks or "-" not in name[1]:
            return name[0]
        return f"[{name[0]}]({posixpath.relpath(f'checks/{name[1]}.md', posixpath.dirname(target) or '.')})"

    # Forges want a bar in a table's code escaped, the site's Markdown shows the backslash.
    text = "\n".join(line.replace("\\|", "|") if line.startswith("|") else line for line in text.split("\n"))
    return _CODE.sub(known, _LINK.sub(moved, text))


def gather(folder: Path) -> list[Any]:
    """Writes all pages and pictures below `folder`; the checks' table of contents."""
    knowledge = load(None)
    checks = frozenset(rule["id"] for rule in knowledge["rules"])
    for path in sorted((ROOT / "docs").rglob("*")):
        place = path.relative_to(ROOT / "docs").as_posix()
        if path.suffix == ".md":
            _write(folder / place, page(path.read_text("utf-8"), f"docs/{place}", place, checks))
        elif path.is_file():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / place)
    for source, target in ELSEWHERE.items():
        if source.endswith(".md"):
            _write(folder / target, page((ROOT / source).read_text("utf-8"), source, target, checks))
    found = catalogue(ROOT / "rules", knowledge)
    for name, text in found.pages.items():
        _write(folder / name, text)
    return found.contents


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def configured(source: Path, out: Path, checks: list[Any]) -> dict[str, Any]:
    """The configuration of mkdocs for these folders."""
    found: dict[str, Any] = yaml.safe_load(CONFIG.read_text("utf-8"))
    nav = [{title: checks if part == "CHECKS" else part for title, part in one.items()} for one in found["nav"]]
    return {**found, "nav": nav, "docs_dir": str(source), "site_dir": str(out)}


def build(out: Path) -> int:
    """Builds the site into `out`, which is emptied first; the exit status of mkdocs."""
    source = out.with_name(out.name + "-source")
    shutil.rmtree(source, ignore_errors=True)
    checks = gather(source / "pages")
    return rendered(configured(source / "pages", out, checks), source / "mkdocs.yml")


def rendered(settings: dict[str, Any], path: Path) -> int:
    """Runs mkdocs with these settings, which are written to `path`; passes on what it warns of, and its exit status."""
    _write(path, yaml.safe_dump(settings, allow_unicode=True))
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    # Not --quiet: it counts no warnings then, and --strict has nothing to be strict about.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    told = [line for line in done.stderr.splitlines() if line and not line.startswith("INFO ")]
    sys.stderr.write("".join(f"{line}\n" for line in told))
    return done.returncode


def main() -> int:
    """Build it."""
    parser = argparse.ArgumentParser(description="Builds the documentation site.")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "site", metavar="FOLDER")
    out = parser.parse_args().out.resolve()
    status = build(out)
    if status == 0:
        sys.stdout.write(f"{out / 'index.html'}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
