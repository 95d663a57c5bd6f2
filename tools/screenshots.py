"""The pictures of the documents: a report as a page, light, dark and on a phone, and two pages of its PDF.

Usage: screenshots.py [--sample FILE] [--out FOLDER] [--lang CODE]. Needs a Chromium and `pdftoppm` (Debian: chromium,
poppler-utils), and Pango for the PDF. Look at every picture before it is committed.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from PIL import Image

import doctor

ROOT = Path(__file__).resolve().parent.parent
LARGEST = 150 * 1024  # bytes of a picture
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DARK, LIGHT = 0, 1  # Chromium's numbers


class Shot(NamedTuple):
    """A picture of the page: its name, the window in CSS pixels, the scheme, and pixels for each CSS pixel."""

    name: str
    width: int
    height: int
    scheme: int
    scale: float = 1


SHOTS = (
    Shot("html-light", 1180, 1500, LIGHT),
    Shot("html-dark", 1180, 1500, DARK),
    Shot("html-phone", 390, 844, LIGHT, 2),
)
PAGES = (1, 2)
DOTS = 80  # of a PDF page, by inch


def browser() -> str:
    """The Chromium that is here."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        sys.exit(f"screenshots: none of {', '.join(BROWSERS)} is installed (Debian: apt-get install chromium)")
    return found


def photograph(page: Path, shot: Shot, folder: Path) -> bytes:
    """A PNG of the page's beginning."""
    target = folder / f"{shot.name}.png"
    given = [
        *(browser(), "--headless", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder / 'profile'}"),
        *(f"--window-size={shot.width},{shot.height}", f"--force-device-scale-factor={shot.scale:g}"),
        *(f"--blink-settings=preferredColorScheme={shot.scheme}", f"--screenshot={target}", page.as_uri()),
    ]
    # Its sandbox does not start for root, and the page is our own.
    given[1:1] = ["--no-sandbox"] if os.geteuid() == 0 else []
    subprocess.run(given, check=True, capture_output=True, timeout=120)
    return target.read_bytes()


def printed(document: Path, page: int, folder: Path) -> bytes | None:
    """A PNG of a page of a PDF; None if it has no such page."""
    target = folder / f"page-{page}"
    pages = ("-f", str(page), "-l", str(page), "-r", str(DOTS))
    given = ["pdftoppm", "-png", "-singlefile", *pages, str(document), str(target)]
    subprocess.run(given, check=True, capture_output=True, timeout=120)
    made = target.with_suffix(".png")
    return made.read_bytes() if made.is_file() else None


def small(data: bytes) -> bytes:
    """The picture in as few colours as it takes to be small; smaller if that is not enough."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    while True:
        for colours in (128, 48, 24):
            out = io.BytesIO()
            picture.quantize(colours, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
            if out.tell() <= LARGEST:
                return out.getvalue()
        picture = picture.resize((picture.width * 4 // 5, picture.height * 4 // 5), Image.Resampling.LANCZOS)


def main() -> int:
    """Write all pictures and say how large they are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sample", default=str(ROOT / "samples" / "proxmox-no-iommu.tar.gz"), metavar="FILE")
    parser.add_argument("--out", default=str(ROOT / "docs" / "pictures"), metavar="FOLDER")
    parser.add_argument("--lang", default="", metavar="CODE")
    options = parser.parse_args()
    report = doctor.examine(options.sample, language=options.lang)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name:
        folder = Path(name)
        page, document = folder / "report.html", folder / "report.pdf"
        page.write_text(doctor.render(report, "html"), "utf-8")
        document.write_bytes(doctor.render(report, "pdf"))
        made = {shot.name: photograph(page, shot, folder) for shot in SHOTS}
        made.update((f"pdf-{at}", data) for at in PAGES if (data := printed(document, at, folder)))
    for name, data in made.items():
        kept = small(data)
        (out / f"{name}.png").write_bytes(kept)
        print(f"{out / name}.png: {len(kept) / 1024:.0f} KB")  # noqa: T201 - a tool's output
    return 0


if __name__ == "__main__":
    sys.exit(main())
