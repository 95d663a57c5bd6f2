"""Kernel modules: loaded, built in, loadable on demand.

>>> e = Evidence("paste", "p", [Piece("cmd/lsmod", "Module Size Used by\\nvfio_pci 16384 1\\nvfio 36864 5", "p")])
>>> read(e, [], Log(e, [])).lookup("vfio_pci").value
'loaded'
"""

from __future__ import annotations

from doctor.evidence.types import WHOLE, Evidence, Piece, Source
from doctor.facts.fact import Fact, unknown
from doctor.facts.messages import Log
from doctor.facts.pci import VFIO_DRIVERS, Device

LOADED, BUILT_IN, LOADABLE, MISSING = "loaded", "built-in", "loadable", "missing"
_NEEDS = {"vfio_pci": ("vfio", "vfio_iommu_type1", "vfio_pci_core"), "vfio_iommu_type1": ("vfio",)}
_VFIO = ("vfio", "vfio_pci", "vfio_iommu_type1")


class Modules:
    """What is known of each module, asked for by name with underscores."""

    def __init__(self, states: dict[str, Fact], complete: Fact | None) -> None:
        """`complete` cites a whole list of loaded modules, by which the rest is not loaded."""
        self._states, self._complete = states, complete

    def lookup(self, name: str) -> Fact:
        """loaded, built-in, loadable, missing; None for not loaded with nothing else known; else unknown."""
        if name == "vfio_ready":
            return self.vfio_ready()
        found = self._states.get(name.replace("-", "_"))
        if found is not None:
            return found
        return self._complete._replace(value=None) if self._complete is not None else unknown("proc/modules")

    def named(self) -> tuple[str, ...]:
        """The modules of which something is known."""
        return tuple(self._states)

    def vfio_ready(self) -> Fact:
        """Whether vfio, vfio_pci and vfio_iommu_type1 are loaded, built in or loadable on demand."""
        facts = [self.lookup(name) for name in _VFIO]
        sources = tuple(dict.fromkeys(source for fact in facts for source in fact.sources))
        if any(fact.value == MISSING for fact in facts):
            gone = [fact for fact in facts if fact.value == MISSING]
            return Fact(False, tuple(source for fact in gone for source in fact.sources))
        present = [fact.value in (LOADED, BUILT_IN, LOADABLE) for fact in facts]
        if all(present):
            return Fact(True, sources)
        if self.lookup("vfio_pci").value in (LOADED, BUILT_IN):
            # vfio loads its IOMMU driver by itself when a container is opened (linux drivers/vfio/container.c).
            return Fact(True, self.lookup("vfio_pci").sources, weak=True)
        return unknown("proc/modules", "lib/modules/{release}/modules.dep")


def read(evidence: Evidence, devices: list[Device], log: Log) -> Modules:
    """The modules' states, from the strongest to the weakest source."""
    states: dict[str, Fact] = {}
    complete: Fact | None = None
    _from_dependencies(evidence, states)
    for path in ("cmd/lsmod", "proc/modules"):
        for piece in evidence.pieces(path):
            complete = _from_list(piece, states) or complete
    listing = evidence.listing("sys/module/")
    if listing is not None:
        for name in listing[0]:
            states.setdefault(name, Fact(LOADED, (listing[1].whole()._replace(text=name),)))
    _from_parameters(evidence, states)
    for device in devices:
        if device.driver.known and device.driver.value in VFIO_DRIVERS:
            for name in ("vfio", "vfio_pci"):
                states.setdefault(name, Fact(LOADED, device.driver.sources[:1]))
    for event in log.all("vfio_core"):
        states.setdefault("vfio", Fact(LOADED, (event.source,)))
    for event in log.all("vfio_ids"):
        states.setdefault("vfio_pci", Fact(LOADED, (event.source,)))
    for piece in evidence.states("cmd/messages"):
        words = (piece.command or "").split()
        if "modprobe" in words and not piece.text and len(words) > 1:
            states.setdefault(words[-1].replace("-", "_"), Fact(LOADED, (piece.whole(),)))
    for event in log.all("module_insert_failed"):
        name = event.fields.get("module", "").replace("-", "_").strip("'")
        states[name] = Fact(MISSING, (event.source,))
    for event in log.all("module_missing"):
        states.setdefault(event.fields.get("module", "").replace("-", "_").strip("'"), Fact(MISSING, (event.source,)))
    return Modules(states, complete)


def _state(states: dict[str, Fact], name: str, value: str, source: Source) -> None:
    known = states.get(name)
    if known is None or known.value != LOADED:
        states[name] = Fact(value, (source,))


def _from_list(piece: Piece, states: dict[str, Fact]) -> Fact | None:
    """The loaded modules of lsmod or /proc/modules; the list itself if it is whole."""
    for index, line in enumerate(piece.text.splitlines()):
        words = line.split()
        if len(words) > 2 and words[1].isdigit() and words[2].isdigit():
            _state(states, words[0], LOADED, piece.cite(index, line.strip()))
            for needed in _NEEDS.get(words[0], ()) if words[0] in _NEEDS else ():
                states.setdefault(needed, Fact(LOADED, (piece.cite(index, line.strip()),)))
    whole = piece.state == WHOLE and not piece.terms
    return Fact(None, (piece.whole()._replace(text="not in the list of loaded modules"),)) if whole else None


def _from_dependencies(evidence: Evidence, states: dict[str, Fact]) -> None:
    """modules.builtin and modules.dep of the running kernel."""
    for suffix, value in (("modules.dep", LOADABLE), ("modules.builtin", BUILT_IN)):
        for piece in evidence.under("lib/modules/", suffix):
            for index, line in enumerate(piece.text.splitlines()):
                name = line.partition(":")[0].rpartition("/")[2].partition(".ko")[0].replace("-", "_")
                if name:
                    states[name] = Fact(value, (piece.cite(index, line.partition(":")[0]),))


def _from_parameters(evidence: Evidence, states: dict[str, Fact]) -> None:
    """A module whose parameters are in sysfs is there."""
    for path in evidence.paths():
        if path.startswith("sys/module/") and path.count("/") > 2:
            name = path.split("/")[2]
            piece = evidence.last(path)
            if piece is not None:
                states.setdefault(name, Fact(LOADED, (piece.whole()._replace(text=path),)))
