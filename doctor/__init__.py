"""passdoctor: can this PCI device be given to a virtual machine, and if not, what exactly must be done?

The public Python API is small::

    report = doctor.examine("paste.txt")      # a Report: the JSON report as a typed dictionary
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doctor.report.model import Report

__version__ = "0.1.0"
__all__ = ["__version__", "examine"]


def examine(
    path: str | None = None,
    devices: tuple[str, ...] = (),
    *,
    profile: str | None = None,
    waivers: str | None = None,
) -> Report:
    """Examine PATH (bundle, directory, sosreport, paste; None: this host) and return the report.

    `devices`, `profile` and `waivers` are what `--device`, `--profile` and `--waivers` take. Raises
    `doctor.evidence.types.InputError` for unreadable input, `doctor.diagnosis.targets.UnknownDevice` for a device the
    evidence does not show, and `doctor.knowledge.document.KnowledgeError` for a profile or waivers that are wrong.
    """
    from doctor.examine import Terms
    from doctor.examine import examine as run

    return run(path, terms=Terms(devices, profile=profile, waivers=waivers))


class _Package(ModuleType):
    """This package. The import system would put its module `examine` in the place of the function."""

    def __setattr__(self, name: str, value: object) -> None:
        if name != "examine":
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
