"""Regular expressions that are compiled when they are first used.

A check runs a few of the many that the parsers hold, and compiling all of them took half of its time.
"""

from __future__ import annotations

import re

__all__ = ["later"]

_METHODS = ("match", "fullmatch", "search", "findall", "finditer", "sub", "subn", "split")


class _Later:
    """Stands for a pattern; its methods are the compiled one's from the first use on."""

    __slots__ = ("_flags", "_text", *_METHODS)

    def __init__(self, text: str, flags: int) -> None:
        self._text, self._flags = text, flags

    def __getattr__(self, name: str) -> object:
        # Reached only while a slot is empty, and for what is no method of a pattern.
        pattern = re.compile(self._text, self._flags)
        for method in _METHODS:
            setattr(self, method, getattr(pattern, method))
        return getattr(pattern, name)


def later(text: str, flags: int = 0) -> re.Pattern[str]:
    r"""The pattern `text`, compiled as soon as it is asked for something.

    >>> digits = later(r"\d+")
    >>> digits.findall("a1b22"), digits.pattern
    (['1', '22'], '\\d+')
    """
    return _Later(text, int(flags))  # type: ignore[return-value]
