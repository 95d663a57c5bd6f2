"""Runs in the guest as root: asks VFIO itself which PCI endpoints can be given away, and prints JSON.

Three questions of each endpoint. `now`: as the host stands, is the group viable, does it attach, does the
device open, and where a user `player` starts the guest, can its memory be pinned? `managed`, for a device that a
VM's configuration hands to a manager which rebinds: the same as soon as it is bound as that manager would. `bound`,
for a device that nobody meant: the same as soon as its own slot is bound and nothing else. Opening resets a device
and loads modules: other evidence comes before.

With --start it asks the first question only, of what is bound: a guest that somebody tried to start.

Nothing but the standard library: it runs alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import json
import mmap
import os
import re
import resource
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

PCI = Path("/sys/bus/pci")
GROUPS = Path("/sys/kernel/iommu_groups")
CONTAINER = "/dev/vfio/vfio"
BASE = 0x3B00 + 100  # _IO(';', 100)
SET_IOMMU, GET_STATUS, SET_CONTAINER, GET_DEVICE = BASE + 2, BASE + 3, BASE + 4, BASE + 6
MAP_DMA = BASE + 13
TYPE1V2, VIABLE = 3, 1
MEMORY = 64 << 20
"""What the guest of the user `player` has, in bytes."""
NOBODY = 65534
OURS = "virtio-pci"  # the guest's own disks: taking them away would end the guest
CONFIGURED = (
    "etc/default/grub*",
    "etc/default/grub.d/*",
    "etc/kernel/*",
    "etc/modules",
    "etc/modules-load.d/*",
    "etc/modprobe.d/*",
    "etc/initramfs-tools/**/*",
    "etc/udev/rules.d/*",
    "etc/pve/**/*",
    "etc/libvirt/**/*",
    "boot/grub/grub.cfg",
    "boot/efi/loader/**/*",
)
MEMLOCK = re.compile(r"^player\s+-\s+memlock\s+(\d+)", re.MULTILINE)  # limits.conf(5): KiB
HOSTPCI = re.compile(r"^hostpci\d+:\s*(?:host=)?([0-9a-f:.;]+)", re.MULTILINE)


def text(path: Path) -> str | None:
    """What a file of sysfs says."""
    try:
        return path.read_text().strip()
    except OSError:
        return None


def link(path: Path) -> str | None:
    """The name that a link of sysfs leads to."""
    try:
        return path.readlink().name
    except OSError:
        return None


def entries(path: Path) -> list[str]:
    """The names in a directory; none if it is not there."""
    return sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []


def device(address: str) -> Path:
    """A device's directory."""
    return PCI / "devices" / address


def is_endpoint(address: str) -> bool:
    """Whether its header is an endpoint's."""
    try:
        head = (device(address) / "config").read_bytes()[:16]
    except OSError:
        return False
    return len(head) == 16 and head[14] & 0x7F == 0


def ask(address: str, as_player: bool = True) -> dict[str, Any]:
    """Goes the way QEMU goes, one step after the other, and says where it ends."""
    answer: dict[str, Any] = {"viable": None, "attached": False, "opened": False}
    group = link(device(address) / "iommu_group")
    if group is None:
        return {**answer, "error": "no IOMMU group"}
    fds: list[int] = []
    step = "open the container"
    try:
        fds.append(container := os.open(CONTAINER, os.O_RDWR | os.O_CLOEXEC))
        step = "open the group"
        fds.append(fd := os.open(f"/dev/vfio/{group}", os.O_RDWR | os.O_CLOEXEC))
        step = "VFIO_GROUP_GET_STATUS"
        flags = struct.unpack("II", fcntl.ioctl(fd, GET_STATUS, struct.pack("II", 8, 0)))[1]
        answer["viable"] = bool(flags & VIABLE)
        # Not viable: go on all the same, the error of the next step is what a user of VFIO would see.
        step = "VFIO_GROUP_SET_CONTAINER"
        fcntl.ioctl(fd, SET_CONTAINER, struct.pack("i", container))
        step = "VFIO_SET_IOMMU"
        fcntl.ioctl(container, SET_IOMMU, TYPE1V2)
        answer["attached"] = True
        step = "VFIO_GROUP_GET_DEVICE_FD"
        # A mutable buffer: with bytes, Python returns the buffer and the descriptor's number is lost.
        fds.append(fcntl.ioctl(fd, GET_DEVICE, bytearray(address.encode() + b"\0")))
        answer["opened"] = True
        step = "VFIO_IOMMU_MAP_DMA"
        if as_player:
            pin(container)
    except OSError as error:
        answer["error"] = f"{step}: {errno.errorcode.get(error.errno or 0, '?')}"
    finally:
        for fd in reversed(fds):
            os.close(fd)
    return answer


def limit_of_player() -> int | None:
    """The limit of locked memory, in bytes, of the user who starts the guest; None if it is root."""
    for path in sorted(Path("/etc/security/limits.d").glob("*.conf")):
        found = MEMLOCK.search(path.read_text())
        if found:
            return int(found.group(1)) << 10
    return None


def pin(container: int) -> None:
    """Has VFIO pin the guest's memory as the QEMU of the user `player` would. Raises OSError.

    The descriptors are root's, as those that libvirt hands to QEMU; who maps is what counts (vfio_lock_acct).
    """
    limit = limit_of_player()
    if limit is None:
        return
    child = os.fork()
    if not child:
        try:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
            os.setuid(NOBODY)
            memory = mmap.mmap(-1, MEMORY)
            address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
            fcntl.ioctl(container, MAP_DMA, struct.pack("IIQQQ", 32, 3, address, 0, MEMORY))
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        raise OSError(status, os.strerror(status))


def write(path: Path, words: str) -> None:
    """Writes to sysfs; a refusal shows in what VFIO says afterwards."""
    with contextlib.suppress(OSError):
        path.write_text(words)


def load(module: str) -> None:
    """Loads a module, if there is one to load."""
    subprocess.run(["/sbin/modprobe", "-q", module], check=False)


def bind(addresses: list[str]) -> dict[str, str | None]:
    """Binds devices to vfio-pci as VM managers do; returns what held them."""
    held = {address: link(device(address) / "driver") for address in addresses}
    for address, driver in held.items():
        if driver == "vfio-pci":
            continue
        write(device(address) / "driver_override", "vfio-pci")
        write(device(address) / "driver/unbind", address)
        write(PCI / "drivers_probe", address)
    return held


def give_back(held: dict[str, str | None]) -> None:
    """Undoes `bind`."""
    for address, driver in held.items():
        if driver == "vfio-pci":
            continue
        write(device(address) / "driver/unbind", address)
        write(device(address) / "driver_override", "\n")
        if driver is not None:
            write(PCI / "drivers" / driver / "bind", address)


def endpoints() -> list[str]:
    """All endpoints."""
    return [name for name in entries(PCI / "devices") if is_endpoint(name)]


def slot_of(address: str) -> str:
    """Its address without the function."""
    return address.rpartition(".")[0]


def hostdevs(path: Path) -> list[str]:
    """The devices of a domain that libvirt binds itself."""
    found: list[str] = []
    for hostdev in ElementTree.parse(path).iter("hostdev"):  # noqa: S314 - the scenario's own file
        source = hostdev.find("source/address")
        if hostdev.get("managed") == "yes" and source is not None:
            numbers = [int(source.get(key, "0"), 16) for key in ("domain", "bus", "slot", "function")]
            found.append("{:04x}:{:02x}:{:02x}.{}".format(*numbers))
    return [address for address in found if address in endpoints()]


def managed() -> list[str]:
    """The devices that a VM manager would bind when its guest starts: Proxmox VE's hostpci, libvirt's managed."""
    found = [address for path in sorted(Path("/etc/libvirt/qemu").glob("*.xml")) for address in hostdevs(path)]
    for path in sorted(Path("/etc/pve/qemu-server").glob("*.conf")):
        for names in HOSTPCI.findall(path.read_text()):
            for name in names.split(";"):
                full = name if name.count(":") == 2 else "0000:" + name
                found += [a for a in endpoints() if a == full or ("." not in full and slot_of(a) == full)]
    return found


def describe(address: str) -> dict[str, Any]:
    """What sysfs says of a device."""
    here = device(address)
    ids = [(text(here / name) or "0x").removeprefix("0x") for name in ("vendor", "device")]
    group = link(here / "iommu_group")
    members = entries(GROUPS / group / "devices") if group is not None else []
    return {
        "ids": ":".join(ids),
        "class": (text(here / "class") or "0x").removeprefix("0x"),
        "driver": link(here / "driver"),
        "group": int(group) if group is not None else None,
        "members": members,
    }


def answers() -> dict[str, dict[str, Any]]:
    """The three questions, asked of every endpoint."""
    known = {address: {**describe(address), "now": ask(address)} for address in endpoints()}
    taken = managed()
    load("vfio-pci")  # not before: its ids= may bind what nothing holds
    bind(taken)
    for address in taken:
        known[address]["managed"] = ask(address)
    slots: dict[str, list[str]] = {}
    for address, facts in known.items():
        if address not in taken and facts["driver"] != OURS:
            slots.setdefault(slot_of(address), []).append(address)
    for slot in slots.values():
        if all(known[address]["driver"] == "vfio-pci" for address in slot):
            continue
        held = bind(slot)
        for address in slot:
            known[address]["bound"] = ask(address, as_player=False)
        give_back(held)
    return known


def files() -> dict[str, str]:
    """Mode and SHA-256 of every file of the host that decides how it boots and what it binds."""
    found: dict[str, str] = {}
    for pattern in CONFIGURED:
        for path in sorted(Path("/").glob(pattern)):
            if path.is_file():
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                found[str(path)] = f"{path.stat().st_mode & 0o7777:04o} {digest[:16]}"
    return found


def main() -> None:
    """Prints the truth."""
    load("vfio_iommu_type1")  # as every VM manager does
    if sys.argv[1:] == ["--start"]:
        for address in endpoints():
            if link(device(address) / "driver") == "vfio-pci":
                ask(address)
        return
    facts: dict[str, Any] = {"kernel": os.uname().release, "cmdline": text(Path("/proc/cmdline"))}
    facts["iommus"] = entries(Path("/sys/class/iommu"))
    facts["devices"] = answers()
    facts["files"] = files()
    json.dump(facts, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
