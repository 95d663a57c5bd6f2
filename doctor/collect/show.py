"""The catalogue as `collect --list` shows it."""

import textwrap
from typing import Iterable

from .generated import USES
from .item import Item
from .say import say

__all__ = ["catalogue"]

_WIDTH = 118


def catalogue(items: Iterable[Item]) -> str:
    """Return a table of ITEMS, below each of them the checks that use it."""
    items = tuple(items)
    rows = [("PATH OR COMMAND", "HOW", "ROOT", "LIMIT", "TIME", "PRIVACY")]
    for item in items:
        limit = "{} KB".format(item.limit // 1024) if item.limit else "-"
        how = "log" if item.log else "lines" if item.keep else item.how
        name = " ".join(item.argv) if item.how == "command" else "/" + item.path
        rows.append((name, how, "root" if item.root else "-", limit, "{:g} s".format(item.timeout), item.privacy))
    widths = [max(len(row[at]) for row in rows) for at in range(6)]
    lines = ["  ".join(row[at].ljust(widths[at]) for at in range(6)).rstrip() for row in rows]
    for at, item in enumerate(items, 1):
        checks = USES.get(item.path, "").split()
        used = say("for {checks}", checks=", ".join(checks)) if checks else say("for the facts (passdoctor facts)")
        lines[at] += "\n" + textwrap.fill(
            used, _WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
        )
    return "\n".join(lines) + "\n"
