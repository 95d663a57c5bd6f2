"""What is configured to keep devices for guests: ids, module lists, options; joined from other facts."""

from __future__ import annotations

from functools import cached_property

from doctor.evidence.types import Source
from doctor.facts.cmdline import slip
from doctor.facts.fact import Fact, Listing, unknown
from doctor.facts.modprobe import ids as configured_ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from doctor.evidence.types import Evidence
    from doctor.facts.host import Host
    from doctor.facts.pci import Device

_VFIO_NAMES = ("vfio", "vfio_pci", "vfio_iommu_type1", "vfio_virqfd", "vfio_pci_core", "pci_stub")
_YES = ("1", "y", "Y", "yes", "on", "true")

# Where nobody writes a script, and where the text is long.
_NO_SCRIPTS = ("sys/", "proc/", "cmd/dmesg", "cmd/journal", "lib/", "usr/lib/modprobe")
_STORES = ("etc/driverctl.d/", "boot/config/")


def speaks_of_overrides(evidence: Evidence) -> bool:
    """Whether anything may bind devices by address: a cheap look, before the parsers of scripts are imported."""
    if any(evidence.under(store) for store in _STORES):
        return True
    words = ("driver_override", "driverctl", "dpdk-devbind")
    return any(
        "vfio" in piece.text and any(word in piece.text for word in words)
        for path in evidence.paths()
        if not path.startswith(_NO_SCRIPTS)
        for piece in evidence.pieces(path)
    )


class Binding:
    """Host-wide facts of binding."""

    SHOWN = (
        "ids",
        "ignores_msrs",
        "meant_ids",
        "misspelt_modules",
        "misspelt_names",
        "stub_ids",
        "unmatched_ids",
        "unsafe_interrupts",
        "virqfd",
        "wanted",
    )

    def __init__(self, host: Host) -> None:
        """Reads from the other facts of `host`."""
        self._host = host

    @cached_property
    def ids(self) -> Fact:
        """The ids that vfio-pci is configured to take."""
        return self._ids("vfio-pci")

    @cached_property
    def stub_ids(self) -> Fact:
        """The ids that pci-stub is configured to take."""
        return self._ids("pci-stub")

    @cached_property
    def wanted(self) -> Fact:
        """Both lists together."""
        facts = [fact for fact in (self.ids, self.stub_ids) if fact.known and fact.value]
        if not facts:
            return self.ids
        return Fact(
            Listing(dict.fromkeys(i for f in facts for i in f.value)),
            tuple(s for f in facts for s in f.sources),
        )

    def _ids(self, driver: str) -> Fact:
        words = self._host.cmdline.words
        raws: Fact = words._replace(value=tuple(word.raw for word in words.value)) if words.known else words
        found = configured_ids(self._host.modprobe, raws, driver)
        logged = self._host.log.all("vfio_ids") if driver == "vfio-pci" else []
        if (not found.known or not found.value) and logged:
            ids = [f"{e.fields.get('vendor', '')}:{e.fields.get('device_id', '')}".lower() for e in logged]
            return Fact(Listing(dict.fromkeys(ids)), tuple(event.source for event in logged))
        if not found.known:
            return found
        items = [f"{one.vendor}:{one.device}".lower() for one in found.value]
        return found._replace(value=Listing(dict.fromkeys(items)))

    @cached_property
    def unmatched_ids(self) -> Fact:
        """Configured ids that no device has; where the listing is partial, those one slip away from a device's."""
        wanted, pci = self.wanted, self._host.pci
        present = {device.ids for device in pci.all() if device.ids}
        if not wanted.known or not present:
            return wanted if not wanted.known else unknown("cmd/lspci-nnk")
        missing = [ids for ids in wanted.value if ids not in present]
        if not pci.complete:
            missing = [ids for ids in missing if self.meant(ids) is not None]
        return Fact(Listing(missing, pci.complete, ("cmd/lspci-nnk",)), wanted.sources)

    @property
    def meant_ids(self) -> Listing:
        """The devices' ids that were probably meant by those that match nothing."""
        unmatched = self.unmatched_ids
        found = [self.meant(ids) for ids in unmatched.value] if unmatched.known else []
        return Listing(device.ids for device in found if device is not None)

    def meant(self, ids: str) -> Device | None:
        """The device whose id is one slip away from `ids` and that no configured id names."""
        wanted = set(self.wanted.value) if self.wanted.known else set()
        for device in self._host.pci.all():
            if device.ids and device.ids not in wanted and device.ids[:5] == ids[:5] and _near(device.ids, ids):
                return device
        return None

    @cached_property
    def misspelt_modules(self) -> Listing:
        """Modules to be loaded at boot whose name is one slip away from a VFIO module's."""
        found = []
        for load in self._host.modprobe.loads:
            name = load.module
            if name not in _VFIO_NAMES and not name.startswith("#"):
                near = next((known for known in _VFIO_NAMES if len(name) > 4 and slip(name, known)), None)
                if near is not None:
                    found.append(Misspelt(name, near, load.source))
        return Listing(found)

    @property
    def misspelt_names(self) -> Listing:
        """Those modules' names as they stand in the lists."""
        return Listing(module.given.value for module in self.misspelt_modules)

    @cached_property
    def virqfd(self) -> Fact:
        """The lists that name vfio_virqfd."""
        loads = [load for load in self._host.modprobe.loads if load.module == "vfio_virqfd"]
        missing = self._host.log.all("virqfd_missing")
        sources = tuple(load.source for load in loads) + tuple(event.source for event in missing)
        return Fact(bool(loads or missing), sources)

    @cached_property
    def unsafe_interrupts(self) -> Fact:
        """Whether `allow_unsafe_interrupts` is set: in sysfs, on the command line, in modprobe.d."""
        evidence = self._host.evidence
        for module in ("vfio_iommu_type1", "iommufd"):
            piece = evidence.last(f"sys/module/{module}/parameters/allow_unsafe_interrupts")
            if piece is not None and piece.text.strip() in _YES:
                return self._where_set(piece.cite(0, f"{module}.allow_unsafe_interrupts = {piece.text.strip()}"))
        running = evidence.last("sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts")
        if running is not None:
            return Fact(False, (running.cite(0),))
        option = self._host.modprobe.option("vfio_iommu_type1", "allow_unsafe_interrupts")
        if option.known and option.value is not None and str(option.value) in _YES:
            return option._replace(value=True)
        given: Any = self._host.cmdline.lookup("unsafe_interrupts")
        if isinstance(given, Fact) and given.known and given.value:
            return given._replace(value=True)
        return Fact(False)

    def _where_set(self, source: Source) -> Fact:
        """The setting as it is, with the file that sets it if that is seen."""
        option = self._host.modprobe.option("vfio_iommu_type1", "allow_unsafe_interrupts")
        more = option.sources if option.known and option.value is not None else ()
        return Fact(True, (*more, source))

    @cached_property
    def ignores_msrs(self) -> Fact:
        """Whether KVM is told to ignore MSRs."""
        running = self._host.evidence.last("sys/module/kvm/parameters/ignore_msrs")
        if running is not None:
            return Fact(running.text.strip() in _YES, (running.cite(0),))
        option = self._host.modprobe.option("kvm", "ignore_msrs")
        if option.known and option.value is not None and str(option.value) in _YES:
            return option._replace(value=True)
        given: Any = self._host.cmdline.lookup("ignores_msrs")
        return given._replace(value=True) if isinstance(given, Fact) and given.known and given.value else Fact(False)


class Misspelt:
    """A module's name as configured and as meant."""

    SHOWN = ("given", "meant")

    def __init__(self, given: str, meant: str, source: Source) -> None:
        """`source` is the line of the list."""
        self.given, self.meant = Fact(given, (source,)), Fact(meant, (source,))

    def __str__(self) -> str:
        return f"{self.given.value} (meant: {self.meant.value})"


def read(host: Host) -> Binding:
    """The binding facts of `host`."""
    return Binding(host)


def _near(given: str, meant: str) -> bool:
    """Whether two ids differ by one character, or by two whose places are swapped.

    >>> _near("10de:1f09", "10de:10f9"), _near("1106:3403", "1106:3483"), _near("10de:1e04", "10de:10f9")
    (True, True, False)
    """
    return len(given) == len(meant) and (
        slip(given, meant) or (sorted(given) == sorted(meant) and _differ(given, meant) == 2)
    )


def _differ(given: str, meant: str) -> int:
    return sum(1 for a, b in zip(given, meant, strict=True) if a != b)
