"""The pieces that pictures are made of: elements in which everything that is not markup is escaped.

Colours are told by what they mean, twice: as an attribute, which paper and an old browser take, and as a class, by
which a page's style may put its own colour, light or dark, in its place. No picture tells anything by colour alone.
There are no fonts to measure with, so widths are estimated, and on the wide side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from markupsafe import Markup, escape

from doctor.report.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH = 680.0  # of every picture: what fits on A4 and Letter between the margins
FONT = "DejaVu Sans, Noto Sans CJK SC, sans-serif"
MONO = "DejaVu Sans Mono, Noto Sans Mono CJK SC, monospace"
COLOURS = {
    "none": "none", "paper": "#ffffff", "ink": "#1d2329", "soft": "#57606a", "line": "#8a949e", "panel": "#f5f7f9",
    "accent": "#1f5fa8", "good": "#1a6b3a", "good-back": "#e4f3e9", "bad": "#a3211b", "bad-back": "#fcebea",
    "doubt": "#7a5200", "doubt-back": "#fdf3dc",
    "g0": "#e8f0fa", "g1": "#e9f5ea", "g2": "#fbf1dc", "g3": "#f3eafa", "g4": "#e2f4f4", "g5": "#f6eae6",
}  # fmt: skip
TINTS = 6  # g0 to g5
_NARROW = frozenset("ijl.,:;|!'`()[]{}ft/ ")
_BROAD = frozenset("mwMW@%—…")


def element(name: str, *inside: str, **attributes: object) -> Markup:
    """An element; text in it and in its attributes is escaped, and what a screen would hide is written out.

    Attributes without a value are left out; an underscore stands for a hyphen, `kind` for `class`.

    >>> element("g", element("text", "<b>&\\x1b", x=1.5), kind="a", tab_index=None)
    Markup('<g class="a"><text x="1.5">&lt;b&gt;&amp;‹ESC›</text></g>')
    """
    told = "".join(
        f' {_NAMES.get(key) or key.replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    held = "".join(each if isinstance(each, Markup) else escape(visible(each)) for each in inside)
    return Markup(f"<{name}{told}>{held}</{name}>")  # noqa: S704  (every part of it is escaped above)


_NAMES = {"kind": "class", "box": "viewBox"}


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return str(escape(visible(str(value))))


def painted(fill: str | None = None, stroke: str | None = None) -> dict[str, object]:
    """The attributes of a colour, for the inside and for the line.

    >>> painted("good")
    {'kind': 'f-good', 'fill': '#1a6b3a', 'stroke': None}
    """
    kinds = [f"f-{fill}"] if fill else []
    kinds += [f"s-{stroke}"] if stroke else []
    return {
        "kind": " ".join(kinds) or None,
        "fill": COLOURS[fill] if fill else None,
        "stroke": COLOURS[stroke] if stroke else None,
    }


def words(
    x: float, y: float, text: str, fill: str = "ink", size: float = 12, bold: bool = False, anchor: str | None = None,
    mono: bool = False,
) -> Markup:  # fmt: skip
    """A line of text; `y` is where its letters stand."""
    colour = painted(fill)
    if mono:
        colour["kind"] = f"{colour['kind']} mono"
    return element(
        "text", text, x=float(x), y=float(y), **colour, font_size=float(size),
        font_weight="bold" if bold else None, text_anchor=anchor, font_family=MONO if mono else None,
    )  # fmt: skip


def rectangle(
    x: float, y: float, width: float, height: float, fill: str, stroke: str | None = None, round_: float = 6,
    line: float = 1, dashes: str | None = None,
) -> Markup:  # fmt: skip
    """A rectangle with round corners."""
    return element(
        "rect", x=float(x), y=float(y), width=float(width), height=float(height), rx=float(round_),
        **painted(fill, stroke), stroke_width=float(line) if stroke else None, stroke_dasharray=dashes,
    )  # fmt: skip


def path(
    data: str, stroke: str | None = None, fill: str = "none", line: float = 1, dashes: str | None = None
) -> Markup:
    """A path; `data` is made of numbers by the caller, never of evidence."""
    return element(
        "path", d=data, **painted(fill, stroke), stroke_width=float(line) if stroke else None, stroke_dasharray=dashes
    )


def circle(
    x: float, y: float, radius: float, fill: str, stroke: str | None = None, line: float = 1, dashes: str | None = None
) -> Markup:
    """A circle."""
    return element(
        "circle", cx=float(x), cy=float(y), r=float(radius), **painted(fill, stroke),
        stroke_width=float(line) if stroke else None, stroke_dasharray=dashes,
    )  # fmt: skip


def picture(name: str, title: str, told: str, height: float, parts: Iterable[Markup], spoken: bool = True) -> Markup:
    """The whole picture: `title` names it, `told` says in words what it shows.

    On paper (not `spoken`) there is one alternative text only, which the title holds.
    """
    if spoken:
        names = [element("title", title, id=f"{name}-title"), element("desc", told, id=f"{name}-told")]
    else:
        names = [element("title", f"{title}. {told}")]
    return element(
        "svg", *names, *parts, kind="picture", role="img",
        aria_labelledby=f"{name}-title" if spoken else None, aria_describedby=f"{name}-told" if spoken else None,
        box=f"0 0 {WIDTH:.0f} {height:.0f}", width=f"{WIDTH:.0f}", height=f"{height:.0f}", font_family=FONT,
    )  # fmt: skip


def width_of(text: str, size: float = 12, mono: bool = False) -> float:
    """About how wide a text is.

    >>> width_of("iommu", 10) < width_of("IOMMU", 10) < width_of("中断重映射", 10)
    True
    """
    return size * sum(map(_mono if mono else _wide, text))


def _wide(char: str) -> float:
    if char in _NARROW:
        return 0.4
    if char in _BROAD:
        return 0.98
    if char.isascii():
        return 0.7 if char.isupper() else 0.63
    return 1.0 if east_asian_width(char) in "WFA" else 0.7


def _mono(char: str) -> float:
    return 0.61 if char.isascii() else 1.0


def clipped(text: str, room: float, size: float = 12) -> str:
    """`text`, cut where `room` ends.

    >>> clipped("a PCI bridge", 1000), clipped("a PCI bridge", 50)
    ('a PCI bridge', 'a PCI…')
    """
    if width_of(text[:400], size) <= room and len(text) <= 400:
        return text
    used, kept = width_of("…", size), ""
    for char in text[:400]:
        used += size * _wide(char)
        if used > room:
            break
        kept += char
    return kept.rstrip() + "…"


def wrapped(text: str, room: float, size: float = 12, most: int = 3) -> list[str]:
    """`text` in at most `most` lines; the last one says by its end that there was more.

    >>> wrapped("the firmware does not offer the IOMMU", 110)
    ['the firmware', 'does not offer', 'the IOMMU']
    >>> wrapped("the firmware does not offer the IOMMU", 110, most=2)
    ['the firmware', 'does not offer…']
    """
    lines, line = [], ""
    for piece in _pieces(text[:600]):
        if line and width_of((line + piece).rstrip(), size) > room:
            lines.append(line.rstrip())
            line = ""
        line += piece
    lines = [each for each in (*lines, line.rstrip()) if each]
    if len(lines) > most:
        lines = [*lines[: most - 1], clipped(f"{lines[most - 1]}…", room, size)]
    return [clipped(each, room, size) for each in lines]


def _pieces(text: str) -> list[str]:
    """What stays together in a line: words with the blank behind them, and each wide character with its mark."""
    pieces: list[str] = []
    for char in text:
        wide = not char.isascii() and east_asian_width(char) in "WF"
        closing = char in "，。、；：？！）》」』”’"
        if pieces and not closing and (pieces[-1].endswith(" ") or wide or _ends_wide(pieces[-1])) and char != " ":
            pieces.append(char)
        elif pieces:
            pieces[-1] += char
        else:
            pieces = [char]
    return pieces


def _ends_wide(piece: str) -> bool:
    return not piece[-1].isascii() and east_asian_width(piece[-1]) in "WF"
