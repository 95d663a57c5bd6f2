"""What a typed command prints, and where that belongs: the command's own filter is part of the evidence."""

from __future__ import annotations

import re
from typing import NamedTuple

_PROMPT = re.compile(
    r"""\s*(?:\([\w.-]{1,40}\)\s*)?                                # (venv)
        (?:\[[\w.+-]{1,64}@[\w.-]{1,64}\ [^\]\n]{0,120}\]\s?[\#$%]  # [user@host dir]$
        |  [\w.+-]{1,64}@[\w.-]{1,64}(?:\([^)\s]{0,8}\))?(?::|\ )?[^\#$%>❯|"'=(]{0,120}[\#$%>❯]  # user@host:dir#
        |  [~/][\w/.-]{0,80}[\#$]                                     # /some/folder#
        |  [➜❯λ]\s+[~/\w.-]{0,60}(?=\s)
        |  PS\s[^>\n]{1,80}>
        )(?:\s|$)(?P<command>.*)""",
    re.VERBOSE,
)
_USER = re.compile(r"\s*(?:\([\w.-]{1,40}\)\s*)?\[?([\w.+-]{1,64}@[\w.-]{1,64})")
_BARE_PROMPT = re.compile(r"\s{0,4}[$❯]\s*")
_SHORT_PROMPT = re.compile(r"\s*(?P<mark>[$#%+])\s+(?P<command>\S.*)")
_QUOTED = re.compile(r"""'[^']*'|"[^"]*"|\S+""")

COMMANDS = frozenset(
    [
        "awk",
        "bash",
        "bat",
        "bootctl",
        "cat",
        "cpuid",
        "dmesg",
        "dpkg",
        "driverctl",
        "echo",
        "efibootmgr",
        "egrep",
        "emacs",
        "fgrep",
        "find",
        "for",
        "free",
        "gedit",
        "grep",
        "head",
        "hostnamectl",
        "hwinfo",
        "inxi",
        "journalctl",
        "kvm",
        "kvm-ok",
        "kubectl",
        "less",
        "ls",
        "ls-iommu",
        "lsblk",
        "lscpu",
        "lshw",
        "lsinitramfs",
        "lsinitrd",
        "lsiommu",
        "lsmod",
        "lspci",
        "lsusb",
        "microk8s",
        "modinfo",
        "modprobe",
        "mokutil",
        "more",
        "nano",
        "neofetch",
        "nvim",
        "oc",
        "openssl",
        "proxmox-boot-tool",
        "pveperf",
        "pvesh",
        "pveversion",
        "qemu-system-x86_64",
        "qm",
        "readlink",
        "rg",
        "rpm",
        "rpm-ostree",
        "sed",
        "sh",
        "shopt",
        "stat",
        "sudo",
        "sysctl",
        "systemctl",
        "systemd-detect-virt",
        "tail",
        "tee",
        "ulimit",
        "uname",
        "update-grub",
        "update-initramfs",
        "vi",
        "vim",
        "virsh",
        "virt-host-validate",
        "vim",
        "zcat",
        "zgrep",
        "zless",
        "reboot",
        "apt",
        "apt-get",
        "grub-mkconfig",
        "grub2-mkconfig",
        "dracut",
        "mkinitcpio",
        "grubby",
        "tree",
    ]
)
_READERS = frozenset(
    [
        "cat",
        "less",
        "more",
        "head",
        "tail",
        "nano",
        "vi",
        "vim",
        "nvim",
        "emacs",
        "gedit",
        "bat",
        "zcat",
        "zless",
        "tee",
        "micro",
        "kate",
        "code",
    ]
)
_ALONE = frozenset(
    [
        "dmesg",
        "lspci",
        "lsmod",
        "lscpu",
        "pveversion",
        "update-grub",
        "virt-host-validate",
        "kvm-ok",
        "efibootmgr",
    ]
)
_GREPS = ("grep", "egrep", "zgrep", "rg", "fgrep")
# What shows its whole input; any other stage of a pipeline may leave lines out.
_PASSING = ("less", "more", "cat", "tee", "sort", "nl", "bat", "column")
_PLAIN = {
    "lsmod": "cmd/lsmod",
    "lscpu": "cmd/lscpu",
    "uname": "cmd/uname-a",
    "dmesg": "cmd/dmesg",
    "lspci": "cmd/lspci-nnk",
    "update-grub": "cmd/update-grub",
    "proxmox-boot-tool": "cmd/proxmox-boot-tool",
    "efibootmgr": "cmd/efibootmgr",
    "bootctl": "cmd/bootctl",
    "pveversion": "cmd/pveversion",
    "virt-host-validate": "cmd/virt-host-validate",
    "kvm-ok": "cmd/kvm-ok",
    "mokutil": "cmd/mokutil",
    "systemd-detect-virt": "cmd/systemd-detect-virt",
    "modprobe": "cmd/messages",
    "lsiommu": "cmd/lspci-nnk",
    "ls-iommu": "cmd/lspci-nnk",
}


class Command(NamedTuple):
    """A command as typed, the evidence path of its output (None: to be told by its shape), its filter.

    `terms` are the alternatives of a single grep; `exact` is False when the filter is not understood
    (several greps, a regular expression, `head`), so that absence from the output proves nothing.
    """

    text: str
    path: str | None
    terms: tuple[str, ...] = ()
    ignore_case: bool = False
    exact: bool = True
    cut: bool = False


def prompt(line: str) -> tuple[str, bool] | None:
    """The command typed on `line`, and whether a full prompt stands before it; None if it is no command line.

    >>> prompt("root@pve:~# dmesg | grep -e DMAR"), prompt("[root@gpu ~]$ lsmod"), prompt("# a comment")
    (('dmesg | grep -e DMAR', True), ('lsmod', True), None)
    """
    found = _PROMPT.match(line)
    if found and "@" not in (found.group("command") or "")[:0]:
        return found.group("command").strip(), True
    line = line[:4000]
    if _BARE_PROMPT.fullmatch(line):
        return "", True
    found = _SHORT_PROMPT.match(line)
    if found:
        command = found.group("command").strip()
        if found.group("mark") == "$" or _is_command(command, found.group("mark") != "#"):
            return command, found.group("mark") in "$+"
        return None
    return (line.strip(), False) if _is_command(line.strip(), False) else None


def user_and_host(line: str) -> str | None:
    """`user@host` of a full prompt.

    >>> user_and_host("[root@gpu ~]# ls"), user_and_host("$ ls")
    ('root@gpu', None)
    """
    found = _USER.match(line)
    return found.group(1) if found else None


def _is_command(text: str, lenient: bool) -> bool:
    """Whether bare words look like a command rather than like prose or output."""
    words = text.split(None, 8)
    if not words:
        return False
    name = words[0].rpartition("/")[2]
    if text.startswith("./") or name.endswith(".sh"):
        return len(words) < 6
    if name not in COMMANDS:
        return False
    if name == "for":
        return len(words) > 2 and words[2] == "in"
    rest = text[len(words[0]) :]
    if text.endswith((":", ".")) and name != "ls" and "/" not in words[-1]:
        return False
    return (
        lenient
        or (not rest.strip() and name in _ALONE)
        or any(mark in rest for mark in ("/", " -", "|"))
        or (name in ("virsh", "qm", "modprobe", "sudo", "pvesh", "systemctl") and len(words) > 1)
    )


def parse(text: str) -> Command:
    """What `text` prints and where that belongs.

    >>> parse("sudo dmesg | grep -e DMAR -e IOMMU")[1:3]
    ('cmd/dmesg', ('DMAR', 'IOMMU'))
    >>> parse("cat /etc/modprobe.d/vfio.conf").path
    'etc/modprobe.d/vfio.conf'
    """
    stages = _pipeline(_unwrap(text))
    if not stages or not stages[0]:
        return Command(text, None)
    words = stages[0]
    terms: tuple[str, ...] = ()
    ignore_case, exact, cut = False, True, False
    if words[0] in _GREPS:
        terms, ignore_case, exact, files = _grep(words)
        path = _file(files[0]) if len(files) == 1 and not _recursive(words) else None
    else:
        path = route(words)
        exact = (
            "-s" not in words
            and "-d" not in words
            and not any(w.startswith("-s") and words[0] == "lspci" for w in words)
        )
        exact = exact and words[0] != "head"
        cut = words[0] == "tail"
    for stage in stages[1:]:
        name = next((word for word in stage if word not in ("sudo", "doas")), "")
        if name in _GREPS:
            more, fold, plain, _ = _grep(stage[stage.index(name) :])
            exact = exact and plain and not terms
            terms, ignore_case = (more, fold) if not terms else (terms, ignore_case)
        elif name == "tail":
            # It takes the oldest lines away, as a ring buffer does.
            cut = True
        else:
            exact = exact and name in _PASSING
    return Command(text, path, terms, ignore_case, exact, cut)


def writes(text: str) -> tuple[str, str] | None:
    """The file that an `echo` writes and the line it puts there.

    >>> writes('echo "options vfio-pci ids=10de:2d04" > /etc/modprobe.d/vfio.conf')
    ('etc/modprobe.d/vfio.conf', 'options vfio-pci ids=10de:2d04')
    """
    bare = _unwrap(text)
    if not bare.startswith("echo "):
        return None
    for mark in (">>", ">", "| sudo tee -a", "| tee -a", "| sudo tee", "| tee"):
        head, found, target = bare.partition(mark)
        target = target.strip().split(" ")[0].strip("'\"")
        if found and target.startswith("/etc/"):
            said = head[5:].strip()
            said = said[3:].strip() if said.startswith("-e ") else said
            return target[1:], said.strip("'\"")
    return None


def _unwrap(text: str) -> str:
    """The command itself, without sudo, environment, and what runs it elsewhere."""
    text = text.strip().rstrip(";")
    if " -- chroot /host " in text:
        text = text.partition(" -- chroot /host ")[2]
    words = text.split(" ")
    while words and (words[0] in ("sudo", "time", "LC_ALL=C", "LANG=C", "doas", "command", "-E") or not words[0]):
        words = words[1:]
    return " ".join(words)


def _pipeline(text: str) -> list[list[str]]:
    """The stages of a pipeline as words without quotes; redirections are dropped."""
    stages: list[list[str]] = [[]]
    for word in _QUOTED.findall(text.replace("2>/dev/null", "").replace("2>&1", "")):
        if word == "|":
            stages.append([])
        elif word in ("&&", ";", "||"):
            break
        elif "|" in word and word[0] not in "'\"":
            left, _, right = word.partition("|")
            stages[-1] += [left] if left else []
            stages.append([right] if right else [])
        else:
            stages[-1].append(word.strip("'\""))
    return stages


def _grep(words: list[str]) -> tuple[tuple[str, ...], bool, bool, list[str]]:
    """Terms, ignore case, whether the filter is fully understood, and the files of a grep."""
    terms: list[str] = []
    files: list[str] = []
    fold = inverted = False
    extended = words[0] in ("egrep", "rg")
    take = skip = cut = False
    for word in words[1:]:
        if skip:
            skip = False
        elif take:
            terms, take = [*terms, word], False
        elif word.startswith("-") and len(word) > 1 and not word.startswith("--"):
            flags = word[1:]
            fold, inverted = fold or "i" in flags, inverted or "v" in flags
            extended = extended or "E" in flags or "P" in flags
            take = flags.endswith("e")
            skip = flags[-1] in "ABCm"
            cut = cut or "m" in flags
        elif word.startswith("--"):
            fold = fold or word == "--ignore-case"
        elif not terms:
            terms.append(word)
        else:
            files.append(word)
    split = [part for term in terms for part in re.split(r"\\\||\|" if extended or "\\|" in term else r"\\\|", term)]
    split = [part.replace("\\.", ".").strip("()") for part in split if part]
    plain = not inverted and not cut and not any(set(part) & set("*[]^$+?\\(){}") for part in split)
    return tuple(split), fold, plain, files


def _recursive(words: list[str]) -> bool:
    return any(w.startswith("-") and not w.startswith("--") and ("r" in w or "R" in w) for w in words[1:])


def _file(word: str) -> str | None:
    """The evidence path of a file named in a command."""
    if not word.startswith("/"):
        return None
    if "*" in word:
        return "etc/modprobe.d/pasted.conf" if word.startswith("/etc/modprobe.d/") else None
    return word.strip("/")


def route(words: list[str]) -> str | None:
    """The evidence path of what the program `words[0]` prints; None if its shape must tell."""
    name = words[0].rpartition("/")[2]
    if name in _PLAIN:
        return _PLAIN[name]
    if name == "journalctl":
        kernel = any(
            w in ("-k", "--dmesg") or (w.startswith("-") and not w.startswith("--") and "k" in w) for w in words
        )
        return "cmd/journalctl-k" if kernel else "cmd/messages"
    if name in _READERS:
        files = [w for w in words[1:] if w.startswith("/")]
        return _file(files[0]) if len(files) == 1 else None
    arguments = [w for w in words[1:] if not w.startswith("-")]
    if name in ("find", "tree") and arguments and "iommu_groups" in arguments[0]:
        return "cmd/iommu-groups"
    if name == "ls":
        if arguments and arguments[0].startswith("/") and "*" not in arguments[0]:
            recursive = any(w.startswith("-") and "R" in w for w in words[1:])
            return "cmd/iommu-groups" if recursive else arguments[0].strip("/") + "/"
        return "cmd/iommu-groups" if arguments and "iommu_groups" in arguments[0] else None
    if name == "readlink" and arguments and arguments[-1].startswith("/sys/"):
        return arguments[-1].replace("\\", "").strip("/")
    if name == "qm" and arguments[:1] == ["config"] and len(arguments) > 1 and arguments[1].isdigit():
        return f"etc/pve/qemu-server/{arguments[1]}.conf"
    if name in ("qm", "virsh", "kvm") or name.startswith("qemu-system"):
        return "cmd/virsh-dumpxml" if "dumpxml" in words or "edit" in words else "cmd/messages"
    return None
