"""Names of PCI devices from a `pci.ids`, for hosts without lspci.

Source: https://pci-ids.ucw.cz, the file's own heading: a vendor stands at the beginning of a line, its devices
below it after a tab. Only the host's own file names its devices: of a live host this machine's, of a directory
the one in it. So a bundle's report is the same wherever it is made.

>>> data = b"10de  NVIDIA Corporation\\n\\t2484  GA104 [GeForce RTX 3070]\\n10df  Emulex Corporation\\n"
>>> name(data, "10de:2484"), name(data, "10de:ffff"), name(data, "1234:2484")
('NVIDIA Corporation GA104 [GeForce RTX 3070]', None, None)
"""

from __future__ import annotations

from doctor.later import later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doctor.evidence.types import Evidence

PATHS = ("usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids")
_LARGEST = 16 * 1024 * 1024  # bytes; the real file has less than two million
_IDS = later(r"[0-9a-f]{4}:[0-9a-f]{4}")
_LONGEST = 120  # characters of a name


def open_names(evidence: Evidence) -> bytes | None:
    """The text of the host's own pci.ids; None if there is none."""
    for path in PATHS:
        piece = evidence.last(path)
        if piece is not None:
            return piece.text.encode("utf-8", "replace")
    for path in PATHS if evidence.kind == "host" else ():
        try:
            with open("/" + path, "rb") as file:
                return file.read(_LARGEST)
        except OSError:
            continue
    return None


def name(data: bytes, ids: str) -> str | None:
    """The vendor's and the device's name of `vendor:device`; None if the file lacks either."""
    if not _IDS.fullmatch(ids):
        return None
    vendor, _colon, device = ids.partition(":")
    head = b"\n" + vendor.encode() + b"  "
    at = 0 if data.startswith(head[1:]) else data.find(head) + 1
    if at == 0 and not data.startswith(head[1:]):
        return None
    end = data.find(b"\n", at)
    maker = data[at + len(head) - 1 : end]
    while end >= 0:
        begin, end = end + 1, data.find(b"\n", end + 1)
        line = data[begin : end if end >= 0 else len(data)]
        if line[:1] not in (b"\t", b"#"):
            return None
        if line.startswith(b"\t" + device.encode() + b"  "):
            words = maker.strip() + b" " + line[7:].strip()
            return words.decode("utf-8", "replace")[:_LONGEST]
    return None
