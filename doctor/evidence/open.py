"""Opens any input: this host, a bundle, a host's files in a directory, a sosreport, a paste.

One opener a kind of input; which one fits is told by the first bytes, never by the file's name alone.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from doctor.evidence.types import Evidence, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST = 512 * 1024 * 1024  # bytes of an input file that are read; more is refused, not cut
_ARCHIVES = (b"\x1f\x8b", b"\xfd7zXZ", b"BZh", b"PK\x03\x04", b"\x28\xb5\x2f\xfd")


def open_input(name: str | None, progress: Callable[[str], None] | None = None) -> Evidence:
    """The evidence in `name`: a file, a directory, `-` for a paste on standard input, None for this host.

    Raises InputError with one line that names the file and what is wrong.
    """
    if name is None:
        from doctor.evidence.live import open_host

        return open_host(progress)
    if name == "-":
        data = sys.stdin.buffer.read(LARGEST + 1)
        return _text(data, "standard input", "standard input")
    if os.path.isdir(name):  # noqa: PTH112 - importing pathlib costs a tenth of a whole check
        from pathlib import Path

        from doctor.evidence.directory import open_directory

        return open_directory(Path(name))
    return _file(name)


def _file(name: str) -> Evidence:
    """A file: an archive or a text."""
    try:
        with open(name, "rb") as file:
            if not _regular(file.fileno()):
                raise InputError(f"{name}: not a regular file")
            data = file.read(LARGEST + 1)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{name}: {error.strerror or error}") from None
    except ValueError:
        raise InputError(f"{name!r}: no file can have such a name") from None
    if len(data) > LARGEST:
        raise InputError(f"{name}: larger than {LARGEST // 1024 // 1024} MiB")
    short = name.rpartition("/")[2] or name
    if data.startswith(_ARCHIVES) or data[257:262] == b"ustar":
        from doctor.evidence.archive import open_archive

        return open_archive(data, short, name)
    return _text(data, short, name)


def _regular(descriptor: int) -> bool:
    """Whether a descriptor is a regular file or a pipe (a shell's `<(command)`)."""
    from stat import S_ISFIFO, S_ISREG

    mode = os.fstat(descriptor).st_mode
    return S_ISREG(mode) or S_ISFIFO(mode)


def _text(data: bytes, name: str, shown: str) -> Evidence:
    """A paste; `shown` is its name in errors."""
    from doctor.evidence.paste import open_paste

    if not data.strip():
        raise InputError(f"{shown}: it is empty")
    if len(data) > LARGEST:
        raise InputError(f"{shown}: larger than {LARGEST // 1024 // 1024} MiB")
    if b"\0" in data[:4096] and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(f"{shown}: neither text nor an archive that is known")
    return open_paste(data, name)
