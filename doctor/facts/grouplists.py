"""Listings of IOMMU groups: links, folders, trees, and Proxmox VE's table of PCI hardware.

Sources: linux Documentation/ABI/testing/sysfs-kernel-iommu_groups (the folders and links that `find`, `ls -R`
and `tree` show); pve-manager PVE/API2/Hardware/PCI.pm (`pvesh get /nodes/NODE/hardware/pci`). What prints a
group's number beside lspci's line (Arch Linux's loop, lsiommu, ls-iommu, Unraid's page) is lspci.py's.

>>> text = '''/sys/kernel/iommu_groups/1/devices:
... 0000:00:01.0  0000:01:00.0
... /sys/bus/pci/devices/0000:02:00.0/iommu_group -> ../../../../kernel/iommu_groups/15'''
>>> [(member.group, member.address) for member in members(Piece("cmd/iommu-groups", text))]
[(1, '0000:00:01.0'), (1, '0000:01:00.0'), (15, '0000:02:00.0')]
"""

from __future__ import annotations

import re

from doctor.evidence.types import Piece
from doctor.facts.messages import full_address, is_address
from doctor.later import later
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from doctor.evidence.types import Source

_LOOKED_AT = 600  # characters of a line
_REVERSE = later(r"([0-9a-fA-F]{4,6}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7])/iommu_group -> \S{0,80}/(\d{1,5})\s*$")
_FOLDER = later(r"[^\s:]{0,120}?(?<![^/\s'\"])(\d{1,5})/devices/?['\"]?:$")
_ALWAYS = ("class", "device", "id", "iommugroup", "vendor")
_BRANCH = " \t│├└─|`+-\xa0"
_WORD = later(
    r'^[\s-]{0,8}"?(id|iommugroup|vendor|device|class|device_name|vendor_name)"?\s?:\s?["\']?([^",\']{0,120})'
)


class Member(NamedTuple):
    """A function and the number of its group; `group` is None where the list says that it has none.

    The rest is what Proxmox VE's table shows beside.
    """

    group: int | None
    address: str
    source: Source
    ids: str | None = None
    class_: str | None = None
    name: str | None = None


def shows_all(piece: Piece) -> bool:
    """Whether a listing shows every member of the groups in it.

    Proxmox VE leaves bridges, memory and processors out unless it is told not to.

    >>> shows_all(Piece("cmd/iommu-groups", "iommugroup", command="pvesh get /nodes/pve/hardware/pci"))
    False
    """
    told = (piece.command or "").replace("'", '"')
    return not _is_table(piece.text) or 'class-blacklist ""' in told or 'class-blacklist=""' in told


def _is_table(text: str) -> bool:
    """Whether it is Proxmox VE's list, in any of its formats."""
    return "iommugroup" in text or "│ 0x" in text


def members(piece: Piece) -> list[Member]:
    """The members of groups that a listing shows, in its order. Lines that say nothing are passed over."""
    if _is_table(piece.text):
        return list(_table(piece)) or list(_words(piece))
    found: list[Member] = []
    group: int | None = None
    for index, whole in enumerate(piece.text.splitlines()):
        line = whole[:_LOOKED_AT].strip()
        number, address = link(line)
        if address is not None and number is not None:
            found.append(Member(number, address, piece.cite(index, line)))
            continue
        heading = _FOLDER.match(line)
        if heading or line.endswith(":"):
            group = int(heading.group(1)) if heading else None
            continue
        label = line.lstrip(_BRANCH)
        if label.isdigit() and label != line and len(label) < 6:
            group = int(label)
            continue
        for address in _names(label) if group is not None else ():
            found.append(Member(group, address, piece.cite(index, line)))
    return found


def link(line: str) -> tuple[int | None, str | None]:
    """Group and function of a line that holds a link of either direction.

    >>> link("/sys/kernel/iommu_groups/17/devices/0000:00:1f.2"), link("17/devices/0000:00:1f.2")
    ((17, '0000:00:1f.2'), (17, '0000:00:1f.2'))
    """
    found = _REVERSE.search(line)
    if found:
        return int(found.group(2)), full_address(found.group(1))
    head, mark, rest = line.partition("/devices/")
    number = head.rpartition("/")[2]
    number = number.rpartition(" ")[2]
    words = rest.split(None, 1)
    if not mark or not number.isdigit() or len(number) > 5 or not words:
        return None, None
    address = words[0].strip(":'\"")
    return int(number), full_address(address) if is_address(address) else None


def _names(label: str) -> list[str]:
    """The addresses in a line of `ls` or `ls -l`."""
    words = label.partition(" -> ")[0].split()
    words = words[-1:] if label[:1] in "ld" and len(words) > 7 else words
    named = [word.strip("'\"") for word in words]
    return [full_address(word) for word in named] if named and all(is_address(word) for word in named) else []


def _table(piece: Piece) -> Iterator[Member]:
    """The rows of pvesh's table; without its heading the first columns, which are always the same."""
    columns = [*_ALWAYS]
    for index, line in enumerate(piece.text.splitlines()):
        row = line[: 4 * _LOOKED_AT].replace("│", "|")
        if row.count("|") < 4:
            continue
        cells = [cell.strip() for cell in row.strip().strip("|").split("|")]
        if "iommugroup" in cells and "id" in cells:
            columns = cells
        elif len(cells) >= len(_ALWAYS):
            member = _member(dict(zip(columns, cells, strict=False)), piece.cite(index, line.strip()[:300]))
            if member is not None:
                yield member


def _words(piece: Piece) -> Iterator[Member]:
    """The entries of pvesh's JSON or YAML, told by their keys line by line."""
    said: dict[str, Any] = {}
    text = piece.text
    if "\n" not in text.strip() or text.count("},{"):
        text = text.replace("},{", "}\n{").replace(",", "\n").replace("{", "\n").replace("}", "\n}")
    lines = text.splitlines()
    source = piece.whole()
    for index, line in enumerate(lines):
        found = _WORD.match(line[:_LOOKED_AT])
        begins = line.lstrip().startswith(("-", "{", "}"))
        if begins and said:
            member = _member(said, source)
            said = {}
            if member is not None:
                yield member
        if found:
            said[found.group(1)] = found.group(2).strip()
            if found.group(1) == "id" and text is piece.text:
                source = piece.cite(index, line.strip()[:300])
    member = _member(said, source) if said else None
    if member is not None:
        yield member


def _member(cells: dict[str, Any], source: Source) -> Member | None:
    """One function of Proxmox VE's table; a group of -1 is none."""
    address, group = str(cells.get("id", "")), str(cells.get("iommugroup", ""))
    if not is_address(address) or not group.lstrip("-").isdigit() or len(group) > 6:
        return None
    vendor, device = str(cells.get("vendor", "")), str(cells.get("device", ""))
    named = re.fullmatch(r"0x([0-9a-f]{4})0x([0-9a-f]{4})", vendor + device)
    class_ = re.fullmatch(r"0x([0-9a-f]{4})[0-9a-f]{2}", str(cells.get("class", "")))
    number = int(group)
    return Member(
        number if number >= 0 else None, full_address(address), source,
        f"{named.group(1)}:{named.group(2)}" if named else None,
        class_.group(1) if class_ else None,
        str(cells.get("device_name", ""))[:120] or None,
    )  # fmt: skip
