"""What a collection is, in memory: the same whether it was just gathered or read from a bundle."""

from .record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Optional, Tuple


__all__ = ["STATES", "Collected", "Entry"]

STATES = ("whole", "filtered", "cut", "denied", "absent", "failed")
"""How much of a piece there is: all, only lines that matter, only its beginning; or why there is nothing."""


class Entry(NamedTuple):
    """One piece of evidence.

    `path` is relative to the host's root (`cmd/NAME` for a command's output, a trailing slash for a
    directory's names); `data` is a file's content, a link's target, or names one a line; `how` is the
    catalogue's; `command` is what was run; `state` is one of `STATES`; `reason` says why it is not whole
    (or, for a whole one, what is special about it).
    """

    path: str
    data: bytes
    how: str
    command: "Optional[str]" = None
    state: str = "whole"
    reason: "Optional[str]" = None


class Collected(NamedTuple):
    """A whole collection: entries by path, when (UTC, ISO 8601), by which version, and with which rights.

    `redaction` is "forum" if replacements stand for private values, "none" if everything is as it was read.
    `note` is what the person who collected wants to say, one line. `warnings` say what was changed after a
    bundle was written, and `complete` is False if something of it is missing.
    """

    entries: "Dict[str, Entry]"
    collected_at: str
    version: str
    as_root: bool
    redaction: str = "none"
    note: str = ""
    warnings: "Tuple[str, ...]" = ()
    complete: bool = True
