"""Prints the collector for hosts without Python: a POSIX shell script, made from the same catalogue.

It runs under dash, busybox ash and bash and writes a bundle of the same format. It does not redact.
"""

from typing import List

from . import version
from .catalogue import ITEMS, NEVER, RELEASE, Item
from .command import PATH
from .generated import PHRASES, WORDS
from .shell_reading import BODY, HEAD
from .shell_writing import ITEMS as WALK
from .shell_writing import TAIL

__all__ = ["script"]


def script() -> str:
    """Return the shell collector."""
    never = " | ".join("sys/bus/*/" + name for name in NEVER) + " | sys/bus/*/resource?*"
    commands = [_command(item) for item in ITEMS if item.how == "command"]
    items = [_row(item) for item in ITEMS if item.how != "command"]
    first = [row for row in items if row.startswith("log|")]
    rows = [row for row in items if row not in first] + first
    body = BODY.replace("@WORDS@", "\n".join(WORDS + PHRASES)).replace("@NEVER@", never).replace("@PATH@", PATH)
    parts = [HEAD, body, "begins=''\nif [ -z \"$root\" ]; then\n", *commands, "fi\n"]
    parts.append(WALK.replace("@ITEMS@", "\n".join(rows)).replace("@RELEASE@", RELEASE))
    return "".join([*parts, TAIL]).replace("@VERSION@", version())


def _command(item: Item) -> str:
    argv = " ".join("'" + word + "'" for word in item.argv)
    taken = "take_command {} {} {} {}".format(item.path, item.limit, "log" if item.log else "''", argv)
    if item.path == "cmd/journalctl-k":
        return '    [ -n "$begins" ] || {}\n'.format(taken)
    return "    " + taken + "\n"


def _row(item: Item) -> str:
    how = "log" if item.log else item.how
    fields: List[str] = [how, str(item.limit), item.path, ";".join(item.keep or ())]
    return "|".join(fields)
