"""The command line: parses words, calls the rooms, prints, and sets the exit code.

`check` is here; the other commands are in `doctor/commands.py`, which a check does not import.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys

import doctor
from doctor import output
from doctor.output import Progress, complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any, NoReturn

    from doctor.abroad import Interpreter
    from doctor.report.model import Report

LEVELS = ("blocker", "risk", "advice", "never")
USAGE = 2
RARE = "rarely used options"  # the title of the group that only --help-all shows
_ENGLISH = ("", "c", "posix", "en", "en_us", "en_gb")  # the most frequent; others find out that there is none
_COMMANDS = {
    "check": "examine an input or this host",
    "plan": "what to type, or a script that does it",
    "facts": "every fact read from an input, its lines, and what nobody read",
    "compare": "what was mended and what broke between two inputs",
    "explain": "what a check asks, why, and its remedies",
    "rules": "list or lint the rules, or list the profiles",
    "collect": "gather this host's evidence into a bundle",
    "redact": "replace what is private in a bundle, a paste or an archive",
    "case": "write a redacted rule case from an input",
    "completion": "print what lets a shell complete these commands",
}
_EXAMPLES = {
    "": """examples:
  sudo passdoctor check                       examine this host
  dmesg | passdoctor check -                  examine a paste
  passdoctor COMMAND --help                   the options of a command""",
    "check": """examples:
  sudo passdoctor check                                this host
  dmesg | passdoctor check -                           a paste
  passdoctor check post.txt --device 01:00.0           for this device
  passdoctor check host.tar.gz -o report.html          as a page
  passdoctor check host.tar.gz -f pdf -o a.pdf -f json -o a.json""",
    "plan": """examples:
  passdoctor plan host.tar.gz                      what to type, step by step
  passdoctor plan host.tar.gz -f sh -o plan.sh     a script to review and run
  passdoctor plan host.tar.gz -f sh --undo         what takes it back""",
    "facts": """examples:
  passdoctor facts post.txt
  passdoctor facts host.tar.gz --format json -o facts.json""",
    "compare": """examples:
  passdoctor compare before.tar.gz after.tar.gz    exit 1: something broke
  sudo passdoctor compare report.json              a report, and this host now""",
    "explain": """examples:
  passdoctor rules list                            what checks there are
  passdoctor explain iommu-active""",
    "rules": """examples:
  passdoctor rules list
  passdoctor rules lint --rules my-rules/""",
    "redact": """examples:
  passdoctor redact host.tar.gz -o clean.tar.gz
  passdoctor redact --audit post.txt               exit 1: something is left""",
    "case": """examples:
  passdoctor case post.txt                         of what failed first
  passdoctor case post.txt --check iommu-active --expect pass -o case.yaml""",
    "collect": """examples:
  sudo passdoctor collect -o host.tar.gz
  sudo passdoctor collect --preview | less         what would be shared""",
    "completion": """examples:
  passdoctor completion bash >~/.passdoctor.bash   source it in ~/.bashrc
  passdoctor completion zsh >~/.zfunc/_passdoctor  where $fpath has ~/.zfunc
  passdoctor completion fish >~/.config/fish/completions/passdoctor.fish""",
}


def start() -> NoReturn:
    """The console script: `main`, after which the interpreter is not taken apart, which took a tenth of a check."""
    try:
        status = main()
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            raise
        status = end.code or 0
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:  # noqa: SIM105 # contextlib takes longer than the flushing
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass  # a reader that went away is no error; what could not be written was said before
    os._exit(status)


def main(arguments: list[str] | None = None) -> int:
    """Runs `passdoctor` with `arguments` (sys.argv's by default) and returns its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    # A run is short and makes few circles: looking for them as often as a server must takes a twentieth of it.
    gc.set_threshold(50_000, 20, 20)
    if given[:1] == ["check"]:
        from doctor.deliver import plugin_asked

        if form := plugin_asked(given):
            from doctor.plugin import run

            return run(form, _main, given)
    return _main(given)


def _main(given: list[str]) -> int:
    """The command, and what is said if it fails."""
    try:
        abroad = _abroad(given)
        if given[:1] == ["collect"] and abroad is None:
            status = _collect_at_once(given[1:])
            if status is not None:
                return status
        options = _parser(given[0] if given else None, abroad).parse_args(given)
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


def _collect_at_once(given: list[str]) -> int | None:
    """`passdoctor collect` in English with the usual words, without loading argparse; None if that does not do."""
    from doctor.collect.__main__ import plain, run
    from doctor.collect.say import speak

    options = plain(given)
    if options is None:
        return None
    speak()
    return run(options)


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


def _parser(wanted: str | None = "", abroad: Interpreter | None = None) -> argparse.ArgumentParser:
    """All commands; the options only of the one that is `wanted`, for others cost a start as well; of all for ""."""
    import argparse

    # argparse asks gettext for its own few words, which imports locale and looks for eight files at every start. No
    # Python ships a translation of them; passdoctor's own is in doctor/abroad.py.
    argparse._ = lambda text: text  # type: ignore[attr-defined]
    made = abroad.parser() if abroad else argparse.ArgumentParser

    whole = False

    def formatter(prog: str) -> argparse.HelpFormatter:
        if not whole:  # argparse asks one about every option that is added
            return argparse.HelpFormatter(prog, width=80)
        from doctor.manual import Formatter

        return (abroad.formatter() if abroad else Formatter)(prog, _columns())

    parser = made(
        prog="passdoctor",
        usage="passdoctor COMMAND [OPTION]...",
        description="Can a PCI device be given to a virtual machine? If not, why, and what to type.",
        epilog=_EXAMPLES[""],
        formatter_class=formatter,
    )
    parser.add_argument("--version", action="version", version=f"passdoctor {doctor.__version__}")
    # With `prog` given, argparse need not format a usage line (and import what that takes) for its sake.
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", prog="passdoctor", title="commands"
    )
    for name, text in _COMMANDS.items():
        if wanted in (name, "") or wanted not in _COMMANDS:
            command = commands.add_parser(
                name,
                help=text,
                epilog=_EXAMPLES[name],
                formatter_class=formatter,
            )
            if wanted in (name, ""):
                _options(name, command)
    whole = True
    return parser


def _options(name: str, command: argparse.ArgumentParser) -> None:
    """Gives a command its options."""
    if name == "check":
        _check_options(command)
    else:
        from doctor.commands import OPTIONS

        OPTIONS[name](command)


def _columns() -> int:
    """The screen's width; asked here, for argparse would import shutil for it."""
    columns = os.environ.get("COLUMNS", "")
    try:
        width = int(columns) if columns.isdigit() else os.get_terminal_size(1).columns
    except (OSError, ValueError):
        width = 80
    return min(max(width, 40), 100) - 2


def rare(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """The group of the options that only --help-all shows."""
    import argparse

    class ShowAll(argparse.Action):
        """--help-all."""

        def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
            """Prints the help with all options, and ends."""
            from doctor.manual import show_all

            show_all(parser)

    parser.add_argument("--help-all", action=ShowAll, nargs=0, help="show the rarely used options, too")
    return parser.add_argument_group(RARE)


def _check_options(check: argparse.ArgumentParser) -> None:
    from doctor.deliver import output_options

    check.usage = "passdoctor check [INPUT] [OPTION]..."
    check.add_argument(
        "input",
        nargs="?",
        metavar="INPUT",
        help="a bundle, folder, sosreport or paste; none: this host",
    )
    check.add_argument(
        "--device",
        action="append",
        default=[],
        metavar="DEVICE",
        help="01:00.0, 01:00 (a slot) or vvvv:dddd; repeatable",
    )
    length = output_options(check)
    check.add_argument(
        "--fail-on",
        choices=LEVELS,
        default="blocker",
        metavar="LEVEL",
        help="exit 1 from blocker (default), risk or advice on; never",
    )
    length(judging_options(check))
    check.set_defaults(run=_check)


def judging_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """How an input is judged; returns the group for options that are rarely used."""
    parser.add_argument("--profile", metavar="NAME", help="whom it is for: passdoctor rules profiles lists them")
    language_option(parser)
    rarely = rare(parser)
    rarely.add_argument("--waivers", metavar="FILE", help="failures that somebody answers for, until a day")
    rarely.add_argument("--rules", metavar="PATH", help="rules of your own beside the built-in ones")
    return rarely


def language_option(parser: argparse.ArgumentParser) -> None:
    """The option for another language than the environment's."""
    parser.add_argument("--lang", metavar="CODE", help="the language, such as zh_CN; else as LC_MESSAGES says")


def _check(options: argparse.Namespace) -> int:
    """`passdoctor check`."""
    from doctor.deliver import deliver, plugin_of, plugin_status, wanted

    outputs = wanted(options)
    if outputs is None:
        return USAGE
    plugin = plugin_of(outputs)
    progress = Progress()
    try:
        report = doctor.examine(options.input, options.device, progress=progress.say, **judged(options))
        failed: list[str] = []
        # What goes to files first: standard output is written to when the progress line is gone.
        for form, file in sorted(outputs, key=lambda output: output[1] in (None, "-")):
            progress.say(f"writing {form}")
            if file in (None, "-"):
                progress.end()
                if failed and plugin:
                    break  # its first line is the state, which is now that it failed
            failed += filter(None, [deliver(report, form, file, options)])
    finally:
        progress.end()
    for problem in failed:
        complain(problem)
    if failed:
        return USAGE
    return plugin_status(report, plugin, options.fail_on) if plugin else exit_code(report, options.fail_on)


def judged(options: argparse.Namespace) -> dict[str, Any]:
    """How an input is to be judged, as `doctor.examine` takes it."""
    from doctor.knowledge.store import choose_language

    language = choose_language(options.lang, os.environ)
    chosen = {"rules": options.rules, "profile": options.profile, "waivers": options.waivers}
    return {**chosen, "language": language}


def exit_code(report: Report, level: str) -> int:
    """The exit code of `check`: 1 a failure at `level` or above, 3 undetermined, else 0."""
    if level == "never":
        return 0
    counted = LEVELS[: LEVELS.index(level) + 1]
    if any(check["status"] == "fail" and check["severity"] in counted for check in report["checks"]):
        return 1
    return 3 if report["summary"]["verdict"] == "undetermined" else 0
