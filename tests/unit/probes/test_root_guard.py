"""A guard of the bot against foreign roots, asked of real little modules: a good one, one of asserts, one that looks at the name only."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from golive.errors import Undecided
from golive.probes.look import Completed, Observed
from golive.probes.root_guard import FACTS, observe

from .fake_look import FakeLook

GOOD = """
import os
class Store:
    def __init__(self, root):
        if "/swing" in os.path.realpath(root):
            raise ValueError("this root belongs to another system")
"""
ASSERTS = GOOD.replace("if ", "assert not (").replace("realpath(root):", "realpath(root))").replace(
    '            raise ValueError("this root belongs to another system")\n', "")
BY_NAME = GOOD.replace("os.path.realpath(root)", "root")
REFUSES_ALL = GOOD.replace('"/swing" in os.path.realpath(root)', "True")


@pytest.fixture
def ask(tmp_path: Path) -> Any:
    for name in ("own", "swing"):
        (tmp_path / name).mkdir()

    def asked(text: str, **more: Any) -> Observed:
        (tmp_path / "bot_store.py").write_text(text)

        def run(words: Any) -> Completed:
            done = subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, check=False)
            return Completed(done.returncode, done.stdout, done.stderr)
        look = FakeLook(commands={"the-bots-python": run})
        given = {"python": "the-bots-python", "path": [str(tmp_path)], "module": "bot_store", "name": "Store", "user": "bot",
                 "own": str(tmp_path / "own"), "foreign": [str(tmp_path / "swing")], **more}
        found = observe(given, look)  # type: ignore[arg-type]
        assert {user for _words, user in look.ran} == {"bot"}
        return found
    return asked


def test_a_guard_that_raises_refuses_every_way(ask: Any) -> None:
    found = ask(GOOD)
    assert found.facts == {"own_accepted": True, "own_refused": [], "accepted": [], "refused": 6}
    assert found.opportunities == 6
    assert set(found.facts) <= set(FACTS)


def test_a_guard_made_of_an_assert_is_gone_under_O(ask: Any) -> None:
    facts = ask(ASSERTS).facts
    assert facts["own_accepted"] is True
    assert [one.endswith("with -O") for one in facts["accepted"]] == [True] * 3
    assert facts["refused"] == 3


def test_a_guard_that_looks_at_the_name_alone_is_walked_around(ask: Any) -> None:
    accepted = ask(BY_NAME).facts["accepted"]
    assert [one for one in accepted if "over a link" in one]
    assert not [one for one in accepted if "plainly" in one]


def test_one_that_refuses_everything_is_not_taken_for_a_guard(ask: Any) -> None:
    facts = ask(REFUSES_ALL).facts
    assert (facts["own_accepted"], facts["accepted"]) == (False, [])
    assert "another system" in facts["own_refused"][0]


@pytest.mark.parametrize("wrong", [{"module": "no_such_module"}, {"name": "NoSuchClass"}, {"foreign": []}])
def test_code_that_cannot_be_asked_is_undecided(ask: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(Undecided):
        ask(GOOD, **wrong)
