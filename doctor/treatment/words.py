"""The algebra of kernel parameters: merging what several checks ask for, and rewriting present words.

The knowledge of which parameters accumulate, which are lists and which values exclude one another is data
(`rules/platforms/kernel.yaml`). Source of the rules: linux init/main.c, kernel/params.c.
"""

from __future__ import annotations

from doctor.record import NamedTuple
from doctor.say import say
from doctor.treatment import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from doctor.treatment.steps import Ask


END = "--"


class Grammar(NamedTuple):
    """How repeated parameters are read; see `rules/platforms/kernel.yaml`."""

    accumulate: frozenset[str]
    lists: frozenset[str]
    opposites: Mapping[str, Sequence[Sequence[str]]]


class Wish(NamedTuple):
    """What is asked of the command line: word → who asks for it; and what was settled or left out."""

    adds: dict[str, list[Ask]]
    removes: dict[str, list[Ask]]
    notes: list[str]


def grammar(platforms: Mapping[str, Any]) -> Grammar:
    """The grammar as the platform files state it."""
    data = platforms.get("kernel", {})
    return Grammar(
        frozenset(map(key, data.get("accumulate", ()))),
        frozenset(map(key, data.get("lists", ()))),
        {key(name): pairs for name, pairs in data.get("opposites", {}).items()},
    )


def key(word: str) -> str:
    """A parameter's name as the kernel compares it.

    >>> key("vfio-pci.ids=10de:2203"), key("nointremap")
    ('vfio_pci.ids', 'nointremap')
    """
    return word.partition("=")[0].replace("-", "_")


def value(word: str) -> str | None:
    """A parameter's value; None if it has none."""
    _, equals, text = word.partition("=")
    return text if equals else None


def merge(asks: Iterable[Ask], rules: Grammar) -> Wish:
    """All wishes for kernel parameters as one; of two that contradict each other the earlier one holds."""
    wish = Wish({}, {}, [])
    for ask in asks:
        body = ask.body if isinstance(ask.body, dict) else {}
        adds, bad = safe.sift("parameter", _listed(body.get("add")))
        removes, bad_too = safe.sift("parameter", _listed(body.get("remove")))
        if bad + bad_too:
            wish.notes.append(
                say(
                    "{check} names {count} kernel parameter(s) of an unexpected form: left out.",
                    check=ask.check,
                    count=bad + bad_too,
                )
            )
        for word in adds:
            _add(wish, word, ask, rules)
        for word in removes:
            clash = word if word in wish.adds else None
            if clash and word not in adds:
                holder = wish.adds[clash][0].check
                wish.notes.append(
                    say(
                        "{check} would remove {word}, which {holder} needs: it stays.",
                        check=ask.check,
                        word=word,
                        holder=holder,
                    )
                )
            elif not clash:
                wish.removes.setdefault(word, []).append(ask)
    return wish


def _listed(given: Any) -> list[Any]:
    """A list, whether one value was given or several."""
    return list(given) if isinstance(given, (list, tuple)) else [] if given is None else [given]


def _add(wish: Wish, word: str, ask: Ask, rules: Grammar) -> None:
    if word in wish.removes:
        wish.notes.append(
            say(
                "{check} would add {word}, which {holder} removes: it goes.",
                check=ask.check,
                word=word,
                holder=wish.removes[word][0].check,
            )
        )
        return
    for other, holders in wish.adds.items():
        if excludes(other, word, rules):
            holder = holders[0].check
            wish.notes.append(
                say(
                    "{check} would add {word}, {holder} needs {other}: that one holds.",
                    check=ask.check,
                    word=word,
                    holder=holder,
                    other=other,
                )
            )
            return
    wish.adds.setdefault(word, []).append(ask)


def excludes(one: str, other: str, rules: Grammar) -> bool:
    """Whether the two words cannot both stand."""
    name = key(one)
    if name != key(other) or one == other or same(one, other):
        return False
    if name not in rules.accumulate:
        return True
    pairs = rules.opposites.get(name, ())
    mine, yours = _members(one, rules), _members(other, rules)
    return any((a in mine and b in yours) or (b in mine and a in yours) for a, b in pairs)


def same(one: str, other: str) -> bool:
    """Whether two words say the same: `-` and `_` are equal in the name."""
    return key(one) == key(other) and value(one) == value(other)


def _members(word: str, rules: Grammar) -> list[str]:
    text = value(word) or ""
    return text.split(",") if key(word) in rules.lists else [text]


def holds(word: str, wanted: str, rules: Grammar) -> bool:
    """Whether the present `word` already says what `wanted` would.

    >>> holds("intel_iommu=on,sm_on", "intel_iommu=on", Grammar(frozenset(), frozenset(["intel_iommu"]), {}))
    True
    """
    if same(word, wanted):
        return True
    return key(word) == key(wanted) and set(_members(wanted, rules)) <= set(_members(word, rules))


def strip(word: str, wish: Wish, rules: Grammar) -> str | None:
    """The present `word` without what has to go; None if nothing of it stays."""
    members = _members(word, rules)
    wanted = [add for add in wish.adds if key(add) == key(word)]
    for remove in wish.removes:
        if key(remove) != key(word):
            continue
        if value(remove) is None and value(word) is not None:
            kept = {member for add in wanted for member in _members(add, rules)}
            members = [member for member in members if member in kept]
        elif same(remove, word):
            return None
        else:
            members = [member for member in members if member != value(remove)]
    for add in wanted:
        if key(word) not in rules.accumulate and not same(word, add):
            return None
        gone = {b if a in _members(add, rules) else a
                for a, b in rules.opposites.get(key(word), ())
                if (a in _members(add, rules)) != (b in _members(add, rules))}  # fmt: skip
        members = [member for member in members if member not in gone]
    if members == _members(word, rules):
        return word
    return f"{word.partition('=')[0]}={','.join(members)}" if any(members) else None


def rewrite(
    lines: Sequence[Sequence[str]], home: int, wish: Wish, rules: Grammar, joined: bool = False
) -> list[list[str]]:
    """The words of each line after the wish; what is new goes where its old value stood, else to line `home`.

    The kernel reads nothing behind a lone `--` (linux init/main.c): there no word counts as present, and what is new
    goes before it. `joined`: the lines make up one command line, in this order, so the first `--` ends all of it.

    >>> rules = Grammar(frozenset(), frozenset(), {})
    >>> rewrite([["quiet", "intel_iommu=off"]], 0, Wish({"intel_iommu=on": [], "x=1": []}, {}, []), rules)
    [['quiet', 'intel_iommu=on', 'x=1']]
    >>> rewrite([["quiet", "--", "iommu=pt", "splash"]], 0, Wish({"iommu=pt": []}, {}, []), rules)
    [['quiet', 'iommu=pt', '--', 'splash']]
    """
    ends = _ends(lines, joined)
    stripped = [[(word, strip(word, wish, rules)) for word in line] for line in lines]
    kept = [after for line, end in zip(stripped, ends, strict=True) for _, after in line[:end] if after is not None]
    pending = [add for add in wish.adds if not any(holds(word, add, rules) for word in kept)]
    moved = list(pending)
    out: list[list[str]] = []
    for line, end in zip(stripped, ends, strict=True):
        words: list[str] = []
        for before, after in line[:end]:
            if after is not None:
                words.append(after)
            elif any(key(add) == key(before) for add in pending):
                words += [add for add in pending if key(add) == key(before)]
                pending = [add for add in pending if key(add) != key(before)]
        out.append(words)
    if out:
        # A line behind the end takes nothing that is to be read: the line that holds the end does.
        first = next((at for at, line in enumerate(lines) if joined and END in line), home)
        out[min(home, first)] += pending
    return [words + _behind(line[end:], moved, rules) for words, line, end in zip(out, stripped, ends, strict=True)]


def live(words: Sequence[str]) -> list[str]:
    """The words that the kernel reads.

    >>> live(["quiet", "--", "iommu=pt"])
    ['quiet']
    """
    return list(words[: words.index(END)]) if END in words else list(words)


def _ends(lines: Sequence[Sequence[str]], joined: bool) -> list[int]:
    """For each line how many of its words the kernel reads."""
    ends: list[int] = []
    over = False
    for line in lines:
        ends.append(0 if over else len(live(line)))
        over = over or (joined and END in line)
    return ends


def _behind(words: Sequence[tuple[str, str | None]], moved: list[str], rules: Grammar) -> list[str]:
    """What stays of the words that the kernel does not read, without those that stand before the end now."""
    kept = [after for word, after in words if after is not None and not any(holds(word, add, rules) for add in moved)]
    return [] if kept == [END] and len(words) > 1 else kept
