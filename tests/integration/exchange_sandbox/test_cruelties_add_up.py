"""Two equal cruelties at once add up, and one's end does not undo the other."""

from __future__ import annotations

import pytest

from .conftest import Client, Sandbox


@pytest.fixture
def bot(shared: Sandbox) -> tuple[Sandbox, Client, str]:
    name = "a-%d" % len(shared.ask("GET", "accounts")["accounts"])
    shared.ask("DELETE", "cruelties", None, 200)
    shared.account(name, tier="unlimited")
    client = shared.key(name)
    client.look()
    return shared, client, name


def _latency(sandbox: Sandbox, name: str) -> float:
    return float(sandbox.ask("GET", "requests?account=%s" % name)["requests"][-1]["latency_ms"])


def test_two_delays_are_summed(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, name = bot
    for _ in range(2):
        sandbox.cruelty("latency", account=name, ms=400)
    client.good("Balance")
    assert _latency(sandbox, name) >= 800


def test_two_that_end_after_one_hit_strike_two_requests(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, name = bot
    order = {"pair": "SHIBUSDT", "type": "buy", "ordertype": "limit", "price": "0.00000100", "volume": "600000"}
    for _ in range(2):
        sandbox.cruelty("cancel_fails_once", account=name)
        sandbox.cruelty("reject_orders", account=name, times=1)
    answers = [client.call("AddOrder", **order)["error"] for _ in range(3)]
    assert answers == [["EOrder:Insufficient funds"]] * 2 + [[]]
    assert [client.call("CancelAll")["error"] for _ in range(3)] == [["EService:Busy"]] * 2 + [[]]


def test_two_wide_spreads_multiply_and_the_first_end_leaves_the_second(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, _ = bot

    def spread() -> float:
        row = client.look("XRPUSDT")
        return float(row["a"][0]) / float(row["b"][0]) - 1

    one = sandbox.cruelty("thin_book", pair="XRPUSDT", factor=5)
    alone = spread()
    two = sandbox.cruelty("thin_book", pair="XRPUSDT", factor=5)
    assert spread() > 3 * alone
    sandbox.ask("DELETE", "cruelties/" + one["id"], None, 200)
    assert alone / 2 < spread() < alone * 2
    sandbox.ask("DELETE", "cruelties/" + two["id"], None, 200)
    assert spread() < alone / 2


@pytest.mark.parametrize("name", ["maintenance", "empty_book", "freeze_feed"])
def test_the_end_of_one_does_not_lift_the_other(bot: tuple[Sandbox, Client, str], name: str) -> None:
    sandbox, _, _ = bot
    params = {} if name == "maintenance" else {"pair": "SOLUSDT"}
    first, second = sandbox.cruelty(name, **params), sandbox.cruelty(name, **params)

    def struck() -> bool:
        row = sandbox.ask("GET", "markets")["markets"]["SOL/USDT"]
        return bool(row["status"] == "maintenance" or row["pattern"] == "freeze" or not row["bids"])

    assert struck()
    sandbox.ask("DELETE", "cruelties/" + first["id"], None, 200)
    assert struck()
    sandbox.ask("DELETE", "cruelties/" + second["id"], None, 200)
    assert not struck()


def test_two_skews_of_the_clock_are_summed(bot: tuple[Sandbox, Client, str]) -> None:
    import json

    from .conftest import http

    sandbox, client, name = bot
    client.good("Balance")
    for _ in range(2):
        sandbox.cruelty("clock_skew", account=name, seconds=1000)
    shown = json.loads(http("GET", sandbox.venue + "/0/public/Time")[2])["result"]["unixtime"]
    assert 1900 < shown - sandbox.ask("GET", "clock")["now"] < 2100
