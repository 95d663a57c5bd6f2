"""Redacts a collection's entries: what the kind of a file adds to what any text gets.

Files are told by the end of their path, so that those of other tools' archives are known as well.
"""

import binascii
import re
from typing import TYPE_CHECKING, Callable, Dict, Iterator, Match, Optional, Tuple

from . import redact_dumps
from .catalogue import ITEMS
from .model import Entry
from .redact_look import Look

if TYPE_CHECKING:
    from .redact import Redactor

__all__ = [
    "decoded",
    "domain_xml",
    "learn",
    "redact_data",
    "redact_entries",
    "redact_path",
    "vm_config",
]

_VM_LINE = Look(r"^(?P<key>name|parent|tags|description|searchdomain):(?P<gap>[ \t]*)(?P<value>[^\r\n]+)")
_VM_SECTION = Look(r"^\[(?P<value>[^\]\r\n]+)\]")
_VM_SMBIOS = Look(r"(?<=[,: ])(sku|serial|family|product|version|manufacturer)=([^,\s]{1,512})")
_VM_FILE = Look(r"(?m)^(?:hostpci\d|vmgenid|smbios1|scsihw|ostype|efidisk0): ")
_MAPPING = Look(r"(?m)(?P<head>mapping=|^)(?P<value>[A-Za-z][\w-]{0,63})(?=$|\r|,)")

_DOMAINS = "etc/libvirt/qemu/"
_DOMAIN_FILE = Look(r"[^/\n]{1,255}(?=\.xml(?:\n|$))")
_DOMAIN_KINDS = {"name": "vm", "serial": "serial", "entry": "smbios", "nvram": "path"}
_DOMAIN_TEXT = Look(
    r"(?P<head><(?P<tag>name|title|description|serial|entry|nvram)(?:\s[^<>]{0,300})?>)(?P<value>[^<]{1,65536})<"
)
_DOMAIN_EDIT = Look(r"(?<=virsh edit )[^\r\n]{1,255}")
_DOMAIN_SOURCE = Look(r"<(?:source|backingStore|master|log)\s[^<>]{1,2000}>")
_DOMAIN_PATH = Look(r"(?P<head>\s(?:file|dev|dir|path|pool|volume|name)=['\"])(?P<value>[^'\"]{1,1000})")
_KEPT_NAME = Look(r"(?:pci|usb|net|scsi|block|computer|drm|ccw|mdev)_?[\w-]{0,80}$|default$")

_HOSTS_LINE = Look(r"^(?P<head>[0-9A-Fa-f.:]{2,45}[ \t]+)(?P<value>[^#\r\n]+)")
_LIMITS_LINE = Look(r"^(?P<head>[ \t]*)(?P<value>[A-Za-z_][\w.-]{0,31})(?=[ \t]+(?:soft|hard|-)[ \t])")
_IDENTITY = (
    "_serial",
    "_uuid",
    "_asset_tag",
    "_sku",
    "/wwid",
    "/serial",
    "/unique_id",
    "/machine-id",
    "/hostid",
    "/address",
)
_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9]+")
_MODULE = Look(r"(?m)^\w{3,64}(?=$| \d)")

_NAMELESS = ("sys/bus/", "sys/kernel/", "sys/firmware/", "sys/module/", "sys/devices/", "sys/class/iommu/")
_PLAIN_NAMES = (*_NAMELESS, "cmd/", "proc/")
_NAMED = (*_IDENTITY, "/config", "/dm/name", "hostname")
_SHORT = 4096  # bytes of a text that is looked through with others
_NUMBERS = re.compile(rb"(?:(?:0x[0-9a-f]{1,16}|-?\d{1,10})\s{1,2}){0,60}")

Report = Dict[str, Dict[str, int]]
"""How many values of each class were replaced, by the path under which a file is shared."""


def redact_entries(entries: Dict[str, Entry], redactor: "Redactor") -> Tuple[Dict[str, Entry], Report]:
    """Return ENTRIES with private values replaced by REDACTOR, in names of files as well, and the report of it."""
    for path in ("sys/module/", "proc/modules"):
        if path in entries:
            redactor.keep(_MODULE.pattern.findall(_text(entries[path].data)))
    redactor.keep(word for item in ITEMS for word in _WORDS.findall(item.path + " " + " ".join(item.argv)))
    seen, lines = set(), []
    for path, entry in entries.items():
        if entry.data in seen or not _is_told(entry):
            continue
        seen.add(entry.data)
        if _is_line(entry.data) and not (_is_vm(path) or _DOMAINS in path or path.endswith("hostname")):
            lines += [_text(entry.data)] + ([] if path.startswith(_NAMELESS) else [path])
        else:
            learn(path, entry.data, redactor)
    redactor.learn_lines(lines)
    report: Report = {}
    known = redactor.learned()
    entries = _redact_all(entries, redactor, report)
    if redactor.learned() > known:  # a name that stood only in what was encoded
        entries = _redact_all(entries, redactor, report)
    return entries, report


def _redact_all(entries: Dict[str, Entry], redactor: "Redactor", report: Report) -> Dict[str, Entry]:
    redacted: Dict[str, Entry] = {}
    same: Dict[bytes, bytes] = {}
    redactor.look_over(_lines(entries))
    for entry in entries.values():
        before = dict(redactor.counts)
        new = _redacted(entry, redactor, same)
        redacted[new.path] = new
        counts = {kind: count - before.get(kind, 0) for kind, count in redactor.counts.items()}
        told = report.pop(entry.path, {})
        counts = {kind: counts.get(kind, 0) + told.get(kind, 0) for kind in sorted({*counts, *told})}
        counts = {kind: count for kind, count in counts.items() if count}
        if counts:
            report[new.path] = counts
    return redacted


def _lines(entries: Dict[str, Entry]) -> Iterator[str]:
    """The names, reasons and contents of ENTRIES that will be redacted as any text."""
    for path, entry in entries.items():
        if not path.startswith(_PLAIN_NAMES) and _DOMAINS not in path:
            yield path
        if entry.reason:
            yield entry.reason
        if _is_line(entry.data) and not path.endswith(_NAMED):
            yield _text(entry.data)


def _is_line(data: bytes) -> bool:
    return len(data) < _SHORT and b"\n" not in data[:-1]


def _is_told(entry: Entry) -> bool:
    """Whether names may be learned from ENTRY: thousands of numbers in sysfs tell none."""
    if entry.path.startswith(_NAMELESS):
        return len(entry.data) > 12 and not entry.path.endswith("/config") and not _NUMBERS.fullmatch(entry.data)
    return len(entry.data) > 3


def _redacted(entry: Entry, redactor: "Redactor", same: Dict[bytes, bytes]) -> Entry:
    path = redact_path(entry.path, redactor)
    reason = redactor.text(entry.reason) if entry.reason and not entry.reason.startswith("only ") else entry.reason
    if entry.path.startswith(_NAMELESS) and not entry.path.endswith(("/config",) + _IDENTITY):
        # Thousands of them hold the same few words and numbers.
        if entry.data not in same:
            plain = _NUMBERS.fullmatch(entry.data) is not None
            same[entry.data] = entry.data if plain else redact_data(entry.path, entry.data, redactor)
        data = same[entry.data]
    else:
        data = redact_data(entry.path, entry.data, redactor)
    return entry._replace(path=path, data=data, reason=reason)


def redact_path(path: str, redactor: "Redactor") -> str:
    """Return PATH, of a file in a collection or an archive, with private values in it replaced."""
    if path.startswith(_PLAIN_NAMES):
        return path
    folder, domains, rest = path.rpartition(_DOMAINS)
    if domains:
        rest = _DOMAIN_FILE.pattern.sub(lambda match: redactor.name("vm", match.group()), rest)
        return redactor.text(folder) + domains + rest if folder else domains + rest
    return redactor.text(path)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def decoded(data: bytes) -> Tuple[Optional[str], Callable[[str], bytes]]:
    """Return the text in DATA, None if it is no text, and what makes bytes of it again."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _wide(data[2:], "utf-16-le" if data[0] == 0xFF else "utf-16-be", data[:2])
    if b"\0" in data:
        text = data.replace(b"\0", b"")
        shown = sum(31 < byte < 127 or byte in b"\t\r\n" for byte in text[:4096])
        if shown * 100 < 97 * len(text[:4096]) or len(text) < 8:
            return None, _bytes
        if len(text) * 100 < 55 * len(data) and data[1::2].count(0) * 100 > 47 * len(data):
            return _wide(data, "utf-16-le")
        if len(text) * 100 < 55 * len(data) and data[::2].count(0) * 100 > 47 * len(data):
            return _wide(data, "utf-16-be")
    return _text(data), _bytes


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _wide(data: bytes, encoding: str, mark: bytes = b"") -> Tuple[str, Callable[[str], bytes]]:
    return data.decode(encoding, "replace"), lambda text: mark + text.encode(encoding, "replace")


def learn(path: str, data: bytes, redactor: "Redactor") -> None:
    """Let REDACTOR learn the names in the file PATH, whose content is DATA."""
    text, _ = decoded(data)
    if not path.startswith(_NAMELESS):
        redactor.learn(path)
    if text is None:
        return
    if path.endswith(("kernel/hostname", "etc/hostname")):
        redactor.learn_host(text.strip())
    elif _is_vm(path):
        for line in text.splitlines():
            named = _VM_LINE.pattern.match(line)
            if named and named.group("key") in ("name", "parent"):
                redactor.learn_name("vm", named.group("value"))
    if _DOMAINS in path or "<domain" in text[:4096]:
        for name in _DOMAIN_FILE.pattern.findall(path + "\n" + text if path.endswith("/") else path):
            redactor.learn_name("vm", name)
        for match in _DOMAIN_TEXT.pattern.finditer(text):
            if match.group("tag") == "name" and not _KEPT_NAME.pattern.match(match.group("value")):
                redactor.learn_name("vm", match.group("value"))
    redactor.learn(text)


def redact_data(path: str, data: bytes, redactor: "Redactor") -> bytes:
    """Return DATA, the content of the file PATH, with private values replaced by REDACTOR."""
    if path.endswith("/config") and (len(data) in (64, 256, 4096) or b"\0" in data):
        return redact_dumps.config_space(data, redactor)
    text, encode = decoded(data)
    if text is None:
        return redact_dumps.binary(data, redactor)
    new = _by_kind(path, text, redactor)
    return data if new == text else encode(new)


def _by_kind(path: str, text: str, redactor: "Redactor") -> str:
    plain = text.strip()
    if path.endswith(("kernel/hostname", "etc/hostname")) and plain and "\n" not in plain:
        return text.replace(plain, redactor.name("host", plain))
    if path.endswith(_IDENTITY) and "\n" not in plain and plain:
        return _identity(text, plain, redactor)
    if path.endswith("/dm/name") and plain and "\n" not in plain:
        text = text.replace(plain, redactor.volume("dm", redactor.plain(plain)))
    elif path.endswith("etc/hosts"):
        text = "".join(_hosts(line, redactor) for line in text.splitlines(True))
    elif "etc/security/limits" in path:
        user = lambda match: match.group("head") + redactor.name("user", match.group("value"))  # noqa: E731
        text = "".join(_LIMITS_LINE.pattern.sub(user, line) for line in text.splitlines(True))
    elif path.endswith("mapping/pci.cfg"):
        text = _mapped(text, redactor)
    elif path.endswith("/") and path.endswith(_DOMAINS + path.rpartition(_DOMAINS)[2]) and _DOMAINS in path:
        text = _DOMAIN_FILE.pattern.sub(lambda match: redactor.name("vm", match.group()), text)
    if _is_vm(path) or _VM_FILE.pattern.search(text):
        text = vm_config(text, redactor, notes=_is_vm(path))
    if "<domain" in text:
        text = domain_xml(text, redactor)
    return redactor.text(text)


def _is_vm(path: str) -> bool:
    return "qemu-server/" in path and path.endswith(".conf")


def _identity(text: str, plain: str, redactor: "Redactor") -> str:
    new = redactor.text(text)
    ordinary = len(plain) < 4 or plain.lower().startswith(("not ", "to be ", "default", "none", "00:00:00"))
    return text.replace(plain, redactor.serial(plain)) if new == text and not ordinary and "-" not in plain[:3] else new


def _hosts(line: str, redactor: "Redactor") -> str:
    match = _HOSTS_LINE.pattern.match(line)
    if match is None:
        return line
    new = match.group("value")
    for name in set(new.split()):
        if not name.lower().startswith(("localhost", "ip6-", "broadcasthost")):
            redactor.learn_host(name)
            new = re.sub(r"(?<!\S)" + re.escape(name) + r"(?!\S)", redactor.name("host", name), new)
    return line.replace(match.group("value"), new)


def _mapped(text: str, redactor: "Redactor") -> str:
    return _MAPPING.pattern.sub(lambda match: match.group("head") + redactor.name("map", match.group("value")), text)


def vm_config(data: str, redactor: "Redactor", notes: bool = True) -> str:
    """Return a Proxmox VM's configuration DATA without its names, notes, and SMBIOS texts (man qm.conf)."""
    lines = []
    for line in data.splitlines(True):
        body = line.rstrip("\r\n")
        end = line[len(body) :]
        named, section = _VM_LINE.pattern.match(body), _VM_SECTION.pattern.match(body)
        if body.startswith("#") and notes:
            body = "# " + redactor.name("note", body[1:].strip()) if body[1:].strip() else body
        elif named:
            kind = {"name": "vm", "parent": "snapshot", "tags": "tag", "searchdomain": "net"}.get(
                named.group("key"), "note"
            )
            value = redactor.name(kind, named.group("value").strip())
            body = "{}:{}{}".format(named.group("key"), named.group("gap"), value)
        elif (
            section
            and notes
            and section.group("value") != "PENDING"
            and not section.group("value").startswith("special:")
        ):
            body = "[" + redactor.name("snapshot", section.group("value")) + "]"
        elif body.startswith("smbios1:"):
            body = _smbios(body, redactor)
        elif body.startswith("hostpci") and "mapping=" in body:
            body = _mapped(body, redactor)
        lines.append(body + end)
    return "".join(lines)


def _smbios(line: str, redactor: "Redactor") -> str:
    coded = "base64=1" in line

    def one(match: Match[str]) -> str:
        plain = _from_base64(match.group(2)) if coded else match.group(2)
        new = redactor.name("smbios", plain)
        if new == plain:
            return match.group()
        return (
            match.group(1) + "=" + (binascii.b2a_base64(_bytes(new), newline=False).decode("ascii") if coded else new)
        )

    return _VM_SMBIOS.pattern.sub(one, line)


def _from_base64(value: str) -> str:
    import base64

    try:
        return base64.b64decode(value.encode("ascii", "replace"), validate=True).decode("utf-8")
    except ValueError:
        return value


def domain_xml(data: str, redactor: "Redactor") -> str:
    """Return a libvirt domain's XML DATA without names, notes, serial numbers, and paths of its disks."""

    def element(match: Match[str]) -> str:
        kind = _DOMAIN_KINDS.get(match.group("tag"), "note")
        if kind == "vm" and _KEPT_NAME.pattern.match(match.group("value")):
            return match.group()
        return (
            match.group("head")
            + "\n".join(_line(kind, one, redactor) for one in match.group("value").split("\n"))
            + "<"
        )

    def source(match: Match[str]) -> str:
        return _DOMAIN_PATH.pattern.sub(
            lambda found: found.group("head") + redactor.name("path", found.group("value")), match.group()
        )

    data = _DOMAIN_EDIT.pattern.sub(lambda match: redactor.name("vm", match.group().strip()), data)
    return _DOMAIN_SOURCE.pattern.sub(source, _DOMAIN_TEXT.pattern.sub(element, data))


def _line(kind: str, text: str, redactor: "Redactor") -> str:
    plain = text.strip()
    if not plain:
        return text
    new = redactor.text(plain) if kind == "serial" else plain
    new = (
        redactor.serial(plain)
        if kind == "serial" and new == plain and not plain.startswith("SN-")
        else redactor.name(kind, plain)
    )
    return text.replace(plain, new)
