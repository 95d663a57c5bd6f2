"""Whether the time that something takes grows with its input and no faster."""

from __future__ import annotations

from time import process_time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def grows_linearly(do: Callable[[str], object], text: str, floor: float = 0.01) -> bool:
    """Four times the text takes far less than the sixteen times of quadratic work; `floor` in seconds of CPU.

    A busy machine is no slow reader: what looks slow is measured again, and the best counts.
    """

    def seconds(given: str) -> float:
        start = process_time()
        do(given)
        return process_time() - start

    for _ in range(4):
        small = min(seconds(text) for _ in range(3))
        if min(seconds(text * 4) for _ in range(2)) < 10 * max(small, floor):
            return True
    return False
