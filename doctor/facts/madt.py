"""The IOAPICs of a host, from the ACPI table of interrupt controllers (MADT, signature APIC).

Source: ACPI specification 6.5, sections 5.2.12 and 5.2.12.3. The kernel remaps interrupts only if the IOMMU's table
names every IOAPIC that this one names (linux drivers/iommu/intel/irq_remapping.c, parse_ioapics_under_ir) or, on
AMD, the one of the south bridge among them (drivers/iommu/amd/init.c, check_ioapic_information).

>>> from doctor.facts.acpiheader import seal
>>> table = read(seal(b"APIC" + bytes(32) + bytes(8) + bytes.fromhex("010c 02 00 0000c0fe 00000000")))
>>> [(one.id, hex(one.base)) for one in table.ioapics], table.complete
([(2, '0xfec00000')], True)
"""

from __future__ import annotations

from doctor.facts.acpiheader import Defect, Header, Shape, header, number, walk
from doctor.record import NamedTuple

_LEAST = 44
_IOAPIC, _IOAPIC_LENGTH = 1, 12
_ENTRY = Shape("entry", 1, 1, 1, 2)


class Ioapic(NamedTuple):
    """An IOAPIC: its APIC id and the address of its registers."""

    offset: int
    id: int
    base: int


class Madt(NamedTuple):
    """The IOAPICs of the table; no header where it ended before that."""

    header: Header | None
    ioapics: tuple[Ioapic, ...]
    defects: tuple[Defect, ...]

    @property
    def complete(self) -> bool:
        """Whether it was read to its end."""
        return not any(defect.ends for defect in self.defects)


def read(data: bytes) -> Madt:
    """The table in `data`. Never raises: what is wrong is in `defects`."""
    found, end, defects = header(data, b"APIC", _LEAST)
    ioapics = []
    for at, kind, length in walk(data, _LEAST, end, _ENTRY, defects):
        if kind == _IOAPIC and length < _IOAPIC_LENGTH:
            defects.append(Defect(at, f"IOAPIC has length {length}, its fields take {_IOAPIC_LENGTH}"))
        elif kind == _IOAPIC:
            ioapics.append(Ioapic(at, data[at + 2], number(data, at + 4, 4)))
    return Madt(found, tuple(ioapics), tuple(defects))
