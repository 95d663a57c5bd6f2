"""Files to be changed: each once, whatever asks for it, as present lines, new lines and a unified diff.

A draft knows how much of its file was seen. Only a line that consists of words of known patterns, and that
no redaction touched, is written anew; any other change is told in words, beside the line as it was read.
"""

from __future__ import annotations

from doctor.record import NamedTuple
from doctor.say import say
from doctor.treatment import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from doctor.evidence.types import Evidence, Piece
    from doctor.treatment.result import Action, FileChange
    from doctor.treatment.steps import Ask

BACKUP = ".before-passdoctor"
WHOLE, PART, ABSENT, UNSEEN = "whole", "part", "absent", "unseen"
PASTED = "pasted.conf"


class Part(NamedTuple):
    """One contribution to a file's change: what for, in words, and who asks."""

    kind: str
    summary: str
    ask: Ask
    verify: tuple[str, ...] = ()


class Draft:
    """The changes of one file: `path` from the root; `named` is False if a paste did not name it."""

    def __init__(self, path: str, piece: Piece | None, state: str) -> None:
        """A draft of the file at `path` as `piece` shows it, if any."""
        self.path, self.piece, self.state = path, piece, state
        self.named = not path.endswith("/" + PASTED)
        self.lines = piece.text.splitlines() if piece else []
        self.replaced: dict[int, tuple[int, str | None]] = {}
        self.added: list[str] = []
        self.shown: list[str] = []
        self.told: list[str] = []
        self.edits: list[Action] = []
        self.parts: list[Part] = []
        self.mode: str | None = None

    def line(self, at: int) -> str | None:
        """Line `at` as it stands now in the draft; None if it was dropped."""
        return self.replaced[at][1] if at in self.replaced else self.lines[at]

    def replace(self, at: int, text: str | None, span: int = 1) -> None:
        """Put `text` in place of `span` lines from `at` on; None drops them."""
        self.replaced[at] = (span, text)

    def add(self, text: str) -> None:
        """Append a line, unless it is there already."""
        if text not in self.added and text not in self.lines:
            self.added.append(text)

    def tell(self, words: str, shown: str | None = None, edit: Action | None = None) -> None:
        """Say in words what to change; `shown` is the present line, which is only shown.

        `edit` is the same for programs; without one, only a person can do it.
        """
        self.told.append(words)
        self.edits.append(edit or {"op": "by-hand", "text": safe.words(f"/{self.path}: {words}")})
        if shown is not None:
            self.shown.append(shown)

    @property
    def emptied(self) -> bool:
        """Whether only blank lines and comments would stay in a file of a drop-in folder: it can go."""
        return (
            self.named
            and self.state == WHOLE
            and bool(self.replaced)
            and not (self.told or self.mode)
            and self.path.rpartition("/")[0].endswith(".d")
            and all(not line.strip() or line.lstrip().startswith("#") for line in self.result())
        )

    @property
    def how(self) -> str | None:
        """What to do in the editor, if it takes one."""
        if self.mode or self.emptied:
            return None
        if not self.replaced:
            return say("Change the line as said here and save.") if self.told else None
        old = sum(span for span, _ in self.replaced.values())
        new = len([text for _, text in self.replaced.values() if text is not None]) + len(self.added)
        gone = say("the - lines") if old > 1 else say("the - line")
        come = say("the + lines") if new > 1 else say("the + line")
        done = say("Put {come} in place of {gone}", come=come, gone=gone) if new else say("Delete {gone}", gone=gone)
        also = say(", change the other as said here") if self.told else ""
        return say("{done}{also} and save.", done=done, also=also)

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.replaced or self.added or self.told)

    def result(self) -> list[str]:
        """The lines after the change, of what was seen of the file."""
        out: list[str] = []
        at = 0
        while at < len(self.lines):
            span, text = self.replaced.get(at, (1, self.lines[at]))
            out += [] if text is None else [text]
            at += span
        return out + self.added

    def change(self) -> FileChange:
        """The change as the report shows it."""
        before = list(self.shown)
        after: list[str] = []
        for at, (span, text) in sorted(self.replaced.items()):
            before += self.lines[at : at + span]
            after += [] if text is None else text.split("\n")
        return {
            "path": "/" + self.path if self.named else "/" + self.path[: -len(PASTED)] + "*.conf",
            "diff": self._diff(before, after + self.added),
            "before": before,
            "after": after + self.added,
        }

    def _diff(self, before: list[str], after: list[str]) -> str:
        """Unified; of the lines alone if the file was not seen whole, or holds what cannot be shown."""
        if not (self.replaced or self.added):
            return ""
        if self.state in (WHOLE, ABSENT) and all(safe.displayable(line) for line in self.lines):
            import difflib

            old = "/dev/null" if self.state == ABSENT else f"a/{self.path}"
            new = "/dev/null" if self.emptied else f"b/{self.path}"
            after = [] if self.emptied else self.result()
            lines = difflib.unified_diff(self.lines, after, old, new, lineterm="")
            return "\n".join(lines) + "\n"
        seen = [line for line in before if line not in self.shown and safe.displayable(line)]
        header = [f"--- a/{self.path}", f"+++ b/{self.path}", "@@ only these lines @@"]
        return "\n".join([*header, *("-" + line for line in seen), *("+" + line for line in after)]) + "\n"

    @property
    def _kept(self) -> str:
        """Where the copy goes. That of a script leaves its folder, where it would be run as well."""
        path = "/root/" + self.path.rpartition("/")[2] if self.mode else "/" + self.path
        return safe.quote(path + BACKUP)

    @property
    def _new(self) -> str:
        """The mark that a file was not there before."""
        return safe.quote("/root/" + self.path.replace("/", "-") + ".new-by-passdoctor")

    def commands(self, editor: str) -> list[str]:
        """What to type: a copy first, then the editor where lines change, then what takes no editor."""
        if not self.named:
            return []
        path = safe.quote("/" + self.path)
        if self.emptied:
            return [f"mv {path} {self._kept}"]
        if self.state == ABSENT:
            made: list[str] = []
        elif self.state == UNSEEN:
            # A mark says that the file is new, so that undoing never deletes what was there before.
            made = [f"if [ -e {path} ]; then cp -a {path} {self._kept}; else : > {self._new}; fi"]
        else:
            made = [f"cp -a {path} {self._kept}"]
        if self.mode:
            return [*made, safe.here_document("/" + self.path, self.added), f"chmod {self.mode} {path}"]
        if self.how:
            made.append(f"{editor} {path}")
        if len(self.added) > 1 and not self.replaced:
            made.append(safe.here_document("/" + self.path, self.added, append=True))
        elif self.added and not self.replaced:
            made.append(f"printf '%s\\n' {safe.quote(self.added[0])} >> {path}")
        return made

    def actions(self) -> list[Action]:
        """What `commands` and the editor do, for programs; of several edits the last line comes first."""
        path = "/" + self.path
        if not self.named:
            text = safe.words(say("; ").join([*self.told, *self.added]))
            return [{"op": "by-hand", "text": text}]
        if self.mode:
            return [{"op": "write-file", "path": path, "mode": self.mode, "lines": list(self.added)}]
        if self.emptied:
            seen = [line for line in self.lines if line.strip() and not line.lstrip().startswith("#")]
            return [{"op": "delete-file", "path": path, "lines": seen}]
        made = [self._replacement(at) for at in sorted(self.replaced, reverse=True)]
        made += self.edits
        if self.added:
            made.append({"op": "add-lines", "path": path, "lines": list(self.added)})
        return made

    def _replacement(self, at: int) -> Action:
        """The action that puts new lines in place of what was seen at `at`."""
        span, text = self.replaced[at]
        before = self.lines[at : at + span]
        after = [] if text is None else text.split("\n")
        if not all(safe.displayable(line) and not safe.redacted(line) for line in before):
            told = say("/{path}: put the new line in place of the old one by hand", path=self.path)
            return {"op": "by-hand", "text": safe.words(told)}
        where = at + 1 if self.state == WHOLE else 0
        return {"op": "replace-lines", "path": "/" + self.path, "at": where, "before": before, "after": after}

    def undo(self) -> list[str]:
        """How to go back."""
        if not self.named:
            return ["# " + say("put the lines back as they were")]
        path = safe.quote("/" + self.path)
        if self.state == ABSENT:
            return [f"rm -f {path}"]
        if self.state == UNSEEN:
            back = f"if [ -e {self._kept} ]; then mv {self._kept} {path}"
            return [f"{back}; elif [ -e {self._new} ]; then rm -f {path} {self._new}; fi"]
        return [f"mv {self._kept} {path}"]


def is_whole(piece: Piece) -> bool:
    """Whether the piece is all of its file."""
    return piece.state == "whole" and not piece.terms


def is_current(evidence: Evidence, piece: Piece) -> bool:
    """Whether no later sighting of the whole file outdates this piece."""
    last = evidence.last(piece.path)
    return last is piece or last is None or not is_whole(last)


class Drafts:
    """All files that the plan changes, in the order in which they were first touched."""

    def __init__(self, evidence: Evidence) -> None:
        """Drafts of the files of a host, as `evidence` shows them."""
        self._evidence = evidence
        self._drafts: dict[tuple[str, int | None], Draft] = {}

    def __iter__(self) -> Iterator[Draft]:
        """Those that change something."""
        return iter([draft for draft in self._drafts.values() if draft.changed])

    def of(self, piece: Piece) -> Draft:
        """The draft of the file that `piece` shows."""
        whole = is_whole(piece)
        number = None if whole else piece.first_line  # parts of one file that a paste shows may be two files
        return self._drafts.setdefault((piece.path, number), Draft(piece.path, piece, WHOLE if whole else PART))

    def at(self, path: str) -> Draft:
        """The draft of the file at `path`, seen or not."""
        last = self._evidence.last(path)
        if last is not None:
            return self.of(last)
        absent = self._evidence.absent(path) is not None or self._not_listed(path)
        return self._drafts.setdefault((path, None), Draft(path, None, ABSENT if absent else UNSEEN))

    def _not_listed(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        listed = self._evidence.listing(folder + "/")
        return listed is not None and name not in listed[0]
