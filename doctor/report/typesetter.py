"""Loads WeasyPrint, without what it never needs for a report.

Half of the time of its import goes into fontTools, which is for fonts that HarfBuzz does not subset, and into Pillow,
for photographs, of which a report has none: they are loaded if they are called. And where it looks for its libraries,
it tries names that Linux does not use; for each of them cffi would start ldconfig and a compiler.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from io import StringIO
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# What WeasyPrint calls of each module; another release may use it otherwise, and then gets the module itself.
_LATER = {
    "fontTools.subset": ("Options", "Subsetter"),
    "fontTools.ttLib": ("TTFont",),
    "fontTools.ttLib.ttFont": (),
    "fontTools.ttLib.woff2": (),
    "fontTools.varLib.instancer": ("instantiateVariableFont",),
    "PIL.ImageCms": ("ImageCmsProfile",),
    "PIL.EpsImagePlugin": (),
    "PIL.Image": (),
    "PIL.ImageFile": (),
    "PIL.ImageOps": (),
}


class _Later(ModuleType):
    """Stands for a module until something of it is called."""

    def __getattr__(self, name: str) -> Any:
        module = self.__name__
        if name.startswith("__") or f"{module}.{name}" in _LATER:
            raise AttributeError(name)
        if name == "TTLibError":  # caught where a font cannot be read; its own class would need the module
            return Exception
        if name not in _LATER[module]:
            return getattr(_real(module), name)

        def call(*given: Any, **named: Any) -> Any:
            return getattr(_real(module), name)(*given, **named)

        return call


def _real(name: str) -> ModuleType:
    if isinstance(sys.modules.get(name), _Later):
        del sys.modules[name]
    return import_module(name)


def load() -> Any:
    """The module `weasyprint`. Raises OSError where a library that it needs is missing."""
    there = set(sys.modules)
    # Where a library is missing it prints a page of advice, which is not for a report's reader.
    with redirect_stdout(StringIO()):
        try:
            with _quickly():
                import weasyprint
        except (ImportError, OSError, TypeError, AttributeError):
            # Somewhere else the libraries may have those names, and another release may need what was left out.
            for name in [each for each in sys.modules if each.startswith("weasyprint") and each not in there]:
                del sys.modules[name]
            import weasyprint
    return weasyprint


@contextmanager
def _quickly() -> Iterator[None]:
    """While it is imported: stand-ins for what is not needed, and no search for names that are not there."""
    import ctypes.util

    standing = [name for name in _LATER if name not in sys.modules]
    find = ctypes.util.find_library
    if sys.platform == "linux":
        ctypes.util.find_library = lambda name: None
    sys.modules.update((name, _Later(name)) for name in standing)
    try:
        yield
    finally:
        ctypes.util.find_library = find
        for name in standing:
            if isinstance(sys.modules.get(name), _Later):
                del sys.modules[name]
