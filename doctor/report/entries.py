"""What the formats for programs share: the findings as entries that nothing invisible is in, ids, and the time.

Such a file is read by a program first and by a person behind it, so an entry has both: words that never change
(the check's id, its status and severity) and sentences in the language that is spoken.
"""

from __future__ import annotations

import calendar
import os
import time
from uuid import NAMESPACE_URL, UUID, uuid5

from doctor.later import later
from doctor.record import NamedTuple
from doctor.report.visible import visible_everywhere
from doctor.report.words import Words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from doctor.report.model import Citation, Remedy, Report, Waiver

NAME = "urn:x-passdoctor:report"  # what the ids of reports and the names of their properties are made from
SEVERITIES = ("blocker", "risk", "advice")
STATUSES = ("fail", "waived", "unknown", "pass", "not-applicable")
_NAMESPACE = uuid5(NAMESPACE_URL, NAME)
_LINES, _LONGEST = 20, 1000  # lines of evidence of an entry, characters of one of them
_MOMENT = later(r"(?:19|20|21)\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Entry(NamedTuple):
    """One finding. `key` tells it from all others of its report, and is the same in each run over the host.

    device: "" for a finding about the host. evidence: the first lines only; `more` how many there are besides.
    wanted: the commands that would settle an unknown.
    """

    key: str
    check: str
    device: str
    status: str
    severity: str
    confidence: str
    title: str
    detail: str
    why: str
    evidence: tuple[Citation, ...]
    more: int
    wanted: tuple[str, ...]
    remedies: tuple[Remedy, ...]
    references: tuple[str, ...]
    waiver: Waiver | None


class Told(NamedTuple):
    """A report as the formats for programs tell it.

    host: the host's name, or the input's while that is unknown; named: which of them. moment: when the evidence was
    collected, in seconds since 1970, None if nothing says so.
    """

    report: Report
    host: str
    named: bool
    moment: int | None
    entries: tuple[Entry, ...]

    def about(self) -> dict[str, str | None]:
        """What the report is of, as the formats that have properties tell it."""
        return {
            "host": self.host if self.named else None,
            "input": self.report["subject"]["source"],
            "kind": self.report["subject"]["kind"],
            "profile": self.report["profile"],
            "verdict": self.report["summary"]["verdict"],
        }

    def id_of(self, *words: str) -> str:
        """A UUID made from the host's name and `words`: the same in each run."""
        return str(self.uuid(*words))

    def uuid(self, *words: str) -> UUID:
        """As `id_of`, for those who want its bytes."""
        return uuid5(_NAMESPACE, "\0".join((self.host, *words)))


def tell(report: Report) -> Told:
    """The report for a program: nothing in it is invisible, and no text but commands and edits has several lines."""
    seen = visible_everywhere(report)
    subject = seen["subject"]
    source = subject["source"].rstrip("/").rpartition("/")[2]
    return Told(seen, subject["host"] or source, bool(subject["host"]), _moment(report), tuple(_entries(seen)))


def _entries(report: Report) -> Iterator[Entry]:
    known: dict[str, int] = {}
    for check in report["checks"]:
        device = check["device"] or ""
        key = f"{check['id']}@{device}" if device else check["id"]
        known[key] = count = known.get(key, 0) + 1
        yield Entry(
            key if count == 1 else f"{key}#{count}",
            check["id"],
            device,
            check["status"],
            check["severity"],
            check["confidence"],
            check["title"],
            check["detail"],
            check["why"],
            tuple(check["evidence"][:_LINES]),
            max(0, len(check["evidence"]) - _LINES),
            tuple(wanted["command"] for wanted in check["wanted"]),
            tuple(check["remedy"]),
            tuple(check["references"]),
            check.get("waiver"),
        )


def _moment(report: Report) -> int | None:
    """When the evidence was collected, or SOURCE_DATE_EPOCH, as for any build; seconds since 1970."""
    text = report["subject"]["collected_at"] or ""
    if _MOMENT.fullmatch(text):
        try:
            return max(0, calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")))
        except ValueError:  # a bundle's manifest may say the 31st of February
            pass
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return int(epoch) if epoch.isascii() and epoch.isdigit() and len(epoch) < 11 else None


def stamp(moment: int, end: str = "Z") -> str:
    """A moment as ISO 8601 has it.

    >>> stamp(0), stamp(1763757011, "")
    ('1970-01-01T00:00:00Z', '2025-11-21T20:30:11')
    """
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + end


def shown(line: Citation) -> str:
    """A line of evidence with its place, as people cite it.

    >>> shown({"path": "cmd/dmesg", "source": "post.txt", "line": 7, "text": "DMAR: IOMMU enabled"})
    'post.txt:7: DMAR: IOMMU enabled'
    """
    place = line["source"] + (f":{line['line']}" if line["line"] else "")
    return f"{place}: {short(line['text'])}"


def short(text: str) -> str:
    """A line that is not longer than readers bear."""
    if len(text) <= _LONGEST:
        return text
    return text[:_LONGEST] + Words()("characters-left-out", count=len(text) - _LONGEST)


def statement(entry: Entry) -> str:
    """What was found, in one line: the title, and the detail if there is one."""
    return entry.title + (Words()("colon") + entry.detail if entry.detail else "")


def answered(waiver: Waiver) -> str:
    """Who answers for a failure, until when, and why."""
    return Words()("waived", expires=waiver["expires"], owner=waiver["owner"], reason=waiver["reason"])


def paragraphs(entry: Entry) -> Iterator[tuple[str, list[str]]]:
    """What else there is to tell of an entry: the heading of each part and its lines."""
    words = Words()
    if entry.waiver:
        yield "", [answered(entry.waiver)]
    if entry.why and entry.status in ("fail", "waived", "unknown"):
        yield words("why"), [entry.why]
    if entry.evidence:
        more = [words("more-evidence", count=entry.more)] if entry.more else []
        yield words("evidence"), [*map(shown, entry.evidence), *more]
    if entry.wanted:
        yield words("unknowns-html"), list(entry.wanted)
    for remedy in entry.remedies:
        yield words("plan"), [remedy["summary"], *remedy_lines(remedy)]
    if entry.references:
        yield words("references"), list(entry.references)


def remedy_lines(remedy: Remedy) -> list[str]:
    """The edits of a remedy as diffs, and its commands."""
    edits = [line for change in remedy["files"] for line in change["diff"].splitlines()]
    return [*edits, *(line for command in remedy["commands"] for line in command.splitlines())]


def plain(entry: Entry) -> str:
    """All of `paragraphs` as text, with nothing but line ends in it that cannot be seen."""
    parts = []
    for heading, lines in paragraphs(entry):
        indented = [f"  {line}" for line in lines] if heading else lines
        parts.append("\n".join(([heading + Words()("colon").rstrip()] if heading else []) + indented))
    return "\n\n".join(parts).replace("\t", "    ")


def counted(entries: Iterable[Entry]) -> dict[tuple[str, str], int]:
    """How many entries there are of each status and severity."""
    counts = {(status, severity): 0 for status in STATUSES for severity in SEVERITIES}
    for entry in entries:
        key = (entry.status, entry.severity)
        counts[key] = counts.get(key, 0) + 1
    return counts
