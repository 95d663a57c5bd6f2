"""A function's capabilities as `lspci -v`, `-vv` and `-x` to `-xxxx` print them.

Sources: pciutils ls-caps.c, ls-ecaps.c and lspci.c (show_bases, show_htype1, show_hex_dump), which changed
their wording over the years; the older wordings are read too. What a level of detail does not print is
unknown; `<access denied>` is unknown; a capability that a whole description does not name is not there.

>>> text = '''00:01.0 PCI bridge: Intel Corporation Device 1901
...     Control: I/O+ Mem+ BusMaster+
...     Status: Cap+ 66MHz-
...     Capabilities: [a0] Express (v2) Root Port (Slot+), MSI 00
...             DevCap: MaxPayload 256 bytes
...     Capabilities: [140 v1] Access Control Services
...             ACSCap: SrcValid+ TransBlk+ ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans-
...             ACSCtl: SrcValid+ TransBlk- ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans-
...     Kernel driver in use: pcieport'''
>>> found = read(Piece("cmd/lspci-nnk", text))["0000:00:01.0"]
>>> found.pcie_type.value, found.acs_bits.value.on, found.sriov.value, found.flr.weak
('root port', ('SV', 'RR', 'CR', 'UF'), False, True)
"""

from __future__ import annotations

import re

from doctor.evidence.types import CUT, EXCERPT, Piece, Source
from doctor.facts import capabilities as kinds
from doctor.facts.capabilities import Acs, Bar, Buses, Capabilities, Rebar, Rom, Window, joined
from doctor.facts.fact import UNKNOWN, Fact, Listing, unknown
from doctor.facts.lspci import device_at
from doctor.later import later
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_LOOKED_AT = 400  # characters of a line
_CAPABILITY = later(r"Capabilities: \[([0-9a-f]{2,4})(?: v\d{1,2})?\] {0,2}(.*)")
_NUMBER = later(r"(?:#|(?:Extended )?Capability ID 0x)([0-9a-f]{2,4})\b")
_FLAG = later(r"([A-Za-z0-9_.-]{1,30}?)([+-])(?=[\s,;]|$)")
_HEX = later(r"\s{0,16}([0-9a-f]{2,3}):((?: [0-9a-f]{2}){1,16})\s{0,8}$")
_BAR = later(
    r"(?:Region (\d): )?(?:\[virtual\] )?(Memory|I/O ports) at (<?[0-9a-z]{1,16}>?)((?: ?[\[(][^\])]{1,40}[\])]){0,8})"
)
_ROM = later(r"(?:\[virtual\] )?Expansion ROM at (<?[0-9a-z]{1,16}>?)((?: ?\[[^\]]{1,20}\]){0,6})")
_SIZE = later(r"\[size=(\d{1,6})([KMGT]?)\]")
_BUSES = later(r"Bus: primary=([0-9a-f]{2}), secondary=([0-9a-f]{2}), subordinate=([0-9a-f]{2})")
_WINDOW = later(r"(I/O|Memory|Prefetchable memory) behind bridge: (?:([0-9a-f]{4,16})-([0-9a-f]{3,16}))?(.*)")
_VFS = later(r"Initial VFs: \d{1,5}, Total VFs: (\d{1,5}), Number of VFs: (\d{1,5})")
_REBAR = later(r"BAR (\d): current size: (\d{1,6})([KMGT]?)B(?:, supported: ([0-9KMGTPB, ]{1,300}))?")
_UNIT = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50}
_TYPES = (
    ("Root Complex Integrated Endpoint", kinds.INTEGRATED), ("Root Complex Event Collector", kinds.COLLECTOR),
    ("Legacy Endpoint", kinds.LEGACY), ("Endpoint", kinds.ENDPOINT), ("Root Port", kinds.ROOT_PORT),
    ("Upstream Port", kinds.UPSTREAM), ("Downstream Port", kinds.DOWNSTREAM),
    ("PCI-Express to PCI", kinds.TO_PCI), ("PCI/PCI-X to PCI-Express", kinds.FROM_PCI),
)  # fmt: skip
_SECTIONS = (
    ("Express", "pcie"), ("Power Management", "pm"), ("PCI Advanced Features", "af"),
    ("Access Control Services", "acs"), ("Address Translation Service", "ats"),
    ("Process Address Space ID", "pasid"), ("Single Root I/O Virtualization", "sriov"),
    ("Physical Resizable BAR", "rebar"), ("Resizable BAR", "rebar"),
)  # fmt: skip
_CLASSIC = {0x01: "pm", 0x10: "pcie", 0x13: "af"}
_EXTENDED = {0x0D: "acs", 0x0F: "ats", 0x10: "sriov", 0x15: "rebar", 0x1B: "pasid"}
_ACS_WORDS = ("SrcValid", "TransBlk", "ReqRedir", "CmpltRedir", "UpstreamFwd", "EgressCtrl", "DirectTrans")
_ENDPOINTS = (kinds.ENDPOINT, kinds.LEGACY, kinds.INTEGRATED)
# Without any of these a listing describes nothing in detail.
_MARKS = ("Capabilities: ", "Region ", "Memory at ", "I/O ports at ", "Bus: primary", "Control: I/O", "00: ")
# What describes a function at all, and what stands at the end of its description.
_DESCRIBED = ("Control: I/O", "Flags: ")
_ENDS = ("Kernel driver in use:", "Kernel modules:")


class Block(NamedTuple):
    """The lines of a listing about one function: their places, and whether the last may be missing."""

    address: str
    lines: list[tuple[int, str]]
    cut: bool


def blocks(piece: Piece) -> list[Block]:
    """The lines of each function that a listing shows; empty where it describes none in detail."""
    if not any(mark in piece.text for mark in _MARKS):
        return []
    found: list[Block] = []
    for index, line in enumerate(piece.text.splitlines()):
        address = device_at(line)
        if address is not None:
            found.append(Block(address, [(index, line[:_LOOKED_AT])], bool(piece.terms)))
        elif found and line.strip():
            found[-1].lines.append((index, line[:_LOOKED_AT]))
    if found and piece.state in (CUT, EXCERPT) and not found[-1].lines[-1][1].strip().startswith(_ENDS):
        found[-1] = found[-1]._replace(cut=True)
    return found


def read(piece: Piece) -> dict[str, Capabilities]:
    """The capabilities that a listing shows, by full address; of functions without detail nothing."""
    known = blocks(piece)
    texts = [_Text(piece, block) for block in known]
    reaches = any(text.beyond for text in texts)
    found: dict[str, Capabilities] = {}
    for block, text in zip(known, texts, strict=True):
        wanted = f"sys/bus/pci/devices/{block.address}/config"
        sources = [text.capabilities(reaches, wanted)] if text.described else []
        data, rows = dump(block.lines)
        if data:
            from doctor.facts import configspace

            sources.insert(0, configspace.read(data, _citer(piece, rows), wanted))
        if sources:
            found[block.address] = joined(sources, wanted)
    return found


def dump(lines: list[tuple[int, str]]) -> tuple[bytes, dict[int, tuple[int, str]]]:
    """The bytes of a hex dump among `lines` up to the first gap, and the line of each sixteen."""
    data = bytearray()
    rows: dict[int, tuple[int, str]] = {}
    for index, line in lines:
        row = _HEX.match(line)
        if row and int(row.group(1), 16) == len(data) and len(data) < 0x1000:
            rows[len(data)] = (index, line.strip())
            data += bytes.fromhex(row.group(2))
    return bytes(data), rows


def _citer(piece: Piece, rows: dict[int, tuple[int, str]]) -> Callable[[int], Source]:
    def cite(place: int) -> Source:
        index, text = rows.get(place & ~15, (0, ""))
        return piece.cite(index, text)

    return cite


class _Text:
    """The description of one function in words."""

    def __init__(self, piece: Piece, block: Block) -> None:
        self.piece, self.block = piece, block
        self.facts: dict[str, Fact] = {}
        self.present: set[str] = set()
        self.bars: list[Bar] = []
        self.windows: list[Window] = []
        self.registers: dict[str, int] = {}
        self.sizes: list[Rebar] = []
        self.described = self.denied = self.broken = self.beyond = self.listed = False
        self.no_list: Source | None = None  # the line that says that there is no list of capabilities
        self.section = self.part = ""
        self.off = "(rev ff)" in block.lines[0][1] or "!!! Unknown header" in block.lines[0][1]
        for index, line in block.lines[1:]:
            self.take(index, line.strip())

    def take(self, index: int, text: str) -> None:
        """A further line."""
        self.here = (index, text)
        found = _CAPABILITY.match(text)
        if found:
            self.described = self.listed = True
            self.capability(int(found.group(1), 16), found.group(2))
        elif text.startswith("Capabilities: <"):
            self.described, self.denied = True, True
        elif text.startswith(_DESCRIBED):
            self.described = True
        elif text.startswith("!!! "):
            self.off = True
        elif text.startswith("Status: Cap-"):
            self.no_list = self.cite()
        elif self.section:
            self.detail(text)
        else:
            self.header(text)

    def cite(self) -> Source:
        """The present line."""
        return self.piece.cite(*self.here)

    def put(self, name: str, value: Any) -> None:
        """A fact that the present line states."""
        self.facts.setdefault(name, Fact(value, (self.cite(),)))

    def capability(self, place: int, text: str) -> None:
        """The heading of a capability."""
        self.beyond = self.beyond or place >= 0x100
        self.part = ""
        self.broken = self.broken or text.startswith("<chain")
        number = _NUMBER.match(text)
        if number:
            known = _EXTENDED if place >= 0x100 else _CLASSIC
            self.section = known.get(int(number.group(1), 16), "other")
        else:
            self.section = next((name for start, name in _SECTIONS if text.startswith(start)), "other")
        if self.section in self.present:
            self.section = "other"
        if self.section != "other":
            self.present.add(self.section)
            self.put(self.section, True)
        if self.section == "pcie" and not number:
            kind = next((kind for words, kind in _TYPES if words in text[:60]), None)
            if kind is not None:
                self.put("pcie_type", kind)
                self.put("slot", "(Slot+)" in text)

    def detail(self, text: str) -> None:
        """A line inside a capability."""
        if text.startswith(_ENDS):
            self.section = ""
            return
        section = self.section
        if section == "pcie":
            head = text.partition(":")[0]
            self.part = head if head.startswith(("Dev", "Lnk", "Slt", "Root")) and " " not in head else self.part
            flags = _flags(text) if self.part == "DevCap" else {}
            if "FLReset" in flags:
                self.put("flr", flags["FLReset"])
        elif section == "pm" and text.startswith("Status: "):
            words = text.split()
            if words[1] in ("D0", "D1", "D2", "D3"):
                self.put("power", "D3hot" if words[1] == "D3" else words[1])
            flags = _flags(text)
            if "NoSoftRst" in flags:
                self.put("pm_reset", not flags["NoSoftRst"])
        elif section == "af" and text.startswith("AFCap:"):
            flags = _flags(text)
            self.put("af_flr", bool(flags.get("TP") and flags.get("FLR")))
        elif section in ("acs", "ats", "pasid", "sriov", "rebar"):
            self.beyond_detail(section, text)

    def beyond_detail(self, section: str, text: str) -> None:
        """A line inside one of the capabilities from byte 256 on."""
        if section == "acs" and text.startswith(("ACSCap:", "ACSCtl:")):
            flags = _flags(text)
            if all(word in flags for word in _ACS_WORDS):
                self.registers.setdefault(text[:6], sum(flags[w] << n for n, w in enumerate(_ACS_WORDS)))
            if len(self.registers) == 2:
                self.put("acs_bits", Acs(self.registers["ACSCap"], self.registers["ACSCtl"]))
        elif section in ("ats", "pasid") and text.startswith((f"{section.upper()}Ctl:",)):
            flags = _flags(text)
            if "Enable" in flags:
                self.put(section + "_on", flags["Enable"])
        elif section == "sriov":
            found = _VFS.match(text)
            if found:
                self.put("vfs_total", int(found.group(1)))
                self.put("vfs", int(found.group(2)))
        elif section == "rebar":
            found = _REBAR.match(text)
            if found:
                sizes = tuple(_bytes(word) for word in (found.group(4) or "").split())
                self.sizes.append(Rebar(int(found.group(1)), int(found.group(2)) * _UNIT[found.group(3)], sizes))
                self.facts["rebars"] = Fact(tuple(self.sizes), (self.cite(),))

    def header(self, text: str) -> None:
        """A line about the header's registers."""
        found = _BAR.match(text)
        if found:
            self.bars.append(_bar(found))
            self.facts.setdefault("bars", Fact(None, (self.cite(),)))
            return
        found = _ROM.match(text)
        if found:
            self.put("rom", Rom(_address(found.group(1)), "[disabled]" not in text, _size(text)))
            return
        found = _BUSES.match(text)
        if found:
            self.put("header", 1)
            self.put("buses", Buses(*(int(number, 16) for number in found.groups())))
            return
        found = _WINDOW.match(text)
        if found:
            self.facts.setdefault("windows", Fact(None, (self.cite(),)))
            start, end = found.group(2), found.group(3)
            kind = {"I": "io", "M": "memory", "P": "prefetchable"}[text[0]]
            if start and end and "[disabled]" not in text and int(start, 16) <= int(end, 16):
                self.windows.append(Window(kind, int(start, 16), int(end, 16)))

    def capabilities(self, reaches: bool, wanted: str) -> Capabilities:
        """Everything; `reaches`: the listing shows capabilities from byte 256 on, so it could read that far."""
        if self.off:
            return kinds.nothing(wanted)
        facts = self.facts
        if "bars" in facts:
            complete = not self.block.cut
            facts["bars"] = facts["bars"]._replace(value=Listing(self.bars, complete, (wanted,)))
        if "windows" in facts:
            facts["windows"] = facts["windows"]._replace(value=Listing(self.windows))
        kind = facts["pcie_type"].value if "pcie_type" in facts else None
        whole = not (self.block.cut or self.denied or self.broken) and (self.listed or self.no_list is not None)
        if whole:
            self.lacking(kind, reaches)
        if "acs_bits" in facts and kind == kinds.ROOT_PORT:
            facts["acs_bits"] = self.doubtful(facts["acs_bits"], wanted)
        return Capabilities(*[facts.get(name) or unknown(wanted) for name in Capabilities._fields])

    def lacking(self, kind: str | None, reaches: bool) -> None:
        """Notes what a whole description does not name."""
        cited = (self.no_list or self.piece.cite(*self.block.lines[0]),)
        names = {"pcie": ("pcie_type", "slot", "flr"), "pm": ("pm_reset", "power"), "af": ("af_flr",)}
        if "pcie" not in self.present or reaches:
            names.update(acs=("acs_bits",), ats=("ats_on",), pasid=("pasid_on",), sriov=("vfs_total", "vfs"))
            names["rebar"] = ("rebars",)
        empty = {"pcie_type": None, "slot": None, "power": None, "acs_bits": None, "vfs_total": 0, "vfs": 0}
        for section, members in names.items():
            if section in self.present:
                continue
            for name in (section, *members):
                if name in Capabilities._fields:
                    value = () if name == "rebars" else empty.get(name, False)
                    self.facts.setdefault(name, Fact(value, cited))
        if kind is not None and kind not in _ENDPOINTS:
            self.facts.setdefault("flr", Fact(False, cited, (), True))

    def doubtful(self, bits: Fact, wanted: str) -> Fact:
        """lspci reads ACS where the specification has it, which is wrong for Intel's 100 and 200 series ports."""
        ids = re.search(r"\[8086:([0-9a-f]{4})\]", self.block.lines[0][1])
        head = self.block.lines[0][1]
        unnamed = ids is None and "Intel" in head and _ELSEWHERE_NAMES.search(head) is not None
        from doctor.facts.configspace import INTEL, acs_elsewhere

        listed = ids is not None and acs_elsewhere(INTEL, int(ids.group(1), 16))
        return unknown(wanted) if listed or unnamed else bits


# The names that a pci.ids gives these ports, for listings without numbers.
_ELSEWHERE_NAMES = later(r"Sunrise Point|100 Series|200 Series|Union Point|Kaby Lake-LP|Device (?:a1[16]|a2[9e]|9d1)")


def _flags(text: str) -> dict[str, bool]:
    """The words of a line that end in a plus or a minus.

    >>> _flags("ACSCap: SrcValid+ TransBlk-, ReqRedir+")
    {'SrcValid': True, 'TransBlk': False, 'ReqRedir': True}
    """
    return {name: sign == "+" for name, sign in _FLAG.findall(text)}


def _bar(found: re.Match[str]) -> Bar:
    rest = found.group(4)
    index = int(found.group(1)) if found.group(1) else None
    kind = "memory" if found.group(2) == "Memory" else "io"
    address = _address(found.group(3))
    wide, prefetchable = "64-bit" in rest, "prefetchable" in rest and "non-prefetchable" not in rest
    return Bar(index, kind, address, _size(rest), wide, prefetchable, "[disabled]" not in rest)


def _address(text: str) -> int | None:
    """An address; None for `<unassigned>` and `<ignored>`."""
    try:
        return int(text, 16)
    except ValueError:
        return None


def _size(text: str) -> Any:
    found = _SIZE.search(text)
    return int(found.group(1)) * _UNIT[found.group(2)] if found else UNKNOWN


def _bytes(word: str) -> int:
    """Bytes of a size such as `256MB`."""
    digits = word.rstrip("KMGTPB,")
    unit = word[len(digits) : len(digits) + 1]
    return int(digits) * _UNIT.get(unit, 1) if digits.isdigit() else 0
