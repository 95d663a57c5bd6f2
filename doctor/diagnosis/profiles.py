"""A profile applied to the rules: which are judged, and how severe they are.

>>> rules = [{"id": "acs-override", "severity": [[None, "risk"]], "gate": False, "on_request": False, "references": []}]
>>> soft = {"with": [], "without": [], "only": [], "severity": {"acs-override": "advice"}, "references": {}}
>>> applied(soft, rules)[0]["severity"]
[[None, 'advice']]
>>> applied({**soft, "without": ["acs-override"]}, rules)
[]
"""

from __future__ import annotations

from doctor.diagnosis.diagnose import ESSENTIAL_HOST, ESSENTIAL_TARGET
from doctor.say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFAULT = "passthrough"
Profile = dict[str, "Any"]
Rule = dict[str, "Any"]


def choose(name: str | None, knowledge: dict[str, Any]) -> Profile:
    """The profile called `name`, or that of a file (a name with a slash, or with .yaml at its end).

    Raises `doctor.knowledge.document.KnowledgeError`.
    """
    known: dict[str, Profile] = knowledge["profiles"]
    wanted = name or DEFAULT
    if wanted in known:
        return known[wanted]
    from doctor.knowledge.document import KnowledgeError

    if "/" in wanted or wanted.lower().endswith((".yaml", ".yml")):
        from pathlib import Path

        from doctor.knowledge.profiles import read

        return read(Path(wanted), knowledge["rules"], steady())
    from difflib import get_close_matches

    near = get_close_matches(wanted, known, 1)
    hint = say("did you mean {near}? ", near=near[0]) if near else ""
    raise KnowledgeError(f"no such profile: {wanted}; {hint}there are {', '.join(known)}, or a file of your own")


def steady() -> tuple[str, ...]:
    """The checks that a verdict rests on: no profile leaves them out or softens them."""
    return ESSENTIAL_HOST + ESSENTIAL_TARGET


def applied(profile: Profile, rules: list[Rule]) -> list[Rule]:
    """The rules that are judged under `profile`, in their order, with its severities and references."""
    only, asked, left = profile["only"], profile["with"], profile["without"]
    firm = steady()
    chosen = []
    for rule in rules:
        name = rule["id"]
        if rule["gate"] or name in firm:
            chosen.append(rule)
        elif only:
            chosen += [rule] if name in only or name in asked else []
        elif name not in left and (name in asked or not rule["on_request"]):
            chosen.append(rule)
    if not profile["severity"] and not profile["references"]:
        return chosen
    return [_changed(rule, profile) for rule in chosen]


def _changed(rule: Rule, profile: Profile) -> Rule:
    """A rule with the severity and the references that a profile gives it."""
    change = profile["severity"].get(rule["id"])
    cited = profile["references"].get(rule["id"])
    if change is None and cited is None:
        return rule
    levels = rule["severity"]
    if change is not None:
        levels = [[when, change if isinstance(change, str) else change.get(level, level)] for when, level in levels]
    references = list(dict.fromkeys([*rule["references"], *(cited or ())]))
    return {**rule, "severity": levels, "references": references}


def notes(profile: Profile, rules: list[Rule]) -> tuple[str, ...]:
    """How a report was judged, in words; nothing of the default profile, which changes nothing."""
    if profile["id"] == DEFAULT:
        return ()
    judged = applied(profile, rules)
    names = {rule["id"] for rule in judged}
    before = {rule["id"]: rule["severity"] for rule in rules}
    parts = (
        (say("made besides"), [rule["id"] for rule in judged if rule["on_request"]]),
        (say("left out"), [rule["id"] for rule in rules if rule["id"] not in names and not rule["on_request"]]),
        (say("with another severity"), [rule["id"] for rule in judged if rule["severity"] != before[rule["id"]]]),
    )
    said = say("; ").join(f"{what}{say(': ')}{', '.join(ids)}" for what, ids in parts if ids)
    told = say("Judged by the profile {id}: {title}.", id=profile["id"], title=profile["title"]) + (
        say(" Checks {said}.", said=said) if said else ""
    )
    return (
        told,
        *(
            say("No check sees this, and it matters under {id}: {said}", id=profile["id"], said=text)
            for text in profile["unseen"]
        ),
    )
