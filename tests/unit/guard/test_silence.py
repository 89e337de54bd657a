"""The guard's silence: paged once, again while it lasts, and its end too; a page that is not taken is sent again, no restart forgets."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from golive.guard import silence
from golive.guard.silence import State

from tests.unit.guard.test_acts import Receiver, receiver

__all__ = ["receiver"]
NOW = 1_700_000_000.0


@pytest.fixture
def given(receiver: tuple[type[Receiver], dict[str, str]], tmp_path: Path) -> dict[str, Any]:
    return {"system": "kraken-micro", "heartbeat": str(tmp_path / "guard"), "state_file": str(tmp_path / "state.json"), "silent_s": 60,
            "starts_within_s": 600, "every_s": 5, "repeat_s": 900, "page": receiver[1]}  # fmt: skip


def beat(given: dict[str, Any], at: float) -> None:
    Path(given["heartbeat"]).touch()
    os.utime(given["heartbeat"], (at, at))


def test_a_guard_that_is_heard_pages_nobody(given: dict[str, Any], receiver: tuple[type[Receiver], dict[str, str]]) -> None:
    beat(given, NOW - 60)
    assert silence.look(given, State(0.0), NOW) == State(0.0)
    assert receiver[0].taken == []


def test_silence_is_paged_once_and_again_while_it_lasts_and_its_end_is_told(
    given: dict[str, Any], receiver: tuple[type[Receiver], dict[str, str]]
) -> None:
    beat(given, NOW - 61)
    state = silence.look(given, State(0.0), NOW)
    for later in (5, 899):
        state = silence.look(given, state, NOW + later)
    assert len(receiver[0].taken) == 1
    state = silence.look(given, state, NOW + 901)
    beat(given, NOW + 902)
    state = silence.look(given, state, NOW + 905)
    silence.look(given, state, NOW + 910)
    bodies = [body[0] for _, _, body in receiver[0].taken]
    assert [body["status"] for body in bodies] == ["firing", "firing", "resolved"]
    assert bodies[0]["labels"]["alertname"] == "GuardSilent"
    assert "not been heard for 61 s" in bodies[0]["annotations"]["summary"]


def test_a_guard_that_never_came_has_longer_and_is_then_paged(
    given: dict[str, Any], receiver: tuple[type[Receiver], dict[str, str]]
) -> None:
    state = silence.look(given, State(NOW), NOW + 599)
    assert receiver[0].taken == []
    silence.look(given, state, NOW + 601)
    assert len(receiver[0].taken) == 1


def test_a_page_that_was_not_taken_is_sent_again(given: dict[str, Any], receiver: tuple[type[Receiver], dict[str, str]]) -> None:
    receiver[0].status = 503
    beat(given, NOW - 100)
    state = silence.look(given, State(0.0), NOW)
    assert state.paged_at is None
    receiver[0].status = 200
    assert silence.look(given, state, NOW + 5).paged_at == NOW + 5


def test_a_restart_forgets_neither_a_silence_nor_its_page(given: dict[str, Any], receiver: tuple[type[Receiver], dict[str, str]]) -> None:
    beat(given, NOW - 100)
    silence.look(given, State(NOW - 500), NOW)
    state = silence.recall(given["state_file"], NOW + 1)
    assert state == State(NOW - 500, NOW)
    silence.look(given, state, NOW + 1)
    assert len(receiver[0].taken) == 1
    Path(given["state_file"]).write_text("{}")
    assert silence.recall(given["state_file"], NOW) == State(NOW)


@pytest.mark.parametrize(("change", "words"), [({"silent_s": 0}, "above 0 in silent_s"), ({"page": None}, "page: expected"),
                                               ({"extra": 1}, "expected exactly")])  # fmt: skip
def test_wrong_settings_end_in_one_sentence(given: dict[str, Any], tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({**given, **change}))
    with pytest.raises(silence.Problem, match=words):
        silence.settings_from(str(path))
