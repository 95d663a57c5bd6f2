"""A bundle in which every file of the catalogue holds every kind of private value, in clear and encoded."""

from __future__ import annotations

import base64
import binascii
import quopri
import urllib.parse
from typing import NamedTuple

from doctor.collect.catalogue import ITEMS, RELEASE
from doctor.collect.model import Collected, Entry


class Plant(NamedTuple):
    """A class, a line that holds a value of it, and what must not be found afterwards."""

    kind: str
    line: str
    secret: str


PLANTS = [
    Plant("host", "Linux olymp 6.8.12-1-pve #1 SMP x86_64 GNU/Linux", "olymp"),
    Plant("host", "Static hostname: olymp", "olymp"),
    Plant("domain", "olymp.smithfamily.org. /home/zeususer/x", "zeususer"),
    Plant("domain", "search smithfamily.org", "smithfamily"),
    Plant("domain", "gateway.smithnet.lan is up", "smithnet"),
    Plant("user", "GRUB_BACKGROUND=/home/alicex/wall.png", "alicex"),
    Plant("user", "session opened for user carolx(uid=1000) by (uid=0)", "carolx"),
    Plant("ipv4", "nameserver 10.11.12.13", "10.11.12.13"),
    Plant("ipv6", "inet6 2a02:908:1f3:abcd::1f2e/64", "2a02:908:1f3:abcd"),
    Plant("mac", "igb 0000:05:00.0: mac a0:36:9f:12:34:56", "a0:36:9f:12:34:56"),
    Plant("mac", "default dev enxa0369f123456", "a0369f123456"),
    Plant("serial", "usb 1-1: SerialNumber: 0123AB456789CD", "0123ab456789cd"),
    Plant("serial", "/dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0ABCDEF-part1", "wcc7k0abcdef"),
    Plant("serial", "/dev/disk/by-id/nvme-Samsung_SSD_970_S4EWNX0R123456_1", "s4ewnx0r123456"),
    Plant("serial", "Capabilities: [140 v1] Device Serial Number a0-36-9f-ff-ff-12-34-56", "a0-36-9f-ff-ff"),
    Plant("serial", "Serial Number: PF0ABCD9", "pf0abcd9"),
    Plant("uuid", "root=UUID=1b2c3d4e-1111-4222-8333-444455556666 ro", "1b2c3d4e-1111"),
    Plant("uuid", "rd.luks.uuid=luks-9b2c3d4e-1111-4222-8333-444455556677", "9b2c3d4e-1111"),
    Plant("uuid", "machine-id 0123456789abcdef0123456789abcde7 read", "0123456789abcdef"),
    Plant("wwn", "scsi 0:0:0:0: wwn-0x5000c500a1b2c3d4", "5000c500a1b2c3d4"),
    Plant("ssid", 'wlan0: connected, ssid="Smiths Attic"', "smiths attic"),
    Plant("email", "bob.smith@smithmail.org wrote", "bob.smith"),
    Plant("ssh key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq3vRz8Yb7wQmT2 x", "aaaac3nzac1lzdi1nte5aaaaikq3"),
    Plant("wireguard", "PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=", "yanz5tf+lxxjte14"),
    Plant("token", "x ghp_16C7e42F292c6912E7710c838347Ae178B4a y", "ghp_16c7e42f292c6912"),
    Plant("password", "rd.iscsi.password=hunter22secret quiet", "hunter22secret"),
    Plant("password", "netroot=iscsi:bobx:swordfish77@192.168.7.5::3260::iqn.2001-04.com.acme:disk", "swordfish77"),
    Plant("vm name", "/usr/bin/kvm -id 100 -name guest=bankvm7,debug-threads=on", "bankvm7"),
    Plant("volume", "BOOT_IMAGE=/vmlinuz root=/dev/mapper/smithvg-root ro", "smithvg"),
    Plant("volume", "root=ZFS=smithpool/ROOT/pve-1 boot=zfs", "smithpool"),
    Plant("iqn", "InitiatorName=iqn.1993-08.org.debian:01:4b3bd5d7fae", "4b3bd5d7fae"),
]


CONFIG = bytes(0x100) + (0x0003 | 1 << 16).to_bytes(4, "little") + bytes.fromhex("a0369fffff123456")[::-1]
CONFIG += bytes(4096 - len(CONFIG))
"""Config space with a Device Serial Number, the same that the listing shows."""


def percent(text: str) -> str:
    """Every character as %XX."""
    return "".join(f"%{byte:02x}" for byte in text.encode())


def base64_of(text: str) -> str:
    """In base64."""
    return base64.b64encode(text.encode()).decode()


def hexed(text: str) -> str:
    """In hexadecimal."""
    return binascii.hexlify(text.encode()).decode()


def dumped(text: str) -> str:
    """As xxd shows it."""
    data = text.encode()
    rows = []
    for at in range(0, len(data), 16):
        part = data[at : at + 16]
        digits = " ".join(part[i : i + 2].hex() for i in range(0, len(part), 2))
        rows.append(f"{at:08x}: {digits:<39}  {part.decode()}")
    return "\n".join(rows)


def padded(text: str, size: int) -> str:
    """TEXT behind SIZE other characters, so that an encoder breaks the line within it."""
    return "x" * size + ("\n" if text.startswith("search") else " ") + text


def wrapped(text: str) -> str:
    """In base64 of several lines."""
    coded = base64_of(padded(text, 40))
    return "\n".join(coded[at : at + 64] for at in range(0, len(coded), 64)) + "\n"


ENCODINGS = {
    "clear": lambda text: text,
    "base64": base64_of,
    "base64 twice": lambda text: base64_of(base64_of(text)),
    "hex": hexed,
    "percent": percent,
    "percent, as browsers": lambda text: urllib.parse.quote(text, safe=""),
    "quoted-printable": lambda text: "".join(f"={byte:02X}" for byte in text.encode()),
    "soft breaks": lambda text: quopri.encodestring(padded(text, 60).encode()).decode() + "\n",
    "backslash x": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "octal": lambda text: "".join(f"\\{byte:03o}" for byte in text.encode()),
    "unicode": lambda text: "".join(f"\\u{ord(c):04x}" for c in text),
    "entities": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "wide": lambda text: "".join(c + "\0" for c in text),
    "xxd": dumped,
    "spaced hex": lambda text: text.encode().hex(" "),
    "base64, wrapped": wrapped,
}


def forms(secret: str) -> list[bytes]:
    """How SECRET may still be found, in small letters."""
    raw = secret.encode()
    found = [raw, hexed(secret).encode(), raw.hex(" ").encode(), percent(secret).encode()]
    found.append("".join(f"={byte:02x}" for byte in raw).encode())
    found.append("".join(f"\\x{byte:02x}" for byte in raw).encode())
    found.append("".join(f"\\{byte:03o}" for byte in raw).encode())
    found.append("".join(f"\\u{byte:04x}" for byte in raw).encode())
    found.append("".join(f"&#{byte};" for byte in raw).encode())
    found.append(secret.encode("utf-16-le"))
    return [form.lower() for form in found]


def base64_forms(plant: Plant) -> list[bytes]:
    """What of a secret is in every text in base64 that holds it, whatever stands before it there."""
    at = plant.line.lower().index(plant.secret)
    raw = plant.line[at : at + len(plant.secret)].encode()
    coded = [base64.b64encode(b"x" * before + raw)[(0, 2, 3)[before] :] for before in range(3)]
    return [form[: len(form) // 4 * 4 - 4] for form in coded]


def path_of(pattern: str) -> str:
    """A path that a catalogue item of PATTERN may have."""
    path = pattern.replace(RELEASE, "6.8.12-1-pve").replace("sys/bus/pci/devices/*", "sys/bus/pci/devices/0000:01:00.0")
    return path.replace("hugepages/*", "hugepages/hugepages-2048kB").replace("*", "some0")


def bundle() -> Collected:
    """A collection in which every file of the catalogue holds every plant, in clear and in one of the encodings."""
    encodings = list(ENCODINGS.values())
    entries = {}
    for at, item in enumerate(ITEMS):
        path = path_of(item.path)
        encode = encodings[at % len(encodings)]
        text = "\n".join([*(plant.line for plant in PLANTS), *(encode(plant.line) for plant in PLANTS), ""])
        if path.endswith("0000:01:00.0/config"):
            entries[path] = Entry(path, CONFIG, "file")
        elif item.how in ("file", "command"):
            entries[path] = Entry(path, text.encode(), item.how)
        elif item.how == "listing":
            entries[path] = Entry(path, b"vfio.conf\nolymp.conf\nenxa0369f123456\n", "listing")
        elif item.how == "link":
            entries[path] = Entry(path, b"../../../virtual/net/enxa0369f123456", "link")
    entries["proc/sys/kernel/hostname"] = Entry("proc/sys/kernel/hostname", b"olymp\n", "file")
    return Collected(entries, "2024-05-01T12:00:00Z", "1", True)
