"""Shell prompts: which line was typed, and on which machine.

Forms: bash's defaults on Debian, Red Hat, SUSE, Arch and Gentoo; zsh with and without themes, fish, nix-shell,
busybox, PowerShell. `#` and `$` alone count only before what is a command: `#` begins comments, too.
"""

from __future__ import annotations

import re
from functools import cache

from doctor.evidence.programs import ALONE, ALWAYS, COMMANDS
from doctor.later import later

# What themes put before a prompt: a corner of a frame, a time, a mode, an environment's name, a picture.
_LEAD = (
    r"\s{0,20}(?:[┌╭├└╰─╼]{1,6}\s?)?(?:\[\d\d:\d\d(?::\d\d)?\]\s|\d\d:\d\d(?::\d\d)?\s)?(?:\[[INRV]\]\s)?"
    r"(?:\([\w. -]{1,40}\)\s{0,2})?(?:[^\w\s\x00-\x7f]{1,3}\s?)?"
)
_BRANCH = r"(?:\s?(?:git:)?\([\w./ +*!?-]{1,60}\)\s?[✗✔*!?+]{0,3})?"
_PROMPT = later(
    rf"""{_LEAD}
        (?:\[[\w.+-]{{1,64}}@[\w.-]{{1,64}}[\ :][^\]\n]{{0,120}}\]\s?[\#$%]   # [user@host dir]$ and [root@host:~]#
        |  \[[\w.+-]{{1,64}}@[\w.-]{{1,64}}\][^\s\#$%]{{0,80}}\s?[\#$%]       # [user@host]~%
        |  <[\w.+-]{{1,64}}@[\w.-]{{1,64}}>\s?[\#$%]
        |  [\w.+-]{{1,64}}[@㉿][\w.-]{{1,64}}(?:\([^)\s]{{0,8}}\))?(?::|\ )?  # user@host:dir#
           [^\#$%>❯|"'=(]{{0,120}}{_BRANCH}\s?[\#$%>❯]
        |  [~/][\w/.-]{{0,80}}[\#$]                                           # /some/folder#
        |  (?:[a-z]{{0,4}}sh-\d{{1,2}}\.\d{{1,2}}[a-z]?|\[nix-shell:[^\]\n]{{0,80}}\])[\#$]
        |  PS\s[^>\n]{{1,80}}>
        )(?:\s|$)(?P<command>.*)""",
    re.VERBOSE,
)
# The same, but only before a command: prose may begin so.
_LIKELY = rf"""{_LEAD}
        (?:[\w.-]{{1,64}}:\s?[~/][\w/.-]{{0,80}}\s?[\#$>]                     # host:~ #
        |  [\w.-]{{1,64}}\s[~/][\w/.-]{{0,80}}\s[\#$]                         # host ~ #
        |  [\w.-]{{1,64}}[\#%]
        |  [~/][\w/.-]{{0,80}}\s[\#$]                                         # ~ #
        |  [➜❯λ→»](?:\s{{1,3}}[~/\w.-]{{1,60}}(?:\s?git)?{_BRANCH})??
        |  [$❯%>]
        )\s{{1,3}}(?P<command>[\w./].*)"""
_ARROW = r"\s{0,4}[➜❯λ→]\s{1,3}[~/][~/\w.-]{0,60}\s+(?P<command>\S.*)"
_FRAME = later(r"\s{0,4}[└╰][─╼]{0,4}\s?[$#❯%>➤]\s{0,3}(?P<command>.*)")
_FRAMED = later(r"\s{0,4}[┌╭][─╼]{0,4}\s?[(\[]?(?P<name>[\w.+-]{1,64}[@㉿][\w.-]{1,64})")
_USER = later(rf"{_LEAD}[\[<(]{{0,2}}([\w.+-]{{1,64}})[@㉿]([\w.-]{{1,64}})")
_BARE_PROMPT = later(r"\s{0,4}[$❯]\s*")
_SHORT_PROMPT = later(r"\s*(?P<mark>[$#%+])\s+(?P<command>\S.*)")
_TITLE = r"""(?P<mark>[\s\#*_=>.)\-\d]{0,12})
        (?:(?:here(?:'s|\sis|\sare)?|the|my|full|complete|result|results|output|outputs|log|from|of|for|running|command|
            ausgabe|von|mein|meine|die|sortie|salida|de|вывод|输出|结果|執行|执行|运行|命令|的)[\s:：]{0,2}){0,6}
        (?:[`"'](?P<quoted>[^`"']{3,300})[`"']|(?P<bare>[a-z][a-z0-9_./-]{1,40}?(?:\s[^:：`]{1,200}?)?))
        (?:\s?(?:output|gives|shows|says|returns|prints|的?输出|的?结果|ausgabe)){0,2}
        (?P<end>\s?[:：]?[\s*_=\-]{0,8})"""
_TITLE_BEGINS, _TITLE_ENDS = frozenset("#*_=>.)-0123456789"), frozenset(":：*_=-")
_NAME = later(r"[a-z][a-z0-9_.-]{1,40}")
# Words of sentences about a program.
_SAID = frozenset(
    ("says", "is", "and", "the", "shows", "not", "but", "gives", "I", "that", "was", "does", "doesn't", "with")
)
_MARKS = frozenset("#$%>❯➜λ→»")
_LEAST = 240  # characters in which the mark of a prompt stands
_AROUND = "`'\"*_#=:>().-"
_LEADING = 10  # words among which a heading names its command
_LONGEST = 4000


def prompt(line: str) -> tuple[str, bool] | None:
    """The command typed on `line`, and whether a full prompt stands before it; None if it is no command line.

    >>> prompt("root@pve:~# dmesg | grep -e DMAR"), prompt("[root@gpu ~]$ lsmod"), prompt("# a comment")
    (('dmesg | grep -e DMAR', True), ('lsmod', True), None)
    >>> prompt("❯ lspci -nnk"), prompt("╰─$ lsmod"), prompt("┌──(root㉿kali)-[~]")
    (('lspci -nnk', True), ('lsmod', True), ('', True))
    """
    line = line[:_LONGEST]
    found = _PROMPT.match(line)
    if found:
        return _uncommented(found.group("command").strip()), True
    first = line.lstrip()[:1]
    if _BARE_PROMPT.fullmatch(line) or (first in "┌╭" and first and _FRAMED.match(line)):
        return "", True
    found = _FRAME.match(line) if first in "└╰" and first else None
    if found:
        return _uncommented(found.group("command").strip()), True
    found = _SHORT_PROMPT.match(line)
    if found:
        command = found.group("command").strip()
        if found.group("mark") == "$" or is_command(command, found.group("mark") != "#"):
            return command, found.group("mark") in "$+"
        return None
    # Both want a known program behind the mark: without one the patterns need not be compiled.
    named = not _MARKS.isdisjoint(line[:_LEAST]) and any(_is_program(word) for word in line.split())
    for pattern in _likely() if named else ():
        found = pattern.match(line)
        if found and is_command(found.group("command").strip(), True):
            return found.group("command").strip(), True
    bare = line.strip()
    bare = bare.rstrip(" :") if bare.endswith(":") and "/" in bare.rpartition(" ")[2] else bare
    return (bare, False) if is_command(bare, False) else None


def _is_program(word: str) -> bool:
    name = word.rpartition("/")[2].rstrip(";")
    return name in COMMANDS or word.startswith("./") or name.endswith(".sh")


@cache
def _likely() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return re.compile(_LIKELY, re.VERBOSE), re.compile(_ARROW)


@cache
def _title() -> re.Pattern[str]:
    return re.compile(_TITLE, re.VERBOSE | re.IGNORECASE)


def titled(line: str) -> str | None:
    """The command that a heading over its output names; None if the line is no such heading.

    >>> titled("**Output of `dmesg | grep -e DMAR`:**"), titled("### lspci -nnk"), titled("my lsmod:")
    ('dmesg | grep -e DMAR', 'lspci -nnk', 'lsmod')
    >>> titled("I ran `lspci -nnk` and it is there."), titled("dmesg says this:")
    (None, None)
    """
    words = [word.strip(_AROUND).lower() for word in line[:_LONGEST].split(None, _LEADING)[:_LEADING]]
    # Where words are not parted by blanks, a program's name stands between other letters.
    if COMMANDS.isdisjoint(words) and (line.isascii() or COMMANDS.isdisjoint(_NAME.findall(line[:_LONGEST].lower()))):
        return None
    bare = line[:_LONGEST].strip()
    if not (bare[0] in _TITLE_BEGINS or bare[-1] in _TITLE_ENDS or any(mark in bare for mark in "`\"'")):
        return None  # what is neither marked nor quoted is no title
    found = _title().fullmatch(line[:_LONGEST].rstrip())
    if not found:
        return None
    command = (found.group("quoted") or found.group("bare") or "").strip(" :：*")
    marked = found.group("quoted") or found.group("end") or found.group("mark").strip()
    name = command.partition(" ")[0]
    told = is_command(command, True) and (found.group("quoted") or " " not in command or is_command(command, False))
    return command if marked and told and name not in ("for", "while", "echo", "id", "more") else None


def _uncommented(command: str) -> str:
    return "" if command.startswith("#") else command


def user_and_host(line: str) -> str | None:
    """`user@host` of a full prompt.

    >>> user_and_host("[root@gpu ~]# ls"), user_and_host("$ ls"), user_and_host("┌──(me㉿kali)-[~]")
    ('root@gpu', None, 'me@kali')
    """
    found = _USER.match(line[:_LONGEST])
    return f"{found.group(1)}@{found.group(2)}" if found else None


def is_command(text: str, lenient: bool) -> bool:
    """Whether bare words look like a command rather than like prose or output; `lenient` after a prompt."""
    words = text.split(None, 8)
    if not words:
        return False
    name = words[0].rpartition("/")[2]
    if text.startswith("./") or name.endswith(".sh"):
        return len(words) < 6
    if name not in COMMANDS:
        return False
    if name in ("for", "while"):
        return len(words) > 2 and (words[2] == "in" or (name == "while" and "read" in words))
    rest = text[len(words[0]) :]
    if text.endswith((":", ".", "?", "!")) and name != "ls" and "/" not in words[-1]:
        return False
    return (
        lenient
        or (not rest.strip() and name in ALONE)
        or any(mark in rest for mark in ("/", " -", "|"))
        or (name in ALWAYS and len(words) > 1 and not _SAID.intersection(words[1:]))
    )
