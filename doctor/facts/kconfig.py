"""The kernel's build configuration: /boot/config-RELEASE, /proc/config.gz, and what `grep` shows of them.

Source of the format: linux Documentation/kbuild/kconfig.rst; an option that is off is written
`# CONFIG_X is not set`, one whose dependencies fail is not written at all, so a whole file that lacks an
option says that it is off. An excerpt proves only what it shows.

>>> from doctor.evidence.types import EXCERPT, Evidence, Piece
>>> text = "CONFIG_VFIO_PCI=m\\n# CONFIG_VFIO_NOIOMMU is not set\\nCONFIG_CMDLINE=\\"quiet\\""
>>> whole = read(Evidence("directory", "d", [Piece("boot/config-6.1.0-18-amd64", text, "c")]))
>>> [whole.lookup(name).value for name in ("VFIO_PCI", "VFIO_NOIOMMU", "CMDLINE", "IOMMUFD")]
['m', 'n', 'quiet', 'n']
>>> part = read(Evidence("paste", "p", [Piece("proc/config.gz", text, "p", state=EXCERPT)]))
>>> part.lookup("CONFIG_VFIO_NOIOMMU").value, part.lookup("IOMMUFD").value
('n', UNKNOWN)
"""

from __future__ import annotations

import re

from doctor.evidence.types import CUT, FILTERED
from doctor.facts.fact import Fact, unknown
from doctor.facts.silence import would_show
from doctor.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from doctor.evidence.types import Evidence, Piece

WANTED = "boot/config-{release}"
_LINE = later(r"(?:(\S{1,200}):|\d{1,7}-)?\s{0,4}(?:(#)\s{0,3})?CONFIG_(\w{1,80})(?:=(.*)| is not set\b.*)", re.ASCII)
_RELEASE = later(r"\d{1,3}\.\d{1,3}[\w.+~-]{0,90}", re.ASCII)
_RELEVANT = ("IOMMU", "VFIO", "IRQ_REMAP", "PCI_STUB", "KVM", "SYSFB", "SIMPLEDRM", "FB_EFI", "LOCK_DOWN", "CMDLINE")
_MOST = 16 * 1024 * 1024  # bytes of a configuration once unpacked; real ones have a third of a megabyte


class Kconfig:
    """What is known of each option, asked for by name, with `CONFIG_` or without."""

    def __init__(self, values: dict[str, Fact], silent: tuple[Piece, ...]) -> None:
        """`silent` are the pieces whose lack of an option may say that it is off."""
        self._values, self._silent = values, silent

    def lookup(self, name: str) -> Fact:
        """ "y", "m", "n", or the text of an option that holds one; unknown where nothing tells."""
        name = name.removeprefix("CONFIG_").upper()
        found = self._values.get(name)
        if found is not None:
            return found
        for piece in self._silent:
            if would_show(piece, f"CONFIG_{name}"):
                return Fact("n", (piece.whole()._replace(text=f"CONFIG_{name} is not in it"),))
        return unknown(WANTED)

    @property
    def SHOWN(self) -> tuple[str, ...]:  # noqa: N802 - the name by which every group says what it shows
        """The options that passthrough has to do with, as far as the evidence shows them."""
        return tuple(name for name in self._values if any(word in name for word in _RELEVANT))


def read(evidence: Evidence, release: Fact | None = None) -> Kconfig:
    """The configuration of the running kernel; `release` is its release, as far as that is known.

    Files of other kernels are left out. While the release is unknown, options on which the files of
    several kernels disagree stay unknown. Never raises.
    """
    own = str(release.value) if release is not None and release.known else None
    pieces = _running(evidence, own)
    values: dict[str, Fact] = {}
    torn: set[str] = set()
    for piece in pieces:
        for name, value, index, text in _options(piece, own):
            known = values.setdefault(name, Fact(value, (piece.cite(index, text),)))
            if known.value != value and known.sources[0].path != piece.path:
                torn.add(name)
    for name in torn:
        values[name] = unknown(WANTED)
    shown = {fact.sources[0].path for fact in values.values() if fact.sources}
    # A file without a single option is none of a kernel's; a filter may well have left nothing over.
    return Kconfig(values, tuple(one for one in pieces if one.path in shown or one.state == FILTERED))


def _running(evidence: Evidence, release: str | None) -> list[Piece]:
    """The pieces that speak of the running kernel, the most direct first."""
    found: list[Piece] = []
    for piece in evidence.pieces("proc/config.gz") + evidence.pieces("proc/config"):
        found.append(_unpacked(piece))
    for path in evidence.paths():
        named = _release_of(path)
        if named is not None and (release is None or named in (release, "")):
            found += evidence.pieces(path)
    return found


def _release_of(path: str) -> str | None:
    """The release that a configuration's path names, "" if it leaves it to the shell; None for other paths.

    >>> _release_of("boot/config-6.1.0-18-amd64"), _release_of("lib/modules/6.8.5/config"), _release_of("boot/x")
    ('6.1.0-18-amd64', '6.8.5', None)
    """
    if path.startswith("boot/config-"):
        named = path[len("boot/config-") :]
    elif path.startswith(("lib/modules/", "usr/lib/modules/")) and path.endswith("/config"):
        named = path.rpartition("/")[0].rpartition("/")[2]
    else:
        return None
    return named if _RELEASE.fullmatch(named) else ""


def _unpacked(piece: Piece) -> Piece:
    """A piece whose compressed bytes are text."""
    if piece.binary is None:
        return piece
    import zlib

    unpacker = zlib.decompressobj(wbits=31)
    try:
        data = unpacker.decompress(piece.binary, _MOST)
    except zlib.error:
        return piece._replace(state=CUT)
    text = data.decode("utf-8", "replace")
    return piece._replace(text=text, binary=None, first_line=1, state=piece.state if unpacker.eof else CUT)


def _options(piece: Piece, release: str | None) -> Iterator[tuple[str, str, int, str]]:
    """Every option of a piece: name, value, its line from 0, the line; without those that grep shows of the
    file of another release than the running one."""
    for index, text in enumerate(piece.text.splitlines()):
        found = _LINE.match(text[:600]) if "CONFIG_" in text else None
        if found is None or (found.group(2) is not None and found.group(4) is not None):
            continue
        named = _release_of(found.group(1).lstrip("/")) if found.group(1) else None
        if named and release is not None and named != release:
            continue
        value = "n" if found.group(4) is None else found.group(4).strip()
        yield found.group(3), value.strip('"') if value.startswith('"') else value, index, text.strip()
