"""Which words are public, and where names of hosts, people, VMs and networks stand.

Every pattern is bounded, or starts only where a run of characters starts, so that the time stays linear in
the text, whatever a stranger wrote into it.
"""

from typing import FrozenSet, List

from .redact_look import Look

__all__ = [
    "BUILDERS",
    "BUILD_HOSTS",
    "DISPLAYED",
    "NAMES",
    "ORDINARY",
    "PROMPTS",
    "PUBLIC_DOMAINS",
    "SYSTEM_USERS",
    "VOLUMES",
]


def _words(*lines: str) -> FrozenSet[str]:
    return frozenset(" ".join(lines).split())


ORDINARY = _words(
    "admin adm amd arch archlinux audio backup boot box bridge build builder cachyos card centos computer console",
    "controller cpu debian default desktop dev device disk display dom dom0 domain efi endevouros error ethernet",
    "fedora firmware gaming gateway gentoo gpu graphics grub tesla passthrough guest home homelab host hypervisor",
    "info init intel iommu kernel kvm lab laptop lan linux live local localhost machine main manjaro master media",
    "memory mint mobile module nas net network nixos node none nobara nvidia office opensuse oracle pci pop-os power",
    "proxmox pve pve1 pve2 qemu radeon rescue rhel rocky root router server service silverblue storage store suse",
    "system systemd tank test tower truenas ubuntu unraid usb user users vfio virt virtual vm void wifi windows win10",
    "win11 work workstation xcp-ng xen xenserver zfs asrock asus core dell epyc geforce gigabyte hp lenovo minisforum",
    "msi nuc quadro rtx ryzen supermicro thinkpad threadripper thunderbolt xeon bus driver failed group irq enabled",
    "disabled remapping true false yes not the and for with from this that port link slot type name data null auto",
    "standard generic vnc spice macos linux64 docker plex hostname password secret token key string value example",
)
"""Names of hosts and people that are words of a kernel log: replaced only where a name must stand."""

SYSTEM_USERS = _words(
    "root nobody qemu libvirt libvirt-qemu kvm daemon www-data messagebus polkitd sshd bin sys mail man nogroup",
    "systemd-network systemd-resolve systemd-timesync systemd-coredump dbus avahi chrony ntp postfix _apt www http",
    "hugetlbfs disk video render input wheel sudo adm tty users backup uuidd tss gdm lightdm sddm rtkit",
)
"""Accounts that distributions create: the same everywhere, and limits are judged by them."""

BUILDERS = _words("abuild build buildbot builder buildd buildozer geeko linux mockbuild nixbld void")
"""Who builds distributions' kernels, as `Linux version` says: public, and it tells the distribution."""

BUILD_HOSTS = ("develop", "nora", "proxmox", "archlinux", "localhost", "buildkitsandbox")
"""Where root builds distributions' kernels, as these names begin: Unraid, Proxmox VE; elsewhere root built his own."""

PUBLIC_DOMAINS = (
    *("kernel.org", "debian.org", "ubuntu.com", "canonical.com", "launchpad.net", "proxmox.com", "redhat.com"),
    *("fedoraproject.org", "centos.org", "rockylinux.org", "almalinux.org", "opensuse.org", "suse.com", "suse.org"),
    *("archlinux.org", "gentoo.org", "nixos.org", "alpinelinux.org", "unraid.net", "truenas.com", "xcp-ng.org"),
    *("linuxmint.com", "manjaro.org", "endeavouros.com", "cachyos.org", "voidlinux.org", "slackware.com"),
    *("github.com", "githubusercontent.com", "gitlab.com", "freedesktop.org", "gnu.org", "libvirt.org", "qemu.org"),
    *("intel.com", "01.org", "amd.com", "nvidia.com", "microsoft.com", "lwn.net", "linux.dev", "uefi.org"),
    *("kernelnewbies.org", "wikipedia.org", "stackexchange.com", "stackoverflow.com", "serverfault.com"),
    *("superuser.com", "askubuntu.com", "reddit.com", "level1techs.com", "pastebin.com", "linuxquestions.org"),
    *("pci-ids.ucw.cz", "ucw.cz", "linux-hardware.org", "systemd.io", "zfsonlinux.org", "openzfs.org", "pop-os.org"),
    *("system76.com", "w3.org", "apache.org", "python.org", "oracle.com", "ibm.com", "dell.com", "hp.com"),
    *("lenovo.com", "asus.com", "asrock.com", "gigabyte.com", "msi.com", "supermicro.com", "broadcom.com"),
    *("linux-foundation.org", "linuxfoundation.org", "linux.it", "cpu-world.com", "spinics.net", "bit.ly", "goo.gl"),
)
"""Domains of projects and makers, which logs and configuration files name in links."""

VOLUMES = _words(
    "pve root swap data home var tmp usr opt srv log boot efi esp rpool bpool zroot tank pool default ubuntu vg lv",
    "lvm rhel centos fedora debian system main local zfs nixos nix store arch archlinux void gentoo suse",
    "rootvol volgroup logvol thin tdata tmeta tpool pmspare control crypt cryptroot cryptlvm luks os disk vm subvol",
    "base state",
    "cloudimg rootfs uefi unraid rootpart cache appdata domains isos raid md array mpath image snapshot iso auto",
    "bootfs",
    "almalinux rocky ol proxmox xenserver truenas freenas freebsd silverblue kinoite fast slow ssd hdd nvme sata",
    "storage backup media vms templates part linux lvol volume zd sys vartmp user users usb key docker config host",
    "lock shm input dri block bus char cpu fd mqueue net pts snd zvol vfio mapper by id uuid label path partuuid",
    "partlabel dm name sd hd vd sr loop ram tty console null zero random urandom kvm kmsg mem port core full stderr",
    "stdin stdout fb rtc hpet watchdog iommu hugepages dev primary secondary and none private bios basic reserved",
    "microsoft windows recovery partition apple hfs swapfile current",
)
"""Names of volumes, pools and labels that installers give, and of folders in /dev: they tell nothing of anybody."""

_NAME = r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}"
_USER = r"[A-Za-z_][\w.-]{0,31}"
_VM = r"[^\s,'\"/<>|;&$(){}\\]{1,80}"
_AT = r"(?P<user>" + _USER + r")@(?P<host>" + _NAME + r")"
_QUOTE = r"^[ \t>*|`]{0,8}"

PROMPTS = [
    Look(r"(?m)" + _QUOTE + _AT + r"(?=:[^\n]{0,120}[#$%])", ("@",)),
    Look(r"(?m)" + _QUOTE + r"\[" + _AT + r"(?=[ :][^\]\n]{0,120}\] ?[#$%])", ("@",)),
    Look(r"(?m)" + _QUOTE + _AT + r"(?= [~/][^\n]{0,80}?[>%$#\u276f])", ("@",)),
    Look(r"(?<![\w.+-])" + _AT + r"(?='s password:)", ("s password:",)),
    Look(r"Linux version \S{1,80} \(" + _AT + r"(?=\))", ("linux version ",)),
]
_STAMP = Look(
    r"(?m)^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.,:+Z-]{0,16}) (?P<host>" + _NAME + r") (?=[\w./()@-]{1,64}(?:\[\d{1,9}\])?: )",
    shapes=("h hh:hh:hh", "hhhh-hh-hhwhh:hh:hh"),
)
_LOCAL = r"lan|local|home|internal|intranet|localdomain|corp|private|home\.arpa|fritz\.box"
_HOSTS = [
    Look(r"(?<!\w)Linux (?!version )(?P<host>" + _NAME + r") (?=\d{1,3}\.\d{1,4}\S{0,80} #)", ("linux ",)),
    Look(r"(?m)^\[ {0,8}\d{1,9}\.\d{1,9}\] (?P<host>" + _NAME + r") (?=kernel: )", (" kernel: ",)),
    _STAMP,
    Look(
        r"(?i)(?<![A-Za-z])hostname(?: set to <|[\"']?[=:] {0,2}[\"']?)(?P<host>" + _NAME + r")(?![\w(])",
        ("hostname",),
    ),
    Look(r"(?im)^[ \t]{0,20}pretty hostname: (?P<host>[^\r\n]{1,64})", ("pretty hostname",)),
    Look(r"(?<![\w.])ip=(?:[^\s:\"']{0,64}:){4}(?P<host>" + _NAME + r")(?=:)", ("ip=",)),
    Look(r"(?<!\w)nfsroot=(?P<host>[A-Za-z][A-Za-z0-9.-]{0,62})(?=:)", ("nfsroot=",)),
    Look(r"(?<!\w)nfs4?[: ](?P<host>[A-Za-z][A-Za-z0-9.-]{0,62})(?=:/)", ("nfs:", "nfs ", "nfs4:", "nfs4 ")),
    Look(r"(?<!\w)(?:cifs|smb3?) //(?P<host>" + _NAME + r")(?=/)", ("cifs //", "smb //", "smb3 //")),
    Look(r"(?m)^(?P<host>" + _NAME + r")(?= login:)", (" login:",)),
    Look(r"(?m)(?<!\w)nodes/(?P<host>[A-Za-z0-9][A-Za-z0-9-]{0,62})(?=[/\s'\"]|$)", ("nodes/",)),
    Look(r"(?<!\w)sosreport-(?P<host>" + _NAME + r")(?=-\d{4})", ("sosreport-",)),
    Look(r"(?<![\w.-])(?P<host>[A-Za-z0-9][A-Za-z0-9_]{0,62})(?=-diagnostics-\d{8})", ("-diagnostics-",)),
    Look(
        r"(?i)(?<![\w./@:-])(?!(?:rc|boot|after|before|halt)\.local)"
        r"(?P<host>[a-z0-9][a-z0-9-]{0,62}(?:\.[a-z0-9][a-z0-9-]{0,62}){0,4}\.(?:" + _LOCAL + r"))(?![\w-]|\.\w)",
        (".lan", ".local", ".home", ".internal", ".intranet", ".corp", ".private", ".fritz"),
    ),
    Look(
        r"(?m)^(?:search|domain)[ \t]{1,8}(?P<net>[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5})",
        ("search ", "search\t", "domain ", "domain\t"),
    ),
    Look(
        r"://(?:[^/\s@]{0,200}@)?(?P<net>[A-Za-z0-9][A-Za-z0-9-]{0,62}(?:\.[A-Za-z0-9][A-Za-z0-9-]{0,62}){0,5}"
        r"\.[A-Za-z]{2,24})(?![\w.-])",
        ("://",),
    ),
]
_USERS = [
    Look(r"/(?:home|Users)/(?P<user>" + _USER + r")(?![\w@])", ("/home/", "/users/")),
    Look(r"(?<![\w.])(?:/run)?/media/(?P<user>" + _USER + r")(?=/)", ("/media/",)),
    Look(r"(?i)\\Users\\(?P<user>" + _USER + r")(?![\w@])", ("\\users\\",)),
    Look(r"(?i)password for (?:user )?(?P<user>" + _USER + r")(?=[: ])", ("password for ",)),
    Look(
        r"(?i)(?<![\w.-])(?:\w{1,16}\.){0,3}(?:username|ciuser|user|logname)[\"']?(?:=|: )[\"']?"
        r"(?P<user>" + _USER + r")(?![\w(])",
        ("user=", "user: ", 'user"', "user'", "username", "logname"),
    ),
    Look(r"(?<!\w)[ug]id=\d{1,10}\((?P<user>" + _USER + r")(?=\))", ("uid=", "gid=")),
    Look(
        r"(?i)\b(?:session \w{1,12} of|opened for|closed for|for invalid) user (?P<user>" + _USER + r")",
        ("of user ", "for user ", "invalid user "),
    ),
    Look(r"(?:Accepted|Failed) \w{1,20} for (?P<user>" + _USER + r")(?= from)", (" for ",)),
    Look(r"sudo(?:\[\d{1,9}\])?: {1,4}(?P<user>" + _USER + r")(?= : )", ("sudo",)),
]
_VMS = [
    Look(r"(?<![\w-])-name (?:guest=)?(?P<vm>" + _VM + r")", ("-name ",)),
    Look(r"(?<![\w-])-name ['\"](?:guest=)?(?P<vm>[^,'\"\n]{1,80})", ("-name '", '-name "')),
    Look(r"/domain-\d{1,9}-(?P<vm>" + _VM + r")", ("/domain-",)),
    Look(r"(?<!\w)qemu-\d{1,9}-(?P<vm>[^\s,'\"/<>.]{1,80})", ("qemu-",)),
    Look(
        r"/libvirt/qemu/(?:(?:autostart|snapshot|save|channel)/)?(?P<vm>[^/\n'\"]{1,80})(?=\.(?:log|xml|save))",
        ("/libvirt/qemu/",),
    ),
    Look(r"/nvram/(?P<vm>[^/\n'\"]{1,80})(?=_VARS)", ("/nvram/",)),
    Look(
        r"(?<!\w)virsh (?:-\S{1,40} ){0,3}(?:start|edit|dumpxml|destroy|shutdown|reboot|reset|define|"
        r"undefine|console|dominfo|autostart|domdisplay) (?P<vm>" + _VM + r")",
        ("virsh ",),
    ),
    Look(r"(?<![\w=])[Dd]omain ['\"](?P<vm>[^'\"\n]{1,80})(?=['\"])", ("domain '", 'domain "')),
    Look(
        r"(?m)^ {1,6}(?:\d{1,6}|-) {2,8}(?P<vm>\S[^\n]{0,60}?)(?= {2,80}(?:running|shut off|paused|idle|crashed))",
        ("  running", "  shut off", "  paused", "  idle", "  crashed"),
    ),
    Look(
        r"(?m)^ {1,10}[1-9]\d{2,8} (?P<vm>\S{1,64})(?= {1,60}(?:running|stopped|paused))",
        (" running", " stopped", " paused"),
    ),
]
_NETWORKS = [
    Look(r"(?i)(?<![A-Za-z])e?ssid[ =:]{1,3}[\"'](?P<ssid>[^\"'\n]{1,64})(?=[\"'])", ("ssid",)),
    Look(r"(?i)(?<![A-Za-z])e?ssid[=:][ \t]{0,20}(?P<ssid>[^\s\"'][^\r\n\"',]{0,63})", ("ssid=", "ssid:")),
    Look(r"(?i)(?:wi-?fi|wireless) network [\"'](?P<ssid>[^\"'\n]{1,64})(?=[\"'])", ("network '", 'network "')),
    Look(r"(?i)access point [\"'](?P<ssid>[^\"'\n]{1,64})(?=[\"'])", ("access point",)),
]
NAMES: List[Look] = _HOSTS + PROMPTS + _USERS + _VMS + _NETWORKS
"""Where a name must stand; the group's name is the kind: host, user, net, vm or ssid."""
AT_HOST = Look(r"(?<![\w.+-])" + _AT, ("@",))
DISPLAYED = Look(r"(?m)^\S{0,8}[0-9a-f]{2}:[0-9a-f]{2}\.[0-7] [^\n]{0,300}", shapes=("hh:hh.h ",))
"""A device as lspci shows it: its words are makers' and models', and no host is meant by them."""
