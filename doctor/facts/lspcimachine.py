"""The formats of lspci that are made for machines: `-mm`, `-vmm`, and the tree of `-t`.

Source: pciutils lspci.c (show_machine), ls-tree.c; the man page's sections "Machine-readable output" and `-t`.

>>> quoted('01:00.0 "VGA compatible controller [0300]" "NVIDIA Corporation [10de]" "GA104 [2484]" -ra1 "" ""')
Quoted(address='0000:01:00.0', ids='10de:2484', class_='0300', name='NVIDIA Corporation GA104', revision='a1')
>>> tree(Piece("cmd/lspci-nnk", "-[0000:00]-+-00.0  Intel\\n           \\\\-01.0-[01-02]----00.0  NVIDIA"))[1][:2]
('0000:00:01.0', None)
"""

from __future__ import annotations

import re

from doctor.evidence.types import Piece
from doctor.facts.messages import full_address
from doctor.later import later
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doctor.evidence.types import Source

_QUOTED = later(r'"([^"]{0,200})"|-r([0-9a-f]{2})\b')
_NUMBERED = later(r"(?:^|\s)\[?([0-9a-f]{4})\]?$")
_MACHINE = later(r"\s{0,16}((?:[0-9a-f]{4,6}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) (\".{1,600})")
_TOKEN = later(r"\[(?:([0-9a-f]{4,6}):)?([0-9a-f]{2})(?:-[0-9a-f]{2})?\]|([0-9a-f]{2})\.([0-7])(?![0-9a-f.])")
_LOOKED_AT = 400  # characters of a line
_DEEPEST = 64  # buses above one another


class Quoted(NamedTuple):
    """A function in a line of `lspci -mm`."""

    address: str
    ids: str | None
    class_: str | None
    name: str | None
    revision: str | None


class Place(NamedTuple):
    """Where a tree shows a function: `parent` is the bridge above it, None on a root bus."""

    address: str
    parent: str | None
    source: Source


def quoted(line: str) -> Quoted | None:
    """The function in a line of `lspci -mm`, `-nmm` or `-nnmm`; None if the line is none."""
    found = _MACHINE.match(line[:_LOOKED_AT])
    if not found:
        return None
    words, revision = [], None
    for text, number in _QUOTED.findall(found.group(2)):
        if number:
            revision = number
        else:
            words.append(text)
    if len(words) < 3:
        return None
    (class_name, class_), (vendor_name, vendor), (name, device) = [_numbered(word) for word in words[:3]]
    from doctor.facts.lspci import class_of

    ids = f"{vendor}:{device}" if vendor and device else None
    named = " ".join(part for part in (vendor_name, name) if part) or None
    return Quoted(full_address(found.group(1)), ids, class_ or class_of(class_name), named, revision)


def _numbered(word: str) -> tuple[str, str | None]:
    """The name and the number of `Name [1234]`, of a name alone, or of a number alone."""
    found = _NUMBERED.search(word)
    if not found or (found.start() and "[" not in word[found.start() :]):
        return word.strip(), None
    return word[: found.start()].strip(), found.group(1)


def keyed(key: str, value: str) -> dict[str, str]:
    """What a line `Key:<tab>value` of `lspci -vmm` says, in the names of `Entry`.

    >>> keyed("Vendor", "NVIDIA Corporation [10de]"), keyed("IOMMUGroup", "15")
    ({'vendor_name': 'NVIDIA Corporation', 'vendor': '10de'}, {'group': '15'})
    """
    if key in ("Class", "Vendor", "Device"):
        name, number = _numbered(value.strip()[:200])
        said = {f"{key.lower()}_name": name, key.lower(): number or ""}
        return {name: text for name, text in said.items() if text}
    plain = {"Rev": "revision", "Driver": "driver", "Module": "module", "IOMMUGroup": "group"}
    return {plain[key]: value.strip()[:80]} if key in plain else {}


def is_tree(text: str) -> bool:
    """Whether there may be a tree of `lspci -t` in a text."""
    return "-[" in text and ("]-" in text)


def tree(piece: Piece) -> list[Place]:
    """The functions of a tree of `lspci -t`, with the bridge above each.

    The columns of the branches tell who is below whom; where they were lost (a forum that folded blanks), the
    lines that cannot be placed are passed over.
    """
    places: list[Place] = []
    stack: list[tuple[int, str, str, str | None]] = []  # column, domain, bus, the bridge that owns it
    for index, line in enumerate(piece.text.splitlines()):
        at, last, first = 0, None, True
        line = line[:_LOOKED_AT].expandtabs(8)
        while True:
            while at < len(line) and line[at] in " |+\\-`":
                at += 1
            found = _TOKEN.match(line, at)
            if found is None or (first and not line[:at].strip()):
                break
            if first:
                before = next((entry for entry in stack if entry[0] == at), None)
                stack, first = [entry for entry in stack if entry[0] < at], False
                last = before[3] if before is not None else None
            at, last, done = _step(piece, index, line, found, stack, places, last)
            if done:
                break
    return places


def _step(
    piece: Piece,
    index: int,
    line: str,
    found: re.Match[str],
    stack: list[tuple[int, str, str, str | None]],
    places: list[Place],
    last: str | None,
) -> tuple[int, str | None, bool]:
    """One bus or function of a line: the place after it, the function read last, whether the line is done."""
    domain, bus, slot, function = found.groups()
    if bus is not None:
        domain = domain or (stack[-1][1] if stack else "0000")
        if (stack or found.group(1)) and len(stack) < _DEEPEST:
            stack.append((found.start(), domain, bus, last))
        return found.end(), last, not stack
    if not stack:
        return found.end(), None, True
    _column, domain, bus, owner = stack[-1]
    address = full_address(f"{domain}:{bus}:{slot}.{function}")
    places.append(Place(address, owner, piece.cite(index, line.strip())))
    return found.end(), address, line[found.end() : found.end() + 2] != "-["
