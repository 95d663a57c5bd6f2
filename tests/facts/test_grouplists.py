"""Listings of IOMMU groups in the forms that people paste."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.evidence.paste import open_paste
from doctor.evidence.types import Piece
from doctor.facts.grouplists import members

from .timing import grows_linearly

EXPECTED = [(1, "0000:00:01.0"), (1, "0000:01:00.0"), (15, "0000:02:00.0")]
LINKS = """/sys/kernel/iommu_groups/1/devices/0000:00:01.0
/sys/kernel/iommu_groups/1/devices/0000:01:00.0
/sys/kernel/iommu_groups/15/devices/0000:02:00.0
"""
RECURSIVE = """/sys/kernel/iommu_groups/:
1  15

/sys/kernel/iommu_groups/1:
devices  reserved_regions  type

/sys/kernel/iommu_groups/1/devices:
0000:00:01.0  0000:01:00.0

/sys/kernel/iommu_groups/15:
devices  reserved_regions  type

/sys/kernel/iommu_groups/15/devices:
0000:02:00.0
"""
LONG = """/sys/kernel/iommu_groups/1/devices:
total 0
lrwxrwxrwx 1 root root 0 May 10 10:21 0000:00:01.0 -> ../../../../devices/pci0000:00/0000:00:01.0
lrwxrwxrwx 1 root root 0 May 10 10:21 0000:01:00.0 -> ../../../../devices/pci0000:00/0000:00:01.0/0000:01:00.0

/sys/kernel/iommu_groups/15/devices:
total 0
lrwxrwxrwx 1 root root 0 May 10 10:21 0000:02:00.0 -> ../../../../devices/pci0000:00/0000:00:1c.0/0000:02:00.0
"""
BRANCHES = """/sys/kernel/iommu_groups/
├── 1
│   ├── devices
│   │   ├── 0000:00:01.0 -> ../../../../devices/pci0000:00/0000:00:01.0
│   │   └── 0000:01:00.0 -> ../../../../devices/pci0000:00/0000:00:01.0/0000:01:00.0
│   ├── reserved_regions
│   └── type
└── 15
    ├── devices
    │   └── 0000:02:00.0 -> ../../../../devices/pci0000:00/0000:00:1c.0/0000:02:00.0
    └── reserved_regions
"""
REVERSE = """lrwxrwxrwx 1 root root 0 /sys/bus/pci/devices/0000:00:01.0/iommu_group -> ../../../kernel/iommu_groups/1
lrwxrwxrwx 1 root root 0 /sys/bus/pci/devices/0000:01:00.0/iommu_group -> ../../../../kernel/iommu_groups/1
/sys/devices/pci0000:00/0000:00:1c.0/0000:02:00.0/iommu_group -> ../../../../kernel/iommu_groups/15
"""
TABLE = """┌──────────┬────────┬──────────────┬────────────┬────────┬─────────────────┐
│ class    │ device │ id           │ iommugroup │ vendor │ device_name     │
╞══════════╪════════╪══════════════╪════════════╪════════╪═════════════════╡
│ 0x060400 │ 0x1901 │ 0000:00:01.0 │          1 │ 0x8086 │ PCIe Controller │
├──────────┼────────┼──────────────┼────────────┼────────┼─────────────────┤
│ 0x030000 │ 0x2484 │ 0000:01:00.0 │          1 │ 0x10de │ GA104           │
├──────────┼────────┼──────────────┼────────────┼────────┼─────────────────┤
│ 0x020000 │ 0x1521 │ 0000:02:00.0 │         15 │ 0x8086 │ I350            │
└──────────┴────────┴──────────────┴────────────┴────────┴─────────────────┘
"""
PRETTY = """[
   {
      "class" : "0x060400",
      "device" : "0x1901",
      "id" : "0000:00:01.0",
      "iommugroup" : 1,
      "vendor" : "0x8086"
   },
   {
      "class" : "0x030000",
      "device" : "0x2484",
      "id" : "0000:01:00.0",
      "iommugroup" : 1,
      "vendor" : "0x10de"
   },
   {
      "class" : "0x020000",
      "device" : "0x1521",
      "id" : "0000:02:00.0",
      "iommugroup" : 15,
      "vendor" : "0x8086"
   }
]
"""
DENSE = "[" + ",".join(part for part in (
    '{"class":"0x060400","device":"0x1901","id":"0000:00:01.0","iommugroup":1,"vendor":"0x8086"}',
    '{"class":"0x030000","device":"0x2484","id":"0000:01:00.0","iommugroup":1,"vendor":"0x10de"}',
    '{"class":"0x020000","device":"0x1521","id":"0000:02:00.0","iommugroup":15,"vendor":"0x8086"}',
)) + "]"  # fmt: skip
YAML = """---
- class: '0x060400'
  id: 0000:00:01.0
  iommugroup: 1
- class: '0x030000'
  id: 0000:01:00.0
  iommugroup: 1
- class: '0x020000'
  id: 0000:02:00.0
  iommugroup: 15
"""
FORMS = {
    "find /sys/kernel/iommu_groups/ -type l": LINKS,
    "ls -R /sys/kernel/iommu_groups": RECURSIVE,
    "ls -lR /sys/kernel/iommu_groups/": LONG,
    "tree /sys/kernel/iommu_groups/": BRANCHES,
    "ls -l /sys/bus/pci/devices/*/iommu_group": REVERSE,
    "pvesh get /nodes/pve/hardware/pci": TABLE,
    "pvesh get /nodes/pve/hardware/pci --output-format json-pretty": PRETTY,
    "pvesh get /nodes/pve/hardware/pci --output-format json": DENSE,
    "pvesh get /nodes/pve/hardware/pci --output-format yaml": YAML,
}
every_form = pytest.mark.parametrize("command", FORMS)


@every_form
def test_forms(command: str) -> None:
    found = members(Piece("cmd/iommu-groups", FORMS[command], "p", 1, command))
    assert [(one.group, one.address) for one in found] == EXPECTED


@every_form
@pytest.mark.parametrize("end", ["\n", "\r\n", "  \n"])
def test_forms_as_they_are_pasted(command: str, end: str) -> None:
    text = f"root@pve:~# {command}\n{FORMS[command]}root@pve:~# \n".replace("\n", end)
    pasted = open_paste(text.encode(), "p")
    found = [one for piece in pasted.pieces("cmd/iommu-groups") for one in members(piece)]
    assert [(one.group, one.address) for one in found] == EXPECTED


@pytest.mark.parametrize("text", [LINKS, REVERSE, TABLE])
def test_forms_without_their_command(text: str) -> None:
    pasted = open_paste(f"my groups are\n\n{text}".encode(), "p")
    found = [one for piece in pasted.pieces("cmd/iommu-groups") for one in members(piece)]
    assert [(one.group, one.address) for one in found] == EXPECTED


def test_proxmox_tells_what_the_devices_are() -> None:
    first = members(Piece("cmd/iommu-groups", TABLE))[1]
    assert (first.ids, first.class_, first.name) == ("10de:2484", "0300", "GA104")
    assert first.source.line == 6
    alone = members(Piece("cmd/iommu-groups", TABLE.replace("         15", "         -1")))[2]
    assert alone.group is None


@settings(deadline=None)
@given(st.text(alphabet='0123456789abcdef:./ \n├│└─>-iommugroupdevices"{}[],|', max_size=500))
def test_no_text_raises(text: str) -> None:
    members(Piece("cmd/iommu-groups", text))
    members(Piece("cmd/iommu-groups", "iommugroup\n" + text))


def test_time_is_linear() -> None:
    for text in (LINKS * 500, BRANCHES * 150, DENSE * 150, "/1/devices/" * 20_000, '{"id":' * 20_000 + "iommugroup"):
        assert grows_linearly(lambda given: members(Piece("cmd/iommu-groups", given)), text)
