"""Replaces what is private in texts: names, addresses, identities, secrets, in clear and in usual encodings.

What stands for a value is made in `redact_values`; what values look like is told in `redact_patterns` (names)
and `redact_shapes` (the rest); encoded ones are found by `redact_layers`, those that a line's end splits by
`redact_wrapped`. `redact_files` says what each file of a collection needs besides.
"""

import re
from typing import Callable, Dict, Iterable, List, Match, Sequence, Set, Tuple

from . import redact_dumps, redact_layers, redact_wrapped
from . import redact_patterns as names
from . import redact_shapes as look
from .model import Collected
from .redact_look import Look, Seen, small_letters
from .redact_values import StandIns, groups, looks_random

__all__ = ["Redactor", "redact", "redact_with"]

_LEARNED = 4096  # more names than that come from nobody's host
_SAME_START = 16  # names that begin with the same word: it bounds the time
_DEEPEST = 3  # encodings in one another
_COLOURS = re.compile("\x1b\\[[0-9;?]{0,20}[@-~]")
_TURNS = 4
_BETWEEN = "\n;\n"  # what no value goes across
_FEW = 200  # names that are looked for one by one
_WORD = re.compile(r"[A-Za-z0-9\u00c0-\u024f]+")
_EVERYWHERE = ("host", "user", "net", "vm", "vol", "label", "serial", "secret", "mac", "wwn")
Replace = Callable[[Match[str], str, str], str]
_VALUE_KINDS = ("serial", "secret", "mac", "wwn")


class Redactor(StandIns):
    """Replaces private values in texts; `counts` says how many of each class were replaced so far.

    Names and identities are learned where one must stand (prompts, log prefixes, `uname`) and then replaced
    wherever they stand: call `learn` with all texts first, so that the name is known in the text that comes
    before them. An ordinary word is never learned: of a host called `pve` only the name goes.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known: Dict[str, List[Tuple[str, str]]] = {}
        self._learned: Set[str] = set()
        self._hosts: Set[str] = set()
        self._ordinary: Set[str] = set(names.ORDINARY)
        self._heard: Dict[int, Set[str]] = {}
        self._across = False
        self._clean: Set[str] = set()
        self._clean_at = 0
        self._depth = 0

    def keep(self, words: Iterable[str]) -> None:
        """Never replace WORDS everywhere, should a host or a person be called so (names of modules, say)."""
        self._ordinary.update(word.lower() for word in words)

    def learn(self, data: str) -> None:
        """Learn from DATA what hosts, people, VMs, volumes and disks are called."""
        seen = Seen(data)
        self._hear(seen)
        self._heard[hash(data)] = seen.lacks

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
        _each(seen, names.NAMES, self._learn_names)
        _each(seen, look.VOLUMES, self._learn_names)
        _each(seen, look.SERIALS, self._learn_values)
        _each(seen, look.SECRETS, self._learn_values)
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
            if _is_public_builder(match):
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
                self._learn("serial", fields[_serial_field(fields)])
            elif item in look.SERIALS:
                self._learn("serial", value if self._serial_value(match, value) != value else "")
            elif _is_public_value(item, prints, value):
                continue
            elif any(char.isdigit() for char in value) and any(char.isalpha() for char in value):
                self._learn("secret", value if len(value) >= 8 else "")
        return line

    def _learn(self, kind: str, name: str) -> None:
        lowered = name.lower()
        first = _WORD.search(lowered)
        if first is None or len(lowered) < 3 or lowered in self._learned or look.STAND_IN.pattern.search(lowered):
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

    def learn_lines(self, texts: Iterable[str]) -> None:
        """Learn from many short TEXTS: from those of one line at once, which is much quicker."""
        several = dict.fromkeys(texts)
        self.learn(_BETWEEN.join(one for one in several if _stands_alone(one)))
        for one in several:
            if not _stands_alone(one):
                self.learn(one)

    def look_over(self, texts: Iterable[str]) -> None:
        """Find out in which of TEXTS nothing is private, as long as no new name is learned.

        They are looked through as one text, which is much quicker; only those of one line are, for no value goes
        across the line between them.
        """
        several = [one for one in dict.fromkeys(texts) if _stands_alone(one)]
        counts, self.counts, self._clean = self.counts, {}, set()
        lines = self.text(_BETWEEN.join(one.rstrip("\n") for one in several)).split("\n")
        self.counts = counts
        if len(lines) == 2 * len(several) - 1:
            self._clean = {one for at, one in enumerate(several) if one.rstrip("\n") == lines[2 * at]}
            self._clean_at = self.learned()

    def text(self, data: str) -> str:
        """Return DATA with private values replaced; the number of lines stays the same."""
        if data in self._clean and self._clean_at == self.learned() and not self._depth:
            return data
        if "\x1b" in data:
            data = _COLOURS.sub("", data)  # they hide where a word begins
        seen = Seen(data, self._heard.get(hash(data)))
        if not seen.lacks:
            self._hear(seen)
        known = self.learned()
        self._depth += 1
        try:
            new, again = self._text(seen)
            for _ in range(_TURNS if self._depth == 1 else 0):
                # A name that stood only in what was encoded; what another thing stands beside now.
                if not again and self.learned() == known:
                    break
                known = self.learned()
                new, again = self._text(new)
            return new.data
        finally:
            self._depth -= 1

    def _text(self, seen: Seen) -> Tuple[Seen, bool]:
        """The text SEEN redacted once, and whether something encoded was changed in it."""
        if self._depth > _DEEPEST:
            return self._plain(redact_wrapped.redact(seen, self)), False
        dumped = redact_dumps.redact(seen, self)  # first: what is replaced beside a dump would hide it
        if "=\n" in dumped.data:
            dumped = dumped.again(redact_layers.soft_breaks(dumped.data, self))
        plain = self._plain(redact_wrapped.redact(dumped, self))
        new = redact_layers.redact(plain, self)
        return new, new is not plain or dumped is not seen

    def plain(self, data: str) -> str:
        """Return DATA with the private values replaced that stand in it in clear, on one line."""
        return self._plain(Seen(data)).data

    def _plain(self, seen: Seen) -> Seen:
        if "-----begin " in seen.low:
            seen = seen.again(self._pem(seen.data))
        seen = _each(seen, look.SECRETS, self._secrets)
        seen = seen.change(look.RANDOM, lambda line: look.RANDOM.pattern.sub(self._random, line))
        seen = self._identities(seen)
        seen = _each(seen, names.NAMES, self._positions)
        if "@" in seen.data:
            seen = seen.change(names.AT_HOST, lambda line: names.AT_HOST.pattern.sub(self._at_host, line))
        seen = _each(seen, look.VOLUMES, self._positions)
        seen = seen.change(look.EMAIL, lambda line: look.EMAIL.pattern.sub(self._email, line))
        seen = seen.change(look.IPV4, lambda line: look.IPV4.pattern.sub(self._ipv4, line))
        seen = seen.change(look.IPV6, lambda line: look.IPV6.pattern.sub(self._ipv6, line))
        return self._everywhere(seen)

    def _random(self, match: Match[str]) -> str:
        run = match.group()
        kept = not looks_random(run) or look.STAND_IN.pattern.search(run) or redact_layers.is_text(run)
        return run if kept else self.secret(run)

    def _secrets(self, item: Look, line: str) -> str:
        prints = "X.509" in line

        def one(match: Match[str], kind: str, value: str) -> str:
            return value if _is_public_value(item, prints, value) else self.secret(value)

        return groups(item, line, one)

    def _identities(self, seen: Seen) -> Seen:
        seen = seen.change(look.UUID, lambda line: look.UUID.pattern.sub(self._uuid, line))
        seen = seen.change(look.MACHINE_ID, lambda line: look.MACHINE_ID.pattern.sub(self._uuid, line))
        lvm = lambda match: self.lvm_uuid(match.group())  # noqa: E731
        seen = seen.change(look.LVM_UUID, lambda line: look.LVM_UUID.pattern.sub(lvm, line))
        seen = seen.change(look.SHORT_UUID, self._short_uuids)
        seen = seen.change(
            look.BY_ID, lambda line: groups(look.BY_ID, line, lambda match, kind, value: self._by_id(value))
        )
        wwn: Replace = lambda match, kind, value: self.hexes("wwn", value)  # noqa: E731
        seen = seen.change(look.WWN, lambda line: groups(look.WWN, line, wwn))
        seen = seen.change(look.IQN, lambda line: groups(look.IQN, line, lambda match, kind, value: self.iqn(value)))
        seen = _each(seen, look.SERIALS, self._serials)
        seen = seen.change(look.HWADDR, lambda line: look.HWADDR.pattern.sub(self._hwaddr, line))
        mac: Replace = lambda match, kind, value: value if kind == "head" else self.hexes("mac", value)  # noqa: E731
        return seen.change(look.INTERFACE, lambda line: groups(look.INTERFACE, line, mac))

    def _uuid(self, match: Match[str]) -> str:
        return self.uuid(match.group())

    def _short_uuids(self, line: str) -> str:
        if "uuid" not in line.lower() and not look.SHORT_UUID_ALONE.pattern.fullmatch(line):
            return line
        return look.SHORT_UUID.pattern.sub(lambda match: self.short_uuid(match.group()), line)

    def _serials(self, item: Look, line: str) -> str:
        return groups(item, line, lambda match, kind, value: self._serial_value(match, value))

    def _pem(self, data: str) -> str:
        inside, lines = False, []
        for line in data.splitlines(True):
            if inside and look.PEM_END.pattern.search(line):
                inside = False
            elif inside:
                bare = line.rstrip("\r\n")
                if bare.strip() not in ("", "REDACTED"):
                    self.counts["secret"] = self.counts.get("secret", 0) + 1
                    line = "REDACTED" + line[len(bare) :]
            elif look.PEM_BEGIN.pattern.search(line):
                inside = not look.PEM_END.pattern.search(line)
            lines.append(line)
        return "".join(lines)

    def _serial_value(self, match: Match[str], value: str) -> str:
        plain = value.strip()
        first = plain.split()[0].lower() if plain else ""
        # `SerialNumber=3` is an index; `Serial: 8250/16550 driver` a driver.
        if not first or first in look.NO_SERIAL or first.startswith("8250") or len(plain) < 4:
            return value
        if (
            look.STAND_IN.pattern.match(plain)
            or plain.startswith("REDACTED")
            or look.TECHNICAL.pattern.fullmatch(plain.lower())
        ):
            return value
        if match.group("sep") != "=" and not any(char.isdigit() for char in plain) and len(plain) < 6:
            return value
        return self.serial(plain)

    def _by_id(self, value: str) -> str:
        name, part, number = value.partition("-part")
        fields = name.split("_")
        at = _serial_field(fields)
        if fields[at].lower().startswith(("eui.", "naa.", "wwn-")) or look.STAND_IN.pattern.match(fields[at]):
            return value
        fields[at] = self.serial(fields[at])
        return "_".join(fields) + part + number

    def _hwaddr(self, match: Match[str]) -> str:
        sep = match.group("sep")
        pairs = match.group().split(sep)
        lowered = match.group().lower().split(sep)
        if len(set(pairs)) == 1 or lowered[:3] in (["02", "fa", "ce"], ["fa", "ca", "de"]):
            return match.group()  # a broadcast, an unset address, or a stand-in
        if len(pairs) == 7 and (sep == ":" or lowered[1:4] == ["02", "fa", "ce"]):
            return match.group()  # an ATA command
        head: List[str] = []
        if len(pairs) == 7 and sep == "-":
            head, pairs = pairs[:1], pairs[1:]  # BOOTIF=01-…
        new = self.hexes("mac" if len(pairs) == 6 else "wwn", "".join(pairs))
        return sep.join(head + [new[at : at + 2] for at in range(0, len(new), 2)])

    def _positions(self, item: Look, line: str) -> str:
        return groups(item, line, self._position)

    def _position(self, match: Match[str], kind: str, value: str) -> str:
        return value if _is_public_builder(match) else self.name(kind, value)

    def _at_host(self, match: Match[str]) -> str:
        host = match.group("host").partition(".")[0].lower()
        known = host in self._hosts and match.group("user") not in names.BUILDERS
        if not known:
            return match.group()
        return self.name("user", match.group("user")) + "@" + self.name("host", match.group("host"))

    def _email(self, match: Match[str]) -> str:
        value = match.group().lower()
        box, _, domain = value.partition("@")
        public = value.endswith(look.PUBLIC_MAIL) or value in look.PUBLIC_MAILBOXES or box in names.BUILDERS
        ours = domain.rpartition(".")[2] in look.UNITS or domain.endswith("example") or look.TOKEN.pattern.match(box)
        if public or ours or domain.startswith("host-"):
            return match.group()
        return self.mail(match.group())

    def _ipv4(self, match: Match[str]) -> str:
        value = match.group()
        parts = value.split(".")
        if any(int(part) > 255 or (len(part) > 1 and part[0] == "0") for part in parts):
            return value
        first, second = int(parts[0]), int(parts[1])
        if first in (0, 127, 255) or (first == 198 and second in (18, 19)):
            return value
        before = match.string[max(match.start() - 24, 0) : match.start()]
        if look.A_VERSION.pattern.search(before) or look.USB_PORT.pattern.search(before):
            return value
        return self.ipv4(value)

    def _ipv6(self, match: Match[str]) -> str:
        value = match.group().lower()
        groups_ = [group for group in value.split(":") if group]
        packed = value.count("::")
        if packed > 1 or ":::" in value or (not packed and (len(groups_) != 8 or value[0] == ":" or value[-1] == ":")):
            return match.group()
        # Eight pairs are a world wide name; one group is `::1` or a prefix such as `fe80::`.
        if len(groups_) < 2 or value.startswith("2001:db8:") or (len(groups_) == 8 and len(value) == 23):
            return match.group()
        return self.ipv6(value)

    def _everywhere(self, seen: Seen) -> Seen:
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


def _stands_alone(text: str) -> bool:
    line = text[:-1] if text.endswith("\n") else text
    return line.isprintable() and not line.endswith("=")


def _each(seen: Seen, items: Sequence[Look], change: Callable[[Look, str], str]) -> Seen:
    """SEEN with CHANGE applied for each of ITEMS to the lines on which it is to be tried."""
    for item in items:
        if seen.may(item):
            seen = seen.change(item, lambda line, item=item: change(item, line))  # type: ignore[misc]
    return seen


def _serial_field(fields: List[str]) -> int:
    at = len(fields) - 1
    return at - 1 if at > 0 and len(fields[at]) <= 2 else at  # a namespace's number follows the serial of an NVMe disk


def _is_public_value(item: Look, prints: bool, value: str) -> bool:
    """Whether VALUE only looks like a key: a text in base64, or, if PRINTS, of a certificate that the kernel loads."""
    if prints and not value.strip("0123456789abcdef'"):
        return True
    return item is look.KEY and redact_layers.is_text(value)


def _is_public_builder(match: Match[str]) -> bool:
    if not match.group().startswith("Linux version"):
        return False
    public = tuple(one.lstrip("@") for one in look.PUBLIC_MAIL)
    user, host = match.group("user"), match.group("host")
    return (
        user in names.BUILDERS
        or host.endswith(public)
        or (user == "root" and host.lower().startswith(names.BUILD_HOSTS))
    )


def redact(collected: Collected) -> Tuple[Collected, Dict[str, int]]:
    """Return COLLECTED with private values replaced, and how many of each class were."""
    redactor = Redactor()
    return redact_with(collected, redactor)[0], dict(sorted(redactor.counts.items()))


def redact_with(collected: Collected, redactor: Redactor) -> Tuple[Collected, Dict[str, Dict[str, int]]]:
    """Return COLLECTED with private values replaced by REDACTOR, and for each path how many of each class were."""
    from . import redact_files

    entries, report = redact_files.redact_entries(collected.entries, redactor)
    note = redactor.text(collected.note)
    return collected._replace(entries=entries, redaction="forum", note=note), report
