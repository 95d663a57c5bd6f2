"""Who is above whom, what isolates, and why functions share a group."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from doctor.evidence.open import open_input
from doctor.evidence.types import Evidence, Piece
from doctor.facts.capabilities import Capabilities
from doctor.facts.fact import UNKNOWN
from doctor.facts.messages import Log
from doctor.facts.pci import Device, Pci
from doctor.facts.topology import Merge
from doctor.knowledge.store import load

from .test_configspace import build, express, two

LAB = Path(__file__).parents[2] / "samples/lab"
ROOT, GPU, AUDIO, DISK = "0000:00:01.0", "0000:01:00.0", "0000:01:00.1", "0000:03:00.0"
GROUPED = """IOMMU Group 1 00:01.0 PCI bridge [0604]: Intel [8086:1901]
IOMMU Group 1 01:00.0 VGA compatible controller [0300]: NVIDIA [10de:2484]
IOMMU Group 1 01:00.1 Audio device [0403]: NVIDIA [10de:228b]
"""


@pytest.fixture(scope="module")
def templates() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = load()["messages"]
    return found


def pci(templates: list[dict[str, Any]], *pieces: Piece, complete: bool = False) -> Pci:
    evidence = Evidence("directory", "d", pieces, complete=complete)
    return Pci(evidence, Log(evidence, templates))


def config(address: str, data: bytes) -> Piece:
    return Piece(f"sys/bus/pci/devices/{address}/config", binary=data)


def bridge(secondary: int, subordinate: int | None = None, acs: tuple[int, int] | None = None, kind: int = 4) -> bytes:
    beyond = [(0x0D, two(*acs))] if acs is not None else [(0x01, bytes(8))]
    header: dict[int, int] = {0x0E: 1, 0x19: secondary, 0x1A: subordinate or secondary}
    return build(header, [express(kind)] if kind >= 0 else [(0x01, two(3, 0))], beyond)


def device(found: Pci, address: str) -> Device:
    one = found.get(address)
    assert one is not None
    return one


def listing(text: str) -> Piece:
    return Piece("cmd/lspci-nnk", text, "p", 1, "lsiommu")


def test_bus_numbers_tell_the_parent(templates: list[dict[str, Any]]) -> None:
    found = pci(templates, listing(GROUPED), config(ROOT, bridge(1)))
    assert device(found, GPU).parent.value == ROOT
    assert device(found, ROOT).parent.value is None
    assert not device(pci(templates, listing(GROUPED)), GPU).parent.known


def test_paths_and_trees_tell_the_parent(templates: list[dict[str, Any]]) -> None:
    link = "l 1 root root 0 May 1 0000:01:00.0 -> ../../../devices/pci0000:00/0000:00:01.0/0000:01:00.0"
    assert device(pci(templates, Piece("sys/bus/pci/devices/", link), listing(GROUPED)), GPU).parent.value == ROOT
    tree = Piece("cmd/lspci-nnk", "-[0000:00]-+-00.0\n           \\-01.0-[01]--+-00.0\n", command="lspci -t")
    assert device(pci(templates, listing(GROUPED), tree), GPU).parent.value == ROOT


@pytest.mark.parametrize(
    ("acs", "reason"),
    [(None, "port without ACS"), ((0x1F, 0), "port with ACS off"), ((0x1F, 0x1D), "port that does not isolate")],
)
def test_a_port_is_named(acs: tuple[int, int] | None, reason: str, templates: list[dict[str, Any]]) -> None:
    found = pci(templates, listing(GROUPED), config(ROOT, bridge(1, acs=acs)))
    told = device(found, GPU).merged_by
    assert told.value == Merge(reason, ROOT)
    assert told.sources
    assert device(found, GPU).lookup("merged_by").value.lookup("address") == ROOT


def test_the_port_nearest_the_root_is_to_blame(templates: list[dict[str, Any]]) -> None:
    text = GROUPED.replace("01:00", "02:00") + "IOMMU Group 1 01:00.0 PCI bridge [0604]: x [1b21:1184]\n"
    good = config(GPU, bridge(2, acs=(0x1D, 0x1D), kind=6))
    found = pci(templates, listing(text), config(ROOT, bridge(1, 2)), good)
    assert device(found, "0000:02:00.0").merged_by.value == Merge("port without ACS", ROOT)


@pytest.mark.parametrize("kind", [7, -1])
def test_a_conventional_bus_comes_first(kind: int, templates: list[dict[str, Any]]) -> None:
    text = GROUPED.replace("01:00", "02:00") + "IOMMU Group 1 01:00.0 PCI bridge [0604]: x [1b21:1080]\n"
    found = pci(templates, listing(text), config(ROOT, bridge(1, 2)), config(GPU, bridge(2, kind=kind)))
    assert device(found, "0000:02:00.0").merged_by.value == Merge("conventional bridge", GPU)


def test_functions_of_one_card(templates: list[dict[str, Any]]) -> None:
    text = GROUPED.replace("Group 1 00", "Group 0 00")
    found = pci(templates, listing(text), config(ROOT, bridge(1, acs=(0x1D, 0x1D))))
    assert device(found, GPU).merged_by.value == Merge("functions without ACS", "0000:01:00")
    assert device(found, ROOT).merged_by.value is None


def test_a_lone_bridge_in_the_group_is_to_blame_even_if_nothing_is_known_of_it(
    templates: list[dict[str, Any]],
) -> None:
    told = device(pci(templates, listing(GROUPED)), GPU).merged_by
    assert (told.value, told.weak) == (Merge("port that does not isolate", ROOT), True)
    two_bridges = GROUPED + "IOMMU Group 1 00:01.1 PCI bridge [0604]: Intel [8086:1905]\n"
    assert not device(pci(templates, listing(two_bridges)), GPU).merged_by.known


def test_unknown_groups_give_no_reason(templates: list[dict[str, Any]]) -> None:
    one = device(pci(templates, config(GPU, build(caps=[express(0)]))), GPU)
    assert one.merged_by.value is UNKNOWN
    assert one.merged_by.wanted


@pytest.mark.parametrize(
    ("ids", "data", "isolates"),
    [
        ("8086:1901", bridge(1), False),
        ("8086:1901", bridge(1, acs=(0x1D, 0x1D)), True),
        ("8086:1901", bridge(1, acs=(0x04, 0x04)), True),
        ("8086:1901", bridge(1, acs=(0x1F, 0x0D)), False),
        ("8086:1901", bridge(1)[:64], UNKNOWN),
        ("8086:8c10", bridge(1), UNKNOWN),
        ("10de:2484", build(caps=[express(0)]), True),
        ("10de:2484", build({0x0E: 0x80}, [express(0)]), False),
        ("8086:1521", build({0x0E: 0x80}, [express(0)]), True),
        ("8086:9a13", build({0x0E: 0x80}, [express(9)]), True),
        ("1b21:1080", bridge(2, kind=7), False),
        ("8086:2922", build(), False),
    ],
)
def test_what_isolates(ids: str, data: bytes, isolates: Any, templates: list[dict[str, Any]]) -> None:
    vendor, _, number = ids.partition(":")
    base = f"sys/bus/pci/devices/{GPU}/"
    pieces = (Piece(base + "vendor", "0x" + vendor), Piece(base + "device", "0x" + number), config(GPU, data))
    assert device(pci(templates, *pieces), GPU).isolates.value is isolates


def test_the_kernels_workaround_counts(templates: list[dict[str, Any]]) -> None:
    base = f"sys/bus/pci/devices/{ROOT}/"
    log = Piece("cmd/dmesg", "[    0.5] pci 0000:00:01.0: Intel PCH root port ACS workaround enabled")
    ids = (Piece(base + "vendor", "0x8086"), Piece(base + "device", "0x8c10"))
    found = pci(templates, log, *ids, config(ROOT, bridge(1)))
    assert device(found, ROOT).isolates.value is True


def test_a_virtual_function_needs_no_acs(templates: list[dict[str, Any]]) -> None:
    base = f"sys/bus/pci/devices/{AUDIO}/"
    found = pci(templates, Piece(base + "physfn", "../" + GPU), config(AUDIO, build(caps=[express(0)])))
    assert device(found, AUDIO).isolates.value is True


def test_two_sources_that_group_differently_are_told_once(templates: list[dict[str, Any]]) -> None:
    log = Piece("cmd/dmesg", f"[ 0.5] pci {GPU}: Adding to iommu group 7\n[ 0.5] pci {AUDIO}: Adding to iommu group 7")
    found = pci(templates, log, listing(GROUPED))
    assert device(found, GPU).group.value == 1
    assert [told.fact for told in found.contradictions] == [f"IOMMU group of {GPU} and of 1 more devices"]
    assert pci(templates, log).contradictions == []


@pytest.mark.parametrize("told", [False, True])
def test_proxmox_hides_bridges_unless_told_not_to(told: bool, templates: list[dict[str, Any]]) -> None:
    rows = "│ class │ device │ id │ iommugroup │ vendor │\n│ 0x030000 │ 0x2484 │ 0000:01:00.0 │ 1 │ 0x10de │"
    command = "pvesh get /nodes/pve/hardware/pci" + ' --pci-class-blacklist ""' * told
    found = pci(templates, Piece("cmd/iommu-groups", rows, "p", 1, command))
    assert device(found, GPU).ids == "10de:2484"
    assert found.members(1).complete is told


def test_resets_and_sizes_come_from_sysfs(templates: list[dict[str, Any]]) -> None:
    base = f"sys/bus/pci/devices/{GPU}/"
    rows = ["0x00000000f6000000 0x00000000f6ffffff 0x0000000000040200"] + ["0x0 0x0 0x0"] * 5
    rom = "0x00000000000c0000 0x00000000000dffff 0x0000000000000212"
    found = pci(
        templates,
        Piece(base + "reset_method", "flr bus"),
        Piece(base + "resource", "\n".join([*rows, rom])),
        Piece(base + "sriov_totalvfs", "7"),
        Piece(base + "sriov_numvfs", "2"),
        config(GPU, build({0x04: 2, 0x13: 0xF6}, [express(0, flr=True)])[:256]),
    )
    one = device(found, GPU)
    assert one.reset_methods.value == ("flr", "bus")
    known = one.capabilities
    assert [(bar.number, bar.address, bar.size) for bar in known.bars.value] == [(0, 0xF6000000, 1 << 24)]
    assert (known.rom.value.address, known.rom.value.size) == (0xC0000, 0x20000)
    assert (known.vfs_total.value, known.vfs.value, known.sriov.value, known.flr.value) == (7, 2, True, True)
    assert not device(pci(templates, listing(GROUPED)), GPU).reset_methods.known


def partition(found: Pci) -> set[frozenset[str]]:
    """The groups that the kernel's algorithm makes of what each device says of itself."""
    together: dict[str, set[str]] = {one.address: {one.address} for one in found.all()}

    def join(one: str, other: str) -> None:
        both = together[one] | together[other]
        for address in both:
            together[address] = both

    def isolates(address: str) -> bool:
        return device(found, address).isolates.value is True

    for one in found.all():
        path, whole = found.topology.above(one.address)
        assert whole
        here = one.address
        for place, above in enumerate(path):
            kind = device(found, above).capabilities.pcie_type.value
            if kind in (None, "PCIe to PCI bridge") or not all(isolates(each) for each in path[place:]):
                join(here, above)
                here = above
        if found.multifunction(device(found, here)).value is True and not isolates(here):
            for other in found.slot(here):
                if not isolates(other.address):
                    join(here, other.address)
    return {frozenset(group) for group in together.values()}


@pytest.mark.parametrize("name", sorted(path.name.removesuffix(".tar.gz") for path in LAB.glob("*.tar.gz")))
def test_real_kernels_group_as_the_capabilities_say(name: str, templates: list[dict[str, Any]]) -> None:
    truth = json.loads((LAB / f"{name}.truth.json").read_text("utf-8"))["devices"]
    evidence = open_input(str(LAB / f"{name}.tar.gz"))
    found = Pci(evidence, Log(evidence, templates))
    formed: dict[int, set[str]] = {}
    for address, one in truth.items():
        known = [field for field in Capabilities._fields if getattr(device(found, address).capabilities, field).known]
        # The host bridge's file ends at byte 256 although it need not be conventional.
        assert len(known) >= (12 if one["class"].startswith("0600") else 23), address
        if one["group"] is not None:
            formed.setdefault(one["group"], set()).add(address)
    grouped = set().union(*formed.values()) if formed else set()
    predicted = {group & grouped for group in partition(found)} - {frozenset()}
    assert predicted == {frozenset(group) for group in formed.values()}


REAL = Path(__file__).parents[3] / "shared/real/lspci"


@pytest.mark.skipif(not REAL.is_dir(), reason="no real listings here")
def test_real_machines_group_as_their_listings_say(templates: list[dict[str, Any]]) -> None:
    compared = 0
    for path in sorted(REAL.glob("*.lspci")):
        found = pci(templates, Piece("cmd/lspci-nnk", path.read_text("utf-8", "replace"), state="excerpt"))
        formed: dict[int, set[str]] = {}
        for one in found.all():
            if one.group.known and one.group.value is not None:
                formed.setdefault(one.group.value, set()).add(one.address)
        ports = [one for one in found.all() if one.class_ == "0604"]
        denied = "access denied" in path.read_text("utf-8", "replace")
        unsure = any(one.capabilities.acs.value is True and not one.capabilities.acs_bits.known for one in ports)
        if len(formed) > 1 and not denied and not unsure and all(one.parent.known for one in found.all()):
            compared += 1
            grouped = set().union(*formed.values())
            predicted = {group & grouped for group in partition(found)} - {frozenset()}
            assert predicted == {frozenset(group) for group in formed.values()}, path.name
    assert compared >= 5
