"""The leak scanner: what still looks private in files that somebody means to share.

It is written apart from the redactor, so that both do not overlook the same: it cuts lines into words and asks
of each word what it could be. It knows stand-ins by docs/privacy.md.

>>> [leak.kind for leak in scan({"a": b"root=UUID=1b2c3d4e-1111-4222-8333-444455556666 quiet\\n"})]
['uuid']
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from doctor.audit import words
from doctor.audit.layers import peeled
from doctor.record import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_EDGE = 80  # characters at the ends of two lines that may be one word
_LONG = 20000  # characters of a line that is looked at in one go
_STRONG = frozenset(("uuid", "mac", "wwn", "email", "key", "secret", "ip"))


class Leak(NamedTuple):
    """Something that looks private: in which file and line (0: its name or its bytes), of which class, masked."""

    file: str
    line: int
    kind: str
    shown: str


def scan(files: Mapping[str, bytes]) -> list[Leak]:
    """Every suspicion about the content and the names of `files`, each once a line."""
    known = Known()
    found: dict[Leak, None] = {}
    for name, data in sorted(files.items()):
        leaks: list[tuple[int, str, str]]
        leaks = [
            (0, kind, value)
            for kind, value, before in words.of_line(name, name)
            if not known.is_known(kind, value, before, name)
        ]
        for line, kind, value, before, text in _in_file(name, data):
            if not known.is_known(kind, value, before, text):
                leaks.append((line, kind, value))
        for line, kind, value in leaks:
            found.setdefault(Leak(name, line, kind, masked(value)))
    return list(found)


def masked(value: str) -> str:
    """What may be shown of a leak: enough to find it in its line.

    >>> masked("a0:36:9f:12:34:56"), masked("bob")
    ('a0:… (17 characters)', '… (3 characters)')
    """
    head = value[:3] if len(value) >= 12 else ""
    return "".join(c if c.isprintable() else "?" for c in head) + f"… ({len(value)} characters)"


class Known:
    """The values of `known.json`, which look private and are not."""

    def __init__(self) -> None:
        """Reads the file beside this module."""
        from importlib.resources import files as package

        self.entries: list[dict[str, Any]] = json.loads((package("doctor.audit") / "known.json").read_text("utf-8"))

    def is_known(self, kind: str, value: str, before: str, line: str) -> bool:
        """Whether an entry speaks of this `kind` and of this value, the word before it, or its line."""
        lowered = value.lower()
        for entry in self.entries:
            if entry["kind"] == kind and _fits(entry, lowered, before.lower().strip(" :,(="), line):
                return True
        return False


def _fits(entry: dict[str, Any], value: str, before: str, line: str) -> bool:
    """Whether everything that `entry` tells is so; all its texts are in small letters but `line`."""
    return (
        value == entry.get("value", value)
        and value.endswith(entry.get("ends", ""))
        and value.startswith(entry.get("starts", ""))
        and before == entry.get("before", before)
        and entry.get("line", "") in line
    )


def _in_file(name: str, data: bytes) -> Iterator[tuple[int, str, str, str, str]]:
    """Suspicions with the number of their line, the word before, and the line."""
    if name.endswith("/config") and len(data) >= 64:
        yield from ((0, kind, value, "", "") for kind, value in words.of_config_space(data))
        return
    lines = _text(data).split("\n")
    for number, line in enumerate(lines, 1):
        for text in (line[at : at + _LONG] for at in range(0, max(len(line), 1), _LONG)):
            for kind, value, before in words.of_line(name, text):
                yield number, kind, value, before, line
            for inner in peeled(text):
                for kind, value, before in words.of_line(name, inner):
                    if kind in _STRONG:
                        yield number, kind, value, before, line
    yield from _between(name, lines)
    yield from words.of_whole(name, lines)


def _text(data: bytes) -> str:
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if data.startswith(mark):
            return data[2:].decode(encoding, "replace")
    if data[:400].count(0) * 3 > len(data[:400]):
        return data.replace(b"\0", b"").decode("utf-8", "replace")
    return data.decode("utf-8", "replace")


def _between(name: str, lines: list[str]) -> Iterator[tuple[int, str, str, str, str]]:
    """What is split by a line's end and has a shape that neither half has."""
    for number in range(len(lines) - 1):
        left, right = lines[number].rstrip("\r=\\")[-_EDGE:], lines[number + 1][:_EDGE]
        if (
            not left
            or not right
            or (not left[-1].isalnum() and left[-1] not in ":-.@")
            or (not right[0].isalnum() and right[0] not in ":-.@")
        ):
            continue
        tail, head = left.split(" ")[-1], right.split(" ")[0]
        alone = {value for part in (tail, head) for _, value, _ in words.of_line(name, part)}
        for kind, value, before in words.of_line(name, tail + head):
            if kind in ("uuid", "mac", "wwn") and value not in alone and value not in tail and value not in head:
                yield number + 1, kind, value, before, lines[number]


def members(data: bytes, shown: str) -> dict[str, bytes]:
    """The files in an input's bytes by name; the small pieces of a bundle each under its own. Raises InputError."""
    from doctor.evidence.archive import open_members
    from doctor.evidence.open import is_archive

    if not is_archive(data):
        return {shown.rpartition("/")[2]: data}
    tree = open_members(data, shown, everything=True)
    found = {name: tree.read(name) or b"" for name in tree.files}
    found.update({f"{name} ->": link.encode("utf-8", "replace") for name, link in tree.links.items()})
    small = next((name for name in found if name.endswith("passdoctor/sysfs.json")), None)
    if small is not None:
        found.update(_pieces(found[small]))
        del found[small]
    return found


def _pieces(data: bytes) -> dict[str, bytes]:
    """The pieces in a bundle's `sysfs.json`."""
    from base64 import b64decode

    try:
        held = json.loads(data)
        found = {path: text.encode("utf-8", "replace") for path, text in {**held["files"], **held["links"]}.items()}
        found.update({path: b64decode(text) for path, text in held["binary"].items()})
        found.update({path: "\n".join(names).encode("utf-8", "replace") for path, names in held["listings"].items()})
        found.update(dict.fromkeys(held["exists"], b""))
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return {"passdoctor/sysfs.json": data}
    return found
