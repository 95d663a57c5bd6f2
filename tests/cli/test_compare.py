"""`passdoctor compare`: what was mended, what broke, what is unchanged, and what nobody can tell."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.cli import main
from doctor.compare import Seen, compare
from doctor.examine import examine
from doctor.report.comparison import as_json, as_text

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
GPU, NIC, NEW = "0000:01:00.0", "0000:02:00.0", "0000:03:00.0"
BAD = """root@pve:~# cat /proc/cmdline
BOOT_IMAGE=/boot/vmlinuz-6.8.12-1-pve root=/dev/sda1 ro quiet intel_iommu=off
root@pve:~# dmesg | grep -e DMAR -e IOMMU
[    0.008871] ACPI: DMAR 0x000000007B7E8000 0000A8 (v01 INTEL  EDK2     00000002      01000013)
[    0.054042] DMAR: IOMMU disabled
root@pve:~# uname -r
6.8.12-1-pve
root@pve:~#
"""
GOOD = """root@pve:~# cat /proc/cmdline
BOOT_IMAGE=/boot/vmlinuz-6.8.12-2-pve root=/dev/sda1 ro quiet intel_iommu=on
root@pve:~# dmesg | grep -e DMAR -e IOMMU
[    0.008871] ACPI: DMAR 0x000000007B7E8000 0000A8 (v01 INTEL  EDK2     00000002      01000013)
[    0.054042] DMAR: IOMMU enabled
[    0.085022] DMAR: Host address width 39
[    0.280000] DMAR-IR: Enabled IRQ remapping in x2apic mode
[    0.560707] DMAR: Intel(R) Virtualization Technology for Directed I/O
root@pve:~# uname -r
6.8.12-2-pve
root@pve:~#
"""


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    for name, text in (("bad.txt", BAD), ("good.txt", GOOD)):
        (tmp_path / name).write_text(text, "utf-8")
    return str(tmp_path / "bad.txt"), str(tmp_path / "good.txt")


def compared(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = main(["compare", *arguments, "--format", "json"])
    said = capsys.readouterr()
    assert said.err == ""
    found: dict[str, Any] = json.loads(said.out)
    return code, found


def names(found: dict[str, Any], which: str) -> list[str]:
    return [change["check"] for change in found[which]]


def test_what_was_mended(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    code, found = compared(capsys, *pair)
    assert code == 0
    assert {"iommu-active", "cmdline-disables-iommu"} <= set(names(found, "mended"))
    assert found["broken"] == []
    assert (found["before"]["verdict"], found["after"]["verdict"]) == ("not-ready", "ready")
    assert found["platform"] == [{"what": "kernel", "before": "6.8.12-1-pve", "after": "6.8.12-2-pve"}]
    # The kernel's own file name is no parameter.
    assert found["cmdline"] == {"known": True, "added": ["intel_iommu=on"], "removed": ["intel_iommu=off"]}


def test_what_redaction_hides_is_no_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    disks = ("facade00-1f2e-41b2-8c3d-0123456789ab", "facade00-5d21-414f-89b6-78038d69961e")
    for name, text, disk in zip(("bad.txt", "good.txt"), (BAD, GOOD), disks, strict=True):
        (tmp_path / name).write_text(text.replace("/dev/sda1", f"UUID={disk}"), "utf-8")
    _, found = compared(capsys, str(tmp_path / "bad.txt"), str(tmp_path / "good.txt"))
    assert found["cmdline"] == {"known": True, "added": ["intel_iommu=on"], "removed": ["intel_iommu=off"]}
    (tmp_path / "none.txt").write_text(GOOD.replace("root=/dev/sda1 ", ""), "utf-8")
    _, found = compared(capsys, str(tmp_path / "bad.txt"), str(tmp_path / "none.txt"))
    assert found["cmdline"]["removed"] == [f"root=UUID={disks[0]}", "intel_iommu=off"]


def test_what_broke_is_exit_code_one(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    code, found = compared(capsys, pair[1], pair[0])
    assert code == 1
    assert {"iommu-active", "cmdline-disables-iommu"} <= set(names(found, "broken"))
    assert found["mended"] == []


def test_a_thing_compared_with_itself(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    code, found = compared(capsys, pair[0], pair[0])
    assert code == 0
    assert "iommu-active" in names(found, "unchanged")
    lists = ("broken", "mended", "waived", "newly_known", "no_longer_known", "platform", "notes")
    assert not [name for name in lists if found[name]]
    assert not [key for key in ("came", "went", "moved", "changed") if found["devices"][key]]


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.t*")))
def test_a_json_report_is_as_good_as_its_input(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "r.json"
    main(["check", str(SAMPLES / name), "--format", "json", "-o", str(report)])
    for pair in ((str(report), str(SAMPLES / name)), (str(SAMPLES / name), str(report)), (str(report), str(report))):
        code, found = compared(capsys, *pair)
        assert code == 0
        assert not [key for key in ("broken", "mended", "newly_known", "no_longer_known") if found[key]]
        assert found["cmdline"]["added"] == found["cmdline"]["removed"] == []


def test_on_a_terminal(pair: tuple[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["compare", pair[1], pair[0]]) == 1
    said = capsys.readouterr().out
    assert "WHAT BROKE" in said
    assert "6.8.12-2-pve > 6.8.12-1-pve" in said
    assert "intel_iommu=off" in said
    assert main(["compare", *pair, "-o", str(tmp_path / "out.txt")]) == 0
    written = (tmp_path / "out.txt").read_text("utf-8")
    assert "WHAT WAS MENDED" in written
    assert "\x1b" not in written


def test_the_profile_and_waivers_hold_for_both(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = '- {check: cmdline-disables-iommu, host: "*", reason: r, owner: o, expires: 2999-01-01}\n'
    (tmp_path / "w.yaml").write_text(text, "utf-8")
    given = ("--waivers", str(tmp_path / "w.yaml"), "--profile", "multi-tenant")
    found = compared(capsys, *pair, *given)[1]
    assert "cmdline-disables-iommu" not in names(found, "unchanged")
    assert (found["before"]["profile"], found["after"]["profile"]) == ("multi-tenant", "multi-tenant")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"schema_version": "2.0", "checks": []}', "schema_version is 2.0"),
        ('{"schema_version": "1.0", "checks": [', "cut or damaged"),
        ('{"schema_version": "1.0", "checks": {}}', "not a report"),
        ('{"schema_version": "1.0", "checks": [{}], "subject": 1}', "not a report"),
    ],
)
def test_a_broken_report_is_one_line_and_two(
    text: str, said: str, pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.json").write_text(text, "utf-8")
    assert main(["compare", pair[0], str(tmp_path / "r.json")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("passdoctor: ")
    assert err.count("\n") == 1
    assert said in err


@pytest.mark.parametrize("names", [("/nowhere", "/nowhere"), ("-", "-")])
def test_what_cannot_be_read_is_two(names: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *names]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def check(name: str, status: str, device: str | None = None, severity: str = "risk", path: str = "cmd/dmesg") -> Any:
    evidence = [{"path": path, "source": "s", "line": 1, "text": "t"}]
    return {"id": name, "device": device, "status": status, "severity": severity, "title": name, "detail": "d",
            "evidence": evidence}  # fmt: skip


def row(address: str, ids: str = "10de:2484", driver: str | None = "nvidia", group: int = 1, *others: str) -> Any:
    return {"address": address, "ids": ids, "name": None, "driver": driver, "group": group,
            "group_members": list(others)}  # fmt: skip


def report(*checks: Any, devices: tuple[Any, ...] = (), profile: str = "passthrough") -> Any:
    return {
        "schema_version": "1.0",
        "tool": {"name": "passdoctor", "version": "1"},
        "subject": {"kind": "paste", "source": "s"},
        "platform": {"kernel": None},
        "profile": profile,
        "summary": {"verdict": "ready"},
        "checks": list(checks),
        "devices": list(devices),
    }


def lists(before: Any, after: Any, *paths: str) -> dict[str, list[str]]:
    """The names in each list; `paths` were read for both reports."""
    seen = frozenset(paths)
    found: Any = compare(Seen(before, seen, None), Seen(after, seen, None))
    keys = ("broken", "mended", "unchanged", "waived", "newly_known", "no_longer_known")
    return {key: names(found, key) for key in keys if found[key]}


@pytest.mark.parametrize(
    ("was", "now", "where"),
    [
        ("fail", "pass", "mended"),
        ("fail", "fail", "unchanged"),
        ("fail", "waived", "waived"),
        ("fail", "unknown", "no_longer_known"),
        ("fail", "not-applicable", "mended"),
        ("pass", "fail", "broken"),
        ("waived", "fail", "broken"),
        ("waived", "pass", "mended"),
        ("unknown", "fail", "newly_known"),
        ("unknown", "pass", "newly_known"),
        ("not-applicable", "fail", "broken"),
        ("pass", "unknown", "no_longer_known"),
        ("waived", "unknown", "no_longer_known"),
        ("pass", "pass", None),
        ("unknown", "unknown", None),
        ("waived", "waived", None),
        ("not-applicable", "pass", None),
        ("pass", "not-applicable", None),
        ("not-applicable", "unknown", None),
    ],
)
def test_every_pair_of_statuses(was: str, now: str, where: str | None) -> None:
    assert lists(report(check("a", was)), report(check("a", now)), "cmd/dmesg") == ({where: ["a"]} if where else {})


def test_what_was_not_read_again_is_neither_mended_nor_broken() -> None:
    gone, came = check("a", "not-applicable"), check("a", "fail")
    assert lists(report(came), report(gone), "proc/cmdline") == {"no_longer_known": ["a"]}
    assert lists(report(gone), report(came), "proc/cmdline") == {"newly_known": ["a"]}


def test_where_nothing_can_be_judged_nothing_is_mended() -> None:
    closed = report(check("not-assessable", "fail"), check("a", "not-applicable"))
    found = lists(report(check("not-assessable", "not-applicable"), check("a", "fail")), closed, "cmd/dmesg")
    assert found == {"broken": ["not-assessable"], "no_longer_known": ["a"]}


def test_a_line_that_names_a_device_comes_and_goes() -> None:
    quiet, loud = report(check("dma-faults", "not-applicable")), report(check("dma-faults", "fail", GPU))
    assert lists(quiet, loud, "cmd/dmesg") == {"broken": ["dma-faults"]}
    assert lists(loud, quiet, "cmd/dmesg") == {"mended": ["dma-faults"]}


def test_a_device_that_is_judged_now_for_the_first_time_did_not_break() -> None:
    assert lists(report(), report(check("vfio-bound", "fail", GPU)), "cmd/dmesg") == {"newly_known": ["vfio-bound"]}
    assert lists(report(check("vfio-bound", "fail", GPU)), report(), "cmd/dmesg") == {"no_longer_known": ["vfio-bound"]}


def test_what_a_blocker_hid_of_a_device_came_to_light_with_its_mending() -> None:
    off, on = check("iommu-active", "fail", severity="blocker"), check("iommu-active", "pass", severity="blocker")
    hidden, shown = check("group-isolation", "not-applicable", GPU), check("group-isolation", "fail", GPU)
    found = lists(report(off, hidden), report(on, shown), "cmd/dmesg")
    assert found == {"mended": ["iommu-active"], "newly_known": ["group-isolation"]}
    assert lists(report(on, hidden), report(on, shown), "cmd/dmesg") == {"broken": ["group-isolation"]}
    quiet, loud = check("dma-faults", "not-applicable"), check("dma-faults", "fail", GPU)
    found = lists(report(off, quiet), report(on, loud), "cmd/dmesg")
    assert found == {"broken": ["dma-faults"], "mended": ["iommu-active"]}


def test_a_worse_severity_broke_unless_the_profile_did_it() -> None:
    one, two = check("a", "fail", severity="advice"), check("a", "fail", severity="blocker")
    assert lists(report(one), report(two)) == {"broken": ["a"]}
    assert lists(report(two), report(one)) == {"unchanged": ["a"]}
    assert lists(report(one), report(two, profile="multi-tenant")) == {"unchanged": ["a"]}


def test_devices_that_came_went_and_changed() -> None:
    bridge = row("0000:00:00.0", "8086:0001", None)
    old = report(devices=(bridge, row(GPU), row(NIC, "8086:1521", "igb", 2)))
    new = report(devices=(bridge, row(GPU, "10de:2484", "vfio-pci", 7, NEW), row(NEW, "10de:22e4", None, 7)))
    found = compare(Seen(old, frozenset(), None), Seen(new, frozenset(), None))["devices"]
    assert [one["address"] for one in found["came"]] == [NEW]
    assert [one["address"] for one in found["went"]] == [NIC]
    assert [(one["address"], one["what"]) for one in found["changed"]] == [(GPU, "driver"), (GPU, "group_members")]


def test_devices_of_a_list_that_is_not_whole_did_not_come_or_go() -> None:
    old, new = report(devices=(row(GPU),)), report(devices=(row("0000:00:00.0", "8086:1"), row(GPU), row(NEW, "1:2")))
    found = compare(Seen(old, frozenset(), None), Seen(new, frozenset(), None))
    assert (found["devices"]["came"], found["devices"]["went"]) == ([], [])
    assert "not both lists of them are whole" in as_text(found, 200, False)


def test_a_card_at_another_address_is_the_same_card() -> None:
    bridge = row("0000:00:00.0", "8086:0001", None)
    old = report(check("vfio-bound", "fail", GPU), devices=(bridge, row(GPU)))
    new = report(check("vfio-bound", "fail", NEW), devices=(bridge, row(NEW)))
    assert lists(old, new) == {"unchanged": ["vfio-bound"]}
    found = compare(Seen(old, frozenset(), None), Seen(new, frozenset(), None))["devices"]
    assert found["moved"] == [{"before": GPU, "after": NEW}]
    assert found["came"] == found["went"] == []
    # Of two of a kind nobody can tell which is which.
    twins = report(check("vfio-bound", "fail", GPU), devices=(bridge, row(GPU), row(NIC)))
    assert "unchanged" not in lists(twins, new)


def test_different_profiles_and_versions_are_named() -> None:
    old, new = report(), report(profile="multi-tenant")
    new["tool"] = {"name": "passdoctor", "version": "2"}
    notes = compare(Seen(old, frozenset(), None), Seen(new, frozenset(), None))["notes"]
    assert len(notes) == 2
    assert "multi-tenant" in notes[0]


def test_what_strangers_wrote_is_made_visible() -> None:
    nasty = check("a", "fail")
    nasty["title"] = nasty["detail"] = "\x1b[2J\u202eevil"
    found = compare(Seen(report(), frozenset(), None), Seen(report(nasty), frozenset(), ("a=\x1b[1m",)))
    assert "\x1b" not in as_text(found, 80, False)
    assert as_json(found).isascii()


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_report_that_was_tampered_with_raises(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any one value of a report replaced: it is compared, or refused in one line."""
    whole: Any = examine(str(SAMPLES / "proxmox-no-iommu.txt"))
    changed = copy.deepcopy(whole)
    holder: Any = changed
    for _ in range(data.draw(st.integers(1, 5))):
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if isinstance(holder[key], (dict, list)) and holder[key] and data.draw(st.booleans()):
            holder = holder[key]
            continue
        holder[key] = data.draw(st.sampled_from([None, 1, "x", [], {}, [None], {"a": 1}, "\x1b"]))
        break
    path = tmp_path_factory.getbasetemp() / "tampered.json"
    path.write_text(json.dumps(changed), "utf-8")
    (path.parent / "plain.txt").write_text(BAD, "utf-8")
    for pair in ((path, path.parent / "plain.txt"), (path.parent / "plain.txt", path)):
        assert main(["compare", *map(str, pair), "-o", str(path.parent / "out.txt")]) in (0, 1, 2)
