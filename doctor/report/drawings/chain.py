"""The three layers of the IOMMU as a chain: the firmware's table, DMA remapping, interrupt remapping.

Passthrough needs all three. Where one fails for a reason of its own, the chain is broken there; what only follows from
that is told so. What is not known is drawn as such: neither whole nor broken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.record import NamedTuple
from doctor.report.drawings.svg import circle, path, picture, rectangle, words, wrapped

if TYPE_CHECKING:
    from markupsafe import Markup

    from doctor.report.model import Check
    from doctor.report.view import View
    from doctor.report.words import Words

LAYERS = ("firmware-iommu-table", "iommu-active", "interrupt-remapping")
_TABLES = {"intel": "ACPI DMAR", "amd": "ACPI IVRS"}
_WIDE, _GAP, _PAD = 204.0, 32.0, 11.0
_PAINT = {
    "pass": ("good-back", "good"),
    "fail": ("bad-back", "bad"),
    "unknown": ("doubt-back", "doubt"),
    "waived": ("panel", "soft"),
    "not-applicable": ("panel", "soft"),
    "none": ("panel", "soft"),
}


class Layer(NamedTuple):
    """A layer: its words, its status (`none` where nobody judged it), and why, in lines."""

    key: str
    table: str
    status: str
    breaks: bool
    why: tuple[str, ...]


def draw(view: View, said: Words, spoken: bool = True) -> Markup | None:
    """The picture; None where no layer was judged."""
    found = layers(view, said)
    if all(layer.status in ("none", "not-applicable") for layer in found):
        return None
    told = said("semicolon").join(
        said("colon").join((said("layer-" + layer.key), _state(layer, said), *layer.why)) for layer in found
    )
    room = _WIDE - 2 * _PAD
    lines = [[line for why in layer.why for line in wrapped(why, room, 11)][:5] for layer in found]
    high = 84.0 + 15 * max(map(len, lines))
    parts: list[Markup] = []
    for at, layer in enumerate(found):
        x = 2 + at * (_WIDE + _GAP)
        parts += _box(layer, lines[at], x, high, said)
        if at:
            parts += _link(found[at - 1], layer, x - _GAP, 42)
    return picture("chain", said("chain"), told, high + 4, parts, spoken)


def layers(view: View, said: Words) -> list[Layer]:
    """The layers as the report judged them."""
    checks = {check["id"]: check for check in view.report["checks"] if check["device"] is None}
    table = _TABLES.get(view.report["platform"]["cpu_vendor"] or "", "DMAR / IVRS")
    found: list[Layer] = []
    roots: list[str] = []
    for key in LAYERS:
        check = checks.get(key)
        if check is None:
            found.append(Layer(key, table, "none", False, ()))
            continue
        root = _root(view, check)
        breaks = check["status"] == "fail" and root["id"] not in roots
        found.append(Layer(key, table, check["status"], breaks, _why(check, root, said)))
        roots.append(root["id"])
    return found


def _root(view: View, check: Check) -> Check:
    """The failed check that explains this one, or this one itself."""
    for cause in view.report["causes"]:
        if any(each["check"] == check["id"] and each["device"] is None for each in cause["explains"]):
            return next((each for each in view.report["checks"] if each["id"] == cause["check"]), check)
    return check


def _why(check: Check, root: Check, said: Words) -> tuple[str, ...]:
    """What is wrong with a layer, and whose doing it is if another check explains it."""
    if check["status"] not in ("fail", "waived"):
        return ()
    own = check["title"].replace("`", "")
    return (own,) if root is check else (own, said("chain-because", cause=root["title"].replace("`", "")))


def _state(layer: Layer, said: Words) -> str:
    """What is said of a layer's state."""
    return said("chain-breaks" if layer.breaks else "chain-" + layer.status)


def _box(layer: Layer, why: list[str], x: float, high: float, said: Words) -> list[Markup]:
    back, front = _PAINT.get(layer.status, _PAINT["none"])
    dashes = {"unknown": "5 4", "none": "2 3", "not-applicable": "2 3"}.get(layer.status)
    line = 2.2 if layer.breaks else 1.2
    parts = [rectangle(x, 2, _WIDE, high, back, front, line=line, dashes=dashes)]
    parts.append(words(x + _PAD, 22, said("layer-" + layer.key), bold=True, size=13))
    does = said(f"layer-{layer.key}-does", table=layer.table)
    parts += [words(x + _PAD, 39, each, "soft", 10.5) for each in wrapped(does, _WIDE - 14, 10.5, 1)]
    parts += [_sign(layer.status, x + _PAD + 8, 60, front)]
    parts.append(words(x + _PAD + 22, 64, _state(layer, said), front, 12, True))
    parts += [words(x + _PAD, 84 + 15 * at, each, "ink", 11) for at, each in enumerate(why)]
    return parts


def _sign(status: str, x: float, y: float, colour: str) -> Markup:
    """A tick, a cross, or a question mark in a ring."""
    if status == "pass":
        return path(f"M{x - 6:.1f} {y:.1f}l4.5 5l8 -10", colour, line=2.4)
    if status == "fail":
        return path(f"M{x - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10", colour, line=2.4)
    if status == "unknown":
        return words(x, y + 5, "?", colour, 15, True, "middle")
    return circle(x, y, 4, "none", colour, 1.6)


def _link(before: Layer, after: Layer, x: float, y: float) -> list[Markup]:
    """The link between two layers: whole, cut, or dashed where one of them is not known."""
    left, right = x + 3, x + _GAP - 3
    middle = (left + right) / 2
    head = f"M{right - 7:.1f} {y - 5:.1f}l7 5l-7 5"
    if "fail" in (before.status, after.status):
        return [
            path(f"M{left:.1f} {y}H{middle - 5:.1f}M{middle + 5:.1f} {y}H{right:.1f}", "bad", line=2),
            path(f"M{middle - 6:.1f} {y + 9}l5 -18M{middle + 1:.1f} {y + 9}l5 -18", "bad", line=2),
        ]
    whole = before.status == after.status == "pass"
    colour = "good" if whole else "doubt" if "unknown" in (before.status, after.status) else "soft"
    return [
        path(f"M{left:.1f} {y}H{right:.1f}", colour, line=2, dashes=None if whole else "4 4"),
        path(head, colour, line=2),
    ]
