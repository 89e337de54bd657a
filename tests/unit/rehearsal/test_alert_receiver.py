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
from golive.rehearsal.alert_receiver import ANNOTATIONS, BODY_CAP, NAMES, PER_NAME, TEXT_CAP, Inbox, serve

TOKEN = "t0ken-of-a-rehearsal"


@pytest.fixture
def inbox(tmp_path):
    return Inbox(TOKEN, str(tmp_path / "received.json"))


@pytest.fixture
def ask(inbox):
    server = serve(inbox, "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def go(path, body=None, token=TOKEN):
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
    look = SimpleNamespace(now=lambda: datetime.now(UTC), secret=lambda _reference: TOKEN,
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


def test_a_message_beyond_the_cap_is_refused_unread(ask):
    assert ask("/alerts", b" " * (BODY_CAP + 1))[0] == 413


def test_what_was_acknowledged_survives_a_restart(ask, inbox, tmp_path):
    ask("/alerts", [alert("Canary", annotations={"nonce": "n"})])
    again = Inbox(TOKEN, str(tmp_path / "received.json"))
    assert again.received() == inbox.received() != []


def test_what_cannot_be_kept_is_not_acknowledged(ask, inbox, tmp_path):
    (tmp_path / "received.json").mkdir()
    status, answer = ask("/alerts", [alert("Canary")])
    assert status == 503
    assert "could not be kept" in answer["error"]


def test_a_storm_of_one_alert_leaves_the_others(ask):
    ask("/alerts", [alert("Canary")])
    ask("/alerts", [alert("Watchdog", annotations={"n": str(number)}) for number in range(PER_NAME + 5)])
    told = ask("/received")[1]["alerts"]
    assert [one["name"] for one in told] == ["Canary"] + ["Watchdog"] * PER_NAME
    assert told[-1]["annotations"] == {"n": str(PER_NAME + 4)}


def test_memory_is_bounded_whatever_arrives(ask):
    for number in range(NAMES + 1):
        ask("/alerts", [alert(f"A{number}", annotations={str(n): "x" * 2 * TEXT_CAP for n in range(2 * ANNOTATIONS)})])
    told = ask("/received")[1]["alerts"]
    assert {one["name"] for one in told} == {f"A{number}" for number in range(1, NAMES + 1)}
    assert max(len(one["annotations"]) for one in told) == ANNOTATIONS
    assert max(len(text) for one in told for text in one["annotations"].values()) == TEXT_CAP


def test_hostile_text_stops_nothing(ask):
    assert ask("/alerts", b'[{"labels": {"alertname": "\\ud800"}, "annotations": [1]}]') == (200, {"taken": 1})
    assert ask("/alerts", [alert("Canary")]) == (200, {"taken": 1})


def test_it_starts_neither_with_a_weak_token_nor_with_a_state_of_another_form(tmp_path):
    with pytest.raises(ValueError, match="fewer than 16"):
        Inbox("", str(tmp_path / "received.json"))
    (tmp_path / "received.json").write_text("[]")
    with pytest.raises(TypeError):
        Inbox(TOKEN, str(tmp_path / "received.json"))
