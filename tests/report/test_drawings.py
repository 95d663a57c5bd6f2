"""The pictures: what they show, what they fold, and that nothing from evidence becomes markup in them."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.report.drawings import chain, rows, svg, timeline, tree
from doctor.report.model import Device, Report
from doctor.report.view import arrange
from doctor.report.words import Words

from .sample_report import AUDIO, BRIDGE, GPU, check, device, healthy_report, sample_report, step

NAMES = {"title", "desc", "svg", "rect", "circle", "path", "text"}


def parsed(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)  # noqa: S314  (our own)


def host(*devices: Device) -> Report:
    """A report of these devices."""
    report = sample_report()
    report["devices"] = list(devices)
    return report


def port(address: str, group: int | None = None, *above: str) -> Device:
    return device(address, "Root port", "0604", "pcieport", group=group, bridges=list(above))


def card(address: str, group: int | None, *above: str, **more: Any) -> Device:
    return device(address, "A card", "0200", None, group=group, bridges=list(above), **more)


def shared_port() -> Report:
    """A target and a stranger's card below a port that keeps nothing apart."""
    names = ["0000:00:01.0", "0000:01:00.0", "0000:02:00.0"]
    merge = {"reason": "port without ACS", "address": names[0]}
    return host(
        port(names[0], 1),
        card(names[1], 1, names[0], target=True, group_members=[names[0], names[2]], merged_by=merge),
        card(names[2], 1, names[0], group_members=names[:2]),
    )


def crowd(count: int = 250) -> Report:
    """A target behind one port of many, each with a card of its own."""
    devices: list[Device] = []
    for number in range(count // 2):
        name = f"0000:{0x40 * (number % 4):02x}:{number // 8:02x}.{number % 8}"
        devices += [port(name, 2 * number), card(f"0000:{number + 100:02x}:00.0", 2 * number + 1, name)]
    devices[41 % len(devices) | 1]["target"] = True
    return host(*devices)


def drawn(report: Report) -> tuple[ElementTree.Element, str]:
    """The tree's picture, read as XML, and the note below it."""
    found = tree.draw(arrange(report), Words())
    assert found is not None
    return parsed(found[0]), found[1]


def texts(picture: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in picture.iter("text")]


def test_a_port_that_merges_a_group_is_pointed_at() -> None:
    picture, note = drawn(shared_port())
    assert "merges group 1: port without ACS" in texts(picture)
    assert texts(picture).count("group 1") == 1  # one frame round all three
    assert {"target", "neighbour"} <= set(texts(picture))
    assert note == ""
    told = picture.findtext("desc") or ""
    assert "01:00.0 A card, target, group 1, behind 00:01.0" in told
    assert "02:00.0 A card, neighbour, group 1" in told


def test_the_other_function_of_a_card_is_a_companion() -> None:
    report = host(card(GPU, 17, target=True, group_members=[AUDIO]), card(AUDIO, 17, group_members=[GPU]))
    marks = [row.mark for row in rows.rows(arrange(report)) if row.device]
    assert marks == ["target", "companion"]


def test_many_devices_are_folded_and_counted() -> None:
    report = crowd()
    found = rows.rows(arrange(report))
    shown = [row for row in found if row.device]
    assert [row.device["target"] for row in shown if row.device] == [False, True]  # its port, and the target itself
    assert len(shown) + sum(row.folded for row in found) == len(report["devices"]) == 250
    picture, note = drawn(report)
    assert note.startswith("Folded: of 250 devices, 2 are drawn")
    assert float(picture.attrib["height"]) < 250


def test_few_devices_are_all_drawn() -> None:
    report = crowd(rows.ALL)
    assert [row.folded for row in rows.rows(arrange(report)) if row.folded] == []


def test_many_targets_do_not_fill_more_than_a_page() -> None:
    report = host(port(BRIDGE, 1), *(card(f"0000:01:{at // 8:02x}.{at % 8}", at + 9, BRIDGE, target=True)
                                     for at in range(200)))  # fmt: skip
    found = rows.rows(arrange(report))
    assert sum(row.device is not None for row in found) <= rows.MOST
    assert sum(row.device is not None for row in found) + sum(row.folded for row in found) == 201
    missing = sum(row.targets for row in found)
    assert missing > 0
    assert any(f"{missing} targets among them" in text for text in texts(drawn(report)[0]))
    assert float(drawn(report)[0].attrib["height"]) < 940  # of A4, in CSS pixels


def test_without_a_target_what_people_pass_on_is_drawn() -> None:
    report = crowd()
    for each in report["devices"]:
        each["target"] = False
    report["devices"][61]["class"] = "0300"
    assert report["devices"][61]["address"] in {
        row.device["address"] for row in rows.rows(arrange(report)) if row.device
    }


def test_where_a_device_is_may_be_unknown() -> None:
    report = sample_report()
    found = rows.rows(arrange(report))
    assert [row.kind for row in found if row.device is None] == ["bus", "nowhere"]
    bare = sample_report()
    for each in bare["devices"]:
        each.pop("bridges", None)
    assert [row.kind for row in rows.rows(arrange(bare)) if row.device is None] == ["bus", "nowhere"]
    assert tree.draw(arrange(host()), Words()) is None


ADDRESS = st.builds("0000:{:02x}:{:02x}.{}".format, st.integers(0, 3), st.integers(0, 2), st.integers(0, 2))
DEVICE = st.builds(
    lambda address, name, kind, group, target, bridges: device(
        address, name, kind, None, group=group, target=target, bridges=bridges
    ),
    ADDRESS,
    st.text(max_size=30) | st.none(),
    st.sampled_from(["0604", "0200", "0300"]),
    st.integers(0, 3) | st.none(),
    st.booleans(),
    st.lists(ADDRESS, max_size=3) | st.none(),
)


@given(st.lists(DEVICE, max_size=60, unique_by=lambda row: row["address"]))
@settings(max_examples=150, deadline=None)
def test_every_device_is_drawn_once_or_counted_once(devices: list[Device]) -> None:
    """Whatever a report says of its bridges, loops included."""
    view = arrange(host(*devices))
    found = rows.rows(view)
    names = [row.device["address"] for row in found if row.device]
    assert len(names) == len(set(names))
    assert len(names) + sum(row.folded for row in found) == len(devices)
    picture = tree.draw(view, Words())
    assert (picture is None) == (not names)
    if picture:
        assert {each.tag for each in parsed(picture[0]).iter()} <= NAMES


@given(st.text(max_size=80))
@settings(max_examples=80, deadline=None)
def test_no_text_becomes_markup(name: str) -> None:
    report = sample_report()
    for each in report["devices"]:
        each["name"] = name + "</text><script>"
    report["checks"][1] = check("iommu-active", "fail", name + "<b>'\"")
    for drawing in (chain.draw, timeline.draw, lambda *given: (tree.draw(*given) or ("",))[0]):
        for spoken in (True, False):
            found = parsed(str(drawing(arrange(report), Words(), spoken)))
            assert {each.tag for each in found.iter()} <= NAMES
            assert found.attrib["role"] == "img"


def test_pictures_are_named_and_told_in_words() -> None:
    view = arrange(sample_report())
    for drawing in (chain.draw, timeline.draw, lambda *given: (tree.draw(*given) or ("",))[0]):
        found = parsed(str(drawing(view, Words())))
        ids = {each.attrib["id"]: each.text for each in found if "id" in each.attrib}
        assert all(ids[found.attrib[f"aria-{kind}by"]] for kind in ("labelled", "described"))
        paper = parsed(str(drawing(view, Words(), False)))
        assert paper.findtext("title") == ". ".join(filter(None, ids.values()))


def test_every_colour_is_one_that_a_style_can_replace() -> None:
    """So that a dark page does not show a picture for a light one."""
    style = "".join((svg_folder() / name).read_text("utf-8") for name in ("style.css", "screen.css"))
    view = arrange(shared_port())
    for drawing in (chain.draw, timeline.draw, lambda *given: (tree.draw(*given) or ("",))[0]):
        for each in parsed(str(drawing(view, Words()))).iter():
            kinds = each.attrib.get("class", "").split()
            for name, sign in (("fill", "f-"), ("stroke", "s-")):
                if each.attrib.get(name, "none") != "none":
                    kind = next(kind for kind in kinds if kind.startswith(sign))
                    assert f".{kind} {{" in style, kind


def svg_folder() -> Any:
    from doctor.report.places import template_folder

    return template_folder()


def test_signs_differ_without_their_colours() -> None:
    marks = (rows.TARGET, rows.COMPANION, rows.NEIGHBOUR, rows.BRIDGE, "")
    bare = {re.sub(r' (class|stroke)="[^"]*"|#(?!ffffff)\w+', "", tree._sign(mark, 9, 9)) for mark in marks}
    assert len(bare) == len(marks)
    bare = {re.sub(r' (class|fill|stroke)="[^"]*"', "", chain._sign(status, 9, 9, "ink"))
            for status in ("pass", "fail", "unknown", "none")}  # fmt: skip
    assert len(bare) == 4


def layers(**statuses: str) -> list[chain.Layer]:
    report = healthy_report()
    report["checks"] = [check(name.replace("_", "-"), status, f"{name} is off") for name, status in statuses.items()]
    return chain.layers(arrange(report), Words())


def test_the_chain_says_where_it_broke() -> None:
    found = layers(firmware_iommu_table="pass", iommu_active="fail", interrupt_remapping="unknown")
    assert [(layer.status, layer.breaks) for layer in found] == [("pass", False), ("fail", True), ("unknown", False)]
    assert [layer.status for layer in layers(iommu_active="pass")] == ["none", "pass", "none"]


@pytest.mark.parametrize("root", ["firmware-iommu-table", "cmdline-disables-iommu"])
def test_what_follows_from_a_break_is_no_break_of_its_own(root: str) -> None:
    report = healthy_report()
    names = dict.fromkeys((root, *chain.LAYERS))
    report["checks"] = [check(name, "fail", f"no {name}") for name in names]
    if root not in chain.LAYERS:
        report["checks"][1]["status"] = "pass"
    explained = [{"check": name, "device": None} for name in chain.LAYERS[1:]]
    report["causes"] = [{"check": root, "device": None, "explains": explained}]  # type: ignore[typeddict-item]
    found = chain.layers(arrange(report), Words())
    assert [layer.breaks for layer in found].count(True) == 1
    assert found[2].why == ("no interrupt-remapping", f"because: no {root}")
    assert not found[2].breaks


def test_unknown_is_drawn_neither_whole_nor_broken() -> None:
    report = healthy_report()
    report["checks"] = [check("firmware-iommu-table", "pass", ""), check("iommu-active", "unknown", "")]
    found = parsed(str(chain.draw(arrange(report), Words())))
    boxes = [each.attrib for each in found.iter("rect")]
    assert [box.get("stroke-dasharray") for box in boxes] == [None, "5 4", "2 3"]
    assert [text for text in texts(found) if text in ("works", "not known", "not judged", "broken here")] == [
        "works", "not known", "not judged",
    ]  # fmt: skip


def test_a_profile_that_judges_no_layer_has_no_chain() -> None:
    report = healthy_report()
    report["checks"] = []
    assert chain.draw(arrange(report), Words()) is None


def plan(*kinds: str) -> Report:
    report = sample_report()
    report["plan"]["steps"] = [
        step(kind, "Do it", [], reboot=kind in ("reboot", "firmware"), optional=kind == "run") for kind in kinds
    ]
    return report


def test_the_timeline_marks_reboots_and_what_is_optional() -> None:
    found = parsed(str(timeline.draw(arrange(plan("run", "initramfs", "reboot", "verify")), Words())))
    assert [text for text in texts(found) if text.isdigit()] == ["1", "2", "3", "4"]
    assert {"a command", "optional", "initramfs", "reboot", "verify", "now", "after the reboot"} <= set(texts(found))
    assert len(list(found.iter("rect"))) == 1  # the reboot alone
    assert found.findtext("desc") == "1. a command (optional); 2. initramfs; 3. reboot; 4. verify"


def test_a_long_plan_goes_on_in_another_line() -> None:
    found = parsed(str(timeline.draw(arrange(plan(*["file"] * 9, "firmware", "verify")), Words())))
    numbers = [each for each in found.iter("text") if (each.text or "").isdigit()]
    assert len({each.attrib["y"] for each in numbers}) == 2
    assert all(0 < float(each.attrib["x"]) < svg.WIDTH for each in numbers)
    assert timeline.draw(arrange(plan("reboot")), Words()) is None


@given(st.text(max_size=120), st.integers(40, 300), st.integers(1, 4))
def test_wrapped_lines_keep_their_room(text: str, room: int, most: int) -> None:
    lines = svg.wrapped(text, room, 11, most)
    assert len(lines) <= most
    assert all(svg.width_of(line, 11) <= room for line in lines)
    assert svg.width_of(svg.clipped(text, room, 11), 11) <= max(room, svg.width_of("…", 11))
