"""Which steps of a plan take from the host what it cannot do without: its display, network or disk.

What a step takes is read from what it writes: ids and addresses for vfio-pci and pci-stub, and modules that it
blacklists, that were not there before. What the host needs is `doctor/facts/needs.py`. Where that is not known
(no mounts, no routes in the evidence), silence proves nothing.
"""

from __future__ import annotations

import re

from doctor.later import later
from doctor.record import NamedTuple
from doctor.say import say, sentences
from doctor.treatment import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from doctor.facts.needs import Need
    from doctor.treatment.platforms import HostFacts
    from doctor.treatment.result import Step

_IDS = later(r"\bids=([0-9a-fA-F:,]{4,4000})", re.ASCII)
_ADDRESS = later(r"(?<![\w.:])[0-9a-f]{4,6}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7](?![\w.:])", re.ASCII)
_BLACK = later(r"(?:^|\s)blacklist (\w[\w-]{0,63})|\b(?:modprobe\.|module_)blacklist=([\w,-]{1,2000})", re.ASCII)
_TAKING = frozenset(("kernel_parameter", "bind_ids", "bind_addresses", "module_option", "blacklist", "load_modules"))
_MOST = 200_000  # characters of a step that are looked at


class Taken(NamedTuple):
    """What some text gives to vfio-pci or keeps a driver from: ids, full addresses, modules with `_` for `-`."""

    ids: frozenset[str]
    addresses: frozenset[str]
    modules: frozenset[str]


def taken(texts: Iterable[str]) -> Taken:
    """What the lines of a configuration take.

    >>> found = taken(["options vfio-pci ids=10de:2203,10de:1aef disable_vga=1", "blacklist snd-hda-intel"])
    >>> sorted(found.ids), sorted(found.modules)
    (['10de:1aef', '10de:2203'], ['snd_hda_intel'])
    """
    text = "\n".join(texts)[:_MOST]
    ids = [one.lower() for found in _IDS.findall(text) for one in found.split(",")]
    names = [one for pair in _BLACK.findall(text) for some in pair for one in some.split(",") if one]
    return Taken(
        frozenset(":".join(one.split(":")[:2]) for one in ids if ":" in one),
        frozenset(_ADDRESS.findall(text)),
        frozenset(name.replace("-", "_") for name in names),
    )


def _new(step: Step) -> Taken:
    """What a step takes that its files did not take before."""
    fresh: list[str] = []
    old: list[str] = []
    for change in step["files"]:
        fresh += change["after"]
        old += change["before"]
    for action in step.get("actions", ()):
        fresh += [*action.get("after", ()), *(word for word in action.get("words", ()) if word.startswith(("+", "^")))]
        fresh += action.get("lines", ()) if action["op"] in ("add-lines", "write-file") else ()
        fresh += [action[key] for key in ("command", "text") if key in action]
        old += action.get("before", ())
    fresh += () if step["files"] else (step["summary"], *step["commands"])
    now, before = taken(fresh), taken(old)
    return Taken._make(new - gone for new, gone in zip(now, before, strict=True))


def _sentences(step: Step, facts: HostFacts) -> list[str]:
    """What one step would take from the host, a sentence each."""
    if step["kind"] not in _TAKING:
        return []
    new = _new(step)
    if not any(new):
        return []
    needs = facts.needs
    found = [_loss(need, new, facts) for need in (needs.value if needs.known else ())]
    return [safe.words(sentence) for sentence in dict.fromkeys(found) if sentence]


def _loss(need: Need, new: Taken, facts: HostFacts) -> str | None:
    """How `new` takes a needed device from the host; None if it does not."""
    device = facts.pci.get(need.address)
    ids = device.ids if device is not None else None
    if need.address in new.addresses:
        return say("This takes {address} from the host: {what}.", address=need.address, what=need.what)
    if ids in new.ids:
        return say(
            "vfio-pci takes every device with the id {ids}, {address} too, and the host loses it: {what}.",
            ids=ids,
            address=need.address,
            what=need.what,
        )
    driver: Any = device.driver.value if device is not None and device.driver.known else None
    if isinstance(driver, str) and driver.replace("-", "_") in new.modules:
        return say(
            "{driver} drives {address}, which the host loses with it: {what}.",
            driver=driver,
            address=need.address,
            what=need.what,
        )
    return None


def dangers(steps: Sequence[Step], facts: HostFacts) -> list[str]:
    """What the steps of a plan would take from the host, a sentence for each loss; empty if none is known."""
    return list(dict.fromkeys(sentence for step in steps for sentence in _sentences(step, facts)))


def warn(steps: Sequence[Step], facts: HostFacts) -> list[str]:
    """The same, and each such step says so before its other risks."""
    found: dict[str, None] = {}
    for step in steps:
        said = _sentences(step, facts)
        if said:
            step["risk"] = sentences([*said, *([step["risk"]] if step["risk"] else [])])
            found.update(dict.fromkeys(said))
    return list(found)
