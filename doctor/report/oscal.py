"""The report as OSCAL assessment results (JSON), for compliance platforms.

The model: https://pages.nist.gov/OSCAL/reference/latest/assessment-results/ . A check is a control with one objective,
and what is said of it:

- each finding of a check is an observation, whose properties tell its status, severity and confidence;
- one that passed, failed or is waived is a finding besides: `satisfied`, or `not-satisfied` with a risk, which is
  `open`, or `deviation-approved` if it is waived, with the waiver's last day as its deadline;
- one that is unknown or not applicable is no finding, for OSCAL knows only satisfied and not satisfied. A check that
  was judged nowhere is not among the reviewed controls.

Texts are Markdown there, so what comes from evidence is escaped. Ids are made from the host's name, the check and the
device, so they are the same in each run; those of the document and of the result change with what they hold.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from doctor.later import later
from doctor.report.entries import NAME, answered, remedy_lines, shown, stamp, statement, tell
from doctor.report.markdown import escaped, fenced
from doctor.report.words import Words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from doctor.report.entries import Entry, Told
    from doctor.report.model import Remedy, Report

VERSION = "1.2.1"  # nothing here is newer than OSCAL 1.1
_UNKNOWN_SYSTEM = "http://csrc.nist.gov/ns/oscal/unknown"
_HIGH = {"blocker": "high", "risk": "moderate", "advice": "low"}
_JUDGED = ("pass", "fail", "waived")
_NO_TOKEN = later(r"[^0-9A-Za-z._-]")
_DATE = later(r"\d{4}-\d\d-\d\d")
Json = dict[str, Any]


def render(report: Report) -> str:
    """The report as one result of one assessment, in ASCII."""
    told = tell(report)
    host = told.host if told.named else "-"
    result: Json = {
        "title": _line(f"{told.report['tool']['name']}: {told.host}"),
        "description": _line(told.report["summary"]["headline"]),
        "start": _time(told),
        "props": _props(host=host, verdict=report["summary"]["verdict"], profile=report["profile"], **_dated(told)),
        "local-definitions": _definitions(told),
        "reviewed-controls": _reviewed(told.entries),
        "observations": [_observation(told, entry) for entry in told.entries],
        "risks": [_risk(told, entry) for entry in told.entries if entry.status in ("fail", "waived")],
        "findings": [_finding(told, entry) for entry in told.entries if entry.status in _JUDGED],
    }
    notes = "\n\n".join(_line(note) for note in told.report["notes"] if note.strip())
    result = {name: value for name, value in {**result, "remarks": notes}.items() if value}
    document = _document(told, result)
    return json.dumps({"assessment-results": {"uuid": _digest(told, document), **document}}, indent=1) + "\n"


def _document(told: Told, result: Json) -> Json:
    plan = told.id_of("plan")
    title = f"{Words()('report-of')}: {told.host}"
    document: Json = {
        "metadata": {
            "title": _line(title),
            "last-modified": _time(told),
            "version": _string(told.report["tool"]["version"]),
            "oscal-version": VERSION,
        },
        "import-ap": {
            "href": f"#{plan}",
            "remarks": "There is no assessment plan: every check of the profile is made.",
        },
        "local-definitions": {"objectives-and-methods": _objectives(told.entries)} if told.entries else {},
        "results": [{"uuid": _digest(told, result), **result}],
        "back-matter": {
            "resources": [
                {
                    "uuid": plan,
                    "title": _line(f"passdoctor's profile {told.report['profile']}"),
                    "description": "The checks that were made, in place of an assessment plan.",
                    "rlinks": [{"href": f"{NAME}:profile"}],
                }
            ]
        },
    }
    return {name: value for name, value in document.items() if value}


def _digest(told: Told, value: Json) -> str:
    """The id of something that is another as soon as anything in it is."""
    return told.id_of("content", json.dumps(value, sort_keys=True))


def _time(told: Told) -> str:
    """When the evidence was collected. OSCAL must have a time; one that nobody knows is the first there is."""
    return stamp(told.moment or 0)


def _dated(told: Told) -> dict[str, str]:
    return {} if told.moment is not None else {"time": "unknown"}


def _definitions(told: Told) -> Json:
    """The host, its devices, and the tool."""
    report = told.report
    platform = {name: value for name, value in report["platform"].items() if value}
    items = [_item(told, "", told.host, platform)]
    devices = {entry.device for entry in told.entries if entry.device}
    known = {device["address"]: device for device in report["devices"]}
    for address in sorted(devices):
        row = known.get(address)
        facts = {"ids": row["ids"], "driver": row["driver"], "verdict": row["verdict"]} if row else {}
        name = row["name"] if row and row["name"] else ""
        items.append(_item(told, address, f"{address} {name}".strip(), facts))
    return {
        "inventory-items": items,
        "assessment-assets": {
            "components": [
                {
                    "uuid": _tool(told),
                    "type": "software",
                    "title": "passdoctor",
                    "description": "Tells whether a PCI device can be given to a virtual machine.",
                    "props": _props(version=report["tool"]["version"]),
                    "status": {"state": "operational"},
                }
            ],
            "assessment-platforms": [
                {"uuid": told.id_of("platform"), "uses-components": [{"component-uuid": _tool(told)}]}
            ],
        },
    }


def _item(told: Told, device: str, description: str, facts: Json) -> Json:
    props = _props(**{"asset-type": "pci-device" if device else "host", **facts})
    return {"uuid": _subject(told, device), "description": _line(description), "props": props}


def _tool(told: Told) -> str:
    return told.id_of("tool")


def _subject(told: Told, device: str) -> str:
    return told.id_of("item", device)


def _origin(told: Told) -> list[Json]:
    return [{"actors": [{"type": "tool", "actor-uuid": _tool(told)}]}]


def _objectives(entries: Iterable[Entry]) -> list[Json]:
    asked: dict[str, Entry] = {}
    for entry in entries:
        asked.setdefault(entry.check, entry)
    return [
        {
            "control-id": _token(check),
            "parts": [
                {"id": _objective(check), "name": "assessment-objective", "prose": _line(entry.why or entry.title)}
            ],
        }
        for check, entry in asked.items()
    ]


def _objective(check: str) -> str:
    return f"{_token(check)}_obj"


def _reviewed(entries: Iterable[Entry]) -> Json:
    entries = list(entries)
    judged = dict.fromkeys(entry.check for entry in entries if entry.status in _JUDGED)
    others = [check for check in dict.fromkeys(entry.check for entry in entries) if check not in judged]
    selection: Json = {"include-controls": [{"control-id": _token(check)} for check in judged]}
    if not judged:
        selection = {"include-all": {}}
    if others:
        selection["exclude-controls"] = [{"control-id": _token(check)} for check in others]
    return {"control-selections": [selection]}


def _observation(told: Told, entry: Entry) -> Json:
    observation: Json = {
        "uuid": told.id_of("observation", entry.key),
        "title": _line(entry.title or entry.check),
        "description": _line(statement(entry) or entry.check),
        "props": _props(
            check=entry.check,
            device=entry.device,
            status=entry.status,
            severity=entry.severity,
            confidence=entry.confidence,
        ),
        "methods": ["TEST" if told.report["subject"]["kind"] == "host" else "EXAMINE"],
        "types": ["control-objective"],
        "origins": _origin(told),
        "subjects": [{"subject-uuid": _subject(told, entry.device), "type": "inventory-item"}],
        "collected": _time(told),
    }
    if entry.evidence:
        observation["relevant-evidence"] = [
            {
                "description": _line(shown(line)),
                "props": _props(path=line["path"], source=line["source"], line=line["line"]),
            }
            for line in entry.evidence
        ]
    if entry.wanted:
        observation["remarks"] = f"{Words()('unknowns-html')}\n\n{fenced(chr(10).join(entry.wanted), '')}"
    return observation


def _finding(told: Told, entry: Entry) -> Json:
    passed = entry.status == "pass"
    status: Json = {"state": "satisfied" if passed else "not-satisfied", "reason": "pass" if passed else "fail"}
    if entry.waiver:
        status["remarks"] = _line(answered(entry.waiver))
    finding: Json = {
        "uuid": told.id_of("finding", entry.key),
        "title": _line(entry.title or entry.check),
        "description": _line(statement(entry) or entry.check),
        "origins": _origin(told),
        "target": {"type": "objective-id", "target-id": _objective(entry.check), "status": status},
        "related-observations": [{"observation-uuid": told.id_of("observation", entry.key)}],
    }
    return finding if passed else {**finding, "related-risks": [{"risk-uuid": told.id_of("risk", entry.key)}]}


def _risk(told: Told, entry: Entry) -> Json:
    risk: Json = {
        "uuid": told.id_of("risk", entry.key),
        "title": _line(entry.title or entry.check),
        "description": _line(statement(entry) or entry.check),
        "statement": _line(entry.why or entry.title or entry.check),
        "status": "deviation-approved" if entry.status == "waived" else "open",
        "characterizations": [
            {
                "origin": _origin(told)[0],
                "facets": [
                    {"name": "severity", "system": NAME, "value": _string(entry.severity)},
                    {"name": "severity", "system": _UNKNOWN_SYSTEM, "value": _HIGH.get(entry.severity, "moderate")},
                ],
            }
        ],
        "related-observations": [{"observation-uuid": told.id_of("observation", entry.key)}],
    }
    if entry.waiver:
        owed = entry.waiver
        risk["props"] = _props(**{"waiver-owner": owed["owner"], "waiver-reason": owed["reason"]})
        if _DATE.fullmatch(owed["expires"]):
            risk["deadline"] = f"{owed['expires']}T23:59:59Z"
    if entry.remedies:
        risk["remediations"] = [_response(told, entry, n, remedy) for n, remedy in enumerate(entry.remedies)]
    return {name: value for name, value in risk.items() if value}


def _response(told: Told, entry: Entry, number: int, remedy: Remedy) -> Json:
    lines = "\n".join(remedy_lines(remedy))
    return {
        "uuid": told.id_of("remediation", entry.key, str(number)),
        "lifecycle": "recommendation",
        "title": _line(remedy["summary"]),
        "description": fenced(lines, "") if lines else _line(remedy["summary"]),
    }


def _props(**values: Any) -> list[Json]:
    """Properties in passdoctor's own namespace; what is not known is left out."""
    told = {name.replace("_", "-"): _string(str(value)) for name, value in values.items() if value is not None}
    return [{"name": name, "ns": NAME, "value": value} for name, value in told.items() if value != "-"]


def _string(text: str) -> str:
    """Text as OSCAL's datatype `string` has it: neither blank nor with blanks around it."""
    return text.strip() or "-"


def _line(text: str) -> str:
    """Text as one line of Markdown that is no markup."""
    return escaped(" ".join(text.split())) or "-"


def _token(name: str) -> str:
    """A name as OSCAL's datatype `token` has it; the ids of checks are such already, but for a digit in front."""
    name = _NO_TOKEN.sub("_", name)
    return name if name[:1].isalpha() or name[:1] == "_" else f"_{name}"
