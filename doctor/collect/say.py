"""What the collector says to people. Alone it speaks English; passdoctor hands it the texts of another language.

>>> say("{count} more", count=2)
'2 more'
>>> speak({"{count} more": "+{count}", "gone {x}": "{y}"})
>>> say("{count} more", count=2), say("gone {x}", x=1)
('+2', 'gone 1')
>>> speak()
>>> say("{count} more", count=2)
'2 more'
"""

from typing import Callable, Dict, List, Mapping, Optional

__all__ = ["said", "say", "speak"]

_TEXTS: Dict[str, str] = {}
_TELL: List[Callable[[str], str]] = []


def speak(texts: Optional[Mapping[str, str]] = None, tell: Optional[Callable[[str], str]] = None) -> None:
    """From now on TEXTS are said, English to another language, and finished lines as TELL has them; else English."""
    _TEXTS.clear()
    _TEXTS.update(texts or {})
    _TELL[:] = [tell] if tell is not None else []


def said(line: str) -> str:
    """Return a finished English line, such as the reason in an entry, in the language that is spoken."""
    return _TELL[0](line) if _TELL else line


def say(text: str, **values: object) -> str:
    """Return TEXT in the language that is spoken, with VALUES in its holes."""
    told = _TEXTS.get(text, text)
    if not values:
        return told
    try:
        return told.format(**values)
    except (KeyError, IndexError, ValueError, AttributeError):
        return text.format(**values)
