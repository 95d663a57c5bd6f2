"""What a word could be, by its own make: an address, an identity, a key, a name where one must stand."""

from __future__ import annotations

import itertools
import math
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Found = tuple[str, str, str]
"""Class, value, and the word before it."""

_HEX = frozenset("0123456789abcdefABCDEF")
_CUT = str.maketrans(dict.fromkeys("\t\"'<>()[]{},;|=&`!#*?$\\/\r\x00", " "))
_SECRET = ("password", "passwd", "passphrase", "token", "secret", "psk", "apikey", "api_key", "api-key", "private_key")
_KEYS = ("AAAA", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "AKIA", "eyJ")
_LOCAL = (".lan", ".local", ".internal", ".intranet", ".home", ".corp", ".localdomain", ".fritz.box", ".home.arpa")
_UNITS = (
    "service",
    "socket",
    "mount",
    "target",
    "slice",
    "device",
    "timer",
    "path",
    "scope",
    "swap",
    "conf",
    "automount",
)
_NETWORKS = [ip_network(one) for one in ("198.18.0.0/15", "2001:db8::/32", "0.0.0.0/8", "255.0.0.0/8")]
_STAND_INS = (
    "host-",
    "user-",
    "net-",
    "vm-",
    "note-",
    "snapshot-",
    "tag-",
    "smbios-",
    "path-",
    "ssid-",
    "map-",
    "mail-",
)
_NO_SERIAL = ("8250", "sn-", "redacted", "none", "not", "n/a", "default", "to")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EMPTY = frozenset("*.x<>-_")


def is_stand_in(word: str) -> bool:
    """Whether the redactor wrote it, by docs/privacy.md.

    >>> is_stand_in("host-3fa2c1"), is_stand_in("host-zeus"), is_stand_in("REDACTED-0123abcd")
    (True, False, True)
    """
    lowered = word.lower()
    head = next((start for start in _STAND_INS if lowered.startswith(start)), "")
    tail = lowered[len(head) : len(head) + 6]
    named = bool(head) and len(tail) == 6 and set(tail) <= _HEX
    marked = lowered.startswith(
        ("facade", "fa-ca-de", "fa:ca:de", "02face", "02:fa:ce", "02-fa-ce", "fa7d-", "redacted")
    )
    number = lowered.startswith("sn-") and len(lowered) > 8 and set(lowered[3:]) <= _HEX
    return named or marked or number or lowered.startswith(("vol_", "label_"))


def of_line(name: str, line: str) -> Iterator[Found]:
    """What the words of `line` could be; `name` is the file's."""
    words = line.translate(_CUT).split()
    before = ""
    for word in words:
        for kind, value in _of_word(word):
            yield kind, value, before
        before = word
    yield from _announced(line)
    yield from _places(words, line)


def _of_word(word: str) -> Iterator[tuple[str, str]]:
    bare = word.strip(".:")
    if not is_stand_in(bare):
        if "@" in bare:
            yield from _mail(bare)
        yield from _key(word)
    for part in bare.split("@"):
        yield from _pairs(part)
        yield from _address(part)
        if "-" in part:
            yield from _identity(part)
        if len(part) == 32 and set(part) <= _HEX and not part.lower().startswith("facade") and len(set(part)) > 2:
            yield "uuid", part
    if bare[:3] in ("enx", "wlx", "wwx") and len(bare) == 15 and set(bare[3:]) <= _HEX and bare[3:9] != "02face":
        yield "mac", bare
    for head in ("wwn-0x", "eui.", "naa."):
        _, found, digits = bare.rpartition(head)
        if found and len(digits) >= 16 and set(digits[:16]) <= _HEX and not digits.startswith("facade"):
            yield "wwn", digits
    if bare.lower().endswith(_LOCAL) and bare.count(".") < 6 and not bare.startswith((".", "rc.", "boot.", "after.")):
        host = bare.split(".")[0]
        if host and not is_stand_in(host) and host.replace("-", "").isalnum():
            yield "host", bare


def _mail(word: str) -> Iterator[tuple[str, str]]:
    box, _, domain = word.rpartition("@")
    ending = domain.rpartition(".")[2]
    shaped = box and "." in domain and ending.isalpha() and len(ending) > 1 and ending not in _UNITS
    if shaped and not is_stand_in(box) and not domain.endswith("example") and not domain.startswith("host-"):
        yield "email", word


def _key(word: str) -> Iterator[tuple[str, str]]:
    if (word.startswith(_KEYS) and len(word) > 20 and word.replace("-", "").replace("_", "").isalnum()) or _wireguard(
        word
    ):
        yield "key", word
    elif len(word) >= 28 and _entropy(word) > 4.2 and _mixed(word):
        yield "random", word


def _wireguard(word: str) -> bool:
    return len(word) == 43 and _mixed(word) and word.replace("+", "").isalnum()


def _mixed(word: str) -> bool:
    """Capitals, small letters and digits, all through one another, in one run."""
    if not word.isascii() or not word.replace("+", "").isalnum():
        return False
    kinds = ["a" if c.islower() else "A" if c.isupper() else "0" for c in word]
    turns = sum(a != b for a, b in itertools.pairwise(kinds))
    return len(set(kinds)) == 3 and turns * 3 > len(word)


def _entropy(word: str) -> float:
    return -sum(word.count(c) / len(word) * math.log2(word.count(c) / len(word)) for c in set(word))


def _pairs(word: str) -> Iterator[tuple[str, str]]:
    for sep in ":-":
        pairs = word.split(sep)
        count = len(pairs)
        if count not in (6, 7, 8) or any(len(pair) != 2 or not set(pair) <= _HEX for pair in pairs):
            continue
        lowered = [pair.lower() for pair in pairs]
        if count == 7 and (sep == ":" or lowered[0] != "01"):
            continue  # a command of ATA
        own = lowered[-6:][:3] == ["02", "fa", "ce"] or lowered[:3] == ["fa", "ca", "de"]
        if not own and len(set(lowered)) > 1:
            yield ("wwn" if count == 8 else "mac"), word


def _address(word: str) -> Iterator[tuple[str, str]]:
    plain = word.split("%")[0]
    if plain.count(".") == 3 and ":" in plain:
        plain = plain.split(":")[0]
    parts = plain.split("-") if plain.count(".") >= 3 else [plain]
    for at, part in enumerate(parts):
        if at and parts[at - 1].isdigit():
            continue  # a port behind hubs: 1-2.4.2.3
        if part.count(".") != 3 and part.count(":") < 2:
            continue
        try:
            address = ip_address(part)
        except ValueError:
            continue
        if address.is_loopback or address.is_unspecified or any(_in(address, network) for network in _NETWORKS):
            continue
        if isinstance(address, IPv6Address) and len([group for group in part.split(":") if group]) < 2:
            continue
        yield "ip", part


def _in(address: IPv4Address | IPv6Address, network: object) -> bool:
    return getattr(network, "version", 0) == address.version and address in network  # type: ignore[operator]


def _identity(word: str) -> Iterator[tuple[str, str]]:
    parts = word.split("-")
    for at in range(len(parts) - 4):
        five = parts[at : at + 5]
        ends = five[0][-8:], five[4][:12]
        sizes = [len(ends[0]), *map(len, five[1:4]), len(ends[1])]
        shaped = sizes == [8, 4, 4, 4, 12] and all(set(part) <= _HEX for part in (*ends, *five[1:4]))
        if shaped and not ends[0].lower().startswith("facade"):
            yield "uuid", "-".join((ends[0], *five[1:4], ends[1])).lower()
    sizes = [len(part) for part in parts[:7]]
    if (
        sizes == [6, 4, 4, 4, 4, 4, 6]
        and word.replace("-", "").isalnum()
        and parts[0] != "facade"
        and _mixed_case(word)
    ):
        yield "uuid", word


def _mixed_case(word: str) -> bool:
    return any(c.isupper() for c in word) and any(c.isdigit() for c in word) and any(c.islower() for c in word)


def _announced(line: str) -> Iterator[Found]:
    """What a word before `=` or `:` says that it is."""
    for at, char in enumerate(line):
        if char not in "=:":
            continue
        name = line[max(at - 40, 0) : at].rstrip(" \t\"'").lower()
        rest = line[at + 1 : at + 200].lstrip(" \t\"'")
        value = rest.split('"')[0].split("'")[0].split(",")[0].split(" ")[0].strip()
        if not value or is_stand_in(value):
            continue
        nothing = set(value) <= _EMPTY or value.startswith(("{", "$", "/")) or (value.isdigit() and len(value) < 4)
        if name.endswith(_SECRET) and not nothing:
            yield "secret", value, ""
        last = name.replace("_", " ").replace("-", " ").split()[-2:]
        said = bool(last) and (
            last[-1] in ("serial", "serialnumber", "serialno") or last in (["serial", "number"], ["serial", "short"])
        )
        if said or name.endswith("asset tag"):
            plain = (
                _is_controller(value)
                or value.lower().startswith(_NO_SERIAL)
                or len(value) < 5
                or not any(c.isdigit() for c in value)
            )
            if not plain and not (char == ":" and value.isdigit() and len(value) < 6):
                yield "serial", value, ""
        if last and last[-1] in ("ssid", "essid"):
            yield "ssid", value, ""


def _is_controller(value: str) -> bool:
    """Whether a serial number is the address or the name of a USB host controller: the kernel gives it that."""
    fields = value.replace(".", ":").split(":")
    address = [len(field) for field in fields] == [4, 2, 2, 1] and all(set(field) <= _HEX for field in fields)
    return address or "hcd" in value or "hdrc" in value or "udc" in value


def _places(words: list[str], line: str) -> Iterator[Found]:
    """Names, where one must stand: in a folder's path, a prompt, a log's line, what uname prints."""
    for folder in ("/home/", "/Users/"):
        at = line.find(folder)
        if at >= 0:
            user = "".join(c if c.isalnum() or c in "._-" else " " for c in line[at + len(folder) :]).split(" ")[0]
            if user and not is_stand_in(user):
                yield "user", user, ""
    head = line.lstrip(" >*|`[").split(" ")[0]
    box, at_sign, rest = head.partition("@")
    prompt = at_sign and (":" in rest or line.startswith("[")) and any(mark in line for mark in ("# ", "$ ", "#", "$"))
    if prompt and box.replace("-", "").replace("_", "").isalnum() and len(box) < 33:
        host = rest.split(":")[0].rstrip("]")
        if host and not is_stand_in(host) and host.replace("-", "").replace(".", "").isalnum():
            yield "host", host, ""
        if not is_stand_in(box):
            yield "user", box, ""
    host = _of_log(line.split(" "))
    if host and not host.endswith(":") and not is_stand_in(host):
        yield "host", host, ""
    uname = len(words) > 3 and words[0] == "Linux" and words[2][:1].isdigit() and words[2].count(".") >= 1
    if uname and words[1] != "version" and not is_stand_in(words[1]):
        yield "host", words[1], ""


def _of_log(fields: list[str]) -> str:
    """The host in a line of syslog or journalctl; nothing if it is none."""
    fields = [field for field in fields[:6] if field]
    if len(fields) > 4 and fields[0] in _MONTHS and fields[2].count(":") == 2 and fields[4].endswith(":"):
        return fields[3]
    stamp = fields[0] if fields else ""
    if len(fields) > 2 and stamp[:4].isdigit() and stamp[4:5] == "-" and "T" in stamp and fields[2].endswith(":"):
        return fields[1]
    return ""


def of_whole(name: str, lines: list[str]) -> Iterator[tuple[int, str, str, str, str]]:
    """What only the file as a whole tells: a key's body, a host's name, a VM's names and notes."""
    inside = False
    for number, line in enumerate(lines, 1):
        if line.startswith(("-----BEGIN ", "-----END ")):
            inside = line.startswith("-----BEGIN ")
        elif inside and line.strip() not in ("", "REDACTED"):
            yield number, "key", line.strip(), "", line
    first = lines[0].strip() if lines else ""
    if name.endswith(("kernel/hostname", "etc/hostname")) and first and not is_stand_in(first):
        yield 1, "host", first, "", first
    if "qemu-server/" in name and name.endswith(".conf"):
        for number, line in enumerate(lines, 1):
            key, _, value = line.partition(":")
            note = (
                line[1:].strip()
                if line.startswith("#")
                else value.strip()
                if key in ("name", "description", "tags")
                else ""
            )
            if note and not is_stand_in(note):
                yield number, "vm", note, "", line
    if "libvirt/qemu/" in name or any("<domain" in line for line in lines[:10]):
        for number, line in enumerate(lines, 1):
            for tag in ("name", "title", "description"):
                value = line.partition(f"<{tag}>")[2].partition("<")[0].strip()
                if value and not is_stand_in(value) and not value.startswith(("pci_", "default")):
                    yield number, "vm", value, "", line


def of_config_space(data: bytes) -> Iterator[tuple[str, str]]:
    """The serial number of a PCI Express device, if it is the device's own."""
    at, seen = 0x100, 0
    while 0x100 <= at <= len(data) - 12 and seen < 100:
        kind = data[at] | data[at + 1] << 8
        number = data[at + 4 : at + 12][::-1].hex()
        if kind == 3 and not number.startswith("facade") and len(set(number)) > 1:
            yield "serial", number
        at = (data[at + 3] << 4 | data[at + 2] >> 4) & 0xFFC
        seen += 1
