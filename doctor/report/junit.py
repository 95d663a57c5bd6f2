"""The report as JUnit XML, which CI systems read: elements and attributes that Jenkins, GitLab and junitparser know.

There is no official schema; this is what https://github.com/testmoapp/junitxml and Jenkins' junit-10.xsd have in
common. A finding is a test case: a failure of any severity is a `failure`, whose type is the severity. What is waived,
unknown or not applicable is `skipped`, whose type is the status, for it neither passed nor failed. A last case,
`verdict`, is an `error` while the verdict is undetermined: a report of nothing but skipped cases would look good.
"""

from __future__ import annotations

from xml.etree import ElementTree as Xml

from doctor.report.entries import answered, plain, stamp, statement, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doctor.report.entries import Entry, Told
    from doctor.report.model import Report

_DOTS = str.maketrans(".", "_")  # a dot begins another package where class names are shown as a tree


def render(report: Report) -> str:
    """The report as one test suite."""
    told = tell(report)
    suite = Xml.Element("testsuite", {"name": f"passdoctor {told.host}", "hostname": told.host})
    if told.moment is not None:
        # Without a zone: the attribute is an xs:dateTime in UTC that some readers take no zone in.
        suite.set("timestamp", stamp(told.moment, ""))
    suite.append(_properties(told))
    suite.extend(_case(told, entry) for entry in told.entries)
    suite.append(_verdict(told))
    root = Xml.Element("testsuites", {"name": "passdoctor"})
    root.append(suite)
    for element in (suite, root):
        element.set("tests", str(len(suite.findall("testcase"))))
        for kind, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            if element is suite or name != "skipped":  # which Jenkins' schema does not have for the root
                element.set(name, str(len(suite.findall(f"testcase/{kind}"))))
        element.set("time", "0")
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, "unicode") + "\n"


def _properties(told: Told) -> Xml.Element:
    report = told.report
    values = {**told.about(), "version": report["tool"]["version"], **report["platform"]}
    found = Xml.Element("properties")
    found.extend(
        Xml.Element("property", {"name": name, "value": str(value)}) for name, value in values.items() if value
    )
    return found


def _case(told: Told, entry: Entry) -> Xml.Element:
    """A finding as a test case; by its class and its name, CI systems compare it with the last run's."""
    name = entry.key.replace("@", " ", 1)
    case = Xml.Element("testcase", {"classname": _class(told), "name": name, "time": "0"})
    if entry.status == "fail":
        result = Xml.SubElement(case, "failure", {"type": entry.severity, "message": statement(entry)})
        result.text = plain(entry)
    elif entry.status == "pass":
        Xml.SubElement(case, "system-out").text = _all(entry)
    else:
        said = answered(entry.waiver) if entry.waiver else statement(entry)
        Xml.SubElement(case, "skipped", {"type": entry.status, "message": f"{entry.status}: {said}"})
        Xml.SubElement(case, "system-out").text = _all(entry)
    return case


def _all(entry: Entry) -> str:
    return "\n\n".join(filter(None, (statement(entry), plain(entry))))


def _verdict(told: Told) -> Xml.Element:
    summary = told.report["summary"]
    case = Xml.Element("testcase", {"classname": _class(told), "name": "verdict", "time": "0"})
    if summary["verdict"] != "ready":
        kind = "failure" if summary["verdict"] == "not-ready" else "error"
        Xml.SubElement(case, kind, {"type": summary["verdict"], "message": summary["headline"]})
    else:
        Xml.SubElement(case, "system-out").text = summary["headline"]
    return case


def _class(told: Told) -> str:
    return f"passdoctor.{told.host.translate(_DOTS)}"
