"""The catalogues that ship: complete, of the right form, and the command line speaks them."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from doctor import output
from doctor.abroad import Interpreter, asked, interpreter
from doctor.cli import main
from doctor.knowledge import store
from doctor.knowledge.translate import entries, wrong
from doctor.report.shellwords import messages, spoken
from doctor.say import sentences, speak

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = sorted((ROOT / "rules" / "locale").glob("*.po"))
WIDE = re.compile(r"[\u3400-\u9fff]")
# Chinese prose takes the full-width marks; a half-width one is right behind Latin letters, figures and closing marks.
HALF = re.compile(r"[\u3400-\u9fff][,;!?](?![\w=])")


def tool() -> Any:
    """The module tools/texts.py."""
    spec = spec_from_file_location("texts_tool", ROOT / "tools" / "texts.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> Any:
    """No language before a test, and none after it."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    yield
    speak()
    output.interpret = None


def test_there_is_chinese() -> None:
    assert [path.stem for path in CATALOGUES] == ["zh_CN"]


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_catalogue_says_every_text(path: Path) -> None:
    """No text is missing, unsure or has other placeholders."""
    held = {english: (told, fuzzy) for english, told, fuzzy in entries(path)}
    texts = [str(one.id) for one in tool().template() if one.id]
    assert len(texts) > 900
    assert [text for text in texts if not held.get(text, ("", False))[0].strip()] == []
    assert [english for english, (_, fuzzy) in held.items() if fuzzy] == []
    assert [english for english, (told, _) in held.items() if wrong(english, told)] == []


def test_gate_sees_a_text_that_is_not_translated(tmp_path: Path) -> None:
    from babel.messages.catalog import Catalog

    known = Catalog(charset="utf-8")
    known.add("New", locations=[("doctor/x.py", 1)])
    tool().renew(tmp_path, known)
    (tmp_path / "xx.po").write_text('msgid ""\nmsgstr ""\n\nmsgid "New"\nmsgstr ""\n', "utf-8")
    assert tool().problems(tmp_path, known) == [f"{tmp_path / 'xx.po'}: 'New' is not translated"]


def test_chinese_is_written_as_chinese() -> None:
    """Full-width marks in prose, and names that are typed stay as they are."""
    told = {english: told for english, told, _ in entries(ROOT / "rules" / "locale" / "zh_CN.po")}
    assert [text for text in told.values() if HALF.search(text)] == []
    for english, text in told.items():
        # In shell commands, parameters and paths nothing may be lost.
        for name in re.findall(r"`[^`]+`|/(?:etc|sys|proc|dev|boot)/[\w./-]*\w|\b[a-z_]+\.?[a-z_]+=\w+", english):
            assert name in text, (name, text)


@pytest.mark.parametrize("code", ["zh", "zh-CN", "zh_CN", "zh-Hans", "zh_Hans_CN", "zh-SG", "ZH-cn"])
def test_names_of_simplified_chinese(code: str) -> None:
    assert store.choose_language(code, {}) == "zh_CN"
    assert store.choose_language(None, {"LANG": code.replace("-", "_") + ".UTF-8"}) == "zh_CN"


@pytest.mark.parametrize("code", ["zh_TW", "zh-Hant", "zh_HK", "zh_Hant_TW"])
def test_traditional_chinese_is_another_language(code: str) -> None:
    assert store.choose_language(None, {"LANG": code}) == ""


@pytest.mark.parametrize(
    "command", [[], ["check"], ["plan"], ["facts"], ["compare"], ["explain"], ["rules"], ["redact"], ["case"]]
)
def test_help_is_chinese(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every line with words of English in it is a name, an example's command or a usage."""
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    text = capsys.readouterr().out
    assert text.startswith("用法：") and "选项:" in text
    assert re.findall(r"\b(?:the|of|usage|options|show this|with|which)\b", text) == []


def test_help_of_english_loads_no_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what costs nothing is not there."""
    import sys

    monkeypatch.delitem(sys.modules, "doctor.abroad")
    with pytest.raises(SystemExit):
        main(["check", "--help"])
    assert "doctor.abroad" not in sys.modules


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "/nowhere"], "passdoctor: /nowhere：没有那个文件或目录\n"),
        (["check", "{}", "--lang", "zh-Hans"], "passdoctor: {}：内容为空\n"),
        (
            ["explain", "no-such-thing-at-all"],
            "passdoctor: 没有这个检查项：no-such-thing-at-all；请参见：passdoctor rules list\n",
        ),
        (
            ["check", "--format", "html", "--format", "json"],
            "passdoctor: 只能有一个格式写到标准输出；其他格式请用 -o 指定文件\n",
        ),
        (["check", "/nowhere", "--lang", "xx"], "passdoctor: 没有这种语言：xx；可用的有 en, zh_CN\n"),
    ],
)
def test_errors_are_chinese(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    if arguments[1] == "{}":
        monkeypatch.delenv("LANG")
    assert main([word.format(empty) for word in arguments]) == 2
    assert capsys.readouterr().err == said.format(empty)


def test_wrong_arguments_are_told_in_chinese(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    with pytest.raises(SystemExit) as stopped:
        main(["check", "--format", "xml"])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("用法：")
    assert "错误：参数 --format/-f：无效的选择：'xml'（可选：'terminal', 'html'" in error and error.endswith("）\n")


def test_next_call_in_english_is_english(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What one call was told does not hold for the next."""
    assert main(["check", "/nowhere", "--lang", "zh"]) == 2
    assert main(["check", "/nowhere"]) == 2
    assert capsys.readouterr().err.splitlines()[1] == "passdoctor: /nowhere: No such file or directory"


def test_interpreter_leaves_what_it_does_not_know() -> None:
    chinese = Interpreter("zh_CN")
    assert chinese.tell("nothing of the kind") == "nothing of the kind"
    assert chinese.tell("x" * 5000) == "x" * 5000
    assert chinese.tell("a: b: c: it is empty") == "a: b: c：内容为空"
    assert chinese.tell("a {0} {b}: it is empty") == "a {0} {b}：内容为空"


@pytest.mark.parametrize(
    ("given", "environment", "name"),
    [
        (["check", "--lang", "zh"], {}, "zh_CN"),
        (["check", "--lang=en"], {"LANG": "zh_CN"}, None),
        (["check"], {"LANG": "de_DE.UTF-8"}, None),
        (["check", "--lang"], {"LANG": "zh_CN"}, "zh_CN"),
        (["check", "--lang", "../../etc"], {}, None),
    ],
)
def test_who_interprets(given: list[str], environment: dict[str, str], name: str | None) -> None:
    found = interpreter(given, environment)
    assert (found.name if found else None) == name
    assert asked(["x", "--lang", "zh"]) == "zh"


def test_sentences_follow_one_another() -> None:
    assert sentences(["甲。", "B.", "丙；", "丁"]) == "甲。B. 丙；丁"
    assert sentences([]) == ""


def test_what_a_script_says_keeps_what_the_shell_fills_in() -> None:
    """A sentence in quotes for a sentence in quotes, and the same variables."""
    try:
        speak("xx", {"$1 is gone": "$1 没了", "b $2 now": "$1 乙", "c d now": 'x"; rm', "e f now": "$(id)"})
        assert spoken('    stop "$1 is gone" ;;') == '    stop "$1 没了" ;;'
        for kept in ('stop "b $2 now"', 'stop "c d now"', 'told "e f now"', 'told "unheard of"', "awk '{ print }'"):
            assert spoken(kept) == kept
    finally:
        speak()
    assert spoken('stop "$1 is gone"') == 'stop "$1 is gone"'


def test_every_sentence_of_the_script_is_used_in_chinese() -> None:
    """None is refused because of what the shell would read."""
    lines = (ROOT / "report_templates" / "plan.sh").read_text("utf-8").splitlines()
    speak("zh_CN", store.load(None, "zh_CN")["texts"])
    found = [line for line in lines if messages(line)]
    assert len(found) > 15
    assert [line for line in found if not WIDE.search(spoken(line))] == []
