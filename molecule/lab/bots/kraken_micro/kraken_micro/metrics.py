"""What the bot counts, in Prometheus' form."""

from __future__ import annotations

import os
import resource
import time
from decimal import Decimal
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from .config import MODES, Limits

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0)

ERROR_CAUSES = ("venue", "refused", "unclear")


class Metrics:
    """All series of one process, in their own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        here = self.registry
        self.api_seconds = Histogram("exchange_api_seconds", "Seconds of a venue call", ["method"], buckets=BUCKETS, registry=here)
        self.api_calls = Counter("exchange_api_calls", "Venue calls by end", ["method", "result"], registry=here)
        self.api_errors = Counter("exchange_api_errors", "Venue calls without a good end, by cause", ["method", "cause"], registry=here)
        self.orders = Counter("orders", "Orders by end: accepted, refused, unclear, blocked, simulated", ["result"], registry=here)
        self.ws_connected = Gauge("ws_connected", "1 while the market stream is up and speaks", registry=here)
        self.ws_reconnects = Counter("ws_reconnects", "Market stream connections after the first", registry=here)
        self.ws_messages = Counter("ws_messages", "Messages of the market stream", registry=here)
        self.nonces = Counter("nonces", "Nonces given out", registry=here)
        self.nonces_refused = Counter("nonces_refused", "Nonces that the venue refused", registry=here)
        self.mode = Gauge("bot_mode", "1 for the mode that is in force", ["mode"], registry=here)
        self.last_decision = Gauge("bot_last_decision_timestamp", "Unix time of the last decision", registry=here)
        self.last_price = Gauge("bot_last_price_timestamp", "Unix time of the oldest last price over all pairs", registry=here)
        self.positions = Gauge("bot_open_positions", "Open positions", registry=here)
        self.profit = Gauge("bot_profit_quote", "Profit and loss since the ledger began, quote currency", registry=here)
        self.day_profit = Gauge("bot_day_profit_quote", "Profit and loss of this UTC day, quote currency", registry=here)
        self.halted = Gauge("bot_entries_halted", "1 while a reason keeps entries away", ["reason"], registry=here)
        self.resource = Gauge("bot_resource_used_ratio", "Used part of what the bot may use", ["resource"], registry=here)
        self.balance_tier = Gauge("bot_balance_tier", "Balance source in use, 1 to 3; 0 when none answers", registry=here)
        self._cpu = (time.monotonic(), time.process_time())
        for result in ("accepted", "refused", "unclear", "blocked", "simulated"):
            self.orders.labels(result)

    def may_fail(self, method: str) -> None:
        """Show a venue call's errors from zero: a rate sees neither a series that is not there nor the first count of a new one."""
        for cause in ERROR_CAUSES:
            self.api_errors.labels(method, cause)

    def show_engine(self, effective: str, halts: list[str], last_decision: float, positions: int) -> None:
        """Show the mode in force (exactly one is 1), what keeps entries away, the last decision and the open positions."""
        for mode in (*MODES, "paper", "halted"):
            self.mode.labels(mode).set(1 if mode == effective else 0)
        self.halted.clear()
        for reason in halts:
            self.halted.labels(reason).set(1)
        self.last_decision.set(last_decision)
        self.positions.set(positions)

    def show_money(self, total: Decimal, day: Decimal) -> None:
        """Show profit and loss since the ledger began and of this UTC day (quote currency)."""
        self.profit.set(float(total))
        self.day_profit.set(float(day))

    def measure(self, limits: Limits, disk: Path) -> dict[str, float]:
        """Measure what this process uses of what it may use; kernel counters, no guesses."""
        now = (time.monotonic(), time.process_time())
        seconds, used = now[0] - self._cpu[0], now[1] - self._cpu[1]
        ratios = {
            "memory": rss_bytes() / limits.memory_bytes,
            "file_descriptors": len(os.listdir("/proc/self/fd")) / limits.file_descriptors,
            "threads": len(os.listdir("/proc/self/task")) / limits.threads,
            "disk": sum(path.stat().st_size for path in disk.rglob("*") if path.is_file()) / limits.disk_bytes,
        }
        if seconds > 0:
            ratios["cpu"] = used / seconds / float(limits.cpu_cores)
        self._cpu = now
        for name, value in ratios.items():
            self.resource.labels(name).set(value)
        return ratios

    def text(self) -> bytes:
        """Return the exposition text."""
        return generate_latest(self.registry)


def rss_bytes() -> int:
    """Return the resident memory of this process."""
    with open("/proc/self/statm", encoding="ascii") as handle:
        return int(handle.read().split()[1]) * resource.getpagesize()
