"""Boots scenarios and holds the tool against VFIO: `make lab`, `make lab-heal`, `make lab-record`.

    PYTHONPATH=tests python -m lab.run [--record] [--heal | NAME...]

Exit status: 0 all agree, 1 some do not, 2 it could not be tried.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

from . import loader
from .heal import heal, judge_healing, write
from .image import LabError, cache, missing
from .judge import Judgement, judge
from .machine import boot
from .scenario import HERE, Scenario, ScenarioError, by_kind, load

SAMPLES = HERE.parents[1] / "samples/lab"
HEALED = SAMPLES.with_name("healed")


def main() -> int:
    """Runs the scenarios that the command line names, or all."""
    parser = argparse.ArgumentParser(prog="lab")
    parser.add_argument("--record", action="store_true", help="renew samples/lab from what the guests bring back")
    parser.add_argument("--heal", action="store_true", help="all scenarios that are healed by a reboot")
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios; by default all that are not healed")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a guest must not outlive the runner
    try:
        scenarios = [load(name) for name in options.names or by_kind(options.heal)]
        ready(any(scenario.loader for scenario in scenarios))
        return _all(scenarios, options.record)
    except (LabError, ScenarioError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2


def ready(loaders: bool) -> None:
    """Raises LabError where something that is needed is not here."""
    lacking = sorted({*missing(), *(loader.missing() if loaders else ())})
    if lacking:
        raise LabError(f"missing; as root: apt-get install {' '.join(lacking)}")
    if os.geteuid():
        raise LabError("debootstrap and chroot need root: sudo make lab")
    cache().mkdir(parents=True, exist_ok=True)


def _all(scenarios: list[Scenario], record: bool) -> int:
    rows: list[tuple[str, ...]] = [("scenario", "kernel", "loader", "verdict", "VFIO", "seconds")]
    disagreements: list[str] = []
    for scenario in scenarios:
        print(f"lab: {scenario.name}: {scenario.title}", flush=True)
        try:
            judgement, seconds = _one(scenario, record)
        except LabError as error:
            disagreements.append(f"{scenario.name}: {error}")
            print(f"     {error}", flush=True)
            rows.append((scenario.name, scenario.kernel, scenario.loader or "-", "-", "no answer", "-"))
            continue
        print(f"     {judgement.verdict}; VFIO: {judgement.answer}; {seconds:.0f} s", flush=True)
        for words in judgement.disagreements:
            print(f"     {words}", flush=True)
        if scenario.disputed:
            print(f"     known: {scenario.disputed}", flush=True)
        else:
            disagreements += [f"{scenario.name}: {words}" for words in judgement.disagreements]
        found = (judgement.verdict, judgement.answer, f"{seconds:.0f}")
        rows.append((scenario.name, scenario.kernel, scenario.loader or "-", *found))
    print(table(rows))
    for line in disagreements:
        print(line)
    print(f"lab: {len(scenarios)} scenarios, {len(disagreements)} disagreements")
    return 1 if disagreements else 0


def _one(scenario: Scenario, record: bool) -> tuple[Judgement, float]:
    with tempfile.TemporaryDirectory(prefix="boot.", dir=cache()) as work:
        if scenario.heal:
            healing = heal(scenario, Path(work))
            if record:
                HEALED.mkdir(exist_ok=True)
                write(healing, HEALED / f"{scenario.name}.tar.xz")
            return judge_healing(scenario, healing), healing.seconds
        results = boot(scenario, Path(work))
    if record:
        SAMPLES.mkdir(exist_ok=True)
        (SAMPLES / f"{scenario.name}.tar.gz").write_bytes(results.bundle)
        (SAMPLES / f"{scenario.name}.truth.json").write_text(results.truth, "utf-8")
    return judge(scenario, results.bundle, results.truth), results.seconds


def table(rows: list[tuple[str, ...]]) -> str:
    """Rows in columns.

    >>> print(table([("scenario", "verdict"), ("healthy", "ready")]))
    scenario  verdict
    healthy   ready
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


if __name__ == "__main__":
    sys.exit(main())
