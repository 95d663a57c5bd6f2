"""Tries plans in real roots: `passdoctor plan --format sh`, run unedited in a Debian made by debootstrap.

`make roots` (as root; TRY=words: only those whose names have them) keeps its roots in ~/.cache/passdoctor-roots.
tools/roots.yaml names the systems and what is tried in them. Each try collects a small evidence directory from its
root, asks for a plan by a rule of its own that always fails, runs the script twice, looks at grub.cfg or the loader's
entries and into the initramfs, runs the script of `--undo`, and compares.

A root is a folder, bind-mounted on itself so that GRUB's tools find its device. All mounts are made in a mount
namespace of this program's own and end with it. No kernel is booted here: tests/lab does that.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

HERE = Path(__file__).resolve().parent
MIRROR = "http://deb.debian.org/debian"
BASE = "ca-certificates,kmod,udev,procps"
NEEDED = {"debootstrap": "debootstrap", "unshare": "util-linux", "chroot": "coreutils"}
SECOND = "-second"
"""What the release of the second kernel ends with: the same modules under another name."""
READ = (
    "etc/os-release",
    "etc/debian_version",
    "etc/default/grub",
    "etc/default/grub.d",
    "etc/modules",
    "etc/modules-load.d",
    "etc/modprobe.d",
    "etc/initramfs-tools/modules",
    "etc/initramfs-tools/scripts/init-top",
    "etc/kernel",
    "etc/dracut.conf",
    "etc/dracut.conf.d",
    "boot/efi/loader",
)
"""What is collected from a root."""
KEPT = ("etc", "boot")
"""What a try may change, and what is put back before it."""
PASSING = re.compile(r"initrd|\.img|/linux$|\.before-passdoctor$|/boot/grub/fonts/")
"""What is not compared after undoing: images are built anew."""
NODES = ("null", "zero", "full", "random", "urandom", "tty")


class RootsError(RuntimeError):
    """It cannot be tried; the message says why."""


class System(NamedTuple):
    """A root: its folder, and how its initramfs is listed."""

    name: str
    folder: Path
    image: str

    def run(self, *command: str, quiet: bool = True) -> str:
        """Run a command in the root; its output. Raises RootsError if it fails."""
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
        environment |= {"DEBIAN_FRONTEND": "noninteractive", "HOME": "/root", "SYSTEMD_RELAX_ESP_CHECKS": "1"}
        environment |= {"SYSTEMD_ESP_PATH": "/boot/efi"}  # a folder here, not the mount point that bootctl looks for
        done = subprocess.run(
            ["chroot", str(self.folder), *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        if done.returncode:
            raise RootsError(f"{' '.join(command)[:200]} ended with {done.returncode}:\n{done.stdout[-3000:]}")
        return done.stdout

    @property
    def releases(self) -> list[str]:
        """The installed kernels."""
        return sorted(path.name for path in (self.folder / "lib/modules").iterdir())


# Making a root


def make(name: str, data: dict[str, Any], cache: Path) -> System:
    """The root of that name, made if it is not there yet."""
    folder = cache / name
    system = System(name, folder, data["image"])
    done = cache / f"{name}.done"
    wish = hashlib.sha256(repr(sorted(data.items())).encode()).hexdigest()
    if done.exists() and done.read_text() == wish:
        _mount(folder)
        return system
    base = _base(data["suite"], cache)
    _tell(f"  making {name}")
    shutil.rmtree(folder, ignore_errors=True)
    _call("cp", "-a", str(base), str(folder))
    shutil.copy("/etc/resolv.conf", folder / "etc/resolv.conf")
    (folder / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (folder / "usr/sbin/policy-rc.d").chmod(0o755)
    _mount(folder)
    system.run("sh", "-euc", data.get("before", ":"))
    system.run("apt-get", "update")
    system.run("apt-get", "install", "-y", "--no-install-recommends", *data["packages"])
    _second_kernel(system)
    system.run("sh", "-euc", data.get("setup", ":"))
    _call("tar", "-C", str(folder), "-cf", str(cache / f"{name}.tar"), *KEPT)
    done.write_text(wish)
    return system


def _base(suite: str, cache: Path) -> Path:
    """What debootstrap makes of a suite."""
    base, done = cache / f"base-{suite}", cache / f"base-{suite}.done"
    if not done.exists():
        _tell(f"  debootstrap {suite}")
        shutil.rmtree(base, ignore_errors=True)
        _call("debootstrap", "--variant=minbase", f"--include={BASE}", suite, str(base), MIRROR)
        done.touch()
    return base


def _second_kernel(system: System) -> None:
    """Another installed kernel, for what has to be done for all of them; `uname -r` gives the first one."""
    first = system.releases[0]
    second = first + SECOND
    modules = system.folder / "lib/modules"
    _call("cp", "-al", str(modules / first), str(modules / second))
    for kind in ("vmlinuz", "config", "System.map"):
        if (system.folder / f"boot/{kind}-{first}").exists():
            shutil.copy(system.folder / f"boot/{kind}-{first}", system.folder / f"boot/{kind}-{second}")
    shutil.copy(system.folder / f"boot/initrd.img-{first}", system.folder / f"boot/initrd.img-{second}")
    if (system.folder / "var/lib/initramfs-tools").is_dir():
        shutil.copy(*(system.folder / f"var/lib/initramfs-tools/{one}" for one in (first, second)))
    fake = system.folder / "usr/local/bin/uname"
    fake.write_text(f'#!/bin/sh\n[ "$*" != -r ] || {{ echo {first}; exit; }}\nexec /usr/bin/uname "$@"\n')
    fake.chmod(0o755)


def _mount(folder: Path) -> None:
    """What a root needs mounted. The namespace ends with this program."""
    if os.path.ismount(folder):
        return
    _call("mount", "--bind", str(folder), str(folder))
    _call("mount", "-t", "proc", "proc", str(folder / "proc"))
    _call("mount", "-t", "sysfs", "-o", "ro", "sysfs", str(folder / "sys"))
    _call("mount", "-t", "tmpfs", "tmpfs", str(folder / "tmp"))
    _call("mount", "-t", "tmpfs", "tmpfs", str(folder / "dev"))
    for node in NODES:
        _call("cp", "-a", f"/dev/{node}", str(folder / "dev"))
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        (folder / "dev" / name).symlink_to(f"/proc/self/fd{target}")
    under = folder.stat().st_dev
    device = Path(f"/sys/dev/block/{os.major(under)}:{os.minor(under)}").resolve().name
    if device and Path(f"/dev/{device}").exists():
        _call("cp", "-a", f"/dev/{device}", str(folder / "dev"))


def _call(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RootsError(
            f"{' '.join(command)[:200]} ended with {done.returncode}: {(done.stdout + done.stderr)[-800:]}"
        )
    return done.stdout


# One try


def attempt(one: dict[str, Any], system: System, cache: Path) -> list[str]:
    """Carry one try out. What is not as it should be; nothing if all is well."""
    shutil.rmtree(system.folder / "var/lib/passdoctor", ignore_errors=True)
    _call("rm", "-rf", *(str(path) for name in KEPT for path in (system.folder / name).iterdir()))
    _call("tar", "-C", str(system.folder), "-xf", str(cache / f"{system.name}.tar"))
    for path, text in (one.get("files") or {}).items():
        target = system.folder / path
        target.unlink(missing_ok=True)
        if text is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
    system.run("sh", "-euc", one.get("prepare", ":"))
    before = _snapshot(system.folder)
    script = _plan(one, system)
    wrong: list[str] = []
    try:
        system.run("sh", "/root/plan.sh")
        wrong += _held_against(one.get("expect") or {}, system)
        after = _snapshot(system.folder)
        system.run("sh", "/root/plan.sh")
        wrong += _differences("again", after, _snapshot(system.folder))
        system.run("sh", "/root/undo.sh")
        wrong += _differences("undo", before, _snapshot(system.folder))
        wrong += _held_against(one.get("undone") or {}, system)
    except RootsError as error:
        wrong.append(str(error))
    if wrong:
        kept = cache / f"failed-{re.sub(r'[^a-z0-9]+', '-', one['name'].lower())}.sh"
        kept.write_text(script)
        wrong.append(f"the script is kept as {kept}")
    return wrong


def _plan(one: dict[str, Any], system: System) -> str:
    """The script for the root, put into it as well."""
    with tempfile.TemporaryDirectory() as place:
        evidence, rule = Path(place) / "host", Path(place) / "asked.yaml"
        for path in READ:
            if (system.folder / path).exists():
                (evidence / path).parent.mkdir(parents=True, exist_ok=True)
                _call("cp", "-rL", str(system.folder / path), str(evidence / path))
        for path, text in (one.get("evidence") or {}).items():
            (evidence / path).parent.mkdir(parents=True, exist_ok=True)
            (evidence / path).write_text(text)
        rule.write_text(yaml.safe_dump([_rule(one["remedies"])]))
        argv = [str(Path(sys.executable).parent / "passdoctor"), "plan", str(evidence), "--rules", str(rule)]
        argv += ["--format", "sh"]
        texts = [subprocess.run([*argv, *more], capture_output=True, text=True) for more in ([], ["--undo"])]
    for name, done in zip(("plan", "undo"), texts, strict=True):
        if not done.stdout.startswith("#!"):
            raise RootsError(f"no script was made: {done.stderr[-1000:] or done.stdout[:1000]}")
        (system.folder / f"root/{name}.sh").write_text(done.stdout)
    script = texts[0].stdout
    if f", {one['platform']}." not in script:
        raise RootsError(f"the plan is not for {one['platform']}")
    return script


def _rule(remedies: list[Any]) -> dict[str, Any]:
    """A check that always fails and prescribes this."""
    text = "Asked for by tools/roots.py"
    parts: dict[str, Any] = {"id": "asked", "title": text, "problem": text, "kind": "symptom", "scope": "host"}
    parts |= {"severity": "blocker", "fail": "true", "detail": {"fail": text}, "why": text, "references": ["x"]}
    return parts | {"remedy": remedies}


def _snapshot(root: Path) -> dict[str, str]:
    """Every file that a try may change, with a digest of its mode and content."""
    found: dict[str, str] = {}
    for name in KEPT:
        for folder, _, files in os.walk(root / name):
            for file in files:
                path = Path(folder) / file
                told = str(path)[len(str(root)) :]
                if PASSING.search(told) or "vmlinuz" in told:
                    continue
                if path.is_symlink():
                    found[told] = str(path.readlink())
                else:
                    digest = hashlib.sha256(path.read_bytes()).hexdigest()
                    found[told] = f"{path.stat().st_mode:o} {digest}"
    return found


def _differences(name: str, before: dict[str, str], after: dict[str, str]) -> list[str]:
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    return [f"{name}: {path} is not as it was" for path in changed]


# Looking at the outcome


def _held_against(expect: dict[str, Any], system: System) -> list[str]:
    """What of `expect` does not hold."""
    wrong: list[str] = []
    normal, recovery = command_lines(system.folder)
    for name, lines in (("cmdline", normal), ("recovery", recovery)):
        wanted = expect.get(name) or {}
        if wanted and len(lines) < len(system.releases):
            wrong.append(f"{name}: {len(lines)} entries for {len(system.releases)} kernels")
        for line in lines:
            wrong += _sided(name, wanted, line.split(), lambda word, words: word in words)
    for path, wanted in (expect.get("files") or {}).items():
        have = _lines(system.folder / path)
        wrong += _sided(path, wanted, have, lambda line, lines: line in lines)
    if not {"image", "held", "order"} & expect.keys():
        return wrong
    for release in system.releases:
        wrong += _image_wrong(expect, system, release)
    return wrong


def _image_wrong(expect: dict[str, Any], system: System, release: str) -> list[str]:
    """What of `expect` does not hold in the initramfs of one kernel."""
    path = f"/boot/initrd.img-{release}"
    listed = system.run(system.image, path).splitlines()
    wrong = _sided(
        path, expect.get("image") or {}, listed, lambda word, lines: any(map(re.compile(word).search, lines))
    )
    if not {"held", "order"} & expect.keys():
        return wrong
    with unpacked(system, path) as place:
        for name, wanted in (expect.get("held") or {}).items():
            if _lines(place / name) != _lines(system.folder / name):
                wrong.append(f"{path}: /{name} is not the root's")
            wrong += _sided(f"{path}:/{name}", wanted, _lines(place / name), lambda line, lines: line in lines)
        for pattern, words in (expect.get("order") or {}).items():
            texts = [one.read_text("utf-8", "replace") for one in place.glob(pattern) if one.is_file()]
            if not any(re.search(".*?".join(words), text, re.DOTALL) for text in texts):
                wrong.append(f"{path}: no {pattern} has {' … '.join(words)} in this order")
    return wrong


class unpacked:  # noqa: N801 - a context manager, used like a function
    """The files of an initramfs, in a folder of the root for as long as it lasts."""

    def __init__(self, system: System, path: str) -> None:
        """Of the image at `path` in the root."""
        self._system, self._path = system, path
        self._folder = system.folder / "root/unpacked"

    def __enter__(self) -> Path:
        """The folder; that of several archives in one image is its `main`."""
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._system.image == "lsinitramfs":
            self._system.run("unmkinitramfs", self._path, "/root/unpacked")
        else:
            text = f"mkdir -p /root/unpacked && cd /root/unpacked && lsinitrd --unpack {self._path}"
            self._system.run("sh", "-euc", text)
        main = self._folder / "main"
        return main if main.is_dir() else self._folder

    def __exit__(self, *_: object) -> None:
        """It goes."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _sided(name: str, wanted: dict[str, Any], have: list[str], holds: Callable[[str, list[str]], bool]) -> list[str]:
    lacks = [f"{name} lacks {word}" for word in wanted.get("has", ()) if not holds(word, have)]
    return lacks + [f"{name} has {word}" for word in wanted.get("lacks", ()) if holds(word, have)]


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8", "replace").splitlines() if path.is_file() else []


def command_lines(root: Path) -> tuple[list[str], list[str]]:
    """The kernel's parameters in all boot entries: GRUB's and systemd-boot's normal ones, GRUB's recovery ones."""
    normal: list[str] = []
    recovery: list[str] = []
    for line in _lines(root / "boot/grub/grub.cfg"):
        words = line.split()
        if words[:1] == ["linux"]:
            (recovery if "single" in words else normal).append(" ".join(words[2:]))
    for entry in sorted((root / "boot/efi/loader/entries").glob("*.conf")):
        normal += [line.partition(" ")[2].strip() for line in _lines(entry) if line.startswith("options")]
    return normal, recovery


# The command


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _chosen(tries: list[dict[str, Any]], words: str) -> Iterator[dict[str, Any]]:
    for one in tries:
        if all(word.lower() in one["name"].lower() for word in words.split()):
            yield one


def main() -> int:
    """Carry the tries out; 1 if one went wrong, 2 if it cannot be done here."""
    parser = argparse.ArgumentParser(description="Try plans in real Debian roots.")
    parser.add_argument("--try", dest="words", default="", help="only those whose names have these words")
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "passdoctor-roots"
    parser.add_argument("--folder", type=Path, default=default, help="where the roots are kept")
    arguments = parser.parse_args()
    missing = [package for program, package in NEEDED.items() if not shutil.which(program)]
    if os.geteuid() != 0 or missing:
        _tell(f"roots: it has to run as root{', and needs ' + ', '.join(missing) if missing else ''}")
        return 2
    if os.environ.get("PASSDOCTOR_ROOTS") != "unshared":
        os.environ["PASSDOCTOR_ROOTS"] = "unshared"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])  # noqa: S606
    data = yaml.safe_load((HERE / "roots.yaml").read_text("utf-8"))
    arguments.folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for one in _chosen(data["tries"], arguments.words):
        try:
            system = make(one["root"], data["roots"][one["root"]], arguments.folder.resolve())
            wrong = attempt(one, system, arguments.folder.resolve())
        except RootsError as error:
            wrong = [str(error)]
        _tell("\n".join([f"{'WRONG' if wrong else 'ok   '} {one['name']}", *(f"      {text}" for text in wrong)]))
        failed += bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
