"""What the bot says of itself at `/health`. Only its own word: golive asks the venue and the kernel as well."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from .book import Book
from .config import Config
from .engine import Engine
from .ledger import Ledger


def utc(moment: float) -> str | None:
    """Return a unix time as `2026-11-21T10:15:00Z`, None for 0."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)) if moment else None


def money(value: Decimal) -> str:
    """Return an amount of quote currency, to the eighth decimal."""
    return format(value.quantize(Decimal("1E-8")).normalize() + 0, "f")


def release_digests(path: str | None) -> dict[str, Any]:
    """Return the manifest of the release that runs and, as `digest`, the name of its directory; {} when there is none."""
    if path is None:
        return {}
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        folder = Path(path).resolve().parent.name
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    found.pop("distributions", None)  # long, and bound by the digest
    return {**found, "digest": f"sha256:{folder}" if re.fullmatch(r"[0-9a-f]{64}", folder) else None}


class Health:
    """Puts the health document together."""

    def __init__(self, config: Config, engine: Engine, ledger: Ledger, release: dict[str, Any], clock: Callable[[], float] = time.time):
        self._config, self._engine, self._ledger, self._release, self._clock = config, engine, ledger, release, clock
        self._started = clock()

    def document(self) -> dict[str, Any]:
        """Return the document; money as decimal texts, times in UTC."""
        engine, config, book = self._engine, self._config, self._engine.book
        now = self._clock()
        ages = {pair: engine.market.age(pair) for pair in config.trade_pairs}
        return {
            "instance": config.instance,
            "mode": config.mode,
            "effective_mode": engine.effective_mode,
            "stage": config.stage,
            "rehearsal": config.rehearsal,
            "faults": sorted(config.faults),
            "pid": os.getpid(),
            "now": utc(now),
            "started_at": utc(self._started),
            "last_decision_at": utc(engine.last_decision),
            "last_decision_age_s": round(now - engine.last_decision, 3) if engine.last_decision else None,
            "decisions": engine.decisions,
            "entries_halted_by": engine.halts,
            "prices": {pair: str(price.last) for pair, price in engine.market.prices.items()},
            "price_age_s": {pair: None if age is None else round(age, 3) for pair, age in ages.items()},
            "venue_status": engine.market.status,
            "reconciled": engine.reconciled,
            "foreign_orders": engine.foreign_orders,
            "latches": vars(engine.state.latches),
            "controls": {"kill": engine.controls.kill, "no_entries": engine.controls.no_entries, "exit_only": engine.controls.exit_only},
            "positions": positions(book),
            "orders": orders(book),
            "unresolved_orders": len(book.unresolved()),
            "profit": money(engine.losses.total),
            "day_profit": money(engine.losses.day),
            "ledger": {"path": str(self._ledger.path), "seq": self._ledger.seq, "head": self._ledger.head},
            "last_fill": _last_fill(book),
            "config_digest": config.digest,
            "risk_config_digest": config.risk_digest,
            "release_digest": self._release.get("digest"),
            "release": self._release,
            "limits": {
                "position_size": str(config.position_size),
                "positions": config.positions_allowed,
                "max_daily_loss": str(min(config.risk.max_daily_loss, config.circuit_breaker.max_daily_loss)),
                "total_loss": str(config.circuit_breaker.total_loss),
            },
            "config": config.raw,
        }


def positions(book: Book) -> list[dict[str, Any]]:
    """Return the open positions."""
    return [
        {
            "pair": position.pair,
            "volume": str(position.volume),
            "price": str(position.price.quantize(Decimal("1E-12"))),
            "opened_at": utc(position.opened_ms / 1000),
            "stop": position.stop_client_id,
        }
        for position in book.positions.values()
    ]


def orders(book: Book) -> list[dict[str, Any]]:
    """Return the orders that may still be filled."""
    return [
        {"client_id": one.client_id, "txid": one.txid, "pair": one.pair, "action": one.action, "side": one.side, "status": one.status,
         "volume": str(one.volume), "price": None if one.price is None else str(one.price)}
        for one in book.open_orders()
    ]  # fmt: skip


def _last_fill(book: Book) -> dict[str, Any] | None:
    if book.last_fill is None:
        return None
    return {name: book.last_fill[name] for name in ("seq", "at", "pair", "side", "volume", "price")}
