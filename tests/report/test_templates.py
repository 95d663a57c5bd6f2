"""Code that was made of a template beforehand says the same as the template, and gives way to a newer one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from doctor.report import templates
from doctor.report.html import render
from doctor.report.places import template_folder

from .sample_report import sample_report


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of code, which is taken in the place of the one in the package."""
    templates.compile_into(tmp_path / "code")
    monkeypatch.setattr(templates, "code_folder", lambda: tmp_path / "code")
    return tmp_path / "code"


def test_the_same_page_comes_of_it(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in code.glob("*.py"):
        path.write_text(path.read_text("utf-8") + f"open({str(code / 'used')!r}, 'a').write({path.name!r})\n", "utf-8")
    page = render(sample_report())
    assert (code / "used").read_text("utf-8") == "report_html_j2.pyparts_html_j2.py"
    monkeypatch.setattr(templates, "code_folder", lambda: code / "nothing")
    assert render(sample_report()) == page


def test_code_of_another_template_is_not_used(code: Path, tmp_path: Path) -> None:
    shutil.copytree(template_folder(), tmp_path / "templates")
    newer = tmp_path / "templates" / "parts.html.j2"
    newer.write_text(newer.read_text("utf-8") + "{# newer #}\n", "utf-8")
    source = newer.read_text("utf-8")
    assert templates._code("parts.html.j2", source) is None
    assert templates._code("parts.html.j2", (template_folder() / "parts.html.j2").read_text("utf-8")) is not None


def test_code_of_another_jinja_is_not_used(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (template_folder() / "parts.html.j2").read_text("utf-8")
    monkeypatch.setattr("jinja2.__version__", "0.0")
    assert templates._code("parts.html.j2", source) is None
