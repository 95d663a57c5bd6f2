"""Hostile evidence: none of its words may reach a command, a new line or an undo."""

from __future__ import annotations

import re
from typing import Any

import pytest

from doctor.treatment.plan import make_plan

from .hand_made import Failed, MakeFacts

MARK = "INJECTED"
ATTACKS = [
    f"$({MARK})",
    f"`{MARK}`",
    f";{MARK};",
    f"'{MARK}'",
    f'"{MARK}"',
    f"&{MARK}",
    f"|{MARK}",
    f"\n{MARK}\n",
    f"\\{MARK}",
    f">{MARK}",
    f"\u202e{MARK}",
    f"{MARK}\u200b",
    f"\u0430{MARK}",
    f"\x1b[2J{MARK}",
    f"${{{MARK}}}",
    f"#{MARK}",
    f"({MARK})",
    f"\r{MARK}",
    f"\u2028{MARK}",
]


PLAIN_LINE = re.compile(r"""\+?GRUB_CMDLINE_LINUX(?:_DEFAULT)?=(["'])[A-Za-z0-9_.,:=/@+% -]*\1""", re.ASCII)


def generated(plan: Any) -> str:
    """All text that somebody could copy into a shell or a file."""
    said: list[str] = []
    for step in plan["steps"]:
        said += [*step["commands"], *step["undo"], *step["verify"]]
        for change in step["files"]:
            said += change["after"]
            said += [line for line in change["diff"].splitlines() if line.startswith("+")]
    return "\n".join(said)


@pytest.mark.parametrize("attack", ATTACKS)
def test_remedies_with_hostile_values(
    attack: str, make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    findings = [
        failed("a", {"kernel_parameter": {"add": [f"x={attack}"], "remove": [attack, f"y{attack}"]}}),
        failed("b", {"load_modules": [attack, f"vfio{attack}"]}),
        failed("c", {"unload_modules": [attack]}),
        failed("d", {"module_option": {"module": f"m{attack}", "set": {"o": "1"}, "remove": [attack]}}),
        failed("e", {"module_option": {"module": "m", "set": {"o": attack, f"o{attack}": "1"}}}),
        failed("f", {"softdep": {"drivers": [f"nvidia{attack}"], "before": "vfio-pci"}}),
        failed("g", {"softdep": {"drivers": ["nvidia"], "before": f"vfio-pci{attack}"}}),
        failed("h", {"bind_ids": {"ids": [f"10de:2203{attack}"], "drivers": [attack]}}),
        failed("i", {"bind_addresses": {"addresses": [f"0000:01:00.0{attack}"], "drivers": [attack]}}),
        failed("j", {"firmware": {"settings": [attack]}}),
        failed("k", {"vm_config": {"vm": f"100{attack}", "set": {"onboot": "0"}}}),
        failed("l", {"vm_config": {"vm": "100", "set": {"onboot": attack, attack: "1"}, "remove": [attack]}}),
    ]
    for host in ({}, {"etc/os-release": "ID=fedora"}, {"cmd/uname-a": "Linux p 6.8.12-9-pve #1"}):
        plan = make_plan(findings, (), make_facts(host), platforms)
        assert MARK not in generated(plan)
        assert not any(MARK in note for note in plan["notes"])


@pytest.mark.parametrize("attack", ATTACKS)
def test_files_with_hostile_lines(
    attack: str, make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    host = {
        "etc/os-release": f"ID=debian\nVERSION_ID={attack}",
        "proc/cmdline": f"BOOT_IMAGE=(hd0,1)/vmlinuz root=x{attack}",
        "etc/default/grub": f'GRUB_CMDLINE_LINUX_DEFAULT="quiet a={attack}"\nGRUB_CMDLINE_LINUX={attack}\n',
        "etc/modprobe.d/vfio.conf": f"options vfio-pci ids=10de:2203,{attack} x={attack}\ninstall vfio-pci {attack}\n",
        "etc/modules": f"vfio{attack}\nvfio_virqfd {attack}\n",
        "etc/mkinitcpio.conf": f"MODULES=(vfio_virqfd {attack})\n",
        "etc/dracut.conf.d/x.conf": f'force_drivers+=" vfio_virqfd {attack} "\n',
        f"etc/default/grub.d/{attack}.cfg": "GRUB_CMDLINE_LINUX_DEFAULT=amd_iommu=on\n",
        f"etc/modprobe.d/{attack}.conf": "options vfio_iommu_type1 allow_unsafe_interrupts=1\n",
        f"etc/modules-load.d/{attack}.conf": "vfio_virqfd\nvfio\n",
        "sys/class/dmi/id/board_vendor": attack,
    }
    findings = [
        failed("a", {"kernel_parameter": {"add": ["intel_iommu=on"], "remove": ["amd_iommu=on"]}}),
        failed("b", {"bind_ids": {"ids": ["10de:2203", "10de:1aef"], "drivers": ["nvidia"]}}),
        failed("c", {"bind_addresses": {"addresses": ["0000:01:00.0"], "drivers": ["nvidia"]}}),
        failed("d", {"unload_modules": ["vfio_virqfd"]}),
        failed("e", {"load_modules": ["vfio_pci"]}),
        failed("f", {"module_option": {"module": "vfio_iommu_type1", "remove": ["allow_unsafe_interrupts"]}}),
    ]
    for distribution in ("debian", "arch", "fedora", "centos"):
        host["etc/os-release"] = f"ID={distribution}\nVERSION_ID={attack}"
        plan = make_plan(findings, (), make_facts(host), platforms)
        for line in generated(plan).split("\n"):
            # The shell itself may take quotes off: what is left is a plain word then, and may stay.
            assert MARK not in line or PLAIN_LINE.fullmatch(line)
            assert attack not in line
        for step in plan["steps"]:
            assert "\n" not in step["summary"]
            assert "\u202e" not in step["summary"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_bls_words_do_not_reach_grubby(
    attack: str, make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    host = {
        "etc/os-release": "ID=rocky\nVERSION_ID=9",
        "proc/cmdline": "BOOT_IMAGE=(hd0,1)/vmlinuz",
        "etc/default/grub": "GRUB_ENABLE_BLSCFG=true\n",
        "boot/loader/entries/a.conf": f"options root=x iommu={attack} iommu=off{attack}\n",
    }
    finding = failed("a", {"kernel_parameter": {"add": ["iommu=pt"], "remove": ["iommu=off"]}})
    assert MARK not in generated(make_plan([finding], (), make_facts(host), platforms))


def test_an_unsafe_present_line_is_shown_and_told(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    line = 'GRUB_CMDLINE_LINUX_DEFAULT="quiet x=$(hostname)"'
    facts = make_facts({"etc/os-release": "ID=debian", "etc/default/grub": line + "\n"})
    finding = failed("a", {"kernel_parameter": {"add": ["intel_iommu=on"]}})
    step = make_plan([finding], (), facts, platforms)["steps"][0]
    assert step["files"][0]["before"] == [line]
    assert step["files"][0]["after"] == []
    assert step["files"][0]["diff"] == ""
    assert "add intel_iommu=on" in step["summary"]
    assert "GRUB_CMDLINE_LINUX_DEFAULT" in step["summary"]


def test_a_redacted_line_is_never_given_back(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    stand_in = "root=UUID=facade00-1f2e-41b2-8c3d-0123456789ab ro"
    host = {
        "cmd/uname-a": "Linux p 6.8.12-9-pve #1",
        "etc/kernel/cmdline": stand_in + "\n",
        "proc/cmdline": "initrd=\\EFI\\proxmox\\6.8.12-9-pve\\initrd.img",
    }
    finding = failed("a", {"kernel_parameter": {"add": ["intel_iommu=on"]}})
    plan = make_plan([finding], (), make_facts(host), platforms)
    assert "facade" not in generated(plan)
    assert plan["steps"][0]["files"][0]["before"] == [stand_in]
    assert "add intel_iommu=on" in plan["steps"][0]["summary"]
