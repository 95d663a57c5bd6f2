"""How well each way of a platform file is proven: carried out, taken from documentation, or not possible.

A cell is one step on one platform, with one loader or one initramfs tool where the way depends on it. Cells stand in
the platform files under `proofs`, beside the ways that they speak of: a boot loader's, an initramfs tool's, or the
file's own. A file that changes a way states its proofs anew; those that it extends no longer count (`inherited`).
"""

from __future__ import annotations

from doctor.record import NamedTuple
from doctor.say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from doctor.treatment.platforms import Ways
    from doctor.treatment.result import Step

RUN, DOCUMENTED, IMPOSSIBLE = "run", "documented", "impossible"
LOADER_STEPS = ("add_parameter", "remove_parameter", "replace_parameter", "bootloader")
MODULE_STEPS = ("load_modules", "unload_modules", "module_option", "softdep", "blacklist", "remove_line")
FILE_STEPS = (*MODULE_STEPS, "bind_ids", "bind_addresses", "initramfs")
HOST_STEPS = ("reboot", "firmware_reboot", "power_cycle", "vm_config")
_OF_KIND = {"kernel_parameter": LOADER_STEPS[:3], "bootloader": LOADER_STEPS[3:], "vm_config": ("vm_config",)}
_OF_KIND |= {step: (step,) for step in FILE_STEPS}
_NOT_A_WAY = {"title", "note", "missing", "references", "proofs", "marks", "distributions", "versions", "extends"}
_FILES_WAYS = {
    "immutable",
    "rebuild",
    "reboot",
    "firmware_reboot",
    "poweroff",
    "vm_config",
    "modprobe_file",
    "modules_file",
}


class Proof(NamedTuple):
    """A cell: `how` is run, documented or impossible; `told` with what it was run, where it is said, or why not."""

    how: str
    told: str


def inherited(below: Mapping[str, Any], above: Mapping[str, Any], whole: bool) -> bool:
    """Whether the proofs in `below` still hold under `above`, which is laid over it; `whole`: both are files.

    >>> inherited({"apply": ["x"], "proofs": []}, {"title": "X"}, False)
    True
    >>> inherited({"apply": ["x"], "proofs": []}, {"apply": ["y"]}, False)
    False
    """
    changed = {key for key in above if above[key] != below.get(key)}
    return not (changed & _FILES_WAYS if whole else changed - _NOT_A_WAY)


def cell(data: Mapping[str, Any], step: str, loader: str | None, tool: str | None) -> Proof | None:
    """How a step is proven on the platform that `data` describes; None if the data does not say.

    What the loader's part says comes first, then what the initramfs tool's says, then what the file itself says.
    """
    boot, tools = data.get("boot", {}).get(loader, {}), data.get("tools", {}).get(tool, {})
    for part in (boot, tools, data):
        for group in part.get("proofs", ()):
            if step in group["steps"]:
                return Proof(str(group["how"]), str(group["with"]))
    return None


def untried(ways: Ways, steps: Iterable[Step]) -> list[str]:
    """The note on those steps of a plan whose way on this platform was never carried out; none if all were."""
    if ways.data.get("unknown"):
        return []  # the note that the system is not known says more
    used: dict[str, list[str]] = {}
    for step in steps:
        if step["kind"] in _OF_KIND:
            used.setdefault(step["kind"], []).extend(_cells_of(step))
    taken = [kind for kind, names in used.items() if not _tried(ways, names)]
    if not taken:
        return []
    title = ways.data.get("title", ways.stem)
    if len(taken) == len(used):
        return [say("These commands follow {title}'s documentation; they were not tried on this host.", title=title)]
    names = ", ".join(dict.fromkeys(map(_name, taken)))
    return [say("This follows {title}'s documentation and was not tried: {names}.", title=title, names=names)]


def _cells_of(step: Step) -> tuple[str, ...]:
    """The cells that a step of a plan is one of; of parameters, what its change of a file is, if it shows one."""
    if step["kind"] != "kernel_parameter":
        return _OF_KIND[step["kind"]]
    before, after = ({one for change in step["files"] for one in _words(change[side])} for side in ("before", "after"))
    gone, new = ({word.partition("=")[0] for word in words} for words in (before - after, after - before))
    told = (new - gone, gone - new, gone & new)
    return tuple(name for name, keys in zip(LOADER_STEPS, told, strict=False) if keys) or LOADER_STEPS[:3]


def _words(lines: Iterable[str]) -> Iterable[str]:
    """The parameters of lines, without the quotes of a variable."""
    return (word.strip("\"'") for line in lines for word in line.split())


def _tried(ways: Ways, names: Iterable[str]) -> bool:
    cells = [cell(ways.data, name, way.loader, ways.tool) for name in names for way in ways.loaders]
    return all(one is not None and one.how == RUN for one in cells)


def _name(kind: str) -> str:
    """A kind of step, for people."""
    if kind == "kernel_parameter":
        return say("the kernel parameters")
    if kind == "bootloader":
        return say("the boot loader's update")
    if kind == "initramfs":
        return say("the rebuild of the initramfs")
    if kind == "bind_addresses":
        return say("the binding by address")
    if kind == "vm_config":
        return say("the guest's configuration")
    return say("the files of modules")
