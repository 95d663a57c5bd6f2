"""What lets a shell complete passdoctor's commands, their options and the names of files.

The script is made from the parsers themselves when it is asked for, so no option can be missing in it.
"""

from __future__ import annotations

import argparse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_FILES = frozenset(("INPUT", "FILE", "PATH", "BEFORE", "AFTER"))  # what stands for a file in the help


class NoCompletion(RuntimeError):
    """shtab, which writes the scripts, is not installed. The message says how to install it."""


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script for `shell`, one of bash, zsh and fish. Raises NoCompletion without shtab."""
    try:
        import shtab
    except ImportError as error:
        raise NoCompletion("completion needs shtab, which is not installed: pip install shtab") from error
    for commands in _commands(parser):
        for command in commands.choices.values():
            for action in command._actions:
                if action.metavar in _FILES:
                    action.complete = shtab.FILE  # type: ignore[attr-defined]
    written: str = shtab.complete(parser, shell=shell)
    return written


def _commands(parser: argparse.ArgumentParser) -> Iterator[argparse._SubParsersAction[argparse.ArgumentParser]]:
    return (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
