"""`passdoctor redact INPUT -o OUTPUT`: an input of any kind, redacted, as the same kind of thing.

A bundle becomes a bundle, a text a text, an archive of another tool the same kind of archive with the same
members, a folder a .tar.gz. Of an archive or a folder only what passdoctor reads is kept: what nobody reads
need not be shared. Content that is no text and not understood is left out, and said.
"""

from __future__ import annotations

import os
import sys
from io import BytesIO

from doctor.evidence.types import InputError
from doctor.record import NamedTuple
from doctor.say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from doctor.collect.model import Collected
    from doctor.collect.redact import Redactor
    from doctor.evidence.tree import Tree

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_GZIP = b"\x1f\x8b"
_MANIFEST = "passdoctor/manifest.json"
_SHOWN = 6  # names in a line


class Redacted(NamedTuple):
    """What came out: the bytes to write, how many values of each class were replaced, and lines for people."""

    data: bytes
    counts: dict[str, int]
    lines: tuple[str, ...]


def redact_input(name: str, target: str, private_map: str | None = None) -> list[str]:
    """Redacts the input `name` into the new file `target`; returns lines that say what was done.

    `private_map` names a new file for what stands for what. Raises InputError, also if one of
    both is there already.
    """
    from doctor.collect.output import write_new
    from doctor.collect.redact import Redactor
    from doctor.collect.redact_classes import counted

    for taken in (target, private_map):
        if taken is not None and os.path.lexists(taken):
            raise InputError(f"{taken}: it exists already, and is not overwritten")
    redactor = Redactor()
    made = _redacted(name, redactor)
    write_new(made.data, target)
    if private_map is not None:
        redactor.write_map(private_map)
    told = say("Redacted: {what}.", what=counted(made.counts) or say("nothing was found"))
    size = f"{len(made.data) / 1024:.1f}"
    return [say("{file}: {size} KB", file=target, size=size), *made.lines, told]


def _redacted(name: str, redactor: Redactor) -> Redacted:
    """The input `name` in its redacted form."""
    if name != "-" and os.path.isdir(name):  # noqa: PTH112 - as everywhere on inputs
        from pathlib import Path

        from doctor.evidence.directory import open_folder

        return _tree(open_folder(Path(name)), _GZIP, redactor)
    return redact_bytes(read_bytes(name), "standard input" if name == "-" else name, redactor)


def read_bytes(name: str) -> bytes:
    """The content of the file `name`, or of standard input for `-`. Raises InputError."""
    from doctor.evidence.open import LARGEST

    try:
        if name == "-":
            data = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with open(name, "rb") as file:
                data = file.read(LARGEST + 1)
    except OSError as error:
        raise InputError(f"{name}: {error.strerror or error}") from None
    except ValueError:
        raise InputError(f"{name!r}: no file can have such a name") from None
    if len(data) > LARGEST:
        raise InputError(f"{name}: larger than {LARGEST // 1024 // 1024} MiB")
    return data


def redact_bytes(data: bytes, shown: str, redactor: Redactor) -> Redacted:
    """A file's content, redacted; `shown` is its name in errors."""
    from doctor.collect.redact_files import decoded, learn, redact_data
    from doctor.evidence.archive import open_members
    from doctor.evidence.open import is_archive

    if is_archive(data):
        tree = open_members(data, shown)
        return _tree(tree, data, redactor)
    if decoded(data)[0] is None and not data.startswith((b"DMAR", b"IVRS", b"APIC")):
        raise InputError(f"{shown}: neither text nor an archive that is known")
    learn("", data, redactor)
    new = redact_data("", data, redactor)
    return Redacted(new, redactor.counts, ())


def _tree(tree: Tree, packed: bytes, redactor: Redactor) -> Redacted:
    tops = [name[: -len(_MANIFEST)] for name in tree.files if name.endswith(_MANIFEST) and name.count("/") < 3]
    return _bundle(tree, tops[0], redactor) if len(tops) == 1 else _archive(tree, packed, redactor)


def _bundle(tree: Tree, top: str, redactor: Redactor) -> Redacted:
    """A bundle of our own below the folder `top`, packed or not."""
    from doctor.collect.pack import BundleError, from_members, to_bytes
    from doctor.collect.redact import redact_with

    try:
        members = {
            name[len(top) :]: tree.read(name) or b"" for name in tree.files if name.startswith(top + "passdoctor/")
        }
        collected: Collected = from_members(members)
    except BundleError as error:
        raise InputError(f"{tree.shown}: {error}") from None
    again = collected.redaction == "forum"
    collected, by_file = redact_with(collected, redactor)
    lines = (say("It was redacted before; what stands for something stays."),) if again else ()
    return Redacted(
        to_bytes(collected, redactor.counts, by_file=by_file), redactor.counts, (*lines, *collected.warnings)
    )


def _archive(tree: Tree, packed: bytes, redactor: Redactor) -> Redacted:
    """Another tool's archive or a host's files, packed as `packed` is."""
    from doctor.collect.redact_files import decoded, learn, redact_data, redact_path
    from doctor.evidence.foreign import wanted

    wants, marks = wanted(), _marks()
    kept: dict[str, bytes] = {}
    left: dict[str, list[str]] = {}
    for name in tree.names:
        data = _content(tree, name, left) if wants(name) else None
        if data is None and name.endswith(marks):
            data = b""  # by its name the kind of the archive is told
        if data is None and not wants(name):
            left.setdefault(say("what passdoctor does not read"), []).append(name)
        elif data is not None and decoded(data)[0] is None and not _understood(name, data):
            left.setdefault(say("no text"), []).append(name)
        elif data is not None:
            kept[name] = data
    if not kept:
        raise InputError(f"{tree.shown}: no file of a host in it")
    for name, data in kept.items():
        learn(name, data, redactor)
    links = {redact_path(name, redactor): redactor.text(link) for name, link in tree.links.items() if wants(name)}
    members = {redact_path(name, redactor): redact_data(name, data, redactor) for name, data in kept.items()}
    lines = [
        say("Left out, {reason}: {names}.", reason=reason, names=_several(names))
        for reason, names in sorted(left.items())
    ]
    write = _zip if packed.startswith(_ZIP) else _tar
    return Redacted(write(members, links, packed), redactor.counts, tuple(lines))


def _content(tree: Tree, name: str, left: dict[str, list[str]]) -> bytes | None:
    from doctor.collect.say import said as told

    if name in tree.links:
        return None
    try:
        data = tree.read(name)
    except PermissionError as error:
        left.setdefault(told(str(error.strerror)), []).append(name)
        return None
    if data is None:
        left.setdefault(told(tree.passed.get(name, "not readable")), []).append(name)
    return data


def _marks() -> tuple[str, ...]:
    from doctor.evidence.kinds import all_kinds

    return tuple(mark for kind in all_kinds() for mark in kind.marks if not mark.endswith("/"))


def _understood(name: str, data: bytes) -> bool:
    """Bytes whose meaning is known: config space, ACPI tables of interrupts and DMA, EFI variables."""
    tables = (b"DMAR", b"IVRS", b"APIC")
    return name.endswith("/config") or data.startswith(tables) or "/efivars/" in name


def _several(names: list[str]) -> str:
    shown = ", ".join("".join(c if c.isprintable() else "?" for c in name[:80]) for name in names[:_SHOWN])
    if len(names) <= _SHOWN:
        return shown
    return say("{names} and {count} more", names=shown, count=len(names) - _SHOWN)


def _tar(members: dict[str, bytes], links: dict[str, str], packed: bytes) -> bytes:
    import tarfile

    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted({*members, *links}):
            info = tarfile.TarInfo(name)
            if name in members:
                info.size, info.mode = len(members[name]), 0o644
                archive.addfile(info, BytesIO(members[name]))
            else:
                info.type, info.linkname = tarfile.SYMTYPE, links[name]
                archive.addfile(info)
    return _packer(packed)(out.getvalue())


def _packer(packed: bytes) -> Callable[[bytes], bytes]:
    """What packs as the input was packed."""
    if packed.startswith(_GZIP):
        import gzip

        return lambda data: gzip.compress(data, 9, mtime=0)
    if packed.startswith(b"BZh"):
        import bz2

        return bz2.compress
    if packed.startswith(b"\xfd7zXZ"):
        import lzma

        return lzma.compress
    if packed.startswith(b"\x28\xb5\x2f\xfd"):
        from importlib import import_module

        pack: Callable[[bytes], bytes] = import_module("compression.zstd").compress
        return pack
    return lambda data: data


def _zip(members: dict[str, bytes], links: dict[str, str], packed: bytes) -> bytes:
    import zipfile

    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted({*members, *links}):
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o100644 if name in members else 0o120777) << 16
            archive.writestr(info, members[name] if name in members else links[name])
    return out.getvalue()


def audit_input(name: str) -> list[str]:
    """What still looks private in the input `name`: a line each, with file, line and class. Raises InputError."""
    from doctor.audit.scan import members, scan

    if name != "-" and os.path.isdir(name):  # noqa: PTH112 - as everywhere on inputs
        from pathlib import Path

        from doctor.evidence.directory import open_folder

        tree = open_folder(Path(name))
        files = {one: tree.read(one) or b"" for one in tree.files}
    else:
        files = members(read_bytes(name), "standard input" if name == "-" else name)
    if not any(files.values()):
        raise InputError(f"{name}: it is empty")  # to find nothing in nothing would be no assurance
    return [f"{leak.file}:{leak.line}: {leak.kind}: {leak.shown}" for leak in scan(files)]
