"""What is configured to take devices, what stands around them, and what did not reach the running kernel."""

from __future__ import annotations

from typing import Any

import pytest

from doctor.diagnosis.targets import find
from doctor.evidence.types import Evidence, Piece
from doctor.facts.host import Host
from doctor.facts.target import TargetFacts
from doctor.knowledge.store import load

GPU, AUDIO, USB, TWIN = "0000:01:00.0", "0000:01:00.1", "0000:01:00.2", "0000:0a:00.0"
BRIDGE = "00:00.0 Host bridge [0600]: Intel [8086:4650]\n"
CARD = """01:00.0 VGA compatible controller [0300]: NVIDIA TU104 [10de:1e84] (rev a1)
\tKernel driver in use: vfio-pci
\tKernel modules: nouveau
01:00.1 Audio device [0403]: NVIDIA TU104 HD Audio [10de:10f8] (rev a1)
\tKernel driver in use: snd_hda_intel
\tKernel modules: snd_hda_intel
"""
OTHER = "0a:00.0 VGA compatible controller [0300]: NVIDIA TU104 [10de:1e84] (rev a1)\n\tKernel driver in use: nvidia\n"
IDS = "etc/modprobe.d/vfio.conf"


@pytest.fixture(scope="module")
def knowledge() -> dict[str, Any]:
    return load()


def host(knowledge: dict[str, Any], **pieces: str) -> Host:
    made = []
    for name, text in pieces.items():
        path = {
            "lspci": "cmd/lspci-nnk",
            "ids": IDS,
            "cmdline": "proc/cmdline",
            "grub": "etc/default/grub",
        }.get(name, name)
        made.append(Piece(path, text, path, 1, "lspci -nnk" if name == "lspci" else None))
    return Host(Evidence("directory", "d", made), knowledge)


def target(made: Host, address: str = GPU) -> TargetFacts:
    aims = find(made, (address.removeprefix("0000:"),))
    known = {aim.address: aim.managed for aim in aims}
    return TargetFacts(made, address, "asked", known[address], known, frozenset(known))


def addresses(devices: Any) -> list[str]:
    return [device.address for device in devices]


@pytest.mark.parametrize(
    ("configured", "meant"),
    [
        ("10de:1e84,10de:10f8", []),
        ("10de:1e48,10de:10f8", ["10de:1e84"]),
        ("10de:1e85,10de:10f8", ["10de:1e84"]),
        ("10DE:1E84,10DE:10F8", []),
        ("10de:2484", []),
    ],
)
def test_ids_that_match_nothing(configured: str, meant: list[str], knowledge: dict[str, Any]) -> None:
    found = host(knowledge, lspci=BRIDGE + CARD, ids=f"options vfio-pci ids={configured}\n").binding
    wrong = [one for one in configured.lower().split(",") if one not in ("10de:1e84", "10de:10f8")]
    assert list(found.unmatched_ids.value) == wrong
    assert list(found.meant_ids) == meant


def test_a_partial_listing_proves_no_mismatch_but_a_near_miss(knowledge: dict[str, Any]) -> None:
    far = host(knowledge, lspci=CARD, ids="options vfio-pci ids=1b21:0612\n").binding.unmatched_ids
    assert list(far.value) == []
    assert not far.value.complete
    near = host(knowledge, lspci=CARD, ids="options vfio-pci ids=10de:1e48\n").binding.unmatched_ids
    assert list(near.value) == ["10de:1e48"]


def test_an_id_that_another_configured_id_names_is_not_meant(knowledge: dict[str, Any]) -> None:
    found = host(knowledge, lspci=BRIDGE + CARD, ids="options vfio-pci ids=10de:1e84,10de:1e85\n").binding
    assert list(found.unmatched_ids.value) == ["10de:1e85"]
    assert list(found.meant_ids) == []


def test_the_later_list_on_the_command_line_replaces_the_earlier(knowledge: dict[str, Any]) -> None:
    made = host(knowledge, cmdline="root=/dev/sda1 vfio-pci.ids=10de:1e84 vfio_pci.ids=10de:10f8")
    assert list(made.binding.ids.value) == ["10de:10f8"]


def test_pci_stub_counts_too(knowledge: dict[str, Any]) -> None:
    made = host(knowledge, cmdline="root=/dev/sda1 pci-stub.ids=10de:1e84 vfio-pci.ids=10de:10f8")
    assert sorted(made.binding.wanted.value) == ["10de:10f8", "10de:1e84"]


def test_companions_are_the_cards_other_functions(knowledge: dict[str, Any]) -> None:
    usb = "01:00.2 USB controller [0c03]: NVIDIA [10de:1ad8]\n\tKernel driver in use: xhci_hcd\n"
    made = host(knowledge, lspci=BRIDGE + CARD + usb + OTHER)
    assert addresses(target(made).companions) == [AUDIO, USB]
    assert addresses(target(made).unbound_companions) == [AUDIO, USB]
    assert addresses(target(made, AUDIO).companions) == [GPU, USB]


def test_a_second_port_of_the_same_class_is_a_neighbour(knowledge: dict[str, Any]) -> None:
    ports = "".join(
        f"IOMMU Group 5 03:00.{n} Ethernet controller [0200]: Intel I350 [8086:1521]\n\tKernel driver in use: igb\n"
        for n in (0, 1)
    )
    facts = target(host(knowledge, lspci=ports), "0000:03:00.0")
    assert addresses(facts.companions) == []
    assert addresses(facts.neighbours) == ["0000:03:00.1"]
    assert addresses(facts.obstacles) == ["0000:03:00.1"]


def test_an_apus_siblings_in_other_groups_are_no_companions_but_its_audio(knowledge: dict[str, Any]) -> None:
    functions = (
        ("VGA compatible controller [0300]", "1002:1900"),
        ("Audio device [0403]", "1002:1640"),
        ("USB controller [0c03]", "1022:15b9"),
    )
    text = "".join(f"IOMMU Group {18 + n} 01:00.{n} {kind}: AMD [{ids}]\n" for n, (kind, ids) in enumerate(functions))
    assert addresses(target(host(knowledge, lspci=text)).companions) == [AUDIO]


def test_bridges_and_what_has_no_driver_are_no_obstacles(knowledge: dict[str, Any]) -> None:
    text = (
        "IOMMU Group 1 00:01.0 PCI bridge [0604]: Intel [8086:1901]\n\tKernel driver in use: pcieport\n"
        "IOMMU Group 1 01:00.0 VGA compatible controller [0300]: N [10de:1e84]\n\tKernel driver in use: vfio-pci\n"
        "IOMMU Group 1 02:00.0 SATA controller [0106]: M [1b4b:9172]\n\tKernel modules: ahci\n"
        "IOMMU Group 1 04:00.0 USB controller [0c03]: R [1912:0014]\n\tKernel driver in use: vfio-pci\n"
    )
    facts = target(host(knowledge, lspci=text))
    assert addresses(facts.neighbours) == ["0000:02:00.0", "0000:04:00.0"]
    assert addresses(facts.obstacles) == []


def test_a_driver_that_nobody_saw_is_no_obstacle(knowledge: dict[str, Any]) -> None:
    """Regression: `bool()` of a fact is always true."""
    text = f"/sys/kernel/iommu_groups/15/devices/{GPU}\n/sys/kernel/iommu_groups/15/devices/0000:02:00.0\n"
    facts = target(host(knowledge, **{"cmd/iommu-groups": text}))
    assert addresses(facts.neighbours) == ["0000:02:00.0"]
    assert addresses(facts.obstacles) == []


def test_twins(knowledge: dict[str, Any]) -> None:
    made = host(knowledge, lspci=BRIDGE + CARD + OTHER, ids="options vfio-pci ids=10de:1e84\n")
    assert addresses(target(made).twins) == [TWIN]
    assert addresses(target(host(knowledge, lspci=BRIDGE + CARD + OTHER)).twins) == []
    assert addresses(target(host(knowledge, lspci=BRIDGE + CARD, ids="options vfio-pci ids=10de:1e84\n")).twins) == []


@pytest.mark.parametrize(
    ("file", "line", "expected"),
    [
        ("etc/modprobe.d/x.conf", "options vfio_iommu_type1 allow_unsafe_interrupts=1", True),
        ("etc/modprobe.d/x.conf", "#options vfio_iommu_type1 allow_unsafe_interrupts=1", False),
        ("etc/modprobe.d/x.conf", "options vfio_iommu_type1 allow_unsafe_interrupts=0", False),
        ("sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y", True),
        ("sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "N", False),
        ("sys/module/iommufd/parameters/allow_unsafe_interrupts", "Y", True),
        ("proc/cmdline", "root=/dev/sda1 vfio_iommu_type1.allow_unsafe_interrupts=1", True),
    ],
)
def test_unsafe_interrupts(file: str, line: str, expected: bool, knowledge: dict[str, Any]) -> None:
    assert host(knowledge, **{file: line}).binding.unsafe_interrupts.value is expected


def test_what_runs_beats_what_is_configured(knowledge: dict[str, Any]) -> None:
    made = host(
        knowledge,
        **{
            "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts": "N",
            "etc/modprobe.d/x.conf": "options vfio_iommu_type1 allow_unsafe_interrupts=1",
        },
    )
    assert made.binding.unsafe_interrupts.value is False


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("vfio\nvfio_iommu_typ1\nvfio_pci", ["vfio_iommu_typ1"]),
        ("vfio\nvfio_iommu_type1\nvfio_pci\nvfio_virqfd", []),
        ("vfio-pci\nvfio-iommu-type1", []),
        ("# vfio_pcii\nloop\nbonding\nkvm\nvhost_net", []),
        ("vfio_pcii", ["vfio_pcii"]),
    ],
)
def test_misspelt_modules(text: str, given: list[str], knowledge: dict[str, Any]) -> None:
    found = host(knowledge, **{"etc/modules": text}).binding.misspelt_modules
    assert [module.given.value for module in found] == given


GRUB = 'GRUB_CMDLINE_LINUX_DEFAULT="quiet {}"\n'


@pytest.mark.parametrize(
    ("configured", "run", "missing"),
    [
        ("intel_iommu=on", "root=/dev/sda1 ro quiet", ["intel_iommu=on"]),
        ("intel_iommu=on", "root=/dev/sda1 ro quiet intel_iommu=on", []),
        ("intel-iommu=on", "root=/dev/sda1 ro quiet intel_iommu=on", []),
        ("intel_iommu=on iommu=pt", "root=/dev/sda1 iommu=pt quiet ro", ["intel_iommu=on"]),
        ("splash some=thing", "root=/dev/sda1 ro quiet", []),
        ("intel_iommu=off", "root=/dev/sda1 ro quiet intel_iommu=on", ["intel_iommu=off"]),
        ("vfio-pci.ids=10de:1", "root=/dev/sda1 vfio-pci.ids=10de:2", ["vfio-pci.ids=10de:1"]),
    ],
)
def test_pending(configured: str, run: str, missing: list[str], knowledge: dict[str, Any]) -> None:
    pending = host(knowledge, grub=GRUB.format(configured), cmdline="BOOT_IMAGE=/boot/vmlinuz " + run).pending
    assert list(pending.missing.value) == missing
    assert pending.settled.value is not bool(missing)
    assert pending.enables.value is ("intel_iommu=on" in missing)


def test_without_the_running_line_nothing_is_pending(knowledge: dict[str, Any]) -> None:
    assert not host(knowledge, grub=GRUB.format("intel_iommu=on")).pending.missing.known


def test_the_file_of_a_loader_that_is_not_in_use(knowledge: dict[str, Any]) -> None:
    made = host(
        knowledge,
        grub=GRUB.format("intel_iommu=on"),
        cmdline="initrd=\\EFI\\proxmox\\6.8.12-1-pve\\initrd.img root=ZFS=rpool/ROOT/pve-1 boot=zfs",
    )
    assert made.pending.wrong_file.value is True
    assert made.pending.wrong_path.value == "etc/default/grub"


MODULES = "Module Size Used by\nvfio_pci 16384 0\nvfio_iommu_type1 40960 0\nvfio 36864 2 vfio_pci\n"


@pytest.mark.parametrize(
    ("pieces", "ready"),
    [
        ({"cmd/lsmod": MODULES}, True),
        (
            {"proc/modules": "vfio_pci 16384 0 - Live 0x0\nvfio_iommu_type1 1 0 - Live 0x0\nvfio 1 0 - Live 0x0\n"},
            True,
        ),
        (
            {
                "lib/modules/6.8/modules.dep": "".join(
                    f"kernel/{n}.ko.zst:\n" for n in ("vfio", "vfio-pci", "vfio_iommu_type1")
                )
            },
            True,
        ),
        (
            {
                "lib/modules/5.15/modules.builtin": "".join(
                    f"kernel/{n}.ko\n" for n in ("vfio", "vfio-pci", "vfio_iommu_type1")
                )
            },
            True,
        ),
        (
            {"cmd/messages": "modprobe: FATAL: Module vfio_pci not found in directory /lib/modules/6.1.0"},
            False,
        ),
        ({"cmd/lsmod": "Module Size Used by\nkvm 1327104 0\n"}, None),
        ({}, None),
    ],
    ids=["lsmod", "proc", "loadable", "built-in", "missing", "not-loaded-proves-nothing", "nothing"],
)
def test_modules(pieces: dict[str, str], ready: bool | None, knowledge: dict[str, Any]) -> None:
    found = host(knowledge, **pieces).modules.vfio_ready()
    assert (found.value if found.known else None) is ready
