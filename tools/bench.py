"""Measures what people run, as ratios to the start of the interpreter that runs it.

Every round runs every case once, so that a busy machine slows all of them alike; medians are compared.
The console script beside the interpreter is measured, for that is what people type. A checkout reads its
rules through the user's cache: a first round, which is not counted, fills one of our own. Linux counts the
memory of the process that starts a program too, so no peak is below this script's own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples"
NAME = "proxmox-no-iommu"
MEMORY_LIMIT = 60.0  # MiB, for every check
ANSWERS = (0, 1, 3)  # exit statuses of a check that did its work


class Case(NamedTuple):
    """What is run, how many times the bare interpreter it may take, how much memory, and on a terminal?"""

    name: str
    arguments: tuple[str, ...]
    limit: float
    memory: float | None = None
    terminal: bool = False


class Run(NamedTuple):
    """One run: seconds on the clock, peak resident memory in MiB, exit status."""

    seconds: float
    peak: float
    status: int


class Row(NamedTuple):
    """A line of the table."""

    name: str
    ratio: float
    limit: float | None
    median: float
    peak: float
    memory: float | None
    status: int

    @property
    def kept(self) -> bool:
        """Whether it worked and stayed within its limits."""
        in_time = self.limit is None or self.ratio <= self.limit
        return in_time and (self.memory is None or self.peak <= self.memory) and self.status in ANSWERS


def command() -> list[str]:
    """The way passdoctor is started: the console script, or what it does where there is none."""
    script = Path(sys.executable).parent / "passdoctor"
    if script.is_file():
        return [str(script)]
    return [sys.executable, "-c", "import sys; from doctor.cli import main; sys.exit(main())"]


def sample(given: str | None, suffix: str) -> Path:
    """The input to examine: the one given, the usual sample, or the first of its kind."""
    usual = Path(given) if given else SAMPLES / (NAME + suffix)
    found = [usual] if usual.exists() else [] if given else sorted(SAMPLES.glob("*" + suffix))
    if not found:
        sys.exit(f"bench: no input to examine: {usual}")
    return found[0]


def cases(paste: Path, bundle: Path, out: Path) -> list[Case]:
    """Everything that is measured, with the limits of the project."""
    return [
        Case("--version", ("--version",), 3),
        Case("paste to JSON", ("check", str(paste), "--format", "json"), 6, MEMORY_LIMIT),
        Case("bundle to JSON", ("check", str(bundle), "--format", "json"), 6, MEMORY_LIMIT),
        Case("paste to terminal", ("check", str(paste)), 10, MEMORY_LIMIT, True),
        Case("bundle to terminal", ("check", str(bundle)), 10, MEMORY_LIMIT, True),
        Case(
            "bundle to HTML",
            ("check", str(bundle), "--format", "html", "-o", str(out / "r.html")),
            16,
            MEMORY_LIMIT,
        ),
        Case(
            "bundle to PDF",
            ("check", str(bundle), "--format", "pdf", "-o", str(out / "r.pdf")),
            80,
            MEMORY_LIMIT,
        ),
    ]


def run(argv: list[str], environment: dict[str, str], terminal: bool = False) -> Run:
    """Start `argv` and say what it took; its output is thrown away, behind a terminal if so asked."""
    null = os.open(os.devnull, os.O_RDWR)
    ours, theirs = os.openpty() if terminal else (None, null)
    actions = [
        (os.POSIX_SPAWN_DUP2, null, 0),
        (os.POSIX_SPAWN_DUP2, theirs, 1),
        (os.POSIX_SPAWN_DUP2, null, 2),
    ]
    start = time.perf_counter()
    child = os.posix_spawn(argv[0], argv, environment, file_actions=actions)
    if ours is not None:
        os.close(theirs)
        drain(ours)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    os.close(null)
    return Run(seconds, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status))


def drain(terminal: int) -> None:
    """Read until the other side is closed, which Linux reports as an error."""
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        pass
    finally:
        os.close(terminal)


def measure(chosen: Sequence[Case], rounds: int, cache: Path) -> list[Row]:
    """All cases, round by round, and the table that comes of it."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment.update(XDG_CACHE_HOME=str(cache), TERM="xterm-256color", COLUMNS="100", LINES="40")
    base = Case("interpreter", (), 1)
    runs: dict[str, list[Run]] = {case.name: [] for case in (base, *chosen)}
    start = command()
    for number in range(rounds + 1):
        for case in (base, *chosen):
            argv = [sys.executable, "-c", "pass"] if case is base else [*start, *case.arguments]
            done = run(argv, environment, case.terminal)
            if number:
                runs[case.name].append(done)
    median = {name: statistics.median(each.seconds for each in done) for name, done in runs.items()}
    rows = []
    for case in (base, *chosen):
        peak = max(each.peak for each in runs[case.name])
        worst = max(each.status for each in runs[case.name])
        limit = None if case is base else case.limit
        ratio = median[case.name] / median[base.name]
        rows.append(Row(case.name, ratio, limit, median[case.name], peak, case.memory, worst))
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows as text."""
    lines = [f"{'':20} {'ratio':>7} {'limit':>6} {'median ms':>10} {'peak MiB':>9} {'limit':>6}"]
    for row in rows:
        limit = "" if row.limit is None else f"{row.limit:.0f}"
        memory = "" if row.memory is None else f"{row.memory:.0f}"
        failed = f"failed with status {row.status}" if row.status not in ANSWERS else "over its limit"
        lines.append(
            f"{row.name:20} {row.ratio:7.1f} {limit:>6} {row.median * 1000:10.1f} {row.peak:9.1f} {memory:>6}"
            + ("" if row.kept else f"  {failed}")
        )
    return "\n".join(lines)


def main() -> int:
    """Measure and print; the exit status is 0 unless --strict is given and something is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="how often each is run (default 9)")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a limit is not kept")
    parser.add_argument("--paste", help="a text file to examine instead of the sample")
    parser.add_argument("--bundle", help="a bundle to examine instead of the sample")
    given = parser.parse_args()
    paste, bundle = sample(given.paste, ".txt"), sample(given.bundle, ".tar.gz")
    with TemporaryDirectory(prefix="passdoctor-bench-") as folder:
        rows = measure(cases(paste, bundle, Path(folder)), max(7, given.rounds), Path(folder))
    sys.stdout.write(f"Times the start of {sys.executable} -c pass; run as {' '.join(command()[:1])}\n")
    sys.stdout.write(f"Inputs: {paste.name} ({paste.stat().st_size // 1024 + 1} KiB), ")
    sys.stdout.write(f"{bundle.name} ({bundle.stat().st_size // 1024 + 1} KiB)\n\n{table(rows)}\n")
    return int(given.strict and not all(row.kept for row in rows))


if __name__ == "__main__":
    sys.exit(main())
