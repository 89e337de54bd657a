"""Orders in the downtime by the rehearsal exchange's own history: its clock is moved over the night, and orders are placed on the way."""
from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from golive import judge
from golive.probes import _kraken, downtime_orders

from tests.integration.exchange_sandbox.conftest import Client, Sandbox, make_sandbox  # noqa: F401 (a fixture)
from tests.integration.model_registry.world import compiled
from tests.integration.probes.test_probes_on_the_sandbox import ACCOUNT, QUERY, Plain
from tests.unit.probes.fake_look import FakeLook


class Night:
    """An account at an exchange whose clock this test moves."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        sandbox.account()
        self.bot: Client = sandbox.key()
        made = sandbox.ask("POST", "keys", {"account": "bot", "rights": QUERY}, 201)
        self.secrets = {ACCOUNT: json.dumps({"key": made["key"], "secret": made["secret"]})}
        now = self.now()
        self.midnight = now - now % 86400 + 86400

    def now(self) -> float:
        return float(self.sandbox.ask("GET", "clock")["now"])

    def order(self, hour: int, minute: int) -> None:
        """Place a resting order at a time of the night."""
        self.sandbox.ask("POST", "clock", {"to": self.midnight + hour * 3600 + minute * 60}, 200)
        self.bot.look()
        self.bot.good("AddOrder", pair="SHIBUSDT", type="buy", ordertype="limit", price="0.00000100", volume="1000000")

    def verdict(self) -> judge.Judgement:
        control = compiled("ledger.no_orders_in_downtime", exchange_url="https://venue", exchange_ca_file="",
                           exchange_query_credential=ACCOUNT)
        look = FakeLook(secrets=self.secrets)
        look.now = lambda: datetime.fromtimestamp(self.now(), UTC)  # type: ignore[method-assign]
        found = downtime_orders.observe(control["ask"], look)  # type: ignore[arg-type]
        return judge.judge(control, {"facts": found.facts, "witness": "venue", "opportunities": found.opportunities})


@pytest.fixture
def night(make_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:  # noqa: F811
    sandbox = make_sandbox()
    monkeypatch.setattr(Plain, "url", sandbox.venue)
    monkeypatch.setattr(_kraken, "Transport", Plain)
    return Night(sandbox)  # type: ignore[return-value]


def test_orders_around_the_downtime_are_green_and_one_at_half_past_three_is_red(night: Any) -> None:
    assert night.verdict().verdict == "undecided"      # nothing was ordered, so nothing was shown
    night.order(2, 59)
    assert night.verdict().verdict == "pass"
    night.order(3, 30)                                 # the break: order_at_half_past_three
    red = night.verdict()
    assert red.verdict == "fail"
    assert "T03:30:" in red.reason
    night.bot.good("CancelAll")                        # closed, and still in the history
    night.order(5, 0)
    assert night.verdict().verdict == "fail"
    night.midnight += 8 * 86400
    night.order(2, 0)                                  # a week later it is out of sight
    assert night.verdict().verdict == "pass"
