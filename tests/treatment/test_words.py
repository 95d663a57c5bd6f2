"""The algebra of kernel parameters."""

from __future__ import annotations

from typing import Any

import pytest

from doctor.treatment.steps import Ask
from doctor.treatment.words import excludes, grammar, holds, merge, rewrite


def ask(check: str, add: Any = (), remove: Any = (), optional: bool = False) -> Ask:
    return Ask("kernel_parameter", {"add": add, "remove": remove}, check, optional, None)


@pytest.mark.parametrize(
    ("present", "add", "remove", "result"),
    [
        ("quiet", ["intel_iommu=on"], [], "quiet intel_iommu=on"),
        ("quiet intel_iommu=off splash", ["intel_iommu=on"], [], "quiet intel_iommu=on splash"),
        ("quiet intel-iommu=on", ["intel_iommu=on"], [], "quiet intel-iommu=on"),
        ("intel_iommu=on,sm_on", ["intel_iommu=on"], [], "intel_iommu=on,sm_on"),
        ("intel_iommu=on,igfx_off", [], ["intel_iommu=igfx_off"], "intel_iommu=on"),
        ("intel_iommu=igfx_off", ["intel_iommu=on"], [], "intel_iommu=igfx_off intel_iommu=on"),
        ("iommu=off iommu=soft", [], ["iommu=off"], "iommu=soft"),
        ("iommu=off,soft", ["iommu=pt"], ["iommu"], "iommu=pt"),
        ("amd_iommu=on iommu=pt", [], ["amd_iommu=on"], "iommu=pt"),
        ("amd_iommu=on iommu=pt", [], ["amd_iommu"], "iommu=pt"),
        ("nointremap quiet", [], ["nointremap"], "quiet"),
        ("intremap=off", [], ["intremap"], ""),
        ("intremap=off,nosid", [], ["intremap=off"], "intremap=nosid"),
        ("vfio-pci.ids=10de:1 x", ["vfio-pci.ids=10de:1,10de:2"], [], "vfio-pci.ids=10de:1,10de:2 x"),
        ("vfio_pci.ids=10de:1", ["vfio-pci.ids=10de:2"], [], "vfio-pci.ids=10de:2"),
        ("pci=noats,nocrs", [], ["pci=nocrs"], "pci=noats"),
        ("video=efifb:off,vesafb:off", [], ["video=efifb:off"], "video=efifb:off,vesafb:off"),
        ("video=efifb:off,vesafb:off", [], ["video"], ""),
        ("console=tty0", ["console=ttyS0"], [], "console=tty0 console=ttyS0"),
        ("iommu=pt", ["iommu=nopt"], [], "iommu=nopt"),
        ("intel_iommuu=on", ["intel_iommu=on"], ["intel_iommuu=on"], "intel_iommu=on"),
    ],
)
def test_rewrite(present: str, add: list[str], remove: list[str], result: str, platforms: dict[str, Any]) -> None:
    rules = grammar(platforms)
    words = rewrite([present.split()], 0, merge([ask("c", add, remove)], rules), rules)[0]
    assert sorted(words) == sorted(result.split())


def test_replacement_keeps_the_place_on_its_own_line(platforms: dict[str, Any]) -> None:
    rules = grammar(platforms)
    wish = merge([ask("c", ["intel_iommu=on", "x=1"])], rules)
    assert rewrite([["intel_iommu=off", "a"], ["b"]], 1, wish, rules) == [
        ["intel_iommu=on", "a"],
        ["b", "x=1"],
    ]


@pytest.mark.parametrize(
    ("present", "add", "remove", "result"),
    [
        ("quiet -- intel_iommu=on", ["intel_iommu=on"], [], "quiet intel_iommu=on"),
        ("quiet -- intel_iommu=off x", ["intel_iommu=on"], [], "quiet intel_iommu=on -- x"),
        ("intel_iommu=off -- x", ["intel_iommu=on"], [], "intel_iommu=on -- x"),
        ("intel_iommu=on -- intel_iommu=on", ["intel_iommu=on"], [], "intel_iommu=on -- intel_iommu=on"),
        ("a iommu=off -- iommu=off x", [], ["iommu=off"], "a -- x"),
        ("a --", ["iommu=pt"], [], "a iommu=pt --"),
    ],
)
def test_nothing_new_goes_behind_the_end(
    present: str, add: list[str], remove: list[str], result: str, platforms: dict[str, Any]
) -> None:
    rules = grammar(platforms)
    words = rewrite([present.split()], 0, merge([ask("c", add, remove)], rules), rules)[0]
    assert " ".join(words) == result


def test_the_end_ends_the_lines_that_follow_too(platforms: dict[str, Any]) -> None:
    rules = grammar(platforms)
    wish = merge([ask("c", ["iommu=pt"])], rules)
    lines = [["a", "--", "b"], ["quiet", "iommu=pt"]]
    assert rewrite(lines, 1, wish, rules, joined=True) == [["a", "iommu=pt", "--", "b"], ["quiet"]]
    assert rewrite(lines, 1, wish, rules) == lines
    assert rewrite([[], ["quiet"]], 0, wish, rules, joined=True) == [["iommu=pt"], ["quiet"]]
    # An empty line behind the end takes nothing either.
    assert rewrite([["a", "--"], []], 1, wish, rules, joined=True) == [["a", "iommu=pt", "--"], []]
    assert rewrite([["--", "b"], ["quiet"]], 1, wish, rules, joined=True) == [["iommu=pt", "--", "b"], ["quiet"]]


def test_the_earlier_wish_holds(platforms: dict[str, Any]) -> None:
    rules = grammar(platforms)
    wish = merge([ask("first", ["iommu=pt"]), ask("second", ["iommu=nopt"], ["iommu=pt"])], rules)
    assert list(wish.adds) == ["iommu=pt"]
    assert not wish.removes
    assert len(wish.notes) == 2
    assert all("first" in note and "second" in note for note in wish.notes)
    wish = merge([ask("first", (), ["a=1"]), ask("second", ["a=1"])], rules)
    assert not wish.adds


def test_a_removal_of_the_key_and_an_addition_replace(platforms: dict[str, Any]) -> None:
    rules = grammar(platforms)
    wish = merge([ask("first", ["intel_iommu=on"]), ask("second", (), ["intel_iommu"])], rules)
    assert rewrite([["intel_iommu=off,sm_on"]], 0, wish, rules) == [["intel_iommu=on"]]


def test_words_of_no_pattern_are_left_out(platforms: dict[str, Any]) -> None:
    rules = grammar(platforms)
    wish = merge([ask("c", ["a=$(reboot)", "ok=1"], ['b"'])], rules)
    assert list(wish.adds) == ["ok=1"]
    assert "2 kernel parameter(s)" in wish.notes[0]
    assert "reboot" not in wish.notes[0]


def test_relations(platforms: dict[str, Any]) -> None:
    rules = grammar(platforms)
    assert excludes("intel_iommu=on", "intel_iommu=off", rules)
    assert not excludes("iommu=pt", "iommu=soft", rules)
    assert excludes("x=1", "x=2", rules)
    assert holds("iommu=soft,pt", "iommu=pt", rules)
    assert not holds("iommu=soft", "iommu=pt", rules)
