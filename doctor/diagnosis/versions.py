"""Whether a host's versions lie outside those that a rule speaks of: a hint, which no direct evidence bows to.

Versions say little, for distributions carry changes back into old kernels. So what was seen stands, whatever the
version; where nothing was, a check that speaks of other versions does not apply. docs/rules.md, "Versions".
"""

from __future__ import annotations

from doctor.knowledge.store import PROGRAMS
from doctor.say import say, sentences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from doctor.facts.fact import Fact
    from doctor.facts.host import Host


def outside(limits: list[list[Any]], host: Host) -> str:
    """In words that the host's version lies outside the compiled `limits`; empty if it does not, or nobody knows.

    A limit is [program, "since" or "until", [major, minor], reason].
    """
    for program, side, limit, why in limits:
        read = _version(program, host)
        # What was only inferred excludes nothing.
        numbers = _numbers(read.value) if read is not None and read.known and not read.weak else None
        if numbers is None or (numbers < tuple(limit)) is not (side == "since"):
            continue
        told = {"program": PROGRAMS[program], "limit": ".".join(map(str, limit)), "own": ".".join(map(str, numbers))}
        hint = (
            say("This is known of {program} {limit} and later; this host has {own}.", **told)
            if side == "since"
            else say("This is known of {program} before {limit}; this host has {own}.", **told)
        )
        return sentences(filter(None, (hint, why)))
    return ""


def _version(program: str, host: Host) -> Fact | None:
    """What was read of a program's version; None for one whose version nothing tells."""
    if program == "kernel":
        return host.kernel
    ours = program == "proxmox" and host.platform.distribution.value == "proxmox"
    return host.platform.version if ours else None


def _numbers(version: Any) -> tuple[int, int] | None:
    """Major and minor of a version, as it was read or as text.

    >>> _numbers((6, 8)), _numbers("8.2.4"), _numbers("9"), _numbers("sid")
    ((6, 8), (8, 2), None, None)
    """
    if isinstance(version, tuple):
        return version if len(version) == 2 else None
    major, _, rest = str(version).partition(".")
    minor = rest.partition(".")[0].partition("-")[0]
    plain = all(part.isascii() and part.isdigit() and len(part) < 9 for part in (major, minor))
    return (int(major), int(minor)) if plain else None
