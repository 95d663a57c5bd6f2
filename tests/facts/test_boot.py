"""Boot facts from hand-made evidence."""

from __future__ import annotations

import pytest

from doctor.evidence.types import ABSENT, EXCERPT, Evidence, Piece
from doctor.facts import platform
from doctor.facts.boot import Boot, read, shell_value, split
from doctor.knowledge.store import load

LOADER_INFO = "sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
PVE = "Linux pve 6.8.12-9-pve #1 SMP x86_64"
ZFS = "initrd=\\EFI\\proxmox\\6.8.12-9-pve\\initrd.img-6.8.12-9-pve root=ZFS=rpool/ROOT/pve-1 boot=zfs"


def find(evidence: Evidence) -> Boot:
    """How the host boots, by the project's own knowledge of platforms."""
    return read(evidence, platform.read(evidence, load()["platforms"]))


def boot(pieces: dict[str, str]) -> Boot:
    return find(Evidence("directory", "d", [Piece(path, text, path) for path, text in pieces.items()]))


@pytest.mark.parametrize(
    ("pieces", "loader"),
    [
        ({"proc/cmdline": "BOOT_IMAGE=(hd0,gpt2)/vmlinuz-6.1 root=/dev/sda2"}, "grub"),
        ({"cmd/uname-a": PVE, "proc/cmdline": ZFS}, "proxmox-boot-tool+systemd-boot"),
        ({"cmd/uname-a": PVE, "proc/cmdline": "BOOT_IMAGE=/boot/vmlinuz-6.8.12-9-pve"}, "grub"),
        (
            {
                "cmd/uname-a": PVE,
                "proc/cmdline": "BOOT_IMAGE=/vmlinuz",
                "etc/kernel/proxmox-boot-uuids": "1578-E2C7\n",
            },
            "proxmox-boot-tool+grub",
        ),
        ({"cmd/proxmox-boot-tool": "System currently booted with uefi\nA is configured with: uefi (v)"},
         "proxmox-boot-tool+systemd-boot"),
        ({"cmd/proxmox-boot-tool": "System currently booted with legacy bios\nA is configured with: grub"},
         "proxmox-boot-tool+grub"),
        ({"cmd/proxmox-boot-tool": "E: /etc/kernel/proxmox-boot-uuids does not exist."}, "grub"),
        (
            {
                "cmd/update-grub": "W: This system is booted via proxmox-boot-tool:\n"
                "        Copying kernel and creating boot-entry for 6.8.12-9-pve"
            },
            "proxmox-boot-tool+systemd-boot",
        ),
        ({"proc/cmdline": "initrd=\\initramfs-linux.img root=/dev/sda2 rw"}, "systemd-boot"),
        ({"run/ostree-booted": "", "proc/cmdline": "BOOT_IMAGE=(hd0)/ostree/x"}, "rpm-ostree"),
        ({"etc/os-release": "ID=nixos"}, "nixos"),
        ({"cmd/bootctl": "  Product: systemd-boot 255.4-1-arch"}, "systemd-boot"),
        ({"cmd/dmesg": "[ 0.0] Kernel command line: BOOT_IMAGE=/vmlinuz-6.8.0-31-generic ro"}, "grub"),
    ],
)  # fmt: skip
def test_loader(pieces: dict[str, str], loader: str) -> None:
    found = boot(pieces).loader
    assert found.value == loader
    assert found.sources


def test_loader_variable_is_utf_16() -> None:
    raw = b"\x06\0\0\0" + "systemd-boot 257".encode("utf-16-le") + b"\0\0"
    found = find(Evidence("bundle", "b", [Piece(LOADER_INFO, "", "b", None, binary=raw)]))
    assert found.loader.value == "systemd-boot"
    assert found.loader.sources[0].text == "systemd-boot 257"
    assert found.uefi.value is True


def test_a_loaders_file_proves_nothing() -> None:
    found = boot({"etc/default/grub": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\n'})
    assert not found.loader.known
    assert LOADER_INFO in found.loader.wanted
    assert found.lines[0].in_use is None
    assert found.configured.weak


def test_two_files_and_no_loader_leave_the_configuration_unknown() -> None:
    found = boot({"etc/default/grub": 'GRUB_CMDLINE_LINUX="a"', "etc/kernel/cmdline": "root=ZFS=x b"})
    assert not found.configured.known
    assert "proc/cmdline" in found.configured.wanted


def test_bios_makes_grub_likely_only() -> None:
    found = find(Evidence("b", "b", [Piece("sys/firmware/efi", "", "b", state=ABSENT)])).loader
    assert (found.value, found.weak) == ("grub", True)


def test_the_file_of_a_loader_not_in_use() -> None:
    found = boot({
        "cmd/uname-a": PVE, "proc/cmdline": ZFS,
        "etc/default/grub": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on"\n',
        "etc/kernel/cmdline": "root=ZFS=rpool/ROOT/pve-1 boot=zfs\n",
    })  # fmt: skip
    assert [(line.path, line.in_use) for line in found.lines] == [
        ("etc/default/grub", False),
        ("etc/kernel/cmdline", True),
    ]
    assert found.configured.value == ("root=ZFS=rpool/ROOT/pve-1", "boot=zfs")


def test_grub_drop_ins_replace_and_append() -> None:
    found = boot({
        "proc/cmdline": "BOOT_IMAGE=(hd0,1)/vmlinuz",
        "etc/default/grub": 'GRUB_CMDLINE_LINUX="net.ifnames=0"\nGRUB_CMDLINE_LINUX_DEFAULT="quiet splash"\n',
        "etc/default/grub.d/50-cloud.cfg": 'GRUB_CMDLINE_LINUX_DEFAULT="console=ttyS0"\n',
        "etc/default/grub.d/60-vfio.cfg": 'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT pt"\n',
        "etc/default/grub.d/99.cfg.bak": 'GRUB_CMDLINE_LINUX_DEFAULT="lost"\n',
    })  # fmt: skip
    assert found.configured.value == ("net.ifnames=0", "console=ttyS0", "pt")
    assert [line.effective for line in found.lines] == [True, False, True, True]


def test_shell_quoting() -> None:
    assert shell_value("'a \"b\"' # c") == ('a "b"', "'", " # c")
    assert shell_value('"a\\"b c\\" d"') == ('a"b c" d', '"', "")
    assert shell_value("one two") == ("one", "", " two")
    assert split('a dyndbg="file x +p" b') == ("a", 'dyndbg="file x +p"', "b")


def test_continuation_and_an_open_quotation() -> None:
    found = boot({"etc/default/grub": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet \\\n  iommu=pt"\nGRUB_TIMEOUT=1\n'})
    assert (found.lines[0].words, found.lines[0].span) == (("quiet", "iommu=pt"), 2)
    found = boot({"etc/default/grub": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet iommu=pt\nGRUB_TIMEOUT=1\n'})
    assert (found.lines[0].words, found.lines[0].span) == (("quiet", "iommu=pt"), 1)


def test_a_comment_is_no_assignment() -> None:
    assert not boot({"etc/default/grub": '#GRUB_CMDLINE_LINUX_DEFAULT="x"\n'}).lines


def test_an_excerpt_is_incomplete() -> None:
    piece = Piece("etc/default/grub", 'GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on"', "p.txt", 4, state=EXCERPT)
    found = find(Evidence("paste", "p.txt", [piece]))
    assert found.configured.value == ("quiet", "intel_iommu=on")
    assert found.configured.value.complete is False
    assert found.lines[0].source.line == 4


def test_proxmox_takes_the_first_line_only() -> None:
    found = boot(
        {
            "cmd/uname-a": PVE,
            "proc/cmdline": ZFS,
            "etc/kernel/cmdline": "root=ZFS=r boot=zfs\nintel_iommu=on\n",
        }
    )
    assert found.configured.value == ("root=ZFS=r", "boot=zfs")
    assert [line.effective for line in found.lines] == [True, False]


def test_bls_entries_are_the_configuration_where_grub_reads_them() -> None:
    found = boot({
        "etc/os-release": "ID=fedora\nVERSION_ID=40",
        "proc/cmdline": "BOOT_IMAGE=(hd0,gpt2)/vmlinuz-6.8.5-301.fc40.x86_64 root=UUID=1 ro",
        "etc/default/grub": 'GRUB_CMDLINE_LINUX="rhgb quiet"\nGRUB_ENABLE_BLSCFG=true\n',
        "boot/loader/entries/x-6.8.5.conf": "options root=UUID=1 ro rhgb quiet intel_iommu=on\n",
    })  # fmt: skip
    assert found.bls.value is True
    assert found.configured.value[-1] == "intel_iommu=on"
    assert [line.in_use for line in found.lines] == [None, True]
