"""Logs that logrotate put aside: the boot that goes on in the present log is the same, others are earlier ones."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.evidence.types import Evidence, Piece
from doctor.facts.host import Host
from doctor.knowledge.store import load

OLD_START = "Jan  1 00:00:00 h kernel: [    0.000000] Linux version 6.1.0-9-amd64\n"
START = "Jan  2 00:00:00 h kernel: [    0.000000] Linux version 6.8.12-1-pve\n"
DMAR = "Jan  2 00:00:00 h kernel: [    0.050000] DMAR: IOMMU enabled\n"
LATER = "Jan  2 05:00:00 h kernel: [18000.000000] usb 1-1: reset\n"


def boots(path: str, **logs: str) -> list[tuple[str, int, int | None]]:
    evidence = Evidence("bundle", "b", [Piece(name, text, name) for name, text in logs.items()])
    return [(piece.path.rpartition("/")[2], piece.boot, piece.first_line) for piece in evidence.pieces(path)]


def test_a_boot_goes_on_in_the_present_log() -> None:
    logs = {"var/log/kern.log.1": OLD_START + START + DMAR, "var/log/kern.log": LATER}
    assert boots("var/log/kern.log", **logs) == [("kern.log.1", 1, 1), ("kern.log.1", 0, 2), ("kern.log", 0, 1)]


def test_the_present_log_begins_with_a_boot() -> None:
    logs = {"var/log/kern.log.1": OLD_START, "var/log/kern.log": START + DMAR}
    assert boots("var/log/kern.log", **logs) == [("kern.log.1", 1, 1), ("kern.log", 0, 1)]
    logs = {"var/log/messages.1": OLD_START, "var/log/messages": LATER + START + DMAR}
    assert boots("var/log/messages", **logs) == [("messages.1", 1, 1), ("messages", 1, 1), ("messages", 0, 2)]


def test_what_was_put_aside_alone() -> None:
    assert boots("var/log/syslog", **{"var/log/syslog.1": OLD_START + START}) == [
        ("syslog.1", 1, 1),
        ("syslog.1", 0, 2),
    ]
    assert boots("var/log/dmesg", **{"var/log/dmesg.0": START}) == [("dmesg.0", 1, 1)]
    assert boots("var/log/dmesg", **{"var/log/dmesg.0": OLD_START, "var/log/dmesg": START})[0] == ("dmesg.0", 1, 1)


def test_facts_are_read_where_the_boot_is_and_not_where_another_is() -> None:
    def host(**logs: str) -> Host:
        return Host(Evidence("bundle", "b", [Piece(name, text, name) for name, text in logs.items()]), load(None))

    now = host(**{"var/log/kern.log.1": OLD_START + START + DMAR, "var/log/kern.log": LATER})
    assert {event.piece.path for event in now.log.order if event.piece.boot == 0} == {"var/log/kern.log.1"}
    before = host(**{"var/log/dmesg.0": START + DMAR})
    assert before.log.order == [] and {event.piece.path for event in before.log.earlier} == {"var/log/dmesg.0"}


def boot(start: str, early: bool, later: int) -> list[str]:
    """A boot's lines: in one, the clock never goes back."""
    return [start, *([DMAR] if early else []), *(["x\n", LATER] * later)]


BOOTS = st.lists(st.builds(boot, st.sampled_from([OLD_START, START]), st.booleans(), st.integers(0, 2)), max_size=4)


@settings(max_examples=100, deadline=None)
@given(BOOTS, st.integers(0, 20))
def test_where_it_was_cut_makes_no_difference(machine: list[list[str]], at: int) -> None:
    lines = [line for one in machine for line in one]
    aside, now = "".join(lines[:at]), "".join(lines[at:])
    whole = Evidence("bundle", "b", [Piece("var/log/kern.log", aside + now)]).pieces("var/log/kern.log")
    parts = [Piece("var/log/kern.log.1", aside), Piece("var/log/kern.log", now)]
    apart = Evidence("bundle", "b", parts).pieces("var/log/kern.log")
    said = [(piece.boot, line) for piece in whole for line in piece.text.split("\n") if line.strip()]
    if "Linux version" in "".join(lines[at : at + 1]) or not any("Linux version" in line for line in lines[at:][:12]):
        assert [(piece.boot, line) for piece in apart for line in piece.text.split("\n") if line.strip()] == said
