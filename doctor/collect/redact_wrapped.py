"""Private values that a line's end splits, because a terminal or a mail program wrapped the text.

A value with a shape of its own (a UUID, an address) is told wherever it is split. What follows a word such as
`password=` is told only where a line is as long as the text is wide: elsewhere the next line is another one.
"""

import re
from typing import TYPE_CHECKING, Dict, Iterator, List, Optional, Pattern, Sequence, Tuple

from . import redact_patterns as names
from . import redact_shapes as look

if TYPE_CHECKING:
    from .redact import Redactor

__all__ = ["redact"]

_SHAPES = [look.UUID, look.HWADDR, look.IPV4, look.MACHINE_ID, look.LVM_UUID, look.INTERFACE, look.WWN]
_OTHERS = [names.Look(look.EMAIL, ("@",)), names.Look(look.IPV6, (":",)), names.Look(look.IQN, ("qn.",))]
_OTHERS += [names.Look(look.BY_ID, ("by-id/",)), names.Look(look.RANDOM)]
_INSIDE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_.:@-%$")
_IN_SHAPES = frozenset("0123456789abcdefABCDEF.:-")
_WIDTHS = frozenset((72, 76, 79, 80))  # of mails and terminals: there one long line is proof enough
_NARROWEST = 40
_NAMED = frozenset(("host", "user", "net", "vm", "ssid", "vol", "label", "dm"))
_REACH = 200  # characters of a line that are looked at on each side of its end
_SETTING = re.compile(r"[A-Za-z_][\w.-]{0,63}[ \t]{0,8}[=:]")
_WORD_AT_END = re.compile(r"[A-Za-z0-9]{1,64}$")
_WORD_AT_START = re.compile(r"[A-Za-z0-9]{1,64}")

_Span = Tuple[int, int, int, int, str]
"""Where a pattern fits, where in that the value is (start and end of both), and the kind of name that it is."""


def redact(data: str, redactor: "Redactor") -> str:
    """Return DATA with the values replaced that stand on two lines; the number of lines stays the same."""
    if "\n" not in data:
        return data
    lines = data.split("\n")
    widths: Dict[int, int] = {}
    for line in lines:
        widths[len(line)] = widths.get(len(line), 0) + 1
    widest = max(widths)
    wraps = widest >= _NARROWEST and (widths[widest] > 1 or widest in _WIDTHS)
    for at in range(len(lines) - 1):
        left, right = lines[at].rstrip("\r"), lines[at + 1]
        if not left or not right:
            continue
        mark = left[-1] if left[-1] == "\\" and left[-2:-1] in _INSIDE else ""
        wide = wraps and len(lines[at]) == widest and not _SETTING.match(right)
        if (left[-1] in _INSIDE and right[0] in _INSIDE) or mark or (wide and widths[widest] > 1):
            # How surely the next line goes on: not, by the text's width, by more than one line of that width.
            surely = 2 if mark or (wide and widths[widest] > 1) else int(wide)
            _mend(lines, at, mark, surely, redactor)
    return "\n".join(lines)


def _mend(lines: List[str], at: int, mark: str, everything: int, redactor: "Redactor") -> None:
    """Replace the value that lines AT and AT + 1 share; MARK is what says at AT's end that it goes on."""
    body = lines[at].rstrip("\r")
    body = body[: len(body) - len(mark)]
    end = lines[at][len(body) :]
    left, right = body[-_REACH:], lines[at + 1][:_REACH]
    if not everything:
        left, right = left.rpartition(" ")[2], right.partition(" ")[0]
    whole, split = left + right, len(left)
    if not everything and not _may_have_shape(whole, split):
        return
    spans = _everything(whole, split, everything > 1) if everything else _with_shape(whole, split)
    for first, last, start, stop, kind in spans:
        if kind == "secret":
            new = redactor.secret(whole[start:stop])
        elif kind in _NAMED:
            new = redactor.name(kind, whole[start:stop])
        else:
            new = redactor.plain(whole[first:last])
            new = new[start - first : len(new) - (last - stop)]
        if new == whole[start:stop] or look.STAND_IN.fullmatch(whole[start:split]):
            continue
        cut = split - start if len(new) == stop - start else len(new)
        lines[at] = body[: len(body) - (split - start)] + new[:cut] + end
        lines[at + 1] = new[cut:] + lines[at + 1][stop - split :]
        return


def _may_have_shape(whole: str, split: int) -> bool:
    """Whether it is worth while to look: most lines that follow one another have nothing to do with each other."""
    if len(whole) < 7 or not any(char.isdigit() for char in whole):
        return False
    return (whole[split - 1] in _IN_SHAPES and whole[split : split + 1] in _IN_SHAPES) or whole.count("-") > 5


def _with_shape(whole: str, split: int) -> Iterator[_Span]:
    for shape in _SHAPES:
        span = _across(shape, whole, split)
        # `10.1.2.3` and, on the next line, `4 disks`: the value ended with its line.
        ended = span and (
            any(one.end() == split for one in shape.finditer(whole[:split])) or shape.match(whole[split:])
        )
        if span and not ended:
            yield span


def _everything(whole: str, split: int, surely: bool) -> Iterator[_Span]:
    lowered = whole.lower()
    # Names last: what may be one may as well end with its line.
    several: Sequence[Sequence[names.Look]] = (look.SECRETS, _OTHERS, look.SERIALS, names.NAMES, look.VOLUMES)
    several = several if surely else several[:3]
    for shape in _SHAPES:
        span = _across(shape, whole, split)
        if span:
            yield span
    for looks in several:
        for item in looks:
            span = None
            if not item.needles or any(needle in lowered for needle in item.needles):
                span = _across(item.pattern, whole, split)
            if span:
                yield span if looks is not look.SECRETS else span[:4] + ("secret",)
    tail, head = _WORD_AT_END.search(whole[:split]), _WORD_AT_START.match(whole[split:])
    if tail and head:
        yield tail.start(), split + head.end(), tail.start(), split + head.end(), ""


def _across(pattern: Pattern[str], whole: str, split: int) -> Optional[_Span]:
    """Where PATTERN finds a value that goes across SPLIT."""
    kinds = [kind for kind in pattern.groupindex if kind not in ("sep", "head")]
    for match in pattern.finditer(whole):
        for start, stop, kind in [match.span(kind) + (kind,) for kind in kinds] or [match.span() + ("",)]:
            if start < split < stop:
                return match.start(), match.end(), start, stop, kind
    return None
