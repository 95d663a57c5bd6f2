"""Configuration spaces: what is read from bytes, what stays unknown, and that no bytes can harm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.evidence.types import Source
from doctor.facts.capabilities import Acs, Bar, Buses, Capabilities, Rebar, Rom, Window, joined, nothing
from doctor.facts.configspace import classic, extended, read
from doctor.facts.fact import UNKNOWN


def cite(place: int) -> Source:
    return Source("config", "c", None, hex(place))


def parse(data: bytes) -> Capabilities:
    return read(data, cite, "config")


def build(
    header: dict[int, int] | None = None,
    caps: list[tuple[int, bytes]] | None = None,
    beyond: list[tuple[int, bytes]] | None = None,
    size: int = 4096,
) -> bytes:
    """A configuration space: header bytes by place, capabilities as id and body after the next pointer."""
    data = bytearray(size)
    data[0:4] = bytes.fromhex("86801a19")
    place, before = 0x40, 0x34
    for number, body in caps or []:
        data[0x06] |= 0x10
        data[before] = place
        data[place] = number
        data[place + 2 : place + 2 + len(body)] = body
        before, place = place + 1, place + 2 + len(body) + 3 & ~3
    place = 0x100
    for index, (number, body) in enumerate(beyond or []):
        after = place + 4 + len(body) + 3 & ~3
        following = after if index + 1 < len(beyond or []) else 0
        data[place : place + 4] = (number | 1 << 16 | following << 20).to_bytes(4, "little")
        data[place + 4 : place + 4 + len(body)] = body
        place = after
    for at, byte in (header or {}).items():
        data[at] = byte
    return bytes(data[:size])


def express(kind: int, slot: bool = False, flr: bool = False) -> tuple[int, bytes]:
    return 0x10, (2 | kind << 4 | slot << 8).to_bytes(2, "little") + (flr << 28).to_bytes(4, "little")


def two(*words: int) -> bytes:
    return b"".join(word.to_bytes(2, "little") for word in words)


PORT = build({0x0E: 1}, [express(4, slot=True)], [(0x01, bytes(40)), (0x0D, two(0x1F, 0x1D))])


def test_a_port_with_acs() -> None:
    found = parse(PORT)
    assert (found.pcie_type.value, found.slot.value) == ("root port", True)
    assert found.acs_bits.value == Acs(0x1F, 0x1D)
    assert found.acs_bits.value.missing == ()
    assert found.acs_bits.sources == (cite(0x130),)
    assert [found.ats.value, found.sriov.value, found.af_flr.value, found.pm_reset.value] == [False] * 4


@pytest.mark.parametrize(
    ("size", "express_known", "acs_known"), [(64, False, False), (256, True, False), (4096, True, True)]
)
def test_what_is_not_readable_is_unknown(size: int, express_known: bool, acs_known: bool) -> None:
    found = parse(PORT[:size])
    assert (found.pcie.known, found.pcie_type.known, found.flr.known) == (express_known,) * 3
    assert (found.acs.known, found.acs_bits.known, found.sriov.known) == (acs_known,) * 3
    assert found.acs.wanted == (() if acs_known else ("config",))
    assert found.header.value == 1


def test_a_device_without_a_list_has_no_capability() -> None:
    found = parse(build(size=64))
    assert (found.pcie.value, found.pcie_type.value, found.acs.value, found.acs_bits.value) == (
        False,
        None,
        False,
        None,
    )


def test_conventional_pci_has_nothing_beyond_256_bytes() -> None:
    found = parse(build(caps=[(0x01, two(0, 8))], size=256))
    assert (found.acs.value, found.sriov.value, found.pm_reset.value) == (False, False, False)


def test_a_device_that_is_off_reads_as_ones() -> None:
    assert not parse(b"\xff" * 256).known
    cut_off = bytearray(PORT)
    cut_off[0x100:] = b"\xff" * (4096 - 256)
    found = parse(bytes(cut_off))
    assert found.pcie.value is True
    assert not found.acs.known


def test_a_virtual_function_reads_ones_for_its_ids_only() -> None:
    assert parse(build({0: 0xFF, 1: 0xFF, 2: 0xFF, 3: 0xFF}, [express(0, flr=True)])).flr.value is True


def test_intel_keeps_acs_elsewhere_in_the_100_series() -> None:
    registers = (0x0F).to_bytes(4, "little") + (0x0D).to_bytes(4, "little")
    found = parse(build({2: 0x10, 3: 0xA1}, [express(4)], [(0x0D, registers)]))
    assert found.acs_bits.value == Acs(0x0F, 0x0D, True)
    other = parse(build({2: 0x20, 3: 0xA1}, [express(4)], [(0x0D, registers)]))
    assert other.acs_bits.value == Acs(0x0F, 0)
    assert parse(build({2: 0x10, 3: 0xA1}, [express(4)], [(0x0D, registers)])[:0x108]).acs_bits.value is UNKNOWN


@pytest.mark.parametrize(("byte", "capable"), [(0, False), (1, False), (2, False), (3, True), (0xFF, True)])
def test_af_flr_needs_both_bits(byte: int, capable: bool) -> None:
    assert parse(build(caps=[(0x13, bytes([6, byte]))])).af_flr.value is capable


@pytest.mark.parametrize(("csr", "reset", "power"), [(0, True, "D0"), (8, False, "D0"), (3, True, "D3hot")])
def test_pm_reset(csr: int, reset: bool, power: str) -> None:
    found = parse(build(caps=[(0x01, two(3, csr))]))
    assert (found.pm_reset.value, found.power.value) == (reset, power)


def test_what_lies_beyond_256_bytes() -> None:
    rebar = (0xF0).to_bytes(4, "little") + (1 << 5 | 3 << 8 | 2).to_bytes(4, "little")
    sriov = bytes(8) + two(8, 7, 3, 0)
    beyond = [(0x0F, two(0, 0x8000)), (0x1B, two(0, 1)), (0x10, sriov), (0x15, rebar)]
    found = parse(build(caps=[express(0)], beyond=beyond))
    assert (found.ats.value, found.ats_on.value, found.pasid_on.value) == (True, True, True)
    assert (found.vfs_total.value, found.vfs.value) == (7, 3)
    assert found.rebars.value == (Rebar(2, 8 << 20, (1 << 20, 2 << 20, 4 << 20, 8 << 20)),)


def test_bars_rom_and_a_bridges_windows() -> None:
    bars = {0x04: 3, 0x10: 0x0C, 0x13: 0xE0, 0x17: 0x01, 0x18: 0x01, 0x19: 0x30, 0x30: 0x01, 0x32: 0xFE}
    found = parse(build(bars))
    assert list(found.bars.value) == [
        Bar(0, "memory", 0x1000000E0000000 & 0x01000000E0000000, UNKNOWN, True, True, True),
        Bar(2, "io", 0x3000, UNKNOWN, enabled=True),
    ]
    assert not found.bars.value.complete
    assert found.rom.value == Rom(0xFE0000, True)
    assert found.buses.value is None
    windows = {0x0E: 1, 0x19: 2, 0x1A: 5, 0x1C: 0xE0, 0x1D: 0xE0, 0x21: 0xF6, 0x23: 0xF7, 0x24: 0xF1, 0x25: 0xFF}
    bridge = parse(build(windows))
    assert bridge.buses.value == Buses(0, 2, 5)
    assert list(bridge.windows.value) == [Window("io", 0xE000, 0xEFFF), Window("memory", 0xF6000000, 0xF70FFFFF)]


@pytest.mark.parametrize(
    "pointers", [{0x34: 0x40, 0x40: 0x09, 0x41: 0x40}, {0x34: 0x40, 0x40: 9, 0x41: 0x44, 0x44: 9, 0x45: 0x40}]
)
def test_a_loop_ends_the_walk_and_leaves_the_rest_unknown(pointers: dict[int, int]) -> None:
    data = build({0x06: 0x10, **pointers}, size=256)
    assert not classic(data).complete
    assert not parse(data).pcie.known


def test_a_loop_beyond_256_bytes() -> None:
    data = bytearray(PORT)
    data[0x100:0x104] = (1 | 1 << 16 | 0x100 << 20).to_bytes(4, "little")
    assert not extended(bytes(data)).complete
    assert not parse(bytes(data)).acs.known


@settings(deadline=None)
@given(st.binary(max_size=4200))
def test_no_bytes_raise(data: bytes) -> None:
    assert len(parse(data)) == len(Capabilities._fields)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 255)), max_size=40), st.integers(0, 4096))
def test_a_mutated_space_ends_and_knows_no_more_when_cut(changes: list[tuple[int, int]], size: int) -> None:
    data = bytearray(PORT)
    for place, byte in changes:
        data[place] = byte
    whole, cut = parse(bytes(data)), parse(bytes(data[:size]))
    for name in ("pcie_type", "slot", "acs_bits", "flr", "af_flr", "pm_reset", "sriov", "header", "buses"):
        known = getattr(cut, name)
        if known.known:
            assert known.value == getattr(whole, name).value or not getattr(whole, name).known, name


KINDS = {
    0: "endpoint",
    1: "legacy endpoint",
    4: "root port",
    5: "upstream port",
    6: "downstream port",
    9: "integrated endpoint",
}


@settings(deadline=None)
@given(
    st.sampled_from(sorted(KINDS)), st.booleans(), st.booleans(), st.integers(0, 0x7F), st.integers(0, 0x7F),
    st.lists(st.sampled_from([(0x05, bytes(12)), (0x01, two(3, 8)), (0x11, bytes(10)), (0x09, bytes(6))]), max_size=3),
    st.booleans(),
)  # fmt: skip
def test_what_is_built_is_read(
    kind: int, slot: bool, flr: bool, can: int, on: int, others: list[tuple[int, bytes]], first: bool
) -> None:
    caps: list[Any] = [express(kind, slot, flr), *others] if first else [*others, express(kind, slot, flr)]
    found = parse(build(caps=caps, beyond=[(0x01, bytes(44)), (0x0D, two(can, on)), (0x19, bytes(16))]))
    assert (found.pcie_type.value, found.slot.value, found.flr.value) == (KINDS[kind], slot, flr)
    assert found.acs_bits.value == Acs(can, on)


def test_sources_are_joined_fact_by_fact() -> None:
    first, second = parse(PORT[:256]), parse(PORT)
    both = joined([first, second], "config")
    assert both.acs_bits == second.acs_bits
    assert both.pcie_type == first.pcie_type
    assert joined([], "config") == nothing("config")
