"""What the initramfs is told to hold and what it holds; from hand-made evidence."""

from __future__ import annotations

from doctor.evidence.types import CUT, FILTERED, Evidence, Piece
from doctor.facts.fact import UNKNOWN
from doctor.facts.initramfs import Initramfs, read
from doctor.facts.modprobe import read as modprobe

KO = "usr/lib/modules/6.8.12-1-pve/kernel/drivers/vfio/pci/vfio-pci.ko"


def initramfs(pieces: dict[str, str], complete: bool = False) -> Initramfs:
    made = [Piece(path, text, path) for path, text in pieces.items()]
    return read(Evidence("directory", "d", made, complete=complete))


def test_dracut_adds_forces_and_omits() -> None:
    found = initramfs({
        "etc/dracut.conf": 'add_drivers+=" nvme "\n',
        "etc/dracut.conf.d/vfio.conf": '# force_drivers+=" no "\nforce_drivers+=" vfio_pci\n vfio "\n'
        'omit_drivers+=" nouveau "',
    })  # fmt: skip
    assert found.early.value == ("vfio_pci", "vfio")
    assert found.included.value == ("nvme",)
    assert found.omitted.value == ("nouveau",)
    assert (found.tool.value, found.tool.weak) == ("dracut", True)
    assert found.early.sources[1].line == 3


def test_dracuts_strings_glue_without_blanks() -> None:
    found = initramfs({
        "etc/dracut.conf.d/a.conf": 'force_drivers+=" vfio"\n',
        "etc/dracut.conf.d/b.conf": 'force_drivers+="vfio_pci"\nforce_drivers+=" kvm"',
    })  # fmt: skip
    assert [value.text for value in found.glued] == ["vfiovfio_pci"]
    assert found.early.value == ("vfiovfio_pci", "kvm")
    replaced = initramfs({"etc/dracut.conf.d/a.conf": 'force_drivers+=" a "\nforce_drivers="b"\n'})
    assert replaced.early.value == ("b",)


def test_add_drivers_loads_nothing() -> None:
    loads = modprobe(Evidence("d", "d", [Piece("etc/dracut.conf.d/a.conf", 'add_drivers+=" vfio_pci "')]))
    assert [(load.module, load.when) for load in loads.loads] == [("vfio_pci", "included")]


def test_mkinitcpios_arrays() -> None:
    found = initramfs({
        "etc/mkinitcpio.conf": "#MODULES=(no)\nMODULES=(\n  vfio_pci # the card\n  'vfio'\n)\n"
        "HOOKS=(base udev kms modconf)\n",
        "etc/mkinitcpio.conf.d/a.conf": "MODULES+=(vfio_iommu_type1)\n",
    })  # fmt: skip
    assert found.early.value == ("vfio_pci", "vfio", "vfio_iommu_type1")
    assert [source.line for source in found.early.sources] == [3, 4, 1]
    assert found.hooks.value.index("kms") < found.hooks.value.index("modconf")
    later = initramfs({"etc/mkinitcpio.conf": "MODULES=(a)", "etc/mkinitcpio.conf.d/b.conf": 'MODULES="b c"'})
    assert later.early.value == ("b", "c")
    assert later.tool.value == "mkinitcpio"


def test_an_array_that_never_ends_takes_its_own_line() -> None:
    found = initramfs({"etc/mkinitcpio.conf": "MODULES=(vfio_pci\nHOOKS=(base)\n"})
    assert found.early.value == ("vfio_pci",)
    assert found.hooks.value == ("base",)


def test_initramfs_tools() -> None:
    found = initramfs({
        "etc/kernel/postinst.d/initramfs-tools": "",
        "etc/initramfs-tools/modules": "# x\nvfio\nvfio_pci ids=10de:2203\n",
        "etc/initramfs-tools/initramfs.conf": "MODULES=most\n",
        "etc/initramfs-tools/conf.d/driver-policy": "MODULES=dep # small\n",
    })  # fmt: skip
    assert (found.tool.value, found.tool.weak) == ("initramfs-tools", False)
    assert found.early.value == ("vfio", "vfio_pci")
    assert found.policy.value == "dep"


def test_the_command_lines_words() -> None:
    source = Piece("proc/cmdline", "x", "c").cite(0)
    found = read(Evidence("d", "d", []), ("rd.driver.pre=vfio-pci,vfio", "rd.driver.blacklist=nouveau"), source)
    assert found.early.value == ("vfio_pci", "vfio")
    assert found.omitted.value == ("nouveau",)


def test_what_lacks_is_unknown_unless_all_was_collected() -> None:
    assert not initramfs({}).early.known
    assert initramfs({}, complete=True).early.value == ()
    assert not initramfs({}).tool.known


def test_listings() -> None:
    long = f"-rw-r--r--   1 root  root  81744 Jan  1  1970 {KO}.zst"
    for path, text in (("cmd/lsinitramfs", KO), ("cmd/lsinitrd", long), ("cmd/lsinitcpio", "/" + KO + ".xz")):
        image = initramfs({path: text + "\netc/modprobe.d/vfio.conf"}).image
        assert image.has("vfio_pci").value is True
        assert image.has("nouveau").value is False
        assert image.modules.value == ("vfio_pci",)
        assert image.configuration.value == ("etc/modprobe.d/vfio.conf",)


def test_a_filtered_listing_tells_of_its_words_only() -> None:
    piece = Piece("cmd/lsinitramfs", KO, "l", state=FILTERED, terms=("vfio",))
    image = read(Evidence("paste", "p", [piece])).image
    assert image.has("vfio").value is False
    assert image.has("nouveau").value is UNKNOWN
    assert not image.modules.value.complete
    cut = read(Evidence("paste", "p", [piece._replace(state=CUT)])).image
    assert cut.has("vfio").value is UNKNOWN
