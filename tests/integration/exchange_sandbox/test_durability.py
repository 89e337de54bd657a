"""What was acknowledged survives kill -9; a restart continues where it stood."""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Callable
from typing import Any

from .conftest import Client, Sandbox


def test_kill_9_under_load_loses_no_acknowledged_order(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox()
    acknowledged: dict[str, str] = {}
    stop = threading.Event()
    clients = []
    for number in range(3):
        sandbox.account("load%d" % number, tier="unlimited")
        clients.append((sandbox.key("load%d" % number), "load%d" % number))

    def work(client: Client, account: str) -> None:
        while not stop.is_set():
            try:
                answer = client.call(
                    "AddOrder",
                    pair="SHIBUSDT",
                    type="buy",
                    ordertype="limit",
                    price="0.00000100",
                    volume="600000",
                    cl_ord_id=uuid.uuid4().hex,
                )
                if answer.get("result"):
                    acknowledged[answer["result"]["txid"][0]] = account
            except OSError:
                return

    threads = [threading.Thread(target=work, args=pair) for pair in clients]
    for thread in threads:
        thread.start()
    while len(acknowledged) < 150:
        assert any(thread.is_alive() for thread in threads)
    sandbox.stop(signal.SIGKILL)
    stop.set()
    for thread in threads:
        thread.join()
    sandbox.start()
    found = {row["id"] for number in range(3) for row in sandbox.state("load%d" % number)["orders"]["open"]}
    assert set(acknowledged) <= found


def _picture(sandbox: Sandbox) -> dict[str, Any]:
    state = sandbox.state()
    return {name: state[name] for name in ("balances", "held", "orders", "fills", "profile", "limits", "cancel_all_at")}


def test_balances_orders_fills_and_nonces_are_the_same_after_a_kill(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox()
    sandbox.account(profile={"mode": "live", "stale_s": 30})
    client = sandbox.key()
    client.look()
    client.buy(cl_ord_id="entry")
    client.good(
        "AddOrder", pair="SHIBUSDT", type="sell", ordertype="stop-loss-limit", price="0.00000400", price2="0.00000390", volume="600000"
    )
    client.good("AddOrder", pair="XRPUSDT", type="buy", ordertype="limit", price="0.5", volume="10", userref="7")
    client.good("CancelAllOrdersAfter", timeout="3600")
    before = _picture(sandbox)
    sandbox.stop(signal.SIGKILL)
    sandbox.start()
    assert _picture(sandbox) == before
    assert client.call("Balance", nonce=client.last)["error"] == ["EAPI:Invalid nonce"]
    ids = set(client.good("OpenOrders")["open"])
    client.look()
    assert client.buy()["txid"][0] not in ids
    assert client.good("CancelAll")["count"] == 2


def test_a_restored_stop_still_triggers(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox()
    sandbox.account()
    client = sandbox.key()
    client.buy()
    last = float(client.look()["c"][0])
    stop = client.good("AddOrder", pair="SHIBUSDT", type="sell", ordertype="stop-loss", price="%.8f" % (last * 0.8), volume="600000")[
        "txid"
    ][0]
    sandbox.stop(signal.SIGKILL)
    sandbox.start()
    sandbox.ask("POST", "markets/SHIBUSDT/price", {"pct": -40}, 200)
    assert client.good("QueryOrders", txid=stop)[stop]["status"] == "closed"


def test_a_torn_last_line_was_never_acknowledged_and_is_dropped(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox()
    sandbox.account()
    sandbox.stop(signal.SIGKILL)
    journal = sandbox.directory / "state" / "0.journal.jsonl"
    with journal.open("ab") as handle:
        handle.write(b'[{"t":"account","name":"half')
    sandbox.start()
    assert [row["name"] for row in sandbox.ask("GET", "accounts")["accounts"]] == ["bot"]


def test_the_frozen_clock_stays_frozen(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox()
    sandbox.ask("POST", "clock", {"freeze": True}, 200)
    frozen = sandbox.ask("POST", "clock", {"step": 5000}, 200)["now"]
    sandbox.stop()
    sandbox.start()
    assert sandbox.ask("GET", "clock")["now"] == frozen


def test_a_long_journal_is_folded_into_a_snapshot_and_nothing_is_lost(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox()
    sandbox.account()
    client = sandbox.key()
    client.look()
    client.buy(cl_ord_id="entry")
    client.good("AddOrder", pair="XRPUSDT", type="buy", ordertype="limit", price="0.5", volume="10")
    sandbox.stop()
    journal = sandbox.directory / "state" / "0.journal.jsonl"
    filler = b'[{"t":"note","text":"%s"}]\n' % (b"x" * 80_000) * 840  # facts of a kind that builds nothing: only length
    with journal.open("ab") as handle:
        handle.write(filler)
    sandbox.start()
    before = _picture(sandbox)
    assert not journal.exists()
    assert before["balances"]["SHIB"] == "600000"
    sandbox.stop(signal.SIGKILL)
    sandbox.start()
    assert _picture(sandbox) == before
    assert client.call("Balance", nonce=client.last)["error"] == ["EAPI:Invalid nonce"]


def test_verdicts_are_counted_on_after_a_restart(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox()
    sandbox.account()
    client = sandbox.key()
    client.call("Balance", flip=True)
    client.good("Balance")
    middle = sandbox.ask("GET", "clock")["now"]
    sandbox.stop()
    sandbox.start()
    client.good("Balance")
    assert sandbox.verdicts()["rules"]["signature"]["fail"] == 1
    assert sandbox.verdicts()["totals"]["requests"] == 3
    assert sandbox.verdicts(since=middle)["totals"]["requests"] == 1
    assert sandbox.verdicts(since=1)["totals"] == sandbox.verdicts()["totals"]
