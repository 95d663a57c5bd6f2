"""Every sample in every format, in one folder, behind a page that lists them: `make demo`.

Usage: gallery.py [--out FOLDER] [--lang CODE] [--jobs N] [SAMPLE...]. Without samples, all of samples/. What an earlier
run wrote is replaced when the new one is whole.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import shutil
import sys
import tarfile
from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import doctor
from doctor.report.formats import FORMATS

if TYPE_CHECKING:
    from doctor.report.model import Report

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples"
ENDINGS = (".txt", ".tar.gz", ".tar.xz")
TITLES = {"": "Machines", "lab": "The lab", "healed": "The lab: hosts before and after they were healed"}
NAMES = {"terminal": "Text", "markdown": "Markdown", "bbcode": "BBCode", "junit": "JUnit", "prometheus": "Prometheus",
         "nagios": "Nagios"}  # fmt: skip
VERDICTS = {"ready": "READY", "not-ready": "NOT READY", "undetermined": "UNDETERMINED"}
MOST_JOBS = 4  # a PDF takes some hundred mebibytes
STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1d2329; --soft: #57606a; --line: #d9dee3; --link: #1f5fa8;
  --good: #1a6b3a; --bad: #a3211b; --doubt: #7a5200; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181c; --ink: #e4e8ec; --soft: #a4adb6; --line: #39424b;
  --link: #8ab8f2; --good: #7fd19b; --bad: #f79a92; --doubt: #e8c064; } }
body { margin: 0 auto; max-width: 75rem; padding: 1.5rem; font: 100%/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--paper); }
h1 { font-size: 1.6rem; margin: 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 0.5rem; }
p { margin: 0.4rem 0; color: var(--soft); }
a { color: var(--link); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.35rem 0.7rem 0.35rem 0;
  border-bottom: 1px solid var(--line); }
th[scope=row] { font-weight: 600; overflow-wrap: anywhere; min-width: 12rem; }
.forms { line-height: 1.9; min-width: 18rem; }
.forms > * { display: inline-block; margin-right: 0.8rem; }
.says { color: var(--soft); min-width: 16rem; }
.verdict { font-weight: 700; white-space: nowrap; }
.ready { color: var(--good); }
.not-ready { color: var(--bad); }
.undetermined { color: var(--doubt); }
"""


class Shown(NamedTuple):
    """A sample as the page lists it: its name, what the report says of it, and its formats that were written."""

    name: str
    verdict: str
    headline: str
    formats: tuple[str, ...]
    problem: str = ""


class Sample(NamedTuple):
    """An input: its file, and in an archive of several hosts, which of them."""

    path: Path
    inner: str = ""

    @property
    def name(self) -> str:
        """What it is called on the page and in the folder: its path among the samples."""
        path = self.path.resolve()
        name = path.relative_to(SAMPLES).as_posix() if path.is_relative_to(SAMPLES) else path.name
        return f"{name}-{self.inner}" if self.inner else name


class Task(NamedTuple):
    """What a worker does: a sample, the folder for its reports, and the language."""

    sample: Sample
    folder: Path
    language: str


def samples(named: Iterable[str] = ()) -> list[Sample]:
    """The samples that are named, or all that there are: machines first, then the lab's."""
    given = [Path(name) for name in named]
    found = (path for folder in ("", "lab", "healed") for path in sorted((SAMPLES / folder).iterdir()))
    chosen = given or [path for path in found if path.name.endswith(ENDINGS)]
    return [one for path in chosen for one in _hosts(path)]


def _hosts(path: Path) -> Iterator[Sample]:
    """One for each host in a file: what was healed is kept with what it was before."""
    if path.parent.name != "healed":
        yield Sample(path)
        return
    with tarfile.open(path) as archive:
        yield from (Sample(path, name) for name in ("ill.tar", "healed.tar") if name in archive.getnames())


def examined(sample: Sample, language: str) -> Report:
    """The report of a sample."""
    if not sample.inner:
        return doctor.examine(sample.path, language=language)
    with TemporaryDirectory() as folder, tarfile.open(sample.path) as archive:
        held = archive.extractfile(sample.inner)
        assert held is not None  # noqa: S101 - `samples` looked
        target = Path(folder) / sample.inner
        target.write_bytes(held.read())
        return doctor.examine(target, language=language)


def place(name: str, form: str) -> str:
    """Where a sample's report in a format is, from the page."""
    return f"reports/{name}/report{FORMATS[form].suffix}"


def write(task: Task) -> Shown:
    """Examines a sample and writes its report in every format that this system can write."""
    report = examined(task.sample, task.language)
    task.folder.mkdir(parents=True)
    done: list[str] = []
    problem = ""
    for form in doctor.FORMATS:
        try:
            if form == "terminal":
                made: str | bytes = doctor.render(report, "terminal", width=100, colour=False)
            else:
                made = doctor.render(report, form)
        except doctor.PangoMissing as error:
            problem = str(error)
            continue
        data = made.encode("utf-8", "surrogateescape") if isinstance(made, str) else made
        (task.folder / f"report{FORMATS[form].suffix}").write_bytes(data)
        done.append(form)
    return Shown(task.sample.name, report["summary"]["verdict"], report["summary"]["headline"], tuple(done), problem)


def page(shown: Iterable[Shown], problem: str = "") -> str:
    """The page that lists all reports: one file, no script, nothing loaded."""
    rows = list(shown)
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    groups = [(folder, list(found)) for folder, found in groupby(rows, key=lambda one: one.name.rpartition("/")[0])]
    counts = ", ".join(
        f"{sum(one.verdict == verdict for one in rows)} {name.lower()}" for verdict, name in VERDICTS.items()
    )
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{digest}'\">\n"
        f"<title>passdoctor: samples in every format</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        "<h1>passdoctor: samples in every format</h1>\n"
        f"<p>{len(rows)} inputs: {counts}.</p>\n" + (f"<p>{escape(problem)}</p>\n" if problem else "")
    )
    return head + "".join(_section(folder, found) for folder, found in groups) + "</main>\n</body>\n</html>\n"


def named(form: str) -> str:
    """What a format is called on the page."""
    return NAMES.get(form, form.upper())


def _section(folder: str, found: list[Shown]) -> str:
    title = escape(TITLES.get(folder, folder))
    rows = "".join(_row(one) for one in found)
    return (
        f'<section>\n<h2>{title}</h2>\n<div class="wide" role="region" aria-label="{title}" tabindex="0">\n<table>\n'
        f'<thead><tr><th scope="col">Sample</th><th scope="col">Verdict</th><th scope="col">What it says</th>'
        f'<th scope="col">Formats</th>'
        f"</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n</section>\n"
    )


def _row(one: Shown) -> str:
    links = "".join(_cell(one, form) for form in doctor.FORMATS)
    return (
        f'<tr><th scope="row">{escape(one.name.rpartition("/")[2])}</th>'
        f'<td class="verdict {one.verdict}">{VERDICTS[one.verdict]}</td><td class="says">{escape(one.headline)}</td>'
        f'<td class="forms">{links}</td></tr>\n'
    )


def _cell(one: Shown, form: str) -> str:
    if form not in one.formats:
        return f"<span>{named(form)}: not written</span>"
    name = f"{named(form)} of {one.name}"
    label = named(form)
    return f'<a href="{escape(place(one.name, form))}" aria-label="{escape(name)}">{label}</a>'


def make(found: list[Sample], out: Path, language: str = "", jobs: int = 1) -> list[Shown]:
    """Writes the reports of the samples and the page below `out`, and returns what was written."""
    out.mkdir(parents=True, exist_ok=True)
    fresh, old = out / f".reports.{os.getpid()}", out / "reports"
    try:
        tasks = [Task(sample, fresh / sample.name, language) for sample in found]
        shown = list(_run(tasks, jobs))
        shutil.rmtree(old, ignore_errors=True)
        fresh.rename(old)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    problem = next((one.problem for one in shown if one.problem), "")
    (out / "index.html").write_text(page(shown, problem), "utf-8")
    return shown


def _run(tasks: list[Task], jobs: int) -> Iterator[Shown]:
    """The tasks' results in their order; how far it is, on a terminal."""
    if jobs < 2:
        yield from map(write, tasks)
        return
    with get_context("spawn").Pool(min(jobs, len(tasks))) as pool:
        for at, one in enumerate(pool.imap(write, tasks), 1):
            if sys.stderr.isatty():
                sys.stderr.write(f"\r\x1b[K{at} of {len(tasks)}: {one.name}")
            yield one
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")


def main() -> int:
    """Write the gallery and say where it is; 0, also where no PDF can be written."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("samples", nargs="*", metavar="SAMPLE")
    parser.add_argument("--out", default="demo", metavar="FOLDER")
    parser.add_argument("--lang", default="", metavar="CODE")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, MOST_JOBS), metavar="N")
    options = parser.parse_args()
    shown = make(samples(options.samples), Path(options.out), options.lang, options.jobs)
    forms = [named(form) for form in doctor.FORMATS if any(form in one.formats for one in shown)]
    print(f"{len(shown)} samples as {', '.join(forms)}:")  # noqa: T201 - a tool's output
    print(f"  {Path(options.out).resolve() / 'index.html'}")  # noqa: T201
    problem = next((one.problem for one in shown if one.problem), "")
    if problem:
        print(f"  {problem}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
