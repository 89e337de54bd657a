"""What arrived where a person would read it."""

from __future__ import annotations

import pytest
from golive.canonical import utc
from golive.errors import Undecided
from golive.probes.alert_delivery import FACTS, observe

from .fake_look import NOW, FakeLook, response

ASK = {"url": "https://receiver:9094", "credential": "vault:kv/x#token", "canary": "Canary", "watchdog": "Watchdog"}


def message(name="Canary", age=10, breached=None, status="firing", channel="webhook", **more):
    from datetime import timedelta

    at = NOW - timedelta(seconds=age)
    annotations = {} if breached is None else {"breached_at": str(NOW.timestamp() - breached)}
    return {"received": utc(at), "name": name, "status": status, "channel": channel, "annotations": annotations, **more}


def facts(*alerts):
    return observe(ASK, FakeLook({"/received": {"alerts": list(alerts)}}, secrets={"vault:kv/x#token": "t"})).facts


def test_a_canary_is_read_back_with_the_time_it_took():
    seen = facts(message(breached=40), message(age=100, breached=110), message("Watchdog", age=30))
    assert (seen["canary_received"], seen["canary_seconds"], seen["canary_age_s"], seen["watchdog_age_s"]) == (True, 30, 10, 30)
    assert seen["channels"] == ["webhook"]
    assert set(seen) <= set(FACTS)


def test_no_canary_is_told_and_has_no_time():
    seen = facts(message("Watchdog"))
    assert seen["canary_received"] is False
    assert "canary_seconds" not in seen


def test_a_silent_watchdog_has_no_age():
    assert "watchdog_age_s" not in facts(message(breached=40))


def test_a_resolved_canary_is_no_delivery():
    assert facts(message(status="resolved"))["canary_received"] is False


@pytest.mark.parametrize("annotations", [{}, {"breached_at": "soon"}, {"breached_at": "99999999999999"}, [], "x"])
def test_a_canary_that_does_not_tell_its_breach_has_no_time(annotations):
    assert "canary_seconds" not in facts({**message(), "annotations": annotations})


def test_a_breach_after_its_receipt_is_not_believed():
    assert "canary_seconds" not in facts(message(age=40, breached=10))


@pytest.mark.parametrize("answer", [b"", {"alerts": {}}, [], response({"alerts": []}, status=401)])
def test_a_receiver_that_does_not_answer_is_undecided(answer):
    with pytest.raises(Undecided):
        observe(ASK, FakeLook({"/received": answer}, secrets={"vault:kv/x#token": "t"}))


def test_rows_of_any_shape_are_passed_over():
    assert facts(7, {"name": ["Canary"]}, {"received": {}, "name": "Canary", "status": "firing"})["canary_received"] is False


def test_the_token_stands_in_no_address():
    look = FakeLook({"/received": {"alerts": []}}, secrets={"vault:kv/x#token": "very-secret"})
    observe(ASK, look)
    assert "very-secret" not in "".join(look.asked)
