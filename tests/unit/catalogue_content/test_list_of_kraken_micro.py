"""The catalogue, the list and the numbers of kraken-micro, held against the seed and against the layout of the project."""
from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
import yaml
from golive import catalogue, checklist, compile, profile

ROOT = Path(__file__).resolve().parents[3]
SEED = ROOT / "checklists/seeds/kraken-micro.tsv"
ROLES = {"prometheus", "alertmanager", "logging", "backup", "tls", "secrets", "kill_switch", "guard", "base", "ssh", "firewall",
         "model_registry", "bot", "exchange_sandbox", "drift"}
CARRIED = {"010": ["091"], "029": ["030", "031", "032", "033"], "034": ["035", "036", "037", "038"]}


@pytest.fixture(scope="module")
def known() -> catalogue.Catalogue:
    return catalogue.load(ROOT / "controls")


@pytest.fixture(scope="module")
def listed() -> checklist.Checklist:
    return checklist.load(ROOT / "checklists/kraken-micro.yml", SEED)


def bound(group: str) -> profile.Profile:
    values = profile.from_files(ROOT / "inventories/kraken-micro", group)
    plain = {name: value for name, value in values.items() if not (isinstance(value, str) and "{{" in value)}
    return profile.freeze(plain, rehearsal=group == "rehearsal")


@pytest.mark.parametrize("group", ["rehearsal", "production"])
def test_catalogue_list_and_profile_compile(group: str) -> None:
    compile.compile_system("kraken-micro", bound(group), ROOT)


def test_red_proofs_are_all_that_a_rehearsal_may_go_on_without() -> None:
    compiled = compile.compile_system("kraken-micro", bound("rehearsal"), ROOT)
    assert [name for name, one in compiled.controls.items() if one["in_rehearsal"] == "counted"] == ["gate.controls_proven_red"]


def test_every_line_of_the_seed_stands_once_in_order_and_wording(listed: checklist.Checklist) -> None:
    with SEED.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert len(rows) == 96
    assert [seed for item in listed.items() for seed in item.seed] == [row["id"] for row in rows]
    for item, row in zip(listed.items(), rows, strict=True):
        if not row["text"].startswith("(the block"):
            assert item.text == row["text"]


def test_headings_are_carried_by_the_lines_under_them(listed: checklist.Checklist) -> None:
    found = {item.seed[0][-3:]: [seed[-3:] for seed in item.carried_by] for item in listed.items() if item.carried_by}
    assert found == CARRIED


def test_a_control_stands_in_the_file_of_its_subject(known: catalogue.Catalogue) -> None:
    for name, control in known.controls.items():
        assert control.document.file == f"controls/{name.split('.')[0]}.yml"


def test_no_control_holds_a_number_of_its_own(known: catalogue.Catalogue) -> None:
    for control in known.controls.values():
        assert catalogue.literal_numbers(control.fields["expect"]) == [], control.where
        assert not isinstance(control.fields["min_opportunities"], int), control.where


def test_no_critical_control_rests_on_the_bots_word(known: catalogue.Catalogue) -> None:
    for control in known.controls.values():
        if control.fields["severity"] == "critical":
            assert "bot" not in control.fields["witness"], control.where


def test_remedies_are_roles_of_the_layout_playbooks_or_people(known: catalogue.Catalogue) -> None:
    for control in known.controls.values():
        remedy = control.fields["remedy"]
        if remedy.startswith("roles/"):
            assert remedy.removeprefix("roles/") in ROLES, control.where


def test_what_to_do_is_one_sentence_for_a_person(known: catalogue.Catalogue) -> None:
    for control in known.controls.values():
        assert 20 <= len(control.fields["how"]) <= 220, control.where
        assert "\n" not in control.fields["how"], control.where


def test_faults_are_names_of_files(known: catalogue.Catalogue) -> None:
    for control in known.controls.values():
        for fault in control.fields["faults"] or []:
            assert re.fullmatch(r"[a-z][a-z0-9_]+", fault), control.where


def test_attestations_are_said_to_be_one_and_have_no_fault(known: catalogue.Catalogue) -> None:
    for control in known.controls.values():
        assert control.fields["attest"] == (control.fields["probe"] == "attestation"), control.where
        if control.fields["attest"]:
            assert control.fields["faults"] == [], control.where
            assert control.fields["witness"] == ["person"], control.where


def test_a_missing_part_says_which(known: catalogue.Catalogue) -> None:
    for control in known.controls.values():
        assert control.fields["built"] or len(control.fields["why"]) > 20, control.where


def test_the_stage_that_is_signed_for_is_a_stage_of_the_list() -> None:
    values = bound("production").values
    stages = values["ramp_stages"]
    assert [(one["position_quote"], one["positions_max"], len(one["pairs"]), one["daily_loss_quote"]) for one in stages] == [
        (5.0, 2, 1, 10.0), (7.0, 2, 1, 20.0), (7.0, 3, 2, 20.0)]
    assert values["ramp_stage_now"] in stages
    assert values["ramp_paper_stage"] == stages[-1]
    assert values["risk_breaker_total_loss_quote"] == -30.0
    assert max(one["position_quote"] for one in stages) <= values["risk_max_position_quote"] == 10.0
    assert max(one["daily_loss_quote"] for one in stages) <= values["risk_max_daily_loss_quote"] == 20.0
    assert max(one["positions_max"] for one in stages) <= values["risk_max_positions"] == 3


def test_alert_rules_carry_the_numbers_that_the_bot_runs_under() -> None:
    values = bound("production").values
    rules = {rule["name"]: rule["threshold"] for rule in values["alert_thresholds"]}
    assert rules["DailyLossNear"] == -values["risk_max_daily_loss_quote"]
    assert rules["TotalLossReached"] == values["risk_breaker_total_loss_quote"]
    assert rules["TooManyPositions"] == values["risk_max_positions"]
    assert rules["MemoryHigh"] == values["memory_sustained_max_bytes"]
    assert rules["ApiLatencyHigh"] == values["exchange_api_latency_mean_max_s"]
    assert rules["ApiErrorsHigh"] == values["exchange_api_error_ratio_max"]
    assert rules["WebSocketDown"] == values["exchange_ws_uptime_min"]
    assert rules["PriceTooOld"] == values["risk_max_price_age_s"]
    assert rules["DecisionTooOld"] == values["bot_decision_max_age_s"]


def test_only_a_rehearsal_scales_time() -> None:
    assert bound("production").scaled == {}
    scaled = bound("rehearsal")
    assert set(scaled.scaled) == set(scaled.values["golive_waiting_times"])
    assert scaled.values["day_s"] == scaled.values["golive_day_seconds"]


def test_the_rehearsal_changes_no_limit_of_the_list() -> None:
    folder = ROOT / "inventories/kraken-micro/group_vars"
    limits = {name for file in ("risk", "ramp", "safety") for name in yaml.safe_load((folder / f"all/{file}.yml").read_text("utf-8"))}
    for path in sorted((folder / "rehearsal").glob("*.yml")):
        softened = set(yaml.safe_load(path.read_text("utf-8"))) & limits - {"ramp_fills_min"}
        assert softened == set(), path.name


def test_every_inventory_has_every_group_and_production_has_no_host() -> None:
    lab, production = (yaml.safe_load((ROOT / f"inventories/kraken-micro/{name}.yml").read_text("utf-8"))["all"]["children"]
                       for name in ("lab", "production"))
    assert set(lab) == set(production)
    assert all(not (group or {}).get("hosts") for group in production.values())


def test_the_emergency_document_names_the_playbooks_that_the_profile_asks_for() -> None:
    values = bound("production").values
    text = (ROOT / values["docs_emergency_path"]).read_text("utf-8")
    assert re.search(r"^Reviewed: \d{4}-\d{2}-\d{2}$", text, re.MULTILINE)
    assert [name for name in values["docs_emergency_playbooks"] if name not in text] == []
