"""The hallway: joins the rooms for the command line and the Python API. It holds no logic of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doctor import __version__
from doctor.record import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from doctor.diagnosis.waivers import Waiver
    from doctor.evidence.types import Evidence
    from doctor.facts.host import Host
    from doctor.facts.sheet import Sheet
    from doctor.report.model import Report


class Terms(NamedTuple):
    """How an input is judged, as the options of the command line say it.

    today: the day, YYYY-MM-DD, on which waivers hold or not; "": the day of the call.
    language: one of `doctor.knowledge.store.languages`; "": English. Reports are written in the one that was last
    examined in.
    """

    devices: tuple[str, ...] = ()
    rules: str | None = None
    profile: str | None = None
    waivers: str | None = None
    today: str = ""
    language: str = ""


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
    from doctor.evidence.open import open_input

    return examine_host(open_input(name, progress), terms or Terms(devices, rules))[1]


def examine_evidence(evidence: Evidence, devices: tuple[str, ...] = (), rules: str | None = None) -> Report:
    """The report of evidence that is open already."""
    return examine_host(evidence, Terms(devices, rules))[1]


def examine_host(evidence: Evidence, terms: Terms) -> tuple[Host, Report]:
    """The facts of an input and the report of it."""
    from doctor.diagnosis.diagnose import diagnose
    from doctor.diagnosis.profiles import applied, choose, notes
    from doctor.facts.host import Host
    from doctor.facts.messages import harmless
    from doctor.knowledge.store import load
    from doctor.report.build import build
    from doctor.say import speak
    from doctor.treatment.plan import make_plan, remedies_for

    knowledge = load(terms.rules, terms.language)
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
    plan = make_plan(own, diagnosis.causes, host, platforms)
    diagnosis = diagnosis._replace(notes=(*notes(profile, knowledge["rules"]), *diagnosis.notes))
    return host, build(host, diagnosis, remedies, plan, harmless(host.log), __version__, profile["id"])


def _waivers(terms: Terms, rules: list[dict[str, Any]]) -> tuple[tuple[Waiver, ...], str]:
    """The waivers that are named, and the day on which they hold or not."""
    if terms.waivers is None:
        return (), ""
    import time

    from doctor.diagnosis.waivers import read

    return read(terms.waivers, rules), terms.today or time.strftime("%Y-%m-%d")


def facts(name: str | None, progress: Callable[[str], None] | None = None) -> tuple[Evidence, Sheet]:
    """Opens the input `name` and returns its evidence with every fact read from it. Raises InputError."""
    from doctor.evidence.open import open_input
    from doctor.facts.sheet import sheet
    from doctor.knowledge.store import load

    evidence = open_input(name, progress)
    return evidence, sheet(evidence, load(None))
