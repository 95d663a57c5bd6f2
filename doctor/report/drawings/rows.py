"""The PCI tree of a report as rows of a drawing: which devices are shown, under what, and what is folded.

Few devices are all shown. Of many, only what the targets are about is: the targets, who shares their groups, and the
bridges from the root down to them; where there is no target, the devices that people pass on. The rest is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.record import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from doctor.report.model import Device
    from doctor.report.view import View

ALL = 26  # devices that are drawn one by one
MOST = 34  # rows of devices where some are folded
_MEMBERS = 8  # of a target's group
_CANDIDATES = 8  # where nothing is a target
_NOWHERE = "?"
BUS, NOWHERE, DEVICE, FOLDED, ELSEWHERE = "bus", "nowhere", "device", "folded", "elsewhere"
TARGET, COMPANION, NEIGHBOUR, BRIDGE = "target", "companion", "neighbour", "bridge"


class Row(NamedTuple):
    """A line of the drawing.

    kind: `bus`, whose number is `name`; `nowhere`, above devices whose place is not known; `device`; `folded`, for
    so many devices in `groups` groups, `targets` of them targets, below the row above, or `elsewhere` for those on
    other buses. mark: what a device is to the targets. merges: why a group ends at this bridge, in words.
    """

    kind: str
    depth: int
    name: str = ""
    device: Device | None = None
    mark: str = ""
    merges: str = ""
    folded: int = 0
    groups: int = 0
    targets: int = 0

    @property
    def group(self) -> int | None:
        """The IOMMU group that the row is in."""
        return self.device["group"] if self.device is not None else None


def rows(view: View) -> list[Row]:
    """The rows, in the order of the tree."""
    return _Tree(view).rows()


class _Tree:
    def __init__(self, view: View) -> None:
        self.devices = {row["address"]: row for row in view.report["devices"]}
        self.targets = view.targets
        self.below: dict[str, list[Device]] = {}
        for device in self.devices.values():
            self.below.setdefault(self._above(device), []).append(device)
        self._untangle()
        self.shown = self._shown(view)
        self.merges = _merges(view.targets)

    def _above(self, device: Device) -> str:
        """What a device hangs from: a bridge that is listed, or a root bus, or nobody knows."""
        bridges = device.get("bridges", [] if device["address"].rpartition(":")[0].endswith(":00") else None)
        if bridges is None:
            return _NOWHERE
        listed = [bridge for bridge in bridges if bridge in self.devices and bridge != device["address"]]
        return listed[-1] if listed else (bridges[0] if bridges else device["address"]).rpartition(":")[0]

    def _untangle(self) -> None:
        """What hangs from itself, which only a made-up report says, hangs from nothing."""
        reached = {device["address"] for root in self._roots() for device in self._all_under(root)}
        lost = [name for name in self.devices if name not in reached]
        for name in lost:
            self.below.pop(name, None)
        if lost:
            self.below.setdefault(_NOWHERE, []).extend(self.devices[name] for name in lost)

    def _roots(self) -> list[str]:
        return [key for key in self.below if key not in self.devices]

    def _shown(self, view: View) -> set[str]:
        if len(self.devices) <= ALL:
            return set(self.devices)
        shown: set[str] = set()
        for device in self.targets or view.candidates[:_CANDIDATES]:
            members = [each for each in device["group_members"] if each in self.devices][:_MEMBERS]
            wanted = {device["address"], *members}
            wanted.update(bridge for each in tuple(wanted) for bridge in self.devices[each].get("bridges") or ())
            wanted &= set(self.devices)
            if not shown or len(shown | wanted) <= MOST:
                shown |= wanted
        return shown

    def rows(self) -> list[Row]:
        roots = sorted(key for key in self._roots() if key != _NOWHERE)
        found: list[Row] = []
        hidden: list[Device] = []
        for root in roots:
            if any(self._inside(device) & self.shown for device in self.below[root]):
                found.append(Row(BUS, 0, root))
                found += self._under(root, 1)
            else:
                hidden += self._all_under(root)
        if _NOWHERE in self.below:
            found.append(Row(NOWHERE, 0))
            found += self._under(_NOWHERE, 1)
        if hidden:
            found.append(_folded(ELSEWHERE, 0, hidden))
        return found

    def _under(self, above: str, depth: int) -> list[Row]:
        """The rows below a bridge or a bus, what is folded last."""
        found: list[Row] = []
        hidden: list[Device] = []
        for device in sorted(self.below.get(above, ()), key=lambda row: row["address"]):
            if self._inside(device) & self.shown:
                name = device["address"]
                found.append(
                    Row(DEVICE, depth, device=device, mark=self._mark(device), merges=self.merges.get(name, ""))
                )
                found += self._under(name, depth + 1)
            else:
                hidden += [device, *self._all_under(device["address"])]
        return [*found, _folded(FOLDED, depth, hidden)] if hidden else found

    def _inside(self, device: Device) -> set[str]:
        return {device["address"], *(each["address"] for each in self._all_under(device["address"]))}

    def _all_under(self, above: str) -> list[Device]:
        found = list(self.below.get(above, ()))
        for device in found:  # grows while it is read: what is below what is below
            found += self.below.get(device["address"], ())
        return found

    def _mark(self, device: Device) -> str:
        if device["target"]:
            return TARGET
        if (device["class"] or "").startswith("06"):
            return BRIDGE
        if any(_slot(device) == _slot(target) for target in self.targets):
            return COMPANION
        shared = {target["group"] for target in self.targets} - {None}
        return NEIGHBOUR if device["group"] in shared else ""


def _slot(device: Device) -> str:
    return device["address"].rpartition(".")[0]


def _merges(targets: Iterable[Device]) -> dict[str, str]:
    """The bridges that make one group of what is below them, each with the reason."""
    found = {}
    for target in targets:
        merge = target.get("merged_by")
        if merge:
            found[merge["address"]] = merge["reason"]
    return found


def _folded(kind: str, depth: int, hidden: list[Device]) -> Row:
    groups = {device["group"] for device in hidden} - {None}
    targets = sum(device["target"] for device in hidden)
    return Row(kind, depth, folded=len(hidden), groups=len(groups), targets=targets)
