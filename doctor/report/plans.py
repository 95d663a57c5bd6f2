"""The formats of a treatment plan alone: for a terminal, as a script, as a unified diff, as JSON."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from doctor.report.model import Report


def write(report: Report, form: str, **how: Any) -> str:
    """The plan of `report` in the format `form`: terminal, sh (which takes `undo` and `knowing`), diff or json."""
    if form == "sh":
        from doctor.report import script

        return script.render(report, **how)
    if form == "json":
        return json.dumps(report["plan"], ensure_ascii=False, indent=2)
    if form == "diff":
        return "".join(change["diff"] for step in report["plan"]["steps"] for change in step["files"])
    from doctor.report import terminal

    return terminal.render_plan(report)
