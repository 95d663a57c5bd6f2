"""What passdoctor says in code, in the language that was chosen; English stands in the code and is the fallback.

The texts of rules and platforms are translated when they are compiled. What is put together here is looked up
in the table of the compiled knowledge, so a check in English does nothing but fill in the values.

>>> say("{count} devices of {host}", count=2, host="pve1")
'2 devices of pve1'
>>> speak("xx", {"unknown": "?", "broken {a}": "{b}"})
>>> say("unknown"), say("broken {a}", a=1), language()
('?', 'broken 1', 'xx')
>>> speak()
>>> say("unknown"), language()
('unknown', 'en')
"""

from __future__ import annotations

from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CHOSEN: ContextVar[tuple[str, Mapping[str, str]]] = ContextVar("language")
_WIDE_ENDS = "。！？；：）"
_ENGLISH: tuple[str, Mapping[str, str]] = ("en", {})


def speak(name: str = "", table: Mapping[str, str] | None = None) -> None:
    """From now on, in this thread, the language called `name` is spoken; `table` is English to it."""
    _CHOSEN.set((name, table) if name and table is not None else _ENGLISH)


def spoken() -> tuple[str, Mapping[str, str]]:
    """The language that is spoken now, as `speak` takes it."""
    return _CHOSEN.get(_ENGLISH)


def language() -> str:
    """The code of the language that is spoken."""
    return _CHOSEN.get(_ENGLISH)[0]


def sentences(parts: Iterable[str]) -> str:
    """Finished sentences one after the other; behind a full-width mark comes no blank.

    >>> sentences(["A b.", "C."]), sentences(["甲。", "乙。"])
    ('A b. C.', '甲。乙。')
    """
    told = ""
    for part in parts:
        told += part if not told or told[-1] in _WIDE_ENDS else f" {part}"
    return told


def say(text: str, **values: object) -> str:
    """`text` in the language that is spoken, with `values` in its holes; English where it has no such text."""
    told = _CHOSEN.get(_ENGLISH)[1].get(text, text)
    if not values:
        return told
    try:
        return told.format(**values)
    except (KeyError, IndexError, ValueError, AttributeError):
        return text.format(**values)
