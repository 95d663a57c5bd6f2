"""What the kernel has, which of the host's devices bypass the IOMMU, whose ATS is on, and what the host is called."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.evidence.types import EXCERPT, Evidence, Piece
from doctor.facts import hostname
from doctor.facts.fact import UNKNOWN
from doctor.facts.given import Given
from doctor.facts.host import Host
from doctor.facts.support import Support
from doctor.facts.target import TargetFacts
from doctor.knowledge.store import load

KNOWLEDGE = load()
ALL = ("INTEL_IOMMU", "AMD_IOMMU", "IRQ_REMAP", "VFIO", "VFIO_PCI", "VFIO_IOMMU_TYPE1")
INTEL, AMD = "vendor_id : GenuineIntel", "vendor_id : AuthenticAMD"
IR = "  24:   0   0  IR-PCI-MSI-0000:00:1c.0    0-edge  PCIe PME"


def host(pieces: dict[str, str], state: str = "whole") -> Host:
    return Host(
        Evidence("directory", "d", [Piece(path, text, path, state=state) for path, text in pieces.items()]), KNOWLEDGE
    )


def config(*off: str, on: tuple[str, ...] = ()) -> str:
    return "\n".join(f"# CONFIG_{name} is not set" if name in off else f"CONFIG_{name}=y" for name in (*ALL, *on))


def support(*off: str, on: tuple[str, ...] = (), cpu: str = "") -> Support:
    """What a kernel has that was built without `off`."""
    pieces = {"boot/config-6.1.0": config(*off, on=on)}
    return host({**pieces, "proc/cpuinfo": cpu} if cpu else pieces).support


def shape(found: Support) -> tuple[object, object, object, tuple[str, ...]]:
    return found.iommu.value, found.remapping.value, found.vfio.value, tuple(found.lacking.value)


def test_all_is_there_and_cited() -> None:
    found = support()
    assert shape(found) == (True, True, True, ())
    assert found.remapping.sources[0].line == 3


@pytest.mark.parametrize(
    ("off", "cpu", "parts"),
    [
        (("INTEL_IOMMU",), INTEL, (False, True, True)),
        (("INTEL_IOMMU",), AMD, (True, True, True)),
        (("AMD_IOMMU",), AMD, (False, True, True)),
        (("INTEL_IOMMU",), "", (UNKNOWN, True, True)),
        (("INTEL_IOMMU", "AMD_IOMMU"), "", (False, True, True)),
        (("IRQ_REMAP",), INTEL, (True, False, True)),
        (("VFIO",), INTEL, (True, True, False)),
        (("VFIO_PCI",), INTEL, (True, True, False)),
        (("VFIO_IOMMU_TYPE1",), INTEL, (True, True, False)),
    ],
)
def test_what_is_off_is_lacking_for_this_cpu(off: tuple[str, ...], cpu: str, parts: tuple[object, ...]) -> None:
    found = support(*off, cpu=cpu)
    assert (found.iommu.value, found.remapping.value, found.vfio.value) == parts
    lacking = [f"CONFIG_{name}" for name in off] if False in parts else []
    assert list(found.lacking.value) == lacking
    assert len(found.lacking.sources) == len(lacking)


def test_iommufd_maps_memory_as_well() -> None:
    assert support("VFIO_IOMMU_TYPE1", on=("IOMMUFD",)).vfio.value is True


def test_nothing_known_is_unknown_and_says_what_would_tell() -> None:
    found = host({"proc/cmdline": "quiet"}).support
    assert shape(found)[:3] == (UNKNOWN, UNKNOWN, UNKNOWN)
    assert found.remapping.wanted == ("boot/config-{release}",)
    assert not found.lacking.value.complete


def test_an_excerpt_proves_only_what_it_shows() -> None:
    found = host({"boot/config-6.1.0": "# CONFIG_IRQ_REMAP is not set"}, EXCERPT).support
    assert shape(found) == (UNKNOWN, False, UNKNOWN, ("CONFIG_IRQ_REMAP",))


def test_what_is_at_work_beats_the_configuration_and_contradicts_it() -> None:
    lsmod = "Module Size Used by\nvfio_pci 16384 0\nvfio_iommu_type1 40960 0\nvfio 36864 2"
    found = host(
        {
            "boot/config-6.1.0": config(*ALL),
            "sys/class/iommu/": "dmar0",
            "proc/interrupts": IR,
            "cmd/lsmod": lsmod,
            "proc/cpuinfo": INTEL,
        }
    ).support
    assert shape(found) == (True, True, True, ())
    names = ("INTEL_IOMMU", "IRQ_REMAP", "VFIO", "VFIO_PCI", "VFIO_IOMMU_TYPE1")
    assert [one.fact for one in found.contradictions] == [f"CONFIG_{name} off" for name in names]
    assert all(len(one.sources) >= 2 for one in found.contradictions)


def test_what_is_at_work_needs_no_configuration() -> None:
    lsmod = "Module Size Used by\nvfio_pci 16384 0\nvfio_iommu_type1 40960 0\nvfio 36864 2"
    found = host({"sys/class/iommu/": "dmar0", "proc/interrupts": IR, "cmd/lsmod": lsmod}).support
    assert shape(found) == (True, True, True, ())
    assert found.contradictions == ()


def test_an_iommu_that_is_off_says_nothing_of_the_build() -> None:
    found = host({"sys/class/iommu/": "", "sys/kernel/iommu_groups/": ""}).support
    assert found.iommu.value is UNKNOWN


def sysfs(**types: str) -> dict[str, str]:
    """Three devices: a network card in group 7, a card of a guest in group 1, and a bridge in group 2."""
    base = "sys/bus/pci/devices/"
    pieces = {base: "0000:00:01.0\n0000:00:1f.6\n0000:01:00.0"}
    for address, kind, group, driver in (
        ("0000:00:1f.6", "0x020000", 7, "e1000e"),
        ("0000:01:00.0", "0x030000", 1, "vfio-pci"),
        ("0000:00:01.0", "0x060400", 2, "pcieport"),
    ):
        pieces[f"{base}{address}/class"] = kind
        pieces[f"{base}{address}/iommu_group"] = f"../../{group}"
        pieces[f"{base}{address}/driver"] = f"../{driver}"
    pieces.update({f"sys/kernel/iommu_groups/{name[1:]}/type": value for name, value in types.items()})
    return pieces


@pytest.mark.parametrize(
    ("types", "devices", "complete"),
    [
        ({"g7": "identity", "g1": "DMA", "g2": "DMA"}, ["0000:00:1f.6"], True),
        ({"g7": "DMA-FQ", "g1": "identity", "g2": "identity"}, [], True),
        ({"g7": "DMA"}, [], True),
        ({"g1": "identity"}, [], False),
        ({}, [], False),
    ],
)
def test_only_the_hosts_own_devices_count(types: dict[str, str], devices: list[str], complete: bool) -> None:
    found = host(sysfs(**types)).host_dma
    assert [device.address for device in found.identity.value] == devices
    assert found.complete.value is complete
    assert bool(found.identity.sources) == bool(devices)


def test_ats_of_those_that_are_given_away() -> None:
    text = (
        "01:00.0 VGA compatible controller [0300]: X [10de:2204]\n"
        "\tCapabilities: [1e0] Address Translation Service (ATS)\n"
        "\t\tATSCap:\tInvalidate Queue Depth: 00\n\t\tATSCtl:\tEnable+, Smallest Translation Unit: 00\n"
        "02:00.0 Ethernet controller [0200]: Y [8086:1521]\n\tKernel driver in use: igb\n"
    )
    piece = Piece("cmd/lspci-nnk", text, "p", 1, "lspci -nnvv")
    seen = Host(Evidence("paste", "p", [piece]), KNOWLEDGE)
    targets = [
        TargetFacts(seen, address, "", False, {}) for address in ("0000:01:00.0", "0000:02:00.0", "0000:09:00.0")
    ]
    found = Given(targets)
    assert tuple(found.ats_on.value) == ("0000:01:00.0",)
    assert [source.line for source in found.ats_on.sources] == [4]
    assert not found.ats_on.value.complete
    assert targets[2].ats_on.wanted == ("sys/bus/pci/devices/0000:09:00.0/config",)
    assert Given(targets[:1]).ats_on.value.complete


@pytest.mark.parametrize(
    ("pieces", "name"),
    [
        ({"proc/sys/kernel/hostname": "pve1\n"}, "pve1"),
        ({"etc/hostname": "pve2.lan\n"}, "pve2.lan"),
        ({"cmd/uname-a": "Linux pve3 6.8.12-9-pve #1 SMP x86_64 GNU/Linux"}, "pve3"),
        ({"cmd/hostnamectl": "   Static hostname: pve4\n         Icon name: computer"}, "pve4"),
        ({"proc/sys/kernel/hostname": "two words"}, None),
        ({"proc/sys/kernel/hostname": ""}, None),
        ({"cmd/uname-a": "6.8.12-9-pve"}, None),
        ({"proc/sys/kernel/hostname": "<img>"}, None),
        ({}, None),
    ],
)
def test_the_hosts_name(pieces: dict[str, str], name: str | None) -> None:
    found = hostname.read(Evidence("paste", "p", [Piece(path, text, "p") for path, text in pieces.items()]))
    assert found.value == name if name else found.value is UNKNOWN
    assert bool(found.sources) == bool(name)


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=120))
def test_no_text_raises(text: str) -> None:
    paths = (
        "proc/sys/kernel/hostname",
        "cmd/uname-a",
        "cmd/hostnamectl",
        "boot/config-6.1.0",
        "sys/kernel/iommu_groups/7/type",
    )
    seen = host(dict.fromkeys(paths, text) | {"sys/bus/pci/devices/": "0000:00:1f.6"})
    assert seen.hostname.value is UNKNOWN or seen.hostname.value in text
    assert isinstance(seen.support, Support)
    assert len(seen.host_dma.identity.value) <= 1
