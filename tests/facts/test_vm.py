"""Which devices virtual machines' configurations name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.evidence.paste import open_paste
from doctor.evidence.types import Evidence, Piece
from doctor.facts.vm import Machine, read

GPU, AUDIO = "0000:01:00.0", "0000:01:00.1"


def vms(path: str, text: str, **more: Any) -> list[Machine]:
    evidence = Evidence("directory", "d", [Piece(path, text, "p", **more)])
    return read(evidence)


def conf(text: str, **more: Any) -> Machine:
    (found,) = vms("etc/pve/qemu-server/101.conf", text, **more)
    return found


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("01:00.0", [(GPU, False)]),
        ("01:00", [("0000:01:00", True)]),
        ("0000:0A:00.1,pcie=1,x-vga=on", [("0000:0a:00.1", False)]),
        ("host=01:00.0;01:00.1,pcie=1", [(GPU, False), (AUDIO, False)]),
        ("01:00;0a:00.0", [("0000:01:00", True), ("0000:0a:00.0", False)]),
        ("pcie=1,host=01:00.0", [(GPU, False)]),
        ("10000:e1:00.0", [("10000:e1:00.0", False)]),
        ("01:00.0,romfile=01:02.3", [(GPU, False)]),
    ],
)
def test_hostpci(value: str, expected: list[tuple[str, bool]]) -> None:
    found = conf(f"machine: q35\nhostpci0: {value}\n")
    assert [(device.address, device.whole_slot) for device in found.devices] == expected
    assert all(device.key == "hostpci0" and device.source.line == 2 for device in found.devices)
    assert (found.id, found.manager, found.devices[0].managed) == ("101", "proxmox", True)


MAPPING = """gpu
	description the big one
	map id=10de:2204,iommugroup=12,node=left,path=0000:01:00,subsystem-id=1458:403b
	map id=10de:2204,iommugroup=14,node=right,path=0000:0a:00.0;0000:0a:00.1

nic
	map id=8086:1572,iommugroup=3,node=left,path=0000:03:00.0
"""


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("left", [("0000:01:00", True)]),
        ("right.example.org", [("0000:0a:00.0", False), ("0000:0a:00.1", False)]),
        ("", [("0000:01:00", True), ("0000:0a:00.0", False), ("0000:0a:00.1", False)]),
    ],
)
def test_a_resource_mapping_names_what_this_node_has(node: str, expected: list[tuple[str, bool]]) -> None:
    pieces = [
        Piece("etc/pve/mapping/pci.cfg", MAPPING, "p"),
        Piece("etc/pve/qemu-server/101.conf", "hostpci0: mapping=gpu,pcie=1\nmachine: q35\n", "p"),
        Piece("proc/sys/kernel/hostname", node, "p"),
    ]
    evidence = Evidence("directory", "d", pieces)
    (found,) = read(evidence)
    assert [(device.address, device.whole_slot) for device in found.devices] == expected


@pytest.mark.parametrize("value", ["mapping=gpu,pcie=1", "none", "", "1:0.0", "gpu0"])
def test_a_hostpci_without_an_address_names_nothing(value: str) -> None:
    assert vms("etc/pve/qemu-server/101.conf", f"hostpci0: {value}\n") == []


def test_a_line_is_cited_as_it_stands() -> None:
    found = conf("hostpci0: 01:00.0,pcie=1\nmachine: q35\nonboot: 1\n")
    assert found.devices[0].source.text == "hostpci0: 01:00.0,pcie=1"


def test_args_are_words_for_qemu_that_nobody_binds_for() -> None:
    found = conf("args: -cpu host -device vfio-pci,host=01:00.0,id=x\nmachine: q35\n")
    assert [(device.address, device.key, device.managed) for device in found.devices] == [(GPU, "args", False)]


def test_the_machine_of_a_command_line() -> None:
    line = "kvm -id 100 -machine 'type=pc-q35-8.1+pve0' -device 'vfio-pci,host=0000:01:00.0,id=hostpci0.0'"
    (found,) = vms("cmd/messages", line)
    assert found.machine.value == "pc-q35-8.1+pve0"
    assert [(device.address, device.whole_slot, device.managed) for device in found.devices] == [
        ("0000:01:00", True, True)
    ]


def test_snapshots_and_pending_changes_are_not_the_present_state() -> None:
    found = conf("hostpci0: 01:00.0\nonboot: 0\n\n[PENDING]\nonboot: 1\n\n[snap]\nhostpci1: 02:00.0\nonboot: 1\n")
    assert [device.address for device in found.devices] == [GPU]
    assert found.starts_at_boot.value is False


def test_comments_and_descriptions_name_nothing() -> None:
    found = conf("#hostpci1%3A 02%3A00.0\n# hostpci1: 02:00.0\nhostpci0: 01:00.0\n")
    assert [device.address for device in found.devices] == [GPU]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hostpci0: 01:00.0,pcie=1\n", True),
        ("hostpci0: 01:00.0,pcie=1\nmachine: q35\n", False),
        ("hostpci0: 01:00.0,pcie=1\nmachine: pc-q35-8.1\n", False),
        ("hostpci0: 01:00.0,pcie=1\nmachine: pc-i440fx-8.1\n", True),
        ("hostpci0: 01:00.0,pcie=0\nmachine: pc-i440fx-8.1\n", False),
        ("hostpci0: 01:00.0\n", False),
        ("hostpci0: 01:00.0,pcie=1\nmachine: type=q35,viommu=intel\n", False),
        ("hostpci0: 01:00.0,pcie=1\nmachine: q35,viommu=virtio\n", False),
    ],
)
def test_pcie_wants_q35(text: str, problem: bool) -> None:
    assert bool(conf(text).problems) is problem


def test_an_excerpt_without_a_machine_proves_no_machine() -> None:
    assert not conf("hostpci0: 01:00.0,pcie=1\n", state="excerpt").problems
    assert not conf("hostpci0: 01:00.0,pcie=1\n", state="filtered", terms=("hostpci",)).problems


@pytest.mark.parametrize(("value", "starts"), [("1", True), ("yes", True), ("0", False), (None, False)])
def test_onboot(value: str | None, starts: bool) -> None:
    found = conf("hostpci0: 01:00.0\n" + (f"onboot: {value}\n" if value else ""))
    assert found.starts_at_boot.value is starts


XML = """<hostdev mode='subsystem' type='pci' managed='yes'>
  <driver name='vfio'/>
  <source>
    <address domain='0x0000' bus='0x01' slot='0x00' function='0x1'/>
  </source>
  <address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/>
</hostdev>
"""


@pytest.mark.parametrize(
    ("text", "managed"),
    [
        (XML, True),
        (XML.replace("'", '"'), True),
        (XML.replace("managed='yes'", "managed='no'"), False),
        ("<domain>\n <devices>\n" + XML + "</devices>\n</domain>", True),
        ("".join(line.strip() for line in XML.splitlines()), True),
        (XML.replace("0x01", "0x0A"), True),
        (XML.replace(" managed='yes'", ""), False),
    ],
    ids=["fragment", "double-quotes", "unmanaged", "in-a-domain", "one-line", "upper-case", "no-managed"],
)
def test_libvirt(text: str, managed: bool) -> None:
    (found,) = vms("cmd/virsh-dumpxml", text)
    expected = "0000:0a:00.1" if "0x0A" in text else AUDIO
    assert [device.address for device in found.devices] == [expected]
    assert (found.manager, found.devices[0].managed) == ("libvirt", managed)


def test_a_guests_own_addresses_are_no_devices_of_the_host() -> None:
    disk = "<disk type='block'>\n<source dev='/dev/sda'/>\n<address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>\n</disk>"  # noqa: E501 - a line as it is pasted
    usb = "<hostdev mode='subsystem' type='usb'>\n<source>\n<vendor id='0x046d'/>\n</source>\n<address type='usb' bus='0' port='2'/>\n</hostdev>"  # noqa: E501 - a line as it is pasted
    assert vms("cmd/virsh-dumpxml", disk + usb) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("qemu-system-x86_64 -device vfio-pci,host=01:00.0,x-vga=on", [GPU]),
        ("-device vfio-pci,id=x,host=0000:01:00.1", [AUDIO]),
        ("-device 'vfio-pci,host=01:00.0' -device \"vfio-pci,host=01:00.1\"", [GPU, AUDIO]),
        ("-device virtio-net-pci,host=01:00.0", []),
        ("-device vfio-pci,sysfsdev=/sys/bus/pci/devices/0000:01:00.0", [GPU]),
        ("-device vfio-pci,sysfsdev=/sys/bus/pci/devices/0000:00:02.0/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001", []),
        ("-device vfio-pci-nohotplug,id=x,host=0000:01:00.0,display=on", [GPU]),
        ('-device {"driver":"vfio-pci","host":"0000:01:00.0","id":"hostdev0","bus":"pci.4"}', [GPU]),
        ('-device {"driver": "vfio-pci", "id": "hostdev0", "host": "0000:01:00.1"}', [AUDIO]),
        ('-device {"driver":"virtio-net","host":"0000:01:00.1"}', []),
    ],
)
def test_qemu(line: str, expected: list[str]) -> None:
    found = vms("cmd/messages", line)
    assert [device.address for vm in found for device in vm.devices] == expected


def test_a_managers_own_command_line_is_managed() -> None:
    (found,) = vms(
        "cmd/messages",
        "kvm: -device vfio-pci,host=0000:01:00.0,id=hostpci0.0,bus=x: vfio 0000:01:00.0: error",
    )
    assert found.devices[0].managed
    (bare,) = vms("cmd/messages", "qemu-system-x86_64: -device vfio-pci,host=0000:01:00.0: vfio 0000:01:00.0: error")
    assert not bare.devices[0].managed


@pytest.mark.parametrize("path", ["/etc/pve/nodes/pve/qemu-server/101.conf", "/etc/pve/local/qemu-server/101.conf"])
def test_other_paths_of_a_proxmox_configuration(path: str) -> None:
    evidence = open_paste(f"root@pve:~# cat {path}\nhostpci0: 01:00.0\n".encode(), "p")
    assert [vm.id for vm in read(evidence)] == ["101"]


@given(st.text(st.sampled_from("-device vfpc,hostid=01:.\"'{}\\\n machine"), max_size=120))
def test_no_command_line_raises(text: str) -> None:
    for path in ("cmd/messages", "etc/pve/qemu-server/101.conf", "etc/pve/mapping/pci.cfg"):
        vms(path, "vfio-pci " + text)
