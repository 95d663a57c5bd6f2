"""What a text must hold for a pattern to fit it, so that most patterns are neither tried nor even compiled.

A text is looked through as three strings of one length: itself in small letters, its shape (`h` for a hexadecimal
digit, `w` for another letter), and its runs (`w` for what may stand in a key). A pattern is tried only on lines in
which one of its needles is, and compiled when that happens first.

>>> mac = Look("(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", shapes=("hh:hh:hh:hh:hh:hh",))
>>> seen = Seen("pci 0000:01:00.0\\nmac a0:36:9f:12:34:56\\n")
>>> seen.change(mac, lambda line: mac.pattern.sub("X", line)).data
'pci 0000:01:00.0\\nmac X\\n'
"""

import re
from typing import Callable, Dict, List, Optional, Pattern, Set, Tuple

__all__ = ["Look", "Seen", "small_letters"]

_SHAPE = bytes.maketrans(b"0123456789abcdefABCDEFGHIJKLMNOPQRSTUVWXYZghijklmnopqrstuvwxyz", b"h" * 22 + b"w" * 40)
_RUN = bytes(119 if code in b"hw+/_-" else 10 if code == 10 else 32 for code in range(256))
_MASK = bytes.maketrans(b"0123456789", b"0" * 10)
_DIGITS = dict.fromkeys(range(48, 58), 48)
_MANY = 2048
"""Characters of a text of which the different words are looked through: a log has few, and numbers do not count."""


class Look:
    """A pattern, and what is in every line that it can match: one of `needles` (in small letters), one of `shapes`,
    or a run of at least `run` letters, digits, and `+/_-`. Nothing of these: the pattern is tried on every text."""

    __slots__ = ("_pattern", "needles", "run", "shapes", "source")

    def __init__(self, source: str, needles: Tuple[str, ...] = (), shapes: Tuple[str, ...] = (), run: int = 0) -> None:
        """SOURCE is the regular expression."""
        self.source = source
        self.needles = needles
        self.shapes = shapes
        self.run = "w" * run
        self._pattern: Optional[Pattern[str]] = None

    @property
    def pattern(self) -> Pattern[str]:
        """The regular expression, compiled."""
        if self._pattern is None:
            self._pattern = re.compile(self.source)
        return self._pattern


class Seen:
    """A text, and what was found out about it."""

    __slots__ = ("_longest", "_run", "_shape", "_shapes", "_words", "data", "lacks", "low")

    def __init__(self, data: str, lacks: Optional[Set[str]] = None) -> None:
        """LACKS says which words and shapes are known not to be in DATA."""
        self.data = data
        self.low = small_letters(data)
        self.lacks: Set[str] = set() if lacks is None else lacks
        self._words: Optional[str] = None
        self._shape: Optional[str] = None
        self._shapes: Optional[str] = None
        self._run: Optional[str] = None
        self._longest: Optional[int] = None

    @property
    def shape(self) -> str:
        """The text's shape; as long as the text."""
        if self._shape is None:
            self._shape = _translated(self.data, _SHAPE)
        return self._shape

    @property
    def runs(self) -> str:
        """The text's runs; as long as the text."""
        if self._run is None:
            self._run = _translated(self.shape, _RUN)
        return self._run

    def may(self, item: Look) -> bool:
        """Whether it is worth while to try ITEM."""
        lacks = self.lacks
        for needle in item.needles:
            if needle not in lacks:
                if self._has(needle):
                    return True
                lacks.add(needle)
        for shape in item.shapes:
            if shape not in lacks:
                if self._has_shape(shape):
                    return True
                lacks.add(shape)
        if item.run:
            if self._longest is None:
                self._longest = max(map(len, self.runs.split()), default=0)
            return self._longest >= len(item.run)
        return not item.needles and not item.shapes

    def _has(self, needle: str) -> bool:
        if len(self.data) < _MANY or " " in needle or "\t" in needle:
            return needle in self.low
        if self._words is None:
            self._words = " ".join(set(_translated(self.low, _MASK).split()))
        return needle.translate(_DIGITS) in self._words and needle in self.low

    def _has_shape(self, shape: str) -> bool:
        if len(self.data) < _MANY or " " in shape or "\t" in shape:
            return shape in self.shape
        if self._shapes is None:
            self._shapes = " ".join(set(self.shape.split()))
        return shape in self._shapes

    def change(self, item: Look, change: Callable[[str], str]) -> "Seen":
        """The text with CHANGE applied to the lines on which ITEM is to be tried; itself if nothing is new."""
        if not self.may(item):
            return self
        data, done = self.data, 0
        parts: List[str] = []
        fresh: List[str] = []
        for start, end in self.lines(item):
            line = data[start:end]
            new = change(line)
            if new != line:
                parts += (data[done:start], new)
                fresh.append(new)
                done = end
        if not fresh:
            return self
        return self.replaced("".join(parts) + data[done:], "\n".join(fresh))

    def replaced(self, data: str, fresh: str) -> "Seen":
        """The text DATA, of which only the lines FRESH are not in this one."""
        probe = Seen(fresh)
        return Seen(data, {one for one in self.lacks if one not in probe.low and one not in probe.shape})

    def again(self, data: str) -> "Seen":
        """What DATA looks like; itself if it is the same."""
        return self if data == self.data else Seen(data)

    def lines(self, item: Look) -> List[Tuple[int, int]]:
        """Where the lines on which ITEM is to be tried begin and end; the whole text if any may be one."""
        data = self.data
        if not (item.needles or item.shapes or item.run) or "\n" not in data:
            return [(0, len(data))]
        found: Dict[int, int] = {}
        looks = [(self.low, item.needles), (self.shape, item.shapes), (self.runs, (item.run,) if item.run else ())]
        for text, needles in looks:
            for needle in needles:
                at = text.find(needle)
                while at >= 0:
                    end = data.find("\n", at)
                    end = len(data) if end < 0 else end
                    found[data.rfind("\n", 0, at) + 1] = end
                    at = text.find(needle, end)
        return sorted(found.items())


def _translated(text: str, table: bytes) -> str:
    return text.encode("ascii", "replace").translate(table).decode("ascii")


def small_letters(data: str) -> str:
    """DATA in small letters, character for character."""
    lowered = data.lower()
    return lowered if len(lowered) == len(data) else "".join(c.lower() if len(c.lower()) == 1 else c for c in data)
