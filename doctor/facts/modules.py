"""Kernel modules: loaded, built in, loadable on demand.

Sources, the strongest first: lsmod and /proc/modules (what is built in is in neither), modules.builtin,
modinfo (`filename: (builtin)`), the build configuration, modules.dep, sysfs, and what the log says.

>>> e = Evidence("paste", "p", [Piece("cmd/lsmod", "Module Size Used by\\nvfio_pci 16384 1\\nvfio 36864 5", "p")])
>>> read(e, [], Log(e, [])).lookup("vfio_pci").value
'loaded'
"""

from __future__ import annotations

from doctor.evidence.types import WHOLE, Evidence, Piece, Source
from doctor.facts.fact import Fact, unknown
from doctor.facts.kconfig import Kconfig
from doctor.facts.messages import Log
from doctor.facts.pci import VFIO_DRIVERS, Device

LOADED, BUILT_IN, LOADABLE, MISSING = "loaded", "built-in", "loadable", "missing"
_NEEDS = {"vfio_pci": ("vfio", "vfio_iommu_type1", "vfio_pci_core"), "vfio_iommu_type1": ("vfio",)}
_VFIO = ("vfio", "vfio_pci", "vfio_iommu_type1")
# The option that builds a module (linux drivers/*/Makefile).
_OPTIONS = {
    **{name: name.upper() for name in ("vfio", "vfio_pci", "vfio_pci_core", "vfio_iommu_type1", "vfio_virqfd")},
    "pci_stub": "PCI_STUB",
    "iommufd": "IOMMUFD",
    "kvm": "KVM",
    "kvm_intel": "KVM_INTEL",
    "kvm_amd": "KVM_AMD",
    "xhci_pci": "USB_XHCI_PCI",
    "nvme": "BLK_DEV_NVME",
    "ahci": "SATA_AHCI",
    "snd_hda_intel": "SND_HDA_INTEL",
    **{name: f"DRM_{name.upper()}" for name in ("amdgpu", "i915", "nouveau", "radeon", "simpledrm", "xe")},
}
_BUILDS = {"y": BUILT_IN, "m": LOADABLE, "n": MISSING}


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


def read(
    evidence: Evidence,
    devices: list[Device],
    log: Log,
    kconfig: Kconfig | None = None,
    release: Fact | None = None,
) -> Modules:
    """The modules' states, from the strongest to the weakest source; `kconfig` and `release` are the running
    kernel's build configuration and release, as far as they are known."""
    states: dict[str, Fact] = {}
    complete: Fact | None = None
    _from_build(kconfig, states)
    _from_dependencies(evidence, str(release.value) if release is not None and release.known else None, states)
    _from_modinfo(evidence, states)
    for path in ("cmd/lsmod", "proc/modules"):
        for piece in evidence.pieces(path):
            complete = _from_list(piece, states) or complete
    listing = evidence.listing("sys/module/")
    if listing is not None:
        for name in listing[0]:
            _live(states, name, listing[1].whole()._replace(text=name))
    _from_parameters(evidence, states)
    for device in devices:
        if device.driver.known and device.driver.value in VFIO_DRIVERS:
            for name in ("vfio", "vfio_pci") if device.driver.sources else ():
                _live(states, name, device.driver.sources[0])
    for event in log.all("vfio_core"):
        _live(states, "vfio", event.source)
    for event in log.all("vfio_ids"):
        _live(states, "vfio_pci", event.source)
    for piece in evidence.states("cmd/messages"):
        words = (piece.command or "").split()
        if "modprobe" in words and not piece.text and len(words) > 1:
            _live(states, words[-1].replace("-", "_"), piece.whole())
    for event in log.all("module_insert_failed"):
        name = event.fields.get("module", "").replace("-", "_").strip("'")
        states[name] = Fact(MISSING, (event.source,))
    for event in log.all("module_missing"):
        states.setdefault(event.fields.get("module", "").replace("-", "_").strip("'"), Fact(MISSING, (event.source,)))
    return Modules(states, complete)


def _live(states: dict[str, Fact], name: str, source: Source) -> None:
    """A module that is there at work, if nobody knows how it came: what is loadable is loaded."""
    known = states.get(name)
    if known is None or known.value in (LOADABLE, MISSING):
        states[name] = Fact(LOADED, (source,))


def _state(states: dict[str, Fact], name: str, value: str, source: Source) -> None:
    known = states.get(name)
    if known is None or known.value != LOADED:
        states[name] = Fact(value, (source,))


def _from_list(piece: Piece, states: dict[str, Fact]) -> Fact | None:
    """The loaded modules of lsmod or /proc/modules; the list itself if it is whole."""
    needs: dict[str, Source] = {}
    for index, line in enumerate(piece.text.splitlines()):
        words = line.split()
        if len(words) > 2 and words[1].isdigit() and words[2].isdigit():
            source = piece.cite(index, line.strip())
            _state(states, words[0], LOADED, source)
            needs.update(dict.fromkeys(_NEEDS.get(words[0], ()), source))
    for name, source in needs.items():  # a module's own line says it better
        _live(states, name, source)
    whole = piece.state == WHOLE and not piece.terms
    return Fact(None, (piece.whole()._replace(text="not in the list of loaded modules"),)) if whole else None


def _from_build(kconfig: Kconfig | None, states: dict[str, Fact]) -> None:
    """How the kernel was built; that a module was built does not prove that its package is installed."""
    for name, option in _OPTIONS.items() if kconfig is not None else ():
        fact = kconfig.lookup(option) if kconfig is not None else unknown()
        if fact.known and fact.value in _BUILDS:
            states[name] = fact._replace(value=_BUILDS[fact.value], weak=fact.value == "m")


def _from_modinfo(evidence: Evidence, states: dict[str, Fact]) -> None:
    """`modinfo`: the module's file, `(builtin)`, or that there is none."""
    for piece in evidence.pieces("cmd/modinfo"):
        state = None
        for index, line in enumerate(piece.text.splitlines()):
            key, _, value = line.partition(":")
            file = value.strip()
            if key == "filename":
                state = (BUILT_IN if file == "(builtin)" else LOADABLE, piece.cite(index, line.strip()))
                base = file.rpartition("/")[2].partition(".ko")[0].replace("-", "_")
                if state[0] == LOADABLE and base:
                    states[base] = Fact(*state[:1], (state[1],))
            elif key == "name" and state is not None:
                states[file.replace("-", "_")] = Fact(state[0], (state[1],))
            elif line.startswith("modinfo: ERROR: Module ") and line.rstrip().endswith(" not found."):
                words = line.split()
                states[words[3].replace("-", "_")] = Fact(MISSING, (piece.cite(index, line.strip()),))


def _from_dependencies(evidence: Evidence, release: str | None, states: dict[str, Fact]) -> None:
    """modules.builtin and modules.dep of the running kernel."""
    mine = [path for path in evidence.paths() if release is not None and f"lib/modules/{release}/modules." in path]
    for suffix, value in (("modules.dep", LOADABLE), ("modules.builtin", BUILT_IN)):
        pieces = [*evidence.under("lib/modules/", "/" + suffix), *evidence.under("usr/lib/modules/", "/" + suffix)]
        for piece in [piece for piece in pieces if piece.path in mine] if mine else pieces:
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
                _live(states, name, piece.whole()._replace(text=path))
