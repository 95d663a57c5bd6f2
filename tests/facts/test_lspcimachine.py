"""The formats of lspci for machines, and its tree."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.evidence.paste import open_paste
from doctor.evidence.types import Piece
from doctor.facts.fact import UNKNOWN
from doctor.facts.lspci import read
from doctor.facts.lspcimachine import tree

from .timing import grows_linearly

VMM = """Slot:\t0000:01:00.0
Class:\tVGA compatible controller [0300]
Vendor:\tNVIDIA Corporation [10de]
Device:\tGA104 [GeForce RTX 3070] [2484]
SVendor:\tGigabyte [1458]
SDevice:\tDevice [404b]
Rev:\ta1
Driver:\tvfio-pci
Module:\tnvidiafb
Module:\tnouveau
IOMMUGroup:\t15

Slot:\t10000:e1:00.0
Class:\tNon-Volatile memory controller
Vendor:\tSamsung Electronics Co Ltd
Device:\tDevice a80a
"""
TREE = """-+-[10000:e0]-+-06.0-[e1]----00.0  Samsung
 |            \\-1f.0  Intel
 \\-[0000:00]-+-00.0  Intel Corporation Device [8086:4650]
             +-01.0-[01-05]--+-00.0  NVIDIA Corporation GA104
             |               \\-00.1  NVIDIA Corporation
             +-1c.0-[06]--
             +-1d.0-[07-0a]----00.0-[08-0a]--+-01.0-[09]----00.0  Realtek
             |                               \\-02.0-[0a]----00.0
             \\-1f.3  Intel
"""


def test_vmm() -> None:
    first, second = read(Piece("cmd/lspci-nnk", VMM, command="lspci -vmmnnk"))
    assert (first.address, first.ids, first.class_, first.revision) == ("0000:01:00.0", "10de:2484", "0300", "a1")
    assert first.name == "NVIDIA Corporation GA104 [GeForce RTX 3070]"
    assert (first.driver, first.group, first.modules) == ("vfio-pci", 15, ("nvidiafb", "nouveau"))
    assert first.driver_source.line == 8
    assert (second.address, second.ids, second.class_, second.driver) == ("10000:e1:00.0", None, "0108", None)


@pytest.mark.parametrize(
    ("words", "ids", "revision"),
    [
        (
            '"VGA compatible controller [0300]" "NVIDIA [10de]" "GA104 [2484]" -ra1 -p00 "A [1458]" ""',
            "10de:2484",
            "a1",
        ),
        ('"0300" "10de" "2484" -ra1 "1458" "404b"', "10de:2484", "a1"),
        ('"VGA compatible controller" "NVIDIA Corporation" "GA104 [GeForce RTX 3070]" "" ""', None, None),
    ],
)
def test_mm(words: str, ids: str | None, revision: str | None) -> None:
    (entry,) = read(Piece("cmd/lspci-nnk", "01:00.0 " + words))
    assert (entry.address, entry.ids, entry.class_, entry.revision) == ("0000:01:00.0", ids, "0300", revision)
    assert entry.driver is UNKNOWN


def test_vm_names_the_slot_as_a_device() -> None:
    first, second = read(Piece("cmd/lspci-nnk", VMM.replace("Slot:", "Device:")))
    assert (first.address, first.ids, first.driver) == ("0000:01:00.0", "10de:2484", "vfio-pci")
    assert second.address == "10000:e1:00.0"


def test_a_tree_tells_who_is_above_whom() -> None:
    found = {place.address: place.parent for place in tree(Piece("cmd/lspci-nnk", TREE))}
    assert found == {
        "10000:e0:06.0": None,
        "10000:e1:00.0": "10000:e0:06.0",
        "10000:e0:1f.0": None,
        "0000:00:00.0": None,
        "0000:00:01.0": None,
        "0000:01:00.0": "0000:00:01.0",
        "0000:01:00.1": "0000:00:01.0",
        "0000:00:1c.0": None,
        "0000:00:1d.0": None,
        "0000:07:00.0": "0000:00:1d.0",
        "0000:08:01.0": "0000:07:00.0",
        "0000:09:00.0": "0000:08:01.0",
        "0000:08:02.0": "0000:07:00.0",
        "0000:0a:00.0": "0000:08:02.0",
        "0000:00:1f.3": None,
    }


def test_a_tree_whose_blanks_were_folded_is_not_guessed_at() -> None:
    folded = "\n".join(" ".join(line.split()) for line in TREE.splitlines())
    whole = {place.address: place.parent for place in tree(Piece("cmd/lspci-nnk", TREE))}
    for place in tree(Piece("cmd/lspci-nnk", folded)):
        assert whole.get(place.address, place.parent) == place.parent


@pytest.mark.parametrize("text", [VMM, TREE])
def test_they_are_recognised_without_a_command(text: str) -> None:
    pasted = open_paste(f"hello, here is my machine\n\n{text}\nthanks".encode(), "p")
    piece = pasted.last("cmd/lspci-nnk")
    assert piece is not None
    assert piece.text.strip().startswith(text.strip().splitlines()[0].strip())
    assert text.strip().splitlines()[-1].strip() in piece.text


@settings(deadline=None)
@given(st.text(alphabet="-+|\\[]0123456789abcdef.: \t\n", max_size=400))
def test_no_tree_raises(text: str) -> None:
    tree(Piece("cmd/lspci-nnk", "-[0000:00]-+-00.0\n" + text))


@settings(deadline=None)
@given(st.text(alphabet='SlotClasVendrDi:\t \n"[]0123456789abcdef.-', max_size=400))
def test_no_machine_format_raises(text: str) -> None:
    read(Piece("cmd/lspci-nnk", "Slot:\t01:00.0\n" + text + '\n01:00.0 "' + text))


def test_time_is_linear() -> None:
    for text in (TREE * 150, VMM * 150, "-[0000:00]" * 4000, "\n".join(["-[0000:00]-+-00.0-[01]-"] * 2000)):
        assert grows_linearly(lambda given: tree(Piece("cmd/lspci-nnk", given)), text)
        assert grows_linearly(lambda given: read(Piece("cmd/lspci-nnk", given)), text)
