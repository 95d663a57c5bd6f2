"""passdoctor: can this PCI device be given to a virtual machine, and if not, what exactly must be done?

The public Python API is small::

    report = doctor.examine("paste.txt")      # a Report: the JSON report as a typed dictionary
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doctor.report.model import Report

__version__ = "0.1.0"
__all__ = ["__version__", "examine"]


def examine(path: str | None = None, devices: tuple[str, ...] = ()) -> Report:
    """Examine PATH (bundle, directory, sosreport, paste; None: this host) and return the report.

    `devices` are what `--device` takes. Raises `doctor.evidence.InputError` for unreadable input and
    `doctor.diagnosis.targets.UnknownDevice` for a device the evidence does not show.
    """
    from doctor.examine import examine as run

    return run(path, devices)
