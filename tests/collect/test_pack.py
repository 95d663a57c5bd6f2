"""Bundles: written whole or not at all, read back the same, and strangers' ones with care."""

import gzip
import hashlib
import io
import json
import os
import stat
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from doctor.collect import gather, pack, untar
from doctor.collect.__main__ import main as collect
from doctor.collect.catalogue import Item
from doctor.collect.model import Collected, Entry
from doctor.collect.pack import BundleError, unpack, write

STAMP = "2024-05-01T12:34:56Z"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def sample() -> Collected:
    entries = [
        Entry("proc/cmdline", b"quiet\n", "file"),
        Entry("cmd/dmesg", b"", "command", "dmesg", "denied", "Operation not permitted"),
        Entry("cmd/uname-a", b"Linux h 6.8\n", "command", "uname -a"),
        Entry("boot/config-6.8", b"CONFIG_VFIO=m\n", "file", None, "filtered", "only lines with VFIO"),
        Entry("etc/empty.conf", b"", "file"),
        Entry("etc/" + "long/" * 20 + "x" * 120, b"deep\n", "file"),
        Entry("sys/a/vendor", b"0x10de\n", "file"),
        Entry("sys/a/config", bytes(range(64)) + b"\xff", "file", None, "cut", "without root only 65 bytes"),
        Entry("sys/a/driver", b"../vfio-pci", "link"),
        Entry("sys/groups/", b"0\n1\n", "listing"),
        Entry("dev/vfio/", b"", "listing"),
        Entry("sys/firmware/efi", b"", "exists"),
        Entry("etc/NIXOS", b"", "exists", None, "absent"),
        Entry("sys/kernel/security/lockdown", b"", "file", None, "denied", "Permission denied"),
    ]
    return Collected({entry.path: entry for entry in entries}, STAMP, "0.1", False)


def bundle(members: list[tuple[str, bytes]], kind: bytes = tarfile.REGTYPE, **more: Any) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", **more) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        if kind != tarfile.REGTYPE:
            info = tarfile.TarInfo("passdoctor/files/x")
            info.type, info.linkname = kind, "/etc/shadow"
            archive.addfile(info)
    return out.getvalue()


def manifest(**more: Any) -> tuple[str, bytes]:
    value: dict[str, Any] = {"format": 1, "entries": [], "collected_at": STAMP, "version": "1"}
    value.update(more)
    return ("passdoctor/manifest.json", json.dumps(value).encode())


def test_round_trip(tmp_path: Path) -> None:
    target = tmp_path / "b.tar.gz"
    size = write(sample(), str(target), {"host": 2}, "0.1")
    data = target.read_bytes()
    assert size == len(data) and stat.S_IMODE(target.stat().st_mode) == 0o600
    back = unpack(data)
    assert back == sample()._replace(redaction="forum", entries=back.entries)
    assert back.entries == sample().entries
    assert names(tmp_path) == ["b.tar.gz"]


def test_any_tar_reads_it() -> None:
    data = pack.to_bytes(sample())
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
        assert [member.name for member in members[:2]] == [
            "passdoctor/manifest.json",
            "passdoctor/sysfs.json",
        ]
        assert {(member.uid, member.uname, member.mtime) for member in members} == {(0, "", 1714566896)}
        first = archive.extractfile(members[0])
        assert first is not None
        listed = json.loads(first.read().decode())
    assert listed["redaction"] == "none" and listed["tool"] == "passdoctor"
    denied = [one for one in listed["entries"] if one["state"] == "denied"]
    assert [one["path"] for one in denied] == ["cmd/dmesg", "sys/kernel/security/lockdown"]
    assert "sys/a/vendor" not in [one["path"] for one in listed["entries"]]


def test_the_same_collection_gives_the_same_bytes() -> None:
    assert pack.to_bytes(sample(), {"a": 1}) == pack.to_bytes(sample(), {"a": 1})


@pytest.mark.parametrize("options", [{"format": tarfile.GNU_FORMAT}, {"format": tarfile.PAX_FORMAT}])
def test_repacked_bundles(options: dict[str, int]) -> None:
    name = "passdoctor/files/" + "etc/" * 10 + "y" * 150
    data = bundle([("./" + manifest()[0], manifest()[1]), ("./" + name, b"1\n")], kind=tarfile.DIRTYPE, **options)
    with pytest.raises(BundleError):
        unpack(data[:-40])
    assert unpack(data).entries[name[17:]].data == b"1\n"


def test_an_existing_file_stays(tmp_path: Path) -> None:
    target = tmp_path / "b.tar.gz"
    target.write_text("mine")
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    for name in (target, link):
        with pytest.raises(FileExistsError):
            write(sample(), str(name))
    assert target.read_text() == "mine" and names(tmp_path) == ["b.tar.gz", "link"]


def test_a_name_taken_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "b.tar.gz"
    monkeypatch.setattr(os, "fsync", lambda _: target.write_text("mine"))
    with pytest.raises(FileExistsError):
        write(sample(), str(target))
    assert target.read_text() == "mine" and names(tmp_path) == ["b.tar.gz"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("call", ["fsync", "link"])
def test_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: BaseException
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(os, call, fail)
    if call == "link" and isinstance(error, OSError):
        monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(type(error)):
        write(sample(), str(tmp_path / "b.tar.gz"))
    assert names(tmp_path) == []


def test_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "b.tar.gz"
    assert write(sample(), str(target)) == target.stat().st_size
    assert stat.S_IMODE(target.stat().st_mode) == 0o600 and names(tmp_path) == ["b.tar.gz"]


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        write(sample(), str(tmp_path / "no" / "b.tar.gz"))


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "passdoctor/files/../../x",
        "passdoctor/files/./x",
        "passdoctor/files//x",
        "passdoctor/files/a\nb",
        "passdoctor/files/a\x1b[2J",
        "passdoctor/files/\u202egnp",
        "passdoctor/files/" + "d/" * 40 + "x",
        "passdoctor/files/" + "x" * 2000,
    ],
)
def test_hostile_names(name: str) -> None:
    with pytest.raises(BundleError) as caught:
        unpack(bundle([manifest(), (name, b"x")]))
    assert str(caught.value).isprintable() and len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"S", b"Z"]
)
def test_hostile_kinds(kind: bytes) -> None:
    with pytest.raises(BundleError):
        unpack(bundle([manifest()], kind))


def test_duplicates() -> None:
    with pytest.raises(BundleError, match="twice"):
        unpack(bundle([manifest(), ("passdoctor/files/a", b"1"), ("passdoctor/files/a", b"2")]))
    small = ("passdoctor/sysfs.json", b'{"files": {"a": "1"}}')
    with pytest.raises(BundleError, match="twice"):
        unpack(bundle([manifest(), small, ("passdoctor/files/a", b"2")]))


def test_bombs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untar, "TOTAL_SIZE", 1 << 20)
    with pytest.raises(BundleError, match="more than 1 MiB"):
        unpack(gzip.compress(bytes(64 << 20)))
    monkeypatch.setattr(untar, "MEMBER_SIZE", 1000)
    with pytest.raises(BundleError, match="larger"):
        unpack(bundle([manifest(), ("passdoctor/files/a", bytes(2000))]))
    monkeypatch.setattr(untar, "MEMBER_COUNT", 10)
    with pytest.raises(BundleError, match="members"):
        unpack(bundle([manifest()] + [(f"passdoctor/files/{i}", b"") for i in range(20)]))


def damage(change: Callable[[bytearray], bytes | None]) -> bytes:
    plain = bytearray(gzip.decompress(bundle([manifest(), ("passdoctor/files/a", b"1")])))
    return gzip.compress(change(plain) or bytes(plain))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no archive",
        b"\x1f\x8b\x08",
        gzip.compress(b""),
        gzip.compress(b"x" * 5000),
        gzip.compress(bytes(1024)),
        pack.to_bytes(sample())[:500],
        pack.to_bytes(sample()) + b"more",
        damage(lambda plain: plain.__setitem__(3, 0)),
        damage(lambda plain: plain.__setitem__(slice(124, 136), b"\x80" + b"\xff" * 11)),
        damage(lambda plain: bytes(plain[:1024])),
        bundle([("other/file", b"")]),
        bundle([("passdoctor/manifest.json", b"[]")]),
        bundle([("passdoctor/manifest.json", b"[" * 200000)]),
        bundle([("passdoctor/manifest.json", b'{"format": ' + b"9" * 10000 + b"}")]),
        bundle([manifest(format=2)]),
        bundle([manifest(entries=None)]),
        bundle([manifest(entries=[1])]),
        bundle([manifest(entries=[{"path": "../x", "how": "file", "state": "absent"}])]),
        bundle([manifest(entries=[{"path": "x", "how": "file", "state": "good"}])]),
        bundle([manifest(entries=[{"path": "x", "how": [], "state": {}}])]),
        bundle([manifest(entries=5)]),
        bundle([manifest(entries=[], members=[])]),
        bundle([manifest(members={"../x": {}})]),
        bundle([("passdoctor/manifest.json", b'{"format": 1, "sha256": 0, "x": ' + b"[" * 900 + b"]" * 900 + b"}")]),
        bundle([manifest(), ("passdoctor/sysfs.json", b'{"files": [' + b"[]," * 2000000 + b"[]]}")]),
        bundle([manifest(), ("passdoctor/sysfs.json", b'{"files": []}')]),
        bundle([manifest(), ("passdoctor/sysfs.json", b'{"files": {"a": 1}}')]),
        bundle([manifest(), ("passdoctor/sysfs.json", b'{"files": {"a": "\\ud800"}}')]),
        bundle([manifest(), ("passdoctor/sysfs.json", b'{"files": {"/a": "x"}}')]),
        bundle([manifest(), ("passdoctor/sysfs.json", b'{"binary": {"a": "x"}}')]),
        bundle([manifest(), ("passdoctor/sysfs.json", b'{"listings": {"a/": ["x\\ny"]}}')]),
        bundle([manifest(), ("passdoctor/sysfs.json", b'{"exists": 3}')]),
        bundle([manifest(), ("passdoctor/sysfs.json", b'{"exists": [3]}')]),
        bundle([manifest(), ("passdoctor/sysfs.json", b"\xff")]),
    ],
)
def test_damaged(data: bytes) -> None:
    with pytest.raises(BundleError) as caught:
        unpack(data)
    assert str(caught.value).isprintable()


def test_strangers_lines_in_the_manifest() -> None:
    entry = {"path": "x", "how": "file", "state": "denied", "reason": "\x1b[2J", "command": 3}
    back = unpack(bundle([manifest(entries=[entry], version="a\nb", collected_at=["x"])]))
    assert back.entries["x"] == Entry("x", b"", "file", None, "denied", None)
    assert (back.version, back.collected_at) == ("", "")


def test_unpack_is_fast() -> None:
    entries = {f"sys/{i}/vendor": Entry(f"sys/{i}/vendor", b"0x10de\n", "file") for i in range(3000)}
    entries["cmd/dmesg"] = Entry("cmd/dmesg", b"[    0.000000] line\n" * 20000, "command", "dmesg")
    data = pack.to_bytes(Collected(entries, STAMP, "1", True))
    best = 1.0
    for _ in range(5):
        begin = time.process_time()
        unpack(data)
        best = min(best, time.process_time() - begin)
    assert best < 0.1


def test_every_member_has_a_checksum() -> None:
    data = pack.to_bytes(sample(), {"host": 2}, by_file={"cmd/uname-a": {"host": 2}})
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        held = {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]
    listed = json.loads(held.pop("passdoctor/manifest.json").decode())
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in held.items()}
    assert {name: one["sha256"] for name, one in listed["members"].items()} == sums
    assert {name: one["size"] for name, one in listed["members"].items()} == {n: len(held[n]) for n in held}
    assert listed["redactions_by_file"] == {"cmd/uname-a": {"host": 2}}
    back = unpack(data)
    assert (back.warnings, back.complete) == ((), True)


def test_a_note_is_kept_plain_and_short() -> None:
    assert unpack(pack.to_bytes(sample()._replace(note="a\n b\x1b[31m"))).note == "a b?[31m"
    assert len(unpack(pack.to_bytes(sample()._replace(note="x" * 9000))).note) == pack.NOTE


def test_logs_of_earlier_boots(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    def run(item: Item) -> Entry:
        ran.append(" ".join(item.argv))
        return Entry(item.path, b"", "command", None, "absent", "not here")

    monkeypatch.setattr(gather, "run_item", run)
    monkeypatch.setattr(gather, "ITEMS", ())
    found = gather.gather("/", boots=2)
    assert ran == [f"journalctl -k -b -{n} --no-pager -o short-monotonic" for n in (1, 2)]
    # The journal has none of them: Debian's own copy of the previous boot's log may be there.
    assert sorted(found.entries) == ["cmd/journalctl-k-b-1", "cmd/journalctl-k-b-2", "var/log/dmesg.0"]


@pytest.mark.parametrize("words", [["--since-boot", "1"], ["--since-boot", "-0"], ["--since-boot", "-10"]])
def test_a_boot_that_is_none(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        collect(words)
    assert caught.value.code == 2 and "-1 is the boot before this one" in capsys.readouterr().err
