"""What hardware groups with a device, whatever an ACS override makes of it; and modprobe.d lines against VFIO."""

from __future__ import annotations

from pathlib import Path

import pytest

from doctor.evidence.open import open_input
from doctor.evidence.types import Evidence, Piece
from doctor.facts.fact import Fact
from doctor.facts.host import Host
from doctor.facts.separation import joined
from doctor.facts.target import TargetFacts
from doctor.knowledge.store import load

SAMPLES = Path(__file__).parents[2] / "samples"


def asked(host: Host, address: str) -> Fact:
    device = host.pci.get(address)
    assert device is not None
    return joined(host.pci, device)


@pytest.mark.parametrize(
    ("name", "address", "expected"),
    [
        ("lab-intel.tar.gz", "0000:01:00.0", []),
        ("lab/group-behind-bridge.tar.gz", "0000:02:02.0", ["0000:02:01.0"]),
        ("lab/group-ports-without-acs.tar.gz", "0000:01:00.0", ["0000:02:00.0"]),
    ],
)
def test_the_kernel_made_the_same_groups(name: str, address: str, expected: list[str]) -> None:
    host = Host(open_input(str(SAMPLES / name)), load())
    found = asked(host, address)
    assert [one.address for one in found.value] == expected
    members = host.pci.members(host.pci.get(address).group.value)  # type: ignore[union-attr]
    slot = address.rpartition(".")[0]
    kept = [one.address for one in members if (one.class_ or "")[:2] != "06" and one.slot != slot]
    assert sorted(kept) == expected


def test_it_is_unknown_without_capabilities() -> None:
    text = "00:01.0 PCI bridge [0604]: Intel [8086:a70d]\n01:00.0 VGA compatible controller [0300]: X [10de:2203]"
    host = Host(Evidence("paste", "p", [Piece("cmd/lspci-nnk", text, "p", 1, "lspci -nnk")]), load())
    assert not asked(host, "0000:01:00.0").known


def test_devices_that_an_id_would_take_too() -> None:
    text = (
        "03:00.0 Ethernet controller [0200]: Intel [8086:125c]\n\tKernel driver in use: igc\n"
        "04:00.0 Ethernet controller [0200]: Intel [8086:125c]\n\tKernel driver in use: igc"
    )
    host = Host(Evidence("paste", "p", [Piece("cmd/lspci-nnk", text, "p", 1, "lspci -nnk")]), load())
    target = TargetFacts(host, "0000:04:00.0", "", False, {})
    assert [one.address for one in target.alike] == ["0000:03:00.0"]
    assert TargetFacts(host, "0000:09:00.0", "", False, {}).alike == ()


def test_lines_that_keep_vfio_out() -> None:
    lines = "blacklist vfio-pci\nblacklist nouveau\ninstall vfio_iommu_type1 /bin/true\ninstall vfio echo x"
    host = Host(Evidence("paste", "p", [Piece("etc/modprobe.d/x.conf", lines, "p")]), load())
    assert list(host.modprobe.vfio_blacklisted.value) == ["vfio_pci"]
    assert list(host.modprobe.vfio_blocked.value) == ["vfio_iommu_type1"]
    assert host.modprobe.vfio_blocked.sources[0].line == 3
