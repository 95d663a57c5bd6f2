"""The structured steps that rules prescribe and platforms carry out.

A remedy in a rule is a mapping with exactly one of these keys (and `why`, `optional`, `risk` beside it):

kernel_parameter: {add: [K=V…], remove: [K or K=V…]}
    `remove: [K]` removes every K and K=V; adding K=V replaces another value of K unless K accumulates.
load_modules: [names]             load at boot (/etc/modules or modules-load.d)
unload_modules: [names]           no longer load at boot: remove from every list that names them
module_option: {module: M, set: {option: value}, remove: [options]}
softdep: {drivers: [host drivers], before: vfio-pci}
bind_ids: {ids: [vvvv:dddd…], drivers: [host drivers]}          vfio-pci takes every card of these ids
bind_addresses: {addresses: [full BDF…], drivers: [host drivers]}  vfio-pci takes these functions only
firmware: {settings: [keys of rules/platforms/firmware.yaml]}
vm_config: {vm: ID, set: {key: value}, remove: [keys]}
apply_boot_config: true           bring the configured command line into effect (rebuild and reboot)
run: {commands: [literal shell commands that contain no evidence]}
person: "text"                    what only a person can do (move the card to another slot, …)
"""

from __future__ import annotations

KINDS = (
    "kernel_parameter",
    "load_modules",
    "unload_modules",
    "module_option",
    "softdep",
    "bind_ids",
    "bind_addresses",
    "firmware",
    "vm_config",
    "apply_boot_config",
    "run",
    "person",
)
