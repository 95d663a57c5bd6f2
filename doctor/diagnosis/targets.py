"""Which devices somebody means to hand to a guest, and how that is seen."""

from __future__ import annotations

from doctor.diagnosis.finding import Target
from doctor.later import later
from doctor.say import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from doctor.facts.host import Host
    from doctor.facts.pci import Device

_DEVICE = later(r"(?:([0-9a-fA-F]{4,6}):)?([0-9a-fA-F]{2}):([0-9a-fA-F]{2})(?:\.([0-7]))?")
_IDS = later(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{4}")
_HELD = ("vfio-pci", "pci-stub", "vfio_pci", "pci_stub")


_BINDS = {
    "proxmox": "; Proxmox binds it when the VM starts",
    "libvirt": "; libvirt binds it when the VM starts",
}


class UnknownDevice(ValueError):
    """`--device` names no device of the evidence. The message holds the candidates."""


def find(host: Host, asked: tuple[str, ...]) -> list[Target]:
    """The targets: those of `asked` (as `--device` takes them) alone, else all that the evidence shows.

    Raises UnknownDevice.
    """
    if asked:
        found: dict[str, Target] = {}
        for text in asked:
            for device in _asked(host, text):
                managed = _managed(host, device)
                found.setdefault(device, Target(device, f"--device {text}", False, managed))
        return list(found.values())
    return sorted(_seen(host).values(), key=lambda target: target.address)


def _asked(host: Host, text: str) -> list[str]:
    """The addresses that one `--device` means."""
    devices = host.pci.all()
    if _IDS.fullmatch(text):
        same = [d.address for d in devices if d.ids == text.lower()]
        if same:
            return same
    else:
        found = _DEVICE.fullmatch(text)
        if found:
            domain, bus, slot, function = found.groups()
            address = f"{(domain or '0000').lower()}:{bus.lower()}:{slot.lower()}"
            if function is not None:
                if host.pci.get(f"{address}.{function}") is not None or not host.pci.complete:
                    return [f"{address}.{function}"]
            else:
                functions = [d.address for d in host.pci.slot(address) if d.is_endpoint]
                if functions:
                    return functions
    raise UnknownDevice(f"--device {text}: {_candidates(devices)}")


def _candidates(devices: list[Device]) -> str:
    """The devices somebody could have meant, in one line."""
    likely = [d for d in devices if candidate(d)] or [d for d in devices if d.is_endpoint]
    if not likely:
        return say("the input shows no PCI device at all")
    names = ", ".join(f"{d.address.removeprefix('0000:')} {d.ids or d.kind}" for d in likely[:12])
    return say("no such device; candidates: {names}", names=names + (", …" if len(likely) > 12 else ""))


def candidate(device: Device) -> bool:
    """Whether people pass this kind of device: GPU, NIC, NVMe, HBA, USB controller, audio, accelerator."""
    class_ = device.class_ or ""
    return class_[:2] in ("03", "02", "12") or class_ in (
        "0108",
        "0107",
        "0104",
        "0c03",
        "0403",
        "0106",
        "0b40",
    )


def _seen(host: Host) -> dict[str, Target]:
    """The targets that the evidence itself shows, the strongest reason first."""
    found: dict[str, Target] = {}
    for vm in host.virtual_machines:
        for passed in vm.devices:
            for address in _addresses(host, passed.address, passed.whole_slot):
                because = say("{key} of {vm} names it", key=passed.key, vm=vm.label)
                because += say(_BINDS.get(vm.manager, "")) if passed.managed else ""
                _add(found, Target(address, because, False, passed.managed))
    for device in host.pci.all():
        if device.driver.known and device.driver.value in _HELD and device.is_endpoint:
            _add(found, Target(device.address, say("it is bound to {value}", value=device.driver.value), False, False))
        elif device.override and device.override in _HELD:
            _add(
                found,
                Target(
                    device.address, say("its driver_override is {override}", override=device.override), False, False
                ),
            )
    for given in host.given_by_script:
        because = say("{how} in {path} gives it to vfio-pci", how=given.how, path=given.source.path)
        _add(found, Target(str(given.address), because, False, False))
    _by_error(host, found)
    _by_ids(host, found)
    return found


def _add(found: dict[str, Target], target: Target) -> None:
    """Keeps the first reason, but a manager that binds by itself counts whoever names it first."""
    known = found.get(target.address)
    if known is None:
        found[target.address] = target
    elif target.managed and not known.managed:
        found[target.address] = known._replace(managed=True)


def _addresses(host: Host, address: str, whole_slot: bool) -> list[str]:
    """The functions that a VM's configuration means."""
    if not whole_slot:
        return [address]
    return [d.address for d in host.pci.slot(address) if d.is_endpoint] or [address + ".0"]


def _managed(host: Host, address: str) -> bool:
    """Whether a VM manager binds the device by itself when the guest starts."""
    return any(
        p.managed and address in _addresses(host, p.address, p.whole_slot)
        for vm in host.virtual_machines
        for p in vm.devices
    )


def _by_error(host: Host, found: dict[str, Target]) -> None:
    """Devices that an error about giving them away names; an error with a group alone means its endpoints."""
    groups: list[str] = []
    for event in host.log.order:
        because = event.template.get("aims")
        if not because:
            continue
        device = event.lookup("device")
        if device is not None and device.value:
            _add(found, Target(device.value, because, False, False))
        elif event.fields.get("group"):
            groups.append(event.fields["group"])
    for number in groups:
        if not number.isdigit():
            continue
        members = [d for d in host.pci.members(int(number)) if d.is_endpoint]
        if not any(d.address in found for d in members):
            for device in members:
                _add(
                    found,
                    Target(device.address, say("QEMU refused its IOMMU group {number}", number=number), True, False),
                )


def _by_ids(host: Host, found: dict[str, Target]) -> None:
    """Devices whose id is configured: those whose slot bears another sign, or all of them if none does."""
    slots = {address.rpartition(".")[0] for address in found}
    for ids, source in _wanted_ids(host).items():
        same = [d for d in host.pci.with_ids(ids) if d.is_endpoint]
        signed = [d for d in same if d.slot in slots]
        undecided = not signed and len({d.slot for d in same}) > 1
        for device in signed or same:
            because = say("its id {ids} is in an ids= list ({source})", ids=ids, source=source)
            _add(found, Target(device.address, because, False, False, undecided))


def _wanted_ids(host: Host) -> dict[str, str]:
    """The ids that vfio-pci is to take, now or after the next boot, with the path that says so."""
    found: dict[str, str] = {}
    wanted, missing = host.binding.wanted, host.pending.missing
    if wanted.known:
        source = wanted.sources[0].path if wanted.sources else say("the configuration")
        found.update(dict.fromkeys(wanted.value, source))
    if missing.known and missing.value and host.pending.binds.value is True:
        words = [word.partition("=") for word in missing.value]
        lists = [value for name, _, value in words if name.replace("-", "_") in ("vfio_pci.ids", "pci_stub.ids")]
        for ids in (":".join(one.lower().split(":")[:2]) for text in lists for one in text.split(",")):
            if _IDS.fullmatch(ids):
                found.setdefault(ids, missing.sources[0].path)
    return found
