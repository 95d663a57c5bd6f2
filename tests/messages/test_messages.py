"""The templates of `rules/messages/`: each finds its own samples, and claims only what a claim can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from doctor.facts.complete import PLACES
from doctor.facts.messages import scan
from doctor.knowledge.compile import compile_messages

FOLDER = Path(__file__).parents[2] / "rules" / "messages"
TEMPLATES = compile_messages(FOLDER)
ENTRIES: list[dict[str, Any]] = [
    entry for path in sorted(FOLDER.glob("*.yaml")) for entry in yaml.safe_load(path.read_text("utf-8"))
]
NAMES = [entry["event"] for entry in ENTRIES]
KEYS = {
    "event", "lines", "place", "proves", "strength", "always", "versions", "harmless", "note", "source",
    "samples", "aims", "then", "then_text",
}  # fmt: skip
FLAGS = {
    "firmware.table", "iommu.active", "interrupts.remapped", "groups.present", "iommu.passthrough",
    "cpu.virtualization",
}  # fmt: skip
ONLY_TRUE = {
    "machine.guest", "vfio.loaded", "echo.intel_iommu_on", "echo.intel_iommu_off", "echo.amd_iommu_off",
}  # fmt: skip
STRENGTHS = {"proof", "strong", "weak", "none", "negative"}


def _found(line: str) -> dict[str, dict[str, str]]:
    """The events in one line, with their holes."""
    return {event.name: event.fields for event in scan(line, TEMPLATES)}


def test_names_are_unique() -> None:
    assert sorted(NAMES) == sorted(set(NAMES))


@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_entry_is_well_formed(entry: dict[str, Any]) -> None:
    assert set(entry) <= KEYS
    assert entry["place"] in PLACES
    assert entry["strength"] in STRENGTHS
    assert entry.get("always", "any") in ("intel", "amd", "any")
    assert entry["event"].replace("_", "").isalnum() and entry["event"] == entry["event"].lower()
    for claim, value in entry.get("proves", {}).items():
        if claim == "machine.vendor":
            assert value in ("intel", "amd")
        else:
            assert claim in FLAGS | ONLY_TRUE and isinstance(value, bool)
            assert value or claim not in ONLY_TRUE
    assert entry.get("always") is None or entry["strength"] == "proof"


@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_every_wording_has_a_sample_that_it_finds(entry: dict[str, Any]) -> None:
    own = next(template for template in TEMPLATES if template["event"] == entry["event"])
    for sample in entry["samples"]:
        assert [event.name for event in scan(sample, [own])] == [entry["event"]], sample
    for wording in own["wordings"]:
        alone = [{**own, "wordings": [wording]}]
        assert any(scan(sample, alone) for sample in entry["samples"]), f"no sample reaches {wording[1]}"


@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_no_sample_contradicts_itself(entry: dict[str, Any]) -> None:
    claims = {event["event"]: event.get("proves", {}) for event in ENTRIES}
    for sample in entry["samples"]:
        said: dict[str, Any] = {}
        for name in _found(sample):
            for claim, value in claims[name].items():
                assert said.setdefault(claim, value) == value, (claim, sample)


@pytest.mark.parametrize("entry", [e for e in ENTRIES if "harmless" in e], ids=lambda e: str(e["event"]))
def test_a_harmless_line_alarms_nobody(entry: dict[str, Any]) -> None:
    claims = {event["event"]: event.get("proves", {}) for event in ENTRIES}
    for sample in entry["samples"]:
        for name in _found(sample):
            bad = [claim for claim, value in claims[name].items() if value is False]
            assert not bad, (name, bad, sample)
    assert entry["harmless"].strip().endswith(".")


@pytest.mark.parametrize(
    ("line", "event", "fields"),
    [
        (
            "[ 0.08] DMAR: dmar0: reg_base_addr fed90000 ver 1:0 cap c0000020660462 ecap f0101a",
            "intel_unit",
            {"unit": "dmar0", "base": "fed90000", "ver": "1:0", "cap": "c0000020660462", "ecap": "f0101a"},
        ),
        ("[ 0.1] DMAR-IR: Enabled IRQ remapping in xapic mode", "ir_intel_on", {"mode": "xapic"}),
        (
            "[ 0.1] AMD-Vi: [Firmware Bug]: : IOAPIC[33] not in IVRS table",
            "amd_ioapic_not_in_ivrs",
            {"ioapic": "33"},
        ),
        (
            "[ 0.5] pci 10000:e1:00.0: Adding to iommu group 9",
            "group_new",
            {"device": "10000:e1:00.0", "group": "9"},
        ),
        (
            "[ 9.0] DMAR: [DMA Read] Request device [01:00.2] fault addr bdf6f000 [fault reason 06] PTE",
            "dma_fault",
            {"operation": "Read", "device": "01:00.2", "address": "bdf6f000", "reason": "06", "text": "PTE"},
        ),
        (
            "nvme 0000:01:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0c address=0xff flags=0x50]",
            "amd_fault",
            {"device": "0000:01:00.0", "domain": "0x0c", "address": "0xff", "flags": "0x50"},
        ),
        (
            "-devicevfio-pci,host=02:00.0,bus=root.1:vfio: error, group 1 is not viable, please ensure",
            "qemu_not_viable",
            {"device": "02:00.0", "rest": ",bus=root.1:vfio: error,", "group": "1"},
        ),
        (
            "kvm: vfio 0000:44:00.0: failed to open /dev/vfio/47: No such file or directory",
            "qemu_group_open_failed",
            {"device": "0000:44:00.0", "group": "47", "error": "No such file or directory"},
        ),
    ],
)
def test_holes(line: str, event: str, fields: dict[str, str]) -> None:
    assert _found(line)[event] == fields


@pytest.mark.parametrize(
    ("line", "never"),
    [
        ("DMAR: IOMMU enabled", "iommu.active"),
        ("DMAR: Host address width 39", "iommu.active"),
        ("DMAR: dmar0: reg_base_addr fed90000 ver 1:0 cap c0000020660462 ecap f0101a", "iommu.active"),
        ("DMAR-IR: Enabled IRQ remapping in x2apic mode", "iommu.active"),
        ("DMAR: DRHD: handling fault status reg 2", "iommu.active"),
        ("DMAR: IOMMU feature eim_support inconsistent", "iommu.active"),
        ("iommu: Default domain type: Translated", "iommu.active"),
        ("PCI-DMA: Using software bounce buffering for IO (SWIOTLB)", "iommu.active"),
        ("PCI-DMA: using GART IOMMU.", "iommu.active"),
        ("AMD-Vi: Unknown option - 'on'", "machine.vendor"),
        ("AMD-Vi: AMD IOMMUv2 functionality not available on this system", "machine.vendor"),
        ("DMAR: IOMMU enabled", "machine.vendor"),
        ("x2apic: IRQ remapping doesn't support X2APIC mode", "interrupts.remapped"),
        ("DMAR-IR: x2apic is disabled because BIOS sets x2apic opt out bit.", "interrupts.remapped"),
        ("Kernel is locked down from EFI Secure Boot; see man kernel_lockdown.7", "vfio.loaded"),
    ],
)
def test_what_a_line_does_not_prove(line: str, never: str) -> None:
    claims = {event["event"]: event.get("proves", {}) for event in ENTRIES}
    found = _found(line)
    assert found
    assert not [name for name in found if never in claims[name]]
