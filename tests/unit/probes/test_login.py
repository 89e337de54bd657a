"""Defaults are tried once, only beside a control that must be accepted; what is accepted is told without being said."""
from __future__ import annotations

import json

import pytest
from golive.errors import Undecided
from golive.logins import Answer
from golive.probes import login

from .fake_look import FakeLook, response

OWN = "hvs.the-observers-own-token"


class Service(FakeLook):
    """A web service that accepts these headers."""

    def __init__(self, accepted, control=OWN, otherwise=403):
        super().__init__({}, secrets={"vault:self#token": control})
        self.accepted, self.otherwise, self.asked = accepted, otherwise, []

    def get(self, url, headers=None, **_more):
        self.asked.append(dict(headers or {}))
        value = next(iter((headers or {}).values()), None)
        return response({}, status=200 if value in self.accepted else self.otherwise)


def asked(service, kind="vault", **more):
    ask = {"service": kind, "address": "https://store:8200", "control": "vault:self#token", **more}
    return login.observe(ask, service)


def test_a_store_that_takes_its_own_tokens_only():
    seen = asked(Service({OWN}))
    assert (seen.facts["control_ok"], seen.facts["accepted"], seen.facts["unclear"]) == (True, [], [])
    assert seen.facts["tried"] == seen.opportunities == 5
    assert set(seen.facts) <= set(login.FACTS)


def test_a_default_token_that_is_accepted_is_told_by_its_place_and_not_by_its_text():
    seen = asked(Service({OWN, "dev-only-token"})).facts
    assert seen["accepted"] == ["default 2"]
    assert "dev-only" not in json.dumps(seen)


def test_a_service_that_lets_anybody_in_is_told():
    assert asked(Service({OWN, None})).facts["accepted"] == ["nobody"]


def test_a_service_that_is_down_does_not_look_well_guarded():
    seen = asked(Service(set(), otherwise=503))
    assert (seen.facts["control_ok"], seen.opportunities) == (False, 0)
    assert seen.facts["unclear"] == ["control: status 503"]


def test_neither_yes_nor_no_is_unclear():
    assert asked(Service({OWN}, otherwise=500)).facts["unclear"][0] == "nobody: status 500"


def test_no_name_is_tried_more_than_twice_so_that_nobody_is_locked_out():
    service = Service(set(), control="admin:right")
    service.accepted = {"Basic YWRtaW46cmlnaHQ="}
    asked(service, "http", more=["admin:third", "admin:fourth"])
    tried = [one.get("Authorization", "") for one in service.asked]
    assert len([one for one in tried if one.startswith("Basic YWRtaW46")]) == 3  # the control and two defaults


def test_redis_and_postgres_are_asked_in_their_own_language(monkeypatch):
    monkeypatch.setattr(login.logins, "redis", lambda _a, value, **_k: Answer(value in {"right", "redis"}, "x"))
    monkeypatch.setattr(login.logins, "postgres", lambda _a, user, password, _c: Answer((user, password) == ("u", "right"), "x"))
    assert asked(Service(set(), control="right"), "redis").facts["accepted"] == ["default 1"]
    assert asked(Service(set(), control="u:right"), "postgres").facts["accepted"] == []


def test_a_service_that_is_not_there_is_undecided(monkeypatch):
    def gone(*_a, **_k):
        raise ConnectionRefusedError

    monkeypatch.setattr(login.logins, "redis", gone)
    with pytest.raises(Undecided, match="was not reached: ConnectionRefusedError"):
        asked(Service(set()), "redis")


@pytest.mark.parametrize("more", [{"service": "love"}, {"ca_file": "not/there"}])
def test_a_question_that_means_nothing_is_undecided(more):
    with pytest.raises(Undecided):
        asked(Service({OWN}), **({"kind": more["service"]} if "service" in more else more))

