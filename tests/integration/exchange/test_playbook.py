"""The module in a playbook: check, real, check, real change nothing; at -vvvv nothing of the key is in any output or file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.exchange.leaks import assert_clean, leaks
from tests.integration.exchange.tls_venue import Pki, TlsVenue, answer, venue
from tests.unit.exchange.venue_fixtures import fixture

ROOT = Path(__file__).parents[3]
KRAKEN = fixture("kraken")
MATERIAL = json.dumps({"key": KRAKEN.credential.key, "secret": KRAKEN.credential.secret})
GOOD, BAD = (answer(KRAKEN.cases[case]["body"]) for case in ("least", "documented"))
HOSTILE = answer(
    {"error": [f"EAPI:Invalid key {KRAKEN.credential.key} {KRAKEN.credential.secret} from 203.0.113.9 {{{{ 1 + 1 }}}} \x1b[31m"]}
)


def tasks(served: TlsVenue, pki: Pki, folder: Path) -> list[dict[str, Any]]:
    """Check, real, check, real: each asks twice. Then a hostile answer, and two that are wrong before anything is asked."""
    asked = {
        "venue": "kraken",
        "rehearsal": True,
        "base_url": served.url,
        "ca_file": pki.ca_file,
        "nonce_source": "own_key",
        "enforce": False,
    }
    file = {**asked, "credential": f"file:{folder}/key.json"}
    memory = {**asked, "key_material": "{{ lookup('ansible.builtin.env', 'GOLIVE_TEST_KEY') }}"}
    runs = [
        {"exchange_key_permissions": arguments, "register": f"run{number}{name}", "check_mode": number % 2 == 0, "diff": True}
        for number in range(4)
        for name, arguments in (("a", file), ("b", memory))
    ]
    return [
        *runs,
        {"exchange_key_permissions": file, "register": "hostile"},
        {"exchange_key_permissions": {**file, "allow": ["reed"]}, "ignore_errors": True},
        {"exchange_key_permissions": {**asked, "credential": f"file:{folder}/absent.json"}, "ignore_errors": True},
        {"ansible.builtin.debug": {"msg": "RESULTS {{ [%s, hostile] | to_json }}" % ", ".join(str(one["register"]) for one in runs)}},
    ]


@pytest.fixture(params=["streamed", "module"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """With golive's action plugin, as in this repository; and with the library alone, as another project may use it."""
    plugins = f"action_plugins={ROOT}/plugins/action\n" if request.param == "streamed" else ""
    (tmp_path / "key.json").write_text(MATERIAL)
    (tmp_path / "key.json").chmod(0o600)
    for name in ("config", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "config/ansible.cfg").write_text(
        f"[defaults]\n{plugins}library={ROOT}/library\nmodule_utils={ROOT}/module_utils\nlocal_tmp={tmp_path}/tmp\nremote_tmp={tmp_path}/tmp\n"
        f"log_path={tmp_path}/ansible.log\nretry_files_enabled=False\ninventory=localhost,\n[connection]\npipelining=True\n"
    )
    return tmp_path


def play(served: TlsVenue, pki: Pki, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    book = folder / "config/play.yml"
    book.write_text(json.dumps([{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks(served, pki, folder)}]))
    return subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), str(book), "-e", f"ansible_python_interpreter={sys.executable}", *options],
        capture_output=True, text=True, check=False, timeout=120, cwd=folder / "config",
        env={**os.environ, "ANSIBLE_CONFIG": str(folder / "config/ansible.cfg"), "GOLIVE_TEST_KEY": MATERIAL, "ANSIBLE_NOCOLOR": "1"},
    )  # fmt: skip


def test_four_runs_change_nothing_and_leak_nothing(pki: Pki, folder: Path) -> None:
    before = {path for path in folder.rglob("*") if path.is_file()}
    with venue(pki, *[GOOD, BAD] * 4, HOSTILE) as served:
        done = play(served, pki, folder, "-vvvv")
        signatures = [asked.headers["api-sign"] for asked in served.asked]
    assert done.returncode == 0, done.stdout[-2000:]
    assert " changed=0 " in done.stdout
    assert len(signatures) == 9
    assert_clean(done.stdout + done.stderr, KRAKEN.credential, signatures)
    assert "203.0.113.9" not in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    line = next(text for text in done.stdout.splitlines() if '"msg": "RESULTS ' in text)
    results = json.loads(json.loads("{" + line.strip() + "}")["msg"].removeprefix("RESULTS "))
    assert [result["verdict"] for result in results] == ["pass", "fail"] * 4 + ["undecided"]
    assert {(result["changed"], len(result["changes"])) for result in results} == {(False, 0)}
    left = {path for path in folder.rglob("*") if path.is_file()} - before
    assert {path.name for path in left} == {"play.yml", "ansible.log"}, "the module leaves nothing behind"
    for path in left:
        assert_clean(path.read_text(), KRAKEN.credential, signatures)


def test_the_search_finds_what_it_looks_for() -> None:
    for part in KRAKEN.credential[:2]:
        assert leaks(f"x{part[::-1]}y", KRAKEN.credential)
        assert leaks("x" + part.encode().hex(), KRAKEN.credential)


def test_the_documentation_renders() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-doc"), "-t", "module", "-M", str(ROOT / "library"), "exchange_key_permissions"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    for words in ("nonce_source", "EXAMPLES", "RETURN VALUES", "sealed:/path"):
        assert words in done.stdout
    assert "WARNING" not in done.stderr
