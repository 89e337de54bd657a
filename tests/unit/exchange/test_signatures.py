"""The published test vectors, and those derived for the very calls made here."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from golive.exchange import asymmetric, mac
from golive.exchange.model import Credential, Request, Stamp
from golive.exchange.venues import binance, bitfinex, coinbase, deribit, gate, htx, kraken, kraken_futures, load
from golive.exchange.venues.bybit import sign as bybit_sign

KRAKEN_SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
FUTURES_SECRET = "7zxMEF5p/Z8l2p2U7Ghv6x14Af+Fx+92tPgUdVQ748FOIrEoT9bgT+bTRfXc5pz8na+hL/QdrCVG7bh9KpT0eMTm"
BINANCE_SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
BINANCE_ED25519 = (
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u\n-----END PRIVATE KEY-----\n"
)
ORDER = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC"
REST = "quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
RFC8037_SEED = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
MINE = Credential("mykey", "mysecret", "mypass")
STAMP = Stamp(1_700_000_000_123, 1_700_000_000_123, "0" * 32)


def request(name: str, credential: Credential = MINE, stamp: Stamp = STAMP) -> Request:
    kind = load(name)
    return kind().request(credential, stamp, kind.hosts["production"])


def test_v1_kraken_add_order() -> None:
    body = "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
    expected = "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
    assert kraken.sign(KRAKEN_SECRET, "/0/private/AddOrder", "1616492376594", body) == expected


def test_v2_kraken_futures_challenge() -> None:
    expected = "4JEpF3ix66GA2B+ooK128Ift4XQVtc137N9yeg4Kqsn9PI0Kpzbysl9M1IeCEdjg0zl00wkVqcsnG4bmnlMb3A=="
    assert mac.kraken_mac(FUTURES_SECRET, b"", "c100b894-1729-464d-ace1-52dbce11db42") == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (f"{ORDER}&{REST}", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
        (
            f"symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&{ORDER.split('&', 1)[1]}&{REST}",
            "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
        ),
        (f"{ORDER}{REST}", "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"),
        ("recvWindow=5000&timestamp=1499827319559", "82f4e72e95e63d666b6da651e82a701722ad8a785a169318d91f36f279c55821"),
    ],
    ids=["v3", "v4_non_ascii", "v5_joined", "own_call"],
)
def test_binance_hmac(payload: str, expected: str) -> None:
    assert binance.sign(BINANCE_SECRET, payload) == expected


def test_v6_binance_ed25519_logon() -> None:
    text = "\x01".join(["A", "EXAMPLE", "SPOT", "1", "20240627-11:17:25.223"])
    signed = base64.b64encode(asymmetric.sign_pem(BINANCE_ED25519, text.encode())).decode()
    assert signed == "4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA=="


def test_binance_ed25519_is_percent_encoded_in_the_query() -> None:
    query = "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=0.2&timestamp=1668481559918&recvWindow=5000"
    expected = "inDT086KVIP8vgUfw5sV3VTkescWztiAGlf4x8FLKHM4NInsn0c1kYVLoGMO8cyjfR6vmTku2YQE0gtfVVlfCw%3D%3D"
    assert binance.sign(BINANCE_ED25519, query) == expected


def test_binance_rsa_verifies_with_the_public_key() -> None:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    key.public_key().verify(asymmetric.sign_pem(pem, b"text"), b"text", padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize(
    ("method", "query", "body", "expected"),
    [
        (
            "GET", "contract=BTC_USD&status=finished&limit=50", "",
            "55f84ea195d6fe57ce62464daaa7c3c02fa9d1dde954e4c898289c9a2407a3d6fb3faf24deff16790d726b66ac9f74526668b13bd01029199cc4fcc522418b8a",
        ),
        (
            "POST", "", '{"contract":"BTC_USD","type":"limit","size":100,"price":6800,"time_in_force":"gtc"}',
            "eae42da914a590ddf727473aff25fc87d50b64783941061f47a3fdb92742541fc4c2c14017581b4199a1418d54471c269c03a38d788d802e2c306c37636389f0",
        ),
    ],
    ids=["v9", "v10"],
)  # fmt: skip
def test_gate(method: str, query: str, body: str, expected: str) -> None:
    assert gate.sign("secret", method, "/api/v4/futures/orders", query, body, "1541993715") == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=11&recvWindow=5000&timestamp=1644489390087",
            "fd3e4e8543c5188531eb7279d68ae7d26a573d0fc5ab0d18eb692451654d837a",
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=LIMITquantity=1&price=11&recvWindow=5000&timestamp=1644489390087",
            "d1a676610ceb39174c8039b3f548357994b2a34139a8addd33baadba65684592",
        ),
    ],
    ids=["v11", "v13"],
)
def test_mexc(payload: str, expected: str) -> None:
    assert mac.mac_hex("45d0b3c26f2644f19bfb98b07741b2f5", payload) == expected


def test_v14_gemini() -> None:
    payload = '{\n    "request": "/v1/order/status",\n    "nonce": 123456,\n\n    "order_id": 18834\n}\n'
    signed = mac.mac_hex("1234abcd", base64.b64encode(payload.encode()).decode(), "sha384")
    assert signed == "337cc8b4ea692cfe65b4a85fcc9f042b2e3f702ac956fd098d600ab15705775017beae402be773ceee10719ff70d710f"


def test_v15_deribit() -> None:
    assert (
        deribit.sign("AMANDASECRECT", "1576074319000", "1iqt2wls", "") == "56590594f97921b09b18f166befe0d1319b198bbcdad7ca73382de2f88fe9aa1"
    )


def test_v16_eddsa_jws() -> None:
    text = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    signed = base64.urlsafe_b64encode(asymmetric.sign_ed25519_seed(RFC8037_SEED, text)).rstrip(b"=")
    assert signed == b"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"


def test_v17_es256_verifies_with_the_public_key() -> None:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    # RFC 7515 A.3: the private key of the example, and its own signature over its own text.
    number = int.from_bytes(base64.urlsafe_b64decode("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI="), "big")
    key = ec.derive_private_key(number, ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    text = b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    published = base64.urlsafe_b64decode("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q==")
    for raw in (published, asymmetric.sign_es256(pem, text)):
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        key.public_key().verify(utils.encode_dss_signature(r, s), text, ec.ECDSA(hashes.SHA256()))


def test_kraken_own_call() -> None:
    made = request("kraken", Credential("mykey", KRAKEN_SECRET), Stamp(1616492376594, 1616492376594, ""))
    assert (made.method, made.target, made.body) == ("POST", "/0/private/GetApiKeyInfo", b"nonce=1616492376594")
    assert made.headers["API-Sign"] == "0hXh9q5/fK8xgzNfiExbUyhEvsv1gAYGgL/5PWy8Xo8kFGhpI/ZwAnHB1eC0SYtlYiywFcypDRuBP/GjHp+ojA=="


def test_kraken_json_body() -> None:
    signed = kraken.sign(KRAKEN_SECRET, kraken.PATH, "1616492376594", '{"nonce": "1616492376594"}')
    assert signed == "OYy1FxZm5gYVGix4Bto1MTzZsDXmbDuXDWjkYrOyVyLmxlvzn2L2GLjNJ4A1bXUYeTSc7OuS2CfDsiWSO61fig=="


@pytest.mark.parametrize(
    ("nonce", "expected"),
    [
        ("", "uq2bRXfZd3Flh/pEj4SLiT9pjBgyXE15ufUW5ZzTesIPK+L0uXNf0q1VJyNy26wJ0Li/VAXboGUUh5WIJ3oKzQ=="),
        ("1415957147987", "BMBKg2+995xnZYQqVNj7feAbUv8+5jZeEhygd2VCVdqq5i5UdzF3O+0tiYN21nkjTUb6S865YFoc2XfC0Tbcgw=="),
    ],
)
def test_kraken_futures_own_call(nonce: str, expected: str) -> None:
    assert kraken_futures.sign(FUTURES_SECRET, "", nonce, kraken_futures.PATH) == expected
    if not nonce:
        assert request("kraken_futures", Credential("mykey", FUTURES_SECRET)).headers["Authent"] == expected


OWN = {
    "bybit": ("X-BAPI-SIGN", "9ece4a9e2df3529c0e166da0ec68748d43841c2202b6c6bde613635baed42112"),
    "okx": ("OK-ACCESS-SIGN", "7IjRPeNlsTnuDtneRqcGKpjYzau6VTcBd2Sgpv6ass4="),
    "kucoin": ("KC-API-SIGN", "hvRHIRFiyZE7hYT9T0T6fSxCinrGPcG8gNKdzospLXg="),
    "bitget": ("ACCESS-SIGN", "+FnT8nVphwAyJS7bfSaSfhvPszuSVdLCEZBcDxOiOJo="),
    "gate": (
        "SIGN",
        "398fce5a8af5e05f3a11d14880c81049399f79097e32e12da200299d9d5cadea8b400d20fd25c217e0dc5a52e4eb780f06a3fb1242041ccc0a2b59279c7afa38",
    ),
    "gemini": ("X-GEMINI-SIGNATURE", "7625922b9c2299c0d809152b1d3383a72bcf8689c22b594a91c06f52d80daceed10879b0c3e0986f70bcf8f2cc48a0f6"),
}


@pytest.mark.parametrize("name", OWN)
def test_own_call_with_the_signature_in_a_header(name: str) -> None:
    header, expected = OWN[name]
    assert request(name).headers[header] == expected


def test_kucoin_passphrase_is_sent_as_its_mac() -> None:
    assert request("kucoin").headers["KC-API-PASSPHRASE"] == "31OCvUg4AyO4eMxGrTbP+mWeVk39shnB+qssmaQzWD4="


def test_bitget_unified_call() -> None:
    signed = mac.mac_base64("mysecret", "1700000000123" + "GET" + "/api/v3/account/info")
    assert signed == "NyFYLmKz9hS+XsIExu+361v1h1DCSbCT/8+PoYzDVUY="


def test_binance_own_call() -> None:
    assert request("binance").target == (
        "/sapi/v1/account/apiRestrictions?timestamp=1700000000123&recvWindow=5000"
        "&signature=d5342183a691d7cbeb131e545583f3d29849aae0d5a2ebc7ae77c30c05e5f13f"
    )


def test_mexc_own_call() -> None:
    assert request("mexc").target.endswith(
        "?accessKey=mykey&timestamp=1700000000123&recvWindow=5000&signature=f8ddb9e1363bbb0c5a449ee9e747057c8de0120b24a7125efaf30e4cff9a9509"
    )


def test_bitfinex_permissions() -> None:
    expected = "06ccf52666e5f0774b54706784146a29563d9492b0b77818496e86b19c9e6d851194a3a2ea8bb043ab6e486bfe8958fe"
    assert bitfinex.sign("mysecret", bitfinex.PATH, "1700000000123", "{}") == expected
    assert request("bitfinex").headers["bfx-signature"] == expected


def test_htx_with_uid() -> None:
    query = htx.sorted_query("mykey", "2023-11-14T22:13:20", {"uid": "1"})
    assert htx.sign("mysecret", "api.huobi.pro", htx.PATH, query) == "/e77trnCcPvpmqa9EbQgxMO1ZSlJ5XX94xqUeI4DKS8="


def test_deribit_own_form() -> None:
    assert deribit.sign("mysecret", "1700000000123", "abcd1234", "") == "f80b15548edc230c2ab73de88f23d9678797457661589c7562d0803e73c5de00"


def test_bybit_signs_time_key_window_query() -> None:
    assert bybit_sign(MINE, "1700000000123", "") == OWN["bybit"][1]


def test_coinbase_eddsa_token_as_its_own_sdk_makes_it() -> None:
    secret = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg=="
    token = coinbase.jwt(
        Credential("11111111-2222-3333-4444-555555555555", secret),
        "GET api.coinbase.com/api/v3/brokerage/key_permissions",
        1700000000,
        "0" * 32,
    )
    assert token.split(".")[2] == "z3UpGbzNaxfw7EnEM2mKL1QoqIqyV5dTFenc5HlV_pAY_689hLMcqDeUZbKddGHICM1G9telZsmaaUbBcFYcBg"


def test_coinbase_es256_token_verifies() -> None:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()
    head, claims, signature = coinbase.jwt(Credential("organizations/o/apiKeys/k", pem), "GET h/p", 1700000000, "ab").split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    key.public_key().verify(utils.encode_dss_signature(r, s), f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    assert json.loads(base64.urlsafe_b64decode(head + "=="))["alg"] == "ES256"
    assert json.loads(base64.urlsafe_b64decode(claims + "=="))["exp"] == 1700000120


def test_vectors_are_told_apart_by_one_bit() -> None:
    assert mac.mac_hex("a", "b") != mac.mac_hex("a", "c")
    assert hashlib.sha256(b"").hexdigest().startswith("e3b0")
