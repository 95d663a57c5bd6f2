"""The openers: bundles, directories, sosreports, archives; what is broken gets one line and InputError."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from doctor.collect.gather import gather
from doctor.collect.pack import to_bytes
from doctor.evidence import tarball
from doctor.evidence.open import open_input
from doctor.evidence.types import Evidence, InputError

GPU = "sys/bus/pci/devices/0000:01:00.0/"
FILES = {
    "proc/cmdline": "BOOT_IMAGE=/vmlinuz root=/dev/sda1 quiet intel_iommu=on\n",
    "etc/os-release": "ID=debian\n",
    "etc/modules": "vfio\nvfio_pci\n",
    GPU + "vendor": "0x10de\n",
    GPU + "class": "0x030000\n",
    "sys/class/iommu/dmar0/name": "dmar0\n",
    "sys/kernel/iommu_groups/15/type": "DMA\n",
}
needs_ordinary_user = pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")


def put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host's files, with the links that sysfs has."""
    root = put(tmp_path / "host", FILES)
    (root / GPU / "driver").symlink_to("../../../../bus/pci/drivers/vfio-pci")
    (root / GPU / "iommu_group").symlink_to("../../../../kernel/iommu_groups/15")
    return root


def text(evidence: Evidence, path: str) -> str | None:
    piece = evidence.last(path)
    return None if piece is None else piece.text


def refused(name: str | Path) -> str:
    """The one line by which an input is refused; it names the file."""
    with pytest.raises(InputError) as caught:
        open_input(str(name))
    line = str(caught.value)
    assert "\n" not in line
    assert Path(name).name in line
    return line


def bundle(root: Path) -> bytes:
    return to_bytes(gather(str(root)), version="1.0")


def test_a_bundle(root: Path, tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_bytes(bundle(root))
    found = open_input(str(tmp_path / "b.tar.gz"))
    assert (found.kind, found.complete) == ("bundle", True)
    assert text(found, "proc/cmdline") == FILES["proc/cmdline"].rstrip()
    assert text(found, GPU + "driver") == "../../../../bus/pci/drivers/vfio-pci"
    piece = found.last("proc/cmdline")
    assert piece is not None
    assert piece.cite(0).line == 1
    assert "b.tar.gz" in piece.source
    assert found.absent("etc/kernel/cmdline") is not None


def test_a_bundle_under_any_name(root: Path, tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_bytes(bundle(root))
    assert open_input(str(tmp_path / "report.txt")).kind == "bundle"


def test_an_unpacked_bundle_is_the_same_bundle(root: Path, tmp_path: Path) -> None:
    data = bundle(root)
    with tarfile.open(fileobj=io.BytesIO(data)) as packed:
        # Debian 12's Python does not know the filter yet; the archive is our own.
        safe: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        packed.extractall(tmp_path / "unpacked", **safe)  # noqa: S202 - see above
    (tmp_path / "b.tar.gz").write_bytes(data)
    one, other = open_input(str(tmp_path / "b.tar.gz")), open_input(str(tmp_path / "unpacked"))
    assert other.kind == "bundle"
    assert sorted(one.paths()) == sorted(other.paths())
    assert all(text(one, path) == text(other, path) for path in one.paths())


def test_a_cut_bundle_is_refused(root: Path, tmp_path: Path) -> None:
    data = bundle(root)
    for size in (len(data) // 2, len(data) - 4, 30, 11):
        (tmp_path / "b.tar.gz").write_bytes(data[:size])
        refused(tmp_path / "b.tar.gz")


def test_a_flipped_byte_is_refused_or_harmless(root: Path, tmp_path: Path) -> None:
    data = bytearray(bundle(root))
    for spot in range(0, len(data), max(1, len(data) // 40)):
        broken = bytes([*data[:spot], data[spot] ^ 0x5A, *data[spot + 1 :]])
        (tmp_path / "b.tar.gz").write_bytes(broken)
        try:
            assert open_input(str(tmp_path / "b.tar.gz")).kind in ("bundle", "paste")
        except InputError as error:
            assert "\n" not in str(error)


def test_a_directory(root: Path) -> None:
    found = open_input(str(root))
    assert (found.kind, found.complete) == ("directory", False)
    assert text(found, "etc/modules") == "vfio\nvfio_pci"
    assert text(found, GPU + "iommu_group") == "../../../../kernel/iommu_groups/15"
    listing = found.listing("sys/class/iommu/")
    assert listing is not None
    assert listing[0] == ("dmar0",)
    groups = found.listing("sys/kernel/iommu_groups/")
    assert groups is not None
    assert groups[0] == ("15",)


def test_links_inside_the_root_are_followed_and_none_leads_out(root: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("options secret\n")
    put(root, {"usr/lib/os-release": "ID=other\n"})
    (root / "etc/os-release").unlink()
    (root / "etc/os-release").symlink_to("../usr/lib/os-release")
    (root / "etc/modprobe.d").mkdir()
    (root / "etc/modprobe.d/out.conf").symlink_to("../../../secret")
    (root / "etc/modprobe.d/absolute.conf").symlink_to(str(secret))
    (root / "etc/modprobe.d/passwd.conf").symlink_to("/etc/passwd")
    (root / "etc/modprobe.d/loop.conf").symlink_to("loop.conf")
    (root / "etc/modprobe.d/gone.conf").symlink_to("nowhere")
    (root / "etc/up").symlink_to("../..")
    (root / "etc/kernel").symlink_to("/etc")
    found = open_input(str(root))
    assert text(found, "etc/os-release") == "ID=other"
    out = [path for path in found.paths() if path.startswith("etc/modprobe.d/")]
    assert sorted(out) == [f"etc/modprobe.d/{name}.conf" for name in ("absolute", "out", "passwd")]
    assert all(found.last(path) is None for path in out)
    assert any("a link that leaves the folder: etc/modprobe.d/absolute.conf" in note for note in found.notes)
    assert not any("secret" in piece.text for path in found.paths() for piece in found.states(path))
    assert not any("up/" in path or path.startswith("etc/kernel/") for path in found.paths())


def test_a_folder_that_is_a_link_inside_is_no_loop(root: Path) -> None:
    (root / "sys/self").symlink_to(".")
    (root / "etc/again").symlink_to("../etc")
    assert text(open_input(str(root)), "etc/modules") == "vfio\nvfio_pci"


def test_a_pipe_in_the_tree_does_not_block(root: Path) -> None:
    os.mkfifo(root / "etc/pipe")
    os.mkfifo(root / "etc/modprobe.fifo")
    assert text(open_input(str(root)), "etc/modules") == "vfio\nvfio_pci"


@needs_ordinary_user
def test_what_may_not_be_read_is_denied(root: Path) -> None:
    (root / "etc/modules").chmod(0)
    found = open_input(str(root))
    assert [piece.state for piece in found.states("etc/modules")] == ["denied"]
    (root / "etc/os-release").chmod(0)
    assert "ermission" in refused(root / "etc/os-release")


def test_a_directory_without_evidence_is_refused(tmp_path: Path) -> None:
    put(tmp_path, {"README": "hello", "src/main.c": "int main;"})
    assert "no file of a host" in refused(tmp_path)
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty")


SOS = {
    "sos_commands/kernel/dmesg": "[    0.054042] DMAR: IOMMU enabled\n",
    "sos_commands/pci/lspci_-nnvv": "01:00.0 VGA compatible controller [0300]: NVIDIA [10de:2484]\n\tKernel driver in use: vfio-pci\n",  # noqa: E501 - a line as it is pasted
    "sos_commands/kernel/lsmod": "Module Size Used by\nvfio_pci 16384 0\n",
    "sos_commands/foreign/thing": "not evidence\n",
    "home/me/private": "not evidence\n",
    **FILES,
}


def tar(
    entries: dict[str, str] | list[tuple[tarfile.TarInfo, bytes]],
    mode: str = "gz",
    top: str = "sosreport-h-1/",
) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{mode}") as made:  # type: ignore[call-overload]  # the mode is put together
        if isinstance(entries, dict):
            entries = [(member(top + name), body.encode()) for name, body in entries.items()]
        for info, body in entries:
            info.size = len(body) if info.isreg() else 0
            made.addfile(info, io.BytesIO(body) if info.isreg() else None)
    return out.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def check_sos(found: Evidence) -> None:
    assert found.kind == "sosreport"
    assert text(found, "cmd/dmesg") == SOS["sos_commands/kernel/dmesg"].rstrip()
    assert text(found, "cmd/lsmod") is not None
    assert text(found, "proc/cmdline") == FILES["proc/cmdline"].rstrip()
    lspci = found.last("cmd/lspci-nnk")
    assert lspci is not None
    assert "lspci" in (lspci.command or "")
    assert not any("private" in path or "foreign" in path for path in found.paths())
    listing = found.listing("sys/class/iommu/")
    assert listing is not None
    assert listing[0] == ("dmar0",)


def test_a_sosreport_in_a_directory(tmp_path: Path) -> None:
    check_sos(open_input(str(put(tmp_path / "sosreport-h-1", SOS))))


@pytest.mark.parametrize("mode", ["gz", "xz", "bz2", ""])
def test_a_sosreport_in_an_archive(mode: str, tmp_path: Path) -> None:
    file = tmp_path / f"sosreport-h-1.tar.{mode}"
    file.write_bytes(tar(SOS, mode))
    check_sos(open_input(str(file)))


@pytest.mark.parametrize("top", ["", "./", "deep/", "./sos-1/"])
def test_the_top_folder_does_not_matter(top: str, tmp_path: Path) -> None:
    (tmp_path / "s.tar.gz").write_bytes(tar(SOS, top=top))
    check_sos(open_input(str(tmp_path / "s.tar.gz")))


def test_links_in_an_archive_are_texts(tmp_path: Path) -> None:
    entries = [
        (member("h/proc/cmdline"), b"quiet"),
        (member(f"h/{GPU}driver", tarfile.SYMTYPE, "../../drivers/nvidia"), b""),
        (member("h/etc/modules", tarfile.SYMTYPE, "/etc/passwd"), b""),
        (member("h/etc/os-release", tarfile.LNKTYPE, "../../../etc/passwd"), b""),
    ]
    (tmp_path / "h.tar").write_bytes(tar(entries, ""))
    found = open_input(str(tmp_path / "h.tar"))
    assert text(found, GPU + "driver") == "../../drivers/nvidia"
    assert text(found, "etc/modules") is None
    assert text(found, "etc/os-release") is None


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/modules",
        "/etc/../etc/modules",
        "h/../../etc/modules",
        "h/etc/../../../etc/modules",
        "h/etc/mo\ndules",
        "h/etc/\x1b[31mmodules",
    ],
)
def test_names_that_climb_or_hide_are_left_out(name: str, tmp_path: Path) -> None:
    entries = [(member("h/proc/cmdline"), b"quiet"), (member(name), b"EVIL")]
    (tmp_path / "h.tar").write_bytes(tar(entries, ""))
    found = open_input(str(tmp_path / "h.tar"))
    assert not any("EVIL" in piece.text for path in found.paths() for piece in found.states(path))
    assert all(path.isprintable() and ".." not in path.split("/") for path in found.paths())


def test_an_absolute_name_writes_nothing_and_is_read_as_relative(tmp_path: Path) -> None:
    (tmp_path / "h.tar").write_bytes(tar([(member("/etc/modules"), b"vfio")], ""))
    assert text(open_input(str(tmp_path / "h.tar")), "etc/modules") == "vfio"


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_device_nodes_are_no_files(kind: bytes, tmp_path: Path) -> None:
    (tmp_path / "h.tar").write_bytes(tar([(member("h/etc/modules", kind), b""), (member("h/proc/cmdline"), b"q")], ""))
    found = open_input(str(tmp_path / "h.tar"))
    assert text(found, "etc/modules") is None
    (tmp_path / "only.tar").write_bytes(tar([(member("h/etc/modules", kind), b"")], ""))
    refused(tmp_path / "only.tar")


@pytest.mark.parametrize("mode", ["gz", "xz", pytest.param("bz2"), ""])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_a_cut_archive_is_refused_or_read_as_far_as_it_goes(mode: str, share: float, tmp_path: Path) -> None:
    data = tar({f"etc/modprobe.d/{n}.conf": os.urandom(600).hex() for n in range(60)}, mode)
    (tmp_path / "cut.tar").write_bytes(data[: int(len(data) * share)])
    try:
        found = open_input(str(tmp_path / "cut.tar"))
    except InputError as error:
        assert "cut.tar" in str(error)
        assert "\n" not in str(error)
    else:
        assert found.kind == "directory"
        assert mode == ""  # compressed data says itself that its end is missing


@pytest.mark.parametrize(
    "head",
    [
        b"\x1f\x8b",
        b"PK\x03\x04",
        b"\x1f\x8b\x08\x00",
        *[pytest.param(h) for h in (b"\xfd7zXZ\x00", b"BZh9", b"\x28\xb5\x2f\xfd")],
    ],
)
def test_garbage_after_a_known_beginning_is_refused(head: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(head + bytes(range(256)) * 4)
    refused(tmp_path / "x.tar")


def test_compressed_nonsense_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"no tar at all" * 100))
    refused(tmp_path / "x.gz")


def test_an_empty_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "e.tar").write_bytes(tar([], "gz"))
    refused(tmp_path / "e.tar")


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarball, "TOTAL", 1024 * 1024)
    bomb = tar({"etc/a": "a" * 900_000, "etc/b": "a" * 900_000})
    (tmp_path / "bomb.tar.gz").write_bytes(bomb)
    assert "too much" in refused(tmp_path / "bomb.tar.gz")


def test_too_many_names_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarball, "MEMBERS", 100)
    (tmp_path / "many.tar").write_bytes(tar({f"etc/{n}": "" for n in range(150)}, ""))
    assert "too much" in refused(tmp_path / "many.tar")


def test_a_header_that_lies_about_its_size(tmp_path: Path) -> None:
    info = member("h/etc/modules")
    info.size = 1 << 40
    (tmp_path / "lie.tar").write_bytes(info.tobuf() + b"vfio" + bytes(1020))
    refused(tmp_path / "lie.tar")


@pytest.mark.parametrize(
    "data",
    [b"", b"\n \n\t\n", b"\x00" * 600, b"\x7fELF" + bytes(100), bytes(range(256)) * 8],
    ids=["empty", "blank", "zeros", "elf", "bytes"],
)
def test_files_that_are_nothing_known(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(data)
    refused(tmp_path / "x.bin")


def test_a_missing_file() -> None:
    assert "No such file" in refused("/nowhere/paste.txt")


def test_a_name_with_control_characters(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        open_input(str(tmp_path / "a\nb\x1b[31m"))


def test_a_name_with_a_null_byte() -> None:
    with pytest.raises(InputError):
        open_input("a\0b")


def test_a_device_is_no_file() -> None:
    assert "regular" in refused("/dev/null")


def test_a_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import doctor.evidence.open as opener

    monkeypatch.setattr(opener, "LARGEST", 1000)
    (tmp_path / "huge.txt").write_bytes(b"x" * 1001)
    assert "larger than" in refused(tmp_path / "huge.txt")


def test_a_pipe_is_read(tmp_path: Path) -> None:
    """A shell's <(command)."""
    reader, writer = os.pipe()
    os.write(writer, b"[ 0.1] DMAR: IOMMU enabled\n")
    os.close(writer)
    try:
        found = open_input(f"/dev/fd/{reader}")
    finally:
        os.close(reader)
    assert text(found, "cmd/dmesg") == "[ 0.1] DMAR: IOMMU enabled"


class _Standard:
    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


@pytest.mark.parametrize("data", [b"", b"\0\0\0"])
def test_standard_input(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", _Standard(b"[ 0.1] DMAR: IOMMU enabled\n"))
    assert open_input("-").source == "standard input"
    monkeypatch.setattr("sys.stdin", _Standard(data))
    with pytest.raises(InputError, match="standard input"):
        open_input("-")


def test_every_way_gives_the_same_facts(root: Path, tmp_path: Path) -> None:
    """One host as a directory, a tar of it and a bundle of it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as made:
        made.add(root, "host")
    (tmp_path / "t.tar.gz").write_bytes(out.getvalue())
    (tmp_path / "b.tar.gz").write_bytes(bundle(root))
    ways: list[Callable[[], Evidence]] = [
        lambda: open_input(str(root)),
        lambda: open_input(str(tmp_path / "t.tar.gz")),
        lambda: open_input(str(tmp_path / "b.tar.gz")),
    ]
    for path in ("proc/cmdline", "etc/modules", GPU + "vendor", GPU + "driver"):
        assert len({text(way(), path) for way in ways}) == 1, path
