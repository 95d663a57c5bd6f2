"""The pages of the documentation that come from rules/: one for each check, and the settings of firmware.

What a remedy is on a platform is asked of `doctor.treatment`: for failures of the rules' own cases, on hosts of which
no more is known than `HOSTS` says and what the remedy takes away there. So no page says what no plan would.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from doctor.diagnosis.cases import Case, all_cases, evidence_of, prepare
from doctor.diagnosis.finding import Cause, Finding
from doctor.evidence.types import Evidence, Piece
from doctor.facts.host import Host
from doctor.knowledge.explain import words
from doctor.knowledge.store import PROGRAMS
from doctor.treatment.plan import make_plan
from doctor.treatment.steps import KINDS

SUBJECTS = {
    "host": "The host",
    "iommu": "The IOMMU",
    "kernel": "The kernel",
    "cmdline": "The kernel's command line",
    "vfio": "VFIO",
    "device": "The device",
    "vm": "The virtual machine",
    "symptoms": "Symptoms in logs",
    "hardened": "On request of a profile",
}
SCOPES = {
    "host": "asked once, of the host",
    "target": "asked of each device that is meant for a guest",
    "event": "asked of each device that a log line names",
}
SEVERITIES = {
    "blocker": "passthrough cannot work",
    "risk": "it works, but endangers the host, its data or its isolation",
    "advice": "obsolete, useless, or better done otherwise",
}
_CASES = 12  # of a rule, at most, are asked for its remedies
_REMEDIES = 4  # of a rule, at most, are shown
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


class Catalogue(NamedTuple):
    """Every page by its path below the documentation's folder, and those of checks as a table of contents."""

    pages: dict[str, str]
    contents: list[Any]


def catalogue(folder: Path, knowledge: Mapping[str, Any]) -> Catalogue:
    """The pages `checks/ID.md`, `checks/index.md` and `firmware.md` of the rules in `folder`."""
    cases: dict[str, list[Case]] = {}
    for case in all_cases(folder):
        cases.setdefault(case.rule["id"], []).append(case)
    rules = knowledge["rules"]
    subjects = {check: _subject(own[0].path, folder) for check, own in cases.items()}
    pages = {f"checks/{rule['id']}.md": _page(rule, cases[rule["id"]], knowledge) for rule in rules}
    pages["checks/index.md"] = _index(rules, subjects)
    pages["firmware.md"] = _firmware(knowledge["platforms"]["firmware"])
    contents: list[Any] = ["checks/index.md"]
    for subject, title in SUBJECTS.items():
        own = [f"checks/{rule['id']}.md" for rule in rules if subjects[rule["id"]] == subject]
        contents += [{title: own}] if own else []
    return Catalogue(pages, [*contents, "firmware.md"])


def _subject(path: Path, folder: Path) -> str:
    """What a file of rules is about: its name, or its folder's if it stands in one."""
    return path.resolve().relative_to(folder.resolve()).parts[0].removesuffix(".yaml")


def _index(rules: Sequence[Mapping[str, Any]], subjects: Mapping[str, str]) -> str:
    parts = [
        "# All checks",
        f"{len(rules)} checks. Each is one question about the host or about a device; its page says why it is asked, "
        "what it is judged by, and what to do on which system. `passdoctor explain CHECK` tells the same in a terminal.",
        "\n".join(f"- **{level}**: {text}." for level, text in SEVERITIES.items()),
    ]
    for subject, title in SUBJECTS.items():
        own = [rule for rule in rules if subjects[rule["id"]] == subject]
        rows = [f"| [{plain(rule['title'])}]({rule['id']}.md) | `{rule['id']}` | {severity(rule)} |" for rule in own]
        if rows:
            parts += [f"## {title}", "\n".join(["| What holds | Check | Severity |", "|---|---|---|", *rows])]
    return "\n\n".join(parts) + "\n"


def severity(rule: Mapping[str, Any]) -> str:
    """The severity of a rule's failure, or the worst of those that depend on the case."""
    values = [value for _, value in rule["severity"]]
    return next(level for level in SEVERITIES if level in values)


def _page(rule: Mapping[str, Any], cases: Sequence[Case], knowledge: Mapping[str, Any]) -> str:
    failures = _failures(cases, knowledge)
    parts = [
        f"# {plain(rule['title'])}",
        f"`{rule['id']}` · **{severity(rule)}** ({SEVERITIES[severity(rule)]}) · {SCOPES[rule['scope']]}",
        plain(rule["why"]),
        *_asked_for(rule, knowledge),
        "## How it is judged",
        "\n".join(_judged(rule, knowledge)),
        "## What it says",
        "\n".join(_said(rule)),
        "## What it follows from",
        "\n".join(_links(rule, knowledge["rules"])),
        "## What to do",
        *(_remedies(failures, knowledge) or ["Nothing of its own: the cause's remedy is enough."]),
        *_example(failures),
        "## References",
        "\n".join(f"- {reference(text)}" for text in rule["references"]),
    ]
    return "\n\n".join(parts) + "\n"


def _asked_for(rule: Mapping[str, Any], knowledge: Mapping[str, Any]) -> list[str]:
    """Which profiles ask for a rule that is made on request only."""
    if not rule["on_request"]:
        return []
    asking = [one["id"] for one in knowledge["profiles"].values() if rule["id"] in (*one["with"], *one["only"])]
    names = ", ".join(f"`{name}`" for name in asking) or "none of the built-in ones"
    return [f"Made only under a [profile](../profiles.md) that asks for it: {names}."]


def _judged(rule: Mapping[str, Any], knowledge: Mapping[str, Any]) -> Iterator[str]:
    """The conditions, a list entry each."""
    if len(rule["severity"]) > 1:
        for condition, level in rule["severity"]:
            yield f"- **severity** {level}" + (f" when {code(words(condition))}" if condition else " otherwise")
    for program, side, limit, why in rule["versions"]:
        name = f"{PROGRAMS[program]} {'.'.join(map(str, limit))}"
        span = f"{name} and later" if side == "since" else f"{PROGRAMS[program]} before {'.'.join(map(str, limit))}"
        yield f"- **speaks of** {span}. {plain(why or '')} What is seen directly counts on any version."
    if rule["when"] is not None:
        yield f"- **applies when** {code(words(rule['when']))}"
    if rule["fail"] is not None:
        yield f"- **fails when** {code(words(rule['fail']))}"
    if rule["events"]:
        yield "- **fails on** a line such as\n\n" + _indented("```text\n" + "\n".join(_lines(rule, knowledge)) + "\n```")
    if rule["pass"] is not None:
        yield f"- **passes when** {code(words(rule['pass']))}" + ("" if rule["fail"] or rule["events"] else "; fails else")
    if rule["kind"] == "symptom":
        yield "- **otherwise** it is not applicable: a check of a symptom does not miss evidence"
    else:
        yield "- **unknown** when the evidence does not tell; the report then names the command that would"


def _lines(rule: Mapping[str, Any], knowledge: Mapping[str, Any]) -> Iterator[str]:
    """A wording of each log line by which a rule fails, with ‹names› for what stands there."""
    for message in knowledge["messages"]:
        if message["event"] in rule["events"]:
            parts = message["wordings"][0][1]
            yield "".join(part if isinstance(part, str) else f"‹{part[0]}›" for part in parts)


def _said(rule: Mapping[str, Any]) -> Iterator[str]:
    """The texts of each status."""
    headings = {"fail, as its heading": rule["problem"]} if rule["problem"] else {}
    for status, choices in {**headings, **rule["detail"]}.items():
        for condition, parts in choices:
            when = f" (when {code(words(condition))})" if condition is not None else ""
            yield f"- **{status}**{when}: {_text(parts)}"


def _text(parts: Sequence[Any]) -> str:
    """A lowered text: values of the host as names, and alternatives with a stroke between them."""
    return " ".join("".join(_escaped(part) if isinstance(part, str) else _hole(part) for part in parts).split())


def _hole(node: Sequence[Any]) -> str:
    if node[0] == "const":
        return _escaped(str(node[1]))
    if node[0] == "if":
        first, other = _hole(node[2]), _hole(node[3])
        return f"{first} / {other}" if first.strip() and other.strip() else f"\\[{first.strip() or other.strip()}\\]"
    return f"*‹{plain(words(list(node)))}›*"


def _links(rule: Mapping[str, Any], rules: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The checks that explain a failure here, and those that this one explains."""
    titles = {one["id"]: one["title"] for one in rules}
    causes = [_link(name, titles, rule["after_when"].get(name)) for name in rule["after"]]
    yield "A failure here can be explained by" if causes else "Nothing else: a failure here is a cause of its own."
    yield from ["", *causes] if causes else []
    follow = [_link(one["id"], titles, one["after_when"].get(rule["id"])) for one in rules if rule["id"] in one["after"]]
    if follow:
        yield from ["", "and it can explain" if causes else "It can explain", "", *follow]


def _link(name: str, titles: Mapping[str, str], condition: Any) -> str:
    return f"- [{plain(titles[name])}]({name}.md)" + (f", when {code(words(condition))}" if condition else "")


class _Failure(NamedTuple):
    """A case of the rule, and its finding."""

    case: Case
    finding: Finding


def _failures(cases: Iterable[Case], knowledge: Mapping[str, Any]) -> list[_Failure]:
    """Failures of the rule's cases whose remedies are of different kinds; where it has none, one failure."""
    failing = sorted((case for case in cases if case.body.get("expect") == "fail"), key=lambda case: _rank(case.body))
    found: dict[tuple[Any, ...], _Failure] = {}
    for case in failing[:_CASES]:
        for finding in prepare(case, dict(knowledge)).findings:
            if finding.check == case.rule["id"] and finding.status == "fail":
                kinds = tuple(_kind(step) for step in finding.remedy)
                settings = tuple(str(step["firmware"]) for step in finding.remedy if "firmware" in step)
                found.setdefault((kinds, settings), _Failure(case, finding))
        if len(found) >= _REMEDIES:
            break
    return list(found.values())


def _rank(body: Mapping[str, Any]) -> tuple[bool, bool]:
    """Cases that state their remedy come first, and last those that were written for a link between checks."""
    return ("cause" in body or "beside" in body, "remedy" not in body)


def _kind(step: Mapping[str, Any]) -> str:
    return next(key for key in step if key in KINDS)


def _remedies(failures: Sequence[_Failure], knowledge: Mapping[str, Any]) -> list[str]:
    """What to do about each kind of failure, by platform."""
    told: dict[str, list[list[str]]] = {}
    for _, finding in failures:
        if finding.remedy:
            heading = f"**{plain(finding.title)}.** {plain(finding.detail)}"
            steps = [*_settings(finding, knowledge), *_by_platform(finding, knowledge)]
            told.setdefault(heading, []).append(steps)
    parts = []
    for heading, ways in told.items():
        parts += [heading, *ways[0]]
        for way in ways[1:]:
            parts += ["Or, if the evidence shows a machine for which that is right:", *way]
    return parts


def _settings(finding: Finding, knowledge: Mapping[str, Any]) -> list[str]:
    """The firmware settings that are asked for."""
    known = knowledge["platforms"]["firmware"]["settings"]
    asked = [name for step in finding.remedy for name in step.get("firmware", {}).get("settings", ())]
    found = [
        f"- In the firmware setup: [{plain(known[name]['title'])}](../firmware.md#{name}) to {plain(known[name]['set'])}"
        for name in dict.fromkeys(asked)
    ]
    return ["\n".join(found)] if found else []


def _by_platform(finding: Finding, knowledge: Mapping[str, Any]) -> list[str]:
    """The steps on each sample host; what is the same on several stands once."""
    rest = tuple(step for step in finding.remedy if "firmware" not in step)
    if not rest:
        return []
    hosts = HOSTS[:1] if all(_kind(step) in _IN_WORDS for step in rest) else HOSTS
    told: dict[str, list[str]] = {}
    untried: set[str] = set()
    for host in hosts:
        steps, tried = _steps(finding._replace(remedy=rest), host, knowledge)
        told.setdefault(steps, []).append(host.title)
        untried.update(() if tried else [host.title])
    if len(told) == 1:
        return list(told)
    return [f'=== "{_names(names)}"\n\n{_indented(text + _untried(names, untried))}' for text, names in told.items()]


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
    lines += ["1. Verify:\n\n" + _indented(_block("sh", verify))] if verify else []
    notes = [f"*{plain(note)}*" for note in plan["notes"] if _UNTRIED not in note]
    return "\n\n".join(["\n".join(lines), *notes]), len(notes) == len(plan["notes"])


def _step(step: Mapping[str, Any]) -> str:
    """One step as an entry of a numbered list."""
    alone = not step["files"] and not step["commands"]
    summary = step["summary"].rstrip(":") if alone else step["summary"]
    parts = [f"1. {'Optional: ' if step['optional'] else ''}{plain(summary)}"]
    parts += [_indented(plain(text)) for text in (step["note"], step["risk"]) if text]
    parts += [_indented(_block("diff", change["diff"].rstrip("\n").split("\n"))) for change in step["files"]]
    if step["commands"] and not step["files"]:
        parts.append(_indented(_block("sh", step["commands"])))
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


def _example(failures: Sequence[_Failure]) -> list[str]:
    """A small case of the rule that fails, and what is said of it."""
    small = [one for one in failures if _size(one.case) < 900 and "sample" not in one.case.body]
    if not small:
        return []
    chosen = min(small, key=lambda one: _size(one.case))
    parts = ["## An example", "Of this evidence, one of the cases that the rule is tested with,"]
    for path in evidence_of(chosen.case).paths():
        for piece in evidence_of(chosen.case).pieces(path):
            name = "as pasted" if "paste" in chosen.case.body else path
            parts.append(_block("text", (piece.text or "(nothing)").split("\n"), name))
    return [*parts, f"it says: **{plain(chosen.finding.title)}.** {plain(chosen.finding.detail)}"]


def _size(case: Case) -> int:
    return len(str(case.body.get("given") or case.body.get("paste") or ""))


def _firmware(firmware: Mapping[str, Any]) -> str:
    """The page of the firmware's settings."""
    parts = [
        "# Settings of the firmware",
        "What a plan asks for in the firmware setup (BIOS, UEFI), what makers call it, and where it is. A place of low "
        "confidence has no source: look for the name elsewhere, too. If a plan knows the board's maker it says only "
        "that maker's place.",
    ]
    for name, setting in firmware["settings"].items():
        looks = ", ".join(f"“{plain(text)}”" for text in setting.get("look_for", ()))
        parts += [f"## {plain(setting['title'])} {{ #{name} }}", f"Set it to: {plain(setting['set'])}"]
        parts += [f"Look for {looks}."] if looks else []
        parts += [plain(setting["note"])] if setting.get("note") else []
        parts += ["Verify from Linux:", _block("sh", setting["verify"])] if setting.get("verify") else []
        rows = [
            f"| {plain(maker)} | {plain(place['path'])} | {place['confidence']} | {plain(place['source'])} |"
            for maker, place in (setting.get("paths") or {}).items()
        ]
        head = ["| Maker | Usual place | Confidence | Source |", "|---|---|---|---|"]
        parts += ["\n".join([*head, *rows])] if rows else []
    return "\n\n".join(parts) + "\n"


_TREE = "https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/"


def reference(text: str) -> str:
    """A reference as Markdown; one to a file of Linux leads to that file.

    >>> reference("linux:drivers/iommu/iommu.c (pci_device_group)")
    '[linux:drivers/iommu/iommu.c](https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/drivers/iommu/iommu.c) (pci\\\\_device\\\\_group)'
    >>> reference("CVE-2011-1898")
    'CVE-2011-1898'
    """
    found = re.fullmatch(r"(linux:([\w./-]{1,200}))( .{0,200})?", text)
    if not found or "/" not in found[2]:
        return plain(text)
    return f"[{plain(found[1])}]({_TREE}{found[2]}){plain(found[3] or '')}"


def plain(text: str) -> str:
    r"""A text as a line of Markdown that shows just that; what stands in backquotes stays code.

    >>> plain("a_b <c> | `x_y`")
    'a\\_b &lt;c&gt; &#124; `x_y`'
    """
    return _escaped(" ".join(str(text).split()))


def _escaped(text: str) -> str:
    """The same, with the blanks as they are."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        parts = ["\\`".join(parts)]
    for at in range(0, len(parts), 2):
        escaped = re.sub(r"([\\*_\[\]#])", r"\\\1", parts[at])
        parts[at] = escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "&#124;")
    return "`".join(parts)


def code(text: str) -> str:
    """A text as code in a sentence."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _block(language: str, lines: Sequence[str], title: str = "") -> str:
    text = "\n".join(lines)
    fence = "````" if "```" in text else "```"
    named = f' title="{title}"' if title else ""
    return f"{fence}{language}{named}\n{text}\n{fence}"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.split("\n"))
