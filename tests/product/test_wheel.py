"""The built wheel works by itself: installed into an empty environment, away from the checkout, offline."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from doctor.report.pdf import _INSTALL, _INSTALL_CHINESE
from doctor.shipped import COMPLETIONS, MANUAL

ROOT = Path(__file__).resolve().parents[2]
BUILDERS = ("build", "hatchling", "jinja2", "yaml", "shtab")
DEPENDENCIES = ("jinja2", "markupsafe", "yaml", "rich", "weasyprint")
ANSWERS = (0, 1, 3)  # exit statuses of a check that did its work
PASTE = "root@host:~# cat /proc/cmdline\nBOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet\n"
SHOW_PLACES = "import doctor, json, sys; print(json.dumps([doctor.__file__, sys.path]))"

lacking = [name for name in BUILDERS if find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(lacking), reason=f"no wheel can be built without {', '.join(lacking)}")


def run(
    argv: Sequence[str | Path], cwd: Path, good: tuple[int, ...] = (0,), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command with nothing of Python's or pip's settings from outside; show its output if it fails."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PIP_", "XDG_"))}
    done = subprocess.run(
        [str(word) for word in argv],
        cwd=cwd,
        env={**kept, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode not in good:
        pytest.fail(f"{argv}: exit status {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source archive and the wheel that was built from it, as a packager builds them."""
    out = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--no-isolation", "--skip-dependency-check", "-o", out, ROOT], out)
    return out


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    """The wheel."""
    (found,) = dist.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment that holds the wheel; it sees the dependencies, but not the checkout."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(place, with_pip=True, symlinks=True)
    python = place / "bin" / "python"
    run([python, "-m", "pip", "install", "--no-deps", "--no-index", wheel], place)
    # A path in a .pth file is searched, but .pth files in it are not read: the checkout stays out.
    homes = {str(Path(spec.origin).parents[1]) for name in DEPENDENCIES if (spec := find_spec(name)) and spec.origin}
    (site,) = place.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text("\n".join(sorted(homes)) + "\n", "utf-8")
    return place / "bin"


def test_wheel_ships_the_knowledge(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        knowledge: dict[str, Any] = json.loads(archive.read("doctor/data/rules.json"))
    assert {"messages", "rules", "platforms", "profiles"} <= set(knowledge)
    assert shipped(names, "rules") == in_checkout("rules")
    assert shipped(names, "report_templates") == in_checkout("report_templates")
    assert "doctor/py.typed" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "tools/", "samples/", "rules/"))]


def test_wheel_ships_the_manual_and_completions(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        beside = {name.partition(".data/data/")[2]: archive.read(name) for name in archive.namelist()}
    assert {MANUAL, *COMPLETIONS.values()} <= set(beside)
    assert all(b"max-length" in beside[place].replace(b"\\-", b"-") for place in (MANUAL, *COMPLETIONS.values()))


def test_same_bytes_from_the_source_archive(dist: Path, tmp_path: Path) -> None:
    """Another folder, other dates and modes, another time zone and seed: a packager gets what we got."""
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "in", filter="data")
    (tree,) = (tmp_path / "in").iterdir()
    for path in tree.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(path.stat().st_mode & 0o700)
    other = {"TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "4711", "COLUMNS": "200", "LC_ALL": "zh_CN.UTF-8"}
    building: list[str | Path] = [sys.executable, "-m", "build", "--no-isolation", "--skip-dependency-check"]
    building += ["-o", tmp_path / "out", tree]
    run(building, tmp_path, (0,), **other)
    assert {path.name for path in dist.iterdir()} == {path.name for path in (tmp_path / "out").iterdir()}
    for path in dist.iterdir():
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes(), path.name


def shipped(names: list[str], folder: str) -> set[str]:
    """The files of a folder that the wheel holds, by their place in the checkout."""
    return {name.removeprefix("doctor/data/") for name in names if name.startswith(f"doctor/data/{folder}/")}


def in_checkout(folder: str) -> set[str]:
    """The files of a folder of the checkout."""
    return {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*") if path.is_file()}


def test_source_archive_is_whole(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "pyproject.toml",
        "hatch_build.py",
        "LICENSE",
        "Makefile",
        "constraints.txt",
        "tools/setup.sh",
        "Containerfile",
        "tests/report/schemas/sarif-2.1.0.json",
    } <= names
    assert "tests/product/test_wheel.py" in names


@pytest.mark.skipif(find_spec("doctor.cli") is None, reason="there is no command line yet")
def test_check_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "paste.txt").write_text(PASTE, "utf-8")
    place, path = json.loads(run([installed / "python", "-c", SHOW_PLACES], tmp_path).stdout)
    assert Path(place).is_relative_to(installed.parent)
    assert str(ROOT) not in path
    argv: list[str | Path] = [installed / "passdoctor", "check", "paste.txt", "--format", "json"]
    done = run(argv, tmp_path, ANSWERS, HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"))
    report = json.loads(done.stdout)
    assert report["subject"]["kind"] == "paste"
    assert report["checks"]
    # What the wheel ships is compiled already: nothing is left for a cache.
    assert not (tmp_path / "cache").exists()


@pytest.mark.skipif(find_spec("doctor.cli") is None, reason="there is no command line yet")
def test_html_finds_its_templates_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "paste.txt").write_text(PASTE, "utf-8")
    run(
        [installed / "passdoctor", "check", "paste.txt", "--format", "html", "-o", "report.html"],
        tmp_path,
        ANSWERS,
    )
    assert "<html" in (tmp_path / "report.html").read_text("utf-8")


def test_container_holds_what_a_pdf_needs() -> None:
    text = (ROOT / "Containerfile").read_text("utf-8")
    wanted = f"{_INSTALL['debian']} {_INSTALL_CHINESE['debian']}".replace("apt-get install", "").split()
    assert set(wanted) <= set(text.split())


@pytest.fixture(scope="module")
def packages(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The Debian packages of the wheel, by name."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed")
    out = tmp_path_factory.mktemp("deb")
    run([sys.executable, ROOT / "tools" / "deb.py", wheel, out], out)
    return {path.name.partition("_")[0]: path for path in out.iterdir()}


def field(package: Path, name: str) -> str:
    """A field of a package's control file."""
    return run(["dpkg-deb", "-f", package, name], package.parent).stdout.strip()


def test_debian_collector_depends_on_python_alone(packages: dict[str, Path], tmp_path: Path) -> None:
    assert field(packages["passdoctor-collect"], "Depends") == "python3:any (>= 3.7)"
    run(["dpkg-deb", "-x", packages["passdoctor-collect"], tmp_path], tmp_path)
    library = tmp_path / "usr/share/passdoctor"
    script = (tmp_path / "usr/bin/passdoctor-collect").read_text("utf-8").replace("/usr/share/passdoctor", str(library))
    done = run([sys.executable, "-I", "-S", "-c", script.partition("\n")[2], "--list"], tmp_path)
    assert "proc/cmdline" in done.stdout


def test_debian_packages_share_no_file(packages: dict[str, Path], tmp_path: Path) -> None:
    found: dict[str, set[str]] = {}
    for name, package in packages.items():
        run(["dpkg-deb", "-x", package, tmp_path / name], tmp_path)
        files = [path for path in (tmp_path / name).rglob("*") if path.is_file()]
        found[name] = {path.relative_to(tmp_path / name).as_posix() for path in files}
    assert set(found) == {"passdoctor", "passdoctor-collect"}
    assert not found["passdoctor"] & found["passdoctor-collect"]
    assert {
        "usr/bin/passdoctor",
        "usr/share/man/man1/passdoctor.1.gz",
        "usr/share/bash-completion/completions/passdoctor",
        "usr/share/zsh/vendor-completions/_passdoctor",
        "usr/share/fish/vendor_completions.d/passdoctor.fish",
        "usr/share/passdoctor/doctor/data/rules.json",
        "usr/share/doc/passdoctor/copyright",
    } <= found["passdoctor"]
    assert field(packages["passdoctor"], "Depends").startswith("passdoctor-collect (= ")


def test_debian_packages_are_the_same_bytes_again(packages: dict[str, Path], wheel: Path, tmp_path: Path) -> None:
    (tmp_path / wheel.name).write_bytes(wheel.read_bytes())
    argv: list[str | Path] = [sys.executable, ROOT / "tools" / "deb.py", tmp_path / wheel.name, tmp_path / "out"]
    run(argv, tmp_path, (0,), TZ="Pacific/Kiritimati", PYTHONHASHSEED="4711", COLUMNS="200")
    for package in packages.values():
        assert package.read_bytes() == (tmp_path / "out" / package.name).read_bytes(), package.name
