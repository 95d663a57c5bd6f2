"""The layers of the IOMMU: each witness, which one is believed, and what proves nothing."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from doctor.evidence.types import Evidence, Piece
from doctor.facts.host import Host
from doctor.facts.iommu import Iommu
from doctor.knowledge.store import load

DIRECTED = "[ 0.56] DMAR: Intel(R) Virtualization Technology for Directed I/O"
ECHO = "[ 0.05] DMAR: IOMMU enabled"
GPU = "sys/bus/pci/devices/0000:01:00.0/"
INTEL, AMD = {"proc/cpuinfo": "vendor_id : GenuineIntel"}, {"proc/cpuinfo": "vendor_id : AuthenticAMD"}
IR, PLAIN = (
    " 24:  0  0  IR-PCI-MSI-0000:00:1c.0  0-edge  PCIe PME",
    " 24:  0  0  PCI-MSI 458752-edge  PCIe PME",
)


@pytest.fixture(scope="module")
def knowledge() -> dict[str, Any]:
    return load()


def iommu(knowledge: dict[str, Any], pieces: dict[str, str]) -> Iommu:
    return Host(Evidence("directory", "d", [Piece(p, t, p) for p, t in pieces.items()]), knowledge).iommu


def grep(knowledge: dict[str, Any], text: str, *terms: str, **more: str) -> Iommu:
    """The layers by a filtered log and other files."""
    made = [Piece(path, content, path) for path, content in more.items()]
    log = Piece("cmd/dmesg", text, "p", 1, "dmesg | grep", "filtered", terms)
    return Host(Evidence("paste", "p", [*made, log]), knowledge).iommu


ACTIVE: list[tuple[dict[str, str], bool | None]] = [
    ({}, None),
    ({"sys/class/iommu/": "dmar0\ndmar1"}, True),
    ({"sys/class/iommu/": "ivhd0"}, True),
    ({"sys/class/iommu/": ""}, False),
    ({"sys/kernel/iommu_groups/": "0\n1"}, True),
    ({"sys/kernel/iommu_groups/": ""}, False),
    ({GPU + "vendor": "0x10de", GPU + "iommu_group": "../../../kernel/iommu_groups/15"}, True),
    ({"cmd/iommu-groups": "/sys/kernel/iommu_groups/7/devices/0000:00:14.0"}, True),
    ({"cmd/dmesg": DIRECTED}, True),
    ({"cmd/dmesg": "[ 0.5] pci 0000:01:00.0: Adding to iommu group 1"}, True),
    ({"cmd/dmesg": "[ 0.3] DMAR: Initialization failed"}, False),
    ({"cmd/dmesg": ECHO}, None),
    ({"cmd/dmesg": "[ 0.4] iommu: Default domain type: Translated"}, None),
    ({"cmd/dmesg": "[ 0.08] DMAR: Host address width 39"}, None),
    ({"cmd/dmesg": "[ 0.28] DMAR-IR: Enabled IRQ remapping in x2apic mode"}, None),
    ({"cmd/dmesg": "[ 0.6] PCI-DMA: Using software bounce buffering for IO (SWIOTLB)"}, None),
    ({"cmd/dmesg": "[ 0.6] x2apic: IRQ remapping doesn't support X2APIC mode"}, None),
    ({"cmd/dmesg": "[ 0.6] AMD-Vi: AMD IOMMUv2 functionality not available on this system"}, None),
    ({"cmd/dmesg": "[ 0.6] PCI-DMA: using GART IOMMU."}, None),
    ({"cmd/dmesg": "[ 0.4] pci 0000:00:00.2: AMD-Vi: IOMMU performance counters supported"}, True),
    ({"proc/cmdline": "root=/dev/sda1 intel_iommu=on"}, None),
    ({"proc/cmdline": "root=/dev/sda1 iommu=off iommu=pt"}, False),
    ({"proc/cmdline": "root=/dev/sda1 amd_iommu=off", **AMD}, False),
    ({"proc/cmdline": "root=/dev/sda1 amd_iommu=off", **INTEL}, None),
    ({"proc/cmdline": "root=/dev/sda1 intel_iommu=off", **AMD}, None),
    ({"proc/cmdline": "root=/dev/sda1 quiet", **AMD}, None),
    ({"cmd/lspci-nnk": "01:00.0 VGA [0300]: N [10de:2484]\n\tKernel driver in use: vfio-pci"}, True),
    ({"cmd/lspci-nnk": "01:00.0 VGA [0300]: N [10de:2484]\n\tKernel driver in use: nouveau"}, None),
    # Sysfs beats the log, the log beats the command line.
    ({"sys/class/iommu/": "dmar0", "cmd/dmesg": "[ 0.3] DMAR: Initialization failed"}, True),
    ({"sys/class/iommu/": "dmar0", "proc/cmdline": "root=/dev/sda1 intel_iommu=off", **INTEL}, True),
    ({"cmd/dmesg": DIRECTED, "proc/cmdline": "root=/dev/sda1 intel_iommu=off", **INTEL}, True),
    ({"sys/class/iommu/": "", "sys/kernel/iommu_groups/": "", "cmd/dmesg": DIRECTED}, False),
]


@pytest.mark.parametrize(("pieces", "expected"), ACTIVE)
def test_active(pieces: dict[str, str], expected: bool | None, knowledge: dict[str, Any]) -> None:
    found = iommu(knowledge, pieces).active
    assert (found.value if found.known else None) is expected
    assert bool(found.sources) is found.known
    assert bool(found.wanted) is not found.known


def test_noiommu_makes_a_bound_driver_and_groups_prove_nothing(knowledge: dict[str, Any]) -> None:
    pieces = {
        "dev/vfio/": "noiommu-0\nvfio",
        "cmd/lspci-nnk": "01:00.0 VGA [0300]: N [10de:2484]\n\tKernel driver in use: vfio-pci",
    }
    found = iommu(knowledge, pieces)
    assert found.noiommu.value is True
    assert not found.active.known
    assert iommu(knowledge, {**pieces, "dev/vfio/": "15\nvfio"}).active.value is True


REMAPPED: list[tuple[dict[str, str], bool | None]] = [
    ({}, None),
    ({"proc/interrupts": IR}, True),
    ({"proc/interrupts": f"{PLAIN}\n{IR}"}, True),
    ({"proc/interrupts": f"{PLAIN}\n  0: 36 0 IO-APIC 2-edge timer"}, False),
    ({"cmd/dmesg": "[ 0.28] DMAR-IR: Enabled IRQ remapping in xapic mode"}, True),
    ({"cmd/dmesg": "[ 0.28] DMAR-IR: Enabled IRQ remapping in x2apic mode"}, True),
    ({"cmd/dmesg": "[ 0.39] AMD-Vi: Interrupt remapping enabled"}, True),
    ({"cmd/dmesg": "[ 0.39] AMD-Vi: Disabling interrupt remapping"}, False),
    (
        {"cmd/dmesg": "[ 0.2] DMAR-IR: Failed to enable irq remapping. You are vulnerable to irq-injection attacks."},
        False,
    ),
    ({"cmd/dmesg": "[ 0.6] x2apic: IRQ remapping doesn't support X2APIC mode"}, None),
    ({"cmd/dmesg": "[ 0.6] x2apic enabled"}, None),
    ({"cmd/dmesg": "[ 0.2] DMAR-IR: x2apic is disabled because BIOS sets x2apic opt out bit."}, None),
    ({"cmd/dmesg": "[ 0.2] DMAR-IR: IOAPIC id 2 under DRHD base  0xfed91000 IOMMU 1"}, None),
    ({"cmd/dmesg": DIRECTED}, None),
    ({"sys/class/iommu/": "dmar0"}, None),
    ({"proc/cmdline": "root=/dev/sda1 nointremap"}, False),
    ({"proc/cmdline": "root=/dev/sda1 intremap=off", **INTEL}, False),
    ({"proc/cmdline": "root=/dev/sda1 intel_iommu=off", **INTEL}, None),
    ({"proc/cmdline": "root=/dev/sda1 amd_iommu=off", **AMD}, False),
    ({"proc/interrupts": IR, "proc/cmdline": "root=/dev/sda1 nointremap"}, True),
    ({"proc/interrupts": IR, "cmd/dmesg": "[ 0.39] AMD-Vi: Disabling interrupt remapping"}, True),
]


@pytest.mark.parametrize(("pieces", "expected"), REMAPPED)
def test_remapped(pieces: dict[str, str], expected: bool | None, knowledge: dict[str, Any]) -> None:
    found = iommu(knowledge, pieces).remapped
    assert (found.value if found.known else None) is expected
    assert bool(found.sources) is found.known


def test_amds_parameter_does_not_switch_intels_remapping_off(knowledge: dict[str, Any]) -> None:
    assert not iommu(knowledge, {"proc/cmdline": "root=/dev/sda1 amd_iommu=off", **INTEL}).remapped.known


@pytest.mark.parametrize("terms", [("AMD-Vi",), ("-v", "IR-")])
def test_an_excerpt_of_the_interrupts_disproves_nothing(terms: tuple[str, ...], knowledge: dict[str, Any]) -> None:
    line = " 25:  0  0  PCI-MSI-0000:00:00.2  0-edge  AMD-Vi"
    state = "excerpt" if "-v" in terms else "filtered"
    piece = Piece("proc/interrupts", line, "p", 1, "cat /proc/interrupts | grep", state, terms[-1:])
    assert not Host(Evidence("paste", "p", [piece]), knowledge).iommu.remapped.known


TABLE: list[tuple[dict[str, str], bool | None]] = [
    ({}, None),
    ({"sys/firmware/acpi/tables/": "APIC\nDMAR"}, True),
    ({"sys/firmware/acpi/tables/": "APIC\nIVRS"}, True),
    ({"sys/firmware/acpi/tables/": "APIC\nFACP"}, False),
    ({"cmd/dmesg": "[ 0.0] ACPI: DMAR 0x00000000390B2000 000088 (v01 INTEL  EDK2 00000002 01000013)"}, True),
    (
        {"cmd/dmesg": "[ 0.0] ACPI: IVRS 0x00000000390B2000 0000D0 (v02 AMD    AMD IVRS 00000001 AMD  00000001)"},
        True,
    ),
    ({"cmd/dmesg": ECHO}, None),
    ({"cmd/dmesg": "[ 0.3] DMAR: No DMAR devices found"}, False),
    ({"sys/class/iommu/": "dmar0"}, True),
    ({"sys/class/iommu/": ""}, None),
    ({"sys/firmware/acpi/tables/": "APIC", "cmd/dmesg": DIRECTED}, False),
]


@pytest.mark.parametrize(("pieces", "expected"), TABLE)
def test_table(pieces: dict[str, str], expected: bool | None, knowledge: dict[str, Any]) -> None:
    found = iommu(knowledge, pieces).table
    assert (found.value if found.known else None) is expected


def test_silence_under_a_filter_disproves_the_table_and_what_hangs_on_it(knowledge: dict[str, Any]) -> None:
    found = grep(knowledge, ECHO, "DMAR")
    assert (found.table.value, found.active.value, found.remapped.value) == (False, False, False)
    assert found.table.sources[0].line == 1


def test_the_same_silence_on_an_amd_machine_proves_nothing(knowledge: dict[str, Any]) -> None:
    found = grep(knowledge, ECHO, "DMAR", **AMD)
    assert not found.table.known
    assert not found.active.known
    assert not found.remapped.known


def test_an_empty_grep_proves_nothing(knowledge: dict[str, Any]) -> None:
    found = grep(knowledge, "", "DMAR", "IOMMU", **INTEL)
    assert not any(fact.known for fact in (found.table, found.active, found.remapped, found.groups))


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ({"proc/cmdline": "root=/dev/sda1 iommu=pt"}, True),
        ({"proc/cmdline": "root=/dev/sda1 iommu=pt iommu=nopt"}, False),
        ({"cmd/dmesg": "[ 0.4] iommu: Default domain type: Passthrough (set via kernel command line)"}, True),
        ({"cmd/dmesg": "[ 0.4] iommu: Default domain type: Translated"}, False),
        (
            {
                "cmd/dmesg": "[ 0.4] iommu: Default domain type: Translated\n[ 0.5] DMAR: Intel-IOMMU force enabled due to platform opt in"  # noqa: E501 - a line as it is pasted
            },
            None,
        ),
        ({"proc/cmdline": "root=/dev/sda1 quiet"}, None),
    ],
)
def test_the_hosts_own_domain(pieces: dict[str, str], expected: bool | None, knowledge: dict[str, Any]) -> None:
    found = iommu(knowledge, pieces).passthrough
    assert (found.value if found.known else None) is expected


def test_a_contradiction_is_told(knowledge: dict[str, Any]) -> None:
    found = iommu(knowledge, {"cmd/dmesg": f"[ 0.3] DMAR: Initialization failed\n{DIRECTED}"})
    assert [told.fact for told in found.contradictions] == ["iommu.active"]
    assert found.active.value is True


def dmar(flags: int) -> bytes:
    """A table of one unit that includes all devices."""
    unit = struct.pack("<HHBBHQ", 0, 16, 1, 0, 0, 0xFED90000)
    body = struct.pack("<BB10x", 38, flags) + unit
    head = b"DMAR" + struct.pack("<IBB6s8sI4sI", 36 + len(body), 1, 0, b"LAB", b"BENCH", 1, b"TEST", 1)
    table = bytearray(head + body)
    table[9] = -sum(table) & 0xFF
    return bytes(table)


@pytest.mark.parametrize(
    ("flags", "chips", "expected"),
    [
        (0, "", False),  # the firmware says that interrupts must not be remapped
        (1, "", None),  # it says they may be: that proves nothing of the kernel
        (0, "  24:   0   IR-PCI-MSI-0000:00:1c.0    0-edge  PCIe PME", True),  # what the kernel did is stronger
    ],
)
def test_the_firmwares_word_on_interrupt_remapping(flags: int, chips: str, expected: bool | None) -> None:
    pieces = [Piece("sys/firmware/acpi/tables/DMAR", "", "d", None, binary=dmar(flags))]
    pieces += [Piece("proc/interrupts", chips, "d")] if chips else []
    remapped = Host(Evidence("directory", "d", pieces), load(None)).iommu.remapped
    assert (remapped.value if remapped.known else None) is expected


ON, OFF = "CONFIG_INTEL_IOMMU_DEFAULT_ON=y", "# CONFIG_INTEL_IOMMU_DEFAULT_ON is not set"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"boot/config-6.8.0": ON}, True),
        ({"boot/config-6.8.0": OFF}, False),
        ({"boot/config-6.8.0": "CONFIG_INTEL_IOMMU_DEFAULT_ON_INTGPU_OFF=y"}, True),
        # Another kernel's file beside the running one's says nothing of it.
        ({"boot/config-6.8.0": ON, "boot/config-5.15.0": OFF}, True),
        ({"boot/config-5.15.0": OFF}, None),
    ],
)
def test_what_the_running_kernels_configuration_switches_on(files: dict[str, str], expected: bool | None) -> None:
    pieces = [Piece(path, text, "d") for path, text in files.items()]
    pieces += [Piece("proc/sys/kernel/osrelease", "6.8.0", "d")]
    found = Host(Evidence("directory", "d", pieces), load(None)).iommu.default_on
    assert (found.value if found.known else None) is expected
