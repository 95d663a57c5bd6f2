"""The plan as a script: run by real shells below a root of the test's own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from doctor.examine import Terms, examine
from doctor.report import script
from doctor.treatment.plan import make_plan

from .hand_made import ADDRESSES, HOSTS, IDS, LOAD, OPTION, REMEDIES, UNLOAD, Failed, MakeFacts

if TYPE_CHECKING:
    from collections.abc import Callable

    from doctor.report.model import Report

    Make = Callable[..., Report]

SAMPLES = Path(__file__).parents[2] / "samples"
SHELLS = [shell for shell in (["dash"], ["busybox", "sh"], ["bash", "--posix"], ["sh"]) if shutil.which(shell[0])]
PROGRAMS = ("update-grub", "update-initramfs", "grubby", "dracut", "mkinitcpio", "grub-mkconfig", "grub2-mkconfig",
            "kernel-install", "sdbootutil", "proxmox-boot-tool", "rpm-ostree", "nixos-rebuild")  # fmt: skip
MARK = "INJECTED"


@pytest.fixture
def report(make_facts: MakeFacts, failed: Failed, platforms: dict[str, Any]) -> Make:
    """A report, as far as a script needs one, of a host's files and the remedies for it."""

    def make(files: dict[str, str], *remedies: dict[str, Any], **more: Any) -> Report:
        findings = [failed(f"c{number}", remedy) for number, remedy in enumerate(remedies)]
        plan = make_plan(findings, (), make_facts(files), platforms)
        subject = {"source": "test", "collected_at": None, "kind": "directory"}
        made: Any = {"plan": plan, "subject": subject, "tool": {"version": "1"}, "targets": [], "devices": [], **more}
        return made  # type: ignore[no-any-return]

    return make


class Root:
    """A root that scripts run below, with programs that only say that they ran."""

    def __init__(self, folder: Path, files: dict[str, str]) -> None:
        self.folder, self.root, self.log = folder, folder / "root", folder / "log"
        (folder / "bin").mkdir()
        for name in PROGRAMS:
            (folder / "bin" / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {self.log}\n')
            (folder / "bin" / name).chmod(0o755)
        self.root.mkdir()
        for path, text in files.items():
            if path.startswith(("etc/", "boot/")):
                (self.root / path).parent.mkdir(parents=True, exist_ok=True)
                (self.root / path).write_text(text.rstrip("\n") + "\n")

    def run(self, text: str, *arguments: str, shell: list[str] | None = None) -> subprocess.CompletedProcess[str]:
        (self.folder / "plan.sh").write_text(text)
        paths = f"{self.folder / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin"
        environment = {"PASSDOCTOR_ROOT": str(self.root), "PATH": paths, "LC_ALL": "C.UTF-8"}
        command = [*(shell or ["sh"]), str(self.folder / "plan.sh"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    @property
    def files(self) -> dict[str, tuple[str, int]]:
        paths = [path for path in sorted(self.root.rglob("*")) if path.is_file()]
        told = {str(path.relative_to(self.root)): (path.read_text(), path.stat().st_mode) for path in paths}
        return {name: each for name, each in told.items() if not name.startswith("var/")}


def files_of(host: str) -> dict[str, str]:
    return {
        "etc/default/grub": "GRUB_CMDLINE_LINUX_DEFAULT=quiet\n",
        "etc/modules": "loop\n",
        "etc/mkinitcpio.conf": "MODULES=()\n",
        **HOSTS[host],
    }


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
@pytest.mark.parametrize(
    "host", ["debian-grub", "pve-tool-grub", "pve-zfs", "ubuntu-2204", "arch-grub", "arch-sd", "centos7"]
)
def test_done_once_twice_and_taken_back(shell: list[str], host: str, report: Make, tmp_path: Path) -> None:
    files = {**files_of(host), "etc/modprobe.d/kvm.conf": "options kvm ignore_msrs=0\n"}
    remedies = [{"kernel_parameter": {"add": ["intel_iommu=on"], "remove": ["amd_iommu=on"]}}, IDS, LOAD]
    made = report(files, *remedies, {"module_option": {"module": "kvm", "set": {"ignore_msrs": 1}}})
    root = Root(tmp_path, files)
    before = root.files
    shown = root.run(script.render(made), "--dry-run", shell=shell)
    assert (shown.returncode, root.files) == (0, before), shown.stderr
    assert "+options vfio-pci ids=10de:2203,10de:1aef" in shown.stdout or "vfio-pci.ids=10de:2203" in shown.stdout
    done = root.run(script.render(made), shell=shell)
    assert done.returncode == 0, done.stderr
    once = root.files
    text = "\n".join(text for text, _ in once.values())
    assert "intel_iommu=on" in text
    assert "ignore_msrs=1" in text
    assert "ignore_msrs=0" not in text
    again = root.run(script.render(made), shell=shell)
    assert (again.returncode, root.files) == (0, once), again.stderr
    back = root.run(script.render(made, undo=True), shell=shell)
    assert (back.returncode, root.files) == (0, before), back.stderr
    assert not (root.root / "var/lib/passdoctor").exists() or not any((root.root / "var/lib/passdoctor").iterdir())
    nothing = root.run(script.render(made, undo=True), shell=shell)
    assert nothing.returncode == 0
    assert "nothing to take back" in nothing.stdout


QM = """#!/bin/sh
conf="${{0%/*}}/../$2.conf"
echo "qm $*" >> {log}
case "$1 $3" in
"config ") cat "$conf" ;;
"set --delete") sed -i "/^$4: /d" "$conf" ;;
set*) key=${{3#--}}; sed -i "/^$key: /d" "$conf"; echo "$key: $4" >> "$conf" ;;
esac
"""


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_a_guests_configuration_and_back(shell: list[str], report: Make, tmp_path: Path) -> None:
    """A key that was there gets its old value again, one that was not there goes."""
    change = {"vm_config": {"vm": "101", "set": {"hostpci0": "0000:01:00,pcie=1", "vga": "none"}, "remove": ["args"]}}
    made = report(HOSTS["pve-grub"], change)
    root = Root(tmp_path, HOSTS["pve-grub"])
    (tmp_path / "bin" / "qm").write_text(QM.format(log=root.log))
    (tmp_path / "bin" / "qm").chmod(0o755)
    guest = tmp_path / "101.conf"
    before = "args: -cpu 'host,kvm=off' $HOME\nhostpci0: 01:00.0\nonboot: 1\n"
    guest.write_text(before)
    done = root.run(script.render(made), shell=shell)
    assert done.returncode == 0, done.stderr
    assert sorted(guest.read_text().split("\n")) == ["", "hostpci0: 0000:01:00,pcie=1", "onboot: 1", "vga: none"]
    once = guest.read_text()
    assert root.run(script.render(made), shell=shell).returncode == 0
    assert sorted(guest.read_text()) == sorted(once)
    back = root.run(script.render(made, undo=True), shell=shell)
    assert back.returncode == 0, back.stderr
    assert sorted(guest.read_text().split("\n")) == sorted(before.split("\n"))


def test_without_the_guests_tool_it_is_done_by_hand(report: Make) -> None:
    made = report(HOSTS["debian-grub"], {"vm_config": {"vm": "101", "set": {"onboot": 0}}})
    (step,) = [step for step in made["plan"]["steps"] if step["kind"] == "vm_config"]
    assert [action["op"] for action in step["actions"]] == ["by-hand"]
    assert not step["commands"]


def test_undoing_finds_what_a_plan_in_another_language_did(report: Make) -> None:
    plan = report(HOSTS["debian-grub"], {"person": "Ask."}, IDS)["plan"]
    named = script.identity(plan)
    for step in plan["steps"]:
        for action in step["actions"]:
            if action["op"] == "by-hand":
                action["text"] = "请询问。"
    assert script.identity(plan) == named
    assert script.identity(report(HOSTS["debian-grub"], {"person": "Ask."}, LOAD)["plan"]) != named


def test_only_a_plans_script_speaks_of_dry_runs(report: Make) -> None:
    made = report(HOSTS["debian-grub"], IDS)
    heads = [script.render(made, undo=undo).split("\n\n")[0] for undo in (False, True)]
    assert ["--dry-run" in head for head in heads] == [True, False]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_nothing_is_changed_if_one_edit_does_not_fit(shell: list[str], report: Make, tmp_path: Path) -> None:
    files = {**HOSTS["debian-grub"], "etc/modprobe.d/kvm.conf": "options kvm ignore_msrs=0\n"}
    made = report(
        files, {"kernel_parameter": {"add": ["a=1"]}}, {"module_option": {"module": "kvm", "set": {"ignore_msrs": 1}}}
    )
    root = Root(tmp_path, files)
    (root.root / "etc/default/grub").write_text('GRUB_CMDLINE_LINUX_DEFAULT="quiet b=2"\n')
    before = root.files
    done = root.run(script.render(made), shell=shell)
    assert done.returncode == 2
    assert "/etc/default/grub no longer holds what was seen" in done.stderr
    assert root.files == before
    assert not root.log.exists()


def test_a_line_that_stands_twice_is_told_apart_by_its_place(report: Make, tmp_path: Path) -> None:
    line = 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"'
    files = {"etc/os-release": "ID=debian", "etc/default/grub": f"{line}\n# twice\n{line}\n"}
    made = report(files, {"kernel_parameter": {"add": ["a=1"]}})
    root = Root(tmp_path, files)
    assert root.run(script.render(made)).returncode == 0
    assert (root.root / "etc/default/grub").read_text() == f'{line}\n# twice\nGRUB_CMDLINE_LINUX_DEFAULT="quiet a=1"\n'
    (root.root / "etc/default/grub").write_text(f"# new\n{line}\n# twice\n{line}\n")
    done = root.run(script.render(made))
    assert done.returncode == 2
    assert "holds that line more than once" in done.stderr


def test_what_was_changed_since_stays(report: Make, tmp_path: Path) -> None:
    files = HOSTS["debian-grub"]
    made = report(files, {"kernel_parameter": {"add": ["a=1"]}}, LOAD)
    root = Root(tmp_path, files)
    assert root.run(script.render(made)).returncode == 0
    (root.root / "etc/default/grub").write_text("GRUB_DEFAULT=saved\n")
    back = root.run(script.render(made, undo=True))
    assert back.returncode == 1
    assert "/etc/default/grub was changed since and stays" in back.stderr
    assert (root.root / "etc/default/grub").read_text() == "GRUB_DEFAULT=saved\n"
    assert not (root.root / "etc/modules-load.d/vfio.conf").exists()


def test_a_command_that_fails_is_told(report: Make, tmp_path: Path) -> None:
    files = HOSTS["debian-grub"]
    made = report(files, {"kernel_parameter": {"add": ["a=1"]}})
    root = Root(tmp_path, files)
    (root.folder / "bin" / "update-grub").write_text("#!/bin/sh\nexit 7\n")
    done = root.run(script.render(made))
    assert done.returncode == 1
    assert "this ended with status 7: update-grub" in done.stderr


def test_a_command_that_is_not_there_stops_it(report: Make, tmp_path: Path) -> None:
    files = HOSTS["fedora"]
    root = Root(tmp_path, files)
    (root.folder / "bin" / "grubby").unlink()
    done = root.run(script.render(report(files, {"kernel_parameter": {"add": ["a=1"]}})))
    assert done.returncode == 2
    assert "the command grubby is not there" in done.stderr


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('GRUB_CMDLINE_LINUX_DEFAULT="quiet"', 'GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on"'),
        ("GRUB_CMDLINE_LINUX_DEFAULT=quiet", 'GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on"'),
        ("GRUB_CMDLINE_LINUX_DEFAULT='a  b' # c", "GRUB_CMDLINE_LINUX_DEFAULT='a b intel_iommu=on' # c"),
        ('GRUB_CMDLINE_LINUX_DEFAULT=""', 'GRUB_CMDLINE_LINUX_DEFAULT="intel_iommu=on"'),
        ('GRUB_CMDLINE_LINUX_DEFAULT="intel_iommu=off x"', 'GRUB_CMDLINE_LINUX_DEFAULT="x intel_iommu=on"'),
        ('GRUB_CMDLINE_LINUX_DEFAULT="intel_iommu=on"', 'GRUB_CMDLINE_LINUX_DEFAULT="intel_iommu=on"'),
        ('GRUB_CMDLINE_LINUX_DEFAULT="a=\\"b c\\""', 'GRUB_CMDLINE_LINUX_DEFAULT="a=\\"b c\\" intel_iommu=on"'),
        ('GRUB_CMDLINE_LINUX_DEFAULT="x -- y"', 'GRUB_CMDLINE_LINUX_DEFAULT="x intel_iommu=on -- y"'),
        ('GRUB_CMDLINE_LINUX_DEFAULT="x -- intel_iommu=on"', 'GRUB_CMDLINE_LINUX_DEFAULT="x intel_iommu=on"'),
        ('GRUB_CMDLINE_LINUX_DEFAULT="-- y intel_iommu=on"', 'GRUB_CMDLINE_LINUX_DEFAULT="intel_iommu=on -- y"'),
        ('GRUB_CMDLINE_LINUX_DEFAULT="x intel_iommu=on --"', 'GRUB_CMDLINE_LINUX_DEFAULT="x intel_iommu=on --"'),
        ('GRUB_CMDLINE_LINUX="x"', None),
        ('GRUB_CMDLINE_LINUX_DEFAULT="open', None),
    ],
)
def test_a_line_that_was_not_seen(text: str, wanted: str | None, report: Make, tmp_path: Path) -> None:
    made = report({"etc/os-release": "ID=debian"}, {"kernel_parameter": {"add": ["intel_iommu=on"]}})
    root = Root(tmp_path, {"etc/default/grub": text})
    done = root.run(script.render(made))
    assert done.returncode == (0 if wanted else 2)
    assert (root.root / "etc/default/grub").read_text() == (wanted or text) + "\n"


def test_what_stands_behind_the_end_is_moved(report: Make, tmp_path: Path) -> None:
    text = 'GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=off -- intel_iommu=on splash"\n'
    made = report(
        {"etc/os-release": "ID=debian", "etc/default/grub": text}, {"kernel_parameter": {"add": ["intel_iommu=on"]}}
    )
    root = Root(tmp_path, {"etc/default/grub": text.strip()})
    wanted = 'GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on -- splash"\n'
    for _ in range(2):
        done = root.run(script.render(made))
        assert done.returncode == 0, done.stderr
        assert (root.root / "etc/default/grub").read_text() == wanted


@pytest.mark.parametrize(
    "files", [{"proc/cmdline": "root=x -- splash"}, {"boot/loader/entries/a.conf": "title a\noptions root=x -- splash"}]
)
def test_a_tool_that_would_put_a_word_behind_the_end_is_not_used(files: dict[str, str], report: Make) -> None:
    host = {"etc/os-release": "ID=fedora\nVERSION_ID=40", **files}
    (added,) = report(host, {"kernel_parameter": {"add": ["intel_iommu=on"]}})["plan"]["steps"][:1]
    assert "before the lone --" in added["summary"]
    assert not added["commands"]
    (removed,) = report(host, {"kernel_parameter": {"remove": ["splash"]}})["plan"]["steps"][:1]
    assert removed["commands"]


def test_a_redacted_line_keeps_what_it_holds(report: Make, tmp_path: Path) -> None:
    stand_in = "root=UUID=facade00-1f2e-41b2-8c3d-0123456789ab ro quiet amd_iommu=on"
    files = {**HOSTS["pve-zfs"], "etc/kernel/cmdline": stand_in + "\n"}
    made = report(files, {"kernel_parameter": {"add": ["intel_iommu=on"], "remove": ["amd_iommu=on"]}})
    root = Root(
        tmp_path, {"etc/kernel/cmdline": "root=UUID=12345678-1f2e-41b2-8c3d-0123456789ab ro quiet amd_iommu=on"}
    )
    done = root.run(script.render(made))
    assert done.returncode == 0, done.stderr
    assert (
        root.root / "etc/kernel/cmdline"
    ).read_text() == "root=UUID=12345678-1f2e-41b2-8c3d-0123456789ab ro quiet intel_iommu=on\n"


def test_every_loader_entry_is_changed(report: Make, tmp_path: Path) -> None:
    made = report(
        {**HOSTS["arch-sd"], "boot/loader/entries/arch.conf": "title a\n"}, {"kernel_parameter": {"add": ["a=1"]}}
    )
    root = Root(tmp_path, {f"boot/loader/entries/{name}.conf": f"title {name}\noptions root=x rw" for name in "ab"})
    done = root.run(script.render(made))
    assert done.returncode == 0, done.stderr
    for name in "ab":
        assert (root.root / f"boot/loader/entries/{name}.conf").read_text() == f"title {name}\noptions root=x rw a=1\n"


def test_it_is_this_host(report: Make, tmp_path: Path) -> None:
    row = {"address": "0000:01:00.0", "ids": "10de:2203"}
    more = {"targets": [{"address": "0000:01:00.0"}], "devices": [row]}
    text = script.render(report(HOSTS["debian-grub"], LOAD, **more))
    assert "expect_device 0000:01:00.0 10de:2203" in text
    # Without a root of its own it looks at the machine that runs it, where no such device is.
    (tmp_path / "plan.sh").write_text(text)
    done = subprocess.run(["sh", str(tmp_path / "plan.sh"), "--dry-run"], capture_output=True, text=True, check=False)
    if not Path("/sys/bus/pci/devices/0000:01:00.0").exists():
        assert done.returncode == 2
        assert "there is no device 0000:01:00.0 here" in done.stderr


def test_what_would_harm_the_host_is_not_written_unasked(report: Make) -> None:
    made = report(HOSTS["debian-grub"], IDS)
    made["plan"]["dangers"] = ["0000:01:00.0 shows the host's only picture."]
    with pytest.raises(script.DangerousPlanError, match="only picture"):
        script.render(made)
    assert "# DANGER: 0000:01:00.0 shows the host's only picture." in script.render(made, knowing=True)
    assert script.render(made, undo=True).startswith("#!/bin/sh")


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_has_nothing_to_say_of_any_script(report: Make, tmp_path: Path) -> None:
    names = []
    for host, files in HOSTS.items():
        for number, remedy in enumerate([*REMEDIES, None]):
            made = report(files, *(REMEDIES if remedy is None else [remedy]))
            for undo in (False, True):
                name = tmp_path / f"{host}-{number}-{undo}.sh"
                name.write_text(script.render(made, undo=undo))
                names.append(str(name))
    done = subprocess.run(["shellcheck", *names], capture_output=True, text=True, check=False)
    assert done.stdout == ""


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_has_nothing_to_say_of_the_samples(tmp_path: Path) -> None:
    names = []
    for sample in sorted((*SAMPLES.glob("*.tar.gz"), *SAMPLES.glob("*.txt"), *SAMPLES.glob("lab/*.tar.gz"))):
        made = examine(str(sample), terms=Terms(optional=True))
        for undo in (False, True):
            names.append(str(tmp_path / f"{sample.name}-{undo}.sh"))
            Path(names[-1]).write_text(script.render(made, undo=undo, knowing=True))
    done = subprocess.run(["shellcheck", *names], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert len(names) > 100


ATTACKS = [f"$(touch {MARK})", f"`touch {MARK}`", f";touch {MARK};", f"'; touch {MARK}; '", f'"; touch {MARK}; "',
           f"\ntouch {MARK}\n", f"\nEOF\ntouch {MARK}\n", f"\\\ntouch {MARK}", f"\u202etouch {MARK}", f"&touch {MARK}&",
           f"|touch {MARK}|", f"\r\ntouch {MARK}\r\n", f"\u2028touch {MARK}", f"{{touch,{MARK}}}",
           f"${{x:-`touch {MARK}`}}",
           f"\uff04(touch {MARK})", f"* {MARK}", f"~/{MARK}"]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("host", ["debian", "arch", "proxmox", "centos"])
def test_hostile_evidence_runs_nothing(attack: str, host: str, report: Make, tmp_path: Path) -> None:
    files = {
        "etc/os-release": f"ID={host}\nVERSION_ID={attack}",
        "proc/cmdline": f"BOOT_IMAGE=(hd0,1)/vmlinuz root=x{attack}",
        "etc/default/grub": f'GRUB_CMDLINE_LINUX_DEFAULT="quiet a={attack}"\nGRUB_CMDLINE_LINUX={attack}\n',
        "etc/kernel/cmdline": f"root=x {attack}",
        "etc/modprobe.d/vfio.conf": f"options vfio-pci ids=10de:2203,{attack} x={attack}\ninstall vfio-pci {attack}\n",
        "etc/modules": f"vfio{attack}\nvfio_virqfd {attack}\n",
        "etc/mkinitcpio.conf": f"MODULES=(vfio_virqfd {attack})\n",
        "etc/dracut.conf.d/x.conf": f'force_drivers+=" vfio_virqfd {attack} "\n',
        f"etc/modprobe.d/{attack.replace('/', '')}.conf": "options vfio_iommu_type1 allow_unsafe_interrupts=1\n",
        "boot/loader/entries/a.conf": f"options root=x iommu={attack}\n",
        "etc/pve/qemu-server/100.conf": f"hostpci0: 01:00.0\nname: {attack}\n",
    }
    more = {
        "subject": {"source": attack, "collected_at": attack, "kind": "paste"},
        "tool": {"version": attack},
        "targets": [{"address": attack}, {"address": "0000:01:00.0"}],
        "devices": [{"address": attack, "ids": attack}, {"address": "0000:01:00.0", "ids": attack}],
    }
    hostile = [{"kernel_parameter": {"add": [attack, f"x={attack}"], "remove": [attack]}}, {"person": attack},
               {"load_modules": [attack]}, {"bind_ids": {"ids": [attack], "drivers": [attack]}},
               {"vm_config": {"vm": "100", "set": {"onboot": attack}}}]  # fmt: skip
    made = report(files, *hostile, {"kernel_parameter": {"add": ["a=1"]}}, IDS, ADDRESSES, UNLOAD, OPTION, LOAD, **more)
    made["plan"]["dangers"] = [attack]
    plain = {name: text for name, text in files.items() if MARK not in name and "\x00" not in name}
    root = Root(tmp_path, plain)
    for undo in (False, True):
        text = script.render(made, undo=undo, knowing=True)
        for arguments in ([], ["--dry-run"]):
            root.run(text, *arguments)
        checked = subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False)
        assert checked.returncode == 0, checked.stderr
    assert not list(tmp_path.rglob(f"*{MARK}*"))
    assert not list(Path().glob(f"*{MARK}*"))
