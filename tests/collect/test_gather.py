"""Gathering from copied roots and from this host."""

import os
import time
from pathlib import Path

import pytest

from doctor.collect import command, gather, read
from doctor.collect.catalogue import Item
from doctor.collect.model import Entry

DEVICE = "sys/bus/pci/devices/0000:01:00.0/"
needs_ordinary_user = pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")


def put(root: Path, path: str, text: str = "x\n") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path, "proc/cmdline", "quiet intel_iommu=on\n")
    put(tmp_path, "proc/sys/kernel/osrelease", "6.8.12-1-pve\n")
    put(tmp_path, DEVICE + "vendor", "0x10de\n")
    (tmp_path / DEVICE / "config").write_bytes(bytes(range(256)))
    (tmp_path / DEVICE / "driver").symlink_to("../../../bus/pci/drivers/vfio-pci")
    for name in ("rom", "vpd", "resource0", "reset"):
        put(tmp_path, DEVICE + name)
    return tmp_path


def test_files_links_listings_and_existence(root: Path) -> None:
    put(root, "sys/kernel/iommu_groups/1/devices/0000:01:00.0")
    put(root, "sys/kernel/iommu_groups/1/type", "DMA\n")
    (root / "sys/firmware/efi").mkdir(parents=True)
    entries = gather.gather(str(root)).entries
    assert entries["proc/cmdline"].data == b"quiet intel_iommu=on\n"
    assert entries[DEVICE + "vendor"].data == b"0x10de\n"
    assert entries[DEVICE + "config"].data == bytes(range(256))
    assert entries[DEVICE + "config"].state == "whole"
    assert entries[DEVICE + "driver"].data == b"../../../bus/pci/drivers/vfio-pci"
    assert entries["sys/kernel/iommu_groups/"].data == b"1\n"
    assert entries["sys/kernel/iommu_groups/1/devices/"].data == b"0000:01:00.0\n"
    assert entries["sys/firmware/efi"].state == "whole"
    assert not [path for path in entries if path.endswith(("/rom", "/vpd", "/resource0", "/reset"))]


def test_absent_is_recorded_for_literal_paths_only(root: Path) -> None:
    entries = gather.gather(str(root)).entries
    assert entries["etc/kernel/cmdline"].state == "absent"
    assert entries["sys/firmware/efi"].state == "absent"
    assert entries["sys/kernel/iommu_groups/"].state == "absent"
    assert DEVICE + "boot_vga" not in entries
    assert not [path for path in entries if "*" in path]


def test_logs_that_were_put_aside_where_no_journal_has_an_earlier_boot(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root, "var/log/dmesg.0", "[    0.000000] Linux version 6.1.0-9-amd64\n")
    put(root, "var/log/kern.log", "Jan  1 00:00:00 h kernel: [    9.000000] a\n")
    put(root, "var/log/messages.1", "Jan  1 00:00:00 h sshd: not the kernel's\nJan  1 00:00:00 h kernel: b\n")
    begin = Entry("cmd/dmesg", b"[    0.000000] Linux version 6.8\n", "command", "dmesg")
    kept = Entry("cmd/journalctl-k-b-1", b"-- a journal\n", "command", "journalctl")

    def found(boots: int, journal: bool) -> dict[str, Entry]:
        def run(item: Item, *_: object) -> Entry:
            asked = kept if journal else Entry(item.path, b"", "command")
            return begin if item.path == "cmd/dmesg" else asked

        monkeypatch.setattr(gather, "_command", run)
        monkeypatch.setattr(gather, "_is_live", lambda _root: True)
        monkeypatch.setattr(gather, "_isolated", lambda *_: False)
        return gather.gather(str(root), None, boots).entries

    for boots, journal in ((0, False), (1, True)):
        entries = found(boots, journal)
        assert "var/log/dmesg.0" not in entries and (entries["var/log/kern.log"].reason or "").startswith("not needed")
    entries = found(1, False)
    assert entries["var/log/dmesg.0"].data and entries["var/log/kern.log"].data
    assert entries["var/log/messages.1"].data == b"Jan  1 00:00:00 h kernel: b\n"


def test_no_command_for_a_copied_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "run", lambda *_: pytest.fail("a command was run"))
    entry = gather.gather(str(root)).entries["cmd/dmesg"]
    assert (entry.state, entry.data) == ("absent", b"") and "copied" in (entry.reason or "")


def test_big_files_are_filtered_by_line(root: Path) -> None:
    put(root, "boot/config-6.8.12-1-pve", "CONFIG_VFIO=m\nCONFIG_FOO=y\nCONFIG_IOMMU_API=y\n")
    entry = gather.gather(str(root)).entries["boot/config-6.8.12-1-pve"]
    assert (entry.state, entry.data) == ("filtered", b"CONFIG_VFIO=m\nCONFIG_IOMMU_API=y\n")


def test_a_long_file_is_cut_between_lines(root: Path) -> None:
    put(root, "proc/cpuinfo", "processor : 0\n" * 10000)
    entry = gather.gather(str(root)).entries["proc/cpuinfo"]
    assert entry.state == "cut" and len(entry.data) <= 65536 and entry.data.endswith(b"0\n")


def test_drop_ins_are_read_once_where_lib_is_a_link(root: Path) -> None:
    put(root, "usr/lib/modprobe.d/a.conf", "options a\n")
    (root / "lib").symlink_to("usr/lib")
    entries = gather.gather(str(root)).entries
    assert "usr/lib/modprobe.d/a.conf" in entries and "usr/lib/modprobe.d/" in entries
    assert not [path for path in entries if path.startswith("lib/modprobe.d")]


def test_hostile_names_and_kinds(root: Path) -> None:
    put(root, "etc/modprobe.d/a\nb.conf")
    os.mkfifo(str(root / "etc/modprobe.d/pipe.conf"))
    (root / "etc/modprobe.d/masked.conf").symlink_to("/dev/null")
    (root / "etc/modprobe.d/loop.conf").symlink_to("loop.conf")
    put(root, "proc/sys/kernel/osrelease", "../../etc\n")
    begin = time.monotonic()
    entries = gather.gather(str(root)).entries
    assert time.monotonic() - begin < 5
    assert entries["etc/modprobe.d/pipe.conf"].state == "failed"
    assert entries["etc/modprobe.d/masked.conf"].state == "whole"
    assert "etc/modprobe.d/loop.conf" not in entries
    assert all(path.isprintable() for path in entries)
    assert not [path for path in entries if ".." in path]


def test_denied_is_not_absent(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(root, "etc/pve/qemu-server/100.conf")
    secret = str(put(root, "etc/default/grub"))
    real_open, real_list = os.open, os.listdir

    def refuse(name: str, *rest: int) -> int:
        if name == secret:
            raise PermissionError(13, "Permission denied", name)
        return real_open(name, *rest)

    def refuse_list(name: str) -> list[str]:
        if name.rstrip("/").endswith("qemu-server"):
            raise PermissionError(13, "Permission denied", name)
        return real_list(name)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "listdir", refuse_list)
    entries = gather.gather(str(root)).entries
    assert entries["etc/default/grub"].state == "denied" and entries["etc/default/grub"].reason
    assert entries["etc/pve/qemu-server/"].state == "denied"
    assert entries["etc/pve/qemu-server/*.conf"].state == "denied"


def test_config_space_without_root_is_cut(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_read = read.read_some

    def short(name: str, limit: int, follow: bool) -> "tuple[bytes, bool, int]":
        data, cut, size = real_read(name, limit, follow)
        return data[:64] if name.endswith("config") else data, cut, size

    monkeypatch.setattr(read, "read_some", short)
    entry = gather.gather(str(root)).entries[DEVICE + "config"]
    assert (entry.state, len(entry.data)) == ("cut", 64)


def test_this_host(tmp_path: Path) -> None:
    told: list[str] = []
    collected = gather.gather(progress=told.append)
    assert collected.entries["proc/cmdline"].state == "whole"
    assert collected.entries["cmd/uname-a"].data.startswith(b"Linux ")
    assert collected.as_root == (os.geteuid() == 0)
    assert "cmd/dmesg" in told and len(told) > 1
    time.strptime(collected.collected_at, "%Y-%m-%dT%H:%M:%SZ")


def tool(tmp_path: Path, script: str) -> Item:
    file = put(tmp_path, "tool", "#!/bin/sh\n" + script)
    file.chmod(0o755)
    return Item("cmd/tool", "command", (str(file),), limit=1000, timeout=0.5)


@pytest.mark.parametrize(
    ("script", "state", "data"),
    [
        ("echo out; echo err >&2", "whole", b"out\n"),
        ("echo none; exit 1", "whole", b"none\n"),
        ("echo 'dmesg: read kernel buffer failed: Operation not permitted' >&2; exit 1", "denied", b""),
        ("echo '-- No entries --'; echo 'insufficient permissions.' >&2", "denied", b""),
        ("echo '-- No entries --'; echo 'No journal files were found.' >&2", "failed", b""),
        ("echo broken >&2; exit 3", "failed", b""),
        ("sleep 60 & sleep 60", "failed", b""),
        ("echo first; sleep 60", "cut", b"first\n"),
        ("yes", "cut", b"y\n" * 500),
        ("cat; echo $LC_ALL $HOME", "whole", b"C\n"),
    ],
)
def test_commands(tmp_path: Path, script: str, state: str, data: bytes) -> None:
    begin = time.monotonic()
    entry = gather.run_item(tool(tmp_path, script))
    assert (entry.state, entry.data) == (state, data)
    assert time.monotonic() - begin < 5


def test_a_timeout_ends_the_children(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    gather.run_item(tool(tmp_path, f"sleep 61 & echo $! > {marker}; wait"))
    child = int(marker.read_text())
    for _ in range(50):
        try:
            gone = "\nState:\tZ" in Path(f"/proc/{child}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            gone = True
        if gone:
            return
        time.sleep(0.05)
    pytest.fail("the child is still there")


def test_a_missing_program_is_absent() -> None:
    entry = gather.run_item(Item("cmd/none", "command", ("passdoctor-no-such-program",)))
    assert entry.state == "absent" and "not installed" in (entry.reason or "")


def test_journal_is_read_only_when_dmesg_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    log = {"cmd/dmesg": b"[    0.000000] Linux version 6.8\n"}

    def fake(item: Item) -> gather.Entry:
        ran.append(item.path)
        return gather.Entry(item.path, log.get(item.path, b""), "command")

    monkeypatch.setattr(gather, "run_item", fake)
    entries = gather.gather().entries
    assert "cmd/journalctl-k" not in ran and entries["cmd/journalctl-k"].state == "absent"
    log["cmd/dmesg"] = b"[ 1000.0] vfio-pci 0000:01:00.0: enabling device\n"
    gather.gather()
    assert "cmd/journalctl-k" in ran


@needs_ordinary_user
def test_an_ordinary_user_is_told_what_is_denied() -> None:
    entries = gather.gather().entries
    assert all(entry.reason for entry in entries.values() if entry.state == "denied")


def test_nothing_is_opened_for_writing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_open = os.open

    def watch(name: str, flags: int, *rest: int) -> int:
        assert not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        assert Path(name).is_file()
        return real_open(name, flags, *rest)

    monkeypatch.setattr(os, "open", watch)
    assert gather.gather(str(root)).entries
