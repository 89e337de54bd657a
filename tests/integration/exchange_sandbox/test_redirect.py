"""A bot that nobody changed comes to the sandbox by DNS and the lab's authority, in a namespace of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from exchange_sandbox.doors import VENUE_HOSTS
from exchange_sandbox.redirect import hosts

from .conftest import ROOT
from .test_doors import Authority

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")

BOT = """
import sys, ccxt
bot = ccxt.kraken({"apiKey": sys.argv[1], "secret": sys.argv[2]})
print("last", bot.fetch_ticker("SHIB/USDT")["last"] > 0)
print("free", bot.fetch_balance()["USDT"]["free"])
print("order", bool(bot.create_order("SHIB/USDT", "market", "buy", 600000)["id"]))
"""
PINNED = """
import hashlib, socket, ssl
context = ssl.create_default_context()
with context.wrap_socket(socket.create_connection(("api.kraken.com", 443), 10), server_hostname="api.kraken.com") as line:
    assert hashlib.sha256(line.getpeercert(True)).hexdigest() == "00" * 32, "not the certificate that I know"
"""
#: in a network namespace of its own port 443 is free, and nothing leads out
SCENE = r"""
set -eu
ip link set lo up
"$PYTHON" -m exchange_sandbox --config config.json > log 2>&1 & server=$!
trap 'kill $server; wait $server || true' EXIT
ask() { curl -sS -H "Authorization: Bearer $(cat token)" "http://127.0.0.1:9443/sandbox/v1/$1" "${@:2}"; }
for i in $(seq 1 600); do ask clock > /dev/null 2>&1 && break; sleep 0.1; done
ask accounts -d '{"name": "bot", "balances": {"USDT": "200"}}' > /dev/null
ask keys -d '{"account": "bot", "rights": ["query-funds", "modify-trades"]}' > key
read -r key secret < <("$PYTHON" -c 'import json; made = json.load(open("key")); print(made["key"], made["secret"])')
before=$(cat /etc/hosts "$("$PYTHON" -c 'import certifi; print(certifi.where())')" | sha256sum)
bundle=$("$PYTHON" -c 'import certifi; print(certifi.where())')
"$PYTHON" -m exchange_sandbox.redirect --to 127.0.0.1 --authority ca.pem --bundle "$bundle" -- "$PYTHON" bot.py "$key" "$secret" > said
"$PYTHON" -m exchange_sandbox.redirect --to 127.0.0.1 --authority ca.pem -- "$PYTHON" pinned.py > pinned.said 2>&1 || true
"$PYTHON" -m exchange_sandbox.redirect --to 127.0.0.1 --authority leaf.pem -- "$PYTHON" bot.py "$key" "$secret" > untrusted 2>&1 || true
test "$before" = "$(cat /etc/hosts "$bundle" | sha256sum)"
ask hosts > hosts.json
ask verdicts?account=bot > verdicts.json
"""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("redirect")
    name = str(directory)
    authority = Authority(directory)
    authority.issue("leaf.pem", 2)
    (directory / "token").write_text("a token of this test only")
    settings = {
        "state_dir": name + "/state",
        "token_file": name + "/token",
        "allow_plain_http_on_loopback": True,
        "venue": {"host": "127.0.0.1", "port": 443, "certificate": name + "/leaf.pem", "private_key": name + "/leaf.key"},
        "admin": {"host": "127.0.0.1", "port": 9443},
        "pairs": ["SHIBUSDT"],
    }
    (directory / "config.json").write_text(json.dumps(settings))
    (directory / "bot.py").write_text(BOT)
    (directory / "pinned.py").write_text(PINNED)
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["unshare", "--net", "bash", "-c", SCENE], cwd=name, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, (done.stderr[-2000:], (directory / "log").read_text()[-2000:])
    return directory


def test_an_unchanged_ccxt_bot_trades_here(scene: Path) -> None:
    assert (scene / "said").read_text().split("\n")[:3] == ["last True", "free 200.0", "order True"]
    verdicts = json.loads((scene / "verdicts.json").read_text())
    assert verdicts["totals"]["requests"] >= 2
    assert verdicts["totals"]["fail"] == 0


def test_hard_coded_hosts_and_pinned_certificates_are_reported(scene: Path) -> None:
    report = json.loads((scene / "hosts.json").read_text())
    assert "not the certificate that I know" in (scene / "pinned.said").read_text()
    assert "CERTIFICATE_VERIFY_FAILED" in (scene / "untrusted").read_text()
    door = report["names"]["api.kraken.com"]
    assert door["connections"] >= 2
    assert door["ended_by_client"] >= 1
    # Python's clients look at a pin behind the handshake: seen as a connection without a request.
    assert door["silent"] == 1
    said = " ".join(report["findings"])
    assert "asks for the venue's own host name" in said
    assert "ended by the client: it pins a certificate, or does not trust" in said
    assert "1 connections were ended by the client before its first request: it pins a certificate" in said


def test_every_host_name_of_the_venues_leads_here() -> None:
    text = hosts("10.0.0.7", "127.0.0.1 localhost\n")
    assert text.startswith("127.0.0.1 localhost\n")
    assert all("10.0.0.7 %s\n" % name in text for name in VENUE_HOSTS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--to", "127.0.0.1", "--authority", __file__], "no command given"),
        (["--to", "sandbox", "--authority", __file__, "--", "true"], "--to: expected an address, found 'sandbox'"),
        (["--to", "127.0.0.1", "--authority", "/no/file", "--", "true"], "--authority: /no/file is no file"),
        (["--to", "127.0.0.1", "--authority", __file__, "--bundle", "/no/bundle", "--", "true"], "--bundle: /no/bundle is no file"),
        (["--to", "127.0.0.1", "--authority", __file__, "--user", "nobody-here", "--", "true"], "no user 'nobody-here'"),
        (["--to", "127.0.0.1", "--authority", __file__, "--", "/no/bot"], "No such file"),
    ],
)
def test_bad_input_gets_one_sentence(arguments: list[str], words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "exchange_sandbox.redirect", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
