"""`passdoctor explain` and `passdoctor rules list`: the rule book in words."""

from __future__ import annotations

from difflib import get_close_matches
from textwrap import fill, indent
from typing import Any

from doctor.knowledge.store import PROGRAMS, load

_SCOPES = {
    "host": "the host",
    "target": "each device that is meant for a guest",
    "event": "each device that a log line names",
}


def listing(extra: str | None = None) -> str:
    """All checks, a line each: id, severity, scope, title."""
    rules = load(extra)["rules"]
    width = max(len(rule["id"]) for rule in rules)
    return "\n".join(
        f"{rule['id']:{width}}  {_severity(rule):8}  {rule['scope']:6}  {rule['title']}"
        + (" (on request of a profile)" if rule["on_request"] else "")
        for rule in rules
    )


def profiles(extra: str | None = None) -> str:
    """All profiles: name, title, who should take it."""
    known = load(extra)["profiles"]
    return "\n\n".join(
        f"{profile['id']}: {profile['title']}\n{indent(fill(profile['for'], 88), '  ')}" for profile in known.values()
    )


def explain(check: str, extra: str | None = None) -> str:
    """What `check` asks, why, how it is judged, its remedies and references.

    Raises KnowledgeError for a check that does not exist, with the nearest one.
    """
    rules = {rule["id"]: rule for rule in load(extra)["rules"]}
    if check not in rules:
        from doctor.knowledge.compile import KnowledgeError

        near = get_close_matches(check, rules, 1)
        raise KnowledgeError(
            f"no such check: {check}" + (f"; did you mean {near[0]}?" if near else "; see: passdoctor rules list")
        )
    rule = rules[check]
    parts = [
        f"{rule['id']}: {rule['title']}",
        _section("Asks about", _SCOPES[rule["scope"]] + f". Severity: {_severity(rule)}." + _on_request(rule, extra)),
        _section("Why", rule["why"]),
        "How it is judged\n" + _judged(rule),
        _section(
            "A failure here can follow from",
            ", ".join(_link(rule, name) for name in rule["after"]) or "nothing else: it is a cause of its own",
        ),
        "What each result says\n" + "\n".join(_details(rule)),
        "Remedies\n" + ("\n".join(_remedies(rule)) or "  none of its own: the cause's remedy is enough"),
        "References\n" + "\n".join("  " + text for text in rule["references"]),
    ]
    return "\n\n".join(parts)


def _section(title: str, text: str) -> str:
    return f"{title}\n{indent(fill(text, 88), '  ')}"


def _on_request(rule: dict[str, Any], extra: str | None) -> str:
    """Which profiles ask for a rule that is made on request only."""
    if not rule["on_request"]:
        return ""
    asking = [one["id"] for one in load(extra)["profiles"].values() if rule["id"] in (*one["with"], *one["only"])]
    return f" Made only under a profile that asks for it ({', '.join(asking) or 'none of the built-in ones'})."


def _severity(rule: dict[str, Any]) -> str:
    """The severity, or the worst of those that depend on the case."""
    values = [value for _, value in rule["severity"]]
    return next(level for level in ("blocker", "risk", "advice") if level in values)


def _judged(rule: dict[str, Any]) -> str:
    """The conditions in words close to the rule's own."""
    lines = _versions(rule)
    if rule["when"] is not None:
        lines.append(f"  applies when   {words(rule['when'])}")
    if rule["events"]:
        lines.append(f"  fails on       log lines: {', '.join(rule['events'])}")
    if rule["fail"] is not None:
        lines.append(f"  fails when     {words(rule['fail'])}")
    if rule["pass"] is not None:
        lines.append(f"  passes when    {words(rule['pass'])}")
    rest = "not applicable" if rule["kind"] == "symptom" else "unknown"
    lines.append(f"  otherwise      {rest}")
    return "\n".join(lines)


def _link(rule: dict[str, Any], name: str) -> str:
    """A check that can explain a failure, and when."""
    return f"{name} (when {words(rule['after_when'][name])})" if name in rule["after_when"] else name


def _versions(rule: dict[str, Any]) -> list[str]:
    """The versions that a rule speaks of. They are hints, so it says what beats them."""
    lines: list[str] = []
    for program, side, limit, why in rule["versions"]:
        head = "  speaks of      " if not lines else " " * 17
        name = f"{PROGRAMS[program]} {'.'.join(map(str, limit))} and later"
        if side == "until":
            name = f"{PROGRAMS[program]} before {'.'.join(map(str, limit))}"
        lines.append(fill(head + name + (f": {why}" if why else ""), 88, subsequent_indent=" " * 17))
    if lines:
        lines.append(" " * 17 + "(a hint: what is seen directly counts on any version)")
    return lines


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
    headings = {"fail, as its heading": rule["problem"]} if len(rule["problem"]) > 1 else {}
    for status, choices in {**headings, **rule["detail"]}.items():
        for condition, parts in choices:
            head = f"{status}" + (f" (when {words(condition)})" if condition is not None else "")
            lines.append(indent(fill(f"{head}: {_text(parts)}", 88, subsequent_indent="  "), "  "))
    return lines


def _remedies(rule: dict[str, Any]) -> list[str]:
    lines = []
    for entry in rule["remedy"]:
        condition = f" (when {words(entry['when'])})" if entry["when"] is not None else ""
        for kind, value in entry["step"].items():
            if kind not in ("why", "optional", "otherwise", "risk"):
                lines.append(
                    indent(
                        fill(
                            f"{kind.replace('_', ' ')}{condition}: {_value(value)}",
                            88,
                            subsequent_indent="  ",
                        ),
                        "  ",
                    )
                )
    return lines


def _value(value: Any) -> str:
    if isinstance(value, dict):
        if set(value) == {"text"}:
            return _text(value["text"])
        return "; ".join(f"{key} {_value(item)}" for key, item in value.items() if item)
    if isinstance(value, list):
        return ", ".join(_value(item) for item in value)
    return str(value)
