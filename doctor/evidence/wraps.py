"""Lines that a terminal of 80 columns or a mail program broke: what joins the rest to its line, if that is certain.

>>> log = "[    0.560707] DMAR: Intel(R) Virtualization Technology for"
>>> glue("cmd/dmesg", log + " " * 14, 73, "Directed I/O"), glue("cmd/dmesg", "[ 0.1] DMAR: IOMMU enabled", 26, "Thanks")
(' ', None)
"""

from __future__ import annotations

from doctor.evidence.prose import personal
from doctor.later import later

_STAMP = later(
    r"\s{0,8}(?:<\d{1,3}>)?(?:\[[ \d]{1,8}\.\d{1,9}\]|\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4}\]"
    r"|[A-Z][a-z]{2} {1,2}\d{1,2} [\d:]{8} |\d{4}-\d\d-\d\dT)"
)
_QEMU = later(r"\s{0,8}(?:\S{1,30}: )?(?:kvm|qemu\S{0,40}): |.{0,80}-device ")
_LOGS = ("cmd/dmesg", "cmd/journalctl-k", "var/log/dmesg", "var/log/kern.log", "var/log/syslog", "var/log/messages")
_TYPED = later(r"\S@\S|^\s?[#$>*`~]|[#$]\s")
_OPEN = frozenset(
    (  # noqa: SIM905 - words, not data
        "a an the for to of with and or in is on by from be not will cap ecap ver addr address reason fault device"
        " devices command line parameters kernel that as at via than into support enabled mode reg_base_addr type base"
        " size flags domain iommu group irq queued using setting adding failed cannot can't but it its this all any"
    ).split()
)
_TERMINAL = 80  # columns
_SHORTEST = 40  # characters of a line that was broken between words


def glue(path: str, before: str, width: int, text: str) -> str | None:
    """What stands between a line and its rest `text`: nothing, a blank, or None if they are two lines.

    before: the line so far, the last part of which has `width` characters.
    """
    if not text.strip() or text[:2].isspace() or not text.isascii() or _TYPED.search(text) or personal(text):
        return None
    if path in _LOGS:
        fits = _STAMP.match(before) is not None
    else:
        fits = path == "proc/cmdline" or (path == "cmd/messages" and _QEMU.match(before) is not None)
    if not fits:
        return None
    if width == _TERMINAL:
        return ""
    return " " if _SHORTEST <= width < _TERMINAL and _unfinished(before) else None


def _unfinished(line: str) -> bool:
    """Whether a line surely goes on: an open bracket or quotation mark, or a last word that ends nothing."""
    if line.count('"') % 2 or line.count("[") > line.count("]") or line.count("(") > line.count(")"):
        return True
    return line.endswith((",", "(", "=", ":")) or line.rsplit(None, 1)[-1].lower() in _OPEN
