"""The one-file collector runs on every Python at hand, says what an unfit one lacks, and is the same each time."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from doctor.collect import pack

ROOT = Path(__file__).resolve().parents[2]
MINORS = range(6, 15)


def pythons() -> dict[str, str]:
    """The interpreters on this system that run, by their minor version."""
    found: dict[str, str] = {}
    for minor in MINORS:
        named = [shutil.which(f"python3.{minor}"), f"/usr/bin/python3.{minor}"]
        named += [str(path) for path in (Path.home() / ".pyenv" / "versions").glob(f"3.{minor}.*/bin/python")]
        for name in named:
            # A wrapper of that name may stand for a Python that is not installed.
            if name and Path(name).exists() and subprocess.call([name, "-c", ""], stdout=-3, stderr=-3) == 0:
                found[f"3.{minor}"] = name
                break
    return found


PYTHONS = {f"3.{minor}": None for minor in MINORS} | pythons()


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("pyz") / "passdoctor-collect.pyz"
    subprocess.run([sys.executable, str(ROOT / "tools" / "pyz.py"), str(target)], check=True, stdout=-3)
    return target


@pytest.mark.parametrize("python", PYTHONS.values(), ids=PYTHONS)
def test_it_runs_alone(pyz: Path, python: str | None, tmp_path: Path) -> None:
    if python is None:
        pytest.skip("this Python is not at hand")
    run = [python, "-I", "-W", "error", str(pyz)]
    done = subprocess.run([*run, "-o", "x.tar.gz"], cwd=str(tmp_path), capture_output=True, text=True)
    assert done.returncode == 0 and "pieces of evidence" in done.stdout and done.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar.gz"]
    back = pack.unpack((tmp_path / "x.tar.gz").read_bytes())
    assert back.redaction == "forum" and back.entries["proc/cmdline"].data and back.warnings == ()
    listed = subprocess.run([*run, "--list"], check=True, capture_output=True, text=True).stdout
    assert "/proc/cmdline" in listed and "vfio-bound" in listed
    script = subprocess.run([*run, "--print-script"], check=True, capture_output=True, text=True).stdout
    assert script.startswith("#!/bin/sh\n") and script.endswith("BUNDLE-FOR-THE-FORUM'\n")


def test_the_same_sources_give_the_same_bytes(pyz: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.pyz"
    subprocess.run([sys.executable, str(ROOT / "tools" / "pyz.py"), str(again)], check=True, stdout=-3)
    assert again.read_bytes() == pyz.read_bytes() and again.stat().st_mode & 0o777 == 0o755
    assert again.read_bytes().startswith(b"#!/usr/bin/env python3\nPK")


def test_an_incomplete_python_is_named(pyz: Path) -> None:
    code = (
        "import sys, runpy; sys.modules['json'] = None; sys.argv = ['x']\n"
        f"runpy.run_path({str(pyz)!r}, None, '__main__')"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and "incomplete" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("missing", [("tarfile", "gzip", "mmap", "hmac", "secrets")])
def test_debians_python3_minimal_is_enough(pyz: Path, missing: tuple[str, ...], tmp_path: Path) -> None:
    code = (
        f"import sys, runpy\nfor name in {missing!r}: sys.modules[name] = None\n"
        f"sys.argv = ['x', '-o', 'x.tar.gz']\nrunpy.run_path({str(pyz)!r}, None, '__main__')"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=str(tmp_path), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert pack.unpack((tmp_path / "x.tar.gz").read_bytes()).entries["proc/cmdline"].data


@pytest.mark.parametrize("path", sorted((ROOT / "doctor" / "collect").glob("*.py")), ids=lambda path: path.stem)
def test_the_syntax_is_that_of_python_3_6(path: Path) -> None:
    ast.parse(path.read_text("utf-8"), feature_version=(3, 6))


def test_the_library_is_that_of_python_3_6() -> None:
    vermin = Path(sys.executable).with_name("vermin")
    if not vermin.exists():
        pytest.skip("vermin is not installed")
    files = sorted(map(str, (ROOT / "doctor" / "collect").glob("*.py")))
    # What is younger than 3.6 is an error; that Python 2 could not run it is none.
    done = subprocess.run(
        [str(vermin), "-t=3.6-", "--no-tips", "--violations", "--eval-annotations", *files],
        capture_output=True,
        text=True,
    )
    assert "Minimum required versions: 3." in done.stdout and done.returncode == 0, done.stdout
