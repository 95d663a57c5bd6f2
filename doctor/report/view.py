"""The arrangement of a report that all formats for people share: what comes first, what is folded.

It judges nothing. It numbers, joins what the report names by id, and makes hidden characters visible, so
that no renderer has to and none can forget to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from doctor.report.visible import visible_everywhere

if TYPE_CHECKING:
    from collections.abc import Iterable

    from doctor.report.model import (
        Check,
        Citation,
        Device,
        FileChange,
        Harmless,
        Remedy,
        Report,
        Step,
        Wanted,
    )

SEVERITIES = ("blocker", "risk", "advice")
VERDICTS = ("ready", "not-ready", "undetermined")


class Numbered(NamedTuple):
    """A step of the plan, its number there, and the causes that ask for it."""

    number: int
    step: Step
    causes: tuple[int, ...]


class Cause(NamedTuple):
    """A cause with all that is said of it in one place.

    `steps` are the plan's steps to show here; `shared` those shown with an earlier cause that needs them
    too; `remedies` what the check itself prescribes, for a report whose plan has no step for this cause.
    """

    number: int
    check: Check
    explains: tuple[Check, ...]
    steps: tuple[Numbered, ...]
    shared: tuple[Numbered, ...]
    remedies: tuple[Remedy, ...]


class Question(NamedTuple):
    """Unknown findings that the same commands would settle."""

    checks: tuple[Check, ...]
    wanted: tuple[Wanted, ...]


class Examined(NamedTuple):
    """A target, why it is taken for one, and its row of the device table if it has one."""

    address: str
    because: str
    confidence: str
    device: Device | None


class View(NamedTuple):
    """A report, arranged. `steps` is the whole plan; `closing` the steps that no cause shows."""

    report: Report
    examined: tuple[Examined, ...]
    causes: tuple[Cause, ...]
    steps: tuple[Numbered, ...]
    closing: tuple[Numbered, ...]
    questions: tuple[Question, ...]
    by_status: dict[str, tuple[Check, ...]]
    targets: tuple[Device, ...]
    others: tuple[Device, ...]

    @property
    def candidates(self) -> list[Device]:
        """The devices besides the targets that people pass on, graphics cards first."""
        return sorted(filter(_is_candidate, self.others), key=_graphics_first)

    @property
    def no_plan(self) -> str:
        """Which words say why a plan has no steps: that there are none does not mean that all is well."""
        if self.causes:
            return "plan-none-causes"
        undetermined = self.report["summary"]["verdict"] == "undetermined"
        return "plan-none-unknown" if undetermined else "plan-empty"

    @property
    def blocked(self) -> bool:
        """Whether any cause is a blocker."""
        return any(cause.check["severity"] == "blocker" for cause in self.causes)


def arrange(report: Report) -> View:
    """The arrangement of `report`, every text in it made visible."""
    seen = visible_everywhere(report)
    steps = _numbered(seen)
    causes = _causes(seen, steps, _first_reboot(steps))
    shown = {step.number for cause in causes for step in cause.steps}
    targets = tuple(row for row in seen["devices"] if row["target"])
    return View(
        report=seen,
        examined=_examined(seen),
        causes=causes,
        steps=steps,
        closing=tuple(step for step in steps if step.number not in shown),
        questions=_questions(check for check in seen["checks"] if check["status"] == "unknown"),
        by_status=_by_status(seen["checks"]),
        targets=targets,
        others=tuple(row for row in seen["devices"] if not row["target"]),
    )


def _examined(report: Report) -> tuple[Examined, ...]:
    rows = {row["address"]: row for row in report["devices"]}
    return tuple(
        Examined(target["address"], target["because"], target["confidence"], rows.get(target["address"]))
        for target in report["targets"]
    )


def _roots(report: Report) -> list[tuple[Check, tuple[Check, ...]]]:
    """Each cause's check with the checks that it explains, then failures that no cause accounts for."""
    found = {(check["id"], check["device"]): check for check in report["checks"]}
    roots = []
    told: set[tuple[str, str | None]] = set()
    for cause in report["causes"]:
        keys = [(entry["check"], entry["device"]) for entry in cause["explains"]]
        key = (cause["check"], cause["device"])
        told.update((key, *keys))
        if key in found:
            roots.append((found[key], tuple(found[each] for each in keys if each in found)))
    roots = _cards(roots)
    rest = [check for key, check in found.items() if check["status"] == "fail" and key not in told]
    return roots + [(check, ()) for check in sorted(rest, key=_rank)]


def _cards(roots: list[tuple[Check, tuple[Check, ...]]]) -> list[tuple[Check, tuple[Check, ...]]]:
    """The roots with those of one card joined: what is wrong with all of its functions is told once."""
    joined: dict[tuple[str, str], tuple[Check, tuple[Check, ...]]] = {}
    for check, explained in roots:
        slot = (check["device"] or "").rpartition(".")[0]
        key = (check["id"], slot)
        if slot and key in joined:
            first, more = joined[key]
            joined[key] = (first, (*more, check, *explained))
        else:
            joined[key] = (check, explained)
    return list(joined.values())


def _rank(check: Check) -> int:
    return SEVERITIES.index(check["severity"]) if check["severity"] in SEVERITIES else len(SEVERITIES)


def _numbered(report: Report) -> tuple[Numbered, ...]:
    asked = [{check["id"], *(each["id"] for each in explained)} for check, explained in _roots(report)]
    return tuple(
        Numbered(number, step, tuple(n for n, ids in enumerate(asked, 1) if ids & set(step["why"])))
        for number, step in enumerate(report["plan"]["steps"], 1)
    )


def _first_reboot(steps: tuple[Numbered, ...]) -> int:
    return next((each.number for each in steps if each.step["reboot"]), len(steps) + 1)


def _closes(numbered: Numbered, reboot: int) -> bool:
    """Whether a step belongs to the end of the plan rather than to one cause.

    So do a rebuild for several causes, and all from step `reboot` on: what is shown early is done early.
    """
    return numbered.number >= reboot or (len(numbered.causes) > 1 and not numbered.step["files"])


def _causes(report: Report, steps: tuple[Numbered, ...], reboot: int) -> tuple[Cause, ...]:
    causes = []
    for number, (check, explained) in enumerate(_roots(report), 1):
        asked = [step for step in steps if number in step.causes]
        needed = [step for step in asked if not _closes(step, reboot)]
        causes.append(
            Cause(
                number,
                check,
                explained,
                tuple(step for step in needed if step.causes[0] == number),
                tuple(step for step in needed if step.causes[0] != number),
                () if asked else tuple(check["remedy"]),
            )
        )
    return tuple(causes)


def _questions(checks: Iterable[Check]) -> tuple[Question, ...]:
    groups: dict[tuple[str, ...], list[Check]] = {}
    for check in checks:
        groups.setdefault(tuple(want["command"] or want["path"] for want in check["wanted"]), []).append(
            check
        )
    return tuple(Question(tuple(group), tuple(group[0]["wanted"])) for group in groups.values())


def _by_status(checks: list[Check]) -> dict[str, tuple[Check, ...]]:
    statuses: dict[str, list[Check]] = {
        status: [] for status in ("fail", "unknown", "waived", "pass", "not-applicable")
    }
    for check in checks:
        statuses.setdefault(check["status"], []).append(check)
    return {status: tuple(sorted(group, key=_rank)) for status, group in statuses.items()}


def place(citation: Citation | Harmless) -> str:
    """Where a cited line is, as a person or an editor finds it: `paste.txt:14`."""
    name = citation["source"] or citation["path"]
    return name if citation["line"] is None else f"{name}:{citation['line']}"


def clip(text: str, limit: int) -> tuple[str, int]:
    """`text` cut to `limit` characters, and how many were left out; little is gained by cutting few."""
    if len(text) <= limit + 40:
        return text, 0
    return text[:limit], len(text) - limit


def changed_lines(change: FileChange) -> list[tuple[str, str]]:
    """The lines of a change, each with `-`, `+` or a space: from its diff, or else from before and after."""
    if not change["diff"]:
        return essential_lines(change)
    lines = change["diff"].split("\n")
    # Only above the first hunk do three signs make a header; below, "---" may be a line that goes.
    start = next((index for index, line in enumerate(lines) if line.startswith("@@")), -1)
    body = [line for line in lines[start + 1 :] if not line.startswith(("@@", "\\"))]
    return [(line[:1] if line[:1] in ("-", "+") else " ", line[1:]) for line in body]


def essential_lines(change: FileChange) -> list[tuple[str, str]]:
    """The present lines, then the new ones, without what surrounds them."""
    if not change["before"] and not change["after"]:
        return [line for line in changed_lines(change) if line[0] != " "] if change["diff"] else []
    return [("-", line) for line in change["before"]] + [("+", line) for line in change["after"]]


def short_address(address: str, devices: Iterable[Device]) -> str:
    """`address` without its domain, where every device of the host is in domain 0000."""
    plain = all(device["address"].startswith("0000:") for device in devices)
    return address[5:] if plain and address.startswith("0000:") else address


def _is_candidate(device: Device) -> bool:
    """Whether people pass devices of this class on: storage, network, display, audio, USB, accelerators."""
    kind = device["class"] or ""
    return kind[:2] in ("01", "02", "03", "04", "12") or kind == "0c03"


def _graphics_first(device: Device) -> tuple[int, str]:
    """The order of candidates: what is passed on most comes first."""
    order = {"03": 0, "12": 0, "02": 1, "01": 2, "0c": 3}
    return order.get((device["class"] or "")[:2], 4), device["address"]
