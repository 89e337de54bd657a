"""Writes coinbase_sdk.json: tokens that Coinbase's own SDK makes of random keys and times (keys made here, used nowhere).

The SDK pins libraries that we need newer, so it is no dependency. Where it is installed (coinbase-advanced-py 1.8.4):
    python tests/unit/exchange/vectors/make_coinbase_sdk.py
"""

from __future__ import annotations

import base64
import json
import random
import uuid
from pathlib import Path
from unittest import mock

from coinbase import jwt_generator  # type: ignore[import-not-found]

PATH = "/api/v3/brokerage/key_permissions"


def main() -> None:
    chance = random.Random(20261121)
    made = []
    for _ in range(40):
        secret = base64.b64encode(chance.randbytes(chance.choice((32, 64)))).decode()
        key, unique = str(uuid.UUID(bytes=chance.randbytes(16))), chance.randbytes(16).hex()
        seconds = chance.randrange(1_600_000_000, 2_000_000_000)
        with (
            mock.patch.object(jwt_generator.time, "time", lambda now=seconds: now),
            mock.patch.object(jwt_generator.secrets, "token_hex", lambda *_, word=unique: word),
        ):
            token = jwt_generator.build_rest_jwt(jwt_generator.format_jwt_uri("GET", PATH), key, secret)
        made.append({"key": key, "secret": secret, "seconds": seconds, "unique": unique, "token": token.split(".")})
    (Path(__file__).parent / "coinbase_sdk.json").write_text(json.dumps(made, indent=0) + "\n")


if __name__ == "__main__":
    main()
