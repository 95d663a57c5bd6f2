"""The three layers of the IOMMU, joined from sysfs, /proc/interrupts, the log and the command line.

Firmware table, DMA remapping and interrupt remapping are independent of one another: interrupt remapping
works with `intel_iommu=off`, and DMA remapping without interrupt remapping (linux drivers/iommu).
Sysfs beats the log, the log beats parameters; what a log's silence proves is the log's own business.
"""

from __future__ import annotations

from doctor.evidence.types import CUT, FILTERED, WHOLE, Evidence, Piece
from doctor.facts.cmdline import Cmdline
from doctor.facts.fact import Contradiction, Fact, unknown
from doctor.facts.machine import Machine
from doctor.facts.messages import Log
from doctor.facts.pci import GROUPS, VFIO_DRIVERS, Pci
from doctor.record import NamedTuple
from doctor.say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from doctor.facts.acpi import Acpi
    from doctor.facts.kconfig import Kconfig

TABLES = "sys/firmware/acpi/tables/"
CLASS = "sys/class/iommu/"


class Iommu(NamedTuple):
    """The layers. `passthrough` is the default domain of the host's own devices, not VFIO's."""

    table: Fact
    active: Fact
    remapped: Fact
    groups: Fact
    passthrough: Fact
    default_on: Fact
    noiommu: Fact
    contradictions: tuple[Contradiction, ...]


def read(
    evidence: Evidence,
    log: Log,
    machine: Machine,
    cmdline: Cmdline,
    pci: Pci,
    kconfig: Kconfig,
    tables: Callable[[], Acpi],
) -> Iommu:
    """Every layer, each as a fact with its sources; `tables` reads the firmware's tables when they are wanted."""
    contradictions: list[Contradiction] = []
    noiommu = _noiommu(evidence, log)
    groups = _groups(evidence, log, pci, noiommu)
    active = _active(evidence, log, machine, cmdline, pci, groups, noiommu, contradictions)
    table = _table(evidence, log, _vendor(machine, cmdline, log), active)
    if table.known and table.value is False and not active.known:
        active = table._replace(value=False)
    return Iommu(
        table, active, _remapped(evidence, log, machine, cmdline, tables, contradictions), _or_active(groups, active),
        _passthrough(log, cmdline), _default_on(kconfig), noiommu, tuple(contradictions),
    )  # fmt: skip


def _or_active(groups: Fact, active: Fact) -> Fact:
    """Without DMA remapping there are no groups; with it there are."""
    return groups if groups.known or not active.known else active._replace(weak=True)


def _witness(log: Log, claim: str, contradictions: list[Contradiction]) -> Fact | None:
    """What the log's lines say of a claim: proof beats strong, strong beats weak; a later boot's word is last."""
    order = {"proof": 3, "negative": 3, "strong": 2, "weak": 1}
    said = [(order.get(event.template.get("strength", ""), 0), value, event) for value, event in log.claims(claim)]
    if not said:
        return None
    best = max(rank for rank, _, _ in said)
    believed = [(value, event) for rank, value, event in said if rank == best]
    value = believed[-1][0]
    sources = tuple(dict.fromkeys(event.source for v, event in believed if v == value))[:4]
    others = [event for rank, v, event in said if v != value and rank >= 2]
    if others and best == 3:
        text = say("{value} was believed: it is the later or the stronger line", value=value)
        contradictions.append(Contradiction(claim, (*sources[:2], others[0].source), text))
    return Fact(value, sources, weak=best < 2)


def _silence(log: Log, claim: str, vendor: Fact) -> Fact | None:
    """A claim that a complete log disproves: the kernel always prints a line where it is true."""
    if not vendor.known:
        return None
    for name in log.expected(claim, vendor.value):
        source = log.proof_of_absence(name)
        if source is not None and not log.all(name):
            return Fact(False, (source, *vendor.sources[:1]), weak=vendor.weak)
    return None


def _vendor(machine: Machine, cmdline: Cmdline, log: Log) -> Fact:
    """The vendor; while nothing tells, the one whose parameter somebody set, weakly."""
    if machine.vendor.known:
        return machine.vendor
    echo = log.all("intel_option_on")
    if echo:
        return Fact("intel", (echo[0].source,), weak=True)
    if cmdline.words.known:
        names = {word.name: word for word in cmdline.words.value}
        both = [vendor for vendor in ("intel", "amd") if vendor + "_iommu" in names]
        if len(both) == 1:
            source = names[both[0] + "_iommu"].source
            return Fact(both[0], (source,) if source else (), weak=True)
    return machine.vendor


def guessed_vendor(machine: Machine, cmdline: Cmdline, log: Log) -> Fact:
    """The CPU's vendor, if need be by the parameter that somebody set for it."""
    return _vendor(machine, cmdline, log)


def _table(evidence: Evidence, log: Log, vendor: Fact, active: Fact) -> Fact:
    """Whether the firmware published a DMAR or IVRS table."""
    listing = evidence.listing(TABLES)
    if listing is not None:
        names = [name for name in listing[0] if name in ("DMAR", "IVRS")]
        source = listing[1].whole()._replace(text=", ".join(names) or "neither DMAR nor IVRS among the ACPI tables")
        return Fact(bool(names), (source,))
    if any(evidence.pieces(path) for path in (TABLES + "DMAR", TABLES + "IVRS", "cmd/acpidump")):
        from doctor.facts.acpi import present

        shown = present(evidence)
        if shown is not None:
            return shown
    said = _witness(log, "firmware.table", [])
    if said is not None:
        return said
    if active.known and active.value is True:
        return active
    silent = _silence(log, "firmware.table", vendor)
    return silent or unknown(TABLES, "cmd/dmesg")


def _groups(evidence: Evidence, log: Log, pci: Pci, noiommu: Fact) -> Fact:
    """Whether IOMMU groups exist."""
    listing = evidence.listing(GROUPS)
    if listing is not None:
        names, piece = listing
        source = piece.cite(0) if names else piece.whole()._replace(text=piece.reason or "no IOMMU group")
        return Fact(bool(names), (source,))
    held = [d for d in pci.all() if d.group.known and d.group.value is not None]
    if held and noiommu.value is not True:
        return Fact(True, held[0].group.sources[:1])
    for piece in evidence.pieces("cmd/iommu-groups"):
        if not piece.text.strip() and piece.state == "whole":
            return Fact(False, (piece.whole(),))
        if "/devices/" in piece.text or "iommu_groups/" in piece.text:
            return Fact(True, (piece.cite(0),))
    none = [d.group for d in pci.all() if d.group.known and d.group.value is None]
    told = [group.sources[0] for group in none if group.sources and group.sources[0].path == "cmd/iommu-groups"]
    if told and not held:  # Proxmox VE's table shows -1 where a device has no group
        return Fact(False, tuple(told[:1]))
    absent = evidence.absent(GROUPS)
    if absent is not None:
        return Fact(False, (absent.whole(),))
    said = _witness(log, "groups.present", [])
    return said or unknown("sys/kernel/iommu_groups/")


def _noiommu(evidence: Evidence, log: Log) -> Fact:
    """Whether VFIO runs without an IOMMU: a bound vfio-pci then proves no isolation."""
    events = log.all("vfio_noiommu")
    if events:
        return Fact(True, (events[0].source,))
    listing = evidence.listing("dev/vfio/")
    if listing is not None:
        nodes = [name for name in listing[0] if name.startswith("noiommu-")]
        return Fact(bool(nodes), (listing[1].whole(),))
    piece = evidence.last("sys/module/vfio/parameters/enable_unsafe_noiommu_mode")
    return Fact(piece.text.strip() in ("Y", "1"), (piece.cite(0),)) if piece is not None else unknown("dev/vfio/")


def _active(
    evidence: Evidence, log: Log, machine: Machine, cmdline: Cmdline, pci: Pci, groups: Fact, noiommu: Fact,
    contradictions: list[Contradiction],
) -> Fact:  # fmt: skip
    """Whether DMA remapping is on: units in sysfs, then groups, then the log, then parameters."""
    units = evidence.listing(CLASS)
    said = _witness(log, "iommu.active", contradictions)
    if units is not None and units[0]:
        return Fact(True, (units[1].cite(0),))
    if groups.known and noiommu.value is not True and (groups.value or (groups.sources and not groups.weak)):
        return groups
    if units is not None:
        return Fact(False, (units[1].whole()._replace(text="no IOMMU in /sys/class/iommu"),))
    if said is not None and not said.weak:
        return said
    bound = [d for d in pci.all() if d.driver.known and d.driver.value in VFIO_DRIVERS]
    if bound and noiommu.value is not True:
        # vfio-pci refuses to bind a device without an IOMMU group (linux drivers/vfio/pci/vfio_pci_core.c).
        return Fact(True, bound[0].driver.sources[:1])
    if said is not None:
        return said
    vendor = _vendor(machine, cmdline, log)
    disabled = _disabled(cmdline, vendor)
    silent = _silence(log, "iommu.active", vendor)
    return disabled or silent or unknown("sys/kernel/iommu_groups/", "cmd/dmesg")


def _disabled(cmdline: Cmdline, vendor: Fact) -> Fact | None:
    """The running command line that switches DMA remapping off."""
    if not cmdline.words.known or cmdline.words.weak:
        return None
    for effect in ("disables_dma", f"disables_dma_{vendor.value}"):
        fact: Fact = (
            cmdline.lookup(effect)
            if effect in ("disables_dma", "disables_dma_intel", "disables_dma_amd")
            else unknown()
        )
        if fact.known and fact.value:
            return Fact(False, fact.sources)
    return None


def _remapped(
    evidence: Evidence,
    log: Log,
    machine: Machine,
    cmdline: Cmdline,
    tables: Callable[[], Acpi],
    contradictions: list[Contradiction],
) -> Fact:
    """Whether interrupts are remapped: the interrupt chips' names, then VFIO's refusals and the log."""
    for piece in evidence.pieces("proc/interrupts"):
        fact = _chips(piece)
        if fact is not None:
            refused = log.lookup("vfio_no_ir") if fact.value is False else None
            return fact._replace(sources=refused.sources[:1] + fact.sources) if refused is not None else fact
    said = _witness(log, "interrupts.remapped", contradictions)
    if said is not None:
        return said
    vendor = _vendor(machine, cmdline, log)
    for effect in ("disables_remapping", *(("disables_remapping_amd",) if vendor.value == "amd" else ())):
        off: Fact = cmdline.lookup(effect)
        if off.known and off.value and not off.weak:
            return Fact(False, off.sources)
    refused = _refused_by_tables(evidence, cmdline, tables)
    return refused or _silence(log, "interrupts.remapped", vendor) or unknown("proc/interrupts")


def _refused_by_tables(evidence: Evidence, cmdline: Cmdline, tables: Callable[[], Acpi]) -> Fact | None:
    """What keeps the kernel from remapping interrupts by the firmware's own tables.

    Intel: the DMAR's INTR_REMAP flag is clear (linux drivers/iommu/intel/irq_remapping.c, dmar_ir_support). AMD: the
    IVRS names no IOAPIC at 00:14.0, and no parameter supplies it (drivers/iommu/amd/init.c, check_ioapic_information).
    """
    if not any(evidence.pieces(TABLES + name) for name in ("DMAR", "IVRS")):
        return None
    told = tables()
    if told.interrupt_remapping.known and told.interrupt_remapping.value is False:
        return told.interrupt_remapping
    supplied = cmdline.lookup("ivrs_ioapic")
    bridge = told.southbridge_ioapic
    if bridge.known and bridge.value is False and supplied.known and supplied.value is None:
        return bridge
    return None


def _chips(piece: Piece) -> Fact | None:
    """IR- before the chips' names in /proc/interrupts proves remapping; its lack in the whole file disproves it.

    The IOMMU's own interrupt, and the HPET's, are not remapped in either case.
    """
    lines = piece.text.splitlines()
    counted = "IR-" in piece.terms and (not lines or piece.text.strip().isdigit())
    if counted and piece.state == FILTERED:
        seen = piece.text.strip() not in ("", "0")
        return Fact(seen, (piece.whole()._replace(text=f"{piece.command}: {piece.text.strip() or 'no line'}"),))
    for index, line in enumerate(lines):
        if " IR-" in line:
            return Fact(True, (piece.cite(index, _tail(line)),))
    tells = piece.state in (WHOLE, CUT) and not piece.terms
    tells = tells or (piece.state == FILTERED and bool({"PCI-MSI", "MSI", "IO-APIC"} & set(piece.terms)))
    for index, line in enumerate(lines):
        own = any(word in line for word in ("AMD-Vi", "dmar", "DMAR", "HPET"))
        if tells and not own and ("PCI-MSI" in line or "IO-APIC" in line):
            return Fact(False, (piece.cite(index, _tail(line)),))
    return None


def _tail(line: str) -> str:
    """An interrupt's line without its counters."""
    words = line.split()
    return " ".join([words[0], "…", *[word for word in words[1:] if not word.isdigit()]]) if words else line


def _passthrough(log: Log, cmdline: Cmdline) -> Fact:
    """The policy for the host's own devices; a platform opt-in makes the logged policy stale."""
    said = _witness(log, "iommu.passthrough", [])
    for effect, value in (("passthrough", True), ("translated", False)):
        fact = cmdline.lookup(effect)
        if isinstance(fact, Fact) and fact.known and fact.value and not fact.weak:
            return Fact(value, fact.sources)
    if said is not None and log.all("intel_optin") and said.value is False:
        return unknown("cmd/dmesg")
    return said or unknown("cmd/dmesg")


def _default_on(kconfig: Kconfig) -> Fact:
    """Whether this kernel switches VT-d on by itself (drivers/iommu/intel/Kconfig; the second option is Debian's)."""
    plain, without_igpu = (kconfig.lookup("INTEL_IOMMU_DEFAULT_ON" + more) for more in ("", "_INTGPU_OFF"))
    for option in (plain, without_igpu):
        if option.known and option.value == "y":
            return option._replace(value=True)
    return plain._replace(value=False) if plain.known else plain
