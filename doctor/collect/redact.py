"""Replaces what is private in texts: names, addresses, identities, secrets, in clear and in usual encodings.

What stands for a value is made in `redact_values`; what values look like is told in `redact_patterns` (names)
and `redact_shapes` (the rest); encoded ones are found by `redact_layers`, those that a line's end splits by
`redact_wrapped`. `redact_files` says what each file of a collection needs besides.
"""

import re
from typing import Dict, Iterable, List, Match, Set, Tuple

from . import redact_dumps, redact_layers, redact_wrapped
from . import redact_patterns as names
from . import redact_shapes as look
from .model import Collected
from .redact_values import StandIns, groups, looks_random, on_lines

__all__ = ["Redactor", "redact", "redact_with"]

_LEARNED = 4096  # more names than that come from nobody's host
_SAME_START = 16  # names that begin with the same word: it bounds the time
_DEEPEST = 3  # encodings in one another
_COLOURS = re.compile("\x1b\\[[0-9;?]{0,20}[@-~]")
_TURNS = 4
_WORD = re.compile(r"[A-Za-z0-9\u00c0-\u024f]+")
_EVERYWHERE = ("host", "user", "net", "vm", "vol", "label", "serial", "secret", "mac", "wwn")
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
        self._depth = 0

    def keep(self, words: Iterable[str]) -> None:
        """Never replace WORDS everywhere, should a host or a person be called so (names of modules, say)."""
        self._ordinary.update(word.lower() for word in words)

    def learn(self, data: str) -> None:
        """Learn from DATA what hosts, people, VMs, volumes and disks are called."""
        lowered = data.lower()
        if "[" in data:
            for shown in names.DISPLAYED.findall(data):
                self.keep(_WORD.findall(shown))
        for item in names.NAMES + look.VOLUMES:
            on_lines(item, data, lowered, lambda line, item=item: self._learn_names(item, line))  # type: ignore[misc]
        for item in look.SERIALS + look.SECRETS + [names.Look(look.BY_ID, ("by-id/",))]:
            on_lines(item, data, lowered, lambda line, item=item: self._learn_values(item, line))  # type: ignore[misc]
        for match in look.HWADDR.finditer(data):
            digits = match.group().replace(match.group("sep"), "").lower()
            if len(digits) in (12, 16) and not digits.startswith(("02face", "facade")) and len(set(digits)) > 3:
                self._learn("mac" if len(digits) == 12 else "wwn", digits)

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

    def _learn_names(self, item: names.Look, line: str) -> str:
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

    def _learn_values(self, item: names.Look, line: str) -> str:
        prints = "X.509" in line
        for match in item.pattern.finditer(line):
            value = match.group("value").strip().strip("\"'")
            if item.pattern is look.BY_ID:
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
        if first is None or len(lowered) < 3 or lowered in self._learned or look.STAND_IN.search(lowered):
            return
        if look.TECHNICAL.fullmatch(lowered):
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
            same.sort(key=lambda one: -len(one[0]))

    def learned(self) -> int:
        """Return how many names and identities are known."""
        return len(self._learned)

    def text(self, data: str) -> str:
        """Return DATA with private values replaced; the number of lines stays the same."""
        if "\x1b" in data:
            data = _COLOURS.sub("", data)  # they hide where a word begins
        self.learn(data)
        known = self.learned()
        self._depth += 1
        try:
            new, again = self._text(data)
            for _ in range(_TURNS if self._depth == 1 else 0):
                # A name that stood only in what was encoded; what another thing stands beside now.
                if not again and self.learned() == known:
                    break
                known = self.learned()
                new, again = self._text(new)
            return new
        finally:
            self._depth -= 1

    def _text(self, data: str) -> Tuple[str, bool]:
        """DATA redacted once, and whether something encoded was changed in it."""
        if self._depth > _DEEPEST:
            return self.plain(redact_wrapped.redact(data, self)), False
        dumped = redact_dumps.redact(data, self)  # first: what is replaced beside a dump would hide it
        dumped = redact_layers.soft_breaks(dumped, self) if "=\n" in dumped else dumped
        plain = self.plain(redact_wrapped.redact(dumped, self))
        new = redact_layers.redact(plain, self)
        return new, new != plain or dumped != data

    def plain(self, data: str) -> str:
        """Return DATA with the private values replaced that stand in it in clear, on one line."""
        lowered = data.lower()
        if "-----begin " in lowered:
            data = self._pem(data)
        for item in look.SECRETS:
            data = on_lines(item, data, _low(data), lambda line, item=item: self._secrets(item, line))  # type: ignore[misc]
        data = look.RANDOM.sub(self._random, data)
        data = self._identities(data)
        data = self._name_positions(data)
        data = self._volumes(data)
        data = look.EMAIL.sub(self._email, data) if "@" in data else data
        data = look.IPV4.sub(self._ipv4, data)
        data = look.IPV6.sub(self._ipv6, data)
        return self._everywhere(data)

    def _random(self, match: Match[str]) -> str:
        run = match.group()
        kept = not looks_random(run) or look.STAND_IN.search(run) or redact_layers.is_text(run)
        return run if kept else self.secret(run)

    def _secrets(self, item: names.Look, line: str) -> str:
        prints = "X.509" in line

        def one(match: Match[str], kind: str, value: str) -> str:
            return value if _is_public_value(item, prints, value) else self.secret(value)

        return groups(item.pattern, line, one)

    def _identities(self, data: str) -> str:
        data = look.UUID.sub(lambda match: self.uuid(match.group()), data)
        data = look.MACHINE_ID.sub(lambda match: self.uuid(match.group()), data)
        data = look.LVM_UUID.sub(lambda match: self.lvm_uuid(match.group()), data)
        short = look.SHORT_UUID
        data = look.SHORT_UUID_LINE.sub(
            lambda line: short.sub(lambda m: self.short_uuid(m.group()), line.group()), data
        )
        lowered = _low(data)
        if "by-id/" in lowered:
            data = groups(look.BY_ID, data, lambda match, kind, value: self._by_id(value))
        if any(needle in lowered for needle in look.WWN_NEEDLES):
            data = groups(look.WWN, data, lambda match, kind, value: self.hexes("wwn", value))
        if "iqn." in lowered or "nqn." in lowered:
            data = groups(look.IQN, data, lambda match, kind, value: self.iqn(value))
        for item in look.SERIALS:
            data = on_lines(
                item,
                data,
                _low(data),
                lambda line, item=item: groups(  # type: ignore[misc]
                    item.pattern, line, lambda match, kind, value: self._serial_value(match, value)
                ),
            )
        data = look.HWADDR.sub(self._hwaddr, data)
        return groups(
            look.INTERFACE, data, lambda match, kind, value: value if kind == "head" else self.hexes("mac", value)
        )

    def _pem(self, data: str) -> str:
        inside, lines = False, []
        for line in data.splitlines(True):
            if inside and look.PEM_END.search(line):
                inside = False
            elif inside:
                bare = line.rstrip("\r\n")
                if bare.strip() not in ("", "REDACTED"):
                    self.counts["secret"] = self.counts.get("secret", 0) + 1
                    line = "REDACTED" + line[len(bare) :]
            elif look.PEM_BEGIN.search(line):
                inside = not look.PEM_END.search(line)
            lines.append(line)
        return "".join(lines)

    def _serial_value(self, match: Match[str], value: str) -> str:
        plain = value.strip()
        first = plain.split()[0].lower() if plain else ""
        # `SerialNumber=3` is an index; `Serial: 8250/16550 driver` a driver.
        if not first or first in look.NO_SERIAL or first.startswith("8250") or len(plain) < 4:
            return value
        if look.STAND_IN.match(plain) or plain.startswith("REDACTED") or look.TECHNICAL.fullmatch(plain.lower()):
            return value
        if match.group("sep") != "=" and not any(char.isdigit() for char in plain) and len(plain) < 6:
            return value
        return self.serial(plain)

    def _by_id(self, value: str) -> str:
        name, part, number = value.partition("-part")
        fields = name.split("_")
        at = _serial_field(fields)
        if fields[at].lower().startswith(("eui.", "naa.", "wwn-")) or look.STAND_IN.match(fields[at]):
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

    def _name_positions(self, data: str) -> str:
        for item in names.NAMES:
            data = on_lines(item, data, _low(data), lambda line, item=item: groups(item.pattern, line, self._position))  # type: ignore[misc]
        return names.AT_HOST.sub(self._at_host, data) if "@" in data else data

    def _position(self, match: Match[str], kind: str, value: str) -> str:
        return value if _is_public_builder(match) else self.name(kind, value)

    def _at_host(self, match: Match[str]) -> str:
        host = match.group("host").partition(".")[0].lower()
        known = host in self._hosts and match.group("user") not in names.BUILDERS
        if not known:
            return match.group()
        return self.name("user", match.group("user")) + "@" + self.name("host", match.group("host"))

    def _volumes(self, data: str) -> str:
        for item in look.VOLUMES:
            data = on_lines(item, data, _low(data), lambda line, item=item: groups(item.pattern, line, self._position))  # type: ignore[misc]
        return data

    def _email(self, match: Match[str]) -> str:
        value = match.group().lower()
        box, _, domain = value.partition("@")
        public = value.endswith(look.PUBLIC_MAIL) or value in look.PUBLIC_MAILBOXES or box in names.BUILDERS
        ours = domain.rpartition(".")[2] in look.UNITS or domain.endswith("example") or look.TOKEN.match(box)
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
        if look.A_VERSION.search(before) or look.USB_PORT.search(before):
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

    def _everywhere(self, data: str) -> str:
        lowered = data.lower()
        if not self._known or len(lowered) != len(data):
            lowered = _low(data)
        if not self._known or not set(_WORD.findall(lowered)) & set(self._known):
            return data
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


def _low(data: str) -> str:
    """DATA in small letters, character for character."""
    lowered = data.lower()
    return lowered if len(lowered) == len(data) else "".join(c.lower() if len(c.lower()) == 1 else c for c in data)


def _serial_field(fields: List[str]) -> int:
    at = len(fields) - 1
    return at - 1 if at > 0 and len(fields[at]) <= 2 else at  # a namespace's number follows the serial of an NVMe disk


def _is_public_value(item: names.Look, prints: bool, value: str) -> bool:
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
