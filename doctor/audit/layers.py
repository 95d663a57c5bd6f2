"""What a line says once its encodings are taken off: percent, quoted-printable, escapes, base64, hexadecimal.

>>> sorted(set(peeled("x=%61%6c%69%63%65")) - {"x=%61%6c%69%63%65"})
['x=alice']
"""

from __future__ import annotations

import base64
import binascii
import html
import quopri
import urllib.parse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")
_HEX = frozenset("0123456789abcdefABCDEF")
_DEEPEST = 3
_SHORTEST = 12  # characters of an encoded text
_LONGEST = 1 << 16


def peeled(line: str, depth: int = 0) -> Iterator[str]:
    """The texts in `line`, each decoded at least once; nothing for a line without encodings."""
    found = {text for text in (*_escapes(line), *_runs(line)) if text != line}
    for text in found:
        yield text
        if depth < _DEEPEST:
            yield from peeled(text, depth + 1)


def _escapes(line: str) -> Iterator[str]:
    if "%" in line:
        yield urllib.parse.unquote(line, errors="surrogateescape")
    if "=" in line:
        yield quopri.decodestring(line.encode("utf-8", "replace")).decode("utf-8", "replace")
    if "&" in line and ";" in line:
        yield html.unescape(line)
    if "\\" in line:
        yield _backslashes(line)
    if "\0" in line:
        yield line.replace("\0", "")


def _backslashes(line: str) -> str:
    """`\\x41`, `\\101` and `\\u0041` as what they stand for."""
    parts = line.split("\\")
    text = parts[0]
    for part in parts[1:]:
        head, size, base = part[1:3], 3, 16
        if part[:1] == "u":
            head, size = part[1:5], 5
        elif part[:1] != "x":
            head, size, base = part[:3], 3, 8
        try:
            code = (
                int(head, base)
                if head.isalnum() and len(head) == (2 if size == 3 and base == 16 else len(head))
                else -1
            )
        except ValueError:
            code = -1
        text += chr(code) + part[size:] if 9 <= code < 0x10000 and not 0xD800 <= code < 0xE000 else "\\" + part
    return text


def _runs(line: str) -> Iterator[str]:
    """The texts in runs of base64 and of hexadecimal digits."""
    for word in spans(line, _BASE64):
        if _SHORTEST <= len(word) <= _LONGEST:
            plain = word.rstrip("=").replace("-", "+").replace("_", "/")
            for at in range(4):
                part = plain[at:][: (len(plain) - at) // 4 * 4 + (0 if (len(plain) - at) % 4 == 1 else 4)]
                yield from _text(_decoded(part))
    squeezed = line.replace(" ", "").replace(":", "") if line.count(" ") + line.count(":") > 8 else line
    for source in {line, squeezed}:
        for word in spans(source, _HEX):
            if _SHORTEST <= len(word) <= _LONGEST:
                even = word[: len(word) // 2 * 2]
                yield from _text(bytes.fromhex(even))
                yield from _text(bytes.fromhex(even)[::-1])


def _decoded(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        return b""


def _text(raw: bytes) -> Iterator[str]:
    """`raw` as text, if it is one."""
    plain = raw.replace(b"\0", b"") if raw.count(0) * 2 in (len(raw), len(raw) - 1) else raw
    try:
        text = plain.decode("utf-8")
    except UnicodeDecodeError:
        return
    if len(text) > 5 and text.replace("\n", "").replace("\t", "").replace("\r", "").isprintable():
        yield from text.split("\n")


def spans(text: str, allowed: frozenset[str]) -> Iterator[str]:
    """The longest runs of allowed characters in `text`."""
    start = None
    for at, char in enumerate(text):
        if char in allowed:
            start = at if start is None else start
        elif start is not None:
            yield text[start:at]
            start = None
    if start is not None:
        yield text[start:]
