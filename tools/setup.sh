#!/bin/sh
# Makes .venv hold the project and all that its tests need. Quick when nothing changed, safe to interrupt.
# PYTHON=/path/to/python chooses the interpreter.

set -eu

cd "$(dirname "$0")/.."
root=$(pwd -P)
venv=.venv
stamp=$venv/.passdoctor-setup
unset PYTHONHOME PYTHONPATH PYTHONSTARTUP PIP_TARGET PIP_PREFIX PIP_CONSTRAINT || true
export PIP_USER=0 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "passdoctor: $1"
    shift
    for line; do say "  $line"; done
    exit 1
}

works() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; }
can_venv() { "$1" -c 'import venv, ensurepip; ensurepip.version()' >/dev/null 2>&1; }
version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

key() { cat pyproject.toml constraints.txt hatch_build.py tools/setup.sh | cksum; }

# An environment knows its own place; one that was moved or copied has scripts that call the old place.
is_here() { grep -qF "$root/$venv" $venv/bin/activate 2>/dev/null; }

sound() {
    works $venv/bin/python && is_here || return 1
    [ -z "${PYTHON:-}" ] || [ "$(version_of "$PYTHON")" = "$(version_of $venv/bin/python)" ]
}

ready() { [ "$(cat $stamp 2>/dev/null)" = "$(key)" ] && sound; }

# A name on the path may be a wrapper that fails, or too old: the first that runs and can make
# environments wins. One that only lacks venv is remembered, to say what to install.
find_python() {
    python='' lacks_venv='' seen=''
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3 python3.13 python3.12 python3.11 python3.10 python3.14 /usr/bin/python3 python
    fi
    for candidate; do
        command -v "$candidate" >/dev/null 2>&1 || continue
        if ! works "$candidate"; then
            seen="$seen $candidate ($(version_of "$candidate" || echo 'does not run'));"
        elif can_venv "$candidate"; then
            python=$candidate
            return
        else
            lacks_venv=${lacks_venv:-$candidate}
        fi
    done
    if [ -n "$lacks_venv" ]; then
        version=$(version_of "$lacks_venv")
        fail "$lacks_venv (Python $version) is there, but its module venv or ensurepip is missing." \
            "Install it:  $(sh tools/missing.sh venv "$version")" "then repeat what you typed."
    fi
    if [ -n "${PYTHON:-}" ]; then
        fail "PYTHON=$PYTHON is not a Python 3.10 or newer that runs." "Without PYTHON= one is looked for."
    fi
    fail "Python 3.10 or newer is needed.${seen:+ Found only:${seen%;}.}" \
        "Install it:  $(sh tools/missing.sh python)" \
        "If this system's own packages stop at an older one, install another and name it:" \
        "             make PYTHON=/path/to/python3.12 demo"
}

# The marks that say that the work is unfinished, and that somebody is at it, stay.
empty_out() {
    for entry in "$venv"/* "$venv"/.[!.]*; do
        case $entry in
            "$stamp" | "$venv/.passdoctor-lock") ;;
            *) rm -rf "$entry" ;;
        esac
    done
}

make_venv() {
    find_python
    say "Making $venv with Python $(version_of "$python") ($(command -v "$python"))"
    empty_out
    "$python" -m venv $venv >&2 || {
        fail "$python could not make an environment in $root/$venv." \
            "If it says that ensurepip is missing:  $(sh tools/missing.sh venv "$(version_of "$python")")"
    }
}

pip_install() {
    $venv/bin/python -m pip install -qq --no-warn-script-location -c constraints.txt "$@" >&2 || {
        fail "pip could not install what is needed; its message is above." \
            "It fetches packages from the index that pip is set up for: is there a network, or a proxy to name?" \
            "Repeat what you typed when there is."
    }
}

if ready; then
    exit 0
fi
if ! mkdir -p $venv 2>/dev/null || [ ! -w $venv ]; then
    fail "$(id -un) may not write in $root." "Make a clone of your own and type it there."
fi
# Two at once would install into one another. Without flock, people see to it themselves.
if command -v flock >/dev/null 2>&1; then
    exec 9>$venv/.passdoctor-lock
    flock 9
    if ready; then
        exit 0
    fi
fi

# "unfinished" stays there if this is interrupted, and what half an installation left is not trusted.
before=$(cat $stamp 2>/dev/null || true)
if [ "$before" = unfinished ] || ! sound || ! $venv/bin/python -m pip --version >/dev/null 2>&1; then
    echo unfinished >$stamp
    make_venv
fi
echo unfinished >$stamp
say "Installing what passdoctor and its tests need into $venv (the first time takes a minute or two)"
# The build tools come first and pinned, so that building the project fetches nothing unpinned.
pip_install hatchling editables jinja2 pyyaml babel
pip_install --no-build-isolation -e '.[dev]'
key >$stamp.new
mv -f $stamp.new $stamp
