"""From which line on a log is complete: filters, cuts, wraps and losses prove what they prove, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from doctor.evidence.commands import parse
from doctor.evidence.paste import open_paste
from doctor.evidence.types import Evidence, Piece
from doctor.facts.messages import Log
from doctor.knowledge.store import load

TEMPLATES: list[dict[str, Any]] = load()["messages"]
FIRST = "[    0.000000] Linux version 6.8.12-1-pve (build@proxmox) (gcc) #1 SMP"
OPTION = "[    0.054042] DMAR: IOMMU enabled"
COMMAND = "[    0.050000] Kernel command line: root=/dev/sda1 intel_iommu=on"
DIRECTED = "[    0.560000] DMAR: Intel(R) Virtualization Technology for Directed I/O"
BOUND = "[    3.100000] vfio_pci: add [10de:1b80[ffffffff:ffffffff]] class 0x000000/00000000"
NOISE = [f"[{0.06 + n * 0.1:12.6f}] usb 1-{n}: new device" for n in range(90)]
LATER = [f"[{4 + n * 0.1:12.6f}] usb 1-{n}: new device" for n in range(90)]
SCREEN = "[    0.580466] pci 0000:05:00.0: vgaarb: setting as boot VGA device"
BOOT = [FIRST, COMMAND, OPTION, *NOISE]


def session(command: str, rows: list[str]) -> Log:
    text = "\n".join([f"root@pve:~# {command}", *rows, "root@pve:~#"])
    return Log(open_paste(text.encode(), "p"), TEMPLATES)


def proven(log: Log, *names: str) -> list[str]:
    """Of these events, those that the log proves absent."""
    return [name for name in names if log.proof_of_absence(name) is not None]


TABLE, IOMMU, DRIVER, RUNTIME = "intel_host_width", "intel_directed_io", "vfio_ids", "reset_gave_up"
ALL = (TABLE, IOMMU, DRIVER, RUNTIME)


@pytest.mark.parametrize(
    ("command", "rows", "expected"),
    [
        ("dmesg", BOOT, ALL),
        ("dmesg -T", BOOT, ALL),
        ("dmesg --color=always", BOOT, ALL),
        ("journalctl -k", BOOT, ALL),
        ("journalctl -k -b 0 --no-pager -o short-monotonic", BOOT, ALL),
        ("sudo dmesg | less", BOOT, ALL),
        # only a part of the levels, facilities, or times
        ("dmesg -l err", BOOT, ()),
        ("dmesg --level=err,warn", BOOT, ()),
        ("dmesg --level err,warn", BOOT, ()),
        ("dmesg -Tl warn", BOOT, ()),
        ("dmesg -f daemon", BOOT, ()),
        ("dmesg --since '1 hour ago'", BOOT, ()),
        ("journalctl -k -p err", BOOT, ()),
        ("journalctl -kp3", BOOT, ()),
        ("journalctl -k --priority=warning", BOOT, ()),
        ("journalctl -k --grep DMAR", BOOT, ()),
        ("journalctl -k -u libvirtd", BOOT, ()),
        ("journalctl -k --until today", BOOT, ()),
        ("journalctl -kr", BOOT, ()),
        # the end is missing, or anything may be
        ("dmesg | head -100", BOOT, ()),
        ("dmesg | head", BOOT[:10], ()),
        ("dmesg | sed -n 1,90p", BOOT, ()),
        ("dmesg | awk '/DMAR/'", BOOT, ()),
        # greps
        ("dmesg | grep DMAR", [OPTION], (TABLE, IOMMU)),
        ("dmesg | grep -i dmar", [OPTION], (TABLE, IOMMU)),
        ("dmesg | grep dmar", [OPTION], ()),
        ("dmesg | grep -e DMAR -e vfio", [OPTION], (TABLE, IOMMU, DRIVER)),
        ("dmesg | grep -in -e DMAR -e 'after'", [OPTION], (TABLE, IOMMU, RUNTIME)),
        ("dmesg | grep -v usb", BOOT[:3], ()),
        ("dmesg | grep -iv usb", BOOT, ()),
        ("dmesg | grep --invert-match usb", BOOT, ()),
        ("dmesg | grep -w DMAR", [OPTION], ()),
        ("dmesg | grep -x DMAR", [OPTION], ()),
        ("dmesg | grep -c DMAR", ["3"], ()),
        ("dmesg | grep -o DMAR", ["DMAR"], ()),
        ("dmesg | grep -m1 DMAR", [OPTION], ()),
        ("dmesg | grep --max-count=1 DMAR", [OPTION], ()),
        ("dmesg | grep 'DMAR.*enabled'", [OPTION], ()),
        ("dmesg | grep DMAR | grep -v x", [OPTION], ()),
        ("dmesg -l err | grep DMAR", [OPTION], ()),
        ("dmesg | head -5 | grep DMAR", [OPTION], ()),
        # a tail loses the oldest lines, as the ring buffer does
        ("dmesg | grep DMAR | tail -3", [OPTION], (TABLE, IOMMU)),
        ("dmesg | tail -200 | grep DMAR", [DIRECTED], ()),
        ("dmesg | tail -200", [BOUND, *LATER], (RUNTIME,)),
        ("journalctl -k -n 200", [BOUND, *LATER], (RUNTIME,)),
        ("dmesg | tail", [BOUND, *LATER[:9]], ()),
        ("dmesg | grep -v usb | tail -99", [BOUND, *LATER], ()),
        # the ring buffer wrapped
        ("dmesg", [DIRECTED, *LATER], (DRIVER, RUNTIME)),
        ("dmesg", [DIRECTED, SCREEN, *LATER], (DRIVER, RUNTIME)),
        ("dmesg", LATER, ()),
    ],
)
def test_what_a_command_proves(command: str, rows: list[str], expected: tuple[str, ...]) -> None:
    assert proven(session(command, rows), *ALL) == list(expected)


@pytest.mark.parametrize(
    "lost",
    [
        "[    1.000000] ** 214 printk messages dropped **",
        "[    1.000000] systemd-journald[312]: Missed 41 kernel messages",
        "Nov 12 10:00:00 pve kernel: imklog: 99 messages lost due to rate-limiting",
        "Hint: You are currently not seeing messages from other users and the system.",
    ],
)
def test_a_log_that_says_it_lost_lines_proves_no_absence(lost: str) -> None:
    assert proven(session("dmesg", [*BOOT[:9], lost, *BOOT[9:]]), *ALL) == []


def test_a_log_cut_at_its_end_proves_nothing_of_later() -> None:
    """The collector stops after a number of bytes: whatever came later is not in it."""
    piece = Piece("cmd/dmesg", "\n".join(BOOT), "b", 1, "dmesg", "cut", reason="only the first 8388608 bytes")
    log = Log(Evidence("bundle", "b", [piece]), TEMPLATES)
    assert proven(log, *ALL) == [TABLE, IOMMU, DRIVER]


def test_a_filter_that_an_old_kernels_wording_does_not_pass_proves_nothing() -> None:
    """Kernels before 4.x print `dmar: Host address width`: `grep DMAR` hides it."""
    rows = ["[    0.000000] Intel-IOMMU: enabled"]
    assert proven(session("dmesg | grep -e DMAR -e IOMMU", rows), *ALL) == []


@pytest.mark.parametrize("lead", ["Nov 12 10:00:{:02d} pve kernel: ", "[Tue Nov 12 10:00:{:02d} 2024] "])
@pytest.mark.parametrize("seconds", [0, 30])
def test_a_log_by_the_clock_reaches_as_far_as_its_clock(lead: str, seconds: int) -> None:
    rows = [lead.format(n * seconds // 99) + f"usb 1-{n}: new device" for n in range(99)]
    found = proven(session("journalctl -k", [lead.format(0) + FIRST[15:], *rows]), *ALL)
    assert found == (list(ALL) if seconds else [])


@pytest.mark.parametrize(
    ("command", "exact", "cut"),
    [
        ("dmesg -HTx", True, False),
        ("dmesg --time-format iso", True, False),
        ("dmesg --time-format=reltime", True, False),
        ("dmesg -D", False, False),
        ("journalctl -k -o json", True, False),
        ("journalctl -kojson", True, False),
        ("journalctl -k --output=short-iso", True, False),
        ("journalctl -xeu libvirtd", False, True),
        ("journalctl -ke", True, True),
        ("journalctl -fk", False, False),
        ("journalctl -kfp3", False, False),
        ("journalctl -k -n50", True, True),
        ("journalctl -k -f", True, True),
        ("journalctl -k _PID=1", False, False),
        ("journalctl -k -b 0123456789abcdef0123456789abcdef", True, False),
    ],
)
def test_options(command: str, exact: bool, cut: bool) -> None:
    found = parse(command)
    assert (found.exact, found.cut) == (exact, cut)
