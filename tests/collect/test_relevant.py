"""Logs of any size: what is kept, how the cut is marked, and that memory and time stay bounded."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.collect import command, gather, read
from doctor.collect.item import Item, log
from doctor.collect.relevant import Relevant
from doctor.evidence.types import CUT, Piece
from doctor.facts.complete import span

ROOT = Path(__file__).resolve().parents[2]
WORDS = frozenset([b"vfio", b"DMAR"])
NOISE = b"[   10.000000] usb 1-1: new high-speed device number %d\n"
FAULT = b"[   20.000000] DMAR: [DMA Read] Request device [01:00.0] fault addr %d\n"


def kept(data: bytes, limit: int, part: int = 1000, keep: tuple[str, ...] | None = None) -> tuple[bytes, Relevant]:
    relevant = Relevant(limit, keep, WORDS)
    for at in range(0, len(data), part):
        relevant.feed(data[at : at + part])
    return relevant.data(), relevant


def test_a_log_within_the_limit_stays_as_it_is() -> None:
    data = b"one\ntwo vfio\nthree\n"
    assert kept(data, 100)[0] == data


def test_the_beginning_and_the_relevant_lines_stay() -> None:
    head = b"[    0.000000] Linux version 6.8\n"
    data = head + b"".join(NOISE % number for number in range(500)) + FAULT % 1 + NOISE % 1 + FAULT % 2
    found, relevant = kept(data, 4000)
    assert found.startswith(head + NOISE % 0) and found.endswith(FAULT % 1 + FAULT % 2)
    assert b"lines without a word of any known message left out here\n" in found
    assert relevant.lost == 0 and relevant.left > 400 and len(found) < 4000
    assert b"messages lost" not in found


def test_of_a_flood_the_latest_lines_stay_and_silence_proves_nothing() -> None:
    data = b"[    0.000000] Linux version 6.8\n" + b"".join(FAULT % number for number in range(5000))
    found, relevant = kept(data, 8000)
    assert found.endswith(FAULT % 4999) and relevant.lost > 4000 and len(found) < 8500
    assert b"%d messages lost here" % relevant.lost in found
    assert span(Piece("cmd/dmesg", found.decode(), state=CUT, reason="x"), []) is None


def test_other_programs_lines_are_left_out() -> None:
    data = b"Jan 1 host kernel: DMAR: x\nJan 1 host mail[1]: vfio secret\n" * 3
    assert kept(data, 10000, keep=("kernel:",))[0] == b"Jan 1 host kernel: DMAR: x\n" * 3


@given(st.binary(max_size=3000), st.integers(0, 400), st.integers(1, 500))
def test_any_bytes_in_any_parts(data: bytes, limit: int, part: int) -> None:
    found, relevant = kept(data, limit, part)
    assert len(found) <= limit + 400
    if not relevant.left and not relevant.lost:
        assert found.rstrip(b"\n") == data.rstrip(b"\n")


def test_an_endless_line_is_bounded() -> None:
    relevant = Relevant(1000, None, WORDS)
    for _ in range(1000):
        relevant.feed(b"x" * 10000)
    assert len(relevant._partial) <= 20000 and len(relevant.data()) < 2000


def test_time_is_linear() -> None:
    def seconds(count: int) -> float:
        data = (NOISE % 1 * 20 + FAULT % 1) * count
        begin = time.process_time()
        kept(data, 10000, 65536)
        return time.process_time() - begin

    seconds(100)
    assert seconds(8000) < 10 * max(seconds(2000), 0.01)


def test_a_big_log_file_gives_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "LOG_LIMIT", 100000)
    name = tmp_path / "kern.log"
    name.write_bytes(b"old\n" * 50000 + FAULT % 7 + b"".join(NOISE % number for number in range(1000)))
    entry = read.READERS["file"](str(name), "var/log/kern.log", log("var/log/kern.log")._replace(limit=5000))
    assert entry.state == "cut" and FAULT % 7 in entry.data and len(entry.data) < 6000
    assert "were not read" in (entry.reason or "") and "lines left out" in (entry.reason or "")


def test_a_gigabyte_takes_little_memory(tmp_path: Path) -> None:
    """A sparse file stands for the log: it reads as endless zeros between two lines."""
    name = tmp_path / "kern.log"
    with name.open("wb") as out:
        out.write(b"kernel: begins\n")
        out.seek(1 << 30)
        out.write(b"\n" + FAULT % 9)
    code = f"""
import resource, sys
sys.path.insert(0, {str(ROOT)!r})
from doctor.collect import read
from doctor.collect.item import log
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
entry = read.READERS["file"]({str(name)!r}, "var/log/kern.log", log("var/log/kern.log"))
assert entry.state == "cut" and entry.data.endswith(b"fault addr 9\\n"), entry.data[-100:]
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=-1)
    assert int(done.stdout) < 32 * 1024  # KB


def test_a_command_without_end(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho '[ 0.000000] Linux version 6'\nyes '[ 1.000000] usb noise'\n")
    tool.chmod(0o755)
    item = Item("cmd/dmesg", "command", (str(tool),), limit=100000, timeout=1.0, log=True)
    entry = gather.run_item(item)
    assert entry.state == "cut" and entry.data.startswith(b"[ 0.000000] Linux version 6\n")
    assert len(entry.data) < 101000


def test_a_child_that_holds_the_pipe_does_not_hold_the_collector(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\nsetsid sleep 30 &\necho said\n")
    tool.chmod(0o755)
    begin = time.monotonic()
    result = command.run([str(tool)], 1.0, 1000)
    assert time.monotonic() - begin < 15 and result.stdout == b"said\n"


def test_the_priority_is_low() -> None:
    code = "import os; from doctor.collect import __main__ as m; m._step_back(); print(os.nice(0))"
    assert (
        int(subprocess.run([sys.executable, "-c", code], cwd=str(ROOT), check=True, stdout=-1).stdout)
        == 19
        >= os.nice(0)
    )
