"""Runs one program of the catalogue: no shell, bounded in time and output, ended with all its children."""

import errno
import os
import selectors
import signal
import stat
import subprocess
import time
from typing import IO, List, NamedTuple, Optional, Sequence

__all__ = ["PATH", "Result", "find", "run"]

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin"
"""Where programs are looked for, whatever the caller's own PATH says; the last is NixOS's."""

_STDERR_LIMIT = 16 * 1024


class Result(NamedTuple):
    """What a program left: both outputs, its exit status (None if it was killed), and why it was killed."""

    stdout: bytes
    stderr: bytes
    status: Optional[int]
    killed: Optional[str]


def find(program: str, path: str = PATH) -> Optional[str]:
    """Return the full name of PROGRAM in PATH, or None."""
    for folder in path.split(":"):
        name = os.path.join(folder, program)
        try:
            mode = os.stat(name).st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode) and os.access(name, os.X_OK):
            return name
    return None


def run(argv: Sequence[str], timeout: float, limit: int) -> Result:
    """Run ARGV for at most TIMEOUT seconds, keeping the first LIMIT bytes of its output.

    Raises OSError if the program cannot be started.
    """
    process = subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": PATH, "LC_ALL": "C", "LANG": "C"},
        cwd="/",
        close_fds=True,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stderr is not None  # noqa: S101 - both are pipes
    try:
        return _drain(process, process.stdout, process.stderr, time.monotonic() + timeout, limit)
    finally:
        _end(process)
        process.stdout.close()
        process.stderr.close()


def _drain(process: "subprocess.Popen[bytes]", out: IO[bytes], err: IO[bytes], deadline: float, limit: int) -> Result:
    outputs: List[bytearray] = [bytearray(), bytearray()]
    killed: Optional[str] = None
    with selectors.DefaultSelector() as selector:
        selector.register(out, selectors.EVENT_READ, 0)
        selector.register(err, selectors.EVENT_READ, 1)
        while selector.get_map() and killed is None:
            left = deadline - time.monotonic()
            ready = selector.select(max(left, 0))
            if left <= 0:
                killed = "timeout"
            for key, _ in ready:
                data = os.read(key.fd, 65536)
                if not data:
                    selector.unregister(key.fileobj)
                elif key.data == 0:
                    outputs[0] += data
                elif len(outputs[1]) < _STDERR_LIMIT:
                    outputs[1] += data
            if len(outputs[0]) > limit:
                killed = "limit"
    status = None
    if killed is None:
        try:
            status = process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            killed = "timeout"
    return Result(bytes(outputs[0][:limit]), bytes(outputs[1]), status, killed)


def _end(process: "subprocess.Popen[bytes]") -> None:
    # The group as well when the program itself ended: it may have left a child that holds the pipe.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError as error:
        if error.errno not in (errno.ESRCH, errno.EPERM):
            raise
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        pass  # asleep in the kernel: nobody can end it, and the collector does not wait for it
