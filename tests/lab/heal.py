"""Heals a guest by the tool's own script, reboots it, and takes everything back: the remedy held against the kernel.

Three boots of one guest through its loader. Before the second the script of `passdoctor plan` runs in it, before the
third the script of `passdoctor plan --undo`; nobody edits either.
"""

from __future__ import annotations

import gzip
import io
import json
import lzma
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from doctor.collect.pack import unpack
from doctor.compare import compare_inputs
from doctor.diagnosis.finding import Diagnosis, Finding
from doctor.examine import Terms, plan
from doctor.treatment.steps import BY_HAND

from .image import LabError
from .judge import Judgement, agreement, diagnosis, judge, opens
from .loader import Bench, State, taught
from .scenario import HERE, Heal, Scenario

ROOT = HERE.parents[1]
SCRIPT = "plan.sh"
ORDER = f"sh ./{SCRIPT}\n"
PSEUDONYM = re.compile(r"facade00[0-9a-f-]{24,28}")
"""What redaction puts in the place of a UUID or a machine's id: another one in each collection."""
SEED = "/boot/efi/loader/random-seed"
"""systemd-boot renews it at each boot."""
BOOTS = ("ill", "healed", "undone")
LOGS = ("plan.log", "undo.log")


class Healing(NamedTuple):
    """A guest's boots (two, or three where it was taken back), the scripts between them, and what they said."""

    states: tuple[State, ...]
    script: str
    undo: str
    said: tuple[str, ...]
    steps: str
    seconds: float


def heal(
    scenario: Scenario, work: Path, take_back: bool = True, choose: Callable[[bytes], tuple[str, ...]] | None = None
) -> Healing:
    """Boots `scenario`, heals it, takes it back; `work` is an empty directory. Raises LabError.

    `choose`: the options of `passdoctor plan` that a person would give after reading the first bundle's report.
    """
    text = taught(scenario)
    began = time.monotonic()
    with Bench(scenario, work, text) as bench:
        states = [bench.boot(scenario.prepare)]
        bundle = work / "bundle.tar.gz"
        bundle.write_bytes(states[0].bundle)
        options = choose(states[0].bundle) if choose else scenario.heal.options if scenario.heal else ()
        script, undo = (_script(bundle, options, *more) for more in ((), ("--undo",)))
        said: list[str] = []
        for words in (script, undo) if take_back else (script,):
            said.append(_carried_out(bench, words))
            states.append(bench.boot())
        bench.order({"order.sh": "true\n"}, "poweroff")
    seconds = time.monotonic() - began
    return Healing(tuple(states), script, undo, tuple(said), steps_of(options, states[0].bundle), seconds)


def _script(bundle: Path, options: tuple[str, ...], *more: str) -> str:
    """What `passdoctor plan` prints for a bundle."""
    words = [sys.executable, "-m", "doctor", "plan", str(bundle), "--format", "sh", *options, *more]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT)
    if done.returncode or not done.stdout:
        raise LabError(f"no script: passdoctor plan ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def _carried_out(bench: Bench, script: str) -> str:
    """Runs a script in the guest and reboots it; returns what the script said."""
    found = bench.order({"order.sh": ORDER, SCRIPT: script})
    said = found.get("order.log", b"").decode("utf-8", "replace")
    if found.get("order.status", b"").strip() != b"0":
        raise LabError(f"the script failed in the guest:\n{said}")
    return said


def steps_of(options: tuple[str, ...], bundle: bytes) -> str:
    """What of the plan for a bundle a script carries out: each file's new content and all commands, as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.tar.gz"
        path.write_bytes(bundle)
        terms = Terms(optional="--optional" in options)
        steps = json.loads(plan(str(path), terms, "json"))["steps"]
    kept = [{key: step[key] for key in ("kind", "commands", "files")} for step in steps if step["kind"] != "verify"]
    return json.dumps(kept, indent=1, sort_keys=True) + "\n"


def judge_healing(scenario: Scenario, healing: Healing, drawn: tuple[str, ...] | None = None) -> Judgement:
    """Everything that is not as it should be: in each boot, between the first two, between the first and the last.

    `drawn`: the targets of a host of which nobody wrote down what must be found. What only a person can mend may be
    left then.
    """
    heal = scenario.heal
    assert heal is not None
    found: list[str] = []
    judged: list[Judgement] = []
    last = heal.expect if heal.lasting else scenario.expect
    for name, state, expect in zip(BOOTS, healing.states, (scenario.expect, heal.expect, last), strict=False):
        if drawn is None:
            judged.append(judge(scenario._replace(expect=expect), state.bundle, state.truth))
        else:
            judged.append(agreement(scenario, state.bundle, state.truth))
        found += [f"{name}: {words}" for words in judged[-1].disagreements]
    targets = heal.expect.targets if drawn is None else drawn
    if drawn is None or not left_to_a_person(scenario, healing.states[1]):
        found += [f"healed: {words}" for words in _not_healed(scenario, healing.states[1], targets)]
    found += [f"healed: {words}" for words in _not_mended(scenario, heal, healing)]
    if len(healing.states) == len(BOOTS):
        found += [f"undone: {words}" for words in _not_undone(scenario, heal, healing)]
    return Judgement(", ".join(one.verdict for one in judged), judged[1].answer, tuple(found))


def _not_healed(scenario: Scenario, state: State, targets: tuple[str, ...]) -> list[str]:
    """What of the second boot says that the host is not healed."""
    said = diagnosis(scenario, state.bundle)
    found = [] if said.verdict == "ready" else [f"the verdict is {said.verdict}"]
    found += [f"blocker: {one.check} {one.device or ''}".rstrip() for one in _blockers(said)]
    devices = json.loads(state.truth)["devices"]
    return found + [f"{one} does not open" for one in targets if one not in devices or not opens(devices[one])]


def _blockers(said: Diagnosis) -> list[Finding]:
    return [one for one in said.findings if one.status == "fail" and one.severity == "blocker"]


def left_to_a_person(scenario: Scenario, state: State) -> list[str]:
    """The blockers of a boot, if no script can do anything about any of them: a card in the wrong slot, say."""
    left = _blockers(diagnosis(scenario, state.bundle))
    steps = [step for one in left for step in one.remedy if not step.get("optional")]
    hands = all(any(kind in step for kind in BY_HAND) for step in steps)
    return sorted({one.check for one in left}) if hands and all(one.remedy for one in left) else []


def _not_mended(scenario: Scenario, heal: Heal, healing: Healing) -> list[str]:
    """What `passdoctor compare` says besides what it should."""
    compared = _compared(healing.states[0].bundle, healing.states[1].bundle)
    found = [f"broken: {one['check']} {one['device'] or ''}".rstrip() for one in compared["broken"]]
    mended = {one["check"] for one in compared["mended"]}
    left = {check for check, _ in heal.expect.causes}
    return found + [f"not mended: {check}" for check, _ in scenario.expect.causes if check not in mended | left]


def _compared(before: bytes, after: bytes) -> Any:
    """What `passdoctor compare` says of two bundles."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("before.tar.gz", "after.tar.gz")]
        for path, data in zip(paths, (before, after), strict=True):
            path.write_bytes(data)
        return compare_inputs(str(paths[0]), str(paths[1]), Terms())


def _not_undone(scenario: Scenario, heal: Heal, healing: Healing) -> list[str]:
    """What is different between the first boot and the last: the truth, the statuses, the files that were collected."""
    ill, undone = healing.states[1 if heal.lasting else 0], healing.states[2]
    truths = [json.loads(state.truth) for state in (ill, undone)]
    for truth in truths:
        truth["files"].pop(SEED, None)
    found = _different("", *truths)
    was, now = (_statuses(diagnosis(scenario, state.bundle)) for state in (ill, undone))
    found += [
        f"{key}: {was.get(key)}, now {now.get(key)}" for key in sorted({*was, *now}) if was.get(key) != now.get(key)
    ]
    old, new = (_configured(state.bundle) for state in (ill, undone))
    found += [f"/{path} is another" for path in sorted({*old, *new}) if old.get(path) != new.get(path)]
    return found


def _different(where: str, old: Any, new: Any) -> list[str]:
    """The places where two values of JSON differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        return [words for key in keys for words in _different(f"{where}/{key}", old.get(key), new.get(key))]
    return [] if old == new else [f"{where}: {old!r}, now {new!r}"]


def _statuses(said: Diagnosis) -> dict[str, str]:
    return {f"{found.check} {found.device or ''}".rstrip(): found.status for found in said.findings}


def _configured(bundle: bytes) -> dict[str, tuple[str, str]]:
    """The files of a bundle that say how the host boots."""
    entries = unpack(bundle).entries
    return {
        PSEUDONYM.sub("ID", path): (entry.state, PSEUDONYM.sub("ID", entry.data.decode("utf-8", "replace")))
        for path, entry in entries.items()
        if path.startswith(("etc/", "boot/")) or path == "proc/cmdline"
    }


def write(healing: Healing, path: Path) -> None:
    """Writes a healing into one small file: the same for the same healing."""
    members: dict[str, bytes] = {"plan.sh": healing.script.encode(), "undo.sh": healing.undo.encode()}
    members |= {name: said.encode() for name, said in zip(LOGS, healing.said, strict=False)}
    members["steps.json"] = healing.steps.encode()
    path.write_bytes(squeezed({**members, **members_of(healing.states)}))


def members_of(states: tuple[State, ...]) -> dict[str, bytes]:
    """The boots of a host as members of an archive. The bundles unzipped: they are nearly the same, which only a
    common stream can use."""
    found: dict[str, bytes] = {}
    for name, state in zip(BOOTS, states, strict=False):
        found[f"{name}.tar"] = gzip.decompress(state.bundle)
        found[f"{name}.truth.json"] = state.truth.encode()
    return found


def states_of(members: dict[str, bytes]) -> tuple[State, ...]:
    """The boots that `members_of` gave."""
    boots = [name for name in BOOTS if f"{name}.tar" in members]
    return tuple(
        State(gzip.compress(members[f"{name}.tar"], mtime=0), members[f"{name}.truth.json"].decode()) for name in boots
    )


def squeezed(members: dict[str, bytes]) -> bytes:
    """An archive, packed as small as can be."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return lzma.compress(out.getvalue(), preset=9 | lzma.PRESET_EXTREME)


def unsqueezed(path: Path) -> dict[str, bytes]:
    """What `squeezed` packed."""
    members: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(path.read_bytes()))) as archive:
        for member in archive:
            file = archive.extractfile(member)
            members[member.name] = file.read() if file is not None else b""
    return members


def read(path: Path) -> Healing:
    """The healing that `write` wrote."""
    members = unsqueezed(path)
    text = {name: data.decode() for name, data in members.items() if not name.endswith(".tar")}
    said = tuple(text[name] for name in LOGS if name in text)
    return Healing(states_of(members), text["plan.sh"], text["undo.sh"], said, text["steps.json"], 0.0)
