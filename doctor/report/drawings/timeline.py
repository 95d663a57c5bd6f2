"""The plan as a line of numbered stops: what is done before and after a restart, and what may be left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.report.drawings.svg import WIDTH, circle, path, picture, rectangle, words, wrapped

if TYPE_CHECKING:
    from markupsafe import Markup

    from doctor.report.view import Numbered, View
    from doctor.report.words import Words

MOST = 28  # stops; of a longer plan the first ones are drawn, and it is said
_ROW = 7  # stops in a line
_STOP = WIDTH / _ROW
_RADIUS, _LINE = 13.0, 13.0
_RESTARTS = ("firmware", "power_cycle")


def draw(view: View, said: Words, spoken: bool = True) -> Markup | None:
    """The picture; None for a plan of one step or none, which needs no picture."""
    steps = view.steps[:MOST]
    if len(steps) < 2:
        return None
    parts: list[Markup] = []
    top = 0.0
    restarted = 0
    for start in range(0, len(steps), _ROW):
        line = steps[start : start + _ROW]
        labels = [label(each, said) for each in line]
        high = 74.0 + _LINE * max(len(wrapped(text, _STOP - 10, 11, 4)) for text in labels)
        high += 15.0 if any(each.step["optional"] for each in line) else 0
        parts += _phases(line, top, restarted, said)
        parts += _rail(line, top + 42, start > 0, start + _ROW < len(view.steps))
        for at, each in enumerate(line):
            parts += _stop(each, labels[at], _STOP * (at + 0.5), top + 42, said)
        restarted += sum(each.step["reboot"] for each in line)
        top += high
    told = said("semicolon").join(_told(each, said) for each in view.steps)
    return picture("timeline", said("timeline"), told, top, parts, spoken)


def label(numbered: Numbered, said: Words) -> str:
    """What a step is, in two or three words."""
    kind = numbered.step["kind"]
    known = f"do-{kind}" in said.table
    if not known:
        kind = "reboot" if numbered.step["reboot"] else "step"
    return said(f"do-{kind}")


def _told(numbered: Numbered, said: Words) -> str:
    optional = said("aside", what=said("optional")) if numbered.step["optional"] else ""
    return f"{numbered.number}. {label(numbered, said)}{optional}"


def _phases(line: tuple[Numbered, ...], top: float, restarted: int, said: Words) -> list[Markup]:
    """Over each stretch between restarts, when it is."""
    parts: list[Markup] = []
    start, phase = 0.0, restarted
    for at, each in enumerate(line):
        if each.step["reboot"]:
            middle = _STOP * (at + 0.5)
            parts += _stretch(start, middle - 22, top, phase, said)
            start, phase = middle + 22, phase + 1
    return parts + _stretch(start, _STOP * len(line), top, phase, said)


def _stretch(start: float, end: float, top: float, phase: int, said: Words) -> list[Markup]:
    if end - start < 40:
        return []
    key = "timeline-now" if phase == 0 else "timeline-after"
    text = wrapped(said(key), end - start - 8, 10.5, 1)[0]
    bar = path(f"M{start + 4:.1f} {top + 19:.1f}v-3H{end - 4:.1f}v3", "line", line=1)
    return [bar, words((start + end) / 2, top + 11, text, "soft", 10.5, anchor="middle")]


def _rail(line: tuple[Numbered, ...], y: float, before: bool, after: bool) -> list[Markup]:
    """The line that the stops are on; it goes on where another row does."""
    start = 2.0 if before else _STOP / 2
    end = WIDTH - 2 if after else _STOP * (len(line) - 0.5)
    parts = [path(f"M{start:.1f} {y:.1f}H{end:.1f}", "line", line=2.4)]
    if after:
        parts.append(path(f"M{end - 6:.1f} {y - 5:.1f}l6 5l-6 5", "line", line=2.4))
    return parts


def _stop(numbered: Numbered, text: str, x: float, y: float, said: Words) -> list[Markup]:
    step = numbered.step
    parts: list[Markup] = []
    if step["reboot"]:
        # A bar across the line, so that it is seen without its colour: here the host stops.
        parts.append(path(f"M{x - 19:.1f} {y - 20:.1f}v40M{x + 19:.1f} {y - 20:.1f}v40", "doubt", line=2.4))
        parts.append(rectangle(x - 13, y - 13, 26, 26, "doubt-back", "doubt", 4, 2))
        parts.append(words(x, y + 4.5, str(numbered.number), "doubt", 13, True, "middle"))
    elif step["optional"]:
        parts.append(circle(x, y, _RADIUS, "paper", "accent", 1.6, "3 3"))
        parts.append(words(x, y + 4.5, str(numbered.number), "accent", 13, True, "middle"))
    else:
        parts.append(circle(x, y, _RADIUS, "accent"))
        parts.append(words(x, y + 4.5, str(numbered.number), "paper", 13, True, "middle"))
    lines = wrapped(text, _STOP - 10, 11, 4)
    for at, each in enumerate(lines):
        parts.append(words(x, y + 34 + _LINE * at, each, "ink", 11, step["reboot"], "middle"))
    if step["optional"]:
        parts.append(words(x, y + 35 + _LINE * len(lines), said("optional"), "soft", 10.5, anchor="middle"))
    return parts
