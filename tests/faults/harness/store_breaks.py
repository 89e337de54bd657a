"""Breaks of the store, by a root token that the lab's keepers make together for the moment, and their healing."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import hvac
import yaml
from golive.store import bring_up
from golive.store.bring_up import Keepers

from .fault import NotTaken
from .lab import INVENTORY, Lab


def anonymous(world: Lab) -> hvac.Client:
    """Return a client of the store that is nobody."""
    return hvac.Client(url=world.profile["vault_address"], verify=str(world.ca))


def keepers(world: Lab) -> Keepers:
    """Return the lab's keepers with the shares that lie beside the inventory."""
    folder = INVENTORY.parent / "lab" / f"{world.lab}.store"
    names = yaml.safe_load((INVENTORY.parent / "group_vars/rehearsal/building.yml").read_text())["secrets_keepers"]
    public = [(folder / "people" / f"{name}.pgp.public").read_bytes() for name in names]
    import base64

    return Keepers(names=names, public=[base64.b64encode(one).decode() for one in public], threshold=2, folder=folder / "shares",
                   secret_keys=folder / "people")


def root(world: Lab) -> hvac.Client:
    """Return a client with a root token."""
    return bring_up._root(anonymous(world), keepers(world))


@contextmanager
def as_root(world: Lab) -> Iterator[hvac.Client]:
    """Lend a client with a root token, which is revoked afterwards."""
    client = root(world)
    try:
        yield client
    finally:
        client.auth.token.revoke_self()


def seal_state(world: Lab) -> str:
    """Second observation: systemd started it anew, and the store itself says that it is sealed."""
    if not anonymous(world).sys.is_sealed():
        raise NotTaken("the store says that it is not sealed")
    return "the store says: sealed"


def unseal(world: Lab) -> None:
    """Let the keepers unseal it."""
    bring_up._unseal(anonymous(world), keepers(world))


def audit_off(world: Lab) -> None:
    """Disable every audit device and keep how they were."""
    client = root(world)
    world.kept["audit"] = dict(client.sys.list_enabled_audit_devices()["data"])
    for path in world.kept["audit"]:
        client.sys.disable_audit_device(path.rstrip("/"))
    client.auth.token.revoke_self()


def no_devices(world: Lab) -> str:
    """Second observation: the store lists no device."""
    client = root(world)
    left: dict[str, Any] = client.sys.list_enabled_audit_devices()["data"]
    client.auth.token.revoke_self()
    if left:
        raise NotTaken(f"{len(left)} devices are enabled")
    return "the store lists no audit device"


def audit_on(world: Lab) -> None:
    """Enable the devices again as they were."""
    client = root(world)
    for path, one in world.kept.pop("audit").items():
        client.sys.enable_audit_device(one["type"], description=one.get("description"), options=one.get("options"), path=path.rstrip("/"))
    client.auth.token.revoke_self()
