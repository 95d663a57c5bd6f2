"""The command line in another language: its help, argparse's own words, and error lines.

Nobody imports this while English is spoken, and even then no language is loaded before something is to be said.
An error, and what is noted of an input, comes as a finished English line, whoever wrote it. The texts that
`tools/texts.py` takes from the code have numbers for what was filled in ("{0}: it is empty"), and the one that fits
gives the line in the language.
"""

from __future__ import annotations

import argparse
import re
import sys
from functools import cached_property

from doctor.say import speak

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

    from doctor.manual import Formatter

# What argparse says (Lib/argparse.py) and what the C library says of files; tools/texts.py reads both.
ARGPARSE = (
    "usage: ",
    "options",
    "positional arguments",
    "show this help message and exit",
    "show program's version number and exit",
    "{0}: error: {1}\n",
    "argument {0}: {1}",
    "the following arguments are required: {0}",
    "unrecognized arguments: {0}",
    "invalid choice: {0} (choose from {1})",
    "expected one argument",
    "expected at least one argument",
    "expected {0} arguments",
    "ambiguous option: {0} could match {1}",
    "ignored explicit argument {0}",
)
SYSTEM = (
    "No such file or directory",
    "Permission denied",
    "Operation not permitted",
    "Is a directory",
    "Not a directory",
    "File exists",
    "File name too long",
    "Too many levels of symbolic links",
    "No space left on device",
    "Read-only file system",
    "Input/output error",
)
# Why a piece of evidence is not whole, as doctor/collect/ and doctor/evidence/ write it down.
REASONS = (
    "{0} is not installed",
    "took longer than {0} s",
    "only the first {0} bytes",
    "no output, exit status {0}",
    "no room: all pieces together may have {0} MiB",
    "there are more than {0}",
    "after {0} bytes only lines of known messages: {1} lines left out",
    "its first {0} bytes were not read; {1}",
    "only lines with {0}, and not all of them",
    "not read: the time was up",
    "not read: too many others did not answer",
    "did not answer within {0} s",
    "not readable",
    "not a regular file",
    "missing from the bundle",
    "not needed: the log reaches back to the start of the boot",
    "exists already, and is not overwritten",
    "a bundle is nothing for a terminal: -o FILE, or a pipe",
    "a link that leaves the folder",
    "a folder, a device or a pipe in place of a file",
    "reading it acts on the device",
    "it was replaced while it was opened",
    "larger than {0} MiB",
)
# What doctor/evidence/ and doctor/collect/pack.py note about an input, and the words that they fill in.
NOTES = (
    "It was collected by an ordinary user: what only root may read is missing.",
    "Whoever collected it notes: {0}",
    "The bundle was changed after it was collected, its checksums say: {0}. The host may be otherwise.",
    "The bundle lacks what its manifest lists: {0}. What that held is not known.",
    "The bundle holds what its manifest does not list, somebody added it: {0}.",
    "Not read, {0}: {1}",
    "a name that climbs, is too long, or holds what cannot be printed",
    "it stands there more than once, the last one counts",
    "it is missing",
    "the mark of the archive's end, it may be cut",
    "a hard link to what was not read",
    "a device or a pipe in place of a file",
    "addresses are hidden from ordinary users",
    "{0} does not hold {1}. What needs them stays open until somebody runs the command beside it on the host.",
    "{0} does not hold {1}",
    *("A hardware probe", "A Proxmox VE system report", "A sosreport", "A supportconfig archive"),
    *("An Unraid diagnostics archive", "a hardware probe", "a Proxmox VE system report", "a sosreport"),
    *("a supportconfig archive", "an Unraid diagnostics archive"),
    *("the kernel's log", "the IOMMU groups", "the loaded modules"),
    "the IOMMU groups (but for what libvirt says of its host)",
    "what should be seen",
    "{0} of an example",
    "prompts of other machines",
)
STATES = ("whole", "filtered", "cut", "denied", "absent", "failed", "excerpt", "not-collected")
# An error that doctor/knowledge/ puts together from pieces.
ENDS = ("no such check: {0}; did you mean {1}?", "no such check: {0}; see: passdoctor rules list")

_DEPTH = 3  # an error that names an error
_LONGEST = 2000  # a longer line is said as it is
_NUMBERED = re.compile(r"\{\d\}")


def interpreter(given: Sequence[str], environment: Mapping[str, str]) -> Interpreter | None:
    """Who speaks the language that the words `given` on the command line or the environment ask for, if there is one.

    None for English. That what --lang names is not there, the command itself says, as the environment has it.
    """
    from doctor.knowledge.document import KnowledgeError
    from doctor.knowledge.store import choose_language

    try:
        name = choose_language(asked(given), environment)
    except KnowledgeError:
        name = choose_language(None, environment)
    return Interpreter(name) if name else None


def asked(given: Sequence[str]) -> str | None:
    """What --lang asks for, before argparse reads it.

    >>> asked(["check", "--lang", "zh_CN"]), asked(["--lang=xx"]), asked(["check", "--lang"])
    ('zh_CN', 'xx', None)
    """
    for at, word in enumerate(given):
        if word == "--lang":
            return given[at + 1] if at + 1 < len(given) else None
        if word.startswith("--lang="):
            return word.partition("=")[2]
    return None


class Interpreter:
    """Says English lines of the command line in another language."""

    def __init__(self, name: str, texts: Mapping[str, str] | None = None) -> None:
        """`name` is one of `doctor.knowledge.store.languages`; `texts` its texts, if they are loaded already."""
        self.name = name
        if texts is not None:
            self.__dict__["_table"] = texts

    @cached_property
    def _table(self) -> Mapping[str, str]:
        from doctor.knowledge.document import KnowledgeError
        from doctor.knowledge.store import load

        try:
            texts: Mapping[str, str] = load(None, self.name).get("texts") or {}
        except (KnowledgeError, OSError, ValueError):
            return {}  # what is wrong with the rules is said by the command, in English
        speak(self.name, texts)
        return texts

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        """The texts with numbered holes, those first that say the most by themselves."""
        found = [text for text in self._table if _NUMBERED.search(text)]
        return [(_pattern(text), text) for text in sorted(found, key=lambda text: -len(_NUMBERED.sub("", text)))]

    def tell(self, line: str, depth: int = _DEPTH) -> str:
        """A finished English line in the language; what no text fits stays as it is."""
        told = self._table.get(line)
        if told is not None or not depth or len(line) > _LONGEST:
            return told if told is not None else line
        for pattern, text in self._patterns:
            fit = pattern.fullmatch(line)
            # A text without words of its own, "{0}: {1}", fits names of files, too.
            if fit and (depth == _DEPTH or any(map(str.isalpha, text))):
                # The holes of the English are numbered in their order.
                return self._table[text].format(*(self.tell(value, depth - 1) for value in fit.groups()))
        if depth < _DEPTH and "; " in line:  # a list of what was filled in
            return self._table.get("; ", "; ").join(self.tell(part, depth - 1) for part in line.split("; "))
        return line

    def formatter(self) -> type[Formatter]:
        """The formatter of help that speaks the language."""
        from doctor.manual import Formatter

        tell = self.tell

        class Abroad(Formatter):
            """Help in the language."""

            def tell(self, text: str) -> str:
                return tell(text)

            def _split_lines(self, text: str, width: int) -> list[str]:
                from doctor.report.wide import folded

                return folded(" ".join(text.split()), width)

            def _fill_text(self, text: str, width: int, indent: str) -> str:
                from doctor.report.wide import folded

                return "\n".join(indent + line for each in text.splitlines() for line in folded(each, width))

        return Abroad

    def parser(self) -> type[argparse.ArgumentParser]:
        """A parser that complains in the language."""
        tell = self.tell

        class Parser(argparse.ArgumentParser):
            """Says what is wrong with the arguments in the language."""

            def error(self, message: str) -> NoReturn:
                self.print_usage(sys.stderr)
                self.exit(2, tell(f"{self.prog}: error: {message}\n"))

        return Parser


def _pattern(text: str) -> re.Pattern[str]:
    parts = _NUMBERED.split(text)
    return re.compile("(.+?)".join(map(re.escape, parts)), re.DOTALL)
