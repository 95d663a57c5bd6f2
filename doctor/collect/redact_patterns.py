"""What private values look like.

Every pattern is bounded, or starts only where a run of characters starts, so that the time stays linear in
the text, whatever a stranger wrote into it.
"""

import re
from typing import FrozenSet

__all__ = ["ORDINARY"]


def _words(*lines: str) -> FrozenSet[str]:
    return frozenset(" ".join(lines).split())


ORDINARY = _words(
    "admin adm amd arch archlinux backup boot box build builder cachyos centos computer console cpu",
    "debian default desktop dev device disk dom dom0 domain efi error fedora firmware gaming gateway gentoo",
    "gpu grub tesla passthrough",
    "guest home homelab host hypervisor info init intel iommu kernel kvm lab laptop lan linux live local",
    "localhost machine main manjaro master media memory mint mobile module nas net network nixos node none",
    "nvidia office opensuse oracle pci pop-os power proxmox pve qemu radeon rescue rhel rocky root router",
    "server service silverblue storage store suse system systemd tank test tower truenas ubuntu unraid usb",
    "user users vfio virt virtual vm void work workstation xcp-ng xen xenserver zfs",
    "asrock asus core dell epyc geforce gigabyte hp lenovo minisforum msi nuc quadro rtx ryzen supermicro",
    "thinkpad threadripper thunderbolt xeon bus driver failed group irq enabled disabled remapping",
)
"""Names of hosts and people that are words of a kernel log: replaced only where a name must stand."""

BUILDERS = _words("abuild build buildbot builder buildd geeko linux mockbuild nixbld root void")
"""Who builds distributions' kernels, as `Linux version` says: public, and it tells the distribution."""

PUBLIC_GUIDS = _words(
    "00000000-0000-0000-0000-000000000000 ffffffff-ffff-ffff-ffff-ffffffffffff",
    "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f 8be4df61-93ca-11d2-aa0d-00e098032b8c",
    "605dab50-e046-4300-abb6-3dd810dd8b23 d719b2cb-3d3a-4596-a3bc-dad00e67656f",
    "c12a7328-f81f-11d2-ba4b-00a0c93ec93b 77fa9abd-0359-4d32-bd60-28f4e78f784b",
    "0fc63daf-8483-4772-8e79-3d69d8477de4 4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
    "21686148-6449-6e6f-744e-656564454649 6a898cc3-1dd2-11b2-99a6-080020736631",
)
"""Names of EFI variables' owners and of partition types: the same on every machine."""

PUBLIC_MAIL = ("@lists.debian.org", "kernel.org", "@lists.linux.dev", "@lists.linux-foundation.org")
PUBLIC_MAILBOXES = _words("dm-devel@redhat.com kernel-team@lists.ubuntu.com giometti@linux.it")
UNITS = _words("service socket mount automount target slice device timer path scope swap conf")

_NAME = r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}"
_USER = r"[A-Za-z_][\w.-]{0,31}"

# -- names of hosts and people; the group `host` or `user` is the name ------------------------------------
HOSTS = [
    re.compile(r"(?<!\w)Linux (?!version )(?P<host>" + _NAME + r") (?=\d{1,3}\.\d{1,4}\S{0,80} #)"),
    re.compile(r"^\[ {0,8}\d{1,9}\.\d{1,9}\] (?P<host>" + _NAME + r") (?=kernel: )", re.M),
    re.compile(
        r"^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?"
        r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.,:+Z-]{0,16}) "
        r"(?P<host>" + _NAME + r") (?=[\w./()@-]{1,64}(?:\[\d{1,9}\])?: )",
        re.M,
    ),
    re.compile(r"(?i)(?<![A-Za-z])hostname(?: set to <|[\"']?[=:] {0,2}[\"']?)(?P<host>" + _NAME + r")(?![\w(])"),
    re.compile(r"(?<![\w.])ip=(?:[^\s:\"']{0,64}:){4}(?P<host>" + _NAME + r")(?=:)"),
    re.compile(r"(?<!\w)nfsroot=(?P<host>[A-Za-z][A-Za-z0-9.-]{0,62})(?=:)"),
]
PROMPTS = [
    re.compile(r"^[ \t>*|`]{0,8}(?P<user>" + _USER + r")@(?P<host>" + _NAME + r")(?=:[^\n]{0,120}[#$%])", re.M),
    re.compile(
        r"^[ \t>*|`]{0,8}\[(?P<user>" + _USER + r")@(?P<host>" + _NAME + r")(?=[ :][^\]\n]{0,120}\] ?[#$%])",
        re.M,
    ),
    re.compile(
        r"^[ \t>*|`]{0,8}(?P<user>" + _USER + r")@(?P<host>" + _NAME + r")(?= [~/][^\n]{0,80}?[>%$#\u276f])",
        re.M,
    ),
    re.compile(r"(?<![\w.+-])(?P<user>" + _USER + r")@(?P<host>" + _NAME + r")(?='s password:)"),
    re.compile(r"Linux version \S{1,80} \((?P<user>" + _USER + r")@(?P<host>" + _NAME + r")(?=\))"),
]
USERS = [
    re.compile(r"/home/(?P<user>" + _USER + r")(?![\w@])"),
    re.compile(r"password for (?P<user>" + _USER + r")(?=:)"),
    re.compile(r"(?i)(?:username|ciuser)[\"']?[=:] {0,2}[\"']?(?P<user>" + _USER + r")"),
]
AT_HOST = re.compile(r"(?<![\w.+-])(?P<user>" + _USER + r")@(?P<host>" + _NAME + r")")
TOKEN = re.compile(r"(?:host|user|net)-[0-9a-f]{6}(?:\.example)?$")

# -- secrets; the group `value` is replaced ---------------------------------------------------------------
_CALLED = (
    r"password|passwd|passphrase|secret|(?<![A-Za-z])token|api[_-]?token|api[_-]?key|private[_-]?key"
    r"|preshared[_-]?key|access[_-]?key|(?<![A-Za-z])psk|credential"
)
_VALUE = r"(?P<value>\"[^\"\n]{1,512}\"|'[^'\n]{1,512}'|[\"']?[^\s\"']+)"
SECRETS = [
    re.compile(r"(?i)(?:" + _CALLED + r")\w{0,16}[\"']?[ \t]{0,3}[=:][ \t]{0,3}" + _VALUE),
    re.compile(r"(?i)--?(?:password|passwd|passphrase|token|secret)[ \t]{1,3}" + _VALUE),
    re.compile(r"(?i)(?<![A-Za-z])pass=" + _VALUE),
    re.compile(r"(?i)(?<![A-Za-z])key[\"']?[ \t]{0,2}[=:][ \t]{0,2}[\"']?(?!/)(?P<value>[A-Za-z0-9+/=_-]{16,})"),
    re.compile(r"(?i)netroot=iscsi:(?P<value>[^@\s]{1,200})(?=@)"),
    re.compile(r"://(?P<value>[^/\s:@]{1,64}:[^/\s@]{1,256})(?=@)"),
    re.compile(r"(?i)(?<![A-Za-z])bearer[ \t]{1,3}(?P<value>[A-Za-z0-9+/=._~-]{16,})"),
    re.compile(r"(?m)^sshkeys:[ \t]{0,3}(?P<value>\S+)"),
    re.compile(r"(?:ssh-(?:ed25519|rsa|dss)|ecdsa-sha2-nistp\d{3}|@openssh\.com) (?P<value>AAAA[A-Za-z0-9+/=]+)"),
    re.compile(r"(?<![A-Za-z0-9+/])(?P<value>[A-Za-z0-9+/]{43}=)(?![A-Za-z0-9+/=])"),
    re.compile(r"grub\.pbkdf2\.(?P<value>[\w.]+)"),
    re.compile(r"(?P<value>\$(?:1|2[aby]?|5|6|7|y|gy)\$[./A-Za-z0-9$,=]{8,256})"),
    re.compile(r"(?<!\w)(?P<value>(?:gh[pousr]_|github_pat_|glpat-|xox[abpr]-|AKIA)[\w-]{10,255})"),
    re.compile(r"(?<!\w)(?P<value>eyJ[\w-]{8,2048}\.eyJ[\w-]{8,2048}\.[\w-]{0,2048})"),
]
PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{3,40}-----")
PEM_END = re.compile(r"-----END [A-Z0-9 ]{3,40}-----")

# -- identities of disks, machines and parts --------------------------------------------------------------
_H = r"[0-9A-Fa-f]"
UUID = re.compile(r"(?<![0-9A-Fa-f])" + _H + r"{8}(?:-" + _H + r"{4}){3}-" + _H + r"{12}(?![0-9A-Fa-f])")
MACHINE_ID = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{32}(?![0-9A-Za-z])")
LVM_UUID = re.compile(r"(?<![\w-])[0-9A-Za-z]{6}(?:-[0-9A-Za-z]{4}){5}-[0-9A-Za-z]{6}(?![\w-])")
SHORT_UUID_LINE = re.compile(r"^.*uuid.*$|^[0-9A-F]{4}-[0-9A-F]{4}[ \t]*$", re.M | re.I)
SHORT_UUID = re.compile(r"(?<![\w-])(?:[0-9A-F]{4}-[0-9A-F]{4}|[0-9A-F]{16}|[0-9A-Fa-f]{8}(?=-\d\d(?![\w-])))(?!\w)")
SERIALS = [
    re.compile(r"(?i)serial ?number(?P<sep>:) (?P<value>[^\s][^\r\n]{0,127})"),
    re.compile(
        r"(?i)(?<![A-Za-z])(?:serial[ _-]?(?:number|num|no\.?|short)?|s/n)"
        r"[\"']?[ \t]{0,20}(?P<sep>[:=#])[ \t]{0,20}[\"']?(?P<value>[^\s\"',;]{1,128})"
    ),
]
NO_SERIAL = _words("none n/a na unknown not default system to empty amba")
BY_ID = re.compile(r"by-id/(?:ata|nvme|scsi|usb|virtio|mmc)-(?P<value>[^\s,;\"'\]:]{1,200})")
WWN = re.compile(
    r"(?i)(?:wwn-0x|eui\.|naa\.|(?<![A-Za-z])(?:wwn|wwpn|wwnn|wwid|sas[_ ]?addr(?:ess)?)[ =:(-]{1,3}(?:0x)?)"
    r"(?P<value>[0-9a-f]{16,32})(?![0-9a-z])"
)
IQN = re.compile(r"(?<![\w.])(?P<value>(?:iqn|nqn)\.\d{4}-\d{2}\.[\w.:-]{1,200})")
HWADDR = re.compile(
    r"(?<![0-9A-Za-z:.-])" + _H + r"{2}(?P<sep>[:-])" + _H + r"{2}(?:(?P=sep)" + _H + r"{2}){4,18}(?![0-9A-Za-z:-])"
)
INTERFACE = re.compile(r"(?<![A-Za-z0-9])(?P<head>(?:en|wl|ww)x)(?P<value>[0-9a-f]{12})(?![0-9A-Za-z])")

# -- addresses --------------------------------------------------------------------------------------------
EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,4}\.[A-Za-z]{2,24}(?![\w@])"
)
IPV4 = re.compile(r"(?<![\w.])(?<![A-Za-z]-)\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d|-[A-Za-z]|-\d{1,2}(?![\d.])| #)")
USB_PORT = re.compile(r"(?<![\d.])\d{1,2}-$")
A_VERSION = re.compile(
    r"(?i)(?<![A-Za-z])(?:version|ver|firmware|fw|driver|rev|revision|release|bios|api|nvm|microcode|ucode"
    r"|gcc|ld|binutils|agesa)"
    r"[\s:=v\"'(),.]{0,4}$"
)
IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:|:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
