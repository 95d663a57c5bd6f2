"""The plan as a POSIX shell script that a person can review, and the script that takes it back.

The script changes nothing unless every edit fits what it finds: it works on copies, shows the difference, keeps what
was there before, and can be run again. What only a person can do it says at its end. What it is written in, the
functions of `report_templates/plan.sh`, stands in front of the steps, as far as they need it.

Everything that comes from evidence is either quoted as one word, a line of a quoted here-document, or a comment of
visible characters (`doctor.treatment.safe`).
"""

from __future__ import annotations

import hashlib
import json
import re
from itertools import groupby

from doctor.report.places import template_folder
from doctor.report.shellwords import spoken
from doctor.say import say, sentences
from doctor.treatment.safe import here_lines, quote, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from doctor.report.model import Report
    from doctor.treatment.result import Action, Plan, Step

LIBRARY = "plan.sh"
_WIDTH = 110
_SHELLS_OWN = ("if", "for", "while", "case", "echo", "printf", "cd", "true", "test", "command")


class DangerousPlanError(Exception):
    """The plan would take from the host what it needs."""

    def __init__(self, dangers: list[str]) -> None:
        """Of the sentences that say what it would take."""
        super().__init__(say("{dangers} With --i-know the script is written all the same.", dangers=sentences(dangers)))


def render(report: Report, undo: bool = False, knowing: bool = False) -> str:
    """The script of a report's plan, or with `undo` the one that takes it back.

    Raises DangerousPlanError, with what would be lost, unless `knowing` or `undo`.
    """
    plan = report["plan"]
    dangers = [words(one) for one in plan["dangers"]]
    if dangers and not (undo or knowing):
        raise DangerousPlanError(dangers)
    head = _head(report, undo, dangers)
    if not any(action["op"] != "by-hand" for step in plan["steps"] for action in step["actions"]):
        return "\n".join([*head, "", "told() { printf '%s\\n' \"$*\"; }", *_nothing(plan, undo)]) + "\n"
    body = _undo(plan) if undo else _apply(report)
    name = f"plan='{identity(plan)}'"
    return "\n".join([*head, "", name, *_options(undo), "", *_library(body), "", *body]) + "\n"


def identity(plan: Plan) -> str:
    """The plan's name on the host: the same actions have the same one, so that undoing finds what was done.

    What only a person does is left out: it is words, in whatever language.
    """
    actions = [action for step in plan["steps"] for action in step["actions"] if action["op"] != "by-hand"]
    return "plan-" + hashlib.sha256(json.dumps(actions, sort_keys=True).encode()).hexdigest()[:12]


def _head(report: Report, undo: bool, dangers: list[str]) -> list[str]:
    """What it is, what it would do, and how to use it, for those who read it before they run it."""
    plan, subject = report["plan"], report["subject"]
    what = say("Takes back the plan of passdoctor") if undo else say("The plan of passdoctor")
    tool = f"passdoctor {report['tool']['version']}"
    lines = [
        f"{what} ({tool}), {plan['platform']}.",
        say("Made from {source} ({collected}).", source=subject["source"], collected=subject["collected_at"] or "-"),
        say("Read it first."),
    ]
    if not undo:
        lines.append(say("With --dry-run it shows what it would change, and changes nothing."))
        lines.append(say("It does not reboot. Run twice it does no more than once."))
    lines += [*plan["notes"], *(say("DANGER: {danger}", danger=one) for one in dangers)]
    for number, step in enumerate(plan["steps"], 1):
        if step["kind"] != "verify":
            lines.append(f"{number}. {step['summary']}" + (say(" (optional)") if step["optional"] else ""))
    exception = "# shellcheck disable=SC2016 # what is only shown stands in single quotes on purpose"
    return ["#!/bin/sh", exception, *(line for text in lines for line in _comment(text))]


def _comment(text: str) -> list[str]:
    """A text as lines of a comment."""
    if not text.isascii():
        from doctor.report.wide import folded

        return [f"# {line}" for line in folded(words(text), _WIDTH)]
    lines = [""]
    for word in words(text).split(" "):
        if lines[-1] and len(lines[-1]) + len(word) >= _WIDTH:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return [f"# {line}" for line in lines]


def _options(undo: bool) -> list[str]:
    again = [] if undo else ["mode=apply"]
    dry = "" if undo else "\n    --dry-run) mode=dry-run ;;"
    usage = say("usage: ") + ("sh SCRIPT" if undo else "sh SCRIPT [--dry-run]")
    return [*again, f'case "${{1:-}}" in{dry}', '    "") ;;', f'    *) echo "{usage}" >&2; exit 2 ;;', "esac"]


def _library(body: list[str]) -> list[str]:
    """The functions that `body` calls, and those that they call, in the file's order."""
    blocks = (template_folder() / LIBRARY).read_text(encoding="utf-8").rstrip("\n").split("\n\n")
    named = {found.group(1): block for block in blocks if (found := re.search(r"(?m)^([a-z_]+)\(\) \{", block))}
    called: set[str] = set()
    todo = ["\n".join(body)]
    while todo:
        text = todo.pop()
        for name in named:
            if name not in called and re.search(rf"(?m)(?:^|\|\| |&& |\b(?:if|then|else|do) )\s*{name}\b", text):
                called.add(name)
                todo.append(named[name])
    kept = [block for block in blocks if not any(block is named[name] for name in named if name not in called)]
    return [spoken(line) for line in "\n\n".join(kept).split("\n")]


def _apply(report: Report) -> list[str]:
    """Conditions, edits of copies, the difference, the edits themselves, then the commands."""
    plan = report["plan"]
    lines = ["begin"]
    lines += [f"expect_device {quote(address)} {quote(ids)}" for address, ids in _known_devices(report)]
    lines += [f"need {quote(name)}" for name in _programs(plan)]
    edits = [line for number, step in enumerate(plan["steps"], 1) for line in _edits(number, step)]
    commands = [line for number, step in enumerate(plan["steps"], 1) for line in _commands(number, step)]
    if edits:
        lines += [*edits, "", "show"]
    lines += _dry_run(plan)
    lines += ["commit"] if edits else ['mkdir -p "$state"']
    lines += commands
    return [*lines, "", *_left(plan), 'exit "$failed"']


def _nothing(plan: Plan, undo: bool) -> list[str]:
    """The script of a plan in which there is nothing for a script."""
    if undo:
        return [f"told {quote(say('There is nothing to take back.'))}"]
    return [f"told {quote(say('There is nothing to do for a script.'))}", *_left(plan)[:-1]]


def _known_devices(report: Report) -> list[tuple[str, str]]:
    """The targets whose ids were read: the host has them, or it is not the host."""
    targets = {target["address"] for target in report["targets"]}
    known = [(row["address"], row["ids"]) for row in report["devices"] if row["address"] in targets and row["ids"]]
    return [(address, ids) for address, ids in known if _ADDRESS.fullmatch(address) and _IDS.fullmatch(ids)]


_ADDRESS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", re.ASCII)
_IDS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}", re.ASCII)


def _programs(plan: Plan) -> list[str]:
    """The programs that the plan's commands begin with."""
    found = dict.fromkeys(
        action["command"].split(None, 1)[0]
        for action in _actions(plan, "run", "set-vm-key")
        if action["command"].strip() and "test" not in action
    )
    return [name for name in found if re.fullmatch(r"[a-z][a-z0-9._+-]*", name) and name not in _SHELLS_OWN]


def _actions(plan: Plan, *ops: str) -> Iterable[Action]:
    return (action for step in plan["steps"] for action in step["actions"] if action["op"] in ops)


def _edits(number: int, step: Step) -> list[str]:
    """The edits of one step, each on a copy."""
    made = [(action.get("test"), _EDITS[action["op"]](action)) for action in step["actions"] if action["op"] in _EDITS]
    return ["", *_comment(f"{number}. {step['summary']}"), *_where(made)] if made else []


def _where(made: Iterable[tuple[str | None, list[str]]]) -> list[str]:
    """Lines of the shell, each run of them where its test succeeds."""
    lines: list[str] = []
    for test, run in groupby(made, key=lambda one: one[0]):
        some = [line for _, each in run for line in each]
        lines += some if test is None else [f"if {test}; then", *some, "fi"]
    return lines


def _replace(action: Action) -> list[str]:
    signed = ["-" + line for line in action["before"]] + ["+" + line for line in action["after"]]
    return here_lines(f"lines {quote(action['path'])} {int(action['at'])}", signed)


def _add(action: Action) -> list[str]:
    return here_lines(f"lines {quote(action['path'])} 0", ["+" + line for line in action["lines"]])


def _write(action: Action) -> list[str]:
    return here_lines(f"whole {quote(action['path'])} {quote(action['mode'])}", action["lines"])


def _delete(action: Action) -> list[str]:
    return here_lines(f"gone {quote(action['path'])}", action["lines"])


def _words(action: Action) -> list[str]:
    path = action["path"]
    # The pattern stands in quotes: the function looks below its root, where the shell would look in another.
    name = quote(action["name"]) if action["name"] else "''"
    call = (
        f"every {action['style']} '{path}' {name}" if "*" in path else f"words {action['style']} {quote(path)} {name}"
    )
    return here_lines(call, action["words"])


_EDITS: dict[str, Callable[[Action], list[str]]] = {
    "replace-lines": _replace,
    "add-lines": _add,
    "write-file": _write,
    "delete-file": _delete,
    "edit-words": _words,
}


def _commands(number: int, step: Step) -> list[str]:
    """What a step runs, each command's end looked at."""
    made: list[tuple[str | None, list[str]]] = []
    for index, action in enumerate(_typed(step), 1):
        command = _command(action)
        run = [f"told {quote('> ' + command)}", command, f'ran {number}-{index} "$?" {quote(command)}']
        made.append((action.get("test"), run))
    return ["", *_comment(f"{number}. {step['summary']}"), *_where(made)] if made else []


def _typed(step: Step) -> list[Action]:
    """What of a step the script runs."""
    return [action for action in step["actions"] if action["op"] in ("run", "set-vm-key")]


def _command(action: Action) -> str:
    """The command of an action; what it replaces is kept first."""
    if action["op"] == "run":
        return action["command"]
    return f"keep_key {quote(action['vm'])} {quote(action['key'])} {action['show']} && {action['command']}"


def _dry_run(plan: Plan) -> list[str]:
    typed = [action for step in plan["steps"] for action in _typed(step)]
    shown = [(one.get("test"), [f"told {quote(say('would run: {command}', command=_command(one)))}"]) for one in typed]
    return ['if [ "$mode" = dry-run ]; then', *_where(shown), "exit 0", "fi"]


def _left(plan: Plan) -> list[str]:
    """What is left to a person, how to go on, and how to take it back."""
    lines: list[str] = []
    for number, step in enumerate(plan["steps"], 1):
        told = [action["text"] for action in step["actions"] if action["op"] == "by-hand"]
        if not (step["actions"] or step["reboot"] or step["kind"] == "verify"):
            told = [sentences(filter(None, (step["summary"], step["note"]))), *(f"  {one}" for one in step["commands"])]
        lines += [say("By hand, step {number}: {what}", number=number, what=one) for one in told]
    for step in (step for step in plan["steps"] if step["reboot"]):
        lines.append(say("Then: {summary}", summary=say(". ").join(filter(None, (step["summary"], step["note"])))))
        lines += [f"  {command}" for command in step["commands"]]
    for step in plan["steps"]:
        if step["kind"] == "verify":
            lines.append(say("Afterwards, to verify:"))
            lines += [f"  {command}" for command in step["commands"]]
    undo = say("To take it back: passdoctor plan INPUT --format sh --undo, with the same input and options.")
    return [f"told {quote(_kept(line))}" for line in [*lines, undo]]


def _kept(line: str) -> str:
    """A line of visible characters, its indentation kept."""
    return " " * (len(line) - len(line.lstrip(" "))) + words(line)


def _undo(plan: Plan) -> list[str]:
    """Files as they were, the last first, then what brings them into effect, then the rest of what was run."""
    paths = dict.fromkeys(action["path"] for action in _actions(plan, *_EDITS))
    lines = ["changed=0", "begin_back"]
    lines += [f"every_back '{path}'" if "*" in path else f"back {quote(path)}" for path in reversed(paths)]
    again: list[tuple[str | None, str]] = []
    for number, step in reversed(list(enumerate(plan["steps"], 1))):
        for index, action in reversed(list(enumerate(_typed(step), 1))):
            back = _back(action)
            if back and step["kind"] in ("bootloader", "initramfs"):
                again = [*((action.get("test"), one) for one in back), *again]
            elif back:
                lines += _only_if(f'[ -e "$state/ran-{number}-{index}" ]', [(None, one) for one in back])
    if again and paths:
        lines += _only_if('[ "$changed" = 1 ] || [ -e "$state/again" ]', again)
    lines += ['if [ "$failed" = 0 ]; then', '    rm -rf "$state"', "else", '    : > "$state/again"', "fi"]
    reboot = f"told {quote(say('Then reboot once.'))}"
    return [*lines, f'[ "$changed" = 0 ] || {reboot}', 'exit "$failed"']


def _back(action: Action) -> list[str]:
    if action["op"] == "set-vm-key":
        present, absent = action["undo"]
        either = f'if [ -n "$old" ]; then {present}; else {absent}; fi'
        return [f"if kept_key {quote(action['vm'])} {quote(action['key'])}; then {either}; fi"]
    return [command for command in action["undo"] if not command.startswith("#")]


def _only_if(condition: str, commands: list[tuple[str | None, str]]) -> list[str]:
    """Commands that take something back, run if there is something to take back."""
    made = [
        (test, [f"told {quote('> ' + command)}", command, f'ran back "$?" {quote(command)}'])
        for test, command in dict.fromkeys(commands)
    ]
    return [f"if {condition}; then", *_where(made), "changed=1", "fi"]
