"""Which kinds of objects can stand in a store besides mounts, audit devices, policies and AppRoles, and by which paths they are asked.

One table instead of one module a kind: an object is a path that is read and written, and what the server answers is compared with what is
wanted. Kinds whose making is an act of its own (a root certificate, a plugin) have their own code in `config.py`.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """`listed`, `path`: API paths, `{mount}` and `{name}` filled in; names of objects in mounts are `<mount>/<name>`."""

    name: str
    listed: str
    path: str
    engine: str | None = None                    # the type of the mounts it lives in; None: the store itself
    fields: frozenset[str] | None = None         # what may be wanted; None: whatever the server takes
    once: frozenset[str] = frozenset()           # only at creation; the server refuses or ignores a later change
    unseen: frozenset[str] = frozenset()         # the server never says them again: not compared
    change: str | None = None                    # where later changes go, if not to `path`

    def at(self, name: str, template: str) -> str:
        """Return a path for an object's name."""
        if self.engine is None:
            return template.format(name=name)
        mount, _, rest = name.partition("/")
        return template.format(mount=mount, name=rest)


KINDS: tuple[Kind, ...] = (
    Kind("password_policy", "sys/policies/password", "sys/policies/password/{name}", fields=frozenset({"policy"})),
    Kind("quota", "sys/quotas/rate-limit", "sys/quotas/rate-limit/{name}",
         fields=frozenset({"path", "rate", "interval", "block_interval", "role", "inheritable"})),
    Kind("transit_key", "{mount}/keys", "{mount}/keys/{name}", engine="transit", change="{mount}/keys/{name}/config",
         once=frozenset({"type", "derived", "convergent_encryption"})),
    Kind("pki_role", "{mount}/roles", "{mount}/roles/{name}", engine="pki"),
    Kind("database", "{mount}/config", "{mount}/config/{name}", engine="database", unseen=frozenset({"password", "verify_connection"})),
    Kind("database_role", "{mount}/roles", "{mount}/roles/{name}", engine="database"),
    Kind("database_static_role", "{mount}/static-roles", "{mount}/static-roles/{name}", engine="database",
         once=frozenset({"username", "db_name"})),
)
BY_NAME = {one.name: one for one in KINDS}
# Made by an act, not by one write; in the order of making. Certificates come before the roles that issue with them.
MADE = ("plugin", "pki_root", "pki_intermediate")
ORDER = ("audit", "plugin", "mount", "auth", "password_policy", "quota", "policy", "role", "pki_root", "pki_intermediate", "pki_role",
         "transit_key", "database", "database_role", "database_static_role")


def flattened(kind: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the server answered in the form in which it is written."""
    found = dict(answer)
    if kind == "database":
        found.update(found.pop("connection_details", None) or {})
    return found
