"""What the functions of `report_templates/plan.sh` say, in the language that is spoken.

>>> spoken('    stop "no file is there"')
'    stop "no file is there"'
"""

from __future__ import annotations

import re

from doctor.later import later
from doctor.say import say

MESSAGE = later(r"""\b(?:stop|told) "([^"`\\]{1,300})"|printf 'passdoctor: ([^'`\\]{1,300})\\n'""")
_FILLED = later(r"\$\w+(?:/\$?\w+)*|%s")  # what the shell or printf fills in


def messages(text: str) -> list[str]:
    """The sentences in a piece of shell, as they stand there.

    >>> messages('stop "$1 is not there"; told "$1"')
    ['$1 is not there']
    """
    found = [one[1] or one[2] for one in MESSAGE.finditer(text)]
    return [one for one in found if re.search(r"[a-z]{3} \S", one)]


def spoken(line: str) -> str:
    """A line of shell with its sentences translated; one that would change what the shell reads stays as it is."""

    def told(found: re.Match[str]) -> str:
        english = found[1] or found[2]
        other = say(english)
        same = sorted(_FILLED.findall(english)) == sorted(_FILLED.findall(other))
        # In double or single quotes these would end the text or begin a command.
        if not same or other.count("$") != english.count("$") or any(mark in other for mark in "\"'`\\"):
            return found[0]
        return found[0].replace(english, other)

    return MESSAGE.sub(told, line)
