"""`NamedTuple` that is made quickly.

typing's own looks at every annotation while a module is imported, which took a seventh of a whole check. Nobody
here asks a type for its annotations while it runs, so they are left alone; type checkers see typing's.

>>> class Point(NamedTuple):
...     x: int
...     y: int = 2
...     @property
...     def sum(self) -> int:
...         return self.x + self.y
>>> Point(1), Point(1).sum, Point(3, 4)._replace(x=5), Point._fields
(Point(x=1, y=2), 3, Point(x=5, y=4), ('x', 'y'))
"""

from __future__ import annotations

from collections import namedtuple

__all__ = ["NamedTuple"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    _OWN = frozenset(("__module__", "__qualname__", "__annotations__", "__orig_bases__", "__classcell__"))

    class _Made(type):
        def __new__(mcs, name, bases, space):
            fields = tuple(space.get("__annotations__", ()))
            values = [space[field] for field in fields if field in space]
            made = namedtuple(name, fields, defaults=values, module=space["__module__"])
            made.__annotations__ = space.get("__annotations__", {})
            made.__qualname__ = space.get("__qualname__", name)
            for key, value in space.items():
                if key not in _OWN and key not in fields:
                    setattr(made, key, value)
                    getattr(type(value), "__set_name__", _nothing)(value, made, key)
            return made

    def _nothing(*_):
        """Most attributes need not know their name."""

    NamedTuple = type.__new__(_Made, "NamedTuple", (), {})
