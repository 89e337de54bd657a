"""Somebody widened the store by hand: a role that code does not know reads the key of the kill switch."""
from __future__ import annotations

import hvac

from .harness.fault import Fault, NotTaken, red
from .harness.lab import Lab
from .harness.store_breaks import as_root, root

ROLE, PATH = "widened-by-hand", "kv/data/kraken-micro/exchange/kill_guard"


def _break(world: Lab) -> None:
    with as_root(world) as client:
        client.sys.create_or_update_policy(ROLE, f'path "{PATH}" {{ capabilities = ["read"] }}')
        client.auth.approle.create_or_update_approle(ROLE, token_policies=[ROLE], token_ttl="10m")


def _confirm(world: Lab) -> str:
    client = root(world)
    token = client.auth.token.create(policies=[ROLE], ttl="1m", no_parent=True)["auth"]["client_token"]
    client.auth.token.revoke_self()
    client.token = token
    try:
        client.secrets.kv.v2.read_secret_version(path="kraken-micro/exchange/kill_guard", mount_point="kv", raise_on_deleted_version=True)
    except hvac.exceptions.VaultError as exc:
        raise NotTaken(f"a token of the policy does not read the key: {type(exc).__name__}") from None
    finally:
        client.auth.token.revoke_self()
    return "a token of that policy has read the key"


def _heal(world: Lab) -> None:
    with as_root(world) as client:
        client.auth.approle.delete_role(ROLE)
        client.sys.delete_policy(ROLE)


TRIALS = (Fault("lab", "store", red("secrets.least_privilege"), _break, _confirm, _heal, settle_s=30, order=3),)
