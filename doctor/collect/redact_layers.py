"""Private values in texts that are encoded: %41, =41, \\x41, \\101, \\u0041, &#65;, base64, hexadecimal, UTF-16.

What is encoded is decoded, redacted as any text, and, only if that changed it, encoded again in the same way;
so a log without secrets stays as it is. Encodings may be nested, within the limit of `redact.Redactor`.
"""

import binascii
import re
from typing import TYPE_CHECKING, Callable, List, Match, NamedTuple, Optional, Set, Tuple

from .redact_look import Look, Seen

if TYPE_CHECKING:
    from .redact import Redactor

__all__ = ["is_text", "redact", "soft_breaks"]


class _Escape(NamedTuple):
    """A way to write characters: `mark` is in every one of its units; `value` tells what a unit stands for."""

    mark: str
    unit: Look
    is_byte: bool
    value: Callable[[str], int]
    write: str


_ESCAPES = (
    _Escape("%", Look(r"%[0-9A-Fa-f]{2}", shapes=("%hh",)), True, lambda unit: int(unit[1:], 16), "%{:02X}"),
    _Escape("=", Look(r"=[0-9A-F]{2}", shapes=("=hh",)), True, lambda unit: int(unit[1:], 16), "={:02X}"),
    _Escape("\\x", Look(r"\\x[0-9A-Fa-f]{2}", shapes=("\\whh",)), True, lambda unit: int(unit[2:], 16), "\\x{:02x}"),
    _Escape("\\", Look(r"\\[0-3][0-7]{2}", shapes=("\\hhh",)), True, lambda unit: int(unit[1:], 8), "\\{:03o}"),
    _Escape("\\u", Look(r"\\u[0-9A-Fa-f]{4}", shapes=("\\whhhh",)), False, lambda unit: int(unit[2:], 16), "\\u{:04x}"),
    _Escape("&#", Look(r"&#x[0-9A-Fa-f]{1,5};", ("&#x",)), False, lambda unit: int(unit[3:-1], 16), "&#x{:x};"),
    _Escape("&#", Look(r"&#\d{1,6};", ("&#",)), False, lambda unit: int(unit[2:-1]), "&#{};"),
)
_WORD = re.compile(r"\S+")
_BASE64 = Look(r"[A-Za-z0-9+/_-]{12,}={0,2}", run=12)
_HEX = Look(r"(?<![0-9A-Za-z])(?:0[xX])?(?P<value>[0-9A-Fa-f]{12,})(?![0-9A-Za-z])", shapes=("h" * 12,))
_SPACED = Look(
    r"(?<![0-9A-Za-z])[0-9A-Fa-f]{2}(?:[ :,-][0-9A-Fa-f]{2}){7,}(?![0-9A-Za-z])",
    shapes=tuple(sep.join(["hh"] * 8) for sep in " :,-"),
)
_WIDE = re.compile(r"(?:[\t\r\n\x20-\x7e]\0){8,}")
_LINE_OF_CODE = Look(r"[A-Za-z0-9+/]{20,}={0,2}|[A-Za-z0-9+/]{1,20}={0,2}", run=20)
_SHOWN = bytes(range(32, 127)) + b"\t\r\n"
_HIGH = bytes(range(128, 256))
_WIDTHS = frozenset((60, 64, 70, 72, 76, 80))  # at which programs wrap what they encode
_SET_APART = frozenset(b"=@.:-")  # what may be encoded in a word of which nothing else is
_SOFT = 60  # characters that a line has at least where quoted-printable breaks it softly (RFC 2045: 76)
_LONGEST = 4096  # characters of a number in hexadecimal that is read as text


def redact(seen: Seen, redactor: "Redactor") -> Seen:
    """Return the text with what is private in its encoded parts replaced; the number of lines stays the same."""
    for escape in _ESCAPES:
        if escape.mark in seen.data and seen.may(escape.unit):
            seen = seen.change(escape.unit, lambda line, escape=escape: _escaped(line, escape, redactor))  # type: ignore[misc]
    if seen.may(_LINE_OF_CODE):
        seen = seen.again(_blocks(seen.data, redactor))
    seen = seen.change(_BASE64, lambda line: _BASE64.pattern.sub(lambda match: _base64(match.group(), redactor), line))
    seen = seen.change(_HEX, lambda line: _HEX.pattern.sub(lambda match: _hex(match, redactor), line))
    seen = seen.change(_SPACED, lambda line: _SPACED.pattern.sub(lambda match: _spaced(match.group(), redactor), line))
    if "\0" in seen.data:
        seen = seen.again(_WIDE.sub(lambda match: _wide(match.group()[::2], redactor), seen.data))
    return seen


def soft_breaks(data: str, redactor: "Redactor") -> str:
    """Return DATA with what is private in quoted-printable paragraphs replaced, whose lines a final `=` joins."""
    lines = data.split("\n")
    at = 0
    while at < len(lines) - 1:
        end = at
        while end < len(lines) - 1 and _breaks_softly(lines[end]):
            end += 1
        if end > at:
            lines[at : end + 1] = _soft(lines[at : end + 1], redactor)
        at = end + 1
    return "\n".join(lines)


def _breaks_softly(line: str) -> bool:
    # The end of a text in base64 is no break: what follows is another one.
    return line.endswith("=") and len(line) >= _SOFT and not _BASE64.pattern.fullmatch(line)


def _soft(lines: List[str], redactor: "Redactor") -> List[str]:
    whole = "".join(line[:-1] for line in lines[:-1]) + lines[-1]
    written = {int(unit[1:], 16) for unit in _ESCAPES[1].unit.pattern.findall(whole)}
    coded = bool(written) and _is_quoted_printable(written, whole)
    decoded = whole
    if coded:
        decoded = binascii.a2b_qp(whole.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
    new = redactor.text(decoded)
    if new == decoded:
        return lines
    new = re.sub("[^\t\x20-<>-~]", lambda char: _octets(char.group()), new) if coded else new
    size, at = -(-len(new) // len(lines)), 0
    cut = []
    for _ in lines[1:]:
        end = new.find(" ", at + size)  # a stand-in stays on its line
        end = len(new) if end < 0 else end
        cut.append(new[at:end] + "=")
        at = end
    return cut + [new[at:]]


def _octets(char: str) -> str:
    return "".join("={:02X}".format(byte) for byte in char.encode("utf-8", "surrogateescape"))


def _wide(text: str, redactor: "Redactor") -> str:
    return "".join(char + "\0" for char in redactor.text(text))


def _escaped(line: str, escape: _Escape, redactor: "Redactor") -> str:
    return _WORD.sub(lambda word: _unescaped(word.group(), escape, redactor), line)


def _unescaped(word: str, escape: _Escape, redactor: "Redactor") -> str:
    if escape.mark not in word:
        return word
    written = set()
    parts, done = [], 0  # type: List[bytes], int
    for unit in escape.unit.pattern.finditer(word):
        value = escape.value(unit.group())
        if value > 0x10FFFF or 0xD800 <= value < 0xE000:
            continue
        raw = bytes([value]) if escape.is_byte else chr(value).encode("utf-8")
        parts += [word[done : unit.start()].encode("utf-8", "surrogateescape"), raw]
        written.add(value)
        done = unit.end()
    if not written or (escape.mark == "=" and not _is_quoted_printable(written, word)):
        return word
    parts.append(word[done:].encode("utf-8", "surrogateescape"))
    decoded = b"".join(parts).decode("utf-8", "surrogateescape")
    new = redactor.text(decoded)
    if new == decoded:
        return word
    # Letters need no escape, and stand-ins are to be seen. A `-` is what systemd escapes in units' names.
    written -= {byte for byte in range(128) if chr(byte).isalnum() or (chr(byte) in "-_." and escape.mark != "\\x")}
    if not escape.is_byte:
        return "".join(escape.write.format(ord(char)) if ord(char) in written else char for char in new)
    coded = bytearray()
    for byte in new.encode("utf-8", "surrogateescape"):
        coded += escape.write.format(byte).encode("ascii") if byte in written or byte < 33 else bytes([byte])
    return coded.decode("utf-8", "surrogateescape")


def _is_quoted_printable(written: Set[int], word: str) -> bool:
    """Whether WORD, in which `=` stands before two hexadecimal digits, was encoded: `addr=10.1.2.3` was not."""
    controls = any(byte < 32 and byte not in (9, 10, 13) for byte in written)
    return not controls and (written <= _SET_APART or word.count("=") > 3)


def _plain(raw: bytes) -> Optional[Tuple[str, str]]:
    """The text in RAW and its encoding; None for what is no text."""
    odd = raw.translate(None, _SHOWN)
    if odd and odd.translate(None, _HIGH) and b"\0" not in odd:
        return None  # most of what is no text has a control character among its first ten
    encoding = "utf-16-le" if len(raw) > 8 and raw[1::2].count(0) == len(raw) // 2 else "utf-8"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        return None
    shown = text.replace("\n", "").replace("\r", "").replace("\t", "")
    return (text, encoding) if shown.isprintable() and len(shown) > 5 else None


def is_text(run: str) -> bool:
    """Say whether RUN is a text in base64, and so no key."""
    body = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return _plain(binascii.a2b_base64(body + "=" * (-len(body) % 4))) is not None
    except binascii.Error:
        return False


def _coded(raw: bytes, redactor: "Redactor") -> Optional[bytes]:
    """RAW redacted; None if it is no text or nothing in it is private."""
    found = _plain(raw)
    if found is None:
        return None
    new = redactor.text(found[0])
    return new.encode(found[1], "replace") if new != found[0] else None


def _base64(run: str, redactor: "Redactor") -> str:
    body = run.rstrip("=")
    altered = "-" in body or "_" in body
    for at in range(4 if len(body) >= 20 else 1):
        size = (len(body) - at) - ((len(body) - at) % 4 == 1)
        chunk = body[at : at + size].replace("-", "+").replace("_", "/")
        try:
            raw = binascii.a2b_base64(chunk + "=" * (-len(chunk) % 4))
        except binascii.Error:
            continue
        new = _coded(raw, redactor)
        if new is not None:
            text = binascii.b2a_base64(new, newline=False).decode("ascii")
            text = text.replace("+", "-").replace("/", "_") if altered else text
            return body[:at] + (text if run.endswith("=") or not len(run) % 4 else text.rstrip("="))
    return run


def _hex(match: Match[str], redactor: "Redactor") -> str:
    digits = match.group("value")
    if len(digits) % 2 or len(digits) > _LONGEST:
        return match.group()
    new = _coded(bytes.fromhex(digits), redactor)
    if new is None:
        return match.group()
    text = binascii.hexlify(new).decode("ascii")
    return match.group()[: -len(digits)] + (text.upper() if digits.isupper() else text)


def _spaced(run: str, redactor: "Redactor") -> str:
    sep = run[2]
    if run.count(sep) * 3 != len(run) - 2:
        return run
    new = _coded(bytes.fromhex(run.replace(sep, "")), redactor)
    if new is None:
        return run
    return sep.join("{:02X}".format(byte) if run.isupper() else "{:02x}".format(byte) for byte in new)


def _blocks(data: str, redactor: "Redactor") -> str:
    """Base64 and hexadecimal that were wrapped: lines of one length, the last one shorter."""
    lines = data.split("\n")
    at = 0
    while at < len(lines) - 1:
        width, end = len(lines[at].rstrip("\r")), at
        if width >= 20:
            # Padding is the end of what was encoded: the next line is another one.
            while end < len(lines) and _is_code(lines[end], width) and "=" not in lines[end]:
                end += 1
            if at < end < len(lines) and _is_code(lines[end], width, shorter=True):
                end += 1
        if end > at + 1 and (width in _WIDTHS or end - at > 3):
            lines[at:end] = _block(lines[at:end], width, redactor)
        at = max(end, at + 1)
    return "\n".join(lines)


def _is_code(line: str, width: int, shorter: bool = False) -> bool:
    line = line.rstrip("\r")
    fits = 0 < len(line) <= width if shorter else len(line) == width
    return fits and _LINE_OF_CODE.pattern.fullmatch(line) is not None


def _block(lines: List[str], width: int, redactor: "Redactor") -> List[str]:
    whole = "".join(line.rstrip("\r") for line in lines)
    new = whole
    if not whole.strip("0123456789abcdefABCDEF"):
        match = _HEX.pattern.fullmatch(whole)
        new = _hex(match, redactor) if match else whole
    new = _base64(whole, redactor) if new == whole else new
    if new == whole:
        return lines
    end = "\r" if lines[0].endswith("\r") else ""
    cut = [new[at : at + width] for at in range(0, len(new), width)]
    cut += [""] * (len(lines) - len(cut))
    cut[len(lines) - 1 :] = ["".join(cut[len(lines) - 1 :])]
    return [line + end for line in cut]
