"""What log lines say of one device: those that name it, or its IOMMU group where they name no device."""

from __future__ import annotations

from doctor.facts.fact import Fact, Listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doctor.facts.messages import Event, Log


class Said:
    """The events that name a device, or its IOMMU group where they name no device."""

    def __init__(self, log: Log, address: str, group: str | None) -> None:
        """`group` is its number as text, None while it is not known."""
        self._log, self._address, self._group = log, address, group

    def all(self, name: str) -> list[Event]:
        """The events called `name`."""
        return [event for event in self._log.all(name) if self._about_me(event)]

    def lookup(self, name: str) -> Fact:
        """The same as a fact; known to be none where no line says it."""
        events = self.all(name)
        return Fact(Listing(events), tuple(event.source for event in events[:3]))

    def _about_me(self, event: Event) -> bool:
        named = event.lookup("device")
        if named is not None:
            return bool(named.value == self._address)
        short = self._address.partition(":")[2]
        if "=" + self._address in event.text or "=" + short in event.text:
            return True
        return self._group is not None and event.fields.get("group") == self._group
