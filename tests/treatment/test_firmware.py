"""Where a firmware setting is found: by the maker and the product that DMI names, each path with its source."""

from __future__ import annotations

from typing import Any

import pytest

from doctor.treatment.restart import maker

from .hand_made import HOSTS, Failed, MakeFacts, one, plan_of

DMI = "sys/class/dmi/id/"
SETTINGS = {
    *("vt_d", "amd_vi", "interrupt_remapping", "above_4g", "resizable_bar", "acs", "sr_iov", "csm"),
    *("primary_display", "vmd"),
}


def every_path(platforms: dict[str, Any]) -> list[tuple[str, str, dict[str, str]]]:
    settings = platforms["firmware"]["settings"].items()
    return [(name, vendor, path) for name, entry in settings for vendor, path in entry.get("paths", {}).items()]


def test_each_path_has_a_source_and_a_known_maker(platforms: dict[str, Any]) -> None:
    firmware = platforms["firmware"]
    assert set(firmware["settings"]) > SETTINGS
    for name, vendor, path in every_path(platforms):
        assert vendor in firmware["vendors"], (name, vendor)
        assert path["source"] in firmware["references"] or (path["source"], path["confidence"]) == ("none found", "low")
    assert all(entry["look_for"] for entry in firmware["settings"].values())


MACHINES = [
    ({"board_vendor": "ASUSTeK COMPUTER INC.", "board_name": "ROG STRIX B550-F GAMING"}, "asus"),
    ({"board_vendor": "ASUSTeK COMPUTER INC.", "board_name": "NUC14RVB", "product_name": "NUC14RVHv5"}, "nuc"),
    ({"board_vendor": "Intel Corporation", "board_name": "NUC11PABi7", "sys_vendor": "Intel(R) Client Systems"}, "nuc"),
    ({"board_vendor": "Intel Corporation", "board_name": "M50CYP2SB2U"}, "intel_server"),
    ({"board_vendor": "Gigabyte Technology Co., Ltd."}, "gigabyte"),
    ({"board_vendor": "Micro-Star International Co., Ltd."}, "msi"),
    ({"board_vendor": "Dell Inc.", "board_name": "0Y7WYT", "product_name": "OptiPlex 7040"}, "dell"),
    ({"board_vendor": "Dell Inc.", "board_name": "07PXPY", "product_name": "PowerEdge R6515"}, "dell_poweredge"),
    ({"board_vendor": "HP", "board_name": "897A", "product_name": "HP EliteBook 630 13 inch G9"}, "hp"),
    ({"board_vendor": "HP", "product_name": "ProLiant DL388p Gen8"}, "hp_proliant"),
    ({"board_vendor": "HPE", "product_name": "ProLiant DL380 Gen10"}, "hpe"),
    (
        {"board_vendor": "LENOVO", "board_name": "21LVS1CV00", "product_version": "ThinkPad T14 Gen 5"},
        "lenovo_thinkpad",
    ),
    ({"board_vendor": "LENOVO", "product_name": "11DT", "product_family": "ThinkCentre M70q"}, "lenovo_thinkcentre"),
    ({"board_vendor": "LENOVO", "product_name": "ThinkSystem SR650 -[7X06CTO1WW]-"}, "lenovo_thinksystem"),
    ({"board_vendor": "LENOVO", "board_name": "LNVNB161216", "product_version": "IdeaPad 5"}, "lenovo"),
    ({"board_vendor": "Shenzhen Meigao Electronic Equipment Co.,Ltd", "product_name": "Venus series"}, "minisforum"),
    ({"board_vendor": "Default string", "sys_vendor": "Micro Computer (HK) Tech Limited"}, "minisforum"),
    ({"board_vendor": "AZW", "board_name": "SER8"}, "beelink"),
    ({"board_vendor": "Default string", "sys_vendor": "Default string", "board_name": "Default string"}, None),
    ({"board_vendor": "To Be Filled By O.E.M."}, None),
    ({}, None),
]


@pytest.mark.parametrize(("names", "expected"), MACHINES, ids=lambda one: str(one)[:50])
def test_the_maker_by_what_dmi_names(
    names: dict[str, str], expected: str | None, make_facts: MakeFacts, platforms: dict[str, Any]
) -> None:
    facts = make_facts({DMI + name: value for name, value in names.items()})
    assert maker(facts, platforms["firmware"]) == expected


def test_the_maker_by_the_kernels_log(make_facts: MakeFacts, platforms: dict[str, Any]) -> None:
    line = "[    0.000000] DMI: Dell Inc. PowerEdge R6515/07PXPY, BIOS 2.17.0 12/04/2024"
    assert maker(make_facts({"cmd/dmesg": line}), platforms["firmware"]) == "dell_poweredge"


def test_a_path_without_a_source_is_told_as_a_guess(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    both = failed("c", {"firmware": {"settings": ["amd_vi", "above_4g"]}})
    host = {**HOSTS["debian-grub"], DMI + "board_vendor": "ASUSTeK COMPUTER INC."}
    note = str(one(plan_of(host, platforms, make_facts, both), "firmware")["note"])
    assert "(perhaps under Advanced > AMD CBS" in note
    assert "it may be elsewhere)" in note
    assert "usually under Advanced > PCI Subsystem Settings > Above 4G Decoding)" in note
    unknown = str(one(plan_of(HOSTS["debian-grub"], platforms, make_facts, both), "firmware")["note"])
    assert "under Advanced" not in unknown
    assert '"Above 4G Decoding"' in unknown
