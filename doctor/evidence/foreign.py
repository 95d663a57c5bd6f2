"""Opens what another tool collected, and plain trees of a host's files: which kind it is, and what is what in it.

The kinds are the modules of `doctor/evidence/kinds/`; a tree that is none of them is read as a host's own files.
"""

from __future__ import annotations

from doctor.evidence import files
from doctor.evidence.bundle import may_be_bundle
from doctor.evidence.kind import Found, Kind, Row, Table, tops
from doctor.evidence.kinds import all_kinds
from doctor.evidence.types import DENIED, NOT_COLLECTED, Evidence, InputError, Piece

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from doctor.evidence.tree import Tree

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz", ".tar.zst", ".zip")
_HEAD = 4096  # characters by which a text is told


def wanted() -> Callable[[str], bool]:
    """Whether a name in an archive may be evidence of any kind, wherever the bundle's top folder is."""
    table = Table([row for kind in all_kinds() for row in kind.rows] + list(files.ROWS))
    return lambda name: table.wants(name) or may_be_bundle(name)


def open_tree(tree: Tree, name: str, label: str) -> Evidence | None:
    """The evidence in a tree, None if it holds none; `label` goes before a file's name in citations.

    Raises InputError for several hosts in one.
    """
    for kind in all_kinds():
        found = tops(kind, tree.names) if kind.marks else []
        if len(found) > 1:
            raise InputError(f"{tree.shown}: it holds {len(found)} hosts; name one of them: {_listed(found)}")
        if found:
            return _evidence(tree, kind, found[0], name, label)
    return _host(tree, name, label)


def open_text(data: bytes, name: str) -> Evidence | None:
    """The evidence in a single text of a known kind; None if it is none."""
    head = data[:_HEAD].decode("utf-8", "replace").replace("\r", "")
    for kind in all_kinds():
        if kind.head is not None and kind.read is not None and kind.head(head):
            return _finished(kind, name, kind.read(data, name))
    return None


def inner_archives(tree: Tree) -> list[str]:
    """The archives in an archive, as `sos collect` packs them."""
    return [name for name in tree.names if name.lower().endswith(ARCHIVES) and name in tree.files]


def _listed(names: list[str]) -> str:
    shown = ", ".join(name.rstrip("/") or "." for name in names[:4])
    return shown + (", …" if len(names) > 4 else "")


several = _listed


def _evidence(tree: Tree, kind: Kind, top: str, name: str, label: str) -> Evidence:
    """The files of a bundle of `kind` whose top folder is `top`."""
    below = [full[len(top) :] for full in tree.names if full.startswith(top)]
    pieces = _pieces(tree, Table(kind.rows), {relative: top + relative for relative in below}, label)
    # Of the devices such a bundle has some files of some; what a command listed beats what was copied.
    shown = [piece for piece in files.listings(below, name) if piece.path != "sys/bus/pci/devices/"]
    return _finished(kind, name, [*shown, *pieces], notes(tree))


def _finished(kind: Kind, name: str, pieces: list[Piece], warnings: tuple[str, ...] = ()) -> Evidence:
    """The evidence with what such a bundle never holds, said once."""
    pieces = [*pieces, *_groups(pieces)]
    held = {piece.path for piece in pieces}
    never = [(path, words) for path, words in kind.never if path not in held]
    article = kind.name[:1].upper() + kind.name[1:]
    told: tuple[str, ...] = ()
    for path, words in never:
        pieces.append(Piece(path, "", name, None, state=NOT_COLLECTED, reason=f"{kind.name} does not hold {words}"))
    if never:
        said = "; ".join(words for _, words in never)
        open_ = "What needs them stays open until somebody runs the command beside it on the host."
        told = (f"{article} does not hold {said}. {open_}",)
    return Evidence(kind.subject, name, pieces, notes=told, warnings=warnings)


def _groups(pieces: list[Piece]) -> list[Piece]:
    """The listing of /sys/kernel/iommu_groups that the listings of single groups make, if there is none."""
    folder = "sys/kernel/iommu_groups/"
    found = {p.path[len(folder) :].partition("/")[0]: p for p in pieces if p.path.startswith(folder)}
    if not found or not all(number.isascii() and number.isdigit() for number in found):
        return []
    first = next(iter(found.values()))
    return [first._replace(path=folder, text="\n".join(sorted(found, key=int)), numbers=None)]


def _host(tree: Tree, name: str, label: str) -> Evidence | None:
    """A tree of a host's own files, its one top folder left out of the paths."""
    places = {files.below_top(full): full for full in tree.names}
    pieces = _pieces(tree, Table(files.ROWS), places, label)
    if not pieces:
        return None
    return Evidence("directory", name, [*pieces, *files.listings(list(places), name)], warnings=notes(tree))


def notes(tree: Tree) -> tuple[str, ...]:
    """What was evidence and yet passed over, in a line for each reason."""
    reasons = {reason: list(names) for reason, names in tree.left.items()}
    for name, reason in tree.noted.items():
        reasons.setdefault(reason, []).append(name)
    return tuple(f"Not read, {reason}: {_listed(names)}" for reason, names in reasons.items())


def _pieces(tree: Tree, table: Table, places: dict[str, str], label: str) -> list[Piece]:
    """The pieces of all files that the table knows; `places` maps a path below the top to the tree's name."""
    pieces: list[Piece] = []
    spare: list[tuple[Row, str, str, str]] = []
    for relative, full in places.items():
        placed = table.place(relative)
        if placed is None:
            continue
        row, path = placed
        if row.spare:
            spare.append((row, path, full, relative))
        else:
            pieces += _read(tree, row, path, full, label + relative)
    held = {piece.path for piece in pieces}
    for row, path, full, relative in spare:
        if path not in held:
            pieces += _read(tree, row, path, full, label + relative)
    return pieces


def _is_collected(path: str) -> bool:
    """Whether the collector takes the file at an evidence path, so that it matters that it was not read."""
    from doctor.collect.catalogue import item_for

    item = item_for(path)
    return item is not None and item.how == "file"


def _read(tree: Tree, row: Row, path: str, full: str, source: str) -> list[Piece]:
    """One file as pieces; a link in sys/ is its target's text, and a command's output that is a link is another's."""
    link = tree.links.get(full)
    if link is not None and path.startswith("sys/"):
        return [files.piece(path, link.encode("utf-8", "replace"), source, link=True)]
    if link is not None and path.startswith("cmd/"):
        return []
    try:
        data = tree.read(full)
    except PermissionError as error:
        return [Piece(path, "", source, None, state=DENIED, reason=error.strerror)]
    if full in tree.passed:
        if full in tree.links and not _is_collected(path):
            return []  # /etc is full of links
        tree.noted[full] = tree.passed[full]
        return [Piece(path, "", source, None, state=NOT_COLLECTED, reason=tree.passed[full])]
    if data is None:
        return []
    if row.read is not None:
        return row.read(Found(path, data, source, row.command, row.state))
    return [files.piece(path, data, source, command=row.command, state=row.state)]
