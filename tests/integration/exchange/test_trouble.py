"""Every trouble on a real TLS socket ends as undecided, in words, in time: never as pass, never as a traceback."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from golive.exchange import transport
from golive.exchange.ask import Question, World, ask
from golive.exchange.nonce import Plan
from golive.exchange.outcome import Outcome, facts
from golive.exchange.rules import Demands, judge

from tests.integration.exchange.leaks import assert_clean
from tests.integration.exchange.tls_venue import Asked, Pki, Play, answer, raw, venue
from tests.unit.exchange.venue_fixtures import NAMES, fixture

KRAKEN = fixture("kraken")
GOOD = KRAKEN.cases["least"]["body"]
NO_REST = World(unit_state=lambda _unit: "inactive", rest=lambda _seconds: None)
OWN = Plan(source="own_key")


def put(url: str, pki: Pki, name: str = "kraken", world: World = NO_REST, **more: Any) -> Outcome:
    found = fixture(name)
    question = Question(name, found.credential, base_url=url, ca_file=pki.ca_file, rehearsal=True, nonce=OWN)
    question = question._replace(**more)
    outcome = ask(question, world)
    shown = (
        repr(outcome) + json.dumps(facts(outcome, datetime.now(UTC))) + repr(judge(outcome, Demands(), datetime.now(UTC))) + repr(question)
    )
    assert_clean(shown, question.credential)
    return outcome


def verdict(outcome: Outcome) -> str:
    return judge(outcome, Demands(), datetime.now(UTC)).verdict


@pytest.mark.parametrize("name", NAMES)
def test_every_venue_answers_over_a_real_socket(pki: Pki, name: str) -> None:
    found = fixture(name)
    case = next(iter(found.cases.values()))
    with venue(pki, answer(case["body"])) as served:
        outcome = put(served.url, pki, name)
    assert outcome.reason == ""
    assert outcome.report is not None
    assert sorted(right for right, value in outcome.report.rights.items() if value) == sorted(set(case["expect"]["granted"]))
    assert (outcome.tls_issuer, outcome.resolved_address) == ("golive test, test CA", "127.0.0.1")
    # (OKX and Bitget want the passphrase itself in a header; no venue wants the secret.)
    assert found.credential.secret not in repr(served.asked), "the secret itself must never travel"


@pytest.mark.parametrize("name", NAMES)
def test_every_documented_error_is_one_attempt_or_a_bounded_number(pki: Pki, name: str) -> None:
    found = fixture(name)
    for refusal in found.refusals:
        body = refusal["body"].encode() if isinstance(refusal["body"], str) else refusal["body"]
        with venue(pki, answer(body, refusal["status"])) as served:
            outcome = put(served.url, pki, name)
            asked = served.connections
        assert outcome.report is None
        assert outcome.refusal == refusal["kind"]
        assert verdict(outcome) == "undecided"
        assert asked == (3 if refusal["kind"] == "service" else 1), refusal


def cut(conn: ssl.SSLSocket, _asked: Asked) -> None:
    conn.sendall(b'HTTP/1.1 200 OK\r\nX-Golive-Sandbox: rehearsal\r\nContent-Length: 500\r\n\r\n{"error":[],')


def huge(conn: ssl.SSLSocket, _asked: Asked) -> None:
    with suppress(OSError):
        conn.sendall(b"HTTP/1.1 200 OK\r\nX-Golive-Sandbox: rehearsal\r\nContent-Length: 90000000\r\n\r\n" + b" " * 400_000)


HTML = b"<!DOCTYPE html><html><head><title>We are down\x1b[31m for 10.1.2.3</title></head></html>"
TROUBLES: dict[str, tuple[Play, str, int]] = {
    "html_instead_of_json": (answer(HTML), "an HTML page instead of JSON titled 'We are down", 1),
    "html_with_503": (answer(HTML, 503), "an HTML page", 3),
    "html_with_403": (answer(HTML, 403), "an HTML page", 1),
    "truncated_json": (answer(b'{"error":[],"result":{"apiKey":'), "not valid JSON", 1),
    "connection_cut_in_the_answer": (cut, "cut in the middle", 3),
    "empty_answer": (answer(b""), "an empty answer", 1),
    "not_utf8": (answer(b'{"error":["\xff\xfe"]}'), "not UTF-8", 1),
    "error_inside_200": (answer({"error": ["EAPI:Invalid key"]}), "does not know this key", 1),
    "result_and_error": (answer({**GOOD, "error": ["EGeneral:Internal error"]}), "could not answer", 3),
    "result_missing": (answer({"error": []}), "result is missing", 1),
    "redirect": (answer(b"", 302, {"Location": "https://192.0.2.1/"}), "redirect (HTTP 302), which is never followed", 1),
    "huge_body": (huge, "was cut", 1),
    "many_headers": (raw(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5000 + b"\r\n{}"), "not HTTP", 3),
    "long_header": (raw(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000 + b"\r\n\r\n{}"), "not HTTP", 3),
    "not_http": (raw(b"SSH-2.0-OpenSSH\r\n"), "not HTTP", 3),
    "nothing_at_all": (raw(b""), "", 3),
    "server_error": (answer({"error": ["EService:Unavailable"]}, 500), "could not answer", 3),
    "too_many_requests": (answer({"error": ["EAPI:Rate limit exceeded"]}, 429), "limits the rate", 1),
    "deep_json": (answer(b"[" * 100_000), "not valid JSON", 1),
    "not_marked": (answer(GOOD, mark=False), "does not carry the mark", 1),
    "wrongly_marked": (answer(GOOD, mark=False, headers={"X-Golive-Sandbox": "production"}), "does not carry the mark", 1),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_is_undecided_in_words(pki: Pki, trouble: str) -> None:
    play, words, attempts = TROUBLES[trouble]
    with venue(pki, play) as served:
        outcome = put(served.url, pki)
        connections = served.connections
    assert outcome.report is None
    assert words in outcome.reason
    assert verdict(outcome) == "undecided"
    assert connections == attempts == outcome.attempts
    assert "10.1.2.3" not in outcome.reason
    assert "\x1b" not in outcome.reason


def test_trouble_that_passes_is_asked_through_with_a_fresh_nonce(pki: Pki) -> None:
    with venue(pki, answer({"error": ["EService:Busy"]}, 503), cut, answer(GOOD)) as served:
        outcome = put(served.url, pki)
        nonces = [int(asked.body.decode().removeprefix("nonce=")) for asked in served.asked]
    assert verdict(outcome) == "pass"
    assert outcome.attempts == 3
    assert nonces == sorted(set(nonces))
    assert outcome.nonce_spent == nonces[-1]


def test_rests_between_attempts_are_bounded_and_jittered(pki: Pki) -> None:
    rests: list[float] = []
    with venue(pki, answer(b"", 503)) as served:
        put(served.url, pki, world=NO_REST._replace(rest=rests.append, chance=lambda: 0.0))
        put(served.url, pki, world=NO_REST._replace(rest=rests.append, chance=lambda: 1.0))
    assert rests == [0.15, 0.5, pytest.approx(0.45), 1.5]


def dripping(conn: ssl.SSLSocket, _asked: Asked) -> None:
    """A byte at a time, for as long as somebody reads."""
    with suppress(OSError):
        conn.sendall(b"HTTP/1.1 200 OK\r\nX-A: ")
        while True:
            conn.sendall(b"x")
            threading.Event().wait(0.01)


def silent(conn: ssl.SSLSocket, _asked: Asked) -> None:
    with suppress(OSError):
        conn.recv(1)


@pytest.mark.parametrize("play", [dripping, silent])
def test_the_deadline_is_for_the_whole_call(pki: Pki, play: Play) -> None:
    started = time.monotonic()
    with venue(pki, play) as served:
        outcome = put(served.url, pki, deadline_s=0.5)
        took = time.monotonic() - started
    assert outcome.report is None
    assert "before the deadline" in outcome.reason
    assert took < 60, "it would have dripped for ever"


def test_a_handshake_that_never_comes_ends_at_the_deadline(pki: Pki) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        outcome = put(f"https://localhost:{listener.getsockname()[1]}", pki, deadline_s=0.4)
    assert "before the deadline" in outcome.reason


def test_a_refused_connection_is_tried_three_times(pki: Pki) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    outcome = put(f"https://localhost:{port}", pki)
    assert "no connection to localhost" in outcome.reason
    assert outcome.attempts == 3


def test_a_name_that_does_not_resolve(pki: Pki) -> None:
    outcome = put("https://no-such-venue.invalid", pki)
    assert "no-such-venue.invalid" in outcome.reason
    assert outcome.report is None


def test_a_resolver_that_hangs_ends_at_the_deadline(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(transport.socket, "getaddrinfo", lambda *_a, **_k: release.wait(30))
    try:
        outcome = put("https://venue.test", pki, deadline_s=0.3)
    finally:
        release.set()
    assert "did not resolve in time" in outcome.reason


def test_a_certificate_of_an_unknown_authority(pki: Pki) -> None:
    with venue(pki, answer(GOOD)) as served:
        outcome = put(served.url, pki, ca_file="")
        assert served.asked == []
    assert "certificate of localhost is not valid" in outcome.reason
    assert outcome.attempts == 1


def hashed_folder(pki: Pki, folder: Path) -> Path:
    """The test authority as the only one of a host, in the form that OpenSSL looks up."""
    subject = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", pki.ca_file], capture_output=True, text=True, check=True)
    (folder / f"{subject.stdout.strip()}.0").write_bytes(Path(pki.ca_file).read_bytes())
    return folder


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to name the certificate")
@pytest.mark.parametrize("by_file", [True, False])
def test_the_hosts_own_authorities_are_trusted_from_file_or_folder(
    pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_file: bool
) -> None:
    if by_file:
        monkeypatch.setenv("SSL_CERT_FILE", pki.ca_file)
    else:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        monkeypatch.setenv("SSL_CERT_DIR", str(hashed_folder(pki, tmp_path)))
    with venue(pki, answer(GOOD)) as served:
        assert verdict(put(served.url, pki, ca_file="")) == "pass"


def test_a_host_without_a_hashed_folder_still_verifies(pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with venue(pki, answer(GOOD)) as served:
        assert "certificate of localhost is not valid" in put(served.url, pki, ca_file="").reason
        assert verdict(put(served.url, pki)) == "pass"


@pytest.mark.parametrize("which", ["expired", "other_name"])
def test_a_certificate_that_is_expired_or_for_another_name(pki: Pki, which: str) -> None:
    with venue(pki, answer(GOOD), context=getattr(pki, which)) as served:
        outcome = put(served.url, pki)
        assert served.asked == []
    assert "certificate of localhost is not valid" in outcome.reason


def test_tls_that_is_not_tls(pki: Pki) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    conn, _ = listener.accept()
                    conn.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    conn.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        outcome = put(f"https://localhost:{listener.getsockname()[1]}", pki)
        listener.shutdown(socket.SHUT_RDWR)
    assert outcome.report is None
    assert "localhost" in outcome.reason


def test_session_keys_are_not_written_even_if_the_environment_asks_for_it(pki: Pki, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    with venue(pki, answer(GOOD)) as served:
        assert verdict(put(served.url, pki)) == "pass"
    assert not (tmp_path / "keys.log").exists()


@pytest.mark.parametrize("offset", [-90, 90])
def test_a_wrong_clock_is_told_with_its_offset(pki: Pki, offset: int) -> None:
    date = format_datetime(datetime.now(UTC) - timedelta(seconds=offset), usegmt=True)
    body = {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}
    with venue(pki, answer(body, 400, {"Date": date})) as served:
        outcome = put(served.url, pki, "binance")
    assert outcome.refusal == "clock"
    assert outcome.clock_offset_s == pytest.approx(offset, abs=5)
    assert ("ahead of" if offset > 0 else "behind") in outcome.reason


def test_a_rate_limit_says_until_when(pki: Pki) -> None:
    with venue(pki, answer({"error": ["EGeneral:Too many requests"]}, 429, {"Retry-After": "120"})) as served:
        outcome = put(served.url, pki)
    assert outcome.until is not None
    assert timedelta(seconds=100) < outcome.until - datetime.now(UTC) < timedelta(seconds=125)
    assert "not before 2" in outcome.reason


def test_a_ban_says_until_when_and_a_lockout_too(pki: Pki) -> None:
    with venue(pki, answer({"code": -1003, "msg": "IP banned until 1999999999000."}, 418)) as served:
        outcome = put(served.url, pki, "binance")
    assert outcome.until == datetime(2033, 5, 18, 3, 33, 19, tzinfo=UTC)
    with venue(pki, answer({"error": ["EGeneral:Temporary lockout"]})) as served:
        assert put(served.url, pki).until is not None
        assert served.connections == 1


@contextmanager
def proxy(reply: bytes, target: int = 0) -> Iterator[tuple[str, list[bytes]]]:
    """A CONNECT proxy: answers `reply`; with a target it then carries bytes both ways."""
    seen: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(65536):
                seen.append(part)
                sink.sendall(part)
            sink.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with suppress(OSError):
            while True:
                conn, _ = listener.accept()
                seen.append(conn.recv(65536))
                conn.sendall(reply)
                if target:
                    up = socket.create_connection(("127.0.0.1", target))
                    threading.Thread(target=pump, args=(up, conn), daemon=True).start()
                    threading.Thread(target=pump, args=(conn, up), daemon=True).start()
                else:
                    conn.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_through_a_proxy_the_venue_is_still_verified_and_the_proxy_sees_nothing(pki: Pki) -> None:
    with venue(pki, answer(GOOD)) as served, proxy(b"HTTP/1.1 200 Connection established\r\n\r\n", served.port) as (url, seen):
        outcome = put(served.url, pki, proxy=url)
    assert verdict(outcome) == "pass"
    assert outcome.resolved_address == ""
    assert seen[0].startswith(b"CONNECT localhost:")
    assert not any(KRAKEN.credential.key.encode() in part for part in seen)


@pytest.mark.parametrize("reply", [b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 502 Bad\r\n\r\n"])
def test_a_proxy_that_refuses_is_told(pki: Pki, reply: bytes) -> None:
    with proxy(reply) as (url, _seen):
        outcome = put("https://localhost:1", pki, proxy=url)
    assert "the proxy refused the way to localhost" in outcome.reason


def test_proxies_of_the_environment_are_not_used(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with venue(pki, answer(GOOD)) as served:
        assert verdict(put(served.url, pki)) == "pass"


def test_nothing_is_sent_when_the_fence_says_no(pki: Pki) -> None:
    with venue(pki, answer(GOOD)) as served:
        production = put(served.url, pki, rehearsal=False)
        foreign = put(served.url, pki, credential=KRAKEN.credential._replace(key="realkey0123456789"))
        lab = put(served.url, pki, rehearsal=False, credential=KRAKEN.credential._replace(key="realkey0123456789"))
        assert served.connections == 0
    assert [outcome.refusal for outcome in (production, foreign, lab)] == ["fence"] * 3
    assert "not public" in lab.reason


def test_bitget_unified_account_takes_two_questions(pki: Pki) -> None:
    found = fixture("bitget")
    with venue(pki, answer({"code": "40085", "msg": "x"}, 400), answer(found.cases["unified"]["body"])) as served:
        outcome = put(served.url, pki, "bitget")
        paths = [asked.target for asked in served.asked]
    assert paths == ["/api/v2/spot/account/info", "/api/v3/account/info"]
    assert verdict(outcome) == "pass"


def test_crypto_com_and_bitstamp_are_not_asked_and_name_the_attestation(pki: Pki) -> None:
    for name in ("cryptocom", "bitstamp"):
        outcome = ask(Question(name, fixture("binance").credential, rehearsal=True), NO_REST)
        assert outcome.refusal == "not_askable"
        assert "exchange.key.rights_attested" in outcome.reason
        assert verdict(outcome) == "undecided"


Bend = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    "bend",
    [lambda b: {**b, "result": json.dumps(b["result"])}, lambda b: [b], lambda b: {**b, "result": {**b["result"], "permissions": None}}],
)
def test_a_bent_answer_on_the_wire_is_undecided(pki: Pki, bend: Bend) -> None:
    with venue(pki, answer(bend(GOOD))) as served:
        outcome = put(served.url, pki)
    assert (outcome.refusal, verdict(outcome)) == ("malformed", "undecided")
