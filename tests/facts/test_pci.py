"""Devices and groups joined from sysfs, listings and the log."""

from __future__ import annotations

from typing import Any

import pytest

from doctor.evidence.types import Evidence, Piece
from doctor.facts.messages import Log
from doctor.facts.pci import Pci
from doctor.knowledge.store import load

GPU, AUDIO, SATA = "0000:01:00.0", "0000:01:00.1", "0000:03:00.0"
BASE = f"sys/bus/pci/devices/{GPU}/"
NOUVEAU = "01:00.0 VGA compatible controller [0300]: NVIDIA [10de:2484]\n\tKernel driver in use: nouveau\n"


@pytest.fixture(scope="module")
def templates() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = load()["messages"]
    return found


def pci(templates: list[dict[str, Any]], *pieces: Piece, complete: bool = False) -> Pci:
    evidence = Evidence("directory", "d", pieces, complete=complete)
    return Pci(evidence, Log(evidence, templates))


def lspci(text: str, command: str | None = "lspci -nnk", **more: Any) -> Piece:
    return Piece("cmd/lspci-nnk", text, "p", 1, command, **more)


def groups(text: str, **more: Any) -> Piece:
    return Piece("cmd/iommu-groups", text, "p", 1, "find /sys/kernel/iommu_groups/ -type l", **more)


def test_sysfs_beats_a_listing(templates: list[dict[str, Any]]) -> None:
    found = pci(
        templates,
        lspci(NOUVEAU),
        Piece(BASE + "driver", "../../drivers/vfio-pci"),
        Piece(BASE + "vendor", "0x10de"),
    )
    device = found.get(GPU)
    assert device is not None
    assert device.driver.value == "vfio-pci"
    assert device.ids == "10de:2484"


def test_a_later_listing_beats_an_earlier_one_and_it_is_told(templates: list[dict[str, Any]]) -> None:
    found = pci(templates, lspci(NOUVEAU), lspci(NOUVEAU.replace("nouveau", "vfio-pci")))
    device = found.get(GPU)
    assert device is not None
    assert device.driver.value == "vfio-pci"
    assert [told.fact for told in found.contradictions] == [f"driver of {GPU}"]


def test_a_later_listing_without_drivers_takes_nothing_away(templates: list[dict[str, Any]]) -> None:
    found = pci(
        templates,
        lspci(NOUVEAU),
        lspci("01:00.0 VGA compatible controller [0300]: NVIDIA [10de:2484]", "lspci -nn"),
    )
    device = found.get(GPU)
    assert device is not None
    assert device.driver.value == "nouveau"
    assert found.contradictions == []


@pytest.mark.parametrize("complete", [True, False])
def test_no_driver_link_is_no_driver_only_if_all_was_collected(complete: bool, templates: list[dict[str, Any]]) -> None:
    device = pci(templates, Piece(BASE + "vendor", "0x10de"), complete=complete).get(GPU)
    assert device is not None
    assert device.driver.known is complete
    assert device.group.known is complete


def test_sysfs_words(templates: list[dict[str, Any]]) -> None:
    pieces = {
        "vendor": "0x10de",
        "device": "0x2484",
        "class": "0x030000",
        "driver": "../../drivers/nvidia",
        "boot_vga": "1",
        "iommu_group": "../../../kernel/iommu_groups/15",
        "driver_override": "(null)",
        "physfn": "../0000:01:00.1",
    }
    device = pci(templates, *[Piece(BASE + name, text) for name, text in pieces.items()]).get(GPU)
    assert device is not None
    assert (device.ids, device.class_, device.driver.value, device.group.value) == (
        "10de:2484",
        "0300",
        "nvidia",
        15,
    )
    assert (device.override, device.boot_vga, device.physfn) == (None, True, "0000:01:00.1")


def test_groups_from_links_and_when_they_are_complete(templates: list[dict[str, Any]]) -> None:
    text = f"/sys/kernel/iommu_groups/15/devices/{GPU}\n/sys/kernel/iommu_groups/15/devices/{AUDIO}\n"
    whole = pci(templates, groups(text)).members(15)
    assert ([device.address for device in whole], whole.complete) == ([GPU, AUDIO], True)
    cut = pci(templates, groups(text, state="cut")).members(15)
    assert not cut.complete
    assert cut.wanted == ("sys/kernel/iommu_groups/",)
    assert not pci(templates, groups(text)).members(16)


def test_the_log_names_members_but_an_excerpt_is_not_all_of_them(templates: list[dict[str, Any]]) -> None:
    line = f"[ 0.5] pci {GPU}: Adding to iommu group 15"
    found = pci(templates, Piece("cmd/dmesg", line, "p", state="excerpt"))
    assert [device.address for device in found.members(15)] == [GPU]
    assert not found.members(15).complete
    grepped = pci(templates, Piece("cmd/dmesg", line, "p", 1, "dmesg | grep 01:00.0", "filtered", ("01:00.0",)))
    assert not grepped.members(15).complete
    assert (
        pci(templates, Piece("cmd/dmesg", line, "p", 1, "dmesg | grep iommu", "filtered", ("iommu",)))
        .members(15)
        .complete
    )


def test_complete_is_a_whole_listing_with_the_host_bridge(templates: list[dict[str, Any]]) -> None:
    bridge = "00:00.0 Host bridge [0600]: Intel [8086:4650]\n"
    assert pci(templates, lspci(bridge + NOUVEAU)).complete
    assert not pci(templates, lspci(NOUVEAU)).complete
    assert not pci(templates, lspci(bridge + NOUVEAU, state="cut")).complete
    assert not pci(templates, lspci(bridge + NOUVEAU, state="filtered", terms=("VGA", "bridge"))).complete
    assert pci(templates, Piece("sys/bus/pci/devices/", f"{GPU}\n{AUDIO}")).complete


@pytest.mark.parametrize(
    ("driver", "class_", "acceptable", "on_vfio"),
    [
        ("vfio-pci", "0300", True, True),
        ("pci-stub", "0300", True, True),
        ("nouveau", "0300", False, False),
        ("pcieport", "0604", True, False),
        ("ahci", "0106", False, False),
        ("mlx5_vfio_pci", "0200", True, True),
    ],
)
def test_which_drivers_vfio_accepts(
    driver: str, class_: str, acceptable: bool, on_vfio: bool, templates: list[dict[str, Any]]
) -> None:
    device = pci(templates, lspci(f"01:00.0 Thing [{class_}]: X [10de:2484]\n\tKernel driver in use: {driver}\n")).get(
        GPU
    )
    assert device is not None
    assert (device.acceptable.value, device.on_vfio.value) == (acceptable, on_vfio)


def test_no_driver_is_acceptable_and_an_unseen_one_unknown(templates: list[dict[str, Any]]) -> None:
    found = pci(templates, lspci(NOUVEAU + "01:00.1 Audio device [0403]: N [10de:228b]\n"))
    audio = found.get(AUDIO)
    assert audio is not None
    assert audio.acceptable.value is True
    bare = pci(templates, lspci("01:00.1 Audio device [0403]: N [10de:228b]\n", None)).get(AUDIO)
    assert bare is not None
    assert not bare.acceptable.known


def test_slots_and_ids(templates: list[dict[str, Any]]) -> None:
    found = pci(
        templates,
        lspci(NOUVEAU + "01:00.1 Audio device [0403]: N [10de:228b]\n03:00.0 SATA controller [0106]: M [1b4b:9172]\n"),
    )
    assert [device.address for device in found.slot(GPU)] == [GPU, AUDIO]
    assert [device.address for device in found.slot("0000:01:00")] == [GPU, AUDIO]
    assert [device.address for device in found.with_ids("1b4b:9172")] == [SATA]
    assert found.get("0000:09:00.0") is None
