"""The names of facts that rules may ask for: what `passdoctor rules lint` checks against."""

from __future__ import annotations

from doctor.facts.acpi import Acpi
from doctor.facts.binding import Binding
from doctor.facts.boot import Boot
from doctor.facts.cmdline import OPTIONS, PARTS, effects_of
from doctor.facts.firmware import Firmware
from doctor.facts.given import Given
from doctor.facts.host import Host
from doctor.facts.hostdma import HostDma
from doctor.facts.initramfs import Initramfs
from doctor.facts.interrupts import Interrupts
from doctor.facts.iomem import Iomem
from doctor.facts.iommu import Iommu
from doctor.facts.limits import Limits
from doctor.facts.machine import Machine
from doctor.facts.memory import Memory
from doctor.facts.overrides import Overrides
from doctor.facts.pending import Pending
from doctor.facts.platform import Platform
from doctor.facts.support import Support
from doctor.facts.target import TargetFacts
from doctor.facts.units import Units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CMDLINE = {"typos", "useless", "ignored", "text", "known", "words"} | set(PARTS)


def vocabulary(knowledge: dict[str, Any]) -> dict[str, frozenset[str] | None]:
    """Every group of facts with the names in it; None where any name may be asked for."""
    events = frozenset(template["event"] for template in knowledge["messages"])
    parameters = {option["name"] for option in knowledge["parameters"]["options"]}
    parameters |= set(knowledge["parameters"]["known"])
    effects = effects_of(knowledge["parameters"])
    effects |= {name + OPTIONS for name in effects}
    cmdline = frozenset(_CMDLINE | effects | parameters | {name.replace("-", "_") for name in parameters})
    groups: dict[str, frozenset[str] | None] = {
        "machine": frozenset(Machine._fields),
        "iommu": frozenset(Iommu._fields),
        "platform": frozenset(Platform._fields),
        "boot": frozenset(Boot._fields),
        "units": frozenset(Units._fields),
        "pending": frozenset(Pending._fields),
        "binding": frozenset(Binding.SHOWN),
        "target": frozenset(TargetFacts.SHOWN),
        "events": events | {"denied"},
        "cmdline": cmdline,
        "configured": cmdline,
        "event": None,
        "modules": None,
        "modprobe": frozenset(("entries", "loads", "unread", "passed_over", "vfio_blacklisted", "vfio_blocked")),
        "kconfig": None,
        "initramfs": frozenset((*Initramfs._fields, "run_together")),
        "interrupts": frozenset(Interrupts._fields),
        "iomem": frozenset(Iomem.SHOWN),
        "limits": frozenset(Limits._fields),
        "memory": frozenset(Memory._fields),
        "firmware": frozenset(Firmware._fields),
        "overrides": frozenset(Overrides._fields),
        "acpi": frozenset(Acpi._fields),
        "support": frozenset(Support._fields),
        "host_dma": frozenset(HostDma._fields),
        "given": frozenset(Given.SHOWN),
    }
    groups.update({name: frozenset() for name in Host.SHOWN if name not in groups})
    return groups
