"""The disk of one audit device is full: the store serves on, by the other one."""
from __future__ import annotations

from .harness.fault import Fault, NotTaken, red
from .harness.lab import Lab
from .harness.store_breaks import anonymous

FOLDER = "/var/log/vault-second"
REOPEN = "systemctl kill --signal=HUP --kill-whom=main vault.service"


def _break(world: Lab) -> None:
    world.on("vault", f"mount -t tmpfs -o size=64k,mode=0700 none {FOLDER} && chown vault:vault {FOLDER} && {REOPEN}")
    world.on("vault", f"dd if=/dev/zero of={FOLDER}/filler bs=1k count=256 2>/dev/null || true")


def _confirm(world: Lab) -> str:
    free = world.on("vault", f"df --output=avail,target {FOLDER} | tail -1").split()
    if free[1] != FOLDER or int(free[0]) != 0:
        raise NotTaken(f"{free[0]} KiB are free below {free[1]}")
    if anonymous(world).sys.is_sealed():
        raise NotTaken("the store is sealed, which is another break")
    return "df says that nothing is free there, the store says that it is open"


def _heal(world: Lab) -> None:
    world.on("vault", f"umount -l {FOLDER} && {REOPEN}")


TRIALS = (Fault("lab", "store", red("secrets.audit_written"), _break, _confirm, _heal, settle_s=20, order=4),)
