"""The formats that programs read, held against their schemas and read by their own parsers."""

from __future__ import annotations

import csv
import json
import re
import time
from collections import Counter
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped
from prometheus_client.parser import text_string_to_metric_families

from doctor.report import nagios, table
from doctor.report.formats import render
from doctor.report.model import Report

from .machine import GPU, all_reports, bare_report, filled, hostile, waived_report
from .sample_report import cite

SCHEMAS = Path(__file__).with_name("schemas")
REPORTS = all_reports()
every_report = pytest.mark.parametrize("report", [report for _, report in REPORTS], ids=[name for name, _ in REPORTS])
some_texts = st.lists(hostile(), min_size=1, max_size=12)
# What a plugin prints: a line of text without a bar, figures, and then lines without one.
FIGURE = re.compile(r"([a-z_]+)=(\d+)(?:;(\d*);(\d*);(\d*))?")


def written(report: Report, form: str) -> str:
    """What a format writes."""
    text = render(report, form)
    assert isinstance(text, str)
    return text


@cache
def schema(name: str) -> Any:
    """A published schema; Python's expressions have no \\p, so what it stands for is written out."""
    text = (SCHEMAS / name).read_text("utf-8").replace("\\\\p{L}", "[^\\\\W\\\\d_]").replace("\\\\p{N}", "\\\\d")
    loaded = json.loads(text)
    return jsonschema.validators.validator_for(loaded)(loaded, format_checker=jsonschema.FormatChecker())


def problems(text: str, name: str) -> list[str]:
    """What a schema says is wrong with a document."""
    return [f"{error.json_path}: {error.message[:200]}" for error in schema(name).iter_errors(json.loads(text))]


def statuses(report: Report) -> Counter[str]:
    """How many findings there are of each status."""
    return Counter(check["status"] for check in report["checks"])


# JUnit, read by junitparser.


def suite_of(report: Report) -> Any:
    """The test suite, as junitparser reads it."""
    (suite,) = JUnitXml.fromstring(written(report, "junit").encode())
    return suite


@every_report
def test_junit_counts_what_the_report_counts(report: Report) -> None:
    suite, counts = suite_of(report), statuses(report)
    kinds = Counter(type(result) for case in suite for result in case.result)
    assert kinds[Failure] == counts["fail"] + (report["summary"]["verdict"] == "not-ready")
    assert kinds[Error] == (report["summary"]["verdict"] == "undetermined")
    assert kinds[Skipped] == counts["waived"] + counts["unknown"] + counts["not-applicable"]
    assert (suite.failures, suite.errors, suite.skipped) == (kinds[Failure], kinds[Error], kinds[Skipped])
    assert suite.tests == len(list(suite)) == len(report["checks"]) + 1
    assert suite.hostname == (report["subject"]["host"] or report["subject"]["source"].rpartition("/")[2])
    assert len({(case.classname, case.name) for case in suite}) == suite.tests


def test_junit_tells_statuses_apart() -> None:
    suite = suite_of(waived_report())
    said = {case.name: result for case in suite for result in case.result}
    assert said["unsafe-interrupts"].type == "waived"
    assert said["unsafe-interrupts"].message == "waived: waived until 2027-01-31 by anna: lab only"
    assert said["rmrr-relaxed"].type == "not-applicable"
    assert said["interrupt-remapping"].type == "unknown"
    assert (said[f"vfio-bound {GPU}"].type, said["cmdline-useless"].type) == ("blocker", "advice")
    assert "Kernel driver in use: nvidia" in said[f"vfio-bound {GPU}"].text
    assert "cat /proc/interrupts" in next(case.system_out for case in suite if case.name == "interrupt-remapping")
    assert "update-grub" in said["cmdline-disables-iommu"].text


@given(some_texts)
@settings(max_examples=60, deadline=None)
def test_junit_is_xml_whatever_the_evidence_says(texts: list[str]) -> None:
    report = filled(texts)
    suite = suite_of(report)
    assert suite.tests == len(report["checks"]) + 1


# SARIF, by its published schema.


@every_report
def test_sarif_is_valid(report: Report) -> None:
    assert problems(written(report, "sarif"), "sarif-2.1.0.json") == []


@given(some_texts)
@settings(max_examples=40, deadline=None)
def test_sarif_is_valid_whatever_the_evidence_says(texts: list[str]) -> None:
    assert problems(written(filled(texts), "sarif"), "sarif-2.1.0.json") == []


@given(some_texts)
@settings(max_examples=40, deadline=None)
def test_sarif_has_uris_that_are_some(texts: list[str]) -> None:
    uris = re.findall(r'"(?:uri|helpUri)": "([^"]*)"', written(filled(texts), "sarif"))
    assert uris
    for uri in uris:
        assert re.fullmatch(r"(?:[a-z]+://)?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?#\[\]-]|%[0-9A-F]{2})+", uri), uri
        # A colon in the first part of a relative one would make that a scheme.
        assert "://" in uri or ":" not in uri.partition("/")[0]


def run_of(report: Report) -> Any:
    """The one run of a SARIF file."""
    (run,) = json.loads(written(report, "sarif"))["runs"]
    return run


def test_sarif_tells_statuses_apart() -> None:
    results = {result["ruleId"]: result for result in run_of(waived_report())["results"]}
    kinds = {name: (result["kind"], result["level"], "suppressions" in result) for name, result in results.items()}
    assert kinds["cmdline-disables-iommu"] == ("fail", "error", False)
    assert kinds["host-needs-device"] == ("fail", "warning", False)
    assert kinds["cmdline-useless"] == ("fail", "note", False)
    assert kinds["unsafe-interrupts"] == ("fail", "warning", True)
    assert kinds["interrupt-remapping"] == ("open", "none", False)
    assert kinds["vfio-modules"] == ("pass", "none", False)
    assert kinds["x2apic"] == ("notApplicable", "none", False)
    (waived,) = results["unsafe-interrupts"]["suppressions"]
    assert waived["justification"] == "waived until 2027-01-31 by anna: lab only"


def test_sarif_names_the_host_the_lines_and_the_remedy() -> None:
    run = run_of(waived_report())
    assert run["properties"]["host"] == "pve1.example"
    assert run["automationDetails"]["id"] == "passdoctor/pve1.example/"
    result = next(result for result in run["results"] if result["ruleId"] == "cmdline-disables-iommu")
    (place,) = result["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "forum-post.txt"
    assert place["physicalLocation"]["region"]["startLine"] == 12
    assert place["logicalLocations"][0]["fullyQualifiedName"] == "cmd/dmesg"
    assert [more["physicalLocation"]["region"]["startLine"] for more in result["relatedLocations"]] == [14, 4711]
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert rule["id"] == result["ruleId"]
    assert "update-grub" in rule["help"]["text"]
    assert "```\n--- /etc/default/grub\n" in rule["help"]["markdown"]
    assert all(each["locations"] for each in run["results"])


def test_sarif_fills_nothing_in_and_links_nothing() -> None:
    report = waived_report()
    report["checks"][0]["detail"] = "{0} [click](https://a.example)"
    message = run_of(report)["results"][0]["message"]["text"]
    assert "{{0}} \\[click\\](https://a.example)" in message


# OSCAL, by its published schema.


@every_report
def test_oscal_is_valid(report: Report) -> None:
    assert problems(written(report, "oscal"), "oscal_assessment-results_schema.json") == []


@given(some_texts)
@settings(max_examples=40, deadline=None)
def test_oscal_is_valid_whatever_the_evidence_says(texts: list[str]) -> None:
    assert problems(written(filled(texts), "oscal"), "oscal_assessment-results_schema.json") == []


def result_of(report: Report) -> Any:
    """The one result of an OSCAL document."""
    (result,) = json.loads(written(report, "oscal"))["assessment-results"]["results"]
    return result


def props(value: Any) -> dict[str, str]:
    """The properties of an OSCAL object."""
    return {prop["name"]: prop["value"] for prop in value["props"]}


def test_oscal_tells_statuses_apart() -> None:
    result = result_of(waived_report())
    seen = {props(each)["check"]: props(each)["status"] for each in result["observations"]}
    assert seen == {check["id"]: check["status"] for check in waived_report()["checks"]}
    states = {each["target"]["target-id"]: each["target"]["status"] for each in result["findings"]}
    assert states["vfio-modules_obj"] == {"state": "satisfied", "reason": "pass"}
    assert states["vfio-bound_obj"] == {"state": "not-satisfied", "reason": "fail"}
    assert states["unsafe-interrupts_obj"]["remarks"].startswith("waived until 2027")
    assert not {"interrupt-remapping_obj", "x2apic_obj"} & set(states)
    risks = {each["title"]: each for each in result["risks"]}
    assert risks["DMA remapping is off"]["status"] == "open"
    assert risks["Interrupts are safe"]["status"] == "deviation-approved"
    assert risks["Interrupts are safe"]["deadline"] == "2027-01-31T23:59:59Z"
    (selection,) = result["reviewed-controls"]["control-selections"]
    assert {"control-id": "vfio-bound"} in selection["include-controls"]
    assert {"control-id": "interrupt-remapping"} in selection["exclude-controls"]
    assert props(result)["host"] == "pve1.example"


@every_report
def test_oscal_refers_to_nothing_that_is_not_there(report: Report) -> None:
    text = written(report, "oscal")
    own = re.findall(r'"uuid": "([0-9a-f-]{36})"', text)
    assert len(own) == len(set(own))
    referred = re.findall(r'"(?:[a-z]+-uuid|href)": "#?([0-9a-f-]{36})"', text)
    assert set(referred) <= set(own)
    assert {UUID(each).version for each in own} == {5}


def test_oscal_admits_that_it_knows_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    report = waived_report()
    report["subject"]["collected_at"] = None
    assert (result_of(report)["start"], props(result_of(report))["time"]) == ("1970-01-01T00:00:00Z", "unknown")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1577836799")
    assert result_of(report)["start"] == "2019-12-31T23:59:59Z"
    assert "time" not in props(result_of(report))
    report["subject"]["collected_at"] = "2026-02-31T00:00:00Z"
    assert result_of(report)["start"] == "2019-12-31T23:59:59Z"


# CSV, read by Python's own reader, as a spreadsheet would and as awk would.


@every_report
def test_csv_has_a_line_for_each_finding(report: Report) -> None:
    text = written(report, "csv")
    rows = list(csv.DictReader(StringIO(text, newline=""), strict=True))
    assert [row["check"] for row in rows] == [check["id"] for check in report["checks"]]
    assert [row["status"] for row in rows] == [check["status"] for check in report["checks"]]
    assert {row["host"] for row in rows} <= {report["subject"]["host"] or ""}
    assert text.count("\r\n") == text.count("\n") == len(rows) + 1


@given(some_texts)
@settings(max_examples=60, deadline=None)
def test_no_cell_is_a_formula(texts: list[str]) -> None:
    text = written(filled(texts), "csv")
    for row in csv.reader(StringIO(text, newline=""), strict=True):
        assert len(row) == len(table.COLUMNS)
        for cell in row:
            for part in cell.split(";"):
                assert not part.lstrip(" ").startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n"))


@given(st.one_of(hostile(), st.text(st.sampled_from("';= +-@a\n"), max_size=12)))
def test_a_guard_can_be_taken_away(text: str) -> None:
    assert table.unguarded(table.guarded(text)) == text


# Prometheus, read by the reader of its own client library.


@every_report
def test_prometheus_is_read_by_its_own_parser(report: Report) -> None:
    families = {family.name: family for family in text_string_to_metric_families(written(report, "prometheus"))}
    found = families.get("passdoctor_check_status")
    samples = found.samples if found else []
    assert Counter(sample.labels["status"] for sample in samples) == statuses(report)
    counts: Counter[str] = Counter()
    for sample in families["passdoctor_findings"].samples:
        counts[sample.labels["status"]] += int(sample.value)
    assert +counts == statuses(report)
    verdicts = {sample.labels["verdict"]: sample.value for sample in families["passdoctor_verdict"].samples}
    assert [name for name, value in verdicts.items() if value] == [report["summary"]["verdict"]]
    host = report["subject"]["host"] or ""
    assert {each.labels.get("host", "") for family in families.values() for each in family.samples} == {host}
    assert all(family.type == "gauge" and family.documentation for family in families.values())
    known = report["subject"]["collected_at"] is not None
    assert ("passdoctor_collected_timestamp_seconds" in families) == known


@given(some_texts)
@settings(max_examples=60, deadline=None)
def test_prometheus_labels_hold_any_text(texts: list[str]) -> None:
    report = filled(texts)
    families = list(text_string_to_metric_families(written(report, "prometheus")))
    series = [(sample.name, tuple(sorted(sample.labels.items()))) for each in families for sample in each.samples]
    assert len(series) == len(set(series))
    assert {family.name.partition("_")[0] for family in families} == {"passdoctor"}


def test_prometheus_has_no_more_series_than_it_promises() -> None:
    report = waived_report()
    passed = {**report["checks"][0], "status": "pass"}
    many: Any = [{**passed, "device": f"0000:{bus:02x}:{slot:02x}.0"} for bus in range(64) for slot in range(32)]
    report["checks"] = [*many, *report["checks"], report["checks"][0]]
    lines = written(report, "prometheus").splitlines()
    assert sum(line.startswith("passdoctor_check_status{") for line in lines) == 1000
    # The failures are there, though they come last.
    assert sum('status="fail"' in line and line.startswith("passdoctor_check") for line in lines) == 6
    left = next(line for line in lines if line.startswith("passdoctor_findings_left_out{"))
    assert left.endswith(f" {len(report['checks']) - 1000}")


# A plugin's output, by the guidelines' grammar.


def read_plugin(text: str) -> tuple[str, str, dict[str, int], list[str]]:
    """State, text, figures and further lines of a plugin's output; raises if it is not of that form."""
    first, *more = text.removesuffix("\n").split("\n")
    said, _, figures = first.partition("|")
    service, state, rest = re.fullmatch(r"(\S+) (OK|WARNING|CRITICAL|UNKNOWN) - (.*) ", said, re.DOTALL).groups()  # type: ignore[union-attr]
    assert service == "PASSDOCTOR"
    found = [FIGURE.fullmatch(word) for word in figures.split()]
    assert all(found)
    assert not any("|" in line for line in more)
    return state, rest, {match[1]: int(match[2]) for match in found if match}, more


@every_report
def test_plugin_output_is_read(report: Report) -> None:
    state, said, figures, _ = read_plugin(written(report, "nagios"))
    counts = statuses(report)
    assert state == ("OK", "WARNING", "CRITICAL", "UNKNOWN")[nagios.state(report)]
    assert (report["subject"]["host"] or report["subject"]["source"].rpartition("/")[2]) in said
    assert figures["blocker"] + figures["risk"] + figures["advice"] == counts["fail"]
    assert {name: figures[name] for name in ("waived", "unknown", "pass")} == {
        name: counts[name] for name in ("waived", "unknown", "pass")
    }
    assert figures["not_applicable"] == counts["not-applicable"]


@given(some_texts)
@settings(max_examples=60, deadline=None)
def test_plugin_output_is_read_whatever_the_evidence_says(texts: list[str]) -> None:
    text = written(filled(texts), "nagios")
    _, _, figures, more = read_plugin(text)
    assert len(figures) == 7
    assert len(text) < 4200
    assert all(line.isprintable() and not set("<>") & set(line) for line in more)


@pytest.mark.parametrize(
    ("severities", "verdict", "fail_on", "state"),
    [
        ((), "ready", "blocker", nagios.OK),
        (("advice",), "ready", "blocker", nagios.OK),
        (("advice",), "ready", "advice", nagios.CRITICAL),
        (("risk",), "ready", "blocker", nagios.WARNING),
        (("risk",), "ready", "risk", nagios.CRITICAL),
        (("risk", "blocker"), "not-ready", "blocker", nagios.CRITICAL),
        (("blocker",), "not-ready", "never", nagios.WARNING),
        ((), "undetermined", "blocker", nagios.UNKNOWN),
        ((), "undetermined", "never", nagios.UNKNOWN),
        (("risk",), "undetermined", "blocker", nagios.WARNING),
    ],
)
def test_states(severities: tuple[str, ...], verdict: str, fail_on: str, state: int) -> None:
    report: Any = bare_report()
    failed = waived_report()["checks"][0]
    report["checks"] = [{**failed, "severity": severity} for severity in severities]
    report["summary"]["verdict"] = verdict
    assert nagios.state(report, fail_on) == state
    assert render(report, "nagios", fail_on=fail_on).split()[1] == ("OK", "WARNING", "CRITICAL", "UNKNOWN")[state]


# What all of them have in common.


@pytest.mark.parametrize("form", ["junit", "sarif", "oscal", "csv", "prometheus", "nagios"])
def test_ids_stay_when_the_status_changes(form: str) -> None:
    """What another run finds has the same ids, so that it is followed from run to run."""
    before, after = waived_report(), waived_report()
    after["checks"][0]["status"] = "pass"
    after["subject"]["collected_at"] = "2026-01-01T00:00:00Z"
    assert names_in(form, written(before, form)) == names_in(form, written(after, form))
    assert written(before, form) != written(after, form)
    other = waived_report()
    other["subject"]["host"] = "pve2"
    assert "pve1" not in written(other, form)


def names_in(form: str, text: str) -> Any:
    """What a reader follows a finding by."""
    if form == "junit":
        return re.findall(r'<testcase classname="[^"]*" name="[^"]*"', text)
    if form == "sarif":
        return re.findall(r'"(?:correlationGuid|primaryLocationLineHash|id)": "[^"]*"', text)
    if form == "oscal":
        observations = json.loads(text)["assessment-results"]["results"][0]["observations"]
        return [each["uuid"] for each in observations]
    if form == "csv":
        return [row["id"] for row in csv.DictReader(StringIO(text, newline=""))]
    if form == "prometheus":
        return re.findall(r'check="[^"]*"(?:,device="[^"]*")?', text)
    return re.findall(r"(\w+)=\d", text)


def test_an_unknown_host_is_not_given_a_name() -> None:
    report = waived_report()
    report["subject"]["host"] = None
    assert next(csv.DictReader(StringIO(written(report, "csv"), newline="")))["host"] == ""
    assert "host" not in props(result_of(report))
    assert run_of(report)["properties"]["host"] is None
    assert 'host="' not in written(report, "prometheus")
    assert "forum-post.txt" in written(report, "nagios")


@pytest.mark.parametrize("form", ["junit", "sarif", "oscal", "csv", "prometheus", "nagios"])
def test_four_times_the_findings_take_four_times_as_long(form: str) -> None:
    def took(count: int) -> float:
        report: Any = waived_report()
        checks = report["checks"]
        report["checks"] = [
            {**check, "id": f"{check['id']}-{number}", "evidence": [cite("DMAR: (((;;;==[[{{" * 40)]}
            for number in range(count)
            for check in checks
        ]
        began = time.process_time()
        written(report, form)
        return time.process_time() - began

    took(5)
    small, large = min(took(10) for _ in range(3)), min(took(40) for _ in range(3))
    assert large < 10 * small
