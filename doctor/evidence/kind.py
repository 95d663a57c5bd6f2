"""What a kind of bundle is: how it is told, which of its files is which evidence, and what it never holds.

>>> table = Table((Row("qemu/*.txt", "cmd/messages"), Row("config/modprobe.d/*.conf", "etc/modprobe.d/*.conf")))
>>> table.place("config/modprobe.d/vfio.conf")[1], table.place("qemu/a/b.txt"), table.place("shares/x.cfg")
('etc/modprobe.d/vfio.conf', None, None)
"""

from __future__ import annotations

from doctor.evidence.types import WHOLE, Piece
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Found(NamedTuple):
    """A file of a bundle: its evidence path, its bytes, its name in citations, the command that wrote it."""

    path: str
    data: bytes
    source: str
    command: str | None = None
    state: str = WHOLE


class Row(NamedTuple):
    """Which evidence a file of a bundle is.

    `file`: its name below the bundle's top folder; one `*` stands for a part of the last component, a final
    `**` for everything below. `path`: the evidence path, the same star in it. `command`: what wrote the file.
    `read`: what makes pieces of it, where it is not simply one. `spare`: only if nothing else gave that path.
    """

    file: str
    path: str
    command: str | None = None
    read: Callable[[Found], list[Piece]] | None = None
    spare: bool = False
    state: str = WHOLE


class Kind(NamedTuple):
    """A kind of bundle.

    `name` is how notes call one ("a sosreport"); `subject` is the kind that reports show. A folder is the top
    of one if at least `needs` of `marks` (files; folders end in a slash) lie in it. `never` pairs evidence paths
    that such a bundle never holds with their names. `head` tells one that is a single text by its first
    characters, and `read` makes pieces of that.
    """

    name: str
    subject: str
    rows: tuple[Row, ...] = ()
    marks: tuple[str, ...] = ()
    needs: int = 1
    never: tuple[tuple[str, str], ...] = ()
    head: Callable[[str], bool] | None = None
    read: Callable[[bytes, str], list[Piece]] | None = None


class Table:
    """Rows, found by a file's name without looking at each."""

    def __init__(self, rows: Iterable[Row]) -> None:
        """Of two rows that fit a name, an exact one wins, then one with `*`, then the first with `**`."""
        self._exact: dict[str, Row] = {}
        self._folders: dict[str, list[Row]] = {}
        self._below: list[tuple[str, Row]] = []
        for row in rows:
            if row.file.endswith("**"):
                self._below.append((row.file[:-2], row))
            elif "*" in row.file:
                self._folders.setdefault(row.file.rpartition("/")[0], []).append(row)
            else:
                self._exact.setdefault(row.file, row)
        self._starts = tuple(start for start, _ in self._below)

    def place(self, name: str) -> tuple[Row, str] | None:
        """The row that fits `name` and the evidence path."""
        row = self._exact.get(name)
        if row is not None:
            return row, row.path
        folder, _, last = name.rpartition("/")
        for row in self._folders.get(folder, ()):
            before, _, after = row.file.rpartition("/")[2].partition("*")
            if len(last) > len(before) + len(after) and last.startswith(before) and last.endswith(after):
                return row, row.path.replace("*", last[len(before) : len(last) - len(after)])
        if name.startswith(self._starts):
            start, row = next((start, row) for start, row in self._below if name.startswith(start))
            return row, row.path.replace("**", name[len(start) :])
        return None

    def wants(self, name: str) -> bool:
        """Whether `name` fits a row below any of its first few folders."""
        for _ in range(5):
            if self.place(name) is not None:
                return True
            _top, slash, name = name.partition("/")
            if not slash:
                break
        return False


def tops(kind: Kind, names: Iterable[str]) -> list[str]:
    """The folders (with their slash) that are the top of a bundle of this kind, none of them inside another.

    >>> kind = Kind("x", "x", marks=("logs/dmesg", "logs/lspci", "tests/"), needs=2)
    >>> tops(kind, ["a/logs/dmesg", "a/tests/x", "b/logs/dmesg"])
    ['a/']
    """
    seen: dict[str, set[str]] = {}
    files = tuple(mark for mark in kind.marks if not mark.endswith("/"))
    folders = tuple(mark for mark in kind.marks if mark.endswith("/"))
    for name in names:
        if files and name.endswith(files):
            for mark in files:
                if name == mark or name.endswith("/" + mark):
                    seen.setdefault(name[: len(name) - len(mark)], set()).add(mark)
        for mark in folders:
            at = name.find(mark)
            if at == 0 or (at > 0 and name[at - 1] == "/"):
                seen.setdefault(name[:at], set()).add(mark)
    found: list[str] = []
    for top in sorted(top for top, marks in seen.items() if len(marks) >= kind.needs):
        if not found or not top.startswith(found[-1]):
            found.append(top)
    return found
