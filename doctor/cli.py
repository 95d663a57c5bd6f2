"""The command line: parses words, calls the rooms, prints, and sets the exit code."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from doctor import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from doctor.examine import Terms
    from doctor.report.model import Report

FORMATS = ("terminal", "html", "pdf", "json")
LEVELS = ("blocker", "risk", "advice", "never")
USAGE = 2
_EXAMPLES = """examples:
  sudo passdoctor collect                       gather evidence into a bundle
  sudo passdoctor check                         examine this host
  passdoctor check BUNDLE --format html -o report.html --format pdf -o report.pdf
  dmesg | passdoctor check -                    examine a paste
  passdoctor check paste.txt --device 01:00.0   for this device
"""


class _Add(argparse.Action):
    """Pairs each --format with the -o that follows it."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
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


def main(arguments: list[str] | None = None) -> int:
    """Runs `passdoctor` with `arguments` (sys.argv's by default) and returns its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        if given[:1] == ["collect"]:
            from doctor.collect.__main__ import main as collect

            return collect(given[1:])
        options = _parser(given[0] if given else "").parse_args(given)
        command: Callable[[argparse.Namespace], int] = options.run
        return command(options)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if _expected(error):
            _complain(str(error))
        elif os.environ.get("PASSDOCTOR_TRACEBACK"):
            raise
        else:
            # A traceback would end with status 1, which says that a check failed.
            _complain(
                f"an error of passdoctor itself: {type(error).__name__}: {error}; with PASSDOCTOR_TRACEBACK=1 it "
                "shows where, and `passdoctor case` makes a report of it"
            )
        return USAGE


def _expected(error: Exception) -> bool:
    """Whether an error is meant for the user's eyes."""
    from doctor.evidence.types import InputError

    known = type(error).__name__ in ("KnowledgeError", "UnknownDevice", "CaseError")
    return isinstance(error, (InputError, OSError)) or known


def _complain(text: str) -> None:
    """One clear line on standard error, whatever control characters a file name holds."""
    line = " ".join(text.split())
    print("passdoctor: " + "".join(c if c.isprintable() else "?" for c in line), file=sys.stderr)


def _parser(wanted: str) -> argparse.ArgumentParser:
    """All commands; the options only of the one that is `wanted`, for the others cost a start as well."""
    parser = argparse.ArgumentParser(
        prog="passdoctor",
        description="Tells whether a PCI device can be given to a virtual machine, why not, and what to type.",
        epilog=_EXAMPLES,
        formatter_class=_formatter,
    )
    parser.add_argument("--version", action="version", version=f"passdoctor {__version__}")
    # With `prog` given, argparse need not format a usage line (and import what that takes) for its sake.
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", prog="passdoctor")
    commands.add_parser("collect", help="gather this host's evidence into a bundle", add_help=False)
    for name, (text, fill) in _COMMANDS.items():
        if name == wanted or wanted not in _COMMANDS:
            fill(commands.add_parser(name, help=text, formatter_class=_formatter))
    return parser


def _formatter(prog: str) -> argparse.HelpFormatter:
    """A formatter that is told its width: finding it out would import shutil at every start."""
    columns = os.environ.get("COLUMNS", "")
    return argparse.RawDescriptionHelpFormatter(prog, width=int(columns) - 2 if columns.isdigit() else 98)


def _explain_options(explain: argparse.ArgumentParser) -> None:
    explain.add_argument("check", metavar="CHECK")
    explain.add_argument("--rules", metavar="PATH")
    explain.set_defaults(run=_explain)


def _rules_options(rules: argparse.ArgumentParser) -> None:
    rules.add_argument("action", choices=("list", "lint", "profiles"))
    rules.add_argument("--rules", metavar="PATH", help="rules of your own, a file or a folder")
    rules.set_defaults(run=_rules)


def _facts_options(facts: argparse.ArgumentParser) -> None:
    facts.add_argument("input", nargs="?", metavar="INPUT", help="as of check; none: this host")
    facts.add_argument("--format", "-f", choices=("text", "json"), default="text")
    facts.add_argument("-o", "--output", metavar="FILE")
    facts.set_defaults(run=_facts)


def _case_options(case: argparse.ArgumentParser) -> None:
    case.add_argument("input", metavar="INPUT")
    case.add_argument("--check", metavar="CHECK", help="the check that the case is for")
    case.add_argument("--device", metavar="DEVICE")
    case.add_argument("--expect", metavar="STATUS", help="the status that it should have, if not the present one")
    case.add_argument("-o", "--output", metavar="FILE")
    case.set_defaults(run=_case)


def _check_options(check: argparse.ArgumentParser) -> None:
    check.epilog = _EXAMPLES
    check.add_argument(
        "input",
        nargs="?",
        metavar="INPUT",
        help="bundle, directory, sosreport, diagnostics, paste, or - ; none: this host",
    )
    check.add_argument(
        "--device",
        action="append",
        default=[],
        metavar="DEVICE",
        help="01:00.0, 01:00 (a slot) or vvvv:dddd; repeatable",
    )
    check.add_argument(
        "--format", "-f", action=_Add, choices=FORMATS, dest="outputs", help="repeatable, each with its -o"
    )
    check.add_argument(
        "-o", "--output", action=_Add, dest="outputs", metavar="FILE", help="where the format before it goes"
    )
    check.add_argument(
        "--fail-on",
        choices=LEVELS,
        default="blocker",
        help="exit 1 at this severity or above (default: blocker)",
    )
    _judging_options(check)
    check.set_defaults(run=_check)


def _judging_options(parser: argparse.ArgumentParser) -> None:
    """How an input is judged."""
    parser.add_argument(
        "--profile", metavar="NAME", help="whom it is for: passdoctor rules profiles lists them; or a file of your own"
    )
    parser.add_argument("--waivers", metavar="FILE", help="failures that somebody answers for, until a day")
    parser.add_argument("--rules", metavar="PATH", help="rules of your own beside the built-in ones")
    parser.add_argument("--lang", metavar="CODE", help="the language, such as zh_CN; without it, as LC_MESSAGES says")


def _compare_options(compare: argparse.ArgumentParser) -> None:
    compare.add_argument("before", metavar="BEFORE", help="as of check, or a JSON report that it wrote")
    compare.add_argument("after", nargs="?", metavar="AFTER", help="the same; none: this host")
    compare.add_argument("--device", action="append", default=[], metavar="DEVICE", help="as of check")
    compare.add_argument("--format", "-f", choices=("terminal", "json"), default="terminal")
    compare.add_argument("-o", "--output", metavar="FILE")
    _judging_options(compare)
    compare.set_defaults(run=_compare)


_COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "check": ("examine an input or this host", _check_options),
    "facts": ("every fact read from an input, its lines, and what nobody read", _facts_options),
    "compare": ("what was mended, what broke, what is unchanged between two inputs", _compare_options),
    "explain": ("what a check asks, why, and its remedies", _explain_options),
    "rules": ("list or lint the rules", _rules_options),
    "case": ("write a redacted rule case from an input", _case_options),
}


def _check(options: argparse.Namespace) -> int:
    """`passdoctor check`."""
    from doctor.examine import examine

    outputs = [(form or _format_of(file), file) for form, file in options.outputs or [["terminal", None]]]
    if sum(1 for _, file in outputs if file in (None, "-")) > 1:
        _complain("only one format can go to standard output; give the others a file with -o")
        return USAGE
    progress = _Progress()
    try:
        progress.say(f"examining {options.input or 'this host'}")
        report = examine(options.input, progress=progress.say, terms=_terms(options))
        failed = []
        # What goes to files first: standard output is written to when the progress line is gone.
        for form, file in sorted(outputs, key=lambda output: output[1] in (None, "-")):
            progress.say(f"writing {form}")
            if file in (None, "-"):
                progress.end()
            failed += [problem for problem in [_write(report, form, file)] if problem]
    finally:
        progress.end()
    for problem in failed:
        _complain(problem)
    return USAGE if failed else exit_code(report, options.fail_on)


def _terms(options: argparse.Namespace) -> Terms:
    """How an input is to be judged."""
    from doctor.examine import Terms
    from doctor.knowledge.store import choose_language

    language = choose_language(options.lang, os.environ)
    return Terms(tuple(options.device), options.rules, options.profile, options.waivers, language=language)


def _compare(options: argparse.Namespace) -> int:
    """`passdoctor compare BEFORE AFTER`."""
    from doctor.compare import compare_inputs
    from doctor.report import comparison

    progress = _Progress()
    try:
        found = compare_inputs(options.before, options.after, _terms(options), progress.say)
    finally:
        progress.end()
    plain = None if options.output in (None, "-") else False
    text = comparison.as_json(found) if options.format == "json" else comparison.as_text(found, colour=plain)
    return USAGE if _put(text, options.output) else int(bool(found["broken"]))


def _put(text: str, file: str | None) -> bool:
    """Writes a text to a file or to standard output; whether that failed, which it says."""
    data = text.encode("utf-8", "surrogateescape")
    problem = _print(data) if file in (None, "-") else _save(str(file), data)
    if problem:
        _complain(problem)
    return problem is not None


def _format_of(file: str | None) -> str:
    """The format that a file's ending asks for."""
    ending = (file or "").lower().rpartition(".")[2]
    return {"html": "html", "htm": "html", "pdf": "pdf", "json": "json"}.get(ending, "terminal")


def _write(report: Report, form: str, file: str | None) -> str | None:
    """Renders one format to its file or to standard output; what went wrong, in one line, or None."""
    from doctor.report.formats import FORMATS as KNOWN
    from doctor.report.formats import render

    if KNOWN[form].binary and file in (None, "-") and sys.stdout.isatty():
        return f"{form} is not for a terminal; name a file with -o"
    try:
        written = render(report, form)
    except RuntimeError as error:
        if type(error).__name__ != "PangoMissing":
            raise
        return str(error)
    data = written.encode("utf-8", "surrogateescape") if isinstance(written, str) else written
    if file in (None, "-"):
        return _print(data)
    return _save(str(file), data)


def _print(data: bytes) -> str | None:
    """Writes to standard output; a reader that went away is no error."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data if data.endswith(b"\n") else data + b"\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return None


def _save(name: str, data: bytes) -> str | None:
    """Writes a file whole or not at all; a device or a pipe is written to, never replaced."""
    from pathlib import Path

    path = Path(os.path.realpath(name))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return None
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        return f"{name}: {error.strerror or error}"
    return None


def exit_code(report: Report, level: str) -> int:
    """The exit code of `check`: 1 a failure at `level` or above, 3 undetermined, else 0."""
    if level == "never":
        return 0
    counted = LEVELS[: LEVELS.index(level) + 1]
    if any(check["status"] == "fail" and check["severity"] in counted for check in report["checks"]):
        return 1
    return 3 if report["summary"]["verdict"] == "undetermined" else 0


class _Progress:
    """A line on standard error for what takes longer than a second, on a terminal only."""

    def __init__(self) -> None:
        self._text, self._shown, self._late = "", False, False
        self._timer = None
        if sys.stderr.isatty():
            from threading import Timer

            self._timer = Timer(1.0, self._begin)
            self._timer.daemon = True
            self._timer.start()

    def _begin(self) -> None:
        """The second is over: from now on every step is shown."""
        self._late = True
        self._show()

    def _show(self) -> None:
        if self._text:
            self._shown = True
            print(f"\r\x1b[K{self._text[:70]}", end="", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """What is being done now."""
        self._text = "".join(c if c.isprintable() else "?" for c in text)
        if self._late:
            self._show()

    def end(self) -> None:
        """Takes the line away."""
        if self._timer is not None:
            self._timer.cancel()
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _facts(options: argparse.Namespace) -> int:
    """`passdoctor facts INPUT`."""
    from doctor.examine import facts
    from doctor.report import factsheet

    write = factsheet.as_json if options.format == "json" else factsheet.as_text
    return USAGE if _put(write(*facts(options.input)), options.output) else 0


def _explain(options: argparse.Namespace) -> int:
    """`passdoctor explain CHECK`."""
    from doctor.knowledge.explain import explain

    print(explain(options.check, options.rules))
    return 0


def _rules(options: argparse.Namespace) -> int:
    """`passdoctor rules list|lint|profiles`."""
    if options.action in ("list", "profiles"):
        from doctor.knowledge import explain

        print((explain.listing if options.action == "list" else explain.profiles)(options.rules))
        return 0
    from doctor.lint import lint

    problems = lint(options.rules)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print("rules: no problem found")
    return USAGE if problems else 0


def _case(options: argparse.Namespace) -> int:
    """`passdoctor case INPUT`."""
    from doctor.case import write_case

    text = write_case(options.input, options.check, options.device, options.expect)
    return USAGE if _put(text, options.output) else 0
