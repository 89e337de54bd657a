"""The short way of a kept connection and aiohttp's give the same answers, verdicts and order, however the bytes come."""

from __future__ import annotations

import itertools
import json
import signal
import socket
import threading
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.bench.sandbox_line import Binance, Kraken

from .conftest import DEADLINE_S, RIGHTS, Sandbox

ODD = b"TE: trailers\r\n"


class Kept:
    """A connection that stays open."""

    def __init__(self, sandbox: Sandbox) -> None:
        where = urlsplit(sandbox.venue)
        self.socket = socket.create_connection((where.hostname, where.port), DEADLINE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], Any]:
        status = int(self.file.readline().split(b" ")[1])
        headers = dict(line.decode().rstrip().split(": ", 1) for line in iter(self.file.readline, b"\r\n"))
        return status, headers, json.loads(self.file.read(int(headers["Content-Length"])))

    def ask(self, data: bytes) -> tuple[int, dict[str, str], Any]:
        self.send(data)
        return self.answer()


def _odd(request: bytes) -> bytes:
    """The same request in a form that only the general parser takes."""
    head, body = request.split(b"\r\n\r\n", 1)
    return head + b"\r\n" + ODD + b"\r\n" + body


def _kraken(sandbox: Sandbox, name: str) -> Kraken:
    sandbox.account(name)
    made = sandbox.key(name)
    return Kraken(made.key, made.secret)


def _steps(client: Kraken) -> list[bytes]:
    order = {"pair": "XRPUSDT", "type": "buy", "ordertype": "limit", "price": "0.5", "volume": "10", "cl_ord_id": "one"}
    wrong = client.private("Balance", {}).replace(b"API-Sign: ", b"API-Sign: AAAA")
    replayed = client.private("Balance", {})
    return [
        client.private("Balance", {}),
        client.private("AddOrder", order),
        client.private("AddOrder", order),
        client.private("CancelOrder", {"cl_ord_id": "one"}),
        client.private("CancelOrder", {"cl_ord_id": "one"}),
        wrong,
        replayed,
        replayed,
        client.private("Withdraw", {"asset": "XBT", "key": "x", "amount": "1"}),
        client.private("Nothing", {}),
        client.private("AddOrder", {**order, "volume": "0.00000000001"}),
    ]


def _rows(sandbox: Sandbox, account: str) -> list[dict[str, Any]]:
    rows = sandbox.ask("GET", "requests?account=%s&limit=100" % account, None, 200)["requests"]
    return [{name: row[name] for name in ("endpoint", "verdict", "verdicts", "status", "error", "intent", "order_request")} for row in rows]


@pytest.fixture
def name() -> str:
    """An account of its own in the shared sandbox."""
    return "line-" + uuid.uuid4().hex[:8]


def test_both_ways_answer_and_judge_the_same(shared: Sandbox) -> None:
    found = []
    for name, form in (("line-short", bytes), ("line-general", _odd)):
        kept = Kept(shared)
        answers = [kept.ask(form(request)) for request in _steps(_kraken(shared, name))]
        words = [(status, sorted(set(headers) - {"Date"}), body["error"]) for status, headers, body in answers]
        found.append((words, _rows(shared, name)))
    assert len(found[0][1]) == len(_steps(Kraken("k", "AAAA")))
    assert found[0] == found[1]
    assert {row["verdict"] for row in found[0][1]} == {"pass", "fail", "unjudged"}


def test_a_body_may_come_behind_its_head(shared: Sandbox, name: str) -> None:
    client, kept = _kraken(shared, name), Kept(shared)
    for _ in range(3):
        head, body = client.private("Balance", {}).split(b"\r\n\r\n", 1)
        kept.send(head + b"\r\n\r\n")
        time.sleep(0.01)  # Why: the two pieces are to be read apart; either way the answer has to come
        kept.send(body)
        assert kept.answer()[2]["error"] == []


def test_a_request_in_many_pieces_is_answered(shared: Sandbox, name: str) -> None:
    client, kept = _kraken(shared, name), Kept(shared)
    for _ in range(8):  # whether the last piece is there when the body is read hangs on the moment
        for byte in client.private("Balance", {}):
            kept.send(bytes([byte]))
        assert kept.answer()[2]["error"] == []
    assert kept.ask(client.private("Balance", {}))[2]["error"] == []


@pytest.mark.parametrize("at_once", [True, False])
def test_requests_sent_ahead_are_answered_in_their_order(shared: Sandbox, name: str, at_once: bool) -> None:
    client, kept = _kraken(shared, name), Kept(shared)
    kept.ask(client.private("Balance", {}))
    order = {"pair": "XRPUSDT", "type": "buy", "ordertype": "limit", "price": "0.5", "volume": "10"}
    requests = []
    for number in range(6):
        requests.append(client.private("AddOrder", {**order, "cl_ord_id": "o%d" % number}))
        requests.append(client.private("CancelOrder", {"cl_ord_id": "o%d" % number}))
    if at_once:
        kept.send(b"".join(requests))
    else:
        for request in requests:
            kept.send(request)
    answers = [kept.answer()[2] for _ in requests]
    assert [sorted(answer["result"]) for answer in answers] == [["descr", "txid"], ["count"]] * 6
    assert not shared.failed(name)


def test_public_and_private_requests_share_a_connection(shared: Sandbox, name: str) -> None:
    client, kept = _kraken(shared, name), Kept(shared)
    for _ in range(3):
        assert kept.ask(b"GET /0/public/Time HTTP/1.1\r\nHost: x\r\n\r\n")[2]["error"] == []
        assert kept.ask(client.private("Balance", {}))[2]["error"] == []


def test_a_cruelty_begun_between_two_requests_strikes_the_second(shared: Sandbox, name: str) -> None:
    client, kept = _kraken(shared, name), Kept(shared)
    assert kept.ask(client.private("Balance", {}))[0] == 200
    shared.cruelty("rate_limit", account=name, status=429, retry_after_s=1)
    assert kept.ask(client.private("Balance", {}))[0] == 429


def test_a_client_that_goes_away_leaves_its_order_in_the_market(shared: Sandbox, name: str) -> None:
    client, kept = _kraken(shared, name), Kept(shared)
    kept.ask(client.private("Balance", {}))
    order = {"pair": "XRPUSDT", "type": "buy", "ordertype": "limit", "price": "0.5", "volume": "10"}
    kept.send(client.private("AddOrder", order))
    kept.file.close()
    kept.socket.close()
    again = Kept(shared)
    end = time.monotonic() + DEADLINE_S
    while not again.ask(client.private("OpenOrders", {}))[2]["result"]["open"]:
        assert time.monotonic() < end, "the order never came"


def _orders(client: Kraken | Binance, number: int) -> bytes:
    """A new order far from the market, with a client id by which it is found again."""
    if isinstance(client, Kraken):
        order = {"pair": "XRPUSDT", "type": "buy", "ordertype": "limit", "price": "0.1", "volume": "10", "cl_ord_id": "o%d" % number}
        return client.private("AddOrder", order)
    spot = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "40000", "quantity": "0.001"}
    return client.signed("POST", "/api/v3/order", {**spot, "newClientOrderId": "o%d" % number})


@pytest.mark.parametrize("venue", ["kraken", "binance"])
def test_kill_9_under_load_loses_no_order_acknowledged_on_a_kept_connection(make_sandbox: Any, venue: str) -> None:
    sandbox: Sandbox = make_sandbox(venues=[venue])
    rights = RIGHTS if venue == "kraken" else ["enableReading", "enableSpotAndMarginTrading"]
    acknowledged: set[tuple[str, str]] = set()
    numbers = itertools.count()
    clients: dict[str, Kraken | Binance] = {}
    for account in ("a", "b", "c", "d"):
        sandbox.ask("POST", "accounts", {"name": account, "venue": venue, "tier": "unlimited", "balances": {"USDT": "1000000"}}, 201)
        made = sandbox.ask("POST", "keys", {"account": account, "rights": rights}, 201)
        clients[account] = Kraken(made["key"], made["secret"]) if venue == "kraken" else Binance(made["key"], made["secret"])

    def work(account: str) -> None:
        kept = Kept(sandbox)
        while True:
            number = next(numbers)
            try:
                status, _, body = kept.ask(_orders(clients[account], number))
            except (OSError, IndexError, ValueError, KeyError):
                return  # killed in the middle of an answer
            assert (status, body.get("error", [])) == (200, []), body
            acknowledged.add((account, "o%d" % number))

    for kill in range(1, 5):
        threads = [threading.Thread(target=work, args=(account,)) for account in clients]
        for thread in threads:
            thread.start()
        while len(acknowledged) < kill * 100:
            assert any(thread.is_alive() for thread in threads)
            time.sleep(0.001)  # Why: this thread is not to take the others' turns
        sandbox.stop(signal.SIGKILL)
        for thread in threads:
            thread.join()
        sandbox.start()
        found = {(name, row["client_id"]) for name in clients for row in sandbox.state(name)["orders"]["open"]}
        assert acknowledged <= found, "kill %d" % kill


def test_binance_keeps_its_limits_in_the_headers_on_both_ways(make_sandbox: Any) -> None:
    sandbox = make_sandbox(venues=["binance"])
    sandbox.ask("POST", "accounts", {"name": "bot", "venue": "binance", "balances": {"USDT": "1000"}}, 201)
    made = sandbox.ask("POST", "keys", {"account": "bot", "rights": ["enableReading", "enableSpotAndMarginTrading"]}, 201)
    client, kept = Binance(made["key"], made["secret"]), Kept(sandbox)
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "40000", "quantity": "0.001"}
    first, second = (kept.ask(form(client.signed("POST", "/api/v3/order", order))) for form in (bytes, _odd))
    assert (first[0], second[0]) == (200, 200)
    assert set(first[1]) == set(second[1])
    assert (first[1]["X-MBX-ORDER-COUNT-10S"], second[1]["X-MBX-ORDER-COUNT-10S"]) == ("1", "2")
    assert kept.ask(client.signed("GET", "/api/v3/nothing", {}))[0] == 404
