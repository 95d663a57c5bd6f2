"""Boots stay apart: only the latest one speaks, whatever tells where it begins, and earlier ones can be cited."""

from __future__ import annotations

from typing import Any

import pytest

from doctor.evidence.logs import boots_back, read
from doctor.evidence.paste import open_paste
from doctor.evidence.types import Evidence, Piece
from doctor.facts import platform
from doctor.facts.loaders import running
from doctor.facts.messages import Log
from doctor.knowledge.store import load

TEMPLATES: list[dict[str, Any]] = load()["messages"]
BOOT_A, BOOT_B = "a" * 32, "b" * 32
FIRST = "Linux version 6.8.12-{}-pve (build@proxmox) (gcc) #1 SMP"
OLD = [(0.0, FIRST.format(1)), (0.05, "DMAR: IOMMU enabled"), (0.56, "DMAR: Host address width 39"), (9.0, "end")]
NEW = [(0.0, FIRST.format(2)), (0.05, "AMD-Vi: AMD IOMMU disabled"), (3.1, "usb 1-1: new"), (4.2, "end")]


def stamped(rows: list[tuple[float, str]]) -> list[str]:
    return [f"[{since:12.6f}] {message}" for since, message in rows]


def clocked(rows: list[tuple[float, str]], clock: str) -> list[str]:
    return [f"Nov 12 {clock}:{int(since):02d} pve kernel: {message}" for since, message in rows]


def both(rows: list[tuple[float, str]], clock: str) -> list[str]:
    return [f"Nov 12 {clock}:{int(t):02d} pve kernel: [{t:12.6f}] {message}" for t, message in rows]


def log(rows: list[str], path: str = "var/log/kern.log", command: str | None = None) -> Log:
    return Log(Evidence("directory", "d", [Piece(path, "\n".join(rows), "k", 1, command)]), TEMPLATES)


LATE = OLD[1:]
LOGS = {
    "Linux version again": [*stamped(OLD), *stamped(NEW)],
    "without stamps": [*clocked(OLD, "10:00"), *clocked(NEW, "10:05")],
    "journalctl's mark": [*clocked(OLD, "10:00"), f"-- Boot {BOOT_B} --", *clocked(NEW, "10:05")],
    "journalctl's older mark": [*clocked(LATE, "10:00"), "-- Reboot --", *clocked(NEW[1:], "10:05")],
    "the mark alone": [*clocked(LATE, "10:00"), f"-- Boot {BOOT_B} --", *clocked(NEW[1:], "10:05")],
    "stamps fall back": [*stamped(LATE), *stamped(NEW[1:])],
    "clock and stamp disagree": [*both(OLD[1:3], "10:00"), *both(NEW[1:2], "10:05")],
    "a line before the first": [*stamped(OLD), "[    0.000000] microcode: updated early", *stamped(NEW)],
    "begins within a boot": ["[  812.000001] DMAR: IOMMU enabled", *stamped(NEW)],
}


@pytest.mark.parametrize("name", LOGS)
def test_only_the_latest_boot_speaks(name: str) -> None:
    found = log(LOGS[name])
    assert [event.name for event in found.order if "intel" in event.name] == []
    assert len(found.all("amd_disabled")) == 1
    assert "intel_option_on" in {event.name for event in found.earlier}
    assert "amd_disabled" not in {event.name for event in found.earlier}


@pytest.mark.parametrize("name", LOGS)
def test_citations_keep_their_lines(name: str) -> None:
    found = log(LOGS[name])
    for event in [*found.order, *found.earlier]:
        assert event.source.line is not None
        assert LOGS[name][event.source.line - 1].strip() == event.source.text


@pytest.mark.parametrize(
    "rows",
    [
        stamped(NEW),
        [*stamped(NEW[:2]), "[    0.040000] CPU1 is a little behind", *stamped(NEW[2:])],
        [*stamped(NEW), "[    9.0] qemu-guest: 'Linux version 5.4.0 (a@b)' was found on sda1"],
        ["Nov 12 10:00:00 pve rsyslogd: start", *clocked(NEW, "10:00")],
        [
            "-- Logs begin at Mon 2024-01-01 12:00:00 CET, end at Mon 2024-01-01 13:00:00 CET. --",
            *clocked(NEW, "10:00"),
        ],
        ["[    0.000000] microcode: updated early", *stamped(NEW)],
        [*stamped(NEW), "[   99.0] xhci_dbc: missed message {[    0.000000] BIOS-e820: reserved}"],
    ],
    ids=["plain", "jitter", "quoted", "a line of a program's", "the journal's head", "before the first", "nested"],
)
def test_one_boot_is_not_cut(rows: list[str]) -> None:
    found = log(rows)
    assert found.all("amd_disabled")
    assert "amd_disabled" not in {event.name for event in found.earlier}


def test_lines_that_a_person_joined_are_one_boot() -> None:
    """Fragments in another order than that of the boot, as people paste them, are no second boot."""
    text = "[    5.500000] vfio_pci: add [10de:1b80[ffffffff:ffffffff]] class 0x000000/00000000\n\n" + stamped(OLD)[1]
    found = Log(open_paste(text.encode(), "p"), TEMPLATES)
    assert found.all("vfio_ids") and found.all("intel_option_on")


def test_a_kernel_that_saves_a_crash_does_not_speak() -> None:
    crash = [(0.0, FIRST.format(2)), (0.01, "Command line: root=/dev/sda1 reset_devices elfcorehdr=868M"), *NEW[1:]]
    found = log([*stamped(OLD), *stamped(crash)])
    assert found.all("intel_option_on") and not found.all("amd_disabled")
    assert "amd_disabled" in {event.name for event in found.earlier}
    assert log(stamped(crash)).all("amd_disabled"), "there is no other boot"


def test_kexec_is_a_boot() -> None:
    found = log([*stamped(OLD), "[   50.000000] kexec_core: Starting new kernel", *stamped(NEW)])
    assert found.all("amd_disabled") and not found.all("intel_option_on")


@pytest.mark.parametrize(
    ("command", "back"),
    [
        ("journalctl -k", 0),
        ("journalctl -kb", 0),
        ("journalctl -k -b 0", 0),
        ("journalctl -k -b -0", 0),
        ("journalctl -b -k", 0),
        ("journalctl -k -b -1", 1),
        ("journalctl -kb-1", 1),
        ("journalctl --boot=-2 --dmesg", 2),
        ("sudo journalctl -k -b -1 | grep -e DMAR", 1),
        (f"journalctl -k -b {BOOT_A}", 1),
        ("journalctl -k --no-pager -o short", 0),
        ("journalctl -k | grep -b -1", 0),
        ("dmesg", 0),
        (None, 0),
    ],
)
def test_boots_that_a_command_names(command: str | None, back: int) -> None:
    assert boots_back(command) == back


def test_an_earlier_boot_alone_says_nothing_of_now() -> None:
    text = "root@pve:~# journalctl -k -b -1\n{}\nroot@pve:~# {}\n"
    found = Log(open_paste(text.format("\n".join(stamped(OLD)), "").encode(), "p"), TEMPLATES)
    assert not found.order
    assert {event.name for event in found.earlier} >= {"intel_option_on", "intel_host_width"}
    assert not found.lookup("amd_disabled").known
    present = "dmesg\n" + "\n".join(stamped(NEW)) + "\nroot@pve:~#"
    found = Log(open_paste(text.format("\n".join(stamped(OLD)), present).encode(), "p"), TEMPLATES)
    assert found.all("amd_disabled") and not found.all("intel_option_on")


def test_a_journal_of_two_boots_in_json() -> None:
    rows = [f'{{"MESSAGE":"DMAR: IOMMU enabled","_BOOT_ID":"{BOOT_A}"}}'] * 3
    rows += [f'{{"MESSAGE":"AMD-Vi: AMD IOMMU disabled","_BOOT_ID":"{BOOT_B}"}}'] * 2
    pieces = read(Piece("cmd/journalctl-k", "\n".join(rows), "p", 1, "journalctl -k -o json"))
    assert [(piece.boot, piece.first_line, piece.text.count("\n") + 1) for piece in pieces] == [(1, 1, 3), (0, 4, 2)]


def test_the_release_is_that_of_the_latest_boot() -> None:
    from doctor.facts.platform import read as platform

    evidence = Evidence("directory", "d", [Piece("var/log/kern.log", "\n".join(LOGS["Linux version again"]))])
    assert platform(evidence, {}).kernel.value == "6.8.12-2-pve"


def test_what_an_earlier_boot_was_started_with_is_not_what_runs() -> None:
    lines = "kernel: Linux version 5.10.0-1-amd64 (x)\nkernel: Command line: BOOT_IMAGE=/vmlinuz-5.10.0-1-amd64 ro\n"
    for command, version in (("journalctl -k -b -1", None), ("journalctl -k", "5.10.0-1-amd64")):
        piece = Piece("cmd/journalctl-k", lines, "p", 1, command)
        evidence = Evidence("paste", "p", [piece])
        known = platform.read(evidence, load()["platforms"])
        assert (known.kernel.value if known.kernel.known else None) == version
        assert bool(list(running(evidence))) is (version is not None)
