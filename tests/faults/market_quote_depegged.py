"""The quote currency has lost a fifth against the dollar."""
from __future__ import annotations

from .harness.fault import Fault, NotTaken, red
from .harness.lab import Lab


def _price(world: Lab, symbol: str) -> float:
    return float(next(one for name, one in world.admin("GET", "markets")["markets"].items() if name.replace("/", "") == symbol)["price"])


def _move(world: Lab, percent: float) -> None:
    world.kept.setdefault("peg", _price(world, "BTCUSDT"))
    world.admin("POST", "markets/BTC%2FUSDT/price", {"pct": percent})


def _confirm(world: Lab) -> str:
    ratio = _price(world, "BTCUSD") / _price(world, "BTCUSDT")
    if ratio > 0.88:
        raise NotTaken(f"the exchange's markets say {ratio:.3f}")
    return f"the exchange's own list of markets gives {ratio:.3f} USD for a USDT"


TRIALS = (
    Fault(
        "lab", "venue", red("market.quote_peg"), lambda world: _move(world, 25.0), _confirm, lambda world: _move(world, -20.0),
        settle_s=20, order=3,
    ),
)
