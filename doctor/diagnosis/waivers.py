"""Waivers: failures that somebody answers for until a day.

A waiver turns a failure that it matches into `waived`: still shown and counted, but no obstacle, and no cause: what
it explained stands by itself. After its last day it turns nothing, and the report says so.

>>> one = Waiver("acs-override", "pve*", None, "one user", "ops", "2026-12-31", "waivers.yaml:1")
>>> one.fits_host(("pve1", "host.tar.gz")), one.fits_host(("other",)), one.holds("2026-12-31"), one.holds("2027-01-01")
(True, False, True, False)
>>> one._replace(device="01:00").fits_device("0000:01:00.1", None), one._replace(device="*").fits_device(None, None)
(True, True)
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from doctor.diagnosis import finding as f
from doctor.record import NamedTuple
from doctor.say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import Any

    from doctor.diagnosis.finding import Finding
    from doctor.facts.host import Host

_ANY = "*"


class Waiver(NamedTuple):
    """One entry of a file. `host` and `device` are patterns, or None where the entry names none.

    expires: the last day on which it holds, YYYY-MM-DD; place: its file and line.
    """

    check: str
    host: str | None
    device: str | None
    reason: str
    owner: str
    expires: str
    place: str

    def holds(self, today: str) -> bool:
        """Whether it holds on a day, YYYY-MM-DD."""
        return today <= self.expires

    def fits_host(self, names: Collection[str]) -> bool:
        """Whether it is for a host of one of these names."""
        return self.host is None or any(fnmatchcase(name.lower(), self.host.lower()) for name in names)

    def fits_device(self, address: str | None, ids: str | None) -> bool:
        """Whether it is for a finding of the device at `address` with `ids`; None: of the host, or of no known one."""
        if self.device is None or self.device == _ANY:
            return True
        if address is None:
            return False
        wanted = self.device.lower()
        if len(wanted) == 9 and wanted[4] == ":" and "." not in wanted and wanted.count(":") == 1:
            return wanted == ids
        pattern = wanted if wanted.count(":") == 2 else "0000:" + wanted
        return fnmatchcase(address, pattern if "." in pattern else pattern + ".?")

    @property
    def label(self) -> str:
        """What it is for, in words."""
        about = [say("device {device}", device=self.device)] if self.device not in (None, _ANY) else []
        about += [say("host {host}", host=self.host)] if self.host is not None else []
        if not about:
            return say("The waiver of {check} ({place})", check=self.check, place=self.place)
        whom = say("{device} of {host}", device=about[0], host=about[1]) if len(about) == 2 else about[0]
        return say("The waiver of {check} for {whom} ({place})", check=self.check, whom=whom, place=self.place)


def read(name: str, rules: Sequence[dict[str, Any]]) -> tuple[Waiver, ...]:
    """The waivers in the file `name`; `rules` are all that there are.

    Raises `doctor.knowledge.document.KnowledgeError` with file, line and column.
    """
    from pathlib import Path

    from doctor.knowledge.document import Fault, KnowledgeError
    from doctor.knowledge.profiles import held

    document = held(Path(name), "waivers")
    found = []
    for number, entry in enumerate(document.value or ()):
        for trail, text in _faults(entry, {rule["id"]: bool(rule["gate"]) for rule in rules}):
            raise KnowledgeError(document.says(Fault((number, *trail), text)))
        place = f"{name}:{document.place((number,))[0]}"
        reason, owner = (" ".join(entry[key].split()) for key in ("reason", "owner"))
        host, device = entry.get("host"), entry.get("device")
        found.append(Waiver(entry["check"], host, device, reason, owner, entry["expires"], place))
    return tuple(found)


def _faults(entry: dict[str, str], checks: dict[str, bool]) -> list[tuple[tuple[str, ...], str]]:
    """What is wrong with an entry whose form is right; `checks` says of each id whether it is a gate."""
    from datetime import date
    from difflib import get_close_matches

    wrong: list[tuple[tuple[str, ...], str]] = []
    if entry["check"] not in checks:
        near = get_close_matches(entry["check"], checks, 1)
        said = f" (nearest: {near[0]})" if near else "; passdoctor rules list shows all"
        wrong.append((("check",), f"no such check: {entry['check']}{said}"))
    elif checks[entry["check"]]:
        wrong.append((("check",), f"{entry['check']} cannot be waived: without it nothing can be judged"))
    if "host" not in entry and "device" not in entry:
        wrong.append(((), 'it names neither host nor device; host: "*" is for all hosts'))
    try:
        date.fromisoformat(entry["expires"])
    except ValueError:
        wrong.append((("expires",), f"there is no such day: {entry['expires']}"))
    return wrong


def waive(
    findings: Sequence[Finding], waivers: Sequence[Waiver], host: Host, today: str
) -> tuple[list[Finding], list[str]]:
    """The findings with those waived that a waiver fits on the day `today`, and what is to be said of the waivers."""
    names = _names(host)
    mine = [waiver for waiver in waivers if waiver.fits_host(names)]
    used: dict[Waiver, bool] = dict.fromkeys(mine, False)
    done = []
    for found in findings:
        fitting = [waiver for waiver in mine if found.status == f.FAIL and _fits(waiver, found, host)]
        for waiver in fitting:
            used[waiver] = True
        valid = next((waiver for waiver in fitting if waiver.holds(today)), None)
        if valid is not None:
            owed = f.Waived(valid.reason, valid.owner, valid.expires)
            found = found._replace(status=f.WAIVED, remedy=(), waived=owed)
        done.append(found)
    notes = [_said(waiver, is_used, today) for waiver, is_used in used.items()]
    notes += _elsewhere(waivers, len(waivers) - len(mine), host)
    return done, [note for note in notes if note]


def _names(host: Host) -> tuple[str, ...]:
    """What a host pattern is held against: the host's name, with its domain and without, and the input's file name."""
    name = str(host.hostname.value) if host.hostname.known else ""
    evidence = host.evidence
    file = evidence.source.replace("\\", "/").rstrip("/").rpartition("/")[2] if evidence.kind != "host" else ""
    return tuple(dict.fromkeys(filter(None, (name, name.partition(".")[0], file))))


def _fits(waiver: Waiver, found: Finding, host: Host) -> bool:
    device = host.pci.get(found.device) if found.device is not None else None
    return waiver.check == found.check and waiver.fits_device(found.device, device.ids if device is not None else None)


def _said(waiver: Waiver, used: bool, today: str) -> str:
    """What a report says of a waiver beside the failures that it turned."""
    if not waiver.holds(today):
        rest = say("the check fails again") if used else say("nothing that it is for fails: it can go")
        return say(
            "{label} expired on {expires} (owner: {owner}); {rest}.",
            label=waiver.label,
            expires=waiver.expires,
            owner=waiver.owner,
            rest=rest,
        )
    return "" if used else say("{label} is not used: nothing that it is for fails here.", label=waiver.label)


def _elsewhere(waivers: Sequence[Waiver], others: int, host: Host) -> list[str]:
    """A word on waivers for other hosts, where it is not known which host this is."""
    if not others or host.hostname.known:
        return []
    return [
        say(
            "{others} of {count} waivers are for hosts by name; what was read does not tell this host's name.",
            others=others,
            count=len(waivers),
        )
    ]
