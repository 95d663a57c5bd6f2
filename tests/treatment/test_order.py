"""The order of a plan: edits by cause, then what brings them into effect; what is said and shown once."""

from __future__ import annotations

from typing import Any

from doctor.diagnosis.finding import Cause
from doctor.treatment.plan import make_plan

from .hand_made import ADDRESSES, ENABLE, HOSTS, LOAD, OPTION, UNLOAD, Failed, MakeFacts, one, plan_of

VT_D = {"firmware": {"settings": ["vt_d"]}}
ACS = {"kernel_parameter": {"remove": ["pcie_acs_override"]}, "why": "Look at the groups."}


def kinds(plan: Any) -> list[str]:
    return [step["kind"] for step in plan["steps"]]


def test_edits_follow_the_causes(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    host = {**HOSTS["debian-grub"], "etc/modules": "vfio_virqfd\n"}
    line, option = (
        failed("line", ENABLE),
        failed("option", {"module_option": {"module": "kvm", "set": {"a": 1}}}),
    )
    modules, slot = failed("list", UNLOAD, severity="advice"), failed("slot", {"person": "Move it."})
    extra = failed("extra", {"vm_config": {"vm": 101, "set": {"onboot": 0}}, "optional": True})
    visit = failed("visit", VT_D)
    found = [modules, visit, slot, option, line, extra]
    causes = [Cause(line, (extra,)), Cause(option, ()), Cause(slot, ()), Cause(visit, ()), Cause(modules, ())]
    plan = make_plan(found, causes, make_facts(host), platforms)
    assert kinds(plan) == [
        "kernel_parameter",
        "vm_config",
        "module_option",
        "person",
        "unload_modules",
        "bootloader",
        "initramfs",
        "firmware",
        "verify",
    ]
    assert plan["reboots"] == 1


def test_alternatives_stay_together(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    first, second = (
        failed("option", {"module_option": {"module": "kvm", "set": {"a": 1}}}),
        failed("c", ENABLE),
    )
    facts = make_facts(HOSTS["pve-unknown"])
    plan = make_plan([first, second], [Cause(first, ()), Cause(second, ())], facts, platforms)
    edits = ["module_option", "find_loader", "kernel_parameter", "kernel_parameter"]
    assert kinds(plan) == [*edits, "bootloader", "bootloader", "initramfs", "reboot", "verify"]


def test_verification_begins_with_the_first_cause(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    host = {**HOSTS["debian-grub"], "etc/modules": "vfio_virqfd\n"}
    old, visit = failed("list", UNLOAD, severity="advice"), failed("visit", VT_D)
    drivers = failed("softdep", {"softdep": {"drivers": ["nvidia"], "before": "vfio-pci"}})
    found = [old, drivers, failed("bind", ADDRESSES), visit]
    plan = make_plan(found, [Cause(visit, ()), *(Cause(one_, ()) for one_ in found[:3])], make_facts(host), platforms)
    assert one(plan, "verify")["commands"] == [
        "ls /sys/firmware/acpi/tables/DMAR /sys/class/iommu",
        "lsmod | grep vfio",
        "lspci -nnk -s 0000:05:00",
    ]
    shown = {command for step in plan["steps"] for command in step["verify"]}
    assert shown == set(one(plan, "verify")["commands"])


def test_a_removed_override_is_verified_by_the_groups(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    grub = 'GRUB_CMDLINE_LINUX_DEFAULT="quiet pcie_acs_override=downstream"\n'
    host = {**HOSTS["debian-grub"], "etc/default/grub": grub}
    plan = plan_of(host, platforms, make_facts, failed("acs", ACS))
    wanted = ["find /sys/kernel/iommu_groups/ -type l", "cat /proc/cmdline"]
    assert one(plan, "verify")["commands"] == wanted
    assert one(plan, "kernel_parameter")["note"] == (
        "Look at the groups. Put the + line in place of the - line and save."
    )
    assert [step["note"] for step in plan["steps"] if step["kind"] != "kernel_parameter"] == [None] * 3


def test_a_reason_is_told_by_the_update_where_nothing_is_edited(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    plan = plan_of(HOSTS["debian-grub"], platforms, make_facts, failed("acs", ACS))
    assert one(plan, "bootloader")["note"] == "Look at the groups."


def test_present_lines_are_edited_in_an_editor(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    step = one(plan_of(HOSTS["debian-grub"], platforms, make_facts, failed("c", ENABLE)), "kernel_parameter")
    assert step["commands"] == [
        "cp -a /etc/default/grub /etc/default/grub.before-passdoctor",
        "nano /etc/default/grub",
    ]
    step = one(plan_of(HOSTS["centos7"], platforms, make_facts, failed("c", ENABLE)), "kernel_parameter")
    assert step["commands"][-1] == "vi /etc/default/grub"
    step = one(plan_of(HOSTS["debian-unseen"], platforms, make_facts, failed("c", ENABLE)), "kernel_parameter")
    assert step["summary"].startswith("In /etc/default/grub: add intel_iommu=on; this goes in the line that ")
    assert step["note"] == "Change the line as said here and save."
    assert step["commands"][-1] == "nano /etc/default/grub"


def test_a_file_of_one_directive_is_deleted(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    path = "etc/modprobe.d/iommu_unsafe_interrupts.conf"
    line = "options vfio_iommu_type1 allow_unsafe_interrupts=1"
    host = {**HOSTS["debian-grub"], path: f"# mine\n\n{line}\n"}
    step = one(plan_of(host, platforms, make_facts, failed("c", OPTION)), "module_option")
    assert step["summary"].endswith(f": delete the file /{path}, which holds nothing else")
    assert step["commands"] == [f"mv /{path} /{path}.before-passdoctor"]
    assert step["undo"] == [f"mv /{path}.before-passdoctor /{path}"]
    assert step["note"] is None
    assert "+++ /dev/null" in step["files"][0]["diff"]
    host[path] += "options kvm ignore_msrs=1\n"
    step = one(plan_of(host, platforms, make_facts, failed("c", OPTION)), "module_option")
    assert step["note"] == "Delete the - line and save."


def test_the_same_addresses_in_another_order_are_the_same(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    turned = {"bind_addresses": {"addresses": ["0000:05:00.1", "0000:05:00.0"], "drivers": ["nvidia"]}}
    found = failed("b", turned), failed("b", ADDRESSES), failed("c", ADDRESSES)
    step = one(plan_of(HOSTS["debian-grub"], platforms, make_facts, *found), "bind_addresses")
    assert step["summary"] == (
        "Bind 0000:05:00.0, 0000:05:00.1 to vfio-pci, by address, in /etc/initramfs-tools/scripts/init-top/bind-vfio"
    )
    assert step["why"] == ["b", "c"]


def test_no_softdep_where_the_override_comes_first(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    for host in ("debian-grub", "fedora", "opensuse"):
        assert "softdep" not in str(plan_of(HOSTS[host], platforms, make_facts, failed("b", ADDRESSES)))
    assert "softdep" in str(plan_of(HOSTS["arch-grub"], platforms, make_facts, failed("b", ADDRESSES)))


def test_a_setting_that_comes_with_another_is_only_named(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    both = failed("c", {"firmware": {"settings": ["vt_d", "interrupt_remapping"]}})
    step = one(plan_of(HOSTS["debian-grub"], platforms, make_facts, both), "firmware")
    assert "set Interrupt remapping to Enabled too, where there is such a setting" in step["summary"]
    assert "Interrupt Remapping" not in str(step["note"])
    alone = failed("c", {"firmware": {"settings": ["interrupt_remapping"]}})
    step = one(plan_of(HOSTS["debian-grub"], platforms, make_facts, alone), "firmware")
    assert '"Interrupt Remapping"' in str(step["note"])


def test_an_optional_setting_on_the_way_of_a_needed_reboot(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    found = failed("a", {**VT_D, "optional": True}), failed("b", ENABLE)
    step = one(plan_of(HOSTS["unraid"], platforms, make_facts, *found), "firmware")
    assert step["summary"].endswith("set Intel VT-d (the IOMMU) to Enabled (optional)")
    assert step["optional"] is False
    assert step["commands"] == ["reboot"], "Unraid has no systemctl"


def test_lists_of_modules_are_written_by_a_here_document(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    step = one(plan_of(HOSTS["debian-grub"], platforms, make_facts, failed("c", LOAD)), "load_modules")
    path = "/etc/modules-load.d/vfio.conf"
    assert step["commands"][-1] == f"cat >> {path} <<'EOF'\nvfio\nvfio_iommu_type1\nvfio_pci\nEOF"
