"""Prose of the report's own: what stands between backticks is a name, and is shown as one."""

from __future__ import annotations

from doctor.later import later

_NAME = later(r"`([^`]+)`")


def spans(text: str) -> list[tuple[bool, str]]:
    """The pieces of `text`, each with whether it is a name; a backtick without its like stays.

    >>> spans("`iommu=pt` is set")
    [(True, 'iommu=pt'), (False, ' is set')]
    >>> spans("a ` b")
    [(False, 'a ` b')]
    """
    return [(at % 2 == 1, piece) for at, piece in enumerate(_NAME.split(text)) if piece]


def as_names(escaped: str) -> str:
    """The same as HTML: `escaped` is markup already, in which a backtick still is a backtick.

    >>> as_names("`a&lt;b` is set")
    '<code>a&lt;b</code> is set'
    """
    return _NAME.sub(r"<code>\1</code>", escaped)
