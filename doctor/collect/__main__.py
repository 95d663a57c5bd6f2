"""`python -m doctor.collect` and `passdoctor collect`: gather, redact, write a bundle, say what it holds."""

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, TextIO, Tuple

from . import version
from .catalogue import ITEMS, OLD_DMESG, earlier_boot, item_for
from .model import Collected
from .redact_classes import counted
from .say import said, say

if TYPE_CHECKING:
    import argparse

__all__ = ["fill", "main", "make_parser", "plain", "run"]

_SHOWN = 6
_STDOUT = "-"


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Collect as ARGV says; return 0, or 2 for what cannot be done, with one line on stderr."""
    words = sys.argv[1:] if argv is None else argv
    return run(plain(words) or make_parser().parse_args(words))


def run(options: Any) -> int:
    """Collect as OPTIONS, which `fill` describes, say; return as `main` does."""
    if options.list:
        from . import show

        sys.stdout.write(show.catalogue(ITEMS + (earlier_boot(1), OLD_DMESG)))
        return 0
    if options.print_script:
        from . import shell

        sys.stdout.write(shell.script())
        return 0
    if options.map is not None and (options.preview or options.redact != "forum" or options.map == options.output):
        if options.map == options.output:
            why = say("it cannot be the bundle as well")
        else:
            why = say("no stand-ins are written")
        sys.stderr.write("passdoctor collect: --map {}: {}\n".format(options.map, why))
        return 2
    _step_back()
    try:
        signal.signal(signal.SIGTERM, _interrupt)
        signal.signal(signal.SIGHUP, _interrupt)
    except ValueError:
        pass  # not the main thread: whoever runs it there ends it
    try:
        if options.preview:
            from . import preview

            sys.stdout.write(preview.of_host(options.full, options.redact == "forum", options.note, options.since_boot))
            return 0
        redacting = options.redact == "forum"
        told = _collect(options.output, redacting, options.note, options.since_boot, options.map)
        (sys.stderr if options.output == _STDOUT else sys.stdout).write(told)
    except OSError as error:
        where = options.output or say("the current folder")
        if options.map is not None and error.filename == options.map:
            where = options.map
        sys.stderr.write("passdoctor collect: {}: {}\n".format(where, said(error.strerror or str(error))))
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("passdoctor collect: " + say("interrupted; nothing was written") + "\n")
        return 130
    return 0


class _Options:
    """What is given where nothing is: the same as `fill` says."""

    redact, note, since_boot = "forum", "", 0
    preview = full = list = print_script = False
    output: Optional[str] = None
    map: Optional[str] = None


def plain(words: Sequence[str]) -> Any:
    """The options in WORDS if they are the most frequent ones, spelt out; None: a parser is to look at them.

    To load argparse takes as long as to gather a quarter of what is collected.
    """
    found, left = _Options(), list(words)
    while left:
        word = left.pop(0)
        value = left[0] if left else ""
        if word in ("--preview", "--full"):
            setattr(found, word[2:], True)
        elif word in ("-o", "--output") and value and not value.startswith("-"):
            found.output = left.pop(0)
        elif word == "--redact" and value in ("forum", "none"):
            found.redact = left.pop(0)
        else:
            return None
    return found


def make_parser() -> "argparse.ArgumentParser":
    """Return the parser of the collector that is shipped alone."""
    import argparse

    parser = argparse.ArgumentParser(prog="passdoctor collect", usage="%(prog)s [OPTION]...")
    fill(parser, parser)
    return parser


def fill(parser: "argparse.ArgumentParser", rarely: "argparse._ActionsContainer") -> None:
    """Give PARSER the options that `run` takes, and RARELY those that are rarely used."""
    parser.description = "Gather, read-only, what tells whether this host can pass PCI devices through."
    parser.add_argument("-o", "--output", metavar="FILE", help="the bundle, or - (default: ./passdoctor-TIME.tar.gz)")
    parser.add_argument("--preview", action="store_true", help="show what would be shared, and write nothing")
    parser.add_argument("--list", action="store_true", help="show what is collected, and collect nothing")
    parser.add_argument("--map", metavar="FILE", help="write what stands for what to FILE; keep it to yourself")
    parser.add_argument("--note", metavar="TEXT", default="", help="a line of yours that the report shows")
    parser.add_argument(
        "--redact", choices=("forum", "none"), default="forum", metavar="HOW", help="forum (the default) or none"
    )
    rarely.add_argument("--full", action="store_true", help="with --preview: every line of every file")
    rarely.add_argument(
        "--since-boot", metavar="-N", type=_boots, default=0, help="the kernel's log of the N boots before, too"
    )
    rarely.add_argument("--print-script", action="store_true", help="a shell script, for hosts without Python")


def _boots(text: str) -> int:
    """How many boots back `-1` to `-9` goes."""
    if len(text) == 2 and text[0] == "-" and text[1] in "123456789":
        return int(text[1])
    import argparse

    raise argparse.ArgumentTypeError("{!r}: -1 is the boot before this one, -9 the earliest".format(text))


def _step_back() -> None:
    """Let everybody else go first; the priority of input and output follows (ionice(1))."""
    try:
        os.nice(19)
    except OSError:
        pass


def _interrupt(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def _collect(
    output: Optional[str], redacting: bool, note: str = "", boots: int = 0, private_map: Optional[str] = None
) -> str:
    from . import pack
    from .gather import gather

    target = output or time.strftime("passdoctor-%Y%m%d-%H%M%S.tar.gz", time.gmtime())
    if target == _STDOUT and sys.stdout.isatty():
        raise OSError(22, "a bundle is nothing for a terminal: -o FILE, or a pipe")
    for taken in (target, private_map):
        if taken is not None and taken != _STDOUT and os.path.lexists(taken):
            raise FileExistsError(17, "exists already, and is not overwritten", taken)
    progress = _Progress(sys.stderr)
    redactions: Optional[Dict[str, int]] = None
    by_file: Optional[Dict[str, Dict[str, int]]] = None
    try:
        collected = gather("/", progress.show, boots)._replace(note=pack.plain_note(note))
        if redacting:
            from .redact import Redactor, redact_with

            progress.show(say("redacting"))
            redactor = Redactor()
            collected, by_file = redact_with(collected, redactor)
            redactions = dict(redactor.counts)
            if private_map:
                redactor.write_map(private_map)
    finally:
        progress.clear()
    try:
        if target == _STDOUT:
            data = pack.to_bytes(collected, redactions, version(), by_file)
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            size = len(data)
        else:
            size = pack.write(collected, target, redactions, version(), by_file)
    except BaseException:
        if private_map:
            os.unlink(private_map)  # it is of no use without its bundle, and was made just now
        raise
    return _summary(collected, target, size, redactions)


class _Progress:
    """One line on a terminal, for what takes longer than a second."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream if stream.isatty() else None
        self._begin = time.monotonic()
        self._shown = False

    def show(self, what: str) -> None:
        if self._stream is not None and time.monotonic() - self._begin > 1:
            self._stream.write("\r\033[K" + say("collecting: {what}", what=what[:60]))
            self._stream.flush()
            self._shown = True

    def clear(self) -> None:
        if self._stream is not None and self._shown:
            self._stream.write("\r\033[K")
            self._stream.flush()


def _summary(collected: Collected, target: str, size: int, redactions: Optional[Dict[str, int]]) -> str:
    got = sum(entry.state in ("whole", "filtered", "cut") for entry in collected.entries.values())
    name = say("standard output") if target == _STDOUT else os.path.abspath(target)
    kilobytes = "{:.1f}".format(size / 1024)
    lines = [say("{file}: {size} KB, {count} pieces of evidence", file=name, size=kilobytes, count=got)]
    lines += _left_out(collected)
    if redactions is None:
        lines.append(say("Nothing was redacted (--redact none): it holds names, addresses and serial numbers."))
    elif redactions:
        lines.append(say("Redacted: {what}.", what=counted(redactions)))
    else:
        lines.append(say("Redacted: nothing private was found."))
    return "\n".join(lines) + "\n"


def _left_out(collected: Collected) -> List[str]:
    groups: Dict[Tuple[str, str], List[str]] = {}
    needs_root = False
    for entry in collected.entries.values():
        lacking = (
            entry.how == "command" and entry.state == "absent" and not (entry.reason or "").startswith("not needed")
        )
        told = entry.state in ("denied", "failed", "cut") or lacking
        if not told and not (entry.path == "proc/iomem" and entry.reason):
            continue
        item = item_for(entry.path)
        path = item.path if item is not None else entry.path
        paths = groups.setdefault((entry.state, entry.reason or entry.state), [])
        if path not in paths:
            paths.append(path)
        needs_root = needs_root or (item is not None and item.root and entry.state != "absent")
    lines = []
    for (state, reason), paths in sorted(groups.items()):
        shown = ", ".join(paths[:_SHOWN])
        if len(paths) > _SHOWN:
            shown = say("{names} and {count} more", names=shown, count=len(paths) - _SHOWN)
        if state in ("cut", "whole"):
            lines.append(say("Incomplete: {names} ({reason})", names=shown, reason=said(reason)))
        else:
            lines.append(say("Left out: {names} ({reason})", names=shown, reason=said(reason)))
    if needs_root and not collected.as_root:
        lines.append(say("Run it as root to add these; the kernel log and config space settle most questions."))
    return lines


if __name__ == "__main__":
    sys.exit(main())
