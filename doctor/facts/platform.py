"""Which system this is: distribution, version, kernel, hypervisor, board.

Sources of the facts: os-release(5); the kernel release suffixes of the distributions; `pveversion`;
`uname`, `/proc/version` and the first line of the kernel log, which all state the same release.

>>> from doctor.evidence.types import Evidence, Piece
>>> uname = Piece("cmd/uname-a", "Linux pve 6.8.12-9-pve #1 SMP x86_64 GNU/Linux", "paste.txt", 7)
>>> found = read(Evidence("paste", "paste.txt", [uname]))
>>> found.distribution.value, found.kernel.value, found.kernel_version.value, found.hypervisor.value
('proxmox', '6.8.12-9-pve', (6, 8), 'proxmox')
>>> found.kernel.sources[0].line
7
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from doctor.facts.fact import Fact, unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doctor.evidence.types import Evidence, Piece, Source

_RELEASE = re.compile(r"\d{1,3}\.\d{1,3}(?:\.\d{1,4})?[A-Za-z0-9._+~-]{0,80}", re.ASCII)
_IMAGE = re.compile(r"vmlinuz-(\d[A-Za-z0-9._+~-]{2,90})", re.ASCII)
_PROXMOX_INITRD = re.compile(r"initrd=\\EFI\\proxmox\\(\d[A-Za-z0-9._+~-]{2,90})\\", re.ASCII)
_LOGS = ("cmd/dmesg", "cmd/journalctl-k", "var/log/dmesg", "var/log/kern.log")
_GRUB_MENUS = ("cmd/update-grub", "boot/grub/grub.cfg", "boot/grub2/grub.cfg")
_KERNEL_WANTED = ("proc/sys/kernel/osrelease", "cmd/uname-a")

# Suffix of the release → distribution. Only a hint, but for -pve: such kernels can be installed elsewhere.
_SUFFIXES = (
    (re.compile(r"-pve$"), "proxmox", None),
    (re.compile(r"\.el(\d{1,2})uek"), "ol", 1),
    (re.compile(r"\.el(\d{1,2})"), "rhel", 1),
    (re.compile(r"\.fc(\d{2,3})"), "fedora", 1),
    (re.compile(r"-Unraid$", re.IGNORECASE), "unraid", None),
    (re.compile(r"\+truenas"), "truenas", None),
    (re.compile(r"-cachyos"), "cachyos", None),
    (re.compile(r"-MANJARO$"), "manjaro", None),
    (re.compile(r"-arch\d|\d-lts$|-zen\d-\d{1,3}-zen$"), "arch", None),
    (re.compile(r"-default$"), "opensuse", None),
    (re.compile(r"-generic$|-lowlatency$"), "ubuntu", None),
    (re.compile(r"(?:\+|~)deb(\d{2})|bpo(\d{2})"), "debian", 1),
    (re.compile(r"-(?:cloud-)?amd64$"), "debian", None),
)
# Words that only Proxmox VE's own programs print.
_PROXMOX = (
    ("cmd/pveversion", "pve-manager"),
    ("cmd/pveversion", "proxmox-ve"),
    ("cmd/update-grub", "proxmox-boot-tool"),
    ("cmd/update-initramfs", "proxmox-boot"),
    ("cmd/proxmox-boot-tool", "proxmox-boot"),
    ("cmd/proxmox-boot-tool", "is configured with: "),
    ("cmd/messages", "/usr/share/perl5/PVE/"),
    ("cmd/messages", "TASK ERROR: "),
    ("text/other", "/usr/share/perl5/PVE/"),
)
# Words in files and in the kernel's banner that suggest a distribution.
_HINTS = (
    ("text/prompts", "@pve", "proxmox"),
    ("text/prompts", "@proxmox", "proxmox"),
    ("text/prompts", "@Tower", "unraid"),
    ("text/prompts", "@archlinux", "arch"),
    ("text/prompts", "@fedora", "fedora"),
    ("text/prompts", "@ubuntu", "ubuntu"),
    ("text/prompts", "@debian", "debian"),
    ("etc/default/grub", "echo Debian", "debian"),
    ("etc/default/grub", 'GRUB_DISTRIBUTOR="Arch', "arch"),
    ("cmd/dmesg", "(Ubuntu ", "ubuntu"),
    ("cmd/dmesg", "(Debian ", "debian"),
    ("proc/version", "(Ubuntu ", "ubuntu"),
    ("proc/version", "(Debian ", "debian"),
)
_DEBIAN_OF_PROXMOX = {"10": "6", "11": "7", "12": "8", "13": "9"}


class Platform(NamedTuple):
    """What is known of the system. Every member is a Fact.

    distribution: the ID of os-release, or "proxmox", "unraid", "truenas", which os-release does not tell;
    like: the IDs that os-release calls its kin; version: as the distribution counts; kernel: the release;
    kernel_version: its first two numbers; hypervisor: "proxmox", "libvirt" or "qemu"; board, board_vendor:
    the mainboard's or computer's name and maker.
    """

    distribution: Fact
    like: Fact
    version: Fact
    kernel: Fact
    kernel_version: Fact
    hypervisor: Fact
    board: Fact
    board_vendor: Fact


def read(evidence: Evidence) -> Platform:
    """Read the platform from all of the evidence that speaks of it; never raises for what it finds there."""
    kernel = _kernel(evidence)
    names = _os_release(evidence)
    proxmox = _proxmox(evidence, kernel)
    board, vendor = _board(evidence)
    return Platform(
        _distribution(evidence, names, kernel, proxmox),
        _like(names),
        _version(evidence, names, kernel, proxmox),
        kernel,
        _kernel_version(kernel),
        _hypervisor(evidence, proxmox),
        board,
        vendor,
    )


def _lines(piece: Piece) -> Iterator[tuple[int, str]]:
    """The lines of a small piece, counted from 0."""
    return enumerate(piece.text.splitlines())


def find_line(piece: Piece, words: str) -> tuple[int, str] | None:
    """The first line of `piece` that holds `words`, counted from 0; a big log is not split for it.

    >>> from doctor.evidence.types import Piece
    >>> find_line(Piece("cmd/dmesg", "a\\nLinux version 6.1\\nb"), "Linux version ")
    (1, 'Linux version 6.1')
    """
    at = piece.text.find(words)
    if at < 0:
        return None
    end = piece.text.find("\n", at)
    before = (piece.text[: end if end >= 0 else None] or "").splitlines()
    return len(before) - 1, before[-1]


def _kernel(evidence: Evidence) -> Fact:
    """The running kernel's release, from the most direct witness there is."""
    for piece, index, text in _release_lines(evidence):
        found = _RELEASE.match(text)
        if found:
            return Fact(found.group(), (piece.cite(index),))
    for path in ("proc/cmdline", *_LOGS, *_GRUB_MENUS):
        for piece in reversed(evidence.pieces(path)):
            for pattern, word in ((_IMAGE, "vmlinuz-"), (_PROXMOX_INITRD, "initrd=\\EFI\\proxmox\\")):
                line = find_line(piece, word)
                found = pattern.search(line[1]) if line else None
                if line and found:
                    return Fact(found.group(1), (piece.cite(line[0]),), (), path in _GRUB_MENUS)
    return _kernel_of_files(evidence)


def _release_lines(evidence: Evidence) -> Iterator[tuple[Piece, int, str]]:
    """Places that state the running release: piece, line, and the text that begins with it."""
    for piece in reversed(evidence.pieces("proc/sys/kernel/osrelease")):
        yield piece, 0, piece.text.strip()
    for piece in reversed(evidence.pieces("cmd/uname-a") + evidence.pieces("cmd/uname-r")):
        for index, line in _lines(piece):
            words = line.split()
            if len(words) == 1:
                yield piece, index, words[0]
            elif len(words) > 2 and words[0] == "Linux":
                yield piece, index, words[2]
    for path in ("proc/version", *_LOGS):
        for piece in sorted(evidence.pieces(path), key=lambda one: one.boot):
            for lead in ("Linux version ", "Not tainted "):
                found = find_line(piece, lead)
                if found:
                    yield piece, found[0], found[1].partition(lead)[2]
    for piece in evidence.pieces("cmd/pveversion"):
        found = find_line(piece, "running kernel: ")
        if found:
            yield piece, found[0], found[1].partition("running kernel: ")[2].strip()


def _kernel_of_files(evidence: Evidence) -> Fact:
    """The release by the files that are named after it, if all agree."""
    releases: dict[str, Source] = {}
    for path in evidence.paths():
        for prefix in ("lib/modules/", "usr/lib/modules/", "boot/config-"):
            rest = path[len(prefix) :].partition("/")[0] if path.startswith(prefix) else ""
            if rest and _RELEASE.fullmatch(rest):
                releases.setdefault(rest, evidence.states(path)[0].whole())
    if len(releases) == 1:
        release, source = next(iter(releases.items()))
        return Fact(release, (source,), (), True)
    return unknown(*_KERNEL_WANTED)


def _kernel_version(kernel: Fact) -> Fact:
    """Major and minor number of the release."""
    if not kernel.known:
        return kernel
    numbers = str(kernel.value).split(".", 2)
    return kernel._replace(value=(int(numbers[0]), int(re.match(r"\d+", numbers[1]).group())))  # type: ignore[union-attr]


def _os_release(evidence: Evidence) -> dict[str, tuple[str, Source]]:
    """The assignments of os-release(5): name → value and citation."""
    found: dict[str, tuple[str, Source]] = {}
    for path in ("usr/lib/os-release", "etc/os-release"):
        for piece in evidence.pieces(path):
            for index, line in _lines(piece):
                name, equals, value = line.strip().partition("=")
                if equals and name.isascii() and name.replace("_", "").isalnum():
                    found[name] = (value.strip().strip("\"'"), piece.cite(index))
    return found


def _proxmox(evidence: Evidence, kernel: Fact) -> Fact | None:
    """The proof that this is Proxmox VE, whose os-release is Debian's."""
    for path, words in _PROXMOX:
        for piece in evidence.pieces(path):
            found = find_line(piece, words)
            if found:
                return Fact("proxmox", (piece.cite(found[0]),))
    for path in evidence.paths():
        if path.startswith("etc/pve/") or path == "etc/kernel/proxmox-boot-uuids":
            pieces = evidence.pieces(path)
            if pieces:
                return Fact("proxmox", (pieces[0].whole(),))
    if kernel.known and str(kernel.value).endswith("-pve"):
        return kernel._replace(value="proxmox")
    return None


def _distribution(evidence: Evidence, names: dict[str, tuple[str, Source]], kernel: Fact, proxmox: Fact | None) -> Fact:
    if proxmox:
        return proxmox
    for path, name in (("etc/unraid-version", "unraid"), ("etc/NIXOS", "nixos")):
        piece = evidence.last(path)
        if piece:
            return Fact(name, (piece.whole(),))
    hint = _hint(evidence, kernel)
    if hint and hint.value in ("truenas", "unraid"):
        return hint._replace(weak=False)
    if "ID" in names:
        value, source = names["ID"]
        return Fact(value.lower(), (source,))
    piece = evidence.last("etc/debian_version")
    if piece and (hint is None or hint.value == "debian"):
        return Fact("debian", (piece.cite(0),), (), True)
    return hint or unknown("etc/os-release")


def _hint(evidence: Evidence, kernel: Fact) -> Fact | None:
    """The distribution that the kernel's suffix suggests, or else some words that its tools leave."""
    if kernel.known:
        for pattern, name, _ in _SUFFIXES:
            if pattern.search(kernel.value):
                return kernel._replace(value=name, weak=True)
    for path, words, name in _HINTS:
        for piece in evidence.pieces(path):
            found = find_line(piece, words)
            if found:
                return Fact(name, (piece.cite(found[0]),), (), True)
    return None


def _like(names: dict[str, tuple[str, Source]]) -> Fact:
    if "ID_LIKE" in names:
        value, source = names["ID_LIKE"]
        return Fact(tuple(value.lower().split()), (source,))
    return Fact((), (names["ID"][1],)) if "ID" in names else unknown("etc/os-release")


def _version(evidence: Evidence, names: dict[str, tuple[str, Source]], kernel: Fact, proxmox: Fact | None) -> Fact:
    if proxmox:
        return _proxmox_version(evidence, names)
    if "VERSION_ID" in names:
        value, source = names["VERSION_ID"]
        return Fact(value, (source,))
    piece = evidence.last("etc/debian_version")
    if piece and piece.text.strip()[:1].isdigit():
        return Fact(piece.text.split()[0], (piece.cite(0),))
    if kernel.known and "ID" not in names:
        for pattern, _, group in _SUFFIXES:
            found = pattern.search(kernel.value)
            if found and group:
                number = next((part for part in found.groups() if part), None)
                return kernel._replace(value=number, weak=True) if number else unknown("etc/os-release")
    return unknown("etc/os-release")


def _proxmox_version(evidence: Evidence, names: dict[str, tuple[str, Source]]) -> Fact:
    """Proxmox VE's own version: stated, or as its Debian release implies."""
    for piece in evidence.pieces("cmd/pveversion"):
        for index, line in _lines(piece):
            found = re.search(r"pve-manager[/:]\s?(\d{1,2}\.\d{1,2}[\d.-]{0,12})", line)
            if found:
                return Fact(found.group(1), (piece.cite(index),))
    if "VERSION_ID" in names:
        value, source = names["VERSION_ID"]
        implied = _DEBIAN_OF_PROXMOX.get(value)
        if implied:
            return Fact(implied, (source,), (), True)
    return unknown("cmd/pveversion", "etc/os-release")


def _hypervisor(evidence: Evidence, proxmox: Fact | None) -> Fact:
    if proxmox:
        return proxmox
    for name, prefixes in (
        ("libvirt", ("etc/libvirt/", "var/log/libvirt/", "cmd/virsh", "run/libvirt/")),
        ("qemu", ("cmd/qemu",)),
    ):
        for path in evidence.paths():
            pieces = evidence.pieces(path) if path.startswith(prefixes) else []
            if pieces:
                return Fact(name, (pieces[0].whole(),), (), True)
    return unknown("etc/pve/qemu-server/", "cmd/virsh-dumpxml")


def _board(evidence: Evidence) -> tuple[Fact, Fact]:
    """The board and its maker: DMI in sysfs, else the kernel log's line `DMI: MAKER NAME, BIOS …`."""
    name, vendor = (
        _first(evidence, [f"sys/class/dmi/id/{one}" for one in files])
        for files in (("board_name", "product_name"), ("board_vendor", "sys_vendor"))
    )
    for path in _LOGS:
        for piece in evidence.pieces(path):
            found = find_line(piece, "DMI: ") if not (name and vendor) else None
            text = found[1].partition("DMI: ")[2].rpartition(", BIOS")[0] if found else ""
            if found and text:
                fact = Fact(text.strip(), (piece.cite(found[0]),))
                name, vendor = name or fact, vendor or fact._replace(weak=True)
    return (
        name or unknown("sys/class/dmi/id/board_name"),
        vendor or unknown("sys/class/dmi/id/board_vendor"),
    )


def _first(evidence: Evidence, paths: list[str]) -> Fact | None:
    """The text of the first of `paths` that holds one."""
    for path in paths:
        piece = evidence.last(path)
        if piece and piece.text.strip():
            return Fact(piece.text.strip(), (piece.cite(0),))
    return None
