"""Names from a pci.ids, where no listing was there to name anything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.evidence.types import Evidence, Piece
from doctor.facts import pciids
from doctor.facts.messages import Log
from doctor.facts.pci import Pci
from doctor.facts.pciids import name

DATA = b"""# a comment
10de  NVIDIA Corporation
\t2484  GA104 [GeForce RTX 3070]
\t\t1458 404b  a subsystem
\t228b  GA104 High Definition Audio Controller
10df  Emulex Corporation
\t0720  OneConnect NIC
"""
GPU = "0000:01:00.0"
BASE = f"sys/bus/pci/devices/{GPU}/"
IDS = (Piece(BASE + "vendor", "0x10de"), Piece(BASE + "device", "0x2484"))


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ("10de:228b", "NVIDIA Corporation GA104 High Definition Audio Controller"),
        ("10df:0720", "Emulex Corporation OneConnect NIC"),
        ("10de:0720", None),
        ("ffff:0720", None),
        ("10de:", None),
        ("1458:404b", None),
    ],
)
def test_names(ids: str, expected: str | None) -> None:
    assert name(DATA, ids) == expected


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    name(b"10de  N\n" + data, "10de:2484")
    name(data, "10de:2484")


def host(*pieces: Piece) -> Pci:
    evidence = Evidence("directory", "d", pieces)
    return Pci(evidence, Log(evidence, []))


def test_a_hosts_own_file_names_its_devices_if_no_listing_does() -> None:
    own = Piece("usr/share/misc/pci.ids", DATA.decode())
    found = host(*IDS, own).get(GPU)
    assert found is not None
    assert found.name == "NVIDIA Corporation GA104 [GeForce RTX 3070]"


def test_it_is_not_opened_while_all_have_names_or_a_listing_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("the file was opened")

    monkeypatch.setattr(pciids, "open_names", refuse)
    listing = Piece("cmd/lspci-nnk", "01:00.0 VGA compatible controller [0300]: NVIDIA Corporation Device [10de:2484]")
    host(listing, *IDS)
    host(Piece("sys/bus/pci/devices/", GPU))


def test_only_of_the_live_host_is_this_machines_file_read() -> None:
    assert pciids.open_names(Evidence("bundle", "b", ())) is None
