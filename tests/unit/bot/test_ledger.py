"""The ledger is a chain that a crash cannot tear and a hand cannot edit unseen."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kraken_micro.errors import BotError
from kraken_micro.ledger import Ledger, read


@pytest.fixture
def path(tmp_path: Path, clock: Any) -> Path:
    ledger = Ledger(tmp_path / "ledger.jsonl", clock)
    for number in range(5):
        ledger.append("heartbeat", number=number)
    ledger.close()
    return tmp_path / "ledger.jsonl"


def test_what_was_written_is_read_back_in_order(path: Path) -> None:
    assert [record["number"] for record in read(path)] == list(range(5))


@pytest.mark.parametrize("harm", ["edit", "remove", "swap", "insert"])
def test_a_changed_past_is_found_with_its_line(path: Path, harm: str) -> None:
    lines = path.read_text().splitlines()
    if harm == "edit":
        lines[2] = lines[2].replace('"number":2', '"number":7')
    elif harm == "remove":
        del lines[2]
    elif harm == "swap":
        lines[2], lines[3] = lines[3], lines[2]
    else:
        lines.insert(2, json.dumps(json.loads(lines[2]) | {"number": 9}))
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(BotError, match=r"ledger\.jsonl:3"):
        list(read(path))


def test_a_torn_last_line_is_moved_aside_and_told(path: Path, clock: Any) -> None:
    with path.open("ab") as handle:
        handle.write(b'{"seq":6,"at":"2026')
    ledger = Ledger(path, clock)
    assert [record["kind"] for record in read(path)][-1] == "recovered"
    assert ledger.seq == 6
    assert [one.read_bytes() for one in path.parent.glob("*.torn-*")] == [b'{"seq":6,"at":"2026']


def test_a_second_writer_is_refused(path: Path) -> None:
    first = Ledger(path)
    with pytest.raises(BotError, match="another process"):
        Ledger(path)
    first.close()


def test_a_record_that_cannot_be_written_stops_what_would_follow(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(path)
    seen: list[Any] = []
    ledger.listen(seen.append)

    def full(_fd: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full)
    with pytest.raises(OSError, match="No space"):
        ledger.append("request")
    monkeypatch.undo()
    assert not seen
    assert len(list(read(path))) == 5
