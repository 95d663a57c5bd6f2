"""Which boot loader started this system, by what the platforms' files tell of each.

Sources of the facts: the Boot Loader Interface (EFI variables LoaderInfo and StubInfo), bootctl(1), efibootmgr(8)
(BootCurrent and the program of that entry), `proxmox-boot-tool status`, the shape of the running command line
(GRUB passes `BOOT_IMAGE=` with a slash or a device before the file, syslinux as its configuration has it, EFI stubs
`initrd=\\…`). That a loader's file exists proves nothing: many systems have several.

>>> from doctor.evidence.types import Evidence, Piece
>>> from doctor.facts import platform
>>> from doctor.knowledge.store import load
>>> text = "BootCurrent: 0001\\nBoot0001* Linux\\tHD(1,GPT,x)/File(\\\\EFI\\\\systemd\\\\systemd-bootx64.efi)"
>>> host = Evidence("paste", "p", [Piece("cmd/efibootmgr", text, "p")])
>>> platforms = load()["platforms"]
>>> read(host, platform.read(host, platforms), loaders(platforms), unknown()).value
'systemd-boot'
"""

from __future__ import annotations

from doctor.facts.bootfiles import ONE_LINE
from doctor.facts.fact import Fact, unknown
from doctor.facts.platform import find_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from doctor.evidence.types import Evidence, Piece
    from doctor.facts.platform import Platform

_LOADER_INFO = "sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
_STUB_INFO = "sys/firmware/efi/efivars/StubInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
WANTED = (_LOADER_INFO, "proc/cmdline")
_TOOL = "proxmox-boot-tool"


def loaders(platforms: Mapping[str, Any]) -> Mapping[str, Any]:
    """The loaders that `rules/platforms` knows: name → what tells it and what it reads."""
    found: Mapping[str, Any] = platforms.get("common", {}).get("loaders", {})
    return found


def read(evidence: Evidence, platform: Platform, known: Mapping[str, Any], uefi: Fact) -> Fact:
    """The loader of the running boot, by the strongest witness; `known` as `loaders` gives it. Never raises."""
    proxmox = platform.distribution.known and platform.distribution.value == "proxmox"
    witnesses = (
        _managed(evidence, platform, known),
        _by_tool(evidence, known),
        _by_variable(evidence, known),
        _by_entry(evidence, known),
        _by_cmdline(evidence, platform, known),
    )
    found = next((witness for witness in witnesses if witness), None)
    if found:
        return _with_tool(evidence, found) if proxmox else found
    if uefi.known and uefi.value is False:
        return uefi._replace(value="grub", weak=True)
    return unknown(*((*WANTED, "cmd/proxmox-boot-tool") if proxmox else WANTED))


def running(evidence: Evidence) -> Iterator[tuple[Piece, int, str]]:
    """The running command line wherever it is stated: piece, line from 0, the text."""
    for piece in reversed(evidence.pieces("proc/cmdline")):
        yield piece, 0, piece.text
    for path in ("cmd/dmesg", "cmd/journalctl-k"):
        for piece in sorted(evidence.pieces(path), key=lambda one: one.boot):
            found = None if piece.earlier else find_line(piece, "ommand line: ")
            if found:
                yield piece, found[0], found[1]


def _many(data: Mapping[str, Any], key: str) -> list[str]:
    """One word or a list of them, as a platform file may have it."""
    value = data.get(key) or []
    return [value] if isinstance(value, str) else list(value)


def _managed(evidence: Evidence, platform: Platform, known: Mapping[str, Any]) -> Fact | None:
    """Systems whose boot configuration belongs to a tool of their own."""
    distribution = platform.distribution
    for name, data in known.items():
        for path in _many(data, "file"):
            piece = evidence.last(path)
            if piece:
                return Fact(name, (piece.whole(),))
        # What such a system alone leaves on the command line outdoes the loader that it uses itself.
        for piece, index, text in running(evidence) if "file" in data else ():
            if any(word in text for word in _many(data, "cmdline")):
                return Fact(name, (piece.cite(index),))
        if distribution.known and distribution.value in _many(data, "distribution"):
            return distribution._replace(value=name)
    return None


def _by_tool(evidence: Evidence, known: Mapping[str, Any]) -> Fact | None:
    """What a tool says of the loader, or update-grub's warning that proxmox-boot-tool manages the boot."""
    for name, data in known.items():
        for path, words in (data.get("printed") or {}).items():
            for piece in reversed(evidence.pieces(path)):
                found = find_line(piece, words)
                if found:
                    return Fact(name, (piece.cite(found[0]),))
    for path in ("cmd/update-grub", "cmd/proxmox-boot-tool", "cmd/update-initramfs", "cmd/messages"):
        for piece in reversed(evidence.pieces(path)):
            warned = find_line(piece, f"booted via {_TOOL}") or find_line(piece, "configuring kernels on")
            if warned:
                # The tool writes boot entries for systemd-boot only; for GRUB it merely copies kernels.
                entry = find_line(piece, "creating boot-entry for")
                loader = f"{_TOOL}+systemd-boot" if entry else f"{_TOOL}+grub"
                return Fact(loader, tuple(piece.cite(at[0]) for at in (warned, entry) if at), (), not entry)
    return None


def _by_variable(evidence: Evidence, known: Mapping[str, Any]) -> Fact | None:
    """What the loader says of itself: LoaderInfo and StubInfo, or bootctl, which prints them."""
    stub = evidence.last(_STUB_INFO)
    if stub and _utf16(stub).startswith("systemd-stub") and not evidence.pieces(ONE_LINE):
        return Fact("uki", (stub.whole()._replace(text=_utf16(stub)),), (), True)
    info = evidence.last(_LOADER_INFO)
    text = _utf16(info) if info else ""
    names = [(name, word) for name, data in known.items() for word in _many(data, "named")]
    for name, word in names:
        if info and word in text.lower():
            return Fact(name, (info.whole()._replace(text=text),))
    for piece in reversed(evidence.pieces("cmd/bootctl")):
        image = find_line(piece, "Boot Loader Specification Type #2")
        if image:
            return Fact("uki", (piece.cite(image[0]),), (), True)
        product = find_line(piece, "Product: ")
        said = product[1].partition("Product: ")[2].lower() if product else ""
        for name, word in names:
            if product and word in said:
                return Fact(name, (piece.cite(product[0]),))
    return None


def _utf16(piece: Piece) -> str:
    """The text of an EFI variable: four bytes of attributes, then UTF-16 that ends in NUL."""
    if piece.binary is not None:
        return piece.binary[4:].decode("utf-16-le", "replace").rstrip("\0")
    return piece.text.replace("\0", "").strip()


def _by_entry(evidence: Evidence, known: Mapping[str, Any]) -> Fact | None:
    """The EFI program of the boot entry that BootCurrent names. The fallback program may be any loader's."""
    for piece in reversed(evidence.pieces("cmd/efibootmgr")):
        current = find_line(piece, "BootCurrent: ")
        number = current[1].partition("BootCurrent: ")[2].strip() if current else ""
        entry = find_line(piece, f"Boot{number}") if len(number) == 4 and number.isalnum() else None
        if not current or not entry:
            continue
        text = entry[1].lower().replace("/\\", "\\").replace("/", "\\")
        at = text.find(".efi")
        program = text[: at + 4] if at >= 0 else ""
        for name, data in known.items():
            inside = any(folder in program for folder in _many(data, "programs_in"))
            if program and (inside or program.endswith(tuple(_many(data, "programs")) or ("\n",))):
                # A shim starts GRUB nearly everywhere, but it may be set to start another loader.
                return Fact(name, (piece.cite(current[0]), piece.cite(entry[0])), (), "shim" in program)
    return None


def _by_cmdline(evidence: Evidence, platform: Platform, known: Mapping[str, Any]) -> Fact | None:
    """What the shape of the running command line shows."""
    distribution = platform.distribution.known
    for piece, index, text in running(evidence):
        for key in ("cmdline", "cmdline_hint"):
            for name, data in known.items():
                if any(word in text for word in _many(data, key)):
                    # Other loaders than GRUB pass BOOT_IMAGE=/… too; with a device before the path it is GRUB's.
                    sure = key == "cmdline" and (name != "grub" or distribution or "BOOT_IMAGE=(" in text)
                    return Fact(name, (piece.cite(index),), (), not sure)
    return None


def _with_tool(evidence: Evidence, loader: Fact) -> Fact:
    """On Proxmox, GRUB and systemd-boot may be fed by proxmox-boot-tool: its list of ESPs tells."""
    if loader.value == "systemd-boot":
        return loader._replace(value=f"{_TOOL}+systemd-boot")
    piece = evidence.last("etc/kernel/proxmox-boot-uuids")
    if loader.value == "grub" and piece and piece.text.strip():
        return Fact(f"{_TOOL}+grub", (*loader.sources, piece.cite(0)), (), loader.weak)
    return loader
