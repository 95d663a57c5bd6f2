"""Builds Debian packages from a wheel of this tree: dist/passdoctor-collect_*_all.deb and dist/passdoctor_*_all.deb.

Usage: deb.py [WHEEL] [FOLDER]. Without a wheel, the one in dist/ is taken (`make dist` builds it). `passdoctor-collect`
is the collector and depends on python3 alone; `passdoctor` is everything else. They share /usr/share/passdoctor, a
folder of their own, so that no other Python program sees what is in it. The same wheel gives the same bytes: every date
is that of the wheel's files, which SOURCE_DATE_EPOCH set. DEBFULLNAME and DEBEMAIL say who built them.
"""

from __future__ import annotations

import calendar
import gzip
import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = "usr/share/passdoctor"
COLLECTOR, WHOLE = "passdoctor-collect", "passdoctor"
# A shell's completions, by their place in the wheel: Debian's own places differ for one.
MOVED = {"share/zsh/site-functions/": "usr/share/zsh/vendor-completions/"}
COMPILE = """#!/bin/sh
set -e
if [ "$1" = configure ] && command -v py3compile >/dev/null 2>&1; then
    py3compile -p {name} /{library}
fi
"""
CLEAN = """#!/bin/sh
set -e
if command -v py3clean >/dev/null 2>&1; then
    py3clean -p {name}
else
    find /{library} -name __pycache__ -prune -exec rm -rf {{}} +
fi
"""
# Alone: nothing of the environment or of the user's own packages is run, for it is run as root.
SCRIPT = """#!/usr/bin/python3 -I
import sys

sys.path.insert(0, "/{library}")

from {module} import main

sys.exit(main())
"""
COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: passdoctor

Files: *
Copyright: 2026 the authors of passdoctor
License: Apache-2.0
 On Debian systems, the whole text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
"""
ABOUT = {
    COLLECTOR: """gather evidence on PCI passthrough from a host
 Reads, and changes nothing: the kernel's log, the PCI devices, the
 configuration of boot loader, modules and virtual machines. It writes one
 bundle, in which names, addresses, serial numbers and keys are replaced.""",
    WHOLE: """tell whether a PCI device can be given to a virtual machine
 Examines a host, a bundle that was collected there, a sosreport or lines that
 somebody pasted, says what stands in the way of PCI passthrough, cites the
 lines that it rests on, and plans what to do on this host.""",
}
FIELDS = {
    COLLECTOR: {"Depends": "python3:any (>= 3.7)"},
    WHOLE: {
        "Depends": "passdoctor-collect (= {version}), python3:any (>= 3.10), python3-jinja2 (>= 3.1), "
        "python3-rich (>= 13), python3-yaml (>= 6.0)",
        "Suggests": "weasyprint (>= 61)",
    },
}


def main(wheel: Path, folder: Path) -> list[Path]:
    """Builds both packages from `wheel` into `folder`; where they are."""
    with ZipFile(wheel) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
        moment = calendar.timegm((*archive.infolist()[0].date_time, 0, 0, 0))
    version = wheel.name.split("-")[1]
    trees: dict[str, dict[str, bytes]] = {COLLECTOR: {}, WHOLE: {}}
    for name, data in members.items():
        place = place_of(name)
        if place:
            mine = place.startswith((f"{LIBRARY}/doctor/collect/", f"{LIBRARY}/doctor/__init__.py"))
            trees[COLLECTOR if mine else WHOLE][place] = data
    trees[COLLECTOR] |= besides(COLLECTOR, moment)
    trees[WHOLE] |= besides(WHOLE, moment)
    folder.mkdir(parents=True, exist_ok=True)
    return [build(name, tree, version, moment, folder) for name, tree in trees.items()]


def place_of(name: str) -> str:
    """Where a file of the wheel belongs; "" for what describes the wheel itself."""
    if name.startswith("doctor/"):
        return f"{LIBRARY}/{name}"
    _, _, beside = name.partition(".data/data/")
    for old, new in MOVED.items():
        if beside.startswith(old):
            return new + beside.removeprefix(old)
    if beside.startswith("share/man/"):
        return f"usr/{beside}.gz"
    return f"usr/{beside}" if beside else ""


def besides(name: str, moment: int) -> dict[str, bytes]:
    """The files of a package that the wheel does not have: the command, and the collector's page."""
    module = "doctor.collect.__main__" if name == COLLECTOR else "doctor.cli"
    found = {f"usr/bin/{name}": SCRIPT.format(library=LIBRARY, module=module).encode()}
    if name == COLLECTOR:
        sys.path.insert(0, str(ROOT))
        from doctor.shipped import COLLECTOR_MANUAL, files

        found[f"usr/{COLLECTOR_MANUAL}.gz"] = files(moment, collector=True)[COLLECTOR_MANUAL].encode()
    return found


def build(name: str, tree: Mapping[str, bytes], version: str, moment: int, folder: Path) -> Path:
    """One package of the files in `tree`, by their places."""
    who = f"{os.environ.get('DEBFULLNAME', 'passdoctor')} <{os.environ.get('DEBEMAIL', 'passdoctor@localhost')}>"
    changes = f"passdoctor ({version}) unstable; urgency=medium\n\n  * {version}: see CHANGELOG.md.\n\n"
    changes += f" -- {who}  {formatdate(moment)}\n"
    texts = {
        **tree,
        f"usr/share/doc/{name}/changelog.gz": changes.encode(),
        f"usr/share/doc/{name}/copyright": COPYRIGHT.encode(),
    }
    files = {place: packed(data) if place.endswith(".gz") else data for place, data in sorted(texts.items())}
    fields = {
        "Package": name,
        "Source": WHOLE,
        "Version": version,
        "Architecture": "all",
        "Maintainer": who,
        "Installed-Size": str(sum(-(-len(data) // 1024) for data in files.values())),
        **{key: value.format(version=version) for key, value in FIELDS[name].items()},
        "Section": "admin",
        "Priority": "optional",
        "Description": ABOUT[name],
    }
    control = {
        "control": "".join(f"{key}: {value}\n" for key, value in fields.items()),
        "md5sums": "".join(f"{hashlib.md5(data).hexdigest()}  {place}\n" for place, data in files.items()),  # noqa: S324
        "postinst": COMPILE.format(name=name, library=LIBRARY),
        "prerm": CLEAN.format(name=name, library=LIBRARY),
    }
    with TemporaryDirectory(prefix="passdoctor-deb-") as made:
        top = Path(made) / "tree"
        for place, data in files.items():
            write(top / place, data, 0o755 if place.startswith("usr/bin/") else 0o644)
        for part, text in control.items():
            write(top / "DEBIAN" / part, text.encode(), 0o755 if part in ("postinst", "prerm") else 0o644)
        for path in (top, *top.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)
            os.utime(path, (moment, moment))
        target = folder / f"{name}_{version}_all.deb"
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(moment), "DPKG_DEB_THREADS_MAX": "1"}
        command = ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(top), str(target)]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return target


def packed(data: bytes) -> bytes:
    """Data as `gzip -9n` packs it."""
    return gzip.compress(data, 9, mtime=0)


def write(path: Path, data: bytes, mode: int) -> None:
    """A file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


def newest() -> Path:
    """The wheel in dist/."""
    found = sorted((ROOT / "dist").glob("passdoctor-*.whl"), key=lambda path: path.stat().st_mtime)
    if not found:
        sys.exit("deb.py: no wheel in dist/; `make dist` builds one")
    return found[-1]


if __name__ == "__main__":
    given = [Path(word) for word in sys.argv[1:]]
    for package in main(given[0] if given else newest(), given[1] if len(given) > 1 else ROOT / "dist"):
        sys.stdout.write(f"{package}\n")
