"""The machine itself: CPU vendor, virtualization flags, and whether this is a host at all.

>>> e = Evidence("paste", "p", [Piece("proc/cpuinfo", "vendor_id : GenuineIntel\\nflags : fpu vmx hypervisor", "p")])
>>> m = read(e, Log(e, []), [])
>>> m.vendor.value, m.virtualization.value, m.guest.value
('intel', True, True)
"""

from __future__ import annotations

from doctor.evidence.types import Evidence, Piece, Source
from doctor.facts.fact import UNKNOWN, Fact, unknown
from doctor.facts.messages import Log
from doctor.record import NamedTuple

_VENDORS = (
    ("GenuineIntel", "intel"),
    ("AuthenticAMD", "amd"),
    ("HygonGenuine", "amd"),
    ("Intel(R)", "intel"),
    ("AMD ", "amd"),
)
_CONTAINERS = (
    "lxc",
    "lxc-libvirt",
    "docker",
    "podman",
    "openvz",
    "systemd-nspawn",
    "container-other",
    "proot",
    "pouch",
)


class Machine(NamedTuple):
    """Facts of the machine. `vendor` is intel or amd; `virtualization` whether VT-x or AMD-V can be used."""

    vendor: Fact
    is_x86: Fact
    virtualization: Fact
    guest: Fact
    xen_dom0: Fact
    wsl: Fact
    container: Fact
    board: Fact


def read(evidence: Evidence, log: Log, bridges: list[tuple[str, Source]]) -> Machine:
    """The machine's facts; `bridges` are (vendor id, source) of the host bridges that a listing shows."""
    vendor = _vendor(evidence, log, bridges)
    return Machine(
        vendor=vendor,
        is_x86=_x86(evidence, vendor),
        virtualization=_virtualization(evidence, log),
        guest=_guest(evidence, log),
        xen_dom0=_xen(evidence, log),
        wsl=_marker(evidence, ("proc/version", "proc/sys/kernel/osrelease", "cmd/uname-a"), ("microsoft", "WSL")),
        container=_container(evidence),
        board=_board(evidence),
    )


def _find(piece: Piece, *words: str) -> Source | None:
    """The first line of a piece that holds one of the words."""
    for word in words:
        position = piece.text.find(word)
        if position >= 0:
            return piece.cite(piece.text.count("\n", 0, position))
    return None


def _vendor(evidence: Evidence, log: Log, bridges: list[tuple[str, Source]]) -> Fact:
    """The CPU's vendor: from the CPU itself, else from what only such hardware prints, else from its bridges."""
    for path in ("proc/cpuinfo", "cmd/lscpu"):
        for piece in evidence.pieces(path):
            for word, vendor in _VENDORS:
                source = _find(piece, word)
                if source is not None:
                    return Fact(vendor, (source,))
    proofs = log.claims("machine.vendor")
    if proofs:
        value, event = proofs[0]
        return Fact(value, (event.source,))
    tables = evidence.listing("sys/firmware/acpi/tables/")
    for table, maker in (("DMAR", "intel"), ("IVRS", "amd")):
        if tables is not None and table in tables[0]:
            return Fact(maker, (tables[1].whole()._replace(text=table),))
    for ids, source in bridges:
        if ids in ("8086", "1022", "1002"):
            return Fact("intel" if ids == "8086" else "amd", (source,))
    return unknown("proc/cpuinfo")


def _x86(evidence: Evidence, vendor: Fact) -> Fact:
    if vendor.known:
        return vendor._replace(value=True)
    for path in ("cmd/uname-a", "cmd/lscpu", "proc/version"):
        for piece in evidence.pieces(path):
            source = _find(piece, "x86_64", "amd64")
            if source is not None:
                return Fact(True, (source,))
            source = _find(piece, "aarch64", "ppc64", "riscv64", "s390x")
            if source is not None:
                return Fact(False, (source,))
    return Fact(True, weak=True)


def _virtualization(evidence: Evidence, log: Log) -> Fact:
    """VT-x or AMD-V: firmware's refusal beats the flags, since flags stay where KVM is locked out."""
    claims = log.claims("cpu.virtualization")
    refused = [event for value, event in claims if value is False]
    if refused:
        return Fact(False, tuple(event.source for event in refused[:2]))
    for piece in evidence.pieces("proc/cpuinfo"):
        fact = _flags(piece)
        if fact is not None:
            return fact
    for piece in evidence.pieces("cmd/lscpu"):
        source = _find(piece, "VT-x", "AMD-V")
        if source is not None:
            return Fact(True, (source,))
    for path in ("cmd/lsmod", "proc/modules"):
        for piece in evidence.pieces(path):
            source = _find(piece, "kvm_intel", "kvm_amd")
            if source is not None:
                return Fact(True, (source,))
    for piece in evidence.pieces("cmd/virt-host-validate"):
        source = _find(piece, "hardware virtualization")
        if source is not None:
            return Fact("PASS" in source.text, (source,))
    absent = evidence.absent("dev/kvm/") or evidence.absent("dev/kvm")
    if absent is not None:
        return Fact(False, (absent.whole(),), weak=True)
    passed = [event for value, event in claims if value is True]
    return Fact(True, (passed[0].source,)) if passed else unknown("proc/cpuinfo")


def _flags(piece: Piece) -> Fact | None:
    """vmx or svm among the flags of the first processor."""
    counted = piece.text.strip()
    if counted.isdigit() and {"vmx", "svm"} & set(piece.terms):
        return Fact(int(counted) > 0, (piece.cite(0, f"{piece.command}: {counted}"),))
    for index, line in enumerate(piece.text.splitlines()):
        if line.strip().startswith("flags") or (piece.terms and ("vmx" in line or "svm" in line)):
            words = line.split()
            held = "vmx" if "vmx" in words else "svm" if "svm" in words else None
            source = piece.cite(index, f"flags: … {held} …" if held else "flags: … (neither vmx nor svm)")
            return Fact(held is not None, (source,))
    return None


def _guest(evidence: Evidence, log: Log) -> Fact:
    """Whether this "host" is itself a virtual machine."""
    for piece in evidence.pieces("cmd/systemd-detect-virt"):
        word = piece.text.strip()
        if word and word != "none" and word not in _CONTAINERS:
            return Fact(True, (piece.cite(0),))
        if word == "none":
            return Fact(False, (piece.cite(0),))
    for piece in evidence.pieces("cmd/lscpu"):
        source = _find(piece, "Hypervisor vendor")
        if source is not None:
            return Fact(True, (source,))
    for piece in evidence.pieces("proc/cpuinfo"):
        for index, line in enumerate(piece.text.splitlines()):
            if line.strip().startswith("flags"):
                held = " hypervisor" in line
                return Fact(
                    held,
                    (piece.cite(index, "flags: … hypervisor …" if held else "flags: … (no hypervisor)"),),
                )
    claims = log.claims("machine.guest")
    return Fact(True, (claims[0][1].source,)) if claims else unknown("cmd/systemd-detect-virt")


def _xen(evidence: Evidence, log: Log) -> Fact:
    piece = evidence.last("sys/hypervisor/type")
    if piece is not None and piece.text.strip() == "xen":
        return Fact(True, (piece.cite(0),))
    for path in ("etc/xensource-inventory", "proc/xen/capabilities"):
        found = evidence.last(path)
        if found is not None:
            return Fact(True, (found.whole(),))
    return _xen_in_log(evidence, log)


def _xen_in_log(evidence: Evidence, log: Log) -> Fact:
    """Whether the log or the tools show a Xen dom0. A kernel on Xen alone may be a guest's.

    Only dom0 sets up the machine's own interrupts (linux arch/x86/pci/xen.c), and only there `xl` lists domains.
    """
    booted = [event for event in log.all("xen_detected") if "HVM" not in event.text]
    for path in ("cmd/dmesg", "cmd/journalctl-k", "cmd/messages", "text/other") if booted else ():
        for piece in evidence.pieces(path):
            source = _find(piece, "dom0", "Domain-0", "xen: registering gsi")
            if source is not None:
                return Fact(True, (booted[0].source, source))
    return Fact(False)


def _marker(evidence: Evidence, paths: tuple[str, ...], words: tuple[str, ...]) -> Fact:
    """Whether one of the words stands in one of the files."""
    for path in paths:
        for piece in evidence.pieces(path):
            source = _find(piece, *words)
            if source is not None:
                return Fact(True, (source,))
    return Fact(False)


def _container(evidence: Evidence) -> Fact:
    for path in (".dockerenv", "run/systemd/container", "run/.containerenv"):
        piece = evidence.last(path)
        if piece is not None:
            return Fact(True, (piece.whole(),))
    for piece in evidence.pieces("cmd/systemd-detect-virt"):
        if piece.text.strip() in _CONTAINERS:
            return Fact(True, (piece.cite(0),))
    return Fact(False)


def _board(evidence: Evidence) -> Fact:
    """Vendor and name of the board."""
    names, sources = [], []
    for name in ("board_vendor", "board_name"):
        piece = evidence.last("sys/class/dmi/id/" + name)
        if piece is not None and piece.text.strip():
            names.append(piece.text.strip())
            sources.append(piece.cite(0))
    return Fact(" ".join(names), tuple(sources)) if names else Fact(UNKNOWN, (), ("sys/class/dmi/id/board_name",))
