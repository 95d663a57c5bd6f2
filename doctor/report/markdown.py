r"""The report in Markdown, for issue trackers and forums that read it: CommonMark, and what GitHub and Discourse add.

Outside code nothing but words of letters and digits and the marks of a sentence is written as it is; every other
run of characters becomes a code span, in which no reader of Markdown sees markup, HTML, an address, `@somebody`
or `#1`. Escapes with backslashes would not do: trackers look for mentions and addresses after they took those off.

>>> escaped("see [x](http://a.b) by @me, 1 of 2: iommu=pt.")
'see `[x](http://a.b)` by `@me`, 1 of 2: `iommu=pt`.'
"""

from __future__ import annotations

from doctor.later import later
from doctor.report.post import Span, post

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from doctor.report.model import Report
    from doctor.report.post import Block

_RUN = later(r"[!-~]+")
# A word as in prose, I/O too; not what trackers link: ABC-12, or the abbreviated hash of a commit.
_WORD = later(
    r"(?![A-Za-z]+-[0-9]+$)(?![0-9a-fA-F]{7,40}$)[A-Za-z0-9]+(?:['-][A-Za-z0-9]+)*|[0-9]{1,6}\.[0-9]{1,6}"
    r"|[A-Z]{1,8}/[A-Z]{1,8}"
)
_NUMBER = later(r"([0-9]{1,9})([.)])(?=\s|$)")
_TICKS = later("`+")
_QUOTES = ("'", '"')
_BEFORE, _BEHIND = "(\"'", ".,;:!?)\"'"


def render(report: Report, *, max_length: int | None = None) -> str:
    """The report as a post, in at most `max_length` characters. Raises ValueError if those are below 500."""
    return post(report, write, max_length)


def write(blocks: Iterable[Block]) -> str:
    """Blocks as Markdown."""
    text, before = "", ""
    for block in blocks:
        text += ("\n" if block.kind == before == "item" else "\n\n") if text else ""
        text += _written(block)
        before = block.kind
    return text + "\n"


def _written(block: Block) -> str:
    if block.kind == "code":
        return fenced(block.code, block.language)
    if block.kind == "heading":
        return f"{'#' * block.level} {_line(block.spans)}"
    # A number with a point at the start would be the first of a list.
    text = _NUMBER.sub(r"\1\\\2", line, 1) if _NUMBER.match(line := _line(block.spans)) else line
    return f"{'  ' * block.level}- {text}" if block.kind == "item" else text


def fenced(code: str, language: str) -> str:
    r"""A code block whose fence is longer than any within.

    >>> fenced("a\n```\nb", "")
    '````\na\n```\nb\n````'
    """
    fence = "`" * max(3, 1 + _longest(code))
    return f"{fence}{language}\n{code}\n{fence}"


def escaped(text: str) -> str:
    """One line of text that is no markup."""
    return _line((Span(text),))


def _line(spans: Iterable[Span]) -> str:
    """Spans as one line, those that are strong between stars."""
    text, pieces, strong = "", list(_joined(spans)), False
    for piece in [*pieces, Span("")]:
        if piece.strong != strong:
            if strong:
                # Stars close only before a blank or a mark, if what they enclose ends with a mark.
                blank = " " if not text[-1].isalnum() and piece.text[:1].isalnum() else ""
                text = text.rstrip() + "**" + blank
            else:
                text += " **" if text and not text[-1].isspace() else "**"
        strong = piece.strong
        if piece.name:
            text += _span(piece.text)
        else:
            text += piece.text.lstrip() if text.endswith("**") and strong else piece.text
    return text.strip()


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Spans in which all that is not plain is a name, and no name stands next to another.

    Two code spans without anything between them would be read as one with other ends.
    """
    last: Span | None = None
    for span in spans:
        for piece in [span] if span.name else _told(span):
            if last is not None and last.name and piece.name:
                last = Span(last.text + piece.text, last.strong, True)
            else:
                if last is not None:
                    yield last
                last = piece
    if last is not None:
        yield last


def _told(span: Span) -> Iterator[Span]:
    """The pieces of plain text: prose, and runs that prose does not hold, as names."""
    text, at = span.text, 0
    for run in _RUN.finditer(text):
        lead, core, tail = _trimmed(run[0])
        if ":::" in tail:  # begins a container where Markdown is extended by them
            core, tail = core + tail, ""
        # A point before a letter of any script may be that of an address.
        glued = "." in tail and bool(text[run.end() : run.end() + 1].strip())
        if _WORD.fullmatch(core) and not glued:
            continue
        if not core and len(run[0]) == 1:
            continue
        start = run.start() + (len(lead) if core else 0)
        end = run.end() - (len(tail) if core and not glued else 0)
        yield from (Span(piece, span.strong) for piece in [text[at:start]] if piece)
        yield Span(text[start:end], span.strong, True)
        at = end
    if text[at:]:
        yield Span(text[at:], span.strong)


def _trimmed(run: str) -> tuple[str, str, str]:
    """A run of characters without blanks: the marks before the word, the word, the marks behind it.

    >>> _trimmed("(f(x)),"), _trimmed('--a="b"')
    (('(', 'f(x)', '),'), ('', '--a="b"', ''))
    """
    rest = run.lstrip(_BEFORE)
    core = rest.rstrip(_BEHIND)
    tail = rest[len(core) :]
    # A mark that closes what the word opened is the word's.
    opened = (
        core.count("(") - core.count(")") if tail[:1] == ")" else core.count(tail[:1]) % 2 if tail[:1] in _QUOTES else 0
    )
    end = len(core) + (1 if tail and opened > 0 else 0)
    return run[: len(run) - len(rest)], rest[:end], rest[end:]


def _span(text: str) -> str:
    """A code span; its ends are longer than any run of backticks within."""
    text = text.strip()
    if not text:
        return ""
    ends = "`" * (1 + _longest(text))
    blank = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{ends}{blank}{text}{blank}{ends}"


def _longest(text: str) -> int:
    """How long the longest run of backticks is."""
    return max(map(len, _TICKS.findall(text)), default=0)
