"""The helper scripts say the right command for a system, and are clean shell."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SYSTEMS = {
    "ID=debian\nVERSION_ID='12'": "apt-get install -y libpango-1.0-0 libpangoft2-1.0-0",
    "ID=linuxmint\nID_LIKE='ubuntu debian'": "apt-get install -y libpango-1.0-0",
    "ID=fedora\nVERSION_ID=41": "dnf install -y pango",
    'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"': "dnf install -y pango",
    'ID="opensuse-leap"\nID_LIKE="suse opensuse"\nVERSION_ID="15.6"': "zypper install -y libpango-1_0-0",
    "ID=cachyos\nID_LIKE=arch": "pacman -S --needed pango",
    "ID=alpine": "apk add so:libpango-1.0.so.0",
}


def missing(what: str, system: str, folder: Path, *more: str) -> str:
    """What tools/missing.sh prints on a system with that os-release file."""
    release = folder / "os-release"
    release.write_text(system + "\n", "utf-8")
    argv = ["sh", str(ROOT / "tools" / "missing.sh"), what, *more]
    environment = {**os.environ, "OS_RELEASE": str(release)}
    return subprocess.run(argv, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(("system", "command"), SYSTEMS.items(), ids=lambda text: text.split("\n")[0])
def test_pango_command_fits_the_system(system: str, command: str, tmp_path: Path) -> None:
    assert command in missing("pango", system, tmp_path)


def test_venv_is_named_for_the_interpreter_that_lacks_it(tmp_path: Path) -> None:
    assert "apt-get install -y python3.11-venv" in missing("venv", "ID=debian", tmp_path, "3.11")


def test_enterprise_releases_get_a_python_that_is_new_enough(tmp_path: Path) -> None:
    assert "dnf install -y python3.12" in missing("python", "ID=almalinux\nID_LIKE=rhel\nVERSION_ID=9.4", tmp_path)


def test_os_release_is_data_not_code(tmp_path: Path) -> None:
    missing("pango", f"ID=$(touch {tmp_path}/ran)\nID_LIKE=`touch {tmp_path}/ran`", tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shell_scripts_are_clean() -> None:
    done = subprocess.run(["sh", str(ROOT / "tools" / "shellcheck.sh")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
