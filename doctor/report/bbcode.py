r"""The report in BBCode, for forums such as those on phpBB, XenForo, vBulletin, SMF, MyBB and Invision.

These agree on little: `[b]` and `[code]` are all that is used here, and list items are lines with a dash. There is no
way to escape a bracket that all of them know (`[noparse]`, `[plain]`, `[nobbc]`, `&#91;` are each known to some), so
a bracket of a text becomes the full-width one, which looks like it and never is a tag. The same is done to what
forums make links and mentions of: `://`, `www.`, `@`. Within `[code]` nothing but its end is read, so only brackets
that could be that, or open another, are changed, and a line at the end says so.

>>> escaped("NVIDIA [10de:2484] of @me: http://a.b")
'NVIDIA ［10de:2484］ of ＠me: http：//a.b'
>>> in_code("[0.1] [ 0.2] [/code] [CODE] [b]")
'[0.1] [ 0.2] ［/code] ［CODE] [b]'
"""

from __future__ import annotations

from doctor.later import later
from doctor.report.post import post
from doctor.report.words import Words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from doctor.report.model import Report
    from doctor.report.post import Block, Span

_ALIKE = str.maketrans("[]@", "［］＠")
_LINK = later(r"(?i):(?=//)|(?<=www)\.|&(?=#)")
_WIDE = {":": "：", ".": "．", "&": "＆"}
# The end of any tag, for a post may stand within [spoiler]; and whatever begins like code, even with a gap.
_TAG = later(r"(?i)\[(?=/|[\s/]*code)")


def render(report: Report, *, max_length: int | None = None) -> str:
    """The report as a post, in at most `max_length` characters. Raises ValueError if those are below 500."""
    return post(report, write, max_length)


def write(blocks: Iterable[Block]) -> str:
    """Blocks as BBCode."""
    text, before, changed = "", "", False
    for block in blocks:
        close = (block.kind == "item" and before in ("item", "text")) or (block.kind == "code" and before == "text")
        text += ("\n" if close else "\n\n") if text else ""
        changed = changed or (block.kind == "code" and in_code(block.code) != block.code)
        text += _written(block)
        before = block.kind
    return text + (f"\n\n{Words()('brackets')}\n" if changed else "\n")


def _written(block: Block) -> str:
    if block.kind == "code":
        return f"[code]\n{in_code(block.code)}\n[/code]"
    if block.kind == "heading":
        return f"[b]{escaped(''.join(span.text for span in block.spans))}[/b]"
    line = "".join(map(_span, block.spans)).strip()
    return f"{'  ' * block.level}- {line}" if block.kind == "item" else line


def _span(span: Span) -> str:
    text = escaped(span.text)
    return f"[b]{text}[/b]" if span.strong and text else text


def escaped(text: str) -> str:
    """Text outside code, in which no forum finds a tag, a link or a mention."""
    return _LINK.sub(lambda match: _WIDE[match[0]], text).translate(_ALIKE)


def in_code(code: str) -> str:
    """Text for within [code], which it cannot end."""
    return _TAG.sub("［", code)
