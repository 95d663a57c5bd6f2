r"""The report as metrics in Prometheus' text format, for the textfile collector of node_exporter.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/ . A finding is a sample of the value 1 whose
labels say its status, as kube-state-metrics tells states; a finding that gets another status ends one series and
begins another. At most `_MOST` findings are told one by one, worst first, and how many are left out is a metric too;
all of them are counted in `passdoctor_findings`.

>>> sample("passdoctor_info", {"host": 'a"b', "kind": "x\\y"}, 1)
'passdoctor_info{host="a\\"b",kind="x\\\\y"} 1'
"""

from __future__ import annotations

from doctor.report.entries import SEVERITIES, STATUSES, counted, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from doctor.report.entries import Entry, Told
    from doctor.report.model import Report

_MOST = 1000  # findings that are told one by one: a host has about a hundred
_VERDICTS = ("ready", "not-ready", "undetermined")
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
Family = tuple[str, str, "list[tuple[dict[str, str], int]]"]


def render(report: Report) -> str:
    """The report as gauges, each with its HELP and TYPE."""
    lines = []
    for name, text, samples in _families(tell(report)):
        if samples:
            lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
            lines += [sample(name, labels, value) for labels, value in samples]
    return "\n".join(lines) + "\n"


def _families(told: Told) -> Iterator[Family]:
    report, host = told.report, {"host": told.host if told.named else ""}
    verdict = report["summary"]["verdict"]
    about = {
        "version": report["tool"]["version"],
        "kind": report["subject"]["kind"],
        "profile": report["profile"],
        "kernel": report["platform"]["kernel"] or "",
        "distribution": report["platform"]["distribution"] or "",
    }
    yield "passdoctor_info", "What was examined, and by which version.", [({**host, **about}, 1)]
    yield (
        "passdoctor_verdict",
        "1 for the verdict of the host, 0 for the others.",
        [({**host, "verdict": name}, int(name == verdict)) for name in _VERDICTS],
    )
    counts = [
        ({**host, "status": status, "severity": severity}, count)
        for (status, severity), count in counted(told.entries).items()
    ]
    yield "passdoctor_findings", "How many findings there are.", counts
    found, left = _told(told)
    yield "passdoctor_check_status", "A finding: the status of a check, for the host or for a device.", found
    yield "passdoctor_findings_left_out", "Findings that are counted, but not told one by one.", [(host, left)]
    if told.moment is not None:
        text = "When the evidence was collected, in seconds since 1970."
        yield "passdoctor_collected_timestamp_seconds", text, [(host, told.moment)]


def _told(told: Told) -> tuple[list[tuple[dict[str, str], int]], int]:
    """The samples of findings, no two with the same check and device, in the order of the report; and how many not."""
    worst: dict[tuple[str, str], Entry] = {}
    for entry in sorted(told.entries, key=_rank):
        worst.setdefault((entry.check, entry.device), entry)
    kept = {entry.key for entry in list(worst.values())[:_MOST]}
    samples = [
        (
            {
                "host": told.host if told.named else "",
                "check": entry.check,
                "device": entry.device,
                "severity": entry.severity,
                "status": entry.status,
            },
            1,
        )
        for entry in told.entries
        if entry.key in kept
    ]
    return samples, len(told.entries) - len(samples)


def _rank(entry: Entry) -> tuple[int, int]:
    """Where a finding stands when the worst come first; what nobody knows comes last."""
    status = STATUSES.index(entry.status) if entry.status in STATUSES else len(STATUSES)
    return status, SEVERITIES.index(entry.severity) if entry.severity in SEVERITIES else len(SEVERITIES)


def sample(name: str, labels: Mapping[str, str], value: int) -> str:
    """A line of the format. An empty label is the same as none, so it is left out."""
    told = ",".join(f'{label}="{text.translate(_ESCAPES)}"' for label, text in labels.items() if text)
    return f"{name}{{{told}}} {value}" if told else f"{name} {value}"
