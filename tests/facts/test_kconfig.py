"""The kernel's build configuration from hand-made evidence."""

from __future__ import annotations

import gzip

import pytest

from doctor.evidence.paste import open_paste
from doctor.evidence.types import CUT, EXCERPT, FILTERED, Evidence, Piece
from doctor.facts.fact import UNKNOWN, Fact
from doctor.facts.host import Host
from doctor.facts.kconfig import Kconfig, read
from doctor.knowledge.store import load

TEXT = 'CONFIG_VFIO=m\nCONFIG_VFIO_PCI=y\n# CONFIG_VFIO_NOIOMMU is not set\nCONFIG_CMDLINE="a b"\nCONFIG_HZ=250'


def config(*pieces: Piece, release: str | None = None) -> Kconfig:
    known = None if release is None else Fact(release)
    return read(Evidence("directory", "d", pieces), known)


def test_values_and_their_lines() -> None:
    found = config(Piece("boot/config-6.1", TEXT, "c"))
    values = [found.lookup(name).value for name in ("VFIO", "vfio_pci", "CONFIG_VFIO_NOIOMMU", "CMDLINE", "HZ")]
    assert values == ["m", "y", "n", "a b", "250"]
    assert found.lookup("VFIO_NOIOMMU").sources[0][:3] == ("boot/config-6.1", "c", 3)
    assert found.SHOWN == ("VFIO", "VFIO_PCI", "VFIO_NOIOMMU", "CMDLINE")


@pytest.mark.parametrize(
    ("piece", "value"),
    [
        (Piece("boot/config-6.1", TEXT), "n"),
        (Piece("boot/config-6.1", TEXT, state=EXCERPT), UNKNOWN),
        (Piece("boot/config-6.1", TEXT, state=CUT), UNKNOWN),
        (Piece("boot/config-6.1", TEXT, state=FILTERED, terms=("IOMMU",)), "n"),
        (Piece("boot/config-6.1", TEXT, state=FILTERED, terms=("iommufd",), ignore_case=True), "n"),
        (Piece("boot/config-6.1", TEXT, state=FILTERED, terms=("VFIO",)), UNKNOWN),
        (Piece("boot/config-6.1", TEXT, state=FILTERED, reason="only lines with VFIO, IOMMU"), "n"),
        (Piece("boot/config-6.1", TEXT, state=FILTERED, reason="only lines with VFIO, KVM"), UNKNOWN),
        (Piece("boot/config-6.1", TEXT, state=FILTERED), UNKNOWN),
    ],
)
def test_silence_proves_only_what_the_piece_would_show(piece: Piece, value: object) -> None:
    assert config(piece).lookup("IOMMUFD").value is value or config(piece).lookup("IOMMUFD").value == value


def test_only_the_running_kernels_file_counts() -> None:
    old, new = Piece("boot/config-5.15", "CONFIG_VFIO=y"), Piece("boot/config-6.8", "CONFIG_VFIO=m\nCONFIG_KVM=m")
    assert config(old, new, release="6.8").lookup("VFIO").value == "m"
    assert config(old, release="6.8").lookup("VFIO").wanted == ("boot/config-{release}",)
    torn = config(old, new)
    assert not torn.lookup("VFIO").known
    assert torn.lookup("KVM").value == "m"
    assert config(Piece("lib/modules/6.8/config", "CONFIG_VFIO=m"), release="6.8").lookup("VFIO").value == "m"


def test_lines_that_grep_took_from_several_files() -> None:
    text = "/boot/config-5.15:CONFIG_VFIO=y\n/boot/config-6.8:CONFIG_VFIO=m"
    found = config(Piece("boot/config-pasted", text, state=EXCERPT), release="6.8")
    assert found.lookup("VFIO").value == "m"


def test_the_compressed_file() -> None:
    packed = gzip.compress(TEXT.encode())
    assert config(Piece("proc/config.gz", binary=packed)).lookup("VFIO_PCI").value == "y"
    for broken in (packed[:30], b"\x1f\x8bnonsense", b"\0"):
        assert not config(Piece("proc/config.gz", binary=broken)).lookup("HZ").known
    assert not config(Piece("boot/config-6.1", "")).lookup("VFIO").known


def test_a_comment_or_prose_is_no_option() -> None:
    found = config(Piece("boot/config-6.1", "# CONFIG_VFIO=m\nset CONFIG_KVM=y please", state=EXCERPT))
    assert not found.lookup("VFIO").known
    assert not found.lookup("KVM").known


def test_modules_that_are_built_in() -> None:
    paste = (
        "root@a:~# uname -r\n5.15.0-91-generic\nroot@a:~# grep -e VFIO /boot/config-$(uname -r)\n"
        "CONFIG_VFIO=y\nCONFIG_VFIO_PCI=y\nCONFIG_VFIO_IOMMU_TYPE1=y\nroot@a:~#"
    )
    modules = Host(open_paste(paste.encode(), "p"), load()).modules
    assert modules.lookup("vfio-pci").value == "built-in"
    assert modules.lookup("vfio_pci").sources[0].line == 5
    assert modules.vfio_ready().value is True
    assert modules.lookup("vfio_virqfd").value == "missing"
