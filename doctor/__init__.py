"""passdoctor: can this PCI device be given to a virtual machine, and if not, what exactly must be done?

The public Python API is small, and docs/embedding.md shows it::

    report = doctor.examine("paste.txt")      # a Report: the JSON report as a typed dictionary
    page = doctor.render(report, "html")      # the same in any format

Everything else in this package may change without notice.
"""

# ruff: noqa: F811 # the overloads of `render`, whose decorator only type checkers import
from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from typing import Literal, overload

    from doctor.diagnosis.targets import UnknownDevice
    from doctor.evidence.types import InputError
    from doctor.knowledge.document import KnowledgeError
    from doctor.report.model import Report
    from doctor.report.pdf import PangoMissing

    FORMATS: tuple[str, ...]
else:

    def overload(function):
        """What type checkers alone look at; typing, which has it, takes a tenth of a check to load."""
        return function


__version__ = "0.1.0"
__all__ = [
    "FORMATS",
    "InputError",
    "KnowledgeError",
    "PangoMissing",
    "Report",
    "UnknownDevice",
    "__version__",
    "examine",
    "render",
]
# What is imported when somebody asks for it, and where it is.
_ELSEWHERE = {
    "InputError": "doctor.evidence.types",
    "KnowledgeError": "doctor.knowledge.document",
    "PangoMissing": "doctor.report.pdf",
    "Report": "doctor.report.model",
    "UnknownDevice": "doctor.diagnosis.targets",
}


def examine(
    path: str | os.PathLike[str] | None = None,
    devices: Iterable[str] = (),
    *,
    profile: str | None = None,
    rules: str | os.PathLike[str] | None = None,
    waivers: str | os.PathLike[str] | None = None,
    today: str = "",
    language: str = "",
    progress: Callable[[str], None] | None = None,
) -> Report:
    """Examine PATH and return the report.

    path: a bundle, a directory, a sosreport, a paste, "-" for standard input; None: this host.
    devices: the targets, each as `--device` takes it: "01:00.0", "01:00", "10de:2504".
    profile: a profile's name, or the file of one's own. rules: a file or a folder of rules that are added.
    waivers: the file of waivers. today: YYYY-MM-DD, the day on which they hold or not; without it, today in UTC.
    language: as `--lang` takes it, "zh_CN"; "": English, whatever the environment says.
    progress: called with a line of what is done next.

    Raises `InputError` for an input that cannot be read, `UnknownDevice` for a device that the evidence does not
    show, and `KnowledgeError` for a language, a profile, rules or waivers that are wrong or not there; the text of
    each is a line for people.
    """
    from doctor.examine import Terms
    from doctor.examine import examine as run
    from doctor.knowledge.store import choose_language

    name, extra, waived = (None if one is None else str(one) for one in (path, rules, waivers))
    spoken = choose_language(language, {}) if language else ""
    terms = Terms((devices,) if isinstance(devices, str) else tuple(devices), extra, profile, waived, today, spoken)
    return run(name, progress=progress, terms=terms)


@overload
def render(report: Report, form: Literal["pdf"], *, language: str | None = None, paper: str | None = None) -> bytes: ...


@overload
def render(
    report: Report,
    form: Literal["terminal", "html", "json", "markdown", "bbcode"] = "terminal",
    *,
    language: str | None = None,
    width: int | None = None,
    colour: bool | None = None,
    max_length: int | None = None,
    fail_on: str | None = None,
    paper: str | None = None,
) -> str: ...


@overload
def render(
    report: Report,
    form: str,
    *,
    language: str | None = None,
    width: int | None = None,
    colour: bool | None = None,
    max_length: int | None = None,
    fail_on: str | None = None,
    paper: str | None = None,
) -> str | bytes: ...


def render(
    report: Report,
    form: str = "terminal",
    *,
    language: str | None = None,
    width: int | None = None,
    colour: bool | None = None,
    max_length: int | None = None,
    fail_on: str | None = None,
    paper: str | None = None,
) -> str | bytes:
    """Write `report` in the format `form`, one of `FORMATS`: bytes for "pdf", else text.

    language: of the headings around it, as `examine` takes it; None: that in which this thread examined last.
    width, colour: for "terminal" only, in cells; without them, as standard output is. max_length: for "markdown" and
    "bbcode" only, in characters, from 500 on. fail_on: for "nagios" only, as `--fail-on` takes it. paper: for
    "pdf" only, "a4" or "letter".

    Raises ValueError for a format that there is not, or that does not take an option; `PangoMissing` where a PDF cannot
    be written, with a text that says what to install; `KnowledgeError` for a language that is not there.
    """
    from doctor.examine import render as run

    return run(report, form, language, width=width, colour=colour, max_length=max_length, fail_on=fail_on, paper=paper)


def __getattr__(name: str) -> object:
    if name == "FORMATS":
        from doctor.report.formats import FORMATS as KNOWN

        return tuple(KNOWN)
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_ELSEWHERE[name]), name)


class _Package(ModuleType):
    """This package. The import system would put its module `examine` in the place of the function."""

    def __setattr__(self, name: str, value: object) -> None:
        if name != "examine":
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
