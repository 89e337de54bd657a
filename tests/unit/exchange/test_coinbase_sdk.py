"""Our Coinbase tokens are those of Coinbase's own SDK, byte for byte, on random keys and times."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golive.exchange.model import Credential
from golive.exchange.venues.coinbase import PATH, jwt

VECTORS = json.loads((Path(__file__).parent / "vectors/coinbase_sdk.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=range(len(VECTORS)))
def test_a_token_is_the_sdks_token(vector: dict[str, Any]) -> None:
    credential = Credential(vector["key"], vector["secret"])
    assert jwt(credential, f"GET api.coinbase.com{PATH}", vector["seconds"], vector["unique"]).split(".") == vector["token"]
