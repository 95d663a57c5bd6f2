"""Hosts, remedies and findings made by hand, for every test of this room."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from doctor.diagnosis.finding import Finding
from doctor.evidence.types import Evidence, Piece
from doctor.facts import boot, firmware, modprobe, modules, platform
from doctor.facts.fact import Fact
from doctor.facts.pci import Pci
from doctor.treatment.plan import make_plan


class Facts(NamedTuple):
    """The facts that treatment asks for."""

    evidence: Evidence
    platform: platform.Platform
    boot: boot.Boot
    modprobe: modprobe.Modprobe
    modules: modules.Modules
    firmware: firmware.Firmware
    pci: Pci
    needs: Fact


class MakeFacts(Protocol):
    def __call__(self, files: dict[str, str], complete: bool = False, pieces: tuple[Piece, ...] = ()) -> Facts: ...


class Failed(Protocol):
    def __call__(
        self, check: str, *remedy: dict[str, Any], severity: str = "blocker", status: str = "fail"
    ) -> Finding: ...


ENABLE = {"kernel_parameter": {"add": ["intel_iommu=on"]}}
IDS = {"bind_ids": {"ids": ["10de:2203", "10de:1aef"], "drivers": ["nvidia", "nouveau"]}}
ADDRESSES = {"bind_addresses": {"addresses": ["0000:05:00.0", "0000:05:00.1"], "drivers": ["nvidia"]}}
LOAD = {"load_modules": ["vfio", "vfio_iommu_type1", "vfio_pci"]}
UNLOAD = {"unload_modules": ["vfio_virqfd"]}
OPTION = {"module_option": {"module": "vfio_iommu_type1", "remove": ["allow_unsafe_interrupts"]}}
REMEDIES: list[dict[str, Any]] = [
    ENABLE,
    {"kernel_parameter": {"remove": ["amd_iommu=on"]}},
    LOAD,
    UNLOAD,
    OPTION,
    IDS,
    ADDRESSES,
    {"module_option": {"module": "kvm", "set": {"ignore_msrs": 1}}},
    {"softdep": {"drivers": ["amdgpu"], "before": "vfio-pci"}},
    {"firmware": {"settings": ["vt_d", "above_4g"]}},
    {"vm_config": {"vm": 101, "set": {"onboot": 0}}},
    {"apply_boot_config": True},
    {"run": {"commands": ["dmesg"]}},
    {"person": "Ask whoever runs the hypervisor below."},
    {"power_cycle": True},
    {"move_device": {"devices": ["0000:05:00.0"]}},
    {"other_hardware": "Pass another card."},
    {"blacklist": {"modules": ["nouveau"]}},
    {"remove_line": {"directive": "blacklist", "modules": ["vfio_pci"]}},
]
UUIDS = {"etc/kernel/proxmox-boot-uuids": "1578-E2C7\n"}
PVE_ZFS = {
    "cmd/uname-a": "Linux pve 6.8.12-9-pve #1 SMP",
    "proc/cmdline": "initrd=\\EFI\\proxmox\\6.8.12-9-pve\\initrd.img root=ZFS=rpool/ROOT/pve-1 boot=zfs\n",
    "etc/kernel/cmdline": "root=ZFS=rpool/ROOT/pve-1 boot=zfs\n",
    "etc/default/grub": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on"\n',
}
GRUB = 'GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT="quiet amd_iommu=on"\nGRUB_CMDLINE_LINUX=""\n'
IMAGE = "BOOT_IMAGE=(hd0,gpt2)/vmlinuz"
HOSTS: dict[str, dict[str, str]] = {
    "pve-grub": {"cmd/uname-a": "Linux p 6.8.12-9-pve #1", "proc/cmdline": IMAGE, "etc/default/grub": GRUB},
    "pve-tool-grub": {
        "cmd/uname-a": "Linux p 6.8.12-9-pve #1",
        "proc/cmdline": IMAGE,
        "etc/default/grub": GRUB,
        **UUIDS,
    },
    "pve-zfs": PVE_ZFS,
    "pve-unknown": {"cmd/uname-a": "Linux p 6.8.12-9-pve #1"},
    "debian-grub": {
        "etc/os-release": "ID=debian\nVERSION_ID=12",
        "proc/cmdline": IMAGE,
        "etc/default/grub": GRUB,
    },
    "debian-sd": {"etc/os-release": "ID=debian", "proc/cmdline": "initrd=\\x root=/dev/sda2"},
    "debian-unseen": {"etc/os-release": "ID=debian"},
    "ubuntu-2204": {
        "etc/os-release": "ID=ubuntu\nVERSION_ID=22.04",
        "cmd/uname-a": "Linux u 5.15.0-105-generic #1",
        "proc/cmdline": IMAGE,
        "etc/default/grub": GRUB,
    },
    "ubuntu-2404": {
        "etc/os-release": "ID=ubuntu\nVERSION_ID=24.04",
        "cmd/uname-a": "Linux u 6.8.0-31-generic #1",
        "proc/cmdline": IMAGE,
        "etc/default/grub": GRUB,
    },
    "mint": {"etc/os-release": 'ID=linuxmint\nID_LIKE="ubuntu debian"', "etc/default/grub": GRUB},
    "opensuse": {"etc/os-release": "ID=opensuse-leap\nVERSION_ID=15.6", "etc/default/grub": GRUB},
    "tumbleweed-sd": {"etc/os-release": "ID=opensuse-tumbleweed", "cmd/bootctl": "Product: systemd-boot 257"},
    "centos7": {
        "etc/os-release": "ID=centos\nVERSION_ID=7",
        "etc/default/grub": 'GRUB_CMDLINE_LINUX="rhgb quiet"\n',
    },
    "el9": {"etc/os-release": "ID=rocky\nVERSION_ID=9.4", "proc/cmdline": IMAGE},
    "fedora": {"etc/os-release": "ID=fedora\nVERSION_ID=40", "proc/cmdline": IMAGE},
    "bazzite": {"etc/os-release": "ID=bazzite\nVERSION_ID=40", "run/ostree-booted": "x"},
    "arch-grub": {
        "etc/os-release": "ID=arch",
        "proc/cmdline": IMAGE,
        "etc/default/grub": GRUB,
        "etc/mkinitcpio.conf": "MODULES=(i915)\nHOOKS=(base udev modconf)\n",
    },
    "arch-sd": {
        "etc/os-release": "ID=arch",
        "cmd/bootctl": "Product: systemd-boot 255",
        "boot/loader/entries/arch.conf": "title Arch\noptions root=/dev/sda2 rw quiet\n",
    },
    "arch-unknown": {"etc/os-release": "ID=arch"},
    "nixos": {"etc/os-release": "ID=nixos"},
    "unraid": {"etc/unraid-version": 'version="6.12"'},
    "truenas": {"cmd/uname-a": "Linux t 6.6.32-production+truenas #1"},
    "nothing": {},
}


def plan_of(host: dict[str, str], platforms: dict[str, Any], make_facts: MakeFacts, *findings: Any) -> Any:
    return make_plan(findings, (), make_facts(host), platforms)


def one(plan: Any, kind: str) -> Any:
    found = [step for step in plan["steps"] if step["kind"] == kind]
    assert len(found) == 1, [step["kind"] for step in plan["steps"]]
    return found[0]
