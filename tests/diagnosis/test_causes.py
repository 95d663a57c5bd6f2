"""Causes: what explains what, and which comes first."""

from __future__ import annotations

import random

import pytest

from doctor.diagnosis.diagnose import causes, verdict
from doctor.diagnosis.finding import FAIL, NOT_APPLICABLE, PASS, UNKNOWN, Finding

GPU, NIC = "0000:01:00.0", "0000:02:00.0"


def found(
    check: str,
    severity: str = "blocker",
    after: tuple[str, ...] = (),
    device: str | None = None,
    status: str = FAIL,
) -> Finding:
    return Finding(check, device, status, severity, False, check, "", "", (), (), (), (), after)


def shape(findings: list[Finding]) -> list[tuple[str, str | None, list[str]]]:
    return [(c.finding.check, c.finding.device, [e.check for e in c.explains]) for c in causes(findings)]


def test_what_follows_is_folded_under_its_cause_at_any_depth() -> None:
    chain = [found("table"), found("active", after=("table",)), found("groups", after=("active",))]
    assert shape(chain) == [("table", None, ["active", "groups"])]


def test_only_what_failed_explains() -> None:
    passed = found("table", status=PASS)
    assert shape([passed, found("active", after=("table",))]) == [("active", None, [])]
    assert causes([passed]) == []
    assert causes([found("a", status=UNKNOWN), found("b", status=NOT_APPLICABLE)]) == []


def test_a_device_explains_itself_alone_and_the_host_explains_all() -> None:
    findings = [
        found("competing", device=GPU),
        found("bound", after=("competing",), device=GPU),
        found("bound", after=("competing",), device=NIC),
    ]
    assert shape(findings) == [("competing", GPU, ["bound"]), ("bound", NIC, [])]
    host = [found("active"), *[found("bound", after=("active",), device=device) for device in (GPU, NIC)]]
    assert shape(host) == [("active", None, ["bound", "bound"])]


def test_a_device_never_explains_the_host() -> None:
    assert shape([found("bound", device=GPU), found("active", after=("bound",))]) == [
        ("bound", GPU, []),
        ("active", None, []),
    ]


def test_the_worst_that_is_explained_comes_first() -> None:
    findings = [
        found("useless", "advice"),
        found("unsafe", "risk"),
        found("typo", "advice"),
        found("active", "blocker", after=("typo",)),
    ]
    assert [cause.finding.check for cause in causes(findings)] == ["typo", "unsafe", "useless"]


def test_then_whoever_explains_more_then_the_rules_order() -> None:
    findings = [
        found("lonely"),
        found("rich"),
        found("one", after=("rich",)),
        found("two", after=("one",)),
        found("second"),
    ]
    assert [cause.finding.check for cause in causes(findings)] == ["rich", "lonely", "second"]


def test_what_two_explain_stands_under_both() -> None:
    findings = [found("bios"), found("typo"), found("active", after=("bios", "typo"))]
    assert shape(findings) == [("bios", None, ["active"]), ("typo", None, ["active"])]


def test_whatever_the_graph_every_failure_is_told_once_or_folded() -> None:
    """A failure is a cause or is explained, never lost, in any acyclic graph."""
    generator = random.Random(4711)  # noqa: S311 - the same texts each time, no secrets
    for _ in range(200):
        size = generator.randrange(1, 9)
        findings = [
            found(
                f"c{n}",
                generator.choice(("blocker", "risk", "advice")),
                tuple(f"c{m}" for m in range(n) if generator.random() < 0.3),
                generator.choice((None, GPU, NIC)),
                generator.choice((FAIL, FAIL, PASS, UNKNOWN)),
            )
            for n in range(size)
        ]
        told = causes(findings)
        failed = {finding.check for finding in findings if finding.status == FAIL}
        named = {cause.finding.check for cause in told}
        folded = {finding.check for cause in told for finding in cause.explains}
        assert named | folded == failed
        assert not named & folded
        order = ["blocker", "risk", "advice"]
        ranks = [min(order.index(f.severity) for f in (c.finding, *c.explains)) for c in told]
        assert ranks == sorted(ranks)


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([found("x")], "not-ready"),
        ([found("x", "risk"), found("iommu-active", status=PASS)], "ready"),
        ([found("iommu-active", status=UNKNOWN)], "undetermined"),
        ([found("interrupt-remapping", status=UNKNOWN)], "undetermined"),
        ([found("vfio-modules", status=UNKNOWN)], "ready"),
        ([found("group-isolation", status=UNKNOWN, device=GPU)], "undetermined"),
        ([found("vfio-bound", status=UNKNOWN, device=GPU)], "undetermined"),
        ([found("iommu-active", status=UNKNOWN), found("x")], "not-ready"),
        ([found("iommu-active", status=NOT_APPLICABLE)], "ready"),
        ([], "ready"),
    ],
)
def test_verdict(findings: list[Finding], expected: str) -> None:
    assert verdict(findings, None) == expected


def test_a_device_is_judged_with_its_host_and_without_its_neighbour() -> None:
    findings = [found("vfio-bound", device=NIC), found("iommu-active", status=PASS)]
    assert verdict(findings, NIC) == "not-ready"
    assert verdict(findings, GPU) == "ready"
    assert verdict([found("iommu-active")], GPU) == "not-ready"
