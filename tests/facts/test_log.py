"""Log lines as events, and what the silence of a log proves under which filter."""

from __future__ import annotations

from typing import Any

import pytest

from doctor.evidence.types import Evidence, Piece
from doctor.facts.messages import Log, full_address, is_address, scan
from doctor.knowledge.store import load

WIDTH, DIRECTED, OPTION = "intel_host_width", "intel_directed_io", "intel_option_on"
ENABLED = "[    0.054042] DMAR: IOMMU enabled"
ACTIVE = "[    0.560707] DMAR: Intel(R) Virtualization Technology for Directed I/O"
FIRST = "[    0.000000] Linux version 6.8.12-1-pve (build@proxmox) (gcc) #1 SMP"


@pytest.fixture(scope="module")
def templates() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = load()["messages"]
    return found


def log(templates: list[dict[str, Any]], text: str, **more: Any) -> Log:
    more.setdefault("command", "dmesg")
    return Log(Evidence("paste", "p", [Piece(more.pop("path", "cmd/dmesg"), text, "p", **more)]), templates)


def filler(count: int, start: float = 0.001, step: float = 0.01) -> str:
    return "\n".join(f"[{start + n * step:12.6f}] usb 1-{n}: new device" for n in range(count))


@pytest.mark.parametrize(
    ("text", "more", "proven"),
    [
        (ENABLED, {"state": "filtered", "terms": ("DMAR",)}, True),
        (ENABLED, {"state": "filtered", "terms": ("DMAR", "IOMMU")}, True),
        (ENABLED, {"state": "filtered", "terms": ("dmar",), "ignore_case": True}, True),
        (ENABLED, {"state": "filtered", "terms": ("dmar",)}, False),
        (ENABLED, {"state": "filtered", "terms": ("IOMMU",)}, False),
        (ENABLED, {"state": "filtered", "terms": ("iommu",), "ignore_case": True}, False),
        (ENABLED, {"state": "excerpt"}, False),
        (ENABLED, {"state": "excerpt", "terms": ("DMAR",)}, False),
        (ENABLED, {"state": "whole"}, False),
        (ACTIVE, {"state": "filtered", "terms": ("DMAR",)}, False),
        ("", {"state": "filtered", "terms": ("DMAR",)}, False),
        ("[ 9.0] DMAR: DRHD: handling fault status reg 2", {"state": "filtered", "terms": ("DMAR",)}, False),
        (f"{FIRST}\n{filler(80, step=0.1)}", {"state": "whole"}, True),
        (f"{FIRST}\n{filler(80, start=0.0, step=0.0001)}", {"state": "whole"}, False),
        (filler(80, start=100, step=1), {"state": "whole"}, False),
    ],
    ids=[
        "grep",
        "several-terms",
        "grep-i",
        "wrong-case",
        "term-lets-it-not-through",
        "term-i-lets-it-not-through",
        "excerpt",
        "filter-not-understood",
        "one-line-is-somebodys-choice",
        "the-early-part-is-gone",
        "empty",
        "only-late-lines",
        "whole-log",
        "whole-log-ends-early",
        "ring-buffer-wrapped",
    ],
)
def test_what_silence_proves_of_the_table(
    text: str, more: dict[str, Any], proven: bool, templates: list[dict[str, Any]]
) -> None:
    found = log(templates, text, **more).lookup(WIDTH)
    assert found.known is proven
    if proven:
        assert tuple(found.value) == ()
        assert found.sources
    else:
        assert found.wanted == ("cmd/dmesg",)


def test_a_line_that_is_there_is_cited_by_its_number(templates: list[dict[str, Any]]) -> None:
    found = log(templates, f"{ENABLED}\nnoise\n{ACTIVE}", first_line=7, state="excerpt").lookup(DIRECTED)
    assert len(found.value) == 1
    assert (found.sources[0].line, found.sources[0].text) == (9, ACTIVE)


def test_two_filters_prove_what_either_proves(templates: list[dict[str, Any]]) -> None:
    pieces = [
        Piece("cmd/dmesg", ENABLED, "p", 1, "dmesg | grep IOMMU", "filtered", ("IOMMU",)),
        Piece("cmd/dmesg", ENABLED, "p", 5, "dmesg | grep DMAR", "filtered", ("DMAR",)),
    ]
    found = Log(Evidence("paste", "p", pieces), templates).lookup(WIDTH)
    assert found.known
    assert found.sources[0].line == 5


@pytest.mark.parametrize("path", ["cmd/messages", "text/other"])
def test_tools_messages_prove_no_absence(path: str, templates: list[dict[str, Any]]) -> None:
    assert not log(templates, ENABLED, path=path, state="filtered", terms=("DMAR",)).lookup(WIDTH).known


def test_head_proves_no_absence(templates: list[dict[str, Any]]) -> None:
    from doctor.evidence.paste import open_paste

    text = f"root@a:~# dmesg | grep DMAR | head -1\n{ENABLED}\nroot@a:~#\n"
    assert not Log(open_paste(text.encode(), "p"), templates).lookup(WIDTH).known
    text = f"root@a:~# dmesg | grep DMAR | tail -9\n{ENABLED}\nroot@a:~#\n"
    assert len(Log(open_paste(text.encode(), "p"), templates).lookup(OPTION).value) == 1


def test_a_denied_log_is_said(templates: list[dict[str, Any]]) -> None:
    found = log(templates, "", state="denied", reason="Operation not permitted")
    assert found.denied.value is True
    assert not found.lookup(WIDTH).known


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("01:00.0", "0000:01:00.0"),
        ("0000:0A:00.1", "0000:0a:00.1"),
        ("10000:e1:00.0", "10000:e1:00.0"),
        ("01:00.0:", "0000:01:00.0"),
    ],
)
def test_full_address(text: str, expected: str) -> None:
    assert full_address(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        ":.",
        "01:00",
        "01:00.8",
        "a:b:c:d.0",
        "zz:00.0",
        "0000:01:00.0:",
        "::.0",
        "-1:00.0",
        "01:00.0 ",
    ],
)
def test_no_address(text: str) -> None:
    assert not is_address(text)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("[ 1.0] pci 0000:01:00.0: Adding to iommu group 17", {"device": "0000:01:00.0", "group": "17"}),
        (
            "Nov 12 20:54:12 pve kernel: vfio-pci 0000:01:00.1: Adding to iommu group 1",
            {"device": "0000:01:00.1", "group": "1"},
        ),
        ("pci 10000:e1:00.0: Adding to iommu group 9", {"device": "10000:e1:00.0", "group": "9"}),
        ("[ 1.0] pci 0000:01:00.0: Adding to iommu group", None),
        ("[ 1.0] pci 0000:01:00.0: Adding to iommu group x", None),
        ("[ 1.0] platform AMDI0020:00: Adding to iommu group 3", None),
        (": Adding to iommu group 3", None),
    ],
)
def test_group_lines(text: str, fields: dict[str, str] | None, templates: list[dict[str, Any]]) -> None:
    found = [event.fields for event in scan(text, templates) if event.name == "group_new"]
    assert found == ([] if fields is None else [fields])


def test_a_line_gives_an_event_once_and_keeps_the_order(templates: list[dict[str, Any]]) -> None:
    text = "\n".join(f"[ 1.{n}] pci 0000:0{n}:00.0: Adding to iommu group {n}" for n in range(9))
    events = [event for event in scan(text + "\n" + ENABLED * 3, templates) if event.name in ("group_new", OPTION)]
    assert [event.at for event in events] == list(range(10))
