"""A person signs what was read: the command shows it in words, asks for the loss, and says at once when the key is not enrolled."""
from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from golive import session, sign, ticket
from golive.envelope import reader

from tests.fixtures import people as p

ALL = "golive-arm,golive-attest,golive-waiver"
ROLES = """production:
  people:
    Anna: {roles: [operator], principals: [anna]}
    Bert: {roles: [approver], principals: [bert]}
  issuers: {}
rehearsal: {people: {}, issuers: {}}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "signers/s").mkdir(parents=True)
    (tmp_path / "signers/s/production.allowed_signers").write_bytes(p.signers_text([p.enrol(n, namespaces=ALL) for n in ("anna", "bert")]))
    (tmp_path / "signers/s/roles.yml").write_text(ROLES)
    (tmp_path / "tickets/bot").mkdir(parents=True)
    (tmp_path / "tickets/bot/ticket.json").write_bytes(ticket.encode(p.make_ticket()))
    monkeypatch.setattr(session, "ROOT", tmp_path)
    return tmp_path


def run(*words: str, by: str = "anna", key: str | None = None) -> int:
    return sign.main([*words, "--as", by, "--key", str(p.key_of(key or by))])


def test_a_ticket_is_signed_by_who_types_the_loss(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = root / "tickets/bot"
    assert run("ticket", str(folder), "--worst-loss", "10.0") == 0
    assert "REAL MONEY: s on kraken" in capsys.readouterr().out
    assert run("ticket", str(folder), "--worst-loss", "10", by="bert") == 0
    signatures = {name: (folder / f"ticket.json.{name}.sig").read_bytes() for name in ("anna", "bert")}
    ticket.examine((folder / "ticket.json").read_bytes(), signatures, (root / "signers/s/production.allowed_signers").read_bytes(),
                   p.make_policy(), p.NOW)


@pytest.mark.parametrize("typed", ["100", "", "ten"])
def test_another_loss_signs_nothing(root: Path, typed: str) -> None:
    assert run("ticket", str(root / "tickets/bot"), "--worst-loss", typed) == 1
    assert not list((root / "tickets/bot").glob("*.sig"))


def test_a_key_that_is_not_enrolled_is_told_at_once(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ticket", str(root / "tickets/bot"), "--worst-loss", "10", key="mallory") == 1
    assert "which is not enrolled" in capsys.readouterr().err


def test_an_attestation_is_written_with_typed_values_and_can_be_read(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("attest", "owner.checked_in", "--system", "s", "--role", "approver", "--subject", "sha256:" + "a" * 64,
             "--value", "equity_seen_quote=101.50", "--value", "positions_seen=1")
    assert run(*words, by="bert") == 0
    path = next((root / "attestations/s").glob("*.json"))
    found = reader(root, "s", datetime.now(UTC), rehearsal=False).read(path, "attestation")
    assert found.payload["values"] == {"equity_seen_quote": "101.50", "positions_seen": 1}
    assert run(*words[:-2], by="bert") == 1
    assert "other values than this statement asks for" in capsys.readouterr().err


def test_a_waiver_is_written_for_one_release_and_value(root: Path) -> None:
    assert run("waive", "a.b", "--system", "s", "--reason", "the vendor mends it on Monday", "--release", "sha256:" + "a" * 64,
               "--fact", "n=12", "--lasts", "48h", by="bert") == 0
    record = json.loads(next((root / "waivers/s").glob("*.json")).read_text())
    assert (record["payload"]["facts"], record["role"], record["kind"]) == ({"n": 12}, "approver", "waiver")


@pytest.mark.parametrize("words", [("--lasts", "forever", "--fact", "n=1"), ("--fact", "n")])
def test_bad_words_end_in_one_sentence(root: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("waive", "a.b", "--system", "s", "--reason", "the vendor mends it", "--release", "sha256:" + "a" * 64, *words) == 1
    assert capsys.readouterr().err.startswith("sign: not a")
