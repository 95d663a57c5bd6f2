"""Writes doctor/collect/generated.py: what the collector needs to know of the rules, for it is shipped without them.

WORDS: a few words, one of which is in every line that a message of rules/messages can be, so that of a log too big to
be collected whole those lines are kept. USES: which checks asked for which item of the catalogue, found by judging
every rule over the samples and over nothing at all, each time with facts that remember what they asked for.

`tools/collector.py` writes the file, `--check` says whether it is up to date.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from doctor.collect.catalogue import ITEMS, matches  # noqa: E402 - the checkout's own
from doctor.diagnosis import engine, targets  # noqa: E402 - as above
from doctor.evidence.open import open_input  # noqa: E402 - as above
from doctor.evidence.types import Evidence, Piece  # noqa: E402 - as above
from doctor.facts.host import Host  # noqa: E402 - as above
from doctor.knowledge.store import load  # noqa: E402 - as above

SAMPLES = ("lab-amd", "proxmox-no-iommu")
TARGET = ROOT / "doctor" / "collect" / "generated.py"
_TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,}")
# Words of every day: half of any system's log has one of them.
_EVERY_DAY = """
    adding address after all allocate and any are attempt base because been before being bit boot bound bridge
    buffer built bus but bytes can cannot change class command console could cpu currently data default
    detected device devices direct directory disable disabled disabling does doesn domain done driver drivers
    due enable enabled enabling end entry error errors event fail failed failure features find firmware flags
    for found from full get getting group groups guest hardware has host identity ignored ignoring info
    initialization initialize initialized initializing installed into invalid kernel key line load loaded
    loading low machine map mapped mask may mem memory missing mode module modules more name not number one
    only option out parameter parameters per performing permission physical port power range read ready reason
    record refused region register registered request reserved reserving response running service set setup
    size space start started state status still structure such support supported switch switching system table
    test than that the this timed timeout too two type unable under unknown unsigned use used user using value
    version via virtual waiting warning was will window with you your
"""
_COMMON = frozenset(_EVERY_DAY.split())


class Watched(Evidence):
    """Evidence that remembers which paths somebody asked for; of a folder, as a pattern."""

    def __init__(self, evidence: Evidence) -> None:
        """Everything that `evidence` holds."""
        self.__dict__.update(evidence.__dict__)
        self.asked: set[str] = set()

    def pieces(self, path: str) -> list[Piece]:
        """As the evidence does."""
        self.asked.add(path)
        return super().pieces(path)

    def states(self, path: str) -> list[Piece]:
        """As the evidence does."""
        self.asked.add(path)
        return super().states(path)

    def absent(self, path: str) -> Piece | None:
        """As the evidence does."""
        self.asked.add(path)
        return super().absent(path)

    def under(self, prefix: str, suffix: str = "") -> list[Piece]:
        """As the evidence does."""
        self.asked.add(f"{prefix}*{suffix}")
        return super().under(prefix, suffix)


def inputs() -> Iterator[Evidence]:
    """Nothing, and samples: a healthy host and an ill one."""
    yield Evidence("paste", "nothing", [])
    yield Evidence("bundle", "nothing", [], complete=True)
    for name in SAMPLES:
        yield open_input(str(ROOT / "samples" / (name + ".tar.gz")))


def uses(knowledge: dict[str, Any], evidences: Iterable[Evidence]) -> dict[str, tuple[str, ...]]:
    """The checks that may use each item of the catalogue, by the item's path."""
    found: dict[str, set[str]] = {}
    for evidence in evidences:
        host = Host(evidence, knowledge)
        aims = targets.find(host, ())
        for rule in knowledge["rules"]:
            watched = Watched(evidence)
            engine.run(Host(watched, knowledge), [rule], aims)
            for path in watched.asked:
                for item in items_of(path):
                    found.setdefault(item, set()).add(rule["id"])
    order = [item.path for item in ITEMS]
    return {path: tuple(sorted(found[path])) for path in order if path in found}


def items_of(asked: str) -> list[str]:
    """The paths of the items that a question for ASKED, a path or PREFIX*SUFFIX, may be answered by."""
    if "*" in asked:
        prefix, _, suffix = asked.partition("*")
        return [i.path for i in ITEMS if i.path.startswith(prefix) and i.path.endswith(suffix) and i.path != prefix]
    return [item.path for item in ITEMS if matches(item.path, asked)]


def words(messages: list[dict[str, Any]]) -> tuple[str, ...]:
    """Few words such that every wording of a message of the kernel's holds one of them, whatever is in its holes."""
    left = [_rare(parts) for message in messages for _, parts in message["wordings"]]
    left = [candidates for candidates in left if candidates]
    chosen: list[str] = []
    while left:
        counts = Counter(word for candidates in left for word in candidates)
        best = min(counts, key=lambda word: (-counts[word], word))
        chosen.append(best)
        left = [candidates for candidates in left if best not in candidates]
    return tuple(sorted(chosen))


def phrases(messages: list[dict[str, Any]]) -> tuple[str, ...]:
    """What stands for the wordings that have no word but those of every day: the longest text of each."""
    plain = [parts for message in messages for _, parts in message["wordings"] if not _rare(parts)]
    longest = {max((part for part in parts if isinstance(part, str)), key=len).strip() for parts in plain}
    return tuple(sorted(text for text in longest if not any(other in text for other in longest - {text})))


def _rare(parts: list[Any]) -> frozenset[str]:
    """The rare words that stand alone in a wording: nothing but a line's end or a blank may touch them."""
    found: set[str] = set()
    for at, part in enumerate(parts):
        if isinstance(part, str):
            before, after = at > 0, at < len(parts) - 1
            for match in _TOKEN.finditer(part):
                glued = (before and match.start() == 0) or (after and match.end() == len(part))
                inside = part[match.start() - 1 : match.start()]
                if not glued and not (inside.isalnum() or inside == "_"):
                    found.add(match.group())
    return frozenset(word for word in found if word.lower() not in _COMMON)


def text(knowledge: dict[str, Any]) -> str:
    """The module."""
    lines = [
        '"""What the collector knows of the rules. Written by tools/collector.py: change nothing here.',
        "",
        "WORDS, PHRASES: a line that may be a known message holds one of these. USES: which checks use an item.",
        '"""',
        "",
        "from typing import Dict, Tuple",
        "",
        '__all__ = ["PHRASES", "USES", "WORDS"]',
        "",
    ]
    lines += ["# fmt: off\n# ruff: noqa: E501", "WORDS: Tuple[str, ...] = ("]
    lines += [f"    {_literal(word)}," for word in words(knowledge["messages"])]
    lines += [")", "", "PHRASES: Tuple[str, ...] = ("]
    lines += [f"    {_literal(phrase)}," for phrase in phrases(knowledge["messages"])]
    lines += [")", "", "USES: Dict[str, str] = {"]
    for path, checks in uses(knowledge, inputs()).items():
        lines.append(f"    {_literal(path)}: {_literal(' '.join(checks))},")
    return "\n".join([*lines, "}", "# fmt: on", ""])


def _literal(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def main() -> int:
    """Write the module, or check it."""
    made = text(load(None))
    if sys.argv[1:] != ["--check"]:
        TARGET.write_text(made, "utf-8")
        return 0
    if TARGET.read_text("utf-8") == made:
        return 0
    sys.stderr.write(f"{TARGET.relative_to(ROOT)} is out of date: make collector\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
