"""The walls of docs/architecture.md stand: imports, what a check loads, and the size of things."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from doctor.knowledge import store

ROOT = Path(__file__).resolve().parents[2]
HOUSE = ROOT / "docs" / "architecture.md"
MADE = ROOT / "doctor" / "data"  # by make, of rules/ and report_templates/
MODULES = sorted(path for path in (ROOT / "doctor").rglob("*.py") if MADE not in path.parents)
LONGEST_MODULE, LONGEST_FUNCTION = 420, 45
NOT_FOR_JSON = {"babel", "jinja2", "yaml", "rich", "weasyprint", "click", "typer", "docopt", "fire", "shtab"}
SLOW = {"typing", "locale", "pathlib", "hashlib", "tempfile", "inspect", "dataclasses", "datetime", "urllib"}
SHOW_MODULES = """
import json, sys
from doctor.cli import main
try:
    status = main()
except SystemExit as end:
    status = end.code
print(json.dumps([status or 0, sorted({name.partition(".")[0] for name in sys.modules})]), file=sys.stderr)
"""


class Part(NamedTuple):
    """A row of the table: the dotted name it is about, and what it may import."""

    name: str
    house: tuple[str, ...]
    outside: tuple[str, ...]


def read_table(text: str) -> dict[str, Part]:
    """The parts of the house by dotted name, from the table of the document."""
    parts = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) != 5 or not cells[0].startswith("`doctor/"):
            continue
        name = dotted(Path(cells[0].strip("`")))
        house = ("doctor",) if cells[2] == "everything" else tuple(f"doctor.{word}" for word in quoted(cells[2]))
        parts[name] = Part(name, house, tuple(quoted(cells[3])))
    return parts


def quoted(cell: str) -> list[str]:
    """The names in backquotes."""
    return re.findall(r"`([\w.]+)`", cell)


def dotted(path: Path) -> str:
    """The name of a module; the house's own `__init__` keeps that name, for it is a part of its own."""
    if path.name == "__init__.py" and path.parent != Path("doctor"):
        path = path.parent
    return ".".join(path.with_suffix("").parts)


def part_of(name: str, parts: dict[str, Part]) -> Part | None:
    """The part that a module belongs to."""
    inside = [part for part in parts.values() if covers(part.name, name)]
    return max(inside, key=lambda part: len(part.name), default=None)


def covers(allowed: str, name: str) -> bool:
    """Whether `name` is `allowed` or inside it."""
    return name == allowed or name.startswith(allowed + ".")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """The dotted name of everything that a module imports, also in functions, for types, or by name."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *([node.module] if node.module else [])))
            yield from ((node.lineno, resolved(base, alias.name)) for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and is_module(node.value):
            yield node.lineno, node.value


def resolved(base: str, name: str) -> str:
    """What `from base import name` reaches: a module inside `base`, or `base` itself."""
    return f"{base}.{name}" if is_module(f"{base}.{name}") else base


def is_module(text: str) -> bool:
    """Whether a text names a module of the house; import_module() takes such texts."""
    if not re.fullmatch(r"doctor(\.\w+)+", text):
        return False
    place = ROOT.joinpath(*text.split("."))
    return place.is_dir() or place.with_suffix(".py").is_file()


def trespasses(path: Path, parts: dict[str, Part]) -> list[str]:
    """The imports of a module that its part may not have."""
    name = dotted(path.relative_to(ROOT))
    part = part_of(name, parts)
    if part is None:
        return [f"{name} has no row in {HOUSE.name}: say there what it holds and what it may import"]
    found = []
    for line, target in imports(path):
        root = target.partition(".")[0]
        if root == "doctor":
            allowed = any(covers(prefix, target) for prefix in (part.name, *part.house))
            allowed = allowed or (target == "doctor" and part.house != ())
        else:
            allowed = root in sys.stdlib_module_names or root in part.outside
        if not allowed:
            found.append(f"{path.relative_to(ROOT)}:{line}: {part.name} may not import {target}")
    return found


def test_table_is_read() -> None:
    parts = read_table(HOUSE.read_text("utf-8"))
    assert {"doctor.collect", "doctor.facts", "doctor.knowledge", "doctor.cli", "doctor.__init__"} <= set(parts)
    assert parts["doctor.collect"] == Part("doctor.collect", (), ())
    assert "doctor.evidence.types" in parts["doctor.facts"].house
    assert parts["doctor.cli"].house == ("doctor",)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: dotted(path.relative_to(ROOT)))
def test_imports_keep_to_the_walls(path: Path) -> None:
    assert trespasses(path, read_table(HOUSE.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    ("code", "caught"),
    [
        ("from doctor.report.model import Report", True),
        ("def f():\n    import doctor.diagnosis.finding", True),
        ("from doctor import cli", True),
        ("from ..treatment import steps", True),
        ("MODULE = 'doctor.report.model'", True),
        ("import yaml", True),
        ("from doctor.evidence.types import Source\nimport json\nfrom .fact import Fact", False),
    ],
)
def test_trespass_is_caught(code: str, caught: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "report/model",
        "diagnosis/finding",
        "treatment/steps",
        "evidence/types",
        "cli",
        "facts/fact",
    ):
        other = tmp_path / "doctor" / f"{name}.py"
        other.parent.mkdir(parents=True, exist_ok=True)
        other.touch()
    path = tmp_path / "doctor" / "facts" / "probe.py"
    path.write_text(code, "utf-8")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert bool(trespasses(path, read_table(HOUSE.read_text("utf-8")))) is caught


@pytest.mark.parametrize("path", [path for path in MODULES if "collect" in path.parts], ids=lambda path: path.stem)
def test_collector_keeps_to_python_3_6(path: Path) -> None:
    ast.parse(path.read_text("utf-8"), feature_version=(3, 6))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: dotted(path.relative_to(ROOT)))
def test_modules_and_functions_are_short(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= LONGEST_MODULE
    functions = [
        node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in functions
        if node.end_lineno and node.end_lineno - node.lineno >= LONGEST_FUNCTION
    ]
    assert long == []


@pytest.mark.skipif(find_spec("doctor.cli") is None, reason="there is no command line yet")
def test_check_to_json_loads_only_what_it_needs(tmp_path: Path) -> None:
    paste = tmp_path / "paste.txt"
    paste.write_text("root@host:~# cat /proc/cmdline\nBOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet\n", "utf-8")
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    argv = [sys.executable, "-c", SHOW_MODULES, "check", str(paste), "--format", "json"]
    # The first run of a checkout compiles the rules into the cache; only the second is a usual one.
    runs = [subprocess.run(argv, env=environment, capture_output=True, text=True, check=True) for _ in range(2)]
    status, loaded = json.loads(runs[1].stderr.splitlines()[-1])
    assert status in (0, 1, 3)
    assert json.loads(runs[1].stdout)["subject"]["kind"] == "paste"
    assert NOT_FOR_JSON.isdisjoint(loaded)


def test_check_of_a_bundle_loads_nothing_slow_of_the_standard_library() -> None:
    """Each of these takes a tenth of a whole check, or more. The site of an environment may load some by itself."""
    code = "import json, sys; print(json.dumps(sorted(sys.modules)))"
    before = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    if not store._fresh():
        pytest.skip("the rules are not compiled, or newer: make does it")
    bundle = str(ROOT / "samples" / "proxmox-no-iommu.tar.gz")
    argv = [sys.executable, "-c", SHOW_MODULES, "check", bundle, "--format", "json"]
    runs = [subprocess.run(argv, capture_output=True, text=True, check=True) for _ in range(2)]
    status, loaded = json.loads(runs[1].stderr.splitlines()[-1])
    assert status in (0, 1, 3)
    assert SLOW.isdisjoint(set(loaded) - {name.partition(".")[0] for name in before})
