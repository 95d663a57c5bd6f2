"""The tool's diagnosis of each sample is the one in `samples/expected.yaml`; samples are what they claim."""

from __future__ import annotations

import importlib.util
import json
import re
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import yaml

from doctor.collect import pack
from doctor.collect.model import Collected
from doctor.collect.redact import Redactor, redact
from doctor.examine import examine
from doctor.report.formats import render

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
SCHEMA = ROOT / "docs/report.schema.json"
BUNDLES = sorted(path.name for path in SAMPLES.glob("*.tar.gz"))
PASTES = sorted(path.name for path in SAMPLES.glob("*.txt"))
DESCRIBED = sorted(path.parent.name for path in SAMPLES.glob("hosts/*/host.yaml"))

Named = tuple[str, str | None]
"""A check and its device."""


class Run(NamedTuple):
    """One run of the tool over one sample, and what should come out."""

    name: str
    devices: tuple[str, ...]
    expected: dict[str, Any]

    def __str__(self) -> str:
        return "-".join((self.name, *self.devices))


def _runs() -> list[Run]:
    entries: list[dict[str, Any]] = yaml.safe_load((SAMPLES / "expected.yaml").read_text())
    return [Run(name, tuple(entry.get("devices", ())), entry) for entry in entries for name in entry["inputs"]]


RUNS = _runs()
every_run = pytest.mark.parametrize("run", RUNS, ids=str)


@cache
def report_of(name: str, devices: tuple[str, ...] = ()) -> dict[str, Any]:
    """The report of a sample, as anybody reads it who asks for JSON."""
    loaded: dict[str, Any] = json.loads(render(examine(str(SAMPLES / name), devices), "json"))
    return loaded


def _with(run: Run, status: str) -> list[dict[str, Any]]:
    return [check for check in report_of(run.name, run.devices)["checks"] if check["status"] == status]


def _named(check: dict[str, Any]) -> Named:
    return str(check.get("check", check.get("id"))), check["device"]


def _fits(actual: Named, wanted: list[Any]) -> bool:
    """Whether a check and its device are those wanted; `a|b` means that either will do."""
    device = wanted[1].split("|") if wanted[1] else [None]
    return actual[0] in wanted[0].split("|") and actual[1] in device


def test_every_sample_has_its_expectation() -> None:
    assert {run.name for run in RUNS} == {*BUNDLES, *PASTES}


@every_run
def test_verdict(run: Run) -> None:
    assert report_of(run.name, run.devices)["summary"]["verdict"] == run.expected["verdict"]


@every_run
def test_targets(run: Run) -> None:
    targets = [target["address"] for target in report_of(run.name, run.devices)["targets"]]
    assert sorted(targets) == run.expected["targets"]


def _causes(name: str, devices: tuple[str, ...]) -> list[Named]:
    return [_named(cause) for cause in report_of(name, devices)["causes"]]


@every_run
def test_causes(run: Run) -> None:
    wanted = run.expected["causes"]
    causes = [cause for cause in _causes(run.name, run.devices) if cause[0] not in run.expected.get("may_fail", ())]
    wanted = [cause for cause in wanted if cause[0] not in run.expected.get("may_fail", ())]
    assert len(causes) == len(wanted) and all(map(_fits, causes, wanted)), (causes, wanted)


@every_run
def test_what_fails(run: Run) -> None:
    wanted = [*run.expected["causes"], *run.expected.get("fails", ())]
    failed = {_named(check): check["severity"] for check in _with(run, "fail")}
    for check in wanted:
        severities = {severity for name, severity in failed.items() if _fits(name, check)}
        assert severities == {check[2]}, check
    more = run.expected.get("may_fail", ())
    surplus = [n for n in failed if n[0] not in more and not any(_fits(n, check) for check in wanted)]
    assert not surplus


@every_run
def test_what_passes(run: Run) -> None:
    passed = {check["id"] for check in _with(run, "pass")}
    for check in run.expected.get("passes", ()):
        name, word = check if isinstance(check, list) else (check, "")
        assert name in passed or word not in run.name, name


@every_run
def test_what_never_fails(run: Run) -> None:
    assert not {check["id"] for check in _with(run, "fail")} & set(run.expected["never_fails"])


@every_run
def test_what_is_unknown(run: Run) -> None:
    if "unknown" in run.expected:
        assert {check["id"] for check in _with(run, "unknown")} <= set(run.expected["unknown"])


@every_run
def test_whatever_is_unknown_says_what_would_settle_it(run: Run) -> None:
    silent = [_named(check) for check in _with(run, "unknown") if not check["wanted"]]
    assert not silent


@every_run
def test_every_failure_cites_a_line_of_the_sample(run: Run) -> None:
    lines = (SAMPLES / run.name).read_text().splitlines() if run.name.endswith(".txt") else None
    for check in _with(run, "fail"):
        assert check["evidence"], _named(check)
        for cited in check["evidence"]:
            assert Path(cited["source"].partition(":")[0]).name == run.name
            if lines is not None and cited["line"] is not None:
                assert cited["text"].split()[-1] in lines[cited["line"] - 1], cited


@every_run
def test_a_bundle_has_no_unknown_that_its_host_could_have_settled(run: Run) -> None:
    if run.name.endswith(".tar.gz"):
        assert not [_named(check) for check in _with(run, "unknown")]


@pytest.mark.parametrize("name", [path.removesuffix(".txt") for path in PASTES])
def test_paste_and_bundle_of_one_machine_agree(name: str) -> None:
    (more,) = {tuple(run.expected.get("may_fail", ())) for run in RUNS if run.name == name + ".txt" and not run.devices}
    paste, bundle = (
        [cause for cause in _causes(name + suffix, ()) if cause[0] not in more] for suffix in (".txt", ".tar.gz")
    )
    assert paste == bundle


@every_run
def test_one_reboot_at_most(run: Run) -> None:
    assert report_of(run.name, run.devices)["plan"]["reboots"] <= 1


@every_run
def test_the_report_fits_the_schema(run: Run) -> None:
    if not SCHEMA.exists():
        pytest.skip("there is no schema yet")
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(report_of(run.name, run.devices), json.loads(SCHEMA.read_text()))


def _collected(name: str) -> Collected:
    return pack.unpack((SAMPLES / name).read_bytes())


def _maker() -> ModuleType:
    """`tools/make_samples.py`, which is no package."""
    spec = importlib.util.spec_from_file_location("make_samples", ROOT / "tools/make_samples.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_bundle_is_what_its_description_says(name: str) -> None:
    # What is inside, not the bytes: another zlib packs otherwise.
    made = pack.unpack(_maker().bundle(name))
    kept = _collected(name + ".tar.gz")
    assert made.entries == kept.entries and made.collected_at == kept.collected_at


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_holds_nothing_private(name: str) -> None:
    collected = _collected(name)
    # The lab's were made when the stand-ins for a device's serial number could not be told from one.
    assert set(redact(collected)[1]) <= {"wwn"}
    for path, entry in collected.entries.items():
        if path.startswith("etc/pve/"):
            assert re.findall(rb"^name: (?!vm-[0-9a-f]{6}$)", entry.data, re.MULTILINE) == [], path


@pytest.mark.parametrize("name", PASTES)
def test_a_paste_holds_nothing_private(name: str) -> None:
    text = (SAMPLES / name).read_text()
    redactor = Redactor()
    redacted = redactor.text(text)
    assert not {"ip", "mac", "uuid", "serial", "email", "secret"} & set(redactor.counts), redacted


def test_the_log_of_a_described_host_agrees_with_its_sysfs() -> None:
    for name in DESCRIBED:
        entries = _collected(name + ".tar.gz").entries
        log = entries["cmd/dmesg"].data.decode()
        logged = dict(re.findall(r"pci (\S+): Adding to iommu group (\d+)", log))
        linked = {
            path.split("/")[4]: entry.data.decode().rpartition("/")[2]
            for path, entry in entries.items()
            if path.endswith("/iommu_group")
        }
        assert logged == linked, name
        assert ("IR-IO-APIC" in entries["proc/interrupts"].data.decode()) == (
            "remapping enabled" in log or "Enabled IRQ remapping" in log
        ), name
        assert entries["proc/cmdline"].data.decode().strip() in log, name


def test_a_paste_quotes_its_machine() -> None:
    # Every kernel line of a paste is in the log of the bundle, and every device line in its listing.
    for name in DESCRIBED:
        entries = _collected(name + ".tar.gz").entries
        known = entries["cmd/dmesg"].data.decode() + entries["cmd/lspci-nnk"].data.decode()
        for line in (SAMPLES / f"{name}.txt").read_text().splitlines():
            if re.match(r"\[ *\d+\.\d{6}\] |[0-9a-f]{2}:[0-9a-f]{2}\.\d ", line):
                assert line in known, (name, line)
