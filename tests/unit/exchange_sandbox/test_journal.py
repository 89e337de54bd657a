"""The journal: what was acknowledged is read again, what was written ahead is no fact, and a hole is no end."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from exchange_sandbox.errors import SandboxError
from exchange_sandbox.journal import AHEAD, Journal, read


async def test_a_killed_journal_is_read_to_its_last_line_without_the_zeros_ahead(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    for number in range(3):
        journal.append([{"t": "n", "n": number}])
        await journal.commit()
    assert path.stat().st_size > journal.size  # as a kill leaves it
    assert [step[0]["n"] for step in read(path)] == [0, 1, 2]
    assert path.stat().st_size == journal.size


async def test_it_goes_on_where_the_killed_one_ended(tmp_path: Path) -> None:
    path = tmp_path / "j"
    for number in range(3):
        journal = Journal(path)
        journal.append([{"t": "n", "n": number}])
        await journal.commit()
        list(read(path))
    assert [step[0]["n"] for step in read(path)] == [0, 1, 2]


async def test_a_closed_journal_holds_nothing_but_facts(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    journal.append([{"t": "n"}])
    journal.close()
    assert path.read_bytes() == b'[{"t":"n"}]\n'


@pytest.mark.parametrize("torn", [b'[{"t":"n","n"', b'[{"t":"n"}]', b'[{"t"\0\0\0\0', b"\0\0\0" + b'[{"t":'])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "j"
    path.write_bytes(b'[{"t":"n"}]\n' + torn + bytes(100))
    assert len(list(read(path))) == 1
    assert path.read_bytes() == b'[{"t":"n"}]\n'


@pytest.mark.parametrize("hole", [b"\0\0\0", b'[{"t":\0\0\0"}]\n', b"{broken\n"])
def test_a_whole_line_behind_damage_stops_the_start(tmp_path: Path, hole: bytes) -> None:
    path = tmp_path / "j"
    path.write_bytes(b'[{"t":"n"}]\n' + hole + b'[{"t":"n"}]\n' + bytes(100))
    with pytest.raises(SandboxError, match="damaged at line 2"):
        list(read(path))


async def test_writing_ahead_and_writing_facts_never_meet(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    text = "x" * 10_000
    for number in range(40):  # batches of all sizes, some larger than what is ahead
        for _ in range(1 + number * 7 % 40):
            journal.append([{"t": "n", "n": number, "x": text}])
        await journal.commit()
    wanted = [number for number in range(40) for _ in range(1 + number * 7 % 40)]
    assert journal.size > 4 * AHEAD
    assert [step[0]["n"] for step in read(path)] == wanted


async def test_a_batch_larger_than_what_is_ahead_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    with journal._lock:  # zeros are being written ahead at this moment
        journal.append([{"t": "n", "x": "x" * (2 * AHEAD)}])
        waiting = asyncio.ensure_future(journal.commit())
        await asyncio.sleep(0.05)
        assert not waiting.done()
    await waiting
    journal._extend(True)
    journal.append([{"t": "n", "x": "end"}])
    await journal.commit()
    assert [step[0]["x"][-3:] for step in read(path)] == ["xxx", "end"]


async def test_each_who_waits_is_told_that_the_disk_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "j")

    def refuse(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdatasync", refuse)
    told: list[SandboxError | None] = []
    journal.append([{"t": "n"}])
    journal.then(told.append)
    journal.then(lambda error: 1 / 0)  # type: ignore[arg-type]
    journal.then(told.append)
    with pytest.raises(SandboxError, match="No space left"):
        await journal.commit()
    assert [str(error) for error in told] == ["the journal cannot be written: No space left on device"] * 2
