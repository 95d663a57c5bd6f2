"""Hosts drawn by chance: `make lab-random SEED=n`, `make lab-random COUNT=50`.

    PYTHONPATH=tests python -m lab.chance [--seed N] [--count N] [--heal] [--out FILE]
    PYTHONPATH=tests python -m lab.chance --keep

A seed always draws the same host from `faults.yaml`. It boots, and for every device the report's verdict must agree
with VFIO; nobody wrote down what must be found. With --heal it boots through a loader, is healed and rebooted. One
line of JSON for each seed is appended to the results. --keep packs what came of all seeds into samples/chance,
which `make test` replays.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import json
import random
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from .heal import (
    Healing,
    heal,
    judge_healing,
    left_to_a_person,
    members_of,
    read,
    squeezed,
    states_of,
    unsqueezed,
    write,
)
from .image import LabError, cache
from .judge import Judgement, agreement, diagnosis
from .loader import State
from .machine import boot
from .run import ready
from .scenario import BASE, HERE, Scenario, parse

TABLE: dict[str, Any] = yaml.safe_load((HERE / "faults.yaml").read_text("utf-8"))
LOADERS = ("grub", "systemd-boot")
KEPT = HERE.parents[1] / "samples/chance/seeds.tar.xz"


def draw(seed: int, heal: bool = False, table: dict[str, Any] = TABLE) -> tuple[Scenario, tuple[str, ...]]:
    """The host of a seed, and the names of its faults.

    >>> draw(1) == draw(1), draw(1)[0].cmdline == draw(1, heal=True)[0].cmdline
    (True, False)
    """
    chance = random.Random(f"{seed} {heal}")  # noqa: S311 - it is to be the same each time
    machine, kernel = (_weighted(chance, table[key]) for key in ("machines", "kernels"))
    kind = chance.choice(sorted(table["hosts"]))
    host = table["hosts"][kind]
    old = [name for name in sorted(table["faults"]) if table["faults"][name].get("from", seed) <= seed]
    fitting = [name for name in old if _fits(table["faults"][name], machine, kernel, kind, heal)]
    names: list[str] = []
    groups: set[str] = set()
    # Faults of this kind of host come first more often: there are few of them, and they are most of what people ask.
    order = {name: chance.random() ** (1 / (3 if "hosts" in table["faults"][name] else 1)) for name in fitting}
    for name in sorted(fitting, key=order.__getitem__, reverse=True):
        group = table["faults"][name].get("group", name)
        if group not in groups:
            groups.add(group)
            names.append(name)
    number = max(_weighted(chance, table["faults_by_number"]), 1 if heal else 0)
    drawn = tuple(names[:number])
    line = chance.choice(table["cmdlines"][machine])
    data = _data(machine, line, host, [table["faults"][name] for name in drawn])
    data |= {"title": ", ".join(drawn) or "nothing", "kernel": kernel, "expect": {"verdict": "undetermined"}}
    if heal:
        data |= {"loader": chance.choice(LOADERS), "heal": True}
    return parse(f"seed-{seed}", data), drawn


def _weighted(chance: random.Random, table: dict[Any, int]) -> Any:
    """One of the keys; its value says how often."""
    return chance.choices(list(table), list(table.values()))[0]


def _fits(fault: dict[str, Any], machine: str, kernel: str, kind: str, heal: bool) -> bool:
    here = (("machines", machine), ("kernels", kernel), ("hosts", kind))
    return all(value in fault.get(key, (value,)) for key, value in here) and not (heal and fault.get("firmware"))


def _data(machine: str, line: str, host: dict[str, Any], faults: list[dict[str, Any]]) -> dict[str, Any]:
    """A scenario as a file would say it: the host with its faults."""
    files: dict[str, Any] = {"etc/modules": None, "etc/modprobe.d/vfio.conf": None, **host["files"]}
    about: dict[str, Any] = {"iommu": machine, "parts": host["parts"]}
    # What stands behind -- is no parameter: such words come last.
    for fault in sorted(faults, key=lambda fault: str(fault.get("append", "")).startswith("--")):
        line = " ".join(filter(None, (fault.get("prepend"), line, fault.get("append"))))
        files |= fault.get("files", {})
        if "options" in fault:
            about["options"] = fault["options"]
        if fault.get("iommu") == "none":
            about["iommu"] = f"{machine}-none"
    for fault in faults:
        for path, texts in fault.get("replace", {}).items():
            for old, new in texts.items():
                if files.get(path):
                    files[path] = files[path].replace(old, new)
    stale = any(fault.get("initramfs") == "stale" for fault in faults)
    return {"machine": about, "cmdline": line, "files": files, "initramfs": "stale" if stale else "rebuilt"}


def look(scenario: Scenario, work: Path) -> dict[str, Any]:
    """Boots a host and says where the report and VFIO disagree."""
    results = boot(scenario, work)
    judged = agreement(scenario, results.bundle, results.truth)
    (work.parent / f"{scenario.name}.tar.gz").write_bytes(results.bundle)
    (work.parent / f"{scenario.name}.truth.json").write_text(results.truth)
    return {"kernel": results.kernel, **_said(judged), "seconds": round(results.seconds)}


def cure(scenario: Scenario, work: Path) -> dict[str, Any]:
    """Heals a host and says what is not as it should be. It is not taken back: the scenarios prove undoing."""
    healing = heal(scenario, work, take_back=False, choose=lambda bundle: _choice(scenario, bundle))
    write(healing, work.parent / f"{scenario.name}.tar.xz")
    bundle = healing.states[0].bundle
    kernel, options = json.loads(healing.states[0].truth)["kernel"], _choice(scenario, bundle)
    judged = judge_healing(scenario, healing, _meant(scenario, bundle, options))
    row = {"kernel": kernel, "options": options, "left": left_to_a_person(scenario, healing.states[1])}
    return row | {**_said(judged), "seconds": round(healing.seconds)}


def _choice(scenario: Scenario, bundle: bytes) -> tuple[str, ...]:
    """What the plan asks a person where several cards are alike: the first of them."""
    undecided = [target.address for target in diagnosis(scenario, bundle).targets if target.undecided]
    return ("--device", undecided[0].rpartition(".")[0]) if undecided else ()


def _meant(scenario: Scenario, bundle: bytes, options: Sequence[str]) -> tuple[str, ...]:
    """The targets of a host, those of the chosen card if there was a choice."""
    chosen = options[-1] if options else ""
    found = diagnosis(scenario, bundle).targets
    return tuple(one.address for one in found if not one.undecided or one.address.startswith(chosen))


def _said(judged: Judgement) -> dict[str, Any]:
    return {"verdict": judged.verdict, "vfio": judged.answer, "disagreements": list(judged.disagreements)}


def try_one(seed: int, healed: bool) -> dict[str, Any]:
    """What came of a seed."""
    scenario, faults = draw(seed, healed)
    about = {"iommu": scenario.iommu, "options": scenario.options, "parts": scenario.parts}
    row: dict[str, Any] = {"seed": seed, "healed": healed, "faults": faults, "machine": about}
    row |= {"loader": scenario.loader, "cmdline": scenario.cmdline}
    kept = cache() / "random"
    kept.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="boot.", dir=kept) as work:
        try:
            row |= (cure if healed else look)(scenario, Path(work))
        except LabError as error:
            row |= {"error": str(error)}
    return row | {"at": f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}"}


def keep(results: Path, folder: Path, path: Path) -> int:
    """Packs the last row of each seed, with its bundles and truths, into one file; returns how many there are."""
    rows: dict[str, dict[str, Any]] = {}
    for line in results.read_text("utf-8").splitlines():
        row = json.loads(line)
        if "error" not in row:
            rows[f"{'heal' if row['healed'] else 'look'}-{row['seed']:03}"] = row
    members: dict[str, bytes] = {}
    for name, row in sorted(rows.items()):
        base = folder / f"seed-{row['seed']}"
        if row["healed"]:
            states = read(base.with_suffix(".tar.xz")).states
        else:
            states = (State(base.with_suffix(".tar.gz").read_bytes(), base.with_suffix(".truth.json").read_text()),)
        row["disagreements"] = list(judged_again(row, states).disagreements)
        members[f"{name}/row.json"] = json.dumps(row).encode()
        members |= {f"{name}/{member}": data for member, data in members_of(states).items()}
    path.write_bytes(squeezed(members))
    return len(rows)


@functools.cache
def kept(path: Path = KEPT) -> dict[str, tuple[dict[str, Any], tuple[State, ...]]]:
    """What `keep` packed, by name."""
    seeds: dict[str, dict[str, bytes]] = {}
    for name, data in unsqueezed(path).items():
        seed, _, member = name.partition("/")
        seeds.setdefault(seed, {})[member] = data
    return {seed: (json.loads(members["row.json"]), states_of(members)) for seed, members in seeds.items()}


def judged_again(row: dict[str, Any], states: tuple[State, ...]) -> Judgement:
    """What the tool says of a kept seed by now, whatever host the seed would draw by now."""
    kind = next(name for name, machine in BASE["machines"].items() if machine["device"] == row["machine"]["iommu"])
    data: dict[str, Any] = {"machine": {"iommu": kind}, "cmdline": row["cmdline"], "loader": row["loader"]}
    data |= {"title": ", ".join(row["faults"]), "expect": {"verdict": "undetermined"}, "heal": row["healed"]}
    scenario = parse(f"seed-{row['seed']}", data)
    if not row["healed"]:
        return agreement(scenario, states[0].bundle, states[0].truth)
    targets = _meant(scenario, states[0].bundle, row.get("options", ()))
    return judge_healing(scenario, Healing(states, "", "", (), "", 0.0), targets)


def main() -> int:
    """Tries the seeds that the command line names."""
    parser = argparse.ArgumentParser(prog="lab-random")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds")
    parser.add_argument("--heal", action="store_true", help="through a loader: heal each host and reboot it")
    parser.add_argument("--out", type=Path, default=cache() / "random.jsonl", help="the results, appended")
    parser.add_argument("--keep", action="store_true", help="pack what came of all seeds for make test, and run none")
    options = parser.parse_args()
    if options.keep:
        print(f"lab: {keep(options.out, cache() / 'random', KEPT)} seeds in {KEPT}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wrong = 0
    try:
        ready(options.heal)
        for seed in range(options.seed, options.seed + options.count):
            row = try_one(seed, options.heal)
            with options.out.open("a", encoding="utf-8") as out:
                out.write(json.dumps(row) + "\n")
            wrong += _tell(row)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    print(f"lab: {options.count} seeds, {wrong} disagree; {options.out}")
    return 1 if wrong else 0


def _tell(row: dict[str, Any]) -> bool:
    """Prints what came of a seed; whether it is a disagreement."""
    found = [*row.get("disagreements", ()), *([row["error"]] if "error" in row else ())]
    faults = ", ".join(row["faults"]) or "no fault"
    verdict = f"{row.get('verdict', '-')}; VFIO: {row.get('vfio', '-')}; {row.get('seconds', '-')} s"
    print(f"seed {row['seed']}: {row.get('kernel', '-')}: {faults}: {verdict}", flush=True)
    for words in found:
        print(f"     {words}", flush=True)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
