"""The firmware and what it and the kernel lock: DMI, microcode, Secure Boot, lockdown.

Sources: linux drivers/firmware/dmi-id.c and the log line `DMI: MAKER NAME/BOARD, BIOS VERSION DATE`
(drivers/firmware/dmi_scan.c), dmidecode(8), /proc/cpuinfo `microcode`, arch/x86/kernel/cpu/microcode; the EFI
variable SecureBoot (four bytes of attributes, then one of value; UEFI specification, 3.3), mokutil(1),
bootctl(1), drivers/firmware/efi/libstub/secureboot.c; security/lockdown/lockdown.c
(`none [integrity] confidentiality`, the brackets mark the mode).

>>> from doctor.evidence.types import Evidence, Piece
>>> text = "[    0.000000] DMI: ASUS System Product Name/ROG STRIX B550-F GAMING, BIOS 3607 03/18/2024"
>>> tool = Piece("cmd/mokutil", "SecureBoot enabled", "p")
>>> found = read(Evidence("paste", "p", [Piece("cmd/dmesg", text, "p"), tool]))
>>> found.board.value, found.bios_version.value, found.bios_date.value, found.secure_boot.value
('ROG STRIX B550-F GAMING', '3607', '03/18/2024', True)
"""

from __future__ import annotations

import re

from doctor.facts.fact import Fact, unknown
from doctor.facts.platform import find_line
from doctor.later import later
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from doctor.evidence.types import Evidence, Piece

DMI = "sys/class/dmi/id/"
SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
LOCKDOWN = "sys/kernel/security/lockdown"
_LOGS = ("cmd/dmesg", "cmd/journalctl-k", "var/log/dmesg", "var/log/kern.log")
_LOGGED = later(r"DMI: (.{1,300}), BIOS (.{0,200}?) ?(\d\d/\d\d/\d{4})?\s*$", re.ASCII)
# dmidecode: the heading of the record, and which of its lines says what.
_RECORDS = {
    "BIOS Information": {"Vendor": "bios_vendor", "Version": "bios_version", "Release Date": "bios_date"},
    "System Information": {
        "Manufacturer": "sys_vendor",
        "Product Name": "product_name",
        "Version": "product_version",
        "Family": "product_family",
    },
    "Base Board Information": {"Manufacturer": "board_vendor", "Product Name": "board_name"},
}
_NAMES = (
    *("board_vendor", "board_name", "sys_vendor", "product_name", "product_version", "product_family"),
    *("bios_vendor", "bios_version", "bios_date"),
)
_FILLERS = (
    *("to be filled by o.e.m.", "default string", "not specified", "not applicable"),
    *("system manufacturer", "system product name", "base board manufacturer", "base board product name"),
    *("system version", "none", "sku", "family"),
)
_MICROCODE = later(
    r"microcode: (?:CPU\d{1,5}: )?"
    r"(?:sig=0x[0-9a-f]{1,8}, pf=0x[0-9a-f]{1,8}, revision=|patch_level=|Current revision: )"
    r"(0x[0-9a-f]{1,8})",
    re.ASCII,
)
_SECURE_LOG = (
    ("secureboot: Secure boot enabled", True),
    ("Secure boot enabled", True),
    ("secureboot: Secure boot disabled", False),
    ("Secure boot disabled", False),
)
_MODES = ("none", "integrity", "confidentiality")


class Firmware(NamedTuple):
    """`board`, `system`, their makers and the BIOS as DMI names them, None where the maker left it blank; some
    makers (Lenovo) write a computer's name into `system_version` or `system_family`; `microcode`: the running
    revision as a number; `secure_boot`: whether firmware enforces it; `lockdown`: "none", "integrity",
    "confidentiality", or "active" where only the log tells, which hides the mode."""

    board_vendor: Fact
    board: Fact
    system_vendor: Fact
    system: Fact
    system_version: Fact
    system_family: Fact
    bios_vendor: Fact
    bios_version: Fact
    bios_date: Fact
    microcode: Fact
    secure_boot: Fact
    lockdown: Fact


def read(evidence: Evidence) -> Firmware:
    """The firmware's facts. Never raises."""
    names = _dmi(evidence)
    named = [names.get(name, unknown(DMI + name)) for name in _NAMES]
    return Firmware._make([*named, _microcode(evidence), _secure_boot(evidence), _lockdown(evidence)])


def _lines(evidence: Evidence, word: str) -> Iterator[tuple[Piece, int, str]]:
    """The first line with `word` in each log, the latest boot's first: before it the firmware may have been older."""
    for path in _LOGS:
        for piece in sorted(evidence.pieces(path), key=lambda one: (one.earlier, one.boot)):
            found = find_line(piece, word)
            if found:
                yield piece, found[0], found[1]


def _dmi(evidence: Evidence) -> dict[str, Fact]:
    """DMI's strings by the names that sysfs gives them."""
    found: dict[str, Fact] = {}
    for name in _NAMES:
        piece = evidence.last(DMI + name)
        if piece is not None:
            found[name] = Fact(_said(piece.text), (piece.cite(0),))
    for piece in evidence.pieces("cmd/dmidecode"):
        _decoded(piece, found)
    for piece, index, text in _lines(evidence, "DMI: "):
        logged = _LOGGED.search(text[:600])
        if logged is None:
            continue
        cited = (piece.cite(index, text.strip()),)
        whole, slash, board = logged.group(1).rpartition("/")
        # `MAKER PRODUCT/BOARD`: where the maker ends and the product begins, the line does not tell.
        for name, value in (
            ("board_name", board if slash else None),
            ("bios_version", logged.group(2)),
            ("bios_date", logged.group(3)),
        ):
            if value:
                found.setdefault(name, Fact(_said(value), cited))
        found.setdefault("product_name", Fact(_said(whole if slash else logged.group(1)), cited, (), True))
    return found


def _decoded(piece: Piece, found: dict[str, Fact]) -> None:
    """dmidecode's records: a heading, then indented `Key: value`; of several boards the first."""
    record: dict[str, str] = {}
    for index, text in enumerate(piece.text.splitlines()):
        if not text.startswith(("\t", " ")):
            record = dict(_RECORDS.get(text.strip(), {}))
            continue
        key, colon, value = text.strip().partition(":")
        name = record.get(key) if colon else None
        if name:
            found.setdefault(name, Fact(_said(value), (piece.cite(index, text.strip()),)))


def _said(text: str) -> str | None:
    """A DMI string without blanks; None where the maker never filled it in."""
    text = text.strip()
    return text if text and text.lower() not in _FILLERS else None


def _microcode(evidence: Evidence) -> Fact:
    """The revision that runs: the CPU's own word, else the last that the log names."""
    for piece in reversed(evidence.pieces("proc/cpuinfo")):
        found = find_line(piece, "microcode")
        value = found[1].partition(":")[2].strip() if found else ""
        if found and _hex(value) is not None:
            return Fact(_hex(value), (piece.cite(found[0], found[1].strip()),))
    for word in ("microcode: Current revision", "microcode: sig=", ": patch_level="):
        for piece, index, text in _lines(evidence, word):
            logged = _MICROCODE.search(text[:300])
            if logged:
                return Fact(_hex(logged.group(1)), (piece.cite(index, text.strip()),))
    return unknown("proc/cpuinfo")


def _hex(text: str) -> int | None:
    digits = text[2:] if text[:2] in ("0x", "0X") else ""
    fits = 0 < len(digits) < 17 and all(digit in "0123456789abcdefABCDEF" for digit in digits)
    return int(digits, 16) if fits else None


def _secure_boot(evidence: Evidence) -> Fact:
    """Whether Secure Boot is on: the variable, then the tools that print it, then the log."""
    piece = evidence.last(SECURE_BOOT)
    value = _variable(piece) if piece is not None else None
    if piece is not None and value is not None:
        return Fact(value == 1, (piece.whole()._replace(text=f"SecureBoot = {value}"),))
    for path, lead in (("cmd/mokutil", "SecureBoot"), ("cmd/bootctl", "Secure Boot:")):
        for piece in reversed(evidence.pieces(path)):
            found = find_line(piece, lead)
            words = found[1].partition(lead)[2].split() if found else []
            if found and words and words[0] in ("enabled", "disabled"):
                return Fact(words[0] == "enabled", (piece.cite(found[0], found[1].strip()),))
            legacy = find_line(piece, "EFI variables are not supported on this system")
            if legacy:
                return Fact(False, (piece.cite(legacy[0], legacy[1].strip()),))
    for word, enabled in _SECURE_LOG:
        for piece, index, text in _lines(evidence, word):
            return Fact(enabled, (piece.cite(index, text.strip()),))
    absent = evidence.absent("sys/firmware/efi")
    return Fact(False, (absent.whole(),)) if absent is not None else unknown(SECURE_BOOT)


def _variable(piece: Piece) -> int | None:
    """The last byte of the variable, also where `od` or `hexdump` printed it."""
    if piece.binary is not None:
        return piece.binary[4] if len(piece.binary) == 5 else None
    bytes_ = [word for word in piece.text.split() if len(word) < 4 and word.isdecimal() and word.isascii()]
    return int(bytes_[4]) if len(bytes_) == 5 and int(bytes_[4]) in (0, 1) else None


def _lockdown(evidence: Evidence) -> Fact:
    piece = evidence.last(LOCKDOWN)
    if piece is not None:
        mode = piece.text.partition("[")[2].partition("]")[0]
        if mode in _MODES:
            return Fact(mode, (piece.cite(0),))
    for piece, index, text in _lines(evidence, "Kernel is locked down from "):
        return Fact("active", (piece.cite(index, text.strip()),))
    for piece, index, text in _lines(evidence, "is restricted; see man kernel_lockdown"):
        return Fact("active", (piece.cite(index, text.strip()),))
    return unknown(LOCKDOWN)
