"""Commands as they are shown: broken where a break means nothing, completed where they only make a copy."""

from __future__ import annotations

from rich.cells import cell_len

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from doctor.report.model import FileChange
    from doctor.report.view import Numbered, View

_EDITORS = frozenset(("nano", "vi", "vim", "editor", "sudoedit", "sensible-editor", "$EDITOR"))
_REBUILDS = ("bootloader", "initramfs", "reboot")
_SPECIAL = frozenset(" '\"\\$`*?[]{}()<>|&;#~!\t\n")  # a path with any of them is not typed without quotes


def wrap_command(command: str, width: int) -> list[str]:
    """The lines of a shell command, broken with backslashes between words only.

    >>> wrap_command("grep -e 'a b' /etc/default/grub", 20)
    ["grep -e 'a b' \\\\", '  /etc/default/grub']

    Several lines, comments and here-documents mean something else when broken, and stay as they are.
    """
    if "\n" in command:
        return command.expandtabs().split("\n")
    words = shell_words(command)
    if cell_len(command) <= width or any(word.startswith("#") for word in words):
        return [command]
    lines = [""]
    for word in words:
        candidate = f"{lines[-1]} {word}" if lines[-1].strip() else lines[-1] + word
        if cell_len(candidate) + 2 <= width or not lines[-1].strip():
            lines[-1] = candidate
        else:
            lines[-1] += " \\"
            lines.append("  " + word)
    return lines


def shell_words(command: str) -> list[str]:
    r"""The words of a command as they are written, quotes included.

    >>> shell_words("echo 'a b'  \"c \\\" d\" e\\ f")
    ['echo', "'a b'", '"c \\" d"', 'e\\ f']
    """
    words, word, quote, escaped = [], "", "", False
    for char in command:
        if char == " " and not quote and not escaped:
            if word:
                words.append(word)
            word = ""
            continue
        word += char
        if escaped:
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
    return [*words, word] if word else words


def is_copy(command: str) -> bool:
    """Whether a command does nothing but keep a copy of a file.

    >>> is_copy("cp -a /etc/x /etc/x.before"), is_copy("printf '%s' a >> /etc/x")
    (True, False)
    >>> is_copy("if [ -e /etc/x ]; then cp -a /etc/x /root/x; else : > /root/x.new; fi")
    True
    """
    return command.startswith("cp ") or (command.startswith("if [ -e ") and "; then cp " in command)


def _opens(command: str) -> bool:
    return command.removeprefix("sudo ").partition(" ")[0] in _EDITORS


def by_hand(change: FileChange, commands: Iterable[str]) -> bool:
    """Whether a person has to make the change: no command writes to the file, and something is to change."""
    if not change["before"] and not change["after"]:
        return False
    rest = (command for command in commands if not is_copy(command) and not _opens(command))
    return not any(_names(change["path"], command) for command in rest)


def to_type(commands: list[str], files: Iterable[FileChange]) -> list[str]:
    """The commands of a step, after its copies those that open the files which a person has to edit.

    >>> change: FileChange = {"path": "/etc/x", "diff": "", "before": ["a"], "after": ["b"]}
    >>> to_type(["cp -a /etc/x /etc/x.before", "update-grub"], [change])
    ['cp -a /etc/x /etc/x.before', 'nano /etc/x', 'update-grub']
    >>> to_type(["nano /etc/x"], [change]), to_type(["printf b > /etc/x"], [change])
    (['nano /etc/x'], ['printf b > /etc/x'])
    """
    paths = [change["path"] for change in files if by_hand(change, commands)]
    paths = [path for path in paths if not any(_opens(each) and _names(path, each) for each in commands)]
    copies = next((at for at, command in enumerate(commands) if not is_copy(command)), len(commands))
    opened = [f"nano {path}" for path in dict.fromkeys(paths) if path.isascii() and not set(path) & _SPECIAL]
    return commands[:copies] + opened + commands[copies:]


def written_out(change: FileChange, commands: Iterable[str]) -> bool:
    """Whether a command holds the new lines one under the other, so that showing them again tells nothing."""
    if change["before"] or not change["after"]:
        return False
    return any(set(change["after"]) <= set(command.split("\n")) for command in commands if "\n" in command)


def _names(path: str, command: str) -> bool:
    return any(word.strip("'\"").lstrip("<>") == path for word in shell_words(command.replace("\n", " ")))


def to_verify(view: View) -> list[str]:
    """All commands that show success, but for those that are a step of their own at the end."""
    told = {command for each in view.closing for command in each.step["commands"]}
    commands = dict.fromkeys(command for each in view.steps for command in each.step["verify"])
    return [command for command in commands if command not in told]


def to_undo(steps: tuple[Numbered, ...]) -> list[str]:
    """All commands that undo the plan: first what puts files back, the last step first, then the rebuilds.

    What several steps end with is typed once, after all of them.
    """
    edits = [command for each in reversed(steps) if each.step["kind"] not in _REBUILDS for command in each.step["undo"]]
    rebuilds = [command for each in steps if each.step["kind"] in _REBUILDS for command in each.step["undo"]]
    return list(dict.fromkeys(reversed(edits + rebuilds)))[::-1]
