"""The model of a reboot, for the closed loop: evidence and the files as they are now, to the evidence of the next boot.

What it holds of the kernel: `init/main.c` and `kernel/params.c` (parameters), `drivers/iommu/intel/iommu.c` and
`drivers/iommu/amd/init.c` (their options), `drivers/iommu/irq_remapping.c`, `Documentation/ABI/testing/sysfs-bus-pci`
(driver_override), modprobe.d(5). It reads files by itself and shares no code with the facts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from doctor.evidence.types import Evidence, Piece

if TYPE_CHECKING:
    from doctor.facts.host import Host

_LOGS = ("cmd/dmesg", "cmd/journalctl", "cmd/messages", "var/log/", "text/", "cmd/update-", "cmd/modprobe")
_OWN_WORDS = ("BOOT_IMAGE=", "initrd=", "root=", "boot=zfs", "ro", "rw")
_ADDRESS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_LISTED = re.compile(
    r"(?:IOMMU Group (\d+) )?((?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) .*?(?:\[([0-9a-f]{4}:[0-9a-f]{4})\]|$)"
)
_EARLY = ("etc/initramfs-tools/modules", "etc/mkinitcpio.conf", "etc/dracut.conf")
_SCRIPTS = ("etc/initramfs-tools/scripts/",)


def rebooted(host: Host, evidence: Evidence, files: dict[str, str]) -> Evidence:
    """The evidence of the next boot of `host`, whose files are `files`, by evidence path."""
    boot = Boot(host, evidence, files)
    pieces = []
    for path in evidence.paths():
        if path.startswith(_LOGS) or (path in boot.removed and path not in files):
            continue
        for piece in evidence.states(path):
            text = boot.text(path, piece)
            pieces.append(piece if text is None else Piece(path, text, piece.source, 1, piece.command))
    known = {piece.path for piece in pieces}
    pieces += [Piece(path, text, path) for path, text in {**files, **boot.made()}.items() if path not in known]
    return Evidence(evidence.kind, evidence.source, pieces, evidence.collected_at, evidence.complete, evidence.notes)


class Boot:
    """What the next boot is like."""

    def __init__(self, host: Host, evidence: Evidence, files: dict[str, str]) -> None:
        """Of `host` as it was, with `files` as they are now."""
        self.host, self.evidence, self.files = host, evidence, files
        seen = [path for path in evidence.paths() if evidence.last(path) is not None and not path.endswith("/")]
        self.removed = {path for path in seen if path.startswith(("etc/", "boot/")) and path not in files}
        self.words = self._words()
        self.options = self._options()
        self.had = self._devices()
        self.drivers = {address: self._driver(address, ids, had) for address, (ids, had) in self.had.items()}
        vendor = host.machine.vendor
        self.vendor = vendor.value if vendor.known else None
        # A kernel whose IOMMU was on without being asked to switches it on by itself.
        active, asked = (
            host.iommu.active,
            host.cmdline.words.known and any(w.name == "intel_iommu" for w in host.cmdline.words.value),
        )
        self.default = "on" if active.known and active.value and not asked else "off"
        self.table = not (host.iommu.table.known and host.iommu.table.value is False)

    # The command line

    def _words(self) -> list[str]:
        running = self.evidence.last("proc/cmdline")
        own = (
            [word for word in running.text.split() if word.startswith(_OWN_WORDS[:4]) or word in _OWN_WORDS]
            if running
            else []
        )
        return own + [word for word in self._configured() if word not in own]

    def _configured(self) -> list[str]:
        loader = self.host.boot.loader
        if loader.known and "systemd-boot" in str(loader.value):
            return self.files.get("etc/kernel/cmdline", "").split("\n")[0].split()
        found: dict[str, list[str]] = {}
        names = ["etc/default/grub", *sorted(name for name in self.files if name.startswith("etc/default/grub.d/"))]
        for line in "\n".join(self.files.get(name, "") for name in names).splitlines():
            match = re.match(r"\s*(GRUB_CMDLINE_LINUX(?:_DEFAULT)?)=([\"']?)(.*?)\2\s*(?:#.*)?$", line)
            if match:
                held = [word for word in match[3].split() if not word.startswith("$")]
                found[match[1]] = (found.get(match[1], []) if "$" in match[3] else []) + held
        return [*found.get("GRUB_CMDLINE_LINUX", []), *found.get("GRUB_CMDLINE_LINUX_DEFAULT", [])]

    @property
    def kernels(self) -> list[str]:
        """The words that the kernel takes."""
        return self.words[: self.words.index("--")] if "--" in self.words else self.words

    # The IOMMU

    @property
    def dma(self) -> bool:
        """Whether DMA remapping is on."""
        words = set(self.kernels)
        intel, amd = self.default, "on"
        for word in self.kernels:
            name, _, value = word.partition("=")
            for one in value.split(","):
                intel = one if name == "intel_iommu" and one in ("on", "off") else intel
                amd = "off" if name == "amd_iommu" and one == "off" else amd
        off = any(word.startswith("iommu=") and "off" in word[6:].split(",") for word in words)
        return self.table and not off and (intel == "on" if self.vendor == "intel" else amd == "on")

    @property
    def remapped(self) -> bool:
        """Whether interrupts are remapped."""
        off = "nointremap" in self.kernels
        for word in self.kernels:
            if word.startswith("intremap="):
                off = "off" in word[9:].split(",") or (off and "on" not in word[9:].split(","))
        amd_off = self.vendor == "amd" and not self.dma
        return self.table and not off and not amd_off

    # Modules

    def _modprobe(self) -> list[list[str]]:
        names = sorted(name for name in self.files if name.startswith("etc/modprobe.d/") and name.endswith(".conf"))
        lines = "\n".join(self.files[name] for name in names).replace("\\\n", " ").splitlines()
        return [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]

    def _options(self) -> dict[tuple[str, str], str]:
        found = {}
        for words in self._modprobe():
            if words[0] == "options" and len(words) > 2:
                found.update({_option(words[1], word): _value(word) for word in words[2:]})
        for word in self.kernels:
            module, dot, option = word.partition("=")[0].partition(".")
            if dot:
                found[_option(module, option)] = _value(word)
        return found

    @property
    def loaded(self) -> set[str]:
        """The modules that a list names, early or late, and those of a device."""
        lists = [
            text for name, text in self.files.items() if name == "etc/modules" or name.startswith("etc/modules-load.d/")
        ]
        words = {
            line.strip() for text in lists for line in text.splitlines() if line.strip() and line.strip()[0] not in "#;"
        }
        if "vfio-pci" in self.drivers.values() or self.early:
            words |= {"vfio_pci", "vfio", "vfio_iommu_type1"}
        return {word.replace("-", "_") for word in words}

    @property
    def early(self) -> bool:
        """Whether the initramfs loads vfio-pci first."""
        texts = [text for name, text in self.files.items() if name.startswith(_EARLY)]
        return any(re.search(r"(?m)^(?!\s*#).*\bvfio[-_]pci\b", text) for text in texts)

    # Devices

    def _devices(self) -> dict[str, tuple[str | None, str | None]]:
        """Address to ids and the driver that has it now."""
        return {
            device.address: (device.ids, device.driver.value if device.driver.known else None)
            for device in self.host.pci.all()
        }

    def _driver(self, address: str, ids: str | None, had: str | None) -> str | None:
        scripts = [text for name, text in self.files.items() if name.startswith(_SCRIPTS)]
        scripts += [" ".join(words) for words in self._modprobe() if words[0] == "install" and "vfio-pci" in words[1]]
        if any(address in _ADDRESS.findall(text) for text in scripts):
            return "vfio-pci"
        listed = self.options.get(("vfio_pci", "ids"), "").split(",")
        if ids is None or not any(":".join(one.split(":")[:2]) == ids for one in listed):
            return None if had == "vfio-pci" and self._managed() is False else had
        softdeps = {
            words[1].replace("-", "_")
            for words in self._modprobe()
            if words[0] == "softdep" and "vfio-pci" in words[2:]
        }
        first = (
            had in (None, "vfio-pci")
            or self.early
            or had.replace("-", "_") in softdeps
            or "vfio_pci.ids" in "".join(self.words).replace("-", "_")
        )
        return "vfio-pci" if first else had

    def _managed(self) -> bool:
        """Whether vfio-pci had devices without being told to: then a manager bound them."""
        return not any(words[0] == "options" and words[1:2] == ["vfio-pci"] for words in self._modprobe_before())

    def _modprobe_before(self) -> list[list[str]]:
        texts = [piece.text for piece in self.evidence.under("etc/modprobe.d/")]
        return [line.split() for text in texts for line in text.splitlines() if line.strip()]

    # The evidence

    def text(self, path: str, piece: Piece) -> str | None:
        """The new text of a piece; None if it stays."""
        if path in self.files and piece.text.strip() != self.files[path].strip():
            return self.files[path]
        parts = path.split("/")
        if path == "proc/cmdline":
            return " ".join(self.words)
        if path in ("boot/grub/grub.cfg", "boot/grub2/grub.cfg"):
            return re.sub(
                r"(?m)^(\s*linux\S*\s+\S+).*$", lambda found: f"{found[1]} {' '.join(self.words[1:])}", piece.text
            )
        if path == "sys/class/iommu/" and self.vendor:
            return ("dmar0" if self.vendor == "intel" else "ivhd0") if self.dma else ""
        if path == "sys/kernel/iommu_groups/" and self.vendor:
            return (piece.text or "\n".join(map(str, range(len(self.had) or 1)))) if self.dma else ""
        if path.startswith("sys/kernel/iommu_groups/") and parts[-1] == "type":
            return self._domain(piece.text)
        if path == "dev/vfio/":
            return "\n".join(name for name in piece.text.split() if not name.startswith("noiommu-"))
        if path == "proc/interrupts":
            return re.sub(r"\b(?:IR-)?(PCI-MSI|IO-APIC)", r"IR-\1" if self.remapped else r"\1", piece.text)
        if path.startswith("sys/module/") and parts[3:4] == ["parameters"]:
            return self._parameter(parts[2], parts[4], piece.text)
        if path in ("proc/modules", "cmd/lsmod"):
            return self._modules(piece.text)
        if path.startswith("sys/bus/pci/devices/") and parts[-1] == "driver":
            return f"../bus/pci/drivers/{self.drivers.get(parts[4])}" if self.drivers.get(parts[4]) else None
        return self._lspci(piece.text) if "lspci" in path or "iommu-groups" in path else None

    def _domain(self, old: str) -> str:
        """The type of a group's default domain."""
        for word in self.kernels:
            if word in ("iommu=pt", "iommu.passthrough=1"):
                old = "identity"
            elif word in ("iommu=nopt", "iommu.passthrough=0"):
                old = "DMA-FQ"
        return old

    def _parameter(self, module: str, option: str, old: str) -> str:
        value = self.options.get((module, option))
        if value is None:
            return "N" if old.strip() in ("Y", "N") else old
        return {"1": "Y", "0": "N", "y": "Y", "n": "N"}.get(value, value) if old.strip() in ("Y", "N") else value

    def _modules(self, text: str) -> str:
        kept = [line for line in text.splitlines() if not line.startswith("vfio") or line.split()[0] in self.loaded]
        there = {line.split()[0] for line in kept if line.strip()}
        kept += [
            f"{name} 16384 0 - Live 0x0"
            for name in sorted(self.loaded)
            if name.startswith("vfio") and name not in there
        ]
        return "\n".join(line for line in kept if line.split()[:1] != ["vfio_virqfd"])

    def _lspci(self, text: str) -> str:
        """A listing with the drivers of the next boot, and without ATS if that is off."""
        if "vfio_pci.disable_idle_d3=1" in self.kernels:
            text = text.replace("(rev ff)", "(rev 00)").replace("!!! Unknown header type 7f", "")
        if "pci=noats" in self.kernels:
            text = text.replace("ATSCtl:\tEnable+", "ATSCtl:\tEnable-")
        out: list[str] = []
        driver: str | None = None
        pending = False
        for line in [*text.splitlines(), "00:00.0 end"]:
            head = _LISTED.match(line.strip()) if line == "00:00.0 end" or not line.startswith(("\t", "   ")) else None
            if head:
                if pending and driver:
                    out.append(f"\tKernel driver in use: {driver}")
                address = head[2] if head[2].count(":") == 2 else f"0000:{head[2]}"
                driver, pending = self.drivers.get(address), True
            elif "Kernel driver in use:" in line:
                pending = False
                if driver is None:
                    continue
                line = line.partition("Kernel")[0] + f"Kernel driver in use: {driver}"
            out.append(line)
        return "\n".join(out[:-1])

    def made(self) -> dict[str, str]:
        """Evidence that a next boot has and the last one had not: bound devices' driver, modules."""
        found: dict[str, str] = {}
        if not self.evidence.states("proc/cmdline"):
            found["proc/cmdline"] = " ".join(["BOOT_IMAGE=/boot/vmlinuz", "root=/dev/sda1", "ro", *self.words])
        if self.evidence.complete:
            for address, driver in self.drivers.items():
                if driver:
                    found[f"sys/bus/pci/devices/{address}/driver"] = f"../bus/pci/drivers/{driver}"
            if self.dma and self.vendor:
                for number, address in enumerate(self.had):
                    found[f"sys/bus/pci/devices/{address}/iommu_group"] = f"../kernel/iommu_groups/{number}"
                found["dev/vfio/vfio"] = ""
        elif "vfio_pci" in self.loaded and self.evidence.last("proc/modules") is None:
            found["proc/modules"] = self._modules("")
        return found


def _option(module: str, word: str) -> tuple[str, str]:
    return module.replace("-", "_"), word.partition("=")[0].replace("-", "_")


def _value(word: str) -> str:
    return word.partition("=")[2] or "1"
