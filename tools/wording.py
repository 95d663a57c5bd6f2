"""Texts of the tool as Markdown that shows just them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

_TREE = "https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/"


def reference(text: str) -> str:
    """A reference as Markdown; one to a file of Linux leads to that file.

    >>> reference("linux:init/main.c (a_b)").replace(_TREE, "")
    '[linux:init/main.c](init/main.c) (a\\\\_b)'
    >>> reference("CVE-2011-1898")
    'CVE-2011-1898'
    """
    found = re.fullmatch(r"(linux:([\w./-]{1,200}))( .{0,200})?", text)
    if not found or "/" not in found[2]:
        return plain(text)
    return f"[{plain(found[1])}]({_TREE}{found[2]}){escaped(found[3] or '')}"


def linked(text: str) -> str:
    """A text whose addresses are links, named for the host alone.

    >>> linked("a_b (https://example.org/x_y)")
    'a\\\\_b ([example.org](https://example.org/x_y))'
    """
    parts = re.split(r"(https://[^\s()]{1,300})", " ".join(text.split()))
    return "".join(f"[{urlsplit(part).netloc}]({part})" if at % 2 else escaped(part) for at, part in enumerate(parts))


def plain(text: str) -> str:
    r"""A text as a line of Markdown that shows just that; what stands in backquotes stays code.

    >>> plain("a_b <c> | `x_y`")
    'a\\_b &lt;c&gt; &#124; `x_y`'
    """
    return escaped(" ".join(str(text).split()))


def escaped(text: str) -> str:
    """The same, with the blanks as they are."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        parts = ["\\`".join(parts)]
    for at in range(0, len(parts), 2):
        escaped = re.sub(r"([\\*_\[\]#])", r"\\\1", parts[at])
        parts[at] = escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "&#124;")
    return "`".join(parts)


def code(text: str) -> str:
    """A text as code in a sentence."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def block(language: str, lines: Sequence[str], title: str = "") -> str:
    text = "\n".join(lines)
    fence = "````" if "```" in text else "```"
    named = f' title="{title}"' if title else ""
    return f"{fence}{language}{named}\n{text}\n{fence}"


def indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.split("\n"))
