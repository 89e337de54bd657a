"""Calibration of the judge on Binance: a client that breaks one rule is judged for exactly that rule; a good one draws only pass."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .binance_client import RIGHTS, BinanceClient, another_key, open_account
from .conftest import Sandbox, eventually

LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.001", "price": "60000.00"}


def _profile(client: BinanceClient, **profile: Any) -> None:
    client.sandbox.ask("PATCH", "accounts/" + client.account, {"profile": profile}, 200)


def _key_unknown(client: BinanceClient) -> None:
    made = client.sandbox.ask("POST", "keys", {"account": client.account, "rights": RIGHTS}, 201)
    client.sandbox.ask("POST", "keys/%s/revoke" % made["key"], None, 200)
    assert BinanceClient(client.sandbox, made["key"], made["secret"], client.account).code("GET", "/api/v3/account") == -2015


def _ip(client: BinanceClient) -> None:
    assert another_key(client, ip_allowlist=["10.1.2.3"]).code("GET", "/api/v3/account") == -2015


def _signature(client: BinanceClient) -> None:
    assert client.code("GET", "/api/v3/account", flip=True) == -1022


def _timestamp(client: BinanceClient) -> None:
    assert client.code("GET", "/fapi/v3/account", timestamp=client.now() - 60_000) == -1021


def _right(client: BinanceClient) -> None:
    client.look()
    assert another_key(client, rights=["enableReading"]).code("POST", "/api/v3/order", **LIMIT) == -2015


def _protocol(client: BinanceClient) -> None:
    assert client.code("DELETE", "/api/v3/order", symbol="BTCUSDT") == -1102


def _filters(client: BinanceClient) -> None:
    client.look()
    assert client.code("POST", "/api/v3/order", **{**LIMIT, "price": "60000.005"}) == -1013


def _duplicate(client: BinanceClient) -> None:
    client.look()
    client.good("POST", "/api/v3/order", newClientOrderId="same", **LIMIT)
    assert client.code("POST", "/api/v3/order", newClientOrderId="same", **LIMIT) == -2010


def _blind_retry(client: BinanceClient) -> None:
    client.look(futures=True)
    client.sandbox.cruelty("drop_ack_after_execution", account=client.account, times=1)
    with pytest.raises(OSError):
        client.future(newClientOrderId=secrets.token_hex(8))
    client.future(newClientOrderId=secrets.token_hex(8))


def _no_stop(client: BinanceClient) -> None:
    _profile(client, stop_within_s=0.2)
    client.look(futures=True)
    client.future(side="SELL")
    eventually(lambda: client.sandbox.failed(client.account), "the late verdict falls")


def _stale(client: BinanceClient) -> None:
    _profile(client, stale_s=0.1)
    client.look("SOLUSDT")
    frozen = client.sandbox.cruelty("freeze_feed", pair="binance:SOLUSDT")
    try:
        client.sandbox.ask("POST", "clock", {"step": 1.0}, 200)
        client.look("SOLUSDT")
        client.good("POST", "/api/v3/order", symbol="SOLUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="1", price="60.00")
    finally:
        client.sandbox.ask("DELETE", "cruelties/" + frozen["id"], None, 200)


def _downtime(client: BinanceClient) -> None:
    now = datetime.fromtimestamp(client.now() / 1000, UTC)
    window = {"from": (now - timedelta(hours=1)).strftime("%H:%M:%S"), "to": (now + timedelta(hours=1)).strftime("%H:%M:%S")}
    _profile(client, downtime=[window])
    client.look()
    client.spot()


def _paper(client: BinanceClient) -> None:
    _profile(client, mode="paper")
    client.look()
    client.spot()


def _second_writer(client: BinanceClient) -> None:
    twin = BinanceClient(client.sandbox, client.key, client.secret, client.account, agent="second-copy")
    for writer in (client, twin, client):
        writer.good("GET", "/api/v3/account")


def _withdrawal(client: BinanceClient) -> None:
    greedy = another_key(client, rights=[*RIGHTS, "enableWithdrawals"])
    assert greedy.code("POST", "/sapi/v1/capital/withdraw/apply", coin="USDT", address="x", amount="1") == -4026


BREAKS: dict[str, Callable[[BinanceClient], None]] = {
    "key_known": _key_unknown,
    "ip": _ip,
    "signature": _signature,
    "timestamp": _timestamp,
    "key_right": _right,
    "protocol": _protocol,
    "filters": _filters,
    "duplicate_client_id": _duplicate,
    "idempotent_retry": _blind_retry,
    "order_without_stop": _no_stop,
    "entry_on_stale_data": _stale,
    "order_in_downtime": _downtime,
    "order_in_paper_mode": _paper,
    "second_writer": _second_writer,
    "withdrawal": _withdrawal,
}
#: Binance has no nonce; its rate limits are a test of their own (one address has one budget)
ELSEWHERE = {"nonce_rising", "rate_budget"}


@pytest.mark.parametrize("rule", sorted(BREAKS))
def test_the_broken_rule_is_named_and_no_other(binance: Sandbox, rule: str) -> None:
    client = open_account(binance, "bad-" + rule)
    BREAKS[rule](client)
    assert binance.failed(client.account) == {rule}


def test_every_rule_of_the_judge_has_a_break(binance: Sandbox) -> None:
    assert set(binance.ask("GET", "rules")["rules"]) == set(BREAKS) | ELSEWHERE


def test_weights_are_told_then_429_then_418(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(venues=["binance_usdm"], binance_weights={"usdm": 40}, market={"history_min": 1})
    client = open_account(sandbox, "greedy")
    sandbox.ask("POST", "clock", {"freeze": True}, 200)
    sandbox.ask("POST", "clock", {"step": 61}, 200)
    statuses = [client.call("GET", "/fapi/v3/account")[0] for _ in range(21)]
    assert statuses == [200] * 8 + [429] * 10 + [418] * 3
    assert client.last_headers is not None
    assert int(client.last_headers["Retry-After"]) >= 118
    assert sandbox.failed("greedy") <= {"rate_budget"}
    sandbox.ask("POST", "clock", {"step": 121}, 200)
    client.good("GET", "/fapi/v3/account")
    assert client.last_headers["X-MBX-USED-WEIGHT-1M"] == "5"
    assert sandbox.failed("greedy") == {"rate_budget"}


def test_too_many_orders_in_ten_seconds_are_refused(binance: Sandbox) -> None:
    client = open_account(binance, "hasty", spot="100000")
    client.look()
    codes = []
    for number in range(130):
        status, answer = client.call("POST", "/api/v3/order", **{**LIMIT, "newClientOrderId": "h%d" % number})
        if status == 200:
            client.good("DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=answer["orderId"])
        else:
            codes.append(answer["code"])
        if codes:
            break
    # A loaded machine may need more than ten seconds for a hundred orders; then nothing was exceeded.
    assert codes in ([-1015], [])
    assert binance.failed("hasty") == ({"rate_budget"} if codes else set())


def _trade_well(client: BinanceClient, rounds: int) -> None:
    for _ in range(rounds):
        last = client.look(futures=True)
        entry = client.future(newClientOrderId=secrets.token_hex(8))
        stop = client.good(
            "POST",
            "/fapi/v1/algoOrder",
            algoType="CONDITIONAL",
            symbol="BTCUSDT",
            side="SELL",
            type="STOP_MARKET",
            triggerPrice="%.1f" % (last * 0.9),
            closePosition="true",
            clientAlgoId=secrets.token_hex(8),
        )
        client.good("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=entry["orderId"])
        client.good("DELETE", "/fapi/v1/algoOrder", algoId=stop["algoId"])
        client.future(side="SELL", reduceOnly="true", newClientOrderId=secrets.token_hex(8))
        client.good("GET", "/fapi/v3/positionRisk")


def test_known_good_client_draws_only_pass(binance: Sandbox) -> None:
    client = open_account(binance, "good", tier="unlimited", profile={"mode": "live", "stale_s": 3600, "stop_within_s": 3600})
    _trade_well(client, 15)
    report = binance.verdicts("good")
    assert report["totals"]["requests"] == 15 * 6
    assert (report["totals"]["fail"], report["totals"]["unjudged"]) == (0, 0)
    assert report["rules"]["duplicate_client_id"]["pass"] == 45


def test_entry_without_any_market_data_from_here_is_unjudged_not_pass(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(venues=["binance"])
    open_account(sandbox, "blind", futures="").spot()
    assert sandbox.unjudged("blind") == {"entry_on_stale_data"}


def test_no_record_holds_a_secret_or_a_signature(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(venues=["binance", "binance_usdm"])
    client = open_account(sandbox, "quiet")
    client.good("GET", "/api/v3/account")
    listen = client.good("POST", "/fapi/v1/listenKey")["listenKey"]
    client.call("GET", "/api/v3/account", flip=True)
    sandbox.stop()
    for path in (sandbox.directory / "state").iterdir():
        text = path.read_text()
        for canary in (client.secret, listen, "signature="):
            assert canary not in text or path.name == "keys.json", path
    assert client.secret not in sandbox.log.read_text()
