"""The gate: unknown is never allowed, limits act, latches survive a restart, a new day lifts only the day's limit."""
from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from kraken_micro.book import Latches, Position, State
from kraken_micro.controls import Orders
from kraken_micro.controls import read as read_controls
from kraken_micro.faults import Faults
from kraken_micro.risk import Losses, Situation, entry_reasons, standing_reasons

GOOD = Situation("SHIB/USDT", Decimal(5), 0.1, Decimal("0.001"), Decimal(100), "online", 0, 0, 0, True)


def test_a_good_situation_is_allowed(make_config: Any) -> None:
    assert entry_reasons(GOOD, make_config(), State().venue, Orders(), Faults({})) == []


@pytest.mark.parametrize(("change", "reason"), [
    ({"price_age": None}, "stale_price"),
    ({"price_age": 10.5}, "stale_price"),
    ({"spread_fraction": None}, "spread"),
    ({"spread_fraction": Decimal("0.02")}, "spread"),
    ({"balance": None}, "balance_unknown"),
    ({"balance": Decimal("4.99")}, "balance"),
    ({"size": Decimal("5.01")}, "position_size"),
    ({"venue_status": None}, "venue_status"),
    ({"venue_status": "maintenance"}, "venue_status"),
    ({"orders_last_minute": 60}, "order_rate"),
    ({"unresolved_orders": 1}, "unresolved_order"),
    ({"unprotected_positions": 1}, "unprotected_position"),
    ({"reconciled": False}, "not_reconciled"),
    ({"pair": "BTC/USDT"}, "pair"),
])  # fmt: skip
def test_each_limit_and_each_unknown_stops_an_entry(make_config: Any, change: dict[str, Any], reason: str) -> None:
    assert entry_reasons(replace(GOOD, **change), make_config(), State().venue, Orders(), Faults({})) == [reason]


def test_the_number_of_positions_is_the_stricter_limit(make_config: Any) -> None:
    state = State()
    for pair in ("DOGE/USDT", "ADA/USDT"):
        state.venue.positions[pair] = Position(pair, Decimal(1), Decimal(1))
    assert entry_reasons(GOOD, make_config(), state.venue, Orders(), Faults({})) == ["max_positions"]
    assert entry_reasons(GOOD, make_config(max_positions=3), state.venue, Orders(), Faults({})) == []
    assert entry_reasons(GOOD, make_config(), state.venue, Orders(), Faults({"ignore_max_positions": True})) == []


def lose(ledger: Any, amount: str) -> None:
    for side, price in (("buy", "10"), ("sell", str(10 - Decimal(amount)))):
        ledger.append("fill", client_id="x", txid=None, pair="SHIB/USDT", side=side, action="entry", signal="s", volume="1", price=price,
                      fee="0", simulated=False)  # fmt: skip


@pytest.fixture
def losses(make_config: Any, clock: Any) -> Any:
    def build(ledger: Any, state: State, faults: dict[str, Any] | None = None, **config: Any) -> Losses:
        return Losses(make_config(**config), state, state.venue, ledger, Faults(faults or {}), clock)

    return build


def restart(ledger: Any, open_ledger: Any) -> Any:
    ledger.close()
    return open_ledger()


def test_the_days_limit_holds_across_a_restart_and_ends_with_the_day(open_ledger: Any, losses: Any, clock: Any, make_config: Any) -> None:
    ledger, state = open_ledger()
    first = losses(ledger, state, circuit_breaker__enabled=False)
    first.measure({})
    lose(ledger, "20")
    first.measure({})
    today = state.latches.daily_limit_day
    assert standing_reasons(state.latches, Orders(), make_config(), today) == ["daily_loss"]
    ledger, state = restart(ledger, open_ledger)
    losses(ledger, state, circuit_breaker__enabled=False).measure({})
    assert standing_reasons(state.latches, Orders(), make_config(), today) == ["daily_loss"]
    clock.now += 86400
    second = losses(ledger, state, circuit_breaker__enabled=False)
    second.measure({})
    assert standing_reasons(state.latches, Orders(), make_config(), state.venue.day) == []
    assert (second.day, second.total) == (0, -20)


def test_the_fault_that_keeps_the_loss_in_memory_forgets_it(open_ledger: Any, losses: Any) -> None:
    fault = {"forget_daily_loss": True}
    ledger, state = open_ledger()
    first = losses(ledger, state, fault, circuit_breaker__enabled=False)
    first.measure({})
    lose(ledger, "20")
    first.measure({})
    assert state.latches.daily_limit_day
    ledger, state = restart(ledger, open_ledger)
    losses(ledger, state, fault, circuit_breaker__enabled=False).measure({})
    assert state.latches.daily_limit_day is None


def test_a_tripped_breaker_outlives_restart_and_midnight(open_ledger: Any, losses: Any, clock: Any) -> None:
    ledger, state = open_ledger()
    one = losses(ledger, state)
    one.measure({})
    lose(ledger, "10")
    assert one.measure({}) is False
    assert state.latches.breaker
    ledger, state = restart(ledger, open_ledger)
    clock.now += 86400
    losses(ledger, state).measure({})
    assert state.latches.breaker


def test_the_total_loss_asks_for_the_kill_once(open_ledger: Any, losses: Any) -> None:
    ledger, state = open_ledger()
    one = losses(ledger, state)
    one.measure({})
    lose(ledger, "30")
    assert one.measure({}) is True
    assert one.measure({}) is False
    assert "total loss" in state.latches.breaker


def test_an_open_loss_counts_before_it_is_realised(open_ledger: Any, losses: Any) -> None:
    ledger, state = open_ledger()
    one = losses(ledger, state)
    one.measure({})
    ledger.append("fill", client_id="x", txid=None, pair="SHIB/USDT", side="buy", action="entry", signal="s", volume="1", price="50",
                  fee="1", simulated=False)  # fmt: skip
    one.measure({"SHIB/USDT": Decimal(41)})
    assert one.day == -10
    assert state.latches.breaker


def test_a_loss_over_midnight_while_the_bot_was_down_is_todays(open_ledger: Any, losses: Any, clock: Any) -> None:
    ledger, state = open_ledger()
    losses(ledger, state).measure({})
    ledger.append("heartbeat", profit="0", simulated=False)
    lose(ledger, "9")
    ledger, state = restart(ledger, open_ledger)
    clock.now += 86400
    one = losses(ledger, state)
    one.measure({})
    assert one.day == -9


def test_control_files_act_by_presence_and_step_down_only_tightens(make_config: Any) -> None:
    config = make_config()
    folder = config.paths.control_dir
    assert read_controls(config.paths, config) == Orders()
    for name in ("kill", "no_entries", "exit_only"):
        open(f"{folder}/{name}", "w").close()
    found = read_controls(config.paths, config)
    assert (found.kill, found.no_entries, found.exit_only) == (True, True, True)
    assert standing_reasons(Latches(), found, config, "2026-11-21") == ["kill_file", "no_entries", "exit_only"]


@pytest.mark.parametrize(("text", "no_entries"), [
    ('{"position_size_usdt": "2.5", "max_positions": 1, "trade_pairs": ["SHIB/USDT"]}', False),
    ('{"position_size_usdt": "25", "max_positions": 1, "trade_pairs": ["SHIB/USDT"]}', True),
    ('{"position_size_usdt": "5", "max_positions": 9, "trade_pairs": ["SHIB/USDT"]}', True),
    ('{"position_size_usdt": "5", "max_positions": 1, "trade_pairs": ["BTC/USDT"]}', True),
    ("", True),
    ("[1, {", True),
])  # fmt: skip
def test_a_step_down_that_is_empty_broken_or_wider_ends_entries(make_config: Any, text: str, no_entries: bool) -> None:
    config = make_config()
    with open(f"{config.paths.control_dir}/step_down", "w") as handle:
        handle.write(text)
    assert read_controls(config.paths, config).no_entries is no_entries


def test_a_control_directory_that_is_gone_ends_entries(make_config: Any) -> None:
    config = make_config(paths__control_dir="/nowhere/at/all")
    assert read_controls(config.paths, config).no_entries
