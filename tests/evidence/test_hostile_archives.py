"""Archives that are made to harm: one line and exit 2, or the good part with a warning; never an exception."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import stat
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doctor.cli import main
from doctor.collect import pack
from doctor.collect.model import Collected, Entry
from doctor.evidence import directory, tarball
from doctor.evidence.open import open_bytes, open_input
from doctor.evidence.types import Evidence, InputError

LINK, HARD, CHAR, BLOCK, PIPE, SPARSE = tarfile.SYMTYPE, tarfile.LNKTYPE, b"3", b"4", b"6", b"S"
WORDS = "quiet intel_iommu=on"
GOOD = ("h/proc/cmdline", WORDS.encode())
CONTAINERS = ("tar", "gz", "xz", "bz2", "zst")
slow = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def header(name: bytes | str, size: int = 0, kind: bytes = b"0", link: str = "") -> bytes:
    """A tar header with any name and any size, its checksum right."""
    raw = name if isinstance(name, bytes) else name.encode()
    stated = b"%011o\0" % size if size < 8**11 else b"\x80" + size.to_bytes(11, "big")
    fields = [raw[:100].ljust(100, b"\0"), b"0000644\0" * 3, stated, b"00000000000\0", b" " * 8, kind]
    block = b"".join(fields) + link.encode().ljust(100, b"\0") + b"ustar\00000" + bytes(247)
    return checked(block[:512])


def checked(block: bytes) -> bytes:
    plain = block[:148] + b" " * 8 + block[156:]
    return plain[:148] + b"%06o\0 " % sum(plain) + plain[156:]


def member(name: bytes | str, data: bytes = b"", kind: bytes = b"0", link: str = "") -> bytes:
    return header(name, len(data), kind, link) + data + bytes(-len(data) % 512)


def pax(**records: str | bytes) -> bytes:
    body = b""
    for key, value in records.items():
        rest = b" " + key.replace("__", ".").encode() + b"=" + (value if isinstance(value, bytes) else value.encode())
        length = len(rest) + 1
        length += len(str(length + len(str(length))))
        body += str(length).encode() + rest + b"\n"
    return member("PaxHeader", body, b"x")


def tar(*parts: bytes) -> bytes:
    return member(*GOOD) + b"".join(parts) + bytes(1024)


def stored(data: bytes) -> bytes:
    """A zstd frame whose blocks are stored (RFC 8878, section 3.1.1)."""
    blocks = [data[at : at + 100_000] for at in range(0, len(data), 100_000)] or [b""]
    heads = [(len(block) << 3 | (at == len(blocks) - 1)).to_bytes(3, "little") for at, block in enumerate(blocks)]
    frame = b"\x28\xb5\x2f\xfd\xa0" + len(data).to_bytes(4, "little")
    return frame + b"".join(head + block for head, block in zip(heads, blocks, strict=True))


def packed(data: bytes, container: str) -> bytes:
    how: dict[str, Callable[[bytes], bytes]] = {
        "tar": bytes, "gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress, "zst": stored
    }  # fmt: skip
    return how[container](data)


def zipped(files: dict[str, bytes], mode: int = 0, how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip; MODE is the Unix mode of the last member."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as made:
        for at, (name, data) in enumerate(files.items()):
            info = zipfile.ZipInfo(name)
            info.compress_type = how
            info.external_attr = (mode if at == len(files) - 1 else 0) << 16
            made.writestr(info, data)
    return out.getvalue()


def one_zip(name: bytes, content: bytes, how: int, size: int, crc: int = 0, times: int = 1) -> bytes:
    """A zip whose header may say anything; `times` directory entries share the one member."""
    head = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, how, 0, 0, crc, len(content), size, len(name), 0) + name + content
    entries = b"".join(
        struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, how, 0, 0, crc, len(content), size,
                    len(name) + len(str(at)), 0, 0, 0, 0, 0, 0) + name + str(at).encode()
        for at in range(times)
    )  # fmt: skip
    return head + entries + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, times, times, len(entries), len(head), 0)


def zeros(total: int) -> bytes:
    """Raw deflate of TOTAL zeros, made without compressing them all: every block stands alone."""
    step = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = [step.compress(bytes(1 << 20)) + step.flush(zlib.Z_FULL_FLUSH) for _ in range(2)][1]
    return block * (total >> 20) + b"\3\0"


def gzipped_zeros(head: bytes, total: int) -> bytes:
    step = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = step.compress(head) + step.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\3" + start + zeros(total) + bytes(8)


def sparse_chain(blocks: int) -> bytes:
    """A sparse file whose map goes on and on."""
    first = bytearray(header("h/etc/modules", 0, SPARSE))
    first[482] = 1
    return checked(bytes(first)) + (b"1" * 504 + b"\1" + bytes(7)) * blocks


# What a tar holds besides `GOOD`, and what is then said in a note; "" for nothing.
NOTED: dict[str, tuple[bytes, str]] = {
    "climbs": (member("h/../../etc/modules", b"EVIL"), "climbs"),
    "climbs at once": (member("../etc/modules", b"EVIL"), "climbs"),
    "newline": (member("h/etc/mo\ndules", b"EVIL"), "cannot be printed"),
    "escape": (member("h/etc/\x1b[31mx", b"EVIL"), "cannot be printed"),
    "right to left": (member("h/etc/\u202egnp", b"EVIL"), "cannot be printed"),
    "no UTF-8": (member(b"h/etc/\xff\xfe", b"EVIL"), "cannot be printed"),
    "NUL in a pax name": (pax(path="h/etc/modules\0.txt") + member("x", b"EVIL"), "cannot be printed"),
    "long pax name": (pax(path="h/etc/modprobe.d/" + "x" * 5000) + member("x", b"EVIL"), "too long"),
    "long GNU name": (member("LongLink", b"h/etc/" + b"y" * 3000, b"L") + member("x", b"EVIL"), "too long"),
    "deep": (pax(path="d/" * 60 + "etc/modules") + member("x", b"EVIL"), "climbs"),
    "link": (member("h/etc/modules", b"", LINK, "/etc/passwd"), ""),
    "link to itself": (member("h/etc/modules", b"", LINK, "modules"), ""),
    "folder through a link": (member("h/etc", b"", LINK, "/") + member("h/etc/x/../modules", b"EVIL"), "climbs"),
    "hard link out": (member("h/etc/modules", b"", HARD, "../../etc/passwd"), "hard link"),
    "hard link to itself": (member("h/etc/modules", b"", HARD, "h/etc/modules"), "hard link"),
    "hard links in a ring": (
        member("h/etc/modules", b"", HARD, "h/etc/a") + member("h/etc/a", b"", HARD, "h/etc/modules"),
        "hard link",
    ),
    "hard link to a link": (
        member("h/etc/a", b"", LINK, "/dev/sda") + member("h/etc/modules", b"", HARD, "h/etc/a"),
        "",
    ),
    "character device": (member("h/etc/modules", b"", CHAR), "character device in place"),
    "block device": (member("h/etc/modules", b"", BLOCK), "block device in place"),
    "pipe": (member("h/etc/modules", b"", PIPE), "named pipe in place"),
    "unknown kind": (member("h/etc/modules", b"EVIL", b"Z"), "unknown kind"),
    "sparse": (sparse_chain(3), "sparse"),
    "pax sparse": (
        pax(GNU__sparse__major="1", GNU__sparse__realsize="9" * 15) + member("h/etc/modules", b"EVIL"),
        "sparse",
    ),
}
# What a tar holds besides, and the line by which the whole is refused.
REFUSED: dict[str, tuple[bytes, str]] = {
    "size beyond the end": (header("h/etc/modules", 1 << 30), "cut short"),
    "size beyond reason": (header("h/etc/modules", 1 << 70), "too much"),
    "size in pax": (pax(size="9" * 18) + member("h/etc/modules", b"x"), "too much"),
    "size in pax is no number": (pax(size="-1") + member("h/etc/modules", b"x"), "malformed"),
    "size is negative": (checked(header("x")[:124] + b"\xff" * 12 + header("x")[136:]), "not octal"),
    "checksum": (header("h/etc/modules")[:-1] + b"x", "checksum"),
    "pax header of a gigabyte": (header("PaxHeader", 1 << 30, b"x"), "too large"),
    "pax record that runs on": (member("PaxHeader", b"99999 path=h/etc/modules\n", b"x"), "malformed"),
    "pax record of no length": (member("PaxHeader", b"0 path=x\n" * 9, b"x"), "malformed"),
    "countless headers": (member("LongLink", b"a" * 300, b"L") * 3000, "nested"),
}


def opened(data: bytes) -> Evidence:
    return open_bytes(data, "x.bin", "/somewhere/x.bin")


def refused(data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        opened(data)
    line = str(caught.value)
    assert "\n" not in line and line.startswith("/somewhere/x.bin: ") and len(line) < 400
    return line


def text(evidence: Evidence, path: str) -> str | None:
    piece = evidence.last(path)
    return None if piece is None else piece.text


def check_good_part(found: Evidence, note: str) -> None:
    assert text(found, "proc/cmdline") == WORDS
    everything = [piece for path in found.paths() for piece in found.states(path)]
    assert not any("EVIL" in piece.text or "root:" in piece.text for piece in everything)
    assert all(path.isprintable() and ".." not in path.split("/") for path in found.paths())
    assert all(line.isprintable() and len(line) < 500 for line in found.notes)
    assert any(note in line for line in found.warnings) if note else not found.warnings


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("kind", NOTED)
def test_the_good_part_is_read_with_a_warning(kind: str, container: str) -> None:
    evil, note = NOTED[kind]
    try:
        check_good_part(opened(packed(tar(evil), container)), note)
    except InputError as error:
        assert "zstd -d" in str(error) and container == "zst"  # nothing here reads zstd


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("kind", REFUSED)
def test_refused_in_a_line(kind: str, container: str) -> None:
    evil, line = REFUSED[kind]
    said = refused(packed(tar(evil), container))
    assert line in said or ("zstd -d" in said and container == "zst")


@pytest.mark.parametrize("container", CONTAINERS[1:])
def test_cut_and_damaged_at_each_layer(container: str) -> None:
    plain = tar(member("h/etc/modules", os.urandom(40_000)))
    whole = packed(plain, container)
    for share in (0.05, 0.5, 0.9, 0.999):
        refused(whole[: int(len(whole) * share)])
        if share < 0.9:
            refused(packed(plain[: int(len(plain) * share)], container))
    refused(whole[:20] + bytes(30) + whole[50:])


def test_a_tar_without_its_end_is_said() -> None:
    found = opened(member(*GOOD))
    assert text(found, "proc/cmdline") == WORDS
    assert any("end, it may be cut" in note for note in found.warnings)


def test_the_same_name_twice() -> None:
    for first, second in (("h/etc/modules",) * 2, ("h/etc/modules", "h/./etc/././modules")):
        found = opened(tar(member(first, b"vfio"), member(second, b"vfio_pci")))
        assert text(found, "etc/modules") == "vfio_pci"
        assert any("more than once" in note and "etc/modules" in note for note in found.warnings)
    found = opened(tar(member("h/etc/modules", b"vfio"), member("h/etc/modules", b"", LINK, "/etc/passwd")))
    assert text(found, "etc/modules") is None and found.warnings
    found = opened(tar(member("h/etc/modules", b"vfio"), member("h/ETC/Modules", b"EVIL")))
    assert text(found, "etc/modules") == "vfio" and not found.warnings


def test_a_hard_link_to_a_file_of_the_archive_is_that_file() -> None:
    found = opened(
        tar(member("h/etc/modules", b"vfio"), member("h/etc/modules-load.d/a.conf", b"", HARD, "h/etc/modules"))
    )
    assert text(found, "etc/modules-load.d/a.conf") == "vfio" and not found.warnings


def test_compressed_parts_and_depth() -> None:
    for empty in (gzip.compress(b""), bz2.compress(b""), lzma.compress(b"")):
        assert "too many parts" in refused(empty * 25_000)
    parts = tar()
    many = b"".join(gzip.compress(parts[at : at + 100]) for at in range(0, len(parts), 100))
    assert text(opened(many), "proc/cmdline") == WORDS
    data = tar()
    for number in range(3):
        data = zipped({f"{number}.zip": data}) if number else gzip.compress(member("a.tar", data) + bytes(1024))
    assert "archives in archives" in refused(data)
    two = zipped({"a.tar": tar(), "b.tar": tar()})
    assert "2 archives" in refused(two)


ZIPS: dict[str, tuple[bytes, str]] = {
    "bomb": (zipped({"etc/modules": bytes(80_000_000)}), "too much"),
    "parts that overlap": (one_zip(b"etc/modules", b"\3\0", 8, 0, times=500), "overlap"),
    "less than it says": (one_zip(b"etc/modules", zlib.compress(b"vfio")[2:-4], 8, 900), "damaged"),
    "more than it says": (one_zip(b"etc/modules", zeros(64 << 20), 8, 900), "damaged"),
    "more bzip2 than it says": (one_zip(b"etc/modules", bz2.compress(bytes(40_000_000)), 12, 900), "damaged"),
    "wrong checksum": (one_zip(b"etc/modules", b"vfio", 0, 4, crc=7), "damaged"),
    "gigabytes": (one_zip(b"etc/modules", zeros(1 << 20), 8, 0xFFFFFFF0), "too much"),
    "unknown compression": (one_zip(b"etc/modules", b"x", 98, 1), "not read"),
    "size beyond the end": (one_zip(b"etc/modules", b"vfio", 0, 4).replace(b"\4\0\0\0", b"\xff\xff\0\0"), "cut"),
    "empty": (zipped({}), "no file of a host"),
    "encrypted": (
        one_zip(b"etc/modules", b"vfio", 0, 4).replace(b"PK\1\2\x14\0\x14\0\0", b"PK\1\2\x14\0\x14\0\1"),
        "encrypted",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ZIPS)
def test_refused_zips(kind: str) -> None:
    data, line = ZIPS[kind]
    assert line in refused(data)


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_a_zip_with_what_is_no_file(mode: int) -> None:
    found = opened(zipped({"proc/cmdline": WORDS.encode(), "etc/modules": b"EVIL"}, mode))
    check_good_part(found, "" if mode == stat.S_IFLNK else "device or a pipe")


@pytest.mark.parametrize("name", ["../etc/modules", "a/../../etc/modules", "etc/a\nb", "etc/\u202ex", "x/" * 70])
def test_names_in_a_zip(name: str) -> None:
    check_good_part(opened(zipped({"proc/cmdline": WORDS.encode(), name + "y": b"EVIL"})), "climbs")


def test_a_name_twice_in_a_zip() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made, pytest.warns(UserWarning, match="Duplicate"):
        for words in ("vfio", "vfio_pci"):
            made.writestr("etc/modules", words)
    found = opened(out.getvalue())
    assert text(found, "etc/modules") == "vfio_pci" and "more than once" in found.warnings[0]


# Bundles.


def bundle(note: str = "") -> bytes:
    entries = [
        Entry("proc/cmdline", WORDS.encode(), "file"),
        Entry("etc/modules", b"vfio\n", "file"),
        Entry("cmd/uname-a", b"Linux h 6.8.0 x86_64\n", "command", "uname -a"),
        Entry("sys/class/iommu/", b"dmar0\n", "listing"),
        Entry("etc/NIXOS", b"", "exists", None, "absent"),
    ]
    made = Collected({entry.path: entry for entry in entries}, "2024-05-01T12:34:56Z", "1", True, note=note)
    return pack.to_bytes(made)


def members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as made:
        return {one.name: made.extractfile(one).read() for one in made.getmembers()}  # type: ignore[union-attr]


def packed_again(files: dict[str, bytes], container: str = "gz", top: str = "") -> bytes:
    if container == "zip":
        return zipped({top + name: data for name, data in files.items()})
    return packed(b"".join(member(top + name, data) for name, data in files.items()) + bytes(1024), container)


@pytest.mark.parametrize("top", ["", "folder/"])
@pytest.mark.parametrize("container", [*CONTAINERS, "zip"])
def test_a_bundle_packed_in_another_way(container: str, top: str) -> None:
    try:
        found = opened(packed_again(members(bundle()), container, top))
    except InputError as error:
        assert "zstd -d" in str(error) and container == "zst"
        return
    assert (found.kind, found.complete, found.notes) == ("bundle", True, ())
    assert text(found, "proc/cmdline") == WORDS and found.listing("sys/class/iommu/") is not None


@pytest.mark.parametrize("container", ["gz", "xz", "zip"])
def test_what_was_changed_since_is_said(container: str) -> None:
    files = members(bundle())
    modules, sysfs, manifest = ("passdoctor/" + name for name in ("files/etc/modules", "sysfs.json", "manifest.json"))
    found = opened(packed_again({**files, modules: b"nvidia\n"}, container))
    assert text(found, "etc/modules") == "nvidia" and found.complete
    assert len(found.warnings) == 1 and "changed" in found.warnings[0] and modules in found.warnings[0]
    found = opened(packed_again({**files, "passdoctor/files/etc/modprobe.d/x.conf": b"EVIL"}, container))
    assert ["added" in line and "x.conf" in line for line in found.warnings] == [True]
    for gone in (modules, sysfs):
        found = opened(packed_again({name: data for name, data in files.items() if name != gone}, container))
        assert ["lacks" in line and gone in line for line in found.warnings] == [True]
        assert not found.complete and text(found, "proc/cmdline") == WORDS
        assert found.listing("sys/class/iommu/") is None or gone == modules
        assert found.absent("etc/modules") is None
    told = json.loads(files[manifest])
    told["entries"] = [{**one, "state": "absent"} for one in told["entries"]]
    found = opened(packed_again({**files, manifest: json.dumps(told).encode()}, container))
    assert any("changed" in line and manifest in line for line in found.warnings)
    told = json.loads(files[manifest])
    found = opened(packed_again({**files, manifest: json.dumps(told, indent=7).encode()}, container))
    assert not found.warnings


def test_a_changed_file_of_a_bundle_without_checksums_of_members() -> None:
    """As the first versions wrote them."""
    files = members(bundle())
    told = json.loads(files["passdoctor/manifest.json"])
    del told["members"], told["sha256"]
    files["passdoctor/manifest.json"] = json.dumps(told).encode()
    assert not opened(packed_again(files)).notes
    files["passdoctor/files/etc/modules"] += b"EVIL"
    assert "changed" in opened(packed_again(files)).warnings[0]


@pytest.mark.parametrize("kind", [k for k in NOTED if NOTED[k][1]] + list(REFUSED))
def test_a_bundle_has_no_place_for_what_is_no_file(kind: str) -> None:
    plain = gzip.decompress(bundle()).rstrip(b"\0")
    plain += bytes(-len(plain) % 512)
    evil = (NOTED.get(kind) or REFUSED[kind])[0].replace(b"h/etc", b"passdoctor/files/etc")
    try:
        opened(gzip.compress(plain + evil + bytes(1024)))
    except InputError as error:
        assert "\n" not in str(error)
    else:
        raise AssertionError(kind)


def test_an_unpacked_bundle(tmp_path: Path) -> None:
    for name, data in members(bundle()).items():
        file = tmp_path / "b" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    assert not open_input(str(tmp_path / "b")).notes
    file = tmp_path / "b/passdoctor/files/etc/modules"
    (tmp_path / "secret").write_text("secret")
    file.unlink()
    file.symlink_to(tmp_path / "secret")
    found = open_input(str(tmp_path / "b"))
    assert text(found, "etc/modules") is None and "leaves the folder" in " ".join(found.warnings)
    file.unlink()
    os.mkfifo(file)
    assert "lacks" in " ".join(open_input(str(tmp_path / "b")).warnings)


@pytest.mark.parametrize("note", ["a BIOS update\n\x1b[31mlater", "<script>x</script>", "x" * 5000, "\u202eevil"])
def test_a_note(note: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever wrote the manifest, a note is one short line in each format."""
    files = members(bundle("a plain one"))
    assert any("a plain one" in line for line in opened(packed_again(files)).notes)
    told = json.loads(files["passdoctor/manifest.json"])
    files["passdoctor/manifest.json"] = json.dumps({**told, "note": note}).encode()
    (tmp_path / "b.tar.gz").write_bytes(packed_again(files))
    found = open_input(str(tmp_path / "b.tar.gz"))
    line = next(line for line in found.notes if "notes:" in line)
    assert line.isprintable() and len(line) < 450
    for form in ("terminal", "json", "html"):
        main(["check", str(tmp_path / "b.tar.gz"), "--format", form])
        shown = capsys.readouterr().out
        assert "notes: " in " ".join(shown.split()) and "\x1b[31m" not in shown
        assert form != "html" or "<script>x" not in shown


# An earlier boot.


def test_the_log_of_an_earlier_boot_is_not_the_present_one() -> None:
    from doctor.facts.host import Host
    from doctor.knowledge.store import load

    then = "[    0.000000] kernel: Linux version 6.1.0\n[    0.100000] kernel: DMAR: IOMMU enabled\n"
    back = "journalctl -k -b -1 --no-pager -o short-monotonic"
    entries = [
        Entry("cmd/dmesg", b"[    0.000000] Linux version 6.8.0 (a@b)\n[    9.000000] end\n", "command", "dmesg"),
        Entry("cmd/journalctl-k-b-1", then.encode(), "command", back),
    ]
    made = Collected({entry.path: entry for entry in entries}, "2024-05-01T12:34:56Z", "1", True)
    found = opened(pack.to_bytes(made))
    log = Host(found, load(None)).log
    assert any("DMAR: IOMMU enabled" in event.text for event in log.earlier)
    assert not any("DMAR: IOMMU enabled" in event.text for event in log.order)
    assert Host(found, load(None)).platform.kernel.value == "6.8.0"
    assert {piece.boot for piece in found.pieces("cmd/journalctl-k-b-1")} == {1}


# Through the command line.

_SOME = ("climbs", "newline", "hard link out", "pipe", "sparse")
FILES: dict[str, bytes] = {
    **{f"noted {kind}": gzip.compress(tar(NOTED[kind][0])) for kind in _SOME},
    **{f"refused {kind}": gzip.compress(tar(REFUSED[kind][0])) for kind in REFUSED},
    **{f"zip {kind}": data for kind, (data, _) in ZIPS.items()},
    "cut bundle": bundle()[:-20],
    "changed bundle": packed_again({**members(bundle()), "passdoctor/files/etc/modules": b"x"}),
    "own bomb": gzipped_zeros(header("passdoctor/files/a", 9 << 30), 9 << 30),
    "text named as an archive": b"[    0.054042] DMAR: IOMMU enabled\n",
}  # fmt: skip


@pytest.mark.parametrize("command", ["check", "facts", "compare", "case"])
@pytest.mark.parametrize("kind", FILES)
def test_through_the_command_line(kind: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, good = tmp_path / "bad.tar.gz", tmp_path / "good.tar.gz"
    file.write_bytes(FILES[kind])
    good.write_bytes(bundle())
    status = main([command, str(file), *([str(good)] if command == "compare" else [])])
    said = capsys.readouterr()
    assert "Traceback" not in said.err and "error of passdoctor itself" not in said.err
    if status == 2:
        assert said.err.count("\n") == 1 and "bad.tar.gz" in said.err and not said.out
    else:
        assert said.out and not said.err
    refusal = kind.startswith(("refused", "zip", "cut", "own"))
    assert (status == 2) == (refusal or (command == "case" and status == 2))
    if status != 2 and kind in ("noted climbs", "noted pipe", "changed bundle"):
        shown = " ".join(said.out.replace("#", " ").split())
        assert "Not read, " in shown or "The bundle was changed" in shown


def test_standard_input_and_pipes(tmp_path: Path) -> None:
    """An archive may come from a pipe as well; `case` reads it once."""
    (tmp_path / "b.tar.gz").write_bytes(bundle())
    python = f"{sys.executable} -m doctor"
    for command in (f"{python} facts - < b.tar.gz", f"cat b.tar.gz | {python} facts -"):
        ran = subprocess.run(  # noqa: S602 - the words are fixed
            command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
        assert (ran.returncode, ran.stderr) == (0, "") and WORDS.split()[1] in ran.stdout


# Bombs: what they cost.

_MEASURE = """
import sys
sys.path.insert(0, sys.argv[1])
from doctor.evidence.open import open_input
from doctor.evidence.types import InputError
for name in sys.argv[2:]:
    try:
        open_input(name)
    except InputError as error:
        print("refused", error)
# Not getrusage: that counts the parent's memory before exec.
print(next(int(line.split()[1]) >> 10 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_ten_gigabytes_cost_little_memory(tmp_path: Path) -> None:
    size = 10 << 30
    bombs = {
        "zeros.tar.gz": gzipped_zeros(b"", size),
        "file.tar.gz": gzipped_zeros(header("h/etc/modules", size), size),
        "files.tar.gz": gzipped_zeros(tar()[:-1024] + header("h/etc/modules", 120 << 20), size),
        "own.tar.gz": gzipped_zeros(header("passdoctor/files/a", size), size),
        "honest.zip": one_zip(b"etc/modules", zeros(size), 8, 0xFFFFFFF0),
        "lying a little.zip": one_zip(b"etc/modules", zeros(size), 8, 100 << 20),
        "lying.zip": one_zip(b"etc/modules", zeros(size), 8, 1000),
        "sparse.tar.gz": gzip.compress(tar(sparse_chain(200_000)), 1),
        "map.tar.bz2": bz2.compress(tar(sparse_chain(200_000)), 1),
        "values.tar.gz": packed_again(
            {**members(bundle()), "passdoctor/sysfs.json": b"[" + b"[]," * 9_000_000 + b"1]"}
        ),
        "names.tar.gz": gzip.compress(tar(pax(path="x/" * 400_000), member("y"))),
    }
    for name, data in bombs.items():
        (tmp_path / name).write_bytes(data)
    begin = os.times()
    ran = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(Path(__file__).parents[2]), *(str(tmp_path / name) for name in bombs)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    end = os.times()
    lines = ran.stdout.splitlines()
    assert len(lines) > len(bombs) - 3 and int(lines[-1]) < 200, ran.stdout
    # No absolute time: unpacking all of it would take a minute, a part of it takes a few seconds of the processor.
    assert end.children_user - begin.children_user < 60


def test_linear_time() -> None:
    def spent(count: int) -> float:
        data = tar(*(member(f"h/etc/modprobe.d/{n}.conf", b"x") for n in range(count)))
        data += tar(*(member("h/etc/modules", b"x") for n in range(count)))
        begin = time.process_time()
        opened(data)
        opened(zipped({f"etc/modprobe.d/{n}.conf": b"" for n in range(count)}))
        return time.process_time() - begin

    spent(50)
    small = min(spent(400) for _ in range(3))
    assert spent(1600) < 10 * small + 0.05


# Any bytes.

BEGINNINGS = [
    b"\x1f\x8b\x08\0",
    b"\xfd7zXZ\0",
    b"BZh9",
    b"PK\3\4",
    b"PK\5\6",
    b"\x28\xb5\x2f\xfd",
    b"",
    header("etc/modules"),
]


def survives(data: bytes) -> None:
    try:
        found = opened(data)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(found, Evidence)


@slow
@given(st.sampled_from(BEGINNINGS), st.binary(max_size=600))
def test_any_bytes(beginning: bytes, data: bytes) -> None:
    survives(beginning + data)
    survives(gzip.compress(beginning + data))


@slow
@given(
    st.lists(st.tuples(st.integers(0, 511), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, 20),
    st.booleans(),
)
def test_headers_of_any_kind(changes: list[tuple[int, int]], which: int, own: bool) -> None:
    """Bytes of a header are changed and its checksum is made right again."""
    whole = gzip.decompress(bundle()) if own else tar(pax(path="h/etc/a"), *(part for part, _ in NOTED.values()))
    block = which % (len(whole) // 512) * 512
    head = bytearray(whole[block : block + 512])
    for at, value in changes:
        head[at] = value
    survives(gzip.compress(whole[:block] + checked(bytes(head)) + whole[block + 512 :]))


_NAMES = st.sampled_from(["path", "how", "state", "sha256", "size", "files", "links", "x/", "../x"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=8,
)
_KEYS = st.sampled_from(["format", "entries", "members", "sha256", "note", "version", "collected_at", "as_root"])


@slow
@given(
    st.dictionaries(_KEYS, _JSON),
    st.dictionaries(st.sampled_from(["files", "binary", "links", "listings", "exists"]), _JSON),
)
def test_manifests_of_any_kind(changes: dict[str, Any], small: dict[str, Any]) -> None:
    files = members(bundle())
    told = {**json.loads(files["passdoctor/manifest.json"]), **changes}
    files["passdoctor/manifest.json"] = json.dumps(told).encode()
    if small:
        files["passdoctor/sysfs.json"] = json.dumps(small).encode()
    survives(packed_again(files))
    survives(packed_again(files, "zip"))


@slow
@given(st.binary(min_size=1, max_size=30), st.integers(0, 10_000))
def test_zips_of_any_kind(data: bytes, at: int) -> None:
    for whole in (zipped({"etc/modules": b"vfio" * 30, "proc/cmdline": b"quiet"}), ZIPS["parts that overlap"][0]):
        place = at % len(whole)
        survives(whole[:place] + data + whole[place + len(data) :])


# A folder.


def host(tmp_path: Path) -> Path:
    root = tmp_path / "host"
    for name in ("proc", "etc", "sys/devices/pci0000:00/0000:00:01.0"):
        (root / name).mkdir(parents=True)
    (root / "proc/cmdline").write_text(WORDS)
    return root


def test_a_folder_with_what_is_no_file(tmp_path: Path) -> None:
    root = host(tmp_path)
    os.mkfifo(root / "etc/modules")
    device = root / "sys/devices/pci0000:00/0000:00:01.0"
    for name in ("rom", "vpd", "resource0", "reset", "remove", "rescan", "resource", "vendor"):
        (device / name).write_text("0x10de")
    check_good_part(open_input(str(root)), "a pipe in place of a file: etc/modules")
    read = {piece.path.rpartition("/")[2] for piece in open_input(str(root)).under("sys/devices/")}
    assert read == {"resource", "vendor"}
    if os.geteuid() == 0 and hasattr(os, "mknod"):
        (root / "etc/modules").unlink()
        try:
            os.mknod(root / "etc/modules", stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero, without an end
        except PermissionError:
            return
        check_good_part(open_input(str(root)), "a device or a pipe")


def test_a_file_that_is_replaced_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = host(tmp_path)
    (root / "etc/modules").write_text("vfio")
    secret = tmp_path / "secret"
    secret.write_text("EVIL")
    real, pipes = os.open, [True]

    def swapped(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if str(path).endswith("etc/modules"):
            os.unlink(path)  # noqa: PTH108 - as the code under test
            (os.mkfifo(path) if pipes[-1] else os.symlink(secret, path))  # noqa: PTH211 - as the code under test
        return real(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", swapped)
    for pipe in (True, False):
        pipes.append(pipe)
        check_good_part(open_input(str(root)), "replaced")
        (root / "etc/modules").unlink()
        (root / "etc/modules").write_text("vfio")


def test_a_file_that_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = host(tmp_path)
    (root / "etc/modules").write_text("vfio\n" * 1000)
    monkeypatch.setattr(directory, "LARGEST", 1000)
    real = os.fstat
    monkeypatch.setattr(os, "fstat", lambda fd: os.stat_result((*real(fd)[:6], 10, *real(fd)[7:10])))
    check_good_part(open_input(str(root)), "larger than")


def test_the_running_host_is_no_folder() -> None:
    with pytest.raises(InputError, match="running host"):
        open_input("/")


def test_limits_of_a_tar(monkeypatch: pytest.MonkeyPatch) -> None:
    data = tar(*(member(f"h/etc/{n}") for n in range(50)))
    monkeypatch.setattr(tarball, "NAMES", 100)
    assert "too much" in refused(data)
