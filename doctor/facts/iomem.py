"""/proc/iomem: the tree of physical address ranges, and who holds which.

Source of the format: linux kernel/resource.c (r_show): two blanks a level, `start-end : name`. Without
CAP_SYS_ADMIN all addresses are zero, while names and nesting stay. A device's BAR bears its address, and
what lies inside it holds it: the firmware's framebuffer is `BOOTFB` (drivers/firmware/sysfb_simplefb.c) or
the name of its driver (efifb, vesafb, simplefb, simpledrm), a driver's claim is the driver's name.

>>> from doctor.evidence.types import Evidence, Piece
>>> text = '''a0000000-dfffffff : PCI Bus 0000:00
...   a0000000-b1ffffff : PCI Bus 0000:01
...     a0000000-afffffff : 0000:01:00.0
...       a0000000-a08fffff : BOOTFB
...     b0000000-b1ffffff : 0000:01:00.0'''
>>> found = read(Evidence("directory", "d", [Piece("proc/iomem", text, "i")]))
>>> found.holders("0000:01:00.0").value, found.framebuffer.value
(('BOOTFB',), '0000:01:00.0')
>>> [one.name for one in found.at(0xA0000000, 0xAFFFFFFF).value]
['0000:01:00.0', 'BOOTFB']
"""

from __future__ import annotations

import re

from doctor.evidence.types import WHOLE
from doctor.facts.fact import Fact, Listing, unknown
from doctor.later import later
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doctor.evidence.types import Evidence, Piece, Source

PATH = "proc/iomem"
# Names under which a firmware's framebuffer is held, whatever shows a picture with it.
FRAMEBUFFERS = ("BOOTFB", "efifb", "vesafb", "simplefb", "simpledrm", "simple-framebuffer", "efidrm", "vesadrm")
_LINE = later(r"( {0,40})([0-9a-fA-F]{1,16})-([0-9a-fA-F]{1,16}) : (.{1,200})", re.ASCII)
_DEVICE = later(r"[0-9a-fA-F]{4,6}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]", re.ASCII)


class Range(NamedTuple):
    """A range: first and last address (None where they are hidden), its name, its depth, the index of the
    range around it (None at the top)."""

    start: int | None
    end: int | None
    name: str
    depth: int
    parent: int | None
    source: Source


class Iomem:
    """The tree of ranges."""

    SHOWN = ("framebuffer", "hidden", "ranges")

    def __init__(self, ranges: Listing, hidden: Fact) -> None:
        """`hidden`: whether the addresses were kept from the reader."""
        self.ranges, self.hidden = ranges, hidden

    def holders(self, address: str) -> Fact:
        """The names of what lies inside the BARs of the device `address`: a tuple, empty if nothing does."""
        if not self.ranges:
            return unknown(PATH)
        inside: dict[int, bool] = {}
        names: dict[str, Source] = {}
        shown = None
        for at, one in enumerate(self.ranges):
            own = one.name == address
            shown = shown or (one.source if own else None)
            inside[at] = own or (one.parent is not None and inside[one.parent])
            if inside[at] and not own:
                names.setdefault(one.name, one.source)
        if shown is None:
            return Fact(Listing((), False, (PATH,))) if not self.ranges.complete else Fact(Listing())
        return Fact(Listing(names, self.ranges.complete, self.ranges.wanted), tuple(names.values()) or (shown,))

    def at(self, start: int, end: int) -> Fact:
        """The ranges within `start`…`end`, from the outermost on; unknown while addresses are hidden."""
        if self.hidden.value is not False:
            return unknown(PATH)
        found = [r for r in self.ranges if r.start is not None and r.end is not None and start <= r.start]
        found = [r for r in found if r.end is not None and r.end <= end]
        return Fact(Listing(found, self.ranges.complete, self.ranges.wanted), tuple(r.source for r in found))

    @property
    def framebuffer(self) -> Fact:
        """The device whose memory the firmware's framebuffer holds; None if none is held.

        A framebuffer outside every device's BAR (in a bridge's window whose BARs came later) is unknown.
        """
        for one in self.ranges:
            if one.name in FRAMEBUFFERS:
                at = one.parent
                while at is not None:
                    around = self.ranges[at]
                    if _DEVICE.fullmatch(around.name):
                        return Fact(around.name.lower(), (one.source, around.source))
                    at = around.parent
                return unknown(PATH)._replace(sources=(one.source,))
        return Fact(None) if self.ranges.complete and self.ranges else unknown(PATH)


def read(evidence: Evidence) -> Iomem:
    """The ranges of the latest sighting. Never raises."""
    piece = evidence.last(PATH)
    if piece is None:
        return Iomem(Listing((), False, (PATH,)), unknown(PATH))
    ranges = _ranges(piece)
    whole = piece.state == WHOLE and not piece.terms
    listing = Listing(ranges, whole, () if whole else (PATH,))
    if not ranges:
        return Iomem(listing, unknown(PATH))
    first = next((one for one in ranges if one.start is not None), None)
    return Iomem(listing, Fact(first is None, ((first or ranges[0]).source,)))


def _ranges(piece: Piece) -> list[Range]:
    found: list[tuple[int, int, int, str, Source]] = []
    for index, text in enumerate(piece.text.splitlines()):
        match = _LINE.fullmatch(text.rstrip()[:300])
        if match:
            start, end = int(match.group(2), 16), int(match.group(3), 16)
            found.append((len(match.group(1)), start, end, match.group(4).strip(), piece.cite(index, text.strip())))
    hidden = all(start == end == 0 for _, start, end, _, _ in found)
    ranges: list[Range] = []
    open_: list[tuple[int, int]] = []  # indentation and index of the ranges around
    for indent, start, end, name, source in found:
        while open_ and open_[-1][0] >= indent:
            open_.pop()
        parent = open_[-1][1] if open_ else None
        ranges.append(Range(None if hidden else start, None if hidden else end, name, len(open_), parent, source))
        open_.append((indent, len(ranges) - 1))
    return ranges
