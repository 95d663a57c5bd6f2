"""The borders of code in Markdown, BBCode and HTML, whether they stand alone or beside the code.

>>> split("[CODE]root@pve:~# lsmod"), split("```bash"), split("vfio_pci 16384 0```"), split("a ```b``` c")
([('open', ''), ('text', 'root@pve:~# lsmod')], [('toggle', '')], [('text', 'vfio_pci 16384 0'), ('close', '')], None)
"""

from __future__ import annotations

import re

from doctor.later import later

OPEN, CLOSE, TOGGLE, TEXT = "open", "close", "toggle", "text"
_TAG = later(
    r"\[(/?)(?:code|quote|spoiler|php|plain|pre|details|expand|hide|shell|bash)(?:[=\s][^\]\n]{0,120})?\]"
    r"|<(/?)(?:pre|code|details|summary|blockquote)(?:\s[^<>\n]{0,120})?>",
    re.IGNORECASE,
)
_TICKS = later(r"\s{0,20}(?:[*+-]\s{1,3})?(```+|~~~+)")
_INFO = later(r"\s{0,4}[\w+.#-]{0,20}(?:\s{0,4}\{[^}\n]{0,80}\})?\s{0,80}")
_MOST = 8  # tags of a line that are looked at

Part = tuple[str, str]


def split(text: str) -> list[Part] | None:
    """The borders and the text of a line in order; None for a line that has no border."""
    if "```" in text or "~~~" in text:
        return _ticked(text)
    begins = text[:_LOOKED_AT].lstrip()[:2]
    if (begins[:1] in ("[", "<") and (begins[1:].isalpha() or begins[1:] == "/")) or text.rstrip()[-1:] in ("]", ">"):
        return _tagged(text)
    return None


def _ticked(text: str) -> list[Part] | None:
    found = _TICKS.match(text[:_LOOKED_AT])
    stripped = text.rstrip()
    if not found:
        ends = stripped.endswith(("```", "~~~")) and stripped.count(stripped[-3:]) == 1
        return [(TEXT, stripped.rstrip("`~")), (CLOSE, "")] if ends else None
    rest = text[found.end() :]
    if _INFO.fullmatch(rest[:_LOOKED_AT]) and len(rest) < _LOOKED_AT and not _is_output(rest):
        return [(TOGGLE, "")]
    if stripped.endswith(found.group(1)) and len(rest.strip()) > 3:
        return [(OPEN, ""), (TEXT, stripped[found.end() :].rstrip("`~")), (CLOSE, "")]
    return [(OPEN, ""), (TEXT, rest)]


def _is_output(rest: str) -> bool:
    """Whether a single word after the ticks is a command rather than the name of a language."""
    from doctor.evidence.programs import ALONE

    return rest.strip() in ALONE


def _tagged(text: str) -> list[Part] | None:
    """Tags at the beginning and at the end of a line; those between words are part of a sentence."""
    before: list[Part] = []
    start, end = 0, len(text)
    for _ in range(_MOST):
        found = _TAG.match(text, start + len(text[start:_LOOKED_AT]) - len(text[start:_LOOKED_AT].lstrip()))
        if not found:
            break
        before.append((_kind(found), ""))
        start = found.end()
    after: list[Part] = []
    for _ in range(_MOST):
        tail = text[start:end].rstrip()
        at = max(tail.rfind("["), tail.rfind("<"))
        last = _TAG.fullmatch(tail, at) if at >= 0 and tail[-1:] in "]>" else None
        if not last:
            break
        after.insert(0, (_kind(last), ""))
        end = start + at
    if not before and not after:
        return None
    middle = text[start:end]
    return [*before, *([(TEXT, middle)] if middle.strip() else []), *after]


def _kind(found: re.Match[str]) -> str:
    return CLOSE if found.group(1) or found.group(2) else OPEN


_LOOKED_AT = 400  # characters in which a border that begins a line is looked for
