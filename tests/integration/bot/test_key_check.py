"""The unit's own question before its first call, on a real host: it lets a fit key trade and keeps an unfit one from a single order."""
from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from golive.exchange.egress import seen_by
from golive.exchange.model import Credential
from golive.exchange.transport import Endpoint
from golive.release_build import build

from tests.integration.exchange.leaks import assert_clean
from tests.integration.exchange.test_sandbox import BOT, free_port, post
from tests.integration.exchange.test_sandbox import wait_for as wait_for_admin
from tests.integration.exchange.tls_venue import make_pki

from ..sets.conftest import Lab, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1200)]  # a host is built, and builds wait for their turn on a busy machine
ROOT = Path(__file__).resolve().parents[3]
HOST, GATEWAY, UNIT = "172.30.95.21", "172.30.95.1", "bot-wire.service"
INVENTORY = f"""\
all:
  children:
    rehearsal:
      hosts:
        subject: {{ansible_host: {HOST}}}
      vars: {{lab_network: 172.30.95.0/24, lab_name: bad}}
    targets: {{hosts: {{subject: {{}}}}}}
"""


@dataclass
class Scene:
    """A host with the bot, a rehearsal exchange on the network's gateway, and the key that the host is given."""

    lab: Lab
    url: str
    admin: int
    ca_file: str
    key_file: Path
    key: Any = None

    def mint(self, rights: list[str], allowed: list[str]) -> None:
        self.key = post(self.admin, "keys", {"account": "bot", "rights": rights, "ip_allowlist": allowed, "nonce_window": 0})
        self.key_file.write_text(json.dumps({name: self.key[name] for name in ("key", "secret")}))
        self.key_file.chmod(0o600)

    def build(self, *words: str, **changes: Any) -> Any:
        variables = yaml.safe_load((ROOT / "molecule/bot/vars/main.yml").read_text())
        del variables["__built"]
        built = build("bot")
        variables.update({
            "bot_release_archive": str(built.path), "bot_release_sha256": built.sha256, "bot_instances": ["wire"], "bot_started": ["wire"],
            "bot_wire_key": f"file:{self.key_file}", "exchange_url": self.url, "exchange_egress_addresses": [HOST],
            "exchange_ca_file": "/etc/golive/test-ca.pem", "bot_key_check": ["wire"], "bot_key_check_pause_s": 3, **changes})
        ca = {"directories": [{"path": "/etc/golive"}], "files": [{"path": "/etc/golive/test-ca.pem", "source": self.ca_file}]}
        pre = [{"name": "Authority of the test", "managed_files": ca}]
        return self.lab.run({"pre_tasks": pre, "roles": ["bot"], "vars": variables}, *words)

    def journal(self) -> str:
        return self.lab.inside("journalctl", "--no-pager", "--output=cat", "--unit", UNIT)

    def state(self) -> str:
        return self.lab.inside("systemctl", "show", "--value", "--property=ActiveState", UNIT).strip()

    def orders_asked(self) -> list[str]:
        found = json.loads(_get(self.admin, "requests?account=bot"))["requests"]
        return [str(one["endpoint"]) for one in found]


def _get(admin: int, path: str) -> bytes:
    request = urllib.request.Request(f"http://127.0.0.1:{admin}/sandbox/v1/{path}", headers={"Authorization": "Bearer " + "t" * 48})
    with urllib.request.urlopen(request, timeout=10) as answered:
        return bytes(answered.read())


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    place = tmp_path_factory.mktemp("key-check")
    (place / "lab.yml").write_text(INVENTORY)
    (place / "group_vars").symlink_to(ROOT / "molecule/lab/inventory/group_vars")
    lab = Lab(place / "lab.yml", place)
    done = lab.tool("up")
    assert done.returncode == 0, done.stdout + done.stderr
    pki = make_pki(place, GATEWAY)
    chain, admin = str(place / "good.pem"), free_port()
    with socket.create_server((GATEWAY, 0)) as sock:
        port = sock.getsockname()[1]
    (place / "token").write_text("t" * 48)
    (place / "token").chmod(0o600)
    (place / "config.json").write_text(json.dumps({
        "state_dir": str(place / "state"), "token_file": str(place / "token"), "allow_plain_http_on_loopback": True,
        "venue": {"host": GATEWAY, "port": port, "certificate": chain, "private_key": chain},
        "admin": {"host": "127.0.0.1", "port": admin}}))
    with (place / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "exchange_sandbox", "--config", str(place / "config.json")], cwd=ROOT,
                                   stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        wait_for_admin(admin, process, place / "log")
        post(admin, "accounts", {"name": "bot", "balances": {"USDT": "200"}, "profile": {"mode": "live"}, "tier": "unlimited"})
        yield Scene(lab, f"https://{GATEWAY}:{port}", admin, pki.ca_file, place / "key.json")
    finally:
        process.terminate()
        process.wait(20)
        lab.tool("down")


def test_a_fit_key_starts_and_the_bot_trades_on_with_higher_nonces(scene: Scene) -> None:
    scene.mint([*BOT, "query-closed-trades"], [HOST])
    predicted, real = scene.build("--check").must(), scene.build().must()
    assert ("file:/usr/local/lib/golive/exchange_key.pyz", "create") in real.objects
    assert predicted.by_host == real.by_host
    wait_for(lambda: scene.state() == "active", "the bot to be up")
    wait_for(lambda: [one for one in scene.orders_asked() if "GetApiKeyInfo" not in one], "the venue to hear the bot")
    assert "PASS: kraken key " in scene.journal()
    assert (scene.build("--check").must().objects, scene.build().must().objects) == ([], [])
    scene.lab.inside("systemctl", "restart", UNIT)
    wait_for(lambda: scene.journal().count("PASS: ") == 2, "the question of the second start")
    wait_for(lambda: scene.state() == "active", "the bot to be up again")
    assert "Invalid nonce" not in scene.journal()
    assert json.loads(_get(scene.admin, "verdicts?account=bot"))["rules"]["nonce_rising"]["fail"] == 0


@pytest.mark.parametrize(
    ("rights", "allowed", "words"),
    [([*BOT, "withdraw-funds"], [HOST], "may 'withdraw'"), (BOT, [], "from every address"), (BOT, [HOST, "198.51.100.7"], "198.51.100.7"),
     (["query-funds", "query-open-trades"], [HOST], "may not 'trade'"), (BOT, ["198.51.100.7"], "UNDECIDED: ")])
def test_an_unfit_key_keeps_the_bot_from_its_first_call(scene: Scene, rights: list[str], allowed: list[str], words: str) -> None:
    scene.lab.inside("systemctl", "stop", UNIT)
    scene.mint(rights, allowed)
    scene.lab.inside("sh", "-c", "cat > /etc/bot/credentials/wire_exchange_key <<'E'\n" + scene.key_file.read_text() + "\nE")
    before, told = len(scene.orders_asked()), scene.journal()
    scene.lab.inside("systemctl", "--no-block", "start", UNIT)
    wait_for(lambda: words in scene.journal()[len(told):], "the line in the journal")
    asked = [one for one in scene.orders_asked()[before:] if "GetApiKeyInfo" not in one]
    assert (asked, scene.state()) == ([], "activating")
    assert_clean(scene.journal(), Credential(scene.key["key"], scene.key["secret"]))
    scene.lab.inside("systemctl", "stop", UNIT)


def test_the_reflector_is_predicted_built_and_says_what_it_sees(scene: Scene, tmp_path: Path) -> None:
    chain = Path(make_pki(tmp_path, HOST).ca_file).parent / "good.pem"
    place = "/etc/golive/reflector.pem"
    files = {"directories": [{"path": "/etc/golive"}], "files": [{"path": place, "source": str(chain), "mode": "0600"}]}
    objects = scene.lab.four_runs({
        "pre_tasks": [{"name": "Certificate of the test", "managed_files": files}], "roles": ["reflector"],
        "vars": {"reflector_certificate": place, "reflector_private_key": place}})
    assert ("unit:golive-reflector.service", "start") in objects
    seen = seen_by([Endpoint(HOST, 9444, str(tmp_path / "ca.pem"))], 20, lambda family: family == socket.AF_INET)
    assert seen == [GATEWAY]
