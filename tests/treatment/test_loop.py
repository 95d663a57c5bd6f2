"""The closed loop over every rule, and that it would notice a remedy that mends nothing."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from doctor.diagnosis.cases import Case
from doctor.knowledge.store import load

if TYPE_CHECKING:
    from collections.abc import Callable

TOOL = Path(__file__).parents[2] / "tools" / "loop.py"
RULES = Path(__file__).parents[2] / "rules"


def _tool() -> Any:
    """`tools/loop.py`, which is no package."""
    spec = importlib.util.spec_from_file_location("loop", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["loop"] = module
    spec.loader.exec_module(module)
    return module


loop = _tool()


def test_every_remedy_mends_what_it_is_prescribed_for() -> None:
    found = list(loop.outcomes())
    wrong = [f"{one.case.label}: {text}" for one in found for text in one.wrong]
    assert wrong == []
    assert loop.unproven(found) == []
    assert sum(one.how == "healed" for one in found) > 150
    assert sum(one.shown for one in found) > 50


@pytest.fixture
def case() -> Callable[[str, Callable[[dict[str, Any]], Any]], Any]:
    """The outcome of the first treated case of a check whose remedies were changed."""

    def run(check: str, change: Callable[[dict[str, Any]], Any]) -> Any:
        import copy

        knowledge = copy.deepcopy(load(None))
        rule = next(rule for rule in knowledge["rules"] if rule["id"] == check)
        change(rule)
        cases = (one for one in loop.all_cases(RULES) if one.rule["id"] == check and one.body.get("expect") == "fail")
        return next(one for one in (loop.outcome(Case(*each), knowledge) for each in cases) if one.how == "healed")

    return run


def test_a_remedy_that_does_nothing_is_noticed(case: Any) -> None:
    def nothing(rule: dict[str, Any]) -> None:
        for entry in rule["remedy"]:
            entry["step"] = {"kernel_parameter": {"add": ["nothing=1"]}}

    assert case("cmdline-disables-iommu", lambda rule: None).wrong == ()
    assert any("still fails" in text for text in case("cmdline-disables-iommu", nothing).wrong)


def test_a_remedy_that_breaks_something_else_is_noticed(case: Any) -> None:
    def harm(rule: dict[str, Any]) -> None:
        for entry in rule["remedy"]:
            step = entry["step"]["kernel_parameter"]
            entry["step"] = {"kernel_parameter": {**step, "add": ["pcie_acs_override=downstream"]}}

    assert any("acs-override newly fails" in text for text in case("cmdline-disables-iommu", harm).wrong)


def test_an_unproven_remedy_is_named() -> None:
    found = [one for one in loop.outcomes(("cmdline-typo",)) if one.case.body.get("sample") is None]
    assert loop.unproven(found) == []
    without = [one for one in found if 1 not in one.remedies]
    assert loop.unproven(without) == ["cmdline-typo: no case proves remedy 1 (kernel_parameter)"]
