r"""The report as CSV (RFC 4180): a line for each finding, and no cell of more than one line.

A spreadsheet takes a cell that begins with = + - @ for a formula, whatever quotes stand round it, and evidence is what
strangers wrote. So such a cell begins with an apostrophe (OWASP, "CSV Injection"), and so does what would be a cell
where semicolons separate them. `unguarded` takes the apostrophes away.

>>> guarded("=1+1"), guarded("a;-b"), guarded("'+"), guarded("plain"), unguarded(guarded("'=x; @y"))
("'=1+1", "a;'-b", "''+", 'plain', "'=x; @y")
"""

from __future__ import annotations

import csv
from io import StringIO

from doctor.later import later
from doctor.report.entries import answered, remedy_lines, shown, stamp, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doctor.report.entries import Entry, Told
    from doctor.report.model import Report

COLUMNS = (
    *("host", "input", "collected", "check", "device", "status", "severity", "confidence", "title", "detail"),
    *("evidence", "wanted", "remedy", "waiver", "references", "verdict", "id"),
)
_BETWEEN = " | "  # between the parts of a cell: no line end, no separator of any country's spreadsheets
_START = r"(?:^|(?<=[;\t\r\n]))"
_FORMULA = r"(?=[ ']*[=+\-@＝＋－＠])"
_BEFORE = later(_START + _FORMULA)
_GUARD = later(_START + "'" + _FORMULA)


def render(report: Report) -> str:
    """The report as a table with a line of names; all cells are quoted."""
    told = tell(report)
    out = StringIO()
    rows = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    rows.writerow(COLUMNS)
    for entry in told.entries:
        rows.writerow([guarded(cell) for cell in _cells(told, entry)])
    return out.getvalue()


def _cells(told: Told, entry: Entry) -> list[str]:
    more = [f"+{entry.more}"] if entry.more else []
    return [
        told.host if told.named else "",
        told.report["subject"]["source"],
        stamp(told.moment) if told.moment is not None else "",
        entry.check,
        entry.device,
        entry.status,
        entry.severity,
        entry.confidence,
        entry.title,
        entry.detail,
        _joined([*map(shown, entry.evidence), *more]),
        _joined(entry.wanted),
        _joined([line for remedy in entry.remedies for line in (remedy["summary"], *remedy_lines(remedy))]),
        answered(entry.waiver) if entry.waiver else "",
        _joined(entry.references),
        told.report["summary"]["verdict"],
        told.id_of("finding", entry.key),
    ]


def _joined(parts: list[str] | tuple[str, ...]) -> str:
    return _BETWEEN.join(part.replace("\n", " ").replace("\t", " ") for part in parts)


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return _BEFORE.sub("'", cell)


def unguarded(cell: str) -> str:
    """The cell that `guarded` made safe."""
    return _GUARD.sub("", cell)
