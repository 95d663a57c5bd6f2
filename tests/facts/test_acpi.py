"""The firmware's tables of the IOMMU: DMAR, IVRS and MADT, as bytes and as the text of several tools."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.evidence.open import open_input
from doctor.evidence.paste import open_paste
from doctor.evidence.types import Evidence, Piece
from doctor.facts import acpi, dmar, ivrs, madt
from doctor.facts.acpiheader import seal
from doctor.facts.acpitext import Dump, dumps
from doctor.facts.fact import UNKNOWN
from doctor.facts.host import Host
from doctor.knowledge.store import load

TABLES = "sys/firmware/acpi/tables/"
REAL = Path(__file__).resolve().parents[3] / "shared" / "real" / "acpi"


def head(name: bytes, fields: bytes) -> bytes:
    """A header without length and checksum, and a table's own fields up to byte 48 (MADT: 44)."""
    return name + bytes(4) + b"\x01\0" + b"MAKER " + b"BOARD   " + struct.pack("<I4sI", 7, b"INTL", 1) + fields


def scope(kind: int, enumeration: int, bus: int, *path: tuple[int, int]) -> bytes:
    return bytes([kind, 6 + 2 * len(path), 0, 0, enumeration, bus]) + b"".join(bytes(pair) for pair in path)


def structure(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body) + 4) + body


def drhd(base: int, everything: bool = False, segment: int = 0, *scopes: bytes) -> bytes:
    return structure(0, struct.pack("<BBHQ", everything, 0, segment, base) + b"".join(scopes))


def rmrr(start: int, end: int, *scopes: bytes, segment: int = 0) -> bytes:
    return structure(1, struct.pack("<HHQQ", 0, segment, start, end) + b"".join(scopes))


def a_dmar(*structures: bytes, flags: int = 1, width: int = 39) -> bytes:
    return seal(head(b"DMAR", bytes([width - 1, flags]) + bytes(10)) + b"".join(structures))


def ivhd(kind: int, device: int, *entries: bytes, base: int = 0xFD200000, segment: int = 0) -> bytes:
    long = struct.pack("<QQ", 0x4F77EF22294ADA, 0) if kind != 0x10 else b""
    body = b"".join(entries)
    length = 24 + len(long) + len(body)
    return struct.pack("<BBHHHQHHI", kind, 0xB0, length, device, 0x40, base, segment, 0, 0) + long + body


def ivmd(kind: int, flags: int, first: int, extra: int, start: int, size: int) -> bytes:
    return struct.pack("<BBHHHQQQ", kind, flags, 32, first, extra, 0, start, size)


def entry(kind: int, device: int, flags: int = 0) -> bytes:
    return struct.pack("<BHB", kind, device, flags)


def special(handle: int, device: int, variety: int) -> bytes:
    return entry(0x48, 0) + struct.pack("<BHB", handle, device, variety)


def an_ivrs(*blocks: bytes, info: int = 0x203041) -> bytes:
    return seal(head(b"IVRS", struct.pack("<IQ", info, 0)) + b"".join(blocks))


def a_madt(*ids: int) -> bytes:
    entries = b"".join(struct.pack("<BBBBII", 1, 12, number, 0, 0xFEC00000, 0) for number in ids)
    return seal(head(b"APIC", bytes(8)) + bytes([0, 8, 1, 1, 0, 0, 0, 0]) + entries)


SMALL_DMAR = a_dmar(
    drhd(0xFED90000, False, 0, scope(1, 0, 0, (2, 0))),
    drhd(0xFED91000, True, 0, scope(3, 2, 0xF0, (0x1F, 0)), scope(4, 0, 0, (0x1F, 0)), scope(5, 1, 0xF0, (0x1E, 0))),
    rmrr(0x7976A000, 0x79789FFF, scope(1, 0, 0, (0x14, 0))),
    rmrr(0x7B800000, 0x7FFFFFFF, scope(1, 0, 0, (2, 0)), scope(1, 0, 0, (0x1C, 4), (0, 0))),
    structure(2, struct.pack("<BBH", 1, 0, 0)),
    structure(3, struct.pack("<IQI", 0, 0xFED91000, 1)),
    structure(4, b"\0\0\0\x01\\_SB.PCI0.I2C0\0"),
    structure(5, struct.pack("<BBH", 1, 0, 0) + scope(1, 0, 0, (2, 0))),
    structure(6, struct.pack("<HH", 0, 0) + scope(1, 0, 0, (2, 0))),
)
ENTRIES = (
    entry(3, 0x0008), entry(4, 0xFEFF), entry(2, 0xFF01),
    entry(0x43, 0xFF08) + struct.pack("<BHB", 0, 0x00A4, 0), entry(4, 0xFFFF),
    special(0, 0x00A0, 2), special(33, 0x00A0, 1), special(34, 0x0001, 1),
)  # fmt: skip
HID = entry(0xF0, 0x00A5, 0x40) + b"AMDI0020" + bytes(8) + bytes([2, 9]) + b"\\_SB.FUR0"
SMALL_IVRS = an_ivrs(
    ivhd(0x10, 2, *ENTRIES), ivhd(0x11, 2, *ENTRIES), ivhd(0x40, 2, *ENTRIES, HID),
    ivmd(0x21, 0b0111, 0x00A0, 0, 0x1000, 0x2000), ivmd(0x22, 0b1000, 0x0100, 0x01FF, 0x8000, 0x1000),
)  # fmt: skip


def facts(*tables: bytes) -> acpi.Acpi:
    return acpi.read(evidence(*tables))


def evidence(*tables: bytes, **more: str) -> Evidence:
    pieces = [Piece(TABLES + table[:4].decode("latin-1"), "", "b", None, binary=table) for table in tables]
    return Evidence("directory", "d", [*pieces, *[Piece(path, text, "d") for path, text in more.items()]])


def test_every_structure_of_a_dmar() -> None:
    found = facts(SMALL_DMAR)
    (table,) = found.tables
    assert (table.revision, table.checksum_ok, table.oem_id, table.complete) == (1, True, "MAKER", True)
    assert (found.width.value, found.interrupt_remapping.value, found.x2apic_opt_out.value) == (39, True, False)
    assert [(unit.base, unit.everything) for unit in found.units] == [(0xFED90000, False), (0xFED91000, True)]
    assert [(one.start, one.end, one.devices) for one in found.reserved] == [
        (0x7976A000, 0x79789FFF, ("0000:00:14.0",)),
        (0x7B800000, 0x7FFFFFFF, ("0000:00:02.0",)),
    ]
    assert found.reserved[1].scopes[1].route == "0000:00:1c.4/00.0"
    assert [(one.id, one.address) for one in found.ioapics] == [(2, "0000:f0:1f.0")]
    assert [(one.kind, one.flag) for one in found.reporting] == [("ATSR", True), ("SATC", True), ("SIDP", False)]
    assert [(one.id, one.address) for one in found.named] == [("\\_SB.PCI0.I2C0", "0000:f0:1e.0")]
    assert list(found.defects) == [] and found.units.complete
    assert found.southbridge_ioapic.value is None and found.virtual_width.value is None
    assert [type(one).__name__ for one in dmar.read(SMALL_DMAR).structures][5] == "Affinity"


@pytest.mark.parametrize(
    ("flags", "name"), [(1, "interrupt_remapping"), (2, "x2apic_opt_out"), (4, "protected"), (8, "dma_opt_out")]
)
def test_the_flags_of_a_dmar(flags: int, name: str) -> None:
    for value, mask in ((True, flags), (False, 0xFF ^ flags)):
        fact = getattr(facts(a_dmar(flags=mask)), name)
        assert fact.value is value and fact.sources[0].text.startswith("DMAR offset 37: ")


def test_every_block_of_an_ivrs() -> None:
    found = facts(SMALL_IVRS)
    assert (found.width.value, found.virtual_width.value, found.feature_register.value) == (48, 64, True)
    assert (found.protected.value, found.ats_reserved.value, found.interrupt_remapping.value) == (False, False, None)
    (unit,) = found.units  # told three times
    assert (unit.kind, unit.address, unit.base, unit.efr) == ("IVHD 40h", "0000:00:00.2", 0xFD200000, 0x4F77EF22294ADA)
    assert unit.flags == ("IotlbSup", "Coherent", "PPRSup") and not unit.everything
    assert [(one.id, one.address) for one in found.ioapics] == [(33, "0000:00:14.0"), (34, "0000:00:00.1")]
    assert [one[:3] for one in found.aliases] == [("0000:ff:01.0", "0000:ff:1f.7", "0000:00:14.4")]
    assert [(one.id, one.address) for one in found.named] == [("AMDI0020 \\_SB.FUR0", "0000:00:14.5")]
    assert [(one.start, one.end, one.flags, one.devices) for one in found.reserved] == [
        (0x1000, 0x2FFF, ("unity", "read", "write"), ("0000:00:14.0",)),
        (0x8000, 0x8FFF, ("exclusion",), ()),
    ]
    assert list(found.defects) == []
    assert facts(an_ivrs(info=2)).protected.value is True


def test_the_kernel_takes_the_last_type_of_the_first_unit() -> None:
    for kinds, target in (((0x10, 0x11, 0x40), 0x40), ((0x40, 0x11, 0x10), 0x10), ((0x10, 0x51, 0x11), 0x10)):
        blocks = [ivhd(kind, 2, *ENTRIES) for kind in kinds]
        assert ivrs.read(an_ivrs(*blocks)).target == target
    other = an_ivrs(ivhd(0x10, 2), ivhd(0x11, 0x102))
    assert [unit.kind for unit in facts(other).units] == ["IVHD 10h"]


def test_two_units_of_one_type() -> None:
    found = facts(an_ivrs(*[ivhd(0x11, device, entry(1, 0)) for device in (0x0002, 0x6002, 0x0002)]))
    assert [unit.name for unit in found.units] == ["IVHD 0000:00:00.2", "IVHD 0000:60:00.2"]
    assert all(unit.everything for unit in found.units)


@pytest.mark.parametrize(
    ("address", "unit"),
    [("0000:00:02.0", 0xFED90000), ("0000:01:00.0", 0xFED91000), ("0001:00:02.0", None)],
)
def test_which_unit_a_function_belongs_to(address: str, unit: int | None) -> None:
    fact = facts(SMALL_DMAR).unit_of(address)
    assert fact.known and (fact.value.base if fact.value is not None else None) == unit


TREE = """00:07.0 PCI bridge [0604]: Intel Corporation Device [8086:9a23] (prog-if 00 [Normal decode])
\tFlags: bus master, fast devsel, latency 0
\tBus: primary=00, secondary=04, subordinate=2c, sec-latency=0
\tKernel driver in use: pcieport
04:00.0 PCI bridge [0604]: Intel Corporation Device [8086:15ea] (prog-if 00 [Normal decode])
\tFlags: bus master, fast devsel, latency 0
\tBus: primary=04, secondary=05, subordinate=2c, sec-latency=0
\tKernel driver in use: pcieport
05:01.0 VGA compatible controller [0300]: NVIDIA Corporation GA104 [10de:2484]
06:00.0 Ethernet controller [0200]: Intel Corporation I210 [8086:1533]
"""


def test_a_unit_of_what_is_below_a_bridge() -> None:
    table = a_dmar(
        drhd(0xFED84000, False, 0, scope(2, 0, 0, (7, 0))),
        drhd(0xFED90000, True),
        rmrr(0x1000, 0x1FFF, scope(1, 0, 0, (7, 0), (0, 0), (1, 0))),
    )
    host = Host(evidence(table, **{"cmd/lspci-nnk": TREE}), load(None))
    for address, base in (("0000:05:01.0", 0xFED84000), ("0000:00:07.0", 0xFED84000), ("0000:00:02.0", 0xFED90000)):
        assert host.acpi.unit_of(address, host.pci).value.base == base
    # No bridge leads to bus 6 as far as is known.
    assert host.acpi.unit_of("0000:06:00.0", host.pci).value is UNKNOWN
    assert host.acpi.unit_of("0000:05:01.0").value is UNKNOWN
    held = host.acpi.reserved_for("0000:05:01.0", host.pci)
    assert [one.start for one in held] == [0x1000] and held.complete
    assert list(host.acpi.reserved_for("0000:04:00.0", host.pci)) == []
    assert not host.acpi.reserved_for("0000:06:00.0", host.pci).complete


def test_memory_that_a_function_keeps() -> None:
    found = facts(SMALL_IVRS)
    assert [one.start for one in found.reserved_for("0000:00:14.0")] == [0x1000]
    assert [one.start for one in found.reserved_for("0000:01:1f.7")] == [0x8000]
    assert list(found.reserved_for("0000:02:00.0")) == [] and found.reserved_for("0000:02:00.0").complete
    everyone = facts(an_ivrs(ivmd(0x20, 1, 0, 0, 0x1000, 0x1000)))
    assert [one.everything for one in everyone.reserved_for("0000:17:00.0")] == [True]


def test_ioapics_that_the_table_lacks() -> None:
    assert facts(SMALL_DMAR).unmapped_ioapics.wanted == (TABLES + "APIC",)
    assert list(facts(SMALL_DMAR, a_madt(2)).unmapped_ioapics.value) == []
    assert list(facts(SMALL_DMAR, a_madt(2, 9)).unmapped_ioapics.value) == [9]
    assert facts(a_madt(2)).unmapped_ioapics.value is UNKNOWN
    assert list(facts(SMALL_IVRS, a_madt(33, 34)).unmapped_ioapics.value) == []


@pytest.mark.parametrize(
    ("tables", "value", "weak"),
    [
        ((SMALL_IVRS,), True, True),
        ((SMALL_IVRS, a_madt(33, 34)), True, False),
        ((SMALL_IVRS, a_madt(4, 5)), False, False),  # it is named under an id that no IOAPIC has
        ((an_ivrs(ivhd(0x11, 2, special(33, 0x00A1, 1))),), False, False),
        ((an_ivrs(ivhd(0x11, 2, entry(0xF1, 0))),), UNKNOWN, False),  # what follows was not read
    ],
)
def test_the_ioapic_of_the_south_bridge(tables: tuple[bytes, ...], value: Any, weak: bool) -> None:
    fact = facts(*tables).southbridge_ioapic
    assert (fact.value, fact.weak) == (value, weak)


@pytest.mark.parametrize(
    ("table", "offset", "word", "complete"),
    [
        (a_dmar(struct.pack("<HH", 0, 0), drhd(1)), 48, "has length 0", False),
        (a_dmar(struct.pack("<HH", 1, 3)), 48, "has length 3", False),
        (a_dmar(struct.pack("<HH", 0, 400)), 48, "passes the end by 396 bytes", False),
        (a_dmar(b"\0\0\0"), 48, "3 bytes are too few", False),
        (a_dmar(structure(0, b"\0\0\0\0")), 48, "DRHD has length 8", False),
        (a_dmar(drhd(4096, False, 0, b"\x01\0\0\0\0\0\x02\0")), 64, "device scope of type 1 has length 0", False),
        (a_dmar(drhd(4096, False, 0, b"\x01\x20\0\0\0\0\x02\0")), 64, "passes the end", False),
        (a_dmar(drhd(4096, False, 0, b"\x01\x06\0\0\0\0")), 64, "path of 0 bytes", True),
        (a_dmar(drhd(4096, False, 0, scope(1, 0, 0, (32, 0)))), 70, "which no device can be", True),
        (a_dmar(drhd(4096, False, 0, scope(9, 0, 0, (2, 0)))), 64, "unknown type 9", True),
        (a_dmar(drhd(0)), 56, "registers at address zero", True),
        (a_dmar(rmrr(0x2000, 0x1FFF, scope(1, 0, 0, (2, 0)))), 56, "ends at 0x1fff and begins at 0x2000", True),
        (a_dmar(rmrr(0x2000, 0x2FFE, scope(1, 0, 0, (2, 0)))), 56, "no whole number of pages", True),
        (a_dmar(rmrr(0x2000, 0x2FFF)), 48, "names no device", True),
        (a_dmar(structure(4, b"\0\0\0\x01abc")), 56, "has no end", True),
        (a_dmar(width=8), 36, "8 bits", True),
        (a_dmar()[:9] + b"\x77" + a_dmar()[10:], 9, "checksum", True),
        (a_dmar() + b"\0\0", 4, "50 bytes were read", True),
        (SMALL_DMAR[:100], 100, f"100 of the {len(SMALL_DMAR)} bytes", False),
        (SMALL_DMAR[:20], 20, "ends in its header", False),
        (b"DMAR" + b"\x08" + bytes(60), 4, "its header alone takes 48", False),
        (an_ivrs(b"\x10\0\0\0"), 48, "block of type 16 has length 0", False),
        (an_ivrs(ivhd(0x10, 2)[:2] + b"\x10\0" + bytes(12)), 48, "IVHD of type 10h has length 16", False),
        (an_ivrs(ivhd(0x10, 2, base=0)), 56, "address zero", True),
        (an_ivrs(ivhd(0x10, 2, entry(4, 9))), 72, "began nowhere", True),
        (an_ivrs(ivhd(0x10, 2, entry(3, 9))), 72, "has no end", True),
        (an_ivrs(ivhd(0x10, 2, entry(3, 9), entry(4, 8))), 76, "began at 0000:00:01.1", True),
        (an_ivrs(ivhd(0x10, 2, entry(0x42, 9))), 72, "passes the end of its block", False),
        (an_ivrs(ivhd(0x40, 2, HID[:-1])), 88, "passes the end of its block", False),
        (an_ivrs(ivhd(0x40, 2, entry(0xF0, 0))), 88, "passes the end of its block", False),
        (an_ivrs(ivhd(0x40, 2, entry(0xF7, 0))), 88, "whose length is not known", False),
        (an_ivrs(ivhd(0x40, 2, entry(0x21, 0))), 88, "unknown type 21h", True),
        (an_ivrs(ivhd(0x40, 2, special(1, 0xA0, 7))), 95, "unknown variety 7", True),
        (an_ivrs(ivmd(0x22, 1, 9, 8, 0x1000, 0x1000)), 52, "is no range", True),
        (an_ivrs(ivmd(0x21, 1, 9, 0, 0x1000, 0)), 64, "0x0 bytes", True),
        (an_ivrs(ivmd(0x21, 1, 9, 0, 0, 0)[:2] + b"\x08\0" + bytes(4)), 48, "IVMD of type 21h has length 8", False),
        (seal(head(b"APIC", bytes(8)) + b"\x01\0"), 44, "entry of type 1 has length 0", False),
        (seal(head(b"APIC", bytes(8)) + b"\x01\x04\0\0"), 44, "IOAPIC has length 4", True),
    ],
)  # fmt: skip
def test_a_bad_table_is_told_by_the_offset(table: bytes, offset: int, word: str, complete: bool) -> None:
    found = facts(table)
    told = [flaw for flaw in found.defects if flaw.offset == offset and word in flaw.what]
    assert told, list(found.defects)
    assert told[0].source.text == f"{told[0].table} offset {offset}: {told[0].what}"
    assert all(one.complete is complete for one in found.tables)
    if told[0].table != "APIC":
        assert found.units.complete is complete and found.reserved.complete is complete


def test_many_defects_are_counted() -> None:
    found = facts(a_dmar(*[drhd(0)] * 300))
    assert (len(found.defects), len(found.units)) == (51, 300)
    assert found.defects[-1].what == "250 more defects from here on"


def test_what_is_no_table_is_a_defect_and_no_fact() -> None:
    found = acpi.read(Evidence("directory", "d", [Piece(TABLES + "DMAR", "", "d", None, binary=b"\x7fELF\0\0")]))
    assert [flaw.what for flaw in found.defects] == ["the signature is not DMAR"]
    assert not found.tables and not found.units.complete and not found.width.known


def test_without_a_table_nothing_is_known_and_without_any_in_the_listing_there_is_none() -> None:
    found = acpi.read(Evidence("paste", "p", []))
    assert not found.interrupt_remapping.known and found.interrupt_remapping.wanted == (
        TABLES + "DMAR",
        TABLES + "IVRS",
    )
    assert not found.units.complete and not found.defects.complete
    listed = acpi.read(Evidence("directory", "d", [Piece(TABLES, "APIC\nIVRS", "d")]))
    assert listed.units.wanted == (TABLES + "IVRS",)
    none = acpi.read(Evidence("directory", "d", [Piece(TABLES, "APIC\nFACP", "d")]))
    assert none.units.complete and none.interrupt_remapping.value is None


@pytest.mark.parametrize("table", [SMALL_DMAR, SMALL_IVRS])
def test_a_cut_table_never_claims_to_be_whole(table: bytes) -> None:
    whole = facts(table)
    for size in range(4, len(table)):
        found = facts(table[:size])
        assert not found.units.complete and any(flaw.offset <= size for flaw in found.defects)
        assert found.southbridge_ioapic.value is not False and found.unmapped_ioapics.value is UNKNOWN
        assert len(found.units) <= len(whole.units) and len(found.reserved) <= len(whole.reserved)
        assert all(one.checksum_ok is None for one in found.tables)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    for table in (data, b"DMAR" + data, b"IVRS" + data, b"APIC" + data, a_dmar(data), an_ivrs(data)):
        assert len(dmar.read(table).structures) * 4 <= len(table)
        assert len(ivrs.read(table).blocks) * 4 <= len(table)
        assert len(madt.read(table).ioapics) * 12 <= len(table)
        everything(facts(table))


@settings(deadline=None)
@given(st.sampled_from([SMALL_DMAR, SMALL_IVRS]), st.data())
def test_no_change_of_a_table_makes_it_raise(table: bytes, data: st.DataObject) -> None:
    changed = bytearray(table)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(4, len(table) - 1))
        changed[at] = data.draw(st.sampled_from([0, 1, 2, 0x10, 0x7F, 0xF0, 0xFF]) | st.integers(0, 255))
    found = facts(bytes(changed))
    everything(found)
    offsets = [flaw.offset for flaw in found.defects]
    assert offsets == sorted(offsets) and all(0 <= offset <= len(table) for offset in offsets)


def everything(found: acpi.Acpi) -> None:
    """Asks all that can be asked."""
    for address in ("0000:00:14.0", "0001:00:02.0", "x"):
        found.unit_of(address)
        found.reserved_for(address)


SCOPES = st.lists(
    st.tuples(
        st.sampled_from([1, 2, 3, 4, 5]), st.integers(0, 255), st.integers(0, 255),
        st.lists(st.tuples(st.integers(0, 31), st.integers(0, 7)), min_size=1, max_size=3),
    ),
    max_size=3,
)  # fmt: skip


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 0xFFFF), st.integers(1, 1 << 40), SCOPES), max_size=5))
def test_what_is_written_is_read(units: list[Any]) -> None:
    packed = [drhd(b << 12, e, s, *[scope(k, n, bus, *path) for k, n, bus, path in sc]) for e, s, b, sc in units]
    found = dmar.read(a_dmar(*packed))
    kinds = {1: "endpoint", 2: "bridge", 3: "ioapic", 4: "hpet", 5: "namespace"}
    assert [(one.everything, one.segment, one.base >> 12) for one in found.units] == [one[:3] for one in units]
    told = [[(s.kind, s.enumeration, s.bus, list(s.path)) for s in one.scopes] for one in found.units]
    assert told == [[(kinds[kind], *rest) for kind, *rest in one[3]] for one in units]
    assert found.defects == ()


# --- text


def acpidump(data: bytes) -> str:
    name = data[:4].decode("latin-1")
    return f"{name} @ 0x0000000000000000\n" + "".join(
        f"    {at:04X}: {' '.join(f'{one:02X}' for one in data[at : at + 16]):<47}  {letters(data[at : at + 16])}\n"
        for at in range(0, len(data), 16)
    )


def letters(data: bytes) -> str:
    return "".join(chr(one) if 32 <= one < 127 else "." for one in data)


def xxd(data: bytes) -> str:
    rows = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        pairs = " ".join(row[i : i + 2].hex() for i in range(0, len(row), 2))
        rows.append(f"{at:08x}: {pairs:<39}  {letters(row)}")
    return "\n".join(rows)


def canonical(data: bytes) -> str:
    rows, last, starred = [], b"", False
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        if row == last and len(row) == 16:
            rows += [] if starred else ["*"]
            starred = True
            continue
        last, starred = row, False
        left, right = (" ".join(f"{one:02x}" for one in half) for half in (row[:8], row[8:]))
        rows.append(f"{at:08x}  {left:<23}  {right:<23}  |{letters(row)}|")
    return "\n".join([*rows, f"{len(data):08x}"])


def hexdump(data: bytes) -> str:
    rows = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        row += bytes(len(row) % 2)
        rows.append(f"{at:07x} " + " ".join(row[i : i + 2][::-1].hex() for i in range(0, len(row), 2)))
    return "\n".join([*rows, f"{len(data):07x}"])


def od(data: bytes) -> str:
    rows = [f"{at:07o} " + " ".join(f"{one:02x}" for one in data[at : at + 16]) for at in range(0, len(data), 16)]
    return "\n".join([*rows, f"{len(data):07o}"])


PRINTERS = [acpidump, xxd, canonical, hexdump, od]


def read(text: str) -> list[Dump]:
    return dumps(enumerate(text.split("\n")))


@given(st.sampled_from(PRINTERS), st.binary(max_size=100), st.sampled_from([b"DMAR", b"IVRS", b"APIC"]))
def test_bytes_survive_being_printed(printer: Any, data: bytes, name: bytes) -> None:
    data += bytes(len(data) % 2)
    (found,) = read(printer(name + data))
    assert found.data == name + data and not found.gap


@pytest.mark.parametrize("printer", PRINTERS)
def test_a_row_of_equal_bytes(printer: Any) -> None:
    table = a_dmar(structure(77, bytes(200)), drhd(4096))
    (found,) = read(printer(table))
    assert found.data == table


def test_a_missing_row_ends_the_table() -> None:
    rows = xxd(SMALL_DMAR).split("\n")
    (found,) = read("\n".join(rows[:4] + rows[5:]))
    assert found.gap and found.data == SMALL_DMAR[:64]


def test_of_several_tables_those_that_matter() -> None:
    other = acpidump(b"FACP" + bytes(40))
    text = other + "\n" + acpidump(SMALL_DMAR) + "\n" + other + "\n" + acpidump(a_madt(2))
    assert [(one.name, one.data) for one in read(text)] == [("DMAR", SMALL_DMAR), ("APIC", a_madt(2))]


DECODED = """DMAR
----
[000h 0000   4]                    Signature : "DMAR"    [DMA Remapping table]
[004h 0004   4]                 Table Length : 00000064
[008h 0008   1]                     Revision : 01
[009h 0009   1]                     Checksum : C6
[00Ah 0010   6]                       Oem ID : "INTEL "
[010h 0016   8]                 Oem Table ID : "EDK2"
[018h 0024   4]                 Oem Revision : 00000003
[01Ch 0028   4]              Asl Compiler ID : "BRXT"
[020h 0032   4]        Asl Compiler Revision : 0100000D
[024h 0036   1]           Host Address Width : 26
[025h 0037   1]                        Flags : 05
[026h 0038  10]                     Reserved : 00 00 00 00 00 00 00 00 00 00

[030h 0048   2]                Subtable Type : 0004 [ACPI Namespace Device Declaration]
[032h 0050   2]                       Length : 0014
[034h 0052   3]                     Reserved : 000000
[037h 0055   1]                Device Number : 01
[038h 0056  10]                  Device Name : "\\_SB.SDMA"

[044h 0068   2]                Subtable Type : 0000 [Hardware Unit Definition]
[046h 0070   2]                       Length : 0020
[048h 0072   1]        Flags (decoded below) : 00
                             Include PCI All : 0
[049h 0073   1]                     Reserved : 00
[04Ah 0074   2]           PCI Segment Number : 0000
[04Ch 0076   8]        Register Base Address : 00000000FED65000
[054h 0084   1]            Device Scope Type : 03 [IOAPIC Device]
[055h 0085   1]                 Entry Length : 08
[056h 0086   2]                     Reserved : 0000
[058h 0088   1]               Enumeration ID : 01
[059h 0089   1]               PCI Bus Number : FA
[05Ah 0090   2]                     PCI Path : 1F,00
[05Ch 0092   1]            Device Scope Type : 01 [PCI Endpoint Device]
[05Dh 0093   1]                 Entry Length : 08
[05Eh 0094   2]                     Reserved : 0000
[060h 0096   1]               Enumeration ID : 00
[061h 0097   1]               PCI Bus Number : 00
[062h 0098   2]                     PCI Path : 02,00
"""


@pytest.mark.parametrize("later", [False, True])
def test_iasl_says_it_in_words(later: bool) -> None:
    text = DECODED
    if later:  # since 2023 lengths are hexadecimal
        text = "\n".join(
            f"{line[:10]} {int(line[11:14]):03X}h]{line[15:]}" if line[:1] == "[" else line for line in text.split("\n")
        )
    found = acpi.read(open_paste(text.encode(), "p.txt"))
    (table,) = found.tables
    assert (table.checksum_ok, table.complete, list(found.defects)) == (None, True, [])
    assert (found.protected.value, found.named, found.ioapics[0].address) == (True, (), "0000:fa:1f.0")
    (unit,) = found.units
    assert (unit.base, unit.everything, unit.scopes[1].address) == (0xFED65000, False, "0000:00:02.0")
    line = text.split("\n").index(next(row for row in text.split("\n") if "[044h" in row)) + 1
    assert (unit.source.line, unit.source.source) == (line, "p.txt")


def test_the_bytes_below_iasls_words_win() -> None:
    text = DECODED + "\nRaw Table Data: Length 100 (0x64)\n" + acpidump(SMALL_DMAR).partition("\n")[2]
    assert [(one.data, one.told) for one in read(text)] == [(SMALL_DMAR, False)]


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *("DMAR @ 0x0000000000000000", "*", "0000: 44 4D 41 52", "00000010  01 02", "0000000 4d44 5241", "["),
                *('[000h 0000   4]  Signature : "IVRS"', "[004h 0004 0FFh] X : 00", "[FFFFFFFFh 0 255] A : 1", "[0h"),
                "00000000:",
            ]
        )
        | st.text(alphabet='0123456789abcdef :*[]h"|@\\x00é', max_size=60),
        max_size=12,
    )
)
def test_no_text_makes_it_raise(lines: list[str]) -> None:
    assert all(one.name in ("DMAR", "IVRS", "APIC") for one in dumps(enumerate(lines)))
    everything(acpi.read(Evidence("paste", "p", [Piece("cmd/acpidump", "\n".join(lines), "p")])))


def test_a_long_dump_takes_its_time_and_no_more() -> None:
    def took(factor: int) -> float:
        text = acpidump(b"SSDT" + bytes(40_000 * factor)) + acpidump(a_dmar(*[drhd(4096)] * 1000 * factor))
        best = 1e9
        for _ in range(3):
            start = time.process_time()
            acpi.read(Evidence("paste", "p", [Piece("cmd/acpidump", text, "p")]))
            best = min(best, time.process_time() - start)
        return best

    took(1)
    assert took(4) < 10 * took(1) + 0.05


# --- as people hand it in


@pytest.mark.parametrize("printer", [acpidump, xxd, canonical, lambda data: DECODED.partition("Raw")[0]])
@pytest.mark.parametrize("change", ["", "\r\n", "  \n", "quoted"])
def test_a_table_in_a_paste(printer: Any, change: str) -> None:
    text = "See below, thanks!\n\n" + printer(SMALL_DMAR)
    if change == "quoted":
        text = "\n".join("> " + line for line in text.split("\n"))
    elif change:
        text = text.replace("\n", change)
    host = Host(open_paste(text.encode(), "p.txt"), load(None))
    expected = 1 if "Host Address" in text else 2
    assert len(host.acpi.units) == expected and not host.acpi.defects
    assert host.iommu.table.value is True and host.iommu.table.sources[0].line in (3, 4, 5)


@pytest.mark.parametrize(
    ("command", "printer"),
    [
        ("sudo xxd /sys/firmware/acpi/tables/IVRS", xxd),
        ("hexdump -C /sys/firmware/acpi/tables/IVRS", canonical),
        ("hexdump /sys/firmware/acpi/tables/IVRS", hexdump),
        ("od -tx1 /sys/firmware/acpi/tables/IVRS", od),
        ("cat /sys/firmware/acpi/tables/IVRS | xxd", xxd),
        ("sudo acpidump -n IVRS", acpidump),
    ],
)
def test_a_table_below_its_command(command: str, printer: Any) -> None:
    text = f"root@pve:~# {command}\n{printer(SMALL_IVRS)}\nroot@pve:~# uname -r\n6.8.12-4-pve\n"
    opened = open_paste(text.encode(), "p.txt")
    found = acpi.read(opened)
    assert [unit.address for unit in found.units] == ["0000:00:00.2"] and not found.defects
    assert not opened.pieces("text/other")


@pytest.mark.parametrize("table", [SMALL_DMAR, SMALL_IVRS, SMALL_DMAR[:60]])
def test_a_table_as_a_file(table: bytes, tmp_path: Path) -> None:
    file = tmp_path / "table.bin"
    file.write_bytes(table)
    host = Host(open_input(str(file)), load(None))
    assert host.iommu.table.value is True and host.iommu.table.sources[0].source == "table.bin"
    assert bool(host.acpi.defects) is (len(table) == 60)


def test_a_log_that_begins_with_the_tables_name_is_a_log(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_text("DMAR: IOMMU enabled\n")
    assert open_input(str(file)).pieces("cmd/dmesg")


@pytest.mark.skipif(not REAL.is_dir(), reason="real tables are not here")
def test_real_tables() -> None:
    for file in REAL.glob("*.bin"):
        data = file.read_bytes()
        found = facts(data)
        assert all(one.complete and one.checksum_ok for one in found.tables) and len(found.tables) == 1
        for text in (file.with_suffix(".acpidump.txt"), file.with_suffix(".decoded.txt")):
            if text.exists() and not file.name.endswith(".madt.bin"):
                (raw,) = acpi.tables(open_input(str(text))).values()
                assert raw.data == data, text
        told = file.with_suffix(".source.json")
        if not told.exists():
            continue
        decoded = json.loads(told.read_text())["decoded"]
        if "rmrr" in decoded:
            ranges = [(int(one["base"], 16), int(one["limit"], 16)) for one in decoded["rmrr"]]
            assert [(one.start, one.end) for one in found.reserved] == ranges
            assert [hex(one.base) for one in found.units] == [one["base"] for one in decoded["drhd"]]
            places = [[f"0000:{scope['path']}" for scope in one["scope"]] for one in decoded["drhd"]]
            assert [[scope.route for scope in one.scopes] for one in found.units] == places
