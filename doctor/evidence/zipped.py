"""A zip as a tree in memory; each member is unpacked when it is asked for, and never beyond what its header says.

zipfile reads the directory only: its own reading of a bzip2 member has no limit. Format: PKWARE APPNOTE 6.3, sections
4.3.7 (local header) and 4.4 (fields).
"""

from __future__ import annotations

import zipfile
import zlib
from io import BytesIO

from doctor.evidence.tarball import HIDDEN, MEMBERS, NAMES, TOTAL, TWICE, Wants, nothing, too_large
from doctor.evidence.tree import Tree, clean_name
from doctor.evidence.types import InputError
from doctor.evidence.unpack import TooMuch, most

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PART = 1 << 18
_HEADER = 30  # bytes of a local header without name and extra field
_LINK = 1024  # characters of a link's target
_LINKED = 4096  # bytes of a member that may be a link
_ENTRY = b"PK\x01\x02"
_KNOWN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)


def read_zip(data: bytes, shown: str, wants: Wants) -> Tree:
    """The members of a zip. Raises InputError, TooMuch and what zipfile raises for damage."""
    if data.count(_ENTRY) > MEMBERS:  # before zipfile makes an object of each
        raise TooMuch("the archive unpacks to too much")
    members = zipfile.ZipFile(BytesIO(data)).infolist()
    total = sum(member.file_size for member in members)
    if total > most(len(data), TOTAL) or sum(len(member.filename) for member in members) > NAMES:
        raise TooMuch("the archive unpacks to too much")
    _apart(members, len(data))
    tree = Tree(shown, {}, {})
    for member in members:
        if not member.is_dir():
            _take(tree, data, member, wants)
    tree.names = sorted({*tree.files, *tree.links})
    return tree


def _apart(members: list[zipfile.ZipInfo], end: int) -> None:
    """Raises BadZipFile if members share bytes, as only a bomb's do."""
    at = 0
    for member in sorted(members, key=lambda one: one.header_offset):
        if member.header_offset < at:
            raise zipfile.BadZipFile("its parts overlap")
        at = member.header_offset + _HEADER + member.compress_size
    if at > end:
        raise zipfile.BadZipFile("it is cut short")


def _take(tree: Tree, data: bytes, member: zipfile.ZipInfo, wants: Wants) -> None:
    """Puts a member into the tree."""
    name = clean_name(member.filename)
    if name is None:
        tree.leave(member.filename, HIDDEN)
        return
    if member.flag_bits & 1:
        raise InputError(f"{tree.shown}: the zip archive is encrypted; unpack it and name the folder")
    if member.compress_type not in _KNOWN:
        raise InputError(
            f"{tree.shown}: the zip archive uses a compression that is not read; unpack it, name the folder"
        )
    if (name in tree.files or name in tree.links) and wants.evidence(name):
        tree.leave(name, TWICE)
    tree.files.pop(name, None)
    tree.links.pop(name, None)
    kind = member.external_attr >> 28 if member.create_system == 3 else 0
    if kind == 0o12:  # S_IFLNK of the Unix mode
        linked = _content(data, member) if member.file_size < _LINKED else b""
        tree.links[name] = linked[:_LINK].decode("utf-8", "replace")
    elif kind not in (0, 0o10):
        if wants.evidence(name):
            tree.leave(name, "a device or a pipe in place of a file")
    elif member.file_size > wants.limit(name):
        tree.passed[name], tree.files[name] = too_large(wants.limit(name)), nothing
    else:
        tree.files[name] = _reader(data, member)


def _reader(data: bytes, member: zipfile.ZipInfo) -> Callable[[], bytes]:
    return lambda: _content(data, member)


def _content(data: bytes, member: zipfile.ZipInfo) -> bytes:
    """A member unpacked. Raises BadZipFile if it is not what the directory says."""
    at = member.header_offset
    header = data[at : at + _HEADER]
    if len(header) < _HEADER or not header.startswith(b"PK\x03\x04"):
        raise zipfile.BadZipFile("a member is not where it should be")
    begin = at + _HEADER + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    packed = data[begin : begin + member.compress_size]
    size = member.file_size
    content = packed if member.compress_type == zipfile.ZIP_STORED else _unpacked(member.compress_type, packed, size)
    if len(content) != size or zlib.crc32(content) != member.CRC:
        raise zipfile.BadZipFile(f"a member is damaged: {ascii(member.filename)[:80]}")
    return content


def _unpacked(how: int, packed: bytes, size: int) -> bytes:
    """Up to one byte more than `size`."""
    step: Any
    if how == zipfile.ZIP_DEFLATED:
        step = zlib.decompressobj(-15)
    else:
        from bz2 import BZ2Decompressor

        step = BZ2Decompressor()
    out = BytesIO()  # unlike a list of parts it is not there twice at the end
    while out.tell() <= size and not step.eof:
        more = step.decompress(packed, min(_PART, size + 1 - out.tell()))
        packed = step.unconsumed_tail if how == zipfile.ZIP_DEFLATED else b""
        if not more:
            break
        out.write(more)
    return out.getvalue()
