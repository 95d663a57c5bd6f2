"""The kernel's command line: its words, what each does by the kernel's own rules, and slips of the finger.

Source of the rules: linux init/main.c, kernel/params.c, lib/cmdline.c. Which option does what is data:
`rules/parameters.yaml`.

>>> [word.name for word in split('quiet intel-iommu=on a="x y" -- init_word')]
['quiet', 'intel_iommu', 'a', 'init_word']
"""

from __future__ import annotations

from doctor.evidence.types import Evidence, Piece, Source
from doctor.facts.fact import Fact, Listing, unknown
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

WANTED = "proc/cmdline"


class Word(NamedTuple):
    """A word of the command line. In `name` "-" is written "_", as the kernel compares; `raw` is as typed."""

    name: str
    value: str | None
    raw: str
    source: Source | None = None
    ignored: bool = False  # it stands after `--`, so the kernel does not read it


class Slip(NamedTuple):
    """A word one slip away from what was meant. `harmful`: what was meant would stand in the way of passthrough."""

    given: str
    meant: str
    source: Source | None
    name: str
    harmful: bool = False

    def lookup(self, name: str) -> Any:
        """The parts as rules ask for them."""
        return Fact(getattr(self, name), (self.source,) if self.source else ()) if name in self._fields else None

    @property
    def worth(self) -> str | None:
        """What was meant, where it is worth having; None for what would stand in the way."""
        return None if self.harmful else self.meant

    @property
    def worth_amd(self) -> str | None:
        """The same on an AMD machine: None for the parameter of Intel's driver too."""
        return None if self.meant.startswith("intel_iommu") else self.worth

    def __str__(self) -> str:
        return f"`{self.given}` (meant: `{self.meant}`)"


class Note(NamedTuple):
    """A word and what there is to say of it."""

    given: str
    why: str
    source: Source | None

    def lookup(self, name: str) -> Any:
        """The parts as rules ask for them."""
        return Fact(getattr(self, name), (self.source,) if self.source else ()) if name in self._fields else None

    def __str__(self) -> str:
        return self.why


def split(text: str, source: Source | None = None) -> list[Word]:
    """The words of a command line. Double quotes protect blanks and are dropped; `--` ends the kernel's part."""
    words: list[Word] = []
    ignored = False
    for raw in _tokens(text):
        if raw == "--":
            ignored = True
            continue
        bare = raw.replace('"', "")
        name, equals, value = bare.partition("=")
        words.append(Word(name.replace("-", "_"), value if equals else None, bare, source, ignored))
    return words


def _tokens(text: str) -> list[str]:
    """Split at white space outside double quotes."""
    tokens, current, quoted = [], "", False
    for part in text.split('"'):
        if quoted:
            current += part
        else:
            pieces = part.split()
            if part[:1].isspace() and current:
                tokens.append(current)
                current = ""
            if pieces:
                tokens += [current + pieces[0], *pieces[1:]] if len(pieces) > 1 else []
                current = tokens.pop() if len(pieces) > 1 else current + pieces[0]
            if part[-1:].isspace() and current:
                tokens.append(current)
                current = ""
        quoted = not quoted
    return [token for token in [*tokens, current] if token]


class Effect(NamedTuple):
    """A word that takes effect. `exact`: it with the one option that does; `until`: the kernel that no longer does."""

    word: Word
    exact: str
    until: tuple[int, ...] | None


class Cmdline:
    """What the running command line says; while it is unknown, what the next boot's says, weakly."""

    def __init__(self, words: Fact, parameters: dict[str, Any], kernel: Callable[[], Fact] | None = None) -> None:
        """`words` is a Fact of a list of `Word`; `parameters` the data of rules/parameters/.

        `kernel` tells the kernel's version, (major, minor), for options that do something up to some version.
        """
        self.words, self._data, self._kernel = words, parameters, kernel or unknown
        self.known_effects = effects_of(parameters)
        self._effects: dict[str, list[Effect]] | None = None

    def lookup(self, name: str) -> Any:
        """An effect (`disables_dma`), `typos`, `useless`, `ignored`, or a parameter by its name.

        `disables_dma_options` are the effect's words with nothing but the option that has it.
        """
        if name in ("typos", "useless", "ignored", "text", "known", "words"):
            return getattr(self, "_" + name)()
        if name in PARTS:
            whole, part = PARTS[name]
            fact: Fact = getattr(self, "_" + whole)()
            parts = (getattr(item, part) for item in fact.value) if fact.known else ()
            return fact._replace(value=tuple(found for found in parts if found is not None)) if fact.known else fact
        if not self.words.known:
            return self.words
        if name in self.known_effects:
            return self._effect(name)
        if name.removesuffix(OPTIONS) in self.known_effects:
            return self._effect(name.removesuffix(OPTIONS), exact=True)
        wanted = name.replace("-", "_")
        found = [word for word in self.words.value if word.name == wanted and not word.ignored]
        value = (found[-1].value if found[-1].value is not None else "") if found else None
        return Fact(value, self._cite(found), weak=self.words.weak)

    def _effect(self, name: str, exact: bool = False) -> Fact:
        """The words that have an effect; unknown if that hangs on the kernel's version alone, and nothing tells it."""
        found: list[Effect] = []
        kernel = None
        for effect in self.effects().get(name, []):
            if effect.until is not None:
                kernel = kernel or self._kernel()
                if not kernel.known or kernel.value >= effect.until:
                    continue
            found.append(effect)
        if not found and kernel is not None and not kernel.known:
            return kernel
        weak = self.words.weak or bool(kernel and kernel.weak)
        sources = self._cite([effect.word for effect in found]) + (kernel.sources[:1] if kernel else ())
        said = [effect.exact if exact else effect.word.raw for effect in found]
        return Fact(Listing(said), tuple(dict.fromkeys(sources)), weak=weak)

    def effects(self) -> dict[str, list[Effect]]:
        """The words that take effect, by effect. Of the options of one slot the last wins."""
        if self._effects is None:
            slots: dict[str, tuple[dict[str, Any], Word]] = {}
            for word in self.words.value if self.words.known else ():
                for option in self._options(word):
                    slots.pop(option["slot"], None)
                    slots[option["slot"]] = (option, word)
            self._effects = {}
            for option, word in slots.values():
                until = tuple(int(number) for number in option["until"].split(".")) if "until" in option else None
                given = next((one for one in _members(option, word) if one and _matches(option, one)), None)
                exact = f"{word.raw.partition('=')[0]}={given}" if given else word.raw
                for name in (_effect(option), option.get("also")):
                    if name:
                        self._effects.setdefault(name, []).append(Effect(word, exact, until))
        return self._effects

    def _options(self, word: Word) -> list[dict[str, Any]]:
        """The entries of the data that match a word."""
        if word.ignored:
            return []
        return [
            option
            for option in self._data["options"]
            if option["name"].replace("-", "_") == word.name
            and any(_matches(option, one) for one in _members(option, word))
        ]

    def _cite(self, found: list[Word]) -> tuple[Source, ...]:
        """The words' own line; for an absence, the line that lacks them."""
        sources = [word.source for word in found if word.source] or list(self.words.sources[-1:])
        return tuple(dict.fromkeys(sources))

    def _known(self) -> Fact:
        return Fact(self.words.known, self.words.sources)

    def _words(self) -> Fact:
        if not self.words.known:
            return self.words
        return self.words._replace(value=tuple(word.raw for word in self.words.value))

    def _text(self) -> Fact:
        if not self.words.known:
            return self.words
        return self.words._replace(value=" ".join(word.raw for word in self.words.value))

    def _ignored(self) -> Fact:
        """Words that matter to passthrough but stand after `--`."""
        if not self.words.known:
            return self.words
        names = self._names()
        found = [word for word in self.words.value if word.ignored and word.name in names]
        return Fact(Listing(word.raw for word in found), self._cite(found), weak=self.words.weak)

    def _names(self) -> set[str]:
        options = {option["name"].replace("-", "_") for option in self._data["options"]}
        return options | {name.replace("-", "_") for name in self._data["known"]}

    def _typos(self) -> Fact:
        """Words one slip away from a known name, or whose option is one slip away from a known one."""
        if not self.words.known:
            return self.words
        names = self._names()
        slips = []
        for word in self.words.value:
            meant = None
            if word.name not in names:
                near = next((name for name in sorted(names) if len(name) > 4 and slip(word.name, name)), None)
                if near is not None:
                    meant = near + ("" if word.value is None else "=" + word.value)
            elif word.value:
                meant = self._value_slip(word)
            if meant is not None:
                slips.append(Slip(word.raw, meant, word.source, word.name, self._harms(split(meant)[0])))
        return Fact(Listing(slips), tuple(s.source for s in slips if s.source) or self._cite([]), weak=self.words.weak)

    def _harms(self, word: Word) -> bool:
        """Whether a word has an effect that stands in the way of passthrough."""
        effects = {option.get(key) for option in self._options(word) for key in ("effect", "also")}
        return not effects.isdisjoint(self._data["harmful"])

    def _value_slip(self, word: Word) -> str | None:
        """The word with its option mended, if that is one slip away from an option of the parameter."""
        options = [
            o for o in self._data["options"] if o["name"].replace("-", "_") == word.name and len(o["option"]) > 1
        ]
        useless = [o["option"] for o in self._data["useless"] if o["name"].replace("-", "_") == word.name]
        mended, changed = [], False
        for given in (word.value or "").split(","):
            if given in useless or not options or any(_matches(option, given) for option in options):
                mended.append(given)
                continue
            near = [
                o["option"]
                for o in options
                if (len(given) > 3 and slip(given, o["option"])) or given.lower() == o["option"]
            ]
            changed = changed or bool(near)
            mended.append(near[0] if near else given)
        return f"{word.raw.partition('=')[0]}={','.join(mended)}" if changed else None

    def _useless(self) -> Fact:
        """Words whose option the kernel ignores, with the reason."""
        if not self.words.known:
            return self.words
        notes = []
        for word in self.words.value:
            for entry in self._data["useless"]:
                name = entry["name"].replace("-", "_")
                if word.name == name and _is_useless(entry, word.value or ""):
                    notes.append(Note(word.raw, entry["why"], word.source))
        return Fact(Listing(notes), tuple(n.source for n in notes if n.source) or self._cite([]), weak=self.words.weak)


def effects_of(parameters: dict[str, Any]) -> frozenset[str]:
    """Every effect that an option of the data can have: the names that rules may ask for.

    >>> sorted(effects_of({"options": [{"effect": "none"}, {"effect": "x", "vendor": "amd", "also": "y"}]}))
    ['x_amd', 'y']
    """
    found = {name for option in parameters["options"] for name in (_effect(option), option.get("also"))}
    return frozenset(name for name in found if name)


OPTIONS = "_options"
PARTS = {
    "typos_given": ("typos", "given"),
    "typos_worth": ("typos", "worth"),
    "typos_worth_amd": ("typos", "worth_amd"),
    "useless_words": ("useless", "given"),
}


def _effect(option: dict[str, Any]) -> str | None:
    """The effect's name: per vendor where only one vendor's driver reads the parameter."""
    effect = option["effect"]
    if effect == "none":
        return None
    return f"{effect}_{option['vendor']}" if option.get("vendor") else str(effect)


def _members(option: dict[str, Any], word: Word) -> list[str]:
    """What of a word's value an option is compared with: each part between commas, or all of it."""
    value = word.value or ""
    return [value] if option.get("match") == "start" else value.split(",")


def _matches(option: dict[str, Any], given: str) -> bool:
    """Whether an option as typed is read as `option` by the kernel's comparison."""
    wanted = str(option["option"])
    if not wanted:
        return True
    if option.get("match") == "boolean":
        return _boolean(given, bool(option.get("bare"))) is (wanted == "1")
    if option.get("match") in ("prefix", "start"):
        return given.startswith(wanted)
    return given.lower() == wanted if len(wanted) == 1 else given == wanted


def _is_useless(entry: dict[str, Any], value: str) -> bool:
    """Whether a value is one of those that do nothing; with `match: start` only what it begins with counts."""
    option = str(entry["option"])
    if entry.get("match") == "start":
        return value.startswith(option)
    return option == "*" or option in (*value.split(","), value)


def _boolean(given: str, bare: bool) -> bool | None:
    """A value as the kernel reads a boolean (linux lib/kstrtox.c, kstrtobool); None for what it refuses."""
    if not given:
        return True if bare else None
    if given[:1] in "yYtT1" or given[:2].lower() == "on":
        return True
    return False if given[:1] in "nNfF0" or given[:2].lower() == "of" else None


def slip(given: str, meant: str) -> bool:
    """Whether one inserted, lost, wrong or swapped character makes `given` of `meant`.

    >>> slip("intel_iomu", "intel_iommu"), slip("vfio_pci_ids", "vfio_pci.ids"), slip("quiet", "intel_iommu")
    (True, True, False)
    """
    if given == meant or abs(len(given) - len(meant)) > 1:
        return False
    start = 0
    while start < min(len(given), len(meant)) and given[start] == meant[start]:
        start += 1
    rest, other = given[start:], meant[start:]
    if len(rest) == len(other):
        swapped = len(rest) > 1 and rest[0] == other[1] and rest[1] == other[0] and rest[2:] == other[2:]
        return rest[1:] == other[1:] or swapped
    return rest[1:] == other if len(rest) > len(other) else rest == other[1:]


def running(evidence: Evidence, log_lines: list[tuple[str, Source]]) -> Fact:
    """The running command line's words: from /proc/cmdline, else from what the kernel logged.

    `log_lines` are the texts of the log's `Command line:` lines with their citations, oldest first.
    """
    for piece in reversed(evidence.pieces("proc/cmdline")):
        if piece.terms and piece.state != "whole":
            continue
        found = _of_piece(piece)
        if found is not None:
            return found
    if log_lines:
        text, source = log_lines[-1]
        return Fact(tuple(split(text, source)), (source,))
    return unknown(WANTED)


def _of_piece(piece: Piece) -> Fact | None:
    """The words of a piece at proc/cmdline; prose around them is dropped."""
    for index, line in enumerate(piece.text.splitlines()):
        text = line.strip()
        if not text or ("=" not in text and piece.command is None and piece.source and len(text.split()) < 2):
            continue
        head, mark, tail = text.partition('"')
        if mark and "cmdline" in head.lower():
            text = tail.partition('"')[0]
        elif ":" in text.split("=")[0]:
            text = text.partition(":")[2].strip().strip("\"'")
        source = piece.cite(index)
        return Fact(tuple(split(text, source)), (source,))
    return None
