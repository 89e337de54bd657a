"""Reads the store's configuration and makes it what it should be, object by object, through one authenticated client."""
from __future__ import annotations

from typing import Any

import hvac

from ..errors import GoliveError
from .client import said
from .wanted import Difference, Wanted


def current(client: hvac.Client) -> Wanted:
    """Return the mounts, audit devices, policies and AppRoles that are there."""
    mounts = said(client.sys.list_mounted_secrets_engines, "list its mounts")["data"]
    audits = said(client.sys.list_enabled_audit_devices, "list its audit devices")["data"]
    names = said(client.sys.list_acl_policies, "list its policies")["data"]["keys"]
    policies = {name: said(lambda name=name: client.sys.read_acl_policy(name), f"read policy {name}")["data"]["policy"]  # type: ignore[misc]
                for name in names if name not in {"root", "default"}}
    roles: dict[str, Any] = {}
    if "approle/" in said(client.sys.list_auth_methods, "list its auth methods")["data"]:
        try:
            listed = client.auth.approle.list_roles()["data"]["keys"]
        except hvac.exceptions.InvalidPath:  # no role yet
            listed = []
        roles = {name: said(lambda name=name: client.auth.approle.read_role(name), f"read role {name}")["data"] for name in listed}  # type: ignore[misc]
    return Wanted({path: one for path, one in mounts.items() if path not in {"sys/", "identity/", "cubbyhole/"}},
                  audits, policies, roles)


def apply(client: hvac.Client, wanted: Wanted, found: list[Difference]) -> None:
    """Create and update what differs. Audit devices come first, so that the store's own set-up is on record."""
    order = {"audit": 0, "mount": 1, "policy": 2, "role": 3}
    for one in sorted(found, key=lambda difference: order[difference.kind]):
        if one.op == "surplus":
            continue
        _apply(client, wanted, one)


def _apply(client: hvac.Client, wanted: Wanted, one: Difference) -> None:
    name, what = one.name, f"{one.op} {one.kind} {one.name}"
    if one.kind == "audit":
        device = wanted.audits[name]
        if one.op == "update":
            raise GoliveError(f"audit device {name} differs from code", todo="disable it by hand, keep its old log, run again")
        said(lambda: client.sys.enable_audit_device(device["type"], path=name.rstrip("/"), options=dict(device["options"])), what)
    elif one.kind == "mount":
        mount = wanted.mounts[name]
        if one.op == "update":
            raise GoliveError(f"mount {name} is not what it should be", todo="its secrets would be lost by remounting; move them first")
        said(lambda: client.sys.enable_secrets_engine(mount["type"], path=name.rstrip("/"), options=dict(mount["options"])), what)
    elif one.kind == "policy":
        said(lambda: client.sys.create_or_update_acl_policy(name, wanted.policies[name]), what)
    else:
        if "approle/" not in said(client.sys.list_auth_methods, "list its auth methods")["data"]:
            said(lambda: client.sys.enable_auth_method("approle"), "enable approle")
        said(lambda: client.auth.approle.create_or_update_approle(name, **dict(wanted.roles[name])), what)
