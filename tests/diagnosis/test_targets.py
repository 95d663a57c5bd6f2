"""Targets: what --device takes, and which devices the evidence shows to be meant for a guest."""

from __future__ import annotations

from typing import Any

import pytest

from doctor.diagnosis.finding import Target
from doctor.diagnosis.targets import UnknownDevice, find
from doctor.evidence.paste import open_paste
from doctor.evidence.types import Evidence, Piece
from doctor.facts.host import Host
from doctor.knowledge.store import load

LISTING = """00:00.0 Host bridge [0600]: Intel Corporation Device [8086:4650]
00:01.0 PCI bridge [0604]: Intel Corporation Device [8086:460d]
01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GA102 [10de:2203] (rev a1)
01:00.1 Audio device [0403]: NVIDIA Corporation GA102 Audio [10de:1aef] (rev a1)
0a:00.0 VGA compatible controller [0300]: NVIDIA Corporation GA102 [10de:2203] (rev a1)
0a:00.1 Audio device [0403]: NVIDIA Corporation GA102 Audio [10de:1aef] (rev a1)
0b:00.0 SATA controller [0106]: ASMedia [1b21:0612]
"""
FIRST, FIRST_AUDIO = "0000:01:00.0", "0000:01:00.1"
SECOND, SECOND_AUDIO = "0000:0a:00.0", "0000:0a:00.1"
SYSFS = "sys/bus/pci/devices/"


@pytest.fixture(scope="module")
def knowledge() -> dict[str, Any]:
    return load()


def host(knowledge: dict[str, Any], pieces: dict[str, str], whole: bool = True) -> Host:
    made = [
        Piece(
            path,
            text,
            path,
            1,
            "lspci -nnk" if "lspci" in path and whole else None,
            "whole" if whole else "excerpt",
        )
        for path, text in pieces.items()
    ]
    return Host(Evidence("directory", "d", made), knowledge)


def listed(knowledge: dict[str, Any], **more: str) -> Host:
    return host(knowledge, {"cmd/lspci-nnk": LISTING, **{key.replace("__", "/"): text for key, text in more.items()}})


def addresses(targets: list[Target]) -> list[str]:
    return [target.address for target in targets]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("01:00.0", [FIRST]),
        ("0000:01:00.0", [FIRST]),
        ("01:00", [FIRST, FIRST_AUDIO]),
        ("0000:01:00", [FIRST, FIRST_AUDIO]),
        ("10de:2203", [FIRST, SECOND]),
        ("10DE:2203", [FIRST, SECOND]),
        ("0A:00.0", [SECOND]),
        ("0000:0A:00", [SECOND, SECOND_AUDIO]),
        ("1b21:0612", ["0000:0b:00.0"]),
    ],
)
def test_device_forms(asked: str, expected: list[str], knowledge: dict[str, Any]) -> None:
    found = find(listed(knowledge), (asked,))
    assert addresses(found) == sorted(expected)
    assert all(target.because == f"--device {asked}" and not target.weak for target in found)


def test_several_devices_each_once(knowledge: dict[str, Any]) -> None:
    assert addresses(find(listed(knowledge), ("01:00.0", "01:00", "0000:01:00.1"))) == [FIRST, FIRST_AUDIO]


def test_asked_devices_are_the_only_targets(knowledge: dict[str, Any]) -> None:
    seen = listed(knowledge, **{"etc__modprobe.d__vfio.conf": "options vfio-pci ids=10de:2203"})
    assert addresses(find(seen, ())) == [FIRST, SECOND]
    assert addresses(find(seen, ("0b:00.0",))) == ["0000:0b:00.0"]


@pytest.mark.parametrize(
    "asked",
    [
        "02:00.0",
        "1:0.0",
        "gpu",
        "",
        "10de:ffff",
        "01:00.8",
        "zz:00.0",
        "01:00.0; rm -rf /",
        "0000:02:00",
        "-",
    ],
)
def test_an_unknown_device_lists_the_candidates(asked: str, knowledge: dict[str, Any]) -> None:
    with pytest.raises(UnknownDevice) as caught:
        find(listed(knowledge), (asked,))
    text = str(caught.value)
    assert "\n" not in text
    assert "01:00.0 10de:2203" in text
    assert "00:01.0" not in text


def test_without_any_device_it_says_so(knowledge: dict[str, Any]) -> None:
    with pytest.raises(UnknownDevice, match="no PCI device"):
        find(host(knowledge, {"proc/cmdline": "quiet"}), ("10de:2203",))


def test_an_address_that_a_partial_listing_lacks_is_believed(knowledge: dict[str, Any]) -> None:
    partial = host(knowledge, {"cmd/lspci-nnk": LISTING}, whole=False)
    assert addresses(find(partial, ("07:00.0",))) == ["0000:07:00.0"]


def test_a_long_domain(knowledge: dict[str, Any]) -> None:
    vmd = host(knowledge, {"cmd/lspci-nnk": "10000:e1:00.0 Non-Volatile memory controller [0108]: Intel [8086:0a54]"})
    assert addresses(find(vmd, ("10000:E1:00.0",))) == ["10000:e1:00.0"]


@pytest.mark.parametrize(
    ("line", "expected", "managed"),
    [
        ("hostpci0: 01:00.0,pcie=1", [FIRST], True),
        ("hostpci0: 0000:01:00,pcie=1,x-vga=1", [FIRST, FIRST_AUDIO], True),
        ("hostpci1: host=0A:00;01:00.1", [SECOND, SECOND_AUDIO, FIRST_AUDIO], True),
        ("hostpci0: mapping=gpu,pcie=1", [], True),
        ("#hostpci0: 01:00.0", [], True),
    ],
)
def test_a_vms_configuration(line: str, expected: list[str], managed: bool, knowledge: dict[str, Any]) -> None:
    found = find(listed(knowledge, **{"etc__pve__qemu-server__101.conf": f"machine: q35\n{line}\n"}), ())
    assert addresses(found) == sorted(expected)
    assert all(target.managed is managed and "VM 101" in target.because for target in found)


def test_a_bound_driver_and_an_override(knowledge: dict[str, Any]) -> None:
    bound = LISTING.replace("(rev a1)\n01:00.1", "(rev a1)\n\tKernel driver in use: vfio-pci\n01:00.1")
    found = find(host(knowledge, {"cmd/lspci-nnk": bound}), ())
    assert addresses(found) == [FIRST]
    assert not found[0].managed
    sysfs = {f"{SYSFS}{SECOND}/vendor": "0x10de", f"{SYSFS}{SECOND}/driver_override": "vfio-pci"}
    assert addresses(find(host(knowledge, sysfs), ())) == [SECOND]
    assert addresses(find(host(knowledge, {**sysfs, f"{SYSFS}{SECOND}/driver_override": "(null)"}), ())) == []
    stub = LISTING.replace("(rev a1)\n01:00.1", "(rev a1)\n\tKernel driver in use: pci-stub\n01:00.1")
    assert addresses(find(host(knowledge, {"cmd/lspci-nnk": stub}), ())) == [FIRST]


SCRIPT = """#!/bin/sh
for DEV in 0000:0a:00.0 0000:0a:00.1; do
    echo "vfio-pci" > /sys/bus/pci/devices/$DEV/driver_override
done
"""


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("etc/initramfs-tools/scripts/init-top/vfio.sh", SCRIPT, [SECOND, SECOND_AUDIO]),
        ("etc/driverctl.d/0000:0a:00.0", "vfio-pci", [SECOND]),
        ("etc/initramfs-tools/scripts/init-top/vfio.sh", SCRIPT.replace("vfio-pci", "nvidia"), []),
        # A hook binds when its guest starts: its guest's configuration says so, and for whom.
        ("etc/libvirt/hooks/qemu", SCRIPT, []),
    ],
)
def test_a_script_that_binds_by_address(path: str, text: str, expected: list[str], knowledge: dict[str, Any]) -> None:
    found = find(host(knowledge, {"cmd/lspci-nnk": LISTING, path: text}), ())
    assert addresses(found) == expected
    assert all(path in target.because for target in found)


def test_a_bridge_on_vfio_is_no_target(knowledge: dict[str, Any]) -> None:
    text = "00:01.0 PCI bridge [0604]: Intel [8086:460d]\n\tKernel driver in use: vfio-pci\n"
    assert find(host(knowledge, {"cmd/lspci-nnk": text}), ()) == []


def test_a_manager_counts_whoever_names_the_device_first(knowledge: dict[str, Any]) -> None:
    bound = LISTING.replace("(rev a1)\n01:00.1", "(rev a1)\n\tKernel driver in use: vfio-pci\n01:00.1")
    both = host(knowledge, {"cmd/lspci-nnk": bound, "etc/pve/qemu-server/7.conf": "hostpci0: 01:00.0"})
    assert [(target.address, target.managed) for target in find(both, ())] == [(FIRST, True)]
    assert [(t.address, t.managed) for t in find(both, ("01:00.0",))] == [(FIRST, True)]


def test_ids_alone_mean_all_devices_with_them(knowledge: dict[str, Any]) -> None:
    found = find(listed(knowledge, **{"etc__modprobe.d__vfio.conf": "options vfio-pci ids=10de:2203,10de:1aef"}), ())
    assert sorted(addresses(found)) == [FIRST, FIRST_AUDIO, SECOND, SECOND_AUDIO]


def test_ids_with_another_sign_mean_that_slot(knowledge: dict[str, Any]) -> None:
    found = find(
        listed(
            knowledge,
            **{
                "etc__modprobe.d__vfio.conf": "options vfio-pci ids=10de:2203,10de:1aef",
                "etc__pve__qemu-server__101.conf": "hostpci0: 0a:00.0",
            },
        ),
        (),
    )
    assert sorted(addresses(found)) == [SECOND, SECOND_AUDIO]


def test_ids_on_the_command_line(knowledge: dict[str, Any]) -> None:
    found = find(listed(knowledge, proc__cmdline="root=/dev/sda1 vfio-pci.ids=1b21:0612"), ())
    assert addresses(found) == ["0000:0b:00.0"]
    assert "1b21:0612" in found[0].because


def test_ids_that_match_nothing_make_no_target(knowledge: dict[str, Any]) -> None:
    assert find(listed(knowledge, proc__cmdline="root=/dev/sda1 vfio-pci.ids=dead:beef"), ()) == []


def test_an_error_names_its_device(knowledge: dict[str, Any]) -> None:
    text = "qemu-system-x86_64: -device vfio-pci,host=0000:0a:00.0,id=x: vfio 0000:0a:00.0: group 15 is not viable\n"
    found = find(Host(open_paste((text + LISTING).encode(), "p"), knowledge), ())
    assert addresses(found) == [SECOND]
    assert not found[0].weak


def test_an_error_that_names_a_group_alone_means_its_endpoints_weakly(knowledge: dict[str, Any]) -> None:
    groups = "".join(f"IOMMU Group 15 {line}\n" for line in LISTING.splitlines()[1:4])
    text = "vfio: error, group 15 is not viable, please ensure all devices within the iommu_group are bound\n"
    found = find(Host(open_paste((text + groups).encode(), "p"), knowledge), ())
    assert addresses(found) == [FIRST, FIRST_AUDIO]
    assert all(target.weak for target in found)


def test_a_driver_that_is_merely_loadable_makes_no_target(knowledge: dict[str, Any]) -> None:
    text = LISTING + "\tKernel driver in use: ahci\n\tKernel modules: ahci, vfio-pci\n"
    assert find(host(knowledge, {"cmd/lspci-nnk": text}), ()) == []


def test_a_desktops_own_devices_are_no_targets(knowledge: dict[str, Any]) -> None:
    text = "0b:00.0 SATA controller [0106]: ASMedia [1b21:0612]\n\tKernel driver in use: ahci\n"
    fault = (
        "[ 9.0] DMAR: [DMA Read] Request device [0b:00.0] fault addr fff [fault reason 06] PTE Read access is not set"
    )
    found = find(host(knowledge, {"cmd/lspci-nnk": text, "cmd/dmesg": fault}), ())
    assert found == []


GRUB = {"etc/default/grub": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet vfio-pci.ids=1B21:0612:1043:8576,nonsense"'}


@pytest.mark.parametrize(
    ("running", "expected"),
    [
        ("root=/dev/sda1 quiet", ["0000:0b:00.0"]),
        ("root=/dev/sda1 quiet vfio-pci.ids=1b21:0612", ["0000:0b:00.0"]),
        ("root=/dev/sda1 quiet vfio-pci.ids=10de:1aef", [FIRST_AUDIO, SECOND_AUDIO, "0000:0b:00.0"]),
    ],
    ids=["pending", "running", "both"],
)
def test_an_id_that_waits_for_the_next_boot_names_a_target(
    running: str, expected: list[str], knowledge: dict[str, Any]
) -> None:
    found = find(host(knowledge, {"cmd/lspci-nnk": LISTING, "proc/cmdline": running, **GRUB}), ())
    assert addresses(found) == expected
    path = "proc/cmdline" if "1b21" in running else "etc/default/grub"
    assert found[-1].because == f"its id 1b21:0612 is in an ids= list ({path})"


def test_the_next_boots_list_alone_names_none(knowledge: dict[str, Any]) -> None:
    """What the kernel runs with was not seen, so nothing tells that the list waits; it still says who is meant."""
    assert addresses(find(host(knowledge, {"cmd/lspci-nnk": LISTING, **GRUB}), ())) == ["0000:0b:00.0"]
