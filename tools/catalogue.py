"""The pages of the documentation that come from rules/: one for each check, and the settings of firmware.

Failures and examples are the rules' own cases, judged anew; what mends them is what a plan says (prescribed.py). So no
page says what passdoctor would not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from prescribed import by_platform, kind_of, settings
from wording import block, code, escaped, indented, linked, plain, reference

from doctor.diagnosis.cases import Case, all_cases, evidence_of, prepare
from doctor.diagnosis.finding import Finding
from doctor.explain import words
from doctor.knowledge.store import PROGRAMS

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
_HOW = (
    "A page says why a check is made, what it is judged by, and what to do on which system. `passdoctor explain CHECK` "
    "tells the same in a terminal."
)
_SETTINGS = (
    "What a plan asks for in the firmware setup (BIOS, UEFI), what makers call it, and where it is. A place of low "
    "confidence has no source: look for the name elsewhere, too. A plan that knows the board's maker names that "
    "maker's place alone."
)
_CASES = 12  # of a rule, at most, are asked for its remedies
_REMEDIES = 4  # of a rule, at most, are shown


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
        f"{len(rules)} checks, each of them one question. {_HOW}",
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
        yield "- **fails on** a line such as\n\n" + indented("```text\n" + "\n".join(_lines(rule, knowledge)) + "\n```")
    if rule["pass"] is not None:
        yield f"- **passes when** {code(words(rule['pass']))}" + (
            "" if rule["fail"] or rule["events"] else "; fails else"
        )
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
    return " ".join("".join(escaped(part) if isinstance(part, str) else _hole(part) for part in parts).split())


def _hole(node: Sequence[Any]) -> str:
    if node[0] == "const":
        return escaped(str(node[1]))
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
    follow = [
        _link(one["id"], titles, one["after_when"].get(rule["id"])) for one in rules if rule["id"] in one["after"]
    ]
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
                kinds = tuple(kind_of(step) for step in finding.remedy)
                settings = tuple(str(step["firmware"]) for step in finding.remedy if "firmware" in step)
                found.setdefault((kinds, settings), _Failure(case, finding))
        if len(found) >= _REMEDIES:
            break
    return list(found.values())


def _rank(body: Mapping[str, Any]) -> tuple[bool, bool]:
    """Cases that state their remedy come first, and last those that were written for a link between checks."""
    return ("cause" in body or "beside" in body, "remedy" not in body)


def _remedies(failures: Sequence[_Failure], knowledge: Mapping[str, Any]) -> list[str]:
    """What to do about each kind of failure, by platform."""
    told: dict[str, list[list[str]]] = {}
    for _, finding in failures:
        if finding.remedy:
            heading = f"**{plain(finding.title)}.** {plain(finding.detail)}"
            steps = [*settings(finding, knowledge), *by_platform(finding, knowledge)]
            told.setdefault(heading, []).append(steps)
    parts = []
    for heading, ways in told.items():
        parts += [heading, *ways[0]]
        for way in ways[1:]:
            parts += ["Or, if the evidence shows a machine for which that is right:", *way]
    return parts


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
            parts.append(block("text", (piece.text or "(nothing)").split("\n"), name))
    return [*parts, f"it says: **{plain(chosen.finding.title)}.** {plain(chosen.finding.detail)}"]


def _size(case: Case) -> int:
    return len(str(case.body.get("given") or case.body.get("paste") or ""))


def _firmware(firmware: Mapping[str, Any]) -> str:
    """The page of the firmware's settings."""
    parts = [
        "# Settings of the firmware",
        _SETTINGS,
    ]
    for name, setting in firmware["settings"].items():
        looks = ", ".join(f"“{plain(text)}”" for text in setting.get("look_for", ()))
        parts += [f"## {plain(setting['title'])} {{ #{name} }}", f"Set it to: {plain(setting['set'])}"]
        parts += [f"Look for {looks}."] if looks else []
        parts += [plain(setting["note"])] if setting.get("note") else []
        parts += ["Verify from Linux:", block("sh", setting["verify"])] if setting.get("verify") else []
        rows = [
            f"| {plain(maker)} | {plain(place['path'])} | {place['confidence']} | {linked(place['source'])} |"
            for maker, place in (setting.get("paths") or {}).items()
        ]
        head = ["| Maker | Usual place | Confidence | Source |", "|---|---|---|---|"]
        parts += ["\n".join([*head, *rows])] if rows else []
    return "\n\n".join(parts) + "\n"
