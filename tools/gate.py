"""The gate of the rules: every case is judged as it says, and every declared status has a case.

Usage: gate.py [FOLDER]. A folder other than `rules/` is judged with the project's own rules around it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from doctor.diagnosis.cases import all_cases, judge, missing
from doctor.knowledge.compile import KnowledgeError
from doctor.knowledge.store import load

OWN = Path(__file__).resolve().parent.parent / "rules"


def main() -> int:
    """Print what is wrong, one line each, then a count; 1 if anything is wrong."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else OWN
    try:
        knowledge = load(None if folder.resolve() == OWN else str(folder))
        cases = list(all_cases(folder))
    except KnowledgeError as error:
        sys.stderr.write(f"gate: {error}\n")
        return 1
    wrong = [f"{case.path}: {case.label}: {what}" for case in cases for what in judge(case, knowledge)]
    rules = {str(case.rule["id"]): case for case in cases}
    wrong += [f"{case.path}: {name}: {what}" for name, case in rules.items() for what in missing(case.rule)]
    # A rule without a single case is not seen through its cases.
    bare = [rule["id"] for rule in knowledge["rules"] if rule["id"] not in rules] if folder.resolve() == OWN else []
    wrong += [f"{name}: it has no case" for name in bare]
    sys.stdout.write("".join(f"{line}\n" for line in wrong))
    sys.stdout.write(f"{len(rules)} rules, {len(cases)} cases, {len(wrong)} wrong\n")
    return int(bool(wrong or not cases))


if __name__ == "__main__":
    sys.exit(main())
