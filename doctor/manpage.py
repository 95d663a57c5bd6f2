r"""The manual page, made from the parsers themselves, so that no command and no option can be missing in it.

The language is that of man(7), as groff and mandoc read it. What is written does not hang on the terminal's width or on
Python's version, so that packages can be built again.

>>> quoted("a-b\\c"), quoted(".so x"), quoted("'t")
('a\\-b\\(rsc', '\\&.so x', '\\&\\(aqt')
"""

from __future__ import annotations

import argparse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MARKS = str.maketrans({"\\": r"\(rs", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"})
_ABOUT = (
    "passdoctor reads what a Linux host shows of its IOMMU, its PCI devices and its configuration: on the host itself, "
    "from a bundle that was collected there, from another tool's archive, or from lines that somebody pasted. It says "
    "whether a device can be given to a virtual machine, cites the lines that it rests on, names what is unknown and "
    "the command that would settle it, and plans what to do. It changes nothing on the host and sends nothing anywhere."
)
_STATUS = (
    ("0", "ready"),
    ("1", "a check failed that is at least as severe as --fail-on; compare: something broke; redact --audit: leaks"),
    ("2", "wrong usage, or an input that cannot be read; one line on standard error says why"),
    ("3", "undetermined: an essential check lacks its evidence"),
)
_PLUGIN = (
    "With --format nagios on standard output, check ends with a monitoring plugin's state instead: 0 OK, 1 WARNING, "
    "2 CRITICAL, 3 UNKNOWN."
)
_ENVIRONMENT = (
    ("LC_ALL, LC_MESSAGES, LANG", "the language of reports and messages, where --lang does not say it"),
    ("SOURCE_DATE_EPOCH", "the day on which waivers hold or not, and the time of evidence that has none, in seconds"),
    ("XDG_CACHE_HOME", "where compiled rules are kept (~/.cache/passdoctor without it)"),
    ("NO_COLOR", "no colours in the terminal"),
    ("PASSDOCTOR_TRACEBACK", "an error of passdoctor itself shows where it is"),
)


def page(parser: argparse.ArgumentParser, version: str, day: str) -> str:
    """passdoctor(1); `day` is YYYY-MM-DD."""
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    told = {str(choice.dest): choice.help or "" for choice in commands._choices_actions}
    lines = [*_head("passdoctor", version, day, parser.description or ""), ".SH SYNOPSIS"]
    lines += _paragraph(r"\fBpassdoctor\fR \fICOMMAND\fR [\fIoptions\fR]", ready=True)
    lines += [".SH DESCRIPTION", *_paragraph(_ABOUT), ".SH COMMANDS"]
    for name, command in commands.choices.items():
        lines += _command(f"passdoctor {name}", command, told.get(name, ""))
    lines += [*_endings(), ".SH EXAMPLES", *_example(parser.epilog or "")]
    lines += [".SH SEE ALSO", *_paragraph("lspci(8), dmesg(1)")]
    return _tidy(lines)


def collector_page(parser: argparse.ArgumentParser, version: str, day: str) -> str:
    """passdoctor-collect(1), for where the collector is installed alone."""
    lines = [*_head("passdoctor-collect", version, day, parser.description or ""), ".SH SYNOPSIS"]
    lines += _paragraph(_usage("passdoctor-collect", parser), ready=True)
    lines += [".SH DESCRIPTION", *_paragraph(parser.description or ""), ".SH OPTIONS", *_options(parser)]
    lines += [".SH EXIT STATUS", *_table((("0", "done"), ("2", "wrong usage, or the bundle cannot be written")))]
    return _tidy(lines)


def _head(name: str, version: str, day: str, about: str) -> list[str]:
    first = about[:1].lower() + about[1:]
    return [f'.TH {name.upper()} 1 {day} "passdoctor {version}"', ".SH NAME", rf"{name} \- {quoted(first.rstrip('.'))}"]


def _command(name: str, parser: argparse.ArgumentParser, about: str) -> Iterator[str]:
    yield f'.SS "{quoted(name)}"'
    yield from _paragraph(_usage(name, parser), ready=True)
    yield from _paragraph(about[:1].upper() + about[1:] + ".")
    yield from _options(parser)


def _usage(name: str, parser: argparse.ArgumentParser) -> str:
    words = [rf"\fB{quoted(name)}\fR", r"[\fIoptions\fR]"]
    for action in parser._actions:
        if not action.option_strings:
            word = rf"\fI{_metavar(action)}\fR"
            words.append(f"[{word}]" if action.nargs == "?" else word)
    return " ".join(words)


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        names = ", ".join(rf"\fB{quoted(word)}\fR" for word in action.option_strings)
        value = rf"\fI{_metavar(action)}\fR" if action.nargs != 0 else ""
        if not names and not action.help and not action.choices:
            continue  # its name in the usage says all there is
        yield ".TP"
        yield f"{names} {value}".strip()
        said = [action.help or "", f"one of {', '.join(map(str, action.choices))}" if action.choices else ""]
        yield quoted("; ".join(filter(None, said)) or "see above")


def _metavar(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return quoted(action.metavar)
    return quoted("WORD" if action.choices and action.option_strings else action.dest.upper())


def _endings() -> Iterator[str]:
    yield ".SH EXIT STATUS"
    yield from _table(_STATUS)
    yield from _paragraph(_PLUGIN)
    yield ".SH ENVIRONMENT"
    yield from _table(_ENVIRONMENT)


def _table(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, text in rows:
        yield from (".TP", rf"\fB{quoted(name)}\fR", quoted(text))


def _example(text: str) -> Iterator[str]:
    yield ".nf"
    yield from (quoted(line.strip()) for line in text.splitlines()[1:] if line.strip())
    yield ".fi"


def _paragraph(text: str, ready: bool = False) -> list[str]:
    return [".PP", text if ready else quoted(text)]


def _tidy(lines: Iterable[str]) -> str:
    """The page: what follows a heading is a paragraph anyway, and mandoc complains of one begun twice."""
    kept: list[str] = []
    for line in lines:
        if line != ".PP" or not kept[-1].startswith((".SH", ".SS")):
            kept.append(line)
    return "\n".join(kept) + "\n"


def quoted(text: str) -> str:
    """Text in which nothing is a command of man(7)."""
    told = " ".join(text.split()).translate(_MARKS)
    return "\\&" + told if told.startswith((".", "\\(aq")) else told
