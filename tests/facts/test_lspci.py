"""Listings of devices in the forms that people paste."""

from __future__ import annotations

from typing import Any

import pytest

from doctor.evidence.types import Piece
from doctor.facts.fact import UNKNOWN
from doctor.facts.lspci import Entry, read

GPU, AUDIO = "0000:01:00.0", "0000:01:00.1"
NNK = """01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GA104 [RTX 3070] [10de:2484] (rev a1)
\tSubsystem: Gigabyte Technology Co., Ltd GA104 [1458:404b]
\tKernel driver in use: vfio-pci
\tKernel modules: nvidiafb, nouveau
01:00.1 Audio device [0403]: NVIDIA Corporation GA104 High Definition Audio Controller [10de:228b] (rev a1)
\tSubsystem: Gigabyte Technology Co., Ltd GA104 [1458:404b]
02:00.0 Non-Volatile memory controller [0108]: Samsung NVMe [144d:a80a]
\tKernel driver in use: nvme
"""


def entries(text: str, command: str | None = None, **more: Any) -> dict[str, Entry]:
    return {entry.address: entry for entry in read(Piece("cmd/lspci-nnk", text, "p", 1, command, **more))}


def test_nnk() -> None:
    found = entries(NNK, "lspci -nnk")
    gpu = found[GPU]
    assert (gpu.ids, gpu.class_, gpu.driver, gpu.revision) == ("10de:2484", "0300", "vfio-pci", "a1")
    assert gpu.modules == ("nvidiafb", "nouveau")
    assert gpu.name is not None
    assert "RTX 3070" in gpu.name
    assert (gpu.source.line, gpu.driver_source.line) == (1, 3)
    assert found[AUDIO].driver is None
    assert found["0000:02:00.0"].driver == "nvme"
    assert not gpu.selected


def test_a_missing_driver_line_says_nothing_where_none_is_asked_for() -> None:
    for command in (None, "lspci -nn"):
        assert entries("01:00.0 VGA compatible controller [0300]: NVIDIA [10de:2484]\n", command)[GPU].driver is UNKNOWN
    filtered = entries(NNK, "lspci -nnk | grep -A3 NVIDIA", terms=("NVIDIA",), state="filtered")
    assert filtered[AUDIO].driver is UNKNOWN
    assert filtered[GPU].selected


@pytest.mark.parametrize(
    ("line", "group", "ids"),
    [
        (
            "IOMMU Group 15 01:00.0 VGA compatible controller [0300]: NVIDIA GA104 [10de:2484] (rev a1)",
            15,
            "10de:2484",
        ),
        (
            "IOMMU group 15: 01:00.0 VGA compatible controller [0300]: NVIDIA GA104 [10de:2484]",
            15,
            "10de:2484",
        ),
        (
            "IOMMU Group 15:\t01:00.0 VGA compatible controller [0300]: NVIDIA GA104 [10de:2484]",
            15,
            "10de:2484",
        ),
        (
            "Group 15:\t[10de:2484] [R] 01:00.0  VGA compatible controller  GA104 [GeForce RTX 3070]",
            15,
            "10de:2484",
        ),
        ("IOMMU group 15:\t[10de:2484] 01:00.0 VGA compatible controller: NVIDIA GA104", 15, "10de:2484"),
        ("0000:01:00.0 0300: 10de:2484 (rev a1)", None, "10de:2484"),
        ("01:00.0 VGA compatible controller: NVIDIA Corporation GA104 (rev a1)", None, None),
        ("\t01:00.0 VGA compatible controller [0300]: NVIDIA [10DE:2484]", None, "10de:2484"),
    ],
)
def test_forms_of_one_line(line: str, group: int | None, ids: str | None) -> None:
    entry = entries(line)[GPU]
    assert (entry.group, entry.ids, entry.class_) == (group, ids, "0300")


def test_a_groups_heading_holds_for_what_follows() -> None:
    text = "IOMMU Group 1:\n\t00:01.0 PCI bridge [0604]: Intel [8086:1901]\n\t01:00.0 VGA compatible controller [0300]: N [10de:2484]\nIOMMU Group 2:\n\t02:00.0 Ethernet controller [0200]: I [8086:1521]\n"  # noqa: E501 - a line as it is pasted
    assert [(a, e.group) for a, e in entries(text).items()] == [
        ("0000:00:01.0", 1),
        (GPU, 1),
        ("0000:02:00.0", 2),
    ]


def test_unraids_further_devices_are_of_the_same_group() -> None:
    text = "IOMMU group 1:\t[8086:1901] 00:01.0 PCI bridge: Intel\n\t[10de:1c82] 01:00.0 VGA compatible controller: NVIDIA\n\t[10de:0fb9] 01:00.1 Audio device: NVIDIA\n"  # noqa: E501 - a line as it is pasted
    assert [entry.group for entry in entries(text).values()] == [1, 1, 1]


def test_vv_names_driver_and_group_and_no_other_address() -> None:
    text = (
        "01:00.0 VGA compatible controller [0300]: NVIDIA [10de:2484] (prog-if 00 [VGA controller])\n"
        "\tFlags: bus master, fast devsel, latency 0, IRQ 16, IOMMU group 15\n"
        "\tCapabilities: [100] Virtual Channel 00:1f.3\n\tBus: primary=00, secondary=01\n\tKernel driver in use: nouveau\n"  # noqa: E501 - a line as it is pasted
    )
    found = entries(text, "lspci -nnv")
    assert list(found) == [GPU]
    assert (found[GPU].group, found[GPU].driver) == (15, "nouveau")
    verbose = text.replace(", IOMMU group 15", "\n\tIOMMU group: 15")
    assert entries(verbose, "lspci -nnvv")[GPU].group == 15


@pytest.mark.parametrize(
    "line",
    [
        "at 01:00.0 the card sits",
        "DMAR: Request device [01:00.0] fault",
        "time 12:30:45.6",
        "",
        "10de:2484",
        "Kernel driver in use: vfio-pci",
        "the 01:00.0",
    ],
)
def test_what_is_no_device(line: str) -> None:
    assert entries(line) == {}


def test_a_long_domain() -> None:
    found = entries("10000:e1:00.0 Non-Volatile memory controller [0108]: Intel [8086:0a54]\n")
    assert list(found) == ["10000:e1:00.0"]
