"""`NamedTuple` that is made quickly where the analyser is there; else typing's, which loads typing.

>>> class Point(NamedTuple):
...     x: int
...     y: int = 2
>>> Point(1)
Point(x=1, y=2)
"""

__all__ = ["NamedTuple"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    try:
        from doctor.record import NamedTuple
    except Exception:  # it is not in the collector alone, and no Python before 3.10 reads it
        from typing import NamedTuple
