"""Breaks of the bot on its host: another environment, another configuration, a file beside its log. Its instance is started anew."""
from __future__ import annotations

from typing import Any

from .fault import Fault
from .host_breaks import on_host

#: what looks at a window of an instance: a restart leaves a hole in it, so that its answer depends on when it is asked
WIRE = ("exchange.api_error_rate", "exchange.api_latency", "process.memory_sustained", "process.resources_within_limits",
        "ledger.order_success_rate", "ledger.order_success_rate@day1", "ledger.order_audit_trail", "ledger.execution_rate_stable",
        "ledger.reconciles_with_exchange", "ledger.daily_loss_within_limit", "process.memory_at_startup", "backup.config",
        "exchange.order.decimal_precision", "exchange.order.lot_size", "exchange.rate_budget", "exchange.traffic.encoding",
        "exchange.traffic.endpoint", "exchange.traffic.headers", "exchange.traffic.nonce_monotonic",
        "exchange.traffic.signature_valid",
        "nonce.accepted_ratio", "risk.stop_loss_on_every_entry", "alert.rule.disk_low", "alerts.cover_all_thresholds",
        "logs.no_unhandled_errors",
        "logs.no_unhandled_errors@signoff", "paper.setup_valid", "dashboard.serves_live_data", "dashboard.serves_live_data@paper",
        "dashboard.serves_live_data@signoff", "config.loaded_matches_rendered", "risk.circuit_breaker_threshold", "risk.max_daily_loss",
        "risk.max_position_size", "risk.position_limits_match_profile")
SHADOW = ("workloads.no_restarts", "ledger.paper_continuous_hours", "ledger.paper_continuous_hours@day1", "ledger.paper_days",
          "paper.started",
          "process.uptime_ratio", "exchange.ws_uptime", "exchange.ws_reconnect_rate", "exchange.ws_reconnect_rate@hour",
          "ledger.net_return_positive", "process.decides", "marketdata.crosschecked", "backup.config", "alert.rule.disk_low",
          "alerts.cover_all_thresholds", "deploy.same_release_everywhere", "host.trusts_no_lab_ca")
ANSWERS = ("for i in $(seq 100); do python3 -c 'import urllib.request as u; u.urlopen(\"http://127.0.0.1:%s/health\", timeout=2)' "
           "2>/dev/null && break; sleep 0.3; done")
PORTS = {"shadow": "8001", "wire": "8002", "live": "8000"}
#: what speaks of the live bot, or of what arms it, and asks the bot itself
LIVE = ("exchange.api_error_rate@live", "exchange.api_latency@live", "process.memory_sustained@live", "ledger.order_success_rate@live",
        "ledger.order_audit_trail@live", "ledger.daily_loss_within_limit@live", "ledger.performance_vs_paper",
        "dashboard.serves_live_data@live", "dashboard.serves_live_data@daily", "logs.rotated_below_10mb@operate", "mode.switch_to_live",
        "arming.ticket_valid", "ramp.stage_limits", "positions.protected", "risk.parameters_reviewed", "process.decides@live")


def _restart(instance: str) -> str:
    return f"systemctl restart bot-{instance}; " + ANSWERS % PORTS[instance]


def _unwatched(instance: str, controls: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(one for one in (WIRE if instance == "wire" else SHADOW) if one not in controls)


def started_with(instance: str, lines: str, look: str, wanted: str, *controls: str, layer: str = "process", before: str = ":",
                 after: str = ":", **more: Any) -> Fault:
    """Return the fault by which the unit was started with a drop-in of these lines; $PID in `look` is its main process."""
    drop = f"/run/systemd/system/bot-{instance}.service.d"
    text = lines.replace("\n", "\\n")
    return on_host("bot", layer, f"{before}; mkdir -p {drop}; printf '[Service]\\n{text}\\n' > {drop}/fault.conf; "
                   f"systemctl daemon-reload; {_restart(instance)}",
                   f"PID=$(systemctl show -p MainPID --value bot-{instance}); {look}", wanted,
                   f"rm -f {drop}/fault.conf; systemctl daemon-reload; {_restart(instance)}; {after}", *controls,
                   unwatched=_unwatched(instance, controls), **{"settle_s": 30, "order": 5, **more})


def configured(instance: str, change: str, look: str, *controls: str, before: str = ":", after: str = ":", layer: str = "file",
               **more: Any) -> Fault:
    """Return the fault by which the configuration was edited (`change`: a Python statement about `c`) and the bot started anew.

    `look`: a Python expression over the health page `h` that must be true.
    """
    path = f"/etc/bot/{instance}.json"
    edit = f"import json; c = json.load(open(\"{path}\")); {change}; json.dump(c, open(\"{path}\", \"w\"), indent=1)"
    health = f"http://127.0.0.1:{PORTS[instance]}/health"
    second = f"import json, urllib.request as u; h = json.load(u.urlopen(\"{health}\")); print(bool({look}))"
    return on_host("bot", layer, f"{before}; cp -p {path} /run/golive-fault-config; python3 -c '{edit}'; {_restart(instance)}",
                   f"python3 -c '{second}'", "True",
                   f"cp -p /run/golive-fault-config {path}; rm /run/golive-fault-config; {after}; {_restart(instance)}", *controls,
                   unwatched=_unwatched(instance, controls), **{"settle_s": 40, "order": 5, **more})


def misbehaving(instance: str, faults: str, *controls: str, **more: Any) -> Fault:
    """Return the fault by which the stand-in bot misbehaves: one of its own switches, named on its health page."""
    return configured(instance, f"c[\"faults\"] = {faults}", "h[\"faults\"]", *controls, layer="bot", **more)
