"""The one restart of a plan: a plain reboot, one by way of the firmware setup, or with the power off in between.

Which maker's menu paths hold, and what a setting is called, is `rules/platforms/firmware.yaml`.
"""

from __future__ import annotations

from doctor.say import say, sentences
from doctor.treatment import safe
from doctor.treatment.outcome import make_step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

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


def restart(
    settings: Sequence[Ask],
    cycles: Sequence[Ask],
    facts: HostFacts,
    ways: Ways,
    data: Mapping[str, Any],
    needs: Sequence[Step],
) -> list[Step]:
    """The restart that `settings` (firmware) and `cycles` (power off) ask for, or that `needs`, the steps before, wait
    for; none if nobody does. data: the file of firmware settings.
    """
    asked = _asked(settings, data)
    if not asked and not cycles:
        return [reboot_step("reboot", say("Reboot once"), ways.data.get("reboot", ()), (), needs)] if needs else []
    vendor = maker(facts, data) if asked else None
    held = [*cycles, *(ask for ask in settings if any(ask in some for some in asked.values()))]
    must = not all(one["optional"] for one in needs) or not all(ask.optional for ask in held)
    said = _wanted(asked, data, must)
    if cycles:
        text = say("Shut down, take the machine off the mains for half a minute (a restart is not enough), start it")
        text += _mark(cycles, must)
        text += say(", press {keys} and {said}", keys=_keys(vendor, data), said=say("; ").join(said)) if said else ""
        commands = list(ways.data.get("poweroff", ()))
    else:
        uefi = facts.boot.uefi.known and facts.boot.uefi.value is True
        setup = list(ways.data.get("firmware_reboot", ())) if uefi else []
        key = "" if setup else say(" (press {keys} at power-on)", keys=_keys(vendor, data))
        text = say("Reboot into the firmware setup{key} and {said}", key=key, said=say("; ").join(said))
        commands = setup or list(ways.data.get("reboot", ()))
    step = reboot_step("firmware" if asked else "power_cycle", text, commands, held, needs)
    if asked:
        _explain(step, asked, data, vendor)
    return [step]


def _wanted(asked: Mapping[str, Sequence[Ask]], data: Mapping[str, Any], must: bool) -> list[str]:
    """Each setting and its value, in words."""
    said = []
    for name, some in asked.items():
        entry = data["settings"][name]
        text = say("set {title} to {set}", title=entry["title"], set=entry["set"])
        text += say(" too, where there is such a setting") if _brief(name, asked, data) else ""
        said.append(text + _mark(some, must))
    return said


def _mark(asks: Sequence[Ask], must: bool) -> str:
    """The word that `asks` can be left out, in a step that cannot."""
    return say(" (optional)") if must and all(ask.optional for ask in asks) else ""


def _keys(vendor: str | None, data: Mapping[str, Any]) -> Any:
    return data.get("vendors", {}).get(vendor, {}).get("key") or data.get("key")


def _brief(name: str, asked: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    """Whether a setting comes with another one of `asked`: it is named beside that one, and not explained."""
    return bool(set(data["settings"][name].get("comes_with", ())) & set(asked))


def _explain(step: Step, asked: Mapping[str, Any], data: Mapping[str, Any], vendor: str | None) -> None:
    """Puts into the step where the settings are found, and how to see that they took effect."""
    entries = {name: data["settings"][name] for name in asked}
    found = [_setting(entry, vendor) for name, entry in entries.items() if not _brief(name, asked, data)]
    step["note"] = safe.words(sentences(dict.fromkeys([*found, *([step["note"]] if step["note"] else [])])))
    step["undo"] = ["# " + say("set them back in the firmware setup")]
    step["verify"] = list(dict.fromkeys(one for entry in entries.values() for one in entry.get("verify", ())))


def _asked(asks: Sequence[Ask], data: Mapping[str, Any]) -> dict[str, list[Ask]]:
    """Who asks for which of the settings that the firmware file knows."""
    asked: dict[str, list[Ask]] = {}
    for ask in asks:
        settings = ask.body.get("settings", ()) if isinstance(ask.body, dict) else ()
        for name in settings:
            if safe.fits("setting", name) and name in data.get("settings", {}):
                asked.setdefault(name, []).append(ask)
    return asked


def maker(facts: HostFacts, data: Mapping[str, Any]) -> str | None:
    """The first of the firmware file's makers whose words, and whose product's words, DMI shows; None for others."""
    known = facts.firmware
    told = (facts.platform.board_vendor, known.board_vendor, known.system_vendor)
    makers = [str(one.value).lower() for one in told if one.known and one.value]
    shown = (*told, known.board, known.system, known.system_version, known.system_family)
    product = " ".join(str(one.value).lower() for one in shown if one.known and one.value)
    for vendor, entry in data.get("vendors", {}).items():
        fits = any(name.startswith(word) or f" {word}" in name for word in entry["match"] for name in makers)
        if fits and ("product" not in entry or any(word in product for word in entry["product"])):
            return str(vendor)
    return None


def _setting(entry: Mapping[str, Any], vendor: str | None) -> str:
    """How one setting is found, in words."""
    names = ", ".join(f'"{name}"' for name in entry["look_for"])
    text = say("{title}: look for {names}", title=entry["title"], names=names)
    path = entry.get("paths", {}).get(vendor)
    if path and path.get("confidence") == "low":
        text += say(" (perhaps under {path}; it may be elsewhere)", path=path["path"])
    elif path:
        text += say(" (on boards of this maker usually under {path})", path=path["path"])
    return say("{first}. {more}", first=text, more=entry["note"]) if entry.get("note") else say("{first}.", first=text)
