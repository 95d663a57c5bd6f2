"""The report as one HTML file that needs nothing else and may load nothing else."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from doctor.report import commands
from doctor.report import view as arrangement
from doctor.report.drawings import chain, timeline, tree
from doctor.report.places import template_folder
from doctor.report.prose import as_names
from doctor.report.sayings import edit_of, explained
from doctor.report.templates import environment
from doctor.report.words import Words

if TYPE_CHECKING:
    from pathlib import Path

    from doctor.report.model import Report

# Long enough for any line that a person wrote, short enough that no log line fills a page.
LINE_LENGTH = 1000
PRINTED_COLUMNS = 96  # of a command on A4
PRINTED_LENGTH = 200  # laying out a long line costs more than its tail is worth on paper


def render(report: Report) -> str:
    """The report as a page for a browser: light and dark, phone to wide screen, and for its printer."""
    folder = template_folder()
    style = _read(folder, "style.css") + _read(folder, "screen.css")
    return fill(report, style + "@media print {\n" + _read(folder, "print.css") + "}\n")


def fill(report: Report, style: str, printed: bool = False, contents: bool = False) -> str:
    """The template filled in, with `style` inside it; `printed` leaves out what paper has no use for.

    `contents` adds a table of contents.
    """
    view = arrangement.arrange(report)

    def short(address: str) -> str:
        return arrangement.short_address(address, view.report["devices"])

    def shown(command: str) -> str:
        # On paper the page would break it anywhere; a browser's own break is not copied.
        return "\n".join(commands.wrap_command(command, PRINTED_COLUMNS)) if printed else command

    words = Words()
    script = "" if printed else _read(template_folder(), "copy.js")
    made = environment({"short": short, "names": _names, "translate": words})
    return made.get_template("report.html.j2").render(
        view=view,
        report=view.report,
        words=words,
        shown=shown,
        explained=explained,
        edit_of=edit_of,
        to_type=commands.to_type,
        written_out=commands.written_out,
        how_to_edit=arrangement.how_to_edit,
        by_reason=arrangement.by_reason,
        is_short=arrangement.is_short,
        place=arrangement.place,
        clip=lambda text: arrangement.clip(text, PRINTED_LENGTH if printed else LINE_LENGTH),
        changed_lines=arrangement.changed_lines,
        essential_lines=arrangement.essential_lines,
        short=short,
        chain=chain.draw(view, words, not printed),
        timeline=timeline.draw(view, words, not printed),
        tree=tree.draw(view, words, not printed),
        contents=_sections(view) if contents else [],
        style=Markup(style),  # noqa: S704  (the project's own file, and escaping would spoil its quotes)
        style_hash=hash_source(style),
        script=Markup(script),  # noqa: S704  (as above)
        script_hash=hash_source(script),
        printed=printed,
    )


def _sections(view: arrangement.View) -> list[tuple[str, str]]:
    """The sections of the page, in their order: the name to link to, and which words are the heading."""
    report = view.report
    found = [("examined", True), *((key, True) for key, _ in view.sections), ("plan", True)]
    found += [("unknowns", bool(view.questions)), ("devices", bool(report["devices"])), ("checks", True)]
    found += [("harmless", bool(report["harmless"])), ("contradictions", bool(report["contradictions"]))]
    found += [("waivers", bool(view.by_status["waived"])), ("judged", True)]
    return [(name, "unknowns-html" if name == "unknowns" else name) for name, there in found if there]


def _names(text: str) -> Markup:
    """Prose with its names marked; everything else in it is escaped first."""
    return Markup(as_names(str(escape(text))))  # noqa: S704


def hash_source(style: str) -> str:
    """The source expression that lets a page's policy accept this very style and no other."""
    return "sha256-" + b64encode(sha256(style.encode()).digest()).decode()


def _read(folder: Path, name: str) -> str:
    return (folder / name).read_text("utf-8")
