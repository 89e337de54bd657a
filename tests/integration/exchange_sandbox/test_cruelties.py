"""Each cruelty is seen to do what its catalogue entry says, to whom it says, and to end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import pytest

from .conftest import Client, Sandbox, eventually, http

FAR = {"pair": "SHIBUSDT", "type": "buy", "ordertype": "limit", "price": "0.00000100", "volume": "600000"}
STREAM_S = 20


@pytest.fixture
def bot(shared: Sandbox) -> Iterator[tuple[Sandbox, Client, str]]:
    name = "c-%d" % len(shared.ask("GET", "accounts")["accounts"])
    shared.account(name, tier="unlimited")
    client = shared.key(name)
    client.look()
    client.good("Balance")
    yield shared, client, name
    shared.ask("DELETE", "cruelties", None, 200)


def _raw(client: Client, endpoint: str, **params: Any) -> tuple[int, dict[str, str], bytes]:
    from urllib.parse import urlencode

    path, number = "/0/private/" + endpoint, str(client.nonce())
    body = urlencode({"nonce": number, **params}).encode()
    return http(
        "POST",
        client.venue + path,
        body,
        {
            "API-Key": client.key,
            "API-Sign": client.sign(path, number, body),
            "User-Agent": client.agent,
            "Content-Type": "application/x-www-form-urlencoded",
        },
    )


def test_every_cruelty_says_what_it_imitates(shared: Sandbox) -> None:
    known = shared.ask("GET", "cruelties")["known"]
    assert len(known) >= 30
    assert all(spec["title"] and len(spec["imitates"]) > 10 for spec in known.values())


def test_latency_holds_the_answer_back(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, name = bot
    sandbox.cruelty("latency", account=name, ms=300)
    client.good("Balance")
    newest = sandbox.ask("GET", "requests?account=%s" % name)["requests"][-1]
    assert round(newest["latency_ms"]) >= 300  # the loop counts whole milliseconds
    assert newest["cruelties"] == ["latency"]


@pytest.mark.parametrize(
    ("name", "params", "status", "part"),
    [
        ("http_5xx", {"status": 520}, 520, b"error code: 520"),
        ("html_error", {"status": 502}, 502, b"<html>"),
        ("rate_limit", {"status": 429}, 429, b"EAPI:Rate limit exceeded"),
        ("rate_limit", {}, 200, b"EAPI:Rate limit exceeded"),
    ],
)
def test_errors_of_the_front_come_instead_of_an_answer(
    bot: tuple[Sandbox, Client, str], name: str, params: dict[str, Any], status: int, part: bytes
) -> None:
    sandbox, client, account = bot
    sandbox.cruelty(name, account=account, **params)
    found, _, body = _raw(client, "AddOrder", **FAR)
    assert found == status
    assert part in body
    assert sandbox.state(account)["orders"]["total"] == 0


def test_half_json_breaks_off_an_answer_of_an_executed_order(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, name = bot
    sandbox.cruelty("half_json", account=name)
    with pytest.raises(json.JSONDecodeError):
        client.call("AddOrder", **FAR)
    assert sandbox.state(name)["open_orders"] == 1


def test_timeouts_hold_and_close_without_an_answer(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, name = bot
    sandbox.cruelty("timeouts", account=name, hold_s=0.3)
    with pytest.raises(OSError):
        client.call("AddOrder", **FAR)
    assert sandbox.state(name)["open_orders"] == 0


def test_dropped_acknowledgement_leaves_an_executed_order_behind(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, name = bot
    sandbox.cruelty("drop_ack_after_execution", account=name, times=1)
    with pytest.raises(OSError):
        client.call("AddOrder", **FAR)
    assert sandbox.state(name)["open_orders"] == 1
    client.good("AddOrder", **FAR)


def test_rejects_use_the_venues_words_and_end_after_so_many(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, name = bot
    sandbox.cruelty("reject_orders", account=name, times=2, error="EOrder:Insufficient funds")
    answers = [client.call("AddOrder", **FAR)["error"] for _ in range(3)]
    assert answers == [["EOrder:Insufficient funds"], ["EOrder:Insufficient funds"], []]


def test_a_ratio_strikes_about_so_many_and_the_same_ones_for_a_seed(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, name = bot
    sandbox.cruelty("http_5xx", account=name, ratio=0.3)
    struck = sum(_raw(client, "Balance")[0] == 503 for _ in range(100))
    assert 10 <= struck <= 55


def test_cancel_fails_once_then_works(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, name = bot
    client.good("AddOrder", **FAR)
    sandbox.cruelty("cancel_fails_once", account=name)
    assert client.call("CancelAll")["error"] == ["EService:Busy"]
    assert client.good("CancelAll")["count"] == 1


def test_balance_sources_fail_one_by_one(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, name = bot
    sandbox.cruelty("balance_source_failure", account=name, endpoints="Balance,TradeBalance")
    assert client.call("Balance")["error"] == ["EService:Unavailable"]
    assert client.good("BalanceEx")["USDT"]["balance"] == "1000.00000000"
    client.good("AddOrder", **FAR)


def test_a_cruelty_for_one_account_leaves_others_alone(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, name = bot
    sandbox.account(name + "-b", tier="unlimited")
    other = sandbox.key(name + "-b")
    sandbox.cruelty("http_5xx", account=name)
    assert _raw(client, "Balance")[0] == 503
    assert _raw(other, "Balance")[0] == 200


def test_a_cruelty_ends_by_itself(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, name = bot
    sandbox.cruelty("http_5xx", account=name, for_s=0.5)
    eventually(lambda: _raw(client, "Balance")[0] == 200, "the cruelty ends")


def test_maintenance_is_announced_and_refuses_private_calls(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, _name = bot
    item = sandbox.cruelty("maintenance")
    assert json.loads(http("GET", sandbox.venue + "/0/public/SystemStatus")[2])["result"]["status"] == "maintenance"
    assert client.call("Balance")["error"] == ["EService:Unavailable"]
    assert client.call("CancelAll")["error"] == ["EService:Unavailable"]
    sandbox.ask("DELETE", "cruelties/" + item["id"], None, 200)
    client.good("Balance")


@pytest.mark.parametrize(
    ("name", "order", "error"),
    [
        ("cancel_only", FAR, "EService:Market in cancel_only mode"),
        ("post_only", {**FAR, "ordertype": "market"}, "EService:Market in post_only mode"),
        ("delisting", FAR, "EQuery:Unknown asset pair"),
    ],
)
def test_market_modes_refuse_orders_but_not_cancels(bot: tuple[Sandbox, Client, str], name: str, order: dict[str, str], error: str) -> None:
    sandbox, client, _account = bot
    txid = client.good("AddOrder", **FAR)["txid"][0]
    sandbox.cruelty(name, pair="SHIBUSDT")
    assert client.call("AddOrder", **order)["error"] == [error]
    assert client.good("CancelOrder", txid=txid)["count"] == 1


def test_clock_skew_shows_a_wrong_time(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, _client, name = bot
    sandbox.cruelty("clock_skew", account=name, seconds=500)
    shown = json.loads(http("GET", sandbox.venue + "/0/public/Time")[2])["result"]["unixtime"]
    assert 450 < shown - sandbox.ask("GET", "clock")["now"] < 550


def test_a_revoked_key_is_invalid_in_mid_session_and_that_is_not_the_clients_fault(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, name = bot
    item = sandbox.cruelty("key_revoked", account=name)
    assert client.call("Balance")["error"] == ["EAPI:Invalid key"]
    sandbox.ask("DELETE", "cruelties/" + item["id"], None, 200)
    client.good("Balance")
    assert sandbox.failed(name) == set()


def test_a_removed_right_is_denied(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, name = bot
    sandbox.cruelty("right_removed", account=name, right="modify-trades")
    assert client.call("AddOrder", **FAR)["error"] == ["EGeneral:Permission denied"]
    assert sandbox.failed(name) == set()


def test_price_jump_moves_ticker_and_fires_stops(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, _name = bot
    client.buy()
    last = float(client.look()["c"][0])
    stop = client.good("AddOrder", pair="SHIBUSDT", type="sell", ordertype="stop-loss", price="%.8f" % (last * 0.8), volume="600000")[
        "txid"
    ][0]
    sandbox.cruelty("price_jump", pair="SHIBUSDT", pct=-50)
    eventually(lambda: client.good("QueryOrders", txid=stop)[stop]["status"] == "closed", "the stop is carried out")
    assert float(client.look()["c"][0]) < last * 0.7
    sandbox.ask("POST", "markets/SHIBUSDT/price", {"price": "0.00000850"}, 200)


def test_an_empty_book_fills_nothing(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, _ = bot
    sandbox.cruelty("empty_book", pair="SOLUSDT")
    assert json.loads(http("GET", sandbox.venue + "/0/public/Depth?pair=SOLUSDT")[2])["result"]["SOLUSDT"] == {"asks": [], "bids": []}
    txid = client.good("AddOrder", pair="SOLUSDT", type="buy", ordertype="market", volume="0.1")["txid"][0]
    assert client.good("QueryOrders", txid=txid)[txid]["vol_exec"] == "0.00000000"


def test_a_thin_book_has_a_wide_spread(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, _ = bot
    sandbox.cruelty("thin_book", pair="ETHUSDT", factor=50)
    row = client.look("ETHUSDT")
    assert float(row["a"][0]) / float(row["b"][0]) > 1.02


def test_losing_fills_lose_and_the_price_recovers_after_the_exit(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, name = bot
    sandbox.cruelty("losing_fills", account=name, pct=40)
    for _ in range(2):
        before = float(client.look("XRPUSDT")["c"][0])
        client.good("AddOrder", pair="XRPUSDT", type="buy", ordertype="market", volume="10")
        eventually(lambda before=before: float(client.look("XRPUSDT")["b"][0]) < before * 0.75, "the price falls after the entry")
        client.good("AddOrder", pair="XRPUSDT", type="sell", ordertype="market", volume="10")
        eventually(lambda before=before: float(client.look("XRPUSDT")["b"][0]) > before * 0.85, "the price recovers after the exit")
    assert float(sandbox.state(name)["equity_usd"]) < 1000 - 2 * 0.25 * 20


# -- streams -------------------------------------------------------------------------------------------------------------


async def _open(sandbox: Sandbox, client: Client, work: Callable[[Any], Any]) -> Any:
    token = client.good("GetWebSocketsToken")["token"]
    async with aiohttp.ClientSession() as session, session.ws_connect(sandbox.venue.replace("http", "ws") + "/v2") as socket:
        assert (await _next(socket, "status"))["data"][0]["api_version"] == "v2"
        await socket.send_json({"method": "subscribe", "req_id": 1, "params": {"channel": "executions", "token": token}})
        assert (await _next(socket, "executions"))["sequence"] == 1
        return await work(socket)


async def _next(socket: Any, channel: str) -> Any:
    end = time.monotonic() + STREAM_S
    while time.monotonic() < end:
        message = await socket.receive(timeout=STREAM_S)
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise ConnectionError(message.type)
        data = json.loads(message.data)
        if data.get("channel") == channel or data.get("method") == channel:
            return data
    raise AssertionError("no %s message" % channel)


async def _raw_texts(socket: Any, stop: Callable[[list[str]], bool]) -> list[str]:
    texts: list[str] = []
    end = time.monotonic() + STREAM_S
    while not stop(texts):
        assert time.monotonic() < end, texts[-3:]
        message = await socket.receive(timeout=STREAM_S)
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise ConnectionError(message.type)
        texts.append(message.data)
    return texts


async def _raw_texts_until_silence(socket: Any) -> None:
    """Read on; what was on its way when the silence began still arrives."""
    for _ in range(1_000):
        await socket.receive(timeout=2.5)


async def _subscribe(socket: Any, channel: str, symbol: str, **params: Any) -> None:
    await socket.send_json({"method": "subscribe", "params": {"channel": channel, "symbol": [symbol], **params}})


def test_ws_drop_cuts_without_a_close_frame(bot: tuple[Sandbox, Client, str], run: Any) -> None:
    sandbox, client, name = bot

    async def work(socket: Any) -> None:
        sandbox.cruelty("ws_drop", account=name, every_s=1)
        await _raw_texts(socket, lambda texts: False)

    with pytest.raises((ConnectionError, aiohttp.ClientError)):
        run(_open(sandbox, client, work))


def test_ws_silence_keeps_the_socket_open_and_says_nothing(bot: tuple[Sandbox, Client, str], run: Any) -> None:
    sandbox, client, name = bot

    async def work(socket: Any) -> Any:
        await _subscribe(socket, "ticker", "BTC/USD")
        await _next(socket, "ticker")
        sandbox.cruelty("ws_silence", account=name)
        with pytest.raises(asyncio.TimeoutError):
            await _raw_texts_until_silence(socket)
        return socket.closed

    assert run(_open(sandbox, client, work)) is False


def test_ws_gap_leaves_sequence_numbers_out(bot: tuple[Sandbox, Client, str], run: Any) -> None:
    sandbox, client, name = bot

    async def work(socket: Any) -> list[int]:
        sandbox.cruelty("ws_gap", account=name, ratio=0.5)
        for _ in range(8):
            await asyncio.to_thread(client.good, "AddOrder", **FAR)
        sandbox.ask("DELETE", "cruelties", None, 200)
        await asyncio.to_thread(client.good, "AddOrder", **FAR)
        numbers: list[int] = []
        while not numbers or numbers[-1] < 19:
            numbers.append((await _next(socket, "executions"))["sequence"])
        return numbers

    numbers = run(_open(sandbox, client, work))
    assert numbers == sorted(numbers)
    assert len(numbers) < 18


def test_ws_repeat_and_duplicate_fills_say_things_twice(bot: tuple[Sandbox, Client, str], run: Any) -> None:
    sandbox, client, name = bot

    async def work(socket: Any) -> list[str]:
        sandbox.cruelty("duplicate_fills", account=name)
        await asyncio.to_thread(client.buy)
        rows: list[dict[str, Any]] = []
        while not any(row["exec_type"] == "filled" for row in rows):
            rows.extend((await _next(socket, "executions"))["data"])
        return [row["exec_id"] for row in rows if row["exec_type"] == "trade"]

    executions = run(_open(sandbox, client, work))
    assert len(executions) == 2 * len(set(executions))


@pytest.mark.parametrize(
    ("name", "params"), [("ws_half_json", {"ratio": 1.0}), ("ws_checksum_mismatch", {}), ("ws_repeat", {}), ("ws_out_of_order", {})]
)
def test_messages_are_broken_as_the_catalogue_says(bot: tuple[Sandbox, Client, str], run: Any, name: str, params: dict[str, Any]) -> None:
    sandbox, client, account = bot

    async def work(socket: Any) -> list[str]:
        await _subscribe(socket, "book", "BTC/USD", depth=10)
        await _next(socket, "book")
        sandbox.cruelty(name, account=account, **params)
        texts = await _raw_texts(socket, lambda texts: len([text for text in texts if '"book"' in text]) >= 12)
        return [text for text in texts if '"book"' in text]

    texts = run(_open(sandbox, client, work))
    if name == "ws_half_json":
        with pytest.raises(json.JSONDecodeError):
            json.loads(texts[-1])
    elif name == "ws_checksum_mismatch":
        assert json.loads(texts[-1])["data"][0]["checksum"] >= 2**32 or str(json.loads(texts[-1])["data"][0]["checksum"]).startswith("1")
    elif name == "ws_repeat":
        assert len(set(texts)) < len(texts)
    else:
        stamps = [json.loads(text)["data"][0]["timestamp"] for text in texts]
        assert stamps != sorted(stamps)


def test_ws_refused_answers_429(bot: tuple[Sandbox, Client, str], run: Any) -> None:
    sandbox, client, name = bot
    sandbox.cruelty("ws_refused", account=name)

    async def work(socket: Any) -> None:
        return None

    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        run(_open(sandbox, client, work))
    assert caught.value.status == 429


def test_freeze_feed_stops_data_while_the_venue_answers(bot: tuple[Sandbox, Client, str]) -> None:
    sandbox, client, _ = bot
    sandbox.cruelty("freeze_feed", pair="ETHUSDT")
    one = client.look("ETHUSDT")
    eventually(
        lambda: sandbox.ask("GET", "clock")["now"] - sandbox.ask("GET", "markets")["markets"]["ETH/USDT"]["as_of"] > 1.5, "time passes"
    )
    two = client.look("ETHUSDT")
    assert (one["a"], one["b"], one["c"]) == (two["a"], two["b"], two["c"])
    client.good("Balance")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"name": "kindness"}, "unknown cruelty"),
        ({"name": "latency", "params": {"sec": 1}}, "unknown parameter"),
        ({"name": "latency", "params": {"ms": "slow"}}, "expected a value like 500"),
        ({"name": "http_5xx", "params": {"ratio": 2}}, "between 0 and 1"),
        ({"name": "latency", "for_s": -1}, "for_s"),
        ({"name": "price_jump", "params": {"pair": "NOPE"}}, "unknown pair"),
        ({"name": "latency", "account": "nobody"}, "no account"),
    ],
)
def test_a_wrong_cruelty_is_refused_with_what_to_do(shared: Sandbox, body: dict[str, Any], words: str) -> None:
    assert words in shared.ask("POST", "cruelties", body)["error"]


def test_a_partial_fill_and_then_the_line_is_cut(bot: tuple[Sandbox, Client, str], run: Any) -> None:
    sandbox, client, account = bot

    async def work(socket: Any) -> None:
        sandbox.cruelty("partial_fill_then_disconnect", account=account, share=0.4)
        await asyncio.to_thread(client.buy, ordertype="limit", price="0.00000900")
        await _raw_texts(socket, lambda texts: False)

    with pytest.raises((ConnectionError, aiohttp.ClientError)):
        run(_open(sandbox, client, work))
    first = sandbox.state(account)["fills"][0]
    assert float(first["qty"]) == 240000.0
