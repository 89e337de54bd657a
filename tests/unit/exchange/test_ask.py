"""What is decided before anything is sent, and what an unforeseen answer becomes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from golive import bundle
from golive.exchange.ask import Question, World, ask
from golive.exchange.model import Answer
from golive.exchange.nonce import Plan
from golive.exchange.outcome import Outcome
from golive.exchange.rules import Demands, judge
from golive.exchange.transport import Endpoint, Peer, Transport
from golive.exchange.venues.kraken import Kraken

from tests.unit.exchange.venue_fixtures import fixture


class Played(Transport):
    """Answers without a network and counts."""

    def __init__(self, where: Endpoint, answer: Answer) -> None:
        self.where, self.answer, self.sent = where, answer, 0

    def addresses(self, deadline: float) -> list[str]:
        return ["127.0.0.1"]

    def send(self, request: Any, deadline: float) -> tuple[Answer, Peer]:
        self.sent += 1
        return self.answer, Peer(self.where.host, "127.0.0.1", "test")


def put(name: str, answer: Answer, **more: Any) -> tuple[Outcome, int]:
    made: list[Played] = []

    def transport(where: Endpoint) -> Transport:
        made.append(Played(where, answer))
        return made[0]

    world = World(unit_state=lambda _unit: "inactive", rest=lambda _s: None, transport=transport)
    question = Question(name, fixture(name).credential, rehearsal=True, nonce=Plan("own_key"))
    return ask(question._replace(**more), world), made[0].sent


GOOD = Answer(200, {"x-golive-sandbox": "rehearsal"}, b"{}")


def test_without_the_package_cryptography_it_is_undecided_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    outcome, sent = put("coinbase", GOOD)
    assert (outcome.refusal, outcome.authenticates, outcome.attempts, sent) == ("no_library", None, 0, 0)
    assert "cryptography" in outcome.reason


def test_a_secret_of_the_wrong_form_is_never_sent_and_does_not_authenticate() -> None:
    credential = fixture("kraken").credential._replace(secret="not base64 at all")
    outcome, sent = put("kraken", GOOD, credential=credential)
    assert (outcome.refusal, outcome.authenticates, sent) == ("bad_form", False, 0)
    assert "not base64 at all" not in outcome.reason


def test_an_error_of_our_own_reader_is_undecided_and_quotes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: Kraken, answer: Answer) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(Kraken, "check", broken)
    outcome, _ = put("kraken", GOOD)
    assert (outcome.refusal, outcome.report) == ("malformed", None)
    assert "RuntimeError" in outcome.reason
    assert "secret inside" not in outcome.reason


def test_a_damaged_private_key_is_undecided_without_a_traceback() -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIIJE\n-----END PRIVATE KEY-----"
    outcome, sent = put("binance", GOOD, credential=fixture("binance").credential._replace(secret=pem))
    assert (outcome.refusal, outcome.authenticates, sent) == ("bad_form", False, 0)
    assert "MC4CAQ" not in outcome.reason


def test_importing_a_venue_costs_only_that_venue() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(bundle.PACKAGE.parent)!r}); from golive.exchange.venues import load; load('kraken');"
        "print([m for m in sys.modules if m.startswith('golive.exchange.venues.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['golive.exchange.venues.kraken']"


@pytest.mark.parametrize(
    ("window", "source", "word"), [(0, "venue_window", "fail"), (10000, "venue_window", "pass"), (0, "own_key", "pass")]
)
def test_a_nonce_window_that_was_promised_and_is_not_there_is_a_problem(window: int, source: str, word: str) -> None:
    body = json.loads(json.dumps(fixture("kraken").cases["least"]["body"]))
    body["result"]["nonceWindow"] = window
    outcome, _ = put("kraken", Answer(200, {"x-golive-sandbox": "rehearsal"}, json.dumps(body).encode()), nonce=Plan(source))
    assert judge(outcome, Demands(), outcome.as_of).verdict == word
