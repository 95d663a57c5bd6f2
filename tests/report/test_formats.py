"""The registry, JSON, and the place of the templates."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from doctor.report import places
from doctor.report.formats import FORMATS, Format, format_of, module_of, render
from doctor.report.words import ENGLISH

from .sample_report import sample_report


def test_json_is_the_report_as_it_is() -> None:
    assert json.loads(render(sample_report(), "json")) == sample_report()


def test_json_is_plain_ascii() -> None:
    text = render(sample_report(), "json")
    assert isinstance(text, str)
    assert text.isascii()
    assert all(line.isprintable() for line in text.splitlines())


def test_json_needs_no_other_renderer() -> None:
    code = (
        "import sys; from doctor.report.formats import render; render({}, 'json');"
        "print([m for m in ('rich', 'jinja2', 'weasyprint', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
def test_a_format_is_what_its_line_says(form: Format) -> None:
    if form.binary and not find_spec("weasyprint"):
        pytest.skip("WeasyPrint is not installed")
    taken = inspect.signature(module_of(form.name).render).parameters
    assert set(form.takes) <= set(taken) & {"max_length", "fail_on", "width", "colour", "paper"}
    assert form.plugin == hasattr(module_of(form.name), "state")
    assert format_of(f"report{form.suffix}") == form.name
    assert all(format_of(f"report{ending}".upper()) == form.name for ending in form.endings)


def test_every_format_is_documented() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text("utf-8")
    named = set(re.findall(r"^\| `(\w+)` \| `\.", text, re.MULTILINE))
    assert named == set(FORMATS)


def test_no_two_formats_share_an_ending() -> None:
    endings = [ending for form in FORMATS.values() for ending in (form.suffix, *form.endings)]
    assert len(endings) == len(set(endings))


def test_an_unknown_format_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        render(sample_report(), "fax")


def test_templates_are_found_in_a_checkout() -> None:
    assert (places.template_folder() / "report.html.j2").is_file()


def test_templates_shipped_in_the_package_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tmp_path / "doctor" / "data" / "report_templates"
    shipped.mkdir(parents=True)
    monkeypatch.setattr(places, "__file__", str(tmp_path / "doctor" / "report" / "places.py"))
    assert places.template_folder() == shipped
    shipped.rmdir()
    assert places.template_folder() == tmp_path / "report_templates"


def test_every_word_is_there_and_used() -> None:
    texts = [path.read_text("utf-8") for path in Path(places.__file__).parent.rglob("*.py")]
    texts += [path.read_text("utf-8") for path in places.template_folder().glob("*.j2")]
    used = "\n".join(text for text in texts if "ENGLISH = {" not in text)
    asked = set(re.findall(r"""\b(?:words|said)\(\s*["']([a-z_-]+)["'](?! [~+])""", used))
    assert asked <= set(ENGLISH)
    built = (
        "kind-",
        "count-",
        "layer-",
        "chain-",
        "do-",
        "ready",
        "not-ready",
        "undetermined",
        "blocker",
        "risk",
        "advice",
    )
    plain = {"distribution", "kernel", "bootloader", "cpu_vendor", "board"}
    spare = {key for key in ENGLISH if not re.search(f"[\"']{key}[\"']", used)}
    assert {key for key in spare if not key.startswith(built)} <= plain
