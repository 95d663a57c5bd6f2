"""The formats that a report can be written in: the one list of them.

A new format is a renderer, its template if it has one, and a line here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from doctor.record import NamedTuple

if TYPE_CHECKING:
    from doctor.report.model import Report


class Format(NamedTuple):
    """How a format is called, the module whose `render` writes it, and what its file is like."""

    name: str
    module: str
    binary: bool
    suffix: str


FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format("terminal", "doctor.report.terminal", False, ".txt"),
        Format("html", "doctor.report.html", False, ".html"),
        Format("pdf", "doctor.report.pdf", True, ".pdf"),
        Format("json", "doctor.report.as_json", False, ".json"),
    )
}


def render(report: Report, name: str, **options: Any) -> str | bytes:
    """Write `report` in the format `name`; bytes if that is binary, else text.

    Only the renderer that is asked for is imported: WeasyPrint alone costs more than all the rest.
    """
    written: str | bytes = import_module(FORMATS[name].module).render(report, **options)
    return written
