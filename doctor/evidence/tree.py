"""The files of a folder or an archive by name, read only when asked; links are texts.

>>> tree = Tree("x.tar", {"h/etc/modules": lambda: b"vfio"}, {"h/etc/a": "modules"})
>>> tree.names, tree.read("h/etc/modules"), tree.links["h/etc/a"]
(['h/etc/a', 'h/etc/modules'], b'vfio', 'modules')
"""

from __future__ import annotations

from doctor.evidence.types import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST = 128 * 1024 * 1024  # bytes of one file that is read; sos keeps a journal of a hundred megabytes
MOST = 512 * 1024 * 1024  # bytes of all files that are read
_SHOWN = 4  # names that a note shows
_LONG = 80  # characters of a name that a note shows
_LONGEST = 1024  # characters of a name
_DEEPEST = 40  # folders above one


class Tree:
    """`shown` is the input's name in errors, `files` how each file is read, `links` the links' targets.

    `passed` has the names of files that are not read, with the reason, `noted` those of them that were asked for.
    `left` has what was left out before anybody asked, by reason, as it may be shown.
    """

    def __init__(self, shown: str, files: dict[str, Callable[[], bytes | None]], links: dict[str, str]) -> None:
        """Names are relative, with slashes, and clean (see `clean_name`)."""
        self.shown, self.files, self.links = shown, files, links
        self.passed: dict[str, str] = {}
        self.noted: dict[str, str] = {}
        self.left: dict[str, list[str]] = {}
        self.names = sorted({*files, *links})
        self._read = 0

    def leave(self, name: str, reason: str) -> None:
        """Remembers that `name`, which may hold anything, was left out."""
        names = self.left.setdefault(reason, [])
        names.append("" if len(names) >= _SHOWN else name[:_LONG] if name.isprintable() else ascii(name[:_LONG]))

    def read(self, name: str) -> bytes | None:
        """The content of a file; None if it has none that can be had. Raises PermissionError and InputError."""
        reader = self.files.get(name)
        content = None if reader is None else reader()
        self._read += len(content or b"")
        if self._read > MOST:
            raise InputError(f"{self.shown}: it holds more than {MOST >> 20} MiB of evidence")
        return content


def clean_name(name: str) -> str | None:
    """A member's name as a plain relative path; None for one that climbs, hides something or is no path.

    >>> clean_name("./etc/modules"), clean_name("/etc/modules"), clean_name("a/../b"), clean_name("a\\nb")
    ('etc/modules', 'etc/modules', None, None)
    >>> clean_name("a/./b"), clean_name("a" + chr(0x202E) + "gnp"), clean_name("a" + chr(0xDCFF))
    ('a/b', None, None)
    """
    name = name.removeprefix("./").lstrip("/")
    if not name or len(name) > _LONGEST or name.count("/") > _DEEPEST or not name.isprintable():
        return None
    parts = name.rstrip("/").split("/")
    if "." in parts:
        parts = [part for part in parts if part != "."]
        name = "/".join(parts)
    return None if ".." in parts or "" in parts or not name else name
