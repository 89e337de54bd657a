"""The load run of the nonce source: what it measures is what the released code does."""

from __future__ import annotations

from pathlib import Path

import pytest
from golive.errors import GoliveError
from golive.rehearsal import load

APP = Path(__file__).resolve().parents[3] / "molecule/lab/bots/kraken_micro"
STUB = (
    "import itertools\nclass NonceSource:\n    def __init__(self, path):\n        self.{state}\n"
    "    def next(self):\n        return {step}\n"
)


def source(tmp_path, state, step):
    folder = tmp_path / "app/kraken_micro"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "nonce.py").write_text(STUB.format(state=state, step=step))
    return tmp_path / "app"


def test_the_stand_in_bot_gives_no_nonce_twice(tmp_path):
    found = load.nonces(APP, tmp_path, threads=4, rounds=2, each=500)
    assert (found["duplicates"], found["rising"], found["drawn"]) == (0, True, 4000)
    assert found["per_second"] >= found["per_second_worst"] > 0


def test_a_source_that_repeats_itself_is_seen(tmp_path):
    found = load.nonces(source(tmp_path, "n = 7", "self.n"), tmp_path / "state", threads=2, rounds=1, each=10)
    assert (found["duplicates"], found["rising"]) == (19, False)


def test_a_source_that_does_not_run_says_why(tmp_path):
    with pytest.raises(GoliveError, match="did not run"):
        load.nonces(source(tmp_path, "n = 7", "self.missing").parent / "nothing", tmp_path / "state", threads=1, rounds=1, each=1)
