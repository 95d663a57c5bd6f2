"""Where the report's templates are."""

from __future__ import annotations

from pathlib import Path


def template_folder() -> Path:
    """The folder of the templates: shipped inside the package, or beside it in a checkout."""
    shipped = _package() / "data" / "report_templates"
    return shipped if shipped.is_dir() else _package().parent / "report_templates"


def code_folder() -> Path:
    """The folder of the code that was made of the templates, if it was made."""
    return _package() / "data" / "templates"


def _package() -> Path:
    return Path(__file__).resolve().parent.parent
