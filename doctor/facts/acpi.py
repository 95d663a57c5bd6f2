"""What the firmware's own tables say of the IOMMU: DMAR or IVRS, and the IOAPICs of the MADT beside them.

Sources: the tables in /sys/firmware/acpi/tables, or the text of acpidump, xxd, hexdump or iasl. Which function belongs
to which unit is decided as by linux drivers/iommu/intel/iommu.c (device_lookup_iommu): a scope that names it or a
bridge above it, else the unit that takes the rest of the segment.

>>> from doctor.evidence.types import Evidence, Piece
>>> rows = '''00000000: 444d 4152 4000 0000 017c 0000 0000 0000  DMAR@....]......
... 00000010: 0000 0000 0000 0000 0000 0000 0000 0000  ................
... 00000020: 0000 0000 2601 0000 0000 0000 0000 0000  ....&...........
... 00000030: 0000 1000 0100 0000 0010 d9fe 0000 0000  ................'''
>>> found = read(Evidence("paste", "p", [Piece(TABLES + "DMAR", rows, "p")]))
>>> found.width.value, found.interrupt_remapping.value, found.interrupt_remapping.sources[0].line
(39, True, 3)
>>> [(unit.name, unit.everything, unit.source.line) for unit in found.units], list(found.defects)
([('DRHD 0xfed91000', True, 4)], [])
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from doctor.evidence.types import Source
from doctor.facts.acpiheader import HEADER
from doctor.facts.acpiunits import Alias, Ioapic, Named, Reporting, Reserved, Unit, in_dmar, in_ivrs
from doctor.facts.fact import Fact, Listing, unknown
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from doctor.evidence.types import Evidence, Piece
    from doctor.facts.acpiheader import Defect, Header
    from doctor.facts.acpitext import Dump
    from doctor.facts.acpiunits import Held
    from doctor.facts.dmar import Dmar
    from doctor.facts.ivrs import Ivrs
    from doctor.facts.madt import Madt
    from doctor.facts.pci import Pci

TABLES = "sys/firmware/acpi/tables/"
DUMPED = "cmd/acpidump"
LARGEST = 1 << 20  # bytes of a table that are read
DMAR, IVRS, MADT = "DMAR", "IVRS", "APIC"
_MOST = 50  # defects of a table that are told one by one
_SOUTH = "0000:00:14.0"  # where AMD's south bridge has its IOAPIC


class Raw(NamedTuple):
    """A table's bytes, what makes a citation of an offset in it, and whether its checksum means anything."""

    name: str
    data: bytes
    cite: Callable[[int, str], Source]
    exact: bool = True


class Table(NamedTuple):
    """A table's header. `checksum_ok` is None where not all of it was read; `complete`: it was read to its end."""

    name: str
    length: int
    revision: int
    checksum_ok: bool | None
    oem_id: str
    oem_table_id: str
    oem_revision: int
    complete: bool
    source: Source


class Flaw(NamedTuple):
    """What is wrong with a table at an offset in bytes."""

    table: str
    offset: int
    what: str
    source: Source


class Acpi(NamedTuple):
    """The firmware's word. What one vendor's table does not hold is None where the other's was read.

    interrupt_remapping, x2apic_opt_out, dma_opt_out: flags of the DMAR; protected: the firmware kept devices from
    memory until it handed over; width, virtual_width: bits of an address; feature_register, ats_reserved: IVinfo;
    units, reserved (memory that devices keep), ioapics, aliases, reporting (ATSR, SATC, SIDP), named (devices that
    only ACPI knows): lists; unmapped_ioapics: ids that the MADT names and the IOMMU's table does not;
    southbridge_ioapic: whether the IVRS names the one without which the kernel remaps no interrupts, weakly where
    no MADT tells its id.
    """

    tables: Listing
    defects: Listing
    interrupt_remapping: Fact
    x2apic_opt_out: Fact
    dma_opt_out: Fact
    protected: Fact
    width: Fact
    virtual_width: Fact
    feature_register: Fact
    ats_reserved: Fact
    units: Listing
    reserved: Listing
    ioapics: Listing
    unmapped_ioapics: Fact
    southbridge_ioapic: Fact
    aliases: Listing
    reporting: Listing
    named: Listing

    def unit_of(self, address: str, pci: Pci | None = None) -> Fact:
        """The unit that translates for a function, a `Unit`; None if none does. `pci` tells what is above it."""
        from doctor.facts.acpiunits import unit_of

        return unit_of(self.units, address, pci)

    def reserved_for(self, address: str, pci: Pci | None = None) -> Listing:
        """The memory that a function keeps, `Reserved` each; not complete where a bridge above it may be meant."""
        from doctor.facts.acpiunits import reserved_for

        return reserved_for(self.reserved, address, pci)


def tables(evidence: Evidence) -> dict[str, Raw]:
    """The tables that the evidence holds, the latest of each name; what has no such name in it is not there."""
    found: dict[str, Raw] = {}
    for name in (DMAR, IVRS, MADT):
        texts = [piece for piece in evidence.pieces(TABLES + name) if piece.binary is None and piece.text.strip()]
        found.update((dump.name, _told(dump, texts)) for dump in _dumps(texts))
        for piece in evidence.pieces(TABLES + name):
            if piece.binary is not None:
                found[name] = Raw(name, piece.binary[:LARGEST], _citing(piece))
    texts = [piece for piece in evidence.pieces(DUMPED) if piece.binary is None]
    for dump in _dumps(texts):
        found.setdefault(dump.name, _told(dump, texts))
    return found


def _dumps(pieces: list[Piece]) -> list[Dump]:
    """The tables in several pieces of text, one after another."""
    if not pieces:
        return []
    from doctor.facts.acpitext import dumps

    return dumps(enumerate(line for piece in pieces for line in piece.text.split("\n")))


def _told(dump: Dump, pieces: list[Piece]) -> Raw:
    """A table of a text."""
    starts = [0, *accumulate(piece.text.count("\n") + 1 for piece in pieces)]

    def cite(offset: int, said: str) -> Source:
        line = dump.place(offset)
        number = bisect_right(starts, line) - 1
        return pieces[number].cite(line - starts[number], said)

    return Raw(dump.name, dump.data, cite, not dump.told)


def _citing(piece: Piece) -> Callable[[int, str], Source]:
    return lambda _, said: piece.whole()._replace(text=said)


def present(evidence: Evidence) -> Fact | None:
    """That the firmware has a DMAR or an IVRS, where the evidence holds it; else None."""
    for name, raw in tables(evidence).items():
        if name != MADT and len(raw.data) >= HEADER and raw.data[:4] == name.encode("ascii"):
            return Fact(True, (raw.cite(0, f"{name} of {len(raw.data)} bytes"),))
    return None


def read(evidence: Evidence) -> Acpi:
    """The facts of the tables. Never raises."""
    found = tables(evidence)
    reader = _Reader(evidence)
    for name, raw in found.items():
        reader.take(name, raw)
    return reader.facts()


class _Reader:
    """Joins the tables."""

    def __init__(self, evidence: Evidence) -> None:
        self.tables: list[Table] = []
        self.flaws: list[Flaw] = []
        self.raw: dict[str, Raw] = {}
        self.dmar: Dmar | None = None
        self.ivrs: Ivrs | None = None
        self.madt: Madt | None = None
        self.complete = True
        listing = evidence.listing(TABLES)
        names = None if listing is None else [name for name in listing[0] if name in (DMAR, IVRS)]
        self.wanted = tuple(TABLES + name for name in names or (DMAR, IVRS))
        self.none = listing[1].whole() if listing is not None and not names else None

    def take(self, name: str, raw: Raw) -> None:
        """One table."""
        header, defects = self._parsed(name, raw.data)
        self.raw[name] = raw
        complete = header is not None and not any(defect.ends for defect in defects)
        if not raw.exact:
            defects = tuple(defect for defect in defects if defect.offset != 9)
        if len(defects) > _MOST:
            rest = defects[_MOST]._replace(what=f"{len(defects) - _MOST} more defects from here on")
            defects = (*defects[:_MOST], rest)
        self.flaws += [Flaw(name, one.offset, one.what, self.cite(name, one.offset, one.what)) for one in defects]
        if name != MADT:
            self.complete = self.complete and complete
        if header is not None:
            said = f"{name}, revision {header.revision}, by {header.oem_id or 'nobody'}"
            self.tables.append(
                Table(
                    name, header.length, header.revision, header.checksum_ok if raw.exact else None, header.oem_id,
                    header.oem_table_id, header.oem_revision, complete, self.cite(name, 0, said),
                )
            )  # fmt: skip

    def _parsed(self, name: str, data: bytes) -> tuple[Header | None, tuple[Defect, ...]]:
        from doctor.facts import dmar, ivrs, madt

        if name == DMAR:
            self.dmar = dmar.read(data)
            return self.dmar.header, self.dmar.defects
        if name == IVRS:
            self.ivrs = ivrs.read(data)
            return self.ivrs.header, self.ivrs.defects
        self.madt = madt.read(data)
        return self.madt.header, self.madt.defects

    def cite(self, name: str, offset: int, said: str) -> Source:
        """The citation of an offset in a table."""
        return self.raw[name].cite(offset, f"{name} offset {offset}: {said}")

    def _fact(self, name: str, offset: int, label: str, value: Any) -> Fact:
        return Fact(value, (self.cite(name, offset, f"{label}: {value}"),))

    def _flag(self, mask: int, label: str) -> Fact:
        """A flag of the DMAR."""
        if self.dmar is not None and self.dmar.flags is not None:
            return self._fact(DMAR, 37, label, bool(self.dmar.flags & mask))
        return self._elsewhere(IVRS)

    def _info(self, label: str, value: bool | int | None) -> Fact:
        """A part of the IVRS's IVinfo."""
        return self._fact(IVRS, 36, label, value) if value is not None else self._elsewhere(DMAR)

    def _elsewhere(self, other: str) -> Fact:
        """What the table that was read does not hold, or what was not read."""
        table = next((table for table in self.tables if table.name == other), None)
        if table is not None:
            return Fact(None, (table.source,))
        return unknown(*self.wanted) if self.none is None else Fact(None, (self.none,))

    def _list(self, items: list[Any]) -> Listing:
        read = any(table.name != MADT for table in self.tables)
        complete = (read and self.complete) or (self.none is not None and not self.raw)
        return Listing(items, complete, () if complete else self.wanted)

    def _held(self) -> Held:
        """What units and devices both tables name."""
        held: Held = ([], [], [], [], [], [])
        if self.dmar is not None:
            in_dmar(self.dmar, held, lambda offset, said: self.cite(DMAR, offset, said))
        if self.ivrs is not None:
            in_ivrs(self.ivrs, held, lambda offset, said: self.cite(IVRS, offset, said))
        return held

    def facts(self) -> Acpi:
        """Everything."""
        units, reserved, ioapics, aliases, reporting, named = (self._list(one) for one in self._held())
        ivrs, dmar = self.ivrs, self.dmar
        protected = self._flag(4, "DMA_CTRL_PLATFORM_OPT_IN")
        width: Fact | None = None
        if dmar is not None and dmar.width is not None:
            width = self._fact(DMAR, 36, "bits of the host's addresses", dmar.width)
        elif ivrs is not None and ivrs.info is not None:
            protected = self._info("DMA remapping before the hand-over", ivrs.protected)
            width = self._info("bits of a physical address", ivrs.physical)
        return Acpi(
            tables=Listing(self.tables, bool(self.tables) or self.none is not None, self.wanted),
            defects=Listing(self.flaws, bool(self.tables) or self.none is not None, self.wanted),
            interrupt_remapping=self._flag(1, "INTR_REMAP"),
            x2apic_opt_out=self._flag(2, "X2APIC_OPT_OUT"),
            dma_opt_out=self._flag(8, "DMA_REMAP_OPT_OUT"),
            protected=protected,
            width=width or self._elsewhere(""),
            virtual_width=self._info("bits of a virtual address", ivrs and ivrs.virtual),
            feature_register=self._info("EFRSup", ivrs and ivrs.efr),
            ats_reserved=self._info("HtAtsResv", ivrs and ivrs.ats_reserved),
            units=units,
            reserved=reserved,
            ioapics=ioapics,
            unmapped_ioapics=self._unmapped(ioapics),
            southbridge_ioapic=self._south(ioapics),
            aliases=aliases,
            reporting=reporting,
            named=named,
        )

    def _unmapped(self, ioapics: Listing) -> Fact:
        """The ids of IOAPICs that the MADT names and the IOMMU's table does not."""
        if self.madt is None or not self.madt.complete or not ioapics.complete:
            return unknown(*(() if ioapics.complete else ioapics.wanted), TABLES + MADT)
        if self.none is not None and not ioapics:
            return Fact(None, (self.none,))
        known = {one.id for one in ioapics}
        missing = [one for one in self.madt.ioapics if one.id not in known]
        told = missing or list(self.madt.ioapics)
        sources = tuple(self.cite(MADT, one.offset, f"IOAPIC {one.id} at {one.base:#x}") for one in told)
        return Fact(Listing(one.id for one in missing), sources)

    def _south(self, ioapics: Listing) -> Fact:
        """Whether the IVRS names the IOAPIC of the south bridge."""
        if self.ivrs is None or self.ivrs.info is None:
            return self._elsewhere(DMAR)
        ids = {one.id for one in self.madt.ioapics} if self.madt is not None and self.madt.complete else None
        found = [one for one in ioapics if one.address == _SOUTH and (ids is None or one.id in ids)]
        if found:
            # The kernel looks it up by the id that the MADT gives it.
            return Fact(True, (found[0].source,), (), ids is None)
        if not ioapics.complete:
            return unknown(*self.wanted)
        said = f"no IOAPIC of this host at {_SOUTH[5:]}; " + (
            ", ".join(f"{one.id} at {one.address}" for one in ioapics) or "none"
        )
        return Fact(False, (self.cite(IVRS, 0, said),))


__all__ = ("Acpi", "Alias", "Flaw", "Ioapic", "Named", "Reporting", "Reserved", "Table", "Unit", "read", "tables")
