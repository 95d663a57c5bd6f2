"""The report as a PDF."""

from __future__ import annotations

import builtins
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from doctor.knowledge import store
from doctor.report import pdf
from doctor.say import speak

from .sample_report import healthy_report, sample_report


@pytest.fixture(scope="module")
def document() -> bytes:
    try:
        return pdf.render(sample_report())
    except pdf.PangoMissing as missing:
        pytest.skip(str(missing))


def _text(document: bytes) -> str:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    done = subprocess.run(["pdftotext", "-layout", "-", "-"], input=document, capture_output=True, check=True)
    return done.stdout.decode()


def test_the_pdf_holds_what_matters(document: bytes) -> None:
    text = " ".join(_text(document).split()).replace(" / ", "/")
    for told in (
        "NOT READY",
        "the IOMMU is turned off",
        "<script>alert('x')</script> ‹ESC›[31mred",
        '+ GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on iommu=pt"',
        "update-initramfs -u -k all",
        "根文件系统在此驱动器上",
        "cat /proc/interrupts",
    ):
        assert told in text, told
    assert re.search(r"\b(\d)/\1\b", text)


def test_the_same_report_gives_the_same_bytes(document: bytes) -> None:
    time.sleep(1.1)  # a date of creation would count in seconds
    assert pdf.render(sample_report()) == document
    assert b"CreationDate" not in document


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    picture = tmp_path / "picture.svg"
    picture.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    asked: list[str] = []
    refuse = pdf._refuse

    def watch(url: str) -> None:
        asked.append(url)
        refuse(url)

    page = f"<style>@import 'http://127.0.0.1:9/a.css'</style><img src='{picture.as_uri()}'>"
    monkeypatch.setattr(pdf, "_refuse", watch)
    monkeypatch.setattr("doctor.report.html.fill", lambda *_, **__: page)
    try:
        pdf.render(healthy_report())
    except pdf.PangoMissing as missing:
        pytest.skip(str(missing))
    assert sorted(asked) == [picture.as_uri(), "http://127.0.0.1:9/a.css"]
    with pytest.raises(ValueError, match="loads nothing"):
        refuse("file:///etc/hostname")


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ("ID=debian\n", "apt-get install libpango"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "apt-get install"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "dnf install"),
        ('ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', "zypper install"),
        ("ID=arch\n", "pacman -S pango"),
        ("ID=alpine\n", "apk add pango"),
        ("ID=plan9\n", "your package manager"),
        (None, "your package manager"),
    ],
)
def test_without_pango_one_line_says_how_to_get_it(
    release: str | None, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **options: Any) -> Any:
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")
        return real(name, *more, **options)

    if release is not None:
        (tmp_path / "os-release").write_text(release)
    monkeypatch.setattr(pdf, "OS_RELEASE", str(tmp_path / "os-release"))
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(pdf.PangoMissing, match=re.escape(command)) as raised:
        pdf.render(healthy_report())
    assert "\n" not in str(raised.value)


def test_weasyprint_understands_the_whole_style(caplog: pytest.LogCaptureFixture) -> None:
    try:
        pdf.render(healthy_report())
    except pdf.PangoMissing as missing:
        pytest.skip(str(missing))
    assert [record.getMessage() for record in caplog.records if record.name.startswith("weasyprint")] == []


def test_a_long_command_can_be_copied_from_paper() -> None:
    report = sample_report()
    path = "/etc/modprobe.d/" + "long-name-" * 6
    report["plan"]["steps"][2]["commands"] = [f"cp -a {path} {path}.before-passdoctor"]
    try:
        text = _text(pdf.render(report))
    except pdf.PangoMissing as missing:
        pytest.skip(str(missing))
    assert re.search(rf"cp -a {path} \\\n\s+{path}\.before-passdoctor\n", text)


def test_the_file_is_what_pdf_ua_asks_for(document: bytes, tmp_path: Path) -> None:
    if shutil.which("qpdf") is None:
        pytest.skip("qpdf is not installed")
    file, plain = tmp_path / "report.pdf", tmp_path / "plain.pdf"
    file.write_bytes(document)
    checked = subprocess.run(["qpdf", "--check", str(file)], capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, b"")
    subprocess.run(["qpdf", "--qdf", "--object-streams=disable", str(file), str(plain)], check=True)
    text = plain.read_bytes().decode("latin-1")
    for told in ('pdfuaid:part="1"', "/Lang (en)", "/Marked true", "/DisplayDocTitle true", "/StructTreeRoot"):
        assert told in text, told
    assert "NOT READY: PCI passthrough report" in text
    # Each of the three pictures says in words what it shows.
    assert len(re.findall(r"/S /Figure\b", text)) == len(re.findall(r"/Alt [(<]", text)) == 3
    titles = re.findall(r"/Title \(([^)]*)\)", text)
    assert {"What stops it", "What to do", "Devices"} <= set(titles)


@pytest.mark.parametrize(("paper", "size"), [("a4", "595.276 841.89"), ("letter", "612 792")])
def test_the_paper_can_be_chosen(paper: str, size: str) -> None:
    if shutil.which("pdfinfo") is None:
        pytest.skip("pdfinfo is not installed")
    try:
        written = pdf.render(healthy_report(), paper)
    except pdf.PangoMissing as missing:
        pytest.skip(str(missing))
    done = subprocess.run(["pdfinfo", "-"], input=written, capture_output=True, check=True)
    assert size.replace(" ", " x ") in done.stdout.decode()


def test_a_long_report_has_a_table_of_contents(document: bytes) -> None:
    report = sample_report()
    report["harmless"] *= 30
    try:
        text = _text(pdf.render(report))
    except pdf.PangoMissing as missing:
        pytest.skip(str(missing))
    found = re.search(r"Contents\n(.*?)\n\s*\n", text, re.DOTALL)
    assert found is not None
    lines = [re.split(r"\.{4,}|…", line.strip()) for line in found[1].split("\n") if line.strip()]
    pages = text.split("\f")
    for line in lines:
        title, page = re.sub(r"[\s.]+$", "", line[0]), int(re.findall(r"\d+$", line[-1])[0])
        assert title in pages[page - 1]
    assert "Contents" not in _text(document)


def test_a_line_that_wraps_loses_no_character() -> None:
    report = sample_report()
    line = "".join(f"word{number:03}=" for number in range(60))
    report["plan"]["steps"][0]["files"] = [
        {"path": "/etc/default/grub", "before": [], "after": [line], "diff": f"--- a\n+++ b\n@@ -0,0 +1 @@\n+{line}\n"}
    ]
    try:
        text = _text(pdf.render(report))
    except pdf.PangoMissing as missing:
        pytest.skip(str(missing))
    assert line in re.sub(r"\s+", "", text)


def test_a_heading_stands_with_what_it_is_of(document: bytes) -> None:
    headings = ("What stops it", "What to do", "Devices", "All checks", "Harmless lines", "How this was judged")
    for page in _text(document).split("\f"):
        lines = [line.strip() for line in page.split("\n") if line.strip()]
        assert not lines[-2:] or lines[-2] not in headings


def test_paper_only_counts_what_does_not_apply(document: bytes) -> None:
    text = _text(document)
    assert "2 not applicable." in text
    assert "No kernel ignores reserved memory" not in text


@pytest.fixture
def chinese() -> Iterator[None]:
    speak("zh_CN", store.load(None, "zh_CN")["texts"])
    yield
    speak()


def test_chinese_is_embedded_and_can_be_copied(chinese: None) -> None:
    """With the fonts in the file, and as characters, not as shapes."""
    if shutil.which("pdffonts") is None:
        pytest.skip("pdffonts is not installed")
    try:
        document = pdf.render(sample_report())
    except pdf.PangoMissing as missing:
        pytest.skip(str(missing))
    assert "未就绪" in _text(document) and "妨碍直通的原因" in _text(document)
    done = subprocess.run(["pdffonts", "-"], input=document, capture_output=True, check=True)
    rows = [line.split() for line in done.stdout.decode().splitlines()[2:]]
    assert rows and all(row[-5:-2] == ["yes", "yes", "yes"] for row in rows)


def test_without_a_chinese_font_one_line_says_how_to_get_it(
    chinese: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than a file full of empty boxes; a PDF in English needs none."""
    fonts = tmp_path / "fonts.conf"
    fonts.write_text(f"<fontconfig><dir>{tmp_path}</dir><cachedir>{tmp_path}</cachedir></fontconfig>")
    (tmp_path / "os-release").write_text("ID=debian\n")
    monkeypatch.setenv("FONTCONFIG_FILE", str(fonts))
    monkeypatch.setattr(pdf, "OS_RELEASE", str(tmp_path / "os-release"))
    if shutil.which("fc-list") is None:
        pytest.skip("fc-list is not installed")
    with pytest.raises(pdf.PangoMissing, match="apt-get install fonts-noto-cjk"):
        pdf.render(healthy_report())
