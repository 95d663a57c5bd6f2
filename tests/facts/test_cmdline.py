"""The command line by the kernel's own rules, and slips of the finger without false alarms."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.evidence.types import Evidence, Piece, Source
from doctor.facts.cmdline import Cmdline, running, slip, split
from doctor.facts.fact import Fact, unknown
from doctor.knowledge.store import load

SOURCE = Source("proc/cmdline", "paste.txt", 3, "…")
# Parameters that real machines have and that are nobody's slip of the finger.
INNOCUOUS = [
    "BOOT_IMAGE=/boot/vmlinuz-6.8.12-1-pve",
    "root=UUID=0a-1b",
    "ro",
    "rw",
    "quiet",
    "splash",
    "nosplash",
    "rhgb",
    "initrd=\\initrd.img",
    "console=tty0",
    "console=ttyS0,115200n8",
    "loglevel=3",
    "crashkernel=1G-4G:192M",
    "selinux=0",
    "enforcing=0",
    "apparmor=1",
    "security=apparmor",
    "boot=zfs",
    "root=ZFS=rpool/ROOT/pve-1",
    "rootflags=subvol=@",
    "rootfstype=ext4",
    "rootdelay=10",
    "rootwait",
    "resume=UUID=1",
    "noresume",
    "resume_offset=1234",
    "rd.lvm.lv=fedora/root",
    "rd.luks.uuid=luks-1",
    "rd.md.uuid=1",
    "cryptdevice=UUID=1:root",
    "net.ifnames=0",
    "biosdevname=0",
    "systemd.unified_cgroup_hierarchy=0",
    "systemd.show_status=auto",
    "cgroup_enable=memory",
    "swapaccount=1",
    "zswap.enabled=1",
    "transparent_hugepage=never",
    "hugepagesz=1G",
    "hugepages=16",
    "default_hugepagesz=1G",
    "isolcpus=2-5",
    "nohz_full=2-5",
    "rcu_nocbs=2-5",
    "rcu_nocb_poll",
    "irqaffinity=0-1",
    "intel_idle.max_cstate=1",
    "processor.max_cstate=5",
    "intel_pstate=disable",
    "intel_pstate=passive",
    "amd_pstate=active",
    "amd_pstate=guided",
    "amd_pstate.shared_mem=1",
    "cpufreq.default_governor=performance",
    "mitigations=off",
    "spectre_v2=off",
    "pti=off",
    "nopti",
    "kpti=0",
    "l1tf=off",
    "mds=off",
    "tsx=on",
    "tsc=reliable",
    "clocksource=tsc",
    "nowatchdog",
    "nmi_watchdog=0",
    "watchdog_thresh=0",
    "panic=10",
    "oops=panic",
    "acpi=force",
    "acpi_osi=Linux",
    "acpi_osi=!",
    "acpi_backlight=vendor",
    "acpi_enforce_resources=lax",
    "pci=noaer",
    "pci=realloc",
    "pci=assign-busses",
    "pci=nomsi",
    "pcie_aspm=off",
    "pcie_aspm.policy=performance",
    "pcie_port_pm=off",
    "pcie_ports=native",
    "pcie_bus_perf",
    "nvme_core.default_ps_max_latency_us=0",
    "nvme.noacpi=1",
    "libata.force=noncq",
    "libata.noacpi=1",
    "usbcore.autosuspend=-1",
    "usb-storage.quirks=152d:0578:u",
    "btusb.enable_autosuspend=n",
    "i8042.reset",
    "snd_hda_intel.dmic_detect=0",
    "i915.enable_guc=3",
    "i915.enable_gvt=1",
    "i915.max_vfs=7",
    "i915.modeset=1",
    "i915.force_probe=4680",
    "xe.force_probe=a780",
    "xe.max_vfs=7",
    "amdgpu.ppfeaturemask=0xffffffff",
    "amdgpu.sg_display=0",
    "amdgpu.dc=1",
    "radeon.si_support=0",
    "nouveau.modeset=0",
    "nvidia-drm.modeset=1",
    "nvidia_drm.fbdev=1",
    "nvidia.NVreg_EnableGpuFirmware=0",
    "nomodeset",
    "nofb",
    "video=HDMI-A-1:1920x1080@60",
    "video=simplefb:off",
    "vga=791",
    "fbcon=map:1",
    "efi=runtime",
    "efi=disable_early_pci_dma",
    "noefi",
    "add_efi_memmap",
    "memmap=12M$20M",
    "mem=64G",
    "memtest=1",
    "memhp_default_state=online",
    "mce=off",
    "edac_core.check_pci_errors=0",
    "kvm.nx_huge_pages=force",
    "kvm_intel.nested=1",
    "kvm-amd.nested=1",
    "kvm_intel.ept=1",
    "kvm.halt_poll_ns=0",
    "intel_iommu=on",
    "intel_iommu=on,sm_on",
    "intel_iommu=off",
    "intel_iommu=igfx_off",
    "iommu=pt",
    "iommu=force",
    "iommu=soft",
    "iommu.passthrough=1",
    "iommu.strict=0",
    "amd_iommu=on",
    "amd_iommu=off",
    "amd_iommu=pgtbl_v2",
    "amd_iommu_dump=1",
    "intremap=no_x2apic_optout",
    "intremap=nosid",
    "nox2apic",
    "vfio-pci.ids=10de:2484,10de:228b",
    "vfio_pci.ids=10de:2484",
    "vfio-pci.disable_vga=1",
    "vfio_pci.disable_idle_d3=1",
    "vfio_iommu_type1.allow_unsafe_interrupts=1",
    "pci-stub.ids=10de:1",
    "pcie_acs_override=downstream,multifunction",
    "pcie_acs_override=id:8086:a340",
    "rd.driver.pre=vfio-pci",
    "rd.driver.blacklist=nouveau",
    "modprobe.blacklist=nouveau",
    "module_blacklist=nouveau",
    "initcall_blacklist=sysfb_init",
    "kvm.ignore_msrs=1",
    "kvm.report_ignored_msrs=0",
    "split_lock_detect=off",
    "random.trust_cpu=on",
    "fips=1",
    "audit=0",
    "ipv6.disable=1",
    "lsm=landlock,lockdown",
    "lockdown=integrity",
    "threadirqs",
    "preempt=full",
    "skew_tick=1",
    "nosmt",
    "numa_balancing=disable",
    "numa=off",
    "nokaslr",
    "consoleblank=60",
    "printk.devkmsg=on",
    "earlyprintk=vga",
    "debug",
    "usbhid.quirks=0x0:0x0:0x4",
    "thunderbolt.start_icl=1",
    "dis_ucode_ldr",
    "ibt=off",
    "noibrs",
    "noibpb",
    "no_stf_barrier",
    "ivrs_ioapic[32]=00:14.0",
    "ivrs_hpet[0]=00:14.0",
    "zfs.zfs_arc_max=8589934592",
    "nfs.nfs4_disable_idmapping=Y",
    "ds=nocloud-net",
    "autoinstall",
    "toram",
    "single",
    "3",
    "-s",
    "vfio",
    "vfs",
    "video=efifb:off",
    "drm.edid_firmware=edid/x.bin",
    "page_alloc.shuffle=1",
    "slab_nomerge",
    "init_on_alloc=1",
    "vsyscall=none",
    "lapic",
    "noapic",
    "nolapic",
    "apic=verbose",
    "hpet=disable",
    "nohpet",
    "idle=nomwait",
    "idle=poll",
    "cstate=1",
    "reboot=pci",
    "nowayland",
    "pm_async=off",
]


@pytest.fixture(scope="module")
def parameters() -> dict[str, Any]:
    data: dict[str, Any] = load()["parameters"]
    return data


def line(text: str, parameters: dict[str, Any]) -> Cmdline:
    return Cmdline(Fact(tuple(split(text, SOURCE)), (SOURCE,)), parameters, lambda: Fact((5, 15)))


def effect(text: str, name: str, parameters: dict[str, Any]) -> tuple[str, ...]:
    return tuple(line(text, parameters).lookup(name).value)


@pytest.mark.parametrize(
    ("text", "name", "exact"),
    [
        ("iommu=pt,off,memaper", "disables_dma", "iommu=off"),
        ("intel-iommu=sm_on,official", "disables_dma_intel", "intel-iommu=official"),
        ("video=efifb:off,vesafb:off", "hides_framebuffer", "video=efifb:off,vesafb:off"),
        ("nointremap", "disables_remapping", "nointremap"),
        ("module_blacklist=nouveau,vfio", "refuses_vfio", "module_blacklist=vfio"),
    ],
)
def test_the_option_alone_that_has_an_effect(text: str, name: str, exact: str, parameters: dict[str, Any]) -> None:
    assert effect(text, name, parameters) == (text,)
    assert effect(text, name + "_options", parameters) == (exact,)


@pytest.mark.parametrize("text", ["iommu=soft", "swiotlb=force", "iommu=soft swiotlb=force"])
@pytest.mark.parametrize("name", ["disables_dma", "disables_remapping_amd"])
def test_what_an_option_does_up_to_a_version(text: str, name: str, parameters: dict[str, Any]) -> None:
    def of(kernel: Fact, more: str = "") -> Fact:
        words = Fact(tuple(split(text + more, SOURCE)), (SOURCE,))
        found = Cmdline(words, parameters, lambda: kernel).lookup(name)
        assert isinstance(found, Fact)
        return found

    seen = Source("cmd/uname-a", "uname.txt", 1, "Linux h 5.15.0")
    old = of(Fact((5, 15), (seen,)))
    assert (tuple(old.value), old.sources) == (tuple(text.split()), (SOURCE, seen))
    assert (tuple(of(Fact((5, 16))).value), tuple(of(Fact((6, 1))).value)) == ((), ())
    assert of(unknown("cmd/uname-a")) == unknown("cmd/uname-a")
    assert of(Fact((5, 4), weak=True)).weak
    # What does not hang on the version settles it without.
    assert tuple(of(unknown("cmd/uname-a"), " iommu=off").value) == ("iommu=off",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  a   b=1 ", [("a", None), ("b", "1")]),
        ('a="x y" b', [("a", "x y"), ("b", None)]),
        ('"a=x y" b', [("a", "x y"), ("b", None)]),
        ("a='x y'", [("a", "'x"), ("y'", None)]),
        ("intel-iommu=on", [("intel_iommu", "on")]),
        ("vfio-pci.ids=10de:1", [("vfio_pci.ids", "10de:1")]),
        ("iommu=a-b", [("iommu", "a-b")]),
        ("a=b=c", [("a", "b=c")]),
        ("a=", [("a", "")]),
        ('a="unclosed b', [("a", "unclosed b")]),
        ("a\tb\nc", [("a", None), ("b", None), ("c", None)]),
    ],
)
def test_words(text: str, expected: list[tuple[str, str | None]]) -> None:
    assert [(word.name, word.value) for word in split(text)] == expected


def test_what_stands_after_two_dashes_is_not_the_kernels(parameters: dict[str, Any]) -> None:
    assert [(word.name, word.ignored) for word in split("a -- b")] == [("a", False), ("b", True)]
    late = line("quiet -- intel_iommu=on", parameters)
    assert not late.lookup("enables_intel").value
    assert late.lookup("intel_iommu").value is None
    assert tuple(late.lookup("ignored").value) == ("intel_iommu=on",)
    assert tuple(line("quiet -- splash", parameters).lookup("ignored").value) == ()


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("intel_iommu=on intel_iommu=off", "enables_intel", ()),
        ("intel_iommu=on intel_iommu=off", "disables_dma_intel", ("intel_iommu=off",)),
        ("intel_iommu=off intel-iommu=on", "disables_dma_intel", ()),
        ("intel_iommu=off intel-iommu=on", "enables_intel", ("intel-iommu=on",)),
        ("intel_iommu=on,igfx_off", "enables_intel", ("intel_iommu=on,igfx_off",)),
        ("intel_iommu=on,igfx_off", "igfx_off", ("intel_iommu=on,igfx_off",)),
        ("intel_iommu=on,off", "enables_intel", ()),
        ("intel_iommu=official", "disables_dma_intel", ("intel_iommu=official",)),
        ("intel_iommu=On", "enables_intel", ()),
        ("intel_iommu", "enables_intel", ()),
        ("iommu=off iommu=pt", "disables_dma", ("iommu=off",)),
        ("iommu=off iommu=pt", "passthrough", ("iommu=pt",)),
        ("iommu=pt iommu=nopt", "passthrough", ()),
        ("iommu=pt iommu=nopt", "translated", ("iommu=nopt",)),
        ("iommu=pt iommu.passthrough=0", "passthrough", ()),
        ("iommu.passthrough=Y", "passthrough", ("iommu.passthrough=Y",)),
        ("iommu=soft", "disables_dma", ("iommu=soft",)),
        ("swiotlb=force", "disables_dma", ("swiotlb=force",)),
        ("swiotlb=65536,force", "disables_dma", ("swiotlb=65536,force",)),
        ("swiotlb=noforce", "disables_dma", ()),
        ("amd_iommu=off", "disables_dma_amd", ("amd_iommu=off",)),
        ("amd_iommu=off", "disables_remapping_amd", ("amd_iommu=off",)),
        ("amd_iommu=on", "disables_dma_amd", ()),
        ("nointremap", "disables_remapping", ("nointremap",)),
        ("intremap=off intremap=on", "disables_remapping", ()),
        ("intremap=nosid", "weakens_remapping", ("intremap=nosid",)),
        ("pcie_acs_override=downstream", "acs_override", ("pcie_acs_override=downstream",)),
        ("pcie_acs_override=downsteam", "acs_override", ()),
        (
            "vfio_iommu_type1.allow_unsafe_interrupts=1",
            "unsafe_interrupts",
            ("vfio_iommu_type1.allow_unsafe_interrupts=1",),
        ),
        (
            "vfio-iommu-type1.allow-unsafe-interrupts=Y",
            "unsafe_interrupts",
            ("vfio-iommu-type1.allow-unsafe-interrupts=Y",),
        ),
        ("vfio_iommu_type1.allow_unsafe_interrupts=0", "unsafe_interrupts", ()),
        ("kvm.ignore_msrs=1 kvm.ignore_msrs=0", "ignores_msrs", ()),
        pytest.param("iommu.passthrough=on", "passthrough", ("iommu.passthrough=on",)),
        pytest.param(
            "vfio_iommu_type1.allow_unsafe_interrupts",
            "unsafe_interrupts",
            ("vfio_iommu_type1.allow_unsafe_interrupts",),
        ),
    ],
)
def test_effects(text: str, name: str, expected: tuple[str, ...], parameters: dict[str, Any]) -> None:
    assert effect(text, name, parameters) == expected


def test_the_last_value_counts_and_its_line_is_cited(parameters: dict[str, Any]) -> None:
    found = line("video=a video=b", parameters).lookup("video")
    assert (found.value, found.sources) == ("b", (SOURCE,))
    absent = line("quiet", parameters).lookup("intel_iommu")
    assert (absent.value, absent.sources) == (None, (SOURCE,))


def test_an_unknown_command_line_stays_unknown(parameters: dict[str, Any]) -> None:
    nothing = Cmdline(unknown("proc/cmdline"), parameters)
    for name in ("enables_intel", "intel_iommu", "typos", "useless", "text"):
        assert nothing.lookup(name).wanted == ("proc/cmdline",)
    assert nothing.lookup("known").value is False


@pytest.mark.parametrize(
    "word",
    [pytest.param(word) if word == "nolapic" else word for word in sorted(set(INNOCUOUS))],
)
def test_no_innocuous_parameter_is_called_a_slip(word: str, parameters: dict[str, Any]) -> None:
    assert [str(found) for found in line(word, parameters).lookup("typos").value] == []


def test_the_list_of_innocuous_parameters_is_long() -> None:
    assert len(set(INNOCUOUS)) > 150


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("intel_iomu=on", "intel_iommu=on"),
        ("intel_iommmu=on", "intel_iommu=on"),
        ("intel_immou=on", None),
        ("intel_iomum=on", "intel_iommu=on"),
        ("inte_iommu=on", "intel_iommu=on"),
        ("intel-iomu=on", "intel_iommu=on"),
        ("amd_iomu=on", "amd_iommu=on"),
        ("vfio-pci-ids=10de:1", "vfio_pci.ids=10de:1"),
        ("vfio_pci.id=10de:1", "vfio_pci.ids=10de:1"),
        ("pcie_acs_overide=downstream", "pcie_acs_override=downstream"),
        ("pcie_acs_override=downstream,multifunctiom", "pcie_acs_override=downstream,multifunction"),
        ("pcie_acs_override=downsteam", "pcie_acs_override=downstream"),
        ("intel_iommu=On", "intel_iommu=on"),
        ("Intel_iommu=on", "intel_iommu=on"),
        ("modprobe.blacklst=nouveau", "modprobe.blacklist=nouveau"),
    ],
)
def test_slips(word: str, meant: str | None, parameters: dict[str, Any]) -> None:
    found = list(line(word, parameters).lookup("typos").value)
    assert [slip.given for slip in found] == ([] if meant is None else [word])
    assert [slip.meant for slip in found] == ([] if meant is None else [meant])


@pytest.mark.parametrize(
    ("given", "meant", "near"),
    [
        ("abcd", "abcd", False),
        ("abcd", "abd", True),
        ("abd", "abcd", True),
        ("abcd", "abxd", True),
        ("abcd", "abdc", True),
        ("abcd", "dcba", False),
        ("ab", "abcd", False),
        ("", "a", True),
        ("abcd", "badc", False),
        ("abcde", "acbde", True),
    ],
)
def test_one_slip(given: str, meant: str, near: bool) -> None:
    assert slip(given, meant) is near
    assert slip(meant, given) is near


@pytest.mark.parametrize(
    ("word", "useless"),
    [
        ("amd_iommu=on", True),
        ("amd_iommu=pt", True),
        ("iommu=on", True),
        ("video=vesafb:off", True),
        ("disable_vga=1", True),
        ("amd_iommu=fullflush", False),
        ("amd_iommu=off", False),
        ("iommu=pt", False),
        ("intel_iommu=on", False),
        ("video=HDMI-A-1:1080p", False),
    ],
)
def test_useless(word: str, useless: bool, parameters: dict[str, Any]) -> None:
    assert [note.given for note in line(word, parameters).lookup("useless").value] == [word] * useless


def test_the_later_proc_cmdline_is_what_runs() -> None:
    pieces = [Piece("proc/cmdline", f"root=/dev/sda1 run={n}", "p", n) for n in (1, 5)]
    found = running(Evidence("paste", "p", pieces), [("quiet from=log", SOURCE)])
    assert [word.raw for word in found.value] == ["root=/dev/sda1", "run=5"]
    assert found.sources[0].line == 5


def test_the_log_tells_where_proc_cmdline_does_not() -> None:
    assert [word.raw for word in running(Evidence("paste", "p", []), [("a b=1", SOURCE)]).value] == [
        "a",
        "b=1",
    ]
    assert not running(Evidence("paste", "p", []), []).known


def test_a_filtered_proc_cmdline_is_no_command_line() -> None:
    piece = Piece(
        "proc/cmdline",
        "intel_iommu=on",
        "p",
        1,
        "grep -o intel_iommu=on /proc/cmdline",
        "filtered",
        ("intel_iommu=on",),
    )
    assert not running(Evidence("paste", "p", [piece]), []).known


WORD = st.text(st.characters(blacklist_characters='"', blacklist_categories=("Zs", "Cc", "Cs", "Zl", "Zp")), min_size=1)


@given(st.lists(WORD.filter(lambda word: word != "--"), max_size=8))
def test_printed_words_are_read_again(words: list[str]) -> None:
    assert [word.raw for word in split(" ".join(words))] == words


@given(st.text())
def test_any_text_splits(text: str) -> None:
    assert all(word.raw for word in split(text) if word.name)


@given(
    st.lists(st.sampled_from(["iommu=pt", "quiet", 'dyndbg="file a.c +p"', "vfio-pci.ids=1:2", "--", "x"]), max_size=9)
)
def test_blanks_and_line_ends_change_nothing(words: list[str]) -> None:
    plain = [word._replace(source=None) for word in split(" ".join(words))]
    assert [word._replace(source=None) for word in split("  " + " \t ".join(words) + " \r\n")] == plain
