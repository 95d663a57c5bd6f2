"""Writes docs/platforms.md: how each step of a plan is proven on each platform, from rules/platforms/.

Usage: matrix.py [--check]. A step of which no platform file says how it is proven is an error.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from doctor.treatment.platforms import FALLBACK, NOT_PLATFORMS, resolve
from doctor.treatment.proofs import FILE_STEPS, HOST_STEPS, LOADER_STEPS, Proof, cell

ROOT = Path(__file__).resolve().parent.parent
PLATFORMS = ROOT / "rules" / "platforms"
PAGE = ROOT / "docs" / "platforms.md"
MARKS = {"run": "run", "documented": "documented", "impossible": "not possible"}
NAMES = {
    "add_parameter": "add a parameter",
    "remove_parameter": "remove one",
    "replace_parameter": "replace one",
    "bootloader": "boot loader update",
    "load_modules": "load modules",
    "unload_modules": "unload modules",
    "module_option": "module option",
    "softdep": "softdep",
    "blacklist": "blacklist",
    "remove_line": "remove a line",
    "bind_ids": "bind by id",
    "bind_addresses": "bind by address",
    "initramfs": "initramfs rebuild",
    "reboot": "reboot",
    "firmware_reboot": "reboot into firmware setup",
    "power_cycle": "power cycle",
    "vm_config": "VM configuration",
}
HEAD = """# Platforms and steps

<!-- Written by tools/matrix.py from rules/platforms/; `make matrix` renews it. -->

What a [plan](rules.md) prescribes is carried out differently on each system; `rules/platforms/` says how. This page
says how well each way is proven.

- **run**: the edits and commands were carried out and their outcome was looked at: the boot entries, the files, the
  content of the initramfs. The footnote says with which programs. Those of Debian are tried by `make roots`, with the
  scripts of `passdoctor plan --format sh` as they are, taking back included (`tools/roots.py`); the others were their
  projects' own programs, put into a Debian root once, by hand.
- **documented**: taken from the documentation or source that the footnote names, and not carried out. A plan says so.
- **not possible**: there is no such way on that system, and the plan does not offer it; the footnote says why.

No kernel is booted for this page. That a parameter on the command line and a line of modprobe.d in the initramfs have
their effect is what [the lab](lab.md) shows. Steps that only a person can do (a firmware setting, another slot, other
hardware) are the same everywhere and are not listed, and neither are literal commands.
"""
TABLES = (
    (
        "The kernel's command line",
        "By what a system boots with. `Any other` has the loaders that are configured alike wherever they are met.",
    ),
    ("Modules and the initramfs", "By the tool that builds the initramfs. Without one, the system does it by itself."),
    ("The machine", ""),
)


class Row(NamedTuple):
    """A line of a table: its first two cells, and a proof for each step."""

    title: str
    part: str
    proofs: dict[str, Proof | None]


def platforms() -> dict[str, Any]:
    """Every platform file by its stem."""
    return {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in sorted(PLATFORMS.glob("*.yaml"))}


def tables(files: Mapping[str, Any]) -> list[list[Row]]:
    """The rows of the three tables."""
    stems = sorted((one for one in files if one not in NOT_PLATFORMS), key=lambda one: (one == FALLBACK, one))
    found: list[list[Row]] = [[], [], []]
    for stem in stems:
        data = resolve(files, stem)
        title = "Any other" if stem == FALLBACK else str(data["title"])
        for loader in _loaders(files, stem, stems):
            steps = {step: cell(data, step, loader, None) for step in LOADER_STEPS}
            found[0].append(Row(title, str(data["boot"][loader].get("title", loader)), steps))
        for tool in _tools(files, stem):
            name = str(data["tools"][tool].get("title", tool)) if tool else "-"
            found[1].append(Row(title, name, {step: cell(data, step, _alone(data), tool) for step in FILE_STEPS}))
        for loader in _loaders(files, stem, stems):
            alone = [cell({"boot": data["boot"]}, step, loader, None) for step in FILE_STEPS]
            if any(alone) and loader != _alone(data):
                name = f"with {data['boot'][loader].get('title', loader)}"
                tool = data["initramfs"].get("default")
                found[1].append(Row(title, name, {step: cell(data, step, loader, tool) for step in FILE_STEPS}))
        found[2].append(Row(title, "", {step: cell(data, step, None, None) for step in HOST_STEPS}))
    return found


def _alone(data: Mapping[str, Any]) -> str | None:
    """The loader of a system that always has the same one and no initramfs tool of its own."""
    return None if data.get("initramfs", {}).get("default") else data.get("assume")


def _chain(files: Mapping[str, Any], stem: str) -> Iterator[Mapping[str, Any]]:
    """A file and what it extends, without what all have in common."""
    while stem not in NOT_PLATFORMS:
        yield files[stem]
        stem = files[stem]["extends"]


def _own_loaders(files: Mapping[str, Any], stem: str) -> list[str]:
    """The loaders that the file, or one that it extends, speaks of."""
    named: list[str] = []
    for one in _chain(files, stem):
        both = (one.get("both") or {}).get("ways", ())
        named += [*one.get("boot", {}), *filter(None, [one.get("assume")]), *(way["loader"] for way in both)]
    return list(dict.fromkeys(named))


def _loaders(files: Mapping[str, Any], stem: str, stems: Sequence[str]) -> list[str]:
    """Those, in the order of the merged file; the fallback takes those of which no other file speaks."""
    own = _own_loaders(files, stem)
    if stem == FALLBACK:
        others = {loader for one in stems if one != stem for loader in _own_loaders(files, one)}
        generic = [
            loader
            for loader in files["common"]["boot"]
            if loader not in others or "proofs" not in files["common"]["boot"][loader]
        ]
        own += generic
    return [loader for loader in resolve(files, stem)["boot"] if loader in own]


def _tools(files: Mapping[str, Any], stem: str) -> list[str | None]:
    """The initramfs tools that the file, or one that it extends, speaks of; None if there is none."""
    usual = resolve(files, stem).get("initramfs", {}).get("default")
    named = [tool for one in _chain(files, stem) for tool in one.get("initramfs", {}).get("tell", ())]
    return list(dict.fromkeys([usual, *named]))


def missing(found: list[list[Row]]) -> list[str]:
    """The cells that are empty."""
    return [
        f"{row.title}, {row.part}: {step}"
        for rows in found
        for row in rows
        for step, proof in row.proofs.items()
        if proof is None
    ]


def page(found: list[list[Row]]) -> str:
    """The page."""
    notes: dict[str, int] = {}
    text = [HEAD]
    for (title, told), rows in zip(TABLES, found, strict=True):
        parts = [f"## {title}", *filter(None, [told])]
        first = ["Platform", *(["By"] if rows[0].part else [])]
        lines = [_line([*first, *(NAMES[step] for step in rows[0].proofs)])]
        lines.append("|" + "---|" * (len(first) + len(rows[0].proofs)))
        for row in rows:
            cells = [_cell(proof, notes) for proof in row.proofs.values()]
            lines.append(_line([row.title, *filter(None, [row.part]), *cells]))
        text += ["\n\n".join([*parts, "\n".join(lines)]) + "\n"]
    told_of = "\n".join(f"{number}. {note}" for note, number in notes.items())
    return "\n".join([*text, f"## With what, where, why\n\n{told_of}\n"])


def _cell(proof: Proof | None, notes: dict[str, int]) -> str:
    if proof is None:
        return ""
    return f"{MARKS[proof.how]} {notes.setdefault(proof.told, len(notes) + 1)}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Write the page, or with --check say whether it is up to date."""
    found = tables(platforms())
    empty = missing(found)
    text = page(found)
    if empty:
        sys.stderr.write("\n".join(["no platform file says how these are proven:", *empty]) + "\n")
        return 1
    if "--check" in sys.argv[1:]:
        fresh = PAGE.exists() and PAGE.read_text("utf-8") == text
        sys.stderr.write("" if fresh else "docs/platforms.md is not up to date: run `make matrix`\n")
        return 0 if fresh else 1
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
