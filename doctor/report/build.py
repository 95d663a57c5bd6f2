"""Builds the one `Report` value from everything's results."""

from __future__ import annotations

from doctor.collect.catalogue import ask_for
from doctor.say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from doctor.diagnosis.finding import Cause as FoundCause
    from doctor.diagnosis.finding import Diagnosis, Finding
    from doctor.evidence.types import Source
    from doctor.facts.fact import Fact
    from doctor.facts.host import Host
    from doctor.report.model import (
        Cause,
        Check,
        Citation,
        Device,
        Merge,
        Plan,
        Platform,
        Remedy,
        Report,
        Summary,
        Wanted,
    )

SCHEMA_VERSION = "1.0"
_STATUSES = ("pass", "fail", "unknown", "not-applicable", "waived")


def build(
    host: Host,
    diagnosis: Diagnosis,
    remedies: list[list[Remedy]],
    plan: Plan,
    harmless: list[tuple[Source, str]],
    version: str,
    profile: str = "passthrough",
    rules: str | None = None,
) -> Report:
    """The report. `remedies` are those of `diagnosis.findings`, in the same order.

    `rules` is a hash of what judged.
    """
    evidence = host.evidence
    checks = [_check(found, steps) for found, steps in zip(diagnosis.findings, remedies, strict=True)]
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "passdoctor", "version": version, "rules": rules},
        "subject": {
            "kind": evidence.kind,
            "source": evidence.source,
            "host": _text(host.hostname),
            "collected_at": evidence.collected_at,
        },
        "platform": _platform(host),
        "profile": profile,
        "summary": _summary(diagnosis),
        "targets": [
            {"address": t.address, "because": t.because, "confidence": "weak" if t.weak else "strong"}
            for t in diagnosis.targets
        ],
        "causes": [_cause(cause) for cause in diagnosis.causes],
        "checks": checks,
        "harmless": [{**_cite(source), "why": why} for source, why in harmless],
        "contradictions": [
            {"fact": c.fact, "evidence": [_cite(source) for source in c.sources], "resolved": c.resolved}
            for c in host.contradictions()
        ],
        "plan": plan,
        "devices": _devices(host, diagnosis),
        "notes": list(diagnosis.notes),
    }


def _platform(host: Host) -> Platform:
    return {
        "distribution": _text(host.platform.distribution),
        "hypervisor": _text(host.platform.hypervisor),
        "kernel": _text(host.platform.kernel),
        "bootloader": _text(host.boot.loader),
        "cpu_vendor": _text(host.machine.vendor),
        "board": _text(host.machine.board),
    }


def _cause(cause: FoundCause) -> Cause:
    return {
        "check": cause.finding.check,
        "device": cause.finding.device,
        "explains": [{"check": found.check, "device": found.device} for found in cause.explains],
    }


def _text(fact: Fact) -> str | None:
    """A fact's value as text; None while it is unknown."""
    return str(fact.value) if fact.known and fact.value is not None else None


def _cite(source: Source) -> Citation:
    return {"path": source.path, "source": source.source, "line": source.line, "text": source.text}


def _check(found: Finding, remedies: list[Remedy]) -> Check:
    check: Check = {
        "id": found.check,
        "device": found.device,
        "status": found.status,
        "severity": found.severity,
        "confidence": "weak" if found.weak else "strong",
        "title": found.title,
        "detail": found.detail,
        "why": found.why,
        "evidence": [_cite(source) for source in found.sources],
        "wanted": _wanted(found),
        "remedy": remedies,
        "references": list(found.references),
    }
    if found.waived is not None:
        owed = found.waived
        check["waiver"] = {"reason": owed.reason, "owner": owed.owner, "expires": owed.expires}
    return check


def _wanted(found: Finding) -> list[Wanted]:
    """The evidence that would settle an unknown; one command once."""
    wanted: dict[str, Wanted] = {}
    for path in found.wanted:
        command = ask_for(path) or ("cat /" + path if not path.startswith("cmd/") else path[4:])
        wanted.setdefault(command, {"path": path, "command": command})
    return list(wanted.values())


def _summary(diagnosis: Diagnosis) -> Summary:
    counts: dict[str, Any] = {status.replace("-", "_"): 0 for status in _STATUSES}
    for found in diagnosis.findings:
        counts[found.status.replace("-", "_")] += 1
    return {"verdict": diagnosis.verdict, "headline": headline(diagnosis), **counts}  # type: ignore[typeddict-item]


def headline(diagnosis: Diagnosis) -> str:
    """The verdict in one sentence."""
    names = ", ".join(target.address.removeprefix("0000:") for target in diagnosis.targets[:3])
    names += ", …" if len(diagnosis.targets) > 3 else ""
    if diagnosis.verdict == "ready":
        waived = [found for found in diagnosis.findings if found.status == "waived"]
        count = len(waived)
        besides = say("{count} failures are waived", count=count) if count > 1 else say("1 failure is waived")
        if any(found.severity == "blocker" for found in waived):
            # Whether it works with that in the way, a waiver does not say.
            about = (
                say("giving {names} to a guest", names=names) if names else say("giving devices of this host to guests")
            )
            return say("Nothing but what is waived stands against {about} ({besides})", about=about, besides=besides)
        ready = (
            say("{names} can be given to a guest", names=names)
            if names
            else say("This host can give devices to guests")
        )
        return say("{ready} ({besides})", ready=ready, besides=besides) if waived else ready
    if diagnosis.verdict == "undetermined":
        about = (
            say("whether {names} can be given to a guest", names=names)
            if names
            else say("whether this host can give devices to guests")
        )
        missing = sum(1 for found in diagnosis.findings if found.status == "unknown")
        return say("What was read does not settle {about} ({missing} open questions)", about=about, missing=missing)
    first = next((cause.finding.title for cause in diagnosis.causes), "")
    about = (
        say("{names} cannot be given to a guest yet", names=names)
        if names
        else say("This host cannot give devices to guests yet")
    )
    start = first[:1] if first[1:2].isupper() else first[:1].lower()
    return say("{about}: {first}", about=about, first=start + first[1:]) if first else about


def _devices(host: Host, diagnosis: Diagnosis) -> list[Device]:
    wanted = {target.address for target in diagnosis.targets}
    rows: list[Device] = []
    for row in diagnosis.rows:
        device = host.pci.get(row.address)
        if device is None:
            continue
        group = device.group.value if device.group.known else None
        members = [m.address for m in host.pci.members(group) if m.address != row.address] if group is not None else []
        rows.append(
            {
                "address": row.address,
                "ids": device.ids,
                "class": device.class_,
                "name": device.name,
                "driver": device.driver.value if device.driver.known else None,
                "group": group,
                "group_members": members,
                "target": row.address in wanted,
                "verdict": row.verdict,
                "because": row.because,
            }
        )
        bridges, whole = host.pci.topology.above(row.address)
        rows[-1]["bridges"] = bridges[::-1] if whole else None
        if row.address in wanted and members:
            rows[-1]["merged_by"] = _merge(device.merged_by)
    return rows


def _merge(fact: Fact) -> Merge | None:
    """Why a device shares its group; None where that is not known."""
    if not fact.known or fact.value is None:
        return None
    return {"reason": fact.value.lookup("reason"), "address": fact.value.address}
