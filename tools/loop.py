"""The closed loop: does what the plan prescribes mend what it is prescribed for?

Every case of a rule that fails is taken as a host. Its plan's script is run, unedited, on the host's files; then comes
a reboot, as the model below has it; then the host is examined again. The check must not fail any more, no other check
may newly fail, and the undo script must bring every file back byte for byte. A remedy without a case that shows this is
refused, unless only a person can do it.

The model of a reboot (what it does not know of, it leaves as it was):

- the running command line is the words before the configured ones (image, root, ro) and the configured ones;
- the IOMMU is on as the kernel's own parsing of intel_iommu, amd_iommu, iommu has it, interrupt remapping by intremap
  and nointremap, where the firmware has a table; groups, units and interrupts follow, if the case speaks of them;
- a module's parameters are those of modprobe.d and of the command line; a module is loaded if a list names it;
- a device gets vfio-pci if an id or its address is configured and vfio-pci comes before the driver that had it;
- a device that was left in D3cold by vfio-pci answers if that is switched off, ATS is off with pci=noats;
- logs and programs' messages of before are gone. That a symptom stays away which only a log line told of is so assumed,
  not shown.

Usage: loop.py [--list] [CHECK...]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from doctor.diagnosis.cases import Case, all_cases, evidence_of
from doctor.diagnosis.diagnose import diagnose
from doctor.diagnosis.profiles import applied, choose
from doctor.evidence.types import Evidence, Piece
from doctor.examine import Terms, examine_host
from doctor.facts.host import Host
from doctor.knowledge.store import load
from doctor.report import script
from doctor.treatment.steps import BY_HAND, KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doctor.report.model import Report

sys.path.insert(0, str(Path(__file__).resolve().parent))
from reboot import rebooted

RULES = Path(__file__).resolve().parent.parent / "rules"
# A host of which a case says no more is a Debian with GRUB: what the plan's files and commands are taken for.
_USUAL = {
    "etc/os-release": "ID=debian\nVERSION_ID=12",
    "etc/modules": "# loaded at boot",
    "etc/initramfs-tools/modules": "# early modules",
    "etc/modprobe.d/local.conf": "# local",
}
_LOGS = ("cmd/dmesg", "cmd/messages", "cmd/journalctl-k")
_PROGRAMS = ("update-grub", "update-initramfs", "proxmox-boot-tool", "grub-mkconfig", "dracut", "mkinitcpio", "grubby")
_QM = """#!/bin/sh
file=$PASSDOCTOR_ROOT/etc/pve/qemu-server/$2.conf
case $1 in
    config) cat "$file" ;;
    set) case $3 in
        --delete) sed -i "/^$4: /d" "$file" ;;
        *) sed -i "/^${3#--}: /d" "$file"; printf '%s: %s\\n' "${3#--}" "$4" >> "$file" ;;
        esac ;;
esac
"""


class Outcome(NamedTuple):
    """How one case ended. `remedies`: the numbers of the rule's remedies that it prescribes; `how`: healed, by hand or
    none; `wrong`: what is wrong, empty if nothing is; `shown`: whether evidence and not only a missing line shows it.
    """

    case: Case
    remedies: tuple[int, ...]
    how: str
    wrong: tuple[str, ...]
    shown: bool


def outcomes(checks: tuple[str, ...] = ()) -> Iterator[Outcome]:
    """Every failing case's outcome, of all rules or of `checks`."""
    knowledge = load(None)
    for case in all_cases(RULES):
        if case.body.get("expect") == "fail" and case.rule.get("remedy") and (not checks or case.rule["id"] in checks):
            yield outcome(case, knowledge)


def outcome(case: Case, knowledge: dict[str, Any]) -> Outcome:
    """How one case ends under the rules of `knowledge`, and its own text."""
    evidence = completed(evidence_of(case), knowledge)
    terms = _terms(case, knowledge)
    host, report = examine_host(evidence, terms, knowledge)
    numbers = _numbers(case, host, terms, knowledge)
    if not numbers:
        return Outcome(case, (), "none", (), False)
    kinds = [next(kind for kind in KINDS if kind in case.rule["remedy"][number]) for number in numbers]
    if all(kind in BY_HAND for kind in kinds):
        return Outcome(case, numbers, "by hand", (), False)
    steps = [step for step in report["plan"]["steps"] if case.rule["id"] in step["why"]]
    if not any(action["op"] != "by-hand" for step in steps for action in step["actions"]):
        # Another cause's plan mends it, or what would be changed was not seen.
        return Outcome(case, (), "none", (), False)
    with tempfile.TemporaryDirectory() as folder:
        wrong, after = _treated(Path(folder), host, evidence, report)
    if after is None:
        return Outcome(case, numbers, "healed", tuple(wrong), False)
    again = examine_host(after, terms, knowledge)[1]
    wrong += _compared(case.rule["id"], report, again)
    shown = any(check["id"] == case.rule["id"] and check["status"] == "pass" for check in again["checks"])
    return Outcome(case, numbers, "healed", tuple(wrong), shown)


def _terms(case: Case, knowledge: dict[str, Any]) -> Terms:
    """As the case is judged; what is made on request only is asked for."""
    device = case.body.get("device")
    profile = next((rule for rule in knowledge["rules"] if rule["id"] == case.rule["id"] and rule["on_request"]), None)
    return Terms((str(device),) if device else (), profile="multi-tenant" if profile else None)


def completed(evidence: Evidence, knowledge: dict[str, Any]) -> Evidence:
    """The evidence of a case with the files of a usual host, where it says nothing of them."""
    host = Host(evidence, knowledge)
    more = {} if host.platform.distribution.known else dict(_USUAL)
    known = host.cmdline.words
    given = [word.raw for word in known.value] if known.known else ["quiet"]
    words: list[str] | None = None  # where the log alone speaks of it: the files are there, and were not seen
    if known.known or not any(evidence.pieces(path) for path in _LOGS):
        words = [word for word in given if not word.startswith(("BOOT_IMAGE=", "root="))]
        more["proc/cmdline"] = "BOOT_IMAGE=/boot/vmlinuz-6.1.0 root=/dev/sda1 ro " + " ".join(words)
    if words is not None and (not host.boot.loader.known or host.boot.loader.value == "grub"):
        plain = [word for word in words if word not in ("ro", "--")]
        more["etc/default/grub"] = f'GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT="{" ".join(plain)}"'
    if words is not None and host.boot.loader.known and "systemd-boot" in str(host.boot.loader.value):
        more["etc/kernel/cmdline"] = "root=/dev/sda1 ro " + " ".join(words)
    pieces = [piece for path in evidence.paths() for piece in evidence.states(path)]
    if not evidence.complete:
        pieces += [Piece(path, text, path) for path, text in more.items() if not evidence.states(path)]
    return Evidence(evidence.kind, evidence.source, pieces, evidence.collected_at, evidence.complete, evidence.notes)


def _numbers(case: Case, host: Host, terms: Terms, knowledge: dict[str, Any]) -> tuple[int, ...]:
    """Which of the rule's remedies are prescribed."""
    profile = choose(terms.profile, knowledge)
    found = diagnose(host, applied(profile, knowledge["rules"]), terms.devices).findings
    steps = [step for one in found if one.check == case.rule["id"] and one.status == "fail" for step in one.remedy]
    return tuple(sorted({step["number"] for step in steps}))


def _treated(folder: Path, host: Host, evidence: Evidence, report: Report) -> tuple[list[str], Evidence | None]:
    """The host after the script and a reboot, and what went wrong on the way; then the script is taken back."""
    root, programs = folder / "root", folder / "bin"
    _files(root, evidence)
    _unseen(root, report)
    programs.mkdir()
    for name in (*_PROGRAMS, "qm"):
        (programs / name).write_text(_QM if name == "qm" else "#!/bin/sh\nexit 0\n")
        (programs / name).chmod(0o755)
    before = _tree(root)
    wrong = _run(script.render(report, knowing=True), root, programs)
    if wrong:
        return wrong, None
    once = _tree(root)
    if once == before and not any(
        action["op"] == "run" for step in report["plan"]["steps"] for action in step["actions"]
    ):
        return ["the script changes nothing"], None
    after = rebooted(host, evidence, {path: text.decode("utf-8", "replace") for path, text in once.items()})
    wrong = _run(script.render(report, knowing=True), root, programs)
    wrong += [] if _tree(root) == once else ["run twice, the script does more than once"]
    wrong += _run(script.render(report, undo=True), root, programs)
    wrong += [] if _tree(root) == before else ["the undo script does not bring the files back"]
    return wrong, after


def _files(root: Path, evidence: Evidence) -> None:
    """The host's files, as far as a plan may touch them."""
    for path in evidence.paths():
        piece = evidence.last(path)
        if path.startswith(("etc/", "boot/")) and not path.endswith("/") and piece is not None:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(piece.text.rstrip("\n") + "\n")
    root.mkdir(exist_ok=True)


def _unseen(root: Path, report: Report) -> None:
    """The bootloader's file, if nobody saw it: it holds what the plan takes away."""
    actions = [action for step in report["plan"]["steps"] for action in step["actions"] if action["op"] == "edit-words"]
    file = root / "etc/default/grub"
    for action in actions:
        if action["path"] == "/etc/default/grub" and not file.exists():
            gone = [word[1:] for word in action["words"] if word[0] == "~" and not word.endswith("=*")]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f'{action["name"]}="quiet {" ".join(gone)}"\n')


def _tree(root: Path) -> dict[str, bytes]:
    paths = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {name: path.read_bytes() for path in paths if not (name := str(path.relative_to(root))).startswith("var/")}


def _run(text: str, root: Path, programs: Path) -> list[str]:
    """Runs a script below `root`; what it complains of."""
    environment = {"PASSDOCTOR_ROOT": str(root), "PATH": f"{programs}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    name = programs.parent / "plan.sh"
    name.write_text(text)
    done = subprocess.run(["sh", str(name)], text=True, capture_output=True, env=environment, check=False, timeout=60)
    return [f"the script ends with {done.returncode}: {done.stderr.strip()}"] if done.returncode else []


def _compared(check: str, before: Report, after: Report) -> list[str]:
    """What is not as it should be: the check fails still, or another one fails now that did not."""
    failed = {(one["id"], _slot(one["device"])) for one in before["checks"] if one["status"] == "fail"}
    still = [one for one in after["checks"] if one["status"] == "fail"]
    wrong = [f"still fails ({one['detail']})" for one in still if one["id"] == check]
    new = [one for one in still if (one["id"], _slot(one["device"])) not in failed and one["id"] != check]
    return wrong + [f"{one['id']} newly fails ({one['detail']})" for one in new]


def _slot(device: str | None) -> str | None:
    """The card of a function: what fails for one is not new for the next."""
    return device.rpartition(".")[0] if device else None


def main() -> int:
    """Prints what is wrong, and with --list every outcome; 1 if a case or a remedy is without its proof."""
    checks = tuple(name for name in sys.argv[1:] if not name.startswith("-"))
    found = list(outcomes(checks))
    for one in found:
        if one.wrong or "--list" in sys.argv:
            sys.stdout.write(
                f"{one.case.label}: {one.how}{' (shown)' if one.shown else ''} {one.remedies} {'; '.join(one.wrong)}\n"
            )
    missing = unproven(found)
    sys.stdout.write("".join(f"{line}\n" for line in missing))
    healed = sum(one.how == "healed" for one in found)
    wrong = sum(bool(one.wrong) for one in found)
    sys.stdout.write(f"{len(found)} failing cases, {healed} treated, {wrong} wrong, {len(missing)} remedies unproven\n")
    return int(bool(wrong or missing))


def unproven(found: list[Outcome]) -> list[str]:
    """The remedies that no case shows to mend what they are prescribed for."""
    rules = {one.case.rule["id"]: one.case.rule for one in found}
    proven = {
        (one.case.rule["id"], number)
        for one in found
        if one.how == "healed" and not one.wrong
        for number in one.remedies
    }
    missing = []
    for name, rule in rules.items():
        for number, remedy in enumerate(rule["remedy"]):
            kind = next(kind for kind in KINDS if kind in remedy)
            if kind not in BY_HAND and (name, number) not in proven:
                missing.append(f"{name}: no case proves remedy {number} ({kind})")
    return missing


if __name__ == "__main__":
    sys.exit(main())
