"""The shell collector: clean, and the same evidence as the collector's under dash, busybox and bash."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from doctor.collect import gather, pack, untar
from doctor.collect.model import Collected
from doctor.collect.shell import script
from doctor.evidence.open import open_input
from doctor.redacting import redact_input

DEVICE = "sys/bus/pci/devices/0000:01:00.0/"
SHELLS = {"dash": ["dash"], "bash": ["bash"], "busybox": ["busybox", "ash"], "sh": ["sh"]}


def put(root: Path, path: str, text: str = "x\n") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.fixture(params=SHELLS, ids=str)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """The shell with the script, which stands outside the folder that it works in."""
    argv = SHELLS[request.param]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed")
    source = tmp_path.parent / f"{tmp_path.name}.sh"
    text = script()
    if argv[0] == "busybox":  # every program is busybox's own
        programs = tmp_path.parent / f"{tmp_path.name}.bin"
        programs.mkdir()
        subprocess.run(["busybox", "--install", "-s", str(programs)], check=True)
        text = text.replace("\nPATH=", f"\nPATH={programs} # ")
    source.write_text(text)
    yield [*argv, str(source)]
    source.unlink()


def run(argv: list[str], cwd: Path, root: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TMPDIR": str(cwd), **more}
    if root is not None:
        environment["PASSDOCTOR_ROOT"] = str(root)
    return subprocess.run(argv, cwd=str(cwd), env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    put(root, "proc/cmdline", "quiet intel_iommu=on\n")
    put(root, "proc/sys/kernel/osrelease", "6.8.12-1-pve\n")
    put(root, "proc/cpuinfo", "processor : 0\n" * 10000)
    put(root, "proc/meminfo", "MemTotal: 1 kB\nBuffers: 2 kB\n")
    put(root, DEVICE + "vendor", "0x10de\n")
    (root / DEVICE / "config").write_bytes(bytes(range(256)))
    (root / DEVICE / "driver").symlink_to("../../../bus/pci/drivers/vfio-pci")
    for name in ("rom", "vpd", "resource0", "reset", "remove"):
        (root / DEVICE / name).symlink_to("/dev/full")
    put(root, "sys/kernel/iommu_groups/1/devices/0000:01:00.0")
    put(root, "sys/kernel/iommu_groups/1/type", "DMA\n")
    (root / "sys/firmware/efi").mkdir(parents=True)
    put(root, "boot/config-6.8.12-1-pve", "CONFIG_VFIO=m\nCONFIG_FOO=y\nCONFIG_IOMMU_API=y\n")
    put(root, "etc/modprobe.d/my vfio.conf", "options vfio-pci ids=10de:1b80\n")
    put(root, 'etc/modprobe.d/"quoted".conf')
    put(root, "etc/modprobe.d/$(touch pwned).conf")
    put(root, "etc/modprobe.d/new\nline.conf")
    put(root, "etc/modprobe.d/caf\u00e9.conf")
    os.mkfifo(str(root / "etc/modprobe.d/pipe.conf"))
    (root / "etc/modprobe.d/masked.conf").symlink_to("/dev/null")
    (root / "etc/modprobe.d/loop.conf").symlink_to("loop.conf")
    put(root, "usr/lib/modprobe.d/a.conf", "options a\n")
    (root / "lib").symlink_to("usr/lib")
    put(root, "var/log/kern.log", "Jan  1 00:00:00 pve kernel: [    0.000000] Linux version 6.8\n")
    return root


def bundle(argv: list[str], work: Path, root: Path | None) -> Collected:
    done = run([*argv, "b.tar.gz"], work, root)
    assert done.returncode == 0, done.stderr
    assert "NOT redacted" in done.stdout and [path.name for path in work.iterdir()] == ["b.tar.gz"]
    assert stat.S_IMODE((work / "b.tar.gz").stat().st_mode) == 0o600
    return pack.unpack((work / "b.tar.gz").read_bytes())


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_it_is_clean(tmp_path: Path) -> None:
    (tmp_path / "collect.sh").write_text(script())
    done = subprocess.run(["shellcheck", str(tmp_path / "collect.sh")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_copied_root_gives_what_the_collector_gives(shell: list[str], work: Path, root: Path) -> None:
    theirs = bundle(shell, work, root)
    ours = gather.gather(str(root))
    assert theirs.warnings == () and theirs.redaction == "none"
    skipped = {'etc/modprobe.d/"quoted".conf', "etc/modprobe.d/caf\u00e9.conf"}
    for path, entry in ours.entries.items():
        if path.startswith("cmd/") or path in skipped or path == "etc/modprobe.d/":
            continue
        if path.startswith("sys/") and path.endswith("/config") and os.geteuid():
            continue
        assert path in theirs.entries, path
        other = theirs.entries[path]
        assert (other.data, other.state, other.how) == (entry.data, entry.state, entry.how), path
    assert set(theirs.entries) <= set(ours.entries)
    listed = theirs.entries["etc/modprobe.d/"].data.decode().split("\n")
    assert "my vfio.conf" in listed and "$(touch pwned).conf" in listed and not any('"' in name for name in listed)
    assert not (work / "pwned").exists() and not (root / "pwned").exists()


def test_this_host(shell: list[str], work: Path) -> None:
    theirs = bundle(shell, work, None)
    assert theirs.warnings == () and theirs.as_root == (os.geteuid() == 0)
    ours = gather.gather()
    assert theirs.entries["proc/cmdline"].data == ours.entries["proc/cmdline"].data
    assert theirs.entries["cmd/uname-a"].data.startswith(b"Linux ")
    lacking = {
        path
        for path, entry in ours.entries.items()
        if entry.state == "whole" and path not in theirs.entries and not path.startswith("proc/")
    }
    assert lacking == set()
    evidence = open_input(str(work / "b.tar.gz"))
    assert evidence.kind == "bundle" and evidence.last("proc/cmdline") is not None


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not installed")
def test_what_was_changed_or_taken_away_shows(shell: list[str], work: Path, root: Path) -> None:
    bundle(shell, work, root)
    members = untar.files((work / "b.tar.gz").read_bytes())
    listed = json.loads(members["passdoctor/manifest.json"])["members"]
    assert set(listed) == set(members) - {"passdoctor/manifest.json"} and len(listed) > 5
    name = "passdoctor/files/proc/cmdline"
    (changed,) = pack.from_members({**members, name: b"quiet\n"}).warnings
    (gone,) = pack.from_members({one: data for one, data in members.items() if one != name}).warnings
    assert "was changed" in changed and name in changed and "lacks" in gone and name in gone


def test_redacted_elsewhere_it_is_a_bundle_for_a_forum(shell: list[str], work: Path, root: Path) -> None:
    put(root, "etc/modprobe.d/mine.conf", "# alice@zeus.lan 10.1.2.3\n")
    assert bundle(shell, work, root).redaction == "none"
    redact_input(str(work / "b.tar.gz"), str(work / "c.tar.gz"))
    theirs = pack.unpack((work / "c.tar.gz").read_bytes())
    assert theirs.redaction == "forum" and theirs.warnings == ()
    assert b"10.1.2.3" not in theirs.entries["etc/modprobe.d/mine.conf"].data


def test_a_big_log(shell: list[str], work: Path, root: Path) -> None:
    noise = "Jan  1 00:00:01 pve kernel: [    1.000000] usb 1-1: noise number {}\n"
    fault = "Jan  1 00:00:02 pve kernel: [    2.000000] DMAR: DRHD: handling fault status reg 2\n"
    put(root, "var/log/kern.log", "".join(map(noise.format, range(60000))) + fault)
    entry = bundle(shell, work, root).entries["var/log/kern.log"]
    assert entry.state == "cut" and entry.data.endswith(fault.encode()) and len(entry.data) < 2200000
    assert b"left out here" in entry.data and entry.data.startswith(noise.format(0).encode())


def test_nothing_is_overwritten(shell: list[str], work: Path, root: Path) -> None:
    (work / "file").write_text("mine")
    (work / "link").symlink_to("nowhere")
    (work / "pipe-link").symlink_to("/dev/null")
    before = sorted(path.name for path in work.iterdir())
    for name in ("file", "link", "pipe-link", ".", "no/such/folder/x"):
        done = run([*shell, name], work, root)
        assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1, name
    assert sorted(path.name for path in work.iterdir()) == before and (work / "file").read_text() == "mine"


def test_interrupted_it_leaves_nothing(shell: list[str], work: Path, root: Path) -> None:
    for number in range(400):
        put(root, f"etc/modprobe.d/{number}.conf")
    environment = {**os.environ, "TMPDIR": str(work), "PASSDOCTOR_ROOT": str(root)}
    # Nobody reads what it says any more: that must not keep it from cleaning up.
    with subprocess.Popen([*shell, "b.tar.gz"], cwd=str(work), env=environment, stderr=-1) as process:
        for _ in range(1000):
            if any(work.rglob("proc/cmdline")):
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 130 and list(work.iterdir()) == []


def test_a_missing_program_is_named(work: Path, tmp_path: Path) -> None:
    source = tmp_path / "c.sh"
    source.write_text(script().replace("\nPATH=", "\nPATH=/nowhere # "))
    done = run(["/bin/sh", str(source)], work)
    assert done.returncode == 2 and "is needed, and not here" in done.stderr and list(work.iterdir()) == []


def test_it_names_every_item_and_says_that_it_does_not_redact() -> None:
    from doctor.collect.catalogue import ITEMS

    text = script()
    assert "does NOT redact" in text
    for item in ITEMS:
        assert item.path in text
    for item in ITEMS:
        assert not any(";" in word or "|" in word or "\n" in word for word in item.keep or ())
