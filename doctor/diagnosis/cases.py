"""Runs the cases that stand beside the rules: given evidence, expected status. The gate of `make check`.

A case: `given` (evidence path to text; a path that ends in a slash is a listing) or `paste` (a text as
somebody posts it), `device` (as --device takes it), `complete: true` (all that exists is given), and
`expect` (a status), `severity`, `remedy` (kinds of steps), `cause` (the first cause's check).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from doctor.diagnosis.diagnose import causes, depths
from doctor.diagnosis.engine import run
from doctor.diagnosis.finding import Finding
from doctor.diagnosis.targets import find
from doctor.evidence.paste import open_paste
from doctor.evidence.types import Evidence, Piece
from doctor.facts.host import Host
from doctor.knowledge.compile import rule_files, rules_in


class Case(NamedTuple):
    """One case of a rule, and where it stands."""

    rule: dict[str, Any]
    number: int
    path: Path
    body: dict[str, Any]

    @property
    def label(self) -> str:
        """How the case is called in a test's output."""
        return f"{self.rule['id']}-{self.number}-{self.body.get('expect')}"


def all_cases(folder: Path) -> Iterator[Case]:
    """Every case of every rule in `folder` (or of one file)."""
    for path in rule_files(folder):
        for rule in rules_in(path):
            for number, body in enumerate(rule.get("cases") or (), 1):
                yield Case(rule, number, path, body)


def evidence_of(case: Case) -> Evidence:
    """The evidence that a case gives."""
    body = case.body
    if "paste" in body:
        return open_paste(str(body["paste"]).encode(), "case")
    pieces = []
    for path, text in (body.get("given") or {}).items():
        pieces.append(Piece(path, str(text).rstrip("\n"), f"case:{path}", 1, "lspci -nnk" if "lspci" in path else None))
    return Evidence("case", "case", pieces, complete=bool(body.get("complete")))


def judge(case: Case, knowledge: dict[str, Any]) -> list[str]:
    """What is wrong with a case; empty if it holds."""
    host = Host(evidence_of(case), knowledge)
    device = case.body.get("device")
    targets = find(host, (str(device),) if device else ())
    findings = run(host, knowledge["rules"], targets)
    own = [found for found in findings if found.check == case.rule["id"]]
    expected = case.body.get("expect")
    if not own and expected != "not-applicable":
        return [f"no finding of {case.rule['id']}; expected {expected}"]
    matching = [found for found in own if found.status == expected]
    if own and not matching:
        return [f"expected {expected}, found {', '.join(found.status for found in own)} ({own[0].detail})"]
    return _particulars(case, matching, findings, knowledge)


def _particulars(case: Case, matching: list[Finding], findings: list[Finding], knowledge: dict[str, Any]) -> list[str]:
    """Severity, remedies and first cause, where the case states them."""
    wrong = []
    severity, remedy, cause = (case.body.get(key) for key in ("severity", "remedy", "cause"))
    if severity and not any(found.severity == severity for found in matching):
        wrong.append(f"expected severity {severity}, found {matching[0].severity if matching else 'none'}")
    if remedy is not None and matching:
        kinds = [next(key for key in step if key not in ("why", "optional", "risk")) for step in matching[0].remedy]
        if kinds != remedy:
            wrong.append(f"expected remedies {remedy}, found {kinds}")
    if cause:
        first = [found.finding.check for found in causes(findings, depths(knowledge["rules"]))][:1]
        if first != [cause]:
            wrong.append(f"expected first cause {cause}, found {first}")
    return wrong


def missing(rule: dict[str, Any]) -> list[str]:
    """The statuses that a rule declares and no case shows, and the other way round."""
    declared = set(rule.get("statuses") or ())
    shown = {str(case.get("expect")) for case in rule.get("cases") or ()}
    return [f"no case for {status}" for status in sorted(declared - shown)] + [
        f"a case for {status}, which the rule does not declare" for status in sorted(shown - declared)
    ]
