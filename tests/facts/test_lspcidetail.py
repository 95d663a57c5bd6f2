"""Capabilities in lspci's words and hex dumps, and that the two agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.evidence.paste import open_paste
from doctor.evidence.types import Piece
from doctor.facts.capabilities import ACS_BITS, Acs, Bar, Buses, Capabilities, Rebar, Rom, Window
from doctor.facts.configspace import read as read_bytes
from doctor.facts.fact import UNKNOWN
from doctor.facts.lspcidetail import read

from .test_configspace import PORT, build, cite, express, two
from .timing import grows_linearly

ADDRESS = "0000:01:00.0"
CARD = """01:00.0 Ethernet controller [0200]: Intel Corporation 82599ES [8086:10fb] (rev 01)
\tSubsystem: Intel Corporation Ethernet Server Adapter X520-2 [8086:000c]
\tControl: I/O+ Mem+ BusMaster+ SpecCycle- MemWINV- VGASnoop- ParErr- Stepping- SERR- FastB2B- DisINTx+
\tStatus: Cap+ 66MHz- UDF- FastB2B- ParErr- DEVSEL=fast >TAbort- <TAbort- <MAbort- >SERR- <PERR- INTx-
\tIOMMU group: 15
\tRegion 0: Memory at f7d80000 (64-bit, prefetchable) [size=512K]
\tRegion 2: I/O ports at e020 [size=32]
\tRegion 4: Memory at <unassigned> (64-bit, prefetchable) [disabled]
\tExpansion ROM at f7d00000 [disabled] [size=512K]
\tCapabilities: [40] Power Management version 3
\t\tFlags: PMEClk- DSI+ D1- D2- AuxCurrent=0mA PME(D0+,D1-,D2-,D3hot+,D3cold-)
\t\tStatus: D0 NoSoftRst- PME-Enable- DSel=0 DScale=1 PME-
\tCapabilities: [a0] Express (v2) Endpoint, MSI 00
\t\tDevCap:\tMaxPayload 512 bytes, PhantFunc 0, Latency L0s <512ns, L1 <64us
\t\t\tExtTag- AttnBtn- AttnInd- PwrInd- RBE+ FLReset+ SlotPowerLimit 0.000W
\t\tDevCtl:\tReport errors: Correctable+ Non-Fatal+ Fatal+ Unsupported+
\t\t\tRlxdOrd+ ExtTag- PhantFunc- AuxPwr- NoSnoop+ FLReset-
\tCapabilities: [100 v1] Advanced Error Reporting
\tCapabilities: [150 v1] Alternative Routing-ID Interpretation (ARI)
\tCapabilities: [160 v1] Single Root I/O Virtualization (SR-IOV)
\t\tIOVCtl:\tEnable+ Migration- Interrupt- MSE+ ARIHierarchy+
\t\tInitial VFs: 64, Total VFs: 64, Number of VFs: 4, Function Dependency Link: 00
\t\tRegion 0: Memory at 0000000000000000 (64-bit, prefetchable)
\tCapabilities: [bb0 v1] Physical Resizable BAR
\t\tBAR 0: current size: 16MB, supported: 16MB 32MB
\tKernel driver in use: ixgbe
"""


def parse(text: str, command: str | None = "lspci -nnvv", **more: Any) -> Capabilities:
    return read(Piece("cmd/lspci-nnk", text, "p", 1, command, **more))[ADDRESS]


def test_a_card() -> None:
    found = parse(CARD)
    assert (found.pcie_type.value, found.flr.value, found.af_flr.value) == ("endpoint", True, False)
    assert (found.pm_reset.value, found.power.value) == (True, "D0")
    assert (found.sriov.value, found.vfs_total.value, found.vfs.value) == (True, 64, 4)
    assert (found.acs.value, found.acs_bits.value, found.ats_on.value) == (False, None, False)
    assert found.rebars.value == (Rebar(0, 16 << 20, (16 << 20, 32 << 20)),)
    assert found.rom.value == Rom(0xF7D00000, False, 512 << 10)
    assert list(found.bars.value) == [
        Bar(0, "memory", 0xF7D80000, 512 << 10, True, True, True),
        Bar(2, "io", 0xE020, 32, enabled=True),
        Bar(4, "memory", None, UNKNOWN, True, True, False),
    ]
    assert found.flr.sources[0].line == 15


def test_what_a_level_does_not_print_is_unknown() -> None:
    short = [line for line in CARD.splitlines() if not line.startswith("\t\t")]
    names = "\n".join(line for line in short if line[:1] != "\t" or "Capabilities" in line)
    found = parse(names, "lspci -nnv")
    assert (found.pcie_type.value, found.sriov.value, found.acs.value) == ("endpoint", True, False)
    assert (found.flr.known, found.pm_reset.known, found.vfs.known, found.rebars.known) == (False,) * 4
    assert ADDRESS not in read(Piece("cmd/lspci-nnk", "\n".join(line for line in short if line[:1] != "\t")))


def test_access_denied_is_unknown() -> None:
    text = "\n".join(CARD.splitlines()[:9]) + "\n\tCapabilities: <access denied>\n\tKernel driver in use: ixgbe\n"
    found = parse(text)
    assert not (found.pcie.known or found.acs.known or found.flr.known or found.sriov.known)
    assert found.bars.known
    assert found.acs.wanted == (f"sys/bus/pci/devices/{ADDRESS}/config",)


def test_a_listing_that_never_reaches_beyond_256_bytes_proves_nothing_there() -> None:
    lines = CARD.splitlines()
    found = parse("\n".join([*lines[:17], lines[-1]]))
    assert found.flr.value is True
    assert not found.acs.known
    assert not found.sriov.known


@pytest.mark.parametrize(
    "how",
    [{"terms": ("Capabilities", "01:00.0"), "state": "filtered"}, {"state": "cut"}, {"state": "excerpt"}],
)
def test_a_cut_description_proves_no_absence(how: dict[str, Any]) -> None:
    found = parse(CARD.replace("\tKernel driver in use: ixgbe\n", ""), **how)
    assert found.flr.value is True
    assert not found.acs.known


def test_a_device_that_is_off() -> None:
    text = "01:00.0 VGA compatible controller [0300]: NVIDIA [10de:2484] (rev ff) (prog-if ff)\n\t!!! Unknown header type 7f\n\tKernel driver in use: vfio-pci\n"  # noqa: E501 - a line as it is printed
    assert ADDRESS not in read(Piece("cmd/lspci-nnk", text)) or not parse(text).known


def test_no_list_of_capabilities() -> None:
    text = (
        "01:00.0 USB controller: Intel\n\tControl: I/O+ Mem-\n\tStatus: Cap- 66MHz-\n\tKernel driver in use: uhci_hcd\n"
    )
    found = parse(text)
    assert (found.pcie.value, found.acs.value, found.af_flr.value) == (False, False, False)


@pytest.mark.parametrize(
    ("old", "kind"),
    [
        ("Express Root Port (Slot+), MSI 00", "root port"),
        ("Express (v1) Legacy Endpoint, MSI 00", "legacy endpoint"),
        ("Express (v2) Root Complex Integrated Endpoint, IntMsgNum 0", "integrated endpoint"),
        ("Express (v2) PCI-Express to PCI/PCI-X Bridge, MSI 00", "PCIe to PCI bridge"),
        ("Express (v1) PCI/PCI-X to PCI-Express Bridge", "PCI to PCIe bridge"),
        ("Express (v2) Upstream Port, MSI 00", "upstream port"),
        ("Express (v2) Downstream Port (Slot-), MSI 00", "downstream port"),
        ("Express (v2) Root Complex Event Collector, MSI 00", "event collector"),
    ],
)
def test_wordings_of_types(old: str, kind: str) -> None:
    found = parse(CARD.replace("Express (v2) Endpoint, MSI 00", old))
    assert found.pcie_type.value == kind
    assert found.slot.value is ("(Slot+)" in old)


def test_numbers_instead_of_names() -> None:
    text = CARD.replace("[160 v1] Single Root I/O Virtualization (SR-IOV)", "[160 v1] #0d")
    found = parse(text)
    assert found.acs.value is True
    assert not found.acs_bits.known
    assert found.sriov.value is False


BRIDGE = """00:1c.0 PCI bridge [0604]: Intel Corporation Root Port [8086:{ids}] (rev f1)
\tControl: I/O+ Mem+
\tBus: primary=00, secondary=02, subordinate=05, sec-latency=0
\tI/O behind bridge: 0000f000-00000fff [disabled]
\tMemory behind bridge: df200000-df2fffff [size=1M]
\tPrefetchable memory behind bridge: None
\tCapabilities: [40] Express (v2) Root Port (Slot+), MSI 00
\tCapabilities: [140 v1] Access Control Services
\t\tACSCap:\tSrcValid+ TransBlk+ ReqRedir+ CmpltRedir+ UpstreamFwd- EgressCtrl- DirectTrans-
\t\tACSCtl:\tSrcValid- TransBlk- ReqRedir- CmpltRedir- UpstreamFwd- EgressCtrl- DirectTrans-
\tKernel driver in use: pcieport
"""


def test_a_bridge() -> None:
    found = read(Piece("cmd/lspci-nnk", BRIDGE.format(ids="a33c")))["0000:00:1c.0"]
    assert found.buses.value == Buses(0, 2, 5)
    assert list(found.windows.value) == [Window("memory", 0xDF200000, 0xDF2FFFFF)]
    assert found.acs_bits.value == Acs(0x0F, 0)


def test_lspci_misreads_acs_of_intels_100_series() -> None:
    found = read(Piece("cmd/lspci-nnk", BRIDGE.format(ids="9d10")))["0000:00:1c.0"]
    assert found.acs.value is True
    assert not found.acs_bits.known


def dump(data: bytes) -> str:
    return "".join(f"{at:02x}: {data[at : at + 16].hex(' ')}\n" for at in range(0, len(data), 16))


def test_a_hex_dump_is_read_as_bytes_and_cited_by_its_rows() -> None:
    found = parse("01:00.0 PCI bridge: Intel\n" + dump(PORT))
    assert found.acs_bits.value == Acs(0x1F, 0x1D)
    assert found.acs_bits.sources[0].line == 2 + 0x130 // 16
    assert found.acs_bits.sources[0].text.startswith("130: 1f 00 1d 00")
    assert not parse("01:00.0 PCI bridge: Intel\n" + dump(PORT[:256])).acs.known


def test_a_dump_with_a_gap_ends_at_it() -> None:
    rows = dump(PORT).splitlines()
    text = "01:00.0 PCI bridge: Intel\n" + "\n".join(rows[:8] + rows[9:])
    assert parse(text).pcie_type.value == "root port"
    assert not parse(text).acs.known


def test_a_pasted_dump_reaches_its_device() -> None:
    pasted = open_paste(f"my port:\n\n01:00.0 PCI bridge: Intel Root Port\n{dump(PORT)}".encode(), "p")
    piece = pasted.last("cmd/lspci-nnk")
    assert piece is not None
    assert read(piece)[ADDRESS].acs_bits.value == Acs(0x1F, 0x1D)


WORDS = ("SrcValid", "TransBlk", "ReqRedir", "CmpltRedir", "UpstreamFwd", "EgressCtrl", "DirectTrans")
TYPES = {0: "Endpoint", 4: "Root Port (Slot+)", 6: "Downstream Port (Slot+)", 9: "Root Complex Integrated Endpoint"}


def printed(kind: int, flr: bool, csr: int, can: int, on: int, vfs: int) -> str:
    """What lspci -vv says of the space that the test below builds."""

    def flags(bits: int) -> str:
        return " ".join(name + ("+" if bits >> place & 1 else "-") for place, name in enumerate(WORDS))

    reset = f" FLReset{'+' if flr else '-'}" if kind in (0, 9) else ""
    return f"""01:00.0 Thing [0200]: Vendor Name [1234:5678]
\tControl: I/O+
\tStatus: Cap+
\tCapabilities: [40] Power Management version 3
\t\tStatus: D0 NoSoftRst{"+" if csr else "-"} PME-Enable- DSel=0 DScale=0 PME-
\tCapabilities: [48] Express (v2) {TYPES[kind]}, MSI 00
\t\tDevCap:\tMaxPayload 128 bytes
\t\t\tExtTag- RBE+{reset}
\t\tDevCtl:\tFLReset-
\tCapabilities: [100 v1] Access Control Services
\t\tACSCap:\t{flags(can)}
\t\tACSCtl:\t{flags(on)}
\tCapabilities: [108 v1] Single Root I/O Virtualization (SR-IOV)
\t\tInitial VFs: 8, Total VFs: 8, Number of VFs: {vfs}, Function Dependency Link: 00
\tKernel modules: thing
"""


@settings(deadline=None)
@given(
    st.sampled_from(sorted(TYPES)), st.booleans(), st.sampled_from([0, 8]), st.integers(0, 127), st.integers(0, 127),
    st.integers(0, 8),
)  # fmt: skip
def test_words_and_bytes_of_one_device_agree(kind: int, flr: bool, csr: int, can: int, on: int, vfs: int) -> None:
    ended = flr and kind in (0, 9)
    caps = [(0x01, two(3, csr)), express(kind, slot=kind in (4, 6), flr=ended)]
    sriov = bytes(8) + two(8, 8, vfs, 0)
    data = build(caps=caps, beyond=[(0x0D, two(can, on)), (0x10, sriov)])
    bits, words = read_bytes(data, cite, "c"), parse(printed(kind, flr, csr, can, on, vfs))
    for name in ("pcie_type", "slot", "flr", "pm_reset", "acs_bits", "vfs_total", "vfs", "ats", "pasid_on", "af_flr"):
        assert getattr(words, name).value == getattr(bits, name).value, name
    assert words.acs_bits.value.on == tuple(name for place, name in enumerate(ACS_BITS) if on >> place & 1)


@settings(deadline=None)
@given(st.text(alphabet="0123456789abcdef:. \t\n[]()<>+-,=CapabilitiesExpressRegionMemory", max_size=600))
def test_no_text_raises(text: str) -> None:
    read(Piece("cmd/lspci-nnk", "01:00.0 Thing: x\n\t" + text))


@settings(deadline=None)
@given(st.data())
def test_no_mutation_of_a_real_form_raises(data: st.DataObject) -> None:
    text = list(CARD)
    for _ in range(data.draw(st.integers(1, 12))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place] = data.draw(st.characters())
    read(Piece("cmd/lspci-nnk", "".join(text)))


@pytest.mark.parametrize(
    "damage",
    [
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t.replace("\n", "   \n"),
        lambda t: "\n".join("> " + line for line in t.splitlines()),
    ],
)
def test_the_same_facts_however_it_was_pasted(damage: Any) -> None:
    piece = open_paste(damage("$ lspci -nnvv\n" + CARD).encode(), "p").last("cmd/lspci-nnk")
    assert piece is not None
    plain = parse(CARD)
    for name, fact in zip(Capabilities._fields, read(piece)[ADDRESS], strict=True):
        assert fact.value == getattr(plain, name).value, name


def test_time_is_linear() -> None:
    for text in (
        CARD * 60,
        "01:00.0 a: b\n" + "\tCapabilities: [40] Express [" * 4000,
        "01:00.0 a\n" + dump(PORT) * 20,
    ):
        assert grows_linearly(lambda given: read(Piece("cmd/lspci-nnk", given)), text)


REAL = Path(__file__).parents[3] / "shared/real/lspci"
# A hex dump does not hold what Enhanced Allocation says of BARs, which lspci prints.
COMPARED = [name for name in Capabilities._fields if name not in ("bars", "rom", "windows")]


@pytest.mark.skipif(not REAL.is_dir(), reason="no real listings here")
def test_words_and_bytes_of_real_listings_agree() -> None:
    compared = 0
    for path in sorted(REAL.rglob("*.lspci")):
        text = path.read_text("utf-8", "replace")
        rows = [line for line in text.splitlines() if line[:1].isspace() or ": " not in line[:5]]
        words = read(Piece("cmd/lspci-nnk", "\n".join(rows)))
        for address, both in read(Piece("cmd/lspci-nnk", text)).items():
            own = words.get(address)
            for name in COMPARED if own is not None else ():
                one, other = getattr(own, name), getattr(both, name)
                if one.known and not (name == "acs_bits" and other.known and other.value and other.value.elsewhere):
                    compared += 1
                    assert one.value == other.value, (path.name, address, name)
    assert compared > 4000
