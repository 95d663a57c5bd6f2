"""The templates, as Python code where that was made beforehand: to compile them takes longer than to fill them in.

The wheel holds that code, and `make` writes it into a checkout. It is used only if it was made from this very
template by this very version of Jinja2; else the template is compiled as it is read.
"""

from __future__ import annotations

from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2 import Environment, FileSystemLoader

from doctor.report.places import code_folder, template_folder

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from pathlib import Path

    from jinja2 import Template

FILTERS = ("names", "short", "translate")  # of the report's own


class _Loader(FileSystemLoader):
    """Loads a template's code if it fits, else the template."""

    def load(
        self,
        environment: Environment,
        name: str,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002
    ) -> Template:
        code = _code(name, self.get_source(environment, name)[0])
        if code is None:
            return super().load(environment, name, globals)
        return environment.template_class.from_module_dict(environment, code, globals or {})


def environment(filters: dict[str, Callable[..., object]], folder: Path | None = None) -> Environment:
    """What the templates are filled in with; everything they are given is escaped."""
    made = Environment(
        loader=_Loader(folder or template_folder()), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    made.filters.update(filters)
    return made


def compile_into(target: Path, folder: Path | None = None) -> None:
    """Write the code of every template into the folder `target`."""
    made = environment(dict.fromkeys(FILTERS, str), folder)
    made.optimized = False  # nothing is worked out beforehand with filters that only stand for others
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted((folder or template_folder()).glob("*.j2")):
        source = path.read_text("utf-8")
        code = made.compile(source, path.name, path.name, raw=True, defer_init=True)
        (target / f"{_module(path.name)}.py").write_text(f'MADE_OF = "{_mark(source)}"\n{code}\n', "utf-8")


def _code(name: str, source: str) -> MutableMapping[str, Any] | None:
    """The code of a template, None if there is none that was made of `source`."""
    path = code_folder() / f"{_module(name)}.py"
    # By its place and not by a name, for it is made, and no part of the house.
    spec = spec_from_file_location(f"passdoctor_{_module(name)}", path)
    if spec is None or spec.loader is None or not path.is_file():
        return None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found = vars(module)
    return found if found.get("MADE_OF") == _mark(source) else None


def _module(name: str) -> str:
    return name.replace(".", "_")


def _mark(source: str) -> str:
    return f"{jinja2.__version__} {sha256(source.encode()).hexdigest()}"
