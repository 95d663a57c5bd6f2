"""What is different between two reports: `passdoctor compare BEFORE AFTER`.

An input is whatever `check` takes, or a JSON report that it wrote. A failure that is no longer reported is mended only
if the check passes now, or if what showed it was read again: what nobody looked at again is no longer known.
"""

from __future__ import annotations

import json
import os

from doctor.evidence.types import InputError
from doctor.record import NamedTuple
from doctor.say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from doctor.examine import Terms
    from doctor.report.comparison import Change, Comparison, Devices, Side
    from doctor.report.model import Check, Device, Report

SCHEMA_VERSION = "1.0"
LARGEST = 64 * 1024 * 1024  # bytes of a JSON report
_FAIL, _PASS, _WAIVED, _UNKNOWN, _NONE = "fail", "pass", "waived", "unknown", "not-applicable"
_STATUSES = (_FAIL, _PASS, _WAIVED, _UNKNOWN, _NONE)
_SEVERITIES = ("advice", "risk", "blocker")  # worst last
_GATE = "not-assessable"  # where it fails, nothing else was judged
_CMDLINE = "proc/cmdline"
_FIRST = ":00:00.0"  # the host bridge, which every whole list of devices begins with
_NAMES = ("BOOT_IMAGE=", "initrd=")  # words that name the kernel's own files
# What is read of a report: its parts, and their texts.
_OBJECTS: dict[str, tuple[str, ...]] = {"subject": ("kind", "source"), "platform": (), "summary": ("verdict",)}
_ITEMS: dict[str, tuple[str, ...]] = {"checks": ("id", "status", "severity", "title"), "devices": ("address",)}
Key = tuple[str, "str | None"]


class Seen(NamedTuple):
    """A report, the evidence paths that it rests on, and the running command line's words if they are known.

    `warnings` say what is wrong with the input itself.
    """

    report: Report
    paths: frozenset[str]
    words: tuple[str, ...] | None
    warnings: tuple[str, ...] = ()


def compare_inputs(
    before: str, after: str | None, terms: Terms, progress: Callable[[str], None] | None = None
) -> Comparison:
    """Opens both inputs, judges by `terms` what is no report yet, and compares; None is this host.

    Raises InputError, UnknownDevice and KnowledgeError, each with one line for people.
    """
    if before == after == "-":
        raise InputError("only one of the two inputs can be standard input")
    return compare(_seen(before, terms, progress), _seen(after, terms, progress))


def _seen(name: str | None, terms: Terms, progress: Callable[[str], None] | None) -> Seen:
    report = _report_in(name) if name is not None else None
    if report is not None:
        return Seen(report, frozenset(_cited(report)), _words_in(report))
    if progress is not None:
        progress(f"examining {name or 'this host'}")
    from doctor.evidence.open import open_input
    from doctor.examine import examine_host

    evidence = open_input(name, progress)
    host, report = examine_host(evidence, terms)
    words = host.running.words
    given = tuple(word.raw for word in words.value) if words.known else None
    read = frozenset(path for path in evidence.paths() if evidence.last(path) is not None)
    return Seen(report, read, given, tuple(f"{evidence.source}: {warning}" for warning in evidence.warnings))


def _report_in(name: str) -> Report | None:
    """The JSON report in the file `name`; None if it holds anything else. Raises InputError for a broken report."""
    if name == "-" or not os.path.isfile(name):  # noqa: PTH113 - as of open_input
        return None
    try:
        with open(name, "rb") as file:
            if file.read(1) != b"{":
                return None
            data = b"{" + file.read(LARGEST)
    except OSError:
        return None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        if b'"schema_version"' in data[:200]:
            raise InputError(f"{name}: a report of passdoctor that is cut or damaged") from None
        return None
    if not isinstance(found, dict) or "schema_version" not in found or "checks" not in found:
        return None
    wrong = _wrong(found)
    if wrong:
        raise InputError(f"{name}: not a report that can be compared: {wrong}")
    report: Report = found  # type: ignore[assignment]
    return report


def _wrong(found: dict[str, Any]) -> str | None:
    """What of a report is not as `docs/report.schema.json` has it, as far as it is read here."""
    if not str(found["schema_version"]).startswith("1."):
        return f"its schema_version is {str(found['schema_version'])[:20]}, not 1.x"
    for name, texts in _OBJECTS.items():
        part = found.get(name)
        if not isinstance(part, dict) or not all(isinstance(part.get(key), str) for key in texts):
            return f"{name} is missing or of another form"
    for name, texts in _ITEMS.items():
        part = found.get(name)
        if not isinstance(part, list):
            return f"{name} is no list"
        for at, item in enumerate(part):
            if not isinstance(item, dict) or not all(isinstance(item.get(key), str) for key in texts):
                return f"{name}[{at}] is of another form"
    for at, check in enumerate(found["checks"]):
        cited = check.get("evidence")
        if not isinstance(cited, list) or not all(isinstance(one, dict) for one in cited):
            return f"checks[{at}].evidence is no list"
        if check["status"] not in _STATUSES or check["severity"] not in _SEVERITIES:
            return f"checks[{at}] has a status or a severity that there is not"
        if not isinstance(check.get("device"), (str, type(None))):
            return f"checks[{at}].device is no address"
    return None


def _cited(report: Report) -> Iterable[str]:
    """The evidence paths that a report cites."""
    for check in report["checks"]:
        yield from (str(one.get("path")) for one in check["evidence"])


def _words_in(report: Report) -> tuple[str, ...] | None:
    """The running command line, if a check cites it."""
    lines = [
        str(one.get("text"))
        for check in report["checks"]
        for one in check["evidence"]
        if one.get("path") == _CMDLINE and len(str(one.get("text")).split()) > 1
    ]
    return tuple(max(lines, key=len).split()) if lines else None


def compare(before: Seen, after: Seen) -> Comparison:
    """What was mended, what broke, what is unchanged, what is newly or no longer known, and what changed around it."""
    moved = _moved(before.report["devices"], after.report["devices"])
    found = _Changes(before, after, moved)
    for key, check in found.old.items():
        found.sort_in(check, found.now(key))
    for key, check in found.new.items():
        if key not in found.old:
            found.sort_in(found.then(key), check)
    return {
        "schema_version": SCHEMA_VERSION,
        "before": _side(before),
        "after": _side(after),
        **found.lists,  # type: ignore[typeddict-item]
        "devices": _devices(before.report, after.report, moved),
        "platform": _platform(before.report, after.report),
        "cmdline": _cmdline(before.words, after.words),
        "notes": [*before.warnings, *after.warnings, *_notes(before.report, after.report)],
    }


class _Changes:
    """The findings of both reports by check and device (of the device's present address), sorted into lists."""

    def __init__(self, before: Seen, after: Seen, moved: dict[str, str]) -> None:
        self._before, self._after = before, after
        self.old: dict[Key, Check] = {}
        for check in before.report["checks"]:
            device = check["device"]
            self.old[(check["id"], moved.get(device, device) if device else None)] = check
        self.new: dict[Key, Check] = {(check["id"], check["device"]): check for check in after.report["checks"]}
        same = before.report.get("profile") == after.report.get("profile")
        self._severities_count = same
        # A host whose IOMMU is off has no groups that a device could fail for: they show when it is mended.
        mended = (check for key, check in self.old.items() if self.new.get(key, check)["status"] == _PASS)
        self._uncovers = any(c["status"] == _FAIL and c["severity"] == "blocker" and not c["device"] for c in mended)
        names = ("broken", "mended", "unchanged", "waived", "newly_known", "no_longer_known")
        self.lists: dict[str, list[Change]] = {name: [] for name in names}

    def now(self, key: Key) -> Check | None:
        """The finding of AFTER for one of BEFORE; what no line names any more is told of no device."""
        return self.new.get(key) or self.new.get((key[0], None))

    def then(self, key: Key) -> Check | None:
        """The finding of BEFORE for one of AFTER, if it spoke of no device by then."""
        found = self.old.get((key[0], None))
        return found if found is not None and found["status"] != _FAIL else None

    def sort_in(self, old: Check | None, new: Check | None) -> None:
        """Puts a pair of findings into the list that it belongs to, if something is to be told of it."""
        was, now = (check["status"] if check is not None else _NONE for check in (old, new))
        name = None
        if was == _FAIL and now == _FAIL and old is not None and new is not None:
            name = "broken" if self._worse(old, new) else "unchanged"
        elif was == _FAIL and old is not None:
            name = {_PASS: "mended", _WAIVED: "waived", _UNKNOWN: "no_longer_known"}.get(now)
            name = name or self._if_read("mended", "no_longer_known", old, new, self._after)
        elif now == _FAIL and new is not None:
            name = {_PASS: "broken", _WAIVED: "broken", _UNKNOWN: "newly_known"}.get(was)
            if name is None and old is not None and old["device"] and self._uncovers:
                name = "newly_known"
            name = name or self._if_read("broken", "newly_known", new, old, self._before)
        elif was == _WAIVED and now == _PASS:
            name = "mended"
        elif was == _UNKNOWN and now == _PASS:
            name = "newly_known"
        elif was in (_PASS, _WAIVED) and now == _UNKNOWN:
            name = "no_longer_known"
        if name is not None:
            self.lists[name].append(_change(old, new))

    def _worse(self, old: Check, new: Check) -> bool:
        rank = _SEVERITIES.index
        return self._severities_count and rank(new["severity"]) > rank(old["severity"])

    @staticmethod
    def _if_read(yes: str, no: str, failed: Check, other: Check | None, seen: Seen) -> str:
        """`yes` if the other report judged the check too and read what the failure rests on."""
        paths = {str(one.get("path")) for one in failed["evidence"]}
        closed = any(check["id"] == _GATE and check["status"] == _FAIL for check in seen.report["checks"])
        return yes if other is not None and paths & seen.paths and not closed else no


def _change(old: Check | None, new: Check | None) -> Change:
    """A pair of findings as it is told: in the words of the failure, if either is one."""
    failed = [check for check in (new, old) if check is not None and check["status"] in (_FAIL, _WAIVED)]
    told = failed[0] if failed else (new or old)
    assert told is not None  # noqa: S101 - one of the two is always there
    return {
        "check": told["id"],
        "device": told["device"],
        "title": told["title"],
        "severity": told["severity"],
        "before": old["status"] if old is not None else None,
        "after": new["status"] if new is not None else None,
        "detail": str((new or told).get("detail") or ""),
    }


def _moved(before: list[Device], after: list[Device]) -> dict[str, str]:
    """Devices that have another address now: one of a kind in each report, at an address that the other lacks."""
    old, new = ({row["address"]: row.get("ids") for row in rows} for rows in (before, after))
    moved = {}
    for address, ids in old.items():
        if ids and address not in new and list(old.values()).count(ids) == 1:
            there = [other for other, its in new.items() if its == ids]
            if len(there) == 1 and there[0] not in old:
                moved[address] = there[0]
    return moved


def _devices(before: Report, after: Report, moved: dict[str, str]) -> Devices:
    """Devices that came, went, moved, or have another driver or other company in their group.

    What one list lacks came or went only if that list is whole.
    """
    whole = all(any(row["address"].endswith(_FIRST) for row in report["devices"]) for report in (before, after))
    old = {moved.get(row["address"], row["address"]): row for row in before["devices"]}
    new = {row["address"]: row for row in after["devices"]}
    changed: list[dict[str, Any]] = []
    for address, row in new.items():
        was: dict[str, Any] = dict(old.get(address) or {})
        now: dict[str, Any] = dict(row)
        for what in ("driver", "group_members") if was else ():
            pair = [_company(side.get(what), moved if side is was else {}) for side in (was, now)]
            told = all(side.get("group") is not None for side in (was, now)) or what == "driver"
            if pair[0] != pair[1] and told:
                changed.append({"address": address, "what": what, "before": pair[0], "after": pair[1]})
    return {
        "complete": whole,
        "came": [_named(row) for address, row in new.items() if whole and address not in old],
        "went": [_named(row) for address, row in old.items() if whole and address not in new],
        "moved": [{"before": address, "after": there} for address, there in moved.items()],
        "changed": changed,
    }


def _company(value: Any, moved: dict[str, str]) -> Any:
    """A driver as it is, or group members by their present addresses."""
    return sorted(moved.get(str(one), str(one)) for one in value) if isinstance(value, list) else value


def _named(row: Device) -> dict[str, Any]:
    return {"address": row["address"], "ids": row.get("ids"), "name": row.get("name")}


def _side(seen: Seen) -> Side:
    report = seen.report
    return {
        "source": report["subject"]["source"],
        "kind": report["subject"]["kind"],
        "collected_at": report["subject"].get("collected_at"),
        "profile": str(report.get("profile") or ""),
        "verdict": report["summary"]["verdict"],
        "kernel": report["platform"].get("kernel"),
        "cmdline": " ".join(seen.words) if seen.words is not None else None,
    }


def _platform(before: Report, after: Report) -> list[dict[str, Any]]:
    """What of the platform is another: what is not known in either is not told."""
    old, new = (dict(report["platform"].items()) for report in (before, after))
    pairs = [(what, old.get(what), new.get(what)) for what in new]
    return [{"what": what, "before": was, "after": now} for what, was, now in pairs if was and now and was != now]


def _cmdline(before: tuple[str, ...] | None, after: tuple[str, ...] | None) -> dict[str, Any]:
    """Words of the running command line that came and went; no lists while either line is not known."""
    if before is None or after is None:
        return {"known": False, "added": [], "removed": []}
    old, new = ([word for word in words if not word.startswith(_NAMES)] for words in (before, after))
    veiled = _veiled(old, new)
    old, new = ([word for word in words if word.partition("=")[0] not in veiled] for words in (old, new))
    return {"known": True, "added": _without(new, old), "removed": _without(old, new)}


def _veiled(before: list[str], after: list[str]) -> set[str]:
    """The parameters on both lines whose values redaction hides: each collection has stand-ins of its own."""
    from doctor.treatment.safe import redacted

    names = {word.partition("=")[0] for word in (*before, *after) if redacted(word)}
    both = {word.partition("=")[0] for word in before} & {word.partition("=")[0] for word in after}
    return names & both


def _without(words: list[str], others: list[str]) -> list[str]:
    """The words that the others lack, each as often as it is there once more."""
    left: dict[str, int] = {}
    for word in others:
        left[word] = left.get(word, 0) + 1
    found = []
    for word in words:
        if left.get(word, 0):
            left[word] -= 1
        else:
            found.append(word)
    return found


def _notes(before: Report, after: Report) -> list[str]:
    """What makes the two reports hard to compare."""
    notes = []
    profiles = [str(report.get("profile")) for report in (before, after)]
    if profiles[0] != profiles[1]:
        told = say("They were judged by different profiles: {one} and {other}.", one=profiles[0], other=profiles[1])
        notes.append(told)
    tools: list[Any] = [report.get("tool") for report in (before, after)]
    versions = [str(tool.get("version")) if isinstance(tool, dict) else "unknown" for tool in tools]
    if versions[0] != versions[1]:
        one, other = versions
        notes.append(
            say("They were judged by different versions of passdoctor: {one} and {other}.", one=one, other=other)
        )
    return notes
