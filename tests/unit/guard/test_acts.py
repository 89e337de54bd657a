"""How the guard reaches others: what fails is said and never waited for, and a page is only sent where its receiver took it."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from golive.guard import acts
from golive.guard.decide import Bot, Finding

from tests.integration.guard.tls import self_signed

FOUND = [Finding("exposure", "exposure", "positions are worth 50, at most 33", "no_entries")]


class Receiver(BaseHTTPRequestHandler):
    taken: list[tuple[str, str, Any]]
    status = 200

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.taken.append((self.path, self.headers["Authorization"], body))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[tuple[type[Receiver], dict[str, str]]]:
    certificate, both = self_signed(tmp_path, "127.0.0.1")
    (tmp_path / "token").write_text("word\n")
    handler = type("Here", (Receiver,), {"taken": [], "status": 200})
    server = HTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    where = {"url": "https://127.0.0.1:%d/alerts" % server.server_port, "token_file": str(tmp_path / "token"),
             "ca_file": str(certificate)}  # fmt: skip
    yield handler, where
    server.shutdown()
    server.server_close()


def test_a_page_names_check_finding_and_action_and_carries_the_token(receiver: tuple[type[Receiver], dict[str, str]]) -> None:
    handler, where = receiver
    acts.page(where, "kraken-micro", FOUND, "acknowledged: no_entries")
    path, token, body = handler.taken[0]
    assert (path, token) == ("/alerts", "Bearer word")
    assert body[0]["labels"] == {"alertname": "Guard", "check": "exposure", "severity": "critical", "system": "kraken-micro"}
    assert body[0]["annotations"]["summary"] == FOUND[0].text


def test_a_page_that_is_not_taken_is_an_error_without_the_token(receiver: tuple[type[Receiver], dict[str, str]]) -> None:
    handler, where = receiver
    handler.status = 401
    with pytest.raises(OSError, match="status 401") as refused:
        acts.page(where, "kraken-micro", FOUND, "")
    assert "word" not in str(refused.value)


def test_a_receiver_that_cannot_prove_itself_gets_no_token(receiver: tuple[type[Receiver], dict[str, str]]) -> None:
    handler, where = receiver
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        acts.page({**where, "ca_file": ""}, "kraken-micro", FOUND, "")
    assert handler.taken == []


def told(script: str) -> tuple[Bot | None, list[str], str]:
    return asyncio.run(acts.tell_bot([sys.executable, "-c", script], ["no_entries"]))


def test_what_the_bots_host_says_is_taken_as_it_is() -> None:
    script = (
        "import json,sys; json.load(sys.stdin); "
        "print(json.dumps({'running': True, 'decision_age_s': 3, 'acknowledged': ['no_entries'], 'problems': []}))"
    )
    assert told(script) == (Bot(True, 3.0), ["no_entries"], "")


@pytest.mark.parametrize("script", ["raise SystemExit('no route to host')", "print('{}')", "print('[]')", "print('{\"running\": 1}')", ""])
def test_any_other_answer_acknowledges_nothing_and_says_why(script: str) -> None:
    bot, taken, trouble = told(script)
    assert (bot, taken) == (None, [])
    assert trouble


def test_a_command_that_hangs_or_is_missing_is_said() -> None:
    assert asyncio.run(acts.run([sys.executable, "-c", "import time; time.sleep(600)"], b"", 0.2)) == (-1, b"", "no answer within 0.2 s")
    assert asyncio.run(acts.run(["/no/such/program"], b"", 1))[2] == "/no/such/program: No such file or directory"


def test_the_highest_epoch_is_read_and_none_is_zero(tmp_path: Path) -> None:
    for name in ("7", "12", "x"):
        (tmp_path / name).touch()
    assert acts.highest_epoch(str(tmp_path)) == 12
    assert acts.highest_epoch(str(tmp_path / "none")) == 0


def test_state_is_replaced_in_one_step_and_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    acts.write_state(str(path), {"loops": 1})
    acts.write_state(str(path), {"loops": 2})
    assert json.loads(path.read_text()) == {"loops": 2}
    assert path.stat().st_mode & 0o007 == 0
    assert [one.name for one in tmp_path.iterdir()] == ["state.json"]
