"""library/exchange_key_permissions.py as Ansible starts it: arguments, verdicts, and nothing of the key in what it prints."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.exchange.leaks import assert_clean
from tests.integration.exchange.tls_venue import Pki, answer, make_pki, venue
from tests.unit.exchange.venue_fixtures import fixture

Run = Callable[..., dict[str, Any]]
KRAKEN = fixture("kraken")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    path = tmp_path / "key.json"
    path.write_text(json.dumps({"key": KRAKEN.credential.key, "secret": KRAKEN.credential.secret}))
    path.chmod(0o600)
    return f"file:{path}"


@pytest.fixture
def run(run: Run) -> Run:
    """Every run of the module is searched for the key."""

    def searched(*arguments: Any, **more: Any) -> dict[str, Any]:
        result = run(*arguments, **more)
        assert_clean(result["text"], KRAKEN.credential)
        return result

    return searched


@contextmanager
def served(pki: Pki, case: str) -> Iterator[dict[str, Any]]:
    with venue(pki, answer(KRAKEN.cases[case]["body"])) as one:
        yield {"venue": "kraken", "rehearsal": True, "base_url": one.url, "ca_file": pki.ca_file, "nonce_source": "own_key"}


def test_check_real_check_real_never_changes_anything(run: Run, pki: Pki, key_file: str) -> None:
    with served(pki, "least") as arguments:
        results = [
            run("exchange_key_permissions", {**arguments, "credential": key_file}, check=check) for check in (True, False, True, False)
        ]
    for result in results:
        assert (result["changed"], result["changes"], result["verdict"], result["problems"]) == (False, [], "pass", [])
    volatile = {"as_of", "nonce.spent", "age_days", "days_left"}
    stable = [{name: value for name, value in result["facts"].items() if name not in volatile} for result in results]
    assert all(one == stable[0] for one in stable)


def test_a_key_that_may_withdraw_fails_the_task(run: Run, pki: Pki, key_file: str) -> None:
    with served(pki, "documented") as arguments:
        result = run("exchange_key_permissions", {**arguments, "credential": key_file}, check=False)
    assert result["failed"]
    assert result["verdict"] == "fail"
    assert "may 'withdraw'" in result["msg"]


def test_without_enforce_the_verdict_is_only_reported(run: Run, pki: Pki, key_file: str) -> None:
    with served(pki, "documented") as arguments:
        result = run("exchange_key_permissions", {**arguments, "credential": key_file, "enforce": False}, check=False)
    assert not result.get("failed")
    assert result["verdict"] == "fail"


@pytest.mark.parametrize("as_text", [True, False])
def test_key_material_in_memory(run: Run, pki: Pki, as_text: bool) -> None:
    material = {"key": KRAKEN.credential.key, "secret": KRAKEN.credential.secret}
    with served(pki, "least") as arguments:
        result = run("exchange_key_permissions", {**arguments, "key_material": json.dumps(material) if as_text else material}, check=False)
    assert result["verdict"] == "pass"


def test_without_permission_for_a_nonce_it_is_undecided_and_says_how(run: Run, key_file: str) -> None:
    result = run("exchange_key_permissions", {"venue": "kraken", "rehearsal": True, "credential": key_file}, check=False)
    assert result["failed"]
    assert result["verdict"] == "undecided"
    assert "nonce_source" in result["undecided"][0]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"venue": "krakn"}, "venue"),
        ({"venue": None}, "venue"),
        ({"credential": None}, "credential"),
        ({"key_material": {"key": "SANDBOXx0001", "secret": "c2VjcmV0c2VjcmV0"}}, "key_material"),
        ({"credential": "kQH5HW/8p1uGOVjb"}, "credential"),
        ({"credential": "fd:3"}, "credential"),
        ({"credential": "file:/no/such/file"}, "file:/no/such/file"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": "soon"}, "timeout"),
        ({"market": "moon"}, "market"),
        ({"environment": "moon"}, "environment"),
        ({"base_url": "http://venue.test"}, "base_url"),
        ({"proxy": "http://user:pass@p:1"}, "proxy"),
        ({"ca_file": "/no/such/ca.pem"}, "ca_file"),
        ({"nonce_source": "sometimes"}, "nonce_source"),
        ({"nonce_source": "bot_stopped"}, "bot_units"),
        ({"nonce_source": "bot_stopped", "bot_units": ["-x; rm"]}, "bot_units"),
        ({"nonce_source": "file"}, "nonce_file"),
        ({"quiet_since": "yesterday"}, "quiet_since"),
        ({"allow": ["reed"]}, "allow"),
        ({"require": ["reed"]}, "require"),
        ({"forbid": ["reed"]}, "forbid"),
        ({"ip_allowlist": {"match": "equal"}}, "match"),
        ({"ip_allowlist": {"match": "exact"}}, "ip_allowlist.addresses"),
        ({"ip_allowlist": {"match": "exact", "addresses": ["1.2.3"]}}, "ip_allowlist.addresses"),
        ({"max_age_days": -1}, "max_age_days"),
        ({"min_days_left": "many"}, "min_days_left"),
        ({"surprise": 1}, "surprise"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_that_names_the_option(run: Run, key_file: str, arguments: dict[str, Any], named: str) -> None:
    given = {"venue": "kraken", "credential": key_file, "rehearsal": True, "nonce_source": "own_key", **arguments}
    result = run("exchange_key_permissions", {name: value for name, value in given.items() if value is not None}, check=False)
    assert result["failed"]
    assert named in result["msg"]
    assert "Traceback" not in result["text"]
    assert "user:pass" not in result["msg"]
    assert len(result["msg"].splitlines()) == 1


@pytest.mark.parametrize(
    "material",
    [
        "kQH5HW/8p1uGOVjbgWA7",
        ["kQH5HW/8p1uGOVjbgWA7"],
        {"key": "SANDBOXx0001"},
        {"key": "SANDBOXx0001", "kQH5HW/8p1uGOVjbgWA7": "SANDBOXyyyy"},
        5,
    ],
)
def test_key_material_of_the_wrong_form_is_not_quoted(run: Run, material: Any) -> None:
    result = run("exchange_key_permissions", {"venue": "kraken", "rehearsal": True, "key_material": material}, check=False)
    assert result["failed"]
    assert "key_material" in result["msg"]
    assert "kQH5HW" not in result["text"]
    assert "SANDBOXx0001" not in result["text"]


def test_the_choices_of_the_module_are_those_of_the_code(module: Callable[[str], Any]) -> None:
    import yaml
    from golive.exchange.nonce import SOURCES, UNITS
    from golive.exchange.rules import MATCHES

    options = yaml.safe_load(module("exchange_key_permissions").DOCUMENTATION)["options"]
    assert tuple(options["nonce_source"]["choices"]) == SOURCES
    assert tuple(options["nonce_unit"]["choices"]) == tuple(UNITS)
    assert tuple(options["ip_allowlist"]["suboptions"]["match"]["choices"]) == MATCHES


def test_documentation_and_arguments_say_the_same(module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    loaded = module("exchange_key_permissions")
    seen: dict[str, Any] = {}

    class Stop(Exception):
        pass

    def spy(argument_spec: dict[str, Any], **_: Any) -> None:
        seen.update(argument_spec)
        raise Stop

    monkeypatch.setattr(loaded, "AnsibleModule", spy)
    with pytest.raises(Stop):
        loaded.main()
    documented = yaml.safe_load(loaded.DOCUMENTATION)["options"]
    assert set(documented) == set(seen)
    for name, option in documented.items():
        for part in ("type", "default", "choices", "elements", "required"):
            assert option.get(part) == seen[name].get(part), (name, part)
