"""The arrangement of a report that all formats for people share: what comes first, what is folded.

It judges nothing. It numbers, joins what the report names by id, and makes hidden characters visible, so
that no renderer has to and none can forget to.
"""

from __future__ import annotations

from doctor.record import NamedTuple
from doctor.report.commands import by_hand
from doctor.report.visible import visible_everywhere
from doctor.say import say

TYPE_CHECKING = False
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
_ALWAYS_CLOSING = ("bootloader", "initramfs")  # once for all files, whoever asked for them
_MANY = 3  # rows of which the same is said once
VERDICTS = ("ready", "not-ready", "undetermined")


class Numbered(NamedTuple):
    """A step of the plan, its number there, and the causes that ask for it.

    `note` is the step's own unless another step says the same; `verify` what no later step types anyway.
    """

    number: int
    step: Step
    causes: tuple[int, ...]
    note: str
    verify: tuple[str, ...]


class Told(NamedTuple):
    """What a cause explains of some devices, or of none; without titles, the same as was said before."""

    devices: tuple[str, ...]
    titles: tuple[str, ...]


class Cause(NamedTuple):
    """A cause with all that is said of it in one place.

    `severity` is the worst of its own and of what it explains: what it explains is what it does.
    `steps` are the plan's steps to show here; `shared` those shown with an earlier cause that needs them
    too; `later`, where there are neither, those at the end of the plan that mend it; `remedies` what the
    check itself prescribes, for a report whose plan has no step for this cause.
    """

    number: int
    check: Check
    severity: str
    explains: tuple[Check, ...]
    told: tuple[Told, ...]
    steps: tuple[Numbered, ...]
    shared: tuple[Numbered, ...]
    later: tuple[Numbered, ...]
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
    def sections(self) -> list[tuple[str, list[Cause]]]:
        """The causes that stop it, then those that only should be looked at, each with its heading."""
        stopping = [cause for cause in self.causes if cause.severity == "blocker"]
        rest = [cause for cause in self.causes if cause.severity != "blocker"]
        return [each for each in (("causes", stopping), ("causes-none-blocking", rest)) if each[1]]

    @property
    def counts(self) -> list[tuple[str, int]]:
        """What was found, counted: failed checks by severity, so that advice does not look like a failure."""
        counts = [(key, len(group)) for key, group in self.groups]
        return [(key, count) for key, count in counts if key != "count-not-applicable"]

    @property
    def groups(self) -> list[tuple[str, tuple[Check, ...]]]:
        """All checks by their status, the failed ones by severity, each with the words that count them."""
        groups = []
        for status in ("fail", "unknown", "pass", "waived", "not-applicable"):
            checks = self.by_status[status]
            kinds = sorted({check["severity"] for check in checks}, key=_place) if status == "fail" else []
            for kind in kinds:
                severe = tuple(check for check in checks if check["severity"] == kind)
                groups.append((f"count-{kind}" if kind in SEVERITIES else "count-fail", severe))
            if checks and not kinds:
                groups.append((f"count-{status}", checks))
        return groups

    @property
    def doubts(self) -> list[str]:
        """Which words say that the plan is not sure; not those that its notes say already."""
        plan = self.report["plan"]
        if plan["assured"]:
            return []
        # Translators: pieces of the plan's notes that tell of a doubt, as your translations of those notes have them.
        pieces = say("inferred|does not tell|its kin|No way is known").split("|")
        told = any(piece in note for note in plan["notes"] for piece in pieces)
        return ["plan-compare"] if told else ["plan-unsure", "plan-compare"]


def arrange(report: Report) -> View:
    """The arrangement of `report`, every text in it made visible."""
    seen = visible_everywhere(report)
    roots = _roots(seen)
    steps = _numbered(seen, roots)
    causes = _causes(roots, steps)
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
    """Each cause's check with the checks that it explains, then failures that no cause accounts for.

    What stops it comes first, in the report's order, for it is shown first.
    """
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
    roots += [(check, ()) for check in sorted(rest, key=_rank)]
    return sorted(roots, key=lambda root: _worst(*root) != SEVERITIES[0])


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
    return _place(check["severity"])


def _place(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _worst(check: Check, explained: Iterable[Check]) -> str:
    return min((check["severity"], *(each["severity"] for each in explained)), key=_place)


def _numbered(report: Report, roots: list[tuple[Check, tuple[Check, ...]]]) -> tuple[Numbered, ...]:
    asked = [{check["id"], *(each["id"] for each in explained)} for check, explained in roots]
    steps = report["plan"]["steps"]
    typed = {command for step in steps if step["kind"] == "verify" for command in step["commands"]}
    numbered = []
    said = ""
    for number, step in enumerate(steps, 1):
        note = step["note"] or ""
        numbered.append(
            Numbered(
                number,
                step,
                tuple(n for n, ids in enumerate(asked, 1) if ids & set(step["why"])),
                "" if note in said else note,
                tuple(command for command in step["verify"] if command not in typed),
            )
        )
        said += f"{note}\n"
    return tuple(numbered)


def _first_reboot(steps: tuple[Numbered, ...]) -> int:
    return next((each.number for each in steps if each.step["reboot"]), len(steps) + 1)


def _closes(numbered: Numbered, reboot: int) -> bool:
    """Whether a step belongs to the end of the plan rather than to one cause.

    So do a rebuild for several causes, and all from step `reboot` on: what is shown early is done early.
    """
    if numbered.step["kind"] in _ALWAYS_CLOSING and not numbered.step["files"]:
        return True
    return numbered.number >= reboot or (
        len(numbered.causes) > 1 and not numbered.step["files"] and numbered.step["kind"] != "person"
    )


def _causes(roots: list[tuple[Check, tuple[Check, ...]]], steps: tuple[Numbered, ...]) -> tuple[Cause, ...]:
    causes = []
    reboot = _first_reboot(steps)
    for number, (check, explained) in enumerate(roots, 1):
        asked = [step for step in steps if number in step.causes]
        needed = [step for step in asked if not _closes(step, reboot)]
        causes.append(
            Cause(
                number,
                check,
                _worst(check, explained),
                explained,
                _told(check, explained),
                tuple(step for step in needed if step.causes[0] == number),
                tuple(step for step in needed if step.causes[0] != number),
                () if needed else tuple(step for step in asked if step.step["kind"] != "verify"),
                () if asked else tuple(check["remedy"]),
            )
        )
    return tuple(causes)


def _told(check: Check, explained: Iterable[Check]) -> tuple[Told, ...]:
    """What a check explains, device by device; of devices that share all of it, it is said once."""
    by_device: dict[str, dict[str, str]] = {}
    for each in explained:
        by_device.setdefault(each["device"] or "", {})[each["id"]] = each["title"]
    own = check["device"] or ""
    last = frozenset((check["id"],)) if own else frozenset(())
    told: list[Told] = []
    for device in sorted(by_device, key=lambda device: (device != "", device != own)):
        ids = frozenset(by_device[device]) | (frozenset((check["id"],)) if device == own else frozenset(()))
        if ids != last:
            told.append(Told((device,) if device else (), tuple(by_device[device].values())))
        elif told and not told[-1].titles:
            told[-1] = Told((*told[-1].devices, device), ())
        else:
            told.append(Told((device,), ()))
        last = ids
    return tuple(told)


def _questions(checks: Iterable[Check]) -> tuple[Question, ...]:
    groups: dict[tuple[str, ...], list[Check]] = {}
    for check in checks:
        groups.setdefault(tuple(want["command"] or want["path"] for want in check["wanted"]), []).append(check)
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


def is_short(step: Step) -> bool:
    """Whether a step takes so little room that it had better not be split over two pages."""
    typed = [line for each in (*step["commands"], *step["undo"], *step["verify"]) for line in each.split("\n")]
    lines = sum(len(changed_lines(change)) for change in step["files"])
    return lines + sum(1 + len(line) // 80 for line in typed) <= 20


def how_to_edit(change: FileChange, commands: list[str], note: str = "") -> tuple[str, int, int]:
    """Which words say how a person makes a change, if one has to, and how many lines go and come.

    None if the `note` that is shown beside it says so already.
    """
    gone, come = len(change["before"]), len(change["after"])
    # Translators: what a note that says how to edit ends with; the end of your "{done}{also} and save."
    if say("and save.") in note or not by_hand(change, commands):
        return "", gone, come
    if gone and come:
        return "edit-replace", gone, come
    if come:
        return "edit-add", gone, come
    # Without a line that goes, the present one is only shown, and the step says in words what to change.
    drops = any(sign == "-" for sign, _ in changed_lines(change)) if change["diff"] else False
    return "edit-drop" if drops else "edit-as-said", gone, come


def by_reason(rows: Iterable[Device]) -> list[tuple[str, list[Device]]]:
    """Rows with what is to be said once for all of them: first those that have a reason of their own."""
    same: dict[str, list[Device]] = {}
    rows = list(rows)
    for row in rows:
        same.setdefault(row["because"], []).append(row)
    shared = {because: group for because, group in same.items() if because and len(group) >= _MANY}
    own = [row for row in rows if row["because"] not in shared]
    return ([("", own)] if own else []) + list(shared.items())


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
