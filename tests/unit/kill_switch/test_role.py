"""What the role writes is what the switch accepts: holding as the profile has it, and flattening on each venue."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from golive import plan
from golive.kill_switch.parts.settings import key_files, selling_of, settings_from
from golive.kill_switch.parts.words import Problem

ROLE = Path(__file__).parents[3] / "roles/kill_switch"
GIVEN = {
    "kill_switch_system": "s", "kill_switch_venue": "kraken", "kill_switch_url": "https://192.0.2.1", "kill_switch_ca_file": "",
    "kill_switch_quote": "USDT", "kill_switch_pairs": ["SHIB/USDT"], "kill_switch_hold_policy": "hold", "kill_switch_page_url": "",
    "kill_switch_bot_address": "192.0.2.2", "inventory_hostname": "outside", "groups": {"kill_machines": ["guard", "outside"]}}
FLATTEN = {"kill_switch_hold_policy": "flatten", "kill_switch_client_id_prefix": "gl", "kill_switch_flatten": {"loss_cap_quote": 5.0},
           "kill_switch_inventory_since": "2026-11-21T10:15:00Z", "kill_switch_trade_credential": "vault:kv/s#trade"}


def written(folder: Path, **more: Any) -> str:
    variables = {**yaml.safe_load((ROLE / "defaults/main.yml").read_text()), **GIVEN, **more}
    text = trust_as_template((ROLE / "templates/kill_switch.json.j2").read_text())
    out = Templar(DataLoader(), variables).template(text, escape_backslashes=False, overrides={"trim_blocks": True})
    path = folder / "settings.json"
    path.write_text(json.dumps(out) if isinstance(out, dict) else str(out))
    return str(path)


def test_holding_as_the_profile_has_it(tmp_path: Path) -> None:
    made = settings_from(written(tmp_path))
    assert made["turn"] == {"rank": 1, "of": 2, "slot_s": 10.0}
    assert key_files(made) == ("/etc/golive/kill_key.cred", None)
    assert "place_stops" not in made


@pytest.mark.parametrize("venue", ["kraken", "binance", "binance_usdm"])
def test_flattening(tmp_path: Path, venue: str) -> None:
    made = settings_from(written(tmp_path, **FLATTEN, kill_switch_venue=venue, kill_switch_place_stops_pct=5.0))
    assert selling_of(made).loss_cap == 5
    assert key_files(made) == ("/etc/golive/kill_key.cred", "/etc/golive/trade_key.cred")


@pytest.mark.parametrize(("change", "words"), [
    ({"kill_switch_flatten": {}}, "loss_cap_quote"), ({"kill_switch_inventory_since": ""}, "needs inventory_since"),
    ({"kill_switch_inventory_since": "yesterday"}, "expected a time like"),
    ({"kill_switch_client_id_prefix": ""}, "needs client_id_prefix"),
    ({"kill_switch_client_id_prefix": "much-too-long-a-prefix"}, "12 characters at most"), ({"kill_switch_slot_s": 2.0}, "5 or more"),
    ({"kill_switch_flatten": {"loss_cap_quote": 5.0, "hope": 1}}, "unknown hope")])
def test_settings_with_which_somebody_elses_coins_could_be_sold_are_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(Problem, match=words):
        settings_from(written(tmp_path, **{**FLATTEN, **change}))



@pytest.mark.parametrize("machine", ["guard", "outside"])
def test_each_machine_has_a_key_of_its_own_and_each_is_asked_about_from_its_own_machine(machine: str) -> None:
    profile = yaml.safe_load((ROLE.parents[1] / "inventories/kraken-micro/group_vars/all/safety.yml").read_text())
    reference = profile["kill_switch_key_credential"]
    variables = {**yaml.safe_load((ROLE / "defaults/main.yml").read_text()), **GIVEN, "kill_switch_key_credential": reference,
                 "inventory_hostname": machine}
    given = Templar(DataLoader(), variables).template(trust_as_template(variables["kill_switch_credential"]))
    assert given == "vault:kv/kraken-micro/exchange/kill_%s#key" % machine
    assert plan._filled({"credential": reference, "unit": "$subject"}, {"subject": machine, "address": "192.0.2.1"}) == {
        "credential": given, "unit": machine}
    known = yaml.safe_load((ROLE.parents[1] / "inventories/kraken-micro/group_vars/all/exchange.yml").read_text())
    assert given in known["exchange_key_references"]


def test_what_the_printed_card_says_to_type_is_there() -> None:
    card = (ROLE.parents[1] / "docs/emergency-card.md").read_text()
    typed = [line.strip() for line in card.splitlines() if line.startswith("    ")]
    assert typed[0] == "sudo kill_switch.py --now"
    # A phone of 360 px shows 38 characters of a typed line without scrolling it away.
    assert [line for line in card.splitlines() if line.startswith("    ") and len(line) - 4 > 38] == []
    tasks = yaml.safe_load((ROLE / "tasks/machine.yml").read_text())
    links = [link for task in tasks for link in task.get("managed_files", {}).get("links", [])]
    assert {"path": "/usr/local/sbin/kill_switch.py", "to": "/usr/local/lib/golive/kill_switch.py"} in links
    assert (ROLE.parents[1] / typed[2]).is_file()
    for word in ("flat", "held with stops", "NAKED", "may still be trading", "--fenced", "--dry-run"):
        assert word in card
        assert word in (ROLE.parents[1] / "module_utils/golive/kill_switch/kill_switch.py").read_text()
