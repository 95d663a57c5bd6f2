"""Steps that change no file of the host: firmware, a guest's configuration, literal commands, people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doctor.say import say
from doctor.treatment import safe
from doctor.treatment.outcome import make_step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from doctor.treatment.platforms import HostFacts, Ways
    from doctor.treatment.result import Step
    from doctor.treatment.steps import Ask


def reboot_step(kind: str, text: str, commands: Sequence[str], asks: Sequence[Ask], needs: Sequence[Step]) -> Step:
    """The reboot by which `needs`, the steps before, take effect; `asks` are what is done on its way."""
    step = make_step(
        kind, text, asks, commands, risk=say("Guests and services of this host stop meanwhile."), reboot=True
    )
    step["why"] = list(dict.fromkeys([*step["why"], *(check for one in needs for check in one["why"])]))
    step["optional"] = all(ask.optional for ask in asks) and all(one["optional"] for one in needs)
    return step


def firmware_step(
    asks: Sequence[Ask], facts: HostFacts, ways: Ways, data: Mapping[str, Any], needs: Sequence[Step]
) -> Step | None:
    """All firmware settings in one visit: the names to look for, and the menu path if it is known.

    The visit is the reboot that `needs`, the steps before, wait for as well.
    """
    asked = _asked(asks, data)
    if not asked:
        return None
    vendor = _vendor(facts, data)
    entries = {name: data["settings"][name] for name in asked}
    # A setting that comes with another one is named beside that one, and not explained.
    brief = [name for name in asked if set(entries[name].get("comes_with", ())) & set(asked)]
    held = [ask for ask in asks if any(ask in some for some in asked.values())]
    must = not all(one["optional"] for one in needs) or not all(ask.optional for ask in held)
    said = []
    for name, some in asked.items():
        text = say("set {title} to {set}", title=entries[name]["title"], set=entries[name]["set"])
        text += say(" too, where there is such a setting") if name in brief else ""
        said.append(text + say(" (optional)") if must and all(ask.optional for ask in some) else text)
    uefi = facts.boot.uefi.known and facts.boot.uefi.value is True
    commands = list(ways.data.get("firmware_reboot", ())) if uefi else []
    keys = data.get("vendors", {}).get(vendor, {}).get("key") or data.get("key")
    key = "" if commands else say(" (press {keys} at power-on)", keys=keys)
    text = say("Reboot into the firmware setup{key} and {said}", key=key, said="; ".join(said))
    step = reboot_step("firmware", text, commands or ways.data.get("reboot", ()), held, needs)
    found = [_setting(entries[name], vendor) for name in asked if name not in brief]
    step["note"] = safe.words(" ".join(dict.fromkeys([*found, *([step["note"]] if step["note"] else [])])))
    step["undo"] = ["# set them back in the firmware setup"]
    step["verify"] = list(dict.fromkeys(one for entry in entries.values() for one in entry.get("verify", ())))
    return step


def _asked(asks: Sequence[Ask], data: Mapping[str, Any]) -> dict[str, list[Ask]]:
    """Who asks for which of the settings that the firmware file knows."""
    asked: dict[str, list[Ask]] = {}
    for ask in asks:
        settings = ask.body.get("settings", ()) if isinstance(ask.body, dict) else ()
        for name in settings:
            if safe.fits("setting", name) and name in data.get("settings", {}):
                asked.setdefault(name, []).append(ask)
    return asked


def _vendor(facts: HostFacts, data: Mapping[str, Any]) -> str | None:
    """The key of the board's maker in the firmware file."""
    board = facts.platform.board_vendor
    name = str(board.value).lower() if board.known else ""
    for vendor, entry in data.get("vendors", {}).items():
        if any(name.startswith(word) or f" {word}" in name for word in entry["match"]):
            return str(vendor)
    return None


def _setting(entry: Mapping[str, Any], vendor: str | None) -> str:
    """How one setting is found, in words."""
    names = ", ".join(f'"{name}"' for name in entry["look_for"])
    text = say("{title}: look for {names}", title=entry["title"], names=names)
    path = entry.get("paths", {}).get(vendor)
    if path:
        text += say(" (on boards of this maker usually under {path})", path=path["path"])
    return f"{text}. {entry['note']}" if entry.get("note") else f"{text}."


def vm_step(ask: Ask, ways: Ways) -> Step | None:
    """A guest's configuration, by the platform's tool."""
    body = ask.body if isinstance(ask.body, dict) else {}
    vm = str(body.get("vm"))
    pairs = [(key, str(value)) for key, value in (body.get("set") or {}).items()]
    good = [(k, v) for k, v in pairs if safe.fits("vm_key", k) and safe.fits("value", v)]
    removes = safe.sift("vm_key", body.get("remove") or ())[0]
    if not safe.fits("vm", vm) or not (good or removes):
        return None
    said = [say("set {key}: {value}", key=key, value=value) for key, value in good] + [
        say("remove {key}", key=key) for key in removes
    ]
    commands: list[str] = []
    if (ways.data.get("vm_config") or {}).get("tool") == "qm":
        commands = [f"qm set {vm} --{key} {safe.quote(value)}" for key, value in good]
        commands += [f"qm set {vm} --delete {','.join(removes)}"] if removes else []
    undo = [f"# put the lines back that qm config {vm} showed before (keep its output)"] if commands else []
    verify = [f"qm config {vm}"] if commands else []
    summary = say("In the configuration of VM {vm}: {said}", vm=vm, said="; ".join(said))
    return make_step("vm_config", summary, [ask], commands, undo=undo, verify=verify)


def run_step(ask: Ask) -> Step | None:
    """Literal commands of a rule. What is not one line of plain ASCII is no rule's and is dropped."""
    given = ask.body.get("commands", ()) if isinstance(ask.body, dict) else ()
    commands = [str(one) for one in given if str(one).isascii() and safe.displayable(str(one))]
    if not commands:
        return None
    return make_step("run", "Run " + ", then ".join(commands), [ask], commands)


def person_step(ask: Ask) -> Step:
    """What only a person can do, in words."""
    text = ask.body.get("text") if isinstance(ask.body, dict) else ask.body
    return make_step("person", str(text), [ask])
