"""A comparison of two reports, as text and as JSON: `passdoctor compare`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypedDict

from doctor.report.page import Page
from doctor.report.terminal import screen_width, wants_colour
from doctor.report.visible import visible_everywhere
from doctor.report.words import Words

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = 12  # devices of one kind of change
_LISTS = {
    "broken": "compare-broken",
    "mended": "compare-mended",
    "unchanged": "compare-unchanged",
    "waived": "compare-waived",
    "newly_known": "compare-newly-known",
    "no_longer_known": "compare-no-longer-known",
}
_SIDES = {"before": "compare-before", "after": "compare-after"}
_CHANGED = {"driver": "compare-driver", "group_members": "compare-members"}
_LINE = {"added": "compare-cmdline-added", "removed": "compare-cmdline-removed"}
_COLOURS = {"broken": "bold red", "mended": "bold green", "unchanged": "bold yellow"}


class Side(TypedDict):
    """One of the two. cmdline and kernel are None while they are not known."""

    source: str
    kind: str
    collected_at: str | None
    profile: str
    verdict: str
    kernel: str | None
    cmdline: str | None


class Change(TypedDict):
    """A check of a device or of the host. before, after: its statuses, None where it was not judged."""

    check: str
    device: str | None
    title: str
    severity: str
    before: str | None
    after: str | None
    detail: str


class Devices(TypedDict):
    """Devices that came, went, moved to another address, or have another driver or other company in their group."""

    complete: bool  # whether both lists of devices are whole, so that one can have come or gone
    came: list[dict[str, Any]]
    went: list[dict[str, Any]]
    moved: list[dict[str, Any]]
    changed: list[dict[str, Any]]


class Comparison(TypedDict):
    """Two reports compared."""

    schema_version: str
    before: Side
    after: Side
    broken: list[Change]
    mended: list[Change]
    unchanged: list[Change]
    waived: list[Change]
    newly_known: list[Change]
    no_longer_known: list[Change]
    devices: Devices
    platform: list[dict[str, Any]]
    cmdline: dict[str, Any]
    notes: list[str]


def as_json(found: Comparison) -> str:
    """The comparison as one JSON object in ASCII."""
    return json.dumps(found, ensure_ascii=True, indent=1) + "\n"


def as_text(found: Comparison, width: int | None = None, colour: bool | None = None) -> str:
    """The comparison for a reader; without `width` and `colour`, as the terminal has them."""
    page = Page(screen_width() if width is None else width, wants_colour() if colour is None else colour)
    seen, words = visible_everywhere(found), Words()
    for name, key in _SIDES.items():
        side = seen[name]  # type: ignore[literal-required]
        when = words("aside", what=words("collected", when=side["collected_at"])) if side["collected_at"] else ""
        page.told((words(key), "bold"), f"{words('colon')}{words(side['verdict'])}, {side['source']}{when}")
    for name, key in _LISTS.items():
        changes = seen[name]  # type: ignore[literal-required]
        if changes:
            page.heading(words(key))
            _changes(page, words, name, changes)
    if not any(seen[name] for name in _LISTS):  # type: ignore[literal-required]
        page.blank()
        page.told(words("compare-same"))
    lines = [*_around(seen, words), *_devices(seen["devices"], words), *seen["notes"]]
    if lines:
        page.heading(words("compare-around"))
    for line in lines:
        page.told(line, indent=3, first="-")
    return page.text()


def _changes(page: Page, words: Words, name: str, changes: list[Change]) -> None:
    for change in changes:
        where = f" ({change['device'].removeprefix('0000:')})" if change["device"] else ""
        failed = "fail" in (change["before"], change["after"])
        statuses = f"{change['before'] or words('not-judged')} > {change['after'] or words('not-judged')}"
        page.told(
            (words(change["severity"] if failed else "compare-passes").upper(), _COLOURS.get(name, "bold")),
            words("colon"),
            (change["title"] + where, "bold"),
            (f"  {statuses}" if name != "unchanged" else "", "dim"),
            indent=3,
            first="-",
        )
        if change["detail"] and change["after"] == "fail":
            page.told(change["detail"], indent=3)


def _around(seen: Comparison, words: Words) -> Iterable[str]:
    """The platform and the command line."""
    for one in seen["platform"]:
        yield f"{words(one['what'])}{words('colon')}{one['before']} > {one['after']}"
    line = seen["cmdline"]
    if not line["known"]:
        yield words("compare-cmdline-unknown")
    for name, key in _LINE.items():
        if line[name]:
            yield words(key, words=" ".join(f"`{word}`" for word in line[name]))


def _devices(devices: Devices, words: Words) -> Iterable[str]:
    """What happened to devices, a line each."""
    lines = [words("compare-came", device=_name(row)) for row in devices["came"]]
    lines += [words("compare-went", device=_name(row)) for row in devices["went"]]
    lines += [words("compare-moved", **row) for row in devices["moved"]]
    for row in devices["changed"]:
        before, after = (_value(row[side], words) for side in ("before", "after"))
        lines.append(words(_CHANGED[row["what"]], address=row["address"], before=before, after=after))
    if not devices["complete"]:
        yield words("compare-devices-unknown")
    yield from lines[:_SHOWN]
    if len(lines) > _SHOWN:
        yield words("compare-more", count=len(lines) - _SHOWN)


def _name(row: dict[str, Any]) -> str:
    return " ".join(str(part) for part in (row["address"], row["name"] or row["ids"]) if part)


def _value(value: Any, words: Words) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) and value else str(value or words("no-driver"))
