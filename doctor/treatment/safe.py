"""What may pass from evidence into a command or a file: one strict pattern a kind, here and nowhere else.

The patterns name what is allowed, in ASCII. A value that does not fit is left out of the plan, which says so;
it is shown as evidence only.
"""

from __future__ import annotations

import re

from doctor.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_PATTERNS = {
    "address": r"[0-9a-f]{4,6}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]",
    "ids": r"[0-9a-f]{4}:[0-9a-f]{4}",
    "id_entry": r"[0-9a-f]{4,8}:[0-9a-f]{4,8}(?::[0-9a-f]{4,8}){0,4}",
    "module": r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}",
    "option": r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}",
    "value": r"[A-Za-z0-9_.,:=/@+%-]{0,512}",
    "parameter": r"[A-Za-z0-9_][A-Za-z0-9_.,:=/@+%\[\]-]{0,511}",
    "path": r"/?[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,127}(?:/[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,127}){0,15}",
    "vm": r"[1-9][0-9]{2,8}",
    "vm_key": r"[a-z][a-z0-9_]{0,31}",
    "uuid": r"[0-9A-Za-z-]{4,64}",
    "setting": r"[a-z0-9_]{1,40}",
}
_COMPILED = {kind: later(pattern, re.ASCII) for kind, pattern in _PATTERNS.items()}
_PLAIN = later(r"[A-Za-z0-9_@%+=:,./-]+", re.ASCII)
_HOLE = later(r"\{([a-z_]{1,30})\}")
_COMMENT_TAIL = later(r"\s*(?:#[A-Za-z0-9 _.,:=/@+%()-]*)?", re.ASCII)
# Marks that change the direction or the visibility of the text around them.
_INVISIBLE = later(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
# The collector's stand-ins, in doctor/collect/redact.py: recognisable by its own promise. Lower case.
_STAND_INS = (
    *("facade", "fa7d-", "redacted", "02face", "02:fa:ce", "02-fa-ce", "facade", "fa:ca:de", "fa-ca-de"),
    *("198.18.", "198.19.", "2001:db8:", ".2000-01.example"),
)
_NUMBERED = (
    *("host-", "user-", "net-", "vm-", "note-", "snapshot-", "tag-", "smbios-", "path-", "ssid-", "mail-", "map-"),
    *("vol_", "label_", "sn-"),
)
_NUMBER = later("|".join(f"{name}[0-9a-f]{{6}}" for name in _NUMBERED))


class UnsafeTemplateError(ValueError):
    """A platform file names a hole that nothing fills: a fault of that file, never of evidence."""


def fits(kind: str, value: object) -> bool:
    """Whether `value` is text of the given kind, the whole of it.

    >>> fits("address", "0000:01:00.0"), fits("address", "0000:01:00.0\\n"), fits("module", "nvidia;reboot")
    (True, False, False)
    """
    return (
        isinstance(value, str)
        and _COMPILED[kind].fullmatch(value) is not None
        and ".." not in (value.split("/") if kind == "path" else ())
    )


def sift(kind: str, values: Iterable[object]) -> tuple[list[str], int]:
    """The values that fit, each once and in order, and how many did not.

    >>> sift("ids", ["10de:2203", "10de:2203", "10de:1aef$(id)"])
    (['10de:2203'], 1)
    """
    good: dict[str, None] = {}
    bad = 0
    for value in values:
        if fits(kind, value):
            good[str(value)] = None
        else:
            bad += 1
    return list(good), bad


def quote(text: str) -> str:
    """`text` as one word of a POSIX shell.

    >>> quote("intel_iommu=on"), quote("a b"), quote("it's")
    ('intel_iommu=on', "'a b'", "'it'\\\\''s'")
    """
    return text if _PLAIN.fullmatch(text) else "'" + text.replace("'", "'\\''") + "'"


def here_document(path: str, lines: Sequence[str], append: bool = False) -> str:
    """The command that writes `lines` to the file at `path`; nothing in them means anything to the shell.

    >>> print(here_document("/etc/x", ["a $b", "EOF"]))
    cat > /etc/x <<'EOF_'
    a $b
    EOF
    EOF_
    """
    return "\n".join(here_lines(f"cat {'>>' if append else '>'} {quote(path)}", lines))


def here_lines(command: str, lines: Sequence[str]) -> list[str]:
    """The lines of `command` with `lines` as its standard input; nothing in them means anything to the shell.

    >>> here_lines("cat", ["$(id)"])
    ["cat <<'EOF'", '$(id)', 'EOF']
    """
    if not all(map(displayable, lines)):
        raise UnsafeTemplateError(f"not one visible line each: {lines!r}")
    mark = "EOF"
    while mark in lines:
        mark += "_"
    return [f"{command} <<'{mark}'", *lines, mark]


def fill(template: str, values: Mapping[str, str]) -> str:
    """`template` with each `{name}` replaced once; what is put in is not looked at again.

    >>> fill("modprobe {module}", {"module": "{name}"})
    'modprobe {name}'
    """

    def put(hole: re.Match[str]) -> str:
        try:
            return values[hole.group(1)]
        except KeyError:
            raise UnsafeTemplateError(f"nothing fills {hole.group()} in {template!r}") from None

    return _HOLE.sub(put, template)


def comment_tail(text: str) -> bool:
    """Whether what follows a value on its line is nothing, or a comment of plain words."""
    return _COMMENT_TAIL.fullmatch(text) is not None


def displayable(text: str) -> bool:
    """Whether every character of `text` shows as itself: no controls but tab, no direction marks."""
    if text.isascii():
        return text.replace("\t", " ").isprintable()
    return not _INVISIBLE.search(text) and all(
        char == "\t" or (char >= " " and not "\x7f" <= char <= "\x9f") for char in text
    )


def words(text: object) -> str:
    """Any text as one line of visible characters, for people; never for a shell.

    >>> words("a\\n\\tb \\u202ec")
    'a b \\\\u202ec'
    """
    line = " ".join(str(text).split())
    if displayable(line):
        return line[:2000]
    return "".join(char if displayable(char) else f"\\u{ord(char):04x}" for char in line)[:2000]


def redacted(text: str) -> bool:
    """Whether `text` holds a stand-in that the collector put in place of a private value.

    Such a line must never be copied back: `root=UUID=facade00-…` names no disk.

    >>> redacted("root=UUID=facade00-1f2e-41b2-8c3d-0123456789ab ro"), redacted("root=/dev/sda2 ro")
    (True, False)
    """
    text = text.lower()
    if any(mark in text for mark in _STAND_INS):
        return True
    return any(name in text for name in _NUMBERED) and _NUMBER.search(text) is not None
