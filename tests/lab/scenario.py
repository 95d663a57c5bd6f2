"""What a scenario is: one YAML file over what `base.yaml` gives to all."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import yaml

HERE = Path(__file__).resolve().parent
SCENARIOS = HERE / "scenarios"
BASE: dict[str, Any] = yaml.safe_load((HERE / "base.yaml").read_text("utf-8"))
_KEYS = {
    "title",
    "broken",
    "machine",
    "kernel",
    "cmdline",
    "configured",
    "files",
    "initramfs",
    "prepare",
    "loader",
    "heal",
    "disputed",
    "expect",
}
_MACHINE = {"iommu", "options", "cpu", "parts"}
_EXPECT = {"verdict", "targets", "causes", "fails"}
_HEAL = {*_EXPECT, "options", "lasting"}
_LOADERS = ("", "grub", "systemd-boot")


class Expectation(NamedTuple):
    """What must be found. Checks are pairs of a name and a device, None for the host."""

    verdict: str
    targets: tuple[str, ...]
    causes: tuple[tuple[str, str | None], ...]
    fails: tuple[tuple[str, str | None], ...]


class Heal(NamedTuple):
    """What must be found after the treatment; `options` of `passdoctor plan` besides --format sh.

    lasting: the treatment only brings into effect what the files said already, so taking it back changes nothing.
    """

    options: tuple[str, ...]
    lasting: bool
    expect: Expectation


class Scenario(NamedTuple):
    """A machine, what is broken in it, and what must be found."""

    name: str
    title: str
    broken: str
    iommu: str
    options: str
    cpu: str
    parts: tuple[str, ...]
    kernel: str
    cmdline: str
    configured: str
    files: dict[str, str]
    stale: bool
    prepare: str
    loader: str
    heal: Heal | None
    ignore: tuple[str, ...]
    disputed: str
    expect: Expectation


class ScenarioError(ValueError):
    """A scenario file is wrong; the message names it."""


def names() -> list[str]:
    """All scenarios, in order."""
    return sorted(path.stem for path in SCENARIOS.glob("*.yaml"))


def by_kind(heal: bool) -> list[str]:
    """The scenarios that are healed, or those that are only looked at."""
    return [name for name in names() if (load(name).heal is not None) == heal]


def load(name: str) -> Scenario:
    """The scenario in `scenarios/NAME.yaml`. Raises ScenarioError."""
    path = SCENARIOS / f"{name}.yaml"
    if not path.is_file():
        raise ScenarioError(f"no scenario {name!r}; there are {', '.join(names())}")
    return parse(name, yaml.safe_load(path.read_text("utf-8")))


def parse(name: str, data: dict[str, Any]) -> Scenario:
    """The scenario that `data` describes."""
    machine, expect = data.get("machine", {}), data.get("expect", {})
    unknown = (set(data) - _KEYS) | (set(machine) - _MACHINE) | (set(expect) - _EXPECT)
    if unknown:
        raise ScenarioError(f"{name}: nobody knows the key {min(unknown)!r}")
    missing = {"title", "machine", "cmdline", "expect"} - set(data)
    if missing or "iommu" not in machine or "verdict" not in expect:
        raise ScenarioError(f"{name}: lacks {min(missing, default='machine.iommu or expect.verdict')!r}")
    if machine["iommu"] not in BASE["machines"] or data.get("initramfs", "rebuilt") not in (
        "rebuilt",
        "stale",
    ):
        raise ScenarioError(f"{name}: no such machine.iommu or initramfs")
    if data.get("loader", "") not in _LOADERS:
        raise ScenarioError(f"{name}: the loader is one of {', '.join(filter(None, _LOADERS))}")
    kind = BASE["machines"][machine["iommu"]]
    files = {**BASE["files"], **data.get("files", {})}
    return Scenario(
        name=name,
        title=data["title"],
        broken=data.get("broken", ""),
        iommu=kind["device"],
        options=machine.get("options", kind["options"]),
        cpu=machine.get("cpu", kind["cpu"]),
        parts=tuple(machine.get("parts", BASE["parts_by_default"])),
        kernel=str(data.get("kernel", BASE["kernel"])),
        cmdline=data["cmdline"],
        configured=data.get("configured", data["cmdline"]),
        files={path: text for path, text in files.items() if text is not None},
        stale=data.get("initramfs") == "stale",
        prepare=data.get("prepare", ""),
        loader=data.get("loader", ""),
        heal=_heal(name, data),
        ignore=tuple(kind["ignore"]),
        disputed=data.get("disputed", ""),
        expect=_expectation(expect),
    )


def _heal(name: str, data: dict[str, Any]) -> Heal | None:
    """`true`: ready, and nothing fails; or a mapping that says what is otherwise."""
    said = data.get("heal", False)
    if said is False:
        return None
    given: dict[str, Any] = {} if said is True else said
    if "loader" not in data or set(given) - _HEAL:
        raise ScenarioError(f"{name}: heal needs a loader, and knows {', '.join(sorted(_HEAL))}")
    targets = data["expect"].get("targets", BASE["targets_by_default"])
    expect = {"verdict": "ready", "targets": targets, **{key: given[key] for key in _EXPECT & set(given)}}
    return Heal(tuple(given.get("options", ())), bool(given.get("lasting")), _expectation(expect))


def _expectation(expect: dict[str, Any]) -> Expectation:
    targets = tuple(_full(address) or "" for address in expect.get("targets", BASE["targets_by_default"]))
    causes, fails = (_checks(expect.get(key, ()), targets) for key in ("causes", "fails"))
    return Expectation(expect["verdict"], targets, causes, fails)


def _checks(entries: list[str], targets: tuple[str, ...]) -> tuple[tuple[str, str | None], ...]:
    """`vfio-bound 01:00.0` is a check of a device, `vfio-bound *` of each target, `iommu-active` of the host."""
    found: list[tuple[str, str | None]] = []
    for entry in entries:
        name, _, device = entry.partition(" ")
        found += [(name, target) for target in targets] if device == "*" else [(name, _full(device))]
    return tuple(found)


def _full(address: str) -> str | None:
    """The address with its domain; None if there is none."""
    return ("0000:" + address if address.count(":") == 1 else address) or None
