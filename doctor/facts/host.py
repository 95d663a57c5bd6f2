"""`Host`: all facts of an input, each group read when somebody first asks for it."""

from __future__ import annotations

from functools import cached_property

from doctor.evidence.types import Evidence, Source
from doctor.facts.fact import Contradiction, Fact, Listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from doctor.facts import boot as boot_facts
    from doctor.facts import modprobe as modprobe_facts
    from doctor.facts import platform as platform_facts
    from doctor.facts.acpi import Acpi
    from doctor.facts.binding import Binding
    from doctor.facts.cmdline import Cmdline
    from doctor.facts.firmware import Firmware
    from doctor.facts.hostdma import HostDma
    from doctor.facts.initramfs import Initramfs
    from doctor.facts.interrupts import Interrupts
    from doctor.facts.iomem import Iomem
    from doctor.facts.iommu import Iommu
    from doctor.facts.kconfig import Kconfig
    from doctor.facts.limits import Limits
    from doctor.facts.machine import Machine
    from doctor.facts.memory import Memory
    from doctor.facts.messages import Log
    from doctor.facts.modules import Modules
    from doctor.facts.overrides import Override, Overrides
    from doctor.facts.pci import Pci
    from doctor.facts.pending import Pending
    from doctor.facts.support import Support
    from doctor.facts.units import Units
    from doctor.facts.vm import Machine as Vm


class Host:
    """The facts of one host. Rules see the names in `SHOWN`."""

    SHOWN = (
        "machine", "vendor", "events", "cmdline", "configured", "iommu", "modules", "modprobe", "boot", "platform",
        "kernel", "vms", "binding", "pci", "pending", "units", "needs", "kconfig", "initramfs", "interrupts", "iomem",
        "limits", "memory", "firmware", "overrides", "acpi", "support", "host_dma", "hostname",
    )  # fmt: skip

    def __init__(self, evidence: Evidence, knowledge: dict[str, Any]) -> None:
        """`knowledge` is the compiled rules.json: its messages and parameters are needed here."""
        self.evidence, self._knowledge = evidence, knowledge

    @cached_property
    def log(self) -> Log:
        """The log's events."""
        from doctor.facts.messages import Log

        return Log(self.evidence, self._knowledge["messages"])

    @property
    def events(self) -> Log:
        """The log, as rules name it."""
        return self.log

    @cached_property
    def pci(self) -> Pci:
        """Devices and groups."""
        from doctor.facts.pci import Pci

        return Pci(self.evidence, self.log)

    @cached_property
    def needs(self) -> Fact:
        """Which devices the host itself cannot do without."""
        from doctor.facts.needs import read

        words = self.running.words.value if self.running.words.known else ()
        serial = any(word.name == "console" and (word.value or "").startswith(("ttyS", "hvc")) for word in words)
        return read(self.evidence, self.pci.all(), self.pci.complete, serial)

    @cached_property
    def units(self) -> Units:
        """What sysfs says of the IOMMU units and of the groups themselves."""
        from doctor.facts.units import read

        return read(self.evidence)

    @cached_property
    def machine(self) -> Machine:
        """CPU and kind of machine."""
        from doctor.facts.machine import read

        bridges = [(d.maker, d.source) for d in self.pci.all() if d.class_ == "0600" and d.source]
        return read(self.evidence, self.log, bridges)

    @cached_property
    def vendor(self) -> Fact:
        """The CPU's vendor, if need be guessed by the parameter that somebody set."""
        from doctor.facts.iommu import guessed_vendor

        return guessed_vendor(self.machine, self.cmdline, self.log)

    @cached_property
    def boot(self) -> boot_facts.Boot:
        """Bootloader and configured command line."""
        from doctor.facts import boot

        return boot.read(self.evidence, self.platform, self._knowledge["platforms"])

    @cached_property
    def platform(self) -> platform_facts.Platform:
        """Distribution, kernel, VM manager."""
        from doctor.facts import platform

        return platform.read(self.evidence, self._knowledge["platforms"])

    @cached_property
    def modprobe(self) -> modprobe_facts.Modprobe:
        """Module options, blacklists, modules loaded at boot."""
        from doctor.facts import modprobe

        return modprobe.read(self.evidence)

    @cached_property
    def configured(self) -> Cmdline:
        """The command line of the next boot, as far as the files show it."""
        from doctor.facts.cmdline import Cmdline, split

        words = self.boot.configured
        if words.known:
            cited = words.sources[0] if words.sources else None
            parsed = tuple(
                word for text in words.value for word in split(str(text), _best(words.sources, str(text)) or cited)
            )
            words = words._replace(value=parsed, weak=True)
        return Cmdline(words, self._knowledge["parameters"], lambda: self.kernel)

    @cached_property
    def running(self) -> Cmdline:
        """The command line that the running kernel was given."""
        from doctor.facts.cmdline import Cmdline, running

        lines = [(event.fields.get("line", ""), event.source) for event in self.log.all("command_line")]
        return Cmdline(running(self.evidence, lines), self._knowledge["parameters"], lambda: self.kernel)

    @property
    def cmdline(self) -> Cmdline:
        """The running command line; while it is unknown, the configured one, weakly."""
        return self.running if self.running.words.known else self.configured

    @cached_property
    def iommu(self) -> Iommu:
        """The layers of the IOMMU."""
        from doctor.facts.iommu import read

        return read(self.evidence, self.log, self.machine, self.cmdline, self.pci, self.kconfig, lambda: self.acpi)

    @cached_property
    def modules(self) -> Modules:
        """Kernel modules."""
        from doctor.facts.modules import read

        return read(self.evidence, self.pci.all(), self.log, self.kconfig, self.platform.kernel)

    @cached_property
    def kconfig(self) -> Kconfig:
        """The running kernel's build configuration."""
        from doctor.facts.kconfig import read

        return read(self.evidence, self.platform.kernel)

    @cached_property
    def support(self) -> Support:
        """What the running kernel has of what passthrough needs."""
        from doctor.facts.support import read

        return read(self.kconfig, self.vendor, self.iommu, self.modules)

    @cached_property
    def host_dma(self) -> HostDma:
        """Which of the host's own devices reach memory without translation."""
        from doctor.facts.hostdma import read

        return read(self.pci, self.units)

    @cached_property
    def hostname(self) -> Fact:
        """The host's name."""
        from doctor.facts.hostname import read

        return read(self.evidence)

    @cached_property
    def initramfs(self) -> Initramfs:
        """The initramfs: its tool, what it is told to hold, what it holds."""
        from doctor.facts.initramfs import read

        return read(self.evidence, *self._running_words())

    @cached_property
    def interrupts(self) -> Interrupts:
        """Interrupts by chip, device and handler."""
        from doctor.facts.interrupts import read

        return read(self.evidence)

    @cached_property
    def iomem(self) -> Iomem:
        """Physical address ranges and who holds them."""
        from doctor.facts.iomem import read

        return read(self.evidence)

    @cached_property
    def limits(self) -> Limits:
        """Limits of locked memory."""
        from doctor.facts.limits import read

        return read(self.evidence)

    @cached_property
    def memory(self) -> Memory:
        """Memory, huge pages, NUMA nodes."""
        from doctor.facts.memory import read

        return read(self.evidence, *self._running_words())

    @cached_property
    def firmware(self) -> Firmware:
        """DMI, microcode, Secure Boot, lockdown."""
        from doctor.facts.firmware import read

        return read(self.evidence)

    @cached_property
    def acpi(self) -> Acpi:
        """The firmware's tables of the IOMMU."""
        from doctor.facts.acpi import read

        return read(self.evidence)

    @cached_property
    def overrides(self) -> Overrides:
        """Scripts, rules and tools that bind devices by address."""
        from doctor.facts.overrides import read

        return read(self.evidence)

    @cached_property
    def given_by_script(self) -> tuple[Override, ...]:
        """What a script, a udev rule or a tool's store gives to vfio-pci by address, outside a guest's start."""
        from doctor.facts.binding import speaks_of_overrides

        if not speaks_of_overrides(self.evidence):
            return ()
        held = (one for one in self.overrides.configured if one.driver == "vfio-pci" and one.address)
        return tuple(one for one in held if one.when not in ("guest", "unknown"))

    def _running_words(self) -> tuple[tuple[str, ...], Source | None]:
        """The running command line's words as they stand, and where."""
        words = self.running.words
        if not words.known:
            return (), None
        return tuple(word.raw for word in words.value), words.sources[0] if words.sources else None

    @cached_property
    def kernel(self) -> Fact:
        """The kernel's version as a tuple of two numbers."""
        return self.platform.kernel_version

    @cached_property
    def vms(self) -> Listing:
        """Virtual machines that are given PCI devices."""
        from doctor.facts.vm import read

        return Listing(read(self.evidence), self.evidence.complete, ("etc/pve/qemu-server/",))

    @property
    def virtual_machines(self) -> list[Vm]:
        """The same, for Python."""
        return list(self.vms)

    @cached_property
    def binding(self) -> Binding:
        """What is configured to bind devices to VFIO, joined with the devices."""
        from doctor.facts.binding import read

        return read(self)

    @cached_property
    def pending(self) -> Pending:
        """The next boot's command line against the running one."""
        from doctor.facts.pending import read

        return read(self.running, self.boot, self._knowledge["parameters"])

    def lookup(self, name: str) -> Any:
        """A group of facts by its name."""
        return getattr(self, name) if name in self.SHOWN else None

    def contradictions(self) -> list[Contradiction]:
        """Sources that disagree."""
        return [*self.pci.contradictions, *self.iommu.contradictions, *self.support.contradictions]


def _best(sources: tuple[Source, ...], text: str) -> Source | None:
    """The citation whose own line holds the text."""
    return next((source for source in sources if text in source.text), None)
