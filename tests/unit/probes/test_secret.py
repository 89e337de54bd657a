"""The store and the keys in it, without a value leaving the memory."""

from __future__ import annotations

import json

import pytest
from golive.errors import Undecided
from golive.probes.secret import FACTS, observe

from .fake_look import FakeLook, response

LIVE, WIRE, GUARD = (f"vault:kv/x/{name}#key" for name in ("live", "wire", "guard"))


def key(name, secret="c2VjcmV0LW9mLXRoZS1rZXk="):
    return json.dumps({"key": name, "secret": secret})


def fingerprints(**values):
    secrets = {reference: value for reference, value in values.items() if value is not None}
    return observe({"question": "fingerprints", "references": list(values)}, FakeLook(secrets=secrets)).facts


def test_one_key_per_process():
    seen = fingerprints(**{LIVE: key("AAAA1"), WIRE: key("BBBB2")})
    assert (seen["missing"], seen["shared_fingerprints"], seen["malformed"], seen["placeholders"]) == ([], [], [], [])
    assert len(seen["fingerprints"]) == 2
    assert set(seen) <= set(FACTS)


def test_a_shared_key_names_both_who_share_it():
    assert fingerprints(**{LIVE: key("AAAA1"), GUARD: key("AAAA1", "b3RoZXI="), WIRE: key("BBBB2")})["shared_fingerprints"] == sorted(
        [GUARD, LIVE]
    )


def test_a_missing_key_is_missing():
    assert fingerprints(**{LIVE: None})["missing"] == [LIVE]


def test_a_placeholder_is_no_key():
    assert fingerprints(**{LIVE: key("test")})["placeholders"] == [LIVE]


@pytest.mark.parametrize("value", ["", "text", "[]", '{"key": "AAAA1"}', '{"key": "AAAA1", "secret": "x", "more": 1}'])
def test_what_is_not_a_key_and_a_secret_is_malformed(value):
    assert fingerprints(**{LIVE: value})["malformed"] == [LIVE]


def test_no_fact_holds_a_key_or_a_secret():
    text = json.dumps(fingerprints(**{LIVE: key("AAAA1-public-id"), WIRE: key("test", "c2VjcmV0")}))
    assert "AAAA1" not in text
    assert "c2VjcmV0" not in text


def store(sealed=False, devices=None, ttl=3600, policies=("observer",), token=None):
    return FakeLook({
        "seal-status": {"sealed": sealed, "initialized": True, "version": "1.19.0"},
        "sys/audit": {"data": {"file/": {"type": "file"}} if devices is None else devices},
        "lookup-self": token or {"data": {"creation_ttl": ttl, "policies": list(policies), "id": "hvs.SECRET"}},
    }, secrets={"vault:self#token": "hvs.SECRET"})  # fmt: skip


def asked(look):
    return observe({"question": "store", "address": "https://vault:8200", "token_reference": "vault:self#token"}, look).facts


def test_an_unsealed_audited_store_with_a_short_token():
    seen = asked(store())
    assert (seen["sealed"], seen["audit_devices"], seen["token_ttl_s"]) == (False, 1, 3600)
    assert "SECRET" not in json.dumps(seen)
    assert set(seen) <= set(FACTS)


def test_a_sealed_store_is_told_and_asked_no_further():
    seen = asked(store(sealed=True))
    assert seen["sealed"] is True
    assert "audit_devices" not in seen


def test_no_audit_device_is_none():
    assert asked(store(devices={}))["audit_devices"] == 0


def test_a_token_that_never_expires_is_the_worst_and_not_the_best():
    assert asked(store(ttl=0))["token_ttl_s"] > 10**8


def test_a_store_that_refuses_is_undecided_in_its_own_words():
    with pytest.raises(Undecided, match="permission denied"):
        asked(store(token=response({"errors": ["1 error occurred:\n\t* permission denied"]}, status=403)))


@pytest.mark.parametrize("answer", [b"", {"sealed": "no"}, response({}, status=500)])
def test_a_store_that_does_not_answer_is_undecided(answer):
    with pytest.raises(Undecided):
        asked(FakeLook({"seal-status": answer}))


@pytest.mark.parametrize("ask", [{"question": "love"}, {"question": "fingerprints"}, {"question": "store", "address": "http://vault:8200"},
                                 {"question": "store", "address": "https://u:p@vault:8200"}])  # fmt: skip
def test_a_question_that_means_nothing_is_undecided(ask):
    with pytest.raises(Undecided):
        observe(ask, store())


STRONG = "kQ9x7LpA+w3/ZzR1mV0nT5yB8cD2eF6gH4iJqKsUoXvYW"


def strength_of(values, written="2026-11-11T12:00:00.123456789Z"):
    metadata = {"data": {"current_version": 2, "versions": {"1": {"created_time": "2020-01-01T00:00:00Z"}, "2": {"created_time": written}}}}
    look = FakeLook({"/v1/x/metadata/": metadata}, secrets={**values, "vault:self#token": "t"})
    ask = {"question": "strength", "references": [*values], "address": "https://store:8200", "token_reference": "vault:self#token"}
    return observe(ask, look).facts


def test_strength_is_told_without_the_secret():
    seen = strength_of({"vault:x/a#v": STRONG, "vault:x/b#v": "changeme", "vault:x/c#v": key("id", STRONG)})
    assert seen["known_weak"] == ["vault:x/b#v"]
    assert seen["reused"] == ["vault:x/a#v", "vault:x/c#v"]
    assert seen["bits"][0] > 200
    assert seen["bits"][1] == 0
    assert seen["ages_days"] == [10.0, 10.0, 10.0]
    assert STRONG[:8] not in json.dumps(seen)
    assert set(seen) <= set(FACTS)


def test_an_age_that_the_store_does_not_tell_is_undecided():
    with pytest.raises(Undecided, match="does not say when"):
        strength_of({"vault:x/a#v": STRONG}, written="")
