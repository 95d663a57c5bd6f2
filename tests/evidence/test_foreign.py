"""Other tools' bundles: every kind gives the same evidence packed and unpacked, and nothing of them is trusted."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import tarfile
import time
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doctor.evidence import derived, directory, tree
from doctor.evidence import zipped as zips
from doctor.evidence.kind import Found, Table, tops
from doctor.evidence.kinds import all_kinds
from doctor.evidence.open import open_input
from doctor.evidence.types import ABSENT, CUT, DENIED, EXCERPT, NOT_COLLECTED, WHOLE, Evidence, InputError, Piece
from doctor.examine import examine

LSPCI = """00:00.0 Host bridge [0600]: Intel Corporation Device [8086:3ec2] (rev 07)
\tSubsystem: ASUSTeK Computer Inc. Device [1043:8694]
01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GP104 [10de:1b80] (rev a1)
\tSubsystem: Gigabyte Technology Co., Ltd Device [1458:3702]
\tKernel driver in use: vfio-pci
\tKernel modules: nvidiafb, nouveau
01:00.1 Audio device [0403]: NVIDIA Corporation GP104 High Definition Audio [10de:10f0] (rev a1)
\tSubsystem: Gigabyte Technology Co., Ltd Device [1458:3702]
\tKernel driver in use: vfio-pci
"""
DMESG = """[    0.000000] Linux version 6.8.4-2 (build@host) (gcc 12.2.0) #1 SMP PREEMPT_DYNAMIC
[    0.000000] Command line: BOOT_IMAGE=/vmlinuz-6.8.4-2 root=/dev/sda1 ro quiet intel_iommu=on
[    0.008000] ACPI: DMAR 0x000000008C6A1000 0000A8 (v01 ALASKA A M I    00000002      01000013)
[    0.054042] DMAR: IOMMU enabled
[    0.400000] DMAR: Intel(R) Virtualization Technology for Directed I/O
"""
SYSLOG = "".join(f"Nov  9 12:00:00 tower kernel: {line}\n" for line in DMESG.replace("[    ", "[").splitlines())
CMDLINE = "BOOT_IMAGE=/vmlinuz-6.8.4-2 root=/dev/sda1 ro quiet intel_iommu=on\n"
FOUND_GROUPS = """/sys/kernel/iommu_groups/0/devices/0000:00:00.0
/sys/kernel/iommu_groups/1/devices/0000:01:00.0
/sys/kernel/iommu_groups/1/devices/0000:01:00.1
"""
DOMAIN = """<domain type='kvm'><name>win</name><devices>
<hostdev mode='subsystem' type='pci' managed='yes'><source>
<address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source></hostdev></devices></domain>
"""
NODEDEV = """<device>
  <name>pci_0000_01_00_0</name>
  <capability type='pci'>
    <iommuGroup number='1'>
      <address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
      <address domain='0x0000' bus='0x01' slot='0x00' function='0x1'/>
    </iommuGroup>
  </capability>
</device>
"""
VM_LOG = """2024-01-01 10:00:00.000+0000: starting up libvirt version: 8.7.0, qemu version: 7.1.0
LC_ALL=C /usr/bin/qemu-system-x86_64 -name guest=win -device vfio-pci,host=0000:01:00.0
2024-01-01T10:00:01.000Z qemu-system-x86_64: -device vfio-pci: vfio 0000:01:00.0: group 1 is not viable
2024-01-01 10:00:01.100+0000: shutting down, reason=failed
"""
SOS = {
    "sos_commands/kernel/dmesg": DMESG,
    "sos_commands/kernel/dmesg_-T": "[Sat Nov  9 12:00:00 2024] DMAR: IOMMU enabled\n",
    "sos_commands/kernel/lsmod": "Module Size Used by\nvfio_pci 16384 0\n",
    "sos_commands/kernel/uname_-a": "Linux h 6.8.4-2 #1 SMP x86_64 GNU/Linux\n",
    "sos_commands/pci/lspci_-nnvv": LSPCI,
    "sos_commands/processor/lscpu": "Vendor ID:           GenuineIntel\n",
    "sos_commands/host/hostname": "h\n",
    "sos_commands/virsh/virsh_-r_dumpxml_win": DOMAIN,
    "sos_commands/virsh/virsh_-r_nodedev-dumpxml_pci_0000_01_00_0": NODEDEV,
    "sos_commands/virsh/virsh_-r_nodedev-dumpxml_pci_0000_01_00_1": NODEDEV,
    "sos_commands/devices/udevadm_info_--export-db": "P: /devices/virtual/iommu/dmar0\nE: SUBSYSTEM=iommu\n",
    "sos_commands/boot/ls_-alZR_.sys.firmware": (
        "/sys/firmware/acpi/tables:\ntotal 0\n-r--------. 1 root root ? 168 Nov  9 12:00 DMAR\n\n/sys/firmware/efi:\n"
    ),
    "sos_commands/logs/journalctl_--no-pager_--boot": SYSLOG + "Nov  9 12:01:00 h sshd[1]: hello\n",
    "sos_commands/networking/ip_-d_address": "1: lo\n",
    "var/log/libvirt/qemu/win.log": VM_LOG,
    "proc/cmdline": CMDLINE,
    "usr/lib/os-release": "ID=rhel\nVERSION_ID=9.4\n",
    "sys/devices/virtual/dmi/id/board_name": "PRIME Z390-A\n",
    "etc/modprobe.d/vfio.conf": "options vfio-pci ids=10de:1b80\n",
    "home/me/private": "not evidence\n",
}
UNRAID = {
    "unraid-6.12.10.txt": "6.12.10\r\n==> /boot/bzimage.sha256 <==\r\n",
    "system/lspci.txt": LSPCI,
    "system/iommu_groups.txt": FOUND_GROUPS,
    "system/cmdline.txt": CMDLINE,
    "system/lscpu.txt": "Vendor ID:           GenuineIntel\n",
    "system/lsmod.txt": "vfio_pci 16384 0\nModule Size Used by\n",
    "system/vars.txt": "var => Array\n",
    "config/vfio-pci.cfg": "BIND=0000:01:00.0|10de:1b80 0000:01:00.1|10de:10f0\n",
    "config/modprobe.d/kvm.conf": "options kvm ignore_msrs=1\n",
    "config/disk.cfg": "x=1\n",
    "xml/win.xml": DOMAIN,
    "qemu/win.txt": VM_LOG,
    "logs/syslog.txt": SYSLOG,
    "logs/docker.txt": "nothing\n",
}
PROBE = {
    "devices": "pci:8086-3ec2\n",
    "host": "system:debian\n",
    "logs/dmesg": DMESG,
    "logs/lspci": "Slot:\t00:00.0\nClass:\tHost bridge [0600]\n",
    "logs/lspci_all": LSPCI,
    "logs/lsmod": "Module Size Used by\nvfio_pci 16384 0\n",
    "logs/lsusb": "Bus 001\n",
    "logs/dmi_id": "board_name: PRIME Z390-A\nboard_serial: 1\n",
    "logs/modprobe.d": "a.conf\n------\nblacklist nouveau\n\n\nvfio.conf\n---------\noptions vfio-pci ids=10de:1b80\n",
    "logs/grub": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on"\n',
    "logs/acpidump": "DMAR @ 0x0000000000000000\n    0000: 44 4D 41 52 A8 00 00 00 01 00  DMAR......\n\nFACP @ 0x0\n",
}
_RULE = "#==[ {} ]======================================#\n# {}\n{}\n\n"


def section(kind: str, label: str, body: str) -> str:
    return _RULE.format(kind, label, body)


SUPPORT = {
    "basic-environment.txt": section("Command", "/bin/uname -a", "Linux h 6.4.0-150600-default #1 SMP x86_64")
    + section("Configuration File", "/etc/os-release", 'ID="sles"\nVERSION_ID="15.6"'),
    "hardware.txt": section("Command", "/sbin/lspci -nn", "\n".join(r for r in LSPCI.split("\n") if r[:1].isdigit()))
    + section("Command", "/sbin/lspci -vvv", LSPCI.rstrip())
    + section("Command", "/usr/sbin/hwinfo --all", "lots"),
    "boot.txt": section("Configuration File", "/etc/default/grub", 'GRUB_CMDLINE_LINUX="intel_iommu=on"')
    + section("Configuration File", "/etc/grub.conf - File not found", "")
    + section("Command", "mokutil --sb-state", "ERROR: Command not found or not executable")
    + section("Command", "/usr/bin/journalctl --boot=0 --no-pager --output=short-iso | tail -n 100", SYSLOG)
    + section("Command", "/usr/bin/dmesg -T", DMESG.rstrip()),
    "modules.txt": section("Command", "/sbin/lsmod | sort", "Module Size Used by\nvfio_iommu_type1 16384 0")
    + section("Command", "/sbin/modinfo vfio_iommu_type1", "license: GPL")
    + "# Known Module Parameter Values\n/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts=N\n",
    "sysfs.txt": section(
        "Command",
        "/bin/find /sys | sed -e 's/x/y/g' | xargs ls -ld --time-style=long-iso",
        "drwxr-xr-x 2 root root 0 2024-11-09 12:00 /sys/class/iommu\n"
        "lrwxrwxrwx 1 root root 0 2024-11-09 12:00 /sys/class/iommu/dmar0 -> ../../devices/virtual/iommu/dmar0\n"
        "lrwxrwxrwx 1 root root 0 2024-11-09 12:00 /sys/kernel/iommu_groups/1/devices/0000:01:00.0 -> ../../../../x",
    ),
    "rpm.txt": "NAME VERSION\n",
}
PVE = f"""
==== general system info ====

# hostname
pve

# cat /proc/cmdline
{CMDLINE.rstrip()}

# pveversion --verbose
proxmox-ve: 8.2.0 (running kernel: 6.8.4-2-pve)
pve-manager: 8.2.2 (running version: 8.2.2/9355359cd7afbae4)

# cat /etc/apt/sources.list
deb http://example.org x

# lscpu
Vendor ID:           GenuineIntel

==== info about virtual guests ====

# qm list
VMID NAME

# cat /etc/pve/qemu-server/101.conf
#notes of the guest
# lspci -nnk
hostpci0: 0000:01:00,pcie=1
machine: q35

[before]
hostpci0: 0000:02:00

==== info about hardware ====

# dmidecode -t bios
BIOS

# lspci -nnk
{LSPCI.rstrip()}

==== info about block devices ====

# lsblk --ascii
sda
"""
KINDS = {"sos": SOS, "unraid": UNRAID, "hwprobe": PROBE, "supportconfig": SUPPORT}


def put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    return root


def tar(files: dict[str, str], mode: str = "xz", top: str = "top/") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{mode}") as made:  # type: ignore[call-overload]  # the mode is put together
        for name, text in files.items():
            info = tarfile.TarInfo(top + name)
            info.size = len(text.encode())
            made.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def zipped(files: dict[str, str], top: str = "top/") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in files.items():
            made.writestr(top + name, text)
    return out.getvalue()


def content(found: Evidence) -> dict[str, list[tuple[object, ...]]]:
    """All of the evidence but where it lay."""
    return {
        path: sorted(
            (p.text, p.state, p.command or "", p.first_line or 0, p.numbers or (), p.binary or b"", p.boot)
            for p in found.states(path)
        )
        for path in found.paths()
    }


def opened(tmp_path: Path, data: bytes, name: str = "x.bin") -> Evidence:
    (tmp_path / name).write_bytes(data)
    return open_input(str(tmp_path / name))


def refused(tmp_path: Path, data: bytes, name: str = "x.bin") -> str:
    """The one line by which an input is refused; it names the file."""
    with pytest.raises(InputError) as caught:
        opened(tmp_path, data, name)
    line = str(caught.value)
    assert "\n" not in line
    assert name in line
    return line


def last(found: Evidence, path: str) -> Piece:
    piece = found.last(path)
    assert piece is not None, path
    return piece


@pytest.mark.parametrize("kind", KINDS)
def test_packed_and_unpacked_are_the_same_evidence(kind: str, tmp_path: Path) -> None:
    files = KINDS[kind]
    expected = content(open_input(str(put(tmp_path / "dir", files))))
    assert len(expected) > 5
    for top in ("", "top/", "./a/b/"):
        for mode in ("xz", "gz", "bz2", ""):
            assert content(opened(tmp_path, tar(files, mode, top))) == expected, (top, mode)
        assert content(opened(tmp_path, zipped(files, top.removeprefix("./")))) == expected, top
    put(tmp_path / "nested" / "one", files)
    assert content(open_input(str(tmp_path / "nested"))) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_report_with_other_line_ends(kind: str, tmp_path: Path) -> None:
    files = KINDS[kind]
    one = put(tmp_path / "a", files)
    other = put(tmp_path / "b", {name: text.replace("\n", "\r\n") for name, text in files.items()})
    reports = [examine(str(path)) for path in (one, other)]
    checks = [[(c["id"], c["device"], c["status"], c["title"]) for c in report["checks"]] for report in reports]
    assert checks[0] == checks[1]
    assert any(status in ("pass", "fail") for _, _, status, _ in checks[0])


def test_sos(tmp_path: Path) -> None:
    found = opened(tmp_path, tar(SOS), "sosreport-h.tar.xz")
    assert found.kind == "sosreport"
    assert [piece.text for piece in found.pieces("cmd/dmesg")] == [DMESG.rstrip()]  # not the spare one with it
    assert last(found, "cmd/lspci-nnk").command == "lspci -nnvv"
    assert last(found, "cmd/lspci-nnk").source == "sosreport-h.tar.xz:sos_commands/pci/lspci_-nnvv"
    assert last(found, "sys/class/dmi/id/board_name").text == "PRIME Z390-A"
    assert last(found, "usr/lib/os-release").text.startswith("ID=rhel")
    assert last(found, "sys/class/iommu/").text == "dmar0"
    assert "DMAR" in last(found, "sys/firmware/acpi/tables/").text
    assert found.last("sys/firmware/efi") is not None
    groups = found.listing("sys/kernel/iommu_groups/")
    assert groups is not None
    assert groups[0] == ("1",)
    members = found.listing("sys/kernel/iommu_groups/1/devices/")
    assert members is not None
    assert members[0] == ("0000:01:00.0", "0000:01:00.1")
    assert members[1].cite(1).line == 6
    assert "sshd" not in last(found, "cmd/journalctl-k").text
    assert "not viable" in last(found, "cmd/messages").text
    assert not any("private" in path or "networking" in path for path in found.paths())


def test_what_a_kind_never_holds_is_said_unless_it_is_there(tmp_path: Path) -> None:
    bare = {name: text for name, text in SOS.items() if "virsh" not in name}
    found = opened(tmp_path, tar(bare))
    (piece,) = found.states("sys/kernel/iommu_groups/")
    assert piece.state == NOT_COLLECTED
    assert piece.reason is not None
    assert "a sosreport does not hold the IOMMU groups" in piece.reason
    assert found.pieces("sys/kernel/iommu_groups/") == []
    assert found.listing("sys/kernel/iommu_groups/") is None
    assert "the IOMMU groups" in found.notes[0]
    assert opened(tmp_path, tar(SOS)).notes == ()


def test_the_end_of_a_log_that_sos_kept(tmp_path: Path) -> None:
    files = {"sos_strings/logs/journalctl_--no-pager_--boot.tailed": SYSLOG, "sos_commands/kernel/lsmod": "x 1 0"}
    found = opened(tmp_path, tar(files))
    assert last(found, "cmd/journalctl-k").state == CUT


def test_old_sosreports(tmp_path: Path) -> None:
    files = {
        "sos_commands/pci/lspci": "01:00.0 VGA compatible controller: NVIDIA Corporation GP104\n",
        "sos_commands/pci/lspci_-nvv": "01:00.0 0300: 10de:1b80 (rev a1)\n\tKernel driver in use: vfio-pci\n",
        "sos_commands/logs/journalctl_--all_--this-boot_--no-pager": SYSLOG,
        "sos_commands/general/dmesg_now": DMESG,
    }
    found = opened(tmp_path, tar(files))
    assert len(found.pieces("cmd/lspci-nnk")) == 2
    assert last(found, "cmd/journalctl-k").text.count("\n") == 4
    assert last(found, "cmd/dmesg").text == DMESG.rstrip()


def test_a_command_that_was_refused_says_so(tmp_path: Path) -> None:
    files = {
        **SOS,
        "sos_commands/kernel/dmesg": "dmesg: read kernel buffer failed: Operation not permitted\n",
        "sos_commands/kernel/lsmod": "/bin/sh: lsmod: command not found\n",
    }
    found = opened(tmp_path, tar(files))
    assert [piece.state for piece in found.states("cmd/dmesg")] == [DENIED]
    assert [piece.state for piece in found.states("cmd/lsmod")] == [NOT_COLLECTED]


def test_several_hosts_are_named_and_one_is_opened(tmp_path: Path) -> None:
    both = {f"sosreport-{host}/{name}": text for host in ("alpha", "beta") for name, text in SOS.items()}
    assert "2 hosts; name one of them: top/sosreport-alpha, top/sosreport-beta" in refused(tmp_path, tar(both))
    put(tmp_path / "both", both)
    with pytest.raises(InputError, match="2 hosts"):
        open_input(str(tmp_path / "both"))
    out = io.BytesIO()
    inner = tar(SOS)
    with tarfile.open(fileobj=out, mode="w:xz") as made:
        for name, body in (("c/sos_reports/manifest.json", b"{}"), ("c/sosreport-alpha.tar.xz", inner)):
            info = tarfile.TarInfo(name)
            info.size = len(body)
            made.addfile(info, io.BytesIO(body))
    found = opened(tmp_path, out.getvalue(), "collect.tar.xz")
    assert content(found) == content(opened(tmp_path, inner))
    assert last(found, "proc/cmdline").source == "collect.tar.xz:c/sosreport-alpha.tar.xz:proc/cmdline"
    two = zipped({"sosreport-alpha.tar.xz": "x", "sosreport-beta.tar.xz": "x"}, "")
    line = refused(tmp_path, two)
    assert "2 archives" in line
    assert "sosreport-beta.tar.xz" in line


def test_unraid(tmp_path: Path) -> None:
    found = opened(tmp_path, zipped(UNRAID, "tower-diagnostics-20240101-1200/"), "tower.zip")
    assert found.kind == "diagnostics"
    assert last(found, "etc/unraid-version").text == "6.12.10"
    assert last(found, "boot/config/vfio-pci.cfg").text.startswith("BIND=")
    assert last(found, "etc/modprobe.d/kvm.conf").text == "options kvm ignore_msrs=1"
    assert last(found, "cmd/iommu-groups").text.count("\n") == 2
    assert last(found, "var/log/syslog").state == WHOLE
    report = examine(str(tmp_path / "tower.zip"))
    assert report["platform"]["distribution"] == "unraid"
    assert [row["address"] for row in report["targets"]][:1] == ["0000:01:00.0"]


def test_a_log_that_unraid_cut_proves_no_silence(tmp_path: Path) -> None:
    long = SYSLOG + "Nov  9 12:00:09 tower kernel: [   99.000000] usb 1-1: new device\n" * 33_000
    found = opened(tmp_path, zipped({**UNRAID, "logs/syslog.txt": long}))
    assert last(found, "var/log/syslog").state == EXCERPT


def test_a_start_that_did_not_fail_says_nothing() -> None:
    went = VM_LOG.replace("reason=failed", "reason=shutdown")
    again = VM_LOG + VM_LOG.replace("reason=failed", "reason=destroyed")
    for log in (went, again, "", "x\n", VM_LOG.split("\n", 1)[0]):
        assert derived.failed_start(Found("cmd/messages", log.encode(), "x")) == []
    (piece,) = derived.failed_start(Found("cmd/messages", (again + VM_LOG).encode(), "x"))
    assert piece.line_number(0) == 11


def test_pvereport(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text(PVE)
    found = open_input(str(tmp_path / "report.txt"))
    assert found.kind == "diagnostics"
    assert last(found, "proc/cmdline").text == CMDLINE.rstrip()
    assert last(found, "proc/cmdline").line_number(0) == 8
    assert last(found, "proc/sys/kernel/hostname").text == "pve"
    assert [piece.text for piece in found.pieces("cmd/lspci-nnk")] == [LSPCI.rstrip()]
    guest = last(found, "etc/pve/qemu-server/101.conf")
    assert guest.state == WHOLE
    assert guest.text.endswith("hostpci0: 0000:02:00")
    report = examine(str(tmp_path / "report.txt"))
    assert report["platform"]["distribution"] == "proxmox"
    assert {row["address"] for row in report["targets"]} == {"0000:01:00.0", "0000:01:00.1"}


def test_pvereport_as_downloaded_in_a_zip(tmp_path: Path) -> None:
    found = opened(tmp_path, zipped({"pve-report.txt": PVE}, ""))
    assert last(found, "cmd/pveversion").text.startswith("proxmox-ve")
    assert last(found, "cmd/pveversion").source == "x.bin:pve-report.txt"


def test_hwprobe(tmp_path: Path) -> None:
    found = opened(tmp_path, tar(PROBE, top="hw.info/"), "hw.info.txz")
    assert found.kind == "diagnostics"
    assert len(found.pieces("cmd/lspci-nnk")) == 1
    assert last(found, "etc/modprobe.d/vfio.conf").cite(0).line == 8
    assert last(found, "sys/class/dmi/id/board_name").text == "PRIME Z390-A"
    assert last(found, "sys/firmware/acpi/tables/DMAR").binary == bytes.fromhex("444D4152A8000000 0100")
    assert "DMAR" in last(found, "sys/firmware/acpi/tables/").text
    assert not any("serial" in path for path in found.paths())


def test_supportconfig(tmp_path: Path) -> None:
    found = opened(tmp_path, tar(SUPPORT, top="scc_h_240101/"), "scc.txz")
    assert found.kind == "diagnostics"
    assert [piece.command for piece in found.pieces("cmd/lspci-nnk")] == ["lspci -nn", "lspci -vvv"]
    assert last(found, "etc/default/grub").cite(0) == (
        "etc/default/grub", "scc.txz:boot.txt", 3, 'GRUB_CMDLINE_LINUX="intel_iommu=on"',
    )  # fmt: skip
    assert [piece.state for piece in found.states("etc/grub.conf")] == [ABSENT]
    assert [piece.state for piece in found.states("cmd/mokutil")] == [NOT_COLLECTED]
    assert last(found, "cmd/journalctl-k").state == CUT
    assert last(found, "cmd/dmesg").command == "dmesg -T"
    assert last(found, "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts").text == "N"
    iommus = found.listing("sys/class/iommu/")
    assert iommus is not None
    assert iommus[0] == ("dmar0",)
    report = examine(str(tmp_path / "scc.txz"))
    devices = {device["address"]: device for device in report["devices"]}
    assert devices["0000:01:00.0"]["group"] == 1
    assert report["platform"]["distribution"] == "sles"


def test_one_file_of_a_supportconfig(tmp_path: Path) -> None:
    found = opened(tmp_path, SUPPORT["boot.txt"].encode(), "boot.txt")
    assert found.kind == "diagnostics"
    assert last(found, "etc/default/grub").text.startswith("GRUB_CMDLINE")


VALIDATE = """  QEMU: Checking for hardware virtualization                                 : PASS
  QEMU: Checking if device '/dev/kvm' exists                                 : PASS
  QEMU: Checking for device assignment IOMMU support                         : PASS
  QEMU: Checking if IOMMU is enabled by kernel                               : WARN (IOMMU appears to be disabled \
in kernel. Add intel_iommu=on to kernel cmdline arguments)
   LXC: Checking for Linux >= 2.6.26                                         : PASS
"""


@pytest.mark.parametrize("change", ["{}", "\x1b[33m{}\x1b[0m", "> {}", "root@h:~# virt-host-validate\n{}"])
def test_virt_host_validate_alone(change: str, tmp_path: Path) -> None:
    lines = [VALIDATE] if "\n" in change else VALIDATE.splitlines(keepends=True)
    text = "".join(change.format(line) for line in lines)
    found = opened(tmp_path, text.encode(), "v.txt")
    assert len(found.pieces("cmd/virt-host-validate")) == 1
    assert last(found, "cmd/virt-host-validate").text.count("\n") == 4
    status = {check["id"]: check["status"] for check in examine(str(tmp_path / "v.txt"))["checks"]}
    assert (status["cpu-virtualization"], status["firmware-iommu-table"], status["iommu-active"]) == (
        "pass", "pass", "fail",
    )  # fmt: skip


def test_kinds_are_told_apart() -> None:
    told = {
        name: [kind.name for kind in all_kinds() if kind.marks and tops(kind, [f"x/{file}" for file in files])]
        for name, files in KINDS.items()
    }
    assert told == {
        "sos": ["a sosreport"],
        "unraid": ["an Unraid diagnostics archive"],
        "hwprobe": ["a hardware probe"],
        "supportconfig": ["a supportconfig archive"],
    }
    heads = [kind.name for kind in all_kinds() if kind.head is not None and kind.head(PVE[:4096])]
    assert heads == ["a Proxmox VE system report"]


def test_every_row_has_a_place_of_its_own() -> None:
    for kind in all_kinds():
        table = Table(kind.rows)
        for row in kind.rows:
            name = row.file.replace("**", "a/b").replace("*", "a")
            placed = table.place(name)
            assert placed is not None, row
            assert table.wants("x/y/" + name), row


# Hostile input.


def test_zip_bomb(tmp_path: Path) -> None:
    assert "too much" in refused(tmp_path, zipped({"etc/modules": "0" * 80_000_000}))


def test_zip_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "MEMBERS", 100)
    assert "too much" in refused(tmp_path, zipped({f"etc/{n}": "" for n in range(150)}))


def test_tar_bomb_in_a_header(tmp_path: Path) -> None:
    """A pax header of a hundred megabytes, which tarfile would hold in memory."""
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 100_000_000
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="w", compresslevel=1) as packed:
        packed.write(info.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(100):
            packed.write(bytes(1_000_000))
    assert "too large" in refused(tmp_path, out.getvalue())


def test_countless_streams_and_headers(tmp_path: Path) -> None:
    assert "too many parts" in refused(tmp_path, bz2.compress(b"") * 30_000)
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 512
    assert "nested" in refused(tmp_path, gzip.compress((info.tobuf(tarfile.GNU_FORMAT) + b"a" * 512) * 5000))


def test_too_much_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MOST", 1000)
    files = {"proc/cmdline": "x" * 600, "etc/modules": "x" * 600}
    assert "more than" in refused(tmp_path, tar(files))
    assert "more than" in refused(tmp_path, zipped(files))


def test_a_file_that_is_too_large_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "LARGEST", 1000)
    files = {"proc/cmdline": "quiet", "etc/modules": "x" * 1001}
    monkeypatch.setattr(directory, "LARGEST", 1000)
    put(tmp_path / "dir" / "top", files)
    for found in (opened(tmp_path, tar(files)), opened(tmp_path, zipped(files)), open_input(str(tmp_path / "dir"))):
        assert found.last("etc/modules") is None
        assert any("top/etc/modules" in note and "larger than" in note for note in found.notes)


def test_an_encrypted_zip(tmp_path: Path) -> None:
    data = bytearray(zipped(UNRAID))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(mark, at + 4)
    assert "encrypted" in refused(tmp_path, bytes(data))


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.95, 0.999])
def test_cut_archives(share: float, tmp_path: Path) -> None:
    for data in (zipped(UNRAID), tar(SOS, "xz"), tar(SOS, "gz"), tar(SOS, "bz2")):
        refused(tmp_path, data[: int(len(data) * share)])


@pytest.mark.parametrize("name", ["../etc/modules", "a/../../etc/modules", "etc/mo\ndules", "etc/\x1b[31mx"])
def test_zip_names_that_climb_or_hide(name: str, tmp_path: Path) -> None:
    found = opened(tmp_path, zipped({"proc/cmdline": "quiet", name: "EVIL"}, ""))
    assert list(found.paths()) == ["proc/cmdline"]


def test_a_link_in_a_zip_is_a_text(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("proc/cmdline", "quiet")
        for name in ("etc/modules", "sys/bus/pci/devices/0000:01:00.0/driver"):
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o120777 << 16
            made.writestr(info, "/etc/passwd")
    found = opened(tmp_path, out.getvalue())
    assert found.last("etc/modules") is None
    assert last(found, "sys/bus/pci/devices/0000:01:00.0/driver").text == "/etc/passwd"


def test_deep_nesting(tmp_path: Path) -> None:
    data = tar(SOS)
    for number in range(4):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as made:
            made.writestr(f"a{number}.zip" if number else "a.tar.xz", data)
        data = out.getvalue()
    assert "archives in archives" in refused(tmp_path, data)
    found = opened(tmp_path, zipped({"a/" * 200 + "etc/modules": "x", "proc/cmdline": "quiet"}, ""))
    assert list(found.paths()) == ["proc/cmdline"]


def test_zip_with_nothing_of_a_host(tmp_path: Path) -> None:
    assert "no file of a host" in refused(tmp_path, zipped({"a.c": "x", "b.c": "y"}))


def test_zstd_is_read_or_named(tmp_path: Path) -> None:
    """A frame with one stored block (RFC 8878), which any Python with zstd reads."""
    plain = tar(SOS, "")
    blocks = [plain[at : at + 100_000] for at in range(0, len(plain), 100_000)]
    frame = b"\x28\xb5\x2f\xfd\xa0" + len(plain).to_bytes(4, "little")
    for number, block in enumerate(blocks):
        frame += (len(block) << 3 | (number == len(blocks) - 1)).to_bytes(3, "little") + block
    try:
        found = opened(tmp_path, frame)
    except InputError as error:
        assert "zstd -d" in str(error)  # neither this Python nor a program reads it
    else:
        assert content(found) == content(opened(tmp_path, plain))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_broken_bytes_are_refused_or_read(tmp_path: Path, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["zip", "xz", "gz", "bz2", "tar"]))
    packed = bytearray(zipped(UNRAID) if kind == "zip" else tar(SOS, kind if kind != "tar" else ""))
    for _ in range(data.draw(st.integers(1, 6))):
        packed[data.draw(st.integers(8, len(packed) - 1))] = data.draw(st.integers(0, 255))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            opened(tmp_path, bytes(packed))
    except InputError as error:
        assert "\n" not in str(error)


PIECES = st.sampled_from(
    ["#==[ Command ]==#\n", "# /sbin/lspci -nn\n", "\n==== general system info ====\n", "\n# cat /proc/cmdline\n", "\n",
     "# /etc/default/grub\n", "x" * 50 + "\n", "\0", "\x85", "#==[ Configuration File ]==#\n", "/sys/module/a/b=c\n",
     "# /etc/x - File not found\n", "\n# cat /etc/pve/qemu-server/1.conf\n", "\n# cat\n", "# /bin/find /sys x\n"]
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES, max_size=20), st.sampled_from([b"#==[ Command ]", b"\n==== general system info ====\n"]))
def test_any_report_is_read(tmp_path: Path, parts: list[str], head: bytes) -> None:
    data = head + "".join(parts).encode()
    if b"\0" not in data:
        found = opened(tmp_path, data)
        lines = data.count(b"\n") + 1
        pieces = [piece for path in found.paths() for piece in found.states(path)]
        assert all(piece.first_line is None or 0 < piece.first_line <= lines for piece in pieces)


READERS = [row.read for kind in all_kinds() for row in kind.rows if row.read is not None]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(READERS),
    st.binary(max_size=300) | st.sampled_from([v.encode() for d in KINDS.values() for v in d.values()]),
)
def test_readers_take_any_bytes(read: object, data: bytes) -> None:
    assert callable(read)
    assert all(isinstance(piece, Piece) for piece in read(Found("cmd/x", data, "x")))


def test_linear_time(tmp_path: Path) -> None:
    def spent(size: int) -> float:
        files = {
            "sos_commands/kernel/dmesg": DMESG * size,
            "sos_commands/devices/udevadm_info_--export-db": "P: /devices/virtual/iommu/dmar0\n" * size * 5,
            "sos_commands/virsh/virsh_-r_nodedev-dumpxml_pci_a": "<iommuGroup number='1'><address " * size * 5,
            "sos_commands/logs/journalctl_--no-pager_--boot": "-- Boot x --\n a kernel: b\n" * size * 5,
            **{f"a/b{n}/sos_commands": "" for n in range(size * 5)},
        }
        put_in = tar(files, "")
        begin = time.process_time()
        opened(tmp_path, put_in)
        return time.process_time() - begin

    spent(50)
    small = min(spent(300) for _ in range(3))
    assert spent(1200) < 10 * small + 0.05


SHARED = Path(__file__).resolve().parents[3] / "shared" / "real" / "sos"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the collection of real sosreports is not here")
def test_real_trees() -> None:
    trees = [path for path in sorted(SHARED.iterdir()) if path.is_dir()]
    assert trees
    for path in trees:
        found = open_input(str(path))
        assert found.kind == "sosreport"
        assert found.last("cmd/lspci-nnk") is not None
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as made:
            made.add(path, path.name)
        from doctor.evidence.archive import open_archive

        assert content(open_archive(out.getvalue(), "x.tar", "x.tar")) == content(found), path


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.zip").write_bytes(zipped(UNRAID))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    open_input(str(tmp_path / "in" / "x.zip"))
    assert os.listdir(tmp_path / "work") == []  # noqa: PTH208 - the shortest way to say it
