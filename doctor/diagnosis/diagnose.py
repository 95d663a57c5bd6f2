"""From facts to a diagnosis: findings, causes, verdicts."""

from __future__ import annotations

from doctor.diagnosis import engine, targets
from doctor.diagnosis import finding as f
from doctor.diagnosis.finding import Cause, Diagnosis, Finding, Row, Target
from doctor.say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from doctor.diagnosis.waivers import Waiver
    from doctor.facts.host import Host
    from doctor.facts.pci import Device

ESSENTIAL_HOST = ("iommu-active", "interrupt-remapping")
ESSENTIAL_TARGET = ("group-isolation", "vfio-bound")
_RANK = {name: rank for rank, name in enumerate(f.SEVERITIES)}


def diagnose(
    host: Host,
    rules: list[dict[str, Any]],
    devices: tuple[str, ...] = (),
    waivers: tuple[Waiver, ...] = (),
    today: str = "",
) -> Diagnosis:
    """Judges `host` by the compiled `rules`; `devices` are what `--device` names.

    `waivers` are those that may apply on the day `today`, YYYY-MM-DD. Raises
    `doctor.diagnosis.targets.UnknownDevice`.
    """
    aims = targets.find(host, devices)
    findings = engine.run(host, rules, aims)
    said: list[str] = []
    if waivers:
        from doctor.diagnosis.waivers import waive

        findings, said = waive(findings, waivers, host, today)
    return Diagnosis(
        verdict=verdict(findings, None),
        findings=tuple(findings),
        causes=tuple(causes(findings, depths(rules))),
        targets=tuple(aims),
        rows=tuple(_rows(host, findings, aims, rules)),
        notes=(*host.evidence.notes, *said),
    )


def depths(rules: list[dict[str, Any]]) -> dict[str, int]:
    """How deep each check lies below those that can explain it: what lies at the root is treated first.

    The graph of `after` has no circle; lint sees to that.
    """
    after = {rule["id"]: rule["after"] for rule in rules}
    known: dict[str, int] = {}

    def depth(name: str, seen: frozenset[str]) -> int:
        if name not in known:
            above = [one for one in after.get(name, ()) if one in after and one not in seen]
            known[name] = 1 + max((depth(one, seen | {name}) for one in above), default=-1)
        return known[name]

    return {name: depth(name, frozenset()) for name in after}


def causes(findings: list[Finding], depth: dict[str, int] | None = None) -> list[Cause]:
    """The failed findings that no other failed finding explains, the one to treat first first.

    Ordered by the worst severity that each explains, then by `depth` in the graph of `after`, then by how
    much each explains, then by rule order. A finding explains another only for the same device or from the
    host. A waived one is no cause and is not told as explained, but what lies beyond it is reached through it.
    """
    failed = [found for found in findings if found.status in (f.FAIL, f.WAIVED)]
    parents = {index: _parents(failed, found) for index, found in enumerate(failed)}
    roots = [
        index for index, found in enumerate(failed) if found.status == f.FAIL and not _above(index, parents, failed)
    ]
    result: list[tuple[tuple[int, ...], Cause]] = []
    for root in roots:
        explained = [failed[index] for index in _below(root, parents) if failed[index].status == f.FAIL]
        worst = min(_RANK[found.severity] for found in [failed[root], *explained])
        level = (depth or {}).get(failed[root].check, 0)
        result.append(((worst, level, -len(explained), root), Cause(failed[root], tuple(explained))))
    return [cause for _, cause in sorted(result, key=lambda pair: pair[0])]


def _parents(failed: list[Finding], found: Finding) -> list[int]:
    """The failed findings that explain `found`."""
    return [
        index
        for index, other in enumerate(failed)
        if other is not found and other.check in found.after and other.device in (None, found.device)
    ]


def _above(index: int, parents: dict[int, list[int]], failed: list[Finding]) -> bool:
    """Whether a failed finding explains the one at `index`, be it through waived ones."""
    seen: set[int] = set()
    left = list(parents[index])
    while left:
        above = left.pop()
        if failed[above].status == f.FAIL:
            return True
        if above not in seen:
            seen.add(above)
            left += parents[above]
    return False


def _below(root: int, parents: dict[int, list[int]]) -> list[int]:
    """Every finding that `root` explains, directly or through another, in rule order."""
    reached = {root}
    grew = True
    while grew:
        more = {index for index, above in parents.items() if index not in reached and reached & set(above)}
        reached |= more
        grew = bool(more)
    return sorted(reached - {root})


def verdict(findings: list[Finding], device: str | None) -> str:
    """The verdict for one device with its host, or for everything if `device` is None."""
    about = [found for found in findings if device is None or found.device in (None, device)]
    if any(found.status == f.FAIL and found.severity == "blocker" for found in about):
        return "not-ready"
    essential = [found for found in about if found.check in ESSENTIAL_HOST or found.check in ESSENTIAL_TARGET]
    if any(found.status == f.UNKNOWN for found in essential):
        return "undetermined"
    return "ready"


def _rows(host: Host, findings: list[Finding], aims: list[Target], rules: list[dict[str, Any]]) -> list[Row]:
    """A row for every device of the host.

    What a check says of a device that the evidence does not name counts for no other device.
    """
    of_host = {rule["id"] for rule in rules if rule["scope"] == "host" and not rule["unnamed"]}
    wanted = {target.address: target for target in aims}
    base = verdict([found for found in findings if found.check in of_host], None)
    rows = []
    for device in host.pci.all():
        if device.address in wanted:
            rows.append(Row(device.address, verdict(findings, device.address), wanted[device.address].because))
        else:
            rows.append(Row(device.address, *_would_take(host, device, base, findings)))
    return rows


def _would_take(host: Host, device: Device, base: str, findings: list[Finding]) -> tuple[str, str]:
    """What passing a device that is no target would take, in words."""
    if not device.is_endpoint:
        return "not-ready", say("a bridge cannot be passed through")
    if base == "not-ready":
        return "not-ready", say("the host's own obstacles come first")
    if not device.group.known:
        return "undetermined", say("its IOMMU group is not known")
    if device.group.value is None:
        return "not-ready", say("it has no IOMMU group")
    if device.vfs:
        # vfio-pci refuses it then with EBUSY (linux drivers/vfio/pci/vfio_pci_core.c).
        return "not-ready", say(
            "its {vfs} virtual functions would have to go first; rather pass one of them", vfs=device.vfs
        )
    members = host.pci.members(device.group.value)
    others = [d for d in members if d.slot != device.slot and d.is_endpoint]
    if others:
        names = ", ".join(d.address for d in others[:4]) + (", …" if len(others) > 4 else "")
        return "undetermined", say("shares IOMMU group {value} with {names}", value=device.group.value, names=names)
    if not members.complete:
        return "undetermined", say("IOMMU group {value} is not fully listed", value=device.group.value)
    if device.driver.known and device.driver.value not in (None, "vfio-pci"):
        return base, say("bind it to vfio-pci in place of {value}", value=device.driver.value)
    return base, say("nothing: it is alone in its IOMMU group")
