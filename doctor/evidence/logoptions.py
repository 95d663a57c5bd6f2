"""What the options of dmesg(1) and journalctl(1) leave out of a log: nothing, its oldest lines, or any of them.

>>> selection(["dmesg", "-T"]), selection(["dmesg", "-l", "err"]), selection(["journalctl", "-k", "-n", "50"])
((True, False), (False, False), (True, True))
"""

from __future__ import annotations

# Options that change how lines look, but not which ones there are; a colon follows those that take a word.
_LOOKS = {
    "dmesg": "HTwWxkLePrtdSJc",
    "journalctl": "kalqxo:bme",
}
_LONG = {
    "dmesg": (
        "--color", "--human", "--ctime", "--nopager", "--decode", "--kernel", "--raw", "--reltime", "--show-delta",
        "--time-format", "--notime", "--follow", "--read-clear", "--json", "--syslog", "--noescape", "--force-prefix",
    ),
    "journalctl": (
        "--dmesg", "--no-pager", "--all", "--full", "--no-full", "--quiet", "--output", "--no-hostname", "--utc",
        "--catalog", "--boot", "--merge", "--truncate-newline", "--no-tail",
    ),
}  # fmt: skip
# These begin with a later line than the log does, as a ring buffer that lost its oldest lines.
_TAILS = ("-n", "-S", "-f")
_LONG_TAILS = ("--lines", "--since", "--follow")


def selection(words: list[str]) -> tuple[bool, bool]:
    """Of a `dmesg` or `journalctl` as words: whether no line but the oldest can be missing, and whether those are.

    `journalctl -e` shows the last thousand lines.
    """
    name = words[0].rpartition("/")[2]
    exact, cut, value = True, False, False
    for word in words[1:]:
        if value:
            value = False
        elif not word.startswith("-") or word == "-":
            exact = exact and (word.lstrip("+").isdigit() or _is_boot(word))
        elif name == "journalctl" and (word in _TAILS or word.startswith(_LONG_TAILS) or _lines(word)):
            cut, value = True, word in ("-n", "-S", "--lines", "--since")
        elif word.startswith("--"):
            exact = exact and word.startswith(_LONG[name])
            value = word in ("--output", "--time-format")
        elif word[1:].isdigit():
            pass  # `-b -1`
        else:
            known, value = _letters(name, word[1:])
            exact, cut = exact and known, cut or (name == "journalctl" and "e" in word and "o" not in word)
    return exact, cut


def _letters(name: str, letters: str) -> tuple[bool, bool]:
    """Whether a word of short options leaves no line out, and whether the next word is the last one's value."""
    looks = _LOOKS[name]
    for number, letter in enumerate(letters):
        at = looks.find(letter)
        if at < 0 or letter == ":":
            return False, False
        if looks[at + 1 : at + 2] == ":":
            return True, number + 1 == len(letters)
        if letter == "b":
            return letters[number + 1 :].lstrip("-").isdigit() or number + 1 == len(letters), False
    return True, False


def _lines(word: str) -> bool:
    """Whether a word is `-n50`."""
    return word.startswith("-n") and word[2:].isdigit()


def _is_boot(word: str) -> bool:
    """Whether a word is a boot's id, as it follows `-b`; anything else is a match of the journal's fields."""
    return len(word) == 32 and all(letter in "0123456789abcdef" for letter in word)
