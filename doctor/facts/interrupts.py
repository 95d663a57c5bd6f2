"""/proc/interrupts: which interrupt goes through which chip, to which device and whose handler.

Source of the format: linux kernel/irq/proc.c (show_interrupts): number, one counter a CPU, chip, hardware
number with its trigger (`49152-edge`), handlers. Chips of remapped interrupts begin with `IR-`
(drivers/iommu/intel/irq_remapping.c, drivers/iommu/amd/iommu.c); since 6.2 an MSI domain is the device's own
and its address stands in the chip's name. vfio names its handlers `vfio-msix[0](0000:01:00.0)`
(drivers/vfio/pci/vfio_pci_intrs.c).

>>> from doctor.evidence.types import Evidence, Piece
>>> text = '''            CPU0       CPU1
...   9:          0          4   IR-IO-APIC    9-fasteoi   acpi
...  98:          7          0   IR-PCI-MSIX-0000:03:00.0    1-edge      nvme0q1
...  99:          1          0   DMAR-MSI    0-edge      dmar0'''
>>> found = read(Evidence("directory", "d", [Piece("proc/interrupts", text, "i")]))
>>> found.chips.value, found.lines[1].address, found.lines[1].handlers, found.lines[0].remapped
(('IR-IO-APIC', 'IR-PCI-MSIX-0000:03:00.0', 'DMAR-MSI'), '0000:03:00.0', ('nvme0q1',), True)
"""

from __future__ import annotations

import re

from doctor.evidence.types import WHOLE
from doctor.facts.fact import Fact, Listing, unknown
from doctor.later import later
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doctor.evidence.types import Evidence, Piece, Source

PATH = "proc/interrupts"
_ADDRESS = later(r"[0-9a-fA-F]{4,6}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]", re.ASCII)
_TRIGGER = later(r"(?:\d{1,20}-|-)?(?:edge|fasteoi|level|percpu|simple|none|msi|eoi)", re.ASCII)
_VFIO = later(r"vfio-(?:msix?|intx)(?:\[\d{1,5}\])?\(([0-9a-fA-F:.]{12,14})\)", re.ASCII)
_CHIP = later(r"(?:IR-|PCI-|IO-APIC|XT-PIC|HPET|DMAR|AMD-Vi|dmar|hpet|xen|Hyper-V|VMD|ITS|GICv)[\w:.-]{0,60}")
# The IOMMUs' own interrupts, which are not remapped on any machine.
_OWN = ("DMAR", "dmar", "AMD-Vi", "HPET")


class Line(NamedTuple):
    """An interrupt. `handled`: over all CPUs; `address`: of the PCI device, where the chip or vfio names it;
    `remapped`: by the chip's name, None for the IOMMU's own interrupts."""

    number: int
    handled: int
    chip: str
    address: str | None
    handlers: tuple[str, ...]
    remapped: bool | None
    source: Source


class Interrupts(NamedTuple):
    """`chips`: the chips' names; `guests`: addresses whose interrupts a guest's VFIO handles now;
    `shared`: PCI interrupt lines with several handlers, which a device without DisINTx cannot leave."""

    lines: Listing
    chips: Fact
    guests: Fact
    shared: Listing

    def of(self, address: str) -> tuple[Line, ...]:
        """The interrupts that are known to be a device's."""
        return tuple(line for line in self.lines if line.address == address)


def read(evidence: Evidence) -> Interrupts:
    """The interrupts of the latest sighting. Never raises."""
    pieces = evidence.pieces(PATH)
    if not pieces:
        return Interrupts(Listing((), False, (PATH,)), unknown(PATH), unknown(PATH), Listing((), False, (PATH,)))
    piece = pieces[-1]
    lines = [line for index, text in enumerate(piece.text.splitlines()) if (line := _line(piece, index, text))]
    whole = piece.state == WHOLE and not piece.terms
    wanted = () if whole else (PATH,)
    chips = tuple(dict.fromkeys(line.chip for line in lines if line.chip))
    guests = [line for line in lines if any("vfio-" in handler for handler in line.handlers) and line.address]
    shared = [line for line in lines if len(line.handlers) > 1]
    known = whole or bool(chips)
    return Interrupts(
        Listing(lines, whole, wanted),
        Fact(Listing(chips, whole, wanted), tuple(line.source for line in lines[:2])) if known else unknown(PATH),
        Fact(Listing(dict.fromkeys(x.address for x in guests), whole, wanted), tuple(x.source for x in guests[:4])),
        Listing(shared, whole, wanted),
    )


def _line(piece: Piece, index: int, text: str) -> Line | None:
    """One numbered interrupt; None for the heading, the CPUs' own (`NMI:`), and anything else."""
    head, colon, rest = text.partition(":")
    if not colon or not head.strip().isdecimal() or len(head) > 12 or not head.strip().isascii():
        return None
    words = rest.split()
    at = 0
    while at < len(words) and words[at].isdecimal():
        at += 1
    if not at or at == len(words):
        return None
    handled = sum(int(word) for word in words[:at] if len(word) < 21)
    chip, handlers = _chip(words[at:])
    named = _ADDRESS.search(chip) or next((found for h in handlers if (found := _VFIO.search(h))), None)
    address = named.group(named.lastindex or 0).lower() if named else None
    own = chip.startswith(_OWN)
    shown = " ".join([words[0] if not head else head.strip() + ":", "…", *words[at:]])
    remapped = None if own or not chip else chip.startswith("IR-")
    return Line(int(head), handled, chip, address, handlers, remapped, piece.cite(index, shown))


def _chip(words: list[str]) -> tuple[str, tuple[str, ...]]:
    """Chip and handlers of what follows the counters; a chip's name may hold blanks (`Hyper-V PCIe MSI`)."""
    until = next((at for at, word in enumerate(words[:6]) if at and _TRIGGER.fullmatch(word)), None)
    if until is None:
        # Kernels before 3.x print `PCI-MSI-edge eth0`; some chips have no trigger.
        found = _CHIP.match(words[0])
        chip = words[0].removesuffix("-edge").removesuffix("-fasteoi") if found else ""
        rest = words[1:] if found else words
    else:
        # The hardware number may stand apart from the trigger: `IR-IO-APIC 9 -fasteoi`.
        apart = words[until].startswith("-") and words[until - 1].isdecimal()
        chip, rest = " ".join(words[: until - apart]), words[until + 1 :]
    handlers = tuple(part.strip() for part in " ".join(rest).split(",") if part.strip())
    return chip, handlers
