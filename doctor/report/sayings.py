"""Sentences that formats share, put together from the words of a language."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from doctor.report.model import Report
    from doctor.report.view import Told
    from doctor.report.words import Words


def explained(told: Iterable[Told], words: Words, short: Callable[[str], str]) -> str:
    """What a cause explains, in one sentence without its end, device by device."""
    said = []
    for each in told:
        titles = words("semicolon").join(each.titles) or words("the-same")
        names = ", ".join(f"`{short(device)}`" for device in each.devices)
        said.append(words("for-device", devices=names, titles=titles) if names else titles)
    return words("semicolon").join(said)


def edit_of(how: tuple[str, int, int], words: Words) -> str:
    """How a person makes a change, in a sentence, or nothing: from `view.how_to_edit`."""
    key, gone, come = how
    return words(key, gone=words("line-gone", count=gone), come=words("line-come", count=come)) if key else ""


def one_line(report: Report) -> str:
    """The verdict, and why, in one line."""
    from doctor.report.visible import visible_everywhere
    from doctor.report.words import Words

    words, summary = Words(), visible_everywhere(report["summary"])
    return words(summary["verdict"]) + words("colon") + str(summary["headline"])
