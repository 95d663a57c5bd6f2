"""The host's memory: its size, huge pages, and NUMA nodes with the PCI devices near them.

Sources: proc(5) (/proc/meminfo in KiB), linux Documentation/admin-guide/mm/hugetlbpage.rst (sysfs counts a
size, `hugepagesz=` and `hugepages=` on the command line, of which a number belongs to the size before it),
Documentation/ABI/stable/sysfs-devices-node, lscpu(1), `numactl -H`. A device's `numa_node` is -1 where firmware
does not tell (Documentation/ABI/testing/sysfs-bus-pci).

>>> from doctor.evidence.types import Evidence, Piece
>>> text = "MemTotal:       65842136 kB\\nHugePages_Total:    8\\nHugePages_Free:     2\\nHugepagesize:    1048576 kB"
>>> found = read(Evidence("directory", "d", [Piece("proc/meminfo", text, "m")]), ("hugepagesz=1G", "hugepages=8"))
>>> found.total.value, found.huge[0][:4], found.reserved[0][:2]
(67422347264, (1073741824, 8, 2, None), (1073741824, 8))
"""

from __future__ import annotations

import re

from doctor.facts.fact import Fact, Listing, unknown
from doctor.facts.limits import amount
from doctor.later import later
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from doctor.evidence.types import Evidence, Piece, Source

MEMINFO, HUGE, NODES = "proc/meminfo", "sys/kernel/mm/hugepages/", "sys/devices/system/node/"
_DEVICES = "sys/bus/pci/devices/"
_COUNT = later(r"([\w()]{1,40}):\s{0,40}(\d{1,18})(?:\s(kB))?\s*", re.ASCII)
_HUGE = later(r"hugepages-(\d{1,12})kB/(nr|free)_hugepages", re.ASCII)
_LSCPU_NODE = later(r"NUMA node(\d{1,4}) CPU\(s\):\s*([\d,-]{0,4000})", re.ASCII)


class Huge(NamedTuple):
    """Huge pages of one size in bytes: how many there are and how many are free (None: not shown), on which
    NUMA node (None: on all together)."""

    size: int
    total: int
    free: int | None
    node: int | None
    source: Source


class Reserved(NamedTuple):
    """Huge pages asked for on the command line; `size` None is the kernel's default size."""

    size: int | None
    pages: int
    source: Source | None


class Node(NamedTuple):
    """A NUMA node and its CPUs, as the kernel lists them (`0-15,32-47`; "" for none)."""

    number: int
    cpus: str
    source: Source


class Memory(NamedTuple):
    """`total`: bytes; `huge`: what is there; `reserved`: what the command line asks for; `nodes`: the NUMA
    nodes; `numa`: whether there are several; `near`: address → node, devices of which firmware tells it."""

    total: Fact
    huge: Listing
    reserved: Listing
    nodes: Listing
    numa: Fact
    near: Fact


def read(evidence: Evidence, words: Sequence[str] = (), source: Source | None = None) -> Memory:
    """The memory's facts; `words` are the running command line's parameters, `source` where they stand.

    Never raises.
    """
    huge = [*_by_size(evidence), *_from_meminfo(evidence)]
    first: dict[tuple[int, int | None], Huge] = {}
    for one in huge:
        first.setdefault((one.size, one.node), one)
    huge = sorted(first.values(), key=lambda one: (one.node is not None, one.node or 0, one.size))
    nodes = _nodes(evidence)
    return Memory(
        _total(evidence),
        Listing(huge, bool(huge), () if huge else (MEMINFO,)),
        Listing(_reserved(words, source)),
        nodes,
        Fact(len(nodes) > 1, tuple(node.source for node in nodes[:4])) if nodes else unknown(NODES + "online"),
        _near(evidence),
    )


def _counts(piece: Piece) -> Iterator[tuple[str, int, int, str]]:
    """Name, number (KiB as bytes), line from 0, the line: of /proc/meminfo and of a node's meminfo."""
    for index, text in enumerate(piece.text.splitlines()):
        bare = text.strip()
        if bare.startswith("Node "):
            bare = bare.partition(" ")[2].partition(" ")[2]
        found = _COUNT.fullmatch(bare[:100])
        if found:
            yield found.group(1), int(found.group(2)) * (1024 if found.group(3) else 1), index, text.strip()


def _total(evidence: Evidence) -> Fact:
    for piece in reversed(evidence.pieces(MEMINFO)):
        for name, value, index, text in _counts(piece):
            if name == "MemTotal":
                return Fact(value, (piece.cite(index, text),))
    return unknown(MEMINFO)


def _from_meminfo(evidence: Evidence) -> Iterator[Huge]:
    """The default size's pages."""
    for piece in reversed(evidence.pieces(MEMINFO)):
        seen = {name: (value, index, text) for name, value, index, text in _counts(piece)}
        if "Hugepagesize" in seen and "HugePages_Total" in seen:
            total, index, text = seen["HugePages_Total"]
            free = seen["HugePages_Free"][0] if "HugePages_Free" in seen else None
            yield Huge(seen["Hugepagesize"][0], total, free, None, piece.cite(index, text))


def _by_size(evidence: Evidence) -> Iterator[Huge]:
    """Each size's pages in sysfs, over all nodes and on each."""
    found: dict[tuple[int, int | None], dict[str, tuple[int, Source]]] = {}
    for path in evidence.paths():
        if not path.startswith((HUGE, NODES)) or "hugepages-" not in path:
            continue
        match = _HUGE.fullmatch(path[path.index("hugepages-") :])
        piece = evidence.last(path)
        node = _node_of(path) if path.startswith(NODES) else None
        text = piece.text.strip() if piece else ""
        if match and piece and text.isascii() and text.isdecimal() and len(text) < 18:
            cited = piece.cite(0, f"{path.rpartition('/')[2]}: {text}")
            found.setdefault((int(match.group(1)) * 1024, node), {})[match.group(2)] = (int(text), cited)
    for (size, node), counts in found.items():
        if "nr" in counts:
            yield Huge(size, counts["nr"][0], counts["free"][0] if "free" in counts else None, node, counts["nr"][1])


def _node_of(path: str) -> int | None:
    number = path[len(NODES) :].partition("/")[0].removeprefix("node")
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 5 else None


def _reserved(words: Sequence[str], source: Source | None) -> Iterator[Reserved]:
    """What `hugepages=` asks for, each of the size named before it (linux mm/hugetlb.c)."""
    size: int | None = None
    for word in words:
        name, equals, value = str(word).partition("=")
        if equals and name in ("hugepagesz", "default_hugepagesz"):
            size = amount(value)
        elif equals and name == "hugepages":
            for part in value.split(",")[:64]:
                count = part.rpartition(":")[2]
                if count.isascii() and count.isdecimal() and len(count) < 12:
                    yield Reserved(size, int(count), source)


def _nodes(evidence: Evidence) -> Listing:
    """The NUMA nodes by sysfs, else as lscpu lists them."""
    nodes: dict[int, Node] = {}
    for path in evidence.paths():
        if path.startswith(NODES) and path.endswith("/cpulist"):
            number, piece = _node_of(path), evidence.last(path)
            if number is not None and piece is not None:
                nodes[number] = Node(number, piece.text.strip(), piece.cite(0))
    for path in () if nodes else ("cmd/lscpu", "cmd/numactl"):
        for piece in evidence.pieces(path):
            for index, text in enumerate(piece.text.splitlines()):
                found = _LSCPU_NODE.match(text.strip()[:4100])
                words = text.split(None, 3)
                if found:
                    number, cpus = int(found.group(1)), found.group(2)
                elif words[:1] == ["node"] and words[2:3] == ["cpus:"] and words[1].isdecimal() and len(words[1]) < 5:
                    number, cpus = int(words[1]), ",".join(words[3].split()) if len(words) > 3 else ""
                else:
                    continue
                nodes.setdefault(number, Node(number, cpus, piece.cite(index, text.strip())))
    listed = [nodes[number] for number in sorted(nodes)]
    return Listing(listed, bool(listed), () if listed else (NODES + "online",))


def _near(evidence: Evidence) -> Fact:
    near: dict[str, int] = {}
    sources = []
    for path in evidence.paths():
        if path.startswith(_DEVICES) and path.endswith("/numa_node"):
            piece = evidence.last(path)
            text = piece.text.strip() if piece else ""
            if piece and text.isascii() and text.isdecimal() and len(text) < 5:
                near[path[len(_DEVICES) :].partition("/")[0]] = int(text)
                sources.append(piece.cite(0, f"{path}: {text}"))
    shown = bool(near) or any(p.startswith(_DEVICES) and p.endswith("/numa_node") for p in evidence.paths())
    return Fact(near, tuple(sources[:4])) if shown else unknown(_DEVICES)
