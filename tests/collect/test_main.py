"""The command: what it prints, how it fails, and that it runs on Python 3.6."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import doctor.collect
from doctor.collect import __main__ as command
from doctor.collect import gather, pack
from doctor.collect.model import Collected, Entry

HERE = Path(doctor.collect.__file__).parent


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(autouse=True)
def collected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entries = [
        Entry("proc/cmdline", b"quiet nameserver=10.1.2.3\n", "file"),
        Entry("cmd/dmesg", b"", "command", "dmesg", "denied", "Operation not permitted"),
        Entry("cmd/lspci-nnk", b"", "command", "lspci -Dnnk", "absent", "lspci is not installed"),
        Entry("sys/bus/pci/devices/0000:01:00.0/config", bytes(64), "file", None, "cut", "without root"),
    ]
    whole = Collected({entry.path: entry for entry in entries}, "2024-05-01T12:34:56Z", "1", False)
    monkeypatch.setattr(gather, "gather", lambda *_: whole)
    monkeypatch.chdir(tmp_path)


def test_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 0
    out, err = capsys.readouterr()
    (name,) = names(Path())
    assert name.startswith("passdoctor-20") and name.endswith(".tar.gz")
    assert str(Path(name).absolute()) in out and "KB" in out
    assert "Left out: cmd/dmesg (Operation not permitted)" in out
    assert "Left out: cmd/lspci-nnk (lspci is not installed)" in out
    assert "Incomplete: sys/bus/pci/devices/*/config (without root)" in out
    assert "Run it as root" in out and "Redacted: 1 IP addresses" in out
    assert err == ""
    back = pack.unpack(Path(name).read_bytes())
    assert back.redaction == "forum" and b"10.1.2.3" not in back.entries["proc/cmdline"].data


def test_no_redaction_must_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--redact", "none", "-o", "x.tar.gz"]) == 0
    assert "Nothing was redacted" in capsys.readouterr().out
    back = pack.unpack(Path("x.tar.gz").read_bytes())
    assert back.redaction == "none" and b"10.1.2.3" in back.entries["proc/cmdline"].data


def test_errors_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").write_text("mine")
    for target in ("taken", "no/such/folder/x", "."):
        assert command.main(["-o", target]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and target in err
    assert Path("taken").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert command.main([]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_interrupt(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(gather, "gather", stop)
    assert command.main([]) == 130
    assert "nothing was written" in capsys.readouterr().err and names(Path()) == []


def test_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert command.main(["-o", "-"]) == 0
    out, err = capfdbinary.readouterr()
    assert pack.unpack(out).redaction == "forum" and b"standard output: " in err and names(Path()) == []


def test_a_map_and_its_bundle_are_both_written_or_neither(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["-o", "x", "--map", "m"]) == 0
    assert "10.1.2.3" in Path("m").read_text() and names(Path()) == ["m", "x"]
    capsys.readouterr()
    refused = (["-o", "y", "--map", "m"], ["-o", "no/such/y", "--map", "n"], ["-o", "y", "--map", "y"])
    for argv in (*refused, ["--preview", "--map", "n"], ["-o", "y", "--redact", "none", "--map", "n"]):
        assert command.main(argv) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and (argv[-1] in err or argv[1] in err), argv
    assert names(Path()) == ["m", "x"]


@pytest.mark.parametrize(
    "words",
    ["", "--preview", "--preview --full", "-o x", "--output x", "--redact none -o x", "--redact forum", "-o -", "-ox"],
)
def test_plain_options_are_what_argparse_says(words: str) -> None:
    argv = words.split()
    theirs = vars(command.make_parser().parse_args(argv))
    ours = command.plain(argv)
    assert (ours is None) == (words in ("-o -", "-ox"))
    assert ours is None or {name: getattr(ours, name) for name in theirs} == theirs
    assert command.plain(["-o"]) is None and command.plain(["-o", ""]) is None and command.plain(["x"]) is None


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    assert "proc/cmdline" in capsys.readouterr().out and names(Path()) == []


def old_python() -> str | None:
    found = [shutil.which("python3." + minor) for minor in "67"]
    found += [str(path) for path in sorted((Path.home() / ".pyenv" / "versions").glob("3.[67].*/bin/python"))]
    # A wrapper of that name may stand for a Python that is not installed.
    return next((path for path in found if path and subprocess.call([path, "-c", ""], stderr=-3) == 0), None)


@pytest.mark.parametrize("python", [sys.executable, old_python()])
def test_alone_on_this_and_an_old_python(python: str | None, tmp_path: Path) -> None:
    if python is None:
        pytest.skip("no Python 3.6 or 3.7 is at hand")
    shutil.copytree(str(HERE), str(tmp_path / "doctor" / "collect"), ignore=shutil.ignore_patterns("__pycache__"))

    def run(*arguments: str) -> bytes:
        argv = [str(python), "-B", "-m", *arguments]
        alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(argv, cwd=str(tmp_path), env=alone, stdout=-1, stderr=-1, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("compileall", "-q", "doctor")
    assert b"proc/cmdline" in run("doctor.collect", "--list")
    assert b"pieces of evidence" in run("doctor.collect", "-o", "x.tar.gz")
    back = pack.unpack((tmp_path / "x.tar.gz").read_bytes())
    assert back.redaction == "forum" and back.entries["proc/cmdline"].data
