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


EL8 = {
    "etc/os-release": 'ID="rhel"\nVERSION_ID="8.9"',
    "proc/cmdline": "BOOT_IMAGE=(hd0,gpt2)/vmlinuz-4.18.0-513.el8.x86_64 root=/dev/sda3 ro",
    "etc/default/grub": 'GRUB_CMDLINE_LINUX="crashkernel=auto"\nGRUB_ENABLE_BLSCFG=true\n',
    "boot/loader/entries/a-4.18.0-513.el8.x86_64.conf": "options $kernelopts $tuned_params iommu=pt\n",
    "boot/grub2/grubenv": "# GRUB Environment Block\nkernelopts=root=/dev/sda3 ro intel_iommu=on\nboot_success=0\n####",
}


def test_kernelopts_come_from_the_environment_block() -> None:
    found = boot(EL8)
    assert found.configured.value == ("root=/dev/sda3", "ro", "intel_iommu=on", "iommu=pt")
    assert [line.in_use for line in found.lines if line.path == "boot/grub2/grubenv"] == [True]
    lost = boot({path: text for path, text in EL8.items() if "grubenv" not in path})
    assert lost.configured.value == ("crashkernel=auto",)
    assert lost.configured.weak


def test_the_default_entry() -> None:
    entries = {
        f"boot/loader/entries/{name}.conf": f"options {name}"
        for name in ("m-6.8.9", "m-6.8.10", "m-0-rescue-9", "z-fallback")
    }
    grub = {"proc/cmdline": "BOOT_IMAGE=(hd0)/vmlinuz", "etc/default/grub": "GRUB_ENABLE_BLSCFG=true"}
    assert boot({**grub, **entries}).configured.value == ("m-6.8.10",)
    newest = {path: text for path, text in entries.items() if "z-" not in path}
    assert boot({**grub, **newest}).configured.value == ("m-6.8.10",)
    saved = boot({**grub, **newest, "boot/grub2/grubenv": "saved_entry=m-6.8.9\n"})
    assert saved.configured.value == ("m-6.8.9",)
    sd = {"proc/cmdline": "initrd=\\x root=1", "boot/loader/loader.conf": "timeout 3\ndefault m-6.8.9*\n"}
    assert boot({**sd, **newest}).configured.value == ("m-6.8.9",)


def test_the_last_word_on_bls() -> None:
    text = 'GRUB_ENABLE_BLSCFG=true\n# GRUB_ENABLE_BLSCFG=true\nGRUB_ENABLE_BLSCFG="false"\n'
    assert boot({"etc/default/grub": text}).bls.value is False


def test_a_menu_that_nobody_generated_again() -> None:
    pieces = {
        "proc/cmdline": "BOOT_IMAGE=/boot/vmlinuz-6.8.0-31-generic root=/dev/sda2 ro quiet",
        "etc/os-release": "ID=ubuntu",
        "etc/default/grub": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on $vt_handoff"\n',
        "boot/grub/grub.cfg": "\tlinux\t/boot/vmlinuz-6.8.0-31-generic root=/dev/sda2 ro  quiet\n"
        "\t\tlinux\t/boot/vmlinuz-6.8.0-31-generic root=/dev/sda2 ro single",
    }
    found = boot(pieces)
    assert found.stale.value == ("intel_iommu=on",)
    assert [source.path for source in found.stale.sources] == ["etc/default/grub", "boot/grub/grub.cfg"]
    assert [menu.words[-1] for menu in found.menu] == ["quiet", "single"]
    fresh = boot({**pieces, "boot/grub/grub.cfg": "linux /vmlinuz root=/dev/sda2 quiet intel_iommu=on"})
    assert fresh.stale.value == ()
    assert not boot({path: text for path, text in pieces.items() if "cfg" not in path}).stale.known


@pytest.mark.parametrize(
    ("program", "loader", "weak"),
    [
        ("\\EFI\\systemd\\systemd-bootx64.efi", "systemd-boot", False),
        ("\\EFI\\debian\\shimx64.efi", "grub", True),
        ("\\EFI\\proxmox\\grubx64.efi", "grub", False),
        ("/\\EFI\\refind\\refind_x64.efi", "refind", False),
        ("\\EFI\\limine\\limine_x64.efi", "limine", False),
        ("\\EFI\\Linux\\arch-linux.efi", "uki", False),
    ],
)
def test_the_program_of_the_current_boot_entry(program: str, loader: str, weak: bool) -> None:
    text = "BootCurrent: 0004\nTimeout: 0\nBoot0001* Other\tHD(1)/File(\\EFI\\x\\grubx64.efi)\n"
    text += f"Boot0004* My\tHD(1)/File({program})"
    found = boot({"cmd/efibootmgr": text})
    assert (found.loader.value, found.loader.weak) == (loader, weak)
    assert [source.line for source in found.loader.sources] == [1, 4]
    assert found.uefi.value is True


def test_the_fallback_program_may_be_any_loaders() -> None:
    assert not boot({"cmd/efibootmgr": "BootCurrent: 0000\nBoot0000* x\tFile(\\EFI\\BOOT\\BOOTX64.EFI)"}).loader.known


@pytest.mark.parametrize(
    ("cmdline", "loader"),
    [
        ("BOOT_IMAGE=/ostree/x/vmlinuz root=1 ostree=/ostree/boot.1/x", "rpm-ostree"),
        ("BOOT_IMAGE=vmlinuz-lts root=1 modules=sd-mod", "extlinux"),
        ("initrd=\\EFI\\nixos\\x init=/nix/store/x/init", "nixos"),
    ],
)
def test_loaders_by_the_running_command_line(cmdline: str, loader: str) -> None:
    assert boot({"proc/cmdline": cmdline}).loader.value == loader


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ({"boot/extlinux/extlinux.conf": "DEFAULT a\nLABEL b\n APPEND x\nLABEL a\n APPEND root=1 iommu=pt",
          "proc/cmdline": "BOOT_IMAGE=vmlinuz root=1"}, ("root=1", "iommu=pt")),
        ({"boot/extlinux/extlinux.conf": "LABEL a\n APPEND root=1\n",
          "etc/update-extlinux.conf": 'default_kernel_opts="quiet iommu=pt"\n',
          "proc/cmdline": "BOOT_IMAGE=vmlinuz root=1"}, ("quiet", "iommu=pt")),
        ({"etc/unraid-version": "x", "boot/syslinux/syslinux.cfg":
          "default menu.c32\nlabel OS\n  menu default\n  append initrd=/bzroot iommu=pt\nlabel S\n append x"},
         ("initrd=/bzroot", "iommu=pt")),
        ({"cmd/bootctl": "Product: limine 8.0", "boot/limine.conf":
          "/Arch\n  protocol: linux\n  cmdline: root=1 iommu=pt\n/Old\n  cmdline: root=1"}, ("root=1", "iommu=pt")),
        ({"cmd/bootctl": "Product: limine 7", "boot/limine.cfg": ":Arch\nKERNEL_CMDLINE=root=1 rw"}, ("root=1", "rw")),
        ({"cmd/bootctl": "Product: limine 9", "boot/limine.conf": "/A\n  cmdline: root=1",
          "etc/default/limine": 'KERNEL_CMDLINE[default]+="quiet"\nKERNEL_CMDLINE[default]+=" iommu=pt"\n'},
         ("quiet", "iommu=pt")),
        ({"cmd/bootctl": "Product: rEFInd 0.14", "boot/refind_linux.conf":
          '# x "y" "z"\n"Standard" "root=1 iommu=pt"\n"Single" "root=1 single"\n'}, ("root=1", "iommu=pt")),
        ({"etc/NIXOS": "", "etc/nixos/configuration.nix":
          '{ boot.kernelParams = [ "amd_iommu=on" # no\n   "iommu=pt" ];\n boot.x = [ "y" ]; }'},
         ("amd_iommu=on", "iommu=pt")),
        ({"run/ostree-booted": "", "boot/loader/entries/ostree-1.conf": "options root=1",
          "boot/loader/entries/ostree-2.conf": "options root=1 iommu=pt"}, ("root=1", "iommu=pt")),
    ],
)  # fmt: skip
def test_what_other_loaders_are_told(pieces: dict[str, str], words: tuple[str, ...]) -> None:
    found = boot(pieces)
    assert found.configured.value == words
    assert all(line.in_use for line in found.lines)


def test_bootcs_own_arguments() -> None:
    kargs = 'kargs = ["iommu=pt",\n  "quiet"]\nmatch-architectures = ["x86_64"]\n'
    (line,) = boot({"usr/lib/bootc/kargs.d/10-vfio.toml": kargs}).lines
    assert (line.words, line.span, line.variable) == (("iommu=pt", "quiet"), 2, "kargs")


def test_ostree_outdoes_the_loader_that_it_uses() -> None:
    found = boot({
        "proc/cmdline": "BOOT_IMAGE=(hd0,gpt1)/ostree/x/vmlinuz root=1 ostree=/ostree/boot.1/x",
        "cmd/efibootmgr": "BootCurrent: 0001\nBoot0001* x\tHD(1)/File(\\EFI\\redhat\\shimx64.efi)",
    })  # fmt: skip
    assert (found.loader.value, found.loader.weak) == ("rpm-ostree", False)
