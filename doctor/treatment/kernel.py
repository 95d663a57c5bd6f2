"""Kernel parameters, brought into the file that the loader really reads, or given as its tool's command."""

from __future__ import annotations

from doctor.facts.bootfiles import GRUB_VARIABLES
from doctor.facts.fact import UNKNOWN
from doctor.record import NamedTuple
from doctor.say import say
from doctor.treatment import safe
from doctor.treatment.files import Draft, Drafts, Part, is_current
from doctor.treatment.outcome import make_step, runs, step_of, verify_of
from doctor.treatment.words import END, Grammar, Wish, holds, key, live, rewrite, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from doctor.facts.boot import ConfigLine
    from doctor.treatment.platforms import HostFacts, Way
    from doctor.treatment.result import Action, Step
    from doctor.treatment.steps import Ask


class Job(NamedTuple):
    """Everything that carrying out a wish needs. `data` is the platform's file.

    `shows`: the commands that show the effect of a parameter, by word or name.
    """

    facts: HostFacts
    data: Mapping[str, Any]
    wish: Wish
    rules: Grammar
    shows: Mapping[str, Sequence[str]]

    def verify(self, *words: str) -> tuple[str, ...]:
        """What shows that a change of `words` worked: their effect, then what the kernel was given."""
        shown = [command for word in words for command in self.shows.get(word, self.shows.get(key(word), ()))]
        return tuple(dict.fromkeys([*shown, *verify_of(self.data, "kernel_parameter")]))

    @property
    def words(self) -> list[str]:
        """Every word that is added or removed."""
        return [*self.wish.adds, *self.wish.removes]

    @property
    def asks(self) -> list[Ask]:
        """Who asks for a change of the command line."""
        return [ask for asks in (*self.wish.adds.values(), *self.wish.removes.values()) for ask in asks]


def kernel_steps(job: Job, way: Way) -> list[Step]:
    """The steps that bring the wish into the configuration of one loader; none if it is there already."""
    if not (job.wish.adds or job.wish.removes):
        return []
    prefix = say("If {when}: ", when=way.when) if way.when else ""
    style = way.data.get("style", "text")
    if style == "command":
        return _by_command(job, way, prefix)
    if style == "text":
        note = way.data.get("note", "")
        title = way.data.get("title", way.loader)
        text = say("{prefix}{wanted} ({title}). {note}", prefix=prefix, wanted=_wanted(job), title=title, note=note)
        by_hand: Action = {"op": "by-hand", "text": safe.words(text)}
        return [make_step("kernel_parameter", text, job.asks, verify=job.verify(*job.words), actions=[by_hand])]
    drafts = Drafts(job.facts.evidence)
    groups = _groups(job, way)
    for lines in groups:
        _edit(job, way, drafts, lines)
    if not groups:
        _unseen(job, way, drafts)
    return [step_of(draft, job.data, prefix) for draft in drafts]


def misplaced(job: Job) -> list[str]:
    """Notes on parameters that stand in a file which the loader in use does not read."""
    notes: dict[str, None] = {}
    for line in job.facts.boot.lines:
        for word in job.wish.adds:
            if line.in_use is False and any(holds(have, word, job.rules) for have in line.words):
                path = safe.words(line.path)
                notes[
                    say(
                        "{word} stands in /{path} already, which the boot loader in use does not read.",
                        word=word,
                        path=path,
                    )
                ] = None
    return list(notes)


def _groups(job: Job, way: Way) -> list[list[ConfigLine]]:
    """The lines of the way's file or files that the wish is applied to together."""
    prefix = str(way.data.get("file", "")).partition("*")[0]
    found = [
        line
        for line in job.facts.boot.lines
        if line.path.startswith(prefix)
        and (line.effective or way.data.get("style") == "line")
        and safe.fits("path", line.path)
        and is_current(job.facts.evidence, line.piece)
    ]
    if not found:
        return []
    if way.data.get("style") != "options":
        return [found]
    paths = dict.fromkeys(line.path for line in found)
    return [[line for line in found if line.path == path] for path in paths]


def _edit(job: Job, way: Way, drafts: Drafts, lines: list[ConfigLine]) -> None:
    """Rewrite the lines of one group."""
    grub = all(line.variable in GRUB_VARIABLES for line in lines)
    if grub:
        lines = sorted(lines, key=lambda line: GRUB_VARIABLES.index(line.variable or ""))
    if way.data.get("style") == "line":
        # The file is to be one line: what stands on further lines joins the first.
        joined = tuple(word for line in lines for word in line.words)
        old: Sequence[Sequence[str]] = [joined, *([] for _ in lines[1:])]
    else:
        old = [line.words for line in lines]
    new = rewrite(old, _home(lines, way), job.wish, job.rules, grub)
    for line, words in zip(lines, new, strict=True):
        if list(line.words) == words:
            continue
        draft = drafts.of(line.piece)
        text = _rendered(line, words, drop=way.data.get("style") == "line" and line is not lines[0])
        if text is UNKNOWN:
            draft.tell(
                say("this goes {inside}, whose other words stay as they are on the host", inside=_inside(line)),
                line.text,
                _swap(way, line, words),
            )
        else:
            draft.replace(line.at, text if isinstance(text, str) else None, line.span)
        _credit(job, draft, list(line.words), words)


def _home(lines: list[ConfigLine], way: Way) -> int:
    """The line that takes what is new: the last plain assignment of the way's variable."""
    variable = way.data.get("variable")
    best = [at for at, line in enumerate(lines) if line.variable == variable and not line.appends]
    some = [at for at, line in enumerate(lines) if line.variable == variable]
    return (best or some or [0])[-1] if variable else 0


def _rendered(line: ConfigLine, words: list[str], drop: bool) -> Any:
    """The line with new words; None to drop it; UNKNOWN if it cannot be written anew safely."""
    own = (f"${line.variable}", f"${{{line.variable}}}") if line.variable else ()
    plain = all(word in (*own, END) or safe.fits("parameter", word) for word in (*words, *line.words))
    if not plain or line.span > 1 or safe.redacted(line.text) or not safe.comment_tail(line.tail):
        return UNKNOWN
    if drop and not words:
        return None
    text = " ".join(words)
    if line.variable is None:
        return text
    before, _, after = line.text.partition(line.variable)
    if before.strip() not in ("", "export"):
        return UNKNOWN
    if after.lstrip("+").startswith("="):
        mark = line.quote if line.quote and not (line.quote == "'" and line.appends) else '"'
        equals = "+=" if after.startswith("+=") else "="
        return f"{before}{line.variable}{equals}{mark}{text}{mark}{line.tail}"
    return f"{before}{line.variable} {text}"


def _swap(way: Way, line: ConfigLine, words: list[str]) -> Action | None:
    """The edit of a line that is not written anew: which words go, which come; None if one is not plain."""
    gone = [word for word in line.words if word not in words]
    come = [word for word in live(words) if word not in live(line.words)]
    if line.span > 1 or not all(map(_plain, (*gone, *come))) or not safe.fits("path", line.path):
        return None
    style = "keyword" if way.data.get("style") == "options" else str(way.data.get("style"))
    name = line.variable or str(way.data.get("keyword") or "")
    if style != "line" and not safe.fits("module", name):
        return None
    signed = [*("-" + word for word in gone), *("+" + word for word in come)]
    return {"op": "edit-words", "path": "/" + line.path, "style": style, "name": name, "words": signed}


def _wishes(wish: Wish, rules: Grammar) -> list[str]:
    """The wish for a line that was not seen, as signed words: what goes, goes if it is there."""
    signed: dict[str, None] = {}
    for word in wish.adds:
        if key(word) not in rules.accumulate:
            signed[f"~{word.partition('=')[0]}=*"] = None
        for pair in rules.opposites.get(key(word), ()):
            if value(word) in pair:
                signed.update((f"~{word.partition('=')[0]}={other}", None) for other in pair if other != value(word))
    for word in wish.removes:
        signed[f"~{word}" if "=" in word else f"~{word}=*"] = None
    return [*signed, *("+" + word for word in wish.adds)]


def _inside(line: ConfigLine) -> str:
    """Where the change goes, for a line that is not written anew."""
    if line.variable and safe.fits("module", line.variable):
        return say("within the line that begins with {variable}", variable=line.variable)
    return say("within the line that holds the parameters")


def _unseen(job: Job, way: Way, drafts: Drafts) -> None:
    """The change of a file whose present line was not seen."""
    path, variable = str(way.data["file"]), way.data.get("variable") or way.data.get("keyword")
    if variable and way.data.get("style") == "shell":
        where = say("in the line that begins with {variable}=, inside the quotes", variable=variable)
    elif variable:
        where = say("at the end of the line that begins with {variable}", variable=variable)
    else:
        where = say("at the end of its one line")
    draft = drafts.at(path)
    missing = str(way.data.get("missing") or "")
    verb = say("this goes") if job.wish.adds else say("it stands")
    told = say("{verb} {where} (the present line was not seen). {missing}", verb=verb, where=where, missing=missing)
    style = "keyword" if way.data.get("style") == "options" else str(way.data.get("style"))
    signed = _wishes(job.wish, job.rules)
    draft.tell(
        told.strip().rstrip(".。"),
        edit={"op": "edit-words", "path": "/" + path, "style": style, "name": str(variable or ""), "words": signed},
    )
    said = [(say("add {word}", word=word), asks, word) for word, asks in job.wish.adds.items()]
    said += [(say("remove {word} if it is there", word=word), asks, word) for word, asks in job.wish.removes.items()]
    for text, asks, word in said:
        draft.parts += [Part("kernel_parameter", text, ask, job.verify(word)) for ask in asks]


def _wanted(job: Job) -> str:
    """The wish in words."""
    said = [say("add {adds}", adds=" ".join(job.wish.adds))] if job.wish.adds else []
    for optional in (False, True):
        some = [word for word, asks in job.wish.removes.items() if all(ask.optional for ask in asks) is optional]
        if some:
            said.append(
                say("remove {some}", some=" ".join(some))
                + (say(" (optional)") if optional and len(job.asks) > 1 else "")
            )
    text = said[0]
    for more in said[1:]:
        text = say("{some} and {more}", some=text, more=more)
    return text


def _credit(job: Job, draft: Draft, old: list[str], new: list[str]) -> None:
    """Say in the draft who asked for the change of one line, and what it is."""
    said: list[tuple[str, list[Ask], tuple[str, ...]]] = []
    for word, asks in job.wish.adds.items():
        if word in live(new) and word not in live(old):
            was = [gone for gone in live(old) if key(gone) == key(word) and gone not in new]
            instead = say(" in place of {was}", was=" ".join(was)) if was and all(map(_plain, was)) else ""
            said.append((say("add {word}{instead}", word=word, instead=instead), asks, job.verify(word)))
    for word, asks in job.wish.removes.items():
        gone = [have for have in old if key(have) == key(word) and have not in new]
        replaced = any(key(add) == key(word) for add in new if add not in old)
        if gone and not replaced:
            said.append((say("remove {word}", word=word), asks, job.verify(word)))
    for text, asks, verify in said or [(say("write all parameters on one line"), job.asks, job.verify())]:
        draft.parts += [Part("kernel_parameter", text, ask, verify) for ask in asks]


def _plain(word: str) -> bool:
    return safe.fits("parameter", word)


def _by_command(job: Job, way: Way, prefix: str) -> list[Step]:
    """The command that changes every entry; nothing if the configured words already are as wanted."""
    configured = job.facts.boot.configured
    seen = configured.known and configured.value.complete and not configured.weak
    if seen:
        old = list(configured.value)
        new = rewrite([old], 0, job.wish, job.rules)[0]
        if new == old:
            return []
        if END in old and set(live(new)) - set(live(old)):
            return [_before_the_end(job, prefix)]
        adds, removes = _changes(way, old, new)
        command, undo = _command(way.data, adds, removes), _command(way.data, *_changes(way, new, old))
    elif job.wish.adds and _has_an_end(job):
        return [_before_the_end(job, prefix)]
    else:
        adds, removes = (safe.sift("parameter", words)[0] for words in (job.wish.adds, job.wish.removes))
        command = _command(way.data, adds, removes)
        # What goes only if it is there may not have been there: it is not put back unseen.
        undo = _command(way.data, [], adds) if adds else ""
    note = say(". {note}", note=way.data["note"]) if way.data.get("note") else ""
    summary = say("{prefix}{wanted}, in every boot entry{note}", prefix=prefix, wanted=_wanted(job), note=note)
    verify = job.verify(*adds, *removes)
    back = [undo] if undo else []
    done = runs([command], back)
    return [make_step("kernel_parameter", summary, job.asks, [command], undo=back, verify=verify, actions=done)]


def _has_an_end(job: Job) -> bool:
    """Whether a lone `--` stands in what was seen of the command line, running or configured."""
    configured = job.facts.boot.configured
    running = [word for piece in job.facts.evidence.pieces("proc/cmdline") for word in piece.text.split()]
    return END in running or (configured.known and END in configured.value)


def _before_the_end(job: Job, prefix: str) -> Step:
    """What a tool cannot do that puts new words at the end of a line that the kernel does not read to its end."""
    told = say(
        "{prefix}{wanted}, in every boot entry, before the lone --: by hand, because the tool would put it behind, "
        "where the kernel does not read it",
        prefix=prefix,
        wanted=_wanted(job),
    )
    by_hand: Action = {"op": "by-hand", "text": safe.words(told)}
    return make_step("kernel_parameter", told, job.asks, verify=job.verify(*job.words), actions=[by_hand])


def _changes(way: Way, old: list[str], new: list[str]) -> tuple[list[str], list[str]]:
    """What the tool has to add and to remove for the words to be `new`.

    A tool that `replaces` takes every value of a name away when one is added: all of them are given at once then.
    """
    keys = {key(word) for word in new if word not in old}
    if way.data.get("replaces", True):
        adds = [word for word in new if key(word) in keys]
        removes = [word for word in old if word not in new and key(word) not in keys]
    else:
        adds = [word for word in new if word not in old]
        removes = [word for word in old if word not in new]
    return safe.sift("parameter", adds)[0], safe.sift("parameter", removes)[0]


def _command(data: Mapping[str, Any], adds: list[str], removes: list[str]) -> str:
    """The platform's command with the words filled in, each quoted for the shell."""
    said = [str(data["command"])]
    for template, words in ((str(data["remove"]), removes), (str(data["add"]), adds)):
        if "{words}" in template and words:
            said.append(safe.fill(template, {"words": safe.quote(" ".join(words))}))
        elif words:
            said += [safe.fill(template, {"word": safe.quote(word)}) for word in words]
    return " ".join(said)
