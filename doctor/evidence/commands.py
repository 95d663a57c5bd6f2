"""What a typed command prints, and where that belongs: the command's own filter is part of the evidence."""

from __future__ import annotations

import re

from doctor.evidence.programs import GREPS, PASSING, PLAIN, READERS
from doctor.evidence.prompts import is_command, prompt, user_and_host
from doctor.later import later
from doctor.record import NamedTuple

__all__ = ["Command", "is_command", "parse", "prompt", "route", "user_and_host", "writes"]

# What prints nothing, so that the output is the others'.
_SILENT = frozenset(["cd", "clear", "export", "sync", "reboot", "sleep", "true", "set", "pushd", "popd", "exit", "fi"])
_BLOCKS = ("for ", "while ", "until ", "if ", "shopt ")
_LONGEST = 4000  # characters of a line
_MOST = 20  # commands of a line
_QUOTED = later(r"""'[^']*'|"[^"]*"|\S+""")

_HARMLESS = ("--ignore-case", "--color", "--colour", "--line-", "--text", "--extended", "--fixed", "--no-", "--with-")


class Command(NamedTuple):
    """A command as typed, the evidence path of its output (None: to be told by its shape), its filter.

    `terms` are the alternatives of a single grep; `exact` is False when the filter is not understood
    (several greps, a regular expression, `head`), so that absence from the output proves nothing. `numbered`:
    the program prints each line's number before it.
    """

    text: str
    path: str | None
    terms: tuple[str, ...] = ()
    ignore_case: bool = False
    exact: bool = True
    cut: bool = False
    numbered: bool = False


def parse(text: str) -> Command:
    """What `text` prints and where that belongs.

    >>> parse("sudo dmesg | grep -e DMAR -e IOMMU")[1:3]
    ('cmd/dmesg', ('DMAR', 'IOMMU'))
    >>> parse("cat /etc/modprobe.d/vfio.conf").path
    'etc/modprobe.d/vfio.conf'
    >>> parse("dmesg | grep DMAR; dmesg | grep IOMMU")[1:5], parse("cat /etc/modules && lsmod").path
    (('cmd/dmesg', (), False, False), None)
    """
    several = [part for part in _sequence(text[:_LONGEST]) if part.split(None, 1)[0] not in _SILENT]
    if len(several) < 2 or several[0].startswith(_BLOCKS):
        return _parse(text, several[0] if several else text)
    # The output is that of all, one after another: what is not in it may have been another's to print.
    paths = {_parse(part, part).path for part in several[:_MOST]}
    return Command(text, paths.pop() if len(paths) == 1 else None, exact=False)


def _sequence(text: str) -> list[str]:
    """The commands of a line that `;`, `&&` and `||` join; quotation marks protect."""
    found: list[list[str]] = [[]]
    for word in _QUOTED.findall(text):
        if word in ("&&", "||", ";"):
            found.append([])
        elif word.endswith(";") and word[0] not in "'\"" and not word.endswith("\\;"):
            found[-1].append(word.rstrip(";"))
            found.append([])
        else:
            found[-1].append(word)
    return [" ".join(words) for words in found if any(words)]


def _parse(text: str, own: str) -> Command:
    """One pipeline, `own`, of the line `text`."""
    stages = _pipeline(_unwrap(own))
    if not stages or not stages[0]:
        return Command(text, None)
    words = stages[0]
    terms: tuple[str, ...] = ()
    ignore_case, exact, cut = False, True, False
    if words[0] in GREPS:
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
        if words[0].rpartition("/")[2] in ("dmesg", "journalctl"):
            from doctor.evidence.logoptions import selection

            exact, cut = selection(words)
    for stage in stages[1:]:
        name = next((word for word in stage if word not in ("sudo", "doas")), "")
        if name in GREPS:
            more, fold, plain, _ = _grep(stage[stage.index(name) :])
            exact = exact and plain and not terms
            terms, ignore_case = (more, fold) if not terms else (terms, ignore_case)
        elif name == "tail":
            # It takes the oldest lines away, as a ring buffer does.
            cut = True
        else:
            exact = exact and name in PASSING
    return Command(text, path, terms, ignore_case, exact, cut, any(map(_numbers, stages)))


def _numbers(stage: list[str]) -> bool:
    """Whether a stage of a pipeline puts numbers before the lines."""
    name = next((word for word in stage if word not in ("sudo", "doas")), "").rpartition("/")[2]
    if name in GREPS:
        return any(w == "--line-number" or (w[:1] == "-" and w[1:2] != "-" and "n" in w[1:]) for w in stage[1:])
    return name == "nl" or (name in ("cat", "bat") and "-n" in stage)


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
    text = text.strip().rstrip(";").replace("$(uname -r)", "{release}").replace("`uname -r`", "{release}")
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
            # A count, a name, or a part of a line is no line; -w and -x match less than the term says.
            cut = cut or bool(set(flags) & set("mcowxLlqz"))
        elif word.startswith("--"):
            fold = fold or word == "--ignore-case"
            cut = cut or not word.startswith(_HARMLESS)
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
    if name in PLAIN:
        return PLAIN[name]
    if name == "journalctl":
        kernel = any(
            w in ("-k", "--dmesg") or (w.startswith("-") and not w.startswith("--") and "k" in w) for w in words
        )
        return "cmd/journalctl-k" if kernel else "cmd/messages"
    if name in READERS:
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
    if name == "ip":
        return "cmd/ip-route" if _shows_routes(arguments) else None
    if name == "mount":
        return None if arguments else "cmd/mount"
    if name == "readlink" and arguments and arguments[-1].startswith("/sys/"):
        return arguments[-1].replace("\\", "").strip("/")
    if name == "pvesh" and any("hardware/pci" in word for word in arguments):
        return "cmd/iommu-groups"
    if name == "qm" and arguments[:1] == ["config"] and len(arguments) > 1 and arguments[1].isdigit():
        return f"etc/pve/qemu-server/{arguments[1]}.conf"
    if name in ("qm", "virsh", "kvm") or name.startswith("qemu-system"):
        return "cmd/virsh-dumpxml" if "dumpxml" in words or "edit" in words else "cmd/messages"
    return None


def _shows_routes(arguments: list[str]) -> bool:
    """Whether these words after `ip` list routes; ip takes each of its words cut short.

    >>> [_shows_routes(words.split()) for words in ("r", "route show default", "ro l", "rule", "route add default")]
    [True, True, True, False, False]
    """
    if not arguments or not "route".startswith(arguments[0]):
        return False
    return len(arguments) == 1 or any(word.startswith(arguments[1]) for word in ("show", "list", "lst"))
