"""The hallway: joins the rooms for the command line and the Python API. It holds no logic of its own."""

from __future__ import annotations

from doctor import __version__
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from doctor.diagnosis.waivers import Waiver
    from doctor.evidence.types import Evidence
    from doctor.facts.host import Host
    from doctor.facts.sheet import Sheet
    from doctor.report.model import Report


class Terms(NamedTuple):
    """How an input is judged, as the options of the command line say it.

    today: the day, YYYY-MM-DD, on which waivers hold or not; "": SOURCE_DATE_EPOCH's, or today, in UTC.
    language: one of `doctor.knowledge.store.languages`; "": English. Reports are written in the one that was last
    examined in.
    optional: whether the plan holds steps that passthrough does not need.
    """

    devices: tuple[str, ...] = ()
    rules: str | None = None
    profile: str | None = None
    waivers: str | None = None
    today: str = ""
    language: str = ""
    optional: bool = True


def examine(
    name: str | None,
    devices: tuple[str, ...] = (),
    rules: str | None = None,
    progress: Callable[[str], None] | None = None,
    terms: Terms | None = None,
) -> Report:
    """Opens the input `name`, diagnoses it and returns the report; `terms` stand for `devices` and `rules` as well.

    Raises InputError, UnknownDevice and KnowledgeError, each with one line for people.
    """
    return examine_host(_opened(name, progress), terms or Terms(devices, rules))[1]


def _opened(name: str | None, progress: Callable[[str], None] | None) -> Evidence:
    from doctor.evidence.open import open_input

    if progress is not None:
        progress(f"examining {name or 'this host'}")
    return open_input(name, progress)


def examine_evidence(evidence: Evidence, devices: tuple[str, ...] = (), rules: str | None = None) -> Report:
    """The report of evidence that is open already."""
    return examine_host(evidence, Terms(devices, rules))[1]


def examine_host(evidence: Evidence, terms: Terms, knowledge: dict[str, Any] | None = None) -> tuple[Host, Report]:
    """The facts of an input and the report of it, by the knowledge that is there unless it is given."""
    from doctor.diagnosis.diagnose import diagnose
    from doctor.diagnosis.profiles import applied, choose, notes
    from doctor.facts.host import Host
    from doctor.facts.messages import harmless
    from doctor.knowledge.store import load
    from doctor.report.build import build
    from doctor.say import speak
    from doctor.treatment.plan import make_plan, remedies_for

    knowledge = knowledge or load(terms.rules, terms.language, sealed=True)
    speak(knowledge.get("language", ""), knowledge.get("texts"))
    profile = choose(terms.profile, knowledge)
    waivers, today = _waivers(terms, knowledge["rules"])
    host = Host(evidence, knowledge)
    diagnosis = diagnose(host, applied(profile, knowledge["rules"]), terms.devices, waivers, today)
    platforms = knowledge["platforms"]
    # What a cause explains of the host goes away with it: a remedy of its own would be a second, often a wrong
    # one. What it explains of a device may need its own besides: a card is bound by nobody else.
    explained = {id(found) for cause in diagnosis.causes for found in cause.explains if found.device is None}
    own = [found for found in diagnosis.findings if id(found) not in explained]
    remedies = [[] if id(found) in explained else remedies_for(found, host, platforms) for found in diagnosis.findings]
    plan = make_plan(own, diagnosis.causes, host, platforms, terms.optional)
    said = (*notes(profile, knowledge["rules"]), *_told(diagnosis.notes, knowledge))
    diagnosis = diagnosis._replace(notes=said)
    lines, rules = harmless(host.log), knowledge.get("hash")
    return host, build(host, diagnosis, remedies, plan, lines, __version__, profile["id"], rules)


def _told(lines: tuple[str, ...], knowledge: dict[str, Any]) -> tuple[str, ...]:
    """What was noted of the input, in English, in the language of the knowledge."""
    if not knowledge.get("texts"):
        return lines
    from doctor.abroad import Interpreter

    return tuple(map(Interpreter(knowledge["language"], knowledge["texts"]).tell, lines))


def render(report: Report, form: str, language: str | None = None, **options: object) -> str | bytes:
    """`report` in the format `form` and in a language, None being the one that is spoken; `options` that are not None.

    Raises ValueError for a format that there is not or that does not take an option, and what its renderer does.
    """
    from doctor.report.formats import checked
    from doctor.report.formats import render as write
    from doctor.say import speak, spoken

    given = checked(form, {name: value for name, value in options.items() if value is not None})
    if language is None:
        return write(report, form, **given)
    from doctor.knowledge.store import choose_language, load

    before = spoken()
    known = load(None, choose_language(language, {}) if language else "")
    speak(known.get("language", ""), known.get("texts"))
    try:
        return write(report, form, **given)
    finally:
        speak(*before)


def plan(name: str | None, terms: Terms, form: str, progress: Callable[[str], None] | None = None, **how: bool) -> str:
    """The treatment plan of the input `name`, in a format of `doctor.report.plans`, which take `how`.

    Raises what `examine` does, and DangerousPlanError for a script that would take from the host what it needs.
    """
    from doctor.report.plans import write

    return write(examine(name, progress=progress, terms=terms), form, **how)


def _waivers(terms: Terms, rules: list[dict[str, Any]]) -> tuple[tuple[Waiver, ...], str]:
    """The waivers that are named, and the day on which they hold or not."""
    if terms.waivers is None:
        return (), ""
    import os
    import time

    from doctor.diagnosis.waivers import read

    # In UTC, so that one input says the same everywhere; the day may be given, as for any build.
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = int(epoch) if epoch.isascii() and epoch.isdigit() and len(epoch) < 12 else None
    return read(terms.waivers, rules), terms.today or time.strftime("%Y-%m-%d", time.gmtime(moment))


def facts(name: str | None, progress: Callable[[str], None] | None = None) -> tuple[Evidence, Sheet]:
    """Opens the input `name` and returns its evidence with every fact read from it. Raises InputError."""
    from doctor.facts.sheet import sheet
    from doctor.knowledge.store import load

    evidence = _opened(name, progress)
    return evidence, sheet(evidence, load(None))
