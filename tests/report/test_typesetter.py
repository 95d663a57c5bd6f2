"""WeasyPrint is loaded without what it does not need, and gets that where it does need it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from doctor.report import pdf, typesetter

from .sample_report import healthy_report

SHOW = """
import sys
from doctor.report import typesetter
weasyprint = typesetter.load()
print(sorted(name for name in sys.modules if name in typesetter._LATER))
from weasyprint.pdf import fonts
print("GSUB" not in fonts.subset.Options().drop_tables, fonts.TTFont.__name__, fonts.TTLibError.__name__)
from PIL import Image
from weasyprint import images
print(Image.new("1", (1, 1)).size, images.Image.open is Image.open)
"""


@pytest.fixture(autouse=True)
def needs_pango() -> None:
    try:
        pdf.render(healthy_report())
    except pdf.PangoMissing as missing:
        pytest.skip(str(missing))


def test_what_is_left_out_is_there_when_it_is_used() -> None:
    done = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True)
    left, used, pictures = done.stdout.splitlines()
    assert left == "[]"
    assert used == "True call Exception"
    assert pictures == "(1, 1) True"


def test_libraries_are_looked_for_as_ever_afterwards() -> None:
    """The quick way lasts for the import alone."""
    import ctypes.util

    find = ctypes.util.find_library
    with typesetter._quickly():
        assert ctypes.util.find_library("pango-1.0") is None or sys.platform != "linux"
    assert ctypes.util.find_library is find
