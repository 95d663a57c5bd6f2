"""Whole pastes as people post them, and what may be said of each: the readings that once went wrong."""

from __future__ import annotations

from typing import Any

import pytest

from doctor.evidence.paste import open_paste
from doctor.examine import examine_evidence

ECHO = "[    0.054042] DMAR: IOMMU enabled\n"
DIRECTED = "[    0.560707] DMAR: Intel(R) Virtualization Technology for Directed I/O\n"
TABLE = "[    0.008871] ACPI: DMAR 0x000000007B7E8000 0000A8 (v01 INTEL  EDK2     00000002      01000013)\n"
WORKING = (
    TABLE
    + ECHO
    + "[    0.085022] DMAR: Host address width 39\n[    0.085023] DMAR: DRHD base: 0x000000fed90000 flags: 0x0\n"
    "[    0.086540] DMAR-IR: Enabled IRQ remapping in x2apic mode\n" + DIRECTED
)
GREP = "root@pve:~# dmesg | grep -e DMAR -e IOMMU\n"
END = "root@pve:~#\n"
CARD = (
    "root@pve:~# lspci -nnk\n00:00.0 Host bridge [0600]: Intel [8086:4650]\n"
    "01:00.0 VGA compatible controller [0300]: NVIDIA GA104 [10de:2484] (rev a1)\n\tKernel driver in use: nouveau\n"
    "01:00.1 Audio device [0403]: NVIDIA GA104 [10de:228b] (rev a1)\n\tKernel driver in use: snd_hda_intel\n"
)
CPU = "root@pve:~# lscpu | grep Vendor\nVendor ID: {}\n"
HOST = ("firmware-iommu-table", "iommu-active", "iommu-groups-present", "interrupt-remapping")


def read(text: str, *devices: str) -> dict[str, Any]:
    """The report's checks by id; of several findings of a check a failed one counts."""
    found: dict[str, Any] = {}
    for check in examine_evidence(open_paste(text.encode(), "p.txt"), devices)["checks"]:
        if check["id"] not in found or check["status"] == "fail":
            found[check["id"]] = check
    return found


Reading = tuple[str, str, dict[str, str]]
READINGS: list[Reading] = [
    ("the echo alone", ECHO, dict.fromkeys(HOST, "unknown")),
    ("the echo under its filter", GREP + ECHO + END, dict.fromkeys(HOST, "fail")),
    ("an empty grep", GREP + END, dict.fromkeys(HOST, "unknown")),
    ("an empty grep on AMD", GREP + CPU.format("AuthenticAMD"), dict.fromkeys(HOST, "unknown")),
    (
        "a trimmed grep: the table is there",
        GREP + TABLE + ECHO + END,
        {"iommu-active": "unknown", "firmware-iommu-table": "pass"},
    ),
    ("head", "root@pve:~# dmesg | grep DMAR | head -2\n" + TABLE + ECHO + END, {"iommu-active": "unknown"}),
    ("working", GREP + WORKING + END, dict.fromkeys(HOST, "pass")),
    (
        "swiotlb beside a working one",
        GREP + WORKING + "[ 0.6] PCI-DMA: Using software bounce buffering for IO (SWIOTLB)\n",
        dict.fromkeys(HOST, "pass"),
    ),
    ("x2apic alone", "[ 0.6] x2apic: IRQ remapping doesn't support X2APIC mode\n", {"interrupt-remapping": "unknown"}),
    (
        "IOMMUv2",
        "[ 0.6] AMD-Vi: AMD IOMMUv2 functionality not available on this system\n",
        dict.fromkeys(HOST, "unknown"),
    ),
    ("an empty folder", "$ ls /sys/class/iommu\n$\n$ ls /sys/kernel/iommu_groups/\n$\n", {"iommu-active": "fail"}),
    (
        "an empty folder and prose",
        "root@pve:~# ls /sys/class/iommu\n\nAs you can see there is nothing.\n",
        {"iommu-active": "unknown"},
    ),
    ("ls -l of an empty folder", "root@pve:~# ls -l /sys/class/iommu\ntotal 0\n" + END, {"iommu-active": "fail"}),
    (
        "vmx is not VT-d",
        "$ egrep -c '(vmx|svm)' /proc/cpuinfo\n8\n",
        {"cpu-virtualization": "pass", "iommu-active": "unknown"},
    ),
    ("no vmx", "$ egrep -c '(vmx|svm)' /proc/cpuinfo\n0\n", {"cpu-virtualization": "fail"}),
    (
        "amd_iommu=off on Intel",
        "$ cat /proc/cmdline\nroot=/dev/sda1 amd_iommu=off\n" + CPU.format("GenuineIntel"),
        {"interrupt-remapping": "unknown", "cmdline-disables-iommu": "not-applicable"},
    ),
    (
        "a denied command line",
        "$ cat /proc/cmdline\ncat: /proc/cmdline: Permission denied\n$ lsmod\n",
        {"cmdline-disables-iommu": "not-applicable"},
    ),
    (
        "iommu=soft, old",
        "$ cat /proc/cmdline\nroot=/dev/sda1 iommu=soft\n$ uname -r\n5.15.0-100-generic\n",
        {"cmdline-disables-iommu": "fail"},
    ),
    (
        "iommu=soft, new",
        "$ cat /proc/cmdline\nroot=/dev/sda1 iommu=soft\n$ uname -r\n6.8.0-100-generic\n",
        {"cmdline-disables-iommu": "pass"},
    ),
    (
        "virqfd, old",
        "$ cat /etc/modules\nvfio_virqfd\n$ uname -r\n5.15.102-1-pve\n",
        {"vfio-virqfd-obsolete": "not-applicable"},
    ),
    ("virqfd, new", "$ cat /etc/modules\nvfio_virqfd\n$ uname -r\n6.8.12-1-pve\n", {"vfio-virqfd-obsolete": "fail"}),
    (
        "ignored rdmsr",
        "kvm [1]: vcpu0, guest rIP: 0xfffff8014ee2a5a0 ignored rdmsr: 0x140\n",
        {"kvm-msrs": "not-applicable"},
    ),
    (
        "a card with a second function",
        "root@pve:~# find /sys/kernel/iommu_groups/ -type l\n/sys/kernel/iommu_groups/15/devices/0000:01:00.0\n/sys/kernel/iommu_groups/15/devices/0000:01:00.1\n"  # noqa: E501 - a line as it is pasted
        + END,
        {"group-isolation": "unknown"},
    ),
    (
        "one line of a group",
        "root@pve:~# dmesg | grep 01:00.0\n[ 0.5] pci 0000:01:00.0: Adding to iommu group 15\n" + END,
        {"group-isolation": "unknown"},
    ),
    (
        "Proxmox binds by itself",
        CARD
        + "root@pve:~# qm start 100\nkvm: -device vfio-pci,host=0000:01:00.0,id=hostpci0,bus=x: vfio 0000:01:00.0: failed to setup container\n",  # noqa: E501 - a line as it is pasted
        {"vfio-bound": "not-applicable", "competing-driver": "not-applicable"},
    ),
    (
        "the AMD IOMMU's own interrupt",
        "$ grep AMD-Vi /proc/interrupts\n 25: 0 0 PCI-MSI-0000:00:00.2 0-edge AMD-Vi\n",
        {"interrupt-remapping": "unknown"},
    ),
    ("fixed after a reboot", GREP + ECHO + "root@pve:~# reboot\n" + GREP + WORKING + END, dict.fromkeys(HOST, "pass")),
    (
        "remapping after a reboot",
        GREP + WORKING + "root@pve:~# reboot\n" + GREP + ECHO + END,
        dict.fromkeys(HOST, "fail"),
    ),
    (
        "all functions",
        CARD
        + "root@pve:~# qm start 100\nkvm: -device vfio-pci,host=0000:01:00.0,id=hostpci0.0,bus=x,multifunction=on: vfio 0000:01:00.0: failed to setup container\n",  # noqa: E501 - a line as it is pasted
        {"companion-function-unbound": "pass"},
    ),
    (
        "no group",
        "kvm: -device vfio-pci,host=0000:01:00.0,id=hostpci0: vfio 0000:01:00.0: no iommu_group found: No such file or directory\n",  # noqa: E501 - a line as it is pasted
        {"iommu-groups-present": "unknown"},
    ),
    (
        "xen",
        "# dmesg | grep -i xen\n[ 0.0] Booting paravirtualized kernel on Xen\n[ 0.0] xen: PV dom0\n# xl list\n",
        {"not-assessable": "fail"},
    ),
    (
        "a guest of Xen",
        "# dmesg | grep -i xen\n[ 0.0] Booting paravirtualized kernel on Xen HVM\n",
        {"not-assessable": "not-applicable"},
    ),
    (
        "example",
        "You should see something like this:\n" + DIRECTED + "but I only see\n" + ECHO,
        {"iommu-active": "unknown"},
    ),
    (
        "pvesh",
        "root@pve:~# pvesh get /nodes/pve/hardware/pci\n│ class    │ device │ id           │ iommugroup │ vendor │\n│ 0x030000 │ 0x1c82 │ 0000:01:00.0 │         -1 │ 0x10de │\n"  # noqa: E501 - a line as it is pasted
        + END,
        {"iommu-groups-present": "fail"},
    ),
]


@pytest.mark.parametrize(
    "reading",
    [pytest.param(reading, id=reading[0]) for reading in READINGS],
)
def test_reading(reading: Reading) -> None:
    _, text, expected = reading
    devices = ("01:00.0",) if "group-isolation" in expected else ()
    found = read(text, *devices)
    assert {name: found[name]["status"] if name in found else "not-applicable" for name in expected} == expected


@pytest.mark.parametrize("text", [text for _, text, _ in READINGS], ids=[name for name, _, _ in READINGS])
def test_every_failure_is_cited(text: str) -> None:
    rows = text.split("\n")
    for check in read(text).values():
        if check["status"] == "fail":
            assert check["evidence"], check["id"]
            assert all(line["line"] is None or line["line"] <= len(rows) for line in check["evidence"])


def test_the_later_boot_is_cited() -> None:
    text = GREP + WORKING + "root@pve:~# reboot\n" + GREP + ECHO + END
    reboot = text.split("\n").index("root@pve:~# reboot") + 1
    cited = read(text)["firmware-iommu-table"]["evidence"]
    assert cited
    assert all(line["line"] > reboot for line in cited)


def test_texts_hold_no_raw_records() -> None:
    """A slip or a note in a text is its own words, never a tuple with its citation."""
    found = read("$ cat /proc/cmdline\nroot=/dev/sda1 amd_iommu=on intel_iomu=on\n$ lsmod\n")
    for name in ("cmdline-useless", "cmdline-typo"):
        assert found[name]["status"] == "fail"
        assert "p.txt" not in found[name]["detail"]
        assert "proc/cmdline" not in found[name]["detail"]
