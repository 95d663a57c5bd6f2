"""The report as a monitoring plugin's output, for Nagios, Icinga, Naemon, Checkmk and whatever else runs plugins.

The format and the states: the Monitoring Plugins Development Guidelines, and Nagios Core's plugin API: a line of text,
a bar, performance data, then more lines. On standard output the format decides the exit status as well (`state`), for
a plugin's 1, 2 and 3 mean something else than those of `check`.

A bar in a text would begin performance data, and web interfaces show what looks like a tag as HTML, so | < > become
characters that look like them.
"""

from __future__ import annotations

from doctor.report.entries import SEVERITIES, answered, counted, statement, tell
from doctor.report.words import Words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from doctor.report.entries import Entry, Told
    from doctor.report.model import Report

OK, WARNING, CRITICAL, UNKNOWN = range(4)
_WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_ALIKE = str.maketrans("|<>", "¦‹›")
_FIRST, _LINE, _ALL = 240, 200, 4000  # characters of the first line's text, of another line, of the whole
_SHOWN = ("fail", "unknown", "waived")


def render(report: Report, *, fail_on: str = "blocker") -> str:
    """The first line with the state, the verdict and the figures; then each finding that somebody should see."""
    told = tell(report)
    where = state(report, fail_on)
    first = clean(f"{told.host}: {told.report['summary']['headline']}{_count(told)}", _FIRST)
    lines = [f"PASSDOCTOR {_WORDS[where]} - {first} | {_figures(told, fail_on)}"]
    left, room = 0, _ALL - len(lines[0])
    for line in _lines(told.entries):
        room -= len(line) + 1
        if room > 0:
            lines.append(line)
        else:
            left += 1
    return "\n".join([*lines, *([f"(+{left})"] if left else [])]) + "\n"


def state(report: Report, fail_on: str = "blocker") -> int:
    """The exit status: CRITICAL for a failure as severe as `fail_on`, WARNING for another risk or blocker.

    UNKNOWN while the verdict is undetermined, else OK: advice alone is no problem.
    """
    failed = {check["severity"] for check in report["checks"] if check["status"] == "fail"}
    if failed.intersection(_levels(fail_on)):
        return CRITICAL
    if failed.intersection(("blocker", "risk")):
        return WARNING
    return OK if report["summary"]["verdict"] == "ready" else UNKNOWN


def failed(line: str) -> str:
    """What a plugin prints if it could do nothing: its state is then UNKNOWN."""
    return f"PASSDOCTOR {_WORDS[UNKNOWN]} - {clean(line, _FIRST)}"


def clean(text: str, longest: int) -> str:
    """One line of text in which no monitoring finds anything but text.

    >>> clean("a|b <b>", 80), clean("x" * 9, 4)
    ('a¦b ‹b›', 'xxx…')
    """
    text = " ".join(text.split()).translate(_ALIKE)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _levels(fail_on: str) -> tuple[str, ...]:
    return SEVERITIES[: SEVERITIES.index(fail_on) + 1] if fail_on in SEVERITIES else ()


def _count(told: Told) -> str:
    words, counts = Words(), counted(told.entries)
    parts = [words(f"count-{name}", count=counts["fail", name]) for name in SEVERITIES if counts["fail", name]]
    unknown = sum(count for (status, _), count in counts.items() if status == "unknown")
    parts += [words("count-unknown", count=unknown)] if unknown else []
    return words("aside", what=", ".join(parts)) if parts else ""


def _figures(told: Told, fail_on: str) -> str:
    """Performance data: how many failures there are of each severity, with what is too many, and the other statuses."""
    counts = counted(told.entries)
    figures = []
    for name in SEVERITIES:
        limits = ";0" if name in _levels(fail_on) else "0;" if name != "advice" else ";"
        figures.append(f"{name}={counts['fail', name]};{limits};0")
    for name in ("waived", "unknown", "not-applicable", "pass"):
        total = sum(count for (status, _), count in counts.items() if status == name)
        figures.append(f"{name.replace('-', '_')}={total};;;0")
    return " ".join(figures)


def _lines(entries: Iterable[Entry]) -> Iterator[str]:
    for status in _SHOWN:
        for entry in (entry for entry in entries if entry.status == status):
            about = f"{entry.check} {entry.device}".rstrip()
            what, said = (entry.severity, entry.title) if status == "fail" else (status, statement(entry))
            said = answered(entry.waiver) if entry.waiver else said
            yield clean(f"[{what}] {about}: {said}", _LINE)
