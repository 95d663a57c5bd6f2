"""Runs one program of the catalogue: no shell, bounded in time and output, ended with all its children."""

import errno
import os
import selectors
import signal
import stat
import subprocess
import time
from typing import IO, NamedTuple, Optional, Sequence, Union

from .relevant import Relevant

__all__ = ["PATH", "Result", "find", "run"]

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin"
"""Where programs are looked for, whatever the caller's own PATH says; the last is NixOS's."""

_STDERR_LIMIT = 16 * 1024


class Result(NamedTuple):
    """What a program left: both outputs, its exit status (None if it was killed), and why it was killed.

    `left`: the lines of a log that were left out of its output.
    """

    stdout: bytes
    stderr: bytes
    status: Optional[int]
    killed: Optional[str]
    left: int = 0


class _Whole:
    """An output of which the first LIMIT bytes are kept, and no more is wanted."""

    def __init__(self, limit: int) -> None:
        self.left, self.lost = 0, 0
        self._limit, self._data = limit, bytearray()

    def feed(self, data: bytes) -> None:
        self._data += data

    def full(self) -> bool:
        return len(self._data) > self._limit

    def data(self) -> bytes:
        return bytes(self._data[: self._limit])


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


def run(argv: Sequence[str], timeout: float, limit: int, log: bool = False) -> Result:
    """Run ARGV for at most TIMEOUT seconds, keeping the first LIMIT bytes of its output.

    Of a LOG beyond the limit the lines that matter are kept (see `relevant`). Raises OSError if the program
    cannot be started.
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
        return _drain(process, process.stdout, process.stderr, time.monotonic() + timeout, limit, log)
    finally:
        _end(process)
        process.stdout.close()
        process.stderr.close()


def _drain(
    process: "subprocess.Popen[bytes]", out: IO[bytes], err: IO[bytes], deadline: float, limit: int, log: bool
) -> Result:
    kept: Union[Relevant, _Whole] = Relevant(limit) if log else _Whole(limit)
    complaint = bytearray()
    killed: Optional[str] = None
    with selectors.DefaultSelector() as selector:
        selector.register(out, selectors.EVENT_READ, kept)
        selector.register(err, selectors.EVENT_READ, None)
        while selector.get_map() and killed is None:
            left = deadline - time.monotonic()
            ready = selector.select(max(left, 0))
            if left <= 0:
                killed = "timeout"
            for key, _ in ready:
                data = os.read(key.fd, 65536)
                if not data:
                    selector.unregister(key.fileobj)
                elif key.data is not None:
                    kept.feed(data)
                elif len(complaint) < _STDERR_LIMIT:
                    complaint += data
            if isinstance(kept, _Whole) and kept.full():
                killed = "limit"
    status = None
    if killed is None:
        try:
            status = process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            killed = "timeout"
    data = kept.data()
    return Result(data, bytes(complaint), status, killed, kept.left + kept.lost)


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
