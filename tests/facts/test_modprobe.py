"""Module configuration from hand-made evidence."""

from __future__ import annotations

from doctor.evidence.types import Evidence, Piece
from doctor.facts.fact import Fact, unknown
from doctor.facts.modprobe import Modprobe, ids, parse_id, read


def modprobe(pieces: dict[str, str], complete: bool = False) -> Modprobe:
    return read(Evidence("directory", "d", [Piece(p, t, p) for p, t in pieces.items()], complete=complete))


def test_the_later_file_wins_and_a_same_name_hides() -> None:
    found = modprobe({
        "usr/lib/modprobe.d/vfio.conf": "options vfio-pci ids=dead:beef\n",
        "lib/modprobe.d/zz.conf": "options vfio_pci disable_vga=1\n",
        "etc/modprobe.d/vfio.conf": "# x\noptions vfio-pci ids=10de:2203 disable_vga=0\n",
    })  # fmt: skip
    assert found.option("vfio_pci", "ids").value == "10de:2203"
    assert found.option("vfio_pci", "disable-vga").value == "1"
    assert [entry.source.path for entry in found.hidden] == ["usr/lib/modprobe.d/vfio.conf"]
    assert found.option("vfio-pci", "ids").sources[0][:3] == (
        "etc/modprobe.d/vfio.conf",
        "etc/modprobe.d/vfio.conf",
        2,
    )


def test_kinds() -> None:
    found = modprobe({
        "etc/modprobe.d/a.conf": "blacklist nouveau\nsoftdep nvidia pre: vfio-pci drm post: x\n"
        "install vfio-pci /bin/true\nalias foo-* vfio_pci\nnonsense\n",
    })  # fmt: skip
    assert found.blacklisted("nouveau").value is True
    assert not found.blacklisted("nvidia").known
    assert found.softdeps("nvidia") == ("vfio_pci", "drm")
    assert found.of("install", "vfio_pci")[0].words == ("/bin/true",)
    assert found.of("alias", "vfio-pci")[0].words == ("foo-*",)


def test_what_is_missing_is_unknown_unless_the_folder_was_listed() -> None:
    assert modprobe({}).option("vfio-pci", "ids").wanted == ("etc/modprobe.d/",)
    assert modprobe({"etc/modprobe.d/": "a.conf"}).option("vfio-pci", "ids").value is None
    assert modprobe({}, complete=True).blacklisted("nouveau").value is False


def test_lists_of_modules() -> None:
    found = modprobe({
        "etc/modules": "# c\nvfio\nvfio_virqfd\n",
        "etc/modules-load.d/modules.conf": "# c\nvfio\nvfio_virqfd\n",
        "etc/modules-load.d/x.conf": "; c\nvfio-pci\n",
        "etc/initramfs-tools/modules": "vfio_pci ids=10de:1\n",
        "etc/mkinitcpio.conf": "#MODULES=(x)\nMODULES=(vfio_pci i915)\n",
        "etc/dracut.conf.d/v.conf": 'force_drivers+=" vfio_pci vfio "\n',
    })  # fmt: skip
    where = [(load.module, load.when, load.source.path, load.at) for load in found.loads]
    assert where == [
        ("vfio", "boot", "etc/modules", 1),
        ("vfio_virqfd", "boot", "etc/modules", 2),
        ("vfio_pci", "initramfs", "etc/initramfs-tools/modules", 0),
        ("vfio_pci", "boot", "etc/modules-load.d/x.conf", 1),
        ("vfio_pci", "initramfs", "etc/mkinitcpio.conf", 1),
        ("i915", "initramfs", "etc/mkinitcpio.conf", 1),
        ("vfio_pci", "initramfs", "etc/dracut.conf.d/v.conf", 0),
        ("vfio", "initramfs", "etc/dracut.conf.d/v.conf", 0),
    ]


def test_ids_of_the_command_line_replace_those_of_modprobe() -> None:
    found = modprobe({"etc/modprobe.d/v.conf": "options vfio-pci ids=10de:2203,10DE:1AEF:ffffffff\n"}, complete=True)
    assert [one.text for one in ids(found, ()).value] == ["10de:2203", "10de:1aef:ffffffff"]
    words = ["vfio-pci.ids=1002:1", "quiet", "vfio_pci.ids=1002:67df,bad,1002:aaf0"]
    assert [one.text for one in ids(found, words).value] == ["1002:67df", "1002:aaf0"]
    assert ids(found, (), builtin=True).value == ()
    assert ids(found, (), driver="pci-stub").value == ()
    assert ids(found, unknown("proc/cmdline")).weak


def test_ids_unknown() -> None:
    assert ids(modprobe({}), Fact(("quiet",))).wanted == ("etc/modprobe.d/",)
    assert ids(modprobe({}), unknown("proc/cmdline")).wanted == ("etc/modprobe.d/", "proc/cmdline")


def test_malformed_ids() -> None:
    assert parse_id("10de") is None
    assert parse_id("10de:") is None
    assert parse_id("10de:2203:1:2:3:4:5") is None
    assert parse_id("１0de:2203") is None


def test_quoted_options() -> None:
    found = modprobe({"etc/modprobe.d/v.conf": 'options vfio-pci ids="10de:2203,10de:1aef" disable_vga\n'})
    assert found.option("vfio-pci", "ids").value == "10de:2203,10de:1aef"
    assert found.option("vfio-pci", "disable_vga").value is True
    assert [one.text for one in ids(found, ()).value] == ["10de:2203", "10de:1aef"]


def test_a_comment_that_is_continued_hides_the_next_line() -> None:
    assert not modprobe({"etc/modprobe.d/v.conf": "# note \\\noptions vfio-pci ids=1:2\n"}).entries


def test_install_lines_that_put_nothing_in_a_modules_place() -> None:
    found = modprobe(
        {"etc/modprobe.d/a.conf": "install vfio-pci /bin/false\ninstall nouveau modprobe x\n"}, complete=True
    )
    assert found.blocked("vfio_pci").value is True
    assert found.blocked("vfio_pci").sources[0].line == 1
    assert found.blocked("nouveau").value is False
    assert found.blocked("nvidia").value is False
    assert not modprobe({}).blocked("vfio_pci").known


def test_files_that_modprobe_passes_over() -> None:
    found = modprobe({
        "etc/modprobe.d/": "vfio\nvfio.conf\nold.conf.bak\nREADME\nx.conf~\ny.conf.dpkg-old\n",
        "etc/modprobe.d/vfio.conf": "options vfio-pci ids=1:2",
        "etc/modprobe.d/gpu.conf.txt": "blacklist nouveau",
    })  # fmt: skip
    assert [source.text for source in found.unread] == ["etc/modprobe.d/vfio", "etc/modprobe.d/gpu.conf.txt"]
    assert found.unread.complete
    assert not found.of("blacklist")
