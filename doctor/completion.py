"""What lets a shell complete passdoctor's commands, their options and the names of files.

The script is made from the parsers themselves when it is asked for, so no option can be missing in it.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FILES = frozenset(("INPUT", "FILE", "PATH", "BEFORE", "AFTER"))  # what stands for a file in the help


class NoCompletion(RuntimeError):
    """shtab, which writes the scripts, is not installed. The message says how to install it."""


def script(parser: argparse.ArgumentParser, others: Mapping[str, argparse.ArgumentParser], shell: str) -> str:
    """The script for `shell`, one of bash, zsh and fish.

    `others` are the parsers of commands that `parser` knows by name only. Raises NoCompletion without shtab.
    """
    try:
        import shtab
    except ImportError as error:
        raise NoCompletion("completion needs shtab, which is not installed: pip install shtab") from error
    for commands in _commands(parser):
        for name, other in others.items():
            _take_options(commands.choices[name], other)
        for command in commands.choices.values():
            for action in command._actions:
                if action.metavar in _FILES:
                    action.complete = shtab.FILE  # type: ignore[attr-defined]
    written: str = shtab.complete(parser, shell=shell)
    return written


def _commands(parser: argparse.ArgumentParser) -> Iterator[argparse._SubParsersAction[argparse.ArgumentParser]]:
    return (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))


def _take_options(to: argparse.ArgumentParser, other: argparse.ArgumentParser) -> None:
    known = {word for action in to._actions for word in action.option_strings}
    for action in other._actions:
        if not known & set(action.option_strings):
            to._add_action(action)
