"""`check` as a plugin of monitoring: what ends without a state is UNKNOWN, and is said on standard output.

Monitoring takes 2, passdoctor's own status for wrong usage, for CRITICAL, and does not look at standard error.
"""

from __future__ import annotations

from doctor import output
from doctor.deliver import STATE
from doctor.output import complain
from doctor.report.formats import module_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_WRONG = 2  # argparse's status for what it does not understand


def run(form: str, command: Callable[[list[str]], int], given: list[str]) -> int:
    """Runs `command` with the words `given`, which ask for the format `form`; the state, as an exit status."""
    writer = module_of(form)
    unknown: int = writer.UNKNOWN
    output.plugin = writer.failed
    try:
        status = command(given)
    except SystemExit as end:
        if end.code == _WRONG:
            complain("wrong usage: standard error says what is wrong")
        return unknown
    finally:
        output.plugin = None
    return status - STATE if status >= STATE else unknown
