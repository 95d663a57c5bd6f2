"""`passdoctor case INPUT`: an input, redacted, as a case that can stand beside a rule."""

from __future__ import annotations

import os

from doctor.evidence.open import is_archive, open_input, open_read, read_input
from doctor.evidence.types import ABSENT, READABLE, Evidence, Piece

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from doctor.report.model import Check, Report


class CaseError(ValueError):
    """No case can be made. The message is one line."""


def write_case(name: str, check: str | None, device: str | None, expect: str | None) -> str:
    """YAML text with one case: what `check` read in the input `name`, redacted, and its status.

    Without `check` the first cause's is taken. A paste is kept whole; of other inputs what the check cites
    and what stands around its device. `expect` is the status that it should have. A case that does not hold
    as it is written says so in its first lines. Raises CaseError, InputError.
    """
    import yaml

    from doctor.collect.redact import Redactor
    from doctor.examine import examine_evidence

    data, evidence = _opened(name)
    report = examine_evidence(evidence, (device,) if device else ())
    chosen = check or next((cause["check"] for cause in report["causes"]), None)
    if chosen is None:
        raise CaseError(f"{name}: no check failed; name one with --check")
    found = [entry for entry in report["checks"] if entry["id"] == chosen]
    if not found:
        raise CaseError(f"{name}: no such check: {chosen}")
    entry = next((one for one in found if one["status"] == "fail"), found[0])
    redactor = Redactor()
    for piece in _texts(evidence):
        redactor.learn(piece.text)
    if data is not None:
        from doctor.evidence.clean import decode

        body: dict[str, Any] = {"paste": redactor.text(decode(data)).rstrip() + "\n"}
    else:
        body = {"given": _given(evidence, report, entry, redactor), "complete": evidence.complete}
    if device:
        body["device"] = device
    body["expect"] = expect or entry["status"]
    head = [f"A case for {chosen}, from a {evidence.kind}; it goes under the rule's `cases:`."]
    head += [f"Present status: {entry['status']}."]
    head += [redactor.text(note) for note in evidence.notes]
    head += _doubts(chosen, {**body, "expect": entry["status"]})
    text = yaml.dump([body], sort_keys=False, allow_unicode=True, width=120, Dumper=_dumper(yaml))
    return "".join(f"# {line}\n" for line in head) + str(text)


def _opened(name: str) -> tuple[bytes | None, Evidence]:
    """The input, and its own bytes if it is a paste."""
    if os.path.isdir(name):  # noqa: PTH112 - as of open_input
        return None, open_input(name)
    data = read_input(name)
    evidence = open_read(name, data)
    return (data if evidence.kind == "paste" and not is_archive(data) else None), evidence


def _texts(evidence: Evidence) -> list[Piece]:
    """Every piece that has a text, and every listing of a folder, be it empty or of one that is not there."""
    return [
        piece
        for path in evidence.paths()
        for piece in evidence.states(path)
        if (piece.state in READABLE and piece.text) or (path.endswith("/") and piece.state in (*READABLE, ABSENT))
    ]


_ALWAYS = (
    "proc/cmdline", "cmd/uname-a", "cmd/systemd-detect-virt", "sys/class/iommu/", "sys/kernel/iommu_groups/",
    "sys/bus/pci/devices/", "sys/firmware/acpi/tables/", "etc/os-release", "etc/default/grub", "etc/kernel/cmdline",
    "etc/modules",
)  # fmt: skip
_FOLDERS = ("etc/modprobe.d/", "etc/modules-load.d/", "etc/pve/qemu-server/")
_ATTRIBUTES = ("vendor", "device", "class", "driver", "iommu_group", "driver_override", "boot_vga", "physfn")


def _given(evidence: Evidence, report: Report, entry: Check, redactor: Any) -> dict[str, str]:
    """What the check cites, the configuration, and the attributes of the devices around the one in question."""
    cited = {line["path"] for line in entry["evidence"]}
    slot = (entry["device"] or "").rpartition(".")[0]
    around = {row["address"] for row in report["devices"] if slot and row["address"].startswith(slot)}
    for row in report["devices"]:
        around |= set(row["group_members"]) if row["address"] in around else set()
    wanted = {f"sys/bus/pci/devices/{address}/{name}" for address in around for name in _ATTRIBUTES}
    return {
        piece.path: redactor.text(piece.text)
        for piece in _texts(evidence)
        if piece.path in cited | wanted or piece.path in _ALWAYS or piece.path.startswith(_FOLDERS)
    }


def _doubts(check: str, body: dict[str, Any]) -> list[str]:
    """A line for the case's head if it does not hold as it is written."""
    from pathlib import Path

    from doctor.diagnosis.cases import Case, judge
    from doctor.knowledge.store import load

    wrong = judge(Case({"id": check}, 1, Path("case"), body), load())
    return [f"As written it does not hold: {text} Add the evidence that is missing." for text in wrong]


def _dumper(yaml: Any) -> Any:
    """A dumper that writes texts of several lines as blocks, for people to read."""

    class Blocks(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML's stubs give the module as Any here
        pass

    def text(dumper: Any, value: str) -> Any:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Blocks.add_representer(str, text)
    return Blocks
