"""Waivers: what they turn, until when, what they leave, and what is wrong with a file of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.diagnosis.diagnose import causes, verdict
from doctor.diagnosis.finding import FAIL, PASS, UNKNOWN, WAIVED, Finding, Waived
from doctor.diagnosis.waivers import Waiver, read, waive
from doctor.evidence.types import Evidence, Piece
from doctor.examine import Terms, examine_host
from doctor.facts.host import Host
from doctor.knowledge.document import KnowledgeError
from doctor.knowledge.store import load

KNOWLEDGE = load()
RULES: list[dict[str, Any]] = KNOWLEDGE["rules"]
GPU, AUDIO, NIC = "0000:01:00.0", "0000:01:00.1", "0000:02:00.0"
ENTRY = """- check: acs-override
  host: "*"
  reason: one user
  owner: ops
  expires: 2026-12-31
"""
LSPCI = f"""{GPU} VGA compatible controller [0300]: NVIDIA [10de:2484]
\tKernel driver in use: nvidia
{NIC} Ethernet controller [0200]: Intel [8086:1521]
"""


def found(check: str, device: str | None = None, status: str = FAIL, after: tuple[str, ...] = ()) -> Finding:
    remedy: tuple[dict[str, Any], ...] = ({"person": "Do it."},)
    return Finding(check, device, status, "blocker", False, check, "", "", (), (), remedy, (), after)


def waiver(check: str = "a", host: str | None = None, device: str | None = "*", expires: str = "2026-12-31") -> Waiver:
    return Waiver(check, host, device, "because", "ops", expires, "w.yaml:1")


def host(name: str = "pve1", source: str = "bundle.tar.gz") -> Host:
    pieces = [Piece("cmd/lspci-nnk", LSPCI, source, 1, "lspci -nnk")]
    pieces += [Piece("proc/sys/kernel/hostname", name, source)] if name else []
    return Host(Evidence("bundle", source, pieces), KNOWLEDGE)


def statuses(findings: list[Finding], *waivers: Waiver, on: str = "2026-06-01", at: Host | None = None) -> list[str]:
    return [one.status for one in waive(findings, waivers, at or host(), on)[0]]


def test_a_failure_becomes_waived_with_who_why_and_until_when() -> None:
    (one,), notes = waive([found("a")], [waiver()], host(), "2026-06-01")
    assert (one.status, one.waived, one.remedy) == (WAIVED, Waived("because", "ops", "2026-12-31"), ())
    assert notes == []


def test_only_failures_of_that_check_are_turned() -> None:
    findings = [found("a"), found("b"), found("a", GPU, PASS), found("a", NIC, UNKNOWN)]
    assert statuses(findings, waiver()) == [WAIVED, FAIL, PASS, UNKNOWN]


@pytest.mark.parametrize(
    ("day", "status", "said"),
    [("2026-12-30", WAIVED, ""), ("2026-12-31", WAIVED, ""), ("2027-01-01", FAIL, "expired on 2026-12-31")],
)
def test_it_holds_through_its_last_day(day: str, status: str, said: str) -> None:
    (one,), notes = waive([found("a")], [waiver()], host(), day)
    assert one.status == status
    assert (len(notes) == 1 and said in notes[0] and "fails again" in notes[0]) if said else notes == []


def test_one_that_holds_counts_beside_one_that_expired() -> None:
    old, new = waiver(expires="2025-01-01"), waiver(expires="2027-01-01")
    (one,), notes = waive([found("a")], [old, new], host(), "2026-06-01")
    assert one.waived == Waived("because", "ops", "2027-01-01")
    assert len(notes) == 1
    assert "expired on 2025-01-01" in notes[0]


@pytest.mark.parametrize(
    ("pattern", "address", "fits"),
    [
        ("*", GPU, True),
        ("*", None, True),
        ("01:00.0", GPU, True),
        ("0000:01:00.0", GPU, True),
        ("01:00.0", AUDIO, False),
        ("01:00", GPU, True),
        ("01:00", AUDIO, True),
        ("01:00.*", AUDIO, True),
        ("01:00.?", AUDIO, True),
        ("10de:2484", GPU, True),
        ("10DE:2484", GPU, True),
        ("10de:2484", NIC, False),
        ("02:00", GPU, False),
        ("0001:01:00.0", GPU, False),
        ("01:00.0", None, False),
        ("10de:2484", None, False),
    ],
)
def test_devices(pattern: str, address: str | None, fits: bool) -> None:
    assert statuses([found("a", address)], waiver(device=pattern)) == [WAIVED if fits else FAIL]


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("pve1", "pve1", True),
        ("PVE*", "pve1", True),
        ("pve1", "pve1.lan.example.org", True),
        ("*.example.org", "pve1.lan.example.org", True),
        ("pve2", "pve1", False),
        ("bundle*", "pve1", True),
        ("bundle*", "", True),
        ("pve?", "", False),
        ("*", "", True),
    ],
)
def test_hosts(pattern: str, name: str, fits: bool) -> None:
    one = waiver(host=pattern, device=None)
    assert statuses([found("a")], one, at=host(name)) == [WAIVED if fits else FAIL]


def test_both_patterns_must_fit() -> None:
    findings = [found("a", GPU)]
    assert statuses(findings, waiver(host="pve1", device="01:00.0")) == [WAIVED]
    assert statuses(findings, waiver(host="pve2", device="01:00.0")) == [FAIL]
    assert statuses(findings, waiver(host="pve1", device="02:00.0")) == [FAIL]


def test_what_is_not_used_is_said_unless_it_is_for_another_host() -> None:
    unused = waive([found("b")], [waiver()], host(), "2026-06-01")[1]
    assert len(unused) == 1
    assert "not used" in unused[0]
    assert waive([found("b")], [waiver(host="pve2")], host(), "2026-06-01")[1] == []
    nameless = waive([found("a")], [waiver(host="pve2")], host(""), "2026-06-01")[1]
    assert len(nameless) == 1
    assert "does not tell this host's name" in nameless[0]


def test_a_waived_failure_is_no_cause_and_leaves_what_it_explained() -> None:
    chain = [found("a"), found("b", after=("a",)), found("c", after=("b",))]
    turned = waive(chain, [waiver("a")], host(), "2026-06-01")[0]
    assert [one.status for one in turned] == [WAIVED, FAIL, FAIL]
    told = [(cause.finding.check, [one.check for one in cause.explains]) for cause in causes(turned)]
    assert told == [("b", ["c"])]


def test_what_lies_beyond_a_waived_failure_is_still_explained() -> None:
    chain = [found("a"), found("b", after=("a",)), found("c", after=("b",))]
    turned = waive(chain, [waiver("b")], host(), "2026-06-01")[0]
    told = [(cause.finding.check, [one.check for one in cause.explains]) for cause in causes(turned)]
    assert told == [("a", ["c"])]


def test_a_waived_blocker_does_not_count_for_the_verdict() -> None:
    findings = [found("a"), found("iommu-active", status=PASS)]
    assert verdict(findings, None) == "not-ready"
    assert verdict(waive(findings, [waiver()], host(), "2026-06-01")[0], None) == "ready"
    unknown = [found("a"), found("iommu-active", status=UNKNOWN)]
    assert verdict(waive(unknown, [waiver()], host(), "2026-06-01")[0], None) == "undetermined"


def test_the_day_is_passed_in(tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    path.write_text(ENTRY.replace("acs-override", "cmdline-useless"), "utf-8")
    text = "BOOT_IMAGE=/vmlinuz root=/dev/sda1 amd_iommu=on"
    evidence = Evidence(
        "bundle", "b", [Piece("proc/cmdline", text, "b"), Piece("proc/cpuinfo", "vendor_id : AuthenticAMD")]
    )
    for day, status in (("2026-12-31", WAIVED), ("2027-01-01", FAIL)):
        report = examine_host(evidence, Terms(waivers=str(path), today=day))[1]
        (one,) = [check for check in report["checks"] if check["id"] == "cmdline-useless"]
        assert one["status"] == status
        assert report["summary"]["waived"] == int(status == WAIVED)
        assert ("waiver" in one) == (status == WAIVED)
        named = {cause["check"] for cause in report["causes"]}
        assert ("cmdline-useless" in named) == (status == FAIL)
        assert any("expired" in note for note in report["notes"]) == (status == FAIL)
        assert any("cmdline-useless" in step["why"] for step in report["plan"]["steps"]) == (status == FAIL)


def entries(tmp_path: Path, text: str) -> tuple[Waiver, ...]:
    path = tmp_path / "w.yaml"
    path.write_text(text, "utf-8")
    return read(str(path), RULES)


def test_a_file_is_read_as_it_is_written(tmp_path: Path) -> None:
    text = ENTRY + ENTRY.replace('host: "*"', "device: 01:00.0").replace("2026", "2027").replace(
        "one user", "two\n    words"
    )
    first, second = entries(tmp_path, text)
    assert first == Waiver("acs-override", "*", None, "one user", "ops", "2026-12-31", f"{tmp_path / 'w.yaml'}:1")
    # YAML 1.1 would make a number of base sixty of it.
    assert (second.device, second.expires, second.reason) == ("01:00.0", "2027-12-31", "two words")
    assert second.place.endswith(":6")


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (ENTRY.replace("acs-override", "acs-overide"), "1:10", "no such check: acs-overide (nearest: acs-override)"),
        (ENTRY.replace("acs-override", "not-assessable"), "1:10", "cannot be waived"),
        (ENTRY.replace('  host: "*"\n', ""), "1:3", "neither host nor device"),
        (ENTRY.replace("  owner: ops\n", ""), "1:3", "`owner` is missing"),
        (ENTRY.replace("  reason: one user\n", ""), "1:3", "`reason` is missing"),
        (ENTRY.replace("  expires: 2026-12-31\n", ""), "1:3", "`expires` is missing"),
        (ENTRY.replace("2026-12-31", "2026-02-30"), "5:12", "no such day"),
        (ENTRY.replace("2026-12-31", "20261231"), "5:12", "YYYY-MM-DD"),
        (ENTRY.replace("2026-12-31", "never"), "5:12", "YYYY-MM-DD"),
        (ENTRY.replace("2026-12-31", "2026-12-31T00:00:00Z"), "5:12", "YYYY-MM-DD"),
        (ENTRY.replace("one user", '" "'), "3:11", "reason: some words"),
        (ENTRY.replace("owner: ops", "owner:"), "4:9", "owner: a name"),
        (ENTRY.replace("owner: ops", "owner: [ops]"), "4:10", "owner: a name"),
        (ENTRY.replace("host:", "hots:"), "2:3", "(nearest: host)"),
        (ENTRY.replace('host: "*"', "device: my card"), "2:11", "an address (01:00.0)"),
        (ENTRY.replace('host: "*"', "device: *"), "2:12", "needs quotes"),
        (ENTRY + "  owner: two\n", "6:3", "twice"),
        (ENTRY.replace("- check", "check").replace("  ", ""), "1:1", "a list is wanted"),
        ("", "1:1", "a list is wanted"),
        ("- [\n", "", ""),
        (ENTRY + "- *a\n", "", ""),
        ("- " * 60 + "x", "", "inside one another"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(text: str, place: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError) as caught:
        entries(tmp_path, text)
    told = str(caught.value)
    assert told.startswith(f"{tmp_path / 'w.yaml'}:{place}")
    assert said in told
    assert "\n" not in told


def test_a_list_of_none_is_no_mistake(tmp_path: Path) -> None:
    assert entries(tmp_path, "[]\n") == ()


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300), st.text(max_size=200).map(lambda text: (ENTRY + text).encode("utf-8", "replace"))
    )
)
def test_no_file_gives_more_than_one_line(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(data)
    try:
        read(str(path), RULES)
    except KnowledgeError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("name", ["nowhere.yaml", "."])
def test_what_cannot_be_read(name: str, tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="cannot be read"):
        read(str(tmp_path / name), RULES)
