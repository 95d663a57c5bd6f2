"""Of a log of any size, its beginning and the lines that a known message may be, in bounded memory.

>>> log = Relevant(60, words=frozenset([b"vfio"]))
>>> for _ in range(4): log.feed(b"[ 1.0] Linux version 6\\n[ 2.0] usb\\n[ 3.0] vfio-pci: x\\n")
>>> log.data().decode().split("\\n")[:2], log.left, log.lost
(['[ 1.0] Linux version 6', '-- passdoctor: 7 lines without a word of any known message left out here'], 7, 3)
"""

from collections import deque
from typing import Deque, FrozenSet, Optional, Tuple

__all__ = ["Relevant", "known_words"]

_LONGEST = 8192  # bytes of one line
_KEPT = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_\n"
_TABLE = bytes(code if code in _KEPT else 32 for code in range(256))


def known_words() -> Tuple[FrozenSet[bytes], Tuple[bytes, ...]]:
    """The words and the phrases of which each known message holds one."""
    from .generated import PHRASES, WORDS

    return frozenset(word.encode("ascii") for word in WORDS), tuple(text.encode("ascii") for text in PHRASES)


class Relevant:
    """Takes a log in parts. Up to LIMIT bytes all is kept; of a bigger one the first half of that verbatim, and as
    much again of the latest lines with a known word. Of KEEP, if given, every kept line holds one anyway.

    `left` counts lines without a known word, `lost` those with one for which there was no room.
    """

    def __init__(
        self, limit: int, keep: Optional[Tuple[str, ...]] = None, words: Optional[FrozenSet[bytes]] = None
    ) -> None:
        """Words other than the known ones are for tests."""
        self.left = self.lost = 0
        self._limit = limit
        self._keep = [word.encode() for word in keep or ()]
        self._words = words
        self._phrases: Tuple[bytes, ...] = ()
        self._head = bytearray()
        self._full = False
        self._partial = b""
        self._tail: Deque[bytes] = deque()
        self._tail_size = 0

    def feed(self, data: bytes) -> None:
        """Take the next part."""
        lines = (self._partial + data).split(b"\n")
        self._partial = lines.pop()
        if len(self._partial) > _LONGEST:
            # The rest of an endless line counts as lines of its own.
            lines.append(self._partial[:_LONGEST])
            self._partial = b""
        if self._keep:
            lines = [line for line in lines if any(word in line for word in self._keep)]
        self._take(lines)

    def data(self) -> bytes:
        """What is kept, with marks where something was left out."""
        last, self._partial = self._partial, b""
        if last and (not self._keep or any(word in last for word in self._keep)):
            self._take([last])
        marks = []
        if self.left:
            mark = "-- passdoctor: {} lines without a word of any known message left out here\n"
            marks.append(mark.format(self.left).encode())
        if self.lost:
            marks.append("-- passdoctor: {} messages lost here for want of room\n".format(self.lost).encode())
        return bytes(self._head) + b"".join(marks) + b"".join(line + b"\n" for line in self._tail)

    def _take(self, lines: "list[bytes]") -> None:
        if not self._full:
            size = len(self._head) + sum(map(len, lines)) + len(lines)
            if size <= self._limit:
                self._head += b"".join([line + b"\n" for line in lines])
                return
            lines = bytes(self._head).split(b"\n")[:-1] + lines
            lines = self._begin(lines)
        for line in self._known(lines):
            self._tail.append(line[:_LONGEST])
            self._tail_size += len(self._tail[-1]) + 1
            if self._tail_size > self._limit // 2:
                self._tail_size -= len(self._tail.popleft()) + 1
                self.lost += 1

    def _begin(self, lines: "list[bytes]") -> "list[bytes]":
        """Keep the first half of the limit, return the rest."""
        self._full, self._head, at = True, bytearray(), 0
        for line in lines:
            if len(self._head) + len(line) >= self._limit // 2:
                break
            self._head += line + b"\n"
            at += 1
        return lines[at:]

    def _known(self, lines: "list[bytes]") -> "list[bytes]":
        if self._words is None:
            self._words, self._phrases = known_words()
        words = self._words
        # One translation for all: cutting each line into words is quicker than looking for each word in it.
        joined = b"\n".join(lines)
        here = [phrase for phrase in self._phrases if phrase in joined]
        plain = joined.translate(_TABLE).split(b"\n") if lines else []
        found = [
            lines[at]
            for at, text in enumerate(plain)
            if not words.isdisjoint(text.split()) or (here and any(phrase in lines[at] for phrase in here))
        ]
        self.left += len(lines) - len(found)
        return found
