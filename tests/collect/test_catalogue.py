"""The catalogue is consistent, harmless, and cheap to import."""

import subprocess
import sys
from pathlib import Path

import pytest

from doctor.collect import catalogue
from doctor.collect.catalogue import ITEMS, NEVER, ask_for, fits, item_for

CHECKOUT = Path(catalogue.__file__).parents[2]


def test_paths_are_unique_and_relative() -> None:
    paths = [item.path for item in ITEMS]
    assert len(paths) == len(set(paths))
    assert not [path for path in paths if path.startswith("/") or ".." in path]


def test_nothing_that_acts_when_read() -> None:
    for item in ITEMS:
        name = item.path.rpartition("/")[2]
        assert name not in NEVER, item.path
        assert not (name.startswith("resource") and name != "resource"), item.path
        assert not (item.path.startswith("sys/bus/") and item.how == "file" and "*" in name), item.path


def test_every_item_says_how_to_ask_and_is_bounded() -> None:
    for item in ITEMS:
        assert item.ask and "\n" not in item.ask
        assert item.how in ("file", "link", "listing", "command", "exists")
        assert (item.how == "command") == bool(item.argv) == item.path.startswith("cmd/")
        assert (item.how == "listing") == item.path.endswith("/")
        assert item.limit <= 8 << 20


@pytest.mark.parametrize(
    ("path", "ask"),
    [
        ("proc/cmdline", "cat /proc/cmdline"),
        ("sys/bus/pci/devices/0000:01:00.0/vendor", "lspci -nnk"),
        ("sys/bus/pci/devices/", "lspci -nnk"),
        ("sys/bus/pci/devices", "lspci -nnk"),
        ("sys/kernel/iommu_groups/3/devices/", "find /sys/kernel/iommu_groups/ -type l"),
        ("sys/kernel/iommu_groups/3/devices/0000:01:00.0", "find /sys/kernel/iommu_groups/ -type l"),
        ("cmd/dmesg", "dmesg"),
        ("etc/modprobe.d/vfio.conf", "grep -Hs . /etc/modprobe.d/*.conf"),
        ("boot/grub/grub.cfg", "grep linux /boot/grub/grub.cfg"),
        ("etc/shadow", None),
        ("", None),
    ],
)
def test_ask_for(path: str, ask: object) -> None:
    assert ask_for(path) == ask


def test_running_release_stands_for_any() -> None:
    item = item_for("boot/config-6.8.12-1-pve")
    assert item is not None and item.keep and "$(uname -r)" in item.ask


def test_fits_is_linear() -> None:
    assert not fits("*a" * 40 + "b", "a" * 20000)
    assert fits("a*", "a") and not fits("a*a", "a")


def test_catalogue_imports_nothing_heavy() -> None:
    def loaded(statement: str) -> set[str]:
        code = statement + "\nimport sys; print(*sorted(sys.modules))"
        return set(
            subprocess.run([sys.executable, "-c", code], cwd=str(CHECKOUT), check=True, stdout=-1)
            .stdout.decode()
            .split()
        )

    more = loaded("import doctor.collect.catalogue") - loaded("import __future__, types, _collections")
    assert more <= {
        *("doctor", "doctor.record"),
        *("doctor.collect", "doctor.collect.catalogue", "doctor.collect.item", "doctor.collect.record"),
    }
