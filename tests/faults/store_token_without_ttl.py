"""The tokens of the controller's role got no limit of their own: one that is taken lives for weeks."""
from __future__ import annotations

from .harness.fault import Fault, NotTaken, red
from .harness.lab import Lab
from .harness.store_breaks import as_root

ROLE = "kraken-micro-controller"
LIMITS = ("token_ttl", "token_max_ttl", "token_period", "token_explicit_max_ttl")


def _break(world: Lab) -> None:
    with as_root(world) as client:
        before = client.auth.approle.read_role(ROLE)["data"]
        world.kept["limits"] = {name: before[name] for name in LIMITS}
        client.auth.approle.create_or_update_approle(ROLE, **dict.fromkeys(LIMITS, 0))


def _confirm(world: Lab) -> str:
    with as_root(world) as client:
        secret = client.auth.approle.generate_secret_id(ROLE)["data"]["secret_id"]
        role = client.auth.approle.read_role_id(ROLE)["data"]["role_id"]
        made = client.auth.approle.login(role, secret, use_token=False)["auth"]
        client.auth.token.revoke(made["client_token"])
        client.auth.approle.destroy_secret_id(ROLE, secret)
    if made["lease_duration"] < 86400:
        raise NotTaken(f"a new token lives {made['lease_duration']} s")
    return f"a new token of the role lives {made['lease_duration'] // 86400} days"


def _heal(world: Lab) -> None:
    with as_root(world) as client:
        client.auth.approle.create_or_update_approle(ROLE, **world.kept.pop("limits"))


TRIALS = (Fault("lab", "store", red("secrets.least_privilege"), _break, _confirm, _heal, settle_s=30, order=3),)
