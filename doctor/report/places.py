"""Where the report's templates are."""

from __future__ import annotations

from pathlib import Path


def template_folder() -> Path:
    """The folder of the templates: shipped inside the package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    shipped = package / "data" / "report_templates"
    return shipped if shipped.is_dir() else package.parent / "report_templates"
