"""Our requests are signed as ccxt signs them, on random keys and times. ccxt is an oracle here and nowhere at run time."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import ccxt
import pytest
from golive.exchange.model import Credential, Request, Stamp
from golive.exchange.venues import htx, kraken_futures, load
from hypothesis import given, settings
from hypothesis import strategies as st

WORD = st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", min_size=4, max_size=64)
SECRET64 = st.binary(min_size=64, max_size=64).map(lambda raw: base64.b64encode(raw).decode())
MOMENT = st.integers(min_value=1_500_000_000_000, max_value=2_500_000_000_000)
# Our venue -> ccxt's class, its api word or words, path, method, parameters.
CALLS: dict[str, tuple[str, Any, str, str]] = {
    "kraken": ("kraken", ["private"], "GetApiKeyInfo", "POST"),
    "binance": ("binance", ["sapi"], "account/apiRestrictions", "GET"),
    "binance_usdm": ("binanceusdm", ["sapi"], "account/apiRestrictions", "GET"),
    "bybit": ("bybit", ["private"], "v5/user/query-api", "GET"),
    "okx": ("okx", ["private"], "account/config", "GET"),
    "kucoin": ("kucoin", ["private"], "user/api-key", "GET"),
    "bitget": ("bitget", ["private", "spot"], "v2/spot/account/info", "GET"),
    "gate": ("gate", ["private", "account"], "main_keys", "GET"),
    "htx": ("htx", ["v2Private"], "user/api-key", "GET"),
    "mexc": ("mexc", ["spot", "private"], "apiKeyInfo", "GET"),
    "bitfinex": ("bitfinex", ["private"], "auth/r/permissions", "POST"),
    "gemini": ("gemini", ["private"], "v1/roles", "POST"),
}
OURS_ONLY = {
    "kraken_futures": "ccxt has no call for the check",
    "coinbase": "its own SDK is the oracle",
    "deribit": "ccxt sends the secret",
}
CLIENTS: dict[str, Any] = {}


def client(name: str) -> Any:
    if name not in CLIENTS:
        CLIENTS[name] = getattr(ccxt, name)()
    return CLIENTS[name]


def theirs(name: str, credential: Credential, moment: int, path: str, api: Any, method: str, params: dict[str, Any]) -> dict[str, Any]:
    made = client(name)
    made.apiKey, made.secret, made.password, made.uid = credential.key, credential.secret, credential.passphrase, "1"
    made.nonce = lambda: moment
    made.incrementing_nonce = lambda: moment
    made.milliseconds = lambda: moment
    made.options["timeDifference"] = 0
    made.options["recvWindow"] = 5000
    found: dict[str, Any] = made.sign(path, api, method, params)
    return found


def split(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    return parts.path, dict(parse_qsl(parts.query, keep_blank_values=True))


def ours(name: str, credential: Credential, moment: int) -> Request:
    kind = load(name)
    return kind().request(credential, Stamp(moment, moment, "0" * 32), kind.hosts["production"])


# Headers that say who calls, not what is signed.
_TALK = {
    "source",
    "x-channel-api-code",
    "kc-api-partner",
    "kc-api-partner-sign",
    "kc-api-partner-verify",
    "kc-broker-name",
    "content-type",
    "referer",
}


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=40)
@given(key=WORD, secret=WORD, secret64=SECRET64, passphrase=WORD, moment=MOMENT)
def test_a_request_is_signed_as_ccxt_signs_it(name: str, key: str, secret: str, secret64: str, passphrase: str, moment: int) -> None:
    their_name, api, path, method = CALLS[name]
    moment -= moment % 1000 if name == "htx" else 0  # ccxt rounds to the nearest second there, we cut
    credential = Credential("account-" + key if name == "gemini" else key, secret64 if name == "kraken" else secret, passphrase)
    params = {"accessKey": credential.key} if name in ("htx", "mexc") else {}
    expected, made = theirs(their_name, credential, moment, path, api, method, params), ours(name, credential, moment)
    assert made.method == expected["method"]
    our_path, our_query = split(made.target)
    their_path, their_query = split(expected["url"])
    assert our_path == their_path
    if name in ("binance", "binance_usdm", "mexc"):
        # The order of the parameters may differ; each signature is right for its own order, which the vectors hold.
        assert {n: v for n, v in our_query.items() if n != "signature"} == {n: v for n, v in their_query.items() if n != "signature"}
        payload = urlsplit(made.target).query.rsplit("&signature=", 1)[0]
        assert our_query["signature"] == client(their_name).hmac(payload.encode(), secret.encode(), __import__("hashlib").sha256)
    else:
        assert our_query == their_query
    their_headers = {n.lower(): v for n, v in (expected["headers"] or {}).items() if n.lower() not in _TALK}
    our_headers = {n.lower(): v for n, v in made.headers.items() if n.lower() not in _TALK}
    our_headers.pop("cache-control", None)
    assert our_headers == their_headers
    their_body = expected["body"] if expected["body"] not in (None, "{}") or name == "bitfinex" else ""
    assert made.body.decode() == (their_body or "")


@settings(max_examples=40)
@given(key=WORD, secret=SECRET64, moment=MOMENT)
def test_kraken_futures_uses_the_primitive_that_ccxt_uses(key: str, secret: str, moment: int) -> None:
    expected = theirs("krakenfutures", Credential(key, secret), moment, "accounts", ["private"], "GET", {})
    nonce = expected["headers"].get("Nonce", "")
    assert kraken_futures.sign(secret, "", nonce, "/api/v3/accounts") == expected["headers"]["Authent"]


@settings(max_examples=40)
@given(key=WORD, secret=WORD, moment=MOMENT, nonce=WORD)
def test_deribit_uses_the_primitive_that_ccxt_uses(key: str, secret: str, moment: int, nonce: str) -> None:
    from golive.exchange.venues.deribit import sign

    expected = theirs("deribit", Credential(key, secret), moment, "get_positions", ["private"], "GET", {})
    told = dict(part.split("=", 1) for part in expected["headers"]["Authorization"].split(" ", 1)[1].split(","))
    assert sign(secret, told["ts"], told["nonce"], "GET\n/api/v2/private/get_positions\n\n") == told["sig"]


def test_every_venue_that_ccxt_can_ask_is_compared() -> None:
    from golive.exchange.venues import NAMES

    asked = {name for name in NAMES if load(name).askable}
    assert asked == set(CALLS) | set(OURS_ONLY)


def test_htx_signs_the_host_that_ccxt_signs() -> None:
    assert htx.Htx.hosts["production"] == client("htx").hostname


def test_nothing_imports_ccxt_at_run_time() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from golive.exchange import command, task; from golive.exchange.venues import NAMES, load\n"
        "[load(n) for n in NAMES]; import golive.probes.exchange_key\n"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('ccxt', 'cryptography', 'requests', 'aiohttp', 'yaml', 'ansible')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == []
