"""Reads the store's configuration and makes it what it should be, object by object, through one authenticated client."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import hvac

from ..errors import GoliveError
from . import authority
from .client import said
from .kinds import BY_NAME, KINDS, ORDER, flattened
from .wanted import Difference, Wanted

_AT_ONCE = 8    # questions under way at a time: 200 objects are read in the time of 25


class _Asker:
    """Asks for lists and objects. A list that may not be read is empty if that is allowed: a controller of an older release may not
    read what a newer one compares, until its policy was widened by this very run."""

    def __init__(self, client: hvac.Client, *, strict: bool) -> None:
        self.client, self.strict = client, strict

    def names(self, path: str) -> list[str]:
        answer = self._list(lambda: self.client.list(path), path)
        return list(answer["data"]["keys"]) if answer else []

    def plugins(self) -> dict[str, Any]:
        """Return the plugins that are not the server's own, as `<type>/<name>`."""
        answer = self._list(lambda: self.client.read("sys/plugins/catalog"), "sys/plugins/catalog")
        listed = (answer["data"].get("detailed") or []) if answer else []
        names = [f"{one['type']}/{one['name']}" for one in listed if not one.get("builtin")]
        return self.each("plugin", names, lambda name: f"sys/plugins/catalog/{name}")

    def each(self, what: str, names: Iterable[str], path: Callable[[str], str]) -> dict[str, Any]:
        def ask(name: str) -> tuple[str, Any]:
            answer = said(lambda: self.client.read(path(name)), f"read {what} {name}")
            return name, answer["data"] if answer else None

        listed = list(names)
        if not listed:
            return {}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return {name: body for name, body in pool.map(ask, listed) if body is not None}

    def _list(self, question: Callable[[], Any], path: str) -> Any:
        try:
            return said(question, f"list {path}")
        except GoliveError as exc:
            if self.strict or "permission denied" not in str(exc):
                raise
            return None


def current(client: hvac.Client, wanted: Wanted, *, strict: bool = True) -> Wanted:
    """Return what is there: everything of the store itself, and of each engine that is wanted the objects in it."""
    asker = _Asker(client, strict=strict)
    mounts = said(client.sys.list_mounted_secrets_engines, "list its mounts")["data"]
    audits = said(client.sys.list_enabled_audit_devices, "list its audit devices")["data"]
    auths = said(client.sys.list_auth_methods, "list its auth methods")["data"]
    policies = asker.each("policy", [name for name in asker.names("sys/policies/acl") if name not in {"root", "default"}],
                          lambda name: f"sys/policies/acl/{name}")
    roles = asker.each("role", asker.names("auth/approle/role") if "approle/" in auths else [], lambda name: f"auth/approle/role/{name}")
    engines = {path: str(one.get("type")) for path, one in wanted.mounts.items() if path in mounts}
    things: dict[str, dict[str, Any]] = {"plugin": asker.plugins()}
    for kind in KINDS:
        places = [""] if kind.engine is None else [path for path, engine in engines.items() if engine == kind.engine]
        listed = [place + name for place in places for name in asker.names(kind.listed.format(mount=place.rstrip("/")))]
        found = asker.each(kind.name, listed, lambda name, kind=kind: kind.at(name, kind.path))  # type: ignore[misc]
        things[kind.name] = {name: flattened(kind.name, body) for name, body in found.items()}
    things |= authority.current(client, wanted, [path for path, engine in engines.items() if engine == "pki"])
    return Wanted({path: one for path, one in mounts.items() if path not in {"sys/", "identity/", "cubbyhole/"}}, audits,
                  {name: one["policy"] for name, one in policies.items()}, roles, auths, things)


def apply(client: hvac.Client, wanted: Wanted, found: list[Difference], resolve: Callable[[str], str] | None = None) -> None:
    """Create and update what differs. Audit devices come first, so that the store's own set-up is on record."""
    for one in sorted(found, key=lambda difference: ORDER.index(difference.kind)):
        if one.op != "surplus":
            _apply(client, wanted, one, resolve)


def _apply(client: hvac.Client, wanted: Wanted, one: Difference, resolve: Callable[[str], str] | None) -> None:
    name, what = one.name, f"{one.op} {one.kind} {one.name}"
    if one.kind == "audit":
        device = wanted.audits[name]
        if one.op == "update":
            raise GoliveError(f"audit device {name} differs from code", todo="disable it by hand, keep its old log, run again")
        said(lambda: client.sys.enable_audit_device(device["type"], path=name.rstrip("/"), options=dict(device["options"])), what)
    elif one.kind == "mount":
        _mount(client, name, wanted.mounts[name], one.op, what)
    elif one.kind == "auth":
        if one.op == "update":
            raise GoliveError(f"auth method {name} is not what it should be", todo="its roles would be lost by making it anew; look first")
        said(lambda: client.sys.enable_auth_method(str(wanted.auths[name]["type"]), path=name.rstrip("/")), what)
    elif one.kind == "policy":
        said(lambda: client.sys.create_or_update_acl_policy(name, wanted.policies[name]), what)
    elif one.kind == "role":
        said(lambda: client.auth.approle.create_or_update_approle(name, **dict(wanted.roles[name])), what)
    elif one.kind == "plugin":
        kind, _, plugin = name.partition("/")
        _write(client, f"sys/plugins/catalog/{kind}/{plugin}", wanted.things["plugin"][name], what)
    elif one.kind in {"pki_root", "pki_intermediate"}:
        authority.make(client, one.kind, name, wanted.things[one.kind][name])
    else:
        _thing(client, wanted, one, resolve, what)


def _mount(client: hvac.Client, name: str, mount: Mapping[str, Any], op: str, what: str) -> None:
    if op == "create":
        said(lambda: client.sys.enable_secrets_engine(mount["type"], path=name.rstrip("/"), options=mount.get("options"),
                                                      config=mount.get("config"), description=mount.get("description")), what)
        return
    there = said(client.sys.list_mounted_secrets_engines, "list its mounts")["data"][name]
    kept = {one: mount.get(one) for one in ("type", "options") if one in mount}
    if any((there.get(one) or None) != (value or None) for one, value in kept.items()):
        raise GoliveError(f"mount {name} is not what it should be", todo="its secrets would be lost by remounting; move them first")
    _write(client, f"sys/mounts/{name.rstrip('/')}/tune", {**mount.get("config", {}), "description": mount.get("description", "")}, what)


def _thing(client: hvac.Client, wanted: Wanted, one: Difference, resolve: Callable[[str], str] | None, what: str) -> None:
    kind, body = BY_NAME[one.kind], dict(wanted.things[one.kind][one.name])
    path = kind.at(one.name, kind.path)
    if one.op == "update":
        there = flattened(kind.name, said(lambda: client.read(path), f"read {one.kind} {one.name}")["data"])
        fixed = sorted(field for field in kind.once & set(body) if str(there.get(field)) != str(body[field]))
        if fixed:
            raise GoliveError(f"{one.kind} {one.name} cannot be changed in {', '.join(fixed)}", found=str(there.get(fixed[0])),
                              expected=str(body[fixed[0]]), todo="make a new one under another name and move what uses it")
        _write(client, kind.at(one.name, kind.change or kind.path),
               {name: value for name, value in body.items() if kind.change is None or name not in kind.once}, what)
        return
    named = wanted.references.get(f"{one.kind}:{one.name}", {})
    if named and resolve is None:
        raise GoliveError(f"{one.kind} {one.name} needs a secret and nobody can resolve it", found=", ".join(named))
    secret = {field: resolve(reference) for field, reference in named.items()} if resolve is not None else {}
    if kind.change is not None:
        _write(client, path, {name: value for name, value in body.items() if name in kind.once}, what)
        body = {name: value for name, value in body.items() if name not in kind.once}
        path = kind.at(one.name, kind.change)
    if body or secret or kind.change is None:
        _write(client, path, {**body, **secret}, what)
    if one.kind == "database" and secret:
        # From here on nobody but the store knows this password, not even who wrote it into the store.
        mount, _, rest = one.name.partition("/")
        said(lambda: client.write_data(f"{mount}/rotate-root/{rest}", data={}), f"rotate the password of {one.name}")


def _write(client: hvac.Client, path: str, data: Mapping[str, Any], what: str) -> None:
    said(lambda: client.write_data(path, data=dict(data)), what)
