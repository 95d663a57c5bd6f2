"""What `check` hands over: which formats are asked for, where each goes, and how long it may be."""

from __future__ import annotations

import sys
from argparse import ArgumentError, ArgumentParser, ArgumentTypeError, Namespace, _AppendAction, _ArgumentGroup

import doctor
from doctor.output import complain, print_out, save
from doctor.report.formats import FORMATS, SHORTEST, format_of, module_of, that_take

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from doctor.report.model import Report

STATE = 1000  # added to the state that a plugin of monitoring found
OF_FORMATS = ("max_length", "paper")  # options that say nothing but how certain formats are written
QUIET = "quiet"  # no format of its own: the verdict in one line


class _Add(_AppendAction):
    """Pairs each --format with the -o that follows it; by its heritage, completion knows that both may be repeated."""

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        """`--format` opens a pair, `-o` completes the last one."""
        pairs: list[list[str | None]] = list(getattr(namespace, "outputs", None) or [])
        if option_string in ("--format", "-f"):
            pairs.append([str(values), None])
        elif pairs and pairs[-1][1] is None:
            pairs[-1][1] = str(values)
        else:
            pairs.append([None, str(values)])
        namespace.outputs = pairs


def output_options(parser: ArgumentParser) -> Callable[[_ArgumentGroup], None]:
    """The options that `wanted` reads; returns what adds the one that is rarely used to a group."""
    forms = tuple(FORMATS)
    parser.add_argument(
        *("--format", "-f"), action=_Add, choices=forms, dest="outputs", metavar="FORMAT", help=", ".join(forms)
    )
    parser.add_argument(
        "-o", "--output", action=_Add, dest="outputs", metavar="FILE", help="where it goes; -f and -o may be repeated"
    )
    parser.add_argument("--quiet", "-q", action="store_true", help="the verdict in one line")

    def rarely(group: _ArgumentGroup) -> None:
        group.add_argument(
            "--max-length",
            type=_length,
            metavar="N",
            help="for a post: at most N characters; what matters least is left out",
        )

        group.add_argument("--paper", choices=("a4", "letter"), help="pdf: the size of its pages (default: a4)")

    return rarely


def _length(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if number < SHORTEST:
        raise ArgumentTypeError(f"a number from {SHORTEST} on is expected")
    return number


def wanted(options: Namespace) -> list[tuple[str, str | None]] | None:
    """The formats that are asked for, each with its file or None; or None, when it is said what is wrong."""
    asked = options.outputs or ([] if options.quiet else [["terminal", None]])
    outputs = [(form or format_of(file), file) for form, file in asked]
    outputs += [(QUIET, None)] if options.quiet else []
    if sum(1 for _, file in outputs if file in (None, "-")) > 1:
        complain("only one format can go to standard output; give the others a file with -o")
        return None
    taken = {name for form, _ in outputs if form != QUIET for name in FORMATS[form].takes}
    for name in OF_FORMATS:
        if getattr(options, name) and name not in taken:
            complain(f"--{name.replace('_', '-')} is for these formats: {that_take(name)}")
            return None
    return outputs


def plugin_of(outputs: list[tuple[str, str | None]]) -> str | None:
    """The format that monitoring runs, if one of that kind goes to standard output."""
    here = [form for form, file in outputs if file in (None, "-") and form != QUIET]
    return next((form for form in here if FORMATS[form].plugin), None)


def plugin_asked(given: list[str]) -> str | None:
    """As `plugin_of`, of the words of a command line that may be wrong otherwise."""
    names = [form.name for form in FORMATS.values() if form.plugin]
    if not any(word.endswith(name) for word in given for name in names):
        return None  # what follows takes time
    parser = ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--format", "-f", action=_Add, dest="outputs")
    parser.add_argument("-o", "--output", action=_Add, dest="outputs")
    try:
        asked = parser.parse_known_args(given)[0].outputs or []
    except ArgumentError:
        return names[0]
    return plugin_of([(form, file) for form, file in asked if form in FORMATS])


def plugin_status(report: Report, form: str, fail_on: str) -> int:
    """The state that the format `form` gives a report, above every exit status of passdoctor's own."""
    state: int = module_of(form).state(report, fail_on)
    return STATE + state


def deliver(report: Report, form: str, file: str | None, options: Namespace) -> str | None:
    """Renders one format to its file or to standard output; what went wrong, in one line, or None."""
    if form == QUIET:
        from doctor.report.sayings import one_line

        return print_out(one_line(report).encode("utf-8", "surrogateescape"))
    if FORMATS[form].binary and file in (None, "-") and sys.stdout.isatty():
        from doctor.say import say

        return say("{form} is not for a terminal; name a file with -o", form=form)
    how = {name: getattr(options, name) for name in FORMATS[form].takes if hasattr(options, name)}
    if form == "terminal" and file not in (None, "-"):
        how = {"colour": False}  # whatever standard output is, a file is none
    try:
        written = doctor.render(report, form, **how)
    except RuntimeError as error:
        if type(error).__name__ != "PangoMissing":
            raise
        return str(error)
    except ModuleNotFoundError as error:
        package = error.name or ""
        if package.partition(".")[0] == "doctor":
            raise
        from doctor.say import say

        return say("{form} needs the Python package {package}, which is not installed", form=form, package=package)
    data = written.encode("utf-8", "surrogateescape") if isinstance(written, str) else written
    if file in (None, "-"):
        return print_out(data)
    return save(str(file), data)
