"""Listings of PCI devices: lspci in its forms, and the scripts and tools that print groups beside it.

>>> text = '''01:00.0 VGA compatible controller [0300]: NVIDIA Corporation Device [10de:2d04] (rev a1)
...         Kernel driver in use: vfio-pci
... 01:00.1 Audio device [0403]: NVIDIA Corporation Device [10de:22eb] (rev a1)'''
>>> [(e.address, e.ids, e.class_, e.driver) for e in read(Piece("cmd/lspci-nnk", text))]
[('0000:01:00.0', '10de:2d04', '0300', 'vfio-pci'), ('0000:01:00.1', '10de:22eb', '0403', UNKNOWN)]
"""

from __future__ import annotations

import re

from doctor.evidence.types import WHOLE, Piece, Source
from doctor.facts.fact import UNKNOWN
from doctor.facts.messages import full_address
from doctor.later import later
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ADDRESS = later(r"(?<![0-9a-fA-F:.])((?:[0-9a-fA-F]{4,6}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7])(?![0-9a-fA-F:])")
_GROUP = later(r"(?:iommu[ _]?)?group:?\s{0,4}(\d{1,5})\b", re.IGNORECASE)
_IDS = later(r"\[([0-9a-fA-F]{4}):([0-9a-fA-F]{4})\]")
_PLAIN_IDS = later(r"^\s*([0-9a-fA-F]{4}):\s+([0-9a-fA-F]{4}:[0-9a-fA-F]{4})\b")
_CLASS = later(r"\[([0-9a-fA-F]{4})\]")
_REVISION = later(r"\(rev ?([0-9a-f]{2})\)")
_DRIVER = later(r"(?:Kernel driver in use|\bDriver):?\s+([\w-]{1,40})")
_MODULES = later(r"Kernel modules:\s+([\w, -]{1,200})")
_TYPES = (
    ("VGA", "0300"), ("3D controller", "0302"), ("Display controller", "0380"), ("Audio device", "0403"),
    ("Multimedia audio", "0401"), ("Multimedia video", "0400"), ("Multimedia controller", "0480"),
    ("Ethernet", "0200"), ("Network controller", "0280"), ("Infiniband", "0207"), ("PCI bridge", "0604"),
    ("Host bridge", "0600"), ("ISA bridge", "0601"), ("RAID bus", "0104"), ("SATA", "0106"),
    ("Serial Attached SCSI", "0107"), ("Non-Volatile", "0108"), ("NVM", "0108"), ("SCSI", "0100"), ("IDE", "0101"),
    ("USB controller", "0c03"), ("SMBus", "0c05"), ("Serial bus", "0c80"), ("FireWire", "0c00"),
    ("Communication", "0780"), ("Serial controller", "0700"), ("Signal processing", "1180"), ("Encryption", "1080"),
    ("Processing accelerators", "1200"), ("System peripheral", "0880"), ("RAM memory", "0500"), ("Bridge", "0680"),
    ("SD Host", "0805"), ("Non-Essential", "1300"), ("IOMMU", "0806"), ("Co-processor", "0b40"), ("Dummy", "1300"),
)  # fmt: skip


class Entry(NamedTuple):
    """What one listing says of one device. `driver` is UNKNOWN where the listing shows none for anybody."""

    address: str
    ids: str | None
    class_: str | None
    name: str | None
    driver: Any
    group: int | None
    revision: str | None
    modules: tuple[str, ...]
    source: Source
    driver_source: Source
    selected: bool  # the listing is somebody's selection of devices, not all of them


class _Open:
    """A device whose further lines are being read."""

    def __init__(self, address: str, text: str, group: int | None, source: Source) -> None:
        self.address, self.group, self.source, self.driver_source = address, group, source, source
        ids = _IDS.findall(text)
        plain = _PLAIN_IDS.match(text)
        self.ids: str | None = ":".join(ids[-1]).lower() if ids else plain.group(2).lower() if plain else None
        found = _CLASS.search(text)
        self.class_ = found.group(1).lower() if found else plain.group(1).lower() if plain else class_of(text)
        self.name = _name(text) if not plain else None
        revision = _REVISION.search(text)
        self.revision = revision.group(1) if revision else None
        self.driver: Any = UNKNOWN
        self.modules: tuple[str, ...] = ()
        self.settled = False  # a line that follows the driver's place was seen
        self.described = False  # lspci -k or -v printed its further lines
        self.keys: dict[str, str] | None = None  # what lspci -vmm says, where it is that format
        self.take(text, source)

    def take(self, text: str, source: Source) -> None:
        """A further line of the device."""
        driver = _DRIVER.search(text)
        if driver:
            self.driver, self.driver_source = driver.group(1), source
        modules = _MODULES.search(text)
        if text.lstrip().startswith("Subsystem:"):
            self.described = True
        if self.ids is None and self.keys is None and not self.described and text.rstrip()[-1:] in ")]":
            broken = _IDS.findall(text)  # the end of a line that a mail program broke
            self.ids = ":".join(broken[-1]).lower() if broken else None
        if modules:
            self.modules = tuple(word.strip() for word in modules.group(1).split(",") if word.strip())
            self.settled = True
        group = _GROUP.search(text) if self.group is None and "IOMMU group" in text else None
        if group:
            self.group = int(group.group(1))

    def take_key(self, text: str, source: Source) -> None:
        """A further line of lspci -vmm."""
        from doctor.facts.lspcimachine import keyed

        key, _colon, value = text.strip().partition(":")
        said = keyed(key, value)
        keys = self.keys = {**(self.keys or {}), **said}
        if "driver" in said:
            self.driver, self.driver_source = said["driver"], source
        if "module" in said:
            self.modules, self.settled = (*self.modules, said["module"]), True
        if "group" in said and said["group"].isdigit():
            self.group = int(said["group"][:5])
        self.revision = said.get("revision", self.revision)
        if "class" in said or "class_name" in said:
            self.class_ = keys.get("class") or class_of(keys.get("class_name", ""))
        if "device" in said and "vendor" in keys:
            self.ids = f"{keys['vendor']}:{keys['device']}"
        if key == "Device":
            named = " ".join(keys[part] for part in ("vendor_name", "device_name") if part in keys)
            self.name = named[:120] or None

    def entry(self, drivers_shown: bool, selected: bool, cut: bool) -> Entry:
        """The finished device; `cut`: a filter may have taken lines of it away."""
        driver = self.driver
        if driver is UNKNOWN and (self.settled or drivers_shown or (self.described and not cut)):
            driver = None
        return Entry(
            self.address, self.ids, self.class_, self.name, driver, self.group, self.revision, self.modules,
            self.source, self.driver_source, selected,
        )  # fmt: skip


def read(piece: Piece) -> list[Entry]:
    """The devices of a listing, in its order. Lines that are no device are passed over."""
    devices: list[_Open] = []
    header: int | None = None
    for index, line in enumerate(piece.text.splitlines()):
        if not line.strip():
            continue
        found = _ADDRESS.search(line[:80])
        machine = _machine(line, found) if found else None
        if machine is not None:
            devices.append(_Open(*machine, header, piece.cite(index, line.strip()[:300])))
            devices[-1].keys = {} if line.lstrip().startswith(("Slot:", "Device:")) else None
            continue
        if devices and devices[-1].keys is not None and not found:
            devices[-1].take_key(line, piece.cite(index, line.strip()[:300]))
            continue
        if found and _is_device(line, found):
            own = _GROUP.search(line[: found.start()])
            group = int(own.group(1)) if own else header
            rest = line[found.end() :]
            if own and "[" in line[own.end() : found.start()]:
                # Unraid's page names the group on its first device's line only.
                header = group
            lead = _IDS.findall(line[: found.start()])
            text = rest + (f" [{lead[0][0]}:{lead[0][1]}]" if lead and not _IDS.search(rest) else "")
            devices.append(_Open(full_address(found.group(1)), text, group, piece.cite(index, line.strip()[:300])))
            continue
        alone = _GROUP.search(line)
        if alone and len(line.strip()) < 30 and "Kernel" not in line and not line.strip().startswith("IOMMU group:"):
            header = int(alone.group(1))
        elif devices:
            devices[-1].take(line, piece.cite(index, line.strip()[:300]))
    selected = bool(piece.terms) or piece.state != WHOLE
    shown = _drivers_shown(piece)
    described = sum(1 for device in devices if device.described)
    # Without a command: where most devices have their further lines, all had them printed.
    shown = shown or (not piece.terms and described * 2 > len(devices) and "Kernel driver in use" in piece.text)
    return [device.entry(shown, selected, bool(piece.terms)) for device in devices]


def _machine(line: str, found: re.Match[str]) -> tuple[str, str] | None:
    """Address and description of a line of lspci -mm, or of the first line of a function of lspci -vmm."""
    before = line[: found.start()].strip()
    if before in ("Slot:", "Device:"):
        return full_address(found.group(1)), ""
    if before or not line[found.end() :].startswith(' "'):
        return None
    from doctor.facts.lspcimachine import quoted

    said = quoted(line)
    if said is None:
        return None
    class_ = f" [{said.class_}]" if said.class_ else ""
    ids = f" [{said.ids}]" if said.ids else ""
    revision = f" (rev {said.revision})" if said.revision else ""
    return said.address, f"{class_}: {said.name or 'Device'}{ids}{revision}"


def device_at(line: str) -> str | None:
    """The full address of the device that a line begins; None if it begins none.

    >>> device_at("01:00.0 VGA compatible controller: x"), device_at("  Region 0: Memory at 01:00.0")
    ('0000:01:00.0', None)
    """
    found = _ADDRESS.search(line[:80])
    return full_address(found.group(1)) if found and _is_device(line, found) else None


def _is_device(line: str, found: re.Match[str]) -> bool:
    """Whether the address begins a device, rather than standing in another line of one."""
    before = line[: found.start()].strip()
    rest = line[found.end() : found.end() + 1]
    if not before:
        return rest in (" ", "\t") or rest.isupper()
    return bool(_GROUP.search(before) or _IDS.search(before) or not any(c.isalnum() for c in before)) and rest == " "


def _drivers_shown(piece: Piece) -> bool:
    """Whether the listing would show a driver for every device that has one."""
    command = piece.command or ""
    if piece.terms or (" -s" in command and piece.text.count("\n") == 0):
        return False
    words = [w for w in command.split() if w.startswith("-") and not w.startswith("--")]
    asked = "lspci" in command and any(set(w) & set("kv") for w in words) and "Kernel driver in use" in piece.text
    # Tools that print `Driver: x` at the end of a line print nothing for a device without one.
    inline = piece.text.count("Driver: ") > 1 and "Kernel driver" not in piece.text
    return asked or inline or "\nDriver:\t" in piece.text


def class_of(text: str) -> str | None:
    """The class by the words that lspci uses for it.

    >>> class_of("VGA compatible controller: NVIDIA"), class_of("0x03")
    ('0300', None)
    """
    head = text.strip()[:60]
    for words, number in _TYPES:
        if head.startswith(words) or head.replace(" ", "").startswith(words.replace(" ", "")):
            return number
    return None


def _name(text: str) -> str | None:
    """The vendor's and the device's name: what stands after the class."""
    _head, colon, tail = text.partition(": ")
    if not colon:
        return None
    name = _REVISION.sub("", _IDS.sub("", tail)).split("(prog-if")[0].split("   Driver:")[0].strip()
    return name[:120] if name not in ("", "Device") else None
