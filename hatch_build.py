"""Puts the knowledge into the wheel: its sources, the templates and the code made of them, and the rules compiled
to one JSON file a language; and beside it the manual page and the completions.

An editable installation gets none of it: it reads the checkout, and a copy beside it would grow old.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.builders.utils import get_reproducible_timestamp

COPIED = ("rules", "report_templates")


class KnowledgeHook(BuildHookInterface[BuilderConfig]):
    """Compiles `rules/` and adds everything that a check reads to `doctor/data/`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the knowledge to what the wheel holds."""
        if version == "editable":
            return
        # Held by the hook, because the files must live until the wheel is written.
        self._compiled = TemporaryDirectory(prefix="passdoctor-build-")
        languages = sorted(path.stem for path in (Path(self.root) / "rules" / "locale").glob("*.po"))
        included = {str(Path(self.root) / name): f"doctor/data/{name}" for name in COPIED}
        for language in ("", *languages):
            target = Path(self._compiled.name) / (f"rules.{language}.json" if language else "rules.json")
            self._compile(target, language)
            included[str(target)] = f"doctor/data/{target.name}"
        code = Path(self._compiled.name) / "templates"
        self._of_the_tree("doctor.report.templates").compile_into(code)
        included[str(code)] = "doctor/data/templates"
        build_data["force_include"].update(included)
        build_data["shared_data"].update(self._beside())

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled: the wheel holds it now."""
        if version != "editable":
            self._compiled.cleanup()

    def _beside(self) -> dict[str, str]:
        """The manual page and the completions, by the files that hold them until the wheel is written."""
        found = {}
        for place, text in self._of_the_tree("doctor.shipped").files(get_reproducible_timestamp()).items():
            kept = Path(self._compiled.name) / Path(place).name
            kept.write_text(text, "utf-8")
            found[str(kept)] = place
        return found

    def _of_the_tree(self, name: str) -> Any:
        sys.path.insert(0, self.root)
        try:
            return import_module(name)
        except ImportError as error:
            self._stop(f"{name} cannot be imported: {error}")
        finally:
            sys.path.remove(self.root)

    def _compile(self, target: Path, language: str) -> None:
        compiler = self._of_the_tree("doctor.knowledge.compile")
        try:
            compiler.write(Path(self.root) / "rules", target, language)
        except compiler.KnowledgeError as error:
            self._stop(f"the rules are wrong: {error}")
        if not target.is_file():
            self._stop("doctor.knowledge.compile.write wrote no file")

    def _stop(self, why: str) -> None:
        self.app.abort(f"passdoctor: no wheel can be built: {why}")
