"""The formats that a report can be written in: the one list of them.

A new format is a renderer, its template if it has one, and a line here.
"""

from __future__ import annotations

from importlib import import_module

from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from doctor.report.model import Report


SHORTEST = 500  # characters: in fewer a limited format cannot say the verdict and what is left out


class Format(NamedTuple):
    """How a format is called, the module whose `render` writes it, and what its file is like.

    `endings` are those of files, `suffix` apart, that ask for it; `takes` the options that `render` takes. A `plugin`
    is run by monitoring: on standard output the module's `state` is the exit status, and its `failed` says what went
    wrong.
    """

    name: str
    module: str
    binary: bool
    suffix: str
    endings: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    plugin: bool = False


FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format("terminal", "doctor.report.terminal", False, ".txt", (), ("width", "colour")),
        Format("html", "doctor.report.html", False, ".html", (".htm",)),
        Format("pdf", "doctor.report.pdf", True, ".pdf", (), ("paper",)),
        Format("json", "doctor.report.as_json", False, ".json"),
        Format("markdown", "doctor.report.markdown", False, ".md", (".markdown",), ("max_length",)),
        Format("bbcode", "doctor.report.bbcode", False, ".bbcode", (), ("max_length",)),
        Format("junit", "doctor.report.junit", False, ".xml"),
        Format("sarif", "doctor.report.sarif", False, ".sarif", (".sarif.json",)),
        Format("oscal", "doctor.report.oscal", False, ".oscal.json"),
        Format("csv", "doctor.report.table", False, ".csv"),
        Format("prometheus", "doctor.report.prometheus", False, ".prom"),
        Format("nagios", "doctor.report.nagios", False, ".nagios", (), ("fail_on",), plugin=True),
    )
}


def format_of(file: str) -> str:
    """The format that a file's ending asks for, the longest that fits; the terminal's if none.

    >>> [format_of(name) for name in ("Report.HTM", "post.md", "a.json", "a.oscal.json", "report")]
    ['html', 'markdown', 'json', 'oscal', 'terminal']
    """
    endings = {ending: form.name for form in FORMATS.values() for ending in (form.suffix, *form.endings)}
    fitting = [ending for ending in endings if file.lower().endswith(ending)]
    return endings[max(fitting, key=len)] if fitting else "terminal"


def checked(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options for the format `name`. Raises ValueError if there is no such format, or if it does not take them.

    >>> checked("json", {"width": 60})
    Traceback (most recent call last):
    ValueError: the format json does not take width
    """
    if name not in FORMATS:
        raise ValueError(f"no such format: {name}; there are {', '.join(FORMATS)}")
    others = [option for option in options if option not in FORMATS[name].takes]
    if others:
        raise ValueError(f"the format {name} does not take {', '.join(others)}")
    if options.get("max_length", SHORTEST) < SHORTEST:
        raise ValueError(f"max_length is at least {SHORTEST}")
    return options


def that_take(option: str) -> str:
    """The names of the formats that take an option, for people.

    >>> that_take("max_length")
    'markdown, bbcode'
    """
    return ", ".join(form.name for form in FORMATS.values() if option in form.takes)


def render(report: Report, name: str, **options: Any) -> str | bytes:
    """Write `report` in the format `name`; bytes if that is binary, else text.

    Only the renderer that is asked for is imported: WeasyPrint alone costs more than all the rest.
    """
    written: str | bytes = module_of(name).render(report, **options)
    return written


def module_of(name: str) -> Any:
    """The module that writes the format `name`."""
    return import_module(FORMATS[name].module)
