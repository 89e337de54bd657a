"""What comes from outside cannot speak to a terminal, hide, reverse or flood."""
from __future__ import annotations

import io
import json
from types import ModuleType

import pytest
from golive.report import console, json_report
from golive.report.hostile import CAP, clean, moment
from golive.report.model import Report
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(("text", "expected"), [
    ("\x1b[31mred\x1b[0m", "red"),
    ("\x1b]0;title\x07shown", "shown"),
    ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
    ("\x9b2Jgone", "gone"),
    ("\x1bP1;2q#0\x1b\\after", "after"),
    ("\x1b]0;unfinished and the rest", "0;unfinished and the rest"),
    ("\x1b\x1b[31m[31mtwice", "[31mtwice"),
    ("a\r\nb\tc", "a b c"),
    ("pay\u202eevil\u2066", "payevil"),
    ("zero\u200bwidth", "zerowidth"),
    ("lone \ud800 surrogate", "lone  surrogate"),
    ({"a": True, "b": None}, '{"a": true, "b": null}'),
])
def test_codes_and_invisible_characters_are_gone(text: object, expected: str) -> None:
    assert clean(text) == expected


def test_what_was_cut_is_counted() -> None:
    assert clean("x" * 1000) == "x" * CAP + "… (600 more characters)"


def test_second_cut_counts_what_the_first_has_taken() -> None:
    assert clean(clean("x" * 1000), 100) == clean("x" * 1000, 100) == "x" * 100 + "… (900 more characters)"
    assert clean(clean("x" * 1000)) == clean("x" * 1000)


@given(st.text(alphabet=st.characters(), max_size=300))
def test_no_control_character_survives(text: str) -> None:
    assert all(ord(character) >= 32 and not 0x7F <= ord(character) < 0xA0 for character in clean(text))


@pytest.mark.parametrize("value", ["yesterday", None, 7, "2026-11-21T10:15:00+01:00", "\x1b[31m2026-11-21T10:15:00Z"])
def test_time_that_cannot_be_read_is_not_known(value: object) -> None:
    assert moment(value) is None


def test_console_of_a_hostile_run_holds_no_escape_and_keeps_brackets_as_text(stopped: Report, runs: ModuleType) -> None:
    out = io.StringIO()
    console.show(stopped, out, width=120)
    text = out.getvalue()
    assert "\x1b" not in text
    assert "ALL GREEN" in text.replace("\n", " ")      # the hostile text was shown, as text
    assert "\u202e" not in text
    assert runs.HOSTILE not in json.dumps(json_report.as_data(stopped), ensure_ascii=False)
