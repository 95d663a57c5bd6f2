"""`passdoctor redact`: the same kind of thing comes out, nothing is overwritten, and the audit says what is left."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from doctor.cli import main
from doctor.collect import __main__ as command
from doctor.collect import gather, pack
from doctor.collect.model import Collected, Entry
from doctor.evidence.open import open_input

LOG = "May  1 12:34:56 zeus kernel: DMAR: IOMMU enabled\nMay  1 12:34:57 zeus kernel: igb: mac a0:36:9f:12:34:56\n"


@pytest.fixture(autouse=True)
def inside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def run(*words: str) -> int:
    return main(["redact", *words])


def test_a_paste_stays_a_text(capsys: pytest.CaptureFixture[str]) -> None:
    Path("paste.txt").write_text("alice@zeus:~$ dmesg\r\n" + LOG)
    assert run("--audit", "paste.txt") == 1
    assert "paste.txt:3: mac: a0:… (17 characters)" in capsys.readouterr().out
    assert run("paste.txt", "-o", "out.txt", "--map", "map.json") == 0
    said = capsys.readouterr().out
    assert "1 MAC addresses" in said and "zeus" not in said
    text = Path("out.txt").read_text()
    assert "zeus" not in text and "alice" not in text and text.count("\n") == 3 and "IOMMU enabled" in text
    assert Path("out.txt").stat().st_mode & 0o777 == Path("map.json").stat().st_mode & 0o777 == 0o600
    assert "zeus" in json.loads(Path("map.json").read_text())["host"]
    assert run("--audit", "out.txt") == 0 and "nothing found" in capsys.readouterr().out
    for words in (("out.txt", "-o", "paste.txt"), ("out.txt", "-o", "new", "--map", "map.json"), ("out.txt",)):
        assert run(*words) == 2
    assert Path("paste.txt").read_text().startswith("alice") and not Path("new").exists()


def test_nothing_is_no_assurance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.txt").write_bytes(b"")
    Path("folder").mkdir()
    for name in ("empty.txt", "folder"):
        assert main(["redact", "--audit", name]) == 2
        assert capsys.readouterr().err == f"passdoctor: {name}: it is empty\n"


def test_utf_16_stays_utf_16() -> None:
    Path("paste.txt").write_bytes(LOG.encode("utf-16"))
    assert run("paste.txt", "-o", "out.txt") == 0
    text = Path("out.txt").read_bytes().decode("utf-16")
    assert "zeus" not in text and "IOMMU enabled" in text


def collected() -> Collected:
    entries = [
        Entry("proc/cmdline", b"quiet nameserver=10.1.2.3\n", "file"),
        Entry("cmd/dmesg", LOG.encode(), "command", "dmesg"),
        Entry("sys/class/dmi/id/product_serial", b"PF0ABCD9\n", "file"),
    ]
    return Collected({entry.path: entry for entry in entries}, "2024-05-01T12:34:56Z", "1", False, note="from zeus")


@pytest.mark.parametrize("unpacked", [False, True])
def test_a_bundle_stays_a_bundle(unpacked: bool, capsys: pytest.CaptureFixture[str]) -> None:
    pack.write(collected(), "in.tar.gz")
    assert run("--audit", "in.tar.gz") == 1
    said = capsys.readouterr().out
    assert "passdoctor/files/cmd/dmesg:2: mac" in said and "a0:36" not in said
    if unpacked:
        with tarfile.open("in.tar.gz") as archive:
            archive.extractall("folder", filter="data")
    assert run("folder" if unpacked else "in.tar.gz", "-o", "out.tar.gz") == 0
    back = pack.unpack(Path("out.tar.gz").read_bytes())
    assert back.redaction == "forum" and back.collected_at == "2024-05-01T12:34:56Z" and not back.warnings
    everything = b"".join(entry.data for entry in back.entries.values()) + back.note.encode()
    assert not any(word in everything for word in (b"zeus", b"10.1.2.3", b"a0:36", b"PF0ABCD9"))
    with tarfile.open("out.tar.gz") as archive:
        handle = archive.extractfile("passdoctor/manifest.json")
        assert handle is not None
        manifest = json.load(handle)
    assert manifest["redactions"]["mac"] == 1
    assert manifest["redactions_by_file"]["cmd/dmesg"] == {"host": 2, "mac": 1}
    assert run("--audit", "out.tar.gz") == 0


def test_a_sosreport_stays_one(capsys: pytest.CaptureFixture[str]) -> None:
    top = "sosreport-zeus-2024-05-01/"
    members = {
        top + "sos_commands/kernel/dmesg": LOG.encode(),
        top + "proc/cmdline": b"root=UUID=1b2c3d4e-1111-4222-8333-444455556666\n",
        top + "etc/shadow": b"root:$6$salt$hash:1\n",
        top + "sos_logs/sos.log": b"zeus\n",
        top + "etc/modprobe.d/blob.conf": bytes(range(256)) * 4,
        top + "sys/bus/pci/devices/0000:01:00.0/config": bytes(64),
    }
    with tarfile.open("in.tar.xz", "w:xz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert run("in.tar.xz", "-o", "out.tar.xz") == 0
    said = capsys.readouterr().out
    assert "no text" in said and "blob.conf" in said
    assert Path("out.tar.xz").read_bytes().startswith(b"\xfd7zXZ")
    with tarfile.open("out.tar.xz") as archive:
        names = archive.getnames()
    assert not any("zeus" in name or "blob" in name or "sos.log" in name for name in names)
    evidence = open_input("out.tar.xz")
    assert evidence.kind == "sosreport" and "IOMMU enabled" in evidence.pieces("cmd/dmesg")[0].text
    assert "1b2c3d4e" not in evidence.pieces("proc/cmdline")[0].text


def test_unraids_diagnostics_stay_a_zip() -> None:
    with zipfile.ZipFile("in.zip", "w") as archive:
        archive.writestr("tower-diagnostics-20240501-1200/system/lspci.txt", "00:00.0 Host bridge [0600]: x [8086:1]\n")
        archive.writestr("tower-diagnostics-20240501-1200/system/vars.txt", "csrf_token=1234567890ABCDEF\n")
        archive.writestr("tower-diagnostics-20240501-1200/logs/syslog.txt", LOG)
        archive.writestr("tower-diagnostics-20240501-1200/system/cmdline.txt", "quiet\n")
    assert run("in.zip", "-o", "out.zip") == 0
    with zipfile.ZipFile("out.zip") as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"zeus" not in everything and b"1234567890ABCDEF" not in everything
    assert open_input("out.zip").kind == "diagnostics"


def test_what_cannot_be_redacted_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    Path("blob").write_bytes(bytes(range(256)) * 10)
    Path("empty.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    for name in ("blob", "empty.zip", "nowhere", "a\nb"):
        assert run(name, "-o", "out") == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and not Path("out").exists()


def test_a_preview_shows_everything_and_writes_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    long = collected()
    long.entries["etc/modules"] = Entry(
        "etc/modules", b"".join(b"m%d\n" % at for at in range(60)) + b"\x1b[2J10.9.8.7 \x1b]\n", "file"
    )
    monkeypatch.setattr(gather, "gather", lambda *_: long)
    assert command.main(["--preview"]) == 0
    out = capsys.readouterr().out
    assert "zeus" not in out and "\x1b" not in out and "a0:36" not in out
    assert "mac [*02:fa:ce:" in out and "== cmd/dmesg" in out and "2 host names, 1 MAC addresses redacted" in out
    assert "--full shows them" in out and "m59" not in out and "61: [*198.18." in out
    assert command.main(["--preview", "--full"]) == 0
    assert "m59" in capsys.readouterr().out
    assert command.main(["--preview", "--redact", "none"]) == 0
    assert "zeus" in capsys.readouterr().out
    assert list(Path().iterdir()) == []


def test_collect_keeps_a_private_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "gather", lambda *_: collected())
    assert command.main(["-o", "out.tar.gz", "--map", "map"]) == 0
    assert Path("map").stat().st_mode & 0o777 == 0o600 and "zeus" in Path("map").read_text()
    assert command.main(["-o", "two.tar.gz", "--map", "map"]) == 2 and not Path("two.tar.gz").exists()
