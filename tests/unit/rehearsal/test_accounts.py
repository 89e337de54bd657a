"""Rehearsal keys: minted once, kept in the store, minted anew when either side lost them; a dry run mints nothing."""
from __future__ import annotations

import json
from typing import Any

import pytest
from golive.errors import GoliveError
from golive.rehearsal import accounts

WIRE = {"name": "wire", "balances": {"USDT": "200"}, "keys": [{"name": "wire", "rights": ["query-funds"], "secret": "vault:kv/s/wire#key"}]}


class Exchange:
    def __init__(self) -> None:
        self.accounts: list[dict[str, Any]] = []
        self.keys: list[dict[str, Any]] = []
        self.prefix = "SANDBOX"

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        if method == "GET":
            return {"accounts": self.accounts} if path == "accounts" else {"keys": self.keys}
        if path == "accounts":
            self.accounts.append({"name": body["name"]})
            return {}
        key = {"key": f"{self.prefix}{len(self.keys)}", "account": body["account"], "rights": body["rights"],
               "ip_allowlist": body["ip_allowlist"], "revoked": False}
        self.keys.append(key)
        return {**key, "secret": "s3cret"}


class Store(dict[str, str]):
    put = dict.__setitem__


def names(changes: list[dict[str, Any]]) -> list[str]:
    return [one["object"] for one in changes]


def test_four_runs_mint_once_and_the_prediction_is_what_happens() -> None:
    exchange, store = Exchange(), Store()
    predicted = accounts.accounts([WIRE], exchange, store, dry=True)
    assert (exchange.accounts, exchange.keys, store) == ([], [], {})
    assert accounts.accounts([WIRE], exchange, store, dry=False) == predicted
    assert json.loads(store["vault:kv/s/wire#key"]) == {"key": "SANDBOX0", "secret": "s3cret"}
    assert accounts.accounts([WIRE], exchange, store, dry=True) == []
    assert accounts.accounts([WIRE], exchange, store, dry=False) == []


@pytest.mark.parametrize("loss", ["store", "exchange", "revoked", "rights"])
def test_a_key_that_one_side_lost_is_minted_anew(loss: str) -> None:
    exchange, store = Exchange(), Store()
    accounts.accounts([WIRE], exchange, store, dry=False)
    if loss == "store":
        store.clear()
    elif loss == "exchange":
        exchange.keys.clear()
    elif loss == "revoked":
        exchange.keys[0]["revoked"] = True
    else:
        exchange.keys[0]["rights"] = ["query-funds", "withdraw"]
    assert names(accounts.accounts([WIRE], exchange, store, dry=False)) == ["sandbox_key:wire/wire"]
    assert accounts.accounts([WIRE], exchange, store, dry=False) == []


def test_a_key_without_the_rehearsal_mark_is_refused_and_not_stored() -> None:
    exchange, store = Exchange(), Store()
    exchange.prefix = "REAL"
    with pytest.raises(GoliveError, match="not marked as a rehearsal"):
        accounts.accounts([WIRE], exchange, store, dry=False)
    assert store == {}


def test_tokens_are_made_once() -> None:
    store = Store()
    assert names(accounts.tokens(["vault:kv/s/admin#token"], store, dry=False)) == ["secret:vault:kv/s/admin#token"]
    kept = dict(store)
    assert accounts.tokens(["vault:kv/s/admin#token"], store, dry=False) == []
    assert store == kept
