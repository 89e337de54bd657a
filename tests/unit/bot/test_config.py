"""A wrong configuration is refused with the key and what was found; nothing is guessed."""
from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from kraken_micro.config import load, parse
from kraken_micro.errors import BotError
from kraken_micro.faults import Faults


def test_the_stricter_of_stage_and_list_wins(make_config: Any) -> None:
    assert make_config(position_size_usdt=7, risk__max_position_size=5).position_size == 5
    assert make_config(max_positions=2, risk__max_concurrent_positions=3).positions_allowed == 2


@pytest.mark.parametrize(("change", "word"), [
    ({"circuit_breaker__max_dayly_loss": 3}, "unknown key circuit_breaker.max_dayly_loss"),
    ({"mode": "paper"}, "mode is 'paper'"),
    ({"max_positions": True}, "max_positions"),
    ({"max_positions": "2"}, "max_positions"),
    ({"position_size_usdt": "5 USDT"}, "position_size_usdt"),
    ({"position_size_usdt": "NaN"}, "finite"),
    ({"circuit_breaker__total_loss": 30}, "below 0"),
    ({"trade_pairs": []}, "trade_pairs"),
    ({"trade_pairs": ["SHIB/USDT", "BTC/EUR"]}, "one quote currency"),
    ({"dashboard__host": "0.0.0.0"}, "127.0.0.1"),
    ({"rehearsal": False, "faults": {"no_stop": True}}, "remove them"),
    ({"risk": 7}, "risk. is int"),
])  # fmt: skip
def test_a_wrong_value_is_named(raw_config: Any, change: dict[str, Any], word: str) -> None:
    with pytest.raises(BotError) as caught:
        parse(raw_config(**change))
    assert word in str(caught.value)


def test_a_missing_key_is_named(raw_config: Any) -> None:
    raw = raw_config()
    del raw["risk"]["max_price_age_s"]
    with pytest.raises(BotError, match=r"risk\.max_price_age_s is missing"):
        parse(raw)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": NaN}', '{"a": 1, "a": 2}', "\xff"])
def test_a_file_that_is_no_configuration_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.json").write_text(text, encoding="latin-1")
    with pytest.raises(BotError, match=r"c\.json"):
        load(tmp_path / "c.json")


def test_the_digest_follows_the_meaning_and_not_the_spelling(raw_config: Any, tmp_path: Path) -> None:
    raw = raw_config()
    (tmp_path / "a.json").write_text(json.dumps(raw))
    (tmp_path / "b.json").write_text(json.dumps(dict(reversed(raw.items())), indent=3))
    a, b = load(tmp_path / "a.json"), load(tmp_path / "b.json")
    assert a.digest == b.digest
    raw["risk"]["max_daily_loss"] = 19
    assert parse(raw).risk_digest != a.risk_digest
    assert a.position_size_usdt == Decimal("5.0")


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(BotError, match="no_stopp"):
        Faults({"no_stopp": True})
