"""How --help looks: a screen of 24 lines, in it what is used every day; --help-all shows the rest.

Imported when help is asked for or something is wrong with the arguments, never by a command that does its work.
"""

from __future__ import annotations

import argparse

from doctor.cli import RARE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn


class Formatter(argparse.RawDescriptionHelpFormatter):
    """The house's help: each option in a line, the commands without a heading of their own."""

    every = False  # whether the rarely used options are shown as well

    def __init__(self, prog: str, width: int = 80) -> None:
        """`width` in cells."""
        super().__init__(prog, max_help_position=26, width=width)
        self._passing = False

    def tell(self, text: str) -> str:
        """A text of the help in the language that is spoken; here, English."""
        return text

    def start_section(self, heading: str | None) -> None:
        self._passing = heading == RARE and not self.every
        super().start_section(self.tell(heading) if heading else heading)

    def add_argument(self, action: argparse.Action) -> None:
        if not self._passing:
            super().add_argument(action)

    def add_text(self, text: str | None) -> None:
        super().add_text(self.tell(text) if text else text)

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[argparse._MutuallyExclusiveGroup],
        prefix: str | None = None,
    ) -> None:
        super().add_usage(usage, actions, groups, self.tell("usage: ") if prefix is None else prefix)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return self.tell(action.help) if action.help else action.help

    def _format_action(self, action: argparse.Action) -> str:
        if isinstance(action, argparse._SubParsersAction):
            return "".join(map(self._format_action, action._get_subactions()))
        return super()._format_action(action)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings:
            return super()._format_action_invocation(action)
        value = "" if action.nargs == 0 else " " + self._format_args(action, action.dest.upper())
        return ", ".join(sorted(action.option_strings, key=len)) + value


def show_all(parser: argparse.ArgumentParser) -> NoReturn:
    """Prints the help of a command with its rarely used options, and ends."""
    make = parser.formatter_class

    def whole(prog: str) -> argparse.HelpFormatter:
        made = make(prog=prog)
        made.every = True  # type: ignore[attr-defined]  # every formatter of the house is a Formatter
        return made

    parser.formatter_class = whole
    parser.print_help()
    parser.exit()
