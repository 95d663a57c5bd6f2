"""Lists of modules in the configuration of the tools that build an initramfs, word by word.

mkinitcpio.conf(5) is read by bash: `NAME=(…)` and `NAME+=(…)` over any number of lines with comments between,
or, as in old files, one string; files of mkinitcpio.conf.d come later. dracut.conf(5) is read by bash as well,
but its lists are strings: `+=` appends without a blank of its own.

>>> from doctor.evidence.types import Evidence, Piece
>>> one = Piece("etc/dracut.conf.d/a.conf", 'force_drivers+=" vfio_pci"', "a")
>>> two = Piece("etc/dracut.conf.d/b.conf", 'force_drivers+="vfio "', "b")
>>> [(value.text, value.glued) for value in dracut(Evidence("d", "d", [one, two]))["force_drivers"]]
[('vfio_pcivfio', True)]
"""

from __future__ import annotations

import re

from doctor.later import later
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from doctor.evidence.types import Evidence, Piece, Source

DRACUT = (
    "drivers",
    "add_drivers",
    "force_drivers",
    "omit_drivers",
    "filesystems",
    "add_dracutmodules",
    "omit_dracutmodules",
)
MKINITCPIO = ("MODULES", "HOOKS", "BINARIES", "FILES")
_START = later(r"\s{0,40}(?:export\s{1,4})?([A-Za-z_]\w{1,40})(\+?=)(.*)", re.ASCII)
_BLANKS = later(r"\s+")
_MOST_LINES = 200  # of one array


class Value(NamedTuple):
    """A word of a list: its line from 0 in `piece` (None: on the command line). `glued`: two words of two
    assignments that became one for lack of a blank."""

    text: str
    source: Source
    piece: Piece | None
    at: int
    glued: bool = False


class _Assigned(NamedTuple):
    """An assignment: whether it adds to the former value, its pieces of text by line, all lines of the file."""

    name: str
    adds: bool
    parts: list[tuple[str, int]]
    piece: Piece
    lines: list[str]


def plain(name: str) -> str:
    """A module's name as the kernel compares it.

    >>> plain("vfio-pci")
    'vfio_pci'
    """
    return name.replace("-", "_")


def plain_string(text: str) -> str:
    """The value of an assignment without its quotes and what follows them.

    >>> plain_string(' "most" # all'), plain_string("dep # few"), plain_string("' a b '")
    ('most', 'dep', ' a b ')
    """
    text = text.lstrip()
    if text[:1] in ("'", '"'):
        return text[1:].partition(text[0])[0]
    return text.split(None, 1)[0] if text.split() else ""


def bare(evidence: Evidence, paths: Iterable[str]) -> Iterator[Value]:
    """Lists of one module a line; what follows its name are its options."""
    for path in paths:
        for piece in evidence.pieces(path):
            for at, text in enumerate(piece.text.splitlines()):
                words = text.split()
                if words and words[0][0] not in "#;":
                    yield Value(words[0], piece.cite(at, text.strip()), piece, at)


def mkinitcpio(evidence: Evidence) -> dict[str, list[Value]]:
    """The arrays of mkinitcpio's configuration that hold in the end."""
    pieces = evidence.pieces("etc/mkinitcpio.conf") + evidence.under("etc/mkinitcpio.conf.d/", ".conf")
    found: dict[str, list[Value]] = {}
    for one in _assignments(pieces, MKINITCPIO):
        if not one.adds:
            found[one.name] = []
        values = found.setdefault(one.name, [])
        values += [_value(word, at, one) for text, at in one.parts for word in text.split()]
    return found


def dracut(evidence: Evidence) -> dict[str, list[Value]]:
    """The lists of dracut's configuration that hold in the end; drop-ins of /etc hide namesakes of /usr/lib."""
    own = evidence.under("etc/dracut.conf.d/", ".conf")
    names = {piece.path.rpartition("/")[2] for piece in own}
    shipped = [
        p for p in evidence.under("usr/lib/dracut/dracut.conf.d/", ".conf") if p.path.rpartition("/")[2] not in names
    ]
    drop_ins = sorted([*own, *shipped], key=lambda piece: piece.path.rpartition("/")[2])
    texts: dict[str, list[tuple[str, int, _Assigned]]] = {}
    for one in _assignments([*evidence.pieces("etc/dracut.conf"), *drop_ins], DRACUT):
        if not one.adds:
            texts[one.name] = []
        texts.setdefault(one.name, []).extend((text, at, one) for text, at in one.parts)
    return {name: list(_joined(parts)) for name, parts in texts.items()}


def _joined(parts: list[tuple[str, int, _Assigned]]) -> Iterator[Value]:
    """The words of strings that follow one another without a blank of bash's own."""
    word: list[str] = []
    start = (0, parts[0][2]) if parts else None
    for text, at, one in parts:
        for index, chunk in enumerate(_BLANKS.split(text)):
            if index and word and start:
                yield _value("".join(word), *start)._replace(glued=len(word) > 1)
                word = []
            if chunk:
                start = start if word else (at, one)
                word.append(chunk)
    if word and start:
        yield _value("".join(word), *start)._replace(glued=len(word) > 1)


def _value(word: str, at: int, one: _Assigned) -> Value:
    return Value(word, one.piece.cite(at, one.lines[at].strip()), one.piece, at)


def _assignments(pieces: Iterable[Piece], names: tuple[str, ...]) -> Iterator[_Assigned]:
    """Every assignment to one of `names`, in the order in which bash reads them."""
    for piece in pieces:
        lines = piece.text.splitlines()
        at = 0
        while at < len(lines):
            found = _START.match(lines[at])
            if found is None or found.group(1) not in names:
                at += 1
                continue
            parts, after = _taken(lines, at, found.group(3))
            yield _Assigned(found.group(1), found.group(2) == "+=", parts, piece, lines)
            at = after


def _taken(lines: list[str], at: int, rest: str) -> tuple[list[tuple[str, int]], int]:
    """The text of a value with the lines it stands in, and the first line behind it."""
    rest = rest.lstrip()
    if rest[:1] == "(":
        return array(lines, at, rest[1:])
    mark = rest[:1] if rest[:1] in ("'", '"') else ""
    if not mark:
        return [(plain_string(rest), at)], at + 1
    parts, text, line = [], rest[1:], at
    while mark not in text and line + 1 < min(len(lines), at + _MOST_LINES):
        # The end of a line is a blank between words, as in bash; a backslash there joins them.
        parts.append((text[:-1] if text.endswith("\\") else text + "\n", line))
        line += 1
        text = lines[line]
    if mark not in text:  # never closed: only the first line is taken
        return [(rest[1:], at)], at + 1
    return [*parts, (text.partition(mark)[0], line)], line + 1


def array(lines: list[str], at: int, rest: str) -> tuple[list[tuple[str, int]], int]:
    """The words of a bash array whose text after `(` is `rest` in line `at`, and the first line behind it.

    >>> array(["A=(a 'b' # )", "  c) # end"], 0, "a 'b' # )")
    ([('a b', 0), ('c', 1)], 2)
    """
    parts: list[tuple[str, int]] = []
    line, text = at, rest
    while True:
        body, closed = _until_end(text)
        if body:
            parts.append((body, line))
        line += 1
        if closed:
            return parts, line
        if line >= min(len(lines), at + _MOST_LINES) or _START.match(lines[line]):
            return parts[:1] if parts and parts[0][1] == at else [], at + 1  # never closed
        text = lines[line]


def _until_end(text: str) -> tuple[str, bool]:
    """What stands in a line of an array up to its end or a comment, without quotes; whether it ends there."""
    out = []
    for word in text.replace("(", " ").split():
        if word.startswith("#"):
            break
        inner, end, _ = word.partition(")")
        out.append(inner.strip("'\""))
        if end:
            return " ".join(one for one in out if one), True
    return " ".join(one for one in out if one), False
