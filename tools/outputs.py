"""Renews what the documents show of passdoctor's output, or with --check says which are not up to date.

A block that begins with ```text output holds paragraphs of what the last command of the ```sh block before it prints,
80 columns wide. A paragraph is known by its beginning and taken anew; a line … stands for paragraphs that are left
out, or at a paragraph's end for its other lines. Look at what has changed before you commit it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CUT = "…"
_KNOWN_BY = 20  # characters of a paragraph's first line
_BLOCK = re.compile(r"^```([a-z]*)( [a-z-]+)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class OutputError(ValueError):
    """A block shows what its command does not print."""


def renewed(text: str, run: Callable[[str], str]) -> str:
    """A document with every such block as its command prints it; `run` takes a command and returns its output.

    >>> text = "```sh\\nls\\n```\\n\\n```text output\\nNOT READY: all of\\n…\\n\\n…\\n```\\n"
    >>> print(renewed(text, lambda command: "NOT READY: all of it\\nb\\n\\nEVERYTHING ELSE\\n")[13:])
    <BLANKLINE>
    ```text output
    NOT READY: all of it
    …
    <BLANKLINE>
    …
    ```
    <BLANKLINE>
    """
    command = ""

    def one(block: re.Match[str]) -> str:
        nonlocal command
        if block[1] == "sh":
            command = block[3].rstrip("\n").split("\n")[-1].partition("  #")[0]
        if block[2] != " output":
            return block[0]
        try:
            shown = _chosen(block[3], run(command))
        except OutputError as error:
            raise OutputError(f"{command}: {error}") from None
        return f"```{block[1]} output\n{shown}\n```"

    return _BLOCK.sub(one, text)


def _chosen(shown: str, printed: str) -> str:
    """The paragraphs of `printed` that `shown` has."""
    there = printed.strip("\n").split("\n\n")
    found = []
    for paragraph in shown.strip("\n").split("\n\n"):
        lines = paragraph.split("\n")
        if lines == [CUT]:
            found.append(CUT)
            continue
        begin = lines[0][:_KNOWN_BY]
        own = next((one.split("\n") for one in there if one.startswith(begin)), None)
        if own is None:
            raise OutputError(f"prints no paragraph that begins with {begin!r}")
        if lines[-1] == CUT and len(lines) - 1 < len(own):
            own = [*own[: len(lines) - 1], CUT]
        found.append("\n".join(own))
    return "\n\n".join(found)


def printed(command: str) -> str:
    """What a command of passdoctor prints, run where the samples are."""
    words = shlex.split(command)
    if words[:1] != ["passdoctor"]:
        raise OutputError("is not a command of passdoctor alone")
    environment = {
        **os.environ,
        "COLUMNS": "80",
        "PYTHONPATH": str(ROOT),
        "LC_ALL": "C.UTF-8",
        "SOURCE_DATE_EPOCH": "0",
    }
    done = subprocess.run(
        [sys.executable, "-m", "doctor", *words[1:]], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    return done.stdout


def documents() -> list[Path]:
    """The documents that may show output."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def main() -> int:
    """Renew them, or with --check say which are not up to date."""
    stale, wrong = [], 0
    for path in documents():
        text = path.read_text("utf-8")
        try:
            now = renewed(text, printed)
        except OutputError as error:
            sys.stderr.write(f"{path.relative_to(ROOT)}: {error}\n")
            wrong += 1
            continue
        if now != text and "--check" in sys.argv[1:]:
            stale.append(str(path.relative_to(ROOT)))
        elif now != text:
            path.write_text(now, "utf-8")
    if stale:
        sys.stderr.write(f"not up to date, run `make outputs`: {', '.join(stale)}\n")
    return 1 if stale or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
