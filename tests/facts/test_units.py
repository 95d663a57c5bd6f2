"""IOMMU units and groups by their own files in sysfs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.evidence.open import open_input
from doctor.evidence.types import ABSENT, Evidence, Piece
from doctor.facts.fact import Fact
from doctor.facts.units import Units, read

LAB = Path(__file__).resolve().parents[2] / "samples" / "lab"
INTEL, AMD = "sys/class/iommu/dmar0/intel-iommu/", "sys/class/iommu/ivhd0/amd-iommu/"
GROUP = "sys/kernel/iommu_groups/7/"


def units(**texts: str) -> Units:
    return read(Evidence("directory", "d", [Piece(path, text, "d") for path, text in texts.items()]))


def registers(base: str, **files: str) -> dict[str, Fact]:
    pieces = [Piece("sys/class/iommu/", base.split("/")[3], "d")]
    pieces += [Piece(base + name, text, "d") for name, text in files.items()]
    (unit,) = read(Evidence("directory", "d", pieces)).units
    return {name: getattr(unit, name) for name in unit._fields if isinstance(getattr(unit, name), Fact)}


@pytest.mark.parametrize(
    ("ecap", "name", "value"),
    [
        ("8", "remaps_interrupts", True),
        ("7", "remaps_interrupts", False),
        ("10", "x2apic", True),
        ("4", "device_tlb", True),
        ("40", "passthrough", True),
        ("10000000000", "pasid", True),
        ("f050da", "pasid", False),
    ],
)
def test_what_an_intel_unit_can(ecap: str, name: str, value: bool) -> None:
    fact = registers(INTEL, ecap=ecap)[name]
    assert fact.value is value and fact.sources[0].path == INTEL + "ecap"


def test_the_other_register_of_an_intel_unit() -> None:
    facts = registers(INTEL, cap="d2008c22260286", version="1:0")
    assert (facts["virtual"].value, facts["width"].value, facts["version"].value) == (True, 39, "1:0")
    assert facts["posted_interrupts"].value is False
    assert not facts["remaps_interrupts"].known  # it stands in the register that was not read


def test_what_an_amd_unit_can() -> None:
    # As Linux prints it before 6.1, and with the second register since.
    for features in ("246577efa2254afa", "246577efa2254afa:0"):
        facts = registers(AMD, features=features, cap="5000000")
        assert (facts["remaps_interrupts"].value, facts["remaps_interrupts"].weak) == (True, True)
        assert facts["x2apic"].value is False and facts["posted_interrupts"].value is True
        assert facts["device_tlb"].value is True and facts["virtual"].value is True


@pytest.mark.parametrize("text", ["", "zz", "0x", "f" * 17, ":1", "\0"])
def test_what_is_no_register_is_unknown(text: str) -> None:
    assert not any(fact.known for fact in registers(INTEL, cap=text, ecap=text).values())


def test_no_unit_and_no_listing_are_told_apart() -> None:
    none = read(Evidence("directory", "d", [Piece("sys/class/iommu/", "", "d")])).units
    unseen = read(Evidence("directory", "d", [])).units
    assert (none, none.complete) == ((), True) and (unseen, unseen.complete) == ((), False)


def test_a_device_names_its_unit() -> None:
    link = Piece("sys/bus/pci/devices/0000:01:00.0/iommu", "../../virtual/iommu/dmar1", "d")
    found = read(Evidence("directory", "d", [link]))
    assert found.owners["0000:01:00.0"].value == "dmar1"
    assert [(unit.name, tuple(unit.devices)) for unit in found.units] == [("dmar1", ("0000:01:00.0",))]


def test_regions_kinds_and_lines() -> None:
    text = "0x00000000df7e0000 0x00000000df7fffff direct\nnonsense\n0x00000000fee00000 0x00000000feefffff msi\n"
    found = units(**{GROUP + "reserved_regions": text, GROUP + "type": "DMA-FQ"}).group(7)
    assert found is not None and found.domain.value == "DMA-FQ"
    assert [(hex(one.start), hex(one.end), one.kind) for one in found.reserved.value] == [
        ("0xdf7e0000", "0xdf7fffff", "direct"),
        ("0xfee00000", "0xfeefffff", "msi"),
    ]
    assert [source.line for source in found.reserved.sources] == [1, 3]
    assert not found.name.known


def test_a_name_that_is_known_not_to_be_there() -> None:
    pieces = [Piece(GROUP + "type", "DMA", "d"), Piece(GROUP + "name", state=ABSENT)]
    found = read(Evidence("bundle", "d", pieces)).group(7)
    assert found is not None and found.name == Fact(None, found.name.sources)


@pytest.mark.parametrize(("name", "unit"), [("healthy-intel", "dmar0"), ("healthy-amd", "ivhd0")])
def test_recorded_machines(name: str, unit: str) -> None:
    found = read(open_input(str(LAB / f"{name}.tar.gz")))
    assert [one.name for one in found.units] == [unit]
    assert found.units[0].remaps_interrupts.value is True
    assert "0000:01:00.0" in found.units[0].devices
    assert found.groups and all(group.domain.known and group.reserved.known for group in found.groups)


@given(st.text(max_size=60))
def test_never_raises(text: str) -> None:
    paths = [INTEL + "cap", AMD + "features", GROUP + "reserved_regions", GROUP + "type", "sys/class/iommu/"]
    read(Evidence("directory", "d", [Piece(path, text, "d") for path in paths]))
