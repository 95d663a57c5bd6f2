"""Which platform file a host follows, and what that file says for its loader and its initramfs tool.

Platform files are plain mappings (`rules/platforms/*.yaml`, by file stem); this module knows their shape,
which `rules/platforms/common.yaml` describes.
"""

from __future__ import annotations

from doctor.record import NamedTuple
from doctor.say import say
from doctor.treatment.proofs import inherited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Protocol

    from doctor.evidence.types import Evidence
    from doctor.facts.boot import Boot
    from doctor.facts.fact import Fact
    from doctor.facts.firmware import Firmware
    from doctor.facts.modprobe import Modprobe
    from doctor.facts.modules import Modules
    from doctor.facts.pci import Pci
    from doctor.facts.platform import Platform

    class HostFacts(Protocol):
        """What treatment asks of a host's facts."""

        @property
        def boot(self) -> Boot: ...
        @property
        def platform(self) -> Platform: ...
        @property
        def modprobe(self) -> Modprobe: ...
        @property
        def modules(self) -> Modules: ...
        @property
        def firmware(self) -> Firmware: ...
        @property
        def pci(self) -> Pci: ...
        @property
        def needs(self) -> Fact: ...
        @property
        def evidence(self) -> Evidence: ...


FALLBACK = "generic"
NOT_PLATFORMS = ("kernel", "firmware", "common")
_DEEPEST = 8  # files that extend one another in a circle end here


class Way(NamedTuple):
    """How one loader is configured on the platform.

    If the loader is not known, `when` names the case in words, and `test` as a command that succeeds then.
    """

    loader: str
    data: Mapping[str, Any]
    when: str | None
    test: str | None = None


class Ways(NamedTuple):
    """The platform's ways for one host.

    `data`: its file, with what it extends; `loaders`: one way, or several if the evidence does not tell the
    loader, with `tell`, the commands that do; `tool`: the initramfs tool, None if it is not known;
    `assured`: the evidence tells the system and its loader; `notes`: what was not known or not proven.
    """

    stem: str
    data: Mapping[str, Any]
    loaders: tuple[Way, ...]
    tell: tuple[str, ...]
    tool: str | None
    assured: bool
    notes: tuple[str, ...]

    @property
    def tool_data(self) -> Mapping[str, Any]:
        """What the file says of the initramfs tool."""
        found: Mapping[str, Any] = self.data.get("tools", {}).get(self.tool, {})
        return found

    def vfio_builtin(self, facts: HostFacts) -> bool:
        """Whether vfio-pci is part of the kernel, where modprobe.d does not reach it."""
        state = facts.modules.lookup("vfio_pci")
        if state.known and state.value is not None:  # not to be loaded says nothing of what is built in
            return bool(state.value == "built-in")
        span = self.data.get("vfio_builtin")
        version = facts.platform.kernel_version
        return bool(span and version.known and tuple(span["from"]) <= version.value < tuple(span["below"]))


def resolve(platforms: Mapping[str, Any], stem: str) -> dict[str, Any]:
    """The file `stem` with everything that it extends; empty if there is none.

    >>> resolve({"a": {"x": {"p": 1}, "y": [1]}, "b": {"extends": "a", "x": {"q": 2}, "y": [2]}}, "b")
    {'x': {'p': 1, 'q': 2}, 'y': [2]}
    """
    chain: list[Mapping[str, Any]] = []
    name: Any = stem
    while name in platforms and len(chain) < _DEEPEST:
        chain.append(platforms[name])
        name = platforms[name].get("extends")
    found: dict[str, Any] = {}
    for one in reversed(chain):
        found = _merge(found, {key: value for key, value in one.items() if key != "extends"}, whole=True)
    return found


def _merge(below: Mapping[str, Any], above: Mapping[str, Any], whole: bool = False) -> dict[str, Any]:
    """`above` laid over `below`: mappings merge, everything else replaces. `whole`: they are files.

    What is changed here was not proven there.
    """
    merged = dict(below)
    if "proofs" in below and not inherited(below, above, whole):
        del merged["proofs"]
    for key, value in above.items():
        before = merged.get(key)
        merged[key] = _merge(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def choose(platforms: Mapping[str, Any], facts: HostFacts) -> Ways:
    """The ways of the host that `facts` describe."""
    stem, notes = _stem(platforms, facts.platform)
    data = resolve(platforms, stem)
    if data.get("unknown"):
        notes.append(str(data["unknown"]))
    loaders, tell = _loaders(data, facts.boot, notes)
    tool = _tool(data, facts.evidence)
    told = stem != FALLBACK and facts.platform.distribution.known and not facts.platform.distribution.weak
    return Ways(stem, data, tuple(loaders), tuple(tell), tool, told and len(loaders) == 1, tuple(notes))


def _stem(platforms: Mapping[str, Any], platform: Platform) -> tuple[str, list[str]]:
    """The file that speaks for the platform, and what was not certain about it."""
    if not platform.distribution.known:
        return FALLBACK, []
    name = str(platform.distribution.value)
    found = _speaks_for(platforms, name, platform)
    if found:
        weak = platform.distribution.weak
        hint = say("The distribution is inferred, from the kernel's name for instance; nothing states it.")
        return found, [hint] if weak else []
    for kin in platform.like.value if platform.like.known else ():
        found = _speaks_for(platforms, kin, platform)
        if found:
            return found, [say("No file speaks for this distribution; the plan follows its kin, {kin}.", kin=kin)]
    return FALLBACK, []


def _speaks_for(platforms: Mapping[str, Any], name: str, platform: Platform) -> str | None:
    """The file that lists `name` and whose range of versions holds; an open range serves if none does."""
    major = _major(platform)
    found = None
    for stem in platforms:
        data = platforms[stem]
        if stem in NOT_PLATFORMS or name not in (data.get("distributions") or ()):
            continue
        versions = data.get("versions") or {}
        low, high = versions.get("from", 0), versions.get("below", 10**6)
        if major is None and "below" in versions:
            continue  # without a version, the file for current releases
        if major is None or low <= major < high:
            found = found or stem
    return found


def _major(platform: Platform) -> int | None:
    """The first number of the distribution's version."""
    text = str(platform.version.value).partition(".")[0] if platform.version.known else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else None


def _loaders(data: Mapping[str, Any], boot: Boot, notes: list[str]) -> tuple[list[Way], list[str]]:
    """The way of the loader, or one for each loader that may be meant."""
    known = data.get("boot", {})
    if boot.loader.known:
        loader = str(boot.loader.value)
        if loader in known:
            return [Way(loader, known[loader], None)], []
        notes.append(say("No way is known for the loader {loader} on this system.", loader=loader))
        note = {"title": loader, "style": "text", "note": say("Parameters belong into the file that it reads.")}
        return [Way(loader, note, None)], []
    assume = data.get("assume")
    if isinstance(assume, str) and assume in known:
        title = known[assume].get("title", assume)
        notes.append(
            say(
                "The evidence does not tell the boot loader; the plan goes by {title}, the usual one here.", title=title
            )
        )
        return [Way(assume, known[assume], None)], []
    both = data.get("both") or {}
    ways = [
        Way(one["loader"], known.get(one["loader"], {}), one["when"], one.get("test")) for one in both.get("ways", ())
    ]
    notes.append(say("The evidence does not tell the boot loader, so the plan gives each way and how to tell."))
    return ways, list(both.get("tell", ()))


def _tool(data: Mapping[str, Any], evidence: Evidence) -> str | None:
    """The initramfs tool: what the evidence shows, else the platform's usual one."""
    chosen = data.get("initramfs", {})
    usual: str | None = chosen.get("default")
    if any(evidence.pieces(path) for path in chosen.get("tell", {}).get(usual, ())):
        return usual
    for tool, paths in chosen.get("tell", {}).items():
        if tool != usual and any(_shown(evidence, path) for path in paths):
            return str(tool)
    return usual


def _shown(evidence: Evidence, path: str) -> bool:
    return bool(evidence.under(path) if path.endswith("/") else evidence.pieces(path))
