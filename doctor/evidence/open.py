"""Opens any input: this host, a bundle, a host's files in a directory, another tool's bundle, a paste.

One opener a kind of input; which one fits is told by the first bytes, never by the file's name alone.
"""

from __future__ import annotations

import os
import sys

from doctor.evidence.types import Evidence, InputError, Piece

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST = 512 * 1024 * 1024  # bytes of an input file that are read; more is refused, not cut
_ARCHIVES = (
    *(b"\x1f\x8b", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd"),
    *(b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"),
)
STDIN = "standard input"
_TABLES = (b"DMAR", b"IVRS", b"APIC")  # ACPI tables by their signatures
_HEADINGS = (b"\n==== ", b"#==[ ")  # of texts that other tools write; only those cost a look at the kinds


def open_input(name: str | None, progress: Callable[[str], None] | None = None) -> Evidence:
    """The evidence in `name`: a file, a directory, `-` for what comes on standard input, None for this host.

    Raises InputError with one line that names the file and what is wrong.
    """
    if name is None:
        from doctor.evidence.live import open_host

        return open_host(progress)
    if name != "-" and os.path.isdir(name):  # noqa: PTH112 - importing pathlib costs a tenth of a whole check
        from pathlib import Path

        from doctor.evidence.directory import open_directory

        return open_directory(Path(name))
    return open_read(name, read_input(name))


def open_read(name: str, data: bytes) -> Evidence:
    """The evidence in `data`, which `read_input(name)` gave. Raises InputError."""
    if name == "-":
        return open_bytes(data, STDIN, STDIN)
    return open_bytes(data, name.rpartition("/")[2] or name, name)


def read_input(name: str) -> bytes:
    """The bytes of the file `name`, of standard input if it is `-`. Raises InputError for what is no file."""
    try:
        if name == "-":
            data: bytes = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with open(name, "rb") as file:
                if not _regular(file.fileno()):
                    raise InputError(f"{name}: not a regular file")
                data = file.read(LARGEST + 1)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{STDIN if name == '-' else name}: {error.strerror or error}") from None
    except ValueError:
        raise InputError(f"{name!r}: no file can have such a name") from None
    if len(data) > LARGEST:
        raise InputError(f"{STDIN if name == '-' else name}: larger than {LARGEST // 1024 // 1024} MiB")
    return data


def open_bytes(data: bytes, name: str, shown: str, depth: int = 0) -> Evidence:
    """The evidence in a file's content: an archive or a text; `depth` counts the archives that it lay in."""
    if is_archive(data):
        from doctor.evidence.archive import open_archive

        return open_archive(data, name, shown, depth)
    return _text(data, name, shown)


def is_archive(data: bytes) -> bool:
    """Whether a file's content is an archive or compressed, by its first bytes."""
    return data.startswith(_ARCHIVES) or data[257:262] == b"ustar"


def _regular(descriptor: int) -> bool:
    """Whether a descriptor is a regular file or a pipe (a shell's `<(command)`)."""
    from stat import S_ISFIFO, S_ISREG

    mode = os.fstat(descriptor).st_mode
    return S_ISREG(mode) or S_ISFIFO(mode)


def _text(data: bytes, name: str, shown: str) -> Evidence:
    """A paste; `shown` is its name in errors."""
    from doctor.evidence.clean import wide_encoding
    from doctor.evidence.paste import open_paste

    if not data.strip():
        raise InputError(f"{shown}: it is empty")
    if data.startswith(_TABLES) and b"\0" in data[:48]:
        path = "sys/firmware/acpi/tables/" + data[:4].decode("ascii")
        return Evidence("paste", name, [Piece(path, "", name, None, binary=data)])
    if b"\0" in data[:4096] and wide_encoding(data) is None:
        raise InputError(f"{shown}: neither text nor an archive that is known")
    if any(mark in data[:4096] for mark in _HEADINGS):
        from doctor.evidence.foreign import open_text

        return open_text(data, name) or open_paste(data, name)
    return open_paste(data, name)
