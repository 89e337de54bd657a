"""What the bot's host says about its stop is told as it is: stopped and not masked may come back."""
from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from golive.kill_switch.parts.beside import Beside


def fenced(folder: Path, answer: dict[str, Any]) -> tuple[list[str], list[str], bool]:
    said: list[str] = []
    troubles: list[str] = []
    command = [sys.executable, "-c", "print(%r)" % json.dumps(answer)]
    beside = Beside({"fence": command, "epoch_directory": str(folder)}, lambda _mark: None, troubles.append, said.append)
    thread = threading.Thread(target=beside.fence, daemon=True)
    thread.start()
    done = beside.fenced.wait(20)
    thread.join(0 if not done else 20)
    return said, troubles, done


def test_a_bot_that_is_stopped_masked_and_voided_is_fenced_without_a_word_more(tmp_path: Path) -> None:
    assert fenced(tmp_path, {"stopped": True, "masked": True, "voided": True, "problems": []}) == (
        ["the bot is stopped and masked on its host"], [], True)


@pytest.mark.parametrize(("undone", "words"), [({"masked": False}, "it is not masked, and may come back: mask: File exists"),
                                               ({"voided": False}, "it is not voided, and may come back"),
                                               ({"masked": False, "voided": False}, "not masked and not voided")])
def test_what_could_not_be_done_there_is_told_and_does_not_hold_up_the_end(tmp_path: Path, undone: dict[str, bool], words: str) -> None:
    answer = {"stopped": True, "masked": True, "voided": True, "problems": ["mask: File exists"], **undone}
    said, (trouble,), done = fenced(tmp_path, answer)
    assert done
    assert words in trouble
    assert ("and masked" in said[0]) is undone.get("masked", True)
