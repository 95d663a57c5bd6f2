"""Nothing but the output is written, no file is opened that acts, nothing is started that wakes a daemon: by strace.

Both collectors run on this host, children included; every system call that could change something is looked at.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from doctor.collect.catalogue import ITEMS
from doctor.collect.shell import script

ROOT = Path(__file__).resolve().parents[2]
_CHANGES = (
    "creat rename renameat renameat2 unlink unlinkat rmdir mkdir mkdirat mknod mknodat link linkat symlink symlinkat "
    "truncate chmod fchmodat fchmodat2 chown lchown fchownat utime utimes futimesat utimensat setxattr lsetxattr "
    "removexattr lremovexattr mount umount2 move_mount pivot_root chroot swapon swapoff quotactl acct sethostname "
    "setdomainname settimeofday clock_settime adjtimex init_module finit_module delete_module create_module kexec_load "
    "kexec_file_load reboot ioperm iopl bpf perf_event_open name_to_handle_at open_by_handle_at"
)
CHANGES = _CHANGES.split()
OPENS = ("open", "openat", "openat2")
WRITING = ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND", "O_TMPFILE")
ACTS = re.compile(r"/sys/.*/(?:rom|vpd|reset|remove|rescan|resource\d\w*|new_id|remove_id|bind|unbind|driver_probe)$")
_CALL = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+|\?)")
_PLACE = re.compile(r'(?:AT_FDCWD|\d+)<([^<>]*)>, "((?:[^"\\]|\\.)*)"|"((?:[^"\\]|\\.)*)"')


class Call(NamedTuple):
    """A system call that succeeded: its name, the files it names, and its arguments as strace shows them."""

    name: str
    files: tuple[str, ...]
    text: str


def calls(logs: Path) -> Iterator[Call]:
    for log in sorted(logs.glob("log.*")):
        cwd = ""
        for line in log.read_text("utf-8", "replace").splitlines():
            match = _CALL.match(line)
            if match is None or match[3].startswith("-"):
                continue
            files = []
            for folder, name, alone in _PLACE.findall(match[2]):
                files.append(os.path.normpath(str(Path(folder, name) if name else Path(cwd, alone))))
            if match[1] == "chdir" and files:
                cwd = files[0]
            yield Call(match[1], tuple(files), match[2])


def traced(argv: list[str], folder: Path) -> list[Call]:
    """What ARGV does in FOLDER, children included."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    logs = folder.parent / "logs"
    logs.mkdir()
    wanted = ",".join([*OPENS, *(f"?{name}" for name in CHANGES), "execve", "?socket", "connect", "chdir", "?prctl"])
    trace = [strace, "-ff", "-y", "-qq", "-s", "4096", "-e", f"trace={wanted}", "-o", str(logs / "log")]
    environment = {**os.environ, "TMPDIR": str(folder), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    done = subprocess.run([*trace, *argv], cwd=str(folder), env=environment, capture_output=True, text=True)
    if "ptrace" in done.stderr or "PTRACE" in done.stderr:
        pytest.skip("this system allows no tracing")
    assert done.returncode == 0, done.stderr
    return list(calls(logs))


def wrong(found: list[Call], inside: Path) -> list[Call]:
    """The calls that change something outside the folder INSIDE, or read what acts."""
    allowed = str(inside) + "/"

    def harmless(name: str) -> bool:
        return (
            (name + "/").startswith(allowed) or name in ("/dev/null", "/dev/tty") or name.startswith("/proc/self/fd/")
        )

    bad = []
    for call in found:
        writes = call.name in CHANGES or (call.name in OPENS and any(flag in call.text for flag in WRITING))
        acts = any(ACTS.search(name) for name in call.files)
        if (writes and not all(map(harmless, call.files))) or (acts and call.name in OPENS):
            bad.append(call)
    return bad


def programs(found: list[Call]) -> set[str]:
    return {call.files[0].rpartition("/")[2] for call in found if call.name == "execve" and call.files}


def families(found: list[Call]) -> set[str]:
    return {call.text.split(",")[0] for call in found if call.name == "socket"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def test_the_collector(folder: Path) -> None:
    pyz = folder.parent / "collect.pyz"
    subprocess.run([sys.executable, str(ROOT / "tools" / "pyz.py"), str(pyz)], check=True, stdout=-3)
    found = traced([sys.executable, "-I", "-S", str(pyz), "-o", "b.tar.gz"], folder)
    opened = {name for call in found if call.name in OPENS for name in call.files}
    assert "/proc/cmdline" in opened and len(opened) > 50, "the trace saw what it should"
    assert [path.name for path in folder.iterdir()] == ["b.tar.gz"]
    assert wrong(found, folder) == []
    ours = {item.argv[0] for item in ITEMS if item.argv} | {Path(sys.executable).name, "python3"}
    assert {name for name in programs(found) if not name.startswith("python")} <= ours
    # `ip route` asks the kernel through one; the C library asks a cache of users' names on this host (lspci).
    assert families(found) <= {"AF_NETLINK", "AF_UNIX"}


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_the_shell_collector(folder: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    source = folder.parent / "collect.sh"
    source.write_text(script())
    found = traced([shell, str(source), "b.tar.gz"], folder)
    assert {"/proc/cmdline", "/proc/modules"} & {name for call in found for name in call.files}
    assert [path.name for path in folder.iterdir()] == ["b.tar.gz"]
    assert wrong(found, folder) == []
    assert not programs(found) & {"virsh", "pvesh", "modprobe", "insmod", "lsinitramfs", "sudo", "mount"}
    # AF_UNIX: tar asks for the names of users, which a cache may know.
    assert families(found) <= {"AF_NETLINK", "AF_UNIX"}


WRITERS = {
    "openat": ['1 openat(AT_FDCWD</r>, "/sys/bus/pci/rescan", O_WRONLY) = 3', True],
    "relative": ['1 openat(4</sys/bus/pci/devices/0000:01:00.0>, "rom", O_RDONLY) = 3', True],
    "vpd": ['1 openat(AT_FDCWD</r>, "/sys/devices/pci0000:00/0000:00:01.0/vpd", O_RDONLY|O_CLOEXEC) = 3', True],
    "bar": ['1 openat(AT_FDCWD</r>, "/sys/bus/pci/devices/0000:01:00.0/resource0_wc", O_RDWR) = 3', True],
    "mkdir": ['1 mkdir("/var/x", 0700) = 0', True],
    "unlinkat": ['1 unlinkat(3</etc>, "passwd", 0) = 0', True],
    "refused": ['1 mkdir("/var/x", 0700) = -1 EEXIST (File exists)', False],
    "own": ['1 openat(AT_FDCWD</work>, "b.tar.gz", O_WRONLY|O_CREAT|O_EXCL, 0600) = 3</work/b.tar.gz>', False],
    "climbs": ['1 openat(AT_FDCWD</work>, "../etc/x", O_WRONLY) = 3', True],
    "reads": ['1 openat(AT_FDCWD</work>, "/sys/bus/pci/devices/0000:01:00.0/resource", O_RDONLY) = 3', False],
}


@pytest.mark.parametrize(("line", "bad"), WRITERS.values(), ids=WRITERS)
def test_the_judge_sees_what_writes(tmp_path: Path, line: str, bad: bool) -> None:
    (tmp_path / "log.1").write_text(line.partition(" ")[2] + "\n")
    assert bool(wrong(list(calls(tmp_path)), Path("/work"))) is bad
