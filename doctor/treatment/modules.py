"""Modules: what is loaded at boot, their options, and the binding of devices to vfio-pci.

Everything lands in drafts of files, so that a file that several checks touch is edited once.
Source of the ways: modprobe.d(5); linux Documentation/ABI/testing/sysfs-bus-pci (driver_override).
"""

from __future__ import annotations

import re

from doctor.facts.modprobe import ids as effective_ids
from doctor.facts.modprobe import plain
from doctor.later import later
from doctor.record import NamedTuple
from doctor.say import say
from doctor.treatment import safe
from doctor.treatment.files import Draft, Drafts, Part, is_current
from doctor.treatment.outcome import make_step, verify_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from doctor.facts.modprobe import Entry, Load
    from doctor.treatment.platforms import HostFacts, Ways
    from doctor.treatment.result import Action, Step
    from doctor.treatment.steps import Ask

_PLACES = "/etc/modules /etc/modules-load.d /etc/initramfs-tools/modules /etc/mkinitcpio.conf /etc/dracut.conf.d"
_ADDRESS = later(r"[0-9a-f]{4,6}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", re.ASCII)
_ARRAY = later(r"(\s*[A-Za-z_]+\+?=)([(\"'])([^)\"'#]*)([)\"'])(.*)", re.ASCII)


class Desk(NamedTuple):
    """What the carrying out of module steps works on.

    `notes` collects what was left out, `steps` what is told in words because no file can be named for it.
    """

    facts: HostFacts
    ways: Ways
    drafts: Drafts
    notes: list[str]
    steps: list[Step]

    def tell(self, kind: str, asks: Sequence[Ask], text: str, *commands: str) -> None:
        """A step in words."""
        immutable = self.ways.data.get("immutable")
        summary = say("{first}. {more}", first=text, more=immutable) if immutable else text
        self.steps.append(make_step(kind, summary, asks, [] if immutable else commands))

    def sift(self, kind: str, values: Iterable[Any], ask: Ask) -> list[str]:
        """The values that fit their kind; a note if some do not."""
        good, bad = safe.sift(kind, values)
        if bad:
            self.notes.append(
                say(
                    "{check} names {bad} value(s) of an unexpected form ({kind}): left out.",
                    check=ask.check,
                    bad=bad,
                    kind=kind,
                )
            )
        return good


def load_modules(desk: Desk, ask: Ask, early: bool = False) -> None:
    """Have modules loaded at boot, by the list that is in use already or by the platform's file."""
    body = ask.body if isinstance(ask.body, (list, tuple)) else [ask.body]
    names = desk.sift("module", body, ask)
    missing = [name for name in names if not _listed(desk, name, "initramfs" if early else "boot")]
    if early:
        _load_early(desk, ask, missing)
        return
    if not missing:
        return
    draft = desk.drafts.at(_list_in_use(desk) or str(desk.ways.data.get("modules_file")))
    for name in missing:
        draft.add(name)
    verify = verify_of(desk.ways.data, "load_modules")
    draft.parts.append(Part("load_modules", say("load {missing} at boot", missing=", ".join(missing)), ask, verify))


def _listed(desk: Desk, name: str, when: str) -> bool:
    return any(load.module == plain(name) and load.when == when for load in desk.facts.modprobe.loads)


def _list_in_use(desk: Desk) -> str | None:
    """The list of modules that names vfio already, so that its lines stay together."""
    for load in desk.facts.modprobe.loads:
        if load.when == "boot" and load.module.startswith("vfio") and load.source.path.startswith("etc/"):
            return str(load.source.path) if safe.fits("path", load.source.path) else None
    return None


def _load_early(desk: Desk, ask: Ask, names: list[str]) -> None:
    """Have modules loaded from the initramfs, in the way of its tool, and what that needs beside them."""
    early = desk.ways.tool_data.get("early")
    if not early:
        if names:
            said = say("Have {names} loaded from the initramfs, by its own tool", names=", ".join(names))
            desk.tell("load_modules", [ask], said)
        return
    draft = desk.drafts.at(str(early["file"]))
    beside = [str(line) for line in early.get("beside", ()) if line not in draft.lines]
    if not (names or beside):
        return
    if names:
        summary = say("load {names} from the initramfs, before the drivers of the host", names=", ".join(names))
    else:
        summary = say("have the initramfs hold what they need")
    draft.parts.append(Part("load_modules", summary, ask))
    if names and early["style"] == "lines":
        for name in names:
            draft.add(name)
    elif names and early["style"] == "variable":
        draft.add(f'{early["variable"]}+=" {" ".join(names)} "')
    elif names:
        _into_array(draft, str(early["variable"]), names)
    for line in beside:
        draft.add(line)


def _into_array(draft: Draft, variable: str, names: list[str]) -> None:
    """Put modules at the front of `VARIABLE=(…)`; in words if that line was not seen or is not plain."""
    for at, text in enumerate(draft.lines):
        current = draft.line(at) if at in draft.replaced else text
        if current is None or not current.lstrip().startswith((f"{variable}=", f"{variable}+=")):
            continue
        found = _ARRAY.fullmatch(current)
        words = found.group(3).split() if found else []
        if found and safe.comment_tail(found.group(5)) and all(safe.fits("module", word) for word in words):
            new = [*names, *(word for word in words if plain(word) not in map(plain, names))]
            draft.replace(at, f"{found.group(1)}{found.group(2)}{' '.join(new)}{found.group(4)}{found.group(5)}")
        else:
            told = say("put {names} first into {variable}", names=" ".join(names), variable=variable)
            draft.tell(told, text, _array_edit(draft, variable, names))
        return
    told = say(
        "put {names} first into {variable}=(…), whose present line was not seen",
        names=" ".join(names),
        variable=variable,
    )
    draft.tell(told, edit=_array_edit(draft, variable, names))


def _array_edit(draft: Draft, variable: str, names: list[str]) -> Action:
    """The same for programs."""
    words = ["^" + name for name in names]
    return {"op": "edit-words", "path": "/" + draft.path, "style": "array", "name": variable, "words": words}


def unload_modules(desk: Desk, ask: Ask) -> None:
    """Take modules out of every list that names them."""
    body = ask.body if isinstance(ask.body, (list, tuple)) else [ask.body]
    names = desk.sift("module", body, ask)
    for name in names:
        held = [load for load in desk.facts.modprobe.loads if load.module == plain(name)]
        current = [load for load in held if is_current(desk.facts.evidence, load.piece)]
        for load in current:
            _unload(desk, ask, load, name)
        if not current:
            text = say("Take {name} out of every list of modules; the list that names it was not seen", name=name)
            desk.tell("unload_modules", [ask], text, f"grep -rsw {name} {_PLACES}")


def _unload(desk: Desk, ask: Ask, load: Load, name: str) -> None:
    path = load.source.path
    if not safe.fits("path", path):
        desk.notes.append(say("{name} is named by a file whose name has unexpected characters.", name=name))
        return
    draft = desk.drafts.of(load.piece)
    verify = verify_of(desk.ways.data, "unload_modules")
    draft.parts.append(Part("unload_modules", say("no longer load {name}", name=name), ask, verify))
    current = draft.line(load.at)
    if load.list is None:
        draft.replace(load.at, None)
    elif current is not None:
        found = _ARRAY.fullmatch(current)
        words = found.group(3).split() if found else []
        if found and safe.comment_tail(found.group(5)) and all(safe.fits("module", word) for word in words):
            kept = " ".join(word for word in words if plain(word) != plain(name))
            pad = " " if found.group(2) != "(" and found.group(3).startswith(" ") else ""
            value = f"{pad}{kept}{pad}" if kept else ""
            draft.replace(load.at, f"{found.group(1)}{found.group(2)}{value}{found.group(4)}{found.group(5)}")
        else:
            draft.tell(say("take {name} out of {list}", name=name, list=load.list), current)


def module_option(desk: Desk, ask: Ask) -> None:
    """Set or remove options of a module, in the lines that hold them."""
    body = ask.body if isinstance(ask.body, dict) else {}
    module = desk.sift("module", [body.get("module")], ask)
    wanted = {
        name: str(value)
        for name, value in (body.get("set") or {}).items()
        if desk.sift("option", [name], ask) and desk.sift("value", [str(value)], ask)
    }
    removes = desk.sift("option", body.get("remove") or (), ask)
    if not module or not (wanted or removes):
        return
    open_ = dict(wanted)
    entries = desk.facts.modprobe.of("options", module[0])
    current = [entry for entry in entries if is_current(desk.facts.evidence, entry.piece)]
    for entry in current:
        _rewrite_options(desk, ask, entry, open_, removes)
    if open_:
        draft = desk.drafts.at(str(desk.ways.data.get("modprobe_file")))
        draft.add(f"options {module[0]} {' '.join(f'{name}={value}' for name, value in open_.items())}")
        said = ", ".join(f"{name}={value}" for name, value in open_.items())
        draft.parts.append(
            _option_part(
                desk, ask, say("set {said} for {module}", said=said, module=module[0]), module[0], next(iter(open_))
            )
        )
    elif removes and not current:
        text = say(
            "Remove {removes} of {module} where it is set; that place was not seen",
            removes=", ".join(removes),
            module=module[0],
        )
        desk.tell("module_option", [ask], text, f"grep -rs {module[0]} /etc/modprobe.d/")


def _option_part(desk: Desk, ask: Ask, summary: str, module: str, option: str) -> Part:
    values = {"module": plain(module), "option": plain(option)}
    return Part("module_option", summary, ask, verify_of(desk.ways.data, "module_option", values))


def _rewrite_options(desk: Desk, ask: Ask, entry: Entry, wanted: dict[str, str], removes: list[str]) -> None:
    """One options line after the wish. What it settles is taken out of `wanted`."""
    before = _current_words(desk, entry)
    words: list[str] = []
    for word in before:
        name = plain(word.partition("=")[0])
        replaced = next((one for one in wanted if plain(one) == name), None)
        if replaced is not None:
            words.append(f"{replaced}={wanted.pop(replaced)}")
        elif name not in map(plain, removes):
            words.append(word)
    if words == before:
        return
    names = [word.partition("=")[0] for word in before if word not in words]
    shown = [name for name in names if safe.fits("option", name)] or [say("an option")]
    options = ", ".join(shown)
    if len(words) < len(before):
        said = say("remove {options} of {module}", options=options, module=entry.module)
    else:
        said = say("change {options} of {module}", options=options, module=entry.module)
    put(desk, entry, words, [_option_part(desk, ask, said, entry.module, shown[0])])


def _current_words(desk: Desk, entry: Entry) -> list[str]:
    """The words of a line as the plan has it by now: an earlier step may have changed it already."""
    now = desk.drafts.of(entry.piece).line(entry.at) if entry.span == 1 else None
    return now.split()[2:] if now is not None else list(entry.words)


def put(desk: Desk, entry: Entry, words: list[str], parts: Sequence[Part]) -> None:
    """Write a modprobe.d line anew, or tell it if something on it is not plain."""
    if not safe.fits("path", entry.source.path):
        desk.notes.append(say("A line of modprobe.d stands in a file whose name has unexpected characters."))
        return
    draft = desk.drafts.of(entry.piece)
    draft.parts += parts
    name = entry.text.split()[1]
    if not words:
        draft.replace(entry.at, None, entry.span)
    elif safe.fits("module", name) and all(safe.fits("value", word) for word in words):
        draft.replace(entry.at, f"{entry.kind} {name} {' '.join(words)}", entry.span)
    else:
        new = [word for word in words if safe.fits("value", word) and word not in entry.words]
        draft.tell(
            say("in its present {kind} line: {new}", kind=entry.kind, new=" ".join(new) or parts[0].summary), entry.text
        )


def softdep(desk: Desk, ask: Ask, drivers: Iterable[Any], before: str = "vfio-pci") -> None:
    """Have `before` loaded ahead of host drivers; built-in drivers are not reached by it."""
    names = desk.ways.data.get("driver_modules", {})
    late = [
        driver
        for driver in desk.sift("module", [names.get(one, one) for one in drivers], ask)
        if plain(before) not in desk.facts.modprobe.softdeps(driver) and plain(driver) != plain(before)
    ]
    if late:
        draft = desk.drafts.at(str(desk.ways.data.get("modprobe_file")))
        for driver in late:
            draft.add(f"softdep {driver} pre: {before}")
        verify = verify_of(desk.ways.data, "softdep")
        draft.parts.append(
            Part("softdep", say("load {before} before {late}", before=before, late=", ".join(late)), ask, verify)
        )


def bind_ids(desk: Desk, asks: Sequence[Ask], typed: Sequence[str] = ()) -> list[Ask]:
    """Bind all devices of some ids to vfio-pci. Hands back kernel parameters, where they are the way.

    `typed` are ids that another check has put on the command line, which then outranks modprobe.d.
    """
    wanted = [(ask, desk.sift("ids", _field(ask, "ids"), ask)) for ask in asks]
    new = [*typed, *(one for _, some in wanted for one in some)]
    if not any(some for _, some in wanted):
        return []
    builtin = desk.ways.vfio_builtin(desk.facts)
    configured = desk.facts.boot.configured
    on_line = effective_ids(desk.facts.modprobe, configured, builtin=True) if configured.known else None
    by_parameter = builtin or bool(typed) or bool(on_line and on_line.value)
    present = on_line if by_parameter and on_line else effective_ids(desk.facts.modprobe, ())
    have = [one.text for one in present.value] if present.known else []
    union = [one for one in dict.fromkeys([*have, *new]) if safe.fits("id_entry", one)]
    if not by_parameter:
        _ids_line(desk, wanted, union)
    if not builtin:  # what is built in claims its devices before any module is loaded
        for ask in asks:
            softdep(desk, ask, _field(ask, "drivers"))
        if desk.ways.tool_data.get("early_for_ids"):
            load_modules(desk, asks[0]._replace(body=desk.ways.data.get("early_modules", ())), early=True)
    if by_parameter:
        body = {"add": [f"vfio-pci.ids={','.join(union)}"]}
        return [ask._replace(kind="kernel_parameter", body=body) for ask in asks]
    return []


def _field(ask: Ask, name: str) -> Sequence[Any]:
    """A list in the body of an ask; one value alone counts as a list."""
    given = ask.body.get(name) if isinstance(ask.body, dict) else None
    return given if isinstance(given, (list, tuple)) else () if given is None else (given,)


def _ids_line(desk: Desk, wanted: Sequence[tuple[Ask, list[str]]], union: list[str]) -> None:
    """The `options vfio-pci ids=` line, in place of the one that holds now."""
    parts = [
        Part(
            "bind_ids",
            say("bind {ids} to vfio-pci", ids=", ".join(ids)),
            ask,
            tuple(v for one in ids for v in verify_of(desk.ways.data, "bind_ids", {"ids": one})),
        )
        for ask, ids in wanted
        if ids
    ]
    for entry in reversed(desk.facts.modprobe.of("options", "vfio-pci")):
        words = _current_words(desk, entry)
        held = [at for at, word in enumerate(words) if word.startswith("ids=")]
        if held and is_current(desk.facts.evidence, entry.piece):
            new = [word for at, word in enumerate(words) if at not in held or at == held[-1]]
            new = [f"ids={','.join(union)}" if word.startswith("ids=") else word for word in new]
            if new != words:
                put(desk, entry, new, parts)
            return
    draft = desk.drafts.at(str(desk.ways.data.get("modprobe_file")))
    draft.add(f"options vfio-pci ids={','.join(union)}")
    draft.parts += parts


def bind_addresses(desk: Desk, asks: Sequence[Ask]) -> None:
    """Bind exact functions to vfio-pci before another driver can take them."""
    wanted = [(ask, desk.sift("address", _field(ask, "addresses"), ask)) for ask in asks]
    new = list(dict.fromkeys(one for _, some in wanted for one in some))
    if not new:
        return
    how = desk.ways.tool_data.get("bind_addresses")
    if not how:
        text = say("Have the driver_override of {new} set to vfio-pci before the drivers load", new=", ".join(new))
        if not desk.ways.data.get("immutable"):
            text += say(", by driverctl(8) for instance; the initramfs tool is not known")
        commands = [f"driverctl set-override {address} vfio-pci" for address in new]
        desk.tell("bind_addresses", asks, text, *commands)
        return
    parts = []
    for ask, some in wanted:
        slots = dict.fromkeys(address.rpartition(".")[0] for address in some)
        verify = tuple(v for s in slots for v in verify_of(desk.ways.data, "bind_addresses", {"slot": s}))
        parts.append(
            Part("bind_addresses", say("bind {some} to vfio-pci, by address", some=", ".join(some)), ask, verify)
        )
    (_install_line if "line" in how else _script)(desk, how, new, parts)
    for ask in () if how.get("before_drivers") else asks:
        softdep(desk, ask, _field(ask, "drivers"))
    if how.get("early"):
        load_modules(desk, asks[0]._replace(body=desk.ways.data.get("early_modules", ())), early=True)


def _install_line(desk: Desk, how: Any, addresses: list[str], parts: list[Part]) -> None:
    """One `install vfio-pci` line; an earlier one of this kind is extended, any other one is left alone."""
    for entry in desk.facts.modprobe.of("install", "vfio-pci"):
        if not is_current(desk.facts.evidence, entry.piece):
            continue
        known = list(dict.fromkeys([*_ADDRESS.findall(entry.text), *addresses]))
        text = safe.fill(how["line"], {"addresses": " ".join(known)})
        same_kind = entry.text.split(" in ")[0] == text.split(" in ")[0] and "driver_override" in entry.text
        draft = desk.drafts.of(entry.piece)
        draft.parts += parts
        if same_kind and safe.fits("path", entry.source.path):
            draft.replace(entry.at, text, entry.span)
        else:
            draft.tell(say("an install line for vfio-pci is there already: name these addresses there"), entry.text)
        return
    draft = desk.drafts.at(str(desk.ways.data.get("modprobe_file")))
    draft.add(safe.fill(how["line"], {"addresses": " ".join(addresses)}))
    draft.parts += parts


def _script(desk: Desk, how: Any, addresses: list[str], parts: list[Part]) -> None:
    """A script of its own; the addresses of the present one and of earlier asks stay in it."""
    draft = desk.drafts.at(str(how["file"]))
    present = draft.added or draft.lines
    known = [one for line in present for one in _ADDRESS.findall(line)]
    text = safe.fill(str(how["text"]), {"addresses": " ".join(dict.fromkeys([*known, *addresses]))})
    draft.replaced = {0: (len(draft.lines), None)} if draft.lines else {}
    draft.added = text.rstrip("\n").split("\n")
    draft.mode = str(how["mode"])
    draft.parts += parts
