"""What the guard decides: losses that cannot be forgotten or hidden, stops that must cover, and kills that one reading never starts."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from golive.guard import decide
from golive.guard.entry import average_entry
from golive.guard.kraken_rows import Pair, equity_of, margin_of
from golive.guard.reading import Held, Order, Reading, Second, uncovered
from hypothesis import given
from hypothesis import strategies as st

DAY = 86400.0
T0 = 1_700_000_000.0
SHIB = Pair("SHIBUSDT", ["SHIBUSDT", "SHIB/USDT"], "SHIB", "USDT", Decimal(50000))
PAIRS = dict.fromkeys(SHIB.names, SHIB)
LIMITS = decide.Limits(Decimal(10), Decimal(30), Decimal(33), 3, 60, Decimal(300), "gl", 5.0, 60.0, 60.0, 120.0,
                       dict.fromkeys(decide.CHECKS, "no_entries"))  # fmt: skip
MONEY = st.decimals(min_value=0, max_value=1000, places=4)


def order(txid: str = "O1", **more: Any) -> Order:
    return Order(**{"id": txid, "pair": "SHIBUSDT", "key": "SHIB", "side": "sell", "stop": True, "opens": False, "left": Decimal(600000),
                    "done": Decimal(0), "cost": Decimal(0), "trigger": Decimal("0.0000096"), "client_id": "gls1", "opened": T0,
                    "closed": 0.0, **more})  # fmt: skip


def holding(amount: Any, price: str = "0.00001", **more: Any) -> dict[str, Held]:
    one = Held("SHIB", "SHIBUSDT", "long", Decimal(amount), Decimal(price), SHIB.minimum, Decimal("0.00001"))
    return {"SHIB": one._replace(**more)} if one.size else {}


def reading(quote: Any = 200, held: Any = 0, at: float = T0, price: str = "0.00001", orders: Any = (), closed: Any = ()) -> Reading:
    balances = {"USDT": Decimal(quote), "SHIB": Decimal(held)}
    equity = equity_of(balances, {"SHIBUSDT": Decimal(price)}, PAIRS)
    return Reading(at, equity, holding(held, price), {one.id: one for one in orders}, {one.id: one for one in closed})


def after(*readings: Reading, memory: decide.Memory | None = None) -> decide.Memory:
    memory = memory or decide.fresh(T0)
    for one in readings:
        memory = decide.remember(memory, one)
    return memory


def checks(memory: decide.Memory, last: Reading, limits: decide.Limits = LIMITS) -> set[str]:
    return {one.check for one in decide.findings(memory, last, limits)}


def test_a_loss_of_the_day_is_found_at_its_limit_and_not_before() -> None:
    assert "drawdown_day" not in checks(after(reading(200), reading("190.01")), reading("190.01"))
    assert "drawdown_day" in checks(after(reading(200), reading(190)), reading(190))


def test_the_total_loss_is_kept_over_days() -> None:
    rows = [reading(200 - 9 * day, at=T0 + DAY * day) for day in range(5)]
    memory = after(*rows)
    assert checks(memory, rows[-1]) == {"drawdown_total"}


def test_a_new_day_starts_from_the_last_equity_seen_even_if_the_guard_was_away() -> None:
    memory = decide.load(json.loads(json.dumps(decide.dump(after(reading(200))))))
    assert "drawdown_day" in checks(after(reading(180, at=T0 + DAY), memory=memory), reading(180, at=T0 + DAY))


@given(st.lists(st.tuples(MONEY, st.decimals(0, 10**6, places=2)), min_size=1, max_size=8))
def test_memory_survives_being_written_and_read_exactly(rows: list[tuple[Decimal, Decimal]]) -> None:
    memory = after(*[reading(quote, held, at=T0 + 4 * n) for n, (quote, held) in enumerate(rows)])
    assert decide.load(json.loads(json.dumps(decide.dump(memory)))) == memory


@given(st.lists(MONEY, min_size=2, max_size=10), st.integers(1, 8))
def test_a_restart_anywhere_changes_no_decision(rows: list[Decimal], cut: int) -> None:
    readings = [reading(quote, at=T0 + 4 * n) for n, quote in enumerate(rows)]
    straight = after(*readings)
    kept = decide.load(json.loads(json.dumps(decide.dump(after(*readings[:cut])))))
    assert after(*readings[cut:], memory=kept) == straight


@given(st.decimals(10, 200, places=2), st.decimals("1.01", 500, places=2))
def test_a_deposit_never_hides_a_loss(loss: Decimal, deposit: Decimal) -> None:
    rows = [reading(200), reading(200 - loss), reading(200 - loss + deposit)]
    assert "drawdown_day" in checks(after(*rows), rows[-1])


def test_a_round_trip_that_earned_a_little_is_no_deposit() -> None:
    assert after(reading(200), reading("200.5")).start == Decimal(200)


def test_any_asset_outside_the_bots_pairs_counts_as_gone() -> None:
    assert equity_of({"USDT": Decimal(100), "XXBT": Decimal(1)}, {"SHIBUSDT": Decimal(1)}, PAIRS) == 100


@given(st.decimals(0, 10**6, places=0), st.decimals(0, 10**6, places=0))
def test_a_position_is_naked_exactly_when_more_than_dust_of_it_is_uncovered(held: Decimal, covered: Decimal) -> None:
    stops = [order(left=covered)] if covered else []
    last = reading(held=held, orders=stops)
    assert (uncovered(last.held, last.orders) == {"SHIB": held - covered}) is (held - covered >= SHIB.minimum)


@pytest.mark.parametrize("useless", [{"stop": False}, {"side": "buy"}, {"key": "XXBT"}, {"key": "SHIBUSDT margin"}])
def test_what_is_no_resting_stop_covers_nothing(useless: dict[str, Any]) -> None:
    last = reading(held=600000, orders=[order(**useless)])
    assert uncovered(last.held, last.orders) == {"SHIB": Decimal(600000)}


@given(st.decimals(1, 10**6, places=0), st.sampled_from(["long", "short"]))
def test_an_order_that_closes_whatever_there_is_covers_all_of_its_side_only(size: Decimal, side: str) -> None:
    held = {"SOLUSDT": Held("SOLUSDT", "SOLUSDT", side, size, Decimal(1), Decimal(1))}
    whole = order(key="SOLUSDT", whole=True, left=Decimal(0))
    assert uncovered(held, {"1": whole}) == ({} if side == "long" else {"SOLUSDT": size})
    assert uncovered(held, {"1": whole._replace(side="buy")}) == ({} if side == "short" else {"SOLUSDT": size})


def test_a_naked_position_has_its_grace_and_a_stop_ends_it() -> None:
    naked = [reading(held=600000, at=T0 + n) for n in (0, 4, 8)]
    assert "naked_position" not in checks(after(*naked[:2]), naked[1])
    assert "naked_position" in checks(after(*naked), naked[2])
    covered = reading(held=600000, at=T0 + 12, orders=[order()])
    again = reading(held=600000, at=T0 + 16)
    assert "naked_position" not in checks(after(*naked, covered, again), again)


@given(st.text(max_size=6))
def test_an_order_is_foreign_exactly_when_its_client_id_does_not_begin_with_ours(name: str) -> None:
    last = reading(orders=[order(client_id=name)])
    assert ("foreign_order" in checks(after(last), last)) is not name.startswith("gl")


def test_a_closed_foreign_order_is_found_once_and_older_ones_never() -> None:
    last = reading(closed=[order(txid, client_id="", opened=T0 + opened, closed=T0 + 2) for txid, opened in (("NEW", 1), ("OLD", -1))])
    memory = after(last)
    found = decide.findings(memory, last, LIMITS)
    assert [one.key for one in found] == ["foreign_order:NEW"]
    assert decide.findings(decide.dealt_with(memory, found), last, LIMITS) == []


def test_orders_and_money_of_a_minute_are_counted() -> None:
    many = [order(str(n), opened=T0 - 1, closed=T0, cost=Decimal(6)) for n in range(61)]
    last = reading(closed=many)
    assert checks(after(last), last) == {"order_rate", "notional_rate"}
    assert checks(after(last), last._replace(at=T0 + 61)) == set()


def test_exposure_and_number_of_positions() -> None:
    assert checks(after(reading(held=3300001)), reading(held=3300001)) == {"exposure"}
    few = LIMITS._replace(positions=0)
    assert "positions" in checks(after(reading(held=50000)), reading(held=50000), few)
    assert "positions" not in checks(after(reading(held=49999)), reading(held=49999), few)


@given(st.lists(st.lists(st.sampled_from("ab"), unique=True), max_size=10))
def test_only_what_stands_on_two_readings_in_a_row_may_kill(rows: list[list[str]]) -> None:
    doubt, before = decide.Doubt(), set()
    for names in rows:
        found = [decide.Finding(name, "foreign_order", "", "kill") for name in names]
        assert doubt.read(found) == set(names) & before
        before = set(names)


def test_without_a_reading_nothing_is_cleared_and_blindness_is_added() -> None:
    old = [decide.Finding("exposure", "exposure", "", "no_entries"), decide.Finding("blind", "blind", "", "page")]
    now = decide.own_findings(decide.fresh(T0), LIMITS, T0 + 61, None, T0 + 61)
    assert [one.check for one in decide.carry_over(old, now, seen=False)] == ["blind", "exposure"]
    assert decide.carry_over(old, [], seen=True) == []


@given(st.booleans(), st.none() | st.floats(0, 1000))
def test_the_bots_word_only_adds(running: bool, age: float | None) -> None:
    without = decide.own_findings(decide.fresh(T0, lost=True), LIMITS, T0 + 1000, None, T0)
    with_word = decide.own_findings(decide.fresh(T0, lost=True), LIMITS, T0 + 1000, decide.Bot(running, age), T0)
    assert set(without) <= set(with_word)
    assert ("decision_age" in {one.check for one in with_word}) is (running and (age is None or age > 60))


@pytest.mark.parametrize(
    ("check", "second", "agreed"),
    [
        ("naked_position:SHIB", Second(bare=Decimal(600000)), True),
        ("naked_position:SHIB", Second(bare=SHIB.minimum - 1), False),
        ("naked_position:SHIB", Second(bare=Decimal(0)), False),
        ("naked_position:SHIB", Second(), False),
        ("naked_position:XXBT", Second(bare=Decimal(600000)), False),
        ("drawdown_day:2023-11-14", Second(equity=Decimal(150)), True),
        ("drawdown_day:2023-11-14", Second(equity=Decimal(199)), False),
        ("drawdown_day:2023-11-14", Second(), False),
        ("exposure", Second(exposure=Decimal(100)), True),
        ("exposure", Second(exposure=Decimal(1)), False),
        ("exposure", Second(), False),
        ("foreign_order:O1", Second(client_id=""), True),
        ("foreign_order:O1", Second(client_id="gls1"), False),
        ("foreign_order:O1", Second(), False),
    ],
)
def test_the_second_endpoint_has_to_show_the_same(check: str, second: Second, agreed: bool) -> None:
    memory = after(reading(200))
    finding = decide.Finding(check, check.partition(":")[0], "", "kill")
    assert decide.agrees(finding, second, memory, reading(200)._replace(held=holding(600000)), LIMITS) is agreed


@pytest.mark.parametrize(("side", "now", "trigger", "far"), [
    ("long", "0.00001", "0.0000095", False), ("long", "0.00001", "0.0000094", True), ("long", "0.00002", "0.0000095", False),
    ("long", "0.0000096", "0.0000094", True), ("long", "0.00001", "0.000012", False), ("long", "0.00001", "0", False),
    ("short", "0.00001", "0.0000105", False), ("short", "0.00001", "0.0000106", True), ("short", "0.000005", "0.0000105", False)])
def test_a_stop_is_measured_from_what_was_paid_whatever_the_market_does(side: str, now: str, trigger: str, far: bool) -> None:
    limits = LIMITS._replace(stop_distance_max=Decimal("0.05"), exposure=Decimal(1000))
    stop = order(trigger=Decimal(trigger), side="sell" if side == "long" else "buy")
    last = reading(held=600000, orders=[stop])._replace(held=holding(600000, now, side=side))
    assert checks(after(last), last, limits) == ({"far_stop"} if far else set())
    assert checks(after(last), last, limits._replace(stop_distance_max=Decimal(0))) == set()
    unknown = last._replace(held=holding(600000, now, side=side, entry=None))
    assert checks(after(unknown), unknown, limits) == set()


# A hundredth of the position is what fees and rounding leave over, so that no buy here is as small.
@given(st.lists(st.tuples(st.integers(20, 100), st.integers(1, 50)), min_size=1, max_size=4))
def test_the_entry_price_of_buys_is_their_average(buys: list[tuple[int, int]]) -> None:
    fills = [("buy", Decimal(volume), Decimal(volume * price)) for volume, price in buys]
    size, paid = sum(volume for volume, _ in buys), sum(volume * price for volume, price in buys)
    older = [("sell", Decimal(7), Decimal(700)), ("buy", Decimal(7), Decimal(70))]
    assert average_entry(Decimal(size), [*reversed(fills), *older]) == pytest.approx(Decimal(paid) / size)


def test_a_sale_in_between_leaves_the_average_and_fills_that_do_not_reach_back_tell_nothing() -> None:
    fills = [("buy", Decimal(5), Decimal(100)), ("sell", Decimal(5), Decimal(999)), ("buy", Decimal(10), Decimal(100))]
    assert average_entry(Decimal(10), fills) == Decimal(15)
    assert average_entry(Decimal(10), fills[:1]) is None
    assert average_entry(Decimal(0), fills) is None
    assert average_entry(Decimal("9.99"), fills[2:]) == Decimal(10)     # the fee was taken in the coin


def test_what_is_to_be_killed_ends_entries_at_first_sight() -> None:
    assert decide.words([decide.Finding("x", "exposure", "", "kill")]) == ["no_entries"]
    assert decide.words([decide.Finding("x", "exposure", "", "step_down")]) == ["step_down"]
    assert decide.words([decide.Finding("x", "exposure", "", "page")]) == []


@given(st.booleans(), st.booleans(), st.sampled_from(["gl1", "x"]))
def test_only_what_opens_goes_and_on_a_shared_account_only_ours(opens: bool, shared: bool, name: str) -> None:
    found = decide.entries({"O1": order(opens=opens, client_id=name)}, shared=shared, prefix="gl")
    assert [one.id for one in found] == (["O1"] if opens and (name == "gl1" or not shared) else [])


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0.5, 3), st.booleans()), max_size=60))
def test_the_budget_never_lets_the_counter_above_the_venues_limit(calls: list[tuple[float, float, bool]]) -> None:
    budget, venue, now = decide.Budget(15, 0.33), 0.0, 0.0
    for pause, cost, urgent in calls:
        now += pause
        venue = max(0.0, venue - pause * 0.33)
        if budget.take(cost, now, urgent=urgent):
            venue += cost
        assert venue <= 15 + 1e-6
    budget.full(now)
    assert not budget.take(0.5, now, urgent=True)


@pytest.mark.parametrize("broken", [None, [], {}, {"format": 1}, {**decide.dump(decide.fresh(T0)), "exposure": "NaN"},
                                    {**decide.dump(decide.fresh(T0)), "naked_since": 3}])  # fmt: skip
def test_a_memory_of_another_form_is_refused(broken: Any) -> None:
    with pytest.raises(ValueError, match="not a memory"):
        decide.load(broken)


def test_margin_that_runs_short_is_found_and_an_account_without_margin_is_not() -> None:
    limits = LIMITS._replace(margin_level_min=Decimal(200))
    assert "margin_level" in checks(after(reading(200)), reading(200)._replace(margin_level=Decimal(180)), limits)
    assert "margin_level" not in checks(after(reading(200)), reading(200)._replace(margin_level=Decimal(220)), limits)
    assert "margin_level" not in checks(after(reading(200)), reading(200), limits)


@pytest.mark.parametrize(("answer", "told"), [({"n": "-3", "ml": "180.5"}, (-3, Decimal("180.5"))), ({"eb": "10"}, (0, None)),
                                              ({"n": "0", "ml": ""}, (0, None))])  # fmt: skip
def test_the_margin_level_is_the_venues_and_absent_where_none_is_used(answer: dict[str, str], told: Any) -> None:
    assert margin_of(answer) == told
