"""The leak scanner finds what is private in any layer, shows none of it, and shares nothing with the redactor."""

from __future__ import annotations

import ast
import base64
import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import doctor.audit
from doctor.audit.scan import Known, scan

HERE = Path(doctor.audit.__file__).parent

LEAKS = [
    ("mac", "link/ether a0:36:9f:12:34:56 brd ff:ff:ff:ff:ff:ff"),
    ("mac", "renamed enxa0369f123456"),
    ("wwn", "Device Serial Number a0-36-9f-ff-ff-12-34-56"),
    ("wwn", "wwn-0x5000c500a1b2c3d4"),
    ("uuid", "luks-1b2c3d4e-1111-4222-8333-444455556666"),
    ("uuid", "machine 0123456789abcdef0123456789abcdef"),
    ("ip", "default via 10.11.12.13 dev vmbr0"),
    ("ip", "inet6 2a02:908:1f3::1f2e/64"),
    ("email", "by bob.smith@acme.org"),
    ("key", "x ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
    ("random", "x 8fK2mQ9xT4vB7nW3zR6yL1pD5sH0jG"),
    ("secret", "rd.iscsi.password=hunter2"),
    ("serial", "Serial Number: WD-WCC7K0"),
    ("ssid", 'ssid="Attic"'),
    ("user", "/home/alice/x"),
    ("host", "alice@zeus:~$ ls"),
    ("host", "May  1 12:34:56 zeus kernel: x"),
    ("host", "Linux zeus 6.8.12 #1 SMP x86_64"),
    ("host", "nas.smith.lan is up"),
]

CLEAN = """\
[    0.000000] Linux version 6.8.12-1-pve (build@proxmox) (gcc (Debian 12.2.0-14) 12.2.0, GNU ld 2.40) #1 SMP
[    0.000000] BIOS-e820: [mem 0x0000000000000000-0x000000000009ffff] usable
[    1.400000] Serial: 8250/16550 driver, 32 ports, IRQ sharing enabled
[    1.400000] usb 1-1: New USB device strings: Mfr=1, Product=2, SerialNumber=3
[    1.500000] ata1.00: ACPI cmd ef/10:06:00:00:00:00:00 (SET FEATURES) succeeded
[    1.600000] i40e 0000:05:00.0: fw 5.12.0.0 api 1.7 nvm version 1.4.0.0
root=UUID=facade00-1f2e-41b2-8c3d-0123456789ab 02:fa:ce:12:34:56 198.18.3.4 2001:db8::1f2e:3d4c
root@host-3fa2c1:~# ls /home/user-3fa2c1 SN-12AB34 REDACTED-1234abcd vol_3fa2c1 mail-3fa2c1@mail.example
0000:01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GA102 [10de:2204] (rev a1)
options vfio-pci ids=10de:2204,10de:1aef disable_vga=1
"""


@pytest.mark.parametrize(("kind", "line"), LEAKS)
def test_found_with_its_file_line_and_class_and_not_shown(kind: str, line: str) -> None:
    found = scan({"etc/x": ("quiet\n" + line + "\n").encode()})
    assert kind in {leak.kind for leak in found}
    assert {(leak.file, leak.line) for leak in found} == {("etc/x", 2)}
    assert not any(word in leak.shown for leak in found for word in line.split())


@pytest.mark.parametrize("kind", ["mac", "uuid", "ip", "email", "secret"])
def test_found_through_encodings(kind: str) -> None:
    line = next(line for name, line in LEAKS if name == kind)
    coded = [
        base64.b64encode(line.encode()).decode(),
        line.encode().hex(),
        line.encode()[::-1].hex(),
        line.encode().hex(" "),
        "".join(f"%{byte:02x}" for byte in line.encode()),
        "".join(f"={byte:02X}" for byte in line.encode()),
        "".join(f"\\x{byte:02x}" for byte in line.encode()),
        "".join(f"\\u{byte:04x}" for byte in line.encode()),
        "".join(f"&#{byte};" for byte in line.encode()),
        base64.b64encode(base64.b64encode(line.encode())).decode(),
    ]
    for text in coded:
        assert kind in {leak.kind for leak in scan({"x": text.encode()})}, text
    assert kind in {leak.kind for leak in scan({"x": line.encode("utf-16")})}


def test_found_where_a_line_ends() -> None:
    for value in ("1b2c3d4e-1111-4222-8333-444455556666", "a0:36:9f:12:34:56"):
        found = scan({"x": f"quiet {value[:9]}\n{value[9:]} ro".encode()})
        assert [leak.kind for leak in found] == ["uuid" if len(value) == 36 else "mac"]


def test_found_in_names_and_bytes() -> None:
    assert [leak.kind for leak in scan({"sys/class/net/enxa0369f123456/device": b""})] == ["mac"]
    config = bytearray(4096)
    config[0x100:0x10C] = (0x0003 | 1 << 16).to_bytes(4, "little") + bytes.fromhex("563412ffff9f36a0")
    assert [leak.kind for leak in scan({"0000:01:00.0/config": bytes(config)})] == ["serial"]
    assert [leak.kind for leak in scan({"etc/pve/qemu-server/100.conf": b"name: bank\n# Alice's\n"})] == ["vm", "vm"]


def test_nothing_is_found_in_what_is_clean() -> None:
    assert scan({"cmd/dmesg": CLEAN.encode()}) == []


def test_what_is_known_is_reasoned() -> None:
    for entry in Known().entries:
        assert set(entry) <= {"kind", "value", "starts", "ends", "before", "line", "why"} and len(entry["why"]) > 10
        assert len(entry) == 3
    assert json.loads((HERE / "known.json").read_text()) == Known().entries


def test_it_shares_nothing_with_the_redactor() -> None:
    for path in HERE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.startswith("doctor.collect") or name == "re" for name in names), path


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=20), st.binary(max_size=200), max_size=3))
def test_never_raises(files: dict[str, bytes]) -> None:
    scan(files)


@pytest.mark.parametrize("piece", ["a", "a=", "%41", "QUJD", "41 ", "a:", "1.", "a@", "-", "\\x41", "&#65;", "a\n"])
def test_time_is_linear(piece: str) -> None:
    def seconds(size: int) -> float:
        data = (piece * (size // len(piece))).encode()
        begin = time.process_time()
        scan({"x": data})
        return time.process_time() - begin

    assert seconds(80000) < 10 * seconds(20000) + 0.3
