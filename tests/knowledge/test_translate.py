"""Other languages: what a catalogue holds is said, all else stays English, and the template is up to date."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from doctor.cli import main
from doctor.examine import Terms, examine
from doctor.knowledge import store
from doctor.knowledge.document import KnowledgeError
from doctor.knowledge.translate import wrong
from doctor.say import speak

ROOT = Path(__file__).resolve().parents[2]
PASTE = """root@pve:~# cat /proc/cmdline
BOOT_IMAGE=/boot/vmlinuz-6.8.12-4-pve root=/dev/mapper/pve-root ro quiet intel_iommu=off pcie_acs_override=downstream
root@pve:~# dmesg
[    0.000000] Linux version 6.8.12-4-pve (build@proxmox) #1 SMP
[    0.000000] Command line: BOOT_IMAGE=/boot/vmlinuz-6.8.12-4-pve root=/dev/mapper/pve-root ro quiet intel_iommu=off
[    0.004000] DMAR: [Firmware Bug]: No firmware reserved region can cover this RMRR
[    2.004000] vfio-pci 0000:01:00.0: BAR 0: can't reserve [mem 0xc0000000-0xcfffffff 64bit pref]
root@pve:~# lspci -nnk
00:00.0 Host bridge [0600]: Intel Corporation 8th Gen Core Processor Host Bridge [8086:3ec2] (rev 07)
01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GA106 [GeForce RTX 3060] [10de:2503] (rev a1)
	Kernel driver in use: nouveau
01:00.1 Audio device [0403]: NVIDIA Corporation GA106 High Definition Audio Controller [10de:228e] (rev a1)
	Kernel driver in use: snd_hda_intel
root@pve:~# cat /etc/modules
vfio_virqfd
"""
HOLE = re.compile(r"(\{\{.*?\}\}|\{[^{}]*\}|`[^`]*`)")
LETTERS = str.maketrans(
    {chr(code): chr(0xFF21 + code - 65) for code in range(65, 91)}
    | {chr(code): chr(0xFF41 + code - 97) for code in range(97, 123)}
)
# Words that every English sentence has some of, and that are no names.
ENGLISH = re.compile(
    r"(?<![\w/.=-])(the|this|that|is|are|was|were|not|of|and|with|it|its|for|to|be|has|have|by|from|which|cannot|on|"
    r"in|no|what|if|add|remove|put|line|more|other|unknown)(?![\w/.=-])"
)


def texts_tool() -> Any:
    """The module tools/texts.py."""
    spec = spec_from_file_location("texts_tool", ROOT / "tools" / "texts.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pseudo(text: str) -> str:
    """A text in the pseudo-language: in wide letters and between brackets, its placeholders as they were."""
    forms = text.split("|") if "|" in text and "{{" not in text and "inferred|" not in text else [text]
    return "|".join("⟦" + "".join(map(_wide, HOLE.split(form))) + "⟧" for form in forms)


def _wide(part: str) -> str:
    """A piece of a text in wide letters; of an expression, the words that its `if` shows."""
    if part.startswith("{{") and " if " in part:
        return re.sub(r"(\{\{ ?|else )('[^']*'|\"[^\"]*\")", lambda m: m[1] + m[2].translate(LETTERS), part)
    return part if HOLE.fullmatch(part) else part.translate(LETTERS)


def catalogue(path: Path, texts: dict[str, str]) -> None:
    """Writes a catalogue."""
    made = Catalog(charset="utf-8")
    for english, told in texts.items():
        made.add(english, told)
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        write_po(file, made)


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the rules for the store, without catalogues, and a cache of its own."""
    folder = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", folder, ignore=shutil.ignore_patterns("locale"))
    monkeypatch.setattr(store, "CHECKOUT", str(folder))
    monkeypatch.setattr(store, "SHIPPED", str(tmp_path / "none" / "rules.json"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    yield folder
    speak()


def check(tmp_path: Path, form: str, *options: str) -> str:
    """The report of the paste, in a format."""
    paste, out = tmp_path / "paste.txt", tmp_path / f"out.{form}"
    paste.write_text(PASTE, "utf-8")
    assert main(["check", str(paste), "--format", form, "-o", str(out), "--fail-on", "never", *options]) == 0
    return out.read_text("utf-8")


def told(report: dict[str, Any]) -> Iterator[str]:
    """Every text of a report that is written for people."""
    yield report["summary"]["headline"]
    yield from (one["because"] for one in (*report["targets"], *report["devices"]) if one["because"])
    for one in report["checks"]:
        yield from (one["title"], one["detail"], one["why"])
        yield from (step["summary"] for step in one["remedy"])
    for one in report["plan"]["steps"]:
        yield from (one["summary"], one["note"] or "", one["risk"] or "")
    for one in report["contradictions"]:
        yield one["resolved"]
    yield from (one["why"] for one in report["harmless"])
    yield from (*report["notes"], *report["plan"]["notes"])


class Words(HTMLParser):
    """The text of a page but for what is code, quoted or style."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self._closed = "", 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._closed += tag in ("code", "pre", "style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._closed -= tag in ("code", "pre", "style", "script")

    def handle_data(self, data: str) -> None:
        self.text += "" if self._closed else data + "\n"


def test_pseudo_language_leaves_no_english_sentence(rules: Path, tmp_path: Path) -> None:
    """All that people read is translated, in every format; what is no text is the same."""
    ids = [str(one.id) for one in texts_tool().template() if one.id]
    catalogue(rules / "locale" / "qps.po", {english: pseudo(english) for english in ids})
    english = json.loads(check(tmp_path, "json"))
    report = json.loads(check(tmp_path, "json", "--lang", "qps"))
    assert {one["status"] for one in report["checks"]} >= {"fail", "unknown", "not-applicable"}
    assert len(report["plan"]["steps"]) > 3
    assert [text for text in told(report) if ENGLISH.search(re.sub(r"`[^`]*`|\"[^\"]*\"", "", text))] == []
    for one, other in zip(english["checks"], report["checks"], strict=True):
        for key in ("id", "device", "status", "severity", "evidence", "wanted", "references"):
            assert one[key] == other[key]
    assert english["causes"] == report["causes"]
    assert [one["commands"] for one in english["plan"]["steps"]] == [one["commands"] for one in report["plan"]["steps"]]
    page = Words()
    html = check(tmp_path, "html", "--lang", "qps")
    page.feed(html)
    assert '<html lang="qps">' in html
    known = {re.sub(r"\s+", " ", text) for text in PASTE.splitlines()}
    left = [line for line in page.text.splitlines() if ENGLISH.search(re.sub(r"`[^`]*`|\"[^\"]*\"", "", line))]
    assert [line for line in left if not any(line.strip() in one for one in known)] == []
    screen = check(tmp_path, "terminal", "--lang", "qps")
    assert "⟦" in screen
    heads = [line for line in screen.splitlines() if line and not line.startswith(" ")]
    assert [line for line in heads if ENGLISH.search(line)] == []


def test_pseudo_language_over_all_samples(rules: Path) -> None:
    """No text of any sample's report is English."""
    ids = [str(one.id) for one in texts_tool().template() if one.id]
    catalogue(rules / "locale" / "qps.po", {english: pseudo(english) for english in ids})
    samples = sorted((ROOT / "samples").glob("*.t*"))
    assert len(samples) > 5
    for sample in samples:
        report: Any = examine(str(sample), terms=Terms(language="qps"))
        left = [text for text in told(report) if ENGLISH.search(re.sub(r"`[^`]*`|\"[^\"]*\"", "", text))]
        assert (sample.name, left) == (sample.name, [])


def test_what_a_catalogue_lacks_stays_english(rules: Path, tmp_path: Path) -> None:
    """One entry alone: the report is the English one but for it."""
    catalogue(rules / "locale" / "xx.po", {"READY": "⟦1⟧", "NOT READY": "⟦2⟧", "UNDETERMINED": "⟦3⟧"})
    plain = check(tmp_path, "terminal")
    one = check(tmp_path, "terminal", "--lang", "xx")
    assert "⟦2⟧" in one and "⟦" not in plain
    flat = " ".join(one.replace("⟦1⟧", "READY").replace("⟦2⟧", "NOT READY").replace("⟦3⟧", "UNDETERMINED").split())
    assert flat == " ".join(plain.split())


def test_other_placeholders_are_not_used(rules: Path) -> None:
    """A wrong or an unsure entry is passed over, so that nothing of a report is lost."""
    catalogue(rules / "locale" / "xx.po", {"Step {number}": "⟦{nummer}⟧", "Risk": "⟦r⟧"})
    assert store.load(None, "xx")["texts"] == {"Risk": "⟦r⟧"}


@pytest.mark.parametrize(
    ("asked", "environment", "found"),
    [
        ("zh_CN", {}, "zh_CN"),
        ("zh-cn", {"LANG": "C"}, "zh_CN"),
        ("en", {"LANG": "zh_CN.UTF-8"}, ""),
        (None, {"LANG": "zh_CN.UTF-8"}, "zh_CN"),
        (None, {"LANG": "xx@euro"}, "xx"),
        (None, {"LANG": "xx_YY"}, "xx"),
        (None, {"LC_ALL": "C.UTF-8", "LANG": "zh_CN.UTF-8"}, ""),
        (None, {"LC_ALL": "", "LC_MESSAGES": "zh_CN", "LANG": "xx"}, "zh_CN"),
        (None, {"LANG": "zh_TW"}, ""),
        (None, {"LANG": "../../etc/passwd"}, ""),
        (None, {}, ""),
    ],
)
def test_language_is_chosen(rules: Path, asked: str | None, environment: dict[str, str], found: str) -> None:
    """By its code, else by the environment; what is not there is English."""
    for name in ("zh_CN", "xx"):
        catalogue(rules / "locale" / f"{name}.po", {})
    assert store.choose_language(asked, environment) == found


@pytest.mark.parametrize("asked", ["fr", "../xx", "C", "", "zh_TW"])
def test_unknown_language_is_told(rules: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: str) -> None:
    """One line that lists what there is, and status 2."""
    catalogue(rules / "locale" / "xx.po", {})
    with pytest.raises(KnowledgeError, match=r"no such language: .*; there are en, xx$"):
        store.choose_language(asked, {})
    assert main(["check", str(tmp_path), "--lang", asked]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_changed_catalogue_is_compiled_anew(rules: Path) -> None:
    """The cache of a language follows its catalogue, and English does not depend on it."""
    catalogue(rules / "locale" / "xx.po", {"Risk": "⟦1⟧"})
    assert store.load(None, "xx")["texts"] == {"Risk": "⟦1⟧"}
    before = store.load()
    catalogue(rules / "locale" / "xx.po", {"Risk": "⟦2⟧"})
    assert store.load(None, "xx")["texts"] == {"Risk": "⟦2⟧"}
    assert store.load() == before and "texts" not in before and "language" not in before


def test_unreadable_catalogue_is_told(rules: Path) -> None:
    """With its file, in one line."""
    path = rules / "locale" / "xx.po"
    path.parent.mkdir()
    path.write_bytes(b'msgid "a\xff\nmsgstr [')
    with pytest.raises(KnowledgeError, match=r"xx\.po: cannot be read"):
        store.load(None, "xx")


@pytest.mark.parametrize(
    ("english", "other", "fits"),
    [
        ("bound to {{ d.driver }}", "⟦{{d.driver}}⟧", True),
        ("bound to {{ d.driver }}", "⟦{{ d.name }}⟧", False),
        ("bound to {{ d.driver }}", "⟦⟧", False),
        ("{{ a.b }}", "{{ a.b }} {{ a.b }}", False),
        ("{{ a.b }}", "{{ a.b", False),
        ("{{ 'on' if a.b else 'off' }}", "{{ '一' if a.b else '二' }}", True),
        ("{{ 'on' if a.b else 'off' }}", "{{ '一' if a.c else '二' }}", False),
        ("{a} and {b}", "{b} {a}", True),
        ("{a}", "{a.__class__}", False),
        ("{a}", "{a}{", False),
        ("{count} line|{count} lines", "{count}", True),
        ("{count} line|{count} lines", "{count}|{}", False),
        ("no hole", "{hole}", False),
    ],
)
def test_placeholders_are_held_against_the_english(english: str, other: str, fits: bool) -> None:
    """The same values in any order, and no others."""
    assert (wrong(english, other) == "") is fits


def test_template_and_catalogues_are_up_to_date() -> None:
    """If this fails, `make texts` was forgotten, or a catalogue is wrong."""
    tool = texts_tool()
    assert tool.problems(ROOT / "rules" / "locale", tool.template()) == []


def test_gate_sees_what_is_wrong(tmp_path: Path) -> None:
    """A text that is missing, one that is gone, obsolete ones and other placeholders."""
    tool = texts_tool()
    known = Catalog(charset="utf-8")
    for text in ("New", "Old {a}"):
        known.add(text, locations=[("doctor/x.py", 1)])
    tool.renew(tmp_path, known)
    assert tool.problems(tmp_path, known) == []
    catalogue(tmp_path / "xx.po", {"Old {a}": "{b}", "Gone": "x", "New": "y"})
    problems = "\n".join(tool.problems(tmp_path, known))
    assert "'Old {a}': it has {b} where the English has {a}" in problems
    assert "'Gone' is obsolete" in problems and "'New'" not in problems
    known.add("Newer")
    assert "'Newer' is missing: run make texts" in "\n".join(tool.problems(tmp_path, known))
    assert "1 are obsolete" in tool.renew(tmp_path, known)[1]


def test_say_falls_back_to_english() -> None:
    """A table that breaks a sentence does not break a report."""
    from doctor.say import say

    try:
        speak("xx", {"{a} b": "{nothing}", "c": "⟦c⟧"})
        assert (say("{a} b", a=1), say("c"), say("d")) == ("1 b", "⟦c⟧", "d")
    finally:
        speak()
