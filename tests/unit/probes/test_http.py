"""Pages: an answer is not life; the data behind it must be young and the ledger's."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golive.errors import Undecided
from golive.probes import http
from golive.probes.web import Response

from .fake_look import FakeLook

PAGE = '<main data-last-decision="{decided}" data-last-fill-seq="{seq}">'


def page(decided: str = "2026-11-21T11:59:58Z", seq: Any = 3, status: int = 200) -> Response:
    return Response(status, {"content-type": "text/html"}, PAGE.format(decided=decided, seq=seq).encode(), 0.01, {})


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    records = [{"seq": 3, "kind": "fill"}, {"seq": 4, "kind": "heartbeat"}]
    text = "".join(json.dumps(one, separators=(",", ":"), sort_keys=True) + "\n" for one in records)
    (tmp_path / "l").write_text(text)
    return str(tmp_path / "l")


def observe(ledger: str | None, answer: Response, decided: Any = "2026-11-21T11:59:57Z") -> dict[str, Any]:
    look = FakeLook({"/health": {"last_decision_at": decided}, "/": answer})
    return http.observe({"url": "http://127.0.0.1:1/", "json_url": "http://127.0.0.1:1/health", "ledger": ledger}, look)  # type: ignore[arg-type]


def test_a_living_page_shows_young_data_and_the_last_fill(ledger: str) -> None:
    facts = observe(ledger, page())
    assert (facts["status"], facts["data_age_s"], facts["equals_ledger"]) == (200, 3.0, True)


def test_a_page_in_front_of_a_standing_bot_is_old(ledger: str) -> None:
    assert observe(ledger, page(decided="2026-11-21T11:50:00Z"))["data_age_s"] == 600
    assert observe(ledger, page(), decided="2026-11-21T11:50:00Z")["data_age_s"] == 600


@pytest.mark.parametrize("seq", [2, 4, 0])
def test_a_page_with_another_fill_is_not_the_ledgers(ledger: str, seq: int) -> None:
    assert observe(ledger, page(seq=seq))["equals_ledger"] is False


TIMELESS = [(page(decided="never"), None), (page(), None), (page(), "never"), (page(decided="x" * 99), "soon")]


@pytest.mark.parametrize(("answer", "decided"), TIMELESS)
def test_without_a_time_nothing_is_known(ledger: str, answer: Response, decided: Any) -> None:
    with pytest.raises(Undecided):
        observe(ledger, answer, decided)


def test_no_fill_number_is_no_fact(ledger: str) -> None:
    assert "equals_ledger" not in observe(ledger, page(seq="many"))


def test_the_last_fill_is_found_far_from_the_end(tmp_path: Path) -> None:
    lines = ['{"kind":"fill","seq":1}', *['{"kind":"heartbeat","pad":"' + "x" * 200 + '"}'] * 12000]
    (tmp_path / "l").write_text("\n".join(lines) + "\n")
    assert http.last_fill(str(tmp_path / "l")) == 1


@pytest.mark.parametrize("content", ["", "\n", '"kind":"fill"\n', '{"kind":"fill"}\n', '{"kind":"fill","seq":"x"}\n', "\x00\n"])
def test_a_ledger_without_a_readable_fill_has_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "l").write_text(content)
    assert http.last_fill(str(tmp_path / "l")) == 0


def test_a_missing_ledger_is_undecided() -> None:
    with pytest.raises(Undecided):
        http.last_fill("/nowhere")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff\xfe", b'{"a":' * 9999])
def test_hostile_bodies_are_undecided_or_plain_facts(body: bytes) -> None:
    look = FakeLook({"x": Response(200, {"content-type": "application/json"}, body, 0.1, {})})
    with pytest.raises(Undecided):
        http.observe({"url": "http://x/"}, look)  # type: ignore[arg-type]


def test_a_refusal_is_an_answer() -> None:
    look = FakeLook({"x": Response(401, {"www-authenticate": "Basic"}, b"no", 0.1, {})})
    assert http.observe({"url": "http://x/"}, look)["status"] == 401  # type: ignore[arg-type]
