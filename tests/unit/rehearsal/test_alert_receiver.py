"""The receiver of a rehearsal's alerts: only who has the token is heard, and what it tells is what the probe reads."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from golive.probes import alert_delivery
from golive.rehearsal.alert_receiver import KEPT, Inbox, serve


@pytest.fixture
def ask():
    inbox = Inbox("t0ken")
    server = serve(inbox, "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def go(path, body=None, token="t0ken"):
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{server.server_port}{path}", data=data,
                                         headers={"Authorization": f"Bearer {token}"})  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    yield go
    server.shutdown()
    server.server_close()


def alert(name, **more):
    return {"labels": {"alertname": name}, "annotations": {"summary": "x"}, **more}


def test_what_alertmanager_and_the_kill_switch_send_is_told_with_its_channel(ask):
    assert ask("/alerts", {"alerts": [alert("DiskLow", status="resolved")]}) == (200, {"taken": 1})
    assert ask("/alerts", [alert("KillSwitch")]) == (200, {"taken": 1})
    told = ask("/received")[1]["alerts"]
    assert [(one["name"], one["channel"], one["status"]) for one in told] == [
        ("DiskLow", "alertmanager", "resolved"), ("KillSwitch", "direct", "firing")]  # fmt: skip


def test_the_probe_reads_what_it_tells(ask):
    ask("/alerts", {"alerts": [alert("Canary", annotations={"breached_at": "1700000000"})]})
    look = SimpleNamespace(now=lambda: datetime.now(UTC), secret=lambda _reference: "t0ken",
                           get=lambda *_a, **_k: SimpleNamespace(status=200, body=json.dumps(ask("/received")[1]).encode()))  # fmt: skip
    seen = alert_delivery.observe({"url": "https://x", "credential": "c", "canary": "Canary", "watchdog": "Watchdog"}, look)
    assert seen.facts["canary_received"] is True


@pytest.mark.parametrize("path", ["/alerts", "/received"])
def test_without_the_token_nothing_is_taken_or_told(ask, path):
    assert ask(path, [alert("x")] if path == "/alerts" else None, token="other")[0] == 401
    assert ask("/received")[1] == {"alerts": []}


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b'{"alerts": 1}', b"[1]", b'[{"labels": []}]', b"[" * 100_000])
def test_what_holds_no_alerts_is_refused(ask, body):
    assert ask("/alerts", body)[0] == 400
    assert ask("/received")[1] == {"alerts": []}


def test_only_the_newest_are_kept(ask):
    ask("/alerts", [alert(str(number)) for number in range(KEPT + 1)])
    told = ask("/received")[1]["alerts"]
    assert (len(told), told[0]["name"], told[-1]["name"]) == (KEPT, "1", str(KEPT))
