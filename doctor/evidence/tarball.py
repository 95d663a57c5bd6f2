"""A tar, compressed or not, as a tree in memory, in one pass.

A symbolic link is a text; a hard link is the file that it names, if that was kept; devices, pipes and sparse files
are no files. Of a name that stands twice the last one counts, as tar unpacks it (GNU tar manual, "Updating").
"""

from __future__ import annotations

from doctor.collect.untar import FILE, HARD_LINK, KINDS, LINK, Tar
from doctor.evidence import tree as limits
from doctor.evidence.tree import Tree, clean_name
from doctor.evidence.unpack import TooMuch, Unpacked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from doctor.collect.untar import Member

MEMBERS = 200_000
NAMES = 64 * 1024 * 1024  # characters of all names
TOTAL = 2 * 1024 * 1024 * 1024  # bytes of all members, whether they are read or not
INNER = 256 * 1024 * 1024  # bytes of an archive in an archive
_LINK = 1024  # characters of a link's target
HIDDEN = "a name that climbs, is too long, or holds what cannot be printed"
TWICE = "it stands there more than once, the last one counts"
_NO_END = "the mark of the archive's end, it may be cut"


class Wants:
    """What a reader of an archive keeps: what may be evidence, and an archive in it."""

    def __init__(self, wants: Callable[[str], bool], packed: Callable[[str], bool]) -> None:
        """`wants` and `packed` say of a name whether it may be evidence or an archive."""
        self.evidence, self.packed = wants, packed

    def limit(self, name: str) -> int:
        """How many bytes of the file are read at most."""
        return INNER if self.packed(name) else limits.LARGEST


def read_tar(data: bytes, shown: str, wants: Wants) -> Tree:
    """The members of a tar; of the files, what nobody wants is not kept. Raises BundleError, TooMuch and EOFError."""
    stream = Unpacked(data, TOTAL)
    try:
        packing = _Tarball(shown, wants)
        archive = Tar(stream.read)
        while (member := archive.next()) is not None:
            packing.take(archive, member)
        stream.finish()
    finally:
        stream.close()
    found = packing.tree
    if not archive.ended:
        found.leave(_NO_END, "it is missing")
    found.names = sorted({*found.files, *found.links})
    return found


class _Tarball:
    def __init__(self, shown: str, wants: Wants) -> None:
        self.tree, self._wants = Tree(shown, {}, {}), wants
        self._count = self._total = self._named = self._kept = self._inner = 0
        self._first = ""

    def take(self, archive: Tar, member: Member) -> None:
        """Puts a member into the tree."""
        self._count, self._total = self._count + 1, self._total + member.size
        self._named += len(member.name) + len(member.link)
        if self._count > MEMBERS or self._total > TOTAL or self._named > NAMES:
            raise TooMuch("the archive unpacks to too much")
        if member.kind == b"5":
            return
        tree, name = self.tree, clean_name(member.name)
        if name is None:
            tree.leave(member.name, HIDDEN)
            return
        known = name in tree.files or name in tree.links
        if known and self._wants.evidence(name):
            tree.leave(name, TWICE)
        if member.kind == LINK:
            tree.files.pop(name, None)
            tree.links[name] = member.link[:_LINK]
        elif member.kind == HARD_LINK:
            self._hard_link(name, clean_name(member.link))
        elif member.kind != FILE:
            if self._wants.evidence(name):
                tree.leave(name, f"{KINDS.get(member.kind, 'a member of an unknown kind')} in place of a file")
        else:
            tree.links.pop(name, None)
            self._file(archive, member, name)

    def _hard_link(self, name: str, target: str | None) -> None:
        files, links = self.tree.files, self.tree.links
        if target in links:
            links[name] = links[target]
        elif target in files and files[target] is not nothing:
            files[name] = files[target]
        elif self._wants.evidence(name):
            self.tree.leave(name, "a hard link to what was not read")

    def _file(self, archive: Tar, member: Member, name: str) -> None:
        """Keeps a file's content if somebody may want it: as evidence, or as the only one in the archive."""
        files, wants = self.tree.files, self._wants
        packed = wants.packed(name)
        self._inner += packed
        files[name] = nothing
        if len(files) == 2 and self._first and not wants.evidence(self._first) and not wants.packed(self._first):
            files[self._first] = nothing
        if not wants.evidence(name) and not (packed and self._inner == 1) and len(files) > 1:
            return
        self._first = self._first or name
        if member.size > wants.limit(name):
            self.tree.passed[name] = too_large(wants.limit(name))
            return
        self._kept += member.size
        if self._kept > limits.MOST:
            raise TooMuch(f"the archive holds more than {limits.MOST >> 20} MiB of evidence")
        files[name] = _holding(archive.content())


def _holding(content: bytes) -> Callable[[], bytes]:
    return lambda: content


def nothing() -> None:
    """In place of a file that was not kept."""


def too_large(limit: int) -> str:
    """The reason why a file is passed over."""
    return f"larger than {limit >> 20} MiB"
