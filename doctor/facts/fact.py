"""A typed value with its sources, or unknown with what would settle it."""

from __future__ import annotations

from doctor.evidence.types import Source
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final


class _Unknown:
    """The value of what is not known; never true, never false: the evaluator asks for it by identity."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("an unknown value has no truth: compare it with `is UNKNOWN`")


UNKNOWN: Final = _Unknown()


class Fact(NamedTuple):
    """A value, where it was read, and, while it is UNKNOWN, the evidence paths that would settle it.

    `weak` marks a value that rests on an inference rather than on a proof.
    """

    value: Any
    sources: tuple[Source, ...] = ()
    wanted: tuple[str, ...] = ()
    weak: bool = False

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return self.value is not UNKNOWN


def unknown(*wanted: str) -> Fact:
    """A fact that the evidence does not settle; the paths `wanted` would."""
    return Fact(UNKNOWN, (), wanted)


class Listing(tuple["Any", ...]):
    """A tuple that knows whether it is complete, and what would complete it.

    >>> Listing((1, 2), complete=False).complete
    False
    """

    complete: bool
    wanted: tuple[str, ...]

    def __new__(cls, items: Any = (), complete: bool = True, wanted: tuple[str, ...] = ()) -> Listing:
        """The `items`, complete or not."""
        self = super().__new__(cls, items)
        self.complete, self.wanted = complete, wanted
        return self


class Contradiction(NamedTuple):
    """Two sources that disagree about a fact, and which one was believed."""

    fact: str
    sources: tuple[Source, ...]
    resolved: str
