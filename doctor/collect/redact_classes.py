"""The classes of private values, as people are told of them."""

from typing import Mapping

from .say import say

__all__ = ["CLASSES", "counted"]

CLASSES = {
    "email": "e-mail addresses",
    "host": "host names",
    "ip": "IP addresses",
    "iqn": "iSCSI and NVMe names",
    "label": "labels of file systems",
    "mac": "MAC addresses",
    "map": "names of device mappings",
    "net": "domain names",
    "note": "notes of VMs",
    "path": "paths of VMs' disks",
    "secret": "keys and passwords",
    "serial": "serial numbers",
    "smbios": "SMBIOS texts of VMs",
    "snapshot": "names of snapshots",
    "ssid": "names of wireless networks",
    "tag": "tags of VMs",
    "user": "user names",
    "uuid": "UUIDs",
    "vm": "names of VMs",
    "vol": "names of volumes and pools",
    "wwn": "world wide names",
}
"""By the class's name in a manifest."""


def counted(counts: Mapping[str, int]) -> str:
    """Return how many values of each class there are, in words: `2 host names, 1 UUIDs`."""
    told = [
        say("{count} {what}", count=count, what=say(CLASSES.get(kind, kind))) for kind, count in sorted(counts.items())
    ]
    return say(", ").join(told)
