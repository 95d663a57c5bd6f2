"""Firmware, limits, memory, interrupts and address ranges; from hand-made evidence."""

from __future__ import annotations

import pytest

from doctor.evidence.types import ABSENT, CUT, Evidence, Piece
from doctor.facts import firmware, interrupts, iomem, limits, memory
from doctor.facts.fact import UNKNOWN

SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


def evidence(pieces: dict[str, str]) -> Evidence:
    return Evidence("directory", "d", [Piece(path, text, path) for path, text in pieces.items()])


def test_dmi_from_sysfs_dmidecode_and_the_log() -> None:
    found = firmware.read(evidence({
        "sys/class/dmi/id/board_name": "X570-A\n",
        "sys/class/dmi/id/sys_vendor": "To Be Filled By O.E.M.\n",
        "cmd/dmidecode": "BIOS Information\n\tVendor: AMI\n\tVersion: 2.70\nBase Board Information\n"
        "\tManufacturer: MSI\n\tProduct Name: other\nChassis Information\n\tVersion: no\n",
        "cmd/dmesg": "[    0.000000] DMI: Micro-Star MS-7C37/X570-A, BIOS H.70 01/09/2020",
    }))  # fmt: skip
    assert (found.board.value, found.board_vendor.value, found.system_vendor.value) == ("X570-A", "MSI", None)
    assert (found.bios_vendor.value, found.bios_version.value, found.bios_date.value) == ("AMI", "2.70", "01/09/2020")
    assert (found.system.value, found.system.weak) == ("Micro-Star MS-7C37", True)


def test_a_log_line_without_a_board() -> None:
    found = firmware.read(evidence({"cmd/dmesg": "[0.0] DMI: HP ProLiant DL388p Gen8, BIOS P70 07/01/2015"}))
    assert (found.board.value, found.system.value) == (UNKNOWN, "HP ProLiant DL388p Gen8")


@pytest.mark.parametrize(
    ("path", "text", "revision"),
    [
        ("proc/cpuinfo", "vendor_id\t: GenuineIntel\nmicrocode\t: 0xf0\n", 0xF0),
        ("cmd/dmesg", "[ 0.4] microcode: Current revision: 0x0000043a", 0x43A),
        ("cmd/dmesg", "[ 0.4] microcode: sig=0x806ec, pf=0x4, revision=0xf0", 0xF0),
        ("cmd/dmesg", "[ 0.4] microcode: CPU0: patch_level=0x08001230", 0x8001230),
        ("cmd/dmesg", "[ 0.4] microcode: Microcode Update Driver: v2.2.", UNKNOWN),
        ("proc/cpuinfo", "microcode\t: 0xzz\n", UNKNOWN),
    ],
)
def test_microcode(path: str, text: str, revision: object) -> None:
    value = firmware.read(evidence({path: text})).microcode.value
    assert value is revision or value == revision


@pytest.mark.parametrize(
    ("pieces", "value"),
    [
        ({SECURE_BOOT: "   6   0   0   0   1"}, True),
        ({SECURE_BOOT: "6 0 0 0 7"}, UNKNOWN),
        ({"cmd/mokutil": "SecureBoot disabled\nPlatform is in Setup Mode"}, False),
        ({"cmd/mokutil": "EFI variables are not supported on this system"}, False),
        ({"cmd/bootctl": "System:\n   Secure Boot: enabled (user)"}, True),
        ({"cmd/dmesg": "[ 0.0] secureboot: Secure boot disabled"}, False),
        ({"cmd/dmesg": "[ 0.0] secureboot: Secure boot could not be determined (mode 0)"}, UNKNOWN),
        ({}, UNKNOWN),
    ],
)
def test_secure_boot(pieces: dict[str, str], value: object) -> None:
    assert firmware.read(evidence(pieces)).secure_boot.value is value


def test_secure_boots_variable_and_bios() -> None:
    raw = Piece(SECURE_BOOT, "", "b", None, binary=b"\x16\0\0\0\x01")
    assert firmware.read(Evidence("b", "b", [raw])).secure_boot.value is True
    absent = Piece("sys/firmware/efi", "", "b", state=ABSENT)
    assert firmware.read(Evidence("b", "b", [absent])).secure_boot.value is False


def test_lockdown() -> None:
    path = "sys/kernel/security/lockdown"
    assert firmware.read(evidence({path: "none [integrity] confidentiality"})).lockdown.value == "integrity"
    assert firmware.read(evidence({path: "[none] integrity confidentiality"})).lockdown.value == "none"
    log = "[ 0.0] Kernel is locked down from EFI Secure Boot mode; see man kernel_lockdown.7"
    assert firmware.read(evidence({"cmd/dmesg": log})).lockdown.value == "active"
    assert firmware.read(evidence({path: "?"})).lockdown.value is UNKNOWN


def test_limits() -> None:
    found = limits.read(evidence({
        "etc/security/limits.conf": "# * hard memlock 1\n@kvm soft memlock unlimited # guests\nme - memlock x\n",
        "etc/security/limits.d/b.conf": "libvirt-qemu hard memlock 64\n",
        "etc/systemd/system.conf": "#DefaultLimitMEMLOCK=8M\nDefaultLimitMEMLOCK=8M:1G\n",
        "etc/systemd/system/libvirtd.service.d/a.conf": "[Service]\nLimitMEMLOCK=infinity\n",
        "proc/4711/limits": "Max locked memory         65536                unlimited            bytes     \n",
        "cmd/ulimit": "core file size  (blocks, -c) 0\nmax locked memory           (kbytes, -l) 64\n",
    }))  # fmt: skip
    assert [(one.who, one.kind, one.amount) for one in found.configured] == [
        ("@kvm", "soft", limits.UNLIMITED),
        ("libvirt-qemu", "hard", 65536),
    ]
    assert [(one.who, one.kind, one.amount) for one in found.services] == [
        ("systemd", "soft", 8 << 20),
        ("systemd", "hard", 1 << 30),
        ("libvirtd.service", "-", limits.UNLIMITED),
    ]
    assert [one[:3] for one in found.processes] == [(4711, 65536, limits.UNLIMITED)]
    assert (found.shell.value, found.shell.sources[0].line) == (65536, 2)


def test_a_bare_number_answers_only_the_question_for_locked_memory() -> None:
    def shell(command: str) -> object:
        return limits.read(Evidence("p", "p", [Piece("cmd/ulimit", "1024", "p", command=command)])).shell.value

    assert shell("ulimit -l") == 1 << 20
    assert shell("ulimit -n") is UNKNOWN


def test_huge_pages_and_nodes() -> None:
    found = memory.read(
        evidence({
            "proc/meminfo": "MemTotal:  100 kB\nHugePages_Total:     4\nHugePages_Free: 1\nHugepagesize:  2048 kB\n",
            "sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages": "16\n",
            "sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages": "8\n",
            "sys/devices/system/node/node1/hugepages/hugepages-1048576kB/nr_hugepages": "16\n",
            "sys/devices/system/node/node0/cpulist": "0-7\n",
            "sys/devices/system/node/node1/cpulist": "\n",
            "sys/bus/pci/devices/0000:01:00.0/numa_node": "1\n",
            "sys/bus/pci/devices/0000:02:00.0/numa_node": "-1\n",
        }),
        ("default_hugepagesz=1G", "hugepages=16", "hugepagesz=2M", "hugepages=0:512,1:256", "hugepages=x"),
    )  # fmt: skip
    assert found.total.value == 102400
    assert [(one.size, one.total, one.free, one.node) for one in found.huge] == [
        (2 << 20, 4, 1, None),
        (1 << 30, 16, 8, None),
        (1 << 30, 16, None, 1),
    ]
    assert [one[:2] for one in found.reserved] == [(1 << 30, 16), (2 << 20, 512), (2 << 20, 256)]
    assert [(node.number, node.cpus) for node in found.nodes] == [(0, "0-7"), (1, "")]
    assert found.numa.value is True
    assert found.near.value == {"0000:01:00.0": 1}


def test_nodes_of_lscpu() -> None:
    found = memory.read(evidence({"cmd/lscpu": "NUMA node(s):  1\nNUMA node0 CPU(s):   0-15\n"}))
    assert (found.nodes[0].cpus, found.numa.value, found.near.value) == ("0-15", False, UNKNOWN)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (" 25: 24376036 13487 PCI-MSI 49153-edge virtio0-input.0", ("PCI-MSI", None, ("virtio0-input.0",), False)),
        ("98: 7 0 IR-PCI-MSI-0000:03:00.0 1-edge nvme0q1",
         ("IR-PCI-MSI-0000:03:00.0", "0000:03:00.0", ("nvme0q1",), True)),
        (" 16: 1 2 IR-IO-APIC 16-fasteoi i801_smbus, vfio-intx(0000:05:00.0)",
         ("IR-IO-APIC", "0000:05:00.0", ("i801_smbus", "vfio-intx(0000:05:00.0)"), True)),
        (" 0: 29 0 IR-IO-APIC-edge timer", ("IR-IO-APIC", None, ("timer",), True)),
        ("120: 0 0 DMAR-MSI 0-edge dmar0", ("DMAR-MSI", None, ("dmar0",), None)),
        (" 24: 0 1 Hyper-V PCIe MSI 1342177280-edge nvme0q0", ("Hyper-V PCIe MSI", None, ("nvme0q0",), False)),
        (" 9: 0 4 IO-APIC 9 -fasteoi acpi", ("IO-APIC", None, ("acpi",), False)),
    ],
)  # fmt: skip
def test_interrupts(line: str, expected: tuple[object, ...]) -> None:
    (one,) = interrupts.read(evidence({"proc/interrupts": "   CPU0 CPU1\n" + line + "\nNMI: 0 0 Non-maskable"})).lines
    assert (one.chip, one.address, one.handlers, one.remapped) == expected


def test_what_guests_and_neighbours_do_with_interrupts() -> None:
    text = "16: 1 IO-APIC 16-fasteoi ehci_hcd:usb1, vfio-intx(0000:05:00.0)\n"
    text += "40: 1 PCI-MSIX-0000:06:00.0 0-edge vfio-msix[0](0000:06:00.0)"
    found = interrupts.read(evidence({"proc/interrupts": text}))
    assert found.guests.value == ("0000:05:00.0", "0000:06:00.0")
    assert [line.number for line in found.shared] == [16]
    assert [line.number for line in found.of("0000:06:00.0")] == [40]
    part = interrupts.read(Evidence("p", "p", [Piece("proc/interrupts", "", state=CUT)]))
    assert not part.chips.known


IOMEM = (
    "c0000000-dfffffff : PCI Bus 0000:00\n  c0000000-cfffffff : 0000:01:00.0\n    c0000000-c08fffff : efifb\n"
    "  d0000000-d0003fff : 0000:02:00.0\n    d0000000-d0003fff : nvme\n  d1000000-d1000fff : 0000:03:00.0\n"
)


def test_holders_of_bars() -> None:
    found = iomem.read(evidence({"proc/iomem": IOMEM}))
    assert found.holders("0000:01:00.0").value == ("efifb",)
    assert found.holders("0000:02:00.0").value == ("nvme",)
    assert found.holders("0000:03:00.0").value == ()
    assert found.framebuffer.value == "0000:01:00.0"
    assert [one.name for one in found.at(0xD0000000, 0xD0003FFF).value] == ["0000:02:00.0", "nvme"]
    assert found.hidden.value is False


def test_without_root_names_and_nesting_stay() -> None:
    hidden = "\n".join(
        line[: len(line) - len(line.lstrip())] + "00000000-00000000" + line[line.index(" : ") :]
        for line in IOMEM.splitlines()
    )
    found = iomem.read(evidence({"proc/iomem": hidden}))
    assert found.hidden.value is True
    assert found.holders("0000:02:00.0").value == ("nvme",)
    assert not found.at(0, 1).known
    assert not iomem.read(evidence({})).holders("0000:02:00.0").known


def test_a_framebuffer_outside_every_bar_is_nobodys_for_certain() -> None:
    found = iomem.read(evidence({"proc/iomem": "c0000000-dfffffff : PCI Bus 0000:00\n  c0000000-c08fffff : BOOTFB\n"}))
    assert not found.framebuffer.known
    assert found.framebuffer.sources
    none = iomem.read(evidence({"proc/iomem": "00000000-00000fff : Reserved\n00100000-bffdbfff : System RAM"}))
    assert none.framebuffer.value is None
