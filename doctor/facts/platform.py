"""Which system this is: distribution, version, kernel, hypervisor, board.

Sources of the facts: os-release(5); the kernel release suffixes of the distributions; `pveversion`;
`uname`, `/proc/version` and the first line of the kernel log, which all state the same release.

>>> from doctor.evidence.types import Evidence, Piece
>>> uname = Piece("cmd/uname-a", "Linux pve 6.8.12-9-pve #1 SMP x86_64 GNU/Linux", "paste.txt", 7)
>>> from doctor.knowledge.store import load
>>> found = read(Evidence("paste", "paste.txt", [uname]), load()["platforms"])
>>> found.distribution.value, found.kernel.value, found.kernel_version.value, found.hypervisor.value
('proxmox', '6.8.12-9-pve', (6, 8), 'proxmox')
>>> found.kernel.sources[0].line
7
"""

from __future__ import annotations

import re

from doctor.facts.fact import Fact, unknown
from doctor.later import later
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from doctor.evidence.types import Evidence, Piece, Source

_RELEASE = later(r"\d{1,3}\.\d{1,3}(?:\.\d{1,4})?[A-Za-z0-9._+~-]{0,80}", re.ASCII)
_IMAGE = later(r"vmlinuz-(\d[A-Za-z0-9._+~-]{2,90})", re.ASCII)
_PROXMOX_INITRD = later(r"initrd=\\EFI\\proxmox\\(\d[A-Za-z0-9._+~-]{2,90})\\", re.ASCII)
_LOGS = ("cmd/dmesg", "cmd/journalctl-k", "var/log/dmesg", "var/log/kern.log")
_GRUB_MENUS = ("cmd/update-grub", "boot/grub/grub.cfg", "boot/grub2/grub.cfg")
_KERNEL_WANTED = ("proc/sys/kernel/osrelease", "cmd/uname-a")

# The order in which a platform file's marks are asked: (how much it counts, what it looks at).
_PROOF = (("proves", "words"), ("proves", "file"), ("proves", "release"))
_HINTS = (("hints", "release"), ("hints", "words"), ("kin", "file"), ("kin", "words"))


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


def read(evidence: Evidence, platforms: Mapping[str, Any]) -> Platform:
    """Read the platform from all of the evidence that speaks of it; never raises for what it finds there.

    platforms: the files of `rules/platforms`, whose `marks` tell the distributions apart.
    """
    kernel = _kernel(evidence)
    names = _os_release(evidence)
    marks = [mark for stem in sorted(platforms) for mark in platforms[stem].get("marks", ())]
    proof = _marked(evidence, kernel, marks, _PROOF)
    proxmox = proof if proof and proof.value == "proxmox" else None
    board, vendor = _board(evidence)
    return Platform(
        proof or _distribution(evidence, names, kernel, marks),
        _like(names),
        _version(evidence, names, kernel, marks, _releases(platforms) if proxmox else None),
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
        for piece in reversed([piece for piece in evidence.pieces(path) if not piece.earlier]):
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
                found = None if piece.earlier else find_line(piece, lead)
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


def _distribution(
    evidence: Evidence, names: dict[str, tuple[str, Source]], kernel: Fact, marks: list[dict[str, Any]]
) -> Fact:
    """What os-release says, else what hints at a distribution."""
    if "ID" in names:
        value, source = names["ID"]
        return Fact(value.lower(), (source,))
    hint = _marked(evidence, kernel, marks, _HINTS)
    return hint._replace(weak=True) if hint else unknown("etc/os-release")


def _marked(
    evidence: Evidence, kernel: Fact, marks: list[dict[str, Any]], order: tuple[tuple[str, str], ...]
) -> Fact | None:
    """The first of `marks` that the evidence bears, asked in `order`."""
    for counts, kind in order:
        for mark in marks:
            own = "proves" if mark.get("proves") else "kin" if mark.get("kin") else "hints"
            looks = "release" if "release" in mark else "words" if "words" in mark else "file"
            found = _seen(evidence, kernel, mark, looks) if (own, looks) == (counts, kind) else None
            if found:
                return found
    return None


def _seen(evidence: Evidence, kernel: Fact, mark: dict[str, Any], looks: str) -> Fact | None:
    """The distribution of one mark with the citation that bears it."""
    name = mark["distribution"]
    if looks == "release":
        seen = kernel.known and re.search(mark["release"], str(kernel.value))
        return kernel._replace(value=name) if seen else None
    path = mark["file"]
    paths = [one for one in evidence.paths() if one.startswith(path)] if path.endswith("/") else [path]
    for piece in (piece for one in paths for piece in evidence.pieces(one)):
        if looks == "file":
            return Fact(name, (piece.whole(),))
        found = find_line(piece, mark["words"])
        if found:
            return Fact(name, (piece.cite(found[0]),))
    return None


def _like(names: dict[str, tuple[str, Source]]) -> Fact:
    if "ID_LIKE" in names:
        value, source = names["ID_LIKE"]
        return Fact(tuple(value.lower().split()), (source,))
    return Fact((), (names["ID"][1],)) if "ID" in names else unknown("etc/os-release")


def _version(
    evidence: Evidence,
    names: dict[str, tuple[str, Source]],
    kernel: Fact,
    marks: list[dict[str, Any]],
    proxmox: Mapping[str, str] | None,
) -> Fact:
    """The version; on Proxmox VE its own, `proxmox` being its versions by Debian release."""
    if proxmox is not None:
        return _proxmox_version(evidence, names, proxmox)
    if "VERSION_ID" in names:
        value, source = names["VERSION_ID"]
        return Fact(value, (source,))
    piece = evidence.last("etc/debian_version")
    if piece and piece.text.strip()[:1].isdigit():
        return Fact(piece.text.split()[0], (piece.cite(0),))
    if kernel.known and "ID" not in names:
        for pattern in (mark["release"] for mark in marks if "release" in mark):
            found = re.search(pattern, kernel.value)
            number = next((part for part in found.groups() if part), None) if found else None
            if number:
                return kernel._replace(value=number, weak=True)
    return unknown("etc/os-release")


def _releases(platforms: Mapping[str, Any]) -> Mapping[str, str]:
    """Proxmox VE's versions by Debian release, as its platform file has them."""
    found: Mapping[str, str] = platforms.get("proxmox", {}).get("debian_releases", {})
    return found


def _proxmox_version(evidence: Evidence, names: dict[str, tuple[str, Source]], releases: Mapping[str, str]) -> Fact:
    """Proxmox VE's own version: stated, or as its Debian release implies."""
    for piece in evidence.pieces("cmd/pveversion"):
        for index, line in _lines(piece):
            found = re.search(r"pve-manager[/:]\s?(\d{1,2}\.\d{1,2}[\d.-]{0,12})", line)
            if found:
                return Fact(found.group(1), (piece.cite(index),))
    if "VERSION_ID" in names:
        value, source = names["VERSION_ID"]
        implied = releases.get(value)
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
