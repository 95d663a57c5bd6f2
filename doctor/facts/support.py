"""What the running kernel has of what passthrough needs: its build configuration, held against what is at work.

Sources: linux drivers/iommu/Kconfig (INTEL_IOMMU, AMD_IOMMU, IRQ_REMAP) and drivers/vfio/Kconfig (VFIO, VFIO_PCI;
memory is mapped by VFIO_IOMMU_TYPE1 or, from 6.2 on, by IOMMUFD). What is seen at work is there, whatever a
configuration says; the two then contradict one another.

>>> from doctor.evidence.types import Evidence, Piece
>>> from doctor.facts.host import Host
>>> from doctor.knowledge.store import load
>>> text = "CONFIG_INTEL_IOMMU=y\\nCONFIG_AMD_IOMMU=y\\n# CONFIG_IRQ_REMAP is not set"
>>> text += "\\nCONFIG_VFIO=m\\nCONFIG_VFIO_PCI=m"
>>> host = Host(Evidence("directory", "d", [Piece("boot/config-6.1.0", text, "c")]), load())
>>> found = host.support
>>> found.iommu.value, found.remapping.value, found.vfio.value, found.lacking.value
(True, False, False, ('CONFIG_IRQ_REMAP', 'CONFIG_VFIO_IOMMU_TYPE1'))
"""

from __future__ import annotations

from doctor.facts.fact import UNKNOWN, Contradiction, Fact, Listing
from doctor.facts.modules import BUILT_IN, LOADABLE, LOADED
from doctor.record import NamedTuple
from doctor.say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doctor.evidence.types import Source
    from doctor.facts.iommu import Iommu
    from doctor.facts.kconfig import Kconfig
    from doctor.facts.modules import Modules

_DRIVERS = {"intel": ("INTEL_IOMMU",), "amd": ("AMD_IOMMU",)}
_ANY_DRIVER = ("INTEL_IOMMU", "AMD_IOMMU")


class Support(NamedTuple):
    """Whether the kernel has each part: True, False or unknown.

    iommu: a driver for this CPU's IOMMU; remapping: of interrupts; vfio: VFIO for PCI with a way to map memory;
    lacking: the options that are known to be off, as CONFIG_NAME.
    """

    iommu: Fact
    remapping: Fact
    vfio: Fact
    lacking: Fact
    contradictions: tuple[Contradiction, ...]


def read(kconfig: Kconfig, vendor: Fact, iommu: Iommu, modules: Modules) -> Support:
    """The parts; `vendor` is the CPU's maker, intel, amd or unknown."""
    reader = _Reader(kconfig, modules)
    parts = (reader.iommu(vendor, iommu.active), reader.remapping(iommu.remapped), reader.vfio())
    off = dict.fromkeys(reader.off)
    sources = tuple(dict.fromkeys(source for name in off for source in kconfig.lookup(name).sources))
    known = all(part.known for part in parts)
    lacking = Fact(Listing((f"CONFIG_{name}" for name in off), known, parts[0].wanted), sources)
    return Support(*parts, lacking, tuple(reader.contradictions))


class _Reader:
    """Reads option after option, and remembers which are off and which cannot be."""

    def __init__(self, kconfig: Kconfig, modules: Modules) -> None:
        self._kconfig, self._modules = kconfig, modules
        self.off: list[str] = []
        self.contradictions: list[Contradiction] = []

    def iommu(self, vendor: Fact, active: Fact) -> Fact:
        """The driver of this CPU's IOMMU; while the maker is unknown, that of either."""
        names = _DRIVERS.get(str(vendor.value), _ANY_DRIVER) if vendor.known else _ANY_DRIVER
        facts = [self._built(name) for name in names]
        off = [fact for fact in facts if fact.value is False]
        if _proven(active):
            # A guest's IOMMU may be another one, which these options do not build.
            virtual = self._kconfig.lookup("VIRTIO_IOMMU").value in ("y", "m")
            if len(off) == len(facts) and not virtual:
                self._contradict(names, off, active, "DMA remapping is on")
            return active
        if len(off) == len(facts):
            self.off += names
            return Fact(False, tuple(source for fact in off for source in fact.sources))
        on = [fact for fact in facts if fact.value is True]
        return on[0]._replace(sources=_all(on)) if len(on) == len(facts) else facts[0]._replace(value=UNKNOWN)

    def remapping(self, remapped: Fact) -> Fact:
        """Interrupt remapping."""
        built = self._built("IRQ_REMAP")
        if _proven(remapped):
            if built.value is False:
                self._contradict(("IRQ_REMAP",), [built], remapped, "interrupts are remapped")
            return remapped
        if built.value is False:
            self.off.append("IRQ_REMAP")
        return built

    def vfio(self) -> Fact:
        """VFIO, its part for PCI, and either way to map memory."""
        core = [self._module("VFIO", "vfio"), self._module("VFIO_PCI", "vfio_pci")]
        ways = {name: self._module(name, name.lower()) for name in ("VFIO_IOMMU_TYPE1", "IOMMUFD")}
        usable = [fact for fact in ways.values() if fact.value is True]
        mapping = usable[0] if usable else next((f for f in ways.values() if not f.known), ways["VFIO_IOMMU_TYPE1"])
        gone = [name for name, fact in zip(("VFIO", "VFIO_PCI"), core, strict=True) if fact.value is False]
        gone += ["VFIO_IOMMU_TYPE1"] if mapping.value is False else []
        self.off += gone
        parts = [*core, mapping]
        off = [fact for fact in parts if fact.value is False]
        if off:
            return Fact(False, _all(off))
        return next((fact for fact in parts if not fact.known), Fact(True, _all(parts)))

    def _module(self, option: str, module: str) -> Fact:
        """A part that can be a module: what is loaded, built in or installed is there."""
        built, state = self._built(option), self._modules.lookup(module)
        own = self._kconfig.lookup(option).sources
        if state.value in (LOADED, BUILT_IN, LOADABLE) and state.sources and state.sources != own:
            if built.value is False:
                self._contradict(
                    (option,), [built], state, say("{module} is {state}", module=module, state=state.value)
                )
            return Fact(True, state.sources[:1])
        return built

    def _built(self, option: str) -> Fact:
        """Whether the configuration builds an option."""
        found = self._kconfig.lookup(option)
        return found._replace(value=found.value in ("y", "m")) if found.known else found

    def _contradict(self, names: tuple[str, ...], off: list[Fact], seen: Fact, what: str) -> None:
        text = " and ".join(f"CONFIG_{name}" for name in names)
        told = say("what is at work was believed: {what}; the configuration may be another kernel's", what=what)
        self.contradictions.append(
            Contradiction(say("{options} off", options=text), (*_all(off)[:2], *seen.sources[:2]), told)
        )


def _proven(fact: Fact) -> bool:
    """Whether a fact is seen to be true, and not inferred."""
    return fact.known and fact.value is True and bool(fact.sources) and not fact.weak


def _all(facts: list[Fact]) -> tuple[Source, ...]:
    """The sources of several facts, each once."""
    return tuple(dict.fromkeys(source for fact in facts for source in fact.sources))
