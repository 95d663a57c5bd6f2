"""The report's own words, apart from any format, in English; a catalogue of `rules/locale/` has them in others.

A text with a bar has two forms: for one, and for any other number.
"""

from __future__ import annotations

from doctor.say import language, say

ENGLISH = {
    # Verdicts, severities, statuses
    "ready": "READY",
    "not-ready": "NOT READY",
    "undetermined": "UNDETERMINED",
    "blocker": "blocker",
    "risk": "risk",
    "advice": "advice",
    # What stands between words, at the end of a sentence and round an aside
    "colon": ": ",
    "semicolon": "; ",
    "stop": ".",
    "sentences": ". ",
    "aside": " ({what})",
    "weak": "probably",
    # What was examined
    "title": "Can it be passed through?",
    "report-of": "PCI passthrough report",
    "examined": "Examined for",
    "no-target": "No device in particular: nothing shows which one is meant for a guest. Name one with --device.",
    "input": "Input",
    "collected": "collected {when}",
    "guessed": "presumed",
    "kind-host": "this host",
    "kind-bundle": "bundle",
    "kind-directory": "directory",
    "kind-sosreport": "sosreport",
    "kind-diagnostics": "diagnostics",
    "kind-paste": "paste",
    # Causes
    "causes": "What stops it",
    "causes-none-blocking": "What should be looked at",
    "also-explains": "This also explains",
    "for-device": "for {devices}: {titles}",
    "the-same": "the same",
    "edit-replace": "Open the file, put {come} in place of {gone}, and save.",
    "edit-drop": "Open the file, delete {gone}, and save.",
    "edit-add": "Open the file, add {come}, and save.",
    "edit-as-said": "Open the file, change {gone} as said above, and save.",
    "line-gone": "the - line|the - lines",
    "line-come": "the + line|the + lines",
    "evidence": "Evidence",
    "more-evidence": "and {count} more line|and {count} more lines",
    "characters-left-out": "… ({count} more character)|… ({count} more characters)",
    "step": "Step {number}",
    "step-later": "Step {number}, below",
    "same-step": "Done together with cause {causes}: step {numbers}|Done together with cause {causes}: steps {numbers}",
    "plan": "What to do",
    "plan-rest": "Then",
    "plan-empty": "Nothing has to be done.",
    "plan-none-unknown": "First find out what is not known: the commands below show it.",
    "plan-none-causes": "No step could be worked out for this host; what to change is said with each cause.",
    "plan-for": "For {platform}.",
    "plan-unsure": "The system could not be told for certain.",
    "plan-compare": "Compare paths and commands with yours first.",
    "reboots": "{count} reboot in all|{count} reboots in all",
    "no-reboot": "no reboot",
    "optional": "optional",
    "for-causes": "for cause {numbers}|for causes {numbers}",
    "risk-of-step": "Risk",
    "undo": "To undo",
    "verify": "To verify",
    "change": "Change",
    # Unknown
    "unknowns": "What is not known",
    "unknowns-html": "What was not seen, and the commands that show it",
    "rest": "Everything else",
    "devices": "Devices",
    "devices-more": "{count} more device in the other formats|{count} more devices in the other formats",
    "devices-others": "{count} other device, and what passing it would take"
    "|{count} other devices, and what passing them would take",
    "of-these": "All of these: {because}",
    "others": "Other devices, and what passing them would take",
    "checks": "All checks",
    "count-pass": "{count} passed",
    "count-fail": "{count} failed",
    "count-blocker": "{count} blocker|{count} blockers",
    "count-risk": "{count} risk|{count} risks",
    "count-advice": "{count} piece of advice|{count} pieces of advice",
    "count-unknown": "{count} not known",
    "count-not-applicable": "{count} not applicable",
    "count-waived": "{count} waived",
    "waived": "waived until {expires} by {owner}: {reason}",
    "harmless": "Harmless lines",
    "harmless-line": "Harmless",
    "contradiction": "Contradiction",
    "harmless-lead": "These lines look alarming and can be ignored.",
    "contradictions": "Contradictions",
    "contradictions-lead": "Evidence that speaks against other evidence, and which was believed.",
    "resolved": "Taken as: {how}",
    "notes": "Notes",
    "why": "Why it matters",
    "references": "References",
    # The device table
    "address": "Address",
    "device": "Device",
    "driver": "Driver",
    "group": "Group",
    "group-short": "group {group}",
    "group-with": "with {members}",
    "verdict": "Verdict",
    "because": "Why",
    "target": "target",
    "no-driver": "none",
    "judged": "How this was judged",
    "judged-by": "Judged by",
    "profile": "Profile",
    "schema": "Report format",
    "distribution": "Distribution",
    "kernel": "Kernel",
    "bootloader": "Bootloader",
    "cpu_vendor": "Processor",
    "board": "Board",
    # A comparison
    "compare-before": "Before",
    "compare-after": "After",
    "compare-broken": "What broke",
    "compare-mended": "What was mended",
    "compare-unchanged": "Failures that are unchanged",
    "compare-waived": "Failures that are waived now",
    "compare-newly-known": "What is newly known",
    "compare-no-longer-known": "What is no longer known",
    "compare-same": "No check gives another result.",
    "compare-around": "What else is different",
    "compare-cmdline-added": "Kernel parameters that came: {words}",
    "compare-cmdline-removed": "Kernel parameters that went: {words}",
    "compare-cmdline-unknown": "The running command lines cannot be compared: not both are known.",
    "compare-passes": "passes",
    "compare-devices-unknown": "Whether devices came or went is not known: not both lists of them are whole.",
    "compare-came": "A device came: {device}",
    "compare-went": "A device went: {device}",
    "compare-moved": "A device moved: {before} is {after} now",
    "compare-driver": "{address} has another driver: {before} > {after}",
    "compare-members": "{address} has other company in its IOMMU group: {before} > {after}",
    "compare-more": "{count} more device|{count} more devices",
    "not-judged": "not judged",
    # A post for a forum
    "cut": "Left out to stay within {limit} characters: {what}.",
    "cut-rest": "notes",
    "cut-harmless": "{count} harmless line|{count} harmless lines",
    "cut-pass": "what passed",
    "cut-unknown": "{count} open question|{count} open questions",
    "cut-devices": "other devices",
    "cut-evidence": "further lines of evidence",
    "cut-undo": "how to verify and to undo",
    "cut-examined": "what was examined",
    "cut-plan": "{count} cause or step of the plan|{count} causes and steps of the plan",
    "brackets": "In the code above, ［ stands for a bracket that a forum might take for a tag.",
    "private": "The report quotes lines of the input. Read it before you hand it on.",
}


class Words:
    """The words of one language."""

    def __init__(self) -> None:
        """Those of the language that is spoken now."""
        self.table, self.language = ENGLISH, language().replace("_", "-")

    def __call__(self, key: str, count: int | None = None, **values: object) -> str:
        """The words for `key`, in the form for `count` if it is given, with `values` filled in.

        >>> Words()("reboots", count=1), Words()("reboots", count=2)
        ('1 reboot in all', '2 reboots in all')
        """
        text = say(self.table.get(key, key))
        if count is not None:
            one, _, many = text.partition("|")
            text = many if many and count != 1 else one
            values["count"] = count
        return text.format(**values) if values else text
