"""Builds the sample bundles `samples/NAME.tar.gz` from the descriptions under `samples/hosts/NAME/`.

A description is `host.yaml` (kernel, processor, modules, IOMMU groups, ...) and the tree `files/` with what
a person would read there: `etc/...`, the kernel log, `lspci -Dnnk`. From these the host's `/sys` and `/proc`
are laid out in a temporary folder, each fact once, so that listing, groups, log and interrupts agree; then
the project's own collector gathers them. The same description gives the same bytes.

Usage: python tools/make_samples.py [--check] [NAME ...]
"""

from __future__ import annotations

import argparse
import re
import shutil
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the checkout's collector, wherever this is called from

from doctor.collect.gather import gather  # noqa: E402
from doctor.collect.model import Collected, Entry  # noqa: E402
from doctor.collect.pack import to_bytes  # noqa: E402

SAMPLES = ROOT / "samples"
HOSTS = SAMPLES / "hosts"
LSPCI = re.compile(
    r"(?P<address>\S+) (?P<kind>.+?) \[(?P<class>[0-9a-f]{4})\]: .*"
    r"\[(?P<vendor>[0-9a-f]{4}):(?P<device>[0-9a-f]{4})\](?: \(rev (?P<revision>[0-9a-f]{2})\))?"
    r"(?: \(prog-if (?P<interface>[0-9a-f]{2}).*\))?$"
)
INTERFACE = {"0101": 0x8A, "0106": 0x01, "0108": 0x02, "0c03": 0x30}
"""The usual programming interfaces, which `lspci -nnk` hides: IDE, AHCI, NVMe, xHCI."""
INTERRUPT = {"xhci_hcd": "xhci_hcd", "pcieport": "PCIe PME, aerdrv", "snd_hda_intel": "snd_hda_intel:card0"}
SILENT = ("vfio-pci", "i801_smbus", "piix4_smbus", "lpc_ich", "intel-spi", "k10temp", "intel_vsec")
"""Drivers that take no interrupt of their own here."""
SHARED = "IO-APIC"


class Device(NamedTuple):
    """A PCI function as `lspci -Dnnk` shows it."""

    address: str
    kind: str
    ids: tuple[int, int]
    subsystem: tuple[int, int]
    pci_class: int
    revision: int
    driver: str | None

    @property
    def bus(self) -> int:
        """Its bus number."""
        return int(self.address[5:7], 16)

    @property
    def slot(self) -> str:
        """Its address without the function."""
        return self.address[:-2]

    @property
    def requester(self) -> int:
        """Bus, device and function as one number."""
        return self.bus << 8 | int(self.address[8:10], 16) << 3 | int(self.address[-1])

    @property
    def is_bridge(self) -> bool:
        """Whether it is a PCI-to-PCI bridge."""
        return self.pci_class >> 8 == 0x0604


def read_devices(listing: str) -> list[Device]:
    """The functions in the output of `lspci -Dnnk`.

    >>> read_devices("0000:01:00.0 Audio device [0403]: A Corp. B [10de:22eb] (rev a1)")[0].pci_class
    262912
    """
    devices: list[Device] = []
    for line in listing.splitlines():
        found = LSPCI.match(line)
        if found is not None:
            kind = int(found["class"] + "00", 16) | INTERFACE.get(found["class"], 0)
            ids = int(found["vendor"], 16), int(found["device"], 16)
            revision = int(found["revision"] or "0", 16)
            devices.append(Device(found["address"], found["kind"], ids, (0, 0), kind, revision, None))
        elif line.strip().startswith("Subsystem:"):
            vendor, device = re.findall(r"\[([0-9a-f]{4}):([0-9a-f]{4})\]", line)[-1]
            devices[-1] = devices[-1]._replace(subsystem=(int(vendor, 16), int(device, 16)))
        elif line.strip().startswith("Kernel driver in use:"):
            devices[-1] = devices[-1]._replace(driver=line.partition(":")[2].strip())
        elif line.strip() and not line.startswith("\t"):
            raise ValueError(f"not a line of lspci: {line}")
    return devices


def _read(path: Path) -> dict[str, Any]:
    """A description; every scalar is a string, for `00:02.0` is a number to YAML."""
    loader = yaml.BaseLoader  # builds nothing but strings, lists and mappings
    description: dict[str, Any] = yaml.load(path.read_text(), loader)  # noqa: S506
    return description


class Host:
    """One described host, laid out below `root`."""

    def __init__(self, name: str, root: Path) -> None:
        self.folder, self.root = HOSTS / name, root
        self.facts: dict[str, Any] = _read(self.folder / "host.yaml")
        self.devices = read_devices((self.folder / "files/cmd/lspci-nnk").read_text())
        self.release: str = self.facts["release"]
        self.recent = tuple(int(n) for n in self.release.split(".")[:2]) >= (6, 2)
        self.iommu: dict[str, Any] = self.facts.get("iommu") or {}
        self.groups: dict[int, list[str]] = {
            int(number): ["0000:" + member for member in members.split()]
            for number, members in (self.facts.get("groups") or {}).items()
        }

    def put(self, path: str, content: str | bytes) -> None:
        """Writes one file."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            target.write_bytes(content)
        else:
            target.write_text(content)

    def lay_out(self) -> None:
        """Writes the host's whole tree."""
        shutil.copytree(self.folder / "files", self.root, dirs_exist_ok=True)
        (self.root / "usr/lib").mkdir(parents=True, exist_ok=True)
        (self.root / "lib").symlink_to("usr/lib")
        if (self.root / "etc/modules").exists():  # Debian's own link
            self._folder("etc/modules-load.d").joinpath("modules.conf").symlink_to("../modules")
        for listing in ("sys/class/iommu", "sys/kernel/iommu_groups", *self.facts.get("folders", ())):
            (self.root / listing).mkdir(parents=True, exist_ok=True)
        for path in self.facts.get("exists", ()):
            self.put(path, "")
        for path, content in self.facts.get("binary", {}).items():
            self.put(path, bytes.fromhex(content))
        kernel = HOSTS / "kernels" / self.facts["kernel"]
        shutil.copy(kernel / "config", self._folder("boot") / f"config-{self.release}")
        for table in ("modules.builtin", "modules.dep"):
            shutil.copy(kernel / table, self._folder(f"usr/lib/modules/{self.release}") / table)
        self._proc()
        self._modules()
        self._sysfs()
        self._iommu_tree()
        self._firmware()

    def _folder(self, path: str) -> Path:
        folder = self.root / path
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _proc(self) -> None:
        self.put("proc/cmdline", self.facts["cmdline"] + "\n")
        self.put("proc/version", self.facts["version"] + "\n")
        self.put("proc/sys/kernel/osrelease", self.release + "\n")
        self.put("proc/sys/kernel/hostname", self.facts["hostname"] + "\n")
        self.put("proc/cpuinfo", "".join(self._processor(number) for number in range(self.cpus)))
        self.put("proc/interrupts", self._interrupts())

    @property
    def cpus(self) -> int:
        """How many processors the kernel sees."""
        return int(self.facts["cpu"]["count"])

    def _processor(self, number: int) -> str:
        cpu = self.facts["cpu"]
        package = number * int(cpu.get("sockets", 1)) // self.cpus
        lines = [
            *(f"processor\t: {number}", f"vendor_id\t: {cpu['vendor']}", f"cpu family\t: {cpu['family']}"),
            *(f"model\t\t: {cpu['model']}", f"model name\t: {cpu['name']}", f"stepping\t: {cpu['stepping']}"),
            *(f"microcode\t: {cpu['microcode']}", f"cpu MHz\t\t: {cpu['mhz']}", f"physical id\t: {package}"),
            *(f"siblings\t: {self.cpus // int(cpu.get('sockets', 1))}", f"apicid\t\t: {number}"),
            *("fpu\t\t: yes", "wp\t\t: yes", f"flags\t\t: {cpu['flags']}", f"bugs\t\t: {cpu['bugs']}"),
            *(f"address sizes\t: {cpu['address_sizes']}", "power management:", "", ""),
        ]
        return "\n".join(lines)

    def _interrupts(self) -> str:
        """`/proc/interrupts`: chip names begin with `IR-` where interrupts are remapped."""
        remapped = "IR-" if self.iommu.get("interrupt_remapping") == "true" else ""
        lines = ["".ljust(5) + "".join(f"CPU{number}".rjust(11) for number in range(self.cpus))]

        def add(label: str, chip: str, what: str) -> None:
            counts = (1103 * (len(lines) + 1) % 977 if cpu == len(lines) % self.cpus else 0 for cpu in range(self.cpus))
            lines.append(f"{label:>4}:" + "".join(f"{count:>11}" for count in counts) + f"  {chip:<24} {what}")

        for number, what in ((0, "timer"), (8, "rtc0"), (9, "acpi")):
            add(
                str(number),
                f"{remapped}{SHARED}",
                f"  {number or 2}-{'fasteoi' if number == 9 else 'edge'}      {what}",
            )
        for number, unit in enumerate(self.iommu.get("units", {})):
            if self.iommu["kind"] == "intel":
                add(str(24 + number), "DMAR-MSI", f"  {number}-edge      {unit}")
            else:
                add(
                    str(24 + number),
                    f"{'PCI-MSI-0000:00:00.2' if self.recent else 'PCI-MSI'}",
                    "  0-edge      AMD-Vi",
                )
        number = 28
        for device in self.devices:
            name = self._interrupt_name(device)
            if name is None:
                continue
            if self.recent:
                kind = "PCI-MSIX" if device.driver in ("nvme", "igc", "r8169", "igb") else "PCI-MSI"
                add(str(number), f"{remapped}{kind}-{device.address}", f"  0-edge      {name}")
            else:
                add(str(number), f"{remapped}PCI-MSI", f"{device.requester << 11}-edge      {name}")
            number += 1
        totals = (("NMI", "Non-maskable interrupts"), ("LOC", "Local timer interrupts"))
        for label, what in (*totals, ("RES", "Rescheduling interrupts"), ("MCP", "Machine check polls")):
            lines.append(f"{label:>4}:" + "".join(f"{4 * n + 17:>11}" for n in range(self.cpus)) + f"   {what}")
        return "\n".join([*lines, " ERR:          0", " MIS:          0", ""])

    def _interrupt_name(self, device: Device) -> str | None:
        """What the device's interrupt is called; None if it has none."""
        if device.driver in (None, *SILENT) or (device.driver or "").endswith("uncore"):
            return None
        if device.driver == "ahci":
            return f"ahci[{device.address}]"
        if device.driver == "nvme":
            nvmes = [other.address for other in self.devices if other.driver == "nvme"]
            return f"nvme{nvmes.index(device.address)}q0"
        network = self.facts.get("network", {}).get(device.address)
        return network or INTERRUPT.get(str(device.driver), device.driver)

    def _modules(self) -> None:
        """`/proc/modules` and `/sys/module`: `modules` holds lines of `lsmod`."""
        lines, names = [], [str(name) for name in self.facts.get("builtin", "").split()]
        for number, line in enumerate(self.facts["modules"].strip().splitlines()):
            name, size, used, users = (*line.split(), "-")[:4]
            users = users if users == "-" else users + ","
            taint = " (POE)" if name.startswith("nvidia") else " (P)" if name in ("zfs", "spl") else ""
            lines.append(f"{name} {size} {used} {users} Live 0xffffffffc{0x0A00000 + number * 0x9000:07x}{taint}\n")
            names.append(name)
        self.put("proc/modules", "".join(lines))
        for name in names:
            self._folder(f"sys/module/{name}")
        for name, values in self.facts.get("parameters", {}).items():
            for parameter, value in values.items():
                self.put(f"sys/module/{name}/parameters/{parameter}", f"{value}\n")

    def _sysfs(self) -> None:
        """`/sys/bus/pci/devices`."""
        group_of = {member: number for number, members in self.groups.items() for member in members}
        unknown = set(group_of) - {device.address for device in self.devices}
        if unknown:
            raise ValueError(f"groups name unknown devices: {sorted(unknown)}")
        for device in self.devices:
            base = f"sys/bus/pci/devices/{device.address}"
            special = self.facts.get("devices", {}).get(device.address[5:], {})
            values = {
                "vendor": f"0x{device.ids[0]:04x}",
                "device": f"0x{device.ids[1]:04x}",
                "class": f"0x{device.pci_class:06x}",
                "revision": f"0x{device.revision:02x}",
                "subsystem_vendor": f"0x{device.subsystem[0]:04x}",
                "subsystem_device": f"0x{device.subsystem[1]:04x}",
                "driver_override": "(null)",
                "numa_node": str(self._node(device)),
                "enable": "0" if device.driver in (None, "vfio-pci") else "1",
                "power_state": "D3hot" if device.driver == "vfio-pci" else "D0",
                **special,
            }
            if device.pci_class >> 8 == 0x0300:
                values.setdefault("boot_vga", "0")
            for name, value in values.items():
                self.put(f"{base}/{name}", f"{value}\n")
            self.put(f"{base}/config", self._config(device, device.address in group_of))
            if device.driver is not None:
                self._link(f"{base}/driver", f"../../../bus/pci/drivers/{device.driver}")
            if device.address in group_of:
                self._link(f"{base}/iommu_group", f"../../../kernel/iommu_groups/{group_of[device.address]}")
                self._link(f"{base}/iommu", f"../../virtual/iommu/{self._unit(device)}")

    def _node(self, device: Device) -> int:
        sockets = int(self.facts["cpu"].get("sockets", 1))
        return -1 if sockets == 1 else int(device.bus >= 0x80)

    def _link(self, path: str, target: str) -> None:
        (self.root / path).symlink_to(target)

    def _unit(self, device: Device) -> str:
        """The remapping unit that serves a device: the first that names its bus or address, else the last."""
        units: dict[str, dict[str, Any]] = self.iommu["units"]
        for name, unit in units.items():
            serves = str(unit.get("serves", ""))
            if device.address[5:] in serves.split() or f"{device.bus:02x}" in serves.split():
                return name
        return list(units)[-1]

    def _is_pcie(self, device: Device) -> bool:
        conventional = self.facts.get("conventional", "").split()
        if device.address[5:] in conventional:
            return False
        return (device.bus in self._root_buses and device.driver == "pcieport") or self._is_endpoint(device)

    def _is_endpoint(self, device: Device) -> bool:
        return device.bus not in self._root_buses or device.address[5:] in self.facts.get("integrated", "").split()

    @property
    def _root_buses(self) -> tuple[int, ...]:
        return tuple(int(bus, 16) for bus in str(self.facts.get("root_buses", "00")).split())

    def _config(self, device: Device, translated: bool) -> bytes:
        """The configuration space: header, PCI Express capability, and ACS where the port has it."""
        express = self._is_pcie(device)
        data = bytearray(4096 if express else 256)
        siblings = [other for other in self.devices if other.slot == device.slot]
        kind = (1 if device.is_bridge else 0) | (0x80 if len(siblings) > 1 else 0)
        command, class_bytes = 7 if device.driver else 0, device.pci_class.to_bytes(3, "little")
        struct.pack_into("<HHHHB", data, 0, *device.ids, command, 0x0010, device.revision)
        struct.pack_into("<3BBBB", data, 9, *class_bytes, 16, 0, kind)
        if device.is_bridge:
            data[0x18:0x1B] = self._buses(device)
        else:
            struct.pack_into("<HH", data, 0x2C, *device.subsystem)
        if not express:
            return bytes(data)
        data[0x34] = 0x40
        port = device.driver == "pcieport"
        integrated = device.bus in self._root_buses and not port
        express_type = 4 if port else 7 if device.is_bridge else 9 if integrated else 0
        struct.pack_into("<BBH", data, 0x40, 0x10, 0, 2 | express_type << 4)
        if (port or device.slot[5:] in self.facts.get("acs_slots", "").split()) and not self._quirk(device):
            bits = 0x1F if device.ids[0] == 0x8086 else 0x5F
            wide = device.ids[0] == 0x8086 and 0xA110 <= device.ids[1] <= 0xA11F  # control at +8: an erratum
            control = 0x1D if translated or (self.facts["cpu"]["vendor"] == "AuthenticAMD" and self.iommu) else 0
            struct.pack_into("<II" if wide else "<HH", data, 0x104, bits, control)
            struct.pack_into("<I", data, 0x100, 0x0001000D)
        return bytes(data)

    @staticmethod
    def _quirk(device: Device) -> bool:
        """Whether it is a root port of the C610 chipset: isolated by the kernel's quirk, without ACS."""
        return device.ids[0] == 0x8086 and 0x8D10 <= device.ids[1] <= 0x8D1E

    def _buses(self, bridge: Device) -> bytes:
        """Primary, secondary and subordinate bus; `buses` in the description names the last two."""
        behind = self.facts.get("buses", {}).get(bridge.address[5:], "00")
        first, _, last = str(behind).partition("-")
        return bytes((bridge.bus, int(first, 16), int(last or first, 16)))

    def _iommu_tree(self) -> None:
        """`/sys/class/iommu` and `/sys/kernel/iommu_groups`."""
        for name, unit in self.iommu.get("units", {}).items():
            if not self.groups:
                continue  # it remaps interrupts at most
            inner = "intel-iommu" if self.iommu["kind"] == "intel" else "amd-iommu"
            for attribute in ("cap", "ecap", "version", "features"):
                if attribute in unit:
                    self.put(f"sys/class/iommu/{name}/{inner}/{attribute}", f"{unit[attribute]}\n")
        direct = self.facts.get("reserved", {})
        for number, members in self.groups.items():
            base = f"sys/kernel/iommu_groups/{number}"
            for member in members:
                self._folder(f"{base}/devices").joinpath(member).touch()
            regions = [
                *direct.get(str(number), ()),
                *self.iommu.get("regions", ["0x00000000fee00000 0x00000000feefffff msi"]),
            ]
            self.put(f"{base}/reserved_regions", "\n".join(sorted(regions)) + "\n")
            self.put(f"{base}/type", f"{self.iommu['domain']}\n")

    def _firmware(self) -> None:
        for name in self.facts["acpi"].split():
            self.put(f"sys/firmware/acpi/tables/{name}", self._table(name))
        for name, value in self.facts["dmi"].items():
            self.put(f"sys/class/dmi/id/{name}", f"{value}\n")

    def _table(self, name: str) -> bytes:
        """An ACPI table; only those of the IOMMU have a content, for the collector reads no other."""
        if name == "DMAR":
            body = struct.pack("<BB10x", 38, 1 if self.iommu["interrupt_remapping"] == "true" else 0)
            for unit in self.iommu["units"].values():
                scopes = b"".join(
                    _scope(1, address) for address in str(unit.get("serves", "")).split() if ":" in address
                )
                head = struct.pack("<HHBBHQ", 0, 16 + len(scopes), 0 if scopes else 1, 0, 0, int(unit["base"], 16))
                body += head + scopes
            for region in self.iommu.get("rmrr", ()):
                scope = _scope(1, region["device"])
                body += struct.pack(
                    "<HHHHQQ", 1, 24 + len(scope), 0, 0, int(region["base"], 16), int(region["end"], 16)
                )
                body += scope
        elif name == "IVRS":
            unit = next(iter(self.iommu["units"].values()))
            entries = struct.pack("<BHB", 3, 8, 0) + struct.pack("<BHB", 4, 0xFFFE, 0)
            entries += b"".join(
                struct.pack("<BHBBHB", 72, 0, 0xD7 if kind == 1 else 0, handle, source, kind)
                for handle, source, kind in ((0, 0xA0, 2), (33, 0xA0, 1), (34, 0x01, 1))
            )
            efr = int(str(unit["features"]).split(":")[0], 16)
            block = struct.pack("<BBHHHQHHIQQ", 0x11, 0x30, 40 + len(entries), 2, 0x40, int(unit["base"], 16),
                                0, 0, 0, efr, 0)  # fmt: skip
            body = struct.pack("<I8x", 0x00203040) + block + entries
        else:
            return b""
        header = struct.pack(
            "<4sIBB6s8sI4sI", name.encode(), 36 + len(body), 1, 0, b"SAMPLE", b"PASSDOC ", 1, b"PDOC", 1
        )
        table = bytearray(header + body)
        table[9] = -sum(table) & 0xFF
        return bytes(table)

    def collected(self) -> Collected:
        """What the collector would bring from the host."""
        entries = gather(str(self.root)).entries
        build = self.facts["version"].partition(" #")[2].removesuffix(" ()")
        outputs = {
            "dmesg": ("dmesg", self._log()),
            "lspci-nnk": ("lspci -Dnnk", (self.folder / "files/cmd/lspci-nnk").read_text()),
            "uname-a": (
                "uname -a",
                f"Linux {self.facts['hostname']} {self.release} #{build} {self.facts['machine']}\n",
            ),
            "systemd-detect-virt": ("systemd-detect-virt", "none\n"),
        }
        for name, (command, text) in outputs.items():
            entries[f"cmd/{name}"] = Entry(f"cmd/{name}", text.encode(), "command", command)
        reason = "not needed: dmesg reaches back to the start of the boot"
        entries["cmd/journalctl-k"] = Entry("cmd/journalctl-k", b"", "command", None, "absent", reason)
        return Collected(entries, self.facts["collected_at"], "0.1.0", as_root=True, redaction="forum")

    def _log(self) -> str:
        """The kernel log; a line `[ TIME] @WHAT` stands for what the kernel prints about the facts above."""
        lines: list[str] = []
        for line in (self.folder / "files/cmd/dmesg").read_text().splitlines():
            stamp, _, what = line.partition("] @")
            if not what:
                lines.append(line)
                continue
            seconds, step = float(stamp.strip("[ ")), float(self.facts.get("step", 0.000031))
            for number, text in enumerate(self._printed(what)):
                lines.append(f"[{seconds + number * step:12.6f}] {text}")
        stamps = [float(line[1:13]) for line in lines if line.startswith("[")]
        if stamps != sorted(stamps):
            late = next(line for line, a, b in zip(lines[1:], stamps, stamps[1:], strict=False) if b < a)
            raise ValueError(f"{self.folder.name}: the log goes back in time at: {late}")
        return "\n".join(lines) + "\n"

    def _printed(self, what: str) -> list[str]:
        if what == "version":
            return [self.facts["version"]]
        if what == "command":
            return ["Command line: " + self.facts["cmdline"]]
        if what == "kernel-command":
            return ["Kernel command line: " + self.facts["cmdline"]]
        if what == "pci":
            return [
                f"pci {d.address}: [{d.ids[0]:04x}:{d.ids[1]:04x}] "
                f"type {int(d.is_bridge):02d} class 0x{d.pci_class:06x}"
                for d in self.devices
            ]
        if what == "groups":
            pairs = [(member, number) for number, members in self.groups.items() for member in members]
            return [f"pci {member}: Adding to iommu group {number}" for member, number in pairs]
        raise ValueError(f"nobody prints @{what}")


def _scope(kind: int, address: str) -> bytes:
    """A device scope of a DMAR structure: one endpoint."""
    bus, _, rest = address.partition(":")
    device, _, function = rest.partition(".")
    return struct.pack("<BBHBBBB", kind, 8, 0, 0, int(bus, 16), int(device, 16), int(function))


def bundle(name: str) -> bytes:
    """The bundle of the sample `name`."""
    with tempfile.TemporaryDirectory() as folder:
        host = Host(name, Path(folder))
        host.lay_out()
        return to_bytes(host.collected(), {"host": 3, "uuid": 2})


def names() -> list[str]:
    """The samples that are described."""
    return sorted(path.parent.name for path in HOSTS.glob("*/host.yaml"))


def main(arguments: list[str] | None = None) -> int:
    """Writes the bundles, or says which ones differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", nargs="*", help="samples (all by default)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a bundle differs")
    options = parser.parse_args(arguments)
    differing = 0
    for name in options.name or names():
        target, data = SAMPLES / f"{name}.tar.gz", bundle(name)
        same = target.exists() and target.read_bytes() == data
        differing += not same
        if not same and not options.check:
            target.write_bytes(data)
        print(f"{name}: {len(data)} bytes{'' if same else ', differs' if options.check else ', written'}")  # noqa: T201
    return 1 if options.check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
