"""What a package holds beside the code: the manual pages, and what lets shells complete."""

from __future__ import annotations

import time

# Where each belongs below the prefix of an installation.
MANUAL = "share/man/man1/passdoctor.1"
COLLECTOR_MANUAL = "share/man/man1/passdoctor-collect.1"
COMPLETIONS = {
    "bash": "share/bash-completion/completions/passdoctor",
    "zsh": "share/zsh/site-functions/_passdoctor",
    "fish": "share/fish/vendor_completions.d/passdoctor.fish",
}


def files(moment: int, collector: bool = False) -> dict[str, str]:
    """What is shipped, by its place. `moment`, in seconds since 1970, is the date of the pages.

    `collector` adds the page of the collector alone. Raises `doctor.completion.NoCompletion` without shtab.
    """
    from doctor import __version__
    from doctor.cli import _parser
    from doctor.collect.__main__ import make_parser
    from doctor.completion import script
    from doctor.manpage import collector_page, page

    day = time.strftime("%Y-%m-%d", time.gmtime(moment))
    made = {MANUAL: page(_parser(""), __version__, day)}
    for shell, place in COMPLETIONS.items():
        made[place] = script(_parser(""), shell)
    if collector:
        made[COLLECTOR_MANUAL] = collector_page(make_parser(), __version__, day)
    return made
