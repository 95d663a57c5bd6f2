"""What `check` hands over: which formats are asked for, where each goes, and how long it may be."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _AppendAction
from typing import TYPE_CHECKING

from doctor.output import complain, print_out, save
from doctor.report.formats import FORMATS, SHORTEST, format_of, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doctor.report.model import Report

DRAWN = frozenset(form.name for form in FORMATS.values() if form.drawn)
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


def output_options(parser: ArgumentParser) -> None:
    """The options that `wanted` reads."""
    parser.add_argument(
        "--format", "-f", action=_Add, choices=tuple(FORMATS), dest="outputs", help="repeatable, each with its -o"
    )
    parser.add_argument(
        "-o", "--output", action=_Add, dest="outputs", metavar="FILE", help="where the format before it goes"
    )
    parser.add_argument(
        "--max-length",
        type=_length,
        metavar="N",
        help="markdown, bbcode: at most N characters; what matters least is left out",
    )
    parser.add_argument("--paper", choices=("a4", "letter"), help="pdf: the size of its pages (default: a4)")
    parser.add_argument("--quiet", "-q", action="store_true", help="the verdict in one line")


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
    if options.max_length and not any(form != QUIET and FORMATS[form].limited for form, _ in outputs):
        complain("--max-length is for the formats markdown and bbcode")
        return None
    if options.paper and not any(form != QUIET and FORMATS[form].paged for form, _ in outputs):
        complain("--paper is for the format pdf")
        return None
    return outputs


def deliver(
    report: Report, form: str, file: str | None, max_length: int | None = None, paper: str | None = None
) -> str | None:
    """Renders one format to its file or to standard output; what went wrong, in one line, or None."""
    if form == QUIET:
        from doctor.report.sayings import one_line

        return print_out(one_line(report).encode("utf-8", "surrogateescape"))
    if FORMATS[form].binary and file in (None, "-") and sys.stdout.isatty():
        from doctor.say import say

        return say("{form} is not for a terminal; name a file with -o", form=form)
    how: dict[str, object] = {"max_length": max_length} if FORMATS[form].limited else {}
    if FORMATS[form].paged and paper:
        how = {"paper": paper}
    if form == "terminal" and file not in (None, "-"):
        how = {"colour": False}  # whatever standard output is, a file is none
    try:
        written = render(report, form, **how)
    except RuntimeError as error:
        if type(error).__name__ != "PangoMissing":
            raise
        return str(error)
    data = written.encode("utf-8", "surrogateescape") if isinstance(written, str) else written
    if file in (None, "-"):
        return print_out(data)
    return save(str(file), data)
