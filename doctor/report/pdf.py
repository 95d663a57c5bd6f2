"""The report as a PDF, from the same template as the HTML."""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from doctor.later import later
from doctor.report import html
from doctor.report.places import template_folder
from doctor.report.typesetter import load
from doctor.say import language

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doctor.report.model import Report

_INSTALL = {
    "debian": "apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0",
    "fedora": "dnf install pango",
    "suse": "zypper install libpango-1_0-0",
    "arch": "pacman -S pango",
    "alpine": "apk add pango",
}
_INSTALL_CHINESE = {
    "debian": "apt-get install fonts-noto-cjk",
    "fedora": "dnf install google-noto-sans-cjk-fonts",
    "arch": "pacman -S noto-fonts-cjk",
    "alpine": "apk add font-noto-cjk",
}
_FAMILIES = {
    "ubuntu": "debian",
    "proxmox": "debian",
    "rhel": "fedora",
    "centos": "fedora",
    "opensuse": "suse",
    "sles": "suse",
    "archlinux": "arch",
}
OS_RELEASE = "/etc/os-release"
PAPERS = {"a4": "A4", "letter": "letter"}
_LONG = 17_000  # characters of source besides style and pictures: beyond four pages, where a table of contents helps
_PICTURE = later(r"<svg[^<]*(?:<(?!/svg>)[^<]*)*</svg>")


class PangoMissing(RuntimeError):
    """What sets the PDF's text, Pango or a font, is not installed. The message says the command that installs it."""


def render(report: Report, paper: str = "a4") -> bytes:
    """The report on pages of `paper`, tagged as PDF/UA-1 asks.

    Raises `PangoMissing` if this system cannot write PDFs yet, or not in this language.
    """
    if language().startswith("zh") and not _has_font("zh-cn"):
        # Every character would be an empty box, in a file that looks as if it were written.
        command = _install_command(_INSTALL_CHINESE, "your package manager (a font such as Noto Sans CJK)")
        raise PangoMissing(
            f"a PDF in Chinese needs a font with its characters, and none is installed; install one with: {command}"
        )
    gc.collect()  # what the examination leaves behind is room for what comes now, the largest part by far
    with _no_collection():
        return _render(report, paper)


def _render(report: Report, paper: str) -> bytes:
    weasyprint = _weasyprint()
    folder = template_folder()
    style = "".join((folder / name).read_text("utf-8") for name in ("style.css", "print.css", "page.css"))
    style += f"@page {{ size: {PAPERS[paper]}; }}\n"
    page = html.fill(report, style, printed=True)
    if len(_PICTURE.sub("", page)) - len(style) > _LONG:
        page = html.fill(report, style, printed=True, contents=True)
    # An identifier of our own: the default one is random, and the same report shall give the same bytes.
    options = {"pdf_identifier": html.hash_source(page).encode(), "pdf_variant": "pdf/ua-1"}
    if not gc.get_freeze_count():
        gc.freeze()  # what is there by now stays, so the search below need not look at it
    document = weasyprint.HTML(string=page, url_fetcher=_refuser(weasyprint)).render(**options)
    gc.collect()  # what the layout leaves behind is room for the file
    written: bytes = document.write_pdf(**options)
    return written


@contextmanager
def _no_collection() -> Iterator[None]:
    """Search for cycles only where it pays: it is a tenth of the time here, and the process ends soon after."""
    enabled, frozen = gc.isenabled(), gc.get_freeze_count()
    gc.disable()
    try:
        yield
    finally:
        if not frozen:
            gc.unfreeze()
        if enabled:
            gc.enable()


def _refuse(url: str) -> None:
    raise ValueError(f"a report loads nothing: {url}")


def _refuser(weasyprint: Any) -> Any:
    """A fetcher that fetches nothing: the page holds all it needs, and what evidence names is not loaded."""
    # Newer releases want an heir of their own class, older ones just something to call.
    base: Any = getattr(weasyprint.urls, "URLFetcher", object)

    class Refuser(base):  # type: ignore[misc]
        def fetch(self, url: str, *_: Any, **__: Any) -> None:
            _refuse(url)

        __call__ = fetch

    return Refuser()


def _weasyprint() -> Any:
    try:
        return load()
    except OSError as error:  # raised by cffi where a shared library is missing
        raise PangoMissing(
            f"PDF needs Pango, which is not installed on this system; install it with: "
            f"{_install_command(_INSTALL, 'your package manager (the package is called pango)')}"
        ) from error


def _has_font(code: str) -> bool:
    """Whether a font has the characters of the language `code` (RFC 3066); where fontconfig does not tell, yes."""
    import subprocess

    try:
        found = subprocess.run(["fc-list", f":lang={code}", "family"], capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return True
    return bool(found.stdout.strip())


def _install_command(commands: dict[str, str], otherwise: str) -> str:
    for name in _system_names():
        family = _FAMILIES.get(name.split("-")[0], name.split("-")[0])
        if family in commands:
            command = commands[family]
            return command if os.geteuid() == 0 else f"sudo {command}"
    return otherwise


def _system_names() -> list[str]:
    """What the system calls itself, then what it says that it is like."""
    try:
        with open(OS_RELEASE, encoding="utf-8", errors="replace") as file:
            fields = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    except OSError:
        return []
    return " ".join(fields.get(key, "").strip("\"'") for key in ("ID", "ID_LIKE")).lower().split()
