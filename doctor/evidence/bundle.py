"""Bundles of `passdoctor collect`, and the live host, which is the same collected into memory."""

from __future__ import annotations

from doctor.evidence.clean import BREAKS
from doctor.evidence.types import Evidence, InputError, Piece

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doctor.collect.model import Collected, Entry
    from doctor.evidence.tree import Tree

_MANIFEST = "passdoctor/manifest.json"
_MEMBERS = ("passdoctor/manifest.json", "passdoctor/sysfs.json", "passdoctor/files/")


def from_collected(collected: Collected, kind: str, source: str, warnings: tuple[str, ...] = ()) -> Evidence:
    """The evidence of a collection: every entry at its path, cited as a file of the collection.

    `warnings`: what its reader has to say besides.
    """
    pieces = [_piece(entry, source, kind) for entry in collected.entries.values()]
    said = (*collected.warnings, *warnings)
    notes = []
    if collected.note:
        notes.append(f"Whoever collected it notes: {collected.note}")
    if not collected.as_root:
        notes.append("It was collected by an ordinary user: what only root may read is missing.")
    return Evidence(kind, source, pieces, collected.collected_at or None, collected.complete, tuple(notes), said)


def may_be_bundle(name: str) -> bool:
    """Whether a file in an archive may belong to a bundle that was packed again, perhaps below a folder.

    >>> may_be_bundle("passdoctor/sysfs.json"), may_be_bundle("x/passdoctor/files/a"), may_be_bundle("passdoctor/x")
    (True, True, False)
    """
    return name.startswith(_MEMBERS) or name.partition("/")[2].startswith(_MEMBERS)


def bundle_in(tree: Tree, name: str) -> Evidence | None:
    """The evidence of a bundle that was unpacked or packed in another way; None if there is none.

    Raises BundleError for a broken one, InputError for several.
    """
    tops = [full[: -len(_MANIFEST)] for full in tree.names if may_be_bundle(full) and full.endswith(_MANIFEST)]
    if not tops:
        return None
    if len(tops) > 1:
        raise InputError(f"{tree.shown}: it holds {len(tops)} bundles; unpack it and name one")
    from doctor.collect.pack import from_members
    from doctor.evidence.foreign import notes

    members: dict[str, bytes] = {}
    for full in tree.files:
        if full.startswith(tops[0] + "passdoctor/") and may_be_bundle(full):
            try:
                content = tree.read(full)
            except PermissionError:
                content = None
            if content is not None:
                members[full[len(tops[0]) :]] = content
            elif full in tree.passed:
                tree.noted[full] = tree.passed[full]
    return from_collected(from_members(members), "bundle", name, notes(tree))


def _piece(entry: Entry, source: str, kind: str) -> Piece:
    """One entry as a piece; a live host's files are cited by their own names."""
    cited = f"/{entry.path}" if kind == "host" and not entry.path.startswith("cmd/") else f"{source}:{entry.path}"
    if kind == "host" and entry.command:
        cited = entry.command
    binary = b"\0" in entry.data[:4096]
    text = "" if binary else entry.data.decode("utf-8", "replace")
    line = None if binary or entry.how in ("link", "exists", "listing") else 1
    return Piece(
        entry.path, text.translate(BREAKS).rstrip("\n"), cited, line, entry.command, entry.state, reason=entry.reason,
        binary=entry.data if binary else None,
    )  # fmt: skip
