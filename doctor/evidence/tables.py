"""Rows of Markdown tables that list PCI devices, as lspci and the scripts for groups would have printed them.

>>> head = cells("| Group | BDF | Class | Device | IDs | Driver |")
>>> device(cells("| 15 | 01:00.0 | VGA compatible controller | NVIDIA GA104 | 10de:2484 | vfio-pci |"), head)
'IOMMU Group 15 01:00.0 VGA compatible controller: NVIDIA GA104 [10de:2484]   Driver: vfio-pci'
>>> device(cells("| 01:00.0 VGA compatible controller [0300]: NVIDIA |"), []), device(cells("| a | b |"), head)
('01:00.0 VGA compatible controller [0300]: NVIDIA', None)
"""

from __future__ import annotations

import re

from doctor.later import later

_ADDRESS = later(r"`?(?:[0-9a-fA-F]{4}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]`?")
_IDS = later(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{4}")
_MOST = 20  # columns
_LONGEST = 2000


def cells(text: str) -> list[str]:
    """The cells of a row; none if the line is no row."""
    text = text[:_LONGEST].strip()
    if len(text) < 3 or text[0] != "|" or text[-1] != "|" or text[1] == "-":
        return []
    found = [cell.strip().strip("`") for cell in text[1:-1].split("|", _MOST)]
    return found if any(any(c.isalnum() for c in cell) for cell in found) else []


def device(row: list[str], head: list[str]) -> str | None:
    """The device of a row below the heading `head`, as a line of lspci; None if the row shows none."""
    at = next((index for index, cell in enumerate(row) if _ADDRESS.match(cell)), None)
    if at is None or not (_ADDRESS.fullmatch(row[at]) or len(row) == 1):
        return None
    if len(row) == 1:
        return row[0]
    titles = [title.lower() for title in head] if len(head) == len(row) else [""] * len(row)
    group = driver = ""
    said: list[str] = []
    for index, (title, cell) in enumerate(zip(titles, row, strict=True)):
        if "group" in title and cell.isdigit():
            group = f"IOMMU Group {cell} "
        elif "driver" in title:
            driver = f"   Driver: {cell}" if re.fullmatch(r"[\w-]{2,40}", cell) and cell.lower() != "none" else ""
        elif index != at and cell:
            said.append(f"[{cell}]" if _IDS.fullmatch(cell) else cell)
    lead = f"{said[0]}: {' '.join(said[1:])}" if len(said) > 1 and ":" not in said[0] else " ".join(said)
    return f"{group}{row[at]} {lead}{driver}" if lead else None
