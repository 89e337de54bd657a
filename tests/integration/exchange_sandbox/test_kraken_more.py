"""Kraken's rarer private endpoints: single ledger entries, the history of an order's terms, credit lines."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from .conftest import Client, Sandbox


def _bot(sandbox: Sandbox, name: str) -> Client:
    sandbox.account(name)
    client = sandbox.key(name)
    client.look()
    return client


def test_ledger_entries_can_be_asked_for_one_by_one(shared: Sandbox) -> None:
    client = _bot(shared, "ledgers")
    client.buy()
    listed: dict[str, Any] = client.good("Ledgers")["ledger"]
    first, second = list(listed)[:2]
    assert client.good("QueryLedgers", id="%s,%s" % (first, second)) == {name: listed[name] for name in (first, second)}
    assert client.call("QueryLedgers", id="LNONE0-00000-000000")["error"] == ["EQuery:Unknown ledger"]
    assert client.call("QueryLedgers")["error"] == ["EGeneral:Invalid arguments:id"]
    stranger = _bot(shared, "stranger")
    assert stranger.call("QueryLedgers", id=first)["error"] == ["EQuery:Unknown ledger"]


def test_the_history_of_an_orders_terms_survives_a_restart(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox()
    client = _bot(sandbox, "bot")
    order = client.good("AddOrder", pair="SHIBUSDT", type="buy", ordertype="limit", price="0.000005", volume="700000")["txid"][0]
    assert client.good("OrderAmends", order_id=order) == {"count": 0, "amends": []}
    amended = client.good("AmendOrder", txid=order, order_qty="600000", limit_price="0.000004")["amend_id"]
    told = client.good("OrderAmends", order_id=order)
    assert [(row["amend_type"], row["order_qty"], row["limit_price"]) for row in told["amends"]] == [
        ("original", "700000.00000", "0.00000500"),
        ("user", "600000.00000", "0.00000400"),
    ]
    assert told["amends"][1]["amend_id"] == amended
    sandbox.stop(signal.SIGKILL)
    sandbox.start()
    assert client.good("OrderAmends", order_id=order) == told
    assert client.call("OrderAmends", order_id="O")["error"] == ["EOrder:Unknown order"]


def test_an_account_without_a_credit_line_has_none(shared: Sandbox) -> None:
    assert _bot(shared, "credit").good("CreditLines") is None


def test_every_endpoint_with_a_right_is_served() -> None:
    from exchange_sandbox.venues.kraken.auth import RIGHTS
    from exchange_sandbox.venues.kraken.private import Private

    nothing: Any = None
    assert set(Private(nothing, nothing).endpoints) == set(RIGHTS)
