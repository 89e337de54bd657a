"""Silence is not zero: whatever is not the venue's own answer about balances ends without a number."""
from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import json
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from golive import positions
from golive.positions import Problem

SECRET = base64.b64encode(b"a secret of the test").decode()
CREDENTIAL = {"key": "SANDBOXKEY", "secret": SECRET}
PAIRS = {"SHIBUSDT": {"base": "SHIB", "ordermin": "50000"}, "XDGUSDT": {"base": "XXDG", "ordermin": "10"}}


class Venue(ThreadingHTTPServer):
    """Two calls of Kraken's protocol; the private one is only answered to a right signature and a rising nonce."""

    balances: dict[str, Any] | list[Any]
    last = 0
    error: str | None = None


class Handler(BaseHTTPRequestHandler):
    server: Venue

    def log_message(self, *_args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._answer({"error": [], "result": PAIRS})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        nonce = urllib.parse.parse_qs(body.decode())["nonce"][0]
        message = self.path.encode() + hashlib.sha256(nonce.encode() + body).digest()
        wanted = base64.b64encode(hmac.new(base64.b64decode(SECRET), message, hashlib.sha512).digest()).decode()
        if self.headers["API-Sign"] != wanted or self.headers["API-Key"] != "SANDBOXKEY":
            self._answer({"error": ["EAPI:Invalid signature"]})
        elif int(nonce) <= self.server.last:
            self._answer({"error": ["EAPI:Invalid nonce"]})
        else:
            self.server.last = int(nonce)
            self._answer({"error": [self.server.error] if self.server.error else [], "result": self.server.balances})

    def _answer(self, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def venue() -> Iterator[Venue]:
    server = Venue(("127.0.0.1", 0), Handler)
    server.balances = {}
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def settings(venue: Venue, tmp_path: Path) -> dict[str, Any]:
    return {"url": f"http://127.0.0.1:{venue.server_address[1]}", "ca_file": None, "pairs": ["SHIBUSDT", "XDGUSDT"],
            "nonce_file": str(tmp_path / "nonce")}


@pytest.mark.parametrize(("balances", "count"), [
    ({}, 0), ({"USDT": "100"}, 0), ({"SHIB": "49999"}, 0), ({"SHIB": "50000"}, 1), ({"SHIB": "60000", "XXDG": "11"}, 2), ({"BTC": "3"}, 0),
])
def test_a_position_is_a_base_asset_of_our_pairs_above_dust(venue: Venue, tmp_path: Path, balances: Any, count: int) -> None:
    venue.balances = balances
    assert positions.ask(settings(venue, tmp_path), CREDENTIAL) == count


def test_the_nonce_comes_from_the_bots_source_and_goes_back_to_it(venue: Venue, tmp_path: Path) -> None:
    far = 10**17
    (tmp_path / "nonce").write_text(f"{far}\n")
    positions.ask(settings(venue, tmp_path), CREDENTIAL)
    assert venue.last == far + 1
    assert int((tmp_path / "nonce").read_text()) == far + 1


def test_while_the_bot_holds_its_nonces_nothing_is_asked(venue: Venue, tmp_path: Path) -> None:
    with open(tmp_path / "nonce.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Problem, match="is the bot running"):
            positions.ask(settings(venue, tmp_path), CREDENTIAL)
    assert venue.last == 0


def test_no_file_of_the_bots_is_made_where_the_bot_never_ran(venue: Venue, tmp_path: Path) -> None:
    assert positions.ask({**settings(venue, tmp_path), "nonce_file": str(tmp_path / "state/nonce")}, CREDENTIAL) == 0
    positions.ask(settings(venue, tmp_path), CREDENTIAL)
    assert [path.name for path in tmp_path.iterdir()] == ["nonce"]


@pytest.mark.parametrize(("how", "words"), [
    ({"error": "EService:Unavailable"}, "EService:Unavailable"), ({"balances": []}, "did not name"),
    ({"balances": {"SHIB": "much"}}, "no number"), ({"balances": {"SHIB": "NaN"}}, "no number"),
])
def test_what_is_not_an_answer_is_not_zero(venue: Venue, tmp_path: Path, how: dict[str, Any], words: str) -> None:
    venue.balances = how.get("balances", {})
    venue.error = how.get("error")
    with pytest.raises(Problem, match=words):
        positions.ask(settings(venue, tmp_path), CREDENTIAL)


def test_a_wrong_key_a_silent_venue_and_an_unlisted_pair_are_not_zero(venue: Venue, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="Invalid signature"):
        positions.ask(settings(venue, tmp_path), {"key": "OTHER", "secret": SECRET})
    with pytest.raises(Problem, match="did not name every pair"):
        positions.ask({**settings(venue, tmp_path), "pairs": ["A", "B", "C"]}, CREDENTIAL)
    with pytest.raises(Problem, match="did not answer"):
        positions.ask({**settings(venue, tmp_path), "url": "http://127.0.0.1:9"}, CREDENTIAL)
    with pytest.raises(Problem, match="not https"):
        positions.ask({**settings(venue, tmp_path), "url": "http://venue.example"}, CREDENTIAL)


@pytest.mark.parametrize("text", ["", "[]", '{"url": "https://x"}', '{"url":"https://x","ca_file":null,"pairs":[],"nonce_file":"/n"}'])
def test_bad_settings_end_in_one_sentence_and_exit_1(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "positions.json"
    path.write_text(text)
    assert positions.main([str(path), str(tmp_path / "no-credential")]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err.startswith("positions: "), said.err.count("\n")) == ("", True, 1)
