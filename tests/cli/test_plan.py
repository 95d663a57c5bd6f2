"""`passdoctor plan` as a user would try it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from doctor.cli import main

PASTE = """root@pve:~# cat /proc/cmdline
BOOT_IMAGE=/boot/vmlinuz-6.8.12-4-pve root=/dev/sda1 ro quiet intel_iommu=off
root@pve:~# cat /etc/default/grub
GRUB_DEFAULT=0
GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=off"
root@pve:~# cat /etc/modprobe.d/x.conf
options vfio_iommu_type1 allow_unsafe_interrupts=1
root@pve:~# cat /etc/modules
vfio_virqfd
root@pve:~# uname -r
6.8.12-4-pve
"""
ONLY_DISPLAY = """root@pve:~# lspci -nnk
00:00.0 Host bridge [0600]: Intel Corporation Device [8086:4660]
01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GA104 [10de:2484]
\tKernel driver in use: nouveau
\tKernel modules: nouveau
root@pve:~# cat /etc/os-release
ID=debian
root@pve:~# cat /proc/cmdline
BOOT_IMAGE=/vmlinuz root=/dev/sda1
root@pve:~# cat /etc/default/grub
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
"""


@pytest.fixture
def paste(tmp_path: Path) -> str:
    (tmp_path / "paste.txt").write_text(PASTE, "utf-8")
    return str(tmp_path / "paste.txt")


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["plan", *arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_for_a_terminal(paste: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, paste)
    assert (code, err) == (0, "")
    assert "WHAT TO DO" in out
    assert "For Proxmox VE." in out
    assert '+ GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on"' in out
    assert out.index("Step 1") < out.index("update-grub") < out.index("Reboot once")
    assert "To undo" in out
    assert "(optional)" in out


def test_as_a_diff(paste: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, paste, "--format", "diff")
    assert code == 0
    assert (
        '-GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=off"\n+GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on"' in out
    )


def test_as_json(paste: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, paste, "--format", "json")
    actions = [action for step in json.loads(out)["steps"] for action in step["actions"]]
    assert code == 0
    assert {"op": "run", "command": "update-grub", "undo": ["update-grub"]}.items() <= next(
        action for action in actions if action["op"] == "run"
    ).items()


def test_as_a_script(paste: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, paste, "--format", "sh", "-o", str(tmp_path / "plan.sh"))
    assert (code, out) == (0, "")
    text = (tmp_path / "plan.sh").read_text("utf-8")
    assert text.startswith("#!/bin/sh\n")
    assert "intel_iommu=on" in text
    # What is optional was not asked for.
    assert "vfio_virqfd" not in text
    assert "vfio_virqfd" in said(capsys, paste, "--format", "sh", "--optional")[1]
    undo = said(capsys, paste, "--format", "sh", "--undo")[1]
    assert "back /etc/default/grub" in undo
    assert text.split("plan='")[1].split("'")[0] == undo.split("plan='")[1].split("'")[0]
    for script in (text, undo):
        assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0


def test_what_takes_the_only_picture_is_asked_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "paste.txt").write_text(ONLY_DISPLAY, "utf-8")
    arguments = (str(tmp_path / "paste.txt"), "--device", "01:00.0", "--format", "sh")
    code, out, err = said(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("passdoctor: ")
    assert err.count("\n") == 1
    assert "--i-know" in err
    code, out, err = said(capsys, *arguments, "--i-know")
    assert (code, err) == (0, "")
    assert "# DANGER:" in out
    assert said(capsys, *arguments, "--undo")[0] == 0


def test_an_input_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, "nowhere.tar.gz", "--format", "sh")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "nowhere.tar.gz" in err


def test_nothing_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "paste.txt").write_text("root@x:~# cat /proc/cmdline\nroot=/dev/sda1 quiet\n", "utf-8")
    code, out, _ = said(capsys, str(tmp_path / "paste.txt"), "--format", "sh")
    assert code == 0
    done = subprocess.run(["sh", "-s", "--", "--dry-run"], input=out, text=True, capture_output=True, check=False)
    assert done.returncode == 0
    assert "nothing to do for a script" in done.stdout
