"""What the store should look like, as data, and what differs. Pure: the current state comes in, changes go out."""
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..canonical import digest
from ..errors import GoliveError
from .kinds import BY_NAME, MADE, ORDER


@dataclass(frozen=True)
class Wanted:
    """Mounts by path, audit devices by path, policies by name (HCL text), AppRoles by name (parameters in seconds and lists).

    `things` are all other objects, by kind (see `kinds.py`) and name. `references` names where a field that the store never tells again
    comes from: `{"database:database/bot": {"password": "vault:…"}}`; it is resolved at the moment of writing.
    """

    mounts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    audits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    policies: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    auths: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    things: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    references: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def by_kind(self) -> dict[str, Mapping[str, Any]]:
        """Return all objects by kind, in the order in which they have to be made."""
        found: dict[str, Mapping[str, Any]] = {"mount": self.mounts, "audit": self.audits, "policy": self.policies, "role": self.roles,
                                               "auth": self.auths, **self.things}
        return {kind: found[kind] for kind in ORDER if kind in found}


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


OWN = {"mount": {"sys/", "identity/", "cubbyhole/"}, "policy": {"root", "default"}, "auth": {"token/"}}
# What a controller may read in order to compare; none of it holds a secret.
_COMPARES = ("sys/audit", "sys/mounts", "sys/auth", "sys/policies/acl", "sys/policies/acl/*", "auth/approle/role", "auth/approle/role/*",
             "sys/policies/password", "sys/policies/password/*", "sys/quotas/rate-limit", "sys/quotas/rate-limit/*", "sys/plugins/catalog",
             "sys/plugins/catalog/*", "sys/storage/raft/configuration")
_SUDO = frozenset({"sys/audit", "sys/plugins/catalog/*"})   # paths that the server guards twice, also for reading
_OF_ENGINES = {"pki": ("issuers", "issuer/*", "roles", "roles/*"), "transit": ("keys", "keys/*"),
               "database": ("config", "config/*", "roles", "roles/*", "static-roles", "static-roles/*")}


def system_wants(system: str, audit_files: list[str], controller_cidrs: list[str], *, engines: Mapping[str, str] | None = None,
                 identity_ttl: int = 0, processes: Mapping[str, Any] | None = None) -> Wanted:
    """Return what a system needs: KV v2, two audit devices, and one AppRole for the controller with no more than it does.

    `engines` are further mounts by path and type, whose configuration the controller compares; `identity_ttl` (s) ends its secret id;
    `processes` are those that it introduces to the store.
    """
    kv = f"kv/data/{system}/"
    lines = [f'path "{kv}*" {{ capabilities = ["create", "read", "update"] }}',
             f'path "kv/metadata/{system}/*" {{ capabilities = ["read", "list"] }}',
             # A rotation stages the new value below next/ and destroys the old one once the venue refuses it.
             f'path "kv/metadata/{system}/next/*" {{ capabilities = ["read", "list", "delete"] }}',
             f'path "kv/destroy/{system}/*" {{ capabilities = ["update"] }}',
             # Encrypted by the store itself: who reads it needs the people's shares as well.
             'path "sys/storage/raft/snapshot" { capabilities = ["read"] }']
    for mount in (mount for mount, kind in sorted((engines or {}).items()) if kind == "database"):
        # Rotating means proving: it logs in with the password of before and of after.
        lines += [f'path "{mount}rotate-role/*" {{ capabilities = ["update"] }}',
                  f'path "{mount}static-creds/*" {{ capabilities = ["read"] }}']
    compares = [*_COMPARES, *(f"{mount}{rest}" for mount, kind in sorted((engines or {}).items()) for rest in _OF_ENGINES.get(kind, ()))]
    for path in compares:
        sudo = ', "sudo"' if path in _SUDO else ""
        lines.append(f'path "{path}" {{ capabilities = ["read", "list"{sudo}] }}')
    lines += introduces(system, processes or {})
    role = {"token_ttl": 1200, "token_max_ttl": 3600, "token_policies": [f"{system}-controller"], "secret_id_num_uses": 0,
            "secret_id_ttl": identity_ttl, "token_bound_cidrs": controller_cidrs, "secret_id_bound_cidrs": controller_cidrs,
            "bind_secret_id": True}
    return Wanted(mounts={"kv/": {"type": "kv", "options": {"version": "2"}}},
                  audits={f"file{index}/": {"type": "file", "options": {"file_path": path}} for index, path in enumerate(audit_files)},
                  policies={f"{system}-controller": "\n".join(lines) + "\n"}, roles={f"{system}-controller": role},
                  auths={"approle/": {"type": "approle"}})


WRAPPED_S = 300    # the time between a controller's run and the agent that opens what it was given
_DELIVERY = {"reads", "from", "token_period", "secret_id_ttl", "more"}


def processes_want(system: str, processes: Mapping[str, Mapping[str, Any]]) -> Wanted:
    """Return one policy and one AppRole for each process: it reads the secrets that it is given by name, from its own address, no more.

    `{name: {reads: [exchange/live], from: [10.0.0.5/32], token_period: s, secret_id_ttl: s, more: [policy lines]}}`. The token is
    periodic: it lives as long as it is renewed, and without the store for one period. The secret id works once and only for minutes.
    """
    policies: dict[str, str] = {}
    roles: dict[str, dict[str, Any]] = {}
    for name, one in processes.items():
        unknown = set(one) - _DELIVERY
        if unknown or not (one.get("reads") or one.get("more")):
            raise GoliveError(f"process {name} of the store is not described", found=", ".join(sorted(unknown)) or "no reads",
                              expected=f"reads: [paths below kv/{system}/], from: [addresses]", todo="correct secrets_processes")
        reads = [f'path "kv/data/{system}/{path}" {{ capabilities = ["read"] }}' for path in one.get("reads", [])]
        lines = [*reads, *one.get("more", [])]
        full = f"{system}-{name}"
        policies[full] = "\n".join(lines) + "\n"
        cidrs = list(one.get("from", []))
        roles[full] = {"token_policies": [full], "token_period": int(one.get("token_period", 3600)), "token_no_default_policy": False,
                       "secret_id_ttl": int(one.get("secret_id_ttl", 600)), "secret_id_num_uses": 1, "bind_secret_id": True,
                       "token_bound_cidrs": cidrs, "secret_id_bound_cidrs": cidrs}
    return Wanted(policies=policies, roles=roles)


def introduces(system: str, processes: Mapping[str, Any]) -> list[str]:
    """Return what lets the controller introduce these processes to the store: a secret id that it can only have wrapped, for minutes."""
    return [f'path "auth/approle/role/{system}-{name}/secret-id" {{ capabilities = ["update"] min_wrapping_ttl = "1s" '
            f'max_wrapping_ttl = "{WRAPPED_S}s" }}' for name in sorted(processes)]


_SECTIONS = {"mounts": "mount", "policies": "policy", "approles": "role", "auths": "auth", "password_policies": "password_policy",
             "quotas": "quota", "transit_keys": "transit_key", "pki_roots": "pki_root", "pki_intermediates": "pki_intermediate",
             "pki_roles": "pki_role", "plugins": "plugin", "databases": "database", "database_roles": "database_role",
             "database_static_roles": "database_static_role"}


def from_inventory(given: Mapping[str, Any]) -> Wanted:
    """Return what `secrets_config` describes. Raises GoliveError that names the section and the object that cannot be."""
    by_kind: dict[str, dict[str, Any]] = {}
    references: dict[str, dict[str, str]] = {}
    for section, objects in given.items():
        kind = _SECTIONS.get(section)
        if kind is None:
            raise GoliveError(f"secrets_config has no section {section}", expected=", ".join(sorted(_SECTIONS)))
        if not isinstance(objects, Mapping):
            raise GoliveError(f"secrets_config.{section} is no mapping of names", found=type(objects).__name__)
        for name, body in objects.items():
            label = f"secrets_config.{section}.{name}"
            if kind == "policy" or (kind == "password_policy" and isinstance(body, str)):
                by_kind.setdefault(kind, {})[str(name)] = str(body) if kind == "policy" else {"policy": str(body)}
                continue
            if not isinstance(body, Mapping):
                raise GoliveError(f"{label} is no mapping of fields", found=type(body).__name__)
            fields = {str(field_): value for field_, value in body.items() if field_ != "secret"}
            if body.get("secret"):
                references[f"{kind}:{name}"] = {str(field_): str(value) for field_, value in body["secret"].items()}
            table = BY_NAME.get(kind)
            allowed = None if table is None else table.fields
            if allowed is not None and set(fields) - allowed:
                raise GoliveError(f"{label} has fields that are not known", found=", ".join(sorted(set(fields) - allowed)),
                                  expected=", ".join(sorted(allowed)))
            if table is not None and (table.unseen & set(fields) - {"verify_connection"}):
                raise GoliveError(f"{label} holds a secret in clear", todo="put it under secret: as a reference")
            if ((table is not None and table.engine) or kind in {"plugin"}) and "/" not in str(name):
                raise GoliveError(f"{label} does not say in which mount it is", expected="<mount>/<name>")
            by_kind.setdefault(kind, {})[str(name)] = fields
    things = {kind: objects for kind, objects in by_kind.items() if kind in BY_NAME or kind in MADE}
    return Wanted(mounts=by_kind.get("mount", {}), policies=by_kind.get("policy", {}), roles=by_kind.get("role", {}),
                  auths=by_kind.get("auth", {}), things=things, references=references)


def joined(*parts: Wanted) -> Wanted:
    """Return all parts as one. Raises GoliveError when two parts want different things of one object."""
    whole: dict[str, dict[str, Any]] = {}
    references: dict[str, Mapping[str, str]] = {}
    for part in parts:
        for kind, objects in part.by_kind().items():
            for name, body in objects.items():
                if whole.setdefault(kind, {}).setdefault(name, body) != body:
                    raise GoliveError(f"{kind} {name} of the store is wanted in two ways", todo="leave it out of secrets_config")
        references |= part.references
    fixed = {"mounts": "mount", "audits": "audit", "policies": "policy", "roles": "role", "auths": "auth"}
    things = {kind: objects for kind, objects in whole.items() if kind not in fixed.values()}
    return replace(Wanted(things=things, references=references), **{one: whole.get(kind, {}) for one, kind in fixed.items()})


def differences(wanted: Wanted, current: Wanted) -> list[Difference]:
    """Return what has to be created or updated, and what is there and not in code (`surplus`: reported, never removed)."""
    found: list[Difference] = []
    wants, haves = wanted.by_kind(), current.by_kind()
    for kind in [one for one in ORDER if one in wants or one in haves]:
        want, have = wants.get(kind, {}), haves.get(kind, {})
        for name in sorted(set(want) | set(have)):
            if name not in want:
                if name not in OWN.get(kind, set()):
                    found.append(Difference(kind, name, "surplus", digest(_told(have[name])), None))
            elif name not in have:
                found.append(Difference(kind, name, "create", None, digest(want[name])))
            elif not _covers(_compared(kind, want[name]), have[name]):
                found.append(Difference(kind, name, "update", digest(_told(have[name])), digest(want[name])))
    return found


def _compared(kind: str, body: Any) -> Any:
    unseen = BY_NAME[kind].unseen if kind in BY_NAME else frozenset({"ttl", "root", "max_path_length"} if kind in MADE else ())
    return {name: value for name, value in body.items() if name not in unseen} if isinstance(body, Mapping) else body


def _told(body: Any) -> Any:
    """Return what the server told in a form that has a digest: its numbers may be fractions."""
    if isinstance(body, Mapping):
        return {str(name): _told(value) for name, value in body.items()}
    if isinstance(body, list):
        return [_told(one) for one in body]
    return str(body) if isinstance(body, float) else body


def _covers(want: Any, have: Any) -> bool:
    """Return whether everything that is wanted is so; the server answers with more fields than it was given."""
    if isinstance(want, Mapping):
        return isinstance(have, Mapping) and all((name in have or value in ([], {}, "", 0, False)) and _covers(value, have.get(name))
                                                 for name, value in want.items())
    if isinstance(want, list):
        return isinstance(have or [], list) and sorted(map(_plain, want)) == sorted(map(_plain, have or []))
    if have is None:
        return want in ("", 0, False, None)
    if isinstance(want, bool) or isinstance(have, bool):
        return str(want).lower() == str(have).lower()
    if want == have or str(want).strip() == str(have).strip():
        return True
    return _seconds(want) is not None and _seconds(want) == _seconds(have)


def _plain(item: Any) -> str:
    """Return a list's element as the server writes it: one address without its /32."""
    return str(item).strip().removesuffix("/32").removesuffix("/128")


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(value: Any) -> int | None:
    """Return a duration in seconds: the server takes `72h` and answers 259200, or `72h0m0s`."""
    text = str(value)
    if not re.fullmatch(r"\d+|(\d+[smhd])+", text):
        return None
    return int(text) if text.isdigit() else sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smhd])", text))
