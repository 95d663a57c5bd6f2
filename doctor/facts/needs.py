"""Which PCI devices the host itself cannot do without: its root file system, its network, its only console.

Sources: linux Documentation/ABI (sys/class/block, sys/class/net: `device`, `lower_*`), ip-route(8),
systemd.net-naming-scheme(7). What `/` is on is read by rootdisk.py.

>>> e = Evidence("directory", "d", [
...     Piece("cmd/ip-route", "default via 198.18.0.1 dev vmbr0 proto kernel onlink", "d"),
...     Piece("sys/class/net/vmbr0/", "brif\\nlower_eno1\\nmtu", "d"),
...     Piece("sys/class/net/eno1/device", "../../../0000:00:1f.6", "d")])
>>> [(need.address, need.what) for need in read(e, []).value]
[('0000:00:1f.6', 'the network (vmbr0, the default route, by eno1)')]
"""

from __future__ import annotations

from doctor.evidence.types import Evidence, Piece, Source
from doctor.facts import rootdisk
from doctor.facts.fact import Fact, Listing
from doctor.later import later
from doctor.record import NamedTuple
from doctor.say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from doctor.facts.pci import Device

ROUTE, MOUNTS = "cmd/ip-route", "proc/self/mountinfo"
NET, BLOCK = "sys/class/net/", "sys/class/block/"
WANTED = (ROUTE, MOUNTS)
_ADDRESS = later(r"[0-9a-f]{4,6}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7](?![\w.])")
_PARTITION = later(r"(nvme\d{1,4}n\d{1,4}|mmcblk\d{1,3}|md\d{1,4})p\d{1,3}|((?:s|v|xv|h)d[a-z]{1,3})\d{1,3}")
_DRIVE = later(r"nvme\d{1,4}(?=n\d{1,4}$)")
# A network card that udev names after its place, in decimal: domain, bus, slot, function; behind it one of its ports.
_PLACE = later(r"(?:en|wl|ww)(?:P(\d{1,5}))?p(\d{1,3})s(\d{1,2})(?:f([0-7]))?(?:d\d{1,3}|np\w{1,8})?")
_STEPS = 64  # no stack of bridges, bonds or mappings is deeper


class Need(NamedTuple):
    """A device that the host needs: its address, what for, in words, and the lines that show it."""

    address: str
    what: str
    sources: tuple[Source, ...]

    @property
    def brief(self) -> str:
        """What it is needed for."""
        return self.what


def read(evidence: Evidence, devices: Sequence[Device], complete: bool = False, serial: bool = False) -> Fact:
    """All needs, as a Listing; `complete`: `devices` are all devices of the host, `serial`: it has another console."""
    root, network = _root(evidence, devices, complete), _network(evidence, devices)
    found = [need for part in (root, network) for need in part or ()]
    console = [] if serial else _console(devices, complete)
    sources = tuple(dict.fromkeys(source for need in found for source in need.sources))
    lacking = tuple(path for path, part in ((MOUNTS, root), (ROUTE, network)) if part is None)
    return Fact(Listing([*found, *console], not lacking, lacking), sources)


def _console(devices: Sequence[Device], complete: bool) -> list[Need]:
    """The only device that can show the host's own picture."""
    shown = [device for device in devices if (device.class_ or "").startswith("03") and device.physfn is None]
    if not complete or len(shown) != 1 or (shown[0].class_ or "") == "0302":
        return []
    source = (shown[0].source,) if shown[0].source is not None else ()
    return [Need(shown[0].address, say("the only display of this host"), source)]


def _network(evidence: Evidence, devices: Sequence[Device]) -> list[Need] | None:
    """The cards that carry the default route; None if nothing tells which they are."""
    routes: dict[str, Source] = {}
    for piece in evidence.pieces(ROUTE):
        for index, line in enumerate(piece.text.split("\n")):
            words = line.split()
            if words[:1] == ["default"] and "dev" in words[:-1] and len(routes) < _STEPS:
                routes.setdefault(words[words.index("dev") + 1], piece.cite(index))
    found: list[Need] = []
    for name, route in routes.items():
        for card, (address, source) in _cards(evidence, name, devices).items():
            by = "" if card == name else say(", by {card}", card=card)
            what = say("the network ({name}, the default route{by})", name=name, by=by)
            found.append(Need(address, what, (route, source)))
    return found or None


def _each_once(waiting: list[str]) -> Iterator[str]:
    """Takes names off a list that grows meanwhile, each once: what leads back to itself ends."""
    seen: set[str] = set()
    while waiting and len(seen) < _STEPS:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            yield name


def _cards(evidence: Evidence, interface: str, devices: Sequence[Device]) -> dict[str, tuple[str, Source]]:
    """The PCI cards under a network interface, through bridges, bonds and VLANs."""
    found: dict[str, tuple[str, Source]] = {}
    waiting = [interface.partition("@")[0]]
    for name in _each_once(waiting):
        card = _linked(evidence, NET, name) or _placed(name, devices)
        if card is not None:
            found[name] = card
            continue
        listing = evidence.listing(f"{NET}{name}/")
        lower = [one.removeprefix("lower_") for one in listing[0] if one.startswith("lower_")] if listing else []
        ports = evidence.listing(f"{NET}{name}/brif/")
        waiting += [*lower, *(ports[0] if ports else ())]
        if not lower and not ports and "." in name:
            waiting.append(name.partition(".")[0])  # a VLAN is called after its parent
    return found


def _placed(interface: str, devices: Sequence[Device]) -> tuple[str, Source] | None:
    """The network card that an interface is named after, if one stands at that place."""
    found = _PLACE.fullmatch(interface)
    if found is None:
        return None
    domain, bus, slot, function = (int(part or 0) for part in found.groups())
    address = f"{domain:04x}:{bus:02x}:{slot:02x}.{function}"
    for device in devices:
        if device.address == address and (device.class_ or "").startswith("02") and device.source is not None:
            return address, device.source
    return None


def _root(evidence: Evidence, devices: Sequence[Device], complete: bool) -> list[Need] | None:
    """The controllers of the disks that hold the root file system; None if nothing tells."""
    drives = [one for one in devices if one.class_ == "0108" and one.source is not None]
    only = drives[0] if complete and len(drives) == 1 else None
    for path in rootdisk.PATHS:
        mounts: dict[str, Source] = {}
        for piece in evidence.pieces(path):
            for name, mounted in rootdisk.on(piece):
                if len(mounts) < _STEPS:
                    mounts.setdefault(name, mounted)
        found = [need for name, mounted in mounts.items() for need in _disks(evidence, name, mounted, only)]
        if found:
            return found
    return None


def _disks(evidence: Evidence, device: str, mounted: Source, only: Device | None) -> list[Need]:
    """The controllers under a block device, through partitions, mappings and arrays; `only` is the one NVMe drive."""
    found: list[Need] = []
    waiting = [_kernel_name(evidence, device)]
    for name in _each_once(waiting):
        disk = _linked(evidence, BLOCK, name)
        if disk is not None:
            what = say("the root file system ({name})", name=name)
            found.append(Need(disk[0], what, (mounted, disk[1])))
            continue
        drive = _DRIVE.match(name)
        controller = _linked(evidence, "sys/class/nvme/", drive.group()) if drive else None
        if controller is not None:  # with NVMe multipath a namespace hangs on a subsystem, not on its controller
            found.append(Need(controller[0], say("the root file system ({name})", name=name), (mounted, controller[1])))
            continue
        if drive and only is not None and only.source is not None:
            found.append(Need(only.address, say("the root file system ({name})", name=name), (mounted, only.source)))
            continue
        slaves = evidence.listing(f"{BLOCK}{name}/slaves/")
        waiting += slaves[0] if slaves else ()
        part = _PARTITION.fullmatch(name)
        if part:
            waiting.append(part.group(1) or part.group(2))
    return found


def _kernel_name(evidence: Evidence, device: str) -> str:
    """The kernel's name of a device below /dev: mapper/pve-root is dm-1."""
    if device.startswith("mapper/"):
        wanted = device.removeprefix("mapper/")
        for piece in evidence.under(BLOCK, "/dm/name"):
            if piece.text.strip() == wanted:
                return piece.path.split("/")[3]
    return device


def _linked(evidence: Evidence, folder: str, name: str) -> tuple[str, Source] | None:
    """The PCI device behind NAME in a class of sysfs: by its own link, or by a line of `ls -l` of the class."""
    for path in (f"{folder}{name}/device", f"{folder}{name}"):
        piece = evidence.last(path)
        if piece is not None:
            found = _ADDRESS.findall(piece.text)
            if found:
                return found[-1], piece.whole()
    for listed in (folder, "sys/block/"):
        for piece in evidence.pieces(listed):
            line = _line_of(piece, name)
            if line is not None:
                return line
    return None


def _line_of(piece: Piece, name: str) -> tuple[str, Source] | None:
    """The PCI address in the line ` NAME -> ../../devices/pci…` of a long listing."""
    for index, line in enumerate(piece.text.split("\n")):
        left, arrow, right = line.partition(" -> ")
        if arrow and left.split()[-1:] == [name]:
            found = _ADDRESS.findall(right)
            return (found[-1], piece.cite(index)) if found else None
    return None
