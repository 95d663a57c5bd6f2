"""Archives: passdoctor's own bundles, other tools' and a host's files in a tar or zip, read in memory only.

No member ever reaches the disk; links are texts, never followed.
"""

from __future__ import annotations

from doctor.evidence.types import Evidence, InputError
from doctor.evidence.unpack import GZIP, NoZstd, TooMuch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from doctor.evidence.tree import Tree

    Made = TypeVar("Made")

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")  # a member, the directory's end of an empty one, a mark of parts


def open_archive(data: bytes, name: str, shown: str, depth: int = 0) -> Evidence:
    """The evidence in an archive; `shown` is the file's name in errors. Raises InputError."""
    if data.startswith(GZIP) and _own(data):
        from doctor.collect.pack import unpack
        from doctor.evidence.bundle import from_collected

        return _guarded(shown, lambda: from_collected(unpack(data), "bundle", name))
    tree = _guarded(shown, lambda: _read(data, shown))
    found = _guarded(shown, lambda: _opened(tree, name, shown, depth))
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


def _guarded(shown: str, work: Callable[[], Made]) -> Made:
    """What `work` gives; whatever goes wrong with an archive as one line."""
    from doctor.collect.untar import BundleError

    try:
        return work()
    except InputError:
        raise
    except (TooMuch, BundleError) as error:
        raise InputError(f"{shown}: {error}") from None
    except NoZstd as error:
        raise InputError(f"{shown}: {error}; unpack it first: zstd -d") from None
    except RecursionError:
        raise InputError(f"{shown}: the archive's headers are nested too deeply") from None
    except MemoryError:
        raise InputError(f"{shown}: the archive needs more memory than there is") from None
    except EOFError:
        raise InputError(f"{shown}: the archive is cut short") from None
    except Exception as error:  # zipfile, lzma, bz2 and zlib raise errors of their own for damaged data
        said = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(
            f"{shown}: the archive cannot be read, it is cut, damaged or of another kind: {said}"
        ) from None


def open_members(data: bytes, shown: str, everything: bool = False) -> Tree:
    """The members of an archive by name, the content of those that may be evidence, or of all. Raises InputError."""
    return _guarded(shown, lambda: _read(data, shown, everything))


def _read(data: bytes, shown: str, everything: bool = False) -> Tree:
    """The members of an archive by name."""
    from doctor.evidence.foreign import ARCHIVES, wanted
    from doctor.evidence.tarball import Wants, read_tar

    wants = Wants((lambda _: True) if everything else wanted(), lambda name: name.lower().endswith(ARCHIVES))
    if data.startswith(_ZIP):
        from doctor.evidence.zipped import read_zip

        return read_zip(data, shown, wants)
    return read_tar(data, shown, wants)


def _opened(tree: Tree, name: str, shown: str, depth: int) -> Evidence | None:
    """The evidence among an archive's members, or in the archive or the text that it holds."""
    from doctor.evidence.bundle import bundle_in
    from doctor.evidence.foreign import open_tree

    return bundle_in(tree, name) or open_tree(tree, name, f"{name}:") or _inner(tree, name, shown, depth)


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
