"""Archives: passdoctor's own bundles, other tools' and a host's files in a tar or zip, read in memory only.

No member ever reaches the disk; links are texts, never followed.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from doctor.evidence.tree import LARGEST, MOST, Tree, clean_name
from doctor.evidence.types import Evidence, InputError
from doctor.evidence.unpack import GZIP, NoZstd, TooMuch, Unpacked

if TYPE_CHECKING:
    import tarfile
    import zipfile
    from collections.abc import Callable

_MOST = 200_000  # members
_NAMES = 64 * 1024 * 1024  # characters of all names
_TOTAL = 2 * 1024 * 1024 * 1024  # bytes of all members, whether they are read or not
_INNER = 256 * 1024 * 1024  # bytes of an archive in an archive
_SMALL = 32 * 1024 * 1024  # bytes up to which a zip may grow as it likes
_RATIO = 200  # times that a zip may grow; logs shrink to a twentieth
_PART = 1 << 20
_ZIP = b"PK\x03\x04"


def open_archive(data: bytes, name: str, shown: str, depth: int = 0) -> Evidence:
    """The evidence in an archive; `shown` is the file's name in errors. Raises InputError."""
    if data.startswith(GZIP) and _own(data):
        from doctor.collect.pack import unpack
        from doctor.collect.untar import BundleError
        from doctor.evidence.bundle import from_collected

        try:
            return from_collected(unpack(data), "bundle", name)
        except BundleError as error:
            raise InputError(f"{shown}: {error}") from None
    from doctor.evidence.foreign import open_tree, wanted

    tree: Tree = _guarded(shown, lambda: _zip(data, shown) if data.startswith(_ZIP) else _tar(data, shown, wanted()))
    found: Evidence | None = _guarded(
        shown, lambda: open_tree(tree, name, f"{name}:") or _inner(tree, name, shown, depth)
    )
    if found is None:
        raise InputError(f"{shown}: no file of a host in the archive")
    return found


def _own(data: bytes) -> bool:
    """Whether a gzip file begins with a member of passdoctor's bundles."""
    import zlib

    try:
        head = zlib.decompressobj(31).decompress(data[:4096], 2048)
    except zlib.error:
        return True  # let the bundle's reader say what is wrong with it
    return head.startswith(b"passdoctor/")


def _guarded(shown: str, work: Callable[[], Any]) -> Any:
    """What `work` gives; whatever goes wrong with an archive as one line."""
    try:
        return work()
    except InputError:
        raise
    except TooMuch as error:
        raise InputError(f"{shown}: {error}") from None
    except NoZstd as error:
        raise InputError(f"{shown}: {error}; unpack it first: zstd -d") from None
    except RecursionError:
        raise InputError(f"{shown}: the archive's headers are nested too deeply") from None
    except EOFError:
        raise InputError(f"{shown}: the archive is cut short") from None
    except Exception as error:  # tarfile, zipfile, lzma and zlib raise errors of their own for damaged data
        said = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(
            f"{shown}: the archive cannot be read, it is cut, damaged or of another kind: {said}"
        ) from None


def _tar(data: bytes, shown: str, wants: Callable[[str], bool]) -> Tree:
    """The members of a tar in one pass: of the files, what no kind of bundle wants is not kept."""
    import tarfile

    files: dict[str, Callable[[], bytes | None]] = {}
    links: dict[str, str] = {}
    passed: dict[str, str] = {}
    count = total = named = kept = inner = 0
    stream = Unpacked(data, _TOTAL)
    with tarfile.open(fileobj=stream, mode="r:") as archive:  # type: ignore[call-overload]  # it reads, seeks and tells
        while (member := archive.next()) is not None:
            archive.members = []  # tarfile would keep every header
            count, total = count + 1, total + member.size
            named += len(member.name) + len(member.linkname)
            if count > _MOST or total > _TOTAL or named > _NAMES:
                raise TooMuch("the archive unpacks to too much")
            name = clean_name(member.name)
            if name is None or not (member.isreg() or member.issym()):
                continue
            if member.issym():
                links[name] = member.linkname[:1024]
                continue
            packed = _is_archive(name)
            inner += packed
            files[name] = _nothing
            if not wants(name) and not (packed and inner == 1) and len(files) > 1:
                continue
            if member.size > (_INNER if packed else LARGEST):
                passed[name] = _too_large(packed)
                continue
            kept += member.size
            if kept > MOST:
                raise TooMuch(f"the archive holds more than {MOST >> 20} MiB of evidence")
            files[name] = _holding(archive, member)
        stream.finish()
    tree = Tree(shown, files, {name: link for name, link in links.items() if name not in files})
    tree.passed = passed
    return tree


def _holding(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Callable[[], bytes]:
    """What gives a member's content, which is read now."""
    handle = archive.extractfile(member)
    parts = list(iter(lambda: handle.read(_PART), b"")) if handle is not None else []
    content = b"".join(parts)
    if len(content) < member.size:
        raise EOFError
    return lambda: content


def _nothing() -> None:
    """In place of a file that was not kept."""


def _too_large(packed: bool) -> str:
    return f"larger than {(_INNER if packed else LARGEST) >> 20} MiB"


def _is_archive(name: str) -> bool:
    from doctor.evidence.foreign import ARCHIVES

    return name.lower().endswith(ARCHIVES)


def _zip(data: bytes, shown: str) -> Tree:
    """The members of a zip; each is unpacked when it is asked for."""
    import zipfile

    if data.count(b"PK\x01\x02") > _MOST:  # before zipfile makes an object of each
        raise TooMuch("the archive unpacks to too much")
    archive = zipfile.ZipFile(BytesIO(data))
    members = archive.infolist()
    total = sum(member.file_size for member in members)
    if total > _TOTAL or total > max(_RATIO * len(data), _SMALL):
        raise TooMuch("the archive unpacks to too much")
    files: dict[str, Callable[[], bytes | None]] = {}
    links: dict[str, str] = {}
    passed: dict[str, str] = {}
    for member in members:
        name = clean_name(member.filename)
        if name is None or member.is_dir():
            continue
        if member.flag_bits & 1:
            raise InputError(f"{shown}: the zip archive is encrypted; unpack it and name the folder")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
            raise InputError(
                f"{shown}: the zip archive uses a compression that is not read; unpack it, name the folder"
            )
        if member.external_attr >> 28 == 0o12:  # S_IFLNK of the Unix mode
            links[name] = archive.read(member)[:1024].decode("utf-8", "replace") if member.file_size < 4096 else ""
        elif member.file_size > (_INNER if _is_archive(name) else LARGEST):
            passed[name], files[name] = _too_large(_is_archive(name)), _nothing
        else:
            files[name] = _member(archive, member)
    tree = Tree(shown, files, links)
    tree.passed = passed
    return tree


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[], bytes]:
    return lambda: archive.read(member)


def _inner(tree: Tree, name: str, shown: str, depth: int) -> Evidence | None:
    """The evidence in the one archive in an archive, or in the one text that somebody packed."""
    from doctor.evidence.foreign import inner_archives, several
    from doctor.evidence.open import open_bytes

    archives = inner_archives(tree)
    if len(archives) > 1:
        raise InputError(f"{shown}: it holds {len(archives)} archives; unpack it and name one: {several(archives)}")
    chosen = archives or (list(tree.files) if len(tree.files) == 1 else [])
    if not chosen:
        return None
    if depth:
        raise InputError(f"{shown}: archives in archives in archives; unpack it and name the innermost")
    content = tree.read(chosen[0])
    if not content:
        return None
    return open_bytes(content, f"{name}:{chosen[0]}", f"{shown}: {chosen[0]}", depth + 1)
