"""The report on a terminal."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

import doctor
from doctor.report.commands import wrap_command
from doctor.report.terminal import render
from doctor.say import speak

from .sample_report import check, device, healthy_report, sample_report, step

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
FRAME = re.compile("[\u2500-\u259f\t]")
SEQUENCE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("verdict", ["ready", "not-ready", "undetermined"])
@pytest.mark.parametrize("width", [60, 200])
def test_the_first_line_says_the_verdict(verdict: str, width: int) -> None:
    report = sample_report()
    report["summary"]["verdict"] = verdict
    first = render(report, width=width, colour=False).split("\n")[0]
    assert first.startswith(verdict.replace("-", " ").upper() + ": ")


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for line in render(sample_report(), width=width, colour=False).split("\n"):
        # The new line of a file, and a single word of a command, must be copied whole.
        if not line.lstrip().startswith("+ ") and len(shlex.split(line.strip(" $\\"), posix=False)) > 1:
            assert cell_len(line) <= width, line


def test_at_60_columns_only_what_is_copied_is_wider() -> None:
    wide = [line for line in render(sample_report(), width=60, colour=False).split("\n") if cell_len(line) > 60]
    assert all(line.lstrip().startswith("+ ") for line in wide), wide


def test_no_colour_means_no_escape() -> None:
    assert "\x1b" not in render(sample_report(), width=80, colour=False)


def test_colour_adds_nothing_but_colour() -> None:
    plain, coloured = (render(sample_report(), width=80, colour=colour) for colour in (False, True))
    assert "\x1b[" in coloured
    stripped = SEQUENCE.sub("", coloured)
    assert [line.rstrip() for line in stripped.split("\n")] == plain.split("\n")


class _Terminal:
    def isatty(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.__stdout__, name)


def test_a_terminal_gets_colour_unless_no_color_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", _Terminal())
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in render(sample_report(), width=80)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in render(sample_report(), width=80)


def test_a_pipe_gets_no_colour_whatever_rich_is_told() -> None:
    code = "import json, sys; from doctor.report.terminal import render; print(render(json.load(sys.stdin)))"
    environment = {"FORCE_COLOR": "1", "TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(sample_report()).encode(),
        capture_output=True,
        check=True,
        env=environment,
    )
    assert b"NOT READY" in done.stdout
    assert b"\x1b" not in done.stdout


def test_hostile_evidence_is_shown_as_text() -> None:
    text = render(sample_report(), width=200, colour=False)
    assert "<script>alert('x')</script> ‹ESC›[31mred‹ESC›[0m ‹U+202E›gnp.exe‹U+202C›" in text
    assert "[bold]x[/bold]" in text
    assert "END-OF-LONG-LINE" not in text
    assert all(char.isprintable() or char == "\n" for char in text)


def test_everything_is_told() -> None:
    text = " ".join(render(sample_report(), width=200, colour=False).split())
    for told in (
        "forum-post.txt:12 Command line:",
        "This also explains: DMA remapping is off",
        "$ update-initramfs -u -k all",
        "To verify: $ cat /proc/cmdline",
        "$ find /sys/kernel/iommu_groups/ -type l | sort -V",
        "2 passed: The processor can virtualise; The VFIO modules are there.",
        "2 not applicable.",
        "Done together with cause 1: step 1",
        "Taken as: 6.8.12-1-pve",
    ):
        assert told in text, told


def test_undoing_repeats_nothing_and_rebuilds_last() -> None:
    report = sample_report()
    report["plan"]["steps"][1]["undo"] = ["rm /etc/modprobe.d/passdoctor-vfio.conf", "update-grub"]
    text = render(report, width=120, colour=False).partition("To undo:")[2]
    assert text.index("$ rm ") < text.index("$ cp -a") < text.index("$ update-grub")
    assert text.count("$ update-grub") == 1


def test_a_remark_among_commands_is_no_command() -> None:
    report = sample_report()
    report["plan"]["steps"][0]["undo"] = ["# " + "Set it back in the firmware setup. " * 3]
    text = render(report, width=60, colour=False)
    assert "$ Set it" not in text
    assert "# Set it back" in text


def test_an_unsure_plan_says_so() -> None:
    report = sample_report()
    report["plan"]["assured"] = False
    assert "could not be told for certain" in render(report, width=200, colour=False)


def test_a_report_without_target_or_device() -> None:
    report = {**healthy_report(), "targets": [], "devices": [], "checks": [check("x", "unknown", "A check")]}
    assert "No device in particular" in render(report, width=120, colour=False)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [20, 40, 60])
def test_a_broken_command_still_means_the_same(width: int) -> None:
    command = "printf '%s\\n' \"a  b\" c\\ d 'it is' --long-option=\"x y\" | sort -r"
    lines = wrap_command(command, width)
    assert len(lines) > 1
    said = [_shell(text) for text in (command, "\n".join("     " + line for line in lines))]
    assert said[0] == said[1] != ""


def _shell(script: str) -> str:
    return subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True).stdout


def test_comments_and_here_documents_stay_whole() -> None:
    assert wrap_command("# " + "word " * 30, 40) == ["# " + "word " * 30]
    assert wrap_command("cat > x <<END\n" + "word " * 30 + "\nEND", 40)[1] == "word " * 30


@pytest.mark.parametrize("width", [60, 100])
def test_terminal_snapshot(snapshot: SnapshotAssertion, width: int) -> None:
    assert render(sample_report(), width=width, colour=False) == snapshot


def test_healthy_snapshot(snapshot: SnapshotAssertion) -> None:
    assert render(healthy_report(), width=100, colour=False) == snapshot


def test_advice_does_not_stand_under_what_stops_it() -> None:
    text = render(sample_report(), width=200, colour=False)
    stops, looked_at = text.partition("WHAT SHOULD BE LOOKED AT")[::2]
    assert "1. BLOCKER" in stops
    assert "2. BLOCKER" in stops
    assert "3. RISK" in looked_at
    assert "4. ADVICE" in looked_at


def test_nothing_left_to_do_has_no_heading() -> None:
    report = sample_report()
    report["plan"] = {**report["plan"], "notes": [], "steps": [step("person", "Ask", ["vfio-bound"])]}
    assert "THEN" not in render(report, width=100, colour=False)


def test_a_plan_that_says_why_it_is_unsure_says_so_once() -> None:
    report = sample_report()
    report["plan"] = {**report["plan"], "assured": False, "notes": ["The distribution is inferred."]}
    text = render(report, width=200, colour=False)
    assert "could not be told for certain" not in text
    assert "Compare paths and commands with yours first." in text


def test_names_stand_without_backticks() -> None:
    report = sample_report()
    report["checks"][0]["detail"] = "`iommu=off` is set, and a ` stays."
    assert "iommu=off is set, and a ` stays." in render(report, width=200, colour=False)
    assert "\x1b[1miommu=off\x1b[0m is set" in render(report, width=200, colour=True)


def test_a_file_that_no_command_changes_is_opened() -> None:
    text = render(sample_report(), width=100, colour=False)
    told = "Open the file, put the + line in place of the - line, and save."
    commands = "$ cp -a /etc/default/grub /etc/default/grub.before-passdoctor\n     $ nano /etc/default/grub\n"
    assert 0 < text.index(told) < text.index("- " + "GRUB_CMDLINE") < text.index(commands)
    assert "nano /etc/modprobe.d/passdoctor-vfio.conf" not in text


def test_new_lines_that_a_command_holds_are_shown_once() -> None:
    report = sample_report()
    lines = report["plan"]["steps"][1]["files"][0]["after"]
    report["plan"]["steps"][1]["commands"] = [
        "\n".join(["cat > /etc/modprobe.d/passdoctor-vfio.conf <<'EOF'", *lines, "EOF"])
    ]
    assert render(report, width=100, colour=False).count(lines[0]) == 1


def test_what_many_devices_would_take_is_said_once() -> None:
    report = sample_report()
    report["devices"] += [
        device(f"0000:0{n}:00.0", "Ethernet", "0200", "ice", because="unbind it") for n in range(4, 8)
    ]
    text = render(report, width=100, colour=False)
    assert "Other devices, and what passing them would take:" in text
    assert text.count("unbind it") == 1
    assert "All of these: unbind it" in text
    assert text.count("Would need vfio-pci.") == 1


@pytest.mark.parametrize("language", ["", "zh_CN"])
@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.t*")))
def test_every_width_says_the_same_in_the_same_order(name: str, language: str) -> None:
    """A screen reader reads from top to bottom: no columns, no frames, nothing that depends on the width."""
    report = doctor.examine(SAMPLES / name, language=language)
    texts = [render(report, width=width, colour=False) for width in (60, 80, 200)]
    speak()
    # A command that is broken for a narrow screen gets a backslash at the end of a line.
    told = {"".join(text.replace(" \\\n", "").split()) for text in texts}
    assert len(told) == 1
    assert not FRAME.search(texts[0])
    for width, text in zip((60, 80, 200), texts, strict=True):
        wide = [line for line in text.split("\n") if cell_len(line) > width]
        # What is copied as a whole may be wider: a file's new line, and a word of a command.
        assert [
            line for line in wide if not line.lstrip().startswith("+ ") and len(line.strip(" $\\").split()) > 1
        ] == []


def test_it_is_read_line_by_line_in_a_pipe(tmp_path: Path) -> None:
    """Without a terminal there are no colours and no jumps, and nothing is said beside it."""
    given = [sys.executable, "-m", "doctor", "check", str(SAMPLES / "twin-3090ti.txt")]
    environment = {"PYTHONPATH": str(SAMPLES.parent), "HOME": str(tmp_path), "TERM": "xterm-256color"}
    done = subprocess.run(given, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    text = done.stdout.decode()
    assert all(char.isprintable() or char == "\n" for char in text)
    assert max(map(cell_len, text.split("\n"))) <= 80
