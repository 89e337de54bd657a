"""Against the rehearsal exchange itself: what it says of its own keys is read as it was granted."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from golive.exchange.ask import Question, World, ask
from golive.exchange.model import Credential
from golive.exchange.nonce import Plan
from golive.exchange.outcome import Outcome, facts
from golive.exchange.rules import Demands, judge

from tests.integration.exchange.leaks import assert_clean
from tests.integration.exchange.tls_venue import Pki

ROOT = Path(__file__).parents[3]
WORLD = World(unit_state=lambda _unit: "inactive", rest=lambda _seconds: None)
BOT = ["query-funds", "query-open-trades", "modify-trades", "close-trades", "create-ws-token"]
Mint = Callable[..., Credential]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@pytest.fixture(scope="module")
def sandbox(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Mint]]:
    """A rehearsal exchange with TLS, and a function that mints keys at it."""
    folder = tmp_path_factory.mktemp("sandbox")
    chain, venue, admin = str(Path(pki.ca_file).parent / "good.pem"), free_port(), free_port()
    (folder / "token").write_text("t" * 48)
    (folder / "token").chmod(0o600)
    config = {
        "state_dir": str(folder / "state"), "token_file": str(folder / "token"), "allow_plain_http_on_loopback": True,
        "venue": {"host": "127.0.0.1", "port": venue, "certificate": chain, "private_key": chain},
        "admin": {"host": "127.0.0.1", "port": admin},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "exchange_sandbox", "--config", str(folder / "config.json")], cwd=ROOT, stdout=log, stderr=log,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    try:
        wait_for(admin, process, folder / "log")
        post(admin, "accounts", {"name": "bot", "balances": {"USDT": "200"}, "profile": {"mode": "live"}, "tier": "unlimited"})

        def mint(rights: list[str] | None = None, allowed: list[str] | None = None, window: int = 0, age_s: float = 0) -> Credential:
            body = {"account": "bot", "rights": rights or BOT, "ip_allowlist": allowed or [], "nonce_window": window, "age_s": age_s}
            made = post(admin, "keys", body)
            return Credential(made["key"], made["secret"])

        yield f"https://localhost:{venue}", mint
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(1800):  # only ends a test that will never pass: a busy machine takes a minute to start it
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            try:
                process.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
            pytest.fail("the rehearsal exchange ended: " + log.read_text()[-500:])
    pytest.fail("the rehearsal exchange does not listen")


def post(port: int, path: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/sandbox/v1/{path}", data=json.dumps(body).encode(),
        headers={"Authorization": "Bearer " + "t" * 48, "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=20) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def put(url: str, pki: Pki, credential: Credential, **more: Any) -> Outcome:
    question = Question("kraken", credential, base_url=url, ca_file=pki.ca_file, rehearsal=True, nonce=Plan("own_key"))
    outcome = ask(question._replace(**more), WORLD)
    assert_clean(repr(outcome) + json.dumps(facts(outcome, WORLD.now())), credential)
    return outcome


def test_the_bots_key_passes(sandbox: tuple[str, Mint], pki: Pki) -> None:
    url, mint = sandbox
    outcome = put(url, pki, mint(allowed=["127.0.0.1"]))
    assert outcome.reason == ""
    judged = judge(outcome, Demands(ip_match="exact", ip_addresses=("127.0.0.1",), max_age_days=1).checked(()), WORLD.now())
    assert (judged.verdict, judged.problems, judged.undecided) == ("pass", [], [])


@pytest.mark.parametrize(
    ("right", "ours"),
    [("withdraw-funds", "withdraw"), ("add-withdraw-address", "address_book"), ("earn-funds", "earn"), ("add-funds", "deposit")],
)
def test_each_right_too_many_fails(sandbox: tuple[str, Mint], pki: Pki, right: str, ours: str) -> None:
    url, mint = sandbox
    judged = judge(put(url, pki, mint([*BOT, right])), Demands(), WORLD.now())
    assert judged.verdict == "fail"
    assert f"may '{ours}'" in judged.problems[0]


def test_a_key_that_somebody_has_had_for_long_fails(sandbox: tuple[str, Mint], pki: Pki) -> None:
    url, mint = sandbox
    outcome = put(url, pki, mint(age_s=100 * 86400))
    assert facts(outcome, WORLD.now())["age_days"] == pytest.approx(100, abs=0.1)
    assert judge(outcome, Demands(max_age_days=90), WORLD.now()).verdict == "fail"


def test_a_flipped_secret_does_not_authenticate(sandbox: tuple[str, Mint], pki: Pki) -> None:
    url, mint = sandbox
    credential = mint()
    flipped = credential.secret[:-4] + ("A" if credential.secret[-4] != "A" else "B") + credential.secret[-3:]
    outcome = put(url, pki, credential._replace(secret=flipped))
    assert outcome.authenticates is False
    assert outcome.attempts == 1


def test_a_key_that_is_bound_to_other_addresses_is_undecided_with_a_hint(sandbox: tuple[str, Mint], pki: Pki) -> None:
    url, mint = sandbox
    outcome = put(url, pki, mint(allowed=["192.0.2.1"]))
    assert outcome.report is None
    assert "address is on the key's list" in outcome.reason


def test_quiet_is_seen_and_so_is_a_second_user(sandbox: tuple[str, Mint], pki: Pki) -> None:
    url, mint = sandbox
    credential = mint()
    first = put(url, pki, credential)
    quiet = put(url, pki, credential, quiet_since=first.nonce_spent)
    assert facts(quiet, WORLD.now())["quiet.moved_by_others"] is False
    put(url, pki, credential)  # somebody else
    loud = put(url, pki, credential, quiet_since=quiet.nonce_spent)
    assert facts(loud, WORLD.now())["quiet.moved_by_others"] is True


def test_a_history_in_microseconds_is_told(sandbox: tuple[str, Mint], pki: Pki) -> None:
    url, mint = sandbox
    credential = mint()
    in_us = put(url, pki, credential, nonce=Plan("own_key", unit="us"))
    assert facts(in_us, WORLD.now())["nonce.unit"] == "us"
    in_ms = put(url, pki, credential)
    assert in_ms.refusal == "nonce"
    assert "nonce_unit" in in_ms.reason
