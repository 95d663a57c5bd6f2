"""What was read, with where it came from.

Every piece of evidence has a path relative to the host's root, as in a sosreport (`proc/cmdline`); a
command's output is under `cmd/` (`cmd/dmesg`), a directory's listing ends in a slash
(`sys/class/iommu/`), text that no reader recognised is `text/other`.
"""

from __future__ import annotations

from bisect import bisect_left

from doctor.later import later
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# States of a piece. Only the first four carry text.
WHOLE, FILTERED, CUT, EXCERPT = "whole", "filtered", "cut", "excerpt"
DENIED, ABSENT, NOT_COLLECTED = "denied", "absent", "not-collected"
READABLE = frozenset((WHOLE, FILTERED, CUT, EXCERPT))
# Logs with the kernel's lines: each piece of them is one boot's.
KERNEL_LOGS = (
    "cmd/dmesg",
    "cmd/journalctl-k",
    "var/log/dmesg",
    "var/log/kern.log",
    "var/log/syslog",
    "var/log/messages",
)
# With a number of boots: the kernel's log of one before the present one. No fact is read there but what was so then.
EARLIER_LOG = "cmd/journalctl-k-b-"
# What was put aside of a log when it became long: its end is where the log that stands now begins.
ROTATED = {log: log + ".1" for log in KERNEL_LOGS[3:]}
# What Debian keeps of the previous boot.
ROTATED["var/log/dmesg"] = OLD_DMESG = "var/log/dmesg.0"
_LOGS = frozenset((*KERNEL_LOGS, "cmd/messages"))


class InputError(ValueError):
    """The input cannot be read. The message is one line that names the file and what is wrong."""


class Source(NamedTuple):
    """A citation: the user's own file and line, the evidence path beside it, and the words there."""

    path: str
    source: str
    line: int | None
    text: str


class Line(NamedTuple):
    """One line of a piece: `number` counts from 1 in the user's own file."""

    number: int
    text: str


class Piece(NamedTuple):
    """One run of evidence: its text and where it came from.

    `numbers` maps a line of `text` to the user's file where that is not simply `first_line + index`
    (a wrapped line that was joined). `terms` are the alternatives of the filter that the user's own
    command applied (`grep -e DMAR -e IOMMU`): a line passes when it holds one of them, without regard
    to case if `ignore_case`. `boot` counts boots within the input: 0 is the latest.
    """

    path: str
    text: str = ""
    source: str = ""
    first_line: int | None = 1
    command: str | None = None
    state: str = WHOLE
    terms: tuple[str, ...] = ()
    ignore_case: bool = False
    boot: int = 0
    reason: str | None = None
    numbers: tuple[int, ...] | None = None
    binary: bytes | None = None

    def line_number(self, index: int) -> int | None:
        """The line in the user's own file of the line `index` (from 0) of this piece; None if it has none."""
        if self.numbers is not None:
            return self.numbers[index] if index < len(self.numbers) else None
        return None if self.first_line is None else self.first_line + index

    def cite(self, index: int, text: str | None = None) -> Source:
        """The citation of line `index` (from 0), with `text` in place of the whole line if given."""
        if text is None:
            at = 0  # a log of any size is not split for one line
            for _ in range(index):
                at = self.text.find("\n", at) + 1 or len(self.text)
            end = self.text.find("\n", at)
            text = self.text[at : end if end >= 0 else None].strip()
        return Source(self.path, self.source, self.line_number(index), text)

    @property
    def earlier(self) -> bool:
        """Whether it speaks of a boot before the present one whatever else there is: `journalctl -b -1` does."""
        if self.path == OLD_DMESG:
            return True
        if self.command is None or "journalctl" not in self.command:
            return False
        from doctor.evidence.logs import boots_back

        return boots_back(self.command) > 0

    def whole(self) -> Source:
        """A citation of the piece as such, when no single line says it."""
        return Source(self.path, self.source, self.first_line, self.reason or self.command or self.state)


# What an entry of a folder of the kernel's looks like; anything else in a listing is somebody's prose.
_ENTRIES = {
    "sys/kernel/iommu_groups/": later(r"\d{1,5}"),
    "sys/class/iommu/": later(r"[a-z][a-z_-]{0,20}\d[\w.:-]{0,40}"),
    "sys/bus/pci/devices/": later(r"[0-9a-fA-F]{4,6}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]"),
    "sys/firmware/acpi/tables/": later(r"[A-Z0-9!_-]{4}\d{0,2}|data|dynamic"),
    "dev/vfio/": later(r"\d{1,5}|vfio|devices|noiommu-\d{1,5}"),
}
_ANY = later(r"[\w.:@+,!=-]{1,120}")
_LONG = later(r"[dlcbps-][rwxsStT-]{9}[.+@]?\s")


def listed(path: str, text: str) -> tuple[str, ...] | None:
    """The names in a listing of the folder `path`, from `ls` or `ls -l`; None if it shows none and is not empty.

    >>> listed("sys/class/iommu/", "total 0\\nlrwxrwxrwx 1 root root 0 May 1 12:00 dmar0 -> ../../x/dmar0")
    ('dmar0',)
    >>> listed("sys/class/iommu/", "there is nothing") is None, listed("sys/class/iommu/", "total 0")
    (True, ())
    """
    fits = _ENTRIES.get(path, _ANY)
    names: list[str] = []
    empty = True
    for line in text.splitlines():
        words = line.partition(" -> ")[0].split()
        if _LONG.match(line):
            names += [] if words[-1] in (".", "..") else words[-1:]
        elif len(words) == 2 and words[1].isdigit() and not words[0].isdigit() and not fits.fullmatch(words[0]):
            continue  # `total 0`, in whatever language
        else:
            names += words
        empty = empty and not names
    kept = tuple(name for name in names if fits.fullmatch(name))
    return kept if kept or empty else None


class Evidence:
    """All pieces of one input, by path; the same type whatever it came from."""

    def __init__(
        self,
        kind: str,
        source: str,
        pieces: Iterable[Piece],
        collected_at: str | None = None,
        complete: bool = False,
        notes: tuple[str, ...] = (),
        warnings: tuple[str, ...] = (),
    ) -> None:
        """`complete` means that the collector's whole catalogue was tried: what lacks was not there.

        `warnings` say what is wrong with the input itself; they come first among the notes.
        """
        self.kind, self.source, self.collected_at = kind, source, collected_at
        self.complete, self.warnings, self.notes = complete, warnings, (*warnings, *notes)
        self._pieces: dict[str, list[Piece]] = {}
        for piece in pieces:
            self._pieces.setdefault(piece.path, []).append(piece)
        self._sorted = sorted(self._pieces)
        self._read: dict[str, list[Piece]] = {}  # logs, as doctor.evidence.logs reads them

    def paths(self) -> Iterator[str]:
        """Every path that has a piece, readable or not."""
        return iter(self._pieces)

    def pieces(self, path: str) -> list[Piece]:
        """The readable pieces at `path`, oldest first; none if there are none."""
        is_log = path in _LOGS or path.startswith(EARLIER_LOG)
        old = ROTATED.get(path, "")
        if is_log and path not in self._read and (path in self._pieces or old in self._pieces):
            from doctor.evidence.logs import read, rotated

            raw = [piece for piece in self._pieces.get(path, ()) if piece.state in READABLE]
            found = [one for piece in raw for one in read(piece)]
            aside = [piece for piece in self._pieces.get(old, ()) if piece.state in READABLE]
            self._read[path] = [one for piece in aside for one in rotated(piece, found)] + found
        if path in self._read:
            return list(self._read[path])
        return [piece for piece in self._pieces.get(path, ()) if piece.state in READABLE]

    def states(self, path: str) -> list[Piece]:
        """Every piece at `path`, those that could not be read too."""
        return self._pieces.get(path, [])

    def last(self, path: str) -> Piece | None:
        """The latest readable piece at `path`."""
        found = self.pieces(path)
        return found[-1] if found else None

    def absent(self, path: str) -> Piece | None:
        """The piece that proves that nothing is at `path`, if any does."""
        for piece in self._pieces.get(path, ()):
            if piece.state == ABSENT:
                return piece
        return None

    def under(self, prefix: str, suffix: str = "") -> list[Piece]:
        """The readable pieces whose path begins with `prefix` and ends in `suffix`, in path order."""
        names = self._sorted
        found: list[Piece] = []
        at = bisect_left(names, prefix)
        while at < len(names) and names[at].startswith(prefix):
            if names[at].endswith(suffix):
                found += self.pieces(names[at])
            at += 1
        return found

    def listing(self, path: str) -> tuple[tuple[str, ...], Piece] | None:
        """The names in directory `path` (with its slash) and the piece that lists them.

        An absent directory gives no names; None means that nothing tells.
        """
        piece = self.last(path)
        if piece is not None:
            names = listed(path, piece.text)
            return None if names is None else (names, piece)
        absent = self.absent(path)
        return None if absent is None else ((), absent)
