"""A known-bad client breaks each rule once, and the judge names exactly that rule; a known-good client draws only pass."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .conftest import RIGHTS, Client, Sandbox, eventually, http


def _key_unknown(sandbox: Sandbox, client: Client) -> None:
    sandbox.ask("POST", "keys/%s/revoke" % client.key, {}, 200)
    assert client.call("Balance")["error"] == ["EAPI:Invalid key"]


def _ip(sandbox: Sandbox, client: Client) -> None:
    other = sandbox.key(client.account_name, ip_allowlist=["10.9.8.0/24"])  # type: ignore[attr-defined]
    assert other.call("Balance")["error"] == ["EGeneral:Permission denied"]


def _signature(sandbox: Sandbox, client: Client) -> None:
    assert client.call("Balance", flip=True)["error"] == ["EAPI:Invalid signature"]


def _nonce(sandbox: Sandbox, client: Client) -> None:
    client.good("Balance")
    assert client.call("Balance", nonce=client.last)["error"] == ["EAPI:Invalid nonce"]


def _timestamp(sandbox: Sandbox, client: Client) -> None:
    client.look()
    late = (datetime.now(UTC) - timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer = client.call("AddOrder", pair="SHIBUSDT", type="buy", ordertype="market", volume="600000", deadline=late)
    assert answer["error"] == ["EService:Deadline elapsed"]


def _right(sandbox: Sandbox, client: Client) -> None:
    reader = sandbox.key(client.account_name, rights=["query-funds"])  # type: ignore[attr-defined]
    assert reader.call("CancelAll")["error"] == ["EGeneral:Permission denied"]


def _rate(sandbox: Sandbox, client: Client) -> None:
    sandbox.ask("PATCH", "accounts/" + client.account_name, {"limits": {"max": 3, "decay": 0.0001}}, 200)  # type: ignore[attr-defined]
    answers = [client.call("Balance")["error"] for _ in range(4)]
    assert answers == [[], [], [], ["EAPI:Rate limit exceeded"]]


def _protocol(sandbox: Sandbox, client: Client) -> None:
    assert client.call("CancelOrder")["error"] == ["EGeneral:Invalid arguments:txid"]


def _filters(sandbox: Sandbox, client: Client) -> None:
    client.look()
    answer = client.call("AddOrder", pair="SHIBUSDT", type="buy", ordertype="limit", price="0.000008005", volume="600000")
    assert answer["error"] == ["EOrder:Invalid price:SHIBUSDT price can only be specified up to 8 decimals."]


def _duplicate(sandbox: Sandbox, client: Client) -> None:
    client.look()
    for _ in range(2):
        answer = client.call(
            "AddOrder", pair="SHIBUSDT", type="buy", ordertype="limit", price="0.00000100", volume="600000", cl_ord_id="same"
        )
    assert answer["error"] == ["EGeneral:Invalid arguments:cl_ord_id"]


def _blind_retry(sandbox: Sandbox, client: Client) -> None:
    client.look()
    sandbox.cruelty("drop_ack_after_execution", account=client.account_name, times=1)  # type: ignore[attr-defined]
    with pytest.raises(OSError):
        client.buy(cl_ord_id=str(uuid.uuid4()))
    client.buy(cl_ord_id=str(uuid.uuid4()))


def _no_stop(sandbox: Sandbox, client: Client) -> None:
    sandbox.ask("PATCH", "accounts/" + client.account_name, {"profile": {"stop_within_s": 0.2}}, 200)  # type: ignore[attr-defined]
    client.look()
    client.buy()
    eventually(lambda: sandbox.failed(client.account_name), "the late verdict falls")  # type: ignore[attr-defined]


def _stale(sandbox: Sandbox, client: Client) -> None:
    sandbox.ask("PATCH", "accounts/" + client.account_name, {"profile": {"stale_s": 0.1}}, 200)  # type: ignore[attr-defined]
    client.look("SOLUSDT")
    frozen = sandbox.cruelty("freeze_feed", pair="SOLUSDT")
    try:
        eventually(
            lambda: sandbox.ask("GET", "clock")["now"] - sandbox.ask("GET", "markets")["markets"]["SOL/USDT"]["as_of"] > 0.2,
            "data grow old",
        )
        client.look("SOLUSDT")
        client.good("AddOrder", pair="SOLUSDT", type="buy", ordertype="limit", price="10", volume="1")
    finally:
        sandbox.ask("DELETE", "cruelties/" + frozen["id"], None, 200)


def _downtime(sandbox: Sandbox, client: Client) -> None:
    now = datetime.fromtimestamp(sandbox.ask("GET", "clock")["now"], UTC)
    window = {"from": (now - timedelta(hours=1)).strftime("%H:%M:%S"), "to": (now + timedelta(hours=1)).strftime("%H:%M:%S")}
    sandbox.ask("PATCH", "accounts/" + client.account_name, {"profile": {"downtime": [window]}}, 200)  # type: ignore[attr-defined]
    client.look()
    client.buy()


def _paper(sandbox: Sandbox, client: Client) -> None:
    sandbox.ask("PATCH", "accounts/" + client.account_name, {"profile": {"mode": "paper"}}, 200)  # type: ignore[attr-defined]
    client.look()
    client.buy()


def _second_writer(sandbox: Sandbox, client: Client) -> None:
    twin = Client(client.venue, client.key, client.secret, agent="second-copy")
    for writer in (client, twin, client):
        writer.last = max(client.last, twin.last)
        writer.good("Balance")


def _withdrawal(sandbox: Sandbox, client: Client) -> None:
    greedy = sandbox.key(client.account_name, rights=[*RIGHTS, "withdraw-funds"])  # type: ignore[attr-defined]
    assert greedy.call("Withdraw", asset="USDT", key="x", amount="1")["error"] == ["EGeneral:Permission denied"]


BREAKS: dict[str, Callable[[Sandbox, Client], None]] = {
    "key_known": _key_unknown,
    "ip": _ip,
    "signature": _signature,
    "nonce_rising": _nonce,
    "timestamp": _timestamp,
    "key_right": _right,
    "rate_budget": _rate,
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


@pytest.mark.parametrize("rule", sorted(BREAKS))
def test_the_broken_rule_is_named_and_no_other(shared: Sandbox, rule: str) -> None:
    name = "bad-" + rule
    shared.account(name)
    client = shared.key(name)
    client.account_name = name  # type: ignore[attr-defined]
    BREAKS[rule](shared, client)
    assert shared.failed(name) == {rule}


def test_every_rule_of_the_judge_has_a_break(shared: Sandbox) -> None:
    assert set(shared.ask("GET", "rules")["rules"]) == set(BREAKS)


def test_a_key_that_was_never_minted_is_a_failure_of_nobodys_account(shared: Sandbox) -> None:
    stranger = Client(shared.venue, "SANDBOX" + "A" * 49, "c2VjcmV0")
    assert stranger.call("Balance")["error"] == ["EAPI:Invalid key"]
    assert shared.verdicts(None)["rules"]["key_known"]["fail"] >= 1


def test_entry_without_any_market_data_from_here_is_unjudged_not_pass(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox()
    sandbox.account()
    sandbox.key().buy()
    assert sandbox.unjudged() == {"entry_on_stale_data"}
    assert sandbox.verdicts()["totals"]["unjudged"] == 1


def test_unknown_endpoint_is_unjudged(shared: Sandbox) -> None:
    http("GET", shared.venue + "/0/public/NoSuchThing")
    assert shared.verdicts(None)["rules"]["protocol"]["unjudged"] >= 1


def _trade_well(sandbox: Sandbox, client: Client, rounds: int) -> None:
    for _ in range(rounds):
        last = float(client.look()["c"][0])
        entry = client.good("AddOrder", pair="SHIBUSDT", type="buy", ordertype="market", volume="600000", cl_ord_id=str(uuid.uuid4()))
        stop = client.good(
            "AddOrder",
            pair="SHIBUSDT",
            type="sell",
            ordertype="stop-loss",
            price="%.8f" % (last * 0.9),
            volume="600000",
            cl_ord_id=str(uuid.uuid4()),
        )
        client.good("QueryOrders", txid=entry["txid"][0])
        client.good("CancelOrder", txid=stop["txid"][0])
        client.good("AddOrder", pair="SHIBUSDT", type="sell", ordertype="market", volume="600000", cl_ord_id=str(uuid.uuid4()))
        client.good("Balance")


def test_known_good_client_draws_only_pass(shared: Sandbox) -> None:
    shared.account("good", tier="unlimited", profile={"mode": "live", "stale_s": 3600, "stop_within_s": 3600})
    client = shared.key("good")
    _trade_well(shared, client, 40)
    report = shared.verdicts("good")
    assert report["totals"]["requests"] == 40 * 6
    assert (report["totals"]["fail"], report["totals"]["unjudged"]) == (0, 0)
    assert report["rules"]["duplicate_client_id"]["pass"] == 120


def test_retry_with_the_same_client_id_after_a_lost_answer_is_good(shared: Sandbox) -> None:
    shared.account("retry")
    client = shared.key("retry")
    client.look()
    shared.cruelty("drop_ack_after_execution", account="retry", times=1)
    order = {"pair": "SHIBUSDT", "type": "buy", "ordertype": "limit", "price": "0.00000100", "volume": "600000", "cl_ord_id": "again"}
    with pytest.raises(OSError):
        client.call("AddOrder", **order)
    assert client.call("AddOrder", **order)["error"] == ["EGeneral:Invalid arguments:cl_ord_id"]
    assert shared.failed("retry") == set()
    assert shared.verdicts("retry")["rules"]["idempotent_retry"]["pass"] == 1
    assert shared.state("retry")["open_orders"] == 1


def test_asking_the_venue_after_a_lost_answer_is_good(shared: Sandbox) -> None:
    shared.account("ask")
    client = shared.key("ask")
    client.look()
    shared.cruelty("drop_ack_after_execution", account="ask", times=1)
    with pytest.raises(OSError):
        client.buy(cl_ord_id="first")
    assert client.good("OpenOrders") == {"open": {}}
    client.buy(cl_ord_id="second")
    assert shared.failed("ask") == set()


def test_eight_threads_with_one_source_of_nonces_are_one_writer(shared: Sandbox) -> None:
    shared.account("threads", tier="unlimited")
    client = shared.key("threads", nonce_window=1_000_000)
    errors: list[Any] = []

    def work() -> None:
        errors.extend(client.call("Balance")["error"] for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 80
    assert not any(errors)
    assert shared.failed("threads") == set()


def test_no_record_holds_a_secret_or_a_signature(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox()
    sandbox.account()
    client = sandbox.key()
    client.call("Balance", otp="123456789")
    client.call("Balance", flip=True)
    token = client.good("GetWebSocketsToken")["token"]
    sandbox.ask("GET", "verdicts")
    sandbox.stop()
    for path in (sandbox.directory / "state").iterdir():
        text = path.read_text()
        for canary in (client.secret, token, "123456789"):
            assert canary not in text or path.name == "keys.json", path
        assert path.stat().st_mode & 0o077 == 0, path
    records = [json.loads(line) for line in (sandbox.directory / "state" / "requests.jsonl").read_text().splitlines()]
    assert all(client.key not in json.dumps(record) for record in records)
    assert client.secret not in sandbox.log.read_text()
