"""The probe as the catalogue's runner starts it: streamed on standard input to the host's own Python, nothing installed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from golive import bundle
from golive.errors import Undecided
from golive.probes import exchange_key
from golive.probes.look import Look

from tests.integration.exchange.tls_venue import Pki, TlsVenue, answer, venue
from tests.unit.exchange.venue_fixtures import fixture

KRAKEN = fixture("kraken")
REFERENCE = "vault:kv/test/exchange#key"
SECRETS = {REFERENCE: json.dumps({"key": KRAKEN.credential.key, "secret": KRAKEN.credential.secret})}
OLD_PYTHON = sorted(Path.home().glob(".pyenv/versions/3.9.*/bin/python3.9"))


def question(pki: Pki, served: TlsVenue | None, **more: Any) -> dict[str, Any]:
    url = served.url if served else "https://localhost:1"
    return {"venue": "kraken", "credential": REFERENCE, "base_url": url, "ca_file": pki.ca_file, "nonce_source": "own_key", **more}


def look(rehearsal: bool = True) -> Look:
    return Look("here", "here", rehearsal, SECRETS, time.monotonic() + 20)


def test_facts_are_flat_and_the_witness_is_the_venue(pki: Pki) -> None:
    with venue(pki, answer(KRAKEN.cases["least"]["body"])) as served:
        seen = exchange_key.observe(question(pki, served, egress=["192.0.2.10", "2001:db8::10"]), look())
    assert seen.witness == "venue"
    assert seen.facts["rights.granted"] == ["read", "trade"]
    assert seen.facts["rights.withdraw"] is False
    assert seen.facts["ip.equals_egress"] is True
    assert seen.facts["environment"] == "rehearsal"
    assert all(not isinstance(value, dict) for value in seen.facts.values())


def test_every_fact_is_declared(pki: Pki) -> None:
    with venue(pki, answer(KRAKEN.cases["least"]["body"])) as served:
        facts = exchange_key.observe(question(pki, served, egress=["192.0.2.10"], quiet_since="1700000000000"), look()).facts
    with venue(pki, answer({"error": ["EAPI:Invalid key"]})) as served:
        facts.update(exchange_key.observe(question(pki, served), look()).facts)
    families = tuple(name[:-1] for name in exchange_key.FACTS if name.endswith("*"))
    assert [name for name in facts if name not in exchange_key.FACTS and not name.startswith(families)] == []


def test_a_key_that_the_venue_refuses_does_not_authenticate_and_has_no_rights(pki: Pki) -> None:
    with venue(pki, answer({"error": ["EAPI:Invalid signature"]})) as served:
        facts = exchange_key.observe(question(pki, served), look()).facts
    assert facts["authenticates"] is False
    assert facts["refusal"] == "bad_signature"
    assert not [name for name in facts if name.startswith("rights.")]


@pytest.mark.parametrize("body", [{"error": ["EService:Unavailable"]}, {"error": ["EAPI:Invalid nonce"]}, {}])
def test_what_cannot_be_known_is_undecided(pki: Pki, body: dict[str, Any]) -> None:
    with venue(pki, answer(body)) as served, pytest.raises(Undecided):
        exchange_key.observe(question(pki, served), look())


@pytest.mark.parametrize(
    "change",
    [{"credential": "vault:kv/other#key"}, {"credential": None}, {"nonce_source": None}, {"venue": "krakn"}, {"venue": None},
     {"timeout": "soon"},     {"base_url": "http://x"}, {"credential": None, "key": REFERENCE}, {"credential": "file:/no/such"}],
)  # fmt: skip
def test_what_cannot_be_asked_is_undecided_in_words(pki: Pki, change: dict[str, Any]) -> None:
    with pytest.raises(Undecided) as caught:
        exchange_key.observe(question(pki, None, **change), look())
    assert KRAKEN.credential.secret not in caught.value.reason
    assert "probe failed" not in caught.value.reason


def test_production_refuses_a_rehearsal_key(pki: Pki) -> None:
    with venue(pki, answer(KRAKEN.cases["least"]["body"])) as served:
        with pytest.raises(Undecided, match="rehearsal exchange"):
            exchange_key.observe(question(pki, served), look(rehearsal=False))
        assert served.connections == 0


@pytest.mark.parametrize(("body", "moved"), [(KRAKEN.cases["least"]["body"], False), ({"error": ["EAPI:Invalid nonce"]}, True)])
def test_quiet_when_stopped(pki: Pki, body: dict[str, Any], moved: bool) -> None:
    since = int(time.time() * 1000) - 300_000
    with venue(pki, answer(body)) as served:
        facts = exchange_key.observe(question(pki, served, quiet_since=str(since)), look()).facts
        assert served.asked[0].body == b"nonce=%d" % (since + 1)
    assert facts["quiet.moved_by_others"] is moved
    assert 300 <= facts["quiet.waited_s"] < 330


@pytest.mark.parametrize("python", [sys.executable, *map(str, OLD_PYTHON[:1])], ids=lambda path: Path(path).name)
def test_streamed_to_a_bare_python_as_the_runner_streams_it(pki: Pki, python: str) -> None:
    with venue(pki, answer(KRAKEN.cases["least"]["body"])) as served:
        plan = {
            "host": "bot", "rehearsal": True, "nonce": "n1", "deadline_s": 30,
            "probes": [{"id": "a", "subject": "bot", "probe": "exchange_key", "ask": question(pki, served), "deadline_s": 20}],
        }  # fmt: skip
        done = subprocess.run([python, "-ISE", "-"], input=bundle.script(plan, SECRETS), capture_output=True, check=True, timeout=60)
    line = next(text for text in done.stdout.decode().splitlines() if text.startswith("--golive n1 "))
    seen = json.loads(line.split(" ", 2)[2])[0]
    assert seen["undecided"] is None
    assert seen["facts"]["rights.granted"] == ["read", "trade"]
    assert KRAKEN.credential.secret.encode() not in done.stdout + done.stderr
    assert KRAKEN.credential.key.encode() not in done.stdout + done.stderr


@pytest.mark.skipif(not OLD_PYTHON, reason="no Python 3.9 beside this one")
def test_every_venue_imports_on_the_oldest_python(pki: Pki) -> None:
    code = (
        "from golive.exchange.venues import NAMES, load; [load(n)() for n in NAMES]; import golive.exchange.command, golive.exchange.task"
    )
    root = str(Path(bundle.PACKAGE).parent)
    subprocess.run([str(OLD_PYTHON[0]), "-W", "error", "-c", f"import sys; sys.path.insert(0, {root!r}); {code}"], check=True, timeout=60)
