"""The drill of wrong tickets on a real host: each is refused by its own word, the right one is accepted, and nothing is armed by it."""
from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from golive import people, rehearsal_signers, session
from golive.lab.run import REPOSITORY
from golive.rehearsal.drills import hosts, tickets

from .conftest import ARM, VERIFIER, Armed

pytestmark = pytest.mark.lab


@pytest.fixture
def scene(armed: Armed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    shutil.copytree(REPOSITORY / "signers/kraken-micro", tmp_path / "signers/kraken-micro",
                    ignore=shutil.ignore_patterns("rehearsal.allowed_signers"))
    rehearsal_signers.ensure(tmp_path, "kraken-micro")
    monkeypatch.setattr(session, "ROOT", tmp_path)
    known = people.load(tmp_path / "signers/kraken-micro/roles.yml", rehearsal=True)
    policy = people.policy(known, system="kraken-micro", host="bot", venue="kraken", mode="pair", roles=["operator", "approver"],
                           release_link="/opt/bot/current", config="/etc/bot/live.json", runtime="/run/bot/live", positions=None)
    armed.remote.put_all({f"{ARM}/policy.json": json.dumps(policy).encode(),
                          f"{ARM}/allowed_signers": (tmp_path / "signers/kraken-micro/rehearsal.allowed_signers").read_bytes()})
    lab = armed.remote.lab
    return SimpleNamespace(bot=hosts.of("bot", {
        "ansible_host": str(lab.host("bot").address), "ansible_user": "golive", "ansible_ssh_private_key_file": str(lab.key_file),
        "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={lab.known_hosts} -o GlobalKnownHostsFile=/dev/null"}))


def test_every_wrong_ticket_is_refused_by_its_own_word(armed: Armed, scene: SimpleNamespace) -> None:
    result, opportunities = tickets.refuse_tickets(scene)
    assert result | {"delivered": None} == {"accepted": 0, "control_accepted": True, "refused_by_another_word": [], "delivered": None}
    assert opportunities == 13
    assert armed.remote.show()["state"] == "none"
    assert armed.remote.ssh(f"test -e {tickets.ROOT}").returncode == 1


def test_a_verifier_that_accepts_all_is_seen(armed: Armed, scene: SimpleNamespace) -> None:
    source = armed.remote.sh(f"cat {VERIFIER}").replace("def examine(", "def examine_not(")
    lax = "\n\ndef examine(data, signatures, signers_data, policy, at):\n    return parse_ticket(data), []\n\n\nif __name__ =="
    armed.remote.put_all({VERIFIER: source.replace("\n\nif __name__ ==", lax).encode()})
    assert tickets.refuse_tickets(scene)[0]["accepted"] > 5
