"""Plans about modules: ids, addresses, options, lists."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from .hand_made import ADDRESSES, HOSTS, IDS, LOAD, UNLOAD, Failed, MakeFacts, one, plan_of


def test_ids_are_united_in_the_present_line(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    host = {
        **HOSTS["debian-grub"],
        "etc/modprobe.d/gpu.conf": "options vfio-pci ids=1002:67df disable_vga=1\nsoftdep nvidia pre: vfio-pci\n",
    }
    audio = {"bind_ids": {"ids": ["10de:1aef"], "drivers": ["snd_hda_intel"]}}
    plan = plan_of(host, platforms, make_facts, failed("b", IDS), failed("c", audio))
    change = one(plan, "bind_ids")["files"][0]
    assert change["after"] == ["options vfio-pci ids=1002:67df,10de:2203,10de:1aef disable_vga=1"]
    assert one(plan, "softdep")["files"][0]["after"] == [
        "softdep nouveau pre: vfio-pci",
        "softdep snd_hda_intel pre: vfio-pci",
    ]
    assert one(plan, "initramfs")["commands"] == ["update-initramfs -u -k all"]


def test_two_changes_of_one_options_line_both_hold(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    host = {
        **HOSTS["debian-grub"],
        "etc/modprobe.d/vfio.conf": "options vfio-pci ids=10de:2203 disable_vga=1\n",
    }
    vga = {"module_option": {"module": "vfio-pci", "remove": ["disable_vga"], "set": {"disable_idle_d3": 1}}}
    plan = plan_of(host, platforms, make_facts, failed("b", IDS), failed("c", vga))
    after = one(plan, "bind_ids")["files"][0]["after"]
    assert after[0] == "options vfio-pci ids=10de:2203,10de:1aef"
    assert "options vfio-pci disable_idle_d3=1" in after


def test_a_built_in_vfio_pci_takes_its_ids_from_the_command_line(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    plan = plan_of(HOSTS["ubuntu-2204"], platforms, make_facts, failed("b", IDS))
    assert one(plan, "kernel_parameter")["files"][0]["after"] == [
        'GRUB_CMDLINE_LINUX_DEFAULT="quiet amd_iommu=on vfio-pci.ids=10de:2203,10de:1aef"'
    ]
    assert not [step for step in plan["steps"] if step["kind"] == "bind_ids"]
    builtin = {"lib/modules/6.8.0-31-generic/modules.builtin": "kernel/drivers/vfio/pci/vfio-pci.ko\n"}
    plan = plan_of({**HOSTS["ubuntu-2404"], **builtin}, platforms, make_facts, failed("b", IDS))
    assert "vfio-pci.ids=" in one(plan, "kernel_parameter")["files"][0]["after"][0]


def test_ids_that_stand_on_the_command_line_stay_there(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    host = {
        **HOSTS["debian-grub"],
        "etc/default/grub": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet vfio-pci.ids=10de:2203 splash"\n',
    }
    plan = plan_of(host, platforms, make_facts, failed("b", IDS))
    assert one(plan, "kernel_parameter")["files"][0]["after"] == [
        'GRUB_CMDLINE_LINUX_DEFAULT="quiet vfio-pci.ids=10de:2203,10de:1aef splash"'
    ]


def test_address_binding_by_script(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    more = {"bind_addresses": {"addresses": ["0000:0a:00.0"], "drivers": []}}
    plan = plan_of(HOSTS["debian-grub"], platforms, make_facts, failed("b", ADDRESSES), failed("c", more))
    step = one(plan, "bind_addresses")
    change = step["files"][0]
    assert change["path"] == "/etc/initramfs-tools/scripts/init-top/bind-vfio"
    assert change["path"].rpartition("/")[2] < "udev", "the script must run before the one that loads drivers"
    assert "chmod 0755 /etc/initramfs-tools/scripts/init-top/bind-vfio" in step["commands"]
    script = "\n".join(change["after"]) + "\n"
    assert "for address in 0000:05:00.0 0000:05:00.1 0000:0a:00.0; do" in script
    for checker in (["sh", "-n"], ["shellcheck", "--shell=sh", "-"]):
        try:
            done = subprocess.run(checker, input=script, text=True, capture_output=True)
        except FileNotFoundError:
            continue  # shellcheck is not everywhere
        assert done.returncode == 0, done.stdout
    prereqs = subprocess.run(["sh", "-s", "prereqs"], input=script, text=True, capture_output=True)
    assert prereqs.stdout.strip() == ""
    assert "vfio_pci" in one(plan, "load_modules")["files"][0]["after"]


@pytest.mark.parametrize("host", ["fedora", "arch-grub", "opensuse"])
def test_address_binding_by_install_line(
    host: str, make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    plan = plan_of(HOSTS[host], platforms, make_facts, failed("b", ADDRESSES))
    line = one(plan, "bind_addresses")["files"][0]["after"][0]
    assert line.startswith("install vfio-pci for a in 0000:05:00.0 0000:05:00.1; do")
    done = subprocess.run(["sh", "-n"], input=line.partition("vfio-pci ")[2], text=True, capture_output=True)
    assert done.returncode == 0
    early = one(plan, "load_modules")["files"][0]["after"][0]
    assert early in (
        "MODULES=(vfio_pci vfio vfio_iommu_type1 i915)",
        'force_drivers+=" vfio_pci vfio vfio_iommu_type1 "',
    )


def test_lists_of_modules(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    host = {
        **HOSTS["debian-grub"],
        "etc/modules": "# list\nvfio\nvfio_virqfd\n",
        "etc/initramfs-tools/modules": "vfio_virqfd\n",
        "etc/dracut.conf.d/v.conf": 'force_drivers+=" vfio vfio_virqfd "\n',
    }
    obsolete = failed("vfio-virqfd-obsolete", UNLOAD, severity="advice")
    plan = plan_of(host, platforms, make_facts, failed("vfio-modules", LOAD), obsolete)
    changes = {change["path"]: change["after"] for step in plan["steps"] for change in step["files"]}
    assert changes["/etc/modules"] == ["vfio_iommu_type1", "vfio_pci"]
    assert changes["/etc/initramfs-tools/modules"] == []
    assert changes["/etc/dracut.conf.d/v.conf"] == ['force_drivers+=" vfio "']
    steps = {change["path"]: step for step in plan["steps"] for change in step["files"]}
    assert "no longer load vfio_virqfd (optional)" in steps["/etc/modules"]["summary"]
    assert steps["/etc/modules"]["optional"] is False
    assert steps["/etc/initramfs-tools/modules"]["optional"] is True


def test_ids_that_another_check_types_become_one_list(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    typo = failed(
        "cmdline-typo",
        {"kernel_parameter": {"add": ["vfio_pci.ids=8086:9a49"], "remove": ["vfio-pci-ids=8086:9a49"]}},
        severity="advice",
    )
    host = {
        **HOSTS["debian-grub"],
        "etc/default/grub": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet vfio-pci-ids=8086:9a49"\n',
    }
    step = one(plan_of(host, platforms, make_facts, typo, failed("vfio-bound", IDS)), "kernel_parameter")
    assert step["files"][0]["after"] == [
        'GRUB_CMDLINE_LINUX_DEFAULT="quiet vfio-pci.ids=8086:9a49,10de:2203,10de:1aef"'
    ]
    assert step["why"] == ["vfio-bound", "cmdline-typo"]
    assert step["optional"] is False


def test_drivers_whose_module_bears_another_name(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    finding = failed("c", {"softdep": {"drivers": ["xhci_hcd"], "before": "vfio-pci"}})
    change = one(plan_of(HOSTS["debian-grub"], platforms, make_facts, finding), "softdep")["files"][0]
    assert change["after"] == ["softdep xhci_pci pre: vfio-pci"]


def test_a_list_that_was_not_seen_is_told(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> None:
    step = one(plan_of(HOSTS["debian-grub"], platforms, make_facts, failed("c", UNLOAD)), "unload_modules")
    assert "not seen" in step["summary"]
    assert step["commands"][0].startswith("grep -rsw vfio_virqfd /etc/modules ")


def test_the_copy_of_a_script_leaves_the_folder_of_scripts(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    path = "etc/initramfs-tools/scripts/init-top/bind-vfio"
    old = "#!/bin/sh\nfor address in 0000:03:00.0; do\ndone\n"
    plan = plan_of({**HOSTS["debian-grub"], path: old}, platforms, make_facts, failed("b", ADDRESSES))
    step = one(plan, "bind_addresses")
    assert step["commands"][0] == f"cp -a /{path} /root/bind-vfio.before-passdoctor"
    assert step["undo"] == [f"mv /root/bind-vfio.before-passdoctor /{path}"]
    assert "for address in 0000:03:00.0 0000:05:00.0 0000:05:00.1; do" in step["files"][0]["after"]


def test_what_is_configured_and_not_in_effect_needs_a_rebuild(
    make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]
) -> None:
    lines = "options vfio-pci ids=10de:2203,10de:1aef\nsoftdep nvidia pre: vfio-pci\nsoftdep nouveau pre: vfio-pci\n"
    host = {**HOSTS["debian-grub"], "etc/modprobe.d/vfio.conf": lines}
    plan = plan_of(host, platforms, make_facts, failed("c", IDS))
    assert [step["kind"] for step in plan["steps"] if step["kind"] != "verify"] == ["initramfs", "reboot"]
    assert "may hold older copies" in plan["steps"][0]["summary"]
    assert plan["steps"][0]["commands"] == ["update-initramfs -u -k all"]
