"""One kernel log in every form that tools print it in: the same events, cited at the user's own lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.evidence.open import open_input
from doctor.evidence.paste import open_paste
from doctor.evidence.types import Evidence, Piece
from doctor.facts.messages import Log, Scanner, scan
from doctor.knowledge.store import load

TEMPLATES: list[dict[str, Any]] = load()["messages"]
MESSAGES = [
    "Linux version 6.8.12-9-pve (build@proxmox) (gcc (Debian 12.2.0-14) 12.2.0) #1 SMP",
    "Command line: BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 intel_iommu=on",
    "ACPI: DMAR 0x000000007B7E8000 0000A8 (v01 INTEL  EDK2     00000002      01000013)",
    "DMAR: IOMMU enabled",
    "DMAR: Host address width 39",
    "DMAR: DRHD base: 0x000000fed91000 flags: 0x1",
    "DMAR: dmar0: reg_base_addr fed91000 ver 1:0 cap d2008c40660462 ecap f050da",
    "DMAR-IR: Enabled IRQ remapping in x2apic mode",
    "pci 0000:01:00.0: Adding to iommu group 17",
    "DMAR: Intel(R) Virtualization Technology for Directed I/O",
    "vfio-pci 0000:01:00.0: BAR 0: can't reserve [mem 0xd0000000-0xdfffffff 64bit pref]",
    "vfio-pci 0000:0c:00.3: not ready 65535ms after FLR; giving up",
    "DMAR: [DMA Read] Request device [01:00.2] fault addr bdf6f000 [fault reason 06] PTE Read access is not set",
    'Unknown kernel command line parameters "splash quiet", will be passed to user space.',
]
ROWS = [(index * 0.7, message) for index, message in enumerate(MESSAGES)]
BOOT = "0123456789abcdef0123456789abcdef"


def _entry(since: float, message: str) -> dict[str, str]:
    return {
        "_TRANSPORT": "kernel", "__MONOTONIC_TIMESTAMP": str(round(since * 1e6)), "_BOOT_ID": BOOT,
        "SYSLOG_IDENTIFIER": "kernel", "PRIORITY": "6", "MESSAGE": message,
    }  # fmt: skip


def _coloured(since: float, message: str) -> str:
    head, colon, rest = message.partition(": ")
    return f"\x1b[32m[{since:12.6f}] \x1b[0m\x1b[33m{head}{colon}\x1b[0m\x1b[1m{rest}\x1b[0m"


FORMS: dict[str, Callable[[float, str], str]] = {
    "dmesg": lambda t, m: f"[{t:12.6f}] {m}",
    "dmesg -T": lambda t, m: f"[Mon Jan  1 12:00:{int(t):02d} 2024] {m}",
    "dmesg -x": lambda t, m: f"kern  :info  : [{t:12.6f}] {m}",
    "dmesg -xT": lambda t, m: f"kern  :info  : [Mon Jan  1 12:00:{int(t):02d} 2024] {m}",
    "dmesg -H": lambda t, m: f"[  +{t:.6f}] {m}" if t else f"[Jan 1 12:00] {m}",
    "dmesg -d": lambda t, m: f"[{t:12.6f} <    0.700000>] {m}",
    "dmesg --time-format iso": lambda t, m: f"2024-01-01T12:00:{int(t):02d},123456+01:00 {m}",
    "dmesg -r": lambda t, m: f"<6>[{t:12.6f}] {m}",
    "dmesg -L": _coloured,
    "caller ids": lambda t, m: f"[{t:12.6f}] [    T1] {m}",
    "caller ids, no blank": lambda t, m: f"[{t:12.6f}][  C{int(t)}] {m}",
    "dmesg | grep -n": lambda t, m: f"{int(t * 10)}:[{t:12.6f}] {m}",
    "journalctl -k": lambda t, m: f"Jan 01 12:00:{int(t):02d} pve kernel: {m}",
    "journalctl -k -o short-precise": lambda t, m: f"Jan 01 12:00:{t:09.6f} pve kernel: {m}",
    "journalctl -k -o short-iso": lambda t, m: f"2024-01-01T12:00:{int(t):02d}+0100 pve kernel: {m}",
    "journalctl -k -o short-monotonic": lambda t, m: f"[{t:12.6f}] pve kernel: {m}",
    "journalctl -k -o short-full": lambda t, m: f"Mon 2024-01-01 12:00:{int(t):02d} CET pve kernel: {m}",
    "journalctl -k -o with-unit": lambda t, m: f"Mon 2024-01-01 12:00:{int(t):02d} CET pve kernel[n/a]: {m}",
    "journalctl -k -o json": lambda t, m: json.dumps(_entry(t, m)),
    "journalctl -k -o json, slashes": lambda t, m: json.dumps(_entry(t, m)).replace("/", "\\/"),
    "syslog": lambda t, m: f"Jan  1 12:00:{int(t):02d} pve kernel: [{t:12.6f}] {m}",
    "syslog without host": lambda t, m: f"Jan  1 12:00:{int(t):02d} kernel: [{t:12.6f}] {m}",
    "syslog of Unraid": lambda t, m: f"Jan  1 12:00:{int(t):02d} Tower kernel: {m}",
    "syslog of busybox": lambda t, m: f"Jan  1 12:00:{int(t):02d} host kern.info kernel: [{t:12.6f}] {m}",
    "rsyslog": lambda t, m: f"2024-01-01T12:00:{t:09.6f}+01:00 pve kernel: [{t:12.6f}] {m}",
    "grep -H": lambda t, m: f"/var/log/kern.log:Jan  1 12:00:{int(t):02d} pve kernel: [{t:12.6f}] {m}",
}
BLOCKS: dict[str, Callable[[float, str], str]] = {
    "journalctl -k -o json-pretty": lambda t, m: json.dumps(_entry(t, m), indent="\t"),
    "journalctl -k -o verbose": lambda t, m: (
        f"Mon 2024-01-01 12:00:{t:09.6f} CET [s=ab;i=1;b={BOOT};m=1;t=2;x=3]\n    _TRANSPORT=kernel\n"
        f"    PRIORITY=6\n    MESSAGE={m}\n    _BOOT_ID={BOOT}"
    ),
    "journalctl -k -o export": lambda t, m: f"__CURSOR=s=ab;i=1\n_BOOT_ID={BOOT}\n_TRANSPORT=kernel\nMESSAGE={m}\n",
}


def _events(evidence: Evidence) -> list[tuple[str, str, int]]:
    """Names, holes and the cited lines of the user's file, counted from the first of them."""
    found = [(event.name, str(event.fields), event.source.line or 0) for event in Log(evidence, TEMPLATES).order]
    first = min((line for _, _, line in found), default=0)
    return sorted((name, fields, line - first) for name, fields, line in found)


def _inputs(text: str, command: str, folder: Path) -> dict[str, Evidence]:
    """The log as a file of its own, as a session that shows it, and as a file in a folder."""
    (folder / "var" / "log").mkdir(parents=True)
    (folder / "var" / "log" / "kern.log").write_bytes(text.encode())
    return {
        "file": open_paste(text.encode(), "kern.log"),
        "session": open_paste(f"root@pve:~# {command}\n{text}root@pve:~#\n".encode(), "p.txt"),
        "folder": open_input(str(folder)),
    }


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("form", FORMS)
def test_a_form_changes_neither_events_nor_citations(form: str, end: str, tmp_path: Path) -> None:
    plain = _events(open_paste("".join(f"{FORMS['dmesg'](t, m)}\n" for t, m in ROWS).encode(), "p"))
    assert len(plain) >= len(MESSAGES)
    text = "".join(f"{FORMS[form](t, m)}{end}" for t, m in ROWS)
    command = form.split(",")[0] if form.startswith(("journalctl", "dmesg -")) else "dmesg"
    for name, evidence in _inputs(text, command, tmp_path).items():
        assert _events(evidence) == plain, name


@pytest.mark.parametrize("form", BLOCKS)
def test_an_entry_of_several_lines_is_cited_at_its_message(form: str, tmp_path: Path) -> None:
    plain = [(name, fields) for name, fields, _ in _events(open_paste(_text(ROWS).encode(), "p"))]
    text = "".join(f"{BLOCKS[form](t, m)}\n" for t, m in ROWS)
    rows = text.split("\n")
    for name, evidence in _inputs(text, form, tmp_path).items():
        found = Log(evidence, TEMPLATES).order
        assert sorted((event.name, str(event.fields)) for event in found) == plain, name
        offset = 2 if name == "session" else 1
        for event in found:
            assert event.source.line is not None
            assert "MESSAGE" in rows[event.source.line - offset]


def _text(rows: list[tuple[float, str]]) -> str:
    return "".join(f"[{t:12.6f}] {m}\n" for t, m in rows)


def test_messages_alone() -> None:
    """`journalctl -o cat` and `dmesg -t`, pasted without the command."""
    found = _events(open_paste("\n".join(MESSAGES).encode(), "p"))
    assert {"intel_directed_io", "group_new", "dma_fault"} <= {name for name, _, _ in found}


def test_the_journal_of_programs_keeps_their_names() -> None:
    entry = {"SYSLOG_IDENTIFIER": "qemu", "_TRANSPORT": "stdout", "MESSAGE": [79, 75, 255], "_BOOT_ID": BOOT}
    piece = Evidence("paste", "p", [Piece("cmd/journalctl-k", json.dumps(entry))]).pieces("cmd/journalctl-k")[0]
    assert piece.text == "qemu: OK\ufffd"


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.one_of(st.sampled_from([f(t, m) for f in (*FORMS.values(), *BLOCKS.values()) for t, m in ROWS]),
                       st.sampled_from([f"-- Boot {BOOT} --", "-- Reboot --", "{", "}", "MESSAGE=", '"MESSAGE" : ']),
                       st.text(max_size=60)), max_size=40),
    st.sampled_from(["cmd/dmesg", "var/log/kern.log", "cmd/journalctl-k", "cmd/messages"]),
    st.sampled_from([None, "dmesg", "journalctl -k -b -1"]),
)  # fmt: skip
def test_any_lines_give_cited_events(rows: list[str], path: str, command: str | None) -> None:
    """Whatever stands in a log, nothing raises, and each event cites a line of the file that holds its words."""
    piece = Piece(path, "\n".join(rows), "p", 1, command)
    log = Log(Evidence("paste", "p", [piece]), TEMPLATES)
    count = piece.text.count("\n") + 1
    for event in [*log.order, *log.earlier]:
        assert event.source.line is not None
        assert 1 <= event.source.line <= count


def test_a_flood_costs_no_memory_and_says_that_it_is_cut() -> None:
    fault = "DMAR: [DMA Read] Request device [01:00.{}] fault addr bdf6f000 [fault reason 06] PTE Read access"
    text = "".join(f"[{n:12.6f}] {fault.format(n % 8)}\n" for n in range(20_000)) + "DMAR: IOMMU enabled\n"
    log = Log(Evidence("paste", "p", [Piece("cmd/dmesg", text)]), TEMPLATES)
    found = log.lookup("dma_fault").value
    assert 8 * 100 < len(found) < 8 * 300
    assert not found.complete
    assert {event.fields["device"] for event in found} == {f"01:00.{n}" for n in range(8)}
    assert log.all("intel_option_on")[0].at == 20_000
    assert log.lookup("intel_option_on").value.complete


def test_parts_of_a_long_log_lose_no_line() -> None:
    """Lines at every offset of the parts that a log is read in, and one line that is longer than a part."""
    group = "pci 0000:01:00.0: Adding to iommu group {}"
    rows = [group.format(n) if n % 50 == 0 else "x" * (n % 997) for n in range(4_000)]
    expected = [(n, str(n)) for n in range(0, 4_000, 50)]
    found = Scanner(TEMPLATES).scan(Piece("cmd/dmesg", "\n".join(rows)))
    assert [(event.at, event.fields["group"]) for event in found] == expected
    rows[7] = "y" * 1_000_000
    found = scan("\n".join(rows), TEMPLATES)
    assert [(event.at, event.fields["group"]) for event in found] == expected
