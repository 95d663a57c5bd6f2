"""Opens a gzip-compressed tar from a stranger, in memory, strictly and within limits.

It reads ustar headers, pax headers for long names and GNU long names (POSIX.1-2017, pax "ustar Interchange
Format"; tar/tarfile.h of GNU tar), and nothing else. The standard library's reader accepts far more, and
importing it alone would cost a sixth of the time a whole check may take.
"""

import zlib
from typing import Dict, Iterator, Tuple

__all__ = ["BundleError", "check_name", "files"]

MEMBER_COUNT = 20000
MEMBER_SIZE = 64 * 1024 * 1024
TOTAL_SIZE = 256 * 1024 * 1024
_NAME_LENGTH = 1024
_DEPTH = 32
_BLOCK = 512
_LONG_HEADER = 64 * 1024
_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a named pipe",
    b"S": "a sparse file",
    b"K": "a link with a long name",
}


class BundleError(ValueError):
    """The data is no bundle, a damaged one, or one that tries what none needs; says what, in a line."""


def files(data: bytes) -> Dict[str, bytes]:
    """Return the content of each regular file in DATA (.tar.gz) by name.

    Raises `BundleError` for damage, for anything but files and folders, for names that leave the archive's
    tree, hold control characters or appear twice, and beyond 20000 members, 64 MiB each, 256 MiB in all.
    """
    found: Dict[str, bytes] = {}
    for name, content in _members(_gunzip(data)):
        if name in found:
            raise BundleError("the archive holds {} twice".format(name))
        found[name] = content
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


def _gunzip(data: bytes) -> bytes:
    unzip = zlib.decompressobj(31)
    try:
        plain = unzip.decompress(data, TOTAL_SIZE + 1)
        if len(plain) > TOTAL_SIZE:
            raise BundleError("the archive unpacks to more than {} MiB".format(TOTAL_SIZE >> 20))
        plain += unzip.flush() if not unzip.eof else b""
    except zlib.error as error:
        raise BundleError("not a gzip archive, or a damaged one: {}".format(error))
    if not unzip.eof:
        raise BundleError("the archive is cut short")
    if unzip.unused_data.strip(b"\0"):
        raise BundleError("something follows the end of the archive")
    return plain


def _members(plain: bytes) -> Iterator[Tuple[str, bytes]]:
    at, count, long_name = 0, 0, ""
    while True:
        header = plain[at : at + _BLOCK]
        if len(header) < _BLOCK:
            raise BundleError("the archive is cut short")
        if not header.strip(b"\0"):
            return
        count += 1
        if count > MEMBER_COUNT:
            raise BundleError("the archive has more than {} members".format(MEMBER_COUNT))
        size = _checked_size(header)
        content = plain[at + _BLOCK : at + _BLOCK + size]
        if len(content) < size:
            raise BundleError("the archive is cut short")
        at += _BLOCK + (size + _BLOCK - 1) // _BLOCK * _BLOCK
        kind = header[156:157]
        if kind in (b"x", b"g", b"L"):
            long_name = _long_name(kind, content) or long_name
            continue
        name, long_name = _name(header, long_name), ""
        if kind in (b"0", b"\0") and not name.endswith("/"):
            yield name, content
        elif kind != b"5":
            what = _KINDS.get(kind, "a member of an unknown kind")
            raise BundleError("the archive holds {}: {}".format(what, name))


def _checked_size(header: bytes) -> int:
    stated = _octal(header[148:156])
    if stated != sum(header[:148]) + 8 * 32 + sum(header[156:]):
        raise BundleError("not a tar archive, or a damaged one: a header's checksum is wrong")
    size = _octal(header[124:136])
    if size > MEMBER_SIZE:
        raise BundleError("a member of the archive is larger than {} MiB".format(MEMBER_SIZE >> 20))
    return size


def _octal(field: bytes) -> int:
    digits = field.strip(b" \0")
    if not digits or digits.strip(b"01234567"):
        raise BundleError("not a tar archive, or a damaged one: a header's number is not octal")
    return int(digits, 8)


def _text(name: bytes) -> str:
    try:
        return name.partition(b"\0")[0].decode("utf-8")
    except UnicodeDecodeError:
        raise BundleError("a name in the archive is not UTF-8: {:.80}".format(ascii(name)))


def _name(header: bytes, long_name: str) -> str:
    name = long_name or _text(header[:100])
    if not long_name and header[257:263] == b"ustar\0" and header[345:346] != b"\0":
        name = _text(header[345:500]) + "/" + name
    if name in (".", "./"):
        return "./"  # the folder that was packed
    return check_name(name[2:] if name.startswith("./") else name)


def _long_name(kind: bytes, content: bytes) -> str:
    if len(content) > _LONG_HEADER:
        raise BundleError("a name in the archive is too long")
    if kind == b"L":
        return _text(content)
    name, rest = "", content
    while rest.strip(b"\0"):
        digits, _, _ = rest.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < 7 else 0
        record, rest = rest[len(digits) + 1 : length], rest[length:]
        if length < len(digits) + 4 or not record.endswith(b"\n") or b"=" not in record:
            raise BundleError("not a tar archive, or a damaged one: a pax header is malformed")
        key, _, value = record[:-1].partition(b"=")
        if key in (b"size", b"linkpath") or key.startswith(b"GNU.sparse"):
            raise BundleError("the archive holds a sparse file, a link, or a file of many gigabytes")
        if key == b"path" and kind == b"x":
            if b"\0" in value:
                raise BundleError("a name in the archive holds control characters: {:.80}".format(ascii(value)))
            name = _text(value)
    return name
