"""Runs the cases that stand beside the rules: given evidence, expected status. The gate of `make check`.

A case: `given` (evidence path to text; a path that ends in a slash is a listing), `paste` (a text as somebody
posts it) or `sample` (a machine of `samples/`, with `changes`: path to new text, null to remove it), `device` (as
--device takes it), `complete: true` (all that exists is given), and `expect` (a status), `severity`, `says` (words
of the finding's text), `remedy` (kinds of steps, {kind: words of the step}, or {kind: the step}), `cause` (the first
cause's check; another check's failure must explain this one), `beside` (a check that fails and does not explain it).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from doctor.diagnosis.diagnose import causes, depths
from doctor.diagnosis.engine import run
from doctor.diagnosis.finding import Finding, Target
from doctor.diagnosis.targets import UnknownDevice, find
from doctor.evidence.open import open_input
from doctor.evidence.paste import open_paste
from doctor.evidence.types import Evidence, InputError, Piece
from doctor.facts.host import Host
from doctor.knowledge.compile import rule_files, rules_in
from doctor.knowledge.document import KnowledgeError
from doctor.knowledge.store import rules_folder
from doctor.record import NamedTuple
from doctor.treatment.steps import KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


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
    """The evidence that a case gives. Raises KnowledgeError for a sample that is not there."""
    body = case.body
    if "paste" in body:
        return open_paste(str(body["paste"]).encode(), "case")
    if "sample" in body:
        return _changed(_sample(str(body["sample"]), case.path), body.get("changes") or {})
    pieces = [_piece(path, text) for path, text in (body.get("given") or {}).items()]
    return Evidence("case", "case", pieces, complete=bool(body.get("complete")))


def _piece(path: str, text: Any) -> Piece:
    return Piece(path, str(text).rstrip("\n"), f"case:{path}", 1, "lspci -nnk" if "lspci" in path else None)


def _sample(name: str, path: Path) -> Evidence:
    """The sample called `name`: of the project's, or of a folder `samples` beside the file of the rule."""
    for folder in (rules_folder().parent / "samples", path.resolve().parent / "samples"):
        for place in (folder / name, folder / f"{name}.tar.gz", folder / f"{name}.txt"):
            if place.is_file() and place.resolve().is_relative_to(folder.resolve()):
                try:
                    return open_input(str(place))
                except InputError as error:
                    raise KnowledgeError(str(error)) from None
    raise KnowledgeError(f"no such sample: {name}")


def _changed(evidence: Evidence, changes: dict[str, Any]) -> Evidence:
    """A sample's evidence with some paths replaced or removed; of a folder (`/` at its end) all below it goes."""
    unknown = [path for path, text in changes.items() if text is None and not _below(evidence, path)]
    if unknown:
        raise KnowledgeError(f"the sample has no {', '.join(unknown)} that could be removed")
    gone = {path for path, text in changes.items() if text is not None}
    gone.update(one for path, text in changes.items() if text is None for one in _below(evidence, path))
    pieces = [piece for path in evidence.paths() for piece in evidence.states(path) if path not in gone]
    pieces += [_piece(path, text) for path, text in changes.items() if text is not None]
    return Evidence(evidence.kind, evidence.source, pieces, evidence.collected_at, evidence.complete, evidence.notes)


def _below(evidence: Evidence, path: str) -> list[str]:
    return [one for one in evidence.paths() if one == path or (path.endswith("/") and one.startswith(path))]


class Judged(NamedTuple):
    """A case with its evidence read: what all rules find in it."""

    case: Case
    host: Host
    targets: list[Target]
    findings: list[Finding]


def prepare(case: Case, knowledge: dict[str, Any]) -> Judged:
    """Reads a case and judges it by all rules that hold without being asked for. Raises KnowledgeError."""
    host = Host(evidence_of(case), knowledge)
    device = case.body.get("device")
    try:
        targets = find(host, (str(device),) if device else ())
    except UnknownDevice as error:
        raise KnowledgeError(str(error)) from None
    # What is made on request only is no part of the others' cases.
    rules = [rule for rule in knowledge["rules"] if not rule["on_request"] or rule["id"] == case.rule["id"]]
    return Judged(case, host, targets, run(host, rules, targets))


def judge(case: Case, knowledge: dict[str, Any]) -> list[str]:
    """What is wrong with a case; empty if it holds."""
    try:
        return wrong(prepare(case, knowledge), knowledge)
    except KnowledgeError as error:
        return [str(error)]


def wrong(judged: Judged, knowledge: dict[str, Any]) -> list[str]:
    """What is wrong with a case that was judged."""
    case, findings = judged.case, judged.findings
    own = [found for found in findings if found.check == case.rule["id"]]
    expected = case.body.get("expect")
    if not own and expected != "not-applicable":
        return [f"no finding of {case.rule['id']}; expected {expected}"]
    matching = [found for found in own if found.status == expected]
    if own and not matching:
        return [f"expected {expected}, found {', '.join(found.status for found in own)} ({own[0].detail})"]
    return _particulars(case, matching, findings, knowledge)


def _particulars(case: Case, matching: list[Finding], findings: list[Finding], knowledge: dict[str, Any]) -> list[str]:
    """Severity, text, remedies and first cause, where the case states them."""
    wrong = []
    severity, says, remedy = (case.body.get(key) for key in ("severity", "says", "remedy"))
    problem = case.body.get("problem")
    if severity and not any(found.severity == severity for found in matching):
        wrong.append(f"expected severity {severity}, found {matching[0].severity if matching else 'none'}")
    if says and not any(" ".join(says.split()) in found.detail for found in matching):
        wrong.append(f"expected the words {says!r}, found {matching[0].detail if matching else 'none'!r}")
    if problem and not any(problem in found.title for found in matching):
        wrong.append(f"expected the heading {problem!r}, found {matching[0].title if matching else 'none'!r}")
    if remedy is not None and matching and not any(_prescribes(found, remedy) for found in matching):
        wrong.append(f"expected remedies {remedy}, found {[_kind(step) for step in matching[0].remedy]}")
    return wrong + _causes(case, matching, findings, knowledge)


def _causes(case: Case, matching: list[Finding], findings: list[Finding], knowledge: dict[str, Any]) -> list[str]:
    """The first cause, and what fails beside it, where the case states them."""
    wrong = []
    cause, beside = case.body.get("cause"), case.body.get("beside")
    found = causes(findings, depths(knowledge["rules"])) if cause or beside else []
    first = found[0] if found else None
    if cause and (first is None or first.finding.check != cause):
        wrong.append(f"expected first cause {cause}, found {first.finding.check if first else 'none'}")
    elif cause and first and cause != case.rule["id"] and not any(one in first.explains for one in matching):
        wrong.append(f"expected to be explained by {cause}, which explains no such finding")
    if beside and not any(one.finding.check == beside for one in found):
        wrong.append(f"expected the cause {beside} beside it, found {', '.join(one.finding.check for one in found)}")
    if any(own in one.explains for one in found if one.finding.check == beside for own in matching):
        wrong.append(f"expected that {beside} does not explain it")
    return wrong


def _prescribes(found: Finding, remedy: list[Any]) -> bool:
    """Whether a finding's steps are those, in this order: kinds, {kind: words in the step}, or {kind: the step}."""
    wanted = [next(iter(one.items())) if isinstance(one, dict) else (one, "") for one in remedy]
    kinds = [_kind(step) for step in found.remedy]
    return kinds == [kind for kind, _ in wanted] and all(
        said in " ".join(_words(step)) if isinstance(said, str) else said == step[kind]
        for (kind, said), step in zip(wanted, found.remedy, strict=True)
    )


def _kind(step: dict[str, Any]) -> str:
    return next((key for key in step if key in KINDS), "none")


def _words(value: Any) -> Iterator[str]:
    """Every text in a step, its kind's keys too."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _words(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _words(item)
    else:
        yield str(value)


def missing(rule: dict[str, Any]) -> list[str]:
    """The statuses that a rule declares and no case shows, and the other way round."""
    declared = set(rule.get("statuses") or ())
    shown = {str(case.get("expect")) for case in rule.get("cases") or ()}
    return [f"no case for {status}" for status in sorted(declared - shown)] + [
        f"a case for {status}, which the rule does not declare" for status in sorted(shown - declared)
    ]
