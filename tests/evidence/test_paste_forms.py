"""The forms in which people post: every prompt, heading, fence, encoding and damage; whose a piece is; no line lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.evidence import clean, commands, prompts, prose
from doctor.evidence.open import open_bytes
from doctor.evidence.paste import open_paste, roles
from doctor.evidence.types import READABLE, Evidence, Piece
from doctor.examine import examine_evidence
from doctor.facts.sheet import Unread, sheet
from doctor.knowledge.store import load


def unclaimed(evidence: Evidence) -> list[Unread]:
    """The lines that `passdoctor facts` says nobody read."""
    return sorted(sheet(evidence, load(None)).unread, key=lambda lost: lost.source.line or 0)


CASES = sorted((Path(__file__).resolve().parents[3] / "shared" / "cases").glob("*/paste.txt"))
ECHO = "[    0.054042] DMAR: IOMMU enabled"
DIRECTED = "[    0.560707] DMAR: Intel(R) Virtualization Technology for Directed I/O"
GPU = "01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GA104 [10de:2484] (rev a1)"
VIEWABLE = "kvm: -device vfio-pci,host=0000:01:00.0,id=hostpci0: vfio 0000:01:00.0: group 15 is not viable"
CMDLINE = "BOOT_IMAGE=/boot/vmlinuz-6.8.12-1-pve root=/dev/mapper/pve-root ro quiet intel_iommu=on"
VIRTUAL = (
    "[    0.000000] DMI: QEMU Standard PC (Q35 + ICH9, 2009), BIOS 0.0.0\n"
    "[    0.000000] Hypervisor detected: KVM\n"
    "[    3.100000] nvidia: probe of 0000:01:00.0 failed with error -1"
)
SESSION = f"""root@pve:~# cat /proc/cmdline
{CMDLINE}
root@pve:~# dmesg | grep -e DMAR -e IOMMU
{ECHO}

{DIRECTED}
root@pve:~# lspci -nnk
{GPU}
\tSubsystem: NVIDIA Corporation Device [10de:2484]
\tKernel driver in use: vfio-pci
root@pve:~# cat /etc/modules
vfio
vfio_pci
root@pve:~# ls /sys/class/iommu
dmar0  dmar1
root@pve:~# qm start 100
{VIEWABLE}
"""


def paste(text: str) -> Evidence:
    return open_paste(text.encode(), "p.txt")


def texts(evidence: Evidence, path: str) -> list[str]:
    return [piece.text for piece in evidence.pieces(path)]


def everything(evidence: Evidence) -> list[Piece]:
    return [piece for path in evidence.paths() for piece in evidence.states(path)]


def verdicts(evidence: Evidence) -> Any:
    report = examine_evidence(evidence)
    return sorted((one["id"], one["device"] or "", one["status"]) for one in report["checks"]), [
        cause["check"] for cause in report["causes"]
    ]


@pytest.mark.parametrize(
    "prompt",
    [
        "❯ ", "λ ", "╰─$ ", "└─$ ", "└──╼ $ ", "╰─❯ ", "➜  ~ git:(main) ✗ ", "user@host:~/src (main) $ ", "bash-5.1# ",
        "sh-4.4# ", "host:~ # ", "pve ~ # ", "[root@host:~]# ", "~ # ", "/ # ", "host% ", "host# ", "[12:34:56] me@pve:~$ ",  # noqa: E501 - as it is pasted
        "12:34:56 root@pve ~ # ", "🚀 me@host ~ $ ", "<me@host>$ ", "[I] me@host ~> ", "[nix-shell:~]$ ",
        "⬢[me@toolbox ~]$ ", "[me@host]~% ", "PS /home/me> ", "(base) me@host:~$ ",
    ],
)  # fmt: skip
def test_prompts_of_every_shell(prompt: str) -> None:
    assert prompts.prompt(prompt + "dmesg | grep -e DMAR") == ("dmesg | grep -e DMAR", True)
    found = paste(f"{prompt}dmesg | grep -e DMAR\n{prompt}lsmod\nvfio_pci 16384 0\n")
    assert [(one.text, one.terms, one.state) for one in found.pieces("cmd/dmesg")] == [("", ("DMAR",), "filtered")]


@pytest.mark.parametrize(
    "line",
    ["~ 50 # of them", "/etc/modules # see above", "pvesh json says", "virsh is not found", "→ so it fails", "%d of them",  # noqa: E501 - as it is pasted
     "sudo and I", "# systemctl is not there", "root: I am", "vfio> hello"],
)  # fmt: skip
def test_prose_is_no_command(line: str) -> None:
    assert prompts.prompt(line) is None


@pytest.mark.parametrize(
    ("heading", "path"),
    [
        ("**Output of `dmesg | grep -e DMAR`:**", "cmd/dmesg"),
        ("### dmesg", "cmd/dmesg"),
        ("my dmesg:", "cmd/dmesg"),
        ("1) dmesg | grep -e DMAR", "cmd/dmesg"),
        ("dmesg输出：", "cmd/dmesg"),
        ("Ausgabe von `dmesg`:", "cmd/dmesg"),
        ("cat /var/log/kern.log:", "var/log/kern.log"),
        ("==> /var/log/kern.log <==", None),
        ("I looked at `dmesg` and see:", None),
    ],
)
@pytest.mark.parametrize("fence", ["{}", "```\n{}\n```", "```text\n{}\n```", "[code]\n{}\n[/code]", "[CODE]{}[/CODE]",
                                   "<pre><code>{}</code></pre>", "~~~\n{}\n~~~", "```{}```"])  # fmt: skip
def test_a_heading_names_what_is_in_the_fence_below(heading: str, path: str | None, fence: str) -> None:
    found = paste(f"{heading}\n\n{fence.format(ECHO)}\n\nThat is all I have.\n")
    (piece,) = [one for one in everything(found) if one.text == ECHO]
    assert (piece.path, piece.command is not None) == (path or "cmd/dmesg", path is not None)


def test_a_fence_ends_what_a_prompt_began() -> None:
    found = paste(f"```\nroot@pve:~# lsmod\nvfio_pci 16384 0\n```\n```\n{ECHO}\n```\n")
    assert texts(found, "cmd/lsmod") == ["vfio_pci 16384 0"]
    assert texts(found, "cmd/dmesg") == [ECHO]


def test_what_publishing_did_to_the_text() -> None:
    found = paste(
        "/etc/default/grub：\nGRUB_CMDLINE_LINUX_DEFAULT＝“quiet intel_iommu＝on iommu＝pt”\n"
        "/etc/modprobe.d/vfio.conf：\noptions vfio－pci ids＝10de：2484，10de：228b\n"
        f"root＠pve：～＃ ｃａｔ　／proc／cmdline\n{CMDLINE}\nroot@pve:~# dmesg | grep –e DMAR —e IOMMU\n{ECHO}\n"
        "&lt;hostdev mode='subsystem' type='pci'&gt;\n请大家帮忙看看，谢谢（急）！\n"
    )
    assert texts(found, "etc/default/grub") == ['GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on iommu=pt"']
    assert texts(found, "etc/modprobe.d/vfio.conf") == ["options vfio-pci ids=10de:2484,10de:228b"]
    assert texts(found, "proc/cmdline") == [CMDLINE]
    assert found.pieces("cmd/dmesg")[0].terms == ("DMAR", "IOMMU")
    assert texts(found, "cmd/virsh-dumpxml") == ["<hostdev mode='subsystem' type='pci'>"]
    assert texts(found, "text/other") == ["请大家帮忙看看，谢谢（急）！"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-8-sig"])
def test_encodings_with_and_without_a_mark(encoding: str) -> None:
    found = open_bytes(SESSION.encode(encoding), "p.txt", "p.txt")
    assert [piece._replace(source="") for piece in everything(found)] == [
        piece._replace(source="") for piece in everything(paste(SESSION))
    ]


def test_lines_that_were_broken_are_joined() -> None:
    found = paste(
        "[    0.560707] DMAR: Intel(R) Virtualization Technology for\nDirected I/O\n"
        "[    2.560707] DMAR: [DMA Read] Request device [02:00.0] fault addr\nc8ab0000 [fault reason 06] PTE Read access\n"  # noqa: E501 - as it is pasted
        f"{ECHO}\nThanks for any help with it\n"
    )
    (log,) = found.pieces("cmd/dmesg")
    rows = log.text.split("\n")
    assert rows[0] == DIRECTED and rows[2].endswith("fault addr c8ab0000 [fault reason 06] PTE Read access")
    assert (log.cite(2).line, log.cite(4).line, log.cite(4).text) == (3, 5, ECHO)
    assert texts(found, "text/other") == ["Thanks for any help with it"]


def test_a_command_over_several_lines() -> None:
    found = paste(
        f"root@pve:~# dmesg \\\n  | grep -e DMAR\n{ECHO}\nroot@pve:~# for d in /sys/kernel/iommu_groups/*/devices/*; do\n"  # noqa: E501 - as it is pasted
        '  n=${d#*/iommu_groups/*}\n  lspci -nns "${d##*/}"\ndone;\n'
        f"IOMMU Group 15 {GPU}\n"
    )
    assert [(one.text, one.terms) for one in found.pieces("cmd/dmesg")] == [(ECHO, ("DMAR",))]
    assert texts(found, "cmd/lspci-nnk") == [f"IOMMU Group 15 {GPU}"]
    assert texts(found, "text/other") == []


def test_a_virtual_machine_that_was_typed() -> None:
    found = paste("$ qemu-system-x86_64 -m 8G \\\n  -device vfio-pci,host=01:00.0 \\\n  -display none\n$\n")
    assert texts(found, "cmd/messages") == ["qemu-system-x86_64 -m 8G -device vfio-pci,host=01:00.0 -display none", ""]


def test_the_output_of_a_program_that_is_not_known() -> None:
    found = paste(f"root@a:~# ./groups.sh | grep VGA\nIOMMU Group 15 {GPU}\n\n{ECHO}\n")
    (listing,), (log,) = found.pieces("cmd/lspci-nnk"), found.pieces("cmd/dmesg")
    assert (listing.command, listing.terms) == ("./groups.sh | grep VGA", ("VGA",))
    assert log.command is None


@pytest.mark.parametrize(
    ("command", "path", "terms"),
    [
        ("dmesg | grep DMAR; dmesg | grep IOMMU", "cmd/dmesg", ()),
        ("cat /proc/cmdline; dmesg | grep DMAR", None, ()),
        ("cd /etc && cat /etc/modules", "etc/modules", ()),
        ("dmesg | grep 'a;b'", "cmd/dmesg", ("a;b",)),
        ("lspci -nnk;", "cmd/lspci-nnk", ()),
    ],
)
def test_several_commands_in_a_line(command: str, path: str | None, terms: tuple[str, ...]) -> None:
    found = commands.parse(command)
    assert (found.path, found.terms) == (path, terms)
    assert found.exact == (" | grep DMAR" not in command)


def test_numbers_and_names_that_the_command_printed() -> None:
    found = paste(
        'root@a:~# grep -n CMDLINE /etc/default/grub\n9:GRUB_CMDLINE_LINUX=""\n'
        "root@a:~# cat -n /etc/modules\n     1\tvfio\nroot@a:~# grep -r vfio /etc/modprobe.d/\n"
        "/etc/modprobe.d/a.conf:options vfio-pci ids=10de:2484\n/etc/modprobe.d/b.conf:softdep nouveau pre: vfio-pci\n"
        "root@a:~# tail -n +1 /etc/modules-load.d/*\n==> /etc/modules-load.d/x.conf <==\nvfio_pci\n"
    )
    assert texts(found, "etc/default/grub") == ['GRUB_CMDLINE_LINUX=""']
    assert texts(found, "etc/modules") == ["vfio"]
    assert texts(found, "etc/modprobe.d/a.conf") == ["options vfio-pci ids=10de:2484"]
    assert texts(found, "etc/modprobe.d/b.conf") == ["softdep nouveau pre: vfio-pci"]
    assert texts(found, "etc/modules-load.d/x.conf") == ["vfio_pci"]


def test_a_table_of_markdown() -> None:
    found = paste(
        "Groups:\n\n| Group | BDF | Device | Driver |\n|---|---|---|---|\n"
        f"| 15 | {GPU[:7]} | {GPU[8:]} | vfio-pci |\n| 15 | 01:00.1 | Audio device [0403]: NVIDIA [10de:228b] | none |\n"  # noqa: E501 - as it is pasted
    )
    (piece,) = found.pieces("cmd/lspci-nnk")
    assert piece.text.split("\n")[0] == f"IOMMU Group 15 {GPU}   Driver: vfio-pci"
    assert piece.text.split("\n")[1] == "IOMMU Group 15 01:00.1 Audio device [0403]: NVIDIA [10de:228b]"
    assert piece.first_line == 5


@pytest.mark.parametrize(
    "lines",
    [
        ['[{"class":"0x030000","device":"0x2484","id":"0000:01:00.0","iommugroup":15,"vendor":"0x10de"}]'],
        ["[", "   {", '      "class" : "0x030000",', '      "device_name" : "x",', '      "id" : "0000:01:00.0",',
         '      "iommugroup" : 15', "   }", "]"],
        ["┌───┬───┐", "│ class    │ device │ id           │ iommugroup │ vendor │", "╞═══╪═══╡",
         "│ 0x030000 │ 0x2484 │ 0000:01:00.0 │         15 │ 0x10de │", "└───┴───┘"],
    ],
    ids=["a-line", "pretty", "box"],
)  # fmt: skip
@pytest.mark.parametrize("command", ["", "root@pve:~# pvesh get /nodes/pve/hardware/pci\n"])
def test_the_table_of_proxmox(lines: list[str], command: str) -> None:
    found = paste(f"My card:\n{command}" + "\n".join(lines) + "\n")
    (piece,) = found.pieces("cmd/iommu-groups")
    assert "iommugroup" in piece.text and "0000:01:00.0" in piece.text
    assert ("iommu-groups-present", "", "pass") in verdicts(found)[0]


def test_a_journal_in_json_between_words() -> None:
    found = paste(f'From the journal:\n{{"MESSAGE":"{DIRECTED[15:]}","_TRANSPORT":"kernel"}}\nthat is all\n')
    assert ("iommu-active", "", "pass") in verdicts(found)[0]
    assert [one.source.text for one in unclaimed(found)] == ["From the journal:", "that is all"]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("You should see something like this:", "example"),
        ("Expected output:", "example"),
        ("It should look like:", "example"),
        ("Example:", "example"),
        ("正常情况下应该会看到：", "example"),
        ("预期输出", "example"),
        ("Es sollte ungefähr so aussehen:", "example"),
        ("Erwartete Ausgabe:", "example"),
        ("I should see DMAR, but I only get:", ""),
        ("In the guest:", "guest"),
        ("dmesg inside the VM:", "guest"),
        ("虚拟机里的日志：", "guest"),
        ("In der VM:", "guest"),
        ("VM dmesg", "guest"),
        ("On the host:", "host"),
        ("Host:", "host"),
        ("VM config:", ""),
        ("This is what I get when I start the VM:", ""),
        ("passed to the guest", ""),
        ("Here is my dmesg:", ""),
    ],
)
def test_what_words_say_of_the_output_below(words: str, kind: str) -> None:
    assert prose.cue(words) == kind


@pytest.mark.parametrize(
    "text",
    [
        f"You should see something like this:\n{DIRECTED}\nbut I only see\n{ECHO}\n",
        f"You should see:\n\n{DIRECTED}\n\n{ECHO}\n",
        f"Expected output:\n```\nroot@pve:~# dmesg\n{ECHO}\n\n{DIRECTED}\n```\nMine:\n```\n{ECHO}\n```\n",
        f"按照教程，应该看到：\n[code]{DIRECTED}[/code]\n我的：\n{ECHO}\n",
        f"Laut Wiki sollte man das sehen:\n{DIRECTED}\nroot@pve:~# dmesg | grep -e DMAR\n{ECHO}\n{ECHO}\n",
        f"I don't see the line '{DIRECTED[15:]}' in my log:\n{ECHO}\n",
    ],
)
def test_an_example_is_no_evidence(text: str) -> None:
    found = paste(text)
    assert ECHO in "\n".join(texts(found, "cmd/dmesg"))
    assert "Directed I/O" not in "\n".join(one.text for one in everything(found) if one.path != "text/example")
    assert ("iommu-active", "", "pass") not in verdicts(found)[0]
    assert any("Directed I/O" in one.source.text for one in unclaimed(found))


@pytest.mark.parametrize(
    "text",
    [
        (
            f"root@pve:~# dmesg | grep -e DMAR\n{DIRECTED}\nroot@pve:~# qm start 100\n{VIEWABLE}\n"
            f"me@ubuntu:~$ dmesg\n{VIRTUAL}\nme@ubuntu:~$ cat /proc/cmdline\nBOOT_IMAGE=/vmlinuz root=/dev/vda1\n"
        ),
        f"Host dmesg:\n```\n{DIRECTED}\n```\nGuest dmesg:\n```\n{VIRTUAL}\n```\nqm start prints this for me:\n{VIEWABLE}\n",  # noqa: E501 - as it is pasted
        f"{VIEWABLE}\n\n{DIRECTED}\n\nand now the log of Windows or what is in it:\n\n{VIRTUAL}\n",
        f"{VIEWABLE}\nroot@vm:~# dmesg\n{VIRTUAL}\n",
    ],
    ids=["prompts", "headings", "hardware", "prompt-of-the-guest-only"],
)
def test_a_guest_does_not_speak_for_its_host(text: str) -> None:
    found = paste(text)
    kept = "\n".join(one.text for one in everything(found) if not one.path.startswith("text/"))
    assert "QEMU Standard" not in kept and "vda1" not in kept and "not viable" in kept
    assert any("QEMU Standard" in one.source.text and "guest" in one.why for one in unclaimed(found))
    assert not [one for one in verdicts(found)[0] if one[0] == "not-assessable" and one[2] == "fail"]


@pytest.mark.parametrize(
    "text",
    [
        f"root@vm:~# dmesg\n{VIRTUAL}\n",
        f"{VIRTUAL}\n",
        f"In the guest:\n{VIRTUAL}\n",
        f"[root@l1 ~]# dmesg\n{VIRTUAL}\n{ECHO}\n[root@l1 ~]# virsh start x\nerror: internal error: qemu: -device vfio-pci\n",  # noqa: E501 - as it is pasted
    ],
    ids=["prompt", "log", "heading", "host-in-a-host"],
)
def test_a_machine_alone_is_the_one_in_question(text: str) -> None:
    found = paste(text)
    assert "QEMU Standard" in "\n".join(texts(found, "cmd/dmesg"))
    assert list(found.states("text/guest")) == []


def test_of_several_hosts_the_one_with_the_trouble_counts() -> None:
    mine = f"root@pve:~# dmesg | grep -e DMAR -e IOMMU\n{ECHO}\nroot@pve:~# qm start 100\n{VIEWABLE}\n"
    yours = f"root@other:~# dmesg | grep -e DMAR -e IOMMU\n{ECHO}\n{DIRECTED}\n"
    for text in (mine + "It works for me:\n" + yours, yours + "But not for me:\n" + mine):
        found = paste(text)
        assert texts(found, "cmd/dmesg") == [ECHO]
        assert texts(found, "text/prompts") == ["root@pve"]
        assert any(one.source.text == DIRECTED and "other" in one.why for one in unclaimed(found))


FORMS: dict[str, Callable[[list[str]], list[str]]] = {
    "crlf": lambda rows: [row + "\r" for row in rows],
    "quoted": lambda rows: ["> " + row for row in rows],
    "quoted-twice": lambda rows: [">> " + row for row in rows],
    "four-blanks": lambda rows: ["    " + row for row in rows],
    "tab": lambda rows: ["\t" + row for row in rows],
    "trailing": lambda rows: [row + "  \t" for row in rows],
    "numbered": lambda rows: [f"{at}: {row}" for at, row in enumerate(rows, 1)],
    "numbered-by-blanks": lambda rows: [f"{at} {row}" for at, row in enumerate(rows, 1)],
    "numbered-by-tabs": lambda rows: [f"{at:6}\t{row}" for at, row in enumerate(rows, 1)],
    "hard-blanks": lambda rows: [row.replace(" ", "\u00a0") for row in rows],
    "colours": lambda rows: ["\x1b[0m" + row.replace("DMAR", "\x1b[01;31m\x1b[KDMAR\x1b[m\x1b[K") for row in rows],
    "quoted-and-numbered": lambda rows: [f"> {at:3} {row}" for at, row in enumerate(rows, 1)],
}  # fmt: skip
AROUND: dict[str, tuple[str, str]] = {
    "ticks": ("```\n", "\n```"),
    "bbcode": ("[CODE]\n", "\n[/CODE]"),
    "words": ("Hello, please help me with this.\n\n```text\n", "\n```\nThanks in advance!"),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_margin_changes_nothing(form: str) -> None:
    rows = FORMS[form](SESSION.rstrip("\n").split("\n"))
    assert everything(paste("\n".join(rows))) == everything(paste(SESSION))


POOL = [*SESSION.split("\n"), "Hello, it does not work.", "In the guest:", "You should see:", "```", "[code]", "| a | b |",  # noqa: E501 - as it is pasted
        "宿主机日志：", "Expected output", "/etc/modules:", "  - x", "lspci -nnk", *VIRTUAL.split("\n"),
        "root@other:~# ls"]  # fmt: skip
ROWS = st.lists(st.one_of(st.sampled_from(POOL), st.text(max_size=40)), max_size=30)


@settings(deadline=None, max_examples=200)
@given(ROWS)
def test_blanks_at_the_end_and_line_ends_change_nothing(rows: list[str]) -> None:
    rows = [row.replace("\r", "").replace("\n", "").replace("\0", "") for row in rows]
    expected = everything(paste("\n".join(rows)))
    assert everything(paste("\r\n".join(rows))) == expected
    assert everything(paste(" \n".join(rows) + "  ")) == expected


@settings(deadline=None, max_examples=400)
@given(ROWS)
def test_every_line_is_accounted_for(rows: list[str]) -> None:
    """It is in a piece, or a prompt, heading or fence; and the lines of pieces are the file's, in order, each once."""
    data = "\n".join(rows).encode("utf-8", "surrogatepass")
    lines = {line.number for line in clean.lines(clean.decode(data)) if line.text.strip()}
    assert set(roles(data)) >= lines
    seen: set[int] = set()
    for piece in everything(open_paste(data, "p")):
        if piece.path != "text/prompts" and piece.reason != "prompts of other machines" and piece.state in READABLE:
            numbers = [piece.line_number(at) for at, row in enumerate(piece.text.split("\n")) if row.strip()]
            assert not seen.intersection(numbers) or piece.command is not None
            seen.update(number for number in numbers if number is not None)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=600))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    assert open_paste(data, "p").kind == "paste"
    unclaimed(open_paste(data, "p"))
    roles(data)


def test_unclaimed_lines_have_their_numbers() -> None:
    found = unclaimed(paste(f"Hello!\n{ECHO}\n\nWhat now?\n"))
    assert [(one.source.line, one.source.text, one.why) for one in found] == [
        (1, "Hello!", "recognised by no reader"),
        (4, "What now?", "recognised by no reader"),
    ]


@pytest.mark.skipif(not CASES, reason="no collection of real pastes here")
@pytest.mark.parametrize("path", CASES[::6], ids=lambda path: path.parent.name)
def test_real_pastes_say_the_same_in_every_form(path: Path) -> None:
    text = path.read_text("utf-8", "replace").rstrip("\n")
    expected = verdicts(paste(text))
    for name, form in FORMS.items():
        assert verdicts(paste("\n".join(form(text.split("\n"))))) == expected, name
    for name, (before, after) in AROUND.items():
        assert verdicts(paste(before + text + after)) == expected, name
    assert verdicts(open_paste(text.encode("utf-16-le"), "p.txt")) == expected


@pytest.mark.skipif(not CASES, reason="no collection of real pastes here")
def test_no_line_of_a_real_paste_is_lost() -> None:
    for path in CASES:
        data = path.read_bytes()
        lines = {line.number for line in clean.lines(clean.decode(data)) if line.text.strip()}
        assert set(roles(data)) >= lines, path
