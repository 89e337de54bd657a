"""What the store should look like, as data, and what differs. Pure: the current state comes in, changes go out."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..canonical import digest


@dataclass(frozen=True)
class Wanted:
    """Mounts by path, audit devices by path, policies by name (HCL text), AppRoles by name (parameters in seconds and lists)."""

    mounts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    audits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    policies: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """One object of the store that differs; `kind` and `name` say which, `op` is create, update or surplus."""

    kind: str
    name: str
    op: str
    before: str | None
    after: str | None

    def change(self) -> dict[str, Any]:
        """Return the change in the form that every module of golive reports (interfaces, section 6)."""
        return {"object": f"vault_{self.kind}:{self.name}", "op": self.op, "before": self.before, "after": self.after}


OWN = {"mounts": {"sys/", "identity/", "cubbyhole/"}, "policies": {"root", "default"}}


def system_wants(system: str, audit_files: list[str], controller_cidrs: list[str]) -> Wanted:
    """Return what a system needs: KV v2, two audit devices, and one AppRole for each process with no more than it reads."""
    kv = f"kv/data/{system}/"
    controller = f"""
path "{kv}*" {{ capabilities = ["create", "read", "update"] }}
path "kv/metadata/{system}/*" {{ capabilities = ["read", "list"] }}
path "sys/audit" {{ capabilities = ["read", "sudo"] }}
path "sys/mounts" {{ capabilities = ["read"] }}
path "sys/policies/acl" {{ capabilities = ["list"] }}
path "sys/policies/acl/*" {{ capabilities = ["read"] }}
path "sys/auth" {{ capabilities = ["read"] }}
path "auth/approle/role" {{ capabilities = ["list"] }}
path "auth/approle/role/*" {{ capabilities = ["read"] }}
"""
    role = {"token_ttl": 1200, "token_max_ttl": 3600, "token_policies": [f"{system}-controller"], "secret_id_num_uses": 0,
            "token_bound_cidrs": controller_cidrs, "secret_id_bound_cidrs": controller_cidrs, "bind_secret_id": True}
    return Wanted(mounts={"kv/": {"type": "kv", "options": {"version": "2"}}},
                  audits={f"file{index}/": {"type": "file", "options": {"file_path": path}} for index, path in enumerate(audit_files)},
                  policies={f"{system}-controller": controller.strip() + "\n"}, roles={f"{system}-controller": role})


def differences(wanted: Wanted, current: Wanted) -> list[Difference]:
    """Return what has to be created or updated, and what is there and not in code (`surplus`: reported, never removed)."""
    found: list[Difference] = []
    for kind, want, have in (("mount", wanted.mounts, current.mounts), ("audit", wanted.audits, current.audits),
                             ("policy", wanted.policies, current.policies), ("role", wanted.roles, current.roles)):
        for name in sorted(set(want) | set(have)):
            if name not in want:
                if name not in OWN.get(f"{kind}s", set()) | OWN.get({"policy": "policies"}.get(kind, ""), set()):
                    found.append(Difference(kind, name, "surplus", digest(have[name]), None))
            elif name not in have:
                found.append(Difference(kind, name, "create", None, digest(want[name])))
            elif not _covers(want[name], have[name]):
                found.append(Difference(kind, name, "update", digest(have[name]), digest(want[name])))
    return found


def _covers(want: Any, have: Any) -> bool:
    """Return whether everything that is wanted is so; the server answers with more fields than it was given."""
    if isinstance(want, Mapping):
        return isinstance(have, Mapping) and all(name in have and _covers(value, have[name]) for name, value in want.items())
    if isinstance(want, list):
        return isinstance(have, list) and sorted(map(_plain, want)) == sorted(map(_plain, have))
    return bool(want == have or (isinstance(want, str) and isinstance(have, str) and want.strip() == have.strip()))


def _plain(item: Any) -> str:
    """Return a list's element as the server writes it: one address without its /32."""
    return str(item).removesuffix("/32")
