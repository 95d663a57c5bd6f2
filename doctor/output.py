"""Where output goes: a file, written whole or not at all, standard output, and the lines on standard error."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable

_QUIET, _EACH = 0.5, 0.1  # seconds until the progress line is shown, and between two turns of its mark
_MARKS = "|/-\\"

# Says a line in another language than English; set by the command line.
interpret: Callable[[str], str] | None = None
# Says an error as a plugin of monitoring does, which looks at standard output only; set by the command line.
plugin: Callable[[str], str] | None = None


def complain(text: str) -> None:
    """One clear line on standard error, whatever control characters a file name holds."""
    line = " ".join(text.split())
    line = interpret(line) if interpret is not None else line
    line = "".join(c if c.isprintable() else "?" for c in line)
    if plugin is not None:
        print(plugin(line))
    else:
        print("passdoctor: " + line, file=sys.stderr)


def put(text: str, file: str | None) -> bool:
    """Writes a text to a file or to standard output; whether that failed, which it says."""
    data = text.encode("utf-8", "surrogateescape")
    problem = print_out(data) if file in (None, "-") else save(str(file), data)
    if problem:
        complain(problem)
    return problem is not None


def print_out(data: bytes) -> str | None:
    """Writes to standard output; a reader that went away is no error."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data if data.endswith(b"\n") else data + b"\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return None


def save(name: str, data: bytes) -> str | None:
    """Writes a file whole or not at all; a device or a pipe is written to, never replaced."""
    from pathlib import Path

    path = Path(os.path.realpath(name))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return None
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        return f"{name}: {error.strerror or error}"
    return None


class Progress:
    """A line with a turning mark on standard error for what takes longer than half a second, on a terminal only.

    Nothing is imported for it: the thread is the interpreter's own.
    """

    def __init__(self) -> None:
        self._text, self._shown, self._turns = "", False, 0
        self._going = None
        # A reader of the screen would say every turn; who has one says so by TERM=dumb.
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            import _thread

            self._going, self._writing = _thread.allocate_lock(), _thread.allocate_lock()
            self._going.acquire()
            _thread.start_new_thread(self._turn, (self._going,))

    def _turn(self, going: LockType) -> None:
        """Shows the line until `going` is released."""
        wait = _QUIET
        while not going.acquire(True, wait):
            wait = _EACH
            with self._writing:
                if self._going is not None and self._text:
                    self._show()

    def _show(self) -> None:
        self._shown = True
        mark = _MARKS[self._turns % len(_MARKS)]
        self._turns += 1
        text = self._text[: 70 if self._text.isascii() else 35]
        print(f"\r\x1b[K{mark} {text}", end="", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """What is being done now."""
        text = interpret(text) if interpret is not None and self._going is not None else text
        self._text = "".join(c if c.isprintable() else "?" for c in text)

    def end(self) -> None:
        """Takes the line away."""
        if self._going is None:
            return
        with self._writing:
            going, self._going = self._going, None
            going.release()
            if self._shown:
                print("\r\x1b[K", end="", file=sys.stderr, flush=True)
