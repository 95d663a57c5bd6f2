"""Replaces what is private: the same value always by the same replacement, which nobody can turn back.

A replacement keeps the value's shape, so that parsers still read the text, and is recognisable:
`host-3fa2c1`, `user-…`, `facade00-…` for a UUID, `02:fa:ce:…` for a MAC address, 198.18.x.x (RFC 2544) and
2001:db8::… (RFC 3849) for addresses, `SN-…`, `REDACTED-…`. It is a keyed hash; the key is random and never
leaves the process.
"""

import hashlib
import os
import re
from typing import Callable, Dict, Iterable, List, Match, Optional, Pattern, Set, Tuple

from . import redact_patterns as look
from .model import Collected

__all__ = ["Redactor", "redact"]

_LEARNED = 64  # more names than that come from nobody's host; it bounds the time


class Redactor:
    """Replaces private values in texts; `counts` says how many of each class were replaced so far.

    Names of hosts and people are learned from prompts, log prefixes and `uname`: call `learn` with all texts
    first, so that the name is known in the text that comes before them.
    """

    def __init__(self) -> None:
        self.counts: Dict[str, int] = {}
        self._key = os.urandom(32)
        self._tokens: Dict[Tuple[str, str], str] = {}
        self._used: Set[str] = set()
        self._names: Dict[str, str] = {}
        self._everywhere: Optional[Pattern[str]] = None
        self._hosts: Set[str] = set()
        self._ordinary: Set[str] = set(look.ORDINARY)

    def keep(self, words: Iterable[str]) -> None:
        """Never replace WORDS everywhere, should a host or a person be called so (names of modules, say)."""
        self._ordinary.update(word.lower() for word in words)

    def learn(self, data: str) -> None:
        """Learn the names of hosts and people from DATA."""
        for pattern in look.HOSTS + look.PROMPTS + look.USERS:
            for match in pattern.finditer(data):
                groups = match.groupdict()
                if _is_public_builder(match):
                    continue
                if "host" in groups:
                    self.learn_host(match["host"])
                if "user" in groups:
                    self._learn("user", match["user"])

    def learn_host(self, name: str) -> None:
        """Learn the host name NAME, with or without its domain."""
        short, _, domain = name.strip().rstrip(".").partition(".")
        if not short.replace("-", "").isdigit():
            self._hosts.add(short.lower())
        self._learn("host", short)
        if "." in domain:
            self._learn("net", domain)

    def _learn(self, kind: str, name: str) -> None:
        lowered = name.lower()
        plain = len(lowered) < 3 or lowered in self._ordinary or not lowered.strip("0123456789abcdef.")
        if plain or lowered in self._names or look.TOKEN.match(lowered) or len(self._names) >= _LEARNED:
            return
        self._names[lowered] = kind
        names = "|".join(re.escape(one) for one in sorted(self._names, key=len, reverse=True))
        self._everywhere = re.compile(r"(?<![A-Za-z0-9])(?:" + names + r")(?![A-Za-z0-9])", re.I)

    def text(self, data: str) -> str:
        """Return DATA with private values replaced; the number of lines stays the same."""
        self.learn(data)
        if "-----BEGIN " in data:
            data = self._pem(data)
        for pattern in look.SECRETS:
            data = self._groups(pattern, data, self._secret)
        data = look.UUID.sub(self._uuid, data)
        data = look.MACHINE_ID.sub(lambda match: self._uuid(match).replace("-", ""), data)
        data = look.LVM_UUID.sub(self._lvm_uuid, data)
        data = look.SHORT_UUID_LINE.sub(lambda line: look.SHORT_UUID.sub(self._short_uuid, line.group()), data)
        data = self._groups(look.BY_ID, data, self._by_id)
        data = self._groups(look.WWN, data, lambda match, value: self._hex("wwn", value))
        data = self._groups(look.IQN, data, self._iqn)
        for pattern in look.SERIALS:
            data = self._groups(pattern, data, self._serial)
        data = look.HWADDR.sub(self._hwaddr, data)
        data = look.INTERFACE.sub(self._interface, data)
        data = self._name_positions(data)
        data = look.EMAIL.sub(self._email, data)
        data = look.IPV4.sub(self._ipv4, data)
        data = look.IPV6.sub(self._ipv6, data)
        if self._everywhere is not None:
            data = self._everywhere.sub(lambda match: self.name(self._names[match[0].lower()], match[0]), data)
        return data

    def name(self, kind: str, value: str) -> str:
        """Return what stands for VALUE, the name of a KIND: host, user, net, vm, …"""
        if not value or (kind == "user" and value == "root") or look.TOKEN.match(value):
            return value
        if kind == "host" and "." in value:
            short, _, domain = value.partition(".")
            return self.name("host", short) + "." + (self.name("net", domain) if "." in domain else domain)
        return "{}-{}{}".format(kind, self._token(kind, value.lower(), 6), ".example" if kind == "net" else "")

    def _token(self, kind: str, value: str, digits: int) -> str:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        known = self._tokens.get((kind, value))
        turn = 0
        while known is None:
            text = "{} {} {}".format(kind, turn, value).encode("utf-8", "surrogateescape")
            token = hashlib.blake2b(text, key=self._key).hexdigest()[:digits]
            # Two values of one class must not become one; with 4 digits that would happen.
            if kind + token not in self._used or turn > 64:
                self._used.add(kind + token)
                known = self._tokens[(kind, value)] = token
            turn += 1
        return known

    def _hex(self, kind: str, value: str) -> str:
        if value.startswith("facade"):
            return value
        return "facade" + self._token(kind, value.lower(), len(value) - 6)

    @staticmethod
    def _groups(pattern: Pattern[str], data: str, replace: Callable[[Match[str], str], str]) -> str:
        def one(match: Match[str]) -> str:
            start, end = match.start("value") - match.start(), match.end("value") - match.start()
            return match[0][:start] + replace(match, match["value"]) + match[0][end:]

        return pattern.sub(one, data)

    def _pem(self, data: str) -> str:
        inside, lines = False, []
        for line in data.splitlines(True):
            if inside and look.PEM_END.search(line):
                inside = False
            elif inside:
                self.counts["secret"] = self.counts.get("secret", 0) + 1
                line = "REDACTED" + line[len(line.rstrip("\r\n")) :]
            elif look.PEM_BEGIN.search(line):
                inside = not look.PEM_END.search(line)
            lines.append(line)
        return "".join(lines)

    def _secret(self, match: Match[str], value: str) -> str:
        if value.strip("\"'").startswith("REDACTED") or set(value) <= set("\"'*.x<>"):
            return value
        quote = value[0] if value[0] in "\"'" and value[-1] == value[0] and len(value) > 1 else ""
        return "{}REDACTED-{}{}".format(quote, self._token("secret", value.strip("\"'"), 8), quote)

    def _uuid(self, match: Match[str]) -> str:
        value = match[0].lower()
        if value in look.PUBLIC_GUIDS or value.startswith("facade00"):
            return match[0]
        token = self._token("uuid", value.replace("-", ""), 24)
        parts = ("facade00", token[:4], "4" + token[4:7], "8" + token[7:10], token[10:22])
        uuid = "-".join(parts)
        return uuid.upper() if match[0].isupper() else uuid

    def _lvm_uuid(self, match: Match[str]) -> str:
        value = match[0]
        if value.isalpha() or value.isdigit() or value.startswith("facade-"):
            return value
        token = self._token("uuid", value, 26)
        parts = ["facade"] + [token[at : at + 4] for at in range(0, 20, 4)] + [token[20:26]]
        return "-".join(parts)

    def _short_uuid(self, match: Match[str]) -> str:
        value = match[0]
        if value.startswith("FA7D-"):
            return value
        if len(value) == 9:
            return "FA7D-" + self._token("uuid", value, 4).upper()
        if value.lower().startswith("facade"):
            return value
        new = "facade" + self._token("uuid", value.lower(), len(value) - 6)
        return new if value.islower() else new.upper()

    def _serial(self, match: Match[str], value: str) -> str:
        plain = value.strip()
        first = plain.split()[0].lower() if plain else ""
        # `SerialNumber=3` is an index; `Serial: 8250/16550 driver` a driver.
        if not first or first in look.NO_SERIAL or first.startswith(("8250", "sn-")) or len(plain) < 4:
            return value
        if match["sep"] != "=" and not any(char.isdigit() for char in plain) and len(plain) < 6:
            return value
        return "SN-" + self._token("serial", plain, min(max(len(plain) - 3, 6), 16)).upper()

    def _by_id(self, match: Match[str], value: str) -> str:
        name, part, number = value.partition("-part")
        fields = name.split("_")
        at = len(fields) - 1
        if at > 0 and len(fields[at]) <= 2:
            at -= 1  # a namespace's number follows the serial number of an NVMe disk
        if fields[at].lower().startswith(("eui.", "naa.", "sn-")):
            return value
        fields[at] = "SN-" + self._token("serial", fields[at], 12).upper()
        return "_".join(fields) + part + number

    def _iqn(self, match: Match[str], value: str) -> str:
        if ".2000-01.example:" in value:
            return value
        return value[:3] + ".2000-01.example:" + self._token("iqn", value, 12)

    def _hwaddr(self, match: Match[str]) -> str:
        sep = match["sep"]
        pairs = match[0].split(sep)
        lowered = match[0].lower().split(sep)
        if len(set(pairs)) == 1 or lowered[:3] in (["02", "fa", "ce"], ["fa", "ca", "de"]):
            return match[0]  # a broadcast, an unset address, or a replacement
        if len(pairs) == 7 and (sep == ":" or lowered[1:4] == ["02", "fa", "ce"]):
            return match[0]  # an ATA command
        head: List[str] = []
        if len(pairs) == 7 and sep == "-":
            head, pairs = pairs[:1], pairs[1:]  # BOOTIF=01-…
        kind, start = ("mac", ["02", "fa", "ce"]) if len(pairs) == 6 else ("wwn", ["fa", "ca", "de"])
        token = self._token(kind, "".join(pairs).lower(), 2 * len(pairs) - 6)
        new = start + [token[at : at + 2] for at in range(0, len(token), 2)]
        text = sep.join(new)
        return sep.join(head + [text.upper() if "".join(pairs).isupper() else text])

    def _interface(self, match: Match[str]) -> str:
        # systemd names a network card after its MAC address where nothing better is known.
        if match["value"].startswith("02face"):
            return match[0]
        return match["head"] + "02face" + self._token("mac", match["value"], 6)

    def _name_positions(self, data: str) -> str:
        for pattern in look.HOSTS + look.PROMPTS + look.USERS:
            data = pattern.sub(self._position, data)
        return look.AT_HOST.sub(self._at_host, data)

    def _position(self, match: Match[str]) -> str:
        text = match[0]
        if _is_public_builder(match):
            return text
        for kind in ("host", "user"):  # the host stands behind the user: replaced first, it moves nothing
            if match.groupdict().get(kind):
                start, end = match.start(kind) - match.start(), match.end(kind) - match.start()
                text = text[:start] + self.name(kind, match[kind]) + text[end:]
        return text

    def _at_host(self, match: Match[str]) -> str:
        host = match["host"].partition(".")[0].lower()
        known = host in self._hosts and match["user"] not in look.BUILDERS - {"root"}
        return self.name("user", match["user"]) + "@" + self.name("host", match["host"]) if known else match[0]

    def _email(self, match: Match[str]) -> str:
        value = match[0].lower()
        box, _, domain = value.partition("@")
        public = value.endswith(look.PUBLIC_MAIL) or value in look.PUBLIC_MAILBOXES or box in look.BUILDERS
        ours = domain.rpartition(".")[2] in look.UNITS or domain.endswith("example") or look.TOKEN.match(box)
        if public or ours or domain.startswith("host-"):
            return match[0]
        return "mail-{}@mail.example".format(self._token("email", value, 6))

    def _ipv4(self, match: Match[str]) -> str:
        value = match[0]
        parts = value.split(".")
        if any(int(part) > 255 or (len(part) > 1 and part[0] == "0") for part in parts):
            return value
        first, second = int(parts[0]), int(parts[1])
        if first in (0, 127, 255) or (first == 198 and second in (18, 19)):
            return value
        before = match.string[max(match.start() - 24, 0) : match.start()]
        if look.A_VERSION.search(before) or look.USB_PORT.search(before):
            return value
        token = int(self._token("ip", value, 4), 16)
        return "198.18.{}.{}".format(token >> 8, token & 255)

    def _ipv6(self, match: Match[str]) -> str:
        value = match[0].lower()
        groups = [group for group in value.split(":") if group]
        packed = value.count("::")
        if packed > 1 or ":::" in value or (not packed and (len(groups) != 8 or value[0] == ":" or value[-1] == ":")):
            return match[0]
        # Eight pairs are a world wide name; one group is `::1` or a prefix such as `fe80::`.
        if len(groups) < 2 or value.startswith("2001:db8:") or (len(groups) == 8 and len(value) == 23):
            return match[0]
        token = self._token("ip", value, 8)
        return "2001:db8::{}:{}".format(token[:4], token[4:])


def _is_public_builder(match: Match[str]) -> bool:
    if not match[0].startswith("Linux version"):
        return False
    public = tuple(one.lstrip("@") for one in look.PUBLIC_MAIL)
    return match["user"] in look.BUILDERS or match["host"].endswith(public)


def redact(collected: Collected) -> Tuple[Collected, Dict[str, int]]:
    """Return COLLECTED with private values replaced, and how many of each class were."""
    from . import redact_files

    redactor = Redactor()
    entries = redact_files.redact_entries(collected.entries, redactor)
    return collected._replace(entries=entries, redaction="forum"), dict(sorted(redactor.counts.items()))
