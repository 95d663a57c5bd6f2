"""How a step of the plan is put together, whatever its kind."""

from __future__ import annotations

from doctor.say import say, sentences
from doctor.treatment import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from doctor.treatment.files import Draft
    from doctor.treatment.result import Action, FileChange, Step
    from doctor.treatment.steps import Ask


def make_step(
    kind: str,
    summary: str,
    asks: Iterable[Ask] = (),
    commands: Sequence[str] = (),
    files: Sequence[FileChange] = (),
    undo: Sequence[str] = (),
    verify: Sequence[str] = (),
    risk: str | None = None,
    reboot: bool = False,
    note: str | None = None,
    change: bool = True,
    actions: Sequence[Action] = (),
) -> Step:
    """A step; it is optional if everybody who asks for it calls it so.

    What its askers say of their change, its reason and risk, is told where the change is made, not by the
    steps that bring it into effect (`change` False).
    """
    held = list(asks)
    carried = held if change else []
    notes = list(dict.fromkeys([*(ask.why for ask in carried if ask.why), *([note] if note else [])]))
    risks = [ask.risk for ask in carried if ask.risk] + ([risk] if risk else [])
    return {
        "kind": kind,
        "summary": safe.words(summary[:1].upper() + summary[1:]),
        "note": safe.words(sentences(notes)) if notes else None,
        "why": list(dict.fromkeys(ask.check for ask in held)),
        "commands": list(commands),
        "files": list(files),
        "reboot": reboot,
        "optional": bool(held) and all(ask.optional for ask in held),
        "risk": safe.words(sentences(dict.fromkeys(risks))) if risks else None,
        "undo": list(undo),
        "verify": list(dict.fromkeys(verify)),
        "actions": list(actions),
    }


def runs(commands: Sequence[str], undo: Sequence[str] = ()) -> list[Action]:
    """The actions of commands that are typed as they stand; `undo` takes the last of them back."""
    found: list[Action] = [{"op": "run", "command": command, "undo": []} for command in commands]
    if found:
        found[-1]["undo"] = list(undo)
    return found


def step_of(draft: Draft, data: Mapping[str, Any], prefix: str = "") -> Step:
    """The step that makes the changes of one file, on the platform that `data` describes.

    On a system whose files are written by a tool of its own, the lines are told and not written.
    """
    asks = [part.ask for part in draft.parts]
    askers: dict[str, list[Ask]] = {}
    for part in draft.parts:
        askers.setdefault(part.summary, []).append(part.ask)
    mixed = not all(ask.optional for ask in asks)
    said = [
        text + say(" (optional)") if mixed and all(ask.optional for ask in held) else text
        for text, held in askers.items()
    ]
    told = list(dict.fromkeys([*said, *draft.told]))
    summary = say("; ").join(told)
    kind = draft.parts[0].kind if draft.parts else "file"
    verify = [command for part in draft.parts for command in part.verify]
    immutable = data.get("immutable")
    if immutable:
        lines = "; ".join(draft.added)
        more = f"{immutable}{say(': ')}{lines}" if lines else str(immutable)
        told_only = prefix + say("{first}. {more}", first=summary, more=more)
        return make_step(
            kind, told_only, asks, verify=verify, actions=[{"op": "by-hand", "text": safe.words(told_only)}]
        )
    change = draft.change()
    if draft.emptied:
        summary = say(
            "{summary}: delete the file {path}, which holds nothing else", summary=summary, path=change["path"]
        )
    else:
        path = change["path"]
        some = say("{summary}, in {path}", summary=summary, path=path)
        summary = some if len(told) < 2 else say("in {path}: {summary}", summary=summary, path=path)
    commands = draft.commands(str(data.get("editor", "nano")))
    summary = prefix + summary
    actions = draft.actions()
    return make_step(kind, summary, asks, commands, [change], draft.undo(), verify, note=draft.how, actions=actions)


def by_firmware(given: Any, uefi: bool | None) -> list[str]:
    """Commands that a platform file gives as a list, or apart for UEFI, BIOS and the unknown case."""
    if isinstance(given, dict):
        return list(given.get("unknown" if uefi is None else "uefi" if uefi else "bios", ()))
    return list(given or ())


def verify_of(data: Mapping[str, Any], kind: str, values: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The commands by which the platform shows that a step of this kind worked."""
    return tuple(safe.fill(command, values or {}) for command in data.get("verify", {}).get(kind, ()))
