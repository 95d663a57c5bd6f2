"""A PCI function's files in sysfs that say what it can do: `config`, `resource`, `sriov_*`, `reset_method`.

Sources: linux Documentation/ABI/testing/sysfs-bus-pci; drivers/pci/pci-sysfs.c (resource_show); the flags are
include/linux/ioport.h's. In `resource`, lines 0 to 5 are the BARs, 6 is the ROM; what follows differs from
kernel to kernel and is not read.

>>> text = "0x00000000f6000000 0x00000000f6ffffff 0x0000000000040200\\n" + "0x0000000000000000 " * 3 + "\\n"
>>> bars, rom = resources(text)
>>> bars[0].number, hex(bars[0].address), bars[0].size, bars[0].wide, rom
(0, '0xf6000000', 16777216, False, UNKNOWN)
"""

from __future__ import annotations

from doctor.facts.capabilities import Bar, Capabilities, Rom, nothing
from doctor.facts.fact import UNKNOWN, Fact, Listing, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from doctor.evidence.types import Evidence, Piece, Source

_IO, _MEMORY, _PREFETCH, _WIDE, _UNSET = 0x100, 0x200, 0x2000, 0x100000, 0x20000000
_ROM_ENABLE = 1
_BARS = 6


def read(evidence: Evidence, base: str) -> list[Capabilities]:
    """What the files below `base` (`sys/bus/pci/devices/ADDRESS/`) say, the most telling first."""
    found = []
    small = _small(evidence, base)
    if small is not None:
        found.append(small)
    piece = evidence.last(base + "config")
    if piece is not None:
        from doctor.facts import configspace

        data = piece.binary if piece.binary is not None else piece.text.encode("latin-1", "replace")
        if len(data) >= 16:
            found.append(configspace.read(data, _citer(piece, data), base + "config"))
    return found


def reset_methods(evidence: Evidence, base: str) -> Fact:
    """The ways in which the kernel can reset the function, in the order of its trying; none is an empty tuple."""
    piece = evidence.last(base + "reset_method")
    if piece is None:
        return unknown(base + "reset_method")
    return Fact(tuple(piece.text.split()[:16]), (piece.cite(0),))


def resources(text: str) -> tuple[list[Bar], Any]:
    """The BARs and the ROM in a `resource` file; the ROM is UNKNOWN if the file is too short, None if there is none."""
    bars: list[Bar] = []
    rom: Any = UNKNOWN
    for index, line in enumerate(text.splitlines()[: _BARS + 1]):
        numbers = [_number(word) for word in line.split()]
        if len(numbers) != 3 or None in numbers:
            continue
        start, end, flags = [number or 0 for number in numbers]
        placed = bool(start) and not flags & _UNSET
        size = end - start + 1 if end > start else UNKNOWN
        if index == _BARS:
            rom = Rom(start if placed else None, bool(flags & _ROM_ENABLE), size) if flags else None
        elif flags & (_IO | _MEMORY):
            kind = "io" if flags & _IO else "memory"
            wide, prefetchable = bool(flags & _WIDE), bool(flags & _PREFETCH)
            bars.append(Bar(index, kind, start if placed else None, size, wide, prefetchable))
    return bars, rom


def _small(evidence: Evidence, base: str) -> Capabilities | None:
    """What the text files say."""
    found = nothing(base + "config")
    piece = evidence.last(base + "resource")
    if piece is not None and piece.text.count("\n") >= _BARS - 1:
        bars, rom = resources(piece.text)
        found = found._replace(bars=Fact(Listing(bars), (piece.cite(0),)))
        if rom is not UNKNOWN:
            found = found._replace(rom=Fact(rom, (piece.cite(_BARS),)))
    for name, field in (("sriov_totalvfs", "vfs_total"), ("sriov_numvfs", "vfs")):
        piece = evidence.last(base + name)
        if piece is not None and piece.text.strip().isdecimal() and len(piece.text.strip()) < 6:
            fact = Fact(int(piece.text), (piece.cite(0),))
            found = found._replace(**{field: fact, "sriov": fact._replace(value=True)})
    return found if found.known else None


def _citer(piece: Piece, data: bytes) -> Callable[[int], Source]:
    def cite(place: int) -> Source:
        row = place & ~15
        return piece.whole()._replace(text=f"{row:02x}: {data[row : row + 16].hex(' ')}")

    return cite


def _number(word: str) -> int | None:
    try:
        return int(word, 16) if len(word) <= 18 else None
    except ValueError:
        return None
