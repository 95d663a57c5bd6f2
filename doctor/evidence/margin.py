"""What stands before the lines of a paste and is no part of them: quote marks, line numbers, indentation.

>>> rows = ["  > 7: root@pve:~# lsmod", "  > 8: Module Size Used by", "  >", "  > 10:   x", "  > 11: y"]
>>> strip(rows)
>>> rows
['root@pve:~# lsmod', 'Module Size Used by', '', '  x', 'y']
"""

from __future__ import annotations

from doctor.later import later

_MARGIN = 40  # characters in which a line mostly begins
_QUOTE = later(r"\s{0,3}(?:>\s?){1,5}")
_NUMBER = later(r"\s{0,8}(\d{1,6})(?:(\s?[:.)|│])(?:\s|$)|(:)(?=\D|\d{4})|\t|\s|$)")
_SAMPLE = 40  # lines by which it is judged whether leading numbers are line numbers
_FEWEST = 3  # lines that make a run of numbers; two do if the text has no other


def strip(rows: list[str]) -> None:
    """Takes the margin off the rows, in place; rows stay as many and in their order."""
    for at, row in enumerate(rows):
        if _first(row) == ">":
            rows[at] = _QUOTE.sub("", row, count=1)
    _unnumber(rows)
    _dedent(rows)


def _first(row: str) -> str:
    """The first character that is no blank, if any."""
    return row[:_MARGIN].lstrip()[:1] or row.lstrip()[:1]


def _unnumber(rows: list[str]) -> None:
    """Takes the line numbers off every run of lines that are numbered one after another.

    Numbers count as line numbers only if more lines make sense without them: rows of a table may be numbered, too.
    """
    run: list[int] = []  # indices of numbered rows
    last, style, filled, blanks = -1, "", 0, 0
    for at, row in enumerate(rows):
        first = _first(row)
        if not first:
            blanks += 1
            continue
        filled += 1
        found = _NUMBER.match(row) if first in "0123456789" else None
        number = int(found.group(1)) if found else -1
        mark = ((found.group(2) or found.group(3) or "").strip() or " ") if found else ""
        if run and number in (last + 1, last + 1 + blanks) and mark == style:
            run.append(at)
        else:
            _take_off(rows, run, False)
            run = [at] if found else []
            style = mark
        last, blanks = number, 0
    _take_off(rows, run, len(run) == filled)


def _take_off(rows: list[str], run: list[int], whole: bool) -> None:
    if len(run) < (2 if whole else _FEWEST):
        return
    from doctor.evidence.prompts import prompt
    from doctor.evidence.shapes import heading, shape

    def said(text: str) -> bool:
        return shape(text) is not None or prompt(text) is not None or heading(text) is not None

    sample = [rows[at] for at in run[:_SAMPLE]]
    if sum(said(_NUMBER.sub("", row, count=1)) for row in sample) > sum(map(said, sample)):
        for at in run:
            rows[at] = _NUMBER.sub("", rows[at], count=1)


def _dedent(rows: list[str]) -> None:
    """Takes away the indentation that all lines share, or else that of each block of code between blank lines."""
    if not _shared(rows, range(len(rows))):
        start: int | None = None  # of a run of indented rows that a blank row introduces
        after_blank = True
        for at, row in enumerate(rows):
            blank = not _first(row)
            indented = row.startswith(("    ", "\t"))
            if start is None and indented and not blank and after_blank:
                start = at
            elif start is not None and not blank and not indented:
                _shared(rows, range(start, at))
                start = None
            after_blank = blank
        if start is not None:
            _shared(rows, range(start, len(rows)))


def _shared(rows: list[str], span: range) -> bool:
    """Takes away the indentation that all filled rows of `span` share; whether there was any."""
    shared: str | None = None
    for at in span:
        row = rows[at]
        if not _first(row):
            continue
        lead = row[:_MARGIN][: len(row[:_MARGIN]) - len(row[:_MARGIN].lstrip())]
        shared = lead if shared is None else shared
        while not lead.startswith(shared):
            shared = shared[:-1]
        if not shared:
            return False
    for at in span if shared else ():
        rows[at] = rows[at][len(shared or "") :]
    return bool(shared)
