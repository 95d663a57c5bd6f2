"""Learns what hosts, people, VMs, volumes and disks are called, where a name must stand, and finds it elsewhere."""

import re
from typing import Callable, Dict, Iterable, List, Match, Sequence, Set, Tuple

from . import redact_layers
from . import redact_patterns as names
from . import redact_shapes as look
from .redact_look import Look, Seen, small_letters
from .redact_values import StandIns

__all__ = ["BETWEEN", "Names", "each", "is_public_builder", "is_public_value", "serial_field", "stands_alone"]

BETWEEN = "\n;\n"
"""What no value goes across, whatever stands on both sides."""

_LEARNED = 4096  # more names than that come from nobody's host
_SAME_START = 16  # names that begin with the same word: it bounds the time
_FEW = 200  # names that are looked for one by one
_WORD = re.compile(r"[A-Za-z0-9\u00c0-\u024f]+")
_EVERYWHERE = ("host", "user", "net", "vm", "vol", "label", "serial", "secret", "mac", "wwn")
_VALUE_KINDS = ("serial", "secret", "mac", "wwn")


class Names(StandIns):
    """The names and identities that are known, which are replaced wherever they stand.

    An ordinary word is never learned: of a host called `pve` only the name goes.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known: Dict[str, List[Tuple[str, str]]] = {}
        self._learned: Set[str] = set()
        self._hosts: Set[str] = set()
        self._ordinary: Set[str] = set(names.ORDINARY)
        self._heard: Dict[int, Set[str]] = {}
        self._across = False

    def keep(self, words: Iterable[str]) -> None:
        """Never replace WORDS everywhere, should a host or a person be called so (names of modules, say)."""
        self._ordinary.update(word.lower() for word in words)

    def learn(self, data: str) -> None:
        """Learn from DATA what hosts, people, VMs, volumes and disks are called."""
        seen = Seen(data)
        self._hear(seen)
        self._heard[hash(data)] = seen.lacks

    def learn_lines(self, texts: Iterable[str]) -> None:
        """Learn from many short TEXTS: from those of one line at once, which is much quicker."""
        several = dict.fromkeys(texts)
        self.learn(BETWEEN.join(one for one in several if stands_alone(one)))
        for one in several:
            if not stands_alone(one):
                self.learn(one)

    def _hear(self, seen: Seen) -> None:
        counts, self.counts = self.counts, {}  # what is only learned is not replaced
        try:
            self._learn_from(seen)
        finally:
            self.counts = counts

    def _learn_from(self, seen: Seen) -> None:
        if "[" in seen.data and seen.may(names.DISPLAYED):
            for start, end in seen.lines(names.DISPLAYED):
                for shown in names.DISPLAYED.pattern.findall(seen.data[start:end]):
                    self.keep(_WORD.findall(shown))
        each(seen, names.NAMES, self._learn_names)
        each(seen, look.VOLUMES, self._learn_names)
        each(seen, look.SERIALS, self._learn_values)
        each(seen, look.SECRETS, self._learn_values)
        seen.change(look.BY_ID, lambda line: self._learn_values(look.BY_ID, line))
        seen.change(look.HWADDR, self._learn_addresses)

    def _learn_addresses(self, line: str) -> str:
        for match in look.HWADDR.pattern.finditer(line):
            digits = match.group().replace(match.group("sep"), "").lower()
            if len(digits) in (12, 16) and not digits.startswith(("02face", "facade")) and len(set(digits)) > 3:
                self._learn("mac" if len(digits) == 12 else "wwn", digits)
        return line

    def learn_host(self, name: str) -> None:
        """Learn the host name NAME, with or without its domain."""
        short, _, domain = name.strip().rstrip(".").partition(".")
        if not short.replace("-", "").isdigit():
            self._hosts.add(short.lower())
        self._learn("host", short)
        if "." in domain:
            self._learn("net", domain)

    def learn_name(self, kind: str, name: str) -> None:
        """Learn the NAME of a KIND, so that it is replaced wherever it stands, unless it is an ordinary word."""
        self._learn(kind, name.strip())

    def _learn_names(self, item: Look, line: str) -> str:
        for match in item.pattern.finditer(line):
            if is_public_builder(match):
                continue
            for kind, name in match.groupdict().items():
                if kind == "host" and name:
                    self.learn_host(name)
                elif kind in ("vol", "label", "dm") and name:
                    for part in re.split("/|(?<!-)-(?!-)" if kind == "dm" else "/", name):
                        if self.volume("vol", part) != part:
                            self._learn("vol", part.replace("--", "-"))
                elif name:
                    self._learn(kind, name)
        return line

    def _learn_values(self, item: Look, line: str) -> str:
        prints = "X.509" in line
        for match in item.pattern.finditer(line):
            value = match.group("value").strip().strip("\"'")
            if item is look.BY_ID:
                fields = value.partition("-part")[0].split("_")
                self._learn("serial", fields[serial_field(fields)])
            elif item in look.SERIALS:
                self._learn("serial", value if self.serial_value(match, value) != value else "")
            elif is_public_value(item, prints, value):
                continue
            elif any(char.isdigit() for char in value) and any(char.isalpha() for char in value):
                self._learn("secret", value if len(value) >= 8 else "")
        return line

    def _learn(self, kind: str, name: str) -> None:
        lowered = name.lower()
        first = _WORD.search(lowered)
        if first is None or len(lowered) < 3 or lowered in self._learned or look.has_stand_in(lowered):
            return
        if look.TECHNICAL.pattern.fullmatch(lowered):
            return
        if kind in _VALUE_KINDS:
            wrong = len(lowered) < 6 or not any(char.isdigit() for char in lowered) or lowered.startswith("redacted")
            plain = wrong or (lowered.isdigit() and len(lowered) < 10) or len(set(lowered)) < 5
        else:
            plain = not lowered.strip("0123456789abcdef.")
        plain = plain or lowered in self._ordinary or (kind == "user" and lowered in names.SYSTEM_USERS)
        if plain or kind not in _EVERYWHERE or len(self._learned) >= _LEARNED:
            return
        if kind == "net" and self.name("net", name) == name:
            return
        same = self._known.setdefault(first.group(), [])
        if len(same) < _SAME_START:
            self._learned.add(lowered)
            # What stands before the first letter or digit is no part of what is looked for.
            same.append((lowered[first.start() :], kind))
            self._across = self._across or "\n" in lowered
            same.sort(key=lambda one: -len(one[0]))

    def learned(self) -> int:
        """Return how many names and identities are known."""
        return len(self._learned)

    def serial_value(self, match: Match[str], value: str) -> str:
        plain = value.strip()
        first = plain.split()[0].lower() if plain else ""
        # `SerialNumber=3` is an index; `Serial: 8250/16550 driver` a driver.
        if not first or first in look.NO_SERIAL or first.startswith("8250") or len(plain) < 4:
            return value
        if look.is_stand_in(plain) or plain.startswith("REDACTED") or look.TECHNICAL.pattern.fullmatch(plain.lower()):
            return value
        if match.group("sep") != "=" and not any(char.isdigit() for char in plain) and len(plain) < 6:
            return value
        return self.serial(plain)

    def everywhere(self, seen: Seen) -> Seen:
        if len(self._known) > _FEW:
            firsts = self._known.keys() & set(_WORD.findall(seen.low))
        else:
            firsts = {first for first in self._known if first in seen.low}
        if not firsts:
            return seen
        if self._across:  # a name of two lines
            return seen.again(self._everywhere_in(seen.data))
        return seen.change(Look("", tuple(firsts)), self._everywhere_in)

    def _everywhere_in(self, data: str) -> str:
        lowered = small_letters(data)
        parts, done = [], 0
        for match in _WORD.finditer(lowered):
            for name, kind in self._known.get(match.group(), ()) if match.start() >= done else ():
                end = match.start() + len(name)
                if lowered.startswith(name, match.start()) and not lowered[end : end + 1].isalnum():
                    parts += [data[done : match.start()], self._known_value(kind, data[match.start() : end])]
                    done = end
                    break
        return "".join(parts) + data[done:] if parts else data

    def _known_value(self, kind: str, value: str) -> str:
        if kind in ("mac", "wwn"):
            return self.hexes(kind, value)
        return (
            self.serial(value)
            if kind == "serial"
            else self.secret(value)
            if kind == "secret"
            else self.name(kind, value)
        )


def is_public_value(item: Look, prints: bool, value: str) -> bool:
    """Whether VALUE only looks like a key: a text in base64, or, if PRINTS, of a certificate that the kernel loads."""
    if prints and not value.strip("0123456789abcdef'"):
        return True
    return item is look.KEY and redact_layers.is_text(value)


def is_public_builder(match: Match[str]) -> bool:
    if not match.group().startswith("Linux version"):
        return False
    public = tuple(one.lstrip("@") for one in look.PUBLIC_MAIL)
    user, host = match.group("user"), match.group("host")
    return (
        user in names.BUILDERS
        or host.endswith(public)
        or (user == "root" and host.lower().startswith(names.BUILD_HOSTS))
    )


def serial_field(fields: List[str]) -> int:
    at = len(fields) - 1
    return at - 1 if at > 0 and len(fields[at]) <= 2 else at  # a namespace's number follows the serial of an NVMe disk


def stands_alone(text: str) -> bool:
    line = text[:-1] if text.endswith("\n") else text
    return line.isprintable() and not line.endswith("=")


def each(seen: Seen, items: Sequence[Look], change: Callable[[Look, str], str]) -> Seen:
    """SEEN with CHANGE applied for each of ITEMS to the lines on which it is to be tried."""
    for item in items:
        if seen.may(item):
            seen = seen.change(item, lambda line, item=item: change(item, line))  # type: ignore[misc]
    return seen
