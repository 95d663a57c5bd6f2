"""A report as a post for a forum: the blocks that Markdown and BBCode share, and what goes first under a limit.

A block is a heading, a line of text, an item of a list, or code; a writer knows how its format says each of them
and keeps what evidence holds from being taken for markup. No block is about two things, so that what is left out
of a post that is too long leaves whole sentences, and no step without its commands.
"""

from __future__ import annotations

from doctor.record import NamedTuple
from doctor.report.commands import to_type, to_undo, to_verify, written_out
from doctor.report.formats import SHORTEST
from doctor.report.prose import spans
from doctor.report.sayings import edit_of, explained
from doctor.report.view import (
    View,
    arrange,
    by_reason,
    changed_lines,
    clip,
    essential_lines,
    how_to_edit,
    place,
    short_address,
)
from doctor.report.words import Words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from doctor.report.model import Check, Citation, Device, FileChange, Harmless, Report
    from doctor.report.view import Cause, Numbered, Question

_LINES = 4  # evidence lines that a cause shows
_LINE_LENGTH = 300
_OTHERS = 8  # devices that are no targets
_USUAL = "passthrough"  # the profile that nobody has to name
_VERDICT = "verdict"  # the layer that is never left out
# What is left out first comes first; each layer with the words for it.
_LAYERS = {
    "rest": "cut-rest",
    "harmless": "cut-harmless",
    "pass": "cut-pass",
    "unknown": "cut-unknown",
    "devices": "cut-devices",
    "evidence": "cut-evidence",
    "undo": "cut-undo",
    "examined": "cut-examined",
    "plan": "cut-plan",
}


class Span(NamedTuple):
    """A run of text; `strong` is bold, `name` is said as it is: an option, a path, a line that was read."""

    text: str
    strong: bool = False
    name: bool = False


class Block(NamedTuple):
    """`kind` is heading, text, item or code. Code is `code`, in `language`; the others hold `spans`."""

    kind: str
    spans: tuple[Span, ...] = ()
    level: int = 0
    code: str = ""
    language: str = ""


class Part(NamedTuple):
    """Blocks that stay or go together, under the `heading` of their section.

    `brief` is what stands for them when only the first line of evidence is left, if that is less.
    """

    layer: str
    heading: Block | None
    blocks: tuple[Block, ...]
    brief: tuple[Block, ...] = ()


def post(report: Report, write: Callable[[Iterable[Block]], str], limit: int | None) -> str:
    """`report` as `write` says its blocks, in at most `limit` characters. Raises ValueError below `SHORTEST`."""
    if limit is not None and limit < SHORTEST:
        raise ValueError(f"a report does not fit into less than {SHORTEST} characters")
    view, words = arrange(report), Words()
    parts = list(_Post(view, words).parts())
    whole = write(_assembled(parts))
    return whole if limit is None or len(whole) <= limit else _fitted(parts, write, limit, words, _order(view))


def _order(view: View) -> list[str]:
    """The layers, least important first. Where nothing stops it, what is to be found out is all there is to do."""
    order = list(_LAYERS)
    if not view.causes:
        order.remove("unknown")
        order.append("unknown")
    return order


def _assembled(parts: Iterable[Part]) -> Iterator[Block]:
    """The blocks in order, each section's heading once and only if something of it is left."""
    heading = None
    for part in parts:
        if part.blocks:
            if part.heading is not None and part.heading != heading:
                yield part.heading
            heading = part.heading
            yield from part.blocks


def _fitted(
    parts: list[Part], write: Callable[[Iterable[Block]], str], limit: int, words: Words, order: list[str]
) -> str:
    """The post with no more left out than its limit asks for, and the line that says what."""
    cuts = [("evidence", at) for at, part in enumerate(parts) if part.brief]
    cuts += [(part.layer, at) for at, part in enumerate(parts) if part.layer != _VERDICT]
    # Of one layer, what comes last is left out first.
    cuts.sort(key=lambda cut: (order.index(cut[0]), -cut[1]))

    def attempt(count: int) -> str:
        left = list(parts)
        for layer, at in cuts[:count]:
            # What is cut to its first line and then left out altogether is said as the latter.
            left[at] = left[at]._replace(blocks=left[at].brief if layer != parts[at].layer else ())
        return write([*_assembled(left), _left_out(cuts[:count], limit, words)])

    low, high = 1, len(cuts)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if len(attempt(middle)) <= limit else (middle + 1, high)
    # A longer list of what is left out can outweigh a short block, so the search may be one or two off.
    for count in range(low, len(cuts) + 1):
        text = attempt(count)
        if len(text) <= limit:
            return text
    return _verdict_only(parts[0], write, limit, _left_out(cuts, limit, words), words)


def _verdict_only(first: Part, write: Callable[[Iterable[Block]], str], limit: int, note: Block, words: Words) -> str:
    """The verdict alone, its sentence cut to what has room."""
    if len(write([note])) > limit // 2:
        note = _text(words("cut", limit=limit, what="…"))
    verdict, *rest = first.blocks[0].spans
    sentence = "".join(span.text for span in rest)
    while True:
        text = write([Block("text", (verdict, Span(sentence + "…"))), note])
        if len(text) <= limit or not sentence:
            return text
        sentence = sentence[: len(sentence) * 3 // 4]


def _left_out(cuts: Sequence[tuple[str, int]], limit: int, words: Words) -> Block:
    """What is left out, the most important first."""
    counts: dict[str, int] = {}
    for layer, _ in cuts:
        counts[layer] = counts.get(layer, 0) + 1
    told = [words(_LAYERS[layer], count=counts[layer]) for layer in reversed(list(counts))]
    return _text(words("cut", limit=limit, what=words("semicolon").join(told)))


def _text(*spans: Span | str, kind: str = "text", level: int = 0) -> Block:
    """A line; a plain word may hold names between backticks."""
    return Block(kind, tuple(piece for span in spans for piece in _pieces(span)), level)


def _pieces(span: Span | str) -> Iterator[Span]:
    plain = Span(span) if isinstance(span, str) else span
    if plain.name:
        yield plain
    else:
        yield from (Span(text, plain.strong, name) for name, text in spans(plain.text))


def _strong(text: str) -> Span:
    return Span(text, strong=True)


def _name(text: str) -> Span:
    return Span(text, name=True)


def _item(*spans: Span | str, level: int = 0) -> Block:
    return _text(*spans, kind="item", level=level)


def _code(lines: Iterable[str], language: str = "") -> Iterator[Block]:
    text = "\n".join(lines)
    if text.strip():
        yield Block("code", code=text, language=language)


class _Post:
    """The parts of one report."""

    def __init__(self, view: View, words: Words) -> None:
        self.view, self.words, self.report = view, words, view.report

    def parts(self) -> Iterator[Part]:
        """All parts in their order."""
        yield from self.head()
        for key, causes in self.view.sections:
            heading = self.heading(key)
            for cause in causes:
                yield from self.cause(cause, heading)
        yield from self.closing()
        heading = self.heading("unknowns")
        for question in self.view.questions:
            yield Part("unknown", heading, tuple(self.question(question)))
        heading = self.heading("rest")
        for layer, blocks in (*self.passed(), *self.counted(), *self.devices(), *self.said()):
            yield Part(layer, heading, tuple(blocks))

    def heading(self, key: str) -> Block:
        return Block("heading", (Span(self.words(key)),), 2)

    def short(self, address: str) -> str:
        return short_address(address, self.report["devices"])

    def title(self, check: Check) -> str:
        """A check's title, with its device."""
        where = check["device"]
        return f"{check['title']} (`{self.short(where)}`)" if where else check["title"]

    def head(self) -> Iterator[Part]:
        """The verdict; the targets; the input; what the plan would take from the host."""
        words, summary = self.words, self.report["summary"]
        yield Part(_VERDICT, None, (_text(_strong(words(summary["verdict"])), words("colon") + summary["headline"]),))
        yield Part("examined", None, tuple(self.examined()))
        for danger in self.report["plan"]["dangers"]:
            yield Part("plan", None, (_text(words(danger)),))

    def examined(self) -> Iterator[Block]:
        words = self.words
        found = self.view.examined
        yield _text(_strong(words("examined")), words("colon") + ("" if found else words("no-target")))
        for target in found:
            row = target.device
            guessed = words("guessed") + words("colon") if target.confidence == "weak" else ""
            verdict = words(row["verdict"]) if row else ""
            name = (row["name"] or row["ids"] or "") if row else ""
            because = words("aside", what=guessed + target.because) if target.because else ""
            told = (words("colon") + verdict if verdict else "") + (", " if name else "")
            yield _item(_name(target.address), told, _name(name), because)
        subject, system = self.report["subject"], self.report["platform"]
        known = (system["distribution"], system["kernel"], system["bootloader"], system["board"])
        yield _text(
            _strong(words("input")),
            words("colon") + words("kind-" + subject["kind"]) + " ",
            _name(subject["source"]),
            "".join(f" · {part}" for part in dict.fromkeys(filter(None, known))),
        )
        if self.report["profile"] != _USUAL:
            yield _text(_strong(words("profile")), words("colon"), _name(self.report["profile"]))

    def cause(self, cause: Cause, heading: Block) -> Iterator[Part]:
        """What, why we know, what else it explains; then what to do."""
        words, check = self.words, cause.check
        severity = words(cause.severity).upper()
        weak = words("aside", what=words("weak")) if check["confidence"] == "weak" else ""
        start = [_text(f"{cause.number}. {severity}{words('colon')}{self.title(check)}{weak}", kind="heading", level=3)]
        if check["detail"]:
            start.append(_text(check["detail"]))
        end = []
        if cause.told:
            end.append(_text(words("also-explains") + words("colon") + explained(cause.told, words, self.short)))
        brief = (*start, *self.evidence(check["evidence"], 1), *end) if len(check["evidence"]) > 1 else ()
        yield Part("plan", heading, (*start, *self.evidence(check["evidence"], _LINES), *end), brief)
        for step in cause.steps:
            yield Part("plan", heading, tuple(self.step(step)))
        if elsewhere := tuple(self.elsewhere(cause)):
            yield Part("plan", heading, elsewhere)

    def evidence(self, citations: list[Citation], count: int) -> Iterator[Block]:
        yield from _code(f"{place(each)}  {self.line(each)}" for each in citations[:count])
        if len(citations) > count:
            yield _text(self.words("more-evidence", count=len(citations) - count))

    def line(self, cited: Citation | Harmless) -> str:
        """A cited line, cut where nobody reads on."""
        text, hidden = clip(cited["text"].strip() or cited["path"], _LINE_LENGTH)
        return text + (self.words("characters-left-out", count=hidden) if hidden else "")

    def elsewhere(self, cause: Cause) -> Iterator[Block]:
        """What mends a cause and is shown elsewhere, or prescribed though the plan has no step for it."""
        words = self.words
        for later in cause.later:
            label = words("step-later", number=later.number)
            yield _text(_strong(label), words("colon") + later.step["summary"])
        for remedy in cause.remedies:
            yield _text(_strong(remedy["summary"]))
            yield from self.changes(remedy["files"], remedy["commands"])
            yield from _code(to_type(remedy["commands"], remedy["files"]), "sh")
        if cause.shared:
            causes = ", ".join(str(n) for n in sorted({step.causes[0] for step in cause.shared}))
            numbers = ", ".join(str(step.number) for step in cause.shared)
            yield _text(words("same-step", count=len(cause.shared), causes=causes, numbers=numbers))

    def step(self, numbered: Numbered) -> Iterator[Block]:
        """A step of the plan with everything that is to be typed."""
        step, words = numbered.step, self.words
        label = words("step", number=numbered.number) + words("colon") + step["summary"]
        yield _text(_strong(label), words("aside", what=words("optional")) if step["optional"] else "")
        if numbered.note:
            yield _text(numbered.note)
        yield from self.changes(step["files"], step["commands"], numbered.note)
        yield from _code(to_type(step["commands"], step["files"]), "sh")
        if step["risk"]:
            yield _text(_strong(words("risk-of-step")), words("colon") + step["risk"])

    def changes(self, files: list[FileChange], commands: list[str], note: str = "") -> Iterator[Block]:
        for change in filter(essential_lines, files):
            if written_out(change, commands):
                continue
            if edit := edit_of(how_to_edit(change, commands, note), self.words):
                yield _text(edit)
            yield _text(_name(change["path"]), self.words("colon"))
            yield from _code((sign + line for sign, line in changed_lines(change)), "diff")

    def closing(self) -> Iterator[Part]:
        """The steps of no single cause, how to verify and to undo everything, what the plan is not sure of."""
        view, words = self.view, self.words
        heading = self.heading("plan-rest")
        if not view.steps:
            if view.causes or view.questions:
                yield Part("plan", heading if view.causes else None, (_text(words(view.no_plan)),))
            return
        for step in view.closing:
            yield Part("plan", heading, tuple(self.step(step)))
        for note in (" ".join(map(words, view.doubts)), *self.report["plan"]["notes"]):
            if note:
                yield Part("plan", heading, (_text(note),))
        for key, commands in (("verify", to_verify(view)), ("undo", to_undo(view.steps))):
            if commands:
                label = _text(_strong(words(key)), words("colon"))
                yield Part("undo", heading, (label, *_code(commands, "sh")))

    def question(self, question: Question) -> Iterator[Block]:
        for check in question.checks:
            yield _item(self.title(check), self.words("colon") + check["detail"] if check["detail"] else "")
        yield from _code((want["command"] for want in question.wanted if want["command"]), "sh")

    # The rest: a layer and its blocks each

    def passed(self) -> Iterator[tuple[str, list[Block]]]:
        if checks := self.view.by_status["pass"]:
            words = self.words
            names = words("semicolon").join(map(self.title, checks))
            yield "pass", [_item(words("count-pass", count=len(checks)) + words("colon") + names + words("stop"))]

    def counted(self) -> Iterator[tuple[str, list[Block]]]:
        """What is waived, with who answers for it, and what is not applicable."""
        words = self.words
        for check in self.view.by_status["waived"]:
            told = words("waived", **check["waiver"]) if "waiver" in check else words("count-waived", count=1)
            yield "rest", [_item(self.title(check) + words("colon") + told)]
        if skipped := len(self.view.by_status["not-applicable"]):
            yield "rest", [_item(words("count-not-applicable", count=skipped) + words("stop"))]

    def devices(self) -> Iterator[tuple[str, list[Block]]]:
        """An item for each device that might be passed on next."""
        words, others = self.words, self.view.candidates
        blocks = []
        for because, rows in by_reason(others[:_OTHERS]):
            blocks += [self.device(row, "" if because else row["because"]) for row in rows]
            if because:
                blocks.append(_item(words("of-these", because=because), level=1))
        if blocks:
            blocks.insert(0, _item(words("others") + words("colon")))
        if hidden := len(self.view.others) - min(len(others), _OTHERS):
            blocks.append(_item(words("devices-more", count=hidden) + words("stop")))
        if blocks:
            yield "devices", blocks

    def device(self, row: Device, because: str) -> Block:
        words = self.words
        group = words("group-short", group=row["group"]) if row["group"] is not None else ""
        told = "".join(f", {fact}" for fact in (row["driver"], group) if fact)
        told += words("colon") + because if because else ""
        return _item(_name(self.short(row["address"])), " ", _name(row["name"] or row["ids"] or ""), told, level=1)

    def said(self) -> Iterator[tuple[str, list[Block]]]:
        """Harmless lines, contradictions, notes, and who judged."""
        words = self.words
        for line in self.report["harmless"]:
            told = _name(f"{place(line)}  {clip(line['text'].strip(), 100)[0]}")
            yield "harmless", [_item(words("harmless-line") + words("colon"), told, words("aside", what=line["why"]))]
        for each in self.report["contradictions"]:
            cited = ", ".join(map(place, each["evidence"]))
            fact = words("contradiction") + words("colon") + each["fact"]
            taken = words("sentences") + words("resolved", how=each["resolved"])
            yield "rest", [_item(fact + words("aside", what=cited) + taken)]
        for note in self.report["notes"]:
            yield "rest", [_item(note)]
        tool = self.report["tool"]
        yield "rest", [_item(words("judged-by") + words("colon"), _name(f"{tool['name']} {tool['version']}"))]
