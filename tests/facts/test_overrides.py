"""What binds devices by address: scripts, rules, tools; from hand-made evidence."""

from __future__ import annotations

import pytest

from doctor.evidence.paste import open_paste
from doctor.evidence.types import Evidence, Piece
from doctor.facts.overrides import Overrides, read
from doctor.facts.shell import Call, Write, follow

VFIO = "/sys/bus/pci/devices/{}/driver_override"
GPU, AUDIO = "0000:01:00.0", "0000:01:00.1"
Told = tuple[str | None, str | None, str | None, str, str]


def overrides(pieces: dict[str, str]) -> Overrides:
    return read(Evidence("directory", "d", [Piece(path, text, path) for path, text in pieces.items()]))


def told(pieces: dict[str, str]) -> list[Told]:
    return [(one.address, one.ids, one.driver, one.how, one.when) for one in overrides(pieces).configured]


def by(address: str, how: str = "driver_override", when: str = "late") -> Told:
    return (address, None, "vfio-pci", how, when)


@pytest.mark.parametrize(
    ("script", "addresses"),
    [
        (f"echo vfio-pci > {VFIO.format(GPU)}", [GPU]),
        (f'echo "vfio-pci" >{VFIO.format(GPU)}; echo vfio-pci>{VFIO.format(AUDIO)}', [GPU, AUDIO]),
        (f"for d in {GPU} {AUDIO}; do echo vfio-pci > {VFIO.format('$d')}; done", [GPU, AUDIO]),
        (f'DEVS="{GPU} {AUDIO}"\nfor D in $DEVS; do\n  echo "vfio-pci" > {VFIO.format("$D")}\ndone', [GPU, AUDIO]),
        (f'DEVS=(\n{GPU} # card\n{AUDIO}\n)\nfor d in "${{DEVS[@]}}"\ndo\necho vfio-pci > {VFIO.format("${d}")}\ndone',
         [GPU, AUDIO]),
        (f"A={GPU}\nP=/sys/bus/pci/devices\necho vfio-pci | sudo tee $P/$A/driver_override", [GPU]),
        (f"printf 'vfio-pci\\n' > {VFIO.format(GPU)}", [GPU]),
        (f"[ -e {VFIO.format(GPU)} ] && echo vfio-pci > {VFIO.format(GPU)}", [GPU]),
        (f"if [ ! -z \"$(ls -A /sys/class/iommu)\" ]; then\n echo vfio-pci > {VFIO.format(GPU)}\nfi", [GPU]),
        (f"echo vfio-pci > \\\n  {VFIO.format(GPU)}", [GPU]),
        (f"#echo vfio-pci > {VFIO.format(GPU)}", []),
        (f"  # echo vfio-pci > {VFIO.format(GPU)}", []),
        (f"cat {VFIO.format(GPU)}", []),
        ("echo vfio-pci > /sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/driver_override", [GPU]),
    ],
)  # fmt: skip
def test_scripts(script: str, addresses: list[str]) -> None:
    assert told({"etc/rc.local": "#!/bin/sh\n" + script}) == [by(address) for address in addresses]


def test_a_script_that_computes_its_devices() -> None:
    script = (
        "for i in /sys/bus/pci/devices/*/boot_vga; do\n"
        ' GPU="${i%/boot_vga}"\n'
        ' echo "vfio-pci" > "$GPU/driver_override"\n'
        "done"
    )
    assert told({"etc/initcpio/hooks/vfio": script}) == [(None, None, "vfio-pci", "driver_override", "initramfs")]
    assert not overrides({"etc/initcpio/hooks/vfio": script}).vfio.known


def test_bind_unbind_and_new_id() -> None:
    script = (
        f"echo {GPU} > /sys/bus/pci/devices/{GPU}/driver/unbind\n"
        "echo 10DE 2204 > /sys/bus/pci/drivers/vfio-pci/new_id\n"
        f"echo {GPU} > /sys/bus/pci/drivers/vfio-pci/bind\n"
    )
    assert told({"etc/rc.local": script}) == [
        (GPU, None, None, "unbind", "late"),
        (None, "10de:2204", "vfio-pci", "new_id", "late"),
        (GPU, None, "vfio-pci", "bind", "late"),
    ]


def test_tools_in_scripts_and_units() -> None:
    assert told({
        "etc/systemd/system/a.service": "[Service]\nExecStart=/usr/sbin/driverctl set-override 0000:02:00.0 vfio-pci\n"
        f"ExecStart=/bin/sh -c 'echo vfio-pci > {VFIO.format(GPU)}'\nExecStop=/bin/true",
        "etc/rc.local": "dpdk-devbind.py --bind=vfio-pci 03:00.0 ens5\n"
        "usertools/dpdk-devbind.py -b vfio-pci 0000:04:00.0",
    }) == [
        by("0000:03:00.0", "dpdk"),
        by("0000:04:00.0", "dpdk"),
        by("0000:02:00.0", "driverctl"),
        by(GPU),
    ]  # fmt: skip


def test_libvirts_hooks_take_their_devices_from_a_file_beside() -> None:
    found = told({
        "etc/libvirt/hooks/qemu.d/win/prepare/begin/start.sh": 'source "/etc/libvirt/hooks/kvm.conf"\n'
        "virsh nodedev-detach $VIRSH_GPU\nvirsh nodedev-detach pci_0000_01_00_1\nvirsh nodedev-reattach $VIRSH_GPU\n",
        "etc/libvirt/hooks/kvm.conf": "VIRSH_GPU=pci_0000_01_00_0\n",
    })  # fmt: skip
    assert found == [by(GPU, "detach", "guest"), by(AUDIO, "detach", "guest")]


def test_what_runs_at_a_guests_start_is_not_taken_at_boot() -> None:
    found = overrides({"etc/libvirt/hooks/qemu": f"echo vfio-pci > {VFIO.format(GPU)}"})
    assert [one.when for one in found.of(GPU)] == ["guest"]
    assert not found.vfio.known


def test_udev_rules() -> None:
    rules = (
        '# KERNEL=="0000:09:00.0", ATTR{driver_override}="vfio-pci"\n'
        f'ACTION=="add", KERNEL=="{GPU}|{AUDIO}", SUBSYSTEM=="pci", \\\n  ATTR{{driver_override}}="vfio-pci"\n'
        'SUBSYSTEM=="pci", ATTR{vendor}=="0x10de", ATTR{device}=="0x2203", '
        "RUN+=\"/bin/sh -c 'echo vfio-pci > /sys/bus/pci/devices/%k/driver_override'\"\n"
    )
    assert told({"etc/udev/rules.d/10-vfio.rules": rules, "usr/lib/udev/rules.d/10-vfio.rules": rules}) == [
        by(GPU, "udev", "probe"),
        by(AUDIO, "udev", "probe"),
        (None, "10de:2203", "vfio-pci", "udev", "probe"),
    ]


def test_stores_of_tools() -> None:
    assert told({"etc/driverctl.d/pci-0000:01:00.0": "vfio-pci\n", "etc/driverctl.d/README": "x y"}) == [
        by(GPU, "driverctl", "probe")
    ]
    unraid = told({"boot/config/vfio-pci.cfg": "BIND=0000:01:00.0|10DE:1b80 0000:01:00.1|10de:10f0\n"})
    assert unraid[0] == (GPU, "10de:1b80", "vfio-pci", "unraid", "late")
    assert len(unraid) == 2


def test_what_the_tools_print() -> None:
    found = overrides({
        "cmd/dpdk-devbind": "Network devices using kernel driver\n===\n"
        "0000:04:00.0 'I350 Gigabit 1521' if=em0 drv=igb unused=igb_uio,vfio-pci *Active*\n"
        "0000:05:00.0 'I350 Gigabit 1521' unused=igb,vfio-pci\n",
        "cmd/driverctl": "0000:01:00.0 vfio-pci [*] (GA102)\n0000:02:00.0 nvme (SSD)\n",
    })  # fmt: skip
    assert [(one.address, one.driver, one.active) for one in found.dpdk] == [
        ("0000:04:00.0", "igb", True),
        ("0000:05:00.0", None, False),
    ]
    assert found.dpdk[0].fitting == ("igb_uio", "vfio-pci")
    assert found.driverctl.value == {GPU: "vfio-pci"}


def test_a_pasted_script_stays_one() -> None:
    paste = (
        "sudo nano /etc/initramfs-tools/scripts/init-top/vfio.sh\n"
        "#!/bin/sh\n"
        f'echo "vfio-pci" > {VFIO.format(GPU)}\n'
        f'#echo "{GPU}" > /sys/bus/pci/drivers/vfio-pci/bind\n'
        f'echo "vfio-pci" > {VFIO.format(AUDIO)}\n'
        "exit 0\n"
        "sudo update-initramfs -u -k all\n"
    )
    found = read(open_paste(paste.encode(), "p"))
    assert [(one.address, one.when, one.source.line) for one in found.configured] == [
        (GPU, "initramfs", 3),
        (AUDIO, "initramfs", 5),
    ]


def test_the_shell_says_what_it_does_not_know() -> None:
    steps = list(follow("A=$(lspci)\necho x > $A\necho $A > /y\nrun $A b", {}))
    assert steps == [Write("x", None, 1), Write(None, "/y", 2), Call(("run", None, "b"), 3)]
    assert list(follow('echo "open > /x\necho a > /y', {}))[-1] == Write("a", "/y", 1)
