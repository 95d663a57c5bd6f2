"""No rule of WCAG 2.2 AA that axe-core can judge is broken: light and dark, in every language.

Needs Chromium, and axe-core in node_modules (npm install --no-save axe-core).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest

from doctor.examine import examine
from doctor.knowledge import store
from doctor.report.html import render
from doctor.report.model import Report
from doctor.say import speak

from .sample_report import healthy_report, sample_report

ROOT = Path(__file__).resolve().parents[2]
AXE = Path(os.environ.get("AXE_CORE") or ROOT / "node_modules" / "axe-core" / "axe.min.js")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
THEMES = {"light": 1, "dark": 0}  # as Chromium numbers them
SAMPLES = (
    ("twin-3090ti.tar.gz", "light"),
    ("proxmox-no-iommu.tar.gz", "dark"),
    ("lab/group-ports-without-acs.tar.gz", "dark"),
    ("xeon-two-socket.tar.gz", "light"),
)
RUN = """
for (const each of document.querySelectorAll("details")) each.open = true;
const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
axe.run({runOnly: tags, resultTypes: ["violations"]}).then((found) => {
  const told = found.violations.map((one) => [one.id, one.nodes.map((node) => node.html.slice(0, 200))]);
  const page = document.createElement("pre");
  page.id = "told";
  page.textContent = JSON.stringify({
    told, passes: found.passes.length, dark: matchMedia("(prefers-color-scheme: dark)").matches,
    buttons: document.querySelectorAll("button.copy").length,
    wide: document.documentElement.scrollWidth - innerWidth,
  });
  document.body.append(page);
});
"""


def shown(page: str, theme: str, folder: Path) -> str:
    """The page as Chromium has it when its scripts have run."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    file = folder / "page.html"
    file.write_text(page, "utf-8")
    done = subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,2000"),
            *(f"--user-data-dir={folder / 'profile'}", f"--blink-settings=preferredColorScheme={THEMES[theme]}"),
            *("--virtual-time-budget=3000", "--dump-dom", file.as_uri()),
        ],
        capture_output=True,
        timeout=120,
        check=False,
    )
    if "</html>" not in (page := done.stdout.decode(errors="replace")):
        pytest.skip(f"Chromium does not run here: {done.stderr.decode(errors='replace')[-300:]}")
    return page


def seen(page: str, theme: str, folder: Path) -> Any:
    """What a script in the page has put into its element `told`."""
    found = re.search(r'<pre id="told">(.*?)</pre>', shown(page, theme, folder), re.DOTALL)
    assert found is not None
    return json.loads(unescape(found[1]))


def without_policy(page: str) -> str:
    """The page as it is, but it lets a stranger's script in, which its own policy does not."""
    return re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)


def judged(page: str, theme: str, folder: Path) -> dict[str, Any]:
    """What axe-core finds in the page, as Chromium shows it."""
    if not AXE.is_file():
        pytest.skip("needs axe-core")
    scripts = f"<script>{AXE.read_text('utf-8')}</script><script>{RUN}</script>"
    told: dict[str, Any] = seen(without_policy(page).replace("</body>", f"{scripts}</body>"), theme, folder)
    assert told["dark"] == (theme == "dark")
    return told


@cache
def real(name: str) -> Report:
    """The report of a sample; of two like cards the second is meant."""
    return examine(str(ROOT / "samples" / name), ("05:00",) if "twin" in name else ())


@pytest.fixture(params=["", "zh_CN"])
def spoken(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param:
        speak(request.param, store.load(None, request.param)["texts"])
    yield request.param
    speak()


@pytest.mark.parametrize("theme", sorted(THEMES))
def test_axe_finds_nothing(theme: str, spoken: str, tmp_path: Path) -> None:
    found = judged(render(sample_report()), theme, tmp_path)
    assert found["told"] == []
    assert found["buttons"] > 0


@pytest.mark.parametrize(("name", "theme"), SAMPLES)
def test_axe_finds_nothing_in_the_samples(name: str, theme: str, tmp_path: Path) -> None:
    assert judged(render(real(name)), theme, tmp_path)["told"] == []


@pytest.mark.parametrize("width", [320, 360, 768, 3840])
def test_no_page_is_wider_than_its_window(width: int, tmp_path: Path) -> None:
    """In a frame, because Chromium's own window has a least width."""
    page = escape(without_policy(render(real(SAMPLES[0][0]))))
    frame = f"""<!DOCTYPE html><iframe id="frame" width="{width}" height="900" srcdoc="{page}"></iframe><script>
      onload = () => {{
        const root = document.getElementById("frame").contentDocument.documentElement;
        const told = document.createElement("pre");
        told.id = "told";
        told.textContent = JSON.stringify([root.scrollWidth, root.clientWidth, root.querySelectorAll("svg").length]);
        document.body.append(told);
      }};
    </script>"""
    needed, there, pictures = seen(frame, "light", tmp_path)
    assert pictures == 3
    assert needed <= there <= width


def test_the_page_runs_its_own_script_and_no_other(tmp_path: Path) -> None:
    """Under its own policy: the buttons are there, what evidence would run is not."""
    page = render(sample_report())
    policy = re.search(r"script-src '([^']*)'", unescape(page))
    assert policy is not None and policy[1].startswith("sha256-")
    own = sha256(re.findall(r"<script>(.*?)</script>", page, re.DOTALL)[0].encode()).digest()
    assert policy[1] == f"sha256-{b64encode(own).decode()}"
    strange = "<script>document.body.className = 'strange'</script></body>"
    told = shown(page.replace("</body>", strange), "light", tmp_path)
    assert 'class="copy"' in told
    assert 'class="strange"' not in told.partition("<header")[0]


def test_axe_would_find_something(tmp_path: Path) -> None:
    page = render(healthy_report()).replace('<html lang="en">', "<html>")
    assert [name for name, _ in judged(page, "light", tmp_path)["told"]] == ["html-has-lang"]
