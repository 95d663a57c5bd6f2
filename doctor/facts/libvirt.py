"""libvirt domains: the host's PCI devices that an XML description gives to a guest.

Source: libvirt, docs/formatdomain (`<hostdev type='pci'>`, `<interface type='hostdev'>`, `<disk type='nvme'>`,
`<qemu:commandline>`). libvirt binds a device itself where it says `managed='yes'`; "if omitted or 'no'", somebody
else must have done it.

The text is wrapped in an element of ours before the XML parser sees it, so that a fragment parses as well as a
whole domain, and a document type (the only place where entities can be declared) is a syntax error.

>>> piece = Piece("cmd/virsh-dumpxml", '''<domain type='kvm'><name>win</name>
... <os><type machine='pc-q35-8.2'>hvm</type></os><devices>
... <hostdev mode='subsystem' type='pci' managed='yes'><source>
... <address domain='0x0000' bus='0x01' slot='0x00' function='0x1'/></source></hostdev></devices></domain>''', "p")
>>> (domain,) = read(piece)
>>> domain.name, domain.machine[0], domain.devices
('win', 'pc-q35-8.2', [Hostdev(address='0000:01:00.1', managed=True, key='hostdev', row=3)])
"""

from __future__ import annotations

import re
from xml.parsers import expat

from doctor.evidence.types import Piece
from doctor.later import later
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_DECLARATION = later(r"\s*<\?xml[^>]{0,200}\?>")
_NUMBER = later(r"0x[0-9a-fA-F]{1,8}|\d{1,8}")
_VFIO = later(r"(?:^|,)host=((?:[0-9a-fA-F]{4,6}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7])(?:,|$)")
_CARRIERS = {"hostdev": "hostdev", "interface": "interface of type hostdev", "disk": "disk of type nvme"}
_DEEP = 64  # no domain nests deeper; a stranger's text may


class Hostdev(NamedTuple):
    """A PCI device in a domain: its full address, whether libvirt binds it, what names it, the row (line from 0)."""

    address: str
    managed: bool
    key: str
    row: int


class Domain(NamedTuple):
    """A domain, or a fragment of one. `machine` and `loader` are a value with its line, or None."""

    name: str | None
    devices: list[Hostdev]
    machine: tuple[str, int] | None
    loader: tuple[str, int] | None
    whole: bool


def read(piece: Piece) -> list[Domain]:
    """The domains of a text, those without host devices too; a broken text gives what stands before the break,
    and line by line what stands behind it."""
    reader = _Reader()
    text = _DECLARATION.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), piece.text, count=1)
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.words
    reader.line = lambda: parser.CurrentLineNumber - 1
    try:
        parser.Parse("<passdoctor>" + text + "</passdoctor>", True)
    except (expat.ExpatError, RecursionError, ValueError):
        seen = {(device.address, device.row) for domain in reader.domains for device in domain.devices}
        reader.finish(False)
        rest = [device for device in _by_line(text) if (device.address, device.row) not in seen]
        known = {device.address for domain in reader.domains for device in domain.devices}
        rest = [device for device in rest if device.address not in known]
        if rest:
            reader.domains.append(Domain(None, rest, None, None, False))
    else:
        reader.finish(False)
    return reader.domains


class _Reader:
    """Gathers domains from a parser's events."""

    def __init__(self) -> None:
        self.domains: list[Domain] = []
        self.line: Callable[[], int] = lambda: 0
        self._path: list[str] = []
        self._devices: list[Hostdev] = []
        self._carrier: tuple[str, bool] | None = None
        self._name: str | None = None
        self._machine: tuple[str, int] | None = None
        self._loader: tuple[str, int] | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        self._path.append(tag)
        if len(self._path) > _DEEP:
            raise ValueError("too deep")
        if tag == "domain":
            self.finish(False)
        elif tag in _CARRIERS and attributes.get("type", "pci") in ("pci", "hostdev", "nvme"):
            self._carrier = (_CARRIERS[tag], attributes.get("managed") == "yes")
        elif tag == "source" and self._carrier and attributes.get("managed") == "yes":
            self._carrier = (self._carrier[0], True)  # <disk type='nvme'> says it here
        elif tag == "address" and self._carrier and self._path[-2:-1] == ["source"]:
            self._address(attributes)
        elif tag == "type" and self._path[-2:-1] == ["os"] and attributes.get("machine"):
            self._machine = (attributes["machine"], self.line())
        elif tag == "os" and attributes.get("firmware"):
            self._loader = ("ovmf" if attributes["firmware"] == "efi" else "seabios", self.line())
        elif tag == "loader" and attributes.get("type") == "pflash":
            self._loader = ("ovmf", self.line())
        elif tag.endswith(":arg"):
            for found in _VFIO.finditer(attributes.get("value", "")):
                self._devices.append(Hostdev(_full(found.group(1)), False, "qemu:commandline", self.line()))

    def words(self, data: str) -> None:
        """Text inside an element."""
        if self._path[-2:] == ["domain", "name"]:
            self._name = (self._name or "") + data

    def end(self, tag: str) -> None:
        """An element ends."""
        self._path.pop()
        if tag in _CARRIERS:
            self._carrier = None
        elif tag == "domain":
            self.finish(True)

    def finish(self, whole: bool) -> None:
        """The present domain, or the fragment outside any, is complete."""
        if whole or self._devices:
            self.domains.append(Domain(self._name, self._devices, self._machine, self._loader, whole))
        self._devices, self._name, self._machine, self._loader = [], None, None, None

    def _address(self, attributes: dict[str, str]) -> None:
        if self._carrier is not None and attributes.get("type", "pci") == "pci":
            address = _joined(attributes)
            if address is not None:
                self._devices.append(Hostdev(address, self._carrier[1], self._carrier[0], self.line()))


def _joined(attributes: dict[str, str]) -> str | None:
    """The address that `<address domain= bus= slot= function=/>` means; None if it means none.

    >>> _joined({"bus": "0x0a", "slot": "0", "function": "0x1"}), _joined({"bus": "0x100", "slot": "0"})
    ('0000:0a:00.1', None)
    """
    texts = [attributes.get(key, "0") for key in ("domain", "bus", "slot", "function")]
    if "bus" not in attributes or not all(_NUMBER.fullmatch(text) for text in texts):
        return None
    domain, bus, slot, function = (int(text, 16 if text.startswith("0x") else 10) for text in texts)
    if domain > 0xFFFFFF or bus > 0xFF or slot > 0x1F or function > 7:
        return None
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function}"


def _full(address: str) -> str:
    address = address.lower()
    return address if address.count(":") == 2 else "0000:" + address


_ATTRIBUTE = later(r"([a-z]{3,8})\s{0,3}=\s{0,3}['\"]([^'\"]{1,40})['\"]")


def _by_line(text: str) -> list[Hostdev]:
    """The host devices of a text that is no XML, told by the elements' names, one element a line."""
    found: list[Hostdev] = []
    hostdev = source = managed = False
    for index, line in enumerate(text.splitlines()):
        if "<hostdev" in line:
            hostdev, managed = True, "yes" in line.partition("managed=")[2][:5]
        source = (source or "<source" in line) and hostdev
        if source and "<address" in line:
            address = _joined(dict(_ATTRIBUTE.findall(line.partition("<address")[2][:300])))
            if address is not None:
                found.append(Hostdev(address, managed, "hostdev", index))
        if "</source" in line:
            source = False
        if "</hostdev" in line:
            hostdev = False
    return found
