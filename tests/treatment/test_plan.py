"""Plans for hosts made by hand: the new lines, the order, the merging."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from doctor.diagnosis.finding import Cause
from doctor.evidence.types import EXCERPT, Piece
from doctor.treatment.plan import make_plan, remedies_for

from .hand_made import ENABLE, HOSTS, IDS, OPTION, PVE_ZFS, REMEDIES, UNLOAD, Failed, MakeFacts, one, plan_of


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("number", range(len(REMEDIES)))
def test_every_platform_does_every_step_sanely(
    host: str, number: int, make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    plan = plan_of(HOSTS[host], platforms, make_facts, failed("check", REMEDIES[number]))
    assert plan["steps"] or plan["notes"] or REMEDIES[number] in (UNLOAD, OPTION)
    for step in plan["steps"]:
        assert step["summary"]
        assert step["summary"][0] != ";"
        assert "{" not in step["summary"]
        assert "None" not in step["summary"]
        assert step["why"] == ["check"]
        for command in [*step["commands"], *step["verify"]]:
            assert command
            done = subprocess.run(["sh", "-n"], input=command, text=True, capture_output=True)
            assert done.returncode == 0, (command, done.stderr)
        for change in step["files"]:
            assert change["path"].startswith("/")
            assert change["after"] or change["before"] or "not seen" in step["summary"]
    assert plan["reboots"] in (0, 1)


@pytest.mark.parametrize("host", HOSTS)
def test_everything_at_once_edits_each_file_once_and_reboots_once(
    host: str, make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    findings = [failed(f"check-{at}", remedy) for at, remedy in enumerate(REMEDIES)]
    plan = plan_of(HOSTS[host], platforms, make_facts, *findings)
    paths = [change["path"] for step in plan["steps"] for change in step["files"]]
    assert len(paths) == len(set(paths))
    kinds = [step["kind"] for step in plan["steps"]]
    assert [step["kind"] for step in plan["steps"] if step["reboot"]] == ["firmware"]
    assert plan["reboots"] == 1
    assert kinds.count("initramfs") <= 1
    assert kinds[-1] == "verify"
    assert kinds[-2] == "firmware"


def test_proxmox_on_zfs_keeps_its_root(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    plan = plan_of(PVE_ZFS, platforms, make_facts, failed("cmdline-enables-iommu", ENABLE))
    change = one(plan, "kernel_parameter")["files"][0]
    assert change["path"] == "/etc/kernel/cmdline"
    assert change["after"] == ["root=ZFS=rpool/ROOT/pve-1 boot=zfs intel_iommu=on"]
    assert "-root=ZFS=rpool/ROOT/pve-1 boot=zfs\n+root=ZFS=rpool/ROOT/pve-1 boot=zfs intel_iommu=on" in change["diff"]
    assert one(plan, "bootloader")["commands"] == ["proxmox-boot-tool refresh"]
    assert any("/etc/default/grub already" in note for note in plan["notes"])


def test_proxmox_with_a_second_line_is_joined(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    host = {**PVE_ZFS, "etc/kernel/cmdline": "root=ZFS=rpool/ROOT/pve-1 boot=zfs\nintel_iommu=on\n"}
    change = one(plan_of(host, platforms, make_facts, failed("c", ENABLE)), "kernel_parameter")["files"][0]
    assert change["after"] == ["root=ZFS=rpool/ROOT/pve-1 boot=zfs intel_iommu=on"]
    assert change["diff"].count("\n-") == 2


@pytest.mark.parametrize(
    ("host", "commands"),
    [
        ("pve-grub", ["update-grub"]),
        ("pve-tool-grub", ["proxmox-boot-tool refresh"]),
        ("debian-grub", ["update-grub"]),
        ("ubuntu-2404", ["update-grub"]),
        ("opensuse", ["grub2-mkconfig -o /boot/grub2/grub.cfg"]),
        ("arch-grub", ["grub-mkconfig -o /boot/grub/grub.cfg"]),
    ],
)
def test_grub_lines(
    host: str, commands: list[str], make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    wrong = failed("cmdline-wrong-vendor", {"kernel_parameter": {"remove": ["amd_iommu=on"]}}, severity="advice")
    plan = plan_of(HOSTS[host], platforms, make_facts, failed("cmdline-enables-iommu", ENABLE), wrong)
    step = one(plan, "kernel_parameter")
    assert step["files"][0]["before"] == ['GRUB_CMDLINE_LINUX_DEFAULT="quiet amd_iommu=on"']
    assert step["files"][0]["after"] == ['GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on"']
    assert "remove amd_iommu=on (optional)" in step["summary"]
    assert step["why"] == ["cmdline-enables-iommu", "cmdline-wrong-vendor"]
    assert step["undo"] == ["mv /etc/default/grub.before-passdoctor /etc/default/grub"]
    assert one(plan, "bootloader")["commands"] == commands


def test_centos_7_names_the_file_for_bios_and_uefi(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    plan = plan_of(HOSTS["centos7"], platforms, make_facts, failed("c", ENABLE))
    assert one(plan, "kernel_parameter")["files"][0]["after"] == ['GRUB_CMDLINE_LINUX="rhgb quiet intel_iommu=on"']
    assert one(plan, "bootloader")["commands"][0].startswith("if [ -d /sys/firmware/efi ]")
    plan = plan_of({**HOSTS["centos7"], "sys/firmware/efi": "x"}, platforms, make_facts, failed("c", ENABLE))
    assert one(plan, "bootloader")["commands"] == ['grub2-mkconfig -o "$(readlink -f /etc/grub2-efi.cfg)"']


def test_bls_systems_use_grubby(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    finding = failed("c", {"kernel_parameter": {"add": ["intel_iommu=on", "iommu=pt"], "remove": ["intremap=off"]}})
    step = one(plan_of(HOSTS["el9"], platforms, make_facts, finding), "kernel_parameter")
    assert step["commands"] == [
        "grubby --update-kernel=ALL --remove-args=intremap=off --args='intel_iommu=on iommu=pt'"
    ]
    # Nobody saw whether intremap=off stood there, so going back does not put it there.
    assert step["undo"] == ["grubby --update-kernel=ALL --remove-args='intel_iommu=on iommu=pt'"]


def test_grubby_puts_back_what_was_seen(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    finding = failed("c", {"kernel_parameter": {"add": ["intel_iommu=on"], "remove": ["intremap=off"]}})
    entry = {"boot/loader/entries/a.conf": "title a\nlinux /vmlinuz\noptions root=x ro intremap=off\n"}
    host = {**HOSTS["el9"], "etc/default/grub": "GRUB_ENABLE_BLSCFG=true\n", **entry}
    step = one(plan_of(host, platforms, make_facts, finding), "kernel_parameter")
    assert step["undo"] == ["grubby --update-kernel=ALL --remove-args=intel_iommu=on --args=intremap=off"]


def test_loader_entries_on_arch(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    plan = plan_of(HOSTS["arch-sd"], platforms, make_facts, failed("c", ENABLE))
    change = one(plan, "kernel_parameter")["files"][0]
    assert change["after"] == ["options root=/dev/sda2 rw quiet intel_iommu=on"]


def test_an_unknown_loader_on_proxmox_gives_both_ways(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    plan = plan_of(HOSTS["pve-unknown"], platforms, make_facts, failed("c", ENABLE))
    assert one(plan, "find_loader")["commands"] == ["proxmox-boot-tool status"]
    ways = [step for step in plan["steps"] if step["kind"] == "kernel_parameter"]
    assert [step["files"][0]["path"] for step in ways] == ["/etc/kernel/cmdline", "/etc/default/grub"]
    assert all(step["summary"].startswith("If it says") for step in ways)
    assert "not seen" in ways[1]["summary"]
    assert "begins with GRUB_CMDLINE_LINUX_DEFAULT=" in ways[1]["summary"]
    assert plan["assured"] is False


def test_configured_but_not_running_needs_no_edit(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    host = {**HOSTS["debian-grub"], "etc/default/grub": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on"\n'}
    plan = plan_of(host, platforms, make_facts, failed("c", ENABLE))
    assert [step["kind"] for step in plan["steps"]] == ["bootloader", "reboot", "verify"]
    assert "configured already" in plan["steps"][0]["summary"]


def test_a_line_of_a_paste_without_a_file(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    pasted = (
        Piece("etc/default/grub", 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"', "p.txt", 3, state=EXCERPT),
        Piece(
            "etc/modprobe.d/pasted.conf",
            "options vfio-pci ids=10de:2203 disable_vga=1",
            "p.txt",
            9,
            state=EXCERPT,
        ),
    )
    facts = make_facts({"etc/os-release": "ID=debian"}, pieces=pasted)
    plan = make_plan([failed("c", ENABLE), failed("b", IDS)], (), facts, platforms)
    assert one(plan, "kernel_parameter")["files"][0]["after"] == ['GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on"']
    step = one(plan, "bind_ids")
    assert step["files"][0]["path"] == "/etc/modprobe.d/*.conf"
    assert step["files"][0]["after"] == ["options vfio-pci ids=10de:2203,10de:1aef disable_vga=1"]
    assert step["commands"] == []


def test_firmware_names_the_path_of_the_boards_maker(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    finding = failed("firmware-iommu-table", {"firmware": {"settings": ["vt_d", "no_such", "$(id)"]}})
    host = {**PVE_ZFS, "sys/class/dmi/id/board_vendor": "ASUSTeK COMPUTER INC.\n", "sys/firmware/efi": ""}
    plan = plan_of(host, platforms, make_facts, finding)
    step = one(plan, "firmware")
    assert "System Agent" in str(step["note"])
    assert '"VT-d"' in str(step["note"])
    assert step["commands"] == ["systemctl reboot --firmware-setup"]
    assert step["summary"] == ("Reboot into the firmware setup and set Intel VT-d (the IOMMU) to Enabled")
    assert plan["reboots"] == 1
    other = one(plan_of(PVE_ZFS, platforms, make_facts, finding), "firmware")
    assert "System Agent" not in str(other["note"])
    assert other["commands"] == ["systemctl reboot"]
    assert "press Del or F2" in other["summary"]


def test_the_order_of_causes_settles(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    one_, two = failed("a", {"load_modules": ["x"]}), failed("b", {"unload_modules": ["x"]})
    facts = make_facts({**HOSTS["debian-grub"], "etc/modules": "x\n"})
    plan = make_plan([one_, two], [Cause(two, (one_,))], facts, platforms)
    assert one(plan, "unload_modules")["files"][0]["before"] == ["x"]
    assert any("b holds" in note for note in plan["notes"])


def test_only_failures_count(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    for status in ("pass", "unknown", "waived", "not-applicable"):
        finding = failed("c", ENABLE, status=status)
        assert plan_of(PVE_ZFS, platforms, make_facts, finding)["steps"] == []
        assert remedies_for(finding, make_facts(PVE_ZFS), platforms) == []


def test_remedies_of_one_finding(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    found = remedies_for(failed("c", ENABLE), make_facts(PVE_ZFS), platforms)
    assert [remedy["kind"] for remedy in found] == ["kernel_parameter", "bootloader"]
    assert found[0]["files"][0]["after"] == ["root=ZFS=rpool/ROOT/pve-1 boot=zfs intel_iommu=on"]


def test_a_plan_of_advice_is_optional(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    host = {**HOSTS["debian-grub"], "etc/modules": "vfio_virqfd\n"}
    plan = plan_of(host, platforms, make_facts, failed("c", UNLOAD, severity="advice"))
    assert all(step["optional"] for step in plan["steps"])


def test_risk_is_carried(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    finding = failed("c", {**IDS, "risk": "This is the host's only display."})
    plan = plan_of(HOSTS["debian-grub"], platforms, make_facts, finding)
    assert one(plan, "bind_ids")["risk"] == "This is the host's only display."
