"""The live host: `collect` into memory, nothing else. Nothing is redacted, for nothing leaves the host."""

from __future__ import annotations

from doctor.evidence.types import Evidence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def open_host(progress: Callable[[str], None] | None = None) -> Evidence:
    """The evidence of this host."""
    from doctor.collect.gather import gather
    from doctor.evidence.bundle import from_collected

    return from_collected(gather(progress=progress), "host", "this host")
