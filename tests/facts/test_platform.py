"""Platform facts from hand-made evidence."""

from __future__ import annotations

import re

import pytest

from doctor.evidence.types import ABSENT, Evidence, Piece
from doctor.facts.platform import Platform, read
from doctor.knowledge.store import load


def find(evidence: Evidence) -> Platform:
    """The platform, by the project's own marks."""
    return read(evidence, load()["platforms"])


def platform(**pieces: str) -> Platform:
    """The platform of pieces given as path=text, `__` standing for `/` and `_D_` for `-`."""
    paths = {path.replace("__", "/").replace("_D_", "-"): text for path, text in pieces.items()}
    return find(Evidence("paste", "p.txt", [Piece(path, text, "p.txt", 10) for path, text in paths.items()]))


@pytest.mark.parametrize(
    ("release", "distribution", "version"),
    [
        ("6.8.12-9-pve", "proxmox", None),
        ("3.10.0-1160.el7.x86_64", "rhel", "7"),
        ("5.14.0-427.13.1.el9_4.x86_64", "rhel", "9"),
        ("6.8.5-301.fc40.x86_64", "fedora", "40"),
        ("6.9.1-arch1-1", "arch", None),
        ("6.6.30-1-lts", "arch", None),
        ("6.8.0-31-generic", "ubuntu", None),
        ("6.4.0-150600.21-default", "opensuse", None),
        ("6.1.0-18-amd64", "debian", None),
        ("6.12.9+bpo-amd64", "debian", None),
        ("6.6.32-production+truenas", "truenas", None),
        ("6.1.79-Unraid", "unraid", None),
        ("6.9.3-2-cachyos", "cachyos", None),
    ],
)
def test_release_suffix_is_a_hint(release: str, distribution: str, version: str | None) -> None:
    found = platform(cmd__uname_D_a=f"Linux host {release} #1 SMP x86_64 GNU/Linux")
    assert found.kernel.value == release
    assert found.distribution.value == distribution
    assert (found.version.value if found.version.known else None) == version
    assert found.distribution.sources[0][:3] == ("cmd/uname-a", "p.txt", 10)
    certain = distribution in ("proxmox", "truenas", "unraid")
    assert found.distribution.weak is not certain


def test_proxmox_outranks_debians_os_release() -> None:
    found = platform(
        etc__os_D_release='ID=debian\nVERSION_ID="12"\n', etc__pve__qemu_D_server__100__conf="hostpci0: 01:00"
    )
    assert (found.distribution.value, found.version.value, found.hypervisor.value) == (
        "proxmox",
        "8",
        "proxmox",
    )
    assert found.version.weak


def test_pveversion_states_the_version() -> None:
    found = platform(cmd__pveversion="pve-manager/8.2.4/faa83925c9641325 (running kernel: 6.8.8-2-pve)")
    assert (found.version.value, found.kernel.value) == ("8.2.4", "6.8.8-2-pve")


def test_os_release_with_kin() -> None:
    found = platform(etc__os_D_release='NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="21.3"')
    assert (found.distribution.value, found.like.value, found.version.value) == (
        "linuxmint",
        ("ubuntu", "debian"),
        "21.3",
    )
    assert found.distribution.sources[0].line == 11


def test_kernel_from_a_log_and_from_the_image_name() -> None:
    log = "[    0.0] x\n[    0.000000] Linux version 5.15.102-1-pve (build@proxmox) (gcc) #1\n"
    assert platform(cmd__dmesg=log).kernel.value == "5.15.102-1-pve"
    assert platform(cmd__dmesg=log).kernel.sources[0].line == 11
    image = "[ 0.0] Command line: BOOT_IMAGE=/boot/vmlinuz-5.15.102-1-pve root=/dev/mapper/pve-root ro"
    assert platform(cmd__dmesg=image).kernel_version.value == (5, 15)


def test_uname_r_alone() -> None:
    assert platform(cmd__uname_D_a="6.8.12-9-pve").kernel.value == "6.8.12-9-pve"


def test_files_named_after_the_kernel() -> None:
    piece = Piece("lib/modules/6.1.0-18-amd64/modules.builtin", "", "d", state=ABSENT)
    assert find(Evidence("directory", "d", [piece])).kernel.value == "6.1.0-18-amd64"


def test_nothing_known_names_what_would_settle_it() -> None:
    found = platform(text__other="hello")
    assert not found.distribution.known
    assert found.distribution.wanted == ("etc/os-release",)
    assert "proc/sys/kernel/osrelease" in found.kernel.wanted
    assert not found.hypervisor.known


def test_board_from_sysfs_and_from_the_log() -> None:
    found = platform(sys__class__dmi__id__board_vendor="ASUSTeK COMPUTER INC.\n")
    assert found.board_vendor.value == "ASUSTeK COMPUTER INC."
    found = platform(cmd__dmesg="[ 0.0] DMI: Supermicro Super Server/X11SSL-F, BIOS 2.0 12/22/2016")
    assert found.board.value == "Supermicro Super Server/X11SSL-F"


def test_hostile_release_is_cut_at_its_pattern() -> None:
    found = platform(cmd__uname_D_a="Linux host 6.1.0$(reboot)-pve #1")
    assert found.kernel.value == "6.1.0"


@pytest.mark.parametrize(
    ("pieces", "distribution", "weak"),
    [
        ({"cmd__update_D_grub": "W: This system is booted via proxmox-boot-tool:"}, "proxmox", False),
        ({"cmd__messages": "TASK ERROR: q35 machine model is not enabled at …"}, "proxmox", False),
        ({"etc__default__grub": "GRUB_DISTRIBUTOR=`lsb_release -i -s || echo Debian`"}, "debian", True),
        ({"cmd__dmesg": "[ 0.0] Linux version 6.1.31+ (b@h) (gcc (Debian 10.2.1-6))"}, "debian", True),
        ({"boot__grub2__grub__cfg": "linux16 /vmlinuz-3.10.0-327.el7.x86_64 ro"}, "rhel", True),
        ({"cmd__dmesg": "CPU: 0 PID: 0 Not tainted 5.0.16-300.local.fc30.x86_64 #1"}, "fedora", True),
    ],
)
def test_words_that_only_one_distributions_tools_leave(pieces: dict[str, str], distribution: str, weak: bool) -> None:
    paths = {path.replace("grub2__grub__cfg", "grub2__grub.cfg"): text for path, text in pieces.items()}
    found = platform(**paths)
    assert (found.distribution.value, found.distribution.weak) == (distribution, weak)


@pytest.mark.parametrize(
    ("pieces", "distribution"),
    [
        ({"text/prompts": "root@Tower:~#", "etc/os-release": "ID=debian"}, "debian"),
        ({"text/prompts": "root@Tower:~#"}, "unraid"),
        (
            {
                "cmd/dmesg": "[    0.000000] Linux version 6.8.0 (Ubuntu 13.2.0)",
                "etc/default/grub": "GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`",
            },
            "ubuntu",
        ),
        ({"etc/default/grub": "GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`"}, "debian"),
    ],
)
def test_what_proves_outdoes_os_release_and_what_kin_share_speaks_last(
    pieces: dict[str, str], distribution: str
) -> None:
    evidence = Evidence("paste", "p.txt", [Piece(path, text, "p.txt") for path, text in pieces.items()])
    assert find(evidence).distribution.value == distribution


def test_every_mark_names_a_distribution_of_its_file_and_one_thing_to_look_at() -> None:
    for stem, data in load()["platforms"].items():
        for mark in data.get("marks", ()):
            assert mark["distribution"] in data["distributions"], stem
            assert set(mark) - {"proves", "kin"} in (
                {"distribution", "release"},
                {"distribution", "file"},
                {"distribution", "file", "words"},
            ), (stem, mark)
            assert not (mark.get("proves") and mark.get("kin")), (stem, mark)
            re.compile(mark.get("release", ""))


def test_a_distribution_is_one_file() -> None:
    evidence = Evidence("paste", "p.txt", [Piece("cmd/uname-a", "Linux h 6.6.1-9-newdist #1 SMP", "p.txt")])
    mark = {"distribution": "newdist", "release": r"-(\d)-newdist$"}
    found = read(evidence, {"newdist": {"distributions": ["newdist"], "marks": [mark]}})
    assert (found.distribution.value, found.version.value) == ("newdist", "9")
