"""The venue's probes against the rehearsal exchange itself: what they read is what was done there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from golive.exchange.model import Answer
from golive.exchange.transport import Peer
from golive.probes import _kraken, exchange_account, exchange_traffic

from tests.integration.exchange_sandbox.conftest import Client, Sandbox, eventually, http, make_sandbox  # noqa: F401 (a fixture)
from tests.unit.probes.fake_look import FakeLook

QUERY = ["query-funds", "query-open-trades", "query-closed-trades"]
ACCOUNT, ADMIN = "vault:kv/x/query#key", "vault:kv/x/admin#token"


class Plain:
    """The probe's transport without TLS: the sandbox of a test speaks plain HTTP on loopback."""

    url = ""

    def __init__(self, where: Any) -> None:
        self.where = where

    def addresses(self, _deadline: float) -> list[str]:
        return ["127.0.0.1"]

    def send(self, request: Any, _deadline: float) -> tuple[Answer, Peer]:
        status, headers, body = http(request.method, self.url + request.target, request.body or None, request.headers)
        return Answer(status, {name.lower(): value for name, value in headers.items()}, body), Peer("venue", "127.0.0.1", "test")


class World:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        sandbox.account()
        self.bot = sandbox.key()
        made = sandbox.ask("POST", "keys", {"account": "bot", "rights": QUERY}, 201)
        self.secrets = {ACCOUNT: json.dumps({"key": made["key"], "secret": made["secret"]}), ADMIN: sandbox.token}

    def account(self, **ask: Any) -> dict[str, Any]:
        question = {"venue": "kraken", "base_url": "https://venue", "pairs": ["SHIB/USDT"], "credential": ACCOUNT, "client_id_prefix": "gl",
                    "stop_distance_max": "0.05", **ask}  # fmt: skip
        look = FakeLook(secrets=self.secrets)
        from datetime import UTC, datetime

        look.now = lambda: datetime.now(UTC)  # type: ignore[method-assign]
        return exchange_account.observe(question, look).facts  # type: ignore[arg-type]

    def traffic(self, *rules: str) -> tuple[dict[str, Any], int | None]:
        class Look(FakeLook):
            def get(self, url: str, headers: Any = None, **_more: Any) -> Any:
                from golive.probes.web import Response

                status, answered, body = http("GET", url, None, headers)
                return Response(status, {name.lower(): value for name, value in answered.items()}, body, 0.0, {})

        ask = {"url": self.sandbox.admin, "credential": ADMIN, "account": "bot", "rules": list(rules), "window_s": 600}
        seen = exchange_traffic.observe(ask, Look(secrets=self.secrets))  # type: ignore[arg-type]
        return seen.facts, seen.opportunities


@pytest.fixture
def world(make_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:  # noqa: F811
    sandbox = make_sandbox()
    monkeypatch.setattr(Plain, "url", sandbox.venue)
    monkeypatch.setattr(_kraken, "Transport", Plain)
    return World(sandbox)


def buy(bot: Client, **more: Any) -> None:
    bot.look()
    bot.buy(cl_ord_id="gle0000000000000", **more)


def test_an_untouched_account_is_flat(world: World) -> None:
    facts = world.account()
    assert (facts["venue_status"], facts["pairs_missing"], facts["open_orders"], facts["positions"]) == ("online", [], 0, 0)
    assert facts["equity"] == "1000.0000"
    assert facts["endpoint.sandbox_marker"] is True
    assert facts["clock_offset_abs_s"] < 1.5


def test_a_bought_position_is_naked_until_its_stop_rests(world: World) -> None:
    buy(world.bot)
    naked = world.account()
    assert naked["positions"] == 1
    assert len(naked["positions_without_stop"]) == 1
    price = float(world.bot.look()["c"][0])
    held = world.bot.good("Balance")["SHIB"]
    world.bot.good(
        "AddOrder",
        pair="SHIBUSDT",
        type="sell",
        ordertype="stop-loss",
        price=f"{price * 0.98:.8f}",
        volume=held,
        cl_ord_id="gls0000000000000",
    )
    covered = eventually(lambda: next((one for one in [world.account()] if not one["positions_without_stop"]), None), "the stop rests")
    assert covered["open_orders"] == 1
    assert covered["foreign_orders"] == []


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_position_on_margin_is_naked_until_a_stop_on_margin_rests(world: World, side: str) -> None:
    def order(side: str, **more: str) -> None:
        world.bot.good("AddOrder", pair="SOLUSDT", type=side, volume="1", leverage="3", **more)

    order(side, ordertype="market", cl_ord_id="gle0000000000000")
    naked = world.account()
    assert (naked["margin_used"], naked["positions_without_stop"]) == (True, ["SOLUSDT margin: 1"])
    out, near, far = ("sell", 0.97, 0.9) if side == "buy" else ("buy", 1.03, 1.1)
    price = float(world.bot.look("SOLUSDT")["c"][0])
    order(out, ordertype="stop-loss", price=f"{price * far:.2f}", reduce_only="true", cl_ord_id="gls0000000000000")
    covered = world.account()
    assert (covered["positions_without_stop"], len(covered["stops_insane"]), covered["foreign_orders"]) == ([], 1, [])
    order(out, ordertype="stop-loss", price=f"{price * near:.2f}", reduce_only="true", cl_ord_id="gls0000000000001")
    assert [one.partition(" of ")[0].rpartition(": ")[2] for one in world.account()["stops_insane"]] == [f"{price * far:.2f}".rstrip("0")]


def test_an_order_that_somebody_else_placed_is_foreign(world: World) -> None:
    world.bot.look()
    world.bot.good("AddOrder", pair="SHIBUSDT", type="buy", ordertype="limit", price="0.00000100", volume="1000000")
    assert len(world.account()["foreign_orders"]) == 1


def test_a_pair_that_is_not_listed_is_missing(world: World) -> None:
    assert world.account(pairs=["SHIB/USDT", "DOGE/USDT"])["pairs_missing"] == ["DOGE/USDT"]


def test_the_market_says_whether_a_stage_can_be_sold_again(world: World) -> None:
    facts = world.account(notional="5", peg_pairs=["XBT/USD", "XBT/USDT"])
    assert facts["exit.below_minimum"] == []
    assert facts["exit.depth_ratio_min"] > 1
    assert 0.5 < facts["peg.price"] < 2


def test_clean_requests_keep_the_rules_and_a_stale_nonce_breaks_one(world: World) -> None:
    for _ in range(5):
        world.bot.good("Balance")
    facts, opportunities = world.traffic("nonce_rising", "signature")
    assert (facts["violations"], facts["unjudged"], facts["accepted_ratio"]) == (0, 0, 1)
    assert opportunities == 5
    world.bot.call("Balance", nonce=1)
    facts, _ = world.traffic("nonce_rising")
    assert facts["violations"] == 1
    assert facts["samples"][0].startswith("nonce_rising:")
