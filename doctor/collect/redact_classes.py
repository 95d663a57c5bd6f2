"""The classes of private values, as people are told of them."""

__all__ = ["CLASSES"]

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
