"""The lab signs with keys of its own, made once, renewed when they expire, and never for production."""
from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from golive import people, rehearsal_signers, signing, ticket
from golive.errors import GoliveError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "signers/kraken-micro", tmp_path / "signers/kraken-micro",
                    ignore=shutil.ignore_patterns("rehearsal.allowed_signers"))
    return tmp_path


def test_every_lab_name_of_the_roles_file_is_enrolled_once_and_a_second_run_changes_nothing(root: Path) -> None:
    assert rehearsal_signers.ensure(root, "kraken-micro") is True
    assert rehearsal_signers.ensure(root, "kraken-micro") is False
    enrolled = ticket.parse_signers(signing.signers_of(root / "signers/kraken-micro", rehearsal=True), True)
    assert {one.principal for one in enrolled} == set(people.load(root / "signers/kraken-micro/roles.yml", rehearsal=True).all())
    folder = rehearsal_signers.keys_dir(root, "kraken-micro")
    assert (folder.stat().st_mode & 0o777, (folder / "lab-operator").stat().st_mode & 0o777) == (0o700, 0o600)


def test_keys_about_to_expire_are_born_anew(root: Path) -> None:
    rehearsal_signers.ensure(root, "kraken-micro")
    before = rehearsal_signers.key_of(root, "kraken-micro", "lab-operator").read_bytes()
    assert rehearsal_signers.ensure(root, "kraken-micro", datetime.now(UTC) + timedelta(days=7)) is True
    assert rehearsal_signers.key_of(root, "kraken-micro", "lab-operator").read_bytes() != before


def test_golive_holds_no_key_of_a_real_person(root: Path) -> None:
    with pytest.raises(GoliveError, match="never signs for one"):
        rehearsal_signers.key_of(root, "kraken-micro", "anna")
