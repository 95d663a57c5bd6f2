"""What is private goes, what the analysis needs stays."""

import time

import pytest

from doctor.collect.model import Collected, Entry
from doctor.collect.redact import Redactor, redact
from doctor.collect.redact_dumps import config_space
from doctor.collect.redact_files import redact_entries, vm_config
from doctor.evidence.types import Piece
from doctor.facts.libvirt import read

PROMPT = "alice@zeus:~$ ls\nroot@zeus:~# id\n"

SECRETS = [
    ("igb 0000:05:00.0: mac a0:36:9f:12:34:56", "a0:36:9f:12:34:56"),
    ("BOOTIF=01-a0-36-9f-12-34-56", "a0-36-9f-12-34-56"),
    ("net0: virtio=BC:24:11:AA:BB:CC,bridge=vmbr0", "BC:24:11:AA:BB:CC"),
    ("netconsole=6665@10.0.0.1/eth0,6666@10.0.0.25/a0:36:9f:12:34:56", "a0:36:9f:12:34:56"),
    ("default via 10.11.12.13 dev enxa0369f123456", "a0369f123456"),
    ("wlx74da38f0a1b2: renamed from wlan0", "74da38f0a1b2"),
    ("nameserver 10.11.12.13", "10.11.12.13"),
    ("nfsroot=10.11.12.13:/srv", "10.11.12.13"),
    ("range 10.11.12.13-10.11.12.99", "10.11.12.99"),
    ("addr fe80::a236:9fff:fe12:3456.", "fe12:3456"),
    ("addr 2001:0db9:85a3:0000:0000:8a2e:0370:7334/64", "85a3"),
    ("usb 1-1: SerialNumber: 0123 456789AB", "456789AB"),
    ("scsi0: local:x,serial=XYZ1234", "XYZ1234"),
    ("ID_SERIAL_SHORT=S4EWNX0R", "S4EWNX0R"),
    ("/dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0ABCDEF-part1", "WCC7K0ABCDEF"),
    ("/dev/disk/by-id/nvme-Samsung_SSD_970_S4EWNX0R123456_1", "S4EWNX0R123456"),
    ("/dev/disk/by-id/wwn-0x5000c500a1b2c3d4", "5000c500a1b2c3d4"),
    ("nvme-eui.0025385a01b2c3d4", "0025385a01b2c3d4"),
    ("Capabilities: Device Serial Number a0-36-9f-ff-ff-12-34-56", "36-9f"),
    ("root=UUID=1b2c3d4e-1111-2222-3333-444455556666 ro", "1b2c3d4e"),
    ("rd.luks.uuid=luks-1b2c3d4e-1111-2222-3333-444455556666", "444455556666"),
    ("resume=/dev/disk/by-uuid/EA72-BD09", "EA72-BD09"),
    ("EA72-BD09", "EA72-BD09"),
    ("root=PARTUUID=1b2c3d4e-02", "1b2c3d4e"),
    ("rd.lvm.lv=x PV abcdef-AbCd-1234-efgh-IJKL-mnop-q1r2s3", "efgh"),
    ("title 0123456789abcdef0123456789abcdef-6.8.conf", "89abcdef"),
    ("rd.iscsi.password=hunter2", "hunter2"),
    ("netroot=iscsi:bob:hunter2@192.168.1.5::3260::iqn.2001-04.com.acme:disk", "hunter2"),
    ("netroot=iscsi:192.168.1.5::3260::iqn.2001-04.com.acme:disk", "acme"),
    ('password: "correct horse"', "horse"),
    ("wpa_psk=abcdefgh", "abcdefgh"),
    ("https://bob:hunter2@repo.acme.org/", "hunter2"),
    ("curl --token hunter2", "hunter2"),
    ("key=ABCDEFGHIJKLMNOPQRST", "ABCDEFGH"),
    ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq3 x", "C3NzaC1l"),
    ("PublicKey = " + "Ab1/" * 10 + "abc=", "Ab1/"),
    ("password_pbkdf2 root grub.pbkdf2.sha512.10000.ABCDEF0123", "ABCDEF0123"),
    ("root:$6$saltsalt$abcdefghijkl:1", "abcdefghijkl"),
    ("bob.smith@acme.org wrote", "smith"),
    ("/home/bob/vm.conf", "bob"),
    ("Linux version 6.9.1 (bob@olymp) (gcc 14)", "olymp"),
    ("Linux version 6.16.0 (root@olymp.acme.org) (gcc 14)", "acme"),
    ("Linux version 6.16.0 (root@olymp) (gcc 14)", "olymp"),
    ("[    0.000000] olymp kernel: DMAR: IOMMU enabled", "olymp"),
    ("May  1 12:34:56 olymp systemd[1]: Started.", "olymp"),
    ("2024-05-01T12:34:56+0200 olymp kernel: x", "olymp"),
    ("[bob@olymp vms]$ lspci", "olymp"),
    ("bob@olymp ~> lspci", "bob"),
    ("Linux olymp.acme.org 6.8.12-1-pve #1 SMP x86_64", "acme"),
    ("systemd[1]: Hostname set to <olymp>.", "olymp"),
    ("ip=192.168.1.5::192.168.1.1:255.255.255.0:olymp:eth0:off", "olymp"),
    ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----", "MIIEvQ"),
]

KEPT = """\
[    0.000000] Linux version 6.8.12-1-pve (build@proxmox) (gcc (Debian 12.2.0-14) 12.2.0, GNU ld 2.40) #1 SMP
[    0.000000] Linux version 6.1.0-13-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14))
[    0.000000] Command line: BOOT_IMAGE=/boot/vmlinuz-6.8.12-1-pve root=/dev/mapper/pve-root ro iommu=pt
[    0.000000]   BIOS-e820: [mem 0x0000000000000000-0x000000000009ffff] usable
[    0.012345] DMAR: DRHD base: 0x000000fed91000 flags: 0x1
[    0.012345] AMD-Vi: Extended features (0x58f77ef22294ade, 0x0): PPR X2APIC NX GT IA GA PC GA_vapic
[    1.200000] pci 0000:01:00.0: [10de:2204] type 00 class 0x030000 PCIe Legacy Endpoint
[    1.200000] pci 0000:01:00.0: BAR 1 [mem 0x6000000000-0x600fffffff 64bit pref]
[    1.300000] pci_bus 0000:00: root bus resource [bus 00-fe]
[    1.300000] rtc_cmos 00:02: setting system clock to 2024-05-01T12:34:56 UTC (1714566896)
[    1.400000] Serial: 8250/16550 driver, 32 ports, IRQ sharing enabled
[    1.400000] usb 1-1: New USB device strings: Mfr=1, Product=2, SerialNumber=3
[    1.400000] usb 1-1.2.3.4: new high-speed USB device number 5 using xhci_hcd
[    1.500000] ata1.00: ACPI cmd ef/10:06:00:00:00:00:00 (SET FEATURES) succeeded
[    1.600000] i40e 0000:05:00.0: fw 5.12.0.0 api 1.7 nvm version 1.4.0.0
[    1.700000] integrity: Loaded X.509 cert 'Debian Secure Boot CA: 6ccece7e4c6c0d1f6149f3dd27dfcc5cbb419ea1'
[    9.000000] vfio-pci 0000:01:00.0: BAR 1: can't reserve [mem 0xe0000000-0xefffffff 64bit pref]
[    1.800000] usb usb1: SerialNumber: 0000:00:14.0
[    1.800000] usb usb3: SerialNumber: vhci_hcd.0
[    1.800000] xhci_hcd 0000:00:14.0: xHCI Host Controller
[    1.900000] Loaded X.509 cert 'Build time autogenerated kernel key: 3e9c0893400760cb433d1bad37690f1fbf53b04c'
[    0.000000] Linux version 6.12.24-Unraid (root@Develop-612) (gcc (GCC) 14.2.0, GNU ld 2.43) #1 SMP
libfoo-6.8.12.1-pve 6.8.12.1-pve version 6.8.12.1
options vfio-pci ids=10de:2204,10de:1aef disable_vga=1
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
getty@tty1.service 127.0.0.1 255.255.255.0 ::1 00:00:00:00:00:00
passthrough=1 ip=dhcp console=ttyS0,115200 rd.driver.pre=vfio-pci crashkernel=384M-:128M
0000:01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GA102 [10de:2204] (rev a1)
  16:  0  0  IR-PCI-MSIX-0000:01:00.0    0-edge      vfio-msix[0](0000:01:00.0)
"""


@pytest.mark.parametrize(("line", "secret"), SECRETS)
def test_private_values_go(line: str, secret: str) -> None:
    redactor = Redactor()
    text = redactor.text(line)
    assert secret.lower() not in text.lower()
    assert text.count("\n") == line.count("\n")
    assert sum(redactor.counts.values()) >= 1


def test_everything_else_stays() -> None:
    redactor = Redactor()
    assert redactor.text(KEPT).splitlines() == KEPT.splitlines()
    assert redactor.counts == {}


def test_an_ordinary_host_name_is_replaced_only_where_a_name_stands() -> None:
    text = (
        "root@pve:~# uname -a\nLinux pve 6.8.12-1-pve #1 SMP PREEMPT_DYNAMIC PMX x86_64 GNU/Linux\n"
        "[    0.000000] pve kernel: Linux version 6.8.12-1-pve root=/dev/mapper/pve-root\ncat /etc/pve/x\n"
    )
    lines = Redactor().text(text).splitlines()
    host = lines[0].split("@")[1].split(":")[0]
    assert host.startswith("host-")
    assert lines[0] == f"root@{host}:~# uname -a"
    assert lines[1].startswith(f"Linux {host} 6.8.12-1-pve #1")
    assert lines[2] == f"[    0.000000] {host} kernel: Linux version 6.8.12-1-pve root=/dev/mapper/pve-root"
    assert lines[3] == "cat /etc/pve/x"


def test_another_host_name_goes_everywhere() -> None:
    text = Redactor().text("volume zeus-data of ZEUS\n" + PROMPT + "ssh alice@zeus; rezeused\n")
    assert "rezeused" in text and "root@" in text
    assert "zeus" not in text.lower().replace("rezeused", "") and "alice" not in text


def test_consistent_within_one_and_not_between_two() -> None:
    redactor = Redactor()
    line = "a0:36:9f:12:34:56 10.1.2.3 1b2c3d4e-1111-2222-3333-444455556666"
    assert redactor.text(line) == redactor.text(line) != Redactor().text(line)
    assert redactor.text("A0:36:9F:12:34:56").lower() == redactor.text("a0:36:9f:12:34:56")


def test_different_values_stay_different() -> None:
    addresses = "\n".join(f"10.1.{a}.{b}" for a in range(20) for b in range(1, 200))
    assert len(set(Redactor().text(addresses).split())) == 20 * 199


def test_twice_is_the_same() -> None:
    redactor = Redactor()
    once = redactor.text("\n".join(line for line, _ in SECRETS))
    assert redactor.text(once) == once


def test_a_value_of_any_length_goes_to_its_end() -> None:
    for line in ("Serial Number: {}", "serial={}", "/dev/disk/by-id/ata-DISK_{}", "iqn.2001-04.com.acme:{}"):
        new = Redactor().text(line.format("A7" * 300))
        assert "A7A7" not in new and Redactor().text(new) == new, line


def test_a_name_that_begins_as_a_stand_in_is_none() -> None:
    redactor = Redactor()
    assert "abcdef1" not in redactor.text("Static hostname: host-abcdef1\n/home/user-abcdef12/x\nhost-abcdef1 is up")
    assert Redactor().text("Static hostname: host-abcdef") == "Static hostname: host-abcdef"


def test_two_lines_of_one_width_do_not_join_what_is_replaced() -> None:
    disk = "/dev/disk/by-id/nvme-Samsung_SSD_970_S4EWNX0R123456_1\n"
    new = Redactor().text(disk + disk + "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq3vRz8Yb7wQmT2 x")
    assert Redactor().text(new) == new and "\nssh-ed25519 REDACTED" in new


def test_a_soft_break_does_not_cut_a_stand_in() -> None:
    text = "x" * 50 + " session opened for user carolx(uid=1000) by =\nroot, password=3Dhunter22secret and =\nmore"
    new = Redactor().text(text)
    assert new.count("\n") == 2 and "hunter22" not in new and "carolx" not in new and Redactor().text(new) == new


def test_many_short_texts_are_redacted_as_each_alone() -> None:
    texts = ["quiet splash\n", "10.1.2.3\n", "version:\n", "1.2.3.4", "BIOS version 1.2.3.4", "olymp", "a=\n", "x\ny"]
    texts += ["-----BEGIN X KEY-----", "abc", "-----END X KEY-----", "Static hostname: olymp", "\x1b[1molymp"]
    alone, together = Redactor(), Redactor()
    for redactor in (alone, together):
        redactor._key = b"k" * 32
        redactor.learn("Static hostname: olymp")
    together.look_over(texts)
    assert together.counts == {} and "quiet splash\n" in together._clean and "olymp" not in together._clean
    assert [together.text(text) for text in texts] == [alone.text(text) for text in texts]
    assert together.counts == alone.counts


def test_an_equals_sign_before_two_digits_is_no_encoding() -> None:
    redactor = Redactor()
    once = redactor.text("nameserver=10.1.2.3 addr=2a02:908:1f3::1f2e ids=10DE:2204")
    assert redactor.counts == {"ip": 2} and Redactor().text(once) == once
    assert once.startswith("nameserver=198.18.") and " addr=2001:db8::" in once and once.endswith(" ids=10DE:2204")


def test_shapes_stay() -> None:
    text = Redactor().text("root=UUID=1b2c3d4e-1111-2222-3333-444455556666 by-uuid/EA72-BD09 a0:36:9f:12:34:56")
    root, short, mac = text.split()
    assert [len(part) for part in root[10:].split("-")] == [8, 4, 4, 4, 12]
    assert len(short) == len("by-uuid/EA72-BD09") and len(mac) == 17


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a:",
        "1.",
        "::",
        "password",
        "serial ",
        "deadbeef-",
        "a@",
        "by-id/ata-",
        "iqn.2000-01.",
        "eyJaaaaaaaaa.",
        " ",
    ],
)
def test_time_is_linear(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        begin = time.process_time()
        Redactor().text(text)
        return time.process_time() - begin

    # A quadratic pattern would take 16 times as long for four times the text.
    assert seconds(160000) < 10 * seconds(40000) + 0.2


def test_many_names_stay_bounded() -> None:
    text = "".join(f"u{number}@box{number}x:~# ls\n" for number in range(5000))
    begin = time.process_time()
    assert "box77x" not in Redactor().text(text)
    assert time.process_time() - begin < 10


def test_vm_config() -> None:
    conf = (
        "# Alice%27s bank VM\nname: bank\nhostpci0: 0000:01:00,pcie=1\nparent: before-update\n"
        "smbios1: uuid=1b2c3d4e-1111-2222-3333-444455556666,serial=U2VjcmV0,manufacturer=QWNtZQ==,base64=1\n"
        "vmgenid: 2b2c3d4e-1111-2222-3333-444455556666\nscsi0: local-lvm:vm-100-disk-0,size=32G\n"
        "sshkeys: ssh-ed25519%20AAAAC3Nz\ncipassword: hunter2\n"
        "ciuser: alice\n\n[before-update]\nname: bank\n[PENDING]\n"
    )
    redactor = Redactor()
    text = redactor.text(vm_config(conf, redactor))
    for secret in ("bank", "Alice", "alice", "before", "U2VjcmV0", "QWNtZQ", "hunter2", "AAAAC3", "2b2c3d4e"):
        assert secret not in text
    lines = text.splitlines()
    assert len(lines) == len(conf.splitlines())
    assert lines[2] == "hostpci0: 0000:01:00,pcie=1" and "scsi0: local-lvm:vm-100-disk-0,size=32G" in lines
    assert lines[3].split(": ")[1] == lines[11].strip("[]") and lines[-1] == "[PENDING]"


DOMAIN = """<!-- changes should be made using:
  virsh edit bank
-->
<domain type='kvm'>
  <name>bank</name>
  <uuid>2b2c3d4e-1111-2222-3333-444455556666</uuid>
  <description>Alice's own
second line</description>
  <sysinfo type='smbios'><system><entry name='serial'>SER1234567</entry></system></sysinfo>
  <os><type machine='pc-q35-8.2'>hvm</type><nvram>/var/lib/libvirt/qemu/nvram/bank_VARS.fd</nvram></os>
  <devices>
    <disk type='file'><source file='/home/alice/bank.qcow2' index='1'/><serial>DISKSERIAL</serial></disk>
    <interface type='bridge'><mac address='52:54:00:12:34:56'/><source bridge='br0'/></interface>
    <hostdev type='pci' managed='yes'>
      <source><address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source>
    </hostdev>
  </devices>
</domain>
"""


def test_a_domain_of_libvirt() -> None:
    def entry(path: str, text: str) -> Entry:
        return Entry(path, text.encode(), "listing" if path.endswith("/") else "file")

    folder = "etc/libvirt/qemu/"
    given = [entry(folder + "bank.xml", DOMAIN), entry(folder + "autostart/", "bank.xml\n")]
    given.append(entry(folder, "autostart\nbank.xml\nnetworks\n"))
    told, _ = redact_entries({one.path: one for one in given}, Redactor())
    shown = "".join(path + one.data.decode() for path, one in told.items())
    for secret in ("bank", "Alice", "alice", "second line", "SER1234567", "DISKSERIAL", "2b2c3d4e", "12:34:56"):
        assert secret not in shown
    (path,) = [path for path in told if path.endswith(".xml")]
    name = path.removeprefix(folder).removesuffix(".xml")
    assert f"<name>{name}</name>" in told[path].data.decode()
    assert told[folder + "autostart/"].data.decode() == f"{name}.xml\n"
    assert told[folder].data.decode() == f"autostart\n{name}.xml\nnetworks\n"
    assert told[path].data.decode().count("\n") == DOMAIN.count("\n")
    assert [device.address for domain in read(Piece(path, told[path].data.decode(), path)) for device in domain.devices]


def test_a_card_named_after_its_address_is_one_card_in_path_and_text() -> None:
    name = "enxa0369f123456"
    given = [
        Entry("cmd/ip-route", b"default via 10.0.0.1 dev vmbr0", "command"),
        Entry("sys/class/net/vmbr0/", f"lower_{name}\n".encode(), "listing"),
        Entry(f"sys/class/net/{name}/device", b"../../../0000:03:00.0", "link"),
    ]
    told, _ = redact_entries({one.path: one for one in given}, Redactor())
    (path,) = [path for path in told if path.endswith("/device")]
    assert "a0369f" not in path and told["sys/class/net/vmbr0/"].data.decode() == f"lower_{path.split('/')[3]}\n"


def test_device_serial_number_in_config_space() -> None:
    config = bytearray(4096)
    config[0:4] = b"\xde\x10\x04\x22"
    config[0x100:0x104] = (0x0001 | 1 << 16 | 0x140 << 20).to_bytes(4, "little")
    config[0x140:0x14C] = (0x0003 | 1 << 16).to_bytes(4, "little") + bytes.fromhex("a0369fffff123456")
    redactor = Redactor()
    new = config_space(bytes(config), redactor)
    assert len(new) == 4096 and new[:0x144] == config[:0x144] and new[0x14C:] == config[0x14C:]
    assert new[0x144:0x14C] != config[0x144:0x14C] and redactor.counts == {"wwn": 1}
    loop = bytes(0x100) + (0x0001 | 0x100 << 20).to_bytes(4, "little") + bytes(3836)
    assert config_space(loop, redactor) == loop


def test_a_whole_collection() -> None:
    machine = "0123456789abcdef0123456789abcdef"
    entries = {
        "proc/cmdline": b"root=/dev/mapper/zeus-root quiet\n",
        "cmd/uname-a": b"Linux zeus 6.8.12-1-pve #1 SMP x86_64 GNU/Linux\n",
        "boot/loader/entries/" + machine + "-6.8.conf": b"options quiet\n",
        "sys/bus/pci/devices/0000:01:00.0/vendor": b"0x10de\n",
        "sys/module/": b"vfio\nnouveau\n",
        "sys/firmware/acpi/tables/DMAR": b"DMAR\x80\x00\xff",
        "etc/modprobe.d/zeus.conf": b"\xff password=hunter2\n",
        "etc/modprobe.d/": b"zeus.conf\n",
    }
    collected = Collected({path: Entry(path, data, "file") for path, data in entries.items()}, "", "", False)
    new, counts = redact(collected)
    everything = b"".join(path.encode() + entry.data for path, entry in new.entries.items())
    assert b"zeus" not in everything and machine.encode() not in everything and b"hunter2" not in everything
    assert new.redaction == "forum" and {"host", "uuid", "secret"} <= set(counts)
    assert new.entries["sys/firmware/acpi/tables/DMAR"].data == b"DMAR\x80\x00\xff"
    name = new.entries["etc/modprobe.d/"].data.decode().strip()
    assert new.entries["etc/modprobe.d/" + name].data.startswith(b"\xff ")
