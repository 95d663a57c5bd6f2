"""Reports for the formats that programs read: made by hand, of the samples, and of words that nobody expects."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from doctor.examine import examine
from doctor.report.model import Report

from .sample_report import GPU, HOSTILE, cite, healthy_report, sample_report

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
WAIVER = {"reason": "lab only", "owner": "anna", "expires": "2027-01-31"}
# What means something to one of the formats, together with what no printer shows.
NASTY = (
    *("\x00", "\x1b[31m", "\r\n", "\n", "\t", "\x85", "\u2028", "\u202e", "\ufffe", "\ud800", "\udc80", "\U0001f4a9"),
    *("|", "';'=1", "=HYPERLINK(1)", "@SUM(1)", "＝1", ";-1", "<b>", "]]>", "<!--", "&amp;", "{0}", "[a](b)", "`", '"'),
    *("\\", "\\n", "$(id)", "#", "# HELP x y", "\u00a0", "*/", "%", "..", "://", " "),
)


def hostile() -> st.SearchStrategy[str]:
    """Texts of the pieces that are worst, and of any characters."""
    pieces = st.one_of(st.sampled_from(NASTY), st.text(max_size=8), st.sampled_from(("a", "DMAR", " ")))
    return st.lists(pieces, max_size=8).map("".join)


def filled(texts: list[str]) -> Report:
    """The report made by hand in which every text that evidence decides is one of `texts`, turn by turn."""
    report: Any = deepcopy(sample_report())
    turn = iter(texts * 200)
    report["subject"]["source"] = next(turn)
    report["summary"]["headline"] = next(turn)
    report["platform"] = {name: next(turn) for name in report["platform"]}
    report["notes"] = [next(turn), next(turn)]
    for check in report["checks"]:
        for field in ("title", "detail", "why"):
            check[field] = next(turn)
        check["references"] = [next(turn)]
        check["evidence"] = [*check["evidence"], cite(next(turn), 3, next(turn), next(turn))]
        for wanted in check["wanted"]:
            wanted["command"] = next(turn)
        for remedy in check["remedy"]:
            remedy["summary"] = next(turn)
            remedy["commands"] = [next(turn)]
            for change in remedy["files"]:
                change["diff"] = next(turn)
        if check["status"] == "waived":
            check["waiver"] = {"reason": next(turn), "owner": next(turn), "expires": WAIVER["expires"]}
    return report  # type: ignore[no-any-return]


def waived_report() -> Report:
    """The report made by hand, its waived finding with its waiver."""
    report: Any = sample_report()
    for check in report["checks"]:
        if check["status"] == "waived":
            check["waiver"] = dict(WAIVER)
    return report  # type: ignore[no-any-return]


def bare_report() -> Report:
    """A report in which all that may be unknown or empty is."""
    report: Any = healthy_report()
    report["subject"] |= {"host": None, "collected_at": None}
    report["platform"] = dict.fromkeys(report["platform"])
    report |= {"checks": [], "devices": [], "targets": []}
    return report  # type: ignore[no-any-return]


def all_reports() -> list[tuple[str, Report]]:
    """Every report that the formats are tried with, by name."""
    made = [("sample", waived_report()), ("healthy", healthy_report()), ("bare", bare_report())]
    made.append(("hostile", filled([HOSTILE])))
    names = sorted(path.name for path in (*SAMPLES.glob("*.txt"), *SAMPLES.glob("*.tar.gz")))
    return made + [(name, examine(str(SAMPLES / name))) for name in names]


__all__ = ["GPU", "HOSTILE", "WAIVER", "all_reports", "bare_report", "filled", "hostile", "waived_report"]
