"""The two playbooks as a person runs them: refused in one sentence, foretold, done once, and back again."""
from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from golive import session

from tests.fixtures import models as m
from tests.fixtures.model_profile import VALUES
from tests.integration.model_registry.conftest import CRYPTO, Host, handed_in
from tests.integration.sets.conftest import Run

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]
SYSTEM = str(VALUES["model_system"])      # of which the checkout knows nothing: its reports are this test's own
HEADS = session.reports_of(SYSTEM) / "model_heads"


@pytest.fixture
def values(registry: Host, approved: dict[str, Any], tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What an inventory and a person give the playbook for a candidate that was signed."""
    shutil.rmtree(HEADS, ignore_errors=True)
    given = handed_in(registry, tmp_path, 21, rows=m.predictions(edge=0.013, seed=9))      # other metrics than those in force
    closed = (datetime.now(UTC) + timedelta(hours=3)).strftime("%H:%M")
    later = (datetime.now(UTC) + timedelta(hours=4)).strftime("%H:%M")
    yield {**{name: one for name, one in VALUES.items() if name.startswith("model_")}, "golive_rehearsal": False,
           "model_window": f"{closed}-{later}", "model_promotion_candidate": given["candidate"],
           "model_promotion_validation": given["validation"], "model_promotion_approvals": str(tmp_path / "approvals")}
    shutil.rmtree(session.reports_of(SYSTEM), ignore_errors=True)


def in_force(host: Host) -> str:
    return str(json.loads(host.must(f"cat {CRYPTO}/models/approved_model.json"))["digest"])


def refused(run: Run, word: str) -> None:
    assert run.rc != 0
    assert word in run.text
    assert "Traceback" not in run.text
    assert run.objects == []


def test_a_person_promotes_and_goes_back(registry: Host, approved: dict[str, Any], values: dict[str, Any]) -> None:
    before, play = in_force(registry), "promote_model.yml"
    refused(registry.playbook(play, values), "not confirmed")
    confirmed = {**values, "model_promotion_confirm": True}
    refused(registry.playbook(play, confirmed), "closed: models are promoted in the downtime window")
    nobody = {**confirmed, "model_promotion_approvals": str(registry.place)}
    forced = {"model_promotion_force_reason": "the test does not wait for the night"}
    refused(registry.playbook(play, {**nobody, **forced}), "not approved")
    assert in_force(registry) == before

    meant = {**confirmed, **forced}
    predicted = registry.playbook(play, meant, "--check", "--diff").must()
    assert in_force(registry) == before
    assert values["model_promotion_candidate"] in predicted.text      # the diff names digest and metrics
    assert '"sharpe"' in predicted.text
    real = registry.playbook(play, meant).must()
    assert real.by_host == predicted.by_host
    assert [name.split(":")[0] for name, _op in real.objects] == ["model", "log", "pointer"]
    assert in_force(registry) == values["model_promotion_candidate"]
    assert f"In force: {values['model_promotion_candidate']}, before it: {before}" in real.text
    assert registry.playbook(play, meant, "--check").must().objects == []
    assert registry.playbook(play, meant).must().objects == []
    heads = [json.loads(line)["head"] for path in HEADS.iterdir() for line in path.read_text().splitlines()]
    assert heads, "the head of the log was not carried away"

    back = {**values, "model_rollback_reason": "it trades too much", "model_rollback_away_from": values["model_promotion_candidate"]}
    refused(registry.playbook("rollback_model.yml", {**back, "model_rollback_reason": " "}), "a rollback needs a reason")
    predicted = registry.playbook("rollback_model.yml", back, "--check", "--diff").must()
    assert in_force(registry) == values["model_promotion_candidate"]
    real = registry.playbook("rollback_model.yml", back).must()
    assert real.by_host == predicted.by_host
    assert in_force(registry) == before
    assert registry.playbook("rollback_model.yml", back).must().objects == []
    move = registry.tool_run("info")["facts"]["moves"][0]
    assert (move["act"], move["reason"], move["previous"]) == ("model.rollback", "it trades too much", values["model_promotion_candidate"])

    # Who cuts the log's end on the host is told by the head that was carried away.
    kept = registry.must(f"cat {CRYPTO}/models/approvals.jsonl; cp -a {CRYPTO}/models /srv/models-kept").splitlines()
    registry.must(f"sed -i '$d' {CRYPTO}/models/approvals.jsonl")
    pointer = json.dumps(json.loads(kept[-2])["detail"]["pointer"], sort_keys=True, separators=(",", ":"))
    registry.must(f"printf '%s\\n' '{pointer}' > {CRYPTO}/models/approved_model.json")
    try:
        assert registry.tool_run("verify")["problems"] == [], "log and pointer were cut together: the host alone cannot tell"
        refused(registry.playbook("promote_model.yml", meant), "LOG")
    finally:
        registry.must(f"rm -rf {CRYPTO}/models && mv /srv/models-kept {CRYPTO}/models")
