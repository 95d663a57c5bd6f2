"""`passdoctor case INPUT`: an input, redacted, as a case that can stand beside a rule."""

from __future__ import annotations

from typing import Any

from doctor.evidence.open import open_input
from doctor.evidence.types import READABLE, Evidence, Piece


class CaseError(ValueError):
    """No case can be made. The message is one line."""


def write_case(name: str, check: str | None, device: str | None, expect: str | None) -> str:
    """YAML text with one case: what `check` read in the input `name`, redacted, and its status.

    Without `check` the first cause's is taken. Only evidence that the check cites or the log lines of
    its piece are kept; a paste is kept whole. `expect` is the status that it should have.
    Raises CaseError, InputError.
    """
    import yaml

    from doctor.collect.redact import Redactor
    from doctor.examine import examine_evidence

    evidence = open_input(name)
    report = examine_evidence(evidence, (device,) if device else ())
    names = [entry["id"] for entry in report["checks"]]
    chosen = check or next((cause["check"] for cause in report["causes"]), None)
    if chosen is None:
        raise CaseError(f"{name}: no check failed; name one with --check")
    if chosen not in names:
        raise CaseError(f"{name}: no such check: {chosen}")
    found = [entry for entry in report["checks"] if entry["id"] == chosen]
    entry = next((one for one in found if one["status"] == "fail"), found[0])
    redactor = Redactor()
    for piece in _texts(evidence):
        redactor.learn(piece.text)
    body: dict[str, Any] = _given(evidence, name, redactor, {line["path"] for line in entry["evidence"]})
    if device:
        body["device"] = device
    body["expect"] = expect or entry["status"]
    head = f"# A case for {chosen}, from {evidence.kind}. Present status: {entry['status']}. Put it under its `cases:`.\n"
    return head + str(yaml.dump([body], sort_keys=False, allow_unicode=True, width=120, Dumper=_dumper(yaml)))


def _texts(evidence: Evidence) -> list[Piece]:
    return [
        piece
        for path in evidence.paths()
        for piece in evidence.states(path)
        if piece.state in READABLE and piece.text
    ]


def _given(evidence: Evidence, name: str, redactor: Any, cited: set[str]) -> dict[str, Any]:
    """The case's evidence: a paste as it was posted, else the files that matter."""
    if evidence.kind == "paste" and name != "-":
        from pathlib import Path

        from doctor.evidence.clean import decode

        return {"paste": redactor.text(decode(Path(name).read_bytes())).rstrip() + "\n"}
    always = (
        "proc/cmdline",
        "cmd/uname-a",
        "cmd/dmesg",
        "sys/class/iommu/",
        "sys/kernel/iommu_groups/",
        "etc/os-release",
    )
    kept = [
        piece
        for piece in _texts(evidence)
        if piece.path in cited or piece.path in always or piece.path.startswith("etc/modprobe.d/")
    ]
    return {"given": {piece.path: redactor.text(piece.text) + "\n" for piece in kept}}


def _dumper(yaml: Any) -> Any:
    """A dumper that writes texts of several lines as blocks, for people to read."""

    class Blocks(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML's stubs give the module as Any here
        pass

    def text(dumper: Any, value: str) -> Any:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Blocks.add_representer(str, text)
    return Blocks
