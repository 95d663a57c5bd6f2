"""How this system boots, and the kernel command line that its next boot will have.

Sources of the facts: the Boot Loader Interface (the EFI variable LoaderInfo), `proxmox-boot-tool status`,
the shape of the running command line (GRUB passes `BOOT_IMAGE=`, EFI stubs pass `initrd=\\…`), grub-mkconfig
(which reads /etc/default/grub and then /etc/default/grub.d/*.cfg as shell), and kernel-install's
/etc/kernel/cmdline. That a loader's file exists proves nothing: many systems have several.

>>> from doctor.evidence.types import Evidence, Piece
>>> grub = Piece("etc/default/grub", 'GRUB_TIMEOUT=5\\nGRUB_CMDLINE_LINUX_DEFAULT="quiet iommu=pt"', "grub")
>>> running = Piece("proc/cmdline", "BOOT_IMAGE=(hd0,gpt2)/vmlinuz-6.1.0-18-amd64 root=/dev/sda2 ro quiet")
>>> from doctor.facts import platform
>>> host = Evidence("directory", "host", [grub, running])
>>> found = read(host, platform.read(host, {}))
>>> found.loader.value, found.configured.value, found.lines[0].source.line, found.lines[0].in_use
('grub', ('quiet', 'iommu=pt'), 2, True)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from doctor.facts.fact import UNKNOWN, Fact, Listing, unknown
from doctor.facts.platform import Platform, find_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doctor.evidence.types import Evidence, Piece, Source

GRUB_FILE, GRUB_DROP_INS = "etc/default/grub", "etc/default/grub.d/"
ONE_LINE = "etc/kernel/cmdline"
PROXMOX_TOOL = "proxmox-boot-tool"
_VARIABLES = ("GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT")
_LOADER_INFO = "sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
_STUB_INFO = "sys/firmware/efi/efivars/StubInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
_WANTED = (_LOADER_INFO, "proc/cmdline")
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?(GRUB_CMDLINE_LINUX(?:_DEFAULT)?|GRUB_ENABLE_BLSCFG)(\+?=)", re.ASCII)
_OPTIONS = re.compile(r"\s*(options|append|APPEND|cmdline:|kernel_cmdline:|KERNEL_CMDLINE\S{0,40}=)\s*(.*)")
_WORD = re.compile(r'(?:"[^"]*"|[^\s"])+')
_NAMES = ("systemd-boot", "grub", "limine", "refind")
# Loader → prefixes of the files that it, or the tool that writes its entries, reads.
_READS = {
    "grub": (GRUB_FILE,),
    "proxmox-boot-tool+grub": (GRUB_FILE,),
    "proxmox-boot-tool+systemd-boot": (ONE_LINE,),
    "systemd-boot": (ONE_LINE, "boot/loader/", "efi/loader/", "boot/efi/loader/"),
    "uki": (ONE_LINE, "etc/cmdline.d/"),
    "syslinux": ("boot/syslinux/",),
    "limine": ("boot/limine", "etc/default/limine"),
    "refind": ("boot/refind",),
}
_ENTRIES = ("boot/loader/entries/", "efi/loader/entries/", "boot/efi/loader/entries/")
_OTHER_FILES = ("boot/syslinux/syslinux.cfg", "boot/limine.conf", "etc/default/limine")


class ConfigLine(NamedTuple):
    """A place where kernel parameters are configured.

    `variable`: the assigned name, the keyword (`options`), or None for a file of bare words; `words`: as the
    shell would read them, a reference to the variable itself left in place; `text`: the line (or lines) as
    it stands; `at`, `span`: its first line in `piece`, from 0, and how many; `quote`: the quotation mark
    around the value; `tail`: what follows it; `appends`: it adds to what was assigned before; `effective`:
    no later assignment replaces it; `in_use`: whether the loader that booted this system reads the file.
    """

    path: str
    variable: str | None
    words: tuple[str, ...]
    text: str
    source: Source
    piece: Piece
    at: int
    span: int = 1
    quote: str = ""
    tail: str = ""
    appends: bool = False
    effective: bool = True
    in_use: bool | None = None


class Boot(NamedTuple):
    """How the system boots. `lines` is every place where parameters are configured, read or not.

    loader: "grub", "systemd-boot", "proxmox-boot-tool+systemd-boot", "proxmox-boot-tool+grub", "uki",
    "syslinux", "limine", "refind", "rpm-ostree", "nixos" or "truenas"; uefi: booted by UEFI; bls: GRUB takes
    its entries from BLS files; configured: the words of the next boot's command line, as far as files tell.
    """

    loader: Fact
    uefi: Fact
    bls: Fact
    configured: Fact
    lines: Listing


def read(evidence: Evidence, platform: Platform) -> Boot:
    """Read how the system boots. Never raises."""
    uefi = _uefi(evidence)
    loader = _loader(evidence, platform, uefi)
    bls = _bls(evidence)
    lines = [*_grub_lines(evidence), *_bare_lines(evidence, platform), *_entry_lines(evidence)]
    lines = [line._replace(in_use=_in_use(line, loader, bls)) for line in lines]
    complete = evidence.complete or _whole(evidence, GRUB_FILE) or _whole(evidence, ONE_LINE)
    listing = Listing(lines, complete, () if complete else (GRUB_FILE, ONE_LINE))
    return Boot(loader, uefi, bls, _configured(listing, loader, bls), listing)


def _whole(evidence: Evidence, path: str) -> bool:
    piece = evidence.last(path)
    return piece is not None and piece.state == "whole"


def _uefi(evidence: Evidence) -> Fact:
    """Whether firmware booted this system by UEFI."""
    piece = evidence.last("sys/firmware/efi")
    if piece:
        return Fact(True, (piece.whole(),))
    for path in evidence.paths():
        if path.startswith("sys/firmware/efi/") and evidence.pieces(path):
            return Fact(True, (evidence.pieces(path)[0].whole(),))
    absent = evidence.absent("sys/firmware/efi")
    if absent:
        return Fact(False, (absent.whole(),))
    for piece in evidence.pieces("cmd/proxmox-boot-tool"):
        for words, value in (("booted with uefi", True), ("booted with legacy bios", False)):
            found = find_line(piece, words)
            if found:
                return Fact(value, (piece.cite(found[0]),))
    return unknown("sys/firmware/efi")


def _loader(evidence: Evidence, platform: Platform, uefi: Fact) -> Fact:
    """The loader of the running boot, by the strongest witness."""
    proxmox = platform.distribution.known and platform.distribution.value == "proxmox"
    for witness in (_managed(evidence, platform), _by_tool(evidence), _by_variable(evidence)):
        if witness:
            return _with_tool(evidence, witness) if proxmox else witness
    running = _by_cmdline(evidence, platform)
    if running:
        return _with_tool(evidence, running) if proxmox else running
    if uefi.known and uefi.value is False:
        return uefi._replace(value="grub", weak=True)
    return unknown(*((*_WANTED, "cmd/proxmox-boot-tool") if proxmox else _WANTED))


def _managed(evidence: Evidence, platform: Platform) -> Fact | None:
    """Systems whose boot configuration belongs to a tool of their own."""
    piece = evidence.last("run/ostree-booted")
    if piece:
        return Fact("rpm-ostree", (piece.whole(),))
    names = {"nixos": "nixos", "unraid": "syslinux", "truenas": "truenas"}
    distribution = platform.distribution
    if distribution.known and distribution.value in names:
        return distribution._replace(value=names[distribution.value])
    return None


def _by_tool(evidence: Evidence) -> Fact | None:
    """What `proxmox-boot-tool status` says, or update-grub's warning that this tool manages the boot."""
    for piece in reversed(evidence.pieces("cmd/proxmox-boot-tool")):
        for words, loader in (
            ("configured with: uefi", "proxmox-boot-tool+systemd-boot"),
            ("configured with: grub", "proxmox-boot-tool+grub"),
            ("proxmox-boot-uuids does not exist", "grub"),
        ):
            found = find_line(piece, words)
            if found:
                return Fact(loader, (piece.cite(found[0]),))
    for path in ("cmd/update-grub", "cmd/proxmox-boot-tool", "cmd/update-initramfs", "cmd/messages"):
        for piece in reversed(evidence.pieces(path)):
            warned = find_line(piece, "booted via proxmox-boot-tool") or find_line(piece, "configuring kernels on")
            if warned:
                # The tool writes boot entries for systemd-boot only; for GRUB it merely copies kernels.
                entry = find_line(piece, "creating boot-entry for")
                loader = "proxmox-boot-tool+systemd-boot" if entry else "proxmox-boot-tool+grub"
                return Fact(loader, tuple(piece.cite(at[0]) for at in (warned, entry) if at), (), not entry)
    return None


def _by_variable(evidence: Evidence) -> Fact | None:
    """What the loader says of itself: LoaderInfo and StubInfo, or the commands that print them."""
    for path, stub in ((_STUB_INFO, True), (_LOADER_INFO, False)):
        piece = evidence.last(path)
        text = _utf16(piece) if piece else ""
        if piece and stub and text.startswith("systemd-stub") and not evidence.pieces(ONE_LINE):
            return Fact("uki", (piece.whole()._replace(text=text),), (), True)
        for name in _NAMES if not stub else ():
            if piece and name in text.lower():
                return Fact(name, (piece.whole()._replace(text=text),))
    for piece in reversed(evidence.pieces("cmd/bootctl")):
        for line in ("Product: systemd-boot", "Product: GRUB", "Product: limine", "Product: rEFInd"):
            found = find_line(piece, line)
            if found:
                return Fact(line[9:].lower(), (piece.cite(found[0]),))
    return None


def _utf16(piece: Piece) -> str:
    """The text of an EFI variable: four bytes of attributes, then UTF-16 that ends in NUL."""
    if piece.binary is not None:
        return piece.binary[4:].decode("utf-16-le", "replace").rstrip("\0")
    return piece.text.replace("\0", "").strip()


def _by_cmdline(evidence: Evidence, platform: Platform) -> Fact | None:
    """What the shape of the running command line shows."""
    distribution = platform.distribution.value if platform.distribution.known else None
    for piece, index, text in _running(evidence):
        source = (piece.cite(index),)
        if "BOOT_IMAGE=" in text:
            return Fact("grub", source, (), not ("BOOT_IMAGE=(" in text or distribution is not None))
        if "initrd=\\EFI\\proxmox\\" in text:
            return Fact("proxmox-boot-tool+systemd-boot", source)
        if "initrd=\\" in text:
            return Fact("systemd-boot", source, (), True)
    return None


def _running(evidence: Evidence) -> Iterator[tuple[Piece, int, str]]:
    """The running command line wherever it is stated."""
    for piece in reversed(evidence.pieces("proc/cmdline")):
        yield piece, 0, piece.text
    for path in ("cmd/dmesg", "cmd/journalctl-k"):
        for piece in sorted(evidence.pieces(path), key=lambda one: one.boot):
            found = find_line(piece, "ommand line: ")
            if found:
                yield piece, found[0], found[1]


def _with_tool(evidence: Evidence, loader: Fact) -> Fact:
    """On Proxmox, GRUB and systemd-boot may be fed by proxmox-boot-tool: its list of ESPs tells."""
    if loader.value == "systemd-boot":
        return loader._replace(value="proxmox-boot-tool+systemd-boot")
    piece = evidence.last("etc/kernel/proxmox-boot-uuids")
    if loader.value == "grub" and piece and piece.text.strip():
        return Fact("proxmox-boot-tool+grub", (*loader.sources, piece.cite(0)), (), loader.weak)
    return loader


def _bls(evidence: Evidence) -> Fact:
    """Whether GRUB takes its entries from BLS files (GRUB_ENABLE_BLSCFG)."""
    for piece in reversed(evidence.pieces(GRUB_FILE)):
        found = find_line(piece, "GRUB_ENABLE_BLSCFG=")
        if found and not found[1].lstrip().startswith("#"):
            value = found[1].partition("=")[2].strip().strip("\"'").lower()
            return Fact(value == "true", (piece.cite(found[0]),))
    if _whole(evidence, GRUB_FILE):
        return Fact(False, (evidence.pieces(GRUB_FILE)[-1].whole(),))
    return unknown(GRUB_FILE)


def shell_value(text: str) -> tuple[str, str, str] | None:
    """The value at the start of `text` by the shell's quoting: value, quotation mark, what follows it.

    None if a quotation is not closed. Substitutions are left as they stand.

    >>> shell_value('"quiet splash"  # default'), shell_value("quiet"), shell_value('"open')
    (('quiet splash', '"', '  # default'), ('quiet', '', ''), None)
    """
    out, mark, first, at = [], "", text[:1] if text[:1] in "\"'" else "", 0
    while at < len(text):
        char = text[at]
        escapes = char == "\\" and mark != "'" and at + 1 < len(text)
        if escapes and (not mark or text[at + 1] in '$`"\\\n'):
            out.append("" if text[at + 1] == "\n" else text[at + 1])
            at += 1
        elif char == mark:
            mark = ""
        elif not mark and char in "\"'":
            mark = char
        elif not mark and (char.isspace() or char in ";&|"):
            break
        else:
            out.append(char)
        at += 1
    return None if mark else ("".join(out), first, text[at:])


def split(text: str) -> tuple[str, ...]:
    """Kernel parameters: split at white space, which double quotes protect.

    >>> split('quiet dyndbg="file a +p" ro')
    ('quiet', 'dyndbg="file a +p"', 'ro')
    """
    return tuple(_WORD.findall(text))


def _grub_lines(evidence: Evidence) -> list[ConfigLine]:
    """Every assignment of GRUB's variables, in the order in which grub-mkconfig reads them."""
    lines: list[ConfigLine] = []
    for piece in evidence.pieces(GRUB_FILE) + evidence.under(GRUB_DROP_INS, ".cfg"):
        texts = piece.text.splitlines()
        at = 0
        while at < len(texts):
            line = _assignment(piece, texts, at)
            if line:
                lines.append(line)
            at += line.span if line else 1
    return _supersede(lines)


def _assignment(piece: Piece, texts: list[str], at: int) -> ConfigLine | None:
    """The assignment that begins in line `at`, its continuation lines included."""
    found = _ASSIGNMENT.match(texts[at])
    if not found or found.group(1) not in _VARIABLES:
        return None
    name, text, count = found.group(1), texts[at], 1
    value = shell_value(text[found.end() :])
    while (value is None or text.endswith("\\")) and count < 20 and at + count < len(texts):
        text, count = text + "\n" + texts[at + count], count + 1
        value = shell_value(text[found.end() :])
    if value is None:  # never closed: the paste lost the rest, so only this line is taken
        text, count, value = texts[at], 1, (texts[at][found.end() :].strip("\"'"), "", "")
    words = split(value[0])
    appends = found.group(2) == "+=" or any(word in (f"${name}", f"${{{name}}}") for word in words)
    source = piece.cite(at, text.strip())
    return ConfigLine(piece.path, name, words, text, source, piece, at, count, value[1], value[2], appends)


def _supersede(lines: list[ConfigLine]) -> list[ConfigLine]:
    """Mark the assignments that a later one of the same name replaces."""
    replaced: set[str | None] = set()
    out = []
    for line in reversed(lines):
        out.append(line._replace(effective=line.variable not in replaced))
        if not line.appends:
            replaced.add(line.variable)
    return out[::-1]


def _bare_lines(evidence: Evidence, platform: Platform) -> Iterator[ConfigLine]:
    """Files that hold nothing but parameters. Proxmox takes the first line only; others join the lines."""
    first_only = platform.distribution.known and platform.distribution.value == "proxmox"
    pieces = evidence.pieces(ONE_LINE)[-1:]
    for folder in ("etc/kernel/cmdline.d/", "etc/cmdline.d/"):
        pieces = pieces + evidence.under(folder, ".conf")
    for piece in pieces:
        seen = False
        for index, text in enumerate(piece.text.splitlines()):
            words = split(text)
            if words and not words[0].startswith("#"):
                source = piece.cite(index, text.strip())
                yield ConfigLine(
                    piece.path, None, words, text, source, piece, index, effective=not (first_only and seen)
                )
                seen = True


def _entry_lines(evidence: Evidence) -> Iterator[ConfigLine]:
    """The parameters in loader entries and in the configuration of smaller loaders."""
    pieces = [piece for folder in _ENTRIES for piece in evidence.under(folder, ".conf")]
    pieces += [piece for path in _OTHER_FILES for piece in evidence.pieces(path)]
    for piece in pieces:
        for index, text in enumerate(piece.text.splitlines()):
            found = _OPTIONS.match(text)
            if found:
                words = split(found.group(2))
                source = piece.cite(index, text.strip())
                yield ConfigLine(piece.path, found.group(1), words, text, source, piece, index)


def _in_use(line: ConfigLine, loader: Fact, bls: Fact) -> bool | None:
    """Whether the loader reads the file of `line`; None while that is open."""
    if not loader.known:
        return None
    if loader.value == "grub" and line.path.startswith(_ENTRIES):
        return bls.value if bls.known else None
    prefixes = _READS.get(loader.value, ())
    if loader.value == "grub" and bls.known and bls.value and line.path.startswith(GRUB_FILE):
        return None  # grub2-mkconfig copies it into the entries on some releases only
    return line.path.startswith(prefixes)


def _configured(lines: Listing, loader: Fact, bls: Fact) -> Fact:
    """The words of the next boot's command line."""
    used = [line for line in lines if line.in_use is not False and line.effective]
    entries = [line for line in used if line.path.startswith(_ENTRIES)]
    if entries and not any("$" in word for line in entries for word in line.words) and bls.value is not False:
        used = entries[-1:]
    else:
        used = [line for line in used if line not in entries]
    kinds = {line.path.startswith(GRUB_FILE) for line in used}
    if not used or len(kinds) > 1:
        return unknown(*(loader.wanted or lines.wanted or _WANTED))
    words: list[str] = []
    for name in dict.fromkeys([*_VARIABLES, *(line.variable for line in used)]):
        for line in used:
            if line.variable == name:
                words += [word for word in line.words if word not in (f"${name}", f"${{{name}}}")]
    weak = loader.value is UNKNOWN or loader.weak or (bls.value is True and not entries)
    return Fact(Listing(words, lines.complete, lines.wanted), tuple(line.source for line in used), (), weak)
