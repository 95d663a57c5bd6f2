"""The command line: exit codes, outputs, errors in one line, and the commands around `check`."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from doctor import __version__
from doctor.cli import exit_code, main
from doctor.diagnosis.cases import Case, judge
from doctor.knowledge.store import load

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))
FAILING = """root@pve:~# cat /proc/cmdline
BOOT_IMAGE=/boot/vmlinuz-6.8.12-1-pve root=/dev/mapper/pve-root ro quiet intel_iommu=on iommu=pt
root@pve:~# dmesg | grep -e DMAR -e IOMMU
[    0.054042] DMAR: IOMMU enabled
root@pve:~# cat /etc/network/interfaces
address 192.0.2.17/24 secret-host.example.org
root@pve:~#
"""
READY = """root@pve:~# dmesg | grep -e DMAR -e IOMMU
[    0.008871] ACPI: DMAR 0x000000007B7E8000 0000A8 (v01 INTEL  EDK2     00000002      01000013)
[    0.085022] DMAR: Host address width 39
[    0.085023] DMAR: DRHD base: 0x000000fed90000 flags: 0x0
[    0.280000] DMAR-IR: Enabled IRQ remapping in x2apic mode
[    0.560707] DMAR: Intel(R) Virtualization Technology for Directed I/O
root@pve:~#
"""
RISK = (
    READY + "root@pve:~# cat /etc/modprobe.d/x.conf\noptions vfio_iommu_type1 allow_unsafe_interrupts=1\nroot@pve:~#\n"
)
ADVICE = READY.replace(
    "[    0.008871]", "[    0.000000] Command line: root=/dev/sda1 intel_iommu=on iommu=on\n[    0.008871]"
)
ADVICE = ADVICE.replace("grep -e DMAR -e IOMMU", "grep -e DMAR -e IOMMU -e Command")
UNDETERMINED = "[    0.054042] DMAR: IOMMU enabled\n"
LSPCI = "01:00.0 VGA compatible controller [0300]: NVIDIA [10de:2484]\n02:00.0 Ethernet controller [0200]: Intel [8086:1521]\n"  # noqa: E501 - a line as it is pasted


@pytest.fixture
def paste(tmp_path: Path) -> Any:
    """Writes a text to a file and names it."""

    def write(text: str | bytes, name: str = "paste.txt") -> str:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(tmp_path / name)

    return write


def one_line(text: str) -> None:
    """Standard error holds exactly one line, without control characters or a traceback."""
    assert text.startswith("passdoctor: ")
    assert text.count("\n") == 1
    assert text[:-1].isprintable()
    assert "Traceback" not in text


def run(*arguments: str, stdin: bytes | None = None, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "doctor", *arguments],
        input=stdin,
        capture_output=True,
        cwd=ROOT,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("text", "level", "code"),
    [
        (FAILING, "blocker", 1),
        (FAILING, "risk", 1),
        (FAILING, "advice", 1),
        (FAILING, "never", 0),
        (READY, "blocker", 0),
        (READY, "advice", 0),
        (READY, "never", 0),
        (RISK, "blocker", 0),
        (RISK, "risk", 1),
        (RISK, "advice", 1),
        (RISK, "never", 0),
        (ADVICE, "blocker", 0),
        (ADVICE, "risk", 0),
        (ADVICE, "advice", 1),
        (UNDETERMINED, "blocker", 3),
        (UNDETERMINED, "advice", 3),
        (UNDETERMINED, "never", 0),
    ],
)
def test_exit_codes(text: str, level: str, code: int, paste: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", paste(text), "--format", "json", "--fail-on", level]) == code
    assert capsys.readouterr().err == ""


def test_the_default_level_is_blocker(paste: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", paste(FAILING)]) == 1
    assert main(["check", paste(RISK)]) == 0
    assert capsys.readouterr().out


def test_a_failure_beats_undetermined() -> None:
    report: Any = {"checks": [{"status": "fail", "severity": "risk"}], "summary": {"verdict": "undetermined"}}
    assert [exit_code(report, level) for level in ("blocker", "risk", "advice", "never")] == [3, 1, 1, 0]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["chekc"],
        ["check", "--fail-on", "always"],
        ["check", "--format", "xml"],
        ["rules"],
        ["explain"],
        ["check", "a", "b"],
    ],
)
def test_wrong_usage_is_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"passdoctor {__version__}\n"


def test_several_formats_in_one_run(paste: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, data, text = (tmp_path / name for name in ("a.html", "b.json", "c.txt"))
    given = [
        "--format",
        "html",
        "-o",
        str(page),
        "--format",
        "json",
        "-o",
        str(data),
        "--format",
        "terminal",
        "-o",
        str(text),
    ]
    assert main(["check", paste(READY), *given]) == 0
    assert page.read_text("utf-8").lower().startswith("<!doctype html")
    assert json.loads(data.read_bytes())["summary"]["verdict"] == "ready"
    assert "\x1b" not in text.read_text("utf-8")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        *[("r.html", "<!doctype"), ("r.HTM", "<!doctype"), ("r.json", "{"), ("r.txt", ""), ("r", "")],
        *[("r.md", "**ready**"), ("r.markdown", "**ready**"), ("r.bbcode", "[b]ready[/b]")],
    ],
)
def test_a_files_ending_tells_the_format(name: str, begins: str, paste: Any, tmp_path: Path) -> None:
    assert main(["check", paste(READY), "-o", str(tmp_path / name)]) == 0
    written = (tmp_path / name).read_text("utf-8")
    assert written.lower().startswith(begins)
    assert written
    assert begins or not written.startswith(("{", "<"))


@pytest.mark.parametrize("option", ["--quiet", "-q"])
@pytest.mark.parametrize(("text", "code", "begins"), [(READY, 0, "READY: "), (FAILING, 1, "NOT READY: ")])
def test_quiet_is_one_line(
    option: str, text: str, code: int, begins: str, paste: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", paste(text), option]) == code
    said = capsys.readouterr()
    assert said.out.startswith(begins)
    assert said.out.count("\n") == 1
    assert said.err == ""


def test_quiet_beside_files(paste: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "r.json"
    assert main(["check", paste(READY), "-q", "-o", str(page)]) == 0
    assert capsys.readouterr().out.count("\n") == 1
    assert json.loads(page.read_bytes())["summary"]["verdict"] == "ready"
    assert main(["check", paste(READY), "-q", "--format", "json"]) == 2
    one_line(capsys.readouterr().err)


@pytest.mark.parametrize("form", ["markdown", "bbcode"])
def test_a_longest_length(form: str, paste: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", paste(FAILING), "--format", form, "--max-length", "600"]) == 1
    said = capsys.readouterr().out
    assert len(said) <= 600
    assert "Left out to stay within 600 characters" in said


def test_a_longest_length_needs_a_format_that_takes_it(paste: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", paste(READY), "--max-length", "600"]) == 2
    one_line(capsys.readouterr().err)
    for wrong in ("499", "-1", "many", "١٠٠٠", "9" * 5000):
        with pytest.raises(SystemExit) as caught:
            main(["check", paste(READY), "--format", "markdown", "--max-length", wrong])
        assert caught.value.code == 2


def test_a_file_has_no_colours(
    paste: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["check", paste(READY), "-o", str(tmp_path / "r.txt"), "--format", "terminal"]) == 0
    assert "\x1b[" in capsys.readouterr().out
    assert "\x1b" not in (tmp_path / "r.txt").read_text("utf-8")


def test_what_a_format_needs_is_named(
    paste: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "doctor.report.page", raising=False)
    monkeypatch.delitem(sys.modules, "doctor.report.templates", raising=False)
    monkeypatch.delitem(sys.modules, "doctor.report.html", raising=False)
    assert main(["check", paste(READY), "--format", "html"]) == 2
    said = capsys.readouterr().err
    assert said == "passdoctor: html needs the Python package jinja2, which is not installed\n"


def test_a_format_beats_the_ending(paste: Any, tmp_path: Path) -> None:
    assert main(["check", paste(READY), "--format", "json", "-o", str(tmp_path / "r.html")]) == 0
    assert json.loads((tmp_path / "r.html").read_bytes())


def test_standard_output_takes_one_format_only(paste: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", paste(READY), "--format", "json", "--format", "html"]) == 2
    one_line(capsys.readouterr().err)


def test_one_to_standard_output_beside_a_file(paste: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--format", "json", "-o", "-", "--format", "html", "-o", str(tmp_path / "r.html")]
    assert main(["check", paste(READY), *given]) == 0
    assert json.loads(capsys.readouterr().out)
    assert (tmp_path / "r.html").stat().st_size


def test_an_output_that_cannot_be_written(paste: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", paste(READY), "-o", str(tmp_path / "no" / "where.json")]) == 2
    one_line(capsys.readouterr().err)
    (tmp_path / "folder.json").mkdir()
    assert main(["check", paste(READY), "-o", str(tmp_path / "folder.json")]) == 2
    one_line(capsys.readouterr().err)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.json", "paste.txt"]


def test_an_output_is_whole_or_not_there(paste: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "r.json"
    target.write_text("the old one")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    name = paste(READY)
    monkeypatch.setattr(Path, "replace", full)
    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr(os, "rename", full)
    assert main(["check", name, "-o", str(target)]) == 2
    assert target.read_text() == "the old one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["paste.txt", "r.json"]


def test_a_paste_on_standard_input() -> None:
    done = run("check", "-", "--format", "json", stdin=FAILING.encode())
    assert done.returncode == 1
    assert json.loads(done.stdout)["subject"]["kind"] == "paste"
    assert done.stderr == b""
    empty = run("check", "-", stdin=b"")
    assert empty.returncode == 2
    one_line(empty.stderr.decode())


def test_an_unknown_device(paste: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", paste(LSPCI), "--device", "10de:ffff"]) == 2
    said = capsys.readouterr()
    one_line(said.err)
    assert "01:00.0 10de:2484" in said.err
    assert said.out == ""


def test_devices_are_targets(paste: Any, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", paste(LSPCI), "--device", "01:00.0", "--device", "8086:1521", "--format", "json"])
    report = json.loads(capsys.readouterr().out)
    assert [target["address"] for target in report["targets"]] == ["0000:01:00.0", "0000:02:00.0"]


NASTY = {
    "empty": b"",
    "blank": b"\n\n\t \n",
    "zeros": b"\0" * 900,
    "half-gzip": b"\x1f\x8b\x08\0\0\0",
    "zip": b"PK\x03\x04rest",
    "utf-16-odd": b"\xff\xfeD",
    "bytes": bytes(range(256)) * 9,
    "esc": b"\x1b[2J\x1b]0;x\x07 DMAR: \x1b[31m",
    "xml": b"<domain>" * 500,
    "braces": b"{{ 7*7 }} {% for x in y %}\n" * 50,
    "long": b"a" * 200_000,
    "prompt": b"root@pve:~# " * 3000,
    "yaml": b"- &a [*a]\n" * 100,
    "ids": b"options vfio-pci ids=" + b"10de:2484," * 5000,
    "lspci": b"01:00.0 " * 4000,
    "hostpci": b"hostpci0: ;;;;,,==\nhostpci0: 01:00\n",
    "groups": b"pci 0000:01:00.0: Adding to iommu group 99999999999999999999999\n",
    "path": b"$ cat /../../etc/passwd\nroot:x:0:0\n",
    "cmdline": b"$ cat /proc/cmdline\n" + b'"' * 999 + b" --- -- = == intel_iommu= iommu=,,, vfio-pci.ids=,:;\n",
    "digits": "$ cat /proc/cmdline\niommu=\u0663 root=/dev/sda1\nIOMMU Group \u0661\u0662 01:00.0 VGA\n".encode(),
    "surrogate": b"\xed\xa0\x80 DMAR: IOMMU enabled \xed\xbf\xbf\n",
    "kernel": b"$ uname -r\n" + b"9" * 5000 + b".1\nLinux version 99999999999999999999.1\n",
    "address": b"ffffff:ff:1f.7 VGA compatible controller [0300]: x [ffff:ffff]\n\tKernel driver in use: vfio-pci\n",
}


@pytest.mark.parametrize("name", list(NASTY))
@pytest.mark.parametrize("form", ["json", "terminal", "html"])
def test_nasty_inputs_give_a_report_or_one_line(
    name: str, form: str, paste: Any, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    code = main(["check", paste(NASTY[name]), "--format", form])
    said = capsysbinary.readouterr()
    assert code in (0, 1, 2, 3)
    if code == 2:
        one_line(said.err.decode())
        assert "paste.txt" in said.err.decode()
        return
    assert said.err == b""
    if form == "json":
        jsonschema.validate(json.loads(said.out), SCHEMA)
    else:
        assert b"\x1b]" not in said.out
        assert b"\x1b[2J" not in said.out


def test_random_pastes_give_valid_reports(paste: Any, capsys: pytest.CaptureFixture[str]) -> None:
    generator = random.Random(4242)  # noqa: S311 - the same texts each time, no secrets
    lines = [line for text in (FAILING, RISK, ADVICE, LSPCI) for line in text.splitlines()]
    lines += [
        "hostpci0: 01:00,pcie=1",
        "options vfio-pci ids=10de:2484",
        "vfio 0000:01:00.0: group 1 is not viable",
        'GRUB_CMDLINE_LINUX="iommu=off"',
    ]
    for _ in range(60):
        text = "\n".join(generator.choices(lines, k=generator.randrange(1, 25)))
        assert main(["check", paste(text), "--format", "json"]) in (0, 1, 3), text
        jsonschema.validate(json.loads(capsys.readouterr().out), SCHEMA)


@pytest.mark.parametrize("name", ["/nowhere/at/all.txt", "/dev/null", "/root/\x1b[31m\n", "/proc/self/mem"])
def test_what_cannot_be_read_is_one_line_and_two(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", name]) == 2
    said = capsys.readouterr()
    one_line(said.err)
    assert said.out == ""


@pytest.mark.parametrize("text", [FAILING, READY, RISK, ADVICE, UNDETERMINED, LSPCI])
def test_json_validates_and_is_the_same_twice(text: str, paste: Any, capsys: pytest.CaptureFixture[str]) -> None:
    name = paste(text)
    main(["check", name, "--format", "json"])
    first = capsys.readouterr().out
    main(["check", name, "--format", "json"])
    assert capsys.readouterr().out == first
    report = json.loads(first)
    jsonschema.validate(report, SCHEMA)
    statuses = [check["status"] for check in report["checks"]]
    assert report["summary"]["fail"] == statuses.count("fail")
    assert report["summary"]["not_applicable"] == statuses.count("not-applicable")


def test_the_same_bytes_whatever_the_hash_seed(paste: Any) -> None:
    name = paste(FAILING + RISK + LSPCI)
    seen = {run("check", name, "--format", "json", PYTHONHASHSEED=str(seed)).stdout for seed in (0, 1, 77)}
    assert len(seen) == 1
    assert json.loads(seen.pop())


def test_every_failure_cites_the_users_own_line(paste: Any, capsys: pytest.CaptureFixture[str]) -> None:
    name = paste(FAILING)
    main(["check", name, "--format", "json"])
    rows = FAILING.split("\n")
    report = json.loads(capsys.readouterr().out)
    failed = [check for check in report["checks"] if check["status"] == "fail"]
    assert failed
    for check in failed:
        assert check["evidence"]
        for line in check["evidence"]:
            assert line["source"] == "paste.txt"
            assert line["line"] is None or line["text"] in rows[line["line"] - 1]


def test_unknown_says_what_would_settle_it(paste: Any, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", paste(UNDETERMINED), "--format", "json"])
    unknown = [check for check in json.loads(capsys.readouterr().out)["checks"] if check["status"] == "unknown"]
    assert unknown
    assert all(check["wanted"] and all(one["command"] for one in check["wanted"]) for check in unknown)


def test_colours_only_for_a_terminal(paste: Any) -> None:
    name = paste(FAILING)
    assert b"\x1b" not in run("check", name).stdout
    assert b"\x1b" not in run("check", name, NO_COLOR="1", FORCE_COLOR="").stdout


def test_a_reader_that_goes_away_is_no_error(paste: Any) -> None:
    name = paste((FAILING + LSPCI) * 40)
    with subprocess.Popen(
        [sys.executable, "-m", "doctor", "check", name, "--format", "json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        error = process.stderr.read()
    assert error == b""
    assert process.returncode in (0, 1, 3)


@pytest.mark.parametrize("arguments", [("explain", "iommu-active"), ("rules", "list"), ("rules", "profiles")])
def test_no_other_command_minds_a_reader_that_went_away(arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "doctor", *arguments], cwd=ROOT, stdout=gone, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    for rule in load()["rules"]:
        assert main(["explain", rule["id"]]) == 0
        said = capsys.readouterr().out
        assert said.startswith(f"{rule['id']}: ")
        assert "How it is judged" in said
        assert "References" in said
    assert main(["explain", "iommu-activ"]) == 2
    said = capsys.readouterr().err
    one_line(said)
    assert "iommu-active" in said


def test_rules_list_and_lint(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["rules", "list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        rule["id"] for rule in load()["rules"]
    ]
    assert main(["rules", "lint"]) == 0
    assert capsys.readouterr().err == ""
    (tmp_path / "own.yaml").write_text("- id: x\n  title: [\n")
    assert main(["rules", "lint", "--rules", str(tmp_path)]) == 2
    assert f"{tmp_path / 'own.yaml'}:3:1" in capsys.readouterr().err
    assert main(["rules", "lint", "--rules", str(tmp_path / "nowhere")]) == 2
    one_line(capsys.readouterr().err)
    assert main(["check", "-", "--rules", str(tmp_path)]) == 2


def test_a_rule_of_ones_own(tmp_path: Path, paste: Any, capsys: pytest.CaptureFixture[str]) -> None:
    own = "- {id: own, title: T, problem: P, severity: advice, statuses: [fail], kind: symptom, fail: cmdline.known, detail: {fail: D}}\n"  # noqa: E501 - a line as it is pasted
    (tmp_path / "own.yaml").write_text(own)
    main(["check", paste(FAILING), "--rules", str(tmp_path / "own.yaml"), "--format", "json"])
    found = [check for check in json.loads(capsys.readouterr().out)["checks"] if check["id"] == "own"]
    assert [check["status"] for check in found] == ["fail"]


def test_a_case_is_redacted_loads_and_holds(paste: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    name = paste(FAILING + "lladdr 52:54:00:ab:cd:ef uuid 123e4567-e89b-42d3-a456-426614174000\n")
    assert main(["case", name, "--check", "firmware-iommu-table"]) == 0
    text = capsys.readouterr().out
    for secret in ("192.0.2.17", "52:54:00:ab:cd:ef", "123e4567"):
        assert secret not in text
    (body,) = yaml.safe_load(text)
    assert body["expect"] == "fail"
    knowledge = load()
    rule = next(rule for rule in knowledge["rules"] if rule["id"] == "firmware-iommu-table")
    assert judge(Case(rule, 1, tmp_path, body), knowledge) == []


def test_a_case_of_the_first_cause_by_default(paste: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["case", paste(FAILING), "-o", str(tmp_path / "case.yaml"), "--expect", "unknown"]) == 0
    text = (tmp_path / "case.yaml").read_text("utf-8")
    assert text.startswith("# A case for firmware-iommu-table")
    assert yaml.safe_load(text)[0]["expect"] == "unknown"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "sample",
    [
        pytest.param(path) if path.name == "no-interrupt-remapping.tar.gz" else path
        for path in sorted((ROOT / "samples").glob("*.t*"))
    ],
    ids=lambda path: path.name,
)
def test_a_case_of_every_sample_holds(sample: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    knowledge = load()
    assert main(["check", str(sample), "--format", "json"]) in (0, 1, 3)
    causes = json.loads(capsys.readouterr().out)["causes"]
    for cause in causes[:2]:
        given = ["--device", cause["device"]] if cause["device"] else []
        assert main(["case", str(sample), "--check", cause["check"], *given]) == 0
        (body,) = yaml.safe_load(capsys.readouterr().out)
        rule = next(rule for rule in knowledge["rules"] if rule["id"] == cause["check"])
        assert judge(Case(rule, 1, tmp_path, body), knowledge) == [], cause


@pytest.mark.parametrize(
    "arguments",
    [["--check", "no-such-check"], ["--device", "dead:beef"], []],
    ids=["check", "device", "nothing-failed"],
)
def test_a_case_that_cannot_be_made(arguments: list[str], paste: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["case", paste(READY), *arguments]) == 2
    one_line(capsys.readouterr().err)


def test_a_case_of_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    class Standard:
        buffer = io.BytesIO(FAILING.encode())

    monkeypatch.setattr(sys, "stdin", Standard)
    assert main(["case", "-", "--check", "firmware-iommu-table"]) == 0
    (body,) = yaml.safe_load(capsys.readouterr().out)
    knowledge = load()
    rule = next(rule for rule in knowledge["rules"] if rule["id"] == "firmware-iommu-table")
    assert judge(Case(rule, 1, tmp_path, body), knowledge) == []


def test_this_host_is_examined() -> None:
    done = run("check", "--format", "json", "--fail-on", "never")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["subject"]["kind"] == "host"


def test_a_device_is_written_to_and_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    paste = tmp_path / "paste.txt"
    paste.write_text("root@pve:~# cat /proc/cmdline\nBOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 quiet\n")
    main(["check", str(paste), "--format", "json", "-o", str(pipe), "--fail-on", "never"])
    written, _ = reader.communicate(timeout=30)
    assert json.loads(written)["schema_version"] == "1.0"
    assert pipe.is_fifo()
