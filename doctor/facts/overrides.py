"""What binds devices by other means than ids: scripts, udev rules, driverctl, DPDK, libvirt's hooks.

Sources: linux Documentation/ABI/testing/sysfs-bus-pci (driver_override, new_id, bind, unbind), udev(7),
driverctl(8) (its store is /etc/driverctl.d/pci-ADDRESS, which holds the driver's name), DPDK
usertools/dpdk-devbind.py, libvirt docs/hooks, Unraid's /boot/config/vfio-pci.cfg (`BIND=ADDRESS|ids …`).
A commented line binds nothing.

>>> from doctor.evidence.types import Evidence, Piece
>>> script = '''#!/bin/sh
... for d in 0000:01:00.0 0000:01:00.1; do
...   echo vfio-pci > /sys/bus/pci/devices/$d/driver_override
... done
... #echo 0000:01:00.0 > /sys/bus/pci/drivers/vfio-pci/bind'''
>>> found = read(Evidence("directory", "d", [Piece("etc/initramfs-tools/scripts/init-top/vfio.sh", script, "v")]))
>>> [(one.address, one.driver, one.when, one.source.line) for one in found.configured]
[('0000:01:00.0', 'vfio-pci', 'initramfs', 3), ('0000:01:00.1', 'vfio-pci', 'initramfs', 3)]
"""

from __future__ import annotations

import re

from doctor.facts.fact import Fact, Listing, unknown
from doctor.facts.messages import full_address
from doctor.facts.shell import Call, Words, Write, follow
from doctor.later import later
from doctor.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from doctor.evidence.types import Evidence, Piece, Source

DRIVERCTL, UDEV, HOOKS = "etc/driverctl.d/", "etc/udev/rules.d/", "etc/libvirt/hooks/"
_RULES = (UDEV, "run/udev/rules.d/", "usr/lib/udev/rules.d/", "lib/udev/rules.d/")
_NOT_SCRIPTS = ("cmd/", "proc/", "sys/", "dev/", "var/log/", "etc/pve/", "etc/libvirt/qemu/", DRIVERCTL, *_RULES)
_TELLS = ("driver_override", "/bind", "/unbind", "new_id", "driverctl", "dpdk-devbind", "nodedev-detach")
# Where a script runs, by its folder; the first that fits.
_WHEN = (
    (("etc/initramfs-tools/", "etc/initcpio/", "usr/lib/initcpio/", "usr/lib/dracut/", "etc/modprobe.d/"), "initramfs"),
    ((HOOKS, "var/lib/vz/snippets/"), "guest"),
    (("text/",), "unknown"),
    (("",), "late"),
)
_A = r"(?:[0-9a-fA-F]{4,6}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]"
_ADDRESS = later(_A, re.ASCII)
_DEVICE_FILE = later(rf"/sys/\S{{0,300}}?({_A})/(driver_override|driver/unbind)", re.ASCII)
_DRIVER_FILE = later(r"/sys/bus/pci/drivers/([\w.-]{1,60})/(bind|unbind|new_id)", re.ASCII)
_NODE = later(r"pci_([0-9a-fA-F]{4,6})_([0-9a-fA-F]{2})_([0-9a-fA-F]{2})_([0-7])", re.ASCII)
_IDS = later(r"(?:0x)?([0-9a-fA-F]{4})[\s:](?:0x)?([0-9a-fA-F]{4})\b", re.ASCII)
_NAME = later(r"[A-Za-z][\w-]{1,60}", re.ASCII)
_KEY = later(r'([A-Z]{2,12}(?:\{[^}"]{1,80}\})?)\s{0,4}(==|!=|\+=|:=|=)\s{0,4}"([^"]{0,1000})"', re.ASCII)
_STATUS = later(rf"({_A}) '([^']{{0,200}})' ?(.{{0,300}})", re.ASCII)
_BOUND = later(rf"\s{{0,4}}({_A})\s{{1,8}}([\w.-]{{1,60}})(\s{{1,4}}\[\*\])?", re.ASCII)
_BIND = later(rf"({_A})(?:\|([0-9a-fA-F]{{4}}:[0-9a-fA-F]{{4}}))?", re.ASCII)
_LONGEST = 64 * 1024  # characters of one script


class Override(NamedTuple):
    """A device that something binds. `address` or `ids` (vendor:device), both None where the text does not
    tell which; `driver`: that it gets, None if it is only taken from its driver; `how`: "driver_override",
    "bind", "new_id", "unbind", "detach", "driverctl", "dpdk", "udev" or "unraid"; `when`: "initramfs",
    "probe" (udev), "late" (after boot), "guest" (when a guest starts), or "unknown"."""

    address: str | None
    ids: str | None
    driver: str | None
    how: str
    when: str
    source: Source


class DpdkDevice(NamedTuple):
    """A line of `dpdk-devbind.py --status`: the driver (None: none), the other drivers that fit, and whether
    the host's network uses it."""

    address: str
    name: str
    driver: str | None
    fitting: tuple[str, ...]
    active: bool
    source: Source


class Overrides(NamedTuple):
    """`configured`: whatever is set to bind a device, in the order of the files; `vfio`: the addresses that
    this gives to vfio-pci outside a guest's start; `driverctl`: what `driverctl` shows as overridden now;
    `dpdk`: the status that dpdk-devbind printed."""

    configured: Listing
    vfio: Fact
    driverctl: Fact
    dpdk: Listing

    def of(self, address: str) -> tuple[Override, ...]:
        """What is configured for one device."""
        return tuple(one for one in self.configured if one.address == address)


def read(evidence: Evidence) -> Overrides:
    """All overrides that the evidence shows. Never raises."""
    found = [*_store(evidence), *_udev(evidence), *_unraid(evidence), *_scripts(evidence)]
    listing = Listing(found, False, ("etc/initramfs-tools/scripts/", DRIVERCTL, UDEV))
    taken = [one for one in found if one.address and one.driver == "vfio-pci" and one.when not in ("guest", "unknown")]
    names = Listing(dict.fromkeys(one.address for one in taken), False, listing.wanted)
    return Overrides(
        listing,
        Fact(names, tuple(dict.fromkeys(one.source for one in taken))[:6]) if taken else unknown(*listing.wanted),
        _driverctl(evidence),
        Listing(_dpdk(evidence), bool(evidence.pieces("cmd/dpdk-devbind")), ("cmd/dpdk-devbind",)),
    )


def _store(evidence: Evidence) -> Iterator[Override]:
    """driverctl's store: one file a device, its text the driver."""
    for piece in evidence.under(DRIVERCTL):
        address = _ADDRESS.fullmatch(piece.path[len(DRIVERCTL) :].removeprefix("pci-"))
        driver = piece.text.strip()
        if address and _NAME.fullmatch(driver):
            yield Override(full_address(address.group()), None, driver, "driverctl", "probe", piece.cite(0))


def _unraid(evidence: Evidence) -> Iterator[Override]:
    """Unraid's `BIND=`: addresses, each with its ids, which must fit for it to be bound."""
    for piece in evidence.pieces("boot/config/vfio-pci.cfg"):
        for index, text in enumerate(piece.text.splitlines()):
            if text.strip().startswith("BIND="):
                for found in _BIND.finditer(text[:_LONGEST]):
                    ids = found.group(2).lower() if found.group(2) else None
                    cited = piece.cite(index, text.strip())
                    yield Override(full_address(found.group(1)), ids, "vfio-pci", "unraid", "late", cited)


def _udev(evidence: Evidence) -> Iterator[Override]:
    """Rules that set driver_override, by address or by vendor and device; of namesakes the first folder's."""
    seen: set[str] = set()
    for folder in _RULES:
        pieces = evidence.under(folder, ".rules")
        for piece in pieces:
            if piece.path[len(folder) :] not in seen and "driver_override" in piece.text:
                yield from _rules(piece)
        seen.update(piece.path[len(folder) :] for piece in pieces)


def _rules(piece: Piece) -> Iterator[Override]:
    lines = piece.text.splitlines()
    at = 0
    while at < len(lines):
        text, span = lines[at], 1
        while text.endswith("\\") and span < 20 and at + span < len(lines):
            text, span = text[:-1] + lines[at + span], span + 1
        if "driver_override" in text and not text.lstrip().startswith("#"):
            yield from _rule(text[:4000], piece.cite(at, lines[at].strip()))
        at += span


def _rule(text: str, source: Source) -> Iterator[Override]:
    keys = {(name, mark): value for name, mark, value in _KEY.findall(text)}
    named = keys.get(("KERNEL", "==")) or keys.get(("ENV{PCI_SLOT_NAME}", "==")) or ""
    addresses = [part for part in named.split("|") if _ADDRESS.fullmatch(part)]
    vendor, device = (keys.get((f"ATTR{{{name}}}", "=="), "").removeprefix("0x") for name in ("vendor", "device"))
    ids = f"{vendor}:{device}".lower() if vendor and device else None
    driver = keys.get(("ATTR{driver_override}", "=")) or keys.get(("ATTR{driver_override}", ":="))
    for (name, _), run in keys.items():
        if name.startswith("RUN") and "driver_override" in run:
            script = run.replace("%k", "$kernel").replace("$kernel", addresses[0] if addresses else "$kernel")
            body = script.partition("-c ")[2].strip().strip("'") or script
            driver = next((one.value for one in follow(body, {}) if isinstance(one, Write)), driver)
    full: list[str | None] = [full_address(one) for one in addresses]
    for address in full or [None]:
        if driver:
            yield Override(address, None if address else ids, driver, "udev", "probe", source)


def _scripts(evidence: Evidence) -> Iterator[Override]:
    """Scripts, units and `install` lines, by what they would write."""
    shared: Words = {}
    for piece in evidence.under(HOOKS, ".conf"):  # sourced by the hooks: the devices' names
        for _ in follow(piece.text[:_LONGEST], shared):
            pass
    for path in sorted(path for path in evidence.paths() if not path.startswith(_NOT_SCRIPTS)):
        when = next(when for folders, when in _WHEN if path.startswith(folders))
        for piece in evidence.pieces(path):
            if any(word in piece.text for word in _TELLS):
                yield from _script(piece, when, dict(shared) if when == "guest" else {})


def _script(piece: Piece, when: str, variables: Words) -> Iterator[Override]:
    lines = piece.text[:_LONGEST].splitlines()
    for step in follow("\n".join(_bare(text) for text in lines), variables):
        source = piece.cite(step.line, lines[step.line].strip() if step.line < len(lines) else "")
        if isinstance(step, Write):
            yield from _written(step, when, source)
        else:
            yield from _called(step, when, source)


def _bare(text: str) -> str:
    """A line as its shell sees it: of a unit what `sh -c` is given, of modprobe.d what `install` runs."""
    stripped = text.strip()
    if stripped.startswith("install "):
        return " ".join(stripped.split(None, 2)[2:])
    key, equals, command = stripped.partition("=")
    if equals and key.startswith("Exec") and key.isalpha():
        before, flag, body = command.partition(" -c ")
        return (
            body.strip()[1:-1]
            if flag and before.endswith("sh") and body.strip()[:1] in "'\""
            else command.lstrip("-@+!")
        )
    return text


def _written(step: Write, when: str, source: Source) -> Iterator[Override]:
    """What writing to a file of sysfs does."""
    target, value = step.target, step.value
    if target is None:
        # The script computes the file's name: what it binds is not known, that it binds is.
        if any(word in source.text for word in _TELLS[:4]):
            driver = value if value and _NAME.fullmatch(value) else None
            yield Override(None, None, driver, "driver_override" if driver else "bind", when, source)
        return
    device, bus = _DEVICE_FILE.fullmatch(target), _DRIVER_FILE.fullmatch(target)
    if device and device.group(2) == "driver_override":
        if value is None or _NAME.fullmatch(value):
            yield Override(full_address(device.group(1)), None, value, "driver_override", when, source)
    elif device:
        yield Override(full_address(device.group(1)), None, None, "unbind", when, source)
    elif bus and bus.group(2) == "new_id":
        found = _IDS.match(value or "")
        ids = f"{found.group(1)}:{found.group(2)}".lower() if found else None
        yield Override(None, ids, bus.group(1), "new_id", when, source)
    elif bus:
        address = full_address(value) if value and _ADDRESS.fullmatch(value) else None
        yield Override(address, None, bus.group(1) if bus.group(2) == "bind" else None, bus.group(2), when, source)


def _called(step: Call, when: str, source: Source) -> Iterator[Override]:
    """What the tools do: driverctl, dpdk-devbind, virsh."""
    words = [word or "" for word in step.words]
    name = words[0].rpartition("/")[2] if words else ""
    if name == "driverctl" and "set-override" in words:
        rest = words[words.index("set-override") + 1 :]
        if len(rest) > 1 and _ADDRESS.fullmatch(rest[0]):
            yield Override(full_address(rest[0]), None, rest[1], "driverctl", when, source)
    elif name.startswith("dpdk-devbind") or name in ("dpdk_nic_bind.py", "dpdk-devbind.py"):
        driver = next((word.partition("=")[2] for word in words if word.startswith("--bind=")), None)
        flag = next((at for at, word in enumerate(words) if word in ("-b", "--bind")), None)
        driver = driver or (words[flag + 1] if flag is not None and flag + 1 < len(words) else None)
        for word in words[1:] if driver else ():
            if _ADDRESS.fullmatch(word):
                yield Override(full_address(word), None, driver, "dpdk", when, source)
    elif name == "virsh" and "nodedev-detach" in words:
        node = next((found for word in words if (found := _NODE.fullmatch(word))), None)
        address = "{}:{}:{}.{}".format(*node.groups()).lower() if node else None
        yield Override(address, None, "vfio-pci", "detach", when, source)


def _driverctl(evidence: Evidence) -> Fact:
    """What `driverctl list-overrides` lists, and what `list-devices` marks with [*]: address → driver."""
    found: dict[str, str] = {}
    sources = []
    pieces = evidence.pieces("cmd/driverctl")
    for piece in pieces:
        marked = "list-overrides" not in (piece.command or "")
        for index, text in enumerate(piece.text.splitlines()):
            line = _BOUND.match(text[:400])
            if line and (line.group(3) or not marked):
                found[full_address(line.group(1))] = line.group(2)
                sources.append(piece.cite(index, text.strip()))
    return Fact(found, tuple(sources[:6])) if pieces else unknown("cmd/driverctl")


def _dpdk(evidence: Evidence) -> Iterator[DpdkDevice]:
    for piece in evidence.pieces("cmd/dpdk-devbind"):
        for index, text in enumerate(piece.text.splitlines()):
            found = _STATUS.match(text.strip()[:600])
            if not found:
                continue
            values = dict(word.partition("=")[::2] for word in found.group(3).split())
            fitting = tuple(one for one in values.get("unused", "").split(",") if one)
            active = "*Active*" in found.group(3)
            driver, cited = values.get("drv") or None, piece.cite(index, text.strip())
            yield DpdkDevice(full_address(found.group(1)), found.group(2), driver, fitting, active, cited)
