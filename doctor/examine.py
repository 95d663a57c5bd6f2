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

    today: the day, YYYY-MM-DD, on which waivers hold or not; "": SOURCE_DATE_EPOCH's, or today, in UTC.
    language: one of `doctor.knowledge.store.languages`; "": English. Reports are written in the one that was last
    examined in.
    optional: whether the plan holds steps that passthrough does not need.
    tree: whether the report says where among the bridges each device is.
    """

    devices: tuple[str, ...] = ()
    rules: str | None = None
    profile: str | None = None
    waivers: str | None = None
    today: str = ""
    language: str = ""
    optional: bool = True
    tree: bool = True


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

    knowledge = knowledge or load(terms.rules, terms.language)
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
    diagnosis = diagnosis._replace(notes=(*notes(profile, knowledge["rules"]), *diagnosis.notes))
    lines, rules = harmless(host.log), knowledge.get("hash")
    return host, build(host, diagnosis, remedies, plan, lines, __version__, profile["id"], rules, terms.tree)


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
    from doctor.evidence.open import open_input
    from doctor.facts.sheet import sheet
    from doctor.knowledge.store import load

    evidence = open_input(name, progress)
    return evidence, sheet(evidence, load(None))
