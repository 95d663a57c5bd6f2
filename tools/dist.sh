#!/bin/sh
# Builds everything that is handed out into dist/. The date in it is that of the commit, so that who builds the commit
# again gets the same bytes; SOURCE_DATE_EPOCH chooses another. Debian packages are built where dpkg-deb is installed.

set -eu

cd "$(dirname "$0")/.."
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
    # In an unpacked source archive the files have the date of its making.
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)
fi
export SOURCE_DATE_EPOCH
.venv/bin/python -m build --no-isolation --skip-dependency-check --outdir dist . >/dev/null
.venv/bin/python tools/pyz.py
if command -v dpkg-deb >/dev/null 2>&1; then
    .venv/bin/python tools/deb.py
fi
(cd dist && sha256sum -- *)
