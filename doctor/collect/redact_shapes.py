"""What private values look like: secrets, identities of disks and machines, addresses, volumes, stand-ins.

Every pattern is bounded, or starts only where a run of characters starts, so that the time stays linear in
the text. The group `value` is what is replaced; without one, the whole match. Where a pattern's shapes are wider
than the pattern (`h` stands for all hexadecimal digits), the pattern decides.
"""

from typing import FrozenSet, List

from .redact_look import Look, Seen

__all__ = ["SECRETS", "SERIALS", "STAND_IN", "TOKEN", "has_stand_in", "is_stand_in"]


def _words(*lines: str) -> FrozenSet[str]:
    return frozenset(" ".join(lines).split())


# -- stand-ins; doctor/treatment/safe.py knows the same --------------------------------------------------
_KINDS = "host|user|net|vm|note|snapshot|tag|smbios|path|ssid|mail|map"
TOKEN = Look(r"(?:(?:" + _KINDS + r")-[0-9a-f]{6}(?:\.example)?|(?:vol|label)_[0-9a-f]{6})(?![A-Za-z0-9])")
GLUED = Look(
    r"(?:(?:" + _KINDS + r")-|(?:vol|label)_)[0-9a-f]{6}[A-Za-z0-9]|(?:SN-|REDACTED-)[0-9A-Fa-f]{6,16}[g-zG-Z]"
)
"""A stand-in that something stands behind without a gap: it may be read as another name."""
STAND_IN = Look(
    r"(?i)(?<![A-Za-z0-9])(?:(?:" + _KINDS + r")-[0-9a-f]{6}(?:@mail\.example|\.example)?|(?:vol|label)_[0-9a-f]{6}"
    r"|facade00-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|facade(?:-[0-9a-z]{4}){5}-[0-9a-z]{6}"
    r"|facade[0-9a-f]{2,58}|FA7D-[0-9A-F]{4}|02([:-])fa\1ce(?:\1[0-9a-f]{2}){3}|02face[0-9a-f]{6}"
    r"|fa([:-])ca\2de(?:\2[0-9a-f]{2}){5,17}|198\.1[89]\.\d{1,3}\.\d{1,3}|2001:db8::[0-9a-f]{4}:[0-9a-f]{4}"
    r"|SN-[0-9A-F]{6,16}|REDACTED(?:-[0-9a-f]{8})?|[in]qn\.2000-01\.example:[0-9a-f]{12})(?![A-Za-z0-9])",
    (
        *(kind + "-" for kind in _KINDS.split("|")),
        *("vol_", "label_", "facade", "fa7d-", "02:fa:ce:", "02-fa-ce-", "02face", "fa:ca:de:", "fa-ca-de-"),
        *("198.18.", "198.19.", "2001:db8::", "sn-", "redacted", "qn.2000-01.example:"),
    ),
)
"""What the redactor puts in the place of a private value, as people meet it in a text."""


def has_stand_in(text: str) -> bool:
    """Say whether something in TEXT stands for a private value."""
    return Seen(text).may(STAND_IN) and STAND_IN.pattern.search(text) is not None


def is_stand_in(text: str) -> bool:
    """Say whether TEXT begins with what stands for a private value."""
    return Seen(text).may(STAND_IN) and STAND_IN.pattern.match(text) is not None


TECHNICAL = Look(
    r"(?:[0-9a-f]{4,6}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]|(?:0x)?[0-9a-f]{4}:(?:0x)?[0-9a-f]{4}|0x[0-9a-f]{1,16}"
    r"|v?\d{1,5}(?:\.\d{1,5}){1,4}(?:-[\w.+~-]{1,60})?|[a-z0-9_-]{0,30}(?:hcd|hdrc|udc)[a-z0-9_.-]{0,20}"
)
"""What is never private, wherever it stands: addresses and ids of PCI devices, versions, names of controllers.
The serial number of a USB host controller is its PCI address (drivers/usb/core/hcd.c)."""

# -- secrets ----------------------------------------------------------------------------------------------
_NEEDLES = ("password", "passwd", "passphrase", "secret", "token", "key", "psk", "credential")
_CALLED = (
    r"password|passwd|passphrase|secret|(?<![A-Za-z])token|api[_-]?token|api[_-]?key|private[_-]?key"
    r"|preshared[_-]?key|access[_-]?key|(?<![A-Za-z])psk|credential"
)
_VALUE = r"(?P<value>\"[^\"\n]{1,512}\"|'[^'\n]{1,512}'|[\"']?[^\s\"']+)"
KEY = Look(r"(?<![A-Za-z0-9+/])(?P<value>[A-Za-z0-9+/]{43}=)(?![A-Za-z0-9+/=])", run=43)
"""32 bytes in base64, as WireGuard's keys are; so is a short text in base64."""
SECRETS = [
    Look(r"(?i)(?:" + _CALLED + r")\w{0,16}[\"']?[ \t]{0,3}[=:][ \t]{0,3}" + _VALUE, _NEEDLES),
    Look(
        r"(?i)--?(?:password|passwd|passphrase|token|secret|api-?key)[ \t]{1,3}" + _VALUE,
        ("-password", "-passwd", "-passphrase", "-token", "-secret", "-api"),
    ),
    Look(r"(?i)(?<![A-Za-z])pass=" + _VALUE, ("pass=",)),
    Look(r"(?i)(?<![A-Za-z])key[\"']?[ \t]{0,2}[=:][ \t]{0,2}[\"']?(?!/)(?P<value>[A-Za-z0-9+/=_-]{16,})", ("key",)),
    Look(r"(?i)netroot=iscsi:(?P<value>[^@\s]{1,200})(?=@)", ("netroot=iscsi",)),
    Look(r"://(?P<value>[^/\s:@]{1,64}:[^/\s@]{1,256})(?=@)", ("://",)),
    Look(
        r"(?i)(?<![A-Za-z])(?:bearer|basic)[ \t]{1,3}(?P<value>[A-Za-z0-9+/=._~-]{16,})",
        ("bearer ", "bearer\t", "basic ", "basic\t"),
    ),
    Look(r"(?m)^sshkeys:[ \t]{0,3}(?P<value>\S+)", ("sshkeys:",)),
    Look(r"(?:ssh-(?:ed25519|rsa|dss)|ecdsa-sha2-nistp\d{3}|@openssh\.com) (?P<value>AAAA[A-Za-z0-9+/=]+)", (" aaaa",)),
    Look(r"(?<![A-Za-z0-9])SHA256:(?P<value>[A-Za-z0-9+/]{43})(?![A-Za-z0-9+/])", ("sha256:",)),
    Look(r"(?<![A-Za-z0-9+/])(?P<value>AAAA[BCE]3Nz[A-Za-z0-9+/]{16,}={0,2})", ("aaaab3nz", "aaaac3nz", "aaaae3nz")),
    KEY,
    Look(r"grub\.pbkdf2\.(?P<value>[\w.]+)", ("grub.pbkdf2",)),
    Look(
        r"(?P<value>\$(?:1|2[aby]?|5|6|7|y|gy)\$[./A-Za-z0-9$,=]{8,256})",
        ("$1$", "$2$", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$7$", "$y$", "$gy$"),
    ),
    Look(
        r"(?<!\w)(?P<value>(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|xapp-|AKIA|ASIA|hf_|sk-|dckr_pat_|"
        r"npm_|tskey-)[\w-]{10,255})",
        (
            *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "xapp-", "akia", "asia", "hf_"),
            *("sk-", "dckr_pat_", "npm_", "tskey-"),
        ),
    ),
    Look(r"(?<!\w)(?P<value>eyJ[\w-]{8,2048}\.eyJ[\w-]{8,2048}\.[\w-]{0,2048})", (".eyj",)),
]
RANDOM = Look(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{32,}={0,2}(?![A-Za-z0-9+/=_-])", run=32)
"""What may be a key that no word announces; `redact.Redactor` looks how random it is."""
PEM_BEGIN = Look(r"-----BEGIN [A-Z0-9 ]{3,40}-----")
PEM_END = Look(r"-----END [A-Z0-9 ]{3,40}-----")

# -- identities of disks, machines and parts --------------------------------------------------------------
PUBLIC_GUIDS = _words(
    "00000000-0000-0000-0000-000000000000 ffffffff-ffff-ffff-ffff-ffffffffffff",
    "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f 8be4df61-93ca-11d2-aa0d-00e098032b8c",
    "605dab50-e046-4300-abb6-3dd810dd8b23 d719b2cb-3d3a-4596-a3bc-dad00e67656f",
    "c12a7328-f81f-11d2-ba4b-00a0c93ec93b 77fa9abd-0359-4d32-bd60-28f4e78f784b",
    "0fc63daf-8483-4772-8e79-3d69d8477de4 4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
    "21686148-6449-6e6f-744e-656564454649 6a898cc3-1dd2-11b2-99a6-080020736631",
    "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f e6d6d379-f507-44c2-a23c-238f2a3df928",
    "a19d880f-05fc-4d3b-a006-743f0f84911e ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",
    "bc13c2ff-59e6-4262-a352-b275fd6f7172 e3c9e316-0b5c-4db8-817d-f92df00215ae",
    "de94bba4-06d1-4d40-a16a-bfd50179d6ac b921b045-1df0-41c3-af44-4c6f280d3fae",
)
"""Names of EFI variables' owners and of partition types: the same on every machine."""

_H = r"[0-9A-Fa-f]"
_PAIRS = ("hh:hh:hh:hh:hh:hh", "hh-hh-hh-hh-hh-hh")
UUID = Look(
    r"(?<![0-9A-Fa-f])" + _H + r"{8}(?:-" + _H + r"{4}){3}-" + _H + r"{12}(?![0-9A-Fa-f])",
    shapes=("hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh",),
)
MACHINE_ID = Look(r"(?<![0-9A-Za-z])(?:[0-9a-f]{32}|[0-9A-F]{32})(?![0-9A-Za-z])", shapes=("h" * 32,))
LVM_UUID = Look(r"(?<![\w-])[0-9A-Za-z]{6}(?:-[0-9A-Za-z]{4}){5}-[0-9A-Za-z]{6}(?![\w-])", run=38)
SHORT_UUID = Look(
    r"(?<![\w-])(?:[0-9A-F]{4}-[0-9A-F]{4}|[0-9A-F]{16}|[0-9A-Fa-f]{8}(?=-\d\d(?![\w-])))(?!\w)",
    shapes=("hhhh-hhhh", "h" * 16, "hhhhhhhh-hh"),
)
SHORT_UUID_ALONE = Look(r"(?i)[0-9A-F]{4}-[0-9A-F]{4}[ \t]*\r?")
SERIALS = [
    Look(r"(?i)serial ?number(?P<sep>:) (?P<value>[^\s][^\r\n]*)", ("serialnumber: ", "serial number: ")),
    Look(
        r"(?i)(?<![A-Za-z])(?:(?:id_)?serial[ _-]?(?:number|num|no\.?|short)?|s/n|asset[ _]tag|service[ _]tag)"
        r"[\"']?[ \t]{0,20}(?P<sep>[:=#])[ \t]{0,20}[\"']?(?P<value>[^\s\"',;]+)",
        ("serial", "s/n", "asset tag", "asset_tag", "service tag", "service_tag"),
    ),
    Look(r"(?m)^sn[ \t]{1,8}(?P<sep>:)[ \t]{1,4}(?P<value>\S{4,40})", ("sn ", "sn\t")),
    Look(
        r"(?m)^/dev/nvme\d{1,3}n\d{1,3} {1,20}(?:/dev/\S{1,20} {1,20})?(?P<value>[A-Za-z0-9]{6,20})(?P<sep>) {2}",
        ("/dev/nvme",),
    ),
]
NO_SERIAL = _words("none n/a na unknown not default system to empty amba no 0 chassis asset fill")
BY_ID = Look(r"by-id/(?:dm-uuid-)?(?:ata|nvme|scsi|usb|virtio|mmc)-(?P<value>[^\s,;\"'\]:]+)", ("by-id/",))
WWN = Look(
    r"(?i)(?:wwn-0x|eui\.|naa\.|(?<![A-Za-z])(?:wwn|wwpn|wwnn|wwid|sas[_ ]?addr(?:ess)?)[ =:(-]{1,3}(?:0x)?)"
    r"(?P<value>[0-9a-f]{16,32})(?![0-9a-z])",
    ("wwn", "eui.", "naa.", "wwpn", "wwid", "sas addr", "sas_addr", "sasaddr"),
)
IQN = Look(r"(?<![\w.])(?P<value>(?:iqn|nqn)\.\d{4}-\d{2}\.[\w.:-]+)", ("iqn.", "nqn."))
HWADDR = Look(
    r"(?<![0-9A-Za-z:.-])" + _H + r"{2}(?P<sep>[:-])" + _H + r"{2}(?:(?P=sep)" + _H + r"{2}){4,18}(?![0-9A-Za-z:-])",
    shapes=_PAIRS,
)
INTERFACE = Look(
    r"(?<![A-Za-z0-9])(?P<head>(?:en|wl|ww)x)(?P<value>[0-9a-f]{12})(?![0-9A-Za-z])", ("enx", "wlx", "wwx")
)

# -- addresses --------------------------------------------------------------------------------------------
PUBLIC_MAIL = ("@lists.debian.org", "kernel.org", "@lists.linux.dev", "@lists.linux-foundation.org")
PUBLIC_MAILBOXES = _words("dm-devel@redhat.com kernel-team@lists.ubuntu.com giometti@linux.it")
UNITS = _words("service socket mount automount target slice device timer path scope swap conf")
EMAIL = Look(
    r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,4}\.[A-Za-z]{2,24}(?![\w@])", ("@",)
)
_DIGITS = ("h", "hh", "hhh")
IPV4 = Look(
    r"(?<![\w.])(?<![A-Za-z]-)\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d|-[A-Za-z]|-\d{1,2}(?![\d.])| #)",
    shapes=tuple("h.{}.{}.h".format(second, third) for second in _DIGITS for third in _DIGITS),
)
USB_PORT = Look(r"(?<![\d.])\d{1,2}-$")
A_VERSION = Look(
    r"(?i)(?<![A-Za-z])(?:version|ver|firmware|fw|driver|rev|revision|release|bios|api|nvm|microcode|ucode"
    r"|gcc|ld|binutils|agesa)"
    r"[\s:=v\"'(),.]{0,4}$"
)
_GROUPS = (*_DIGITS, "hhhh")
IPV6 = Look(
    r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:|:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])",
    shapes=("::", *(":{}:{}:".format(second, third) for second in _GROUPS for third in _GROUPS)),
)
"""Also less than an address: that it has `::` or eight groups is for `redact.Redactor` to see."""

# -- volumes; the group `dm` is a device mapper's name, in which `-` parts and `--` stands for `-` ----------
_VOLUME = r"[A-Za-z0-9+_.@:][A-Za-z0-9+_.@:-]{0,127}"
_DISKS = ("scsi", "virtio", "sata", "ide", "efidisk", "tpmstate", "unused", "mp", "rootfs")
VOLUMES: List[Look] = [
    Look(r"(?:/dev/mapper/|dm-name-)(?P<dm>[A-Za-z0-9+_.][A-Za-z0-9+_.-]{0,127})", ("mapper/", "dm-name-")),
    Look(
        r"/dev/(?!(?:disk|mapper|fd|vfio|shm|block|char|bus|dri|input|snd|net|cpu|pts|hugepages|mqueue|usb"
        r"|loop|infiniband|accel|dma_heap|net)/|tty|nvidia|vhost|watchdog)"
        r"(?P<vol>[A-Za-z][A-Za-z0-9+_.-]{1,63}/[A-Za-z0-9+_.:/-]{1,127})",
        ("/dev/",),
    ),
    Look(r"rd\.lvm\.[lv][vg]=(?P<vol>" + _VOLUME + r"(?:/" + _VOLUME + r")?)", ("rd.lvm.",)),
    Look(
        r"(?i)(?<![A-Za-z])(?:zfs=|zfs:|bootfs=|- zfs )(?P<vol>" + _VOLUME + r"(?:/" + _VOLUME + r"){0,8})",
        ("zfs=", "zfs:", "bootfs=", "- zfs "),
    ),
    Look(r"(?:LABEL=|by-(?:part)?label/)[\"']?(?P<label>[^\s\"',;]{1,64})", ("label=", "label/")),
    Look(r"rd\.luks\.name=[0-9A-Fa-f-]{36}=(?P<dm>[A-Za-z0-9+_.-]{1,64})", ("rd.luks.name",)),
    Look(r"cryptdevice=[^\s:]{1,120}:(?P<dm>[A-Za-z0-9+_.-]{1,64})", ("cryptdevice",)),
    Look(
        r"(?m)^(?:" + "|".join(_DISKS) + r")\d{0,2}: (?P<vol>[A-Za-z][A-Za-z0-9_.-]{0,63})(?=:)",
        ("disk-", "iso/", "cloudinit"),
    ),
]
