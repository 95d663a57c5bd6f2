"""The report on a terminal: the verdict first, then what to do, then everything else in a line each.

It reads in one direction, without columns or boxes, and says nothing by colour alone.
"""

from __future__ import annotations

import os
import sys

from doctor.report.commands import to_type, to_undo, to_verify, written_out
from doctor.report.page import Page
from doctor.report.sayings import edit_of, explained
from doctor.report.view import (
    View,
    arrange,
    by_reason,
    clip,
    essential_lines,
    how_to_edit,
    place,
    short_address,
)
from doctor.report.words import Words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doctor.report.model import Check, Citation, Device, FileChange, Report
    from doctor.report.view import Cause, Numbered, Question

_COLOURS = {
    "ready": "bold green",
    "not-ready": "bold red",
    "undetermined": "bold yellow",
    "blocker": "bold red",
    "risk": "bold yellow",
    "advice": "bold cyan",
}
_LINES = 4  # evidence lines that a cause shows
_LINE_LENGTH = 300
_OTHERS = 8  # devices that are no targets
_IN = 3
_USUAL = "passthrough"  # the profile that nobody has to name


def render(report: Report, *, width: int | None = None, colour: bool | None = None) -> str:
    """The report as text.

    Without `width`, that of the terminal; without `colour`, colours if standard output is a terminal and
    `NO_COLOR` is not set. What goes to a file should say `colour=False`.
    """
    view = arrange(report)
    page = Page(screen_width() if width is None else width, wants_colour() if colour is None else colour)
    printer = _Printer(view, page, Words())
    for section in (printer.head, printer.causes, printer.rest_of_plan, printer.unknowns, printer.rest):
        section()
    return page.text()


def render_plan(report: Report, *, width: int | None = None, colour: bool | None = None) -> str:
    """The plan alone, every step with its reason, its edits, its risk and how to undo it; as `render` takes it."""
    view = arrange(report)
    page = Page(screen_width() if width is None else width, wants_colour() if colour is None else colour)
    printer = _Printer(view, page, Words())
    printer.head()
    printer.whole_plan()
    return page.text()


def screen_width() -> int:
    """The terminal's width in cells, 80 where there is none."""
    try:
        return int(os.environ.get("COLUMNS") or os.get_terminal_size(1).columns or 80)
    except (OSError, ValueError, AttributeError):
        return 80


def wants_colour() -> bool:
    """Whether standard output is a terminal whose user did not refuse colours."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stdout is not None and sys.stdout.isatty()


class _Printer:
    """Writes the sections of one report to a page."""

    def __init__(self, view: View, page: Page, words: Words) -> None:
        self.view, self.page, self.words, self.report = view, page, words, view.report

    def name(self, check: Check) -> str:
        """A check's title, with its device."""
        where = check["device"]
        return f"{check['title']} ({self.short(where)})" if where else check["title"]

    def short(self, address: str) -> str:
        return short_address(address, self.report["devices"])

    # The sections, in order

    def head(self) -> None:
        """The verdict, the targets, the input."""
        words, summary = self.words, self.report["summary"]
        verdict = summary["verdict"]
        self.page.told((words(verdict), _COLOURS.get(verdict, "bold")), words("colon"), (summary["headline"], "bold"))
        self.page.blank()
        self.page.told((words("examined"), "bold"), "" if self.view.examined else words("colon") + words("no-target"))
        for target in self.view.examined:
            self.target(target.address, target.device, target.because, target.confidence)
        subject, system = self.report["subject"], self.report["platform"]
        known = (system["distribution"], system["kernel"], system["bootloader"], system["board"])
        parts = [f"{words('kind-' + subject['kind'])} {subject['source']}".strip(), *filter(None, known)]
        self.page.told((words("input"), "bold"), words("colon") + " · ".join(dict.fromkeys(parts)))
        if self.report["profile"] != _USUAL:
            self.page.told((words("profile"), "bold"), words("colon") + self.report["profile"])

    def target(self, address: str, row: Device | None, because: str, confidence: str) -> None:
        words = self.words
        verdict = row["verdict"] if row else ""
        guessed = words("guessed") + words("colon") if confidence == "weak" else ""
        self.page.told(
            (words(verdict), _COLOURS.get(verdict, "")),
            "  " if verdict else "",
            (row["name"] or row["ids"] or "") if row else "",
            words("aside", what=guessed + because) if because else "",
            indent=len(address) + 4,
            first=f"  {address}",
        )

    def causes(self) -> None:
        """Each cause: what, why we know, what else it explains, what to do."""
        for key, causes in self.view.sections:
            self.page.heading(self.words(key))
            for cause in causes:
                self.cause(cause)
                self.page.blank()

    def cause(self, cause: Cause) -> None:
        words, check = self.words, cause.check
        severity = words(cause.severity).upper()
        self.page.told(
            (severity, _COLOURS.get(cause.severity, "bold")),
            words("colon"),
            (self.name(check), "bold"),
            words("aside", what=words("weak")) if check["confidence"] == "weak" else "",
            indent=_IN,
            first=f"{cause.number}.",
        )
        if check["detail"]:
            self.page.told(check["detail"], indent=_IN)
        self.evidence(check["evidence"])
        if cause.told:
            told = explained(cause.told, words, self.short)
            self.page.told((words("also-explains") + words("colon") + told, "dim"), indent=_IN)
        self.remedy(cause)

    def evidence(self, citations: list[Citation]) -> None:
        for citation in citations[:_LINES]:
            text, hidden = clip(citation["text"].strip() or citation["path"], _LINE_LENGTH)
            more = self.words("characters-left-out", count=hidden) if hidden else ""
            self.page.prose((place(citation), "cyan"), f"  {text}", (more, "dim"), indent=_IN + 2, wide=True)
        if len(citations) > _LINES:
            self.page.told(self.words("more-evidence", count=len(citations) - _LINES), indent=_IN + 2)

    def remedy(self, cause: Cause) -> None:
        for step in cause.steps:
            self.step(step)
        for later in cause.later:
            label = self.words("step-later", number=later.number)
            self.page.told((label + self.words("colon"), "bold green"), (later.step["summary"], "bold"), indent=_IN)
        for remedy in cause.remedies:
            self.page.told((remedy["summary"], "bold"), indent=_IN + 2, first=" " * _IN + ">")
            self.changes(remedy["files"], remedy["commands"])
            self.page.commands(to_type(remedy["commands"], remedy["files"]), _IN + 2)
        if cause.shared:
            causes = ", ".join(str(n) for n in sorted({step.causes[0] for step in cause.shared}))
            numbers = ", ".join(str(step.number) for step in cause.shared)
            told = self.words("same-step", count=len(cause.shared), causes=causes, numbers=numbers)
            self.page.told(told, indent=_IN)

    def step(self, numbered: Numbered) -> None:
        """A step of the plan with everything that is to be typed."""
        step, words = numbered.step, self.words
        label = words("step", number=numbered.number) + (
            words("aside", what=words("optional")) if step["optional"] else ""
        )
        self.page.told((label + words("colon"), "bold green"), (step["summary"], "bold"), indent=_IN)
        if numbered.note:
            self.page.told(numbered.note, indent=_IN + 2)
        self.changes(step["files"], step["commands"], numbered.note)
        self.page.commands(to_type(step["commands"], step["files"]), _IN + 2)
        if step["risk"]:
            self.page.told((words("risk-of-step") + words("colon"), "yellow"), step["risk"], indent=_IN + 2)

    def changes(self, files: list[FileChange], commands: list[str], note: str = "") -> None:
        for change in filter(essential_lines, files):
            if written_out(change, commands):
                continue
            if edit := edit_of(how_to_edit(change, commands, note), self.words):
                self.page.told(edit, indent=_IN + 2)
            self.page.prose((change["path"], "cyan"), indent=_IN + 2)
            for sign, line in essential_lines(change):
                if sign == "-":
                    self.page.prose((line, "red"), indent=_IN + 4, first=" " * (_IN + 2) + "-", wide=True)
                else:
                    self.page.kept(sign, line, _IN + 2, "green")

    def rest_of_plan(self) -> None:
        """The steps that belong to no single cause, then how to verify and to undo everything."""
        view, words = self.view, self.words
        if not view.steps:
            return
        typed = {"verify": to_verify(view), "undo": to_undo(view.steps)}
        if view.closing or any(typed.values()):
            self.page.heading(words("plan-rest"))
        for step in view.closing:
            self.step(step)
        for key, commands in typed.items():
            if commands:
                self.page.told(((words(key) + words("colon")).rstrip(), "bold"), indent=_IN)
                self.page.commands(commands, _IN + 2)
        for note in (" ".join(map(words, view.doubts)), *self.report["plan"]["notes"]):
            if note:
                self.page.told(note, indent=_IN)

    def whole_plan(self) -> None:
        """Every step in order."""
        words, plan = self.words, self.report["plan"]
        self.page.heading(words("plan"))
        self.page.told(words("plan-for", platform=plan["platform"]))
        for note in (*plan["dangers"], " ".join(map(words, self.view.doubts)), *plan["notes"]):
            if note:
                self.page.told(note)
        if not plan["steps"]:
            self.page.told(words(self.view.no_plan))
        titles = {check["id"]: check["title"] for check in self.report["checks"] if check["status"] == "fail"}
        for numbered in self.view.steps:
            self.page.blank()
            self.step(numbered)
            reasons = [titles[check] for check in numbered.step["why"] if check in titles]
            if reasons:
                self.page.told(
                    (words("because") + words("colon"), "dim"), words("semicolon").join(reasons), indent=_IN + 2
                )
            for key in ("undo", "verify"):
                commands = numbered.step["undo"] if key == "undo" else list(numbered.verify)
                if commands:
                    self.page.told(((words(key) + words("colon")).rstrip(), "bold"), indent=_IN + 2)
                    self.page.commands(commands, _IN + 4)

    def unknowns(self) -> None:
        """What is not known, grouped by the commands that would settle it."""
        if self.view.questions:
            self.page.heading(self.words("unknowns"))
        for question in self.view.questions:
            self.question(question)

    def question(self, question: Question) -> None:
        for check in question.checks:
            detail = self.words("colon") + check["detail"] if check["detail"] else ""
            self.page.told((self.name(check), "bold"), detail, indent=_IN, first="?")
        self.page.commands([want["command"] for want in question.wanted if want["command"]], _IN + 2)

    def rest(self) -> None:
        """Everything else, a line each."""
        words, page, report = self.words, self.page, self.report
        page.heading(words("rest"))
        checks = self.view.by_status["pass"]
        if checks:
            names = words("semicolon").join(map(self.name, checks))
            page.told(
                words("count-pass", count=len(checks)) + words("colon") + names + words("stop"), indent=_IN, first="-"
            )
        self.waived()
        skipped = len(self.view.by_status["not-applicable"])
        if skipped:
            page.told(words("count-not-applicable", count=skipped) + words("stop"), indent=_IN, first="-")
        self.devices()
        for line in report["harmless"]:
            text, _ = clip(line["text"].strip(), 100)
            told = f"{words('harmless-line')}, {place(line)}: {text}"
            page.told(told, (words("aside", what=line["why"]), "dim"), indent=_IN, first="-")
        for each in report["contradictions"]:
            cited = ", ".join(map(place, each["evidence"]))
            taken = words("resolved", how=each["resolved"])
            told = words("colon").join((words("contradiction"), each["fact"])) + words("aside", what=cited)
            page.told(told + words("sentences") + taken, indent=_IN, first="-")
        for note in report["notes"]:
            page.told(note, indent=_IN, first="-")

    def waived(self) -> None:
        """The failures that somebody answers for, with who and why."""
        checks = self.view.by_status["waived"]
        if checks:
            names = self.words("semicolon").join(self.name(check) for check in checks if "waiver" not in check)
            told = self.words("count-waived", count=len(checks)) + self.words("colon")
            told += names + self.words("stop") if names else ""
            self.page.told(told, indent=_IN, first="-")
        for check in checks:
            if "waiver" in check:
                told = self.words("waived", **check["waiver"])
                self.page.told(
                    (self.name(check), "bold"), self.words("colon") + told, indent=_IN + 4, first=" " * (_IN + 2) + "~"
                )

    def devices(self) -> None:
        """A line for each device that might be passed on next."""
        others = self.view.candidates
        groups = by_reason(others[:_OTHERS])
        if groups:
            self.page.told((self.words("others") + self.words("colon")).rstrip(), indent=_IN, first="-")
        for because, rows in groups:
            for row in rows:
                self.device(row, "" if because else row["because"])
            if because:
                self.page.told(self.words("of-these", because=because), indent=_IN + 4)
        hidden = len(self.view.others) - min(len(others), _OTHERS)
        if hidden:
            self.page.told(self.words("devices-more", count=hidden) + self.words("stop"), indent=_IN, first="-")

    def device(self, row: Device, because: str) -> None:
        facts = [row["name"] or row["ids"] or "", row["driver"] or ""]
        if row["group"] is not None:
            facts.append(self.words("group-short", group=row["group"]))
        told = ", ".join(filter(None, facts)) + (self.words("colon") + because if because else "")
        self.page.prose((self.short(row["address"]), "cyan"), f"  {told}", indent=_IN + 2)
