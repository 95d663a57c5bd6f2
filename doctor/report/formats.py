"""The formats that a report can be written in: the one list of them.

A new format is a renderer, its template if it has one, and a line here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from doctor.record import NamedTuple

if TYPE_CHECKING:
    from doctor.report.model import Report


SHORTEST = 500  # characters: in fewer a limited format cannot say the verdict and what is left out


class Format(NamedTuple):
    """How a format is called, the module whose `render` writes it, and what its file is like.

    `endings` are those of files, `suffix` apart, that ask for it; `limited` whether `render` takes `max_length`;
    `drawn` whether it shows the devices as a tree; `paged` whether `render` takes `paper`.
    """

    name: str
    module: str
    binary: bool
    suffix: str
    endings: tuple[str, ...] = ()
    limited: bool = False
    drawn: bool = False
    paged: bool = False


FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format("terminal", "doctor.report.terminal", False, ".txt"),
        Format("html", "doctor.report.html", False, ".html", (".htm",), drawn=True),
        Format("pdf", "doctor.report.pdf", True, ".pdf", drawn=True, paged=True),
        Format("json", "doctor.report.as_json", False, ".json"),
        Format("markdown", "doctor.report.markdown", False, ".md", (".markdown",), True),
        Format("bbcode", "doctor.report.bbcode", False, ".bbcode", (), True),
    )
}


def format_of(file: str) -> str:
    """The format that a file's ending asks for; the terminal's if none.

    >>> format_of("Report.HTM"), format_of("post.md"), format_of("report")
    ('html', 'markdown', 'terminal')
    """
    ending = "." + file.lower().rpartition(".")[2]
    return next((form.name for form in FORMATS.values() if ending in (form.suffix, *form.endings)), "terminal")


def render(report: Report, name: str, **options: Any) -> str | bytes:
    """Write `report` in the format `name`; bytes if that is binary, else text.

    Only the renderer that is asked for is imported: WeasyPrint alone costs more than all the rest.
    """
    written: str | bytes = import_module(FORMATS[name].module).render(report, **options)
    return written
