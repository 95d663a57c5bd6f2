"""Lines as the machine printed or the user typed them, where publishing surely changed them.

>>> mend = Mender()
>>> mend.line("root＠pve：～＃ ｃａｔ ／etc／modules"), mend.line("你好，请帮忙"), mend.line("[b]/etc/modules[/b]")
('root@pve:~# cat /etc/modules', '你好，请帮忙', '/etc/modules')
"""

from __future__ import annotations

from doctor.evidence import tables, typography
from doctor.evidence.prompts import prompt
from doctor.evidence.shapes import heading, shape


class Mender:
    """Mends one line after another; it remembers the heading of a table."""

    def __init__(self) -> None:
        self._columns: list[str] = []

    def line(self, text: str) -> str:
        """The mended line; the same text where nothing is certain."""
        text = typography.spaced(typography.untagged(text))
        if typography.damaged(text) and text.lstrip()[:1] != "<":
            bare = typography.plain(text)
            if (bare.isascii() and not text.isascii()) or (_known(bare) and not _known(text)):
                text = bare
        return self._row(text)

    def _row(self, text: str) -> str:
        """A table's row as lspci would have printed its device; any other line as it is."""
        row = tables.cells(text) if text[:8].lstrip()[:1] == "|" else []
        if not row:
            self._columns = self._columns if text.lstrip()[:2] in ("|-", "|:", "| ") else []
            return text
        shown = tables.device(row, self._columns)
        self._columns = self._columns if shown is not None else row
        return shown or text


def _known(text: str) -> bool:
    return shape(text) is not None or prompt(text) is not None or heading(text) is not None
