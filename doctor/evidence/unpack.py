"""Compressed data as a file that is read forward, within limits of size and memory.

The standard library's own file objects have no limit: a kilobyte may claim a block of gigabytes. Formats:
gzip (RFC 1952), bzip2, xz (the .xz file format 1.2), zstd (RFC 8878; Python 3.14 reads it), or none at all.

>>> import gzip
>>> file = Unpacked(gzip.compress(b"vfio_pci"), limit=100)
>>> file.read(4), file.tell(), file.read(100)
(b'vfio', 4, b'_pci')
"""

from __future__ import annotations

from typing import Any

GZIP, XZ, BZIP2, ZSTD = b"\x1f\x8b", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd"
_CHUNK = 1 << 18
_STREAMS = 20_000  # compressed streams one after another, as pbzip2 and bgzip write them
_BEHIND = 1 << 10  # bytes that stay readable behind the position, for who steps back to a block's end
_MEMORY = 256 << 20  # bytes that a decompressor may take for its window
_AT_ONCE = 16 << 20  # bytes of one read; tarfile reads a long header whole


class TooMuch(ValueError):
    """The data unpacks to more than the limit."""


class NoZstd(ValueError):
    """This Python has no zstd."""


class Unpacked:
    """The unpacked data of `data` as tarfile wants it: read, seek forward, tell; nothing above `limit` bytes."""

    def __init__(self, data: bytes, limit: int) -> None:
        """Raises NoZstd, or what the decompressor raises, on reading."""
        self._data, self._limit = data, limit
        self._make = _maker(data)
        self._step: Any = None if self._make is None else self._make()
        self._streams = 1
        self._taken = 0  # bytes of `data` that were fed
        self._window = b""
        self._start = 0  # where the window begins in the unpacked data
        self._at = 0

    def tell(self) -> int:
        """The position in the unpacked data."""
        return self._at

    def seek(self, position: int, whence: int = 0) -> int:
        """Goes to `position`, counted from the start; back by a few bytes at most."""
        if whence or position < self._start:
            raise OSError("the archive's parts overlap")
        self._at = position
        self._fill(position)
        return position

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes."""
        if size < 0 or size > _AT_ONCE:
            raise TooMuch("a part of the archive is too large")
        self._fill(self._at + size)
        begin = self._at - self._start
        found = self._window[begin : begin + size] if begin >= 0 else b""
        self._at += len(found)
        return found

    def finish(self) -> None:
        """Unpacks what is left, so that an archive whose end is missing is found out."""
        at = self._start + len(self._window)
        while more := self._next():
            at += len(more)
            if at > self._limit:
                raise TooMuch("the archive unpacks to too much")

    def _fill(self, end: int) -> None:
        """Unpacks until the window reaches `end` or the data ends."""
        parts, have = [self._window], self._start + len(self._window)
        while have < end:
            more = self._next()
            if not more:
                break
            parts.append(more)
            have += len(more)
            if have > self._limit:
                raise TooMuch("the archive unpacks to too much")
            if have < self._at - _BEHIND and len(parts) > 1:  # what is passed over need not be kept
                parts, self._start = [more], have - len(more)
        self._window = b"".join(parts) if len(parts) > 1 else parts[0]
        drop = min(self._at, have) - _BEHIND - self._start
        if drop > _CHUNK:
            self._window, self._start = self._window[drop:], self._start + drop

    def _next(self) -> bytes:
        """The next unpacked bytes; none at the end. Raises EOFError where compressed data is cut."""
        if self._make is None:
            found = self._data[self._taken : self._taken + _CHUNK]
            self._taken += len(found)
            return found
        while True:
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
        return _zstd()
    return None


def _zstd() -> Any:
    """The standard library's zstd decompressor, where it has one."""
    from importlib import import_module

    try:
        zstd = import_module("compression.zstd")
    except ImportError:
        raise NoZstd("zstd needs Python 3.14") from None
    limit = {zstd.DecompressionParameter.window_log_max: 27}
    return lambda: zstd.ZstdDecompressor(options=limit)
