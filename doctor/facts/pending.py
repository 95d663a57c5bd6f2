"""What is configured for the next boot and did not reach the running kernel.

Only parameters of `rules/parameters/` are compared: the rest is the host's own business, and bootloaders
add words of their own. The order of words does not matter.
"""

from __future__ import annotations

from doctor.facts.cmdline import Cmdline, Word, split
from doctor.facts.fact import Fact, Listing, unknown
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from doctor.facts.boot import Boot, ConfigLine


class Pending(NamedTuple):
    """`missing`: words of the file in use, or of a file that is not, that the running kernel lacks.

    `wrong_file`: they stand in a file that the booted loader does not read (`wrong_path`). `settled`: all
    that is configured is running. `enables`: one of the missing words would switch the IOMMU on; `binds`: one would
    give a device to vfio-pci.
    """

    missing: Fact
    wrong_file: Fact
    wrong_path: Fact
    settled: Fact
    enables: Fact
    binds: Fact


_IDS = ("vfio_pci.ids", "pci_stub.ids")


def read(running: Cmdline, boot: Boot, parameters: dict[str, Any]) -> Pending:
    """Compares every configured line with the running command line."""
    names = {option["name"].replace("-", "_") for option in parameters["options"]}
    names |= {name.replace("-", "_") for name in parameters["known"]}
    words = running.words
    if not words.known:
        return Pending(*(unknown("proc/cmdline") for _ in range(6)))
    have = {_key(word) for word in words.value}
    missing: list[str] = []
    sources = []
    unread: ConfigLine | None = None
    lines = [line for line in boot.lines if line.effective]
    for line in sorted(lines, key=lambda one: one.in_use is False):
        for text in line.words:
            for word in split(str(text), line.source):
                lacks = word.name in names and _key(word) not in have and not word.ignored
                if lacks and word.raw not in missing:
                    missing.append(word.raw)
                    sources.append(line.source)
                    unread = line if line.in_use is False else unread
    cited = (*dict.fromkeys(sources), *words.sources[:1])
    enables = any(word.startswith(("intel_iommu=on", "intel-iommu=on")) for word in missing)
    return Pending(
        Fact(Listing(missing), cited),
        Fact(unread is not None, cited),
        Fact(unread.path if unread else None, cited),
        Fact(bool(lines) and not missing, cited if not lines else (lines[0].source, *words.sources[:1])),
        Fact(enables, cited),
        Fact(any(word.replace("-", "_").startswith(_IDS) for word in missing), cited),
    )


def _key(word: Word) -> tuple[str, str | None]:
    return word.name, word.value
