"""A report made by hand that has everything in it, hostile evidence too."""

from __future__ import annotations

from typing import Any

from doctor.report.model import Check, Citation, Device, FileChange, Remedy, Report, Step

GPU, AUDIO, NVME, BRIDGE = "0000:01:00.0", "0000:01:00.1", "0000:02:00.0", "0000:00:01.0"
PASTE = "forum-post.txt"
HOSTILE = "pci <script>alert('x')</script> \x1b[31mred\x1b[0m \u202egnp.exe\u202c a\u200bb & \"q\" [bold]x[/bold]"
LONG = "vfio-pci 0000:01:00.0: " + "BAR0x" * 600 + " END-OF-LONG-LINE"
MASK = 'GRUB_CMDLINE_LINUX_DEFAULT="quiet iommu=off video=efifb:off"'
NEW = 'GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on iommu=pt"'


def cite(text: str, line: int | None = 1, path: str = "cmd/dmesg", source: str = PASTE) -> Citation:
    """A cited line."""
    return {"path": path, "source": source, "line": line, "text": text}


def check(name: str, status: str, title: str, detail: str = "", **more: Any) -> Check:
    """A finding; what is not given is empty."""
    found: Check = {
        "id": name,
        "device": None,
        "status": status,
        "severity": "blocker",
        "confidence": "strong",
        "title": title,
        "detail": detail,
        "why": "",
        "evidence": [],
        "wanted": [],
        "remedy": [],
        "references": [],
    }
    return {**found, **more}  # type: ignore[typeddict-item]


def step(kind: str, summary: str, why: list[str], **more: Any) -> Step:
    """A step of the plan; what is not given is empty."""
    made: Step = {
        "kind": kind,
        "summary": summary,
        "note": None,
        "why": why,
        "commands": [],
        "files": [],
        "reboot": False,
        "optional": False,
        "risk": None,
        "undo": [],
        "verify": [],
        "actions": [],
    }
    return {**made, **more}  # type: ignore[typeddict-item]


def device(address: str, name: str | None, kind: str, driver: str | None, **more: Any) -> Device:
    """A row of the device table."""
    row: Device = {
        "address": address,
        "ids": "10de:2203",
        "class": kind,
        "name": name,
        "driver": driver,
        "group": None,
        "group_members": [],
        "target": False,
        "verdict": "undetermined",
        "because": "",
    }
    return {**row, **more}  # type: ignore[typeddict-item]


GRUB: FileChange = {
    "path": "/etc/default/grub",
    "before": [MASK],
    "after": [NEW],
    "diff": "--- /etc/default/grub\n+++ /etc/default/grub\n@@ -6,4 +6,4 @@\n GRUB_TIMEOUT=5\n"
    f' GRUB_DISTRIBUTOR="Proxmox VE"\n-{MASK}\n+{NEW}\n GRUB_CMDLINE_LINUX=""\n',
}
VFIO: FileChange = {
    "path": "/etc/modprobe.d/passdoctor-vfio.conf",
    "before": [],
    "after": ["options vfio-pci ids=10de:2203,10de:1aef", "softdep nvidia pre: vfio-pci"],
    "diff": "--- /dev/null\n+++ /etc/modprobe.d/passdoctor-vfio.conf\n@@ -0,0 +1,2 @@\n"
    "+options vfio-pci ids=10de:2203,10de:1aef\n+softdep nvidia pre: vfio-pci\n",
}
WRITE_VFIO = (
    "printf '%s\\n' 'options vfio-pci ids=10de:2203,10de:1aef' 'softdep nvidia pre: vfio-pci'"
    " > /etc/modprobe.d/passdoctor-vfio.conf"
)
EDIT: Remedy = {
    "kind": "kernel_parameter",
    "summary": "Remove iommu=off from the kernel command line and add intel_iommu=on",
    "commands": ["update-grub"],
    "files": [GRUB],
}


def _failed() -> list[Check]:
    return [
        check(
            "cmdline-disables-iommu",
            "fail",
            "A kernel parameter turns the IOMMU off",
            "iommu=off is in effect on the running kernel, so neither DMA remapping nor IOMMU groups exist.",
            why="The parameter outweighs what firmware offers, and later ones do not cancel it.",
            evidence=[
                cite(
                    "Command line: BOOT_IMAGE=/boot/vmlinuz-6.8.12-1-pve root=/dev/mapper/pve ro iommu=off",
                    12,
                ),
                cite(HOSTILE, 14),
                cite(LONG, 4711),
            ],
            remedy=[EDIT],
            references=["linux:Documentation/admin-guide/kernel-parameters.txt"],
        ),
        check(
            "iommu-active",
            "fail",
            "DMA remapping is off",
            "The kernel made no IOMMU group.",
            evidence=[cite("", 31, "sys/kernel/iommu_groups/")],
        ),
        check(
            "vfio-bound",
            "fail",
            "It is not bound to vfio-pci",
            "The card is on nvidia, and nothing rebinds it when the guest starts.",
            device=GPU,
            evidence=[cite("Kernel driver in use: nvidia", 52, "cmd/lspci-nnk")],
            remedy=[],
        ),
        check(
            "companion-function-unbound",
            "fail",
            "Another function of the card is held by the host",
            "01:00.1 is on snd_hda_intel.",
            device=GPU,
            confidence="weak",
            evidence=[cite("Kernel driver in use: snd_hda_intel", 58, "cmd/lspci-nnk")],
        ),
        check(
            "cmdline-useless",
            "fail",
            "A parameter does nothing",
            "video=efifb:off is ignored since Linux 5.18.",
            severity="advice",
            evidence=[cite("video=efifb:off", 12, "proc/cmdline")],
        ),
        check(
            "host-needs-device",
            "fail",
            "The host needs the device",
            "The root file system lies on this drive. 根文件系统在此驱动器上。",
            device=NVME,
            severity="risk",
            evidence=[cite("/dev/nvme0n1p3 / ext4 rw 0 0", None, "proc/mounts", "宿主机.tar.gz")],
            remedy=[{"kind": "person", "summary": "Give the guest another drive.", "commands": [], "files": []}],
        ),
    ]


def _unknown_and_rest() -> list[Check]:
    groups = {
        "path": "sys/kernel/iommu_groups/",
        "command": "find /sys/kernel/iommu_groups/ -type l | sort -V",
    }
    return [
        check("group-isolation", "unknown", "The group holds no obstacle", "", device=GPU, wanted=[groups]),
        check("group-isolation", "unknown", "The group holds no obstacle", "", device=NVME, wanted=[groups]),
        check(
            "interrupt-remapping",
            "unknown",
            "Interrupt remapping is enabled",
            "The log begins after the lines that tell.",
            wanted=[
                {"path": "proc/interrupts", "command": "cat /proc/interrupts"},
                {
                    "path": "cmd/dmesg",
                    "command": "journalctl -k -b --no-pager | grep -e DMAR -e AMD-Vi -e 'IRQ remapping'",
                },
            ],
        ),
        check(
            "cpu-virtualization",
            "pass",
            "The processor can virtualise",
            "vmx",
            evidence=[cite("flags: vmx", 2)],
        ),
        check("vfio-modules", "pass", "The VFIO modules are there"),
        check("rmrr-relaxed", "not-applicable", "No kernel ignores reserved memory"),
        check("x2apic", "not-applicable", "x2apic is used where it can be", severity="advice"),
        check(
            "unsafe-interrupts",
            "waived",
            "Interrupts are safe",
            "Waived by the administrator.",
            severity="risk",
        ),
    ]


def _steps() -> list[Step]:
    return [
        step(
            "kernel_parameter",
            "Remove iommu=off from the kernel command line and add intel_iommu=on",
            ["cmdline-disables-iommu", "cmdline-useless"],
            commands=["cp -a /etc/default/grub /etc/default/grub.before-passdoctor", "update-grub"],
            files=[GRUB],
            risk="A wrong line can keep the host from starting; the old entry stays in GRUB's menu.",
            undo=["cp -a /etc/default/grub.before-passdoctor /etc/default/grub", "update-grub"],
            verify=["cat /proc/cmdline"],
        ),
        step(
            "bind_ids",
            "Let vfio-pci take the card before nvidia does",
            ["vfio-bound", "companion-function-unbound"],
            files=[VFIO],
            commands=[WRITE_VFIO],
            undo=["rm /etc/modprobe.d/passdoctor-vfio.conf"],
            verify=["lspci -nnk -s 0000:01:00"],
        ),
        step(
            "rebuild",
            "Rebuild the initramfs of every kernel",
            ["vfio-bound", "cmdline-disables-iommu"],
            commands=["update-initramfs -u -k all"],
        ),
        step(
            "reboot",
            "Reboot once",
            ["vfio-bound", "cmdline-disables-iommu"],
            commands=["reboot"],
            reboot=True,
            verify=["find /sys/kernel/iommu_groups/ -type l | sort -V"],
        ),
        step(
            "kernel_parameter",
            "Speed up the host's own DMA with iommu=pt",
            [],
            optional=True,
            risk="Host devices are then no longer held in domains of their own.",
        ),
    ]


def _devices() -> list[Device]:
    return [
        device(BRIDGE, "Intel PCIe root port", "0604", "pcieport", ids="8086:460d", group=1, bridges=[]),
        device(
            GPU,
            "NVIDIA Corporation GA102 [GeForce RTX 3090 Ti]",
            "0300",
            "nvidia",
            group=17,
            group_members=[AUDIO],
            target=True,
            verdict="not-ready",
            because="It is on nvidia; the IOMMU is off.",
            bridges=[BRIDGE],
            merged_by={"reason": "functions without ACS", "address": "0000:01:00"},
        ),
        device(
            AUDIO,
            "NVIDIA Corporation GA102 High Definition Audio Controller",
            "0403",
            "snd_hda_intel",
            ids="10de:1aef",
            group=17,
            group_members=[GPU],
            because="Goes with 01:00.0.",
            bridges=[BRIDGE],
        ),
        device(
            NVME,
            "Samsung Electronics NVMe SSD <b>980</b> PRO \u202exyz",
            "0108",
            "nvme",
            ids="144d:a80a",
            target=True,
            verdict="not-ready",
            because="The host's root file system is on it.",
            bridges=None,
        ),
        device("0000:03:00.0", None, "0200", None, ids="8086:15f3", because="Would need vfio-pci.", bridges=None),
    ]


def sample_report() -> Report:
    """Two targets, four causes, unknowns, harmless lines, a contradiction and hostile evidence."""
    return {
        "schema_version": "1.0",
        "tool": {"name": "passdoctor", "version": "0.1.0", "rules": "00112233aabbccdd"},
        "subject": {"kind": "paste", "source": PASTE, "host": "pve1.example", "collected_at": "2025-05-01T12:00:00Z"},
        "platform": {
            "distribution": "Proxmox VE 8.2",
            "hypervisor": "proxmox",
            "kernel": "6.8.12-1-pve",
            "bootloader": "grub",
            "cpu_vendor": "intel",
            "board": "ASUS ROG STRIX Z690-A",
        },
        "profile": "passthrough",
        "summary": {
            "verdict": "not-ready",
            "headline": "0000:01:00.0 and 0000:02:00.0 cannot be passed through: the IOMMU is turned off.",
            "pass": 2,
            "fail": 6,
            "unknown": 3,
            "not_applicable": 2,
            "waived": 1,
        },
        "targets": [
            {"address": GPU, "because": "hostpci0 of VM 101", "confidence": "strong"},
            {"address": NVME, "because": "its id is in an ids= list", "confidence": "weak"},
        ],
        "causes": [
            {
                "check": "cmdline-disables-iommu",
                "device": None,
                "explains": [{"check": "iommu-active", "device": None}],
            },
            {
                "check": "vfio-bound",
                "device": GPU,
                "explains": [{"check": "companion-function-unbound", "device": GPU}],
            },
            {"check": "host-needs-device", "device": NVME, "explains": []},
            {"check": "cmdline-useless", "device": None, "explains": []},
        ],
        "checks": [*_failed(), *_unknown_and_rest()],
        "harmless": [
            {
                **cite("x2apic: IRQ remapping doesn't support X2APIC mode", 90),
                "why": "Printed with and without interrupt remapping; it proves neither.",
            },
            {**cite(HOSTILE, 91), "why": "Nobody knows, and it does nothing."},
        ],
        "contradictions": [
            {
                "fact": "the running kernel",
                "evidence": [
                    cite("6.8.12-1-pve", 1, "cmd/uname-r"),
                    cite("Linux version 6.5.11-8-pve", 3),
                ],
                "resolved": "6.8.12-1-pve, which is the later of the two",
            }
        ],
        "plan": {
            "platform": "Proxmox VE with GRUB",
            "assured": True,
            "notes": ["The initramfs of kernels that are no longer installed stays as it is."],
            "steps": _steps(),
            "reboots": 1,
            "dangers": [],
        },
        "devices": _devices(),
        "notes": ["The log does not reach back to the start of the boot."],
    }


def healthy_report() -> Report:
    """A host that is ready, with nothing to do."""
    report = sample_report()
    passed = [each for each in report["checks"] if each["status"] in ("pass", "not-applicable")]
    row = device(GPU, "NVIDIA GA102", "0300", "vfio-pci", group=17, target=True, verdict="ready", bridges=[])
    return {
        **report,
        "summary": {
            "verdict": "ready",
            "headline": "0000:01:00.0 can be passed through.",
            "pass": 2,
            "fail": 0,
            "unknown": 0,
            "not_applicable": 2,
            "waived": 0,
        },
        "targets": report["targets"][:1],
        "causes": [],
        "checks": passed,
        "harmless": [],
        "contradictions": [],
        "plan": {
            "platform": "Proxmox VE with GRUB",
            "assured": True,
            "notes": [],
            "steps": [],
            "reboots": 0,
            "dangers": [],
        },
        "devices": [row],
        "notes": [],
    }
