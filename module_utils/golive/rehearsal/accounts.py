"""Accounts and keys at the rehearsal exchange, each key in the store and nowhere else. Repeatable: a lost answer mints a new key."""
from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..canonical import digest, fingerprint
from ..errors import GoliveError


class Exchange(Protocol):
    """The admin API of the rehearsal exchange: `ask(method, path, body)` returns the decoded answer."""

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]: ...


class Store(Protocol):
    """The secret store by reference: None where nothing is there."""

    def get(self, reference: str) -> str | None: ...

    def put(self, reference: str, value: str) -> None: ...


def tokens(references: Sequence[str], store: Store, *, dry: bool) -> list[dict[str, Any]]:
    """Make a random token for each reference that holds none, and return the changes."""
    missing = [reference for reference in references if store.get(reference) is None]
    for reference in missing if not dry else []:
        store.put(reference, secrets.token_urlsafe(32))
    return [_change(f"secret:{reference}", "create", None) for reference in missing]


def accounts(wanted: Sequence[Mapping[str, Any]], exchange: Exchange, store: Store, *, dry: bool) -> list[dict[str, Any]]:
    """Open each account and mint each key that is not there, store the key, and return the changes.

    A key counts as there when the store holds one that the exchange knows, unrevoked, with these rights and this allow-list.
    """
    there = {one["name"] for one in exchange.ask("GET", "accounts")["accounts"]}
    known = {one["key"]: one for one in exchange.ask("GET", "keys")["keys"] if not one["revoked"]}
    changes: list[dict[str, Any]] = []
    for account in wanted:
        name = account["name"]
        if name not in there:
            changes.append(_change(f"sandbox_account:{name}", "create", digest(dict(account["balances"]))))
            if not dry:
                more = {field: account[field] for field in ("tier", "limits") if field in account}
                exchange.ask("POST", "accounts", {"name": name, "balances": account["balances"],
                                                  "profile": account.get("profile") or {}, **more})
        for key in account["keys"]:
            if not _holds(store.get(key["secret"]), key, name, known):
                changes.append(_change(f"sandbox_key:{name}/{key['name']}", "create", digest(sorted(key["rights"]))))
                if not dry:
                    _mint(exchange, store, name, key)
    return changes


def _holds(stored: str | None, key: Mapping[str, Any], account: str, known: Mapping[str, Mapping[str, Any]]) -> bool:
    if stored is None:
        return False
    try:
        there = known.get(json.loads(stored)["key"])
    except (ValueError, KeyError, TypeError):
        return False
    return (there is not None and there["account"] == account and sorted(there["rights"]) == sorted(key["rights"])
            and sorted(there["ip_allowlist"]) == sorted(key.get("ip_allowlist") or []))


def _mint(exchange: Exchange, store: Store, account: str, key: Mapping[str, Any]) -> None:
    made = exchange.ask("POST", "keys", {
        "account": account, "venue": key.get("venue", "kraken"), "rights": key["rights"], "name": key["name"],
        "ip_allowlist": key.get("ip_allowlist") or [], "nonce_window": key.get("nonce_window", 0)})
    if not str(made.get("key", "")).startswith("SANDBOX"):
        raise GoliveError("the exchange minted a key that is not marked as a rehearsal's", found=fingerprint(str(made.get("key"))),
                          todo="this is no rehearsal exchange: check sandbox_admin_url")
    store.put(key["secret"], json.dumps({"key": made["key"], "secret": made["secret"]}))


def _change(name: str, op: str, after: str | None) -> dict[str, Any]:
    return {"object": name, "op": op, "before": None, "after": after}
