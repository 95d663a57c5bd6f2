"""Parsers of the machine's files: no text makes them raise or slow, and how a text was posted does not matter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.evidence.directory import open_directory
from doctor.evidence.paste import open_paste
from doctor.evidence.types import EXCERPT, FILTERED, WHOLE, Evidence, Piece
from doctor.facts import boot as boot_facts
from doctor.facts import firmware, initramfs, interrupts, iomem, kconfig, limits, lists, memory, modprobe, overrides
from doctor.facts import platform as platform_facts
from doctor.facts.fact import Fact
from doctor.facts.host import Host
from doctor.knowledge.store import load

SHARED = Path(__file__).resolve().parents[3] / "shared"
KNOWLEDGE = load()
GROUPS = (
    "kconfig",
    "initramfs",
    "interrupts",
    "iomem",
    "limits",
    "memory",
    "firmware",
    "overrides",
    "modprobe",
    "boot",
)


def boot(evidence: Evidence) -> Any:
    return boot_facts.read(evidence, platform_facts.read(evidence, {}))


READERS: dict[str, Callable[[Evidence], Any]] = {
    "boot/config-6.1": kconfig.read,
    "proc/config.gz": kconfig.read,
    "proc/interrupts": interrupts.read,
    "proc/iomem": iomem.read,
    "cmd/ulimit": limits.read,
    "etc/security/limits.conf": limits.read,
    "etc/systemd/system.conf": limits.read,
    "proc/1/limits": limits.read,
    "proc/meminfo": memory.read,
    "cmd/lscpu": memory.read,
    "sys/class/dmi/id/board_name": firmware.read,
    "cmd/dmidecode": firmware.read,
    "cmd/dmesg": firmware.read,
    "cmd/mokutil": firmware.read,
    "cmd/lsinitrd": initramfs.read,
    "etc/mkinitcpio.conf": initramfs.read,
    "etc/dracut.conf": initramfs.read,
    "etc/rc.local": overrides.read,
    "etc/udev/rules.d/a.rules": overrides.read,
    "cmd/dpdk-devbind": overrides.read,
    "cmd/driverctl": overrides.read,
    "etc/modprobe.d/a.conf": modprobe.read,
    "etc/default/grub": boot,
    "boot/loader/entries/a.conf": boot,
    "boot/syslinux/syslinux.cfg": boot,
    "boot/limine.conf": boot,
    "etc/default/limine": boot,
    "boot/refind_linux.conf": boot,
    "etc/nixos/configuration.nix": boot,
    "boot/grub2/grubenv": boot,
    "boot/grub/grub.cfg": boot,
    "cmd/efibootmgr": boot,
}
WORDS = (
    *(
        "CONFIG_A=y",
        "# CONFIG_B is not set",
        "echo",
        "vfio-pci",
        ">",
        "/sys/bus/pci/devices/0000:01:00.0/driver_override",
    ),
    *(
        "for",
        "in",
        "$A",
        "${A}",
        "$(x)",
        "`",
        '"',
        "'",
        "(",
        ")",
        "A=",
        "A+=",
        "MODULES=(",
        'force_drivers+="',
        "#",
        "\\",
    ),
    *("\n", "\n", " ", "\t", ";", "do", "done", "options", "append", "LABEL", "default", "0000:01:00.0", "1:", "9"),
    *(
        "PCI-MSI",
        "1-edge",
        "00000000-00000fff : x",
        "  00000000-00000fff : 0000:01:00.0",
        "memlock",
        "BootCurrent: 0001",
    ),
    *("Boot0001*", "\\EFI\\x.efi", "DMI: a/b, BIOS 1 01/01/2020", "GRUB_CMDLINE_LINUX=", "kernelopts=", "$kernelopts"),
    *(
        'KERNEL_CMDLINE[default]+="',
        "boot.kernelParams = [",
        "]",
        'ATTR{driver_override}="',
        "driver_override",
        "linux /v",
    ),
    *("microcode: CPU0: patch_level=0x1", "HugePages_Total: 4", "Hugepagesize: 2048 kB", "9" * 30, "\u0661", "\x00"),
)
TEXTS = st.lists(st.sampled_from(WORDS) | st.text(max_size=8), max_size=40).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(READERS)), TEXTS, st.sampled_from((WHOLE, FILTERED, EXCERPT)))
def test_no_text_makes_them_raise(path: str, text: str, state: str) -> None:
    READERS[path](Evidence("paste", "p", [Piece(path, text, "p", state=state, command="ulimit -l")]))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_make_the_groups_raise(data: bytes) -> None:
    for evidence in (
        open_paste(b"root@a:~# cat /etc/rc.local\n#!/bin/sh\n" + data, "p"),
        Evidence("bundle", "b", [Piece(path, "", "b", None, binary=data) for path in READERS]),
    ):
        assert all(getattr(Host(evidence, KNOWLEDGE), group) is not None for group in GROUPS)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True), min_size=1, max_size=12, unique=True))
def test_a_list_reads_the_same_however_it_is_laid_out(names: list[str]) -> None:
    layouts = (
        ("etc/mkinitcpio.conf", f"MODULES=({' '.join(names)})"),
        ("etc/mkinitcpio.conf", "MODULES=(\n" + "\n".join(f"  {name} # x" for name in names) + "\n)"),
        ("etc/mkinitcpio.conf", "".join(f"MODULES+=({name})\n" for name in names)),
        ("etc/mkinitcpio.conf", f'MODULES="{" ".join(names)}"'),
    )
    for path, text in layouts:
        values = lists.mkinitcpio(Evidence("d", "d", [Piece(path, text)]))["MODULES"]
        assert [value.text for value in values] == names
    for text in (f'force_drivers+=" {" ".join(names)} "', "".join(f'force_drivers+=" {name} "\n' for name in names)):
        values = lists.dracut(Evidence("d", "d", [Piece("etc/dracut.conf", text)]))["force_drivers"]
        assert [value.text for value in values] == names
        assert not any(value.glued for value in values)


CONFIG = "CONFIG_VFIO=m\n# CONFIG_VFIO_NOIOMMU is not set"
SCRIPT = "#!/bin/sh\nfor d in 0000:01:00.0; do\n  echo vfio-pci > /sys/bus/pci/devices/$d/driver_override\ndone"
PASTE = (
    f"root@a:~# cat /boot/config-6.1\n{CONFIG}\nroot@a:~# cat /etc/initramfs-tools/scripts/init-top/v\n{SCRIPT}\n"
    "root@a:~# mokutil --sb-state\nSecureBoot enabled\nroot@a:~# ulimit -l\nunlimited\n"
    'root@a:~# cat /etc/default/grub\nGRUB_CMDLINE_LINUX_DEFAULT="quiet iommu=pt"\nroot@a:~#\n'
)


@pytest.mark.parametrize(
    "posted",
    [
        PASTE.replace("\n", "\r\n"),
        PASTE.replace("\n", "  \n"),
        "\n".join("> " + line for line in PASTE.splitlines()),
        PASTE.replace("root@a:~# ", "[root@a ~]# "),
    ],
)
def test_how_a_text_was_posted_does_not_matter(posted: str) -> None:
    def facts(text: str) -> list[object]:
        host = Host(open_paste(text.encode(), "p"), KNOWLEDGE)
        return [
            *(host.kconfig.lookup(name).value for name in ("VFIO", "VFIO_NOIOMMU")),
            [(one.address, one.driver, one.when, one.source.line) for one in host.overrides.configured],
            host.firmware.secure_boot.value,
            host.limits.shell.value,
            host.boot.configured.value,
        ]

    assert facts(posted) == facts(PASTE)
    assert facts(PASTE)[2] == [("0000:01:00.0", "vfio-pci", "initramfs", 7)]


UNITS = (
    *("CONFIG_A=y\n", "/x:CONFIG_", "# ", "1: 1 ", "  0-1 : a\n", "   ", "9", "a b ", "$", "\\\n", "microcode"),
    *("MODULES=(a\n", 'force_drivers+="a"\n', 'force_drivers+="a\n', 'MODULES+=("a\n', "a=(\ndriver_override\n"),
    *("for i in $i; do\n", "A=x\nA=$A$A\n", 'A="x $A $A"\n', "A+=$A\n", "driver_override '\n", "driver_override (\n"),
    *('echo "$A" > /sys/bus/pci/drivers/x/new_id\n', 'ATTR{driver_override}="a", ', "KERNEL==", "0000:01:00.0 "),
    *("append a\nlabel b\n", "options $a\n", "cmdline: a\n", '"a" "b"\n', "boot.kernelParams = [\n", "linux "),
    *("DMI: a/, BIOS ", "Boot0001* x\n", 'GRUB_CMDLINE_LINUX="\n', "GRUB_CMDLINE_LINUX+=$GRUB_CMDLINE_LINUX\n"),
)


@pytest.mark.parametrize("path", sorted(READERS))
def test_time_grows_with_the_text(path: str) -> None:
    """Four times the text takes about four times the time, far below the sixteen of a quadratic reader."""

    def seconds(text: str) -> float:
        evidence = Evidence("d", "d", [Piece(path, "driver_override " + text, "d")])
        start = process_time()
        READERS[path](evidence)
        return process_time() - start

    for unit in UNITS:
        text = unit * (5_000 // len(unit))
        small = seconds(text)
        if seconds(text * 4) > 12 * max(small, 0.005):
            small = max(seconds(text) for _ in range(3))
            assert min(seconds(text * 4) for _ in range(3)) < 12 * max(small, 0.005), unit


def read_all(evidence: Evidence) -> Host:
    host = Host(evidence, KNOWLEDGE)
    assert all(getattr(host, group) is not None for group in GROUPS)
    assert isinstance(host.modules.lookup("vfio_pci"), Fact)
    return host


@pytest.mark.skipif(not (SHARED / "real" / "sos").is_dir(), reason="no real trees here")
def test_real_trees() -> None:
    trees = [tree for tree in sorted((SHARED / "real" / "sos").iterdir()) if tree.is_dir()]
    assert trees
    for tree in trees:
        host = read_all(open_directory(tree))
        assert host.boot.loader.known
        assert host.interrupts.chips.known
        assert host.modprobe.of("blacklist") or not list(tree.glob("etc/modprobe.d/*"))


@pytest.mark.skipif(not (SHARED / "cases").is_dir(), reason="no real pastes here")
def test_real_pastes() -> None:
    pastes = sorted((SHARED / "cases").glob("*/paste.txt")) + sorted((SHARED / "seeds").glob("*.txt"))
    assert pastes
    for paste in pastes:
        read_all(open_paste(paste.read_bytes(), paste.parent.name))
