"""Nonces rise over threads, restarts and clocks that jump back; two holders of one source are refused."""
from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from kraken_micro.errors import BotError
from kraken_micro.nonce import BrokenNonceSource, NonceSource, bench


def test_eight_threads_draw_no_nonce_twice_and_each_sees_them_rise(tmp_path: Path) -> None:
    report = bench(tmp_path / "nonce", threads=8, seconds=0.1)
    assert report["nonces"] > 0
    assert (report["duplicates"], report["not_rising"]) == (0, 0)


def test_a_restart_goes_on_above_everything_given_out(tmp_path: Path, clock: Any) -> None:
    first = NonceSource(tmp_path / "nonce", clock)
    last = [first.next() for _ in range(1000)][-1]
    first.close()  # as a kill does: nothing is written at the end
    clock.now -= 3600
    assert NonceSource(tmp_path / "nonce", clock).next() > last


def test_a_clock_that_jumps_back_does_not_lower_the_nonce(tmp_path: Path, clock: Any) -> None:
    source = NonceSource(tmp_path / "nonce", clock)
    before = source.next()
    clock.now -= 10_000
    assert source.next() > before


def test_a_second_holder_is_refused(tmp_path: Path) -> None:
    first = NonceSource(tmp_path / "nonce")
    with pytest.raises(BotError, match="another process"):
        NonceSource(tmp_path / "nonce")
    first.close()


def test_a_damaged_file_is_told_and_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "nonce").write_text("17e9?")
    with pytest.raises(BotError, match="expected a number"):
        NonceSource(tmp_path / "nonce")
    assert (tmp_path / "nonce").read_text() == "17e9?"


def test_the_fault_with_two_generators_really_falls(tmp_path: Path, clock: Any) -> None:
    source = BrokenNonceSource(tmp_path / "nonce", clock)
    drawn = [source.next() for _ in range(10)]
    assert drawn != sorted(set(drawn))


def test_threads_share_one_source(tmp_path: Path, clock: Any) -> None:
    source, drawn = NonceSource(tmp_path / "nonce", clock), []

    def draw() -> None:
        drawn.extend(source.next() for _ in range(500))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(drawn)) == 2000
