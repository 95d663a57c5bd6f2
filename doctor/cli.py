"""The command line: parses words, calls the rooms, prints, and sets the exit code."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from doctor import __version__, output
from doctor.output import Progress, complain, put

if TYPE_CHECKING:
    from collections.abc import Callable

    from doctor.abroad import Interpreter
    from doctor.examine import Terms
    from doctor.report.model import Report

PLANS = ("terminal", "sh", "diff", "json")
LEVELS = ("blocker", "risk", "advice", "never")
USAGE = 2
_ENGLISH = ("", "c", "posix", "en", "en_us", "en_gb")  # the most frequent; others find out that there is none
_EXAMPLES = """examples:
  sudo passdoctor collect                       gather evidence into a bundle
  sudo passdoctor check                         examine this host
  passdoctor check BUNDLE --format html -o report.html --format pdf -o report.pdf
  dmesg | passdoctor check -                    examine a paste
  passdoctor check paste.txt --device 01:00.0   for this device
"""
_COMPLETION = """examples:
  passdoctor completion bash > ~/.local/share/bash-completion/completions/passdoctor
  passdoctor completion zsh > ~/.zfunc/_passdoctor          where $fpath has ~/.zfunc
  passdoctor completion fish > ~/.config/fish/completions/passdoctor.fish
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs `passdoctor` with `arguments` (sys.argv's by default) and returns its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        if given[:1] == ["collect"]:
            from doctor.collect.__main__ import main as collect

            return collect(given[1:])
        options = _parser(given[0] if given else "", _abroad(given)).parse_args(given)
        command: Callable[[argparse.Namespace], int] = options.run
        return command(options)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if _expected(error):
            complain(str(error))
        elif os.environ.get("PASSDOCTOR_TRACEBACK"):
            raise
        else:
            # A traceback would end with status 1, which says that a check failed.
            complain(
                f"an error of passdoctor itself: {type(error).__name__}: {error}; with PASSDOCTOR_TRACEBACK=1 it "
                "shows where, and `passdoctor case` makes a report of it"
            )
        return USAGE


def _expected(error: Exception) -> bool:
    """Whether an error is meant for the user's eyes."""
    from doctor.evidence.types import InputError

    known = type(error).__name__ in (
        "KnowledgeError",
        "UnknownDevice",
        "CaseError",
        "DangerousPlanError",
        "NoCompletion",
    )
    return isinstance(error, (InputError, OSError)) or known


def _abroad(given: list[str]) -> Interpreter | None:
    """Who says help and errors in another language; None for English, which imports nothing."""
    output.interpret = None
    words = [os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    code = next(filter(None, words), "").lower()
    if not any(word.startswith("--lang") for word in given) and code.partition(".")[0] in _ENGLISH:
        return None
    from doctor.abroad import interpreter

    found = interpreter(given, os.environ)
    output.interpret = found.tell if found else None
    return found


def _parser(wanted: str, abroad: Interpreter | None = None) -> argparse.ArgumentParser:
    """All commands; the options only of the one that is `wanted`, for the others cost a start as well."""
    made = abroad.parser() if abroad else argparse.ArgumentParser
    formatter = abroad.formatter(_columns()) if abroad else _formatter
    parser = made(
        prog="passdoctor",
        description="Tells whether a PCI device can be given to a virtual machine, why not, and what to type.",
        epilog=_EXAMPLES,
        formatter_class=formatter,
    )
    parser.add_argument("--version", action="version", version=f"passdoctor {__version__}")
    # With `prog` given, argparse need not format a usage line (and import what that takes) for its sake.
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", prog="passdoctor")
    commands.add_parser("collect", help="gather this host's evidence into a bundle", add_help=False)
    for name, (text, fill) in _COMMANDS.items():
        if name == wanted or wanted not in _COMMANDS:
            fill(commands.add_parser(name, help=text, formatter_class=formatter))
    return parser


def _formatter(prog: str) -> argparse.HelpFormatter:
    """A formatter that is told its width: finding it out would import shutil at every start."""
    return argparse.RawDescriptionHelpFormatter(prog, width=_columns())


def _columns() -> int:
    columns = os.environ.get("COLUMNS", "")
    return int(columns) - 2 if columns.isdigit() else 98


def _explain_options(explain: argparse.ArgumentParser) -> None:
    explain.add_argument("check", metavar="CHECK")
    explain.add_argument("--rules", metavar="PATH")
    explain.set_defaults(run=_explain)


def _completion_options(completion: argparse.ArgumentParser) -> None:
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))
    completion.epilog = _COMPLETION
    completion.set_defaults(run=_completion)


def _rules_options(rules: argparse.ArgumentParser) -> None:
    rules.add_argument("action", choices=("list", "lint", "profiles"))
    rules.add_argument("--rules", metavar="PATH", help="rules of your own, a file or a folder")
    rules.set_defaults(run=_rules)


def _facts_options(facts: argparse.ArgumentParser) -> None:
    facts.add_argument("input", nargs="?", metavar="INPUT", help="as of check; none: this host")
    facts.add_argument("--format", "-f", choices=("text", "json"), default="text")
    facts.add_argument("-o", "--output", metavar="FILE")
    facts.set_defaults(run=_facts)


def _plan_options(plan: argparse.ArgumentParser) -> None:
    plan.add_argument("input", nargs="?", metavar="INPUT", help="as of check; none: this host")
    plan.add_argument("--device", action="append", default=[], metavar="DEVICE", help="as of check")
    plan.add_argument(
        "--format", "-f", choices=PLANS, default="terminal", help="sh: a script to review and run; diff: the edits"
    )
    plan.add_argument("--undo", action="store_true", help="with --format sh: the script that takes the plan back")
    plan.add_argument("--optional", action="store_true", help="with --format sh: what is optional, too")
    plan.add_argument("--i-know", action="store_true", help="a script even if it takes from the host what it needs")
    plan.add_argument("-o", "--output", metavar="FILE")
    _judging_options(plan)
    plan.set_defaults(run=_plan)


def _case_options(case: argparse.ArgumentParser) -> None:
    case.add_argument("input", metavar="INPUT")
    case.add_argument("--check", metavar="CHECK", help="the check that the case is for")
    case.add_argument("--device", metavar="DEVICE")
    case.add_argument("--expect", metavar="STATUS", help="the status that it should have, if not the present one")
    case.add_argument("-o", "--output", metavar="FILE")
    case.set_defaults(run=_case)


def _check_options(check: argparse.ArgumentParser) -> None:
    from doctor.deliver import output_options

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
    output_options(check)
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


def _redact_options(redact: argparse.ArgumentParser) -> None:
    redact.add_argument("input", metavar="INPUT", help="a bundle, a folder, another tool's archive, a paste, or -")
    redact.add_argument("-o", "--output", metavar="FILE", help="a new file, of the same kind")
    redact.add_argument("--map", metavar="FILE", help="a new file for what stands for what; keep it to yourself")
    redact.add_argument("--audit", action="store_true", help="write nothing; say what still looks private (exit 1)")
    redact.set_defaults(run=_redact)


_COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "check": ("examine an input or this host", _check_options),
    "plan": ("what to type, or a script that does it", _plan_options),
    "facts": ("every fact read from an input, its lines, and what nobody read", _facts_options),
    "compare": ("what was mended, what broke, what is unchanged between two inputs", _compare_options),
    "explain": ("what a check asks, why, and its remedies", _explain_options),
    "rules": ("list or lint the rules", _rules_options),
    "redact": ("replace what is private in a bundle, a paste or another tool's archive", _redact_options),
    "case": ("write a redacted rule case from an input", _case_options),
    "completion": ("print what lets a shell complete these commands", _completion_options),
}


def _check(options: argparse.Namespace) -> int:
    """`passdoctor check`."""
    from doctor.deliver import DRAWN, deliver, wanted
    from doctor.examine import examine

    outputs = wanted(options)
    if outputs is None:
        return USAGE
    progress = Progress()
    try:
        progress.say(f"examining {options.input or 'this host'}")
        terms = _terms(options)._replace(tree=any(form in DRAWN for form, _ in outputs))
        report = examine(options.input, progress=progress.say, terms=terms)
        failed: list[str] = []
        # What goes to files first: standard output is written to when the progress line is gone.
        for form, file in sorted(outputs, key=lambda output: output[1] in (None, "-")):
            progress.say(f"writing {form}")
            if file in (None, "-"):
                progress.end()
            failed += filter(None, [deliver(report, form, file, options.max_length, options.paper)])
    finally:
        progress.end()
    for problem in failed:
        complain(problem)
    return USAGE if failed else exit_code(report, options.fail_on)


def _terms(options: argparse.Namespace) -> Terms:
    """How an input is to be judged."""
    from doctor.examine import Terms
    from doctor.knowledge.store import choose_language

    language = choose_language(options.lang, os.environ)
    given = (tuple(options.device), options.rules, options.profile, options.waivers)
    return Terms(*given, language=language, tree=False)


def _plan(options: argparse.Namespace) -> int:
    """`passdoctor plan INPUT`."""
    from doctor.examine import plan

    progress = Progress()
    try:
        progress.say(f"examining {options.input or 'this host'}")
        # A script does what is needed; what a person reads names the rest as well.
        terms = _terms(options)._replace(optional=options.optional or options.format != "sh")
        how = {"undo": options.undo, "knowing": options.i_know} if options.format == "sh" else {}
        text = plan(options.input, terms, options.format, progress.say, **how)
    finally:
        progress.end()
    return USAGE if put(text, options.output) else 0


def _compare(options: argparse.Namespace) -> int:
    """`passdoctor compare BEFORE AFTER`."""
    from doctor.compare import compare_inputs
    from doctor.report import comparison

    progress = Progress()
    try:
        found = compare_inputs(options.before, options.after, _terms(options), progress.say)
    finally:
        progress.end()
    plain = None if options.output in (None, "-") else False
    text = comparison.as_json(found) if options.format == "json" else comparison.as_text(found, colour=plain)
    return USAGE if put(text, options.output) else int(bool(found["broken"]))


def exit_code(report: Report, level: str) -> int:
    """The exit code of `check`: 1 a failure at `level` or above, 3 undetermined, else 0."""
    if level == "never":
        return 0
    counted = LEVELS[: LEVELS.index(level) + 1]
    if any(check["status"] == "fail" and check["severity"] in counted for check in report["checks"]):
        return 1
    return 3 if report["summary"]["verdict"] == "undetermined" else 0


def _facts(options: argparse.Namespace) -> int:
    """`passdoctor facts INPUT`."""
    from doctor.examine import facts
    from doctor.report import factsheet

    write = factsheet.as_json if options.format == "json" else factsheet.as_text
    return USAGE if put(write(*facts(options.input)), options.output) else 0


def _explain(options: argparse.Namespace) -> int:
    """`passdoctor explain CHECK`."""
    from doctor.knowledge.explain import explain

    return USAGE if put(explain(options.check, options.rules), None) else 0


def _completion(options: argparse.Namespace) -> int:
    """`passdoctor completion SHELL`."""
    from doctor.collect.__main__ import make_parser
    from doctor.completion import script

    return USAGE if put(script(_parser(""), {"collect": make_parser()}, options.shell), None) else 0


def _rules(options: argparse.Namespace) -> int:
    """`passdoctor rules list|lint|profiles`."""
    if options.action in ("list", "profiles"):
        from doctor.knowledge import explain

        text = (explain.listing if options.action == "list" else explain.profiles)(options.rules)
        return USAGE if put(text, None) else 0
    from doctor.lint import lint

    problems = lint(options.rules)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        put("rules: no problem found", None)
    return USAGE if problems else 0


def _case(options: argparse.Namespace) -> int:
    """`passdoctor case INPUT`."""
    from doctor.case import write_case

    text = write_case(options.input, options.check, options.device, options.expect)
    return USAGE if put(text, options.output) else 0


def _redact(options: argparse.Namespace) -> int:
    """`passdoctor redact INPUT`."""
    from doctor.redacting import audit_input, redact_input

    if options.audit:
        leaks = audit_input(options.input)
        put("\n".join([*leaks, f"{len(leaks)} found"] if leaks else ["nothing found"]), None)
        return int(bool(leaks))
    if options.output is None:
        complain("redact: name a new file with -o, or --audit")
        return USAGE
    return USAGE if put("\n".join(redact_input(options.input, options.output, options.map)), None) else 0
