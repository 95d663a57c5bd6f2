"""One module a kind of foreign bundle, each with its `KIND`; whatever lies in this folder is a kind."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doctor.evidence.kind import Kind


def all_kinds() -> list[Kind]:
    """Every kind, by the name of its module."""
    from importlib import import_module
    from pkgutil import iter_modules

    names = sorted(module.name for module in iter_modules(__path__))
    return [import_module(f"{__name__}.{name}").KIND for name in names]
