"""Whole lines of modprobe.d that come or go: a module's blacklisting, and what is in the way.

Source of the ways: modprobe.d(5).
"""

from __future__ import annotations

from doctor.facts.modprobe import plain
from doctor.say import say
from doctor.treatment import safe
from doctor.treatment.files import Part, is_current
from doctor.treatment.outcome import verify_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doctor.facts.modprobe import Entry
    from doctor.treatment.modules import Desk
    from doctor.treatment.steps import Ask

_DIRECTIVES = ("blacklist", "install", "options", "softdep")


def _modules(desk: Desk, ask: Ask) -> list[str]:
    given = ask.body.get("modules") if isinstance(ask.body, dict) else None
    return desk.sift("module", given if isinstance(given, (list, tuple)) else (given,), ask) if given else []


def blacklist(desk: Desk, ask: Ask) -> None:
    """Have no device load these modules; what is blacklisted already stays as it is."""
    known = [entry.module for entry in desk.facts.modprobe.of("blacklist")]
    names = [name for name in _modules(desk, ask) if plain(name) not in known]
    if not names:
        return
    draft = desk.drafts.at(str(desk.ways.data.get("modprobe_file")))
    for name in names:
        draft.add(f"blacklist {name}")
        verify = verify_of(desk.ways.data, "blacklist", {"module": plain(name)})
        draft.parts.append(Part("blacklist", say("load {name} for no device", name=name), ask, verify))


def remove_line(desk: Desk, ask: Ask) -> None:
    """Take out the lines that say something of these modules; in words where none was seen."""
    directive = ask.body.get("directive") if isinstance(ask.body, dict) else None
    if directive not in _DIRECTIVES:
        return
    for name in _modules(desk, ask):
        held = desk.facts.modprobe.of(directive, name)
        current = [entry for entry in held if is_current(desk.facts.evidence, entry.piece)]
        for entry in current:
            _drop(desk, ask, entry, name)
        if not current and desk.facts.modprobe.entries.complete is False:
            text = say("Take out the line `{directive} {name}`, which was not seen", directive=directive, name=name)
            desk.tell("remove_line", [ask], text, f"grep -rsw {name} /etc/modprobe.d/ /lib/modprobe.d/")


def _drop(desk: Desk, ask: Ask, entry: Entry, name: str) -> None:
    """Drop one line of a file whose name can be written."""
    if not safe.fits("path", entry.source.path):
        desk.notes.append(say("A line of modprobe.d stands in a file whose name has unexpected characters."))
        return
    draft = desk.drafts.of(entry.piece)
    said = say("take out the line `{directive} {name}`", directive=entry.kind, name=name)
    verify = verify_of(desk.ways.data, "remove_line", {"module": plain(name)})
    draft.parts.append(Part("remove_line", said, ask, verify))
    draft.replace(entry.at, None, entry.span)
