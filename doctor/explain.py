"""`passdoctor explain` and `passdoctor rules list`: the rule book in words, in the language that is spoken.

`known` is the compiled knowledge in that language. Conditions stay as rules have them.
"""

from __future__ import annotations

from difflib import get_close_matches

from rich.cells import cell_len, set_cell_size

from doctor.knowledge.store import PROGRAMS
from doctor.report.wide import folded
from doctor.say import say, sentences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SCOPES = {
    "host": "the host.",
    "target": "each device that is meant for a guest.",
    "event": "each device that a log line names.",
}


_WIDTH = 90


def listing(known: dict[str, Any]) -> str:
    """All checks, a line each: id, severity, scope, title."""
    rules = known["rules"]
    width = max(len(rule["id"]) for rule in rules)
    severities = {level: say(level) for level in ("blocker", "risk", "advice")}
    wide = max(map(cell_len, severities.values()))
    return "\n".join(
        f"{rule['id']:{width}}  {set_cell_size(severities[_severity(rule)], wide)}  {rule['scope']:6}  {rule['title']}"
        + (say(" (on request of a profile)") if rule["on_request"] else "")
        for rule in rules
    )


def profiles(known: dict[str, Any]) -> str:
    """All profiles: name, title, who should take it."""
    colon = say(": ")
    return "\n\n".join(
        f"{profile['id']}{colon}{profile['title']}\n{_fill(profile['for'])}" for profile in known["profiles"].values()
    )


def explain(check: str, known: dict[str, Any]) -> str:
    """What `check` asks, why, how it is judged, its remedies and references.

    Raises KnowledgeError for a check that does not exist, with the nearest one.
    """
    rules = {rule["id"]: rule for rule in known["rules"]}
    if check not in rules:
        from doctor.knowledge.document import KnowledgeError

        near = get_close_matches(check, rules, 1)
        raise KnowledgeError(
            f"no such check: {check}" + (f"; did you mean {near[0]}?" if near else "; see: passdoctor rules list")
        )
    rule = rules[check]
    parts = [
        f"{rule['id']}{say(': ')}{rule['title']}",
        _section(say("Asks about"), sentences(_asked(rule, known))),
        _section(say("Why"), rule["why"]),
        say("How it is judged") + "\n" + "\n".join(_judged(rule)),
        _section(
            say("A failure here can follow from"),
            say(", ").join(_link(rule, name) for name in rule["after"])
            or say("nothing else: it is a cause of its own"),
        ),
        say("What each result says") + "\n" + "\n".join(_details(rule)),
        say("Remedies") + "\n" + ("\n".join(_remedies(rule)) or "  " + say("none of its own: the cause's is enough")),
        say("References") + "\n" + "\n".join("  " + text for text in rule["references"]),
    ]
    return "\n\n".join(parts)


def _fill(text: str, first: str = "  ", then: str = "  ") -> str:
    """A text in lines of a readable length."""
    lines = folded(text, _WIDTH - len(then))
    return "\n".join((then if at else first) + line for at, line in enumerate(lines))


def _section(title: str, text: str) -> str:
    return f"{title}\n{_fill(text)}"


def _asked(rule: dict[str, Any], known: dict[str, Any]) -> list[str]:
    """What a rule is asked of, how severe a failure is, and which profiles ask for one that is made on request only."""
    told = [say(scope) for name, scope in _SCOPES.items() if name == rule["scope"]]
    told.append(say("Severity: {severity}.", severity=say(_severity(rule))))
    if rule["on_request"]:
        asking = [one["id"] for one in known["profiles"].values() if rule["id"] in (*one["with"], *one["only"])]
        names = say(", ").join(asking) or say("none of the built-in ones")
        told.append(say("Made only under a profile that asks for it ({profiles}).", profiles=names))
    return told


def _severity(rule: dict[str, Any]) -> str:
    """The severity, or the worst of those that depend on the case."""
    values = [value for _, value in rule["severity"]]
    return next(level for level in ("blocker", "risk", "advice") if level in values)


def _judged(rule: dict[str, Any]) -> list[str]:
    """The conditions, in words close to the rule's own."""
    rows = _versions(rule)
    if rule["when"] is not None:
        rows.append((say("applies when"), words(rule["when"])))
    if rule["events"]:
        rows.append((say("fails on"), say("log lines: {names}", names=", ".join(rule["events"]))))
    if rule["fail"] is not None:
        rows.append((say("fails when"), words(rule["fail"])))
    if rule["pass"] is not None:
        rows.append((say("passes when"), words(rule["pass"])))
    rows.append((say("otherwise"), say("not applicable") if rule["kind"] == "symptom" else say("unknown")))
    width = max(13, *(cell_len(head) for head, _ in rows))
    return [_fill(text, f"  {set_cell_size(head, width)}  ", " " * (width + 4)) for head, text in rows]


def _link(rule: dict[str, Any], name: str) -> str:
    """A check that can explain a failure, and when."""
    if name not in rule["after_when"]:
        return name
    return say("{name} (when {condition})", name=name, condition=words(rule["after_when"][name]))


def _versions(rule: dict[str, Any]) -> list[tuple[str, str]]:
    """The versions that a rule speaks of. They are hints, so it says what beats them."""
    rows: list[tuple[str, str]] = []
    for program, side, limit, why in rule["versions"]:
        version = ".".join(map(str, limit))
        if side == "until":
            name = say("{program} before {version}", program=PROGRAMS[program], version=version)
        else:
            name = say("{program} {version} and later", program=PROGRAMS[program], version=version)
        rows.append((say("speaks of") if not rows else "", name + (say(": ") + why if why else "")))
    if rows:
        rows.append(("", say("(a hint: what is seen directly counts on any version)")))
    return rows


def words(node: list[Any]) -> str:
    """A lowered expression as a person would write it.

    >>> words(["and", ["get", "a", "b"], ["not", ["get", "c"]]])
    'a.b and not c'
    """
    name, rest = node[0], node[1:]
    if name == "get":
        return ".".join(rest)
    if name == "const":
        return repr(rest[0])
    if name in ("and", "or"):
        return f" {name} ".join(
            f"({words(part)})" if part[0] in ("and", "or") and part[0] != name else words(part) for part in rest
        )
    if name == "not":
        return f"not {words(rest[0])}"
    if name in ("known", "unknown", "seen"):
        return f"{words(rest[0])} is {name}"
    if name == "compare":
        return f"{words(rest[1])} {rest[0]} {words(rest[2])}"
    if name in ("every", "some"):
        return f"for {'every' if name == 'every' else 'some'} {rest[0]} of {words(rest[1])}: {words(rest[2])}"
    if name == "list":
        return "[" + ", ".join(words(part) for part in rest) + "]"
    if name == "if":
        return f"{words(rest[1])} if {words(rest[0])} else {words(rest[2])}"
    return f"{words(rest[0])} | {name}"


def _text(parts: list[Any]) -> str:
    """A lowered text with its holes shown as <names>."""
    return "".join(part if isinstance(part, str) else f"<{words(part)}>" for part in parts)


def _details(rule: dict[str, Any]) -> list[str]:
    lines = []
    headings = {"": rule["problem"]} if len(rule["problem"]) > 1 else {}
    for status, choices in {**headings, **rule["detail"]}.items():
        for condition, parts in choices:
            head = status or say("fail, as its heading")
            if condition is not None:
                head = say("{name} (when {condition})", name=head, condition=words(condition))
            lines.append(_fill(head + say(": ") + _text(parts), "  ", "    "))
    return lines


def _remedies(rule: dict[str, Any]) -> list[str]:
    lines = []
    for entry in rule["remedy"]:
        for kind, value in entry["step"].items():
            if kind not in ("why", "optional", "otherwise", "risk"):
                head = kind.replace("_", " ")
                if entry["when"] is not None:
                    head = say("{name} (when {condition})", name=head, condition=words(entry["when"]))
                lines.append(_fill(head + say(": ") + _value(value), "  ", "    "))
    return lines


def _value(value: Any) -> str:
    if isinstance(value, dict):
        if set(value) == {"text"}:
            return _text(value["text"])
        return "; ".join(f"{key} {_value(item)}" for key, item in value.items() if item)
    if isinstance(value, list):
        return ", ".join(_value(item) for item in value)
    return str(value)
