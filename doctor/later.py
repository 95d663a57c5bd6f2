"""What is made when it is first used: regular expressions, and the parts of the knowledge that few checks need.

A check runs a few of the many expressions that the parsers hold, and compiling all of them took half of its time.
Of the compiled knowledge it needs the remedies of what failed and the wordings of what stands in the log.
"""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["later", "opened", "sealed"]

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


# A sealed part is JSON in a text of JSON: with other quotation marks it needs no escapes, which are slow to read.
_QUOTES = str.maketrans({'"': "`", "`": '"'})


def sealed(part: Any) -> str:
    """A part of the knowledge as text, which is read much faster than what it holds.

    >>> sealed(["a"]), opened(sealed(["a`", '"b'])), opened(["a"])
    ('[`a`]', ['a`', '"b'], ['a'])
    """
    if isinstance(part, str):
        return part
    return json.dumps(part, ensure_ascii=False, separators=(",", ":")).translate(_QUOTES)


def opened(part: Any) -> Any:
    """What a part of the knowledge holds, whether it is `sealed` or not."""
    return json.loads(part.translate(_QUOTES)) if isinstance(part, str) else part
