"""Who can read what by the store's own word: surplus, strangers, other doors and endless tokens are each told."""
from __future__ import annotations

import copy
import json

import pytest
from golive.errors import Undecided
from golive.probes import store_access

from .fake_look import FakeLook, response

POLICY = 'path "kv/data/x/exchange/wire" { capabilities = ["read"] }'
WORLD = {
    "auth/approle/role?list=true": {"data": {"keys": ["x-bot"]}},
    "auth/approle/role/x-bot": {"data": {"token_policies": ["x-bot"], "token_period": 3600, "token_ttl": 0}},
    "sys/policies/acl/x-bot": {"data": {"policy": POLICY}},
    "sys/policies/acl/default": {"data": {"policy": 'path "sys/tools/hash" { capabilities = ["update"] }'}},
    "sys/auth": {"data": {"approle/": {"type": "approle"}, "token/": {"type": "token"}}},
    "kv/metadata/x/?list=true": {"data": {"keys": ["exchange/"]}},
    "kv/metadata/x/exchange/?list=true": {"data": {"keys": ["kill", "wire"]}},
}
ASK = {"address": "https://store:8200", "token_reference": "vault:self#token", "system": "x", "readers": {"x-bot": ["x/exchange/wire"]}}


class Store(FakeLook):
    """Answers exactly these paths."""

    def __init__(self, world):
        super().__init__({}, secrets={"vault:self#token": "hvs.own"})
        self.world = world

    def get(self, url, headers=None, **_more):
        assert headers == {"X-Vault-Token": "hvs.own"}
        found = self.world.get(url.partition("/v1/")[2])
        return response(found if found is not None else {"errors": []}, status=200 if found is not None else 404)


def seen(change=None, **more):
    world = copy.deepcopy(WORLD)
    if change:
        change(world)
    return store_access.observe({**ASK, **more}, Store(world))


def test_what_the_profile_gives_is_no_surplus():
    found = seen()
    assert found.facts == {"surplus": [], "unknown_roles": [], "missing_roles": [], "other_logins": [], "token_ttls_s": [3600],
                           "secrets": 2, "roles": 1}  # fmt: skip
    assert found.opportunities == 2
    assert set(found.facts) == set(store_access.FACTS)


def test_a_widened_policy_names_the_role_and_the_secret():
    def widen(world):
        world["sys/policies/acl/x-bot"]["data"]["policy"] = 'path "kv/data/x/*" { capabilities = ["read"] }'

    assert seen(widen).facts["surplus"] == ["x-bot: x/exchange/kill"]


def test_the_policy_default_counts_for_every_role():
    def widen(world):
        world["sys/policies/acl/default"]["data"]["policy"] = 'path "kv/data/x/exchange/+" { capabilities = ["read"] }'

    assert seen(widen).facts["surplus"] == ["x-bot: x/exchange/kill"]


def test_a_stranger_and_another_door_are_told():
    def by_hand(world):
        world["auth/approle/role?list=true"]["data"]["keys"].append("by-hand")
        world["auth/approle/role/by-hand"] = {"data": {"token_policies": ["root"], "token_ttl": 60}}
        world["sys/auth"]["data"]["userpass/"] = {"type": "userpass"}

    found = seen(by_hand).facts
    assert found["unknown_roles"] == ["by-hand"]
    assert found["surplus"] == ["by-hand: x/exchange/kill", "by-hand: x/exchange/wire"]
    assert found["other_logins"] == ["userpass/ (userpass)"]


@pytest.mark.parametrize(("fields", "seconds"), [({}, 10**9), ({"token_ttl": 60, "token_period": 0}, 60), ({"token_max_ttl": 7200}, 7200),
                                                 ({"token_ttl": True}, 10**9)])  # fmt: skip
def test_a_token_without_a_limit_is_the_worst_and_not_the_best(fields, seconds):
    def change(world):
        world["auth/approle/role/x-bot"]["data"] = {"token_policies": ["x-bot"], **fields}

    assert seen(change).facts["token_ttls_s"] == [seconds]


def test_a_role_of_the_profile_that_is_not_there_is_told():
    assert seen(readers={**ASK["readers"], "x-guard": ["*"]}).facts["missing_roles"] == ["x-guard"]


@pytest.mark.parametrize("gone", ["auth/approle/role/x-bot", "sys/policies/acl/x-bot", "sys/auth", "kv/metadata/x/?list=true"])
def test_what_may_not_be_looked_at_is_undecided(gone):
    with pytest.raises(Undecided):
        seen(lambda world: world.pop(gone))


@pytest.mark.parametrize("more", [{"readers": {}}, {"address": "http://store"}, {"ca_file": "nowhere"}])
def test_a_question_that_means_nothing_is_undecided(more):
    with pytest.raises(Undecided):
        seen(**more)


def test_nothing_of_the_token_is_told():
    assert "hvs.own" not in json.dumps(seen().facts)
