"""Our metrics against an independent library (empyrical), a plain sum in Decimal, and cases that can be done in the head."""
from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import empyrical
import numpy as np
import pytest
from golive import canonical
from golive.errors import Undecided
from golive.model_registry import track_record as tr
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures import models as m

START = datetime(2026, 1, 1, tzinfo=UTC)
RULE = tr.Rule(0.5, 0.1, 0.0031, 8760)


def lines(rows: list[tuple[int, str, float, float]], window: int = 0) -> list[bytes]:
    """Rows of (hour, symbol, prediction, outcome) in the form of the file."""
    return [json.dumps({"at": canonical.utc(START + timedelta(hours=hour)), "symbol": symbol, "window": window, "prediction": guess,
                        "outcome": outcome}).encode() + b"\n" for hour, symbol, guess, outcome in rows]


def net_returns(rows: list[tuple[int, str, float, float]], rule: tr.Rule) -> list[float]:
    """The returns of the bars, computed another way: one table, positions first, then differences."""
    hours = sorted({row[0] for row in rows})
    symbols = sorted({row[1] for row in rows})
    position = np.zeros((len(hours) + 1, len(symbols)))
    outcome = np.zeros((len(hours), len(symbols)))
    for hour, symbol, guess, result in rows:
        where = hours.index(hour), symbols.index(symbol)
        position[where[0] + 1, where[1]] = rule.size * np.sign(guess) if abs(guess) >= rule.enter_at else 0
        outcome[where] = result
    return list((position[1:] * outcome - rule.cost * np.abs(np.diff(position, axis=0))).sum(axis=1))


ROWS = st.lists(st.tuples(st.sampled_from([-0.9, -0.3, 0.0, 0.3, 0.9]), st.floats(-0.05, 0.05), st.sampled_from([-0.9, 0.2, 0.9]),
                          st.floats(-0.05, 0.05)), min_size=3, max_size=120)


@settings(max_examples=60)
@given(ROWS)
def test_metrics_are_those_of_an_independent_library(drawn: list[tuple[float, float, float, float]]) -> None:
    rows = [row for hour, (a, ra, b, rb) in enumerate(drawn) for row in ((hour, "A", a, ra), (hour, "B", b, rb))]
    found = tr.fold(lines(rows), RULE).overall
    returns = np.array(net_returns(rows, RULE))
    assert found.bars == len(drawn)
    assert found.total_return == pytest.approx(float(empyrical.cum_returns_final(returns)), abs=1e-9)
    assert found.drawdown == pytest.approx(-float(empyrical.max_drawdown(returns)), abs=1e-9)
    if found.sharpe is not None and returns.std(ddof=1) > 1e-12:
        assert found.sharpe == pytest.approx(float(empyrical.sharpe_ratio(returns, annualization=8760)), rel=1e-6)


def test_the_worst_day_is_that_of_the_library() -> None:
    rows = [(hour, "A", 0.9 if hour % 5 else -0.9, 0.01 * ((hour * 7) % 11 - 5)) for hour in range(240)]
    found = tr.fold(lines(rows), RULE).overall
    returns = np.array(net_returns(rows, RULE))
    days = [float(empyrical.cum_returns_final(returns[start:start + 24])) for start in range(0, 240, 24)]
    assert found.worst_day == pytest.approx(min(days), abs=1e-9)


def test_a_round_trip_in_the_head() -> None:
    """Buy a tenth, earn 5 %, leave: 0.1 * 0.05 - 0.1 * 0.0031 in, 0.1 * 0.0031 out."""
    found = tr.fold(lines([(0, "A", 0.9, 0.05), (1, "A", 0.0, 0.0)]), RULE).overall
    assert (found.trades, found.hit_rate, found.exposure_max) == (1, 1.0, 0.1)
    expected = (1 + Decimal("0.005") - Decimal("0.00031")) * (1 - Decimal("0.00031")) - 1
    assert found.total_return == pytest.approx(float(expected), abs=1e-12)
    assert found.turnover_day == pytest.approx(0.2)


def test_fees_alone_make_a_trade_miss() -> None:
    found = tr.fold(lines([(0, "A", 0.9, 0.005), (1, "A", -0.9, -0.005), (2, "A", 0.0, 0.0)]), RULE).overall
    assert (found.trades, found.hit_rate) == (2, 0.0)       # each earns 0.0005 and pays 0.00062
    without = tr.fold(lines([(0, "A", 0.9, 0.005), (1, "A", -0.9, -0.005), (2, "A", 0.0, 0.0)]), RULE._replace(cost=1e-9)).overall
    assert without.hit_rate == 1.0


def test_a_symbol_that_vanishes_is_sold() -> None:
    found = tr.fold(lines([(0, "A", 0.9, 0.0), (1, "B", 0.1, 0.0), (2, "B", 0.1, 0.0)]), RULE).overall
    assert found.trades == 1
    assert found.exposure_max == 0.1


def test_the_same_twice_gives_no_sharpe() -> None:
    assert tr.fold(lines([(hour, "A", 0.0, 0.0) for hour in range(5)]), RULE).overall.sharpe is None


@pytest.mark.parametrize("change", [
    lambda rows: [rows[1], rows[0], *rows[2:]], lambda rows: [rows[0], *rows], lambda rows: [*rows, b"{}\n"], lambda rows: [*rows, b"x\n"],
    lambda rows: [*rows[:-1], rows[-1].rstrip(b"\n")], lambda rows: [one.replace(b'"outcome": 0.01', b'"outcome": NaN') for one in rows],
    lambda rows: [one.replace(b'"outcome": 0.01', b'"outcome": true') for one in rows],
    lambda rows: [rows[0].replace(b"\n", b" " * 9000 + b"\n")],
    lambda rows: [], lambda rows: [*rows[:2], rows[2].replace(b'"window": 0', b'"window": 1'), *rows[3:]]],
    ids=["back in time", "twice", "empty", "no JSON", "cut", "NaN", "bool", "long", "none", "window returns"])
def test_what_is_left_out_could_be_the_losses(change: object) -> None:
    rows = lines([(hour, "A", 0.9, 0.01) for hour in range(4)])
    tr.fold(rows, RULE)
    with pytest.raises(Undecided):
        tr.fold(change(rows), RULE)  # type: ignore[operator]


def test_the_fixture_of_the_other_tests_is_measured_as_the_library_does() -> None:
    data = m.predictions()
    rows = [json.loads(one) for one in data.splitlines()]
    table = [(round((canonical.parse_utc(one["at"]) - START).total_seconds() / 3600), one["symbol"], one["prediction"], one["outcome"])
             for one in rows]
    rule = tr.Rule(m.PROFILE["enter_at"], m.PROFILE["position_size"], m.PROFILE["fee"] + m.PROFILE["slippage"], 8760)
    found = tr.fold(data.splitlines(keepends=True), rule).overall
    assert found.sharpe == pytest.approx(float(empyrical.sharpe_ratio(np.array(net_returns(table, rule)), annualization=8760)), rel=1e-9)
