"""Redacts a collection's entries: which of them are private, and those that are no plain text."""

import re
from typing import TYPE_CHECKING, Dict, Match

from .catalogue import item_for
from .model import Entry

if TYPE_CHECKING:
    from .redact import Redactor

__all__ = ["config_space", "domain_xml", "redact_entries", "vm_config"]

_SERIAL_CAPABILITY = 0x0003  # PCI Express Base Specification, Device Serial Number Extended Capability
_VM_LINE = re.compile(r"^(?P<key>name|parent|tags):(?P<gap>[ \t]*)(?P<value>[^\r\n]+)")
_VM_SECTION = re.compile(r"^\[(?P<value>[^\]\r\n]+)\]")
_VM_BASE64 = re.compile(r"(?<=[,: ])(sku|serial|family|product|version|manufacturer)=([^,\s]{1,512})")

_DOMAINS = "etc/libvirt/qemu/"
_DOMAIN_FILE = re.compile(r"[^/\n]{1,255}(?=\.xml(?:\n|$))")
_DOMAIN_KINDS = {"name": "vm", "serial": "serial", "entry": "smbios", "nvram": "path"}
_DOMAIN_TEXT = re.compile(
    r"(?P<head><(?P<tag>name|title|description|serial|entry|nvram)(?:\s[^<>]{0,300})?>)(?P<value>[^<]{1,65536})<"
)
_DOMAIN_EDIT = re.compile(r"(?<=virsh edit )[^\r\n]{1,255}")
_DOMAIN_SOURCE = re.compile(r"<(?:source|backingStore|master|log)\s[^<>]{1,2000}>")
_DOMAIN_PATH = re.compile(r"(?P<head>\s(?:file|dev|dir|path|pool|volume|name)=['\"])(?P<value>[^'\"]{1,1000})")


def redact_entries(entries: Dict[str, Entry], redactor: "Redactor") -> Dict[str, Entry]:
    """Return ENTRIES with private values replaced by REDACTOR, in names of files as well."""
    modules = entries.get("sys/module/")
    if modules is not None:
        redactor.keep(_decode(modules.data).split())
    for entry in entries.values():
        if entry.path == "proc/sys/kernel/hostname":
            redactor.learn_host(_decode(entry.data).strip())
        elif _is_private(entry):
            redactor.learn(_decode(entry.data))
    redacted = {}
    for entry in entries.values():
        new = _redacted(entry, redactor)
        redacted[new.path] = new
    return redacted


def _is_private(entry: Entry) -> bool:
    if entry.path.startswith(("sys/class/net/", "sys/class/block/")):
        return True
    if entry.path.startswith(("sys/", "dev/")):
        return False
    item = item_for(entry.path)
    # Names in a listing of drop-ins are their authors' own; so is all that the catalogue does not know.
    return item is None or item.privacy != "none" or entry.path.endswith("/") or entry.how == "link"


def _redacted(entry: Entry, redactor: "Redactor") -> Entry:
    if entry.path.startswith("sys/bus/pci/") and entry.path.endswith("/config"):
        return entry._replace(data=config_space(entry.data, redactor))
    if not _is_private(entry):
        return entry
    path = entry.path if entry.path.startswith("cmd/") else redactor.text(entry.path)
    text = _decode(entry.data)
    if entry.path.startswith(_DOMAINS):
        path = _DOMAINS + _DOMAIN_FILE.sub(lambda match: redactor.name("vm", match[0]), entry.path[len(_DOMAINS) :])
        text = _DOMAIN_FILE.sub(lambda match: redactor.name("vm", match[0]), text) if path.endswith("/") else text
    if entry.path == "proc/sys/kernel/hostname":
        text = redactor.name("host", text.strip()) + "\n" if text.strip() else text
    elif entry.path.startswith("etc/pve/qemu-server/"):
        text = redactor.text(vm_config(text, redactor))
    elif entry.path.startswith(_DOMAINS) and path.endswith(".xml"):
        text = redactor.text(domain_xml(text, redactor))
    else:
        text = redactor.text(text)
    return entry._replace(path=path, data=text.encode("utf-8", "surrogateescape"))


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def vm_config(data: str, redactor: "Redactor") -> str:
    """Return a Proxmox VM's configuration DATA without its names, notes, and SMBIOS texts (man qm.conf)."""
    lines = []
    for line in data.splitlines(True):
        body = line.rstrip("\r\n")
        end = line[len(body) :]
        named, section = _VM_LINE.match(body), _VM_SECTION.match(body)
        if body.startswith("#"):
            body = "# " + redactor.name("note", body[1:].strip()) if body[1:].strip() else body
        elif named:
            kind = {"name": "vm", "parent": "snapshot", "tags": "tag"}[named["key"]]
            body = "{}:{}{}".format(named["key"], named["gap"], redactor.name(kind, named["value"].strip()))
        elif section and section["value"] != "PENDING" and not section["value"].startswith("special:"):
            body = "[" + redactor.name("snapshot", section["value"]) + "]"
        elif body.startswith("smbios1:"):
            body = _VM_BASE64.sub(lambda match: match[1] + "=" + redactor.name("smbios", match[2]), body)
        lines.append(body + end)
    return "".join(lines)


def domain_xml(data: str, redactor: "Redactor") -> str:
    """Return a libvirt domain's XML DATA without names, notes, serial numbers, and paths of its disks."""

    def element(match: Match[str]) -> str:
        kind = _DOMAIN_KINDS.get(match["tag"], "note")
        lines = match["value"].split("\n")
        return match["head"] + "\n".join(redactor.name(kind, one) if one.strip() else one for one in lines) + "<"

    def source(match: Match[str]) -> str:
        return _DOMAIN_PATH.sub(lambda found: found["head"] + redactor.name("path", found["value"]), match[0])

    data = _DOMAIN_EDIT.sub(lambda match: redactor.name("vm", match[0].strip()), data)
    return _DOMAIN_SOURCE.sub(source, _DOMAIN_TEXT.sub(element, data))


def config_space(data: bytes, redactor: "Redactor") -> bytes:
    """Return a PCI function's config space DATA with its Device Serial Number replaced.

    The number is often the MAC address of a network card. Extended capabilities form a list from 0x100 on:
    id in bits 0-15, next offset in bits 20-31 (PCI Express Base Specification, section 7.6.3).
    """
    at, seen = 0x100, 0
    while 0x100 <= at <= len(data) - 12 and seen < 960:
        header = int.from_bytes(data[at : at + 4], "little")
        if header & 0xFFFF == _SERIAL_CAPABILITY:
            number = data[at + 4 : at + 12]
            if number.strip(b"\0") and number.strip(b"\xff"):
                new = bytes.fromhex(redactor.name("serial", number.hex()).rpartition("-")[2].ljust(16, "0"))
                data = data[: at + 4] + new + data[at + 12 :]
        at = (header >> 20) & 0xFFC
        seen += 1
    return data
