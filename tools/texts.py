"""The texts that are translated: writes the template and merges it into every catalogue, or says what is wrong.

Usage: texts.py [--check]. The template is rules/locale/passdoctor.pot; a catalogue is rules/locale/LANG.po.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

from doctor.knowledge.document import Document, read
from doctor.knowledge.translate import FOLDER, TEMPLATE, entries, kind_of, texts, wrong
from doctor.report.script import LIBRARY
from doctor.report.shellwords import messages

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "rules"
# Names of tables whose values are texts; everything else that code says stands in a call of `say`.
TABLES = {
    "doctor/report/words.py": ("ENGLISH",),
    "doctor/facts/device.py": ("_KINDS",),
    "doctor/diagnosis/targets.py": ("_BINDS",),
    "doctor/facts/topology.py": ("FUNCTIONS",),
    "doctor/cli.py": ("_COMMANDS", "_EXAMPLES", "RARE"),
    "doctor/abroad.py": ("ARGPARSE", "SYSTEM", "REASONS", "NOTES", "STATES", "ENDS"),
    "doctor/collect/redact_classes.py": ("CLASSES",),
    "doctor/explain.py": ("_SCOPES",),
}
# Errors are raised in English and said in another language when they are printed (doctor/abroad.py). Those of the
# compiler of rules are for who writes rules, and stay English.
ERRORS = (
    *("InputError", "UnknownDevice", "CaseError", "KnowledgeError", "PangoMissing", "NoCompletion"),
    *("ArgumentTypeError", "complain", "progress"),
)
COMPILER = ("doctor/knowledge/", "doctor/lint/", "doctor/diagnosis/cases.py")
SAID = ("doctor/knowledge/store.py",)  # of these, what anybody may meet
HELP = ("help", "description", "epilog", "title")
HELPS = ("doctor/cli.py", "doctor/commands.py", "doctor/deliver.py", "doctor/collect/__main__.py")
_READ_ALL = ("profiles",)  # their values stay as they are written
Found = tuple[str, int, str, list[str]]


def of_rules(rules: Path) -> Iterator[Found]:
    """Every text of the folder `rules`: file, line, text, comments."""
    for path in sorted(rules.rglob("*.yaml")):
        kind = kind_of(path, rules)
        document: Document = read(path, texts=kind in _READ_ALL)
        for trail, text in texts(kind, document.value):
            yield f"rules/{path.relative_to(rules).as_posix()}", document.place(trail)[0], text, []


def of_shell(root: Path) -> Iterator[Found]:
    """Every sentence of the functions that a script is made of."""
    name = f"report_templates/{LIBRARY}"
    path = root / name
    for number, line in enumerate(path.read_text("utf-8").splitlines() if path.is_file() else (), 1):
        yield from ((name, number, text, []) for text in messages(line))


def of_code(root: Path) -> Iterator[Found]:
    """Every text that code says."""
    for path in sorted((root / "doctor").rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if name == "doctor/say.py":
            continue
        with path.open("rb") as file:
            for line, text, comments, _ in extract("python", file, {"say": None}, ["Translators:"]):
                if text and isinstance(text, str):
                    yield name, line, text, [str(one) for one in comments]
        tree = ast.parse(path.read_bytes())
        yield from ((name, line, text, []) for line, text in _said_within(tree))
        for table in TABLES.get(name, ()):
            yield from ((name, line, text, []) for line, text in _table(tree, table))
        if name in HELPS:
            yield from ((name, line, text, []) for line, text in _help(tree))
        if name in SAID or not name.startswith((*COMPILER, "doctor/collect/")):
            yield from ((name, line, text, []) for line, text in _errors(tree))


def _said_within(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of what is said inside an f-string, which Babel does not look into."""
    for holder in ast.walk(tree):
        if isinstance(holder, ast.JoinedStr):
            for node in ast.walk(holder):
                if (
                    isinstance(node, ast.Call)
                    and _called(node.func) == "say"
                    and isinstance(node.args[0], ast.Constant)
                ):
                    yield node.lineno, str(node.args[0].value)


def _errors(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of every error for people, with numbers for what is filled in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node.func) in ERRORS and node.args:
            text = "".join(_parts(node.args[0]))
            numbered = "".join(f"{{{at - 1}}}{part}" if at else part for at, part in enumerate(text.split("\0")))
            if any(char.isalpha() for char in text) or ":" in text:
                yield node.lineno, numbered


def _called(node: ast.expr) -> str:
    """The name of what is called: `progress` also for `progress.say`."""
    held = node.value if isinstance(node, ast.Attribute) and node.attr == "say" else node
    return held.id if isinstance(held, ast.Name) else ""


def _parts(node: ast.expr) -> Iterator[str]:
    """The literal pieces of a text that is put together, and a NUL for each that is not literal."""
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.JoinedStr):
        for value in node.values:
            yield from _parts(value)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _parts(node.left)
        yield from _parts(node.right)
    else:
        yield "\0"


def _help(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of what argparse is told to say."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword):
            named = node.arg in HELP
        else:
            named = isinstance(node, ast.Assign) and any(getattr(one, "attr", "") in HELP for one in node.targets)
        if named and isinstance(node, (ast.keyword, ast.Assign)) and isinstance(node.value, ast.Constant):
            yield node.value.lineno, str(node.value.value)


def _table(tree: ast.Module, name: str) -> Iterator[tuple[int, str]]:
    """Line and text of each value of the table `name`, or of the names that it is assigned with, in a module."""
    for node in tree.body:
        names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None and name in names:
            held: list[ast.expr] = node.value.values if isinstance(node.value, ast.Dict) else [node.value]
            for value in (one for part in held for one in ast.walk(part)):
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.lineno, value.value


def template(root: Path = ROOT, rules: Path = RULES) -> Catalog:
    """All texts of the rules and of the code, each once, with every place that has it."""
    catalogue = Catalog(project="passdoctor", version="", charset="utf-8")
    for name, line, text, comments in (*of_rules(rules), *of_code(root), *of_shell(root)):
        catalogue.add(text, locations=[(name, line)], auto_comments=comments)
    return catalogue


def written(catalogue: Catalog) -> bytes:
    """A template as a file; without dates, so that the same texts give the same file."""
    target = BytesIO()
    write_po(target, catalogue, omit_header=True, sort_by_file=True, width=120)
    head = (
        "# The texts of passdoctor: `make texts` renews this file. docs/translating.md tells how to translate it.\n"
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n\n'
    )
    return head.encode() + target.getvalue()


def problems(folder: Path, catalogue: Catalog) -> list[str]:
    """What is wrong with the template and the catalogues in `folder`, one line each."""
    path = folder / TEMPLATE
    known = {str(one.id) for one in catalogue if one.id}
    held = {english for english, _, _ in entries(path)} if path.is_file() else set()
    found = [f"{path}: {english!r} is missing: run make texts" for english in sorted(known - held)]
    found += [f"{path}: {english!r} is no text any more: run make texts" for english in sorted(held - known)]
    for path in sorted(folder.glob("*.po")):
        for english, told, _ in entries(path):
            if english not in known:
                found.append(f"{path}: {english!r} is obsolete")
            elif told and (what := wrong(english, told)):
                found.append(f"{path}: {english!r}: {what}")
        told_ones = {english for english, told, fuzzy in entries(path) if told.strip() and not fuzzy}
        found += [f"{path}: {english!r} is not translated" for english in sorted(known - told_ones)]
    return found


def renew(folder: Path, catalogue: Catalog) -> list[str]:
    """Writes the template, and merges it into every catalogue in `folder`; what was done, one line each."""
    folder.mkdir(exist_ok=True)
    (folder / TEMPLATE).write_bytes(written(catalogue))
    done = [f"{TEMPLATE}: {len(catalogue)} texts"]
    for path in sorted(folder.glob("*.po")):
        with path.open("rb") as file:
            own = read_po(file, locale=path.stem, abort_invalid=True)
        own.update(catalogue, update_creation_date=False)
        with path.open("wb") as file:
            write_po(file, own, sort_by_file=True, width=120)
        told = sum(1 for one in own if one.id and one.string and not one.fuzzy)
        done.append(f"{path.name}: {told} of {len(catalogue)} texts are translated, {len(own.obsolete)} are obsolete")
    return done


def main() -> int:
    """Renew everything; with --check say what is wrong instead, and return 1 if anything is."""
    folder = RULES / FOLDER
    checking = sys.argv[1:] == ["--check"]
    lines = problems(folder, template()) if checking else renew(folder, template())
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return int(checking and bool(lines))


if __name__ == "__main__":
    sys.exit(main())
