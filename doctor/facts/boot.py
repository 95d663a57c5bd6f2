"""How this system boots, and the kernel command line that its next boot will have.

Which loader it was is told by loaders.py, the configuration files are read by bootfiles.py; here they are joined:
which of the files that loader reads, and which words come out of them.

>>> from doctor.evidence.types import Evidence, Piece
>>> grub = Piece("etc/default/grub", 'GRUB_TIMEOUT=5\\nGRUB_CMDLINE_LINUX_DEFAULT="quiet iommu=pt"', "grub")
>>> running = Piece("proc/cmdline", "BOOT_IMAGE=(hd0,gpt2)/vmlinuz-6.1.0-18-amd64 root=/dev/sda2 ro quiet")
>>> menu = Piece("boot/grub/grub.cfg", "\\tlinux /vmlinuz-6.1.0-18-amd64 root=/dev/sda2 ro quiet", "cfg")
>>> from doctor.facts import platform
>>> host = Evidence("directory", "host", [grub, running, menu])
>>> found = read(host, platform.read(host, {}))
>>> found.loader.value, found.configured.value, found.lines[0].source.line, found.lines[0].in_use
('grub', ('quiet', 'iommu=pt'), 2, True)
>>> found.stale.value
('iommu=pt',)
"""

from __future__ import annotations

from doctor.facts import bootfiles, loaders
from doctor.facts.bootfiles import ENTRIES, GRUB_FILE, GRUB_VARIABLES, GRUBENV, ONE_LINE
from doctor.facts.bootfiles import ConfigLine as ConfigLine
from doctor.facts.bootfiles import shell_value as shell_value
from doctor.facts.bootfiles import split as split
from doctor.facts.fact import UNKNOWN, Fact, Listing, unknown
from doctor.facts.platform import Platform, find_line
from doctor.later import later
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from doctor.evidence.types import Evidence, Source

_MENUS = ("boot/grub/grub.cfg", "boot/grub2/grub.cfg")
_KERNEL = later(r"\s*linux(?:16|efi)?\s+(\S+)\s?(.*)")
_NUMBERS = later(r"(\d+)")
# The configuration of a tool, and how the file ends that it writes.
_GENERATED = (
    (("etc/default/limine", "etc/limine-entry-tool.d/"), "limine.conf"),
    (("etc/update-extlinux.conf",), "/extlinux.conf"),
)
_LAST_RESORT = ("rescue", "fallback", "recovery")


class Menu(NamedTuple):
    """An entry that a tool generated: the kernel's file, its parameters, where it stands."""

    image: str
    words: tuple[str, ...]
    source: Source


class Boot(NamedTuple):
    """How the system boots. `lines` is every place where parameters are configured, read or not.

    loader: one of `loaders` in rules/platforms/common.yaml; uefi: booted by UEFI; bls: GRUB takes its entries
    from BLS files; configured: the words of the next boot's command line, as far as files tell; menu: the
    entries of the generated grub.cfg, the default one first; stale: configured words that its first entry
    lacks, so that nobody generated it since.
    """

    loader: Fact
    uefi: Fact
    bls: Fact
    configured: Fact
    lines: Listing
    menu: Listing
    stale: Fact


def read(evidence: Evidence, platform: Platform, platforms: Mapping[str, Any] | None = None) -> Boot:
    """Read how the system boots; `platforms` are the files of rules/platforms, by default the project's own.

    Never raises.
    """
    if platforms is None:
        from doctor.knowledge.store import load

        platforms = load()["platforms"]
    known = loaders.loaders(platforms)
    uefi = _uefi(evidence)
    loader = loaders.read(evidence, platform, known, uefi)
    bls = _bls(evidence)
    reads = tuple((known.get(loader.value) or {}).get("reads") or ()) if loader.known else ()
    distribution = platform.distribution.value if platform.distribution.known else None
    lines = bootfiles.read(evidence, distribution)
    lines = [line._replace(in_use=_in_use(line, loader, reads, bls)) for line in lines]
    complete = evidence.complete or _whole(evidence, GRUB_FILE) or _whole(evidence, ONE_LINE)
    listing = Listing(lines, complete, () if complete else (GRUB_FILE, ONE_LINE))
    menu = _menu(evidence)
    configured = _configured(evidence, listing, loader, bls)
    return Boot(loader, uefi, bls, configured, listing, menu, _stale(lines, loader, bls, menu))


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
    for path, words, value in (
        ("cmd/proxmox-boot-tool", "booted with uefi", True),
        ("cmd/proxmox-boot-tool", "booted with legacy bios", False),
        ("cmd/efibootmgr", "BootCurrent: ", True),
        ("cmd/efibootmgr", "EFI variables are not supported on this system", False),
        ("cmd/mokutil", "EFI variables are not supported on this system", False),
    ):
        for piece in evidence.pieces(path):
            found = find_line(piece, words)
            if found:
                return Fact(value, (piece.cite(found[0]),))
    return unknown("sys/firmware/efi")


def _bls(evidence: Evidence) -> Fact:
    """Whether GRUB takes its entries from BLS files (GRUB_ENABLE_BLSCFG; the last assignment holds)."""
    for piece in reversed(evidence.pieces(GRUB_FILE)):
        for index, text in reversed(list(enumerate(piece.text.splitlines()))):
            name, equals, value = text.strip().removeprefix("export ").partition("=")
            if equals and name == "GRUB_ENABLE_BLSCFG":
                return Fact(value.strip().strip("\"'").lower() == "true", (piece.cite(index),))
    if _whole(evidence, GRUB_FILE):
        return Fact(False, (evidence.pieces(GRUB_FILE)[-1].whole(),))
    return unknown(GRUB_FILE)


def _in_use(line: ConfigLine, loader: Fact, reads: tuple[str, ...], bls: Fact) -> bool | None:
    """Whether the loader reads the file of `line`; None while that is open."""
    if not loader.known:
        return None
    if loader.value == "grub" and line.path.startswith((*ENTRIES, *GRUBENV)):
        return bls.value if bls.known else None
    if loader.value == "grub" and bls.known and bls.value and line.path.startswith(GRUB_FILE):
        return None  # grub2-mkconfig copies it into the entries on some releases only
    return line.path.startswith(reads) if reads else False


def _configured(evidence: Evidence, lines: Listing, loader: Fact, bls: Fact) -> Fact:
    """The words of the next boot's command line."""
    used = [line for line in lines if line.in_use is not False and line.effective]
    entries = [line for line in used if line.path.startswith(ENTRIES)]
    entry = _filled(_default(evidence, entries), evidence) if entries and bls.value is not False else None
    if entry is not None and any("$" in word for word in entry.words):
        entry = None
    files = [line for line in used if not line.path.startswith((*ENTRIES, *GRUBENV))]
    used = _generator(files) if entry is None else [entry]
    kinds = {line.path.startswith(GRUB_FILE) for line in used}
    if not used or len(kinds) > 1:
        return unknown(*(loader.wanted or lines.wanted or loaders.WANTED))
    words: list[str] = []
    for name in dict.fromkeys([*GRUB_VARIABLES, *(line.variable for line in used)]):
        for line in used:
            if line.variable == name:
                words += [word for word in line.words if word not in (f"${name}", f"${{{name}}}")]
    weak = loader.value is UNKNOWN or loader.weak or (bls.value is True and entry is None)
    return Fact(Listing(words, lines.complete, lines.wanted), tuple(line.source for line in used), (), weak)


def _generator(used: list[ConfigLine]) -> list[ConfigLine]:
    """Without the files that a tool writes, where the tool's own configuration is seen."""
    for tool, written in _GENERATED:
        if any(line.path.startswith(tool) for line in used):
            used = [line for line in used if line.path.startswith(tool) or not line.path.endswith(written)]
    return used


def _default(evidence: Evidence, entries: list[ConfigLine]) -> ConfigLine:
    """The entry that boots next: the one that is set as default, else the newest by its name."""
    ids = {line.path.rpartition("/")[2].removesuffix(".conf"): line for line in entries}
    saved = bootfiles.environment(evidence).get("saved_entry")
    wanted = [saved.text] if saved else []
    for folder in ("boot/", "efi/", "boot/efi/"):
        for piece in evidence.pieces(folder + "loader/loader.conf"):
            wanted += [text for text in piece.text.splitlines() if text.split()[:1] == ["default"]]
    for text in wanted:
        name = text.replace("=", " ", 1).split(None, 1)[-1].strip().removesuffix(".conf")
        fitting = [one for one in ids if one == name or (name.endswith("*") and one.startswith(name[:-1]))]
        if fitting and name.strip("*"):
            return ids[max(fitting, key=_natural)]
    usual = [one for one in ids if not any(word in one for word in _LAST_RESORT)] or list(ids)
    return ids[max(usual, key=_natural)]


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key by which 6.8.10 comes after 6.8.9."""
    parts = _NUMBERS.split(name)
    return [
        (1, len(part.lstrip("0")), part.lstrip("0")) if index % 2 else (0, 0, part) for index, part in enumerate(parts)
    ]


def _filled(entry: ConfigLine, evidence: Evidence) -> ConfigLine:
    """The entry with `$kernelopts` and its like replaced from GRUB's environment block."""
    if not any(word.startswith("$") for word in entry.words):
        return entry
    variables = bootfiles.environment(evidence)
    words: list[str] = []
    for word in entry.words:
        name = word[1:].strip("{}") if word.startswith("$") else ""
        # tuned's variables are empty where no profile of it set them.
        empty = bool(variables) and name.startswith("tuned_")
        words += variables[name].words if name in variables else () if empty else (word,)
    return entry._replace(words=tuple(words))


def _menu(evidence: Evidence) -> Listing:
    """The kernels of the generated grub.cfg."""
    found: list[Menu] = []
    pieces = [piece for path in _MENUS for piece in evidence.pieces(path)]
    for piece in pieces:
        for index, text in enumerate(piece.text.splitlines()):
            kernel = _KERNEL.match(text)
            if kernel:
                found.append(Menu(kernel.group(1), split(kernel.group(2)), piece.cite(index, text.strip())))
    return Listing(found, bool(pieces), () if pieces else _MENUS[:1])


def _stale(lines: list[ConfigLine], loader: Fact, bls: Fact, menu: Listing) -> Fact:
    """The words for GRUB that its generated menu lacks."""
    used = [line for line in lines if line.in_use and line.effective and line.path.startswith(GRUB_FILE)]
    if not used or loader.value != "grub" or bls.value is True:
        return unknown(GRUB_FILE, "proc/cmdline")
    if not menu:
        return unknown(*_MENUS[:1])
    have = set(menu[0].words)
    # What the shell or GRUB itself would fill in cannot be compared.
    words = [(word, line.source) for line in used for word in line.words if not set(word) & set("$`\\\"'")]
    lacks = [(word, source) for word, source in words if word not in have]
    cited = dict.fromkeys(source for _, source in lacks or words)
    return Fact(Listing(dict.fromkeys(word for word, _ in lacks)), (*cited, menu[0].source))
