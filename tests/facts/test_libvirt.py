"""What a libvirt domain's XML gives to its guest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.evidence.types import Evidence, Piece
from doctor.facts.libvirt import Hostdev, read
from doctor.facts.vm import read as machines

from .timing import grows_linearly

SOURCE = "<source><address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source>"
HOSTDEV = f"<hostdev mode='subsystem' type='pci' managed='yes'>{SOURCE}</hostdev>"


def devices(text: str) -> list[tuple[str, bool, str]]:
    found = [device for domain in read(Piece("cmd/virsh-dumpxml", text, "p")) for device in domain.devices]
    return [(device.address, device.managed, device.key) for device in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HOSTDEV, [("0000:01:00.0", True, "hostdev")]),
        (HOSTDEV.replace(" managed='yes'", ""), [("0000:01:00.0", False, "hostdev")]),
        (HOSTDEV.replace("type='pci' ", ""), [("0000:01:00.0", True, "hostdev")]),
        (HOSTDEV.replace("domain='0x0000' ", ""), [("0000:01:00.0", True, "hostdev")]),
        (HOSTDEV.replace("0x01", "10"), [("0000:0a:00.0", True, "hostdev")]),
        (HOSTDEV.replace("'", '"'), [("0000:01:00.0", True, "hostdev")]),
        (HOSTDEV.replace("type='pci'", "type='usb'"), []),
        (HOSTDEV.replace("0x01", "0xzz"), []),
        ("<!--" + HOSTDEV + "-->", []),
        (f"<interface type='hostdev' managed='yes'>{SOURCE}</interface>",
         [("0000:01:00.0", True, "interface of type hostdev")]),
        ("<interface type='network'><source network='default'/></interface>", []),
        ("<disk type='nvme' device='disk'>" + SOURCE.replace("<source", "<source type='pci' managed='yes'")
         + "</disk>", [("0000:01:00.0", True, "disk of type nvme")]),
        ("<qemu:commandline><qemu:arg value='vfio-pci,host=02:00.1,x-vga=on'/></qemu:commandline>",
         [("0000:02:00.1", False, "qemu:commandline")]),
        # The address in the guest is none of the host's.
        ("<hostdev type='pci'><address type='pci' domain='0x0000' bus='0x06' slot='0x00' function='0x0'/></hostdev>",
         []),
    ],
)  # fmt: skip
def test_what_names_a_device(text: str, expected: list[tuple[str, bool, str]]) -> None:
    for before, after in (("", ""), ("<domain><devices>", "</devices></domain>"), ("<?xml version='1.0'?>\n", "")):
        shown = before + text + after
        if "qemu:" in text:
            shown = shown.replace("<domain>", "<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>")
        assert devices(shown) == expected


def test_each_device_says_itself_who_binds_it() -> None:
    second = HOSTDEV.replace("'yes'", "'no'").replace("function='0x0'", "function='0x1'")
    assert [(address, managed) for address, managed, _ in devices(HOSTDEV + second)] == [
        ("0000:01:00.0", True),
        ("0000:01:00.1", False),
    ]


def test_a_text_that_breaks_off_keeps_what_it_says() -> None:
    text = "<domain>\n <name>win</name>\n" + HOSTDEV + "\n ...\n" + HOSTDEV.replace("0x01", "0x02") + "\n & <broken"
    assert [address for address, _, _ in devices(text)] == ["0000:01:00.0", "0000:02:00.0"]
    lines = "<domain></devices>\n" + HOSTDEV
    assert [address for address, _, _ in devices(lines)] == ["0000:01:00.0"]


def test_no_document_type_and_no_entity() -> None:
    bomb = "<!DOCTYPE a [<!ENTITY b 'bbbb'><!ENTITY c '&b;&b;'>]>\n" + HOSTDEV.replace("0x01", "&c;")
    assert devices(bomb) == []
    outside = "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><domain><name>&x;</name></domain>"
    assert all(domain.name is None for domain in read(Piece("cmd/virsh-dumpxml", outside, "p")))


def test_the_line_is_the_users_own() -> None:
    piece = Piece("cmd/virsh-dumpxml", "<?xml version='1.0'?>\n<domain>\n" + HOSTDEV + "\n</domain>", "p", 40)
    assert [piece.cite(device.row).line for domain in read(piece) for device in domain.devices] == [42]


def test_machine_loader_and_autostart() -> None:
    text = (
        "<domain><name>win</name><os firmware='efi'><type machine='pc-q35-8.2'>hvm</type></os>"
        f"<devices>{HOSTDEV}</devices></domain>"
    )
    for names, starts in (("win.xml\n", True), ("", False)):
        pieces = [
            Piece("etc/libvirt/qemu/win.xml", text, "p"),
            Piece("etc/libvirt/qemu/autostart/", names, "p"),
            Piece("etc/libvirt/qemu/networks/default.xml", "<network/>", "p"),
        ]
        evidence = Evidence("directory", "d", pieces)
        (vm,) = machines(evidence)
        assert (vm.id, vm.machine.value, vm.bios.value) == ("win", "pc-q35-8.2", "ovmf")
        assert vm.starts_at_boot.value is starts


@given(st.text(st.sampled_from("<>/='\" abdx0:&;!-[]\nhostdevsourcaddress"), max_size=200) | st.text(max_size=80))
def test_never_raises(text: str) -> None:
    for domain in read(Piece("cmd/virsh-dumpxml", text, "p")):
        assert all(isinstance(device, Hostdev) for device in domain.devices)


@pytest.mark.parametrize("unit", ["<a>", "<hostdev><source><address bus='0x01' ", HOSTDEV + "\n", "& <hostdev\n"])
def test_time_grows_with_the_text(unit: str) -> None:
    assert grows_linearly(devices, unit * (100_000 // len(unit)))
