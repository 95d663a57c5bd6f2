"""A YAML file of knowledge, and where each thing in it stands.

Files may come from anybody, so reading one is bounded: in size, in depth, and in what aliases and merges
unfold to. A key that stands twice in a mapping is refused, for YAML would take the last without a word.

>>> document = Document("own.yaml", "- id: x\\n  fail: iommu.activ and vendor\\n")
>>> document.value
[{'id': 'x', 'fail': 'iommu.activ and vendor'}]
>>> document.place((0, "fail"), "activ")
(2, 15)
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

LONGEST = 1024 * 1024  # characters of a file
LARGEST = 100_000  # things in a file, what aliases and merges repeat counted each time
DEEPEST = 40  # things inside one another
_MERGE = "tag:yaml.org,2002:merge"

Trail = tuple[Any, ...]


class KnowledgeError(ValueError):
    """A file of rules is wrong. The message names the file, and line and column where they are known."""


class Fault(KnowledgeError):
    """A wrong thing inside a document: its trail there, and the words that are wrong if they are known."""

    def __init__(self, trail: Trail, text: str, needle: str = "", key: bool = False) -> None:
        """`key`: the key at the trail is meant, not its value."""
        super().__init__(text)
        self.trail, self.text, self.needle, self.key = trail, text, needle, key

    def inside(self, *above: Any) -> Fault:
        """The same, seen from further up."""
        return Fault((*above, *self.trail), self.text, self.needle, self.key)


class _Loader(yaml.SafeLoader):
    """A loader that stops where things stand too deep inside one another, before it costs time."""

    def fetch_flow_collection_start(self, token: Any) -> None:
        """Brackets and braces."""
        self._deep(self.flow_level)
        super().fetch_flow_collection_start(token)

    def add_indent(self, column: int) -> bool:
        """Lists and mappings by indentation."""
        self._deep(len(self.indents))
        return bool(super().add_indent(column))

    def _deep(self, depth: int) -> None:
        if depth > DEEPEST:
            why = f"more than {DEEPEST} things inside one another"
            raise yaml.MarkedYAMLError(problem=why, problem_mark=self.get_mark())


class _Texts(_Loader):
    """A loader that takes nothing for a number or a date: `01:00.0` would be sixty, as sexagesimal."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as the base class has it


class Document:
    """The value of a YAML file, and the line and column of everything in it."""

    def __init__(self, path: str | Path, text: str, texts: bool = False) -> None:
        """Parses `text`, which stands in the file `path`; with `texts`, every value stays as it is written.

        Raises KnowledgeError.
        """
        self.path, self._text = str(path), text
        if len(text) > LONGEST:
            raise KnowledgeError(f"{path}: longer than {LONGEST} characters")
        self._root: Any = None
        try:
            loader = (_Texts if texts else _Loader)(text)
            self._root = loader.get_single_node()
            if self._root is not None:
                self._bounded(self._root)
            self.value: Any = loader.construct_document(self._root) if self._root is not None else None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
            said = " ".join(str(getattr(error, "problem", None) or getattr(error, "reason", None) or error).split())
            if getattr(error, "context", None) == "while scanning an alias":
                said = "a * that begins a value needs quotes"
            raise KnowledgeError(f"{path}{place}: {said}") from None
        except ValueError as error:
            if isinstance(error, KnowledgeError):
                raise
            # A date or number that has its form and is none, such as 2024-13-40.
            raise KnowledgeError(f"{path}:1:1: {error}") from None

    def place(self, trail: Trail, needle: str = "", key: bool = False) -> tuple[int, int]:
        """Line and column of what stands at `trail` (keys and numbers from the root), both from 1.

        With `key` that of its key; with `needle` that of these words inside it, if they are there. Where the
        trail ends early, the last thing on it is meant.
        """
        node, before = self._root, None
        for number, step in enumerate(trail):
            found = _inside(node, step)
            if found is None:
                break
            name, node = found
            before = name if number == len(trail) - 1 else None
        if node is None:
            return 1, 1
        mark = before.start_mark if key and before is not None else node.start_mark
        if needle and not key:
            raw = self._text[mark.index : node.end_mark.index]
            hit = re.search(rf"(?<![\w.]){re.escape(needle)}(?!\w)", raw) or re.search(
                rf"(?<!\w){re.escape(needle)}(?!\w)", raw
            )
            at = hit.start() if hit else raw.find(needle)
            if at >= 0:
                above = raw.count("\n", 0, at)
                return mark.line + above + 1, at - raw.rfind("\n", 0, at) if above else mark.column + at + 1
        return mark.line + 1, mark.column + 1

    def says(self, fault: Fault) -> str:
        """A fault as people and editors read it: file:line:column: text."""
        line, column = self.place(fault.trail, fault.needle, fault.key)
        return f"{self.path}:{line}:{column}: {fault.text}"

    def _bounded(self, root: Any) -> None:
        """Refuses what is too deep, too large once it is unfolded, a circle, or a key given twice."""
        sizes: dict[int, int] = {}
        inside: set[int] = set()

        def size(node: Any, depth: int) -> int:
            if id(node) in sizes:
                return sizes[id(node)]
            if depth > DEEPEST or id(node) in inside:
                why = f"more than {DEEPEST} things inside one another"
                raise self._at(node, "it holds itself" if id(node) in inside else why)
            inside.add(id(node))
            total = 1 + sum(size(child, depth + 1) for child in _children(node))
            inside.discard(id(node))
            if total > LARGEST:
                raise self._at(node, f"it unfolds to more than {LARGEST} things")
            sizes[id(node)] = total
            if isinstance(node, yaml.MappingNode):
                self._once(node)
            return total

        size(root, 0)

    def _once(self, node: Any) -> None:
        """Refuses a key that stands twice in a mapping."""
        seen: set[str] = set()
        for name, _ in node.value:
            if isinstance(name, yaml.ScalarNode) and name.tag != _MERGE:
                if name.value in seen:
                    raise self._at(name, f"the key {name.value} stands here twice")
                seen.add(name.value)

    def _at(self, node: Any, text: str) -> KnowledgeError:
        return KnowledgeError(f"{self.path}:{node.start_mark.line + 1}:{node.start_mark.column + 1}: {text}")


def read(path: Path, texts: bool = False) -> Document:
    """The file at `path`, `texts` as of Document. Raises KnowledgeError with file, line and column."""
    try:
        if path.stat().st_size > 4 * LONGEST:
            raise KnowledgeError(f"{path}: longer than {LONGEST} characters")
        return Document(path, path.read_text("utf-8"), texts)
    except (OSError, UnicodeDecodeError) as error:
        raise KnowledgeError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _children(node: Any) -> list[Any]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _inside(node: Any, step: Any) -> tuple[Any, Any] | None:
    """The key's node (None in a list) and the value's for one step of a trail; merged mappings count."""
    if isinstance(node, yaml.SequenceNode):
        return (None, node.value[step]) if isinstance(step, int) and step < len(node.value) else None
    if not isinstance(node, yaml.MappingNode):
        return None
    for name, value in reversed(node.value):  # what is merged stands before what is the mapping's own
        if name.value == str(step):
            return name, value
    for name, value in node.value:
        if name.tag == _MERGE:
            for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                found = _inside(part, step)
                if found is not None:
                    return found
    return None
