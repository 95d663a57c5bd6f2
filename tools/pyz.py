"""Builds dist/passdoctor-collect.pyz: the collector alone, one file that runs with nothing but Python 3.6 or newer.

The same sources give the same bytes: nothing in it is compressed, dated or compiled.
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "dist" / "passdoctor-collect.pyz"
_DAY = (1980, 1, 1, 0, 0, 0)

# Python 2 reads this too, to say what it lacks.
MAIN = """\
import sys

if sys.version_info < (3, 6):
    sys.stderr.write(
        "passdoctor: Python 3.6 or newer is needed, this is %d.%d. There is a shell collector for hosts without one:\\n"
        "  passdoctor collect --print-script, on a machine that has passdoctor\\n" % sys.version_info[:2]
    )
    sys.exit(2)

try:
    from doctor.collect.__main__ import main

    sys.exit(main())
except ImportError as error:
    sys.stderr.write(
        "passdoctor: this Python is incomplete: {}. Install the whole of it (Debian: python3), or use the shell\\n"
        "  collector: passdoctor collect --print-script, on a machine that has passdoctor\\n".format(error)
    )
    sys.exit(2)
"""


def contents() -> dict[str, str]:
    """The files of the archive by name."""
    sys.path.insert(0, str(ROOT))
    from doctor import __version__

    found = {"__main__.py": MAIN, "doctor/__init__.py": f'__version__ = "{__version__}"\n'}
    for path in sorted((ROOT / "doctor" / "collect").glob("*.py")):
        found[path.relative_to(ROOT).as_posix()] = path.read_text("utf-8")
    return found


def build() -> bytes:
    """The archive, with the line that makes a shell run it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, text in contents().items():
            info = zipfile.ZipInfo(name, _DAY)
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, text)
    return b"#!/usr/bin/env python3\n" + out.getvalue()


def main() -> None:
    """Write it."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(build())
    target.chmod(0o755)
    sys.stdout.write(f"{target}: {target.stat().st_size / 1024:.0f} KB\n")


if __name__ == "__main__":
    main()
