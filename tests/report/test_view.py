"""The arrangement that all formats share."""

from __future__ import annotations

from doctor.report.view import (
    arrange,
    changed_lines,
    clip,
    essential_lines,
    how_to_edit,
    place,
    short_address,
)

from .sample_report import AUDIO, GPU, MASK, NEW, check, cite, healthy_report, sample_report, step


def test_each_step_is_shown_with_the_first_cause_that_asks_for_it() -> None:
    view = arrange(sample_report())
    assert [[each.number for each in cause.steps] for cause in view.causes] == [[1], [2], [], []]
    assert [[each.number for each in cause.shared] for cause in view.causes] == [[], [], [], [1]]
    assert [each.number for each in view.closing] == [3, 4, 5]


def test_a_cause_without_a_step_keeps_its_own_remedy() -> None:
    third = arrange(sample_report()).causes[2]
    assert [remedy["summary"] for remedy in third.remedies] == ["Give the guest another drive."]


def test_every_step_is_shown_once() -> None:
    view = arrange(sample_report())
    shown = [each.number for cause in view.causes for each in cause.steps] + [each.number for each in view.closing]
    assert sorted(shown) == [each.number for each in view.steps]


def test_a_reboot_belongs_to_the_end_also_of_a_single_cause() -> None:
    report = sample_report()
    report["plan"]["steps"] = [step("reboot", "Reboot", ["vfio-bound"], reboot=True)]
    view = arrange(report)
    assert [each.number for each in view.closing] == [1]
    assert not any(cause.steps for cause in view.causes)


def test_what_comes_after_a_reboot_is_not_shown_before_it() -> None:
    report = sample_report()
    report["plan"]["steps"] = [
        step("reboot", "Reboot", ["vfio-bound"], reboot=True),
        step("verify", "Look again", ["vfio-bound"], commands=["lspci -nnk"]),
    ]
    assert [each.number for each in arrange(report).closing] == [1, 2]


def test_a_failure_that_no_cause_accounts_for_is_not_lost() -> None:
    report = sample_report()
    report["causes"] = report["causes"][:1]
    assert [cause.check["id"] for cause in arrange(report).causes] == [
        "cmdline-disables-iommu",
        "vfio-bound",
        "companion-function-unbound",
        "host-needs-device",
        "cmdline-useless",
    ]


def test_unknowns_that_one_command_settles_are_joined() -> None:
    questions = arrange(sample_report()).questions
    assert [len(question.checks) for question in questions] == [2, 1]


def test_no_plan_does_not_mean_that_all_is_well() -> None:
    report = healthy_report()
    assert arrange(report).no_plan == "plan-empty"
    report["summary"]["verdict"] = "undetermined"
    assert arrange(report).no_plan == "plan-none-unknown"
    report["checks"].append(check("memlock", "fail", "Memory can be pinned"))
    assert arrange(report).no_plan == "plan-none-causes"


def test_citations_name_file_and_line() -> None:
    assert place(cite("x", 14)) == "forum-post.txt:14"
    assert place(cite("x", None, "proc/cmdline", "")) == "proc/cmdline"


def test_changed_lines_come_from_the_diff() -> None:
    change = sample_report()["plan"]["steps"][0]["files"][0]
    assert ("-", MASK) in changed_lines(change)
    assert (" ", "GRUB_TIMEOUT=5") in changed_lines(change)
    assert essential_lines(change) == [("-", MASK), ("+", NEW)]
    change["diff"] = "--- a\n+++ b\n@@ -1 +1 @@\n--- x\n+++ y"
    assert changed_lines(change) == [("-", "-- x"), ("+", "++ y")]
    change["diff"] = ""
    assert changed_lines(change) == [("-", MASK), ("+", NEW)]


def test_clip_says_how_much_is_left_out() -> None:
    assert clip("a" * 30, 20) == ("a" * 30, 0)
    assert clip("a" * 100, 20) == ("a" * 20, 80)


def test_addresses_keep_a_domain_that_tells() -> None:
    devices = sample_report()["devices"]
    assert short_address(GPU, devices) == "01:00.0"
    devices[0]["address"] = "10000:e1:00.0"
    assert short_address(GPU, devices) == GPU


def test_a_cause_is_as_severe_as_what_it_explains() -> None:
    report = sample_report()
    report["checks"][0]["severity"] = "advice"
    report["causes"].reverse()
    causes = arrange(report).causes
    assert [(cause.check["id"], cause.severity) for cause in causes] == [
        ("vfio-bound", "blocker"),
        ("cmdline-disables-iommu", "blocker"),
        ("cmdline-useless", "advice"),
        ("host-needs-device", "risk"),
    ]


def test_rebuilds_belong_to_the_end_also_of_a_single_cause() -> None:
    report = sample_report()
    report["plan"]["steps"] = [
        step("initramfs", "Rebuild", ["vfio-bound"], commands=["update-initramfs -u"]),
        step("bootloader", "Update", ["vfio-bound"], commands=["update-grub"]),
        step("person", "Move the card", ["vfio-bound"]),
    ]
    view = arrange(report)
    assert [each.number for each in view.closing] == [1, 2]
    assert [each.number for cause in view.causes for each in cause.steps] == [3]


def test_a_note_and_a_look_are_told_once() -> None:
    report = sample_report()
    report["plan"]["steps"] = [
        step("file", "Edit", ["vfio-bound"], note="Mind.", verify=["cat /proc/cmdline", "ls"]),
        step("bootloader", "Update", ["vfio-bound"], note="Mind."),
        step("verify", "Look", ["vfio-bound"], commands=["cat /proc/cmdline"]),
    ]
    steps = arrange(report).steps
    assert [each.note for each in steps] == ["Mind.", "", ""]
    assert [each.verify for each in steps] == [("ls",), (), ()]


def test_what_a_cause_explains_is_grouped_by_device() -> None:
    report = sample_report()
    other = [{**each, "device": AUDIO} for each in report["checks"] if each["device"] == GPU]
    report["checks"] += other  # type: ignore[arg-type]
    keys = ("vfio-bound", AUDIO), ("companion-function-unbound", AUDIO)
    report["causes"][1]["explains"] += [{"check": name, "device": where} for name, where in keys]
    title = "Another function of the card is held by the host"
    assert arrange(report).causes[1].told == (((GPU,), (title,)), ((AUDIO,), ()))


def test_failures_are_counted_by_severity() -> None:
    assert arrange(sample_report()).counts == [
        ("count-blocker", 4),
        ("count-risk", 1),
        ("count-advice", 1),
        ("count-unknown", 3),
        ("count-pass", 2),
        ("count-waived", 1),
    ]


def test_how_a_person_makes_a_change() -> None:
    change = sample_report()["plan"]["steps"][0]["files"][0]
    copy = "cp -a /etc/default/grub /etc/default/grub.old"
    assert how_to_edit(change, [copy])[0] == "edit-replace"
    assert how_to_edit(change, [copy], "Mind. Delete the - line and save.")[0] == ""
    assert how_to_edit(change, [copy, "nano /etc/default/grub"])[0] == "edit-replace"
    assert how_to_edit(change, [copy, "sed -i s/a/b/ /etc/default/grub"])[0] == ""
    assert how_to_edit({**change, "before": []}, [copy])[0] == "edit-add"
    assert how_to_edit({**change, "after": [], "diff": f"@@\n-{MASK}\n"}, [copy])[0] == "edit-drop"
    assert how_to_edit({**change, "after": [], "diff": ""}, [copy])[0] == "edit-as-said"


def test_a_cause_that_the_end_of_the_plan_mends_points_there() -> None:
    report = sample_report()
    report["plan"]["steps"] = [
        step("firmware", "Set VT-d", ["vfio-bound", "cmdline-useless"], reboot=True),
        step("verify", "Look", ["vfio-bound"]),
    ]
    view = arrange(report)
    assert [[each.number for each in cause.later] for cause in view.causes] == [[], [1], [], [1]]
    assert [each.number for each in view.closing] == [1, 2]
