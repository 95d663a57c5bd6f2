"""Lines of a terminal page: indented, wrapped, coloured or not.

What is there to be copied, a command or the new line of a file, is never broken where a break would change
it: a command goes on behind a backslash, and a word wider than the page is left for the terminal to wrap.
"""

from __future__ import annotations

from io import StringIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from doctor.report.commands import wrap_command
from doctor.report.prose import spans
from doctor.report.wide import breaks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

PROSE_WIDTH = 100  # longer lines are hard to read, however wide the terminal is


class Page:
    """Collects lines and writes them in the end."""

    def __init__(self, width: int, colour: bool) -> None:
        """`width` in cells; with `colour`, the terminal's own sixteen, which suit light and dark."""
        self.width = max(width, 20)
        self._lines: list[Text] = []
        self._out = StringIO()
        # Everything is given, so that nothing of the environment changes what is written.
        self._console = Console(
            file=self._out,
            width=self.width,
            height=25,
            color_system="standard" if colour else None,
            force_terminal=colour,
            no_color=not colour,
            legacy_windows=False,
            _environ={},
        )

    def text(self) -> str:
        """All lines as one text."""
        # Joined and unwrapped: the console then only colours, which is far quicker than line by line.
        self._console.print(Text("\n").join(self._lines), soft_wrap=True, highlight=False)
        written = self._out.getvalue()
        return "\n".join(line.rstrip() for line in written.split("\n"))

    def blank(self) -> None:
        """An empty line, never two in a row."""
        if self._lines and self._lines[-1].plain:
            self._lines.append(Text())

    def prose(self, *parts: str | tuple[str, str], indent: int = 0, first: str = "", wide: bool = False) -> None:
        """A paragraph of plain and (text, style) parts; `first` stands before it, in the indentation."""
        self._paragraph(Text.assemble(*parts), indent, first, wide)

    def told(self, *parts: str | tuple[str, str], indent: int = 0, first: str = "") -> None:
        """A paragraph in the report's own words: what stands between backticks is a name, and bold."""
        text = Text()
        for part in parts:
            words, style = (part, "") if isinstance(part, str) else part
            for name, said in spans(words):
                text.append(said, "bold" if name and not style else style)
        self._paragraph(text, indent, first)

    def _paragraph(self, text: Text, indent: int, first: str, wide: bool = False) -> None:
        width = self.width if wide else min(self.width, PROSE_WIDTH)
        room = max(width - indent, 12)
        for number, line in enumerate(self._wrapped(text, room)):
            line.rstrip()
            start = first if number == 0 else ""
            self._lines.append(Text.assemble(start + " " * (indent - cell_len(start)), line))

    def _wrapped(self, text: Text, room: int) -> Iterable[Text]:
        """The lines of a paragraph of `room` cells."""
        if cell_len(text.plain) == len(text.plain):
            return text.wrap(self._console, room, overflow="fold")
        lines = text.split("\n", allow_blank=True)
        return [part for line in lines for part in line.divide(breaks(line.plain, room))]

    def heading(self, title: str) -> None:
        """The title of a section."""
        self.blank()
        self._lines.append(Text(title.upper(), style="bold"))

    def kept(self, sign: str, text: str, indent: int, style: str = "") -> None:
        """A line that is to be copied as it is, behind its sign."""
        self._lines.append(Text.assemble(" " * indent, (sign + " ", "dim"), (text.expandtabs(), style)))

    def commands(self, commands: list[str], indent: int) -> None:
        """Commands to type, each behind a dollar sign, and comments behind their own."""
        for command in commands:
            if command.startswith("#"):
                self.prose((command[1:].strip(), "dim"), indent=indent + 2, first=" " * indent + "#")
                continue
            lines = wrap_command(command, self.width - indent - 2)
            for number, line in enumerate(lines):
                self.kept("$" if number == 0 else " ", line, indent, "bold")
