"""A file appears whole or not at all: killed, on a full disk, on file systems that can do little."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import doctor.collect
from doctor.collect.output import write_new

ROOT = Path(doctor.collect.__file__).parents[2]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("nameless", [True, False])
def test_the_file_is_private_whatever_the_umask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nameless: bool
) -> None:
    if not nameless:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    old = os.umask(0o777)
    try:
        write_new(b"data", str(tmp_path / "b"))
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
    assert (tmp_path / "b").read_bytes() == b"data" and names(tmp_path) == ["b"]


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EISDIR])
def test_a_file_system_without_nameless_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    real = os.open

    def refuse(name: str, flags: int, *rest: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(number, "no")
        return real(name, flags, *rest)

    monkeypatch.setattr(os, "open", refuse)
    write_new(b"data", str(tmp_path / "b"))
    assert names(tmp_path) == ["b"]


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_new(b"data", str(tmp_path / "link"))
    assert names(tmp_path) == ["link"]


def test_a_name_in_the_present_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_new(b"data", "b")
    assert names(tmp_path) == ["b"]


WRITE = """
import os, sys, time
sys.path.insert(0, {root!r})
from doctor.collect import output
real = os.write
def slow(out, data):
    count = real(out, data[:1000])
    print("begun", flush=True)
    time.sleep(0.05)
    return count
os.write = slow
output.write_new(bytes(1000000), "b.tar.gz")
"""


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="Linux's nameless files")
def test_killed_it_leaves_nothing(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", WRITE.format(root=str(ROOT))]
    with subprocess.Popen(argv, cwd=str(tmp_path), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    left = names(tmp_path)
    # Where the file system has no nameless files, a hidden one may stay, but no bundle.
    assert left == [] or (len(left) == 1 and left[0].startswith(".passdoctor-"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_interrupted_it_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    code = f"""
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have it ignored
sys.path.insert(0, {str(ROOT)!r})
from doctor.collect import __main__ as command, gather
def wait(*_a, **_k):
    print("begun", flush=True)
    time.sleep(60)
gather.gather = wait
sys.exit(command.main(["-o", "b.tar.gz"]))
"""
    argv = [sys.executable, "-c", code]
    with subprocess.Popen(argv, cwd=str(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"begun\n"
        begin = time.monotonic()
        process.send_signal(number)
        error = process.stderr.read()
    assert process.returncode == 130 and error == b"passdoctor collect: interrupted; nothing was written\n"
    assert time.monotonic() - begin < 20 and names(tmp_path) == []


@pytest.mark.parametrize("nameless", [True, False])
def test_a_full_disk_leaves_nothing(tmp_path: Path, nameless: bool) -> None:
    code = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from doctor.collect import output
if not {nameless}:
    del os.O_TMPFILE
try:
    output.write_new(bytes(300000), "b.tar.gz")
except OSError as error:
    print(error.errno)
"""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))

    argv = [sys.executable, "-B", "-c", code]
    done = subprocess.run(argv, cwd=str(tmp_path), preexec_fn=limit, check=True, capture_output=True)
    assert int(done.stdout) == errno.EFBIG and names(tmp_path) == []


def test_a_full_file_system_leaves_nothing(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from doctor.collect import output\n"
        "try:\n    output.write_new(bytes(300000), 'b.tar.gz')\n"
        "except OSError as error:\n    import os; print(error.errno, os.listdir('.'))"
    )
    script = 'mount -t tmpfs -o size=64k none "$1" && cd "$1" && exec "$2" -B -c "$3"'
    argv = ["unshare", "--mount", "sh", "-c", script, "sh", str(tmp_path), sys.executable, code]
    try:
        done = subprocess.run(argv, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip("no right to mount a file system")
    assert done.stdout == f"{errno.ENOSPC} []\n", done.stderr
