"""The catalogue has every path that a fact reads, and what the collector knows of the rules is up to date."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from doctor.collect.catalogue import ITEMS, fits, matches
from doctor.collect.generated import USES
from doctor.collect.relevant import Relevant
from doctor.evidence.open import open_input
from doctor.evidence.types import Evidence, Piece
from doctor.facts import sheet
from doctor.knowledge.store import load

ROOT = Path(__file__).resolve().parents[2]

# What facts read though nobody collects it, and why not. A pattern stands for all that it fits.
NOT_COLLECTED = {
    # A paste's or another tool's way to show what is collected otherwise.
    "cmd/acpidump": "the tables are read from sys/firmware/acpi/tables/",
    "cmd/dmidecode": "sys/class/dmi/id says it, without serial numbers",
    "cmd/hostnamectl": "etc/os-release and proc/sys/kernel/hostname say it",
    "cmd/iommu-groups": "sys/kernel/iommu_groups/ says it",
    "cmd/lscpu": "proc/cpuinfo and sys/devices/system/node/ say it",
    "cmd/lspci*": "sysfs holds what lspci -nnk prints; -vv reads VPD, and -xxx config space, which sysfs has too",
    "cmd/lsmod": "proc/modules is the same",
    "cmd/numactl": "sys/devices/system/node/ says it",
    "cmd/uname-r": "proc/sys/kernel/osrelease is the same",
    "cmd/bootctl": "LoaderInfo and StubInfo of efivars say it; bootctl may mount the ESP",
    "cmd/findmnt": "proc/self/mountinfo says it",
    "cmd/lsblk": "sys/class/block/ says it, without names of volumes",
    "cmd/mount": "proc/self/mountinfo says it",
    "proc/mounts": "proc/self/mountinfo says more",
    "cmd/driverctl": "etc/driverctl.d/ and driver_override say it",
    "cmd/dpdk-devbind": "each device's driver link says it; it is a Python program of somebody else's",
    "cmd/journalctl*": "collected on request for earlier boots",
    "cmd/modinfo": "modules.dep and modules.builtin say whether a module is there",
    "cmd/mokutil": "SecureBoot of efivars says it",
    "cmd/pveversion": "it starts half of Proxmox VE's Perl; the kernel's release and etc/pve/ say that it is there",
    "cmd/virsh-dumpxml": "virsh starts libvirtd; etc/libvirt/qemu/ is read",
    "cmd/virt-host-validate": "it may load modules; what it looks at is collected",
    "cmd/kvm-ok": "a verdict on what is collected",
    "cmd/systemctl": "the units are read",
    "cmd/ulimit": "a shell's own limit",
    "cmd/messages": "lines of a paste that come from programs",
    "cmd/prlimit": "a running VM's limit: nobody knows which process it is",
    "proc/self/limits": "the collector's own limits are no VM's",
    "etc/hostname": "proc/sys/kernel/hostname is what holds",
    "usr/lib/os-release": "etc/os-release is a link to it",
    "proc/config": "the unpacked proc/config.gz of other tools' bundles",
    "usr/share/*/pci.ids": "names of devices: the analyser's host or lspci has them",
    "dev/kvm/": "how a listing shows dev/kvm",
    "usr/lib/modules/*": "lib/modules leads there",
    # They write files, take seconds, or change something.
    "cmd/lsinit*": "it unpacks the initramfs into a temporary folder",
    "cmd/update-*": "it changes the boot menu or the initramfs",
    "cmd/dracut": "it builds an initramfs",
    "cmd/mkinitcpio": "it builds an initramfs",
    "cmd/proxmox-boot-tool": "status mounts the ESPs; etc/kernel/proxmox-boot-uuids is read",
    # Folders that stand for what lies in them.
    "etc/initramfs-tools/": "its files are collected each",
    "etc/initramfs-tools/scripts/": "its files are collected each",
    "etc/systemd/system/": "units with a limit are collected; the names of all others are nobody's business",
    "etc/pve/": "the VMs of this node are etc/pve/qemu-server/, those of others are not this host's",
    "sys/class/net/": "each card's folder is listed; as a piece it is a paste's ls -l",
    "sys/class/net/*": "a line of a paste's ls -l",
    "sys/class/net/*/device/*": "the device's own files are sys/bus/pci/devices/",
    "sys/class/block/*/device": "the link of the block device itself says it",
    "sys/block/": "a paste's ls -l; sys/class/block/ is collected",
    # Only in other tools' bundles and pastes.
    "EFI/boot/syslinux.cfg": "the root of an Unraid flash drive's backup",
    "etc/vfio-pci.cfg": "an Unraid diagnostics archive's place for it",
    "text/*": "text of a paste",
    "tmp/*": "a paste's own file",
}


class Watched(sheet._Watched):
    """Remembers folders that were asked for as patterns."""

    def under(self, prefix: str, suffix: str = "") -> list[Piece]:
        self.asked.add(f"{prefix}*{suffix}")
        return super().under(prefix, suffix)


def inputs() -> Iterator[Evidence]:
    yield Evidence("paste", "nothing", [])
    yield Evidence("bundle", "nothing", [], complete=True)
    for name in sorted((ROOT / "samples").glob("*.t*")):
        yield open_input(str(name))
    for name in sorted((ROOT / "samples" / "lab").glob("*.tar.gz"))[::12]:
        yield open_input(str(name))


def asked(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    found: set[str] = set()

    class Remembering(Watched):
        def __init__(self, evidence: Evidence) -> None:
            super().__init__(evidence)
            self.asked = found

    monkeypatch.setattr(sheet, "_Watched", Remembering)
    knowledge = load(None)
    for evidence in inputs():
        sheet.sheet(evidence, knowledge)
    return found


def collected(path: str) -> bool:
    """Whether an item stands for PATH, or for some of what a pattern PREFIX*SUFFIX means."""
    if "*" not in path:
        return any(matches(item.path, path) for item in ITEMS)
    prefix, _, suffix = path.partition("*")
    return any(
        matches(item.path, f"{prefix}x{suffix}") or (item.path.startswith(prefix) and item.path.endswith(suffix))
        for item in ITEMS
    )


def excused(path: str) -> bool:
    return any(fits(pattern, path) for pattern in NOT_COLLECTED)


def test_every_path_that_a_fact_reads_is_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = asked(monkeypatch)
    assert len(paths) > 300 and "proc/cmdline" in paths and "etc/default/grub.d/*.cfg" in paths
    lacking = sorted(path for path in paths if not collected(path) and not excused(path))
    assert lacking == [], "add them to doctor/collect/catalogue.py, or say in NOT_COLLECTED why nobody collects them"


def test_the_gate_notices_a_path_that_is_lacking() -> None:
    assert not collected("etc/new-thing.conf") and not excused("etc/new-thing.conf")
    assert not collected("etc/new.d/*.conf") and not excused("etc/new.d/*.conf")


def test_no_exception_is_for_what_is_collected() -> None:
    wrong = [
        pattern
        for pattern in NOT_COLLECTED
        if pattern not in ("cmd/lspci*", "cmd/journalctl*", "sys/class/net/*") and collected(pattern)
    ]
    assert wrong == []


def test_the_generated_module_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "collector.py"), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_uses_names_items_and_checks() -> None:
    checks = {rule["id"] for rule in load(None)["rules"]}
    assert set(USES) <= {item.path for item in ITEMS}
    assert {check for text in USES.values() for check in text.split()} <= checks
    assert "vfio-bound" in USES["sys/bus/pci/devices/*/driver"].split()


def test_every_sample_of_a_message_is_kept() -> None:
    lost = []
    for name in sorted((ROOT / "rules" / "messages").glob("*.yaml")):
        for message in yaml.safe_load(name.read_text("utf-8")):
            for line in "\n".join(message.get("samples", ())).split("\n"):
                log = Relevant(0)
                log.feed(line.encode() + b"\n")
                log.data()
                if log.left:
                    lost.append(line)
    # QEMU's, and in no log of the kernel's: the word is glued to its argument.
    assert [line for line in lost if "vfio_dma_map(" not in line] == []
