"""First questions of an incident, each answered or called unknown: `diagnose --topic api|performance`."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from .config import Config
from .kraken_rest import tls

UNKNOWN = "unknown"


def report(config: Config, topic: str, clock: Callable[[], float] = time.time) -> dict[str, Any]:
    """Return the answers of a topic; a section that cannot be answered says `unknown` and why."""
    base = f"http://{config.dashboard.host}:{config.dashboard.port}"
    health, metrics = _json(base + "/health"), _text(base + "/metrics")
    sections = _api(config, health, metrics, clock) if topic == "api" else _performance(health, metrics)
    undecided = sorted(name for name, section in sections.items() if section.get("state") == UNKNOWN)
    return {"topic": topic, "instance": config.instance, "complete": not undecided, "unknown": undecided, "sections": sections}


def _api(config: Config, health: dict[str, Any], metrics: dict[str, Any], clock: Callable[[], float]) -> dict[str, Any]:
    context = tls(config.venue.ca_file) if config.venue.rest_url.startswith("https:") else None
    status = _json(config.venue.rest_url + "/0/public/SystemStatus", context)
    before = clock()
    venue_time = _json(config.venue.rest_url + "/0/public/Time", context)
    middle = (before + clock()) / 2
    calls, errors = _sum(metrics, "exchange_api_calls_total"), _sum(metrics, "exchange_api_errors_total")
    return {
        "venue_status": _section(status, lambda found: {"status": found["result"]["status"]}),
        "clock_skew": _section(venue_time, lambda found: {"seconds": round(middle - float(found["result"]["unixtime"]), 1)}),
        "nonce_state": _section(
            metrics, lambda found: {"given": _sum(found, "nonces_total"), "refused": _sum(found, "nonces_refused_total")}
        ),
        "error_rate": _section(metrics, lambda _f: {"calls": calls, "errors": errors, "ratio": errors / calls if calls else 0.0}),
        "bot": _section(health, lambda found: {name: found[name] for name in ("effective_mode", "entries_halted_by", "venue_status")}),
    }


def _performance(health: dict[str, Any], metrics: dict[str, Any]) -> dict[str, Any]:
    def latency(found: dict[str, Any]) -> dict[str, Any]:
        count = _sum(found, "exchange_api_seconds_count")
        return {"calls": count, "mean_s": round(_sum(found, "exchange_api_seconds_sum") / count, 4) if count else None}

    def resources(found: dict[str, Any]) -> dict[str, Any]:
        return {name.split('"')[1]: value for name, value in found["series"] if name.startswith("bot_resource_used_ratio{")}

    return {
        "latency": _section(metrics, latency),
        "resources": _section(metrics, resources),
        "memory": _section(metrics, lambda found: {"rss_bytes": _sum(found, "process_resident_memory_bytes")}),
        "decisions": _section(health, lambda found: {"age_s": found["last_decision_age_s"], "count": found["decisions"]}),
        "queue_depth": _section(health, lambda found: {"unresolved_orders": found["unresolved_orders"]}),
    }


def _section(source: dict[str, Any], answer: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    if "unreachable" in source:
        return {"state": UNKNOWN, "why": source["unreachable"]}
    try:
        return {"state": "answered", **answer(source)}
    except (KeyError, TypeError, ValueError, IndexError) as exc:
        return {"state": UNKNOWN, "why": f"answer without {exc}"[:120]}


def _open(url: str, context: Any = None) -> bytes | str:
    handlers: list[Any] = [urllib.request.ProxyHandler({})]
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=5) as answer:
            return bytes(answer.read(4 << 20))
    except (OSError, ValueError) as exc:
        return f"{url}: {type(exc).__name__} {exc}"[:200]


def _json(url: str, context: Any = None) -> dict[str, Any]:
    raw = _open(url, context)
    if isinstance(raw, str):
        return {"unreachable": raw}
    try:
        found = json.loads(raw)
    except ValueError:
        return {"unreachable": f"{url}: not JSON"}
    return found if isinstance(found, dict) else {"unreachable": f"{url}: not an object"}


def _text(url: str) -> dict[str, Any]:
    raw = _open(url)
    if isinstance(raw, str):
        return {"unreachable": raw}
    rows = [line.rpartition(" ") for line in raw.decode("utf-8", "replace").splitlines() if line and not line.startswith("#")]
    return {"series": [(name, float(value)) for name, _blank, value in rows]}


def _sum(metrics: dict[str, Any], name: str) -> float:
    if "series" not in metrics:
        return 0.0
    return float(sum(value for series, value in metrics["series"] if series.split("{")[0] == name))
