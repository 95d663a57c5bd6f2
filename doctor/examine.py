"""The hallway: joins the rooms for the command line and the Python API. It holds no logic of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from doctor.evidence.types import Evidence
    from doctor.facts.sheet import Sheet
    from doctor.report.model import Report


def examine(
    name: str | None,
    devices: tuple[str, ...] = (),
    rules: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> Report:
    """Opens the input `name`, diagnoses it and returns the report.

    Raises InputError, UnknownDevice and KnowledgeError, each with one line for people.
    """
    from doctor.evidence.open import open_input

    return examine_evidence(open_input(name, progress), devices, rules)


def examine_evidence(evidence: Evidence, devices: tuple[str, ...] = (), rules: str | None = None) -> Report:
    """The report of evidence that is open already."""
    from doctor.diagnosis.diagnose import diagnose
    from doctor.facts.host import Host
    from doctor.facts.messages import harmless
    from doctor.knowledge.store import load
    from doctor.report.build import build
    from doctor.treatment.plan import make_plan, remedies_for

    knowledge = load(rules)
    host = Host(evidence, knowledge)
    diagnosis = diagnose(host, knowledge["rules"], devices)
    platforms = knowledge["platforms"]
    # What a cause explains of the host goes away with it: a remedy of its own would be a second, often a wrong
    # one. What it explains of a device may need its own besides: a card is bound by nobody else.
    explained = {id(found) for cause in diagnosis.causes for found in cause.explains if found.device is None}
    own = [found for found in diagnosis.findings if id(found) not in explained]
    remedies = [[] if id(found) in explained else remedies_for(found, host, platforms) for found in diagnosis.findings]
    plan = make_plan(own, diagnosis.causes, host, platforms)
    return build(host, diagnosis, remedies, plan, harmless(host.log), __version__)


def facts(name: str | None, progress: Callable[[str], None] | None = None) -> tuple[Evidence, Sheet]:
    """Opens the input `name` and returns its evidence with every fact read from it. Raises InputError."""
    from doctor.evidence.open import open_input
    from doctor.facts.sheet import sheet
    from doctor.knowledge.store import load

    evidence = open_input(name, progress)
    return evidence, sheet(evidence, load(None))
