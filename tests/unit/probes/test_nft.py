"""The firewall as loaded: policy, equality with what was rendered, life after a reboot."""

from __future__ import annotations

import json

import pytest
from golive.errors import Undecided
from golive.probes.look import Completed
from golive.probes.nft import FACTS, observe

from .fake_look import FakeLook

UNIT = "UnitFileState=enabled\nActiveState=active\nLoadState=loaded\n"


def chain(hook, policy="drop", **more):
    return {
        "chain": {"family": "inet", "table": "golive", "name": hook, "handle": 1, "type": "filter", "hook": hook, "policy": policy, **more}
    }


def rule(port, handle=7, packets=0, chain_name="input"):
    expr = [{"match": {"op": "==", "left": "tcp dport", "right": port}}, {"counter": {"packets": packets, "bytes": packets * 60}}]
    return {"rule": {"family": "inet", "table": "golive", "chain": chain_name, "handle": handle, "expr": expr}}


def listing(*parts, rc=0):
    return Completed(
        rc, json.dumps({"nftables": [{"metainfo": {"version": "1.1.3"}}, {"table": {"family": "inet", "name": "golive"}}, *parts]}), ""
    )


GOOD = (chain("input"), chain("output"), chain("forward"), rule(22), rule(443))


def ask(**more):
    return {"table": "golive", "rendered": "/etc/golive/golive.nft", "unit": "golive-firewall.service", **more}


def host(loaded=GOOD, rendered=GOOD, unit=UNIT):
    return FakeLook(commands={"unshare": listing(*rendered), "nft -j list": listing(*loaded), "systemctl show": Completed(0, unit, "")})


def facts(**world):
    return observe(ask(), host(**world)).facts


def test_default_drop_loaded_as_rendered_and_at_boot():
    seen = facts()
    assert (seen["input_policy"], seen["output_policy"], seen["forward_policy"]) == ("drop", "drop", "drop")
    assert seen["loaded_equals_rendered"] is True
    assert seen["loaded_at_boot"] is True
    assert set(seen) <= set(FACTS)


def test_handles_and_counters_are_no_difference():
    assert facts(loaded=(*GOOD[:3], rule(22, 91, 5000), rule(443, 92, 3)))["loaded_equals_rendered"] is True


def test_what_a_set_has_learned_is_no_difference_and_what_it_was_given_is():
    def addresses(*elements, flags=()):
        return {"set": {"family": "inet", "table": "golive", "name": "some", "flags": list(flags), "elem": list(elements)}}

    def equal(loaded, rendered):
        return facts(loaded=(*GOOD, loaded), rendered=(*GOOD, rendered))["loaded_equals_rendered"]

    assert equal(addresses("10.0.0.1", flags=["dynamic"]), addresses(flags=["dynamic"]))
    assert not equal(addresses("10.0.0.1"), addresses())


def test_an_added_rule_is_a_difference():
    assert facts(loaded=(*GOOD, rule(8000)))["loaded_equals_rendered"] is False


def test_the_order_of_rules_is_their_meaning():
    assert facts(loaded=(*GOOD[:3], rule(443), rule(22)))["loaded_equals_rendered"] is False


def test_the_order_of_chains_is_not():
    assert facts(loaded=(chain("forward"), chain("output"), chain("input"), *GOOD[3:]))["loaded_equals_rendered"] is True


def test_an_accepting_policy_is_told():
    assert facts(loaded=(chain("input", "accept"), *GOOD[1:]))["input_policy"] == "accept"


def test_a_hook_without_a_chain_has_no_policy():
    assert facts(loaded=(chain("input"),))["output_policy"] == "none"


def test_a_flushed_rule_set_has_no_table():
    look = host()
    look.commands["nft -j list"] = Completed(1, "", "Error: No such file or directory\nlist table inet golive")
    seen = observe(ask(), look).facts
    assert seen["table_present"] is False
    assert seen["input_policy"] == "none"
    assert seen["loaded_equals_rendered"] is False


@pytest.mark.parametrize("unit", [UNIT.replace("enabled", "disabled"), UNIT.replace("=active", "=failed"), "LoadState=not-found\n", ""])
def test_a_unit_that_will_not_load_it_is_told(unit):
    assert facts(unit=unit)["loaded_at_boot"] is False


@pytest.mark.parametrize(
    "answer",
    [
        Completed(1, "", "Operation not permitted"),
        Completed(0, "", ""),
        Completed(0, "[]", ""),
        Completed(0, '{"nftables": 7}', ""),
        Completed(0, "{" * 50000, ""),
    ],
)
def test_a_silent_or_malformed_nft_is_undecided(answer):
    look = host()
    look.commands["nft -j list"] = answer
    with pytest.raises(Undecided):
        observe(ask(), look)


def test_rendered_rules_that_cannot_be_loaded_are_undecided():
    look = host()
    look.commands["unshare"] = Completed(1, "", "syntax error")
    with pytest.raises(Undecided, match="syntax error"):
        observe(ask(), look)


def test_a_hostile_table_name_is_refused():
    with pytest.raises(Undecided):
        observe(ask(table="golive; flush ruleset"), host())


def test_only_listing_and_the_namespace_of_our_own_are_run():
    look = host()
    observe(ask(), look)
    for argv, _user in look.ran:
        assert argv[:3] == ["nft", "-j", "list"] or argv[:2] == ["unshare", "--net"] or argv[:2] == ["systemctl", "show"]
