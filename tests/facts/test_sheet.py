"""Every fact with its sources, and what nobody read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.cli import main
from doctor.evidence.paste import open_paste
from doctor.evidence.types import Evidence, Piece
from doctor.facts.host import Host
from doctor.facts.sheet import Row, Sheet, sheet
from doctor.knowledge.store import load
from doctor.report.factsheet import as_json, as_text

PASTE = """Hello, my card does not work.
root@pve:~# cat /proc/cmdline
BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro intel_iommu=on iommu=pt
root@pve:~# dmesg | grep -e DMAR
[    0.010000] DMAR: IOMMU enabled
[    0.020000] DMAR: Something nobody has ever read
root@pve:~# lspci -nnk
01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GA104 [10de:2484] (rev a1)
\tKernel driver in use: nouveau
"""


def read(text: str) -> Sheet:
    return sheet(open_paste(text.encode(), "p.txt"), load(None))


def row(found: Sheet, group: str, name: str) -> Row:
    (one,) = [row for row in found.rows if (row.group, row.name) == (group, name)]
    return one


def test_a_fact_has_its_value_and_its_lines() -> None:
    found = read(PASTE)
    on = row(found, "cmdline", "enables_intel")
    assert (on.value, [source.line for source in on.sources]) == (["intel_iommu=on"], [3])
    driver = row(found, "pci", "device[0000:01:00.0].driver")
    assert (driver.value, [source.line for source in driver.sources]) == ("nouveau", [9])
    assert row(found, "events", "intel_option_on").sources[0].text.endswith("DMAR: IOMMU enabled")


def test_an_unknown_fact_names_what_would_settle_it() -> None:
    group = row(read(PASTE), "pci", "device[0000:01:00.0].group")
    assert not group.known and group.wanted == ("sys/kernel/iommu_groups/",)


@pytest.mark.parametrize(
    ("state", "why"),
    [("denied", "denied"), ("absent", "absent"), ("cut", "cut"), ("not-collected", "not-collected")],
)
def test_an_unknown_fact_says_why(state: str, why: str) -> None:
    piece = Piece("sys/class/dmi/id/board_name", state=state, source="d")
    board = row(sheet(Evidence("directory", "d", [piece]), load(None)), "machine", "board")
    assert (board.known, board.reasons) == (False, (why,))
    assert row(read(PASTE), "machine", "board").reasons == ("not in the input",)


def test_what_nobody_reads_is_listed() -> None:
    found = read(PASTE)
    lines = {(lost.source.line, lost.source.text) for lost in found.unread}
    assert (1, "Hello, my card does not work.") in lines
    assert (6, "[    0.020000] DMAR: Something nobody has ever read") in lines
    assert not {line for line, _ in lines} & {3, 5, 8, 9}


def test_a_path_that_no_fact_asks_for_is_listed_once() -> None:
    pieces = [Piece(f"sys/bus/pci/devices/0000:01:00.{n}/no_such_attribute", "1", "d") for n in range(3)]
    (lost,) = sheet(Evidence("directory", "d", pieces), load(None)).unread
    assert lost.why == "no fact is read from sys/bus/pci/devices/*/no_such_attribute (3 of them)"


def test_every_group_of_the_host_appears() -> None:
    shown = {row.group for row in read(PASTE).rows}
    assert shown >= {"machine", "cmdline", "configured", "iommu", "modules", "modprobe", "boot", "platform", "pci"}
    assert shown <= set(Host.SHOWN)


def test_json_and_text_say_the_same() -> None:
    evidence = open_paste(PASTE.encode(), "p.txt")
    found = sheet(evidence, load(None))
    data = json.loads(as_json(evidence, found))
    text = as_text(evidence, found)
    known = [fact for fact in data["facts"] if fact["known"]]
    assert len(data["facts"]) == len(found.rows) and f"Facts ({len(known)})" in text
    for fact in data["facts"]:
        assert f"  {fact['name']}" in text
    assert data["unread"][0]["why"] in text


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_command(tmp_path: Any, capfd: pytest.CaptureFixture[str], form: str) -> None:
    paste = tmp_path / "p.txt"
    paste.write_text(PASTE)
    assert main(["facts", str(paste), "--format", form]) == 0
    assert "enables_intel" in capfd.readouterr().out
    assert main(["facts", str(paste), "--format", form, "-o", str(tmp_path / "out")]) == 0
    assert "enables_intel" in (tmp_path / "out").read_text()
    assert main(["facts", str(tmp_path / "none")]) == 2
    assert "none" in capfd.readouterr().err


def test_no_control_character_reaches_the_terminal() -> None:
    evidence = open_paste(b"root@pve:~# cat /proc/cmdline\nquiet \x1b]0;owned\x07 x=\xe2\x80\xae\n", "p\x1b.txt")
    assert as_text(evidence, sheet(evidence, load(None))).replace("\n", "").isprintable()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from([*PASTE.splitlines(), "x" * 50, "", "{", "<domain>", "cat /etc/modules:"]), max_size=12)
)
def test_never_raises(lines: list[str]) -> None:
    evidence = open_paste("\n".join(lines).encode(), "p")
    found = sheet(evidence, load(None))
    json.loads(as_json(evidence, found))
    as_text(evidence, found)
