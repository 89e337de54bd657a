"""Writes each judged request down (JSONL) and counts verdicts; memory stays flat, files are rotated."""

from __future__ import annotations

import asyncio
import json
import os
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any, Optional

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector

from .fastjson import dumps, loads
from .judge import Asked
from .seen import PASS, Seen
from .tally import Tally

#: records kept in memory for quick answers
RING = 20_000
FILES_KEPT = 8
MOST_WAITING = 16_000_000
#: a window up to here has no end (seconds since 1970)
EVER = 1e12
MOST_ENDPOINTS = 80
#: different kinds of requests that are counted before they are spread over tallies and metrics
MOST_KINDS = 2_000
#: account, endpoint, intent, is an order request, the venue's words, rules that were kept
Kept = tuple[Optional[str], str, str, bool, str, tuple[str, ...]]


class Latency(Collector):
    """Time to answer, by transport. Counted in lists, because the library's own histogram locks several times an observation."""

    BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)

    def __init__(self) -> None:
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def observe(self, transport: str, seconds: float) -> None:
        """Count one answer."""
        counts = self._counts.get(transport)
        if counts is None:
            counts = self._counts[transport] = [0] * (len(self.BUCKETS) + 1)
        counts[bisect_left(self.BUCKETS, seconds)] += 1
        self._sums[transport] = self._sums.get(transport, 0.0) + seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Return the histogram as Prometheus counts it: each bucket holds the ones below."""
        family = HistogramMetricFamily("sandbox_request_seconds", "Time to answer", labels=["rehearsal", "transport"])
        for transport, counts in self._counts.items():
            names = [*(repr(bound) for bound in self.BUCKETS), "+Inf"]
            rows = list(zip(names, map(float, accumulate(counts)), strict=True))
            family.add_metric(["true", transport], rows, self._sums[transport])
        yield family


class Metrics:
    """Prometheus series of the sandbox; every one carries rehearsal="true"."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "sandbox_requests", "Judged requests", ["rehearsal", "account", "endpoint", "verdict"], registry=self.registry
        )
        self.verdicts = Counter(
            "sandbox_verdicts", "Verdicts per rule", ["rehearsal", "account", "rule", "verdict"], registry=self.registry
        )
        self.latency = Latency()
        self.registry.register(self.latency)
        self.faults = Counter("sandbox_faults", "Faults of the sandbox itself", ["rehearsal"], registry=self.registry)
        self.streams = Gauge("sandbox_streams", "Open WebSocket connections", ["rehearsal"], registry=self.registry)
        self.cruelties = Gauge("sandbox_cruelties", "Active cruelties", ["rehearsal", "name"], registry=self.registry)


class Recorder:
    """Requests in order; late verdicts are lines of their own and are merged when asked for."""

    def __init__(self, directory: Path, max_mb: int, metrics: Metrics) -> None:
        self._path = directory / "requests.jsonl"
        self._max = max_mb * 1_000_000
        self._handle = self._path.open("ab", buffering=0)
        self._lines: list[bytes] = []
        self._size = self._handle.tell()
        os.chmod(self._path, 0o600)
        #: (exchange time, line) of the newest requests; lines, because as objects they take four times the memory
        self._ring: deque[tuple[float, bytes]] = deque(maxlen=RING)
        self._metrics = metrics
        self._children: dict[tuple[str, ...], Counter] = {}
        #: requests that kept every rule, by all that is counted of them -> how many since the last count
        self._kept: dict[Kept, int] = {}
        self._endpoints: set[str] = set()
        self._next = 1
        #: by account, and over all under None
        self._tallies: dict[Optional[str], Tally] = {None: Tally()}
        for record in self._files():
            self._next = max(self._next, int(record["id"]) + 1)
            self._tally(record)

    def next_id(self) -> int:
        value = self._next
        self._next += 1
        return value

    def add(self, seen: Seen) -> None:
        """Write one request down. What kept every rule is only counted by kind here, and spread over the rules when somebody asks."""
        record = seen.to_dict()
        self._write(record)
        endpoint = seen.endpoint if seen.endpoint in self._endpoints or self._known(seen.endpoint) else "other"
        self._metrics.latency.observe(seen.transport, seen.latency_ms / 1000)
        if record["verdict"] != PASS:
            self._tally(record)
            self._count(seen.account or "-", endpoint, record["verdict"], seen.verdicts, 1)
            return
        key = (seen.account, endpoint, seen.intent, seen.order_request, seen.error, tuple(seen.verdicts))
        self._kept[key] = self._kept.get(key, 0) + 1
        if len(self._kept) > MOST_KINDS:
            self._spread()

    def _spread(self) -> None:
        """Bring tallies and metrics up to date."""
        kept, self._kept = self._kept, {}
        for (account, endpoint, intent, order_request, error, rules), count in kept.items():
            for name in {None, account}:
                self._tallies.setdefault(name, Tally()).add_kept(count, rules, intent == "entry", order_request, error)
            self._count(account or "-", endpoint, PASS, dict.fromkeys(rules, PASS), count)

    def _known(self, endpoint: str) -> bool:
        """Endpoints are text of the client: only so many different ones become series."""
        if len(self._endpoints) < MOST_ENDPOINTS:
            self._endpoints.add(endpoint)
        return endpoint in self._endpoints

    def _count(self, account: str, endpoint: str, verdict: str, verdicts: dict[str, str], count: int) -> None:
        self._child("requests", self._metrics.requests, account, endpoint, verdict).inc(count)
        for rule, word in verdicts.items():
            self._child("verdicts", self._metrics.verdicts, account, rule, word).inc(count)

    def _child(self, name: str, counter: Counter, *labels: str) -> Counter:
        key = (name, *labels)
        if key not in self._children:
            self._children[key] = counter.labels("true", *labels)
        return self._children[key]

    def say(self) -> None:
        """Bring the metrics up to date."""
        self._spread()

    def add_late(self, seen: Optional[Asked], account: str, rule: str, verdict: str, why: str, at: float) -> None:
        """Write down a verdict that fell after the answer."""
        record = {
            "id": seen.id if seen else 0,
            "late": True,
            "at": round(at, 6),
            "account": account,
            "endpoint": seen.endpoint if seen else "",
            "params": seen.params if seen else {},
            "verdicts": {rule: verdict},
            "why": {rule: why} if why else {},
        }
        self._write(record)
        self._tally(record)
        self._metrics.verdicts.labels("true", account, rule, verdict).inc()

    def _tally(self, record: dict[str, Any]) -> None:
        self._tallies[None].add(record)
        if record["account"] is not None:
            self._tallies.setdefault(record["account"], Tally()).add(record)

    def _write(self, record: dict[str, Any]) -> None:
        line = dumps(record) + b"\n"
        self._ring.append((record["at"], line))
        self._lines.append(line)
        self._size += len(line)
        if self._size > self._max:
            self._rotate()

    def _rotate(self) -> None:
        self.flush()
        self._handle.close()
        for number in range(FILES_KEPT - 1, 0, -1):
            older = self._path.with_name("requests.%d.jsonl" % number)
            if older.exists():
                os.replace(older, self._path.with_name("requests.%d.jsonl" % (number + 1)))
        os.replace(self._path, self._path.with_name("requests.1.jsonl"))
        self._handle, self._size = self._path.open("ab", buffering=0), 0
        os.chmod(self._path, 0o600)

    def flush(self) -> None:
        """Hand what was recorded since the last time to the system: with each beat, so that a kill costs the records of one.

        Raises OSError when the disk refuses; the lines wait for the next time, MOST_WAITING bytes of them.
        """
        data = memoryview(b"".join(self._lines))
        while data:
            try:
                written = self._handle.write(data) or 0
            except OSError:
                self._lines = [bytes(data)] if len(data) < MOST_WAITING else []
                raise
            data = data[written:]
        self._lines = []

    def close(self) -> None:
        self.flush()
        self._handle.close()

    def _files(self) -> Iterator[dict[str, Any]]:
        paths = [self._path.with_name("requests.%d.jsonl" % number) for number in range(FILES_KEPT, 0, -1)] + [self._path]
        for path in paths:
            if not path.exists():
                continue
            with path.open("rb") as handle:
                for line in handle:
                    try:
                        yield json.loads(line)
                    except ValueError:
                        continue  # the torn last line of a killed process

    def _in_memory(self, since: float) -> bool:
        return bool(self._ring) and since > 0 and since >= self._ring[0][0]

    def records(self, account: Optional[str], since: float, until: float) -> Iterator[dict[str, Any]]:
        """Yield records of a time window (exchange seconds), oldest first; from memory where it reaches back far enough."""
        memory = [line for at, line in self._ring if since <= at <= until] if self._in_memory(since) else None
        for record in self._files() if memory is None else map(loads, memory):
            if since <= record["at"] <= until and (account is None or record["account"] == account):
                yield record

    async def _each(self, account: Optional[str], since: float, until: float, take: Callable[[dict[str, Any]], None]) -> None:
        """Hand each record of a window to `take`; what memory does not hold is read from disk beside the running exchange."""

        def go() -> None:
            for record in self.records(account, since, until):
                take(record)

        if self._in_memory(since):
            go()
        else:
            self.flush()
            await asyncio.to_thread(go)

    async def newest(self, account: Optional[str], since: float, until: float, limit: int) -> tuple[list[dict[str, Any]], int]:
        """Return the newest records of a window, oldest first, and how many there are in all."""
        kept: deque[dict[str, Any]] = deque(maxlen=limit)
        total = 0

        def take(record: dict[str, Any]) -> None:
            nonlocal total
            total += 1
            kept.append(record)

        await self._each(account, since, until, take)
        return list(kept), total

    async def verdicts(self, account: Optional[str], since: float, until: float, rules: dict[str, str]) -> dict[str, Any]:
        """Return counts and samples per rule, and totals."""
        head = {"account": account, "since": since, "until": until}
        if since <= 0 and until >= EVER:
            self._spread()
            return {**head, **self._tallies.get(account, Tally()).report(rules)}
        tally = Tally()
        await self._each(account, since, until, tally.add)
        return {**head, **tally.report(rules)}
