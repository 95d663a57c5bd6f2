"""Compressed data read forward, within limits of size and memory.

The standard library's own file objects have no limit: a kilobyte may claim a block of gigabytes. Formats:
gzip (RFC 1952), bzip2, xz (the .xz file format 1.2), zstd (RFC 8878; Python 3.14 reads it, else the program
`zstd` does), or none at all.

>>> import gzip
>>> file = Unpacked(gzip.compress(b"vfio_pci"), limit=100)
>>> file.read(4), file.read(100)
(b'vfio', b'_pci')
"""

from __future__ import annotations

import os

from doctor.collect.untar import Forward

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

GZIP, XZ, BZIP2, ZSTD = b"\x1f\x8b", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd"
_CHUNK = 1 << 18
_STREAMS = 20_000  # compressed streams one after another, as pbzip2 and bgzip write them
_MEMORY = 128 << 20  # bytes that a decompressor may take for its window; xz -9 takes 65 MiB
_SMALL = 32 << 20  # bytes up to which data may grow as it likes
_RATIO = 200  # times that it may grow; logs shrink to a twentieth


class TooMuch(ValueError):
    """The data unpacks to more than the limit."""


class NoZstd(ValueError):
    """Nothing here reads zstd."""


def most(packed: int, limit: int) -> int:
    """How many bytes `packed` bytes may become."""
    return min(limit, max(_SMALL, _RATIO * packed))


class Unpacked(Forward):
    """The unpacked bytes of `data`; nothing above `limit` bytes, and not hundreds of times its size."""

    def __init__(self, data: bytes, limit: int) -> None:
        """Raises NoZstd, or what the decompressor raises, on reading."""
        self._data, self._limit = data, most(len(data), limit)
        self._make = _maker(data)
        self._step: Any = None if self._make is None else self._make()
        self._streams = 1
        self._taken = 0  # bytes of `data` that were fed
        self._chunk, self._at = b"", 0
        self._total = 0

    def finish(self) -> None:
        """Unpacks what is left, so that an archive whose end is missing is found out."""
        self._limit = min(self._limit, self._total + _SMALL)  # what follows an archive's end is padding
        while self._make is not None and self._next():
            pass

    def close(self) -> None:
        """Ends the program, if one unpacks."""
        if isinstance(self._step, _Program):
            self._step.close()

    def _next(self) -> bytes:
        """The next unpacked bytes; none at the end."""
        found = self._step_on()
        self._total += len(found)
        if self._total > self._limit:
            raise TooMuch("the archive unpacks to too much")
        return found

    def _step_on(self) -> bytes:
        if self._make is None:
            found = self._data[self._taken : self._taken + _CHUNK]
            self._taken += len(found)
            return found
        while True:
            if self._step.eof and isinstance(self._step, _Program):
                return b""
            if self._step.eof:
                rest = self._step.unused_data
                self._taken -= len(rest)
                if not self._data.startswith(self._data[:2], self._taken) or self._taken >= len(self._data):
                    return b""  # what follows the last stream is no stream
                self._step = self._make()
                self._streams += 1
                if self._streams > _STREAMS:
                    raise TooMuch("the archive is in too many parts")
            fed = self._fed()
            found = self._step.decompress(fed, _CHUNK)
            if found:
                return bytes(found)
            if not fed and not self._step.eof:
                raise EOFError("the archive is cut short")

    def _fed(self) -> bytes:
        """Packed bytes that the decompressor has not had; zlib hands back what it had no room for."""
        left = getattr(self._step, "unconsumed_tail", None)
        if left:
            return bytes(left)
        if left is None and not self._step.needs_input:
            return b""
        found = self._data[self._taken : self._taken + _CHUNK]
        self._taken += len(found)
        return found


def _maker(data: bytes) -> Any:
    """What makes a decompressor for `data`; None for data that is not compressed."""
    if data.startswith(GZIP):
        import zlib

        return lambda: zlib.decompressobj(31)
    if data.startswith(BZIP2):
        import bz2

        return bz2.BZ2Decompressor
    if data.startswith(XZ):
        import lzma

        return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
    if data.startswith(ZSTD):
        return _zstd(data)
    return None


def _zstd(data: bytes) -> Any:
    """The standard library's zstd decompressor, where it has one, else the program."""
    from importlib import import_module

    try:
        zstd = import_module("compression.zstd")
    except ImportError:
        return lambda: _Program(data)
    limit = {zstd.DecompressionParameter.window_log_max: 27}
    return lambda: zstd.ZstdDecompressor(options=limit)


class _Program:
    """The program `zstd` as a decompressor that was fed everything; it unpacks from memory to a pipe."""

    unused_data = b""
    needs_input = False

    def __init__(self, data: bytes) -> None:
        """Raises NoZstd where there is no such program."""
        import subprocess
        from shutil import which
        from tempfile import TemporaryFile

        program = which("zstd", path="/usr/bin:/bin:/usr/local/bin:/usr/sbin:/run/current-system/sw/bin")
        if program is None:
            raise NoZstd("zstd is read by Python 3.14 or by the program zstd, which is not installed")
        self.eof = False
        memory = getattr(os, "memfd_create", None)
        with open(memory("zstd"), "w+b") if memory else TemporaryFile() as packed:  # a file without a name
            packed.write(data)
            packed.seek(0)
            command = (program, "-q", "-d", "-c")  # it takes 128 MiB for its window at most
            self._run = subprocess.Popen(command, stdin=packed, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def decompress(self, _fed: bytes, size: int) -> bytes:
        """The next bytes that the program writes. Raises ValueError with what it says is wrong."""
        out, problem = self._run.stdout, self._run.stderr
        found = out.read(size) if out is not None else b""
        if not found:
            said = problem.read(400).decode("utf-8", "replace").strip() if problem is not None else ""
            self.eof = True
            self.close()
            if self._run.returncode:
                last = said.splitlines()[-1].rpartition(" : ")[2] if said else f"status {self._run.returncode}"
                raise ValueError(f"zstd says: {last}")
        return found

    def close(self) -> None:
        """Ends the program."""
        for stream in (self._run.stdout, self._run.stderr):
            if stream is not None:
                stream.close()
        if not self.eof:
            self._run.kill()
        self._run.wait()
