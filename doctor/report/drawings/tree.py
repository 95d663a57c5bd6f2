"""The PCI tree, its IOMMU groups as frames, targets and who shares their groups marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.record import NamedTuple
from doctor.report.drawings import rows as r
from doctor.report.drawings.svg import (
    TINTS,
    WIDTH,
    circle,
    clipped,
    path,
    picture,
    rectangle,
    width_of,
    words,
)
from doctor.report.view import short_address

if TYPE_CHECKING:
    from markupsafe import Markup

    from doctor.report.drawings.rows import Row
    from doctor.report.view import View
    from doctor.report.words import Words

_HIGH, _NOTE, _TOP, _LEGEND = 22.0, 16.0, 6.0, 30.0
_STEP, _LEFT, _DEEPEST = 18.0, 12.0, 12
_COMPANY = (" Corporation ", ", Inc. ", " Inc. ", " Co., Ltd. ", " Co Ltd ", " Limited ")
_LABEL = 96.0  # the room at the right for the name of a group


class Placed(NamedTuple):
    """A row, the height at which it begins, and how high it is."""

    row: Row
    top: float
    high: float

    @property
    def middle(self) -> float:
        """Where its sign is."""
        return self.top + _HIGH / 2

    @property
    def left(self) -> float:
        """Where its sign is."""
        return _LEFT + min(self.row.depth, _DEEPEST) * _STEP


def draw(view: View, said: Words, spoken: bool = True) -> tuple[Markup, str] | None:
    """The picture, and what is to be said below it: how much is folded; None without devices."""
    found = r.rows(view)
    if not any(row.kind == r.DEVICE for row in found):
        return None
    placed, top = [], _TOP
    for row in found:
        high = _HIGH + (_NOTE if row.merges else 0)
        placed.append(Placed(row, top, high))
        top += high
    devices = view.report["devices"]
    tints = _tints(found)
    parts = [*_frames(placed, tints, said), *_links(placed)]
    for each in placed:
        parts += _row(each, said, short_address(each.row.device["address"], devices) if each.row.device else "")
    parts += _legend(top + 8, found, said)
    shown = sum(row.kind == r.DEVICE for row in found)
    note = said("tree-folded", shown=shown, total=len(devices)) if shown < len(devices) else ""
    drawn = picture("tree", said("tree"), told(found, view, said), top + _LEGEND, parts, spoken)
    return drawn, note


def told(found: list[Row], view: View, said: Words) -> str:
    """The same in words, for those who do not see it."""
    sentences = []
    for row in found:
        if row.device is None:
            sentences.append(_head(row, said))
            continue
        device = row.device
        parts = [f"{short_address(device['address'], view.report['devices'])} {device['name'] or device['ids'] or ''}"]
        if row.mark in (r.TARGET, r.COMPANION, r.NEIGHBOUR):
            parts.append(said(row.mark))
        if row.group is not None:
            parts.append(said("group-short", group=row.group))
        if row.merges:
            parts.append(said("tree-merges", group=row.group, reason=row.merges))
        above = device.get("bridges")
        if above:
            parts.append(said("tree-behind", bridge=short_address(above[-1], view.report["devices"])))
        sentences.append(said("comma").join(parts))
    return said("semicolon").join(sentences)


def _head(row: Row, said: Words) -> str:
    if row.kind == r.BUS:
        return said("tree-bus", bus=row.name.removeprefix("0000:"))
    if row.kind == r.NOWHERE:
        return said("tree-nowhere")
    grouped = said("tree-in-groups", count=row.groups) if row.groups else ""
    grouped += said("tree-targets", count=row.targets) if row.targets else ""
    return said("tree-elsewhere" if row.kind == r.ELSEWHERE else "tree-more", count=row.folded, grouped=grouped)


def _tints(found: list[Row]) -> dict[int, str]:
    """A colour for each group, other than those of the groups beside it."""
    numbers = dict.fromkeys(row.group for row in found if row.group is not None)
    return {number: f"g{at % TINTS}" for at, number in enumerate(numbers)}


def _frames(placed: list[Placed], tints: dict[int, str], said: Words) -> list[Markup]:
    """A frame round the rows of each group that stand together, with the group's name."""
    parts: list[Markup] = []
    named: set[int] = set()
    at = 0
    while at < len(placed):
        group = placed[at].row.group
        end = at + 1
        if group is not None:
            while end < len(placed) and placed[end].row.group == group:
                end += 1
            run = placed[at:end]
            left = min(each.left for each in run) - 9
            high = run[-1].top + run[-1].high - run[0].top
            meant = any(each.row.mark == r.TARGET for each in run)
            parts.append(
                rectangle(left, run[0].top + 1, WIDTH - 2 - left, high - 2, tints[group],
                          "ink" if meant else "line", line=1.8 if meant else 0.8)
            )  # fmt: skip
            label = said("tree-again" if group in named else "group-short", group=group)
            parts.append(
                words(WIDTH - 9, run[0].middle + 4, label, "ink" if meant else "soft", 11, meant, anchor="end")
            )
            named.add(group)
        at = end
    return parts


def _links(placed: list[Placed]) -> list[Markup]:
    """The lines of the tree, as one path."""
    lines = []
    last: dict[int, Placed] = {}
    for each in placed:
        above = last.get(each.row.depth - 1)
        if above is not None and above.left < each.left:
            lines.append(f"M{above.left:.1f} {above.middle + 6:.1f}V{each.middle:.1f}H{each.left - 7:.1f}")
        last[each.row.depth] = each
    return [path("".join(lines), "line", line=1.2)] if lines else []


def _row(placed: Placed, said: Words, address: str) -> list[Markup]:
    row, x, y = placed.row, placed.left, placed.middle
    if row.device is None:
        if row.kind in (r.BUS, r.NOWHERE):
            return [words(x - 8, y + 4, _head(row, said), "ink", bold=True)]
        dots = [circle(x - 4 + 4 * at, y, 1.2, "soft") for at in range(3)]
        return [*dots, words(x + 12, y + 4, _head(row, said), "soft")]
    device = row.device
    start = x + 12
    right = WIDTH - _LABEL
    parts = [_sign(row.mark, x, y), words(start, y + 4, address, "ink", 11.5, row.mark == r.TARGET, mono=True)]
    if row.mark in (r.TARGET, r.COMPANION, r.NEIGHBOUR):
        right, pill = _pill(right, y, said(row.mark), row.mark == r.TARGET)
        parts += pill
    start += width_of(address, 11.5, mono=True) + 8
    name = clipped(brief(device["name"] or device["ids"] or ""), right - start - 6)
    parts.append(words(start, y + 4, name, "ink" if row.mark else "soft"))
    if row.merges:
        parts += _pointer(placed, said("tree-merges", group=row.group, reason=row.merges))
    return parts


def brief(name: str) -> str:
    """A device's name without the words that say what kind of company made it.

    >>> brief("Intel Corporation Ethernet"), brief("Advanced Micro Devices, Inc. [AMD] Device")
    ('Intel Ethernet', 'Advanced Micro Devices [AMD] Device')
    """
    for word in _COMPANY:
        name = name.replace(word, " ", 1)
    return name


def _sign(mark: str, x: float, y: float) -> Markup:
    """A sign of its own for each kind: full and hollow diamonds, a triangle, a square, a ring."""
    diamond = f"M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z"
    if mark == r.TARGET:
        return path(diamond, "accent", "accent")
    if mark == r.COMPANION:
        return path(diamond, "accent", "paper", 1.6)
    if mark == r.NEIGHBOUR:
        return path(f"M{x:.1f} {y - 5.5:.1f}l6 10.5h-12z", "bad", "paper", 1.6)
    if mark == r.BRIDGE:
        return rectangle(x - 4, y - 4, 8, 8, "paper", "soft", 1, 1.3)
    return circle(x, y, 4, "paper", "soft", 1.3)


def _pill(right: float, y: float, text: str, full: bool) -> tuple[float, list[Markup]]:
    """A word in a frame that ends at `right`, and where it begins."""
    wide = width_of(text, 10.5) + 12
    left = right - wide
    frame = rectangle(left, y - 8, wide, 16, "accent" if full else "paper", "accent" if full else "soft", 8)
    return left, [frame, words(left + wide / 2, y + 3.6, text, "paper" if full else "ink", 10.5, full, "middle")]


def _pointer(placed: Placed, text: str) -> list[Markup]:
    """An arrow up to the bridge, and what it does."""
    x, y = placed.left + 16, placed.top + _HIGH + 4
    arrow = path(f"M{x:.1f} {y + 7:.1f}v-7m-4 4l4 -4.5l4 4.5", "bad", line=1.8)
    return [arrow, words(x + 9, y + 7, clipped(text, WIDTH - x - 20, 11.5), "bad", 11.5, True)]


def _legend(y: float, found: list[Row], said: Words) -> list[Markup]:
    """What the signs mean that were drawn."""
    drawn = [mark for mark in (r.TARGET, r.COMPANION, r.NEIGHBOUR, r.BRIDGE) if any(row.mark == mark for row in found)]
    x, parts = _LEFT, []
    for mark in drawn:
        parts += [_sign(mark, x, y + 6), words(x + 11, y + 10, said(mark), "soft", 10.5)]
        x += width_of(said(mark), 10.5) + 30
    if any(row.group is not None for row in found):
        parts.append(rectangle(x - 6, y, 18, 12, "g0", "line", 3, 0.8))
        parts.append(words(x + 18, y + 10, said("tree-frame"), "soft", 10.5))
    else:
        parts.append(words(x - 6, y + 10, said("tree-no-frames"), "soft", 10.5))
    return parts
