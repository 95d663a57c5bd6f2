"""The same input gives the same bytes in every format: whatever the process, its time zone, language or seed is,
and in whatever order an archive holds its files."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from doctor.examine import Terms, examine
from doctor.report import pdf
from doctor.report.formats import FORMATS

from .sample_report import sample_report

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
# A file that dates back, one of a day on which a clock is set, an archive with folders and one without.
INPUTS = ("twin-3090ti.txt", "twin-3090ti.tar.gz", "lab-amd.tar.gz")
# Without a time in the evidence, formats that must have one take this.
EPOCH = "1577836800"
ONE = {"TZ": "UTC", "PYTHONHASHSEED": "1", "LANG": "C.UTF-8", "COLUMNS": "80", "SOURCE_DATE_EPOCH": EPOCH}
OTHER = {
    "TZ": "Pacific/Kiritimati",
    "PYTHONHASHSEED": "4711",
    "LANG": "C",
    "COLUMNS": "80",
    "PYTHONCOERCECLOCALE": "0",
    "SOURCE_DATE_EPOCH": EPOCH,
}
# What other commands write of an input, and the formats in another language.
COMMANDS = (
    *(("plan", form, "--device", "05:00") for form in ("terminal", "sh", "diff", "json")),
    *(("facts", form) for form in ("text", "json")),
    *(("check", form, "--lang", "zh_CN") for form in ("terminal", "html", "markdown", "bbcode", "json")),
)
RUN_ALL = """
import sys
from doctor.cli import main
for number, line in enumerate(sys.argv[1:]):
    command, form, *more = line.split()
    given = [command, "input", "--format", form, "-o", f"out-{number}", *more]
    sys.exit(9) if main(given) == 2 else None
"""


def can_write_pdf() -> bool:
    """Whether this system has what PDFs need."""
    try:
        pdf.render(sample_report())
    except pdf.PangoMissing:
        return False
    return True


def written(name: str, folder: Path, environment: dict[str, str], forms: list[str]) -> dict[str, bytes]:
    """What a process of its own writes of the input `name` in `folder`, by format."""
    asked = [word for form in forms for word in ("--format", form, "-o", f"out-{form}")]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-m", "doctor", "check", name, *asked, "--fail-on", "never"],
        cwd=folder,
        env={**kept, **environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return {form: (folder / f"out-{form}").read_bytes() for form in forms}


def turned_round(source: Path, target: Path) -> None:
    """An archive with the files of another in the other order, each a day younger."""
    with tarfile.open(source) as read, tarfile.open(target, "w:gz") as write:
        for member in reversed(read.getmembers()):
            member.mtime += 86400
            write.addfile(member, read.extractfile(member) if member.isfile() else None)


@pytest.mark.parametrize("name", INPUTS)
def test_same_bytes(name: str, tmp_path: Path) -> None:
    forms = [form for form in FORMATS if form != "pdf" or can_write_pdf()]
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        (folder / name).write_bytes((SAMPLES / name).read_bytes())
    if name.endswith(".tar.gz"):
        turned_round(SAMPLES / name, there / name)
        assert (here / name).read_bytes() != (there / name).read_bytes()
    os.utime(there / name, (1, 1))
    first, second = written(name, here, ONE, forms), written(name, there, OTHER, forms)
    assert all(first.values())
    assert [form for form in forms if first[form] != second[form]] == []


def laid_out(source: Path, folder: Path, backwards: bool) -> None:
    """The files of an archive as a folder, made in one order or the other."""
    with tarfile.open(source) as archive:
        members = sorted((one for one in archive.getmembers() if one.isfile()), key=lambda one: one.name)
        for member in reversed(members) if backwards else members:
            held = archive.extractfile(member)
            assert held is not None
            target = folder / member.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(held.read())


@pytest.mark.parametrize("kind", ["paste", "folder"])
def test_same_bytes_of_every_command_and_language(kind: str, tmp_path: Path) -> None:
    """Plans, scripts, facts and reports in Chinese; of a folder, too, whose files have no order."""
    found = []
    for backwards, environment in enumerate((ONE, OTHER)):
        place = tmp_path / str(backwards)
        place.mkdir()
        if kind == "paste":
            (place / "input").write_bytes((SAMPLES / "twin-3090ti.txt").read_bytes())
        else:
            laid_out(SAMPLES / "twin-3090ti.tar.gz", place / "input", bool(backwards))
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHON"))}
        subprocess.run(
            [sys.executable, "-c", RUN_ALL, *map(" ".join, COMMANDS)],
            cwd=place,
            env={**kept, **environment, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
        )
        found.append([(place / f"out-{number}").read_bytes() for number in range(len(COMMANDS))])
    assert all(found[0])
    assert [name for name, one, other in zip(COMMANDS, *found, strict=True) if one != other] == []


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize(("moment", "status"), [("1577836799", "waived"), ("1577836800", "fail")])
def test_a_waivers_day_is_that_of_utc(
    zone: str, moment: str, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", moment)
    entry = "- {check: companion-function-unbound, host: '*', reason: ours, owner: anna, expires: 2019-12-31}\n"
    (tmp_path / "waivers.yaml").write_text(entry, "utf-8")
    report = examine(str(SAMPLES / "twin-3090ti.txt"), terms=Terms(waivers=str(tmp_path / "waivers.yaml")))
    monkeypatch.undo()
    time.tzset()
    assert status in {check["status"] for check in report["checks"] if check["id"] == "companion-function-unbound"}
    assert ("waived" in {check["status"] for check in report["checks"]}) == (status == "waived")
