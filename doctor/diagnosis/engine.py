"""Evaluates the compiled rules over a host's facts. It contains no knowledge of any single check."""

from __future__ import annotations

from doctor.diagnosis import finding as f
from doctor.diagnosis.evaluate import evaluate, fill, fill_value, truth
from doctor.diagnosis.finding import Finding, Target
from doctor.facts.fact import Fact
from doctor.facts.given import Given
from doctor.facts.target import TargetFacts
from doctor.later import opened
from doctor.say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from doctor.facts.host import Host

Rule = dict[str, "Any"]


class HostScope(dict[str, "Any"]):
    """The names that a rule sees: groups of facts, each read when it is first asked for."""

    def __init__(self, host: Host) -> None:
        """`host` supplies what is not in the mapping yet."""
        super().__init__()
        self.host = host

    def __missing__(self, name: str) -> Any:
        return self.host.lookup(name)

    def bind(self, name: str, item: Any) -> HostScope:
        """A scope with one more name."""
        child = HostScope(self.host)
        child.update(self)
        child[name] = item
        return child

    def get(self, name: str, default: Any = None) -> Any:
        """The group of facts `name`."""
        return self[name] if name in self else self.host.lookup(name)


def run(host: Host, rules: list[Rule], targets: list[Target]) -> list[Finding]:
    """The findings of all `rules`, in their order. A gate that fails makes every other rule not applicable."""
    gates = [rule for rule in rules if rule["gate"]]
    findings = [found for rule in gates for found in _host_rule(host, rule, [])]
    closed = any(found.status == f.FAIL for found in findings)
    facts = _target_facts(host, targets)
    for rule in rules:
        if rule["gate"]:
            continue
        if closed:
            findings.append(
                _finding(
                    rule,
                    None,
                    f.NOT_APPLICABLE,
                    HostScope(host),
                    Fact(None),
                    say("This machine cannot be judged from here."),
                )
            )
        else:
            findings += _judge(host, rule, facts)
    return findings


def _target_facts(host: Host, targets: list[Target]) -> list[TargetFacts]:
    known = {target.address: target.managed for target in targets}
    along = frozenset(target.address for target in targets if not target.weak)
    return [TargetFacts(host, t.address, t.because, t.managed, known, along, t.undecided) for t in targets]


def _judge(host: Host, rule: Rule, targets: list[TargetFacts]) -> list[Finding]:
    """A rule's findings by its scope. A device that only an event names is judged by that event's rule alone."""
    if rule["scope"] == "host":
        return _host_rule(host, rule, targets)
    named = _named(host, rule)
    if rule["scope"] == "event":
        return _event_rule(host, rule, named)
    known = {target.address: target for target in targets}
    findings = [_one(rule, address, _scope(host, address, known, named.pop(address, None))) for address in known]
    findings += [_one(rule, at, _scope(host, at, known, event)) for at, event in named.items() if at is not None]
    if None in named:
        # It is of some target, unless one of them fails as badly already.
        unnamed = _one(rule, None, _scope(host, None, known, named[None]))
        rank = f.SEVERITIES.index
        if not any(one.status == f.FAIL and rank(one.severity) <= rank(unnamed.severity) for one in findings):
            findings.append(unnamed)
    return findings


def _named(host: Host, rule: Rule) -> dict[str | None, Any]:
    """The first event of the rule's for each device that its events name; None for those that name none."""
    chosen: dict[str | None, Any] = {}
    for name in rule["events"]:
        for event in host.log.all(name):
            if rule["where"] is not None and truth(evaluate(rule["where"], _with(host, event=event))) is not True:
                continue
            named = event.lookup("device")
            chosen.setdefault(named.value if isinstance(named, Fact) else None, event)
    return chosen


def _scope(host: Host, device: str | None, known: dict[str, TargetFacts], event: Any) -> HostScope:
    """The names for one device: the device with what stands around it, and the event that names it."""
    target = known.get(device or "")
    if target is None and device is not None:
        managed = {address: facts.managed for address, facts in known.items()}
        target = TargetFacts(host, device, say("a log line names it"), False, managed)
    return _with(host, target=target, event=event)


def _host_rule(host: Host, rule: Rule, targets: list[TargetFacts]) -> list[Finding]:
    return [_one(rule, None, _with(host, given=Given(targets)))]


def _event_rule(host: Host, rule: Rule, chosen: dict[str | None, Any]) -> list[Finding]:
    """One finding for each device that the rule's events name; without an event, one for the host."""
    if not chosen:
        scope = HostScope(host)
        passed = evaluate(rule["pass"], scope) if rule["pass"] is not None else Fact(False)
        status = f.PASS if truth(passed) is True else f.NOT_APPLICABLE
        return [_finding(rule, None, status, scope, passed)]
    if len(chosen) > 1:
        chosen.pop(None, None)
    return [_one(rule, device, _scope(host, device, {}, event)) for device, event in chosen.items()]


def _with(host: Host, **names: Any) -> HostScope:
    scope = HostScope(host)
    scope.update(names)
    return scope


def _one(rule: Rule, device: str | None, scope: HostScope) -> Finding:
    """The finding of a rule in a scope. An event in it is a symptom: the rule fails by it, unless it says more."""
    event = dict.get(scope, "event")
    symptom = Fact(True, (event.source,)) if event is not None else None
    if rule["when"] is not None and symptom is None:
        applies = evaluate(rule["when"], scope)
        held = truth(applies)
        if held is False:
            return _finding(rule, device, f.NOT_APPLICABLE, scope, applies)
        if held is None:
            status = f.UNKNOWN if rule["kind"] == "state" else f.NOT_APPLICABLE
            return _finding(rule, device, status, scope, applies)
    fails = evaluate(rule["fail"], scope) if rule["fail"] is not None and not _settles(rule, symptom) else symptom
    if fails is not None and truth(fails) is True:
        return _finding(rule, device, f.FAIL, scope, _joined(fails, symptom))
    passes = evaluate(rule["pass"], scope) if rule["pass"] is not None else Fact(False)
    value = truth(passes)
    if value is True:
        return _finding(rule, device, f.PASS, scope, passes)
    if rule["kind"] == "symptom":
        return _finding(rule, device, f.NOT_APPLICABLE, scope, fails or passes)
    if value is False and fails is None:
        return _finding(rule, device, f.FAIL, scope, passes)
    missing = passes if fails is None else fails._replace(wanted=tuple(dict.fromkeys(fails.wanted + passes.wanted)))
    return _finding(rule, device, f.UNKNOWN, scope, missing)


def _settles(rule: Rule, symptom: Fact | None) -> bool:
    """Whether an event alone makes the rule fail: in a rule for targets it does."""
    return symptom is not None and rule["scope"] == "target"


def _joined(fails: Fact, symptom: Fact | None) -> Fact:
    """What fails, with the event's own line first."""
    if symptom is None or fails is symptom:
        return fails
    return fails._replace(sources=tuple(dict.fromkeys(symptom.sources + fails.sources)))


def _choose(choices: list[Any], scope: HostScope) -> Any:
    """The first of [condition, value] whose condition is true or that has none."""
    for condition, value in choices:
        if condition is None or truth(evaluate(condition, scope)) is True:
            return value
    return None


def _finding(
    rule: Rule, device: str | None, status: str, scope: HostScope, fact: Fact, detail: str | None = None
) -> Finding:
    """The finding with its texts filled in."""
    hint = _hint(rule, status, scope)
    if hint and (status == f.UNKNOWN or (fact.weak and dict.get(scope, "event") is None)):
        status, detail, hint = f.NOT_APPLICABLE, hint, ""
    if detail is None:
        parts = _choose(rule["detail"].get(status) or [], scope)
        detail = fill(parts, scope) if parts else ""
    if hint:
        detail = f"{detail} {hint}".lstrip()
    remedy = tuple(_remedies(rule, scope)) if status == f.FAIL else ()
    wanted = tuple(rule["wanted"]) or fact.wanted
    return Finding(
        check=rule["id"],
        device=device,
        status=status,
        severity=_choose(rule["severity"], scope) or "advice",
        weak=bool(fact.weak),
        title=fill(_choose(opened(rule["problem"]), scope) or [], scope) if status == f.FAIL else rule["title"],
        detail=detail,
        why=rule["why"],
        sources=fact.sources[:8] if status in (f.PASS, f.FAIL) or status == f.UNKNOWN else (),
        wanted=wanted if status == f.UNKNOWN else (),
        remedy=remedy,
        references=tuple(rule["references"]),
        after=_after(rule, scope) if status == f.FAIL else (),
    )


def _after(rule: Rule, scope: HostScope) -> tuple[str, ...]:
    """The checks whose failure explains this one, as things stand on this host."""
    conditions = opened(rule["after_when"])
    return tuple(
        name for name in rule["after"] if name not in conditions or truth(evaluate(conditions[name], scope)) is True
    )


def _hint(rule: Rule, status: str, scope: HostScope) -> str:
    """What the host's version has to say of a failure or of an open question: `since` and `until` are hints."""
    if not rule["versions"] or status not in (f.FAIL, f.UNKNOWN):
        return ""
    from doctor.diagnosis.versions import outside

    return outside(rule["versions"], scope.host)


def _remedies(rule: Rule, scope: HostScope) -> list[dict[str, Any]]:
    """The structured steps whose conditions hold, their texts filled in; `else: true` after none held.

    `number` is the place of each among the rule's.
    """
    chosen: list[dict[str, Any]] = []
    for number, entry in enumerate(opened(rule["remedy"])):
        if entry["when"] is not None and truth(evaluate(entry["when"], scope)) is not True:
            continue
        step = dict(entry["step"])
        if step.pop("otherwise", False) and chosen:
            continue
        chosen.append({**_filled(step, scope), "number": number})
    return chosen


def _filled(value: Any, scope: HostScope) -> Any:
    """A structure with every marked text in it filled; a list inside a list is spliced in."""
    if isinstance(value, dict):
        if set(value) == {"text"} and isinstance(value["text"], list):
            return fill_value(value["text"], scope)
        return {key: _filled(item, scope) for key, item in value.items()}
    if isinstance(value, list):
        result: list[Any] = []
        for item in value:
            filled = _filled(item, scope)
            result += filled if isinstance(filled, list) else [filled]
        return result
    return value
