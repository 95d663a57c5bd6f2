"""Where the report's templates are."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def template_folder() -> Path:
    """The folder of the templates: shipped inside the package, or beside it in a checkout."""
    shipped = _PACKAGE / "data" / "report_templates"
    return shipped if shipped.is_dir() else _PACKAGE.parent / "report_templates"


def code_folder() -> Path:
    """The folder of the code that was made of the templates, if it was made."""
    return _PACKAGE / "data" / "templates"
