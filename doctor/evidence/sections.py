"""Reports that are one text of many commands' outputs and files, each under a heading.

A command belongs to an evidence path by a table of how its line begins; a file by its own name.

>>> rows = (("lspci -nnk", "cmd/lspci-nnk"),)
>>> text = Section("/usr/bin/lspci -nnk", 7, ["00:00.0 Host bridge"])
>>> [(p.path, p.text, p.first_line) for p in pieces([text], rows, "report.txt")]
[('cmd/lspci-nnk', '00:00.0 Host bridge', 7)]
"""

from __future__ import annotations

from doctor.evidence import commands, files
from doctor.evidence.clean import BREAKS
from doctor.evidence.types import ABSENT, CUT, EXCERPT, NOT_COLLECTED, WHOLE, Piece
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_GONE = "File not found"


class Section(NamedTuple):
    """What stands under one heading: the command or file that it names, the first line's number, the lines."""

    label: str
    first_line: int
    lines: list[str]


def lines(data: bytes) -> list[str]:
    """The lines of a text, as an editor counts them."""
    return data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").translate(BREAKS).split("\n")


def pieces(sections: Iterable[Section], rows: tuple[tuple[str, str], ...], source: str) -> list[Piece]:
    """The pieces of the sections whose command is in `rows`, or that hold a file that evidence may be."""
    found = []
    for section in sections:
        made = _file(section, source) if section.label.startswith("/") else None
        made = made or _command(section, rows, source)
        if made is not None:
            found.append(made)
    return found


def _file(section: Section, source: str) -> Piece | None:
    """A file's content, or that the file is not there; None for what is a command."""
    name, _, said = section.label.partition(" - ")
    path = name.strip().lstrip("/")
    if " " in path or "*" in path or ".." in path.split("/"):
        return None
    if not path.startswith(files.ROOTS) and path not in files.LOGS:
        return None
    if said.startswith(_GONE):
        return Piece(path, "", source, section.first_line - 1, state=ABSENT, reason=section.label)
    return _piece(path, section, source, None, CUT if said.startswith("Last ") else WHOLE)


def _command(section: Section, rows: tuple[tuple[str, str], ...], source: str) -> Piece | None:
    """A command's output."""
    program, space, rest = section.label.partition(" ")
    line = program.rpartition("/")[2] + space + rest
    path = next((path for start, path in rows if line == start or line.startswith(start + " ")), None)
    if path is None:
        return None
    if path.endswith("*"):
        path = commands.parse(line).path or ""
        if not path.startswith(files.ROOTS):
            return None
    parsed = commands.parse(line)
    state = CUT if parsed.cut else WHOLE if parsed.exact and not parsed.terms else EXCERPT
    made = _piece(path, section, source, line, state)
    refused = files.refusal(made.text)
    if made.text.startswith("ERROR: ") or refused == NOT_COLLECTED:
        return made._replace(state=NOT_COLLECTED, reason=made.text.partition("\n")[0])
    return made._replace(state=refused, reason=made.text) if refused else made


def _piece(path: str, section: Section, source: str, command: str | None, state: str) -> Piece:
    """The section's lines without the empty ones at either end."""
    filled = [index for index, line in enumerate(section.lines) if line.strip()]
    begin, end = (filled[0], filled[-1] + 1) if filled else (0, 0)
    text = "\n".join(line.rstrip() for line in section.lines[begin:end])
    return Piece(path, text, source, section.first_line + begin, command, state)
