"""Limits of locked memory: what a VM's process may pin for a device.

Sources: limits.conf(5) (KiB for `memlock`; limits.d is read after it, in the order of names, the later line
wins; it holds for logins through PAM only, not for services), systemd.exec(5) and systemd-system.conf(5)
(`LimitMEMLOCK=`, `DefaultLimitMEMLOCK=`: bytes with K, M, G, T of 1024, `soft:hard`), bash's `ulimit -l`
(KiB), proc(5) (/proc/PID/limits, bytes), prlimit(1).

>>> from doctor.evidence.types import Evidence, Piece
>>> conf = Piece("etc/security/limits.d/vfio.conf", "@kvm  hard  memlock  8388608\\n* - nofile 4096", "l")
>>> found = read(Evidence("directory", "d", [conf, Piece("cmd/ulimit", "64", "u", command="ulimit -l")]))
>>> [(one.who, one.kind, one.amount) for one in found.configured], found.shell.value
([('@kvm', 'hard', 8589934592)], 65536)
"""

from __future__ import annotations

import re

from doctor.facts.fact import Fact, Listing, unknown
from doctor.later import later
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from doctor.evidence.types import Evidence, Piece, Source

UNLIMITED = (1 << 64) - 1
"""RLIM_INFINITY, as the kernel has it."""

_PAM, _PAM_DROP_INS = "etc/security/limits.conf", "etc/security/limits.d/"
_UNIT_FOLDERS = ("etc/systemd/system/", "run/systemd/system/", "usr/lib/systemd/system/", "lib/systemd/system/")
_MANAGER = (
    ("etc/systemd/system.conf", "etc/systemd/system.conf.d/"),
    ("etc/systemd/user.conf", "etc/systemd/user.conf.d/"),
)
_ULIMIT = later(r"max locked memory\s+\(kbytes, -l\)\s+(\S{1,20})", re.ASCII)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50, "E": 1 << 60}
_ENDLESS = ("unlimited", "infinity", "-1")


class Limit(NamedTuple):
    """A configured limit. `who`: a user, `@group`, `*`, a unit, or `systemd`; `kind`: "soft", "hard" or "-"
    for both; `amount` in bytes, UNLIMITED for no limit; `text`: as it stands."""

    who: str
    kind: str
    amount: int
    text: str
    source: Source


class Process(NamedTuple):
    """A process's own limit in bytes, soft and hard. `pid` is None where the evidence does not name it."""

    pid: int | None
    soft: int
    hard: int
    source: Source


class Limits(NamedTuple):
    """`shell`: the soft limit of the shell that was asked, in bytes; `configured`: for logins (PAM);
    `services`: of systemd's units and its default; `processes`: what single processes run with."""

    shell: Fact
    configured: Listing
    services: Listing
    processes: Listing


def read(evidence: Evidence) -> Limits:
    """The limits of locked memory. Never raises."""
    pam = [limit for p in evidence.pieces(_PAM) + evidence.under(_PAM_DROP_INS, ".conf") for limit in _pam(p)]
    seen = evidence.complete or (bool(evidence.states(_PAM)) and evidence.listing(_PAM_DROP_INS) is not None)
    return Limits(
        _shell(evidence),
        Listing(pam, seen, () if seen else (_PAM, _PAM_DROP_INS)),
        Listing(_services(evidence), False, ("etc/systemd/system/",)),
        Listing(_processes(evidence), False, ("proc/self/limits",)),
    )


def amount(text: str, unit: int = 1) -> int | None:
    """Bytes of a limit's text, `unit` bytes each where it has no suffix; None if it is none.

    >>> amount("64", 1024), amount("8G"), amount("infinity") == UNLIMITED, amount("lots")
    (65536, 8589934592, True, None)
    """
    text = text.strip()
    if text.lower() in _ENDLESS:
        return UNLIMITED
    digits, suffix = (text[:-1], text[-1:].upper()) if text[-1:].isalpha() else (text, "")
    if not digits.isascii() or not digits.isdecimal() or len(digits) > 20 or suffix not in _UNITS:
        return None
    return min(int(digits) * (_UNITS[suffix] if suffix else unit), UNLIMITED)


def _shell(evidence: Evidence) -> Fact:
    for piece in reversed(evidence.pieces("cmd/ulimit")):
        lines = piece.text.splitlines()
        for index, text in enumerate(lines):
            found = _ULIMIT.search(text[:200])
            said = found.group(1) if found else text.strip() if len(lines) == 1 and _asks(piece) else None
            bytes_ = amount(said, 1024) if said else None
            if bytes_ is not None:
                return Fact(bytes_, (piece.cite(index, text.strip()),))
    return unknown("cmd/ulimit")


def _asks(piece: Piece) -> bool:
    """Whether a bare number answers for locked memory (`ulimit -l`, also `-Hl` and `-Sl`)."""
    words = (piece.command or "").split()
    return "ulimit" in words and any(word.startswith("-") and "l" in word for word in words)


def _pam(piece: Piece) -> Iterator[Limit]:
    for index, text in enumerate(piece.text.splitlines()):
        words = text.partition("#")[0].split()
        if len(words) == 4 and words[2] == "memlock" and words[1] in ("soft", "hard", "-"):
            bytes_ = amount(words[3], 1024)
            if bytes_ is not None:
                yield Limit(words[0], words[1], bytes_, text.strip(), piece.cite(index, text.strip()))


def _services(evidence: Evidence) -> list[Limit]:
    found: list[Limit] = []
    for who, (main, folder) in zip(("systemd", "systemd --user"), _MANAGER, strict=True):
        for piece in evidence.pieces(main) + evidence.under(folder, ".conf"):
            found += _unit(piece, "DefaultLimitMEMLOCK", who)
    for path in evidence.paths():
        if path.startswith(_UNIT_FOLDERS) and path.endswith((".service", ".slice", ".scope", ".conf")):
            unit = path.partition("systemd/system/")[2].partition("/")[0].removesuffix(".d")
            for piece in evidence.pieces(path):
                found += _unit(piece, "LimitMEMLOCK", unit)
    for piece in evidence.pieces("cmd/systemctl"):
        found += _unit(piece, "LimitMEMLOCK", "a unit")
    return found


def _unit(piece: Piece, key: str, who: str) -> Iterator[Limit]:
    """Assignments of a systemd file; one value sets both limits."""
    for index, text in enumerate(piece.text.splitlines()):
        name, equals, value = text.strip().partition("=")
        if equals and name.strip() == key:
            soft, colon, hard = value.strip().partition(":")
            for kind, said in (("soft", soft), ("hard", hard)) if colon else (("-", soft),):
                bytes_ = amount(said)
                if bytes_ is not None:
                    yield Limit(who, kind, bytes_, text.strip(), piece.cite(index, text.strip()))


def _processes(evidence: Evidence) -> list[Process]:
    found: list[Process] = []
    for path in evidence.paths():
        if path == "cmd/prlimit" or (path.startswith("proc/") and path.endswith("/limits") and path.count("/") == 2):
            pid = path.split("/")[1]
            for piece in evidence.pieces(path):
                found += _process(piece, int(pid) if pid.isascii() and pid.isdecimal() and len(pid) < 9 else None)
    return found


def _process(piece: Piece, pid: int | None) -> Iterator[Process]:
    for index, text in enumerate(piece.text.splitlines()):
        words = text.split()
        if words[:3] != ["Max", "locked", "memory"] and words[:1] != ["MEMLOCK"]:
            continue
        amounts = [bytes_ for word in words if (bytes_ := amount(word)) is not None]
        if len(amounts) > 1:
            yield Process(pid, amounts[0], amounts[1], piece.cite(index, text.strip()))
