"""A guest that boots as a host does: firmware (OVMF), a FAT partition, and GRUB or systemd-boot on it.

What a loader reads is written as the host's own tools write it: once for each Debian release a guest is booted that
runs `update-grub` or `kernel-install` with a mark for the command line, and what they wrote is kept in the cache.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from .image import RELEASE, UUID, Image, LabError, building, cache, digest, image, run
from .machine import ALWAYS, DEFAULTS, DRIVES, Drive, Guest, brought, command, empty, packed, payload, put
from .scenario import BASE, Scenario, parse

CODE, VARS = Path("/usr/share/OVMF/OVMF_CODE.fd"), Path("/usr/share/OVMF/OVMF_VARS.fd")
ESP_SERIAL = "4c414221"
ESP_UUID = "4C41-4221"
ESP_SIZE = 128  # megabytes: the kernel, an initramfs, and room for what replaces it
MACHINE_ID = "0123456789abcdef0123456789abcdef"
MARK = "quiet lab.mark=1"
"""Stands for the command line in what is kept."""
VERSION = "@VERSION@"
"""Stands for the kernel's release there."""
FSTAB = f"""UUID={UUID} / ext4 errors=remount-ro 0 1
UUID={ESP_UUID} /boot/efi vfat umask=0077 0 0
"""
SMBIOS = bytes.fromhex("00180000 0102 00e8 03 00 0800000000000000 0008 0000 ffff") + b"Lab\x001.0\x0001/01/2026\x00\x00"
"""BIOS information (type 0): OVMF's own, and that of QEMU's options, says that this is a virtual machine."""
FIND = f"""search --no-floppy --fs-uuid --set=root {UUID}
configfile ($root)/boot/grub/grub.cfg
"""
MODULES = "part_gpt part_msdos fat ext2 search search_fs_uuid configfile normal linux gzio echo test all_video"
FIRST_GRUB = """search --no-floppy --fs-uuid --set=root {uuid}
linux /boot/vmlinuz-{version} root=UUID={uuid} ro {always} {mark}
initrd /boot/initrd.img-{version}
boot
"""
FIRST_ENTRY = """title Debian
version {version}
machine-id {machine}
options {options}
linux /{machine}/{version}/linux
initrd /{machine}/{version}/initrd.img-{version}
"""
TEACH = {
    "grub": 'update-grub && cp /boot/grub/grub.cfg "$OUT/taught"',
    "systemd-boot": 'kernel-install add "$(uname -r)" "/boot/vmlinuz-$(uname -r)" && '
    'cp /boot/efi/loader/entries/*.conf "$OUT/taught"',
}
LEFT_OUT = {"trixie": ("etc/grub.d/25_bli", "etc/grub.d/30_uefi-firmware")}
"""Scripts of a release whose commands bookworm's GRUB does not know: it reboots at `fwsetup --is-supported`."""
NEEDED = {
    CODE: "ovmf",
    Path("/usr/sbin/sfdisk"): "fdisk",
    Path("/usr/bin/mcopy"): "mtools",
    Path("/usr/bin/grub-mkstandalone"): "grub-common",
    Path("/usr/lib/grub/x86_64-efi/moddep.lst"): "grub-efi-amd64-bin",
}
LOADER_DRIVES = (
    Drive("1a", "lab-esp", "esp.img", "cache=unsafe"),
    *DRIVES,
    Drive("1e", "lab-orders", "orders.img", "read-only=on"),
)


class State(NamedTuple):
    """What a guest brought back from one boot, before it got its orders."""

    bundle: bytes
    truth: str


def missing() -> list[str]:
    """The Debian packages that are not here."""
    return sorted({pack for path, pack in NEEDED.items() if not path.exists()})


class Bench:
    """A guest on disks of its own, booted again and again. Leaving the context ends it."""

    def __init__(self, scenario: Scenario, work: Path, taught: str) -> None:
        """`taught`: what the loader reads, with MARK for the command line. Raises LabError."""
        self._scenario, self._work = scenario, work
        self.made = image(scenario)
        self._guest: Guest | None = None
        subprocess.run(["cp", "--sparse=always", self.made.disk, work / "disk.img"], check=True)
        put(work / "disk.img", _files(scenario, self.made, taught), work)
        _esp(scenario, self.made, taught, work)
        shutil.copy(VARS, work / "vars.fd")
        (work / "smbios.bin").write_bytes(SMBIOS)

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        if self._guest is not None:
            self._guest.__exit__()

    def boot(self, prepare: str = "") -> State:
        """Boots through the loader, until the guest waits for orders. Raises LabError."""
        payload(prepare, self._work / "payload.img")
        empty(self._work / "results.img", 64)
        empty(self._work / "orders.img", 4)
        start = ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={CODE}"]
        start += ["-drive", f"if=pflash,unit=1,format=raw,file={self._work / 'vars.fd'}"]
        # The host's own display, ahead of all others: without it the firmware would draw on the card.
        start += ["-smbios", f"file={self._work / 'smbios.bin'}"]
        start += ["-device", "virtio-vga,bus=pcie.0,addr=1,romfile="]
        self._guest = Guest(command(self._scenario, self._work, start, LOADER_DRIVES), self._work)
        self._guest.__enter__()
        self._guest.wait("LAB: waits for orders")
        found = brought(self._work)
        if "status" not in found:
            raise LabError(found.get("run.log", b"").decode("utf-8", "replace"))
        return State(found["bundle.tar.gz"], found["truth.json"].decode())

    def order(self, files: dict[str, str], then: str = "reboot") -> dict[str, bytes]:
        """Has the guest run `order.sh`, ends it by `then` (reboot or poweroff), and returns what it brought."""
        assert self._guest is not None
        data = packed({**files, "then": then})
        if len(data) > 4 << 20:
            raise LabError("the orders are too big for their disk")
        with (self._work / "orders.img").open("r+b") as out:
            # The first block last: without it there is no archive.
            out.seek(512)
            out.write(data[512:])
            out.flush()
            out.seek(0)
            out.write(data[:512])
        self._guest.wait()
        self._guest = None
        return brought(self._work)


def taught(scenario: Scenario) -> str:
    """What the loader of this scenario's kernel reads, with MARK for the command line. Raises LabError."""
    made = image(scenario)
    release = _release(scenario)
    kept = cache() / f"{scenario.loader}-{release}.{digest(TEACH, MARK, FSTAB, DEFAULTS, *LEFT_OUT.get(release, ()))}"
    with building():
        if not kept.is_file():
            kept.write_text(_teach(scenario, made, release))
    return kept.read_text("utf-8").replace(VERSION, made.version)


def _release(scenario: Scenario) -> str:
    """The Debian release of its kernel."""
    return str(BASE["kernels"][scenario.kernel].get("release", RELEASE))


def _teach(scenario: Scenario, made: Image, release: str) -> str:
    """Boots a guest that writes it."""
    print(f"lab: {scenario.loader} of {release} writes what it reads, once", flush=True)
    plain = {"title": "", "machine": {"iommu": "intel-none", "parts": []}, "expect": {"verdict": "ready"}}
    blank = parse("taught", {**plain, "kernel": scenario.kernel, "loader": scenario.loader, "cmdline": MARK})
    work = cache() / "teach"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    with Bench(blank, work, _first(blank, made)) as bench:
        bench.boot()
        found = bench.order({"order.sh": TEACH[scenario.loader] + "\n"}, "poweroff")
    if "taught" not in found:
        raise LabError(found.get("order.log", b"").decode("utf-8", "replace"))
    shutil.rmtree(work)
    return found["taught"].decode().replace(made.version, VERSION)


def _first(scenario: Scenario, made: Image) -> str:
    if scenario.loader == "grub":
        return FIRST_GRUB.format(uuid=UUID, version=made.version, always=ALWAYS, mark=MARK)
    return FIRST_ENTRY.format(version=made.version, machine=MACHINE_ID, options=_kernel_cmdline(MARK))


def _kernel_cmdline(line: str) -> str:
    return f"root=UUID={UUID} ro {ALWAYS} {line}"


def _files(scenario: Scenario, made: Image, text: str) -> dict[str, str | Path]:
    """All files that go into the guest: the scenario's, the loader's, and the initramfs."""
    files: dict[str, str | Path] = {"etc/fstab": FSTAB, f"boot/initrd.img-{made.version}": made.initrd}
    if scenario.loader == "grub":
        defaults = DEFAULTS.format(always=ALWAYS, cmdline=scenario.configured)
        files["etc/default/grub"] = defaults.replace("GRUB_TIMEOUT=5", "GRUB_TIMEOUT=0\nGRUB_TERMINAL=console")
        files["boot/grub/grub.cfg"] = text.replace(MARK, scenario.cmdline)
        files |= dict.fromkeys(LEFT_OUT.get(_release(scenario), ()), "")
    else:
        files["etc/kernel/cmdline"] = _kernel_cmdline(scenario.configured) + "\n"
    return {**files, **scenario.files}


def _esp(scenario: Scenario, made: Image, text: str, work: Path) -> None:
    """The disk with the FAT partition that the firmware boots."""
    disk, log, sectors = work / "esp.img", work / "esp.log", (ESP_SIZE - 2) * 2048
    empty(disk, ESP_SIZE)
    layout = work / "layout"
    layout.write_text(
        f"label: gpt\nlabel-id: {'0' * 8}-0000-4000-8000-{'0' * 11}1\nstart=2048, size={sectors}, type=U\n"
    )
    run(log, "sh", "-c", f"exec sfdisk --quiet {disk} <{layout}")
    place = f"{disk}@@1M"
    run(log, "mformat", "-i", place, "-T", str(sectors), "-h", "64", "-s", "32", "-N", ESP_SERIAL, "-v", "ESP", "::")
    for folder in ("EFI", "EFI/BOOT"):
        run(log, "mmd", "-i", place, f"::/{folder}")
    if scenario.loader == "grub":
        run(log, "mcopy", "-i", place, _grub(), "::/EFI/BOOT/BOOTX64.EFI")
        return
    program = made.vmlinuz.parents[1] / "usr/lib/systemd/boot/efi/systemd-bootx64.efi"
    (work / "loader.conf").write_text("timeout 0\n")
    (work / "entries.srel").write_text("type1\n")
    (work / "entry.conf").write_text(text.replace(MARK, scenario.cmdline))
    home = f"{MACHINE_ID}/{made.version}"
    for folder in ("EFI/systemd", "loader", "loader/entries", MACHINE_ID, home):
        run(log, "mmd", "-i", place, f"::/{folder}")
    for source, name in (
        (program, "EFI/BOOT/BOOTX64.EFI"),
        (program, "EFI/systemd/systemd-bootx64.efi"),
        (work / "loader.conf", "loader/loader.conf"),
        (work / "entries.srel", "loader/entries.srel"),
        (work / "entry.conf", f"loader/entries/{MACHINE_ID}-{made.version}.conf"),
        (made.vmlinuz, f"{home}/linux"),
        (made.initrd, f"{home}/initrd.img-{made.version}"),
    ):
        run(log, "mcopy", "-i", place, source, f"::/{name}")


def _grub() -> Path:
    """GRUB as one EFI program that finds the guest's grub.cfg."""
    made = cache() / f"grub-{digest(FIND, MODULES)}.efi"
    with building():
        if not made.is_file():
            config, log = cache() / "find.cfg", cache() / "grub.log"
            config.write_text(FIND)
            new = made.with_suffix(".new")
            modules = f"--modules={MODULES}"
            run(log, "grub-mkstandalone", "-O", "x86_64-efi", modules, "-o", new, f"boot/grub/grub.cfg={config}")
            new.replace(made)
    return made
