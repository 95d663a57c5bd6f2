"""Which devices the host needs itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.evidence.types import Evidence, Piece, Source
from doctor.facts import rootdisk
from doctor.facts.fact import Fact, unknown
from doctor.facts.needs import read
from doctor.facts.pci import Device

NET, BLOCK = "sys/class/net/", "sys/class/block/"
ROUTE = "default via 198.18.0.1 dev {} proto kernel onlink"
MOUNT = "25 1 252:1 / / rw,relatime shared:1 - {} {} rw"
PORT = "../../devices/pci0000:00/0000:00:1d.0/0000:03:00.0/ata1/host0/target0:0:0/0:0:0:0/block/sda/sda1"
LONG = "lrwxrwxrwx 1 root root 0 May 1 12:00 "
DISK = "../../devices/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0/"


def needs(**given: str) -> list[tuple[str, str]]:
    evidence = Evidence("directory", "d", [Piece(path, text, "d") for path, text in given.items()])
    return [(need.address, need.what) for need in read(evidence, []).value]


def card(name: str, address: str) -> dict[str, str]:
    return {f"{NET}{name}/device": f"../../../{address}"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cmd/ip-route": ROUTE.format("eno1"), **card("eno1", "0000:00:1f.6")},
         [("0000:00:1f.6", "the network (eno1, the default route)")]),
        ({"cmd/ip-route": ROUTE.format("vmbr0"), f"{NET}vmbr0/": "brif\nlower_eno1", **card("eno1", "0000:00:1f.6")},
         [("0000:00:1f.6", "the network (vmbr0, the default route, by eno1)")]),
        ({"cmd/ip-route": ROUTE.format("br0"), f"{NET}br0/brif/": "bond0\ntap100i0", f"{NET}bond0/": "lower_a\nlower_b",
          **card("a", "0000:05:00.0"), **card("b", "0000:05:00.1")},
         [("0000:05:00.1", "the network (br0, the default route, by b)"),
          ("0000:05:00.0", "the network (br0, the default route, by a)")]),
        ({"cmd/ip-route": ROUTE.format("eth0.20"), **card("eth0", "0000:02:00.0")},
         [("0000:02:00.0", "the network (eth0.20, the default route, by eth0)")]),
        # A long listing, as people paste it.
        ({"cmd/ip-route": ROUTE.format("wlp2s0"),
          NET: LONG + "wlp2s0 -> ../../devices/pci0000:00/0000:00:1c.2/0000:02:00.0/net/wlp2s0"},
         [("0000:02:00.0", "the network (wlp2s0, the default route)")]),
        # A bridge that is its own port ends.
        ({"cmd/ip-route": ROUTE.format("x"), f"{NET}x/": "lower_y", f"{NET}y/": "lower_x"}, []),
        ({"cmd/ip-route": "198.18.0.0/24 dev eno1 scope link", **card("eno1", "0000:00:1f.6")}, []),
        (card("eno1", "0000:00:1f.6"), []),
    ],
)  # fmt: skip
def test_the_card_under_the_default_route(files: dict[str, str], expected: list[tuple[str, str]]) -> None:
    assert sorted(needs(**files)) == sorted(expected)


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"proc/self/mountinfo": MOUNT.format("ext4", "/dev/nvme0n1p2"),
          f"{BLOCK}nvme0n1p2": DISK + "nvme0n1/nvme0n1p2"},
         "nvme0n1p2"),
        ({"proc/self/mountinfo": MOUNT.format("btrfs", "/dev/nvme0n1p2"),
          f"{BLOCK}nvme0n1": DISK + "nvme0n1"}, "nvme0n1"),
        ({"proc/self/mountinfo": MOUNT.format("xfs", "/dev/mapper/rl-root"), f"{BLOCK}dm-0/dm/name": "rl-root",
          f"{BLOCK}dm-0/slaves/": "nvme0n1p3", f"{BLOCK}nvme0n1p3": DISK + "x"}, "nvme0n1p3"),
        ({"proc/self/mountinfo": MOUNT.format("ext4", "/dev/nvme0n1p2"),
          f"{BLOCK}nvme0n1p2": "../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p2",
          f"{BLOCK}nvme0n1": "../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1",
          "sys/class/nvme/nvme0": "../../devices/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0"}, "nvme0n1"),
        ({"proc/self/mountinfo": MOUNT.format("ext4", "/dev/md0"), f"{BLOCK}md0/slaves/": "sda1",
          f"{BLOCK}sda1": PORT},
         "sda1"),
    ],
)  # fmt: skip
def test_the_controller_under_the_root_file_system(files: dict[str, str], name: str) -> None:
    assert needs(**files) == [("0000:03:00.0", f"the root file system ({name})")]


def test_a_pool_names_no_disk_and_that_is_said() -> None:
    piece = Piece("proc/self/mountinfo", MOUNT.format("zfs", "rpool/ROOT/pve-1"), "d")
    found = read(Evidence("bundle", "d", [piece]), [])
    assert found.value == () and not found.value.complete and "proc/self/mountinfo" in found.value.wanted


def display(address: str, class_: str = "0300") -> Device:
    source = Source("cmd/lspci-nnk", "p", 1, address)
    return Device(address, "1:2", class_, None, Fact(None), unknown(), source=source)


@pytest.mark.parametrize(
    ("devices", "complete", "expected"),
    [
        ([display("0000:01:00.0")], True, ["0000:01:00.0"]),
        ([display("0000:01:00.0")], False, []),
        ([display("0000:01:00.0"), display("0000:00:02.0")], True, []),
        ([display("0000:01:00.0"), display("0000:02:00.0", "0200")], True, ["0000:01:00.0"]),
        ([display("0000:01:00.0", "0302")], True, []),  # a 3D controller has no output
        ([display("0000:01:00.1")._replace(physfn="0000:01:00.0"), display("0000:01:00.0")], True, ["0000:01:00.0"]),
    ],
)
def test_the_only_display(devices: list[Device], complete: bool, expected: list[str]) -> None:
    found = read(Evidence("paste", "p", []), devices, complete)
    assert [need.address for need in found.value] == expected
    assert read(Evidence("paste", "p", []), devices, complete, serial=True).value == ()


LSBLK = """NAME         MAJ:MIN RM   SIZE RO TYPE MOUNTPOINTS
sda            8:0    0 465.8G  0 disk
└─sda1         8:1    0 465.8G  0 part /mnt/a
nvme0n1      259:0    0 465.8G  0 disk
├─nvme0n1p2  259:2    0   512M  0 part /boot/efi
└─nvme0n1p3  259:3    0 465.3G  0 part
  └─pve-root 253:1    0    96G  0 lvm  /"""
ONE_DRIVE = {"sys/block/": LONG + f"nvme0n1 -> {DISK}nvme0n1"}


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        ("cmd/lsblk", LSBLK, "nvme0n1"),
        ("cmd/lsblk", LSBLK.replace("└─", "`-").replace("├─", "|-"), "nvme0n1"),
        # A row of its own for a further mount point.
        ("cmd/lsblk", LSBLK.replace("lvm  /", "lvm  /var/x\n                      /"), "nvme0n1"),
        ("cmd/lsblk", "/dev/nvme0n1 259:0 0 1T 0 disk\n└─/dev/nvme0n1p1 259:1 0 1T 0 part /", "nvme0n1"),
        ("cmd/lsblk", "nvme0n1 259:0 0 1T 0 disk\nnvme0n1p1 259:1 0 1T 0 part /", "nvme0n1"),
        # From below to above, or as a list, no row says what the mapping is on.
        ("cmd/lsblk", "pve-root 253:1 0 96G 0 lvm /\n└─nvme0n1p3 259:3 0 465G 0 part", None),
        ("cmd/lsblk", "nvme0n1 259:0 0 1T 0 disk\npve-root 253:1 0 96G 0 lvm /", None),
        ("cmd/lsblk", "nvme0n1 259:0 0 1T 0 disk\nsdb1 8:17 0 1T 0 part /", None),
        ("cmd/findmnt", "TARGET SOURCE FSTYPE OPTIONS\n/      /dev/nvme0n1p2[/@] btrfs rw", "nvme0n1"),
        ("cmd/findmnt", "/boot /dev/nvme0n1p2 ext4 rw", None),
        ("cmd/mount", "proc on /proc type proc (rw)\n/dev/nvme0n1p2 on / type ext4 (rw)", "nvme0n1"),
        ("cmd/mount", "/dev/nvme0n1p2 on /home type ext4 (rw)", None),
        ("cmd/mount", "rpool/ROOT/pve-1 on / type zfs (rw)", None),
        ("proc/mounts", "/dev/nvme0n1p2 / ext4 rw 0 0", "nvme0n1"),
    ],
)
def test_the_disk_of_the_root_file_system_as_programs_print_it(path: str, text: str, name: str | None) -> None:
    expected = [] if name is None else [("0000:03:00.0", f"the root file system ({name})")]
    assert needs(**{path: text}, **ONE_DRIVE) == expected


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("enp11s0", "0000:0b:00.0"),
        ("enp11s0f1", "0000:0b:00.1"),
        ("enp11s0f1np1", "0000:0b:00.1"),
        ("wlp11s0", "0000:0b:00.0"),
        ("enP1p11s0", "0001:0b:00.0"),
        ("enp11s1", None),  # nothing stands there
        ("enp3s0", None),  # no network card stands there
        ("enp11s0v2", None),  # a virtual function's name is of the physical one
        ("eno1", None),
        ("xenp11s0", None),
    ],
)
def test_a_card_by_its_interface_which_is_named_after_its_place(name: str, address: str | None) -> None:
    devices = [display("0000:0b:00.0", "0200"), display("0000:0b:00.1", "0200"), display("0001:0b:00.0", "0280")]
    devices.append(display("0000:03:00.0", "0108"))
    evidence = Evidence("paste", "p", [Piece("cmd/ip-route", ROUTE.format(name), "p")])
    assert [need.address for need in read(evidence, devices).value] == ([] if address is None else [address])


@pytest.mark.parametrize(
    ("addresses", "complete", "expected"),
    [
        (["0000:03:00.0"], True, ["0000:03:00.0"]),
        (["0000:03:00.0"], False, []),
        (["0000:03:00.0", "0000:04:00.0"], True, []),
    ],
)
def test_the_only_drive_is_the_one_that_the_root_is_on(
    addresses: list[str], complete: bool, expected: list[str]
) -> None:
    evidence = Evidence("paste", "p", [Piece("cmd/mount", "/dev/nvme0n1p2 on / type ext4 (rw)", "p")])
    found = read(evidence, [display(address, "0108") for address in addresses], complete)
    assert [need.address for need in found.value] == expected
    assert found.value.complete is False
    assert ("proc/self/mountinfo" in found.value.wanted) is (not expected)


def test_a_route_by_an_unknown_card_leaves_the_needs_open() -> None:
    evidence = Evidence("paste", "p", [Piece("cmd/ip-route", ROUTE.format("vmbr0"), "p")])
    assert "cmd/ip-route" in read(evidence, []).value.wanted


@given(st.text(max_size=80), st.text(max_size=80))
def test_never_raises(one: str, two: str) -> None:
    paths = ["cmd/ip-route", *rootdisk.PATHS, NET, f"{NET}eno1/", f"{BLOCK}sda"]
    pieces = [
        Piece(path, text, "d") for path in paths for text in (one, f"default dev eno1 {two}", MOUNT.format("x", two))
    ]
    read(Evidence("directory", "d", pieces), [])
