"""The structured steps that rules prescribe and platforms carry out.

A remedy in a rule is a mapping with exactly one of these keys (and `why`, `optional`, `risk` beside it):

kernel_parameter: {add: [K=V…], remove: [K or K=V…]}
    `remove: [K]` removes every K and K=V; adding K=V replaces another value of K unless K accumulates
    (rules/platforms/kernel.yaml). `remove: [K=V]` also takes V out of a list `K=A,V,B` of such a K.
    A removal of K beside an addition of K=V is a replacement.
load_modules: [names]             load at boot (/etc/modules or modules-load.d)
unload_modules: [names]           no longer load at boot: remove from every list that names them
module_option: {module: M, set: {option: value}, remove: [options]}
softdep: {drivers: [host drivers], before: vfio-pci}
bind_ids: {ids: [vvvv:dddd…], drivers: [host drivers]}          vfio-pci takes every card of these ids
bind_addresses: {addresses: [full BDF…], drivers: [host drivers]}  vfio-pci takes these functions only
blacklist: {modules: [names]}     not loaded for a device that they know; in the platform's file of modprobe.d
remove_line: {directive: blacklist | install | options | softdep, modules: [names]}
    takes out every line of modprobe.d with that directive for one of the modules, wherever it stands.
firmware: {settings: [keys of rules/platforms/firmware.yaml]}
power_cycle: true                 off at the mains and on again, not only a restart; becomes the plan's one restart
move_device: {devices: [full BDF…]}   to another slot; facts name the free ports that isolate
other_hardware: "text"            what other device, card or board is needed
vm_config: {vm: ID, set: {key: value}, remove: [keys]}
apply_boot_config: true           bring the configured command line into effect (rebuild and reboot)
run: {commands: [literal shell commands that contain no evidence]}
person: "text"                    what only a person can do, and none of the kinds above says
"""

from __future__ import annotations

from doctor.diagnosis.finding import SEVERITIES
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from doctor.diagnosis.finding import Cause, Finding

KINDS = (
    "kernel_parameter",
    "load_modules",
    "unload_modules",
    "module_option",
    "softdep",
    "bind_ids",
    "bind_addresses",
    "blacklist",
    "remove_line",
    "firmware",
    "power_cycle",
    "move_device",
    "other_hardware",
    "vm_config",
    "apply_boot_config",
    "run",
    "person",
)

# What no program can do: such steps are told, and nothing proves them but the next examination.
BY_HAND = ("firmware", "power_cycle", "move_device", "other_hardware", "person")


class Ask(NamedTuple):
    """One prescribed step and who prescribes it. An ask of an advice-level check is optional."""

    kind: str
    body: Any
    check: str
    optional: bool
    risk: str | None
    why: str | None = None


def asks_of(finding: Finding) -> Iterator[Ask]:
    """The steps that a failed finding prescribes; none for any other status. Unknown keys are passed over."""
    if finding.status != "fail":
        return
    for remedy in finding.remedy:
        for kind in KINDS:
            if kind in remedy:
                optional = bool(remedy.get("optional", finding.severity == "advice"))
                risk = remedy.get("risk")
                why = remedy.get("why")
                said = str(why) if why else None
                yield Ask(kind, remedy[kind], finding.check, optional, str(risk) if risk else None, said)


def gather(findings: Sequence[Finding], causes: Sequence[Cause]) -> list[Ask]:
    """All steps of `findings` as they count: by cause, what each explains after it, then the rest.

    A finding of `causes` that is not among `findings` is left out: its cause's remedy is enough.
    """
    meant = {(finding.check, finding.device) for finding in findings}
    ordered: list[Finding] = []
    for cause in causes:
        ordered += [one for one in (cause.finding, *cause.explains) if (one.check, one.device) in meant]
    ordered += findings
    seen: set[tuple[str, str | None]] = set()
    asks: list[Ask] = []
    for finding in ordered:
        if (finding.check, finding.device) not in seen:
            seen.add((finding.check, finding.device))
            asks += asks_of(finding)
    return asks


def settled(asks: Sequence[Ask]) -> list[Ask]:
    """The asks, each once: the same values in another order are the same, and stand as first named."""
    orders: dict[tuple[str, frozenset[str]], list[Any]] = {}
    found: dict[str, Ask] = {}

    def ordered(field: str, given: Any) -> Any:
        if not isinstance(given, (list, tuple)):
            return given
        values = sorted(given, key=str) if field == "addresses" else list(given)
        return orders.setdefault((field, frozenset(map(str, values))), values)

    for ask in asks:
        if isinstance(ask.body, dict):
            body: Any = {field: ordered(field, given) for field, given in ask.body.items()}
        else:
            body = ordered(ask.kind, ask.body)
        one = ask._replace(body=body)
        found.setdefault(repr(one), one)
    return list(found.values())


def ranks(findings: Sequence[Finding], causes: Sequence[Cause]) -> dict[str, int]:
    """Which cause needs a check mended first, by the check's id; what no cause accounts for comes last."""
    found: dict[str, int] = {}
    for number, cause in enumerate(causes):
        for finding in (cause.finding, *cause.explains):
            found.setdefault(finding.check, number)
    for finding in findings:
        severity = finding.severity
        last = SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
        found.setdefault(finding.check, len(causes) + last)
    return found
