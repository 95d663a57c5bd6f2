#!/bin/sh
# Prints the command that installs on this system what is missing.
# Usage: missing.sh python|venv|pango [PYTHON-VERSION]. OS_RELEASE names another os-release file.

set -u

what=${1:?python, venv or pango}
version=${2:-3}
os_release=${OS_RELEASE:-/etc/os-release}
if [ ! -r "$os_release" ] && [ -r /usr/lib/os-release ]; then
    os_release=/usr/lib/os-release
fi

# Read, not sourced: the file's words stay words.
field() { sed -n "s/^$1=//p" "$os_release" 2>/dev/null | tr -d "\"'" | head -n 1; }

have() { command -v "$1" >/dev/null 2>&1; }

# The family decides the command; a derivative names its parents in ID_LIKE.
family() {
    for id in $(field ID) $(field ID_LIKE); do
        case $id in
            debian | ubuntu) echo apt && return ;;
            fedora) echo fedora && return ;;
            rhel | centos | amzn) echo rhel && return ;;
            opensuse* | suse | sles*) echo zypper && return ;;
            arch) echo pacman && return ;;
            alpine) echo apk && return ;;
            void) echo xbps && return ;;
            gentoo) echo emerge && return ;;
        esac
    done
    for pair in apt-get:apt dnf:fedora zypper:zypper pacman:pacman apk:apk brew:brew; do
        if have "${pair%%:*}"; then
            echo "${pair##*:}" && return
        fi
    done
    echo none
}

# Enterprise releases keep their own Python for years and offer newer ones under their own names.
rhel_python() {
    case $(field VERSION_ID) in
        8* | 9*) echo python3.12 ;;
        2023*) echo python3.11 ;;
        *) echo python3 ;;
    esac
}

suse_python() {
    case $(field VERSION_ID) in
        12* | 15*) echo "python311" ;;
        *) echo "python3" ;;
    esac
}

packages() {
    case $1:$what in
        apt:python) echo "python3 python3-venv" ;;
        apt:venv) echo "python$version-venv" ;;
        apt:pango) echo "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core" ;;
        fedora:python | fedora:venv) echo "python3" ;;
        rhel:python | rhel:venv) rhel_python ;;
        fedora:pango | rhel:pango) echo "pango dejavu-sans-fonts" ;;
        zypper:python | zypper:venv) suse_python ;;
        zypper:pango) echo "libpango-1_0-0 libharfbuzz-subset0 dejavu-fonts" ;;
        pacman:python | pacman:venv) echo "python" ;;
        pacman:pango) echo "pango ttf-dejavu" ;;
        apk:python | apk:venv) echo "python3" ;;
        apk:pango) echo "so:libpango-1.0.so.0 so:libpangoft2-1.0.so.0 so:libharfbuzz-subset.so.0 font-dejavu" ;;
        xbps:python | xbps:venv) echo "python3" ;;
        xbps:pango) echo "pango dejavu-fonts-ttf" ;;
        emerge:python | emerge:venv) echo "dev-lang/python" ;;
        emerge:pango) echo "x11-libs/pango media-fonts/dejavu" ;;
        brew:python | brew:venv) echo "python" ;;
        brew:pango) echo "pango" ;;
    esac
}

manager() {
    case $1 in
        apt) echo "apt-get install -y" ;;
        fedora | rhel) echo "dnf install -y" ;;
        zypper) echo "zypper install -y" ;;
        pacman) echo "pacman -S --needed" ;;
        apk) echo "apk add" ;;
        xbps) echo "xbps-install -S" ;;
        emerge) echo "emerge" ;;
        brew) echo "brew install" ;;
    esac
}

as_root() {
    if [ "$1" = brew ] || [ "$(id -u)" = 0 ]; then
        return
    fi
    if have sudo; then
        printf 'sudo '
    elif have doas; then
        printf 'doas '
    else
        printf '(as root) '
    fi
}

kind=$(family)
wanted=$(packages "$kind")
if [ -z "$wanted" ]; then
    case $what in
        python) echo "install Python 3.10 or newer with this system's package manager" ;;
        venv) echo "install the venv and ensurepip modules of Python $version" ;;
        *) echo "install Pango 1.44 or newer (libpango, libpangoft2, libharfbuzz-subset) and a font" ;;
    esac
else
    as_root "$kind"
    echo "$(manager "$kind") $wanted"
fi
