"""Makes stand-ins: the same value always gets the same one, which nobody can turn back.

A stand-in keeps the value's shape, so that parsers still read the text, and is recognisable:
`host-3fa2c1`, `user-…`, `facade00-…` for a UUID, `02:fa:ce:…` for a MAC address, 198.18.x.x (RFC 2544) and
2001:db8::… (RFC 3849) for addresses, `SN-…`, `REDACTED-…`. It is a keyed hash; the key is random and never
leaves the process.
"""

import math
import os
import re
from typing import Callable, Dict, Match, Set, Tuple

from . import redact_patterns as names
from . import redact_shapes as look
from .output import write_new
from .redact_look import Look

try:
    from _blake2 import blake2b as _blake2b  # hashlib loads OpenSSL, which takes longer than all of the redaction
except ImportError:
    from hashlib import blake2b as _blake2b

__all__ = ["StandIns", "looks_random"]

_WORD = re.compile(r"[A-Za-z]+|\d+")


class StandIns:
    """Makes stand-ins; `counts` says how many of each class were used, `mapping` what stands for what.

    `mapping` is by class, then by value; it never belongs into a bundle.
    """

    def __init__(self) -> None:
        self.counts: Dict[str, int] = {}
        self.mapping: Dict[str, Dict[str, str]] = {}
        self._key = os.urandom(32)
        self._tokens: Dict[Tuple[str, str, int], str] = {}
        self._used: Set[str] = set()

    def name(self, kind: str, value: str) -> str:
        """Return what stands for VALUE, the name of a KIND: host, user, net, vm, …"""
        if (
            not value.strip()
            or look.TOKEN.pattern.match(value)
            or (kind == "user" and value.lower() in names.SYSTEM_USERS)
        ):
            return value
        if kind == "host" and value.lower().partition(".")[0] == "localhost":
            return value
        if kind == "host" and "." in value:
            short, _, domain = value.partition(".")
            return self.name("host", short) + "." + (self.name("net", domain) if "." in domain else domain)
        if kind == "net" and _is_public(value):
            return value
        if kind in ("vol", "label", "dm"):
            return self.volume(kind, value)
        return self._made(
            kind, value, kind + "-" + self._token(kind, value.lower(), 6) + (".example" * (kind == "net"))
        )

    def volume(self, kind: str, value: str) -> str:
        """Return the path of a volume VALUE with the parts replaced that no installer gives; `dm`: a mapper's name."""
        new, done = "", 0
        # Of names, UUIDs and serial numbers that were replaced before.
        for stand_in in look.STAND_IN.pattern.finditer(value) if look.has_stand_in(value) else ():
            new += self._volumes_of(kind, value[done : stand_in.start()]) + stand_in.group()
            done = stand_in.end()
        return new + self._volumes_of(kind, value[done:])

    def _volumes_of(self, kind: str, value: str) -> str:
        if kind == "dm":
            parts = value.replace("--", "\0").split("-")
            return "-".join(self._volume("vol", part.replace("\0", "-")).replace("-", "--") for part in parts)
        return "/".join(self._volume(kind, part) for part in value.split("/"))

    def _volume(self, kind: str, part: str) -> str:
        words = [word.lower() for word in _WORD.findall(part) if not word.isdigit()]
        if all(len(word) < 2 or word in names.VOLUMES for word in words):
            return part
        # A label and a volume of one name are one name.
        return self._made(kind, part, kind + "_" + self._token("vol", part.lower(), 6))

    def secret(self, value: str) -> str:
        """Return what stands for the key, token or password VALUE, in its quotation marks."""
        if value.strip("\"'").startswith("REDACTED") or set(value) <= set("\"'*.x<>"):
            return value
        quote = value[0] if value[0] in "\"'" and value[-1] == value[0] and len(value) > 1 else ""
        plain = value.strip("\"'")
        return quote + self._made("secret", plain, "REDACTED-" + self._token("secret", plain, 8)) + quote

    def uuid(self, text: str) -> str:
        """Return what stands for a UUID or a machine id (32 digits)."""
        value = text.lower().replace("-", "")
        if text.lower() in look.PUBLIC_GUIDS or value.startswith("facade00") or len(set(value)) < 3:
            return text
        token = self._token("uuid", value, 24)
        parts = ("facade00", token[:4], "4" + token[4:7], "8" + token[7:10], token[10:22])
        new = ("-" if "-" in text else "").join(parts)
        return self._made("uuid", text, new.upper() if text.isupper() else new)

    def lvm_uuid(self, text: str) -> str:
        """Return what stands for LVM's UUID: letters and digits in seven groups."""
        if text.isalpha() or text.isdigit() or text.startswith("facade-"):
            return text
        token = self._token("uuid", text, 26)
        parts = ["facade"] + [token[at : at + 4] for at in range(0, 20, 4)] + [token[20:26]]
        return self._made("uuid", text, "-".join(parts))

    def short_uuid(self, text: str) -> str:
        """Return what stands for the id of a FAT or NTFS file system or of an MBR partition table."""
        if text.startswith("FA7D-") or text.lower().startswith("facade"):
            return text
        if len(text) == 9:
            return self._made("uuid", text, "FA7D-" + self._token("uuid", text, 4).upper())
        new = "facade" + self._token("uuid", text.lower(), len(text) - 6)
        return self._made("uuid", text, new if text.islower() else new.upper())

    def serial(self, value: str) -> str:
        """Return what stands for a serial number, which a file's name may spell with `_` for a blank."""
        plain = re.sub(r"[^a-z0-9]", "", value.lower())
        return self._made(
            "serial", value, "SN-" + self._token("serial", plain, min(max(len(plain) - 3, 6), 16)).upper()
        )

    def hexes(self, kind: str, value: str) -> str:
        """Return what stands for an address of 6 bytes (mac) or more (wwn), VALUE without separators."""
        start = "02face" if kind == "mac" else "facade"
        if value.lower().startswith(start) or len(set(value)) < 2:
            return value
        new = start + self._token(kind, value.lower(), len(value) - 6)
        return self._made(kind, value.lower(), new.upper() if value.isupper() else new)

    def iqn(self, value: str) -> str:
        """Return what stands for the name of an iSCSI or NVMe node."""
        if ".2000-01.example:" in value:
            return value
        return self._made("iqn", value, value[:3] + ".2000-01.example:" + self._token("iqn", value.lower(), 12))

    def mail(self, value: str) -> str:
        """Return what stands for an e-mail address."""
        return self._made("email", value, "mail-{}@mail.example".format(self._token("email", value.lower(), 6)))

    def ipv4(self, value: str) -> str:
        """Return what stands for an IPv4 address."""
        token = int(self._token("ip", value, 4), 16)
        return self._made("ip", value, "198.18.{}.{}".format(token >> 8, token & 255))

    def ipv6(self, value: str) -> str:
        """Return what stands for an IPv6 address."""
        token = self._token("ip", value.lower(), 8)
        return self._made("ip", value, "2001:db8::{}:{}".format(token[:4], token[4:]))

    def write_map(self, path: str) -> None:
        """Write `mapping` as JSON to the new file PATH, with mode 0600.

        Raises FileExistsError if the name is taken (by a link, too), and OSError for what else prevents it.
        """
        import json

        text = json.dumps({kind: self.mapping[kind] for kind in sorted(self.mapping)}, indent=1, sort_keys=True)
        write_new(text.encode("ascii") + b"\n", path)

    def _made(self, kind: str, value: str, new: str) -> str:
        self.mapping.setdefault(kind, {}).setdefault(value, new)
        return new

    def _token(self, kind: str, value: str, digits: int) -> str:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        known = self._tokens.get((kind, value, digits))
        turn = 0
        while known is None:
            text = "{} {} {}".format(kind, turn, value).encode("utf-8", "surrogateescape")
            token = _blake2b(text, key=self._key).hexdigest()[:digits]
            # Two values of one class must not become one; with 4 digits that would happen.
            if kind + token not in self._used or turn > 64:
                self._used.add(kind + token)
                known = self._tokens[(kind, value, digits)] = token
            turn += 1
        return known


def groups(item: Look, data: str, replace: Callable[[Match[str], str, str], str]) -> str:
    """Return DATA with every named group of ITEM's matches replaced by what REPLACE says of (match, kind, value)."""

    def one(match: Match[str]) -> str:
        text, begin = match.group(), match.start()
        found = [(match.span(kind), kind) for kind, value in match.groupdict().items() if value and kind != "sep"]
        for (start, end), kind in sorted(found, reverse=True):
            text = text[: start - begin] + replace(match, kind, match.group(kind)) + text[end - begin :]
        return text

    return item.pattern.sub(one, data)


def looks_random(text: str) -> bool:
    """Say whether TEXT is a run of letters and digits that nobody made of words: a key, a token.

    >>> looks_random("wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLE9KEY0"), looks_random("VirtualizationTechnologyForDirectedIO1")
    (True, False)
    """
    plain = text.rstrip("=")
    digits = sum(char.isdigit() for char in plain)
    kinds = any(char.islower() for char in plain) and any(char.isupper() for char in plain) and digits > 1
    if not kinds or max(map(len, re.split(r"[/_+-]", plain))) < 16:
        return False
    changes = sum(_kind(plain[at]) != _kind(plain[at - 1]) for at in range(1, len(plain)))
    if changes * 100 < 30 * len(plain):
        return False
    size = len(plain)
    return -sum(plain.count(char) / size * math.log2(plain.count(char) / size) for char in set(plain)) > 3.8


def _kind(char: str) -> int:
    return 0 if char.islower() else 1 if char.isupper() else 2


def _is_public(domain: str) -> bool:
    lowered = domain.lower()
    return any(lowered == one or lowered.endswith("." + one) for one in names.PUBLIC_DOMAINS)
