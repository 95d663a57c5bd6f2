"""Writes a gzip-compressed tar, the same bytes for the same members.

It needs less than the standard library's `tarfile` and `gzip`: Debian's python3-minimal has neither. ustar headers,
and a pax header for a name that is long or not ASCII (POSIX.1-2017, pax "ustar Interchange Format").

>>> from .untar import files
>>> sorted(files(tarball([("a", b"1"), ("b" * 300, b"2")], 0)).values())
[b'1', b'2']
"""

import zlib
from typing import Iterable, List, Tuple

__all__ = ["tarball"]

_BLOCK = 512


def tarball(members: Iterable[Tuple[str, bytes]], seconds: int) -> bytes:
    """Return a .tar.gz of MEMBERS, names with their content, each dated SECONDS after 1970."""
    zipper = zlib.compressobj(6, zlib.DEFLATED, 31)  # 9 takes three times as long for a hundredth less
    parts: List[bytes] = []
    for name, content in members:
        short = name.encode("ascii", "replace")
        if len(short) > 100 or short.decode("ascii") != name:
            parts.append(zipper.compress(_member(b"./PaxHeaders/long", _record(name), seconds, b"x")))
            short = short[:100]
        parts.append(zipper.compress(_member(short, content, seconds, b"0")))
    parts.append(zipper.compress(bytes(2 * _BLOCK)))
    return b"".join(parts) + zipper.flush()


def _member(name: bytes, content: bytes, seconds: int, kind: bytes) -> bytes:
    fields = (
        name.ljust(100, b"\0"), b"0000644\0", b"0000000\0", b"0000000\0",
        b"%011o\0" % len(content), b"%011o\0" % max(seconds, 0), b" " * 8, kind, bytes(100),
        b"ustar\00000", bytes(32), bytes(32), bytes(8), bytes(8), bytes(155), bytes(12),
    )  # fmt: skip
    header = b"".join(fields)
    header = header[:148] + b"%06o\0 " % sum(header) + header[156:]
    return header + content + bytes(-len(content) % _BLOCK)


def _record(name: str) -> bytes:
    # The length at its beginning counts its own digits.
    rest = b" path=" + name.encode("utf-8", "surrogateescape") + b"\n"
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode("ascii") + rest
