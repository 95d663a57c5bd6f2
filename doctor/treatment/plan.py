"""The treatment plan: the remedies of all failed checks merged, for one host.

Order: what is to be edited (each file once), by the first cause that needs it; then the loader's update, the
initramfs, one reboot, by way of the firmware setup if need be, and verification. Nothing here names a
distribution or its commands: `rules/platforms/` does.
"""

from __future__ import annotations

from doctor.say import say, sentences
from doctor.treatment import modules, safe
from doctor.treatment.danger import warn
from doctor.treatment.files import Drafts
from doctor.treatment.kernel import Job, kernel_steps, misplaced
from doctor.treatment.modules import Desk
from doctor.treatment.outcome import by_firmware, make_step, runs, step_of
from doctor.treatment.platforms import choose
from doctor.treatment.proofs import untried
from doctor.treatment.restart import restart
from doctor.treatment.steps import asks_of, gather, ranks, settled
from doctor.treatment.words import grammar, key, merge, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from doctor.diagnosis.finding import Cause, Finding
    from doctor.treatment.platforms import HostFacts, Way, Ways
    from doctor.treatment.result import Plan, Remedy, Step
    from doctor.treatment.steps import Ask

__all__ = ["HostFacts", "make_plan", "remedies_for"]

_NOT_A_REMEDY = frozenset(("reboot", "verify"))
_BOOTED = frozenset(
    (
        "kernel_parameter",
        "bootloader",
        "initramfs",
        "bind_addresses",
        "unload_modules",
        "module_option",
    )
)


def make_plan(
    findings: Sequence[Finding],
    causes: Sequence[Cause],
    facts: HostFacts,
    platforms: Mapping[str, Any],
    optional: bool = True,
) -> Plan:
    """One plan from the remedies of every failed finding; the order of `causes` settles contradictions.

    Without `optional`, what nobody needs is left out.
    """
    asks = [ask for ask in gather(findings, causes) if optional or not ask.optional]
    return _plan(asks, facts, platforms, ranks(findings, causes))


def remedies_for(finding: Finding, facts: HostFacts, platforms: Mapping[str, Any]) -> list[Remedy]:
    """What one failed finding prescribes, as done on this host; nothing for any other status."""
    asks = list(asks_of(finding))
    if not asks:
        return []
    return [
        {"kind": s["kind"], "summary": s["summary"], "commands": s["commands"], "files": s["files"]}
        for s in _plan(asks, facts, platforms, {})["steps"]
        if s["kind"] not in _NOT_A_REMEDY
    ]


def _plan(asks: list[Ask], facts: HostFacts, platforms: Mapping[str, Any], rank: Mapping[str, int]) -> Plan:
    """The plan of some asks, in their order; `rank`: the first cause that needs a check mended."""
    ways = choose(platforms, facts)
    notes: list[str] = []
    drafts = Drafts(facts.evidence)
    asks = _without_contradictions(settled(asks), notes)
    desk = Desk(facts, ways, drafts, notes, [])
    asks = _modules(desk, asks)
    job = _job(asks, desk, platforms)
    steps = _steps(asks, desk, job, platforms, rank)
    if _of(asks, "move_device") and any(step["kind"] == "bind_addresses" for step in steps):
        notes.append(say("Moving a card changes addresses: examine the host again before you bind by address."))
    all_notes = [*ways.notes, *untried(ways, steps), *notes, *job.wish.notes, *misplaced(job)] if asks else []
    # What the plan could not know matters only where it names files or commands of the platform.
    told = any(step["files"] or step["kind"] in _PLATFORMS_OWN for step in steps)
    return {
        "platform": str(ways.data.get("title", ways.stem)),
        "assured": ways.assured or not told,
        "notes": [safe.words(note) for note in dict.fromkeys(all_notes)] if told else [],
        "steps": steps,
        "reboots": sum(step["reboot"] for step in steps),
        "dangers": warn(steps, facts),
    }


def _job(asks: list[Ask], desk: Desk, platforms: Mapping[str, Any]) -> Job:
    """What is asked of the command line, merged."""
    rules = grammar(platforms)
    wish = merge([ask for ask in asks if ask.kind == "kernel_parameter"], rules)
    shows = platforms.get("kernel", {}).get("verify", {})
    return Job(desk.facts, desk.ways.data, wish, rules, shows)


def _steps(asks: list[Ask], desk: Desk, job: Job, platforms: Mapping[str, Any], rank: Mapping[str, int]) -> list[Step]:
    """All steps: edits by cause, then what brings them into effect, and how to verify."""
    facts, ways, drafts = desk.facts, desk.ways, desk.drafts
    edits, updates = _boot(job, ways, asks)
    blocks = _others(asks, ("person", "move_device", "other_hardware"), desk)
    blocks += [[step_of(draft, ways.data)] for draft in drafts]
    blocks += [[step] for step in desk.steps]
    blocks += [edits]
    blocks += _others(asks, ("vm_config", "run"), desk)
    steps = _in_order(blocks, rank) + updates
    steps += _initramfs(ways, drafts, updates, _in_place(asks, drafts, steps))
    needs = [step for step in steps if step["files"] or step["kind"] in _BOOTED]
    settings, cycles = _of(asks, "firmware"), _of(asks, "power_cycle")
    steps += restart(settings, cycles, facts, ways, platforms.get("firmware", {}), needs)
    return steps + _verification(steps, rank)


def _others(asks: list[Ask], kinds: Sequence[str], desk: Desk) -> list[list[Step]]:
    """The steps of these kinds, which change no file."""
    found = [ask for kind in kinds for ask in _of(asks, kind)]
    if not found:
        return []
    from doctor.treatment.others import step_for

    return [[step] for ask in found if (step := step_for(ask, desk.facts, desk.ways))]


_PLATFORMS_OWN = (
    "bootloader",
    "initramfs",
    "kernel_parameter",
    "find_loader",
    "load_modules",
    "bind_addresses",
)


def _of(asks: Sequence[Ask], kind: str) -> list[Ask]:
    """The asks of one kind, each body once."""
    found: list[Ask] = []
    for ask in asks:
        if ask.kind == kind and all(ask.body != other.body for other in found):
            found.append(ask)
    return found


def _without_contradictions(asks: list[Ask], notes: list[str]) -> list[Ask]:
    """Of a module that is to be loaded and not to be loaded, the earlier ask holds."""
    said: dict[Any, Ask] = {}
    kept: list[Ask] = []
    for ask in asks:
        if ask.kind not in ("load_modules", "unload_modules"):
            kept.append(ask)
            continue
        names = list(ask.body) if isinstance(ask.body, (list, tuple)) else [ask.body]
        ours = [name for name in names if said.setdefault(str(name), ask).kind == ask.kind]
        for name in names:
            if name not in ours and safe.fits("module", name):
                holder = said[str(name)].check
                notes.append(
                    say(
                        "{check} and {holder} disagree about the module {name}: {holder} holds.",
                        check=ask.check,
                        holder=holder,
                        name=name,
                    )
                )
        if ours:
            kept.append(ask._replace(body=ours))
    return kept


def _modules(desk: Desk, asks: list[Ask]) -> list[Ask]:
    """Carry out everything about modules. Back come the asks, ids on the command line made one list."""
    typed = [word for ask in asks for word in _typed_ids(ask)]
    ids = [one for word in typed for one in (value(word) or "").split(",")]
    more = modules.bind_ids(desk, [ask for ask in asks if ask.kind == "bind_ids"], ids)
    if more and typed:
        asks = [_with_ids(ask, more[0].body["add"]) for ask in asks]
    modules.bind_addresses(desk, [ask for ask in asks if ask.kind == "bind_addresses"])
    for ask in asks:
        if ask.kind == "softdep" and isinstance(ask.body, dict):
            before = ask.body.get("before", "vfio-pci")
            if desk.sift("module", [before], ask):
                modules.softdep(desk, ask, ask.body.get("drivers") or (), before)
        elif ask.kind == "module_option":
            modules.module_option(desk, ask)
        elif ask.kind == "load_modules":
            modules.load_modules(desk, ask)
        elif ask.kind == "unload_modules":
            modules.unload_modules(desk, ask)
        elif ask.kind == "blacklist":
            from doctor.treatment.lines import blacklist

            blacklist(desk, ask)
        elif ask.kind == "remove_line":
            from doctor.treatment.lines import remove_line

            remove_line(desk, ask)
    return more + asks


def _typed_ids(ask: Ask) -> list[str]:
    """The `vfio-pci.ids=` parameters that an ask adds to the command line."""
    body = ask.body if ask.kind == "kernel_parameter" and isinstance(ask.body, dict) else {}
    adds = body.get("add") if isinstance(body.get("add"), (list, tuple)) else [body.get("add")]
    return [word for word in map(str, adds or ()) if key(word) == "vfio_pci.ids" and safe.fits("parameter", word)]


def _with_ids(ask: Ask, words: list[str]) -> Ask:
    """The ask with its `vfio-pci.ids=` replaced by the list that holds all ids."""
    typed = _typed_ids(ask)
    if not typed:
        return ask
    adds = ask.body["add"] if isinstance(ask.body["add"], (list, tuple)) else [ask.body["add"]]
    return ask._replace(body={**ask.body, "add": [word for word in adds if word not in typed] + words})


def _boot(job: Job, ways: Ways, asks: list[Ask]) -> tuple[list[Step], list[Step]]:
    """The steps that change the command line, and apart from them the loader's updates."""
    applied = _of(asks, "apply_boot_config")
    wants = [*job.asks, *applied]
    if not wants:
        return [], []
    uefi = job.facts.boot.uefi
    edits: list[Step] = []
    updates: list[Step] = []
    for way in ways.loaders:
        made = [_where(way, step) for step in kernel_steps(job, way)]
        edits += made
        mine = {check for step in made for check in step["why"]}
        askers = [*(ask for ask in job.asks if not made or ask.check in mine), *applied]
        apply = by_firmware(way.data.get("apply"), uefi.value if uefi.known else None)
        prefix = say("If {when}: ", when=way.when) if way.when else ""
        present = "" if made else say(": the wanted parameters are configured already")
        told = way.data.get("note") and way.data.get("style") != "text"
        text = say(
            "{prefix}bring the configuration of {title} into effect{present}",
            prefix=prefix,
            title=way.data.get("title", way.loader),
            present=present,
        )
        text += say(". {note}", note=way.data["note"]) if told else ""
        why = sentences(ask.why for ask in applied if ask.why) if made else None
        verify = job.verify()
        if apply or not made:
            done = runs(apply, apply)
            step = make_step(
                "bootloader", text, askers, apply, undo=apply, verify=verify, note=why, change=not made, actions=done
            )
            updates.append(_where(way, step))
    if len(ways.loaders) > 1:
        steps = edits or updates
        mine = {check for step in steps for check in step["why"]}
        askers = [ask for ask in wants if ask.check in mine]
        text = say("Find out which boot loader is in use")
        steps.insert(0, make_step("find_loader", text, askers, ways.tell, change=False))
    return edits, updates


def _where(way: Way, step: Step) -> Step:
    """The step of a loader that may not be the host's: its actions are done where the test of it succeeds."""
    if way.when is None:
        return step
    if way.test is None:
        step["actions"] = [{"op": "by-hand", "text": step["summary"]}]
    for action in step["actions"]:
        if way.test is not None and action["op"] != "by-hand":
            action["test"] = way.test
    return step


def _in_place(asks: list[Ask], drafts: Drafts, steps: list[Step]) -> list[Ask]:
    """The asks for a binding that is configured already, and yet not in effect: no step serves them."""
    served = {part.ask.check for draft in drafts for part in draft.parts}
    served.update(check for step in steps for check in step["why"])
    kinds = ("bind_ids", "bind_addresses", "softdep")
    return [ask for ask in asks if ask.kind in kinds and ask.check not in served]


def _initramfs(ways: Ways, drafts: Drafts, boot_steps: list[Step], idle: list[Ask]) -> list[Step]:
    """One rebuild, if a file that the initramfs holds is changed; none if the loader's update does it.

    `idle` asks for a binding that the files have already: what the initramfs holds of them may be older.
    """
    reads = tuple(ways.tool_data.get("reads", ("etc/modprobe.d/",)))
    touched = [draft for draft in drafts if draft.path.startswith(reads)]
    if not (touched or idle) or (ways.data.get("immutable") and not ways.data.get("rebuild")):
        return []
    own = ways.loaders[0].data.get("rebuild") if len(ways.loaders) == 1 else None
    commands = list(own or ways.data.get("rebuild") or ways.tool_data.get("rebuild", ()))
    applied = [command for step in boot_steps for command in step["commands"]]
    if commands and all(command in applied for command in commands):
        return []
    asks = [*(part.ask for draft in touched for part in draft.parts), *idle]
    unknown = ways.data.get("rebuild_unknown", say("Build the initramfs again, by this system's own tool"))
    text = say("Rebuild the initramfs, which holds copies of these files") if commands else str(unknown)
    if commands and not touched:
        text = say("Rebuild the initramfs: the files are right already, and it may hold older copies of them")
    note = ways.tool_data.get("note")
    undo = list(commands)
    summary = say("{first}. {more}", first=text, more=note) if note and commands else text
    done = runs(commands, commands) or [{"op": "by-hand", "text": safe.words(text)}]
    return [make_step("initramfs", summary, asks, commands, undo=undo, change=False, actions=done)]


def _in_order(blocks: Sequence[list[Step]], rank: Mapping[str, int]) -> list[Step]:
    """Blocks of steps by the first cause that needs them, its optional ones last."""

    def place(block: list[Step]) -> tuple[int, bool]:
        return min(_place(step, rank) for step in block), all(step["optional"] for step in block)

    return [step for block in sorted(filter(None, blocks), key=place) for step in block]


def _place(step: Step, rank: Mapping[str, int]) -> int:
    """The number of the first cause that needs a step."""
    return min((rank.get(check, len(rank)) for check in step["why"]), default=len(rank))


def _verification(steps: list[Step], rank: Mapping[str, int]) -> list[Step]:
    """What shows afterwards that the plan worked: what proves the first cause mended comes first.

    A command that another one narrows down is left out, of the steps as well.
    """
    ordered = sorted(steps, key=lambda step: _place(step, rank))
    every = list(dict.fromkeys(command for step in ordered for command in step["verify"]))
    commands = [one for one in every if not any(other.startswith(one + " ") for other in every)]
    if not commands:
        return []
    for step in steps:
        step["verify"] = [command for command in step["verify"] if command in commands]
    step = make_step("verify", say("Verify, and examine the host again"), (), commands)
    step["why"] = list(dict.fromkeys(check for one in ordered if one["verify"] for check in one["why"]))
    step["optional"] = all(one["optional"] for one in steps if one["verify"])
    return [step]
