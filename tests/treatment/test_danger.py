"""Steps that take from the host its display, its network or its boot disk say so first."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.treatment.danger import dangers, taken

from .hand_made import HOSTS, Failed, MakeFacts, one, plan_of

NETWORK = {
    **HOSTS["debian-grub"],
    "cmd/lspci-nnk": (
        "03:00.0 Ethernet controller [0200]: Intel [8086:125c]\n\tKernel driver in use: igc\n"
        "04:00.0 Ethernet controller [0200]: Intel [8086:125c]\n\tKernel driver in use: igc\n"
        "05:00.0 Non-Volatile memory controller [0108]: Samsung [144d:a80a]\n\tKernel driver in use: nvme\n"
    ),
    "cmd/ip-route": "default via 198.18.0.1 dev eno1 proto kernel onlink",
    "sys/class/net/eno1/device": "../../../0000:03:00.0",
    "proc/self/mountinfo": "25 1 259:1 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw",
    "sys/class/block/nvme0n1p2": "../../devices/pci0000:00/0000:00:1d.0/0000:05:00.0/nvme/nvme0/nvme0n1/nvme0n1p2",
}
BY_ID = {"bind_ids": {"ids": ["8086:125c"], "drivers": ["igc"]}}


def test_an_id_that_the_hosts_network_card_has_too(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    plan = plan_of(NETWORK, platforms, make_facts, failed("b", {**BY_ID, "risk": "Other."}))
    step = one(plan, "bind_ids")
    assert len(plan["dangers"]) == 1
    assert "8086:125c, 0000:03:00.0 too" in plan["dangers"][0]
    assert "the network (eno1, the default route)" in plan["dangers"][0]
    assert step["risk"] == plan["dangers"][0] + " Other."


@pytest.mark.parametrize("host", ["debian-grub", "arch-grub", "nixos", "nothing"])
def test_the_boot_disk_by_address(host: str, make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    disk = {"bind_addresses": {"addresses": ["0000:05:00.0"], "drivers": ["nvme"]}}
    files = {**{path: text for path, text in NETWORK.items() if path not in HOSTS["debian-grub"]}, **HOSTS[host]}
    plan = plan_of(files, platforms, make_facts, failed("b", disk))
    assert plan["dangers"] == ["This takes 0000:05:00.0 from the host: the root file system (nvme0n1)."] or (
        len(plan["dangers"]) == 1 and "0000:05:00.0 from the host: the root file system" in plan["dangers"][0]
    )


def test_ids_on_the_command_line(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    typed = {"kernel_parameter": {"add": ["vfio-pci.ids=144d:a80a"]}}
    plan = plan_of(NETWORK, platforms, make_facts, failed("b", typed))
    assert "0000:05:00.0 too" in plan["dangers"][0]
    assert one(plan, "kernel_parameter")["risk"].startswith("vfio-pci takes every device with the id 144d:a80a")
    assert one(plan, "bootloader")["risk"] is None


def test_a_blacklisted_driver(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    plan = plan_of(NETWORK, platforms, make_facts, failed("b", {"blacklist": {"modules": ["igc", "nouveau"]}}))
    assert plan["dangers"] == [
        "igc drives 0000:03:00.0, which the host loses with it: the network (eno1, the default route)."
    ]


def test_what_was_there_before_is_no_danger_of_the_plan(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    host = {**NETWORK, "etc/modprobe.d/vfio.conf": "options vfio-pci ids=8086:125c\n"}
    more = {"bind_ids": {"ids": ["10de:2203"], "drivers": []}}
    assert plan_of(host, platforms, make_facts, failed("b", more))["dangers"] == []
    drop = {"module_option": {"module": "vfio-pci", "remove": ["ids"]}}
    assert plan_of(host, platforms, make_facts, failed("b", drop))["dangers"] == []


def test_nothing_is_said_where_nothing_is_needed(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    assert plan_of(HOSTS["debian-grub"], platforms, make_facts, failed("b", BY_ID))["dangers"] == []
    other = {"bind_addresses": {"addresses": ["0000:04:00.0"], "drivers": ["igc"]}}
    assert plan_of(NETWORK, platforms, make_facts, failed("b", other))["dangers"] == []
    assert dangers([], make_facts(NETWORK)) == []


@given(st.lists(st.text(max_size=60), max_size=5))
def test_any_text_is_read(texts: list[str]) -> None:
    found = taken(texts)
    assert all(":" in one for one in found.ids)
