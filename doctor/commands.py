"""The commands beside `check`: their options, and what each calls. None of them is imported for a check."""

from __future__ import annotations

import os
import sys

from doctor import output
from doctor.cli import USAGE, judged, judging_options, language_option, rare
from doctor.output import Progress, complain, put

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

    from doctor.examine import Terms

PLANS = ("terminal", "sh", "diff", "json")


def _input_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", nargs="?", metavar="INPUT", help="as of check; none: this host")


def _output_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="FILE", help="a file in place of standard output")


def _device_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", action="append", default=[], metavar="DEVICE", help="as of check; repeatable")


def _plan_options(plan: argparse.ArgumentParser) -> None:
    plan.usage = "passdoctor plan [INPUT] [OPTION]..."
    _input_options(plan)
    _device_option(plan)
    plan.add_argument(
        "--format",
        "-f",
        choices=PLANS,
        default="terminal",
        metavar="FORMAT",
        help="terminal, sh (a script), diff (the edits) or json",
    )
    _output_option(plan)
    plan.add_argument("--undo", action="store_true", help="with sh: the script that takes the plan back")
    plan.add_argument("--optional", action="store_true", help="with sh: what is optional, too")
    judging_options(plan).add_argument(
        "--i-know", action="store_true", help="a script even if it takes from the host what it needs"
    )
    plan.set_defaults(run=_plan)


def _facts_options(facts: argparse.ArgumentParser) -> None:
    facts.usage = "passdoctor facts [INPUT] [OPTION]..."
    _input_options(facts)
    facts.add_argument(
        "--format", "-f", choices=("text", "json"), default="text", metavar="FORMAT", help="text or json"
    )
    _output_option(facts)
    language_option(facts)
    facts.set_defaults(run=_facts)


def _compare_options(compare: argparse.ArgumentParser) -> None:
    compare.usage = "passdoctor compare BEFORE [AFTER] [OPTION]..."
    compare.add_argument("before", metavar="BEFORE", help="as of check, or a JSON report that it wrote")
    compare.add_argument("after", nargs="?", metavar="AFTER", help="the same; none: this host")
    _device_option(compare)
    compare.add_argument(
        "--format", "-f", choices=("terminal", "json"), default="terminal", metavar="FORMAT", help="terminal or json"
    )
    _output_option(compare)
    judging_options(compare)
    compare.set_defaults(run=_compare)


def _explain_options(explain: argparse.ArgumentParser) -> None:
    explain.usage = "passdoctor explain CHECK [OPTION]..."
    explain.add_argument("check", metavar="CHECK", help="its id")
    explain.add_argument("--rules", metavar="PATH", help="rules of your own beside the built-in ones")
    language_option(explain)
    explain.set_defaults(run=_explain)


def _rules_options(rules: argparse.ArgumentParser) -> None:
    rules.usage = "passdoctor rules ACTION [OPTION]..."
    rules.add_argument("action", choices=("list", "lint", "profiles"), metavar="ACTION", help="list, lint or profiles")
    rules.add_argument("--rules", metavar="PATH", help="rules of your own, a file or a folder")
    language_option(rules)
    rules.set_defaults(run=_rules)


def _collect_options(collect: argparse.ArgumentParser) -> None:
    from doctor.collect.__main__ import fill

    collect.usage = "passdoctor collect [OPTION]..."
    fill(collect, rare(collect))
    language_option(collect)
    collect.set_defaults(run=_collect)


def _redact_options(redact: argparse.ArgumentParser) -> None:
    redact.usage = "passdoctor redact INPUT [OPTION]..."
    redact.add_argument("input", metavar="INPUT", help="a bundle, a folder, another tool's archive, a paste, or -")
    redact.add_argument("-o", "--output", metavar="FILE", help="a new file, of the same kind")
    redact.add_argument("--map", metavar="FILE", help="a new file for what stands for what; keep it to yourself")
    redact.add_argument("--audit", action="store_true", help="write nothing; say what still looks private (exit 1)")
    language_option(redact)
    redact.set_defaults(run=_redact)


def _case_options(case: argparse.ArgumentParser) -> None:
    case.usage = "passdoctor case INPUT [OPTION]..."
    case.add_argument("input", metavar="INPUT", help="as of check")
    case.add_argument("--check", metavar="CHECK", help="the check that the case is for")
    case.add_argument("--device", metavar="DEVICE", help="as of check")
    case.add_argument("--expect", metavar="STATUS", help="the status that it should have, if not the present one")
    _output_option(case)
    case.set_defaults(run=_case)


def _completion_options(completion: argparse.ArgumentParser) -> None:
    completion.usage = "passdoctor completion SHELL"
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="bash, zsh or fish")
    completion.set_defaults(run=_completion)


OPTIONS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "plan": _plan_options,
    "facts": _facts_options,
    "compare": _compare_options,
    "explain": _explain_options,
    "rules": _rules_options,
    "collect": _collect_options,
    "redact": _redact_options,
    "case": _case_options,
    "completion": _completion_options,
}


def _terms(options: argparse.Namespace) -> Terms:
    """How an input is to be judged."""
    from doctor.examine import Terms

    return Terms(tuple(options.device), **judged(options))


def _spoken(options: argparse.Namespace) -> dict[str, Any]:
    """The knowledge in the language that is asked for, with the user's own rules, and that language is spoken."""
    from doctor.knowledge.store import choose_language, load
    from doctor.say import speak

    known = load(getattr(options, "rules", None), choose_language(options.lang, os.environ))
    speak(known.get("language", ""), known.get("texts"))
    return known


def _collector_speaks(known: dict[str, Any]) -> None:
    """The collector says its texts in the language of `known`."""
    from doctor.collect.say import speak

    speak(known.get("texts"), output.interpret)


def _plan(options: argparse.Namespace) -> int:
    """`passdoctor plan INPUT`."""
    from doctor.examine import plan

    progress = Progress()
    try:
        # A script does what is needed; what a person reads names the rest as well.
        terms = _terms(options)._replace(optional=options.optional or options.format != "sh")
        how = {"undo": options.undo, "knowing": options.i_know} if options.format == "sh" else {}
        text = plan(options.input, terms, options.format, progress.say, **how)
    finally:
        progress.end()
    return USAGE if put(text, options.output) else 0


def _compare(options: argparse.Namespace) -> int:
    """`passdoctor compare BEFORE AFTER`."""
    from doctor.compare import compare_inputs
    from doctor.report import comparison

    _spoken(options)  # two reports are compared without anything being examined
    progress = Progress()
    try:
        found = compare_inputs(options.before, options.after, _terms(options), progress.say)
    finally:
        progress.end()
    plain = None if options.output in (None, "-") else False
    text = comparison.as_json(found) if options.format == "json" else comparison.as_text(found, colour=plain)
    return USAGE if put(text, options.output) else int(bool(found["broken"]))


def _facts(options: argparse.Namespace) -> int:
    """`passdoctor facts INPUT`."""
    from doctor.examine import facts
    from doctor.report import factsheet

    progress = Progress()
    try:
        _spoken(options)
        found = facts(options.input, progress.say)
    finally:
        progress.end()
    if options.format == "json":
        text = factsheet.as_json(*found)
    else:
        text = factsheet.as_text(*found, tell=output.interpret or str)
    return USAGE if put(text, options.output) else 0


def _explain(options: argparse.Namespace) -> int:
    """`passdoctor explain CHECK`."""
    from doctor.explain import explain

    return USAGE if put(explain(options.check, _spoken(options)), None) else 0


def _rules(options: argparse.Namespace) -> int:
    """`passdoctor rules list|lint|profiles`."""
    if options.action in ("list", "profiles"):
        from doctor import explain

        text = (explain.listing if options.action == "list" else explain.profiles)(_spoken(options))
        return USAGE if put(text, None) else 0
    from doctor.lint import lint

    problems = lint(options.rules)
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    if not problems:
        put("rules: no problem found", None)
    return USAGE if problems else 0


def _collect(options: argparse.Namespace) -> int:
    """`passdoctor collect`: the collector's texts are the collector's own, in the language that is asked for."""
    from doctor.collect.__main__ import run
    from doctor.knowledge.document import KnowledgeError

    try:
        _collector_speaks(_spoken(options))
    except (KnowledgeError, OSError, ValueError):
        if options.lang is not None:
            raise
        # An ill host is collected all the same, in English.
    return run(options)


def _redact(options: argparse.Namespace) -> int:
    """`passdoctor redact INPUT`."""
    from doctor.redacting import audit_input, redact_input
    from doctor.say import say

    _collector_speaks(_spoken(options))
    if options.audit:
        leaks = audit_input(options.input)
        told = say("{count} found", count=len(leaks)) if leaks else say("nothing found")
        put("\n".join([*leaks, told]), None)
        return int(bool(leaks))
    if options.output is None:
        complain("redact: name a new file with -o, or --audit")
        return USAGE
    return USAGE if put("\n".join(redact_input(options.input, options.output, options.map)), None) else 0


def _case(options: argparse.Namespace) -> int:
    """`passdoctor case INPUT`."""
    from doctor.case import write_case

    text = write_case(options.input, options.check, options.device, options.expect)
    return USAGE if put(text, options.output) else 0


def _completion(options: argparse.Namespace) -> int:
    """`passdoctor completion SHELL`."""
    from doctor.cli import _parser
    from doctor.completion import script

    return USAGE if put(script(_parser(), options.shell), None) else 0
