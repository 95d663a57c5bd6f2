"""The initramfs: the tool that builds it, what it is told to hold and to load, and what it holds.

Sources: initramfs-tools(7) and initramfs.conf(5) (`modules` are loaded early; `MODULES=most|dep|list`),
dracut.conf(5) (`force_drivers` are loaded before udev, `add_drivers` are only put in, `omit_drivers` left out;
the values are plain strings, so `+=` without blanks glues two names together), mkinitcpio.conf(5) (arrays of
bash; hooks run in their order, `modconf` takes modprobe.d along, `kms` takes the GPU's driver), booster's
`modules_force_load`, dracut.cmdline(7) (`rd.driver.pre`, `rd.driver.blacklist`), lsinitramfs(8), lsinitrd(1).

>>> from doctor.evidence.types import Evidence, Piece
>>> conf = "MODULES=(vfio_pci # first\\n  vfio)\\nHOOKS=(base udev modconf kms block)"
>>> listing = "usr/lib/modules/6.6.1/kernel/drivers/vfio/pci/vfio-pci.ko.zst\\netc/modprobe.d/vfio.conf"
>>> pieces = [Piece("etc/mkinitcpio.conf", conf, "c"), Piece("cmd/lsinitcpio", listing, "l")]
>>> found = read(Evidence("directory", "d", pieces))
>>> found.tool.value, found.early.value, found.hooks.value, found.image.has("vfio-pci").value
('mkinitcpio', ('vfio_pci', 'vfio'), ('base', 'udev', 'modconf', 'kms', 'block'), True)
>>> found.image.has("nvidia").value, found.image.configuration.value
(False, ('etc/modprobe.d/vfio.conf',))
"""

from __future__ import annotations

from doctor.facts import lists
from doctor.facts.fact import Fact, Listing, unknown
from doctor.facts.lists import Value, plain, plain_string
from doctor.facts.silence import would_show
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from doctor.evidence.types import Evidence, Piece, Source

LISTINGS = ("cmd/lsinitramfs", "cmd/lsinitrd", "cmd/lsinitcpio")
_ENDINGS = (".ko", ".ko.xz", ".ko.zst", ".ko.gz")
_TOOLS = (
    ("dracut", ("etc/kernel/postinst.d/dracut", "cmd/lsinitrd", "cmd/dracut")),
    ("initramfs-tools", ("etc/kernel/postinst.d/initramfs-tools", "cmd/lsinitramfs", "cmd/update-initramfs")),
    ("mkinitcpio", ("etc/mkinitcpio.conf", "cmd/lsinitcpio", "cmd/mkinitcpio")),
    ("booster", ("etc/booster.yaml",)),
    ("dracut", ("etc/dracut.conf", "etc/dracut.conf.d/")),
    ("initramfs-tools", ("etc/initramfs-tools/",)),
)


class Image:
    """What the listing of an initramfs shows."""

    SHOWN = ("configuration", "modules")

    def __init__(self, pieces: list[Piece]) -> None:
        """`pieces` are the listings of one image or of parts of it."""
        self._pieces = pieces
        self._modules: dict[str, Source] = {}
        files: dict[str, Source] = {}
        for piece in pieces:
            for index, text in enumerate(piece.text.splitlines()):
                name = _listed(text)
                ending = next((one for one in _ENDINGS if name.endswith(one)), None)
                if ending:
                    module = plain(name[: -len(ending)].rpartition("/")[2])
                    self._modules.setdefault(module, piece.cite(index, text.strip()))
                elif "/modprobe.d/" in "/" + name and name.endswith(".conf"):
                    files.setdefault(name, piece.cite(index, text.strip()))
        self.configuration = self._found(files, "modprobe.d")
        self.modules = self._found(self._modules, ".ko")

    def _found(self, names: dict[str, Source], word: str) -> Fact:
        whole = any(would_show(piece, word) for piece in self._pieces)
        if not names and not whole:
            return unknown(*LISTINGS[:2])
        return Fact(Listing(names, whole, () if whole else LISTINGS[:2]), tuple(names.values())[:4])

    def has(self, module: str) -> Fact:
        """Whether the image holds a module's file; what is built into the kernel has none."""
        found = self._modules.get(plain(module))
        if found is not None:
            return Fact(True, (found,))
        for piece in self._pieces:
            if would_show(piece, plain(module) + ".ko") and would_show(piece, module.replace("_", "-") + ".ko"):
                return Fact(False, (piece.whole()._replace(text=f"{module} is not in the image"),))
        return unknown(*LISTINGS[:2])


class Initramfs(NamedTuple):
    """`tool`: initramfs-tools, dracut, mkinitcpio or booster; `early`: modules that it loads before udev, in
    their order; `included`: modules that are only put in; `omitted`: modules that are left out; `glued`:
    words that stand in no file, made of two names without a blank between; `hooks`: mkinitcpio's, in their
    order; `policy`: which drivers initramfs-tools puts in (most, dep, list, netboot); `image`: what is in it."""

    tool: Fact
    early: Fact
    included: Fact
    omitted: Fact
    glued: Listing
    hooks: Fact
    policy: Fact
    image: Image

    def lookup(self, name: str) -> Any:
        """The members as rules ask for them."""
        return getattr(self, name) if name in (*self._fields, "run_together") else None

    @property
    def run_together(self) -> Fact:
        """The words of `glued`, as text."""
        return Fact(Listing(value.text for value in self.glued), tuple(value.source for value in self.glued))


def read(evidence: Evidence, words: Sequence[str] = (), source: Source | None = None) -> Initramfs:
    """What is known of the initramfs; `words` are the running command line's parameters, `source` where they
    stand. Never raises."""
    arrays = lists.mkinitcpio(evidence)
    strings = lists.dracut(evidence)
    early = [
        *lists.bare(evidence, ("etc/initramfs-tools/modules", "usr/share/initramfs-tools/modules")),
        *arrays.get("MODULES", ()),
        *strings.get("force_drivers", ()),
        *_booster(evidence),
        *_words(words, source, "rd.driver.pre"),
    ]
    omitted = [*strings.get("omit_drivers", ()), *_words(words, source, "rd.driver.blacklist")]
    glued = [value for values in strings.values() for value in values if value.glued]
    hooks = arrays.get("HOOKS")
    return Initramfs(
        _tool(evidence),
        _fact(early, evidence),
        _fact(strings.get("add_drivers", ()), evidence),
        _fact(omitted, evidence),
        Listing(glued),
        _named(hooks) if hooks else unknown("etc/mkinitcpio.conf"),
        _policy(evidence),
        Image([piece for path in LISTINGS for piece in evidence.pieces(path)]),
    )


def _fact(values: Iterable[Value], evidence: Evidence) -> Fact:
    """The modules of a list; an empty one is known where some configuration of a tool is there."""
    some = list(values)
    wanted = ("etc/initramfs-tools/modules", "etc/dracut.conf.d/", "etc/mkinitcpio.conf")
    if some or evidence.complete:
        names = Listing(dict.fromkeys(plain(value.text) for value in some), evidence.complete, wanted)
        return Fact(names, tuple(dict.fromkeys(value.source for value in some))[:6])
    return unknown(*wanted)


def _named(values: Sequence[Value]) -> Fact:
    return Fact(Listing(value.text for value in values), tuple(dict.fromkeys(value.source for value in values))[:4])


def _tool(evidence: Evidence) -> Fact:
    """The tool, by what only it leaves or prints; two tools' traces leave it weak."""
    found: list[tuple[str, Piece, bool]] = []
    for rank, (tool, paths) in enumerate(_TOOLS):
        for path in paths:
            pieces = evidence.under(path) if path.endswith("/") else evidence.pieces(path)
            found += [(tool, pieces[0], rank < 4)] if pieces else []
    if not found:
        return unknown("etc/kernel/postinst.d/dracut", "etc/kernel/postinst.d/initramfs-tools", "etc/mkinitcpio.conf")
    tool, piece, direct = found[0]
    others = {name for name, _, plain_ in found if plain_ == direct} - {tool}
    return Fact(tool, (piece.whole(),), (), bool(others) or not direct)


def _policy(evidence: Evidence) -> Fact:
    """`MODULES=` of initramfs.conf; a file in conf.d outdoes it (mkinitramfs sources it later)."""
    for piece in reversed(
        evidence.pieces("etc/initramfs-tools/initramfs.conf") + evidence.under("etc/initramfs-tools/conf.d/")
    ):
        for index, text in enumerate(piece.text.splitlines()):
            name, equals, value = text.strip().partition("=")
            if equals and name == "MODULES":
                return Fact(plain_string(value).strip(), (piece.cite(index, text.strip()),))
    return unknown("etc/initramfs-tools/initramfs.conf")


def _booster(evidence: Evidence) -> Iterator[Value]:
    """`modules_force_load: a,b` of booster.yaml."""
    for piece in evidence.pieces("etc/booster.yaml"):
        for index, text in enumerate(piece.text.splitlines()):
            key, colon, value = text.partition("#")[0].strip().partition(":")
            if colon and key == "modules_force_load":
                for word in value.replace(",", " ").replace("[", " ").replace("]", " ").split():
                    yield Value(word.strip("'\""), piece.cite(index, text.strip()), piece, index)


def _words(words: Sequence[str], source: Source | None, name: str) -> Iterator[Value]:
    """The members of a comma list on the command line."""
    for word in words:
        key, equals, value = str(word).partition("=")
        if equals and key == name and source is not None:
            for part in value.split(","):
                if part:
                    yield Value(part, source, None, 0)


def _listed(text: str) -> str:
    """The path in a line of `lsinitramfs`, `lsinitramfs -l`, `lsinitrd` or `lsinitcpio`.

    >>> _listed("-rw-r--r--   1 root root  9736 Jan  1 1970 usr/lib/modules/6.8/vfio.ko.xz"), _listed("etc/fstab")
    ('usr/lib/modules/6.8/vfio.ko.xz', 'etc/fstab')
    """
    text = text.partition(" -> ")[0].rstrip()
    if text[:1] in "-dlcbps" and text[1:4].strip("rwxsStT-") == "" and " " in text:
        return text.rpartition(" ")[2].lstrip("/")
    return text.strip().lstrip("./")
