"""The paste opener: a text as somebody posted it, split into pieces of evidence.

A block belongs to the command above it; without one, to the file that a heading names; without that,
each line is told by its shape. What no reader claims stays, as `text/other`. What is evidence of something
else than the host in question is kept apart, each with its reason: `text/example`, `text/guest`,
`text/other-host`.
"""

from __future__ import annotations

from doctor.evidence import clean, commands, fences, logs, prose, shapes
from doctor.evidence.commands import Command
from doctor.evidence.families import foreign
from doctor.evidence.hosts import OTHERS, Origin, host_of, sort_out
from doctor.evidence.mend import Mender
from doctor.evidence.prompts import titled
from doctor.evidence.refusal import refusal
from doctor.evidence.types import CUT, EXCERPT, FILTERED, WHOLE, Evidence, Line, Piece
from doctor.evidence.wraps import glue
from doctor.later import later

OTHER, EXAMPLE, PROMPTS = "text/other", "text/example", "text/prompts"
_RESTARTS = ("reboot", "systemctl reboot", "shutdown -r", "init 6")
_LOOPS = ("for ", "while ", "shopt ", "until ")
_LINE_NUMBER = later(r"\s{0,8}\d{1,9}(?:[:\t-]|\s{1,2})")
_LONGEST_LOOP = 30  # lines of a loop typed at a prompt
_LONGEST_COMMAND = 20  # lines of a command that backslashes continue


def open_paste(data: bytes, name: str) -> Evidence:
    """The evidence in a paste; `name` is what citations call the file. Never raises for any bytes.

    >>> e = open_paste(b"root@pve:~# dmesg | grep -e DMAR\\n[ 0.05] DMAR: IOMMU enabled\\nroot@pve:~#", "p.txt")
    >>> e.pieces("cmd/dmesg")[0].text, e.pieces("cmd/dmesg")[0].terms, e.pieces("cmd/dmesg")[0].first_line
    ('[ 0.05] DMAR: IOMMU enabled', ('DMAR',), 2)
    """
    return Evidence("paste", name, _read(data, name).pieces)


def roles(data: bytes) -> dict[int, str]:
    """What each line with words is, by its number: a piece's evidence path, or "prompt", "heading" or "fence".

    >>> roles(b"root@pve:~# lsmod\\nvfio_pci 16384 0\\n\\nthanks")
    {1: 'prompt', 2: 'cmd/lsmod', 4: 'cmd/lsmod'}
    """
    splitter = _read(data, "")
    found = dict(splitter.marks)
    for piece in splitter.pieces:
        if piece.path != PROMPTS and piece.text:
            for index, line in enumerate(piece.text.split("\n")):
                number = piece.line_number(index)
                if number is not None and line.strip():
                    found.setdefault(number, piece.path)
    return dict(sorted(found.items()))


def _read(data: bytes, name: str) -> _Splitter:
    splitter = _Splitter(name)
    if logs.journal(clean.decode(data[:8192])):
        text = "\n".join(line.text for line in clean.lines(clean.decode(data)))
        splitter.pieces = [Piece("cmd/journalctl-k", text, name, state=EXCERPT)]
        return splitter
    for line in clean.lines(clean.decode(data)):
        splitter.take(line)
    splitter.close(end=True)
    splitter.finish()
    return splitter


class _Splitter:
    """Walks the lines once and cuts them into blocks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pieces: list[Piece] = []
        self.origins: list[Origin] = []  # of the pieces
        self.marks: dict[int, str] = {}  # lines that are no piece's, by number
        self.command: Command | None = None  # whose output the block is
        self.above: Command | None = None  # the same, where the output's shape must tell what it is
        self.owner: Command | None = None  # what `above` was when the block began
        self.prompted = False  # whether a full prompt stood before it
        self.path: str | None = None  # of the block
        self.state = EXCERPT
        self.lines: list[str] = []  # of the block, one after another
        self.begins = 0  # the number of the first of them
        self.last: tuple[int, int] | None = None  # index of the last filled line, and the width of its last part
        self.script = False  # whether the block is a script
        self.loop = 0  # lines of a loop that may still follow
        self.typed: tuple[str, bool, Line, int] | None = None  # a command that goes on in the next line
        self.typed_at = 0  # the line of the command
        self.fenced = False
        self.mender = Mender()
        self.example = self.example_fenced = self.example_filled = False
        self.machine: str | None = None  # the host of the prompt above
        self.section = ""  # "guest" or "host", by the words above
        self.boot = 0  # restarts typed so far
        self.prompts: dict[str, Line] = {}  # user and host of the prompts, with the first line of each

    def take(self, line: Line) -> None:
        """One more line."""
        if not line.text.strip():
            self._blank()
            return
        parts = fences.split(line.text)
        if parts is None:
            self._line(line)
            return
        for kind, text in parts:
            if kind == fences.TEXT:
                self._line(Line(line.number, text))
            else:
                self._fence(kind)
        self.marks.setdefault(line.number, "fence")

    def _blank(self) -> None:
        self.last = None
        if self.lines:
            self.lines.append("")
            self.above = None
        if self.example and self.example_filled and not self.example_fenced:
            self._end_example()

    def _fence(self, kind: str) -> None:
        """A border of code. What opens one after a heading or a command leaves that in force."""
        opens = kind == fences.OPEN or (kind == fences.TOGGLE and not self.fenced)
        waits = not self.lines and (self.command is not None or self.path is not None)
        self.fenced = opens
        self.typed, self.loop = None, 0
        if opens:
            if not waits:
                self._leave()
            if self.example and not self.example_filled:
                self.example_fenced = True
            return
        self.close(end=True)
        self._leave()
        self.machine = None
        if self.example_fenced:
            self._end_example()

    def _leave(self) -> None:
        """Ends the block and whatever the lines after it would have belonged to."""
        self.close()
        self.command, self.above, self.path = None, None, None

    def _end_example(self) -> None:
        self._leave()
        self.example = self.example_fenced = self.example_filled = False

    def _line(self, line: Line) -> None:
        """A line with words and without borders."""
        text = self.mender.line(line.text)
        if self.typed is not None:
            before, full, first, count = self.typed
            self.marks[line.number] = "prompt"
            self._type((f"{before} {text.strip()}", full), first, count + 1)
            return
        if self._in_file(line.number, text):
            return
        found = shapes.shape(text)
        typed = commands.prompt(text) if found is None or "@" in text[:80] or text.lstrip()[:1] in "$#" else None
        if self.loop and self._looping(text, found, typed):
            self.marks[line.number] = "prompt"
            return
        if self._script(text) and typed is not None and not typed[1] and not text.lstrip().startswith("sudo "):
            self._append(Line(line.number, text))  # a script's own commands and comments
            return
        if typed is not None and not (found is not None and found.path == "etc/default/grub"):
            if self.example and not self.example_fenced and typed[1]:
                self._end_example()
            self.marks.setdefault(line.number, "prompt")
            self._type(typed, Line(line.number, text), 0)
            return
        if found is None and self._joined(text):
            return
        named = None if self._comment(text) else shapes.heading(text)
        if named is not None and not (self.path or "").startswith("cmd/iommu") and not self._listing():
            self._leave()
            self.path, self.state = named, EXCERPT
            self.marks.setdefault(line.number, "heading")
            return
        title = titled(text) if found is None and (self.command is None or self.last is None) else None
        if title is not None and not self._comment(text):
            self.begin_command((title, False), Line(line.number, text))
            self.marks.setdefault(line.number, "heading")
            return
        if found is None and self._said(line):
            return
        self.add(Line(line.number, text), found, line.text)

    def _in_file(self, number: int, text: str) -> bool:
        """Takes a line that begins with its file's name; whether it was one."""
        named = shapes.in_file(text) if self.command is None or self.command.path is None else None
        if named is None:
            return False
        path, content = named
        if self.path != path or self.command is not None:
            above = self.command or self.above
            self.close()
            self.command, self.above, self.path, self.state = None, above, path, EXCERPT
        self._append(Line(number, content))
        return True

    def _said(self, line: Line) -> bool:
        """Takes what somebody wrote about the output that follows; whether the line is done with."""
        text = line.text
        inside = self.command is not None or self.path not in (None, OTHER)
        if self._comment(text) or (inside and self.path is not None and self.path.startswith("cmd/virsh")):
            return False
        written = prose.sentence(text)
        if inside and not written and self.last is not None:
            return False
        after_blank = bool(self.lines) and self.last is None
        kind = prose.cue(text)
        if kind == prose.EXAMPLE or (not kind and prose.misses(text)):
            self._end_example()
            self.machine, self.section = None, ""
            self._emit(
                Piece(EXAMPLE, text.strip(), self.name, line.number, state=EXCERPT, reason="what should be seen")
            )
            self.example = kind == prose.EXAMPLE
            return True
        if kind:
            self._end_example()
            self.machine, self.section, self.path, self.state = None, kind, OTHER, EXCERPT
            self._append(line)
            return True
        if written and (self.command is None or (after_blank and prose.personal(text))):
            if inside or (self.example and self.example_filled and not self.example_fenced):
                self._end_example() if self.example_filled and not self.example_fenced else self._leave()
            self.machine, self.section = None, ""
        return False

    def _joined(self, text: str) -> bool:
        """Joins the rest of a line that was broken to its line; the rest's own line becomes empty."""
        if self.last is None or self.path is None:
            return False
        index, width = self.last
        between = glue(self.path, self.lines[index], width, text)
        if between is None:
            return False
        self.lines[index] += between + text.strip()
        self.lines.append("")
        self.marks[self.begins + len(self.lines) - 1] = self.path
        self.last = (index, len(text))
        return True

    def _comment(self, text: str) -> bool:
        """Whether the line is a comment inside a file that a command prints."""
        inside = self.command is not None and (self.path or "").startswith(("etc/", "boot/", "usr/"))
        return inside and text.lstrip().startswith("#")

    def _script(self, text: str) -> bool:
        """Whether the line is inside a script, which begins with `#!`."""
        if text.startswith("#!/"):
            self.path, self.state = (self.path, self.state) if self.path else (OTHER, EXCERPT)
            self.script = True
        return self.script

    def _looping(self, text: str, found: shapes.Shape | None, typed: tuple[str, bool] | None) -> bool:
        """Whether a line is part of a loop that was typed over several lines."""
        if (typed is not None and typed[1]) or (found is not None and found.path in ("cmd/dmesg", "cmd/lspci-nnk")):
            self.loop = 0
            return False
        self.loop = 0 if text.strip().startswith(("done", "fi", "}")) and not text[:1].isspace() else self.loop - 1
        return True

    def _listing(self) -> bool:
        return bool(self.path and self.path.endswith("/"))

    def _type(self, typed: tuple[str, bool], line: Line, count: int) -> None:
        """A command line, which may go on in the next one."""
        text = typed[0]
        if text.endswith("\\") and not text.endswith("\\\\") and count < _LONGEST_COMMAND:
            self.typed = (text[:-1].rstrip(), typed[1], line, count)
            return
        self.typed = None
        self.begin_command(typed, line)

    def begin_command(self, typed: tuple[str, bool], line: Line) -> None:
        """A command line: its output follows."""
        self.close(end=typed[1])
        text, self.prompted = typed
        self.above = None
        name = commands.user_and_host(line.text)
        if name is not None:
            self.prompts.setdefault(name, line)
            self.machine = host_of(name)
        if not text:
            self.command, self.path = None, None
            return
        self.typed_at = line.number
        self.loop = _LONGEST_LOOP if text.startswith(_LOOPS) and text.endswith(("do", "{", ";")) else 0
        if self.prompted and text.removeprefix("sudo ").startswith(_RESTARTS):
            self.boot += 1
        written = commands.writes(text)
        if written is not None:
            path, content = written
            self._emit(Piece(path, content, self.name, line.number, text, EXCERPT))
            self.command, self.path = None, None
            return
        if "-device" in text and "vfio-pci" in text:  # a virtual machine's own command line
            self._emit(Piece("cmd/messages", text, self.name, line.number, text, EXCERPT))
        self.command = commands.parse(text)
        self.path, self.state = self.command.path, self._state(self.command)

    @staticmethod
    def _state(command: Command) -> str:
        if not command.exact:
            return EXCERPT
        if command.cut:
            return CUT
        return FILTERED if command.terms else WHOLE

    def add(self, line: Line, found: shapes.Shape | None, raw: str) -> None:
        """A line of a block, or the first of another one; `raw` is the line as it was published."""
        if self._belongs(line.text, found):
            self._append(line if self.path != OTHER else Line(line.number, raw))
            return
        path = found.path if found is not None else OTHER
        if self.path != path or self.command is not None:
            command = self.command if self.command is not None and self.command.path is None else None
            self.close()
            self.command, self.path, self.state = None, path, EXCERPT
            self.above = command or self.above
            if command is not None and command.exact and path in ("cmd/lspci-nnk", "cmd/dmesg"):
                self.state = self._state(command)
        if path == OTHER and self.example and self.example_filled and not self.example_fenced:
            self._end_example()
            self.path = OTHER
        self._append(line if path != OTHER else Line(line.number, raw))

    def _append(self, line: Line) -> None:
        """One more line of the block."""
        if not self.lines:
            self.begins, self.owner = line.number, self.above
        self.lines.append(line.text)
        self.last = (len(self.lines) - 1, len(line.text))
        self.example_filled = self.example_filled or (self.example and self.path != OTHER)

    def _belongs(self, text: str, found: shapes.Shape | None) -> bool:
        """Whether a line is part of the present block."""
        if self.path is None:
            return False
        if found is not None and found.path == self.path:
            return True
        if self.path == "proc/cmdline" and self.command is None and found is not None and found.path == "cmd/dmesg":
            return False  # a log's line with the command line stood alone between others
        if found is None and shapes.continues(self.path, text):
            return True
        if self.path == "cmd/lspci-nnk" and shapes.device_detail(text) and (found is None or not _starts_block(found)):
            return True
        if self.path == "cmd/acpidump" and found is None and shapes.table_detail(text):
            return True
        if self.command is not None and self.command.path is not None:
            return found is None or not found.strong or not foreign(self.path, found.path)
        if self.path == OTHER or self.path.startswith(("cmd/", "text/")):
            return found is None and self.path == OTHER
        return found is None or not found.strong or not foreign(self.path, found.path)

    def close(self, end: bool = False) -> None:
        """Ends the block; `end` means that a prompt follows, so that even an empty output says something."""
        lines, path, command = self.lines, self.path, self.command
        self.lines, self.script, self.last = [], False, None
        while lines and not lines[-1].strip():
            lines.pop()
        if lines and path is not None:
            self._emit(self._piece(path, lines, command or self.owner))
        elif path is not None and command is not None and end and self.prompted and command.path:
            self._emit(self._piece(path, [""], command)._replace(first_line=self.typed_at))
        self.path = None if command is None else path

    def _emit(self, piece: Piece) -> None:
        """Keeps a piece; what stands in an example is none of the host's."""
        if self.example and piece.path != OTHER:
            piece = piece._replace(path=EXAMPLE, state=EXCERPT, reason=f"{piece.path} of an example")
        self.pieces.append(piece)
        self.origins.append(Origin(self.machine, self.section))

    def finish(self) -> None:
        """Counts boots from the latest one back, and adds the prompts' users and hosts as evidence of their own.

        (A host's name often tells what it runs.)
        """
        if self.boot:
            self.pieces = [piece._replace(boot=self.boot - piece.boot) for piece in self.pieces]
        self.pieces = sort_out(self.pieces, self.origins)
        others = {origin.host for origin, piece in zip(self.origins, self.pieces, strict=True) if _is_aside(piece)}
        others -= {origin.host for origin, piece in zip(self.origins, self.pieces, strict=True) if not _is_aside(piece)}
        for aside in (False, True):
            names = [name for name in self.prompts if (host_of(name) in others) is aside]
            numbers = tuple(self.prompts[name].number for name in names)
            piece = Piece(PROMPTS, "\n".join(names), self.name, state=EXCERPT, numbers=numbers)
            if names:
                self.pieces.append(piece._replace(path=OTHERS, reason="prompts of other machines") if aside else piece)

    def _piece(self, path: str, lines: list[str], command: Command | None) -> Piece:
        """The block as a piece; an error message of the command becomes a state."""
        if command is not None and command.numbered and all(map(_LINE_NUMBER.match, filter(str.strip, lines))):
            lines = [_LINE_NUMBER.sub("", line, count=1) for line in lines]
        text = "\n".join(lines)
        state, reason = self.state, None
        if command is not None and command.path and not path.startswith("cmd/messages"):
            refused = refusal(command.text, lines)
            if refused is not None:
                state, reason = refused, lines[0].strip()
                path = "sys/kernel/iommu_groups/" if path == "cmd/iommu-groups" else path
        typed = command.text if command is not None and path != OTHER else None
        terms = command.terms if command is not None and path != OTHER else ()
        fold = command.ignore_case if command is not None else False
        return Piece(path, text, self.name, self.begins, typed, state, terms, fold, self.boot, reason)


def _starts_block(found: shapes.Shape) -> bool:
    return found.strong and found.path != "cmd/lspci-nnk"


def _is_aside(piece: Piece) -> bool:
    return piece.reason is not None and piece.path.startswith(("text/guest", OTHERS))
