"""Where kernel parameters are configured: the files of each boot loader, line by line.

Sources of the formats: grub-mkconfig (/etc/default/grub and then /etc/default/grub.d/*.cfg, read as shell), the
Boot Loader Specification (`options`; `$kernelopts` comes from GRUB's environment block), kernel-install's
/etc/kernel/cmdline, syslinux(1) and extlinux (`APPEND` under a `LABEL`, `DEFAULT`, `MENU DEFAULT`), Alpine's
/etc/update-extlinux.conf, Limine's CONFIG.md (`cmdline:`; before version 8 `CMDLINE=`, `KERNEL_CMDLINE=`) and
limine-entry-tool, rEFInd (`refind_linux.conf`: title and parameters, each quoted), NixOS's `boot.kernelParams`,
bootc's kargs.d.

>>> from doctor.evidence.types import Evidence, Piece
>>> text = "default vfio\\nlabel safe\\n append quiet\\nlabel vfio\\n append initrd=/bzroot iommu=pt"
>>> for line in read(Evidence("d", "d", [Piece("boot/syslinux/syslinux.cfg", text, "s")]), None):
...     print(line.words, line.effective)
('quiet',) False
('initrd=/bzroot', 'iommu=pt') True
"""

from __future__ import annotations

import re

from doctor.later import later
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doctor.evidence.types import Evidence, Piece, Source

GRUB_FILE, GRUB_DROP_INS = "etc/default/grub", "etc/default/grub.d/"
ONE_LINE = "etc/kernel/cmdline"
GRUB_VARIABLES = ("GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT")
GRUBENV = ("boot/grub2/grubenv", "boot/grub/grubenv")
ENTRIES = ("boot/loader/entries/", "efi/loader/entries/", "boot/efi/loader/entries/")
_SYSLINUX = (
    *("boot/syslinux/syslinux.cfg", "boot/extlinux.conf", "boot/extlinux/extlinux.conf", "boot/syslinux.cfg"),
    *("EFI/boot/syslinux.cfg", "boot/EFI/boot/syslinux.cfg"),
)
_LIMINE = tuple(
    folder + name
    for folder in ("boot/", "boot/limine/", "boot/EFI/limine/", "boot/efi/", "boot/efi/EFI/limine/", "efi/")
    for name in ("limine.conf", "limine.cfg")
)
_REFIND = tuple(f"{esp}EFI/refind/refind.conf" for esp in ("boot/efi/", "efi/", "boot/"))
_ASSIGNMENT = later(r"\s*(?:export\s+)?(GRUB_CMDLINE_LINUX(?:_DEFAULT)?)(\+?=)", re.ASCII)
_OPTIONS = later(r"\s*(options)\s+(.*)")
_LABEL = later(r"\s*(label|append|default|menu\s{1,8}default)(?:\s+(.*))?$", re.IGNORECASE)
_LIMINE_LINE = later(r"\s*(cmdline:|kernel_cmdline:|(?:KERNEL_)?CMDLINE=)\s*(.*)", re.IGNORECASE)
_TOOL_LINE = later(r"\s*(KERNEL_CMDLINE(?:\[[^\]\s]{0,80}\])?)(\+?=)(.*)")
_QUOTED = later(r'"([^"]{0,4000})"')
_NIX_START = later(r"\bkernelParams\s{0,20}=\s{0,20}(?:lib\.mkForce\s{0,20})?\[(.*)")
_WORD = later(r'(?:"[^"]*"|[^\s"])+')
_MOST_LINES = 100  # of one list


class ConfigLine(NamedTuple):
    """A place where kernel parameters are configured.

    `variable`: the assigned name, the keyword (`options`), or None for a file of bare words; `words`: as the
    shell would read them, a reference to the variable itself left in place; `text`: the line (or lines) as
    it stands; `at`, `span`: its first line in `piece`, from 0, and how many; `quote`: the quotation mark
    around the value; `tail`: what follows it; `appends`: it adds to what was assigned before; `effective`:
    no later assignment replaces it; `in_use`: whether the loader that booted this system reads the file.
    """

    path: str
    variable: str | None
    words: tuple[str, ...]
    text: str
    source: Source
    piece: Piece
    at: int
    span: int = 1
    quote: str = ""
    tail: str = ""
    appends: bool = False
    effective: bool = True
    in_use: bool | None = None


def shell_value(text: str) -> tuple[str, str, str] | None:
    """The value at the start of `text` by the shell's quoting: value, quotation mark, what follows it.

    None if a quotation is not closed. Substitutions are left as they stand.

    >>> shell_value('"quiet splash"  # default'), shell_value("quiet"), shell_value('"open')
    (('quiet splash', '"', '  # default'), ('quiet', '', ''), None)
    """
    out, mark, first, at = [], "", text[:1] if text[:1] in "\"'" else "", 0
    while at < len(text):
        char = text[at]
        escapes = char == "\\" and mark != "'" and at + 1 < len(text)
        if escapes and (not mark or text[at + 1] in '$`"\\\n'):
            out.append("" if text[at + 1] == "\n" else text[at + 1])
            at += 1
        elif char == mark:
            mark = ""
        elif not mark and char in "\"'":
            mark = char
        elif not mark and (char.isspace() or char in ";&|"):
            break
        else:
            out.append(char)
        at += 1
    return None if mark else ("".join(out), first, text[at:])


def split(text: str) -> tuple[str, ...]:
    """Kernel parameters: split at white space, which double quotes protect.

    >>> split('quiet dyndbg="file a +p" ro')
    ('quiet', 'dyndbg="file a +p"', 'ro')
    """
    return tuple(_WORD.findall(text))


def _grub_lines(evidence: Evidence) -> list[ConfigLine]:
    """Every assignment of GRUB's variables, in the order in which grub-mkconfig reads them."""
    lines: list[ConfigLine] = []
    for piece in evidence.pieces(GRUB_FILE) + evidence.under(GRUB_DROP_INS, ".cfg"):
        texts = piece.text.splitlines()
        at = 0
        while at < len(texts):
            line = _assignment(piece, texts, at)
            if line:
                lines.append(line)
            at += line.span if line else 1
    return _supersede(lines)


def _assignment(piece: Piece, texts: list[str], at: int) -> ConfigLine | None:
    """The assignment that begins in line `at`, its continuation lines included."""
    found = _ASSIGNMENT.match(texts[at])
    if not found or found.group(1) not in GRUB_VARIABLES:
        return None
    name, text, count = found.group(1), texts[at], 1
    value = shell_value(text[found.end() :])
    while (value is None or text.endswith("\\")) and count < 20 and at + count < len(texts):
        text, count = text + "\n" + texts[at + count], count + 1
        value = shell_value(text[found.end() :])
    if value is None:  # never closed: the paste lost the rest, so only this line is taken
        text, count, value = texts[at], 1, (texts[at][found.end() :].strip("\"'"), "", "")
    words = split(value[0])
    appends = found.group(2) == "+=" or any(word in (f"${name}", f"${{{name}}}") for word in words)
    source = piece.cite(at, text.strip())
    return ConfigLine(piece.path, name, words, text, source, piece, at, count, value[1], value[2], appends)


def _supersede(lines: list[ConfigLine]) -> list[ConfigLine]:
    """Mark the assignments that a later one of the same name replaces."""
    replaced: set[str | None] = set()
    out = []
    for line in reversed(lines):
        out.append(line._replace(effective=line.variable not in replaced))
        if not line.appends:
            replaced.add(line.variable)
    return out[::-1]


def _bare_lines(evidence: Evidence, distribution: str | None) -> Iterator[ConfigLine]:
    """Files that hold nothing but parameters. Proxmox takes the first line only; others join the lines."""
    first_only = distribution == "proxmox"
    pieces = evidence.pieces(ONE_LINE)[-1:]
    for folder in ("etc/kernel/cmdline.d/", "etc/cmdline.d/"):
        pieces = pieces + evidence.under(folder, ".conf")
    for piece in pieces:
        seen = False
        for index, text in enumerate(piece.text.splitlines()):
            words = split(text)
            if words and not words[0].startswith("#"):
                source = piece.cite(index, text.strip())
                yield ConfigLine(
                    piece.path, None, words, text, source, piece, index, effective=not (first_only and seen)
                )
                seen = True


def read(evidence: Evidence, distribution: str | None) -> list[ConfigLine]:
    """Every place where parameters are configured, whichever loader reads it. Never raises."""
    lines = [*_grub_lines(evidence), *_bare_lines(evidence, distribution)]
    for folder in ENTRIES:
        for piece in evidence.under(folder, ".conf"):
            lines += _keyword_lines(piece, _OPTIONS)
    lines += _environment(evidence)
    for paths, parse in _PARSERS:
        for path in paths:
            for piece in evidence.pieces(path):
                lines += parse(piece)
    for piece in evidence.under("etc/limine-entry-tool.d/", ".conf"):
        lines += _tool_lines(piece)
    for folder in ("usr/lib/bootc/kargs.d/", "etc/nixos/"):
        for piece in evidence.under(folder, ".toml" if "bootc" in folder else ".nix"):
            lines += _listed(piece, folder.startswith("etc/nixos/"))
    return lines


def environment(evidence: Evidence) -> dict[str, ConfigLine]:
    """GRUB's environment block: variable → its line."""
    return {line.variable or "": line for line in _environment(evidence, every=True)}


def _environment(evidence: Evidence, every: bool = False) -> Iterator[ConfigLine]:
    """The variables of the environment block that hold parameters, or all of them."""
    for path in GRUBENV:
        for piece in evidence.pieces(path):
            for at, text in enumerate(piece.text.splitlines()):
                name, equals, value = text.strip().partition("=")
                if equals and not name.startswith("#") and (every or name in ("kernelopts", "tuned_params")):
                    yield _plain(piece, at, text, name, value)


def _plain(piece: Piece, at: int, text: str, variable: str | None, value: str, effective: bool = True) -> ConfigLine:
    source = piece.cite(at, text.strip())
    return ConfigLine(piece.path, variable, split(value), text, source, piece, at, effective=effective)


def _keyword_lines(piece: Piece, pattern: re.Pattern[str]) -> Iterator[ConfigLine]:
    for at, text in enumerate(piece.text.splitlines()):
        found = pattern.match(text)
        if found:
            yield _plain(piece, at, text, found.group(1), found.group(2))


def _syslinux(piece: Piece) -> list[ConfigLine]:
    """APPEND lines; in effect are those of the default label and those above every label."""
    label, default, marked = "", None, None
    found: list[tuple[str, ConfigLine]] = []
    for at, text in enumerate(piece.text.splitlines()):
        line = _LABEL.match(text)
        word = " ".join(line.group(1).lower().split()) if line else ""
        value = (line.group(2) or "").strip() if line else ""
        if word == "label":
            label = value
        elif word == "menu default":
            marked = label
        elif word == "default":
            default = value.split()[0] if value else None
        elif line and word == "append":
            found.append((label, _plain(piece, at, text, line.group(1), value)))
    names = [name for name, _ in found]
    chosen = marked if marked in names else default if default in names else next((n for n in names if n), "")
    return [line._replace(effective=name in ("", chosen)) for name, line in found]


def _extlinux_tool(piece: Piece) -> Iterator[ConfigLine]:
    for at, text in enumerate(piece.text.splitlines()):
        name, equals, value = text.strip().partition("=")
        if equals and name == "default_kernel_opts":
            said = shell_value(value) or (value.strip("\"'"), "", "")
            yield _plain(piece, at, text, name, said[0])._replace(quote=said[1], tail=said[2])


def _limine(piece: Piece) -> list[ConfigLine]:
    """The entries' command lines; the first entry is the default one."""
    lines = list(_keyword_lines(piece, _LIMINE_LINE))
    return [line._replace(effective=at == 0) for at, line in enumerate(lines)]


def _tool_lines(piece: Piece) -> Iterator[ConfigLine]:
    """limine-entry-tool: assignments in shell's manner, by kernel."""
    for at, text in enumerate(piece.text.splitlines()):
        found = _TOOL_LINE.match(text)
        if found:
            said = shell_value(found.group(3)) or (found.group(3).strip("\"'"), "", "")
            line = _plain(piece, at, text, found.group(1), said[0])
            yield line._replace(quote=said[1], tail=said[2], appends=found.group(2) == "+=")


def _refind_linux(piece: Piece) -> Iterator[ConfigLine]:
    """`"title" "parameters"`; the first line is the default one."""
    first = True
    for at, text in enumerate(piece.text.splitlines()):
        quoted = _QUOTED.findall(text) if not text.lstrip().startswith("#") else []
        if len(quoted) > 1:
            yield _plain(piece, at, text, None, quoted[1], effective=first)
            first = False


def _refind(piece: Piece) -> Iterator[ConfigLine]:
    """`options` and `add_options` of manual stanzas."""
    for at, text in enumerate(piece.text.splitlines()):
        word, _, value = text.strip().partition(" ")
        if word in ("options", "add_options") and value.strip():
            yield _plain(piece, at, text, word, value.strip().strip('"'))


def _listed(piece: Piece, nix: bool) -> Iterator[ConfigLine]:
    """A list of quoted words: NixOS's `boot.kernelParams = [ … ];`, bootc's `kargs = [ … ]`."""
    lines = piece.text.splitlines()
    at = 0
    while at < len(lines):
        text, span = lines[at], 1
        start = _NIX_START.search(text[:4000]) if nix and not text.lstrip().startswith("#") else None
        rest = (
            start.group(1)
            if start
            else text.partition("[")[2]
            if text.strip().startswith("kargs") and not nix
            else None
        )
        if rest is None:
            at += 1
            continue
        words: list[str] = []
        while True:
            body = rest.partition("#")[0]
            words += _QUOTED.findall(body.partition("]")[0])
            if "]" in body or span >= _MOST_LINES or at + span >= len(lines):
                break
            rest, span = lines[at + span], span + 1
        variable, source = "boot.kernelParams" if nix else "kargs", piece.cite(at, text.strip())
        yield ConfigLine(piece.path, variable, tuple(words), text, source, piece, at, span, appends=True)
        at += span


_PARSERS: tuple[tuple[tuple[str, ...], Callable[[Piece], list[ConfigLine] | Iterator[ConfigLine]]], ...] = (
    (_SYSLINUX, _syslinux),
    (("etc/update-extlinux.conf",), _extlinux_tool),
    (_LIMINE, _limine),
    (("etc/default/limine",), _tool_lines),
    (("boot/refind_linux.conf",), _refind_linux),
    (_REFIND, _refind),
)
