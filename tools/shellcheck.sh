#!/bin/sh
# Checks the shell scripts, where shellcheck is installed.

set -eu

cd "$(dirname "$0")/.."
if command -v shellcheck >/dev/null 2>&1; then
    shellcheck tools/*.sh .ci/run
else
    echo "shellcheck is not installed: the shell scripts were not checked" >&2
fi
