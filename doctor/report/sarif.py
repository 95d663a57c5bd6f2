"""The report as SARIF 2.1.0, for code scanning and whatever else shows results beside the lines they come from.

The format: https://docs.oasis-open.org/sarif/sarif/v2.1.0/ . A check is a rule, a finding a result. A result's kind
tells what SARIF has words for: `pass`, `fail`, `open` (there was not enough to decide: unknown) and `notApplicable`;
what is waived is a `fail` with an accepted suppression. A blocker is an `error`, a risk a `warning`, advice a `note`.

A location is the user's own file and line, so that it is found beside the file; the evidence path is its logical
location. Every result has one, for GitHub refuses a file with a result that has none.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from doctor.report.entries import answered, remedy_lines, short, stamp, tell
from doctor.report.markdown import escaped, fenced
from doctor.report.words import Words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from doctor.report.entries import Entry, Told
    from doctor.report.model import Citation, Report

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_KINDS = {"pass": "pass", "fail": "fail", "waived": "fail", "unknown": "open", "not-applicable": "notApplicable"}
_LEVELS = {"blocker": "error", "risk": "warning", "advice": "note"}
Json = dict[str, Any]


def render(report: Report) -> str:
    """The report as one run of one tool, in ASCII."""
    told = tell(report)
    rules = _rules(told.entries)
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    driver = {"name": report["tool"]["name"], "version": told.report["tool"]["version"], "rules": rules}
    run: Json = {
        "tool": {"driver": driver},
        # What ends in a slash is a category: runs over one host are the same analysis, made again.
        "automationDetails": {"id": f"passdoctor/{quote(told.host, safe='')}/"},
        "invocations": [_invocation(told)],
        "columnKind": "unicodeCodePoints",
        "results": [_result(told, entry, index[entry.check]) for entry in told.entries],
        "properties": _properties(told),
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _properties(told: Told) -> Json:
    report = told.report
    return {**told.about(), "headline": report["summary"]["headline"], "platform": report["platform"]}


def _invocation(told: Told) -> Json:
    made: Json = {"executionSuccessful": True}
    if told.report["subject"]["kind"] == "host" and told.named:
        made["machine"] = told.host
    if told.moment is not None:
        made["startTimeUtc"] = stamp(told.moment)
    notes = [{"level": "note", "message": _message(note)} for note in told.report["notes"] if note]
    return {**made, "toolExecutionNotifications": notes} if notes else made


def _rules(entries: Iterable[Entry]) -> list[Json]:
    """The checks, each once, in the order of the report."""
    grouped: dict[str, list[Entry]] = {}
    for entry in entries:
        grouped.setdefault(entry.check, []).append(entry)
    return [_rule(check, found) for check, found in grouped.items()]


def _rule(check: str, found: list[Entry]) -> Json:
    """A check; what it asks is the title of a finding that is no failure, if there is one."""
    asked = next((entry for entry in found if entry.status not in ("fail", "waived")), found[0])
    worst = next((entry for name in _LEVELS for entry in found if entry.severity == name), asked)
    rule: Json = {
        "id": check,
        "shortDescription": {"text": asked.title or check},
        "fullDescription": {"text": asked.why or asked.title or check},
        "help": _help(asked, found),
        "defaultConfiguration": {"level": _LEVELS.get(worst.severity, "warning")},
        "properties": {"tags": ["pci-passthrough", worst.severity], "precision": "very-high"},
    }
    link = next((reference for reference in asked.references if reference.startswith("https://")), None)
    return {**rule, "helpUri": quote(link, safe=":/?#[]@!$&'()*+,;=%~")} if link else rule


def _help(asked: Entry, found: list[Entry]) -> Json:
    """Why the check matters, and what mends what failed, as text and as Markdown."""
    words = Words()
    lines, marked = [asked.why], [escaped(asked.why)]
    told: set[str] = set()
    for remedy in (remedy for entry in found for remedy in entry.remedies):
        if remedy["summary"] in told:
            continue
        told.add(remedy["summary"])
        commands = "\n".join(remedy_lines(remedy))
        lines += ["", words("plan") + words("colon") + remedy["summary"], *commands.splitlines()]
        marked += ["", f"**{words('plan')}**{words('colon')}{escaped(remedy['summary'])}"]
        marked += ["", fenced(commands, "")] if commands else []
    if asked.references:
        lines += ["", words("references") + words("colon").rstrip(), *asked.references]
        marked += ["", *(f"- {escaped(reference)}" for reference in asked.references)]
    # Nothing is ever filled into a rule's help, so braces stay as they are: people copy commands from it.
    return {"text": "\n".join(lines) or asked.check, "markdown": "\n".join(marked) or asked.check}


def _result(told: Told, entry: Entry, index: int) -> Json:
    places = [_location(line) for line in entry.evidence]
    same = told.uuid("finding", entry.key)
    parts = [*([answered(entry.waiver)] if entry.waiver else []), *entry.wanted]
    result: Json = {
        "ruleId": entry.check,
        "ruleIndex": index,
        "kind": _KINDS.get(entry.status, "review"),
        "level": _LEVELS.get(entry.severity, "warning") if _KINDS.get(entry.status) == "fail" else "none",
        "message": _message("\n".join([_about(entry), *parts])),
        "locations": places[:1] or [{"physicalLocation": _file(told.report["subject"]["source"])}],
        "correlationGuid": str(same),
        # The second is the only one that GitHub looks at.
        "partialFingerprints": {"passdoctor/v1": same.hex, "primaryLocationLineHash": f"{same.hex[:16]}:1"},
        "properties": {
            "status": entry.status,
            "severity": entry.severity,
            "confidence": entry.confidence,
            "device": entry.device or None,
            "host": told.host if told.named else None,
        },
    }
    if places[1:]:
        result["relatedLocations"] = [{"id": number, **place} for number, place in enumerate(places[1:], 1)]
    if entry.waiver or entry.status == "waived":
        why = {"justification": answered(entry.waiver)} if entry.waiver else {}
        result["suppressions"] = [{"kind": "external", "status": "accepted", **why}]
    return result


def _about(entry: Entry) -> str:
    """What was found, and where; viewers put results together whose texts begin alike."""
    words = Words()
    what = entry.title or entry.check
    what += words("aside", what=entry.device) if entry.device else ""
    return what + (words("colon") + entry.detail if entry.detail else "")


def _location(line: Citation) -> Json:
    physical: Json = _file(line["source"])
    if line["line"]:
        physical["region"] = {"startLine": line["line"], "snippet": {"text": short(line["text"])}}
    place: Json = {"physicalLocation": physical}
    if line["path"]:
        place["logicalLocations"] = [{"fullyQualifiedName": line["path"], "kind": "resource"}]
    if not line["line"] and line["text"]:
        place["message"] = _message(short(line["text"]))
    return place


def _file(name: str) -> Json:
    """A file as a URI: relative ones stay so, to be found beside where the report is read."""
    uri = quote(name or "-", safe="/")
    return {"artifactLocation": {"uri": f"file://{uri}" if uri.startswith("/") else uri}}


def _message(text: str) -> Json:
    return {"text": _literal(text)}


def _literal(text: str) -> str:
    r"""Text of a message in which there is neither a placeholder nor a link (sections 3.11.5 and 3.11.6).

    >>> print(_literal("{0} [a](b)"), _literal("[10de:2203]"))
    {{0}} \[a\](b) [10de:2203]
    """
    text = text.replace("{", "{{").replace("}", "}}")
    return text.replace("[", "\\[").replace("]", "\\]") if "](" in text else text
