"""Steps for people (power off, another slot, other hardware), and whole lines of modprobe.d."""

from __future__ import annotations

from typing import Any

import pytest

from doctor.treatment.steps import BY_HAND, KINDS

from .hand_made import ENABLE, HOSTS, UNLOAD, Failed, MakeFacts, one, plan_of

CYCLE = {"power_cycle": True, "why": "The card may be hung."}
BLACK = {"blacklist": {"modules": ["irdma"]}}
VT_D = {"firmware": {"settings": ["vt_d"]}}


def test_what_only_a_person_can_do_is_a_kind() -> None:
    assert set(BY_HAND) < set(KINDS)


def test_the_power_is_off_in_the_plans_one_restart(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    plan = plan_of(HOSTS["debian-grub"], platforms, make_facts, failed("a", ENABLE), failed("b", CYCLE))
    step = one(plan, "power_cycle")
    assert plan["reboots"] == 1
    assert step["commands"] == ["systemctl poweroff"]
    assert "off the mains" in step["summary"]
    assert step["note"] == "The card may be hung."
    assert step["why"] == ["b", "a"]
    assert [kind["kind"] for kind in plan["steps"]][-2:] == ["power_cycle", "verify"]
    alone = plan_of(HOSTS["unraid"], platforms, make_facts, failed("b", CYCLE))
    assert one(alone, "power_cycle")["commands"] == ["poweroff"]


def test_the_firmware_setup_comes_after_the_power_was_off(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    plan = plan_of(HOSTS["debian-grub"], platforms, make_facts, failed("a", VT_D), failed("b", CYCLE))
    step = one(plan, "firmware")
    assert plan["reboots"] == 1
    assert step["commands"] == ["systemctl poweroff"]
    assert "start it, press Del or F2" in step["summary"]
    assert step["summary"].endswith("and set Intel VT-d (the IOMMU) to Enabled")
    optional = failed("b", {**CYCLE, "optional": True})
    plan = plan_of(HOSTS["debian-grub"], platforms, make_facts, failed("a", VT_D), optional)
    assert "start it (optional), press" in one(plan, "firmware")["summary"]


def test_another_slot(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    move = {"move_device": {"devices": ["0000:01:00.0"]}, "why": "Or pass the whole group."}
    step = one(plan_of(HOSTS["debian-grub"], platforms, make_facts, failed("a", move)), "move_device")
    assert step["summary"] == "Move 0000:01:00.0 to another slot, best one that is wired to the CPU"
    assert step["note"] == "Or pass the whole group."
    bad = {"move_device": {"devices": ["$(id)"]}}
    assert plan_of(HOSTS["debian-grub"], platforms, make_facts, failed("a", bad))["steps"] == []


def test_the_ports_that_are_free(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    ports = (
        "00:00.0 Host bridge [0600]: Intel [8086:a703]\n"
        "00:01.0 PCI bridge [0604]: Intel [8086:a70d]\n"
        "\tBus: primary=00, secondary=01, subordinate=01, sec-latency=0\n"
        "\tCapabilities: [40] Express (v2) Root Port (Slot+), MSI 00\n"
        "\tCapabilities: [100 v1] Advanced Error Reporting\n"
        "00:06.0 PCI bridge [0604]: Intel [8086:a74d]\n"
        "\tBus: primary=00, secondary=02, subordinate=02, sec-latency=0\n"
        "\tCapabilities: [40] Express (v2) Root Port (Slot+), MSI 00\n"
        "\tCapabilities: [220 v1] Access Control Services\n"
        "\t\tACSCap:\tSrcValid+ TransBlk+ ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans-\n"
        "\t\tACSCtl:\tSrcValid+ TransBlk- ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans-\n"
        "01:00.0 VGA compatible controller [0300]: NVIDIA [10de:2203]\n"
    )
    move = {"move_device": {"devices": ["0000:01:00.0"]}}
    plan = plan_of({**HOSTS["debian-grub"], "cmd/lspci-nnk": ports}, platforms, make_facts, failed("a", move))
    note = one(plan, "move_device")["note"]
    assert note is None or note == "Nothing is behind these ports, which isolate: 0000:00:06.0."


def test_other_hardware(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    plan = plan_of(HOSTS["debian-grub"], platforms, make_facts, failed("a", {"other_hardware": "Pass another card."}))
    assert [(step["kind"], step["summary"]) for step in plan["steps"]] == [("other_hardware", "Pass another card.")]


def test_a_module_is_blacklisted_once(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    step = one(plan_of(HOSTS["debian-grub"], platforms, make_facts, failed("a", BLACK)), "blacklist")
    assert step["files"][0]["after"] == ["blacklist irdma"]
    assert step["files"][0]["path"] == "/etc/modprobe.d/vfio.conf"
    there = {**HOSTS["debian-grub"], "etc/modprobe.d/own.conf": "blacklist irdma\n"}
    assert plan_of(there, platforms, make_facts, failed("a", BLACK))["steps"] == []


@pytest.mark.parametrize("directive", ["blacklist", "install"])
def test_a_line_is_taken_out(directive: str, make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    line = f"{directive} vfio-pci" + (" /bin/false" if directive == "install" else "")
    host = {**HOSTS["debian-grub"], "etc/modprobe.d/black.conf": f"blacklist nouveau\n{line}\n"}
    drop = {"remove_line": {"directive": directive, "modules": ["vfio_pci"]}}
    plan = plan_of(host, platforms, make_facts, failed("a", drop))
    change = one(plan, "remove_line")["files"][0]
    assert (change["before"], change["after"]) == ([line], [])
    assert one(plan, "initramfs")["commands"] == ["update-initramfs -u -k all"]
    alone = {**HOSTS["debian-grub"], "etc/modprobe.d/black.conf": f"{line}\n"}
    assert "delete the file" in one(plan_of(alone, platforms, make_facts, failed("a", drop)), "remove_line")["summary"]


def test_a_line_that_was_not_seen_is_told(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    drop = {"remove_line": {"directive": "blacklist", "modules": ["vfio_pci", "$(id)"]}}
    step = one(plan_of(HOSTS["debian-grub"], platforms, make_facts, failed("a", drop)), "remove_line")
    assert "was not seen" in step["summary"]
    assert step["commands"] == ["grep -rsw vfio_pci /etc/modprobe.d/ /lib/modprobe.d/"]


@pytest.mark.parametrize("host", ["nixos", "unraid", "truenas"])
def test_what_goes_leaves_no_open_sentence(
    host: str, make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    files = {**HOSTS[host], "etc/modules": "vfio\nvfio_virqfd\n"}
    summary = one(plan_of(files, platforms, make_facts, failed("a", UNLOAD)), "unload_modules")["summary"]
    assert "vfio_virqfd" in summary
    assert not summary.endswith((":", ": "))
