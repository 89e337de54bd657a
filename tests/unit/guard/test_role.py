"""What the role gives the guard: settings that the guard itself accepts, from the profile, with the actions of the catalogue."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from golive.guard import settings

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "roles/guard"
PROFILE = ROOT / "inventories/kraken-micro/group_vars"
GIVEN = {"guard_bot_address": "192.0.2.1", "guard_bot_host_key": "ssh-ed25519 A", "guard_outside_address": "192.0.2.2"}
#: check of the guard -> the control that it carries out
CONTROLS = {
    "drawdown_day": "risk.max_daily_loss",
    "drawdown_total": "risk.circuit_breaker_threshold",
    "exposure": "risk.max_position_size",
    "positions": "risk.position_limits_match_profile",
    "foreign_order": "orders.none_foreign",
    "naked_position": "positions.protected",
    "decision_age": "process.decides",
    "blind": "guard.independent",
}


def trusted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: trusted(one) for name, one in value.items()}
    if isinstance(value, list):
        return [trusted(one) for one in value]
    return trust_as_template(value) if isinstance(value, str) and "{{" in value else value


def variables(world: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    for folder in ("all", world):
        for path in sorted((PROFILE / folder).glob("*.yml")):
            if path.name != "building.yml":
                found.update(yaml.safe_load(path.read_text()))
    return trusted({**found, **GIVEN, **more})


def render(name: str, world: str, **more: Any) -> dict[str, Any]:
    text = trust_as_template((ROLE / "templates" / name).read_text())
    out = Templar(DataLoader(), variables(world, **more)).template(text, escape_backslashes=False, overrides={"trim_blocks": True})
    return out if isinstance(out, dict) else json.loads(str(out))


@pytest.mark.parametrize("world", ["rehearsal", "production"])
def test_the_guard_accepts_what_the_role_writes(world: str) -> None:
    made = settings.of(render("guard.json.j2", world))
    assert made.limits.loss_day == 10
    assert made.limits.loss_total == 30
    assert made.number["loop_s"] <= 4
    assert made.pairs == ["SHIBUSDT", "XRPUSDT"]
    assert not made.shared
    assert made.tell_bot[-1] == "golive-guard@192.0.2.1"


def test_the_actions_are_those_of_the_catalogue() -> None:
    controls: dict[str, Any] = {}
    for path in (ROOT / "controls").glob("*.yml"):
        controls.update(yaml.safe_load(path.read_text()) or {})
    actions = yaml.safe_load((ROLE / "defaults/main.yml").read_text())["guard_actions"]
    assert {check: actions[check] for check in CONTROLS} == {check: controls[name]["when_live"] for check, name in CONTROLS.items()}


def test_stepping_down_leads_to_the_stage_before_and_from_the_first_to_no_entries() -> None:
    stages = yaml.safe_load((PROFILE / "all/ramp.yml").read_text())["ramp_stages"]
    assert render("bot_control.json.j2", "rehearsal")["step_down"] is None
    smaller = render("bot_control.json.j2", "rehearsal", ramp_stage_now=stages[1])["step_down"]
    assert smaller == {"position_size_usdt": 5.0, "max_positions": 2, "trade_pairs": ["SHIB/USDT"]}


def test_every_module_that_the_guard_imports_is_installed() -> None:
    tasks = (ROLE / "tasks/watcher.yml").read_text()
    folder = ROOT / "module_utils/golive/guard"
    wanted, seen = ["guard"], set()
    while wanted:
        name = wanted.pop()
        seen.add(name)
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                names = [node.module] if node.module else [one.name for one in node.names]
                wanted += [one for one in names if one not in seen]
    assert seen == {"guard", "account", "acts", "binance_account", "decide", "entry", "kraken_account", "kraken_rows", "reading",
                    "settings"}
    assert [name for name in seen if f"/guard/golive/guard/{name}.py," not in tasks] == []


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("loop_s", 5, "loop_s: expected a number from 0.05 to 4, found 5"),
        ("loss_day", 0, "loss_day: expected a number"),
        ("url", "http://api.example.net", "url: expected https"),
        ("pairs", [], "pairs: expected a list of 1 texts or more"),
        ("venue", "other", "venue 'other'"),
        ("actions", {}, "actions: expected one for each of"),
        ("client_id_prefix", "", "client_id_prefix: expected a text"),
    ],
)
def test_bad_settings_are_refused_in_one_sentence(field: str, value: Any, words: str) -> None:
    raw = {**render("guard.json.j2", "rehearsal"), field: value}
    with pytest.raises(settings.Problem, match=words.replace("(", "[(]")):
        settings.of(raw)


def test_a_missing_and_an_unknown_field_are_both_named() -> None:
    raw = render("guard.json.j2", "rehearsal")
    del raw["pairs"]
    with pytest.raises(settings.Problem, match="missing pairs; unknown extra"):
        settings.of({**raw, "extra": 1})


def test_a_key_that_others_may_read_is_refused_without_a_word_of_it(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text('{"key": "K", "secret": "c2VjcmV0"}')
    path.chmod(0o640)
    with pytest.raises(settings.Problem, match="may be read by others"):
        settings.key_from(str(path))
    path.chmod(0o600)
    assert settings.key_from(str(path)) == ("K", b"secret")
    path.write_text('{"key": "K", "secret": "not base64!"}')
    with pytest.raises(settings.Problem, match="no usable key") as refused:
        settings.key_from(str(path))
    assert "not base64" not in str(refused.value)
