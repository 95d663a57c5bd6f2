"""Archives: passdoctor's own bundles, and sosreports or other trees in a tar, read in memory only.

No member ever reaches the disk; links are texts, never followed.
"""

from __future__ import annotations

import io

from doctor.evidence import files
from doctor.evidence.types import Evidence, InputError, Piece

_MOST = 100_000
_TOTAL = 1024 * 1024 * 1024
_LARGEST = 64 * 1024 * 1024


def open_archive(data: bytes, name: str, shown: str) -> Evidence:
    """The evidence in an archive; `shown` is the file's name in errors. Raises InputError."""
    if data[:2] == b"\x1f\x8b":
        from doctor.collect.pack import unpack
        from doctor.collect.untar import BundleError
        from doctor.evidence.bundle import from_collected

        if _own(data):
            try:
                return from_collected(unpack(data), "bundle", name)
            except BundleError as error:
                raise InputError(f"{shown}: {error}") from None
    if data[:4] == b"PK\x03\x04":
        raise InputError(f"{shown}: a zip archive is not read; unpack it and name the folder")
    return _tree(data, name, shown)


def _own(data: bytes) -> bool:
    """Whether a gzip file begins with a member of passdoctor's bundles."""
    import zlib

    try:
        head = zlib.decompressobj(31).decompress(data[:4096], 2048)
    except zlib.error:
        return True  # let the bundle's reader say what is wrong with it
    return head.startswith(b"passdoctor/")


def _tree(data: bytes, name: str, shown: str) -> Evidence:
    """A tar of a host's files, most often a sosreport: its top folder is left out of the paths."""
    import tarfile

    pieces: list[Piece] = []
    names: list[str] = []
    total = 0
    sos = False
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                relative = _below_top(member.name)
                names.append(relative)
                sos = sos or relative.startswith("sos_commands/")
                total += member.size
                if len(names) > _MOST or total > _TOTAL:
                    raise InputError(f"{shown}: the archive unpacks to too much")
                path = files.evidence_path(relative) if ".." not in relative.split("/") else None
                if path is None or any(ord(c) < 32 for c in path):
                    continue
                if member.issym() and path.startswith("sys/"):
                    pieces.append(files.piece(path, member.linkname.encode("utf-8", "replace"), relative, link=True))
                elif member.isreg() and member.size <= _LARGEST:
                    handle = archive.extractfile(member)
                    if handle is not None:
                        pieces.append(files.piece(path, handle.read(), f"{name}:{relative}"))
    except InputError:
        raise
    except tarfile.ReadError:
        zstd = data[:4] == b"\x28\xb5\x2f\xfd"
        hint = "unpack it first: zstd -d" if zstd else "it is cut, damaged, or none of tar, tar.gz, tar.xz, tar.bz2"
        raise InputError(f"{shown}: the archive cannot be read: {hint}") from None
    except (tarfile.TarError, EOFError, OSError, ValueError, MemoryError) as error:
        raise InputError(f"{shown}: the archive cannot be read: {error}") from None
    except Exception as error:  # lzma and zlib raise errors of their own for damaged data
        raise InputError(f"{shown}: the archive is damaged: {error}") from None
    if not pieces:
        raise InputError(f"{shown}: no file of a host in the archive")
    return Evidence("sosreport" if sos else "directory", name, [*pieces, *files.listings(names, name)])


def _below_top(name: str) -> str:
    """A member's path below the archive's top folder.

    >>> _below_top("sosreport-host-2024/etc/modules"), _below_top("./etc/modules"), _below_top("etc/modules")
    ('etc/modules', 'etc/modules', 'etc/modules')
    """
    name = name.removeprefix("./").lstrip("/")
    if name.startswith((*files.ROOTS, "sos_commands/")):
        return name
    _top, slash, rest = name.partition("/")
    return rest if slash and rest.startswith((*files.ROOTS, "sos_commands/")) else name
