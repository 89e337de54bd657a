"""Malformed requests get the venue's words: no 500, no hang, no dead stream."""

from __future__ import annotations

import json
import os
import random
import socket
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import pytest

from .conftest import DEADLINE_S, Client, Sandbox, http

#: malformed requests per test; a long run sets it higher
ROUNDS = int(os.environ.get("SANDBOX_FUZZ_ROUNDS", "1500"))
ENDPOINTS = [
    "AddOrder",
    "AmendOrder",
    "EditOrder",
    "CancelOrder",
    "CancelAll",
    "CancelAllOrdersAfter",
    "QueryOrders",
    "OpenOrders",
    "ClosedOrders",
    "TradesHistory",
    "QueryTrades",
    "Ledgers",
    "TradeVolume",
    "TradeBalance",
    "AddOrderBatch",
    "CancelOrderBatch",
    "GetApiKeyInfo",
    "Balance",
]
PUBLIC = ["Time", "Assets", "AssetPairs", "Ticker", "OHLC", "Depth", "Trades", "Spread", "Nothing", "", "../admin"]
NAMES = [
    "pair",
    "type",
    "ordertype",
    "volume",
    "price",
    "price2",
    "oflags",
    "timeinforce",
    "expiretm",
    "deadline",
    "cl_ord_id",
    "userref",
    "txid",
    "ofs",
    "start",
    "end",
    "close[ordertype]",
    "close[price]",
    "trigger",
    "stptype",
    "validate",
    "timeout",
    "order_qty",
    "limit_price",
    "trigger_price",
    "asset",
    "since",
    "interval",
    "count",
    "orders",
    "displayvol",
    "leverage",
    "nonce",
]
VALUES = [
    "",
    "0",
    "-1",
    "1",
    "1e400",
    "-1e400",
    "NaN",
    "Infinity",
    "0x10",
    "1" * 50,
    "SHIBUSDT",
    "XBTUSD",
    "buy",
    "sell",
    "limit",
    "market",
    "stop-loss",
    "trailing-stop",
    "+5%",
    "-5%",
    "#0",
    "%",
    "+",
    "true",
    "\x00",
    "\u202e\U0001f4a5",
    "post",
    "viqc",
    "GTD",
    "+10",
    "9" * 30,
    "2020-01-01T00:00:00Z",
    "{}",
    "[]",
    "null",
    "' or 1=1",
    "../../etc/passwd",
    "600000",
    "0.00000850",
    "0.000000001",
    "O" * 300,
]


def _numbers() -> random.Random:
    return random.Random(20261121)


def test_private_endpoints_answer_every_malformed_form(shared: Sandbox) -> None:
    shared.account("fuzz", tier="unlimited")
    client, dice = shared.key("fuzz"), _numbers()
    for _ in range(ROUNDS):
        endpoint = dice.choice(ENDPOINTS)
        params = {dice.choice(NAMES[:-1]): dice.choice(VALUES) for _ in range(dice.randint(0, 6))}
        if dice.random() < 0.5:
            params = {"pair": "SHIBUSDT", "type": "buy", "ordertype": "limit", "price": "0.00000100", "volume": "600000", **params}
        answer = client.call(endpoint, **params)
        assert isinstance(answer["error"], list), (endpoint, params, answer)
    assert all(float(amount) >= 0 for amount in shared.state("fuzz")["balances"].values())


def test_public_endpoints_answer_every_malformed_query(shared: Sandbox) -> None:
    dice = _numbers()
    for _ in range(ROUNDS):
        query = urlencode({dice.choice(NAMES): dice.choice(VALUES) for _ in range(dice.randint(0, 4))})
        status, _, body = http(
            dice.choice(["GET", "GET", "POST", "DELETE"]), "%s/0/public/%s?%s" % (shared.venue, quote(dice.choice(PUBLIC)), query)
        )
        assert status < 500, (query, status, body)
        assert isinstance(json.loads(body)["error"], list)


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"{", b"[]", b"null", b"[" * 20_000, b"a=b&" * 300, b"x" * 70_000, b'{"nonce":' + b"9" * 3_000 + b"}"]
)
@pytest.mark.parametrize("content", ["application/json", "application/x-www-form-urlencoded", "text/plain"])
def test_bodies_that_are_no_form_are_answered(shared: Sandbox, body: bytes, content: str) -> None:
    status, _, text = http(
        "POST", shared.venue + "/0/private/AddOrder", body, {"API-Key": "x", "API-Sign": "y", "Content-Type": content, "X-Pad": "1"}
    )
    assert status < 500
    assert json.loads(text)["error"]


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x00\xff",
        b"POST /0/private/Balance HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"A" * 20_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_does_not_hurt(shared: Sandbox, raw: bytes) -> None:
    host, port = shared.venue.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), DEADLINE_S) as line:
        line.sendall(raw)
        line.shutdown(socket.SHUT_WR)
        while line.recv(65_536):
            pass
    assert http("GET", shared.venue + "/0/public/Time")[0] == 200


async def _fuzz_stream(shared: Sandbox, client: Client) -> int:
    dice, answered = _numbers(), 0
    token = client.good("GetWebSocketsToken")["token"]
    methods = [
        "subscribe",
        "unsubscribe",
        "add_order",
        "amend_order",
        "edit_order",
        "cancel_order",
        "cancel_all",
        "cancel_all_orders_after",
        "batch_add",
        "batch_cancel",
        "nothing",
        "ping",
    ]
    odd: list[Any] = [
        None,
        0,
        -1,
        1.5,
        True,
        "",
        "buy",
        "BTC/USD",
        "NOPE/USD",
        [],
        ["BTC/USD"],
        [None],
        {},
        {"price": "x"},
        {"price": 1, "reference": "moon"},
        "9" * 40,
        1e308,
    ]
    fields = [
        "channel",
        "symbol",
        "depth",
        "interval",
        "order_type",
        "side",
        "order_qty",
        "limit_price",
        "triggers",
        "conditional",
        "order_id",
        "cl_ord_id",
        "order_userref",
        "timeout",
        "orders",
        "snapshot",
        "time_in_force",
        "deadline",
        "expire_time",
        "cash_order_qty",
    ]
    async with aiohttp.ClientSession() as session, session.ws_connect(shared.venue.replace("http", "ws") + "/v2") as stream:
        for number in range(ROUNDS):
            text: str
            if dice.random() < 0.1:
                text = dice.choice(
                    ["", "{", "[]", "null", "1", '"x"', "[" * 5_000, '{"method":1}', '{"params":[]}', '{"method":"subscribe","params":5}']
                )
            else:
                params = {dice.choice(fields): dice.choice(odd) for _ in range(dice.randint(0, 6))}
                if dice.random() < 0.8:
                    params["token"] = token
                if dice.random() < 0.4:
                    params["channel"] = dice.choice(["ticker", "book", "trade", "ohlc", "instrument", "executions", "balances", "level3"])
                text = json.dumps({"method": dice.choice(methods), "req_id": number, "params": params})
            await stream.send_str(text)
        await stream.send_json({"method": "ping", "req_id": 999_999})
        while True:
            message = await stream.receive(timeout=DEADLINE_S)
            assert message.type is aiohttp.WSMsgType.TEXT, message
            data = json.loads(message.data)
            answered += "time_out" in data
            if data.get("req_id") == 999_999:
                return answered


def test_the_stream_answers_every_malformed_message(shared: Sandbox, run: Any) -> None:
    shared.account("fuzz-ws", tier="unlimited")
    assert run(_fuzz_stream(shared, shared.key("fuzz-ws"))) >= ROUNDS


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "accounts", {"name": "../x"}),
        ("POST", "accounts", {"name": "n", "balances": {"USDT": "NaN"}}),
        ("POST", "accounts", {"name": "n", "balances": {"GOLD": "1"}}),
        ("POST", "accounts", {"name": "n", "profile": {"mode": "yolo"}}),
        ("POST", "accounts", {"name": "n", "tier": "god"}),
        ("POST", "accounts", {"name": "n", "limits": {"max": -1}}),
        ("POST", "accounts", {"name": "n", "surprise": 1}),
        ("POST", "keys", {"account": "nobody", "rights": []}),
        ("POST", "markets/NOPE/price", {"price": "1"}),
        ("POST", "markets/SHIBUSDT/price", {"price": "-1"}),
        ("POST", "markets/SHIBUSDT/price", {}),
        ("POST", "markets/SHIBUSDT/pattern", {"name": "moon"}),
        ("POST", "clock", {"step": -1}),
        ("POST", "clock", {"freeze": True, "step": 1}),
        ("GET", "verdicts?since=yesterday", None),
        ("GET", "requests?limit=x", None),
        ("GET", "state/nobody", None),
        ("POST", "markets/SHIBUSDT/price", {"pct": 10**400}),
        ("PATCH", "accounts/nobody", {}),
        ("DELETE", "cruelties/c999", None),
    ],
)
def test_the_administration_says_what_is_wrong(shared: Sandbox, method: str, path: str, body: Any) -> None:
    raw = None if body is None else json.dumps(body).encode()
    status, _, text = http(method, "%s/sandbox/v1/%s" % (shared.admin, path), raw, {"Authorization": "Bearer " + shared.token})
    assert status in (400, 404), (status, text)
    assert len(json.loads(text)["error"]) > 10


def test_the_administration_refuses_a_wrong_token(shared: Sandbox) -> None:
    for header in ({}, {"Authorization": "Bearer nope"}, {"Authorization": "Bearer \xff"}):
        assert http("GET", shared.admin + "/sandbox/v1/accounts", None, header)[0] == 401
    assert http("GET", shared.admin + "/metrics")[0] == 401


def test_nothing_was_left_in_the_log(shared: Sandbox) -> None:
    assert shared.log.read_text() == ""
