"""Logs read as one piece a boot: linear in the text, whatever stands in it, and no line changes its number."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.evidence.clean import uncoloured
from doctor.evidence.logs import journal, plain, read
from doctor.evidence.types import Evidence, Piece
from doctor.facts.messages import Log
from doctor.knowledge.store import load

TEMPLATES: list[dict[str, Any]] = load()["messages"]
ID = "0123456789abcdef" * 2
NOISE = "[   12.000001] usb 1-2: new high-speed USB device number 4 using xhci_hcd\n"
FAULT = "[   12.000001] DMAR: [DMA Read] Request device [01:00.2] fault addr bdf6f000 [fault reason 06] PTE Read\n"
UNITS = [
    NOISE, FAULT, "[    0.000000] Linux version 6.1\n", "Linux version 6", "\n", "[", "[ ", "[    0.000000] ", "0",
    "00:00:00 ", "00:00:00 [    1.000000] ", "a: ", f"-- Boot {ID} --\n", "-- Reboot --\n", "-- Boot ", "DMAR: ",
    "Missed ", "Missed 2 kernel messages\n", "{", '{"MESSAGE":"a"}\n', f'{{"_BOOT_ID":"{ID}","MESSAGE":"a"}}\n',
    '"MESSAGE" : "a",\n', "MESSAGE=a\n", f"_BOOT_ID={ID}\n", f";b={ID};", "_BOOT_ID", '"MESSAGE":[1,', "[[", "\x1b[",
    "\x1b[31m", "\r", "\r\n", "\0", "\u4e2d", "journalctl -b ", ": Adding to iommu group ", "0000:01:00.0: ",
    "[DMA Read] Request device [", "BAR 1: ", "x" * 300 + "\n",
]  # fmt: skip


def _seconds(do: Callable[[str], object], text: str) -> float:
    start = process_time()
    do(text)
    return process_time() - start


def _facts(text: str) -> Log:
    pieces = [
        Piece("var/log/kern.log", text),
        Piece("cmd/journalctl-k", '{"MESSAGE":"a"}\n' + text, command="journalctl -k -o json"),
        Piece("cmd/dmesg", "__CURSOR=s=1\n" + text, command="dmesg | grep DMAR", state="filtered", terms=("DMAR",)),
        Piece("cmd/messages", text, command="journalctl -b " + text[:2000]),
    ]
    log = Log(Evidence("paste", "p", pieces), TEMPLATES)
    for template in TEMPLATES:
        log.lookup(template["event"])
    return log


@pytest.mark.parametrize("unit", UNITS, ids=[repr(unit[:24]) for unit in UNITS])
def test_four_times_the_log_takes_about_four_times_as_long(unit: str) -> None:
    """Far below the sixteen times of a reader that backtracks, or that reads a log once for each of its lines."""
    short, long = (unit * (size // len(unit)) + "!" for size in (40_000, 160_000))
    small, large = _seconds(_facts, short), _seconds(_facts, long)
    if large > 10 * max(small, 0.02):  # measured again: a busy machine is no slow reader
        small, large = (min(_seconds(_facts, text) for _ in range(3)) for text in (short, long))
    assert large <= 10 * max(small, 0.02)


def test_memory_does_not_grow_with_the_noise() -> None:
    """Ten times the faults and the noise: what is kept of them grows far less."""
    import tracemalloc

    def peak(count: int) -> int:
        text = (NOISE + FAULT) * count
        log_piece = Piece("cmd/dmesg", text, "p", 1, "dmesg")
        tracemalloc.start()
        Log(Evidence("paste", "p", [log_piece]), TEMPLATES)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most - 2 * len(text)  # the log itself, and a copy of it

    peak(10)
    assert peak(20_000) < 4 * max(peak(4_000), 1_000_000)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.one_of(st.sampled_from(UNITS), st.text(max_size=30)), max_size=60).map("".join))
def test_no_line_is_lost_or_moved(text: str) -> None:
    """The pieces of a log are its lines, in order and each once; blanks at a piece's end do not count."""
    rows = plain(text)[0].split("\n")
    seen: dict[int, str] = {}
    for piece in read(Piece("cmd/journalctl-k", text, "p", 1, "journalctl -k")):
        for index, row in enumerate(piece.text.split("\n")):
            number = piece.line_number(index)
            assert number is not None and number not in seen
            seen[number] = row
    assert {n: row for n, row in seen.items() if row.strip()} == {
        n: row for n, row in enumerate(rows, 1) if row.strip()
    }


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=200))
def test_plain_text_keeps_its_count_of_lines(text: str) -> None:
    found, starts = plain(text)
    expected = uncoloured(text).replace("\r\n", "\n")
    assert found.count("\n") == expected.count("\n")
    assert all(0 <= at <= len(found) for at in starts)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ('{"__CURSOR":"s=1","MESSAGE":"a"}', True),
        ('{\n\t"__CURSOR" : "s=1",', True),
        ("__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1\n", True),
        (f"Mon 2024-01-01 12:00:00.000000 CET [s=ab;i=1;b={ID};m=1;t=2;x=3]\n    PRIORITY=6", True),
        ("[    0.0] DMAR: IOMMU enabled", False),
        ("{ a shell function }", False),
        ("", False),
    ],
)
def test_a_journal_in_fields_is_told_by_its_head(head: str, expected: bool) -> None:
    assert journal(head) is expected
