"""The paste opener: a text as somebody posted it, split into pieces of evidence.

A block belongs to the command above it; without one, to the file that a heading names; without that,
each line is told by its shape. What no reader claims stays, as `text/other`.
"""

from __future__ import annotations

from doctor.evidence import clean, commands, shapes
from doctor.evidence.commands import Command
from doctor.evidence.types import (
    ABSENT,
    CUT,
    DENIED,
    EXCERPT,
    FILTERED,
    NOT_COLLECTED,
    WHOLE,
    Evidence,
    Line,
    Piece,
)

OTHER = "text/other"
# The words of missing files and of refusals in the languages that pastes come in.
_MISSING = (
    "No such file or directory",
    "没有那个文件或目录",
    "Datei oder Verzeichnis nicht gefunden",
    "Aucun fichier ou dossier",
    "No existe el fichero",
    "Нет такого файла",
    "そのようなファイル",
    "Arquivo ou diretório inexistente",
)
_DENIED = (
    "Operation not permitted",
    "Permission denied",
    "不允许的操作",
    "权限不够",
    "拒绝",
    "nicht erlaubt",
    "Keine Berechtigung",
    "Permission non accordée",
    "Opération non permise",
    "Permiso denegado",
    "Operación no permitida",
    "許可されて",
    "Отказано в доступе",
    "Permissão negada",
)
_RESTARTS = ("reboot", "systemctl reboot", "shutdown -r", "init 6")


def open_paste(data: bytes, name: str) -> Evidence:
    """The evidence in a paste; `name` is what citations call the file. Never raises for any bytes.

    >>> e = open_paste(b"root@pve:~# dmesg | grep -e DMAR\\n[ 0.05] DMAR: IOMMU enabled\\nroot@pve:~#", "p.txt")
    >>> e.pieces("cmd/dmesg")[0].text, e.pieces("cmd/dmesg")[0].terms, e.pieces("cmd/dmesg")[0].first_line
    ('[ 0.05] DMAR: IOMMU enabled', ('DMAR',), 2)
    """
    splitter = _Splitter(name)
    for line in clean.lines(clean.decode(data)):
        splitter.take(line)
    splitter.close(end=True)
    splitter.finish()
    return Evidence("paste", name, splitter.pieces)


class _Splitter:
    """Walks the lines once and cuts them into blocks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pieces: list[Piece] = []
        self.command: Command | None = None  # whose output the block is
        self.prompted = False  # whether a full prompt stood before it
        self.path: str | None = None  # of the block
        self.state = EXCERPT
        self.lines: list[Line] = []
        self.typed_at = 0  # the line of the command
        self.boot = 0  # restarts typed so far
        self.prompts: dict[str, Line] = {}  # user and host of the prompts, with the first line of each

    def take(self, line: Line) -> None:
        """One more line."""
        text = line.text
        if shapes.fence(text):
            self.close()
            self.command, self.path = None, None
            return
        found = shapes.shape(text)
        typed = commands.prompt(text) if found is None or "@" in text[:80] or text.lstrip()[:1] in "$#" else None
        if typed is not None and not (found is not None and found.path == "etc/default/grub"):
            self.begin_command(typed, line)
            return
        named = None if self._comment(text) else shapes.heading(text)
        if named is not None and not (self.path or "").startswith("cmd/iommu") and not self._listing():
            self.close()
            self.command, self.path, self.state = None, named, EXCERPT
            return
        self.add(line, found)

    def _comment(self, text: str) -> bool:
        """Whether the line is a comment inside a file that a command prints."""
        inside = self.command is not None and (self.path or "").startswith(("etc/", "boot/", "usr/"))
        return inside and text.lstrip().startswith("#")

    def _listing(self) -> bool:
        return bool(self.path and self.path.endswith("/"))

    def begin_command(self, typed: tuple[str, bool], line: Line) -> None:
        """A command line: its output follows."""
        self.close(end=typed[1])
        text, self.prompted = typed
        name = commands.user_and_host(line.text)
        if name is not None:
            self.prompts.setdefault(name, line)
        if not text:
            self.command, self.path = None, None
            return
        self.typed_at = line.number
        if self.prompted and text.removeprefix("sudo ").startswith(_RESTARTS):
            self.boot += 1
        written = commands.writes(text)
        if written is not None:
            path, content = written
            self.pieces.append(Piece(path, content, self.name, line.number, text, EXCERPT))
            self.command, self.path = None, None
            return
        self.command = commands.parse(text)
        self.path, self.state = self.command.path, self._state(self.command)

    @staticmethod
    def _state(command: Command) -> str:
        if not command.exact or command.cut:
            return CUT if command.cut else EXCERPT
        return FILTERED if command.terms else WHOLE

    def add(self, line: Line, found: shapes.Shape | None) -> None:
        """A line of a block, or the first of another one."""
        if not line.text.strip():
            self.lines.append(line)
            return
        if self._belongs(line.text, found):
            self.lines.append(line)
            return
        path = found.path if found is not None else OTHER
        if self.path != path or self.command is not None:
            command = self.command if self.command is not None and self.command.path is None else None
            self.close()
            self.command, self.path, self.state = command, path, EXCERPT
            if command is not None:
                self.command = None
                self.state = (
                    self._state(command) if command.exact and path in ("cmd/lspci-nnk", "cmd/dmesg") else EXCERPT
                )
        self.lines.append(line)

    def _belongs(self, text: str, found: shapes.Shape | None) -> bool:
        """Whether a line is part of the present block."""
        if self.path is None:
            return False
        if found is not None and found.path == self.path:
            return True
        if self.path == "cmd/lspci-nnk" and shapes.device_detail(text) and (found is None or not _starts_block(found)):
            return True
        if self.command is not None and self.command.path is not None:
            return found is None or not found.strong or not _foreign(self.path, found.path)
        if self.path == OTHER or self.path.startswith(("cmd/", "text/")):
            return found is None and self.path == OTHER
        return found is None or not found.strong or not _foreign(self.path, found.path)

    def close(self, end: bool = False) -> None:
        """Ends the block; `end` means that a prompt follows, so that even an empty output says something."""
        lines, path = self.lines, self.path
        self.lines = []
        filled = [index for index, line in enumerate(lines) if line.text.strip()]
        lines = lines[filled[0] : filled[-1] + 1] if filled else []
        command = self.command
        if lines and path is not None:
            self.pieces.append(self._piece(path, lines, command))
        elif path is not None and command is not None and end and self.prompted and not lines and command.path:
            self.pieces.append(
                Piece(
                    path,
                    "",
                    self.name,
                    self.typed_at,
                    command.text,
                    self.state,
                    command.terms,
                    command.ignore_case,
                    self.boot,
                )
            )
        self.path = None if command is None else path

    def finish(self) -> None:
        """Counts boots from the latest one back, and adds the prompts' users and hosts as evidence of their own.

        (A host's name often tells what it runs.)
        """
        if self.boot:
            self.pieces = [piece._replace(boot=self.boot - piece.boot) for piece in self.pieces]
        if self.prompts:
            numbers = tuple(line.number for line in self.prompts.values())
            names = "\n".join(self.prompts)
            self.pieces.append(Piece("text/prompts", names, self.name, state=EXCERPT, numbers=numbers))

    def _piece(self, path: str, lines: list[Line], command: Command | None) -> Piece:
        """The block as a piece; an error message of the command becomes a state."""
        text = "\n".join(line.text for line in lines)
        state, reason = self.state, None
        if command is not None and command.path and not path.startswith("cmd/messages"):
            refused = _refusal(command.text, [line.text for line in lines])
            if refused is not None:
                state, reason = refused, lines[0].text.strip()
                path = "sys/kernel/iommu_groups/" if path == "cmd/iommu-groups" else path
        typed = command.text if command is not None else None
        terms = command.terms if command is not None else ()
        fold = command.ignore_case if command is not None else False
        return Piece(path, text, self.name, lines[0].number, typed, state, terms, fold, self.boot, reason)


def _refusal(command: str, lines: list[str]) -> str | None:
    """The state of evidence whose command printed an error of its own instead; None if it did not.

    >>> _refusal("ls /sys/class/iommu", ["ls: impossible d'accéder à '/sys/class/iommu': Aucun fichier"])
    'absent'
    """
    filled = [line.strip() for line in lines if line.strip()]
    if not filled or len(filled) > 2:
        return None
    names = [word.rpartition("/")[2] for word in command.replace("|", " ").split()]
    speaker = filled[0].partition(": ")[0].lstrip("-")
    if ": " not in filled[0] or speaker not in (*names, "bash", "zsh", "sh", "ksh", "fish", "sudo"):
        return None
    if any(word in filled[0] for word in _DENIED):
        return DENIED
    if speaker in ("ls", "cat", "find") or any(word in filled[0] for word in _MISSING):
        return NOT_COLLECTED if "command not found" in filled[0] else ABSENT
    return NOT_COLLECTED


def _starts_block(found: shapes.Shape) -> bool:
    return found.strong and found.path != "cmd/lspci-nnk"


_FAMILIES = (
    ("cmd/dmesg", "cmd/journalctl-k", "cmd/messages", "var/log/", "proc/cmdline"),
    (
        "etc/modprobe.d/",
        "etc/modules",
        "etc/modules-load.d/",
        "etc/initramfs-tools/",
        "usr/lib/modprobe.d/",
        "etc/dracut",
        "etc/mkinitcpio",
    ),
    ("etc/pve/", "cmd/messages"),
    ("proc/modules", "cmd/lsmod"),
    ("boot/", "etc/kernel/cmdline", "proc/cmdline", "etc/default/grub"),
    ("cmd/virsh-dumpxml", "etc/libvirt/"),
    (
        "cmd/update-grub",
        "cmd/messages",
        "cmd/proxmox-boot-tool",
        "cmd/virt-host-validate",
        "cmd/kvm-ok",
        "cmd/bootctl",
    ),
    ("cmd/lspci-nnk", "cmd/iommu-groups", "cmd/messages"),
    ("sys/", "cmd/iommu-groups"),
)


def _foreign(path: str, other: str) -> bool:
    """Whether a line shaped like `other` cannot be part of output that belongs to `path`."""
    return not any(path.startswith(family) and other.startswith(family) for family in _FAMILIES)
