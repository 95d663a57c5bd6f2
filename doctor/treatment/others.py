"""Steps that change no file of the host: a guest's configuration, literal commands, what only a person can do."""

from __future__ import annotations

from doctor.say import say
from doctor.treatment import safe
from doctor.treatment.outcome import make_step, runs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from doctor.facts.pci import Device
    from doctor.treatment.platforms import HostFacts, Ways
    from doctor.treatment.result import Action, Step
    from doctor.treatment.steps import Ask


def step_for(ask: Ask, facts: HostFacts, ways: Ways) -> Step | None:
    """The step of an ask of one of these kinds; None if there is nothing to do."""
    if ask.kind == "vm_config":
        return vm_step(ask, ways)
    return run_step(ask) if ask.kind == "run" else by_hand_step(ask, facts)


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
    summary = say("In the configuration of VM {vm}: {said}", vm=vm, said=say("; ").join(said))
    tool = ways.data.get("vm_config")
    if not tool:
        by_hand: Action = {"op": "by-hand", "text": safe.words(summary)}
        return make_step("vm_config", summary, [ask], actions=[by_hand])
    done = [_vm_key(tool, vm, key, value) for key, value in [*good, *((key, None) for key in removes)]]
    show = safe.fill(tool["show"], {"vm": vm})
    undo = "# " + say("put the lines back that {show} showed before (keep its output)", show=show)
    commands = [action["command"] for action in done]
    return make_step("vm_config", summary, [ask], commands, undo=[undo], verify=[show], actions=done)


def _vm_key(tool: Mapping[str, str], vm: str, key: str, value: str | None) -> Action:
    """The action that sets a key of a guest, or takes it away if it is to have no value."""
    held = {"vm": vm, "key": key}
    back = [safe.fill(tool["assign"], {**held, "value": '"$old"'}), safe.fill(tool["remove"], held)]
    command = back[1] if value is None else safe.fill(tool["assign"], {**held, "value": safe.quote(value)})
    show = safe.fill(tool["show"], held)
    named: Action = {"op": "set-vm-key", "vm": vm, "key": key, "value": value}
    return {**named, "show": show, "command": command, "undo": back}


def run_step(ask: Ask) -> Step | None:
    """Literal commands of a rule. What is not one line of plain ASCII is no rule's and is dropped."""
    given = ask.body.get("commands", ()) if isinstance(ask.body, dict) else ()
    commands = [str(one) for one in given if str(one).isascii() and safe.displayable(str(one))]
    if not commands:
        return None
    return make_step("run", "Run " + ", then ".join(commands), [ask], commands, actions=runs(commands))


def by_hand_step(ask: Ask, facts: HostFacts) -> Step | None:
    """What only a person can do: another slot, other hardware, or anything else, in words."""
    if ask.kind == "move_device":
        return _move_step(ask, facts)
    text = ask.body.get("text") if isinstance(ask.body, dict) else ask.body
    return make_step(ask.kind, str(text), [ask])


def _move_step(ask: Ask, facts: HostFacts) -> Step | None:
    """Another place for a device, with the free ports that facts know to isolate what is on them."""
    body = ask.body if isinstance(ask.body, dict) else {}
    devices = safe.sift("address", body.get("devices") or ())[0]
    if not devices and body.get("devices"):
        return None
    what = ", ".join(devices) or say("the card")
    text = say("Move {what} to another slot, best one that is wired to the CPU", what=what)
    free = [address for address in _free_ports(facts) if safe.fits("address", address)]
    note = None
    if free:
        note = say("Nothing is behind these ports, which isolate: {ports}.", ports=", ".join(free))
    return make_step("move_device", text, [ask], note=note)


def _free_ports(facts: HostFacts) -> list[str]:
    """Ports on a root bus with nothing behind them that isolate; none unless all functions of the host are known."""
    pci = facts.pci
    if not pci.complete:
        return []
    devices = pci.all()
    used = {above for device in devices for above in pci.topology.above(device.address)[0]}
    ports = [one for one in devices if one.class_ == "0604" and one.address not in used]
    return [one.address for one in ports if pci.topology.parent(one.address).value is None and _isolates(facts, one)]


def _isolates(facts: HostFacts, port: Device) -> bool:
    return facts.pci.topology.parent(port.address).known and facts.pci.isolates(port).value is True
