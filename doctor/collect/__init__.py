"""The collector: gathers what tells whether PCI devices can be passed through, read-only, on any host.

It uses the standard library only and Python 3.6 syntax, for it is also shipped alone. Import what is
needed from its modules: `catalogue` (what is collected), `gather`, `redact`, `pack`, `model`. This file
imports none of them, so that the analyser, which needs the catalogue, does not pay for the others.
"""

import sys

__all__ = ["version"]


def version() -> str:
    """Return the version of passdoctor that collects; "unknown" where the collector is shipped without it."""
    return str(getattr(sys.modules.get("doctor"), "__version__", "unknown"))
