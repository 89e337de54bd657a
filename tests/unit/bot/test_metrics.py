"""What the bot counts: errors are a series from the first call on, not from the first error."""

from __future__ import annotations

from kraken_micro.metrics import Metrics


def test_errors_of_a_call_are_shown_from_zero():
    metrics = Metrics()
    metrics.may_fail("Balance")
    assert b'exchange_api_errors_total{cause="unclear",method="Balance"} 0.0' in metrics.text()


def test_showing_them_again_forgets_none():
    metrics = Metrics()
    metrics.may_fail("Balance")
    metrics.api_errors.labels("Balance", "venue").inc()
    metrics.may_fail("Balance")
    assert b'exchange_api_errors_total{cause="venue",method="Balance"} 1.0' in metrics.text()
