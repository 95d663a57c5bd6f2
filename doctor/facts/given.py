"""The devices that are meant for guests, taken together: what a check of the host asks about all of them.

>>> from doctor.evidence.types import Evidence, Piece
>>> from doctor.facts.host import Host
>>> from doctor.facts.target import TargetFacts
>>> from doctor.knowledge.store import load
>>> text = "01:00.0 VGA compatible controller [0300]: X [10de:2204]"
>>> text += "\\n\\tCapabilities: [1e0] Address Translation Service (ATS)"
>>> text += "\\n\\t\\tATSCap:\\tInvalidate Queue Depth: 00\\n\\t\\tATSCtl:\\tEnable+, Smallest Translation Unit: 00"
>>> host = Host(Evidence("paste", "p", [Piece("cmd/lspci-nnk", text, "p", 1, "lspci -nnvv")]), load())
>>> Given([TargetFacts(host, "0000:01:00.0", "--device 01:00.0", False, {})]).ats_on.value
('0000:01:00.0',)
"""

from __future__ import annotations

from functools import cached_property

from doctor.facts.fact import Fact, Listing, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from doctor.facts.target import TargetFacts


class Given:
    """The targets of a diagnosis. devices: all of them, as `TargetFacts`; ats_on: addresses of those with ATS on.

    joined: functions that the hardware groups with them, whatever an ACS override makes the kernel believe.
    """

    SHOWN = ("devices", "ats_on", "joined")

    def __init__(self, targets: Sequence[TargetFacts]) -> None:
        """`targets` in their order."""
        self.devices = Listing(targets)

    @cached_property
    def ats_on(self) -> Fact:
        """The addresses of the devices whose ATS is known to be on."""
        facts = [(target.address, target.ats_on) for target in self.devices]
        found = [(address, fact) for address, fact in facts if fact.value is True]
        wanted = tuple(dict.fromkeys(path for _, fact in facts if not fact.known for path in fact.wanted))
        listing = Listing((address for address, _ in found), not wanted, wanted)
        return Fact(listing, tuple(source for _, fact in found for source in fact.sources[:1]))

    @cached_property
    def joined(self) -> Fact:
        """The other functions that hardware groups with a device; unknown where that of one device is not known."""
        facts = [target.joined for target in self.devices]
        wanted = tuple(dict.fromkeys(path for fact in facts if not fact.known for path in fact.wanted))
        found = {one.address: one for fact in facts if fact.known for one in fact.value}
        if not facts or (wanted and not found):
            return unknown(*wanted)
        return Fact(Listing(found.values(), not wanted, wanted), tuple(s for fact in facts for s in fact.sources[:2]))
