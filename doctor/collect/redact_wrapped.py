"""Private values that a line's end splits, because a terminal or a mail program wrapped the text.

A value with a shape of its own (a UUID, an address) is told wherever it is split. What follows a word such as
`password=` is told only where a line is as long as the text is wide: elsewhere the next line is another one.
"""

from typing import TYPE_CHECKING, Dict, Iterator, List, Optional, Sequence, Tuple

from . import redact_patterns as names
from . import redact_shapes as look
from .redact_look import Look, Seen

if TYPE_CHECKING:
    from .redact import Redactor

__all__ = ["redact"]

_SHAPES = (look.UUID, look.HWADDR, look.IPV4, look.MACHINE_ID, look.LVM_UUID, look.INTERFACE, look.WWN)
_OTHERS = (look.EMAIL, look.IPV6, look.IQN, look.BY_ID, look.RANDOM)
_INSIDE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_.:@-%$")
_IN_SHAPES = frozenset("0123456789abcdefABCDEF.:-")
_DIGITS = frozenset("0123456789")
_WIDTHS = frozenset((72, 76, 79, 80))  # of mails and terminals: there one long line is proof enough
_NARROWEST = 40
_NAMED = frozenset(("host", "user", "net", "vm", "ssid", "vol", "label", "dm"))
_REACH = 200  # characters of a line that are looked at on each side of its end
_SETTING = Look(r"[A-Za-z_][\w.-]{0,63}[ \t]{0,8}[=:]")
_WORD_AT_END = Look(r"[A-Za-z0-9]{1,64}$")
_WORD_AT_START = Look(r"[A-Za-z0-9]{1,64}")

_Span = Tuple[int, int, int, int, str]
"""Where a pattern fits, where in that the value is (start and end of both), and the kind of name that it is."""


def redact(seen: Seen, redactor: "Redactor") -> Seen:
    """Return the text with the values replaced that stand on two lines; the number of lines stays the same."""
    if "\n" not in seen.data:
        return seen
    lines = seen.data.split("\n")
    widths: Dict[int, int] = {}
    for line in lines:
        widths[len(line)] = widths.get(len(line), 0) + 1
    widest = max(widths)
    wraps = widest >= _NARROWEST and (widths[widest] > 1 or widest in _WIDTHS)
    changed = False
    for at in range(len(lines) - 1):
        left, right = lines[at].rstrip("\r"), lines[at + 1]
        if not left or not right:
            continue
        mark = left[-1] if left[-1] == "\\" and left[-2:-1] in _INSIDE else ""
        wide = wraps and len(lines[at]) == widest and not _SETTING.pattern.match(right)
        if (left[-1] in _INSIDE and right[0] in _INSIDE) or mark or (wide and widths[widest] > 1):
            # How surely the next line goes on: not, by the text's width, by more than one line of that width.
            surely = 2 if mark or (wide and widths[widest] > 1) else int(wide)
            changed = _mend(lines, at, mark, surely, redactor) or changed
    return Seen("\n".join(lines)) if changed else seen


def _mend(lines: List[str], at: int, mark: str, everything: int, redactor: "Redactor") -> bool:
    """Replace the value that lines AT and AT + 1 share, if any; MARK is what says at AT's end that it goes on."""
    body = lines[at].rstrip("\r")
    body = body[: len(body) - len(mark)]
    end = lines[at][len(body) :]
    left, right = body[-_REACH:], lines[at + 1][:_REACH]
    if not everything:
        left, right = left.rpartition(" ")[2], right.partition(" ")[0]
    whole, split = left + right, len(left)
    if not everything and not _may_have_shape(whole, split):
        return False
    spans = _everything(whole, split, everything > 1) if everything else _with_shape(whole, split)
    for first, last, start, stop, kind in spans:
        if kind == "secret":
            new = redactor.secret(whole[start:stop])
        elif kind in _NAMED:
            new = redactor.name(kind, whole[start:stop])
        else:
            new = redactor.plain(whole[first:last])
            new = new[start - first : len(new) - (last - stop)]
        if new == whole[start:stop] or look.has_stand_in(whole[start:split]):
            continue
        cut = split - start if len(new) == stop - start else len(new)
        lines[at] = body[: len(body) - (split - start)] + new[:cut] + end
        lines[at + 1] = new[cut:] + lines[at + 1][stop - split :]
        return True
    return False


def _may_have_shape(whole: str, split: int) -> bool:
    """Whether it is worth while to look: most lines that follow one another have nothing to do with each other."""
    if len(whole) < 7 or _DIGITS.isdisjoint(whole):
        return False
    return (whole[split - 1] in _IN_SHAPES and whole[split : split + 1] in _IN_SHAPES) or whole.count("-") > 5


def _with_shape(whole: str, split: int) -> Iterator[_Span]:
    seen = Seen(whole)
    for shape in _SHAPES:
        span = _across(shape, seen, split)
        # `10.1.2.3` and, on the next line, `4 disks`: the value ended with its line.
        ended = span and (
            any(one.end() == split for one in shape.pattern.finditer(whole[:split]))
            or shape.pattern.match(whole[split:])
        )
        if span and not ended:
            yield span


def _everything(whole: str, split: int, surely: bool) -> Iterator[_Span]:
    seen = Seen(whole)
    # Names last: what may be one may as well end with its line.
    several: Sequence[Sequence[Look]] = (_SHAPES, look.SECRETS, _OTHERS, look.SERIALS, names.NAMES, look.VOLUMES)
    for looks in several if surely else several[:4]:
        for item in looks:
            span = _across(item, seen, split)
            if span:
                yield span if looks is not look.SECRETS else span[:4] + ("secret",)
    tail, head = _WORD_AT_END.pattern.search(whole[:split]), _WORD_AT_START.pattern.match(whole[split:])
    if tail and head:
        yield tail.start(), split + head.end(), tail.start(), split + head.end(), ""


def _across(item: Look, seen: Seen, split: int) -> Optional[_Span]:
    """Where ITEM finds a value that goes across SPLIT."""
    if not seen.may(item):
        return None
    kinds = [kind for kind in item.pattern.groupindex if kind not in ("sep", "head")]
    for match in item.pattern.finditer(seen.data):
        for start, stop, kind in [match.span(kind) + (kind,) for kind in kinds] or [match.span() + ("",)]:
            if start < split < stop:
                return match.start(), match.end(), start, stop, kind
    return None
