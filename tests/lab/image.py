"""Makes what a guest boots: a Debian tree, its disk, and an initramfs with or without a scenario's files.

Everything is kept in the cache, outside the project: one tree and one disk a kernel, one initramfs for each
content of the files that go into it. No mount and no loop device is used.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from .scenario import BASE, Scenario

MIRROR = "http://deb.debian.org/debian"
RELEASE = "bookworm"
PACKAGES = (
    "python3 pciutils kmod udev systemd-sysv initramfs-tools zstd dmidecode procps iproute2 dbus grub2-common "
    "systemd-boot systemd-boot-efi"
)
UUID = "6f1d2c34-5b7a-4e8f-9a01-23456789abcd"
NEEDED = {
    "qemu-system-x86_64": "qemu-system-x86",
    "debootstrap": "debootstrap",
    "mkfs.ext4": "e2fsprogs",
    "debugfs": "e2fsprogs",
}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
UNIT = """[Unit]
Wants=systemd-udev-settle.service
After=systemd-udev-settle.service systemd-modules-load.service basic.target dbus.service
[Service]
Type=oneshot
TimeoutStartSec=infinity
ExecStart=/usr/local/sbin/lab-payload
[Install]
WantedBy=multi-user.target
"""
STARTER = """#!/bin/sh
# The payload disk holds the rest.
mkdir -p /root/payload
cd /root/payload || exit
tar -xf /dev/disk/by-id/virtio-lab-payload
exec sh ./guest.sh
"""
IDLE = [
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "systemd-tmpfiles-clean.timer",
    "getty@tty1.service",
    "serial-getty@ttyS0.service",
    "systemd-logind.service",
    "systemd-tmpfiles-setup.service",
    "systemd-update-utmp.service",
    "systemd-user-sessions.service",
    "systemd-boot-system-token.service",
    "systemd-boot-update.service",
    "systemd-random-seed.service",
    "systemd-repart.service",
    "systemd-pstore.service",
    "systemd-journal-flush.service",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "proc-sys-fs-binfmt_misc.automount",
    "modprobe@.service",
]
"""What a guest that lives for half a minute does not need."""
FSTAB_ONLY = "systemd-fstab-generator"
"""The one generator of units that it needs: each is a program to start."""
BOOT = ["virtio_pci", "virtio_blk", "ext4", "crc32c_generic", "nvme", "ahci", "sd_mod", "xhci_pci"]
"""What the initramfs holds besides: less than Debian's default, for an emulated CPU unpacks it."""


INITRAMFS = "MODULES=list\nCOMPRESSLEVEL=1\n"
REMOVED = "lib/modules/*/kernel/drivers/gpu/drm/virtio/*"
"""virtio_gpu waits for itself for ever where the emulated CPU is slow; the host's display works without."""


class LabError(RuntimeError):
    """The lab cannot do what was asked; the message says why."""


class Image(NamedTuple):
    """What a guest boots."""

    version: str
    disk: Path
    vmlinuz: Path
    initrd: Path


def cache() -> Path:
    """Where trees and disks are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "passdoctor-lab"


def missing() -> list[str]:
    """The Debian packages that are not here."""
    return sorted({pack for program, pack in NEEDED.items() if not shutil.which(program, path=PATH)})


@contextlib.contextmanager
def building() -> Iterator[None]:
    """Several runners may boot guests from one cache, and only one at a time makes what they boot."""
    if _held:
        yield
        return
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _held.append(lock)
        try:
            yield
        finally:
            _held.clear()


_held: list[TextIO] = []


def image(scenario: Scenario) -> Image:
    """The image for a scenario, made where it is not in the cache. Raises LabError."""
    if scenario.kernel not in BASE["kernels"]:
        raise LabError(f"{scenario.name}: no kernel {scenario.kernel}; base.yaml has {', '.join(BASE['kernels'])}")
    with building():
        tree = _tree(scenario.kernel)
        version = next((tree / "boot").glob("vmlinuz-*")).name.partition("-")[2]
        files = {} if scenario.stale else scenario.files
        return Image(version, _disk(tree), tree / f"boot/vmlinuz-{version}", _initrd(tree, version, files))


def run(log: Path, *command: str | Path) -> None:
    """Runs a program with its output in `log`. Raises LabError."""
    with log.open("ab") as out:
        environment = {
            "PATH": PATH,
            "LC_ALL": "C.UTF-8",
            "DEBIAN_FRONTEND": "noninteractive",
            "HOME": "/root",
        }
        done = subprocess.run(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment
        )
    if done.returncode:
        raise LabError(f"{command[0]} failed with {done.returncode}, see {log}")


def digest(*parts: object) -> str:
    """A short name for the content of `parts`."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _tree(kernel: str) -> Path:
    """A Debian tree with this kernel."""
    origin = BASE["kernels"][kernel]
    release = origin.get("release", RELEASE)
    key = digest(release, PACKAGES, UNIT, STARTER, IDLE, FSTAB_ONLY, BOOT, INITRAMFS, REMOVED, origin)
    tree, stamp, log = (cache() / f"tree-{kernel}{end}" for end in ("", ".stamp", ".log"))
    if stamp.is_file() and stamp.read_text() == key:
        return tree
    stamp.unlink(missing_ok=True)
    for old in (tree, cache() / f"disk-{kernel}.img"):
        _remove(old)
    for old in cache().glob(f"initrd-{kernel}.*"):
        old.unlink()
    run(log, "cp", "-a", "--reflink=auto", _debian(release), tree)
    _install_kernel(tree, origin, log)
    _furnish(tree)
    stamp.write_text(key)
    return tree


def _debian(release: str) -> Path:
    """A Debian tree without a kernel."""
    tree, stamp, log = (cache() / f"{release}{end}" for end in ("", ".stamp", ".log"))
    key = digest(release, PACKAGES)
    if not (stamp.is_file() and stamp.read_text() == key):
        print(f"lab: fetching Debian {release}, once (some minutes)", flush=True)
        _remove(tree)
        include = "--include=" + PACKAGES.replace(" ", ",")
        run(log, "debootstrap", "--variant=minbase", include, release, tree, MIRROR)
        stamp.write_text(key)
    return tree


def _install_kernel(tree: Path, origin: dict[str, str], log: Path) -> None:
    print(f"lab: installing the kernel of {origin['suite']}", flush=True)
    suite = origin["suite"]
    (tree / "etc/apt/sources.list").write_text(f"deb {MIRROR} {suite} main\n")
    shutil.copy("/etc/resolv.conf", tree / "etc/resolv.conf")
    (tree / "etc/initramfs-tools/conf.d").mkdir(parents=True, exist_ok=True)
    (tree / "etc/initramfs-tools/conf.d/lab").write_text(INITRAMFS)
    extra = tree / "usr/share/initramfs-tools/modules.d"
    extra.mkdir(parents=True, exist_ok=True)
    (extra / "lab").write_text("\n".join(BOOT) + "\n")
    run(log, "chroot", tree, "apt-get", "update")
    run(
        log,
        "chroot",
        tree,
        "apt-get",
        "install",
        "-y",
        "--no-install-recommends",
        f"{origin['package']}/{suite}",
    )
    for place in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"):
        for path in (tree / place).glob("*"):
            _remove(path)
    (tree / "etc/resolv.conf").unlink()
    for path in tree.glob(REMOVED):
        path.unlink()
    run(log, "chroot", tree, "depmod", next((tree / "lib/modules").iterdir()).name)


def _furnish(tree: Path) -> None:
    """The files that make the tree a guest of the lab."""
    texts = {
        "etc/hostname": "lab\n",
        "etc/hosts": "127.0.0.1 localhost lab\n",
        "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        "etc/fstab": f"UUID={UUID} / ext4 errors=remount-ro 0 1\n",
        "usr/local/sbin/lab-payload": STARTER,
        "etc/systemd/system/lab-payload.service": UNIT,
    }
    for name, text in texts.items():
        (tree / name).unlink(missing_ok=True)
        (tree / name).write_text(text, "utf-8")
    (tree / "usr/local/sbin/lab-payload").chmod(0o755)
    units = tree / "etc/systemd/system"
    (units / "multi-user.target.wants").mkdir(exist_ok=True)
    _link(units / "multi-user.target.wants/lab-payload.service", "/etc/systemd/system/lab-payload.service")
    for unit in IDLE:
        _link(units / unit, "/dev/null")
    _link(units / "default.target", "/lib/systemd/system/multi-user.target")
    generators = tree / "etc/systemd/system-generators"
    generators.mkdir(exist_ok=True)
    for generator in (tree / "lib/systemd/system-generators").iterdir():
        if generator.name != FSTAB_ONLY:
            _link(generators / generator.name, "/dev/null")


def _link(path: Path, target: str) -> None:
    _remove(path)
    path.symlink_to(target)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _disk(tree: Path) -> Path:
    """The tree as a disk, without any scenario's files."""
    disk = tree.with_name(tree.name.replace("tree", "disk") + ".img")
    if not disk.is_file():
        made = disk.with_suffix(".new")
        size = subprocess.run(["du", "-sm", str(tree)], stdout=subprocess.PIPE, check=True).stdout.split()[0]
        with made.open("wb") as out:
            out.truncate((int(size) + 500) << 20)
        run(tree.with_name(tree.name + ".log"), "mkfs.ext4", "-q", "-F", "-m0", "-U", UUID, "-d", tree, made)
        made.rename(disk)
    return disk


def _initrd(tree: Path, version: str, files: dict[str, str]) -> Path:
    """The initramfs as the tree would build it with these files."""
    inside = {path: text for path, text in files.items() if _goes_in(path)}
    kernel = tree.name.partition("-")[2]
    initrd = tree.with_name(f"initrd-{kernel}.{digest(inside)}")
    if not initrd.is_file():
        log, work = tree.with_name(tree.name + ".log"), tree.with_name("work")
        _remove(work)
        # Hard links: what is written below replaces a name and never a content.
        run(log, "cp", "-al", tree, work)
        for path, text in inside.items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).unlink(missing_ok=True)
            (work / path).write_text(text, "utf-8")
            (work / path).chmod(mode(text))
        run(log, "chroot", work, "mkinitramfs", "-o", "/initrd.new", version)
        (work / "initrd.new").rename(initrd)
        _remove(work)
    return initrd


def mode(text: str) -> int:
    """What starts like a script is one."""
    return 0o755 if text.startswith("#!") else 0o644


def _goes_in(path: str) -> bool:
    return path.startswith(("etc/modprobe.d/", "etc/initramfs-tools/", "usr/", "etc/udev/"))
