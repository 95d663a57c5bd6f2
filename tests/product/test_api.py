"""The public Python API: what docs/embedding.md promises."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import doctor
from doctor.report import formats
from doctor.say import language, speak

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "samples" / "twin-3090ti.txt"
WIDE = "未就绪"


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """What is examined in another language is not spoken by the next test."""
    yield
    speak()


def test_importing_it_imports_no_room() -> None:
    code = "import sys, doctor; print([name for name in sys.modules if name.startswith('doctor.')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", doctor.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(doctor, name) is not None


def test_no_other_name_is_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'exmaine'"):
        doctor.exmaine  # noqa: B018 - the access is what is tried


def test_formats_are_those_that_there_are() -> None:
    assert tuple(formats.FORMATS) == doctor.FORMATS


def test_a_path_is_a_text_or_a_path() -> None:
    assert doctor.examine(SAMPLE) == doctor.examine(str(SAMPLE))


def test_devices_may_be_one() -> None:
    named = [target["address"] for target in doctor.examine(SAMPLE, ["01:00.0"])["targets"]]
    assert named == ["0000:01:00.0"]
    assert [target["address"] for target in doctor.examine(SAMPLE, "01:00.0")["targets"]] == named


def test_each_is_what_the_command_line_says(tmp_path: Path) -> None:
    files = {form: tmp_path / form for form in ("json", "markdown", "terminal", "html")}
    words = [word for form, file in files.items() for word in ("--format", form, "-o", str(file))]
    given = ["check", str(SAMPLE), "--device", "01:00.0", "--profile", "homelab-gpu", *words, "--fail-on", "never"]
    done = subprocess.run(
        [sys.executable, "-m", "doctor", *given, "--lang", "zh"],
        cwd=ROOT,
        env={"COLUMNS": "80", "HOME": str(tmp_path)},
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    report = doctor.examine(SAMPLE, ["01:00.0"], profile="homelab-gpu", language="zh_CN")
    for form, file in files.items():
        how: dict[str, Any] = {"width": 80, "colour": False} if form == "terminal" else {}
        text = doctor.render(report, form, language="zh", **how)
        assert file.read_text("utf-8").rstrip() == str(text).rstrip()


def test_the_environment_chooses_no_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert "NOT READY" in doctor.render(doctor.examine(SAMPLE), colour=False)


def test_a_language_for_one_rendering_stays_with_it() -> None:
    report = doctor.examine(SAMPLE)
    assert WIDE in doctor.render(report, language="zh_CN")
    assert language() == "en"
    assert WIDE not in doctor.render(report)
    with pytest.raises(doctor.KnowledgeError, match="no such language: xx"):
        doctor.render(report, language="xx")


def test_threads_speak_for_themselves() -> None:
    said: dict[str, str] = {}

    def examine(code: str) -> None:
        said[code] = doctor.render(doctor.examine(SAMPLE, language=code), colour=False)

    threads = [Thread(target=examine, args=(code,)) for code in ("", "zh_CN")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said[""].startswith("NOT READY")
    assert said["zh_CN"].startswith(WIDE)


def test_errors_are_of_their_kinds(tmp_path: Path) -> None:
    with pytest.raises(doctor.InputError, match="nowhere"):
        doctor.examine(tmp_path / "nowhere")
    with pytest.raises(doctor.UnknownDevice):
        doctor.examine(SAMPLE, ["dead:beef"])
    for wrong in (
        {"language": "xx"},
        {"profile": "none"},
        {"rules": tmp_path / "none"},
        {"waivers": tmp_path / "none"},
    ):
        with pytest.raises((doctor.KnowledgeError, doctor.InputError)):
            doctor.examine(SAMPLE, **wrong)


@pytest.mark.parametrize(
    ("form", "options", "said"),
    [
        ("xml", {}, "no such format: xml; there are terminal, html"),
        ("html", {"width": 60}, "html does not take width"),
        ("json", {"colour": False}, "json does not take colour"),
        ("terminal", {"max_length": 600}, "terminal does not take max_length"),
        ("markdown", {"max_length": 499}, "at least 500"),
    ],
)
def test_options_that_a_format_does_not_take(form: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        doctor.render(doctor.examine(SAMPLE), form, **options)


def test_json_is_the_report() -> None:
    report = doctor.examine(SAMPLE)
    assert json.loads(doctor.render(report, "json")) == report


def test_progress_is_told() -> None:
    told: list[str] = []
    doctor.examine(SAMPLE, progress=told.append)
    assert told == [f"examining {SAMPLE}"]
