"""What a remedy is on each platform, as `doctor.treatment` plans it, for the documentation's pages of checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from wording import block, indented, plain

from doctor.diagnosis.finding import Cause, Finding
from doctor.evidence.types import Evidence, Piece
from doctor.facts.host import Host
from doctor.treatment.plan import make_plan
from doctor.treatment.steps import KINDS

_AFTERWARDS = ("reboot", "verify")
_IN_WORDS = ("person", "other_hardware", "move_device", "run")  # the same on every system
_UNTRIED = "they were not tried on this host"


class Sample(NamedTuple):
    """A host to show remedies on: `files` with {words} where parameters stand, and its lists of modules and options."""

    title: str
    files: dict[str, str]
    modules: str = "etc/modules-load.d/vfio.conf"
    options: str = "etc/modprobe.d/vfio.conf"


_GRUB = 'GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT="quiet{words}"\nGRUB_CMDLINE_LINUX=""\n'
_BY_GRUB = {"proc/cmdline": "BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 ro quiet{words}\n", "etc/default/grub": _GRUB}
_PVE = {"cmd/uname-a": "Linux pve 6.8.12-9-pve #1 SMP"}
_ZFS = "root=ZFS=rpool/ROOT/pve-1 boot=zfs{words}\n"
HOSTS = (
    Sample("Proxmox VE, GRUB", {**_PVE, **_BY_GRUB}, "etc/modules"),
    Sample(
        "Proxmox VE, systemd-boot",
        {
            **_PVE,
            "cmd/proxmox-boot-tool": "System currently booted with uefi\n1578-E2C7 is configured with: uefi",
            "proc/cmdline": "initrd=\\EFI\\proxmox\\6.8.12-9-pve\\initrd.img-6.8.12-9-pve " + _ZFS,
            "etc/kernel/cmdline": _ZFS,
        },
        "etc/modules",
    ),
    Sample("Debian", {"etc/os-release": "ID=debian\nVERSION_ID=12", **_BY_GRUB}, "etc/modules"),
    Sample("Ubuntu", {"etc/os-release": "ID=ubuntu\nVERSION_ID=24.04", **_BY_GRUB}, "etc/modules"),
    Sample("Fedora", {"etc/os-release": "ID=fedora\nVERSION_ID=42", "proc/cmdline": _BY_GRUB["proc/cmdline"]}),
    Sample("RHEL 9 and kin", {"etc/os-release": "ID=rocky\nVERSION_ID=9.4", "proc/cmdline": _BY_GRUB["proc/cmdline"]}),
    Sample(
        "Arch, GRUB",
        {"etc/os-release": "ID=arch", **_BY_GRUB, "etc/mkinitcpio.conf": "MODULES=()\nHOOKS=(base udev modconf)\n"},
    ),
    Sample(
        "Arch, systemd-boot",
        {
            "etc/os-release": "ID=arch",
            "cmd/bootctl": "Product: systemd-boot 257",
            "boot/loader/entries/arch.conf": "title Arch\noptions root=/dev/sda2 rw quiet{words}\n",
            "etc/mkinitcpio.conf": "MODULES=()\nHOOKS=(base udev modconf)\n",
        },
    ),
    Sample("openSUSE", {"etc/os-release": "ID=opensuse-leap\nVERSION_ID=15.6", **_BY_GRUB}),
    Sample("NixOS", {"etc/os-release": "ID=nixos"}),
    Sample("Unraid", {"etc/unraid-version": 'version="7.0.0"'}),
    Sample("TrueNAS SCALE", {"cmd/uname-a": "Linux nas 6.6.32-production+truenas #1"}),
)


def kind_of(step: Mapping[str, Any]) -> str:
    """The kind of a step."""
    return next(key for key in step if key in KINDS)


def settings(finding: Finding, knowledge: Mapping[str, Any]) -> list[str]:
    """The firmware settings that are asked for."""
    known = knowledge["platforms"]["firmware"]["settings"]
    asked = [name for step in finding.remedy for name in step.get("firmware", {}).get("settings", ())]
    found = []
    for name in dict.fromkeys(asked):
        title, value = plain(known[name]["title"]), plain(known[name]["set"])
        found.append(f"- In the firmware setup: [{title}](../firmware.md#{name}) to {value}")
    return ["\n".join(found)] if found else []


def by_platform(finding: Finding, knowledge: Mapping[str, Any]) -> list[str]:
    """The steps on each sample host; what is the same on several stands once."""
    rest = tuple(step for step in finding.remedy if "firmware" not in step)
    if not rest:
        return []
    hosts = HOSTS[:1] if all(kind_of(step) in _IN_WORDS for step in rest) else HOSTS
    told: dict[str, list[str]] = {}
    untried: set[str] = set()
    for host in hosts:
        steps, tried = _steps(finding._replace(remedy=rest), host, knowledge)
        told.setdefault(steps, []).append(host.title)
        untried.update(() if tried else [host.title])
    if len(told) == 1:
        return list(told)
    return [f'=== "{_names(names)}"\n\n{indented(text + _untried(names, untried))}' for text, names in told.items()]


def _untried(names: Sequence[str], untried: set[str]) -> str:
    """A remark on the systems whose steps are documented only."""
    found = [name for name in names if name in untried]
    system = "" if len(found) == len(names) else f" of {_names(found)}"
    return f"\n\n*By the documentation{system}; [not carried out](../platforms.md).*" if found else ""


def _names(names: Sequence[str]) -> str:
    """The names of hosts, a loader's only where it matters.

    >>> _names(["Arch, GRUB", "Arch, systemd-boot", "Debian"]), _names(["Arch, GRUB", "Debian"])
    ('Arch, Debian', 'Arch with GRUB, Debian')
    """
    heads = [name.partition(", ")[0] for name in names]
    shown = [
        head if heads.count(head) > 1 else name.replace(", ", " with ") for head, name in zip(heads, names, strict=True)
    ]
    return ", ".join(dict.fromkeys(shown))


def _steps(finding: Finding, sample: Sample, knowledge: Mapping[str, Any]) -> tuple[str, bool]:
    """The plan's steps for one finding on one host, as Markdown, and whether they were carried out there."""
    host = Host(_evidence(sample, finding.remedy), dict(knowledge))
    plan = make_plan([finding], [Cause(finding, ())], host, knowledge["platforms"])
    lines = [_step(step) for step in plan["steps"] if step["kind"] not in _AFTERWARDS]
    lines += ["1. Reboot once."] if plan["reboots"] else []
    verify = [command for step in plan["steps"] if step["kind"] == "verify" for command in step["commands"]]
    lines += ["1. Verify:\n\n" + indented(block("sh", verify))] if verify else []
    notes = [f"*{plain(note)}*" for note in plan["notes"] if _UNTRIED not in note]
    return "\n\n".join(["\n".join(lines), *notes]), len(notes) == len(plan["notes"])


def _step(step: Mapping[str, Any]) -> str:
    """One step as an entry of a numbered list."""
    parts = [f"1. {'Optional: ' if step['optional'] else ''}{plain(step['summary'])}"]
    parts += [indented(plain(text)) for text in (step["note"], step["risk"]) if text]
    parts += [indented(block("diff", change["diff"].rstrip("\n").split("\n"))) for change in step["files"]]
    if step["commands"] and not step["files"]:
        parts.append(indented(block("sh", step["commands"])))
    return "\n\n".join(parts) + "\n"


def _evidence(sample: Sample, remedy: Iterable[Mapping[str, Any]]) -> Evidence:
    """A sample host that has what the remedy takes away."""
    parameters: list[str] = []
    modules: list[str] = []
    options: list[str] = []
    for step in remedy:
        parameters += step.get("kernel_parameter", {}).get("remove") or ()
        modules += step.get("unload_modules") or ()
        option = step.get("module_option", {})
        options += [f"options {option['module']} {name}=1" for name in option.get("remove") or ()]
        line = step.get("remove_line", {})
        options += [f"{line['directive']} {name}" for name in line.get("modules") or ()]
    given = "".join(f" {word}" for word in dict.fromkeys(map(str, parameters)))
    files = {path: text.replace("{words}", given) for path, text in sample.files.items()}
    files |= {sample.modules: "\n".join(map(str, modules))} if modules else {}
    files |= {sample.options: "\n".join(options)} if options else {}
    pieces = [Piece(path, text.rstrip("\n"), path, 1, None) for path, text in files.items()]
    return Evidence("case", "sample", pieces)
