"""An expired or foreign certificate is named in the words of who refused it, by whoever asks."""
from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from golive.errors import GoliveError, Undecided
from golive.exchange.ask import Question, World, ask
from golive.exchange.nonce import Plan
from golive.probes.look import Look
from golive.store import client
from golive.store.settings import Settings

from tests.integration.exchange.tls_venue import Pki, answer, make_pki, venue
from tests.unit.exchange.venue_fixtures import fixture


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def settings(tmp_path: Path, pki: Pki) -> Settings:
    (tmp_path / "identity.json").write_text(json.dumps({"role_id": "r", "secret_id": "s"}))
    (tmp_path / "identity.json").chmod(0o600)
    return Settings("https://unset", Path(pki.ca_file), tmp_path / "identity.json")


@pytest.mark.parametrize(("kind", "words"), [("expired", "certificate has expired"), ("other_name", "mismatch")])
def test_the_store_is_not_asked_under_a_certificate_that_does_not_hold(pki: Pki, settings: Settings, kind: str, words: str) -> None:
    with venue(pki, answer({}), context=getattr(pki, kind)) as served:
        with pytest.raises(GoliveError) as caught:
            client.login(Settings(served.url, settings.ca_file, settings.identity), None)
        assert served.asked == []
    told = str(caught.value)
    assert words in told.lower()
    assert "the store's certificate is not accepted" in told
    assert "\n" not in told


def test_a_probe_that_meets_an_expired_certificate_is_undecided_and_says_why(pki: Pki) -> None:
    with venue(pki, answer({}), context=pki.expired) as served, pytest.raises(Undecided, match="certificate has expired"):
        Look("here", "here", True, {}, time.monotonic() + 20).get(served.url, ca_file=pki.ca_file)


def test_a_venue_with_an_expired_certificate_is_not_given_the_key(pki: Pki) -> None:
    with venue(pki, answer({}), context=pki.expired) as served:
        question = Question("kraken", fixture("kraken").credential, rehearsal=True, base_url=served.url, ca_file=pki.ca_file,
                            nonce=Plan("own_key"))
        outcome = ask(question, World(unit_state=lambda _unit: "inactive", rest=lambda _seconds: None))
        assert served.asked == []
    assert "certificate has expired" in outcome.reason
    assert outcome.report is None
