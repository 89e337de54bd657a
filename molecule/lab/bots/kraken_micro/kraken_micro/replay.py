"""Signals of recorded candles, to see that they follow from the candles and from nothing else."""

from __future__ import annotations

import hashlib
import json
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

from .config import Strategy
from .errors import BotError
from .signals import Candle, decide


def load_candles(path: str) -> list[Candle]:
    """Read candles, one `[start, open, high, low, close, volume]` a line. Raises BotError with the line."""
    candles = []
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise BotError(f"{path}: cannot be read ({type(exc).__name__})") from None
    for number, line in enumerate(lines, 1):
        try:
            row = [Decimal(str(value)) for value in json.loads(line, parse_float=Decimal)]
            candles.append(Candle(*row[:6]))
        except (ValueError, TypeError, ArithmeticError):
            raise BotError(f"{path}:{number}: not a candle, expected [start, open, high, low, close, volume]") from None
    return candles


def signals(pair: str, candles: list[Candle], strategy: Strategy) -> list[tuple[str, str]]:
    """Return side and price of each signal, in the order of the candles."""
    found = []
    for end in range(strategy.window, len(candles) + 1):
        signal = decide(pair, candles[:end], strategy)
        if signal is not None:
            found.append((signal.side, format(signal.price, "f")))
    return found


def report(pair: str, candles: list[Candle], strategy: Strategy) -> dict[str, Any]:
    """Replay twice and once shuffled: equal, equal, different."""
    first, second = signals(pair, candles, strategy), signals(pair, candles, strategy)
    mixed = list(candles)
    random.Random(1).shuffle(mixed)
    return {
        "pair": pair,
        "candles": len(candles),
        "signals": len(first),
        "digest": "sha256:" + hashlib.sha256(json.dumps(first).encode()).hexdigest(),
        "repeats": first == second,
        "depends_on_order": signals(pair, mixed, strategy) != first,
    }
