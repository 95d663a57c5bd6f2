"""`NamedTuple` that is made quickly.

typing's own looks at every annotation while a module is imported, and `collections.namedtuple` compiles a
constructor for each class: together a fifth of a whole check. Nobody here asks a type for its annotations while it
runs, and a constructor is the same code for every class with as many fields, so here it is only renamed. Type
checkers see typing's.

>>> class Point(NamedTuple):
...     x: int
...     y: int = 2
...     @property
...     def sum(self) -> int:
...         return self.x + self.y
>>> Point(1), Point(1).sum, Point(y=3, x=4)._replace(x=5), Point._fields
(Point(x=1, y=2), 3, Point(x=5, y=3), ('x', 'y'))
"""

from __future__ import annotations

__all__ = ["NamedTuple"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    try:
        from _collections import _tuplegetter
    except ImportError:
        from operator import itemgetter

        def _tuplegetter(at, doc):
            return property(itemgetter(at), doc=doc)

    _new = tuple.__new__
    # A constructor for each number of fields; more than these come from `collections.namedtuple`.
    _CONSTRUCTORS = (
        lambda _cls: _new(_cls, ()),
        lambda _cls, a: _new(_cls, (a,)),
        lambda _cls, a, b: _new(_cls, (a, b)),
        lambda _cls, a, b, c: _new(_cls, (a, b, c)),
        lambda _cls, a, b, c, d: _new(_cls, (a, b, c, d)),
        lambda _cls, a, b, c, d, e: _new(_cls, (a, b, c, d, e)),
        lambda _cls, a, b, c, d, e, f: _new(_cls, (a, b, c, d, e, f)),
        lambda _cls, a, b, c, d, e, f, g: _new(_cls, (a, b, c, d, e, f, g)),
        lambda _cls, a, b, c, d, e, f, g, h: _new(_cls, (a, b, c, d, e, f, g, h)),
        lambda _cls, a, b, c, d, e, f, g, h, i: _new(_cls, (a, b, c, d, e, f, g, h, i)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j: _new(_cls, (a, b, c, d, e, f, g, h, i, j)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k: _new(_cls, (a, b, c, d, e, f, g, h, i, j, k)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k, m: _new(_cls, (a, b, c, d, e, f, g, h, i, j, k, m)),
    )
    _Function = type(_CONSTRUCTORS[0])

    def _constructor(fields, values):
        if len(fields) >= len(_CONSTRUCTORS):
            from collections import namedtuple

            return namedtuple("_Large", fields, defaults=values).__new__
        model = _CONSTRUCTORS[len(fields)]
        code = model.__code__.replace(co_varnames=("_cls", *fields), co_name="__new__")
        return _Function(code, model.__globals__, "__new__", values or None)

    class _Record(tuple):
        """What all records can do, as `collections.namedtuple` has it."""

        __slots__ = ()

        @classmethod
        def _make(cls, values):
            made = _new(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
            return made

        def _replace(self, /, **values):
            made = self._make(map(values.pop, self._fields, self))
            if values:
                raise ValueError(f"Got unexpected field names: {list(values)!r}")
            return made

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            shown = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
            return f"{type(self).__name__}({shown})"

        def __getnewargs__(self):
            return tuple(self)

    class _Made(type):
        def __new__(mcs, name, bases, space):
            annotations = space.get("__annotations__", {})
            fields = tuple(annotations)
            defaults = {field: space.pop(field) for field in fields if field in space}
            space.update({field: _tuplegetter(at, "") for at, field in enumerate(fields)})
            space.setdefault("__slots__", ())
            space.update(
                _fields=fields,
                _field_defaults=defaults,
                __match_args__=fields,
                __new__=_constructor(fields, tuple(defaults.values())),
            )
            space.pop("__orig_bases__", None)
            return type.__new__(type, name, (_Record,), space)

    NamedTuple = type.__new__(_Made, "NamedTuple", (), {})
