"""The paste opener: blocks, filters, states, line numbers, and that no bytes make it raise or slow."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterable
from time import process_time

import pytest

from doctor.evidence import clean, commands
from doctor.evidence.paste import open_paste
from doctor.evidence.types import READABLE, Evidence, Piece
from doctor.examine import examine_evidence

DMAR = "[    0.054042] DMAR: IOMMU enabled"
GPU = "01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GA104 [10de:2484] (rev a1)"
DRIVER = "\tKernel driver in use: vfio-pci"
CMDLINE = "BOOT_IMAGE=/boot/vmlinuz-6.8.12-1-pve root=/dev/mapper/pve-root ro quiet intel_iommu=on"
SESSION = f"""各位大佬,我的显卡直通失败,请帮忙看看:

root@pve:~# cat /proc/cmdline
{CMDLINE}
root@pve:~# dmesg | grep -e DMAR -e IOMMU
[    0.008871] ACPI: DMAR 0x000000007B7E8000 0000A8 (v01 INTEL  EDK2     00000002      01000013)
{DMAR}
[    0.560707] DMAR: Intel(R) Virtualization Technology for Directed I/O
root@pve:~# lspci -nnk -s 01:00
{GPU}
{DRIVER}
\tKernel modules: nvidiafb, nouveau
root@pve:~# cat /etc/pve/qemu-server/100.conf
bios: ovmf
hostpci0: 0000:01:00,pcie=1

然后启动虚拟机报错:
kvm: -device vfio-pci,host=0000:01:00.0: vfio 0000:01:00.0: group 15 is not viable
TASK ERROR: start failed: QEMU exited with code 1
谢谢!
"""
FORUM = f"""[CODE]
{DMAR}
[/CODE]
**/etc/default/grub**
```
GRUB_DEFAULT=0
GRUB_CMDLINE_LINUX_DEFAULT="quiet amd_iommu=on"
```
`/etc/modprobe.d/vfio.conf`:
options vfio-pci ids=10de:2484,10de:228b disable_vga=1

IOMMU Group 1 00:01.0 PCI bridge [0604]: Intel Corporation PCIe Controller [8086:0c01] (rev 06)
IOMMU Group 1 {GPU}
"""
SAMPLES = (SESSION, FORUM)


def paste(text: str) -> Evidence:
    return open_paste(text.encode(), "paste.txt")


def every(evidence: Evidence) -> list[Piece]:
    return [piece for path in evidence.paths() for piece in evidence.states(path)]


def only(evidence: Evidence, path: str) -> Piece:
    pieces = evidence.states(path)
    assert len(pieces) == 1, [piece.path for piece in every(evidence)]
    return pieces[0]


@pytest.mark.parametrize(
    "prompt",
    [
        "root@pve:~# ",
        "root@pve:/etc/modprobe.d# ",
        "user@host:~$ ",
        "[root@gpu ~]# ",
        "[user@fedora src]$ ",
        "$ ",
        "# ",
        "user@host ~ % ",
        "(venv) user@host:~$ ",
        "➜  ~ ",
        "root@pve ~ # ",
        "user@host:~> ",
        "/etc# ",
        "[user@arch ~]$ sudo ",
        "root@pve(nas):~# ",
        "user@my-host.lan:~/a b$ ",
        "┌─" and "root@truenas[~]# ",
        "root@Tower:~# ",
    ],
)
def test_prompts(prompt: str) -> None:
    found = only(paste(f"{prompt}dmesg | grep -e DMAR -e IOMMU\n{DMAR}\n{prompt}lsmod\n"), "cmd/dmesg")
    assert (found.text, found.terms, found.state, found.first_line) == (
        DMAR,
        ("DMAR", "IOMMU"),
        "filtered",
        2,
    )


@pytest.mark.parametrize(
    "line",
    [
        "# a comment",
        "$5 for whoever helps",
        "user@example.org wrote:",
        "> I see nothing",
        "#vfio",
        "a > b",
        "% of people",
        "dmesg says this:",
        "cat.",
    ],
)
def test_what_is_no_prompt(line: str) -> None:
    assert commands.prompt(line) is None


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (DMAR, "cmd/dmesg"),
        ("DMAR: IOMMU enabled", "cmd/dmesg"),
        ("[Mon Mar 11 10:00:00 2024] DMAR: IOMMU enabled", "cmd/dmesg"),
        ("Mar 11 10:00:00 pve kernel: DMAR: IOMMU enabled", "cmd/dmesg"),
        ("<6>[    0.054042] DMAR: IOMMU enabled", "cmd/dmesg"),
        (GPU, "cmd/lspci-nnk"),
        (f"IOMMU Group 15 {GPU}", "cmd/lspci-nnk"),
        ("/sys/kernel/iommu_groups/7/devices/0000:00:14.0", "cmd/iommu-groups"),
        ('GRUB_CMDLINE_LINUX_DEFAULT="quiet"', "etc/default/grub"),
        ("options vfio-pci ids=10de:2484", "etc/modprobe.d/pasted.conf"),
        ("blacklist nouveau", "etc/modprobe.d/pasted.conf"),
        (CMDLINE, "proc/cmdline"),
        ("vfio_pci               16384  0", "cmd/lsmod"),
        ("Linux pve 6.8.12-1-pve #1 SMP PREEMPT_DYNAMIC x86_64 GNU/Linux", "cmd/uname-a"),
        ("hostpci0: 01:00,pcie=1", "etc/pve/qemu-server/pasted.conf"),
        ("<hostdev mode='subsystem' type='pci' managed='yes'>", "cmd/virsh-dumpxml"),
        ("TASK ERROR: start failed", "cmd/messages"),
        ("Ich komme nicht weiter.", "text/other"),
        ("我的显卡直通失败", "text/other"),
    ],
)
def test_a_line_without_prompt_is_told_by_its_shape(line: str, path: str) -> None:
    found = only(paste(line + "\n"), path)
    assert (found.text, found.first_line) == (line, 1)


@pytest.mark.parametrize(
    "heading",
    [
        "/etc/modules:",
        "**/etc/modules**",
        "# /etc/modules",
        "`/etc/modules`",
        "cat /etc/modules",
        "File /etc/modules:",
        "--- /etc/modules ---",
        "== /etc/modules ==",
    ],
)
def test_headings(heading: str) -> None:
    found = paste(f"{heading}\nvfio\nvfio_pci\n")
    assert only(found, "etc/modules").text == "vfio\nvfio_pci"


def test_fences_end_blocks() -> None:
    found = paste(FORUM)
    assert only(found, "cmd/dmesg").text == DMAR
    assert only(found, "etc/default/grub").first_line == 6
    assert only(found, "etc/modprobe.d/vfio.conf").text.startswith("options vfio-pci ids=10de:2484")
    assert only(found, "cmd/lspci-nnk").first_line == 12


def test_a_session_with_prose_between() -> None:
    found = paste(SESSION)
    assert only(found, "proc/cmdline").text == CMDLINE
    assert only(found, "cmd/dmesg").text.count("\n") == 2
    assert only(found, "cmd/lspci-nnk").text.startswith(GPU)
    assert only(found, "etc/pve/qemu-server/100.conf").text.startswith("bios: ovmf\nhostpci0")
    errors = "\n".join(
        piece.text for piece in found.pieces("cmd/messages") + found.pieces("etc/pve/qemu-server/100.conf")
    )
    assert "group 15 is not viable" in errors


def test_quote_marks_are_no_part_of_the_text() -> None:
    quoted = "".join(f"> {line}\n" for line in SESSION.splitlines())
    assert only(paste(quoted), "cmd/dmesg") == only(paste(SESSION), "cmd/dmesg")


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.encode("utf-16"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: (
            text.replace("[    0", "\x1b[32m[    0")
            .replace("] DMAR", "]\x1b[0m \x1b[01;31m\x1b[KDMAR\x1b[m\x1b[K")
            .replace("\x1b[K DMAR", "DMAR")
            .encode()
        ),
        lambda text: text.replace("    ", "\u00a0\u00a0\u00a0\u00a0").encode(),
        lambda text: text.replace("root@", "\x1b]0;title\x07root@").encode(),
    ],
    ids=["crlf", "cr", "utf-16", "utf-16-be", "utf-8-bom", "colours", "hard-blanks", "title"],
)
def test_encodings_and_colours(encode: object) -> None:
    assert callable(encode)
    plain = only(paste(SESSION), "cmd/dmesg")
    found = only(open_paste(encode(SESSION), "paste.txt"), "cmd/dmesg")
    assert found.first_line == plain.first_line
    assert found.text.splitlines()[-1].split() == plain.text.splitlines()[-1].split()


def test_broken_utf_8_costs_a_character_only() -> None:
    found = open_paste(b"caf\xe9 \xff\xfe\x80\n" + DMAR.encode() + b" \xe4\xb8\n", "p")
    assert only(found, "cmd/dmesg").text.startswith(DMAR)


@pytest.mark.parametrize(
    ("command", "terms", "fold", "exact"),
    [
        ("dmesg | grep DMAR", ("DMAR",), False, True),
        ("dmesg | grep -e DMAR -e IOMMU", ("DMAR", "IOMMU"), False, True),
        ("dmesg | grep -i -e DMAR -e IOMMU", ("DMAR", "IOMMU"), True, True),
        ("dmesg | grep -ie DMAR", ("DMAR",), True, True),
        ("dmesg | grep -E 'DMAR|IOMMU'", ("DMAR", "IOMMU"), False, True),
        ('dmesg | grep -E "(DMAR|IOMMU)"', ("DMAR", "IOMMU"), False, True),
        ("dmesg|egrep -i 'dmar|iommu'", ("dmar", "iommu"), True, True),
        ("dmesg | grep 'DMAR\\|IOMMU'", ("DMAR", "IOMMU"), False, True),
        ("dmesg | rg -i iommu", ("iommu",), True, True),
        pytest.param("sudo dmesg | sudo grep iommu", ("iommu",), False, True),
        pytest.param("dmesg | ag iommu", (), False, False),
        ("dmesg | grep 'IOMMU enabled'", ("IOMMU enabled",), False, True),
        ("dmesg | grep -v usb", ("usb",), False, False),
        ("dmesg | grep DMAR | grep -i enabled", ("DMAR",), False, False),
        ("dmesg | grep DMAR | head -5", ("DMAR",), False, False),
        ("dmesg | grep -E 'DMAR.*enabled'", ("DMAR.*enabled",), False, False),
        ("dmesg | grep '^DMAR'", ("^DMAR",), False, False),
        ("dmesg", (), False, True),
        ("dmesg | grep -A 2 DMAR", ("DMAR",), False, True),
        pytest.param("dmesg | grep -m1 DMAR", ("DMAR",), False, False),
    ],
)
def test_filters(command: str, terms: tuple[str, ...], fold: bool, exact: bool) -> None:
    found = commands.parse(command)
    assert found.path == "cmd/dmesg"
    assert found.ignore_case is fold
    assert (found.exact and not found.cut) is exact
    if exact:
        assert found.terms == terms


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("cat /proc/cmdline", "proc/cmdline"),
        ("sudo cat /etc/kernel/cmdline", "etc/kernel/cmdline"),
        ("less /etc/default/grub", "etc/default/grub"),
        ("nano /etc/modules", "etc/modules"),
        ("cat /etc/modprobe.d/*.conf", "etc/modprobe.d/pasted.conf"),
        ("grep CMDLINE /etc/default/grub", "etc/default/grub"),
        ("lspci -nnk", "cmd/lspci-nnk"),
        ("/usr/bin/lspci -nnv", "cmd/lspci-nnk"),
        ("LC_ALL=C lspci", "cmd/lspci-nnk"),
        ("journalctl -k -b", "cmd/journalctl-k"),
        ("journalctl -b", "cmd/messages"),
        ("ls /sys/class/iommu", "sys/class/iommu/"),
        ("ls /sys/kernel/iommu_groups/", "sys/kernel/iommu_groups/"),
        ("find /sys/kernel/iommu_groups/ -type l", "cmd/iommu-groups"),
        ("qm config 101", "etc/pve/qemu-server/101.conf"),
        ("virsh dumpxml win10", "cmd/virsh-dumpxml"),
        ("qm start 101", "cmd/messages"),
        ("uname -a", "cmd/uname-a"),
        ("ip r", "cmd/ip-route"),
        ("ip -4 route show default", "cmd/ip-route"),
        ("ip route | grep default", "cmd/ip-route"),
        ("ip route get 192.0.2.1", None),
        ("ip a", None),
        ("findmnt /", "cmd/findmnt"),
        ("lsblk -f", "cmd/lsblk"),
        ("mount | grep ' / '", "cmd/mount"),
        ("mount /dev/sdb1 /mnt", None),
        ("cat notes.txt", None),
        ("cat /etc/a /etc/b", None),
    ],
)
def test_where_a_commands_output_belongs(command: str, path: str | None) -> None:
    assert commands.parse(command).path == path


def test_an_empty_output_before_a_prompt_says_something() -> None:
    found = only(paste("root@pve:~# dmesg | grep -e DMAR\nroot@pve:~# \n"), "cmd/dmesg")
    assert (found.text, found.terms, found.state) == ("", ("DMAR",), "filtered")


def test_an_empty_output_at_a_lone_prompt() -> None:
    found = only(paste("$ ls /sys/class/iommu\n$\n"), "sys/class/iommu/")
    assert found.text == ""


@pytest.mark.parametrize(
    "error",
    [
        "ls: cannot access '/sys/kernel/iommu_groups/': No such file or directory",
        "ls: 无法访问'/sys/kernel/iommu_groups/': 没有那个文件或目录",
        "ls: Zugriff auf '/sys/kernel/iommu_groups/' nicht möglich: Datei oder Verzeichnis nicht gefunden",
        "ls: impossible d'accéder à '/sys/kernel/iommu_groups/': Aucun fichier ou dossier de ce type",
    ],
    ids=["en", "zh", "de", "fr"],
)
def test_a_missing_folder_is_absent(error: str) -> None:
    found = paste(f"root@pve:~# ls /sys/kernel/iommu_groups/\n{error}\nroot@pve:~#\n")
    absent = found.absent("sys/kernel/iommu_groups/")
    assert absent is not None
    assert (absent.first_line, absent.reason) == (2, error)
    assert found.pieces("sys/kernel/iommu_groups/") == []


@pytest.mark.parametrize(
    "error",
    [
        "dmesg: read kernel buffer failed: Operation not permitted",
        "dmesg: 读取内核缓冲区失败: 不允许的操作",
        "dmesg: Lesen des Kernelpuffers fehlgeschlagen: Die Operation ist nicht erlaubt",
    ],
    ids=["en", "zh", "de"],
)
def test_a_denied_log_is_denied(error: str) -> None:
    found = paste(f"$ dmesg | grep -e DMAR\n{error}\n$ lsmod\n")
    assert only(found, "cmd/dmesg").state == "denied"
    assert found.pieces("cmd/dmesg") == []


@pytest.mark.parametrize("path", ["proc/cmdline", "etc/kernel/cmdline", "etc/default/grub"])
def test_a_denied_file_has_no_content(path: str) -> None:
    found = paste(f"$ cat /{path}\ncat: /{path}: Permission denied\n$ lsmod\n")
    assert found.pieces(path) == []


def test_two_outputs_of_one_command_stay_two_pieces() -> None:
    text = f"root@a:~# dmesg | grep DMAR\n{DMAR}\nroot@a:~# dmesg | grep remapping\n[ 0.1] DMAR-IR: Enabled IRQ remapping in xapic mode\n"  # noqa: E501 - a line as it is pasted
    found = paste(text).pieces("cmd/dmesg")
    assert [(piece.first_line, piece.terms) for piece in found] == [(2, ("DMAR",)), (4, ("remapping",))]


def test_what_echo_writes_is_the_files_content() -> None:
    found = only(
        paste('root@a:~# echo "options vfio-pci ids=10de:2484" > /etc/modprobe.d/vfio.conf\nroot@a:~# reboot\n'),
        "etc/modprobe.d/vfio.conf",
    )
    assert (found.text, found.first_line) == ("options vfio-pci ids=10de:2484", 1)


def check_numbers(data: bytes) -> None:
    """Every line of every piece stands in the user's file at the number that its citation names."""
    rows = {line.number: line.text for line in clean.lines(clean.decode(data))}
    for piece in every(open_paste(data, "p")):
        if piece.path == "text/prompts" or piece.first_line is None or piece.state not in READABLE:
            continue
        for index, text in enumerate(piece.text.split("\n")):
            number = piece.line_number(index)
            assert number in rows
            joined = bool(rows[number]) and text.startswith(rows[number])  # a line that was broken, and its rest
            assert rows[number] == text or text in rows[number] or joined, (piece.path, number, text)


@pytest.mark.parametrize("text", SAMPLES)
def test_numbers_of_the_samples(text: str) -> None:
    check_numbers(text.encode())
    check_numbers(text.replace("\n", "\r\n").encode())


def test_numbers_with_a_form_feed() -> None:
    """str.splitlines() knows more line ends than a file has: citations must not drift."""
    text = f"root@a:~# dmesg\n[ 0.1] a\x0cb\x0bc\x1cd\x85e\u2029f\n{DMAR}\n"
    check_numbers(text.encode())
    piece = only(paste(text), "cmd/dmesg")
    assert piece.cite(1).text == DMAR


def test_shuffled_lines_keep_their_numbers_and_never_raise() -> None:
    generator = random.Random(20260101)  # noqa: S311 - the same texts each time, no secrets
    pool = [line for text in SAMPLES for line in text.splitlines()]
    for _ in range(300):
        rows = generator.choices(pool, k=generator.randrange(1, 40))
        check_numbers("\n".join(rows).encode())


def test_cut_and_spliced_lines_never_raise() -> None:
    generator = random.Random(20260102)  # noqa: S311 - the same texts each time, no secrets
    text = "".join(SAMPLES)
    for _ in range(300):
        rows = list(text)
        for _ in range(generator.randrange(1, 30)):
            spot = generator.randrange(len(rows))
            rows[spot] = generator.choice(string.printable + "中\u2028\x00\x1b")
        check_numbers("".join(rows).encode())


def test_random_bytes_never_raise() -> None:
    generator = random.Random(20260103)  # noqa: S311 - the same texts each time, no secrets
    for size in range(0, 4000, 13):
        data = generator.randbytes(size)
        assert open_paste(data, "p").kind == "paste"
        check_numbers(bytes(byte & 0x7F for byte in data))


BLOCKS = {
    "session": SESSION,
    "forum": FORUM,
    "prose": "x" * 70 + "\n",
    "log": DMAR + "\n",
    "lspci": GPU + "\n" + DRIVER + "\n",
    "prompts": "root@pve:~# dmesg\n",
    "long-lines": "a" * 5_000 + "\n",
    "fences": "```\n",
    "blank": "\n",
}


@pytest.mark.parametrize(
    "block",
    [pytest.param(name) if name == "blank" else name for name in BLOCKS],
)
def test_time_grows_with_the_text(block: str) -> None:
    """Four times the text takes about four times the time: far below the sixteen of a quadratic reader."""

    def seconds(size: int) -> float:
        data = (BLOCKS[block] * (size // len(BLOCKS[block]) + 1)).encode()
        start = process_time()
        open_paste(data, "p")
        return process_time() - start

    small = min(seconds(25_000) for _ in range(3))
    assert min(seconds(100_000) for _ in range(2)) < 12 * max(small, 0.005)


BLANKS = (" ", "\t", "\u00a0")
UNITS = [
    "-",
    "=",
    "*",
    "#",
    ">",
    "> ",
    "a",
    "0",
    "A:",
    "01:",
    "01:00.0 ",
    "[",
    "[0",
    "0 ",
    "\x1b[",
    "\x1b]0;",
    "`",
    "'",
    '"',
    "root@",
    "a@b:",
    "(a) ",
    "./",
    "~/",
    "group ",
    "group 1 ",
    "IOMMU ",
    "iommu group:",
    "1/devices/",
    "│",
    "a-",
    "a.",
    "-device vfio-pci,",
    "<address ",
    "options ",
    "Kernel driver in use: ",
    "[0300]",
    "[10de:",
    "(rev ",
    "/etc/",
    "DMAR: ",
    "grep -e ",
    "| grep ",
    "a|",
    "\\|",
    "hostpci0: ",
    "GRUB_A=",
    "cmdline: ",
    "kernel cmdline ",
    "Jan  1 00:00:00 ",
    "2024-01-01T",
    "Adding to iommu group ",
    "BAR ",
    "vfio 0000:01:00.0: ",
    "ids=",
    "vfio-pci.ids=10de:1,",
    "module_blacklist=a,",
    "{",
    "{{ x }}",
    "%s",
    "\u4e2d",
]
PATHS = [
    "cmd/dmesg",
    "cmd/lspci-nnk",
    "cmd/iommu-groups",
    "cmd/messages",
    "text/other",
    "proc/cmdline",
    "proc/interrupts",
    "proc/cpuinfo",
    "proc/modules",
    "cmd/lsmod",
    "etc/default/grub",
    "etc/kernel/cmdline",
    "etc/modules",
    "etc/modprobe.d/a.conf",
    "etc/pve/qemu-server/1.conf",
    "cmd/virsh-dumpxml",
    "etc/os-release",
    "cmd/uname-a",
    "boot/loader/entries/a.conf",
    "etc/mkinitcpio.conf",
    "etc/dracut.conf.d/a.conf",
    "boot/grub/grub.cfg",
    "sys/class/iommu/",
    "sys/bus/pci/devices/",
    "cmd/efibootmgr",
    "cmd/proxmox-boot-tool",
    "cmd/pveversion",
    "etc/initramfs-tools/modules",
    "boot/refind_linux.conf",
    "text/prompts",
    "cmd/lscpu",
    "cmd/virt-host-validate",
    "cmd/ip-route",
    "cmd/findmnt",
    "cmd/mount",
    "cmd/lsblk",
]


def slow_ones(do: Callable[[str], object], units: Iterable[str]) -> list[tuple[str, float, float]]:
    """The long repeats that take out of proportion longer when they are four times as long."""

    def seconds(text: str) -> float:
        start = process_time()
        do(text)
        return process_time() - start

    slow = []
    for unit in units:
        for end in ("", "!", "\n!"):
            short, long = (unit * (size // len(unit)) + end for size in (2_000, 8_000))
            small, large = seconds(short), seconds(long)
            if large > 12 * max(small, 0.02):  # measured again: a busy machine is no slow reader
                small, large = (min(seconds(text) for _ in range(3)) for text in (short, long))
                slow += [(unit + end, small, large)] if large > 12 * max(small, 0.02) else []
    return slow


@pytest.mark.parametrize(
    "units",
    [
        pytest.param(BLANKS, id="blanks"),
        pytest.param(UNITS, id="the-rest"),
    ],
)
def test_no_paste_backtracks(units: Iterable[str]) -> None:
    assert slow_ones(lambda text: open_paste(text.encode(), "p"), units) == []


def test_no_reader_of_facts_backtracks() -> None:
    """The same lines as content of every kind of file, through every fact that the rules ask for."""

    def do(text: str) -> object:
        return examine_evidence(Evidence("paste", "p", [Piece(path, text, "p") for path in PATHS]))

    do("warm up")
    assert slow_ones(do, (*BLANKS, *UNITS)) == []
