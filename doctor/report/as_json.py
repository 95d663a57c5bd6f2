"""The report as JSON: the published contract, written as it is."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself costs more than the rest of this module
    from doctor.report.model import Report


def render(report: Report) -> str:
    r"""One JSON object in ASCII, one line for each entry of a list, so that a person can read and compare it.

    ASCII keeps control characters and bidirectional overrides out of the terminal it may be printed on.

    >>> render({"schema_version": "1.0", "checks": [{"title": "\u202e"}, {}]})  # type: ignore
    '{\n"schema_version": "1.0",\n"checks": [\n{"title": "\\u202e"},\n{}\n]\n}\n'
    """
    # json's own indentation would do, but is written in Python and takes ten times as long.
    parts = []
    for key, value in report.items():
        listed = isinstance(value, list) and value
        written = "[\n" + ",\n".join(map(_dump, listed)) + "\n]" if listed else _dump(value)
        parts.append(f'"{key}": {written}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


_dump = json.JSONEncoder(ensure_ascii=True).encode
