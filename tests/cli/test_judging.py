"""Profiles and waivers from the command line, each as a user would try them, in every format."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import doctor
from doctor.cli import main
from doctor.report.formats import render

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))
READY = """root@pve:~# dmesg | grep -e DMAR -e IOMMU
[    0.008871] ACPI: DMAR 0x000000007B7E8000 0000A8 (v01 INTEL  EDK2     00000002      01000013)
[    0.085022] DMAR: Host address width 39
[    0.085023] DMAR: DRHD base: 0x000000fed90000 flags: 0x0
[    0.280000] DMAR-IR: Enabled IRQ remapping in x2apic mode
[    0.560707] DMAR: Intel(R) Virtualization Technology for Directed I/O
root@pve:~# cat /etc/modprobe.d/x.conf
options vfio_iommu_type1 allow_unsafe_interrupts=1
root@pve:~# cat /proc/cmdline
BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 iommu=pt
root@pve:~#
"""
WAIVER = """- check: unsafe-interrupts
  host: "*"
  reason: one user, trusted guests
  owner: anna
  expires: 2999-12-31
"""


@pytest.fixture
def paste(tmp_path: Path) -> str:
    (tmp_path / "paste.txt").write_text(READY, "utf-8")
    return str(tmp_path / "paste.txt")


def waivers(folder: Path, text: str) -> str:
    (folder / "waivers.yaml").write_text(text, "utf-8")
    return str(folder / "waivers.yaml")


def judged(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the JSON report."""
    code = main(["check", *arguments, "--format", "json"])
    said = capsys.readouterr()
    assert said.err == ""
    report: dict[str, Any] = json.loads(said.out)
    jsonschema.validate(report, SCHEMA)
    return code, report


def status_of(report: dict[str, Any], check: str) -> tuple[str, str] | None:
    return next(((one["status"], one["severity"]) for one in report["checks"] if one["id"] == check), None)


def test_a_profile_changes_severity_and_with_it_the_exit_code(paste: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, usual = judged(capsys, paste)
    assert (code, usual["profile"], status_of(usual, "unsafe-interrupts")) == (0, "passthrough", ("fail", "risk"))
    code, hard = judged(capsys, paste, "--profile", "multi-tenant")
    assert (code, hard["profile"], status_of(hard, "unsafe-interrupts")) == (1, "multi-tenant", ("fail", "blocker"))
    assert hard["summary"]["verdict"] == "not-ready"
    code, home = judged(capsys, paste, "--profile", "homelab-gpu")
    assert (code, status_of(home, "unsafe-interrupts")) == (0, ("fail", "advice"))
    assert judged(capsys, paste, "--profile", "homelab-gpu", "--fail-on", "risk")[0] == 0


def test_two_checks_are_made_under_multi_tenant_alone(paste: str, capsys: pytest.CaptureFixture[str]) -> None:
    hard = judged(capsys, paste, "--profile", "multi-tenant")[1]
    assert status_of(hard, "host-dma-identity") == ("fail", "risk")
    assert status_of(hard, "ats-exposed") == ("not-applicable", "risk")
    for name in ("passthrough", "homelab-gpu", "sriov-network", "storage-hba"):
        report = judged(capsys, paste, "--profile", name)[1]
        assert status_of(report, "host-dma-identity") is None
        assert status_of(report, "ats-exposed") is None


def test_the_same_finding_whatever_the_profile(paste: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A profile selects and weighs; status, words and evidence of a check stay."""
    told: dict[tuple[str, str | None], Any] = {}
    for name in ("passthrough", "homelab-gpu", "sriov-network", "storage-hba", "multi-tenant"):
        for check in judged(capsys, paste, "--profile", name)[1]["checks"]:
            now = (check["status"], check["title"], check["detail"], check["evidence"], check["wanted"])
            assert told.setdefault((check["id"], check["device"]), now) == now


@pytest.mark.parametrize("form", ["terminal", "html", "json"])
def test_every_format_names_the_profile_and_the_waived(
    form: str, paste: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--profile", "multi-tenant", "--waivers", waivers(tmp_path, WAIVER), "--format", form]
    assert main(["check", paste, *given]) in (0, 3)
    text = " ".join(capsys.readouterr().out.split())
    for word in ("multi-tenant", "one user, trusted guests", "anna", "2999-12-31", "host-dma-identity"):
        assert word in text


def test_paper_shows_the_waived_too(paste: str, tmp_path: Path) -> None:
    from doctor.report.html import fill

    report = doctor.examine(paste, waivers=waivers(tmp_path, WAIVER))
    assert "one user, trusted guests" in fill(report, "", printed=True)


def test_a_waived_failure_is_shown_and_counted_and_stops_nothing(
    paste: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--profile", "multi-tenant", "--waivers", waivers(tmp_path, WAIVER))
    code, report = judged(capsys, paste, *given)
    assert code == 0
    assert report["summary"]["waived"] == 1
    assert report["summary"]["verdict"] == "ready"
    assert "waived" in report["summary"]["headline"]
    (check,) = [one for one in report["checks"] if one["status"] == "waived"]
    assert check["waiver"] == {"reason": "one user, trusted guests", "owner": "anna", "expires": "2999-12-31"}
    assert check["evidence"]
    assert check["remedy"] == []
    assert "unsafe-interrupts" not in [cause["check"] for cause in report["causes"]]
    assert not [step for step in report["plan"]["steps"] if "unsafe-interrupts" in step["why"]]
    assert judged(capsys, paste, *given, "--fail-on", "advice")[0] == 1  # host-dma-identity is not waived


def test_an_expired_waiver_fails_again_and_is_named(
    paste: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = waivers(tmp_path, WAIVER.replace("2999", "2020"))
    code, report = judged(capsys, paste, "--profile", "multi-tenant", "--waivers", name)
    assert (code, status_of(report, "unsafe-interrupts")) == (1, ("fail", "blocker"))
    assert any("expired on 2020-12-31" in note and "anna" in note for note in report["notes"])


def test_an_unused_waiver_is_named(paste: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = waivers(tmp_path, WAIVER.replace("unsafe-interrupts", "acs-override"))
    report = judged(capsys, paste, "--waivers", name)[1]
    assert any("acs-override" in note and "not used" in note for note in report["notes"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--profile", "multi-tennant"), "did you mean multi-tenant"),
        (("--profile", "nowhere.yaml"), "nowhere.yaml: cannot be read"),
        (("--waivers", "nowhere.yaml"), "nowhere.yaml: cannot be read"),
        (("--profile", "BAD"), "bad.yaml:1:1: "),
        (("--waivers", "BAD"), "bad.yaml:1:1: "),
    ],
)
def test_what_is_wrong_is_one_line_and_two(
    arguments: tuple[str, str], said: str, paste: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.yaml").write_text("42\n", "utf-8")
    given = [str(tmp_path / "bad.yaml") if word == "BAD" else word for word in arguments]
    assert main(["check", paste, *given]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("passdoctor: ")
    assert err.count("\n") == 1
    assert said in err


def test_a_profile_in_a_file(paste: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.yaml").write_text(
        "id: mine\ntitle: T\nfor: F\nseverity: {unsafe-interrupts: blocker}\nunseen: [the weather.]\n", "utf-8"
    )
    code, report = judged(capsys, paste, "--profile", str(tmp_path / "mine.yaml"))
    assert (code, report["profile"]) == (1, "mine")
    assert any("the weather." in note for note in report["notes"])


def test_profiles_are_listed_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "profiles"]) == 0
    said = capsys.readouterr().out
    for name in ("passthrough", "homelab-gpu", "sriov-network", "storage-hba", "multi-tenant"):
        assert f"{name}: " in said
    assert main(["explain", "ats-exposed"]) == 0
    assert "(multi-tenant)" in " ".join(capsys.readouterr().out.split())


def test_a_built_in_profile_to_json_needs_no_yaml(paste: str, tmp_path: Path) -> None:
    code = (
        "import sys; from doctor.cli import main\n"
        f"main(['check', {paste!r}, '--profile', 'multi-tenant', '--format', 'json', '-o', '/dev/null'])\n"
        "print([name for name in ('yaml', 'jinja2', 'fnmatch', 'rich') if name in sys.modules])"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for _ in range(2):  # the first run of a checkout may compile the rules
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
    loaded = set(json.loads(done.stdout.splitlines()[-1].replace("'", '"')))
    assert not loaded & {"yaml", "jinja2", "rich"}


def test_the_python_interface_takes_both(paste: str, tmp_path: Path) -> None:
    report = doctor.examine(paste, profile="multi-tenant", waivers=waivers(tmp_path, WAIVER))
    assert (report["profile"], report["summary"]["waived"]) == ("multi-tenant", 1)
    # What it imports must not take its name away from it.
    assert doctor.examine(paste)["profile"] == "passthrough"
    assert "multi-tenant" in str(render(report, "terminal", width=80, colour=False))
