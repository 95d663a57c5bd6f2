"""The module configuration: modprobe.d, and the lists of modules that are loaded at boot.

Sources of the facts: modprobe.d(5) (folders in the order /etc, /run, /usr/local/lib, /usr/lib, /lib; a file
hides those of its name in later folders; files are read in the order of their names; `-` and `_` are equal
in module names; a backslash continues a line; only names that end in `.conf` are read), modules-load.d(5),
modules(5), and the lists of initramfs-tools, mkinitcpio and dracut (see lists.py). A module's option may be
quoted (linux kernel/params.c). vfio-pci's `ids` is one string: a later one replaces the earlier.

>>> from doctor.evidence.types import Evidence, Piece
>>> vfio = Piece("etc/modprobe.d/vfio.conf", "# both\\noptions vfio_pci ids=10de:2203,\\\\\\n10de:1aef", "v")
>>> found = read(Evidence("directory", "host", [vfio]))
>>> found.option("vfio-pci", "ids").value, found.option("vfio-pci", "ids").sources[0].line
('10de:2203,10de:1aef', 2)
>>> [entry.text for entry in ids(found, ["quiet", "vfio-pci.ids=1002:67df"]).value]
['1002:67df']
"""

from __future__ import annotations

import re

from doctor.facts import lists
from doctor.facts.fact import UNKNOWN, Fact, Listing, unknown
from doctor.facts.lists import plain as plain
from doctor.later import later
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from doctor.evidence.types import Evidence, Piece, Source

FOLDERS = (
    "etc/modprobe.d/",
    "run/modprobe.d/",
    "usr/local/lib/modprobe.d/",
    "usr/lib/modprobe.d/",
    "lib/modprobe.d/",
)
_KINDS = frozenset(("options", "blacklist", "softdep", "install", "remove", "alias", "weakdep"))
_LOAD_FOLDERS = (
    "etc/modules-load.d/",
    "run/modules-load.d/",
    "usr/local/lib/modules-load.d/",
    "usr/lib/modules-load.d/",
    "lib/modules-load.d/",
)
_OPTION = later(r'(?:[^\s"]|"[^"]*"?)+')
_VFIO = ("vfio", "vfio_pci", "vfio_pci_core", "vfio_iommu_type1")
_NOTHING = frozenset(("/bin/true", "/bin/false", "/usr/bin/true", "/usr/bin/false", "true", "false", ":"))
# How people keep a file from being read on purpose; and what tools leave beside one.
_KEPT_BACK = ("~", ".bak", ".old", ".orig", ".save", ".disabled", ".off", ".swp", ".rpmsave", ".rpmnew", ".rpmorig")
_PART = later(r"(?:0[xX])?[0-9a-fA-F]{1,8}", re.ASCII)


class Entry(NamedTuple):
    """A line of modprobe.d. `module`: with `_` for `-`; `words`: what follows it; `at`, `span`: its first
    line in `piece`, from 0, and how many lines it takes."""

    kind: str
    module: str
    words: tuple[str, ...]
    text: str
    source: Source
    piece: Piece
    at: int
    span: int = 1


class Load(NamedTuple):
    """A module to be loaded at boot. `when`: "boot", "initramfs", or "included" for one that is only put into
    the initramfs; `list`: the variable that holds it."""

    module: str
    words: tuple[str, ...]
    when: str
    list: str | None
    source: Source
    piece: Piece
    at: int


class Id(NamedTuple):
    """An entry of an `ids=` list; parts that are not given match anything and are None."""

    text: str
    vendor: str
    device: str
    subvendor: str | None = None
    subdevice: str | None = None
    device_class: str | None = None
    mask: str | None = None


class Modprobe(NamedTuple):
    """The module configuration.

    `entries`: the lines in effect, in the order in which modprobe reads them; `hidden`: lines of files that
    a file of the same name hides; `loads`: the modules to be loaded at boot; `unread`: files in those folders
    whose names lack `.conf`, so that modprobe passes over them.
    """

    entries: Listing
    hidden: tuple[Entry, ...]
    loads: Listing
    unread: Listing

    def of(self, kind: str, module: str | None = None) -> tuple[Entry, ...]:
        """The lines of one kind, of one module if given."""
        name = None if module is None else plain(module)
        return tuple(e for e in self.entries if e.kind == kind and name in (None, e.module))

    def options(self, module: str) -> dict[str, Fact]:
        """The options of `module`: name → Fact of the value that holds, with where it stands."""
        found: dict[str, Fact] = {}
        for entry in self.of("options", module):
            for word in _OPTION.findall(" ".join(entry.words)):
                name, equals, value = word.replace('"', "").partition("=")
                found[plain(name)] = Fact(value if equals else True, (entry.source,))
        return found

    def option(self, module: str, name: str) -> Fact:
        """One option's value; None if it is known not to be set, unknown if a file may be missing."""
        found = self.options(module).get(plain(name))
        if found:
            return found
        return Fact(None) if self.entries.complete else unknown(*self.entries.wanted)

    def blacklisted(self, module: str) -> Fact:
        """Whether the module is blacklisted."""
        return self._whether(self.of("blacklist", module), self.entries)

    def blocked(self, module: str) -> Fact:
        """Whether an `install` line puts nothing in place of loading the module, also where another needs it."""
        lines = self.of("install", module)
        found = tuple(entry for entry in lines[-1:] if entry.words[:1] and entry.words[0] in _NOTHING)
        return Fact(False, (lines[-1].source,)) if lines and not found else self._whether(found, self.entries)

    def lookup(self, name: str) -> Any:
        """The members as rules ask for them."""
        own = ("passed_over", "vfio_blacklisted", "vfio_blocked")
        return getattr(self, name) if name in (*self._fields, *own) else None

    @property
    def vfio_blacklisted(self) -> Fact:
        """Which of VFIO's modules a `blacklist` line names: neither a device nor a list at boot loads them then."""
        return self._named([entry for entry in self.of("blacklist") if entry.module in _VFIO])

    @property
    def vfio_blocked(self) -> Fact:
        """Which of VFIO's modules an `install` line keeps out altogether."""
        gone = [name for name in _VFIO if self.blocked(name).value is True]
        return self._named([self.of("install", name)[-1] for name in gone])

    def _named(self, found: list[Entry]) -> Fact:
        """The modules of some lines, each once, and whether all lines were seen."""
        names = Listing(dict.fromkeys(entry.module for entry in found), self.entries.complete, self.entries.wanted)
        return Fact(names, tuple(entry.source for entry in found))

    @property
    def passed_over(self) -> Fact:
        """The files of /etc/modprobe.d that modprobe never reads, for their names; a name alone may be a folder's."""
        seen = tuple(source for source in self.unread if not source.path.endswith("/"))
        return Fact(Listing(source.text for source in seen), seen, self.unread.wanted)

    @staticmethod
    def _whether(found: tuple[Entry, ...] | tuple[Load, ...], listing: Listing) -> Fact:
        if found:
            return Fact(True, tuple(one.source for one in found))
        return Fact(False) if listing.complete else unknown(*listing.wanted)

    def softdeps(self, module: str) -> tuple[str, ...]:
        """The modules that are loaded before `module`."""
        before: list[str] = []
        for entry in self.of("softdep", module):
            part = None
            for word in entry.words:
                if word in ("pre:", "post:"):
                    part = word
                elif part == "pre:":
                    before.append(plain(word))
        return tuple(before)


def read(evidence: Evidence) -> Modprobe:
    """Read the module configuration from the evidence; what cannot be parsed is left out. Never raises."""
    entries, hidden = _entries(evidence)
    complete = evidence.complete or evidence.listing(FOLDERS[0]) is not None
    loads_complete = evidence.complete or (
        evidence.listing(_LOAD_FOLDERS[0]) is not None and bool(evidence.states("etc/modules"))
    )
    return Modprobe(
        Listing(entries, complete, () if complete else (FOLDERS[0],)),
        tuple(hidden),
        Listing(_loads(evidence), loads_complete, () if loads_complete else ("etc/modules", _LOAD_FOLDERS[0])),
        Listing(_unread(evidence), complete, () if complete else (FOLDERS[0],)),
    )


def _unread(evidence: Evidence) -> Iterator[Source]:
    """Files of /etc/modprobe.d that modprobe passes over for their names, backups left out."""
    for folder in FOLDERS[:1]:
        listed = evidence.listing(folder)
        names = {name: listed[1].whole()._replace(text=folder + name) for name in listed[0]} if listed else {}
        for piece in evidence.under(folder):
            names.setdefault(piece.path[len(folder) :], piece.whole()._replace(text=piece.path))
        for name, source in names.items():
            backup = name.endswith(_KEPT_BACK) or any(mark in name for mark in (".dpkg-", ".ucf-", "README"))
            if name and "/" not in name and not name.endswith(".conf") and not backup:
                yield source


def _entries(evidence: Evidence) -> tuple[list[Entry], list[Entry]]:
    """The lines in effect and the hidden ones."""
    files: list[tuple[str, int, Piece]] = []
    for rank, folder in enumerate(FOLDERS):
        files += [(piece.path[len(folder) :], rank, piece) for piece in evidence.under(folder, ".conf")]
    first: dict[str, int] = {}
    for name, rank, _ in files:  # folders come in order of rank, so the first one seen hides the rest
        first.setdefault(name, rank)
    entries: list[Entry] = []
    hidden: list[Entry] = []
    for name, rank, piece in sorted(files, key=lambda one: one[:2]):
        (entries if rank == first[name] else hidden).extend(_parse(piece))
    return entries, hidden


def logical_lines(piece: Piece) -> Iterator[tuple[int, int, str]]:
    """The lines of `piece`, a backslash at the end joining the next one: first line, how many, the text."""
    lines = piece.text.splitlines()
    at = 0
    while at < len(lines):
        text, span = lines[at], 1
        while text.endswith("\\") and at + span < len(lines):
            text, span = text[:-1] + lines[at + span], span + 1
        yield at, span, text.rstrip("\\") if span == 1 else text
        at += span


def _parse(piece: Piece) -> Iterator[Entry]:
    for at, span, text in logical_lines(piece):
        words = text.split()
        if len(words) > 1 and words[0] in _KINDS:
            source = piece.cite(at, text.strip())
            # An alias names a pattern first; its module stands last.
            module = words[2] if words[0] == "alias" and len(words) > 2 else words[1]
            rest = (words[1],) if words[0] == "alias" else tuple(words[2:])
            yield Entry(words[0], plain(module), rest, text.strip(), source, piece, at, span)


def _loads(evidence: Evidence) -> list[Load]:
    """Every module that some list has loaded."""
    loads: list[Load] = []
    for path in ("etc/modules", "etc/initramfs-tools/modules"):
        for piece in evidence.pieces(path):
            loads += _bare_list(piece, "boot" if path == "etc/modules" else "initramfs")
    seen: set[str] = set()
    for folder in _LOAD_FOLDERS:
        pieces = evidence.under(folder, ".conf")
        for piece in pieces:
            if piece.path[len(folder) :] not in seen and not _same_as_modules(evidence, piece):
                loads += _bare_list(piece, "boot")
        seen.update(piece.path[len(folder) :] for piece in pieces)
    loads += _variable_lists(lists.mkinitcpio(evidence), {"MODULES": "initramfs"})
    # add_drivers only puts a module into the image (dracut.conf(5)).
    loads += _variable_lists(lists.dracut(evidence), {"force_drivers": "initramfs", "add_drivers": "included"})
    return loads


def _same_as_modules(evidence: Evidence, piece: Piece) -> bool:
    """Debian's modules-load.d/modules.conf is a link to /etc/modules: the same file, seen twice."""
    modules = evidence.last("etc/modules")
    return piece.path.endswith("/modules.conf") and modules is not None and modules.text == piece.text


def _bare_list(piece: Piece, when: str) -> Iterator[Load]:
    for at, text in enumerate(piece.text.splitlines()):
        words = text.split()
        if words and words[0][0] not in "#;":
            arguments = tuple(words[1:])
            yield Load(plain(words[0]), arguments, when, None, piece.cite(at, text.strip()), piece, at)


def _variable_lists(found: dict[str, list[lists.Value]], when: dict[str, str]) -> Iterator[Load]:
    for name, kind in when.items():
        for value in found.get(name, ()):
            if value.piece is not None:
                yield Load(plain(value.text), (), kind, name, value.source, value.piece, value.at)


def parse_id(text: str) -> Id | None:
    """An entry `vvvv:dddd[:sv[:sd[:class[:mask]]]]` as vfio-pci reads it; None if it has no two numbers.

    >>> parse_id("10DE:2203").text, parse_id("10de:2203:1458").subvendor, parse_id("10de;reboot")
    ('10de:2203', '1458', None)
    """
    parts = text.strip().split(":")
    if not 2 <= len(parts) <= 6 or not all(_PART.fullmatch(part) for part in parts):
        return None
    numbers = [f"{int(part, 16):04x}" for part in parts]
    return Id(":".join(numbers), *numbers)


def ids(modprobe: Modprobe, words: Fact | Sequence[str], driver: str = "vfio-pci", builtin: bool = False) -> Fact:
    """The ids that `driver` claims: a tuple of `Id`, with where they stand.

    `words` are the parameters of the kernel command line, as a Fact or as such. They outrank modprobe.d,
    which in turn does not reach a driver that is built into the kernel (`builtin`). Malformed entries are
    left out, as the driver does. Unknown when neither place holds a list and one of them is not known.
    """
    name = plain(driver)
    given = words.value if isinstance(words, Fact) else tuple(words)
    sources = words.sources if isinstance(words, Fact) else ()
    for word in reversed(() if given is UNKNOWN else given):
        key, equals, value = str(word).strip('"').partition("=")
        if equals and plain(key) == f"{name}.ids":
            return Fact(_split_ids(value), tuple(s for s in sources if value in s.text) or sources)
    if builtin and given is not UNKNOWN:
        return Fact((), sources)
    found = unknown() if builtin else modprobe.option(driver, "ids")
    if found.known and given is not UNKNOWN:
        return found._replace(value=_split_ids(found.value) if isinstance(found.value, str) else ())
    if found.known and isinstance(found.value, str):
        return found._replace(value=_split_ids(found.value), weak=True)
    wanted = words.wanted if isinstance(words, Fact) else ()
    return unknown(*dict.fromkeys((*found.wanted, *wanted)))


def _split_ids(text: str) -> tuple[Id, ...]:
    return tuple(one for one in map(parse_id, text.strip('"').split(",")) if one)
