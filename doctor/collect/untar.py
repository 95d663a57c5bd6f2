"""Reads a tar from a stranger, in memory, forward only and within limits.

`Tar` reads ustar headers, pax headers and GNU long names (POSIX.1-2017, pax "ustar Interchange Format"; tar/tarfile.h
of GNU tar), whatever the members are; `files` takes of a gzip-compressed one only what a bundle holds. The standard
library's reader has no limits for headers and sparse maps, and importing it alone would cost a sixth of the time
that a whole check may take.
"""

import zlib
from io import BytesIO

from .record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, List, Optional, Tuple

__all__ = ["FILE", "HARD_LINK", "KINDS", "LINK", "BundleError", "Member", "Tar", "check_name", "files"]

MEMBER_COUNT = 20000
MEMBER_SIZE = 32 * 1024 * 1024
TOTAL_SIZE = 128 * 1024 * 1024
_SMALL = 32 * 1024 * 1024  # bytes up to which an archive may grow as it likes
_RATIO = 200  # times that it may grow; logs shrink to a twentieth
_NAME_LENGTH = 1024
_DEPTH = 32
_BLOCK = 512
_PART = 1 << 18
_LONG_HEADER = 1024 * 1024  # a pax header may hold extended attributes
_HEADERS = 8  # headers before a member that say more of it
FILE, HARD_LINK, LINK = b"0", b"1", b"2"
KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"5": "a folder",
    b"6": "a named pipe",
    b"S": "a sparse file",
}
_EMPTY = b"123456"  # kinds that have no content, whatever size a header gives


class BundleError(ValueError):
    """The data is no bundle, a damaged one, or one that tries what none needs; says what, in a line."""


class Member(NamedTuple):
    """A member's header: its name, its `KINDS` (`FILE` for a file), its size in bytes, a link's target.

    Names that are not UTF-8 hold surrogates (PEP 383).
    """

    name: str
    kind: bytes
    size: int
    link: str


class Tar:
    """The members of a tar, one after another."""

    def __init__(self, read: "Callable[[int], bytes]") -> None:
        """READ gives as many bytes as it is asked for, fewer only at the end."""
        self._read = read
        self._left, self._padding = 0, 0
        self.ended = False
        """Whether the mark of the archive's end was read."""

    def next(self) -> "Optional[Member]":
        """Go to the next member; None at the end. Raises `BundleError` for damage and for endless headers."""
        more: Dict[str, str] = {}
        for _ in range(_HEADERS + 1):
            header = self._header()
            if header is None:
                return None
            kind, size = header[156:157], _number(header[124:136])
            kind = FILE if kind in (b"\0", b"7") else kind
            if kind not in (b"x", b"g", b"L", b"K"):
                return self._member(header, kind, size, more)
            if size > _LONG_HEADER:
                raise BundleError("a header of the archive is too large")
            self._left, self._padding = size, -size % _BLOCK
            content = self.content()
            if kind == b"x":
                more.update(_records(content))
            elif kind != b"g":
                more["path" if kind == b"L" else "linkpath"] = _text(content.partition(b"\0")[0])
        raise BundleError("the archive's headers are nested too deeply")

    def content(self) -> bytes:
        """The content of the present member, or what is left of it; it may be as large as its header says."""
        out = BytesIO()  # unlike a list of parts it is not there twice at the end
        while self._left:
            out.write(self._part())
        return out.getvalue()

    def _part(self) -> bytes:
        part = self._read(min(self._left, _PART))
        if not part:
            raise BundleError("the archive is cut short")
        self._left -= len(part)
        return part

    def _header(self) -> "Optional[bytes]":
        while self._left:
            self._part()
        if self._padding and len(self._read(self._padding)) < self._padding:
            raise BundleError("the archive is cut short")
        self._padding = 0
        header = self._read(_BLOCK)
        if not header.strip(b"\0"):
            self.ended = len(header) == _BLOCK
            return None
        if len(header) < _BLOCK:
            raise BundleError("the archive is cut short")
        stated = _number(header[148:156])
        rest = header[:148] + header[156:]
        if stated != sum(rest) + 8 * 32 and stated != sum(rest) + 8 * 32 - 256 * sum(byte > 127 for byte in rest):
            raise BundleError("not a tar archive, or a damaged one: a header's checksum is wrong")
        return header

    def _member(self, header: bytes, kind: bytes, size: int, more: "Dict[str, str]") -> Member:
        if kind == b"S":
            flag = header[482:483]
            while flag.strip(b"\0"):  # blocks that go on with the map of a sparse file
                block = self._read(_BLOCK)
                if len(block) < _BLOCK:
                    raise BundleError("the archive is cut short")
                flag = block[504:505]
        if "size" in more:
            if not (more["size"].isdigit() and len(more["size"]) < 20):
                raise BundleError("not a tar archive, or a damaged one: a pax header is malformed")
            size = int(more["size"])
        if "GNU.sparse" in more:
            kind = b"S"
        name = more.get("path") or _header_name(header)
        if kind == FILE and name.endswith("/"):
            kind = b"5"
        size = 0 if kind in _EMPTY else size
        self._left, self._padding = size, -size % _BLOCK
        return Member(name, kind, size, more.get("linkpath") or _text(header[157:257].partition(b"\0")[0]))


def files(data: bytes) -> "Dict[str, bytes]":
    """Return the content of each regular file in DATA (.tar.gz) by name.

    Raises `BundleError` for damage, for anything but files and folders, for names that leave the archive's
    tree, hold control characters or appear twice, and beyond 20000 members, 32 MiB each, 128 MiB in all.
    """
    found: Dict[str, bytes] = {}
    stream = _Gunzip(data)
    archive = Tar(stream.read)
    for count in range(MEMBER_COUNT + 1):
        member = archive.next()
        if member is None:
            break
        if count == MEMBER_COUNT:
            raise BundleError("the archive has more than {} members".format(MEMBER_COUNT))
        if member.name in (".", "./"):
            continue  # the folder that was packed
        name = check_name(member.name[2:] if member.name.startswith("./") else member.name)
        if member.size > MEMBER_SIZE:
            raise BundleError("a member of the archive is larger than {} MiB".format(MEMBER_SIZE >> 20))
        if member.kind == FILE:
            if name in found:
                raise BundleError("the archive holds {} twice".format(name))
            found[name] = archive.content()
        elif member.kind != b"5":
            what = KINDS.get(member.kind, "a member of an unknown kind")
            raise BundleError("the archive holds {}: {}".format(what, name))
    if not archive.ended:
        raise BundleError("the archive is cut short")
    stream.finish()
    return found


def check_name(name: str) -> str:
    """Return NAME if it is a plain relative path, else raise `BundleError`."""
    plain = name.isprintable() and len(name) <= _NAME_LENGTH and name[:1] not in ("", "/", ".")
    if plain and "/." not in name and "//" not in name and name.count("/") < _DEPTH:
        return name  # nearly all: a bundle holds thousands
    if not name.isprintable():
        raise BundleError("a name in the archive holds control characters: {:.80}".format(ascii(name)))
    if not name or name.startswith("/") or len(name) > _NAME_LENGTH:
        raise BundleError("a name in the archive is empty, absolute or too long: {:.80}".format(name))
    parts = name.split("/")
    # A trailing slash is a listing's; an empty part elsewhere would give a file two names.
    if ".." in parts or "." in parts or "" in parts[:-1] or len(parts) > _DEPTH:
        raise BundleError("a name in the archive is not a plain path: {:.80}".format(name))
    return name


class Forward:
    """Bytes that come in chunks of any size, read forward; `_next` gives the next chunk, nothing at the end."""

    _chunk, _at = b"", 0

    def _next(self) -> bytes:
        raise NotImplementedError

    def read(self, size: int) -> bytes:
        """Return SIZE bytes, fewer at the end only."""
        found: List[bytes] = []
        while size > 0:
            if self._at >= len(self._chunk):
                self._chunk, self._at = self._next(), 0
                if not self._chunk:
                    break
            part = self._chunk[self._at : self._at + size]
            self._at += len(part)
            size -= len(part)
            found.append(part)
        return found[0] if len(found) == 1 else b"".join(found)


class _Gunzip(Forward):
    """The unpacked bytes of one gzip stream, forward."""

    def __init__(self, data: bytes) -> None:
        self._unzip = zlib.decompressobj(31)
        self._packed, self._chunk, self._at, self._total = data, b"", 0, 0
        self._limit = min(TOTAL_SIZE, max(_SMALL, _RATIO * len(data)))

    def finish(self) -> None:
        """Unpack what is left; raise `BundleError` if the stream is damaged or something follows it."""
        while self._next():
            pass
        if self._unzip.unused_data.strip(b"\0"):
            raise BundleError("something follows the end of the archive")

    def _next(self) -> bytes:
        if self._unzip.eof:
            return b""
        try:
            chunk = self._unzip.decompress(self._packed, _PART)
        except zlib.error as error:
            raise BundleError("not a gzip archive, or a damaged one: {}".format(error))
        self._packed = self._unzip.unconsumed_tail
        self._total += len(chunk)
        if self._total > self._limit:
            raise BundleError("the archive unpacks to more than {} MiB".format(self._limit >> 20))
        if not chunk and not self._unzip.eof:
            raise BundleError("the archive is cut short")
        return chunk


def _number(field: bytes) -> int:
    if field[:1] == b"\x80":  # GNU tar's form for what does not fit octal digits
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if not digits or digits.strip(b"01234567"):
        raise BundleError("not a tar archive, or a damaged one: a header's number is not octal")
    return int(digits, 8)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _header_name(header: bytes) -> str:
    name = _text(header[:100].partition(b"\0")[0])
    if header[257:263] == b"ustar\0" and header[345:346] != b"\0":
        return _text(header[345:500].partition(b"\0")[0]) + "/" + name
    return name


def _records(content: bytes) -> "Dict[str, str]":
    """The records of a pax header that matter; "GNU.sparse" for a file whose content is only a part of it."""
    found: Dict[str, str] = {}
    for key, value in _pairs(content):
        if key in (b"path", b"linkpath", b"size"):
            # A NUL is no end here: it would hide the rest of the name.
            found[key.decode("ascii")] = _text(value)
        elif key.startswith(b"GNU.sparse"):
            found["GNU.sparse"] = "1"
    return found


def _pairs(content: bytes) -> "List[Tuple[bytes, bytes]]":
    pairs, at = [], 0
    while at < len(content) and content[at : at + 1] != b"\0":
        digits = content[at : at + 8].partition(b" ")[0]
        length = int(digits) if digits.isdigit() and len(digits) < 8 else 0
        record = content[at + len(digits) + 1 : at + length]
        if length < len(digits) + 3 or at + length > len(content) or not record.endswith(b"\n") or b"=" not in record:
            raise BundleError("not a tar archive, or a damaged one: a pax header is malformed")
        key, _, value = record[:-1].partition(b"=")
        pairs.append((key, value))
        at += length
    return pairs
