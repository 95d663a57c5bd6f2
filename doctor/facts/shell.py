"""As much of a shell as scripts need that write to sysfs: words, variables, loops over lists, `echo … > file`.

Nothing is run. A word whose value depends on more than assignments and `for NAME in …` of literal words (a
command's output, a glob, an argument) is None, so that a script which cannot be followed says so.

>>> script = '''DEVS="0000:01:00.0 0000:01:00.1"
... for DEV in $DEVS; do
...   echo "vfio-pci" > /sys/bus/pci/devices/$DEV/driver_override
... done'''
>>> [(write.line, write.value, write.target[-29:]) for write in follow(script, {}) if isinstance(write, Write)]
[(2, 'vfio-pci', '/0000:01:00.0/driver_override'), (2, 'vfio-pci', '/0000:01:00.1/driver_override')]
"""

from __future__ import annotations

import re
import shlex

from doctor.later import later
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_VARIABLE = later(r"\$(?:\{([A-Za-z_]\w{0,60})(?:\[[@*]\])?\}|([A-Za-z_]\w{0,60}))", re.ASCII)
_ASSIGNMENT = later(r"([A-Za-z_]\w{0,60})(\+?)=(.*)", re.ASCII | re.DOTALL)
_COMMENT = later(r"(?:^|\s)#")
_LEADING = frozenset(
    ("do", "then", "else", "elif", "if", "while", "{", "(", "!", "sudo", "exec", "export", "local", "readonly", "time")
)
_ENDS = frozenset((";", "&&", "||", "&", ";;", ")", "}", "\n"))
_UNKNOWN = frozenset("$`*?")
_MOST_VALUES = 64  # of one variable or target
_MOST_JOINED = 20  # lines of one string or array
_MOST_SPLITS = 5  # of one statement
_LONGEST = 4000  # characters of one statement

Words = dict[str, "list[str | None]"]


class Write(NamedTuple):
    """Text that goes to a file. `value`, `target`: None where the script alone does not tell; `line` from 0."""

    value: str | None
    target: str | None
    line: int


class Call(NamedTuple):
    """A command with its words, None for those that are not known; `line` from 0."""

    words: tuple[str | None, ...]
    line: int


def follow(text: str, variables: Words) -> Iterator[Write | Call]:
    """What a script does, in its order; `variables` are those that are set before, and gain its own.

    Both branches of an `if` are followed.
    """
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        tokens, span = _tokens(lines, at)
        statement: list[str] = []
        for word in [*tokens, "\n"]:
            if word in _ENDS and not (word == ")" and "(" in statement):
                yield from _statement(statement, at, variables)
                statement = []
            else:
                statement.append(word)
        at += span


def _tokens(lines: list[str], at: int) -> tuple[list[str], int]:
    """The tokens of the statement lines from `at` on, and how many lines they take."""
    text, end = _uncommented(lines[at]), at + 1
    last = min(len(lines), at + _MOST_JOINED)
    while text.endswith("\\") and end < last:
        text, end = text[:-1] + _uncommented(lines[end]), end + 1
    first, after = text, end
    for _ in range(_MOST_SPLITS):
        found = _split(text[:_LONGEST])
        if found is not None and not ("(" in found and found[0].endswith("=") and ")" not in found):
            return found, end - at
        # A quotation or an array is open: it ends in a line that holds its mark.
        marks = ")" if found is not None else "\"'"
        until = next((line for line in range(end, last) if any(mark in lines[line] for mark in marks)), None)
        if until is None:
            break
        text = "\n".join([text, *map(_uncommented, lines[end : until + 1])])
        end = until + 1
    return _split(first[:_LONGEST].replace('"', " ").replace("'", " ")) or [], after - at


def _uncommented(text: str) -> str:
    """A line up to its comment.

    >>> _uncommented("a # b"), _uncommented("echo '# c'"), _uncommented("${x#y}")
    ('a', "echo '# c'", '${x#y}')
    """
    found = _COMMENT.search(text)
    before = text[: found.start()] if found else text
    return text if before.count('"') % 2 or before.count("'") % 2 else before


def _split(text: str) -> list[str] | None:
    """Words and operators of one statement line; None while a quotation is open."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    tokens: list[str] = []
    try:
        tokens += lexer
    except ValueError:
        return None
    return tokens


def _statement(tokens: list[str], line: int, variables: Words) -> Iterator[Write | Call]:
    while tokens and tokens[0] in _LEADING:
        tokens = tokens[1:]
    if not tokens:
        return
    assigned = _ASSIGNMENT.fullmatch(tokens[0])
    if tokens[0] == "for" and tokens[2:3] == ["in"]:
        variables[tokens[1]] = _bounded(_expand_all(tokens[3:], variables))
    elif assigned and not any(mark in tokens for mark in (">", ">>", "|")):
        rest = [token for token in tokens[1:] if token not in ("(", ")")]
        is_array = tokens[1:2] == ["("] and not assigned.group(3)
        # What a command substitution leaves after the split is a lone `$` with a parenthesis.
        value = _expand_all(rest if is_array else [assigned.group(3)], variables)
        value = [None] if not is_array and len(tokens) > 1 and "(" in tokens else value
        before = variables.get(assigned.group(1), []) if assigned.group(2) else []
        variables[assigned.group(1)] = _bounded([*before, *value])
    elif ">" in tokens or ">>" in tokens or "tee" in tokens:
        yield from _writes(tokens, line, variables)
    else:
        yield Call(tuple(_expand_all(tokens, variables)), line)


def _writes(tokens: list[str], line: int, variables: Words) -> Iterator[Write | Call]:
    """`echo VALUE > TARGET`, `printf`, and `echo VALUE | tee TARGET`."""
    mark = next((token for token in (">", ">>") if token in tokens), "|")
    if tokens[0] not in ("echo", "printf", "/bin/echo", "/usr/bin/echo") or mark not in tokens:
        yield Call(tuple(_expand_all(tokens, variables)), line)
        return
    at = tokens.index(mark)
    behind = [token for token in tokens[at + 1 :] if token not in ("sudo", "tee", "doas") and not token.startswith("-")]
    said = [token for token in tokens[1:at] if token not in ("-n", "-e", "-ne", "-en", "|")]
    values = _expand_all(said, variables) if len(said) < 2 else [_joined(_expand_all(said, variables))]
    targets = _expand(behind[0], variables) if behind else [None]
    if len(values) == len(targets) > 1:  # one list runs through both: `for d in …; echo $d > …/$d/…`
        pairs = list(zip(values, targets, strict=True))
    else:
        pairs = [(value, target) for target in targets for value in values]
    for value, target in pairs[:_MOST_VALUES]:
        yield Write(value.removesuffix("\\n").strip() if value is not None else None, target, line)


def _bounded(values: list[str | None]) -> list[str | None]:
    """A variable's values, unknown if they grow beyond what any script needs."""
    return values if sum(len(value or "") for value in values) <= _LONGEST else [None]


def _joined(values: list[str | None]) -> str | None:
    known = [value for value in values if value is not None]
    return " ".join(known) if len(known) == len(values) else None


def _expand_all(tokens: list[str], variables: Words) -> list[str | None]:
    """The words of several tokens; a value with blanks in it is several words, as unquoted in a shell."""
    words: list[str | None] = []
    for token in tokens:
        for value in _expand(token, variables):
            words += value.split() if value is not None and value.split() else [value]
        if len(words) > _MOST_VALUES:
            break
    return words[:_MOST_VALUES]


def _expand(token: str, variables: Words) -> list[str | None]:
    """The values of one token, one for each value of the variable in it.

    >>> _expand("/sys/$d/x", {"d": ["a", "b"]}), _expand("$(lspci)", {}), _expand("/sys/*", {})
    (['/sys/a/x', '/sys/b/x'], [None], [None])
    """
    found = list(dict.fromkeys(match.group(1) or match.group(2) for match in _VARIABLE.finditer(token)))
    if len(found) > 3 or len(token) > _LONGEST:
        return [None]
    values: list[str | None] = [token]
    for name in found:
        known = variables.get(name)
        if known is None or None in known:
            return [None]
        words = [word for value in known if value for word in value.split()] or [""]
        marks = (f"${{{name}}}", f"${{{name}[@]}}", f"${{{name}[*]}}", f"${name}")
        values = [_replaced(value, marks, word) for value in values if value is not None for word in words]
        values = values[:_MOST_VALUES]
    return [None if value is None or len(value) > _LONGEST or set(value) & _UNKNOWN else value for value in values]


def _replaced(text: str, marks: tuple[str, ...], word: str) -> str:
    for mark in marks:
        text = text.replace(mark, word)
    return text
