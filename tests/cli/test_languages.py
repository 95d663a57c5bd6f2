"""Every command in Chinese: what is for people is told in it, what is typed or was read stays as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from doctor import abroad
from doctor.abroad import Interpreter
from doctor.cli import main
from doctor.collect import gather, say
from doctor.collect.model import Collected, Entry
from doctor.evidence.bundle import from_collected
from doctor.evidence.kinds import all_kinds
from doctor.examine import Terms, examine_host
from doctor.facts.sheet import Sheet
from doctor.knowledge.store import load
from doctor.say import speak

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
WIDE = re.compile("[\u4e00-\u9fff]")
ENTRIES = [
    Entry("proc/cmdline", b"quiet nameserver=10.1.2.3\n", "file"),
    Entry("etc/hosts", b"".join(b"10.1.2.%d x%d\n" % (at, at) for at in range(60)), "file"),
    Entry("cmd/dmesg", b"", "command", "dmesg", "denied", "Operation not permitted"),
    Entry("cmd/lspci-nnk", b"", "command", "lspci -Dnnk", "absent", "lspci is not installed"),
    Entry("sys/bus/pci/devices/0000:01:00.0/config", bytes(64), "file", None, "cut", "only the first 64 bytes"),
]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    yield
    speak()
    say.speak()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host for the collector."""
    whole = Collected({entry.path: entry for entry in ENTRIES}, "2024-05-01T12:34:56Z", "1", False)
    monkeypatch.setattr(gather, "gather", lambda *_: whole)


def told(capsys: pytest.CaptureFixture[str], *given: str, status: int = 0) -> str:
    """What a command says in Chinese on standard output."""
    assert main([*given, "--lang", "zh_CN"]) == status
    said = capsys.readouterr()
    assert said.err == ""
    return said.out


def english(text: str) -> list[str]:
    """The lines that are neither Chinese nor quoted: those that begin at the margin."""
    return [line for line in text.splitlines() if line and not line.startswith(" ") and not WIDE.search(line)]


def test_explain_every_check(capsys: pytest.CaptureFixture[str]) -> None:
    for rule in load()["rules"]:
        text = told(capsys, "explain", rule["id"])
        assert english(text) == []
        assert text.startswith(f"{rule['id']}：")
        assert [line for line in text.splitlines() if line.startswith("    ") and len(line) > 100] == []


def test_the_environment_is_enough(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert main(["explain", "iommu-active"]) == 0
    assert "如何判定" in capsys.readouterr().out
    assert main(["explain", "iommu-active", "--lang", "en"]) == 0
    assert "How it is judged" in capsys.readouterr().out


@pytest.mark.parametrize("action", ["list", "profiles"])
def test_rules(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "rules", action)
    assert english(text) == []
    assert len(text.splitlines()) > 10


def test_facts_and_what_was_read(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "facts", str(SAMPLES / "twin-3090ti.txt"))
    assert english(text) == []
    assert "\n事实（" in text and "（没有读取器能识别）" in text and "（输入中没有）" in text
    assert "  iommu.active = yes\n" in text


def test_collecting(host: None, capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "collect", "-o", "x.tar.gz")
    assert english(text) == []
    assert "未收集：cmd/lspci-nnk（未安装 lspci）" in text
    assert "未收集：cmd/dmesg（不允许的操作）" in text
    assert "不完整：sys/bus/pci/devices/*/config（只有前 64 字节）" in text
    assert main(["collect", "-o", "x.tar.gz", "--lang", "zh_CN"]) == 2
    assert "文件已存在，不会覆盖" in capsys.readouterr().err
    told(capsys, "redact", "x.tar.gz", "-o", "y.tar.gz")
    assert english(told(capsys, "redact", "y.tar.gz", "--audit")) == []


def test_a_preview_and_the_catalogue(host: None, capsys: pytest.CaptureFixture[str]) -> None:
    """The tool's own lines are told, those of files are not."""
    text = told(capsys, "collect", "--preview")
    heads = [line for line in text.splitlines() if line.startswith(("==", "…")) or line.endswith("。")]
    assert len(heads) > 4 and english("\n".join(heads)) == []
    assert "quiet nameserver=[*198.18." in text
    assert "用于 " in told(capsys, "collect", "--list")


def test_english_again_after_chinese(host: None, capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "collect", "-o", "x.tar.gz")
    assert main(["collect", "-o", "y.tar.gz"]) == 0
    assert not WIDE.search(capsys.readouterr().out)


def test_an_ill_host_is_collected_all_the_same(
    host: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the language is lacking does not keep the evidence from being gathered."""

    def broken(*_: object) -> Any:
        raise ValueError("no rules")

    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    monkeypatch.setattr("doctor.knowledge.store.load", broken)
    assert main(["collect", "-o", "x.tar.gz"]) == 0
    assert "pieces of evidence" in capsys.readouterr().out


def test_a_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    names = [str(SAMPLES / "lab" / f"{name}.tar.gz") for name in ("ids-lack-companion", "healthy-intel")]
    text = told(capsys, "compare", *names, status=1)
    assert english(text) == []
    assert "已修复的问题" in text


def test_notes_of_an_input() -> None:
    """Of a bundle by an ordinary user, with a note, that was changed afterwards."""
    warning = "The bundle lacks what its manifest lists: a/b. What that held is not known."
    whole = Collected({}, "2024-05-01T12:34:56Z", "1", False, "forum", "Hallo there", (warning,), False)
    known = load(None, "zh_CN")
    _, report = examine_host(from_collected(whole, "bundle", "x"), Terms(), known)
    for part in ("由普通用户收集", "收集者的备注：Hallo there", "证据包缺少清单中列出的内容：a/b。"):
        assert any(part in note for note in report["notes"]), part


def test_every_kind_of_archive_says_in_chinese_what_it_lacks() -> None:
    tell = Interpreter("zh_CN", load(None, "zh_CN")["texts"]).tell
    for kind in all_kinds():
        lacks = "; ".join(words for _, words in kind.never)
        line = f"{kind.name[:1].upper()}{kind.name[1:]} does not hold {lacks}. "
        said = tell(line + "What needs them stays open until somebody runs the command beside it on the host.")
        assert not re.search(r"\b(the|a|does|not|until)\b", said), said


def test_what_is_told_of_inputs_is_said_somewhere() -> None:
    """A line that nobody writes any more has no business in the table."""
    files = [*(ROOT / "doctor" / "evidence").rglob("*.py"), *(ROOT / "doctor" / "collect").rglob("*.py")]
    code = re.sub(
        r'"\s*\n\s*f?"', "", "\n".join(path.read_text("utf-8") for path in [*files, ROOT / "doctor/redacting.py"])
    )
    code = code.lower()
    for text in (*abroad.REASONS, *abroad.NOTES):
        for part, *_ in Formatter().parse(text):
            for sentence in re.split("[.:;] ", part.lower()):
                words = sentence.strip(" ,;:().")
                assert words in code, (text, words)


def test_a_sheet_without_anything_has_its_headings() -> None:
    from doctor.evidence.types import Evidence
    from doctor.report.factsheet import as_text

    lines = as_text(Evidence("paste", "x", [], notes=("abc",)), Sheet([], [], [], []), tell=str.upper).splitlines()
    assert lines[:2] == ["x: paste", "  ABC"]
