"""States of kernel modules from hand-made evidence."""

from __future__ import annotations

import pytest

from doctor.evidence.types import Evidence, Piece
from doctor.facts.fact import UNKNOWN, Fact
from doctor.facts.messages import Log
from doctor.facts.modules import Modules, read

DEP = "lib/modules/6.8.0/modules.dep"
BUILTIN = "lib/modules/6.8.0/modules.builtin"


def modules(pieces: dict[str, str], release: str | None = None) -> Modules:
    evidence = Evidence("directory", "d", [Piece(path, text, path) for path, text in pieces.items()])
    return read(evidence, [], Log(evidence, []), release=None if release is None else Fact(release))


@pytest.mark.parametrize(
    ("pieces", "state"),
    [
        ({DEP: "kernel/drivers/vfio/pci/vfio-pci.ko.zst: kernel/drivers/vfio/vfio.ko.zst"}, "loadable"),
        ({DEP: "kernel/drivers/vfio/pci/vfio-pci.ko: x", "sys/module/": "vfio_pci\nkvm"}, "loaded"),
        ({DEP: "kernel/drivers/vfio/pci/vfio-pci.ko: x", "cmd/lsmod": "vfio_pci 16384 0"}, "loaded"),
        ({BUILTIN: "kernel/drivers/vfio/pci/vfio-pci.ko", "sys/module/": "vfio_pci"}, "built-in"),
        ({"cmd/modinfo": "name:           vfio_pci\nfilename:       (builtin)\nname: vfio_pci"}, "built-in"),
        ({"cmd/modinfo": "filename:       /lib/modules/6.8/kernel/drivers/vfio/pci/vfio-pci.ko"}, "loadable"),
        ({"cmd/modinfo": "modinfo: ERROR: Module vfio-pci not found."}, "missing"),
        ({"proc/modules": "kvm 1 0 - Live 0x0"}, None),
        ({}, UNKNOWN),
    ],
)
def test_states(pieces: dict[str, str], state: object) -> None:
    value = modules(pieces).lookup("vfio-pci").value
    assert value is state or value == state


def test_only_the_running_kernels_files_count() -> None:
    pieces = {"lib/modules/5.15/modules.builtin": "kernel/vfio-pci.ko", DEP: "kernel/vfio-pci.ko: x"}
    assert modules(pieces, "6.8.0").lookup("vfio_pci").value == "loadable"
    assert modules(pieces).lookup("vfio_pci").value == "built-in"


def test_what_needs_a_module_proves_it() -> None:
    found = modules({DEP: "kernel/drivers/vfio/vfio.ko: x", "cmd/lsmod": "vfio_pci 16384 0"})
    assert found.lookup("vfio").value == "loaded"
