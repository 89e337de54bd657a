"""The egress addresses are those that an outside host sees, v4 and v6 apart; what nobody saw is undecided."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from golive.errors import GoliveError
from golive.exchange import options
from golive.exchange.ask import World
from golive.exchange.check import check
from golive.exchange.egress import Unseen, has_route, seen_by
from golive.exchange.reflector import Server, main
from golive.exchange.transport import Endpoint

from tests.integration.exchange.tls_venue import Pki, Play, answer, raw, venue
from tests.unit.exchange.venue_fixtures import fixture

KRAKEN = fixture("kraken")
V4 = {socket.AF_INET}


def only(*families: int) -> Any:
    return lambda family: family in families


@contextmanager
def reflector(pki: Pki, host: str = "127.0.0.1") -> Iterator[Endpoint]:
    chain = str(Path(pki.ca_file).parent / "good.pem")
    with Server(host, 0, chain, chain) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Endpoint("localhost", server.server_address[1], pki.ca_file)
        finally:
            server.shutdown()
            thread.join(timeout=10)


def test_a_reflector_sees_the_address_that_we_come_from(pki: Pki) -> None:
    with reflector(pki) as one:
        assert seen_by([one], 5, only(socket.AF_INET)) == ["127.0.0.1"]


def has_loopback(family: int, address: str) -> bool:
    try:
        with socket.socket(family) as sock:
            sock.bind((address, 0))
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_loopback(socket.AF_INET6, "::1"), reason="this host has no IPv6 loopback")
def test_a_reflector_for_both_families_sees_each_apart(pki: Pki) -> None:
    with reflector(pki, "::") as one:
        both = [one._replace(host="127.0.0.1"), one._replace(host="::1")]
        assert seen_by(both, 5, only(socket.AF_INET)) == ["127.0.0.1"]
        assert seen_by(both, 5, only(socket.AF_INET, socket.AF_INET6)) == ["127.0.0.1", "::1"]


def test_a_family_with_a_way_out_that_nobody_saw_is_unseen(pki: Pki) -> None:
    with reflector(pki) as one, pytest.raises(Unseen, match="IPv6"):
        seen_by([one], 5, only(socket.AF_INET, socket.AF_INET6))


def test_no_way_out_is_unseen() -> None:
    with pytest.raises(Unseen, match="no way out"):
        seen_by([Endpoint("localhost", 1)], 1, only())


@pytest.mark.parametrize(
    "play", [answer({"address": "192.0.2.1"}), answer({"ip": 5}), answer({"ip": "here"}), answer(["192.0.2.1"]),
     answer({"ip": "192.0.2.1"}, 500), raw(b""), answer(b"\xff")]
)  # fmt: skip
def test_an_answer_that_is_no_address_is_unseen(pki: Pki, play: Play) -> None:
    with venue(pki, play) as served, pytest.raises(Unseen, match="localhost"):
        seen_by([Endpoint("localhost", served.port, pki.ca_file)], 5, only(socket.AF_INET))


def test_reflectors_that_see_different_addresses_are_all_counted(pki: Pki) -> None:
    with venue(pki, answer({"ip": "192.0.2.1"})) as one, venue(pki, answer({"ip": "::ffff:192.0.2.2"})) as two:
        found = seen_by([Endpoint("localhost", served.port, pki.ca_file) for served in (one, two)], 5, only(socket.AF_INET))
    assert found == ["192.0.2.1", "192.0.2.2"]


def test_a_caller_without_tls_or_a_word_does_not_stop_the_reflector(pki: Pki) -> None:
    with reflector(pki) as one:
        place = ("127.0.0.1", one.port)
        with socket.create_connection(place) as silent, socket.create_connection(place) as rude:
            rude.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert seen_by([one], 5, only(socket.AF_INET)) == ["127.0.0.1"]
            silent.close()


def test_a_reflector_that_cannot_serve_says_why(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--certificate", str(tmp_path / "no.pem"), "--private-key", str(tmp_path / "no.pem")]) == 1
    assert "cannot serve" in capsys.readouterr().err


def checked(pki: Pki, url: str, monkeypatch: pytest.MonkeyPatch, seen: Any, match: str = "exact") -> Any:
    monkeypatch.setattr(options, "seen_by", seen)
    monkeypatch.setattr(options.egress, "__defaults__", (seen,))
    given = {
        "venue": "kraken", "rehearsal": True, "base_url": url, "ca_file": pki.ca_file, "nonce_source": "own_key",
        "ip_allowlist": {"match": match}, "egress_seen_by": ["https://outside.test"],
    }  # fmt: skip
    return check(given, KRAKEN.credential, World(unit_state=lambda _unit: "inactive"))


def unseen(*_: Any) -> list[str]:
    raise Unseen("nobody saw it")


@pytest.mark.parametrize(
    ("seen", "word"),
    [(lambda *_: ["192.0.2.10", "2001:db8::10"], "pass"), (lambda *_: ["192.0.2.10"], "fail"),
     (lambda *_: ["192.0.2.10", "2001:db8::99"], "fail"), (unseen, "undecided")],
)  # fmt: skip
def test_the_allow_list_is_compared_with_what_is_seen(pki: Pki, monkeypatch: pytest.MonkeyPatch, seen: Any, word: str) -> None:
    with venue(pki, answer(KRAKEN.cases["least"]["body"])) as served:
        assert checked(pki, served.url, monkeypatch, seen).judgement.verdict == word


def test_an_open_key_fails_even_when_the_egress_is_unseen(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    with venue(pki, answer(KRAKEN.cases["documented"]["body"])) as served:
        assert checked(pki, served.url, monkeypatch, unseen).judgement.verdict == "fail"


def test_a_list_and_reflectors_contradict_each_other() -> None:
    with pytest.raises(GoliveError, match="both given"):
        options.egress({"egress": ["192.0.2.1"], "egress_seen_by": ["https://x"]})


def test_has_route_sends_nothing_and_answers() -> None:
    assert has_route(socket.AF_INET) in (True, False)


def test_the_reflector_as_a_process(pki: Pki) -> None:
    chain = str(Path(pki.ca_file).parent / "good.pem")
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    argv = [
        sys.executable,
        "-m",
        "golive.exchange.reflector",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--certificate",
        chain,
        "--private-key",
        chain,
    ]
    process = subprocess.Popen(argv, env=os.environ.copy(), stderr=subprocess.PIPE)
    try:
        for _ in range(100):
            try:
                assert seen_by([Endpoint("localhost", port, pki.ca_file)], 5, only(socket.AF_INET)) == ["127.0.0.1"]
                break
            except Unseen:
                assert process.poll() is None, json.dumps(str(process.stderr))
                threading.Event().wait(0.1)
        else:
            pytest.fail("the reflector does not answer")
    finally:
        process.terminate()
        process.wait(timeout=10)
